// Small allocations abort when memory is gone: an editor helper that has no kilobyte left has no
// sensible way on. Weights and caches, which are large and refusable, do not use these.
#pragma once

#include <stddef.h>

// Like malloc, calloc and realloc, but never return NULL (n_bytes 0 gives a unique pointer).
// Freed with free(). Any thread.
void *mem_alloc(size_t n_bytes);
void *mem_zero(size_t n_bytes);
void *mem_resize(void *block, size_t n_bytes);

// Allocation that cannot fail for its callers.
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void *checked(void *block, size_t n_bytes)
{
    if (block) return block;
    fprintf(stderr, "r1ls: out of memory allocating %zu bytes\n", n_bytes);
    abort();
}

void *mem_alloc(size_t n_bytes)
{
    return checked(malloc(n_bytes ? n_bytes : 1), n_bytes);
}

void *mem_zero(size_t n_bytes)
{
    return checked(calloc(1, n_bytes ? n_bytes : 1), n_bytes);
}

void *mem_resize(void *block, size_t n_bytes)
{
    return checked(realloc(block, n_bytes ? n_bytes : 1), n_bytes);
}

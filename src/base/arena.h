// Arena: everything that one request needs, released at once.
//
// Grows by doubling blocks; memory never moves. Not thread-safe: an arena has one owner at a time
// and may be handed from thread to thread with its job.
#pragma once

#include "base/str.h"

typedef struct Arena Arena;

// A new, empty arena. Owned by the caller; arena_free(NULL) is allowed.
Arena *arena_new(void);
void arena_free(Arena *arena);

// n_bytes of zeroed memory aligned for any type; lives until arena_free.
void *arena_alloc(Arena *arena, size_t n_bytes);

// n elements of a type, zeroed; aborts when the byte count overflows.
void *arena_array(Arena *arena, size_t n, size_t elem_bytes);

// A NUL-terminated copy of s (s.len does not count the NUL).
Str arena_str(Arena *arena, Str s);

// printf into the arena.
Str arena_printf(Arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull));

// Bytes handed out so far, for traces.
size_t arena_used_bytes(const Arena *arena);

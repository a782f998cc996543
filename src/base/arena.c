// A list of blocks; the head has room, the others are full.
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { ARENA_FIRST_BYTES = 4096, ARENA_ALIGN = 16 };

typedef struct Block {
    struct Block *next;
    size_t cap;
    size_t used;
    _Alignas(ARENA_ALIGN) char data[];
} Block;

struct Arena {
    Block *head;
    size_t used_bytes;
};

Arena *arena_new(void)
{
    return mem_zero(sizeof(Arena));
}

void arena_free(Arena *arena)
{
    if (!arena) return;
    for (Block *block = arena->head; block;) {
        Block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

static Block *add_block(Arena *arena, size_t n_bytes)
{
    size_t cap = arena->head ? arena->head->cap * 2 : (size_t)ARENA_FIRST_BYTES;
    if (cap < n_bytes) cap = n_bytes;
    Block *block = mem_alloc(sizeof(Block) + cap);
    *block = (Block){.next = arena->head, .cap = cap};
    arena->head = block;
    return block;
}

void *arena_alloc(Arena *arena, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX / 4) abort();
    n_bytes = (n_bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    Block *block = arena->head;
    if (!block || block->cap - block->used < n_bytes) block = add_block(arena, n_bytes);
    char *out = block->data + block->used;
    block->used += n_bytes;
    arena->used_bytes += n_bytes;
    return memset(out, 0, n_bytes);
}

void *arena_array(Arena *arena, size_t n, size_t elem_bytes)
{
    size_t n_bytes;
    if (__builtin_mul_overflow(n, elem_bytes, &n_bytes)) abort();
    return arena_alloc(arena, n_bytes);
}

Str arena_str(Arena *arena, Str s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len) memcpy(copy, s.ptr, s.len);
    return (Str){copy, s.len};
}

Str arena_printf(Arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) abort();
    char *out = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(out, (size_t)n + 1, fmt, again);
    va_end(again);
    return (Str){out, (size_t)n};
}

size_t arena_used_bytes(const Arena *arena)
{
    return arena->used_bytes;
}

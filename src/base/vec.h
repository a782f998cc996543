// Growing arrays by macro: struct { T *items; size_t n, cap; }. Zero-initialise before use.
//
//   typedef VEC(int) IntVec;
//   IntVec ids = {0};  VEC_PUSH(&ids, 7);  VEC_FREE(&ids);
#pragma once

#include <stdlib.h>

#include "base/mem.h"

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *items;                                                                                  \
        size_t n, cap;                                                                             \
    }

// Room for at least `extra` more items.
#define VEC_RESERVE(v, extra)                                                                      \
    do {                                                                                           \
        size_t wanted_ = (v)->n + (size_t)(extra);                                                 \
        if (wanted_ > (v)->cap) {                                                                  \
            size_t cap_ = (v)->cap * 2 < 8 ? 8 : (v)->cap * 2;                                     \
            if (cap_ < wanted_) cap_ = wanted_;                                                    \
            (v)->items = mem_resize((v)->items, cap_ * sizeof *(v)->items);                        \
            (v)->cap = cap_;                                                                       \
        }                                                                                          \
    } while (0)

#define VEC_PUSH(v, ...)                                                                           \
    do {                                                                                           \
        VEC_RESERVE(v, 1);                                                                         \
        (v)->items[(v)->n++] = (__VA_ARGS__);                                                      \
    } while (0)

#define VEC_FREE(v)                                                                                \
    do {                                                                                           \
        free((v)->items);                                                                          \
        (v)->items = NULL;                                                                         \
        (v)->n = (v)->cap = 0;                                                                     \
    } while (0)

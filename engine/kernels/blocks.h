// Byte layouts of the quantised blocks (docs/engine.md, "Formats"). All little-endian, packed by
// their members' natural sizes; d and m are IEEE half floats.
//
//   y(Q8_0) = d q            y(Q4_0) = d (n - 8)       y(Q4_1) = d n + m
//   y(Q5_0) = d (n5 - 16)    y(Q5_1) = d n5 + m        n5 = nibble | bit of qh << 4
//   32-element blocks: element j < 16 is the low nibble of qs[j], element j + 16 the high one.
//   y(Q4_K), y(Q5_K) = d sc_k q - dmin m_k for the 32 elements of sub-block k
//   y(Q6_K) = d sc_e q, one scale for 16 elements, q in -32..31
#pragma once

#include <stdint.h>

enum { SUPER_BLOCK = 256 };

typedef struct BlockQ8_0 {
    uint16_t d;
    int8_t q[32];
} BlockQ8_0;

typedef struct BlockQ4_0 {
    uint16_t d;
    uint8_t qs[16];
} BlockQ4_0;

typedef struct BlockQ4_1 {
    uint16_t d, m;
    uint8_t qs[16];
} BlockQ4_1;

typedef struct BlockQ5_0 {
    uint16_t d;
    uint8_t qh[4]; // 32 bits, unaligned
    uint8_t qs[16];
} BlockQ5_0;

typedef struct BlockQ5_1 {
    uint16_t d, m;
    uint8_t qh[4];
    uint8_t qs[16];
} BlockQ5_1;

// scales: eight 6-bit pairs, see block_scale_min.
typedef struct BlockQ4K {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
} BlockQ4K;

typedef struct BlockQ5K {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
} BlockQ5K;

typedef struct BlockQ6K {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
} BlockQ6K;

_Static_assert(sizeof(BlockQ8_0) == 34, "Q8_0");
_Static_assert(sizeof(BlockQ4_0) == 18, "Q4_0");
_Static_assert(sizeof(BlockQ4_1) == 20, "Q4_1");
_Static_assert(sizeof(BlockQ5_0) == 22, "Q5_0");
_Static_assert(sizeof(BlockQ5_1) == 24, "Q5_1");
_Static_assert(sizeof(BlockQ4K) == 144, "Q4_K");
_Static_assert(sizeof(BlockQ5K) == 176, "Q5_K");
_Static_assert(sizeof(BlockQ6K) == 210, "Q6_K");

// Scale and minimum of sub-block k of Q4_K and Q5_K:
//   k < 4:  sc = s[k] & 63,                            m = s[k + 4] & 63
//   k >= 4: sc = low(s[k + 4]) | s[k - 4] >> 6 << 4,   m = high(s[k + 4]) | s[k] >> 6 << 4
static inline void block_scale_min(const uint8_t *s, int k, uint8_t *sc, uint8_t *m)
{
    if (k < 4) {
        *sc = s[k] & 63;
        *m = s[k + 4] & 63;
        return;
    }
    *sc = (uint8_t)((s[k + 4] & 15) | (s[k - 4] >> 6 << 4));
    *m = (uint8_t)((s[k + 4] >> 4) | (s[k] >> 6 << 4));
}

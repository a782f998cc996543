// Byte layouts of the quantised blocks (docs/engine.md, "Formats"). All little-endian, packed by
// their members' natural sizes; d and m are IEEE half floats.
//
//   y(Q8_0) = d q            y(Q4_0) = d (n - 8)       y(Q4_1) = d n + m
//   y(Q5_0) = d (n5 - 16)    y(Q5_1) = d n5 + m        n5 = nibble | bit of qh << 4
//   32-element blocks: element j < 16 is the low nibble of qs[j], element j + 16 the high one.
//   y(Q4_K), y(Q5_K) = d sc_k q - dmin m_k for the 32 elements of sub-block k
//   y(Q2_K) = d sc_e q - dmin m_e, one scale and minimum for 16 elements, q in 0..3
//   y(Q3_K) = d sc_e q, one scale for 16 elements, q in -4..3
//   y(Q6_K) = d sc_e q, one scale for 16 elements, q in -32..31
//   y(IQ4_NL) = d K[n]       y(IQ4_XS) = d sc_k K[n]   K = block_iq4_values
//   y(MXFP4) = 2^(e - 128) M[n]                        M = block_fp4_values, twice E2M1
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

// Element i of a super-block in two bits: bits 2 g of qs[32 half + l], where half = i / 128,
// g = i % 128 / 32 and l = i % 32.
typedef struct BlockQ2K {
    uint8_t scales[16]; // low nibble: scale, high nibble: minimum
    uint8_t qs[64];
    uint16_t d, dmin;
} BlockQ2K;

// The third bit, bit 4 half + g of hmask[l], stands for +4: it is set where q >= 0.
typedef struct BlockQ3K {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12]; // sixteen 6-bit scales, see block_q3k_scale
    uint16_t d;
} BlockQ3K;

typedef struct BlockIQ4NL {
    uint16_t d;
    uint8_t qs[16];
} BlockIQ4NL;

// Eight sub-blocks of 32 elements, each with its nibbles as in IQ4_NL; see block_iq4xs_scale.
typedef struct BlockIQ4XS {
    uint16_t d, scales_high;
    uint8_t scales_low[4];
    uint8_t qs[128];
} BlockIQ4XS;

typedef struct BlockMXFP4 {
    uint8_t e;
    uint8_t qs[16];
} BlockMXFP4;

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
_Static_assert(sizeof(BlockQ2K) == 84, "Q2_K");
_Static_assert(sizeof(BlockQ3K) == 110, "Q3_K");
_Static_assert(sizeof(BlockIQ4NL) == 18, "IQ4_NL");
_Static_assert(sizeof(BlockIQ4XS) == 136, "IQ4_XS");
_Static_assert(sizeof(BlockMXFP4) == 17, "MXFP4");
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

// Scale of elements 16 i .. 16 i + 15 of Q3_K, -32..31: four low bits and two high ones apart.
static inline int block_q3k_scale(const uint8_t *s, int i)
{
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    return (low | ((s[8 + i % 4] >> (2 * (i / 4))) & 3) << 4) - 32;
}

// Scale of sub-block k of IQ4_XS, -32..31.
static inline int block_iq4xs_scale(const BlockIQ4XS *b, int k)
{
    int low = (b->scales_low[k / 2] >> (4 * (k % 2))) & 15;
    return (low | ((b->scales_high >> (2 * k)) & 3) << 4) - 32;
}

// What a nibble stands for in IQ4_NL and IQ4_XS, and in MXFP4 (unpack.c).
extern const int8_t block_iq4_values[16], block_fp4_values[16];
// The scale 2^(e - 128) of MXFP4; subnormal for e < 2.
static inline float block_fp4_scale(uint8_t e)
{
    uint32_t bits = e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23;
    union {
        uint32_t bits;
        float f;
    } scale = {bits};
    return scale.f;
}

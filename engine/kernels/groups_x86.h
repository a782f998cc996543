// Bytes and scales of 32-element groups in AVX2 registers, for the AVX2 and AVX-512 tables.
#pragma once

#include <immintrin.h>
#include <string.h>

#include "blocks.h"
#include "kernels.h"

static inline float half_at(const uint16_t *h)
{
    return _cvtsh_ss(*h);
}

// Eight scales and minima of a Q4_K or Q5_K block, as bytes (block_scale_min for all k at once).
static inline void k_scales_x86(const uint8_t *s, __m128i *sc, __m128i *m)
{
    uint32_t a, b, c;
    memcpy(&a, s, 4);
    memcpy(&b, s + 4, 4);
    memcpy(&c, s + 8, 4);
    uint32_t sc_high = (c & 0x0F0F0F0F) | (a >> 6 & 0x03030303) << 4;
    uint32_t m_high = (c >> 4 & 0x0F0F0F0F) | (b >> 6 & 0x03030303) << 4;
    *sc = _mm_set_epi32(0, 0, (int)sc_high, (int)(a & 0x3F3F3F3F));
    *m = _mm_set_epi32(0, 0, (int)m_high, (int)(b & 0x3F3F3F3F));
}

// The sixteen scales of a Q3_K block as bytes, 32 too large (block_q3k_scale for all i at once).
static inline __m128i q3k_scales_x86(const uint8_t *s)
{
    uint32_t a, b, c;
    memcpy(&a, s, 4);
    memcpy(&b, s + 4, 4);
    memcpy(&c, s + 8, 4);
    const uint32_t low = 0x0F0F0F0F, two = 0x03030303;
    return _mm_set_epi32((int)((b >> 4 & low) | (c >> 6 & two) << 4),
                         (int)((a >> 4 & low) | (c >> 4 & two) << 4),
                         (int)((b & low) | (c >> 2 & two) << 4), (int)((a & low) | (c & two) << 4));
}

// 16 bytes of nibbles as 32 bytes: low ones, then high ones.
static inline __m256i split_nibbles(const uint8_t *qs)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)qs), mask = _mm_set1_epi8(15);
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
    return _mm256_set_m128i(high, _mm_and_si128(bytes, mask));
}

// Bit j of the 32 bits at qh becomes bit 4 of byte j: the byte that holds the bit is copied to its
// eight places, and a compare with the bit alone spreads it.
static inline __m256i add_fifth_bits(__m256i u, const uint8_t *qh)
{
    int32_t bits;
    memcpy(&bits, qh, 4);
    const __m256i places =
        _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
    const __m256i own = _mm256_set1_epi64x((long long)0x8040201008040201);
    __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), places), own);
    spread = _mm256_cmpeq_epi8(spread, own);
    return _mm256_or_si256(u, _mm256_and_si256(spread, _mm256_set1_epi8(16)));
}

// Two bits a byte of the 32 elements of sub-block k (BlockQ2K).
static inline __m256i two_bits(const uint8_t *qs, int k)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(qs + 32 * (k / 4)));
    bytes = _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(2 * (k % 4)));
    return _mm256_and_si256(bytes, _mm256_set1_epi8(3));
}

// 16 bytes of nibbles as the 32 values that they stand for, plus zero: unsigned.
static inline __m256i nibble_values(const uint8_t *qs, const int8_t *values, int zero)
{
    __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)values));
    __m256i found = _mm256_shuffle_epi8(table, split_nibbles(qs));
    return _mm256_add_epi8(found, _mm256_set1_epi8((char)zero));
}

// Unsigned bytes u of group g of a row (see unpack.h): the value before scale, zero and minimum.
static inline __attribute__((always_inline)) __m256i group_bytes(TensorType type, const void *row,
                                                                 int g)
{
    const __m256i mask = _mm256_set1_epi8(15);
    switch (type) {
    case TENSOR_Q8_0: {
        const BlockQ8_0 *b = (const BlockQ8_0 *)row + g;
        return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)b->q),
                                _mm256_set1_epi8((char)0x80));
    }
    case TENSOR_Q4_0:
        return split_nibbles(((const BlockQ4_0 *)row + g)->qs);
    case TENSOR_Q4_1:
        return split_nibbles(((const BlockQ4_1 *)row + g)->qs);
    case TENSOR_Q5_0: {
        const BlockQ5_0 *b = (const BlockQ5_0 *)row + g;
        return add_fifth_bits(split_nibbles(b->qs), b->qh);
    }
    case TENSOR_Q5_1: {
        const BlockQ5_1 *b = (const BlockQ5_1 *)row + g;
        return add_fifth_bits(split_nibbles(b->qs), b->qh);
    }
    case TENSOR_Q4_K: {
        const BlockQ4K *b = (const BlockQ4K *)row + g / 8;
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(b->qs + 32 * (g % 8 / 2)));
        return _mm256_and_si256(g % 2 ? _mm256_srli_epi16(bytes, 4) : bytes, mask);
    }
    case TENSOR_Q5_K: {
        const BlockQ5K *b = (const BlockQ5K *)row + g / 8;
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(b->qs + 32 * (g % 8 / 2)));
        __m256i high = _mm256_loadu_si256((const __m256i *)b->qh);
        high =
            _mm256_and_si256(_mm256_srl_epi16(high, _mm_cvtsi32_si128(g % 8)), _mm256_set1_epi8(1));
        bytes = _mm256_and_si256(g % 2 ? _mm256_srli_epi16(bytes, 4) : bytes, mask);
        return _mm256_or_si256(bytes, _mm256_slli_epi16(high, 4));
    }
    case TENSOR_Q2_K:
        return two_bits(((const BlockQ2K *)row + g / 8)->qs, g % 8);
    case TENSOR_Q3_K: {
        const BlockQ3K *b = (const BlockQ3K *)row + g / 8;
        __m256i high = _mm256_loadu_si256((const __m256i *)b->hmask);
        high =
            _mm256_and_si256(_mm256_srl_epi16(high, _mm_cvtsi32_si128(g % 8)), _mm256_set1_epi8(1));
        return _mm256_or_si256(two_bits(b->qs, g % 8), _mm256_slli_epi16(high, 2));
    }
    case TENSOR_IQ4_NL:
        return nibble_values(((const BlockIQ4NL *)row + g)->qs, block_iq4_values, 128);
    case TENSOR_IQ4_XS:
        return nibble_values(((const BlockIQ4XS *)row + g / 8)->qs + 16 * (g % 8), block_iq4_values,
                             128);
    case TENSOR_MXFP4:
        return nibble_values(((const BlockMXFP4 *)row + g)->qs, block_fp4_values, 12);
    default: { // Q6_K
        const BlockQ6K *b = (const BlockQ6K *)row + g / 8;
        int half = g % 8 / 4, part = g % 4;
        __m256i bytes = _mm256_loadu_si256((const __m256i *)(b->ql + 64 * half + 32 * (part & 1)));
        __m256i high = _mm256_loadu_si256((const __m256i *)(b->qh + 32 * half));
        high = _mm256_and_si256(_mm256_srl_epi16(high, _mm_cvtsi32_si128(2 * part)),
                                _mm256_set1_epi8(3));
        bytes = _mm256_and_si256(part >= 2 ? _mm256_srli_epi16(bytes, 4) : bytes, mask);
        return _mm256_or_si256(bytes, _mm256_slli_epi16(high, 4));
    }
    }
}

// `zero` of unpack.h: what u lies above the value that is scaled; 0 for formats with minima.
static inline __attribute__((always_inline)) int group_zero(TensorType type)
{
    switch (type) {
    case TENSOR_Q8_0:
    case TENSOR_IQ4_NL:
    case TENSOR_IQ4_XS:
        return 128;
    case TENSOR_Q4_0:
        return 8;
    case TENSOR_Q5_0:
        return 16;
    case TENSOR_Q6_K:
        return 32;
    case TENSOR_Q3_K:
        return 4;
    case TENSOR_MXFP4:
        return 12;
    default:
        return 0;
    }
}

// The minima of *_1 blocks lie after d; the others' begin with d and have none.
static inline __attribute__((always_inline)) void simple_scales(const void *block, bool has_min,
                                                                float *scale, float *min)
{
    const uint16_t *head = block;
    scale[0] = scale[1] = half_at(head);
    min[0] = min[1] = has_min ? -half_at(head + 1) : 0;
}

// Scale and minimum (unpack.h) of both halves of group g.
static inline __attribute__((always_inline)) void group_scales(TensorType type, const void *row,
                                                               int g, float *scale, float *min)
{
    min[0] = min[1] = 0;
    switch (type) {
    case TENSOR_Q8_0:
        simple_scales((const BlockQ8_0 *)row + g, false, scale, min);
        return;
    case TENSOR_Q4_0:
    case TENSOR_IQ4_NL: // the same layout
        simple_scales((const BlockQ4_0 *)row + g, false, scale, min);
        return;
    case TENSOR_Q4_1:
        simple_scales((const BlockQ4_1 *)row + g, true, scale, min);
        return;
    case TENSOR_Q5_0:
        simple_scales((const BlockQ5_0 *)row + g, false, scale, min);
        return;
    case TENSOR_Q5_1:
        simple_scales((const BlockQ5_1 *)row + g, true, scale, min);
        return;
    case TENSOR_MXFP4:
        scale[0] = scale[1] = block_fp4_scale(((const BlockMXFP4 *)row + g)->e);
        return;
    case TENSOR_IQ4_XS: {
        const BlockIQ4XS *b = (const BlockIQ4XS *)row + g / 8;
        scale[0] = scale[1] = half_at(&b->d) * (float)block_iq4xs_scale(b, g % 8);
        return;
    }
    case TENSOR_Q4_K:
    case TENSOR_Q5_K: { // both structs begin with d, dmin and scales
        size_t bytes = type == TENSOR_Q4_K ? sizeof(BlockQ4K) : sizeof(BlockQ5K);
        const BlockQ4K *b = (const void *)((const char *)row + (size_t)(g / 8) * bytes);
        uint8_t sc, m;
        block_scale_min(b->scales, g % 8, &sc, &m);
        scale[0] = scale[1] = half_at(&b->d) * sc;
        min[0] = min[1] = half_at(&b->dmin) * m;
        return;
    }
    case TENSOR_Q2_K: {
        const BlockQ2K *b = (const BlockQ2K *)row + g / 8;
        for (int h = 0; h < 2; h++) {
            scale[h] = half_at(&b->d) * (float)(b->scales[2 * (g % 8) + h] & 15);
            min[h] = half_at(&b->dmin) * (float)(b->scales[2 * (g % 8) + h] >> 4);
        }
        return;
    }
    case TENSOR_Q3_K: {
        const BlockQ3K *b = (const BlockQ3K *)row + g / 8;
        for (int h = 0; h < 2; h++)
            scale[h] = half_at(&b->d) * (float)block_q3k_scale(b->scales, 2 * (g % 8) + h);
        return;
    }
    default: { // Q6_K
        const BlockQ6K *b = (const BlockQ6K *)row + g / 8;
        for (int h = 0; h < 2; h++)
            scale[h] = half_at(&b->d) * b->scales[2 * (g % 8) + h];
    }
    }
}

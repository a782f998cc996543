// Shared by the files for AVX-512.
#pragma once

#include "groups_x86.h"

void gemm_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch);
void gemv_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *a, float *y);
void gemv_two_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                     const ActRow *acts, float *y, size_t y_stride);
float dot_avx512(const float *a, const float *b, int n);
void lay_out_avx512(const float *keys, const float *values, int n, int at, const HeadKv *kv);
void attend_avx512(const Kernels *k, const HeadKv *kv, const QueryBlock *b, float *scores,
                   void *scratch);
void dequantize_avx512(TensorType type, const void *row, int n, float *out);
void dot_rows_avx512(const float *x, size_t x_stride, int n_x, const HalfRows *rows, float *out,
                     size_t out_stride);
void add_rows_avx512(const float *weights, size_t w_stride, int n_y, const HalfRows *rows, float *y,
                     size_t y_stride);

enum { GEMM_BLOCK_GROUPS = GEMM_BLOCK / 32 };

// A block of columns of two tiles: weight u - 128 times its row's scale.
typedef struct Tiles {
    uint8_t u[GEMM_BLOCK_GROUPS][8][2][4 * TILE_ROWS]; // lane r = row r, columns 4j..4j+3
    float scale[2][TILE_ROWS];
} Tiles;

// The first n_rows (16 of these at most) of a quantised matrix's rows at w, n_groups of 32 columns,
// into tile 0 or 1.
void unpack_tile_avx512(TensorType type, const char *w, size_t row_bytes, int n_groups, int n_rows,
                        Tiles *tiles, int tile);

// The first n lanes, n < 16.
static inline __mmask16 tail_mask(int n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline __m512 load_halves(__mmask16 m, const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p));
}

// Lane i is the sum of v[i]'s lanes, added in the same order for every i.
static inline __attribute__((always_inline)) __m512 sum_16(const __m512 *v)
{
    __m512 two[8], four[4], eight[2];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        two[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                               _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512d a = _mm512_castps_pd(two[2 * i]), b = _mm512_castps_pd(two[2 * i + 1]);
        four[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                                _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
        eight[i] = _mm512_add_ps(_mm512_shuffle_f32x4(four[2 * i], four[2 * i + 1], 0x88),
                                 _mm512_shuffle_f32x4(four[2 * i], four[2 * i + 1], 0xDD));
    return _mm512_add_ps(_mm512_shuffle_f32x4(eight[0], eight[1], 0x88),
                         _mm512_shuffle_f32x4(eight[0], eight[1], 0xDD));
}

// 16 x 16 floats: rows become columns (four rounds of pairwise exchange).
static inline void transpose_16(__m512 *r)
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
    }
}

// The sixteen scales of a Q3_K block, before d.
static inline __m512i q3k_scales(const uint8_t *s)
{
    return _mm512_sub_epi32(_mm512_cvtepi8_epi32(q3k_scales_x86(s)), _mm512_set1_epi32(32));
}

// The eight scales of an IQ4_XS block, each twice, before d.
static inline __m512i iq4xs_scales(const BlockIQ4XS *b)
{
    const __m512i k = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    int32_t low;
    memcpy(&low, b->scales_low, 4);
    __m512i sc = _mm512_srlv_epi32(_mm512_set1_epi32(low), _mm512_slli_epi32(k, 2));
    __m512i high = _mm512_srlv_epi32(_mm512_set1_epi32(b->scales_high), _mm512_slli_epi32(k, 1));
    sc = _mm512_and_si512(sc, _mm512_set1_epi32(15));
    high = _mm512_slli_epi32(_mm512_and_si512(high, _mm512_set1_epi32(3)), 4);
    return _mm512_sub_epi32(_mm512_or_si512(sc, high), _mm512_set1_epi32(32));
}

// Scales and minima for every 16 elements of a super-block, d and dmin included; minima of Q2_K
// only.
static inline __attribute__((always_inline)) __m512 sixteen_scales(TensorType type,
                                                                   const void *block, __m512 *min)
{
    if (type == TENSOR_Q2_K) {
        const BlockQ2K *b = block;
        __m512i both = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)b->scales));
        __m512i sc = _mm512_and_si512(both, _mm512_set1_epi32(15));
        *min = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(both, 4)),
                             _mm512_set1_ps(half_at(&b->dmin)));
        return _mm512_mul_ps(_mm512_cvtepi32_ps(sc), _mm512_set1_ps(half_at(&b->d)));
    }
    __m512i sc;
    const uint16_t *d;
    if (type == TENSOR_Q3_K) {
        const BlockQ3K *b = block;
        sc = q3k_scales(b->scales), d = &b->d;
    } else if (type == TENSOR_IQ4_XS) {
        const BlockIQ4XS *b = block;
        sc = iq4xs_scales(b), d = &b->d;
    } else {
        const BlockQ6K *b = block;
        sc = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)b->scales)), d = &b->d;
    }
    return _mm512_mul_ps(_mm512_cvtepi32_ps(sc), _mm512_set1_ps(half_at(d)));
}

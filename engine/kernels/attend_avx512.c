// Attention of a block of queries in 16 bits: a product of two of them adds up twice as many
// columns as one of floats. Lanes are positions while scores are made, and columns of the values
// while these are added up.
//
// A query's and a key's scale makes its length 2^15, a value's its largest column 2^14, a chunk's
// weights' their sum 2^17 or their largest 2^15: no sum of products leaves 32 bits, and what is
// left is finer than the half floats of the cache.
//
//   keys    [n_max / 16][dk / 2][16 positions][2 columns]  [n_max] scales
//   values  [n_max / 2][dv][2 positions]                   [n_max] scales
#include <assert.h>
#include <math.h>

#include "attend.h"
#include "kernels_avx512.h"

// At once: queries, and positions whose weights share a scale.
enum { QUERIES = 8, CHUNK = 64, MAX_DK = 512, TILE = 16 };

// Products of two of these, roundings of 512 columns and 64 weights included, stay below 2^31.
enum { MOST = 32760, MOST_OF_VALUES = 16380, MOST_OF_WEIGHTS = 130000 };

typedef struct Scratch {
    int16_t q[ATTEND_QUERIES * MAX_DK]; // rows of dk
    int16_t weights[ATTEND_QUERIES][CHUNK];
    float q_scale[ATTEND_QUERIES], weight_scale[ATTEND_QUERIES];
} Scratch;

static_assert(sizeof(Scratch) + 64 <= GEMM_BLOCK_BYTES, "gemm_scratch_bytes is enough");

static bool takes_halves(const HeadKv *kv)
{
    return kv->dk % 2 == 0 && kv->dk <= MAX_DK && kv->dv % TILE == 0;
}

static inline float *key_scales(const HeadKv *kv)
{
    return (float *)(void *)((int16_t *)kv->keys + (size_t)kv->n_max * (size_t)kv->dk);
}

static inline float *value_scales(const HeadKv *kv)
{
    return (float *)(void *)((int16_t *)kv->values + (size_t)kv->n_max * (size_t)kv->dv);
}

static inline __mmask16 mask_of(int left)
{
    return left < 16 ? tail_mask(left) : 0xFFFF;
}

// What x is multiplied with so that `size` becomes `most`, and what undoes that. Too small: zero.
// Not a number, or infinite: the number is zero and what undoes it NaN.
static inline float scale_for(float size, float most, float *undo)
{
    *undo = size < INFINITY ? size / most : NAN;
    return size > 1e-30f && size < INFINITY ? most / size : 0;
}

static inline __m512i round_floats(const float *x, __mmask16 m, __m512 factor)
{
    __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x), factor);
    m = _mm512_cmp_ps_mask(factor, _mm512_setzero_ps(), _CMP_NEQ_OQ); // infinity times zero
    return _mm512_maskz_cvtps_epi32(m, v);
}

static void round_row(const float *x, int n, float factor, int16_t *out)
{
    const __m512 f = _mm512_set1_ps(factor);
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = mask_of(n - i);
        __m256i q = _mm512_cvtsepi32_epi16(round_floats(x + i, m, f));
        if (m == 0xFFFF)
            _mm256_storeu_si256((__m256i *)(void *)(out + i), q);
        else
            _mm256_mask_storeu_epi16(out + i, m, q);
    }
}

// --- layout --------------------------------------------------------------------------------------

// Positions at .. at + 15, the first n of which are there.
static void lay_out_keys(const float *rows, int n, int at, const HeadKv *kv)
{
    const int dk = kv->dk;
    _Alignas(64) int16_t q[TILE][MAX_DK];
    int16_t *to = (int16_t *)kv->keys + (size_t)at * (size_t)dk;
    for (int r = 0; r < TILE; r++) {
        const float *x = rows + (size_t)r * (size_t)dk;
        float *undo = key_scales(kv) + at + r;
        if (r < n)
            round_row(x, dk, scale_for(sqrtf(dot_avx512(x, x, dk)), MOST, undo), q[r]);
        else
            *undo = 0, memset(q[r], 0, (size_t)dk * sizeof q[r][0]);
    }
    for (int j = 0; j < dk; j += 32, to += 32 * TILE) {
        const int n_pairs = dk - j < 32 ? (dk - j) / 2 : 16;
        __m512 t[16];
        for (int r = 0; r < TILE; r++)
            t[r] = _mm512_maskz_loadu_ps(mask_of(n_pairs), (const float *)(void *)(q[r] + j));
        transpose_16(t);
        for (int i = 0; i < n_pairs; i++)
            _mm512_storeu_ps(to + 32 * i, t[i]);
    }
}

static float largest_of(const float *x, int n)
{
    __m512 most = _mm512_setzero_ps(), bad = most;
    for (int i = 0; i < n; i += 16) {
        __m512 v = _mm512_maskz_loadu_ps(mask_of(n - i), x + i);
        most = _mm512_max_ps(most, _mm512_abs_ps(v));
        bad = _mm512_fmadd_ps(v, _mm512_setzero_ps(), bad);
    }
    return _mm512_reduce_max_ps(most) + _mm512_reduce_add_ps(bad);
}

// Positions at and at + 1, the first n of which are there.
static void lay_out_values(const float *rows, int n, int at, const HeadKv *kv)
{
    const int dv = kv->dv;
    int16_t *to = (int16_t *)kv->values + (size_t)at * (size_t)dv;
    float factor[2] = {0, 0}, *undo = value_scales(kv) + at;
    for (int r = 0; r < 2; r++) {
        undo[r] = 0;
        if (r < n)
            factor[r] =
                scale_for(largest_of(rows + (size_t)(r * dv), dv), MOST_OF_VALUES, undo + r);
    }
    const __m512 f0 = _mm512_set1_ps(factor[0]), f1 = _mm512_set1_ps(factor[1]);
    for (int j = 0; j < dv; j += TILE) {
        __m512i low = n > 0 ? round_floats(rows + j, 0xFFFF, f0) : _mm512_setzero_si512();
        __m512i high = n > 1 ? round_floats(rows + dv + j, 0xFFFF, f1) : _mm512_setzero_si512();
        low = _mm512_mask_blend_epi16(0xAAAAAAAA, low, _mm512_slli_epi32(high, 16));
        _mm512_storeu_si512(to + 2 * j, low);
    }
}

void lay_out_avx512(const float *keys, const float *values, int n, int at, const HeadKv *kv)
{
    if (!takes_halves(kv)) {
        lay_out_floats(keys, values, n, at, kv);
        return;
    }
    const int n_pad = (n + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
    for (int i = 0; i < n_pad; i += TILE)
        lay_out_keys(keys + (size_t)i * (size_t)kv->dk, n - i, at + i, kv);
    for (int i = 0; i < n_pad; i += 2)
        lay_out_values(values + (size_t)i * (size_t)kv->dv, n - i, at + i, kv);
}

// --- products ------------------------------------------------------------------------------------

static inline __m512i broadcast_pair(const int16_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return _mm512_set1_epi32(v);
}

// sums[t][c] = n_pairs registers of tile t, the tiles apart from each other, times vector c.
static inline __attribute__((always_inline)) void
multiply(const int16_t *tile, size_t step, size_t apart, int n_tiles, const int16_t *q,
         size_t q_stride, int n_cols, int n_pairs, __m512i (*sums)[QUERIES])
{
#pragma GCC unroll 2
    for (int t = 0; t < n_tiles; t++)
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++)
            sums[t][c] = _mm512_setzero_si512();
    for (int j = 0; j < n_pairs; j++, tile += step, q += 2) {
        __m512i w[2];
#pragma GCC unroll 2
        for (int t = 0; t < n_tiles; t++)
            w[t] = _mm512_loadu_si512(tile + (size_t)t * apart);
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++) {
            __m512i a = broadcast_pair(q + (size_t)c * q_stride);
#pragma GCC unroll 2
            for (int t = 0; t < n_tiles; t++)
                sums[t][c] = _mm512_dpwssd_epi32(sums[t][c], w[t], a);
        }
    }
}

// Scores of n_cols queries from `first` on at positions at .. at + 31.
static inline __attribute__((always_inline)) void score(const HeadKv *kv, const Scratch *s,
                                                        int first, int n_cols, int at,
                                                        float *scores, size_t stride)
{
    const size_t dk = (size_t)kv->dk;
    __m512i sums[2][QUERIES];
    multiply((const int16_t *)kv->keys + (size_t)at * dk, 32, TILE * dk, 2,
             s->q + (size_t)first * dk, dk, n_cols, kv->dk / 2, sums);
    for (size_t t = 0; t < 2; t++) {
        const size_t to = (size_t)at + TILE * t;
        const __m512 scale = _mm512_loadu_ps(key_scales(kv) + to);
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++) {
            __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[t][c]), scale);
            x = _mm512_mul_ps(x, _mm512_set1_ps(s->q_scale[first + c]));
            _mm512_storeu_ps(scores + (size_t)(first + c) * stride + to, x);
        }
    }
}

// Adds n_pairs pairs of positions of a chunk at columns at .. of n_tiles tiles.
static inline __attribute__((always_inline)) void add(const HeadKv *kv, const Scratch *s,
                                                      const QueryBlock *b, int first, int n_cols,
                                                      int chunk, int n_pairs, int at, int n_tiles)
{
    const size_t dv = (size_t)kv->dv;
    __m512i sums[2][QUERIES];
    multiply((const int16_t *)kv->values + (size_t)chunk * dv + 2 * (size_t)at, 2 * dv, 2 * TILE,
             n_tiles, s->weights[first], CHUNK, n_cols, n_pairs, sums);
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        float *out = b->out + (size_t)(first + c) * b->out_stride + at;
        const __m512 scale = _mm512_set1_ps(s->weight_scale[first + c]);
#pragma GCC unroll 2
        for (int t = 0; t < n_tiles; t++) {
            __m512 x = _mm512_cvtepi32_ps(sums[t][c]);
            __m512 old = chunk ? _mm512_loadu_ps(out + TILE * t) : _mm512_setzero_ps();
            _mm512_storeu_ps(out + TILE * t, _mm512_fmadd_ps(x, scale, old));
        }
    }
}

// Weights of a chunk's positions, each with its value's scale, in 16 bits.
static void round_weights(const HeadKv *kv, Scratch *s, int query, int chunk, int n, float *weights)
{
    const float *scales = value_scales(kv) + chunk;
    __m512 sum = _mm512_setzero_ps(), most = sum;
    for (int i = 0; i < n; i += 16) {
        __m512 w = _mm512_mul_ps(_mm512_loadu_ps(weights + i), _mm512_loadu_ps(scales + i));
        _mm512_storeu_ps(weights + i, w);
        sum = _mm512_add_ps(sum, w);
        most = _mm512_max_ps(most, w);
    }
    const float by_sum = _mm512_reduce_add_ps(sum) * ((float)MOST / MOST_OF_WEIGHTS);
    const float largest = _mm512_reduce_max_ps(most); // at most the sum, which NaN spoils for sure
    float factor = scale_for(by_sum < largest ? largest : by_sum, MOST, &s->weight_scale[query]);
    round_row(weights, n, factor, s->weights[query]);
}

static void score_all(const HeadKv *kv, const Scratch *s, int n, int at, float *scores,
                      size_t stride)
{
    int i = 0;
#define QUERIES_AT_ONCE(count)                                                                     \
    for (; i + (count) <= n; i += (count))                                                         \
        score(kv, s, i, count, at, scores, stride);
    QUERIES_AT_ONCE(QUERIES)
    QUERIES_AT_ONCE(4)
    QUERIES_AT_ONCE(2)
    QUERIES_AT_ONCE(1)
#undef QUERIES_AT_ONCE
}

static inline __attribute__((always_inline)) void add_all(const HeadKv *kv, const Scratch *s,
                                                          const QueryBlock *b, int chunk,
                                                          int n_pairs, int at, int n_tiles)
{
    int i = 0;
#define QUERIES_AT_ONCE(count)                                                                     \
    for (; i + (count) <= b->n; i += (count))                                                      \
        add(kv, s, b, i, count, chunk, n_pairs, at, n_tiles);
    QUERIES_AT_ONCE(QUERIES)
    QUERIES_AT_ONCE(4)
    QUERIES_AT_ONCE(2)
    QUERIES_AT_ONCE(1)
#undef QUERIES_AT_ONCE
}

void attend_avx512(const Kernels *k, const HeadKv *kv, const QueryBlock *b, float *scores,
                   void *scratch)
{
    if (!takes_halves(kv)) {
        attend_floats(k, kv, b, scores, scratch);
        return;
    }
    Scratch *s = (Scratch *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    const int n_pad = (b->n_visible + b->n - 1 + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
    const size_t stride = (size_t)n_pad;
    for (int i = 0; i < b->n; i++) {
        const float *q = b->q + (size_t)i * b->q_stride;
        float factor = scale_for(sqrtf(dot_avx512(q, q, kv->dk)), MOST, &s->q_scale[i]);
        round_row(q, kv->dk, factor, s->q + (size_t)(i * kv->dk));
    }
    for (int at = 0; at < n_pad; at += 2 * TILE)
        score_all(kv, s, b->n, at, scores, stride);
    for (int i = 0; i < b->n; i++)
        weigh_scores(k, b, i, n_pad, scores + (size_t)i * stride);
    for (int chunk = 0; chunk < n_pad; chunk += CHUNK) {
        const int n = n_pad - chunk < CHUNK ? n_pad - chunk : CHUNK;
        for (int i = 0; i < b->n; i++)
            round_weights(kv, s, i, chunk, n, scores + (size_t)i * stride + chunk);
        int at = 0;
        for (; at + 2 * TILE <= kv->dv; at += 2 * TILE)
            add_all(kv, s, b, chunk, n / 2, at, 2);
        if (at < kv->dv) add_all(kv, s, b, chunk, n / 2, at, 1);
    }
}

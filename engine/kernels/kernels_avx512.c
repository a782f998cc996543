// The table "avx512": decode products by VNNI (vpdpbusd), F32 vectors, half floats.
//
// A quantised row times rounded activations is, per 32 elements, scale * A * (u . q) minus an
// offset term (unpack.h). Two groups fill a register: lanes 0-7 sum the first, 8-15 the second.
#include "kernels_avx512.h"

#include <math.h>

#include "unpack.h"

// --- vectors -------------------------------------------------------------------------------------

static float dot_avx512(const float *a, const float *b, int n)
{
    __m512 sum0 = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum0);
        sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), sum1);
    }
    for (; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        sum0 =
            _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i), _mm512_maskz_loadu_ps(m, b + i), sum0);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

static void axpy_avx512(float alpha, const float *x, float *y, int n)
{
    __m512 factor = _mm512_set1_ps(alpha);
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m512 sum = _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(m, x + i),
                                     _mm512_maskz_loadu_ps(m, y + i));
        _mm512_mask_storeu_ps(y + i, m, sum);
    }
}

static void rms_norm_avx512(const float *x, const float *w, float eps, int n, float *y)
{
    float factor = 1 / sqrtf(dot_avx512(x, x, n) / (float)n + eps);
    __m512 f = _mm512_set1_ps(factor);
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), f);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(m, w + i)));
    }
}

// e^x by 2^n * p(r), |r| <= ln 2 / 2, p the Taylor polynomial of degree 6: relative error < 3e-7.
// NaN stays NaN: the bounds are the first operands of max and min, which return the second then.
static inline __m512 exp_avx512(__m512 x)
{
    x = _mm512_min_ps(_mm512_set1_ps(89), _mm512_max_ps(_mm512_set1_ps(-104), x));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.0f / 720);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    return _mm512_scalef_ps(p, n);
}

static void silu_mul_avx512(const float *gate, const float *up, int n, float *y)
{
    const __m512 one = _mm512_set1_ps(1);
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m512 g = _mm512_maskz_loadu_ps(m, gate + i), u = _mm512_maskz_loadu_ps(m, up + i);
        __m512 e = exp_avx512(_mm512_sub_ps(_mm512_setzero_ps(), g));
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(_mm512_div_ps(g, _mm512_add_ps(one, e)), u));
    }
}

static void softmax_avx512(float *x, int n)
{
    const __m512 lowest = _mm512_set1_ps(-INFINITY);
    __m512 max = lowest, sum = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        max = _mm512_max_ps(max, _mm512_mask_loadu_ps(lowest, m, x + i));
    }
    __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(max));
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m512 e = exp_avx512(_mm512_sub_ps(_mm512_mask_loadu_ps(lowest, m, x + i), top));
        _mm512_mask_storeu_ps(x + i, m, e);
        sum = _mm512_mask_add_ps(sum, m, sum, e);
    }
    __m512 inverse = _mm512_set1_ps(1 / _mm512_reduce_add_ps(sum));
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        _mm512_mask_storeu_ps(x + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), inverse));
    }
}

static void to_f16_avx512(const float *x, int n, uint16_t *y)
{
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m256i h = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(m, x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm256_mask_storeu_epi16(y + i, m, h);
    }
}

static float dot_f16_avx512(const float *a, const uint16_t *b, int n)
{
    __m512 sum0 = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), load_halves(0xFFFF, b + i), sum0);
        sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), load_halves(0xFFFF, b + i + 16), sum1);
    }
    for (; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        sum0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i), load_halves(m, b + i), sum0);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

static float dot_bf16(const float *a, const uint16_t *b, int n)
{
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, b + i));
        __m512 w = _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i), w, sum);
    }
    return _mm512_reduce_add_ps(sum);
}

// --- activations ---------------------------------------------------------------------------------

static void quantize_avx512(const float *x, int n, int8_t *q, float *scale, int16_t *sums)
{
    const __m512 infinity = _mm512_set1_ps(INFINITY);
    for (int b = 0; b < n / ACT_BLOCK; b++, x += ACT_BLOCK, q += ACT_BLOCK) {
        __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
        __m512 a0 = _mm512_abs_ps(x0), a1 = _mm512_abs_ps(x1);
        __mmask16 ok = _mm512_cmp_ps_mask(a0, infinity, _CMP_LT_OQ) &
                       _mm512_cmp_ps_mask(a1, infinity, _CMP_LT_OQ);
        float max = _mm512_reduce_max_ps(_mm512_max_ps(a0, a1));
        bool finite = ok == 0xFFFF;
        __m512 inverse = _mm512_set1_ps(max > 0x1p-120f && finite ? 127 / max : 0);
        __m512i q0 = _mm512_cvtps_epi32(_mm512_mul_ps(x0, inverse));
        __m512i q1 = _mm512_cvtps_epi32(_mm512_mul_ps(x1, inverse));
        if (!finite) q0 = q1 = _mm512_setzero_si512();
        _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(q0));
        _mm_storeu_si128((__m128i *)(q + 16), _mm512_cvtepi32_epi8(q1));
        scale[b] = finite ? max / 127 : NAN;
        sums[2 * b] = (int16_t)_mm512_reduce_add_epi32(q0);
        sums[2 * b + 1] = (int16_t)_mm512_reduce_add_epi32(q1);
    }
}

// --- decode --------------------------------------------------------------------------------------

static inline float reduce_256(__m256 x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// block_fp4_scale of the lowest byte of every lane.
static inline __m256 fp4_scales(__m256i heads)
{
    __m256i e = _mm256_and_si256(heads, _mm256_set1_epi32(255)), one = _mm256_set1_epi32(1);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, one), 23);
    __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    return _mm256_castsi256_ps(
        _mm256_mask_blend_epi32(_mm256_cmpgt_epi32_mask(e, one), small, normal));
}

// Every product of a row takes n vectors at once, 1 or 2: the row is unpacked once, and each vector
// adds in the order in which it would alone.
enum { MAX_TOGETHER = 2 };

// The first 32 bits of up to eight blocks of n_words 16-bit words each: d and, in *_1, m after it.
// Each load holds `each` heads and a permutation of two loads picks them; a gather takes three
// times as long on Zen 4. The same indices serve both pairs of loads.
static inline __attribute__((always_inline)) __m256i permuted_heads(const char *block, int n_blocks,
                                                                    int n_words)
{
    const int each = 30 / n_words + 1;
    __m512i loads[4], index = _mm512_setzero_si512();
    for (int i = 0; i < 4; i++) {
        int left = n_words * (n_blocks - i * each);
        __mmask32 words = left >= 32 ? 0xFFFFFFFF : left > 0 ? (1u << left) - 1 : 0;
        loads[i] = _mm512_maskz_loadu_epi16(words, block + 2 * n_words * i * each);
    }
#define HEAD(j) ((j) / each % 2 * 32 + (j) % each * n_words)
#define BOTH(j) (HEAD(j) | (HEAD(j) + 1) << 16)
    index = _mm512_castsi256_si512(
        _mm256_set_epi32(BOTH(7), BOTH(6), BOTH(5), BOTH(4), BOTH(3), BOTH(2), BOTH(1), BOTH(0)));
#undef BOTH
#undef HEAD
    __m512i heads = _mm512_permutex2var_epi16(loads[0], index, loads[1]);
    if (2 * each >= 8) return _mm512_castsi512_si256(heads);
    __m512i later = _mm512_permutex2var_epi16(loads[2], index, loads[3]);
    __mmask16 lanes = (__mmask16)(0xFF << 2 * each & 0xFF);
    return _mm512_castsi512_si256(_mm512_mask_mov_epi32(heads, lanes, later));
}

// d of up to eight blocks, and m of the formats that have minima.
static inline __attribute__((always_inline)) __m256
eight_heads(TensorType type, size_t block_bytes, const char *block, int n_blocks, __m256 *min)
{
    __m256i heads;
    if (type == TENSOR_MXFP4) { // of an odd number of bytes
        __mmask8 blocks = (__mmask8)((1u << n_blocks) - 1);
        __m256i at = _mm256_mullo_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0),
                                        _mm256_set1_epi32((int)block_bytes));
        heads = _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), blocks, at, block, 1);
    } else {
        heads = permuted_heads(block, n_blocks, (int)block_bytes / 2);
    }
    *min = _mm256_cvtph_ps(_mm256_cvtepi32_epi16(_mm256_srli_epi32(heads, 16)));
    return type == TENSOR_MXFP4 ? fp4_scales(heads) : _mm256_cvtph_ps(_mm256_cvtepi32_epi16(heads));
}

// The scales d of blocks g .. g + n_blocks - 1 times a vector's (in *sc); returns what the offsets
// add.
static inline __attribute__((always_inline)) __m256 eight_scales(TensorType type, __m256 d,
                                                                 __m256 min, int n_blocks,
                                                                 const ActRow *a, int g, __m256 *sc)
{
    __mmask8 blocks = (__mmask8)((1u << n_blocks) - 1);
    __m256 act = _mm256_maskz_loadu_ps(blocks, a->scale + g);
    __m256i sums = _mm256_maskz_loadu_epi16((__mmask16)((1u << 2 * n_blocks) - 1), a->sums + 2 * g);
    __m256 totals = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
    *sc = _mm256_mul_ps(d, act);
    if (type == TENSOR_Q4_1 || type == TENSOR_Q5_1)
        return _mm256_mul_ps(_mm256_mul_ps(min, act), totals);
    return _mm256_mul_ps(_mm256_mul_ps(*sc, totals), _mm256_set1_ps((float)-group_zero(type)));
}

// Nibbles of two blocks at once: the low ones of the first, its high ones, and so of the second.
static inline __attribute__((always_inline)) __m512i two_nibbles(const uint8_t *first,
                                                                 const uint8_t *second)
{
    const __m512i shifts =
        _mm512_broadcast_i64x4(_mm256_set_epi64x(0x0004000400040004, 0x0004000400040004, 0, 0));
    __m512i both = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)first));
    both = _mm512_mask_broadcast_i32x4(both, 0xFF00, _mm_loadu_si128((const __m128i *)second));
    return _mm512_and_si512(_mm512_srlv_epi16(both, shifts), _mm512_set1_epi8(15));
}

static inline __attribute__((always_inline)) __m512i two_fifth_bits(__m512i u, const uint8_t *first,
                                                                    const uint8_t *second)
{
    uint32_t low, high;
    memcpy(&low, first, sizeof low);
    memcpy(&high, second, sizeof high);
    return _mm512_mask_add_epi8(u, (__mmask64)high << 32 | low, u, _mm512_set1_epi8(16));
}

// group_bytes of groups g and g + 1.
static inline __attribute__((always_inline)) __m512i two_groups(TensorType type, const void *row,
                                                                int g)
{
#define PAIR(type) const type *b = (const type *)row + g
    switch (type) {
    case TENSOR_Q4_0: {
        PAIR(BlockQ4_0);
        return two_nibbles(b[0].qs, b[1].qs);
    }
    case TENSOR_Q4_1: {
        PAIR(BlockQ4_1);
        return two_nibbles(b[0].qs, b[1].qs);
    }
    case TENSOR_Q5_0: {
        PAIR(BlockQ5_0);
        return two_fifth_bits(two_nibbles(b[0].qs, b[1].qs), b[0].qh, b[1].qh);
    }
    case TENSOR_Q5_1: {
        PAIR(BlockQ5_1);
        return two_fifth_bits(two_nibbles(b[0].qs, b[1].qs), b[0].qh, b[1].qh);
    }
    default: {
        __m512i u = _mm512_castsi256_si512(group_bytes(type, row, g));
        return _mm512_inserti64x4(u, group_bytes(type, row, g + 1), 1);
    }
    }
#undef PAIR
}

// Adds groups g0 .. g0 + n_groups - 1, at most 8, of a row; n_groups is a constant in most calls.
static inline __attribute__((always_inline)) void add_groups(TensorType type, size_t block_bytes,
                                                             const void *row, int g0, int n_groups,
                                                             const ActRow *a, int n, __m512 *sum,
                                                             __m256 *offsets)
{
    __m256 sc[MAX_TOGETHER], min;
    __m256 d = eight_heads(type, block_bytes, (const char *)row + (size_t)g0 * block_bytes,
                           n_groups, &min);
    for (int t = 0; t < n; t++)
        offsets[t] =
            _mm256_add_ps(offsets[t], eight_scales(type, d, min, n_groups, a + t, g0, &sc[t]));
    __m512i lanes = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
#pragma GCC unroll 4
    for (int g = g0; g < g0 + n_groups; g += 2) {
        bool two = g + 1 < g0 + n_groups;
        __m512i u =
            two ? two_groups(type, row, g) : _mm512_zextsi256_si512(group_bytes(type, row, g));
        for (int t = 0; t < n; t++) {
            __m512i q = _mm512_maskz_loadu_epi64(two ? 0xFF : 0x0F, a[t].q + 32 * g);
            __m512i products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, q);
            __m512 scale = _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(sc[t]));
            sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scale, sum[t]);
        }
        lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(2));
    }
}

static inline __attribute__((always_inline)) void dot_row_32(TensorType type, size_t block_bytes,
                                                             const void *row, int n_in,
                                                             const ActRow *a, int n, float *out)
{
    __m512 sum[MAX_TOGETHER];
    __m256 offsets[MAX_TOGETHER];
    for (int t = 0; t < n; t++)
        sum[t] = _mm512_setzero_ps(), offsets[t] = _mm256_setzero_ps();
    int n_groups = n_in / 32, g = 0;
    for (; g + 8 <= n_groups; g += 8)
        add_groups(type, block_bytes, row, g, 8, a, n, sum, offsets);
    switch (n_groups - g) { // widths like 576 and 896 leave two and four
    case 0:
        break;
    case 2:
        add_groups(type, block_bytes, row, g, 2, a, n, sum, offsets);
        break;
    case 4:
        add_groups(type, block_bytes, row, g, 4, a, n, sum, offsets);
        break;
    default:
        add_groups(type, block_bytes, row, g, n_groups - g, a, n, sum, offsets);
    }
    for (int t = 0; t < n; t++)
        out[t] = _mm512_reduce_add_ps(sum[t]) + reduce_256(offsets[t]);
}

// Q4_K and Q5_K: BlockQ5K is BlockQ4K with qh in between; qh NULL tells them apart.
typedef struct KBlock {
    const uint16_t *d, *dmin;
    const uint8_t *scales, *qh, *qs;
} KBlock;

// Elements 64 p .. 64 p + 63 of a Q4_K or Q5_K block; high: all of qh.
static inline __attribute__((always_inline)) __m512i k_block_bytes(const KBlock *b, __m256i high,
                                                                   int p)
{
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(b->qs + 32 * p));
    __m256i u0 = _mm256_and_si256(bytes, mask);
    __m256i u1 = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
    if (b->qh) { // bit 2p of high belongs to u0, bit 2p + 1 to u1; both moved to bit 4
        __m256i both = _mm256_srl_epi16(high, _mm_cvtsi32_si128(2 * p));
        u0 = _mm256_or_si256(u0, _mm256_slli_epi16(_mm256_and_si256(both, _mm256_set1_epi8(1)), 4));
        u1 = _mm256_or_si256(u1, _mm256_slli_epi16(_mm256_and_si256(both, _mm256_set1_epi8(2)), 3));
    }
    return _mm512_inserti64x4(_mm512_castsi256_si512(u0), u1, 1);
}

static inline __attribute__((always_inline)) void
add_k_block(const KBlock *b, const ActRow *a, int n, int block, __m512 *sum, __m256 *minima)
{
    __m128i sc8, m8;
    k_scales_x86(b->scales, &sc8, &m8);
    __m256 sc_all = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(sc8)), sc[MAX_TOGETHER];
    __m256 m_all = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(m8));
    for (int t = 0; t < n; t++) {
        __m256 act = _mm256_loadu_ps(a[t].scale + 8 * block);
        sc[t] = _mm256_mul_ps(_mm256_mul_ps(sc_all, act), _mm256_set1_ps(half_at(b->d)));
        __m256 m = _mm256_mul_ps(_mm256_mul_ps(m_all, act), _mm256_set1_ps(half_at(b->dmin)));
        __m256i sums = _mm256_loadu_si256((const __m256i *)(a[t].sums + 16 * block));
        sums = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
        minima[t] = _mm256_fmadd_ps(m, _mm256_cvtepi32_ps(sums), minima[t]);
    }
    __m512i lanes = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i high = b->qh ? _mm256_loadu_si256((const __m256i *)b->qh) : _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) {
        __m512i u = k_block_bytes(b, high, p);
        for (int t = 0; t < n; t++) {
            __m512i q = _mm512_loadu_si512(a[t].q + 256 * block + 64 * p);
            __m512i products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, q);
            __m512 scale = _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(sc[t]));
            sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scale, sum[t]);
        }
        lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(2));
    }
}

static inline __attribute__((always_inline)) void
dot_row_k(TensorType type, const void *row, int n_in, const ActRow *a, int n, float *out)
{
    __m512 sum[MAX_TOGETHER];
    __m256 minima[MAX_TOGETHER];
    for (int t = 0; t < n; t++)
        sum[t] = _mm512_setzero_ps(), minima[t] = _mm256_setzero_ps();
    const BlockQ4K *q4 = row;
    const BlockQ5K *q5 = row;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++, q4++, q5++) {
        KBlock block = type == TENSOR_Q4_K
                           ? (KBlock){&q4->d, &q4->dmin, q4->scales, NULL, q4->qs}
                           : (KBlock){&q5->d, &q5->dmin, q5->scales, q5->qh, q5->qs};
        add_k_block(&block, a, n, i, sum, minima);
    }
    for (int t = 0; t < n; t++)
        out[t] = _mm512_reduce_add_ps(sum[t]) - reduce_256(minima[t]);
}

// Elements 64 p .. 64 p + 63 of a Q6_K block, 0..63 each.
static inline __m512i q6k_bytes(const BlockQ6K *b, int p)
{
    __m512i low = _mm512_loadu_si512(b->ql + 64 * (p / 2));
    __m256i high = _mm256_loadu_si256((const __m256i *)(b->qh + 32 * (p / 2)));
    __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(high), _mm256_srli_epi16(high, 2), 1);
    if (p % 2) {
        low = _mm512_srli_epi16(low, 4);
        both = _mm512_srli_epi16(both, 4);
    }
    both = _mm512_slli_epi16(_mm512_and_si512(both, _mm512_set1_epi8(3)), 4);
    return _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi8(15)), both);
}

// Elements 64 p .. 64 p + 63 of a super-block.
static inline __attribute__((always_inline)) __m512i super_bytes(TensorType type, const void *block,
                                                                 int p)
{
    if (type == TENSOR_Q6_K) return q6k_bytes(block, p);
    __m512i first = _mm512_castsi256_si512(group_bytes(type, block, 2 * p));
    return _mm512_inserti64x4(first, group_bytes(type, block, 2 * p + 1), 1);
}

// Super-blocks with a scale for every 16 elements: Q2_K, Q3_K, Q6_K, and IQ4_XS with each scale
// twice.
static inline __attribute__((always_inline)) void dot_row_16(TensorType type, size_t block_bytes,
                                                             const void *row, int n_in,
                                                             const ActRow *a, int n, float *out)
{
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    __m512 sum[MAX_TOGETHER], offsets[MAX_TOGETHER], scale[MAX_TOGETHER];
    __m512 min = _mm512_setzero_ps();
    for (int t = 0; t < n; t++)
        sum[t] = offsets[t] = _mm512_setzero_ps();
    const char *b = row;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++, b += block_bytes) {
        __m512 own = sixteen_scales(type, b, &min);
        for (int t = 0; t < n; t++) {
            __m512 act = _mm512_castps256_ps512(_mm256_loadu_ps(a[t].scale + 8 * i));
            act = _mm512_permutexvar_ps(twice, act);
            scale[t] = _mm512_mul_ps(own, act);
            __m256i sums = _mm256_loadu_si256((const __m256i *)(a[t].sums + 16 * i));
            __m512 factor = type == TENSOR_Q2_K ? _mm512_mul_ps(min, act) : scale[t];
            offsets[t] = _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(sums)),
                                         offsets[t]);
        }
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++) {
            __m512i u = super_bytes(type, b, p);
            __m512i lanes = _mm512_add_epi32(four, _mm512_set1_epi32(4 * p));
            for (int t = 0; t < n; t++) {
                __m512i q = _mm512_loadu_si512(a[t].q + 256 * i + 64 * p);
                __m512i products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, q);
                sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products),
                                         _mm512_permutexvar_ps(lanes, scale[t]), sum[t]);
            }
        }
    }
    __m512 zero = _mm512_set1_ps(type == TENSOR_Q2_K ? 1 : (float)group_zero(type));
    for (int t = 0; t < n; t++)
        out[t] = _mm512_reduce_add_ps(_mm512_fnmadd_ps(zero, offsets[t], sum[t]));
}

static float dot_floats(TensorType type, const void *row, int n_in, const float *x)
{
    if (type == TENSOR_F32) return dot_avx512(x, row, n_in);
    return type == TENSOR_F16 ? dot_f16_avx512(x, row, n_in) : dot_bf16(x, row, n_in);
}

// out[t] = row . a[t] for t in [0, n), n a constant where this is inlined.
static inline __attribute__((always_inline)) void
dot_row(TensorType type, const void *row, int n_in, const ActRow *a, int n, float *out)
{
    switch (type) {
#define GROUPS(name, block)                                                                        \
    case name:                                                                                     \
        dot_row_32(name, sizeof(block), row, n_in, a, n, out);                                     \
        return;
        GROUPS(TENSOR_Q8_0, BlockQ8_0)
        GROUPS(TENSOR_Q4_0, BlockQ4_0)
        GROUPS(TENSOR_Q4_1, BlockQ4_1)
        GROUPS(TENSOR_Q5_0, BlockQ5_0)
        GROUPS(TENSOR_Q5_1, BlockQ5_1)
        GROUPS(TENSOR_IQ4_NL, BlockIQ4NL)
        GROUPS(TENSOR_MXFP4, BlockMXFP4)
#undef GROUPS
#define SUPER(name, block)                                                                         \
    case name:                                                                                     \
        dot_row_16(name, sizeof(block), row, n_in, a, n, out);                                     \
        return;
        SUPER(TENSOR_Q2_K, BlockQ2K)
        SUPER(TENSOR_Q3_K, BlockQ3K)
        SUPER(TENSOR_Q6_K, BlockQ6K)
        SUPER(TENSOR_IQ4_XS, BlockIQ4XS)
#undef SUPER
    case TENSOR_Q4_K:
        dot_row_k(TENSOR_Q4_K, row, n_in, a, n, out);
        return;
    case TENSOR_Q5_K:
        dot_row_k(TENSOR_Q5_K, row, n_in, a, n, out);
        return;
    default:
        for (int t = 0; t < n; t++)
            out[t] = dot_floats(type, row, n_in, a[t].x);
    }
}

static void gemv_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                        const ActRow *a, float *y)
{
    const char *row = w;
    for (int r = 0; r < n_rows; r++, row += row_bytes)
        dot_row(type, row, n_in, a, 1, &y[r]);
}

static void gemv_two_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                            const ActRow *acts, float *y, size_t y_stride)
{
    const char *row = w;
    float out[2];
    for (int r = 0; r < n_rows; r++, row += row_bytes) {
        dot_row(type, row, n_in, acts, 2, out);
        y[r] = out[0];
        y[y_stride + (size_t)r] = out[1];
    }
}

const Kernels kernels_avx512 = {
    .name = "avx512",
    .quantize = quantize_avx512,
    .gemv = gemv_avx512,
    .gemv_two = gemv_two_avx512,
    .gemm = gemm_avx512,
    .dequantize = dequantize_avx512,
    .dot = dot_avx512,
    .axpy = axpy_avx512,
    .rms_norm = rms_norm_avx512,
    .silu_mul = silu_mul_avx512,
    .softmax = softmax_avx512,
    .to_f16 = to_f16_avx512,
    .dot_rows = dot_rows_avx512,
    .add_rows = add_rows_avx512,
};

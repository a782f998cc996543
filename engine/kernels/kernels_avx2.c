// The table "avx2", for machines without AVX-512. One row at a time; a prefill unpacks a row once
// for all activation vectors.
#include <math.h>

#include "attend.h"
#include "groups_x86.h"
#include "unpack.h"

// --- vectors -------------------------------------------------------------------------------------

static inline float reduce(__m256 x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline __m256 load_halves(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static float dot_avx2(const float *a, const float *b, int n)
{
    __m256 sum0 = _mm256_setzero_ps(), sum1 = _mm256_setzero_ps();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
        sum1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sum1);
    }
    float sum = reduce(_mm256_add_ps(sum0, sum1));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void axpy_avx2(float alpha, const float *x, float *y, int n)
{
    __m256 factor = _mm256_set1_ps(alpha);
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i,
                         _mm256_fmadd_ps(factor, _mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++)
        y[i] += alpha * x[i];
}

static void rms_norm_avx2(const float *x, const float *w, float eps, int n, float *y)
{
    float factor = 1 / sqrtf(dot_avx2(x, x, n) / (float)n + eps);
    for (int i = 0; i < n; i++)
        y[i] = x[i] * factor * w[i];
}

// As in kernels_avx512.c; 2^n is built in the exponent field, in two factors so that the result
// may be subnormal. NaN stays NaN.
static inline __m256 exp_avx2(__m256 x)
{
    x = _mm256_min_ps(_mm256_set1_ps(88.7f), _mm256_max_ps(_mm256_set1_ps(-104), x));
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), 0);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.0f / 720);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1));
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    __m256i rest = _mm256_sub_epi32(whole, half), bias = _mm256_set1_epi32(127);
    __m256 f0 = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    __m256 f1 = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(p, f0), f1);
}

static void silu_mul_avx2(const float *gate, const float *up, int n, float *y)
{
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 g = _mm256_loadu_ps(gate + i);
        __m256 e = exp_avx2(_mm256_sub_ps(_mm256_setzero_ps(), g));
        __m256 s = _mm256_div_ps(g, _mm256_add_ps(_mm256_set1_ps(1), e));
        _mm256_storeu_ps(y + i, _mm256_mul_ps(s, _mm256_loadu_ps(up + i)));
    }
    for (; i < n; i++)
        y[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

static void softmax_avx2(float *x, int n)
{
    float max = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    int i = 0;
    __m256 sums = _mm256_setzero_ps(), top = _mm256_set1_ps(max);
    for (; i + 8 <= n; i += 8) {
        __m256 e = exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(x + i), top));
        _mm256_storeu_ps(x + i, e);
        sums = _mm256_add_ps(sums, e);
    }
    for (; i < n; i++)
        sum += x[i] = expf(x[i] - max);
    float inverse = 1 / (sum + reduce(sums));
    for (i = 0; i < n; i++)
        x[i] *= inverse;
}

static void to_f16_avx2(const float *x, int n, uint16_t *y)
{
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(y + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        y[i] = float_to_half(x[i]);
}

static float dot_f16_avx2(const float *a, const uint16_t *b, int n)
{
    __m256 sums = _mm256_setzero_ps();
    int i = 0;
    for (; i + 8 <= n; i += 8)
        sums = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), load_halves(b + i), sums);
    float sum = reduce(sums);
    for (; i < n; i++)
        sum += a[i] * half_at(b + i);
    return sum;
}

static void axpy_f16_avx2(float alpha, const uint16_t *x, float *y, int n)
{
    __m256 factor = _mm256_set1_ps(alpha);
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i,
                         _mm256_fmadd_ps(factor, load_halves(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++)
        y[i] += alpha * half_at(x + i);
}

static void dot_rows_avx2(const float *x, size_t x_stride, int n_x, const HalfRows *rows,
                          float *out, size_t out_stride)
{
    for (int i = 0; i < rows->n_rows; i++)
        for (int h = 0; h < n_x; h++)
            out[(size_t)h * out_stride + (size_t)i] = dot_f16_avx2(
                x + (size_t)h * x_stride, rows->data + (size_t)i * rows->stride, rows->n);
}

static void add_rows_avx2(const float *weights, size_t w_stride, int n_y, const HalfRows *rows,
                          float *y, size_t y_stride)
{
    for (int i = 0; i < rows->n_rows; i++)
        for (int h = 0; h < n_y; h++)
            axpy_f16_avx2(weights[(size_t)h * w_stride + (size_t)i],
                          rows->data + (size_t)i * rows->stride, y + (size_t)h * y_stride, rows->n);
}

static inline __m256 load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static void dequantize_avx2(TensorType type, const void *row, int n, float *out)
{
    const uint16_t *half = row;
    int i = 0;
    if (type == TENSOR_F16)
        for (; i + 8 <= n; i += 8)
            _mm256_storeu_ps(out + i, load_halves(half + i));
    else if (type == TENSOR_BF16)
        for (; i + 8 <= n; i += 8)
            _mm256_storeu_ps(out + i, load_bf16(half + i));
    if (i == 0)
        kernels_ref.dequantize(type, row, n, out);
    else
        kernels_ref.dequantize(type, half + i, n - i, out + i);
}

// --- quantised products --------------------------------------------------------------------------

// vpmaddubsw adds two products of an unsigned and a signed byte in 16 bits. Formats with minima
// have u of at most five bits there; the others' values u - zero are signed, at most 128 in size,
// and give their sign to the activation: 2 * 128 * 127 still fits.

static inline __attribute__((always_inline)) bool has_minima(TensorType type)
{
    return group_zero(type) == 0;
}

// The bytes that are multiplied: u, or u - zero.
static inline __attribute__((always_inline)) __m256i operand_bytes(TensorType type, const void *row,
                                                                   int g)
{
    __m256i u = group_bytes(type, row, g);
    return has_minima(type) ? u : _mm256_sub_epi8(u, _mm256_set1_epi8((char)group_zero(type)));
}

// w . q in 16 lanes of 16 bits.
static inline __attribute__((always_inline)) __m256i multiply_bytes(bool signed_bytes, __m256i w,
                                                                    __m256i q)
{
    return signed_bytes ? _mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(q, w))
                        : _mm256_maddubs_epi16(w, q);
}

// sum += A scale (w . q) over group g, where w are operand_bytes.
static inline __attribute__((always_inline)) __m256
add_group(bool signed_bytes, __m256 sum, __m256i w, const float *scale, const ActRow *a, int g)
{
    __m256i q = _mm256_loadu_si256((const __m256i *)(a->q + 32 * g));
    __m256i pairs = multiply_bytes(signed_bytes, w, q);
    __m256i products = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    float act = a->scale[g];
    __m256 halves = _mm256_set_m128(_mm_set1_ps(act * scale[1]), _mm_set1_ps(act * scale[0]));
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), halves, sum);
}

// Every product of a row takes n vectors at once, 1 or 2: the row is unpacked once, and each vector
// adds in the order in which it would alone.
enum { MAX_TOGETHER = 2 };

static inline __attribute__((always_inline)) void
dot_groups(TensorType type, const void *row, int n_in, const ActRow *a, int n, float *out)
{
    __m256 sum[MAX_TOGETHER];
    float minima[MAX_TOGETHER] = {0, 0};
    for (int t = 0; t < n; t++)
        sum[t] = _mm256_setzero_ps();
    for (int g = 0; g < n_in / 32; g++) {
        float scale[2], min[2];
        group_scales(type, row, g, scale, min);
        __m256i w = operand_bytes(type, row, g);
        for (int t = 0; t < n; t++) {
            sum[t] = add_group(!has_minima(type), sum[t], w, scale, a + t, g);
            if (has_minima(type))
                minima[t] +=
                    a[t].scale[g] * (min[0] * a[t].sums[2 * g] + min[1] * a[t].sums[2 * g + 1]);
        }
    }
    for (int t = 0; t < n; t++)
        out[t] = reduce(sum[t]) - minima[t];
}

// Lane i of the result is lane (first + i) / 2: eight values become half of sixteen.
static inline __m256 each_twice(__m256 x, int first)
{
    __m256i lanes =
        _mm256_add_epi32(_mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0), _mm256_set1_epi32(first / 2));
    return _mm256_permutevar8x32_ps(x, lanes);
}

static inline __m256 signed_bytes_8(__m128i bytes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

static inline __m256 iq4xs_scales(const BlockIQ4XS *b)
{
    const __m256i k = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    int32_t low;
    memcpy(&low, b->scales_low, 4);
    __m256i sc = _mm256_srlv_epi32(_mm256_set1_epi32(low), _mm256_slli_epi32(k, 2));
    __m256i high = _mm256_srlv_epi32(_mm256_set1_epi32(b->scales_high), _mm256_slli_epi32(k, 1));
    sc = _mm256_and_si256(sc, _mm256_set1_epi32(15));
    high = _mm256_slli_epi32(_mm256_and_si256(high, _mm256_set1_epi32(3)), 4);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_or_si256(sc, high), _mm256_set1_epi32(32)));
}

// Sixteen signed bytes, times d.
static inline void scale_bytes(__m128i bytes, float d, __m256 *scale)
{
    scale[0] = _mm256_mul_ps(signed_bytes_8(bytes), _mm256_set1_ps(d));
    scale[1] = _mm256_mul_ps(signed_bytes_8(_mm_srli_si128(bytes, 8)), _mm256_set1_ps(d));
}

// Scales and minima of a super-block's sixteen half groups, d and dmin included; minima only where
// the format has them.
static inline __attribute__((always_inline)) void super_scales(TensorType type, const void *block,
                                                               __m256 *scale, __m256 *min)
{
    if (type == TENSOR_Q2_K) {
        const BlockQ2K *b = block;
        __m128i both = _mm_loadu_si128((const __m128i *)b->scales), mask = _mm_set1_epi8(15);
        scale_bytes(_mm_and_si128(both, mask), half_at(&b->d), scale);
        scale_bytes(_mm_and_si128(_mm_srli_epi16(both, 4), mask), half_at(&b->dmin), min);
    } else if (type == TENSOR_Q3_K) {
        const BlockQ3K *b = block;
        __m128i sc = _mm_sub_epi8(q3k_scales_x86(b->scales), _mm_set1_epi8(32));
        scale_bytes(sc, half_at(&b->d), scale);
    } else if (type == TENSOR_Q6_K) {
        const BlockQ6K *b = block;
        scale_bytes(_mm_loadu_si128((const __m128i *)b->scales), half_at(&b->d), scale);
    } else if (type == TENSOR_IQ4_XS) {
        const BlockIQ4XS *b = block;
        __m256 sc = _mm256_mul_ps(iq4xs_scales(b), _mm256_set1_ps(half_at(&b->d)));
        scale[0] = each_twice(sc, 0), scale[1] = each_twice(sc, 8);
    } else { // Q4_K and Q5_K begin with the same fields
        const BlockQ4K *b = block;
        __m128i sc8, m8;
        k_scales_x86(b->scales, &sc8, &m8);
        __m256 sc = _mm256_mul_ps(signed_bytes_8(sc8), _mm256_set1_ps(half_at(&b->d)));
        __m256 m = _mm256_mul_ps(signed_bytes_8(m8), _mm256_set1_ps(half_at(&b->dmin)));
        scale[0] = each_twice(sc, 0), scale[1] = each_twice(sc, 8);
        min[0] = each_twice(m, 0), min[1] = each_twice(m, 8);
    }
}

static inline __attribute__((always_inline)) void dot_super(TensorType type, size_t block_bytes,
                                                            const void *row, int n_in,
                                                            const ActRow *a, int n, float *out)
{
    const __m256i halves = _mm256_set_epi32(1, 1, 1, 1, 0, 0, 0, 0), ones = _mm256_set1_epi16(1);
    __m256 sum[MAX_TOGETHER], minima[MAX_TOGETHER], scale[MAX_TOGETHER][2], own[2], min[2];
    for (int t = 0; t < n; t++)
        sum[t] = minima[t] = _mm256_setzero_ps();
    const char *block = row;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++, block += block_bytes) {
        super_scales(type, block, own, min);
        for (int t = 0; t < n; t++) {
            __m256 act = _mm256_loadu_ps(a[t].scale + 8 * i);
            for (int h = 0; h < 2; h++) {
                __m256 acts = each_twice(act, 8 * h);
                scale[t][h] = _mm256_mul_ps(own[h], acts);
                if (!has_minima(type)) continue;
                __m128i sums = _mm_loadu_si128((const __m128i *)(a[t].sums + 16 * i + 8 * h));
                minima[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(sums)),
                                            _mm256_mul_ps(min[h], acts), minima[t]);
            }
        }
#pragma GCC unroll 8
        for (int g = 0; g < 8; g++) {
            __m256i w = operand_bytes(type, block, g);
            __m256i lanes = _mm256_add_epi32(halves, _mm256_set1_epi32(2 * (g % 4)));
            for (int t = 0; t < n; t++) {
                __m256i q = _mm256_loadu_si256((const __m256i *)(a[t].q + 256 * i + 32 * g));
                __m256i pairs = multiply_bytes(!has_minima(type), w, q);
                sum[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, ones)),
                                         _mm256_permutevar8x32_ps(scale[t][g / 4], lanes), sum[t]);
            }
        }
    }
    for (int t = 0; t < n; t++)
        out[t] = reduce(_mm256_sub_ps(sum[t], minima[t]));
}

static float dot_bf16(const float *a, const uint16_t *b, int n)
{
    __m256 sum0 = _mm256_setzero_ps(), sum1 = sum0;
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), load_bf16(b + i), sum0);
        sum1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), load_bf16(b + i + 8), sum1);
    }
    float sum = reduce(_mm256_add_ps(sum0, sum1));
    for (; i < n; i++) {
        uint32_t bits = (uint32_t)b[i] << 16;
        float w;
        memcpy(&w, &bits, sizeof w);
        sum += a[i] * w;
    }
    return sum;
}

static float dot_floats(TensorType type, const void *row, int n_in, const float *x)
{
    if (type == TENSOR_F32) return dot_avx2(x, row, n_in);
    return type == TENSOR_F16 ? dot_f16_avx2(x, row, n_in) : dot_bf16(x, row, n_in);
}

// out[t] = row . a[t] for t in [0, n), n a constant where this is inlined.
static inline __attribute__((always_inline)) void
dot_row(TensorType type, const void *row, int n_in, const ActRow *a, int n, float *out)
{
    switch (type) {
#define GROUPS(name)                                                                               \
    case name:                                                                                     \
        dot_groups(name, row, n_in, a, n, out);                                                    \
        return;
        GROUPS(TENSOR_Q8_0)
        GROUPS(TENSOR_Q4_0)
        GROUPS(TENSOR_Q4_1)
        GROUPS(TENSOR_Q5_0)
        GROUPS(TENSOR_Q5_1)
        GROUPS(TENSOR_IQ4_NL)
        GROUPS(TENSOR_MXFP4)
#undef GROUPS
#define SUPER(name, block)                                                                         \
    case name:                                                                                     \
        dot_super(name, sizeof(block), row, n_in, a, n, out);                                      \
        return;
        SUPER(TENSOR_Q2_K, BlockQ2K)
        SUPER(TENSOR_Q3_K, BlockQ3K)
        SUPER(TENSOR_Q4_K, BlockQ4K)
        SUPER(TENSOR_Q5_K, BlockQ5K)
        SUPER(TENSOR_Q6_K, BlockQ6K)
        SUPER(TENSOR_IQ4_XS, BlockIQ4XS)
#undef SUPER
    default:
        for (int t = 0; t < n; t++)
            out[t] = dot_floats(type, row, n_in, a[t].x);
    }
}

static void gemv_avx2(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                      const ActRow *a, float *y)
{
    const char *row = w;
    for (int r = 0; r < n_rows; r++, row += row_bytes)
        dot_row(type, row, n_in, a, 1, &y[r]);
}

static void gemv_two_avx2(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
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

// A row unpacked into scratch.
typedef struct Unpacked {
    uint8_t *w;   // [n_groups][32] operand_bytes
    float *scale; // [n_groups][2]
    float *min;   // [n_groups][2]
} Unpacked;

enum { COLUMNS = 4 }; // activation vectors that share a pass over an unpacked row

static void unpack_row(TensorType type, const void *row, int n_groups, const Unpacked *out)
{
    switch (type) {
#define GROUPS(name)                                                                               \
    case name:                                                                                     \
        for (int g = 0; g < n_groups; g++) {                                                       \
            _mm256_storeu_si256((__m256i *)(out->w + 32 * g), operand_bytes(name, row, g));        \
            group_scales(name, row, g, out->scale + 2 * g, out->min + 2 * g);                      \
        }                                                                                          \
        return;
        GROUPS(TENSOR_Q8_0)
        GROUPS(TENSOR_Q4_0)
        GROUPS(TENSOR_Q4_1)
        GROUPS(TENSOR_Q5_0)
        GROUPS(TENSOR_Q5_1)
        GROUPS(TENSOR_Q2_K)
        GROUPS(TENSOR_Q3_K)
        GROUPS(TENSOR_Q4_K)
        GROUPS(TENSOR_Q5_K)
        GROUPS(TENSOR_Q6_K)
        GROUPS(TENSOR_IQ4_NL)
        GROUPS(TENSOR_IQ4_XS)
        GROUPS(TENSOR_MXFP4)
#undef GROUPS
    default:
        return;
    }
}

// sum of A min sum q over all groups, four at a time.
static float sum_minima(const float *min, int n_groups, const ActRow *a)
{
    __m256 sum = _mm256_setzero_ps();
    const __m256i twice = _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0);
    int g = 0;
    for (; g + 4 <= n_groups; g += 4) {
        __m256 act = _mm256_castps128_ps256(_mm_loadu_ps(a->scale + g));
        __m256i sums = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(a->sums + 2 * g)));
        __m256 m =
            _mm256_mul_ps(_mm256_loadu_ps(min + 2 * g), _mm256_permutevar8x32_ps(act, twice));
        sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), m, sum);
    }
    float rest = reduce(sum);
    for (; g < n_groups; g++)
        rest += a->scale[g] * (min[2 * g] * a->sums[2 * g] + min[2 * g + 1] * a->sums[2 * g + 1]);
    return rest;
}

static inline __attribute__((always_inline)) void row_times(bool signed_bytes, const Unpacked *row,
                                                            int n_groups, const ActRow *acts,
                                                            int n_cols, float *y, size_t y_stride)
{
    __m256 sums[COLUMNS];
    for (int c = 0; c < n_cols; c++)
        sums[c] = _mm256_setzero_ps();
    for (int g = 0; g < n_groups; g++) {
        __m256i w = _mm256_loadu_si256((const __m256i *)(row->w + 32 * g));
        for (int c = 0; c < n_cols; c++)
            sums[c] = add_group(signed_bytes, sums[c], w, row->scale + 2 * g, &acts[c], g);
    }
    for (int c = 0; c < n_cols; c++) {
        float minima = signed_bytes ? 0 : sum_minima(row->min, n_groups, &acts[c]);
        y[(size_t)c * y_stride] = reduce(sums[c]) - minima;
    }
}

static inline __attribute__((always_inline)) void row_times_all(bool signed_bytes,
                                                                const Unpacked *row, int n_groups,
                                                                const ActRow *acts, int n_acts,
                                                                float *y, size_t y_stride)
{
    int t = 0;
    for (; t + COLUMNS <= n_acts; t += COLUMNS)
        row_times(signed_bytes, row, n_groups, acts + t, COLUMNS, y + (size_t)t * y_stride,
                  y_stride);
    for (; t < n_acts; t++)
        row_times(signed_bytes, row, n_groups, acts + t, 1, y + (size_t)t * y_stride, y_stride);
}

static void gemm_floats(TensorType type, const char *row, size_t row_bytes, int n_in, int n_rows,
                        const ActRow *acts, int n_acts, float *y, size_t y_stride, float *scratch)
{
    for (int r = 0; r < n_rows; r++, row += row_bytes) {
        const float *w = (const float *)(const void *)row;
        if (type != TENSOR_F32) {
            dequantize_avx2(type, row, n_in, scratch);
            w = scratch;
        }
        for (int t = 0; t < n_acts; t++)
            y[(size_t)t * y_stride + (size_t)r] = dot_avx2(acts[t].x, w, n_in);
    }
}

static void gemm_avx2(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                      const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    if (type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16) {
        gemm_floats(type, w, row_bytes, n_in, n_rows, acts, n_acts, y, y_stride, scratch);
        return;
    }
    const char *at = w;
    int n_groups = n_in / 32;
    Unpacked row = {.w = scratch};
    row.scale = (float *)(void *)(row.w + 32 * n_groups);
    row.min = row.scale + 2 * n_groups;
    for (int r = 0; r < n_rows; r++, at += row_bytes) {
        unpack_row(type, at, n_groups, &row);
        if (has_minima(type))
            row_times_all(false, &row, n_groups, acts, n_acts, y + r, y_stride);
        else
            row_times_all(true, &row, n_groups, acts, n_acts, y + r, y_stride);
    }
}

static void quantize_avx2(const float *x, int n, int8_t *q, float *scale, int16_t *sums)
{
    kernels_ref.quantize(x, n, q, scale, sums);
}

const Kernels kernels_avx2 = {
    .name = "avx2",
    .quantize = quantize_avx2,
    .gemv = gemv_avx2,
    .gemv_two = gemv_two_avx2,
    .gemm = gemm_avx2,
    .dequantize = dequantize_avx2,
    .dot = dot_avx2,
    .axpy = axpy_avx2,
    .rms_norm = rms_norm_avx2,
    .silu_mul = silu_mul_avx2,
    .softmax = softmax_avx2,
    .to_f16 = to_f16_avx2,
    .dot_rows = dot_rows_avx2,
    .add_rows = add_rows_avx2,
    .lay_out = lay_out_floats,
    .attend = attend_floats,
};

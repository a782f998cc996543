// The table "avx2", for machines without AVX-512. Bytes are widened to 16 bits before they are
// multiplied: vpmaddubsw would saturate for 8-bit weights, and the widening costs less than the
// correction. One row at a time; a prefill unpacks a row once for all activation vectors.
#include <math.h>

#include "groups_x86.h"
#include "unpack.h"

// --- vectors
// --------------------------------------------------------------------------------------

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

static void dequantize_avx2(TensorType type, const void *row, int n, float *out)
{
    const uint16_t *half = row;
    int i = 0;
    if (type != TENSOR_F16) {
        kernels_ref.dequantize(type, row, n, out);
        return;
    }
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, load_halves(half + i));
    for (; i < n; i++)
        out[i] = half_at(half + i);
}

// --- quantised products
// ---------------------------------------------------------------------------

// sum += A (scale (u . q) - offset sum q) over group g, the last term into *offsets; offset =
// scale * zero + min.
static inline __m256 add_group(__m256 sum, __m256i u, const float *scale, const float *offset,
                               const ActRow *a, int g, float *offsets)
{
    __m256i q = _mm256_loadu_si256((const __m256i *)(a->q + 32 * g));
    __m256i p0 = _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_castsi256_si128(u)),
                                   _mm256_cvtepi8_epi16(_mm256_castsi256_si128(q)));
    __m256i p1 = _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_extracti128_si256(u, 1)),
                                   _mm256_cvtepi8_epi16(_mm256_extracti128_si256(q, 1)));
    float act = a->scale[g];
    *offsets += act * (offset[0] * a->sums[2 * g] + offset[1] * a->sums[2 * g + 1]);
    sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(p0), _mm256_set1_ps(act * scale[0]), sum);
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(p1), _mm256_set1_ps(act * scale[1]), sum);
}

static inline __attribute__((always_inline)) void
scales_and_offsets(TensorType type, const void *row, int g, float *scale, float *offset)
{
    group_scales(type, row, g, scale, offset);
    float zero = (float)group_zero(type);
    for (int h = 0; h < 2; h++)
        offset[h] += scale[h] * zero;
}

static inline __attribute__((always_inline)) float dot_groups(TensorType type, const void *row,
                                                              int n_in, const ActRow *a)
{
    __m256 sum = _mm256_setzero_ps();
    float offsets = 0;
    for (int g = 0; g < n_in / 32; g++) {
        float scale[2], offset[2];
        scales_and_offsets(type, row, g, scale, offset);
        sum = add_group(sum, group_bytes(type, row, g), scale, offset, a, g, &offsets);
    }
    return reduce(sum) - offsets;
}

static inline __m256 load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
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

static float dot_row(TensorType type, const void *row, int n_in, const ActRow *a)
{
    switch (type) {
    case TENSOR_F32:
        return dot_avx2(a->x, row, n_in);
    case TENSOR_F16:
        return dot_f16_avx2(a->x, row, n_in);
    case TENSOR_BF16:
        return dot_bf16(a->x, row, n_in);
#define GROUPS(name)                                                                               \
    case name:                                                                                     \
        return dot_groups(name, row, n_in, a);
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
    }
    return 0;
}

static void gemv_avx2(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                      const ActRow *a, float *y)
{
    const char *row = w;
    for (int r = 0; r < n_rows; r++, row += row_bytes)
        y[r] = dot_row(type, row, n_in, a);
}

// A row unpacked into scratch: 32 bytes and four floats a group.
typedef struct Unpacked {
    uint8_t u[32];
    float scale[2], offset[2];
} Unpacked;

static void unpack_row(TensorType type, const void *row, int n_groups, Unpacked *out)
{
    switch (type) {
#define GROUPS(name)                                                                               \
    case name:                                                                                     \
        for (int g = 0; g < n_groups; g++) {                                                       \
            _mm256_storeu_si256((__m256i *)out[g].u, group_bytes(name, row, g));                   \
            scales_and_offsets(name, row, g, out[g].scale, out[g].offset);                         \
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

static void gemm_avx2(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                      const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    bool floats = type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16;
    const char *row = w;
    Unpacked *groups = scratch;
    for (int r = 0; r < n_rows; r++, row += row_bytes) {
        if (!floats) unpack_row(type, row, n_in / 32, groups);
        for (int t = 0; t < n_acts; t++) {
            float *to = y + (size_t)t * y_stride + r;
            if (floats) {
                *to = dot_row(type, row, n_in, &acts[t]);
                continue;
            }
            __m256 sum = _mm256_setzero_ps();
            float offsets = 0;
            for (int g = 0; g < n_in / 32; g++) {
                __m256i u = _mm256_loadu_si256((const __m256i *)groups[g].u);
                sum = add_group(sum, u, groups[g].scale, groups[g].offset, &acts[t], g, &offsets);
            }
            *to = reduce(sum) - offsets;
        }
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
    .gemm = gemm_avx2,
    .dequantize = dequantize_avx2,
    .dot = dot_avx2,
    .axpy = axpy_avx2,
    .rms_norm = rms_norm_avx2,
    .silu_mul = silu_mul_avx2,
    .softmax = softmax_avx2,
    .to_f16 = to_f16_avx2,
    .dot_f16 = dot_f16_avx2,
    .axpy_f16 = axpy_f16_avx2,
};

// The table "avx512": F32 vectors and half floats here; gemv_avx512.c, gemm_avx512.c and
// rows_avx512.c have the products.
#include "kernels_avx512.h"

#include <math.h>

#include "activation.h"

// --- vectors -------------------------------------------------------------------------------------

float dot_avx512(const float *a, const float *b, int n)
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

// --- activations ---------------------------------------------------------------------------------

// The largest magnitude of a block, infinity where one of them is not finite.
static inline float find_peak(const float *x)
{
    const __m512 infinity = _mm512_set1_ps(INFINITY);
    __m512 a0 = _mm512_abs_ps(_mm512_loadu_ps(x)), a1 = _mm512_abs_ps(_mm512_loadu_ps(x + 16));
    __mmask16 ok =
        _mm512_cmp_ps_mask(a0, infinity, _CMP_LT_OQ) & _mm512_cmp_ps_mask(a1, infinity, _CMP_LT_OQ);
    return ok == 0xFFFF ? _mm512_reduce_max_ps(_mm512_max_ps(a0, a1)) : INFINITY;
}

static void quantize_avx512(const float *x, int n, int8_t *q, float *scale, int16_t *sums)
{
    const int n_blocks = n / ACT_BLOCK;
    float inverse[2];
    for (int b = 0; b < n_blocks; b++, x += ACT_BLOCK, q += ACT_BLOCK) {
        act_begin_block(x, b, n_blocks, find_peak, scale, inverse);
        const __m512 factor = _mm512_set1_ps(inverse[b % 2]);
        __m512i q0 = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), factor));
        __m512i q1 = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16), factor));
        if (isnan(scale[b])) q0 = q1 = _mm512_setzero_si512();
        _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(q0));
        _mm_storeu_si128((__m128i *)(q + 16), _mm512_cvtepi32_epi8(q1));
        sums[2 * b] = (int16_t)_mm512_reduce_add_epi32(q0);
        sums[2 * b + 1] = (int16_t)_mm512_reduce_add_epi32(q1);
    }
}

const Kernels kernels_avx512 = {
    .name = "avx512",
    .rounds_weights = true,
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
    .lay_out = lay_out_avx512,
    .attend = attend_avx512,
};

// The table "neon": 64-bit ARM with the dot-product instructions of ARMv8.2 (sdot).
//
// A group of 32 weights becomes signed bytes, with its zero taken off, and is multiplied by sdot;
// the integers are scaled and added up as floats, four lanes each. In a product with many vectors a
// row is unpacked once.
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "activation.h"
#include "attend.h"
#include "unpack.h"

enum { LANES = 4, MAX_TOGETHER = 4 };

// --- vectors -------------------------------------------------------------------------------------

static float dot_neon(const float *a, const float *b, int n)
{
    float32x4_t sum0 = vdupq_n_f32(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        sum0 = vfmaq_f32(sum0, vld1q_f32(a + i), vld1q_f32(b + i));
        sum1 = vfmaq_f32(sum1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
        sum2 = vfmaq_f32(sum2, vld1q_f32(a + i + 8), vld1q_f32(b + i + 8));
        sum3 = vfmaq_f32(sum3, vld1q_f32(a + i + 12), vld1q_f32(b + i + 12));
    }
    float sum = vaddvq_f32(vaddq_f32(vaddq_f32(sum0, sum1), vaddq_f32(sum2, sum3)));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void axpy_neon(float alpha, const float *x, float *y, int n)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(y + i, vfmaq_n_f32(vld1q_f32(y + i), vld1q_f32(x + i), alpha));
    for (; i < n; i++)
        y[i] += alpha * x[i];
}

static void rms_norm_neon(const float *x, const float *w, float eps, int n, float *y)
{
    float factor = 1 / sqrtf(dot_neon(x, x, n) / (float)n + eps);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(y + i, vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), factor), vld1q_f32(w + i)));
    for (; i < n; i++)
        y[i] = x[i] * factor * w[i];
}

// e^x by 2^n * p(r), |r| <= ln 2 / 2, p the Taylor polynomial of degree 6: relative error < 3e-7.
// Below e^-87 it is 0. NaN stays NaN: vmaxq and vminq pass it on.
static inline float32x4_t exp_neon(float32x4_t x)
{
    uint32x4_t vanishes = vcltq_f32(x, vdupq_n_f32(-87));
    x = vminq_f32(vmaxq_f32(x, vdupq_n_f32(-87)), vdupq_n_f32(88));
    float32x4_t n = vrndnq_f32(vmulq_n_f32(x, 1.44269504f));
    float32x4_t r = vfmsq_n_f32(x, n, 0.693359375f);
    r = vfmsq_n_f32(r, n, -2.12194440e-4f);
    float32x4_t p = vdupq_n_f32(1.0f / 720);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 120), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 24), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f / 6), p, r);
    p = vfmaq_f32(vdupq_n_f32(0.5f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1), p, r);
    p = vfmaq_f32(vdupq_n_f32(1), p, r);
    int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    p = vmulq_f32(p, vreinterpretq_f32_s32(exponent));
    return vbslq_f32(vanishes, vdupq_n_f32(0), p);
}

// Up to four floats, and `rest` beyond them.
static inline float32x4_t load_floats(const float *x, int n, float rest)
{
    if (n >= LANES) return vld1q_f32(x);
    float room[LANES] = {rest, rest, rest, rest};
    memcpy(room, x, (size_t)n * sizeof *x);
    return vld1q_f32(room);
}

static inline void store_floats(float *x, int n, float32x4_t value)
{
    float room[LANES];
    vst1q_f32(room, value);
    memcpy(x, room, (size_t)(n < LANES ? n : LANES) * sizeof *x);
}

static void silu_mul_neon(const float *gate, const float *up, int n, float *y)
{
    for (int i = 0; i < n; i += LANES) {
        float32x4_t g = load_floats(gate + i, n - i, 0), u = load_floats(up + i, n - i, 0);
        float32x4_t e = vaddq_f32(vdupq_n_f32(1), exp_neon(vnegq_f32(g)));
        store_floats(y + i, n - i, vmulq_f32(vdivq_f32(g, e), u));
    }
}

static void softmax_neon(float *x, int n)
{
    float32x4_t max = vdupq_n_f32(-INFINITY), sum = vdupq_n_f32(0);
    for (int i = 0; i < n; i += LANES)
        max = vmaxq_f32(max, load_floats(x + i, n - i, -INFINITY));
    float32x4_t top = vdupq_n_f32(vmaxvq_f32(max));
    for (int i = 0; i < n; i += LANES) {
        float32x4_t e = exp_neon(vsubq_f32(load_floats(x + i, n - i, -INFINITY), top));
        store_floats(x + i, n - i, e);
        sum = vaddq_f32(sum, e);
    }
    float inverse = 1 / vaddvq_f32(sum);
    for (int i = 0; i < n; i++)
        x[i] *= inverse;
}

static inline float32x4_t load_halves(const uint16_t *h)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h)));
}

static inline float32x4_t load_bf16(const uint16_t *h)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(h), 16));
}

static void to_f16_neon(const float *x, int n, uint16_t *y)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1_u16(y + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i))));
    for (; i < n; i++)
        y[i] = float_to_half(x[i]);
}

static float dot_halves(const float *a, const uint16_t *b, int n)
{
    float32x4_t sum0 = vdupq_n_f32(0), sum1 = sum0;
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        sum0 = vfmaq_f32(sum0, vld1q_f32(a + i), load_halves(b + i));
        sum1 = vfmaq_f32(sum1, vld1q_f32(a + i + 4), load_halves(b + i + 4));
    }
    float sum = vaddvq_f32(vaddq_f32(sum0, sum1));
    for (; i < n; i++)
        sum += a[i] * half_to_float(b[i]);
    return sum;
}

static void dot_rows_neon(const float *x, size_t x_stride, int n_x, const HalfRows *rows,
                          float *out, size_t out_stride)
{
    for (int i = 0; i < rows->n_rows; i++)
        for (int h = 0; h < n_x; h++)
            out[(size_t)h * out_stride + (size_t)i] = dot_halves(
                x + (size_t)h * x_stride, rows->data + (size_t)i * rows->stride, rows->n);
}

static void add_halves(float alpha, const uint16_t *x, float *y, int n)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        vst1q_f32(y + i, vfmaq_n_f32(vld1q_f32(y + i), load_halves(x + i), alpha));
    for (; i < n; i++)
        y[i] += alpha * half_to_float(x[i]);
}

static void add_rows_neon(const float *weights, size_t w_stride, int n_y, const HalfRows *rows,
                          float *y, size_t y_stride)
{
    for (int i = 0; i < rows->n_rows; i++)
        for (int h = 0; h < n_y; h++)
            add_halves(weights[(size_t)h * w_stride + (size_t)i],
                       rows->data + (size_t)i * rows->stride, y + (size_t)h * y_stride, rows->n);
}

static void dequantize_neon(TensorType type, const void *row, int n, float *out)
{
    const uint16_t *half = row;
    int i = 0;
    for (; type == TENSOR_F16 && i + LANES <= n; i += LANES)
        vst1q_f32(out + i, load_halves(half + i));
    for (; type == TENSOR_BF16 && i + LANES <= n; i += LANES)
        vst1q_f32(out + i, load_bf16(half + i));
    if (i == 0)
        kernels_ref.dequantize(type, row, n, out);
    else
        kernels_ref.dequantize(type, half + i, n - i, out + i);
}

// --- activations ---------------------------------------------------------------------------------

// The largest magnitude of a block, infinity where one of them is not finite.
static float find_peak(const float *x)
{
    float32x4_t max = vdupq_n_f32(0);
    for (int i = 0; i < ACT_BLOCK; i += LANES)
        max = vmaxq_f32(max, vabsq_f32(vld1q_f32(x + i))); // NaN stays
    float peak = vmaxvq_f32(max);
    return peak < INFINITY ? peak : INFINITY;
}

static void quantize_neon(const float *x, int n, int8_t *q, float *scale, int16_t *sums)
{
    const int n_blocks = n / ACT_BLOCK;
    float inverse[2];
    for (int b = 0; b < n_blocks; b++, x += ACT_BLOCK, q += ACT_BLOCK) {
        act_begin_block(x, b, n_blocks, find_peak, scale, inverse);
        for (int half = 0; half < 2; half++) {
            int16x4_t narrow[4];
            for (int i = 0; i < 4; i++) {
                float32x4_t v = vld1q_f32(x + 16 * half + LANES * i);
                narrow[i] = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(v, inverse[b % 2])));
            }
            int8x16_t bytes = vcombine_s8(vqmovn_s16(vcombine_s16(narrow[0], narrow[1])),
                                          vqmovn_s16(vcombine_s16(narrow[2], narrow[3])));
            if (isnan(scale[b])) bytes = vdupq_n_s8(0);
            vst1q_s8(q + 16 * half, bytes);
            sums[2 * b + half] = vaddlvq_s8(bytes);
        }
    }
}

// --- quantised products --------------------------------------------------------------------------

// y[i] = scale[i / 16] * w[i] - min[i / 16]
typedef struct Group {
    int8x16_t w[2];
    float scale[2], min[2];
} Group;

static inline float half_at(const uint16_t *h)
{
    float16_t f;
    memcpy(&f, h, sizeof f);
    return (float)f;
}

static inline void set_both(Group *g, float scale, float min)
{
    g->scale[0] = g->scale[1] = scale;
    g->min[0] = g->min[1] = min;
}

static inline void set_bytes(Group *g, uint8x16_t low, uint8x16_t high, int zero)
{
    int8x16_t z = vdupq_n_s8((int8_t)zero);
    g->w[0] = vsubq_s8(vreinterpretq_s8_u8(low), z);
    g->w[1] = vsubq_s8(vreinterpretq_s8_u8(high), z);
}

static inline void load_nibbles(const uint8_t *qs, int zero, Group *g)
{
    uint8x16_t bytes = vld1q_u8(qs);
    set_bytes(g, vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8(bytes, 4), zero);
}

static inline uint8x16_t k_nibbles(const uint8_t *qs, int high)
{
    uint8x16_t bytes = vld1q_u8(qs);
    return high ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15));
}

static inline void load_q4_k(const BlockQ4K *b, int k, Group *g)
{
    uint8_t sc, m;
    const uint8_t *qs = b->qs + 32 * (k / 2);
    block_scale_min(b->scales, k, &sc, &m);
    set_bytes(g, k_nibbles(qs, k % 2), k_nibbles(qs + 16, k % 2), 0);
    set_both(g, half_at(&b->d) * (float)sc, half_at(&b->dmin) * (float)m);
}

static inline void load_q6_k(const BlockQ6K *b, int k, Group *g)
{
    const uint8_t *ql = b->ql + 64 * (k / 4) + 32 * (k % 2), *qh = b->qh + 32 * (k / 4);
    const int8x16_t shift = vdupq_n_s8((int8_t)(-2 * (k % 4)));
    uint8x16_t u[2];
    for (int i = 0; i < 2; i++) {
        uint8x16_t two = vandq_u8(vshlq_u8(vld1q_u8(qh + 16 * i), shift), vdupq_n_u8(3));
        u[i] = vorrq_u8(k_nibbles(ql + 16 * i, k % 4 >= 2), vshlq_n_u8(two, 4));
        g->scale[i] = half_at(&b->d) * (float)b->scales[2 * k + i];
        g->min[i] = 0;
    }
    set_bytes(g, u[0], u[1], 32);
}

// Group i of a row; formats without an own way are unpacked by plain C.
static inline __attribute__((always_inline)) void load_group(TensorType type, const void *row,
                                                             int i, Group *g)
{
    if (type == TENSOR_Q8_0) {
        const BlockQ8_0 *b = (const BlockQ8_0 *)row + i;
        g->w[0] = vld1q_s8(b->q);
        g->w[1] = vld1q_s8(b->q + 16);
        set_both(g, half_at(&b->d), 0);
    } else if (type == TENSOR_Q4_0) {
        const BlockQ4_0 *b = (const BlockQ4_0 *)row + i;
        load_nibbles(b->qs, 8, g);
        set_both(g, half_at(&b->d), 0);
    } else if (type == TENSOR_Q4_1) {
        const BlockQ4_1 *b = (const BlockQ4_1 *)row + i;
        load_nibbles(b->qs, 0, g);
        set_both(g, half_at(&b->d), -half_at(&b->m));
    } else if (type == TENSOR_Q4_K) {
        load_q4_k((const BlockQ4K *)row + i / 8, i % 8, g);
    } else if (type == TENSOR_Q6_K) {
        load_q6_k((const BlockQ6K *)row + i / 8, i % 8, g);
    } else {
        Group32 plain;
        unpack_group(type, row, i, &plain);
        set_bytes(g, vld1q_u8(plain.u), vld1q_u8(plain.u + 16), plain.zero);
        memcpy(g->scale, plain.scale, sizeof plain.scale);
        memcpy(g->min, plain.min, sizeof plain.min);
    }
}

// The sums of a row and a vector so far.
typedef struct Sums {
    float32x4_t products;
    float minima;
} Sums;

static inline __attribute__((always_inline)) void add_group(const Group *g, const ActRow *a, int i,
                                                            bool halves, Sums *s)
{
    const int8_t *q = a->q + 32 * i;
    const int16_t *sums = a->sums + 2 * i;
    const int32x4_t none = vdupq_n_s32(0);
    float act = a->scale[i];
    if (halves) {
        int32x4_t first = vdotq_s32(none, g->w[0], vld1q_s8(q));
        int32x4_t second = vdotq_s32(none, g->w[1], vld1q_s8(q + 16));
        s->products = vfmaq_n_f32(s->products, vcvtq_f32_s32(first), g->scale[0] * act);
        s->products = vfmaq_n_f32(s->products, vcvtq_f32_s32(second), g->scale[1] * act);
    } else {
        int32x4_t both = vdotq_s32(none, g->w[0], vld1q_s8(q));
        both = vdotq_s32(both, g->w[1], vld1q_s8(q + 16));
        s->products = vfmaq_n_f32(s->products, vcvtq_f32_s32(both), g->scale[0] * act);
    }
    s->minima += act * (g->min[0] * (float)sums[0] + g->min[1] * (float)sums[1]);
}

static inline __attribute__((always_inline)) bool has_halves(TensorType type)
{
    return type == TENSOR_Q2_K || type == TENSOR_Q3_K || type == TENSOR_Q6_K;
}

static inline __attribute__((always_inline)) float total(const Sums *s)
{
    return vaddvq_f32(s->products) - s->minima;
}

// n vectors, a constant where this is inlined, with the bits of one each.
static inline __attribute__((always_inline)) void rows_times(TensorType type, const char *w,
                                                             size_t row_bytes, int n_in, int n_rows,
                                                             const ActRow *acts, int n, float *y,
                                                             size_t y_stride)
{
    for (int r = 0; r < n_rows; r++, w += row_bytes) {
        Sums sums[MAX_TOGETHER] = {0};
        for (int i = 0; i < n_in / 32; i++) {
            Group g;
            load_group(type, w, i, &g);
            for (int t = 0; t < n; t++)
                add_group(&g, &acts[t], i, has_halves(type), &sums[t]);
        }
        for (int t = 0; t < n; t++)
            y[(size_t)t * y_stride + (size_t)r] = total(&sums[t]);
    }
}

static inline __attribute__((always_inline)) void unpacked_times(const Group *groups, int n_groups,
                                                                 bool halves, const ActRow *acts,
                                                                 int n, float *y, size_t y_stride)
{
    Sums sums[MAX_TOGETHER] = {0};
    for (int i = 0; i < n_groups; i++)
        for (int t = 0; t < n; t++)
            add_group(&groups[i], &acts[t], i, halves, &sums[t]);
    for (int t = 0; t < n; t++)
        y[(size_t)t * y_stride] = total(&sums[t]);
}

// A row is unpacked once into `groups`, and all vectors pass over it.
static inline __attribute__((always_inline)) void
rows_times_many(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows,
                const ActRow *acts, int n_acts, float *y, size_t y_stride, Group *groups)
{
    const int n_groups = n_in / 32;
    for (int r = 0; r < n_rows; r++, w += row_bytes) {
        int t = 0;
        for (int i = 0; i < n_groups; i++)
            load_group(type, w, i, &groups[i]);
        for (; t + MAX_TOGETHER <= n_acts; t += MAX_TOGETHER)
            unpacked_times(groups, n_groups, has_halves(type), acts + t, MAX_TOGETHER,
                           y + (size_t)t * y_stride + r, y_stride);
        for (; t < n_acts; t++)
            unpacked_times(groups, n_groups, has_halves(type), acts + t, 1,
                           y + (size_t)t * y_stride + r, y_stride);
    }
}

// --- the table's products ------------------------------------------------------------------------

static bool is_float(TensorType type)
{
    return type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16;
}

// F32 rows are read where they lie, others widened into `room` once for all vectors.
static void float_rows_times(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows,
                             const ActRow *acts, int n_acts, float *y, size_t y_stride, float *room)
{
    for (int r = 0; r < n_rows; r++, w += row_bytes) {
        const float *row = (const float *)(const void *)w;
        if (type != TENSOR_F32) {
            dequantize_neon(type, w, n_in, room);
            row = room;
        }
        for (int t = 0; t < n_acts; t++)
            y[(size_t)t * y_stride + (size_t)r] = dot_neon(row, acts[t].x, n_in);
    }
}

static float dot_wide(TensorType type, const void *row, int n_in, const float *x)
{
    if (type == TENSOR_F32) return dot_neon(row, x, n_in);
    if (type == TENSOR_F16) return dot_halves(x, row, n_in);
    float sum = 0, room[64];
    for (int i = 0; i < n_in; i += 64) {
        int n = n_in - i < 64 ? n_in - i : 64;
        dequantize_neon(type, (const uint16_t *)row + i, n, room);
        sum += dot_neon(room, x + i, n);
    }
    return sum;
}

// Formats with an own way of loading, each a constant of what is inlined; the others share one.
#define FOR_FORMAT(type, call)                                                                     \
    switch (type) {                                                                                \
    case TENSOR_Q8_0:                                                                              \
        call(TENSOR_Q8_0);                                                                         \
        break;                                                                                     \
    case TENSOR_Q4_0:                                                                              \
        call(TENSOR_Q4_0);                                                                         \
        break;                                                                                     \
    case TENSOR_Q4_1:                                                                              \
        call(TENSOR_Q4_1);                                                                         \
        break;                                                                                     \
    case TENSOR_Q4_K:                                                                              \
        call(TENSOR_Q4_K);                                                                         \
        break;                                                                                     \
    case TENSOR_Q6_K:                                                                              \
        call(TENSOR_Q6_K);                                                                         \
        break;                                                                                     \
    default:                                                                                       \
        call(type);                                                                                \
    }

static void gemv_neon(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                      const ActRow *a, float *y)
{
    if (is_float(type)) {
        for (int r = 0; r < n_rows; r++)
            y[r] = dot_wide(type, (const char *)w + (size_t)r * row_bytes, n_in, a->x);
        return;
    }
#define ONE(format) rows_times(format, w, row_bytes, n_in, n_rows, a, 1, y, 0)
    FOR_FORMAT(type, ONE)
#undef ONE
}

static void gemv_two_neon(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                          const ActRow *acts, float *y, size_t y_stride)
{
    if (is_float(type)) {
        gemv_neon(type, w, row_bytes, n_in, n_rows, &acts[0], y);
        gemv_neon(type, w, row_bytes, n_in, n_rows, &acts[1], y + y_stride);
        return;
    }
#define TWO(format) rows_times(format, w, row_bytes, n_in, n_rows, acts, 2, y, y_stride)
    FOR_FORMAT(type, TWO)
#undef TWO
}

static void gemm_neon(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                      const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    if (is_float(type)) {
        float_rows_times(type, w, row_bytes, n_in, n_rows, acts, n_acts, y, y_stride, scratch);
        return;
    }
#define MANY(format)                                                                               \
    rows_times_many(format, w, row_bytes, n_in, n_rows, acts, n_acts, y, y_stride, scratch)
    FOR_FORMAT(type, MANY)
#undef MANY
}

const Kernels kernels_neon = {
    .name = "neon",
    .quantize = quantize_neon,
    .gemv = gemv_neon,
    .gemv_two = gemv_two_neon,
    .gemm = gemm_neon,
    .dequantize = dequantize_neon,
    .dot = dot_neon,
    .axpy = axpy_neon,
    .rms_norm = rms_norm_neon,
    .silu_mul = silu_mul_neon,
    .softmax = softmax_neon,
    .to_f16 = to_f16_neon,
    .dot_rows = dot_rows_neon,
    .add_rows = add_rows_neon,
    .lay_out = lay_out_floats,
    .attend = attend_floats,
};

// The table "ref": plain C, the oracle of the other tables, and what runs where nothing else fits.
#include "kernels.h"

#include <math.h>
#include <string.h>

#include "activation.h"
#include "attend.h"
#include "unpack.h"

float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
    uint32_t bits;
    float f;
    if (exponent == 31) {
        bits = sign | 0x7F800000 | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else { // zero or subnormal: mantissa * 2^-24, exact in a float
        f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t float_to_half(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t rest = bits & 0x7FFFFFFF;
    if (rest > 0x7F800000) return (uint16_t)(sign | 0x7E00);  // NaN
    if (rest >= 0x477FF000) return (uint16_t)(sign | 0x7C00); // rounds to infinity
    if (rest < 0x38800000) { // subnormal: add 0.5 so that the hardware rounds at the right bit
        float shifted;
        memcpy(&shifted, &rest, sizeof shifted);
        shifted += 0.5f;
        memcpy(&rest, &shifted, sizeof rest);
        return (uint16_t)(sign | (rest - 0x3F000000));
    }
    uint32_t odd = rest >> 13 & 1;
    return (uint16_t)(sign | ((rest - 0x38000000 + 0xFFF + odd) >> 13));
}

static float bf16_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

// The largest magnitude of a block, infinity where one of them is not finite.
static float find_peak(const float *x)
{
    float max = 0;
    for (int i = 0; i < ACT_BLOCK; i++)
        max = !isfinite(x[i]) ? INFINITY : fabsf(x[i]) > max ? fabsf(x[i]) : max;
    return max;
}

static void quantize_ref(const float *x, int n, int8_t *q, float *scale, int16_t *sums)
{
    const int n_blocks = n / ACT_BLOCK;
    float inverse[2];
    for (int b = 0; b < n_blocks; b++, x += ACT_BLOCK, q += ACT_BLOCK) {
        int halves[2] = {0, 0};
        act_begin_block(x, b, n_blocks, find_peak, scale, inverse);
        for (int i = 0; i < ACT_BLOCK; i++) {
            q[i] = (int8_t)(isnan(scale[b]) ? 0 : lrintf(x[i] * inverse[b % 2]));
            halves[i / 16] += q[i];
        }
        sums[2 * b] = (int16_t)halves[0];
        sums[2 * b + 1] = (int16_t)halves[1];
    }
}

static void dequantize_ref(TensorType type, const void *row, int n, float *out)
{
    const uint16_t *half = row;
    if (type == TENSOR_F32) {
        memcpy(out, row, (size_t)n * sizeof *out);
    } else if (type == TENSOR_F16) {
        for (int i = 0; i < n; i++)
            out[i] = half_to_float(half[i]);
    } else if (type == TENSOR_BF16) {
        for (int i = 0; i < n; i++)
            out[i] = bf16_to_float(half[i]);
    } else {
        for (int g = 0; g < n / 32; g++) {
            Group32 group;
            unpack_group(type, row, g, &group);
            for (int i = 0; i < 32; i++)
                out[32 * g + i] =
                    group.scale[i / 16] * (float)(group.u[i] - group.zero) - group.min[i / 16];
        }
    }
}

static float dot_group(const Group32 *group, const int8_t *q, const int16_t *sums, float act_scale)
{
    float sum = 0;
    for (int half = 0; half < 2; half++) {
        int products = 0;
        for (int i = 16 * half; i < 16 * half + 16; i++)
            products += (group->u[i] - group->zero) * q[i];
        sum += group->scale[half] * (float)products - group->min[half] * (float)sums[half];
    }
    return act_scale * sum;
}

static float dot_row(TensorType type, const void *row, int n_in, const ActRow *a)
{
    const float *f = row;
    const uint16_t *half = row;
    float sum = 0;
    if (type == TENSOR_F32) {
        for (int i = 0; i < n_in; i++)
            sum += f[i] * a->x[i];
    } else if (type == TENSOR_F16) {
        for (int i = 0; i < n_in; i++)
            sum += half_to_float(half[i]) * a->x[i];
    } else if (type == TENSOR_BF16) {
        for (int i = 0; i < n_in; i++)
            sum += bf16_to_float(half[i]) * a->x[i];
    } else {
        for (int g = 0; g < n_in / 32; g++) {
            Group32 group;
            unpack_group(type, row, g, &group);
            sum += dot_group(&group, a->q + 32 * g, a->sums + 2 * g, a->scale[g]);
        }
    }
    return sum;
}

static void gemv_ref(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                     const ActRow *a, float *y)
{
    for (int r = 0; r < n_rows; r++)
        y[r] = dot_row(type, (const char *)w + (size_t)r * row_bytes, n_in, a);
}

static void gemv_two_ref(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                         const ActRow *acts, float *y, size_t y_stride)
{
    gemv_ref(type, w, row_bytes, n_in, n_rows, &acts[0], y);
    gemv_ref(type, w, row_bytes, n_in, n_rows, &acts[1], y + y_stride);
}

static void gemm_ref(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                     const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    (void)scratch;
    for (int t = 0; t < n_acts; t++)
        gemv_ref(type, w, row_bytes, n_in, n_rows, &acts[t], y + (size_t)t * y_stride);
}

static float dot_ref(const float *a, const float *b, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void axpy_ref(float alpha, const float *x, float *y, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += alpha * x[i];
}

static void rms_norm_ref(const float *x, const float *w, float eps, int n, float *y)
{
    double squares = 0;
    for (int i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    float factor = (float)(1 / sqrt(squares / n + (double)eps));
    for (int i = 0; i < n; i++)
        y[i] = x[i] * factor * w[i];
}

static void silu_mul_ref(const float *gate, const float *up, int n, float *y)
{
    for (int i = 0; i < n; i++)
        y[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

static void softmax_ref(float *x, int n)
{
    float max = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - max);
    for (int i = 0; i < n; i++)
        x[i] /= sum;
}

static void to_f16_ref(const float *x, int n, uint16_t *y)
{
    for (int i = 0; i < n; i++)
        y[i] = float_to_half(x[i]);
}

static void dot_rows_ref(const float *x, size_t x_stride, int n_x, const HalfRows *rows, float *out,
                         size_t out_stride)
{
    for (int h = 0; h < n_x; h++)
        for (int i = 0; i < rows->n_rows; i++) {
            const uint16_t *row = rows->data + (size_t)i * rows->stride;
            float sum = 0;
            for (int j = 0; j < rows->n; j++)
                sum += x[(size_t)h * x_stride + (size_t)j] * half_to_float(row[j]);
            out[(size_t)h * out_stride + (size_t)i] = sum;
        }
}

static void add_rows_ref(const float *weights, size_t w_stride, int n_y, const HalfRows *rows,
                         float *y, size_t y_stride)
{
    for (int h = 0; h < n_y; h++)
        for (int i = 0; i < rows->n_rows; i++) {
            const uint16_t *row = rows->data + (size_t)i * rows->stride;
            for (int j = 0; j < rows->n; j++)
                y[(size_t)h * y_stride + (size_t)j] +=
                    weights[(size_t)h * w_stride + (size_t)i] * half_to_float(row[j]);
        }
}

size_t gemm_tile_bytes(int n_in)
{
    size_t groups = ((size_t)n_in + 31) / 32;
    return groups * 32 * TILE_ROWS + groups * 4 * TILE_ROWS * sizeof(float);
}

size_t gemm_scratch_bytes(int n_in)
{
    size_t tile = gemm_tile_bytes(n_in), blocks = GEMM_BLOCK_BYTES;
    size_t floats = (size_t)2 * TILE_DEPTH * TILE_ROWS * sizeof(float);
    size_t most = tile > blocks ? tile : blocks;
    return (most > floats ? most : floats) + 64;
}

const Kernels kernels_ref = {
    .name = "ref",
    .quantize = quantize_ref,
    .gemv = gemv_ref,
    .gemv_two = gemv_two_ref,
    .gemm = gemm_ref,
    .dequantize = dequantize_ref,
    .dot = dot_ref,
    .axpy = axpy_ref,
    .rms_norm = rms_norm_ref,
    .silu_mul = silu_mul_ref,
    .softmax = softmax_ref,
    .to_f16 = to_f16_ref,
    .dot_rows = dot_rows_ref,
    .add_rows = add_rows_ref,
    .lay_out = lay_out_floats,
    .attend = attend_floats,
};

// Weights of the error, and the choice of the block's function.
#include "quantize.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "quantize_private.h"

typedef void (*BlockQuantizer)(const float *x, const float *w, void *out);

static BlockQuantizer find_quantizer(TensorType type)
{
    switch (type) {
    case TENSOR_Q8_0:
        return quantize_block_q8_0;
    case TENSOR_Q4_0:
        return quantize_block_q4_0;
    case TENSOR_Q4_1:
        return quantize_block_q4_1;
    case TENSOR_Q5_0:
        return quantize_block_q5_0;
    case TENSOR_Q5_1:
        return quantize_block_q5_1;
    case TENSOR_Q2_K:
        return quantize_block_q2_k;
    case TENSOR_Q3_K:
        return quantize_block_q3_k;
    case TENSOR_Q4_K:
        return quantize_block_q4_k;
    case TENSOR_Q5_K:
        return quantize_block_q5_k;
    case TENSOR_Q6_K:
        return quantize_block_q6_k;
    case TENSOR_IQ4_NL:
        return quantize_block_iq4_nl;
    case TENSOR_IQ4_XS:
        return quantize_block_iq4_xs;
    case TENSOR_MXFP4:
        return quantize_block_mxfp4;
    case TENSOR_F32:
    case TENSOR_F16:
    case TENSOR_BF16:
        break;
    }
    return NULL;
}

// Round to nearest, ties to even.
static uint16_t float_to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static bool convert_floats(TensorType type, const float *x, int n, void *out)
{
    uint16_t *halves = out;
    bool fits = true;
    if (type == TENSOR_F32) {
        memcpy(out, x, (size_t)n * sizeof *x);
        return true;
    }
    for (int i = 0; i < n; i++) {
        halves[i] = type == TENSOR_F16 ? float_to_half(x[i]) : float_to_bf16(x[i]);
        uint16_t infinity = type == TENSOR_F16 ? 0x7C00 : 0x7F80;
        fits = fits && (halves[i] & infinity) != infinity;
    }
    return fits;
}

// Scales are half floats: what they are multiplied with is at least 1.
static const float MAX_QUANTISED = 65504;

static bool is_finite(const float *x, int n, float max)
{
    bool ok = true;
    for (int i = 0; i < n; i++)
        ok = ok && fabsf(x[i]) <= max; // false for NaN
    return ok;
}

// Large elements do more in a product than small ones: the error of each weighs as much as the
// root mean square of it and its block, and as its column's importance.
static void weigh(const float *x, const float *importance, int n, float *w)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    float mean = sum / (float)n;
    for (int i = 0; i < n; i++)
        w[i] = sqrtf(mean + x[i] * x[i]) * (importance ? importance[i] : 1);
}

bool quantize_row(TensorType type, const float *x, int n, const float *importance, void *out)
{
    BlockQuantizer quantizer = find_quantizer(type);
    if (!is_finite(x, n, quantizer ? MAX_QUANTISED : FLT_MAX)) return false;
    if (!quantizer) return convert_floats(type, x, n, out);
    const TensorTypeInfo *info = tensor_type_info(type);
    float w[SUPER_BLOCK];
    unsigned char *block = out;
    assert(n % info->block_elements == 0);
    for (int at = 0; at < n; at += info->block_elements, block += info->block_bytes) {
        weigh(x + at, importance ? importance + at : NULL, info->block_elements, w);
        quantizer(x + at, w, block);
    }
    return true;
}

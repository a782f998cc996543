// Blocks of 32 elements with scales of their own.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "quantize_private.h"

enum { BLOCK = 32 };

static uint8_t nibble(const int8_t *q, int j, int zero)
{
    return (uint8_t)(((q[j] + zero) & 15) | ((q[j + 16] + zero) & 15) << 4);
}

static void set_fifth_bits(const int8_t *q, int zero, uint8_t *qh)
{
    memset(qh, 0, 4);
    for (int j = 0; j < BLOCK; j++)
        qh[j / 8] = (uint8_t)(qh[j / 8] | (((q[j] + zero) >> 4) & 1) << (j % 8));
}

// A scale as it is stored.
static float store_half(float f, uint16_t *out)
{
    *out = float_to_half(f);
    return half_to_float(*out);
}

void quantize_block_q8_0(const float *x, const float *w, void *out)
{
    static const Levels levels = {-127, 127, 255, NULL};
    BlockQ8_0 *b = out;
    float max = 0;
    for (int i = 0; i < BLOCK; i++)
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    fit_scale_error(x, w, BLOCK, store_half(max / 127, &b->d), &levels, b->q);
}

void quantize_block_q4_0(const float *x, const float *w, void *out)
{
    static const Levels levels = {-8, 7, 16, NULL};
    BlockQ4_0 *b = out;
    int8_t q[BLOCK];
    fit_scale_error(x, w, BLOCK, store_half(fit_scale(x, w, BLOCK, &levels), &b->d), &levels, q);
    for (int j = 0; j < 16; j++)
        b->qs[j] = nibble(q, j, 8);
}

void quantize_block_q5_0(const float *x, const float *w, void *out)
{
    static const Levels levels = {-16, 15, 32, NULL};
    BlockQ5_0 *b = out;
    int8_t q[BLOCK];
    fit_scale_error(x, w, BLOCK, store_half(fit_scale(x, w, BLOCK, &levels), &b->d), &levels, q);
    for (int j = 0; j < 16; j++)
        b->qs[j] = nibble(q, j, 16);
    set_fifth_bits(q, 16, b->qh);
}

void quantize_block_q4_1(const float *x, const float *w, void *out)
{
    BlockQ4_1 *b = out;
    int8_t q[BLOCK];
    Affine a = fit_affine(x, w, BLOCK, 15, false);
    a.d = store_half(a.d, &b->d);
    a.m = -store_half(-a.m, &b->m);
    fit_affine_error(x, w, BLOCK, a, 15, q);
    for (int j = 0; j < 16; j++)
        b->qs[j] = nibble(q, j, 0);
}

void quantize_block_q5_1(const float *x, const float *w, void *out)
{
    BlockQ5_1 *b = out;
    int8_t q[BLOCK];
    Affine a = fit_affine(x, w, BLOCK, 31, false);
    a.d = store_half(a.d, &b->d);
    a.m = -store_half(-a.m, &b->m);
    fit_affine_error(x, w, BLOCK, a, 31, q);
    for (int j = 0; j < 16; j++)
        b->qs[j] = nibble(q, j, 0);
    set_fifth_bits(q, 0, b->qh);
}

// --- tables --------------------------------------------------------------------------------------

int quantize_index_of(const int8_t values[16], int8_t value)
{
    int best = 0;
    for (int i = 1; i < 16; i++)
        if (abs(values[i] - value) < abs(values[best] - value)) best = i;
    return best;
}

// The entry of block_iq4_values that is closest to each whole number from -128 to 127.
static const int8_t nearest_iq4[256] = {
    -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -127, -104, -104, -104,
    -104, -104, -104, -104, -104, -104, -104, -104, -104, -104, -104, -104, -104, -104, -104, -104,
    -104, -104, -104, -83,  -83,  -83,  -83,  -83,  -83,  -83,  -83,  -83,  -83,  -83,  -83,  -83,
    -83,  -83,  -83,  -83,  -83,  -83,  -83,  -65,  -65,  -65,  -65,  -65,  -65,  -65,  -65,  -65,
    -65,  -65,  -65,  -65,  -65,  -65,  -65,  -65,  -49,  -49,  -49,  -49,  -49,  -49,  -49,  -49,
    -49,  -49,  -49,  -49,  -49,  -49,  -49,  -35,  -35,  -35,  -35,  -35,  -35,  -35,  -35,  -35,
    -35,  -35,  -35,  -35,  -22,  -22,  -22,  -22,  -22,  -22,  -22,  -22,  -22,  -22,  -22,  -22,
    -22,  -10,  -10,  -10,  -10,  -10,  -10,  -10,  -10,  -10,  -10,  -10,  1,    1,    1,    1,
    1,    1,    1,    1,    1,    1,    1,    1,    13,   13,   13,   13,   13,   13,   13,   13,
    13,   13,   13,   13,   25,   25,   25,   25,   25,   25,   25,   25,   25,   25,   25,   25,
    38,   38,   38,   38,   38,   38,   38,   38,   38,   38,   38,   38,   38,   38,   53,   53,
    53,   53,   53,   53,   53,   53,   53,   53,   53,   53,   53,   53,   53,   53,   69,   69,
    69,   69,   69,   69,   69,   69,   69,   69,   69,   69,   69,   69,   69,   69,   69,   69,
    89,   89,   89,   89,   89,   89,   89,   89,   89,   89,   89,   89,   89,   89,   89,   89,
    89,   89,   89,   89,   89,   89,   113,  113,  113,  113,  113,  113,  113,  113,  113,  113,
    113,  113,  113,  113,  113,  113,  113,  113,  113,  113,  113,  113,  113,  113,  113,  113,
};
const Levels quantize_iq4_levels = {-127, 113, 16, nearest_iq4};

void quantize_block_iq4_nl(const float *x, const float *w, void *out)
{
    const Levels *levels = &quantize_iq4_levels;
    BlockIQ4NL *b = out;
    int8_t q[BLOCK];
    fit_scale_error(x, w, BLOCK, store_half(fit_scale(x, w, BLOCK, levels), &b->d), levels, q);
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)(quantize_index_of(block_iq4_values, q[j]) |
                             quantize_index_of(block_iq4_values, q[j + 16]) << 4);
}

static int8_t snap_fp4(float v)
{
    float size = fabsf(v);
    int q = size < 0.5f   ? 0
            : size < 1.5f ? 1
            : size < 2.5f ? 2
            : size < 3.5f ? 3
            : size < 5    ? 4
            : size < 7    ? 6
            : size < 10   ? 8
                          : 12;
    return (int8_t)(v < 0 ? -q : q);
}

// The scale is a power of two, so all that are near the largest number's are tried.
void quantize_block_mxfp4(const float *x, const float *w, void *out)
{
    BlockMXFP4 *b = out;
    int8_t q[BLOCK], best_q[BLOCK] = {0};
    float max = 0, least = INFINITY;
    for (int i = 0; i < BLOCK; i++)
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    b->e = 0;
    int exponent = max > 0 ? ilogbf(max) - 2 + 127 : 0; // 6 = 1.5 * 2^2 is the largest E2M1 number
    for (int e = exponent - 1; max > 0 && e <= exponent + 1; e++) {
        if (e < 0 || e > 254) continue;
        float d = block_fp4_scale((uint8_t)e), error = 0;
        for (int i = 0; i < BLOCK; i++) {
            q[i] = snap_fp4(x[i] / d);
            float off = x[i] - d * (float)q[i];
            error += w[i] * off * off;
        }
        if (error >= least) continue;
        least = error;
        b->e = (uint8_t)e;
        memcpy(best_q, q, sizeof best_q);
    }
    for (int j = 0; j < 16; j++)
        b->qs[j] = (uint8_t)(quantize_index_of(block_fp4_values, best_q[j]) |
                             quantize_index_of(block_fp4_values, best_q[j + 16]) << 4);
}

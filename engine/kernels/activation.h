// How activations are rounded to 8 bits: a scale for every ACT_BLOCK of them, where the scales of
// blocks 2i and 2i + 1 are a power of two apart. The products of both blocks can then be added up
// as whole numbers, those of the first one shifted, for one multiplication with a scale; and the
// block of smaller values keeps a grid that is less than twice as coarse as one of its own, where
// a common scale would leave it a few of the steps.
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

// Scales of a pair are 2^ACT_MAX_SHIFT apart at most: what is smaller still disappears beside the
// larger block's rounding.
enum { ACT_MAX_SHIFT = 10 };

static inline int32_t act_float_bits(float f)
{
    int32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

// Scales of n blocks (2, or 1 at the end of an odd number) from the largest magnitude of each,
// infinity where a value is not finite, and what to multiply with before rounding. With such a
// value in one of them both scales are NaN: NaN in, NaN out.
static inline void act_scales(const float *max, int n, float *scale, float *inverse)
{
    const float top = n == 2 && max[1] > max[0] ? max[1] : max[0];
    const bool rounds = top > 0x1p-108f && top < INFINITY; // below, an inverse overflows: zeros
    for (int i = 0; i < n; i++) {
        const int32_t log2 = (act_float_bits(top) - act_float_bits(max[i])) >> 23; // rounded down
        const float factor = (float)(1 << (log2 < ACT_MAX_SHIFT ? log2 : ACT_MAX_SHIFT));
        scale[i] = rounds ? top / 127 / factor : top < INFINITY ? 0 : NAN;
        inverse[i] = rounds ? 127 / top * factor : 0;
    }
}

// Before block b of n that lie at x one after the other: at the first of a pair, scales of both
// from what find_peak tells of each.
static inline __attribute__((always_inline)) void act_begin_block(const float *x, int b, int n,
                                                                  float (*find_peak)(const float *),
                                                                  float *scale, float inverse[2])
{
    float max[2] = {0, 0};
    const int n_pair = b + 1 < n ? 2 : 1;
    if (b % 2) return;
    for (int i = 0; i < n_pair; i++)
        max[i] = find_peak(x + i * ACT_BLOCK);
    act_scales(max, n_pair, scale + b, inverse);
}

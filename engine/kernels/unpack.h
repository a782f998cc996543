// One row's 32-element group in a form that all formats share:
//   y[i] = scale[i / 16] * (u[i] - zero) - min[i / 16],  u[i] in 0..255
// where no product needs rounding: a half-float scale times a small number times u - zero fits into
// the 24 bits of a float's mantissa. A product with rounded activations a ~ A q is then, per 16
// elements,
//   A (scale * (sum u q - zero * sum q) - min * sum q)
// which is what every integer kernel computes.
#pragma once

#include "blocks.h"
#include "kernels.h"

typedef struct Group32 {
    uint8_t u[32];
    int zero;
    float scale[2], min[2];
} Group32;

// Group g (elements 32 g .. 32 g + 31) of a row of a quantised type.
void unpack_group(TensorType type, const void *row, int g, Group32 *out);

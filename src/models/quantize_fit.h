// Fitting of scales to numbers; shared by the quantisers of quantize.c, no interface of the folder.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// What a quantised element can be: every whole number from low to high, or the entries of a table
// between these.
typedef struct Levels {
    int low, high;         // low < 0 < high, at most 127
    int n;                 // how many
    const int8_t *nearest; // [256], by whole number + 128: the closest entry; NULL: all
} Levels;

// q[i] = the level closest to x[i] * inverse.
void fit_snap(const float *x, int n, float inverse, const Levels *levels, int8_t *q);
// sum w (x - d q)^2 with q as fit_snap gives it for 1 / d; d 0: q is 0.
float fit_scale_error(const float *x, const float *w, int n, float d, const Levels *levels,
                      int8_t *q);
// A scale d, of either sign, with a small sum w (x - d q)^2; 0 if all x are 0 or tiny.
float fit_scale(const float *x, const float *w, int n, const Levels *levels);

// y = d q - m with q from 0 to high.
typedef struct Affine {
    float d, m; // d >= 0
} Affine;
// q as closest to x, and sum w (x - y)^2.
float fit_affine_error(const float *x, const float *w, int n, Affine a, int high, int8_t *q);
// A small sum of w (x - y)^2; with from_zero m >= 0, else of either sign.
Affine fit_affine(const float *x, const float *w, int n, int high, bool from_zero);

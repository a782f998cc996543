// The inner loops of quantising. This file is compiled so that sums may be reordered (CMakeLists):
// nothing here may meet a NaN or an infinity.
#include "quantize_fit.h"

#include <math.h>
#include <string.h>

enum { TRIES = 7, AFFINE_TRIES = 7, MAX_BLOCK = 32 };
// Numbers under it are nothing: their inverse would overflow.
static const float TINY = 1e-30f;

// To the nearest, |v| < 2^22: adding 1.5 * 2^23 leaves the whole number in the low bits.
static inline int round_small(float v)
{
    float shifted = v + 0x1.8p23f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (bits & 0x7FFFFF) - 0x400000;
}

static inline int clamp(int q, int low, int high)
{
    return q < low ? low : q > high ? high : q;
}

void fit_snap(const float *x, int n, float inverse, const Levels *levels, int8_t *q)
{
    const int low = levels->low, high = levels->high;
    for (int i = 0; i < n; i++) {
        float v = x[i] * inverse;
        v = v < -256 ? -256 : v > 256 ? 256 : v;
        q[i] = (int8_t)clamp(round_small(v), low, high);
    }
    if (!levels->nearest) return;
    for (int i = 0; i < n; i++)
        q[i] = levels->nearest[q[i] + 128];
}

float fit_scale_error(const float *x, const float *w, int n, float d, const Levels *levels,
                      int8_t *q)
{
    float sum = 0;
    if (fabsf(d) < TINY)
        memset(q, 0, (size_t)n);
    else
        fit_snap(x, n, 1 / d, levels, q);
    for (int i = 0; i < n; i++) {
        float off = x[i] - d * (float)q[i];
        sum += w[i] * off * off;
    }
    return sum;
}

// The best scale for the numbers that 1 / inverse gives, and how much error it takes away.
static float refine(const float *x, const float *w, int n, float inverse, const Levels *levels,
                    float *gain)
{
    int8_t q[MAX_BLOCK];
    float xq = 0, qq = 0;
    fit_snap(x, n, inverse, levels, q);
    for (int i = 0; i < n; i++) {
        float wq = w[i] * (float)q[i];
        xq += wq * x[i];
        qq += wq * (float)q[i];
    }
    *gain = qq > 0 ? xq * xq / qq : 0;
    return qq > 0 ? xq / qq : 0;
}

float fit_scale(const float *x, const float *w, int n, const Levels *levels)
{
    float extreme = 0, best = 0, most = -1;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(extreme)) extreme = x[i];
    if (fabsf(extreme) < TINY) return 0;
    // Either end of the levels may take the largest number; it may also be cut a little.
    const float step = 1.8f / (float)levels->n / TRIES;
    for (int end = 0; end < 2; end++)
        for (int i = -TRIES; i <= TRIES; i++) {
            float gain, top = (float)(end ? levels->high : levels->low);
            float d = refine(x, w, n, top * (1 + (float)i * step) / extreme, levels, &gain);
            if (gain <= most) continue;
            most = gain;
            best = d;
        }
    return best;
}

static void snap_affine(const float *x, int n, Affine a, int high, int8_t *q)
{
    float inverse = a.d > TINY ? 1 / a.d : 0;
    for (int i = 0; i < n; i++) {
        float v = (x[i] + a.m) * inverse;
        v = v < -256 ? -256 : v > 256 ? 256 : v;
        q[i] = (int8_t)clamp(round_small(v), 0, high);
    }
}

float fit_affine_error(const float *x, const float *w, int n, Affine a, int high, int8_t *q)
{
    float sum = 0;
    snap_affine(x, n, a, high, q);
    for (int i = 0; i < n; i++) {
        float off = x[i] + a.m - a.d * (float)q[i];
        sum += w[i] * off * off;
    }
    return sum;
}

// Least squares for d and m with the numbers q that a gives, and the error with these q.
static Affine refine_affine(const float *x, const float *w, int n, Affine a, int high,
                            bool from_zero, double *error)
{
    int8_t q[MAX_BLOCK];
    float sw = 0, sx = 0, sxx = 0, sq = 0, sqq = 0, sxq = 0;
    snap_affine(x, n, a, high, q);
    for (int i = 0; i < n; i++) {
        float wx = w[i] * x[i], wq = w[i] * (float)q[i];
        sw += w[i];
        sx += wx;
        sxx += wx * x[i];
        sq += wq;
        sqq += wq * (float)q[i];
        sxq += wx * (float)q[i];
    }
    double det = (double)sw * (double)sqq - (double)sq * (double)sq, d = 0, m = 0;
    *error = INFINITY;
    if (det > 1e-6 * (double)sw * (double)sqq) { // else all numbers are the same
        d = ((double)sw * (double)sxq - (double)sx * (double)sq) / det;
        m = ((double)sq * (double)sxq - (double)sqq * (double)sx) / det;
    }
    if (from_zero && m < 0) {
        m = 0;
        d = sqq > 0 ? (double)sxq / (double)sqq : 0;
    }
    if (!(d > 0)) return a;
    *error = (double)sxx + m * m * (double)sw + d * d * (double)sqq +
             2 * (m * (double)sx - d * (double)sxq - d * m * (double)sq);
    return (Affine){(float)d, (float)m};
}

Affine fit_affine(const float *x, const float *w, int n, int high, bool from_zero)
{
    int8_t q[MAX_BLOCK];
    float min = x[0], max = x[0];
    for (int i = 1; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    if (from_zero && min > 0) min = 0;
    if (max - min < TINY) return (Affine){0, -min};
    Affine best = {(max - min) / (float)high, -min};
    double least = (double)fit_affine_error(x, w, n, best, high, q);
    const float step = 1.8f / (float)(high + 1) / AFFINE_TRIES;
    for (int i = -AFFINE_TRIES; i <= AFFINE_TRIES; i++) {
        Affine a = {(max - min) / ((float)high * (1 + (float)i * step)), -min};
        double error;
        a = refine_affine(x, w, n, a, high, from_zero, &error);
        if (!(error < least)) continue;
        least = error;
        best = a;
    }
    return best;
}

// Super-blocks of 256 elements: sub-blocks whose own small scales share one or two half floats.
//
// First every sub-block is fitted freely, which gives the shared scales; then each sub-block takes
// the best of the small scales around its own. Last the shared scales are fitted again to what was
// chosen, and the better of the two is kept.
#include <math.h>
#include <string.h>

#include "engine/kernels/kernels.h"
#include "quantize_private.h"

enum { MAX_PARTS = 16 };

static float to_half_and_back(float f)
{
    return half_to_float(float_to_half(f));
}

static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

// --- one scale: Q3_K, Q6_K, IQ4_XS ---------------------------------------------------------------

typedef struct Scaled {
    float d;              // as a half float holds it
    int scale[MAX_PARTS]; // small scales, low to high
    int8_t q[SUPER_BLOCK];
    float error;
} Scaled;

typedef struct ScaledKind {
    const Levels *levels;
    int part, low, high; // elements of a sub-block; range of the small scales
} ScaledKind;

// Small scales, at most `reach` from the wanted ones, and numbers for a given d.
static void choose_scales(const float *x, const float *w, const ScaledKind *kind,
                          const float *wanted, float d, int reach, Scaled *out)
{
    int8_t q[32];
    out->d = d;
    out->error = 0;
    for (int k = 0, at = 0; at < SUPER_BLOCK; k++, at += kind->part) {
        int middle = d != 0 ? clamp((int)lrintf(wanted[k] / d), kind->low, kind->high) : 0;
        float least = INFINITY;
        for (int s = middle - reach; s <= middle + reach; s++) {
            if (s < kind->low || s > kind->high) continue;
            float error =
                fit_scale_error(x + at, w + at, kind->part, d * (float)s, kind->levels, q);
            if (error >= least) continue;
            least = error;
            out->scale[k] = s;
            memcpy(out->q + at, q, (size_t)kind->part);
        }
        out->error += least;
    }
}

// The d that is best for the small scales and numbers of s.
static float refit_scale(const float *x, const float *w, const ScaledKind *kind, const Scaled *s)
{
    double xy = 0, yy = 0;
    for (int i = 0; i < SUPER_BLOCK; i++) {
        double y = (double)s->scale[i / kind->part] * s->q[i];
        xy += (double)w[i] * (double)x[i] * y;
        yy += (double)w[i] * y * y;
    }
    return yy > 0 ? (float)(xy / yy) : s->d;
}

static void fit_scaled(const float *x, const float *w, const ScaledKind *kind, Scaled *out)
{
    float wanted[MAX_PARTS], extreme = 0;
    for (int k = 0, at = 0; at < SUPER_BLOCK; k++, at += kind->part) {
        wanted[k] = fit_scale(x + at, w + at, kind->part, kind->levels);
        if (fabsf(wanted[k]) > fabsf(extreme)) extreme = wanted[k];
    }
    Scaled again;
    choose_scales(x, w, kind, wanted, to_half_and_back(extreme / (float)kind->low), 1, out);
    for (int k = 0; k < SUPER_BLOCK / kind->part; k++)
        wanted[k] = out->d * (float)out->scale[k];
    float d = to_half_and_back(refit_scale(x, w, kind, out));
    choose_scales(x, w, kind, wanted, d, 0, &again);
    if (again.error < out->error) *out = again;
}

void quantize_block_q3_k(const float *x, const float *w, void *out)
{
    static const Levels levels = {-4, 3, 8, NULL};
    static const ScaledKind kind = {&levels, 16, -32, 31};
    BlockQ3K *b = out;
    Scaled s;
    fit_scaled(x, w, &kind, &s);
    *b = (BlockQ3K){.d = float_to_half(s.d)};
    for (int i = 0; i < 16; i++) {
        int v = s.scale[i] + 32;
        b->scales[i % 8] = (uint8_t)(b->scales[i % 8] | (v & 15) << (i < 8 ? 0 : 4));
        b->scales[8 + i % 4] = (uint8_t)(b->scales[8 + i % 4] | v >> 4 << (2 * (i / 4)));
    }
    for (int i = 0; i < SUPER_BLOCK; i++) {
        int half = i / 128, group = i % 128 / 32, l = i % 32, v = s.q[i] + 4;
        b->qs[32 * half + l] = (uint8_t)(b->qs[32 * half + l] | (v & 3) << (2 * group));
        b->hmask[l] = (uint8_t)(b->hmask[l] | (v >> 2) << (4 * half + group));
    }
}

void quantize_block_q6_k(const float *x, const float *w, void *out)
{
    static const Levels levels = {-32, 31, 64, NULL};
    static const ScaledKind kind = {&levels, 16, -128, 127};
    BlockQ6K *b = out;
    Scaled s;
    fit_scaled(x, w, &kind, &s);
    *b = (BlockQ6K){.d = float_to_half(s.d)};
    for (int i = 0; i < 16; i++)
        b->scales[i] = (int8_t)s.scale[i];
    for (int i = 0; i < SUPER_BLOCK; i++) {
        int half = i / 128, group = i % 128 / 32, l = i % 32, v = s.q[i] + 32;
        uint8_t *low = &b->ql[64 * half + 32 * (group & 1) + l];
        *low = (uint8_t)(*low | (v & 15) << (group >= 2 ? 4 : 0));
        b->qh[32 * half + l] = (uint8_t)(b->qh[32 * half + l] | (v >> 4) << (2 * group));
    }
}

void quantize_block_iq4_xs(const float *x, const float *w, void *out)
{
    static const ScaledKind kind = {&quantize_iq4_levels, 32, -32, 31};
    BlockIQ4XS *b = out;
    Scaled s;
    fit_scaled(x, w, &kind, &s);
    *b = (BlockIQ4XS){.d = float_to_half(s.d)};
    for (int k = 0; k < 8; k++) {
        int v = s.scale[k] + 32;
        b->scales_low[k / 2] = (uint8_t)(b->scales_low[k / 2] | (v & 15) << (4 * (k % 2)));
        b->scales_high = (uint16_t)(b->scales_high | v >> 4 << (2 * k));
        for (int j = 0; j < 16; j++)
            b->qs[16 * k + j] =
                (uint8_t)(quantize_index_of(block_iq4_values, s.q[32 * k + j]) |
                          quantize_index_of(block_iq4_values, s.q[32 * k + j + 16]) << 4);
    }
}

// --- a scale and a minimum: Q2_K, Q4_K, Q5_K -----------------------------------------------------

typedef struct Pairs {
    float d, dmin; // as half floats hold them
    int scale[MAX_PARTS], min[MAX_PARTS];
    int8_t q[SUPER_BLOCK];
    float error;
} Pairs;

typedef struct PairsKind {
    int high, part, max_scale; // q from 0 to high; elements of a sub-block; of small scales
} PairsKind;

static int divide(float wanted, float unit, int max)
{
    return unit > 0 ? clamp((int)lrintf(wanted / unit), 0, max) : 0;
}

// The best small scale and minimum at most `reach` from the wanted ones, for one sub-block.
static float choose_pair(const float *x, const float *w, const PairsKind *kind, Affine wanted,
                         int reach, Pairs *out, int k)
{
    int8_t q[32];
    int scale = divide(wanted.d, out->d, kind->max_scale);
    int min = divide(wanted.m, out->dmin, kind->max_scale);
    float least = INFINITY;
    for (int s = scale - reach; s <= scale + reach; s++)
        for (int m = min - reach; m <= min + reach; m++) {
            if (s < 0 || m < 0 || s > kind->max_scale || m > kind->max_scale) continue;
            Affine a = {out->d * (float)s, out->dmin * (float)m};
            float error = fit_affine_error(x, w, kind->part, a, kind->high, q);
            if (error >= least) continue;
            least = error;
            out->scale[k] = s;
            out->min[k] = m;
            memcpy(out->q + k * kind->part, q, (size_t)kind->part);
        }
    return least;
}

static void choose_pairs(const float *x, const float *w, const PairsKind *kind,
                         const Affine *wanted, Affine units, int reach, Pairs *out)
{
    out->d = to_half_and_back(units.d);
    out->dmin = to_half_and_back(units.m);
    out->error = 0;
    for (int k = 0, at = 0; at < SUPER_BLOCK; k++, at += kind->part)
        out->error += choose_pair(x + at, w + at, kind, wanted[k], reach, out, k);
}

// Least squares for d and dmin with the small scales and numbers of p.
static Affine refit_pairs(const float *x, const float *w, const PairsKind *kind, const Pairs *p)
{
    double yy = 0, ym = 0, mm = 0, xy = 0, xm = 0;
    for (int i = 0; i < SUPER_BLOCK; i++) {
        double y = (double)p->scale[i / kind->part] * p->q[i], m = -p->min[i / kind->part];
        double wy = (double)w[i] * y, wm = (double)w[i] * m;
        yy += wy * y;
        ym += wy * m;
        mm += wm * m;
        xy += wy * (double)x[i];
        xm += wm * (double)x[i];
    }
    double det = yy * mm - ym * ym;
    Affine units = {p->d, p->dmin};
    if (det > 1e-9 * yy * mm)
        units = (Affine){(float)((mm * xy - ym * xm) / det), (float)((yy * xm - ym * xy) / det)};
    return units.d > 0 && units.m >= 0 ? units : (Affine){p->d, p->dmin};
}

static void fit_pairs(const float *x, const float *w, const PairsKind *kind, Pairs *out)
{
    Affine wanted[MAX_PARTS], units = {0, 0};
    for (int k = 0, at = 0; at < SUPER_BLOCK; k++, at += kind->part) {
        wanted[k] = fit_affine(x + at, w + at, kind->part, kind->high, true);
        units.d = fmaxf(units.d, wanted[k].d / (float)kind->max_scale);
        units.m = fmaxf(units.m, wanted[k].m / (float)kind->max_scale);
    }
    Pairs again;
    choose_pairs(x, w, kind, wanted, units, 1, out);
    for (int k = 0; k < SUPER_BLOCK / kind->part; k++)
        wanted[k] = (Affine){out->d * (float)out->scale[k], out->dmin * (float)out->min[k]};
    choose_pairs(x, w, kind, wanted, refit_pairs(x, w, kind, out), 0, &again);
    if (again.error < out->error) *out = again;
}

void quantize_block_q2_k(const float *x, const float *w, void *out)
{
    static const PairsKind kind = {3, 16, 15};
    BlockQ2K *b = out;
    Pairs p;
    fit_pairs(x, w, &kind, &p);
    *b = (BlockQ2K){.d = float_to_half(p.d), .dmin = float_to_half(p.dmin)};
    for (int k = 0; k < 16; k++)
        b->scales[k] = (uint8_t)(p.scale[k] | p.min[k] << 4);
    for (int i = 0; i < SUPER_BLOCK; i++) {
        uint8_t *at = &b->qs[32 * (i / 128) + i % 32];
        *at = (uint8_t)(*at | p.q[i] << (2 * (i % 128 / 32)));
    }
}

// The inverse of block_scale_min.
static void pack_scales(const Pairs *p, uint8_t scales[12])
{
    memset(scales, 0, 12);
    for (int k = 0; k < 4; k++) {
        scales[k] = (uint8_t)(p->scale[k] | p->scale[k + 4] >> 4 << 6);
        scales[k + 4] = (uint8_t)(p->min[k] | p->min[k + 4] >> 4 << 6);
        scales[k + 8] = (uint8_t)((p->scale[k + 4] & 15) | (p->min[k + 4] & 15) << 4);
    }
}

static void pack_nibbles(const int8_t *q, uint8_t qs[128])
{
    for (int i = 0; i < 128; i++) {
        int at = i / 32 * 64 + i % 32;
        qs[i] = (uint8_t)((q[at] & 15) | (q[at + 32] & 15) << 4);
    }
}

void quantize_block_q4_k(const float *x, const float *w, void *out)
{
    static const PairsKind kind = {15, 32, 63};
    BlockQ4K *b = out;
    Pairs p;
    fit_pairs(x, w, &kind, &p);
    b->d = float_to_half(p.d);
    b->dmin = float_to_half(p.dmin);
    pack_scales(&p, b->scales);
    pack_nibbles(p.q, b->qs);
}

void quantize_block_q5_k(const float *x, const float *w, void *out)
{
    static const PairsKind kind = {31, 32, 63};
    BlockQ5K *b = out;
    Pairs p;
    fit_pairs(x, w, &kind, &p);
    b->d = float_to_half(p.d);
    b->dmin = float_to_half(p.dmin);
    pack_scales(&p, b->scales);
    pack_nibbles(p.q, b->qs);
    memset(b->qh, 0, sizeof b->qh);
    for (int i = 0; i < SUPER_BLOCK; i++)
        b->qh[i % 32] = (uint8_t)(b->qh[i % 32] | (p.q[i] >> 4) << (i / 32));
}

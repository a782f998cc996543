// The kernel table: every inner loop of the engine, once per instruction set.
//
// kernels_ref.c is plain C, always built, and the oracle of the others. dispatch.c chooses one
// table at engine_open. Kernels are pure: no allocation, no threads, no globals; callers split
// rows over the team. Pointers never alias unless stated. NaN in gives NaN out.
//
// Quantised weights are multiplied with activations rounded to 8 bits, one scale per 32 elements
// (activation.h): a finer grid than the 256 of ggml's Q8_K, so results lie closer to F32. F32, F16
// and BF16 weights are multiplied with the F32 activations.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gguf.h"

// TILE_DEPTH: columns of an F32 tile, whatever the matrix's width. GEMM_BLOCK, GEMM_ACTS: columns
// of a quantised matrix and vectors that gemm_avx512.c takes at once, and its memory for them.
// ATTEND_QUERIES: queries of a block at most.
enum {
    ACT_BLOCK = 32,
    TILE_ROWS = 16,
    TILE_DEPTH = 256,
    GEMM_BLOCK = 512,
    GEMM_ACTS = 512,
    ATTEND_QUERIES = 32,
    GEMM_BLOCK_BYTES =
        GEMM_BLOCK * 32 + 128 + GEMM_ACTS * (GEMM_BLOCK / 32 + GEMM_BLOCK / 64 + 1) * 4,
};

// One activation vector of n elements: F32, and if quantised its 8-bit form.
// x[i] ~ scale[i/32] * q[i]. n is a multiple of 32 wherever q is used; q NULL: F32 only.
typedef struct ActRow {
    const float *x;      // [n]
    const int8_t *q;     // [n], values -127..127
    const float *scale;  // [n/32]
    const int16_t *sums; // [n/16], the sum of q over 16 elements
} ActRow;

// Vectors of n IEEE half floats, `stride` of them apart: rows of a cache.
typedef struct HalfRows {
    const uint16_t *data;
    size_t stride;
    int n_rows, n;
} HalfRows;

// Keys and values of a head's positions, laid out as a table likes them: room for n_max * dk and
// n_max * dv floats. n_max is a multiple of ACT_BLOCK.
typedef struct HeadKv {
    void *keys, *values;
    int dk, dv, n_max;
} HeadKv;

// A block of queries of one head: n vectors of dk, q_stride apart, whose results of dv lie
// out_stride apart. Query i sees the first n_visible + i positions; of these, the last `window`
// unless that is 0.
typedef struct QueryBlock {
    const float *q;
    float *out;
    size_t q_stride, out_stride;
    int n, n_visible, window;
} QueryBlock;

typedef struct Kernels Kernels;

struct Kernels {
    const char *name;
    bool rounds_weights; // in gemm; see there

    // q, scale, sums from x[n]; n % 32 == 0. Scales 2i and 2i + 1 are a power of two apart, and NaN
    // where one of the two blocks has NaN or infinity (activation.h).
    void (*quantize)(const float *x, int n, int8_t *q, float *scale, int16_t *sums);

    // Decode: y[r] = sum_k W[r][k] * a[k] for r in [0, n_rows). w points at the first row, rows are
    // row_bytes apart, n_in elements each.
    void (*gemv)(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *a, float *y);

    // The same for two vectors: y[r] and y[y_stride + r], with the bits of two calls of gemv. A row
    // is unpacked once where that saves time.
    void (*gemv_two)(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                     const ActRow *acts, float *y, size_t y_stride);

    // Prefill: y[t * y_stride + r] for r in [0, n_rows), t in [0, n_acts). For quantised types each
    // group of TILE_ROWS rows is unpacked once into an int8 tile inside `scratch` (at least
    // gemm_scratch_bytes(n_in) bytes, 64-byte aligned, private to the calling thread) and
    // multiplied with all n_acts vectors. With rounds_weights the tile has 8-bit numbers with one
    // scale for GEMM_BLOCK columns of a row, a 127th of the largest weight that the row's scales in
    // them allow. It is faster there where the scales of acts are as quantize makes them.
    void (*gemm)(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch);

    // out[n] = row of any type as F32.
    void (*dequantize)(TensorType type, const void *row, int n, float *out);

    // F32 vectors of any length (no alignment needed).
    float (*dot)(const float *a, const float *b, int n);
    void (*axpy)(float alpha, const float *x, float *y, int n);                   // y += alpha * x
    void (*rms_norm)(const float *x, const float *w, float eps, int n, float *y); // y may be x
    void (*silu_mul)(const float *gate, const float *up, int n, float *y);        // y may be gate
    void (*softmax)(float *x, int n); // in place, n >= 1

    void (*to_f16)(const float *x, int n, uint16_t *y);
    // out[h * out_stride + i] = x_h . row i for n_x vectors x_h = x + h * x_stride. A product's
    // bits do not depend on its company.
    void (*dot_rows)(const float *x, size_t x_stride, int n_x, const HalfRows *rows, float *out,
                     size_t out_stride);
    // y_h += the sum over i of weights[h * w_stride + i] times row i, for n_y vectors y_h = y + h *
    // y_stride. Rows are added in their order, so that they may come in several calls.
    void (*add_rows)(const float *weights, size_t w_stride, int n_y, const HalfRows *rows, float *y,
                     size_t y_stride);

    // Positions [at, at + n) of a head from rows keys [n][dk] and values [n][dv]; `at` is a
    // multiple of ACT_BLOCK. What fills the last group of ACT_BLOCK positions is zero.
    void (*lay_out)(const float *keys, const float *values, int n, int at, const HeadKv *kv);
    // out_i = softmax(q_i . keys) values over what the query sees, every position up to the next
    // multiple of ACT_BLOCK being laid out. k: the table itself; scores: memory for b->n rows of so
    // many positions; scratch: as of gemm.
    void (*attend)(const Kernels *k, const HeadKv *kv, const QueryBlock *b, float *scores,
                   void *scratch);
};

size_t gemm_scratch_bytes(int n_in);
// Of TILE_ROWS rows unpacked to bytes, and per 16 elements a scale and an offset for each row.
size_t gemm_tile_bytes(int n_in);

extern const Kernels kernels_ref;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512;
#elif defined(__aarch64__)
extern const Kernels kernels_neon;
#endif
// kernels_ref with weights dequantised and activations left in F32: the oracle for the rounding.
const Kernels *kernels_exact(void);

// By name ("ref", "exact", "avx2", "avx512", "neon"), or the best for this CPU when name is NULL.
// NULL if the name is unknown or this CPU lacks it.
const Kernels *kernels_find(const char *name);

// Scalar helpers shared by all (exact, round to nearest even).
float half_to_float(uint16_t h);
uint16_t float_to_half(float f);

// Several vectors against the rows of a cache: a row is widened once for all of them, and sixteen
// sums stay in registers.
#include "kernels_avx512.h"

enum { SUMS = 16, COLUMNS = 4 };

static inline __mmask16 mask_of(int left)
{
    return left < 16 ? left > 0 ? tail_mask(left) : 0 : 0xFFFF;
}

// n_x vectors, a constant, times as many rows from `first` on as there are sums.
static inline __attribute__((always_inline)) void dot_tile(const float *x, size_t x_stride, int n_x,
                                                           const HalfRows *rows, int first,
                                                           float *out, size_t out_stride)
{
    const int n_at_once = SUMS / n_x, left = rows->n_rows - first;
    const int n = left < n_at_once ? left : n_at_once;
    // Rows of a cache lie close together, but no hardware prefetcher follows several at once.
    const size_t ahead = 2 * (size_t)n_at_once * rows->stride * sizeof *rows->data;
    const uint16_t *row[SUMS];
    __m512 sums[SUMS];
    float all[SUMS];
#pragma GCC unroll 16
    for (int i = 0; i < SUMS; i++)
        sums[i] = _mm512_setzero_ps();
    for (int r = 0; r < n_at_once; r++) // beyond the last row it is computed again, for nobody
        row[r] = rows->data + (size_t)(first + (r < n ? r : n - 1)) * rows->stride;
    for (int j = 0; j < rows->n; j += 16) {
        __mmask16 m = mask_of(rows->n - j);
        __m512 vectors[SUMS];
#pragma GCC unroll 16
        for (int h = 0; h < n_x; h++)
            vectors[h] = _mm512_maskz_loadu_ps(m, x + (size_t)h * x_stride + j);
#pragma GCC unroll 16
        for (int r = 0; r < n_at_once; r++) {
            __m512 wide = load_halves(m, row[r] + j);
            _mm_prefetch((const char *)(row[r] + j) + ahead, _MM_HINT_T0);
#pragma GCC unroll 16
            for (int h = 0; h < n_x; h++)
                sums[h * n_at_once + r] =
                    _mm512_fmadd_ps(vectors[h], wide, sums[h * n_at_once + r]);
        }
    }
    _mm512_storeu_ps(all, sum_16(sums));
    for (int h = 0; h < n_x; h++)
        memcpy(out + (size_t)h * out_stride + first, all + h * n_at_once, (size_t)n * sizeof *out);
}

void dot_rows_avx512(const float *x, size_t x_stride, int n_x, const HalfRows *rows, float *out,
                     size_t out_stride)
{
    int h = 0;
#define VECTORS_AT_ONCE(count)                                                                     \
    for (; h + (count) <= n_x; h += (count))                                                       \
        for (int r = 0; r < rows->n_rows; r += SUMS / (count))                                     \
            dot_tile(x + (size_t)h * x_stride, x_stride, count, rows, r,                           \
                     out + (size_t)h * out_stride, out_stride);
    VECTORS_AT_ONCE(4)
    VECTORS_AT_ONCE(2)
    VECTORS_AT_ONCE(1)
#undef VECTORS_AT_ONCE
}

// Adds elements [at, at + 16 COLUMNS) of all rows to n_y vectors, a constant.
static inline __attribute__((always_inline)) void add_tile(const float *weights, size_t w_stride,
                                                           int n_y, const HalfRows *rows, int at,
                                                           float *y, size_t y_stride)
{
    __mmask16 masks[COLUMNS];
    __m512 sums[SUMS];
    for (int c = 0; c < COLUMNS; c++)
        masks[c] = mask_of(rows->n - at - 16 * c);
#pragma GCC unroll 16
    for (int i = 0; i < n_y * COLUMNS; i++)
        sums[i] = _mm512_maskz_loadu_ps(masks[i % COLUMNS], y + (size_t)(i / COLUMNS) * y_stride +
                                                                at + 16 * (i % COLUMNS));
    const uint16_t *row = rows->data + at;
    for (int i = 0; i < rows->n_rows; i++, row += rows->stride) {
        __m512 wide[COLUMNS];
#pragma GCC unroll 4
        for (int c = 0; c < COLUMNS; c++)
            wide[c] = load_halves(masks[c], row + 16 * c);
#pragma GCC unroll 16
        for (int h = 0; h < n_y; h++) {
            __m512 weight = _mm512_set1_ps(weights[(size_t)h * w_stride + (size_t)i]);
#pragma GCC unroll 4
            for (int c = 0; c < COLUMNS; c++)
                sums[h * COLUMNS + c] = _mm512_fmadd_ps(weight, wide[c], sums[h * COLUMNS + c]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n_y * COLUMNS; i++)
        _mm512_mask_storeu_ps(y + (size_t)(i / COLUMNS) * y_stride + at + 16 * (i % COLUMNS),
                              masks[i % COLUMNS], sums[i]);
}

void add_rows_avx512(const float *weights, size_t w_stride, int n_y, const HalfRows *rows, float *y,
                     size_t y_stride)
{
    int h = 0;
#define VECTORS_AT_ONCE(count)                                                                     \
    for (; h + (count) <= n_y; h += (count))                                                       \
        for (int at = 0; at < rows->n; at += 16 * COLUMNS)                                         \
            add_tile(weights + (size_t)h * w_stride, w_stride, count, rows, at,                    \
                     y + (size_t)h * y_stride, y_stride);
    VECTORS_AT_ONCE(4)
    VECTORS_AT_ONCE(2)
    VECTORS_AT_ONCE(1)
#undef VECTORS_AT_ONCE
}

// The table "exact": weights dequantised, activations left in F32. Slow; the oracle that tells an
// error of the forward pass from the rounding of activations to 8 bits.
#include "kernels.h"

enum { PIECE = 256 }; // a multiple of every block length

static float dot_row(TensorType type, const unsigned char *row, int n_in, const float *x)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    size_t piece_bytes = (size_t)(PIECE / info->block_elements) * (size_t)info->block_bytes;
    float piece[PIECE];
    double sum = 0;
    for (int i = 0; i < n_in; i += PIECE, row += piece_bytes) {
        int n = n_in - i < PIECE ? n_in - i : PIECE;
        kernels_ref.dequantize(type, row, n, piece);
        for (int j = 0; j < n; j++)
            sum += (double)piece[j] * (double)x[i + j];
    }
    return (float)sum;
}

static void gemm_exact(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                       const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    (void)scratch;
    for (int t = 0; t < n_acts; t++)
        for (int r = 0; r < n_rows; r++)
            y[(size_t)t * y_stride + (size_t)r] =
                dot_row(type, (const unsigned char *)w + (size_t)r * row_bytes, n_in, acts[t].x);
}

static void gemv_exact(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                       const ActRow *a, float *y)
{
    gemm_exact(type, w, row_bytes, n_in, n_rows, a, 1, y, 0, NULL);
}

static void gemv_two_exact(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                           const ActRow *acts, float *y, size_t y_stride)
{
    gemm_exact(type, w, row_bytes, n_in, n_rows, acts, 2, y, y_stride, NULL);
}

const Kernels *kernels_exact(void)
{
    static Kernels table;
    table = kernels_ref;
    table.name = "exact";
    table.gemv = gemv_exact;
    table.gemv_two = gemv_two_exact;
    table.gemm = gemm_exact;
    return &table;
}

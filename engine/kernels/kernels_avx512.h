// Shared by the two AVX-512 files.
#pragma once

#include "groups_x86.h"

void gemm_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch);
void dequantize_avx512(TensorType type, const void *row, int n, float *out);

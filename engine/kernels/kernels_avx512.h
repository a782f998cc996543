// Shared by the files for AVX-512 and AMX.
#pragma once

#include "groups_x86.h"

// TILE_ROWS rows of a quantised matrix as products want them:
//   u:       [n_in/4] registers: lane r = row r, columns 4j..4j+3
//   scale:   [n_in/16][16] floats, one per 16 columns and row
//   offset:  the same, only where the format has minima
typedef struct Tile {
    uint8_t *u;
    float *scale, *offset; // [n_groups][2][TILE_ROWS]
    bool halves;           // scales differ within a group (Q2_K, Q3_K, Q6_K)
    bool minima;           // offset is not zero times scale
    int zero;              // else this (unpack.h)
} Tile;

// y[c * y_stride + r] for the rows of the mask and n_acts vectors. May overwrite the tile's u.
typedef void (*TileTimes)(Tile *tile, int n_groups, const ActRow *acts, int n_acts, float *y,
                          size_t y_stride, uint16_t rows, char *scratch);

// kernels.h's gemm with the given product of a tile; other types than quantised ones have their
// own.
void gemm_by_tiles(TileTimes times, TensorType type, const void *w, size_t row_bytes, int n_in,
                   int n_rows, const ActRow *acts, int n_acts, float *y, size_t y_stride,
                   void *scratch);
void tile_times_avx512(Tile *tile, int n_groups, const ActRow *acts, int n_acts, float *y,
                       size_t y_stride, uint16_t rows, char *scratch);
void gemm_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch);
void dequantize_avx512(TensorType type, const void *row, int n, float *out);
// As gemm_avx512, bit for bit; the process must have asked for the tiles' state (dispatch.c).
void gemm_amx(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
              const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch);

// Prefill products in AMX tiles: 16 vectors times 16 rows over the 32 columns of a group (16 where
// a scale is good for 16) are one instruction; its integers are then scaled as gemm_avx512.c does
// it, in the same order, so that both give the same bits.
#include <immintrin.h>

#include "kernels_avx512.h"

enum { VECTORS = 16 }; // rows of a tile

// Operands of _tile_loadconfig.
typedef struct TileConfig {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} TileConfig;

_Static_assert(sizeof(TileConfig) == 64, "the layout of the instruction's operand");

// Tiles: 0 results, 1 vectors, 2 weights.
static void configure(int n_vectors, int depth)
{
    TileConfig config = {.palette = 1};
    config.rows[0] = config.rows[1] = (uint8_t)n_vectors;
    config.row_bytes[0] = 64;
    config.row_bytes[1] = (uint16_t)depth;
    config.rows[2] = (uint8_t)(depth / 4);
    config.row_bytes[2] = 64;
    _tile_loadconfig(&config);
}

// Weights of formats without minima become signed.
static void subtract_zero(Tile *t, int n_groups)
{
    const __m512i zero = _mm512_set1_epi8((char)t->zero);
    for (int i = 0; i < 8 * n_groups; i++) {
        __m512i *u = (__m512i *)(void *)(t->u + 64 * (size_t)i);
        _mm512_store_si512(u, _mm512_sub_epi8(_mm512_load_si512(u), zero));
    }
}

// The vectors' bytes: where they lie if equally far apart, else copied. *stride is between vectors.
static const int8_t *find_vectors(const ActRow *acts, int n, int n_groups, char *scratch,
                                  size_t *stride)
{
    size_t n_bytes = (size_t)n_groups * 32;
    *stride = n > 1 ? (size_t)(acts[1].q - acts[0].q) : n_bytes;
    bool even = n == 1 || acts[1].q > acts[0].q;
    for (int c = 1; c < n; c++)
        even = even && acts[c].q - acts[c - 1].q == acts[1].q - acts[0].q;
    if (even) return acts[0].q;
    for (int c = 0; c < n; c++)
        memcpy(scratch + (size_t)c * n_bytes, acts[c].q, n_bytes);
    *stride = n_bytes;
    return (const int8_t *)scratch;
}

// What a minimum is multiplied with: the activations' scale times their sum, for each group or half
// group, [n][n_totals].
static void fill_totals(const ActRow *acts, int n, int n_groups, bool halves, float *totals)
{
    for (int c = 0; c < n; c++)
        for (int g = 0; g < n_groups; g++) {
            const int16_t *sums = acts[c].sums + 2 * g;
            float scale = acts[c].scale[g];
            if (halves) {
                *totals++ = scale * (float)sums[0];
                *totals++ = scale * (float)sums[1];
            } else {
                *totals++ = scale * (float)(sums[0] + sums[1]);
            }
        }
}

typedef struct Block {
    const ActRow *acts;
    const int8_t *q;
    size_t stride;
    const float *totals; // fill_totals, where the format has minima
    float *y;
    size_t y_stride;
    __mmask16 rows;
} Block;

static inline __attribute__((always_inline)) void
block_times(const Tile *t, int n_groups, const Block *b, int n, bool halves, bool minima)
{
    const int n_halves = halves ? 2 : 1;
    __attribute__((aligned(64))) int32_t products[VECTORS * TILE_ROWS];
    __m512 sums[VECTORS];
    for (int c = 0; c < n; c++)
        sums[c] = _mm512_setzero_ps();
    for (int g = 0; g < n_groups; g++) {
        const float *scale = t->scale + (size_t)g * 2 * TILE_ROWS;
        const float *offset = t->offset + (size_t)g * 2 * TILE_ROWS;
        for (int h = 0; h < n_halves; h++) {
            _tile_zero(0);
            _tile_loadd(1, b->q + 32 * g + 16 * h, b->stride);
            _tile_loadd(2, t->u + (size_t)(32 * g + 16 * h) * TILE_ROWS, 64);
            if (minima) // at most six bits: signed or not is the same
                _tile_dpbsud(0, 1, 2);
            else
                _tile_dpbssd(0, 1, 2);
            _tile_stored(0, products, 64);
            __m512 s = _mm512_loadu_ps(scale + h * TILE_ROWS);
            for (int c = 0; c < n; c++) {
                __m512 factor = _mm512_mul_ps(s, _mm512_set1_ps(b->acts[c].scale[g]));
                __m512 p = _mm512_cvtepi32_ps(_mm512_load_si512(products + c * TILE_ROWS));
                sums[c] = _mm512_fmadd_ps(p, factor, sums[c]);
            }
        }
        for (int h = 0; minima && h < n_halves; h++) {
            __m512 m = _mm512_loadu_ps(offset + h * TILE_ROWS);
            for (int c = 0; c < n; c++) {
                size_t at = (size_t)(c * n_groups + g) * (size_t)n_halves + (size_t)h;
                sums[c] = _mm512_fnmadd_ps(m, _mm512_set1_ps(b->totals[at]), sums[c]);
            }
        }
    }
    for (int c = 0; c < n; c++)
        _mm512_mask_storeu_ps(b->y + (size_t)c * b->y_stride, b->rows, sums[c]);
}

static inline __attribute__((always_inline)) void block_times_kind(const Tile *t, int n_groups,
                                                                   const Block *b, int n)
{
    if (t->halves && t->minima)
        block_times(t, n_groups, b, n, true, true);
    else if (t->halves)
        block_times(t, n_groups, b, n, true, false);
    else if (t->minima)
        block_times(t, n_groups, b, n, false, true);
    else
        block_times(t, n_groups, b, n, false, false);
}

static void tile_times_amx(Tile *t, int n_groups, const ActRow *acts, int n_acts, float *y,
                           size_t y_stride, uint16_t rows, char *scratch)
{
    if (!t->minima) subtract_zero(t, n_groups);
    float *totals = (float *)(void *)(scratch + (size_t)n_groups * 32 * VECTORS);
    int configured = 0;
    for (int i = 0; i < n_acts; i += VECTORS) {
        int n = n_acts - i < VECTORS ? n_acts - i : VECTORS;
        if (n != configured) configure(n, t->halves ? 16 : 32);
        configured = n;
        Block b = {.acts = acts + i,
                   .totals = totals,
                   .y = y + (size_t)i * y_stride,
                   .y_stride = y_stride,
                   .rows = rows};
        b.q = find_vectors(b.acts, n, n_groups, scratch, &b.stride);
        if (t->minima) fill_totals(b.acts, n, n_groups, t->halves, totals);
        if (n == VECTORS)
            block_times_kind(t, n_groups, &b, VECTORS);
        else
            block_times_kind(t, n_groups, &b, n);
    }
    _tile_release();
}

static void tiles_times_amx(Tile *tiles, int n_groups, const ActRow *acts, int n_acts, float *y,
                            size_t y_stride, uint32_t rows, char *scratch)
{
    tile_times_amx(&tiles[0], n_groups, acts, n_acts, y, y_stride, (uint16_t)rows, scratch);
    if (rows >> TILE_ROWS)
        tile_times_amx(&tiles[1], n_groups, acts, n_acts, y + TILE_ROWS, y_stride,
                       (uint16_t)(rows >> TILE_ROWS), scratch);
}

void gemm_amx(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
              const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    gemm_by_tiles(tiles_times_amx, type, w, row_bytes, n_in, n_rows, acts, n_acts, y, y_stride,
                  scratch);
}

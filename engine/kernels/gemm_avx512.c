// Prefill products: 16 weight rows are unpacked once into a tile where one register holds four
// columns of all 16 rows, then every activation vector passes over the tile. The unpacking costs
// the same for every format and is shared by all tokens of the chunk. Two tiles are multiplied at
// once, so that four bytes of a vector are spread over a register once for 32 rows: loads, of which
// a core does one of this width a cycle, are then fewer than products.
#include "kernels_avx512.h"

#include "unpack.h"

// Activation vectors at once: COLUMNS times two tiles, as many integer and as many float
// accumulators; FLOAT_COLUMNS where there are only these.
enum { COLUMNS = 6, FLOAT_COLUMNS = 8 };

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

static const uint8_t *tile_group(const Tile *t, int g)
{
    return t->u + (size_t)g * 32 * TILE_ROWS;
}

// rows[r] is 32 bytes of row r: turns 16 x 8 dwords into 8 registers of 16 dwords. Rows r and r + 8
// share a register, so that this is the exchange of 8 x 8 in both halves at once.
static inline void interleave(const __m256i *rows, uint8_t *out)
{
    const __m512i low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    const __m512i high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    __m512i pairs[8], fours[8];
    for (int i = 0; i < 8; i += 2) {
        __m512i x = _mm512_inserti64x4(_mm512_castsi256_si512(rows[i]), rows[i + 8], 1);
        __m512i y = _mm512_inserti64x4(_mm512_castsi256_si512(rows[i + 1]), rows[i + 9], 1);
        pairs[i] = _mm512_unpacklo_epi32(x, y);
        pairs[i + 1] = _mm512_unpackhi_epi32(x, y);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            fours[i + 2 * j] = _mm512_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
            fours[i + 2 * j + 1] = _mm512_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
        }
    for (int j = 0; j < 4; j++) {
        __m512i first = _mm512_permutex2var_epi64(fours[j], low, fours[j + 4]);
        __m512i second = _mm512_permutex2var_epi64(fours[j], high, fours[j + 4]);
        _mm512_store_si512(out + 64 * j, first);
        _mm512_store_si512(out + 64 * (j + 4), second);
    }
}

// block_fp4_scale of the lowest byte of every lane.
static inline __m512 fp4_scales(__m512i heads)
{
    __m512i e = _mm512_and_si512(heads, _mm512_set1_epi32(255)), one = _mm512_set1_epi32(1);
    __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
    __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(
        _mm512_mask_blend_epi32(_mm512_cmpgt_epi32_mask(e, one), small, normal));
}

static inline __attribute__((always_inline)) void
unpack_bytes(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows, Tile *t)
{
    __m256i rows[TILE_ROWS];
    for (int r = n_rows; r < TILE_ROWS; r++)
        rows[r] = _mm256_setzero_si256();
    for (int g = 0; g < n_in / 32; g++) {
        for (int r = 0; r < n_rows; r++)
            rows[r] = group_bytes(type, w + (size_t)r * row_bytes, g);
        interleave(rows, t->u + (size_t)g * 32 * TILE_ROWS);
    }
}

// 16 x 16 floats: rows become columns (four rounds of pairwise exchange).
static void transpose_16(__m512 *r)
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
    }
}

// Super-blocks with a scale for every 16 elements: a row's sixteen become a column each.
static inline __attribute__((always_inline)) void
unpack_scales_16(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows, Tile *t)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++) {
        __m512 scales[TILE_ROWS], mins[TILE_ROWS];
        for (int r = 0; r < TILE_ROWS; r++) {
            scales[r] = mins[r] = _mm512_setzero_ps();
            if (r < n_rows)
                scales[r] = sixteen_scales(
                    type, w + (size_t)r * row_bytes + (size_t)i * block_bytes, &mins[r]);
        }
        transpose_16(scales);
        if (t->minima) transpose_16(mins);
        for (int k = 0; k < 16; k++) {
            size_t to = (size_t)(16 * i + k) * TILE_ROWS;
            _mm512_storeu_ps(t->scale + to, scales[k]);
            if (t->minima) _mm512_storeu_ps(t->offset + to, mins[k]);
        }
    }
}

// Blocks of 32 elements: the first four bytes of all rows' blocks are gathered, d and, in *_1, m
// after it.
static inline __attribute__((always_inline)) void
unpack_scales_32(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows, Tile *t)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    const __mmask16 rows = (__mmask16)((1u << n_rows) - 1);
    const __m512i at =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32((int)row_bytes));
    for (int g = 0; g < n_in / 32; g++) {
        __m512i heads = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), rows, at,
                                                    w + (size_t)g * block_bytes, 1);
        size_t to = (size_t)g * 2 * TILE_ROWS;
        __m512 scale = type == TENSOR_MXFP4 ? fp4_scales(heads)
                                            : _mm512_cvtph_ps(_mm512_cvtepi32_epi16(heads));
        _mm512_storeu_ps(t->scale + to, scale);
        if (!t->minima) continue;
        __m512 m = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(heads, 16)));
        _mm512_storeu_ps(t->offset + to, _mm512_sub_ps(_mm512_setzero_ps(), m));
    }
}

// Q4_K and Q5_K: eight scales and eight minima of a row make one register of sixteen.
static inline __attribute__((always_inline)) void
unpack_scales_k(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows, Tile *t)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++) {
        __m512 both[TILE_ROWS];
        for (int r = 0; r < TILE_ROWS; r++) {
            both[r] = _mm512_setzero_ps();
            if (r >= n_rows) continue;
            const BlockQ4K *b = (const void *)(w + (size_t)r * row_bytes + (size_t)i * block_bytes);
            __m128i sc, m;
            k_scales_x86(b->scales, &sc, &m);
            __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_unpacklo_epi64(sc, m)));
            __m512 d = _mm512_mask_blend_ps(0xFF00, _mm512_set1_ps(half_at(&b->d)),
                                            _mm512_set1_ps(half_at(&b->dmin)));
            both[r] = _mm512_mul_ps(values, d);
        }
        transpose_16(both);
        for (int k = 0; k < 8; k++) {
            size_t to = (size_t)(8 * i + k) * 2 * TILE_ROWS;
            _mm512_storeu_ps(t->scale + to, both[k]);
            _mm512_storeu_ps(t->offset + to, both[k + 8]);
        }
    }
}

static void unpack_tile(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows,
                        Tile *t)
{
    switch (type) {
#define UNPACK(name, scales)                                                                       \
    case name:                                                                                     \
        unpack_bytes(name, w, row_bytes, n_in, n_rows, t);                                         \
        scales(name, w, row_bytes, n_in, n_rows, t);                                               \
        return;
        UNPACK(TENSOR_Q8_0, unpack_scales_32)
        UNPACK(TENSOR_Q4_0, unpack_scales_32)
        UNPACK(TENSOR_Q5_0, unpack_scales_32)
        UNPACK(TENSOR_Q4_1, unpack_scales_32)
        UNPACK(TENSOR_Q5_1, unpack_scales_32)
        UNPACK(TENSOR_IQ4_NL, unpack_scales_32)
        UNPACK(TENSOR_MXFP4, unpack_scales_32)
        UNPACK(TENSOR_Q2_K, unpack_scales_16)
        UNPACK(TENSOR_Q3_K, unpack_scales_16)
        UNPACK(TENSOR_Q6_K, unpack_scales_16)
        UNPACK(TENSOR_IQ4_XS, unpack_scales_16)
        UNPACK(TENSOR_Q4_K, unpack_scales_k)
        UNPACK(TENSOR_Q5_K, unpack_scales_k)
#undef UNPACK
    default: // F32, F16 and BF16 have no tiles
        return;
    }
}

static inline __m512i broadcast4(const int8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return _mm512_set1_epi32(v);
}

// What a group's products of each vector need beside bytes and scale, [n_cols][n_totals], n_totals
// one for each group or, with `halves`, each half: where the format has minima, what they are
// multiplied with, the vector's scale times its sum; elsewhere the integers that take `zero` off.
typedef union Totals {
    float *scaled;
    int32_t *zeros;
} Totals;

static inline __attribute__((always_inline)) void fill_totals(const Tile *t, const ActRow *acts,
                                                              int n_cols, int n_groups, bool halves,
                                                              bool minima, Totals out)
{
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i zero = _mm512_set1_epi32(-t->zero);
    int n_totals = halves ? 2 * n_groups : n_groups;
    for (int c = 0; c < n_cols; c++)
        for (int i = 0; i < n_totals; i += 16) {
            int left = n_totals - i < 16 ? n_totals - i : 16, at = c * n_totals + i;
            __mmask16 m = (__mmask16)((1u << left) - 1);
            __m512i sums;
            __m512 scale;
            if (halves) {
                sums = _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(m, acts[c].sums + i));
                scale = _mm512_maskz_loadu_ps((__mmask16)((1u << (left / 2)) - 1),
                                              acts[c].scale + i / 2);
                scale = _mm512_permutexvar_ps(twice, scale);
            } else {
                __mmask32 both = (__mmask32)((1ull << (2 * left)) - 1);
                sums = _mm512_madd_epi16(_mm512_maskz_loadu_epi16(both, acts[c].sums + 2 * i),
                                         _mm512_set1_epi16(1));
                scale = _mm512_maskz_loadu_ps(m, acts[c].scale + i);
            }
            if (minima)
                _mm512_mask_storeu_ps(out.scaled + at, m,
                                      _mm512_mul_ps(scale, _mm512_cvtepi32_ps(sums)));
            else
                _mm512_mask_storeu_epi32(out.zeros + at, m, _mm512_mullo_epi32(sums, zero));
        }
}

// products of 32 (16 with `halves`) columns of a group of both tiles times n_cols vectors at q.
static inline __attribute__((always_inline)) void multiply(const uint8_t *u0, const uint8_t *u1,
                                                           int n_dwords, const int8_t *const *q,
                                                           size_t at, int n_cols,
                                                           __m512i (*products)[COLUMNS])
{
#pragma GCC unroll 8
    for (int j = 0; j < n_dwords; j++) {
        __m512i w0 = _mm512_load_si512(u0 + 64 * j), w1 = _mm512_load_si512(u1 + 64 * j);
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++) {
            __m512i a = broadcast4(q[c] + at + 4 * j);
            products[0][c] = _mm512_dpbusd_epi32(products[0][c], w0, a);
            products[1][c] = _mm512_dpbusd_epi32(products[1][c], w1, a);
        }
    }
}

// Two tiles times n_cols vectors.
static inline __attribute__((always_inline)) void
tiles_times(const Tile *t, int n_groups, const ActRow *acts, int n_cols, bool halves, bool minima,
            Totals totals, float *y, size_t y_stride, uint32_t rows)
{
    const int parts = halves ? 2 : 1, n_totals = parts * n_groups;
    __m512 sums[2][COLUMNS];
    __m512i products[2][COLUMNS];
    const int8_t *q[COLUMNS];
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        q[c] = acts[c].q;
        sums[0][c] = sums[1][c] = _mm512_setzero_ps();
    }
    for (int g = 0; g < n_groups; g++) {
        const uint8_t *u0 = tile_group(&t[0], g), *u1 = tile_group(&t[1], g);
        for (int h = 0; h < parts; h++) {
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++)
                products[0][c] = products[1][c] =
                    minima ? _mm512_setzero_si512()
                           : _mm512_set1_epi32(totals.zeros[c * n_totals + parts * g + h]);
            multiply(u0 + 256 * h, u1 + 256 * h, 8 / parts, q, 32 * (size_t)g + 16 * (size_t)h,
                     n_cols, products);
            size_t at = ((size_t)g * 2 + (size_t)h) * TILE_ROWS;
            __m512 s0 = _mm512_loadu_ps(t[0].scale + at), s1 = _mm512_loadu_ps(t[1].scale + at);
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++) {
                __m512 act = _mm512_set1_ps(acts[c].scale[g]);
                sums[0][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[0][c]),
                                             _mm512_mul_ps(s0, act), sums[0][c]);
                sums[1][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[1][c]),
                                             _mm512_mul_ps(s1, act), sums[1][c]);
            }
        }
        for (int h = 0; h < (minima ? parts : 0); h++) {
            size_t at = ((size_t)g * 2 + (size_t)h) * TILE_ROWS;
            __m512 m0 = _mm512_loadu_ps(t[0].offset + at), m1 = _mm512_loadu_ps(t[1].offset + at);
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++) {
                __m512 total = _mm512_set1_ps(totals.scaled[c * n_totals + parts * g + h]);
                sums[0][c] = _mm512_fnmadd_ps(m0, total, sums[0][c]);
                sums[1][c] = _mm512_fnmadd_ps(m1, total, sums[1][c]);
            }
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        _mm512_mask_storeu_ps(y + (size_t)c * y_stride, (__mmask16)rows, sums[0][c]);
        _mm512_mask_storeu_ps(y + (size_t)c * y_stride + TILE_ROWS, (__mmask16)(rows >> 16),
                              sums[1][c]);
    }
}

static inline __attribute__((always_inline)) void tiles_times_kind(const Tile *t, int n_groups,
                                                                   const ActRow *acts, int n_cols,
                                                                   float *y, size_t y_stride,
                                                                   uint32_t rows, char *scratch)
{
    Totals totals = {.scaled = (float *)(void *)scratch};
#define KIND(by_halves, with_minima)                                                               \
    if (t->halves == (by_halves) && t->minima == (with_minima)) {                                  \
        fill_totals(t, acts, n_cols, n_groups, by_halves, with_minima, totals);                    \
        tiles_times(t, n_groups, acts, n_cols, by_halves, with_minima, totals, y, y_stride, rows); \
    }
    KIND(false, false)
    KIND(false, true)
    KIND(true, false)
    KIND(true, true)
#undef KIND
}

// y[c * y_stride + r] for the rows of the mask, the first 16 of which are t[0]'s and the others
// t[1]'s, and n_acts vectors.
static void all_times(const Tile *t, int n_groups, const ActRow *acts, int n_acts, float *y,
                      size_t y_stride, uint32_t rows, char *scratch)
{
    int i = 0;
#define COLUMNS_AT_ONCE(n)                                                                         \
    for (; i + (n) <= n_acts; i += (n))                                                            \
        tiles_times_kind(t, n_groups, acts + i, n, y + (size_t)i * y_stride, y_stride, rows,       \
                         scratch);
    COLUMNS_AT_ONCE(COLUMNS)
    COLUMNS_AT_ONCE(4)
    COLUMNS_AT_ONCE(2)
    COLUMNS_AT_ONCE(1)
#undef COLUMNS_AT_ONCE
}

// --- F32, F16 and BF16 ---------------------------------------------------------------------------

static inline __m512 load_floats(TensorType type, const char *row, int at, __mmask16 m)
{
    if (type == TENSOR_F32) return _mm512_maskz_loadu_ps(m, (const float *)(const void *)row + at);
    const uint16_t *half = (const uint16_t *)(const void *)row + at;
    __m256i bits = _mm256_maskz_loadu_epi16(m, half);
    if (type == TENSOR_F16) return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// tile[k][16 rows] for columns [at, at + n) of a group of rows.
static void transpose_tile(TensorType type, const char *w, size_t row_bytes, int n_rows, int at,
                           int n, float *tile)
{
    for (int k = 0; k < n; k += 16) {
        int left = n - k < 16 ? n - k : 16;
        __mmask16 m = (__mmask16)((1u << left) - 1);
        __m512 rows[16];
        for (int r = 0; r < 16; r++)
            rows[r] = r < n_rows ? load_floats(type, w + (size_t)r * row_bytes, at + k, m)
                                 : _mm512_setzero_ps();
        transpose_16(rows);
        for (int i = 0; i < left; i++)
            _mm512_store_ps(tile + (size_t)(k + i) * TILE_ROWS, rows[i]);
    }
}

static inline __attribute__((always_inline)) void float_tiles_times(const float *tiles, int at,
                                                                    int n, const ActRow *acts,
                                                                    int n_cols, float *y,
                                                                    size_t y_stride, uint32_t rows)
{
    const __mmask16 rows0 = (__mmask16)rows, rows1 = (__mmask16)(rows >> 16);
    __m512 sums[2][FLOAT_COLUMNS];
    const float *x[FLOAT_COLUMNS];
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        float *to = y + (size_t)c * y_stride;
        x[c] = acts[c].x + at;
        sums[0][c] = at ? _mm512_maskz_loadu_ps(rows0, to) : _mm512_setzero_ps();
        sums[1][c] = at ? _mm512_maskz_loadu_ps(rows1, to + TILE_ROWS) : _mm512_setzero_ps();
    }
    for (int k = 0; k < n; k++) {
        const float *w = tiles + (size_t)k * TILE_ROWS;
        __m512 w0 = _mm512_load_ps(w), w1 = _mm512_load_ps(w + TILE_DEPTH * TILE_ROWS);
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++) {
            __m512 a = _mm512_set1_ps(x[c][k]);
            sums[0][c] = _mm512_fmadd_ps(w0, a, sums[0][c]);
            sums[1][c] = _mm512_fmadd_ps(w1, a, sums[1][c]);
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        float *to = y + (size_t)c * y_stride;
        _mm512_mask_storeu_ps(to, rows0, sums[0][c]);
        _mm512_mask_storeu_ps(to + TILE_ROWS, rows1, sums[1][c]);
    }
}

static void gemm_floats(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows,
                        const ActRow *acts, int n_acts, float *y, size_t y_stride, float *tiles)
{
    uint32_t rows = (uint32_t)((1ull << n_rows) - 1);
    int n_second = n_rows > TILE_ROWS ? n_rows - TILE_ROWS : 0;
    for (int at = 0; at < n_in; at += TILE_DEPTH) {
        int n = n_in - at < TILE_DEPTH ? n_in - at : TILE_DEPTH, i = 0;
        transpose_tile(type, w, row_bytes, n_rows - n_second, at, n, tiles);
        transpose_tile(type, w + TILE_ROWS * row_bytes, row_bytes, n_second, at, n,
                       tiles + TILE_DEPTH * TILE_ROWS);
#define COLUMNS_AT_ONCE(n_cols)                                                                    \
    for (; i + (n_cols) <= n_acts; i += (n_cols))                                                  \
        float_tiles_times(tiles, at, n, acts + i, n_cols, y + (size_t)i * y_stride, y_stride, rows);
        COLUMNS_AT_ONCE(FLOAT_COLUMNS)
        COLUMNS_AT_ONCE(4)
        COLUMNS_AT_ONCE(2)
        COLUMNS_AT_ONCE(1)
#undef COLUMNS_AT_ONCE
    }
}

static Tile make_tile(TensorType type, uint8_t *at, size_t n_groups)
{
    Tile tile = {.u = at,
                 .scale = (float *)(void *)(at + n_groups * 32 * TILE_ROWS),
                 .halves = type == TENSOR_Q2_K || type == TENSOR_Q3_K || type == TENSOR_Q6_K,
                 .minima = group_zero(type) == 0,
                 .zero = group_zero(type)};
    tile.offset = tile.scale + n_groups * 2 * TILE_ROWS;
    return tile;
}

// Unpacking goes down the rows, which no hardware prefetcher follows: rows are asked for in the
// order in which they lie, while the tiles before them are multiplied.
static void prefetch_rows(const char *rows, size_t row_bytes, int n_rows)
{
    for (size_t at = 0; at < row_bytes * (size_t)n_rows; at += 64)
        _mm_prefetch(rows + at, _MM_HINT_T1);
}

void gemm_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    bool floats = type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16;
    uint8_t *aligned = (uint8_t *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    size_t n_groups = (size_t)n_in / 32, tile_bytes = gemm_tile_bytes(n_in);
    Tile tiles[2] = {make_tile(type, aligned, n_groups),
                     make_tile(type, aligned + tile_bytes, n_groups)};
    prefetch_rows(w, row_bytes, n_rows < 2 * TILE_ROWS ? n_rows : 2 * TILE_ROWS);
    for (int r = 0; r < n_rows; r += 2 * TILE_ROWS) {
        int left = n_rows - r, n = left < 2 * TILE_ROWS ? left : 2 * TILE_ROWS, next = left - n;
        int n_second = n > TILE_ROWS ? n - TILE_ROWS : 0;
        const char *rows = (const char *)w + (size_t)r * row_bytes;
        if (floats) {
            gemm_floats(type, rows, row_bytes, n_in, n, acts, n_acts, y + r, y_stride,
                        (float *)(void *)aligned);
            continue;
        }
        unpack_tile(type, rows, row_bytes, n_in, n - n_second, &tiles[0]);
        unpack_tile(type, rows + TILE_ROWS * row_bytes, row_bytes, n_in, n_second, &tiles[1]);
        prefetch_rows(rows + 2 * TILE_ROWS * row_bytes, row_bytes,
                      next < 2 * TILE_ROWS ? next : 2 * TILE_ROWS);
        all_times(tiles, (int)n_groups, acts, n_acts, y + r, y_stride, (uint32_t)((1ull << n) - 1),
                  (char *)(aligned + 2 * tile_bytes));
    }
}

void dequantize_avx512(TensorType type, const void *row, int n, float *out)
{
    if (type != TENSOR_F16 && type != TENSOR_BF16) {
        kernels_ref.dequantize(type, row, n, out);
        return;
    }
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xFFFFu);
        _mm512_mask_storeu_ps(out + i, m, load_floats(type, row, i, m));
    }
}

// Prefill products: 16 weight rows are unpacked once into a tile where one register holds four
// columns of all 16 rows, then every activation vector passes over the tile. The unpacking costs
// the same for every format and is shared by all tokens of the chunk.
#include "kernels_avx512.h"

#include "unpack.h"

enum { COLUMNS = 8 }; // activation vectors at once: 8 integer and 8 float accumulators

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

// One group of one tile times n_cols vectors; from = first dword column, n_dwords 8 or 4.
static inline __attribute__((always_inline)) void multiply(const uint8_t *u, int first,
                                                           int n_dwords, const ActRow *acts,
                                                           int n_cols, int g, __m512i *products)
{
    for (int j = first; j < first + n_dwords; j++) {
        __m512i w = _mm512_load_si512(u + 64 * j);
        for (int c = 0; c < n_cols; c++)
            products[c] =
                _mm512_dpbusd_epi32(products[c], w, broadcast4(acts[c].q + 32 * g + 4 * j));
    }
}

static inline __attribute__((always_inline)) void tile_times(const Tile *t, int n_groups,
                                                             const ActRow *acts, int n_cols,
                                                             bool halves, bool minima, float *y,
                                                             size_t y_stride, __mmask16 rows)
{
    __m512 sums[COLUMNS];
    __m512i products[COLUMNS];
    for (int c = 0; c < n_cols; c++)
        sums[c] = _mm512_setzero_ps();
    for (int g = 0; g < n_groups; g++) {
        const uint8_t *u = tile_group(t, g);
        const float *scale = t->scale + (size_t)g * 2 * TILE_ROWS;
        for (int h = 0; h < (halves ? 2 : 1); h++) {
            for (int c = 0; c < n_cols; c++) {
                int total = acts[c].sums[2 * g + h] + (halves ? 0 : acts[c].sums[2 * g + 1]);
                products[c] = _mm512_set1_epi32(-t->zero * total);
            }
            multiply(u, halves ? 4 * h : 0, halves ? 4 : 8, acts, n_cols, g, products);
            __m512 s = _mm512_loadu_ps(scale + h * TILE_ROWS);
            for (int c = 0; c < n_cols; c++) {
                __m512 factor = _mm512_mul_ps(s, _mm512_set1_ps(acts[c].scale[g]));
                sums[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[c]), factor, sums[c]);
            }
        }
        for (int h = 0; h < (minima ? halves ? 2 : 1 : 0); h++) {
            __m512 m = _mm512_loadu_ps(t->offset + ((size_t)g * 2 + (size_t)h) * TILE_ROWS);
            for (int c = 0; c < n_cols; c++) {
                int total = acts[c].sums[2 * g + h] + (halves ? 0 : acts[c].sums[2 * g + 1]);
                __m512 factor = _mm512_set1_ps(acts[c].scale[g] * (float)total);
                sums[c] = _mm512_fnmadd_ps(m, factor, sums[c]);
            }
        }
    }
    for (int c = 0; c < n_cols; c++)
        _mm512_mask_storeu_ps(y + (size_t)c * y_stride, rows, sums[c]);
}

static inline __attribute__((always_inline)) void tile_times_kind(const Tile *t, int n_groups,
                                                                  const ActRow *acts, int n_cols,
                                                                  float *y, size_t y_stride,
                                                                  __mmask16 rows)
{
    if (t->halves && t->minima)
        tile_times(t, n_groups, acts, n_cols, true, true, y, y_stride, rows);
    else if (t->halves)
        tile_times(t, n_groups, acts, n_cols, true, false, y, y_stride, rows);
    else if (t->minima)
        tile_times(t, n_groups, acts, n_cols, false, true, y, y_stride, rows);
    else
        tile_times(t, n_groups, acts, n_cols, false, false, y, y_stride, rows);
}

void tile_times_avx512(Tile *t, int n_groups, const ActRow *acts, int n_acts, float *y,
                       size_t y_stride, uint16_t rows, char *scratch)
{
    (void)scratch;
    int i = 0;
    for (; i + COLUMNS <= n_acts; i += COLUMNS)
        tile_times_kind(t, n_groups, acts + i, COLUMNS, y + (size_t)i * y_stride, y_stride, rows);
    for (; i + 4 <= n_acts; i += 4)
        tile_times_kind(t, n_groups, acts + i, 4, y + (size_t)i * y_stride, y_stride, rows);
    for (; i < n_acts; i++)
        tile_times_kind(t, n_groups, acts + i, 1, y + (size_t)i * y_stride, y_stride, rows);
}

// --- F32, F16 and BF16
// ----------------------------------------------------------------------------

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

static inline __attribute__((always_inline)) void float_tile_times(const float *tile, int at, int n,
                                                                   const ActRow *acts, int n_cols,
                                                                   float *y, size_t y_stride,
                                                                   __mmask16 rows)
{
    __m512 sums[COLUMNS];
    for (int c = 0; c < n_cols; c++)
        sums[c] = at ? _mm512_maskz_loadu_ps(rows, y + (size_t)c * y_stride) : _mm512_setzero_ps();
    for (int k = 0; k < n; k++) {
        __m512 w = _mm512_load_ps(tile + (size_t)k * TILE_ROWS);
        for (int c = 0; c < n_cols; c++)
            sums[c] = _mm512_fmadd_ps(w, _mm512_set1_ps(acts[c].x[at + k]), sums[c]);
    }
    for (int c = 0; c < n_cols; c++)
        _mm512_mask_storeu_ps(y + (size_t)c * y_stride, rows, sums[c]);
}

static void gemm_floats(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows,
                        const ActRow *acts, int n_acts, float *y, size_t y_stride, float *tile)
{
    __mmask16 rows = (__mmask16)((1u << n_rows) - 1);
    for (int at = 0; at < n_in; at += TILE_DEPTH) {
        int n = n_in - at < TILE_DEPTH ? n_in - at : TILE_DEPTH, i = 0;
        transpose_tile(type, w, row_bytes, n_rows, at, n, tile);
        for (; i + COLUMNS <= n_acts; i += COLUMNS)
            float_tile_times(tile, at, n, acts + i, COLUMNS, y + (size_t)i * y_stride, y_stride,
                             rows);
        for (; i < n_acts; i++)
            float_tile_times(tile, at, n, acts + i, 1, y + (size_t)i * y_stride, y_stride, rows);
    }
}

void gemm_by_tiles(TileTimes times, TensorType type, const void *w, size_t row_bytes, int n_in,
                   int n_rows, const ActRow *acts, int n_acts, float *y, size_t y_stride,
                   void *scratch)
{
    bool floats = type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16;
    uint8_t *aligned = (uint8_t *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    size_t n_groups = (size_t)n_in / 32;
    Tile tile = {.u = aligned,
                 .scale = (float *)(void *)(aligned + n_groups * 32 * TILE_ROWS),
                 .halves = type == TENSOR_Q2_K || type == TENSOR_Q3_K || type == TENSOR_Q6_K,
                 .minima = group_zero(type) == 0,
                 .zero = group_zero(type)};
    tile.offset = tile.scale + n_groups * 2 * TILE_ROWS;
    char *rest = (char *)(tile.offset + n_groups * 2 * TILE_ROWS);
    for (int r = 0; r < n_rows; r += TILE_ROWS) {
        int n = n_rows - r < TILE_ROWS ? n_rows - r : TILE_ROWS;
        const char *rows = (const char *)w + (size_t)r * row_bytes;
        if (floats) {
            gemm_floats(type, rows, row_bytes, n_in, n, acts, n_acts, y + r, y_stride,
                        (float *)(void *)aligned);
            continue;
        }
        unpack_tile(type, rows, row_bytes, n_in, n, &tile);
        times(&tile, (int)n_groups, acts, n_acts, y + r, y_stride, (uint16_t)((1u << n) - 1), rest);
    }
}

void gemm_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    gemm_by_tiles(tile_times_avx512, type, w, row_bytes, n_in, n_rows, acts, n_acts, y, y_stride,
                  scratch);
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

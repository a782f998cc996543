// Prefill products: of 16 weight rows a block of columns is unpacked into a tile where one register
// holds four columns of all 16 rows, then every activation vector passes over the tile. The
// unpacking costs the same for every format and is shared by all tokens of the pass. Two tiles are
// multiplied at once, so that four bytes of a vector are spread over a register once for 32 rows:
// loads, of which a core does one of this width a cycle, are then fewer than products.
#include "kernels_avx512.h"

#include <assert.h>

#include "unpack.h"

// Activation vectors at once: COLUMNS times two tiles, as many integer and as many float
// accumulators; FLOAT_COLUMNS where there are only these.
enum { COLUMNS = 6, FLOAT_COLUMNS = 8, BLOCK_GROUPS = GEMM_BLOCK / 32 };

// 32 columns of two tiles: 2 TILE_ROWS rows of a quantised matrix as products want them.
typedef struct TileGroup {
    uint8_t u[8][2][4 * TILE_ROWS]; // lane r of a register = row r, columns 4j..4j+3
    float scale[2][2][TILE_ROWS];   // [half][tile][row]; the second half where halves differ
    float offset[2][2][TILE_ROWS];  // the same, only where the format has minima
} TileGroup;

// How a format's scales are laid out.
typedef struct Kind {
    bool halves; // scales differ within a group (Q2_K, Q3_K, Q6_K)
    bool minima; // offset is not zero times scale
    int zero;    // else this (unpack.h)
} Kind;

// rows[r] is 32 bytes of row r: turns 16 x 8 dwords into 8 registers of 16 dwords. Rows r and r + 8
// share a register, so that this is the exchange of 8 x 8 in both halves at once.
static inline __attribute__((always_inline)) void interleave(const __m256i *rows, __m512i *out)
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
        out[j] = _mm512_permutex2var_epi64(fours[j], low, fours[j + 4]);
        out[j + 4] = _mm512_permutex2var_epi64(fours[j], high, fours[j + 4]);
    }
}

// 16 bytes of each row as dwords, lane r of out[j] = row r's dword j: the exchange of 4 x 4 in all
// four parts of a register at once. Rows past n_rows are zero.
static inline __attribute__((always_inline)) void load_dwords(const char *w, size_t row_bytes,
                                                              int n_rows, __m512i *out)
{
    __m512i rows[4], pairs[4];
    for (int i = 0; i < 4; i++) {
        __m128i part[4];
        for (int j = 0; j < 4; j++) {
            const char *row = w + (size_t)(4 * j + i) * row_bytes;
            part[j] = 4 * j + i < n_rows ? _mm_loadu_si128((const __m128i *)(const void *)row)
                                         : _mm_setzero_si128();
        }
        __m256i low = _mm256_set_m128i(part[1], part[0]), high = _mm256_set_m128i(part[3], part[2]);
        rows[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    for (int i = 0; i < 2; i++) {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        out[2 * i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        out[2 * i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
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

static inline __attribute__((always_inline)) void unpack_bytes(TensorType type, const char *w,
                                                               size_t row_bytes, int n_groups,
                                                               int n_rows, TileGroup *groups,
                                                               int tile)
{
    __m256i rows[TILE_ROWS];
    for (int r = n_rows; r < TILE_ROWS; r++)
        rows[r] = _mm256_setzero_si256();
    for (int g = 0; g < n_groups; g++) {
        for (int r = 0; r < n_rows; r++)
            rows[r] = group_bytes(type, w + (size_t)r * row_bytes, g);
        __m512i u[8];
        interleave(rows, u);
        for (int j = 0; j < 8; j++)
            _mm512_store_si512(groups[g].u[j][tile], u[j]);
    }
}

// Of Q4_K two groups at once: the low nibbles of 32 bytes are one's, the high ones the next one's.
static void unpack_nibbles(const char *w, size_t row_bytes, int n_groups, int n_rows,
                           TileGroup *groups, int tile)
{
    const __m512i mask = _mm512_set1_epi8(15);
    __m256i rows[TILE_ROWS];
    for (int r = n_rows; r < TILE_ROWS; r++)
        rows[r] = _mm256_setzero_si256();
    for (int g = 0; g < n_groups; g += 2) {
        for (int r = 0; r < n_rows; r++) {
            const BlockQ4K *b = (const BlockQ4K *)(const void *)(w + (size_t)r * row_bytes) + g / 8;
            rows[r] = _mm256_loadu_si256((const __m256i *)(b->qs + 16 * (g % 8)));
        }
        __m512i u[8];
        interleave(rows, u);
        for (int j = 0; j < 8; j++) {
            __m512i high = _mm512_srli_epi16(u[j], 4);
            _mm512_store_si512(groups[g].u[j][tile], _mm512_and_si512(u[j], mask));
            _mm512_store_si512(groups[g + 1].u[j][tile], _mm512_and_si512(high, mask));
        }
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
static inline __attribute__((always_inline)) void unpack_scales_16(TensorType type, const char *w,
                                                                   size_t row_bytes, int n_groups,
                                                                   int n_rows, TileGroup *groups,
                                                                   int tile)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    for (int i = 0; i < n_groups / 8; i++) {
        __m512 scales[TILE_ROWS], mins[TILE_ROWS];
        for (int r = 0; r < TILE_ROWS; r++) {
            scales[r] = mins[r] = _mm512_setzero_ps();
            if (r < n_rows)
                scales[r] = sixteen_scales(
                    type, w + (size_t)r * row_bytes + (size_t)i * block_bytes, &mins[r]);
        }
        transpose_16(scales);
        if (type == TENSOR_Q2_K) transpose_16(mins);
        for (int k = 0; k < 16; k++) {
            TileGroup *to = &groups[8 * i + k / 2];
            _mm512_store_ps(to->scale[k % 2][tile], scales[k]);
            if (type == TENSOR_Q2_K) _mm512_store_ps(to->offset[k % 2][tile], mins[k]);
        }
    }
}

// Blocks of 32 elements: the first four bytes of all rows' blocks are gathered, d and, in *_1, m
// after it.
static inline __attribute__((always_inline)) void unpack_scales_32(TensorType type, const char *w,
                                                                   size_t row_bytes, int n_groups,
                                                                   int n_rows, TileGroup *groups,
                                                                   int tile)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    const __mmask16 rows = (__mmask16)((1u << n_rows) - 1);
    const __m512i at =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32((int)row_bytes));
    for (int g = 0; g < n_groups; g++) {
        __m512i heads = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), rows, at,
                                                    w + (size_t)g * block_bytes, 1);
        __m512 scale = type == TENSOR_MXFP4 ? fp4_scales(heads)
                                            : _mm512_cvtph_ps(_mm512_cvtepi32_epi16(heads));
        _mm512_store_ps(groups[g].scale[0][tile], scale);
        if (type != TENSOR_Q4_1 && type != TENSOR_Q5_1) continue;
        __m512 m = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(heads, 16)));
        _mm512_store_ps(groups[g].offset[0][tile], _mm512_sub_ps(_mm512_setzero_ps(), m));
    }
}

// (v >> shift) & mask
static inline __m512i bits_of(__m512i v, int shift, int mask)
{
    return _mm512_and_si512(_mm512_srli_epi32(v, (unsigned)shift), _mm512_set1_epi32(mask));
}

// Six bits of scale (or minimum) k of a Q4_K or Q5_K block; own: the dword of scales 0 to 3 (of
// minima), rest: the last dword, where the low (high) four bits of 4 to 7 are.
static inline __attribute__((always_inline)) __m512i k_scale(__m512i own, __m512i rest, int k,
                                                             bool minimum)
{
    if (k < 4) return bits_of(own, 8 * k, 63);
    __m512i low = bits_of(rest, 8 * (k - 4) + (minimum ? 4 : 0), 15);
    return _mm512_or_si512(low, _mm512_slli_epi32(bits_of(own, 8 * (k - 4) + 6, 3), 4));
}

// Q4_K and Q5_K: both blocks begin with d, dmin and 12 bytes of scales and minima.
static inline __attribute__((always_inline)) void unpack_scales_k(TensorType type, const char *w,
                                                                  size_t row_bytes, int n_groups,
                                                                  int n_rows, TileGroup *groups,
                                                                  int tile)
{
    const size_t block_bytes = type == TENSOR_Q4_K ? sizeof(BlockQ4K) : sizeof(BlockQ5K);
    for (int i = 0; i < n_groups / 8; i++, w += block_bytes) {
        __m512i heads[4];
        load_dwords(w, row_bytes, n_rows, heads);
        __m512 d = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(heads[0]));
        __m512 dmin = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(heads[0], 16)));
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++) {
            __m512 scale = _mm512_cvtepi32_ps(k_scale(heads[1], heads[3], k, false));
            __m512 min = _mm512_cvtepi32_ps(k_scale(heads[2], heads[3], k, true));
            _mm512_store_ps(groups[8 * i + k].scale[0][tile], _mm512_mul_ps(scale, d));
            _mm512_store_ps(groups[8 * i + k].offset[0][tile], _mm512_mul_ps(min, dmin));
        }
    }
}

static void unpack_tile(TensorType type, const char *w, size_t row_bytes, int n_groups, int n_rows,
                        TileGroup *groups, int tile)
{
    if (n_rows == 0) return; // what is in the tile is multiplied, and stored nowhere
    switch (type) {
#define UNPACK(name, scales)                                                                       \
    case name:                                                                                     \
        unpack_bytes(name, w, row_bytes, n_groups, n_rows, groups, tile);                          \
        scales(name, w, row_bytes, n_groups, n_rows, groups, tile);                                \
        return;
        UNPACK(TENSOR_Q8_0, unpack_scales_32)
        UNPACK(TENSOR_Q4_0, unpack_scales_32)
        UNPACK(TENSOR_Q5_0, unpack_scales_32)
        UNPACK(TENSOR_IQ4_NL, unpack_scales_32)
        UNPACK(TENSOR_Q4_1, unpack_scales_32)
        UNPACK(TENSOR_Q5_1, unpack_scales_32)
        UNPACK(TENSOR_MXFP4, unpack_scales_32)
        UNPACK(TENSOR_Q2_K, unpack_scales_16)
        UNPACK(TENSOR_Q3_K, unpack_scales_16)
        UNPACK(TENSOR_Q6_K, unpack_scales_16)
        UNPACK(TENSOR_IQ4_XS, unpack_scales_16)
        UNPACK(TENSOR_Q5_K, unpack_scales_k)
#undef UNPACK
    case TENSOR_Q4_K:
        unpack_nibbles(w, row_bytes, n_groups, n_rows, groups, tile);
        unpack_scales_k(TENSOR_Q4_K, w, row_bytes, n_groups, n_rows, groups, tile);
        return;
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

// What a block's products of one vector need beside its bytes: a scale for each group and, for each
// group or with `halves` each half, what makes up for the format's zero. Where it has minima, these
// are multiplied with the vector's scale times its sum; elsewhere the sum of products begins at
// minus `zero` times the vector's sum.
typedef struct Factors {
    float scale[BLOCK_GROUPS];
    union {
        float scaled[2 * BLOCK_GROUPS];
        int32_t begins[2 * BLOCK_GROUPS];
    };
} Factors;

static void fill_factors(Kind kind, const ActRow *act, int first, int n_groups, Factors *out)
{
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __mmask16 m = (__mmask16)((1u << n_groups) - 1);
    const int16_t *sums = act->sums + 2 * first;
    __m512 scale = _mm512_maskz_loadu_ps(m, act->scale + first);
    __m512i both = _mm512_maskz_loadu_epi16((__mmask32)((1ull << 2 * n_groups) - 1), sums);
    _mm512_store_ps(out->scale, scale);
    for (int h = 0; h < (kind.halves ? 2 : 1); h++) {
        __m512i part = _mm512_madd_epi16(both, _mm512_set1_epi16(1));
        __m512 factor = scale;
        if (kind.halves) {
            part = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(both, 0));
            both = _mm512_shuffle_i64x2(both, both, 0x4E);
            factor = _mm512_permutexvar_ps(twice, scale);
            scale = _mm512_shuffle_f32x4(scale, scale, 0x4E);
        }
        if (kind.minima)
            _mm512_store_ps(out->scaled + 16 * h, _mm512_mul_ps(factor, _mm512_cvtepi32_ps(part)));
        else
            _mm512_store_si512(out->begins + 16 * h,
                               _mm512_mullo_epi32(part, _mm512_set1_epi32(-kind.zero)));
    }
}

// products of 32 (16 with `halves`) columns of a group of both tiles times n_cols vectors at q.
static inline __attribute__((always_inline)) void multiply(const uint8_t (*u)[2][4 * TILE_ROWS],
                                                           int n_dwords, const int8_t *const *q,
                                                           int at, int n_cols,
                                                           __m512i (*products)[COLUMNS])
{
#pragma GCC unroll 8
    for (int j = 0; j < n_dwords; j++) {
        __m512i w0 = _mm512_load_si512(u[j][0]), w1 = _mm512_load_si512(u[j][1]);
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++) {
            __m512i a = broadcast4(q[c] + at + 4 * j);
            products[0][c] = _mm512_dpbusd_epi32(products[0][c], w0, a);
            products[1][c] = _mm512_dpbusd_epi32(products[1][c], w1, a);
        }
    }
}

// A block of columns of two tiles, from group `first` on, and where its products go:
// y[c * y_stride + r] for vector c and the rows r of the mask, the first 16 of which are the first
// tile's. Blocks after the first are added to what is there.
typedef struct Block {
    const TileGroup *tiles;
    int first, n_groups;
    float *y;
    size_t y_stride;
    uint32_t rows;
} Block;

// Both tiles times vectors at .. at + n_cols - 1.
static inline __attribute__((always_inline)) void tiles_times(const Block *b, const ActRow *acts,
                                                              const Factors *factors, int at,
                                                              int n_cols, bool halves, bool minima)
{
    const TileGroup *t = b->tiles;
    const __mmask16 rows0 = (__mmask16)b->rows, rows1 = (__mmask16)(b->rows >> 16);
    float *y = b->y + (size_t)at * b->y_stride;
    const int parts = halves ? 2 : 1;
    __m512 sums[2][COLUMNS];
    __m512i products[2][COLUMNS];
    const int8_t *q[COLUMNS];
    factors += at;
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        float *to = y + (size_t)c * b->y_stride;
        q[c] = acts[at + c].q + 32 * (size_t)b->first;
        sums[0][c] = b->first ? _mm512_maskz_loadu_ps(rows0, to) : _mm512_setzero_ps();
        sums[1][c] = b->first ? _mm512_maskz_loadu_ps(rows1, to + TILE_ROWS) : _mm512_setzero_ps();
    }
    for (int g = 0; g < b->n_groups; g++, t++) {
        for (int h = 0; h < parts; h++) {
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++)
                products[0][c] = products[1][c] =
                    minima ? _mm512_setzero_si512()
                           : _mm512_set1_epi32(factors[c].begins[parts * g + h]);
            multiply(t->u + 4 * h, 8 / parts, q, 32 * g + 16 * h, n_cols, products);
            __m512 s0 = _mm512_load_ps(t->scale[h][0]), s1 = _mm512_load_ps(t->scale[h][1]);
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++) {
                __m512 act = _mm512_set1_ps(factors[c].scale[g]);
                sums[0][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[0][c]),
                                             _mm512_mul_ps(s0, act), sums[0][c]);
                sums[1][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[1][c]),
                                             _mm512_mul_ps(s1, act), sums[1][c]);
            }
        }
        for (int h = 0; h < (minima ? parts : 0); h++) {
            __m512 m0 = _mm512_load_ps(t->offset[h][0]), m1 = _mm512_load_ps(t->offset[h][1]);
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++) {
                __m512 total = _mm512_set1_ps(factors[c].scaled[parts * g + h]);
                sums[0][c] = _mm512_fnmadd_ps(m0, total, sums[0][c]);
                sums[1][c] = _mm512_fnmadd_ps(m1, total, sums[1][c]);
            }
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        float *to = y + (size_t)c * b->y_stride;
        _mm512_mask_storeu_ps(to, rows0, sums[0][c]);
        _mm512_mask_storeu_ps(to + TILE_ROWS, rows1, sums[1][c]);
    }
}

// Lines of a block's rows, asked for little by little while the block before it is multiplied: no
// hardware prefetcher follows many rows at once.
typedef struct Ahead {
    uintptr_t row;
    size_t row_bytes;
    int n_rows, n_lines; // rows left; lines of a row's part
    int line;            // of the row, the next one
} Ahead;

static inline void look_ahead(Ahead *a, int n)
{
    for (; n > 0 && a->n_rows > 0; n--) {
        _mm_prefetch((const char *)(a->row + 64 * (size_t)a->line), _MM_HINT_T0);
        if (++a->line < a->n_lines) continue;
        a->line = 0;
        a->row += a->row_bytes;
        a->n_rows--;
    }
}

static inline __attribute__((always_inline)) void all_times(const Block *b, const ActRow *acts,
                                                            const Factors *factors, int n_acts,
                                                            bool halves, bool minima, Ahead *ahead)
{
    const int n_steps = n_acts < COLUMNS ? 1 : n_acts / COLUMNS;
    const int each = ahead->n_rows * ahead->n_lines / n_steps + 1;
    int i = 0;
#define COLUMNS_AT_ONCE(n)                                                                         \
    for (; i + (n) <= n_acts; i += (n)) {                                                          \
        look_ahead(ahead, each);                                                                   \
        tiles_times(b, acts, factors, i, n, halves, minima);                                       \
    }
    COLUMNS_AT_ONCE(COLUMNS)
    COLUMNS_AT_ONCE(4)
    COLUMNS_AT_ONCE(2)
    COLUMNS_AT_ONCE(1)
#undef COLUMNS_AT_ONCE
}

static void all_times_kind(Kind kind, const Block *b, const ActRow *acts, const Factors *factors,
                           int n_acts, Ahead *ahead)
{
#define KIND(by_halves, with_minima)                                                               \
    if (kind.halves == (by_halves) && kind.minima == (with_minima))                                \
        all_times(b, acts, factors, n_acts, by_halves, with_minima, ahead);
    KIND(false, false)
    KIND(false, true)
    KIND(true, false)
    KIND(true, true)
#undef KIND
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

static Kind kind_of(TensorType type)
{
    return (Kind){.halves = type == TENSOR_Q2_K || type == TENSOR_Q3_K || type == TENSOR_Q6_K,
                  .minima = group_zero(type) == 0,
                  .zero = group_zero(type)};
}

// What lies in memory after a pair of tiles is asked for: the next rows, the next block of the
// first rows, or the rows after the last, which are the thread's next as a rule.
static Ahead next_rows(const char *w, size_t row_bytes, size_t block_bytes, int block, bool last,
                       int row, int n_rows)
{
    bool wraps = row + 2 * TILE_ROWS >= n_rows;
    size_t next_row = !wraps ? (size_t)row + 2 * TILE_ROWS : last ? (size_t)n_rows : 0;
    size_t next_block = !wraps ? (size_t)block : last ? 0 : (size_t)block + 1;
    return (Ahead){.row = (uintptr_t)w + next_row * row_bytes + next_block * block_bytes,
                   .row_bytes = row_bytes,
                   .n_rows = 2 * TILE_ROWS,
                   .n_lines = (int)(block_bytes / 64) + 1};
}

// At most GEMM_ACTS vectors. A block's tiles stay in the first cache while all vectors pass over
// them.
static void gemm_quantised(TensorType type, const char *w, size_t row_bytes, int n_in, int n_rows,
                           const ActRow *acts, int n_acts, float *y, size_t y_stride, char *scratch)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    const Kind kind = kind_of(type);
    const size_t block_bytes =
        (size_t)(GEMM_BLOCK / info->block_elements) * (size_t)info->block_bytes;
    const int n_all = n_in / 32;
    TileGroup *tiles = (TileGroup *)(void *)scratch;
    Factors *factors = (Factors *)(void *)(tiles + BLOCK_GROUPS);
    for (int i = 0; i * BLOCK_GROUPS < n_all; i++) {
        Block b = {tiles, i * BLOCK_GROUPS, n_all - i * BLOCK_GROUPS, y, y_stride, 0};
        bool last = b.n_groups <= BLOCK_GROUPS;
        if (!last) b.n_groups = BLOCK_GROUPS;
        for (int c = 0; c < n_acts; c++)
            fill_factors(kind, &acts[c], b.first, b.n_groups, &factors[c]);
        for (int r = 0; r < n_rows; r += 2 * TILE_ROWS, b.y += 2 * TILE_ROWS) {
            int n = n_rows - r < 2 * TILE_ROWS ? n_rows - r : 2 * TILE_ROWS;
            int n_first = n < TILE_ROWS ? n : TILE_ROWS;
            const char *rows = w + (size_t)r * row_bytes + (size_t)i * block_bytes;
            Ahead ahead = next_rows(w, row_bytes, block_bytes, i, last, r, n_rows);
            unpack_tile(type, rows, row_bytes, b.n_groups, n_first, tiles, 0);
            unpack_tile(type, rows + TILE_ROWS * row_bytes, row_bytes, b.n_groups, n - n_first,
                        tiles, 1);
            b.rows = (uint32_t)((1ull << n) - 1);
            all_times_kind(kind, &b, acts, factors, n_acts, &ahead);
        }
    }
}

void gemm_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    char *aligned = (char *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    if (type == TENSOR_F32 || type == TENSOR_F16 || type == TENSOR_BF16) {
        for (int r = 0; r < n_rows; r += 2 * TILE_ROWS)
            gemm_floats(type, (const char *)w + (size_t)r * row_bytes, row_bytes, n_in,
                        n_rows - r < 2 * TILE_ROWS ? n_rows - r : 2 * TILE_ROWS, acts, n_acts,
                        y + r, y_stride, (float *)(void *)aligned);
        return;
    }
    static_assert(BLOCK_GROUPS * sizeof(TileGroup) + GEMM_ACTS * sizeof(Factors) ==
                      GEMM_BLOCK_BYTES,
                  "what gemm_scratch_bytes counts with");
    for (int i = 0; i < n_acts; i += GEMM_ACTS)
        gemm_quantised(type, w, row_bytes, n_in, n_rows, acts + i,
                       n_acts - i < GEMM_ACTS ? n_acts - i : GEMM_ACTS, y + (size_t)i * y_stride,
                       y_stride, aligned);
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

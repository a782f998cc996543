// Prefill products: of 16 weight rows a block of columns is unpacked into a tile where one register
// holds four columns of all 16 rows, then every activation vector passes over the tile. The
// unpacking costs the same for every format and is shared by all tokens of the pass. Two tiles are
// multiplied at once, so that four bytes of a vector are spread over a register once for 32 rows:
// loads, of which a core does one of this width a cycle, are then fewer than products.
#include "kernels_avx512.h"

#include <assert.h>

#include "activation.h"
#include "unpack.h"

// Activation vectors at once: COLUMNS times two tiles, as many integer and as many float
// accumulators; FLOAT_COLUMNS where there are only these.
enum { COLUMNS = 6, FLOAT_COLUMNS = 8 };

static inline __m512i broadcast4(const int8_t *q)
{
    int32_t v;
    memcpy(&v, q, 4);
    return _mm512_set1_epi32(v);
}

// What a block's products of one vector need beside its bytes: the scale of each group; how far
// the sums of groups 2i are shifted right, after ACT_MAX_SHIFT to the left, for those of 2i + 1 to
// be added; and, since weights lie 128 below their bytes, minus 128 times the vector's sum.
typedef struct Factors {
    float scale[GEMM_BLOCK_GROUPS];
    int32_t shift[GEMM_BLOCK_GROUPS / 2];
    float begin;
} Factors;

// Returns whether all pairs of groups have scales a power of two apart that shifts can do.
static bool fill_factors(const ActRow *act, int first, int n_groups, Factors *out)
{
    const __mmask16 m = (__mmask16)((1u << n_groups) - 1);
    const __mmask8 pairs = (__mmask8)((1u << n_groups / 2) - 1);
    const int16_t *at = act->sums + 2 * first;
    __m512 scale = _mm512_maskz_loadu_ps(m, act->scale + first);
    __m512i sums = _mm512_maskz_loadu_epi16((__mmask32)((1ull << 2 * n_groups) - 1), at);
    sums = _mm512_madd_epi16(sums, _mm512_set1_epi16(-128));
    _mm512_storeu_ps(out->scale, scale);

    const __m256i one = _mm512_cvtepi64_epi32(_mm512_castps_si512(scale));
    const __m256i other = _mm512_cvtepi64_epi32(_mm512_srli_epi64(_mm512_castps_si512(scale), 32));
    const __m256i ratio = _mm256_sub_epi32(one, other); // the power of two above 23 zero bits
    const __m256i most = _mm256_set1_epi32(ACT_MAX_SHIFT);
    __m256i shift = _mm256_sub_epi32(most, _mm256_srai_epi32(ratio, 23));
    _mm256_storeu_si256((__m256i *)(void *)out->shift,
                        _mm256_min_epi32(shift, _mm256_set1_epi32(31)));
    // A shift to the right rounds down, by half a step on average.
    const __mmask8 coarser = pairs & _mm256_cmpgt_epi32_mask(shift, most);
    const __m256 halves =
        _mm256_maskz_mul_ps(coarser, _mm256_castsi256_ps(other), _mm256_set1_ps(0.5f));
    out->begin = _mm512_reduce_add_ps(
        _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(sums), _mm512_zextps256_ps512(halves)));
    return !(pairs & (_mm256_test_epi32_mask(ratio, _mm256_set1_epi32((1 << 23) - 1)) |
                      _mm256_cmplt_epi32_mask(shift, _mm256_setzero_si256())));
}

// Adds the products of a group's 32 columns of both tiles with n_cols vectors at q.
static inline __attribute__((always_inline)) void multiply(const uint8_t (*u)[2][4 * TILE_ROWS],
                                                           const int8_t *const *q, int at,
                                                           int n_cols, __m512i (*products)[COLUMNS])
{
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
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
    const Tiles *tiles;
    int first, n_groups;
    bool paired; // scales of every vector
    float *y;
    size_t y_stride;
    uint32_t rows;
} Block;

// Lines of a block's rows, asked for little by little while the block before it is multiplied: no
// hardware prefetcher follows many rows at once.
typedef struct Ahead {
    uintptr_t row;
    size_t row_bytes;
    int n_rows, n_lines; // rows left; lines of a row's part
    int line;            // of the row, the next one
    int n_at_once;       // few: a core waits for some two dozen lines at a time
} Ahead;

static inline void look_ahead(Ahead *a)
{
    for (int n = a->n_at_once; n > 0 && a->n_rows > 0; n--) {
        _mm_prefetch((const char *)(a->row + 64 * (size_t)a->line), _MM_HINT_T0);
        if (++a->line < a->n_lines) continue;
        a->line = 0;
        a->row += a->row_bytes;
        a->n_rows--;
    }
}

// A vector's sums of both tiles' rows, times their scales, to what is at `to`. Stores under a mask
// take several times as long, and most where the line is not at hand.
static inline __attribute__((always_inline)) void
add_scaled(const Block *b, float *to, __m512 sum0, __m512 sum1, __m512 scale0, __m512 scale1)
{
    const __mmask16 rows0 = (__mmask16)b->rows, rows1 = (__mmask16)(b->rows >> 16);
    __m512 old0 = _mm512_setzero_ps(), old1 = old0;
    if (b->first > 0) {
        old0 = _mm512_maskz_loadu_ps(rows0, to);
        old1 = _mm512_maskz_loadu_ps(rows1, to + TILE_ROWS);
    }
    sum0 = _mm512_fmadd_ps(sum0, scale0, old0);
    sum1 = _mm512_fmadd_ps(sum1, scale1, old1);
    if (b->rows == UINT32_MAX) {
        _mm512_storeu_ps(to, sum0);
        _mm512_storeu_ps(to + TILE_ROWS, sum1);
        return;
    }
    _mm512_mask_storeu_ps(to, rows0, sum0);
    _mm512_mask_storeu_ps(to + TILE_ROWS, rows1, sum1);
}

// The sums of a pair's first group on the scale of its second: up to 20 bits and a sign.
static inline __m512i shifted(__m512i sums, __m512i shift)
{
    return _mm512_srav_epi32(_mm512_slli_epi32(sums, ACT_MAX_SHIFT), shift);
}

// Both tiles times vectors at .. at + n_cols - 1.
static inline __attribute__((always_inline)) void tiles_times(const Block *b, const ActRow *acts,
                                                              const Factors *factors, int at,
                                                              int n_cols, Ahead *ahead)
{
    float *y = b->y + (size_t)at * b->y_stride;
    __m512 sums[2][COLUMNS];
    const int8_t *q[COLUMNS];
    const int n_paired = b->paired ? b->n_groups / 2 * 2 : 0;
    factors += at;
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++) {
        q[c] = acts[at + c].q + 32 * (size_t)b->first;
        sums[0][c] = sums[1][c] = _mm512_set1_ps(factors[c].begin);
    }
    __m512i products[2][COLUMNS];
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++)
        products[0][c] = products[1][c] = _mm512_setzero_si512();
    for (int g = 0; g < b->n_groups; g++) {
        look_ahead(ahead);
        multiply(b->tiles->u[g], q, 32 * g, n_cols, products);
        if (g < n_paired && g % 2 == 0) {
#pragma GCC unroll 8
            for (int c = 0; c < n_cols; c++) {
                __m512i shift = _mm512_set1_epi32(factors[c].shift[g / 2]);
                products[0][c] = shifted(products[0][c], shift);
                products[1][c] = shifted(products[1][c], shift);
            }
            continue;
        }
#pragma GCC unroll 8
        for (int c = 0; c < n_cols; c++) {
            __m512 act = _mm512_set1_ps(factors[c].scale[g]);
            sums[0][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[0][c]), act, sums[0][c]);
            sums[1][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[1][c]), act, sums[1][c]);
            products[0][c] = products[1][c] = _mm512_setzero_si512();
        }
    }
    const __m512 s0 = _mm512_load_ps(b->tiles->scale[0]), s1 = _mm512_load_ps(b->tiles->scale[1]);
#pragma GCC unroll 8
    for (int c = 0; c < n_cols; c++)
        add_scaled(b, y + (size_t)c * b->y_stride, sums[0][c], sums[1][c], s0, s1);
}

// Vectors go over the tiles in groups of equal size, or one fewer.
static void all_times(const Block *b, const ActRow *acts, const Factors *factors, int n_acts,
                      Ahead *ahead)
{
    const int n_steps = (n_acts - 1) / COLUMNS + 1;
    ahead->n_at_once = ahead->n_rows * ahead->n_lines / (n_steps * b->n_groups) + 1;
    for (int step = 0, at = 0; step < n_steps; step++) {
        const int n_cols = (n_acts - at) / (n_steps - step);
        switch (n_cols) {
#define COLUMNS_AT_ONCE(n)                                                                         \
    case n:                                                                                        \
        tiles_times(b, acts, factors, at, n, ahead);                                               \
        break;
            COLUMNS_AT_ONCE(1)
            COLUMNS_AT_ONCE(2)
            COLUMNS_AT_ONCE(3)
            COLUMNS_AT_ONCE(4)
            COLUMNS_AT_ONCE(5)
            COLUMNS_AT_ONCE(6)
#undef COLUMNS_AT_ONCE
        }
        at += n_cols;
    }
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
    const size_t block_bytes =
        (size_t)(GEMM_BLOCK / info->block_elements) * (size_t)info->block_bytes;
    const int n_all = n_in / 32;
    Tiles *tiles = (Tiles *)(void *)scratch;
    Factors *factors = (Factors *)(void *)(tiles + 1);
    for (int i = 0; i * GEMM_BLOCK_GROUPS < n_all; i++) {
        Block b = {.tiles = tiles,
                   .first = i * GEMM_BLOCK_GROUPS,
                   .n_groups = n_all - i * GEMM_BLOCK_GROUPS,
                   .paired = true,
                   .y = y,
                   .y_stride = y_stride};
        bool last = b.n_groups <= GEMM_BLOCK_GROUPS;
        if (!last) b.n_groups = GEMM_BLOCK_GROUPS;
        for (int c = 0; c < n_acts; c++)
            b.paired &= fill_factors(&acts[c], b.first, b.n_groups, &factors[c]);
        for (int r = 0; r < n_rows; r += 2 * TILE_ROWS, b.y += 2 * TILE_ROWS) {
            int n = n_rows - r < 2 * TILE_ROWS ? n_rows - r : 2 * TILE_ROWS;
            int n_first = n < TILE_ROWS ? n : TILE_ROWS;
            const char *rows = w + (size_t)r * row_bytes + (size_t)i * block_bytes;
            Ahead ahead = next_rows(w, row_bytes, block_bytes, i, last, r, n_rows);
            unpack_tile_avx512(type, rows, row_bytes, b.n_groups, n_first, tiles, 0);
            unpack_tile_avx512(type, rows + TILE_ROWS * row_bytes, row_bytes, b.n_groups,
                               n - n_first, tiles, 1);
            b.rows = (uint32_t)((1ull << n) - 1);
            all_times(&b, acts, factors, n_acts, &ahead);
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
    static_assert(sizeof(Tiles) + GEMM_ACTS * sizeof(Factors) == GEMM_BLOCK_BYTES,
                  "what gemm_scratch_bytes counts with");
    for (int i = 0; i < n_acts; i += GEMM_ACTS)
        gemm_quantised(type, w, row_bytes, n_in, n_rows, acts + i,
                       n_acts - i < GEMM_ACTS ? n_acts - i : GEMM_ACTS, y + (size_t)i * y_stride,
                       y_stride, aligned);
}

// Group by group: the product needs no rounding (unpack.h), so that the bits are those of plain C.
static void dequantize_groups(TensorType type, const void *row, int n, float *out)
{
    const __m512i zero = _mm512_set1_epi32(group_zero(type));
    for (int g = 0; g < n / 32; g++) {
        float scale[2], min[2];
        __m256i bytes = group_bytes(type, row, g);
        __m128i parts[2] = {_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)};
        group_scales(type, row, g, scale, min);
        for (int h = 0; h < 2; h++) {
            __m512 x = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(parts[h]), zero));
            x = _mm512_fmsub_ps(_mm512_set1_ps(scale[h]), x, _mm512_set1_ps(min[h]));
            _mm512_storeu_ps(out + 32 * g + 16 * h, x);
        }
    }
}

void dequantize_avx512(TensorType type, const void *row, int n, float *out)
{
    if (type == TENSOR_F32) {
        memcpy(out, row, (size_t)n * sizeof *out);
        return;
    }
    if (type != TENSOR_F16 && type != TENSOR_BF16) {
        dequantize_groups(type, row, n, out);
        return;
    }
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xFFFFu);
        _mm512_mask_storeu_ps(out + i, m, load_floats(type, row, i, m));
    }
}

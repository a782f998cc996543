// Weights on their way to prefill products: 16 rows of a block of columns in any quantised format
// become 8-bit numbers with one scale a row, so that nothing but the vectors' scales is left to
// multiply with while products are added up. Rows lie in the lanes from the first load on: what the
// file has of 16 rows, four bytes of each, is one register.
//
// The scale is a 127th of the largest weight that the row's scales in the block allow: a rounding
// of 8 bits, finer by far than that of the format itself except for Q8_0, where it comes to about
// as much.
#include "kernels_avx512.h"

enum { MAX_PARTS = 2 * GEMM_BLOCK_GROUPS, MAX_ROW_BYTES = GEMM_BLOCK_GROUPS * sizeof(BlockQ8_0) };

// Where 16 rows lie.
typedef struct Rows {
    const char *first;
    size_t bytes; // from one to the next
} Rows;

// Scales and minima (unpack.h) of the rows for every part of a block: a group of 32 columns, or a
// half of it where the format's scales are for 16.
typedef struct Steps {
    float scale[MAX_PARTS][TILE_ROWS], min[MAX_PARTS][TILE_ROWS];
} Steps;

// How a byte v of the format becomes one of a tile: the high byte of v * factor + offset. Both
// stand twice in a row's lane.
typedef struct Grid {
    uint32_t factor[MAX_PARTS][TILE_ROWS], offset[MAX_PARTS][TILE_ROWS];
} Grid;

// --- loads ---------------------------------------------------------------------------------------

// 16 bytes of each row at offset `at`: lane r of out[j] is row r's dword j. Four rows a register,
// then the exchange of 4 x 4 in all four parts of a register at once.
static inline __attribute__((always_inline)) void load_dwords(Rows w, size_t at, __m512i *out)
{
    __m512i rows[4], pairs[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        const char *row = w.first + at + i * w.bytes;
#define PART(j) _mm_loadu_si128((const __m128i *)(const void *)(row + 4 * (j)*w.bytes))
        rows[i] = _mm512_broadcast_i32x4(PART(0));
        rows[i] = _mm512_mask_broadcast_i32x4(rows[i], 0x00F0, PART(1));
        rows[i] = _mm512_mask_broadcast_i32x4(rows[i], 0x0F00, PART(2));
        rows[i] = _mm512_mask_broadcast_i32x4(rows[i], 0xF000, PART(3));
#undef PART
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

// (v >> shift) & mask in every dword.
static inline __m512i bits_of(__m512i v, int shift, int mask)
{
    return _mm512_and_si512(_mm512_srli_epi32(v, (unsigned)shift), _mm512_set1_epi32(mask));
}

// Bits of every byte, moved up or down so that the mask takes them.
static inline __m512i byte_bits(__m512i v, int up, int mask)
{
    v = up < 0 ? _mm512_srli_epi16(v, (unsigned)-up) : _mm512_slli_epi16(v, (unsigned)up);
    return _mm512_and_si512(v, _mm512_set1_epi8((char)mask));
}

static inline __m512 low_half(__m512i v)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}

static inline __m512 high_half(__m512i v)
{
    return low_half(_mm512_srli_epi32(v, 16));
}

// --- scales --------------------------------------------------------------------------------------

// block_fp4_scale of the lowest byte of every lane.
static inline __m512 fp4_scales(__m512i heads)
{
    __m512i e = _mm512_and_si512(heads, _mm512_set1_epi32(255)), one = _mm512_set1_epi32(1);
    __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
    __m512i small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    return _mm512_castsi512_ps(
        _mm512_mask_blend_epi32(_mm512_cmpgt_epi32_mask(e, one), small, normal));
}

// Six bits of scale (or minimum) k of a Q4_K or Q5_K block; own: the dword of scales 0 to 3 (of
// minima), rest: the last dword, where the low (high) four bits of 4 to 7 are.
static inline __m512i k_scale(__m512i own, __m512i rest, int k, bool minimum)
{
    if (k < 4) return bits_of(own, 8 * k, 63);
    __m512i low = bits_of(rest, 8 * (k - 4) + (minimum ? 4 : 0), 15);
    return _mm512_or_si512(low, _mm512_slli_epi32(bits_of(own, 8 * (k - 4) + 6, 3), 4));
}

// Scale k of a Q3_K block (block_q3k_scale), s being its twelve bytes.
static inline __m512i q3k_scale(const __m512i *s, int k)
{
    __m512i low = bits_of(s[k / 4 % 2], 8 * (k % 4) + k / 8 * 4, 15);
    __m512i high = _mm512_slli_epi32(bits_of(s[2], 8 * (k % 4) + k / 4 * 2, 3), 4);
    return _mm512_sub_epi32(_mm512_or_si512(low, high), _mm512_set1_epi32(32));
}

// Scale k of an IQ4_XS block (block_iq4xs_scale): high bits above d in the first dword.
static inline __m512i iq4xs_scale(const __m512i *heads, int k)
{
    __m512i high = _mm512_slli_epi32(bits_of(heads[0], 16 + 2 * k, 3), 4);
    return _mm512_sub_epi32(_mm512_or_si512(bits_of(heads[1], 4 * k, 15), high),
                            _mm512_set1_epi32(32));
}

static inline __m512i signed_byte(__m512i v, int k)
{
    return _mm512_srai_epi32(_mm512_slli_epi32(v, (unsigned)(24 - 8 * k)), 24);
}

// What precedes the scales of a super-block: d (and dmin) and the registers that they are in.
static inline __attribute__((always_inline)) void
load_heads(TensorType type, Rows w, __m512i *heads, __m512 *d, __m512 *dmin)
{
    __m512i tail[4];
    switch (type) {
    case TENSOR_Q2_K: // d and dmin are the block's last bytes
        load_dwords(w, 0, heads);
        load_dwords(w, sizeof(BlockQ2K) - 16, tail);
        *d = low_half(tail[3]), *dmin = high_half(tail[3]);
        return;
    case TENSOR_Q3_K: // twelve bytes of scales and d from the third byte on
        load_dwords(w, sizeof(BlockQ3K) - 16, tail);
        for (int i = 0; i < 3; i++)
            heads[i] =
                _mm512_or_si512(_mm512_srli_epi32(tail[i], 16), _mm512_slli_epi32(tail[i + 1], 16));
        *d = high_half(tail[3]);
        return;
    case TENSOR_Q6_K:
        load_dwords(w, offsetof(BlockQ6K, scales), heads);
        load_dwords(w, sizeof(BlockQ6K) - 16, tail);
        *d = high_half(tail[3]);
        return;
    default: // Q4_K, Q5_K and IQ4_XS begin with all of these
        load_dwords(w, 0, heads);
        *d = low_half(heads[0]), *dmin = high_half(heads[0]);
    }
}

static inline __attribute__((always_inline)) __m512i super_scale(TensorType type,
                                                                 const __m512i *heads, int k)
{
    switch (type) {
    case TENSOR_Q2_K:
        return bits_of(heads[k / 4], 8 * (k % 4), 15);
    case TENSOR_Q3_K:
        return q3k_scale(heads, k);
    case TENSOR_Q6_K:
        return signed_byte(heads[k / 4], k % 4);
    case TENSOR_IQ4_XS:
        return iq4xs_scale(heads, k);
    default:
        return k_scale(heads[1], heads[3], k, false);
    }
}

static inline __attribute__((always_inline)) void super_scales(TensorType type, Rows w, Steps *out,
                                                               int first)
{
    const int n = type == TENSOR_Q2_K || type == TENSOR_Q3_K || type == TENSOR_Q6_K ? 16 : 8;
    __m512i heads[4];
    __m512 d, dmin = _mm512_setzero_ps();
    load_heads(type, w, heads, &d, &dmin);
#pragma GCC unroll 16
    for (int k = 0; k < n; k++) {
        __m512 scale = _mm512_cvtepi32_ps(super_scale(type, heads, k));
        _mm512_store_ps(out->scale[first + k], _mm512_mul_ps(scale, d));
        if (type != TENSOR_Q2_K && type != TENSOR_Q4_K && type != TENSOR_Q5_K) continue;
        __m512i min = type == TENSOR_Q2_K ? bits_of(heads[k / 4], 8 * (k % 4) + 4, 15)
                                          : k_scale(heads[2], heads[3], k, true);
        _mm512_store_ps(out->min[first + k], _mm512_mul_ps(_mm512_cvtepi32_ps(min), dmin));
    }
}

// One scale a row for the whole block. NaN and infinity make it NaN. A format has either a zero or
// minima.
static inline __attribute__((always_inline)) void
find_grid(const Steps *steps, int n_parts, int zero, int highest, Grid *grid, float *scale)
{
    const int most = highest - zero > zero ? highest - zero : zero;
    const __m512 none = _mm512_setzero_ps(), span = _mm512_set1_ps((float)most);
    __m512 peak = none, bad = none;
    for (int p = 0; p < n_parts; p++) {
        __m512 s = _mm512_load_ps(steps->scale[p]), m = none;
        if (!zero) m = _mm512_load_ps(steps->min[p]);
        __m512 at_most = _mm512_abs_ps(_mm512_fmsub_ps(s, span, m));
        if (!zero) at_most = _mm512_max_ps(at_most, _mm512_abs_ps(m));
        peak = _mm512_max_ps(peak, at_most);
        bad = _mm512_fmadd_ps(_mm512_add_ps(s, m), none, bad);
    }
    // A row whose weights are too small for a quotient, or none, is zero.
    const __mmask16 some = _mm512_cmp_ps_mask(peak, _mm512_set1_ps(1e-30f), _CMP_GT_OQ);
    const __m512 inverse = _mm512_maskz_div_ps(some, _mm512_set1_ps(127 * 256), peak);
    const __m512i twice =
        _mm512_set4_epi32(0x0D0C0D0C, 0x09080908, 0x05040504, 0x01000100); // the low half
    _mm512_store_ps(scale, _mm512_fmadd_ps(peak, _mm512_set1_ps(1.0f / 127), bad));
    for (int p = 0; p < n_parts; p++) {
        __m512i factor =
            _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_load_ps(steps->scale[p]), inverse));
        __m512i below =
            zero ? _mm512_mullo_epi32(factor, _mm512_set1_epi32(zero))
                 : _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_load_ps(steps->min[p]), inverse));
        __m512i offset = _mm512_sub_epi32(_mm512_set1_epi32(128 * 256 + 128), below);
        _mm512_store_si512(grid->factor[p], _mm512_shuffle_epi8(factor, twice));
        _mm512_store_si512(grid->offset[p], _mm512_shuffle_epi8(offset, twice));
    }
}

// --- bytes ---------------------------------------------------------------------------------------

// The format's bytes, four columns of all rows, into columns 4j..4j+3 of group g.
static inline __attribute__((always_inline)) void put(Tiles *tiles, int tile, int g, int j,
                                                      __m512i v, const Grid *grid, int part)
{
    const __m512i factor = _mm512_load_si512(grid->factor[part]);
    const __m512i offset = _mm512_load_si512(grid->offset[part]);
    __m512i even = _mm512_and_si512(v, _mm512_set1_epi16(255)), odd = _mm512_srli_epi16(v, 8);
    even = _mm512_add_epi16(_mm512_mullo_epi16(even, factor), offset);
    odd = _mm512_add_epi16(_mm512_mullo_epi16(odd, factor), offset);
    _mm512_store_si512(tiles->u[g][j][tile],
                       _mm512_mask_blend_epi8(0xAAAAAAAAAAAAAAAA, _mm512_srli_epi16(even, 8), odd));
}

// Bits 4j to 4j + 3 of a row as bit 4 of four bytes.
static inline __m512i fifth_bits(__m512i bits, int j)
{
    const __m512i spread =
        _mm512_set_epi32(0x10101010, 0x10101000, 0x10100010, 0x10100000, 0x10001010, 0x10001000,
                         0x10000010, 0x10000000, 0x00101010, 0x00101000, 0x00100010, 0x00100000,
                         0x00001010, 0x00001000, 0x10, 0);
    return _mm512_permutexvar_epi32(_mm512_srli_epi32(bits, (unsigned)(4 * j)), spread);
}

// What the nibbles of a block of 32 stand for, plus zero.
static inline __attribute__((always_inline)) __m512i nibbles_mean(TensorType type, __m512i v)
{
    if (type != TENSOR_IQ4_NL && type != TENSOR_IQ4_XS && type != TENSOR_MXFP4) return v;
    const int8_t *values = type == TENSOR_MXFP4 ? block_fp4_values : block_iq4_values;
    __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)values));
    table = _mm512_add_epi8(table, _mm512_set1_epi8(type == TENSOR_MXFP4 ? 12 : -128));
    return _mm512_shuffle_epi8(table, v);
}

// A group of 32 whose low nibbles are its first half and whose high ones its second, the 16 bytes
// at offset `at`; bits: the fifth ones.
static inline __attribute__((always_inline)) void put_nibbles(TensorType type, Rows w, size_t at,
                                                              __m512i bits, Tiles *tiles, int tile,
                                                              int g, const Grid *grid)
{
    __m512i qs[4];
    load_dwords(w, at, qs);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m512i v = nibbles_mean(type, byte_bits(qs[j % 4], j < 4 ? 0 : -4, 15));
        if (type == TENSOR_Q5_0 || type == TENSOR_Q5_1) v = _mm512_or_si512(v, fifth_bits(bits, j));
        put(tiles, tile, g, j, v, grid, g);
    }
}

// Formats of blocks of 32: scales, and fifth bits, which lie beside them.
static inline __attribute__((always_inline)) void
block_scales(TensorType type, Rows w, int n_groups, Steps *out, __m512i *bits)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    for (int g = 0; g < n_groups; g++) {
        __m512i heads[4];
        load_dwords(w, (size_t)g * block_bytes, heads);
        __m512 scale = type == TENSOR_MXFP4 ? fp4_scales(heads[0]) : low_half(heads[0]);
        _mm512_store_ps(out->scale[g], scale);
        if (type == TENSOR_Q5_1) bits[g] = heads[1];
        if (type == TENSOR_Q5_0)
            bits[g] =
                _mm512_or_si512(_mm512_srli_epi32(heads[0], 16), _mm512_slli_epi32(heads[1], 16));
        if (type == TENSOR_Q4_1 || type == TENSOR_Q5_1)
            _mm512_store_ps(out->min[g], _mm512_sub_ps(_mm512_setzero_ps(), high_half(heads[0])));
    }
}

// Likewise: bytes.
static inline __attribute__((always_inline)) void put_blocks(TensorType type, Rows w, int n_groups,
                                                             const __m512i *bits, const Grid *grid,
                                                             Tiles *tiles, int tile)
{
    const size_t block_bytes = (size_t)tensor_type_info(type)->block_bytes;
    const bool has_bits = type == TENSOR_Q5_0 || type == TENSOR_Q5_1;
    for (int g = 0; g < n_groups; g++) {
        const size_t at = (size_t)g * block_bytes;
        __m512i q[4];
        if (type == TENSOR_Q8_0) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) {
                if (j % 4 == 0) load_dwords(w, at + offsetof(BlockQ8_0, q) + 4 * (size_t)j, q);
                put(tiles, tile, g, j, _mm512_xor_si512(q[j % 4], _mm512_set1_epi8((char)0x80)),
                    grid, g);
            }
            continue;
        }
        put_nibbles(type, w, at + block_bytes - 16, has_bits ? bits[g] : _mm512_setzero_si512(),
                    tiles, tile, g, grid);
    }
}

// The super-blocks whose groups have 16 columns in each of two places: half p of one of them. n, h:
// what was loaded of it.
static inline __attribute__((always_inline)) __m512i super_bytes(TensorType type, __m512i (*n)[4],
                                                                 __m512i (*h)[4], int g, int j)
{
    switch (type) {
    case TENSOR_Q4_K:
        return byte_bits(n[g / 2][j], -4 * (g % 2), 15);
    case TENSOR_Q5_K:
        return _mm512_or_si512(byte_bits(n[g / 2][j], -4 * (g % 2), 15),
                               byte_bits(h[0][j], 4 - g, 16));
    case TENSOR_Q6_K:
        return _mm512_or_si512(byte_bits(n[g / 4 * 2 + g % 2][j], -(g % 4 / 2 * 4), 15),
                               byte_bits(h[g / 4][j], 4 - g % 4 * 2, 48));
    case TENSOR_Q3_K:
        return _mm512_or_si512(byte_bits(n[g / 4][j], -(g % 4 * 2), 3),
                               byte_bits(h[0][j], 2 - g, 4));
    default: // Q2_K
        return byte_bits(n[g / 4][j], -(g % 4 * 2), 3);
    }
}

static inline __attribute__((always_inline)) void
put_super(TensorType type, Rows w, int first, const Grid *grid, Tiles *tiles, int tile)
{
    const bool two_bits = type == TENSOR_Q2_K || type == TENSOR_Q3_K;
    const bool halves = two_bits || type == TENSOR_Q6_K;
    const size_t low = type == TENSOR_Q2_K   ? offsetof(BlockQ2K, qs)
                       : type == TENSOR_Q3_K ? offsetof(BlockQ3K, qs)
                       : type == TENSOR_Q4_K ? offsetof(BlockQ4K, qs)
                       : type == TENSOR_Q5_K ? offsetof(BlockQ5K, qs)
                                             : offsetof(BlockQ6K, ql);
    const size_t high = type == TENSOR_Q3_K   ? offsetof(BlockQ3K, hmask)
                        : type == TENSOR_Q5_K ? offsetof(BlockQ5K, qh)
                                              : offsetof(BlockQ6K, qh);
    const int n_high = type == TENSOR_Q6_K ? 2 : type == TENSOR_Q3_K || type == TENSOR_Q5_K;
    for (size_t p = 0; p < 2; p++) {
        __m512i n[4][4], h[2][4];
        for (size_t k = 0; k < 2; k++)
            load_dwords(w, low + 32 * k + 16 * p, n[k]);
        for (size_t k = 2; k < 4 && !two_bits; k++)
            load_dwords(w, low + 32 * k + 16 * p, n[k]);
        if (n_high > 0) load_dwords(w, high + 16 * p, h[0]);
        if (n_high > 1) load_dwords(w, high + 32 + 16 * p, h[1]);
#pragma GCC unroll 8
        for (int g = 0; g < 8; g++) {
            int part = halves ? 2 * (first + g) + (int)p : first + g;
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                put(tiles, tile, first + g, 4 * (int)p + j, super_bytes(type, n, h, g, j), grid,
                    part);
        }
    }
}

// --- tiles ---------------------------------------------------------------------------------------

// The largest byte of a format.
static inline __attribute__((always_inline)) int highest_byte(TensorType type)
{
    switch (type) {
    case TENSOR_Q8_0:
        return 255;
    case TENSOR_IQ4_NL:
    case TENSOR_IQ4_XS:
        return 241;
    case TENSOR_Q6_K:
        return 63;
    case TENSOR_Q5_0:
    case TENSOR_Q5_1:
    case TENSOR_Q5_K:
        return 31;
    case TENSOR_MXFP4:
        return 24;
    case TENSOR_Q3_K:
        return 7;
    case TENSOR_Q2_K:
        return 3;
    default:
        return 15;
    }
}

static inline __attribute__((always_inline)) void unpack_rows(TensorType type, Rows w, int n_groups,
                                                              Tiles *tiles, int tile)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    const bool halves = type == TENSOR_Q2_K || type == TENSOR_Q3_K || type == TENSOR_Q6_K;
    const bool super = halves || type == TENSOR_Q4_K || type == TENSOR_Q5_K;
    _Alignas(64) Steps steps;
    _Alignas(64) Grid grid;
    __m512i bits[GEMM_BLOCK_GROUPS];
    if (super || type == TENSOR_IQ4_XS)
        for (int i = 0; i < n_groups / 8; i++)
            super_scales(type, (Rows){w.first + (size_t)(i * info->block_bytes), w.bytes}, &steps,
                         (halves ? 16 : 8) * i);
    else
        block_scales(type, w, n_groups, &steps, bits);
    find_grid(&steps, halves ? 2 * n_groups : n_groups, group_zero(type), highest_byte(type), &grid,
              tiles->scale[tile]);
    if (super)
        for (int i = 0; i < n_groups / 8; i++)
            put_super(type, (Rows){w.first + (size_t)(i * info->block_bytes), w.bytes}, 8 * i,
                      &grid, tiles, tile);
    else if (type == TENSOR_IQ4_XS)
        for (int g = 0; g < n_groups; g++)
            put_nibbles(type, w,
                        (size_t)(g / 8 * info->block_bytes) + offsetof(BlockIQ4XS, qs) +
                            16 * (size_t)(g % 8),
                        _mm512_setzero_si512(), tiles, tile, g, &grid);
    else
        put_blocks(type, w, n_groups, bits, &grid, tiles, tile);
}

static void unpack_any(TensorType type, Rows w, int n_groups, Tiles *tiles, int tile)
{
    switch (type) {
#define UNPACK(name)                                                                               \
    case name:                                                                                     \
        unpack_rows(name, w, n_groups, tiles, tile);                                               \
        return;
        UNPACK(TENSOR_Q8_0)
        UNPACK(TENSOR_Q4_0)
        UNPACK(TENSOR_Q4_1)
        UNPACK(TENSOR_Q5_0)
        UNPACK(TENSOR_Q5_1)
        UNPACK(TENSOR_Q2_K)
        UNPACK(TENSOR_Q3_K)
        UNPACK(TENSOR_Q4_K)
        UNPACK(TENSOR_Q5_K)
        UNPACK(TENSOR_Q6_K)
        UNPACK(TENSOR_IQ4_NL)
        UNPACK(TENSOR_IQ4_XS)
        UNPACK(TENSOR_MXFP4)
#undef UNPACK
    default: // F32, F16 and BF16 have no tiles
        return;
    }
}

void unpack_tile_avx512(TensorType type, const char *w, size_t row_bytes, int n_groups, int n_rows,
                        Tiles *tiles, int tile)
{
    char copy[TILE_ROWS * MAX_ROW_BYTES];
    if (n_rows <= 0) return; // what is in the tile is multiplied, and stored nowhere
    if (n_rows >= TILE_ROWS) {
        unpack_any(type, (Rows){w, row_bytes}, n_groups, tiles, tile);
        return;
    }
    const TensorTypeInfo *info = tensor_type_info(type);
    const size_t n_bytes = (size_t)(32 * n_groups / info->block_elements * info->block_bytes);
    memset(copy, 0, sizeof copy);
    for (int r = 0; r < n_rows; r++)
        memcpy(copy + (size_t)r * n_bytes, w + (size_t)r * row_bytes, n_bytes);
    unpack_any(type, (Rows){copy, n_bytes}, n_groups, tiles, tile);
}

// Decode products: a row times one vector, or two with the bits of one, by VNNI (vpdpbusd).
//
// A quantised row times rounded activations is, per 32 elements, scale * A * (u . q) minus an
// offset term (unpack.h). Two groups fill a register: lanes 0-7 sum the first, 8-15 the second.
// A row ends as a register of partial sums; those of sixteen rows are added up together.
#include "kernels_avx512.h"

#include <math.h>

#include "unpack.h"

// Every product of a row takes n vectors at once, 1 or 2: the row is unpacked once, and each vector
// adds in the order in which it would alone. MAX_BLOCKS: see AllFactors.
enum { MAX_TOGETHER = 2, MAX_BLOCKS = 128 };

// --- floats --------------------------------------------------------------------------------------

static float dot_f16(const float *a, const uint16_t *b, int n)
{
    __m512 sum0 = _mm512_setzero_ps(), sum1 = _mm512_setzero_ps();
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), load_halves(0xFFFF, b + i), sum0);
        sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), load_halves(0xFFFF, b + i + 16), sum1);
    }
    for (; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        sum0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i), load_halves(m, b + i), sum0);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
}

static float dot_bf16(const float *a, const uint16_t *b, int n)
{
    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < n; i += 16) {
        __mmask16 m = n - i < 16 ? tail_mask(n - i) : 0xFFFF;
        __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, b + i));
        __m512 w = _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i), w, sum);
    }
    return _mm512_reduce_add_ps(sum);
}

// --- blocks of 32 --------------------------------------------------------------------------------

// block_fp4_scale of the lowest byte of every lane.
static inline __m256 fp4_scales(__m256i heads)
{
    __m256i e = _mm256_and_si256(heads, _mm256_set1_epi32(255)), one = _mm256_set1_epi32(1);
    __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, one), 23);
    __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    return _mm256_castsi256_ps(
        _mm256_mask_blend_epi32(_mm256_cmpgt_epi32_mask(e, one), small, normal));
}

// The first 32 bits of up to eight blocks of n_words 16-bit words each: d and, in *_1, m after it.
// Each load holds `each` heads and a permutation of two loads picks them; a gather takes three
// times as long on Zen 4. The same indices serve both pairs of loads.
static inline __attribute__((always_inline)) __m256i permuted_heads(const char *block, int n_blocks,
                                                                    int n_words)
{
    const int each = 30 / n_words + 1;
    __m512i loads[4], index = _mm512_setzero_si512();
    for (int i = 0; i < 4; i++) {
        int left = n_words * (n_blocks - i * each);
        __mmask32 words = left >= 32 ? 0xFFFFFFFF : left > 0 ? (1u << left) - 1 : 0;
        loads[i] = _mm512_maskz_loadu_epi16(words, block + 2 * n_words * i * each);
    }
#define HEAD(j) ((j) / each % 2 * 32 + (j) % each * n_words)
#define BOTH(j) (HEAD(j) | (HEAD(j) + 1) << 16)
    index = _mm512_castsi256_si512(
        _mm256_set_epi32(BOTH(7), BOTH(6), BOTH(5), BOTH(4), BOTH(3), BOTH(2), BOTH(1), BOTH(0)));
#undef BOTH
#undef HEAD
    __m512i heads = _mm512_permutex2var_epi16(loads[0], index, loads[1]);
    if (2 * each >= 8) return _mm512_castsi512_si256(heads);
    __m512i later = _mm512_permutex2var_epi16(loads[2], index, loads[3]);
    __mmask16 lanes = (__mmask16)(0xFF << 2 * each & 0xFF);
    return _mm512_castsi512_si256(_mm512_mask_mov_epi32(heads, lanes, later));
}

// d of up to eight blocks, and m of the formats that have minima.
static inline __attribute__((always_inline)) __m256
eight_heads(TensorType type, size_t block_bytes, const char *block, int n_blocks, __m256 *min)
{
    __m256i heads;
    if (type == TENSOR_MXFP4) { // of an odd number of bytes
        __mmask8 blocks = (__mmask8)((1u << n_blocks) - 1);
        __m256i at = _mm256_mullo_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0),
                                        _mm256_set1_epi32((int)block_bytes));
        heads = _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), blocks, at, block, 1);
    } else {
        heads = permuted_heads(block, n_blocks, (int)block_bytes / 2);
    }
    *min = _mm256_cvtph_ps(_mm256_cvtepi32_epi16(_mm256_srli_epi32(heads, 16)));
    return type == TENSOR_MXFP4 ? fp4_scales(heads) : _mm256_cvtph_ps(_mm256_cvtepi32_epi16(heads));
}

// The scales d of blocks g .. g + n_blocks - 1 times a vector's (in *sc); returns what the offsets
// add.
static inline __attribute__((always_inline)) __m256 eight_scales(TensorType type, __m256 d,
                                                                 __m256 min, int n_blocks,
                                                                 const ActRow *a, int g, __m256 *sc)
{
    __mmask8 blocks = (__mmask8)((1u << n_blocks) - 1);
    __m256 act = _mm256_maskz_loadu_ps(blocks, a->scale + g);
    __m256i sums = _mm256_maskz_loadu_epi16((__mmask16)((1u << 2 * n_blocks) - 1), a->sums + 2 * g);
    __m256 totals = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
    *sc = _mm256_mul_ps(d, act);
    if (type == TENSOR_Q4_1 || type == TENSOR_Q5_1)
        return _mm256_mul_ps(_mm256_mul_ps(min, act), totals);
    return _mm256_mul_ps(_mm256_mul_ps(*sc, totals), _mm256_set1_ps((float)-group_zero(type)));
}

// Nibbles of two blocks at once: the low ones of the first, its high ones, and so of the second.
static inline __attribute__((always_inline)) __m512i two_nibbles(const uint8_t *first,
                                                                 const uint8_t *second)
{
    const __m512i shifts =
        _mm512_broadcast_i64x4(_mm256_set_epi64x(0x0004000400040004, 0x0004000400040004, 0, 0));
    __m512i both = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)first));
    both = _mm512_mask_broadcast_i32x4(both, 0xFF00, _mm_loadu_si128((const __m128i *)second));
    return _mm512_and_si512(_mm512_srlv_epi16(both, shifts), _mm512_set1_epi8(15));
}

static inline __attribute__((always_inline)) __m512i two_fifth_bits(__m512i u, const uint8_t *first,
                                                                    const uint8_t *second)
{
    uint32_t low, high;
    memcpy(&low, first, sizeof low);
    memcpy(&high, second, sizeof high);
    return _mm512_mask_add_epi8(u, (__mmask64)high << 32 | low, u, _mm512_set1_epi8(16));
}

// group_bytes of groups g and g + 1.
static inline __attribute__((always_inline)) __m512i two_groups(TensorType type, const void *row,
                                                                int g)
{
#define PAIR(type) const type *b = (const type *)row + g
    switch (type) {
    case TENSOR_Q4_0: {
        PAIR(BlockQ4_0);
        return two_nibbles(b[0].qs, b[1].qs);
    }
    case TENSOR_Q4_1: {
        PAIR(BlockQ4_1);
        return two_nibbles(b[0].qs, b[1].qs);
    }
    case TENSOR_Q5_0: {
        PAIR(BlockQ5_0);
        return two_fifth_bits(two_nibbles(b[0].qs, b[1].qs), b[0].qh, b[1].qh);
    }
    case TENSOR_Q5_1: {
        PAIR(BlockQ5_1);
        return two_fifth_bits(two_nibbles(b[0].qs, b[1].qs), b[0].qh, b[1].qh);
    }
    default: {
        __m512i u = _mm512_castsi256_si512(group_bytes(type, row, g));
        return _mm512_inserti64x4(u, group_bytes(type, row, g + 1), 1);
    }
    }
#undef PAIR
}

// Adds groups g0 .. g0 + n_groups - 1, at most 8, of a row; n_groups is a constant in most calls.
static inline __attribute__((always_inline)) void add_groups(TensorType type, size_t block_bytes,
                                                             const void *row, int g0, int n_groups,
                                                             const ActRow *a, int n, __m512 *sum,
                                                             __m256 *offsets)
{
    __m256 sc[MAX_TOGETHER], min;
    __m256 d = eight_heads(type, block_bytes, (const char *)row + (size_t)g0 * block_bytes,
                           n_groups, &min);
    for (int t = 0; t < n; t++)
        offsets[t] =
            _mm256_add_ps(offsets[t], eight_scales(type, d, min, n_groups, a + t, g0, &sc[t]));
    __m512i lanes = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
#pragma GCC unroll 4
    for (int g = g0; g < g0 + n_groups; g += 2) {
        bool two = g + 1 < g0 + n_groups;
        __m512i u =
            two ? two_groups(type, row, g) : _mm512_zextsi256_si512(group_bytes(type, row, g));
        for (int t = 0; t < n; t++) {
            __m512i q = _mm512_maskz_loadu_epi64(two ? 0xFF : 0x0F, a[t].q + 32 * g);
            __m512i products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, q);
            __m512 scale = _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(sc[t]));
            sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scale, sum[t]);
        }
        lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(2));
    }
}

// The fifth bits of the elements 0 to 15 of four Q5_0 blocks, and of 16 to 31.
static inline __attribute__((always_inline)) void
gather_fifth_bits(const char *block, size_t block_bytes, uint64_t *low, uint64_t *high)
{
    uint64_t pairs[2];
    for (int i = 0; i < 2; i++) {
        uint32_t one, next;
        memcpy(&one, block + (size_t)(2 * i) * block_bytes + 2, sizeof one);
        memcpy(&next, block + (size_t)(2 * i + 1) * block_bytes + 2, sizeof next);
        pairs[i] = (uint64_t)next << 32 | one;
    }
    const uint64_t lower = 0x0000FFFF0000FFFF;
    uint64_t low0 = pairs[0] & lower, low1 = pairs[1] & lower;
    uint64_t high0 = pairs[0] >> 16 & lower, high1 = pairs[1] >> 16 & lower;
    *low = (uint32_t)(low0 | low0 >> 16) | (low1 | low1 >> 16) << 32;
    *high = (uint32_t)(high0 | high0 >> 16) | (high1 | high1 >> 16) << 32;
}

// Adds groups g .. g + 3 of a Q4_0 or Q5_0 row. Their low nibbles make one register and their high
// ones another, with four lanes of 32 bits a group in both, so that both products are added up
// before they are scaled.
static inline __attribute__((always_inline)) void add_four(TensorType type, size_t block_bytes,
                                                           const void *row, int g, const ActRow *a,
                                                           int n, __m512 *sum, __m256 *offsets)
{
    const int n_words = (int)block_bytes / 2, nibbles_at = type == TENSOR_Q5_0 ? 3 : 1;
    const __m512i mask = _mm512_set1_epi8(15), fifth = _mm512_set1_epi8(16);
    const __m512i groups = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i word = _mm512_broadcast_i32x4(_mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0));
    const __m512i starts = _mm512_mullo_epi32(groups, _mm512_set1_epi32(n_words * 0x10001));
    const __m512i nibbles =
        _mm512_add_epi16(_mm512_add_epi16(starts, word), _mm512_set1_epi16((int16_t)nibbles_at));
    const __m512i heads = _mm512_mullo_epi16(word, _mm512_set1_epi16((int16_t)n_words));
    const char *block = (const char *)row + (size_t)g * block_bytes;
    __m512i first = _mm512_loadu_si512(block);
    __m512i second = _mm512_maskz_loadu_epi16((1u << (4 * n_words - 32)) - 1, block + 64);
    __m512i bytes = _mm512_permutex2var_epi16(first, nibbles, second);
    __m128 d =
        _mm_cvtph_ps(_mm512_castsi512_si128(_mm512_permutex2var_epi16(first, heads, second)));
    __m512i low = _mm512_and_si512(bytes, mask);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask);
    if (type == TENSOR_Q5_0) {
        uint64_t in_low, in_high;
        gather_fifth_bits(block, block_bytes, &in_low, &in_high);
        low = _mm512_mask_add_epi8(low, in_low, low, fifth);
        high = _mm512_mask_add_epi8(high, in_high, high, fifth);
    }
    for (int t = 0; t < n; t++) {
        __m512i q0 = _mm512_loadu_si512(a[t].q + 32 * g);
        __m512i q1 = _mm512_loadu_si512(a[t].q + 32 * g + 64);
        __m512i products =
            _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, _mm512_shuffle_i32x4(q0, q1, 0x88));
        products = _mm512_dpbusd_epi32(products, high, _mm512_shuffle_i32x4(q0, q1, 0xDD));
        __m128 scale = _mm_mul_ps(d, _mm_loadu_ps(a[t].scale + g));
        __m128i sums = _mm_loadu_si128((const __m128i *)(a[t].sums + 2 * g));
        __m128 totals = _mm_cvtepi32_ps(_mm_madd_epi16(sums, _mm_set1_epi16(1)));
        __m128 offset =
            _mm_mul_ps(_mm_mul_ps(scale, totals), _mm_set1_ps((float)-group_zero(type)));
        offsets[t] = _mm256_add_ps(offsets[t], _mm256_zextps128_ps256(offset));
        sum[t] =
            _mm512_fmadd_ps(_mm512_cvtepi32_ps(products),
                            _mm512_permutexvar_ps(groups, _mm512_castps128_ps512(scale)), sum[t]);
    }
}

static inline __attribute__((always_inline)) void dot_row_32(TensorType type, size_t block_bytes,
                                                             const void *row, int n_in,
                                                             const ActRow *a, int n, __m512 *out)
{
    __m512 sum[MAX_TOGETHER];
    __m256 offsets[MAX_TOGETHER];
    for (int t = 0; t < n; t++)
        sum[t] = _mm512_setzero_ps(), offsets[t] = _mm256_setzero_ps();
    int n_groups = n_in / 32, g = 0;
    if (type == TENSOR_Q4_0 || type == TENSOR_Q5_0)
#pragma GCC unroll 2
        for (; g + 4 <= n_groups; g += 4)
            add_four(type, block_bytes, row, g, a, n, sum, offsets);
    for (; g + 8 <= n_groups; g += 8)
        add_groups(type, block_bytes, row, g, 8, a, n, sum, offsets);
    switch (n_groups - g) { // widths like 576 and 896 leave two and four
    case 0:
        break;
    case 2:
        add_groups(type, block_bytes, row, g, 2, a, n, sum, offsets);
        break;
    case 4:
        add_groups(type, block_bytes, row, g, 4, a, n, sum, offsets);
        break;
    default:
        add_groups(type, block_bytes, row, g, n_groups - g, a, n, sum, offsets);
    }
    for (int t = 0; t < n; t++)
        out[t] = _mm512_add_ps(sum[t], _mm512_zextps256_ps512(offsets[t]));
}

// --- super-blocks --------------------------------------------------------------------------------

// What a super-block meets of a vector: made once for all rows.
typedef struct Factors {
    // Q4_K, Q5_K: eight activation scales, then these times the sums of their 32 elements. Others:
    // each activation scale twice, then of 16 elements the sum (Q2_K), or the integer that takes
    // `zero` off (unpack.h), in the order of the products.
    float scales[32];
    int8_t q[SUPER_BLOCK]; // in the order of k_block_bytes, or of transpose_4
} Factors;

// Every row reads them from the beginning, and the prefetcher runs on at its end. So they end where
// `sums` begins, which is at hand: fetching stack that nobody had touched cost a quarter of the
// speed of narrow rows.
typedef struct AllFactors {
    const Factors *of[MAX_TOGETHER]; // NULL: the row is too wide, and they are made for each row
    _Alignas(64) Factors room[MAX_TOGETHER * MAX_BLOCKS];
    __m512 sums[MAX_TOGETHER][16];
} AllFactors;

static inline __attribute__((always_inline)) bool is_k_block(TensorType type)
{
    return type == TENSOR_Q4_K || type == TENSOR_Q5_K;
}

// Of four lanes of bits in each of the four quarters of a super-block: lane k of out j has the
// bytes 4 j .. 4 j + 3 of the quarters' lanes k, one after the other. So each lane of 32 bits
// belongs to 16 elements, and the products of all four j are added up before they are scaled.
static inline __attribute__((always_inline)) void transpose_4(__m512i *u)
{
    __m512i low01 = _mm512_unpacklo_epi32(u[0], u[1]), high01 = _mm512_unpackhi_epi32(u[0], u[1]);
    __m512i low23 = _mm512_unpacklo_epi32(u[2], u[3]), high23 = _mm512_unpackhi_epi32(u[2], u[3]);
    u[0] = _mm512_unpacklo_epi64(low01, low23);
    u[1] = _mm512_unpackhi_epi64(low01, low23);
    u[2] = _mm512_unpacklo_epi64(high01, high23);
    u[3] = _mm512_unpackhi_epi64(high01, high23);
}

// The 16 elements that each lane of transposed products belongs to.
static inline __m512i product_order(void)
{
    return _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
}

static inline __attribute__((always_inline)) void fill_factors(TensorType type, const ActRow *a,
                                                               int block, Factors *out)
{
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    __m256 act = _mm256_loadu_ps(a->scale + 8 * block);
    __m256i sums = _mm256_loadu_si256((const __m256i *)(a->sums + 16 * block));
    const int8_t *q = a->q + SUPER_BLOCK * block;
    if (!is_k_block(type)) {
        _mm512_storeu_ps(out->scales, _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(act)));
        __m512i wide = _mm512_cvtepi16_epi32(sums);
        if (type == TENSOR_Q2_K)
            _mm512_storeu_ps(out->scales + 16, _mm512_cvtepi32_ps(wide));
        else
            _mm512_storeu_si512(out->scales + 16,
                                _mm512_mullo_epi32(_mm512_permutexvar_epi32(product_order(), wide),
                                                   _mm512_set1_epi32(-group_zero(type))));
        __m512i quarters[4];
        for (int i = 0; i < 4; i++)
            quarters[i] = _mm512_loadu_si512(q + 64 * i);
        transpose_4(quarters);
        for (int i = 0; i < 4; i++)
            _mm512_storeu_si512(out->q + 64 * i, quarters[i]);
        return;
    }
    __m256 totals = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
    _mm256_storeu_ps(out->scales + 8, _mm256_mul_ps(act, totals));
    if (type == TENSOR_Q4_K) // whose odd groups stay in the high nibbles
        act = _mm256_mul_ps(act, _mm256_setr_ps(1, 0x1p-4f, 1, 0x1p-4f, 1, 0x1p-4f, 1, 0x1p-4f));
    _mm256_storeu_ps(out->scales, act);
    __m512i pairs[4]; // of groups
    for (int i = 0; i < 4; i++)
        pairs[i] = _mm512_loadu_si512(q + 64 * i);
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const __m512i index = _mm512_set_epi64(0, 0, 0, 0, 12 + j, 8 + j, 4 + j, j);
        __m512i low = _mm512_permutex2var_epi64(pairs[0], index, pairs[1]);
        __m512i high = _mm512_permutex2var_epi64(pairs[2], index, pairs[3]);
        low = _mm512_inserti64x4(low, _mm512_castsi512_si256(high), 1);
        _mm512_storeu_si512(out->q + 64 * j, low);
    }
}

static inline __attribute__((always_inline)) void make_factors(TensorType type, const ActRow *acts,
                                                               int n, int n_in, AllFactors *out)
{
    int n_blocks = n_in / SUPER_BLOCK;
    bool fits = n_blocks <= MAX_BLOCKS;
    Factors *next = &out->room[fits ? MAX_TOGETHER * MAX_BLOCKS - n * n_blocks : 0];
    for (int t = 0; t < n; t++) {
        out->of[t] = fits ? next : NULL;
        for (int i = 0; fits && i < n_blocks; i++)
            fill_factors(type, &acts[t], i, next++);
    }
}

// Those of block i and vector t; room: for what has to be made now.
static inline __attribute__((always_inline)) const Factors *
find_factors(TensorType type, const AllFactors *all, const ActRow *a, int t, int i, Factors *room)
{
    if (all->of[t]) return all->of[t] + i;
    fill_factors(type, &a[t], i, room);
    return room;
}

// Of a Q4_K or Q5_K block, which both begin with d, dmin and scales: eight scales, then the eight
// minima, d and dmin included (block_scale_min for all k at once).
static inline __attribute__((always_inline)) __m512 k_block_scales(const BlockQ4K *b)
{
    const __m256i spread = _mm256_set_epi64x(0x0302030203020302, 0x0302030203020302,
                                             0x0100010001000100, 0x0100010001000100);
    uint64_t first;
    uint32_t last, heads;
    memcpy(&first, b->scales, sizeof first);
    memcpy(&last, b->scales + 8, sizeof last);
    memcpy(&heads, &b->d, sizeof heads);
    uint64_t low = first & 0x3F3F3F3F3F3F3F3F;
    uint64_t high =
        (first >> 2 & 0x3030303030303030) | (((uint64_t)last << 28 | last) & 0x0F0F0F0F0F0F0F0F);
    __m128i bytes =
        _mm_unpacklo_epi32(_mm_cvtsi64_si128((long long)low), _mm_cvtsi64_si128((long long)high));
    __m512 d = _mm512_cvtph_ps(_mm256_shuffle_epi8(_mm256_set1_epi32((int)heads), spread));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), d);
}

static inline __m512i both_halves(const void *bytes)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256(bytes));
}

// One constant for the lower 32 bytes, one for the upper ones.
static inline __m512i two_constants(int low, int high)
{
    return _mm512_inserti64x4(_mm512_set1_epi32(low), _mm256_set1_epi32(high), 1);
}

// One constant for the even eights of bytes, one for the odd ones.
static inline __m512i by_turns(int64_t even, int64_t odd)
{
    return _mm512_set_epi64(odd, even, odd, even, odd, even, odd, even);
}

// Where the mask has bits those of a, elsewhere b's.
static inline __m512i choose(__m512i mask, __m512i a, __m512i b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}

// Bytes 8 j .. 8 j + 7 of each of the eight groups, so that two lanes belong to a group and the
// products of all four j are added up before they are scaled. Of Q4_K the odd groups are 16 times
// too large. What a shift brings over from a neighbouring byte is masked out.
static inline __attribute__((always_inline)) __m512i k_block_bytes(TensorType type,
                                                                   const void *block, int j)
{
    const __m512i index = _mm512_set_epi64(12 + j, 12 + j, 8 + j, 8 + j, 4 + j, 4 + j, j, j);
    const bool is_4 = type == TENSOR_Q4_K;
    const BlockQ5K *b5 = block;
    const uint8_t *qs = is_4 ? ((const BlockQ4K *)block)->qs : b5->qs;
    __m512i u =
        _mm512_permutex2var_epi64(_mm512_loadu_si512(qs), index, _mm512_loadu_si512(qs + 64));
    if (is_4) return _mm512_and_si512(u, by_turns(0x0F0F0F0F0F0F0F0F, (int64_t)0xF0F0F0F0F0F0F0F0));
    int64_t bits;
    memcpy(&bits, b5->qh + 8 * j, sizeof bits);
    __m512i fifth = // bit k of group k becomes bit 4
        _mm512_rolv_epi64(_mm512_set1_epi64(bits), _mm512_set_epi64(61, 62, 63, 0, 1, 2, 3, 4));
    u = choose(_mm512_set1_epi8(15), _mm512_srlv_epi64(u, by_turns(0, 4)), fifth);
    return _mm512_and_si512(u, _mm512_set1_epi8(31));
}

static inline __attribute__((always_inline)) void dot_row_k(TensorType type, size_t block_bytes,
                                                            const void *row, int n_in,
                                                            const ActRow *a, int n,
                                                            const AllFactors *factors, __m512 *out)
{
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    __m512 sum[MAX_TOGETHER], minima[MAX_TOGETHER];
    _Alignas(64) Factors room;
    for (int t = 0; t < n; t++)
        sum[t] = minima[t] = _mm512_setzero_ps();
    const char *b = row;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++, b += block_bytes) {
        __m512 own = k_block_scales((const BlockQ4K *)(const void *)b);
        __m512i u[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            u[j] = k_block_bytes(type, b, j);
        for (int t = 0; t < n; t++) {
            const Factors *f = find_factors(type, factors, a, t, i, &room);
            __m512 scale = _mm512_mul_ps(own, _mm512_loadu_ps(f->scales));
            __m512i products = _mm512_setzero_si512();
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                products = _mm512_dpbusd_epi32(products, u[j], _mm512_loadu_si512(f->q + 64 * j));
            minima[t] = _mm512_add_ps(minima[t], scale); // the lower half is dropped
            sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products),
                                     _mm512_permutexvar_ps(twice, scale), sum[t]);
        }
    }
    for (int t = 0; t < n; t++)
        out[t] = _mm512_mask_sub_ps(sum[t], 0xFF00, sum[t], minima[t]);
}

// Elements 64 p .. 64 p + 63 of a Q6_K block, 0..63 each.
static inline __attribute__((always_inline)) __m512i q6k_bytes(const BlockQ6K *b, int p)
{
    __m512i low = _mm512_loadu_si512(b->ql + 64 * (p / 2)),
            high = both_halves(b->qh + 32 * (p / 2));
    if (p % 2) {
        low = _mm512_srli_epi32(low, 4);
        high = _mm512_srlv_epi32(high, two_constants(0, 2));
    } else {
        high = _mm512_sllv_epi32(high, two_constants(4, 2));
    }
    return _mm512_and_si512(choose(_mm512_set1_epi8(15), low, high), _mm512_set1_epi8(63));
}

// Elements 64 p .. 64 p + 63 of a super-block.
static inline __attribute__((always_inline)) __m512i super_bytes(TensorType type, const void *block,
                                                                 int p)
{
    if (type == TENSOR_Q6_K) return q6k_bytes(block, p);
    __m512i first = _mm512_castsi256_si512(group_bytes(type, block, 2 * p));
    return _mm512_inserti64x4(first, group_bytes(type, block, 2 * p + 1), 1);
}

// Super-blocks with a scale for every 16 elements: Q2_K, Q3_K, Q6_K, and IQ4_XS with each scale
// twice.
static inline __attribute__((always_inline)) void dot_row_16(TensorType type, size_t block_bytes,
                                                             const void *row, int n_in,
                                                             const ActRow *a, int n,
                                                             const AllFactors *factors, __m512 *out)
{
    __m512 sum[MAX_TOGETHER], minima[MAX_TOGETHER], min = _mm512_setzero_ps();
    _Alignas(64) Factors room;
    for (int t = 0; t < n; t++)
        sum[t] = minima[t] = _mm512_setzero_ps();
    const char *b = row;
    for (int i = 0; i < n_in / SUPER_BLOCK; i++, b += block_bytes) {
        __m512 own = sixteen_scales(type, b, &min);
        __m512i u[4];
#pragma GCC unroll 4
        for (int p = 0; p < 4; p++)
            u[p] = super_bytes(type, b, p);
        transpose_4(u);
        for (int t = 0; t < n; t++) {
            const Factors *f = find_factors(type, factors, a, t, i, &room);
            __m512 act = _mm512_loadu_ps(f->scales);
            __m512i products = _mm512_setzero_si512();
            if (type == TENSOR_Q2_K)
                minima[t] = _mm512_fmadd_ps(_mm512_mul_ps(min, act),
                                            _mm512_loadu_ps(f->scales + 16), minima[t]);
            else
                products = _mm512_loadu_si512(f->scales + 16);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                products = _mm512_dpbusd_epi32(products, u[j], _mm512_loadu_si512(f->q + 64 * j));
            __m512 scale = _mm512_permutexvar_ps(product_order(), _mm512_mul_ps(own, act));
            sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scale, sum[t]);
        }
    }
    for (int t = 0; t < n; t++)
        out[t] = _mm512_sub_ps(sum[t], minima[t]);
}

// --- rows ----------------------------------------------------------------------------------------

typedef enum Kind { GROUPS_OF_32, K_BLOCKS, SUPER_BLOCKS } Kind;

// type, block_bytes, kind and n are constants where this is inlined.
static inline __attribute__((always_inline)) void
quantised_times(TensorType type, size_t block_bytes, Kind kind, const char *w, size_t row_bytes,
                int n_in, int n_rows, const ActRow *acts, int n, float *y, size_t y_stride)
{
    AllFactors factors;
    if (kind != GROUPS_OF_32) make_factors(type, acts, n, n_in, &factors);
    for (int first = 0; first < n_rows; first += 16) {
        __m512 one[MAX_TOGETHER];
        int left = n_rows - first < 16 ? n_rows - first : 16;
        for (int r = 0; r < left; r++, w += row_bytes) {
            if (kind == GROUPS_OF_32)
                dot_row_32(type, block_bytes, w, n_in, acts, n, one);
            else if (kind == K_BLOCKS)
                dot_row_k(type, block_bytes, w, n_in, acts, n, &factors, one);
            else
                dot_row_16(type, block_bytes, w, n_in, acts, n, &factors, one);
            for (int t = 0; t < n; t++)
                factors.sums[t][r] = one[t];
        }
        __mmask16 rows = left < 16 ? tail_mask(left) : 0xFFFF;
        for (int t = 0; t < n; t++) {
            for (int r = left; r < 16; r++)
                factors.sums[t][r] = _mm512_setzero_ps();
            _mm512_mask_storeu_ps(y + (size_t)t * y_stride + first, rows, sum_16(factors.sums[t]));
        }
    }
}

static float dot_floats(TensorType type, const void *row, int n_in, const float *x)
{
    if (type == TENSOR_F32) return dot_avx512(x, row, n_in);
    return type == TENSOR_F16 ? dot_f16(x, row, n_in) : dot_bf16(x, row, n_in);
}

static inline __attribute__((always_inline)) void times(TensorType type, const void *w,
                                                        size_t row_bytes, int n_in, int n_rows,
                                                        const ActRow *acts, int n, float *y,
                                                        size_t y_stride)
{
    switch (type) {
#define FORMAT(name, block, kind)                                                                  \
    case name:                                                                                     \
        quantised_times(name, sizeof(block), kind, w, row_bytes, n_in, n_rows, acts, n, y,         \
                        y_stride);                                                                 \
        return;
        FORMAT(TENSOR_Q8_0, BlockQ8_0, GROUPS_OF_32)
        FORMAT(TENSOR_Q4_0, BlockQ4_0, GROUPS_OF_32)
        FORMAT(TENSOR_Q4_1, BlockQ4_1, GROUPS_OF_32)
        FORMAT(TENSOR_Q5_0, BlockQ5_0, GROUPS_OF_32)
        FORMAT(TENSOR_Q5_1, BlockQ5_1, GROUPS_OF_32)
        FORMAT(TENSOR_IQ4_NL, BlockIQ4NL, GROUPS_OF_32)
        FORMAT(TENSOR_MXFP4, BlockMXFP4, GROUPS_OF_32)
        FORMAT(TENSOR_Q4_K, BlockQ4K, K_BLOCKS)
        FORMAT(TENSOR_Q5_K, BlockQ5K, K_BLOCKS)
        FORMAT(TENSOR_Q2_K, BlockQ2K, SUPER_BLOCKS)
        FORMAT(TENSOR_Q3_K, BlockQ3K, SUPER_BLOCKS)
        FORMAT(TENSOR_Q6_K, BlockQ6K, SUPER_BLOCKS)
        FORMAT(TENSOR_IQ4_XS, BlockIQ4XS, SUPER_BLOCKS)
#undef FORMAT
    default:
        for (int r = 0; r < n_rows; r++)
            for (int t = 0; t < n; t++)
                y[(size_t)t * y_stride + (size_t)r] =
                    dot_floats(type, (const char *)w + (size_t)r * row_bytes, n_in, acts[t].x);
    }
}

void gemv_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                 const ActRow *a, float *y)
{
    times(type, w, row_bytes, n_in, n_rows, a, 1, y, 0);
}

void gemv_two_avx512(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                     const ActRow *acts, float *y, size_t y_stride)
{
    times(type, w, row_bytes, n_in, n_rows, acts, 2, y, y_stride);
}

// Every kernel table against the plain C one, and the plain C one against worked examples
// (docs/engine.md, "Formats").
#include "unit/unit.h"

#include <math.h>

#ifndef WITHOUT_JSON // tests/cross/neon.sh
#include <json-c/json.h>
#endif

#include "kernels/blocks.h"
#include "kernels/kernels.h"
#include "kernels/unpack.h"

static const TensorType all_types[] = {
#define X(name, id, block, bytes) TENSOR_##name,
    GGUF_TENSOR_TYPES(X)
#undef X
};
enum { N_TYPES = sizeof all_types / sizeof *all_types };

static uint64_t seed = 42;

static uint32_t random_bits(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33);
}

static float random_float(void)
{
    return (float)((double)random_bits() / 1073741824.0 - 1);
}

// Where the half-float scale lies in a block.
static size_t scale_offset(TensorType type)
{
    switch (type) {
    case TENSOR_Q2_K:
        return offsetof(BlockQ2K, d);
    case TENSOR_Q3_K:
        return offsetof(BlockQ3K, d);
    case TENSOR_Q6_K:
        return offsetof(BlockQ6K, d);
    default:
        return 0;
    }
}

static bool has_minimum(TensorType type)
{
    return type == TENSOR_Q4_1 || type == TENSOR_Q5_1 || type == TENSOR_Q2_K ||
           type == TENSOR_Q4_K || type == TENSOR_Q5_K;
}

// Random bytes make valid blocks of every format once the scales are plain numbers.
static void fill_row(TensorType type, unsigned char *row, int n)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    size_t n_bytes = (size_t)(n / info->block_elements) * (size_t)info->block_bytes;
    for (size_t i = 0; i < n_bytes; i++)
        row[i] = (unsigned char)random_bits();
    for (int b = 0; b < n / info->block_elements; b++) {
        unsigned char *block = row + (size_t)b * (size_t)info->block_bytes;
        uint16_t d = float_to_half(0.01f + 0.01f * fabsf(random_float()));
        if (type == TENSOR_F32) {
            float f = random_float();
            memcpy(block, &f, sizeof f);
        } else if (type == TENSOR_F16) {
            d = float_to_half(random_float());
            memcpy(block, &d, sizeof d);
        } else if (type == TENSOR_BF16) {
            float f = random_float();
            memcpy(block, (const char *)&f + 2, 2);
        } else if (type == TENSOR_MXFP4) {
            block[0] = (unsigned char)(120 + random_bits() % 4);
        } else {
            uint16_t small = float_to_half(half_to_float(d) / 16);
            memcpy(block + scale_offset(type), type == TENSOR_IQ4_XS ? &small : &d, sizeof d);
            if (has_minimum(type)) memcpy(block + scale_offset(type) + 2, &d, sizeof d);
        }
    }
}

// Activations with their 8-bit form.
typedef struct Vector {
    float *x, *scale;
    int8_t *q;
    int16_t *sums;
    ActRow row;
} Vector;

static Vector new_vector(const Kernels *k, int n)
{
    Vector v = {.x = malloc((size_t)n * sizeof(float)),
                .scale = malloc((size_t)(n / 32 + 1) * sizeof(float)),
                .q = malloc((size_t)n + 1),
                .sums = malloc((size_t)(n / 16 + 1) * sizeof(int16_t))};
    for (int i = 0; i < n; i++) // blocks of every size
        v.x[i] = random_float() * 3 * (i / 32 % 5 == 0 ? 1 : exp2f(-(float)(i / 32 * 7 % 19) / 2));
    v.row = (ActRow){.x = v.x};
    if (n % 32 == 0) {
        k->quantize(v.x, n, v.q, v.scale, v.sums);
        v.row = (ActRow){v.x, v.q, v.scale, v.sums};
    }
    return v;
}

static void free_vector(Vector *v)
{
    free(v->x);
    free(v->scale);
    free(v->q);
    free(v->sums);
}

static void assert_near(float got, float wanted, float scale, const char *what)
{
    float error = fabsf(got - wanted);
    if (!(error <= 2e-4f * scale + 1e-5f))
        fail_msg("%s: %g, wanted %g (scale %g)", what, (double)got, (double)wanted, (double)scale);
}

// The 8-bit numbers of a row with one scale for GEMM_BLOCK columns, of which a table with
// `rounds_weights` makes its grouped products: from byte v of a group to v * factor + offset, whose
// high byte is 128 above the number.
static void round_block(const Group32 *groups, int n_groups, int highest, float *out)
{
    float peak = 0;
    for (int i = 0; i < 2 * n_groups; i++) {
        const Group32 *g = &groups[i / 2];
        int most = highest - g->zero > g->zero ? highest - g->zero : g->zero;
        float m = g->min[i % 2], top = fabsf(fmaf(g->scale[i % 2], (float)most, -m));
        peak = fmaxf(peak, g->zero ? top : fmaxf(top, fabsf(m)));
    }
    const float inverse = peak > 1e-30f ? 127 * 256 / peak : 0;
    for (int i = 0; i < 32 * n_groups; i++) {
        const Group32 *g = &groups[i / 32];
        int h = i % 32 / 16, factor = (int)rintf(g->scale[h] * inverse);
        int below = g->zero ? factor * g->zero : (int)rintf(g->min[h] * inverse);
        int number = ((g->u[i % 32] * factor - below + 128 * 256 + 128) >> 8) - 128;
        float exact = g->scale[h] * (float)(g->u[i % 32] - g->zero) - g->min[h];
        assert_in_range(number + 127, 0, 254);
        out[i] = (float)number * (peak / 127);
        assert_true(fabsf(out[i] - exact) <= 0.76f * peak / 127); // a half, and of the factor's
    }
}

static void round_row(TensorType type, const void *row, int n, float *out)
{
    static const uint8_t highest[] = {
        [TENSOR_Q4_0] = 15,  [TENSOR_Q4_1] = 15, [TENSOR_Q5_0] = 31,    [TENSOR_Q5_1] = 31,
        [TENSOR_Q8_0] = 255, [TENSOR_Q2_K] = 3,  [TENSOR_Q3_K] = 7,     [TENSOR_Q4_K] = 15,
        [TENSOR_Q5_K] = 31,  [TENSOR_Q6_K] = 63, [TENSOR_IQ4_NL] = 241, [TENSOR_IQ4_XS] = 241,
        [TENSOR_MXFP4] = 24};
    for (int at = 0; at < n; at += GEMM_BLOCK) {
        Group32 groups[GEMM_BLOCK / 32];
        int n_groups = (n - at < GEMM_BLOCK ? n - at : GEMM_BLOCK) / 32;
        for (int g = 0; g < n_groups; g++)
            unpack_group(type, row, at / 32 + g, &groups[g]);
        round_block(groups, n_groups, highest[type], out + at);
    }
}

// What a grouped product of the row and the vector should be.
static float grouped_product(const Kernels *k, TensorType type, const void *row, int n,
                             const ActRow *act)
{
    float y;
    kernels_ref.gemv(type, row, 0, n, 1, act, &y);
    if (!k->rounds_weights || tensor_type_info(type)->block_elements == 1) return y;
    float *weights = malloc((size_t)n * sizeof *weights);
    double sum = 0;
    round_row(type, row, n, weights);
    for (int i = 0; i < n; i++)
        sum += (double)weights[i] * (double)act->scale[i / 32] * act->q[i];
    free(weights);
    return (float)sum;
}

static const Kernels *find_or_skip(const char *name)
{
    const Kernels *k = kernels_find(name);
    if (!k) printf("skipped: this CPU has no %s\n", name);
    return k;
}

static void check_dequantized(const Kernels *k, TensorType type, const void *row, int n)
{
    float *wanted = malloc((size_t)n * sizeof *wanted), *got = malloc((size_t)n * sizeof *got);
    kernels_ref.dequantize(type, row, n, wanted);
    k->dequantize(type, row, n, got);
    for (int i = 0; i < n; i++)
        if (!(got[i] == wanted[i]))
            fail_msg("%s %s element %d is %.9g, wanted %.9g", k->name, tensor_type_info(type)->name,
                     i, (double)got[i], (double)wanted[i]);
    free(got);
    free(wanted);
}

// Scales of activations as quantize makes them, or no powers of two apart.
typedef enum Scales { PAIRED_SCALES, ANY_SCALES } Scales;

static void check_products_of(const Kernels *k, TensorType type, int n_in, int n_rows, int n_acts,
                              Scales scales)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    size_t row_bytes = (size_t)(n_in / info->block_elements) * (size_t)info->block_bytes;
    unsigned char *w = malloc(row_bytes * (size_t)n_rows);
    Vector *vectors = malloc((size_t)n_acts * sizeof *vectors);
    ActRow *acts = malloc((size_t)n_acts * sizeof *acts);
    for (int r = 0; r < n_rows; r++) {
        fill_row(type, w + (size_t)r * row_bytes, n_in);
        check_dequantized(k, type, w + (size_t)r * row_bytes, n_in);
    }
    for (int t = 0; t < n_acts; t++) {
        vectors[t] = new_vector(&kernels_ref, n_in);
        acts[t] = vectors[t].row;
        for (int b = 0; scales == ANY_SCALES && b < n_in / 32; b++)
            vectors[t].scale[b] *= 1 + (float)(b % 3);
    }
    size_t stride = (size_t)n_rows + 3;
    float *wanted = calloc(stride * (size_t)n_acts, sizeof *wanted);
    float *got = calloc(stride * (size_t)n_acts, sizeof *got), *one = calloc(stride, sizeof *one);
    float *two = calloc(2 * stride, sizeof *two);
    void *scratch = aligned_alloc(64, (gemm_scratch_bytes(n_in) + 63) / 64 * 64);
    kernels_ref.gemm(type, w, row_bytes, n_in, n_rows, acts, n_acts, wanted, stride, scratch);
    k->gemm(type, w, row_bytes, n_in, n_rows, acts, n_acts, got, stride, scratch);
    char what[96];
    for (int t = 0; t < n_acts; t++) {
        k->gemv(type, w, row_bytes, n_in, n_rows, &acts[t], one);
        for (int r = 0; r < n_rows; r++) {
            size_t at = (size_t)t * stride + (size_t)r;
            float scale = sqrtf((float)n_in) * (scales == ANY_SCALES ? 9 : 3);
            snprintf(what, sizeof what, "%s %s %dx%d row %d act %d", k->name, info->name, n_in,
                     n_rows, r, t);
            assert_near(one[r], wanted[at], scale, what);
            const unsigned char *row = w + (size_t)r * row_bytes;
            float steps = k->rounds_weights ? 2 * scale : scale; // sums that are shifted lose some
            assert_near(got[at], grouped_product(k, type, row, n_in, &acts[t]), steps, what);
        }
        assert_true(got[(size_t)t * stride + (size_t)n_rows] == 0); // nothing past the rows
        if (t == 0) continue;
        k->gemv_two(type, w, row_bytes, n_in, n_rows, &acts[t - 1], two, stride);
        assert_memory_equal(two + stride, one, (size_t)n_rows * sizeof *one);
        k->gemv(type, w, row_bytes, n_in, n_rows, &acts[t - 1], one);
        assert_memory_equal(two, one, (size_t)n_rows * sizeof *one);
        assert_true(two[n_rows] == 0 && two[stride + (size_t)n_rows] == 0);
    }
    for (int t = 0; t < n_acts; t++)
        free_vector(&vectors[t]);
    free(vectors);
    free(acts);
    free(w);
    free(wanted);
    free(got);
    free(one);
    free(two);
    free(scratch);
}

static void check_products(const Kernels *k, TensorType type, int n_in, int n_rows, int n_acts)
{
    const uint64_t start = seed;
    check_products_of(k, type, n_in, n_rows, n_acts, PAIRED_SCALES);
    if (n_in % 32 != 0 || n_in > 4096) return; // sums of many large scales lose digits
    seed = start;
    check_products_of(k, type, n_in, n_rows, n_acts, ANY_SCALES);
}

static void check_all_products(const char *name)
{
    static const int widths[] = {256, 512, 1536}, narrow[] = {32, 64, 96, 896, 1408};
    const Kernels *k = find_or_skip(name);
    if (!k) skip();
    for (int t = 0; t < N_TYPES; t++) {
        bool super = tensor_type_info(all_types[t])->block_elements == 256;
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            check_products(k, all_types[t], widths[i], 37, 13);
        for (size_t i = 0; !super && i < sizeof narrow / sizeof *narrow; i++)
            check_products(k, all_types[t], narrow[i], 16, 5);
        check_products(k, all_types[t], 256, 1, 1);
        if (super) check_products(k, all_types[t], 129 * 256, 3, 2); // more than is made in advance
    }
    check_products(k, TENSOR_F32, 1337, 19, 9); // attention's widths are anything
    check_products(k, TENSOR_F32, 7, 3, 33);
}

static void avx2_products_equal_the_plain_ones(void **state)
{
    (void)state;
    check_all_products("avx2");
}

static void avx512_products_equal_the_plain_ones(void **state)
{
    (void)state;
    check_all_products("avx512");
}

static void neon_products_equal_the_plain_ones(void **state)
{
    (void)state;
    check_all_products("neon");
}

static void rounding_activations_costs_little(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        enum { N = 512 };
        unsigned char row[N * 4];
        float exact[N];
        fill_row(all_types[t], row, N);
        kernels_ref.dequantize(all_types[t], row, N, exact);
        Vector v = new_vector(&kernels_ref, N);
        float rounded, wanted = kernels_ref.dot(exact, v.x, N), size = 0;
        for (int i = 0; i < N; i++)
            size += exact[i] * exact[i];
        kernels_ref.gemv(all_types[t], row, 0, N, 1, &v.row, &rounded);
        // Each element is off by at most half a step of its block: 3/127/2.
        assert_true(fabsf(rounded - wanted) <= 3.0f / 254 * sqrtf(size) * 4);
        kernels_exact()->gemv(all_types[t], row, 0, N, 1, &v.row, &rounded);
        assert_near(rounded, wanted, sqrtf(size) + 1, "exact");
        free_vector(&v);
    }
}

static void check_vectors(const char *name)
{
    const Kernels *k = find_or_skip(name);
    if (!k) skip();
    for (int n = 1; n < 200; n += n < 40 ? 1 : 37) {
        Vector a = new_vector(k, n), b = new_vector(k, n);
        float y[256], z[256];
        uint16_t h[256], g[256];
        float scale = sqrtf((float)n) * 9;
        assert_near(k->dot(a.x, b.x, n), kernels_ref.dot(a.x, b.x, n), scale, "dot");
        memcpy(y, b.x, (size_t)n * 4), memcpy(z, b.x, (size_t)n * 4);
        k->axpy(0.3f, a.x, y, n), kernels_ref.axpy(0.3f, a.x, z, n);
        for (int i = 0; i < n; i++)
            assert_near(y[i], z[i], 3, "axpy");
        k->rms_norm(a.x, b.x, 1e-6f, n, y), kernels_ref.rms_norm(a.x, b.x, 1e-6f, n, z);
        for (int i = 0; i < n; i++)
            assert_near(y[i], z[i], 9, "rms_norm");
        k->silu_mul(a.x, b.x, n, y), kernels_ref.silu_mul(a.x, b.x, n, z);
        for (int i = 0; i < n; i++)
            assert_near(y[i], z[i], 3, "silu_mul");
        memcpy(y, a.x, (size_t)n * 4), memcpy(z, a.x, (size_t)n * 4);
        k->softmax(y, n), kernels_ref.softmax(z, n);
        for (int i = 0; i < n; i++)
            assert_near(y[i], z[i], 0.1f, "softmax");
        k->to_f16(a.x, n, h), kernels_ref.to_f16(a.x, n, g);
        assert_memory_equal(h, g, (size_t)n * 2);
        free_vector(&a);
        free_vector(&b);
    }
}

// n_x vectors against rows of half floats, all of them and one by one: the same bits.
static void check_rows_of(const Kernels *k, int n_x, int n_rows, int n)
{
    enum { MAX_X = 9, MAX_ROWS = 40, MAX_N = 320, GAP = 3 };
    static float x[MAX_X * MAX_N], weights[MAX_X * MAX_ROWS], y[MAX_X * MAX_N], z[MAX_X * MAX_N];
    static float dots[MAX_X * MAX_ROWS], wanted[MAX_X * MAX_ROWS];
    static uint16_t data[MAX_ROWS * (MAX_N + GAP)];
    HalfRows rows = {data, (size_t)(n + GAP), n_rows, n};
    for (int i = 0; i < MAX_X * MAX_N; i++)
        x[i] = random_float() * 2, y[i] = z[i] = random_float();
    for (int i = 0; i < MAX_X * MAX_ROWS; i++)
        weights[i] = random_float(), dots[i] = wanted[i] = 0;
    for (int i = 0; i < MAX_ROWS * (MAX_N + GAP); i++)
        data[i] = float_to_half(random_float());
    k->dot_rows(x, MAX_N, n_x, &rows, dots, MAX_ROWS);
    kernels_ref.dot_rows(x, MAX_N, n_x, &rows, wanted, MAX_ROWS);
    k->add_rows(weights, MAX_ROWS, n_x, &rows, y, MAX_N);
    kernels_ref.add_rows(weights, MAX_ROWS, n_x, &rows, z, MAX_N);
    for (int i = 0; i < MAX_X * MAX_ROWS; i++)
        assert_near(dots[i], wanted[i], sqrtf((float)n) * 4, "dot_rows");
    for (int i = 0; i < MAX_X * MAX_N; i++)
        assert_near(y[i], z[i], sqrtf((float)n_rows) * 4, "add_rows");
    for (int h = 0; h < n_x; h++)
        for (int i = 0; i < n_rows; i++) {
            float alone;
            HalfRows row = {data + (size_t)i * rows.stride, 0, 1, n};
            k->dot_rows(x + (size_t)h * MAX_N, 0, 1, &row, &alone, 0);
            assert_memory_equal(&alone, &dots[h * MAX_ROWS + i], sizeof alone);
        }
}

static void check_rows(const char *name)
{
    const Kernels *k = find_or_skip(name);
    if (!k) skip();
    for (int i = 0; i < 300; i++)
        check_rows_of(k, (int)(random_bits() % 10), (int)(random_bits() % 41),
                      1 + (int)(random_bits() % 320));
}

static void avx2_vectors_equal_the_plain_ones(void **state)
{
    (void)state;
    check_vectors("avx2");
    check_rows("avx2");
}

static void avx512_vectors_equal_the_plain_ones(void **state)
{
    (void)state;
    check_vectors("avx512");
    check_rows("avx512");
}

static void neon_vectors_equal_the_plain_ones(void **state)
{
    (void)state;
    check_vectors("neon");
    check_rows("neon");
}

// --- attention of a block of queries -------------------------------------------------------------

typedef struct Head {
    float *q, *keys, *values;
    int dk, dv, n, n_queries; // positions; the last query sees all of them
} Head;

static float *random_floats(int n)
{
    float *out = malloc((size_t)(n ? n : 1) * sizeof *out);
    for (int i = 0; i < n; i++)
        out[i] = random_float();
    return out;
}

static Head new_head(int dk, int dv, int n, int n_queries)
{
    return (Head){random_floats(dk * n_queries),
                  random_floats(dk * n),
                  random_floats(dv * n),
                  dk,
                  dv,
                  n,
                  n_queries};
}

static void free_head(Head *h)
{
    free(h->q);
    free(h->keys);
    free(h->values);
}

// Query i by the definition, in doubles.
static void attend_plainly(const Head *h, int i, int window, double *out)
{
    const int n = h->n - h->n_queries + 1 + i, first = window && n > window ? n - window : 0;
    double weights[400], sum = 0;
    for (int j = 0; j < h->dv; j++)
        out[j] = 0;
    for (int t = first; t < n; t++) {
        double score = 0;
        for (int j = 0; j < h->dk; j++)
            score += (double)h->q[i * h->dk + j] * (double)h->keys[t * h->dk + j];
        sum += weights[t] = exp(score);
    }
    for (int t = first; t < n; t++)
        for (int j = 0; j < h->dv; j++)
            out[j] += weights[t] / sum * (double)h->values[t * h->dv + j];
}

// out [n_queries][dv + 1], laid out in two calls. What lies there before is no number.
static void attend_by_table(const Kernels *k, const Head *h, int window, float *out)
{
    const int n_max = (h->n + 63) / 32 * 32, first = h->n / 2 / 32 * 32;
    HeadKv kv = {malloc((size_t)(n_max * h->dk) * 4), malloc((size_t)(n_max * h->dv) * 4), h->dk,
                 h->dv, n_max};
    float *scores = malloc((size_t)(n_max * ATTEND_QUERIES) * sizeof *scores);
    void *scratch = aligned_alloc(64, (gemm_scratch_bytes(32) + 63) / 64 * 64);
    memset(kv.keys, 0xFF, (size_t)(n_max * h->dk) * 4);
    memset(kv.values, 0xFF, (size_t)(n_max * h->dv) * 4);
    if (first > 0) k->lay_out(h->keys, h->values, first, 0, &kv);
    k->lay_out(h->keys + first * h->dk, h->values + first * h->dv, h->n - first, first, &kv);
    QueryBlock block = {
        h->q, out, (size_t)h->dk, (size_t)h->dv + 1, h->n_queries, h->n - h->n_queries + 1, window};
    k->attend(k, &kv, &block, scores, scratch);
    free(kv.keys);
    free(kv.values);
    free(scores);
    free(scratch);
}

static void check_head(const Kernels *k, const Head *h, int window)
{
    float *out = calloc((size_t)((h->dv + 1) * h->n_queries), sizeof *out);
    double *wanted = malloc((size_t)h->dv * sizeof *wanted);
    attend_by_table(k, h, window, out);
    for (int i = 0; i < h->n_queries; i++) {
        attend_plainly(h, i, window, wanted);
        for (int j = 0; j < h->dv; j++)
            if (!(fabs((double)out[i * (h->dv + 1) + j] - wanted[j]) <= 1e-3))
                fail_msg("%s dk %d dv %d, %d positions, %d queries, window %d: query %d is %g at "
                         "%d, wanted %g",
                         k->name, h->dk, h->dv, h->n, h->n_queries, window, i,
                         (double)out[i * (h->dv + 1) + j], j, wanted[j]);
        assert_true(out[i * (h->dv + 1) + h->dv] == 0); // nothing past the columns
    }
    free(out);
    free(wanted);
}

static const char *const all_tables[] = {"ref", "exact", "avx2", "avx512", "neon"};

static void attention_is_the_definitions(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        const Kernels *k = find_or_skip(all_tables[i]);
        for (int run = 0; k && run < 120; run++) {
            bool even = run % 3 != 0; // widths of models, or any
            int dk = even ? 2 + 2 * (int)(random_bits() % 100) : 1 + (int)(random_bits() % 200);
            int dv = even ? 16 * (1 + (int)(random_bits() % 9)) : 1 + (int)(random_bits() % 130);
            int n_queries = 1 + (int)(random_bits() % ATTEND_QUERIES);
            Head h = new_head(dk, dv, n_queries + (int)(random_bits() % 300), n_queries);
            check_head(k, &h, run % 4 ? 0 : 1 + (int)(random_bits() % 200));
            free_head(&h);
        }
    }
}

// A key that dwarfs the others, zeros, weights that all but vanish: still the definition's.
static void attention_bears_extremes(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        const Kernels *k = find_or_skip(all_tables[i]);
        if (!k) continue;
        Head h = new_head(64, 32, 200, 20);
        for (int j = 0; j < 64; j++)
            h.keys[7 * 64 + j] *= 40, h.keys[9 * 64 + j] = 0, h.q[3 * 64 + j] = 0;
        for (int j = 0; j < 32; j++)
            h.values[11 * 32 + j] = 0;
        check_head(k, &h, 0);
        float out[20 * 33];
        h.q[5 * 64 + 1] = NAN, h.q[6 * 64 + 2] = INFINITY;
        attend_by_table(k, &h, 0, out);
        for (int q = 0; q < 20; q++)
            assert_true(isnan(out[q * 33]) == (q == 5 || q == 6));
        free_head(&h);
    }
}

static void extremes_of_exp_stay_finite(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "avx2", "avx512", "neon"};
    for (int i = 0; i < 4; i++) {
        const Kernels *k = find_or_skip(names[i]);
        if (!k) continue;
        float x[17] = {-1e30f, 1e30f, -200, 200, 0, -0.0f, 88, -88, 1, 2, 3, 4, 5, 6, 7, 8, -1e4f};
        float y[17], ones[17];
        for (int j = 0; j < 17; j++)
            ones[j] = 1;
        k->silu_mul(x, ones, 17, y);
        for (int j = 0; j < 17; j++)
            assert_true(isfinite(y[j]));
        assert_true(y[1] == 1e30f && fabsf(y[0]) < 1e-3f);
        float s[16] = {-INFINITY, 0, -INFINITY, 0};
        k->softmax(s, 4);
        assert_near(s[1], 0.5f, 1, "softmax with masked entries");
        assert_true(s[0] == 0);
    }
}

static void nan_in_gives_nan_out_and_no_crash(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "avx2", "avx512", "neon"};
    for (int i = 0; i < 4; i++) {
        const Kernels *k = find_or_skip(names[i]);
        if (!k) continue;
        float x[64] = {0}, scale[2];
        int8_t q[64];
        int16_t sums[4];
        x[40] = INFINITY;
        k->quantize(x, 64, q, scale, sums);
        assert_true(isnan(scale[0]) && isnan(scale[1]));
        x[40] = 0, x[3] = NAN;
        k->quantize(x, 64, q, scale, sums);
        assert_true(isnan(scale[0]) && isnan(scale[1]));
        BlockQ8_0 w[2] = {{.d = 0x7E00}, {.d = 0x3C00}}; // NaN, 1
        ActRow a = {x, q, scale, sums};
        float y;
        k->gemv(TENSOR_Q8_0, w, sizeof w, 64, 1, &a, &y);
        assert_true(isnan(y));
        float v[20];
        for (int j = 0; j < 20; j++)
            v[j] = j == 2 ? NAN : 1;
        k->silu_mul(v, v, 20, v);
        assert_true(isnan(v[2]) && !isnan(v[3]));
    }
}

// A scale that is not a number spoils its row and no other, in every format and table.
static void nan_scales_stay_in_their_row(void **state)
{
    (void)state;
    enum { N = 512, ROWS = 3, ACTS = 5 };
    static const char *const names[] = {"ref", "exact", "avx2", "avx512", "neon"};
    for (int i = 0; i < 5; i++) {
        const Kernels *k = find_or_skip(names[i]);
        for (int t = 0; k && t < N_TYPES; t++) {
            TensorType type = all_types[t];
            const TensorTypeInfo *info = tensor_type_info(type);
            if (info->block_elements == 1 || type == TENSOR_MXFP4) continue; // no scale, no NaN
            size_t row_bytes = (size_t)(N / info->block_elements) * (size_t)info->block_bytes;
            unsigned char w[ROWS * N * 2];
            for (int r = 0; r < ROWS; r++)
                fill_row(type, w + (size_t)r * row_bytes, N);
            const uint16_t nan = 0x7E00;
            memcpy(w + row_bytes + (size_t)info->block_bytes + scale_offset(type), &nan, 2);
            Vector v = new_vector(&kernels_ref, N);
            ActRow acts[ACTS] = {v.row, v.row, v.row, v.row, v.row};
            float one[ROWS], all[ACTS * ROWS];
            void *scratch = aligned_alloc(64, (gemm_scratch_bytes(N) + 63) / 64 * 64);
            k->gemv(type, w, row_bytes, N, ROWS, &v.row, one);
            k->gemm(type, w, row_bytes, N, ROWS, acts, ACTS, all, ROWS, scratch);
            for (int r = 0; r < ROWS; r++)
                if (isnan(one[r]) != (r == 1) || isnan(all[(ACTS - 1) * ROWS + r]) != (r == 1))
                    fail_msg("%s %s row %d: %g and %g", k->name, info->name, r, (double)one[r],
                             (double)all[(ACTS - 1) * ROWS + r]);
            free_vector(&v);
            free(scratch);
        }
    }
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    assert_true(half_to_float(0x3C00) == 1.0f && half_to_float(0x3555) == 0.333251953125f);
    assert_true(half_to_float(0x0001) == 0x1p-24f && half_to_float(0x7BFF) == 65504.0f);
    assert_true(isinf(half_to_float(0x7C00)) && isnan(half_to_float(0x7E01)));
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = half_to_float((uint16_t)h);
        if (!isnan(f)) assert_int_equal(float_to_half(f), h);
    }
    assert_int_equal(float_to_half(65520.0f), 0x7C00);
    assert_int_equal(float_to_half(1.0f + 0x1p-11f), 0x3C00); // a tie goes to even
}

static float one_value(TensorType type, const void *block, int i)
{
    float out[256];
    kernels_ref.dequantize(type, block, tensor_type_info(type)->block_elements, out);
    return out[i];
}

static void worked_examples_of_every_format(void **state)
{
    (void)state;
    BlockQ8_0 q8 = {.d = 0x3800, .q = {2, -3}};
    assert_true(one_value(TENSOR_Q8_0, &q8, 0) == 1.0f && one_value(TENSOR_Q8_0, &q8, 1) == -1.5f);
    BlockQ4_0 q40 = {.d = 0x3800, .qs = {0xF1}};
    assert_true(one_value(TENSOR_Q4_0, &q40, 0) == -3.5f &&
                one_value(TENSOR_Q4_0, &q40, 16) == 3.5f);
    BlockQ4_1 q41 = {.d = 0x3800, .m = 0xBC00, .qs = {0xF1}};
    assert_true(one_value(TENSOR_Q4_1, &q41, 0) == -0.5f &&
                one_value(TENSOR_Q4_1, &q41, 16) == 6.5f);
    BlockQ5_0 q50 = {.d = 0x3800, .qh = {1}, .qs = {0xF1}};
    assert_true(one_value(TENSOR_Q5_0, &q50, 0) == 0.5f &&
                one_value(TENSOR_Q5_0, &q50, 16) == -0.5f);
    BlockQ5_1 q51 = {.d = 0x3800, .m = 0xBC00, .qh = {1}, .qs = {0xF1}};
    assert_true(one_value(TENSOR_Q5_1, &q51, 0) == 7.5f &&
                one_value(TENSOR_Q5_1, &q51, 16) == 6.5f);
    BlockQ4K q4k = {.d = 0x3400, .dmin = 0x3800};
    q4k.scales[9] = 0x2D, q4k.scales[1] = 0x80, q4k.scales[5] = 0x40, q4k.qs[64] = 0x70;
    assert_true(one_value(TENSOR_Q4_K, &q4k, 160) == 69.75f);
    BlockQ5K q5k = {.d = 0x3400, .dmin = 0x3800, .qh = {0x20}};
    q5k.scales[9] = 0x2D, q5k.scales[1] = 0x80, q5k.scales[5] = 0x40, q5k.qs[64] = 0x70;
    assert_true(one_value(TENSOR_Q5_K, &q5k, 160) == 249.75f);
    BlockQ2K q2k = {.d = 0x3C00, .dmin = 0x3800, .qs = {0xE4}};
    memset(q2k.scales, 0x23, sizeof q2k.scales);
    for (int g = 0; g < 4; g++)
        assert_true(one_value(TENSOR_Q2_K, &q2k, 32 * g) == (float)(3 * g - 1));
    BlockQ3K q3k = {.d = 0x3800, .qs = {3}, .scales = {[0] = 3, [8] = 2}};
    assert_true(one_value(TENSOR_Q3_K, &q3k, 0) == -1.5f);
    q3k.hmask[0] = 1;
    assert_true(one_value(TENSOR_Q3_K, &q3k, 0) == 4.5f);
    BlockIQ4NL iq4nl = {.d = 0x3800, .qs = {0x80}};
    assert_true(one_value(TENSOR_IQ4_NL, &iq4nl, 0) == -63.5f &&
                one_value(TENSOR_IQ4_NL, &iq4nl, 16) == 0.5f);
    BlockIQ4XS iq4xs = {.d = 0x3800, .scales_high = 2, .scales_low = {5}, .qs = {0x8F}};
    assert_true(one_value(TENSOR_IQ4_XS, &iq4xs, 0) == 282.5f &&
                one_value(TENSOR_IQ4_XS, &iq4xs, 16) == 2.5f);
    BlockMXFP4 fp4 = {.e = 127, .qs = {0xF3}};
    assert_true(one_value(TENSOR_MXFP4, &fp4, 0) == 1.5f &&
                one_value(TENSOR_MXFP4, &fp4, 16) == -6.0f);
    fp4.e = 0; // a subnormal scale
    assert_true(one_value(TENSOR_MXFP4, &fp4, 0) == 3 * 0x1p-128f);
    BlockQ6K q6k = {.d = 0x3800, .ql = {0x9C}, .qh = {0xE4}};
    q6k.scales[0] = 2, q6k.scales[4] = 3;
    assert_true(one_value(TENSOR_Q6_K, &q6k, 0) == -20.0f &&
                one_value(TENSOR_Q6_K, &q6k, 64) == 13.5f);
}

#ifndef WITHOUT_JSON
// --- against an outside decoder (tests/golden/blocks.json, by make_blocks_golden.py) -------------

static size_t decode_hex(const char *hex, unsigned char **out)
{
    size_t n = strlen(hex) / 2;
    *out = malloc(n);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        (*out)[i] = (unsigned char)byte;
    }
    return n;
}

static void blocks_decode_bit_for_bit(void **state)
{
    (void)state;
    json_object *golden = json_object_from_file(SOURCE_DIR "/tests/golden/blocks.json");
    assert_non_null(golden);
    int n_formats = 0;
    for (int t = 0; t < N_TYPES; t++) {
        const TensorTypeInfo *info = tensor_type_info(all_types[t]);
        json_object *format, *field;
        if (!json_object_object_get_ex(golden, info->name, &format)) continue;
        unsigned char *blocks, *values;
        assert_true(json_object_object_get_ex(format, "blocks", &field));
        size_t n_bytes = decode_hex(json_object_get_string(field), &blocks);
        assert_true(json_object_object_get_ex(format, "values", &field));
        size_t n = decode_hex(json_object_get_string(field), &values) / sizeof(float);
        assert_int_equal(n_bytes / (size_t)info->block_bytes * (size_t)info->block_elements, n);
        float *got = malloc(n * sizeof *got);
        kernels_ref.dequantize(all_types[t], blocks, (int)n, got);
        for (size_t i = 0; i < n; i++) {
            float wanted;
            memcpy(&wanted, values + i * sizeof wanted, sizeof wanted);
            if (!(got[i] == wanted)) // minus zero is zero
                fail_msg("%s element %zu is %.9g, wanted %.9g", info->name, i, (double)got[i],
                         (double)wanted);
        }
        free(got);
        free(values);
        free(blocks);
        n_formats++;
    }
    assert_int_equal(n_formats, 13); // all but F32, F16 and BF16
    json_object_put(golden);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_examples_of_every_format),
#ifndef WITHOUT_JSON
        cmocka_unit_test(blocks_decode_bit_for_bit),
#endif
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(avx2_products_equal_the_plain_ones),
        cmocka_unit_test(avx512_products_equal_the_plain_ones),
        cmocka_unit_test(neon_products_equal_the_plain_ones),
        cmocka_unit_test(rounding_activations_costs_little),
        cmocka_unit_test(avx2_vectors_equal_the_plain_ones),
        cmocka_unit_test(avx512_vectors_equal_the_plain_ones),
        cmocka_unit_test(neon_vectors_equal_the_plain_ones),
        cmocka_unit_test(attention_is_the_definitions),
        cmocka_unit_test(attention_bears_extremes),
        cmocka_unit_test(extremes_of_exp_stay_finite),
        cmocka_unit_test(nan_in_gives_nan_out_and_no_crash),
        cmocka_unit_test(nan_scales_stay_in_their_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

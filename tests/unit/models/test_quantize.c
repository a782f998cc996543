// Quantisers: what they write is read back by the engine's own kernels, close to what it was.
#include "unit/unit.h"

#include <math.h>

#include "engine/kernels/kernels.h"
#include "models/quantize.h"
#include "models/recipe.h"

enum { N = 1024, MAX_BYTES = N * 4 };

// Root mean square errors of normal numbers, relative to theirs: 5% over what was measured.
static const struct {
    TensorType type;
    double error;
} types[] = {{TENSOR_Q8_0, 0.0059},  {TENSOR_Q4_0, 0.089},    {TENSOR_Q4_1, 0.076},
             {TENSOR_Q5_0, 0.0444},  {TENSOR_Q5_1, 0.0363},   {TENSOR_Q2_K, 0.285},
             {TENSOR_Q3_K, 0.153},   {TENSOR_Q4_K, 0.0758},   {TENSOR_Q5_K, 0.0375},
             {TENSOR_Q6_K, 0.0183},  {TENSOR_IQ4_NL, 0.0803}, {TENSOR_IQ4_XS, 0.081},
             {TENSOR_MXFP4, 0.1205}, {TENSOR_F16, 0.0003},    {TENSOR_BF16, 0.0018}};
enum { N_TYPES = sizeof types / sizeof *types };

static uint64_t seed;

// Sum of twelve uniform numbers less six.
static float next_normal(void)
{
    float sum = -6;
    for (int i = 0; i < 12; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(seed >> 40) * 0x1p-24f;
    }
    return sum;
}

static double relative_error(TensorType type, const float *x, const float *importance,
                             const float *weight)
{
    static _Alignas(8) char row[MAX_BYTES];
    float y[N];
    double off = 0, size = 0;
    memset(row, 0xA5, sizeof row);
    if (!quantize_row(type, x, N, importance, row))
        fail_msg("%s refused a row", tensor_type_info(type)->name);
    kernels_ref.dequantize(type, row, N, y);
    for (int i = 0; i < N; i++) {
        double w = weight ? (double)weight[i] : 1;
        off += w * pow((double)(x[i] - y[i]), 2);
        size += w * pow((double)x[i], 2);
    }
    return size > 0 ? sqrt(off / size) : sqrt(off);
}

static void rows_come_back_close(void **state)
{
    (void)state;
    static const float sizes[] = {1, 1e-3f, 3e3f, 0.02f};
    for (int t = 0; t < N_TYPES; t++) {
        double worst = 0;
        for (int i = 0; i < 4; i++) {
            float x[N];
            seed = (uint64_t)i;
            for (int k = 0; k < N; k++)
                x[k] = next_normal() * sizes[i];
            double error = relative_error(types[t].type, x, NULL, NULL);
            // The smallest half floats have fewer bits.
            if (i != 1 || types[t].type == TENSOR_BF16) worst = fmax(worst, error);
            assert_true(error < 2 * types[t].error);
        }
        printf("%-7s %.4f\n", tensor_type_info(types[t].type)->name, worst);
        assert_true(worst <= types[t].error);
    }
}

static void edge_rows_are_exact_or_near(void **state)
{
    (void)state;
    for (int t = 0; t < N_TYPES; t++) {
        float x[N] = {0};
        assert_true(relative_error(types[t].type, x, NULL, NULL) == 0);
        for (int k = 0; k < N; k++)
            x[k] = -0.5f;
        double same = relative_error(types[t].type, x, NULL, NULL);
        if (same > 0.02)
            fail_msg("%s of equal numbers: %.4f", tensor_type_info(types[t].type)->name, same);
        memset(x, 0, sizeof x);
        for (int k = 0; k < N; k += 256)
            x[k] = k % 512 ? 3 : -3; // one large number in each block
        double one = relative_error(types[t].type, x, NULL, NULL);
        // The smallest entry of IQ4's table is 1, not 0: sqrt(31) / 127.
        if (one > 0.05)
            fail_msg("%s of one number: %.4f", tensor_type_info(types[t].type)->name, one);
        for (int k = 0; k < N; k++)
            x[k] = 1e-38f;
        assert_true(relative_error(types[t].type, x, NULL, NULL) < 2);
    }
}

static void importance_lowers_the_weighted_error(void **state)
{
    (void)state;
    for (int t = 1; t < N_TYPES - 2; t++) {
        double plain = 0, weighted = 0;
        for (int i = 0; i < 8; i++) {
            float x[N], w[N];
            seed = (uint64_t)i + 100;
            for (int k = 0; k < N; k++) {
                x[k] = next_normal();
                w[k] = k % 8 == 0 ? 100 : 1;
            }
            plain += relative_error(types[t].type, x, NULL, w);
            weighted += relative_error(types[t].type, x, w, w);
        }
        if (!(weighted < plain))
            fail_msg("%s: %.4f, without importance %.4f", tensor_type_info(types[t].type)->name,
                     weighted, plain);
    }
}

static void what_cannot_be_held_is_refused(void **state)
{
    (void)state;
    static char row[MAX_BYTES];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int t = 0; t < N_TYPES; t++)
        for (int i = 0; i < 3; i++) {
            float x[N] = {0};
            x[N - 1 - i] = bad[i];
            assert_false(quantize_row(types[t].type, x, N, NULL, row));
        }
    float x[N] = {1e6f};
    assert_false(quantize_row(TENSOR_F16, x, N, NULL, row));
    assert_false(quantize_row(TENSOR_Q4_K, x, N, NULL, row));
    assert_true(quantize_row(TENSOR_BF16, x, N, NULL, row));
}

// --- recipes -------------------------------------------------------------------------------------

static TensorType choose(const char *recipe, const char *name, uint64_t n_in, uint64_t n_out)
{
    const Shape shape = {.n_layers = 24, .n_heads = 14, .n_kv_heads = 2};
    const RecipeModel model = {&shape, false, false};
    const uint64_t dims[4] = {n_in, n_out, 1, 1};
    return recipe_choose(recipe_find(recipe), &model, str_from(name), n_out > 1 ? 2 : 1, dims);
}

static void recipes_follow_the_mixes(void **state)
{
    (void)state;
    assert_null(recipe_find("Q4_K_X"));
    assert_string_equal(recipe_name(recipe_find("q4_k")), "Q4_K_M");
    assert_int_equal(recipe_file_type(recipe_find("iq4_xs")), 30);
    assert_int_equal(choose("Q4_K_M", "blk.0.attn_v.weight", 1024, 128), TENSOR_Q6_K);
    assert_int_equal(choose("Q4_K_M", "blk.3.attn_v.weight", 1024, 128), TENSOR_Q4_K);
    assert_int_equal(choose("Q4_K_M", "blk.5.ffn_down.weight", 1024, 128), TENSOR_Q6_K);
    assert_int_equal(choose("Q4_K_M", "blk.0.attn_q.weight", 896, 896), TENSOR_Q5_0);
    assert_int_equal(choose("Q4_K_M", "output.weight", 896, 1000), TENSOR_Q8_0);
    assert_int_equal(choose("Q4_K_M", "blk.0.attn_q.weight", 24, 96), TENSOR_F16);
    assert_int_equal(choose("Q4_K_M", "blk.0.attn_norm.weight", 1024, 1), TENSOR_F32);
    assert_int_equal(choose("Q4_K_M", "blk.0.ffn_gate_inp.weight", 1024, 64), TENSOR_F32);
    assert_int_equal(choose("Q2_K", "blk.9.attn_v.weight", 1024, 64), TENSOR_Q4_K);
    assert_int_equal(choose("Q2_K", "blk.9.attn_q.weight", 896, 64), TENSOR_Q4_0);
    assert_int_equal(choose("MXFP4_MOE", "blk.9.attn_q.weight", 896, 64), TENSOR_Q8_0);
    assert_int_equal(choose("MXFP4_MOE", "blk.9.ffn_up_exps.weight", 896, 64), TENSOR_MXFP4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_close),
        cmocka_unit_test(edge_rows_are_exact_or_near),
        cmocka_unit_test(importance_lowers_the_weighted_error),
        cmocka_unit_test(what_cannot_be_held_is_refused),
        cmocka_unit_test(recipes_follow_the_mixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The models of the family in their true shapes, from sparse files: bound without being read, their
// memory planned, and refused with the figures where the machine is too small.
#include "unit/sparse_model.h"
#include "unit/unit.h"

#include <math.h>

#include "compute.h"
#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "kv.h"
#include "memory_plan.h"

// A published shape and its number of parameters.
typedef struct Published {
    TrueShape shape;
    uint64_t n_params;
} Published;

#define LLAMA(title, l, d, h, kv, f, v, params)                                                    \
    {                                                                                              \
        {.name = title,                                                                            \
         .arch = "llama",                                                                          \
         .layers = l,                                                                              \
         .width = d,                                                                               \
         .heads = h,                                                                               \
         .kv_heads = kv,                                                                           \
         .head_dim = d / h,                                                                        \
         .ff = f,                                                                                  \
         .vocab = v},                                                                              \
            params                                                                                 \
    }
#define QWEN2(title, l, d, h, kv, hd, f, v, is_tied, params)                                       \
    {                                                                                              \
        {.name = title,                                                                            \
         .arch = "qwen2",                                                                          \
         .layers = l,                                                                              \
         .width = d,                                                                               \
         .heads = h,                                                                               \
         .kv_heads = kv,                                                                           \
         .head_dim = hd,                                                                           \
         .ff = f,                                                                                  \
         .vocab = v,                                                                               \
         .biases = true,                                                                           \
         .tied = is_tied},                                                                         \
            params                                                                                 \
    }

static const TrueShape v3 = {.name = "V3, R1",
                             .arch = "deepseek2",
                             .layers = 61,
                             .width = 7168,
                             .heads = 128,
                             .ff = 18432,
                             .vocab = 129280,
                             .dense = 3,
                             .experts = 256,
                             .used = 8,
                             .shared = 1,
                             .expert_ff = 2048,
                             .q_lora = 1536,
                             .kv_lora = 512,
                             .sigmoid = true,
                             .yarn_factor = 40,
                             .yarn_log_multiplier = 0.1f,
                             .yarn_n_ctx = 4096,
                             .n_ctx = 163840};

static const Published published[] = {
    LLAMA("R1-Distill-Llama-8B", 32, 4096, 32, 8, 14336, 128256, 8030261248),
    LLAMA("R1-Distill-Llama-70B", 80, 8192, 64, 8, 28672, 128256, 70553706496),
    LLAMA("DeepSeek-Coder-1.3B", 24, 2048, 16, 16, 5504, 32256, 1346471936),
    LLAMA("DeepSeek-Coder-6.7B", 32, 4096, 32, 32, 11008, 32256, 6740512768),
    QWEN2("R1-Distill-Qwen-1.5B", 28, 1536, 12, 2, 128, 8960, 151936, false, 1777088000),
    QWEN2("R1-Distill-Qwen-7B", 28, 3584, 28, 4, 128, 18944, 152064, false, 7615616512),
    QWEN2("R1-Distill-Qwen-14B", 48, 5120, 40, 8, 128, 13824, 152064, false, 14770033664),
    QWEN2("R1-Distill-Qwen-32B", 64, 5120, 40, 8, 128, 27648, 152064, false, 32763876352),
    QWEN2("Qwen2.5-Coder-0.5B", 24, 896, 14, 2, 64, 4864, 151936, true, 494032768),
    QWEN2("Qwen2.5-Coder-3B", 36, 2048, 16, 2, 128, 11008, 151936, true, 3085938688),
    {{.name = "R1-0528-Qwen3-8B",
      .arch = "qwen3",
      .layers = 36,
      .width = 4096,
      .heads = 32,
      .kv_heads = 8,
      .head_dim = 128,
      .ff = 12288,
      .vocab = 151936,
      .qk_norm = true,
      .yarn_factor = 4,
      .yarn_n_ctx = 32768,
      .n_ctx = 131072},
     8190735360},
    {{.name = "Qwen3-30B-A3B",
      .arch = "qwen3moe",
      .layers = 48,
      .width = 2048,
      .heads = 32,
      .kv_heads = 4,
      .head_dim = 128,
      .ff = 6144,
      .vocab = 151936,
      .qk_norm = true,
      .experts = 128,
      .used = 8,
      .expert_ff = 768},
     30532122624},
    {{.name = "DeepSeekMoE-16B",
      .arch = "deepseek",
      .layers = 28,
      .width = 2048,
      .heads = 16,
      .kv_heads = 16,
      .head_dim = 128,
      .ff = 10944,
      .vocab = 102400,
      .dense = 1,
      .experts = 64,
      .used = 6,
      .shared = 2,
      .expert_ff = 1408},
     16375728128},
    {{.name = "V2-Lite",
      .arch = "deepseek2",
      .layers = 27,
      .width = 2048,
      .heads = 16,
      .ff = 10944,
      .vocab = 102400,
      .dense = 1,
      .experts = 64,
      .used = 6,
      .shared = 2,
      .expert_ff = 1408,
      .kv_lora = 512,
      .yarn_factor = 40,
      .yarn_log_multiplier = 0.0707f,
      .yarn_n_ctx = 4096,
      .n_ctx = 163840},
     15706484224},
    {{.name = "V2",
      .arch = "deepseek2",
      .layers = 60,
      .width = 5120,
      .heads = 128,
      .ff = 12288,
      .vocab = 102400,
      .dense = 1,
      .experts = 160,
      .used = 6,
      .shared = 2,
      .expert_ff = 1536,
      .q_lora = 1536,
      .kv_lora = 512,
      .yarn_factor = 40,
      .yarn_log_multiplier = 0.0707f,
      .yarn_n_ctx = 4096,
      .n_ctx = 163840},
     235741434880},
};

static bool is_near(float value, float wanted)
{
    return fabsf(value - wanted) < 1e-6f;
}

static void check_numbers(const TrueShape *t, const Shape *s)
{
    bool v2 = strcmp(t->name, "V2") == 0;
    if (s->mla) { // factor 40 from 4096 tokens, base 10000, 64 dimensions
        assert_true(s->yarn_low == 10 && s->yarn_high == 23 && s->rope_amplitude == 1);
        assert_true(is_near(s->attention_scale, t->sigmoid ? 0.1352338f : 0.1147214f));
        assert_int_equal(s->n_groups, v2 || t->sigmoid ? 8 : 1);
        assert_int_equal(s->n_groups_used, t->sigmoid ? 4 : v2 ? 3 : 1);
    } else if (s->yarn) { // factor 4 from 32768 tokens, base 1e6, 128 dimensions
        assert_true(s->yarn_low == 23 && s->yarn_high == 40);
        assert_true(fabsf(s->rope_amplitude - 1.13863f) < 1e-5f);
    }
    assert_true(s->normalise_weights == (s->arch == ARCH_QWEN3MOE || t->sigmoid));
}

static void published_shapes_have_their_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const Published *p = &published[i];
        Error err = {0};
        Shape shape;
        Weights weights;
        char *path = sparse_write(&p->shape);
        if (!path) {
            printf("skipped: no sparse file for %s\n", p->shape.name);
            continue;
        }
        Gguf *gguf = gguf_open(path, &err);
        unlink(path);
        free(path);
        assert_ok(gguf, err);
        assert_ok(shape_read(gguf, &shape, &err), err);
        assert_ok(weights_bind(gguf, &shape, &weights, &err), err);
        MemoryPlan plan = memory_plan_make(&shape, &weights, 4096, 8);
        printf("%-21s %12llu parameters, %11llu active, %6.2f GB, %6llu bytes of cache a token\n",
               p->shape.name, (unsigned long long)weights.n_params,
               (unsigned long long)weights.n_active_params, (double)memory_plan_total(&plan) / 1e9,
               (unsigned long long)plan.cache_a_token);
        if (weights.n_params != p->n_params)
            fail_msg("%s has %llu parameters, wanted %llu", p->shape.name,
                     (unsigned long long)weights.n_params, (unsigned long long)p->n_params);
        check_numbers(&p->shape, &shape);
        weights_deinit(&weights);
        gguf_close(gguf);
    }
}

// Pages of this process that hold parts of files.
static long count_file_pages(void)
{
    long size, resident, shared;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld %ld", &size, &resident, &shared), 3);
    fclose(f);
    return shared;
}

static void check_true_shape(bool joined)
{
    Error err = {0};
    TrueShape v3_like = v3;
    v3_like.joined = joined;
    char *path = sparse_write(&v3_like);
    if (!path) {
        printf("skipped: no sparse file of V3's size here\n");
        skip();
    }
    long before = count_file_pages();
    Gguf *gguf = gguf_open(path, &err);
    Shape shape;
    Weights weights;
    assert_ok(gguf, err);
    assert_ok(shape_read(gguf, &shape, &err), err);
    assert_ok(weights_bind(gguf, &shape, &weights, &err), err);
    assert_true(count_file_pages() - before < 1024); // 4 MB; the directory is a tenth of that
    check_numbers(&v3, &shape);
    assert_int_equal(weights.n_params, 671026419200);
    // 37B in the paper; it counts the embedding, of which a token multiplies nothing.
    assert_true(weights.n_active_params > 36500000000 && weights.n_active_params < 37600000000);
    MemoryPlan plan = memory_plan_make(&shape, &weights, 4096, 16);
    printf("V3%s: %.1f GB of weights, %.2f GB read a token, %.2f GB copied, %.2f GB of buffers, "
           "%.2f GB of cache for %d tokens (%llu bytes each)\n",
           joined ? ", joined" : "", (double)plan.weights / 1e9, (double)plan.active / 1e9,
           (double)plan.copies / 1e9, (double)plan.buffers / 1e9, (double)plan.cache / 1e9,
           plan.n_ctx, (unsigned long long)plan.cache_a_token);
    assert_int_equal(plan.cache_a_token, 70272);
    assert_int_equal(plan.copies, joined ? (uint64_t)61 * 128 * 512 * 128 * 2 : 0);
    assert_true(plan.weights > 400000000000 && plan.weights < gguf_file_bytes(gguf));
    assert_true(plan.active > 20000000000 && plan.active < 25000000000);
    weights_deinit(&weights);
    gguf_close(gguf);
    if (memory_plan_total(&plan) > plan.machine) {
        EngineOptions options = {.path = path, .n_threads = 1};
        assert_null(engine_open(&options, &err));
        printf("%s\n", err.text);
        assert_int_equal(err.code, ERROR_NO_MEMORY);
        assert_non_null(strstr(err.text, "this machine has"));
        assert_true(count_file_pages() - before < 1024);
    }
    unlink(path);
    free(path);
}

static void v3_is_planned_without_being_read(void **state)
{
    (void)state;
    check_true_shape(false);
}

static void joined_v3_is_refused_before_it_is_transposed(void **state)
{
    (void)state;
    check_true_shape(true);
}

// What is planned is what is allocated.
static void plan_of_the_embedded_model_is_exact(void **state)
{
    (void)state;
    Error err = {0};
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    Gguf *gguf = gguf_open_image(image, n_bytes, &err);
    Shape shape;
    Weights weights;
    Compute compute;
    assert_ok(gguf && shape_read(gguf, &shape, &err), err);
    assert_ok(weights_bind(gguf, &shape, &weights, &err), err);
    MemoryPlan plan = memory_plan_make(&shape, &weights, 1000, 3);
    assert_ok(compute_init(&compute, &kernels_ref, 3, &shape, &weights, &err), err);
    for (int n_ctx = 16; n_ctx <= 1000; n_ctx += 123) // growing leaves nothing behind
        assert_ok(compute_reserve(&compute, &shape, n_ctx, &err), err);
    assert_int_equal(plan.buffers, compute.n_bytes);
    // Ten layers and the MTP block's, and a state of 512 half floats.
    assert_int_equal(plan.cache, 1000 * (kv_bytes_per_token(&shape) / 10 * 11 + 1024));
    assert_true(plan.weights <= n_bytes && plan.active < plan.weights);
    assert_true(memory_plan_check(&plan, 0, &err));
    // A limit is of what is not mapped.
    uint64_t own = plan.copies + plan.buffers + plan.cache;
    assert_true(memory_plan_check(&plan, own, &err));
    assert_false(memory_plan_check(&plan, own - 1, &err));
    assert_int_equal(err.code, ERROR_NO_MEMORY);
    err = (Error){0};
    plan.machine = memory_plan_total(&plan) - 1;
    assert_false(memory_plan_check(&plan, 0, &err));
    compute_deinit(&compute);
    weights_deinit(&weights);
    gguf_close(gguf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_shapes_have_their_parameters),
        cmocka_unit_test(v3_is_planned_without_being_read),
        cmocka_unit_test(joined_v3_is_refused_before_it_is_transposed),
        cmocka_unit_test(plan_of_the_embedded_model_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

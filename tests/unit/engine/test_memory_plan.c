// DeepSeek V3's true shape, from a sparse file: bound without being read, its memory planned, and
// refused with the figures where the machine is too small.
#include "unit/gguf_builder.h"
#include "unit/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "compute.h"
#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "kv.h"
#include "memory_plan.h"

enum { LAYERS = 61, DENSE = 3, WIDTH = 7168, HEADS = 128, VOCAB = 129280, EXPERTS = 256 };

// A directory in the making; data follow each other with the alignment.
typedef struct Directory {
    StrBuf entries;
    uint64_t n, offset;
} Directory;

static void add(Directory *d, int layer, const char *suffix, TensorType type, uint64_t d0,
                uint64_t d1, uint64_t d2)
{
    char name[64];
    const TensorTypeInfo *info = tensor_type_info(type);
    if (layer < 0)
        snprintf(name, sizeof name, "%s", suffix);
    else
        snprintf(name, sizeof name, "blk.%d.%s", layer, suffix);
    build_text(&d->entries, name);
    build_u32(&d->entries, 3);
    build_u64(&d->entries, d0);
    build_u64(&d->entries, d1);
    build_u64(&d->entries, d2);
    build_u32(&d->entries, type);
    build_u64(&d->entries, d->offset);
    uint64_t blocks = d0 * d1 * d2 / (uint64_t)info->block_elements;
    d->offset += (blocks * (uint64_t)info->block_bytes + 31) / 32 * 32;
    d->n++;
}

static void add_attention(Directory *d, int i, bool joined)
{
    add(d, i, "attn_norm.weight", TENSOR_F32, WIDTH, 1, 1);
    add(d, i, "attn_q_a.weight", TENSOR_Q4_K, WIDTH, 1536, 1);
    add(d, i, "attn_q_a_norm.weight", TENSOR_F32, 1536, 1, 1);
    add(d, i, "attn_q_b.weight", TENSOR_Q4_K, 1536, HEADS * 192, 1);
    add(d, i, "attn_kv_a_mqa.weight", TENSOR_Q8_0, WIDTH, 576, 1);
    add(d, i, "attn_kv_a_norm.weight", TENSOR_F32, 512, 1, 1);
    if (joined) {
        add(d, i, "attn_kv_b.weight", TENSOR_Q8_0, 512, HEADS * 256, 1);
    } else {
        add(d, i, "attn_k_b.weight", TENSOR_Q8_0, 128, 512, HEADS);
        add(d, i, "attn_v_b.weight", TENSOR_Q8_0, 512, 128, HEADS);
    }
    add(d, i, "attn_output.weight", TENSOR_Q4_K, HEADS * 128, WIDTH, 1);
    add(d, i, "ffn_norm.weight", TENSOR_F32, WIDTH, 1, 1);
}

static void add_ffn(Directory *d, int i)
{
    if (i < DENSE) {
        add(d, i, "ffn_gate.weight", TENSOR_Q4_K, WIDTH, 18432, 1);
        add(d, i, "ffn_up.weight", TENSOR_Q4_K, WIDTH, 18432, 1);
        add(d, i, "ffn_down.weight", TENSOR_Q6_K, 18432, WIDTH, 1);
        return;
    }
    add(d, i, "ffn_gate_inp.weight", TENSOR_F32, WIDTH, EXPERTS, 1);
    add(d, i, "exp_probs_b.bias", TENSOR_F32, EXPERTS, 1, 1);
    add(d, i, "ffn_gate_exps.weight", TENSOR_Q4_K, WIDTH, 2048, EXPERTS);
    add(d, i, "ffn_up_exps.weight", TENSOR_Q4_K, WIDTH, 2048, EXPERTS);
    add(d, i, "ffn_down_exps.weight", TENSOR_Q6_K, 2048, WIDTH, EXPERTS);
    add(d, i, "ffn_gate_shexp.weight", TENSOR_Q4_K, WIDTH, 2048, 1);
    add(d, i, "ffn_up_shexp.weight", TENSOR_Q4_K, WIDTH, 2048, 1);
    add(d, i, "ffn_down_shexp.weight", TENSOR_Q6_K, 2048, WIDTH, 1);
}

static void add_float(StrBuf *b, const char *key, float value)
{
    build_key(b, key, GGUF_F32);
    build_bytes(b, &value, sizeof value);
}

// The metadata of R1's files; `joined`: as old converters wrote them.
static uint64_t add_metadata(StrBuf *b, bool joined)
{
    static const struct {
        const char *key;
        uint32_t value;
    } numbers[] = {{"block_count", LAYERS},
                   {"context_length", 163840},
                   {"embedding_length", WIDTH},
                   {"feed_forward_length", 18432},
                   {"attention.head_count", HEADS},
                   {"attention.q_lora_rank", 1536},
                   {"attention.kv_lora_rank", 512},
                   {"rope.dimension_count", 64},
                   {"rope.scaling.original_context_length", 4096},
                   {"leading_dense_block_count", DENSE},
                   {"expert_count", EXPERTS},
                   {"expert_used_count", 8},
                   {"expert_shared_count", 1},
                   {"expert_feed_forward_length", 2048},
                   {"expert_gating_func", 2}};
    enum { N = sizeof numbers / sizeof *numbers };
    char key[96];
    build_pair_text(b, "general.architecture", "deepseek2");
    build_pair_text(b, "deepseek2.rope.scaling.type", "yarn");
    add_float(b, "deepseek2.rope.scaling.factor", 40);
    add_float(b, "deepseek2.rope.scaling.yarn_log_multiplier", 0.1f);
    add_float(b, "deepseek2.expert_weights_scale", 2.5f);
    build_key(b, "deepseek2.expert_weights_norm", GGUF_BOOL);
    strbuf_append_char(b, 1);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "deepseek2.%s", numbers[i].key);
        build_pair_u32(b, key, numbers[i].value);
    }
    build_pair_u32(
        b, joined ? "deepseek2.attention.key_length" : "deepseek2.attention.key_length_mla", 192);
    build_pair_u32(
        b, joined ? "deepseek2.attention.value_length" : "deepseek2.attention.value_length_mla",
        128);
    return N + 8;
}

// The path of a sparse file, to be freed and unlinked.
static char *write_v3(bool joined)
{
    Directory d = {0};
    add(&d, -1, "token_embd.weight", TENSOR_Q4_K, WIDTH, VOCAB, 1);
    add(&d, -1, "output_norm.weight", TENSOR_F32, WIDTH, 1, 1);
    add(&d, -1, "output.weight", TENSOR_Q6_K, WIDTH, VOCAB, 1);
    for (int i = 0; i < LAYERS; i++) {
        add_attention(&d, i, joined);
        add_ffn(&d, i);
    }
    StrBuf metadata = {0}, file = {0};
    uint64_t n_values = add_metadata(&metadata, joined);
    build_header(&file, 3, d.n, n_values);
    strbuf_append(&file, strbuf_str(&metadata));
    strbuf_append(&file, strbuf_str(&d.entries));
    build_padding(&file, 32);
    char *path = strdup("/tmp/r1ls-v3-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file.ptr, file.len), (ssize_t)file.len);
    if (ftruncate(fd, (off_t)(file.len + d.offset)) != 0) {
        printf("skipped: no sparse file of %llu bytes here\n", (unsigned long long)d.offset);
        unlink(path);
        close(fd);
        skip();
    }
    close(fd);
    strbuf_deinit(&file);
    strbuf_deinit(&metadata);
    strbuf_deinit(&d.entries);
    return path;
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

static void check_shape(const Shape *s)
{
    assert_int_equal(s->n_layers, LAYERS);
    assert_int_equal(s->n_vocab, VOCAB);
    assert_int_equal(s->nope_dim, 128);
    assert_int_equal(s->n_groups, 8);
    assert_int_equal(s->n_groups_used, 4);
    assert_true(s->normalise_weights && s->gate == GATE_SIGMOID && s->yarn);
    assert_true(s->yarn_low == 10 && s->yarn_high == 23 && s->rope_amplitude == 1);
    assert_true(s->attention_scale > 0.135233f && s->attention_scale < 0.135235f);
}

static void check_true_shape(bool joined)
{
    Error err = {0};
    char *path = write_v3(joined);
    long before = count_file_pages();
    Gguf *gguf = gguf_open(path, &err);
    Shape shape;
    Weights weights;
    assert_ok(gguf, err);
    assert_ok(shape_read(gguf, &shape, &err), err);
    assert_ok(weights_bind(gguf, &shape, &weights, &err), err);
    assert_true(count_file_pages() - before < 1024); // 4 MB; the directory is a tenth of that
    check_shape(&shape);
    assert_int_equal(weights.n_params / 1000000, 671026);
    // 37B in the paper; it counts the embedding, of which a token multiplies nothing.
    assert_true(weights.n_active_params > 36500000000 && weights.n_active_params < 37600000000);
    MemoryPlan plan = memory_plan_make(&shape, &weights, 4096, 16);
    printf("V3%s: %.1f GB of weights, %.2f GB read a token, %.2f GB copied, %.2f GB of buffers, "
           "%.2f GB of cache for %d tokens (%llu bytes each)\n",
           joined ? ", joined" : "", (double)plan.weights / 1e9, (double)plan.active / 1e9,
           (double)plan.copies / 1e9, (double)plan.buffers / 1e9, (double)plan.cache / 1e9,
           plan.n_ctx, (unsigned long long)plan.cache_a_token);
    assert_int_equal(plan.cache_a_token, 70272);
    assert_int_equal(plan.copies, joined ? (uint64_t)LAYERS * HEADS * 512 * 128 * 2 : 0);
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
    assert_int_equal(plan.cache, 1000 * kv_bytes_per_token(&shape));
    assert_true(plan.weights <= n_bytes && plan.active < plan.weights);
    assert_true(memory_plan_check(&plan, &err));
    plan.machine = memory_plan_total(&plan) - 1;
    assert_false(memory_plan_check(&plan, &err));
    compute_deinit(&compute);
    weights_deinit(&weights);
    gguf_close(gguf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v3_is_planned_without_being_read),
        cmocka_unit_test(joined_v3_is_refused_before_it_is_transposed),
        cmocka_unit_test(plan_of_the_embedded_model_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Metadata and a directory of any numbers: the shape is read, tensors are bound and memory is
// planned. The input chooses values for the keys and tensors of a small file, so that most inputs
// come past the first check.
#include <assert.h>
#include <stdio.h>

#include "engine/memory_plan.h"
#include "unit/gguf_builder.h"

typedef struct Input {
    const uint8_t *at, *end;
} Input;

static uint8_t next_byte(Input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static uint32_t next_u32(Input *in)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | next_byte(in);
    return value;
}

// What is written; the last kind as old converters wrote it, with one attn_kv_b.
typedef struct Kind {
    const char *arch;
    bool mla, moe, joined;
} Kind;

static const Kind kinds[] = {{"llama", false, false, false},   {"qwen2", false, false, false},
                             {"qwen3", false, false, false},   {"qwen3moe", false, true, false},
                             {"deepseek", false, true, false}, {"deepseek2", true, true, false},
                             {"deepseek2", true, true, true}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

// Whole numbers with values that fit each other; the input may change some.
static const struct {
    const char *key;
    uint32_t value;
} numbers[] = {{"block_count", 2},
               {"embedding_length", 64},
               {"context_length", 512},
               {"feed_forward_length", 96},
               {"attention.head_count", 4},
               {"attention.head_count_kv", 2},
               {"attention.key_length", 96},
               {"attention.value_length", 32},
               {"attention.key_length_mla", 96},
               {"attention.value_length_mla", 32},
               {"attention.kv_lora_rank", 32},
               {"attention.q_lora_rank", 32},
               {"attention.sliding_window", 0},
               {"rope.dimension_count", 32},
               {"rope.scaling.original_context_length", 64},
               {"leading_dense_block_count", 1},
               {"expert_count", 8},
               {"expert_used_count", 2},
               {"expert_shared_count", 1},
               {"expert_feed_forward_length", 32},
               {"expert_gating_func", 2},
               {"expert_group_count", 4},
               {"expert_group_used_count", 2},
               {"nextn_predict_layers", 0}};

static const char *const fractions[] = {
    "rope.freq_base",           "rope.scaling.factor",
    "rope.scale_linear",        "rope.scaling.yarn_beta_fast",
    "rope.scaling.attn_factor", "rope.scaling.yarn_log_multiplier",
    "expert_weights_scale",     "attention.layer_norm_rms_epsilon"};

// Of a layer; dims as in a deepseek2 or qwen file of the numbers above.
static const struct {
    const char *suffix;
    uint32_t dims[3];
} tensors[] = {{"attn_norm.weight", {64, 1, 1}},       {"ffn_norm.weight", {64, 1, 1}},
               {"attn_q.weight", {64, 384, 1}},        {"attn_k.weight", {64, 192, 1}},
               {"attn_v.weight", {64, 64, 1}},         {"attn_q_norm.weight", {96, 1, 1}},
               {"attn_k_norm.weight", {96, 1, 1}},     {"attn_q_a.weight", {64, 32, 1}},
               {"attn_q_a_norm.weight", {32, 1, 1}},   {"attn_q_b.weight", {32, 384, 1}},
               {"attn_kv_a_mqa.weight", {64, 64, 1}},  {"attn_kv_a_norm.weight", {32, 1, 1}},
               {"attn_kv_b.weight", {32, 384, 1}},     {"attn_k_b.weight", {64, 32, 4}},
               {"attn_v_b.weight", {32, 32, 4}},       {"attn_output.weight", {128, 64, 1}},
               {"ffn_gate.weight", {64, 96, 1}},       {"ffn_up.weight", {64, 96, 1}},
               {"ffn_down.weight", {96, 64, 1}},       {"ffn_gate_inp.weight", {64, 8, 1}},
               {"exp_probs_b.bias", {8, 1, 1}},        {"ffn_gate_exps.weight", {64, 32, 8}},
               {"ffn_up_exps.weight", {64, 32, 8}},    {"ffn_down_exps.weight", {32, 64, 8}},
               {"ffn_gate_shexp.weight", {64, 32, 1}}, {"ffn_up_shexp.weight", {64, 32, 1}},
               {"ffn_down_shexp.weight", {32, 64, 1}}};
enum {
    N_NUMBERS = sizeof numbers / sizeof *numbers,
    N_FRACTIONS = sizeof fractions / sizeof *fractions,
    N_TENSORS = sizeof tensors / sizeof *tensors,
    MAX_DATA = 1 << 20,
};

// Which tensors a layer has, unless the input says otherwise.
static bool belongs(const Kind *k, const char *suffix, int layer)
{
    bool moe = k->moe && (layer > 0 || strcmp(k->arch, "qwen3moe") == 0);
    if (strncmp(suffix, "ffn_norm", 8) == 0 || strncmp(suffix, "attn_norm", 9) == 0 ||
        strncmp(suffix, "attn_out", 8) == 0)
        return true;
    if (strncmp(suffix, "ffn", 3) == 0 || strncmp(suffix, "exp", 3) == 0)
        return moe == (strstr(suffix, "exp") || strstr(suffix, "inp"));
    if (strstr(suffix, "kv_b")) return k->joined;
    if (strstr(suffix, "k_b") || strstr(suffix, "v_b")) return k->mla && !k->joined;
    if (strstr(suffix, "q_norm") || strstr(suffix, "k_norm"))
        return strncmp(k->arch, "qwen3", 5) == 0;
    bool plain =
        strstr(suffix, "attn_q.") || strstr(suffix, "attn_k.") || strstr(suffix, "attn_v.");
    return plain != k->mla;
}

static uint64_t add_tensor(StrBuf *b, Input *in, const char *name, const uint32_t *dims,
                           uint64_t *offset)
{
    static const uint32_t types[] = {TENSOR_F32, TENSOR_F16, TENSOR_Q8_0, TENSOR_Q4_0};
    uint8_t change = next_byte(in);
    bool vector = dims[1] == 1 || strstr(name, "inp.") != NULL;
    uint32_t type = vector && change < 250 ? TENSOR_F32 : types[change % 4];
    build_text(b, name);
    build_u32(b, 3);
    uint64_t n = 1;
    for (int d = 0; d < 3; d++) {
        uint32_t dim = change > 250 ? next_u32(in) % 512 : dims[d];
        build_u64(b, dim);
        n *= dim;
    }
    build_u32(b, type);
    build_u64(b, *offset);
    const TensorTypeInfo *info = tensor_type_info((TensorType)type);
    *offset += (n / (uint64_t)info->block_elements * (uint64_t)info->block_bytes + 31) / 32 * 32;
    return 1;
}

static uint64_t add_tensors(StrBuf *b, Input *in, const Kind *kind, uint64_t *data_bytes)
{
    static const uint32_t embedding[3] = {64, 48, 1}, vector[3] = {64, 1, 1};
    uint64_t n = add_tensor(b, in, "token_embd.weight", embedding, data_bytes);
    n += add_tensor(b, in, "output_norm.weight", vector, data_bytes);
    for (int layer = 0; layer < 2; layer++)
        for (int i = 0; i < N_TENSORS; i++) {
            char name[64];
            bool other = next_byte(in) > 252;
            if (belongs(kind, tensors[i].suffix, layer) == other) continue;
            snprintf(name, sizeof name, "blk.%d.%s", layer, tensors[i].suffix);
            n += add_tensor(b, in, name, tensors[i].dims, data_bytes);
        }
    return n;
}

static uint64_t add_metadata(StrBuf *b, Input *in, const Kind *kind)
{
    static const char *const scalings[] = {"none", "linear", "yarn", "dynamic"};
    const char *arch = kind->arch;
    uint64_t n = 2;
    char key[96];
    build_pair_text(b, "general.architecture", arch);
    snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
    build_pair_text(b, key, scalings[next_byte(in) % 4]);
    for (int i = 0; i < N_NUMBERS; i++) {
        uint8_t change = next_byte(in);
        bool absent = (strstr(numbers[i].key, "expert") && !kind->moe) ||
                      (strstr(numbers[i].key, "_mla") && kind->joined);
        if (change > 250 || absent) continue;
        snprintf(key, sizeof key, "%s.%s", arch, numbers[i].key);
        build_pair_u32(b, key,
                       change > 245   ? next_u32(in)
                       : change > 235 ? next_byte(in)
                                      : numbers[i].value);
        n++;
    }
    for (int i = 0; i < N_FRACTIONS; i++) {
        uint8_t change = next_byte(in);
        if (change < 200) continue;
        float value = (float)(int8_t)next_byte(in) / 8;
        uint32_t bits = next_u32(in);
        if (change > 245) memcpy(&value, &bits, sizeof value);
        snprintf(key, sizeof key, "%s.%s", arch, fractions[i]);
        build_key(b, key, GGUF_F32);
        build_bytes(b, &value, sizeof value);
        n++;
    }
    return n;
}

static void check_shape(const Shape *s)
{
    assert(s->n_layers > 0 && s->n_heads % s->n_kv_heads == 0);
    assert(s->rope_dim >= 2 && s->rope_dim <= s->key_dim);
    assert(s->yarn_low >= 0 && s->yarn_low < (float)s->rope_dim);
    assert(s->n_experts == 0 || (s->n_experts_used >= 1 && s->n_experts % s->n_groups == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    Input in = {data, data + n_bytes};
    const Kind *kind = &kinds[next_byte(&in) % N_KINDS];
    StrBuf file = {0}, metadata = {0}, directory = {0};
    uint64_t data_at = 0, n_values = add_metadata(&metadata, &in, kind);
    uint64_t n_tensors = add_tensors(&directory, &in, kind, &data_at);
    build_header(&file, 3, n_tensors, n_values);
    strbuf_append(&file, strbuf_str(&metadata));
    strbuf_append(&file, strbuf_str(&directory));
    build_padding(&file, 32);
    char *zeros = calloc(1, data_at < MAX_DATA ? data_at + 1 : 1);
    if (data_at < MAX_DATA) strbuf_append(&file, (Str){zeros, data_at});
    free(zeros);
    Error err = {0};
    Shape shape;
    Weights weights = {0};
    Gguf *gguf = gguf_open_image(file.ptr, file.len, &err);
    if (gguf && shape_read(gguf, &shape, &err)) {
        check_shape(&shape);
        if (weights_bind(gguf, &shape, &weights, &err)) {
            MemoryPlan plan = memory_plan_make(&shape, &weights, next_byte(&in), 2);
            assert(memory_plan_total(&plan) >= plan.weights);
            if (plan.copies < 1 << 20) assert(weights_make_copies(&shape, &weights, &err));
        }
        weights_deinit(&weights);
    }
    gguf_close(gguf);
    strbuf_deinit(&file);
    strbuf_deinit(&metadata);
    strbuf_deinit(&directory);
    return 0;
}

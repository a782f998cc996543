// Keys as transformers 4 and 5 and DeepSeek's own files write them.
#include "hf_config.h"

#include <math.h>
#include <stdio.h>

#include "json_file.h"

enum { MAX_WIDTH = 1 << 20, MAX_HEADS = 1024, MAX_LAYERS = 1023, MAX_EXPERTS = 1024 };

typedef struct Reader {
    struct json_object *object;
    Error *err;
} Reader;

static bool need_int(Reader *r, const char *key, int max, int *out)
{
    *out = 0;
    if (!json_get_int(r->object, key, 1, max, out, r->err)) return false;
    if (*out) return true;
    return error_set(r->err, ERROR_DAMAGED, "config.json has no %s, wanted 1 to %d", key, max);
}

static bool get_int(Reader *r, const char *key, int min, int max, int *out)
{
    return json_get_int(r->object, key, min, max, out, r->err);
}

static bool get_float(Reader *r, const char *key, float *out)
{
    return json_get_float(r->object, key, out, r->err);
}

// A setting of which one value alone is run.
static bool want_int(Reader *r, const char *key, int wanted)
{
    int found = wanted;
    if (!get_int(r, key, INT32_MIN, INT32_MAX, &found)) return false;
    if (found == wanted) return true;
    return error_set(r->err, ERROR_UNSUPPORTED, "%s is %d, wanted %d", key, found, wanted);
}

static bool want_str(Reader *r, const char *key, const char *wanted)
{
    Str found = str_from(wanted);
    if (!json_get_str(r->object, key, &found, r->err)) return false;
    if (str_equal(found, str_from(wanted))) return true;
    return error_set(r->err, ERROR_UNSUPPORTED, "%s is '%.*s', wanted '%s'", key,
                     STR_FMT(str_slice(found, 0, 60)), wanted);
}

static bool read_arch(Reader *r, HfConfig *c)
{
    static const struct {
        const char *name;
        Arch arch;
    } known[] = {{"llama", ARCH_LLAMA},          {"qwen2", ARCH_QWEN2},
                 {"qwen3", ARCH_QWEN3},          {"qwen3_moe", ARCH_QWEN3MOE},
                 {"deepseek", ARCH_DEEPSEEK},    {"deepseek_v2", ARCH_DEEPSEEK2},
                 {"deepseek_v3", ARCH_DEEPSEEK2}};
    Str type = {0};
    if (!json_get_str(r->object, "model_type", &type, r->err)) return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_equal(type, str_from(known[i].name))) {
            c->arch = known[i].arch;
            c->v3 = str_equal(type, STR("deepseek_v3"));
            return true;
        }
    return error_set(r->err, ERROR_UNSUPPORTED,
                     "model_type is '%.*s', wanted llama, qwen2, qwen3, qwen3_moe, deepseek, "
                     "deepseek_v2 or deepseek_v3",
                     STR_FMT(str_slice(type, 0, 60)));
}

// --- attention -----------------------------------------------------------------------------------

static bool read_rope_kind(Reader *r, HfRope *rope)
{
    static const struct {
        const char *name;
        RopeKind kind;
    } known[] = {{"default", ROPE_PLAIN},
                 {"linear", ROPE_LINEAR},
                 {"yarn", ROPE_YARN},
                 {"llama3", ROPE_LLAMA3}};
    Str type = STR("default");
    if (!json_get_str(r->object, "type", &type, r->err) ||
        !json_get_str(r->object, "rope_type", &type, r->err))
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_equal(type, str_from(known[i].name))) {
            rope->kind = known[i].kind;
            return true;
        }
    return error_set(r->err, ERROR_UNSUPPORTED,
                     "rope scaling is '%.*s', wanted default, linear, yarn or llama3",
                     STR_FMT(str_slice(type, 0, 60)));
}

static bool read_rope(Reader *r, HfConfig *c)
{
    struct json_object *scaling = json_get(r->object, "rope_scaling");
    if (!scaling) scaling = json_get(r->object, "rope_parameters"); // transformers 5
    Reader s = {scaling, r->err};
    HfRope *rope = &c->rope;
    *rope = (HfRope){.theta = 10000, .factor = 1, .low_freq = 1, .high_freq = 4};
    rope->beta_fast = 32;
    rope->beta_slow = 1;
    rope->n_ctx_first = c->n_ctx;
    float partial = 1;
    bool ok =
        get_float(r, "rope_theta", &rope->theta) && get_float(&s, "rope_theta", &rope->theta) &&
        read_rope_kind(&s, rope) && get_float(&s, "factor", &rope->factor) &&
        get_float(&s, "low_freq_factor", &rope->low_freq) &&
        get_float(&s, "high_freq_factor", &rope->high_freq) &&
        get_float(&s, "beta_fast", &rope->beta_fast) &&
        get_float(&s, "beta_slow", &rope->beta_slow) && get_float(&s, "mscale", &rope->mscale) &&
        get_float(&s, "mscale_all_dim", &rope->mscale_all_dim) &&
        get_float(&s, "attention_factor", &rope->amplitude) &&
        get_float(&s, "attn_factor", &rope->attn_factor) &&
        get_int(&s, "original_max_position_embeddings", 1, 1 << 28, &rope->n_ctx_first) &&
        get_float(r, "partial_rotary_factor", &partial) &&
        get_float(&s, "partial_rotary_factor", &partial);
    if (!ok) return false;
    if (partial != 1)
        return error_set(r->err, ERROR_UNSUPPORTED, "partial_rotary_factor is %g, wanted 1",
                         (double)partial);
    if (rope->theta >= 1 && rope->factor > 0 && rope->low_freq > 0 &&
        rope->high_freq > rope->low_freq)
        return true;
    return error_set(r->err, ERROR_DAMAGED,
                     "rope: theta %g, factor %g, low and high %g and %g; wanted at least 1, over 0 "
                     "and rising",
                     (double)rope->theta, (double)rope->factor, (double)rope->low_freq,
                     (double)rope->high_freq);
}

// A window of all layers or of none: layer_types says so, or layers from max_window_layers on.
static bool read_window(Reader *r, HfConfig *c)
{
    bool used = false;
    int from = c->n_layers, n_sliding = 0;
    struct json_object *kinds = json_get(r->object, "layer_types");
    if (!json_get_bool(r->object, "use_sliding_window", &used, r->err)) return false;
    if (!used) return true;
    if (!get_int(r, "sliding_window", 1, 1 << 28, &c->sliding_window) ||
        !get_int(r, "max_window_layers", 0, INT32_MAX, &from))
        return false;
    n_sliding = from >= c->n_layers ? 0 : c->n_layers - from;
    if (json_object_is_type(kinds, json_type_array)) {
        n_sliding = 0;
        for (size_t i = 0; i < json_object_array_length(kinds); i++)
            n_sliding +=
                str_equal(json_str(json_object_array_get_idx(kinds, i)), STR("sliding_attention"));
    }
    if (n_sliding == 0) c->sliding_window = 0;
    if (n_sliding == 0 || n_sliding == c->n_layers) return true;
    return error_set(r->err, ERROR_UNSUPPORTED,
                     "%d of %d layers have a sliding window, wanted all or none", n_sliding,
                     c->n_layers);
}

static bool read_heads(Reader *r, HfConfig *c)
{
    c->n_kv_heads = c->n_heads;
    c->head_dim = c->n_embd / c->n_heads;
    if (!get_int(r, "num_key_value_heads", 1, c->n_heads, &c->n_kv_heads) ||
        !get_int(r, "head_dim", 1, 4096, &c->head_dim))
        return false;
    if (c->head_dim > 1 && c->head_dim % 2 == 0 && c->n_heads % c->n_kv_heads == 0) return true;
    return error_set(
        r->err, ERROR_DAMAGED,
        "heads of %d, %d for queries and %d for keys; wanted an even width and a whole "
        "multiple",
        c->head_dim, c->n_heads, c->n_kv_heads);
}

static bool read_latent(Reader *r, HfConfig *c)
{
    return get_int(r, "q_lora_rank", 0, MAX_WIDTH, &c->q_lora) &&
           need_int(r, "kv_lora_rank", MAX_WIDTH, &c->kv_lora) &&
           need_int(r, "qk_nope_head_dim", 2048, &c->nope_dim) &&
           need_int(r, "qk_rope_head_dim", 2048, &c->rope_dim) &&
           need_int(r, "v_head_dim", 4096, &c->value_dim);
}

// --- experts -------------------------------------------------------------------------------------

static bool read_groups(Reader *r, HfConfig *c)
{
    Str method = c->v3 ? STR("noaux_tc") : STR("greedy");
    if (!json_get_str(r->object, "topk_method", &method, r->err) ||
        !want_str(r, "scoring_func", c->v3 ? "sigmoid" : "softmax"))
        return false;
    if (str_equal(method, STR("greedy"))) return true; // whatever n_group says
    bool fits = str_equal(method, c->v3 ? STR("noaux_tc") : STR("group_limited_greedy"));
    if (!fits)
        return error_set(r->err, ERROR_UNSUPPORTED, "topk_method is '%.*s', wanted %s",
                         STR_FMT(str_slice(method, 0, 40)),
                         c->v3 ? "noaux_tc" : "greedy or group_limited_greedy");
    return need_int(r, "n_group", c->n_experts, &c->n_groups) &&
           need_int(r, "topk_group", c->n_groups, &c->n_groups_used);
}

static bool read_experts(Reader *r, HfConfig *c)
{
    bool qwen = c->arch == ARCH_QWEN3MOE;
    const char *count = json_get(r->object, "num_experts")         ? "num_experts"
                        : json_get(r->object, "num_local_experts") ? "num_local_experts"
                                                                   : "n_routed_experts";
    if (!json_get(r->object, count)) { // DeepSeek's code allows dense models
        c->n_dense_layers = c->n_layers;
        return !qwen || need_int(r, "num_experts", MAX_EXPERTS, &c->n_experts);
    }
    c->weights_scale = 1;
    c->normalise_weights = c->v3;
    struct json_object *dense = json_get(r->object, "mlp_only_layers");
    if (json_object_is_type(dense, json_type_array) && json_object_array_length(dense) > 0)
        return error_set(r->err, ERROR_UNSUPPORTED, "mlp_only_layers has entries, wanted none");
    return need_int(r, count, MAX_EXPERTS, &c->n_experts) &&
           need_int(r, "num_experts_per_tok", c->n_experts, &c->n_experts_used) &&
           need_int(r, "moe_intermediate_size", MAX_WIDTH, &c->n_ff_expert) &&
           want_int(r, "decoder_sparse_step", 1) && want_int(r, "moe_layer_freq", 1) &&
           json_get_bool(r->object, "norm_topk_prob", &c->normalise_weights, r->err) &&
           (qwen || (get_int(r, "n_shared_experts", 0, 64, &c->n_experts_shared) &&
                     get_int(r, "first_k_dense_replace", 0, c->n_layers, &c->n_dense_layers) &&
                     get_float(r, "routed_scaling_factor", &c->weights_scale))) &&
           (c->arch != ARCH_DEEPSEEK2 || read_groups(r, c));
}

// --- the whole -----------------------------------------------------------------------------------

static bool read_fp8(Reader *r, HfConfig *c)
{
    struct json_object *quantised = json_get(r->object, "quantization_config");
    if (!quantised) return true;
    Reader q = {quantised, r->err};
    struct json_object *block = json_get(quantised, "weight_block_size");
    if (!want_str(&q, "quant_method", "fp8") || !want_str(&q, "fmt", "e4m3")) return false;
    c->fp8_rows = c->fp8_columns = 128;
    if (!block) return true;
    int sizes[2] = {0, 0};
    for (size_t i = 0; i < 2 && json_object_is_type(block, json_type_array); i++)
        sizes[i] = json_object_get_int(json_object_array_get_idx(block, i));
    if (sizes[0] < 1 || sizes[1] < 1 || sizes[0] > MAX_WIDTH || sizes[1] > MAX_WIDTH)
        return error_set(r->err, ERROR_DAMAGED, "weight_block_size is %.60s, wanted two sizes",
                         json_object_to_json_string(block));
    c->fp8_rows = sizes[0];
    c->fp8_columns = sizes[1];
    return true;
}

bool hf_config_read(struct json_object *config, HfConfig *out, Error *err)
{
    Reader r = {config, err};
    *out = (HfConfig){.rms_eps = 1e-6f};
    if (!read_arch(&r, out) || !need_int(&r, "num_hidden_layers", MAX_LAYERS, &out->n_layers) ||
        !need_int(&r, "hidden_size", MAX_WIDTH, &out->n_embd) ||
        !need_int(&r, "intermediate_size", MAX_WIDTH, &out->n_ff) ||
        !need_int(&r, "num_attention_heads", MAX_HEADS, &out->n_heads) ||
        !need_int(&r, "max_position_embeddings", 1 << 28, &out->n_ctx) ||
        !need_int(&r, "vocab_size", 1 << 24, &out->n_vocab) ||
        !get_int(&r, "num_nextn_predict_layers", 0, MAX_LAYERS, &out->n_mtp_layers) ||
        !get_float(&r, "rms_norm_eps", &out->rms_eps) || !want_str(&r, "hidden_act", "silu") ||
        !json_get_bool(config, "tie_word_embeddings", &out->tied, err))
        return false;
    bool latent = out->arch == ARCH_DEEPSEEK2;
    bool moe = latent || out->arch == ARCH_DEEPSEEK || out->arch == ARCH_QWEN3MOE;
    return (latent ? read_latent(&r, out) : read_heads(&r, out)) && read_rope(&r, out) &&
           read_window(&r, out) && (!moe || read_experts(&r, out)) && read_fp8(&r, out);
}

// --- metadata ------------------------------------------------------------------------------------

typedef struct Putter {
    GgufWriter *writer;
    const char *arch;
    char key[96];
} Putter;

static const char *name(Putter *p, const char *key)
{
    snprintf(p->key, sizeof p->key, "%s.%s", p->arch, key);
    return p->key;
}

static void put_int(Putter *p, const char *key, int value)
{
    writer_put_u32(p->writer, name(p, key), (uint32_t)value);
}

static void put_float(Putter *p, const char *key, double value)
{
    writer_put_f32(p->writer, name(p, key), (float)value);
}

// What cos and sin are multiplied with by the model's code, over what the engine multiplies with by
// itself: shape.c's 1 + 0.1 ln factor, or nothing where DeepSeek's score factor is stated.
static double find_attn_factor(const HfConfig *c)
{
    const HfRope *r = &c->rope;
    double log_factor = log(fmax((double)r->factor, 1)), plain = 1 + 0.1 * log_factor;
    double own = r->mscale_all_dim > 0 && c->arch == ARCH_DEEPSEEK2 ? 1 : plain, wanted = plain;
    if (r->mscale > 0 && r->mscale_all_dim > 0)
        wanted = (1 + 0.1 * (double)r->mscale * log_factor) /
                 (1 + 0.1 * (double)r->mscale_all_dim * log_factor);
    if (r->amplitude > 0) wanted = (double)r->amplitude;
    if (r->attn_factor > 0) wanted *= (double)r->attn_factor;
    return wanted / own;
}

static void put_rope(Putter *p, const HfConfig *c)
{
    const HfRope *r = &c->rope;
    put_float(p, "rope.freq_base", (double)r->theta);
    put_int(p, "rope.dimension_count", c->arch == ARCH_DEEPSEEK2 ? c->rope_dim : c->head_dim);
    if (r->kind != ROPE_LINEAR && r->kind != ROPE_YARN) return; // llama3 is a tensor
    bool yarn = r->kind == ROPE_YARN;
    writer_put_str(p->writer, name(p, "rope.scaling.type"), yarn ? STR("yarn") : STR("linear"));
    put_float(p, "rope.scaling.factor", (double)r->factor);
    if (!yarn) return;
    put_int(p, "rope.scaling.original_context_length", r->n_ctx_first);
    if (r->beta_fast != 32) put_float(p, "rope.scaling.yarn_beta_fast", (double)r->beta_fast);
    if (r->beta_slow != 1) put_float(p, "rope.scaling.yarn_beta_slow", (double)r->beta_slow);
    if (c->arch == ARCH_DEEPSEEK2 && r->mscale_all_dim > 0)
        put_float(p, "rope.scaling.yarn_log_multiplier", 0.1 * (double)r->mscale_all_dim);
    double attn_factor = find_attn_factor(c);
    if (fabs(attn_factor - 1) > 1e-6) put_float(p, "rope.scaling.attn_factor", attn_factor);
}

static void put_attention(Putter *p, const HfConfig *c)
{
    bool latent = c->arch == ARCH_DEEPSEEK2;
    put_int(p, "attention.head_count", c->n_heads);
    put_int(p, "attention.head_count_kv", latent ? 1 : c->n_kv_heads);
    put_float(p, "attention.layer_norm_rms_epsilon", (double)c->rms_eps);
    put_int(p, "attention.key_length", latent ? c->kv_lora + c->rope_dim : c->head_dim);
    put_int(p, "attention.value_length", latent ? c->kv_lora : c->head_dim);
    if (c->sliding_window) put_int(p, "attention.sliding_window", c->sliding_window);
    if (!latent) return;
    put_int(p, "attention.key_length_mla", c->nope_dim + c->rope_dim);
    put_int(p, "attention.value_length_mla", c->value_dim);
    put_int(p, "attention.kv_lora_rank", c->kv_lora);
    if (c->q_lora) put_int(p, "attention.q_lora_rank", c->q_lora);
}

static void put_experts(Putter *p, const HfConfig *c)
{
    if (c->n_dense_layers) put_int(p, "leading_dense_block_count", c->n_dense_layers);
    if (c->n_experts == 0) return;
    put_int(p, "expert_count", c->n_experts);
    put_int(p, "expert_used_count", c->n_experts_used);
    put_int(p, "expert_feed_forward_length", c->n_ff_expert);
    if (c->n_experts_shared) put_int(p, "expert_shared_count", c->n_experts_shared);
    put_float(p, "expert_weights_scale", (double)c->weights_scale);
    writer_put_bool(p->writer, name(p, "expert_weights_norm"), c->normalise_weights);
    put_int(p, "expert_gating_func", c->v3 ? GATE_SIGMOID : GATE_SOFTMAX);
    if (c->n_groups == 0 && c->arch != ARCH_DEEPSEEK2) return;
    put_int(p, "expert_group_count", c->n_groups ? c->n_groups : 1);
    put_int(p, "expert_group_used_count", c->n_groups ? c->n_groups_used : 1);
}

void hf_config_put(const HfConfig *config, GgufWriter *writer)
{
    Putter p = {.writer = writer, .arch = shape_arch_name(config->arch)};
    writer_put_str(writer, "general.architecture", str_from(p.arch));
    writer_put_str(writer, "general.type", STR("model"));
    writer_put_u32(writer, "general.quantization_version", 2);
    put_int(&p, "block_count", config->n_layers + config->n_mtp_layers);
    put_int(&p, "context_length", config->n_ctx);
    put_int(&p, "embedding_length", config->n_embd);
    put_int(&p, "feed_forward_length", config->n_ff);
    put_int(&p, "vocab_size", config->n_vocab);
    if (config->n_mtp_layers) put_int(&p, "nextn_predict_layers", config->n_mtp_layers);
    put_attention(&p, config);
    put_rope(&p, config);
    put_experts(&p, config);
}

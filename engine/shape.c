// Reading and checking of dimensions (docs/engine.md, "Shapes").
#include "shape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LAYERS = 1024, MAX_HEADS = 1024, MAX_WIDTH = 1 << 20 };

// What an architecture is, apart from its numbers.
typedef struct Traits {
    const char *name;
    bool rope_halves, qk_norm, mla, moe;
    bool normalises; // the chosen experts' weights, where the file does not say
} Traits;

static const Traits traits[] = {
    [ARCH_LLAMA] = {.name = "llama"},
    [ARCH_QWEN2] = {.name = "qwen2", .rope_halves = true},
    [ARCH_QWEN3] = {.name = "qwen3", .rope_halves = true, .qk_norm = true},
    [ARCH_QWEN3MOE] =
        {.name = "qwen3moe", .rope_halves = true, .qk_norm = true, .moe = true, .normalises = true},
    [ARCH_DEEPSEEK] = {.name = "deepseek", .moe = true},
    [ARCH_DEEPSEEK2] = {.name = "deepseek2", .mla = true, .moe = true},
};

const char *shape_arch_name(Arch arch)
{
    return traits[arch].name;
}

// A reader that puts the architecture's name before each key.
typedef struct Reader {
    const Gguf *gguf;
    const char *arch;
    Error *err;
    char key[128];
} Reader;

static const char *full_key(Reader *r, const char *key)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch, key);
    return r->key;
}

static bool read_int(Reader *r, const char *key, int min, int max, int *out)
{
    return gguf_read_int(r->gguf, full_key(r, key), min, max, out, r->err);
}

static bool require_int(Reader *r, const char *key, int max, int *out)
{
    *out = 0;
    if (!read_int(r, key, 1, max, out)) return false;
    if (*out > 0) return true;
    return error_set(r->err, ERROR_DAMAGED, "%s is missing, wanted 1 to %d", r->key, max);
}

static bool read_float(Reader *r, const char *key, float *out)
{
    if (!gguf_read_float(r->gguf, full_key(r, key), out, r->err)) return false;
    if (isfinite(*out)) return true;
    return error_set(r->err, ERROR_DAMAGED, "%s is %g, wanted a finite number", r->key, *out);
}

static bool read_arch(const Gguf *gguf, Shape *out, Error *err)
{
    Str name = {0};
    if (!gguf_read_str(gguf, "general.architecture", &name, err)) return false;
    for (int i = 0; i < (int)(sizeof traits / sizeof *traits); i++)
        if (str_equal(name, str_from(traits[i].name))) {
            out->arch = (Arch)i;
            return true;
        }
    return error_set(err, ERROR_UNSUPPORTED,
                     "general.architecture is '%.*s', wanted llama, qwen2, qwen3, qwen3moe, "
                     "deepseek or deepseek2",
                     STR_FMT(str_slice(name, 0, 60)));
}

static bool read_common(Reader *r, Shape *s)
{
    int n_blocks;
    s->rms_eps = 1e-6f;
    if (!require_int(r, "block_count", MAX_LAYERS, &n_blocks) ||
        !require_int(r, "embedding_length", MAX_WIDTH, &s->n_embd) ||
        !require_int(r, "context_length", 1 << 28, &s->n_ctx_train) ||
        !require_int(r, "feed_forward_length", MAX_WIDTH, &s->n_ff) ||
        !require_int(r, "attention.head_count", MAX_HEADS, &s->n_heads) ||
        !read_float(r, "attention.layer_norm_rms_epsilon", &s->rms_eps) ||
        !read_int(r, "nextn_predict_layers", 0, n_blocks - 1, &s->n_mtp_layers))
        return false;
    s->n_layers = n_blocks - s->n_mtp_layers;
    if (s->rms_eps >= 0 && s->rms_eps <= 1) return true;
    return error_set(r->err, ERROR_DAMAGED,
                     "%s.attention.layer_norm_rms_epsilon is %g, wanted 0 to 1", r->arch,
                     (double)s->rms_eps);
}

// The pair that turns `turns` times over the context that the model was first trained on.
static double find_yarn_pair(const Shape *s, double turns, int n_ctx_first)
{
    const double two_pi = 6.283185307179586;
    return s->rope_dim * log(n_ctx_first / (turns * two_pi)) / (2 * log((double)s->rope_base));
}

// YaRN as the families' reference code has it: 32 turns and more are kept, one and less are
// stretched. Qwen multiplies cos and sin with 1 + 0.1 ln factor. DeepSeek V2 and V3 multiply the
// scores with mscale^2 instead, mscale = 1 + 0.1 mscale_all_dim ln factor; their file has
// 0.1 mscale_all_dim as yarn_log_multiplier. Where that is missing mscale_all_dim was not set, and
// their code falls back on cos and sin. R1-0528's Qwen3 states an attn_factor of 0.878 that undoes
// Qwen's factor; transformers does not know the key, llama.cpp and this engine multiply with it.
static bool read_yarn(Reader *r, Shape *s)
{
    int n_ctx_first;
    float fast = 32, slow = 1, extrapolation = 1, log_multiplier = 0, amplitude = 1, more = 1;
    if (!require_int(r, "rope.scaling.original_context_length", 1 << 28, &n_ctx_first) ||
        !read_float(r, "rope.scaling.yarn_beta_fast", &fast) ||
        !read_float(r, "rope.scaling.yarn_beta_slow", &slow) ||
        !read_float(r, "rope.scaling.yarn_ext_factor", &extrapolation) ||
        !read_float(r, "rope.scaling.attn_factor", &amplitude) ||
        !read_float(r, "rope.scaling.yarn_attn_factor", &more) ||
        !read_float(r, "rope.scaling.yarn_log_multiplier", &log_multiplier))
        return false;
    amplitude *= more;
    if (extrapolation != 1)
        return error_set(r->err, ERROR_UNSUPPORTED,
                         "%s.rope.scaling.yarn_ext_factor is %g, wanted 1", r->arch,
                         (double)extrapolation);
    if (!(fast > 0) || !(slow > 0) || !(s->rope_base > 1) || !(amplitude > 0) ||
        !(log_multiplier >= 0))
        return error_set(r->err, ERROR_DAMAGED,
                         "%s.rope.scaling: beta %g and %g, base %g, attention factor %g, log "
                         "multiplier %g; wanted numbers over 0, the base over 1",
                         r->arch, (double)fast, (double)slow, (double)s->rope_base,
                         (double)amplitude, (double)log_multiplier);
    double last = s->rope_dim - 1, log_factor = log(fmax((double)s->rope_divisor, 1));
    s->yarn = true;
    s->yarn_low = (float)fmin(fmax(floor(find_yarn_pair(s, (double)fast, n_ctx_first)), 0), last);
    s->yarn_high = (float)fmin(fmax(ceil(find_yarn_pair(s, (double)slow, n_ctx_first)), 0), last);
    if (s->mla && log_multiplier > 0) {
        double mscale = 1 + (double)log_multiplier * log_factor;
        s->attention_scale *= (float)(mscale * mscale);
        s->rope_amplitude = amplitude;
    } else {
        s->rope_amplitude = amplitude * (float)(1 + 0.1 * log_factor);
    }
    return true;
}

static bool read_rope(Reader *r, Shape *s)
{
    Str scaling = {0};
    float factor = 1, legacy = 1;
    s->rope_base = 10000;
    s->rope_amplitude = 1;
    if (!read_float(r, "rope.freq_base", &s->rope_base) ||
        !gguf_read_str(r->gguf, full_key(r, "rope.scaling.type"), &scaling, r->err) ||
        !read_float(r, "rope.scaling.factor", &factor) ||
        !read_float(r, "rope.scale_linear", &legacy))
        return false;
    bool linear = str_equal(scaling, STR("linear")), yarn = str_equal(scaling, STR("yarn"));
    if (scaling.len && !linear && !yarn && !str_equal(scaling, STR("none")))
        return error_set(r->err, ERROR_UNSUPPORTED,
                         "%s.rope.scaling.type is '%.*s', wanted none, linear or yarn", r->arch,
                         STR_FMT(str_slice(scaling, 0, 40)));
    s->rope_divisor = linear || yarn ? factor : legacy;
    if (!(s->rope_base >= 1) || !(s->rope_divisor > 0))
        return error_set(r->err, ERROR_DAMAGED,
                         "%s.rope: base %g and factor %g, wanted at least 1 and more than 0",
                         r->arch, (double)s->rope_base, (double)s->rope_divisor);
    if (s->rope_dim < 2 || s->rope_dim % 2 != 0)
        return error_set(r->err, ERROR_DAMAGED,
                         "%s.rope.dimension_count is %d, wanted an even number from 2", r->arch,
                         s->rope_dim);
    return !yarn || read_yarn(r, s);
}

// Some files state the window that their family may use without using it: every layer's is read
// where no pattern says which layers have one.
static bool read_window(Reader *r, Shape *s)
{
    if (!read_int(r, "attention.sliding_window", 0, 1 << 28, &s->sliding_window)) return false;
    if (s->sliding_window == 0 ||
        !gguf_find(r->gguf, full_key(r, "attention.sliding_window_pattern")))
        return true;
    return error_set(r->err, ERROR_UNSUPPORTED,
                     "%s is set, wanted a sliding window of all layers or of none", r->key);
}

static bool read_gqa(Reader *r, Shape *s)
{
    s->n_kv_heads = s->n_heads;
    if (!read_int(r, "attention.head_count_kv", 1, s->n_heads, &s->n_kv_heads)) return false;
    if (s->n_heads % s->n_kv_heads != 0)
        return error_set(r->err, ERROR_DAMAGED,
                         "%s: %d heads over %d key/value heads, wanted a whole multiple", r->arch,
                         s->n_heads, s->n_kv_heads);
    s->key_dim = s->n_embd / s->n_heads;
    if (!read_int(r, "attention.key_length", 1, 4096, &s->key_dim)) return false;
    s->value_dim = s->key_dim;
    if (!read_int(r, "attention.value_length", 1, 4096, &s->value_dim)) return false;
    s->rope_dim = s->key_dim;
    if (!read_int(r, "rope.dimension_count", 1, s->key_dim, &s->rope_dim)) return false;
    s->attention_scale = 1 / sqrtf((float)s->key_dim);
    return read_window(r, s);
}

// Both dialects: with *_mla keys key_length is the latent's, without them the head's.
static bool read_mla(Reader *r, Shape *s)
{
    int key_dim = 0, value_dim = 0;
    s->mla = true;
    if (!require_int(r, "attention.kv_lora_rank", MAX_WIDTH, &s->kv_lora) ||
        !read_int(r, "attention.q_lora_rank", 0, MAX_WIDTH, &s->q_lora) ||
        !require_int(r, "rope.dimension_count", 4096, &s->rope_dim) ||
        !read_int(r, "attention.key_length_mla", 1, 4096, &key_dim) ||
        !read_int(r, "attention.value_length_mla", 1, 4096, &value_dim))
        return false;
    if (key_dim == 0 && !require_int(r, "attention.key_length", 4096, &key_dim)) return false;
    if (value_dim == 0 && !require_int(r, "attention.value_length", 4096, &value_dim)) return false;
    if (key_dim <= s->rope_dim)
        return error_set(r->err, ERROR_DAMAGED,
                         "%s: key length %d with %d rotary dimensions, wanted more", r->arch,
                         key_dim, s->rope_dim);
    s->n_kv_heads = 1;
    s->key_dim = key_dim;
    s->value_dim = value_dim;
    s->nope_dim = key_dim - s->rope_dim;
    s->attention_scale = 1 / sqrtf((float)key_dim);
    return true;
}

static bool read_gate(Reader *r, Shape *s)
{
    int gate = 0;
    if (!read_int(r, "expert_gating_func", 0, 255, &gate)) return false;
    s->gate = gate == GATE_SIGMOID ? GATE_SIGMOID : GATE_SOFTMAX;
    if (gate <= GATE_SIGMOID) return true;
    return error_set(r->err, ERROR_UNSUPPORTED,
                     "%s.expert_gating_func is %d, wanted 1 (softmax) or 2 (sigmoid)", r->arch,
                     gate);
}

// Files of old converters dropped the groups of V3 (256 experts) and V2 (160).
static bool read_groups(Reader *r, Shape *s)
{
    bool v3 = s->mla && s->n_experts == 256, v2 = s->mla && s->n_experts == 160;
    s->n_groups = v3 || v2 ? 8 : 1;
    s->n_groups_used = v3 ? 4 : v2 ? 3 : 1;
    if (!read_int(r, "expert_group_count", 1, s->n_experts, &s->n_groups)) return false;
    if (s->n_groups_used > s->n_groups) s->n_groups_used = s->n_groups;
    if (!read_int(r, "expert_group_used_count", 1, s->n_groups, &s->n_groups_used)) return false;
    int group_size = s->n_experts / s->n_groups;
    bool fits = s->n_experts % s->n_groups == 0 && (s->n_groups == 1 || group_size >= 2) &&
                s->n_experts_used <= s->n_groups_used * group_size;
    if (fits) return true;
    return error_set(r->err, ERROR_DAMAGED,
                     "%s: %d of %d experts in %d of %d groups, wanted equal groups of at least 2 "
                     "with room for the chosen experts",
                     r->arch, s->n_experts_used, s->n_experts, s->n_groups_used, s->n_groups);
}

static bool read_moe(Reader *r, Shape *s)
{
    s->weights_scale = 1;
    s->n_dense_layers = 0;
    if (!read_int(r, "leading_dense_block_count", 0, s->n_layers, &s->n_dense_layers) ||
        !read_int(r, "expert_count", 0, SHAPE_MAX_EXPERTS, &s->n_experts))
        return false;
    if (s->n_experts == 0) {
        s->n_dense_layers = s->n_layers;
        return true;
    }
    s->normalise_weights = traits[s->arch].normalises;
    if (!require_int(r, "expert_used_count", s->n_experts, &s->n_experts_used) ||
        !require_int(r, "expert_feed_forward_length", MAX_WIDTH, &s->n_ff_expert) ||
        !read_int(r, "expert_shared_count", 0, 64, &s->n_experts_shared) ||
        !read_float(r, "expert_weights_scale", &s->weights_scale) ||
        !gguf_read_bool(r->gguf, full_key(r, "expert_weights_norm"), &s->normalise_weights, r->err))
        return false;
    if (s->weights_scale == 0) s->weights_scale = 1; // the key's default in older files
    return read_gate(r, s) && read_groups(r, s);
}

// Architectures whose layers are dense must not have experts (Mixtral's files say llama).
static bool refuse_experts(Reader *r)
{
    int n_experts = 0;
    if (!read_int(r, "expert_count", 0, SHAPE_MAX_EXPERTS, &n_experts)) return false;
    if (n_experts == 0) return true;
    return error_set(r->err, ERROR_UNSUPPORTED, "%s is %d, wanted 0", r->key, n_experts);
}

bool shape_read(const Gguf *gguf, Shape *out, Error *err)
{
    *out = (Shape){0};
    if (!read_arch(gguf, out, err)) return false;
    const Traits *t = &traits[out->arch];
    Reader r = {.gguf = gguf, .arch = t->name, .err = err};
    if (!read_common(&r, out)) return false;
    out->rope_halves = t->rope_halves;
    out->qk_norm = t->qk_norm;
    if (!(t->mla ? read_mla(&r, out) : read_gqa(&r, out)) || !read_rope(&r, out)) return false;
    out->n_dense_layers = out->n_layers;
    return t->moe ? read_moe(&r, out) : refuse_experts(&r);
}

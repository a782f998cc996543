// Reading and checking of dimensions (docs/engine.md, "Shapes").
#include "shape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LAYERS = 1024, MAX_HEADS = 1024, MAX_WIDTH = 1 << 20, MAX_EXPERTS = 1024 };

static const char *const arch_names[] = {"llama", "qwen2", "deepseek2"};

const char *shape_arch_name(Arch arch)
{
    return arch_names[arch];
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
    for (int i = 0; i < (int)(sizeof arch_names / sizeof *arch_names); i++)
        if (str_equal(name, str_from(arch_names[i]))) {
            out->arch = (Arch)i;
            return true;
        }
    return error_set(err, ERROR_UNSUPPORTED,
                     "general.architecture is '%.*s', wanted llama, qwen2 or deepseek2",
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

static bool read_rope(Reader *r, Shape *s)
{
    Str scaling = {0};
    float factor = 1, legacy = 1;
    s->rope_base = 10000;
    if (!read_float(r, "rope.freq_base", &s->rope_base) ||
        !gguf_read_str(r->gguf, full_key(r, "rope.scaling.type"), &scaling, r->err) ||
        !read_float(r, "rope.scaling.factor", &factor) ||
        !read_float(r, "rope.scale_linear", &legacy))
        return false;
    bool linear = str_equal(scaling, STR("linear"));
    if (scaling.len && !linear && !str_equal(scaling, STR("none")))
        return error_set(r->err, ERROR_UNSUPPORTED,
                         "%s.rope.scaling.type is '%.*s', wanted none or linear", r->arch,
                         STR_FMT(str_slice(scaling, 0, 40)));
    s->rope_divisor = linear ? factor : legacy;
    if (!(s->rope_base >= 1) || !(s->rope_divisor > 0))
        return error_set(r->err, ERROR_DAMAGED,
                         "%s.rope: base %g and factor %g, wanted at least 1 and more than 0",
                         r->arch, (double)s->rope_base, (double)s->rope_divisor);
    if (s->rope_dim >= 2 && s->rope_dim % 2 == 0) return true;
    return error_set(r->err, ERROR_DAMAGED,
                     "%s.rope.dimension_count is %d, wanted an even number from 2", r->arch,
                     s->rope_dim);
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
    s->rope_halves = s->arch == ARCH_QWEN2;
    s->attention_scale = 1 / sqrtf((float)s->key_dim);
    return true;
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

// V3's groups; files of old converters dropped the keys, and 256 experts mean 8 groups, 4 used.
static bool read_groups(Reader *r, Shape *s)
{
    s->n_groups = s->n_experts == 256 ? 8 : 1;
    s->n_groups_used = s->n_experts == 256 ? 4 : 1;
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
    if (!read_int(r, "leading_dense_block_count", 0, s->n_layers, &s->n_dense_layers) ||
        !read_int(r, "expert_count", 0, MAX_EXPERTS, &s->n_experts))
        return false;
    if (s->n_experts == 0) {
        s->n_dense_layers = s->n_layers;
        return true;
    }
    if (!require_int(r, "expert_used_count", s->n_experts, &s->n_experts_used) ||
        !require_int(r, "expert_feed_forward_length", MAX_WIDTH, &s->n_ff_expert) ||
        !read_int(r, "expert_shared_count", 0, 64, &s->n_experts_shared) ||
        !read_float(r, "expert_weights_scale", &s->weights_scale) ||
        !gguf_read_bool(r->gguf, full_key(r, "expert_weights_norm"), &s->normalise_weights, r->err))
        return false;
    if (s->weights_scale == 0) s->weights_scale = 1; // the key's default in older files
    return read_gate(r, s) && read_groups(r, s);
}

bool shape_read(const Gguf *gguf, Shape *out, Error *err)
{
    *out = (Shape){0};
    if (!read_arch(gguf, out, err)) return false;
    Reader r = {.gguf = gguf, .arch = shape_arch_name(out->arch), .err = err};
    if (!read_common(&r, out)) return false;
    bool mla = out->arch == ARCH_DEEPSEEK2;
    if (!(mla ? read_mla(&r, out) : read_gqa(&r, out)) || !read_rope(&r, out)) return false;
    out->n_dense_layers = out->n_layers;
    return !mla || read_moe(&r, out);
}

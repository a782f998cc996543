// Binding by name. A legacy layer has one attn_kv_b; its key half is transposed into F16 so that
// the query can be absorbed by the same kernels as with a split one.
#include "weights.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/kernels.h"

typedef struct Binder {
    const Gguf *gguf;
    const Shape *shape;
    Weights *weights;
    Error *err;
    int layer;   // -1: global tensors
    bool *taken; // [n_tensors]
    char name[96];
} Binder;

static const GgufTensor *find(Binder *b, const char *suffix)
{
    if (b->layer < 0)
        snprintf(b->name, sizeof b->name, "%s", suffix);
    else
        snprintf(b->name, sizeof b->name, "blk.%d.%s", b->layer, suffix);
    const GgufTensor *t = gguf_find_tensor(b->gguf, b->name);
    if (t) b->taken[t - gguf_tensor(b->gguf, 0)] = true;
    return t;
}

static bool has_dims(const GgufTensor *t, const uint64_t dims[4])
{
    for (int i = 0; i < 4; i++)
        if (t->dims[i] != dims[i]) return false;
    return true;
}

static bool check_dims(Binder *b, const GgufTensor *t, uint64_t d0, uint64_t d1, uint64_t d2)
{
    const uint64_t wanted[4] = {d0, d1, d2, 1};
    if (!t)
        return error_set(b->err, ERROR_DAMAGED, "tensor %s is missing, wanted [%llu, %llu, %llu]",
                         b->name, (unsigned long long)d0, (unsigned long long)d1,
                         (unsigned long long)d2);
    if (has_dims(t, wanted)) return true;
    return error_set(b->err, ERROR_DAMAGED,
                     "tensor %s is [%llu, %llu, %llu, %llu], wanted [%llu, %llu, %llu, 1]", b->name,
                     (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                     (unsigned long long)t->dims[2], (unsigned long long)t->dims[3],
                     (unsigned long long)d0, (unsigned long long)d1, (unsigned long long)d2);
}

static bool set_matrix(Binder *b, const GgufTensor *t, int n_in, int n_out, int n_parts,
                       Matrix *out)
{
    const TensorTypeInfo *info = tensor_type_info(t->type);
    assert(info && n_in % info->block_elements == 0); // gguf.c refuses other rows
    if (info->block_elements > 1 && n_in % ACT_BLOCK != 0)
        return error_set(b->err, ERROR_UNSUPPORTED,
                         "tensor %s: rows of %d, wanted a multiple of %d", b->name, n_in,
                         ACT_BLOCK);
    size_t row_bytes = (size_t)(n_in / info->block_elements) * (size_t)info->block_bytes;
    *out = (Matrix){.type = t->type,
                    .n_in = n_in,
                    .n_out = n_out,
                    .n_parts = n_parts,
                    .tensor = (size_t)(t - gguf_tensor(b->gguf, 0)) + 1,
                    .row_bytes = row_bytes,
                    .part_bytes = row_bytes * (size_t)n_out,
                    .data = t->data};
    if (n_in > b->weights->max_n_in) b->weights->max_n_in = n_in;
    return true;
}

static bool bind_parts(Binder *b, const char *suffix, int n_in, int n_out, int n_parts, Matrix *out)
{
    const GgufTensor *t = find(b, suffix);
    return check_dims(b, t, (uint64_t)n_in, (uint64_t)n_out, (uint64_t)n_parts) &&
           set_matrix(b, t, n_in, n_out, n_parts, out);
}

static bool bind_matrix(Binder *b, const char *suffix, int n_in, int n_out, Matrix *out)
{
    return bind_parts(b, suffix, n_in, n_out, 1, out);
}

static bool check_floats(Binder *b, const GgufTensor *t, int n, int rows, const float **out)
{
    if (!check_dims(b, t, (uint64_t)n, (uint64_t)rows, 1)) return false;
    if (t->type != TENSOR_F32) {
        const TensorTypeInfo *info = tensor_type_info(t->type);
        return error_set(b->err, ERROR_UNSUPPORTED, "tensor %s has type %s, wanted F32", b->name,
                         info->name);
    }
    *out = t->data;
    return true;
}

static bool bind_floats(Binder *b, const char *suffix, int n, const float **out)
{
    return check_floats(b, find(b, suffix), n, 1, out);
}

static bool bind_optional_floats(Binder *b, const char *suffix, int n, const float **out)
{
    const GgufTensor *t = find(b, suffix);
    return !t || check_floats(b, t, n, 1, out);
}

static bool bind_mlp(Binder *b, const char *kind, int n_ff, int n_parts, Mlp *out)
{
    int n_embd = b->shape->n_embd;
    char gate[48], up[48], down[48];
    snprintf(gate, sizeof gate, "ffn_gate%s.weight", kind);
    snprintf(up, sizeof up, "ffn_up%s.weight", kind);
    snprintf(down, sizeof down, "ffn_down%s.weight", kind);
    return bind_parts(b, gate, n_embd, n_ff, n_parts, &out->gate) &&
           bind_parts(b, up, n_embd, n_ff, n_parts, &out->up) &&
           bind_parts(b, down, n_ff, n_embd, n_parts, &out->down);
}

static bool bind_gqa(Binder *b, Layer *l)
{
    const Shape *s = b->shape;
    int q_dim = s->n_heads * s->key_dim, k_dim = s->n_kv_heads * s->key_dim;
    int v_dim = s->n_kv_heads * s->value_dim;
    return bind_matrix(b, "attn_q.weight", s->n_embd, q_dim, &l->q) &&
           bind_matrix(b, "attn_k.weight", s->n_embd, k_dim, &l->k) &&
           bind_matrix(b, "attn_v.weight", s->n_embd, v_dim, &l->v) &&
           bind_optional_floats(b, "attn_q.bias", q_dim, &l->q_bias) &&
           bind_optional_floats(b, "attn_k.bias", k_dim, &l->k_bias) &&
           bind_optional_floats(b, "attn_v.bias", v_dim, &l->v_bias) &&
           (!s->qk_norm || (bind_floats(b, "attn_q_norm.weight", s->key_dim, &l->q_norm) &&
                            bind_floats(b, "attn_k_norm.weight", s->key_dim, &l->k_norm)));
}

// The halves of a legacy attn_kv_b [kv_lora, heads * (nope + v)], per head nope rows and then v
// rows. The key half has no data before weights_make_copies: a split file has its transpose.
static bool bind_legacy_kv_b(Binder *b, Layer *l)
{
    const Shape *s = b->shape;
    int head_rows = s->nope_dim + s->value_dim;
    Matrix kv_b;
    if (!bind_matrix(b, "attn_kv_b.weight", s->kv_lora, s->n_heads * head_rows, &kv_b))
        return false;
    l->v_b = kv_b;
    l->v_b.n_out = s->value_dim;
    l->v_b.n_parts = s->n_heads;
    l->v_b.part_bytes = kv_b.row_bytes * (size_t)head_rows;
    l->v_b.data += kv_b.row_bytes * (size_t)s->nope_dim;
    size_t row_bytes = (size_t)s->nope_dim * sizeof(uint16_t);
    l->k_b = (Matrix){.type = TENSOR_F16,
                      .n_in = s->nope_dim,
                      .n_out = s->kv_lora,
                      .n_parts = s->n_heads,
                      .row_bytes = row_bytes,
                      .part_bytes = row_bytes * (size_t)s->kv_lora};
    b->weights->n_copied_bytes += l->k_b.part_bytes * (size_t)s->n_heads;
    return true;
}

// The split form may also come flattened to two dimensions (older files).
static bool bind_split(Binder *b, const char *suffix, int n_in, int n_out, Matrix *out)
{
    const GgufTensor *t = find(b, suffix);
    int n_heads = b->shape->n_heads;
    const uint64_t flat[4] = {(uint64_t)n_in, (uint64_t)n_out * (uint64_t)n_heads, 1, 1};
    if (t && has_dims(t, flat)) return set_matrix(b, t, n_in, n_out, n_heads, out);
    return bind_parts(b, suffix, n_in, n_out, n_heads, out);
}

static bool bind_mla(Binder *b, Layer *l)
{
    const Shape *s = b->shape;
    int q_dim = s->n_heads * s->key_dim;
    bool ok = s->q_lora ? bind_matrix(b, "attn_q_a.weight", s->n_embd, s->q_lora, &l->q_a) &&
                              bind_floats(b, "attn_q_a_norm.weight", s->q_lora, &l->q_a_norm) &&
                              bind_matrix(b, "attn_q_b.weight", s->q_lora, q_dim, &l->q_b)
                        : bind_matrix(b, "attn_q.weight", s->n_embd, q_dim, &l->q);
    ok = ok &&
         bind_matrix(b, "attn_kv_a_mqa.weight", s->n_embd, s->kv_lora + s->rope_dim, &l->kv_a) &&
         bind_floats(b, "attn_kv_a_norm.weight", s->kv_lora, &l->kv_a_norm);
    if (!ok) return false;
    // A file may have both forms; the split one needs no copies.
    const GgufTensor *joined = find(b, "attn_kv_b.weight");
    bool legacy = joined && !find(b, "attn_k_b.weight");
    ok = legacy ? bind_legacy_kv_b(b, l)
                : bind_split(b, "attn_k_b.weight", s->nope_dim, s->kv_lora, &l->k_b) &&
                      bind_split(b, "attn_v_b.weight", s->kv_lora, s->value_dim, &l->v_b);
    if (!ok) return false;
    bool quantised = tensor_type_info(l->k_b.type)->block_elements > 1 ||
                     tensor_type_info(l->v_b.type)->block_elements > 1;
    if (!quantised || s->rope_dim % ACT_BLOCK == 0) return true;
    return error_set(b->err, ERROR_UNSUPPORTED,
                     "quantised attn_k_b or attn_v_b with %d rotary dimensions, wanted a multiple "
                     "of %d",
                     s->rope_dim, ACT_BLOCK);
}

static bool bind_ffn(Binder *b, Layer *l)
{
    const Shape *s = b->shape;
    l->moe = s->n_experts > 0 && b->layer >= s->n_dense_layers;
    if (!l->moe) return bind_mlp(b, "", s->n_ff, 1, &l->mlp);
    if (!check_floats(b, find(b, "ffn_gate_inp.weight"), s->n_embd, s->n_experts, &l->router) ||
        !bind_optional_floats(b, "exp_probs_b.bias", s->n_experts, &l->router_bias) ||
        !bind_mlp(b, "_exps", s->n_ff_expert, s->n_experts, &l->experts))
        return false;
    if (s->n_experts_shared == 0) return true;
    return bind_mlp(b, "_shexp", s->n_ff_expert * s->n_experts_shared, 1, &l->shared);
}

static bool bind_layer(Binder *b, Layer *l)
{
    const Shape *s = b->shape;
    return bind_floats(b, "attn_norm.weight", s->n_embd, &l->attn_norm) &&
           bind_floats(b, "ffn_norm.weight", s->n_embd, &l->ffn_norm) &&
           (s->mla ? bind_mla(b, l) : bind_gqa(b, l)) &&
           bind_matrix(b, "attn_output.weight", s->n_heads * s->value_dim, s->n_embd, &l->output) &&
           bind_ffn(b, l);
}

static bool bind_globals(Binder *b, Shape *shape)
{
    const GgufTensor *embd = find(b, "token_embd.weight");
    if (!embd) return check_dims(b, embd, (uint64_t)shape->n_embd, 0, 1);
    if (embd->dims[1] < 1 || embd->dims[1] > 1u << 24)
        return error_set(b->err, ERROR_DAMAGED, "tensor %s has %llu rows, wanted 1 to 16777216",
                         b->name, (unsigned long long)embd->dims[1]);
    shape->n_vocab = (int)embd->dims[1];
    Weights *w = b->weights;
    if (!bind_matrix(b, "token_embd.weight", shape->n_embd, shape->n_vocab, &w->token_embd) ||
        !bind_floats(b, "output_norm.weight", shape->n_embd, &w->output_norm) ||
        !bind_optional_floats(b, "rope_freqs.weight", shape->rope_dim / 2, &w->rope_divisors))
        return false;
    w->output = w->token_embd; // tied where the file has no output matrix
    return !find(b, "output.weight") ||
           bind_matrix(b, "output.weight", shape->n_embd, shape->n_vocab, &w->output);
}

static bool bind_mtp(Binder *b)
{
    const int n_embd = b->shape->n_embd;
    Weights *w = b->weights;
    Mtp *m = &w->mtp;
    b->layer = b->shape->n_layers;
    if (b->shape->n_mtp_layers == 0 || !find(b, "nextn.eh_proj.weight")) return true;
    m->present = true;
    m->block = &w->layers[b->layer];
    m->token_embd = w->token_embd;
    m->head = w->output;
    return bind_matrix(b, "nextn.eh_proj.weight", 2 * n_embd, n_embd, &m->eh_proj) &&
           bind_floats(b, "nextn.enorm.weight", n_embd, &m->enorm) &&
           bind_floats(b, "nextn.hnorm.weight", n_embd, &m->hnorm) &&
           bind_floats(b, "nextn.shared_head_norm.weight", n_embd, &m->head_norm) &&
           (!find(b, "nextn.embed_tokens.weight") ||
            bind_matrix(b, "nextn.embed_tokens.weight", n_embd, b->shape->n_vocab,
                        &m->token_embd)) &&
           (!find(b, "nextn.shared_head_head.weight") ||
            bind_matrix(b, "nextn.shared_head_head.weight", n_embd, b->shape->n_vocab, &m->head)) &&
           bind_layer(b, &w->layers[b->layer]);
}

// What one token multiplies.
typedef struct Active {
    uint64_t n_params, n_bytes;
} Active;

static void add_active(Active *sum, const Matrix *m, int n_parts)
{
    sum->n_params += (uint64_t)m->n_in * (uint64_t)m->n_out * (uint64_t)n_parts;
    sum->n_bytes += (uint64_t)m->row_bytes * (uint64_t)m->n_out * (uint64_t)n_parts;
}

static void add_active_mlp(Active *sum, const Mlp *mlp, int n_parts)
{
    add_active(sum, &mlp->gate, n_parts);
    add_active(sum, &mlp->up, n_parts);
    add_active(sum, &mlp->down, n_parts);
}

static Active count_active(const Shape *s, const Weights *w)
{
    Active sum = {0};
    add_active(&sum, &w->output, 1);
    for (int i = 0; i < s->n_layers; i++) {
        const Layer *l = &w->layers[i];
        const Matrix *whole[] = {&l->q, &l->k, &l->v, &l->q_a, &l->q_b, &l->kv_a, &l->output};
        for (size_t m = 0; m < sizeof whole / sizeof *whole; m++)
            add_active(&sum, whole[m], 1);
        add_active(&sum, &l->k_b, l->k_b.n_parts);
        add_active(&sum, &l->v_b, l->v_b.n_parts);
        add_active_mlp(&sum, &l->mlp, 1);
        add_active_mlp(&sum, &l->shared, 1);
        add_active_mlp(&sum, &l->experts, s->n_experts_used);
    }
    return sum;
}

// MTP blocks behind the first; old converters wrote the rotary frequencies, which are
// computed.
static bool may_be_left(const Shape *s, Str name)
{
    if (str_ends(name, STR("attn_rot_embd.weight")) || str_ends(name, STR(".inv_freq")))
        return true;
    char text[80];
    int layer;
    snprintf(text, sizeof text, "%.*s", STR_FMT(name));
    return sscanf(text, "blk.%d.", &layer) == 1 && layer >= s->n_layers &&
           layer < s->n_layers + s->n_mtp_layers;
}

static bool check_all_taken(const Binder *b)
{
    for (size_t i = 0; i < gguf_n_tensors(b->gguf); i++) {
        Str name = gguf_tensor(b->gguf, i)->name;
        if (!b->taken[i] && !may_be_left(b->shape, name))
            return error_set(b->err, ERROR_UNSUPPORTED,
                             "tensor %.*s has no place in architecture %s with %d layers",
                             STR_FMT(name), shape_arch_name(b->shape->arch), b->shape->n_layers);
    }
    return true;
}

static bool bind_all(Binder *b, Shape *shape)
{
    Weights *w = b->weights;
    if (!bind_globals(b, shape)) return false;
    w->layers = mem_zero((size_t)(shape->n_layers + 1) * sizeof *w->layers);
    for (b->layer = 0; b->layer < shape->n_layers; b->layer++)
        if (!bind_layer(b, &w->layers[b->layer])) return false;
    return bind_mtp(b) && check_all_taken(b);
}

bool weights_bind(const Gguf *gguf, Shape *shape, Weights *out, Error *err)
{
    *out = (Weights){0};
    Binder b = {.gguf = gguf, .shape = shape, .weights = out, .err = err, .layer = -1};
    b.taken = mem_zero(gguf_n_tensors(gguf) * sizeof *b.taken);
    bool ok = bind_all(&b, shape);
    for (size_t i = 0; ok && i < gguf_n_tensors(gguf); i++) {
        out->n_params += gguf_tensor(gguf, i)->n_elements;
        if (b.taken[i]) out->n_bytes += gguf_tensor(gguf, i)->n_bytes;
    }
    free(b.taken);
    if (!ok) return false;
    Active active = count_active(shape, out);
    out->n_active_params = active.n_params;
    out->n_active_bytes = active.n_bytes;
    return true;
}

// k_b of one layer as F16 [nope, kv_lora, heads] from the rows before v_b's, into `to`.
static void transpose_keys(const Shape *s, Layer *l, float *row, uint16_t *to)
{
    const unsigned char *rows = l->v_b.data - l->v_b.row_bytes * (size_t)s->nope_dim;
    l->k_b.data = (const unsigned char *)to;
    for (int h = 0; h < s->n_heads; h++, rows += l->v_b.part_bytes)
        for (int j = 0; j < s->nope_dim; j++) {
            kernels_ref.dequantize(l->v_b.type, rows + (size_t)j * l->v_b.row_bytes, s->kv_lora,
                                   row);
            for (int c = 0; c < s->kv_lora; c++)
                to[((size_t)h * (size_t)s->kv_lora + (size_t)c) * (size_t)s->nope_dim + (size_t)j] =
                    float_to_half(row[c]);
        }
}

bool weights_make_copies(const Shape *s, Weights *w, Error *err)
{
    if (w->n_copied_bytes == 0) return true;
    size_t layer_elements = (size_t)(s->n_heads * s->kv_lora) * (size_t)s->nope_dim;
    uint16_t *to = w->owned = malloc((size_t)w->n_copied_bytes);
    float *row = malloc((size_t)s->kv_lora * sizeof *row);
    bool ok = to && row;
    if (!ok)
        error_set(err, ERROR_NO_MEMORY, "no memory to transpose attn_kv_b: %llu bytes",
                  (unsigned long long)w->n_copied_bytes);
    for (int i = 0; ok && i < s->n_layers + w->mtp.present; i++) {
        if (w->layers[i].k_b.data) continue; // a split layer beside joined ones
        transpose_keys(s, &w->layers[i], row, to);
        to += layer_elements;
    }
    free(row);
    return ok;
}

void weights_deinit(Weights *weights)
{
    free(weights->owned);
    free(weights->layers);
    *weights = (Weights){0};
}

// Writes a model file of a true shape and no data: a directory in front of a hole. Types are those
// of a Q4_K_M mix: Q4_K, Q6_K for ffn_down and output, Q5_0 and Q8_0 where rows are no multiple of
// 256.
#pragma once

#include <stdio.h>
#include <unistd.h>

#include "unit/gguf_builder.h"

typedef struct TrueShape {
    const char *name, *arch;
    int layers, width, heads, kv_heads, head_dim, ff, vocab;
    bool tied, biases, qk_norm;
    int dense, experts, used, shared, expert_ff; // experts from layer `dense` on
    int q_lora, kv_lora;  // kv_lora: latent attention with 128 + 64 and 128 dimensions a head
    bool sigmoid, joined; // V3's router; attn_kv_b in one tensor and no *_mla keys
    float yarn_factor, yarn_log_multiplier;
    int yarn_n_ctx; // before it was extended
    int n_ctx;
} TrueShape;

// A directory in the making; data follow each other with the alignment.
typedef struct Directory {
    StrBuf entries;
    uint64_t n, offset;
} Directory;

static inline void sparse_add(Directory *d, int layer, const char *suffix, TensorType type,
                              const uint64_t dims[3])
{
    char name[64];
    const TensorTypeInfo *info = tensor_type_info(type);
    if (layer < 0)
        snprintf(name, sizeof name, "%s", suffix);
    else
        snprintf(name, sizeof name, "blk.%d.%s", layer, suffix);
    build_text(&d->entries, name);
    build_u32(&d->entries, 3);
    for (int i = 0; i < 3; i++)
        build_u64(&d->entries, dims[i]);
    build_u32(&d->entries, type);
    build_u64(&d->entries, d->offset);
    uint64_t blocks = dims[0] * dims[1] * dims[2] / (uint64_t)info->block_elements;
    d->offset += (blocks * (uint64_t)info->block_bytes + 31) / 32 * 32;
    d->n++;
}

static inline void sparse_add_matrix(Directory *d, int layer, const char *suffix, int n_in,
                                     int n_out, int n_parts)
{
    bool better = strstr(suffix, "ffn_down") || strcmp(suffix, "output.weight") == 0;
    TensorType type = n_in % 256 == 0 ? better ? TENSOR_Q6_K : TENSOR_Q4_K
                      : better        ? TENSOR_Q8_0
                                      : TENSOR_Q5_0;
    if (strstr(suffix, "gate_inp")) type = TENSOR_F32;
    const uint64_t dims[3] = {(uint64_t)n_in, (uint64_t)n_out, (uint64_t)n_parts};
    sparse_add(d, layer, suffix, type, dims);
}

static inline void sparse_add_vector(Directory *d, int layer, const char *suffix, int n)
{
    const uint64_t dims[3] = {(uint64_t)n, 1, 1};
    sparse_add(d, layer, suffix, TENSOR_F32, dims);
}

static inline void sparse_add_latent(Directory *d, const TrueShape *s, int i)
{
    int q_in = s->q_lora ? s->q_lora : s->width;
    if (s->q_lora) {
        sparse_add_matrix(d, i, "attn_q_a.weight", s->width, s->q_lora, 1);
        sparse_add_vector(d, i, "attn_q_a_norm.weight", s->q_lora);
    }
    sparse_add_matrix(d, i, s->q_lora ? "attn_q_b.weight" : "attn_q.weight", q_in, s->heads * 192,
                      1);
    sparse_add_matrix(d, i, "attn_kv_a_mqa.weight", s->width, s->kv_lora + 64, 1);
    sparse_add_vector(d, i, "attn_kv_a_norm.weight", s->kv_lora);
    if (s->joined) {
        sparse_add_matrix(d, i, "attn_kv_b.weight", s->kv_lora, s->heads * 256, 1);
    } else {
        sparse_add_matrix(d, i, "attn_k_b.weight", 128, s->kv_lora, s->heads);
        sparse_add_matrix(d, i, "attn_v_b.weight", s->kv_lora, 128, s->heads);
    }
    sparse_add_matrix(d, i, "attn_output.weight", s->heads * 128, s->width, 1);
}

static inline void sparse_add_attention(Directory *d, const TrueShape *s, int i)
{
    sparse_add_vector(d, i, "attn_norm.weight", s->width);
    if (s->kv_lora) {
        sparse_add_latent(d, s, i);
        return;
    }
    int q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    sparse_add_matrix(d, i, "attn_q.weight", s->width, q, 1);
    sparse_add_matrix(d, i, "attn_k.weight", s->width, kv, 1);
    sparse_add_matrix(d, i, "attn_v.weight", s->width, kv, 1);
    sparse_add_matrix(d, i, "attn_output.weight", q, s->width, 1);
    if (s->biases) {
        sparse_add_vector(d, i, "attn_q.bias", q);
        sparse_add_vector(d, i, "attn_k.bias", kv);
        sparse_add_vector(d, i, "attn_v.bias", kv);
    }
    if (s->qk_norm) {
        sparse_add_vector(d, i, "attn_q_norm.weight", s->head_dim);
        sparse_add_vector(d, i, "attn_k_norm.weight", s->head_dim);
    }
}

static inline void sparse_add_network(Directory *d, int i, const char *kind, int width, int ff,
                                      int n_parts)
{
    char gate[48], up[48], down[48];
    snprintf(gate, sizeof gate, "ffn_gate%s.weight", kind);
    snprintf(up, sizeof up, "ffn_up%s.weight", kind);
    snprintf(down, sizeof down, "ffn_down%s.weight", kind);
    sparse_add_matrix(d, i, gate, width, ff, n_parts);
    sparse_add_matrix(d, i, up, width, ff, n_parts);
    sparse_add_matrix(d, i, down, ff, width, n_parts);
}

static inline void sparse_add_layer(Directory *d, const TrueShape *s, int i)
{
    sparse_add_attention(d, s, i);
    sparse_add_vector(d, i, "ffn_norm.weight", s->width);
    if (s->experts == 0 || i < s->dense) {
        sparse_add_network(d, i, "", s->width, s->ff, 1);
        return;
    }
    sparse_add_matrix(d, i, "ffn_gate_inp.weight", s->width, s->experts, 1);
    if (s->sigmoid) sparse_add_vector(d, i, "exp_probs_b.bias", s->experts);
    sparse_add_network(d, i, "_exps", s->width, s->expert_ff, s->experts);
    if (s->shared) sparse_add_network(d, i, "_shexp", s->width, s->expert_ff * s->shared, 1);
}

// Pairs after general.architecture, with the architecture's prefix.
typedef struct Pairs {
    StrBuf bytes;
    const char *arch;
    uint64_t n;
} Pairs;

static inline void sparse_put(Pairs *p, const char *key, int value)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    build_pair_u32(&p->bytes, full, (uint32_t)value);
    p->n++;
}

static inline void sparse_put_float(Pairs *p, const char *key, float value)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", p->arch, key);
    build_key(&p->bytes, full, GGUF_F32);
    build_bytes(&p->bytes, &value, sizeof value);
    p->n++;
}

static inline void sparse_put_attention(Pairs *p, const TrueShape *s)
{
    if (s->kv_lora == 0) {
        sparse_put(p, "attention.head_count_kv", s->kv_heads);
        sparse_put(p, "attention.key_length", s->head_dim);
        sparse_put(p, "attention.value_length", s->head_dim);
        return;
    }
    if (s->q_lora) sparse_put(p, "attention.q_lora_rank", s->q_lora);
    sparse_put(p, "attention.kv_lora_rank", s->kv_lora);
    sparse_put(p, "rope.dimension_count", 64);
    sparse_put(p, s->joined ? "attention.key_length" : "attention.key_length_mla", 192);
    sparse_put(p, s->joined ? "attention.value_length" : "attention.value_length_mla", 128);
}

static inline void sparse_put_experts(Pairs *p, const TrueShape *s)
{
    sparse_put(p, "expert_count", s->experts);
    sparse_put(p, "expert_used_count", s->used);
    sparse_put(p, "expert_feed_forward_length", s->expert_ff);
    if (s->shared) sparse_put(p, "expert_shared_count", s->shared);
    if (s->dense) sparse_put(p, "leading_dense_block_count", s->dense);
    if (!s->sigmoid) return;
    sparse_put(p, "expert_gating_func", 2);
    sparse_put_float(p, "expert_weights_scale", 2.5f);
    char full[96];
    snprintf(full, sizeof full, "%s.expert_weights_norm", p->arch);
    build_key(&p->bytes, full, GGUF_BOOL);
    strbuf_append_char(&p->bytes, 1);
    p->n++;
}

static inline void sparse_put_all(Pairs *p, const TrueShape *s)
{
    sparse_put(p, "block_count", s->layers);
    sparse_put(p, "context_length", s->n_ctx ? s->n_ctx : 32768);
    sparse_put(p, "embedding_length", s->width);
    sparse_put(p, "feed_forward_length", s->ff);
    sparse_put(p, "attention.head_count", s->heads);
    sparse_put_attention(p, s);
    if (s->experts) sparse_put_experts(p, s);
    if (s->yarn_factor == 0) return;
    char full[96];
    snprintf(full, sizeof full, "%s.rope.scaling.type", p->arch);
    build_pair_text(&p->bytes, full, "yarn");
    p->n++;
    if (!s->kv_lora) sparse_put_float(p, "rope.freq_base", 1e6f);
    sparse_put_float(p, "rope.scaling.factor", s->yarn_factor);
    sparse_put(p, "rope.scaling.original_context_length", s->yarn_n_ctx);
    if (s->yarn_log_multiplier > 0)
        sparse_put_float(p, "rope.scaling.yarn_log_multiplier", s->yarn_log_multiplier);
}

// A new file under /tmp: its path, to be unlinked and freed. NULL if the file system has no holes
// of that size.
static inline char *sparse_write(const TrueShape *s)
{
    Directory d = {0};
    Pairs pairs = {.arch = s->arch, .n = 1};
    build_pair_text(&pairs.bytes, "general.architecture", s->arch);
    sparse_put_all(&pairs, s);
    sparse_add_matrix(&d, -1, "token_embd.weight", s->width, s->vocab, 1);
    sparse_add_vector(&d, -1, "output_norm.weight", s->width);
    if (!s->tied) sparse_add_matrix(&d, -1, "output.weight", s->width, s->vocab, 1);
    for (int i = 0; i < s->layers; i++)
        sparse_add_layer(&d, s, i);
    StrBuf file = {0};
    build_header(&file, 3, d.n, pairs.n);
    strbuf_append(&file, strbuf_str(&pairs.bytes));
    strbuf_append(&file, strbuf_str(&d.entries));
    build_padding(&file, 32);
    char *path = strdup("/tmp/r1ls-shape-XXXXXX");
    int fd = mkstemp(path);
    bool ok = fd >= 0 && write(fd, file.ptr, file.len) == (ssize_t)file.len &&
              ftruncate(fd, (off_t)(file.len + d.offset)) == 0;
    if (fd >= 0) close(fd);
    if (!ok) {
        if (fd >= 0) unlink(path);
        free(path);
        path = NULL;
    }
    strbuf_deinit(&file);
    strbuf_deinit(&pairs.bytes);
    strbuf_deinit(&d.entries);
    return path;
}

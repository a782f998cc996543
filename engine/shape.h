// Shape: the dimensions of a model, read from its metadata and validated once.
//
// Everything after this file may trust these numbers: they are positive, bounded, and agree with
// each other. Whether the tensors agree with them is checked by weights.c.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "gguf.h"

enum { SHAPE_MAX_EXPERTS = 1024 };

typedef enum Arch {
    ARCH_LLAMA,     // also DeepSeek-Coder v1, R1's Llama distills, SmolLM2
    ARCH_QWEN2,     // also R1's Qwen distills
    ARCH_QWEN3,     // also R1-0528's distill
    ARCH_QWEN3MOE,  //
    ARCH_DEEPSEEK,  // DeepSeekMoE (v1)
    ARCH_DEEPSEEK2, // V2, V2-Lite, V3, R1
} Arch;

typedef enum GateFunc { GATE_SOFTMAX = 1, GATE_SIGMOID = 2 } GateFunc;

typedef struct Shape {
    Arch arch;
    int n_layers;     // that the forward pass runs; MTP blocks are not among them
    int n_mtp_layers; // blocks after them: the first drafts (weights.h, Mtp), deeper ones rest
    int n_embd, n_vocab, n_ctx_train, n_ff;
    float rms_eps;

    // Attention with a cache of keys and values (all but deepseek2).
    int n_heads, n_kv_heads, key_dim, value_dim;
    bool qk_norm;       // every head's query and key are normalised before they are rotated (qwen3)
    int sliding_window; // a token sees itself and so many before it, less one; 0: all
    // Multi-head latent attention (deepseek2): key_dim = nope_dim + rope_dim.
    bool mla;
    int q_lora, kv_lora, nope_dim; // q_lora 0: a single query projection

    // Rotary embedding: pairs (2i, 2i+1), or (i, i + rope_dim/2) with rope_halves. The angle is
    // position * f_i with f_i = base^(-2i/rope_dim) / divisor (linear scaling), or under YaRN
    // (Peng et al. 2023, section 3.2) f_i = base^(-2i/rope_dim) * (1 - r_i + r_i / divisor), where
    // r_i rises from 0 at pair yarn_low to 1 at yarn_high.
    int rope_dim;
    bool rope_halves, yarn;
    float rope_base, rope_divisor;
    float yarn_low, yarn_high;
    float rope_amplitude; // what cos and sin are multiplied with: 1 but for YaRN without MLA

    // Mixture of experts (deepseek, deepseek2, qwen3moe), from layer n_dense_layers on.
    int n_dense_layers, n_experts, n_experts_used, n_experts_shared, n_ff_expert;
    int n_groups, n_groups_used; // 1 and 1: no group limit
    GateFunc gate;
    bool normalise_weights;
    float weights_scale;

    float attention_scale; // of scores: key_dim^-0.5, under MLA and YaRN times mscale^2
} Shape;

// ERROR_UNSUPPORTED for architectures and settings r1ls does not run, ERROR_DAMAGED for values out
// of range; the text names key, value and what was wanted.
bool shape_read(const Gguf *gguf, Shape *out, Error *err);

// As in general.architecture.
const char *shape_arch_name(Arch arch);

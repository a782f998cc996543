// Shape: the dimensions of a model, read from its metadata and validated once.
//
// Everything after this file may trust these numbers: they are positive, bounded, and agree with
// each other. Whether the tensors agree with them is checked by weights.c.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "gguf.h"

typedef enum Arch { ARCH_LLAMA, ARCH_QWEN2, ARCH_DEEPSEEK2 } Arch;

typedef enum GateFunc { GATE_SOFTMAX = 1, GATE_SIGMOID = 2 } GateFunc;

typedef struct Shape {
    Arch arch;
    int n_layers;     // that the forward pass runs; MTP blocks are not among them
    int n_mtp_layers; // blocks after them, recognised and not run
    int n_embd, n_vocab, n_ctx_train, n_ff;
    float rms_eps;

    // Attention with a cache of keys and values (llama, qwen2).
    int n_heads, n_kv_heads, key_dim, value_dim;
    // Multi-head latent attention (deepseek2): key_dim = nope_dim + rope_dim.
    bool mla;
    int q_lora, kv_lora, nope_dim; // q_lora 0: a single query projection

    // Rotary embedding: pairs (2i, 2i+1), or (i, i + rope_dim/2) with rope_halves.
    int rope_dim;
    bool rope_halves;
    float rope_base, rope_divisor; // angle = position / divisor * base^(-2i/rope_dim)

    // Mixture of experts (deepseek2), from layer n_dense_layers on.
    int n_dense_layers, n_experts, n_experts_used, n_experts_shared, n_ff_expert;
    int n_groups, n_groups_used; // 1 and 1: no group limit
    GateFunc gate;
    bool normalise_weights;
    float weights_scale;

    float attention_scale;
} Shape;

// ERROR_UNSUPPORTED for architectures and settings r1ls does not run, ERROR_DAMAGED for values out
// of range; the text names key, value and what was wanted.
bool shape_read(const Gguf *gguf, Shape *out, Error *err);

// "llama", "qwen2", "deepseek2".
const char *shape_arch_name(Arch arch);

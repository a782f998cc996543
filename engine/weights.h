// Weights: every tensor bound to the field that says what it is for, dimensions checked.
//
// Borrows from the open Gguf. A missing or misshapen tensor is an error that names it, what was
// found and what was wanted. So is a tensor that no field takes: a model with one computes
// something that r1ls does not.
#pragma once

#include "gguf.h"
#include "shape.h"

// A matrix of n_out rows with n_in elements each; experts and heads are stacked, n_parts of them.
typedef struct Matrix {
    TensorType type;
    int n_in, n_out, n_parts;
    size_t tensor; // 1 + its index in the file; 0: a copy
    size_t row_bytes, part_bytes;
    const unsigned char *data;
} Matrix;

// A SwiGLU network: down(silu(gate x) * up x). With experts: n_parts of each.
typedef struct Mlp {
    Matrix gate, up; // [n_embd -> n_ff]
    Matrix down;     // [n_ff -> n_embd]
} Mlp;

typedef struct Layer {
    const float *attn_norm, *ffn_norm; // [n_embd]

    Matrix q, k, v;                        // all but deepseek2
    const float *q_bias, *k_bias, *v_bias; // [n_out] or NULL
    const float *q_norm, *k_norm;          // [key_dim] with qk_norm, else NULL; all heads share it

    // deepseek2. q is used alone where q_lora is 0.
    Matrix q_a, q_b;
    const float *q_a_norm, *kv_a_norm; // [q_lora], [kv_lora]
    Matrix kv_a;                       // [n_embd -> kv_lora + rope_dim]
    Matrix k_b;                        // a head: [nope_dim -> kv_lora], absorbs the query
    Matrix v_b;                        // a head: [kv_lora -> value_dim]

    Matrix output; // [n_heads * value_dim -> n_embd]

    bool moe;
    Mlp mlp;                  // dense layers
    Mlp experts, shared;      // MoE layers; shared.gate.data is NULL without shared experts
    const float *router;      // [n_experts][n_embd]
    const float *router_bias; // [n_experts] or NULL: selection only
} Layer;

// Multi-token prediction (DeepSeek-V3 report, section 2.2): from the main model's state after token
// i (after its final norm) and token i + 1 follows a guess of token i + 2:
//   head(head_norm(block(eh_proj [enorm(embedding of token i + 1); hnorm(state)])))
// It only ever drafts. Where a file leaves its tensors out there is none.
typedef struct Mtp {
    bool present;
    Matrix eh_proj;                         // [2 n_embd -> n_embd]
    const float *enorm, *hnorm, *head_norm; // [n_embd]
    Matrix token_embd, head;                // the main model's where the file has no others
    const Layer *block;                     // layers[n_layers]
} Mtp;

typedef struct Weights {
    Matrix token_embd, output; // [n_embd -> n_vocab] rows by token
    const float *output_norm;
    const float *rope_divisors; // [rope_dim/2] or NULL (Llama-3 scaling)
    Layer *layers;              // [n_layers], and the block of mtp behind them
    Mtp mtp;                    // the first of the file
    void *owned;                // transposed copies of legacy k/v up-projections
    int max_n_in;               // the widest input of any matrix
    uint64_t n_params;          // of the whole file
    uint64_t n_active_params;   // multiplied for one token: experts counted as far as used
    uint64_t n_bytes;           // of the tensors that are bound
    uint64_t n_active_bytes;    // of those, read for one token
    uint64_t n_copied_bytes;    // of the copies that weights_make_copies makes
} Weights;

// Reads nothing but the directory, so that a file of any size is bound at once. Also fills
// shape->n_vocab from the embedding. weights_deinit works on a zeroed struct too.
bool weights_bind(const Gguf *gguf, Shape *shape, Weights *out, Error *err);
// The transposed copies that a legacy file needs, before the first pass. ERROR_NO_MEMORY.
bool weights_make_copies(const Shape *shape, Weights *weights, Error *err);
void weights_deinit(Weights *weights);

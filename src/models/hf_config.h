// config.json of a model folder: its dimensions, checked, and the GGUF metadata that say the same.
//
// One thread.
#pragma once

#include "engine/shape.h"
#include "gguf_writer.h"

struct json_object;

typedef enum RopeKind { ROPE_PLAIN, ROPE_LINEAR, ROPE_YARN, ROPE_LLAMA3 } RopeKind;

typedef struct HfRope {
    RopeKind kind;
    float theta, factor, low_freq, high_freq, beta_fast, beta_slow;
    float mscale, mscale_all_dim; // DeepSeek's; 0: absent
    float amplitude;              // attention_factor; 0: absent
    float attn_factor;            // R1-0528's Qwen3; 0: absent
    int n_ctx_first;              // before it was extended
} HfRope;

typedef struct HfConfig {
    Arch arch;
    bool v3; // of ARCH_DEEPSEEK2: sigmoid and a selection bias
    int n_layers, n_mtp_layers, n_embd, n_ff, n_heads, n_kv_heads, head_dim, n_vocab, n_ctx;
    int sliding_window; // 0: none
    float rms_eps;
    bool tied;
    HfRope rope;
    int q_lora, kv_lora, nope_dim, rope_dim, value_dim;                           // deepseek2
    int n_experts, n_experts_used, n_experts_shared, n_ff_expert, n_dense_layers; // 0: dense
    int n_groups, n_groups_used;                                                  // 0: no limit
    float weights_scale;
    bool normalise_weights;
    int fp8_rows, fp8_columns; // of a block with one scale; 0: no FP8
} HfConfig;

// ERROR_UNSUPPORTED for models and settings that the engine does not run, ERROR_DAMAGED for values
// out of range.
bool hf_config_read(struct json_object *config, HfConfig *out, Error *err);
// All keys but general.name and general.file_type.
void hf_config_put(const HfConfig *config, GgufWriter *writer);

// Kv: the cache of one sequence, half floats, one row a token and layer.
//
//   llama, qwen2:  k row = n_kv_heads * key_dim      v row = n_kv_heads * value_dim
//   deepseek2:     k row = kv_lora | rope_dim        no v rows: the latent serves as both
//
// Rows past `len` may hold rejected or stale tokens; attention never reads them because len bounds
// every scan, so a rewind is an assignment.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "shape.h"

typedef struct Kv {
    int n_ctx, len;
    size_t k_width, v_width; // half floats a row
    int n_layers;
    uint16_t *data; // [n_layers][n_ctx][k_width], then [n_layers][n_ctx][v_width]
    size_t n_bytes;
} Kv;

// Pages are taken from the system as they are first written. ERROR_NO_MEMORY.
bool kv_init(Kv *kv, const Shape *shape, int n_layers, int n_ctx, Error *err);
void kv_deinit(Kv *kv);

size_t kv_bytes_per_token(const Shape *shape);
// Row 0 of a layer; row i is k_width (v_width) further each.
uint16_t *kv_keys(const Kv *kv, int layer);
uint16_t *kv_values(const Kv *kv, int layer);
// The number of leading ids that a and b share.
int kv_common_prefix(const int *a, int n_a, const int *b, int n_b);

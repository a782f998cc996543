// Low-rank adapters: y = W x + strength * alpha / rank * B (A x), over any base and quantisation
// (Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021). No weight is copied or
// changed; the product's second part is added after the first. For engine.c, session.c and
// compute.c only.
#pragma once

#include "base/sha256.h"
#include "compute.h"
#include "engine.h"
#include "gguf.h"

enum { LORA_MAX_RANK = 512, LORA_MAX_ADAPTERS = 4 };

// What an adapter adds to one matrix. Half floats, in memory of the adapter.
typedef struct LoraPair {
    int rank;    // 0: nothing
    uint16_t *a; // [rank][n_in]
    uint16_t *b; // [rank][n_out], transposed
} LoraPair;

struct Adapter {
    const Engine *engine;
    float scale;     // alpha / rank
    bool for_fim;    // trained on filling in the middle
    LoraPair *pairs; // [n_tensors] of the base file
    size_t n_pairs;
};

// An adapter from a file in memory, which is read and not kept. NULL as adapter_open.
Adapter *adapter_open_image(const Engine *engine, const void *image, size_t n_bytes, Error *err);
// Was the adapter in memory made for this very model? Its r1ls.base.fingerprint is the SHA-256 over
// the name and the first 64 bytes of each of the base's tensors, in their order. Any thread.
bool adapter_image_fits(const Engine *engine, const void *image, size_t n_bytes);

// The adapters of a pass.
typedef struct LoraSet {
    AdapterUse uses[LORA_MAX_ADAPTERS];
    int n;
} LoraSet;

// Adds the parts of c->lora_set to the results of the first n_tasks of c->tasks.
void lora_apply(Compute *c, int n_tasks);
// What tells sets of adapters apart: SHA-256 of strengths, scales and matrices; of none: zeros.
void lora_hash(const LoraSet *set, char hex[SHA256_HEX + 1]);
// Room for lora_apply. ERROR_NO_MEMORY.
bool lora_reserve(Compute *c, Error *err);

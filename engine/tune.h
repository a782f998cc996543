// Tuning: gradients of a low-rank adapter over a model whose own weights stay as they are.
//
// An adapter adds scale * B (A x) to the product of every adaptable matrix (lora.h); A and B are
// kept in F32 here, and everything is computed in F32 from the file's own weights, which are
// dequantised a tile at a time. Memory is bounded by the options: the input of every block of one
// sequence is kept, what lies inside a block is computed again when its gradient is (Chen et al.,
// Training Deep Nets with Sublinear Memory Cost, 2016).
//
// Everything here belongs to the engine thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine.h"

typedef struct Tune Tune;

typedef struct TuneOptions {
    int rank;       // 1 .. 512
    float alpha;    // the product is scaled by alpha / rank
    int max_tokens; // of a sequence
    uint64_t seed;  // of A's first values; B begins with zeros, so a new adapter changes nothing
} TuneOptions;

// A new adapter over every adaptable matrix of the engine's model. The engine must outlive it.
// NULL with ERROR_INVALID (options out of range) or ERROR_NO_MEMORY.
Tune *tune_new(Engine *engine, const TuneOptions *options, Error *err);
// tune_free(NULL) is allowed.
void tune_free(Tune *tune);
// What tune_new would allocate for this model, bytes.
size_t tune_bytes(const Engine *engine, const TuneOptions *options);
// The number of trained values, A's and B's together.
size_t tune_n_params(const Tune *tune);

// A sequence and what is wanted of it. With p_t the log probability of ids[t] given what is before:
//   objective = sum over t of weights[t] * p_t                             without old_logprobs
//   objective = sum over t of min(r_t w_t, clip(r_t, 1 - low, 1 + high) w_t), r_t = exp(p_t -
//   old_t)
// The first is a log likelihood (weights 1), or REINFORCE's (weights: advantages); the second the
// clipped surrogate of PPO (Schulman et al. 2017, eq. 7) with two bounds (DAPO, Yu et al. 2025).
typedef struct TuneSequence {
    const int *ids;            // [n], each within the vocabulary
    int n;                     // 2 .. max_tokens
    const float *weights;      // [n]; element 0 is unused; 0: the token is only read
    const float *old_logprobs; // [n] or NULL
    float clip_low, clip_high; // with old_logprobs
    float *logprobs;           // [n] or NULL: receives p_t where weights[t] != 0, else 0
} TuneSequence;

// The objective alone. false with ERROR_INVALID or ERROR_CANCELLED.
bool tune_evaluate(Tune *tune, const TuneSequence *sequence, EngineCancel cancel, double *objective,
                   Error *err);
// The same, and adds the gradient of the loss, which is -objective, to the sum that the next step
// takes. After an error the sum is as it was for ERROR_INVALID and void for ERROR_CANCELLED.
bool tune_accumulate(Tune *tune, const TuneSequence *sequence, EngineCancel cancel,
                     double *objective, Error *err);
// Forgets the sum of gradients.
void tune_clear(Tune *tune);

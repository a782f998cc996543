// Tuning: gradients of a low-rank adapter over a model whose own weights stay as they are.
//
// An adapter adds scale * B (A x) to the product of every adaptable matrix (lora.h); A and B are
// kept in F32 here, and everything is computed in F32 from the file's own weights, which are
// dequantised a tile at a time. Memory is bounded by the options: the input of every block of one
// sequence is kept, what lies inside a block is kept as far as there is room and else computed
// again when its gradient is (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016).
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
    int rank;          // 1 .. 512
    float alpha;       // the product is scaled by alpha / rank
    int max_tokens;    // of a sequence
    size_t keep_bytes; // for the insides of blocks that are kept; of the others they are computed
                       // twice
    uint64_t seed;     // of A's first values; B begins with zeros, so a new adapter changes nothing
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
// Where an old log probability is no number (NAN), the token's part is the first's: nobody sampled
// it, as those of an answer that a person wrote.
typedef struct TuneSequence {
    const int *ids;            // [n], each within the vocabulary
    int n;                     // 2 .. max_tokens
    const float *weights;      // [n]; element 0 is unused; 0: the token is only read
    const float *old_logprobs; // [n] or NULL
    float clip_low, clip_high; // with old_logprobs
    float temperature; // p_t is of the logits divided by it; 0: as 1. An answer is learnt from as
                       // it was sampled
    float *logprobs;   // [n] or NULL: receives p_t where weights[t] != 0, else 0
    // With n_branches > 0 several sequences in one, whose beginning is read once: the first
    // n_shared tokens, then each branch up to ends[i] (ascending, the last is n), which goes on
    // from the shared tokens and sees nothing of the other branches. The objective is the sum of
    // theirs.
    int n_shared, n_branches;
    const int *ends; // [n_branches]
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

// AdamW (Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019): with the moments m
// and v of the gradients, corrected for their start, x -= rate (m / (sqrt v + epsilon) + decay x).
typedef struct TuneAdam {
    float rate, beta1, beta2, epsilon, decay;
    float max_norm; // the sum of gradients is scaled down to this length; 0: left as it is
} TuneAdam;
// Takes the sum of gradients as one step's and forgets it. *norm is its length before it was scaled
// (may be NULL). Where that is no finite number nothing changes but that the sum is forgotten, and
// false with ERROR_DAMAGED is returned.
bool tune_step(Tune *tune, const TuneAdam *adam, double *norm, Error *err);
// Forgets the moments: for another objective, whose gradients have another length. Moments of
// longer ones would hold its steps small for as long as they last.
void tune_restart(Tune *tune);
// How many steps were taken since then, those before a checkpoint was loaded included.
int64_t tune_n_steps(const Tune *tune);

// --- adapters and checkpoints, for a Tune of tune_new --------------------------------------------

// The adapter as it is now, for sessions: half floats, as adapter_open would read them. It is the
// Tune's, and the next call changes it in place: sessions that use it must be told first to use
// none, and then to use it again.
const Adapter *tune_adapter(Tune *tune);
// The file that adapter_open reads, which replaces path when it is whole. for_fim: what it was
// trained on (adapter_is_for_fim). ERROR_IO.
bool tune_write_adapter(const Tune *tune, const char *path, bool for_fim, Error *err);
// Everything that the next steps depend on (values, moments, the number of steps) and the caller's
// own bytes, into a file that replaces path when it is whole. ERROR_IO.
bool tune_save(const Tune *tune, const char *path, Str extra, Error *err);
// The same as it was, bit for bit; the sum of gradients is forgotten. extra receives the caller's
// bytes (appended). ERROR_NOT_FOUND, ERROR_IO, ERROR_DAMAGED, ERROR_UNSUPPORTED (another version)
// or ERROR_INVALID (another model, rank or alpha); then nothing has changed.
bool tune_load(Tune *tune, const char *path, StrBuf *extra, Error *err);

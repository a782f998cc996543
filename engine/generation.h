// Generation: the state of one sequence that is being written; chooses its next token and says when
// it ends. Shared by single sequences and batches, so that both follow the same rules.
#pragma once

#include "engine.h"
#include "sampler.h"

typedef struct Generation {
    const GenerateOptions *options;
    Sampler sampler;
    Str forced; // what is left of options->forced
    GenerateResult *result;
} Generation;

// Borrows both; sets *result to no tokens and STOP_LENGTH. False if nothing is wanted.
bool generation_begin(Generation *g, const GenerateOptions *options, GenerateResult *result);
// Chooses from logits [n_vocab] and tells on_token. True: *id is to be appended, and the rest
// follows it. False: result->stop says why it ended; with STOP_CALLER *id is the token at which
// the caller stopped.
bool generation_choose(Generation *g, Engine *engine, const float *logits, int *id);

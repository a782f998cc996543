// What an Engine consists of; for engine.c and session.c only.
#pragma once

#include "base/sha256.h"
#include "compute.h"
#include "engine.h"
#include "sampler.h"
#include "tokenizer.h"

enum { SPECULATE_MAX_MATCH = 4 };

// What guessing ahead has been worth with this model on this machine (speculate.h).
typedef struct SpeculationCosts {
    // The share of guesses that came true, by the length of the match; [0]: the MTP block's.
    double accepted[SPECULATE_MAX_MATCH + 1];
    // Running means, 0: not measured yet: a pass of one row, one more row, one guess of the block.
    double alone_ms, row_ms, mtp_ms;
    int n_since_probe; // passes without a guess
    int n_rests;       // generations without the block
    bool frozen;       // tests: nothing is learned
} SpeculationCosts;

struct Engine {
    Gguf *gguf;
    Shape shape;
    Weights weights;
    Tokenizer *tokenizer;
    Compute compute;
    Adapter *adapter; // of the options, or NULL
    char adapter_path[4096];
    EngineInfo info;
    Candidate *candidates;     // [n_vocab], scratch of one choice
    unsigned char *kinds;      // [n_vocab], TOKEN_* bits
    char hash[SHA256_HEX + 1]; // empty: not made yet
    SpeculationCosts speculation;
    float *draft_logits;   // [n_vocab] and
    uint16_t *draft_state; // [n_embd] of the MTP block, or NULL
};

enum { TOKEN_CONTROL = 1, TOKEN_ENDS = 2 };

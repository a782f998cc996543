// What an Engine consists of; for engine.c and session.c only.
#pragma once

#include "compute.h"
#include "engine.h"
#include "sampler.h"
#include "tokenizer.h"

struct Engine {
    Gguf *gguf;
    Shape shape;
    Weights weights;
    Tokenizer *tokenizer;
    Compute compute;
    Adapter *adapter; // of the options, or NULL
    EngineInfo info;
    int chunk;             // tokens of one prefill pass
    Candidate *candidates; // [n_vocab], scratch of one choice
    unsigned char *kinds;  // [n_vocab], TOKEN_* bits
};

enum { TOKEN_CONTROL = 1, TOKEN_ENDS = 2 };

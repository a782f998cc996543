// A GGUF file written again with its tensors in other types.
#pragma once

#include "base/error.h"
#include "recipe.h"

struct Importance;

typedef struct RequantizeOptions {
    const char *in, *out; // paths; in may be any shard of a model
    const Recipe *recipe;
    const struct Importance *importance; // of the tensors of `in` (engine/importance.h), or NULL
    bool overwrite;
    int n_threads; // 0: one per core
    // As in WriteJob.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} RequantizeOptions;

typedef struct RequantizeResult {
    uint64_t in_bytes, out_bytes;
    int n_fallbacks;    // matrices whose rows the recipe's types do not divide
    bool was_quantised; // in had quantised tensors: what they lost stays lost
} RequantizeResult;

// ERROR_INVALID where in and out are one file, else errors of gguf_open, shape_read, writer_run.
bool requantize(const RequantizeOptions *options, RequantizeResult *result, Error *err);

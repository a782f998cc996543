// A folder as DeepSeek and others publish it (config.json, tokenizer.json, safetensors) as one GGUF
// file that the engine opens, with the names and layouts that llama.cpp's files have.
//
// Of llama and deepseek the rows of queries and keys are reordered, so that rotary pairs are
// adjacent; of deepseek2 kv_b is split and its key half transposed; experts are stacked; FP8 blocks
// are multiplied with their scales. MTP blocks are kept.
#pragma once

#include "base/error.h"
#include "recipe.h"

typedef struct ConvertOptions {
    const char *folder, *out;
    const Recipe *recipe; // NULL: F32, F16 and BF16 stay, FP8 becomes BF16
    const char *pre;      // pre-tokenizer by its GGUF name; NULL: recognised
    bool drop_mtp, overwrite;
    bool must_fit; // this machine's memory must hold it, with a cache of the usual length
    int n_threads; // 0: one per core
    // As in WriteJob.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} ConvertOptions;

typedef struct ConvertResult {
    uint64_t in_bytes, out_bytes;
    size_t n_tensors;
} ConvertResult;

// The file is there only if the engine's own checks accept it; they are made before the weights are
// read. ERROR_UNSUPPORTED for what cannot be
// converted (by name: setting, tokenizer, tensor without a place), ERROR_DAMAGED for what does not
// fit together, ERROR_NO_MEMORY with the figures for must_fit, else errors of the writer.
bool convert_folder(const ConvertOptions *options, ConvertResult *result, Error *err);

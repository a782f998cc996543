// Checks of a model file beyond opening it: everything that the engine checks before it runs a
// model, whatever the machine's memory, and every byte of the data.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"

// Structure, shapes, tensors and tokenizer, as engine_open checks them. Reads no tensor data.
bool check_model_file(const char *path, Error *err);

typedef struct CheckResult {
    char sha256[SHA256_HEX + 1]; // of the file, or of all shards one after the other
    uint64_t n_bytes;
    uint64_t n_tensors, n_blocks; // looked at
    int n_shards;
} CheckResult;

// The same, and every number and every scale of a block is finite; and the checksum. Errors of
// gguf_open and its like, ERROR_DAMAGED naming tensor and block, ERROR_CANCELLED when on_progress
// (may be NULL) says false.
bool check_whole_file(const char *path,
                      bool (*on_progress)(void *user, uint64_t done, uint64_t total), void *user,
                      CheckResult *result, Error *err);

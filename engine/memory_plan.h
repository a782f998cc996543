// The memory that a model needs, computed from its directory before anything is read or allocated.
#pragma once

#include "shape.h"
#include "weights.h"

// All in bytes.
typedef struct MemoryPlan {
    int n_ctx;              // of one session
    uint64_t weights;       // mapped from the file and read by passes
    uint64_t active;        // of these, read for one token
    uint64_t copies;        // of weights in another form
    uint64_t buffers;       // of passes, and of attention over n_ctx tokens
    uint64_t cache;         // of n_ctx tokens
    uint64_t cache_a_token; //
    uint64_t machine;       // what this machine has in all
} MemoryPlan;

// n_ctx 0: what session_new takes then; n_threads 0: one. Any thread.
MemoryPlan memory_plan_make(const Shape *shape, const Weights *weights, int n_ctx, int n_threads);
// Of a file or image that is not open; only its directory is read. Errors as of engine_open, but a
// model that does not fit is none.
bool memory_plan_read(const char *path, int n_ctx, int n_threads, MemoryPlan *out, Error *err);
uint64_t memory_plan_total(const MemoryPlan *plan);
// ERROR_NO_MEMORY with the figures if the machine has less than the total, or if what is not mapped
// takes more than max_bytes (0: any). Mapped weights could
// still be paged in from the disk for every token, at a speed that nobody can use.
bool memory_plan_check(const MemoryPlan *plan, uint64_t max_bytes, Error *err);

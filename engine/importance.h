// Importance: how large the numbers are that each column of each matrix is multiplied with, on a
// text. A quantiser spends its precision where they are large.
//
// Engine thread; a collected Importance is immutable and may be read from any thread.
#pragma once

#include "engine.h"

typedef struct Importance Importance;

// Scores n >= 2 ids in pieces of at most 512 with a session of its own and watches every product.
// on_progress may be NULL and gets cancel.user. NULL with ERROR_CANCELLED, ERROR_INVALID or
// ERROR_NO_MEMORY.
Importance *importance_collect(Engine *engine, const int *ids, size_t n, EngineCancel cancel,
                               void (*on_progress)(void *user, size_t done, size_t total),
                               Error *err);
void importance_free(Importance *importance);

// The mean squares [n_in] of a part (an expert or head; else 0) of a tensor, by its index in the
// model's file, all over 0; NULL where no product was seen, as of experts that were never chosen.
const float *importance_find(const Importance *importance, size_t tensor, uint64_t part);

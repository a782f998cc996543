// The forward pass: ids in, logits out, cache rows written.
#pragma once

#include "compute.h"
#include "kv.h"

typedef enum ForwardLogits { LOGITS_NONE, LOGITS_LAST, LOGITS_ALL } ForwardLogits;

// Evaluates n ids (1 .. COMPUTE_CHUNK, each within the vocabulary) at positions kv->len.., where
// kv->len + n <= kv->n_ctx, and advances kv->len. logits: [n_vocab] of the last id, or
// [n][n_vocab]; NULL for LOGITS_NONE. Cannot fail; nothing is allocated.
void forward(Compute *c, const Shape *s, const Weights *w, Kv *kv, const int *ids, int n,
             ForwardLogits which, float *logits);

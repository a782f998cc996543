// The forward pass: ids in, logits out, cache rows written.
#pragma once

#include "compute.h"
#include "pass.h"

typedef enum ForwardLogits { LOGITS_NONE, LOGITS_LAST, LOGITS_ALL } ForwardLogits;

// Evaluates n ids (1 .. COMPUTE_CHUNK, each within the vocabulary) at positions kv->len.., where
// kv->len + n <= kv->n_ctx, and advances kv->len. logits: [n_vocab] of the last id, or
// [n][n_vocab]; NULL for LOGITS_NONE. Cannot fail; nothing is allocated.
void forward(Compute *c, const Shape *s, const Weights *w, Kv *kv, const int *ids, int n,
             ForwardLogits which, float *logits);

// The same in two steps, for any pass. forward_pass leaves the last layer's state of the rows in
// c->x [n][n_embd] and every cache's len as it was; own must have room for the rows, and c for
// attention over the longest sequence. forward_logits then takes [n][n_vocab] of rows first ..
// first + n - 1 from there, with the kernels that the pass was told; any number of times until the
// next pass.
void forward_pass(Compute *c, const Shape *s, const Weights *w, const Pass *pass);
void forward_logits(Compute *c, const Shape *s, const Weights *w, int first, int n, float *logits);

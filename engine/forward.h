// The forward pass: ids in, logits out, cache rows written.
#pragma once

#include "compute.h"
#include "pass.h"

// Evaluates a pass: 1 .. c->pass_rows ids within the vocabulary. Leaves the last layer's state of
// the rows that are read in c->x [n][n_embd] and every cache's len as it was; own must have room,
// and c for attention over the longest sequence. Cannot fail; nothing is allocated. forward_logits
// then takes [n][n_vocab] of rows first .. first + n - 1 from there, with the kernels that the pass
// was told; any number of times until the next pass, of rows that are read.
void forward_pass(Compute *c, const Shape *s, const Weights *w, const Pass *pass);
void forward_logits(Compute *c, const Shape *s, const Weights *w, int first, int n, float *logits);
// forward_pass in steps: forward_begin, and then every stage in its order, a layer's attention and
// its feed-forward network being one each. Between two stages c->x [n][n_embd] is all that there is
// of a pass beside the cache rows: put back after another forward_begin, the stages may go on.
// False: c->watch ended the stage, which changed c->x in nothing and may be run again.
void forward_begin(Compute *c, const Shape *s, const Weights *w, const Pass *pass);
int forward_n_stages(const Shape *s);
bool forward_stage(Compute *c, const Shape *s, const Weights *w, const Pass *pass, int stage);

// Multi-token prediction (weights.h, Mtp), between passes of the main model.
//
// After forward_pass: the states of the pass's n rows after the final norm, as half floats
// [n][n_embd].
void forward_keep_states(Compute *c, const Shape *s, const Weights *w, int n, uint16_t *states);
// The block's pass over n rows of (state after token i, token i + 1), i = kv->len .., into its own
// cache of one layer, which it advances. Leaves the block's states of the last n_wanted rows in
// c->x; the others only reach the cache, which is a fraction of the work.
void forward_mtp(Compute *c, const Shape *s, const Weights *w, Kv *kv, const uint16_t *states,
                 const int *ids, int n, int n_wanted);
// After forward_mtp, of one of its rows: what stands in for the state after token i + 1 where a
// chain of guesses goes on.
void forward_mtp_state(Compute *c, const Shape *s, const Weights *w, int row, uint16_t *state);
// Logits [n][n_ids] of token i + 2, of the vocabulary's first n_ids alone.
void forward_mtp_logits(Compute *c, const Shape *s, const Weights *w, int first, int n, int n_ids,
                        float *logits);

// Feed-forward layers: the dense SwiGLU and DeepSeekMoE (V2 section 2.2, V3 section 2.1.2).
#pragma once

#include "compute.h"

// c->ff_down [n][n_embd] from c->h [n][n_embd]. False: c->watch, asked at the latest after some 10
// ms of two cores' work, ended it.
bool moe_dense(Compute *c, const Shape *s, const Layer *l, int n);
// Likewise: the chosen experts' weighted sum plus the shared expert.
bool moe_sparse(Compute *c, const Shape *s, const Layer *l, int n);

// The scores [n_experts] that a router's logits stand for: a sigmoid of each, or their softmax.
void moe_gate_scores(const Shape *s, const float *logits, float *scores);

// The router's choice for one token: n_experts_used ids and weights from logits [n_experts].
// Sigmoid: V3 (bias for selection only, groups by the sum of their two best, normalised).
// Softmax: V2 (groups by their best). Groups that lose are out, whatever their scores. NaN logits
// still give ids in range, each at most once.
void moe_route(const Shape *s, const float *logits, const float *bias, int *experts,
               float *weights);
// moe_route for one token's row x [n_embd], with its logits [n_experts] through the router.
void moe_route_row(const Kernels *k, const Shape *s, const Layer *l, const float *x, float *logits,
                   int *experts, float *weights);
// Counting sort of n tokens' pairs by expert: fills all of *pairs from expert_of.
void moe_sort(const Shape *s, int n, MoePairs *pairs);

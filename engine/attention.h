// Attention over the cache: grouped-query (llama, qwen2, qwen3, deepseek) and multi-head latent
// (deepseek2).
//
// Reads like DeepSeek-V2, section 2.1, and V3, section 2.1.1. Few tokens: every query scans the
// cached rows, for latent attention with the query absorbed into the latent space. Many tokens:
// keys and values of a group of heads are laid out as F32 once and the products are matrix
// products over blocks of queries, for latent attention with expanded heads.
#pragma once

#include "compute.h"
#include "pass.h"

// cos and sin of the rows' positions, times the shape's amplitude, into c->angles (RoPE, Su et al.
// 2021, eq. 34).
void attention_angles(Compute *c, const Shape *s, const Pass *pass);
// The same of one position into out [rope_dim], cos and sin alternating.
void attention_row_angles(const Compute *c, const Shape *s, int tok_pos, float *out);
// Rotates the first rope_dim elements of x in place by such angles.
void attention_rotate(const Shape *s, const float *angles, float *x);
// Fills c->inv_freq once, scaled as the shape says (shape.h); divisors [rope_dim/2] may be NULL.
void attention_frequencies(Compute *c, const Shape *s, const float *divisors);

// c->att [n][n_heads * value_dim] from c->h [n][n_embd] (normalised), for the rows of the pass
// whose output of this layer is read (pass_first_read). Writes the cache rows of all before any of
// them is read, so that rows of one sequence may stand in one pass in any order. False: c->watch
// ended it.
bool attention_gqa(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer);
bool attention_mla(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer);
// Only writes the cache rows of a pass, from c->h: for rows whose output nobody needs.
void attention_mla_store(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer);

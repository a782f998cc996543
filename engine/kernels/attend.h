// Attention of a block of queries, shared by the tables.
#pragma once

#include <string.h>

#include "kernels.h"

// For tables without a layout of their own.
void lay_out_floats(const float *keys, const float *values, int n, int at, const HeadKv *kv);
void attend_floats(const Kernels *k, const HeadKv *kv, const QueryBlock *b, float *scores,
                   void *scratch);

// What query i gives to each of n_pad positions, in place of its scores.
static inline void weigh_scores(const Kernels *k, const QueryBlock *b, int i, int n_pad,
                                float *scores)
{
    const int n = b->n_visible + i, hidden = b->window && n > b->window ? n - b->window : 0;
    memset(scores, 0, (size_t)hidden * sizeof *scores);
    k->softmax(scores + hidden, n - hidden);
    memset(scores + n, 0, (size_t)(n_pad - n) * sizeof *scores);
}

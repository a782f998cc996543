// Attention over F32 keys and transposed values, two products of a table's own gemm.
#include "attend.h"

#include <string.h>

// Positions of values in whole groups of columns, which a product reads.
static int pad(int n)
{
    return (n + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
}

void lay_out_floats(const float *keys, const float *values, int n, int at, const HeadKv *kv)
{
    const size_t dk = (size_t)kv->dk, dv = (size_t)kv->dv, n_max = (size_t)kv->n_max;
    float *to = (float *)kv->values + at;
    memcpy((float *)kv->keys + (size_t)at * dk, keys, (size_t)n * dk * sizeof *keys);
    for (size_t j = 0; j < dv; j++) {
        for (size_t i = 0; i < (size_t)n; i++)
            to[j * n_max + i] = values[i * dv + j];
        memset(to + j * n_max + n, 0, (size_t)(pad(n) - n) * sizeof *to);
    }
}

void attend_floats(const Kernels *k, const HeadKv *kv, const QueryBlock *b, float *scores,
                   void *scratch)
{
    ActRow acts[ATTEND_QUERIES];
    const int n_vis = b->n_visible + b->n - 1, n_pad = pad(n_vis);
    for (int i = 0; i < b->n; i++)
        acts[i] = (ActRow){.x = b->q + (size_t)i * b->q_stride};
    k->gemm(TENSOR_F32, kv->keys, (size_t)kv->dk * sizeof(float), kv->dk, n_vis, acts, b->n, scores,
            (size_t)n_pad, scratch);
    for (int i = 0; i < b->n; i++) {
        acts[i].x = scores + (size_t)i * (size_t)n_pad;
        weigh_scores(k, b, i, n_pad, scores + (size_t)i * (size_t)n_pad);
    }
    k->gemm(TENSOR_F32, kv->values, (size_t)kv->n_max * sizeof(float), n_pad, kv->dv, acts, b->n,
            b->out, b->out_stride, scratch);
}

// x = embedding; each layer: x += attention(norm x), x += feed-forward(norm x); logits = head(norm
// x)
#include "forward.h"

#include <assert.h>

#include "attention.h"
#include "moe.h"

static void normalise(Compute *c, const Shape *s, const float *weight, int n)
{
    COMPUTE_FOR(c, t, n)
    {
        size_t at = (size_t)t * (size_t)s->n_embd;
        c->k->rms_norm(c->x + at, weight, s->rms_eps, s->n_embd, c->h + at);
    }
}

static void add_to_stream(Compute *c, const Shape *s, const float *delta, int n)
{
    COMPUTE_FOR(c, t, n)
    {
        size_t at = (size_t)t * (size_t)s->n_embd;
        c->k->axpy(1, delta + at, c->x + at, s->n_embd);
    }
}

static void run_layer(Compute *c, const Shape *s, const Layer *l, Kv *kv, int layer, int n)
{
    normalise(c, s, l->attn_norm, n);
    if (s->mla)
        attention_mla(c, s, l, kv, layer, n);
    else
        attention_gqa(c, s, l, kv, layer, n);
    acts_fill(c, &c->acts, c->att, (size_t)l->output.n_in, n, l->output.n_in,
              matrix_is_quantised(&l->output));
    matmul(c, &l->output, &c->acts, n, c->h);
    add_to_stream(c, s, c->h, n);

    normalise(c, s, l->ffn_norm, n);
    if (l->moe)
        moe_sparse(c, s, l, n);
    else
        moe_dense(c, s, l, n);
    add_to_stream(c, s, c->ff_down, n);
}

static void embed(Compute *c, const Shape *s, const Weights *w, const int *ids, int n)
{
    COMPUTE_FOR(c, t, n)
    {
        assert(ids[t] >= 0 && ids[t] < s->n_vocab);
        const unsigned char *row = w->token_embd.data + (size_t)ids[t] * w->token_embd.row_bytes;
        c->k->dequantize(w->token_embd.type, row, s->n_embd, c->x + (size_t)t * (size_t)s->n_embd);
    }
}

static void project_logits(Compute *c, const Shape *s, const Weights *w, int first, int n,
                           float *logits)
{
    const size_t n_embd = (size_t)s->n_embd;
    for (int t = first; t < first + n; t++)
        c->k->rms_norm(c->x + (size_t)t * n_embd, w->output_norm, s->rms_eps, s->n_embd,
                       c->h + (size_t)t * n_embd);
    acts_fill(c, &c->acts, c->h + (size_t)first * n_embd, n_embd, n, s->n_embd,
              matrix_is_quantised(&w->output));
    matmul(c, &w->output, &c->acts, n, logits);
}

void forward(Compute *c, const Shape *s, const Weights *w, Kv *kv, const int *ids, int n,
             ForwardLogits which, float *logits)
{
    assert(n >= 1 && n <= COMPUTE_CHUNK && kv->len + n <= kv->n_ctx && kv->n_ctx <= c->n_ctx);
    embed(c, s, w, ids, n);
    attention_angles(c, s, kv->len, n);
    for (int i = 0; i < s->n_layers; i++)
        run_layer(c, s, &w->layers[i], kv, i, n);
    kv->len += n;
    if (which == LOGITS_LAST) project_logits(c, s, w, n - 1, 1, logits);
    if (which == LOGITS_ALL) project_logits(c, s, w, 0, n, logits);
}

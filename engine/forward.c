// x = embedding; each layer: x += attention(norm x), x += feed-forward(norm x); logits = head(norm
// x)
#include "forward.h"

#include <assert.h>
#include <string.h>

#include "attention.h"
#include "moe.h"

// What the items of a step over rows need.
typedef struct Rows {
    Compute *c;
    const Shape *s;
    const float *weight;    // of a norm
    const float *delta;     // what is added
    const Matrix *table;    // the embedding's
    const int *ids;         // of the rows
    const Mtp *mtp;         // what joins a state and an embedding
    const uint16_t *states; // read
    uint16_t *kept;         // written
    int first;              // row of c->x that is row 0 of what is read or written beside it
} Rows;

static void normalise_row(void *user, int t, int thread)
{
    const Rows *r = user;
    size_t n_embd = (size_t)r->s->n_embd, from = (size_t)(r->first + t) * n_embd;
    (void)thread;
    r->c->k->rms_norm(r->c->x + from, r->weight, r->s->rms_eps, r->s->n_embd,
                      r->c->h + (size_t)t * n_embd);
}

// Rows [0, n) of c->h from those of c->x that begin at `first`.
static void normalise(Compute *c, const Shape *s, const float *weight, int first, int n)
{
    compute_for_rows(c, n, normalise_row,
                     &(Rows){.c = c, .s = s, .weight = weight, .first = first});
}

static void add_row(void *user, int t, int thread)
{
    const Rows *r = user;
    size_t n_embd = (size_t)r->s->n_embd, to = (size_t)(r->first + t) * n_embd;
    (void)thread;
    r->c->k->axpy(1, r->delta + (size_t)t * n_embd, r->c->x + to, r->s->n_embd);
}

static void add_to_stream(Compute *c, const Shape *s, const float *delta, int first, int n)
{
    compute_for_rows(c, n, add_row, &(Rows){.c = c, .s = s, .delta = delta, .first = first});
}

// x += attention(norm x)
static bool run_attention(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const int first = pass_first_read(pass, layer), n = pass->n - first;
    const size_t n_in = (size_t)l->output.n_in;
    normalise(c, s, l->attn_norm, 0, pass->n);
    if (!(s->mla ? attention_mla : attention_gqa)(c, s, l, pass, layer)) return false;
    if (n == 0) return true;
    acts_fill(c, &c->acts, c->att + (size_t)first * n_in, n_in, n, l->output.n_in,
              matrix_is_quantised(&l->output));
    matmul(c, &l->output, &c->acts, n, c->h);
    add_to_stream(c, s, c->h, first, n);
    return true;
}

// x += feed-forward(norm x)
static bool run_network(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const int first = pass_first_read(pass, layer), n = pass->n - first;
    if (n == 0) return true;
    normalise(c, s, l->ffn_norm, first, n);
    if (!(l->moe ? moe_sparse : moe_dense)(c, s, l, n)) return false;
    add_to_stream(c, s, c->ff_down, first, n);
    return true;
}

static void embed_row(void *user, int t, int thread)
{
    const Rows *r = user;
    const int id = r->ids[t], n_embd = r->s->n_embd;
    (void)thread;
    assert(id >= 0 && id < r->s->n_vocab);
    r->c->k->dequantize(r->table->type, r->table->data + (size_t)id * r->table->row_bytes, n_embd,
                        r->c->x + (size_t)t * (size_t)n_embd);
}

static void embed(Compute *c, const Shape *s, const Matrix *table, const int *ids, int n)
{
    compute_for_rows(c, n, embed_row, &(Rows){.c = c, .s = s, .table = table, .ids = ids});
}

static void apply_head(Compute *c, const Shape *s, const float *norm, const Matrix *head, int first,
                       int n, float *logits)
{
    const size_t n_embd = (size_t)s->n_embd;
    for (int t = first; t < first + n; t++)
        c->k->rms_norm(c->x + (size_t)t * n_embd, norm, s->rms_eps, s->n_embd,
                       c->h + (size_t)t * n_embd);
    acts_fill(c, &c->acts, c->h + (size_t)first * n_embd, n_embd, n, s->n_embd,
              matrix_is_quantised(head));
    matmul(c, head, &c->acts, n, logits);
}

void forward_logits(Compute *c, const Shape *s, const Weights *w, int first, int n, float *logits)
{
    apply_head(c, s, w->output_norm, &w->output, first, n, logits);
}

void forward_begin(Compute *c, const Shape *s, const Weights *w, const Pass *pass)
{
    const Kv *own = pass->own;
    assert(pass->n >= 1 && pass->n <= c->pass_rows);
    assert(pass->n_unread >= 0 && pass->n_unread <= pass->n);
    assert(pass->rows || (own->len + pass->n <= own->n_ctx && own->n_ctx <= c->n_ctx));
    (void)own;
    c->products = pass->kernels == PASS_ALONE     ? PRODUCTS_BY_VECTOR
                  : pass->kernels == PASS_GROUPED ? PRODUCTS_BY_GROUP
                                                  : PRODUCTS_BY_COUNT;
    embed(c, s, &w->token_embd, pass->ids, pass->n);
    attention_angles(c, s, pass);
}

int forward_n_stages(const Shape *s)
{
    return 2 * s->n_layers;
}

bool forward_stage(Compute *c, const Shape *s, const Weights *w, const Pass *pass, int stage)
{
    const int layer = stage / 2;
    const Products products = c->products;
    // What is left of the rows meets the kernels that all of them would.
    if (products == PRODUCTS_BY_COUNT && pass_first_read(pass, layer) > 0)
        c->products = compute_products_for(pass->n);
    bool whole = (stage % 2 ? run_network : run_attention)(c, s, &w->layers[layer], pass, layer);
    c->products = products;
    return whole;
}

void forward_pass(Compute *c, const Shape *s, const Weights *w, const Pass *pass)
{
    assert(!c->watch.look);
    forward_begin(c, s, w, pass);
    for (int i = 0; i < forward_n_stages(s); i++)
        forward_stage(c, s, w, pass, i);
}

// --- multi-token prediction ----------------------------------------------------------------------

static void keep_state(void *user, int t, int thread)
{
    const Rows *r = user;
    const Shape *s = r->s;
    size_t n_embd = (size_t)s->n_embd, from = (size_t)(r->first + t) * n_embd;
    (void)thread;
    r->c->k->rms_norm(r->c->x + from, r->weight, s->rms_eps, s->n_embd, r->c->h + from);
    r->c->k->to_f16(r->c->h + from, s->n_embd, r->kept + (size_t)t * n_embd);
}

static void keep_states(Compute *c, const Shape *s, const float *norm, int first, int n,
                        uint16_t *states)
{
    compute_for_rows(c, n, keep_state,
                     &(Rows){.c = c, .s = s, .weight = norm, .first = first, .kept = states});
}

void forward_keep_states(Compute *c, const Shape *s, const Weights *w, int n, uint16_t *states)
{
    keep_states(c, s, w->output_norm, 0, n, states);
}

// The embedding's half comes first in eh_proj's input. ff_down has two rows a token and more.
static void join_row(void *user, int t, int thread)
{
    const Rows *r = user;
    const Shape *s = r->s;
    const Kernels *k = r->c->k;
    size_t n_embd = (size_t)s->n_embd, at = (size_t)t * n_embd;
    float *row = r->c->ff_down + 2 * at;
    (void)thread;
    k->rms_norm(r->c->x + at, r->mtp->enorm, s->rms_eps, s->n_embd, row);
    k->dequantize(TENSOR_F16, r->states + at, s->n_embd, row + n_embd);
    k->rms_norm(row + n_embd, r->mtp->hnorm, s->rms_eps, s->n_embd, row + n_embd);
}

static void join(Compute *c, const Shape *s, const Mtp *m, const uint16_t *states, const int *ids,
                 int n)
{
    embed(c, s, &m->token_embd, ids, n);
    compute_for_rows(c, n, join_row, &(Rows){.c = c, .s = s, .mtp = m, .states = states});
    acts_fill(c, &c->acts, c->ff_down, 2 * (size_t)s->n_embd, n, 2 * s->n_embd,
              matrix_is_quantised(&m->eh_proj));
    matmul(c, &m->eh_proj, &c->acts, n, c->x);
}

void forward_mtp(Compute *c, const Shape *s, const Weights *w, Kv *kv, const uint16_t *states,
                 const int *ids, int n, int n_wanted)
{
    const size_t n_embd = (size_t)s->n_embd;
    const Layer *block = w->mtp.block;
    assert(w->mtp.present && kv->n_layers == 1 && n_wanted >= 0 && n_wanted <= n);
    assert(n >= 1 && n <= c->pass_rows && kv->len + n <= kv->n_ctx);
    if (!s->mla) n_wanted = n;
    c->products = PRODUCTS_BY_COUNT;
    join(c, s, &w->mtp, states, ids, n);
    Pass pass = {.own = kv, .ids = ids, .n = n - n_wanted};
    if (pass.n > 0) { // one layer: keys come of its input alone
        attention_angles(c, s, &pass);
        normalise(c, s, block->attn_norm, 0, pass.n);
        attention_mla_store(c, s, block, &pass, 0);
        kv->len += pass.n;
        memmove(c->x, c->x + (size_t)pass.n * n_embd, (size_t)n_wanted * n_embd * sizeof *c->x);
    }
    if (n_wanted == 0) return;
    pass.n = n_wanted;
    attention_angles(c, s, &pass);
    run_attention(c, s, block, &pass, 0);
    run_network(c, s, block, &pass, 0);
    kv->len += n_wanted;
}

void forward_mtp_state(Compute *c, const Shape *s, const Weights *w, int row, uint16_t *state)
{
    keep_states(c, s, w->mtp.head_norm, row, 1, state);
}

void forward_mtp_logits(Compute *c, const Shape *s, const Weights *w, int first, int n, int n_ids,
                        float *logits)
{
    Matrix head = w->mtp.head;
    assert(n_ids <= head.n_out);
    head.n_out = n_ids;
    apply_head(c, s, w->mtp.head_norm, &head, first, n, logits);
}

// What attention reads and what becomes of its gradient: queries, keys and values from their
// projections, expanded for every key head, norms and rotation.
#include <string.h>

#include "attention.h"
#include "tune_state.h"

static void scale_row(float *x, int n, float factor)
{
    for (int i = 0; i < n; i++)
        x[i] *= factor;
}

static void add_bias(float *x, const float *bias, int n)
{
    for (int i = 0; bias && i < n; i++)
        x[i] += bias[i];
}

// The transpose of attention_rotate: a rotation back, times the amplitude.
static void rotate_back(const Shape *s, const float *angles, float *x)
{
    int n_pairs = s->rope_dim / 2;
    int step = s->rope_halves ? 1 : 2, apart = s->rope_halves ? n_pairs : 1;
    for (int i = 0; i < n_pairs; i++) {
        float *a = x + i * step, *b = a + apart;
        float cosine = angles[2 * i], sine = angles[2 * i + 1], old = *a;
        *a = old * cosine + *b * sine;
        *b = *b * cosine - old * sine;
    }
}

static const float *angles_of(const Tune *t, int row)
{
    return t->angles + (size_t)tune_position(t, row) * (size_t)t->shape->rope_dim;
}

// --- grouped-query attention ---------------------------------------------------------------------

// Biases, norms and rotation of a row's heads; `raw` keeps what is before the norm.
static void turn_row(const Tune *t, const float *bias, const float *norm, const float *angles,
                     int n_heads, float *raw, float *x)
{
    const Shape *s = t->shape;
    add_bias(x, bias, n_heads * s->key_dim);
    if (norm) memcpy(raw, x, (size_t)(n_heads * s->key_dim) * sizeof *x);
    for (int h = 0; h < n_heads; h++, x += s->key_dim) {
        if (norm) t->compute->k->rms_norm(x, norm, s->rms_eps, s->key_dim, x);
        attention_rotate(s, angles, x);
    }
}

static void turn_gqa_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const Layer *l = step->l;
    const size_t q_dim = (size_t)l->q.n_out, k_dim = (size_t)l->k.n_out, v_dim = (size_t)l->v.n_out;
    (void)thread;
    size_t at = (size_t)i;
    float *q = b->q + at * q_dim;
    turn_row(t, l->q_bias, l->q_norm, angles_of(t, i), s->n_heads,
             l->q_norm ? b->q_raw + at * q_dim : NULL, q);
    turn_row(t, l->k_bias, l->k_norm, angles_of(t, i), s->n_kv_heads,
             l->k_norm ? b->k_raw + at * k_dim : NULL, b->k + at * k_dim);
    add_bias(b->v + at * v_dim, l->v_bias, (int)v_dim);
    scale_row(q, (int)q_dim, s->attention_scale);
}

static void project_gqa(Tune *t, const Layer *l, int n)
{
    TuneBlock *b = &t->block;
    tune_linear(t, &l->q, b->attn_in, n, b->q);
    tune_linear(t, &l->k, b->attn_in, n, b->k);
    tune_linear(t, &l->v, b->attn_in, n, b->v);
    compute_for_rows(t->compute, n, turn_gqa_row, &(TuneStep){.t = t, .l = l});
}

// Sums of the query heads that share a key head, to the front of every row: [n_heads * width] rows
// become [n_kv_heads * width].
static void sum_groups(const Shape *s, int width, int n, float *x)
{
    const size_t w = (size_t)width, shared_by = (size_t)(s->n_heads / s->n_kv_heads);
    for (size_t i = 0; i < (size_t)n * (size_t)s->n_kv_heads; i++) {
        const float *from = x + i * shared_by * w; // never before what is written
        float *to = x + i * w;
        memmove(to, from, w * sizeof *x);
        for (size_t j = 1; j < shared_by; j++)
            for (size_t e = 0; e < w; e++)
                to[e] += from[j * w + e];
    }
}

// The gradient of turn_row's input, in place.
static void turn_row_back(const Tune *t, const float *norm, const float *angles, int n_heads,
                          const float *raw, float *dx)
{
    const Shape *s = t->shape;
    for (int h = 0; h < n_heads; h++, dx += s->key_dim) {
        rotate_back(s, angles, dx);
        if (norm) tune_norm_back(raw + h * s->key_dim, norm, s->rms_eps, s->key_dim, dx, dx);
    }
}

static void turn_gqa_row_back(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const Layer *l = step->l;
    const size_t q_dim = (size_t)l->q.n_out, k_dim = (size_t)l->k.n_out;
    (void)thread;
    size_t at = (size_t)i;
    scale_row(b->d_q + at * q_dim, (int)q_dim, s->attention_scale);
    turn_row_back(t, l->q_norm, angles_of(t, i), s->n_heads,
                  l->q_norm ? b->q_raw + at * q_dim : NULL, b->d_q + at * q_dim);
    turn_row_back(t, l->k_norm, angles_of(t, i), s->n_kv_heads,
                  l->k_norm ? b->k_raw + at * k_dim : NULL, b->d_k + at * k_dim);
}

static void project_gqa_back(Tune *t, const Layer *l, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    sum_groups(s, s->key_dim, n, b->d_k);
    sum_groups(s, s->value_dim, n, b->d_v);
    compute_for_rows(t->compute, n, turn_gqa_row_back, &(TuneStep){.t = t, .l = l});
    tune_linear_back(t, &l->q, b->attn_in, b->d_q, n, b->d_norm);
    tune_linear_back(t, &l->k, b->attn_in, b->d_k, n, b->d_norm);
    tune_linear_back(t, &l->v, b->attn_in, b->d_v, n, b->d_norm);
}

// --- multi-head latent attention -----------------------------------------------------------------

static void turn_query_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t q_dim = (size_t)(s->n_heads * s->key_dim);
    (void)thread;
    float *q = b->q + (size_t)i * q_dim;
    for (int h = 0; h < s->n_heads; h++)
        attention_rotate(s, angles_of(t, i), q + h * s->key_dim + s->nope_dim);
    scale_row(q, (int)q_dim, s->attention_scale);
}

static void project_query(Tune *t, const Layer *l, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t lora = (size_t)s->q_lora;
    if (s->q_lora) {
        tune_linear(t, &l->q_a, b->attn_in, n, b->q_latent);
        for (size_t i = 0; i < (size_t)n; i++)
            t->compute->k->rms_norm(b->q_latent + i * lora, l->q_a_norm, s->rms_eps, s->q_lora,
                                    b->q_normed + i * lora);
        tune_linear(t, &l->q_b, b->q_normed, n, b->q);
    } else {
        tune_linear(t, &l->q, b->attn_in, n, b->q);
    }
    compute_for_rows(t->compute, n, turn_query_row, &(TuneStep){.t = t});
}

// Keys and values of every head from the latents: k_h = [k_b_h^T c; rotary key], v_h = v_b_h c.
static void expand(Tune *t, const Layer *l, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t dk = (size_t)s->key_dim, k_row = (size_t)s->n_heads * dk;
    const size_t v_row = (size_t)(s->n_heads * s->value_dim), lora = (size_t)s->kv_lora;
    const size_t a_row = lora + (size_t)s->rope_dim;
    memset(b->k, 0, (size_t)n * k_row * sizeof(float));
    for (int h = 0; h < s->n_heads; h++) {
        float *k = b->k + (size_t)h * dk;
        tune_product_back(t, &l->k_b, h, b->latent, lora, n, k, k_row);
        tune_product(t, &l->v_b, h, b->latent, lora, n, b->v + h * s->value_dim, v_row);
        for (size_t i = 0; i < (size_t)n; i++)
            memcpy(k + i * k_row + s->nope_dim, b->kv_a + i * a_row + lora,
                   (size_t)s->rope_dim * sizeof(float));
    }
}

static void turn_latent_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const Layer *l = step->l;
    const size_t lora = (size_t)s->kv_lora, a_row = lora + (size_t)s->rope_dim;
    (void)thread;
    float *kv = b->kv_a + (size_t)i * a_row;
    t->compute->k->rms_norm(kv, l->kv_a_norm, s->rms_eps, s->kv_lora, b->latent + (size_t)i * lora);
    attention_rotate(s, angles_of(t, i), kv + lora);
}

static void project_mla(Tune *t, const Layer *l, int n)
{
    TuneBlock *b = &t->block;
    project_query(t, l, n);
    tune_linear(t, &l->kv_a, b->attn_in, n, b->kv_a);
    compute_for_rows(t->compute, n, turn_latent_row, &(TuneStep){.t = t, .l = l});
    expand(t, l, n);
}

static void turn_query_row_back(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t q_dim = (size_t)(s->n_heads * s->key_dim);
    (void)thread;
    float *d_q = b->d_q + (size_t)i * q_dim;
    scale_row(d_q, (int)q_dim, s->attention_scale);
    for (int h = 0; h < s->n_heads; h++)
        rotate_back(s, angles_of(t, i), d_q + h * s->key_dim + s->nope_dim);
}

static void project_query_back(Tune *t, const Layer *l, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t lora = (size_t)s->q_lora;
    compute_for_rows(t->compute, n, turn_query_row_back, &(TuneStep){.t = t});
    if (!s->q_lora) {
        tune_linear_back(t, &l->q, b->attn_in, b->d_q, n, b->d_norm);
        return;
    }
    float *d_normed = b->d_head; // wide enough, and not in use here
    memset(d_normed, 0, (size_t)n * lora * sizeof(float));
    tune_linear_back(t, &l->q_b, b->q_normed, b->d_q, n, d_normed);
    for (size_t i = 0; i < (size_t)n; i++)
        tune_norm_back(b->q_latent + i * lora, l->q_a_norm, s->rms_eps, s->q_lora,
                       d_normed + i * lora, b->d_q_latent + i * lora);
    tune_linear_back(t, &l->q_a, b->attn_in, b->d_q_latent, n, b->d_norm);
}

// d_latent and the rotary part of d_kv_a from every head's d_k and d_v.
static void expand_back(Tune *t, const Layer *l, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t dk = (size_t)s->key_dim, k_row = (size_t)s->n_heads * dk;
    const size_t v_row = (size_t)(s->n_heads * s->value_dim), lora = (size_t)s->kv_lora;
    const size_t a_row = lora + (size_t)s->rope_dim;
    for (int h = 0; h < s->n_heads; h++) {
        const float *d_k = b->d_k + (size_t)h * dk;
        tune_product(t, &l->k_b, h, d_k, k_row, n, b->d_head, lora);
        tune_product_back(t, &l->v_b, h, b->d_v + h * s->value_dim, v_row, n, b->d_latent, lora);
        for (size_t i = 0; i < (size_t)n; i++) {
            t->compute->k->axpy(1, b->d_head + i * lora, b->d_latent + i * lora, s->kv_lora);
            t->compute->k->axpy(1, d_k + i * k_row + s->nope_dim, b->d_kv_a + i * a_row + lora,
                                s->rope_dim);
        }
    }
}

static void turn_latent_row_back(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const Layer *l = step->l;
    const size_t lora = (size_t)s->kv_lora, a_row = lora + (size_t)s->rope_dim;
    (void)thread;
    float *d_kv = b->d_kv_a + (size_t)i * a_row;
    rotate_back(s, angles_of(t, i), d_kv + lora);
    tune_norm_back(b->kv_a + (size_t)i * a_row, l->kv_a_norm, s->rms_eps, s->kv_lora,
                   b->d_latent + (size_t)i * lora, d_kv);
}

static void project_mla_back(Tune *t, const Layer *l, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t lora = (size_t)s->kv_lora, a_row = lora + (size_t)s->rope_dim;
    memset(b->d_latent, 0, (size_t)n * lora * sizeof(float));
    memset(b->d_kv_a, 0, (size_t)n * a_row * sizeof(float));
    expand_back(t, l, n);
    compute_for_rows(t->compute, n, turn_latent_row_back, &(TuneStep){.t = t, .l = l});
    tune_linear_back(t, &l->kv_a, b->attn_in, b->d_kv_a, n, b->d_norm);
    project_query_back(t, l, n);
}

void tune_attention(Tune *t, const Layer *l, int n)
{
    if (t->shape->mla)
        project_mla(t, l, n);
    else
        project_gqa(t, l, n);
    tune_attend(t, n);
}

void tune_attention_back(Tune *t, const Layer *l, int n)
{
    memset(t->block.d_norm, 0, (size_t)n * (size_t)t->shape->n_embd * sizeof(float));
    tune_attend_back(t, n);
    if (t->shape->mla)
        project_mla_back(t, l, n);
    else
        project_gqa_back(t, l, n);
}

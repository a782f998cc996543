// SwiGLU networks and mixtures of them with their gradients. The choice of the experts is constant;
// the gradient of a router's weights goes through those that were chosen (DeepSeek-V3 report,
// eq. 12 to 15).
#include <math.h>
#include <string.h>

#include "moe.h"
#include "tune_state.h"

// --- one network ---------------------------------------------------------------------------------

static void activate_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    const TuneMlp *m = step->mlp;
    const int n_ff = step->n_ff;
    const Tune *t = step->t;
    (void)thread;
    size_t at = (size_t)i * (size_t)n_ff;
    t->compute->k->silu_mul(m->gate + at, m->up + at, n_ff, m->act + at);
}

static void activate(Tune *t, const TuneMlp *m, int n, int n_ff)
{
    compute_for_rows(t->compute, n, activate_row, &(TuneStep){.t = t, .mlp = m, .n_ff = n_ff});
}

// d_gate and d_up from d_act: silu'(g) = s (1 + g (1 - s)), s = sigmoid(g).
static void activate_row_back(void *user, int i, int thread)
{
    const TuneStep *step = user;
    const TuneMlp *m = step->mlp;
    const int n_ff = step->n_ff;
    (void)thread;
    size_t first = (size_t)i * (size_t)n_ff;
    for (size_t j = first; j < first + (size_t)n_ff; j++) {
        float g = m->gate[j], sigmoid = 1 / (1 + expf(-g));
        m->d_up[j] = m->d_act[j] * g * sigmoid;
        m->d_gate[j] = m->d_act[j] * m->up[j] * sigmoid * (1 + g * (1 - sigmoid));
    }
}

static void activate_back(Tune *t, const TuneMlp *m, int n, int n_ff)
{
    compute_for_rows(t->compute, n, activate_row_back, &(TuneStep){.t = t, .mlp = m, .n_ff = n_ff});
}

static void run_mlp(Tune *t, const Mlp *w, TuneMlp *m, int n, float *out)
{
    tune_linear(t, &w->gate, t->block.ffn_in, n, m->gate);
    tune_linear(t, &w->up, t->block.ffn_in, n, m->up);
    activate(t, m, n, w->gate.n_out);
    tune_linear(t, &w->down, m->act, n, out);
}

static void run_mlp_back(Tune *t, const Mlp *w, TuneMlp *m, int n, const float *d_out)
{
    memset(m->d_act, 0, (size_t)n * (size_t)w->gate.n_out * sizeof(float));
    tune_linear_back(t, &w->down, m->act, d_out, n, m->d_act);
    activate_back(t, m, n, w->gate.n_out);
    tune_linear_back(t, &w->gate, t->block.ffn_in, m->d_gate, n, t->block.d_norm);
    tune_linear_back(t, &w->up, t->block.ffn_in, m->d_up, n, t->block.d_norm);
}

// --- experts -------------------------------------------------------------------------------------

static void route_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    (void)thread;
    moe_route_row(t->compute->k, s, step->l, b->ffn_in + (size_t)i * (size_t)s->n_embd,
                  b->router_logits + (size_t)i * (size_t)s->n_experts,
                  b->pairs.expert_of + i * s->n_experts_used,
                  b->gate_weights + i * s->n_experts_used);
}

static void route(Tune *t, const Layer *l, int n)
{
    compute_for_rows(t->compute, n, route_row, &(TuneStep){.t = t, .l = l});
}

// Inputs of the sorted pairs, to their rows.
static void gather(Tune *t, int n)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t n_embd = (size_t)s->n_embd;
    moe_sort(s, n, &b->pairs);
    for (int row = 0; row < n * s->n_experts_used; row++)
        memcpy(b->expert_in + (size_t)row * n_embd,
               b->ffn_in + (size_t)b->pairs.token_of[row] * n_embd, n_embd * sizeof(float));
}

static void run_experts(Tune *t, const Mlp *w, int n_pairs)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t n_ff = (size_t)s->n_ff_expert, n_embd = (size_t)s->n_embd;
    for (int e = 0; e < s->n_experts; e++) {
        size_t at = (size_t)b->pairs.starts[e];
        int n = b->pairs.starts[e + 1] - b->pairs.starts[e];
        const float *in = b->expert_in + at * n_embd;
        tune_product(t, &w->gate, e, in, n_embd, n, b->mlp.gate + at * n_ff, n_ff);
        tune_product(t, &w->up, e, in, n_embd, n, b->mlp.up + at * n_ff, n_ff);
    }
    activate(t, &b->mlp, n_pairs, s->n_ff_expert);
    for (int e = 0; e < s->n_experts; e++) {
        size_t at = (size_t)b->pairs.starts[e];
        int n = b->pairs.starts[e + 1] - b->pairs.starts[e];
        tune_product(t, &w->down, e, b->mlp.act + at * n_ff, n_ff, n, b->expert_out + at * n_embd,
                     n_embd);
    }
}

// d_expert_in from d_expert_out.
static void run_experts_back(Tune *t, const Mlp *w, int n_pairs)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t n_ff = (size_t)s->n_ff_expert, n_embd = (size_t)s->n_embd;
    memset(b->mlp.d_act, 0, (size_t)n_pairs * n_ff * sizeof(float));
    memset(b->d_expert_in, 0, (size_t)n_pairs * n_embd * sizeof(float));
    for (int e = 0; e < s->n_experts; e++) {
        size_t at = (size_t)b->pairs.starts[e];
        int n = b->pairs.starts[e + 1] - b->pairs.starts[e];
        tune_product_back(t, &w->down, e, b->d_expert_out + at * n_embd, n_embd, n,
                          b->mlp.d_act + at * n_ff, n_ff);
    }
    activate_back(t, &b->mlp, n_pairs, s->n_ff_expert);
    for (int e = 0; e < s->n_experts; e++) {
        size_t at = (size_t)b->pairs.starts[e];
        int n = b->pairs.starts[e + 1] - b->pairs.starts[e];
        float *d_in = b->d_expert_in + at * n_embd;
        tune_product_back(t, &w->gate, e, b->mlp.d_gate + at * n_ff, n_ff, n, d_in, n_embd);
        tune_product_back(t, &w->up, e, b->mlp.d_up + at * n_ff, n_ff, n, d_in, n_embd);
    }
}

// The gradient of a token's router logits from those of its weights w_i = factor s_i, or with
// normalisation factor s_i / (sum of the chosen s), s the scores.
static void route_back(const Shape *s, const float *logits, const int *experts,
                       const float *d_weights, float *d_logits)
{
    float scores[SHAPE_MAX_EXPERTS], sum = 1e-20f, mean = 0, factor = s->weights_scale, inner = 0;
    moe_gate_scores(s, logits, scores);
    memset(d_logits, 0, (size_t)s->n_experts * sizeof *d_logits);
    for (int i = 0; i < s->n_experts_used; i++)
        sum += scores[experts[i]];
    if (s->normalise_weights) {
        factor /= sum;
        for (int i = 0; i < s->n_experts_used; i++)
            mean += d_weights[i] * scores[experts[i]] / sum;
    }
    for (int i = 0; i < s->n_experts_used; i++) {
        d_logits[experts[i]] = factor * (d_weights[i] - mean);
        inner += d_logits[experts[i]] * scores[experts[i]];
    }
    for (int e = 0; e < s->n_experts; e++)
        d_logits[e] = s->gate == GATE_SIGMOID ? d_logits[e] * scores[e] * (1 - scores[e])
                                              : scores[e] * (d_logits[e] - inner);
}

static void scatter_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const size_t n_embd = (size_t)s->n_embd;
    const float *d_out = step->x;
    float *d_weights = step->out;
    (void)thread;
    const float *d = d_out + (size_t)(i / s->n_experts_used) * n_embd;
    size_t row = (size_t)b->pairs.row_of[i] * n_embd;
    d_weights[i] = t->compute->k->dot(d, b->expert_out + row, s->n_embd);
    for (size_t j = 0; j < n_embd; j++)
        b->d_expert_out[row + j] = b->gate_weights[i] * d[j];
}

static void scatter_gradient(Tune *t, int n, const float *d_out, float *d_weights)
{
    compute_for_rows(t->compute, n * t->shape->n_experts_used, scatter_row,
                     &(TuneStep){.t = t, .x = d_out, .out = d_weights});
}

static void gather_row_back(void *user, int i, int thread)
{
    const TuneStep *step = user;
    Tune *t = step->t;
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const Layer *l = step->l;
    const size_t n_embd = (size_t)s->n_embd;
    const int used = s->n_experts_used;
    const float *d_weights = step->x;
    (void)thread;
    float *d_in = b->d_norm + (size_t)i * n_embd;
    float *d_logits = b->d_logits + (size_t)i * (size_t)s->n_experts;
    route_back(s, b->router_logits + (size_t)i * (size_t)s->n_experts,
               b->pairs.expert_of + i * used, d_weights + i * used, d_logits);
    for (int e = 0; e < s->n_experts; e++)
        t->compute->k->axpy(d_logits[e], l->router + (size_t)e * n_embd, d_in, s->n_embd);
    for (int j = i * used; j < (i + 1) * used; j++)
        t->compute->k->axpy(1, b->d_expert_in + (size_t)b->pairs.row_of[j] * n_embd, d_in,
                            s->n_embd);
}

static void run_moe_back(Tune *t, const Layer *l, int n, const float *d_out)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    float *d_weights = b->d_logits + (size_t)n * (size_t)s->n_experts; // room is left behind them
    scatter_gradient(t, n, d_out, d_weights);
    run_experts_back(t, &l->experts, n * s->n_experts_used);
    compute_for_rows(t->compute, n, gather_row_back, &(TuneStep){.t = t, .l = l, .x = d_weights});
    if (l->shared.gate.data) run_mlp_back(t, &l->shared, &b->shared, n, d_out);
}

static void sum_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    const Tune *t = step->t;
    const Shape *s = t->shape;
    const TuneBlock *b = &t->block;
    const size_t n_embd = (size_t)s->n_embd;
    const int used = s->n_experts_used;
    float *out = step->out;
    (void)thread;
    for (int j = i * used; j < (i + 1) * used; j++)
        t->compute->k->axpy(b->gate_weights[j], b->expert_out + (size_t)b->pairs.row_of[j] * n_embd,
                            out + (size_t)i * n_embd, s->n_embd);
}

void tune_ffn(Tune *t, const Layer *l, int n, float *out)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    if (!l->moe) {
        run_mlp(t, &l->mlp, &b->mlp, n, out);
        return;
    }
    route(t, l, n);
    gather(t, n);
    if (l->shared.gate.data)
        run_mlp(t, &l->shared, &b->shared, n, out);
    else
        memset(out, 0, (size_t)n * (size_t)s->n_embd * sizeof *out);
    run_experts(t, &l->experts, n * s->n_experts_used);
    compute_for_rows(t->compute, n, sum_row, &(TuneStep){.t = t, .out = out});
}

void tune_ffn_back(Tune *t, const Layer *l, int n, const float *d_out)
{
    memset(t->block.d_norm, 0, (size_t)n * (size_t)t->shape->n_embd * sizeof(float));
    if (l->moe)
        run_moe_back(t, l, n, d_out);
    else
        run_mlp_back(t, &l->mlp, &t->block.mlp, n, d_out);
}

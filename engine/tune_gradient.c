// One sequence forward and back: the blocks, the head, and the objective between them.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "tune_state.h"

void tune_norm_back(const float *x, const float *w, float eps, int n, const float *dy, float *dx)
{
    double squares = 0, inner = 0;
    for (int i = 0; i < n; i++) {
        squares += (double)x[i] * (double)x[i];
        inner += (double)dy[i] * (double)w[i] * (double)x[i];
    }
    double mean = squares / n + (double)eps, inverse = 1 / sqrt(mean);
    float scale = (float)inverse, along = (float)(inner * inverse / (mean * n));
    for (int i = 0; i < n; i++)
        dx[i] = scale * w[i] * dy[i] - along * x[i];
}

static void normalise_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    const Shape *s = step->t->shape;
    size_t at = (size_t)i * (size_t)s->n_embd;
    (void)thread;
    step->t->compute->k->rms_norm(step->x + at, step->weight, s->rms_eps, s->n_embd,
                                  step->out + at);
}

static void normalise(Tune *t, const float *x, const float *weight, int n, float *out)
{
    TuneStep step = {.t = t, .x = x, .weight = weight, .out = out};
    compute_for_rows(t->compute, n, normalise_row, &step);
}

static void add_row(void *user, int i, int thread)
{
    const TuneStep *step = user;
    const int n_embd = step->t->shape->n_embd;
    size_t at = (size_t)i * (size_t)n_embd;
    (void)thread;
    step->t->compute->k->axpy(1, step->x + at, step->out + at, n_embd);
}

static void add_rows(Tune *t, const float *x, int n, float *sum)
{
    compute_for_rows(t->compute, n, add_row, &(TuneStep){.t = t, .x = x, .out = sum});
}

static float *state_of(const Tune *t, int layer)
{
    return t->states + (size_t)layer * (size_t)t->options.max_tokens * (size_t)t->shape->n_embd;
}

// The block's insides and its output, which may be NULL where only the former are wanted.
static void run_block(Tune *t, int layer, int n, float *out)
{
    const Layer *l = &t->weights->layers[layer];
    const float *x = state_of(t, layer);
    TuneBlock *b = &t->block;
    *b = t->blocks[layer];
    normalise(t, x, l->attn_norm, n, b->attn_in);
    tune_attention(t, l, n);
    tune_linear(t, &l->output, b->att, n, b->mid);
    add_rows(t, x, n, b->mid);
    normalise(t, b->mid, l->ffn_norm, n, b->ffn_in);
    float *ffn_out = out ? out : b->d_norm; // a gradient's place, not in use yet
    tune_ffn(t, l, n, ffn_out);
    if (out) add_rows(t, b->mid, n, out);
}

static void pass_row_back(void *user, int i, int thread)
{
    const TuneStep *step = user;
    const Shape *s = step->t->shape;
    size_t at = (size_t)i * (size_t)s->n_embd;
    float *d = step->t->block.d_norm + at;
    (void)thread;
    tune_norm_back(step->x + at, step->weight, s->rms_eps, s->n_embd, d, d);
    step->t->compute->k->axpy(1, d, step->t->d_x + at, s->n_embd);
}

// The gradient in d_norm goes through a norm of x and is added to the stream's.
static void pass_norm_back(Tune *t, const float *x, const float *weight, int n)
{
    TuneStep step = {.t = t, .x = x, .weight = weight};
    compute_for_rows(t->compute, n, pass_row_back, &step);
}

static void run_block_back(Tune *t, int layer, int n)
{
    const Layer *l = &t->weights->layers[layer];
    TuneBlock *b = &t->block;
    *b = t->blocks[layer];
    tune_ffn_back(t, l, n, t->d_x);
    pass_norm_back(t, b->mid, l->ffn_norm, n);
    memset(b->d_att, 0, (size_t)n * (size_t)l->output.n_in * sizeof(float));
    tune_linear_back(t, &l->output, b->att, t->d_x, n, b->d_att);
    tune_attention_back(t, l, n);
    pass_norm_back(t, state_of(t, layer), l->attn_norm, n);
}

static void embed(Tune *t, const int *ids, int n)
{
    const Shape *s = t->shape;
    const Matrix *table = &t->weights->token_embd;
    for (int i = 0; i < n; i++)
        t->compute->k->dequantize(table->type, table->data + (size_t)ids[i] * table->row_bytes,
                                  s->n_embd, state_of(t, 0) + (size_t)i * (size_t)s->n_embd);
}

// The row from which the token at `row` is told.
static int row_before(const Tune *t, int row)
{
    return row == t->starts[row] ? t->n_shared - 1 : row - 1;
}

// --- head ----------------------------------------------------------------------------------------

// The objective's value for a token of log probability p, and its derivative there.
static double judge(const TuneSequence *q, int tok_pos, double p, double *slope)
{
    double w = (double)q->weights[tok_pos];
    *slope = w;
    if (!q->old_logprobs || isnan(q->old_logprobs[tok_pos])) return w * p;
    double ratio = exp(p - (double)q->old_logprobs[tok_pos]);
    double clipped = fmin(fmax(ratio, 1 - (double)q->clip_low), 1 + (double)q->clip_high);
    bool free = ratio * w <= clipped * w;
    *slope = free ? ratio * w : 0;
    return free ? ratio * w : clipped * w;
}

// The positions whose logits are in memory.
typedef struct HeadStep {
    Tune *t;
    const TuneSequence *q;
    int first;
} HeadStep;

// Row r of the logits becomes the loss's gradient.
static void judge_row(void *user, int r, int thread)
{
    const HeadStep *step = user;
    const Tune *t = step->t;
    const TuneSequence *q = step->q;
    const int n = t->shape->n_vocab, tok_pos = t->wanted[step->first + r];
    (void)thread;
    float *logits = t->logits + (size_t)r * (size_t)n, max = -INFINITY;
    double sum = 0, slope;
    float inverse = q->temperature > 0 ? 1 / q->temperature : 1;
    for (int i = 0; i < n; i++)
        logits[i] *= inverse;
    float own = logits[q->ids[tok_pos]];
    for (int i = 0; i < n; i++)
        max = fmaxf(max, logits[i]);
    for (int i = 0; i < n; i++)
        sum += (double)(logits[i] = expf(logits[i] - max));
    double p = (double)own - (double)max - (sum > 0 ? log(sum) : 0);
    t->values[r] = judge(q, tok_pos, p, &slope);
    float factor = inverse * (float)(slope / sum);
    for (int i = 0; i < n; i++)
        logits[i] *= factor;
    logits[q->ids[tok_pos]] -= inverse * (float)slope;
    if (q->logprobs) q->logprobs[tok_pos] = (float)p;
}

// The objective of positions wanted[first ..], n of them; with `back` the stream's gradient there.
static double run_head(Tune *t, const TuneSequence *q, int first, int n, bool back)
{
    const Shape *s = t->shape;
    const Weights *w = t->weights;
    const size_t n_embd = (size_t)s->n_embd, n_vocab = (size_t)s->n_vocab;
    const float *states = state_of(t, s->n_layers);
    double sum = 0;
    for (int i = 0; i < n; i++)
        t->compute->k->rms_norm(states + (size_t)row_before(t, t->wanted[first + i]) * n_embd,
                                w->output_norm, s->rms_eps, s->n_embd,
                                t->head_in + (size_t)i * n_embd);
    tune_product(t, &w->output, 0, t->head_in, n_embd, n, t->logits, n_vocab);
    compute_for(t->compute, n, judge_row, &(HeadStep){t, q, first});
    for (int i = 0; i < n; i++) // in order: the sum has the same bits whatever the team
        sum += t->values[i];
    if (!back) return sum;
    memset(t->d_head_in, 0, (size_t)n * n_embd * sizeof(float));
    tune_product_back(t, &w->output, 0, t->logits, n_vocab, n, t->d_head_in, n_embd);
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)row_before(t, t->wanted[first + i]) * n_embd;
        float *d = t->d_head_in + (size_t)i * n_embd;
        tune_norm_back(states + at, w->output_norm, s->rms_eps, s->n_embd, d, d);
        t->compute->k->axpy(1, d, t->d_x + at, s->n_embd); // branches have one row before them
    }
    return sum;
}

// --- sequences -----------------------------------------------------------------------------------

static bool check_branches(const TuneSequence *q, Error *err)
{
    for (int i = 0, start = q->n_shared; i < q->n_branches; start = q->ends[i++])
        if (start < 1 || q->ends[i] <= start || q->ends[i] > q->n)
            return error_set(err, ERROR_INVALID, "branch %d is %d to %d, wanted within 1 to %d", i,
                             start, q->ends[i], q->n);
    if (q->n_branches == 0 || q->ends[q->n_branches - 1] == q->n) return true;
    return error_set(err, ERROR_INVALID, "the last branch ends at %d, wanted %d",
                     q->ends[q->n_branches - 1], q->n);
}

static void place_branches(Tune *t, const TuneSequence *q)
{
    t->n_shared = q->n_branches ? q->n_shared : q->n;
    memset(t->starts, 0, (size_t)q->n * sizeof *t->starts);
    for (int i = 0, row = t->n_shared; i < q->n_branches; i++)
        for (int start = row; row < q->ends[i]; row++)
            t->starts[row] = start;
}

static bool check(const Tune *t, const TuneSequence *q, Error *err)
{
    if (q->n < 2 || q->n > t->options.max_tokens)
        return error_set(err, ERROR_INVALID, "a sequence of %d tokens, wanted 2 to %d", q->n,
                         t->options.max_tokens);
    for (int i = 0; i < q->n; i++) {
        if (q->ids[i] < 0 || q->ids[i] >= t->shape->n_vocab)
            return error_set(err, ERROR_INVALID, "token %d at %d, wanted 0 to %d", q->ids[i], i,
                             t->shape->n_vocab - 1);
        if (i > 0 && !isfinite(q->weights[i]))
            return error_set(err, ERROR_INVALID, "weight %g at %d, wanted a finite one",
                             (double)q->weights[i], i);
    }
    return check_branches(q, err);
}

static bool run(Tune *t, const TuneSequence *q, bool back, EngineCancel cancel, double *objective,
                Error *err)
{
    const Shape *s = t->shape;
    int n_wanted = 0, n = 0; // rows after the last that counts are not computed
    *objective = 0;
    if (!check(t, q, err)) return false;
    place_branches(t, q);
    for (int i = 0; i < q->n; i++) {
        if (q->logprobs) q->logprobs[i] = 0;
        if (i == 0 || q->weights[i] == 0) continue;
        t->wanted[n_wanted++] = i;
        n = row_before(t, i) + 1 > n ? row_before(t, i) + 1 : n;
    }
    if (n_wanted == 0) return true;
    embed(t, q->ids, n);
    for (int i = 0; i < s->n_layers; i++) {
        if (engine_is_cancelled(cancel, err)) return false;
        run_block(t, i, n, state_of(t, i + 1));
    }
    if (back) memset(t->d_x, 0, (size_t)n * (size_t)s->n_embd * sizeof(float));
    for (int i = 0; i < n_wanted; i += t->head_rows) {
        if (engine_is_cancelled(cancel, err)) return false;
        int left = n_wanted - i;
        *objective += run_head(t, q, i, left < t->head_rows ? left : t->head_rows, back);
    }
    for (int i = s->n_layers - 1; back && i >= 0; i--) {
        if (engine_is_cancelled(cancel, err)) return false;
        // The insides of the last of those that share a set are still there.
        if (i < t->first_kept - 1) run_block(t, i, n, NULL);
        run_block_back(t, i, n);
    }
    return true;
}

bool tune_evaluate(Tune *tune, const TuneSequence *sequence, EngineCancel cancel, double *objective,
                   Error *err)
{
    return run(tune, sequence, false, cancel, objective, err);
}

bool tune_accumulate(Tune *tune, const TuneSequence *sequence, EngineCancel cancel,
                     double *objective, Error *err)
{
    return run(tune, sequence, true, cancel, objective, err);
}

void tune_clear(Tune *tune)
{
    memset(tune->grads, 0, tune->n_params * sizeof *tune->grads);
}

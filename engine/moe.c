// One code path for one token and for a chunk: the (token, expert) pairs are sorted by expert, and
// each expert's products run over the rows that chose it. A decode step has one row an expert.
#include "moe.h"

#include <float.h>
#include <math.h>
#include <string.h>

// --- routing -------------------------------------------------------------------------------------

// Comparable even for NaN: NaN ranks last.
static float rank_of(float score)
{
    return isnan(score) ? -FLT_MAX : score;
}

// Index of the largest of n not yet taken; ties go to the lower index. -1 if all are taken.
static int take_best(const float *scores, int n, bool *taken)
{
    int best = -1;
    for (int i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || rank_of(scores[i]) > rank_of(scores[best]))) best = i;
    if (best >= 0) taken[best] = true;
    return best;
}

static float score_group(const Shape *s, const float *selection, int size)
{
    float best = -INFINITY, second = -INFINITY;
    for (int i = 0; i < size; i++) {
        float x = rank_of(selection[i]);
        if (x > best) {
            second = best;
            best = x;
        } else if (x > second) {
            second = x;
        }
    }
    return s->gate == GATE_SIGMOID ? best + second : best;
}

// Marks the experts of losing groups as taken.
static void drop_groups(const Shape *s, const float *selection, bool *taken)
{
    float scores[SHAPE_MAX_EXPERTS];
    bool kept[SHAPE_MAX_EXPERTS] = {false};
    int size = s->n_experts / s->n_groups;
    for (int g = 0; g < s->n_groups; g++)
        scores[g] = score_group(s, selection + g * size, size);
    for (int i = 0; i < s->n_groups_used; i++)
        take_best(scores, s->n_groups, kept);
    for (int e = 0; e < s->n_experts; e++)
        taken[e] = !kept[e / size];
}

void moe_gate_scores(const Shape *s, const float *logits, float *scores)
{
    float max = -INFINITY, sum = 0;
    if (s->gate == GATE_SIGMOID) {
        for (int e = 0; e < s->n_experts; e++)
            scores[e] = 1 / (1 + expf(-logits[e]));
        return;
    }
    for (int e = 0; e < s->n_experts; e++)
        max = fmaxf(max, logits[e]);
    for (int e = 0; e < s->n_experts; e++)
        sum += scores[e] = expf(logits[e] - max);
    for (int e = 0; e < s->n_experts; e++)
        scores[e] /= sum;
}

void moe_route(const Shape *s, const float *logits, const float *bias, int *experts, float *weights)
{
    float scores[SHAPE_MAX_EXPERTS], selection[SHAPE_MAX_EXPERTS], sum = 0;
    bool taken[SHAPE_MAX_EXPERTS] = {false};
    moe_gate_scores(s, logits, scores);
    for (int e = 0; e < s->n_experts; e++)
        selection[e] = scores[e] + (bias ? bias[e] : 0);
    if (s->n_groups > 1) drop_groups(s, selection, taken);
    for (int i = 0; i < s->n_experts_used; i++) {
        experts[i] = take_best(selection, s->n_experts, taken);
        weights[i] = scores[experts[i]];
        sum += weights[i];
    }
    float factor = s->weights_scale;
    if (s->normalise_weights) factor /= sum + 1e-20f; // the V3 reference's epsilon
    for (int i = 0; i < s->n_experts_used; i++)
        weights[i] *= factor;
}

void moe_route_row(const Kernels *k, const Shape *s, const Layer *l, const float *x, float *logits,
                   int *experts, float *weights)
{
    for (int e = 0; e < s->n_experts; e++)
        logits[e] = k->dot(x, l->router + (size_t)e * (size_t)s->n_embd, s->n_embd);
    moe_route(s, logits, l->router_bias, experts, weights);
}

void moe_sort(const Shape *s, int n, MoePairs *pairs)
{
    int n_pairs = n * s->n_experts_used, *starts = pairs->starts;
    memset(starts, 0, (size_t)(s->n_experts + 1) * sizeof *starts);
    for (int i = 0; i < n_pairs; i++)
        starts[pairs->expert_of[i] + 1]++;
    for (int e = 0; e < s->n_experts; e++)
        starts[e + 1] += starts[e];
    for (int i = 0; i < n_pairs; i++) {
        int row = starts[pairs->expert_of[i]]++;
        pairs->row_of[i] = row;
        pairs->token_of[row] = i / s->n_experts_used;
    }
    for (int e = s->n_experts; e > 0; e--) // undo the advance of the loop above
        starts[e] = starts[e - 1];
    starts[0] = 0;
}

// A feed-forward layer over the rows of a pass.
typedef struct Network {
    Compute *c;
    const Shape *s;
    const Layer *l;
    size_t n_ff; // of the rows that are activated
} Network;

static void route_row(void *user, int t, int thread)
{
    const Network *net = user;
    const Shape *s = net->s;
    Compute *c = net->c;
    (void)thread;
    moe_route_row(c->k, s, net->l, c->h + (size_t)t * (size_t)s->n_embd,
                  c->router_logits + (size_t)t * (size_t)s->n_experts,
                  c->pairs.expert_of + t * s->n_experts_used,
                  c->gate_weights + t * s->n_experts_used);
}

// --- networks ------------------------------------------------------------------------------------

static void activate_row(void *user, int i, int thread)
{
    const Network *net = user;
    size_t at = (size_t)i * net->n_ff;
    float *gate = net->c->ff_gate + at;
    (void)thread;
    net->c->k->silu_mul(gate, net->c->ff_up + at, (int)net->n_ff, gate);
}

static void activate(Compute *c, int n_rows, int n_ff)
{
    compute_for_rows(c, n_rows, activate_row, &(Network){.c = c, .n_ff = (size_t)n_ff});
}

// One network over all n tokens of c->acts, into out [n][n_embd].
static void run_mlp(Compute *c, const Mlp *mlp, int n, float *out)
{
    int n_ff = mlp->gate.n_out;
    c->tasks[0] = (MatmulTask){&mlp->gate, 0, c->acts.rows, n, c->ff_gate, (size_t)n_ff};
    c->tasks[1] = (MatmulTask){&mlp->up, 0, c->acts.rows, n, c->ff_up, (size_t)n_ff};
    matmul_run(c, 2);
    activate(c, n, n_ff);
    acts_fill(c, &c->ff_acts, c->ff_gate, (size_t)n_ff, n, n_ff, matrix_is_quantised(&mlp->down));
    c->tasks[0] = (MatmulTask){&mlp->down, 0, c->ff_acts.rows, n, out, (size_t)mlp->down.n_out};
    matmul_run(c, 1);
}

void moe_dense(Compute *c, const Shape *s, const Layer *l, int n)
{
    bool quantised = matrix_is_quantised(&l->mlp.gate) || matrix_is_quantised(&l->mlp.up);
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, n, s->n_embd, quantised);
    run_mlp(c, &l->mlp, n, c->ff_down);
}

// Many experts' products are run a few at a time, some 20 ms of two cores' work: between them the
// pass may end. A product more, of n_rows rows, and whether there is time to look.
static bool run_when_many(Compute *c, int *n_tasks, long *n_products, const Matrix *w, int n_rows)
{
    const long enough = 4000L * 1000 * 1000;
    *n_products += (long)w->n_in * w->n_out * n_rows;
    if (*n_products < enough) return true;
    matmul_run(c, *n_tasks);
    *n_tasks = 0;
    *n_products = 0;
    return !compute_is_stopped(c);
}

// The rows of every chosen expert: gate, up, then down into rows [base, base + pairs) of ff_down.
// False: ended between them.
static bool run_experts(Compute *c, const Shape *s, const Layer *l, int n_pairs, float *out)
{
    const size_t n_ff = (size_t)s->n_ff_expert, n_embd = (size_t)s->n_embd;
    const int *starts = c->pairs.starts;
    for (int r = 0; r < n_pairs; r++)
        c->gathered[r] = c->acts.rows[c->pairs.token_of[r]];
    int n_tasks = 0;
    long n_products = 0;
    for (int e = 0; e < s->n_experts; e++) {
        int n_rows = starts[e + 1] - starts[e];
        if (n_rows == 0) continue;
        size_t at = (size_t)starts[e];
        c->tasks[n_tasks++] = (MatmulTask){&l->experts.gate,       e,   c->gathered + at, n_rows,
                                           c->ff_gate + at * n_ff, n_ff};
        c->tasks[n_tasks++] =
            (MatmulTask){&l->experts.up, e, c->gathered + at, n_rows, c->ff_up + at * n_ff, n_ff};
        if (!run_when_many(c, &n_tasks, &n_products, &l->experts.up, 2 * n_rows)) return false;
    }
    matmul_run(c, n_tasks);
    activate(c, n_pairs, s->n_ff_expert);
    acts_fill(c, &c->ff_acts, c->ff_gate, n_ff, n_pairs, s->n_ff_expert,
              matrix_is_quantised(&l->experts.down));
    n_tasks = 0;
    n_products = 0;
    for (int e = 0; e < s->n_experts; e++) {
        size_t at = (size_t)starts[e];
        int n_rows = starts[e + 1] - starts[e];
        if (n_rows == 0) continue;
        c->tasks[n_tasks++] = (MatmulTask){&l->experts.down,  e,     c->ff_acts.rows + at, n_rows,
                                           out + at * n_embd, n_embd};
        if (!run_when_many(c, &n_tasks, &n_products, &l->experts.down, n_rows)) return false;
    }
    matmul_run(c, n_tasks);
    return true;
}

// Adds the experts' rows of a token, which lie behind the n_tokens rows of the shared expert.
typedef struct Mixing {
    Compute *c;
    int n_embd, used, n_tokens;
} Mixing;

static void mix_row(void *user, int t, int thread)
{
    const Mixing *m = user;
    Compute *c = m->c;
    float *out = c->ff_down + (size_t)t * (size_t)m->n_embd;
    (void)thread;
    for (int i = t * m->used; i < (t + 1) * m->used; i++) {
        size_t row = (size_t)(m->n_tokens + c->pairs.row_of[i]);
        c->k->axpy(c->gate_weights[i], c->ff_down + row * (size_t)m->n_embd, out, m->n_embd);
    }
}

bool moe_sparse(Compute *c, const Shape *s, const Layer *l, int n)
{
    const size_t n_embd = (size_t)s->n_embd;
    bool quantised = matrix_is_quantised(&l->experts.gate) || matrix_is_quantised(&l->experts.up);
    if (l->shared.gate.data)
        quantised |= matrix_is_quantised(&l->shared.gate) || matrix_is_quantised(&l->shared.up);
    compute_for_rows(c, n, route_row, &(Network){.c = c, .s = s, .l = l});
    moe_sort(s, n, &c->pairs);
    acts_fill(c, &c->acts, c->h, n_embd, n, s->n_embd, quantised);
    if (l->shared.gate.data)
        run_mlp(c, &l->shared, n, c->ff_down);
    else
        memset(c->ff_down, 0, (size_t)n * n_embd * sizeof *c->ff_down);
    if (!run_experts(c, s, l, n * s->n_experts_used, c->ff_down + (size_t)n * n_embd)) return false;
    compute_for_rows(c, n, mix_row, &(Mixing){c, s->n_embd, s->n_experts_used, n});
    return true;
}

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
    size_t n_ff;    // of the rows that are activated
    bool quantised; // likewise: what they become
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

// Tokens of c->acts that meet the router's matrix together.
typedef struct TokenGroups {
    Network net;
    int n, each; // of all groups and of one
} TokenGroups;

static void route_group(void *user, int i, int thread)
{
    const TokenGroups *g = user;
    const Shape *s = g->net.s;
    const Layer *l = g->net.l;
    Compute *c = g->net.c;
    const size_t n_experts = (size_t)s->n_experts;
    const int first = i * g->each, left = g->n - first, n = left < g->each ? left : g->each;
    float *logits = c->router_logits + (size_t)first * n_experts;
    c->k->gemm(TENSOR_F32, l->router, (size_t)s->n_embd * sizeof(float), s->n_embd, s->n_experts,
               c->acts.rows + first, n, logits, n_experts, c->gemm_scratch[thread]);
    for (int t = first; t < first + n; t++, logits += n_experts)
        moe_route(s, logits, l->router_bias, c->pairs.expert_of + t * s->n_experts_used,
                  c->gate_weights + t * s->n_experts_used);
}

// Experts and weights of all n tokens of c->acts.
static void route(Compute *c, const Shape *s, const Layer *l, int n)
{
    TokenGroups groups = {{.c = c, .s = s, .l = l}, n, (n - 1) / (4 * c->n_threads) + 1};
    if (compute_takes_groups(c, n))
        compute_for(c, (n - 1) / groups.each + 1, route_group, &groups);
    else
        compute_for_rows(c, n, route_row, &groups.net);
    moe_sort(s, n, &c->pairs);
}

// --- networks ------------------------------------------------------------------------------------

static void activate_row(void *user, int i, int thread)
{
    const Network *net = user;
    Compute *c = net->c;
    size_t at = (size_t)i * net->n_ff;
    float *gate = c->ff_gate + at;
    (void)thread;
    c->k->silu_mul(gate, c->ff_up + at, (int)net->n_ff, gate);
    acts_fill_row(c->k, &c->ff_acts, i, gate, (int)net->n_ff, net->quantised);
}

// The input of `down` in c->ff_acts, from c->ff_gate and c->ff_up.
static void activate(Compute *c, int n_rows, const Matrix *down)
{
    Network net = {.c = c, .n_ff = (size_t)down->n_in, .quantised = matrix_is_quantised(down)};
    compute_for_rows(c, n_rows, activate_row, &net);
}

// Products that wait in c->tasks until they come to some 10 ms of two cores' work: a pass may end
// between two such runs, never within one.
typedef struct Waiting {
    Compute *c;
    int n_tasks;
    long n_products;
} Waiting;

static void run_waiting(Waiting *w)
{
    matmul_run(w->c, w->n_tasks);
    w->n_tasks = 0;
    w->n_products = 0;
}

// One more product, cut into parts of the vectors where it is larger than a run; parts of fewer
// than `fewest` vectors would spend their time on unpacking weights. False: the pass ends here.
static bool add_product(Waiting *w, MatmulTask task)
{
    const long enough = 4000L * 1000 * 1000, each = (long)task.w->n_in * task.w->n_out;
    const int fewest = 128, n_acts = task.n_acts;
    int part = each * fewest < enough ? (int)(enough / each) + 1 : fewest;
    for (int left = n_acts; left > 0; left -= task.n_acts) {
        task.n_acts = left < part ? left : part;
        w->c->tasks[w->n_tasks++] = task;
        w->n_products += each * task.n_acts;
        task.acts += task.n_acts;
        task.y += (size_t)task.n_acts * task.y_stride;
        if (w->n_products < enough) continue;
        run_waiting(w);
        if (compute_is_stopped(w->c)) return false;
    }
    return true;
}

// One network over all n tokens of c->acts, into out [n][n_embd]. False: ended within it.
static bool run_mlp(Compute *c, const Mlp *mlp, int n, float *out)
{
    const int n_ff = mlp->gate.n_out, n_out = mlp->down.n_out;
    const ActRow *acts = c->acts.rows;
    Waiting w = {.c = c};
    if (!add_product(&w, (MatmulTask){&mlp->gate, 0, acts, n, c->ff_gate, (size_t)n_ff}) ||
        !add_product(&w, (MatmulTask){&mlp->up, 0, acts, n, c->ff_up, (size_t)n_ff}))
        return false;
    run_waiting(&w);
    activate(c, n, &mlp->down);
    acts = c->ff_acts.rows;
    if (!add_product(&w, (MatmulTask){&mlp->down, 0, acts, n, out, (size_t)n_out})) return false;
    run_waiting(&w);
    return true;
}

bool moe_dense(Compute *c, const Shape *s, const Layer *l, int n)
{
    bool quantised = matrix_is_quantised(&l->mlp.gate) || matrix_is_quantised(&l->mlp.up);
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, n, s->n_embd, quantised);
    return run_mlp(c, &l->mlp, n, c->ff_down);
}

// The rows of every chosen expert: gate, up, then down into rows [base, base + pairs) of ff_down.
// False: ended between them.
static bool run_experts(Compute *c, const Shape *s, const Layer *l, int n_pairs, float *out)
{
    const size_t n_ff = (size_t)s->n_ff_expert, n_embd = (size_t)s->n_embd;
    const int *starts = c->pairs.starts;
    Waiting w = {.c = c};
    for (int r = 0; r < n_pairs; r++)
        c->gathered[r] = c->acts.rows[c->pairs.token_of[r]];
    for (int e = 0; e < s->n_experts; e++) {
        const int n = starts[e + 1] - starts[e];
        const size_t at = (size_t)starts[e];
        const ActRow *acts = c->gathered + at;
        float *gate = c->ff_gate + at * n_ff, *up = c->ff_up + at * n_ff;
        if (!add_product(&w, (MatmulTask){&l->experts.gate, e, acts, n, gate, n_ff}) ||
            !add_product(&w, (MatmulTask){&l->experts.up, e, acts, n, up, n_ff}))
            return false;
    }
    run_waiting(&w);
    activate(c, n_pairs, &l->experts.down);
    for (int e = 0; e < s->n_experts; e++) {
        const int n = starts[e + 1] - starts[e];
        const size_t at = (size_t)starts[e];
        const ActRow *acts = c->ff_acts.rows + at;
        if (!add_product(&w, (MatmulTask){&l->experts.down, e, acts, n, out + at * n_embd, n_embd}))
            return false;
    }
    run_waiting(&w);
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
    acts_fill(c, &c->acts, c->h, n_embd, n, s->n_embd, quantised);
    route(c, s, l, n);
    if (!l->shared.gate.data)
        memset(c->ff_down, 0, (size_t)n * n_embd * sizeof *c->ff_down);
    else if (!run_mlp(c, &l->shared, n, c->ff_down))
        return false;
    if (!run_experts(c, s, l, n * s->n_experts_used, c->ff_down + (size_t)n * n_embd)) return false;
    compute_for_rows(c, n, mix_row, &(Mixing){c, s->n_embd, s->n_experts_used, n});
    return true;
}

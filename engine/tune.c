// Making and freeing an adapter in training: which matrices it changes, and every buffer.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "base/random.h"
#include "lora.h"
#include "model.h"
#include "tune_state.h"

enum { HEAD_FLOATS = 1 << 23, MAX_HEAD_ROWS = 256, MAX_TOKENS = 1 << 20 };

static size_t at_least_one(size_t n)
{
    return n ? n : 1;
}

// A zeroed block that tune_free releases; NULL without memory, or while measuring.
static void *take(Tune *t, size_t n, size_t bytes)
{
    size_t total = at_least_one(n) * bytes;
    t->n_bytes += total;
    if (t->measuring) return NULL;
    void *p = calloc(1, total);
    VEC_PUSH(&t->owned, p);
    return p;
}

static float *floats(Tune *t, size_t n)
{
    return take(t, n, sizeof(float));
}

// --- buffers -------------------------------------------------------------------------------------

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void take_mlp(Tune *t, TuneMlp *m, size_t n)
{
    m->gate = floats(t, n);
    m->up = floats(t, n);
    m->act = floats(t, n);
}

static void take_mlp_gradient(Tune *t, TuneMlp *m, size_t n)
{
    m->d_gate = floats(t, n);
    m->d_up = floats(t, n);
    m->d_act = floats(t, n);
}

static void take_attention(Tune *t, TuneBlock *b)
{
    const Shape *s = t->shape;
    const size_t n = (size_t)t->options.max_tokens, heads = (size_t)s->n_heads;
    const size_t dk = (size_t)s->key_dim, dv = (size_t)s->value_dim, kv = (size_t)t->n_kv;
    b->q = floats(t, n * heads * dk);
    b->k = floats(t, n * kv * dk);
    b->v = floats(t, n * kv * dv);
    b->att = floats(t, n * heads * dv);
    if (s->qk_norm) {
        b->q_raw = floats(t, n * heads * dk);
        b->k_raw = floats(t, n * kv * dk);
    }
    if (!s->mla) return;
    b->q_latent = floats(t, n * (size_t)s->q_lora);
    b->q_normed = floats(t, n * (size_t)s->q_lora);
    b->kv_a = floats(t, n * ((size_t)s->kv_lora + (size_t)s->rope_dim));
    b->latent = floats(t, n * (size_t)s->kv_lora);
}

static void take_attention_gradient(Tune *t, TuneBlock *b)
{
    const Shape *s = t->shape;
    const size_t n = (size_t)t->options.max_tokens, heads = (size_t)s->n_heads;
    const size_t q_lora = (size_t)s->q_lora, lora = (size_t)s->kv_lora;
    b->d_q = floats(t, n * heads * (size_t)s->key_dim);
    b->d_k = floats(t, n * heads * (size_t)s->key_dim);
    b->d_v = floats(t, n * heads * (size_t)s->value_dim);
    b->d_att = floats(t, n * heads * (size_t)s->value_dim);
    if (!s->mla) return;
    b->d_q_latent = floats(t, n * q_lora);
    b->d_kv_a = floats(t, n * (lora + (size_t)s->rope_dim));
    b->d_latent = floats(t, n * lora);
    b->d_head = floats(t, n * larger(q_lora, lora));
}

// Values of a network's row of activations, over all of a token's experts: the dense layers',
// the others', or what is enough for both.
static size_t mlp_floats(const Shape *s, bool dense, bool moe)
{
    size_t experts = (size_t)s->n_experts_used * (size_t)s->n_ff_expert;
    return larger(dense ? (size_t)s->n_ff : 0, moe ? experts : 0);
}

static void take_ffn(Tune *t, TuneBlock *b, bool dense, bool moe)
{
    const Shape *s = t->shape;
    const size_t n = (size_t)t->options.max_tokens, n_embd = (size_t)s->n_embd;
    const size_t pairs = n * (size_t)s->n_experts_used, experts = (size_t)s->n_experts;
    take_mlp(t, &b->mlp, n * mlp_floats(s, dense, moe));
    if (!moe) return;
    take_mlp(t, &b->shared, n * (size_t)s->n_ff_expert * (size_t)s->n_experts_shared);
    b->router_logits = floats(t, n * experts);
    b->gate_weights = floats(t, pairs);
    b->pairs.expert_of = take(t, pairs, sizeof(int));
    b->pairs.row_of = take(t, pairs, sizeof(int));
    b->pairs.token_of = take(t, pairs, sizeof(int));
    b->pairs.starts = take(t, experts + 1, sizeof(int));
    b->expert_in = floats(t, pairs * n_embd);
    b->expert_out = floats(t, pairs * n_embd);
}

static void take_ffn_gradient(Tune *t, TuneBlock *b, bool dense, bool moe)
{
    const Shape *s = t->shape;
    const size_t n = (size_t)t->options.max_tokens;
    const size_t pairs = n * (size_t)s->n_experts_used;
    take_mlp_gradient(t, &b->mlp, n * mlp_floats(s, dense, moe));
    if (!moe) return;
    take_mlp_gradient(t, &b->shared, n * (size_t)s->n_ff_expert * (size_t)s->n_experts_shared);
    b->d_logits = floats(t, n * (size_t)s->n_experts + pairs);
    b->d_expert_in = floats(t, pairs * (size_t)s->n_embd);
    b->d_expert_out = floats(t, pairs * (size_t)s->n_embd);
}

// What the backward pass reads of a block.
static void take_insides(Tune *t, TuneBlock *b, bool dense, bool moe)
{
    const size_t n = (size_t)t->options.max_tokens, n_embd = (size_t)t->shape->n_embd;
    b->attn_in = floats(t, n * n_embd);
    b->mid = floats(t, n * n_embd);
    b->ffn_in = floats(t, n * n_embd);
    take_attention(t, b);
    take_ffn(t, b, dense, moe);
}

static size_t insides_bytes(Tune *t, bool dense, bool moe)
{
    TuneBlock none = {0};
    size_t before = t->n_bytes;
    bool measuring = t->measuring;
    t->measuring = true;
    take_insides(t, &none, dense, moe);
    size_t n = t->n_bytes - before;
    t->measuring = measuring;
    t->n_bytes = before;
    return n;
}

// Sets of their own from the last block down, as far as there is room.
static void take_blocks(Tune *t)
{
    const Shape *s = t->shape;
    bool moe = s->n_experts > 0, dense = !moe || s->n_dense_layers > 0;
    size_t left = t->options.keep_bytes;
    TuneBlock shared = {0};
    shared.d_norm = floats(t, (size_t)t->options.max_tokens * (size_t)s->n_embd);
    take_attention_gradient(t, &shared);
    take_ffn_gradient(t, &shared, dense, moe);
    take_insides(t, &shared, dense, moe);
    t->blocks = take(t, (size_t)s->n_layers, sizeof *t->blocks);
    for (t->first_kept = s->n_layers; t->first_kept > 1; t->first_kept--) {
        TuneBlock own = shared;
        int i = t->first_kept - 1;
        bool has_experts = t->weights->layers[i].moe;
        size_t wanted = insides_bytes(t, !has_experts, has_experts);
        if (wanted > left) break;
        left -= wanted;
        take_insides(t, &own, !has_experts, has_experts);
        if (t->blocks) t->blocks[i] = own;
    }
    for (int i = 0; t->blocks && i < t->first_kept; i++)
        t->blocks[i] = shared;
}

static void take_products(Tune *t)
{
    const Shape *s = t->shape;
    const size_t n = (size_t)t->options.max_tokens, threads = (size_t)t->compute->n_threads;
    const size_t rank = (size_t)t->options.rank, n_embd = (size_t)s->n_embd;
    t->n_acts = larger(n * larger((size_t)s->n_experts_used, 1), MAX_HEAD_ROWS);
    t->acts = take(t, t->n_acts, sizeof *t->acts);
    t->thread_acts = take(t, threads * t->n_acts, sizeof *t->acts);
    t->tile_floats = larger(TUNE_BACK_FLOATS,
                            larger(TUNE_TILE_FLOATS, TUNE_MIN_ROWS * (size_t)t->weights->max_n_in));
    t->sum_floats = t->n_acts * TUNE_BACK_COLUMNS;
    t->tiles = floats(t, threads * t->tile_floats);
    t->lines = floats(t, threads * TUNE_LINES * TUNE_BACK_COLUMNS);
    t->sums = floats(t, threads * t->sum_floats);
    t->inner = floats(t, n * rank);
    t->d_inner = floats(t, n * rank);
    t->attend = floats(t, threads * tune_attend_floats(s, n));
    t->head_rows = HEAD_FLOATS / s->n_vocab;
    t->head_rows = t->head_rows < 8               ? 8
                   : t->head_rows > MAX_HEAD_ROWS ? MAX_HEAD_ROWS
                                                  : t->head_rows;
    t->logits = floats(t, (size_t)t->head_rows * (size_t)s->n_vocab);
    t->values = take(t, (size_t)t->head_rows, sizeof *t->values);
    t->head_in = floats(t, (size_t)t->head_rows * n_embd);
    t->d_head_in = floats(t, (size_t)t->head_rows * n_embd);
    t->wanted = take(t, n, sizeof(int));
}

static void take_all(Tune *t)
{
    const Shape *s = t->shape;
    const size_t n = (size_t)t->options.max_tokens, n_embd = (size_t)s->n_embd;
    t->params = floats(t, t->n_params);
    t->grads = floats(t, t->n_params);
    t->first = floats(t, t->n_params);
    t->second = floats(t, t->n_params);
    t->states = floats(t, ((size_t)s->n_layers + 1) * n * n_embd);
    t->angles = floats(t, n * (size_t)s->rope_dim);
    t->starts = take(t, n, sizeof(int));
    t->d_x = floats(t, n * n_embd);
    take_blocks(t);
    take_products(t);
}

// --- parameters ----------------------------------------------------------------------------------

// Every matrix of the layers that runs and that an adapter may change; the MTP block's are not
// among them.
static void choose_pairs(Tune *t)
{
    const size_t rank = (size_t)t->options.rank;
    for (int i = 0; i < t->shape->n_layers; i++) {
        const Layer *l = &t->weights->layers[i];
        const Matrix *all[] = {&l->q,          &l->k,        &l->v,           &l->q_a,
                               &l->q_b,        &l->kv_a,     &l->output,      &l->mlp.gate,
                               &l->mlp.up,     &l->mlp.down, &l->shared.gate, &l->shared.up,
                               &l->shared.down};
        for (size_t m = 0; m < sizeof all / sizeof *all; m++) {
            const Matrix *w = all[m];
            if (!w->data || !w->tensor) continue;
            TunePair *p = &t->pairs[w->tensor - 1];
            *p = (TunePair){.used = true, .n_in = w->n_in, .n_out = w->n_out, .a = t->n_params};
            p->b = p->a + rank * (size_t)w->n_in;
            t->n_params = p->b + rank * (size_t)w->n_out;
        }
    }
}

// A is uniform with the deviation of LoRA's reference code (Kaiming, a = sqrt 5): bound
// 1 / sqrt(n_in).
static void fill_params(Tune *t)
{
    uint64_t state = t->options.seed;
    for (size_t i = 0; i < t->n_pairs; i++) {
        const TunePair *p = &t->pairs[i];
        double bound = p->used ? 1 / sqrt((double)p->n_in) : 0;
        for (size_t j = p->a; j < p->b; j++)
            t->params[j] = (float)(bound * (2 * random_uniform(&state) - 1));
    }
}

static bool check_options(const TuneOptions *o, Error *err)
{
    if (o->rank < 1 || o->rank > LORA_MAX_RANK)
        return error_set(err, ERROR_INVALID, "rank %d, wanted 1 to %d", o->rank, LORA_MAX_RANK);
    if (!(o->alpha > 0 && o->alpha <= 65536))
        return error_set(err, ERROR_INVALID, "alpha %g, wanted 0 to 65536", (double)o->alpha);
    if (o->max_tokens < 2 || o->max_tokens > MAX_TOKENS)
        return error_set(err, ERROR_INVALID, "sequences of %d tokens, wanted 2 to %d",
                         o->max_tokens, MAX_TOKENS);
    return true;
}

static bool has_all(const Tune *t)
{
    for (size_t i = 0; i < t->owned.n; i++)
        if (!t->owned.items[i]) return false;
    return true;
}

static Tune *prepare(const Gguf *gguf, const Shape *shape, const Weights *weights, Compute *compute,
                     const TuneOptions *options)
{
    Tune *t = calloc(1, sizeof *t);
    TunePair *pairs = calloc(at_least_one(gguf_n_tensors(gguf)), sizeof *pairs);
    if (!t || !pairs) {
        free(t);
        free(pairs);
        return NULL;
    }
    *t = (Tune){.gguf = gguf,
                .shape = shape,
                .weights = weights,
                .compute = compute,
                .options = *options,
                .scale = options->alpha / (float)options->rank,
                .pairs = pairs,
                .n_pairs = gguf_n_tensors(gguf),
                .n_kv = shape->mla ? shape->n_heads : shape->n_kv_heads};
    choose_pairs(t);
    return t;
}

Tune *tune_new_over(const Gguf *gguf, const Shape *shape, const Weights *weights, Compute *compute,
                    const TuneOptions *options, Error *err)
{
    if (!check_options(options, err)) return NULL;
    Tune *t = prepare(gguf, shape, weights, compute, options);
    if (t) take_all(t);
    if (!t || !has_all(t)) {
        error_set(err, ERROR_NO_MEMORY, "no memory to tune: %zu bytes for sequences of %d tokens",
                  t ? t->n_bytes : sizeof *t, options->max_tokens);
        tune_free(t);
        return NULL;
    }
    for (int i = 0; i < options->max_tokens; i++)
        attention_row_angles(compute, shape, i, t->angles + (size_t)i * (size_t)shape->rope_dim);
    fill_params(t);
    return t;
}

Tune *tune_new(Engine *engine, const TuneOptions *options, Error *err)
{
    Tune *t = tune_new_over(engine->gguf, &engine->shape, &engine->weights, &engine->compute,
                            options, err);
    if (t) t->engine = engine;
    return t;
}

void tune_free(Tune *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->owned.n; i++)
        free(t->owned.items[i]);
    VEC_FREE(&t->owned);
    adapter_close(t->adapter);
    free(t->pairs);
    free(t);
}

size_t tune_bytes(const Engine *engine, const TuneOptions *options)
{
    Compute team = {.n_threads = engine->compute.n_threads};
    Error err = {0};
    if (!check_options(options, &err)) return 0;
    Tune *t = prepare(engine->gguf, &engine->shape, &engine->weights, &team, options);
    if (!t) return SIZE_MAX;
    t->measuring = true;
    take_all(t);
    size_t n = t->n_bytes;
    tune_free(t);
    return n;
}

size_t tune_n_params(const Tune *tune)
{
    return tune->n_params;
}

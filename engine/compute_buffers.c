// The buffers of compute.h: how large they are for a shape, and their blocks. The same code
// measures and allocates, so that a plan is what comes.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "compute.h"

enum { ALIGNMENT = 64 };

static void *add_block(Compute *c, size_t n, size_t elem_bytes, bool *ok)
{
    size_t n_bytes;
    void *block = NULL;
    *ok = *ok && !__builtin_mul_overflow(n ? n : 1, elem_bytes, &n_bytes) &&
          !__builtin_add_overflow(n_bytes, ALIGNMENT - 1, &n_bytes) &&
          !__builtin_add_overflow(c->n_bytes, n_bytes, &c->n_bytes);
    if (!*ok || c->measuring) return NULL;
    block = aligned_alloc(ALIGNMENT, n_bytes / ALIGNMENT * ALIGNMENT);
    *ok = block != NULL;
    assert(c->n_blocks < (int)(sizeof c->blocks / sizeof *c->blocks));
    if (block) c->blocks[c->n_blocks++] = block;
    return block;
}

static void add_acts(Compute *c, Acts *acts, size_t n_rows, size_t n_values, bool *ok)
{
    acts->rows = add_block(c, n_rows, sizeof(ActRow), ok);
    acts->q = add_block(c, n_values, 1, ok);
    acts->scale = add_block(c, n_values / ACT_BLOCK + n_rows, sizeof(float), ok);
    acts->sums = add_block(c, n_values / 16 + n_rows, sizeof(int16_t), ok);
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

// Widths of the buffers, in floats a token.
typedef struct Widths {
    size_t embd, q, kv, latent, att, ff, ff_rows, heads, experts, used, acts;
} Widths;

static Widths measure(const Shape *s, const Weights *w)
{
    Widths out = {.embd = (size_t)s->n_embd, .heads = (size_t)s->n_heads};
    out.q = out.heads * (size_t)s->key_dim;
    out.kv = (size_t)s->n_kv_heads * (size_t)(s->key_dim + s->value_dim);
    out.latent = 1;
    if (s->mla) {
        size_t row = (size_t)(s->kv_lora + s->rope_dim);
        out.kv = row;
        out.latent = max_size((size_t)s->q_lora, out.heads * row);
    }
    out.att = out.heads * (size_t)s->value_dim;
    out.experts = max_size((size_t)s->n_experts, 1);
    out.used = max_size((size_t)s->n_experts_used, 1);
    size_t shared = (size_t)s->n_ff_expert * (size_t)s->n_experts_shared;
    out.ff = max_size(max_size((size_t)s->n_ff, out.used * (size_t)s->n_ff_expert), shared);
    out.ff_rows = out.used + 1; // of every token: its experts' and the shared expert's
    out.acts = max_size(max_size((size_t)w->max_n_in, out.latent), out.q);
    return out;
}

static void init_buffers(Compute *c, const Shape *s, const Widths *w, bool *ok)
{
    const size_t t = (size_t)c->pass_rows, f = sizeof(float);
    c->x = add_block(c, t * w->embd, f, ok);
    c->h = add_block(c, t * w->embd, f, ok);
    c->q = add_block(c, t * w->q, f, ok);
    c->kv = add_block(c, t * w->kv, f, ok);
    c->latent = add_block(c, t * w->latent, f, ok);
    c->att = add_block(c, t * w->att, f, ok);
    c->ff_gate = add_block(c, t * w->ff, f, ok);
    c->ff_up = add_block(c, t * w->ff, f, ok);
    c->ff_down = add_block(c, t * w->ff_rows * w->embd, f, ok);
    c->angles = add_block(c, t * (size_t)s->rope_dim, f, ok);
    c->inv_freq = add_block(c, (size_t)s->rope_dim, f, ok);
    c->pairs.expert_of = add_block(c, t * w->used, sizeof(int), ok);
    c->pairs.row_of = add_block(c, t * w->used, sizeof(int), ok);
    c->pairs.token_of = add_block(c, t * w->used, sizeof(int), ok);
    c->pairs.starts = add_block(c, w->experts + 1, sizeof(int), ok);
    c->gate_weights = add_block(c, t * w->used, f, ok);
    c->router_logits = add_block(c, t * w->experts, f, ok);
    c->gathered = add_block(c, t * max_size(w->heads, w->used), sizeof(ActRow), ok);
    add_acts(c, &c->acts, t, t * w->acts, ok);
    add_acts(c, &c->ff_acts, t * w->used, t * w->ff, ok);
}

static bool init_all(Compute *c, const Shape *shape, const Weights *weights)
{
    Widths widths = measure(shape, weights);
    bool ok = true;
    c->pass_rows = shape->n_experts > 0 ? COMPUTE_CHUNK : COMPUTE_CHUNK / 2;
    init_buffers(c, shape, &widths, &ok);
    c->max_tasks = (int)(2 * widths.experts + 2 + widths.heads + 4);
    c->tasks = add_block(c, (size_t)c->max_tasks, sizeof(MatmulTask), &ok);
    c->task_starts = add_block(c, (size_t)c->max_tasks, sizeof(int), &ok);
    c->gemm_scratch = add_block(c, (size_t)c->n_threads, sizeof(char *), &ok);
    size_t stride = (gemm_scratch_bytes(weights->max_n_in) + 4095) / 4096 * 4096;
    char *scratch = add_block(c, (size_t)c->n_threads, stride, &ok);
    for (int i = 0; ok && !c->measuring && i < c->n_threads; i++)
        c->gemm_scratch[i] = scratch + (size_t)i * stride;
    c->n_pass_blocks = c->n_blocks;
    c->n_pass_bytes = c->n_bytes;
    return ok;
}

bool compute_init(Compute *c, const Kernels *kernels, int n_threads, const Shape *shape,
                  const Weights *weights, Error *err)
{
    *c = (Compute){.k = kernels, .n_threads = n_threads, .team = team_new(n_threads)};
    return init_all(c, shape, weights) ||
           error_set(err, ERROR_NO_MEMORY, "no memory for the engine's buffers: %zu bytes",
                     c->n_bytes);
}

static bool reserve_all(Compute *c, const Shape *s, int n_ctx)
{
    const size_t group_bytes = (size_t)48 << 20, f = sizeof(float);
    size_t n = max_size((size_t)n_ctx, (size_t)s->value_dim);
    n = (n + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
    size_t head_floats = n * (size_t)(s->key_dim + s->value_dim);
    size_t group = max_size(group_bytes / (head_floats * f), (size_t)c->n_threads);
    if (group > (size_t)s->n_heads) group = (size_t)s->n_heads;
    bool ok = true;
    c->keys = add_block(c, group * n * (size_t)s->key_dim, f, &ok);
    c->values = add_block(c, group * n * (size_t)s->value_dim, f, &ok);
    c->latents = add_block(c, s->mla ? n * (size_t)(s->kv_lora + s->rope_dim) : 1, f, &ok);
    add_acts(c, &c->latent_acts, s->mla ? n : 1, s->mla ? n * (size_t)s->kv_lora : 1, &ok);
    c->head_floats = (size_t)s->kv_lora * (size_t)(s->key_dim + s->value_dim);
    c->head_rows = add_block(c, (size_t)c->n_threads, c->head_floats * f, &ok);
    size_t laid_floats = COMPUTE_LAID_ROWS * (size_t)(s->key_dim + s->value_dim);
    c->laid_rows = add_block(c, (size_t)c->n_threads, laid_floats * f, &ok);
    c->scores = add_block(c, (size_t)c->n_threads, sizeof(float *), &ok);
    size_t turned = (ACT_BLOCK + 1) * (size_t)s->nope_dim; // of k_b, on their way
    size_t rows = max_size(COMPUTE_QUERY_BLOCK * n, turned);
    float *scores = add_block(c, (size_t)c->n_threads, rows * f, &ok);
    for (int i = 0; ok && !c->measuring && i < c->n_threads; i++)
        c->scores[i] = scores + (size_t)i * rows;
    c->n_ctx = (int)n;
    c->heads_in_group = (int)group;
    return ok;
}

static void free_blocks(Compute *c, int first, int last)
{
    for (int i = first; i < last; i++)
        free(c->blocks[i]);
}

bool compute_reserve(Compute *c, const Shape *s, int n_ctx, Error *err)
{
    if (n_ctx <= c->n_ctx) return true;
    const Compute old = *c;
    c->n_bytes = c->n_pass_bytes;
    if (!reserve_all(c, s, n_ctx)) { // smaller sessions go on with what there was
        free_blocks(c, old.n_blocks, c->n_blocks);
        *c = old;
        return error_set(err, ERROR_NO_MEMORY, "no memory for attention over %d tokens", n_ctx);
    }
    free_blocks(c, c->n_pass_blocks, old.n_blocks);
    int n_new = c->n_blocks - old.n_blocks;
    memmove(c->blocks + c->n_pass_blocks, c->blocks + old.n_blocks,
            (size_t)n_new * sizeof *c->blocks);
    c->n_blocks = c->n_pass_blocks + n_new;
    return true;
}

size_t compute_bytes(int n_threads, const Shape *shape, const Weights *weights, int n_ctx)
{
    Compute c = {.n_threads = n_threads, .measuring = true};
    return init_all(&c, shape, weights) && reserve_all(&c, shape, n_ctx) ? c.n_bytes : SIZE_MAX;
}

void compute_deinit(Compute *c)
{
    team_free(c->team);
    free(c->lora);
    free_blocks(c, 0, c->n_blocks);
    *c = (Compute){0};
}

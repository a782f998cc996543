// The two ways of one attention layer. Queries are scaled when they are rotated, so scores need no
// further factor.
#include "attention.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { MIN_BLOCK_TOKENS = 16 }; // from here on keys and values are laid out as F32

void attention_frequencies(Compute *c, const Shape *s, const float *divisors)
{
    double width = fmax((double)(s->yarn_high - s->yarn_low), 0.001); // a step where they are equal
    for (int i = 0; i < s->rope_dim / 2; i++) {
        double freq = pow((double)s->rope_base, -2.0 * i / s->rope_dim);
        double stretched = 1; // how far this pair is scaled: all, or under YaRN by the ramp
        if (s->yarn) stretched = fmin(fmax((i - (double)s->yarn_low) / width, 0), 1);
        freq *= 1 - stretched + stretched / (double)s->rope_divisor;
        c->inv_freq[i] = (float)(divisors ? freq / (double)divisors[i] : freq);
    }
}

void attention_angles(Compute *c, const Shape *s, const Pass *pass)
{
    COMPUTE_FOR_ROWS(c, t, pass->n)
    {
        int tok_pos = pass_row(pass, t).tok_pos;
        float *out = c->angles + (size_t)t * (size_t)s->rope_dim;
        for (int i = 0; i < s->rope_dim / 2; i++) {
            double angle = (double)tok_pos * (double)c->inv_freq[i];
            out[2 * i] = (float)cos(angle) * s->rope_amplitude;
            out[2 * i + 1] = (float)sin(angle) * s->rope_amplitude;
        }
    }
}

// Rotates rope_dim elements of x in place.
static void rotate(const Shape *s, const float *angles, float *x)
{
    int n_pairs = s->rope_dim / 2;
    int step = s->rope_halves ? 1 : 2, apart = s->rope_halves ? n_pairs : 1;
    for (int i = 0; i < n_pairs; i++) {
        float *a = x + i * step, *b = a + apart;
        float cosine = angles[2 * i], sine = angles[2 * i + 1], old = *a;
        *a = old * cosine - *b * sine;
        *b = old * sine + *b * cosine;
    }
}

static void scale_row(float *x, int n, float factor)
{
    for (int i = 0; i < n; i++)
        x[i] *= factor;
}

// How many of the first n positions lie before a sliding window.
static int n_hidden(int n, int window)
{
    return window && n > window ? n - window : 0;
}

// One query against cached rows in at most two places: out[dv] = softmax(q . k) v.
typedef struct Span {
    const uint16_t *k, *v;
    int n;
} Span;

typedef struct Rows {
    Span spans[2];
    size_t k_stride, v_stride; // half floats between tokens
    int dk, dv, n;             // n: of both spans
} Rows;

// What row t of a pass sees of a layer, less what a sliding window hides; k_at and v_at are where
// the head lies within a cached row.
static Rows find_rows(const Shape *s, const Pass *pass, int layer, int t, size_t k_at, size_t v_at)
{
    const Kv *own = pass->own, *shared = pass->shared;
    PassRow row = pass_row(pass, t);
    int hidden = n_hidden(row.tok_pos + 1, s->sliding_window);
    int skipped = hidden < pass->n_shared ? hidden : pass->n_shared;
    size_t first = (size_t)(row.first + hidden - skipped);
    Rows out = {.k_stride = own->k_width, .v_stride = own->v_width};
    if (shared) {
        size_t at = (size_t)skipped;
        out.spans[0] = (Span){kv_keys(shared, layer) + at * shared->k_width + k_at,
                              kv_values(shared, layer) + at * shared->v_width + v_at,
                              pass->n_shared - skipped};
    }
    out.spans[1] =
        (Span){kv_keys(own, layer) + first * own->k_width + k_at,
               kv_values(own, layer) + first * own->v_width + v_at, row.slot + 1 - (int)first};
    out.n = out.spans[0].n + out.spans[1].n;
    return out;
}

static void attend_rows(const Kernels *k, const float *q, const Rows *rows, float *scores,
                        float *out)
{
    const Span *spans = rows->spans;
    int at = 0;
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < spans[part].n; i++)
            scores[at++] = k->dot_f16(q, spans[part].k + (size_t)i * rows->k_stride, rows->dk);
    k->softmax(scores, rows->n);
    memset(out, 0, (size_t)rows->dv * sizeof *out);
    at = 0;
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < spans[part].n; i++)
            k->axpy_f16(scores[at++], spans[part].v + (size_t)i * rows->v_stride, out, rows->dv);
}

// A block of queries of one head against F32 keys [n_vis][dk] and transposed values [dv][n_ctx]:
//   q rows q_stride apart, out rows out_stride apart; query i sees first_vis + i positions.
typedef struct HeadBlock {
    const float *keys, *values, *q;
    float *out;
    size_t q_stride, out_stride;
    int dk, dv, n_queries, first_vis;
    int window; // of these positions query i sees the last so many; 0: all
} HeadBlock;

static void attend_block(Compute *c, const HeadBlock *b, int thread)
{
    ActRow acts[COMPUTE_QUERY_BLOCK];
    int n_vis = b->first_vis + b->n_queries - 1;
    int n_pad = (n_vis + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
    float *scores = c->scores[thread];
    char *scratch = c->gemm_scratch[thread];
    for (int i = 0; i < b->n_queries; i++)
        acts[i] = (ActRow){.x = b->q + (size_t)i * b->q_stride};
    c->k->gemm(TENSOR_F32, b->keys, (size_t)b->dk * sizeof(float), b->dk, n_vis, acts, b->n_queries,
               scores, (size_t)n_pad, scratch);
    for (int i = 0; i < b->n_queries; i++) {
        float *row = scores + (size_t)i * (size_t)n_pad;
        int vis = b->first_vis + i, hidden = n_hidden(vis, b->window);
        memset(row, 0, (size_t)hidden * sizeof *row);
        c->k->softmax(row + hidden, vis - hidden);
        memset(row + vis, 0, (size_t)(n_pad - vis) * sizeof *row);
        acts[i].x = row;
    }
    c->k->gemm(TENSOR_F32, b->values, (size_t)c->n_ctx * sizeof(float), n_pad, b->dv, acts,
               b->n_queries, b->out, b->out_stride, scratch);
}

// All query blocks of heads [head0, head0 + n_heads); head h uses keys and values h * n_kv /
// n_heads of the group's.
static void attend_group(Compute *c, const Shape *s, int head0, int n_heads, int shared_by,
                         int pos0, int n)
{
    size_t q_row = (size_t)s->n_heads * (size_t)s->key_dim;
    size_t out_row = (size_t)s->n_heads * (size_t)s->value_dim;
    int n_blocks = (n + COMPUTE_QUERY_BLOCK - 1) / COMPUTE_QUERY_BLOCK;
#pragma omp parallel for num_threads(c->n_threads) schedule(dynamic, 1)
    for (int i = 0; i < n_heads * n_blocks; i++) {
        int h = i / n_blocks, first = (n_blocks - 1 - i % n_blocks) * COMPUTE_QUERY_BLOCK;
        int left = n - first;
        size_t kv = (size_t)(h / shared_by) * (size_t)c->n_ctx;
        HeadBlock block = {
            .keys = c->keys + kv * (size_t)s->key_dim,
            .values = c->values + kv * (size_t)s->value_dim,
            .q = c->q + (size_t)first * q_row + (size_t)(head0 + h) * (size_t)s->key_dim,
            .out = c->att + (size_t)first * out_row + (size_t)(head0 + h) * (size_t)s->value_dim,
            .q_stride = q_row,
            .out_stride = out_row,
            .dk = s->key_dim,
            .dv = s->value_dim,
            .n_queries = left < COMPUTE_QUERY_BLOCK ? left : COMPUTE_QUERY_BLOCK,
            .first_vis = pos0 + first + 1,
            .window = s->sliding_window,
        };
        attend_block(c, &block, omp_get_thread_num());
    }
}

// Zeroes the padding of transposed values, which a matrix product reads as zero times zero.
static void pad_values(const Compute *c, float *values, int dv, int n)
{
    int n_pad = (n + ACT_BLOCK - 1) / ACT_BLOCK * ACT_BLOCK;
    for (int j = 0; j < dv; j++)
        memset(values + (size_t)j * (size_t)c->n_ctx + n, 0, (size_t)(n_pad - n) * sizeof(float));
}

// --- grouped-query attention ---------------------------------------------------------------------

static void add_bias(float *x, const float *bias, int n)
{
    for (int i = 0; bias && i < n; i++)
        x[i] += bias[i];
}

// Every head of x [n_heads][key_dim]: normalised where the model has weights for it, then rotated.
static void turn_heads(const Compute *c, const Shape *s, float *x, int n_heads, const float *norm,
                       const float *angles)
{
    for (int h = 0; h < n_heads; h++, x += s->key_dim) {
        if (norm) c->k->rms_norm(x, norm, s->rms_eps, s->key_dim, x);
        rotate(s, angles, x);
    }
}

// Keys of a cached head as F32 rows, values transposed.
static void lay_out_gqa(Compute *c, const Shape *s, const Kv *kv, int layer, int head0, int n_heads,
                        int n)
{
    const int dk = s->key_dim, dv = s->value_dim;
    COMPUTE_FOR(c, h, n_heads)
    {
        const uint16_t *k = kv_keys(kv, layer) + (size_t)(head0 + h) * (size_t)dk;
        const uint16_t *v = kv_values(kv, layer) + (size_t)(head0 + h) * (size_t)dv;
        float *keys = c->keys + (size_t)h * (size_t)c->n_ctx * (size_t)dk;
        float *values = c->values + (size_t)h * (size_t)c->n_ctx * (size_t)dv;
        float *row = c->scores[omp_get_thread_num()];
        for (int i = 0; i < n; i++) {
            c->k->dequantize(TENSOR_F16, k + (size_t)i * kv->k_width, dk,
                             keys + (size_t)i * (size_t)dk);
            c->k->dequantize(TENSOR_F16, v + (size_t)i * kv->v_width, dv, row);
            for (int j = 0; j < dv; j++)
                values[(size_t)j * (size_t)c->n_ctx + (size_t)i] = row[j];
        }
        pad_values(c, values, dv, n);
    }
}

static void attend_gqa_blocks(Compute *c, const Shape *s, const Kv *kv, int layer, int n)
{
    int shared_by = s->n_heads / s->n_kv_heads;
    for (int head0 = 0; head0 < s->n_kv_heads; head0 += c->heads_in_group) {
        int left = s->n_kv_heads - head0;
        int n_heads = left < c->heads_in_group ? left : c->heads_in_group;
        lay_out_gqa(c, s, kv, layer, head0, n_heads, kv->len + n);
        attend_group(c, s, head0 * shared_by, n_heads * shared_by, shared_by, kv->len, n);
    }
}

static void attend_gqa_rows(Compute *c, const Shape *s, const Pass *pass, int layer)
{
    COMPUTE_FOR(c, i, pass->n * s->n_heads)
    {
        int t = i / s->n_heads, h = i % s->n_heads;
        size_t kv_head = (size_t)(h * s->n_kv_heads / s->n_heads);
        Rows rows = find_rows(s, pass, layer, t, kv_head * (size_t)s->key_dim,
                              kv_head * (size_t)s->value_dim);
        rows.dk = s->key_dim;
        rows.dv = s->value_dim;
        attend_rows(c->k, c->q + (size_t)i * (size_t)s->key_dim, &rows,
                    c->scores[omp_get_thread_num()], c->att + (size_t)i * (size_t)s->value_dim);
    }
}

void attention_gqa(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const Kv *kv = pass->own;
    const int n = pass->n;
    const size_t q_dim = (size_t)l->q.n_out, k_dim = kv->k_width, v_dim = kv->v_width;
    float *k = c->kv, *v = c->kv + (size_t)n * k_dim;
    bool quantised =
        matrix_is_quantised(&l->q) || matrix_is_quantised(&l->k) || matrix_is_quantised(&l->v);
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, n, s->n_embd, quantised);
    c->tasks[0] = (MatmulTask){&l->q, 0, c->acts.rows, n, c->q, q_dim};
    c->tasks[1] = (MatmulTask){&l->k, 0, c->acts.rows, n, k, k_dim};
    c->tasks[2] = (MatmulTask){&l->v, 0, c->acts.rows, n, v, v_dim};
    matmul_run(c, 3);
    COMPUTE_FOR_ROWS(c, t, n)
    {
        const float *angles = c->angles + (size_t)t * (size_t)s->rope_dim;
        float *qt = c->q + (size_t)t * q_dim, *kt = k + (size_t)t * k_dim,
              *vt = v + (size_t)t * v_dim;
        add_bias(qt, l->q_bias, (int)q_dim);
        add_bias(kt, l->k_bias, (int)k_dim);
        add_bias(vt, l->v_bias, (int)v_dim);
        turn_heads(c, s, qt, s->n_heads, l->q_norm, angles);
        turn_heads(c, s, kt, s->n_kv_heads, l->k_norm, angles);
        scale_row(qt, (int)q_dim, s->attention_scale);
        size_t slot = (size_t)pass_row(pass, t).slot;
        c->k->to_f16(kt, (int)k_dim, kv_keys(kv, layer) + slot * k_dim);
        c->k->to_f16(vt, (int)v_dim, kv_values(kv, layer) + slot * v_dim);
    }
    if (pass_is_block(pass, MIN_BLOCK_TOKENS))
        attend_gqa_blocks(c, s, kv, layer, n);
    else
        attend_gqa_rows(c, s, pass, layer);
}

// --- multi-head latent attention -----------------------------------------------------------------

// Row t of c->kv, the latent and the rotary key, into the cache.
static void store_latent(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer,
                         int t)
{
    const size_t row = pass->own->k_width;
    float *kvt = c->kv + (size_t)t * row;
    c->k->rms_norm(kvt, l->kv_a_norm, s->rms_eps, s->kv_lora, kvt); // before caching
    rotate(s, c->angles + (size_t)t * (size_t)s->rope_dim, kvt + s->kv_lora);
    c->k->to_f16(kvt, (int)row, kv_keys(pass->own, layer) + (size_t)pass_row(pass, t).slot * row);
}

void attention_mla_store(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, pass->n, s->n_embd,
              matrix_is_quantised(&l->kv_a));
    matmul(c, &l->kv_a, &c->acts, pass->n, c->kv);
    COMPUTE_FOR_ROWS(c, t, pass->n)
    {
        store_latent(c, s, l, pass, layer, t);
    }
}

// Queries and the new latents: c->q rotated and scaled, cache rows written.
static void project_mla(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const Kv *kv = pass->own;
    const int n = pass->n;
    const size_t q_dim = (size_t)s->n_heads * (size_t)s->key_dim, row = kv->k_width;
    const Matrix *first = s->q_lora ? &l->q_a : &l->q;
    bool quantised = matrix_is_quantised(first) || matrix_is_quantised(&l->kv_a);
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, n, s->n_embd, quantised);
    c->tasks[0] =
        (MatmulTask){first, 0, c->acts.rows, n, s->q_lora ? c->latent : c->q, (size_t)first->n_out};
    c->tasks[1] = (MatmulTask){&l->kv_a, 0, c->acts.rows, n, c->kv, row};
    matmul_run(c, 2);
    if (s->q_lora) {
        COMPUTE_FOR_ROWS(c, t, n)
        {
            float *qa = c->latent + (size_t)t * (size_t)s->q_lora;
            c->k->rms_norm(qa, l->q_a_norm, s->rms_eps, s->q_lora, qa);
        }
        acts_fill(c, &c->acts, c->latent, (size_t)s->q_lora, n, s->q_lora,
                  matrix_is_quantised(&l->q_b));
        matmul(c, &l->q_b, &c->acts, n, c->q);
    }
    COMPUTE_FOR_ROWS(c, t, n)
    {
        const float *angles = c->angles + (size_t)t * (size_t)s->rope_dim;
        float *qt = c->q + (size_t)t * q_dim;
        for (int h = 0; h < s->n_heads; h++)
            rotate(s, angles, qt + h * s->key_dim + s->nope_dim);
        scale_row(qt, (int)q_dim, s->attention_scale);
        store_latent(c, s, l, pass, layer, t);
    }
}

// Rows of c->acts, cut per head: gathered[h * n + t] = row t from element h * width on.
static void gather_heads(Compute *c, const Shape *s, int n, int width)
{
    for (int h = 0; h < s->n_heads; h++)
        for (int t = 0; t < n; t++)
            c->gathered[h * n + t] = act_slice(c->acts.rows[t], h * width);
}

// q'_h = k_b_h q_nope_h, then scores against the latents themselves; o_h = v_b_h (sum p c).
static void attend_absorbed(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const int n = pass->n;
    const size_t row = pass->own->k_width, q_row = (size_t)s->n_heads * row;
    acts_fill(c, &c->acts, c->q, (size_t)(s->n_heads * s->key_dim), n, s->n_heads * s->key_dim,
              matrix_is_quantised(&l->k_b));
    gather_heads(c, s, n, s->key_dim);
    for (int h = 0; h < s->n_heads; h++)
        c->tasks[h] =
            (MatmulTask){&l->k_b, h, c->gathered + h * n, n, c->latent + (size_t)h * row, q_row};
    matmul_run(c, s->n_heads);
    COMPUTE_FOR(c, i, n * s->n_heads)
    {
        const float *pe = c->q + (size_t)i * (size_t)s->key_dim + s->nope_dim;
        float *q = c->latent + (size_t)i * row;
        memcpy(q + s->kv_lora, pe, (size_t)s->rope_dim * sizeof *q);
        Rows rows = find_rows(s, pass, layer, i / s->n_heads, 0, 0);
        rows.dk = (int)row;
        rows.dv = s->kv_lora;
        for (int part = 0; part < 2; part++) // the latent serves as both
            rows.spans[part].v = rows.spans[part].k;
        rows.v_stride = row;
        float *scores = c->scores[omp_get_thread_num()];
        float *out = scores + rows.n; // compute_reserve leaves room behind the scores
        attend_rows(c->k, q, &rows, scores, out);
        memcpy(q, out, (size_t)s->kv_lora * sizeof *q);
    }
    acts_fill(c, &c->acts, c->latent, q_row, n, (int)q_row,
              matrix_is_quantised(&l->v_b) && q_row % ACT_BLOCK == 0);
    gather_heads(c, s, n, (int)row);
    for (int h = 0; h < s->n_heads; h++)
        c->tasks[h] = (MatmulTask){&l->v_b,
                                   h,
                                   c->gathered + h * n,
                                   n,
                                   c->att + (size_t)h * (size_t)s->value_dim,
                                   (size_t)s->n_heads * (size_t)s->value_dim};
    matmul_run(c, s->n_heads);
}

// F32 keys [n][key_dim] and transposed values [value_dim][n_ctx] of one head from the latents.
static void expand_head(Compute *c, const Shape *s, const Layer *l, int head, float *keys,
                        float *values, int n)
{
    const size_t row = (size_t)(s->kv_lora + s->rope_dim), lora = (size_t)s->kv_lora;
    int thread = omp_get_thread_num();
    float *k_rows = c->head_rows + (size_t)thread * c->head_floats; // [nope][kv_lora]
    float *v_rows = k_rows + (size_t)s->nope_dim * lora;            // [value][kv_lora]
    ActRow *acts = c->head_acts + (size_t)thread * (size_t)c->n_ctx;
    float *line = c->scores[thread];
    const unsigned char *k_b = l->k_b.data + (size_t)head * l->k_b.part_bytes;
    const unsigned char *v_b = l->v_b.data + (size_t)head * l->v_b.part_bytes;
    for (int i = 0; i < s->kv_lora; i++) {
        c->k->dequantize(l->k_b.type, k_b + (size_t)i * l->k_b.row_bytes, s->nope_dim, line);
        for (int j = 0; j < s->nope_dim; j++)
            k_rows[(size_t)j * lora + (size_t)i] = line[j];
    }
    for (int i = 0; i < n; i++) {
        const float *latent = c->latents + (size_t)i * row;
        acts[i] = (ActRow){.x = latent};
        memcpy(keys + (size_t)i * (size_t)s->key_dim + s->nope_dim, latent + lora,
               (size_t)s->rope_dim * sizeof(float));
    }
    c->k->gemm(TENSOR_F32, k_rows, lora * sizeof(float), s->kv_lora, s->nope_dim, acts, n, keys,
               (size_t)s->key_dim, c->gemm_scratch[thread]);
    for (int j = 0; j < s->value_dim; j++) {
        c->k->dequantize(l->v_b.type, v_b + (size_t)j * l->v_b.row_bytes, s->kv_lora,
                         v_rows + (size_t)j * lora);
        acts[j] = (ActRow){.x = v_rows + (size_t)j * lora};
    }
    c->k->gemm(TENSOR_F32, c->latents, row * sizeof(float), s->kv_lora, n, acts, s->value_dim,
               values, (size_t)c->n_ctx, c->gemm_scratch[thread]);
    pad_values(c, values, s->value_dim, n);
}

static void attend_expanded(Compute *c, const Shape *s, const Layer *l, const Kv *kv, int layer,
                            int n)
{
    const size_t row = kv->k_width;
    const uint16_t *cached = kv_keys(kv, layer);
    int n_all = kv->len + n;
    COMPUTE_FOR(c, i, n_all)
    c->k->dequantize(TENSOR_F16, cached + (size_t)i * row, (int)row, c->latents + (size_t)i * row);
    for (int head0 = 0; head0 < s->n_heads; head0 += c->heads_in_group) {
        int left = s->n_heads - head0;
        int n_heads = left < c->heads_in_group ? left : c->heads_in_group;
        COMPUTE_FOR(c, h, n_heads)
        {
            size_t kv_at = (size_t)h * (size_t)c->n_ctx;
            expand_head(c, s, l, head0 + h, c->keys + kv_at * (size_t)s->key_dim,
                        c->values + kv_at * (size_t)s->value_dim, n_all);
        }
        attend_group(c, s, head0, n_heads, 1, kv->len, n);
    }
}

// Expanding costs kv_lora * (nope + value) a cached token and head; each query then saves the
// difference between a latent and an expanded score and sum.
static bool expanding_pays(const Shape *s, int n)
{
    long expand = (long)s->kv_lora * (s->nope_dim + s->value_dim);
    long saved = 2L * s->kv_lora + s->rope_dim - s->key_dim - s->value_dim;
    return n >= MIN_BLOCK_TOKENS && saved > 0 && n * saved > expand;
}

void attention_mla(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    project_mla(c, s, l, pass, layer);
    if (pass_is_block(pass, MIN_BLOCK_TOKENS) && expanding_pays(s, pass->n))
        attend_expanded(c, s, l, pass->own, layer, pass->n);
    else
        attend_absorbed(c, s, l, pass, layer);
}

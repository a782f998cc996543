// The two ways of one attention layer. Queries are scaled when they are rotated, so scores need no
// further factor.
#include "attention.h"

#include <math.h>
#include <string.h>

#include "kernels/blocks.h"

// MIN_BLOCK_TOKENS: from here on keys and values are laid out as F32.
enum { MIN_BLOCK_TOKENS = 16, MAX_HEADS_AT_ONCE = 4 };

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

void attention_row_angles(const Compute *c, const Shape *s, int tok_pos, float *out)
{
    for (int i = 0; i < s->rope_dim / 2; i++) {
        double angle = (double)tok_pos * (double)c->inv_freq[i];
        out[2 * i] = (float)cos(angle) * s->rope_amplitude;
        out[2 * i + 1] = (float)sin(angle) * s->rope_amplitude;
    }
}

// Heads that share cached keys are attended to by a few at a time, so that a key is read once for
// them all, as long as there are parts for all threads. Which heads go together changes no bit.
typedef struct HeadParts {
    int n_at_once, n_per_kv; // heads of a part; parts of a head of keys
} HeadParts;

// One layer's attention over the rows of a pass.
typedef struct Run {
    Compute *c;
    const Shape *s;
    const Layer *l;
    const Pass *pass;
    int layer;
    int first;       // row of the pass whose output is read
    int head0;       // first of the group of heads whose keys and values are laid out
    HeadParts parts; // of rows that are attended to one by one
} Run;

static void angles_of_row(void *user, int t, int thread)
{
    const Run *r = user;
    const Shape *s = r->s;
    int tok_pos = pass_row(r->pass, t).tok_pos;
    float *out = r->c->angles + (size_t)t * (size_t)s->rope_dim;
    (void)thread;
    attention_row_angles(r->c, s, tok_pos, out);
}

void attention_angles(Compute *c, const Shape *s, const Pass *pass)
{
    compute_for_rows(c, pass->n, angles_of_row, &(Run){.c = c, .s = s, .pass = pass});
}

void attention_rotate(const Shape *s, const float *angles, float *x)
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

// Keys and values of a head's cached rows in at most two places; n rows in all.
typedef struct Rows {
    HalfRows keys[2], values[2];
    int n;
} Rows;

// What row t of a pass sees of a layer, less what a sliding window hides; k_at and v_at are where
// the head lies within a cached row, dk and dv its widths.
static Rows find_rows(const Run *r, int t, size_t k_at, int dk, size_t v_at, int dv)
{
    const Pass *pass = r->pass;
    const Kv *places[2] = {pass->shared, pass->own};
    PassRow row = pass_row(pass, t);
    int hidden = n_hidden(row.tok_pos + 1, r->s->sliding_window);
    int skipped = hidden < pass->n_shared ? hidden : pass->n_shared;
    int first = row.first + hidden - skipped;
    const int starts[2] = {skipped, first}, n[2] = {pass->n_shared - skipped, row.slot + 1 - first};
    Rows out = {.n = n[0] + n[1]};
    for (int i = pass->shared ? 0 : 1; i < 2; i++) {
        const Kv *kv = places[i];
        size_t at = (size_t)starts[i];
        out.keys[i] =
            (HalfRows){kv_keys(kv, r->layer) + at * kv->k_width + k_at, kv->k_width, n[i], dk};
        out.values[i] =
            (HalfRows){kv_values(kv, r->layer) + at * kv->v_width + v_at, kv->v_width, n[i], dv};
    }
    return out;
}

// n_q queries of one head of keys: out = softmax(q . k) v. out may be q.
static void attend_rows(const Kernels *k, const float *q, size_t q_stride, int n_q,
                        const Rows *rows, float *scores, float *out, size_t out_stride)
{
    const size_t n = (size_t)rows->n;
    const int n_first = rows->keys[0].n_rows;
    for (int i = 0; i < 2; i++)
        k->dot_rows(q, q_stride, n_q, &rows->keys[i], scores + (i ? n_first : 0), n);
    for (int h = 0; h < n_q; h++) {
        k->softmax(scores + (size_t)h * n, rows->n);
        memset(out + (size_t)h * out_stride, 0, (size_t)rows->values[1].n * sizeof *out);
    }
    for (int i = 0; i < 2; i++)
        k->add_rows(scores + (i ? n_first : 0), n, n_q, &rows->values[i], out, out_stride);
}

static HeadParts part_heads(const Compute *c, const Shape *s, int n_rows, int n_kv_heads)
{
    int shared_by = s->n_heads / n_kv_heads;
    HeadParts parts = {MAX_HEADS_AT_ONCE, 0};
    for (;; parts.n_at_once /= 2) {
        parts.n_per_kv = (shared_by + parts.n_at_once - 1) / parts.n_at_once;
        if (parts.n_at_once == 1 || n_rows * n_kv_heads * parts.n_per_kv >= c->n_threads)
            return parts;
    }
}

// Part i of a pass: the row it belongs to, the head of keys, and n_heads heads from `head` on.
typedef struct HeadPart {
    int row, kv_head, head, n_heads;
} HeadPart;

static HeadPart find_part(const Run *r, int n_kv_heads, int i)
{
    const HeadParts parts = r->parts;
    int shared_by = r->s->n_heads / n_kv_heads, per_row = n_kv_heads * parts.n_per_kv;
    int kv_head = i % per_row / parts.n_per_kv, at = i % parts.n_per_kv * parts.n_at_once;
    int left = shared_by - at;
    return (HeadPart){r->first + i / per_row, kv_head, kv_head * shared_by + at,
                      left < parts.n_at_once ? left : parts.n_at_once};
}

static void attend_by_parts(Run *r, int n_kv_heads, TeamItem *attend)
{
    const int n = r->pass->n - r->first;
    r->parts = part_heads(r->c, r->s, n, n_kv_heads);
    compute_for(r->c, n * n_kv_heads * r->parts.n_per_kv, attend, r);
}

static int count_blocks(int n)
{
    return (n + COMPUTE_QUERY_BLOCK - 1) / COMPUTE_QUERY_BLOCK;
}

// Where the keys and values of head h of the group are laid out.
static HeadKv head_kv(const Run *r, int h)
{
    const Compute *c = r->c;
    const size_t at = (size_t)h * (size_t)c->n_ctx;
    const int dk = r->s->key_dim, dv = r->s->value_dim;
    return (HeadKv){c->keys + at * (size_t)dk, c->values + at * (size_t)dv, dk, dv, c->n_ctx};
}

// The thread's memory for rows on their way there.
static float *laid_rows(const Run *r, int thread)
{
    size_t width = (size_t)(r->s->key_dim + r->s->value_dim);
    return r->c->laid_rows + (size_t)thread * COMPUTE_LAID_ROWS * width;
}

// A block of queries of one head of the group. Later queries see more, so they come first.
static void attend_item(void *user, int i, int thread)
{
    const Run *r = user;
    const Compute *c = r->c;
    const Shape *s = r->s;
    const int n = r->pass->n - r->first, shared_by = s->mla ? 1 : s->n_heads / s->n_kv_heads;
    const size_t q_row = (size_t)s->n_heads * (size_t)s->key_dim;
    const size_t out_row = (size_t)s->n_heads * (size_t)s->value_dim;
    int n_blocks = count_blocks(n), before = (n_blocks - 1 - i % n_blocks) * COMPUTE_QUERY_BLOCK;
    int first = r->first + before, left = n - before, h = i / n_blocks;
    size_t head = (size_t)(r->head0 * shared_by + h);
    HeadKv kv = head_kv(r, h / shared_by);
    QueryBlock block = {
        .q = c->q + (size_t)first * q_row + head * (size_t)s->key_dim,
        .out = c->att + (size_t)first * out_row + head * (size_t)s->value_dim,
        .q_stride = q_row,
        .out_stride = out_row,
        .n = left < COMPUTE_QUERY_BLOCK ? left : COMPUTE_QUERY_BLOCK,
        .n_visible = r->pass->own->len + first + 1,
        .window = s->sliding_window,
    };
    c->k->attend(c->k, &kv, &block, c->scores[thread], c->gemm_scratch[thread]);
}

// Heads of keys in a group, in groups of equal size for every thread: at most as many as there is
// room for and as make some 20 ms of two cores' work, after which the pass may end, but one a
// thread.
static int choose_group(const Run *r, int n_kv_heads, int shared_by)
{
    const long enough = 2000L * 1000 * 1000;
    const Shape *s = r->s;
    const Compute *c = r->c;
    long width = s->key_dim + s->value_dim, n_queries = r->pass->n - r->first;
    long each = width * n_queries * shared_by;
    if (s->mla) each += (long)s->kv_lora * (s->nope_dim + s->value_dim);
    each *= r->pass->own->len + r->pass->n;
    long n = enough / each;
    n = n < c->n_threads ? c->n_threads : n;
    n = n < c->heads_in_group ? n : c->heads_in_group;
    const int n_groups = (n_kv_heads - 1) / (int)n + 1, even = (n_kv_heads - 1) / n_groups + 1;
    const int whole = (even + c->n_threads - 1) / c->n_threads * c->n_threads;
    return whole <= n ? whole : (int)n;
}

// Lays the heads of keys and values out group by group, each by an item of its own, and runs all
// blocks of the queries that use them. False: ended between two groups, or within one.
static bool attend_by_groups(Run *r, int n_kv_heads, TeamItem *lay_out)
{
    const int shared_by = r->s->n_heads / n_kv_heads, most = choose_group(r, n_kv_heads, shared_by);
    const int n_blocks = count_blocks(r->pass->n - r->first);
    for (r->head0 = 0; r->head0 < n_kv_heads; r->head0 += most) {
        int left = n_kv_heads - r->head0, n = left < most ? left : most;
        if (r->head0 > 0 && compute_is_stopped(r->c)) return false;
        compute_for(r->c, n, lay_out, r);
        if (r->s->mla && compute_is_stopped(r->c)) return false; // expanding is half of the work
        compute_for(r->c, n * shared_by * n_blocks, attend_item, r);
    }
    return true;
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
        attention_rotate(s, angles, x);
    }
}

static void lay_out_head(void *user, int h, int thread)
{
    const Run *r = user;
    const Compute *c = r->c;
    const Kv *own = r->pass->own;
    const HeadKv kv = head_kv(r, h);
    const size_t dk = (size_t)kv.dk, dv = (size_t)kv.dv, head = (size_t)(r->head0 + h);
    const uint16_t *k = kv_keys(own, r->layer) + head * dk;
    const uint16_t *v = kv_values(own, r->layer) + head * dv;
    float *keys = laid_rows(r, thread), *values = keys + COMPUTE_LAID_ROWS * dk;
    const int n = own->len + r->pass->n;
    for (int at = 0; at < n; at += COMPUTE_LAID_ROWS) {
        int left = n - at, n_rows = left < COMPUTE_LAID_ROWS ? left : COMPUTE_LAID_ROWS;
        for (size_t i = 0; i < (size_t)n_rows; i++) {
            size_t row = (size_t)at + i;
            c->k->dequantize(TENSOR_F16, k + row * own->k_width, kv.dk, keys + i * dk);
            c->k->dequantize(TENSOR_F16, v + row * own->v_width, kv.dv, values + i * dv);
        }
        c->k->lay_out(keys, values, n_rows, at, &kv);
    }
}

static void attend_gqa_part(void *user, int i, int thread)
{
    const Run *r = user;
    const Compute *c = r->c;
    const Shape *s = r->s;
    const size_t dk = (size_t)s->key_dim, dv = (size_t)s->value_dim;
    HeadPart part = find_part(r, s->n_kv_heads, i);
    size_t kv_head = (size_t)part.kv_head;
    size_t head = (size_t)part.row * (size_t)s->n_heads + (size_t)part.head;
    Rows rows = find_rows(r, part.row, kv_head * dk, s->key_dim, kv_head * dv, s->value_dim);
    attend_rows(c->k, c->q + head * dk, dk, part.n_heads, &rows, c->scores[thread],
                c->att + head * dv, dv);
}

// The new row's query, where it is read, rotated and scaled, its key and value into the cache.
static void finish_gqa_row(void *user, int t, int thread)
{
    const Run *r = user;
    const Shape *s = r->s;
    const Layer *l = r->l;
    const Kv *kv = r->pass->own;
    const Compute *c = r->c;
    const size_t at = (size_t)t, q_dim = (size_t)l->q.n_out;
    const float *angles = c->angles + at * (size_t)s->rope_dim;
    float *q = c->q + at * q_dim, *k = c->kv + at * kv->k_width;
    float *v = c->kv + (size_t)r->pass->n * kv->k_width + at * kv->v_width;
    (void)thread;
    if (t >= r->first) {
        add_bias(q, l->q_bias, (int)q_dim);
        turn_heads(c, s, q, s->n_heads, l->q_norm, angles);
        scale_row(q, (int)q_dim, s->attention_scale);
    }
    add_bias(k, l->k_bias, (int)kv->k_width);
    add_bias(v, l->v_bias, (int)kv->v_width);
    turn_heads(c, s, k, s->n_kv_heads, l->k_norm, angles);
    size_t slot = (size_t)pass_row(r->pass, t).slot;
    c->k->to_f16(k, (int)kv->k_width, kv_keys(kv, r->layer) + slot * kv->k_width);
    c->k->to_f16(v, (int)kv->v_width, kv_values(kv, r->layer) + slot * kv->v_width);
}

bool attention_gqa(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const int n = pass->n, first = pass_first_read(pass, layer);
    Run run = {.c = c, .s = s, .l = l, .pass = pass, .layer = layer, .first = first};
    const size_t q_dim = (size_t)l->q.n_out;
    const size_t k_dim = pass->own->k_width, v_dim = pass->own->v_width;
    float *k = c->kv, *v = c->kv + (size_t)n * k_dim;
    bool quantised =
        matrix_is_quantised(&l->q) || matrix_is_quantised(&l->k) || matrix_is_quantised(&l->v);
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, n, s->n_embd, quantised);
    c->tasks[0] = (MatmulTask){&l->k, 0, c->acts.rows, n, k, k_dim};
    c->tasks[1] = (MatmulTask){&l->v, 0, c->acts.rows, n, v, v_dim};
    c->tasks[2] = (MatmulTask){
        &l->q, 0, c->acts.rows + first, n - first, c->q + (size_t)first * q_dim, q_dim};
    matmul_run(c, first < n ? 3 : 2);
    compute_for_rows(c, n, finish_gqa_row, &run);
    if (first == n) return true;
    if (pass_is_block(pass, MIN_BLOCK_TOKENS))
        return attend_by_groups(&run, s->n_kv_heads, lay_out_head);
    attend_by_parts(&run, s->n_kv_heads, attend_gqa_part);
    return true;
}

// --- multi-head latent attention -----------------------------------------------------------------

// Row t of c->kv, the latent and the rotary key, into the cache.
static void store_latent(void *user, int t, int thread)
{
    const Run *r = user;
    const Shape *s = r->s;
    const Compute *c = r->c;
    const Kv *kv = r->pass->own;
    const size_t row = kv->k_width;
    float *latent = c->kv + (size_t)t * row;
    (void)thread;
    c->k->rms_norm(latent, r->l->kv_a_norm, s->rms_eps, s->kv_lora, latent); // before caching
    attention_rotate(s, c->angles + (size_t)t * (size_t)s->rope_dim, latent + s->kv_lora);
    c->k->to_f16(latent, (int)row, kv_keys(kv, r->layer) + (size_t)pass_row(r->pass, t).slot * row);
}

void attention_mla_store(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, pass->n, s->n_embd,
              matrix_is_quantised(&l->kv_a));
    matmul(c, &l->kv_a, &c->acts, pass->n, c->kv);
    compute_for_rows(c, pass->n, store_latent,
                     &(Run){.c = c, .s = s, .l = l, .pass = pass, .layer = layer});
}

static void normalise_q_a(void *user, int t, int thread)
{
    const Run *r = user;
    float *q_a = r->c->latent + (size_t)(r->first + t) * (size_t)r->s->q_lora;
    (void)thread;
    r->c->k->rms_norm(q_a, r->l->q_a_norm, r->s->rms_eps, r->s->q_lora, q_a);
}

static void finish_mla_row(void *user, int t, int thread)
{
    const Run *r = user;
    const Shape *s = r->s;
    const size_t q_dim = (size_t)s->n_heads * (size_t)s->key_dim;
    const float *angles = r->c->angles + (size_t)t * (size_t)s->rope_dim;
    float *q = r->c->q + (size_t)t * q_dim;
    for (int h = 0; h < s->n_heads && t >= r->first; h++)
        attention_rotate(s, angles, q + h * s->key_dim + s->nope_dim);
    if (t >= r->first) scale_row(q, (int)q_dim, s->attention_scale);
    store_latent(user, t, thread);
}

// Queries of the rows that are read, rotated and scaled, in c->q, and the latents of all rows into
// the cache.
static void project_mla(Run *r)
{
    Compute *c = r->c;
    const Shape *s = r->s;
    const Layer *l = r->l;
    const int n = r->pass->n, n_read = n - r->first;
    const size_t q_dim = (size_t)s->n_heads * (size_t)s->key_dim, q_lora = (size_t)s->q_lora;
    const Matrix *first = q_lora ? &l->q_a : &l->q;
    float *q = c->q + (size_t)r->first * q_dim, *q_a = c->latent + (size_t)r->first * q_lora;
    bool quantised = matrix_is_quantised(first) || matrix_is_quantised(&l->kv_a);
    acts_fill(c, &c->acts, c->h, (size_t)s->n_embd, n, s->n_embd, quantised);
    c->tasks[0] = (MatmulTask){
        first, 0, c->acts.rows + r->first, n_read, q_lora ? q_a : q, (size_t)first->n_out};
    c->tasks[1] = (MatmulTask){&l->kv_a, 0, c->acts.rows, n, c->kv, r->pass->own->k_width};
    matmul_run(c, 2);
    if (q_lora) {
        compute_for_rows(c, n_read, normalise_q_a, r);
        acts_fill(c, &c->acts, q_a, q_lora, n_read, s->q_lora, matrix_is_quantised(&l->q_b));
        matmul(c, &l->q_b, &c->acts, n_read, q);
    }
    compute_for_rows(c, n, finish_mla_row, r);
}

// Rows of c->acts, cut per head: gathered[h * n + t] = row t from element h * width on.
static void gather_heads(Compute *c, const Shape *s, int n, int width)
{
    for (int h = 0; h < s->n_heads; h++)
        for (int t = 0; t < n; t++)
            c->gathered[h * n + t] = act_slice(c->acts.rows[t], h * width);
}

// Absorbed queries against the latents themselves; what they gather takes their place.
static void attend_absorbed_part(void *user, int i, int thread)
{
    const Run *r = user;
    const Compute *c = r->c;
    const Shape *s = r->s;
    const size_t row = r->pass->own->k_width;
    HeadPart part = find_part(r, 1, i);
    size_t head = (size_t)part.row * (size_t)s->n_heads + (size_t)part.head;
    float *q = c->latent + head * row;
    for (size_t h = 0; h < (size_t)part.n_heads; h++)
        memcpy(q + h * row + s->kv_lora, c->q + (head + h) * (size_t)s->key_dim + s->nope_dim,
               (size_t)s->rope_dim * sizeof *q);
    Rows rows = find_rows(r, part.row, 0, (int)row, 0, s->kv_lora);
    for (int place = 0; place < 2; place++) { // the latent serves as both
        rows.values[place] = rows.keys[place];
        rows.values[place].n = s->kv_lora;
    }
    attend_rows(c->k, q, row, part.n_heads, &rows, c->scores[thread], q, row);
}

// q'_h = k_b_h q_nope_h, scores and sums of latents, o_h = v_b_h (sum p c).
static void attend_absorbed(Run *r)
{
    Compute *c = r->c;
    const Shape *s = r->s;
    const Layer *l = r->l;
    const int n = r->pass->n - r->first, q_dim = s->n_heads * s->key_dim;
    const size_t first = (size_t)r->first, row = r->pass->own->k_width;
    const size_t q_row = (size_t)s->n_heads * row;
    const size_t out_row = (size_t)s->n_heads * (size_t)s->value_dim;
    float *latent = c->latent + first * q_row, *out = c->att + first * out_row;
    acts_fill(c, &c->acts, c->q + first * (size_t)q_dim, (size_t)q_dim, n, q_dim,
              matrix_is_quantised(&l->k_b));
    gather_heads(c, s, n, s->key_dim);
    for (int h = 0; h < s->n_heads; h++)
        c->tasks[h] =
            (MatmulTask){&l->k_b, h, c->gathered + h * n, n, latent + (size_t)h * row, q_row};
    matmul_run(c, s->n_heads);
    attend_by_parts(r, 1, attend_absorbed_part);
    acts_fill(c, &c->acts, latent, q_row, n, (int)q_row,
              matrix_is_quantised(&l->v_b) && q_row % ACT_BLOCK == 0);
    gather_heads(c, s, n, (int)row);
    for (int h = 0; h < s->n_heads; h++)
        c->tasks[h] = (MatmulTask){
            &l->v_b, h, c->gathered + h * n, n, out + (size_t)h * (size_t)s->value_dim, out_row};
    matmul_run(c, s->n_heads);
}

static void widen_latent(void *user, int i, int thread)
{
    const Run *r = user;
    const size_t row = r->pass->own->k_width, at = (size_t)i * row;
    (void)thread;
    r->c->k->dequantize(TENSOR_F16, kv_keys(r->pass->own, r->layer) + at, (int)row,
                        r->c->latents + at);
}

// Whether a head's up-projections meet latents in 8 bits: where products of many vectors round
// weights anyway. Keys' are stored the other way round, so that their blocks are made anew.
static bool expands_rounded(const Compute *c, const Shape *s, const Layer *l)
{
    return c->k->rounds_weights && matrix_is_quantised(&l->k_b) && matrix_is_quantised(&l->v_b) &&
           s->kv_lora % ACT_BLOCK == 0;
}

// A head's part of k_b [kv_lora][nope] as rows of one of its columns, kv_lora floats or blocks of
// Q8_0.
static void turn_k_b(const Run *r, size_t head, bool rounded, float *line, void *out)
{
    const Kernels *k = r->c->k;
    const Matrix *m = &r->l->k_b;
    const int lora = r->s->kv_lora, n = r->s->nope_dim;
    const unsigned char *rows = m->data + head * m->part_bytes;
    float *columns = line + n, scale; // [nope][ACT_BLOCK]
    int16_t sums[2];
    for (int at = 0; at < lora; at += ACT_BLOCK) {
        int left = lora - at, n_rows = left < ACT_BLOCK ? left : ACT_BLOCK;
        for (int i = 0; i < n_rows; i++) {
            k->dequantize(m->type, rows + (size_t)(at + i) * m->row_bytes, n, line);
            for (int j = 0; j < n; j++)
                columns[j * ACT_BLOCK + i] = line[j];
        }
        for (int j = 0; j < n; j++) {
            const float *column = columns + j * ACT_BLOCK;
            const size_t row = (size_t)j * (size_t)lora + (size_t)at;
            if (!rounded) {
                memcpy((float *)out + row, column, (size_t)n_rows * sizeof *column);
                continue;
            }
            BlockQ8_0 *block = (BlockQ8_0 *)out + row / ACT_BLOCK;
            k->quantize(column, ACT_BLOCK, block->q, &scale, sums);
            block->d = float_to_half(scale);
        }
    }
}

// A head's up-projections: of keys [nope][kv_lora], of values [value][kv_lora].
typedef struct UpRows {
    TensorType k_type, v_type;
    const void *k, *v;
    size_t k_bytes, v_bytes; // of a row
} UpRows;

static UpRows find_up_rows(const Run *r, size_t head, int thread)
{
    const Compute *c = r->c;
    const Shape *s = r->s;
    const Matrix *v_b = &r->l->v_b;
    const unsigned char *v = v_b->data + head * v_b->part_bytes;
    const bool rounded = expands_rounded(c, s, r->l);
    const size_t lora = (size_t)s->kv_lora, f = sizeof(float);
    float *k_rows = c->head_rows + (size_t)thread * c->head_floats;
    float *v_rows = k_rows + (size_t)s->nope_dim * lora;
    UpRows up = {TENSOR_F32, v_b->type, k_rows, v, lora * f, v_b->row_bytes};
    turn_k_b(r, head, rounded, c->scores[thread], k_rows);
    if (rounded) up.k_type = TENSOR_Q8_0, up.k_bytes = lora / ACT_BLOCK * sizeof(BlockQ8_0);
    if (rounded || !matrix_is_quantised(v_b)) return up;
    for (size_t j = 0; j < (size_t)s->value_dim; j++)
        c->k->dequantize(v_b->type, v + j * v_b->row_bytes, s->kv_lora, v_rows + j * lora);
    up.v_type = TENSOR_F32, up.v = v_rows, up.v_bytes = lora * f;
    return up;
}

// Keys and values of head h of the group from the latents.
static void expand_head(void *user, int h, int thread)
{
    const Run *r = user;
    const Compute *c = r->c;
    const Shape *s = r->s;
    const HeadKv kv = head_kv(r, h);
    const UpRows up = find_up_rows(r, (size_t)(r->head0 + h), thread);
    const int n = r->pass->own->len + r->pass->n, lora = s->kv_lora;
    const size_t dk = (size_t)kv.dk, dv = (size_t)kv.dv, row = r->pass->own->k_width;
    float *keys = laid_rows(r, thread), *values = keys + COMPUTE_LAID_ROWS * dk;
    char *scratch = c->gemm_scratch[thread];
    for (int at = 0; at < n; at += COMPUTE_LAID_ROWS) {
        int left = n - at, n_rows = left < COMPUTE_LAID_ROWS ? left : COMPUTE_LAID_ROWS;
        const ActRow *acts = c->latent_acts.rows + at;
        c->k->gemm(up.k_type, up.k, up.k_bytes, lora, s->nope_dim, acts, n_rows, keys, dk, scratch);
        c->k->gemm(up.v_type, up.v, up.v_bytes, lora, s->value_dim, acts, n_rows, values, dv,
                   scratch);
        for (size_t i = 0; i < (size_t)n_rows; i++)
            memcpy(keys + i * dk + s->nope_dim, c->latents + ((size_t)at + i) * row + lora,
                   (size_t)s->rope_dim * sizeof *keys);
        c->k->lay_out(keys, values, n_rows, at, &kv);
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

bool attention_mla(Compute *c, const Shape *s, const Layer *l, const Pass *pass, int layer)
{
    const int first = pass_first_read(pass, layer);
    Run run = {.c = c, .s = s, .l = l, .pass = pass, .layer = layer, .first = first};
    if (first == pass->n) {
        attention_mla_store(c, s, l, pass, layer);
        return true;
    }
    project_mla(&run);
    if (!pass_is_block(pass, MIN_BLOCK_TOKENS) || !expanding_pays(s, pass->n)) {
        attend_absorbed(&run);
        return true;
    }
    const int n = pass->own->len + pass->n;
    compute_for_rows(c, n, widen_latent, &run);
    acts_fill(c, &c->latent_acts, c->latents, pass->own->k_width, n, s->kv_lora,
              expands_rounded(c, s, l));
    return attend_by_groups(&run, s->n_heads, expand_head);
}

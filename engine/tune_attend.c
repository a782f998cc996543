// Attention between rotated queries, keys and values, and its gradient: products of blocks of
// queries with all that they see. A block's weights are computed again in the backward pass, so
// that no matrix of them is kept.
#include <string.h>

#include "tune_state.h"

// A head's matrices, for one thread. T: max_tokens; w: the larger of a key's and a value's width.
typedef struct Room {
    float *p, *d;   // [TUNE_QUERIES][T]: weights, and the gradient of theirs or of the scores
    float *pt, *dt; // [T][TUNE_QUERIES]: the same, transposed
    float *turned;  // [w][T]: keys or values, transposed
    float *part;    // [T][w]: one product that is to be added
    float *queries; // [w][TUNE_QUERIES]: a block's queries or gradients, transposed
    ActRow *acts;   // [T]
    char *scratch;
} Room;

static size_t width_of(const Shape *s)
{
    return (size_t)(s->key_dim > s->value_dim ? s->key_dim : s->value_dim);
}

size_t tune_attend_floats(const Shape *s, size_t max_tokens)
{
    return 4 * TUNE_QUERIES * max_tokens + 2 * max_tokens * width_of(s) +
           TUNE_QUERIES * width_of(s);
}

static Room room_of(const Tune *t, int thread)
{
    const size_t n = (size_t)t->options.max_tokens, w = width_of(t->shape);
    float *at = t->attend + (size_t)thread * tune_attend_floats(t->shape, n);
    Room room = {.p = at, .d = at + TUNE_QUERIES * n};
    room.pt = room.d + TUNE_QUERIES * n;
    room.dt = room.pt + TUNE_QUERIES * n;
    room.turned = room.dt + TUNE_QUERIES * n;
    room.part = room.turned + n * w;
    room.queries = room.part + n * w;
    room.acts = t->thread_acts + (size_t)thread * t->n_acts;
    room.scratch = t->compute->gemm_scratch[thread];
    return room;
}

// --- what is seen --------------------------------------------------------------------------------

// A block of n queries from `row` on, of one sequence or branch. What they see together: n_shared
// rows from `shared` on, then n_own from `own` on. Their positions are consecutive, from `first`.
typedef struct Span {
    int row, n, first, shared, n_shared, own, n_own;
} Span;

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static int first_seen(const Tune *t, int row)
{
    int window = t->shape->sliding_window;
    return window ? larger(0, tune_position(t, row) + 1 - window) : 0;
}

static Span span_at(const Tune *t, int row, int n_rows)
{
    int start = t->starts[row], last = row;
    while (last + 1 < n_rows && last + 1 - row < TUNE_QUERIES && t->starts[last + 1] == start)
        last++;
    int first = first_seen(t, row);
    Span span = {.row = row, .n = last - row + 1, .first = first, .shared = first};
    span.n_shared = start ? larger(0, t->n_shared - first) : 0;
    span.own = start ? start + larger(0, first - t->n_shared) : first;
    span.n_own = last + 1 - span.own;
    return span;
}

static int n_seen(const Span *span)
{
    return span->n_shared + span->n_own;
}

// The row of the i-th that is seen.
static size_t seen(const Span *span, int i)
{
    return (size_t)(i < span->n_shared ? span->shared + i : span->own + i - span->n_shared);
}

// --- products ------------------------------------------------------------------------------------

// Rows of a matrix, `stride` floats apart.
typedef struct Rows {
    const float *at;
    size_t stride;
} Rows;

static void set_acts(const Room *room, Rows x, int n)
{
    for (int i = 0; i < n; i++)
        room->acts[i] = (ActRow){.x = x.at + (size_t)i * x.stride};
}

static void multiply(const Tune *t, const Room *room, Rows w, int n_in, int n_out, int n, float *y,
                     size_t y_stride)
{
    if (n_out > 0)
        t->compute->k->gemm(TENSOR_F32, w.at, w.stride * sizeof(float), n_in, n_out, room->acts, n,
                            y, y_stride, room->scratch);
}

// out[i][j] = x_i . the j-th row that is seen, for a block's rows x.
static void multiply_seen(const Tune *t, const Room *room, const Span *span, Rows x, Rows rows,
                          int width, float *out)
{
    const size_t stride = (size_t)t->options.max_tokens;
    Rows shared = {rows.at + (size_t)span->shared * rows.stride, rows.stride};
    Rows own = {rows.at + (size_t)span->own * rows.stride, rows.stride};
    set_acts(room, x, span->n);
    multiply(t, room, shared, width, span->n_shared, span->n, out, stride);
    multiply(t, room, own, width, span->n_own, span->n, out + span->n_shared, stride);
}

// y_i = the sum over j of weights[i][j] times the j-th row that is seen, whose columns are the rows
// of `turned`.
static void sum_seen(const Tune *t, const Room *room, const Span *span, const float *weights,
                     int width, float *y, size_t y_stride)
{
    const size_t stride = (size_t)t->options.max_tokens;
    Rows own = {room->turned + span->own, stride}, shared = {room->turned + span->shared, stride};
    set_acts(room, (Rows){weights + span->n_shared, stride}, span->n);
    multiply(t, room, own, span->n_own, width, span->n, y, y_stride);
    if (span->n_shared == 0) return;
    set_acts(room, (Rows){weights, stride}, span->n);
    multiply(t, room, shared, span->n_shared, width, span->n, room->part, (size_t)width);
    for (int i = 0; i < span->n; i++)
        t->compute->k->axpy(1, room->part + (size_t)i * (size_t)width, y + (size_t)i * y_stride,
                            width);
}

// y_j += the sum over i of turned_weights[j][i] x_i for every row j that is seen.
static void spread_seen(const Tune *t, const Room *room, const Span *span,
                        const float *turned_weights, Rows x, int width, float *y, size_t y_stride)
{
    int n = n_seen(span);
    for (int e = 0; e < width; e++)
        for (int i = 0; i < span->n; i++)
            room->queries[e * TUNE_QUERIES + i] = x.at[(size_t)i * x.stride + (size_t)e];
    set_acts(room, (Rows){turned_weights, TUNE_QUERIES}, n);
    multiply(t, room, (Rows){room->queries, TUNE_QUERIES}, span->n, width, n, room->part,
             (size_t)width);
    for (int j = 0; j < n; j++)
        t->compute->k->axpy(1, room->part + (size_t)j * (size_t)width, y + seen(span, j) * y_stride,
                            width);
}

static void turn_rows(const Tune *t, const Room *room, Rows rows, int width, int n)
{
    for (int i = 0; i < n; i++)
        for (int e = 0; e < width; e++)
            room->turned[(size_t)e * (size_t)t->options.max_tokens + (size_t)i] =
                rows.at[(size_t)i * rows.stride + (size_t)e];
}

static void turn_weights(const Tune *t, const Span *span, const float *weights, float *out)
{
    for (int i = 0; i < span->n; i++)
        for (int j = 0; j < n_seen(span); j++)
            out[j * TUNE_QUERIES + i] =
                weights[(size_t)i * (size_t)t->options.max_tokens + (size_t)j];
}

// --- one head ------------------------------------------------------------------------------------

// Its rows. Keys and values may be shared by some heads, their gradients are every head's own.
typedef struct Head {
    Rows q, k, v, out;
} Head;

static Head head_of(const Tune *t, int h)
{
    const Shape *s = t->shape;
    const TuneBlock *b = &t->block;
    const size_t dk = (size_t)s->key_dim, dv = (size_t)s->value_dim;
    const size_t kv = (size_t)(h * t->n_kv / s->n_heads);
    return (Head){.q = {b->q + (size_t)h * dk, (size_t)s->n_heads * dk},
                  .k = {b->k + kv * dk, (size_t)t->n_kv * dk},
                  .v = {b->v + kv * dv, (size_t)t->n_kv * dv},
                  .out = {b->att + (size_t)h * dv, (size_t)s->n_heads * dv}};
}

static Rows rows_from(Rows rows, int row)
{
    return (Rows){rows.at + (size_t)row * rows.stride, rows.stride};
}

// A block's weights: softmax over what each query sees, 0 for the rest of the span.
static void weigh(const Tune *t, const Room *room, const Span *span, const Head *head)
{
    const int n = n_seen(span);
    multiply_seen(t, room, span, rows_from(head->q, span->row), head->k, t->shape->key_dim,
                  room->p);
    for (int i = 0; i < span->n; i++) {
        float *p = room->p + (size_t)i * (size_t)t->options.max_tokens;
        int from = first_seen(t, span->row + i) - span->first;
        int to = tune_position(t, span->row + i) + 1 - span->first;
        memset(p, 0, (size_t)from * sizeof *p);
        t->compute->k->softmax(p + from, to - from);
        memset(p + to, 0, (size_t)(n - to) * sizeof *p);
    }
}

typedef struct Step {
    Tune *t;
    int n;
} Step;

static void attend(void *user, int h, int thread)
{
    const Step *step = user;
    const Tune *t = step->t;
    const Room room = room_of(t, thread);
    const Head head = head_of(t, h);
    const int dv = t->shape->value_dim;
    float *out = t->block.att + (size_t)h * (size_t)dv;
    turn_rows(t, &room, head.v, dv, step->n);
    for (int row = 0; row < step->n;) {
        Span span = span_at(t, row, step->n);
        weigh(t, &room, &span, &head);
        sum_seen(t, &room, &span, room.p, dv, out + (size_t)row * head.out.stride, head.out.stride);
        row += span.n;
    }
}

// With p the weights: ds_j = p_j (dout . v_j - dout . out), in place of dout . v_j.
static void pass_softmax_back(const Tune *t, const Room *room, const Span *span, Rows out,
                              Rows d_out)
{
    for (int i = 0; i < span->n; i++) {
        const size_t at = (size_t)i * (size_t)t->options.max_tokens;
        float mean = t->compute->k->dot(d_out.at + (size_t)i * d_out.stride,
                                        out.at + (size_t)i * out.stride, t->shape->value_dim);
        for (int j = 0; j < n_seen(span); j++)
            room->d[at + (size_t)j] = room->p[at + (size_t)j] * (room->d[at + (size_t)j] - mean);
    }
}

static void attend_block_back(Tune *t, const Room *room, const Head *head, int h, const Span *span)
{
    const Shape *s = t->shape;
    TuneBlock *b = &t->block;
    const int dk = s->key_dim, dv = s->value_dim;
    const size_t k_row = (size_t)(s->n_heads * dk), v_row = (size_t)(s->n_heads * dv);
    Rows q = rows_from(head->q, span->row);
    Rows d_out = rows_from((Rows){b->d_att + (size_t)(h * dv), v_row}, span->row);
    weigh(t, room, span, head);
    multiply_seen(t, room, span, d_out, head->v, dv, room->d);
    pass_softmax_back(t, room, span, rows_from(head->out, span->row), d_out);
    turn_weights(t, span, room->p, room->pt);
    turn_weights(t, span, room->d, room->dt);
    sum_seen(t, room, span, room->d, dk, b->d_q + (size_t)(h * dk) + (size_t)span->row * k_row,
             k_row);
    spread_seen(t, room, span, room->dt, q, dk, b->d_k + (size_t)(h * dk), k_row);
    spread_seen(t, room, span, room->pt, d_out, dv, b->d_v + (size_t)(h * dv), v_row);
}

// A thread owns a head's d_k and d_v.
static void attend_back(void *user, int h, int thread)
{
    const Step *step = user;
    const Room room = room_of(step->t, thread);
    const Head head = head_of(step->t, h);
    turn_rows(step->t, &room, head.k, step->t->shape->key_dim, step->n);
    for (int row = 0; row < step->n;) {
        Span span = span_at(step->t, row, step->n);
        attend_block_back(step->t, &room, &head, h, &span);
        row += span.n;
    }
}

void tune_attend(Tune *t, int n)
{
    compute_for(t->compute, t->shape->n_heads, attend, &(Step){t, n});
}

void tune_attend_back(Tune *t, int n)
{
    const Shape *s = t->shape;
    const size_t rows = (size_t)n * (size_t)s->n_heads;
    memset(t->block.d_k, 0, rows * (size_t)s->key_dim * sizeof(float));
    memset(t->block.d_v, 0, rows * (size_t)s->value_dim * sizeof(float));
    compute_for(t->compute, s->n_heads, attend_back, &(Step){t, n});
}

// Products with a quantised matrix and with its transpose in F32, and an adapter's share of both.
//
// Forward, a thread dequantises some rows of W and multiplies them with all vectors. Backward, it
// owns some columns of W, so that no two threads add to one sum: it walks down the rows, lays a
// piece of W out transposed and multiplies that.
#include "tune_state.h"

enum { MAX_ROWS = 64, MIN_COLUMNS = 64 };

static int forward_rows(int n_in)
{
    int rows = TUNE_TILE_FLOATS / n_in / TUNE_MIN_ROWS * TUNE_MIN_ROWS;
    return rows < TUNE_MIN_ROWS ? TUNE_MIN_ROWS : rows > MAX_ROWS ? MAX_ROWS : rows;
}

static int back_columns(const Matrix *w)
{
    int block = tensor_type_info(w->type)->block_elements;
    return block > MIN_COLUMNS ? block : MIN_COLUMNS;
}

typedef struct Product {
    Tune *t;
    const Matrix *w;
    const unsigned char *data;
    float *y;
    size_t y_stride;
    int n, rows; // vectors; rows of an item
} Product;

static void run_rows(void *user, int i, int thread)
{
    const Product *p = user;
    const Tune *t = p->t;
    const Compute *c = t->compute;
    const Matrix *w = p->w;
    int row = i * p->rows, n_rows = w->n_out - row < p->rows ? w->n_out - row : p->rows;
    const unsigned char *from = p->data + (size_t)row * w->row_bytes;
    bool quantised = matrix_is_quantised(w);
    float *tile = t->tiles + (size_t)thread * t->tile_floats;
    for (int r = 0; quantised && r < n_rows; r++)
        c->k->dequantize(w->type, from + (size_t)r * w->row_bytes, w->n_in,
                         tile + (size_t)r * (size_t)w->n_in);
    c->k->gemm(quantised ? TENSOR_F32 : w->type, quantised ? (const void *)tile : from,
               quantised ? (size_t)w->n_in * sizeof(float) : w->row_bytes, w->n_in, n_rows, t->acts,
               p->n, p->y + row, p->y_stride, c->gemm_scratch[thread]);
}

void tune_product(Tune *t, const Matrix *w, int part, const float *x, size_t x_stride, int n,
                  float *y, size_t y_stride)
{
    Product p = {.t = t,
                 .w = w,
                 .data = w->data + (size_t)part * w->part_bytes,
                 .y = y,
                 .y_stride = y_stride,
                 .n = n,
                 .rows = forward_rows(w->n_in)};
    for (int i = 0; i < n; i++)
        t->acts[i] = (ActRow){.x = x + (size_t)i * x_stride};
    if (n) compute_for(t->compute, (w->n_out + p.rows - 1) / p.rows, run_rows, &p);
}

// Rows [row, row + n_rows) of columns [first, first + n_columns) as tile
// [n_columns][TUNE_BACK_ROWS].
static void lay_out(const Tune *t, const Matrix *w, const unsigned char *rows, int first,
                    int n_columns, int n_rows, int thread)
{
    const TensorTypeInfo *info = tensor_type_info(w->type);
    const unsigned char *from =
        rows + (size_t)(first / info->block_elements) * (size_t)info->block_bytes;
    float *tile = t->tiles + (size_t)thread * t->tile_floats;
    float *lines = t->lines + (size_t)thread * TUNE_LINES * TUNE_BACK_COLUMNS;
    for (int r = 0; r < n_rows; r += TUNE_LINES) {
        int n = n_rows - r < TUNE_LINES ? n_rows - r : TUNE_LINES;
        for (int i = 0; i < n; i++)
            t->compute->k->dequantize(w->type, from + (size_t)(r + i) * w->row_bytes, n_columns,
                                      lines + i * TUNE_BACK_COLUMNS);
        for (int j = 0; j < n_columns; j++)
            for (int i = 0; i < n; i++)
                tile[(size_t)j * TUNE_BACK_ROWS + (size_t)(r + i)] =
                    lines[i * TUNE_BACK_COLUMNS + j];
    }
}

typedef struct BackProduct {
    Tune *t;
    const Matrix *w;
    const unsigned char *data;
    const float *dy;
    float *dx;
    size_t dy_stride, dx_stride;
    int n, columns; // vectors; columns of an item
} BackProduct;

static void run_columns(void *user, int item, int thread)
{
    const BackProduct *p = user;
    const Tune *t = p->t;
    const Compute *c = t->compute;
    int first = item * p->columns, left = p->w->n_in - first;
    int n_columns = left < p->columns ? left : p->columns;
    const float *tile = t->tiles + (size_t)thread * t->tile_floats;
    float *sums = t->sums + (size_t)thread * t->sum_floats;
    ActRow *acts = t->thread_acts + (size_t)thread * t->n_acts;
    for (int row = 0; row < p->w->n_out; row += TUNE_BACK_ROWS) {
        int n_rows = p->w->n_out - row < TUNE_BACK_ROWS ? p->w->n_out - row : TUNE_BACK_ROWS;
        lay_out(t, p->w, p->data + (size_t)row * p->w->row_bytes, first, n_columns, n_rows, thread);
        for (int i = 0; i < p->n; i++)
            acts[i] = (ActRow){.x = p->dy + (size_t)i * p->dy_stride + row};
        c->k->gemm(TENSOR_F32, tile, TUNE_BACK_ROWS * sizeof(float), n_rows, n_columns, acts, p->n,
                   sums, (size_t)n_columns, c->gemm_scratch[thread]);
        for (int i = 0; i < p->n; i++)
            c->k->axpy(1, sums + (size_t)i * (size_t)n_columns,
                       p->dx + (size_t)i * p->dx_stride + first, n_columns);
    }
}

void tune_product_back(Tune *t, const Matrix *w, int part, const float *dy, size_t dy_stride, int n,
                       float *dx, size_t dx_stride)
{
    BackProduct p = {.t = t,
                     .w = w,
                     .data = w->data + (size_t)part * w->part_bytes,
                     .dy = dy,
                     .dx = dx,
                     .dy_stride = dy_stride,
                     .dx_stride = dx_stride,
                     .n = n,
                     .columns = back_columns(w)};
    if (n) compute_for(t->compute, (w->n_in + p.columns - 1) / p.columns, run_columns, &p);
}

static const TunePair *find_pair(const Tune *t, const Matrix *w)
{
    if (!w->tensor || w->n_parts != 1 || !t->pairs[w->tensor - 1].used) return NULL;
    return &t->pairs[w->tensor - 1];
}

// An adapter's share of one product.
typedef struct Share {
    Tune *t;
    const TunePair *pair;
    const float *x, *dy;
    float *y, *dx;
    int n;
} Share;

// inner = A x of one row.
static void run_inner(const Share *s, int i)
{
    const Tune *t = s->t;
    const TunePair *p = s->pair;
    for (int j = 0; j < t->options.rank; j++)
        t->inner[i * t->options.rank + j] =
            t->compute->k->dot(s->x + (size_t)i * (size_t)p->n_in,
                               t->params + p->a + (size_t)j * (size_t)p->n_in, p->n_in);
}

static void add_row(void *user, int i, int thread)
{
    const Share *s = user;
    const Tune *t = s->t;
    const TunePair *p = s->pair;
    (void)thread;
    run_inner(s, i);
    for (int j = 0; j < t->options.rank; j++)
        t->compute->k->axpy(t->scale * t->inner[i * t->options.rank + j],
                            t->params + p->b + (size_t)j * (size_t)p->n_out,
                            s->y + (size_t)i * (size_t)p->n_out, p->n_out);
}

static void pass_row_back(void *user, int i, int thread)
{
    const Share *s = user;
    const Tune *t = s->t;
    const TunePair *p = s->pair;
    const Kernels *k = t->compute->k;
    const size_t n_in = (size_t)p->n_in, n_out = (size_t)p->n_out;
    (void)thread;
    run_inner(s, i);
    for (int j = 0; j < t->options.rank; j++) {
        float d = t->scale *
                  k->dot(s->dy + (size_t)i * n_out, t->params + p->b + (size_t)j * n_out, p->n_out);
        t->d_inner[i * t->options.rank + j] = d;
        k->axpy(d, t->params + p->a + (size_t)j * n_in, s->dx + (size_t)i * n_in, p->n_in);
    }
}

// Row j of A's gradient and of B's, which one thread owns.
static void add_gradient_row(void *user, int j, int thread)
{
    const Share *s = user;
    const Tune *t = s->t;
    const TunePair *p = s->pair;
    const Kernels *k = t->compute->k;
    const size_t n_in = (size_t)p->n_in, n_out = (size_t)p->n_out;
    (void)thread;
    for (int i = 0; i < s->n; i++) {
        k->axpy(t->scale * t->inner[i * t->options.rank + j], s->dy + (size_t)i * n_out,
                t->grads + p->b + (size_t)j * n_out, p->n_out);
        k->axpy(t->d_inner[i * t->options.rank + j], s->x + (size_t)i * n_in,
                t->grads + p->a + (size_t)j * n_in, p->n_in);
    }
}

void tune_linear(Tune *t, const Matrix *w, const float *x, int n, float *y)
{
    Share share = {.t = t, .pair = find_pair(t, w), .x = x, .y = y, .n = n};
    tune_product(t, w, 0, x, (size_t)w->n_in, n, y, (size_t)w->n_out);
    if (share.pair) compute_for(t->compute, n, add_row, &share);
}

void tune_linear_back(Tune *t, const Matrix *w, const float *x, const float *dy, int n, float *dx)
{
    Share share = {.t = t, .pair = find_pair(t, w), .x = x, .dy = dy, .dx = dx, .n = n};
    tune_product_back(t, w, 0, dy, (size_t)w->n_out, n, dx, (size_t)w->n_in);
    if (!share.pair) return;
    compute_for(t->compute, n, pass_row_back, &share);
    compute_for(t->compute, t->options.rank, add_gradient_row, &share);
}

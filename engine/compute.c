// Row chunks of all tasks form one list that the team takes from: small matrices (the experts' of a
// token) and large ones (the output's) balance the same way, and a core that the machine lends to
// somebody else for a moment delays one chunk only.
#include "compute.h"

#include <assert.h>

#include "lora.h"

enum { CHUNK_ROWS = 64, MAX_CHUNK_ROWS = 256, MIN_GEMM_ACTS = 4, MIN_SHARED_ROWS = 4 };

bool compute_is_stopped(const Compute *c)
{
    return c->watch.look && c->watch.look(c->watch.user);
}

void compute_for(Compute *c, int n, TeamItem *item, void *user)
{
    team_run(c->team, n, 1, item, user);
}

void compute_for_rows(Compute *c, int n, TeamItem *item, void *user)
{
    int grain = n < MIN_SHARED_ROWS ? MIN_SHARED_ROWS : (n - 1) / (4 * c->n_threads) + 1;
    team_run(c->team, n, grain, item, user);
}

void acts_fill_row(const Kernels *k, Acts *acts, int i, const float *x, int n, bool quantised)
{
    size_t at = (size_t)i, n_blocks = (size_t)(n / ACT_BLOCK);
    ActRow row = {.x = x};
    assert(!quantised || n % ACT_BLOCK == 0);
    if (quantised) {
        int8_t *q = acts->q + at * (size_t)n;
        float *scale = acts->scale + at * n_blocks;
        int16_t *sums = acts->sums + at * n_blocks * 2;
        k->quantize(x, n, q, scale, sums);
        row.q = q, row.scale = scale, row.sums = sums;
    }
    acts->rows[i] = row;
}

typedef struct Fill {
    const Kernels *k;
    Acts *acts;
    const float *x;
    size_t stride;
    int n;
    bool quantised;
} Fill;

static void fill_row(void *user, int i, int thread)
{
    const Fill *f = user;
    (void)thread;
    acts_fill_row(f->k, f->acts, i, f->x + (size_t)i * f->stride, f->n, f->quantised);
}

void acts_fill(Compute *c, Acts *acts, const float *x, size_t stride, int n_rows, int n,
               bool quantised)
{
    Fill fill = {c->k, acts, x, stride, n, quantised};
    compute_for_rows(c, n_rows, fill_row, &fill);
}

ActRow act_slice(ActRow row, int offset)
{
    row.x += offset;
    if (!row.q) return row;
    assert(offset % ACT_BLOCK == 0);
    row.q += offset;
    row.scale += offset / ACT_BLOCK;
    row.sums += offset / 16;
    return row;
}

bool matrix_is_quantised(const Matrix *m)
{
    return tensor_type_info(m->type)->block_elements > 1;
}

Products compute_products_for(int n)
{
    return n >= MIN_GEMM_ACTS ? PRODUCTS_BY_GROUP : PRODUCTS_BY_VECTOR;
}

bool compute_takes_groups(const Compute *c, int n_acts)
{
    Products products = c->products;
    if (products == PRODUCTS_BY_COUNT) products = compute_products_for(n_acts);
    return products == PRODUCTS_BY_GROUP;
}

// Rows [row, row + n_rows) of a task, on the calling thread.
static void run_rows(const Compute *c, const MatmulTask *task, int row, int n_rows, char *scratch)
{
    const Matrix *w = task->w;
    const unsigned char *data =
        w->data + (size_t)task->part * w->part_bytes + (size_t)row * w->row_bytes;
    if (compute_takes_groups(c, task->n_acts)) {
        c->k->gemm(w->type, data, w->row_bytes, w->n_in, n_rows, task->acts, task->n_acts,
                   task->y + row, task->y_stride, scratch);
        return;
    }
    int i = 0;
    for (; i + 2 <= task->n_acts; i += 2)
        c->k->gemv_two(w->type, data, w->row_bytes, w->n_in, n_rows, &task->acts[i],
                       task->y + (size_t)i * task->y_stride + row, task->y_stride);
    if (i < task->n_acts)
        c->k->gemv(w->type, data, w->row_bytes, w->n_in, n_rows, &task->acts[i],
                   task->y + (size_t)i * task->y_stride + row);
}

// The task that chunk i belongs to: the last one that starts at or before it.
static int find_task(const Compute *c, int i)
{
    int first = 0, last = c->n_tasks - 1;
    while (first < last) {
        int middle = (first + last + 1) / 2;
        if (c->task_starts[middle] <= i)
            first = middle;
        else
            last = middle - 1;
    }
    return first;
}

static void run_chunk(void *user, int i, int thread)
{
    const Compute *c = user;
    int t = find_task(c, i), n = c->chunk_rows, row = (i - c->task_starts[t]) * n;
    int left = c->tasks[t].w->n_out - row;
    run_rows(c, &c->tasks[t], row, left < n ? left : n, c->gemm_scratch[thread]);
}

// Eight chunks a thread balance well enough. In longer ones weights of a vector's product stream
// better, since what precedes the first row costs no bandwidth but time. Those of many vectors take
// long: what is made of the vectors for each chunk costs less than a thread that waits for another.
static int choose_chunk_rows(const Compute *c, int n_tasks)
{
    int n_rows = 0, n_each = 8;
    for (int i = 0; i < n_tasks; i++) {
        if (compute_takes_groups(c, c->tasks[i].n_acts)) n_each = 64;
        n_rows += c->tasks[i].w->n_out;
    }
    int n = n_rows / (n_each * c->n_threads) / CHUNK_ROWS * CHUNK_ROWS;
    return n < CHUNK_ROWS ? CHUNK_ROWS : n < MAX_CHUNK_ROWS ? n : MAX_CHUNK_ROWS;
}

void matmul_run(Compute *c, int n_tasks)
{
    assert(n_tasks <= c->max_tasks);
    int n_chunks = 0, chunk_rows = choose_chunk_rows(c, n_tasks);
    for (int i = 0; i < n_tasks; i++) {
        if (c->observer) c->observer->see(c->observer->user, &c->tasks[i]);
        c->task_starts[i] = n_chunks;
        n_chunks += (c->tasks[i].w->n_out - 1) / chunk_rows + 1;
    }
    c->n_tasks = n_tasks;
    c->chunk_rows = chunk_rows;
    compute_for(c, n_chunks, run_chunk, c);
    if (c->lora_set) lora_apply(c, n_tasks);
}

void matmul(Compute *c, const Matrix *w, const Acts *acts, int n_acts, float *y)
{
    c->tasks[0] = (MatmulTask){w, 0, acts->rows, n_acts, y, (size_t)w->n_out};
    matmul_run(c, 1);
}

// Row chunks of all tasks form one list that the team takes from dynamically: small matrices (the
// experts' of a token) and large ones (the output's) balance the same way, and a core that the
// machine lends to somebody else for a moment delays one chunk only.
#include "compute.h"

#include <assert.h>
#include <omp.h>

#include "lora.h"

enum { CHUNK_ROWS = 64, MIN_GEMM_ACTS = 4 };

void acts_fill(Compute *c, Acts *acts, const float *x, size_t stride, int n_rows, int n,
               bool quantised)
{
    assert(!quantised || n % ACT_BLOCK == 0);
    size_t n_blocks = (size_t)(n / ACT_BLOCK);
    COMPUTE_FOR_ROWS(c, i, n_rows)
    {
        size_t at = (size_t)i;
        ActRow row = {.x = x + at * stride};
        if (quantised) {
            int8_t *q = acts->q + at * (size_t)n;
            float *scale = acts->scale + at * n_blocks;
            int16_t *sums = acts->sums + at * n_blocks * 2;
            c->k->quantize(row.x, n, q, scale, sums);
            row.q = q, row.scale = scale, row.sums = sums;
        }
        acts->rows[i] = row;
    }
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

static bool takes_group_kernel(const Compute *c, int n_acts)
{
    if (c->products == PRODUCTS_BY_COUNT) return n_acts >= MIN_GEMM_ACTS;
    return c->products == PRODUCTS_BY_GROUP;
}

// Rows [row, row + n_rows) of a task, on the calling thread.
static void run_rows(const Compute *c, const MatmulTask *task, int row, int n_rows, char *scratch)
{
    const Matrix *w = task->w;
    const unsigned char *data =
        w->data + (size_t)task->part * w->part_bytes + (size_t)row * w->row_bytes;
    if (takes_group_kernel(c, task->n_acts)) {
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

void matmul_run(Compute *c, int n_tasks)
{
    assert(n_tasks <= c->max_tasks);
    int n_chunks = 0;
    for (int i = 0; i < n_tasks; i++) {
        if (c->observer) c->observer->see(c->observer->user, &c->tasks[i]);
        c->task_starts[i] = n_chunks;
        n_chunks += (c->tasks[i].w->n_out + CHUNK_ROWS - 1) / CHUNK_ROWS;
    }
    c->task_starts[n_tasks] = n_chunks;
#pragma omp parallel num_threads(c->n_threads) if (n_chunks > 1)
    {
        char *scratch = c->gemm_scratch[omp_get_thread_num()];
        int t = 0;
#pragma omp for schedule(dynamic, 1) nowait
        for (int i = 0; i < n_chunks; i++) {
            while (i >= c->task_starts[t + 1]) // chunks come in rising order to each thread
                t++;
            const MatmulTask *task = &c->tasks[t];
            int row = (i - c->task_starts[t]) * CHUNK_ROWS;
            int left = task->w->n_out - row;
            run_rows(c, task, row, left < CHUNK_ROWS ? left : CHUNK_ROWS, scratch);
        }
    }
    if (c->lora_set) lora_apply(c, n_tasks);
}

void matmul(Compute *c, const Matrix *w, const Acts *acts, int n_acts, float *y)
{
    c->tasks[0] = (MatmulTask){w, 0, acts->rows, n_acts, y, (size_t)w->n_out};
    matmul_run(c, 1);
}

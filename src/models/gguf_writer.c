// The header is built in memory; data go out in chunks of some megabytes, whose rows are shared out
// to the threads.
#include "gguf_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_bytes.h"
#include "out_file.h"
#include "quantize.h"

enum { ALIGNMENT = 32, CHUNK_BYTES = 8 << 20 };

// --- directory -----------------------------------------------------------------------------------

static size_t row_bytes(const OutTensor *t)
{
    const TensorTypeInfo *info = tensor_type_info(t->type);
    return (size_t)(t->dims[0] / (uint64_t)info->block_elements) * (size_t)info->block_bytes;
}

static uint64_t count_rows(const OutTensor *t)
{
    return t->dims[1] * t->dims[2] * t->dims[3];
}

static uint64_t padded(uint64_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void writer_add_tensor(GgufWriter *writer, const OutTensor *tensor)
{
    assert(tensor->dims[0] % (uint64_t)tensor_type_info(tensor->type)->block_elements == 0);
    VEC_PUSH(&writer->tensors, *tensor);
}

static void build_head(const GgufWriter *writer, StrBuf *b)
{
    uint64_t offset = 0;
    strbuf_append(b, STR("GGUF"));
    put_u32(b, 3);
    put_u64(b, writer->tensors.n);
    put_u64(b, writer->n_values);
    strbuf_append(b, strbuf_str(&writer->metadata));
    for (size_t i = 0; i < writer->tensors.n; i++) {
        const OutTensor *t = &writer->tensors.items[i];
        put_str(b, str_from(t->name));
        put_u32(b, (uint32_t)t->n_dims);
        put_bytes(b, t->dims, (size_t)t->n_dims * sizeof *t->dims);
        put_u32(b, t->type);
        put_u64(b, offset);
        offset += padded(row_bytes(t) * count_rows(t));
    }
    while (b->len % ALIGNMENT)
        strbuf_append_char(b, 0);
}

static uint64_t data_bytes(const GgufWriter *writer)
{
    uint64_t n = 0;
    for (size_t i = 0; i < writer->tensors.n; i++)
        n += padded(row_bytes(&writer->tensors.items[i]) * count_rows(&writer->tensors.items[i]));
    return n;
}

uint64_t writer_file_bytes(const GgufWriter *writer)
{
    StrBuf head = {0};
    build_head(writer, &head);
    uint64_t n = head.len + data_bytes(writer);
    strbuf_deinit(&head);
    return n;
}

void writer_deinit(GgufWriter *writer)
{
    strbuf_deinit(&writer->metadata);
    VEC_FREE(&writer->tensors);
}

// --- data ----------------------------------------------------------------------------------------

typedef struct Run {
    const GgufWriter *writer;
    const WriteJob *job;
    OutFile out;
    uint64_t done, total;
    int n_threads;
    float **rows;     // [n_threads], one row each
    char *chunk;      // encoded rows
    uint64_t n_chunk; // rows that fit
} Run;

static bool put_out(Run *run, Str bytes, Error *err)
{
    if (!out_write(&run->out, bytes, err)) return false;
    run->done += bytes.len;
    const WriteJob *job = run->job;
    if (!job->on_progress || job->on_progress(job->user, run->done, run->total)) return true;
    return error_set(err, ERROR_CANCELLED, "cancelled after %" PRIu64 " of %" PRIu64 " bytes",
                     run->done, run->total);
}

// Rows [first, first + n) of tensor i into run->chunk.
static bool encode_rows(Run *run, size_t i, uint64_t first, uint64_t n, Error *err)
{
    const OutTensor *t = &run->writer->tensors.items[i];
    const WriteJob *job = run->job;
    size_t n_bytes = row_bytes(t);
    atomic_ullong bad = UINT64_MAX;
#pragma omp parallel for num_threads(run->n_threads) schedule(dynamic, 4)
    for (uint64_t r = 0; r < n; r++) {
        float *row = run->rows[omp_get_thread_num()];
        job->read_row(job->user, i, first + r, row);
        const float *importance =
            job->find_importance ? job->find_importance(job->user, i, first + r) : NULL;
        if (!quantize_row(t->type, row, (int)t->dims[0], importance, run->chunk + r * n_bytes))
            atomic_store(&bad, r);
    }
    if (bad == UINT64_MAX) return true;
    return error_set(err, ERROR_DAMAGED,
                     "tensor %s, row %" PRIu64 ": a number that is not finite or too large for %s",
                     t->name, first + (uint64_t)bad, tensor_type_info(t->type)->name);
}

static bool write_tensor(Run *run, size_t i, Error *err)
{
    static const char zeros[ALIGNMENT];
    const OutTensor *t = &run->writer->tensors.items[i];
    size_t n_bytes = row_bytes(t);
    uint64_t n_rows = count_rows(t), step = CHUNK_BYTES / n_bytes ? CHUNK_BYTES / n_bytes : 1;
    for (uint64_t at = 0; at < n_rows; at += step) {
        uint64_t n = n_rows - at < step ? n_rows - at : step;
        const char *from = t->data ? (const char *)t->data + at * n_bytes : run->chunk;
        if (!t->data && !encode_rows(run, i, at, n, err)) return false;
        if (!put_out(run, (Str){from, n * n_bytes}, err)) return false;
    }
    uint64_t n_all = n_rows * n_bytes;
    return put_out(run, (Str){zeros, padded(n_all) - n_all}, err);
}

static bool make_room(Run *run, Error *err)
{
    size_t widest = 1, chunk = CHUNK_BYTES;
    for (size_t i = 0; i < run->writer->tensors.n; i++) {
        const OutTensor *t = &run->writer->tensors.items[i];
        widest = t->dims[0] > widest ? t->dims[0] : widest;
        chunk = row_bytes(t) > chunk ? row_bytes(t) : chunk;
    }
    run->rows = mem_zero((size_t)run->n_threads * sizeof *run->rows);
    run->chunk = malloc(chunk);
    bool ok = run->chunk && widest <= INT32_MAX;
    for (int i = 0; ok && i < run->n_threads; i++)
        ok = (run->rows[i] = malloc(widest * sizeof **run->rows)) != NULL;
    return ok || error_set(err, ERROR_NO_MEMORY, "no memory for rows of %zu numbers", widest);
}

static bool write_all(Run *run, Error *err)
{
    StrBuf head = {0};
    build_head(run->writer, &head);
    run->total = head.len + data_bytes(run->writer);
    bool ok = make_room(run, err) &&
              out_open(&run->out, run->job->path, run->job->overwrite, run->total, err);
    if (ok) {
        ok = put_out(run, strbuf_str(&head), err) && out_extend(&run->out, run->total, err) &&
             (!run->job->check || run->job->check(run->out.temporary, err));
        for (size_t i = 0; ok && i < run->writer->tensors.n; i++)
            ok = write_tensor(run, i, err);
        if (ok)
            ok = out_commit(&run->out, err);
        else
            out_discard(&run->out);
    }
    strbuf_deinit(&head);
    return ok;
}

bool writer_run(const GgufWriter *writer, const WriteJob *job, Error *err)
{
    Run run = {.writer = writer, .job = job, .out = {.fd = -1}};
    run.n_threads = job->n_threads ? job->n_threads : omp_get_num_procs();
    bool ok = write_all(&run, err);
    for (int i = 0; run.rows && i < run.n_threads; i++)
        free(run.rows[i]);
    free(run.rows);
    free(run.chunk);
    return ok;
}

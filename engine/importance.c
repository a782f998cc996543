// Sums of squares by an observer of the products (compute.h).
#include "importance.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model.h"

enum { PIECE = 512 };
// Of a part's mean: no column is worth nothing, since other texts use it.
static const float FLOOR = 1e-3f;

typedef struct Columns {
    int n_in, n_parts;
    float *sums;      // [n_parts][n_in]; means in the end
    uint64_t *counts; // [n_parts]
} Columns;

struct Importance {
    size_t n;         // tensors of the file
    Columns *columns; // [n]
};

static void see(void *user, const MatmulTask *task)
{
    Importance *imp = user;
    const Matrix *w = task->w;
    if (w->tensor == 0) return; // a copy in another form
    Columns *c = &imp->columns[w->tensor - 1];
    if (!c->sums) {
        *c = (Columns){.n_in = w->n_in, .n_parts = w->n_parts};
        c->sums = mem_zero((size_t)w->n_in * (size_t)w->n_parts * sizeof *c->sums);
        c->counts = mem_zero((size_t)w->n_parts * sizeof *c->counts);
    }
    float *sums = c->sums + (size_t)task->part * (size_t)c->n_in;
    for (int i = 0; i < task->n_acts; i++)
        for (int k = 0; k < c->n_in; k++)
            sums[k] += task->acts[i].x[k] * task->acts[i].x[k];
    c->counts[task->part] += (uint64_t)task->n_acts;
}

static void make_means(Columns *c)
{
    for (int p = 0; p < c->n_parts; p++) {
        float *v = c->sums + (size_t)p * (size_t)c->n_in, mean = 0;
        if (c->counts[p] == 0) continue;
        for (int k = 0; k < c->n_in; k++) {
            v[k] /= (float)c->counts[p];
            mean += v[k] / (float)c->n_in;
        }
        for (int k = 0; k < c->n_in; k++)
            v[k] += FLOOR * mean;
        if (!(mean > 0)) c->counts[p] = 0;
    }
}

static bool score(Session *session, const int *ids, size_t n, EngineCancel cancel,
                  void (*on_progress)(void *user, size_t done, size_t total), Error *err)
{
    float logprobs[PIECE];
    int argmax[PIECE];
    for (size_t at = 0; at + 1 < n; at += PIECE) {
        size_t left = n - at;
        int piece = left < PIECE ? (int)left : PIECE;
        if (!session_score(session, ids + at, piece, logprobs, argmax, cancel, err)) return false;
        if (on_progress) on_progress(cancel.user, at + (size_t)piece, n);
    }
    return true;
}

Importance *importance_collect(Engine *engine, const int *ids, size_t n, EngineCancel cancel,
                               void (*on_progress)(void *user, size_t done, size_t total),
                               Error *err)
{
    if (n < 2) {
        error_set(err, ERROR_INVALID, "a calibration text of %zu tokens, wanted at least 2", n);
        return NULL;
    }
    Importance *imp = mem_zero(sizeof *imp);
    imp->n = gguf_n_tensors(engine->gguf);
    imp->columns = mem_zero(imp->n * sizeof *imp->columns);
    const MatmulObserver observer = {see, imp};
    Session *session = session_new(engine, PIECE + 1, err);
    engine->compute.observer = &observer;
    bool ok = session && score(session, ids, n, cancel, on_progress, err);
    engine->compute.observer = NULL;
    session_free(session);
    for (size_t i = 0; i < imp->n; i++)
        make_means(&imp->columns[i]);
    if (ok) return imp;
    importance_free(imp);
    return NULL;
}

void importance_free(Importance *importance)
{
    if (!importance) return;
    for (size_t i = 0; i < importance->n; i++) {
        free(importance->columns[i].sums);
        free(importance->columns[i].counts);
    }
    free(importance->columns);
    free(importance);
}

const float *importance_find(const Importance *importance, size_t tensor, uint64_t part)
{
    const Columns *c = &importance->columns[tensor];
    if (!c->sums || part >= (uint64_t)c->n_parts || c->counts[part] == 0) return NULL;
    return c->sums + part * (uint64_t)c->n_in;
}

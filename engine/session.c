// Sessions: exact reuse of the longest common prefix, and generation with token healing.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "forward.h"
#include "generation.h"
#include "session_state.h"
#include "speculate.h"

enum { MIN_CTX = 16, MAX_CTX = 1 << 20 };

static bool init_mtp(Session *s, int n_ctx, Error *err)
{
    const Engine *e = s->engine;
    if (!e->weights.mtp.present) return true;
    // Pages are taken from the system as they are first written.
    s->mtp.states = calloc((size_t)n_ctx * (size_t)e->shape.n_embd, sizeof *s->mtp.states);
    if (!s->mtp.states)
        return error_set(err, ERROR_NO_MEMORY, "no memory for the states of %d tokens", n_ctx);
    return kv_init(&s->mtp.kv, &e->shape, 1, n_ctx, err);
}

Session *session_new(Engine *engine, int n_ctx, Error *err)
{
    int longest = engine->shape.n_ctx_train;
    if (n_ctx == 0) n_ctx = longest < ENGINE_DEFAULT_CTX ? longest : ENGINE_DEFAULT_CTX;
    if (n_ctx < MIN_CTX || n_ctx > MAX_CTX) {
        error_set(err, ERROR_INVALID, "a session of %d tokens, wanted %d to %d", n_ctx, MIN_CTX,
                  MAX_CTX);
        return NULL;
    }
    Session *s = mem_zero(sizeof *s);
    s->engine = engine;
    if (!kv_init(&s->kv, &engine->shape, engine->shape.n_layers, n_ctx, err) ||
        !init_mtp(s, n_ctx, err) ||
        !compute_reserve(&engine->compute, &engine->shape, n_ctx, err)) {
        session_free(s);
        return NULL;
    }
    s->ids = mem_zero((size_t)n_ctx * sizeof *s->ids);
    s->logits = mem_zero((size_t)engine->shape.n_vocab * sizeof *s->logits);
    s->cut_rows = mem_alloc((size_t)engine->compute.pass_rows * (size_t)engine->shape.n_embd *
                            sizeof *s->cut_rows);
    return s;
}

void session_free(Session *session)
{
    if (!session) return;
    kv_deinit(&session->kv);
    kv_deinit(&session->mtp.kv);
    free(session->mtp.states);
    free(session->ids);
    free(session->logits);
    free(session->cut_rows);
    free(session);
}

int session_n_ctx(const Session *session)
{
    return session->kv.n_ctx;
}

// The MTP block's row i depends on token i + 1.
static void truncate_session(Session *s, int len)
{
    if (len < s->kv.len) s->has_logits = false;
    s->kv.len = len;
    int n_rows = len > 0 ? len - 1 : 0;
    if (s->mtp.kv.len > n_rows) s->mtp.kv.len = n_rows;
}

void session_forget(Session *s)
{
    truncate_session(s, 0);
    s->has_logits = false;
    s->cut = (CutPass){0};
}

bool session_use_adapters(Session *session, const AdapterUse *uses, int n, Error *err)
{
    LoraSet set = {.n = n};
    if (n < 0 || n > LORA_MAX_ADAPTERS)
        return error_set(err, ERROR_INVALID, "%d adapters, wanted 0 to %d", n, LORA_MAX_ADAPTERS);
    for (int i = 0; i < n; i++) {
        set.uses[i] = uses[i];
        if (uses[i].adapter->engine != session->engine)
            return error_set(err, ERROR_INVALID, "an adapter of another model");
    }
    if (n && !lora_reserve(&session->engine->compute, err)) return false;
    bool same = n == session->lora.n;
    for (int i = 0; same && i < n; i++)
        same = set.uses[i].adapter == session->lora.uses[i].adapter &&
               set.uses[i].strength == session->lora.uses[i].strength;
    if (same) return true;
    session->lora = set;
    session_forget(session);
    return true;
}

const int *session_ids(const Session *session, int *n)
{
    *n = session->kv.len;
    return session->ids;
}

const float *session_logits(const Session *session)
{
    assert(session->has_logits);
    return session->logits;
}

bool session_check_ids(const Session *s, const int *ids, int n, int max, Error *err)
{
    if (n < 1 || n > max)
        return error_set(err, n < 1 ? ERROR_INVALID : ERROR_TOO_LARGE,
                         "a prompt of %d tokens, wanted 1 to %d", n, max);
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->engine->shape.n_vocab)
            return error_set(err, ERROR_INVALID, "token id %d at %d, wanted 0 to %d", ids[i], i,
                             s->engine->shape.n_vocab - 1);
    return true;
}

void session_begin_pass(Session *s)
{
    Compute *c = &s->engine->compute;
    c->lora_set = s->lora.n ? &s->lora : NULL;
    c->n_passes++;
    s->cut = (CutPass){0};
}

void session_keep_states(Session *s, int first, int n)
{
    Engine *e = s->engine;
    if (s->mtp.states)
        forward_keep_states(&e->compute, &e->shape, &e->weights, n,
                            s->mtp.states + (size_t)first * (size_t)e->shape.n_embd);
}

// Begins a pass, or takes up the one that was cut; returns the next stage.
static int begin_or_resume(Session *s, const Pass *pass)
{
    Engine *e = s->engine;
    const CutPass cut = s->cut;
    bool goes_on = cut.stage > 0 && cut.first == s->kv.len && cut.n == pass->n &&
                   cut.n_unread == pass->n_unread;
    session_begin_pass(s);
    forward_begin(&e->compute, &e->shape, &e->weights, pass);
    if (!goes_on) return 0;
    memcpy(e->compute.x, s->cut_rows,
           (size_t)cut.n * (size_t)e->shape.n_embd * sizeof *s->cut_rows);
    return cut.stage;
}

// A pass of which others may want to know whether it goes on, and its next stage or the one that
// runs.
typedef struct Watched {
    Session *session;
    const Pass *pass;
    int stage;
    EngineCancel cancel;
    bool cancelled;
    Error *err;
} Watched;

// The state is kept before the stage's first poll, since a poll may run other sessions. True where
// the pass cannot go on at once: it is cancelled, or its buffers have been used.
static bool keep_and_poll(void *watched)
{
    Watched *w = watched;
    Session *s = w->session;
    Compute *c = &s->engine->compute;
    const Pass *pass = w->pass;
    const unsigned n_passes = c->n_passes;
    const PassWatch watch = c->watch;
    const size_t n_floats = (size_t)pass->n * (size_t)s->engine->shape.n_embd;
    if (s->cut.n == 0 || s->cut.stage != w->stage)
        memcpy(s->cut_rows, c->x, n_floats * sizeof *s->cut_rows);
    s->cut = (CutPass){s->kv.len, pass->n, pass->n_unread, w->stage};
    c->watch = (PassWatch){0};
    w->cancelled = engine_is_cancelled(w->cancel, w->err);
    c->watch = watch;
    return w->cancelled || c->n_passes != n_passes;
}

// All stages of a pass. Polls before each and within long ones. Cancelled: false, and the next pass
// of the same ids goes on at that stage.
static bool run_stages(Session *s, const Pass *pass, EngineCancel cancel, Error *err)
{
    Engine *e = s->engine;
    Watched w = {.session = s, .pass = pass, .cancel = cancel, .err = err};
    if (engine_is_cancelled(cancel, err)) return false;
    w.stage = begin_or_resume(s, pass);
    for (bool begun = true; w.stage < forward_n_stages(&e->shape);) {
        if (cancel.poll) e->compute.watch = (PassWatch){keep_and_poll, &w};
        bool stopped = (!begun && compute_is_stopped(&e->compute)) ||
                       !forward_stage(&e->compute, &e->shape, &e->weights, pass, w.stage);
        e->compute.watch = (PassWatch){0};
        if (w.cancelled) return false;
        if (stopped)
            w.stage = begin_or_resume(s, pass);
        else
            w.stage++;
        begun = stopped;
    }
    s->cut = (CutPass){0};
    return true;
}

// A pass of the next n ids, and logits [n_logits][n_vocab] of the last ones. The MTP block wants
// the states of all. False: cancelled.
static bool evaluate(Session *s, int n, int n_logits, float *logits, EngineCancel cancel,
                     Error *err)
{
    Engine *e = s->engine;
    Pass pass = {.own = &s->kv,
                 .ids = s->ids + s->kv.len,
                 .n = n,
                 .n_unread = s->mtp.states ? 0 : n - n_logits};
    if (!run_stages(s, &pass, cancel, err)) return false;
    s->kv.len += n;
    s->has_logits = n_logits == 1;
    if (n_logits > 0)
        forward_logits(&e->compute, &e->shape, &e->weights, n - n_logits, n_logits, logits);
    session_keep_states(s, s->kv.len - n, n);
    return true;
}

// Rewinds to what ids and the cache share, then takes over the new ids.
static int rewind_to_shared(Session *s, const int *ids, int n)
{
    int shared = kv_common_prefix(s->ids, s->kv.len, ids, n);
    if (shared == n && !(s->kv.len == n && s->has_logits)) shared--; // the last id gives the logits
    truncate_session(s, shared);
    if (s->cut.first + s->cut.n > n ||
        memcmp(s->ids + s->cut.first, ids + s->cut.first, (size_t)s->cut.n * sizeof *ids) != 0)
        s->cut = (CutPass){0};
    memcpy(s->ids, ids, (size_t)n * sizeof *ids);
    return shared;
}

bool session_sync(Session *session, const int *ids, int n, EngineCancel cancel, SyncStats *stats,
                  Error *err)
{
    double start = clock_ms();
    *stats = (SyncStats){.n_tokens = n};
    if (!session_check_ids(session, ids, n, session->kv.n_ctx - 1, err)) return false;
    stats->n_reused = rewind_to_shared(session, ids, n);
    bool ok = true;
    while (ok && session->kv.len < n) {
        int left = n - session->kv.len;
        int most = session->engine->compute.pass_rows, chunk = left < most ? left : most;
        ok = evaluate(session, chunk, chunk == left, session->logits, cancel, err);
    }
    stats->n_evaluated = session->kv.len - stats->n_reused;
    stats->ms = clock_ms() - start;
    return ok;
}

bool session_append(Session *session, int id, Error *err)
{
    if (!session_check_ids(session, &id, 1, 1, err)) return false;
    if (session->kv.len >= session->kv.n_ctx)
        return error_set(err, ERROR_TOO_LARGE, "the cache of %d tokens is full", session->kv.n_ctx);
    session->ids[session->kv.len] = id;
    return evaluate(session, 1, 1, session->logits, (EngineCancel){0}, err);
}

// --- scoring -------------------------------------------------------------------------------------

void session_score_row(const float *logits, int n_vocab, int id, float *logprob, int *argmax)
{
    int best = 0;
    for (int i = 1; i < n_vocab; i++)
        if (logits[i] > logits[best]) best = i;
    double sum = 0, max = (double)logits[best];
    for (int i = 0; i < n_vocab; i++)
        sum += (double)expf((float)((double)logits[i] - max));
    *logprob = (float)((double)logits[id] - max - log(sum));
    *argmax = best;
}

bool session_visit(Session *session, const int *ids, int n, int from, OnLogits visit, void *user,
                   EngineCancel cancel, Error *err)
{
    if (!session_check_ids(session, ids, n, session->kv.n_ctx, err)) return false;
    if (from < 1 || from >= n)
        return error_set(err, ERROR_INVALID, "place %d of %d ids, wanted 1 to %d", from, n, n - 1);
    size_t n_vocab = (size_t)session->engine->shape.n_vocab;
    float *rows = malloc(SCORE_CHUNK * n_vocab * sizeof *rows);
    if (!rows)
        return error_set(err, ERROR_NO_MEMORY, "no memory for %d rows of logits", SCORE_CHUNK);
    int shared = rewind_to_shared(session, ids, n);
    if (shared >= from) truncate_session(session, from - 1);
    bool ok = true;
    while (ok && session->kv.len < n) {
        int first = session->kv.len, before = from - 1 - first;
        int most = before > 0 ? session->engine->compute.pass_rows : SCORE_CHUNK;
        int left = before > 0 ? before : n - first, chunk = left < most ? left : most;
        ok = evaluate(session, chunk, before > 0 ? 0 : chunk, rows, cancel, err);
        session->has_logits = false; // the rows are the caller's
        for (int i = 0; ok && before <= 0 && i < chunk && first + i + 1 < n; i++)
            visit(user, first + i + 1, rows + (size_t)i * n_vocab);
    }
    free(rows);
    return ok;
}

typedef struct Scores {
    const int *ids;
    int n_vocab;
    float *logprobs;
    int *argmax;
} Scores;

static void score_place(void *user, int tok_pos, const float *logits)
{
    Scores *s = user;
    session_score_row(logits, s->n_vocab, s->ids[tok_pos], &s->logprobs[tok_pos],
                      &s->argmax[tok_pos]);
}

bool session_score(Session *session, const int *ids, int n, float *logprobs, int *argmax,
                   EngineCancel cancel, Error *err)
{
    if (!session_check_ids(session, ids, n, session->kv.n_ctx, err)) return false;
    Scores scores = {ids, session->engine->shape.n_vocab, logprobs, argmax};
    session_forget(session); // nothing reused: chunks of another prompt round differently
    if (n == 1) {
        SyncStats sync;
        return session_sync(session, ids, n, cancel, &sync, err);
    }
    return session_visit(session, ids, n, 1, score_place, &scores, cancel, err);
}

// --- generation ----------------------------------------------------------------------------------

// One step: true to go on, else the result says why not.
static bool generate_step(Session *s, Generation *g, Speculation *speculation)
{
    int id;
    if (!generation_choose(g, s->engine, s->logits, &id)) return false;
    if (s->kv.len >= s->kv.n_ctx) {
        g->result->stop = STOP_FULL;
        return false;
    }
    speculation_append(speculation, id);
    return true;
}

bool session_generate(Session *session, const GenerateOptions *options, GenerateResult *result,
                      Error *err)
{
    double start = clock_ms();
    Generation generation;
    bool go_on = generation_begin(&generation, options, result);
    if (!session->has_logits)
        return error_set(err, ERROR_INVALID, "nothing to continue: the session has no prompt");
    Speculation speculation;
    speculation_begin(&speculation, session, options, result);
    while (go_on && !engine_is_cancelled(options->cancel, err))
        go_on = generate_step(session, &generation, &speculation);
    speculation_end(&speculation);
    result->ms = clock_ms() - start;
    return err->code == ERROR_NONE;
}

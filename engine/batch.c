// Several sequences after one prompt. The prompt's cache is read by all; what they write lies in
// one more cache, a stripe of rows a sequence, that lives as long as the call.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "forward.h"
#include "generation.h"
#include "session_state.h"

typedef struct Sequence {
    BatchSequence *request;
    Generation generation;
    bool active, bridged; // bridged: the bridge has begun
    bool ended;           // and its owner was told
    int first, cap;       // its stripe
    int len;              // rows of it that are evaluated
    int token;            // to be evaluated, -1: none
    int bridge_left;      // so are the last so many ids of the bridge, after the token
    const float *logits; // [n_vocab] to choose from: the session's first, then its row of the batch
} Sequence;

typedef struct Batch {
    Session *session;
    Kv tails;
    float *logits; // [n][n_vocab]
    int n;
    Sequence sequences[BATCH_MAX_SEQUENCES];
    // One pass.
    int n_rows, n_last;
    int ids[COMPUTE_CHUNK];
    PassRow rows[COMPUTE_CHUNK];
    Sequence *last_of[BATCH_MAX_SEQUENCES]; // whose last rows stand at the pass's end, in order
} Batch;

// --- one pass ------------------------------------------------------------------------------------

static Pass make_pass(Session *s, Kv *tails)
{
    return (Pass){.own = tails, .shared = &s->kv, .n_shared = s->kv.len, .kernels = PASS_GROUPED};
}

static void add_row(Batch *b, Sequence *q, int id)
{
    assert(q->len < q->cap && b->n_rows < b->session->engine->compute.pass_rows);
    b->ids[b->n_rows] = id;
    b->rows[b->n_rows++] = (PassRow){b->session->kv.len + q->len, q->first + q->len, q->first};
    q->len++;
}

static int n_pending(const Sequence *q)
{
    return q->active ? (q->token >= 0) + q->bridge_left : 0;
}

static int take_pending(Sequence *q)
{
    int id = q->token;
    q->token = -1;
    if (id >= 0) return id;
    return q->request->bridge[q->request->n_bridge - q->bridge_left--];
}

// Rows whose logits nobody needs come first: attention does not mind the order of a pass's rows.
// Every sequence keeps a place for its last row, whatever the others have to catch up with.
static void gather_rows(Batch *b)
{
    int room = b->session->engine->compute.pass_rows - b->n;
    b->n_rows = b->n_last = 0;
    for (int i = 0; i < b->n; i++)
        for (Sequence *q = &b->sequences[i]; n_pending(q) > 1 && room > 0; room--)
            add_row(b, q, take_pending(q));
    for (int i = 0; i < b->n; i++) {
        Sequence *q = &b->sequences[i];
        if (n_pending(q) != 1) continue;
        add_row(b, q, take_pending(q));
        b->last_of[b->n_last++] = q;
    }
}

static void run_pass(Batch *b)
{
    Engine *e = b->session->engine;
    Pass pass = make_pass(b->session, &b->tails);
    pass.rows = b->rows;
    pass.ids = b->ids;
    pass.n = b->n_rows;
    pass.n_unread = b->n_rows - b->n_last;
    session_begin_pass(b->session);
    forward_pass(&e->compute, &e->shape, &e->weights, &pass);
    if (b->n_last)
        forward_logits(&e->compute, &e->shape, &e->weights, b->n_rows - b->n_last, b->n_last,
                       b->logits);
    for (int i = 0; i < b->n_last; i++)
        b->last_of[i]->logits = b->logits + (size_t)i * (size_t)e->shape.n_vocab;
}

// --- generation ----------------------------------------------------------------------------------

static void choose_next(Batch *b, Sequence *q)
{
    EngineCancel cancel = q->request->generate.cancel;
    if (cancel.poll && cancel.poll(cancel.user)) {
        q->request->result.stop = STOP_CALLER;
        q->active = false;
        return;
    }
    q->active = generation_choose(&q->generation, b->session->engine, q->logits, &q->token);
    q->logits = NULL;
    GenerateResult *result = &q->request->result;
    if (!q->active && q->request->n_bridge > 0 && !q->bridged && result->stop == STOP_CALLER &&
        result->n_tokens < q->request->generate.max_tokens) {
        q->active = q->bridged = true;
        q->bridge_left = q->request->n_bridge;
        result->stop = STOP_LENGTH;
    }
    if (q->active && q->len + n_pending(q) > q->cap) {
        q->active = false;
        result->stop = STOP_FULL;
    }
}

static void end_sequence(Sequence *q, double start)
{
    q->ended = true;
    q->request->result.ms = clock_ms() - start;
    if (q->request->on_end) q->request->on_end(q->request->generate.user);
}

// Every sequence that has logits chooses; false when none is left to be evaluated.
static bool choose_all(Batch *b, double start)
{
    bool any = false;
    for (int i = 0; i < b->n; i++) {
        Sequence *q = &b->sequences[i];
        if (q->active && q->logits) choose_next(b, q);
        if (!q->active && !q->ended) end_sequence(q, start);
        any |= q->active;
    }
    return any;
}

// A stripe holds all that is evaluated: each token but the last, and the bridge.
static bool set_up(Batch *b, BatchSequence *sequences, Error *err)
{
    Session *s = b->session;
    int left = s->kv.n_ctx - s->kv.len, n_rows = 0;
    for (int i = 0; i < b->n; i++) {
        BatchSequence *request = &sequences[i];
        Sequence *q = &b->sequences[i];
        if (request->n_bridge > 0 &&
            !session_check_ids(s, request->bridge, request->n_bridge, s->kv.n_ctx, err))
            return false;
        *q = (Sequence){.request = request, .first = n_rows, .token = -1, .logits = s->logits};
        q->active = generation_begin(&q->generation, &request->generate, &request->result);
        long wanted = (long)request->generate.max_tokens + request->n_bridge;
        q->cap = wanted < left ? (int)(wanted > 0 ? wanted : 0) : left;
        n_rows += q->cap;
    }
    size_t n_logits = (size_t)b->n * (size_t)s->engine->shape.n_vocab;
    b->logits = malloc(n_logits * sizeof *b->logits);
    if (!b->logits)
        return error_set(err, ERROR_NO_MEMORY, "no memory for the logits of %d sequences", b->n);
    return kv_init(&b->tails, &s->engine->shape, s->kv.n_layers, n_rows > 0 ? n_rows : 1, err);
}

bool session_generate_batch(Session *session, BatchSequence *sequences, int n, EngineCancel cancel,
                            Error *err)
{
    double start = clock_ms();
    if (n < 1 || n > BATCH_MAX_SEQUENCES)
        return error_set(err, ERROR_INVALID, "a batch of %d sequences, wanted 1 to %d", n,
                         BATCH_MAX_SEQUENCES);
    if (!session->has_logits)
        return error_set(err, ERROR_INVALID, "nothing to continue: the session has no prompt");
    Batch *b = mem_zero(sizeof *b);
    b->session = session;
    b->n = n;
    bool ok = set_up(b, sequences, err);
    while (ok && choose_all(b, start)) {
        ok = !engine_is_cancelled(cancel, err);
        if (!ok) break;
        gather_rows(b);
        run_pass(b);
    }
    kv_deinit(&b->tails);
    free(b->logits);
    free(b);
    return ok;
}

// --- given continuations -------------------------------------------------------------------------

typedef struct Scoring {
    Session *session;
    Kv tails;
    float *logits;       // [SCORE_CHUNK][n_vocab]
    int n_rows;          // an id that another follows is a row
    const int **row_ids; // [n_rows]: of the row; its follower lies behind it
    PassRow *rows;
    float **row_out; // [n_rows]: the follower's log-probability
} Scoring;

static void score_first(const Session *s, const int *id, float *logprob)
{
    int argmax;
    session_score_row(s->logits, s->engine->shape.n_vocab, *id, logprob, &argmax);
}

static void list_rows(Scoring *sc, const int *ids, const int *lengths, int n, float *logprobs)
{
    int prompt = sc->session->kv.len, at = 0;
    for (int i = 0; i < n; i++) {
        score_first(sc->session, &ids[at], &logprobs[at]);
        int first = sc->n_rows;
        for (int j = 0; j + 1 < lengths[i]; j++) {
            sc->row_ids[sc->n_rows] = &ids[at + j];
            sc->row_out[sc->n_rows] = &logprobs[at + j + 1];
            sc->rows[sc->n_rows++] = (PassRow){prompt + j, first + j, first};
        }
        at += lengths[i];
    }
}

static void score_rows(Scoring *sc, int first, int n)
{
    Engine *e = sc->session->engine;
    int ids[COMPUTE_CHUNK];
    for (int i = 0; i < n; i++)
        ids[i] = *sc->row_ids[first + i];
    Pass pass = make_pass(sc->session, &sc->tails);
    pass.rows = sc->rows + first;
    pass.ids = ids;
    pass.n = n;
    session_begin_pass(sc->session);
    forward_pass(&e->compute, &e->shape, &e->weights, &pass);
    size_t n_vocab = (size_t)e->shape.n_vocab;
    for (int at = 0; at < n; at += SCORE_CHUNK) {
        int m = n - at < SCORE_CHUNK ? n - at : SCORE_CHUNK, argmax;
        forward_logits(&e->compute, &e->shape, &e->weights, at, m, sc->logits);
        for (int i = 0; i < m; i++)
            session_score_row(sc->logits + (size_t)i * n_vocab, (int)n_vocab,
                              sc->row_ids[first + at + i][1], sc->row_out[first + at + i], &argmax);
    }
}

// The sum of the lengths; -1 with an error.
static int check_continuations(const Session *s, const int *ids, const int *lengths, int n,
                               Error *err)
{
    int total = 0, room = s->kv.n_ctx - s->kv.len;
    if (!s->has_logits)
        error_set(err, ERROR_INVALID, "nothing to continue: the session has no prompt");
    else if (n < 1)
        error_set(err, ERROR_INVALID, "%d continuations, wanted 1 or more", n);
    for (int i = 0; err->code == ERROR_NONE && i < n; i++) {
        if (!session_check_ids(s, ids + total, lengths[i], room, err)) return -1;
        if (__builtin_add_overflow(total, lengths[i], &total))
            error_set(err, ERROR_TOO_LARGE, "%d continuations are too long together", n);
    }
    return err->code == ERROR_NONE ? total : -1;
}

bool session_score_continuations(Session *session, const int *ids, const int *lengths, int n,
                                 float *logprobs, EngineCancel cancel, Error *err)
{
    int total = check_continuations(session, ids, lengths, n, err);
    if (total < 0) return false;
    Scoring sc = {.session = session};
    size_t n_logits = SCORE_CHUNK * (size_t)session->engine->shape.n_vocab;
    sc.logits = malloc(n_logits * sizeof *sc.logits);
    sc.row_ids = mem_alloc((size_t)total * sizeof *sc.row_ids);
    sc.row_out = mem_alloc((size_t)total * sizeof *sc.row_out);
    sc.rows = mem_alloc((size_t)total * sizeof *sc.rows);
    bool ok =
        sc.logits && kv_init(&sc.tails, &session->engine->shape, session->kv.n_layers, total, err);
    if (!sc.logits) error_set(err, ERROR_NO_MEMORY, "no memory for %d rows of logits", SCORE_CHUNK);
    if (ok) list_rows(&sc, ids, lengths, n, logprobs);
    const int most = session->engine->compute.pass_rows;
    for (int at = 0; ok && at < sc.n_rows; at += most) {
        ok = !engine_is_cancelled(cancel, err);
        int left = sc.n_rows - at;
        if (ok) score_rows(&sc, at, left < most ? left : most);
    }
    kv_deinit(&sc.tails);
    free(sc.logits);
    free(sc.row_ids);
    free(sc.row_out);
    free(sc.rows);
    return ok;
}

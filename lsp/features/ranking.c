// Who waits for the model's order, and who makes the model work it out.
#include "features/ranking.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "features/features.h"
#include "features/inline_context.h"
#include "projects.h"
#include "server_private.h"

static const double WAIT_MS = 45; // from the request to its answer

typedef struct Ranking {
    ByteRange word; // up to the cursor
    const Str *names;
    size_t n;
    void (*done)(Request *request, const size_t *order, RankingOutcome outcome);
} Ranking;

static void end(Request *request, const size_t *order, RankingOutcome outcome)
{
    const Ranking *ranking = request->ranking;
    request->ranking = NULL;
    ranking->done(request, order, outcome);
}

typedef struct Ranked {
    bool begins; // as what is typed
    float score;
    size_t index;
} Ranked;

static int compare(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->begins != y->begins) return x->begins ? -1 : 1;
    if (x->score > y->score) return -1;
    if (x->score < y->score) return 1;
    return x->index < y->index ? -1 : 1;
}

static bool answer_known(Request *request)
{
    const Ranking *ranking = request->ranking;
    const Document *doc = request->doc;
    Arena *arena = request->arena;
    size_t n = ranking->n;
    float *scores = arena_array(arena, n + 1, sizeof *scores);
    if (!jobs_rank(server_jobs(request->conn->server), str_from(doc->name), text_str(doc->text),
                   ranking->word, ranking->names, n, arena, scores))
        return false;
    Ranked *ranked = arena_array(arena, n + 1, sizeof *ranked);
    Str typed = str_slice(text_str(doc->text), ranking->word.start, ranking->word.end);
    for (size_t i = 0; i < n; i++)
        ranked[i] = (Ranked){str_starts(ranking->names[i], typed), scores[i], i};
    qsort(ranked, n, sizeof *ranked, compare);
    size_t *order = arena_array(arena, n + 1, sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = ranked[i].index;
    end(request, order, RANKING_KNOWN);
    return true;
}

// --- who works it out

static void on_warmed(Job *job)
{
    Document *doc = job->owner;
    doc->warming = NULL;
}

void ranking_stop(Document *doc)
{
    if (!doc->warming) return;
    doc->warming->owner = NULL;
    job_cancel(doc->warming);
    doc->warming = NULL;
}

static bool is_at(const Job *job, const Request *request)
{
    return job && job->kind == JOB_COMPLETE && job->complete.text == request->doc->text &&
           job->complete.byte_off == request->ranking->word.end && job->complete.selected.len == 0;
}

// Ghost text is being made at this place.
static bool is_asked(const Request *request)
{
    for (const Request *other = request->conn->requests; other; other = other->next)
        if (other->doc == request->doc && is_at(other->job, request)) return true;
    return false;
}

// Or that has begun already which is to be begun.
static bool is_under_way(const Request *request)
{
    return is_at(request->doc->warming, request) || is_asked(request);
}

// The prompt is that of ghost text, so that one warms it for the other.
static void warm(const Request *request)
{
    Document *doc = request->doc;
    if (is_under_way(request)) return;
    CompleteRequest like = inline_completion_like(request->conn, doc, request->ranking->word.end);
    like.only_expect = true;
    like.gate = 0;
    ranking_stop(doc);
    Job *job = job_new_complete(&like, doc);
    job->ahead = true;
    job->ended = on_warmed;
    doc->warming = job;
    jobs_submit(server_jobs(request->conn->server), job);
}

static void on_chosen(Request *request, Question *question)
{
    inline_context_keep(request->doc, question);
    if (question->text == request->doc->text) warm(request);
}

// --- waiting

static bool is_wanted(const Request *request)
{
    const Connection *conn = request->conn;
    const Jobs *jobs = server_jobs(conn->server);
    return projects_of(conn, request->doc)->config.rank_completion && jobs &&
           jobs_engine_state(jobs) == ENGINE_READY && jobs_engine_info(jobs)->fim_order != FIM_NONE;
}

void ranking_start(Request *request, ByteRange word, const Str *names, size_t n,
                   void (*done)(Request *request, const size_t *order, RankingOutcome outcome))
{
    Connection *conn = request->conn;
    Document *doc = request->doc;
    ranking_end_wait(conn, doc); // whoever waits there is answered before
    Ranking *ranking = arena_alloc(request->arena, sizeof *ranking);
    *ranking = (Ranking){word, names, n, done};
    request->ranking = ranking;
    if (n < 2 || !is_wanted(request)) {
        end(request, NULL, RANKING_OFF);
        return;
    }
    if (request->revision != doc->revision) {
        end(request, NULL, RANKING_LATE);
        return;
    }
    if (answer_known(request)) return;
    doc->ranking_attempt = (RankingAttempt){request->started_ms, word, doc->revision};
    double left = request->started_ms + WAIT_MS - clock_ms();
    bool prompt_is_known = inline_context_is_known(request, word.end);
    if (prompt_is_known)
        warm(request);
    else
        inline_context_ask(request, word.end, on_chosen);
    // Behind a loop only ghost text that is asked for at this place comes in time.
    bool in_vain = jobs_have_loop(server_jobs(conn->server)) && !is_asked(request);
    if (left < 1 || in_vain || (conn->ranks_late && prompt_is_known))
        end(request, NULL, RANKING_LATE);
    else
        due_set(&conn->rankings, doc, left);
}

// How late it comes decides whether the next request waits.
static void measure(Connection *conn, Document *doc)
{
    RankingAttempt *attempt = &doc->ranking_attempt;
    if (attempt->asked_ms <= 0 || attempt->revision != doc->revision) return;
    if (jobs_expectation_reach(server_jobs(conn->server), str_from(doc->name), text_str(doc->text),
                               attempt->word) != EXPECTATION_THERE)
        return;
    conn->ranks_late = clock_ms() - attempt->asked_ms > WAIT_MS;
    attempt->asked_ms = 0;
}

void ranking_look(Connection *conn)
{
    Request *next;
    for (Document *doc = conn->documents.first; doc; doc = doc->next)
        measure(conn, doc);
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (!request->ranking) continue;
        if (request->revision != request->doc->revision)
            end(request, NULL, RANKING_LATE);
        else
            answer_known(request);
    }
}

bool ranking_end_wait(Connection *conn, Document *doc)
{
    Request *next;
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (!request->ranking || request->doc != doc) continue;
        conn->ranks_late = true;
        end(request, NULL, RANKING_LATE);
    }
    return true;
}

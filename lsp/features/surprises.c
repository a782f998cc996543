// Hints about unlikely names (src/surprise.h): once the typing has rested, the engine looks at the
// function that was changed last, behind all that the user waits for. One job at a time for a
// connection; it belongs to the document whose syntax it reads.
#include "surprises.h"

#include "base/log.h"
#include "features/features.h"
#include "server_private.h"

static const double REST_MS = 700;

static bool is_wanted(const Connection *conn, const Document *doc)
{
    const ProjectSettings *project = projects_of(conn, doc);
    const Config *config = &project->config;
    return config->surprise > 0 && config->diagnostics && doc->lang &&
           doc->changed_at != SIZE_MAX && server_jobs(conn->server) &&
           !rules_is_listed(str_from(config->rules_off), STR(RULE_SURPRISE)) &&
           dotfile_asks(&project->file, STR(RULE_SURPRISE));
}

static void forget(Document *doc)
{
    arena_free(doc->surprises_arena);
    doc->surprises_arena = NULL;
    doc->surprises = NULL;
    doc->n_surprises = 0;
}

static void on_ended(Job *job);

static void start(Connection *conn, Document *doc)
{
    if (!doc->syntax) return;
    Job *job = job_new(JOB_SURPRISE, conn);
    job->ended = on_ended;
    job->surprise =
        (SurpriseRequest){syntax_retain(doc->syntax), doc->changed_at, conn->config.surprise};
    conn->surprising = job;
    jobs_submit(server_jobs(conn->server), job);
}

bool surprises_begin(Connection *conn, Document *doc)
{
    if (conn->surprising || !documents_is_parsed(doc)) return false;
    start(conn, doc);
    return true;
}

// NULL: the text has moved on, or the document is closed.
static Document *find_document(const Connection *conn, const Job *job)
{
    for (Document *doc = conn->documents.first; doc; doc = doc->next)
        if (doc->text == syntax_text(job->surprise.syntax)) return doc;
    return NULL;
}

static void take(Connection *conn, Document *doc, Job *job)
{
    const SurpriseResult *result = &job->surprise_result;
    log_info("surprise in %.*s: %zu of %d names, %d compared, %.0f ms", STR_FMT(result->function),
             result->n, result->n_names, result->n_places, result->ms);
    if (result->n == 0) return;
    forget(doc);
    doc->surprises_arena = job->arena;
    doc->surprises = arena_array(job->arena, result->n, sizeof *doc->surprises);
    for (size_t i = 0; i < result->n; i++)
        doc->surprises[doc->n_surprises++] = surprise_finding(&result->items[i], job->arena);
    job->arena = NULL;
    diagnostics_found_later(conn, doc, doc->n_surprises);
}

static void on_ended(Job *job)
{
    Connection *conn = job->owner;
    conn->surprising = NULL;
    Document *doc = find_document(conn, job);
    if (doc && job->end == JOB_DONE)
        take(conn, doc, job);
    else if (doc && job->end == JOB_CANCELLED && is_wanted(conn, doc)) // it gave way
        due_set(&conn->surprises, doc, REST_MS);
    else if (job->end == JOB_FAILED)
        log_info("surprise: %s", job->err.text);
    due_look(&conn->surprises);
}

void surprises_stop(Connection *conn, Document *doc)
{
    doc->surprise_due_ms = 0;
    forget(doc);
    // With another text the job finds no document any more. A text that is still the document's
    // is being closed, or looked at anew.
    if (!conn->surprising) return;
    const Document *read = find_document(conn, conn->surprising);
    if (!read || read == doc) job_cancel(conn->surprising);
}

void surprises_schedule(Connection *conn, Document *doc)
{
    surprises_stop(conn, doc);
    if (!is_wanted(conn, doc)) return;
    due_set(&conn->surprises, doc, REST_MS);
}

void surprises_close(Connection *conn)
{
    if (!conn->surprising) return;
    conn->surprising->owner = NULL;
    job_cancel(conn->surprising);
    conn->surprising = NULL;
}

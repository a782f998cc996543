// The job's request holds the text with the suggestion applied; `base` is the text it was shown in.
#include "ahead.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "power.h"
#include "server_private.h"

struct Ahead {
    Document *doc;
    Job *job;
    TextSnap *base;
    size_t base_off; // of the cursor in base
    Str insert;      // in the job's arena
};

static void forget_job(Ahead *ahead)
{
    ahead->job = NULL;
    text_release(ahead->base);
    ahead->base = NULL;
}

static void cancel(Ahead *ahead)
{
    if (!ahead->job) return;
    ahead->job->owner = NULL;
    job_cancel(ahead->job);
    forget_job(ahead);
}

void ahead_free(Ahead *ahead)
{
    if (!ahead) return;
    cancel(ahead);
    free(ahead);
}

static void on_ended(Job *job)
{
    Ahead *ahead = job->owner;
    assert(ahead->job == job);
    if (job->end == JOB_DONE)
        suggestions_add_ahead(ahead->doc->suggestions, &job->complete, &job->complete_result);
    forget_job(ahead);
}

static bool is_wanted(Connection *conn, const TextSnap *after, Str insert)
{
    const char *setting = conn->config.compute_ahead;
    Jobs *jobs = server_jobs(conn->server);
    if (strcmp(setting, "off") == 0 || !jobs || jobs_engine_state(jobs) != ENGINE_READY)
        return false;
    if (text_n_bytes(after) > SYNTAX_MAX_BYTES) return false;
    // Another line moves the cut of a prefix-first prompt: its suffix would be read anew, and again
    // for a user who does not accept.
    bool one_line = str_find(insert, STR("\n"), 0) == insert.len;
    if (!one_line && jobs_engine_info(jobs)->fim_order != FIM_SUFFIX_FIRST) return false;
    return strcmp(setting, "on") == 0 || !power_is_on_battery();
}

static bool is_same(const CompleteRequest *a, const CompleteRequest *b)
{
    return a->byte_off == b->byte_off && a->max_tokens == b->max_tokens &&
           a->multi_line == b->multi_line && !(a->gate < b->gate) && !(a->gate > b->gate) &&
           a->selected.len == 0 && b->selected.len == 0 &&
           str_equal(text_str(a->text), text_str(b->text));
}

static Job *new_job(const Document *doc, const CompleteRequest *like, TextSnap *after,
                    size_t byte_off)
{
    CompleteRequest request = *like;
    request.text = after;
    request.syntax = NULL;
    request.byte_off = byte_off;
    request.selected = (Str){NULL, 0};
    request.selected_range = (ByteRange){0, 0};
    request.pieces = doc->context.pieces; // as in the prompt that the session holds
    request.n_pieces = doc->context.n_pieces;
    Job *job = job_new_complete(&request, NULL);
    job->ahead = true;
    return job;
}

void ahead_start(Connection *conn, Document *doc, const Suggestion *shown,
                 const CompleteRequest *like)
{
    Error err = {0};
    Suggestion known;
    TextSnap *after = text_edit(doc->text, shown->replace, shown->insert, NULL, &err);
    if (!after) return;
    bool wanted = is_wanted(conn, after, shown->insert);
    size_t byte_off = shown->replace.start + shown->insert.len;
    Job *job = wanted ? new_job(doc, like, after, byte_off) : NULL;
    text_release(after);
    if (!job) return;
    if (!doc->ahead) {
        doc->ahead = mem_zero(sizeof *doc->ahead);
        doc->ahead->doc = doc;
    }
    Ahead *ahead = doc->ahead;
    bool running = ahead->job && is_same(&ahead->job->complete, &job->complete);
    if (running || suggestions_find(doc->suggestions, &job->complete, job->arena, &known)) {
        job_free(job);
        return;
    }
    cancel(ahead);
    *ahead = (Ahead){.doc = doc,
                     .job = job,
                     .base = text_retain(doc->text),
                     .base_off = shown->replace.start,
                     .insert = arena_str(job->arena, shown->insert)};
    job->owner = ahead;
    job->ended = on_ended;
    jobs_submit(server_jobs(conn->server), job);
}

// Is the text the base with a beginning of the suggestion typed, or with all of it accepted?
static bool is_on_the_way(const Ahead *ahead, const TextSnap *text)
{
    Str now = text_str(text), base = text_str(ahead->base);
    if (str_equal(now, text_str(ahead->job->complete.text))) return true;
    if (now.len < base.len || now.len - base.len > ahead->insert.len) return false;
    size_t n_typed = now.len - base.len, at = ahead->base_off;
    return str_equal(str_slice(now, 0, at), str_slice(base, 0, at)) &&
           str_equal(str_slice(now, at, at + n_typed), str_slice(ahead->insert, 0, n_typed)) &&
           str_equal(str_slice(now, at + n_typed, now.len), str_slice(base, at, base.len));
}

void ahead_edited(Document *doc)
{
    if (doc->ahead && doc->ahead->job && !is_on_the_way(doc->ahead, doc->text)) cancel(doc->ahead);
}

Job *ahead_take(Document *doc, const CompleteRequest *request)
{
    Ahead *ahead = doc->ahead;
    if (!ahead || !ahead->job || !is_same(&ahead->job->complete, request)) return NULL;
    Job *job = ahead->job;
    job->owner = NULL;
    forget_job(ahead);
    return job;
}

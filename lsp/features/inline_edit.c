// textDocument/inlineEdit: the next edit (src/nextedit), in the payloads of Copilot's language
// server, whose method is taken as well. A worker finds the places, the engine judges them one
// after the other, and the first that holds is the answer. Off unless the setting `nextEdit` is on.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "features/commands.h"
#include "features/features.h"
#include "nextedit/next_edit.h"
#include "parsing.h"
#include "server_private.h"

enum { MAX_ASKED = 4, MAX_TOKENS = 24, MAX_BYTES = 1 << 19, MAX_SOURCES = 3 };

// On its way to a worker and back. Owns references.
typedef struct Search {
    uv_work_t work;
    Server *server;
    Connection *conn;
    uint64_t serial;
    Syntax *syntax;
    NextEditRequest requests[MAX_SOURCES]; // the document that was edited last first
    Edits edits[MAX_SOURCES];
    TextSnap *edited[MAX_SOURCES];
    size_t n_sources;
    Arena *arena;
    NextEdit *found;
    size_t n;
} Search;

// The request's data: what was found, and how far it has been looked at.
typedef struct Places {
    LspPosition position;
    NextEdit *edits;
    size_t n, at;
    int n_asked;
} Places;

// --- recording -----------------------------------------------------------------------------------

void inline_edit_watch(const Connection *conn, Document *doc)
{
    doc->keeps_edits = projects_of(conn, doc)->config.next_edit && doc->lang &&
                       text_n_bytes(doc->text) < MAX_BYTES;
    if (!doc->keeps_edits) edits_clear(&doc->edits);
}

// --- the answer ----------------------------------------------------------------------------------

static void answer(Request *request, const NextEdit *edit)
{
    const Document *doc = request->doc;
    Json *result = json_object_new_object(), *edits = types_put_array(result, "edits");
    if (edit) {
        char id[24];
        snprintf(id, sizeof id, "%llu", (unsigned long long)request->serial);
        LspRange range = position_from_range(doc->text, edit->range, request->conn->encoding);
        Json *item = json_object_new_object();
        types_put_str(item, "text", edit->text);
        types_put(item, "range", types_new_range(range));
        Json *document = types_put_object(item, "textDocument");
        types_put_text(document, "uri", doc->uri);
        types_put_int(document, "version", doc->version);
        types_put(item, "command",
                  commands_new(COMMAND_ACCEPT_EDIT, STR("Accept"), types_new_str(str_from(id))));
        json_object_array_add(edits, item);
        request->conn->edits_offered++;
    }
    request_reply(request, result);
}

static void try_next(Request *request);

static void on_judged(Request *request, Job *job)
{
    Places *places = request->data;
    NextEdit *edit = &places->edits[places->at++];
    const Document *doc = request->doc;
    bool current = request->revision == doc->revision && doc->syntax;
    if (job->end != JOB_DONE || !current)
        answer(request, NULL);
    else if (next_edit_take(doc->syntax, edit, &job->complete_result, request->arena) &&
             !next_edit_adds_error(doc->syntax, edit))
        answer(request, edit);
    else
        try_next(request);
}

static bool ask_model(Request *request, const NextEdit *edit)
{
    Error err = {0};
    const Document *doc = request->doc;
    Jobs *jobs = server_jobs(request->conn->server);
    CompleteRequest wanted;
    if (!jobs || jobs_engine_state(jobs) != ENGINE_READY) return false;
    if (!next_edit_ask(doc->syntax, edit, request->arena, &wanted, &err)) return false;
    wanted.path = str_from(doc->name);
    wanted.max_tokens = MAX_TOKENS;
    wanted.max_prompt_tokens = projects_of(request->conn, doc)->config.prompt_tokens;
    Job *job = job_new_complete(&wanted, request);
    text_release(wanted.text);
    request_start_job(request, job, on_judged);
    return true;
}

static void try_next(Request *request)
{
    Places *places = request->data;
    for (; places->at < places->n; places->at++) {
        const NextEdit *edit = &places->edits[places->at];
        if (edit->how == NEXT_EDIT_CERTAIN) {
            answer(request, edit);
            return;
        }
        if (places->n_asked++ < MAX_ASKED && ask_model(request, edit)) return;
    }
    answer(request, NULL);
}

// --- the search ----------------------------------------------------------------------------------

// On a worker. What follows the first certain place is not needed.
static void search(uv_work_t *work)
{
    Search *s = work->data;
    size_t n = 0;
    for (size_t i = 0; i < s->n_sources && n == 0; i++)
        n = next_edit_find(&s->requests[i], s->arena, &s->found);
    for (size_t i = 0; i < n; i++) {
        NextEdit edit = s->found[i];
        bool certain = edit.how == NEXT_EDIT_CERTAIN;
        if (certain && next_edit_adds_error(s->syntax, &edit)) continue;
        s->found[s->n++] = edit;
        if (certain) break;
    }
}

static void keep(Request *request, const Search *s)
{
    Places *places = request->data;
    places->edits = arena_array(request->arena, s->n ? s->n : 1, sizeof *places->edits);
    places->n = s->n;
    for (size_t i = 0; i < s->n; i++) {
        NextEdit *edit = &places->edits[i];
        *edit = s->found[i];
        edit->text = arena_str(request->arena, edit->text);
        edit->before = arena_str(request->arena, edit->before);
        edit->after = arena_str(request->arena, edit->after);
    }
}

static void on_searched(uv_work_t *work, int status)
{
    (void)status;
    Search *s = work->data;
    Request *request = server_has(s->server, s->conn) ? request_find(s->conn, s->serial) : NULL;
    if (request) {
        bool current = request->revision == request->doc->revision && request->doc->syntax;
        if (current) keep(request, s);
        try_next(request);
    }
    for (size_t i = 0; i < s->n_sources; i++) {
        edits_clear(&s->edits[i]);
        text_release(s->edited[i]);
    }
    syntax_release(s->syntax);
    arena_free(s->arena);
    free(s);
}

// The document that was edited last before then.
static const Document *find_edited(const Connection *conn, double then_ms, double *at_ms)
{
    const Document *best = NULL;
    double best_ms = 0;
    for (const Document *doc = conn->documents.first; doc; doc = doc->next) {
        double ms = doc->edits.n ? doc->edits.items[doc->edits.n - 1].at_ms : 0;
        if (ms <= best_ms || ms >= then_ms) continue;
        best = doc;
        best_ms = ms;
    }
    *at_ms = best_ms;
    return best;
}

static void add_source(Search *s, const Document *edited, const NextEditRequest *like)
{
    size_t i = s->n_sources++;
    s->edits[i] = edits_copy(&edited->edits);
    s->edited[i] = text_retain(edited->text);
    s->requests[i] = *like;
    s->requests[i].edits = &s->edits[i];
    s->requests[i].edited = s->edited[i];
    s->requests[i].lang = edited->lang;
}

static void start(Request *request)
{
    Connection *conn = request->conn;
    double ms;
    const Document *doc = request->doc, *edited = find_edited(conn, INFINITY, &ms);
    const Places *places = request->data;
    request->revision = doc->revision;
    request->version = doc->version;
    if (!edited || !doc->syntax) {
        answer(request, NULL);
        return;
    }
    Search *s = mem_zero(sizeof *s);
    s->work.data = s;
    s->server = conn->server;
    s->conn = conn;
    s->serial = request->serial;
    s->syntax = syntax_retain(doc->syntax);
    s->arena = arena_new();
    NextEditRequest like = {.syntax = s->syntax,
                            .byte_off =
                                position_to_offset(doc->text, places->position, conn->encoding)};
    for (; edited && s->n_sources < MAX_SOURCES; edited = find_edited(conn, ms, &ms)) {
        like.same = edited == doc;
        add_source(s, edited, &like);
    }
    uv_queue_work(server_loop(conn->server), &s->work, search, on_searched);
}

bool inline_edit_request(Call *call, Error *err)
{
    Document *doc;
    LspPosition position;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_position(types_get(call->params, "position"), &position))
        return error_set(err, ERROR_INVALID, "params without a position");
    Places *places = arena_alloc(call->request->arena, sizeof *places);
    *places = (Places){.position = position};
    call->request->data = places;
    call->request->implicit = true; // an edit makes it pointless
    call->request->doc = doc;
    if (doc) request_supersede(call->request);
    return structure_start(call, sync_config(call)->next_edit, start, err); // may answer at once
}

// --- what became of it ---------------------------------------------------------------------------

bool inline_edit_shown(Call *call, Error *err)
{
    (void)err;
    call->conn->edits_shown++;
    return true;
}

bool inline_edit_accepted(Call *call, Json *argument, Error *err)
{
    (void)argument;
    (void)err;
    call->conn->edits_accepted++;
    return true;
}

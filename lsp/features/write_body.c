// One job per request. The edit is computed against the text that the job read, so a document that
// changed meanwhile gets none.
#include "features/write_body.h"

#include <stdio.h>

#include "parsing.h"
#include "progress.h"
#include "server_private.h"

// What a request needs between its stages; kept beside its data, which is the caller's.
typedef struct Writing {
    LspPosition position;
    OnBody on_body;
    void *data;
} Writing;

static void on_job_ended(Request *request, Job *job)
{
    const Writing *writing = request->data;
    const BodyResult *body = &job->body_result;
    if (job->end == JOB_CANCELLED) {
        request_cancel(request, "the engine was asked to stop");
        return;
    }
    if (job->end == JOB_FAILED) {
        request_fail(request, RPC_REQUEST_FAILED, job->err.text);
        return;
    }
    if (request->revision != request->doc->revision) {
        request_fail(request, RPC_CONTENT_MODIFIED, "the document changed meanwhile");
        return;
    }
    snprintf(request->note, sizeof request->note, "%.120s, %.0f ms",
             body->summary.ptr ? body->summary.ptr : "", body->ms_total);
    connection_log(request->conn, 3, "body: %.*s", STR_FMT(body->summary));
    progress_end(request, NULL);
    request->data = writing->data;
    writing->on_body(request, body);
}

static Job *new_job(Request *request)
{
    const Writing *writing = request->data;
    const Connection *conn = request->conn;
    const Document *doc = request->doc;
    Job *job = job_new(JOB_BODY, request);
    job->body = (BodyRequest){
        .text = text_retain(doc->text),
        .syntax = syntax_retain(doc->syntax),
        .path = arena_str(job->arena, str_from(doc->name)),
        .file_path = arena_str(job->arena, str_from(doc->path)),
        .root = arena_str(job->arena, str_from(conn->root)),
        .byte_off = position_to_offset(doc->text, writing->position, conn->encoding),
        .trusted = conn->config.trusted,
        .n_candidates = conn->config.candidates,
        .max_prompt_tokens = conn->config.prompt_tokens,
        .budget_ms = conn->config.generate_budget_ms,
    };
    return job;
}

static void submit(Request *request)
{
    if (!request->doc->syntax) {
        request_fail(request, RPC_REQUEST_FAILED,
                     "the document is in no language that r1ls parses");
        return;
    }
    request->revision = request->doc->revision;
    request_start_job(request, new_job(request), on_job_ended);
}

void write_body_start(Request *request, Json *params, LspPosition position, OnBody on_body)
{
    Server *server = request->conn->server;
    if (!server_jobs(server)) {
        request_fail(request, RPC_REQUEST_FAILED, server_engine_error(server)->text);
        return;
    }
    Writing *writing = arena_alloc(request->arena, sizeof *writing);
    *writing = (Writing){position, on_body, request->data};
    request->data = writing;
    progress_begin(request, params);
    parsing_wait(request, submit);
}

static void put_annotation(Json *edit, const BodyResult *body)
{
    const Evidence *evidence = &body->candidates[body->chosen].evidence;
    Json *annotation = types_put_object(types_put_object(edit, "changeAnnotations"), "r1ls");
    char label[200];
    snprintf(label, sizeof label, "generated: %.*s", STR_FMT(body->summary));
    types_put_text(annotation, "label", label);
    types_put_bool(annotation, "needsConfirmation", !body->compiled);
    Str note = evidence->command.len ? evidence->command : evidence->compile_note;
    if (note.len) types_put_str(annotation, "description", note);
}

static Json *new_text_edit(const Request *request, const BodyResult *body)
{
    Json *edit = json_object_new_object();
    LspRange range =
        position_from_range(request->doc->text, body->replace, request->conn->encoding);
    types_put(edit, "range", types_new_range(range));
    types_put_str(edit, "newText", body->insert);
    return edit;
}

Json *write_body_new_edit(const Request *request, const BodyResult *body)
{
    const ClientCaps *caps = &request->conn->caps;
    Json *edit = json_object_new_object(), *text_edit = new_text_edit(request, body);
    if (!caps->document_changes) {
        Json *changes = types_put_object(edit, "changes");
        json_object_array_add(types_put_array(changes, request->doc->uri), text_edit);
        return edit;
    }
    Json *change = json_object_new_object();
    Json *document = types_put_object(change, "textDocument");
    types_put_text(document, "uri", request->doc->uri);
    types_put_int(document, "version", request->version);
    json_object_array_add(types_put_array(change, "edits"), text_edit);
    json_object_array_add(types_put_array(edit, "documentChanges"), change);
    if (caps->change_annotations) {
        types_put_text(text_edit, "annotationId", "r1ls");
        put_annotation(edit, body);
    }
    return edit;
}

const char *write_body_message(Request *request, const BodyResult *body)
{
    return arena_printf(request->arena, "r1ls changed nothing: %.*s", STR_FMT(body->summary)).ptr;
}

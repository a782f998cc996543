// One job per request. The edit is computed against the text that the job read, so a document that
// changed meanwhile gets none.
#include "features/act.h"

#include <stdio.h>

#include "parsing.h"
#include "progress.h"
#include "server_private.h"
#include "uri.h"
#include "verify/project.h"

// What a request needs between its stages; kept beside its data, which is the caller's.
typedef struct Acting {
    Act act;
    OnLoop on_loop;
    void *data;
} Acting;

static Str test_path(const Request *request, const LoopResult *result)
{
    return arena_printf(request->arena, "%s/%.*s", projects_of(request->conn, request->doc)->root,
                        STR_FMT(result->test_file));
}

// A test file that is open has to be the one that was read from the disk.
static bool is_current(const Request *request, const LoopResult *result)
{
    const Connection *conn = request->conn;
    if (result->test_file.len == 0) return true;
    Str path = test_path(request, result);
    Document *doc = documents_find_path(&conn->documents, path);
    return !doc || str_equal(text_str(doc->text), result->test_file_text);
}

static void on_job_ended(Request *request, Job *job)
{
    const Acting *acting = request->data;
    const LoopResult *result = &job->loop_result;
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
             result->summary.ptr ? result->summary.ptr : "", result->ms_total);
    connection_log(request->conn, 3, "%s: %.*s", task_word(acting->act.kind),
                   STR_FMT(result->summary));
    if (!is_current(request, result)) {
        request_fail(request, RPC_CONTENT_MODIFIED,
                     "the test file has changes that are not saved; save it and try again");
        return;
    }
    progress_end(request, NULL);
    request->data = acting->data;
    acting->on_loop(request, result);
}

static Job *new_job(Request *request, Error *err)
{
    const Acting *acting = request->data;
    const Connection *conn = request->conn;
    const Document *doc = request->doc;
    const ProjectSettings *project = projects_of(conn, doc);
    Job *job = job_new(JOB_LOOP, request);
    LspRange range = acting->act.range;
    job->loop = (LoopRequest){
        .text = text_retain(doc->text),
        .syntax = syntax_retain(doc->syntax),
        .path = arena_str(job->arena, str_from(doc->name)),
        .file_path = arena_str(job->arena, str_from(doc->path)),
        .root = arena_str(job->arena, str_from(project->root)),
        .kind = acting->act.kind,
        .selection = {position_to_offset(doc->text, range.start, conn->encoding),
                      position_to_offset(doc->text, range.end, conn->encoding)},
        .message = arena_str(job->arena, acting->act.message),
        .instruction = arena_str(job->arena, acting->act.instruction),
    };
    if (!loop_configure(&project->config, job->arena, &job->loop, err)) {
        job_free(job);
        return NULL;
    }
    job->loop.trusted = project->trusted;
    audit_configure(&project->config, &job->audit);
    return job;
}

static void submit(Request *request)
{
    if (!request->doc->syntax) {
        request_fail(request, RPC_REQUEST_FAILED,
                     "the document is in no language that r1ls parses");
        return;
    }
    Error err = {0};
    Job *job = new_job(request, &err);
    if (!job) {
        request_fail(request, RPC_REQUEST_FAILED, err.text);
        return;
    }
    request->revision = request->doc->revision;
    request_start_job(request, job, on_job_ended);
}

void act_start(Request *request, Json *params, const Act *act, OnLoop on_loop)
{
    Server *server = request->conn->server;
    if (!server_jobs(server)) {
        request_fail(request, RPC_REQUEST_FAILED, server_engine_error(server)->text);
        return;
    }
    Acting *acting = arena_alloc(request->arena, sizeof *acting);
    *acting = (Acting){*act, on_loop, request->data};
    request->data = acting;
    progress_begin(request, params, task_title(act->kind));
    parsing_wait(request, submit);
}

bool act_may_test(const Connection *conn, const Document *doc)
{
    const ProjectSettings *project = projects_of(conn, doc);
    const Config *config = &project->config;
    if (!project->trusted) return false;
    return config->test_command[0] || (config->find_tests && project->root[0] &&
                                       project_may_have_tests(str_from(project->root)));
}

// --- targets

Json *act_new_target(const Request *request, TaskKind kind, ByteRange range)
{
    Json *target = json_object_new_object();
    types_put_text(target, "uri", request->doc->uri);
    types_put_int(target, "version", request->version);
    types_put_text(target, "task", task_word(kind));
    types_put(
        target, "range",
        types_new_range(position_from_range(request->doc->text, range, request->conn->encoding)));
    return target;
}

// An action whose instruction the user is asked for; params as text, since the message ends with
// its handler.
typedef struct Asked {
    Act act;
    OnLoop on_loop;
    const char *params;
} Asked;

// Nothing written, or the question was closed: nothing is done.
static void on_instruction(Connection *conn, uint64_t serial, Json *result, Json *failure)
{
    Request *request = request_find(conn, serial);
    if (!request) return;
    Asked *asked = request->data;
    Str said = str_trim(types_str(result, "value"));
    if (failure || said.len == 0) {
        request_reply(request, NULL);
        return;
    }
    if (!request->doc || request->version != request->doc->version) {
        request_fail(request, RPC_CONTENT_MODIFIED, "the document changed while you were asked");
        return;
    }
    Json *params = json_tokener_parse(asked->params);
    asked->act.instruction = arena_str(request->arena, said);
    act_start(request, params, &asked->act, asked->on_loop);
    json_object_put(params);
}

static void ask_instruction(Call *call, const Act *act, OnLoop on_loop)
{
    Request *request = call->request;
    Asked *asked = arena_alloc(request->arena, sizeof *asked);
    const char *text = json_object_to_json_string_ext(call->params, JSON_C_TO_STRING_PLAIN);
    *asked = (Asked){*act, on_loop, arena_str(request->arena, str_from(text)).ptr};
    request->data = asked;
    Json *params = json_object_new_object();
    types_put_text(params, "title", "r1ls");
    types_put_text(params, "prompt", "Rewrite the selected lines: what is to change?");
    connection_call(request->conn, "r1ls/showInputBox", params, on_instruction, request->serial);
}

bool act_on_target(Call *call, Json *target, OnLoop on_loop, Error *err)
{
    Request *request = call->request;
    Str task = types_str(target, "task");
    Act act = {.message = arena_str(request->arena, types_str(target, "message")),
               .instruction = arena_str(request->arena, types_str(target, "instruction"))};
    if (!types_read_range(types_get(target, "range"), &act.range))
        return error_set(err, ERROR_INVALID, "no range to work on");
    if (!task_by_word(task, &act.kind))
        return error_set(err, ERROR_INVALID, "unknown task '%.*s'",
                         (int)(task.len < 60 ? task.len : 60), task.ptr ? task.ptr : "");
    request->doc = documents_find(&call->conn->documents, types_str(target, "uri"));
    if (!request->doc) return error_set(err, ERROR_NOT_FOUND, "the document is not open");
    call->later = true;
    request->version = request->doc->version;
    if (types_int(target, "version", request->version) != request->version) {
        request_fail(request, RPC_CONTENT_MODIFIED,
                     "the document changed since the action was listed");
        return true;
    }
    if (act.kind == TASK_CONVERT && act.instruction.len == 0 && call->conn->caps.input_box)
        ask_instruction(call, &act, on_loop);
    else
        act_start(request, call->params, &act, on_loop);
    return true;
}

// --- edits

static void put_annotation(Json *edit, const LoopResult *result)
{
    const Candidate *c = &result->candidates[result->chosen];
    Json *annotation = types_put_object(types_put_object(edit, "changeAnnotations"), "r1ls");
    char label[200];
    // The level and what speaks against it stand first, because clients cut the label.
    snprintf(label, sizeof label, "generated (%s)%s%.*s: %.*s", loop_level_text(result->level),
             result->doubt.len ? ", but " : "", STR_FMT(result->doubt), STR_FMT(result->summary));
    types_put_text(annotation, "label", label);
    types_put_bool(annotation, "needsConfirmation", !result->verified);
    Str note = c->evidence.command.len ? c->evidence.command : c->evidence.compile_note;
    if (note.len) types_put_str(annotation, "description", note);
}

Json *act_new_text_edit(const Connection *conn, const Document *doc, ByteRange range, Str text)
{
    Json *edit = json_object_new_object();
    types_put(edit, "range",
              types_new_range(position_from_range(doc->text, range, conn->encoding)));
    types_put_str(edit, "newText", text);
    return edit;
}

Json *act_new_workspace_edit(const Connection *conn, const Document *doc, Json *text_edit)
{
    Json *edit = json_object_new_object();
    if (!conn->caps.document_changes) {
        Json *changes = types_put_object(edit, "changes");
        json_object_array_add(types_put_array(changes, doc->uri), text_edit);
        return edit;
    }
    Json *change = json_object_new_object();
    Json *document = types_put_object(change, "textDocument");
    types_put_text(document, "uri", doc->uri);
    types_put_int(document, "version", doc->version);
    json_object_array_add(types_put_array(change, "edits"), text_edit);
    json_object_array_add(types_put_array(edit, "documentChanges"), change);
    return edit;
}

// Positions in a file that need not be open.
static Json *new_other_edit(const Request *request, const LoopResult *result)
{
    Error ignored = {0};
    TextSnap *text = text_new(result->test_file_text, &ignored);
    Json *edit = json_object_new_object();
    LspRange range = {0};
    if (text) range = position_from_range(text, result->replace, request->conn->encoding);
    text_release(text);
    types_put(edit, "range", types_new_range(range));
    types_put_str(edit, "newText", result->insert);
    return edit;
}

// A new test file, or more tests in one that is there.
static Json *new_test_edit(const Request *request, const LoopResult *result)
{
    const Connection *conn = request->conn;
    Str uri = uri_from_path(test_path(request, result), request->arena);
    Document *doc = documents_find(&conn->documents, uri);
    Json *edit = json_object_new_object(), *text_edit = new_other_edit(request, result);
    if (!conn->caps.document_changes) {
        Json *changes = types_put_object(edit, "changes");
        json_object_array_add(types_put_array(changes, arena_str(request->arena, uri).ptr),
                              text_edit);
        return edit;
    }
    Json *list = types_put_array(edit, "documentChanges");
    if (result->test_file_is_new) {
        Json *create = json_object_new_object();
        types_put_text(create, "kind", "create");
        types_put_str(create, "uri", uri);
        json_object_array_add(list, create);
    }
    Json *change = json_object_new_object(), *document = types_put_object(change, "textDocument");
    types_put_str(document, "uri", uri);
    if (doc)
        types_put_int(document, "version", doc->version);
    else
        json_object_object_add(document, "version", NULL);
    json_object_array_add(types_put_array(change, "edits"), text_edit);
    json_object_array_add(list, change);
    if (conn->caps.change_annotations) {
        types_put_text(text_edit, "annotationId", "r1ls");
        put_annotation(edit, result);
    }
    return edit;
}

Json *act_new_edit(const Request *request, const LoopResult *result)
{
    if (result->test_file.len) return new_test_edit(request, result);
    const ClientCaps *caps = &request->conn->caps;
    Json *text_edit =
        act_new_text_edit(request->conn, request->doc, result->replace, result->insert);
    Json *edit = act_new_workspace_edit(request->conn, request->doc, text_edit);
    if (caps->document_changes && caps->change_annotations) {
        types_put_text(text_edit, "annotationId", "r1ls");
        put_annotation(edit, result);
    }
    return edit;
}

const char *act_message(Request *request, const LoopResult *result)
{
    return arena_printf(request->arena, "r1ls changed nothing: %.*s", STR_FMT(result->summary)).ptr;
}

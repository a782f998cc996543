// From a failure to its repair: the place is found in what a test or a sanitizer printed, shown to
// the user, and the loop starts there. The document has to be open, because the edit is one of what
// the user sees; where it is not, the client is asked to show it.
#include <stdlib.h>

#include "features/commands.h"
#include "features/test_results.h"
#include "server_private.h"
#include "uri.h"

enum { MAX_FAILURES = 100 };
static const size_t OUTPUT_MAX_BYTES = (size_t)4 << 20;

// --- the repair

// Where the repair has to be made; in the request's arena, as the request's data.
typedef struct Place {
    Str uri, file;
    uint32_t line; // from 0
    Str message;
} Place;

static void repair(Request *request)
{
    const Place *place = request->data;
    request->doc = documents_find(&request->conn->documents, place->uri);
    if (!request->doc) {
        connection_show(request->conn, 2,
                        arena_printf(request->arena,
                                     "The failure is about line %u of %.*s. Open that file and try "
                                     "again.",
                                     place->line + 1, STR_FMT(place->file))
                            .ptr);
        request_reply(request, NULL);
        return;
    }
    request->version = request->doc->version;
    Act act = {
        .kind = TASK_FIX, .range = {{place->line, 0}, {place->line, 0}}, .message = place->message};
    act_start(request, NULL, &act, commands_answer);
}

static void on_shown(Connection *conn, uint64_t serial, Json *result, Json *failure)
{
    (void)result;
    (void)failure; // then the document is not open, which is told
    Request *request = request_find(conn, serial);
    if (request) repair(request);
}

static void show_and_repair(Request *request, const char *root, Str file, int line, Str message)
{
    Connection *conn = request->conn;
    Place *place = arena_alloc(request->arena, sizeof *place);
    Str path = arena_printf(request->arena, "%s/%.*s", root, STR_FMT(file));
    *place = (Place){.uri = uri_from_path(path, request->arena),
                     .file = arena_str(request->arena, file),
                     .line = line > 0 ? (uint32_t)line - 1 : 0,
                     .message = arena_str(request->arena, message)};
    request->data = place;
    // What the request was about may be closed now.
    request->doc = NULL;
    if (!conn->caps.show_document) {
        repair(request);
        return;
    }
    Json *params = json_object_new_object();
    types_put_str(params, "uri", place->uri);
    types_put_bool(params, "takeFocus", true);
    types_put(params, "selection", types_new_range((LspRange){{place->line, 0}, {place->line, 0}}));
    connection_call(conn, "window/showDocument", params, on_shown, request->serial);
}

static void tell(Request *request, int level, Str text)
{
    connection_show(request->conn, level, arena_str(request->arena, text).ptr);
    request_reply(request, NULL);
}

// --- of a test

// A function of the project, and not only a line of a test.
static bool is_repairable(const TestFailure *failure)
{
    return failure->place.file.len > 0 && failure->place.line > 0 && !failure->place.in_test;
}

// The one of the test that was chosen, else the first.
static const TestFailure *choose_failure(const LoopResult *result, Str name)
{
    const TestFailure *first = NULL;
    for (size_t i = 0; i < result->n_failures; i++) {
        const TestFailure *failure = &result->failures[i];
        if (!is_repairable(failure)) continue;
        if (str_equal(failure->report.test.function, name)) return failure;
        if (!first) first = failure;
    }
    return first;
}

static void on_tested(Request *request, const LoopResult *result)
{
    const Str *name = request->data;
    const char *root = projects_of(request->conn, request->doc)->root;
    test_results_take(request->conn, root, result);
    const TestFailure *failure = choose_failure(result, *name);
    if (result->tests_pass)
        tell(request, 3,
             arena_printf(request->arena, "There is nothing to debug: %.*s.",
                          STR_FMT(result->summary)));
    else if (!failure)
        tell(request, 2,
             arena_printf(request->arena,
                          "%.*s. The output names no function of the project to start at.",
                          STR_FMT(result->summary)));
    else
        show_and_repair(request, root, failure->place.file, failure->place.line,
                        loop_report_message(&failure->report, str_from(root), request->arena));
}

bool debug_test(Call *call, Json *argument, Error *err)
{
    Arena *arena = call->request->arena;
    Str *name = arena_alloc(arena, sizeof *name);
    *name = arena_str(arena, types_str(argument, "name"));
    call->request->data = name;
    return act_on_target(call, argument, on_tested, err);
}

// --- of an output

typedef struct Reading {
    uv_work_t work;
    struct Server *server;
    Connection *conn; // only if the server still has it
    uint64_t serial;
    Arena *arena;
    Str output, *roots; // the folders, one after the other; root: the one that is meant
    size_t n_roots;
    Str root;
    size_t n_failures;
    bool found;
    ReportPlace place;
    Str message;
} Reading;

static void read_output(uv_work_t *work)
{
    Reading *r = work->data;
    ReportFailure *failures;
    for (size_t k = 0; k < r->n_roots && !r->found; k++) {
        r->root = r->roots[k];
        r->n_failures = report_read(r->output, r->root, MAX_FAILURES, r->arena, &failures);
        for (size_t i = 0; i < r->n_failures && !r->found; i++) {
            r->found = report_locate(&failures[i], r->root, r->arena, &r->place);
            if (r->found) r->message = loop_report_message(&failures[i], r->root, r->arena);
        }
    }
}

static void on_read(uv_work_t *work, int status)
{
    Reading *r = work->data;
    Request *request = NULL;
    if (server_has(r->server, r->conn)) request = request_find(r->conn, r->serial);
    if (request && status != 0)
        request_fail(request, RPC_REQUEST_FAILED, "the output was not read");
    else if (request && r->found)
        show_and_repair(request, r->root.ptr, r->place.file, r->place.line, r->message);
    else if (request)
        tell(request, 2,
             arena_printf(request->arena,
                          "The output has %zu failures with a place below %.*s; none of them is in "
                          "a function.",
                          r->n_failures, STR_FMT(r->root)));
    arena_free(r->arena);
    free(r);
}

bool debug_output(Call *call, Json *argument, Error *err)
{
    Connection *conn = call->conn;
    Str output = json_object_is_type(argument, json_type_object) ? types_str(argument, "output")
                                                                 : types_str(argument, "");
    if (output.len == 0)
        return error_set(err, ERROR_INVALID,
                         "no output, wanted the text that a test or a "
                         "sanitizer printed");
    if (output.len > OUTPUT_MAX_BYTES)
        return error_set(err, ERROR_TOO_LARGE, "an output of %zu bytes, wanted at most %zu",
                         output.len, OUTPUT_MAX_BYTES);
    if (!conn->root[0])
        return error_set(err, ERROR_INVALID, "no folder is open, wanted the project's");
    Reading *r = mem_zero(sizeof *r);
    r->arena = arena_new();
    r->work.data = r;
    r->server = conn->server;
    r->conn = conn;
    r->serial = call->request->serial;
    r->output = arena_str(r->arena, output);
    size_t n = 0;
    for (const ProjectSettings *project = conn->projects; project; project = project->next)
        n++;
    r->roots = arena_array(r->arena, n, sizeof *r->roots);
    for (const ProjectSettings *project = conn->projects; project; project = project->next)
        r->roots[r->n_roots++] = arena_str(r->arena, str_from(project->root));
    call->later = true;
    uv_queue_work(server_loop(conn->server), &r->work, read_output, on_read);
    return true;
}

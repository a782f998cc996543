// Code actions: listed from the syntax tree alone; the model works only when one is chosen, by
// codeAction/resolve or, for clients without it, by a command.
#include <stdio.h>
#include <string.h>

#include "features/commands.h"
#include "features/features.h"
#include "parsing.h"
#include "server_private.h"
#include "verify/compiler.h"
#include "verify/project.h"
#include "workspace.h"

static const char REWRITE[] = "refactor.rewrite.r1ls", QUICK_FIX[] = "quickfix";
enum { TAG_LLM_GENERATED = 1, TITLE_BYTES = 60, MAX_DIAGNOSTICS = 5 };

// --- listing

// What the listing needs, in the request's arena. The client's context is kept as JSON text,
// because the parsed message ends with the handler.
typedef struct Listing {
    LspRange range;
    const char *context;
    Str defined; // the function that is called here, if it is defined in another file
} Listing;

typedef struct List {
    Request *request;
    Json *only, *actions; // only is borrowed
    ByteRange selection;
    bool chat, tests;
    Str defined;
} List;

// A wanted kind stands for itself and for all below it.
static bool is_wanted_kind(Json *only, const char *kind)
{
    if (!json_object_is_type(only, json_type_array) || json_object_array_length(only) == 0)
        return true;
    for (size_t i = 0; i < json_object_array_length(only); i++) {
        Str wanted = types_str(json_object_array_get_idx(only, i), "");
        if (str_starts(str_from(kind), wanted) &&
            (wanted.len == 0 || kind[wanted.len] == '\0' || kind[wanted.len] == '.'))
            return true;
    }
    return false;
}

static void put_action(List *list, TaskKind kind, Str title, Str message, Json *diagnostic)
{
    const ClientCaps *caps = &list->request->conn->caps;
    const char *code_kind = diagnostic ? QUICK_FIX : REWRITE;
    // Words have no edit that resolve could give back, and what asks the user is done by hand.
    bool asks = kind == TASK_CONVERT && message.len == 0;
    bool words = kind == TASK_EXPLAIN || task_runs_tests(kind) || asks;
    bool by_resolve = caps->code_action_literals && caps->code_action_resolve && !words;
    // Commands are refused where their edits could not be applied.
    if (!is_wanted_kind(list->only, code_kind) || !(by_resolve || caps->apply_edit)) return;
    Json *target = act_new_target(list->request, kind, list->selection);
    if (message.len)
        types_put_str(target, kind == TASK_CONVERT ? "instruction" : "message", message);
    if (!caps->code_action_literals) {
        json_object_array_add(list->actions, commands_new(COMMAND_RUN_TASK, title, target));
        return;
    }
    Json *action = json_object_new_object();
    types_put_str(action, "title", title);
    types_put_text(action, "kind", code_kind);
    if (diagnostic)
        json_object_array_add(types_put_array(action, "diagnostics"), json_object_get(diagnostic));
    if (caps->llm_tag)
        json_object_array_add(types_put_array(action, "tags"),
                              json_object_new_int(TAG_LLM_GENERATED));
    if (by_resolve)
        types_put(action, "data", target);
    else
        types_put(action, "command", commands_new(COMMAND_RUN_TASK, title, target));
    json_object_array_add(list->actions, action);
}

static void put_fixes(List *list, const RuleFinding *findings, size_t n)
{
    const Request *request = list->request;
    const Document *doc = request->doc;
    for (size_t i = 0; i < n; i++) {
        const RuleFinding *found = &findings[i];
        bool here =
            found->range.start <= list->selection.end && found->range.end >= list->selection.start;
        if (!here || !found->has_fix || !diagnostics_is_on(request->conn, doc, found)) continue;
        Json *action = json_object_new_object();
        types_put_str(action, "title", found->fix_title);
        types_put_text(action, "kind", QUICK_FIX);
        types_put_bool(action, "isPreferred", !str_equal(found->rule, STR(RULE_SURPRISE)));
        json_object_array_add(types_put_array(action, "diagnostics"),
                              diagnostics_new_item(request->conn, doc, found));
        Json *edit = act_new_text_edit(request->conn, doc, found->fix_range, found->fix);
        types_put(action, "edit", act_new_workspace_edit(request->conn, doc, edit));
        json_object_array_add(list->actions, action);
    }
}

// What was found with its fix needs no model any more: the edit stands in the list.
static void put_known_fixes(List *list)
{
    const Document *doc = list->request->doc;
    if (!list->request->conn->caps.code_action_literals || !is_wanted_kind(list->only, QUICK_FIX))
        return;
    put_fixes(list, doc->findings, doc->n_findings);
    put_fixes(list, doc->surprises, doc->n_surprises);
    bool compiled = doc->compiler_arena && doc->compiled_revision == doc->revision;
    for (size_t i = 0; compiled && i < doc->n_compiler_issues; i++) {
        RuleFinding found = compiler_finding(&doc->compiler_issues[i]);
        put_fixes(list, &found, 1);
    }
}

static bool is_found(const List *list, TaskKind kind, Task *task)
{
    return task_find(list->request->doc->syntax, kind, list->selection, task);
}

static Str shorten(const List *list, const char *lead, Str text)
{
    text = str_trim(str_slice(text, 0, str_find(text, STR("\n"), 0)));
    size_t n = text.len;
    for (n = n < TITLE_BYTES ? n : TITLE_BYTES;
         n < text.len && ((unsigned char)text.ptr[n] & 0xC0) == 0x80;)
        n--; // no character is cut in two
    return arena_printf(list->request->arena, "%s%.*s%s", lead, (int)n, text.ptr ? text.ptr : "",
                        n < text.len ? "..." : "");
}

static void put_diagnostics(List *list, Json *diagnostics)
{
    const Request *request = list->request;
    Task task;
    size_t n = json_object_is_type(diagnostics, json_type_array)
                   ? json_object_array_length(diagnostics)
                   : 0;
    for (size_t i = 0; i < n && i < MAX_DIAGNOSTICS; i++) {
        Json *diagnostic = json_object_array_get_idx(diagnostics, i);
        Str said = types_str(diagnostic, "message");
        LspRange range;
        if (said.len == 0 || !types_read_range(types_get(diagnostic, "range"), &range)) continue;
        Str message =
            arena_printf(request->arena, "line %u: %.*s", range.start.line + 1, STR_FMT(said));
        if (is_found(list, TASK_FIX, &task))
            put_action(list, TASK_FIX, shorten(list, "Fix: ", said), message, diagnostic);
        if (list->chat && is_found(list, TASK_EXPLAIN, &task))
            put_action(list, TASK_EXPLAIN, shorten(list, "Explain: ", said), message, diagnostic);
    }
}

// The first line of a selection tells what to do with it where it is a comment.
static Str find_instruction(const List *list)
{
    const Document *doc = list->request->doc;
    const char *mark = syntax_language(doc->syntax)->line_comment;
    Str line = str_trim(str_slice(text_str(doc->text), list->selection.start, list->selection.end));
    line = str_trim(str_slice(line, 0, str_find(line, STR("\n"), 0)));
    if (!mark || !str_starts(line, str_from(mark))) return STR("");
    return str_trim(str_slice(line, strlen(mark), line.len));
}

// Cheapest to check first; what needs a model that answers questions only where there is one.
static void put_tasks(List *list)
{
    static const TaskKind asked[] = {TASK_CODE, TASK_COMMENT};
    const Str none = STR("");
    Task task;
    if (is_found(list, TASK_BODY, &task))
        put_action(list, TASK_BODY, str_from(task_title(TASK_BODY)), none, NULL);
    if (list->tests && is_found(list, TASK_FIX, &task))
        put_action(list, TASK_FIX, STR("Fix this function so that the tests pass"), none, NULL);
    if (list->tests && is_found(list, TASK_TESTS, &task))
        put_action(list, TASK_TESTS, str_from(task_title(TASK_TESTS)), none, NULL);
    bool trusted = list->chat && projects_of(list->request->conn, list->request->doc)->trusted;
    if (trusted && !project_is_test_file(str_from(list->request->doc->name)) &&
        is_found(list, TASK_WRITE_TESTS, &task))
        put_action(list, TASK_WRITE_TESTS, str_from(task_title(TASK_WRITE_TESTS)), none, NULL);
    for (size_t i = 0; list->chat && i < sizeof asked / sizeof *asked; i++)
        if (is_found(list, asked[i], &task))
            put_action(list, asked[i], str_from(task_title(asked[i])), none, NULL);
    if (list->chat && is_found(list, TASK_FUNCTION, &task) && !str_equal(list->defined, task.name))
        put_action(list, TASK_FUNCTION, shorten(list, "Write the missing function ", task.name),
                   none, NULL);
    Str instruction = list->chat ? find_instruction(list) : none;
    if (instruction.len && is_found(list, TASK_CONVERT, &task))
        put_action(list, TASK_CONVERT, shorten(list, "Rewrite: ", instruction), instruction, NULL);
    bool selected = list->selection.end > list->selection.start;
    if (list->chat && selected && !instruction.len && list->request->conn->caps.input_box &&
        is_found(list, TASK_CONVERT, &task))
        put_action(list, TASK_CONVERT, STR("Rewrite by an instruction..."), none, NULL);
}

static void answer_list(Request *request)
{
    const Connection *conn = request->conn;
    const Listing *listing = request->data;
    const Document *doc = request->doc;
    Jobs *jobs = server_jobs(conn->server);
    const EngineInfo *info = jobs ? jobs_engine_info(jobs) : NULL;
    Json *context = json_tokener_parse(listing->context);
    List list = {.request = request,
                 .only = types_get(context, "only"),
                 .actions = json_object_new_array(),
                 .selection = {position_to_offset(doc->text, listing->range.start, conn->encoding),
                               position_to_offset(doc->text, listing->range.end, conn->encoding)},
                 .chat = info && info->chat,
                 .defined = listing->defined,
                 .tests = act_may_test(conn, doc)};
    if (doc->syntax && list.selection.start <= list.selection.end) {
        put_known_fixes(&list);
        put_diagnostics(&list, types_get(context, "diagnostics"));
        put_tasks(&list);
    }
    json_object_put(context);
    request_reply(request, list.actions);
}

// Whether the function that is called here is defined somewhere: the index knows.
static void look_up_call(Question *q)
{
    Task task;
    IndexHit *hits;
    ByteRange cursor = {q->byte_off, q->byte_off};
    if (!q->syntax || !task_find(q->syntax, TASK_FUNCTION, cursor, &task)) return;
    if (question_find(q, task.name, &hits) == 0) return;
    Str *name = q->data = arena_alloc(q->arena, sizeof *name);
    *name = arena_str(q->arena, task.name);
}

static void take_look_up(Request *request, Question *q)
{
    Listing *listing = request->data;
    const Str *name = q->data;
    if (name) listing->defined = arena_str(request->arena, *name);
    parsing_wait_findings(request, answer_list); // the text may have moved on
}

static void ask_list(Request *request)
{
    const Listing *listing = request->data;
    size_t start =
        position_to_offset(request->doc->text, listing->range.start, request->conn->encoding);
    workspace_ask(request, start, NULL, look_up_call, take_look_up);
}

static char *keep_json(Request *request, Json *value)
{
    const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    return (char *)arena_str(request->arena, str_from(text)).ptr;
}

bool code_action_list(Call *call, Error *err)
{
    Document *doc;
    LspRange range;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_range(types_get(call->params, "range"), &range))
        return error_set(err, ERROR_INVALID, "params without a range");
    if (!doc || !sync_config(call)->code_actions) {
        call->result = json_object_new_array();
        return true;
    }
    Request *request = call->request;
    Listing *listing = arena_alloc(request->arena, sizeof *listing);
    *listing = (Listing){.range = range,
                         .context = keep_json(request, types_get(call->params, "context"))};
    request->data = listing;
    request->doc = doc;
    request->version = doc->version;
    call->later = true;
    parsing_wait(request, ask_list);
    return true;
}

// --- doing

// The request's data, for both ways: the client's action as JSON text (of resolve).
static Json *read_action(const Request *request)
{
    return json_tokener_parse(request->data);
}

static void answer_resolve(Request *request, const LoopResult *result)
{
    Json *action = read_action(request);
    if (result->found) {
        types_put(action, "edit", act_new_edit(request, result));
    } else {
        // The action without an edit does nothing in every client; an error would be shown twice.
        connection_show(request->conn, 2, act_message(request, result));
    }
    request_reply(request, action);
}

bool code_action_resolve(Call *call, Error *err)
{
    if (!json_object_is_type(call->params, json_type_object))
        return error_set(err, ERROR_INVALID, "resolve without an action");
    call->request->data = keep_json(call->request, call->params);
    Json *target = types_get(call->params, "data");
    return act_on_target(call, target, answer_resolve, err);
}

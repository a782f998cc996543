// Code actions: listed from the syntax tree alone; the model works only when one is chosen, by
// codeAction/resolve or, for clients without it, by a command.
#include <string.h>

#include "features/features.h"
#include "features/write_body.h"
#include "parsing.h"

static const char KIND[] = "refactor.rewrite.r1ls";
static const char TITLE[] = "Write this function's body";
static const char COMMAND[] = "r1ls.writeBody";
enum { TAG_LLM_GENERATED = 1 };

// --- listing

// A wanted kind stands for itself and for all below it.
static bool is_wanted_kind(Json *only)
{
    if (!json_object_is_type(only, json_type_array) || json_object_array_length(only) == 0)
        return true;
    for (size_t i = 0; i < json_object_array_length(only); i++) {
        Str kind = types_str(json_object_array_get_idx(only, i), "");
        if (str_starts(str_from(KIND), kind) &&
            (kind.len == 0 || KIND[kind.len] == '\0' || KIND[kind.len] == '.'))
            return true;
    }
    return false;
}

// Where the body is to be written: what comes back by resolve or as the command's argument.
static Json *new_target(const Request *request, LspPosition position)
{
    Json *target = json_object_new_object();
    types_put_text(target, "uri", request->doc->uri);
    types_put_int(target, "version", request->version);
    types_put(target, "position", types_new_position(position));
    return target;
}

static Json *new_command(Json *target)
{
    Json *command = json_object_new_object();
    types_put_text(command, "title", TITLE);
    types_put_text(command, "command", COMMAND);
    json_object_array_add(types_put_array(command, "arguments"), target);
    return command;
}

static Json *new_action(const ClientCaps *caps, Json *target)
{
    if (!caps->code_action_literals) return new_command(target);
    Json *action = json_object_new_object();
    types_put_text(action, "title", TITLE);
    types_put_text(action, "kind", KIND);
    if (caps->llm_tag)
        json_object_array_add(types_put_array(action, "tags"),
                              json_object_new_int(TAG_LLM_GENERATED));
    if (caps->code_action_resolve)
        types_put(action, "data", target);
    else
        types_put(action, "command", new_command(target));
    return action;
}

static void answer_list(Request *request)
{
    const Connection *conn = request->conn;
    const LspPosition *position = request->data;
    const Document *doc = request->doc;
    BodyTarget target;
    Json *list = json_object_new_array();
    size_t byte_off = position_to_offset(doc->text, *position, conn->encoding);
    if (doc->syntax && body_find_target(doc->syntax, byte_off, &target)) {
        LspPosition place = position_from_offset(doc->text, byte_off, conn->encoding);
        json_object_array_add(list, new_action(&conn->caps, new_target(request, place)));
    }
    request_reply(request, list);
}

bool code_action_list(Call *call, Error *err)
{
    Document *doc;
    LspRange range;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_range(types_get(call->params, "range"), &range))
        return error_set(err, ERROR_INVALID, "params without a range");
    if (!doc || !call->conn->config.code_actions ||
        !is_wanted_kind(types_get(call->params, "context.only"))) {
        call->result = json_object_new_array();
        return true;
    }
    Request *request = call->request;
    LspPosition *position = arena_alloc(request->arena, sizeof *position);
    *position = range.start;
    request->data = position;
    request->doc = doc;
    request->version = doc->version;
    call->later = true;
    parsing_wait(request, answer_list);
    return true;
}

// --- doing

// Starts the work on the target that came back; a document that has changed is told at once.
static bool start(Call *call, Json *target, OnBody on_body, Error *err)
{
    Request *request = call->request;
    LspPosition position;
    if (!types_read_position(types_get(target, "position"), &position))
        return error_set(err, ERROR_INVALID, "no position to write a body at");
    request->doc = documents_find(&call->conn->documents, types_str(target, "uri"));
    if (!request->doc) return error_set(err, ERROR_NOT_FOUND, "the document is not open");
    call->later = true;
    request->version = request->doc->version;
    if (types_int(target, "version", request->version) != request->version) {
        request_fail(request, RPC_CONTENT_MODIFIED,
                     "the document changed since the action was listed");
        return true;
    }
    write_body_start(request, call->params, position, on_body);
    return true;
}

// The request's data, for both ways: the client's action as JSON text (of resolve).
static Json *read_action(const Request *request)
{
    return json_tokener_parse(request->data);
}

static void answer_resolve(Request *request, const BodyResult *body)
{
    Json *action = read_action(request);
    if (body->found) {
        types_put(action, "edit", write_body_new_edit(request, body));
    } else {
        // The action without an edit does nothing in every client; an error would be shown twice.
        connection_show(request->conn, 2, write_body_message(request, body));
    }
    request_reply(request, action);
}

bool code_action_resolve(Call *call, Error *err)
{
    if (!json_object_is_type(call->params, json_type_object))
        return error_set(err, ERROR_INVALID, "resolve without an action");
    Str text = str_from(json_object_to_json_string_ext(call->params, JSON_C_TO_STRING_PLAIN));
    call->request->data = (char *)arena_str(call->request->arena, text).ptr;
    Json *target = types_get(call->params, "data");
    return start(call, target, answer_resolve, err);
}

static void on_applied(Connection *conn, uint64_t serial, Json *result, Json *failure)
{
    Request *request = request_find(conn, serial);
    if (failure || !types_bool(result, "applied"))
        connection_show(conn, 2, "The editor did not apply the body; the text may have changed.");
    if (request) request_reply(request, NULL);
}

static void answer_command(Request *request, const BodyResult *body)
{
    Connection *conn = request->conn;
    if (!body->found) {
        connection_show(conn, 2, write_body_message(request, body));
        request_reply(request, NULL);
        return;
    }
    Json *params = json_object_new_object();
    types_put_text(params, "label", TITLE);
    types_put(params, "edit", write_body_new_edit(request, body));
    connection_call(conn, "workspace/applyEdit", params, on_applied, request->serial);
}

bool code_action_execute(Call *call, Error *err)
{
    Str command = types_str(call->params, "command");
    if (!str_equal(command, str_from(COMMAND)))
        return error_set(err, ERROR_INVALID, "unknown command '%.80s', wanted %s",
                         command.ptr ? command.ptr : "", COMMAND);
    if (!call->conn->caps.apply_edit)
        return error_set(err, ERROR_UNSUPPORTED, "the client offers no workspace/applyEdit");
    Json *arguments = types_get(call->params, "arguments");
    Json *target = json_object_is_type(arguments, json_type_array)
                       ? json_object_array_get_idx(arguments, 0)
                       : NULL;
    return start(call, target, answer_command, err);
}

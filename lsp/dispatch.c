// The method table and the rules that hold for every message whatever its method.
#include "dispatch.h"

#include <string.h>

#include "base/log.h"
#include "features/features.h"

typedef struct Method {
    const char *name;
    Handler handler;
    bool is_request;
} Method;

static const Method methods[] = {
    {"initialize", lifecycle_initialize, true},
    {"initialized", lifecycle_initialized, false},
    {"shutdown", lifecycle_shutdown, true},
    {"exit", lifecycle_exit, false},
    {"$/cancelRequest", lifecycle_cancel_request, false},
    {"$/setTrace", lifecycle_ignore, false},
    {"window/workDoneProgress/cancel", lifecycle_cancel_progress, false},
    {"workspace/didChangeConfiguration", configuration_changed, false},
    {"workspace/didChangeWorkspaceFolders", folders_changed, false},
    {"workspace/didChangeWatchedFiles", folders_files_changed, false},
    {"workspace/didCreateFiles", folders_files_moved, false},
    {"workspace/willRenameFiles", will_rename_files, true},
    {"workspace/didRenameFiles", folders_files_moved, false},
    {"workspace/didDeleteFiles", folders_files_moved, false},
    {"workspace/symbol", navigate_workspace_symbol, true},
    {"workspaceSymbol/resolve", navigate_resolve_symbol, true},
    {"workspace/diagnostic", diagnostics_workspace, true},
    {"textDocument/didOpen", sync_did_open, false},
    {"textDocument/didChange", sync_did_change, false},
    {"textDocument/didSave", sync_did_save, false},
    {"textDocument/didClose", sync_did_close, false},
    {"textDocument/inlineCompletion", inline_completion_request, true},
    {"textDocument/inlineEdit", inline_edit_request, true},
    {"textDocument/copilotInlineEdit", inline_edit_request, true}, // what editors know
    {"textDocument/didShowInlineEdit", inline_edit_shown, false},
    {"textDocument/completion", completion_request, true},
    {"completionItem/resolve", completion_resolve, true},
    {"textDocument/documentSymbol", structure_document_symbol, true},
    {"textDocument/foldingRange", structure_folding_range, true},
    {"textDocument/selectionRange", structure_selection_range, true},
    {"textDocument/semanticTokens/full", semantic_tokens_full, true},
    {"textDocument/semanticTokens/full/delta", semantic_tokens_delta, true},
    {"textDocument/semanticTokens/range", semantic_tokens_range, true},
    {"textDocument/documentHighlight", names_document_highlight, true},
    {"textDocument/hover", names_hover, true},
    {"textDocument/definition", navigate_definition, true},
    {"textDocument/declaration", navigate_declaration, true},
    {"textDocument/references", navigate_references, true},
    {"textDocument/prepareRename", rename_prepare, true},
    {"textDocument/rename", rename_request, true},
    {"textDocument/signatureHelp", signature_help, true},
    {"textDocument/diagnostic", diagnostics_pull, true},
    {"textDocument/codeAction", code_action_list, true},
    {"codeAction/resolve", code_action_resolve, true},
    {"textDocument/codeLens", code_lens_request, true},
    {"workspace/executeCommand", commands_execute, true},
    {"r1ls/documentText", inspect_document_text, true},
    {"r1ls/status", inspect_status, true},
    {"r1ls/trust", trust_request, true},
    {"r1ls/audit", audit_request, true},
    {"r1ls/explain", inspect_explain, true},
};

static const Method *find_method(Str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (str_equal(name, str_from(methods[i].name))) return &methods[i];
    }
    return NULL;
}

// Whether the connection's state lets this method pass; *code is the answer to a request if not.
static bool check_state(const Connection *conn, const Method *method, RpcCode *code, Error *err)
{
    bool is_initialize = method && method->handler == lifecycle_initialize;
    if (method && method->handler == lifecycle_exit) return true;
    if (conn->state == CONNECTION_NEW && !is_initialize) {
        *code = RPC_NOT_INITIALIZED;
        return error_set(err, ERROR_INVALID, "the first request must be initialize");
    }
    *code = RPC_INVALID_REQUEST;
    if (conn->state == CONNECTION_SHUTDOWN)
        return error_set(err, ERROR_INVALID, "the server was shut down; only exit may follow");
    if (conn->state == CONNECTION_READY && is_initialize)
        return error_set(err, ERROR_INVALID, "initialize may be sent only once");
    return true;
}

static void run_request(Connection *conn, const Method *method, const RpcMessage *message)
{
    Error err = {0};
    RpcCode code;
    if (!check_state(conn, method, &code, &err)) {
        connection_send_error(conn, &message->id, code, err.text);
        return;
    }
    if (!method || !method->is_request) {
        error_set(&err, ERROR_INVALID, "unknown method '%.100s'", message->method.ptr);
        connection_send_error(conn, &message->id, RPC_METHOD_NOT_FOUND, err.text);
        return;
    }
    Call call = {.conn = conn, .params = message->params};
    call.arena = arena_new();
    call.request = request_new(conn, &message->id, method->name);
    bool ok = method->handler(&call, &err);
    if (!ok)
        request_fail(call.request, rpc_code_of(err.code), err.text);
    else if (!call.later)
        request_reply(call.request, call.result);
    arena_free(call.arena);
}

static void run_notification(Connection *conn, const Method *method, const RpcMessage *message)
{
    Error err = {0};
    RpcCode code;
    if (!check_state(conn, method, &code, &err)) return; // as the protocol wants: dropped
    if (!method || method->is_request) {
        bool optional = str_starts(message->method, STR("$/"));
        if (!optional) log_info("unknown notification '%.100s'", message->method.ptr);
        return;
    }
    Call call = {.conn = conn, .params = message->params};
    call.arena = arena_new();
    if (!method->handler(&call, &err)) connection_log(conn, 2, "%s: %s", method->name, err.text);
    arena_free(call.arena);
}

void dispatch_body(Connection *conn, Str body)
{
    RpcMessage message;
    RpcCode code;
    Error err = {0};
    if (!rpc_decode(body, &message, &code, &err)) {
        connection_send_error(conn, &message.id, code, err.text);
    } else if (message.kind == RPC_RESPONSE) {
        connection_handle_answer(conn, &message);
    } else {
        const Method *method = find_method(message.method);
        if (message.kind == RPC_REQUEST)
            run_request(conn, method, &message);
        else
            run_notification(conn, method, &message);
    }
    rpc_message_deinit(&message);
}

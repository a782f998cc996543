// initialize, initialized, shutdown, exit, and the two ways to cancel.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/log.h"
#include "features/commands.h"
#include "server_private.h"
#include "uri.h"
#include "workspace.h"

enum { PROCESS_CHECK_MS = 1000 };
enum { ACTION_TAG_LLM = 1, INSERT_ADJUST_INDENT = 2 }; // of the protocol

// --- initialize

// utf-8 is what the texts are in; it is answered only if offered, and VS Code takes nothing but
// utf-16. positionEncoding of the settings wins where the client offers it (utf-16 always counts
// as offered), because servers that share a buffer must agree.
static PositionEncoding choose_encoding(const Connection *conn, Json *params)
{
    const char *path = "capabilities.general.positionEncodings";
    PositionEncoding wanted;
    if (position_encoding_find(str_from(conn->config.position_encoding), &wanted) &&
        (wanted == POSITION_UTF16 || types_array_has(params, path, position_encoding_name(wanted))))
        return wanted;
    return types_array_has(params, path, "utf-8") ? POSITION_UTF8 : POSITION_UTF16;
}

static bool has_number(Json *object, const char *path, int64_t number)
{
    Json *list = types_get(object, path);
    bool found = false;
    for (size_t i = 0;
         json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        found |= types_int(json_object_array_get_idx(list, i), "", 0) == number;
    return found;
}

static void read_caps(ClientCaps *caps, Json *params)
{
    Json *client = types_get(params, "capabilities");
    Json *action = types_get(client, "textDocument.codeAction");
    *caps = (ClientCaps){
        .pull_diagnostics = types_get(client, "textDocument.diagnostic") != NULL,
        .diagnostic_refresh = types_bool(client, "workspace.diagnostics.refreshSupport"),
        .code_action_literals = types_get(action, "codeActionLiteralSupport") != NULL,
        .code_action_resolve = types_array_has(action, "resolveSupport.properties", "edit") &&
                               types_bool(action, "dataSupport"),
        .document_changes = types_bool(client, "workspace.workspaceEdit.documentChanges"),
        .change_annotations =
            types_get(client, "workspace.workspaceEdit.changeAnnotationSupport") != NULL,
        .work_done_progress = types_bool(client, "window.workDoneProgress"),
        .configuration = types_bool(client, "workspace.configuration"),
        .apply_edit = types_bool(client, "workspace.applyEdit"),
        .show_document = types_bool(client, "window.showDocument.support"),
        .code_lens_refresh = types_bool(client, "workspace.codeLens.refreshSupport"),
        .nested_symbols =
            types_bool(client, "textDocument.documentSymbol.hierarchicalDocumentSymbolSupport"),
        .symbol_resolve =
            types_array_has(client, "workspace.symbol.resolveSupport.properties", "location.range"),
        .prepare_rename = types_bool(client, "textDocument.rename.prepareSupport"),
        .register_watchers =
            types_bool(client, "workspace.didChangeWatchedFiles.dynamicRegistration"),
        .hover_markdown = types_array_has(client, "textDocument.hover.contentFormat", "markdown"),
        .snippets = types_bool(client, "textDocument.completion.completionItem.snippetSupport"),
        .adjusts_indent = has_number(
            types_get(client, "textDocument.completion.completionItem.insertTextModeSupport"),
            "valueSet", INSERT_ADJUST_INDENT),
        .input_box = types_bool(client, "experimental.showInputBox"),
        .fold_limit = types_int(client, "textDocument.foldingRange.rangeLimit", 0),
    };
    caps->llm_tag = has_number(action, "tagSupport.valueSet", ACTION_TAG_LLM);
}

static Str find_root(Json *params, Arena *arena)
{
    Json *folders = types_get(params, "workspaceFolders");
    if (json_object_is_type(folders, json_type_array) && json_object_array_length(folders) > 0)
        return uri_to_path(types_str(json_object_array_get_idx(folders, 0), "uri"), arena);
    Str root = uri_to_path(types_str(params, "rootUri"), arena);
    return root.len ? root : types_str(params, "rootPath");
}

static Str without_slash(Str path)
{
    while (path.len > 1 && str_ends(path, STR("/")))
        path.len--;
    return path;
}

// The folders beside the first; --root means that one alone.
static void keep_folders(Connection *conn, Json *params, Arena *arena)
{
    Json *folders = types_get(params, "workspaceFolders");
    if (conn->root[0] || !json_object_is_type(folders, json_type_array)) return;
    for (size_t i = 1; i < json_object_array_length(folders); i++) {
        Str path = without_slash(
            uri_to_path(types_str(json_object_array_get_idx(folders, i), "uri"), arena));
        char *copy = mem_zero(path.len + 1);
        if (path.len) memcpy(copy, path.ptr, path.len);
        VEC_PUSH(&conn->folders, copy);
    }
}

static void set_root(Connection *conn, Json *params, Arena *arena)
{
    if (conn->root[0]) return; // --root wins
    Str root = without_slash(arena_str(arena, find_root(params, arena)));
    free(conn->root);
    conn->root = mem_zero(root.len + 1);
    if (root.len) memcpy(conn->root, root.ptr, root.len);
}

// What is switched off is not offered, so that an editor asks only the other servers.
static void offer_structure(const Config *config, Json *caps)
{
    if (config->document_symbol) types_put_bool(caps, "documentSymbolProvider", true);
    if (config->folding_range) types_put_bool(caps, "foldingRangeProvider", true);
    if (config->selection_range) types_put_bool(caps, "selectionRangeProvider", true);
    if (config->document_highlight) types_put_bool(caps, "documentHighlightProvider", true);
    if (config->hover) types_put_bool(caps, "hoverProvider", true);
    if (config->semantic_tokens) semantic_tokens_offer(caps);
}

static void put_strings(Json *object, const char *key, const char *const *words)
{
    Json *list = types_put_array(object, key);
    for (; *words; words++)
        json_object_array_add(list, types_new_str(str_from(*words)));
}

static void offer_navigation(const Connection *conn, Json *caps)
{
    static const char *const triggers[] = {"(", ",", NULL};
    const Config *config = &projects_of(conn, NULL)->config;
    if (config->definition) types_put_bool(caps, "definitionProvider", true);
    if (config->definition) types_put_bool(caps, "declarationProvider", true);
    if (config->references) types_put_bool(caps, "referencesProvider", true);
    if (config->rename && conn->caps.prepare_rename)
        types_put_bool(types_put_object(caps, "renameProvider"), "prepareProvider", true);
    else if (config->rename)
        types_put_bool(caps, "renameProvider", true);
    if (config->workspace_symbol)
        types_put_bool(types_put_object(caps, "workspaceSymbolProvider"), "resolveProvider",
                       conn->caps.symbol_resolve);
    if (config->signature_help)
        put_strings(types_put_object(caps, "signatureHelpProvider"), "triggerCharacters", triggers);
}

// Files that move tell the index at once; the watcher would see them a moment later.
static void offer_workspace(Json *caps)
{
    static const char *const events[] = {"didCreate", "didRename", "didDelete", "willRename", NULL};
    Json *workspace = types_put_object(caps, "workspace");
    Json *folders = types_put_object(workspace, "workspaceFolders");
    types_put_bool(folders, "supported", true);
    types_put_bool(folders, "changeNotifications", true);
    Json *operations = types_put_object(workspace, "fileOperations");
    for (const char *const *event = events; *event; event++) {
        Json *filter = json_object_new_object();
        types_put_text(filter, "scheme", "file");
        types_put_text(types_put_object(filter, "pattern"), "glob", "**/*");
        json_object_array_add(types_put_array(types_put_object(operations, *event), "filters"),
                              filter);
    }
}

static Json *new_capabilities(const Connection *conn)
{
    const Config *config = &projects_of(conn, NULL)->config;
    Json *caps = json_object_new_object();
    types_put_text(caps, "positionEncoding", position_encoding_name(conn->encoding));
    Json *sync = types_put_object(caps, "textDocumentSync");
    types_put_bool(sync, "openClose", true);
    types_put_int(sync, "change", 2);
    types_put_bool(types_put_object(sync, "save"), "includeText", false);
    types_put_bool(caps, "inlineCompletionProvider", true);
    static const char *const completion_triggers[] = {".", ">", ":", "\"", "<", "/", NULL};
    Json *completion = types_put_object(caps, "completionProvider");
    types_put_bool(completion, "resolveProvider", true);
    put_strings(completion, "triggerCharacters", completion_triggers);
    offer_structure(config, caps);
    offer_navigation(conn, caps);
    offer_workspace(caps);
    Json *action = types_put_object(caps, "codeActionProvider");
    json_object_array_add(types_put_array(action, "codeActionKinds"),
                          types_new_str(STR("refactor.rewrite.r1ls")));
    types_put_bool(action, "resolveProvider", conn->caps.code_action_resolve);
    commands_offer(caps);
    if (config->next_edit)
        types_put_bool(types_put_object(caps, "experimental"), "inlineEditProvider", true);
    if (config->code_lens) types_put_object(caps, "codeLensProvider");
    if (!conn->caps.pull_diagnostics) return caps;
    Json *diagnostics = types_put_object(caps, "diagnosticProvider");
    types_put_text(diagnostics, "identifier", "r1ls");
    types_put_bool(diagnostics, "interFileDependencies", false);
    types_put_bool(diagnostics, "workspaceDiagnostics", true);
    return caps;
}

static void on_process_check(uv_timer_t *timer)
{
    Connection *conn = timer->data;
    if (kill((pid_t)conn->process_id, 0) == 0 || errno != ESRCH) return;
    log_warn("the client's process %lld is gone", (long long)conn->process_id);
    connection_close(conn);
}

static void watch_process(Connection *conn, int64_t process_id)
{
    if (process_id <= 0 || process_id > INT32_MAX) return;
    conn->process_id = process_id;
    uv_timer_start(&conn->process_timer, on_process_check, PROCESS_CHECK_MS, PROCESS_CHECK_MS);
}

bool lifecycle_initialize(Call *call, Error *err)
{
    Connection *conn = call->conn;
    if (!json_object_is_type(call->params, json_type_object))
        return error_set(err, ERROR_INVALID, "initialize without params");
    configuration_init(conn, types_get(call->params, "initializationOptions"));
    read_caps(&conn->caps, call->params);
    conn->encoding = choose_encoding(conn, call->params);
    keep_folders(conn, call->params, call->arena);
    set_root(conn, call->params, call->arena);
    projects_start(conn);
    watch_process(conn, types_int(call->params, "processId", 0));
    Error engine_err = {0};
    if (!server_start_engine(conn->server, &conn->config, &engine_err))
        connection_log(conn, 1, "no engine: %s", engine_err.text);
    call->result = json_object_new_object();
    types_put(call->result, "capabilities", new_capabilities(conn));
    Json *info = types_put_object(call->result, "serverInfo");
    types_put_text(info, "name", "r1ls");
    types_put_text(info, "version", R1LS_VERSION);
    conn->state = CONNECTION_READY;
    upkeep_configure(server_upkeep(conn->server));
    return true;
}

bool lifecycle_initialized(Call *call, Error *err)
{
    (void)err;
    connection_flush_log(call->conn);
    configuration_pull(call->conn);
    workspace_start(call->conn);
    return true;
}

// --- the end

bool lifecycle_shutdown(Call *call, Error *err)
{
    (void)err;
    Connection *conn = call->conn;
    // What still runs is answered before the shutdown itself: nothing may follow it.
    Request *next;
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (request != call->request) request_cancel(request, "the server shuts down");
    }
    conn->state = CONNECTION_SHUTDOWN;
    return true;
}

bool lifecycle_exit(Call *call, Error *err)
{
    (void)err;
    connection_close(call->conn);
    return true;
}

// --- cancelling

bool lifecycle_cancel_request(Call *call, Error *err)
{
    RpcId id;
    if (!rpc_id_read(types_get(call->params, "id"), &id))
        return error_set(err, ERROR_INVALID, "a cancellation without an id");
    Request *request = request_find_id(call->conn, &id);
    if (request) request_cancel(request, "cancelled by the client");
    rpc_id_deinit(&id);
    return true;
}

bool lifecycle_cancel_progress(Call *call, Error *err)
{
    RpcId token;
    if (!rpc_id_read(types_get(call->params, "token"), &token))
        return error_set(err, ERROR_INVALID, "a cancellation without a token");
    Request *request = call->conn->requests;
    while (request &&
           (request->progress == PROGRESS_NONE || !rpc_id_equal(&request->progress_token, &token)))
        request = request->next;
    if (request) request_cancel(request, "cancelled by the user");
    rpc_id_deinit(&token);
    return true;
}

bool lifecycle_ignore(Call *call, Error *err)
{
    (void)call;
    (void)err;
    return true;
}

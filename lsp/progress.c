// $/progress. A token of ours must be announced by window/workDoneProgress/create, and only after
// the client's answer may anything be sent on it.
#include "progress.h"

#include <stdio.h>

static void send_value(Request *request, Json *value)
{
    Json *params = json_object_new_object();
    types_put(params, "token", rpc_id_json(&request->progress_token));
    types_put(params, "value", value);
    connection_notify(request->conn, "$/progress", params);
}

static void send_begin(Request *request)
{
    Json *value = json_object_new_object();
    types_put_text(value, "kind", "begin");
    types_put_text(value, "title", request->progress_title);
    types_put_bool(value, "cancellable", true);
    types_put_int(value, "percentage", 0);
    send_value(request, value);
    request->progress = PROGRESS_BEGUN;
}

static void on_created(Connection *conn, uint64_t serial, Json *result, Json *failure)
{
    (void)result;
    Request *request = request_find(conn, serial);
    if (!request || request->progress != PROGRESS_CREATING) return;
    if (failure)
        request->progress = PROGRESS_NONE;
    else
        send_begin(request);
}

void progress_begin(Request *request, Json *params, const char *title)
{
    Connection *conn = request->conn;
    request->progress_title = title;
    request->progress_pct = 0;
    rpc_id_deinit(&request->progress_token);
    if (rpc_id_read(types_get(params, "workDoneToken"), &request->progress_token)) {
        send_begin(request);
        return;
    }
    if (!conn->caps.work_done_progress) return;
    char token[40];
    // A request may begin a second time, and a token is used once.
    int n = snprintf(token, sizeof token, "r1ls-%llu", (unsigned long long)++conn->last_serial);
    RpcId id = {.kind = RPC_ID_STRING, .text = token, .text_bytes = (size_t)n};
    request->progress_token = rpc_id_copy(&id);
    request->progress = PROGRESS_CREATING;
    Json *create = json_object_new_object();
    types_put(create, "token", rpc_id_json(&id));
    connection_call(conn, "window/workDoneProgress/create", create, on_created, request->serial);
}

void progress_report(Request *request, int pct, Str text)
{
    if (request->progress != PROGRESS_BEGUN) return;
    if (pct > request->progress_pct) request->progress_pct = pct > 100 ? 100 : pct;
    Json *value = json_object_new_object();
    types_put_text(value, "kind", "report");
    types_put_int(value, "percentage", request->progress_pct);
    types_put_str(value, "message", text);
    send_value(request, value);
}

void progress_end(Request *request, const char *text)
{
    if (request->progress == PROGRESS_BEGUN) {
        Json *value = json_object_new_object();
        types_put_text(value, "kind", "end");
        if (text) types_put_text(value, "message", text);
        send_value(request, value);
    }
    request->progress = PROGRESS_NONE;
}

// Life and post of a connection: bytes in, frames to dispatch, messages out, and the bookkeeping
// by which every request gets exactly one answer.
#include "connection.h"

#include "compile.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dispatch.h"
#include "features/features.h"
#include "features/ranking.h"
#include "features/test_results.h"
#include "parsing.h"
#include "progress.h"
#include "server_private.h"
#include "surprises.h"
#include "workspace.h"

struct Outgoing {
    int64_t id;
    OnAnswer on_answer;
    uint64_t serial;
    Outgoing *next;
};

// --- messages to the client ----------------------------------------------------------------------

void connection_notify(Connection *conn, const char *method, Json *params)
{
    StrBuf out = {0};
    rpc_encode_notification(&out, method, params);
    transport_write(conn->transport, &out);
}

void connection_send_error(Connection *conn, const RpcId *id, RpcCode code, const char *text)
{
    StrBuf out = {0};
    log_info("error %d: %s", (int)code, text);
    rpc_encode_error(&out, id, code, text);
    transport_write(conn->transport, &out);
}

static void send_message(Connection *conn, const char *method, int level, Str text)
{
    Json *params = json_object_new_object();
    types_put_int(params, "type", level);
    types_put_str(params, "message", text);
    connection_notify(conn, method, params);
}

void connection_log(Connection *conn, int level, const char *fmt, ...)
{
    static const LogLevel levels[] = {LOG_ERROR, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_INFO};
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_line(levels[level], "%s", text);
    if (conn->state == CONNECTION_NEW)
        strbuf_printf(&conn->early_log, "%s%s", conn->early_log.len ? "\n" : "", text);
    else
        send_message(conn, "window/logMessage", level, str_from(text));
}

void connection_flush_log(Connection *conn)
{
    if (conn->early_log.len == 0) return;
    send_message(conn, "window/logMessage", 2, strbuf_str(&conn->early_log));
    strbuf_deinit(&conn->early_log);
}

void connection_show(Connection *conn, int level, const char *text)
{
    send_message(conn, "window/showMessage", level, str_from(text));
}

void connection_call(Connection *conn, const char *method, Json *params, OnAnswer on_answer,
                     uint64_t serial)
{
    Outgoing *call = mem_zero(sizeof *call);
    *call = (Outgoing){++conn->last_id, on_answer, serial, conn->outgoing};
    conn->outgoing = call;
    StrBuf out = {0};
    rpc_encode_request(&out, call->id, method, params);
    transport_write(conn->transport, &out);
}

void connection_handle_answer(Connection *conn, const RpcMessage *message)
{
    Outgoing **link = &conn->outgoing;
    while (*link && (message->id.kind != RPC_ID_NUMBER || (*link)->id != message->id.number))
        link = &(*link)->next;
    Outgoing *call = *link;
    if (!call) {
        log_info("an answer to a request that was never made");
        return;
    }
    *link = call->next;
    if (call->on_answer) call->on_answer(conn, call->serial, message->result, message->failure);
    free(call);
}

// --- requests ------------------------------------------------------------------------------------

Request *request_new(Connection *conn, const RpcId *id, const char *method)
{
    Request *request = mem_zero(sizeof *request);
    request->conn = conn;
    request->id = rpc_id_copy(id);
    request->method = method;
    request->serial = ++conn->last_serial;
    request->started_ms = clock_ms();
    request->arena = arena_new();
    request->next = conn->requests;
    conn->requests = request;
    return request;
}

// The job goes on in the engine's hands until it notices; it comes back to nobody.
static void cut_job(Request *request)
{
    if (!request->job) return;
    request->job->owner = NULL;
    job_cancel(request->job);
    request->job = NULL;
}

static void request_free(Request *request)
{
    Request **link = &request->conn->requests;
    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    workspace_forget(request);
    cut_job(request);
    rpc_id_deinit(&request->id);
    rpc_id_deinit(&request->progress_token);
    arena_free(request->arena);
    free(request);
}

static void trace(const Request *request, const char *outcome)
{
    log_info("%s v%lld %s in %.1f ms%s%s", request->method, (long long)request->version, outcome,
             clock_ms() - request->started_ms, request->note[0] ? ": " : "", request->note);
}

void request_reply(Request *request, Json *result)
{
    StrBuf out = {0};
    progress_end(request, NULL);
    rpc_encode_result(&out, &request->id, result);
    transport_write(request->conn->transport, &out);
    trace(request, "answered");
    request_free(request);
}

void request_fail(Request *request, RpcCode code, const char *text)
{
    StrBuf out = {0};
    progress_end(request, NULL);
    rpc_encode_error(&out, &request->id, code, text);
    transport_write(request->conn->transport, &out);
    trace(request, code == RPC_CANCELLED ? "cancelled" : text);
    request_free(request);
}

void request_cancel(Request *request, const char *why)
{
    request_fail(request, RPC_CANCELLED, why);
}

static void on_job_ended(Job *job)
{
    Request *request = job->owner;
    assert(request->job == job);
    request->job = NULL;
    request->job_ended(request, job);
}

void request_start_job(Request *request, Job *job, void (*job_ended)(Request *, Job *))
{
    assert(!request->job && job->owner == request);
    job->ended = on_job_ended;
    request->job = job;
    request->job_ended = job_ended;
    jobs_submit(server_jobs(request->conn->server), job);
}

void request_adopt_job(Request *request, Job *job, void (*job_ended)(Request *, Job *))
{
    assert(!request->job && !job->owner);
    job->owner = request;
    job->ended = on_job_ended;
    request->job = job;
    request->job_ended = job_ended;
    jobs_promote(server_jobs(request->conn->server), job);
}

Request *request_find(Connection *conn, uint64_t serial)
{
    Request *request = conn->requests;
    while (request && request->serial != serial)
        request = request->next;
    return request;
}

Request *request_find_id(Connection *conn, const RpcId *id)
{
    Request *request = conn->requests;
    while (request && !rpc_id_equal(&request->id, id))
        request = request->next;
    return request;
}

void request_supersede(const Request *newer)
{
    Request *next;
    for (Request *request = newer->conn->requests; request; request = next) {
        next = request->next;
        bool meant = request != newer && request->doc == newer->doc &&
                     strcmp(request->method, newer->method) == 0;
        if (meant) request_cancel(request, "superseded by a newer request");
    }
}

void request_drop_implicit(Connection *conn, const Document *doc)
{
    Request *next;
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (request->implicit && request->doc == doc) request_reply(request, NULL);
    }
}

void request_drop_document(Connection *conn, const Document *doc)
{
    Request *next;
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (request->doc == doc) request_reply(request, NULL);
    }
}

// --- life ----------------------------------------------------------------------------------------

void connection_release(Connection *conn)
{
    if (--conn->n_open > 0) return;
    frame_deinit(&conn->frames);
    strbuf_deinit(&conn->early_log);
    config_deinit(&conn->config);
    config_deinit(&conn->config_base);
    for (size_t i = 0; i < conn->folders.n; i++)
        free(conn->folders.items[i]);
    VEC_FREE(&conn->folders);
    projects_end(conn);
    free(conn->root);
    server_connection_closed(conn->server, conn);
}

static void on_transport_closed(void *user)
{
    connection_release(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    connection_release(handle->data);
}

void connection_close(Connection *conn)
{
    if (conn->closing) return;
    conn->closing = true;
    while (conn->requests)
        request_free(conn->requests);
    compile_close(conn);
    surprises_close(conn);
    while (conn->documents.first) {
        parsing_stop(conn->documents.first);
        documents_close(&conn->documents, conn->documents.first);
    }
    workspace_close(conn);
    test_results_free(conn);
    while (conn->outgoing) {
        Outgoing *call = conn->outgoing;
        conn->outgoing = call->next;
        free(call);
    }
    uv_close((uv_handle_t *)&conn->process_timer, on_timer_closed);
    uv_close((uv_handle_t *)&conn->pushing.timer, on_timer_closed);
    uv_close((uv_handle_t *)&conn->compiles.timer, on_timer_closed);
    uv_close((uv_handle_t *)&conn->surprises.timer, on_timer_closed);
    uv_close((uv_handle_t *)&conn->rankings.timer, on_timer_closed);
    transport_close(conn->transport);
}

static void on_bytes(void *user, Str bytes)
{
    Connection *conn = user;
    frame_feed(&conn->frames, bytes);
    while (!conn->closing) {
        Str body;
        Error err = {0};
        FrameStatus status = frame_next(&conn->frames, &body, &err);
        if (status == FRAME_PARTIAL) return;
        if (status == FRAME_CONSUMED)
            dispatch_body(conn, body);
        else
            connection_send_error(conn, &(RpcId){0}, RPC_PARSE_ERROR, err.text);
    }
}

static void on_ended(void *user)
{
    Connection *conn = user;
    if (conn->state != CONNECTION_SHUTDOWN) log_info("the connection ended without shutdown");
    connection_close(conn);
}

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    return memcpy(mem_alloc(n), text, n);
}

static void init(Connection *conn, struct Server *server, uv_loop_t *loop, const Config *config,
                 const char *root)
{
    conn->server = server;
    conn->encoding = POSITION_UTF16;
    config_init(&conn->config);
    config_init(&conn->config_base);
    config_copy(&conn->config, config);
    config_copy(&conn->config_base, config);
    conn->root = copy_text(root ? root : "");
    uv_timer_init(loop, &conn->process_timer);
    conn->process_timer.data = conn;
    due_init(&conn->pushing, loop, conn, offsetof(Document, push_due_ms), diagnostics_push);
    due_init(&conn->compiles, loop, conn, offsetof(Document, compile_due_ms), compile_begin);
    due_init(&conn->surprises, loop, conn, offsetof(Document, surprise_due_ms), surprises_begin);
    due_init(&conn->rankings, loop, conn, offsetof(Document, ranking_due_ms), ranking_end_wait);
    conn->n_open = 6;
}

Connection *connection_open(struct Server *server, uv_loop_t *loop, uv_stream_t *listener,
                            const Config *config, const char *root, Error *err)
{
    Connection *conn = mem_zero(sizeof *conn);
    TransportEvents events = {on_bytes, on_ended, on_transport_closed, conn};
    conn->transport = listener ? transport_accept(listener, events, err)
                               : transport_open_stdio(loop, events, err);
    if (!conn->transport) {
        free(conn);
        return NULL;
    }
    init(conn, server, loop, config, root);
    return conn;
}

// Every run of the loop leaves a record (src/audit), written by a pool worker once the run has been
// answered. r1ls/audit: {record} or {textDocument} or nothing gives one back as JSON; a request
// that comes while records are written waits for them, so that it finds the newest.
#include <stdio.h>
#include <string.h>

#include "audit/record.h"
#include "base/log.h"
#include "features/features.h"
#include "server_private.h"

typedef struct Recording {
    uv_work_t work;
    Server *server;
    Job *job; // owned
    AuditModel model;
    ChainEnd end;
    Error err;
} Recording;

typedef struct AuditQuery {
    uv_work_t work;
    Server *server;
    Connection *conn; // only if the server still has it
    uint64_t serial;
    struct AuditQuery *next;
    Arena *arena;
    uint64_t number; // 0: the newest
    Str file;        // "": about any file
    ChainRecord record;
    Error err;
} AuditQuery;

// --- reading

static void read_record(uv_work_t *work)
{
    AuditQuery *query = work->data;
    audit_find(audit_folder(query->arena), query->number, query->file, query->arena, &query->record,
               &query->err);
}

static Json *new_answer(const AuditQuery *query)
{
    Json *value = json_object_new_object();
    types_put_int(value, "record", (int64_t)query->record.number);
    types_put_str(value, "hash", query->record.hash);
    types_put_int(value, "time", query->record.time);
    types_put(value, "run", json_tokener_parse(arena_str(query->arena, query->record.body).ptr));
    return value;
}

static void on_read(uv_work_t *work, int status)
{
    AuditQuery *query = work->data;
    Request *request = NULL;
    if (server_has(query->server, query->conn)) request = request_find(query->conn, query->serial);
    if (request && (status != 0 || query->err.code != ERROR_NONE))
        request_fail(request, RPC_REQUEST_FAILED,
                     status ? "the records were not read" : query->err.text);
    else if (request)
        request_reply(request, new_answer(query));
    arena_free(query->arena);
    free(query);
}

static void start_reading(AuditQuery *query)
{
    uv_queue_work(server_loop(query->server), &query->work, read_record, on_read);
}

static void start_waiting(Server *server)
{
    Audits *audits = server_audits(server);
    while (audits->n_writing == 0 && audits->waiting) {
        AuditQuery *query = audits->waiting;
        audits->waiting = query->next;
        start_reading(query);
    }
}

static bool read_params(Call *call, AuditQuery *query, Error *err)
{
    Json *record = types_get(call->params, "record");
    Document *doc = NULL;
    if (record &&
        (!json_object_is_type(record, json_type_int) || json_object_get_int64(record) < 1))
        return error_set(err, ERROR_INVALID, "record is %.60s, wanted a number from 1 on",
                         json_object_to_json_string(record));
    if (record) query->number = (uint64_t)json_object_get_int64(record);
    if (types_get(call->params, "textDocument")) {
        if (!sync_find_document(call, &doc, err)) return false;
        if (!doc) return error_set(err, ERROR_INVALID, "the document is not open");
        query->file = arena_str(query->arena, str_from(doc->path));
    }
    return true;
}

bool audit_request(Call *call, Error *err)
{
    Server *server = call->conn->server;
    AuditQuery *query = mem_zero(sizeof *query);
    query->arena = arena_new();
    if (!read_params(call, query, err)) {
        arena_free(query->arena);
        free(query);
        return false;
    }
    query->work.data = query;
    query->server = server;
    query->conn = call->conn;
    query->serial = call->request->serial;
    call->later = true;
    AuditQuery **link = &server_audits(server)->waiting;
    while (*link)
        link = &(*link)->next;
    *link = query;
    start_waiting(server);
    return true;
}

// --- writing

static void write_record(uv_work_t *work)
{
    Recording *r = work->data;
    Job *job = r->job;
    Error cancelled = {0};
    const Error *failure = job->err.code != ERROR_NONE ? &job->err : NULL;
    if (job->end == JOB_CANCELLED) {
        error_set(&cancelled, ERROR_CANCELLED, "cancelled");
        failure = &cancelled;
    }
    audit_write(&job->audit, &r->model, &job->loop, &job->loop_result, failure, job->arena, &r->end,
                &r->err);
}

static void on_written(uv_work_t *work, int status)
{
    Recording *r = work->data;
    if (status != 0 || r->err.code != ERROR_NONE)
        log_warn("no record of a run: %s", status ? "it was not written" : r->err.text);
    if (r->end.note[0]) log_warn("audit: %s", r->end.note);
    server_audits(r->server)->n_writing--;
    job_free(r->job);
    start_waiting(r->server);
    free(r);
}

void audit_job(Server *server, Job *job)
{
    Recording *r = mem_zero(sizeof *r);
    r->work.data = r;
    r->server = server;
    r->job = job;
    job->owner = NULL;
    r->model = *server_model(server);
    server_audits(server)->n_writing++;
    uv_queue_work(server_loop(server), &r->work, write_record, on_written);
}

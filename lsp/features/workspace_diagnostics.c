// workspace/diagnostic, held open: clients ask again two seconds after each answer, so it is
// answered only when there is news, and with partial results not before the client gives it up.
#include <string.h>

#include "features/features.h"
#include "parsing.h"

static const char METHOD[] = "workspace/diagnostic";

typedef struct Known {
    struct Known *next;
    Str uri, result_id;
} Known;

typedef struct Held {
    const char *token; // JSON text of partialResultToken; NULL: none
    Known *known;
} Held;

static Known *find_known(const Held *held, Str uri)
{
    Known *known = held->known;
    while (known && !str_equal(known->uri, uri))
        known = known->next;
    return known;
}

static void remember(Request *request, Held *held, Str uri, Str result_id)
{
    Known *known = find_known(held, uri);
    if (!known) {
        known = arena_alloc(request->arena, sizeof *known);
        *known = (Known){.next = held->known, .uri = arena_str(request->arena, uri)};
        held->known = known;
    }
    // Ids have one length, so a long life of the request needs no more memory.
    if (known->result_id.len == result_id.len)
        memcpy((char *)(uintptr_t)known->result_id.ptr, result_id.ptr, result_id.len);
    else
        known->result_id = arena_str(request->arena, result_id);
}

// The report of a document if it is news, else NULL.
static Json *new_report(Request *request, const Document *doc)
{
    Held *held = request->data;
    if (!doc->lang || !documents_is_checked(doc)) return NULL;
    const Known *known = find_known(held, str_from(doc->uri));
    Json *report = diagnostics_new_report(request->conn, doc, STR(""));
    Str id = types_str(report, "resultId");
    bool is_empty = json_object_array_length(types_get(report, "items")) == 0;
    if ((known && str_equal(known->result_id, id)) || (!known && is_empty)) {
        json_object_put(report);
        return NULL;
    }
    remember(request, held, str_from(doc->uri), id);
    types_put_text(report, "uri", doc->uri);
    types_put_int(report, "version", doc->version);
    return report;
}

static void tell(Request *request, Json *reports)
{
    const Held *held = request->data;
    Json *value = json_object_new_object();
    types_put(value, "items", reports);
    if (!held->token) {
        request_reply(request, value);
        return;
    }
    Json *params = json_object_new_object();
    types_put(params, "token", json_tokener_parse(held->token));
    types_put(params, "value", value);
    connection_notify(request->conn, "$/progress", params);
}

static void tell_document(Request *request, const Document *doc)
{
    Json *report = new_report(request, doc);
    if (!report) return;
    Json *reports = json_object_new_array();
    json_object_array_add(reports, report);
    tell(request, reports);
}

static bool is_held(const Request *request)
{
    return request->data && strcmp(request->method, METHOD) == 0;
}

bool diagnostics_are_held(const Connection *conn)
{
    for (const Request *request = conn->requests; request; request = request->next)
        if (is_held(request)) return true;
    return false;
}

void diagnostics_tell_held(Connection *conn, const Document *doc)
{
    Request *next;
    for (Request *request = conn->requests; request; request = next) {
        next = request->next;
        if (is_held(request)) tell_document(request, doc);
    }
}

static void read_known(Request *request, Held *held, Json *ids)
{
    enum { MAX_IDS = 10000 };
    if (!json_object_is_type(ids, json_type_array)) return;
    for (size_t i = 0; i < json_object_array_length(ids) && i < MAX_IDS; i++) {
        Json *item = json_object_array_get_idx(ids, i);
        remember(request, held, types_str(item, "uri"), types_str(item, "value"));
    }
}

bool diagnostics_workspace(Call *call, Error *err)
{
    (void)err;
    Request *request = call->request;
    Held *held = request->data = arena_alloc(request->arena, sizeof *held);
    Json *token = types_get(call->params, "partialResultToken");
    if (token)
        held->token = arena_str(request->arena, str_from(json_object_to_json_string(token))).ptr;
    read_known(request, held, types_get(call->params, "previousResultIds"));
    call->later = true;
    Json *reports = json_object_new_array();
    for (const Document *doc = call->conn->documents.first; doc; doc = doc->next) {
        Json *report = new_report(request, doc);
        if (report) json_object_array_add(reports, report);
    }
    Connection *conn = call->conn;
    if (json_object_array_length(reports) > 0)
        tell(request, reports);
    else
        json_object_put(reports);
    // Those that were not checked yet are told later.
    for (Document *doc = conn->documents.first; doc; doc = doc->next)
        parsing_check(conn, doc);
    return true;
}

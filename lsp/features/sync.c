// Document synchronisation. What the client says about a document that it has not opened is
// dropped with a log line: the protocol allows no better answer to a notification.
#include "ahead.h"
#include "compile.h"
#include "features/features.h"
#include "features/inline_context.h"
#include "parsing.h"
#include "surprises.h"
#include "uri.h"
#include "workspace.h"

static const double PUSH_DELAY_MS = 150;

bool sync_find_document(Call *call, Document **doc, Error *err)
{
    Str uri = types_str(call->params, "textDocument.uri");
    if (uri.len == 0) return error_set(err, ERROR_INVALID, "params without textDocument.uri");
    *doc = documents_find(&call->conn->documents, uri);
    return true;
}

const Config *sync_config(const Call *call)
{
    Str uri = types_str(call->params, "textDocument.uri");
    return &projects_of(call->conn, documents_find(&call->conn->documents, uri))->config;
}

static void leave_document(Connection *conn, Document *doc)
{
    request_drop_document(conn, doc);
    parsing_stop(doc);
    compile_stop(conn, doc);
    surprises_stop(conn, doc);
}

bool sync_did_open(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Json *item = types_get(call->params, "textDocument");
    Document *old;
    bool replaced;
    if (!sync_find_document(call, &old, err)) return false;
    if (!json_object_is_type(types_get(item, "text"), json_type_string))
        return error_set(err, ERROR_INVALID, "a document without text");
    if (old) leave_document(conn, old);
    Str path = uri_to_path(types_str(item, "uri"), call->arena);
    Document *doc =
        documents_open(&conn->documents, types_str(item, "uri"), types_str(item, "languageId"),
                       types_int(item, "version", 0), types_str(item, "text"),
                       projects_around(conn, path)->root, &replaced, err);
    if (!doc) return false;
    diagnostics_schedule(conn, doc, 0);
    parsing_start(conn, doc);
    compile_schedule(conn, doc);
    return true;
}

static bool apply_all(Connection *conn, Document *doc, Json *changes, Error *err)
{
    for (size_t i = 0; i < json_object_array_length(changes); i++) {
        Json *change = json_object_array_get_idx(changes, i);
        if (!documents_apply(doc, change, conn->encoding, err)) return false;
    }
    return true;
}

bool sync_did_change(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    Json *changes = types_get(call->params, "contentChanges");
    if (!doc) return error_set(err, ERROR_INVALID, "a change to a document that is not open");
    if (!json_object_is_type(changes, json_type_array))
        return error_set(err, ERROR_INVALID, "a change without contentChanges");
    inline_edit_watch(conn, doc);
    bool ok = apply_all(conn, doc, changes, err);
    inline_context_visit(doc, doc->changed_at);
    doc->version = types_int(call->params, "textDocument.version", doc->version + 1);
    request_drop_implicit(conn, doc);
    ahead_edited(doc);
    diagnostics_schedule(conn, doc, PUSH_DELAY_MS);
    parsing_start(conn, doc);
    compile_schedule(conn, doc);
    surprises_schedule(conn, doc);
    return ok;
}

bool sync_did_save(Call *call, Error *err)
{
    // The texts are the client's; a save changes none of them, but the disk, which others
    // include.
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    if (doc && doc->path[0]) workspace_file_changed(call->conn, str_from(doc->path));
    compile_schedule_all(call->conn);
    return true;
}

bool sync_did_close(Call *call, Error *err)
{
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!doc) return error_set(err, ERROR_INVALID, "a document is closed that is not open");
    leave_document(call->conn, doc);
    diagnostics_clear(call->conn, doc);
    workspace_document_closed(call->conn, doc);
    documents_close(&call->conn->documents, doc);
    return true;
}

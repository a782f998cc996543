// r1ls/trust: {trusted, textDocument} says whether the code of the document's folder (without a
// document: of the first one) may be compiled and tested from now on, and is remembered for the
// folder; without `trusted` the request asks. Answers {folder, trusted}.
#include "trust.h"

#include "compile.h"
#include "features/features.h"
#include "uri.h"

bool trust_request(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Json *trusted = types_get(call->params, "trusted");
    Str uri = types_str(call->params, "textDocument.uri");
    const ProjectSettings *project =
        uri.len ? projects_around(conn, uri_to_path(uri, call->arena)) : projects_of(conn, NULL);
    if (!project->root[0])
        return error_set(err, ERROR_INVALID, "no folder is open, wanted one to trust");
    if (trusted && !json_object_is_type(trusted, json_type_boolean))
        return error_set(err, ERROR_INVALID, "trusted is %.60s, wanted true or false",
                         json_object_to_json_string(trusted));
    if (trusted && !trust_set(project->root, json_object_get_boolean(trusted), err)) return false;
    if (trusted) {
        projects_read_trust(conn);
        compile_schedule_all(conn);
        code_lens_refresh(conn);
    }
    call->result = json_object_new_object();
    types_put_text(call->result, "folder", project->root);
    types_put_bool(call->result, "trusted", project->trusted);
    return true;
}

// r1ls/trust: {trusted} says whether the root's code may be compiled and tested from now on, and
// is remembered for the folder; without it the request asks. Answers {folder, trusted}.
#include "trust.h"

#include "compile.h"
#include "features/features.h"

bool trust_request(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Json *trusted = types_get(call->params, "trusted");
    if (!conn->root[0])
        return error_set(err, ERROR_INVALID, "no folder is open, wanted one to trust");
    if (trusted && !json_object_is_type(trusted, json_type_boolean))
        return error_set(err, ERROR_INVALID, "trusted is %.60s, wanted true or false",
                         json_object_to_json_string(trusted));
    if (trusted && !trust_set(conn->root, json_object_get_boolean(trusted), err)) return false;
    if (trusted) {
        projects_read_trust(conn);
        compile_schedule_all(conn);
        code_lens_refresh(conn);
    }
    call->result = json_object_new_object();
    types_put_text(call->result, "folder", conn->root);
    types_put_bool(call->result, "trusted", projects_of(conn, NULL)->trusted);
    return true;
}

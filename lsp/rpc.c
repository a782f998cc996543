// Decoding is strict about what could be misunderstood (ids, batches, types) and lenient about
// what cannot (unknown members).
#include "rpc.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "frame.h"

// Deep enough for any client, shallow enough for json-c's recursive release.
enum { MAX_DEPTH = 128 };

RpcId rpc_id_copy(const RpcId *id)
{
    RpcId copy = *id;
    if (!id->text) return copy;
    copy.text = mem_alloc(id->text_bytes + 1);
    memcpy(copy.text, id->text, id->text_bytes + 1);
    return copy;
}

void rpc_id_deinit(RpcId *id)
{
    free(id->text);
    *id = (RpcId){0};
}

bool rpc_id_equal(const RpcId *a, const RpcId *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == RPC_ID_STRING)
        return a->text_bytes == b->text_bytes && memcmp(a->text, b->text, a->text_bytes) == 0;
    return a->number == b->number;
}

bool rpc_id_read(Json *value, RpcId *out)
{
    *out = (RpcId){0};
    if (json_object_is_type(value, json_type_int)) {
        *out = (RpcId){.kind = RPC_ID_NUMBER, .number = json_object_get_int64(value)};
        return true;
    }
    if (!json_object_is_type(value, json_type_string)) return false;
    Str text = types_str(value, "");
    out->kind = RPC_ID_STRING;
    out->text = mem_alloc(text.len + 1);
    memcpy(out->text, text.ptr, text.len + 1);
    out->text_bytes = text.len;
    return true;
}

Json *rpc_id_json(const RpcId *id)
{
    if (id->kind == RPC_ID_NUMBER) return json_object_new_int64(id->number);
    if (id->kind == RPC_ID_STRING) return types_new_str((Str){id->text, id->text_bytes});
    return NULL;
}

static Json *parse_json(Str body, Error *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    Json *root = json_tokener_parse_ex(tokener, body.ptr, (int)body.len);
    size_t end = json_tokener_get_parse_end(tokener);
    // A bare number or word ends only with what follows it.
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        root = json_tokener_parse_ex(tokener, "", 1);
    enum json_tokener_error status = json_tokener_get_error(tokener);
    Str rest = str_trim(str_slice(body, end, body.len));
    if (status != json_tokener_success || rest.len > 0) {
        error_set(err, ERROR_DAMAGED, "the message is not JSON: %s at byte %zu of %zu",
                  status == json_tokener_success ? "text after the value"
                                                 : json_tokener_error_desc(status),
                  end, body.len);
        json_object_put(root);
        root = NULL;
    } else if (!root) {
        error_set(err, ERROR_INVALID, "the message is null, wanted an object");
    }
    json_tokener_free(tokener);
    return root;
}

static bool check_request(RpcMessage *out, Error *err)
{
    Json *method = types_get(out->root, "method");
    if (!json_object_is_type(method, json_type_string))
        return error_set(err, ERROR_INVALID, "a message without a method name");
    out->method = types_str(method, "");
    out->params = types_get(out->root, "params");
    bool structured = !out->params || json_object_is_type(out->params, json_type_object) ||
                      json_object_is_type(out->params, json_type_array);
    if (!structured)
        return error_set(err, ERROR_INVALID, "params of %.60s are no object", out->method.ptr);
    return true;
}

static bool check_message(RpcMessage *out, Error *err)
{
    Json *root = out->root, *id = NULL, *ignored;
    if (json_object_is_type(root, json_type_array))
        return error_set(err, ERROR_INVALID, "batches are not part of the protocol");
    if (!json_object_is_type(root, json_type_object))
        return error_set(err, ERROR_INVALID, "the message is not an object");
    bool has_id = json_object_object_get_ex(root, "id", &id);
    bool good_id = rpc_id_read(id, &out->id);
    if (!str_equal(types_str(root, "jsonrpc"), STR("2.0")))
        return error_set(err, ERROR_INVALID, "a message without \"jsonrpc\": \"2.0\"");
    bool is_call = json_object_object_get_ex(root, "method", &ignored);
    bool is_response = !is_call && (json_object_object_get_ex(root, "result", &ignored) ||
                                    json_object_object_get_ex(root, "error", &ignored));
    if (is_response) {
        out->kind = RPC_RESPONSE;
        out->result = types_get(root, "result");
        out->failure = types_get(root, "error");
        return true;
    }
    if (has_id && !good_id)
        return error_set(err, ERROR_INVALID, "an id that is neither a string nor an integer");
    out->kind = has_id ? RPC_REQUEST : RPC_NOTIFICATION;
    return check_request(out, err);
}

bool rpc_decode(Str body, RpcMessage *out, RpcCode *code, Error *err)
{
    *out = (RpcMessage){0};
    *code = RPC_PARSE_ERROR;
    out->root = parse_json(body, err);
    if (!out->root) {
        if (err->code == ERROR_INVALID) *code = RPC_INVALID_REQUEST;
        return false;
    }
    *code = RPC_INVALID_REQUEST;
    return check_message(out, err);
}

void rpc_message_deinit(RpcMessage *message)
{
    rpc_id_deinit(&message->id);
    json_object_put(message->root);
    *message = (RpcMessage){0};
}

static void encode(StrBuf *out, Json *message)
{
    Str text = types_encode(message);
    frame_write_header(out, text.len);
    strbuf_append(out, text);
    json_object_put(message);
}

static Json *new_message(void)
{
    Json *message = json_object_new_object();
    types_put_text(message, "jsonrpc", "2.0");
    return message;
}

void rpc_encode_result(StrBuf *out, const RpcId *id, Json *result)
{
    Json *message = new_message();
    types_put(message, "id", rpc_id_json(id));
    types_put(message, "result", result);
    encode(out, message);
}

void rpc_encode_error(StrBuf *out, const RpcId *id, RpcCode code, const char *text)
{
    Json *message = new_message();
    types_put(message, "id", rpc_id_json(id));
    Json *failure = types_put_object(message, "error");
    types_put_int(failure, "code", code);
    types_put_text(failure, "message", text);
    encode(out, message);
}

void rpc_encode_notification(StrBuf *out, const char *method, Json *params)
{
    Json *message = new_message();
    types_put_text(message, "method", method);
    if (params) types_put(message, "params", params);
    encode(out, message);
}

void rpc_encode_request(StrBuf *out, int64_t id, const char *method, Json *params)
{
    Json *message = new_message();
    types_put_int(message, "id", id);
    types_put_text(message, "method", method);
    if (params) types_put(message, "params", params);
    encode(out, message);
}

RpcCode rpc_code_of(ErrorCode code)
{
    switch (code) {
    case ERROR_INVALID:
    case ERROR_TOO_LARGE:
        return RPC_INVALID_PARAMS;
    case ERROR_CANCELLED:
        return RPC_CANCELLED;
    case ERROR_INTERNAL:
        return RPC_INTERNAL_ERROR;
    default:
        return RPC_REQUEST_FAILED;
    }
}

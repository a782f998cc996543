// JSON-RPC 2.0 messages: decoding with every check, and encoding with the frame's header.
#pragma once

#include "types.h"

// X(name, code)
#define RPC_CODES(X)                                                                               \
    X(RPC_PARSE_ERROR, -32700)                                                                     \
    X(RPC_INVALID_REQUEST, -32600)                                                                 \
    X(RPC_METHOD_NOT_FOUND, -32601)                                                                \
    X(RPC_INVALID_PARAMS, -32602)                                                                  \
    X(RPC_INTERNAL_ERROR, -32603)                                                                  \
    X(RPC_NOT_INITIALIZED, -32002)                                                                 \
    X(RPC_CANCELLED, -32800)                                                                       \
    X(RPC_CONTENT_MODIFIED, -32801)                                                                \
    X(RPC_REQUEST_FAILED, -32803)

typedef enum RpcCode {
#define X(name, code) name = code,
    RPC_CODES(X)
#undef X
} RpcCode;

typedef enum RpcIdKind { RPC_ID_NULL, RPC_ID_NUMBER, RPC_ID_STRING } RpcIdKind;

// Also the shape of a progress token. text is heap memory of its own.
typedef struct RpcId {
    RpcIdKind kind;
    int64_t number;
    char *text;
    size_t text_bytes;
} RpcId;

RpcId rpc_id_copy(const RpcId *id);
void rpc_id_deinit(RpcId *id);
bool rpc_id_equal(const RpcId *a, const RpcId *b);
// A string or an integer; false otherwise (*out is then the null id). The caller deinits.
bool rpc_id_read(Json *value, RpcId *out);
Json *rpc_id_json(const RpcId *id);

typedef enum RpcKind { RPC_REQUEST, RPC_NOTIFICATION, RPC_RESPONSE } RpcKind;

typedef struct RpcMessage {
    RpcKind kind;
    RpcId id;
    Str method;    // of requests and notifications; borrowed from root
    Json *params;  // may be NULL; borrowed from root
    Json *result;  // of responses; may be NULL; borrowed from root
    Json *failure; // "error" of responses, or NULL; borrowed from root
    Json *root;
} RpcMessage;

// False with *code and err set; then id is the message's where it could be read. The caller calls
// rpc_message_deinit in either case.
bool rpc_decode(Str body, RpcMessage *out, RpcCode *code, Error *err);
void rpc_message_deinit(RpcMessage *message);

// Frames appended to out. Values are taken (released after); NULL result and params are null and
// absent.
void rpc_encode_result(StrBuf *out, const RpcId *id, Json *result);
void rpc_encode_error(StrBuf *out, const RpcId *id, RpcCode code, const char *text);
void rpc_encode_notification(StrBuf *out, const char *method, Json *params);
void rpc_encode_request(StrBuf *out, int64_t id, const char *method, Json *params);

// The one map from our errors to the protocol's.
RpcCode rpc_code_of(ErrorCode code);

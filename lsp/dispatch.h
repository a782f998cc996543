// Dispatch: from one message's bytes to the handler of its method.
//
// A handler is (params, arena, error) in a Call: it reads params, sets result, and returns; or it
// keeps the request (later) and answers it with request_reply or request_fail when its work ends.
#pragma once

#include "connection.h"

typedef struct Call {
    Connection *conn;
    Json *params;     // borrowed for the call; may be NULL
    Arena *arena;     // dies with the call
    Request *request; // NULL: a notification
    Json *result;     // the handler sets it; NULL answers null
    bool later;       // the handler keeps the request
} Call;

// False with err set: the request is answered with the error (a notification's is logged).
typedef bool (*Handler)(Call *call, Error *err);

// Decodes body and runs it. Every request is answered, now or later.
void dispatch_body(Connection *conn, Str body);

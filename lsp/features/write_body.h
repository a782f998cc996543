// The work behind "Write this function's body": the job, its progress, and the edit with its
// evidence.
#pragma once

#include "features/features.h"

// Told on the loop thread when a body was found, or was not; answers the request. Not told when
// the request was answered before (cancelled, failed, document changed).
typedef void (*OnBody)(Request *request, const BodyResult *body);

// request->doc is set. Waits for the parse, submits the job, reports progress.
void write_body_start(Request *request, Json *params, LspPosition position, OnBody on_body);
// A WorkspaceEdit in the form that the client takes. body->found.
Json *write_body_new_edit(const Request *request, const BodyResult *body);
// Why there is no body, for the user; in the request's arena.
const char *write_body_message(Request *request, const BodyResult *body);

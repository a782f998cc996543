// The work behind a code action: the loop's job, its progress, and the edit with its evidence.
#pragma once

#include "features/features.h"

// Told on the loop thread when the job is done, with or without an edit; answers the request. Not
// told when the request was answered before (cancelled, failed, document changed).
typedef void (*OnLoop)(Request *request, const LoopResult *result);

// What an action carries from its listing to its doing.
typedef struct Act {
    TaskKind kind;
    LspRange range;
    Str message, instruction; // in the request's arena
} Act;

// request->doc is set. Waits for the parse, submits the job, reports progress.
void act_start(Request *request, Json *params, const Act *act, OnLoop on_loop);
// A TextEdit; and a WorkspaceEdit of it (taken) in the form that the client takes.
Json *act_new_text_edit(const Connection *conn, const Document *doc, ByteRange range, Str text);
Json *act_new_workspace_edit(const Connection *conn, const Document *doc, Json *text_edit);
// The WorkspaceEdit of a result that was found, with its evidence where the client shows it.
Json *act_new_edit(const Request *request, const LoopResult *result);
// Why there is no edit, for the user; in the request's arena.
const char *act_message(Request *request, const LoopResult *result);

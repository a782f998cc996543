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

// What comes back by resolve or as a command's argument: {uri, version, task, range}.
Json *act_new_target(const Request *request, TaskKind kind, ByteRange range);
// Starts the work on the target that came back; a document that has changed is told at once.
bool act_on_target(Call *call, Json *target, OnLoop on_loop, Error *err);
// May there be tests that can be run: is the document's folder trusted, and does it look like
// having some? A look at names only; whether they are found is left to the run.
bool act_may_test(const Connection *conn, const Document *doc);

// request->doc is set. params may be NULL. Waits for the parse, submits the job, reports progress.
void act_start(Request *request, Json *params, const Act *act, OnLoop on_loop);
// A TextEdit; and a WorkspaceEdit of it (taken) in the form that the client takes.
Json *act_new_text_edit(const Connection *conn, const Document *doc, ByteRange range, Str text);
Json *act_new_workspace_edit(const Connection *conn, const Document *doc, Json *text_edit);
// The WorkspaceEdit of a result that was found, with its evidence where the client shows it.
Json *act_new_edit(const Request *request, const LoopResult *result);
// Why there is no edit, for the user; in the request's arena.
const char *act_message(Request *request, const LoopResult *result);

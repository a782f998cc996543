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
// A WorkspaceEdit in the form that the client takes. result->found.
Json *act_new_edit(const Request *request, const LoopResult *result);
// Why there is no edit, for the user; in the request's arena.
const char *act_message(Request *request, const LoopResult *result);

// The commands of workspace/executeCommand, and what those that run the loop share.
#pragma once

#include "features/act.h"

// X(symbol, name, handler)
#define COMMANDS(X)                                                                                \
    X(COMMAND_RUN_TASK, "r1ls.runTask", commands_run_task)                                         \
    X(COMMAND_DEBUG_TEST, "r1ls.debugTest", debug_test)                                            \
    X(COMMAND_DEBUG_OUTPUT, "r1ls.debugOutput", debug_output)                                      \
    X(COMMAND_ACCEPT_EDIT, "r1ls.acceptInlineEdit", inline_edit_accepted)

typedef enum Command {
#define X(symbol, name, handler) symbol,
    COMMANDS(X)
#undef X
        N_COMMANDS
} Command;

// The executeCommandProvider of `initialize`.
void commands_offer(Json *caps);
// A Command of the protocol; argument is taken.
Json *commands_new(Command command, Str title, Json *argument);
// Shows what a run said, has the client apply its edit, and answers the request.
void commands_answer(Request *request, const LoopResult *result);

// Handlers; argument is the first of the command's, borrowed, or NULL.
// {uri, version, task, range}: does the task there.
bool commands_run_task(Call *call, Json *argument, Error *err);
// {uri, range, name}: runs the tests and starts the repair of what fails, by preference of what the
// test `name` fails of.
bool debug_test(Call *call, Json *argument, Error *err);
// The output of a compiler, a test runner or a sanitizer as text, or as {output}: finds the first
// function of the project that it blames, and starts the repair there.
bool debug_output(Call *call, Json *argument, Error *err);
// The id of an inline edit that the client has applied.
bool inline_edit_accepted(Call *call, Json *argument, Error *err);

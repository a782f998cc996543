// What the chat model is asked: the task in words, with the code it is about and what failed
// before. Pure functions; the ids are the caller's to render.
#pragma once

#include "loop/run.h"

// One conversation: the question, and what the answer has to begin with so that it is code.
typedef struct Ask {
    Str system, user;
    Str opening; // "```c\n": the answer continues it; empty where the model thinks first
} Ask;

// In the run's arena. `failure` (may be NULL) is an earlier attempt, shown with its message.
// `argued`: the opening goes on to a comment in the function's body; of a function that stands
// there with a body, in a language that has comments of a line.
Ask ask_make(const LoopRun *run, const Candidate *failure, bool argued);
// The task's function down to its body, a docstring included: a part of the request's text.
Str ask_function_head(const LoopRun *run);

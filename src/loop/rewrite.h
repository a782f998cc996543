// Some lines of a function written anew by the model, in the middle of the document: of the text as
// it was, or of an attempt that came further than others. What comes further still is rewritten in
// its turn, so that a small model climbs in steps to what it cannot write at once. Private to
// src/loop.
#pragma once

#include "loop/run.h"

enum { REWRITE_HOLES = 6 }; // of one step
// To each of them: more, where one run of the tests judges many.
int rewrite_answers(const LoopRun *run);

// What is to be rewritten next: 1 + the candidate, 0 for the text as it was, -1: nothing.
int rewrite_find(const LoopRun *run);
// Tries answers to the next holes of it. Of several that pass the likeliest is chosen.
bool propose_rewrites(LoopRun *run, int from, Error *err);

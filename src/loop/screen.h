// Judges many versions of one function by few runs of its tests: all are built into one program (C)
// or read by one interpreter (Python), which forks for each where the function is first needed. So
// a version costs what its tests take, and not a compiler, a linker and an interpreter's start.
// Private to src/loop.
#pragma once

#include "loop/run.h"

// Versions of one run of the tests.
enum { SCREEN_MAX_VERSIONS = 64 };

// Can changes of the task's function be judged so? True until it was tried in vain.
bool screen_may(const LoopRun *run);
// Of at most SCREEN_MAX_VERSIONS candidates, those that fail the tests become judged ones, as
// loop_offer takes them (verdict, evidence, tests and their note). What passes, what is no version
// of the function alone and what could not be told stays pending: a trial of its own decides.
// Blocks until the tests have ended, but polls the cancel and the time.
void screen_judge(LoopRun *run, Candidate *changes, size_t n);

// A C file in which the function `whole` of `text` has become all versions of it (texts of it, each
// with that signature; ptr NULL: left out), version 0 among them. Which one a process has, the
// runtime before it decides. Empty if the function's shape is not supported. limit_ms: of a
// version's tests, where the first one's do not tell more.
Str screen_c_harness(const Syntax *syntax, const SyntaxFunction *function, const Str *versions,
                     size_t n, double limit_ms, Arena *arena);
// The version that a compiler's line is about, by its number of the line; -1: none.
int screen_c_version(Str line);

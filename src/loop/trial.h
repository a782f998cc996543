// One candidate's verification, from parsing to the tests: polled, so that the model decodes the
// next candidate meanwhile. Private to src/loop.
#pragma once

#include "loop/run.h"
#include "sandbox/sandbox.h"

// Words for trial_run: what lies in the copy's root is seen by its Python.
#define TRIAL_PYTHON_HERE "PYTHONPATH=\"$PWD${PYTHONPATH:+:$PYTHONPATH}\"; export PYTHONPATH;"

struct Trial {
    int candidate; // index in the run's candidates
    Trial *next;
    const TextSnap *text;
    ByteRange changed;
    bool is_idle;     // it runs beside the model
    bool tests_first; // the compiler is asked only about what passes them
    Verify *verify;
    Scratch *scratch; // taken from the run while the tests run
    Child *child;
    double start_ms;
    Verdict tests; // PENDING while they run, SKIPPED before and where they had no time to run
    Str test_note;
    Str output; // of the tests, where the run keeps it
    double test_ms, test_spent_ms;
    bool overran;                // the tests did not end within their time
    int n_failures, failed_line; // as Candidate's
};

// Starts it for `text`, of which `changed` is new.
Trial *trial_start(LoopRun *run, int candidate, const TextSnap *text, ByteRange changed);
// VERDICT_PENDING until everything has ended. Never blocks but for copying the project.
Verdict trial_poll(LoopRun *run, Trial *trial);
// The tests in that copy of the project. The words live in the run's arena.
SandboxCommand trial_command(const LoopRun *run, const char *copy);
// A copy of the project that no trial has, NULL: none is free, or err says why none can be made.
Scratch *trial_take_scratch(LoopRun *run, Error *err);
void trial_give_back(LoopRun *run, const Scratch *scratch);
// Runs the tests there after words for the shell (variables, say), and waits until they have ended,
// have spent limit_ms (child.h), the time is over or the run cancelled. False: they did not end.
// The caller frees the child.
bool trial_run(LoopRun *run, const Scratch *scratch, Str words, double limit_ms, Child *child);
// Kills what still runs.
void trial_free(LoopRun *run, Trial *trial);

// One candidate's verification, from parsing to the tests: polled, so that the model decodes the
// next candidate meanwhile. Private to src/loop.
#pragma once

#include "loop/run.h"
#include "sandbox/sandbox.h"

struct Child;

struct Trial {
    int candidate; // index in the run's candidates
    Trial *next;
    const TextSnap *text;
    ByteRange changed;
    bool is_idle;     // it runs beside the model
    bool tests_first; // the compiler is asked only about what passes them
    Verify *verify;
    Scratch *scratch; // taken from the run while the tests run
    struct Child *child;
    double start_ms;
    Verdict tests; // PENDING while they run, SKIPPED before
    Str test_note;
    Str output; // of the tests, where the run keeps it
    double test_ms;
    int n_failures, failed_line; // as Candidate's
};

// Starts it for `text`, of which `changed` is new.
Trial *trial_start(LoopRun *run, int candidate, const TextSnap *text, ByteRange changed);
// VERDICT_PENDING until everything has ended. Never blocks but for copying the project.
Verdict trial_poll(LoopRun *run, Trial *trial);
// The tests in that copy of the project. The words live in the run's arena.
SandboxCommand trial_command(const LoopRun *run, const char *copy);
// Kills what still runs.
void trial_free(LoopRun *run, Trial *trial);

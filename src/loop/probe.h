// Tries versions of a function on more than its tests say: the inputs that the tests give it are
// varied (empty, one less, twice, reversed...), and each version gets them all, beside the tests,
// in their sandbox. C and Python.
#pragma once

#include "loop/run.h"

enum { PROBE_MAX_VERSIONS = 6 };

typedef struct Probe {
    int n_inputs;                     // tried; 0: the probe could not run
    bool differs[PROBE_MAX_VERSIONS]; // from version 0, on some input
    Str difference;                   // the first that was found: "f(0) gives 1 here and 2 there"
    Str slip;                         // an input at an edge where version 0 crashes; empty: none
} Probe;

// Versions are whole texts of the document, n of them, version 0 first. Blocks, but polls the
// cancel. What cannot be probed (no such harness, another language, types that it does not
// know) gives n_inputs 0, no error.
void probe_run(LoopRun *run, const Str *versions, int n, Probe *out);

// s as a string of JSON.
void probe_put_json_string(StrBuf *out, Str s);

// The C harness around version 0, whose tries are written to the file `out_path`; empty if the
// function's types are not supported.
Str probe_c_harness(const Language *lang, Str name, const Str *versions, int n, Str out_path,
                    Arena *arena);

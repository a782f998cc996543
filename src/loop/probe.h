// Tries versions of a function on more than its tests say: the inputs that the tests give it are
// varied (empty, one less, twice, reversed...), and each version gets them all, beside the tests,
// in their sandbox. C and Python.
#pragma once

#include "loop/run.h"

enum { PROBE_MAX_VERSIONS = 8 };

typedef struct Probe {
    int n_inputs;                     // tried; 0: the probe could not run
    bool differs[PROBE_MAX_VERSIONS]; // from version 0, on some input
    Str difference;                   // the first that was found: "f(0) gives 1 here and 2 there"
    // An input at an edge where version 0 crashes; where there is a text as it was, an input where
    // that one gives a value. Empty: none.
    Str slip;
    // Of each version, on how many inputs it does as the text as it was, and on how many it crashes
    // where that one gives a value.
    int n_same[PROBE_MAX_VERSIONS], n_broken[PROBE_MAX_VERSIONS];
} Probe;

// Versions are whole texts of the document, n of them, version 0 first; it has to end the tests
// that give the inputs. `was`: which of them is the text as it was, -1: none. Blocks, but polls the
// cancel. What cannot be probed (no such harness, another language, types that it does not
// know) gives n_inputs 0, no error.
void probe_run(LoopRun *run, const Str *versions, int n, int was, Probe *out);

// s as a string of JSON.
void probe_put_json_string(StrBuf *out, Str s);

// The C harness around version 0, whose tries are written to the file `out_path`; empty if the
// function's types are not supported.
Str probe_c_harness(const Language *lang, Str name, const Str *versions, int n, int was,
                    Str out_path, Arena *arena);

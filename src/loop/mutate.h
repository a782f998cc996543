// Small changes of a function that keep it well formed: what a slip of the author would be undone
// by. Pure functions over a syntax tree; C-like languages and Python.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef struct Mutant {
    ByteRange replace;
    Str insert;                      // in the arena
    const char *what;                // "operator", "constant", ...
    const struct LoopSample *sample; // how a model wrote it; NULL: none did
} Mutant;

// Changes by which tests are measured, and those that are tried as repairs too: arguments or
// statements in another order, a statement out of its block, other brackets... which often leave
// the function the same.
typedef enum MutateScope { MUTATE_TESTS, MUTATE_REPAIRS } MutateScope;

// The mutants of range (a function's body), likeliest kinds first and each kind in document order;
// at most max. Equal edits occur once.
size_t mutate_list(const Syntax *syntax, ByteRange range, MutateScope scope, size_t max,
                   Arena *arena, Mutant **out);

// Two of the n changes (the likeliest first) within one line as one, at most max, those of the
// likeliest first: the second step of what one change does not mend.
size_t mutate_pairs(const TextSnap *text, const Mutant *mutants, size_t n, size_t max, Arena *arena,
                    Mutant **out);

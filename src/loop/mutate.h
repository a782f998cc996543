// Small changes of a function that keep it well formed: what a slip of the author would be undone
// by. Pure functions over a syntax tree; C-like languages and Python.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef struct Mutant {
    ByteRange replace;
    Str insert;       // in the arena
    const char *what; // "operator", "constant", ...
} Mutant;

// The mutants of range (a function's body), likeliest kinds first and each kind in document order;
// at most max. Equal edits occur once.
size_t mutate_list(const Syntax *syntax, ByteRange range, size_t max, Arena *arena, Mutant **out);

// Examples that a function's comment gives ("f(3) == 4", ">>> f(3)", "f(3) returns 4"), as tests:
// where a project has none, they decide. C and Python. Only reads; the command runs elsewhere.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef struct DocExample {
    Str call, wanted; // as they stand there
    uint32_t row;     // of the document, from 0
} DocExample;

// Those of the comment of a function of the file's top level whose arguments and values are
// literals, at most a few; in the arena. What is not understood is left out.
size_t documented_find(const Syntax *syntax, const SyntaxFunction *function, Arena *arena,
                       DocExample **out);
// A command for a shell in the root (or its copy) that checks them against the file at `path`
// (relative to root) and prints "PATH:LINE: FAILED: f(3) is 5, wanted 4"; it brings its program
// along. Empty where n is 0.
Str documented_command(const Syntax *syntax, Str path, const SyntaxFunction *function,
                       const DocExample *examples, size_t n, Arena *arena);

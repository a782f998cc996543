// What the project's own tests say of a function: the lines that call it, for the model to read.
// Only reads files; executes nothing.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef struct Examples {
    Str path; // of the test file, relative to the root; empty: none found
    Str code; // an excerpt of it
} Examples;

// Looks through test files of the document's language under root (by their names or their
// folders'), nearest to the root first, for calls of `name`; else for the place that `message`
// (what a test printed, may be empty) names. Texts are in the arena. Blocks on the disk for a
// bounded number of files.
Examples examples_find(Str root, const Language *lang, Str name, Str message, Arena *arena);

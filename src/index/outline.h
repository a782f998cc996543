// Outline: a C file's text without the insides of its functions and initializers, where they define
// nothing. Most of a source's bytes stand there, so its definitions are found in a fraction of the
// time. Pure functions for workers.
#pragma once

#include "base/arena.h"
#include "base/text.h"

// One part that is left out.
typedef struct OutlineCut {
    size_t place;   // in the outline: before the byte there
    size_t n_bytes; // of this cut and all before it
} OutlineCut;

typedef struct Outline {
    // Read-only.
    Str text; // in the arena; the given text where n_cuts is 0
    size_t n_cuts;
    // Private.
    OutlineCut *cuts; // in order
} Outline;

// Of the text of a C file, borrowed. Where it is not clear what is inside of what (brackets that do
// not match, that differ between the branches of an #if, what is no token of C), nothing is cut.
Outline outline_make(Str text, Arena *arena);
// Where a range of the outline lies in the whole text.
ByteRange outline_place(const Outline *outline, ByteRange range);
// How many cuts lie in a range of the outline, and where the last one does (in front of that byte).
size_t outline_find_cuts(const Outline *outline, ByteRange range, size_t *last);

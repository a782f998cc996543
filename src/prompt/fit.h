// Fits a generated line to what stands after the cursor on its line: for ending.c and fim.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

// A line without its break, cut at the cursor: rest begins where before ends.
typedef struct CutLine {
    Str before, rest;
} CutLine;

// What of a generated line is inserted, and how many bytes of the rest it replaces.
typedef struct Fit {
    Str insert; // a beginning of the generated line
    size_t n_replaced;
    bool met_rest; // the line went on into all of the rest: nothing more can belong to it
} Fit;
Fit fit_line(CutLine cut, Str line);

// Bytes of the rest that generated text (one or more lines) closes again: "a, b)" before ");"
// gives 1; 0 where the rest goes on after its brackets.
size_t fit_doubled(CutLine cut, Str generated);

// Where generated text closes what it has not opened: an offset in it, its length if nowhere.
size_t fit_first_closer(CutLine cut, Str generated);

// True if s has nothing but closing brackets, quotes, separators and blanks.
bool fit_only_closers(Str s);

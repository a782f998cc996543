// Where a suggestion ends and whether it may be shown: pure functions over text.
//
// A model writes on past the hole: it repeats the suffix, opens the next function, closes a
// bracket that the editor has closed already. These functions cut that off.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef struct EndingContext {
    const TextSnap *text; // the document
    const Syntax *syntax; // of that text, or NULL
    const Language *lang; // or NULL
    size_t byte_off;      // the cursor
    bool multi_line;      // more than the rest of the line is wanted
} EndingContext;

// True when `so_far` (what was generated) can only grow past its end: a line was finished and
// single-line is wanted, the text met the suffix, brackets opened before the cursor were closed,
// the indentation fell below the cursor's. Called for every token; must be cheap.
bool ending_reached(const EndingContext *ctx, Str so_far);

// The text to insert and the range it replaces (from the cursor to at most its line's end),
// trimmed: overlap with the suffix removed, brackets not doubled, indentation as the file's,
// trailing blanks removed. Empty: nothing worth showing is left. In the arena.
typedef struct Ending {
    Str insert;
    ByteRange replace; // on the cursor's line
} Ending;
Ending ending_trim(const EndingContext *ctx, Str generated, Arena *arena);

// True if the document with the insertion has more syntax errors than without (parses; NULL lang
// gives false).
bool ending_adds_error(const EndingContext *ctx, const Ending *ending);

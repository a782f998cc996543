// Changes that a preprocessed unit needs before CBMC reads it. Private to src/formal.
#pragma once

#include "formal/c_unit.h"

// What the assertions put in say, in CBMC's report too.
#define REWRITE_NEGATIVE "array index is not negative"

typedef struct Rewrite {
    const Unit *unit;
    Str original, function; // of the function and what it calls, expressions are changed
    const UnitNames *names; // that get r1ls_old_ before them, everywhere
    bool assumes;           // for equality: what fails ends the run, and is not told
    // The results: expressions of which it is not known whether they are arrays. The caller frees
    // them; their texts are the unit's.
    UnitNames unknown;
    // Private.
    UnitNames reached;
    size_t at;
    StrBuf out;
} Rewrite;

// The text, in the unit's arena. CBMC does not see an index below zero of an array that a pointer
// leads into, as that is within the object: it gets an assertion. And CBMC turns its own checks
// into assumptions, but no assertion: where `assumes`, a failing assert ends the run.
Str rewrite_unit(Rewrite *rewrite);

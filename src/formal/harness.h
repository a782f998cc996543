// A program for CBMC around one C function: it makes arguments of any value, with objects behind
// the pointers, and calls the function; for equality, the function as it was too. Pure: from a
// translation unit after its preprocessor (`cc -E`) to text.
//
// What is made up for a pointer is an assumption about callers, and each one is listed. Where it
// bounds a size (the length of a text, the depth of a list), nothing is proved for all inputs.
#pragma once

#include "base/arena.h"

enum { HARNESS_MAX_ASSUMPTIONS = 48 };

// The entry point, and a function whose only loop is met where two results differ.
#define HARNESS_ENTRY "r1ls_harness"
#define HARNESS_DIFFER "r1ls_differ"
// Names of the inputs that say how they differ: "=result of ..." of the one, "=other" of the other.
#define HARNESS_RESULT "=result"
#define HARNESS_OTHER "=other"

typedef enum HarnessAim {
    HARNESS_CHECK,   // violations of the function, and of the one as it was
    HARNESS_COMPARE, // differences between both
} HarnessAim;

typedef struct HarnessRequest {
    Str unit, name; // preprocessed; the function's name
    Str old;        // the unit of the function as it was, of the same name; empty: none
    HarnessAim aim;
    int max_text; // characters of a text that a pointer leads to
} HarnessRequest;

typedef struct Harness {
    Str unit, old; // to be read together; old is empty where there is none
    Str assumptions[HARNESS_MAX_ASSUMPTIONS];
    int n_assumptions;
    bool is_bounded; // an assumption bounds a size
    Str why;         // none can be made
} Harness;

// False: none can be made, see why. Texts live in the arena.
bool harness_write(const HarnessRequest *request, Arena *arena, Harness *out);

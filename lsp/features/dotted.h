// What stands before the cursor in `a.b(x)[i].`, read backwards from its bytes: code that is being
// typed has no tree yet.
#pragma once

#include <stdbool.h>

#include "base/str.h"

enum { DOTTED_MAX = 8 };

typedef struct DottedPart {
    Str name;
    size_t off;   // of the name
    bool called;  // `name(...)`
    bool indexed; // `name[...]`, or a call's value `name(...)[...]`
    bool literal; // `name{...}`
    bool tried;   // Rust's `name?`
    bool scoped;  // `::` follows
} DottedPart;

typedef struct Dotted {
    DottedPart parts[DOTTED_MAX]; // the last one stands nearest to the end
    size_t n;
    bool waits; // `await` stands before the first
} Dotted;

// Whether an operator (`.`, `->`, `::`, `?.`) ends at `at`: its length, or 0.
size_t dotted_operator(Str text, size_t at, bool *scope);
// The chain before the operator that ends before `at`, with blanks between. False: there is none,
// or it begins with something else than a name.
bool dotted_before(Str text, size_t at, Dotted *out);
// The chain that the expression from start to end is: `new a.B(x)`, `&T{...}`, `await f()`. False:
// it is more than a chain.
bool dotted_of(Str text, size_t start, size_t end, Dotted *out);

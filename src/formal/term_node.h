// The inside of Terms, for term.c and smt.c.
#pragma once

#include "base/vec.h"
#include "formal/term.h"

typedef struct TermNode {
    uint8_t op, width;
    bool is_array;
    Term a, b, c;   // operands; UINT32_MAX: none
    uint64_t value; // of a constant; the number of an unknown
    Term next;      // in its bucket
} TermNode;

struct Terms {
    VEC(TermNode) nodes;
    Term *buckets;
    size_t n_buckets; // a power of two
    Term t, f;
    uint64_t n_vars;
    bool is_full;
};

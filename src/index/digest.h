// Digest: what the queries say of one version of a document. Queries walk through the whole tree,
// which is slow for each key, so a digest is made from that of any earlier version and asks only
// where the two trees differ. Immutable and reference counted; any thread.
#pragma once

#include "index/symbols.h"

typedef struct Semantics Semantics;

typedef struct Digest {
    // Read-only.
    Syntax *syntax;
    PlainSymbols plain;   // borrowed from the syntax's text
    Semantics *semantics; // semantic.h's; NULL: were not wanted yet
    // Private.
    Arena *arena;
    atomic_uint n_refs;
} Digest;

// before: of an earlier version, or NULL; it is kept if it is of this syntax and has what is
// wanted.
Digest *digest_new(const Syntax *syntax, const Digest *before, bool with_semantics);
Digest *digest_retain(const Digest *digest);
// NULL is allowed.
void digest_release(const Digest *digest);

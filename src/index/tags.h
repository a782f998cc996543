// Tags: what the index keeps of one file: its definitions, the names that it mentions, its imports.
//
// Pure functions for workers.
#pragma once

#include "index/digest.h"

typedef struct Tags {
    Symbol *symbols; // without signatures and comments, in document order
    Str *containers; // of each symbol: the type, class or module around it; empty: none
    size_t n_symbols;
    Str *names; // each once, in the order of their first place; a superset of the identifiers
    size_t n_names;
    Str *imports; // without quotes
    size_t n_imports;
} Tags;

// Why a file is passed over.
typedef enum TagsSkip {
    TAGS_WANTED,
    TAGS_BINARY,
    TAGS_GENERATED, // says so in its first lines
    TAGS_MINIFIED,
    TAGS_UNREADABLE,
    TAGS_SKIPS,
} TagsSkip;

// Whether files of this language go into an index: data and markup have keys, but no names.
bool tags_wants(const Language *lang);
// From a file's bytes alone.
TagsSkip tags_judge(Str text);
// A word for people: "binary".
const char *tags_skip_text(TagsSkip skip);
// Everything in the arena, but strings are borrowed from the syntax's text.
Tags tags_collect(const Digest *digest, Arena *arena);

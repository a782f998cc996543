// Snippets: statements by their first word, and calls with their parameters, as texts with the
// protocol's placeholders ($0, ${1:name}). Any thread.
//
// A language's are data (grammars/queries/FOLDER/snippets.txt):
//   PREFIX PLACE DESCRIPTION     one line; PLACE is body, top, any or header
//   <tab>text                    lines of the text; an empty line or the next entry ends it
// A line with '#' first is a comment. The user's own are in the same form, in
// $XDG_CONFIG_HOME/r1ls/snippets/LANGUAGE.txt (LANGUAGE as in LSP, "c"); one with the prefix of
// ours takes its place.
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "workspace/syntax.h"

// Where a statement may begin, and what kind of: bits.
typedef enum SnippetPlace {
    SNIPPET_NOWHERE = 0, // in a comment, a string, an expression, behind a `.`
    SNIPPET_BODY = 1,    // within a function
    SNIPPET_TOP = 2,     // outside of any
    SNIPPET_HEADER = 4,  // besides: nothing but comments stands before, in a C or C++ header
} SnippetPlace;

// For the word that begins at word_start of text. syntax may be of a text some keys older, or NULL:
// then NOWHERE. path tells headers.
unsigned snippets_place(const Syntax *syntax, const TextSnap *text, Str path, size_t word_start);

typedef struct Snippet {
    Str prefix, description; // of the language's data
    Str text;                // in the arena, with the file's indentation and "\n"
} Snippet;
// Those whose prefix begins with `typed` and that fit the place, the user's first, in the order of
// the data. Reads the user's file.
size_t snippets_find(const Language *lang, unsigned place, Str typed, const TextSnap *text,
                     Arena *arena, Snippet **out);

// `name(${1:a}, ${2:b})` for a function whose definition goes on with these bytes behind its name;
// a receiver (self, this) is left out. Empty: no parameters follow, or more bytes were needed.
Str snippets_call(Str name, Str behind_name, Arena *arena);

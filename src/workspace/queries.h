// Compiled tree-sitter queries, one for each language and kind.
#pragma once

#include <tree_sitter/api.h>

#include "grammars/languages.h"

typedef enum QueryKind {
    QUERY_DEFINITIONS,
    QUERY_REFERENCES,
    QUERY_SCOPES,
    QUERY_BODIES,
    QUERY_RULES,
    QUERY_HIGHLIGHTS, // its patterns with a predicate match nothing
    QUERY_KINDS
} QueryKind;

// The compiled query, immutable and kept for the life of the process; NULL where the language has
// none. Any thread. A query that does not compile is a broken invariant (a test compiles all).
const TSQuery *queries_get(const Language *lang, QueryKind kind);
// Compiles all of a language at once; then they are ready. Any thread.
void queries_prepare(const Language *lang);
bool queries_are_ready(const Language *lang);

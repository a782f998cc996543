// Syntax: a snapshot and its syntax tree, immutable and reference counted.
//
// Workers parse; any thread may read its own reference. Trees of different threads are copies
// (ts_tree_copy is cheap). A Syntax owns a reference to its snapshot.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <tree_sitter/api.h>

#include "base/arena.h"
#include "base/text.h"
#include "grammars/languages.h"

typedef struct Syntax Syntax;

// Parses text. NULL if cancelled (cancelled may be NULL) or if the text is over
// SYNTAX_MAX_BYTES (then there is no syntax, which is no error).
#define SYNTAX_MAX_BYTES ((size_t)4 << 20)
Syntax *syntax_parse(const Language *lang, const TextSnap *text, const atomic_bool *cancelled);
// The same as if the cuts (in order, apart from each other) were not in the text. Places are those
// of the text. Not to be reparsed. before (NULL: none) is the same text with other cuts: what they
// leave alone is taken from it.
Syntax *syntax_parse_without(const Language *lang, const TextSnap *text, const ByteRange *cuts,
                             size_t n_cuts, const Syntax *before, const atomic_bool *cancelled);
// Parses text, reusing old where the changes (in order, from old's text to text) left it alone.
Syntax *syntax_reparse(const Syntax *old, const TextSnap *text, const TextChange *changes,
                       size_t n_changes, const atomic_bool *cancelled);
Syntax *syntax_retain(const Syntax *syntax);
void syntax_release(const Syntax *syntax);

const Language *syntax_language(const Syntax *syntax);
const TextSnap *syntax_text(const Syntax *syntax);
TSNode syntax_root(const Syntax *syntax);
ByteRange syntax_range(TSNode node);
// The first node of that type, in the order of the text: the node itself or one within; or a null
// node.
TSNode syntax_find_node(TSNode node, const char *type);

// A scope, or the name of a local that some scope around it declares.
typedef struct SyntaxLocal {
    TSNode node;
    bool is_scope;
} SyntaxLocal;
// Those of the language's scopes query that lie in the range at least in part, in document order, a
// scope before what it holds. The caller frees *out.
size_t syntax_locals(const Syntax *syntax, ByteRange range, SyntaxLocal **out);
// Those of what stands at the top of the file around byte_off, alone: scopes there do not reach
// beyond. *top is its range, empty where nothing is. The caller frees *out.
size_t syntax_locals_around(const Syntax *syntax, size_t byte_off, SyntaxLocal **out,
                            ByteRange *top);

// One problem: a missing token or a part that does not fit the grammar.
typedef struct SyntaxIssue {
    ByteRange range; // at least one byte wide where the text has one
    Str message;     // "missing ';'", "unexpected 'foo bar'"
    // What stands nowhere and should: a token as text, or the closer of the bracket at missing_at.
    // Empty: nothing that could be named. fixes.h tries it.
    Str missing;
    size_t missing_at;
    bool is_unclosed;
} SyntaxIssue;

// Issues in document order, at most max, in the arena. Nested errors are reported once, at the
// smallest useful place.
size_t syntax_issues(const Syntax *syntax, size_t max, Arena *arena, SyntaxIssue **out);
// The number of ERROR and MISSING nodes within range (whole text: {0, SIZE_MAX}).
size_t syntax_error_count(const Syntax *syntax, ByteRange range);

// The function definition around or starting on the line of byte_off.
typedef struct SyntaxFunction {
    ByteRange whole;     // from the first byte of its declaration (decorators included) to its end
    ByteRange signature; // up to the body
    ByteRange body;      // braces included in C, the block after the colon in Python; empty: none
    ByteRange comment;   // the comment directly above (or docstring within), empty: none
    Str name;            // borrowed from the snapshot
    bool body_is_empty;  // nothing but blanks, comments, a docstring, pass, ... or a bare return
} SyntaxFunction;
bool syntax_function_at(const Syntax *syntax, size_t byte_off, SyntaxFunction *out);

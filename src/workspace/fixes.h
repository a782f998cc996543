// Repairs of syntax issues that the tree proves: a token that is missing and whose insertion makes
// the text parse better. No model takes part.
#pragma once

#include "workspace/syntax.h"

typedef struct SyntaxFix {
    size_t at; // byte offset
    Str insert;
    bool is_whole; // the text then has no syntax error at all
} SyntaxFix;

// The first insertion at or after the issue with which the text has fewer errors and none that is
// new. False: none is known. In the arena; pure.
bool fix_find(const Syntax *syntax, const SyntaxIssue *issue, Arena *arena, SyntaxFix *out);

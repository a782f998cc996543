// The user's compiler as a source of diagnostics: its syntax check over a text, and what it says of
// places in it. For trusted folders only; nothing is written into the project.
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/text.h"
#include "rules/rules.h"
#include "workspace/syntax.h"

// What is checked; borrowed until compiler_free.
typedef struct CompilerInput {
    const TextSnap *text;
    const Language *lang;
    Str file_path, root; // absolute; "" of an untitled document
} CompilerInput;

// Tagged, so that headers can name it without this one.
typedef struct CompilerIssue {
    ByteRange range; // of the text: a word, or a line where no column was told
    bool is_error;   // else a warning
    Str message;
    int n_fixes; // edits that the compiler proposes for it; of one, and no more, it is kept here
    ByteRange fix_range;
    Str fix, fix_title;
} CompilerIssue;

typedef struct Compiler Compiler;

// Starts the check. NULL with *why where there is none for the language, or its program is missing.
// Strings live in the arena, which must outlive it. Any thread, one at a time.
Compiler *compiler_start(const CompilerInput *input, Arena *arena, Str *why);
// True once it has ended. Never blocks.
bool compiler_poll(Compiler *compiler);
// Blocks until it has ended (its limits hold); false if `cancelled` (may be NULL) became true.
bool compiler_wait(Compiler *compiler, const atomic_bool *cancelled);
// After the end: what it found, by place, at most max, in the arena. *ok: it ended by itself and
// found no error, in other files included.
size_t compiler_issues(const Compiler *compiler, size_t max, CompilerIssue **out, bool *ok);
// As the rule "compiler" finds it.
RuleFinding compiler_finding(const CompilerIssue *issue);
// The byte of a line at which that column, from 1, begins; clang counts bytes, gcc a screen's
// columns.
size_t compiler_column(Str line, uint32_t column, bool counts_bytes);
// Does a syntax issue stand on the issue's line or on one beside it? Then both mean the same.
bool compiler_doubles(const TextSnap *text, const CompilerIssue *issue, const SyntaxIssue *syntax,
                      size_t n);
// Kills what still runs; compiler_free(NULL) is allowed.
void compiler_free(Compiler *compiler);

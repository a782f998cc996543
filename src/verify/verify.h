// Verification of a candidate edit: parse, then compile. Knows texts and commands, not models.
//
// A compile runs as a child process over a scratch file beside nothing of the user's: the tree is
// never written. It is polled, so that its thread can go on decoding the next candidate. Nothing
// is executed unless the folder is trusted.
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "workspace/syntax.h"

typedef enum Verdict { VERDICT_PENDING, VERDICT_PASS, VERDICT_FAIL, VERDICT_SKIPPED } Verdict;

// "pending", "pass", "fail", "skipped".
const char *verdict_word(Verdict verdict);

// What was found, in words and numbers, in the arena.
typedef struct Evidence {
    Verdict parse, compile;
    Str parse_note;   // "no new syntax error", "2 new syntax errors, first at 12:5"
    Str compile_note; // "cc -fsyntax-only: ok", the first error line, or why it was skipped
    Str command;      // the command as run, empty if none
    double parse_ms, compile_ms;
} Evidence;

// What the compiler says of the document without a candidate: the same for all candidates.
typedef struct VerifyBase {
    bool known, compiles;
    size_t n_errors;
} VerifyBase;

typedef struct VerifyRequest {
    const TextSnap *text; // with the candidate applied
    const Syntax *before; // of the text without it, for the comparison; may be NULL
    const Language *lang;
    Str file_path;     // absolute path of the document
    Str root;          // project root (compile_commands.json is looked for there and in build*/)
    ByteRange changed; // in text
    VerifyBase *base;  // filled once and used again; lives until verify_free; may be NULL
    bool trusted;      // false: parse only
} VerifyRequest;

typedef struct Verify Verify;

// Parses at once; starts the compiler if the parse passed, the folder is trusted and a checker for
// the language is installed (cc or the file's compile_commands.json entry with -fsyntax-only for C
// and C++, python3 -m py_compile-like for Python). Never NULL; evidence lives in the arena.
Verify *verify_start(const VerifyRequest *request, Arena *arena);
// VERDICT_PENDING until everything has ended; then PASS or FAIL (skipped parts do not fail).
// Never blocks.
Verdict verify_poll(Verify *verify);
const Evidence *verify_evidence(const Verify *verify);
// Kills what still runs and frees; verify_free(NULL) is allowed.
void verify_free(Verify *verify);

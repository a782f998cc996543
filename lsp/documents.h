// Documents: the open texts of one connection, as the client last described them.
//
// Every change makes a new immutable snapshot, so workers go on with theirs. The syntax tree lags
// behind by what `changes` lists; parsing.c brings it up to date. Loop thread only.
#pragma once

#include <stdint.h>

#include "base/vec.h"
#include "nextedit/edits.h"
#include "position.h"
#include "prompt/context.h"
#include "rules/rules.h"
#include "types.h"
#include "workspace/syntax.h"

struct CheckWork;
struct Job;
struct ParseWork;

typedef VEC(TextChange) TextChanges;

// What the last inline completion did, for r1ls/explain.
typedef struct LastSuggestion {
    bool valid;
    const char *from; // "engine", "typed through" or "computed ahead"; constant text
    char why[160];
    int64_t version;
    int prompt_tokens, piece_tokens, reused_tokens, evaluated_tokens, generated_tokens;
    double line_prob, whole_prob, wait_ms, prefill_ms, decode_ms, first_token_ms, total_ms;
} LastSuggestion;

// What the last completion did, for r1ls/explain.
typedef struct LastCompletion {
    const char *order; // constant text; NULL: there was none
    size_t n;          // items
    double ms;         // until the answer
} LastCompletion;

// The model's order was asked for, and has not been there yet: ranking.c's.
typedef struct RankingAttempt {
    double asked_ms; // 0: it was there
    ByteRange word;  // up to the cursor, in the text of that revision
    uint64_t revision;
} RankingAttempt;

// What of other files the model is shown with this document, until the cursor is elsewhere.
typedef struct DocumentContext {
    bool valid;
    unsigned long long key; // of where the cursor was
    Arena *arena;           // of the pieces; NULL: none were chosen yet
    ContextPiece *pieces;
    size_t n_pieces;
} DocumentContext;

typedef struct Document {
    // Read-only outside documents.c.
    char *uri, *path;     // path: absolute, "" if the document has no file
    char *name;           // relative to the root where it lies within, else the base name
    const Language *lang; // NULL: none that we parse
    int64_t version;
    uint64_t revision; // counts every change; unlike version it is ours
    TextSnap *text;
    struct Document *next;

    // parsing.c's.
    Syntax *syntax;      // of an older text when parsed_revision < revision; may be NULL
    TextChanges changes; // from syntax's text to text
    uint64_t parsed_revision;
    struct ParseWork *parsing;  // running now, or NULL
    bool parse_is_stale;        // no list of changes leads from what `parsing` reads to text
    struct CheckWork *checking; // running now, or NULL
    uint64_t checked_revision;  // of issues and findings
    Arena *issues_arena;        // of both
    SyntaxIssue *issues;
    size_t n_issues;
    RuleFinding *findings; // of the rules
    size_t n_findings;

    // features/'s.
    DocumentContext context;
    double visited_ms;     // when it was last edited or ghost text asked for; 0: never
    size_t visited_at;     // the place then
    double push_due_ms;    // 0: nothing to publish
    double compile_due_ms; // 0: the compiler is not to be asked
    Arena *compiler_arena; // of compiler_issues; NULL: nothing is known
    struct CompilerIssue *compiler_issues; // of the text of compiled_revision
    size_t n_compiler_issues;
    uint64_t compiled_revision;
    Edits edits; // the last ones, where keeps_edits
    bool keeps_edits;
    size_t changed_at;      // where the last change ends in text; SIZE_MAX: nothing has changed
    double surprise_due_ms; // 0: the model is not to be asked
    Arena *surprises_arena; // of surprises; NULL: nothing is known
    RuleFinding *surprises; // of the current text
    size_t n_surprises;
    struct Digest *digest;           // workspace.c's: of this text or an earlier one, or NULL
    struct SemanticResult *semantic; // semantic_tokens.c's; NULL: none was asked for
    LastSuggestion last_suggestion;
    struct Suggestions *suggestions; // suggestions.c's; NULL: none was made
    struct Ahead *ahead;             // ahead.c's; NULL: none was begun
    struct Job *warming;             // ranking.c's; waits or runs, or NULL
    double ranking_due_ms;           // completions wait for the model until then; 0: none does
    RankingAttempt ranking_attempt;
    LastCompletion last_completion;
} Document;

typedef struct Documents {
    Document *first;
} Documents;

// uri need not be NUL-terminated. NULL if it is not open.
Document *documents_find(const Documents *documents, Str uri);
// The open document of a file path, or NULL.
Document *documents_find_path(const Documents *documents, Str path);
// Opens, replacing one that is open already with the same URI (*replaced is then true and the
// document keeps its address; the caller has stopped its parse). root may be "". NULL with
// ERROR_TOO_LARGE.
Document *documents_open(Documents *documents, Str uri, Str language_id, int64_t version, Str text,
                         const char *root, bool *replaced, Error *err);
// Forgets and frees; the caller has cancelled what runs for it.
void documents_close(Documents *documents, Document *document);
// Applies one element of contentChanges. ERROR_INVALID if it has no text or a bad range.
bool documents_apply(Document *document, Json *change, PositionEncoding encoding, Error *err);
// True when the syntax is that of the current text.
bool documents_is_parsed(const Document *document);
// True when the issues and findings are those of the current text.
bool documents_is_checked(const Document *document);

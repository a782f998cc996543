// "Write this function's body": several candidates on one shared prompt, each verified; the first
// that passes is the result, with its evidence. The one way for editor and CLI.
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "verify/verify.h"
#include "workspace/syntax.h"

// Where a body can be written: a function whose body is empty (syntax_function_at), or a
// prototype/`def` line under the cursor. False: not here (cheap, no model; used to list actions).
typedef struct BodyTarget {
    SyntaxFunction function;
    ByteRange replace; // the body as it is
} BodyTarget;
bool body_find_target(const Syntax *syntax, size_t byte_off, BodyTarget *out);

typedef struct BodyRequest {
    const TextSnap *text;
    const Syntax *syntax;
    Str path, file_path, root;
    size_t byte_off;
    bool trusted;
    int n_candidates; // default 8
    int max_tokens;   // each
    int max_prompt_tokens;
    double budget_ms; // whole run; 0: none
    uint64_t seed;
} BodyRequest;

typedef struct BodyCandidate {
    Str body;
    Verdict verdict;
    Evidence evidence;
    int n_tokens;
    double ms_decode, confidence;
} BodyCandidate;

typedef struct BodyResult {
    bool found; // candidates[chosen] passed
    int chosen;
    BodyCandidate *candidates;
    int n_candidates;
    ByteRange replace;
    Str insert;    // of the chosen
    bool compiled; // the chosen was compiled, not only parsed
    Str summary;   // "candidate 3 of 5: parses, compiles (cc -fsyntax-only)" or why nothing
    int prompt_tokens, reused_tokens;
    double ms_total;
} BodyResult;

// Told after every stage, for progress; text is valid during the call only.
typedef void (*BodyProgress)(void *user, int pct, Str text);

// Runs on the thread that owns the engine; cancel is polled per token and every few ms while a
// compiler runs. false only with ERROR_CANCELLED or when the request itself is wrong.
bool body_run(Engine *engine, Session *session, const BodyRequest *request, EngineCancel cancel,
              BodyProgress progress, void *user, Arena *arena, BodyResult *result, Error *err);

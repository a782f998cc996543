// One completion, from a snapshot and a cursor to a suggestion: the one way for editor and CLI.
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "expectation.h"
#include "prefix_cache.h"
#include "prompt/ending.h"
#include "prompt/fim.h"

// X(name, explanation): why there is nothing to show.
#define WHY_NOTHING(X)                                                                             \
    X(WHY_SHOWN, "shown")                                                                          \
    X(WHY_EMPTY, "the model ended at once")                                                        \
    X(WHY_UNSURE, "the model is unsure (the line's probability is under the gate)")                \
    X(WHY_OVERLAP, "only text that already follows the cursor was generated")                      \
    X(WHY_SYNTAX, "the text would add a syntax error")                                             \
    X(WHY_NO_FIM, "the model has no fill-in-the-middle tokens")                                    \
    X(WHY_IN_WORD, "the cursor is inside a word")                                                  \
    X(WHY_TOO_LARGE, "the document is too large")                                                  \
    X(WHY_MEMBER, "the text would name a member that its type has not")                            \
    X(WHY_HEALING, "no token of the model continues the typed text")

typedef enum WhyNothing {
#define X(name, text) name,
    WHY_NOTHING(X)
#undef X
} WhyNothing;
// A sentence for people and logs; never NULL.
const char *why_nothing_text(WhyNothing why);

// The gate at which at least half of what is shown is right, on held-out code (docs/prompt.md,
// "The gate").
#define COMPLETE_DEFAULT_GATE 0.15

// The prompt length that a model's speed allows within a session of n_ctx tokens.
int complete_default_prompt_tokens(const EngineInfo *info, int n_ctx);

typedef struct CompleteRequest {
    const TextSnap *text;
    const Syntax *syntax; // may be NULL or of an older text (then it is reparsed as needed)
    const Language *lang; // may be NULL
    Str path;             // relative to the project
    size_t byte_off;
    Str selected; // selectedCompletionInfo.text: the suggestion must start with it, else empty
    ByteRange selected_range;
    PrefixCache *prefixes;      // saved prompts to begin with, or NULL; the engine thread's
    Expectation *expectation;   // keeps what the model expects there; or NULL
    const ContextPiece *pieces; // of other files (prompt/context.h); may be NULL
    size_t n_pieces;
    // The answer must begin with this text and then with one of the choices (the model takes the
    // likeliest): what it wrote there before does not exist. No choices: it need not.
    Str begin;
    const Str *choices;
    size_t n_choices;
    bool only_expect;      // write no further than the expectation of the cursor's word needs
    int max_tokens;        // of the answer
    int max_prompt_tokens; // 0: complete_default_prompt_tokens
    bool multi_line;
    double gate;      // show only if line_prob reaches this; 0: off; below 0: COMPLETE_DEFAULT_GATE
    double budget_ms; // stop so long after the first token and use what there is; 0: none
} CompleteRequest;

typedef struct CompleteResult {
    Str insert; // empty: nothing (see why)
    ByteRange replace;
    WhyNothing why;
    int prompt_tokens, piece_tokens, reused_tokens, evaluated_tokens, generated_tokens;
    double confidence;            // mean probability of the first six tokens
    double line_prob, whole_prob; // product of the probabilities of the first line's tokens with
                                  // its end, and of all
    double ms_prompt, ms_prefill, ms_decode, ms_first_token, ms_total;
    Str raw; // what the model wrote before trimming
} CompleteResult;

// The prompt that complete_run gives to the model in a session of n_ctx tokens. Any thread; in the
// arena. Errors are those of fim_render.
bool complete_prompt(const Engine *engine, const CompleteRequest *request, int n_ctx, Arena *arena,
                     FimPrompt *out, Error *err);
// Runs on the thread that owns the engine. Results live in the arena. ERROR_CANCELLED when
// cancel said so; everything else that can go wrong with the text is a WhyNothing.
bool complete_run(Engine *engine, Session *session, const CompleteRequest *request,
                  EngineCancel cancel, Arena *arena, CompleteResult *result, Error *err);

// Surprise: names in a function that the model finds very unlikely where another name in scope is
// likely. What was swapped, or copied and left as it was, looks like this.
//
// The names that are looked at are uses of parameters and local variables; the others that might
// stand there are those in scope, in C of the same declared type. The margin of a place is
//
//   log P(other name, tail | before) - log P(name, tail | before)
//
// in nats, where the tail is the next TAIL_TOKENS tokens: what follows has to fit as well.
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "rules/rules.h"
#include "workspace/syntax.h"

typedef struct SurpriseRequest {
    const Syntax *syntax;
    size_t byte_off; // in the function that is looked at
    double margin;   // the least that is reported, in nats, over 0
} SurpriseRequest;

typedef struct Surprise {
    ByteRange range; // of the name
    Str name;
    Str expected;
    double margin;
} Surprise;

typedef struct SurpriseResult {
    Str function;    // its name; empty: there is none at the place, and nothing was done
    Surprise *items; // in document order
    size_t n;
    int n_names;  // that were looked at
    int n_places; // of them, those that were compared with other names
    int n_tokens; // of the text that the model was given
    double ms;
} SurpriseResult;

// Runs on the thread that owns the engine; the session keeps what it has read, so that a function
// that has changed costs its own tokens. A function over 1,024 tokens is read to there. Results are
// in the arena. ERROR_CANCELLED, or what the engine says.
bool surprise_run(Engine *engine, Session *session, const SurpriseRequest *request,
                  EngineCancel cancel, Arena *arena, SurpriseResult *out, Error *err);

// RULE_SURPRISE as a hint, with the expected name as its fix; in the arena.
RuleFinding surprise_finding(const Surprise *surprise, Arena *arena);

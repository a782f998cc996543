// What the model expects at the place where it was asked last: the logits of the first tokens that
// it wrote there, kept so that names can be ranked by them without another pass.
//
// The tokens that it chose are a path from the place; each step of it has the logits of all tokens.
// A name is followed as far as it goes along the path and one token beyond. What lies farther is
// not known: names that leave the path by the same token share its probability.
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "engine/engine.h"

typedef struct Expectation Expectation;

// `changed` (may be NULL) is told on the engine thread after each new step.
Expectation *expectation_new(void (*changed)(void *user), void *user);
// NULL is allowed.
void expectation_free(Expectation *expectation);
// Nothing is known of any place any more, and its memory is free. Any thread.
void expectation_forget(Expectation *expectation);

// --- engine thread

// A new place: the prompt ends at byte_off of a text. What was known is forgotten.
void expectation_begin(Expectation *expectation, Str path, Str text, size_t byte_off);
// The next step there: its logits [n_vocab], and the id that was chosen with the bytes that it
// stands for. Steps past the last that is kept are ignored.
void expectation_add(Expectation *expectation, const float *logits, int n_vocab, int id, Str bytes);

// --- any thread

typedef enum ExpectationReach {
    EXPECTATION_ELSEWHERE, // nothing is known of this place
    EXPECTATION_BEFORE,    // the path has not come beyond the word yet
    EXPECTATION_THERE,
} ExpectationReach;

// Has the model been asked at this word of the text, which may be empty and ends at the cursor?
ExpectationReach expectation_reach(Expectation *expectation, Str path, Str text, ByteRange word);
// The log-probability of each name in the word's place into scores, as far as it is known; only
// where the reach is THERE, else false. The engine is open. Memory for a moment comes from arena.
bool expectation_rank(Expectation *expectation, const Engine *engine, Str path, Str text,
                      ByteRange word, const Str *names, size_t n, Arena *arena, float *scores);

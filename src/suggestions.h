// The suggestions that were made for a document lately, so that one that is typed through, or
// deleted back to, costs the engine nothing. One thread at a time.
#pragma once

#include "complete.h"

// What is inserted, and what it replaces, in the document's current text.
typedef struct Suggestion {
    Str insert;
    ByteRange replace;
    bool ahead; // it was worked out before anybody asked
} Suggestion;

// A document's.
typedef struct Suggestions Suggestions;
Suggestions *suggestions_new(void);
// NULL is allowed.
void suggestions_free(Suggestions *suggestions);

// Keeps what was found, if anything. The text is retained.
void suggestions_add(Suggestions *suggestions, const CompleteRequest *request,
                     const CompleteResult *result);
// Keeps what was worked out for a text that may come, also if it is nothing: it was worked out for
// this question.
void suggestions_add_ahead(Suggestions *suggestions, const CompleteRequest *request,
                           const CompleteResult *result);
// Forgets what was found there: it turned out to be wrong.
void suggestions_remove(Suggestions *suggestions, const TextSnap *text, size_t byte_off);
// What is known to follow at request->byte_off (and after the pop-up's choice, request->selected),
// if the same was asked before or what was typed since is its beginning. An empty suggestion: it is
// known that nothing follows. The strings lie in arena.
bool suggestions_find(const Suggestions *suggestions, const CompleteRequest *request, Arena *arena,
                      Suggestion *out);

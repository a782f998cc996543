// What the features about the name under the cursor share.
#pragma once

#include "features/features.h"
#include "workspace.h"
#include "workspace/target.h"

// Waits until the document of params is parsed, then asks `run` on a worker about the place of
// params.position. params may be NULL. Answers null at once if the document is not open or the
// feature is not enabled.
bool names_ask(Call *call, bool enabled, const Str params[QUESTION_PARAMS],
               void (*run)(Question *question), void (*done)(Request *request, Question *question),
               Error *err);
// Fields, methods, properties: what stands after `.`.
bool names_is_member_kind(SymbolKind kind);
// The target is local, or private to the asked document: no other file can mean it.
bool names_is_of_this_file(const Question *question, const Target *target, const IndexHit *hits,
                           size_t n);
// Definitions and declarations that the target may mean, the best first. On a worker.
// Backwards over balanced brackets to the one that is open at `at`: *name is the word before it. By
// bytes, because a call that is being typed is an error to the grammar. signature.c.
bool signature_find_call(Str text, size_t at, Str *name, size_t *n_commas);
// As names_find_visible, but where the receiver or the import before the name says which one is
// meant, that one alone.
size_t names_find_meant(const Question *question, const Target *target, IndexHit **out);
size_t names_find_visible(const Question *question, const Target *target, IndexHit **out);

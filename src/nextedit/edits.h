// Edits: what was changed in a document lately. Keys that follow each other at one place are one
// edit. One thread at a time.
#pragma once

#include "base/text.h"

// text[start, old_end) of `before` is [start, new_end) of the text after it.
typedef struct Edit {
    TextSnap *before;
    size_t start, old_end, new_end;
    double at_ms; // of its last key
} Edit;

// A rename of many places is as many edits, and the first of them says what it is about.
enum { EDITS_MAX = 32 };

typedef struct Edits {
    Edit items[EDITS_MAX]; // the newest last
    size_t n;
} Edits;

// A change of `before`, which is retained if an edit begins with it. Goes on with the newest edit
// where both touch.
void edits_note(Edits *edits, const TextSnap *before, size_t start, size_t old_end, size_t new_end);
void edits_clear(Edits *edits);
// The text after edit number i, where now is the document's: borrowed.
const TextSnap *edits_after(const Edits *edits, size_t i, const TextSnap *now);
// With references of its own.
Edits edits_copy(const Edits *edits);

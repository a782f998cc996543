// The next edit: where what was changed last asks for another change, and which.
//
//   rename     the name where something is declared was written anew: its other places
//   signature  a function's parameters are one more or one less: its calls and its prototypes
//   repeat     the same was changed twice: where it stands still
//
// A rename follows from the tree and needs no model. Of a repeated change the model says at each
// place whether the new text is likelier there than the old one, and for a new parameter it writes
// the argument. Whatever is offered adds no syntax error. Pure functions over snapshots for
// workers; who asks runs the model between them.
#pragma once

#include "base/arena.h"
#include "complete.h"
#include "nextedit/edits.h"
#include "workspace/syntax.h"

typedef enum NextEditHow {
    NEXT_EDIT_CERTAIN, // text is what to put there
    NEXT_EDIT_LIKELY,  // if the model finds it likelier than what stands there
    NEXT_EDIT_WRITTEN, // the model writes what is inserted between `before` and `after`
} NextEditHow;

typedef struct NextEdit {
    ByteRange range;
    NextEditHow how;
    Str text;          // in place of range; of WRITTEN empty
    Str before, after; // of WRITTEN
} NextEdit;

typedef struct NextEditRequest {
    const Edits *edits;     // of the document where the last edit was
    const TextSnap *edited; // that document's text now
    const Language *lang;   // and its language
    const Syntax *syntax;   // of the document that is asked about
    bool same;              // it is that document
    size_t byte_off;        // the cursor: what follows it comes first
} NextEditRequest;

enum { NEXT_EDIT_MAX = 16 };

// The places, the next one first, at most NEXT_EDIT_MAX, in the arena.
size_t next_edit_find(const NextEditRequest *request, Arena *arena, NextEdit **out);
// What the model is to be asked of a place that is not certain: text is a snapshot of its own,
// which the caller releases; max_tokens and max_prompt_tokens are the caller's.
bool next_edit_ask(const Syntax *syntax, const NextEdit *edit, Arena *arena, CompleteRequest *out,
                   Error *err);
// The model's answer to it: completes edit->text (in the arena). False: no edit there.
bool next_edit_take(const Syntax *syntax, NextEdit *edit, const CompleteResult *result,
                    Arena *arena);
// Would the tree have more errors with it?
bool next_edit_adds_error(const Syntax *syntax, const NextEdit *edit);

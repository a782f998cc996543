// A function's parameters became one more or one less: what its calls and prototypes need.
#pragma once

#include "nextedit/next_edit.h"

// An edit without what is the same on both sides; texts are slices of the two snapshots.
typedef struct Change {
    Str before, after; // whole texts
    size_t start, old_end, new_end;
    Str old_text, new_text;
    bool empty;
} Change;
// Edit number i of edits; now: the document's text.
Change next_edit_change(const Edits *edits, size_t i, const TextSnap *now);

typedef struct SignatureChange {
    Str name;
    Str parameter; // that came, and the same without its name, as prototypes may have it
    Str unnamed;
    uint32_t n_before; // parameters
    uint32_t at;       // the one that came or went
    bool added;
    bool is_method; // the first is the object, which a call does not write in its list
} SignatureChange;

// False: the change is not one of this kind. Strings lie in the arena.
bool signature_find(const Syntax *before, const Syntax *after, const Change *change, Arena *arena,
                    SignatureChange *out);
// Edits at calls with as many arguments as there were parameters, and at declarations with the old
// parameters; in document order, in the arena.
size_t signature_places(const Syntax *syntax, const SignatureChange *change, Arena *arena,
                        NextEdit **out);

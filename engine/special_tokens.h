// Special tokens: which ids play which role, which end a generation, and where they occur in a
// text.
//
// Roles come from the metadata, else from well-known texts; a token that is found by such a text is
// made a control token, since files often type it as a normal one. The Vocab is borrowed.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "gguf.h"
#include "tokenizer.h"
#include "vocab.h"

// Fills *out and ends[n_tokens] (true: the token ends a generation), and corrects vocab->kinds.
// add_bos of *out holds the default and is replaced where the metadata says otherwise.
bool special_tokens_read(const Gguf *gguf, Vocab *vocab, SpecialTokens *out, bool *ends,
                         Error *err);

// True for the kinds that untrusted text must never become and that are never chosen; a thought's
// marks (TOKEN_KIND_MARK) are chosen and only share the first.
bool special_is_control(const Vocab *vocab, int id);

// An index over the texts of some tokens, for longest matches.
typedef struct SpecialIndex {
    int *ids; // sorted by text
    size_t n;
    bool first[256]; // bytes that some text starts with
} SpecialIndex;

// Which tokens stand for themselves in a text.
typedef enum SpecialKinds {
    SPECIAL_USER = 1,
    SPECIAL_CONTROL = 2, // and marks
} SpecialKinds;

// kinds: of SpecialKinds, or'ed.
bool special_index_init(SpecialIndex *index, const Vocab *vocab, int kinds, Error *err);
void special_index_deinit(SpecialIndex *index);
// The leftmost and there the longest token in text at or after from. Returns its id and sets
// *byte_off, or -1 with *byte_off at the text's end.
int special_index_search(const SpecialIndex *index, const Vocab *vocab, Str text, size_t from,
                         size_t *byte_off);

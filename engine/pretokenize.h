// Pre-tokenizers: the cut of a text into the pieces inside which bytes may be merged.
//
// A model's file names the regular expressions that its vocabulary was trained with; here they are
// hand-written scanners, linear in the text. Several expressions are applied in sequence: every
// piece of one is cut into the next one's matches and the gaps between them.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { PRETOKENIZE_MAX_PASSES = 6 };

// The end of the expression's match at byte_off in text, or byte_off where it does not match.
typedef size_t (*PreMatcher)(Str text, size_t byte_off);

typedef struct PreTokenizer {
    const char *name;   // a value of tokenizer.ggml.pre
    bool ignore_merges; // a piece that is a token stays whole, whatever its merges say
    bool adds_bos;      // where tokenizer.ggml.add_bos_token is absent
    int n_passes;
    PreMatcher passes[PRETOKENIZE_MAX_PASSES];
} PreTokenizer;

// NULL if the name is unknown; static storage.
const PreTokenizer *pretokenize_find(Str name);
// The known names for an error message, separated by commas.
const char *pretokenize_names(void);

// A walk over the pieces of a text (borrowed).
typedef struct PreWalk {
    const PreTokenizer *pre;
    Str text;
    size_t at;
    size_t ends[PRETOKENIZE_MAX_PASSES]; // of the current piece of each pass
} PreWalk;

PreWalk pretokenize_start(const PreTokenizer *pre, Str text);
// The next piece, never empty; false at the end. Together the pieces are the text.
bool pretokenize_next(PreWalk *walk, Str *piece);

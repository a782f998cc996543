// The fill-in-the-middle prompt: which bytes of a document a model sees, and in what order.
//
// Pure functions over a snapshot. Stability is the point: the windows start and end at places that
// do not move while the user types, so that a typed character appends a token or two to what the
// session holds already (docs/architecture.md, "What a keystroke costs").
//
//   suffix first:  SEP path \n PRE SUF suffix MID prefix……typed|
//   line last:     SEP path \n SUF suffix PRE prefix MID typed|      (cut at the line's start)
//   prefix first:  PRE prefix SUF suffix MID typed|                  (cut before the line break)
//
// The path stands there in prefix-first order only where pieces of other files stand before it:
// these models learnt holes of single files without one, and are better without (docs/prompt.md).
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "engine/engine.h"
#include "prompt/context.h"

typedef struct FimPrompt {
    int *ids; // in the arena
    int n_ids;
    Str forced; // bytes taken back from the prompt's end; the answer must start with them
    Str prefix; // document text before the cursor that the model sees (slice of the snapshot)
    Str suffix; // likewise after the cursor; after its line where only closing brackets are left
    int n_prefix_tokens, n_suffix_tokens, n_piece_tokens;
} FimPrompt;

typedef struct FimOptions {
    int max_tokens;        // of the document, with what stands around it
    int suffix_share_pct;  // of max_tokens that the suffix may take at most
    int max_pieces_tokens; // of pieces of other files, which come on top of max_tokens
    // Parts of other files, which come first in the prompt where the model knows file separators.
    // The last is the nearest: where there is no room, the first are left out.
    const ContextPiece *pieces;
    size_t n_pieces;
} FimOptions;

// Renders the prompt for the cursor at byte_off of text. path is relative to the project, with
// forward slashes. info tells FIM order and ids. ERROR_UNSUPPORTED if the model has no FIM tokens.
// Token healing: the word before the cursor, or the last token, is taken back into `forced`.
bool fim_render(const Engine *engine, const TextSnap *text, size_t byte_off, Str path,
                FimOptions limits, Arena *arena, FimPrompt *out, Error *err);

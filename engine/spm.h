// SentencePiece's BPE ("llama" in a model's file): characters of a whole text are merged by the
// scores of what they make, without a pre-tokenizer.
//
// A space is written U+2581 in the vocabulary's texts. Owns the ranks; the Vocab must outlive it.
// Immutable after spm_init: any thread, each with its own SpmScratch.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "gguf.h"
#include "merge_queue.h"
#include "vocab.h"

typedef struct Spm {
    uint32_t *ranks;   // [n_tokens] by score, the highest is 0; UINT32_MAX: no merge makes it
    int byte_ids[256]; // the tokens <0x00> to <0xFF>, -1 where absent
    bool adds_space;   // a text is tokenized as if a space stood before it
} Spm;

// A part of the text: a character, or what two neighbours have been merged to.
typedef struct SpmNode {
    int32_t start, len, left, right; // bytes of the text; nodes, -1: a character
} SpmNode;

// A node that is not part of another one, in a doubly linked list.
typedef struct SpmSymbol {
    int32_t node, prev, next; // node -1: absorbed by its left neighbour
} SpmSymbol;

typedef struct SpmScratch {
    VEC(SpmNode) nodes;
    VEC(SpmSymbol) symbols;
    VEC(int32_t) stack;
    MergeQueue queue;
} SpmScratch;

// Reads tokenizer.ggml.scores and .add_space_prefix; the vocabulary's kinds must be final.
bool spm_init(Spm *spm, const Gguf *gguf, const Vocab *vocab, Error *err);
void spm_deinit(Spm *spm);
// text with U+2581 for spaces, or spaces for U+2581, appended to out.
void spm_escape(Str text, StrBuf *out);
void spm_unescape(Str text, StrBuf *out);
// Merges the pair with the highest score until there is none, leftmost first among equals, in
// O(n log n); what the vocabulary lacks becomes byte tokens. The text is an escaped one, of at most
// SPM_MAX_TEXT bytes.
void spm_encode(const Spm *spm, const Vocab *vocab, SpmScratch *scratch, Str text, IdSink *sink);
void spmscratch_deinit(SpmScratch *scratch);

// Twice as many nodes have an index.
#define SPM_MAX_TEXT ((size_t)INT32_MAX / 2)

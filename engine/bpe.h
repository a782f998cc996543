// Byte-pair merges: the bytes of one piece to token ids.
//
// Owns the merge table; the Vocab must outlive it. Immutable after bpe_init: any thread, each with
// its own BpeScratch.
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

// Two neighbouring tokens and the one that replaces them; the index in the table is the rank.
typedef struct Merge {
    int left, right, joined;
} Merge;

typedef struct Bpe {
    int byte_ids[256]; // the token of each single byte, -1 if there is none
    Merge *merges;
    int n_merges;
    uint32_t *slots; // open addressing by (left, right): rank + 1; 0 empty
    size_t n_slots;  // a power of two
} Bpe;

// A token of the piece while it is merged, in a doubly linked list.
typedef struct BpeSymbol {
    int id; // -1: absorbed by its left neighbour, or a byte without a token
    int32_t prev, next;
} BpeSymbol;

typedef struct BpeScratch {
    VEC(BpeSymbol) symbols;
    MergeQueue queue;
} BpeScratch;

// Reads tokenizer.ggml.merges; every merge must join two known tokens to a known one.
bool bpe_init(Bpe *bpe, const Gguf *gguf, const Vocab *vocab, Error *err);
void bpe_deinit(Bpe *bpe);
// Applies the merges in the order of their ranks, leftmost first, in O(n log n). Bytes without a
// token are dropped: an unknown-token would be a control token. piece.len: 1 to BPE_MAX_PIECE.
void bpe_encode(const Bpe *bpe, BpeScratch *scratch, Str piece, IdSink *sink);
void bpescratch_deinit(BpeScratch *scratch);

#define BPE_MAX_PIECE ((size_t)INT32_MAX)

// Byte pair encoding of one piece: the merge table and the merge loop (Sennrich et al. 2016).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef struct BpeMerge {
    int left, right, rank, whole; // left -1: an empty slot
} BpeMerge;

typedef struct Bpe {
    BpeMerge *slots;
    size_t n_slots; // a power of two
    int byte_ids[256];
} Bpe;

// Memory of one encoding, grown as needed and reused from piece to piece.
typedef struct BpeWork {
    struct BpeSymbol *symbols;
    struct BpePair *heap;
    size_t cap, n_heap;
} BpeWork;

// Ids go to ids[0..cap); n counts them all.
typedef struct BpeOut {
    int *ids;
    size_t cap, n;
} BpeOut;

void bpe_init(Bpe *bpe, size_t n_merges);
void bpe_deinit(Bpe *bpe);
// The first of equal pairs counts.
void bpe_add(Bpe *bpe, int left, int right, int rank, int whole);
void bpe_emit(BpeOut *out, int id);
// Merges the pair of lowest rank, leftmost first, until none is left: O(n log n).
void bpe_encode(const Bpe *bpe, BpeWork *work, Str piece, BpeOut *out);
void bpe_work_deinit(BpeWork *work);

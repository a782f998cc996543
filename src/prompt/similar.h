// Which lines of a text are most like some other lines: by the words that both have.
//
// Similarity is Jaccard's: words in both through words in either. What resembles the lines around
// the cursor often goes on as they will.
#pragma once

#include "base/arena.h"
#include "base/text.h"

// The distinct words of some lines; in the arena.
typedef struct SimilarWords {
    unsigned long long *hashes; // sorted
    size_t n;
} SimilarWords;

typedef struct SimilarLines {
    double score;    // 0 .. 1
    ByteRange range; // whole lines, with those that follow the similar ones
} SimilarLines;

// At most a few hundred words are taken, from the end.
SimilarWords similar_words(Str text, Arena *arena);
// The most similar lines outside of `except` that score more than *best does, which they replace.
// False if there are none. Reads at most SIMILAR_MAX_BYTES of the text.
enum { SIMILAR_MAX_BYTES = 1 << 18 };
bool similar_find(const SimilarWords *words, const TextSnap *text, ByteRange except,
                  SimilarLines *best);

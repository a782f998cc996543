// Which lines of other texts stand in a place like the cursor's: what is missing there may stand
// here.
//
// A place, a line of a text, is like the cursor's line as far as the lines before it have the words
// of the lines before the cursor's, and the lines after it those of the lines after. A word counts
// the more the fewer lines of all the texts have it, and the nearer it stands in both places.
#pragma once

#include "base/arena.h"
#include "base/text.h"

typedef struct SimilarQuery SimilarQuery;
typedef struct SimilarText SimilarText;

typedef struct SimilarLines {
    double score;    // 0 .. 1
    ByteRange range; // whole lines around the place
} SimilarLines;

// Of the text before the cursor's line and the text after it; in the arena. Looks at some lines of
// both, and at a few hundred words.
SimilarQuery *similar_query(Str before, Str after, Arena *arena);
// Finds the query's words in a text, which stays the caller's; in the arena. All texts are read
// before one is searched, because how rare a word is depends on all. Reads at most
// SIMILAR_MAX_BYTES.
enum { SIMILAR_MAX_BYTES = 1 << 18 };
SimilarText *similar_read(SimilarQuery *query, const TextSnap *text, Arena *arena);
// The lines around the most similar place of a text, if they are outside of `except` and score more
// than *best does, which they replace. False if there are none.
bool similar_find(const SimilarQuery *query, const SimilarText *text, ByteRange except,
                  SimilarLines *best);

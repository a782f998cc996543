// Windows of a few lines go over the text in steps; for each, the words that the query has too are
// counted in a table whose marks say in which window a word was seen last.
#include "prompt/similar.h"

#include <stdlib.h>

#include "base/mem.h"

enum { WINDOW_LINES = 12, STEP_LINES = 4, FOLLOWING_LINES = 8, MAX_WORDS = 256 };
enum { TABLE_BITS = 12, TABLE_SLOTS = 1 << TABLE_BITS, MAX_WINDOW_WORDS = TABLE_SLOTS / 2 };

static int by_value(const void *a, const void *b)
{
    unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;
    return (x > y) - (x < y);
}

// The next word from *at on; false at the end.
static bool next_word(Str text, size_t *at, Str *word)
{
    size_t start = *at, end;
    while (start < text.len && !str_is_word_byte(text.ptr[start]))
        start++;
    for (end = start; end < text.len && str_is_word_byte(text.ptr[end]);)
        end++;
    *at = end;
    *word = str_slice(text, start, end);
    return end > start;
}

SimilarWords similar_words(Str text, Arena *arena)
{
    SimilarWords words = {arena_array(arena, text.len / 2 + 1, sizeof *words.hashes), 0};
    Str word;
    size_t n = 0;
    for (size_t at = 0; next_word(text, &at, &word);)
        words.hashes[n++] = str_hash(word, 0);
    if (n > MAX_WORDS) words.hashes += n - MAX_WORDS;
    if (n > MAX_WORDS) n = MAX_WORDS;
    qsort(words.hashes, n, sizeof *words.hashes, by_value);
    for (size_t i = 0; i < n; i++)
        if (words.n == 0 || words.hashes[words.n - 1] != words.hashes[i])
            words.hashes[words.n++] = words.hashes[i];
    return words;
}

typedef struct Slot {
    unsigned long long hash;
    uint32_t window; // in which it was seen last; 0: free
} Slot;

// How like the words of the lines are to the query's. `window` is a number of its own, from 1.
static double jaccard(const SimilarWords *words, Str lines, Slot *table, uint32_t window)
{
    size_t n_all = 0, n_both = 0;
    Str word;
    for (size_t at = 0; n_all < MAX_WINDOW_WORDS && next_word(lines, &at, &word);) {
        unsigned long long hash = str_hash(word, 0);
        size_t i = (size_t)(hash >> (64 - TABLE_BITS));
        while (table[i].window == window && table[i].hash != hash)
            i = (i + 1) % TABLE_SLOTS;
        if (table[i].window == window) continue;
        table[i] = (Slot){hash, window};
        n_all++;
        n_both += bsearch(&hash, words->hashes, words->n, sizeof hash, by_value) != NULL;
    }
    size_t n_either = n_all + words->n - n_both;
    return n_either ? (double)n_both / (double)n_either : 0;
}

bool similar_find(const SimilarWords *words, const TextSnap *text, ByteRange except,
                  SimilarLines *best)
{
    uint32_t n_lines = text_n_lines(text);
    bool found = false;
    if (words->n == 0) return false;
    Slot *table = mem_zero(TABLE_SLOTS * sizeof *table);
    for (uint32_t row = 0, window = 1; row < n_lines; row += STEP_LINES, window++) {
        size_t start = text_line_start(text, row), end = text_line_start(text, row + WINDOW_LINES);
        ByteRange shown = {start, text_line_start(text, row + WINDOW_LINES + FOLLOWING_LINES)};
        if (end > SIMILAR_MAX_BYTES) break;
        if (shown.start < except.end && shown.end > except.start) continue;
        double score = jaccard(words, str_slice(text_str(text), start, end), table, window);
        if (score <= best->score) continue;
        *best = (SimilarLines){score, shown};
        found = true;
    }
    free(table);
    return found;
}

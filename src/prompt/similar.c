// A text is read once: what remains of it is where the query's words stand. To find the places, the
// words are gone through in the order of the text; each adds its share to the lines near it, up to
// the next line that has the same word and is nearer.
#include "prompt/similar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

enum { BEFORE_LINES = 8, AFTER_LINES = 4, LINES_ABOVE = 3, LINES_BELOW = 4 };
enum { MAX_WORDS = 256, TABLE_SLOTS = 4 * MAX_WORDS };
// What a word's share is multiplied by for each line that it stands farther away.
#define FADING 0.85

typedef struct Word {
    unsigned long long hash;
    double before, after; // how near it stands to the cursor there, 0 .. 1
    uint32_t n_lines;     // of all texts that have it
} Word;

struct SimilarQuery {
    Word words[MAX_WORDS];
    uint32_t n_words;
    uint16_t slots[TABLE_SLOTS]; // numbers of words, from 1; 0: free
    uint32_t n_lines;            // of all texts
};

typedef struct Found {
    uint32_t row, word;
} Found;

struct SimilarText {
    const TextSnap *text;
    Found *found; // by rows, each word of a row once
    size_t n_found;
    uint32_t n_rows;
};

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

// --- the query

// The slot of a word, or the free one where it belongs.
static uint16_t *find_slot(SimilarQuery *query, unsigned long long hash)
{
    size_t i = (size_t)(hash % TABLE_SLOTS);
    while (query->slots[i] && query->words[query->slots[i] - 1].hash != hash)
        i = (i + 1) % TABLE_SLOTS;
    return &query->slots[i];
}

static Word *find_or_add(SimilarQuery *query, unsigned long long hash)
{
    uint16_t *slot = find_slot(query, hash);
    if (*slot == 0) {
        if (query->n_words == MAX_WORDS) return NULL;
        query->words[query->n_words++] = (Word){.hash = hash};
        *slot = (uint16_t)query->n_words;
    }
    return &query->words[*slot - 1];
}

static void add_line(SimilarQuery *query, Str line, double near, bool is_before)
{
    Str text;
    for (size_t at = 0; next_word(line, &at, &text);) {
        Word *word = find_or_add(query, str_hash(text, 0));
        if (!word) return;
        double *side = is_before ? &word->before : &word->after;
        if (near > *side) *side = near;
    }
}

SimilarQuery *similar_query(Str before, Str after, Arena *arena)
{
    SimilarQuery *query = arena_alloc(arena, sizeof *query);
    *query = (SimilarQuery){0};
    double near = 1;
    size_t end = before.len;
    for (int i = 0; i < BEFORE_LINES && end > 0; i++, near *= FADING) {
        size_t start = --end; // the line break
        while (start > 0 && before.ptr[start - 1] != '\n')
            start--;
        add_line(query, str_slice(before, start, end), near, true);
        end = start;
    }
    near = 1;
    for (size_t i = 0, start = 0; i < AFTER_LINES && start < after.len; i++, near *= FADING) {
        size_t stop = str_find(after, STR("\n"), start);
        add_line(query, str_slice(after, start, stop), near, false);
        start = stop + 1;
    }
    return query;
}

// --- texts

SimilarText *similar_read(SimilarQuery *query, const TextSnap *text, Arena *arena)
{
    VEC(Found) found = {0};
    uint32_t seen[MAX_WORDS] = {0}; // the row in which each was seen last, from 1
    Str all = text_str(text), word;
    if (all.len > SIMILAR_MAX_BYTES) all.len = SIMILAR_MAX_BYTES;
    uint32_t row = 0;
    for (size_t at = 0; next_word(all, &at, &word);) {
        uint16_t number = *find_slot(query, str_hash(word, 0));
        if (number == 0) continue;
        row = text_point(text, (size_t)(word.ptr - all.ptr)).row;
        if (seen[number - 1] == row + 1) continue;
        seen[number - 1] = row + 1;
        query->words[number - 1].n_lines++;
        VEC_PUSH(&found, (Found){row, number - 1u});
    }
    SimilarText *read = arena_alloc(arena, sizeof *read);
    *read = (SimilarText){.text = text,
                          .found = arena_array(arena, found.n + 1, sizeof *read->found),
                          .n_found = found.n,
                          .n_rows = text_point(text, all.len).row + 1};
    if (found.n) memcpy(read->found, found.items, found.n * sizeof *read->found);
    VEC_FREE(&found);
    query->n_lines += read->n_rows;
    return read;
}

static double rarity(const SimilarQuery *query, uint32_t word)
{
    return log(1 + (double)query->n_lines / (1 + (double)query->words[word].n_lines));
}

// To n lines that begin beside the word and lead away from it.
static void add_share(double *scores, int step, uint32_t n, double rare, double wanted)
{
    double near = 1;
    for (uint32_t i = 0; i < n; i++, near *= FADING, scores += step)
        *scores += rare * (near < wanted ? near : wanted);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void score_rows(const SimilarQuery *query, const SimilarText *text, double *scores)
{
    uint32_t next[MAX_WORDS] = {0}; // the first row after each word's last one; 0: not yet seen
    double rare[MAX_WORDS];
    for (uint32_t i = 0; i < query->n_words; i++)
        rare[i] = rarity(query, i);
    for (size_t i = 0; i < text->n_found; i++) {
        Found at = text->found[i];
        const Word *word = &query->words[at.word];
        uint32_t from = next[at.word];
        if (from)
            add_share(scores + from, 1, smaller(at.row + 1 - from, BEFORE_LINES), rare[at.word],
                      word->before);
        uint32_t n = smaller(at.row + (from > 0) - from, AFTER_LINES);
        if (n) add_share(scores + at.row - 1, -1, n, rare[at.word], word->after);
        next[at.word] = at.row + 1;
    }
    for (uint32_t i = 0; i < query->n_words; i++)
        if (next[i])
            add_share(scores + next[i], 1, smaller(text->n_rows - next[i], BEFORE_LINES), rare[i],
                      query->words[i].before);
}

bool similar_find(const SimilarQuery *query, const SimilarText *text, ByteRange except,
                  SimilarLines *best)
{
    double all = 0;
    bool found = false;
    for (uint32_t i = 0; i < query->n_words; i++)
        all += rarity(query, i) * (query->words[i].before + query->words[i].after);
    if (all <= 0) return false;
    double *scores = mem_zero(((size_t)text->n_rows + 1) * sizeof *scores);
    score_rows(query, text, scores);
    for (uint32_t row = 0; row < text->n_rows; row++) {
        if (scores[row] <= best->score * all) continue;
        ByteRange lines = {text_line_start(text->text, row > LINES_ABOVE ? row - LINES_ABOVE : 0),
                           text_line_start(text->text, row + 1 + LINES_BELOW)};
        if (lines.start < except.end && lines.end > except.start) continue;
        *best = (SimilarLines){scores[row] / all, lines};
        found = true;
    }
    free(scores);
    return found;
}

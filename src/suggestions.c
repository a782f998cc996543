// An entry is a text, a cursor in it and what was suggested there. It holds for every text that has
// a beginning of the suggestion typed at that cursor, closers of the editor behind it or not.
#include "suggestions.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "prompt/ending.h"
#include "prompt/fit.h"

enum { N_ENTRIES = 6, MAX_CLOSERS = 4 };

typedef struct Entry {
    TextSnap *text; // owned; NULL: no entry
    size_t byte_off;
    char *insert; // owned
    size_t n_insert;
    ByteRange replace; // begins at byte_off
    bool ahead;
    // Of the request: with other settings there may be another answer.
    int max_tokens;
    bool multi_line;
    double gate;
} Entry;

struct Suggestions {
    Entry entries[N_ENTRIES]; // newest first
};

Suggestions *suggestions_new(void)
{
    return mem_zero(sizeof(Suggestions));
}

static void free_entry(Entry *entry)
{
    text_release(entry->text);
    free(entry->insert);
    *entry = (Entry){0};
}

void suggestions_free(Suggestions *suggestions)
{
    if (!suggestions) return;
    for (int i = 0; i < N_ENTRIES; i++)
        free_entry(&suggestions->entries[i]);
    free(suggestions);
}

// --- keeping

// The beginning of the insertion that stands before the cursor already: a pop-up's choice replaces
// what was typed of it. SIZE_MAX: something else stands there.
static size_t n_before_cursor(const CompleteRequest *request, const CompleteResult *result)
{
    size_t at = request->byte_off;
    Str typed = str_slice(text_str(request->text), result->replace.start, at);
    bool fits = result->replace.start <= at && result->replace.end >= at &&
                str_starts(result->insert, typed);
    return fits ? typed.len : SIZE_MAX;
}

static void remove_at(Suggestions *suggestions, int i)
{
    free_entry(&suggestions->entries[i]);
    memmove(&suggestions->entries[i], &suggestions->entries[i + 1],
            (size_t)(N_ENTRIES - 1 - i) * sizeof(Entry));
    suggestions->entries[N_ENTRIES - 1] = (Entry){0};
}

void suggestions_remove(Suggestions *suggestions, const TextSnap *text, size_t byte_off)
{
    Entry *entries = suggestions->entries;
    for (int i = 0; i < N_ENTRIES && entries[i].text;) {
        bool same =
            entries[i].byte_off == byte_off && str_equal(text_str(entries[i].text), text_str(text));
        if (same)
            remove_at(suggestions, i);
        else
            i++;
    }
}

static void add(Suggestions *suggestions, const CompleteRequest *request,
                const CompleteResult *result, bool ahead)
{
    Str insert = result->insert;
    size_t n_typed = n_before_cursor(request, result);
    if (n_typed == SIZE_MAX || (insert.len == 0 && !ahead)) return;
    suggestions_remove(suggestions, request->text, request->byte_off);
    Entry *entries = suggestions->entries;
    free_entry(&entries[N_ENTRIES - 1]);
    memmove(&entries[1], &entries[0], (N_ENTRIES - 1) * sizeof *entries);
    Str rest = str_slice(insert, n_typed, insert.len);
    entries[0] = (Entry){.text = text_retain(request->text),
                         .byte_off = request->byte_off,
                         .insert = mem_alloc(rest.len + 1),
                         .n_insert = rest.len,
                         .replace = {request->byte_off, result->replace.end},
                         .ahead = ahead,
                         .max_tokens = request->max_tokens,
                         .multi_line = request->multi_line,
                         .gate = request->gate};
    if (rest.len) memcpy(entries[0].insert, rest.ptr, rest.len);
}

void suggestions_add(Suggestions *suggestions, const CompleteRequest *request,
                     const CompleteResult *result)
{
    add(suggestions, request, result, false);
}

void suggestions_add_ahead(Suggestions *suggestions, const CompleteRequest *request,
                           const CompleteResult *result)
{
    add(suggestions, request, result, true);
}

// --- finding

// The bytes typed at the entry's cursor, if `now`, with its cursor at `at`, is the entry's text
// with them, and with *n_closers bytes that an editor has put behind them.
static bool find_typed(const Entry *entry, Str now, size_t at, Str *typed, size_t *n_closers)
{
    Str before = text_str(entry->text);
    if (at < entry->byte_off || now.len < before.len) return false;
    *typed = str_slice(now, entry->byte_off, at);
    size_t grown = now.len - before.len;
    if (grown < typed->len || grown > typed->len + MAX_CLOSERS) return false;
    *n_closers = grown - typed->len;
    size_t behind = at + *n_closers;
    return fit_only_closers(str_slice(now, at, behind)) &&
           str_equal(str_slice(before, 0, entry->byte_off), str_slice(now, 0, entry->byte_off)) &&
           str_equal(str_slice(before, entry->byte_off, before.len),
                     str_slice(now, behind, now.len));
}

static bool apply_entry(const Entry *entry, const TextSnap *now, const CompleteRequest *request,
                        size_t at, Arena *arena, Suggestion *out)
{
    Str typed, insert = {entry->insert, entry->n_insert};
    size_t n_closers;
    bool same = entry->max_tokens == request->max_tokens &&
                entry->multi_line == request->multi_line && !(entry->gate < request->gate) &&
                !(entry->gate > request->gate);
    if (!same || !find_typed(entry, text_str(now), at, &typed, &n_closers)) return false;
    if (!str_starts(insert, typed) || (typed.len == insert.len && typed.len > 0)) return false;
    Str rest = str_slice(insert, typed.len, insert.len);
    bool ahead = entry->ahead && typed.len == 0;
    *out = (Suggestion){arena_str(arena, rest), {at, entry->replace.end + typed.len}, ahead};
    if (n_closers == 0) return true;
    if (rest.len == 0) return false;
    EndingContext context = {.text = now,
                             .lang = request->lang,
                             .byte_off = at,
                             .multi_line = str_find(rest, STR("\n"), 0) < rest.len};
    Ending ending = ending_trim(&context, rest, arena);
    *out = (Suggestion){ending.insert, ending.replace, ahead};
    return ending.insert.len > 0;
}

static bool find_at(const Suggestions *suggestions, const TextSnap *now,
                    const CompleteRequest *request, size_t at, Arena *arena, Suggestion *out)
{
    for (int i = 0; i < N_ENTRIES && suggestions->entries[i].text; i++)
        if (apply_entry(&suggestions->entries[i], now, request, at, arena, out)) return true;
    return false;
}

bool suggestions_find(const Suggestions *suggestions, const CompleteRequest *request, Arena *arena,
                      Suggestion *out)
{
    Error err = {0};
    ByteRange range = request->selected_range;
    Str selected = request->selected;
    if (selected.len == 0)
        return find_at(suggestions, request->text, request, request->byte_off, arena, out);
    TextSnap *chosen = text_edit(request->text, range, selected, NULL, &err);
    if (!chosen) return false;
    size_t at = range.start + selected.len;
    bool found = find_at(suggestions, chosen, request, at, arena, out);
    text_release(chosen);
    if (!found || out->insert.len == 0) return false;
    size_t n_replaced = out->replace.end - at;
    out->insert = arena_printf(arena, "%.*s%.*s", STR_FMT(selected), STR_FMT(out->insert));
    out->replace = (ByteRange){range.start, range.end + n_replaced};
    return true;
}

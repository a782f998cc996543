// A map from path to a file's symbols. Completion scans all names: 100,000 comparisons of a first
// byte take well under a millisecond, and there is no sorted structure to keep while files change.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "index/symbols.h"

typedef struct FileEntry {
    Str path;
    Symbol *symbols;
    size_t n;
    Arena *arena; // of path and symbols
} FileEntry;

struct SymbolIndex {
    VEC(FileEntry) files;
};

SymbolIndex *symbol_index_new(void)
{
    return mem_zero(sizeof(SymbolIndex));
}

void symbol_index_free(SymbolIndex *index)
{
    if (!index) return;
    for (size_t i = 0; i < index->files.n; i++)
        arena_free(index->files.items[i].arena);
    VEC_FREE(&index->files);
    free(index);
}

// The place of path among the sorted files, or where it belongs.
static size_t find_place(const SymbolIndex *index, Str path, bool *found)
{
    size_t low = 0, high = index->files.n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = str_compare(index->files.items[mid].path, path);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

static FileEntry copy_file(Str path, const Symbol *symbols, size_t n)
{
    FileEntry entry = {.n = n, .arena = arena_new()};
    entry.path = arena_str(entry.arena, path);
    entry.symbols = arena_array(entry.arena, n, sizeof *entry.symbols);
    for (size_t i = 0; i < n; i++) {
        entry.symbols[i] = symbols[i];
        entry.symbols[i].name = arena_str(entry.arena, symbols[i].name);
        entry.symbols[i].signature = arena_str(entry.arena, symbols[i].signature);
        entry.symbols[i].comment = arena_str(entry.arena, symbols[i].comment);
    }
    return entry;
}

void symbol_index_put(SymbolIndex *index, Str path, const Symbol *symbols, size_t n)
{
    bool found;
    size_t at = find_place(index, path, &found);
    FileEntry entry = n ? copy_file(path, symbols, n) : (FileEntry){0}; // symbols may be our own
    FileEntry *files = index->files.items;
    if (found) {
        arena_free(files[at].arena);
        if (n) {
            files[at] = entry;
            return;
        }
        memmove(files + at, files + at + 1, (index->files.n - at - 1) * sizeof *files);
        index->files.n--;
        return;
    }
    if (n == 0) return;
    VEC_RESERVE(&index->files, 1);
    files = index->files.items;
    memmove(files + at + 1, files + at, (index->files.n - at) * sizeof *files);
    files[at] = entry;
    index->files.n++;
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool starts_folded(Str name, Str prefix)
{
    if (name.len < prefix.len) return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (to_lower(name.ptr[i]) != to_lower(prefix.ptr[i])) return false;
    return true;
}

static bool is_subsequence(Str name, Str letters)
{
    size_t at = 0;
    for (size_t i = 0; i < name.len && at < letters.len; i++)
        if (to_lower(name.ptr[i]) == to_lower(letters.ptr[at])) at++;
    return at == letters.len;
}

static Str folder_of(Str path)
{
    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

static int score(Str name, Str prefix, Str path, Str near_path)
{
    int points = str_starts(name, prefix)                          ? 300
                 : starts_folded(name, prefix)                     ? 200
                 : prefix.len >= 2 && is_subsequence(name, prefix) ? 100
                                                                   : 0;
    if (points == 0) return 0;
    if (str_equal(path, near_path)) return points + 50;
    return str_equal(folder_of(path), folder_of(near_path)) ? points + 25 : points;
}

static int by_score(const void *a, const void *b)
{
    const SymbolHit *x = a, *y = b;
    if (x->score != y->score) return y->score - x->score;
    int order = str_compare(x->symbol->name, y->symbol->name);
    return order ? order : str_compare(x->path, y->path);
}

size_t symbol_index_complete(const SymbolIndex *index, Str prefix, Str near_path, size_t max,
                             Arena *arena, SymbolHit **out)
{
    VEC(SymbolHit) hits = {0};
    for (size_t i = 0; i < index->files.n; i++) {
        const FileEntry *file = &index->files.items[i];
        for (size_t k = 0; k < file->n; k++) {
            int points = score(file->symbols[k].name, prefix, file->path, near_path);
            if (points) VEC_PUSH(&hits, (SymbolHit){&file->symbols[k], file->path, points});
        }
    }
    if (hits.n) qsort(hits.items, hits.n, sizeof *hits.items, by_score);
    size_t n = 0;
    *out = arena_array(arena, max, sizeof **out);
    for (size_t i = 0; i < hits.n && n < max; i++) // prototype and definition: one line
        if (n == 0 || !str_equal((*out)[n - 1].symbol->name, hits.items[i].symbol->name))
            (*out)[n++] = hits.items[i];
    VEC_FREE(&hits);
    return n;
}

const Symbol *symbol_index_find(const SymbolIndex *index, Str name, Str path)
{
    for (size_t i = 0; i < index->files.n; i++) {
        const FileEntry *file = &index->files.items[i];
        if (path.len && !str_equal(file->path, path)) continue;
        for (size_t k = 0; k < file->n; k++)
            if (str_equal(file->symbols[k].name, name)) return &file->symbols[k];
    }
    return NULL;
}

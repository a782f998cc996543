// Questions, each under the read lock. Names are few and files are many: a sweep over all names is
// milliseconds, so there is no sorted structure to keep.
#include <math.h>
#include <string.h>
#include <time.h>

#include "index/index_state.h"
#include "index/outline.h"

enum { MAX_HITS = 2000 };

// --- score

// What was edited a moment ago counts three times, with a half-life of a day.
static double recency(uint64_t mtime_ns)
{
    double hours = difftime(time(NULL), (time_t)(mtime_ns / 1000000000u)) / 3600;
    return 1 + 2 * exp2(-(hours > 0 ? hours : 0) / 24);
}

static double nearness(Str path, Str near)
{
    if (near.len == 0) return 0;
    if (str_equal(path, near)) return 50;
    Str a = str_folder(path), b = str_folder(near);
    if (str_equal(a, b)) return 25;
    size_t shared = 0;
    for (size_t i = 0; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++)
        shared += a.ptr[i] == '/';
    return shared < 10 ? (double)shared : 10;
}

static double file_score(const TableFile *file, Str path, Str near)
{
    double weight = (double)file->rank * recency(file->stamp.mtime_ns);
    double points = 4 * log2(1 + weight);
    return nearness(path, near) + (points < 48 ? points : 48);
}

static Str relative(const Index *index, Str path)
{
    Str root = str_from(index->root);
    bool below =
        root.len && str_starts(path, root) && path.len > root.len && path.ptr[root.len] == '/';
    return below ? str_slice(path, root.len + 1, path.len) : path;
}

static Str absolute(const Index *index, Str path, Arena *arena)
{
    bool whole = path.len && (path.ptr[0] == '/' || !index->root[0]);
    // An open document without a file below the root keeps what it was told by.
    bool is_uri = str_find(path, STR(":"), 0) < str_find(path, STR("/"), 0);
    if (whole || is_uri) return arena_str(arena, path);
    return arena_printf(arena, "%s/%.*s", index->root, STR_FMT(path));
}

// `static inline` in a header is everybody's who includes it.
static bool is_header(Str path)
{
    return str_ends(path, STR(".h")) || str_ends(path, STR(".hpp")) || str_ends(path, STR(".hh")) ||
           str_ends(path, STR(".inc"));
}

static IndexOverlay *find_overlay(const Index *index, Str path)
{
    IndexOverlay *overlay = index->overlays;
    while (overlay && !str_equal(str_from(overlay->path), path))
        overlay = overlay->next;
    return overlay;
}

// Of the language of an open document or a file; 0: of any.
static int family_of(const IndexOverlay *overlay, Str path)
{
    return overlay ? language_family(syntax_language(overlay->syntax)) : table_family(path);
}

static int near_family(const Index *index, Str near)
{
    return near.len ? family_of(find_overlay(index, near), near) : 0;
}

// --- hits

typedef VEC(IndexHit) Hits;

static void add_overlay_hit(const Index *index, const IndexOverlay *overlay, size_t i, double score,
                            Arena *arena, Hits *hits)
{
    const Symbol *symbol = &overlay->tags.symbols[i];
    VEC_PUSH(hits,
             (IndexHit){.name = arena_str(arena, symbol->name),
                        .container = arena_str(arena, overlay->tags.containers[i]),
                        .kind = symbol->kind,
                        .path = absolute(index, str_from(overlay->path), arena),
                        .range = symbol->range,
                        .name_range = symbol->name_range,
                        .is_declaration = symbol->is_declaration,
                        .is_private = symbol->is_private && !is_header(str_from(overlay->path)),
                        .score = score});
}

static void add_table_hit(const Index *index, uint32_t file, const PackedDef *def, double score,
                          Arena *arena, Hits *hits)
{
    const Names *names = &index->table.names;
    Str name = arena_str(arena, names_text(names, def->name));
    Str container = {0};
    if (def->container != NAMES_NONE)
        container = arena_str(arena, names_text(names, def->container));
    VEC_PUSH(hits, (IndexHit){.name = name,
                              .container = container,
                              .kind = (SymbolKind)def->kind,
                              .path = absolute(index, names_text(&index->table.paths, file), arena),
                              .range = {def->start, (size_t)def->start + def->n_bytes},
                              .name_range = {def->name_start, def->name_start + name.len},
                              .is_declaration = def->is_declaration,
                              .is_private = def->is_private &&
                                            !is_header(names_text(&index->table.paths, file)),
                              .score = score});
}

static int by_score(const void *a, const void *b)
{
    const IndexHit *x = a, *y = b;
    if (x->score < y->score || x->score > y->score) return x->score > y->score ? -1 : 1;
    int order = str_compare(x->name, y->name);
    if (order == 0) order = str_compare(x->path, y->path);
    if (order) return order;
    return (x->name_range.start > y->name_range.start) -
           (x->name_range.start < y->name_range.start);
}

static int by_place(const void *a, const void *b)
{
    const IndexHit *x = a, *y = b;
    int order = str_compare(x->path, y->path);
    if (order) return order;
    return (x->name_range.start > y->name_range.start) -
           (x->name_range.start < y->name_range.start);
}

static size_t finish(Hits *hits, int (*order)(const void *, const void *), size_t max, Arena *arena,
                     IndexHit **out)
{
    size_t n = hits->n < max ? hits->n : max;
    if (hits->n) qsort(hits->items, hits->n, sizeof *hits->items, order);
    *out = arena_array(arena, n, sizeof **out);
    if (n) memcpy(*out, hits->items, n * sizeof **out);
    VEC_FREE(hits);
    return n;
}

// A definition before declarations of it.
static double role_score(bool is_declaration)
{
    return is_declaration ? 0 : 60;
}

static bool mixes(const IndexOverlay *overlay, int family)
{
    return language_families_mix(family_of(overlay, STR("")), family);
}

static void find_in_overlays(const Index *index, Str name, Str near, Arena *arena, Hits *hits)
{
    int family = near_family(index, near);
    for (const IndexOverlay *o = index->overlays; o; o = o->next)
        for (size_t i = 0; i < o->tags.n_symbols; i++) {
            const Symbol *s = &o->tags.symbols[i];
            if (!str_equal(s->name, name) || !mixes(o, family)) continue;
            double score = role_score(s->is_declaration) + 20 + nearness(str_from(o->path), near);
            add_overlay_hit(index, o, i, score, arena, hits);
        }
}

static void find_in_file(const Index *index, uint32_t file, uint32_t name, double score,
                         Arena *arena, Hits *hits)
{
    const TableFile *entry = &index->table.files[file];
    for (uint32_t i = 0; i < entry->n_defs && hits->n < MAX_HITS; i++)
        if (entry->defs[i].name == name)
            add_table_hit(index, file, &entry->defs[i],
                          score + role_score(entry->defs[i].is_declaration), arena, hits);
}

size_t index_find(Index *index, Str name, Str near_path, Arena *arena, IndexHit **out)
{
    Hits hits = {0};
    Str near = relative(index, near_path);
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    find_in_overlays(index, name, near, arena, &hits);
    int family = near_family(index, near);
    uint32_t id = names_find(&table->names, name);
    const Posting *p = id == NAMES_NONE ? NULL : table_first(table, id);
    for (; p && hits.n < MAX_HITS; p = table_next(table, p)) {
        Str path = names_text(&table->paths, p->file);
        if (!language_families_mix(table->files[p->file].family, family)) continue;
        if (find_overlay(index, path)) continue;
        find_in_file(index, p->file, id, file_score(&table->files[p->file], path, near), arena,
                     &hits);
    }
    pthread_rwlock_unlock(&index->lock);
    return finish(&hits, by_score, MAX_HITS, arena, out);
}

// --- search

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

// 0: no. Letters in a row, and letters that begin a word, make it larger.
static double subsequence_score(Str name, Str letters)
{
    double points = 0;
    size_t at = 0, last = SIZE_MAX - 1;
    for (size_t i = 0; i < name.len && at < letters.len; i++) {
        if (to_lower(name.ptr[i]) != to_lower(letters.ptr[at])) continue;
        bool starts = i == 0 || name.ptr[i - 1] == '_' || name.ptr[i - 1] == '.' ||
                      (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' && name.ptr[i - 1] >= 'a');
        points += 1 + 2 * (last + 1 == i) + 2 * starts;
        last = i;
        at++;
    }
    if (at < letters.len) return 0;
    return 100 * points / (5 * (double)letters.len) *
           (0.5 + 0.5 * (double)letters.len / (double)name.len);
}

// How names are compared: what begins with the query is looked for first, since it is cheap.
typedef enum Sweep { SWEEP_PREFIX, SWEEP_LETTERS } Sweep;

static double name_score(Str name, Str query, Sweep sweep)
{
    if (query.len == 0) return sweep == SWEEP_PREFIX ? 300 : 0;
    bool may_start = name.len && to_lower(name.ptr[0]) == to_lower(query.ptr[0]);
    bool starts = may_start && starts_folded(name, query);
    if (sweep == SWEEP_LETTERS) return starts || query.len < 2 ? 0 : subsequence_score(name, query);
    if (!starts) return 0;
    return (str_starts(name, query) ? 300 : 200) + (name.len == query.len ? 30 : 0);
}

typedef struct Candidate {
    double score;
    uint32_t name, file;
} Candidate;

typedef VEC(Candidate) Candidates;

static int by_candidate(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    if (x->score < y->score || x->score > y->score) return x->score > y->score ? -1 : 1;
    return (x->name > y->name) - (x->name < y->name);
}

typedef struct Search {
    Str query, near;
    IndexMatch match;
    int family; // that near can name
} Search;

// The best file of a name, or each of them.
static void add_candidates(const Index *index, uint32_t name, double points, const Search *search,
                           Candidates *out)
{
    const Table *table = &index->table;
    Candidate best = {.score = -1};
    for (const Posting *p = table_first(table, name); p; p = table_next(table, p)) {
        Str path = names_text(&table->paths, p->file);
        if (!language_families_mix(table->files[p->file].family, search->family)) continue;
        if (index->overlays && find_overlay(index, path)) continue;
        double score = points + file_score(&table->files[p->file], path, search->near);
        if (search->match == INDEX_FUZZY)
            VEC_PUSH(out, (Candidate){score, name, p->file});
        else if (score > best.score)
            best = (Candidate){score, name, p->file};
    }
    if (best.score >= 0) VEC_PUSH(out, best);
}

static void search_table(const Index *index, const Search *search, size_t max, Arena *arena,
                         Hits *hits)
{
    const Table *table = &index->table;
    Candidates found = {0};
    uint32_t letters = names_letters(search->query);
    for (Sweep sweep = SWEEP_PREFIX; sweep <= SWEEP_LETTERS && found.n < max; sweep++)
        for (uint32_t id = 0; id < table->n_heads; id++) {
            if ((table->names.letters[id] & letters) != letters || !table->heads[id]) continue;
            double points = name_score(names_text(&table->names, id), search->query, sweep);
            if (points > 0) add_candidates(index, id, points, search, &found);
        }
    if (found.n) qsort(found.items, found.n, sizeof *found.items, by_candidate);
    for (size_t i = 0; i < found.n && i < max; i++) {
        size_t before = hits->n;
        find_in_file(index, found.items[i].file, found.items[i].name, found.items[i].score - 60,
                     arena, hits);
        if (search->match == INDEX_PREFIX && hits->n > before) hits->n = before + 1;
    }
    VEC_FREE(&found);
}

static void search_overlay(const Index *index, const IndexOverlay *o, const Search *search,
                           Arena *arena, Hits *hits)
{
    double near = nearness(str_from(o->path), search->near);
    for (size_t i = 0; i < o->tags.n_symbols; i++) {
        Str name = o->tags.symbols[i].name;
        double points = name_score(name, search->query, SWEEP_PREFIX);
        if (!(points > 0)) points = name_score(name, search->query, SWEEP_LETTERS);
        if (points > 0) add_overlay_hit(index, o, i, points + 20 + near, arena, hits);
    }
}

static size_t drop_doubles(IndexHit *hits, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < kept && !known; k++)
            known = str_equal(hits[k].name, hits[i].name);
        if (!known) hits[kept++] = hits[i];
    }
    return kept;
}

size_t index_search(Index *index, Str query, IndexMatch match, Str near_path, size_t max,
                    Arena *arena, IndexHit **out)
{
    Hits hits = {0};
    Search search = {query, relative(index, near_path), match, 0};
    if (max > MAX_HITS) max = MAX_HITS;
    pthread_rwlock_rdlock(&index->lock);
    search.family = near_family(index, search.near);
    search_table(index, &search, max, arena, &hits);
    for (const IndexOverlay *o = index->overlays; o; o = o->next)
        if (mixes(o, search.family)) search_overlay(index, o, &search, arena, &hits);
    pthread_rwlock_unlock(&index->lock);
    if (match == INDEX_FUZZY) return finish(&hits, by_score, max, arena, out);
    size_t n = finish(&hits, by_score, MAX_HITS, arena, out);
    n = drop_doubles(*out, n);
    return n < max ? n : max;
}

// --- members

static void members_of_file(const Index *index, uint32_t file, uint32_t container, Arena *arena,
                            Hits *hits)
{
    const TableFile *entry = &index->table.files[file];
    for (uint32_t i = 0; i < entry->n_defs && hits->n < MAX_HITS; i++)
        if (entry->defs[i].container == container)
            add_table_hit(index, file, &entry->defs[i], 0, arena, hits);
}

// Methods of a type stand in any file of its folder (Go) or module; other languages' within it.
static void members_beside(const Index *index, uint32_t home, uint32_t container, Arena *arena,
                           Hits *hits)
{
    const Table *table = &index->table;
    Str folder = str_folder(names_text(&table->paths, home));
    for (uint32_t i = 0; i < table->n_files; i++) {
        Str path = names_text(&table->paths, i);
        if (i == home || !table->files[i].exists || !str_equal(str_folder(path), folder)) continue;
        if (table->files[i].family == table->files[home].family && !find_overlay(index, path))
            members_of_file(index, i, container, arena, hits);
    }
}

static void add_members_of_table(const Index *index, Str container, int family, Arena *arena,
                                 Hits *hits)
{
    const Table *table = &index->table;
    uint32_t id = names_find(&table->names, container), home = NAMES_NONE;
    const Posting *p = id == NAMES_NONE ? NULL : table_first(table, id);
    for (; p; p = table_next(table, p)) {
        if (!language_families_mix(table->files[p->file].family, family)) continue;
        if (!find_overlay(index, names_text(&table->paths, p->file)))
            members_of_file(index, p->file, id, arena, hits);
        if (home == NAMES_NONE) home = p->file;
    }
    bool go =
        home != NAMES_NONE && table->files[home].family == language_family(language_by_id("go"));
    if (go) members_beside(index, home, id, arena, hits);
}

size_t index_members(Index *index, Str container, Str near_path, Arena *arena, IndexHit **out)
{
    Hits hits = {0};
    pthread_rwlock_rdlock(&index->lock);
    int family = near_family(index, relative(index, near_path));
    for (const IndexOverlay *o = index->overlays; o; o = o->next)
        for (size_t i = 0; mixes(o, family) && i < o->tags.n_symbols; i++)
            if (str_equal(o->tags.containers[i], container))
                add_overlay_hit(index, o, i, 0, arena, &hits);
    add_members_of_table(index, container, family, arena, &hits);
    pthread_rwlock_unlock(&index->lock);
    return finish(&hits, by_place, MAX_HITS, arena, out);
}

size_t index_definitions(Index *index, Str path, Arena *arena, IndexHit **out)
{
    Hits hits = {0};
    Str short_path = relative(index, path);
    pthread_rwlock_rdlock(&index->lock);
    const IndexOverlay *o = find_overlay(index, short_path);
    uint32_t file = o ? NAMES_NONE : table_find(&index->table, short_path);
    for (size_t i = 0; o && i < o->tags.n_symbols; i++)
        add_overlay_hit(index, o, i, 0, arena, &hits);
    bool known = file != NAMES_NONE && index->table.files[file].exists;
    for (uint32_t i = 0; known && i < index->table.files[file].n_defs; i++)
        add_table_hit(index, file, &index->table.files[file].defs[i], 0, arena, &hits);
    pthread_rwlock_unlock(&index->lock);
    return finish(&hits, by_place, MAX_HITS, arena, out);
}

// --- files

typedef struct RankedPath {
    Str path;
    double score;
} RankedPath;

typedef VEC(RankedPath) RankedPaths;

static int by_rank(const void *a, const void *b)
{
    const RankedPath *x = a, *y = b;
    if (x->score < y->score || x->score > y->score) return x->score > y->score ? -1 : 1;
    return str_compare(x->path, y->path);
}

static size_t finish_paths(RankedPaths *paths, size_t max, Arena *arena, Str **out)
{
    size_t n = 0;
    if (paths->n) qsort(paths->items, paths->n, sizeof *paths->items, by_rank);
    *out = arena_array(arena, paths->n, sizeof **out);
    for (size_t i = 0; i < paths->n && n < max; i++)
        (*out)[n++] = paths->items[i].path;
    VEC_FREE(paths);
    return n;
}

static bool mentions(const TableFile *file, uint32_t name)
{
    const uint32_t *names = table_file_names(file);
    for (uint32_t i = 0; i < file->n_names; i++)
        if (names[i] == name) return true;
    return false;
}

size_t index_mentions(Index *index, Str name, Str near_path, Arena *arena, Str **out)
{
    RankedPaths paths = {0};
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    int family = near_family(index, relative(index, near_path));
    for (const IndexOverlay *o = index->overlays; o; o = o->next)
        for (size_t i = 0; mixes(o, family) && i < o->tags.n_names; i++)
            if (str_equal(o->tags.names[i], name)) {
                VEC_PUSH(&paths, (RankedPath){absolute(index, str_from(o->path), arena), INFINITY});
                break;
            }
    uint32_t id = names_find(&table->names, name);
    for (uint32_t i = 0; id != NAMES_NONE && i < table->n_files; i++) {
        Str path = names_text(&table->paths, i);
        if (!language_families_mix(table->files[i].family, family)) continue;
        if (!mentions(&table->files[i], id) || find_overlay(index, path)) continue;
        VEC_PUSH(&paths, (RankedPath){absolute(index, path, arena), (double)table->files[i].rank});
    }
    pthread_rwlock_unlock(&index->lock);
    return finish_paths(&paths, SIZE_MAX, arena, out);
}

static bool has_part(Str import, const Str *words, size_t n_words)
{
    for (size_t start = 0; start < import.len; start++) {
        size_t end = start;
        while (end < import.len && !strchr("./", import.ptr[end]))
            end++;
        for (size_t i = 0; i < n_words; i++)
            if (str_equal(str_slice(import, start, end), words[i])) return true;
        start = end;
    }
    return false;
}

size_t index_importers(Index *index, const Str *words, size_t n_words, Arena *arena, Str **out)
{
    RankedPaths paths = {0};
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    bool *wanted = arena_array(arena, table->names.n + 1, sizeof *wanted),
         *known = arena_array(arena, table->names.n + 1, sizeof *known);
    for (const IndexOverlay *o = index->overlays; o; o = o->next)
        for (size_t i = 0; i < o->tags.n_imports; i++)
            if (has_part(o->tags.imports[i], words, n_words)) {
                VEC_PUSH(&paths, (RankedPath){absolute(index, str_from(o->path), arena), INFINITY});
                break;
            }
    for (uint32_t i = 0; i < table->n_files; i++) {
        const uint32_t *ids = table_file_imports(&table->files[i]);
        bool found = false;
        for (uint32_t k = 0; k < table->files[i].n_imports; k++) {
            uint32_t id = ids[k];
            if (!known[id]) wanted[id] = has_part(names_text(&table->names, id), words, n_words);
            known[id] = true;
            found = found || wanted[id];
        }
        Str path = names_text(&table->paths, i);
        if (found && table->files[i].exists && !find_overlay(index, path))
            VEC_PUSH(&paths,
                     (RankedPath){absolute(index, path, arena), (double)table->files[i].rank});
    }
    pthread_rwlock_unlock(&index->lock);
    return finish_paths(&paths, SIZE_MAX, arena, out);
}

// Where each of the names' numbers stands among those that are looked for, from 1; 0: not there.
static uint8_t *number_names(const Table *table, const Str *names, size_t n)
{
    uint8_t *places = mem_zero((size_t)table->names.n + 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = names_find(&table->names, names[i]);
        if (id != NAMES_NONE) places[id] = (uint8_t)(i + 1);
    }
    return places;
}

size_t index_mention_most(Index *index, const Str *names, size_t n_names, size_t max, Arena *arena,
                          Str **out)
{
    uint32_t n_files[UINT8_MAX + 1] = {0}; // that mention each
    RankedPaths paths = {0};
    if (n_names > UINT8_MAX) n_names = UINT8_MAX;
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    uint8_t *places = number_names(table, names, n_names);
    for (uint32_t i = 0; i < table->n_files; i++)
        for (uint32_t k = 0; k < table->files[i].n_names; k++)
            n_files[places[table_file_names(&table->files[i])[k]]]++;
    for (uint32_t i = 0; i < table->n_files; i++) {
        double score = 0;
        for (uint32_t k = 0; k < table->files[i].n_names; k++) {
            uint8_t place = places[table_file_names(&table->files[i])[k]];
            if (place) score += 1.0 / (double)n_files[place];
        }
        if (score > 0 && table->files[i].exists)
            VEC_PUSH(&paths,
                     (RankedPath){absolute(index, names_text(&table->paths, i), arena), score});
    }
    pthread_rwlock_unlock(&index->lock);
    free(places);
    return finish_paths(&paths, max, arena, out);
}

static bool ends_with_path(Str path, Str suffix)
{
    return str_ends(path, suffix) &&
           (path.len == suffix.len || path.ptr[path.len - suffix.len - 1] == '/');
}

size_t index_files_containing(Index *index, Str part, size_t max, Arena *arena, Str **out)
{
    RankedPaths paths = {0};
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    for (uint32_t i = 0; i < table->n_files; i++) {
        Str path = names_text(&table->paths, i);
        if (table->files[i].exists && str_find(path, part, 0) + part.len <= path.len)
            VEC_PUSH(&paths, (RankedPath){path, (double)table->files[i].rank});
    }
    size_t n = finish_paths(&paths, max, arena, out);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = absolute(index, (*out)[i], arena);
    pthread_rwlock_unlock(&index->lock);
    return n;
}

size_t index_files_ending(Index *index, Str suffix, size_t max, Arena *arena, Str **out)
{
    RankedPaths paths = {0};
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    for (uint32_t i = 0; suffix.len && i < table->n_files; i++) {
        Str path = names_text(&table->paths, i);
        if (table->files[i].exists && ends_with_path(path, suffix))
            VEC_PUSH(&paths,
                     (RankedPath){absolute(index, path, arena), (double)table->files[i].rank});
    }
    pthread_rwlock_unlock(&index->lock);
    return finish_paths(&paths, max, arena, out);
}

// --- neighbours

static Str stem_of(Str path)
{
    Str name = str_slice(path, str_folder(path).len, path.len);
    return str_slice(name, 0, str_find(name, STR("."), 0));
}

// A Python module's dotted name may be a file's path without its end.
static bool is_import_of(Str import, Str path)
{
    if (ends_with_path(path, import)) return true;
    size_t dot = path.len;
    while (dot > 0 && path.ptr[dot - 1] != '.' && path.ptr[dot - 1] != '/')
        dot--;
    if (dot == 0 || path.ptr[dot - 1] != '.') return false;
    Str bare = str_slice(path, 0, dot - 1);
    if (bare.len < import.len) return false;
    Str tail = str_slice(bare, bare.len - import.len, bare.len);
    for (size_t i = 0; i < tail.len; i++)
        if (tail.ptr[i] != import.ptr[i] && !(tail.ptr[i] == '/' && import.ptr[i] == '.'))
            return false;
    return bare.len == import.len || bare.ptr[bare.len - import.len - 1] == '/';
}

static bool imports(const Table *table, const TableFile *file, Str path)
{
    const uint32_t *ids = table_file_imports(file);
    for (uint32_t i = 0; i < file->n_imports; i++)
        if (is_import_of(names_text(&table->names, ids[i]), path)) return true;
    return false;
}

static double tie_score(const Table *table, uint32_t self, uint32_t other, Str stem)
{
    Str path = names_text(&table->paths, other), own = names_text(&table->paths, self);
    double score = 0;
    if (str_equal(stem_of(path), stem)) score += 200 + nearness(path, own);
    if (imports(table, &table->files[self], path)) score += 100 + nearness(path, own);
    return score;
}

size_t index_neighbours(Index *index, Str path, size_t max, Arena *arena, Str **out)
{
    enum { MAX_VOTES = 64 };
    RankedPaths paths = {0};
    RankVote votes[MAX_VOTES];
    pthread_rwlock_rdlock(&index->lock);
    const Table *table = &index->table;
    uint32_t self = table_find(table, relative(index, path));
    bool known = self != NAMES_NONE && table->files[self].exists;
    float *weights = mem_zero((table->n_files + 1) * sizeof *weights);
    size_t n = known ? rank_votes(table, self, weights, votes, MAX_VOTES) : 0;
    for (size_t i = 0; i < n; i++)
        weights[votes[i].file] = votes[i].weight;
    Str stem = known ? stem_of(names_text(&table->paths, self)) : STR("");
    for (uint32_t i = 0; known && i < table->n_files; i++) {
        if (i == self || !table->files[i].exists) continue;
        double score = tie_score(table, self, i, stem) + (double)weights[i];
        if (score > 0)
            VEC_PUSH(&paths,
                     (RankedPath){absolute(index, names_text(&table->paths, i), arena), score});
    }
    pthread_rwlock_unlock(&index->lock);
    free(weights);
    return finish_paths(&paths, max, arena, out);
}

// --- reading

Syntax *index_open_document(Index *index, Str path)
{
    pthread_rwlock_rdlock(&index->lock);
    IndexOverlay *overlay = find_overlay(index, relative(index, path));
    Syntax *syntax = overlay ? syntax_retain(overlay->syntax) : NULL;
    pthread_rwlock_unlock(&index->lock);
    return syntax;
}

Syntax *index_read_file(Str path, Str word)
{
    Error err = {0};
    Syntax *syntax = NULL;
    Arena *arena = arena_new();
    path = arena_str(arena, path);
    TextSnap *text = text_read_file(path.ptr, SYNTAX_MAX_BYTES, &err);
    Str bytes = text ? text_str(text) : STR("");
    const Language *lang = language_by_content(path.ptr, bytes.ptr, bytes.len);
    if (text && lang)
        syntax = word.len ? outline_parse(lang, text, word, NULL) : syntax_parse(lang, text, NULL);
    text_release(text);
    arena_free(arena);
    return syntax;
}

bool index_describe(Index *index, const IndexHit *hit, Arena *arena, Symbol *out)
{
    Syntax *syntax = index_open_document(index, hit->path);
    if (!syntax) syntax = index_read_file(hit->path, hit->name);
    bool found = syntax && symbols_describe(syntax, hit->name_range.start, arena, out) &&
                 str_equal(out->name, hit->name);
    if (syntax) syntax_release(syntax);
    return found;
}

// From a name to its definition, its declaration, its other places, and from a word to symbols.
// Types are not known: what a name may mean is told by what defines it, and several are several.
#include <string.h>

#include "base/vec.h"
#include "features/names.h"

enum { MAX_PLACES = 10000, MAX_DEFINITIONS = 100, MAX_SYMBOLS = 300 };

typedef struct FilePlaces {
    FilePlace *items;
    size_t n;
} FilePlaces;

typedef VEC(FilePlace) PlaceVec;

static void keep_places(Question *q, PlaceVec *places)
{
    FilePlaces *found = q->data = arena_alloc(q->arena, sizeof *found);
    found->n = places->n;
    found->items = arena_array(q->arena, places->n, sizeof *found->items);
    if (places->n) memcpy(found->items, places->items, places->n * sizeof *found->items);
    VEC_FREE(places);
}

static Json *new_location(const Request *request, const FilePlace *place)
{
    Json *location = json_object_new_object();
    question_put_uri(request, location, "uri", place->path);
    types_put(location, "range", types_new_range(place->range));
    return location;
}

static void answer_places(Request *request, Question *q)
{
    const FilePlaces *found = q->data;
    Json *list = found && found->n ? json_object_new_array() : NULL;
    for (size_t i = 0; list && i < found->n; i++)
        json_object_array_add(list, new_location(request, &found->items[i]));
    request_reply(request, list);
}

// --- definition and declaration

static FilePlace place_here(const Question *q, ByteRange range)
{
    LspRange place = position_from_range(syntax_text(q->syntax), range, q->encoding);
    return (FilePlace){q->path, place, place};
}

// The name of the file in an include at the cursor; empty if there is none.
static Str include_at(const Question *q)
{
    uint32_t at = (uint32_t)q->byte_off;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(q->syntax), at, at);
    for (int up = 0; up < 3 && !ts_node_is_null(node); up++, node = ts_node_parent(node)) {
        const char *type = ts_node_type(node);
        if (strcmp(type, "system_lib_string") != 0 && strcmp(type, "string_literal") != 0) continue;
        TSNode parent = ts_node_parent(node);
        if (ts_node_is_null(parent) || strcmp(ts_node_type(parent), "preproc_include") != 0) break;
        ByteRange range = syntax_range(node);
        return str_slice(text_str(syntax_text(q->syntax)), range.start + 1, range.end - 1);
    }
    return STR("");
}

static void find_included(Question *q, Str name, PlaceVec *places)
{
    while (str_starts(name, STR("./")) || str_starts(name, STR("../")))
        name = str_slice(name, str_find(name, STR("/"), 0) + 1, name.len);
    for (size_t i = 0; i < q->n_indexes; i++) {
        Str *paths;
        size_t n = index_files_ending(q->indexes[i], name, 10, q->arena, &paths);
        for (size_t k = 0; k < n; k++)
            VEC_PUSH(places, (FilePlace){.path = paths[k]});
    }
}

static void add_hits(const Question *q, const IndexHit *hits, size_t n, bool declarations,
                     PlaceVec *places)
{
    for (size_t i = 0; i < n && places->n < MAX_DEFINITIONS; i++) {
        FilePlace place;
        if (hits[i].is_declaration == declarations && question_locate(q, &hits[i], &place))
            VEC_PUSH(places, place);
    }
}

// What is private to this file hides what others have.
static size_t prefer_private(const Question *q, IndexHit *hits, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (hits[i].is_private && str_equal(hits[i].path, q->path)) hits[kept++] = hits[i];
    return kept ? kept : n;
}

static void find_target_places(Question *q, bool declarations)
{
    Target target;
    PlaceVec places = {0};
    if (!q->syntax) return;
    Str include = include_at(q);
    if (include.len) {
        find_included(q, include, &places);
    } else if (target_find(q->syntax, q->byte_off, &target)) {
        IndexHit *hits;
        if (target.is_local) {
            VEC_PUSH(&places, place_here(q, target.declared));
        } else {
            size_t n = names_find_meant(q, &target, &hits);
            n = prefer_private(q, hits, n);
            add_hits(q, hits, n, declarations, &places);
            if (places.n == 0) add_hits(q, hits, n, !declarations, &places);
        }
    }
    keep_places(q, &places);
}

static void find_definition(Question *q)
{
    find_target_places(q, false);
}

static void find_declaration(Question *q)
{
    find_target_places(q, true);
}

bool navigate_definition(Call *call, Error *err)
{
    return names_ask(call, sync_config(call)->definition, NULL, find_definition, answer_places,
                     err);
}

bool navigate_declaration(Call *call, Error *err)
{
    return names_ask(call, sync_config(call)->definition, NULL, find_declaration, answer_places,
                     err);
}

// --- references

static bool is_definition(const IndexHit *hits, size_t n, Str path, size_t start)
{
    for (size_t i = 0; i < n; i++)
        if (hits[i].name_range.start == start && str_equal(hits[i].path, path)) return true;
    return false;
}

static void add_file_places(const Question *q, const Syntax *syntax, Str path, const Target *target,
                            const IndexHit *hits, size_t n_hits, PlaceVec *places)
{
    bool with_declaration = q->params[0].len > 0;
    TargetPlace *found;
    size_t n = target_places(syntax, target, q->arena, &found);
    for (size_t i = 0; i < n && places->n < MAX_PLACES; i++) {
        bool declares = (target->is_local && found[i].range.start == target->declared.start) ||
                        is_definition(hits, n_hits, path, found[i].range.start);
        if (declares && !with_declaration) continue;
        LspRange range = position_from_range(syntax_text(syntax), found[i].range, q->encoding);
        VEC_PUSH(places, (FilePlace){path, range, range});
    }
}

bool names_is_of_this_file(const Question *q, const Target *target, const IndexHit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hits[i].is_private && str_equal(hits[i].path, q->path)) return true;
    return target->is_local;
}

static void find_references(Question *q)
{
    Target target;
    PlaceVec places = {0};
    IndexHit *hits = NULL;
    if (!q->syntax || !target_find(q->syntax, q->byte_off, &target)) return;
    size_t n_hits = target.is_local ? 0 : names_find_visible(q, &target, &hits);
    add_file_places(q, q->syntax, q->path, &target, hits, n_hits, &places);
    bool only_here = names_is_of_this_file(q, &target, hits, n_hits);
    for (size_t i = 0; i < q->n_indexes && !only_here; i++) {
        Str *paths;
        size_t n = index_mentions(q->indexes[i], target.name, q->path, q->arena, &paths);
        for (size_t k = 0; k < n && places.n < MAX_PLACES && !atomic_load(&q->cancelled); k++) {
            if (str_equal(paths[k], q->path)) continue;
            Syntax *syntax = question_read(q, paths[k], target.name);
            if (!syntax) continue;
            add_file_places(q, syntax, paths[k], &target, hits, n_hits, &places);
            syntax_release(syntax);
        }
    }
    keep_places(q, &places);
}

bool navigate_references(Call *call, Error *err)
{
    bool declaration = types_bool(call->params, "context.includeDeclaration");
    const Str params[QUESTION_PARAMS] = {declaration ? STR("with declaration") : STR("")};
    return names_ask(call, sync_config(call)->references, params, find_references, answer_places,
                     err);
}

// --- workspace/symbol

typedef struct FoundSymbol {
    IndexHit hit;
    FilePlace place;
} FoundSymbol;

typedef struct FoundSymbols {
    FoundSymbol *items;
    size_t n;
} FoundSymbols;

static void find_symbols(Question *q)
{
    VEC(FoundSymbol) all = {0};
    for (size_t i = 0; i < q->n_indexes && q->params[0].len; i++) {
        IndexHit *hits;
        size_t n = index_search(q->indexes[i], q->params[0], INDEX_FUZZY, STR(""), MAX_SYMBOLS,
                                q->arena, &hits);
        for (size_t k = 0; k < n && all.n < MAX_SYMBOLS; k++) {
            FoundSymbol symbol = {.hit = hits[k]};
            // Without resolve every file has to be read here.
            bool lazy = q->params[1].len > 0;
            if (lazy || question_locate(q, &hits[k], &symbol.place)) VEC_PUSH(&all, symbol);
        }
    }
    FoundSymbols *found = q->data = arena_alloc(q->arena, sizeof *found);
    found->n = all.n;
    found->items = arena_array(q->arena, all.n, sizeof *found->items);
    if (all.n) memcpy(found->items, all.items, all.n * sizeof *found->items);
    VEC_FREE(&all);
}

static Json *new_symbol(const Request *request, const FoundSymbol *found, bool lazy)
{
    Json *item = json_object_new_object();
    types_put_str(item, "name", found->hit.name);
    types_put_int(item, "kind", structure_symbol_kind(found->hit.kind));
    if (found->hit.container.len) types_put_str(item, "containerName", found->hit.container);
    Json *location = types_put_object(item, "location");
    question_put_uri(request, location, "uri", found->hit.path);
    if (!lazy) {
        types_put(location, "range", types_new_range(found->place.range));
        return item;
    }
    Json *data = types_put_object(item, "data");
    types_put_str(data, "path", found->hit.path);
    types_put_int(data, "start", (int64_t)found->hit.name_range.start);
    return item;
}

static void answer_symbols(Request *request, Question *q)
{
    const FoundSymbols *found = q->data;
    Json *list = json_object_new_array();
    for (size_t i = 0; i < found->n; i++)
        json_object_array_add(list, new_symbol(request, &found->items[i], q->params[1].len > 0));
    request_reply(request, list);
}

bool navigate_workspace_symbol(Call *call, Error *err)
{
    (void)err;
    const Connection *conn = call->conn;
    if (!projects_of(conn, NULL)->config.workspace_symbol) return true;
    const Str params[QUESTION_PARAMS] = {types_str(call->params, "query"),
                                         conn->caps.symbol_resolve ? STR("lazy") : STR("")};
    call->later = true;
    workspace_ask(call->request, 0, params, find_symbols, answer_symbols);
    return true;
}

enum { RESOLVE_ITEM, RESOLVE_PATH, RESOLVE_NAME };

static void locate_symbol(Question *q)
{
    IndexHit *hits;
    size_t n = question_find(q, q->params[RESOLVE_NAME], &hits);
    for (size_t i = 0; i < n && !q->data; i++) {
        FilePlace *place = arena_alloc(q->arena, sizeof *place);
        bool meant = str_equal(hits[i].path, q->params[RESOLVE_PATH]);
        if (meant && question_locate(q, &hits[i], place)) q->data = place;
    }
}

static void answer_symbol(Request *request, Question *q)
{
    const FilePlace *place = q->data;
    Json *item = json_tokener_parse(q->params[RESOLVE_ITEM].ptr);
    if (place) types_put(types_get(item, "location"), "range", types_new_range(place->range));
    request_reply(request, item);
}

bool navigate_resolve_symbol(Call *call, Error *err)
{
    if (!types_get(call->params, "location"))
        return error_set(err, ERROR_INVALID, "resolve without a symbol with a location");
    const char *text = json_object_to_json_string_ext(call->params, JSON_C_TO_STRING_PLAIN);
    const Str params[QUESTION_PARAMS] = {str_from(text), types_str(call->params, "data.path"),
                                         types_str(call->params, "name")};
    call->later = true;
    workspace_ask(call->request, 0, params, locate_symbol, answer_symbol);
    return true;
}

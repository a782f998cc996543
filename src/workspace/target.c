// A scope's declarations are looked up once for a request: a name like `i` has thousands of places
// in a large file, and each is then compared with a few ranges only.
#include "workspace/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "workspace/node.h"
#include "workspace/queries.h"

static const size_t FILE_SCOPE = SIZE_MAX;

typedef struct Names {
    Str text;
    VEC(ByteRange) scopes;
    VEC(ByteRange) declaring; // the scopes that declare the wanted name
    VEC(TSNode) locals;
} Names;

static void add_locals(Names *names, const SyntaxLocal *locals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (locals[i].is_scope)
            VEC_PUSH(&names->scopes, syntax_range(locals[i].node));
        else
            VEC_PUSH(&names->locals, locals[i].node);
    }
}

// Only those that may reach byte_off. Returns where what they lie in ends.
static size_t add_locals_around(Names *names, const Syntax *syntax, size_t byte_off)
{
    SyntaxLocal *locals;
    ByteRange top;
    size_t n = syntax_locals_around(syntax, byte_off, &locals, &top);
    add_locals(names, locals, n);
    free(locals);
    return top.end;
}

// Those around each place where the name may stand.
static void names_init(Names *names, const Syntax *syntax, Str name)
{
    *names = (Names){.text = text_str(syntax_text(syntax))};
    size_t at = 0, done = 0;
    while (name.len && (at = str_find_word(names->text, name, at)) < names->text.len) {
        if (at >= done) done = add_locals_around(names, syntax, at);
        at += name.len;
    }
}

static void names_deinit(Names *names)
{
    VEC_FREE(&names->scopes);
    VEC_FREE(&names->declaring);
    VEC_FREE(&names->locals);
}

static Str node_text(const Names *names, TSNode node)
{
    ByteRange range = syntax_range(node);
    return str_slice(names->text, range.start, range.end);
}

// Python: the name of a function that stands in a class.
static bool is_method_name(TSNode node, TSNode parent)
{
    if (!node_is(parent, "function_definition") || !ts_node_eq(ts_node_child(parent, 1), node))
        return false;
    TSNode up = ts_node_parent(parent);
    if (node_is(up, "decorated_definition")) up = ts_node_parent(up);
    return node_is(up, "block") && node_is(ts_node_parent(up), "class_definition");
}

static bool is_member(TSNode node)
{
    const char *type = ts_node_type(node);
    if (strcmp(type, "field_identifier") == 0 || strcmp(type, "property_identifier") == 0)
        return true;
    TSNode parent = ts_node_parent(node);
    if (node_is(parent, "attribute")) return !ts_node_eq(ts_node_child(parent, 0), node);
    return is_method_name(node, parent);
}

static size_t innermost_scope(const Names *names, size_t byte_off)
{
    size_t best = FILE_SCOPE, best_bytes = SIZE_MAX;
    for (size_t i = 0; i < names->scopes.n; i++) {
        ByteRange scope = names->scopes.items[i];
        bool around = byte_off >= scope.start && byte_off < scope.end;
        if (!around || scope.end - scope.start >= best_bytes) continue;
        best = i;
        best_bytes = scope.end - scope.start;
    }
    return best;
}

static void find_declaring(Names *names, Str name)
{
    for (size_t i = 0; i < names->locals.n; i++) {
        TSNode local = names->locals.items[i];
        if (!str_equal(node_text(names, local), name)) continue;
        size_t scope = innermost_scope(names, ts_node_start_byte(local));
        if (scope != FILE_SCOPE) VEC_PUSH(&names->declaring, names->scopes.items[scope]);
    }
}

// The innermost of the declaring scopes around byte_off.
static size_t find_scope(const Names *names, size_t byte_off)
{
    size_t best = FILE_SCOPE, best_bytes = SIZE_MAX;
    for (size_t i = 0; i < names->declaring.n; i++) {
        ByteRange scope = names->declaring.items[i];
        bool around = byte_off >= scope.start && byte_off < scope.end;
        if (!around || scope.end - scope.start >= best_bytes) continue;
        best = i;
        best_bytes = scope.end - scope.start;
    }
    return best;
}

// A name that the parser misses has no bytes.
static bool is_name(TSNode node)
{
    return !ts_node_is_null(node) && ts_node_end_byte(node) > ts_node_start_byte(node) &&
           ts_node_is_named(node) && ts_node_child_count(node) == 0 &&
           strstr(ts_node_type(node), "identifier") != NULL;
}

static TSNode name_at(const Syntax *syntax, size_t byte_off)
{
    TSNode root = syntax_root(syntax);
    uint32_t at = (uint32_t)byte_off;
    TSNode node = ts_node_descendant_for_byte_range(root, at, at);
    if (!is_name(node) && at > 0) node = ts_node_descendant_for_byte_range(root, at - 1, at - 1);
    return node;
}

bool target_find(const Syntax *syntax, size_t byte_off, Target *out)
{
    Names names;
    TSNode node = name_at(syntax, byte_off);
    if (!is_name(node)) return false;
    names = (Names){.text = text_str(syntax_text(syntax))};
    add_locals_around(&names, syntax, ts_node_start_byte(node));
    *out = (Target){
        .name = node_text(&names, node), .range = syntax_range(node), .is_member = is_member(node)};
    if (!out->is_member) find_declaring(&names, out->name);
    size_t scope = out->is_member ? FILE_SCOPE : find_scope(&names, out->range.start);
    out->is_local = scope != FILE_SCOPE;
    if (out->is_local) out->scope = names.declaring.items[scope];
    for (size_t i = 0; out->is_local && out->declared.end == 0 && i < names.locals.n; i++) {
        TSNode local = names.locals.items[i];
        bool same = str_equal(node_text(&names, local), out->name) &&
                    find_scope(&names, ts_node_start_byte(local)) == scope;
        if (same) out->declared = syntax_range(local);
    }
    names_deinit(&names);
    return true;
}

static bool is_same(const Names *names, const Target *target, TSNode node)
{
    if (!str_equal(node_text(names, node), target->name)) return false;
    // The cheap test first: looking for a parent walks down from the root.
    if (!target->is_member) {
        size_t scope = find_scope(names, ts_node_start_byte(node));
        if ((scope != FILE_SCOPE) != target->is_local) return false;
        if (target->is_local && (names->declaring.items[scope].start != target->scope.start ||
                                 names->declaring.items[scope].end != target->scope.end))
            return false;
    }
    return is_member(node) == target->is_member;
}

static bool is_local(const Names *names, TSNode node)
{
    for (size_t i = 0; i < names->locals.n; i++)
        if (ts_node_eq(names->locals.items[i], node)) return true;
    return false;
}

typedef struct PlaceFinder {
    const Names *names;
    const Target *target;
    VEC(TargetPlace) places;
} PlaceFinder;

static void find_places(PlaceFinder *finder, const Syntax *syntax, ByteRange range)
{
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which;
    size_t last = SIZE_MAX; // captures come in order; several patterns give one node
    ts_query_cursor_set_byte_range(cursor, (uint32_t)range.start, (uint32_t)range.end);
    ts_query_cursor_exec(cursor, queries_get(syntax_language(syntax), QUERY_REFERENCES),
                         syntax_root(syntax));
    while (ts_query_cursor_next_capture(cursor, &match, &which)) {
        TSNode node = match.captures[which].node;
        size_t start = ts_node_start_byte(node);
        if (start < range.start || start == last || !is_same(finder->names, finder->target, node))
            continue;
        last = start;
        VEC_PUSH(&finder->places,
                 ((TargetPlace){syntax_range(node), is_local(finder->names, node)}));
    }
    ts_query_cursor_delete(cursor);
}

size_t target_places(const Syntax *syntax, const Target *target, Arena *arena, TargetPlace **out)
{
    enum { MAX_LOOKED_AT = 64 }; // then the rest of the file is walked through at once
    *out = NULL;
    if (!queries_get(syntax_language(syntax), QUERY_REFERENCES)) return 0;
    Names names;
    names_init(&names, syntax, target->name);
    if (!target->is_member) find_declaring(&names, target->name);
    PlaceFinder finder = {.names = &names, .target = target};
    ByteRange all = {0, names.text.len};
    if (target->is_local) all = target->scope;
    size_t n_looked_at = 0, len = target->name.len;
    for (size_t at = all.start; len && (at = str_find_word(names.text, target->name, at)) < all.end;
         at += len) {
        bool rest = n_looked_at++ == MAX_LOOKED_AT;
        find_places(&finder, syntax, (ByteRange){at, rest ? all.end : at + len});
        if (rest) break;
    }
    names_deinit(&names);
    size_t n = finder.places.n;
    *out = arena_array(arena, n, sizeof **out);
    if (n) memcpy(*out, finder.places.items, n * sizeof **out);
    VEC_FREE(&finder.places);
    return n;
}

bool target_is_shadowed(const Syntax *syntax, Str name)
{
    Names names;
    names_init(&names, syntax, name);
    find_declaring(&names, name);
    bool shadowed = names.declaring.n > 0;
    names_deinit(&names);
    return shadowed;
}

// Names and attributes decide; whether the file is one of tests is the caller's to know.
#include "index/test_functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "index/symbols.h"
#include "workspace/node.h"

typedef VEC(TestFunction) TestFunctions;

static Str text_of(const Syntax *syntax, ByteRange range)
{
    return str_slice(text_str(syntax_text(syntax)), range.start, range.end);
}

static bool is_language(const Syntax *syntax, const char *const *ids)
{
    for (; *ids; ids++)
        if (strcmp(syntax_language(syntax)->id, *ids) == 0) return true;
    return false;
}

// "#[test]", "#[tokio::test]", but not "#[cfg(test)]".
static bool is_test_attribute(Str text)
{
    Str inside = str_slice(text, str_find(text, STR("["), 0) + 1, str_find(text, STR("]"), 0));
    inside = str_trim(str_slice(inside, 0, str_find(inside, STR("("), 0)));
    return str_equal(inside, STR("test")) || str_ends(inside, STR("::test"));
}

static bool is_marked(const Syntax *syntax, ByteRange name)
{
    uint32_t at = (uint32_t)name.start;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), at, at);
    while (!ts_node_is_null(node) && !node_is(node, "function_item"))
        node = ts_node_parent(node);
    if (ts_node_is_null(node)) return false;
    for (node = ts_node_prev_named_sibling(node); node_is(node, "attribute_item");
         node = ts_node_prev_named_sibling(node))
        if (is_test_attribute(text_of(syntax, syntax_range(node)))) return true;
    return false;
}

static bool is_test_name(const Syntax *syntax, Str name)
{
    static const char *const c[] = {"c", "cpp", NULL}, *const python[] = {"python", NULL},
                             *const go[] = {"go", NULL};
    if (is_language(syntax, python)) return str_starts(name, STR("test"));
    if (is_language(syntax, go)) return str_starts(name, STR("Test"));
    return is_language(syntax, c) &&
           (str_starts(name, STR("test_")) || str_ends(name, STR("_test")));
}

static void add_functions(const Syntax *syntax, Arena *arena, TestFunctions *out)
{
    static const char *const rust[] = {"rust", NULL};
    PlainSymbols all = symbols_collect_plain(syntax, (ByteRange){0, UINT32_MAX}, arena);
    for (size_t i = 0; i < all.n_symbols; i++) {
        const Symbol *s = &all.symbols[i];
        if ((s->kind != SYMBOL_FUNCTION && s->kind != SYMBOL_METHOD) || s->is_declaration) continue;
        TestFunction f = {.name = arena_str(arena, s->name), .name_range = s->name_range};
        f.is_marked = is_language(syntax, rust) && is_marked(syntax, s->name_range);
        f.is_test = f.is_marked || is_test_name(syntax, s->name);
        VEC_PUSH(out, f);
    }
}

// --- JavaScript: a test is a call ----------------------------------------------------------------

// test("adds", ...), it(...), test.only(...).
static bool is_test_call(const Syntax *syntax, TSNode node, TSNode *name)
{
    if (!node_is(node, "call_expression")) return false;
    TSNode callee = ts_node_child_by_field_name(node, "function", 8);
    if (node_is(callee, "member_expression"))
        callee = ts_node_child_by_field_name(callee, "object", 6);
    if (!node_is(callee, "identifier")) return false;
    Str called = text_of(syntax, syntax_range(callee));
    if (!str_equal(called, STR("test")) && !str_equal(called, STR("it"))) return false;
    TSNode arguments = ts_node_child_by_field_name(node, "arguments", 9);
    if (ts_node_is_null(arguments)) return false;
    *name = ts_node_named_child(arguments, 0);
    return node_is(*name, "string") || node_is(*name, "template_string");
}

static void add_call(const Syntax *syntax, TSNode name, Arena *arena, TestFunctions *out)
{
    ByteRange range = syntax_range(name);
    if (range.end - range.start < 3) return;
    range = (ByteRange){range.start + 1, range.end - 1}; // without the quotes
    TestFunction f = {
        .name = arena_str(arena, text_of(syntax, range)), .name_range = range, .is_test = true};
    VEC_PUSH(out, f);
}

static void add_calls(const Syntax *syntax, Arena *arena, TestFunctions *out)
{
    TSTreeCursor cursor = ts_tree_cursor_new(syntax_root(syntax));
    bool more = true;
    while (more) {
        TSNode name;
        if (is_test_call(syntax, ts_tree_cursor_current_node(&cursor), &name))
            add_call(syntax, name, arena, out);
        if (ts_tree_cursor_goto_first_child(&cursor)) continue;
        while (more && !ts_tree_cursor_goto_next_sibling(&cursor))
            more = ts_tree_cursor_goto_parent(&cursor);
    }
    ts_tree_cursor_delete(&cursor);
}

static int by_place(const void *a, const void *b)
{
    const TestFunction *x = a, *y = b;
    return (x->name_range.start > y->name_range.start) -
           (x->name_range.start < y->name_range.start);
}

size_t test_functions_collect(const Syntax *syntax, Arena *arena, TestFunction **out)
{
    static const char *const scripts[] = {"javascript", "typescript", "tsx", NULL};
    TestFunctions found = {0};
    add_functions(syntax, arena, &found);
    if (is_language(syntax, scripts)) add_calls(syntax, arena, &found);
    size_t n = found.n;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) {
        memcpy(*out, found.items, n * sizeof **out);
        qsort(*out, n, sizeof **out, by_place);
    }
    VEC_FREE(&found);
    return n;
}

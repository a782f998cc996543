// Grammars agree on little but that the list of parameters is a node whose type says so, under a
// node that has the function's name as `name` or `declarator`.
#include "nextedit/signature.h"

#include <string.h>

#include "base/vec.h"
#include "workspace/node.h"

typedef VEC(NextEdit) NextEditVec;

static Str node_text(const Syntax *syntax, TSNode node)
{
    ByteRange r = syntax_range(node);
    return str_slice(text_str(syntax_text(syntax)), r.start, r.end);
}

static bool is_list(TSNode node)
{
    return node_is(node, "parameter_list") || node_is(node, "parameters") ||
           node_is(node, "formal_parameters") || node_is(node, "function_value_parameters");
}

// The list of parameters around a place; null: none before the function's body.
static TSNode list_at(const Syntax *syntax, size_t byte_off)
{
    uint32_t at = (uint32_t)byte_off;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), at, at);
    // At its very end the place lies in what follows.
    if (!is_list(node) && at > 0)
        node = ts_node_descendant_for_byte_range(syntax_root(syntax), at - 1, at);
    while (!ts_node_is_null(node) && !is_list(node)) {
        if (node_is(node, "block") || node_is(node, "compound_statement") ||
            node_is(node, "statement_block"))
            return (TSNode){0};
        node = ts_node_parent(node);
    }
    return node;
}

static bool is_item(TSNode node)
{
    return !strstr(ts_node_type(node), "comment");
}

// The parameters or arguments of a list; `f(void)` has none.
static uint32_t count(const Syntax *syntax, TSNode list)
{
    uint32_t n = 0, all = ts_node_named_child_count(list);
    for (uint32_t i = 0; i < all; i++)
        n += is_item(ts_node_named_child(list, i));
    bool is_void = n == 1 && str_equal(node_text(syntax, list), STR("(void)"));
    return is_void ? 0 : n;
}

static TSNode item(TSNode list, uint32_t i)
{
    uint32_t all = ts_node_named_child_count(list);
    for (uint32_t k = 0; k < all; k++) {
        TSNode node = ts_node_named_child(list, k);
        if (is_item(node) && i-- == 0) return node;
    }
    return (TSNode){0};
}

// The name of what has the list; empty: it has none.
static Str name_of(const Syntax *syntax, TSNode list)
{
    TSNode owner = ts_node_parent(list);
    TSNode name = node_field(owner, "name");
    if (ts_node_is_null(name)) name = node_field(owner, "declarator");
    // X::f and *f and (f): the last word.
    Str text = ts_node_is_null(name) ? STR("") : str_trim(node_text(syntax, name));
    size_t start = text.len;
    while (start > 0 && str_is_word_byte(text.ptr[start - 1]))
        start--;
    return str_slice(text, start, text.len);
}

static bool first_is_self(const Syntax *syntax, TSNode list)
{
    TSNode first = item(list, 0);
    if (ts_node_is_null(first)) return false;
    Str text = node_text(syntax, first);
    return str_equal(text, STR("self")) || str_equal(text, STR("cls"));
}

// What a parameter of C or C++ declares; null: it has no name.
static TSNode parameter_name(TSNode parameter)
{
    TSNode node = node_field(parameter, "declarator");
    while (!ts_node_is_null(node) && !node_is(node, "identifier")) {
        TSNode inner = node_field(node, "declarator");
        if (ts_node_is_null(inner) && ts_node_named_child_count(node))
            inner = ts_node_named_child(node, 0); // of brackets and references
        node = inner;
    }
    return node;
}

bool signature_find(const Syntax *before, const Syntax *after, const Change *change, Arena *arena,
                    SignatureChange *out)
{
    TSNode old = list_at(before, change->start), now = list_at(after, change->start);
    if (ts_node_is_null(old) || ts_node_is_null(now)) return false;
    uint32_t n_old = count(before, old), n_now = count(after, now);
    Str name = name_of(after, now);
    if (name.len == 0 || !str_equal(name, name_of(before, old))) return false;
    if (n_now != n_old + 1 && n_old != n_now + 1) return false;
    uint32_t at = 0, fewer = n_old < n_now ? n_old : n_now;
    while (at < fewer &&
           str_equal(node_text(before, item(old, at)), node_text(after, item(now, at))))
        at++;
    // All others have to be what they were.
    for (uint32_t i = at; i < fewer; i++)
        if (!str_equal(node_text(before, item(old, i + (n_old > n_now))),
                       node_text(after, item(now, i + (n_now > n_old)))))
            return false;
    *out = (SignatureChange){.name = arena_str(arena, name),
                             .n_before = n_old,
                             .at = at,
                             .added = n_now > n_old,
                             .is_method = first_is_self(after, now)};
    if (!out->added) return true;
    TSNode parameter = item(now, at), own = parameter_name(parameter);
    ByteRange whole = syntax_range(parameter), cut = whole;
    if (!ts_node_is_null(own)) cut = syntax_range(own);
    Str text = text_str(syntax_text(after));
    out->parameter = arena_str(arena, node_text(after, parameter));
    Str before_name = str_slice(text, whole.start, cut.start);
    Str behind = str_slice(text, cut.end, whole.end);
    out->unnamed =
        str_trim_end(arena_printf(arena, "%.*s%.*s", STR_FMT(before_name), STR_FMT(behind)));
    return true;
}

// --- places --------------------------------------------------------------------------------------

// A place for item number i, with its comma: what is written there stands between before and after.
static NextEdit make_insertion(TSNode list, uint32_t i, uint32_t n)
{
    NextEdit edit = {
        .how = NEXT_EDIT_WRITTEN, .text = STR(""), .before = STR(""), .after = STR("")};
    if (n == 0) {
        edit.range = (ByteRange){ts_node_start_byte(list) + 1, ts_node_end_byte(list) - 1};
    } else if (i == n) {
        size_t end = ts_node_end_byte(item(list, n - 1));
        edit.range = (ByteRange){end, end};
        edit.before = STR(", ");
    } else {
        size_t start = ts_node_start_byte(item(list, i));
        edit.range = (ByteRange){start, start};
        edit.after = STR(", ");
    }
    return edit;
}

static NextEdit make_removal(TSNode list, uint32_t i, uint32_t n)
{
    ByteRange range = syntax_range(item(list, i));
    if (i + 1 < n)
        range.end = ts_node_start_byte(item(list, i + 1));
    else if (i > 0)
        range.start = ts_node_end_byte(item(list, i - 1));
    return (NextEdit){.range = range, .text = STR("")};
}

// The list of arguments of a call of the name at this node; null: it is none.
static TSNode arguments_of(TSNode name, bool *is_member)
{
    TSNode callee = name, parent = ts_node_parent(name);
    *is_member = node_is(parent, "attribute") || node_is(parent, "field_expression") ||
                 node_is(parent, "member_expression") || node_is(parent, "selector_expression");
    if (*is_member) {
        callee = parent;
        parent = ts_node_parent(parent);
    }
    bool is_call = node_is(parent, "call_expression") || node_is(parent, "call");
    if (!is_call || !ts_node_eq(node_field(parent, "function"), callee)) return (TSNode){0};
    return node_field(parent, "arguments");
}

static void add_call(const Syntax *syntax, const SignatureChange *change, TSNode name,
                     NextEditVec *out)
{
    bool is_member;
    TSNode list = arguments_of(name, &is_member);
    if (ts_node_is_null(list) || is_member != change->is_method) return;
    uint32_t hidden = change->is_method ? 1 : 0, n = count(syntax, list);
    if (change->at < hidden || n + hidden != change->n_before) return;
    uint32_t at = change->at - hidden;
    VEC_PUSH(out, change->added ? make_insertion(list, at, n) : make_removal(list, at, n));
}

// In other languages than C and C++ a second function of the name is another function.
static void add_declaration(const Syntax *syntax, const SignatureChange *change, TSNode name,
                            Arena *arena, NextEditVec *out)
{
    TSNode owner = ts_node_parent(name), list = node_field(owner, "parameters");
    if (!node_is(owner, "function_declarator") || ts_node_is_null(list)) return;
    uint32_t n = count(syntax, list);
    if (!is_list(list) || n != change->n_before) return;
    NextEdit edit;
    if (!change->added) {
        edit = make_removal(list, change->at, n);
    } else {
        bool named = n == 0;
        for (uint32_t i = 0; i < n; i++)
            named = named || !ts_node_is_null(parameter_name(item(list, i)));
        Str parameter = named ? change->parameter : change->unnamed;
        edit = make_insertion(list, change->at, n);
        edit.how = NEXT_EDIT_CERTAIN;
        edit.text = arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(edit.before), STR_FMT(parameter),
                                 STR_FMT(edit.after));
    }
    VEC_PUSH(out, edit);
}

size_t signature_places(const Syntax *syntax, const SignatureChange *change, Arena *arena,
                        NextEdit **out)
{
    NextEditVec found = {0};
    Str text = text_str(syntax_text(syntax));
    size_t len = change->name.len;
    for (size_t at = 0; (at = str_find_word(text, change->name, at)) < text.len; at += len) {
        TSNode name = ts_node_descendant_for_byte_range(syntax_root(syntax), (uint32_t)at,
                                                        (uint32_t)(at + len));
        if (ts_node_start_byte(name) != at || ts_node_end_byte(name) != at + len) continue;
        add_call(syntax, change, name, &found);
        add_declaration(syntax, change, name, arena, &found);
    }
    size_t n = found.n;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) memcpy(*out, found.items, n * sizeof **out);
    VEC_FREE(&found);
    return n;
}

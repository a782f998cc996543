// The text is copied from node to node, so that lines stay where they are.
#include "formal/rewrite.h"

#include "formal/translate.h"

// What glibc's assert calls.
static const Str failing = STR("__assert_fail");

static bool is_in(const UnitNames *names, Str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_equal(names->items[i], name)) return true;
    return false;
}

static void copy_until(Rewrite *r, size_t end)
{
    strbuf_append(&r->out, str_slice(r->original, r->at, end));
    r->at = end;
}

static bool is_reached(const Rewrite *r, TSNode node)
{
    return node_is(node, "function_definition") &&
           is_in(&r->reached, translate_name_of(node, r->unit->source));
}

static bool needs_assertion(Rewrite *r, TSNode node)
{
    TSNode argument = node_field(node, "argument"), index = node_field(node, "index");
    if (!node_is(node, "subscript_expression")) return false;
    bool minus =
        str_starts(unit_text(r->unit, index), STR("-")); // the grammar's literals have signs
    if (node_is(index, "number_literal") && !minus) return false;
    bool plain = node_is(argument, "identifier"); // of a variable CBMC sees it
    int is_array = plain ? 0 : unit_is_array_expression(r->unit, argument);
    if (is_array < 0) VEC_PUSH(&r->unknown, unit_text(r->unit, argument));
    return is_array == 1;
}

static void rewrite_name(Rewrite *r, TSNode node, bool evaluated)
{
    Str name = unit_text(r->unit, node);
    ByteRange range = syntax_range(node);
    if (is_in(r->names, name)) {
        copy_until(r, range.start);
        strbuf_append(&r->out, STR("r1ls_old_"));
    } else if (evaluated && r->assumes && str_equal(name, failing)) {
        copy_until(r, range.start);
        strbuf_append(&r->out, STR("r1ls_stop"));
        r->at = range.end;
    }
}

static void rewrite_node(Rewrite *r, TSNode node, bool evaluated)
{
    if (node_is(node, "sizeof_expression") || node_is(node, "alignof_expression"))
        evaluated = false;
    if (node_is(node, "identifier")) rewrite_name(r, node, evaluated);
    bool checked = evaluated && needs_assertion(r, node);
    TSNode index = node_field(node, "index");
    for (uint32_t i = 0; i < ts_node_child_count(node); i++) {
        TSNode c = ts_node_child(node, i);
        bool wrapped = checked && ts_node_eq(c, index);
        if (wrapped) {
            copy_until(r, syntax_range(c).start);
            strbuf_append(&r->out, STR("({ long r1ls_i = (long)("));
        }
        rewrite_node(r, c, evaluated || is_reached(r, node));
        if (!wrapped) continue;
        copy_until(r, syntax_range(c).end);
        strbuf_append(&r->out, r->assumes ? STR("); __CPROVER_assume(r1ls_i >= 0); r1ls_i; })")
                                          : STR("); __CPROVER_assert(r1ls_i >= 0, "
                                                "\"" REWRITE_NEGATIVE "\"); r1ls_i; })"));
    }
}

Str rewrite_unit(Rewrite *r)
{
    UnitVariables used = {0};
    Str local;
    unit_reach(r->unit, r->function, &used, &local, &r->reached);
    if (r->assumes)
        strbuf_append(&r->out,
                      STR("static void r1ls_stop(const char *a, const char *b, unsigned c, "
                          "const char *d) { __CPROVER_assume(0); }\n"));
    rewrite_node(r, syntax_root(r->unit->syntax), false);
    copy_until(r, r->original.len);
    Str text = arena_str(r->unit->arena, strbuf_str(&r->out));
    strbuf_deinit(&r->out);
    VEC_FREE(&used);
    VEC_FREE(&r->reached);
    return text;
}

// Statements: branches, loops, switch and what leaves them.
#include "formal/translate.h"

#include <string.h>

// Iterations whose condition is a constant are unrolled up to here, whatever the bound.
enum { MAX_CONSTANT = 1024, MAX_SEARCH = 256, MAX_DEPTH = 200 };

static void die(Translator *t)
{
    t->state.path = term_bool(t->terms, false);
}

static bool is_dead(const Translator *t)
{
    return t->stopped || term_is_false(t->terms, t->state.path);
}

static void put_aside(Translator *t, StateVec *list, int n_slots)
{
    State copy = state_copy(t, &t->state);
    state_cut(t, &copy, n_slots);
    VEC_PUSH(list, copy);
    die(t);
}

static State merge_all(Translator *t, TSNode node, State first, const StateVec *list)
{
    for (size_t i = 0; i < list->n && !t->stopped; i++)
        first = state_merge(t, node, &first, &list->items[i]);
    return first;
}

static unsigned count_left(const Translator *t)
{
    return t->n_breaks + t->n_continues + t->n_returns + t->n_ends;
}

// --- branches ------------------------------------------------------------------------------------

static void translate_if(Translator *t, TSNode node)
{
    Term condition = translate_condition(t, node_field(node, "condition"));
    TSNode other = node_field(node, "alternative");
    Term path = t->state.path;
    unsigned before = count_left(t);
    State no = state_under(t, &t->state, term_and(t->terms, path, term_not(t->terms, condition)));
    t->state.path = term_and(t->terms, path, condition);
    translate_statement(t, node_field(node, "consequence"));
    State yes = t->state;
    t->state = no;
    if (!ts_node_is_null(other)) translate_statement(t, node_first(other));
    // The paths are disjoint, so either one's condition tells them apart.
    bool plain = count_left(t) == before;
    if (plain) yes.path = condition;
    if (plain && term_is_false(t->terms, condition)) {
        t->state.path = path;
        return;
    }
    if (plain && term_is_true(t->terms, condition)) {
        t->state = yes;
        t->state.path = path;
        return;
    }
    t->state = state_merge(t, node, &yes, &t->state);
    if (plain) t->state.path = path;
}

// --- loops ---------------------------------------------------------------------------------------

typedef struct Loop {
    TSNode node, condition, update, body;
    bool body_first;
    Term path;              // on which it was entered
    int n_bounded, n_known; // iterations
} Loop;

// One more iteration may run. False: the path ends here, and whether it can be reached is told.
static bool count_iteration(Translator *t, Loop *loop, bool is_constant)
{
    bool known = is_constant && t->state.path == loop->path;
    bool search = is_constant && !ts_node_is_null(loop->condition);
    int *count = known || search ? &loop->n_known : &loop->n_bounded;
    int most = known ? MAX_CONSTANT : search ? MAX_SEARCH : t->unwind;
    if (most < t->unwind) most = t->unwind;
    if ((*count)++ < most) return true;
    add_property(t, FORMAL_UNWIND, loop->node, term_bool(t->terms, true));
    t->n_ends++;
    die(t);
    return false;
}

static void iterate(Translator *t, Loop *loop, Flow *flow)
{
    for (bool first = true; !is_dead(t); first = false) {
        Term condition = term_bool(t->terms, true);
        if (!ts_node_is_null(loop->condition) && !(first && loop->body_first))
            condition = translate_condition(t, loop->condition);
        Term path = t->state.path;
        State out =
            state_under(t, &t->state, term_and(t->terms, path, term_not(t->terms, condition)));
        if (!term_is_false(t->terms, out.path)) VEC_PUSH(&flow->breaks, out);
        t->state.path = term_and(t->terms, path, condition);
        bool is_constant = term_is_true(t->terms, condition);
        if (is_dead(t) || !count_iteration(t, loop, is_constant)) break;
        translate_statement(t, loop->body);
        t->state = merge_all(t, loop->node, t->state, &flow->continues);
        flow->continues.n = 0;
        if (!is_dead(t) && !ts_node_is_null(loop->update)) translate_full(t, loop->update);
    }
}

static void translate_loop(Translator *t, Loop *loop)
{
    Flow flow = {.outer = t->flow, .is_loop = true, .n_slots = (int)t->slots.n};
    unsigned n_breaks = t->n_breaks, n_continues = t->n_continues;
    unsigned n_others = t->n_returns + t->n_ends;
    loop->path = t->state.path;
    t->flow = &flow;
    iterate(t, loop, &flow);
    t->flow = flow.outer;
    die(t);
    t->state = merge_all(t, loop->node, t->state, &flow.breaks);
    t->n_breaks = n_breaks;
    t->n_continues = n_continues;
    if (t->n_returns + t->n_ends == n_others) t->state.path = loop->path;
    VEC_FREE(&flow.breaks);
    VEC_FREE(&flow.continues);
}

static void translate_for(Translator *t, TSNode node)
{
    size_t n_names = t->names.n;
    int n_slots = (int)t->slots.n;
    TSNode first = node_field(node, "initializer");
    Loop loop = {.node = node,
                 .condition = node_field(node, "condition"),
                 .update = node_field(node, "update"),
                 .body = node_field(node, "body")};
    if (!ts_node_is_null(first) && node_is(first, "declaration"))
        translate_declaration(t, first);
    else if (!ts_node_is_null(first))
        translate_full(t, first);
    translate_loop(t, &loop);
    scope_close(t, n_names, n_slots);
}

static void translate_while(Translator *t, TSNode node, bool body_first)
{
    Loop loop = {.node = node,
                 .condition = node_field(node, "condition"),
                 .body = node_field(node, "body"),
                 .body_first = body_first};
    translate_loop(t, &loop);
}

// --- switch --------------------------------------------------------------------------------------

typedef struct Switch {
    Value value;
    State entry;
    Term none; // of the labels
} Switch;

static bool is_default(const Translator *t, TSNode label)
{
    return str_starts(node_text(t, label), STR("default"));
}

static Term matches(Translator *t, const Switch *s, TSNode label)
{
    Value wanted = translate_expression(t, node_field(label, "value"));
    wanted = convert(t, label, wanted, s->value.type);
    return term_binary(t->terms, TERM_EQ, s->value.term, wanted.term);
}

static void read_labels(Translator *t, Switch *s, TSNode body)
{
    s->none = term_bool(t->terms, true);
    for (TSNode c = node_first(body); !ts_node_is_null(c) && !t->stopped; c = node_next(c)) {
        if (!node_is(c, "case_statement"))
            stop_at(t, c, "a statement of a switch before its first label");
        else if (!is_default(t, c))
            s->none = term_and(t->terms, s->none, term_not(t->terms, matches(t, s, c)));
    }
}

// A label within a statement of the switch, which is jumped into.
static bool has_inner_label(TSNode node, int depth)
{
    bool inner = depth > 0 && node_is(node, "case_statement");
    if (depth > 0 && node_is(node, "switch_statement")) return false;
    for (TSNode c = node_first(node); !ts_node_is_null(c) && !inner; c = node_next(c))
        inner = has_inner_label(c, depth + 1);
    return inner;
}

static bool has_jump_into(TSNode body)
{
    bool found = false;
    for (TSNode c = node_first(body); !ts_node_is_null(c) && !found; c = node_next(c))
        found = has_inner_label(c, 0);
    return found;
}

static void translate_case(Translator *t, Switch *s, TSNode label)
{
    bool others = is_default(t, label);
    Term match = others ? s->none : matches(t, s, label);
    TSNode value = node_field(label, "value");
    State jump = state_under(t, &s->entry, term_and(t->terms, s->entry.path, match));
    t->state = state_merge(t, label, &t->state, &jump);
    for (TSNode c = node_first(label); !ts_node_is_null(c) && !t->stopped; c = node_next(c))
        if (others || !ts_node_eq(c, value)) translate_statement(t, c);
}

static void translate_switch(Translator *t, TSNode node)
{
    TSNode body = node_field(node, "body");
    Switch s = {.value = translate_full(t, node_field(node, "condition"))};
    if (s.value.type.kind != C_INT && s.value.type.kind != C_BOOL)
        stop_at(t, node, "a switch that is not over an integer");
    if (!node_is(body, "compound_statement")) stop_at(t, node, "a switch without braces");
    if (has_jump_into(body)) stop_at(t, node, "a label within a statement of a switch");
    if (t->stopped) return;
    s.value = convert(t, node, s.value, ctype_promote(s.value.type));
    size_t n_names = t->names.n;
    Flow flow = {.outer = t->flow, .n_slots = (int)t->slots.n};
    unsigned n_breaks = t->n_breaks, n_others = t->n_returns + t->n_continues + t->n_ends;
    s.entry = state_copy(t, &t->state);
    read_labels(t, &s, body);
    bool has_default = false;
    t->flow = &flow;
    die(t);
    for (TSNode c = node_first(body); !ts_node_is_null(c) && !t->stopped; c = node_next(c)) {
        has_default = has_default || is_default(t, c);
        translate_case(t, &s, c);
    }
    t->flow = flow.outer;
    scope_close(t, n_names, flow.n_slots);
    State past = state_under(t, &s.entry, term_and(t->terms, s.entry.path, s.none));
    if (!has_default) VEC_PUSH(&flow.breaks, past);
    t->state = merge_all(t, node, t->state, &flow.breaks);
    t->n_breaks = n_breaks;
    if (t->n_returns + t->n_continues + t->n_ends == n_others) t->state.path = s.entry.path;
    VEC_FREE(&flow.breaks);
}

// --- jumps ---------------------------------------------------------------------------------------

static void translate_jump(Translator *t, TSNode node, bool is_break)
{
    Flow *flow = t->flow;
    while (flow && !is_break && !flow->is_loop)
        flow = flow->outer;
    if (!flow) {
        stop_at(t, node, "%s outside of a loop", is_break ? "break" : "continue");
        return;
    }
    if (is_break)
        t->n_breaks++;
    else
        t->n_continues++;
    put_aside(t, is_break ? &flow->breaks : &flow->continues, flow->n_slots);
}

static void translate_return(Translator *t, TSNode node)
{
    TSNode expression = node_first(node);
    Value value = {.type = ctype_void};
    if (!ts_node_is_null(expression)) value = translate_full(t, expression);
    if (is_dead(t)) return; // a call that does not return
    if (t->call->result.kind != C_VOID && value.type.kind != C_VOID)
        value = convert(t, node, value, t->call->result);
    else if (t->call->result.kind != C_VOID || value.type.kind != C_VOID)
        stop_at(t, node, "a return that does not fit the function's type");
    if (value.base >= t->call->n_slots && value.type.kind == C_POINTER) value.base = BASE_GONE;
    VEC_PUSH(&t->call->values, value);
    t->n_returns++;
    put_aside(t, &t->call->states, t->call->n_slots);
}

// --- all -----------------------------------------------------------------------------------------

static void translate_block(Translator *t, TSNode node)
{
    size_t n_names = t->names.n;
    int n_slots = (int)t->slots.n;
    for (TSNode c = node_first(node); !ts_node_is_null(c) && !t->stopped; c = node_next(c))
        translate_statement(t, c);
    scope_close(t, n_names, n_slots);
}

static void translate_kind(Translator *t, TSNode node)
{
    if (node_is(node, "compound_statement"))
        translate_block(t, node);
    else if (node_is(node, "declaration"))
        translate_declaration(t, node);
    else if (node_is(node, "expression_statement")) {
        if (!ts_node_is_null(node_first(node))) translate_full(t, node_first(node));
    } else if (node_is(node, "if_statement"))
        translate_if(t, node);
    else if (node_is(node, "for_statement"))
        translate_for(t, node);
    else if (node_is(node, "while_statement"))
        translate_while(t, node, false);
    else if (node_is(node, "do_statement"))
        translate_while(t, node, true);
    else if (node_is(node, "switch_statement"))
        translate_switch(t, node);
    else if (node_is(node, "return_statement"))
        translate_return(t, node);
    else if (node_is(node, "break_statement"))
        translate_jump(t, node, true);
    else if (node_is(node, "continue_statement"))
        translate_jump(t, node, false);
    else
        stop_at(t, node, "%s", ts_node_type(node));
}

// What is not reached is left out, but for the names that it declares.
void translate_statement(Translator *t, TSNode node)
{
    if (t->stopped || (is_dead(t) && !node_is(node, "declaration"))) return;
    if (terms_is_full(t->terms)) {
        stop_at(t, node, "a formula that grows over its limit");
        return;
    }
    if (t->depth++ > MAX_DEPTH) stop_at(t, node, "statements nested this deep");
    if (!t->stopped) translate_kind(t, node);
    t->depth--;
}

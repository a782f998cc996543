// Functions: the one that is examined, and those that it calls.
#include "formal/translate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CALLS = 64 };

// --- nodes ---------------------------------------------------------------------------------------

Str node_text(const Translator *t, TSNode node)
{
    if (ts_node_is_null(node)) return STR("");
    ByteRange r = syntax_range(node);
    return str_slice(t->source, r.start, r.end);
}

static TSNode skip_comments(TSNode node)
{
    while (node_is(node, "comment"))
        node = ts_node_next_named_sibling(node);
    return node;
}

TSNode node_first(TSNode node)
{
    return ts_node_is_null(node) ? node : skip_comments(ts_node_named_child(node, 0));
}

TSNode node_next(TSNode node)
{
    return skip_comments(ts_node_next_named_sibling(node));
}

void stop_at(Translator *t, TSNode node, const char *fmt, ...)
{
    char text[200];
    va_list args;
    if (t->stopped) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if (*c == '_' && strstr(fmt, "%s")) *c = ' '; // kinds of nodes as words
    t->stopped = true;
    t->why = arena_str(t->arena, str_from(text));
    t->line = t->fixed_line ? t->fixed_line : ts_node_start_point(node).row + 1;
}

void add_property(Translator *t, FormalKind kind, TSNode node, Term condition)
{
    Property property = {kind, ts_node_start_point(node).row + 1,
                         term_and(t->terms, t->state.path, condition)};
    if (t->fixed_line) property.line = t->fixed_line;
    if (!t->stopped && !term_is_false(t->terms, property.when)) VEC_PUSH(&t->properties, property);
}

// --- finding functions ---------------------------------------------------------------------------

Str translate_name_of(TSNode function, Str source)
{
    TSNode d = node_field(function, "declarator");
    while (!ts_node_is_null(d) && !node_is(d, "identifier"))
        d = node_field(d, "declarator");
    if (ts_node_is_null(d)) return STR("");
    ByteRange r = syntax_range(d);
    return str_slice(source, r.start, r.end);
}

// Functions between #if and #endif count: which of them the compiler takes is not known, so a name
// that is defined twice is as good as not defined.
static int find_named(TSNode node, Str source, Str name, TSNode *out)
{
    int n = 0;
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c)) {
        if (node_is(c, "function_definition")) {
            if (!str_equal(translate_name_of(c, source), name)) continue;
            *out = c;
            n++;
        } else if (strncmp(ts_node_type(c), "preproc_", 8) == 0) {
            n += find_named(c, source, name, out);
        }
    }
    return n;
}

TSNode translate_find(const Syntax *syntax, Str name)
{
    TSNode found = {{0}, NULL, NULL}, none = found;
    int n = find_named(syntax_root(syntax), text_str(syntax_text(syntax)), name, &found);
    return n == 1 ? found : none;
}

TSNode translate_find_at(const Syntax *syntax, size_t byte_off)
{
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), (uint32_t)byte_off,
                                                    (uint32_t)byte_off);
    while (!ts_node_is_null(node) && !node_is(node, "function_definition"))
        node = ts_node_parent(node);
    return node;
}

// --- bodies --------------------------------------------------------------------------------------

// The result's pointer stands at the declarator.
static bool read_result(Translator *t, TSNode function, CType *out)
{
    TSNode d = node_field(function, "declarator");
    if (!read_type(t, function, out)) return false;
    if (!node_is(d, "function_declarator") && !node_is(d, "pointer_declarator"))
        stop_at(t, d, "this %s", ts_node_type(d));
    if (node_is(d, "pointer_declarator")) {
        if (!node_is(node_field(d, "declarator"), "function_declarator"))
            stop_at(t, d, "a pointer to a pointer");
        *out = ctype_pointer_to(*out);
        if (out->elem == C_VOID) stop_at(t, d, "a pointer to void");
    }
    if (out->kind == C_STRUCT) stop_at(t, d, "a structure as the result");
    return !t->stopped;
}

// Runs the body in the current state; afterwards the state is that of all returns together, and
// the value (its term meaningless for void) that of whichever was taken.
static Value run_body(Translator *t, TSNode function, Call *call)
{
    TSNode body = node_field(function, "body");
    Flow *flow = t->flow;
    t->flow = NULL;
    call->outer = t->call;
    t->call = call;
    translate_statement(t, body);
    bool has_end = !term_is_false(t->terms, t->state.path);
    if (has_end && call->result.kind != C_VOID)
        add_property(t, FORMAL_NO_RETURN, function, term_bool(t->terms, true));
    Value v = {call->result, term_bool(t->terms, false), BASE_NONE};
    if (call->result.kind != C_VOID)
        v.term = term_const(t->terms, call->result.kind == C_POINTER ? 64 : call->result.bits, 0);
    if (call->values.n && call->result.kind != C_VOID) v = call->values.items[0];
    state_cut(t, &t->state, call->n_slots);
    for (size_t i = 0; i < call->states.n && !t->stopped; i++) {
        if (i > 0)
            v = value_merge(t, function, call->states.items[i].path, call->values.items[i], v);
        t->state = state_merge(t, function, &t->state, &call->states.items[i]);
    }
    t->call = call->outer;
    t->flow = flow;
    VEC_FREE(&call->states);
    VEC_FREE(&call->values);
    return v;
}

static int count_calls(const Translator *t, Str name, int *n_all)
{
    int n = 0;
    *n_all = 0;
    for (const Call *c = t->call; c; c = c->outer, ++*n_all)
        n += str_equal(c->name, name);
    return n;
}

typedef VEC(Value) Arguments;

static void bind(Translator *t, TSNode node, TSNode function, const Arguments *arguments)
{
    TSNode list = find_parameters(function);
    size_t n = 0;
    for (TSNode c = node_first(list); !ts_node_is_null(c) && !t->stopped; c = node_next(c), n++) {
        Str name;
        CType type;
        TSNode size;
        if (!read_parameter(t, c, &name, &type, &size) || type.kind == C_VOID) break;
        if (n >= arguments->n) break;
        Value v = convert(t, node, arguments->items[n], type);
        if (arguments->items[n].type.is_const && !type.is_const && type.kind == C_POINTER)
            stop_at(t, node, "a const array that is passed on without const");
        TSNode up = c;
        while (!node_is(up, "function_definition"))
            up = ts_node_parent(up);
        Slot slot = {.name = name, .type = type, .knows_length = true};
        slot.length = term_const(t->terms, 64, 1);
        if (str_find(node_text(t, node_field(up, "body")),
                     arena_printf(t->arena, "&%.*s", STR_FMT(name)),
                     0) < node_text(t, node_field(up, "body")).len)
            stop_at(t, c, "the address of a parameter of a function that is called");
        if (t->stopped) return;
        if (type.kind == C_STRUCT) {
            structure_copy(t, c, structure_push(t, name, type, false), v.base, type);
            continue;
        }
        Place place = {.type = type, .slot = slot_push(t, slot)};
        store(t, c, place, v);
    }
    if (n != arguments->n) stop_at(t, node, "a call with another number of arguments");
}

static Value zero_of(Translator *t, CType type)
{
    int bits = type.kind == C_POINTER ? 64 : type.bits;
    Value v = {type, term_bool(t->terms, false), BASE_NONE};
    if (type.kind != C_VOID) v.term = term_const(t->terms, bits, 0);
    return v;
}

static Value enter(Translator *t, TSNode node, TSNode function, const Arguments *values, Call *call)
{
    Term path = t->state.path;
    size_t first_name = t->first_name, n_names = t->names.n;
    unsigned n_returns = t->n_returns, n_ends = t->n_ends;
    Value v = zero_of(t, call->result);
    t->first_name = t->names.n;
    bind(t, node, function, values);
    if (!t->stopped) v = run_body(t, function, call);
    scope_close(t, n_names, call->n_slots);
    t->first_name = first_name;
    t->n_returns = n_returns;
    if (t->n_ends == n_ends) t->state.path = path; // it returns, whatever its path
    return v;
}

Value translate_call(Translator *t, TSNode node, TSNode function, TSNode arguments)
{
    Arguments values = {0};
    int n_all;
    for (TSNode c = node_first(arguments); !ts_node_is_null(c) && !t->stopped; c = node_next(c))
        VEC_PUSH(&values, translate_expression(t, c));
    Str file = text_str(syntax_text(t->syntax)), source = t->source;
    uint32_t line = t->fixed_line;
    Call call = {
        .name = translate_name_of(function, file), .result = ctype_int, .n_slots = (int)t->slots.n};
    t->source = file;
    if (!t->stopped) read_result(t, function, &call.result);
    Value v = zero_of(t, call.result);
    bool alive = !t->stopped && !term_is_false(t->terms, t->state.path);
    bool too_deep = count_calls(t, call.name, &n_all) > t->unwind || n_all > MAX_CALLS;
    if (alive && too_deep) {
        add_property(t, FORMAL_UNWIND, node, term_bool(t->terms, true));
        t->state.path = term_bool(t->terms, false);
        t->n_ends++;
    } else if (alive) {
        t->fixed_line = 0;
        v = enter(t, node, function, &values, &call);
    }
    t->source = source;
    t->fixed_line = line;
    VEC_FREE(&values);
    return v;
}

bool translate_function(Translator *t, TSNode function, const Translator *like)
{
    t->source = text_str(syntax_text(t->syntax));
    t->state.path = term_bool(t->terms, true);
    t->assumed = term_bool(t->terms, true);
    read_macros(t);
    declare_globals(t);
    t->first_name = t->names.n;
    Call call = {.name = translate_name_of(function, t->source)};
    if (syntax_error_count(t->syntax, syntax_range(function)))
        stop_at(t, function, "a syntax error");
    if (!t->stopped && read_result(t, function, &call.result)) declare_inputs(t, function, like);
    if (call.result.kind == C_POINTER) stop_at(t, function, "a pointer as the result");
    if (like && !t->stopped &&
        (like->result_type.kind != call.result.kind || like->result_type.bits != call.result.bits))
        stop_at(t, function, "another result type than that of the function compared with");
    call.n_slots = (int)t->slots.n;
    if (t->stopped) return false;
    Value v = run_body(t, function, &call);
    t->result = v.term;
    t->result_type = call.result;
    if (terms_is_full(t->terms)) stop_at(t, function, "a formula that grows over its limit");
    return !t->stopped;
}

void translate_deinit(Translator *t)
{
    VEC_FREE(&t->slots);
    VEC_FREE(&t->names);
    VEC_FREE(&t->properties);
    VEC_FREE(&t->inputs);
    VEC_FREE(&t->assumptions);
    VEC_FREE(&t->macros);
    for (size_t i = 0; i < t->layouts.n; i++)
        VEC_FREE(&t->layouts.items[i].fields);
    VEC_FREE(&t->layouts);
    headers_free(t);
}

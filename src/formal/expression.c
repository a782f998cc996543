// Expressions: C's conversions made explicit, and what each operator must not meet.
#include "formal/translate.h"

#include <string.h>

static Value scalar(CType type, Term term)
{
    return (Value){type, term, BASE_NONE};
}

static Value nothing(Translator *t)
{
    return scalar(ctype_int, term_const(t->terms, ctype_int.bits, 0));
}

Value int_value(Translator *t, Term truth)
{
    return scalar(ctype_int, term_ite(t->terms, truth, term_const(t->terms, ctype_int.bits, 1),
                                      term_const(t->terms, ctype_int.bits, 0)));
}

Term value_truth(Translator *t, Value v)
{
    if (v.type.kind == C_POINTER) return term_bool(t->terms, true); // no pointer is null
    if (v.type.kind == C_VOID || v.type.kind == C_STRUCT) return term_bool(t->terms, false);
    return term_not(t->terms,
                    term_binary(t->terms, TERM_EQ, v.term, term_const(t->terms, v.type.bits, 0)));
}

static bool is_arithmetic(Value v)
{
    return v.type.kind == C_INT || v.type.kind == C_BOOL;
}

Value convert(Translator *t, TSNode node, Value v, CType type)
{
    if (type.kind == C_VOID) return scalar(ctype_void, term_bool(t->terms, false));
    if (type.kind == C_POINTER || v.type.kind == C_POINTER) {
        bool same = type.kind == v.type.kind && type.elem == v.type.elem &&
                    type.bits == v.type.bits && type.is_signed == v.type.is_signed &&
                    type.layout == v.type.layout;
        if (type.kind == C_BOOL && v.type.kind == C_POINTER)
            return scalar(ctype_bool, term_const(t->terms, ctype_bool.bits, 1));
        if (!same) stop_at(t, node, "a pointer that is converted to another type");
        v.type.is_const = type.is_const;
        return v;
    }
    if (type.kind == C_STRUCT || v.type.kind == C_STRUCT) {
        if (type.kind != v.type.kind || type.layout != v.type.layout)
            stop_at(t, node, "a structure that is converted to another type");
        return v;
    }
    if (v.type.kind == C_VOID) {
        stop_at(t, node, "a value of a void expression");
        return nothing(t);
    }
    if (type.kind == C_BOOL)
        return scalar(type,
                      term_ite(t->terms, value_truth(t, v), term_const(t->terms, type.bits, 1),
                               term_const(t->terms, type.bits, 0)));
    return scalar(type, term_resize(t->terms, v.term, type.bits, v.type.is_signed));
}

// --- operators -----------------------------------------------------------------------------------

static const struct {
    Str text;
    TermOp op, signed_op;
    bool is_comparison, swaps, negates;
} operators[] = {
    {STR("+"), TERM_BVADD, TERM_ADD_OVERFLOWS, false, false, false},
    {STR("-"), TERM_BVSUB, TERM_SUB_OVERFLOWS, false, false, false},
    {STR("*"), TERM_BVMUL, TERM_MUL_OVERFLOWS, false, false, false},
    {STR("/"), TERM_UDIV, TERM_SDIV, false, false, false},
    {STR("%"), TERM_UREM, TERM_SREM, false, false, false},
    {STR("&"), TERM_BVAND, TERM_BVAND, false, false, false},
    {STR("|"), TERM_BVOR, TERM_BVOR, false, false, false},
    {STR("^"), TERM_BVXOR, TERM_BVXOR, false, false, false},
    {STR("<"), TERM_ULT, TERM_SLT, true, false, false},
    {STR(">"), TERM_ULT, TERM_SLT, true, true, false},
    {STR("<="), TERM_ULT, TERM_SLT, true, true, true},
    {STR(">="), TERM_ULT, TERM_SLT, true, false, true},
    {STR("=="), TERM_EQ, TERM_EQ, true, false, false},
    {STR("!="), TERM_EQ, TERM_EQ, true, false, true},
};

static void check_division(Translator *t, TSNode node, Value a, Value b)
{
    int bits = a.type.bits;
    Term zero = term_binary(t->terms, TERM_EQ, b.term, term_const(t->terms, bits, 0));
    add_property(t, FORMAL_DIVISION, node, zero);
    if (!a.type.is_signed) return;
    Term lowest = term_const(t->terms, bits, (uint64_t)1 << (bits - 1));
    Term minus_one = term_const(t->terms, bits, UINT64_MAX);
    add_property(t, FORMAL_OVERFLOW, node,
                 term_and(t->terms, term_binary(t->terms, TERM_EQ, a.term, lowest),
                          term_binary(t->terms, TERM_EQ, b.term, minus_one)));
}

// C11 6.5.7: the amount is within the width, and what a signed left shift gives is representable.
static Value translate_shift(Translator *t, TSNode node, bool left, Value a, Value b)
{
    a = convert(t, node, a, ctype_promote(a.type));
    b = convert(t, node, b, ctype_promote(b.type));
    Term width = term_const(t->terms, b.type.bits, (uint64_t)a.type.bits);
    Term fits = term_binary(t->terms, TERM_ULT, b.term, width); // a negative one is huge
    add_property(t, FORMAL_SHIFT, node, term_not(t->terms, fits));
    Term by = term_resize(t->terms, b.term, a.type.bits, false);
    TermOp op = left ? TERM_SHL : a.type.is_signed ? TERM_ASHR : TERM_LSHR;
    Term out = term_binary(t->terms, op, a.term, by);
    if (left && a.type.is_signed) {
        Term back = term_binary(t->terms, TERM_ASHR, out, by);
        Term minus = term_binary(t->terms, TERM_SLT, a.term, term_const(t->terms, a.type.bits, 0));
        Term lost = term_not(t->terms, term_binary(t->terms, TERM_EQ, back, a.term));
        add_property(t, FORMAL_SHIFT, node, term_or(t->terms, minus, lost));
    }
    return scalar(a.type, out);
}

static Value compare_pointers(Translator *t, TSNode node, Str op, Value a, Value b)
{
    bool equality = str_equal(op, STR("==")) || str_equal(op, STR("!="));
    uint64_t zero = 1;
    Value other = a.type.kind == C_POINTER ? b : a;
    if (equality && is_arithmetic(other) && term_is_const(t->terms, other.term, &zero) && !zero)
        return int_value(t, term_bool(t->terms, op.ptr[0] == '!')); // no pointer is null
    if (a.type.kind != C_POINTER || b.type.kind != C_POINTER || a.base != b.base || a.base < 0) {
        stop_at(t, node, "pointers to different arrays, compared or subtracted");
        return nothing(t);
    }
    const CType offset = {C_INT, C_VOID, 64, true, false, 0};
    return translate_operator(t, node, op, scalar(offset, a.term), scalar(offset, b.term));
}

static Value translate_pointers(Translator *t, TSNode node, Str op, Value a, Value b)
{
    bool minus = str_equal(op, STR("-"));
    if (a.type.kind == C_POINTER && is_arithmetic(b) && (minus || str_equal(op, STR("+"))))
        return pointer_add(t, node, a, b, minus);
    if (b.type.kind == C_POINTER && is_arithmetic(a) && str_equal(op, STR("+")))
        return pointer_add(t, node, b, a, false);
    static const Str known[] = {STR("-"),  STR("<"),  STR(">"), STR("<="),
                                STR(">="), STR("=="), STR("!=")};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_equal(op, known[i])) return compare_pointers(t, node, op, a, b);
    stop_at(t, node, "the operator %.*s of pointers", STR_FMT(op));
    return nothing(t);
}

Value translate_operator(Translator *t, TSNode node, Str op, Value a, Value b)
{
    if (t->stopped) return nothing(t);
    if (a.type.kind == C_VOID || b.type.kind == C_VOID) stop_at(t, node, "a void operand");
    if (a.type.kind == C_STRUCT || b.type.kind == C_STRUCT)
        stop_at(t, node, "a structure as an operand");
    if (a.type.kind == C_POINTER || b.type.kind == C_POINTER)
        return translate_pointers(t, node, op, a, b);
    if (t->stopped) return nothing(t);
    if (str_equal(op, STR("<<")) || str_equal(op, STR(">>")))
        return translate_shift(t, node, op.ptr[0] == '<', a, b);
    size_t i = 0, n = sizeof operators / sizeof *operators;
    while (i < n && !str_equal(operators[i].text, op))
        i++;
    if (i == n) {
        stop_at(t, node, "the operator %.*s", STR_FMT(op));
        return nothing(t);
    }
    CType type = ctype_common(a.type, b.type);
    a = convert(t, node, a, type);
    b = convert(t, node, b, type);
    TermOp how = type.is_signed ? operators[i].signed_op : operators[i].op;
    if (operators[i].is_comparison) {
        Term x = operators[i].swaps ? b.term : a.term, y = operators[i].swaps ? a.term : b.term;
        Term out = term_binary(t->terms, how, x, y);
        return int_value(t, operators[i].negates ? term_not(t->terms, out) : out);
    }
    bool overflows = how >= TERM_ADD_OVERFLOWS;
    if (overflows)
        add_property(t, FORMAL_OVERFLOW, node, term_binary(t->terms, how, a.term, b.term));
    if (operators[i].op == TERM_UDIV || operators[i].op == TERM_UREM) check_division(t, node, a, b);
    return scalar(type, term_binary(t->terms, overflows ? operators[i].op : how, a.term, b.term));
}

static Value translate_unary(Translator *t, TSNode node)
{
    Str op = node_text(t, node_field(node, "operator"));
    Value v = translate_expression(t, node_field(node, "argument"));
    if (t->stopped) return nothing(t);
    if (str_equal(op, STR("!"))) return int_value(t, term_not(t->terms, value_truth(t, v)));
    if (!is_arithmetic(v)) {
        stop_at(t, node, "the operator %.*s of this type", STR_FMT(op));
        return nothing(t);
    }
    v = convert(t, node, v, ctype_promote(v.type));
    if (str_equal(op, STR("-")))
        return translate_operator(t, node, op, scalar(v.type, term_const(t->terms, v.type.bits, 0)),
                                  v);
    if (str_equal(op, STR("~")))
        v.term = term_unary(t->terms, TERM_BVNOT, v.term);
    else if (!str_equal(op, STR("+")))
        stop_at(t, node, "the operator %.*s", STR_FMT(op));
    return v;
}

// --- what decides itself -------------------------------------------------------------------------

static bool has_effects(TSNode node)
{
    if (node_is(node, "assignment_expression") || node_is(node, "update_expression") ||
        node_is(node, "call_expression"))
        return true;
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c))
        if (has_effects(c)) return true;
    return false;
}

// Evaluates `node` only where the condition holds; the state afterwards is of both ways.
static Value translate_under(Translator *t, TSNode node, Term condition)
{
    Term path = t->state.path;
    Value v;
    if (!has_effects(node)) {
        t->state.path = term_and(t->terms, path, condition);
        v = translate_expression(t, node);
        t->state.path = path;
        return v;
    }
    unsigned before = t->n_ends;
    State no = state_under(t, &t->state, term_and(t->terms, path, term_not(t->terms, condition)));
    t->state = state_under(t, &t->state, term_and(t->terms, path, condition));
    v = translate_expression(t, node);
    t->state = state_merge(t, node, &t->state, &no);
    if (t->n_ends == before) t->state.path = path;
    return v;
}

static Value translate_logic(Translator *t, TSNode node, bool is_and)
{
    Term left = value_truth(t, translate_expression(t, node_field(node, "left")));
    Term go_on = is_and ? left : term_not(t->terms, left);
    Value v = translate_under(t, node_field(node, "right"), go_on);
    if (t->stopped) return nothing(t);
    Term right = value_truth(t, v);
    return int_value(t, is_and ? term_and(t->terms, left, right) : term_or(t->terms, left, right));
}

static Value translate_choice(Translator *t, TSNode node)
{
    TSNode yes = node_field(node, "consequence");
    if (ts_node_is_null(yes)) {
        stop_at(t, node, "a conditional without its middle operand");
        return nothing(t);
    }
    Term condition = value_truth(t, translate_expression(t, node_field(node, "condition")));
    Value a = translate_under(t, yes, condition);
    Value b = translate_under(t, node_field(node, "alternative"), term_not(t->terms, condition));
    if (t->stopped) return nothing(t);
    if (is_arithmetic(a) && is_arithmetic(b)) {
        CType type = ctype_common(a.type, b.type);
        a = convert(t, node, a, type);
        b = convert(t, node, b, type);
    } else if (a.type.kind != b.type.kind || a.type.kind == C_STRUCT) {
        stop_at(t, node, "a conditional of different types, or of structures");
        return nothing(t);
    }
    return value_merge(t, node, condition, a, b);
}

static Value translate_binary(Translator *t, TSNode node)
{
    Str op = node_text(t, node_field(node, "operator"));
    if (str_equal(op, STR("&&")) || str_equal(op, STR("||")))
        return translate_logic(t, node, op.ptr[0] == '&');
    Value a = translate_expression(t, node_field(node, "left"));
    Value b = translate_expression(t, node_field(node, "right"));
    return translate_operator(t, node, op, a, b);
}

// --- assignments ---------------------------------------------------------------------------------

static Value translate_assignment(Translator *t, TSNode node)
{
    Str op = node_text(t, node_field(node, "operator"));
    TSNode left = node_field(node, "left");
    Place place = find_place(t, left);
    if (t->stopped) return nothing(t);
    Value v = translate_expression(t, node_field(node, "right"));
    if (op.len > 1 && place.type.kind == C_STRUCT) stop_at(t, node, "a structure as an operand");
    if (op.len > 1 && !t->stopped) {
        Value old = load(t, left, place);
        v = translate_operator(t, node, str_slice(op, 0, op.len - 1), old, v);
    }
    if (t->stopped) return nothing(t);
    v = convert(t, node, v, place.type);
    if (place.type.kind == C_STRUCT && !t->stopped)
        structure_copy(t, node, place.slot, v.base, place.type);
    else
        store(t, node, place, v);
    return v;
}

static Value translate_update(Translator *t, TSNode node)
{
    TSNode target = node_field(node, "argument");
    Str op = str_slice(node_text(t, node_field(node, "operator")), 0, 1);
    bool is_prefix = ts_node_start_byte(target) > ts_node_start_byte(node);
    Place place = find_place(t, target);
    if (place.type.kind == C_STRUCT) stop_at(t, node, "a structure as an operand");
    if (t->stopped) return nothing(t);
    Value old = load(t, target, place);
    Value one = scalar(ctype_int, term_const(t->terms, ctype_int.bits, 1));
    Value new = convert(t, node, translate_operator(t, node, op, old, one), place.type);
    if (t->stopped) return nothing(t);
    store(t, node, place, new);
    return is_prefix ? new : old;
}

// --- calls and casts -----------------------------------------------------------------------------

static void translate_assert(Translator *t, TSNode node, TSNode argument)
{
    Term holds = value_truth(t, translate_expression(t, argument));
    add_property(t, FORMAL_ASSERT, node, term_not(t->terms, holds));
    t->state.path = term_and(t->terms, t->state.path, holds);
    t->n_ends++;
}

static Value translate_known_call(Translator *t, TSNode node, Str name, TSNode argument)
{
    bool long_abs = str_equal(name, STR("labs")) || str_equal(name, STR("llabs"));
    if (str_equal(name, STR("assert")) && !ts_node_is_null(argument)) {
        translate_assert(t, node, argument);
    } else if (str_equal(name, STR("abort")) || str_equal(name, STR("exit"))) {
        if (!ts_node_is_null(argument)) translate_expression(t, argument);
        t->state.path = term_bool(t->terms, false);
        t->n_ends++;
    } else if ((str_equal(name, STR("abs")) || long_abs) && !ts_node_is_null(argument)) {
        CType type = {C_INT, C_VOID, long_abs ? 64 : 32, true, false, 0};
        Value v = convert(t, node, translate_expression(t, argument), type);
        Term zero = term_const(t->terms, type.bits, 0), path = t->state.path;
        Term minus = term_binary(t->terms, TERM_SLT, v.term, zero);
        t->state.path = term_and(t->terms, path, minus);
        Value other = translate_operator(t, node, STR("-"), scalar(type, zero), v);
        t->state.path = path;
        return scalar(type, term_ite(t->terms, minus, other.term, v.term));
    } else {
        stop_at(t, node, "a call of %.*s, which is not defined in this file",
                STR_FMT(str_slice(name, 0, 60)));
    }
    return scalar(ctype_void, term_bool(t->terms, false));
}

// (T)(x), which the grammar takes for a call where it does not know that T is a type.
static bool is_cast(Translator *t, TSNode callee, TSNode arguments, CType *type)
{
    TSNode name = node_first(callee);
    return node_is(callee, "parenthesized_expression") && node_is(name, "identifier") &&
           ts_node_named_child_count(arguments) == 1 && name_find(t, node_text(t, name)) < 0 &&
           read_type_name(t, node_text(t, name), type);
}

static Value translate_any_call(Translator *t, TSNode node)
{
    TSNode callee = node_field(node, "function"), arguments = node_field(node, "arguments");
    CType type;
    if (is_cast(t, callee, arguments, &type))
        return convert(t, node, translate_expression(t, node_first(arguments)), type);
    Str name = node_text(t, callee);
    bool plain = node_is(callee, "identifier") && name_find(t, name) < 0;
    for (size_t i = 0; i < t->macros.n; i++)
        if (str_equal(t->macros.items[i].name, name)) plain = false;
    if (!plain) {
        stop_at(t, node, "a call of a pointer, a macro or an expression");
        return nothing(t);
    }
    TSNode function = translate_find(t->syntax, name);
    if (!ts_node_is_null(function)) return translate_call(t, node, function, arguments);
    return translate_known_call(t, node, name, node_first(arguments));
}

static Value translate_cast(Translator *t, TSNode node)
{
    TSNode named = node_field(node, "type");
    CType type;
    Value v = translate_expression(t, node_field(node, "value"));
    if (!ts_node_is_null(node_field(named, "declarator"))) stop_at(t, node, "a cast to a pointer");
    if (t->stopped || !read_type(t, named, &type)) return nothing(t);
    return convert(t, node, v, type);
}

static Value translate_sizeof(Translator *t, TSNode node)
{
    TSNode named = node_field(node, "type"), value = node_field(node, "value");
    CType type = ctype_void;
    uint64_t n = 1;
    while (!ts_node_is_null(value) && node_is(value, "parenthesized_expression"))
        value = node_first(value);
    if (!ts_node_is_null(named) && ts_node_is_null(node_field(named, "declarator"))) {
        read_type(t, named, &type);
    } else if (!ts_node_is_null(value) && node_is(value, "identifier")) {
        int slot = name_find(t, node_text(t, value));
        const Slot *s = slot >= 0 ? &t->slots.items[slot] : NULL;
        if (s && s->is_array && !term_is_const(t->terms, s->length, &n)) s = NULL;
        if (s) type = s->type;
    }
    if (type.kind == C_VOID || type.kind == C_STRUCT) stop_at(t, node, "this sizeof");
    uint64_t bytes = type.kind == C_POINTER ? sizeof(void *) : (uint64_t)type.bits / 8;
    return scalar(ctype_size, term_const(t->terms, ctype_size.bits, n * bytes));
}

// --- all -----------------------------------------------------------------------------------------

static Value translate_constant(Translator *t, TSNode node)
{
    Str text = node_text(t, node);
    const Value zero = nothing(t);
    CType type = ctype_int;
    uint64_t value = 0;
    bool ok = true, minus = text.len && text.ptr[0] == '-';
    // The grammar takes a sign as a part of the number.
    if (minus || (text.len && text.ptr[0] == '+')) text = str_slice(text, 1, text.len);
    if (node_is(node, "number_literal"))
        ok = ctype_read_number(text, &type, &value);
    else if (node_is(node, "char_literal"))
        ok = ctype_read_char(text, &value);
    else if (node_is(node, "true"))
        value = 1;
    if (!ok) stop_at(t, node, "the constant %.*s", STR_FMT(str_slice(text, 0, 40)));
    Value v = scalar(type, term_const(t->terms, type.bits, value));
    return minus ? translate_operator(t, node, STR("-"), zero, v) : v;
}

static Value translate_kind(Translator *t, TSNode node)
{
    static const char *const constants[] = {"number_literal", "char_literal", "true", "false",
                                            "null"};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (node_is(node, constants[i])) return translate_constant(t, node);
    if (node_is(node, "identifier")) return name_value(t, node);
    if (node_is(node, "parenthesized_expression")) return translate_expression(t, node_first(node));
    if (node_is(node, "binary_expression")) return translate_binary(t, node);
    if (node_is(node, "unary_expression")) return translate_unary(t, node);
    if (node_is(node, "assignment_expression")) return translate_assignment(t, node);
    if (node_is(node, "update_expression")) return translate_update(t, node);
    if (node_is(node, "conditional_expression")) return translate_choice(t, node);
    if (node_is(node, "call_expression")) return translate_any_call(t, node);
    if (node_is(node, "cast_expression")) return translate_cast(t, node);
    if (node_is(node, "sizeof_expression")) return translate_sizeof(t, node);
    if (node_is(node, "subscript_expression") ||
        (node_is(node, "pointer_expression") && ts_node_child_count(node) &&
         node_is(ts_node_child(node, 0), "*"))) {
        return place_value(t, node, find_place(t, node));
    }
    if (node_is(node, "field_expression")) return place_value(t, node, find_member(t, node));
    if (node_is(node, "pointer_expression")) return address_of(t, node);
    if (node_is(node, "comma_expression")) {
        translate_expression(t, node_field(node, "left"));
        return translate_expression(t, node_field(node, "right"));
    }
    stop_at(t, node, "%s", ts_node_type(node));
    return nothing(t);
}

Value translate_expression(Translator *t, TSNode node)
{
    if (t->stopped || ts_node_is_null(node)) return nothing(t);
    if (t->depth++ > 400) stop_at(t, node, "an expression nested this deep");
    if (terms_is_full(t->terms)) stop_at(t, node, "a formula that grows over its limit");
    Value v = t->stopped ? nothing(t) : translate_kind(t, node);
    t->depth--;
    return v;
}

Value translate_full(Translator *t, TSNode node)
{
    check_order(t, node);
    return translate_expression(t, node);
}

Term translate_condition(Translator *t, TSNode node)
{
    Value v = translate_full(t, node);
    return t->stopped ? term_bool(t->terms, false) : value_truth(t, v);
}

bool constant_of(Translator *t, TSNode node, uint64_t *out)
{
    Value v = translate_expression(t, node);
    return !t->stopped && is_arithmetic(v) && term_is_const(t->terms, v.term, out);
}

// Variables, elements and pointers: where a value is read and written.
#include "formal/translate.h"

#include <string.h>

static Term offset_const(Translator *t, uint64_t value)
{
    return term_const(t->terms, 64, value);
}

// The slot that a pointer points into; -1: stopped.
static int follow(Translator *t, TSNode node, Value pointer)
{
    if (t->stopped) return -1;
    if (pointer.type.kind != C_POINTER)
        stop_at(t, node, "an element of something that is no pointer or array");
    else if (pointer.base == BASE_GONE)
        stop_at(t, node, "a pointer that may point to a variable that is gone");
    else if (pointer.base == BASE_NONE)
        stop_at(t, node, "a pointer that points nowhere yet");
    return t->stopped ? -1 : pointer.base;
}

// An index of any type as an offset; one that is no offset of any array is a violation.
static Term read_count(Translator *t, TSNode node, Value count, bool *huge)
{
    *huge = false;
    if (count.type.kind != C_INT && count.type.kind != C_BOOL) {
        stop_at(t, node, "an index that is no integer");
        return offset_const(t, 0);
    }
    *huge = count.type.bits == 64 && !count.type.is_signed;
    return term_resize(t->terms, count.term, 64, count.type.is_signed);
}

Value pointer_add(Translator *t, TSNode node, Value pointer, Value count, bool minus)
{
    bool huge;
    Term by = read_count(t, node, count, &huge), zero = offset_const(t, 0);
    int slot = follow(t, node, pointer);
    if (pointer.type.elem == C_STRUCT) stop_at(t, node, "steps of a pointer to a structure");
    if (slot < 0 || t->stopped) return pointer;
    // One past the end is still a pointer (C11 6.5.6); an unsigned difference is compared, so that
    // what is below the start is too large.
    Term out = term_binary(t->terms, minus ? TERM_BVSUB : TERM_BVADD, pointer.term, by);
    Term past = term_binary(t->terms, TERM_ULT, t->slots.items[slot].length, out);
    if (huge) past = term_or(t->terms, past, term_binary(t->terms, TERM_SLT, by, zero));
    if (t->slots.items[slot].knows_length)
        add_property(t, FORMAL_BOUNDS, node, past);
    else if (!term_is_false(t->terms, past))
        stop_at(t, node, "steps of %.*s, of which no parameter is the length",
                STR_FMT(t->slots.items[slot].name));
    pointer.term = out;
    return pointer;
}

static Place element(Translator *t, TSNode node, Value pointer, Value index)
{
    bool huge;
    Term by = read_count(t, node, index, &huge), zero = offset_const(t, 0);
    int slot = follow(t, node, pointer);
    if (slot < 0) return (Place){.type = ctype_int};
    const Slot *s = &t->slots.items[slot];
    if (pointer.type.elem == C_STRUCT) {
        uint64_t first = 1;
        if (!term_is_const(t->terms, by, &first) || first != 0)
            stop_at(t, node, "elements of %.*s, a pointer to a structure", STR_FMT(s->name));
        return (Place){.type = s->type, .slot = slot};
    }
    Term at = term_binary(t->terms, TERM_BVADD, pointer.term, by);
    Term inside = term_binary(t->terms, TERM_ULT, at, s->length);
    if (huge)
        inside = term_and(t->terms, inside,
                          term_not(t->terms, term_binary(t->terms, TERM_SLT, by, zero)));
    if (s->knows_length)
        add_property(t, FORMAL_BOUNDS, node, term_not(t->terms, inside));
    else if (!term_is_true(t->terms, inside))
        stop_at(t, node, "elements of %.*s, of which no parameter is the length", STR_FMT(s->name));
    return (Place){s->type, slot, true, at};
}

static Place name_place(Translator *t, TSNode node)
{
    Str name = node_text(t, node);
    int slot = name_find(t, name);
    if (slot < 0) {
        stop_at(t, node, "%.*s, which is no local variable", STR_FMT(str_slice(name, 0, 60)));
        return (Place){.type = ctype_int};
    }
    const Slot *s = &t->slots.items[slot];
    if (s->is_cell) return (Place){s->type, slot, true, offset_const(t, 0)};
    if (s->is_array) stop_at(t, node, "the array %.*s as a whole", STR_FMT(s->name));
    return (Place){.type = s->type, .slot = slot};
}

// A member that is no array: an array as a whole is no place.
static Place find_array_free(Translator *t, TSNode node)
{
    Place place = find_member(t, node);
    if (!t->stopped && t->slots.items[place.slot].is_array)
        stop_at(t, node, "the array %.*s as a whole", STR_FMT(t->slots.items[place.slot].name));
    return place;
}

Place find_place(Translator *t, TSNode node)
{
    const Value none = {ctype_int, offset_const(t, 0), BASE_NONE};
    if (t->stopped) return (Place){.type = ctype_int};
    if (node_is(node, "field_expression")) return find_array_free(t, node);
    if (node_is(node, "parenthesized_expression")) return find_place(t, node_first(node));
    if (node_is(node, "identifier")) return name_place(t, node);
    if (node_is(node, "subscript_expression")) {
        Value pointer = translate_expression(t, node_field(node, "argument"));
        Value index = translate_expression(t, node_field(node, "index"));
        return element(t, node, pointer, index);
    }
    bool deref = node_is(node, "pointer_expression") && node_is(ts_node_child(node, 0), "*");
    if (deref) {
        Value index = none;
        index.term = term_const(t->terms, ctype_int.bits, 0);
        return element(t, node, translate_expression(t, node_field(node, "argument")), index);
    }
    stop_at(t, node, "%s that is assigned to", ts_node_type(node));
    return (Place){.type = ctype_int};
}

Value load(Translator *t, TSNode node, Place place)
{
    const Cell *cell = &t->state.cells[place.slot];
    Value v = {place.type, cell->value, cell->base};
    Term init = cell->init;
    if (t->stopped) return v;
    if (place.is_element) {
        Term bit = term_binary(t->terms, TERM_SELECT, init, place.index);
        init = term_binary(t->terms, TERM_EQ, bit, term_const(t->terms, 1, 1));
        v.term = term_binary(t->terms, TERM_SELECT, cell->value, place.index);
        v.base = BASE_NONE;
    }
    add_property(t, FORMAL_UNINITIALISED, node, term_not(t->terms, init));
    return v;
}

void store(Translator *t, TSNode node, Place place, Value v)
{
    if (t->stopped) return;
    Cell *cell = &t->state.cells[place.slot];
    if (t->slots.items[place.slot].is_const)
        stop_at(t, node, "a constant that is written: %.*s",
                STR_FMT(t->slots.items[place.slot].name));
    if (place.is_element) {
        cell->value = term_store(t->terms, cell->value, place.index, v.term);
        // Where all have values, one more has none to add.
        if (cell->init != term_array_const(t->terms, term_const(t->terms, 1, 1)))
            cell->init = term_store(t->terms, cell->init, place.index, term_const(t->terms, 1, 1));
    } else {
        *cell = (Cell){v.term, term_bool(t->terms, true), v.base};
    }
}

Value address_of(Translator *t, TSNode node)
{
    TSNode argument = node_field(node, "argument");
    if (node_is(argument, "subscript_expression")) { // &a[i] is a + i, the end included
        Value pointer = translate_expression(t, node_field(argument, "argument"));
        Value index = translate_expression(t, node_field(argument, "index"));
        return t->stopped ? pointer : pointer_add(t, node, pointer, index, false);
    }
    Place place = find_place(t, argument);
    Value v = {ctype_pointer_to(place.type), offset_const(t, 0), place.slot};
    bool structure = place.type.kind == C_STRUCT;
    if (!t->stopped && !place.is_element && !structure) stop_at(t, node, "the address of this");
    if (t->stopped) return v;
    if (!structure) v.term = place.index;
    v.type.is_const = t->slots.items[place.slot].is_const;
    return v;
}

// --- names ---------------------------------------------------------------------------------------

static const Macro *find_macro(const Translator *t, Str name)
{
    for (size_t i = t->macros.n; i > 0; i--)
        if (str_equal(t->macros.items[i - 1].name, name)) return &t->macros.items[i - 1];
    return NULL;
}

// The macro's text is parsed as an expression of its own; its nodes have the line of its use.
static Value macro_value(Translator *t, TSNode node, const Macro *macro)
{
    Value v = {ctype_int, term_const(t->terms, ctype_int.bits, 0), BASE_NONE};
    Error err = {0};
    TextSnap *text = NULL;
    Syntax *syntax = NULL;
    if (macro->is_function || t->depth > 300 || macro->text.len == 0) {
        stop_at(t, node, "the macro %.*s", STR_FMT(macro->name));
        return v;
    }
    text = text_new(arena_printf(t->arena, "int x = (%.*s);", STR_FMT(macro->text)), &err);
    syntax = text ? syntax_parse(syntax_language(t->syntax), text, NULL) : NULL;
    TSNode init = {{0}, NULL, NULL};
    if (syntax && syntax_error_count(syntax, (ByteRange){0, SIZE_MAX}) == 0)
        init = node_field(node_first(syntax_root(syntax)), "declarator");
    if (ts_node_is_null(init) || !node_is(init, "init_declarator") ||
        ts_node_named_child_count(syntax_root(syntax)) != 1) {
        stop_at(t, node, "the macro %.*s", STR_FMT(macro->name));
    } else {
        Str source = t->source;
        uint32_t line = t->fixed_line;
        if (!line) t->fixed_line = ts_node_start_point(node).row + 1;
        t->source = text_str(text);
        t->depth += 10;
        v = translate_expression(t, node_field(init, "value"));
        t->depth -= 10;
        t->source = source;
        t->fixed_line = line;
    }
    syntax_release(syntax);
    text_release(text);
    return v;
}

Value name_value(Translator *t, TSNode node)
{
    Str name = node_text(t, node);
    CType type = ctype_int;
    uint64_t value = 0;
    const Macro *macro = find_macro(t, name);
    if (macro) return macro_value(t, node, macro);
    int slot = name_find(t, name);
    if (slot >= 0) {
        const Slot *s = &t->slots.items[slot];
        if (!s->is_array || s->is_cell) return place_value(t, node, name_place(t, node));
        Value v = {ctype_pointer_to(s->type), offset_const(t, 0), slot};
        v.type.is_const = s->is_const;
        return v;
    }
    if (!ctype_read_limit(name, &type, &value) && !str_equal(name, STR("NULL")) &&
        !str_equal(name, STR("false"))) {
        if (str_equal(name, STR("true")))
            value = 1;
        else
            stop_at(t, node, "%.*s, which is no local variable", STR_FMT(str_slice(name, 0, 60)));
    }
    return (Value){type, term_const(t->terms, type.bits, value), BASE_NONE};
}

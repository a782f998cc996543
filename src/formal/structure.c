// Structures: a variable of one is a row of slots, its own and then one of each field, those of a
// nested structure in its place. Its own slot has a name, or is what pointers to it lead to; fields
// are reached through it only, so that no two names lead to one slot.
#include "formal/translate.h"

#include <string.h>

enum { MAX_SLOTS = 64, MAX_ELEMENTS = 4096 };

// --- layouts -------------------------------------------------------------------------------------

// Between #if and #endif too: what is defined twice has no single meaning.
static int find_bodies(const Translator *t, TSNode node, Str tag, int depth, TSNode *out)
{
    int n = 0;
    TSNode body = node_field(node, "body");
    if (node_is(node, "struct_specifier") && !ts_node_is_null(body) &&
        str_equal(node_text(t, node_field(node, "name")), tag)) {
        *out = body;
        n++;
    }
    if (node_is(node, "function_definition") || depth > 6) return n;
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c))
        n += find_bodies(t, c, tag, depth + 1, out);
    return n;
}

// A field's type where it is one of the subset; else `why`, and only its use is refused.
static void read_field_type(Translator *t, TSNode declaration, TSNode d, Field *f)
{
    f->name = node_text(t, d);
    if (!read_type(t, declaration, &f->type)) {
        f->why = t->why;
        t->stopped = false;
    }
    for (uint32_t i = 0; i < ts_node_named_child_count(declaration); i++) {
        TSNode c = ts_node_named_child(declaration, i);
        if (node_is(c, "bitfield_clause")) f->why = STR("a bit-field");
        if (node_is(c, "type_qualifier")) f->why = node_text(t, c);
    }
    TSNode size = node_field(d, "size");
    if (node_is(d, "array_declarator")) {
        TSNode inner = node_field(d, "declarator");
        f->name = node_text(t, inner);
        f->is_array = true;
        bool ok = node_is(inner, "field_identifier") && !ts_node_is_null(size) &&
                  f->type.kind == C_INT && constant_of(t, size, &f->n) && f->n > 0 &&
                  f->n <= MAX_ELEMENTS;
        if (!ok && f->why.len == 0) f->why = STR("an array of this kind");
        t->stopped = false;
    } else if (!node_is(d, "field_identifier")) {
        while (!ts_node_is_null(d) && !node_is(d, "field_identifier")) {
            TSNode inner = node_field(d, "declarator");
            d = ts_node_is_null(inner) ? node_first(d) : inner;
        }
        f->name = node_text(t, d);
        f->why = STR("a pointer");
    }
    if (f->type.kind == C_VOID && f->why.len == 0) f->why = STR("of type void");
}

static void add_field(Translator *t, Layout *layout, Field f)
{
    f.slot = layout->n_slots;
    if (f.why.len == 0)
        layout->n_slots += f.type.kind == C_STRUCT ? t->layouts.items[f.type.layout].n_slots : 1;
    VEC_PUSH(&layout->fields, f);
}

// A layout is known once it is complete, so that none can hold itself.
static bool read_layout(Translator *t, const Syntax *syntax, TSNode spec, TSNode body, int *out)
{
    Str tag = node_text(t, node_field(ts_node_parent(body), "name"));
    Layout layout = {.id = body.id, .n_slots = 1};
    layout.name = tag.len ? arena_printf(t->arena, "struct %.*s", STR_FMT(tag))
                          : STR("structure without a name");
    if (t->depth > 40 || syntax_error_count(syntax, syntax_range(body)))
        stop_at(t, spec, "the type %.*s", STR_FMT(layout.name));
    t->depth += 10;
    for (TSNode c = node_first(body); !ts_node_is_null(c) && !t->stopped; c = node_next(c)) {
        uint32_t n_before = (uint32_t)layout.fields.n;
        if (!node_is(c, "field_declaration")) // #if, say
            stop_at(t, spec, "the type %.*s", STR_FMT(layout.name));
        for (uint32_t i = 0; i < ts_node_child_count(c) && !t->stopped; i++) {
            const char *role = ts_node_field_name_for_child(c, i);
            if (!role || strcmp(role, "declarator") != 0) continue;
            Field f = {0};
            read_field_type(t, c, ts_node_child(c, i), &f);
            add_field(t, &layout, f);
        }
        if (layout.fields.n == n_before) // an unnamed member
            stop_at(t, spec, "the type %.*s", STR_FMT(layout.name));
    }
    t->depth -= 10;
    if (layout.n_slots > MAX_SLOTS) stop_at(t, spec, "a structure of this many fields");
    if (t->stopped) {
        VEC_FREE(&layout.fields);
        return false;
    }
    *out = (int)t->layouts.n;
    VEC_PUSH(&t->layouts, layout);
    return true;
}

// The only body of that tag in the file, else in the headers of the project; NULL: none, or
// several.
static const Syntax *find_definition(Translator *t, Str tag, TSNode *body)
{
    const Syntax *syntax, *found = NULL;
    int n = 0;
    for (size_t i = 0; (syntax = headers_source(t, i)); i++) {
        t->source = text_str(syntax_text(syntax));
        int here = find_bodies(t, syntax_root(syntax), tag, 0, body);
        if (here) found = syntax;
        n += here;
        if (i == 0 && n == 0) headers_load(t);
        if (i == 0 && n) break;
    }
    return n == 1 ? found : NULL;
}

static bool is_of_tree(const Syntax *syntax, TSNode node)
{
    return node.tree == syntax_root(syntax).tree;
}

// The tree that the node is of; NULL: a macro's.
static const Syntax *find_tree(const Translator *t, TSNode node)
{
    const Syntax *syntax;
    for (size_t i = 0; (syntax = headers_source(t, i)); i++)
        if (is_of_tree(syntax, node)) return syntax;
    return NULL;
}

static bool is_in_function(TSNode node)
{
    while (!ts_node_is_null(node) && !node_is(node, "function_definition"))
        node = ts_node_parent(node);
    return !ts_node_is_null(node);
}

bool read_structure(Translator *t, TSNode spec, CType *out)
{
    TSNode body = node_field(spec, "body");
    Str tag = node_text(t, node_field(spec, "name")), source = t->source;
    uint32_t line = t->fixed_line;
    const Syntax *syntax = find_tree(t, spec);
    *out = (CType){.kind = C_STRUCT};
    if (!ts_node_is_null(body) && is_in_function(spec))
        stop_at(t, spec, "a structure that a function defines");
    if (ts_node_is_null(body)) syntax = find_definition(t, tag, &body);
    t->source = source;
    if (!syntax)
        stop_at(t, spec, "the type struct %.*s, which is not defined once here or in a header",
                STR_FMT(tag));
    for (size_t i = 0; i < t->layouts.n && !t->stopped; i++)
        if (t->layouts.items[i].id == body.id) {
            out->layout = (int)i;
            return true;
        }
    if (t->stopped) return false;
    // What a header has is told with the line of its use.
    if (syntax != t->syntax && !line) t->fixed_line = ts_node_start_point(spec).row + 1;
    t->source = text_str(syntax_text(syntax));
    bool ok = read_layout(t, syntax, spec, body, &out->layout);
    t->source = source;
    t->fixed_line = line;
    return ok;
}

// --- variables -----------------------------------------------------------------------------------

static void push_fields(Translator *t, Str name, CType type, bool is_const)
{
    // Layouts may move while a nested one is read, but none is read here.
    const Layout *layout = &t->layouts.items[type.layout];
    for (size_t i = 0; i < layout->fields.n; i++) {
        const Field *f = &layout->fields.items[i];
        if (f->why.len) continue;
        Slot slot = {.name = arena_printf(t->arena, "%.*s.%.*s", STR_FMT(name), STR_FMT(f->name)),
                     .type = f->type,
                     .is_array = f->is_array,
                     .is_const = is_const,
                     .knows_length = true};
        slot.length = term_const(t->terms, 64, f->is_array ? f->n : 1);
        slot_push(t, slot);
        t->names.items[t->names.n - 1].name = STR("");
        if (f->type.kind == C_STRUCT) push_fields(t, slot.name, f->type, is_const);
    }
}

int structure_push(Translator *t, Str name, CType type, bool is_const)
{
    Slot slot = {.name = name, .type = type, .is_const = is_const, .knows_length = true};
    slot.length = term_const(t->terms, 64, 1);
    int at = slot_push(t, slot);
    push_fields(t, name, type, is_const);
    return at;
}

static bool has_value(Translator *t, int slot)
{
    Term init = t->state.cells[slot].init;
    if (!t->slots.items[slot].is_array) return term_is_true(t->terms, init);
    return init == term_array_const(t->terms, term_const(t->terms, 1, 1));
}

void structure_copy(Translator *t, TSNode node, int to, int from, CType type)
{
    int n = t->layouts.items[type.layout].n_slots;
    if (from < 0) stop_at(t, node, "the value of this structure");
    if (!t->stopped && t->slots.items[to].is_const)
        stop_at(t, node, "a constant that is written: %.*s", STR_FMT(t->slots.items[to].name));
    const Layout *layout = &t->layouts.items[type.layout];
    for (size_t i = 0; i < layout->fields.n; i++)
        if (layout->fields.items[i].why.len)
            stop_at(t, node, "a copy of %.*s: its field %.*s is %.*s", STR_FMT(layout->name),
                    STR_FMT(layout->fields.items[i].name), STR_FMT(layout->fields.items[i].why));
    for (int i = 0; i < n && !t->stopped; i++) {
        CType inner = t->slots.items[to + i].type;
        // Fields of nested structures are in this row; one that cannot be copied is refused.
        if (i > 0 && inner.kind == C_STRUCT) structure_copy(t, node, to + i, from + i, inner);
        if (!t->stopped && inner.kind != C_STRUCT && !has_value(t, from + i))
            stop_at(t, node, "a copy of a structure whose fields may have no value");
        if (!t->stopped) t->state.cells[to + i] = t->state.cells[from + i];
    }
}

// --- members -------------------------------------------------------------------------------------

static const Field *find_field(const Translator *t, CType type, Str name)
{
    const Layout *layout = &t->layouts.items[type.layout];
    for (size_t i = 0; i < layout->fields.n; i++)
        if (str_equal(layout->fields.items[i].name, name)) return &layout->fields.items[i];
    return NULL;
}

Place structure_pointee(Translator *t, TSNode node, Value pointer)
{
    Place place = {.type = ctype_int};
    bool fits = pointer.type.kind == C_POINTER && pointer.type.elem == C_STRUCT;
    if (!fits) stop_at(t, node, "a member of what is no structure");
    if (!t->stopped && pointer.base == BASE_GONE)
        stop_at(t, node, "a pointer that may point to a variable that is gone");
    if (!t->stopped && pointer.base < 0) stop_at(t, node, "a pointer that points nowhere yet");
    if (t->stopped) return place;
    return (Place){.type = ctype_pointee(pointer.type), .slot = pointer.base};
}

Place find_member(Translator *t, TSNode node)
{
    TSNode argument = node_field(node, "argument");
    Str name = node_text(t, node_field(node, "field"));
    bool arrow = str_equal(node_text(t, node_field(node, "operator")), STR("->"));
    Place place = {.type = ctype_int};
    if (arrow) {
        place = structure_pointee(t, node, translate_expression(t, argument));
    } else {
        place = find_place(t, argument);
        if (place.type.kind != C_STRUCT) stop_at(t, node, "a member of what is no structure");
    }
    const Field *f = t->stopped ? NULL : find_field(t, place.type, name);
    if (!f)
        stop_at(t, node, "the member %.*s", STR_FMT(str_slice(name, 0, 60)));
    else if (f->why.len)
        stop_at(t, node, "the member %.*s, which is %.*s", STR_FMT(str_slice(name, 0, 60)),
                STR_FMT(f->why));
    if (t->stopped) return (Place){.type = ctype_int};
    return (Place){.type = f->type, .slot = place.slot + f->slot};
}

Value place_value(Translator *t, TSNode node, Place place)
{
    Value v = {ctype_int, term_const(t->terms, ctype_int.bits, 0), BASE_NONE};
    if (t->stopped) return v;
    const Slot *s = &t->slots.items[place.slot];
    if (place.is_element || (!s->is_array && place.type.kind != C_STRUCT))
        return load(t, node, place);
    if (place.type.kind == C_STRUCT)
        return (Value){place.type, term_bool(t->terms, false), place.slot};
    v = (Value){ctype_pointer_to(s->type), term_const(t->terms, 64, 0), place.slot};
    v.type.is_const = s->is_const;
    return v;
}

// --- initialisers --------------------------------------------------------------------------------

static void set_zero(Translator *t, int slot, int n)
{
    for (int i = slot; i < slot + n; i++) {
        const Slot *s = &t->slots.items[i];
        if (s->type.kind == C_STRUCT) continue;
        Term zero = term_const(t->terms, s->type.bits, 0), all = term_bool(t->terms, true);
        if (s->is_array) {
            zero = term_array_const(t->terms, zero);
            all = term_array_const(t->terms, term_const(t->terms, 1, 1));
        }
        t->state.cells[i] = (Cell){zero, all, BASE_NONE};
    }
}

static void set_field(Translator *t, TSNode value, int slot, const Field *f)
{
    bool list = node_is(value, "initializer_list");
    Place place = {.type = f->type, .slot = slot + f->slot};
    if (f->why.len)
        stop_at(t, value, "the member %.*s, which is %.*s", STR_FMT(f->name), STR_FMT(f->why));
    else if (f->type.kind == C_STRUCT && list)
        initialise_structure(t, value, place.slot, f->type);
    else if (f->is_array && list)
        initialise_elements(t, value, place.slot, f->n);
    else if (f->is_array || f->type.kind == C_STRUCT || list)
        stop_at(t, value, "this initialiser");
    else
        store(t, value, place, convert(t, value, translate_full(t, value), f->type));
}

void initialise_structure(Translator *t, TSNode list, int slot, CType type)
{
    size_t next = 0, n_fields = t->layouts.items[type.layout].fields.n;
    set_zero(t, slot, t->layouts.items[type.layout].n_slots);
    for (TSNode c = node_first(list); !ts_node_is_null(c) && !t->stopped; c = node_next(c)) {
        TSNode value = c;
        bool alone = ts_node_named_child_count(list) == 1;
        if (alone && str_equal(node_text(t, c), STR("0"))) return; // {0}
        if (node_is(c, "initializer_pair")) {
            TSNode designator = node_field(c, "designator");
            const Field *f = find_field(t, type, node_text(t, node_first(designator)));
            bool plain = node_is(designator, "field_designator") &&
                         ts_node_eq(node_next(designator), node_field(c, "value"));
            if (!f || !plain) {
                stop_at(t, c, "this initialiser");
                return;
            }
            next = (size_t)(f - t->layouts.items[type.layout].fields.items);
            value = node_field(c, "value");
        }
        if (next >= n_fields) {
            stop_at(t, c, "this initialiser");
            return;
        }
        const Field f = t->layouts.items[type.layout].fields.items[next++];
        set_field(t, value, slot, &f);
    }
}

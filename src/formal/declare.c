// Declarations: types, local variables, constants of the file, parameters as unknowns.
#include "formal/translate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ELEMENTS = 4096, MAX_GLOBALS = 64, MAX_MACROS = 400 };

// --- types ---------------------------------------------------------------------------------------

// What one file's typedef of that name says. How many there are of it is added to *n.
static void find_alias(const Syntax *syntax, Str name, int *n, TSNode *out)
{
    Str source = text_str(syntax_text(syntax));
    TSNode root = syntax_root(syntax);
    // The first child of an include guard is its name.
    for (TSNode c = node_first(root); !ts_node_is_null(c); c = node_next(c)) {
        if (node_is(c, "preproc_ifdef") && ts_node_is_null(node_next(c)) &&
            node_is(root, "translation_unit")) {
            root = c;
            c = node_first(root);
        }
        TSNode alias = node_field(c, "declarator");
        if (!node_is(c, "type_definition") || !node_is(alias, "type_identifier")) continue;
        ByteRange a = syntax_range(alias);
        if (!str_equal(str_slice(source, a.start, a.end), name)) continue;
        *out = node_field(c, "type");
        ++*n;
    }
}

// A name that this file, or a header of the project, defines once by typedef.
static bool read_alias(Translator *t, Str name, CType *out)
{
    int n = 0;
    TSNode type = {{0}, NULL, NULL};
    Str source = t->source;
    const Syntax *syntax;
    find_alias(t->syntax, name, &n, &type);
    t->source = text_str(syntax_text(t->syntax));
    if (n == 0) headers_load(t);
    for (size_t i = 1; n == 0 && (syntax = headers_source(t, i)); i++) {
        find_alias(syntax, name, &n, &type);
        t->source = text_str(syntax_text(syntax));
    }
    bool ok = false;
    if (n == 1 && node_is(type, "struct_specifier"))
        ok = read_structure(t, type, out);
    else if (n == 1)
        ok = ctype_read(node_text(t, type), out);
    t->source = source;
    return ok;
}

static bool has_word(Translator *t, TSNode holder, const char *word)
{
    for (uint32_t i = 0; i < ts_node_child_count(holder); i++) {
        TSNode c = ts_node_child(holder, i);
        bool words = node_is(c, "type_qualifier") || node_is(c, "storage_class_specifier");
        if (words && str_equal(node_text(t, c), str_from(word))) return true;
    }
    return false;
}

bool read_type_name(Translator *t, Str name, CType *out)
{
    return ctype_read(name, out) || read_alias(t, name, out);
}

bool read_type(Translator *t, TSNode holder, CType *out)
{
    TSNode type = node_field(holder, "type");
    Str text = node_text(t, type);
    *out = ctype_int;
    if (has_word(t, holder, "volatile") || has_word(t, holder, "_Atomic"))
        stop_at(t, holder, "a volatile or atomic variable");
    else if (node_is(type, "struct_specifier"))
        read_structure(t, type, out);
    else if (!read_type_name(t, text, out))
        stop_at(t, holder, "the type %.*s", STR_FMT(str_slice(text, 0, 40)));
    return !t->stopped;
}

// --- declarators ---------------------------------------------------------------------------------

typedef struct Declarator {
    Str name;
    bool is_pointer, is_array;
    TSNode size; // of an array; null: none is written
} Declarator;

static bool read_declarator(Translator *t, TSNode node, Declarator *out)
{
    *out = (Declarator){0};
    while (!t->stopped) {
        if (ts_node_is_null(node) || node_is(node, "identifier")) {
            if (!ts_node_is_null(node)) out->name = node_text(t, node);
            return true;
        }
        bool nested = out->is_pointer || out->is_array;
        if (node_is(node, "pointer_declarator") && !nested) {
            out->is_pointer = true;
            if (str_find(node_text(t, node), STR("volatile"), 0) < node_text(t, node).len)
                stop_at(t, node, "a volatile pointer");
        } else if (node_is(node, "array_declarator") && !nested) {
            out->is_array = true;
            out->size = node_field(node, "size");
        } else if (!node_is(node, "parenthesized_declarator")) {
            stop_at(t, node, "this %s", ts_node_type(node));
        }
        TSNode inner = node_field(node, "declarator");
        node = ts_node_is_null(inner) ? node_first(node) : inner;
    }
    return false;
}

// Is the address of a variable of this name taken?
static bool is_addressed(Translator *t, TSNode node, Str name)
{
    bool found = node_is(node, "pointer_expression") && node_is(ts_node_child(node, 0), "&") &&
                 str_equal(node_text(t, node_field(node, "argument")), name);
    for (TSNode c = node_first(node); !found && !ts_node_is_null(c); c = node_next(c))
        found = is_addressed(t, c, name);
    return found;
}

static bool is_addressed_here(Translator *t, TSNode node, Str name)
{
    while (!ts_node_is_null(node) && !node_is(node, "function_definition"))
        node = ts_node_parent(node);
    return !ts_node_is_null(node) && is_addressed(t, node, name);
}

// --- variables -----------------------------------------------------------------------------------

void initialise_elements(Translator *t, TSNode list, int slot, uint64_t n)
{
    const Slot s = t->slots.items[slot];
    Term zero = term_const(t->terms, s.type.bits, 0), array = term_array_const(t->terms, zero);
    uint64_t i = 0;
    for (TSNode c = node_first(list); !ts_node_is_null(c) && !t->stopped; c = node_next(c), i++) {
        if (i >= n || node_is(c, "initializer_pair") || node_is(c, "initializer_list")) {
            stop_at(t, c, "this initialiser");
            return;
        }
        Value v = convert(t, c, translate_full(t, c), s.type);
        array = term_store(t->terms, array, term_const(t->terms, 64, i), v.term);
    }
    Term all = term_array_const(t->terms, term_const(t->terms, 1, 1));
    t->state.cells[slot] = (Cell){array, all, BASE_NONE};
}

static void declare_array(Translator *t, TSNode node, Declarator d, CType type, TSNode value,
                          bool is_const)
{
    uint64_t n = 0;
    bool list = !ts_node_is_null(value) && node_is(value, "initializer_list");
    if (!ts_node_is_null(d.size)) {
        if (!constant_of(t, d.size, &n)) stop_at(t, node, "an array whose length is no constant");
    } else if (list) {
        for (TSNode c = node_first(value); !ts_node_is_null(c); c = node_next(c))
            n++;
    }
    if (!ts_node_is_null(value) && !list) stop_at(t, node, "this initialiser of an array");
    if (type.kind == C_STRUCT) stop_at(t, node, "an array of structures");
    if (type.kind == C_VOID || n == 0 || n > MAX_ELEMENTS)
        stop_at(t, node, "an array of this length, wanted 1 to %d", MAX_ELEMENTS);
    if (t->stopped) return;
    Slot slot = {.name = d.name, .type = type, .is_array = true, .knows_length = true};
    slot.length = term_const(t->terms, 64, n);
    int at = slot_push(t, slot);
    if (list) initialise_elements(t, value, at, n);
    t->slots.items[at].is_const = is_const;
}

static void declare_structure(Translator *t, TSNode node, Str name, CType type, TSNode value,
                              bool is_const)
{
    bool given = !ts_node_is_null(value);
    Value v = {0};
    if (given && !node_is(value, "initializer_list"))
        v = convert(t, node, translate_full(t, value), type);
    if (t->stopped) return;
    int at = structure_push(t, name, type, false);
    if (given && node_is(value, "initializer_list"))
        initialise_structure(t, value, at, type);
    else if (given)
        structure_copy(t, node, at, v.base, type);
    for (int i = at; i < (int)t->slots.n; i++)
        t->slots.items[i].is_const = is_const;
}

static void declare_scalar(Translator *t, TSNode node, Declarator d, CType type, TSNode value,
                           bool is_const)
{
    Slot slot = {.name = d.name, .type = d.is_pointer ? ctype_pointer_to(type) : type};
    Value v = {0};
    bool list = !ts_node_is_null(value) && node_is(value, "initializer_list");
    if (list || (type.kind == C_VOID)) stop_at(t, node, "this declaration");
    if (!ts_node_is_null(value)) v = convert(t, node, translate_full(t, value), slot.type);
    if (t->stopped) return;
    slot.is_cell = slot.is_array = is_addressed_here(t, node, d.name);
    slot.knows_length = true;
    slot.length = term_const(t->terms, 64, 1);
    if (slot.is_cell && d.is_pointer) stop_at(t, node, "the address of a pointer");
    if (t->stopped) return;
    int at = slot_push(t, slot);
    Place place = {slot.type, at, slot.is_cell, term_const(t->terms, 64, 0)};
    if (!ts_node_is_null(value)) store(t, node, place, v);
    // A pointer to const is itself a variable.
    t->slots.items[at].is_const = is_const && !d.is_pointer;
}

void translate_declaration(Translator *t, TSNode node)
{
    CType type;
    if (has_word(t, node, "static") || has_word(t, node, "extern"))
        stop_at(t, node, "a static or external variable of a function");
    if (t->stopped || !read_type(t, node, &type)) return;
    bool is_const = has_word(t, node, "const");
    uint32_t n = ts_node_child_count(node);
    for (uint32_t i = 0; i < n && !t->stopped; i++) {
        const char *field = ts_node_field_name_for_child(node, i);
        if (!field || strcmp(field, "declarator") != 0) continue;
        TSNode c = ts_node_child(node, i), value = {{0}, NULL, NULL};
        Declarator d;
        if (node_is(c, "init_declarator")) {
            value = node_field(c, "value");
            c = node_field(c, "declarator");
        }
        if (!read_declarator(t, c, &d)) return;
        if (d.is_array)
            declare_array(t, c, d, type, value, is_const);
        else if (type.kind == C_STRUCT && !d.is_pointer)
            declare_structure(t, c, d.name, type, value, is_const);
        else
            declare_scalar(t, c, d, type, value, is_const);
    }
}

// --- the file's constants ------------------------------------------------------------------------

static void declare_enumerators(Translator *t, TSNode node)
{
    TSNode body = node_field(node, "body");
    Term next = term_const(t->terms, ctype_int.bits, 0);
    if (ts_node_is_null(body)) return;
    for (TSNode c = node_first(body); !ts_node_is_null(c) && !t->stopped; c = node_next(c)) {
        if (!node_is(c, "enumerator")) continue;
        TSNode value = node_field(c, "value");
        Value v = {ctype_int, next, BASE_NONE};
        if (!ts_node_is_null(value)) v = convert(t, c, translate_expression(t, value), ctype_int);
        Slot slot = {.name = node_text(t, node_field(c, "name")), .type = ctype_int};
        int at = slot_push(t, slot);
        Place place = {.type = ctype_int, .slot = at};
        store(t, c, place, v);
        t->slots.items[at].is_const = true;
        next = term_binary(t->terms, TERM_BVADD, v.term, term_const(t->terms, ctype_int.bits, 1));
    }
}

static void find_enums(Translator *t, TSNode node, int depth)
{
    if (node_is(node, "enum_specifier")) declare_enumerators(t, node);
    if (depth > 2 || node_is(node, "function_definition")) return;
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c))
        find_enums(t, c, depth + 1);
}

// What cannot be read is left out: only its use is outside the subset.
void declare_globals(Translator *t)
{
    TSNode root = syntax_root(t->syntax);
    for (TSNode c = node_first(root); !ts_node_is_null(c); c = node_next(c)) {
        size_t n_names = t->names.n, n_properties = t->properties.n;
        int n_slots = (int)t->slots.n;
        if (n_slots > MAX_GLOBALS) break;
        TSNode declarator = node_field(c, "declarator");
        bool constant = node_is(c, "declaration") && has_word(t, c, "const") &&
                        !has_word(t, c, "extern") && !ts_node_is_null(declarator) &&
                        node_is(declarator, "init_declarator");
        CType type;
        if (constant && read_type(t, c, &type)) {
            // The storage class says nothing about a constant's value.
            Declarator d;
            TSNode value = node_field(declarator, "value");
            if (read_declarator(t, node_field(declarator, "declarator"), &d)) {
                if (d.is_pointer)
                    stop_at(t, c, "a pointer outside of functions");
                else if (d.is_array)
                    declare_array(t, c, d, type, value, true);
                else if (type.kind == C_STRUCT)
                    declare_structure(t, c, d.name, type, value, true);
                else
                    declare_scalar(t, c, d, type, value, true);
            }
        } else if (!constant) {
            find_enums(t, c, 0);
        }
        if (t->stopped) scope_close(t, n_names, n_slots);
        t->properties.n = n_properties;
        t->stopped = false;
    }
    t->n_globals = t->names.n;
}

static void read_macro_nodes(Translator *t, TSNode node)
{
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c)) {
        bool function = node_is(c, "preproc_function_def");
        if (function || node_is(c, "preproc_def")) {
            TSNode value = node_field(c, "value");
            Macro macro = {node_text(t, node_field(c, "name")), {0}, function};
            if (!ts_node_is_null(value)) macro.text = str_trim(node_text(t, value));
            if (t->macros.n < MAX_MACROS) VEC_PUSH(&t->macros, macro);
        } else if (strncmp(ts_node_type(c), "preproc_", 8) == 0) {
            read_macro_nodes(t, c);
        }
    }
}

// A name that is defined twice has no single meaning.
void read_macros(Translator *t)
{
    read_macro_nodes(t, syntax_root(t->syntax));
    for (size_t i = 0; i < t->macros.n; i++)
        for (size_t j = 0; j < i; j++)
            if (str_equal(t->macros.items[i].name, t->macros.items[j].name))
                t->macros.items[i].is_function = true;
}

// --- parameters ----------------------------------------------------------------------------------

TSNode find_parameters(TSNode function)
{
    TSNode d = node_field(function, "declarator");
    while (!ts_node_is_null(d) && !node_is(d, "function_declarator"))
        d = node_field(d, "declarator");
    return ts_node_is_null(d) ? d : node_field(d, "parameters");
}

bool read_parameter(Translator *t, TSNode node, Str *name, CType *type, TSNode *array_size)
{
    Declarator d = {0};
    *name = (Str){0};
    if (!node_is(node, "parameter_declaration")) stop_at(t, node, "this parameter");
    if (t->stopped || !read_type(t, node, type)) return false;
    if (!read_declarator(t, node_field(node, "declarator"), &d)) return false;
    *name = d.name;
    *array_size = d.size;
    bool pointer = d.is_pointer || d.is_array;
    if (pointer && type->kind == C_VOID) stop_at(t, node, "a pointer to void");
    if (!pointer && type->kind == C_VOID) return !t->stopped && d.name.len == 0;
    if (d.name.len == 0) stop_at(t, node, "a parameter without a name");
    if (d.is_array && type->kind == C_STRUCT) stop_at(t, node, "an array of structures");
    if (pointer) *type = ctype_pointer_to(*type);
    type->is_const = pointer && has_word(t, node, "const");
    return !t->stopped;
}

bool is_length_name(Str name)
{
    static const Str words[] = {STR("n"),     STR("len"),   STR("length"), STR("count"),
                                STR("size"),  STR("nelem"), STR("num"),    STR("cnt"),
                                STR("nmemb"), STR("total")};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        Str w = words[i];
        if (str_equal(name, w) ||
            (name.len > w.len && str_starts(name, w) && (name.ptr[w.len] == '_' || w.len == 1)))
            return true;
        if (name.len > w.len && str_ends(name, w) && name.ptr[name.len - w.len - 1] == '_')
            return true;
    }
    return false;
}

static bool is_length(const Input *input)
{
    return !input->is_array && !input->field.len && input->type.kind == C_INT &&
           input->type.bits >= 16 && is_length_name(input->name);
}

// The parameter that says how long array `i` is: the next length after it, else the nearest before.
static const Input *find_length(const Translator *t, size_t i)
{
    for (size_t j = i + 1; j < t->inputs.n; j++)
        if (is_length(&t->inputs.items[j])) return &t->inputs.items[j];
    for (size_t j = i; j > 0; j--)
        if (is_length(&t->inputs.items[j - 1])) return &t->inputs.items[j - 1];
    return NULL;
}

static const Input *find_input(const Translator *t, Str name)
{
    for (size_t i = 0; i < t->inputs.n; i++)
        if (!t->inputs.items[i].is_array && !t->inputs.items[i].field.len &&
            str_equal(t->inputs.items[i].name, name))
            return &t->inputs.items[i];
    return NULL;
}

static void assume(Translator *t, Str text)
{
    VEC_PUSH(&t->assumptions, text);
}

// Of n elements, none where n is negative; no array is larger than half of the address space.
static void bound_by(Translator *t, Input *input, const Input *length)
{
    Term n = term_resize(t->terms, length->var, 64, length->type.is_signed);
    Term zero = term_const(t->terms, 64, 0), most = term_const(t->terms, 64, UINT64_C(1) << 59);
    Term minus = term_binary(t->terms, TERM_SLT, n, zero);
    if (length->type.is_signed) n = term_ite(t->terms, minus, zero, n);
    t->assumed = term_and(t->terms, t->assumed, term_binary(t->terms, TERM_ULT, n, most));
    input->length = n;
    assume(t, arena_printf(t->arena, "%.*s points to %.*s elements", STR_FMT(input->name),
                           STR_FMT(length->name)));
}

static void bound(Translator *t, size_t i, TSNode size)
{
    Input *input = &t->inputs.items[i];
    Slot *slot = &t->slots.items[input->slot];
    uint64_t n = 1;
    const Input *length = find_length(t, i);
    if (!ts_node_is_null(size) && node_is(size, "identifier") && find_input(t, node_text(t, size)))
        length = find_input(t, node_text(t, size));
    else if (!ts_node_is_null(size) && constant_of(t, size, &n))
        length = NULL;
    else if (!ts_node_is_null(size))
        stop_at(t, size, "an array parameter of this length");
    bool fixed = !ts_node_is_null(size) && !length;
    slot->knows_length = length || fixed;
    input->length = term_const(t->terms, 64, n);
    if (length)
        bound_by(t, input, length);
    else
        assume(t, arena_printf(t->arena, "%.*s points to %llu element%s", STR_FMT(input->name),
                               (unsigned long long)n, n == 1 ? "" : "s"));
    slot->length = input->length;
}

// The unknown, or an earlier translation's.
static void make_unknown(Translator *t, Input *input, const Input *like)
{
    if (like)
        input->var = like->var;
    else if (input->is_array)
        input->var = term_array_var(t->terms, input->type.bits);
    else
        input->var = term_var(t->terms, input->type.bits);
    if (input->type.kind != C_BOOL || input->is_array) return;
    // A bool is 0 or 1, whatever its 8 bits could hold.
    Term two = term_const(t->terms, input->type.bits, 2);
    t->assumed = term_and(t->terms, t->assumed, term_binary(t->terms, TERM_ULT, input->var, two));
}

static void set_unknown(Translator *t, const Input *input)
{
    Term all = term_bool(t->terms, true);
    if (input->is_array) all = term_array_const(t->terms, term_const(t->terms, 1, 1));
    t->state.cells[input->slot] = (Cell){input->var, all, BASE_NONE};
}

static void add_input(Translator *t, TSNode node, Str name, CType type, const Input *like)
{
    CType elem = type.kind == C_POINTER ? ctype_pointee(type) : type;
    Input input = {.name = name, .type = elem, .is_array = type.kind == C_POINTER, .slot = -1};
    input.is_shared = input.is_array;
    if (elem.kind == C_BOOL && input.is_array) stop_at(t, node, "an array of bool as a parameter");
    if (t->stopped) return;
    make_unknown(t, &input, like);
    if (input.is_array) {
        Slot object = {.name = name, .type = elem, .is_array = true, .is_const = type.is_const};
        object.length = term_const(t->terms, 64, 1);
        input.slot = slot_push(t, object);
        t->names.items[t->names.n - 1].name = STR(""); // reached through the parameter only
        set_unknown(t, &input);
        t->n_objects++;
    }
    VEC_PUSH(&t->inputs, input);
}

// --- structures as inputs ------------------------------------------------------------------------

static const Input *next_like(const Translator *t, const Translator *like)
{
    return like && t->inputs.n < like->inputs.n ? &like->inputs.items[t->inputs.n] : NULL;
}

static bool is_same_field(const Input *a, const Input *b)
{
    return str_equal(a->field, b->field) && a->is_array == b->is_array &&
           a->is_shared == b->is_shared && a->type.kind == b->type.kind &&
           a->type.bits == b->type.bits && a->type.is_signed == b->type.is_signed &&
           (!a->is_array || a->length == b->length);
}

// An unknown for each field of the structure at `slot`.
static void add_fields(Translator *t, TSNode node, Str name, Str path, int slot, bool shared,
                       const Translator *like)
{
    CType type = t->slots.items[slot].type;
    const Layout *layout = &t->layouts.items[type.layout];
    for (size_t i = 0; i < layout->fields.n && !t->stopped; i++) {
        const Field *f = &layout->fields.items[i];
        if (f->why.len) continue;
        Input input = {.type = f->type,
                       .is_array = f->is_array,
                       .is_shared = shared,
                       .slot = slot + f->slot,
                       .length = term_const(t->terms, 64, f->n)};
        input.field = arena_printf(t->arena, "%.*s%s%.*s", STR_FMT(path), path.len ? "." : "",
                                   STR_FMT(f->name));
        input.name = arena_printf(t->arena, "%.*s%s%.*s", STR_FMT(name), shared ? "->" : ".",
                                  STR_FMT(input.field));
        if (f->type.kind == C_STRUCT) {
            add_fields(t, node, name, input.field, input.slot, shared, like);
            continue;
        }
        const Input *other = next_like(t, like);
        if (like && (!other || !is_same_field(&input, other)))
            stop_at(t, node,
                    "other structures than those of the function that it is compared "
                    "with");
        if (t->stopped) return;
        make_unknown(t, &input, other);
        set_unknown(t, &input);
        VEC_PUSH(&t->inputs, input);
    }
}

typedef struct Parameter {
    TSNode node, size;
    Str name;
    CType type;
    int input, slot; // of its first input; of its structure, -1: none
} Parameter;

static void add_structure(Translator *t, Parameter *p, const Translator *like)
{
    bool pointer = p->type.kind == C_POINTER;
    CType type = pointer ? ctype_pointee(p->type) : p->type;
    p->slot = structure_push(t, p->name, type, p->type.is_const);
    for (size_t i = 0; i < t->names.n; i++) // reached through the parameter only
        if (pointer && t->names.items[i].slot == p->slot) t->names.items[i].name = STR("");
    add_fields(t, p->node, p->name, STR(""), p->slot, pointer, like);
    if (!pointer) return;
    t->n_objects++;
    assume(t, arena_printf(t->arena, "%.*s points to 1 %.*s", STR_FMT(p->name),
                           STR_FMT(t->layouts.items[type.layout].name)));
}

static void declare_parameter(Translator *t, const Parameter *p)
{
    const Input *input = p->slot < 0 ? &t->inputs.items[p->input] : NULL;
    Slot slot = {.name = p->name, .type = p->type, .knows_length = true};
    bool pointer = p->type.kind == C_POINTER;
    if (p->type.kind == C_STRUCT) return; // it has its slots
    slot.is_cell = slot.is_array = is_addressed_here(t, p->node, p->name);
    slot.length = term_const(t->terms, 64, 1);
    if (slot.is_cell && pointer) stop_at(t, p->node, "the address of a pointer");
    Value v = {p->type, term_const(t->terms, 64, 0), input ? input->slot : p->slot};
    if (!pointer) v = (Value){p->type, input->var, BASE_NONE};
    if (t->stopped) return;
    Place place = {p->type, slot_push(t, slot), slot.is_cell, term_const(t->terms, 64, 0)};
    store(t, p->node, place, v);
}

static bool fits(const Input *a, CType type)
{
    CType elem = type.kind == C_POINTER ? ctype_pointee(type) : type;
    return a->is_array == (type.kind == C_POINTER) && a->type.kind == elem.kind &&
           a->type.bits == elem.bits && a->type.is_signed == elem.is_signed && !a->field.len;
}

static void bound_input(Translator *t, const Parameter *p, const Translator *like)
{
    Input *input = &t->inputs.items[p->input];
    if (input->is_array) bound(t, (size_t)p->input, p->size);
    if (!like || t->stopped) return;
    input->length = like->inputs.items[p->input].length;
    if (!input->is_array) return;
    Slot *slot = &t->slots.items[input->slot];
    slot->length = input->length;
    slot->knows_length = like->slots.items[like->inputs.items[p->input].slot].knows_length;
}

void declare_inputs(Translator *t, TSNode function, const Translator *like)
{
    TSNode list = find_parameters(function);
    VEC(Parameter) all = {0};
    for (TSNode c = node_first(list); !ts_node_is_null(c) && !t->stopped; c = node_next(c)) {
        Parameter p = {.node = c, .input = (int)t->inputs.n, .slot = -1};
        if (!read_parameter(t, c, &p.name, &p.type, &p.size)) break;
        if (p.type.kind == C_VOID) break; // f(void)
        const Input *other = next_like(t, like);
        if (p.type.kind == C_STRUCT || (p.type.kind == C_POINTER && p.type.elem == C_STRUCT))
            add_structure(t, &p, like);
        else if (like && (!other || !fits(other, p.type)))
            stop_at(t, c, "other parameters than those of the function that it is compared with");
        else
            add_input(t, c, p.name, p.type, other);
        VEC_PUSH(&all, p);
    }
    if (like && !t->stopped && like->inputs.n != t->inputs.n)
        stop_at(t, function, "fewer parameters than the function that it is compared with");
    for (size_t i = 0; i < all.n && !t->stopped; i++)
        if (all.items[i].slot < 0) bound_input(t, &all.items[i], like);
    for (size_t i = 0; i < all.n && !t->stopped; i++)
        declare_parameter(t, &all.items[i]);
    VEC_FREE(&all);
}

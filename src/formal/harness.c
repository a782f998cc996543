// Variables without a value are any value to CBMC, and so is what malloc gives; what is written
// here are the pointers, and what is shown of a counterexample (__CPROVER_input).
#include "formal/harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formal/c_unit.h"
#include "formal/rewrite.h"
#include "formal/translate.h"

enum { MAX_INPUTS = 40, MAX_OBJECTS = 40, MAX_DEPTH = 2, MAX_POINTERS = 2, MAX_SHOWN = 4 };
// Characters of a text that a field leads to.
enum { MAX_FIELD_TEXT = 2 };

typedef struct Parameter {
    TSNode node, name_node;
    Str name;
    UnitType type;
    Str count, copy; // of what it leads to: a C expression; the copy for the other function
} Parameter;

typedef struct Writer {
    Unit *unit;
    Arena *arena;
    const HarnessRequest *request;
    Harness *out;
    StrBuf code;
    int n_names, n_inputs, n_objects;
    TSNode path[MAX_DEPTH + 8]; // structures that are being filled
    int depth;
    VEC(Parameter) parameters;
} Writer;

// --- small things --------------------------------------------------------------------------------

static bool refuse(Writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(Writer *w, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (w->out->why.len == 0) w->out->why = arena_str(w->arena, str_from(text));
    return false;
}

static void assume(Writer *w, bool bounds, Str text)
{
    Harness *h = w->out;
    h->is_bounded |= bounds;
    for (int i = 0; i < h->n_assumptions; i++)
        if (str_equal(h->assumptions[i], text)) return;
    if (h->n_assumptions < HARNESS_MAX_ASSUMPTIONS)
        h->assumptions[h->n_assumptions++] = text;
    else
        refuse(w, "more than %d assumptions", HARNESS_MAX_ASSUMPTIONS);
}

static Str new_name(Writer *w)
{
    return arena_printf(w->arena, "r1ls_%d", w->n_names++);
}

static void show(Writer *w, Str condition, Str expression)
{
    if (w->n_inputs++ >= MAX_INPUTS) return;
    strbuf_printf(&w->code, "%.*s%.*s%s__CPROVER_input(\"%.*s\", %.*s);\n", condition.len ? 4 : 0,
                  "if (", STR_FMT(condition), condition.len ? ") " : "", STR_FMT(expression),
                  STR_FMT(expression));
}

static bool is_integer(const Writer *w, UnitType type)
{
    Str words = unit_text(w->unit, type.spec);
    return type.n == 0 && type.is_known && !unit_is_structure(type) &&
           !node_is(type.spec, "enum_specifier") && !str_contains(words, "float") &&
           !str_contains(words, "double") && !str_contains(words, "char") &&
           !unit_is_void(w->unit, type);
}

// "items", not "s".
static bool is_plural(Str name)
{
    return name.len > 1 && str_ends(name, STR("s"));
}

// --- objects -------------------------------------------------------------------------------------

// What a pointer leads to: `n` elements (a C expression), a text, or exactly one.
typedef struct Count {
    Str n;
    bool is_text;
} Count;

// Characters of a text at most: structures have many.
static int max_text(const Writer *w)
{
    int max = w->request->max_text;
    return w->depth && max > MAX_FIELD_TEXT ? MAX_FIELD_TEXT : max;
}

static bool fill(Writer *w, Str expression, UnitType type);

// Declares how many elements there are; the name of that variable.
static Str declare_count(Writer *w, Count count)
{
    Str n = new_name(w);
    if (count.n.len)
        strbuf_printf(&w->code,
                      "unsigned long %.*s = (%.*s) > 0 ? (unsigned long)(%.*s) : 0;\n"
                      "__CPROVER_assume(%.*s < (1ul << 40));\n",
                      STR_FMT(n), STR_FMT(count.n), STR_FMT(count.n), STR_FMT(n));
    else if (count.is_text)
        strbuf_printf(&w->code, "unsigned long %.*s;\n__CPROVER_assume(%.*s >= 1 && %.*s <= %d);\n",
                      STR_FMT(n), STR_FMT(n), STR_FMT(n), max_text(w) + 1);
    else
        strbuf_printf(&w->code, "unsigned long %.*s = 1;\n", STR_FMT(n));
    return n;
}

static void tell_count(Writer *w, Str pointer, Count count)
{
    if (count.is_text)
        assume(w, true,
               arena_printf(w->arena, "%.*s is a text of at most %d characters", STR_FMT(pointer),
                            max_text(w)));
    else if (count.n.len)
        assume(w, false,
               arena_printf(w->arena, "%.*s points to %.*s elements", STR_FMT(pointer),
                            STR_FMT(count.n)));
    else
        assume(w, false, arena_printf(w->arena, "%.*s points to 1 element", STR_FMT(pointer)));
}

static bool is_on_path(const Writer *w, UnitType type)
{
    TSNode fields = unit_fields(w->unit, type);
    for (int i = 0; i < w->depth; i++)
        if (!ts_node_is_null(fields) && ts_node_eq(w->path[i], fields)) return true;
    return false;
}

static Str element_of(Writer *w, Str pointer, int i)
{
    return arena_printf(w->arena, "%.*s[%d]", STR_FMT(pointer), i);
}

// The elements that `n` counts: shown where they are numbers, filled where they hold pointers.
static bool fill_elements(Writer *w, Str pointer, UnitType type, Count count, Str n)
{
    bool one = !count.n.len && !count.is_text, pointers = unit_has_pointer(w->unit, type, 0);
    if (one && unit_is_structure(type))
        return fill(w, arena_printf(w->arena, "%.*s->", STR_FMT(pointer)), type);
    if (one) return fill(w, arena_printf(w->arena, "(*%.*s)", STR_FMT(pointer)), type);
    if (pointers) {
        assume(w, true,
               arena_printf(w->arena, "%.*s is at most %d", STR_FMT(count.n), MAX_POINTERS));
        strbuf_printf(&w->code, "__CPROVER_assume(%.*s <= %d);\n", STR_FMT(n), MAX_POINTERS);
    }
    for (int i = 0; i < (pointers ? MAX_POINTERS : MAX_SHOWN); i++) {
        Str element = element_of(w, pointer, i);
        Str condition = arena_printf(w->arena, "%.*s > %d", STR_FMT(n), i);
        if (!pointers && type.n == 0 && !unit_is_structure(type)) show(w, condition, element);
        if (!pointers) continue;
        strbuf_printf(&w->code, "if (%.*s) {\n", STR_FMT(condition));
        if (!fill(w, element, type)) return false;
        strbuf_append(&w->code, STR("}\n"));
    }
    return true;
}

static bool check_pointee(Writer *w, Str pointer, UnitType type, Count count)
{
    if (!type.is_known) return refuse(w, "%.*s, of an unknown type", STR_FMT(pointer));
    if (unit_is_function(type)) return refuse(w, "%.*s, a pointer to a function", STR_FMT(pointer));
    if (unit_is_void(w->unit, type) && !count.n.len)
        return refuse(w, "%.*s, a pointer to void", STR_FMT(pointer));
    if (unit_is_structure(type) && ts_node_is_null(unit_fields(w->unit, type)))
        return refuse(w, "%.*s, a pointer to an incomplete type", STR_FMT(pointer));
    if (++w->n_objects > MAX_OBJECTS) return refuse(w, "more than %d objects", MAX_OBJECTS);
    return true;
}

// A pointer of a structure to its own kind: null, or one more object up to a depth.
static bool fill_link(Writer *w, Str pointer, UnitType type)
{
    if (w->depth >= MAX_DEPTH) {
        strbuf_printf(&w->code, "%.*s = 0;\n", STR_FMT(pointer));
        return true;
    }
    Str null = new_name(w);
    strbuf_printf(&w->code, "_Bool %.*s;\nif (%.*s) %.*s = 0; else {\n", STR_FMT(null),
                  STR_FMT(null), STR_FMT(pointer));
    strbuf_printf(&w->code, "%.*s = malloc(sizeof *%.*s);\n__CPROVER_assume(%.*s != 0);\n",
                  STR_FMT(pointer), STR_FMT(pointer), STR_FMT(pointer));
    if (!fill(w, arena_printf(w->arena, "%.*s->", STR_FMT(pointer)), type)) return false;
    strbuf_append(&w->code, STR("}\n"));
    return true;
}

static bool fill_pointer(Writer *w, Str pointer, UnitType type, Count count, Str *n_out)
{
    if (!check_pointee(w, pointer, type, count)) return false;
    if (unit_is_structure(type) && is_on_path(w, type)) {
        assume(w, true, arena_printf(w->arena, "lists and trees are at most %d deep", MAX_DEPTH));
        return fill_link(w, pointer, type);
    }
    Str n = declare_count(w, count);
    tell_count(w, pointer, count);
    bool is_void = unit_is_void(w->unit, type);
    strbuf_printf(&w->code, "%.*s = malloc(%.*s%s%.*s);\n__CPROVER_assume(%.*s != 0);\n",
                  STR_FMT(pointer), STR_FMT(n), is_void ? "" : " * sizeof *",
                  is_void ? 0 : (int)pointer.len, pointer.ptr, STR_FMT(pointer));
    if (count.is_text)
        strbuf_printf(&w->code, "((char *)%.*s)[%.*s - 1] = 0;\n", STR_FMT(pointer), STR_FMT(n));
    if (n_out) *n_out = n;
    return is_void || fill_elements(w, pointer, type, count, n);
}

// --- fields --------------------------------------------------------------------------------------

static bool is_capacity(Str name)
{
    return str_contains(name, "cap") || str_contains(name, "alloc") || str_equal(name, STR("size"));
}

// The field that says how long what field `k` points to is: one that has its name, else a
// capacity, else a length.
static const UnitVariable *find_length(const Writer *w, const UnitVariables *fields, size_t k)
{
    const UnitVariable *best = NULL;
    int best_rank = 0;
    for (size_t i = 0; i < fields->n; i++) {
        const UnitVariable *f = &fields->items[i];
        if (i == k || !is_integer(w, f->type)) continue;
        bool length = is_length_name(f->name), capacity = is_capacity(f->name);
        const char *own = arena_str(w->arena, fields->items[k].name).ptr;
        int rank = !length && !capacity ? 0 : str_contains(f->name, own) ? 3 : capacity ? 2 : 1;
        if (rank > best_rank) best = f;
        if (rank > best_rank) best_rank = rank;
    }
    return best;
}

// The number of elements is no more than there is room for.
static void bound_lengths(Writer *w, Str prefix, const UnitVariables *fields,
                          const UnitVariable *capacity)
{
    if (!is_capacity(capacity->name)) return;
    for (size_t i = 0; i < fields->n; i++) {
        const UnitVariable *f = &fields->items[i];
        if (f == capacity || !is_integer(w, f->type) || !is_length_name(f->name)) continue;
        Str a = arena_printf(w->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(f->name));
        Str b = arena_printf(w->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(capacity->name));
        strbuf_printf(&w->code, "__CPROVER_assume(%.*s >= 0 && %.*s <= %.*s);\n", STR_FMT(a),
                      STR_FMT(a), STR_FMT(b));
        assume(w, false, arena_printf(w->arena, "%.*s is 0 to %.*s", STR_FMT(a), STR_FMT(b)));
    }
}

static bool fill_field(Writer *w, Str prefix, const UnitVariables *fields, size_t k)
{
    const UnitVariable *f = &fields->items[k];
    Str place = arena_printf(w->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(f->name));
    if (f->name.len == 0) // an unnamed member's fields are the structure's own
        return !unit_is_structure(f->type) || unit_is_union(f->type) || fill(w, prefix, f->type);
    if (!unit_is_pointer(f->type))
        return fill(
            w, unit_is_structure(f->type) ? arena_printf(w->arena, "%.*s.", STR_FMT(place)) : place,
            f->type);
    Count count = {0};
    UnitType pointee = unit_pointee(f->type);
    const UnitVariable *length = find_length(w, fields, k);
    bool single = unit_is_structure(pointee) && !is_plural(f->name);
    if (length && !single) {
        count.n = arena_printf(w->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(length->name));
        bound_lengths(w, prefix, fields, length);
    }
    count.is_text = !count.n.len && unit_is_char(w->unit, pointee);
    return fill_pointer(w, place, pointee, count, NULL);
}

// `expression` ends with -> or . where the type is a structure.
static bool fill_structure(Writer *w, Str expression, UnitType type)
{
    UnitVariables fields = {0};
    TSNode body = unit_fields(w->unit, type);
    if (ts_node_is_null(body)) return refuse(w, "%.*s an incomplete type", STR_FMT(expression));
    if (unit_is_union(type)) {
        if (unit_has_pointer(w->unit, type, 0))
            return refuse(w, "%.*s a union that holds pointers", STR_FMT(expression));
        return true;
    }
    if (w->depth >= MAX_DEPTH + 7)
        return refuse(w, "structures nested more than %d deep", MAX_DEPTH + 7);
    w->path[w->depth++] = body;
    unit_list_fields(w->unit, body, &fields);
    bool ok = true;
    for (size_t i = 0; i < fields.n && ok; i++)
        ok = fill_field(w, expression, &fields, i);
    w->depth--;
    VEC_FREE(&fields);
    return ok;
}

static bool fill(Writer *w, Str expression, UnitType type)
{
    if (!type.is_known) return refuse(w, "%.*s, of an unknown type", STR_FMT(expression));
    if (unit_is_function(type)) return refuse(w, "%.*s, a function", STR_FMT(expression));
    if (unit_is_pointer(type)) {
        Count count = {.is_text = unit_is_char(w->unit, unit_pointee(type))};
        return fill_pointer(w, expression, unit_pointee(type), count, NULL);
    }
    if (unit_is_array(type)) {
        if (unit_has_pointer(w->unit, type, 0))
            return refuse(w, "%.*s, an array of pointers", STR_FMT(expression));
        if (ts_node_is_null(node_field(type.layers[0], "size")))
            return refuse(w, "%.*s, an array without a length", STR_FMT(expression));
        UnitType element = unit_pointee(type);
        bool plain = element.n == 0 && !unit_is_structure(element);
        for (int i = 0; plain && i < MAX_SHOWN; i++)
            show(w,
                 arena_printf(w->arena, "sizeof %.*s > %d * sizeof %.*s[0]", STR_FMT(expression), i,
                              STR_FMT(expression)),
                 element_of(w, expression, i));
        return true;
    }
    if (unit_is_structure(type)) {
        bool joined = str_ends(expression, STR("->")) || str_ends(expression, STR("."));
        return fill_structure(
            w, joined ? expression : arena_printf(w->arena, "%.*s.", STR_FMT(expression)), type);
    }
    show(w, STR(""), expression);
    return true;
}

// --- parameters ----------------------------------------------------------------------------------

static bool read_parameters(Writer *w, TSNode function)
{
    TSNode list = find_parameters(function);
    if (ts_node_is_null(list)) return refuse(w, "a declarator of this form");
    for (TSNode c = node_first(list); !ts_node_is_null(c); c = node_next(c)) {
        if (!node_is(c, "parameter_declaration"))
            return refuse(w, "the parameter %.*s", STR_FMT(unit_text(w->unit, c)));
        TSNode d = node_field(c, "declarator");
        Parameter p = {.node = c, .name_node = unit_declared(d), .type = unit_type(w->unit, c, d)};
        p.name = unit_text(w->unit, p.name_node);
        if (unit_is_void(w->unit, p.type)) break; // f(void)
        if (p.name.len == 0) return refuse(w, "a parameter without a name");
        VEC_PUSH(&w->parameters, p);
    }
    return true;
}

static bool is_length(const Writer *w, const Parameter *p)
{
    return is_integer(w, p->type) && is_length_name(p->name);
}

static Count count_of(const Writer *w, size_t k)
{
    const Parameter *all = w->parameters.items, *p = &all[k];
    Count count = {0};
    UnitType pointee = unit_pointee(p->type);
    TSNode size = {{0}, NULL, NULL};
    if (unit_is_array(p->type)) size = node_field(p->type.layers[0], "size");
    if (!ts_node_is_null(size)) {
        count.n = unit_text(w->unit, size);
        return count;
    }
    bool single = unit_is_structure(pointee) && !unit_is_array(p->type) && !is_plural(p->name);
    for (size_t i = k + 1; i < w->parameters.n && !count.n.len && !single; i++)
        if (is_length(w, &all[i])) count.n = all[i].name;
    for (size_t i = k; i > 0 && !count.n.len && !single; i--)
        if (is_length(w, &all[i - 1])) count.n = all[i - 1].name;
    count.is_text = !count.n.len && unit_is_char(w->unit, pointee);
    return count;
}

// Its declaration as a variable: an array as a pointer, without what qualifies a pointer itself.
static Str variable_text(Writer *w, const Parameter *p)
{
    ByteRange all = syntax_range(p->node), name = syntax_range(p->name_node);
    TSNode layer = p->type.n ? p->type.layers[0] : p->node;
    ByteRange outer = syntax_range(layer);
    // What const protects from the function is filled here first.
    for (TSNode c = node_first(p->node); p->type.n && node_is(c, "type_qualifier");
         c = node_next(c))
        all.start = syntax_range(c).end;
    bool own = p->type.n && outer.start >= all.start && outer.end <= all.end;
    Str source = w->unit->source;
    if (!own || unit_is_function(p->type)) {
        all.start = syntax_range(p->node).start;
        return str_slice(source, all.start, all.end);
    }
    return arena_printf(w->arena, "%.*s(*%.*s)%.*s",
                        STR_FMT(str_slice(source, all.start, outer.start)),
                        STR_FMT(str_slice(source, name.start, name.end)),
                        STR_FMT(str_slice(source, outer.end, all.end)));
}

static bool declare_parameters(Writer *w)
{
    for (size_t i = 0; i < w->parameters.n; i++)
        strbuf_printf(&w->code, "%.*s;\n", STR_FMT(variable_text(w, &w->parameters.items[i])));
    for (size_t i = 0; i < w->parameters.n; i++) { // lengths are shown before what they count
        Parameter *p = &w->parameters.items[i];
        bool pointer = unit_is_pointer(p->type) || unit_is_array(p->type);
        if (!pointer && !fill(w, p->name, p->type)) return false;
    }
    for (size_t i = 0; i < w->parameters.n; i++) {
        Parameter *p = &w->parameters.items[i];
        bool pointer = unit_is_pointer(p->type) || unit_is_array(p->type);
        if (pointer && !fill_pointer(w, p->name, unit_pointee(p->type), count_of(w, i), &p->count))
            return false;
    }
    return true;
}

static bool declare_variables(Writer *w, bool compares)
{
    UnitVariables used = {0};
    Str local;
    bool ok = true;
    unit_reach(w->unit, w->request->name, &used, &local, NULL);
    if (compares && (used.n || local.len))
        ok = refuse(w, "equality of functions that use the variable %.*s",
                    STR_FMT(used.n ? used.items[0].name : local));
    for (size_t i = 0; i < used.n && ok; i++) {
        const UnitVariable *v = &used.items[i];
        assume(w, false,
               arena_printf(w->arena, "the variable %.*s has any value", STR_FMT(v->name)));
        if (unit_has_pointer(w->unit, v->type, 0)) ok = fill(w, v->name, v->type);
    }
    if (ok && local.len)
        assume(w, false,
               arena_printf(w->arena, "the static variable %.*s has any value", STR_FMT(local)));
    VEC_FREE(&used);
    return ok;
}

// --- equality ------------------------------------------------------------------------------------

static bool compare(Writer *w, Str what, Str a, Str b, UnitType type)
{
    if (unit_is_array(type)) {
        Str k = new_name(w);
        strbuf_printf(&w->code, "unsigned long %.*s;\nif (%.*s < sizeof %.*s / sizeof %.*s[0]) {\n",
                      STR_FMT(k), STR_FMT(k), STR_FMT(a), STR_FMT(a));
        bool ok = compare(w, what, arena_printf(w->arena, "%.*s[%.*s]", STR_FMT(a), STR_FMT(k)),
                          arena_printf(w->arena, "%.*s[%.*s]", STR_FMT(b), STR_FMT(k)),
                          unit_pointee(type));
        strbuf_append(&w->code, STR("}\n"));
        return ok;
    }
    if (unit_is_structure(type)) {
        if (unit_is_union(type)) return refuse(w, "equality of unions");
        UnitVariables fields = {0};
        bool ok = true;
        unit_list_fields(w->unit, unit_fields(w->unit, type), &fields);
        for (size_t i = 0; i < fields.n && ok; i++) {
            Str dot = fields.items[i].name.len ? STR(".") : STR("");
            Str f = arena_printf(w->arena, "%.*s%.*s", STR_FMT(dot), STR_FMT(fields.items[i].name));
            ok = compare(w, arena_printf(w->arena, "%.*s%.*s", STR_FMT(what), STR_FMT(f)),
                         arena_printf(w->arena, "%.*s%.*s", STR_FMT(a), STR_FMT(f)),
                         arena_printf(w->arena, "%.*s%.*s", STR_FMT(b), STR_FMT(f)),
                         fields.items[i].type);
        }
        VEC_FREE(&fields);
        return ok;
    }
    if (type.n) return refuse(w, "equality of pointers");
    // A number that is none equals nothing, itself included.
    strbuf_printf(&w->code,
                  "if (!(%.*s == %.*s || (%.*s != %.*s && %.*s != %.*s))) {\n"
                  "__CPROVER_input(\"%s%.*s\", %.*s);\n__CPROVER_input(\"%s\", %.*s);\n"
                  "%s();\n}\n",
                  STR_FMT(a), STR_FMT(b), STR_FMT(a), STR_FMT(a), STR_FMT(b), STR_FMT(b),
                  HARNESS_RESULT, STR_FMT(what), STR_FMT(a), HARNESS_OTHER, STR_FMT(b),
                  HARNESS_DIFFER);
    return true;
}

static bool copy_objects(Writer *w)
{
    for (size_t i = 0; i < w->parameters.n; i++) {
        Parameter *p = &w->parameters.items[i];
        p->copy = p->name;
        if (unit_is_structure(p->type) && unit_has_pointer(w->unit, p->type, 0))
            return refuse(w, "equality of structures that hold pointers");
        if (!unit_is_pointer(p->type) && !unit_is_array(p->type)) continue;
        if (unit_has_pointer(w->unit, unit_pointee(p->type), 0))
            return refuse(w, "equality of structures that hold pointers");
        if (unit_is_void(w->unit, unit_pointee(p->type)))
            return refuse(w, "equality of what a pointer to void leads to");
        p->copy = new_name(w);
        strbuf_printf(&w->code,
                      "__typeof__(%.*s) %.*s = malloc(%.*s * sizeof *%.*s);\n"
                      "__CPROVER_assume(%.*s != 0);\n__CPROVER_array_copy(%.*s, %.*s);\n",
                      STR_FMT(p->name), STR_FMT(p->copy), STR_FMT(p->count), STR_FMT(p->name),
                      STR_FMT(p->copy), STR_FMT(p->copy), STR_FMT(p->name));
    }
    return true;
}

static bool compare_objects(Writer *w)
{
    for (size_t i = 0; i < w->parameters.n; i++) {
        const Parameter *p = &w->parameters.items[i];
        if (!unit_is_pointer(p->type) && !unit_is_array(p->type)) continue;
        Str k = new_name(w);
        strbuf_printf(&w->code, "unsigned long %.*s;\nif (%.*s < %.*s) {\n", STR_FMT(k), STR_FMT(k),
                      STR_FMT(p->count));
        if (!compare(w, p->name, arena_printf(w->arena, "%.*s[%.*s]", STR_FMT(p->name), STR_FMT(k)),
                     arena_printf(w->arena, "%.*s[%.*s]", STR_FMT(p->copy), STR_FMT(k)),
                     unit_pointee(p->type)))
            return false;
        strbuf_append(&w->code, STR("}\n"));
    }
    return true;
}

// --- calls ---------------------------------------------------------------------------------------

static void write_call(Writer *w, Str function, bool copies)
{
    strbuf_printf(&w->code, "%.*s(", STR_FMT(function));
    for (size_t i = 0; i < w->parameters.n; i++) {
        const Parameter *p = &w->parameters.items[i];
        Str argument = copies ? p->copy : p->name;
        strbuf_printf(&w->code, "%s%.*s", i ? ", " : "", STR_FMT(argument));
    }
    strbuf_append(&w->code, STR(");\n"));
}

static UnitType result_type(const Writer *w, TSNode function)
{
    UnitType type = unit_type(w->unit, function, node_field(function, "declarator"));
    return unit_is_function(type) ? unit_pointee(type) : type;
}

static bool write_comparison(Writer *w, TSNode function, Str old)
{
    UnitType result = result_type(w, function);
    bool is_void = unit_is_void(w->unit, result);
    if (unit_is_pointer(result)) return refuse(w, "equality of pointers");
    if (!copy_objects(w)) return false;
    if (!is_void) strbuf_append(&w->code, STR("__auto_type r1ls_x = "));
    write_call(w, w->request->name, false);
    if (!is_void) strbuf_append(&w->code, STR("__auto_type r1ls_y = "));
    write_call(w, old, true);
    assume(w, false, STR("both return: what never does is not compared"));
    if (!is_void && !compare(w, STR(""), STR("r1ls_x"), STR("r1ls_y"), result)) return false;
    return compare_objects(w);
}

// --- the function as it was ----------------------------------------------------------------------

// "int NAME(int a, int b)": without static, inline and the like.
static Str header_text(const Unit *unit, TSNode function, Str name, Arena *arena)
{
    StrBuf out = {0};
    for (uint32_t i = 0; i < ts_node_child_count(function); i++) {
        TSNode c = ts_node_child(function, i);
        Str text = unit_text(unit, c);
        if (node_is(c, "compound_statement")) break;
        bool kept = node_is(c, "type_qualifier");
        const char *role = ts_node_field_name_for_child(function, i);
        if (role && strcmp(role, "type") == 0) kept = true;
        if (role && strcmp(role, "declarator") == 0) {
            ByteRange all = syntax_range(c), own = syntax_range(unit_declared(c));
            text = arena_printf(arena, "%.*s%.*s%.*s",
                                STR_FMT(str_slice(unit->source, all.start, own.start)),
                                STR_FMT(name), STR_FMT(str_slice(unit->source, own.end, all.end)));
            kept = true;
        }
        if (kept) strbuf_printf(&out, "%.*s ", STR_FMT(text));
    }
    Str header = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return header;
}

static Str rewrite(Writer *w, const Unit *unit, Str original, const UnitNames *names)
{
    Rewrite r = {.unit = unit, .original = original, .function = w->request->name, .names = names};
    r.assumes = w->request->aim == HARNESS_COMPARE;
    Str text = rewrite_unit(&r);
    for (size_t i = 0; i < r.unknown.n; i++)
        assume(w, true,
               arena_printf(w->arena, "an index of %.*s is not negative",
                            STR_FMT(str_slice(r.unknown.items[i], 0, 40))));
    VEC_FREE(&r.unknown);
    return text;
}

// The unit's own definitions get other names, so that both units can be linked.
static Str renamed(Writer *w, const Unit *unit, Str original)
{
    UnitNames names = {0};
    unit_definitions(unit, &names);
    Str text = rewrite(w, unit, original, &names);
    VEC_FREE(&names);
    return text;
}

// A function r1ls_old_call in a unit of its own; `*header`, its declaration.
static bool write_old(Writer *w, Unit *old, TSNode function, Str *header)
{
    TSNode before = translate_find(old->syntax, w->request->name);
    if (ts_node_is_null(before)) return refuse(w, "the function as it was is not found");
    *header = header_text(old, before, STR("r1ls_old_call"), w->arena);
    if (!str_equal(*header, header_text(w->unit, function, STR("r1ls_old_call"), w->arena)))
        return refuse(w, "another declaration than that of the function as it was");
    Unit *unit = w->unit;
    w->unit = old;
    bool ok = declare_variables(w, true);
    w->unit = unit;
    if (!ok) return false;
    StrBuf code = w->code;
    w->code = (StrBuf){0};
    bool is_void = unit_is_void(w->unit, result_type(w, function));
    strbuf_printf(&w->code, "%.*s\n# 1 \"r1ls\"\n%.*s\n{\n%s",
                  STR_FMT(renamed(w, old, w->request->old)), STR_FMT(*header),
                  is_void ? "" : "return ");
    write_call(w, arena_printf(w->arena, "r1ls_old_%.*s", STR_FMT(w->request->name)), false);
    strbuf_append(&w->code, STR("}\n"));
    w->out->old = arena_str(w->arena, strbuf_str(&w->code));
    strbuf_deinit(&w->code);
    w->code = code;
    return true;
}

// --- all -----------------------------------------------------------------------------------------

static bool write_body(Writer *w, TSNode function, bool has_old)
{
    bool compares = has_old && w->request->aim == HARNESS_COMPARE;
    if (!declare_variables(w, compares) || !declare_parameters(w)) return false;
    if (w->n_objects > 1) assume(w, false, STR("no two of the objects overlap"));
    if (compares) return write_comparison(w, function, STR("r1ls_old_call"));
    if (has_old) {
        strbuf_append(&w->code, STR("_Bool r1ls_which;\nif (r1ls_which) "));
        write_call(w, STR("r1ls_old_call"), false);
        strbuf_append(&w->code, STR("else "));
    }
    write_call(w, w->request->name, false);
    return true;
}

static bool write_units(Writer *w, Unit *old)
{
    const HarnessRequest *r = w->request;
    Str header = STR("");
    TSNode function = translate_find(w->unit->syntax, r->name);
    if (ts_node_is_null(function))
        return refuse(w, "the function is not defined once after the preprocessor");
    if (syntax_error_count(w->unit->syntax, syntax_range(function)))
        return refuse(w, "a syntax error after the preprocessor");
    if (str_equal(r->name, STR("main"))) return refuse(w, "the function main");
    if (!read_parameters(w, function)) return false;
    if (r->old.len && !write_old(w, old, function, &header)) return false;
    if (!write_body(w, function, r->old.len > 0)) return false;
    const UnitNames none = {0};
    Str own = rewrite(w, w->unit, r->unit, &none);
    // Declarations of the library are the compiler's own on every 64-bit system.
    Str unit = arena_printf(w->arena,
                            "%.*s\n# 1 \"r1ls\"\nextern void *malloc(unsigned long);\n"
                            "%.*s%s\n"
                            "static void " HARNESS_DIFFER
                            "(void)\n{\nfor (unsigned long i = 0; i < 1000000; i++)\n;\n}\n"
                            "void " HARNESS_ENTRY "(void)\n{\n%.*s}\n",
                            STR_FMT(own), STR_FMT(header), header.len ? ";" : "",
                            STR_FMT(strbuf_str(&w->code)));
    w->out->unit = unit;
    return true;
}

bool harness_write(const HarnessRequest *request, Arena *arena, Harness *out)
{
    Unit unit, old = {0};
    *out = (Harness){0};
    Writer w = {.unit = &unit, .arena = arena, .request = request, .out = out};
    bool ok = unit_open(&unit, request->unit, arena) &&
              (!request->old.len || unit_open(&old, request->old, arena));
    if (!ok)
        refuse(&w, "a file that is too large to be parsed");
    else
        ok = write_units(&w, &old);
    if (out->why.len) ok = false;
    strbuf_deinit(&w.code);
    VEC_FREE(&w.parameters);
    unit_close(&unit);
    unit_close(&old);
    return ok;
}

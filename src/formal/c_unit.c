// Types are read from declarators as C's grammar nests them: the one next to the name is the outer
// one of the type. A typedef adds its own behind.
#include "formal/c_unit.h"

#include <string.h>

#include "formal/translate.h"
#include "grammars/languages.h"

enum { MAX_TYPEDEFS = 32, MAX_REACHED = 4096 };

// --- opening -------------------------------------------------------------------------------------

// "# 12 "file.c"" stands anywhere, within expressions too, and is no C.
static Str blank_markers(Str text, Arena *arena)
{
    char *out = arena_alloc(arena, text.len + 1);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find(text, STR("\n"), at);
        if (text.ptr[at] == '#') memset(out + at, ' ', end - at);
        at = end + 1;
    }
    return (Str){out, text.len};
}

bool unit_open(Unit *unit, Str preprocessed, Arena *arena)
{
    Error err = {0};
    *unit = (Unit){.arena = arena, .source = blank_markers(preprocessed, arena)};
    unit->text = text_new(unit->source, &err);
    if (unit->text) unit->syntax = syntax_parse(language_by_id("c"), unit->text, NULL);
    return unit->syntax != NULL;
}

void unit_close(Unit *unit)
{
    syntax_release(unit->syntax);
    text_release(unit->text);
    unit->syntax = NULL;
    unit->text = NULL;
}

Str unit_text(const Unit *unit, TSNode node)
{
    if (ts_node_is_null(node)) return STR("");
    ByteRange r = syntax_range(node);
    return str_slice(unit->source, r.start, r.end);
}

// --- types ---------------------------------------------------------------------------------------

static bool is_name_node(TSNode node)
{
    return node_is(node, "identifier") || node_is(node, "field_identifier") ||
           node_is(node, "type_identifier");
}

static TSNode inner_declarator(TSNode node)
{
    TSNode inner = node_field(node, "declarator");
    if (!ts_node_is_null(inner)) return inner;
    bool wraps = node_is(node, "parenthesized_declarator") ||
                 node_is(node, "attributed_declarator") ||
                 node_is(node, "abstract_parenthesized_declarator");
    return wraps ? node_first(node) : inner;
}

TSNode unit_declared(TSNode declarator)
{
    while (!ts_node_is_null(declarator) && !is_name_node(declarator))
        declarator = inner_declarator(declarator);
    return declarator;
}

static bool is_kind(TSNode node, const char *plain, const char *abstract)
{
    return node_is(node, plain) || node_is(node, abstract);
}

static bool is_layer(TSNode node)
{
    return is_kind(node, "pointer_declarator", "abstract_pointer_declarator") ||
           is_kind(node, "array_declarator", "abstract_array_declarator") ||
           is_kind(node, "function_declarator", "abstract_function_declarator");
}

static void add_layers(UnitType *type, TSNode declarator)
{
    int start = type->n;
    for (; !ts_node_is_null(declarator) && !is_name_node(declarator);
         declarator = inner_declarator(declarator)) {
        if (!is_layer(declarator)) continue;
        if (type->n == UNIT_MAX_LAYERS)
            type->is_known = false;
        else
            type->layers[type->n++] = declarator;
    }
    for (int i = start, j = type->n - 1; i < j; i++, j--) {
        TSNode swap = type->layers[i];
        type->layers[i] = type->layers[j];
        type->layers[j] = swap;
    }
}

static bool has_qualifier(const Unit *unit, TSNode node, const char *word)
{
    uint32_t n = ts_node_is_null(node) ? 0 : ts_node_named_child_count(node);
    for (uint32_t i = 0; i < n; i++) {
        TSNode c = ts_node_named_child(node, i);
        bool words = node_is(c, "type_qualifier") || node_is(c, "storage_class_specifier");
        if (words && str_equal(unit_text(unit, c), str_from(word))) return true;
    }
    return false;
}

// The typedef of that name: its holder, and the declarator.
static bool find_typedef(const Unit *unit, Str name, TSNode *holder, TSNode *declarator)
{
    TSNode root = syntax_root(unit->syntax);
    for (TSNode c = node_first(root); !ts_node_is_null(c); c = node_next(c)) {
        if (!node_is(c, "type_definition")) continue;
        for (uint32_t i = 0; i < ts_node_child_count(c); i++) {
            const char *field = ts_node_field_name_for_child(c, i);
            TSNode d = ts_node_child(c, i);
            if (!field || strcmp(field, "declarator") != 0 ||
                !str_equal(unit_text(unit, unit_declared(d)), name))
                continue;
            *holder = c;
            *declarator = d;
            return true;
        }
    }
    return false;
}

static bool is_builtin(Str name)
{
    static const Str names[] = {STR("_Bool"),    STR("__int128"), STR("__int128_t"),
                                STR("_Float32"), STR("_Float64"), STR("__uint128_t")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(names[i], name)) return true;
    return false;
}

UnitType unit_type(const Unit *unit, TSNode holder, TSNode declarator)
{
    UnitType type = {.is_known = true, .is_const = has_qualifier(unit, holder, "const")};
    type.spec = node_field(holder, "type");
    add_layers(&type, declarator);
    // `int *const p`: the variable is what is const; `const int *p` is none.
    if (type.n && is_kind(type.layers[0], "pointer_declarator", "abstract_pointer_declarator"))
        type.is_const = has_qualifier(unit, type.layers[0], "const");
    for (int i = 0; i < MAX_TYPEDEFS && node_is(type.spec, "type_identifier"); i++) {
        TSNode next = {{0}, NULL, NULL}, d = next;
        Str name = unit_text(unit, type.spec);
        if (!find_typedef(unit, name, &next, &d)) {
            type.is_known = type.is_known && is_builtin(name);
            break;
        }
        if (type.n == 0) type.is_const = type.is_const || has_qualifier(unit, next, "const");
        type.spec = node_field(next, "type");
        add_layers(&type, d);
    }
    if (ts_node_is_null(type.spec)) type.is_known = false;
    return type;
}

UnitType unit_pointee(UnitType type)
{
    for (int i = 1; i < type.n; i++)
        type.layers[i - 1] = type.layers[i];
    if (type.n) type.n--;
    return type;
}

bool unit_is_pointer(UnitType type)
{
    return type.n && is_kind(type.layers[0], "pointer_declarator", "abstract_pointer_declarator");
}

bool unit_is_array(UnitType type)
{
    return type.n && is_kind(type.layers[0], "array_declarator", "abstract_array_declarator");
}

bool unit_is_function(UnitType type)
{
    return type.n && is_kind(type.layers[0], "function_declarator", "abstract_function_declarator");
}

bool unit_is_void(const Unit *unit, UnitType type)
{
    return type.n == 0 && str_equal(unit_text(unit, type.spec), STR("void"));
}

bool unit_is_char(const Unit *unit, UnitType type)
{
    return type.n == 0 && str_equal(unit_text(unit, type.spec), STR("char"));
}

bool unit_is_structure(UnitType type)
{
    return type.n == 0 &&
           (node_is(type.spec, "struct_specifier") || node_is(type.spec, "union_specifier"));
}

bool unit_is_union(UnitType type)
{
    return type.n == 0 && node_is(type.spec, "union_specifier");
}

static TSNode find_body(const Unit *unit, TSNode node, const char *kind, Str tag, int depth)
{
    TSNode none = {{0}, NULL, NULL}, body = node_field(node, "body");
    if (node_is(node, kind) && !ts_node_is_null(body) &&
        str_equal(unit_text(unit, node_field(node, "name")), tag))
        return body;
    if (node_is(node, "compound_statement") || depth > 12) return none;
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c)) {
        TSNode found = find_body(unit, c, kind, tag, depth + 1);
        if (!ts_node_is_null(found)) return found;
    }
    return none;
}

TSNode unit_fields(const Unit *unit, UnitType type)
{
    TSNode none = {{0}, NULL, NULL};
    if (!unit_is_structure(type)) return none;
    TSNode body = node_field(type.spec, "body");
    if (!ts_node_is_null(body)) return body;
    return find_body(unit, syntax_root(unit->syntax), ts_node_type(type.spec),
                     unit_text(unit, node_field(type.spec, "name")), 0);
}

void unit_list_fields(const Unit *unit, TSNode fields, UnitVariables *out)
{
    TSNode none = {{0}, NULL, NULL};
    for (TSNode f = node_first(fields); !ts_node_is_null(f); f = node_next(f)) {
        if (!node_is(f, "field_declaration")) continue;
        bool any = false;
        for (uint32_t i = 0; i < ts_node_child_count(f); i++) {
            const char *role = ts_node_field_name_for_child(f, i);
            if (!role || strcmp(role, "declarator") != 0) continue;
            TSNode d = ts_node_child(f, i);
            UnitVariable field = {unit_text(unit, unit_declared(d)), unit_type(unit, f, d)};
            any = true;
            VEC_PUSH(out, field);
        }
        UnitVariable unnamed = {STR(""), unit_type(unit, f, none)};
        if (!any) VEC_PUSH(out, unnamed);
    }
}

bool unit_has_pointer(const Unit *unit, UnitType type, int depth)
{
    if (depth > 16 || unit_is_pointer(type) || unit_is_function(type)) return true;
    if (unit_is_array(type)) return unit_has_pointer(unit, unit_pointee(type), depth + 1);
    TSNode body = unit_fields(unit, type);
    if (ts_node_is_null(body)) return false;
    UnitVariables fields = {0};
    bool has = false;
    unit_list_fields(unit, body, &fields);
    for (size_t i = 0; i < fields.n && !has; i++)
        has = unit_has_pointer(unit, fields.items[i].type, depth + 1);
    VEC_FREE(&fields);
    return has;
}

// --- expressions ---------------------------------------------------------------------------------

typedef struct Lookup {
    const Unit *unit;
    Str name;
    const char *kind; // of the declared name's node
    int depth;        // elements of elements
    int answer;       // -2: nothing was found yet
} Lookup;

static void note_type(Lookup *l, UnitType type)
{
    int is_array = -1;
    if (type.is_known && l->depth < type.n) {
        for (int i = 0; i < l->depth; i++)
            type = unit_pointee(type);
        is_array = unit_is_array(type) ? 1 : unit_is_pointer(type) ? 0 : -1;
    }
    l->answer = l->answer == -2 || l->answer == is_array ? is_array : -1;
}

static void look_up_one(Lookup *l, TSNode node)
{
    if (ts_node_is_null(node_field(node, "type"))) return;
    for (uint32_t i = 0; i < ts_node_child_count(node); i++) {
        TSNode d = ts_node_child(node, i);
        const char *role = ts_node_field_name_for_child(node, i);
        if (!role || strcmp(role, "declarator") != 0) continue;
        if (node_is(d, "init_declarator")) d = node_field(d, "declarator");
        TSNode name = unit_declared(d);
        if (!node_is(name, l->kind) || !str_equal(unit_text(l->unit, name), l->name)) continue;
        // An array parameter is a pointer.
        bool pointer = node_is(node, "parameter_declaration") && l->depth == 0;
        if (pointer)
            l->answer = l->answer == -2 || l->answer == 0 ? 0 : -1;
        else
            note_type(l, unit_type(l->unit, node, d));
    }
}

static void look_up(Lookup *l, TSNode node)
{
    look_up_one(l, node);
    for (uint32_t i = 0; i < ts_node_child_count(node); i++)
        look_up(l, ts_node_child(node, i));
}

int unit_is_array_expression(const Unit *unit, TSNode node)
{
    Lookup l = {.unit = unit, .answer = -2};
    for (;; l.depth++) {
        while (node_is(node, "parenthesized_expression"))
            node = node_first(node);
        bool deref = node_is(node, "pointer_expression") && node_is(ts_node_child(node, 0), "*");
        if (!node_is(node, "subscript_expression") && !deref) break;
        node = node_field(node, "argument");
    }
    bool member = node_is(node, "field_expression");
    if (node_is(node, "call_expression") && l.depth == 0) return 0;
    if (!member && !node_is(node, "identifier")) return -1;
    l.name = unit_text(unit, member ? node_field(node, "field") : node);
    l.kind = member ? "field_identifier" : "identifier";
    // A variable is looked for in its function, then outside of all.
    TSNode scope = node, root = syntax_root(unit->syntax);
    while (!member && !ts_node_is_null(scope) && !node_is(scope, "function_definition"))
        scope = ts_node_parent(scope);
    look_up(&l, member || ts_node_is_null(scope) ? root : scope);
    for (TSNode c = node_first(root); l.answer == -2 && !ts_node_is_null(c); c = node_next(c))
        if (node_is(c, "declaration")) look_up_one(&l, c);
    return l.answer == -2 ? -1 : l.answer;
}

// --- what a function reaches ---------------------------------------------------------------------

typedef struct Reach {
    const Unit *unit;
    UnitVariables variables, *out; // of the file; of them, what is used
    UnitNames functions;           // that were read or wait for it
    TSNode parameters; // of the function that is read: they cover variables of their names
    Str static_local;
} Reach;

static void list_variables(const Unit *unit, UnitVariables *out)
{
    TSNode root = syntax_root(unit->syntax);
    for (TSNode c = node_first(root); !ts_node_is_null(c); c = node_next(c)) {
        if (!node_is(c, "declaration")) continue;
        for (uint32_t i = 0; i < ts_node_child_count(c); i++) {
            const char *field = ts_node_field_name_for_child(c, i);
            if (!field || strcmp(field, "declarator") != 0) continue;
            TSNode d = ts_node_child(c, i);
            if (node_is(d, "init_declarator")) d = node_field(d, "declarator");
            UnitVariable v = {unit_text(unit, unit_declared(d)), unit_type(unit, c, d)};
            if (v.name.len && !unit_is_function(v.type) && !v.type.is_const) VEC_PUSH(out, v);
        }
    }
}

static void note_name(Reach *r, Str name)
{
    for (size_t i = 0; i < r->out->n; i++)
        if (str_equal(r->out->items[i].name, name)) return;
    for (TSNode c = node_first(r->parameters); !ts_node_is_null(c); c = node_next(c))
        if (str_equal(unit_text(r->unit, unit_declared(node_field(c, "declarator"))), name)) return;
    for (size_t i = 0; i < r->variables.n; i++) {
        if (!str_equal(r->variables.items[i].name, name)) continue;
        VEC_PUSH(r->out, r->variables.items[i]);
        return;
    }
    for (size_t i = 0; i < r->functions.n; i++)
        if (str_equal(r->functions.items[i], name)) return;
    if (r->functions.n < MAX_REACHED && !ts_node_is_null(translate_find(r->unit->syntax, name)))
        VEC_PUSH(&r->functions, name);
}

static void read_names(Reach *r, TSNode node)
{
    if (node_is(node, "identifier")) note_name(r, unit_text(r->unit, node));
    bool is_static = node_is(node, "declaration") && has_qualifier(r->unit, node, "static") &&
                     !has_qualifier(r->unit, node, "const");
    if (is_static && r->static_local.len == 0)
        r->static_local = unit_text(r->unit, unit_declared(node_field(node, "declarator")));
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c))
        read_names(r, c);
}

void unit_reach(const Unit *unit, Str function, UnitVariables *out, Str *static_local,
                UnitNames *functions)
{
    Reach r = {.unit = unit, .out = out};
    list_variables(unit, &r.variables);
    VEC_PUSH(&r.functions, function);
    for (size_t i = 0; i < r.functions.n; i++) {
        TSNode node = translate_find(unit->syntax, r.functions.items[i]);
        if (ts_node_is_null(node)) continue;
        r.parameters = find_parameters(node);
        read_names(&r, node_field(node, "body"));
    }
    *static_local = r.static_local;
    VEC_FREE(&r.variables);
    if (functions)
        *functions = r.functions;
    else
        VEC_FREE(&r.functions);
}

void unit_definitions(const Unit *unit, UnitNames *out)
{
    TSNode root = syntax_root(unit->syntax);
    for (TSNode c = node_first(root); !ts_node_is_null(c); c = node_next(c)) {
        if (node_is(c, "function_definition")) VEC_PUSH(out, translate_name_of(c, unit->source));
        if (!node_is(c, "declaration") || has_qualifier(unit, c, "extern")) continue;
        for (uint32_t i = 0; i < ts_node_child_count(c); i++) {
            const char *field = ts_node_field_name_for_child(c, i);
            TSNode d = ts_node_child(c, i);
            if (!field || strcmp(field, "declarator") != 0) continue;
            if (node_is(d, "init_declarator")) d = node_field(d, "declarator");
            if (!unit_is_function(unit_type(unit, c, d)))
                VEC_PUSH(out, unit_text(unit, unit_declared(d)));
        }
    }
}

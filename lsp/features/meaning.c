// A chain is walked forwards from declaration to declaration: each gives a type's name, and that
// the place of the next member. Types are names: two of the same name are told apart by the nearer
// file.
#include "features/meaning.h"

#include <string.h>

#include "base/vec.h"
#include "workspace/node.h"
#include "workspace/target.h"

enum { MAX_ALIASES = 4, MAX_DEPTH = 6, MAX_BASES = 4 };

// A file that is looked at, and how deep the walk is.
typedef struct Place {
    const Question *q;
    const Syntax *syntax;
    Str path;
    int depth;
} Place;

static const Meaning NOTHING = {MEANS_NOTHING};

static Meaning value_of(const Place *at, TSNode node);
static Meaning declared_at(const Place *at, size_t byte_off);

static Str text_of(const Place *at, TSNode node)
{
    if (ts_node_is_null(node)) return STR("");
    ByteRange range = syntax_range(node);
    Str text = str_slice(text_str(syntax_text(at->syntax)), range.start, range.end);
    return arena_str(at->q->arena, text);
}

static bool is_one_of(TSNode node, const char *const *types)
{
    for (; !ts_node_is_null(node) && *types; types++)
        if (node_is(node, *types)) return true;
    return false;
}

static bool is_word_of(Str word, const char *const *words)
{
    for (; *words; words++)
        if (str_equal(word, str_from(*words))) return true;
    return false;
}

static TSNode node_at(const Place *at, size_t byte_off)
{
    uint32_t off = (uint32_t)byte_off;
    return ts_node_descendant_for_byte_range(syntax_root(at->syntax), off, off);
}

static bool is_in(const Place *at, const char *language)
{
    return language_family(syntax_language(at->syntax)) ==
           language_family(language_by_id(language));
}

// --- types

// `self`, `this` and `Self`: the class around the place.
static Str class_around(const Place *at, size_t byte_off)
{
    static const char *const classes[] = {"class_definition",
                                          "class_specifier",
                                          "class_declaration",
                                          "abstract_class_declaration",
                                          "class",
                                          "struct_specifier",
                                          "trait_item",
                                          "impl_item",
                                          NULL};
    TSNode node = node_at(at, byte_off);
    while (!ts_node_is_null(node) && !is_one_of(node, classes))
        node = ts_node_parent(node);
    TSNode name = node_field(node, node_is(node, "impl_item") ? "type" : "name");
    if (node_is(name, "generic_type")) name = node_field(name, "type");
    return text_of(at, name);
}

// The first type in `<...>` or `[...]`.
static TSNode first_argument(TSNode type)
{
    TSNode list = node_field(type, "type_arguments");
    uint32_t n = ts_node_named_child_count(type);
    if (ts_node_is_null(list) && n > 1) list = ts_node_named_child(type, n - 1);
    return ts_node_is_null(list) || ts_node_named_child_count(list) == 0
               ? list
               : ts_node_named_child(list, 0);
}

static Meaning named_type(const Place *at, TSNode type);

// `Box<T>` and the like behave as T does; of others T is what they hold.
static Meaning generic_type(const Place *at, TSNode type)
{
    static const char *const clear[] = {"Box", "Rc", "Arc", "Optional", "Readonly", "Final", NULL};
    TSNode name = node_field(type, "type");
    if (ts_node_is_null(name)) name = node_field(type, "name");
    if (ts_node_is_null(name)) name = node_field(type, "value"); // Python's subscript
    if (ts_node_is_null(name)) name = ts_node_named_child(type, 0);
    Meaning argument = named_type(at, first_argument(type)), outer = named_type(at, name);
    if (is_word_of(outer.type, clear)) return argument;
    outer.inner = argument.type;
    return outer;
}

// `A | null`: A.
static Meaning either_type(const Place *at, TSNode type)
{
    static const char *const none[] = {"null", "undefined", "None", NULL};
    for (uint32_t i = 0; i < ts_node_named_child_count(type); i++) {
        TSNode part = ts_node_named_child(type, i);
        if (!is_word_of(text_of(at, part), none)) return named_type(at, part);
    }
    return NOTHING;
}

static Meaning named_type(const Place *at, TSNode type)
{
    static const char *const names[] = {"type_identifier", "identifier", "primitive_type", NULL};
    static const char *const arrays[] = {"array_type", "slice_type", NULL};
    static const char *const generic[] = {"generic_type", "subscript", "template_type", NULL};
    static const char *const either[] = {"union_type", "binary_operator", NULL};
    for (int depth = 0; depth < 5 && !ts_node_is_null(type); depth++) {
        if (is_one_of(type, names))
            return (Meaning){.kind = MEANS_VALUE, .type = text_of(at, type)};
        if (is_one_of(type, generic)) return generic_type(at, type);
        if (is_one_of(type, either)) return either_type(at, type);
        if (node_is(type, "string")) { // Python's types that come later in the file
            Str text = text_of(at, type);
            Str name = str_slice(text, 1, text.len ? text.len - 1 : 0);
            return (Meaning){.kind = str_is_name(name) ? MEANS_VALUE : MEANS_NOTHING, .type = name};
        }
        if (is_one_of(type, arrays)) {
            TSNode element = node_field(type, "element");
            if (ts_node_is_null(element)) element = ts_node_named_child(type, 0);
            return (Meaning){.kind = MEANS_VALUE, .inner = named_type(at, element).type};
        }
        TSNode name = node_field(type, "name");
        if (ts_node_is_null(name)) name = node_field(type, "type");
        if (ts_node_is_null(name) && ts_node_named_child_count(type) == 1)
            name = ts_node_named_child(type, 0);
        type = name;
    }
    return NOTHING;
}

// The type that a node states, with Self for the class around it.
static Meaning stated_type(const Place *at, TSNode type)
{
    Meaning m = named_type(at, type);
    if (str_equal(m.type, STR("Self"))) m.type = class_around(at, ts_node_start_byte(type));
    if (str_equal(m.inner, STR("Self"))) m.inner = class_around(at, ts_node_start_byte(type));
    return m;
}

// --- declarations

static const char *const bodies[] = {
    "function_definition",  "compound_statement", "block",
    "function_item",        "method_declaration", "statement_block",
    "class_body",           "declaration_list",   "field_declaration_list",
    "function_declaration", "method_definition",  "arrow_function",
    "call_expression",      "enumerator_list",    NULL};

// The value that stands for the n-th of several names: `a, b := f()`.
static TSNode value_for(TSNode names, TSNode values, size_t byte_off)
{
    if (!node_is(values, "expression_list")) return values;
    uint32_t n = ts_node_named_child_count(names), which = 0;
    if (!node_is(names, "expression_list") || ts_node_named_child_count(values) != n)
        return ts_node_named_child(values, 0);
    while (which + 1 < n && ts_node_end_byte(ts_node_named_child(names, which)) <= byte_off)
        which++;
    return ts_node_named_child(values, which);
}

// What gives the name at byte_off its value, in the declaration around it.
static Meaning given_value(const Place *at, TSNode node, size_t byte_off)
{
    for (int up = 0; up < 5 && !ts_node_is_null(node); up++, node = ts_node_parent(node)) {
        if (is_one_of(node, bodies)) break;
        if (node_is(node, "as_pattern")) return value_of(at, ts_node_named_child(node, 0));
        if (node_is(node, "type_alias_declaration"))
            return stated_type(at, node_field(node, "value"));
        TSNode left = node_field(node, "left"), right = node_field(node, "right");
        bool assigns = node_is(node, "assignment") || node_is(node, "short_var_declaration") ||
                       node_is(node, "assignment_expression");
        if (assigns && node_is(left, "pattern_list")) break;
        bool first = !node_is(left, "expression_list") ||
                     ts_node_end_byte(ts_node_named_child(left, 0)) > byte_off ||
                     ts_node_named_child_count(right) > 1;
        if (assigns) return first ? value_of(at, value_for(left, right, byte_off)) : NOTHING;
        TSNode value = node_field(node, "value");
        if (!ts_node_is_null(value)) return value_of(at, value_for(node, value, byte_off));
    }
    return NOTHING;
}

static Meaning declared_at(const Place *at, size_t byte_off)
{
    TSNode node = node_at(at, byte_off), name = node;
    for (int up = 0; up < 6 && !ts_node_is_null(node); up++, node = ts_node_parent(node)) {
        if (is_one_of(node, bodies)) break;
        TSNode type = node_field(node, "type");
        if (ts_node_is_null(type)) continue;
        if (node_is(type, "placeholder_type_specifier")) break; // C++'s auto
        return stated_type(at, type);
    }
    return given_value(at, name, byte_off);
}

// In the file of a definition that the index knows.
static Meaning at_hit(const Place *at, const IndexHit *hit,
                      Meaning (*look)(const Place *at, size_t byte_off))
{
    if (at->depth >= MAX_DEPTH) return NOTHING;
    Syntax *syntax = question_read(at->q, hit->path, hit->name);
    if (!syntax) return NOTHING;
    // In the arena: cppcheck takes what look() gives for a part of the place.
    Place *there = arena_alloc(at->q->arena, sizeof *there);
    *there = (Place){at->q, syntax, hit->path, at->depth + 1};
    Meaning m = look(there, hit->name_range.start);
    syntax_release(syntax);
    return m;
}

// --- functions

// Of functions without a stated type: what the first return gives.
static Meaning first_return(const Place *at, TSNode function)
{
    TSNode body = node_field(function, "body");
    if (ts_node_is_null(body)) return NOTHING;
    TSNode statement = syntax_find_node(body, "return_statement");
    bool found = !ts_node_is_null(statement) && ts_node_named_child_count(statement) == 1;
    return found ? value_of(at, ts_node_named_child(statement, 0)) : NOTHING;
}

static Meaning returned_at(const Place *at, size_t byte_off)
{
    TSNode node = node_at(at, byte_off);
    for (int up = 0; up < 5 && !ts_node_is_null(node); up++, node = ts_node_parent(node)) {
        TSNode function = node, value = node_field(node, "value");
        if (node_is(value, "arrow_function") || node_is(value, "function_expression"))
            function = value;
        TSNode type = node_field(function, "return_type");
        if (ts_node_is_null(type)) type = node_field(function, "result");
        if (node_is(type, "parameter_list"))
            type = node_field(ts_node_named_child(type, 0), "type");
        bool of_c = node_is(node, "declaration") || node_is(node, "field_declaration");
        if (is_in(at, "c") && (of_c || node_is(node, "function_definition")))
            type = node_field(node, "type");
        if (!ts_node_is_null(type)) return stated_type(at, type);
        if (!ts_node_is_null(node_field(function, "body"))) return first_return(at, function);
    }
    return NOTHING;
}

// --- members

static bool is_type_kind(SymbolKind kind)
{
    return kind == SYMBOL_CLASS || kind == SYMBOL_STRUCT || kind == SYMBOL_ENUM ||
           kind == SYMBOL_INTERFACE || kind == SYMBOL_TYPE || kind == SYMBOL_MODULE;
}

// Of several types of one name the one in this file, else in this folder, if it is there.
static size_t keep_nearest(const Question *q, Str path, IndexHit *hits, size_t n)
{
    size_t kept = 0;
    if (path.len == 0) path = q->path;
    for (size_t i = 0; i < n; i++)
        if (str_equal(hits[i].path, path)) hits[kept++] = hits[i];
    if (kept) return kept;
    Str folder = str_folder(path);
    for (size_t i = 0; i < n; i++)
        if (str_equal(str_folder(hits[i].path), folder)) hits[kept++] = hits[i];
    return kept ? kept : n;
}

static bool splits_types(const Question *q) // a package's types, over its files
{
    return language_family(q->lang) == language_family(language_by_id("go"));
}

static size_t own_members(const Question *q, Str type, Str path, IndexHit **out)
{
    for (size_t i = 0; i < q->n_indexes && type.len; i++) {
        size_t n = index_members(q->indexes[i], type, q->path, q->arena, out), kept = 0;
        for (size_t k = 0; k < n; k++) // `typedef struct S {...} S` is around itself
            if (!str_equal((*out)[k].name, type)) (*out)[kept++] = (*out)[k];
        if (kept && !splits_types(q)) kept = keep_nearest(q, path, *out, kept);
        if (kept > 0) return kept;
    }
    return 0;
}

// The members of a type, through the names that a typedef gives it.
static size_t members_of(const Place *at, Str type, Str path, IndexHit **out)
{
    for (int i = 0; i < MAX_ALIASES && type.len; i++, path = STR("")) {
        size_t n = own_members(at->q, type, path, out);
        // `typedef struct S {...} T`: S is all that T itself contains.
        bool is_alias = n == 1 && (*out)[0].kind == SYMBOL_STRUCT;
        if (n > 0 && !is_alias) return n;
        if (is_alias && !str_equal((*out)[0].name, type)) {
            type = (*out)[0].name;
            continue;
        }
        IndexHit *hits;
        Str next = STR("");
        size_t n_hits = question_find(at->q, type, &hits);
        for (size_t k = 0; k < n_hits && next.len == 0; k++)
            if (hits[k].kind == SYMBOL_TYPE) next = at_hit(at, &hits[k], declared_at).type;
        if (str_equal(next, type)) return 0;
        type = next;
    }
    return 0;
}

static void add_base_names(const Place *at, TSNode node, int depth, Str *names, size_t *n)
{
    static const char *const skipped[] = {"keyword_argument", "type_arguments", NULL};
    for (uint32_t i = 0; i < ts_node_named_child_count(node) && *n < MAX_BASES; i++) {
        TSNode child = ts_node_named_child(node, i);
        bool named = node_is(child, "identifier") || node_is(child, "type_identifier");
        if (named)
            names[(*n)++] = text_of(at, child);
        else if (depth < 3 && !is_one_of(child, skipped))
            add_base_names(at, child, depth + 1, names, n);
    }
}

// Go: a field without a name is what it embeds.
static void add_embedded(const Place *at, TSNode node, Str *names, size_t *n)
{
    TSNode list = syntax_find_node(node, "field_declaration_list");
    if (ts_node_is_null(list)) return;
    for (uint32_t i = 0; i < ts_node_named_child_count(list) && *n < MAX_BASES; i++) {
        TSNode field = ts_node_named_child(list, i);
        bool embeds =
            node_is(field, "field_declaration") && ts_node_is_null(node_field(field, "name"));
        Meaning base = embeds ? stated_type(at, node_field(field, "type")) : NOTHING;
        if (base.type.len) names[(*n)++] = base.type;
    }
}

static size_t base_names(const Place *at, const IndexHit *hit, Str *names)
{
    static const char *const clauses[] = {"class_heritage", "base_class_clause",
                                          "extends_type_clause", "trait_bounds", NULL};
    size_t n = 0;
    Place there = {at->q, question_read(at->q, hit->path, STR("")), hit->path, at->depth};
    if (!there.syntax) return 0;
    TSNode class = ts_node_parent(node_at(&there, hit->name_range.start));
    if (!ts_node_is_null(class)) {
        TSNode supers = node_field(class, "superclasses");
        if (!ts_node_is_null(supers)) add_base_names(&there, supers, 0, names, &n);
        for (uint32_t i = 0; i < ts_node_named_child_count(class); i++) {
            TSNode child = ts_node_named_child(class, i);
            if (is_one_of(child, clauses)) add_base_names(&there, child, 0, names, &n);
        }
        if (node_is(class, "type_spec")) add_embedded(&there, class, names, &n);
    }
    syntax_release(there.syntax);
    return n;
}

typedef VEC(IndexHit) Hits;

static void add_all(Hits *all, const IndexHit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < all->n && !known; k++)
            known = str_equal(all->items[k].name, hits[i].name);
        if (!known) VEC_PUSH(all, hits[i]);
    }
}

static void add_with_bases(const Place *at, Str type, Str path, Hits *all)
{
    IndexHit *hits;
    Str bases[MAX_BASES];
    size_t n = members_of(at, type, path, &hits), n_bases = 0;
    add_all(all, hits, n);
    bool plain = at->q->lang && strcmp(at->q->lang->id, "c") == 0;
    if (plain || at->depth >= MAX_DEPTH) return;
    n = question_find(at->q, type, &hits);
    for (size_t i = 0; i < n && n_bases == 0; i++)
        if (is_type_kind(hits[i].kind) && (path.len == 0 || str_equal(hits[i].path, path)))
            n_bases = base_names(at, &hits[i], bases);
    Place deeper = *at;
    deeper.depth++;
    for (size_t i = 0; i < n_bases; i++)
        if (!str_equal(bases[i], type)) add_with_bases(&deeper, bases[i], STR(""), all);
}

// --- the walk

static Meaning meaning_of_hit(const Place *at, const IndexHit *hit)
{
    if (is_type_kind(hit->kind))
        return (Meaning){.kind = MEANS_TYPE, .type = hit->name, .path = hit->path, .hit = *hit};
    if (hit->kind == SYMBOL_FUNCTION || hit->kind == SYMBOL_METHOD)
        return (Meaning){.kind = MEANS_FUNCTION, .hit = *hit};
    if (hit->kind == SYMBOL_ENUMERATOR)
        return (Meaning){.kind = MEANS_VALUE, .type = hit->container};
    if (hit->kind == SYMBOL_MACRO) return NOTHING;
    return at_hit(at, hit, declared_at);
}

static Meaning new_module(const Place *at, Str path, Str module)
{
    Meaning m = {.kind = MEANS_MODULE, .path = path, .module = module};
    m.files = modules_files(at->q, syntax_language(at->syntax), path, module);
    return m.files.n ? m : NOTHING;
}

static size_t definitions_of(const Question *q, Str path, IndexHit **out)
{
    for (size_t i = 0; i < q->n_indexes; i++) {
        size_t n = index_definitions(q->indexes[i], path, q->arena, out);
        if (n > 0) return n;
    }
    return 0;
}

static Meaning bound_name(const Place *at, Str name);

// What a module defines, imports itself, or has below it.
static Meaning name_in_module(const Place *at, const Meaning *module, Str name)
{
    for (size_t i = 0; i < module->files.n; i++) {
        IndexHit *hits;
        size_t n = definitions_of(at->q, module->files.paths[i], &hits);
        for (size_t k = 0; k < n; k++) {
            bool other_module = hits[k].kind == SYMBOL_MODULE && is_in(at, "rust");
            if (hits[k].container.len == 0 && str_equal(hits[k].name, name) && !other_module)
                return meaning_of_hit(at, &hits[k]);
        }
    }
    bool dots = str_ends(module->module, STR("."));
    const char *joint = is_in(at, "rust") ? "::" : dots ? "" : ".";
    Meaning below = new_module(
        at, module->path,
        arena_printf(at->q->arena, "%.*s%s%.*s", STR_FMT(module->module), joint, STR_FMT(name)));
    if (below.kind != MEANS_NOTHING || at->depth >= MAX_DEPTH) return below;
    Str path = module->files.n ? module->files.paths[0] : STR("");
    Place there = {at->q, path.len ? question_read(at->q, path, STR("")) : NULL, path,
                   at->depth + 1};
    if (!there.syntax) return NOTHING;
    Meaning m = bound_name(&there, name);
    syntax_release(there.syntax);
    return m;
}

// A name that an import brings into the file.
static Meaning bound_name(const Place *at, Str name)
{
    ModuleBinding binding;
    if (!modules_binding(at->q, at->syntax, name, &binding)) return NOTHING;
    Meaning module = new_module(at, at->path, binding.module);
    if (binding.member.len == 0) return module;
    if (module.kind == MEANS_NOTHING)
        module = (Meaning){.path = at->path, .module = binding.module};
    return name_in_module(at, &module, binding.member);
}

static Meaning global_name(const Place *at, Str name)
{
    IndexHit *hits;
    size_t n = question_find(at->q, name, &hits);
    for (size_t i = 0; i < n; i++) {
        bool hidden = hits[i].is_private && !str_equal(hits[i].path, at->path);
        bool member = hits[i].kind == SYMBOL_FIELD || hits[i].kind == SYMBOL_METHOD ||
                      hits[i].kind == SYMBOL_PROPERTY;
        if (hidden || member || hits[i].kind == SYMBOL_MACRO) continue;
        return meaning_of_hit(at, &hits[i]);
    }
    return NOTHING;
}

static Meaning first_name(const Place *at, const DottedPart *part)
{
    static const char *const self[] = {"self", "this", NULL}, *const class[] = {"Self", "cls",
                                                                                NULL};
    static const char *const roots[] = {"crate", "super", "self", NULL};
    Target target;
    if (part->scoped && is_in(at, "rust") && is_word_of(part->name, roots))
        return new_module(at, at->path, part->name);
    if (is_word_of(part->name, self) || is_word_of(part->name, class)) {
        MeaningKind kind = is_word_of(part->name, class) ? MEANS_TYPE : MEANS_VALUE;
        return (Meaning){.kind = kind, .type = class_around(at, part->off), .path = at->path};
    }
    bool found = target_find(at->syntax, part->off, &target) && str_equal(target.name, part->name);
    if (found && target.is_local) {
        Meaning m = declared_at(at, target.declared.start);
        if (m.kind != MEANS_NOTHING) return m;
    }
    Meaning m = bound_name(at, part->name);
    return m.kind == MEANS_NOTHING && !(found && target.is_local) ? global_name(at, part->name) : m;
}

static Meaning next_name(const Place *at, const Meaning *before, Str name)
{
    static const char *const unwraps[] = {"unwrap", "expect", "unwrap_or_default", NULL};
    Hits all = {0};
    Meaning m = NOTHING;
    if (before->kind == MEANS_MODULE) return name_in_module(at, before, name);
    if (before->kind != MEANS_VALUE && before->kind != MEANS_TYPE) return m;
    if (before->inner.len && is_word_of(name, unwraps))
        return (Meaning){.kind = MEANS_FUNCTION, .type = before->inner};
    if (str_equal(name, STR("clone")))
        return (Meaning){.kind = MEANS_FUNCTION, .type = before->type, .inner = before->inner};
    if (at->depth >= MAX_DEPTH) return m;
    add_with_bases(at, before->type, before->path, &all);
    for (size_t i = 0; i < all.n && m.kind == MEANS_NOTHING; i++)
        if (str_equal(all.items[i].name, name)) m = meaning_of_hit(at, &all.items[i]);
    VEC_FREE(&all);
    return m;
}

static Meaning with_suffixes(const Place *at, Meaning m, const DottedPart *part)
{
    if (part->literal) m.kind = m.kind == MEANS_TYPE ? MEANS_VALUE : MEANS_NOTHING;
    if (part->called && m.kind == MEANS_FUNCTION) {
        if (m.hit.path.len)
            m = at_hit(at, &m.hit, returned_at);
        else
            m.kind = MEANS_VALUE;
    } else if (part->called) {
        m.kind = m.kind == MEANS_TYPE ? MEANS_VALUE : MEANS_NOTHING;
    }
    bool holds = m.kind == MEANS_VALUE && m.inner.len;
    if (holds && (part->indexed || (part->tried && is_in(at, "rust"))))
        m = (Meaning){.kind = MEANS_VALUE, .type = m.inner};
    return m;
}

static Meaning walk(const Place *at, const Dotted *dotted)
{
    Meaning m = with_suffixes(at, first_name(at, &dotted->parts[0]), &dotted->parts[0]);
    for (size_t i = 1; i < dotted->n && m.kind != MEANS_NOTHING; i++)
        m = with_suffixes(at, next_name(at, &m, dotted->parts[i].name), &dotted->parts[i]);
    if (dotted->waits && m.kind == MEANS_VALUE && m.inner.len &&
        (str_equal(m.type, STR("Promise")) || str_equal(m.type, STR("Awaitable"))))
        m = (Meaning){.kind = MEANS_VALUE, .type = m.inner};
    return m;
}

// A value's type; a class by itself (`T = Shape`) is none.
static Meaning value_of(const Place *at, TSNode node)
{
    Dotted dotted;
    if (ts_node_is_null(node) || at->depth >= MAX_DEPTH) return NOTHING;
    if (node_is(node, "as_expression") && ts_node_named_child_count(node) == 2)
        return stated_type(at, ts_node_named_child(node, 1));
    Str text = text_str(syntax_text(at->syntax));
    ByteRange range = syntax_range(node);
    if (!dotted_of(text, range.start, range.end, &dotted)) return NOTHING;
    Place deeper = *at;
    deeper.depth++;
    return walk(&deeper, &dotted);
}

Meaning meaning_of_dotted(const Question *q, const Dotted *dotted)
{
    Place at = {q, q->syntax, q->path, 0};
    return q->syntax && dotted->n ? walk(&at, dotted) : NOTHING;
}

size_t meaning_members(const Question *q, const Meaning *m, IndexHit **out)
{
    Hits all = {0};
    Place at = {q, q->syntax, q->path, 0};
    bool exported_only = splits_types(q);
    if (m->kind == MEANS_VALUE || m->kind == MEANS_TYPE)
        add_with_bases(&at, m->type, m->path, &all);
    for (size_t i = 0; m->kind == MEANS_MODULE && i < m->files.n; i++) {
        IndexHit *hits;
        size_t n = definitions_of(q, m->files.paths[i], &hits), kept = 0;
        for (size_t k = 0; k < n; k++) {
            bool exported = hits[k].name.ptr[0] >= 'A' && hits[k].name.ptr[0] <= 'Z';
            if (hits[k].container.len == 0 && (exported || !exported_only)) hits[kept++] = hits[k];
        }
        add_all(&all, hits, kept);
    }
    size_t n = 0;
    *out = arena_array(q->arena, all.n, sizeof **out);
    for (size_t i = 0; i < all.n; i++) // a struct's own struct is a type, not a member of a value
        if (m->kind != MEANS_VALUE || !is_type_kind(all.items[i].kind)) (*out)[n++] = all.items[i];
    VEC_FREE(&all);
    return n;
}

Meaning meaning_of_import(const Question *q, Str name)
{
    Place at = {q, q->syntax, q->path, 0};
    return q->syntax ? bound_name(&at, name) : NOTHING;
}

Str meaning_without_alias(const Question *q, Str type)
{
    Place at = {q, q->syntax, q->path, 0};
    IndexHit *hits;
    size_t n = question_find(q, type, &hits);
    Str next = STR("");
    for (size_t i = 0; i < n; i++) {
        if (hits[i].kind == SYMBOL_STRUCT) return type;
        if (hits[i].kind == SYMBOL_TYPE && next.len == 0)
            next = at_hit(&at, &hits[i], declared_at).type;
    }
    return next.len ? next : type;
}

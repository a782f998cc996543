// A chain is read backwards from its bytes (`a->b[i].c`), because code that is being typed has no
// tree yet; then it is walked forwards from declaration to declaration: each gives a type's name,
// and that the place of the next member. What is not certain gives nothing.
#include "features/members.h"

#include <string.h>

#include "workspace/node.h"
#include "workspace/target.h"

enum { MAX_CHAIN = 8, MAX_ALIASES = 4 };

typedef struct Chain {
    Str parts[MAX_CHAIN]; // the last one stands nearest to the cursor
    size_t n, first_off;  // of the first part
    bool scope;           // the last operator is `::`: the parts name types
} Chain;

static size_t skip_blanks(Str text, size_t at)
{
    while (at > 0 && (text.ptr[at - 1] == ' ' || text.ptr[at - 1] == '\t'))
        at--;
    return at;
}

// The length of the operator that ends at `at`; 0: none.
static size_t operator_before(Str text, size_t at, bool *scope)
{
    Str before = str_slice(text, 0, at);
    *scope = str_ends(before, STR("::"));
    if (*scope || str_ends(before, STR("->"))) return 2;
    bool dot = str_ends(before, STR(".")) && !str_ends(before, STR(".."));
    return dot ? 1 : 0;
}

// Over `[...]`; SIZE_MAX if it is not closed before.
static size_t skip_index(Str text, size_t at)
{
    int depth = 0;
    for (; at > 0; at--) {
        char c = text.ptr[at - 1];
        if (c == ']') depth++;
        if (c == '[' && --depth == 0) return at - 1;
        if (c == '\n' || c == ';') break;
    }
    return SIZE_MAX;
}

static bool read_chain(Str text, size_t at, Chain *chain)
{
    Str reversed[MAX_CHAIN] = {0};
    *chain = (Chain){0};
    for (bool scope; chain->n < MAX_CHAIN;) {
        size_t n = operator_before(text, skip_blanks(text, at), &scope);
        if (n == 0) break;
        if (chain->n == 0) chain->scope = scope;
        at = skip_blanks(text, skip_blanks(text, at) - n);
        while (at > 0 && text.ptr[at - 1] == ']')
            if ((at = skip_index(text, at)) == SIZE_MAX) return false;
        size_t end = at;
        while (at > 0 && str_is_word_byte(text.ptr[at - 1]))
            at--;
        if (end == at || (text.ptr[at] >= '0' && text.ptr[at] <= '9')) return false;
        reversed[chain->n++] = str_slice(text, at, end);
        chain->first_off = at;
    }
    for (size_t i = 0; i < chain->n; i++)
        chain->parts[i] = reversed[chain->n - 1 - i];
    return chain->n > 0;
}

bool members_is_context(const TextSnap *text, const Language *lang, size_t byte_off)
{
    bool scope;
    if (!lang) return false;
    return operator_before(text_str(text), skip_blanks(text_str(text), byte_off), &scope) > 0;
}

// --- types

static Str text_of(const Syntax *syntax, TSNode node)
{
    ByteRange range = syntax_range(node);
    return str_slice(text_str(syntax_text(syntax)), range.start, range.end);
}

// The name in a type's node: of `struct S`, `S`, `ns::S`, `S<T>`.
static Str name_in_type(const Syntax *syntax, TSNode type)
{
    for (int depth = 0; depth < 4 && !ts_node_is_null(type); depth++) {
        if (node_is(type, "type_identifier") || node_is(type, "identifier"))
            return text_of(syntax, type);
        TSNode name = node_field(type, "name");
        if (ts_node_is_null(name) && ts_node_named_child_count(type) == 1)
            name = ts_node_named_child(type, 0); // Python's (type (identifier))
        type = name;
    }
    return STR("");
}

// Python: what is assigned is a call of a class.
static Str called_class(const Syntax *syntax, TSNode assignment)
{
    TSNode right = node_field(assignment, "right");
    if (!node_is(right, "call")) return STR("");
    TSNode function = node_field(right, "function");
    Str name = node_is(function, "identifier") ? text_of(syntax, function) : STR("");
    bool upper = name.len && name.ptr[0] >= 'A' && name.ptr[0] <= 'Z';
    return upper ? name : STR("");
}

// The type that the declaration around byte_off states.
static Str declared_type(const Syntax *syntax, size_t byte_off)
{
    uint32_t at = (uint32_t)byte_off;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), at, at);
    for (int up = 0; up < 6 && !ts_node_is_null(node); up++, node = ts_node_parent(node)) {
        if (node_is(node, "assignment") && ts_node_is_null(node_field(node, "type")))
            return called_class(syntax, node);
        if (node_is(node, "function_definition") || node_is(node, "compound_statement") ||
            node_is(node, "block"))
            break;
        TSNode type = node_field(node, "type");
        if (!ts_node_is_null(type)) return name_in_type(syntax, type);
    }
    return STR("");
}

// `self` and `this`: the class around the place.
static Str class_around(const Syntax *syntax, size_t byte_off)
{
    uint32_t at = (uint32_t)byte_off;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), at, at);
    for (; !ts_node_is_null(node); node = ts_node_parent(node))
        if (node_is(node, "class_definition") || node_is(node, "class_specifier") ||
            node_is(node, "class_declaration") || node_is(node, "struct_specifier"))
            return name_in_type(syntax, node_field(node, "name"));
    return STR("");
}

static Str type_at_hit(const Question *q, const IndexHit *hit)
{
    Syntax *syntax = question_read(q, hit->path, STR(""));
    if (!syntax) return STR("");
    Str type = arena_str(q->arena, declared_type(syntax, hit->name_range.start));
    syntax_release(syntax);
    return type;
}

static Str type_of_variable(const Question *q, const Chain *chain)
{
    Target target;
    IndexHit *hits;
    Str name = chain->parts[0];
    if (str_equal(name, STR("self")) || str_equal(name, STR("this")))
        return class_around(q->syntax, chain->first_off);
    bool found = target_find(q->syntax, chain->first_off, &target) && str_equal(target.name, name);
    if (found && target.is_local) return declared_type(q->syntax, target.declared.start);
    size_t n = question_find(q, name, &hits);
    for (size_t i = 0; i < n; i++) {
        bool visible = !hits[i].is_private || str_equal(hits[i].path, q->path);
        if (visible && hits[i].kind == SYMBOL_VARIABLE) return type_at_hit(q, &hits[i]);
    }
    return STR("");
}

static size_t members_of(const Question *q, Str type, IndexHit **out)
{
    for (size_t i = 0; i < q->n_indexes; i++) {
        size_t n = index_members(q->indexes[i], type, q->arena, out), kept = 0;
        for (size_t k = 0; k < n; k++) // `typedef struct S {...} S` is around itself
            if (!str_equal((*out)[k].name, type)) (*out)[kept++] = (*out)[k];
        if (kept > 0) return kept;
    }
    return 0;
}

// The members of a type, through the names that a typedef gives it.
static size_t members_of_alias(const Question *q, Str type, IndexHit **out)
{
    for (int i = 0; i < MAX_ALIASES && type.len; i++) {
        size_t n = members_of(q, type, out);
        // `typedef struct S {...} T`: S is all that T itself contains.
        bool is_alias = n == 1 && (*out)[0].kind == SYMBOL_STRUCT;
        if (n > 0 && !is_alias) return n;
        if (is_alias && !str_equal((*out)[0].name, type)) {
            type = (*out)[0].name;
            continue;
        }
        IndexHit *hits;
        Str next = STR("");
        size_t n_hits = question_find(q, type, &hits);
        for (size_t k = 0; k < n_hits && next.len == 0; k++)
            if (hits[k].kind == SYMBOL_TYPE) next = type_at_hit(q, &hits[k]);
        if (str_equal(next, type)) return 0;
        type = next;
    }
    return 0;
}

// The type's name before the last operator of the chain; empty: not known.
static Str receiver_type(const Question *q, const Chain *chain)
{
    // After `::` the part itself is the type, and what stands before it says where it is.
    if (chain->scope) return chain->parts[chain->n - 1];
    Str type = type_of_variable(q, chain);
    for (size_t i = 1; i < chain->n && type.len; i++) {
        IndexHit *hits;
        size_t k = 0, n = members_of_alias(q, type, &hits);
        while (k < n && !str_equal(hits[k].name, chain->parts[i]))
            k++;
        type = k < n ? type_at_hit(q, &hits[k]) : STR("");
    }
    return type;
}

size_t members_find(const Question *q, size_t byte_off, IndexHit **out)
{
    Chain chain;
    *out = NULL;
    if (!q->syntax || !read_chain(text_str(q->text), byte_off, &chain)) return 0;
    return members_of_alias(q, receiver_type(q, &chain), out);
}

// A type that is another one's new name, and has no body of its own, stands for it.
static Str without_alias(const Question *q, Str type)
{
    IndexHit *hits;
    size_t n = question_find(q, type, &hits);
    Str next = STR("");
    for (size_t i = 0; i < n; i++) {
        if (hits[i].kind == SYMBOL_STRUCT) return type;
        if (hits[i].kind == SYMBOL_TYPE && next.len == 0) next = type_at_hit(q, &hits[i]);
    }
    return next.len ? next : type;
}

Str members_receiver_type(const Question *q, size_t byte_off)
{
    Chain chain;
    if (!q->syntax || !read_chain(text_str(q->text), byte_off, &chain) || chain.scope)
        return STR("");
    Str type = receiver_type(q, &chain);
    for (int i = 0; i < MAX_ALIASES && type.len; i++)
        type = without_alias(q, type);
    return type;
}

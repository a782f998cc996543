// One walk over the tree for each kind of change, so that the kinds come in order of likelihood.
//
// Kinds of node differ between grammars in name, not in shape: "binary_expression" of C and
// JavaScript is "binary_operator", "comparison_operator" and "boolean_operator" of Python.
#include "loop/mutate.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum { MAX_NAMES = 24, MAX_CONSTANTS = 12, MAX_DEPTH = 200 };

typedef VEC(Mutant) MutantVec;

typedef struct Walk {
    const TextSnap *text;
    ByteRange range;
    Arena *arena;
    MutantVec out;
    size_t max;
    Str names[MAX_NAMES], constants[MAX_CONSTANTS]; // that occur, each once
    bool called[MAX_NAMES];                         // the name stands before an argument list
    int n_names, n_constants;
} Walk;

typedef void (*Visit)(Walk *walk, TSNode node, const char *type);

static Str text_of(const Walk *walk, TSNode node)
{
    ByteRange r = syntax_range(node);
    return str_slice(text_str(walk->text), r.start, r.end);
}

static void put(Walk *walk, TSNode node, Str insert, const char *what)
{
    ByteRange r = syntax_range(node);
    if (walk->out.n >= walk->max || str_equal(text_of(walk, node), insert)) return;
    for (size_t i = 0; i < walk->out.n; i++) {
        const Mutant *m = &walk->out.items[i];
        if (m->replace.start == r.start && m->replace.end == r.end && str_equal(m->insert, insert))
            return;
    }
    Mutant mutant = {r, arena_str(walk->arena, insert), what};
    VEC_PUSH(&walk->out, mutant);
}

static void visit_all(Walk *walk, TSNode node, Visit visit, int depth)
{
    ByteRange r = syntax_range(node);
    if (r.end <= walk->range.start || r.start >= walk->range.end || depth > MAX_DEPTH) return;
    if (r.start >= walk->range.start && r.end <= walk->range.end)
        visit(walk, node, ts_node_type(node));
    for (uint32_t i = 0; i < ts_node_child_count(node); i++)
        visit_all(walk, ts_node_child(node, i), visit, depth + 1);
}

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(type, *types) == 0) return true;
    return false;
}

static bool is_binary(const char *type)
{
    static const char *const types[] = {"binary_expression", "binary_operator",
                                        "comparison_operator", "boolean_operator", NULL};
    return is_one_of(type, types);
}

static bool is_number(const char *type)
{
    static const char *const types[] = {"number_literal", "integer",         "number",
                                        "int_literal",    "integer_literal", NULL};
    return is_one_of(type, types);
}

static bool is_statement(const char *type)
{
    static const char *const types[] = {"expression_statement", "return_statement",
                                        "break_statement",      "continue_statement",
                                        "if_statement",         NULL};
    return is_one_of(type, types);
}

// --- operators -----------------------------------------------------------------------------------

// What an operator is mistaken for: rows are the operator and its alternatives, likeliest first.
static const char *const OPERATORS[][6] = {
    {"<", "<=", ">", "!=", ">="},
    {"<=", "<", ">=", "=="},
    {">", ">=", "<", "!=", "<="},
    {">=", ">", "<=", "=="},
    {"==", "!=", "<=", ">="},
    {"!=", "==", "<", ">"},
    {"+", "-", "*"},
    {"-", "+", "/"},
    {"*", "+", "/", "**"},
    {"/", "*", "//", "%"},
    {"//", "/", "%"},
    {"%", "/", "*", "//"},
    {"&&", "||"},
    {"||", "&&"},
    {"and", "or"},
    {"or", "and"},
    {"&", "|", "^"},
    {"|", "&", "^"},
    {"^", "|", "&"},
    {"<<", ">>"},
    {">>", "<<"},
    {"+=", "-=", "=", "*="},
    {"-=", "+=", "="},
    {"*=", "+=", "/="},
    {"/=", "*=", "//="},
    {"=", "+=", "-="},
    {"|=", "&=", "^="},
    {"&=", "|=", "^="},
    {"++", "--"},
    {"--", "++"},
    {"in", "not in"},
    {"not in", "in"},
    {"is", "is not"},
    {"is not", "is"},
    {"<<=", ">>="},
    {">>=", "<<="},
    {"break", "continue"},
    {"continue", "break"},
    {"True", "False"},
    {"False", "True"},
    {"true", "false"},
    {"false", "true"},
    {"min", "max"},
    {"max", "min"},
};

// The "=" of a declaration is not an operator; whether a leaf is one, its parent tells.
static bool may_change(TSNode leaf, Str text)
{
    TSNode parent = ts_node_parent(leaf);
    if (!str_equal(text, STR("="))) return true;
    return !ts_node_is_null(parent) && strcmp(ts_node_type(parent), "assignment_expression") == 0;
}

static void visit_operator(Walk *walk, TSNode node, const char *type)
{
    (void)type;
    if (ts_node_child_count(node)) return;
    Str text = text_of(walk, node);
    for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++) {
        if (!str_equal(text, str_from(OPERATORS[i][0])) || !may_change(node, text)) continue;
        for (int j = 1; j < 6 && OPERATORS[i][j]; j++)
            put(walk, node, str_from(OPERATORS[i][j]), "operator");
    }
}

// --- constants -----------------------------------------------------------------------------------

static bool is_constant(const char *type)
{
    static const char *const chars[] = {"char_literal", "character_literal", NULL};
    return is_number(type) || is_one_of(type, chars);
}

static bool is_called(TSNode node)
{
    TSNode parent = ts_node_parent(node);
    const char *type = ts_node_is_null(parent) ? "" : ts_node_type(parent);
    bool call = strcmp(type, "call") == 0 || strcmp(type, "call_expression") == 0;
    return call && ts_node_start_byte(parent) == ts_node_start_byte(node);
}

static void collect(Walk *walk, TSNode node, const char *type)
{
    Str text = text_of(walk, node);
    bool name = strcmp(type, "identifier") == 0;
    if (!name && !is_constant(type)) return;
    Str *list = name ? walk->names : walk->constants;
    int *n = name ? &walk->n_names : &walk->n_constants;
    for (int i = 0; i < *n; i++)
        if (str_equal(list[i], text)) return;
    if (*n == (name ? MAX_NAMES : MAX_CONSTANTS)) return;
    if (name) walk->called[*n] = is_called(node);
    list[(*n)++] = text;
}

static void visit_constant(Walk *walk, TSNode node, const char *type)
{
    if (!is_constant(type)) return;
    Str text = text_of(walk, node);
    char *end;
    long value = is_number(type) ? strtol(arena_str(walk->arena, text).ptr, &end, 10) : 0;
    bool plain = is_number(type) && text.len < 10 && (size_t)(end - text.ptr) != 0 &&
                 str_find(text, STR("."), 0) == text.len && str_find(text, STR("x"), 0) == text.len;
    if (plain) {
        put(walk, node, arena_printf(walk->arena, "%ld", value + 1), "constant");
        put(walk, node, arena_printf(walk->arena, "%ld", value - 1), "constant");
        put(walk, node, STR("0"), "constant");
    }
    for (int i = 0; i < walk->n_constants; i++)
        put(walk, node, walk->constants[i], "constant");
}

// --- expressions and statements ------------------------------------------------------------------

static void visit_operand(Walk *walk, TSNode node, const char *type)
{
    uint32_t n = ts_node_named_child_count(node);
    if (!is_binary(type) || n < 2) return;
    put(walk, node, text_of(walk, ts_node_named_child(node, 0)), "operand dropped");
    put(walk, node, text_of(walk, ts_node_named_child(node, n - 1)), "operand dropped");
}

static void visit_condition(Walk *walk, TSNode node, const char *type)
{
    static const char *const holders[] = {"if_statement", "while_statement", "elif_clause", NULL};
    if (!is_one_of(type, holders)) return;
    TSNode condition = ts_node_child_by_field_name(node, "condition", 9);
    if (ts_node_is_null(condition)) return;
    Str text = text_of(walk, condition);
    bool braces = text.len && text.ptr[0] == '(';
    put(walk, condition,
        arena_printf(walk->arena, braces ? "(!%.*s)" : "not (%.*s)", STR_FMT(text)), "negated");
}

// One more or less, where a name or a call is an index, an operand or an argument.
static void visit_step(Walk *walk, TSNode node, const char *type)
{
    static const char *const steppable[] = {"identifier",       "call",      "call_expression",
                                            "field_expression", "attribute", NULL};
    static const char *const holders[] = {"subscript_expression", "subscript",        "slice",
                                          "argument_list",        "return_statement", NULL};
    TSNode parent = ts_node_parent(node);
    if (!is_one_of(type, steppable) || ts_node_is_null(parent)) return;
    const char *holder = ts_node_type(parent);
    bool callee = ts_node_start_byte(parent) == ts_node_start_byte(node) &&
                  strcmp(holder, "slice") != 0 && strcmp(holder, "return_statement") != 0;
    if ((!is_one_of(holder, holders) && !is_binary(holder)) || (callee && !is_binary(holder)))
        return;
    Str text = text_of(walk, node);
    put(walk, node, arena_printf(walk->arena, "%.*s + 1", STR_FMT(text)), "one more");
    put(walk, node, arena_printf(walk->arena, "%.*s - 1", STR_FMT(text)), "one less");
}

static void visit_name(Walk *walk, TSNode node, const char *type)
{
    if (strcmp(type, "identifier") != 0) return;
    TSNode parent = ts_node_parent(node);
    const char *holder = ts_node_is_null(parent) ? "" : ts_node_type(parent);
    if (strstr(holder, "declarator") || strstr(holder, "parameter")) return;
    // A function in a variable's place, or the other way round, is no slip.
    for (int i = 0; i < walk->n_names; i++)
        if (walk->called[i] == is_called(node)) put(walk, node, walk->names[i], "name");
}

static void visit_deletion(Walk *walk, TSNode node, const char *type)
{
    if (!is_statement(type)) return;
    Str text = text_of(walk, node);
    bool semicolons = str_find(text, STR(";"), 0) < text.len;
    put(walk, node, semicolons ? STR(";") : STR("pass"), "statement dropped");
}

size_t mutate_list(const Syntax *syntax, ByteRange range, size_t max, Arena *arena, Mutant **out)
{
    static const Visit visits[] = {visit_operator, visit_constant, visit_operand, visit_condition,
                                   visit_step,     visit_deletion, visit_name};
    Walk walk = {.text = syntax_text(syntax), .range = range, .arena = arena, .max = max};
    TSNode root = syntax_root(syntax);
    visit_all(&walk, root, collect, 0);
    for (size_t i = 0; i < sizeof visits / sizeof *visits; i++)
        visit_all(&walk, root, visits[i], 0);
    *out = arena_array(arena, walk.out.n ? walk.out.n : 1, sizeof **out);
    if (walk.out.n) memcpy(*out, walk.out.items, walk.out.n * sizeof **out);
    size_t n = walk.out.n;
    VEC_FREE(&walk.out);
    return n;
}

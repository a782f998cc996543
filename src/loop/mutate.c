// One walk over the tree for each kind of change, so that the kinds come in order of likelihood.
//
// Kinds of node differ between grammars in name, not in shape: "binary_expression" of C and
// JavaScript is "binary_operator", "comparison_operator" and "boolean_operator" of Python.
#include "loop/mutate.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "prompt/indent.h"

enum { MAX_NAMES = 24, MAX_CONSTANTS = 12, MAX_DEPTH = 200 };

typedef VEC(Mutant) MutantVec;

typedef struct Walk {
    const TextSnap *text;
    const char *comment; // what begins one; NULL: no such
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

static void put_range(Walk *walk, ByteRange r, Str insert, const char *what)
{
    bool same = str_equal(str_slice(text_str(walk->text), r.start, r.end), insert);
    if (walk->out.n >= walk->max || same || r.start < walk->range.start || r.end > walk->range.end)
        return;
    for (size_t i = 0; i < walk->out.n; i++) {
        const Mutant *m = &walk->out.items[i];
        if (m->replace.start == r.start && m->replace.end == r.end && str_equal(m->insert, insert))
            return;
    }
    Mutant mutant = {r, arena_str(walk->arena, insert), what};
    VEC_PUSH(&walk->out, mutant);
}

static void put(Walk *walk, TSNode node, Str insert, const char *what)
{
    put_range(walk, syntax_range(node), insert, what);
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
            if (!walk->comment || strcmp(OPERATORS[i][j], walk->comment) != 0)
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

// --- repairs alone -------------------------------------------------------------------------------

// Functions that are taken for one another.
static const char *const SIMILAR[][4] = {
    {"any", "all"},
    {"append", "extend"},
    {"find", "rfind", "index"},
    {"strip", "rstrip", "lstrip"},
    {"rstrip", "strip"},
    {"lstrip", "strip"},
    {"lower", "upper"},
    {"upper", "lower"},
    {"startswith", "endswith"},
    {"endswith", "startswith"},
    {"keys", "values", "items"},
    {"values", "items", "keys"},
    {"isalpha", "isalnum"},
    {"isalnum", "isalpha", "isdigit"},
    {"isdigit", "isalnum"},
    {"islower", "isupper"},
    {"isupper", "islower"},
    {"tolower", "toupper"},
    {"toupper", "tolower"},
    {"strchr", "strrchr"},
    {"strrchr", "strchr"},
    {"floor", "ceil"},
    {"ceil", "floor"},
    {"all", "any"},
    {"extend", "append"},
};

static void visit_similar(Walk *walk, TSNode node, const char *type)
{
    if (strcmp(type, "identifier") != 0) return;
    Str text = text_of(walk, node);
    for (size_t i = 0; i < sizeof SIMILAR / sizeof *SIMILAR; i++) {
        if (!str_equal(text, str_from(SIMILAR[i][0]))) continue;
        for (int j = 1; j < 4 && SIMILAR[i][j]; j++)
            put(walk, node, str_from(SIMILAR[i][j]), "similar function");
    }
}

// What stands between two nodes stays.
static void put_swapped(Walk *walk, TSNode a, TSNode b, const char *what)
{
    ByteRange r = {ts_node_start_byte(a), ts_node_end_byte(b)};
    Str between = str_slice(text_str(walk->text), ts_node_end_byte(a), ts_node_start_byte(b));
    put_range(walk, r,
              arena_printf(walk->arena, "%.*s%.*s%.*s", STR_FMT(text_of(walk, b)), STR_FMT(between),
                           STR_FMT(text_of(walk, a))),
              what);
}

static void visit_arguments(Walk *walk, TSNode node, const char *type)
{
    if (strcmp(type, "argument_list") != 0) return;
    uint32_t n = ts_node_named_child_count(node);
    for (uint32_t i = 0; i + 1 < n && i < 4; i++)
        put_swapped(walk, ts_node_named_child(node, i), ts_node_named_child(node, i + 1),
                    "arguments swapped");
}

static void visit_operands(Walk *walk, TSNode node, const char *type)
{
    static const char *const ordered[] = {"-", "/", "%", "//", "<<", ">>", "**", NULL};
    uint32_t n = ts_node_child_count(node);
    if (!is_binary(type) || n != 3) return;
    TSNode left = ts_node_child(node, 0), op = ts_node_child(node, 1);
    TSNode right = ts_node_child(node, 2);
    Str sign = text_of(walk, op);
    if (is_one_of(arena_str(walk->arena, sign).ptr, ordered))
        put_swapped(walk, left, right, "operands swapped");
    // a + b * c was meant as (a + b) * c, and a & b == c as (a & b) == c.
    if (is_binary(ts_node_type(right)) && ts_node_child_count(right) == 3) {
        TSNode first = ts_node_child(right, 0);
        Str rest =
            str_slice(text_str(walk->text), ts_node_end_byte(first), ts_node_end_byte(right));
        put(walk, node,
            arena_printf(walk->arena, "(%.*s %.*s %.*s)%.*s", STR_FMT(text_of(walk, left)),
                         STR_FMT(sign), STR_FMT(text_of(walk, first)), STR_FMT(rest)),
            "grouped");
    }
    if (is_binary(ts_node_type(left)) && ts_node_child_count(left) == 3) {
        TSNode last = ts_node_child(left, 2);
        Str start =
            str_slice(text_str(walk->text), ts_node_start_byte(left), ts_node_start_byte(last));
        put(walk, node,
            arena_printf(walk->arena, "%.*s(%.*s %.*s %.*s)", STR_FMT(start),
                         STR_FMT(text_of(walk, last)), STR_FMT(sign),
                         STR_FMT(text_of(walk, right))),
            "grouped");
    }
}

static void visit_unary(Walk *walk, TSNode node, const char *type)
{
    static const char *const types[] = {"unary_expression", "not_operator", "unary_operator", NULL};
    uint32_t n = ts_node_child_count(node);
    if (is_one_of(type, types) && n > 1)
        put(walk, node, text_of(walk, ts_node_child(node, n - 1)), "sign dropped");
}

// An element in place of the whole, or the whole in place of an element.
static void visit_element(Walk *walk, TSNode node, const char *type)
{
    static const char *const subscripts[] = {"subscript", "subscript_expression", NULL};
    TSNode parent = ts_node_parent(node);
    if (is_one_of(type, subscripts))
        put(walk, node, text_of(walk, ts_node_child(node, 0)), "whole");
    if (strcmp(type, "identifier") != 0 || ts_node_is_null(parent)) return;
    if (strcmp(ts_node_type(parent), "argument_list") != 0) return;
    Str text = text_of(walk, node);
    put(walk, node, arena_printf(walk->arena, "%.*s[0]", STR_FMT(text)), "element");
}

// A local number of C that has no value yet.
static void visit_declaration(Walk *walk, TSNode node, const char *type)
{
    TSNode parent = ts_node_parent(node);
    if (strcmp(type, "identifier") != 0 || ts_node_is_null(parent)) return;
    if (strcmp(ts_node_type(parent), "declaration") != 0) return;
    put(walk, node, arena_printf(walk->arena, "%.*s = 0", STR_FMT(text_of(walk, node))),
        "initialised");
}

static bool is_block(const char *type)
{
    return strcmp(type, "block") == 0 || strcmp(type, "compound_statement") == 0;
}

static Str blanks_before(const Walk *walk, TSNode node)
{
    Str line = text_line(walk->text, ts_node_start_point(node).row);
    return indent_blanks(line);
}

// The last statement of a block after the block's own statement, as if it stood too deep.
static void put_moved_out(Walk *walk, TSNode block, TSNode before, TSNode last)
{
    TSNode owner = ts_node_parent(block);
    bool braces = strcmp(ts_node_type(block), "compound_statement") == 0;
    if (ts_node_is_null(owner) || strstr(ts_node_type(owner), "function")) return;
    Str all = text_str(walk->text), moved = text_of(walk, last);
    ByteRange r = {ts_node_end_byte(before), ts_node_end_byte(owner)};
    if (ts_node_end_byte(owner) != ts_node_end_byte(block)) return; // do ... while, an else
    Str rest = braces ? str_slice(all, ts_node_end_byte(last), r.end) : STR("");
    put_range(walk, r,
              arena_printf(walk->arena, "%.*s\n%.*s%.*s", STR_FMT(rest),
                           STR_FMT(blanks_before(walk, owner)), STR_FMT(moved)),
              "moved out");
}

// The statement after a loop or a condition at the end of its block, as if it stood too far out.
static void put_moved_in(Walk *walk, TSNode statement, TSNode next)
{
    static const char *const owners[] = {"for_statement", "while_statement", "if_statement", NULL};
    uint32_t n = ts_node_child_count(statement);
    if (!is_one_of(ts_node_type(statement), owners) || n == 0) return;
    TSNode block = ts_node_child(statement, n - 1);
    if (!is_block(ts_node_type(block)) || ts_node_named_child_count(block) == 0) return;
    bool braces = strcmp(ts_node_type(block), "compound_statement") == 0;
    TSNode last = ts_node_named_child(block, ts_node_named_child_count(block) - 1);
    Str all = text_str(walk->text);
    ByteRange r = {ts_node_end_byte(last), ts_node_end_byte(next)};
    Str rest = braces ? str_slice(all, r.start, ts_node_end_byte(block)) : STR("");
    put_range(walk, r,
              arena_printf(walk->arena, "\n%.*s%.*s%.*s", STR_FMT(blanks_before(walk, last)),
                           STR_FMT(text_of(walk, next)), STR_FMT(rest)),
              "moved in");
}

static void visit_block(Walk *walk, TSNode node, const char *type)
{
    uint32_t n = ts_node_named_child_count(node);
    if (!is_block(type)) return;
    for (uint32_t i = 0; i + 1 < n; i++) {
        TSNode a = ts_node_named_child(node, i), b = ts_node_named_child(node, i + 1);
        if (strstr(ts_node_type(a), "declaration") || strstr(ts_node_type(a), "comment")) continue;
        put_swapped(walk, a, b, "statements swapped");
        put_moved_in(walk, a, b);
    }
    if (n > 1)
        put_moved_out(walk, node, ts_node_named_child(node, n - 2),
                      ts_node_named_child(node, n - 1));
}

// A case that falls into the next, and a condition in a loop that has found what it looks for.
static void visit_jump(Walk *walk, TSNode node, const char *type)
{
    bool is_case = strcmp(type, "case_statement") == 0;
    uint32_t n = ts_node_named_child_count(node);
    if (n == 0 || (!is_case && !is_block(type))) return;
    TSNode parent = ts_node_parent(node), last = ts_node_named_child(node, n - 1);
    bool in_if = !ts_node_is_null(parent) && strcmp(ts_node_type(parent), "if_statement") == 0;
    const char *end = ts_node_type(last);
    if ((!is_case && !in_if) || strstr(end, "return") || strstr(end, "break")) return;
    bool semicolons = is_case || strcmp(type, "compound_statement") == 0;
    put(walk, last,
        arena_printf(walk->arena, "%.*s\n%.*sbreak%s", STR_FMT(text_of(walk, last)),
                     STR_FMT(blanks_before(walk, last)), semicolons ? ";" : ""),
        "break");
}

// --- cases that were forgotten -------------------------------------------------------------------

// The statement before which a condition is to stand.
typedef struct Guarded {
    bool braces; // C and its like; else Python
    Str blanks;
    size_t at;
} Guarded;

static void put_guard(Walk *walk, const Guarded *g, Str condition, const char *statement)
{
    Str line = g->braces ? arena_printf(walk->arena, "if (%.*s) %s;", STR_FMT(condition), statement)
                         : arena_printf(walk->arena, "if %.*s:\n%.*s    %s", STR_FMT(condition),
                                        STR_FMT(g->blanks), statement);
    put_range(walk, (ByteRange){g->at, g->at},
              arena_printf(walk->arena, "%.*s\n%.*s", STR_FMT(line), STR_FMT(g->blanks)), "guard");
}

static TSNode find_type(TSNode node, const char *type, int depth)
{
    TSNode found = {0};
    if (strcmp(ts_node_type(node), type) == 0) return node;
    for (uint32_t i = 0; depth < 6 && i < ts_node_named_child_count(node); i++) {
        found = find_type(ts_node_named_child(node, i), type, depth + 1);
        if (!ts_node_is_null(found)) break;
    }
    return found;
}

// What a function may give for a parameter that holds nothing.
static void put_guards_of(Walk *walk, const Guarded *g, TSNode parameter, bool is_void)
{
    static const char *const python[] = {"return []",   "return \"\"",  "return 0",
                                         "return None", "return False", "return True",
                                         "return {}",   "return -1",    NULL};
    static const char *const c[] = {"return 0", "return 1", "return -1", NULL};
    static const char *const nothing[] = {"return", NULL};
    TSNode node = find_type(parameter, "identifier", 0);
    if (ts_node_is_null(node)) return;
    Str name = text_of(walk, node), all = text_of(walk, parameter), conditions[2];
    bool points = str_find(all, STR("*"), 0) < all.len || str_find(all, STR("["), 0) < all.len;
    bool text = points && str_find(all, STR("char"), 0) < all.len;
    int n = 0;
    if (!g->braces) {
        if (str_equal(name, STR("self"))) return;
        conditions[n++] = arena_printf(walk->arena, "not %.*s", STR_FMT(name));
    } else if (points) {
        conditions[n++] = arena_printf(walk->arena, text ? "!*%.*s" : "!%.*s", STR_FMT(name));
    } else {
        conditions[n++] = arena_printf(walk->arena, "%.*s <= 0", STR_FMT(name));
        conditions[n++] = arena_printf(walk->arena, "%.*s < 2", STR_FMT(name));
    }
    for (int i = 0; i < n; i++)
        for (const char *const *s = !g->braces ? python : is_void ? nothing : c; *s; s++)
            put_guard(walk, g, conditions[i], *s);
}

// At the start of a function, and of a loop over elements of which some are nothing.
static void visit_guard(Walk *walk, TSNode node, const char *type)
{
    TSNode owner = ts_node_parent(node);
    uint32_t first = 0, n = ts_node_named_child_count(node);
    if (!is_block(type) || ts_node_is_null(owner) || n == 0) return;
    Guarded g = {.braces = strcmp(type, "compound_statement") == 0};
    Str text = text_of(walk, ts_node_named_child(node, 0));
    if (!g.braces && (str_starts(text, STR("\"")) || str_starts(text, STR("'")))) first = 1;
    if (first == n) return;
    TSNode statement = ts_node_named_child(node, first);
    g.blanks = blanks_before(walk, statement);
    g.at = ts_node_start_byte(statement);
    if (strcmp(ts_node_type(owner), "for_statement") == 0 && !g.braces) {
        TSNode element = ts_node_child_by_field_name(owner, "left", 4);
        if (!ts_node_is_null(element) && strcmp(ts_node_type(element), "identifier") == 0)
            put_guard(walk, &g,
                      arena_printf(walk->arena, "not %.*s", STR_FMT(text_of(walk, element))),
                      "continue");
    }
    if (strcmp(ts_node_type(owner), "function_definition") != 0) return;
    TSNode parameters = find_type(owner, g.braces ? "parameter_list" : "parameters", 0);
    Str head = str_slice(text_str(walk->text), ts_node_start_byte(owner), ts_node_start_byte(node));
    bool is_void = str_find(head, STR("void "), 0) < str_find(head, STR("("), 0) &&
                   str_find(head, STR("*"), 0) > str_find(head, STR("("), 0);
    for (uint32_t i = 0; !ts_node_is_null(parameters) && i < ts_node_named_child_count(parameters);
         i++)
        put_guards_of(walk, &g, ts_node_named_child(parameters, i), is_void);
}

// --- all -----------------------------------------------------------------------------------------

size_t mutate_list(const Syntax *syntax, ByteRange range, MutateScope scope, size_t max,
                   Arena *arena, Mutant **out)
{
    static const struct {
        Visit visit;
        MutateScope scope;
    } visits[] = {{visit_operator, MUTATE_TESTS},   {visit_constant, MUTATE_TESTS},
                  {visit_operand, MUTATE_TESTS},    {visit_condition, MUTATE_TESTS},
                  {visit_step, MUTATE_TESTS},       {visit_deletion, MUTATE_TESTS},
                  {visit_similar, MUTATE_REPAIRS},  {visit_arguments, MUTATE_REPAIRS},
                  {visit_operands, MUTATE_REPAIRS}, {visit_unary, MUTATE_REPAIRS},
                  {visit_element, MUTATE_REPAIRS},  {visit_declaration, MUTATE_REPAIRS},
                  {visit_block, MUTATE_REPAIRS},    {visit_jump, MUTATE_REPAIRS},
                  {visit_guard, MUTATE_REPAIRS},    {visit_name, MUTATE_TESTS}};
    Walk walk = {.text = syntax_text(syntax),
                 .comment = syntax_language(syntax)->line_comment,
                 .range = range,
                 .arena = arena,
                 .max = max};
    TSNode root = syntax_root(syntax);
    visit_all(&walk, root, collect, 0);
    for (size_t i = 0; i < sizeof visits / sizeof *visits; i++) {
        if (visits[i].scope <= scope) visit_all(&walk, root, visits[i].visit, 0);
    }
    *out = arena_array(arena, walk.out.n ? walk.out.n : 1, sizeof **out);
    if (walk.out.n) memcpy(*out, walk.out.items, walk.out.n * sizeof **out);
    size_t n = walk.out.n;
    VEC_FREE(&walk.out);
    return n;
}

// One walk over the tree for each kind of change, so that the kinds come in order of likelihood.
//
// Kinds of node differ between grammars in name, not in shape: "binary_expression" of C and
// JavaScript is "binary_operator", "comparison_operator" and "boolean_operator" of Python.
#include "loop/mutate_walk.h"

#include <stdlib.h>
#include <string.h>

#include "prompt/indent.h"

enum { MAX_DEPTH = 200 };

Str mutate_text(const Walk *walk, TSNode node)
{
    ByteRange r = syntax_range(node);
    return str_slice(text_str(walk->text), r.start, r.end);
}

void mutate_put_range(Walk *walk, ByteRange r, Str insert, const char *what)
{
    bool same = str_equal(str_slice(text_str(walk->text), r.start, r.end), insert);
    if (walk->out.n >= walk->max || same || r.start < walk->range.start || r.end > walk->range.end)
        return;
    for (size_t i = 0; i < walk->out.n; i++) {
        const Mutant *m = &walk->out.items[i];
        if (m->replace.start == r.start && m->replace.end == r.end && str_equal(m->insert, insert))
            return;
    }
    Mutant mutant = {.replace = r, .insert = arena_str(walk->arena, insert), .what = what};
    VEC_PUSH(&walk->out, mutant);
}

void mutate_put(Walk *walk, TSNode node, Str insert, const char *what)
{
    mutate_put_range(walk, syntax_range(node), insert, what);
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

bool mutate_is_one_of(const char *type, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(type, *types) == 0) return true;
    return false;
}

bool mutate_is_binary(const char *type)
{
    static const char *const types[] = {"binary_expression", "binary_operator",
                                        "comparison_operator", "boolean_operator", NULL};
    return mutate_is_one_of(type, types);
}

bool mutate_is_block(const char *type)
{
    return strcmp(type, "block") == 0 || strcmp(type, "compound_statement") == 0;
}

Str mutate_blanks(const Walk *walk, TSNode node)
{
    Str line = text_line(walk->text, ts_node_start_point(node).row);
    return indent_blanks(line);
}

const char *mutate_parent_type(TSNode node)
{
    TSNode parent = ts_node_parent(node);
    return ts_node_is_null(parent) ? "" : ts_node_type(parent);
}

void mutate_collect(Str *list, int *n, int max, Str text)
{
    for (int i = 0; i < *n; i++)
        if (str_equal(list[i], text)) return;
    if (*n < max) list[(*n)++] = text;
}

static bool is_number(const char *type)
{
    static const char *const types[] = {"number_literal", "integer",         "number",
                                        "int_literal",    "integer_literal", NULL};
    return mutate_is_one_of(type, types);
}

static bool is_statement(const char *type)
{
    static const char *const types[] = {"expression_statement", "return_statement",
                                        "break_statement",      "continue_statement",
                                        "if_statement",         NULL};
    return mutate_is_one_of(type, types);
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
    {"^=", "&=", "|="},
    {"%=", "/=", "-="},
    {"//=", "/=", "-="},
    {"**", "*"},
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
    Str text = mutate_text(walk, node);
    for (size_t i = 0; i < sizeof OPERATORS / sizeof *OPERATORS; i++) {
        if (!str_equal(text, str_from(OPERATORS[i][0])) || !may_change(node, text)) continue;
        for (int j = 1; j < 6 && OPERATORS[i][j]; j++)
            if (!walk->braces ||
                (strcmp(OPERATORS[i][j], "//") != 0 && strcmp(OPERATORS[i][j], "**") != 0))
                mutate_put(walk, node, str_from(OPERATORS[i][j]), "operator");
    }
}

// --- constants -----------------------------------------------------------------------------------

static bool is_constant(const char *type)
{
    static const char *const chars[] = {"char_literal", "character_literal", NULL};
    return is_number(type) || mutate_is_one_of(type, chars);
}

bool mutate_is_called(TSNode node)
{
    TSNode parent = ts_node_parent(node);
    const char *type = ts_node_is_null(parent) ? "" : ts_node_type(parent);
    bool call = strcmp(type, "call") == 0 || strcmp(type, "call_expression") == 0;
    return call && ts_node_start_byte(parent) == ts_node_start_byte(node);
}

static void collect(Walk *walk, TSNode node, const char *type)
{
    Str text = mutate_text(walk, node);
    bool name = strcmp(type, "identifier") == 0;
    if (!name && !is_constant(type)) return;
    Str *list = name ? walk->names : walk->constants;
    int *n = name ? &walk->n_names : &walk->n_constants;
    for (int i = 0; i < *n; i++)
        if (str_equal(list[i], text)) return;
    if (*n == (name ? MAX_NAMES : MAX_CONSTANTS)) return;
    if (name) walk->called[*n] = mutate_is_called(node);
    list[(*n)++] = text;
}

static void visit_constant(Walk *walk, TSNode node, const char *type)
{
    if (!is_constant(type)) return;
    Str text = mutate_text(walk, node);
    char *end;
    long value = is_number(type) ? strtol(arena_str(walk->arena, text).ptr, &end, 10) : 0;
    bool plain = is_number(type) && text.len < 10 && (size_t)(end - text.ptr) != 0 &&
                 str_find(text, STR("."), 0) == text.len && str_find(text, STR("x"), 0) == text.len;
    if (plain) {
        mutate_put(walk, node, arena_printf(walk->arena, "%ld", value + 1), "constant");
        mutate_put(walk, node, arena_printf(walk->arena, "%ld", value - 1), "constant");
        mutate_put(walk, node, STR("0"), "constant");
    }
    for (int i = 0; i < walk->n_constants; i++)
        mutate_put(walk, node, walk->constants[i], "constant");
}

// --- expressions and statements ------------------------------------------------------------------

static void visit_operand(Walk *walk, TSNode node, const char *type)
{
    uint32_t n = ts_node_named_child_count(node);
    if (!mutate_is_binary(type) || n < 2) return;
    mutate_put(walk, node, mutate_text(walk, ts_node_named_child(node, 0)), "operand dropped");
    mutate_put(walk, node, mutate_text(walk, ts_node_named_child(node, n - 1)), "operand dropped");
}

// What "!" or "not" binds to as a whole.
static bool is_simple(const Walk *walk, TSNode node)
{
    static const char *const types[] = {"identifier",
                                        "call",
                                        "call_expression",
                                        "subscript_expression",
                                        "subscript",
                                        "field_expression",
                                        "attribute",
                                        "pointer_expression",
                                        "parenthesized_expression",
                                        NULL};
    return mutate_is_one_of(ts_node_type(node), types) ||
           (!walk->braces && strcmp(ts_node_type(node), "comparison_operator") == 0);
}

static void put_negated(Walk *walk, TSNode node)
{
    Str text = mutate_text(walk, node);
    size_t start = ts_node_start_byte(node);
    if (is_simple(walk, node))
        mutate_put_range(walk, (ByteRange){start, start}, walk->braces ? STR("!") : STR("not "),
                         "negated");
    else if (walk->braces)
        mutate_put(walk, node, arena_printf(walk->arena, "!(%.*s)", STR_FMT(text)), "negated");
    else
        mutate_put(walk, node, arena_printf(walk->arena, "not (%.*s)", STR_FMT(text)), "negated");
}

static void visit_condition(Walk *walk, TSNode node, const char *type)
{
    static const char *const holders[] = {"if_statement", "while_statement", "elif_clause", NULL};
    if (!mutate_is_one_of(type, holders)) return;
    TSNode condition = ts_node_child_by_field_name(node, "condition", 9);
    if (ts_node_is_null(condition)) return;
    bool braces = strcmp(ts_node_type(condition), "parenthesized_expression") == 0;
    put_negated(walk, walk->braces && braces && ts_node_named_child_count(condition) == 1
                          ? ts_node_named_child(condition, 0)
                          : condition);
}

// One more or less, where a name or a call is an index, an operand or an argument.
static void visit_step(Walk *walk, TSNode node, const char *type)
{
    static const char *const steppable[] = {"identifier",       "call",      "call_expression",
                                            "field_expression", "attribute", NULL};
    static const char *const holders[] = {
        "subscript_expression",     "subscript", "slice", "argument_list", "return_statement",
        "parenthesized_expression", NULL};
    TSNode parent = ts_node_parent(node);
    if (!mutate_is_one_of(type, steppable) || ts_node_is_null(parent)) return;
    const char *holder = ts_node_type(parent);
    bool callee = ts_node_start_byte(parent) == ts_node_start_byte(node) &&
                  strcmp(holder, "slice") != 0 && strcmp(holder, "return_statement") != 0;
    if ((!mutate_is_one_of(holder, holders) && !mutate_is_binary(holder)) ||
        (callee && !mutate_is_binary(holder)))
        return;
    Str text = mutate_text(walk, node);
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s + 1", STR_FMT(text)), "one more");
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s - 1", STR_FMT(text)), "one less");
}

static void visit_name(Walk *walk, TSNode node, const char *type)
{
    if (strcmp(type, "identifier") != 0) return;
    TSNode parent = ts_node_parent(node);
    const char *holder = ts_node_is_null(parent) ? "" : ts_node_type(parent);
    if (strstr(holder, "declarator") || strstr(holder, "parameter")) return;
    // A function in a variable's place, or the other way round, is no slip.
    for (int i = 0; i < walk->n_names; i++)
        if (walk->called[i] == mutate_is_called(node))
            mutate_put(walk, node, walk->names[i], "name");
}

static void visit_deletion(Walk *walk, TSNode node, const char *type)
{
    if (!is_statement(type)) return;
    Str text = mutate_text(walk, node);
    bool semicolons = str_find(text, STR(";"), 0) < text.len;
    mutate_put(walk, node, semicolons ? STR(";") : STR("pass"), "statement dropped");
}

// --- all -----------------------------------------------------------------------------------------

size_t mutate_list(const Syntax *syntax, ByteRange range, MutateScope scope, size_t max,
                   Arena *arena, Mutant **out)
{
    static const struct {
        Visit visit;
        MutateScope scope;
    } visits[] = {{visit_operator, MUTATE_TESTS},     {visit_constant, MUTATE_TESTS},
                  {visit_operand, MUTATE_TESTS},      {visit_condition, MUTATE_TESTS},
                  {visit_step, MUTATE_TESTS},         {visit_deletion, MUTATE_TESTS},
                  {mutate_similar, MUTATE_REPAIRS},   {mutate_arguments, MUTATE_REPAIRS},
                  {mutate_operands, MUTATE_REPAIRS},  {mutate_unary, MUTATE_REPAIRS},
                  {mutate_element, MUTATE_REPAIRS},   {mutate_declaration, MUTATE_REPAIRS},
                  {mutate_mask, MUTATE_REPAIRS},      {mutate_default, MUTATE_REPAIRS},
                  {mutate_block, MUTATE_REPAIRS},     {mutate_jump, MUTATE_REPAIRS},
                  {mutate_guard, MUTATE_REPAIRS},     {mutate_argument, MUTATE_REPAIRS},
                  {mutate_index, MUTATE_REPAIRS},     {mutate_wrap, MUTATE_REPAIRS},
                  {mutate_method, MUTATE_REPAIRS},    {mutate_extend, MUTATE_REPAIRS},
                  {visit_name, MUTATE_TESTS},         {mutate_limit, MUTATE_REPAIRS},
                  {mutate_literal, MUTATE_REPAIRS},   {mutate_elements, MUTATE_REPAIRS},
                  {mutate_unwrap, MUTATE_REPAIRS},    {mutate_bound, MUTATE_REPAIRS},
                  {mutate_slice, MUTATE_REPAIRS},     {mutate_assign, MUTATE_REPAIRS},
                  {mutate_join, MUTATE_REPAIRS},      {mutate_statement, MUTATE_REPAIRS},
                  {mutate_made, MUTATE_REPAIRS},      {mutate_combine, MUTATE_REPAIRS},
                  {mutate_exchange, MUTATE_REPAIRS},  {mutate_case, MUTATE_REPAIRS},
                  {mutate_rests, MUTATE_REPAIRS},     {mutate_leftover, MUTATE_REPAIRS},
                  {mutate_other_end, MUTATE_REPAIRS}, {mutate_cases, MUTATE_REPAIRS},
                  {mutate_split, MUTATE_REPAIRS}};
    const char *comment = syntax_language(syntax)->line_comment;
    Walk walk = {.text = syntax_text(syntax),
                 .braces = comment && strcmp(comment, "//") == 0,
                 .python = strcmp(syntax_language(syntax)->id, "python") == 0,
                 .range = range,
                 .arena = arena,
                 .max = max};
    TSNode root = syntax_root(syntax);
    visit_all(&walk, root, collect, 0);
    if (scope >= MUTATE_REPAIRS) {
        visit_all(&walk, root, mutate_collect_parts, 0);
        visit_all(&walk, root, mutate_collect_values, 0);
        visit_all(&walk, root, mutate_collect_forms, 0);
    }
    for (size_t i = 0; i < sizeof visits / sizeof *visits; i++) {
        if (visits[i].scope <= scope) visit_all(&walk, root, visits[i].visit, 0);
    }
    *out = arena_array(arena, walk.out.n ? walk.out.n : 1, sizeof **out);
    if (walk.out.n) memcpy(*out, walk.out.items, walk.out.n * sizeof **out);
    size_t n = walk.out.n;
    VEC_FREE(&walk.out);
    return n;
}

// --- pairs ---------------------------------------------------------------------------------------

// Both edits as one; false where they touch the same bytes.
static bool join(Str text, const Mutant *a, const Mutant *b, Arena *arena, Mutant *out)
{
    if (a->replace.start > b->replace.start) return join(text, b, a, arena, out);
    if (b->replace.start < a->replace.end || a->replace.start == b->replace.start) return false;
    Str between = str_slice(text, a->replace.end, b->replace.start);
    *out = (Mutant){.replace = {a->replace.start, b->replace.end},
                    .insert = arena_printf(arena, "%.*s%.*s%.*s", STR_FMT(a->insert),
                                           STR_FMT(between), STR_FMT(b->insert)),
                    .what = "two changes"};
    return true;
}

size_t mutate_pairs(const TextSnap *text, const Mutant *mutants, size_t n, size_t max, Arena *arena,
                    Mutant **out)
{
    *out = arena_array(arena, max ? max : 1, sizeof **out);
    size_t n_out = 0;
    // By the sum of both places, so that the pairs of the likeliest come first.
    for (size_t sum = 1; sum < 2 * n && n_out < max; sum++)
        for (size_t i = sum < n ? 0 : sum - n + 1; i < sum - i && n_out < max; i++) {
            const Mutant *a = &mutants[i], *b = &mutants[sum - i];
            uint32_t row = text_point(text, a->replace.start).row;
            if (row != text_point(text, b->replace.start).row ||
                row != text_point(text, a->replace.end).row ||
                row != text_point(text, b->replace.end).row)
                continue;
            n_out += join(text_str(text), a, b, arena, &(*out)[n_out]);
        }
    return n_out;
}

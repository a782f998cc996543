// A value in another's place: a part of it, it and something more, what a call was given, another
// expression of the function. And statements that were forgotten: a call or an assignment made of
// the function's own names.
#include <string.h>

#include "loop/mutate_walk.h"

enum { MAX_TEXT = 48, MAX_PLACES = 8, MAX_ADDED = 300, MAX_ELEMENTS = 5 };

static const char *const EXPRESSIONS[] = {
    "subscript", "subscript_expression", "attribute", "field_expression",
    "call",      "call_expression",      NULL};

static bool is_type(TSNode node, const char *type)
{
    return strcmp(ts_node_type(node), type) == 0;
}

static bool is_left_side(TSNode node)
{
    TSNode parent = ts_node_parent(node);
    if (ts_node_is_null(parent)) return false;
    TSNode left = ts_node_child_by_field_name(parent, "left", 4);
    return !ts_node_is_null(left) && ts_node_eq(left, node) &&
           !mutate_is_binary(ts_node_type(parent));
}

// Where a number is taken: an argument, an index, a bound, an operand of a comparison.
static bool is_taken(TSNode node)
{
    static const char *const holders[] = {
        "argument_list",         "subscript",         "slice",      "return_statement",
        "subscript_expression",  "binary_expression", "assignment", "comparison_operator",
        "assignment_expression", "init_declarator",   NULL};
    TSNode parent = ts_node_parent(node);
    const char *holder = mutate_parent_type(node);
    if (!mutate_is_one_of(holder, holders) || is_left_side(node)) return false;
    TSNode first = ts_node_child(parent, 0);
    bool base = ts_node_eq(first, node);
    return !base || strcmp(holder, "slice") == 0 || mutate_is_binary(holder);
}

// --- the parts -----------------------------------------------------------------------------------

static bool is_plain_text(Str text)
{
    return text.len <= MAX_TEXT && str_find(text, STR("\n"), 0) == text.len;
}

static void collect_target(Walk *walk, TSNode node, const char *type)
{
    static const char *const empty[] = {"[]", "set()", "{}", "list()", "dict()", "deque()", NULL};
    static const char *const assignments[] = {"assignment", "assignment_expression", NULL};
    if (!mutate_is_one_of(type, assignments)) return;
    TSNode left = ts_node_child_by_field_name(node, "left", 4);
    TSNode right = ts_node_child_by_field_name(node, "right", 5);
    if (ts_node_is_null(left) || ts_node_is_null(right) || !is_type(left, "identifier")) return;
    Str name = mutate_text(walk, left);
    Str value = arena_str(walk->arena, mutate_text(walk, right));
    mutate_collect(walk->assigned, &walk->n_assigned, MAX_ASSIGNED, name);
    if (walk->python && (mutate_is_one_of(value.ptr, empty) || str_ends(value, STR("()"))))
        mutate_collect(walk->holders, &walk->n_holders, MAX_ASSIGNED, name);
}

void mutate_collect_values(Walk *walk, TSNode node, const char *type)
{
    Str text = mutate_text(walk, node);
    if (!is_plain_text(text)) return;
    collect_target(walk, node, type);
    if (mutate_is_one_of(type, EXPRESSIONS) && !mutate_is_called(node) &&
        strcmp(mutate_parent_type(node), "expression_statement") != 0)
        mutate_collect(walk->expressions, &walk->n_expressions, MAX_EXPRESSIONS, text);
    if (strcmp(type, "slice") == 0) mutate_collect(walk->slices, &walk->n_slices, MAX_SLICES, text);
    bool call = strcmp(type, "call") == 0 || strcmp(type, "call_expression") == 0;
    if (call && strcmp(mutate_parent_type(node), "expression_statement") == 0)
        mutate_collect(walk->calls, &walk->n_calls, MAX_CALLS, text);
}

// --- values --------------------------------------------------------------------------------------

// The value and another one: "x - y", "x + y", its square.
void mutate_combine(Walk *walk, TSNode node, const char *type)
{
    static const char *const ops[] = {"-", "+"};
    static const char *const comparisons[] = {"<", ">", "<=", ">=", "==", "!=", NULL};
    bool name = strcmp(type, "identifier") == 0;
    TSNode parent = ts_node_parent(node);
    if ((!name && !mutate_is_one_of(type, EXPRESSIONS)) || mutate_is_called(node)) return;
    const char *holder = mutate_parent_type(node);
    Str text = mutate_text(walk, node);
    if (name && mutate_is_binary(holder) && ts_node_child_count(parent) == 3)
        mutate_put(walk, node,
                   arena_printf(walk->arena, walk->python ? "%.*s ** 2" : "%.*s * %.*s",
                                STR_FMT(text), STR_FMT(text)),
                   "combined");
    if (!is_taken(node)) return;
    if (strcmp(holder, "binary_expression") == 0) {
        Str op = mutate_text(walk, ts_node_child(parent, 1));
        if (!mutate_is_one_of(arena_str(walk->arena, op).ptr, comparisons)) return;
    }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < walk->n_values; i++)
            if (!str_equal(walk->values[i], text))
                mutate_put(walk, node,
                           arena_printf(walk->arena, "%.*s %s %.*s", STR_FMT(text), ops[k],
                                        STR_FMT(walk->values[i])),
                           "combined");
}

// What is given back and something that was found before.
void mutate_join(Walk *walk, TSNode node, const char *type)
{
    if (!walk->python || strcmp(type, "return_statement") != 0 ||
        ts_node_named_child_count(node) != 1)
        return;
    TSNode value = ts_node_named_child(node, 0);
    static const char *const types[] = {
        "list", "list_comprehension", "call", "subscript", "binary_operator", "string", NULL};
    if (!mutate_is_one_of(ts_node_type(value), types)) return;
    Str text = mutate_text(walk, value);
    for (int i = 0; i < walk->n_values; i++) {
        Str x = walk->values[i];
        mutate_put(walk, value, arena_printf(walk->arena, "%.*s + %.*s", STR_FMT(x), STR_FMT(text)),
                   "joined");
        mutate_put(walk, value, arena_printf(walk->arena, "%.*s + %.*s", STR_FMT(text), STR_FMT(x)),
                   "joined");
    }
}

// A part of a sequence in place of the whole.
void mutate_slice(Walk *walk, TSNode node, const char *type)
{
    static const char *const parts[] = {"1:", ":-1", "::-1", "2:", NULL};
    static const char *const types[] = {"identifier", "attribute", "call", NULL};
    if (!walk->python || !mutate_is_one_of(type, types) || !mutate_is_whole_value(node)) return;
    size_t end = ts_node_end_byte(node);
    ByteRange at = {end, end};
    Str text = mutate_text(walk, node);
    for (int i = 0; i < walk->n_slices; i++)
        mutate_put_range(walk, at, arena_printf(walk->arena, "[%.*s]", STR_FMT(walk->slices[i])),
                         "sliced");
    for (int i = 0; parts[i]; i++)
        mutate_put_range(walk, at, arena_printf(walk->arena, "[%s]", parts[i]), "sliced");
    for (int i = 0; i < walk->n_values; i++) {
        Str x = walk->values[i];
        if (str_equal(x, text) || !str_is_name(x)) continue;
        mutate_put_range(walk, at, arena_printf(walk->arena, "[%.*s:]", STR_FMT(x)), "sliced");
        mutate_put_range(walk, at, arena_printf(walk->arena, "[:%.*s]", STR_FMT(x)), "sliced");
    }
}

// The larger or smaller of what a variable has and what it is to get.
void mutate_bound(Walk *walk, TSNode node, const char *type)
{
    static const char *const names[] = {"max", "min"}, *const signs[] = {">", "<"};
    static const char *const types[] = {"assignment", "assignment_expression", NULL};
    if (!mutate_is_one_of(type, types)) return;
    TSNode left = ts_node_child_by_field_name(node, "left", 4);
    TSNode right = ts_node_child_by_field_name(node, "right", 5);
    if (ts_node_is_null(left) || ts_node_is_null(right)) return;
    Str x = mutate_text(walk, left), value = mutate_text(walk, right);
    Str between =
        str_slice(text_str(walk->text), ts_node_end_byte(left), ts_node_start_byte(right));
    bool plain = str_equal(str_trim(between), STR("=")) && is_plain_text(value);
    if (!plain || is_type(left, "pattern_list")) return;
    for (int k = 0; k < 2; k++) {
        Str others[] = {x, STR("0")};
        for (int i = 0; i < 2; i++)
            mutate_put(walk, right,
                       walk->python ? arena_printf(walk->arena, "%s(%.*s, %.*s)", names[k],
                                                   STR_FMT(others[i]), STR_FMT(value))
                                    : arena_printf(walk->arena, "%.*s %s (%.*s) ? %.*s : (%.*s)",
                                                   STR_FMT(others[i]), signs[k], STR_FMT(value),
                                                   STR_FMT(others[i]), STR_FMT(value)),
                       "bounded");
    }
}

// What a call was given, or whose method it is, in place of what it gives back.
void mutate_unwrap(Walk *walk, TSNode node, const char *type)
{
    bool call = strcmp(type, "call") == 0 || strcmp(type, "call_expression") == 0;
    if (!call || strcmp(mutate_parent_type(node), "expression_statement") == 0) return;
    TSNode function = ts_node_child_by_field_name(node, "function", 8);
    TSNode list = ts_node_child_by_field_name(node, "arguments", 9);
    if (ts_node_is_null(function) || ts_node_is_null(list) || !is_type(list, "argument_list"))
        return;
    for (uint32_t i = 0; i < ts_node_named_child_count(list) && i < 3; i++)
        if (!is_type(ts_node_named_child(list, i), "keyword_argument"))
            mutate_put(walk, node, mutate_text(walk, ts_node_named_child(list, i)), "unwrapped");
    if (is_type(function, "attribute"))
        mutate_put(walk, node, mutate_text(walk, ts_node_child(function, 0)), "unwrapped");
}

// Another expression that the function has.
void mutate_exchange(Walk *walk, TSNode node, const char *type)
{
    bool expression = mutate_is_one_of(type, EXPRESSIONS);
    bool name = strcmp(type, "identifier") == 0 && mutate_is_whole_value(node);
    if ((!expression && !name) || mutate_is_called(node)) return;
    if (strcmp(mutate_parent_type(node), "expression_statement") == 0) return;
    bool written = is_left_side(node), call = strstr(type, "call") != NULL;
    for (int i = 0; i < walk->n_expressions; i++)
        if (!written || !str_ends(walk->expressions[i], STR(")")))
            mutate_put(walk, node, walk->expressions[i], "exchanged");
    if (!expression || (!call && !mutate_is_whole_value(node))) return;
    for (int i = 0; i < walk->n_values; i++)
        mutate_put(walk, node, walk->values[i], "exchanged");
}

// Neighbours in a list, a tuple or an index of several parts.
void mutate_elements(Walk *walk, TSNode node, const char *type)
{
    static const char *const types[] = {
        "tuple", "list", "expression_list", "subscript", "pattern_list", "initializer_list", NULL};
    uint32_t n = ts_node_named_child_count(node);
    if (!mutate_is_one_of(type, types) || n > MAX_ELEMENTS) return;
    for (uint32_t i = strcmp(type, "subscript") == 0; i + 1 < n; i++)
        mutate_put_swapped(walk, ts_node_named_child(node, i), ts_node_named_child(node, i + 1),
                           "elements swapped");
}

static void put_literal_of(Walk *walk, TSNode node, Str x, bool truth, bool list)
{
    if (list) {
        if (str_is_name(x))
            mutate_put(walk, node, arena_printf(walk->arena, "[%.*s]", STR_FMT(x)), "filled");
        return;
    }
    mutate_put(walk, node, x, "filled");
    if (!truth) return;
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s == 0", STR_FMT(x)), "filled");
    mutate_put(walk, node,
               arena_printf(walk->arena, walk->braces ? "!%.*s" : "not %.*s", STR_FMT(x)),
               "filled");
}

// A value that was put in for want of the right one: "return []", "return True", "while True".
void mutate_literal(Walk *walk, TSNode node, const char *type)
{
    static const char *const types[] = {"true",    "false", "none",   "number_literal",
                                        "integer", "list",  "string", NULL};
    static const char *const holders[] = {
        "return_statement",         "while_statement", "if_statement",
        "parenthesized_expression", "yield",           NULL};
    if (!mutate_is_one_of(type, types) || !mutate_is_one_of(mutate_parent_type(node), holders))
        return;
    bool list = strcmp(type, "list") == 0;
    bool truth = strcmp(type, "true") == 0 || strcmp(type, "false") == 0 || (walk->braces && !list);
    if (list && ts_node_named_child_count(node) > 0) return;
    if (list) mutate_put(walk, node, STR("[[]]"), "filled");
    for (int i = 0; i < walk->n_values; i++)
        put_literal_of(walk, node, walk->values[i], truth, list);
}

// "x == 0" where "x <= 1" was meant.
void mutate_limit(Walk *walk, TSNode node, const char *type)
{
    if (!mutate_is_binary(type) || ts_node_child_count(node) != 3) return;
    Str op = mutate_text(walk, ts_node_child(node, 1));
    TSNode right = ts_node_child(node, 2);
    Str number = mutate_text(walk, right);
    bool equal = str_equal(op, STR("==")), differs = str_equal(op, STR("!="));
    if ((!equal && !differs) || number.len != 1 || number.ptr[0] < '0' || number.ptr[0] > '8')
        return;
    mutate_put_range(
        walk, (ByteRange){ts_node_start_byte(ts_node_child(node, 1)), ts_node_end_byte(right)},
        arena_printf(walk->arena, "%s %c", equal ? "<=" : ">", number.ptr[0] + 1), "operator");
}

// --- statements ----------------------------------------------------------------------------------

typedef struct Place {
    size_t at;
    const char *before;
    Str after;
} Place;

static void put_statement(Walk *walk, const Place *p, Str statement, size_t first)
{
    if (walk->out.n - first >= MAX_ADDED) return;
    mutate_put_range(walk, (ByteRange){p->at, p->at},
                     arena_printf(walk->arena, "%s%.*s%s%.*s", p->before, STR_FMT(statement),
                                  walk->braces ? ";" : "", STR_FMT(p->after)),
                     "statement made");
}

// Behind the bracket or comma before a call's last argument; 0: it has none that could be another.
static size_t find_last_argument(Str call)
{
    int depth = 0;
    if (!str_ends(call, STR(")"))) return 0;
    for (size_t at = call.len - 1; at > 0; at--) {
        char c = call.ptr[at - 1];
        if (c == '"' || c == '\'') return 0;
        if (strchr(")]}", c)) depth++;
        if (depth == 0 && (c == '(' || c == ',')) return at;
        if (strchr("([{", c)) depth--;
    }
    return 0;
}

// A call that the function has, with another value as its last argument.
static void put_calls(Walk *walk, const Place *p, size_t first)
{
    for (int i = 0; i < walk->n_calls; i++) {
        Str call = walk->calls[i];
        size_t at = find_last_argument(call);
        put_statement(walk, p, call, first);
        for (int j = 0; at && j < walk->n_values; j++)
            put_statement(walk, p,
                          arena_printf(walk->arena, "%.*s%s%.*s)", STR_FMT(str_slice(call, 0, at)),
                                       call.ptr[at - 1] == ',' ? " " : "",
                                       STR_FMT(walk->values[j])),
                          first);
    }
}

static void put_made(Walk *walk, const Place *p, size_t first)
{
    put_calls(walk, p, first);
    for (int i = 0; i < walk->n_assigned; i++)
        for (int j = 0; j < walk->n_values; j++)
            if (!str_equal(walk->assigned[i], walk->values[j]))
                put_statement(walk, p,
                              arena_printf(walk->arena, "%.*s = %.*s", STR_FMT(walk->assigned[i]),
                                           STR_FMT(walk->values[j])),
                              first);
    static const char *const methods[] = {"add", "append"};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < walk->n_holders; i++)
            for (int j = 0; j < walk->n_values; j++)
                if (!str_equal(walk->holders[i], walk->values[j]))
                    put_statement(walk, p,
                                  arena_printf(walk->arena, "%.*s.%s(%.*s)",
                                               STR_FMT(walk->holders[i]), methods[k],
                                               STR_FMT(walk->values[j])),
                                  first);
}

void mutate_made(Walk *walk, TSNode node, const char *type)
{
    uint32_t n = ts_node_named_child_count(node);
    if (!mutate_is_block(type)) return;
    size_t first = walk->out.n;
    for (uint32_t k = 0; k < n && k < MAX_PLACES; k++) {
        TSNode statement = ts_node_named_child(node, n - 1 - k); // most are missing at an end
        const char *kind = ts_node_type(statement);
        if (strstr(kind, "comment") || strstr(kind, "declaration")) continue;
        Str blanks = mutate_blanks(walk, statement);
        Place p = {.at = ts_node_start_byte(statement),
                   .before = "",
                   .after = arena_printf(walk->arena, "\n%.*s", STR_FMT(blanks))};
        bool jumps = strstr(kind, "return") || strstr(kind, "break") || strstr(kind, "continue");
        if (k == 0 && !jumps) {
            Place end = {.at = ts_node_end_byte(statement),
                         .before = arena_printf(walk->arena, "\n%.*s", STR_FMT(blanks)).ptr};
            put_made(walk, &end, first);
        }
        put_made(walk, &p, first);
    }
}

// "x.update(y)" where x itself was to be y.
void mutate_assign(Walk *walk, TSNode node, const char *type)
{
    if (!walk->python || strcmp(type, "call") != 0 ||
        strcmp(mutate_parent_type(node), "expression_statement") != 0)
        return;
    TSNode function = ts_node_child_by_field_name(node, "function", 8);
    TSNode list = ts_node_child_by_field_name(node, "arguments", 9);
    if (ts_node_is_null(list) || !is_type(function, "attribute") ||
        ts_node_named_child_count(list) != 1)
        return;
    Str x = mutate_text(walk, ts_node_child(function, 0));
    Str y = mutate_text(walk, ts_node_named_child(list, 0));
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s = %.*s", STR_FMT(x), STR_FMT(y)),
               "assigned");
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s += %.*s", STR_FMT(x), STR_FMT(y)),
               "assigned");
}

// What was forgotten: a case, a part of a condition, an argument, a call around a value, a
// statement. The kinds are those that studies of fixes made by people name most often (the patterns
// of PAR and TBar); what is put in is made of what the function has already.
#include <string.h>

#include "loop/mutate_walk.h"

enum { MAX_EXTENSIONS = 120, MAX_POSITIONS = 12, MAX_CONDITIONED = 40 };

// --- the parts -----------------------------------------------------------------------------------

static bool is_assignment(const char *type)
{
    static const char *const types[] = {"assignment_expression", "assignment",
                                        "augmented_assignment", "update_expression", NULL};
    return mutate_is_one_of(type, types);
}

static Str operator_of(const Walk *walk, TSNode node)
{
    TSNode op = ts_node_child_by_field_name(node, "operator", 8);
    return ts_node_is_null(op) ? STR("") : mutate_text(walk, op);
}

static bool is_truth(const Walk *walk, TSNode node)
{
    static const char *const types[] = {
        "not_operator", "comparison_operator", "boolean_operator", "true", "false", NULL};
    static const char *const signs[] = {"!", "<", ">", "<=", ">=", "==", "!=", "&&", "||", NULL};
    static const char *const holders[] = {"unary_expression", "binary_expression", NULL};
    return mutate_is_one_of(ts_node_type(node), types) ||
           (mutate_is_one_of(ts_node_type(node), holders) &&
            mutate_is_one_of(arena_str(walk->arena, operator_of(walk, node)).ptr, signs));
}

static void collect_flag(Walk *walk, TSNode node, const char *type)
{
    bool declared = strcmp(type, "init_declarator") == 0;
    if (!declared && !is_assignment(type)) return;
    TSNode name =
        ts_node_child_by_field_name(node, declared ? "declarator" : "left", declared ? 10 : 4);
    TSNode value = ts_node_child_by_field_name(node, declared ? "value" : "right", 5);
    if (ts_node_is_null(name) || ts_node_is_null(value) || !is_truth(walk, value)) return;
    if (strcmp(ts_node_type(name), "identifier") == 0)
        mutate_collect(walk->flags, &walk->n_flags, MAX_FLAGS, mutate_text(walk, name));
}

// What bounds something: it stands behind a comparison or a remainder, or is a constant by its
// name.
static void collect_size(Walk *walk, TSNode node, const char *type)
{
    static const char *const bounds[] = {"<", ">=", "==", "%", NULL};
    Str text = mutate_text(walk, node);
    bool name = strcmp(type, "identifier") == 0;
    if (!name || mutate_is_called(node)) return;
    TSNode parent = ts_node_parent(node), before = ts_node_prev_sibling(node);
    bool bound = !ts_node_is_null(parent) && mutate_is_binary(ts_node_type(parent)) &&
                 !ts_node_is_null(before) &&
                 mutate_is_one_of(arena_str(walk->arena, mutate_text(walk, before)).ptr, bounds);
    if (bound || str_is_upper(text)) mutate_collect(walk->sizes, &walk->n_sizes, MAX_NAMES, text);
}

static void collect_value(Walk *walk, TSNode node, const char *type)
{
    static const char *const fields[] = {"field_expression", "attribute", NULL};
    static const char *const no_values[] = {"function_declarator", "function_definition",
                                            "attribute", "keyword_argument", NULL};
    bool field = mutate_is_one_of(type, fields);
    Str text = mutate_text(walk, node);
    if ((!field && strcmp(type, "identifier") != 0) || mutate_is_called(node)) return;
    if (mutate_is_one_of(mutate_parent_type(node), no_values) || str_is_upper(text)) return;
    if (str_equal(text, STR("self")) || str_find(text, STR("("), 0) < text.len) return;
    mutate_collect(walk->values, &walk->n_values, MAX_VALUES, text);
}

static void collect_wrap(Walk *walk, TSNode node, const char *type)
{
    static const char *const calls[] = {"call", "call_expression", NULL};
    static const char *const definitions[] = {"function_declarator", "function_definition", NULL};
    bool call = mutate_is_one_of(type, calls);
    if (!call && !mutate_is_one_of(type, definitions)) return;
    TSNode list =
        ts_node_child_by_field_name(node, call ? "arguments" : "parameters", call ? 9 : 10);
    TSNode name = ts_node_child(node, 0);
    if (!call && !walk->braces) name = ts_node_child_by_field_name(node, "name", 4);
    if (ts_node_is_null(list) || ts_node_named_child_count(list) != 1 || ts_node_is_null(name))
        return;
    if (strcmp(ts_node_type(name), "identifier") == 0)
        mutate_collect(walk->wraps, &walk->n_wraps, MAX_NAMES, mutate_text(walk, name));
}

static void collect_pointer(Walk *walk, TSNode node, const char *type)
{
    Str text = mutate_text(walk, node);
    if (!walk->braces) return;
    if (strcmp(type, "field_identifier") == 0 &&
        strcmp(mutate_parent_type(node), "field_expression") == 0)
        mutate_collect(walk->members, &walk->n_members, MAX_POINTERS, text);
    if (strcmp(type, "identifier") == 0 &&
        strcmp(mutate_parent_type(node), "pointer_declarator") == 0)
        mutate_collect(walk->pointers, &walk->n_pointers, MAX_POINTERS, text);
    if (strcmp(type, "pointer_expression") == 0 && str_starts(text, STR("*")) &&
        str_is_name(str_slice(text, 1, text.len)))
        mutate_collect(walk->targets, &walk->n_targets, MAX_POINTERS, text);
}

void mutate_collect_parts(Walk *walk, TSNode node, const char *type)
{
    collect_flag(walk, node, type);
    collect_size(walk, node, type);
    collect_value(walk, node, type);
    collect_wrap(walk, node, type);
    collect_pointer(walk, node, type);
    bool statement =
        strcmp(type, "expression_statement") == 0 && ts_node_named_child_count(node) == 1;
    Str text = mutate_text(walk, node);
    if (statement && is_assignment(ts_node_type(ts_node_named_child(node, 0))) &&
        str_find(text, STR("\n"), 0) == text.len)
        mutate_collect(walk->copies, &walk->n_copies, MAX_COPIES, text);
}

// --- guards --------------------------------------------------------------------------------------

// The statement before which a condition is to stand.
typedef struct Guarded {
    Str blanks;
    size_t at;
} Guarded;

static void put_guard(Walk *walk, const Guarded *g, Str condition, const char *statement)
{
    Str line = walk->braces
                   ? arena_printf(walk->arena, "if (%.*s) %s;", STR_FMT(condition), statement)
                   : arena_printf(walk->arena, "if %.*s:\n%.*s    %s", STR_FMT(condition),
                                  STR_FMT(g->blanks), statement);
    mutate_put_range(walk, (ByteRange){g->at, g->at},
                     arena_printf(walk->arena, "%.*s\n%.*s", STR_FMT(line), STR_FMT(g->blanks)),
                     "guard");
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
    Str name = mutate_text(walk, node), all = mutate_text(walk, parameter), conditions[2];
    bool points = str_find(all, STR("*"), 0) < all.len || str_find(all, STR("["), 0) < all.len;
    bool text = points && str_find(all, STR("char"), 0) < all.len;
    int n = 0;
    if (!walk->braces) {
        if (str_equal(name, STR("self"))) return;
        conditions[n++] = arena_printf(walk->arena, "not %.*s", STR_FMT(name));
    } else if (points) {
        conditions[n++] = arena_printf(walk->arena, text ? "!*%.*s" : "!%.*s", STR_FMT(name));
    } else {
        conditions[n++] = arena_printf(walk->arena, "%.*s <= 0", STR_FMT(name));
        conditions[n++] = arena_printf(walk->arena, "%.*s < 2", STR_FMT(name));
    }
    for (int i = 0; i < n; i++)
        for (const char *const *s = !walk->braces ? python : is_void ? nothing : c; *s; s++)
            put_guard(walk, g, conditions[i], *s);
}

// At the start of a function, and of a loop over elements of which some are nothing.
void mutate_guard(Walk *walk, TSNode node, const char *type)
{
    TSNode owner = ts_node_parent(node);
    uint32_t first = 0, n = ts_node_named_child_count(node);
    if (!mutate_is_block(type) || ts_node_is_null(owner) || n == 0) return;
    Guarded g = {.at = 0};
    Str text = mutate_text(walk, ts_node_named_child(node, 0));
    if (!walk->braces && (str_starts(text, STR("\"")) || str_starts(text, STR("'")))) first = 1;
    if (first == n) return;
    TSNode statement = ts_node_named_child(node, first);
    g.blanks = mutate_blanks(walk, statement);
    g.at = ts_node_start_byte(statement);
    if (strcmp(ts_node_type(owner), "for_statement") == 0 && !walk->braces) {
        TSNode element = ts_node_child_by_field_name(owner, "left", 4);
        if (!ts_node_is_null(element) && strcmp(ts_node_type(element), "identifier") == 0)
            put_guard(walk, &g,
                      arena_printf(walk->arena, "not %.*s", STR_FMT(mutate_text(walk, element))),
                      "continue");
    }
    if (strcmp(ts_node_type(owner), "function_definition") != 0) return;
    TSNode parameters = find_type(owner, walk->braces ? "parameter_list" : "parameters", 0);
    Str head = str_slice(text_str(walk->text), ts_node_start_byte(owner), ts_node_start_byte(node));
    bool is_void = str_find(head, STR("void "), 0) < str_find(head, STR("("), 0) &&
                   str_find(head, STR("*"), 0) > str_find(head, STR("("), 0);
    for (uint32_t i = 0; !ts_node_is_null(parameters) && i < ts_node_named_child_count(parameters);
         i++)
        put_guards_of(walk, &g, ts_node_named_child(parameters, i), is_void);
}

// --- arguments and calls ------------------------------------------------------------------------

// Arguments that a call does without, by their number so far.
static const struct {
    const char *name;
    uint32_t n;
    const char *texts[3];
} ARGUMENTS[] = {
    {"split", 1, {"1"}},
    {"rsplit", 1, {"1"}},
    {"replace", 2, {"1"}},
    {"enumerate", 1, {"1"}},
    {"int", 1, {"2", "16"}},
    {"round", 1, {"1", "2"}},
    {"range", 2, {"2", "-1"}},
    {"sorted", 1, {"reverse=True", "key=len"}},
    {"max", 1, {"default=0"}},
    {"min", 1, {"default=0"}},
    {"get", 1, {"0", "\"\"", "[]"}},
    {"pop", 0, {"0"}},
    {"pop", 1, {"None"}},
    {"next", 1, {"None"}},
    {"sort", 0, {"reverse=True"}},
    {"getattr", 2, {"None"}},
    {"sum", 1, {"[]"}},
    {"print", 1, {"end=\"\""}},
};

void mutate_argument(Walk *walk, TSNode node, const char *type)
{
    if (!walk->python || strcmp(type, "call") != 0) return;
    TSNode function = ts_node_child_by_field_name(node, "function", 8);
    TSNode list = ts_node_child_by_field_name(node, "arguments", 9);
    if (ts_node_is_null(list) || strcmp(ts_node_type(list), "argument_list") != 0) return;
    if (strcmp(ts_node_type(function), "attribute") == 0)
        function = ts_node_child_by_field_name(function, "attribute", 9);
    Str name = mutate_text(walk, function);
    uint32_t n = ts_node_named_child_count(list);
    size_t end = ts_node_end_byte(list) - 1, start = ts_node_start_byte(list) + 1;
    for (size_t i = 0; i < sizeof ARGUMENTS / sizeof *ARGUMENTS; i++) {
        if (!str_equal(name, str_from(ARGUMENTS[i].name)) || n != ARGUMENTS[i].n) continue;
        for (int j = 0; j < 3 && ARGUMENTS[i].texts[j]; j++)
            mutate_put_range(
                walk, (ByteRange){end, end},
                arena_printf(walk->arena, "%s%s", n ? ", " : "", ARGUMENTS[i].texts[j]),
                "argument added");
    }
    if (str_equal(name, STR("range")) && n == 1)
        mutate_put_range(walk, (ByteRange){start, start}, STR("1, "), "argument added");
}

bool mutate_is_whole_value(TSNode node)
{
    static const char *const types[] = {"identifier",
                                        "attribute",
                                        "call",
                                        "subscript",
                                        "field_expression",
                                        "call_expression",
                                        "subscript_expression",
                                        NULL};
    static const char *const holders[] = {"argument_list", "return_statement", "yield", NULL};
    static const char *const sides[] = {"assignment",           "assignment_expression",
                                        "augmented_assignment", "for_statement",
                                        "for_in_clause",        NULL};
    TSNode parent = ts_node_parent(node);
    if (!mutate_is_one_of(ts_node_type(node), types) || ts_node_is_null(parent)) return false;
    const char *holder = ts_node_type(parent);
    if (mutate_is_one_of(holder, holders)) return true;
    TSNode side = {0};
    if (mutate_is_one_of(holder, sides)) side = ts_node_child_by_field_name(parent, "right", 5);
    if (strcmp(holder, "init_declarator") == 0)
        side = ts_node_child_by_field_name(parent, "value", 5);
    return !ts_node_is_null(side) && ts_node_eq(side, node);
}

void mutate_wrap(Walk *walk, TSNode node, const char *type)
{
    static const char *const python[] = {"list", "sorted", "len", "str", "int", "abs", "set", NULL};
    (void)type;
    if (!mutate_is_whole_value(node)) return;
    Str text = mutate_text(walk, node);
    for (int i = 0; i < walk->n_wraps; i++)
        mutate_put(walk, node,
                   arena_printf(walk->arena, "%.*s(%.*s)", STR_FMT(walk->wraps[i]), STR_FMT(text)),
                   "wrapped");
    for (int i = 0; walk->python && python[i]; i++)
        mutate_put(walk, node, arena_printf(walk->arena, "%s(%.*s)", python[i], STR_FMT(text)),
                   "wrapped");
}

// A call that brings a value into its usual form.
void mutate_method(Walk *walk, TSNode node, const char *type)
{
    static const char *const calls[] = {".lower()", ".strip()", ".items()",  ".copy()",
                                        ".split()", ".upper()", ".values()", NULL};
    (void)type;
    if (!walk->python || !mutate_is_whole_value(node)) return;
    size_t end = ts_node_end_byte(node);
    for (int i = 0; calls[i]; i++)
        if (!str_ends(mutate_text(walk, node), str_from(calls[i])))
            mutate_put_range(walk, (ByteRange){end, end}, str_from(calls[i]), "method added");
}

// An index that is to stay within a size.
void mutate_index(Walk *walk, TSNode node, const char *type)
{
    static const char *const holders[] = {"subscript", "subscript_expression", NULL};
    static const char *const types[] = {"identifier",       "binary_expression", "binary_operator",
                                        "field_expression", "attribute",         NULL};
    if (!mutate_is_one_of(type, types) || !mutate_is_one_of(mutate_parent_type(node), holders) ||
        ts_node_start_byte(ts_node_parent(node)) == ts_node_start_byte(node))
        return;
    Str text = mutate_text(walk, node);
    bool binary = mutate_is_binary(type);
    for (int i = 0; i < walk->n_sizes; i++)
        mutate_put(walk, node,
                   arena_printf(walk->arena, binary ? "(%.*s) %% %.*s" : "%.*s %% %.*s",
                                STR_FMT(text), STR_FMT(walk->sizes[i])),
                   "wrapped around");
}

// --- conditions ----------------------------------------------------------------------------------

static TSNode condition_of(const Walk *walk, TSNode node, const char *type)
{
    static const char *const holders[] = {
        "if_statement", "while_statement",        "elif_clause", "for_statement",
        "do_statement", "conditional_expression", NULL};
    TSNode none = {0}, condition = {0};
    if (mutate_is_one_of(type, holders)) {
        condition = ts_node_child_by_field_name(node, "condition", 9);
        if (ts_node_is_null(condition) && walk->python &&
            strcmp(type, "conditional_expression") == 0)
            condition = ts_node_named_child(node, 1);
    } else if (strcmp(type, "return_statement") == 0 && ts_node_named_child_count(node) == 1) {
        condition = ts_node_named_child(node, 0);
        if (!is_truth(walk, condition)) return none;
    }
    if (!ts_node_is_null(condition) &&
        strcmp(ts_node_type(condition), "parenthesized_expression") == 0 &&
        ts_node_named_child_count(condition) == 1)
        return ts_node_named_child(condition, 0);
    return condition;
}

static bool has_value(Str text, Str value)
{
    return str_is_name(value) ? str_has_word(text, value) : str_find(text, value, 0) < text.len;
}

// "C && x" or "C || x".
static void put_extended(Walk *walk, TSNode condition, Str x)
{
    static const char *const words[2][2] = {{"and", "or"}, {"&&", "||"}};
    Str text = mutate_text(walk, condition);
    Str op = operator_of(walk, condition);
    size_t end = ts_node_end_byte(condition);
    for (int i = 0; i < 2; i++) {
        const char *word = words[walk->braces][i];
        bool looser = i == 0 && (str_equal(op, STR("||")) || str_equal(op, STR("or")));
        if (looser)
            mutate_put(walk, condition,
                       arena_printf(walk->arena, "(%.*s) %s %.*s", STR_FMT(text), word, STR_FMT(x)),
                       "condition extended");
        else
            mutate_put_range(walk, (ByteRange){end, end},
                             arena_printf(walk->arena, " %s %.*s", word, STR_FMT(x)),
                             "condition extended");
    }
}

// What has to hold before the rest is looked at: the value is there, the index is within.
static void put_before(Walk *walk, TSNode condition, Str value)
{
    Str op = operator_of(walk, condition);
    size_t start = ts_node_start_byte(condition);
    if (str_equal(op, STR("||")) || str_equal(op, STR("or"))) return;
    const char *and = walk->braces ? "&&" : "and";
    ByteRange at = {start, start};
    mutate_put_range(walk, at, arena_printf(walk->arena, "%.*s %s ", STR_FMT(value), and),
                     "condition extended");
    mutate_put_range(walk, at, arena_printf(walk->arena, "%.*s > 0 %s ", STR_FMT(value), and),
                     "condition extended");
    for (int i = 0; i < walk->n_sizes; i++)
        if (!str_equal(walk->sizes[i], value))
            mutate_put_range(walk, at,
                             arena_printf(walk->arena, "%.*s < %.*s %s ", STR_FMT(value),
                                          STR_FMT(walk->sizes[i]), and),
                             "condition extended");
}

// What is nothing decides alone, whatever the rest would say: before it, or as one more case.
static void put_nothing(Walk *walk, TSNode condition, Str value)
{
    Str text = mutate_text(walk, condition), op = operator_of(walk, condition);
    const char * or = walk->braces ? "||" : "or", *not = walk->braces ? "!" : "not ";
    bool looser = !walk->braces && str_starts(text, STR("lambda"));
    size_t start = ts_node_start_byte(condition), end = ts_node_end_byte(condition);
    if (looser || str_equal(op, STR("and")) || str_equal(op, STR("&&"))) return;
    mutate_put_range(walk, (ByteRange){start, start},
                     arena_printf(walk->arena, "%s%.*s %s ", not, STR_FMT(value), or),
                     "condition extended");
    if (walk->python)
        mutate_put_range(walk, (ByteRange){start, start},
                         arena_printf(walk->arena, "%.*s is None %s ", STR_FMT(value), or),
                         "condition extended");
    mutate_put_range(walk, (ByteRange){end, end},
                     arena_printf(walk->arena, " %s %s%.*s", or, not, STR_FMT(value)),
                     "condition extended");
}

void mutate_extend(Walk *walk, TSNode node, const char *type)
{
    static const char *const ops[] = {">", "<", ">=", "<=", "==", "!="};
    TSNode condition = condition_of(walk, node, type);
    if (ts_node_is_null(condition)) return;
    Str text = mutate_text(walk, condition);
    size_t first = walk->out.n;
    for (int i = 0; i < walk->n_flags; i++) {
        put_extended(walk, condition, walk->flags[i]);
        put_extended(walk, condition,
                     arena_printf(walk->arena, walk->braces ? "!%.*s" : "not %.*s",
                                  STR_FMT(walk->flags[i])));
    }
    for (int i = 0; i < walk->n_values; i++)
        if (has_value(text, walk->values[i])) put_before(walk, condition, walk->values[i]);
    for (int i = 0; i < walk->n_values; i++)
        put_nothing(walk, condition, walk->values[i]);
    for (int k = 0; k < 6; k++)
        for (int i = 0; i < walk->n_values; i++) {
            if (!has_value(text, walk->values[i])) continue;
            for (int j = 0; j < walk->n_values && walk->out.n - first < MAX_EXTENSIONS; j++)
                if (i != j)
                    put_extended(walk, condition,
                                 arena_printf(walk->arena, "%.*s %s %.*s", STR_FMT(walk->values[i]),
                                              ops[k], STR_FMT(walk->values[j])));
        }
}

// --- statements ----------------------------------------------------------------------------------

static void put_conditioned(Walk *walk, TSNode statement, Str condition, Str otherwise)
{
    Str text = mutate_text(walk, statement), blanks = mutate_blanks(walk, statement);
    Str first = otherwise.len ? otherwise : text;
    Str made = walk->braces
                   ? arena_printf(walk->arena, "if (%.*s) %.*s", STR_FMT(condition), STR_FMT(first))
                   : arena_printf(walk->arena, "if %.*s:\n%.*s    %.*s", STR_FMT(condition),
                                  STR_FMT(blanks), STR_FMT(first));
    if (otherwise.len)
        made = walk->braces
                   ? arena_printf(walk->arena, "%.*s\n%.*selse %.*s", STR_FMT(made),
                                  STR_FMT(blanks), STR_FMT(text))
                   : arena_printf(walk->arena, "%.*s\n%.*selse:\n%.*s    %.*s", STR_FMT(made),
                                  STR_FMT(blanks), STR_FMT(blanks), STR_FMT(text));
    mutate_put(walk, statement, made, otherwise.len ? "case added" : "conditioned");
}

// The statement that does the opposite; empty: none is known.
static Str opposite(const Walk *walk, Str text)
{
    static const char *const pairs[][2] = {{"+=", "-="}, {"-=", "+="}, {"++", "--"}, {"--", "++"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t at = str_find(text, str_from(pairs[i][0]), 0);
        if (at < text.len)
            return arena_printf(walk->arena, "%.*s%s%.*s", STR_FMT(str_slice(text, 0, at)),
                                pairs[i][1], STR_FMT(str_slice(text, at + 2, text.len)));
    }
    return STR("");
}

// A statement that is to be done in some cases alone, or the other way round in the rest.
void mutate_case(Walk *walk, TSNode node, const char *type)
{
    static const char *const ops[] = {"<", ">", "==", "!="};
    Str text = mutate_text(walk, node);
    if (strcmp(type, "expression_statement") != 0 || ts_node_named_child_count(node) != 1 ||
        !mutate_is_block(mutate_parent_type(node)) || str_find(text, STR("\n"), 0) < text.len)
        return;
    Str other = opposite(walk, text);
    size_t first = walk->out.n;
    for (int i = 0; i < walk->n_flags; i++)
        put_conditioned(
            walk, node,
            arena_printf(walk->arena, walk->braces ? "!%.*s" : "not %.*s", STR_FMT(walk->flags[i])),
            STR(""));
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < walk->n_values; i++)
            for (int j = i + 1; j < walk->n_values; j++) {
                Str a = walk->values[i], b = walk->values[j];
                bool about = has_value(text, a) || has_value(text, b);
                Str condition =
                    arena_printf(walk->arena, "%.*s %s %.*s", STR_FMT(a), ops[k], STR_FMT(b));
                if (about && other.len && k < 2) put_conditioned(walk, node, condition, other);
                if (about && walk->out.n - first < MAX_CONDITIONED)
                    put_conditioned(walk, node, condition, STR(""));
            }
}

static void put_statements(Walk *walk, size_t at, const char *before, Str after)
{
    for (int i = 0; i < walk->n_copies; i++)
        mutate_put_range(walk, (ByteRange){at, at},
                         arena_printf(walk->arena, "%s%.*s%.*s", before, STR_FMT(walk->copies[i]),
                                      STR_FMT(after)),
                         "statement added");
    for (int i = 0; i < walk->n_targets; i++)
        for (int j = 0; j < walk->n_pointers; j++)
            for (int k = 0; k < walk->n_members; k++)
                mutate_put_range(walk, (ByteRange){at, at},
                                 arena_printf(walk->arena, "%s%.*s = %.*s->%.*s;%.*s", before,
                                              STR_FMT(walk->targets[i]), STR_FMT(walk->pointers[j]),
                                              STR_FMT(walk->members[k]), STR_FMT(after)),
                                 "statement added");
}

// An assignment that the function has elsewhere, or one through a pointer.
void mutate_statement(Walk *walk, TSNode node, const char *type)
{
    uint32_t n = ts_node_named_child_count(node);
    if (!mutate_is_block(type)) return;
    for (uint32_t i = 0; i < n && i < MAX_POSITIONS; i++) {
        TSNode statement = ts_node_named_child(node, i);
        const char *kind = ts_node_type(statement);
        if (strstr(kind, "comment") || strstr(kind, "declaration")) continue;
        Str blanks = mutate_blanks(walk, statement);
        Str after = arena_printf(walk->arena, "\n%.*s", STR_FMT(blanks));
        put_statements(walk, ts_node_start_byte(statement), "", after);
        bool jumps = strstr(kind, "return") || strstr(kind, "break") || strstr(kind, "continue");
        if (i + 1 == n && !jumps)
            put_statements(walk, ts_node_end_byte(statement),
                           arena_printf(walk->arena, "\n%.*s", STR_FMT(blanks)).ptr, STR(""));
    }
}

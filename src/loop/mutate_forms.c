// What was forgotten as a whole: a further case of a condition, a value of its own in some cases,
// what a loop has left over, the other end of a sequence. Each is made from a form that the
// function has already, with its own names and constants.
#include <stdlib.h>
#include <string.h>

#include "loop/mutate_walk.h"
#include "prompt/indent.h"

enum { MAX_CASES = 400, MAX_SPLITS = 300, MAX_NUMBERS = 24, MAX_NUMBER = 1000000 };
enum { MAX_BRANCHES = 4, MAX_FORM = 400, MAX_ATOM = 80 };

static const char *const COMPARISONS[] = {"==", "!=", "<", "<=", ">", ">=", NULL};

static Str text_between(const Walk *walk, size_t start, size_t end)
{
    return str_slice(text_str(walk->text), start, end);
}

static bool is_comparison(const Walk *walk, TSNode node)
{
    if (!mutate_is_binary(ts_node_type(node)) || ts_node_child_count(node) != 3) return false;
    Str op = arena_str(walk->arena, mutate_text(walk, ts_node_child(node, 1)));
    return mutate_is_one_of(op.ptr, COMPARISONS);
}

// A whole number as the grammars of C and Python have them; false: it is none, or a large one.
static bool read_number(const Walk *walk, Str text, long *out)
{
    char *end;
    if (text.len == 0 || text.len > 7 || text.ptr[0] < '0' || text.ptr[0] > '9') return false;
    Str copy = arena_str(walk->arena, text);
    *out = strtol(copy.ptr, &end, 10);
    return *end == '\0';
}

// --- parts ---------------------------------------------------------------------------------------

static bool is_constant(const Walk *walk, TSNode node)
{
    long value;
    Str text = mutate_text(walk, node);
    return read_number(walk, text, &value) || (walk->braces && str_starts(text, STR("'")));
}

static void put_compared(Walk *walk, Compared c)
{
    for (int i = 0; i < walk->n_compared; i++)
        if (str_equal(walk->compared[i].before, c.before) &&
            str_equal(walk->compared[i].after, c.after))
            return;
    if (walk->n_compared < MAX_COMPARED) walk->compared[walk->n_compared++] = c;
}

// The comparison with an operator, in two parts around each of its constants.
static void collect_around(Walk *walk, TSNode comparison, TSNode node, Str op)
{
    TSNode sign = ts_node_child(comparison, 1);
    size_t start = ts_node_start_byte(comparison), end = ts_node_end_byte(comparison);
    size_t at = ts_node_start_byte(node), after = ts_node_end_byte(node);
    size_t before = ts_node_start_byte(sign), behind = ts_node_end_byte(sign);
    if (!is_constant(walk, node)) {
        for (uint32_t i = 0; i < ts_node_child_count(node); i++)
            collect_around(walk, comparison, ts_node_child(node, i), op);
        return;
    }
    Compared c = {.number = !str_starts(mutate_text(walk, node), STR("'"))};
    Str left = text_between(walk, start, at < before ? at : before);
    Str right = text_between(walk, at > behind ? after : behind, end);
    Str middle = at < before ? text_between(walk, after, before) : text_between(walk, behind, at);
    c.before = at < before ? left
                           : arena_printf(walk->arena, "%.*s%.*s%.*s", STR_FMT(left), STR_FMT(op),
                                          STR_FMT(middle));
    c.after = at > behind ? right
                          : arena_printf(walk->arena, "%.*s%.*s%.*s", STR_FMT(middle), STR_FMT(op),
                                         STR_FMT(right));
    put_compared(walk, c);
}

static void collect_compared(Walk *walk, TSNode node)
{
    Str op = mutate_text(walk, ts_node_child(node, 1));
    if (ts_node_end_byte(node) - ts_node_start_byte(node) > MAX_ATOM) return;
    collect_around(walk, node, node, op);
    if (str_equal(op, STR("=="))) collect_around(walk, node, node, STR("!="));
    if (str_equal(op, STR("!="))) collect_around(walk, node, node, STR("=="));
}

void mutate_collect_forms(Walk *walk, TSNode node, const char *type)
{
    Str text = mutate_text(walk, node);
    if (is_comparison(walk, node)) collect_compared(walk, node);
    if (!walk->python || strcmp(type, "subscript") != 0 || ts_node_named_child_count(node) != 2)
        return;
    TSNode index = ts_node_named_child(node, 1);
    if (strcmp(ts_node_type(index), "identifier") != 0) return;
    Str head = str_slice(text, 0, ts_node_end_byte(index) - ts_node_start_byte(node));
    mutate_collect(walk->rests, &walk->n_rests, MAX_RESTS,
                   arena_printf(walk->arena, "%.*s:]", STR_FMT(head)));
}

// The function's numbers, and the sums, differences and products of two of them.
static int list_numbers(const Walk *walk, long *numbers)
{
    long own[MAX_CONSTANTS], made[3];
    int n_own = 0, n = 0;
    for (int i = 0; i < walk->n_constants; i++)
        n_own += read_number(walk, walk->constants[i], &own[n_own]);
    for (int i = 0; i < n_own; i++)
        numbers[n++] = own[i];
    for (int i = 0; i < n_own; i++)
        for (int j = i + 1; j < n_own; j++) {
            made[0] = own[i] * own[j];
            made[1] = own[i] + own[j];
            made[2] = labs(own[i] - own[j]);
            for (int k = 0; k < 3; k++) {
                bool known = made[k] > MAX_NUMBER;
                for (int m = 0; m < n; m++)
                    known = known || numbers[m] == made[k];
                if (!known && n < MAX_NUMBERS) numbers[n++] = made[k];
            }
        }
    return n;
}

// --- cases of a condition ------------------------------------------------------------------------

static void put_case(Walk *walk, TSNode node, Str one_more, size_t first)
{
    static const char *const words[2][2] = {{"or", "and"}, {"||", "&&"}};
    Str text = mutate_text(walk, node);
    bool inner = mutate_is_binary(mutate_parent_type(node));
    for (int i = 0; i < 2 && walk->out.n - first < MAX_CASES; i++)
        mutate_put(walk, node,
                   arena_printf(walk->arena, inner ? "(%.*s %s %.*s)" : "%.*s %s %.*s",
                                STR_FMT(text), words[walk->braces][i], STR_FMT(one_more)),
                   "case of a condition");
}

// "x == 1" where "x == 1 || x == 2" was meant: something that the function compares with a constant
// is compared with another one.
void mutate_cases(Walk *walk, TSNode node, const char *type)
{
    (void)type;
    long numbers[MAX_NUMBERS];
    if (!is_comparison(walk, node)) return;
    int n = list_numbers(walk, numbers);
    size_t first = walk->out.n;
    for (int i = 0; i < walk->n_compared; i++) {
        const Compared *c = &walk->compared[i];
        for (int j = 0; c->number && j < n; j++)
            put_case(walk, node,
                     arena_printf(walk->arena, "%.*s%ld%.*s", STR_FMT(c->before), numbers[j],
                                  STR_FMT(c->after)),
                     first);
        for (int j = 0; !c->number && j < walk->n_constants; j++)
            if (str_starts(walk->constants[j], STR("'")))
                put_case(walk, node,
                         arena_printf(walk->arena, "%.*s%.*s%.*s", STR_FMT(c->before),
                                      STR_FMT(walk->constants[j]), STR_FMT(c->after)),
                         first);
    }
}

// --- a value of its own --------------------------------------------------------------------------

static void put_split(Walk *walk, TSNode value, Str condition, Str other, size_t first)
{
    Str text = mutate_text(walk, value);
    if (walk->out.n - first >= MAX_SPLITS || str_equal(text, other)) return;
    mutate_put(walk, value,
               walk->python ? arena_printf(walk->arena, "%.*s if %.*s else %.*s", STR_FMT(other),
                                           STR_FMT(condition), STR_FMT(text))
                            : arena_printf(walk->arena, "%.*s ? %.*s : %.*s", STR_FMT(condition),
                                           STR_FMT(other), STR_FMT(text)),
               "value by case");
}

static TSNode find_subscript(TSNode node, int depth)
{
    static const char *const types[] = {"subscript", "subscript_expression", NULL};
    TSNode found = {0};
    if (mutate_is_one_of(ts_node_type(node), types) && ts_node_named_child_count(node) == 2)
        return node;
    for (uint32_t i = 0; depth < 4 && i < ts_node_named_child_count(node); i++) {
        found = find_subscript(ts_node_named_child(node, i), depth + 1);
        if (!ts_node_is_null(found)) break;
    }
    return found;
}

// The value with a neighbour's index, both together and their mean; how many.
static int list_neighbours(const Walk *walk, TSNode value, Str *out)
{
    TSNode subscript = find_subscript(value, 0);
    int n = 0;
    if (ts_node_is_null(subscript)) return 0;
    size_t at = ts_node_end_byte(ts_node_named_child(subscript, 1));
    Str text = mutate_text(walk, value);
    for (int k = 0; k < 2; k++) {
        Str one = arena_printf(walk->arena, "%.*s %c 1%.*s",
                               STR_FMT(text_between(walk, ts_node_start_byte(value), at)), "-+"[k],
                               STR_FMT(text_between(walk, at, ts_node_end_byte(value))));
        out[n++] = one;
        out[n++] = arena_printf(walk->arena, "(%.*s + %.*s) / 2", STR_FMT(one), STR_FMT(text));
        out[n++] = arena_printf(walk->arena, "%.*s + %.*s", STR_FMT(one), STR_FMT(text));
    }
    return n;
}

// "return x" where in some cases, told by a parity, a sign or an order, another value is due.
void mutate_split(Walk *walk, TSNode node, const char *type)
{
    static const char *const tests[] = {" % 2 == 0", " % 2", " == 0", " < 0"};
    static const char *const orders[] = {"<", ">", "=="};
    static const char *const literals[] = {"number_literal", "integer",      "float",
                                           "string",         "true",         "false",
                                           "none",           "char_literal", NULL};
    if (strcmp(type, "return_statement") != 0 || ts_node_named_child_count(node) != 1) return;
    TSNode value = ts_node_named_child(node, 0);
    if (mutate_is_one_of(ts_node_type(value), literals)) return;
    Str others[6 + MAX_VALUES];
    int n = list_neighbours(walk, value, others);
    size_t first = walk->out.n;
    for (int i = 0; i < walk->n_values; i++)
        others[n++] = walk->values[i];
    for (int k = 0; k < n; k++)
        for (int i = 0; i < walk->n_values; i++) {
            Str x = walk->values[i];
            for (size_t t = 0; t < sizeof tests / sizeof *tests; t++)
                put_split(walk, value, arena_printf(walk->arena, "%.*s%s", STR_FMT(x), tests[t]),
                          others[k], first);
            for (size_t t = 0; t < sizeof orders / sizeof *orders; t++)
                for (int j = i + 1; j < walk->n_values; j++)
                    put_split(walk, value,
                              arena_printf(walk->arena, "%.*s %s %.*s", STR_FMT(x), orders[t],
                                           STR_FMT(walk->values[j])),
                              others[k], first);
        }
}

// --- what is left over ---------------------------------------------------------------------------

// What a loop over indices has not come to, behind what is given back.
void mutate_rests(Walk *walk, TSNode node, const char *type)
{
    if (!walk->python || strcmp(type, "return_statement") != 0 ||
        ts_node_named_child_count(node) != 1)
        return;
    size_t end = ts_node_end_byte(node);
    ByteRange at = {end, end};
    for (int i = 0; i < walk->n_rests; i++)
        for (int j = 0; j < walk->n_rests; j++) {
            Str a = walk->rests[i], b = walk->rests[j];
            mutate_put_range(
                walk, at,
                i == j ? arena_printf(walk->arena, " + %.*s", STR_FMT(a))
                       : arena_printf(walk->arena, " + %.*s + %.*s", STR_FMT(a), STR_FMT(b)),
                "left over");
        }
}

static bool is_loop(const char *type)
{
    return strcmp(type, "while_statement") == 0;
}

// The blocks of a loop's body that a condition chooses.
static int list_branches(TSNode node, TSNode *out, int n, int depth)
{
    for (uint32_t i = 0; depth < 4 && i < ts_node_named_child_count(node); i++) {
        TSNode child = ts_node_named_child(node, i);
        const char *parent = ts_node_type(node), *type = ts_node_type(child);
        bool chosen = strcmp(parent, "if_statement") == 0 || strcmp(parent, "else_clause") == 0 ||
                      strcmp(parent, "elif_clause") == 0;
        if (chosen && mutate_is_block(type) && n < MAX_BRANCHES) out[n++] = child;
        n = list_branches(child, out, n, depth + 1);
    }
    return n;
}

// The block's lines as they stand when its first one has other blanks before it.
static Str indent_again(const Walk *walk, TSNode block, Str blanks)
{
    Str body = mutate_text(walk, block), old = mutate_blanks(walk, block);
    StrBuf out = {0};
    for (size_t at = 0; at < body.len;) {
        size_t end = str_find(body, STR("\n"), at);
        Str line = str_slice(body, at, end);
        if (at > 0) {
            size_t n = indent_blanks(line).len;
            strbuf_printf(&out, "\n%.*s", STR_FMT(blanks));
            line = str_slice(line, n < old.len ? n : old.len, line.len);
        }
        strbuf_append(&out, line);
        at = end + 1;
    }
    Str text = arena_str(walk->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// A loop that goes on while one part of its condition holds, with what the block does.
static Str make_leftover(const Walk *walk, TSNode loop, TSNode part, TSNode block)
{
    Str blanks = mutate_blanks(walk, loop), condition = mutate_text(walk, part);
    if (ts_node_end_byte(block) - ts_node_start_byte(block) > MAX_FORM) return STR("");
    if (walk->braces)
        return arena_printf(walk->arena, "\n%.*swhile (%.*s) %.*s", STR_FMT(blanks),
                            STR_FMT(condition), STR_FMT(indent_again(walk, block, blanks)));
    Str inner = arena_printf(walk->arena, "%.*s    ", STR_FMT(blanks));
    return arena_printf(walk->arena, "\n%.*swhile %.*s:\n%.*s%.*s", STR_FMT(blanks),
                        STR_FMT(condition), STR_FMT(inner),
                        STR_FMT(indent_again(walk, block, inner)));
}

static TSNode loop_condition(TSNode loop)
{
    TSNode condition = ts_node_child_by_field_name(loop, "condition", 9);
    if (!ts_node_is_null(condition) &&
        strcmp(ts_node_type(condition), "parenthesized_expression") == 0 &&
        ts_node_named_child_count(condition) == 1)
        return ts_node_named_child(condition, 0);
    return condition;
}

// A loop over two sequences at once ends with the shorter one: what is left of either is done as in
// the branch that is about it.
void mutate_leftover(Walk *walk, TSNode node, const char *type)
{
    TSNode condition = is_loop(type) ? loop_condition(node) : (TSNode){0};
    TSNode blocks[MAX_BRANCHES];
    if (ts_node_is_null(condition) || !mutate_is_binary(ts_node_type(condition)) ||
        ts_node_child_count(condition) != 3)
        return;
    Str op = mutate_text(walk, ts_node_child(condition, 1));
    if (!str_equal(op, STR("&&")) && !str_equal(op, STR("and"))) return;
    TSNode parts[] = {ts_node_child(condition, 0), ts_node_child(condition, 2)};
    int n = list_branches(node, blocks, 0, 0);
    size_t end = ts_node_end_byte(node);
    ByteRange at = {end, end};
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            mutate_put_range(walk, at, make_leftover(walk, node, parts[k], blocks[i]), "left over");
            for (int j = 0; j < n; j++)
                if (k == 0 && i != j)
                    mutate_put_range(
                        walk, at,
                        arena_printf(walk->arena, "%.*s%.*s",
                                     STR_FMT(make_leftover(walk, node, parts[0], blocks[i])),
                                     STR_FMT(make_leftover(walk, node, parts[1], blocks[j]))),
                        "left over");
        }
}

// --- the other end -------------------------------------------------------------------------------

typedef struct Ends {
    Str low, high; // of what "low < high" goes through
    StrBuf out;
    size_t at; // of the text: what stands before is written
    int n_steps;
} Ends;

static void write_mirrored(const Walk *walk, Ends *e, TSNode node)
{
    Str text = mutate_text(walk, node);
    const char *type = ts_node_type(node), *parent = mutate_parent_type(node);
    size_t start = ts_node_start_byte(node), end = ts_node_end_byte(node);
    Str made = STR("");
    bool index = strcmp(parent, "subscript") == 0 || strcmp(parent, "subscript_expression") == 0;
    if (strcmp(type, "identifier") == 0 && str_equal(text, e->low)) {
        made = index ? arena_printf(walk->arena, "%.*s - 1", STR_FMT(e->high)) : e->high;
    } else if (strcmp(type, "identifier") == 0 && str_equal(text, e->high)) {
        made = e->low;
    } else if (ts_node_child_count(node) == 0) {
        static const char *const pairs[][2] = {{"<", ">"}, {"++", "--"}, {"+=", "-="}};
        for (size_t i = 0; i < 3; i++)
            if (str_equal(text, str_from(pairs[i][0]))) {
                made = str_from(pairs[i][1]);
                e->n_steps += i > 0;
            }
    }
    if (made.len) {
        strbuf_append(&e->out, text_between(walk, e->at, start));
        strbuf_append(&e->out, made);
        e->at = end;
    }
    for (uint32_t i = 0; made.len == 0 && i < ts_node_child_count(node); i++)
        write_mirrored(walk, e, ts_node_child(node, i));
}

// The first "a < b" of two names that the condition asks for.
static bool find_ends(const Walk *walk, TSNode node, Ends *e)
{
    if (is_comparison(walk, node)) {
        TSNode a = ts_node_child(node, 0), b = ts_node_child(node, 2);
        if (!str_equal(mutate_text(walk, ts_node_child(node, 1)), STR("<")) ||
            strcmp(ts_node_type(a), "identifier") != 0 ||
            strcmp(ts_node_type(b), "identifier") != 0)
            return false;
        e->low = mutate_text(walk, a);
        e->high = mutate_text(walk, b);
        return true;
    }
    return mutate_is_binary(ts_node_type(node)) && find_ends(walk, ts_node_child(node, 0), e);
}

// "while (a < b && p(s[a])) a++;" without "while (b > a && p(s[b - 1])) b--;".
void mutate_other_end(Walk *walk, TSNode node, const char *type)
{
    TSNode condition = is_loop(type) ? loop_condition(node) : (TSNode){0};
    Ends e = {.at = ts_node_start_byte(node)};
    size_t start = e.at, end = ts_node_end_byte(node);
    if (ts_node_is_null(condition) || end - start > MAX_FORM || !find_ends(walk, condition, &e))
        return;
    write_mirrored(walk, &e, node);
    strbuf_append(&e.out, text_between(walk, e.at, end));
    Str blanks = mutate_blanks(walk, node);
    if (e.n_steps)
        mutate_put_range(
            walk, (ByteRange){start, start},
            arena_printf(walk->arena, "%.*s\n%.*s", STR_FMT(strbuf_str(&e.out)), STR_FMT(blanks)),
            "other end");
    strbuf_deinit(&e.out);
}

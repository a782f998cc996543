// What stands in the wrong order, place or form; tried as repairs alone, because such changes often
// leave the function the same.
#include <stdlib.h>
#include <string.h>

#include "loop/mutate_walk.h"

// Functions that are taken for one another.
static const char *const SIMILAR[][4] = {
    {"any", "all"},
    {"append", "extend", "add"},
    {"add", "update", "append"},
    {"update", "add"},
    {"pop", "popleft"},
    {"popleft", "pop"},
    {"append", "appendleft"},
    {"union", "intersection"},
    {"intersection", "union"},
    {"issubset", "issuperset"},
    {"issuperset", "issubset"},
    {"sum", "len", "max"},
    {"len", "sum", "max"},
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
    // A set forgets the order.
    {"set", "dict.fromkeys"},
    {"sorted", "list", "reversed"},
    {"rsplit", "split"},
    {"index", "rindex"},
    {"remove", "discard"},
    {"round", "int"},
    {"strcpy", "strcat"},
    {"strcat", "strcpy"},
};

void mutate_similar(Walk *walk, TSNode node, const char *type)
{
    if (strcmp(type, "identifier") != 0) return;
    Str text = mutate_text(walk, node);
    for (size_t i = 0; i < sizeof SIMILAR / sizeof *SIMILAR; i++) {
        if (!str_equal(text, str_from(SIMILAR[i][0]))) continue;
        for (int j = 1; j < 4 && SIMILAR[i][j]; j++)
            mutate_put(walk, node, str_from(SIMILAR[i][j]), "similar function");
    }
}

void mutate_put_swapped(Walk *walk, TSNode a, TSNode b, const char *what)
{
    ByteRange r = {ts_node_start_byte(a), ts_node_end_byte(b)};
    Str between = str_slice(text_str(walk->text), ts_node_end_byte(a), ts_node_start_byte(b));
    mutate_put_range(walk, r,
                     arena_printf(walk->arena, "%.*s%.*s%.*s", STR_FMT(mutate_text(walk, b)),
                                  STR_FMT(between), STR_FMT(mutate_text(walk, a))),
                     what);
}

void mutate_arguments(Walk *walk, TSNode node, const char *type)
{
    if (strcmp(type, "argument_list") != 0) return;
    uint32_t n = ts_node_named_child_count(node);
    for (uint32_t i = 0; i + 1 < n && i < 4; i++)
        mutate_put_swapped(walk, ts_node_named_child(node, i), ts_node_named_child(node, i + 1),
                           "arguments swapped");
}

void mutate_operands(Walk *walk, TSNode node, const char *type)
{
    static const char *const ordered[] = {"-", "/", "%", "//", "<<", ">>", "**", NULL};
    // Texts and lists are added in an order.
    bool sequence = walk->python;
    uint32_t n = ts_node_child_count(node);
    if (!mutate_is_binary(type) || n != 3) return;
    TSNode left = ts_node_child(node, 0), op = ts_node_child(node, 1);
    TSNode right = ts_node_child(node, 2);
    Str sign = mutate_text(walk, op);
    if (mutate_is_one_of(arena_str(walk->arena, sign).ptr, ordered) ||
        (sequence && str_equal(sign, STR("+"))))
        mutate_put_swapped(walk, left, right, "operands swapped");
    // a + b * c was meant as (a + b) * c, and a & b == c as (a & b) == c.
    if (mutate_is_binary(ts_node_type(right)) && ts_node_child_count(right) == 3) {
        TSNode first = ts_node_child(right, 0);
        Str rest =
            str_slice(text_str(walk->text), ts_node_end_byte(first), ts_node_end_byte(right));
        mutate_put(walk, node,
                   arena_printf(walk->arena, "(%.*s %.*s %.*s)%.*s",
                                STR_FMT(mutate_text(walk, left)), STR_FMT(sign),
                                STR_FMT(mutate_text(walk, first)), STR_FMT(rest)),
                   "grouped");
    }
    if (mutate_is_binary(ts_node_type(left)) && ts_node_child_count(left) == 3) {
        TSNode last = ts_node_child(left, 2);
        Str start =
            str_slice(text_str(walk->text), ts_node_start_byte(left), ts_node_start_byte(last));
        mutate_put(walk, node,
                   arena_printf(walk->arena, "%.*s(%.*s %.*s %.*s)", STR_FMT(start),
                                STR_FMT(mutate_text(walk, last)), STR_FMT(sign),
                                STR_FMT(mutate_text(walk, right))),
                   "grouped");
    }
}

void mutate_unary(Walk *walk, TSNode node, const char *type)
{
    static const char *const types[] = {"unary_expression", "not_operator", "unary_operator", NULL};
    uint32_t n = ts_node_child_count(node);
    if (mutate_is_one_of(type, types) && n > 1)
        mutate_put(walk, node, mutate_text(walk, ts_node_child(node, n - 1)), "sign dropped");
}

// An element in place of the whole, or the whole in place of an element.
void mutate_element(Walk *walk, TSNode node, const char *type)
{
    static const char *const subscripts[] = {"subscript", "subscript_expression", NULL};
    TSNode parent = ts_node_parent(node);
    if (mutate_is_one_of(type, subscripts))
        mutate_put(walk, node, mutate_text(walk, ts_node_child(node, 0)), "whole");
    if (strcmp(type, "identifier") != 0 || ts_node_is_null(parent)) return;
    if (strcmp(ts_node_type(parent), "argument_list") != 0) return;
    Str text = mutate_text(walk, node);
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s[0]", STR_FMT(text)), "element");
}

// A local number of C that has no value yet.
void mutate_declaration(Walk *walk, TSNode node, const char *type)
{
    TSNode parent = ts_node_parent(node);
    if (strcmp(type, "identifier") != 0 || ts_node_is_null(parent)) return;
    if (strcmp(ts_node_type(parent), "declaration") != 0) return;
    mutate_put(walk, node, arena_printf(walk->arena, "%.*s = 0", STR_FMT(mutate_text(walk, node))),
               "initialised");
}

// The last statement of a block after the block's own statement, as if it stood too deep.
static void put_moved_out(Walk *walk, TSNode block, TSNode before, TSNode last)
{
    TSNode owner = ts_node_parent(block);
    bool braces = strcmp(ts_node_type(block), "compound_statement") == 0;
    if (ts_node_is_null(owner) || strstr(ts_node_type(owner), "function")) return;
    Str all = text_str(walk->text), moved = mutate_text(walk, last);
    ByteRange r = {ts_node_end_byte(before), ts_node_end_byte(owner)};
    if (ts_node_end_byte(owner) != ts_node_end_byte(block)) return; // do ... while, an else
    Str rest = braces ? str_slice(all, ts_node_end_byte(last), r.end) : STR("");
    mutate_put_range(walk, r,
                     arena_printf(walk->arena, "%.*s\n%.*s%.*s", STR_FMT(rest),
                                  STR_FMT(mutate_blanks(walk, owner)), STR_FMT(moved)),
                     "moved out");
}

// The statement after a loop or a condition at the end of its block, as if it stood too far out.
static void put_moved_in(Walk *walk, TSNode statement, TSNode next)
{
    static const char *const owners[] = {"for_statement", "while_statement", "if_statement", NULL};
    uint32_t n = ts_node_child_count(statement);
    if (!mutate_is_one_of(ts_node_type(statement), owners) || n == 0) return;
    TSNode block = ts_node_child(statement, n - 1);
    if (!mutate_is_block(ts_node_type(block)) || ts_node_named_child_count(block) == 0) return;
    bool braces = strcmp(ts_node_type(block), "compound_statement") == 0;
    TSNode last = ts_node_named_child(block, ts_node_named_child_count(block) - 1);
    Str all = text_str(walk->text);
    ByteRange r = {ts_node_end_byte(last), ts_node_end_byte(next)};
    Str rest = braces ? str_slice(all, r.start, ts_node_end_byte(block)) : STR("");
    mutate_put_range(walk, r,
                     arena_printf(walk->arena, "\n%.*s%.*s%.*s", STR_FMT(mutate_blanks(walk, last)),
                                  STR_FMT(mutate_text(walk, next)), STR_FMT(rest)),
                     "moved in");
}

void mutate_block(Walk *walk, TSNode node, const char *type)
{
    uint32_t n = ts_node_named_child_count(node);
    if (!mutate_is_block(type)) return;
    for (uint32_t i = 0; i + 1 < n; i++) {
        TSNode a = ts_node_named_child(node, i), b = ts_node_named_child(node, i + 1);
        if (strstr(ts_node_type(a), "declaration") || strstr(ts_node_type(a), "comment")) continue;
        mutate_put_swapped(walk, a, b, "statements swapped");
        put_moved_in(walk, a, b);
    }
    if (n > 1)
        put_moved_out(walk, node, ts_node_named_child(node, n - 2),
                      ts_node_named_child(node, n - 1));
}

// A case that falls into the next, and a condition in a loop that has found what it looks for.
void mutate_jump(Walk *walk, TSNode node, const char *type)
{
    bool is_case = strcmp(type, "case_statement") == 0;
    uint32_t n = ts_node_named_child_count(node);
    if (n == 0 || (!is_case && !mutate_is_block(type))) return;
    TSNode parent = ts_node_parent(node), last = ts_node_named_child(node, n - 1);
    bool in_if = !ts_node_is_null(parent) && strcmp(ts_node_type(parent), "if_statement") == 0;
    const char *end = ts_node_type(last);
    if ((!is_case && !in_if) || strstr(end, "return") || strstr(end, "break")) return;
    bool semicolons = is_case || strcmp(type, "compound_statement") == 0;
    mutate_put(walk, last,
               arena_printf(walk->arena, "%.*s\n%.*sbreak%s", STR_FMT(mutate_text(walk, last)),
                            STR_FMT(mutate_blanks(walk, last)), semicolons ? ";" : ""),
               "break");
}

// A default that all calls share: each is to have its own.
void mutate_default(Walk *walk, TSNode node, const char *type)
{
    static const char *const literals[] = {"list", "dictionary", "set", NULL};
    if (strcmp(type, "default_parameter") != 0) return;
    TSNode name = ts_node_child_by_field_name(node, "name", 4);
    TSNode value = ts_node_child_by_field_name(node, "value", 5);
    TSNode function = ts_node_parent(ts_node_parent(node));
    if (ts_node_is_null(value) || ts_node_is_null(function) ||
        !mutate_is_one_of(ts_node_type(value), literals))
        return;
    TSNode body = ts_node_child_by_field_name(function, "body", 4);
    if (ts_node_is_null(body) || ts_node_named_child_count(body) == 0) return;
    TSNode first = ts_node_named_child(body, 0);
    Str text = mutate_text(walk, first);
    if (str_starts(text, STR("\"")) && ts_node_named_child_count(body) > 1)
        first = ts_node_named_child(body, 1);
    ByteRange r = {ts_node_start_byte(value), ts_node_start_byte(first)};
    Str blanks = mutate_blanks(walk, first), variable = mutate_text(walk, name);
    mutate_put_range(
        walk, r,
        arena_printf(walk->arena, "None%.*sif %.*s is None:\n%.*s    %.*s = %.*s\n%.*s",
                     STR_FMT(str_slice(text_str(walk->text), ts_node_end_byte(value), r.end)),
                     STR_FMT(variable), STR_FMT(blanks), STR_FMT(variable),
                     STR_FMT(mutate_text(walk, value)), STR_FMT(blanks)),
        "shared default");
}

// Masks differ in a bit.
void mutate_mask(Walk *walk, TSNode node, const char *type)
{
    Str text = mutate_text(walk, node);
    char *end;
    if (ts_node_child_count(node) || (!str_starts(text, STR("0x")) && !str_starts(text, STR("0X"))))
        return;
    (void)type;
    unsigned long value = strtoul(arena_str(walk->arena, text).ptr, &end, 16);
    for (int bit = 0; bit < 32; bit++)
        if (value >> bit & 1)
            mutate_put(walk, node, arena_printf(walk->arena, "0x%02lX", value ^ 1ul << bit),
                       "constant");
    mutate_put(walk, node, arena_printf(walk->arena, "0x%02lX", value << 1), "constant");
    mutate_put(walk, node, arena_printf(walk->arena, "0x%02lX", value >> 1), "constant");
}

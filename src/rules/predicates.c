// Tests on the tree around a match. Each errs towards silence: a wrong warning costs more trust
// than a missing one, so what cannot be told from one file counts as correct.
#include "rules/predicates.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "workspace/node.h"

static bool is_any_type(TSNode node, const char *const *types)
{
    for (; *types; types++)
        if (node_is(node, *types)) return true;
    return false;
}

#define IS_ANY_TYPE(node, ...) is_any_type(node, (const char *const[]){__VA_ARGS__, NULL})

static bool is_comment(TSNode node)
{
    return strstr(ts_node_type(node), "comment") != NULL;
}

static Str text_of(const RuleMatch *m, TSNode node)
{
    return str_slice(m->text, ts_node_start_byte(node), ts_node_end_byte(node));
}

static TSNode next_statement(TSNode node)
{
    TSNode next = ts_node_next_named_sibling(node);
    while (!ts_node_is_null(next) && is_comment(next))
        next = ts_node_next_named_sibling(next);
    return next;
}

static TSNode previous_statement(TSNode node)
{
    TSNode previous = ts_node_prev_named_sibling(node);
    while (!ts_node_is_null(previous) && is_comment(previous))
        previous = ts_node_prev_named_sibling(previous);
    return previous;
}

static TSNode last_statement(TSNode node)
{
    uint32_t n = ts_node_named_child_count(node);
    TSNode last = n ? ts_node_named_child(node, n - 1) : (TSNode){0};
    return n && is_comment(last) ? previous_statement(last) : last;
}

static TSNode ancestor(TSNode node, const char *const *types)
{
    for (node = ts_node_parent(node); !ts_node_is_null(node); node = ts_node_parent(node))
        if (is_any_type(node, types)) return node;
    return node;
}

#define ANCESTOR(node, ...) ancestor(node, (const char *const[]){__VA_ARGS__, NULL})
#define FUNCTIONS                                                                                  \
    "function_definition", "function_declaration", "function_expression", "arrow_function",        \
        "method_definition", "generator_function_declaration", "generator_function", "lambda",     \
        "lambda_expression", "method_declaration", "func_literal", "function_item",                \
        "closure_expression"

// --- words ---------------------------------------------------------------------------------------

// JavaScript's names may hold a '$'; in the other languages none stands beside a name.
static bool is_name_byte(char c)
{
    return c == '$' || str_is_word_byte(c);
}

// The next place of the word within range from `at` on, comments left out; range.end if none.
static size_t find_word(const RuleMatch *m, Str word, ByteRange range, size_t at)
{
    TSNode root = syntax_root(m->syntax);
    for (;; at++) {
        at = str_find(m->text, word, at);
        if (at + word.len > range.end) return range.end;
        bool begins = at == 0 || !is_name_byte(m->text.ptr[at - 1]);
        size_t end = at + word.len;
        if (!begins || (end < m->text.len && is_name_byte(m->text.ptr[end]))) continue;
        TSNode node = ts_node_descendant_for_byte_range(root, (uint32_t)at, (uint32_t)end);
        if (!is_comment(node)) return at;
    }
}

static bool has_word(const RuleMatch *m, Str word, ByteRange range)
{
    return find_word(m, word, range, range.start) < range.end;
}

// The innermost node that is the word at `at`.
static TSNode word_node(const RuleMatch *m, size_t at, Str word)
{
    return ts_node_descendant_for_byte_range(syntax_root(m->syntax), (uint32_t)at,
                                             (uint32_t)(at + word.len));
}

// --- simple tests --------------------------------------------------------------------------------

typedef bool (*Predicate)(const RuleMatch *m, const RuleArgument *a, size_t n);

static bool is_equal(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)m;
    return n == 2 && str_equal(a[0].text, a[1].text);
}

static bool is_any_of(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)m;
    for (size_t i = 1; i < n; i++)
        if (str_equal(a[0].text, a[i].text)) return true;
    return false;
}

static bool is_kind(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)m;
    for (size_t i = 1; i < n; i++)
        if (str_equal(str_from(ts_node_type(a[0].node)), a[i].text)) return true;
    return false;
}

static bool has_ancestor(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)m;
    TSNode node = ts_node_parent(a[0].node);
    for (; !ts_node_is_null(node); node = ts_node_parent(node))
        for (size_t i = 1; i < n; i++)
            if (str_equal(str_from(ts_node_type(node)), a[i].text)) return true;
    return false;
}

// A macro's name, or the call of one; _() and gettext() give formats that translators wrote.
static bool is_macro(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode node = a[0].node;
    if (node_is(node, "call_expression")) node = ts_node_child_by_field_name(node, "function", 8);
    Str name = text_of(m, node);
    return str_is_upper(name) || str_equal(name, STR("_")) ||
           str_find(name, STR("gettext"), 0) < name.len || str_equal(name, STR("tr"));
}

// --- C: pointers and memory ----------------------------------------------------------------------

// What the declarator around a name makes of it: 1 a pointer, 0 something else.
static bool declares_pointer(TSNode name)
{
    TSNode parent = ts_node_parent(name);
    while (node_is(parent, "parenthesized_declarator"))
        parent = ts_node_parent(parent);
    if (node_is(parent, "pointer_declarator")) return true;
    if (!node_is(parent, "array_declarator")) return false;
    TSNode grand = ts_node_parent(parent); // an array as a parameter is a pointer
    return node_is(grand, "parameter_declaration");
}

// Is a node below a declarator, rather than in an initialiser or an array's length?
static bool is_declared(TSNode name)
{
    TSNode node = name, parent = ts_node_parent(node);
    while (IS_ANY_TYPE(parent, "pointer_declarator", "array_declarator", "init_declarator",
                       "parenthesized_declarator")) {
        TSNode declarator = ts_node_child_by_field_name(parent, "declarator", 10);
        bool is_parenthesis = node_is(parent, "parenthesized_declarator");
        if (!is_parenthesis && !ts_node_eq(declarator, node)) return false;
        node = parent;
        parent = ts_node_parent(node);
    }
    return IS_ANY_TYPE(parent, "declaration", "parameter_declaration") &&
           !ts_node_eq(ts_node_child_by_field_name(parent, "type", 4), node);
}

// Every declaration of the name in the function around it makes it a pointer.
static bool is_pointer(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode function = ANCESTOR(a[0].node, "function_definition");
    if (ts_node_is_null(function)) return false;
    ByteRange range = syntax_range(function);
    bool any = false;
    for (size_t at = range.start; (at = find_word(m, a[0].text, range, at)) < range.end; at++) {
        TSNode node = word_node(m, at, a[0].text);
        if (!node_is(node, "identifier") || !is_declared(node)) continue;
        if (!declares_pointer(node)) return false;
        any = true;
    }
    return any;
}

// The first place in range where the name stands as a variable, or a null node.
static TSNode first_mention(const RuleMatch *m, Str name, ByteRange range)
{
    for (size_t at = range.start; (at = find_word(m, name, range, at)) < range.end; at++) {
        TSNode node = word_node(m, at, name);
        if (node_is(node, "identifier") || node_is(node, "ERROR")) return node;
    }
    return (TSNode){0};
}

static bool is_assigned(TSNode name)
{
    TSNode parent = ts_node_parent(name);
    return node_is(parent, "assignment_expression") &&
           ts_node_eq(ts_node_child_by_field_name(parent, "left", 4), name);
}

// Straight-line code: statements that are always run, one after the other.
static bool is_simple(TSNode statement)
{
    return IS_ANY_TYPE(statement, "expression_statement", "declaration", "return_statement");
}

// Does the assignment at this name read it on its right side before it is given a new value?
static bool reads_itself(const RuleMatch *m, TSNode name)
{
    TSNode right = ts_node_child_by_field_name(ts_node_parent(name), "right", 5);
    return has_word(m, text_of(m, name), syntax_range(right));
}

static bool is_argument_of_macro(const RuleMatch *m, TSNode node)
{
    TSNode call = ts_node_parent(ts_node_parent(node));
    return !ts_node_is_null(call) && node_is(call, "call_expression") &&
           str_is_upper(text_of(m, ts_node_child_by_field_name(call, "function", 8)));
}

static bool is_used_after(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    Str name = a[1].text;
    TSNode statement = next_statement(a[0].node);
    for (; !ts_node_is_null(statement); statement = next_statement(statement)) {
        TSNode mention = first_mention(m, name, syntax_range(statement));
        if (IS_ANY_TYPE(statement, "labeled_statement", "case_statement")) return false;
        if (!ts_node_is_null(mention)) {
            if (!is_simple(statement) || !node_is(mention, "identifier")) return false;
            if (is_assigned(mention)) return reads_itself(m, mention);
            if (is_argument_of_macro(m, mention)) return false; // it may be a loop's head
            // Its address may be what gives it a new value; sizeof does not read it.
            return IS_ANY_TYPE(ts_node_parent(mention), "argument_list", "field_expression",
                               "subscript_expression", "binary_expression", "init_declarator",
                               "return_statement");
        }
        if (IS_ANY_TYPE(statement, "return_statement", "break_statement", "continue_statement",
                        "goto_statement"))
            return false;
    }
    return false;
}

// p->x, *p, p[i]: what needs p to point somewhere.
static bool is_dereferenced(TSNode name)
{
    TSNode parent = ts_node_parent(name);
    if (node_is(parent, "subscript_expression"))
        return ts_node_eq(ts_node_child_by_field_name(parent, "argument", 8), name);
    if (node_is(parent, "field_expression") || node_is(parent, "pointer_expression")) {
        TSNode mark = ts_node_child_by_field_name(parent, "operator", 8);
        return ts_node_is_null(mark) || !node_is(mark, "&");
    }
    return false;
}

static bool is_unchecked(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode statement = next_statement(a[0].node);
    for (; !ts_node_is_null(statement); statement = next_statement(statement)) {
        TSNode mention = first_mention(m, a[1].text, syntax_range(statement));
        if (ts_node_is_null(mention)) continue;
        // sizeof *p reads nothing.
        TSNode size = ANCESTOR(mention, "sizeof_expression", "compound_statement");
        if (!ts_node_is_null(size) && node_is(size, "sizeof_expression")) return false;
        return is_dereferenced(mention);
    }
    return false;
}

// --- control flow --------------------------------------------------------------------------------

static bool is_jump(TSNode node)
{
    if (node_is(node, "expression_statement") && ts_node_named_child_count(node) == 1)
        node = ts_node_named_child(node, 0); // Rust: return and break are expressions
    return IS_ANY_TYPE(node, "return_statement", "break_statement", "continue_statement",
                       "goto_statement", "throw_statement", "raise_statement", "return_expression",
                       "break_expression", "continue_expression");
}

// The statement before always leaves, and this one is no target of a jump or a declaration that
// holds before its place.
static bool is_unreachable(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode node = a[0].node, previous = previous_statement(node);
    if (ts_node_is_null(previous) || !is_jump(previous)) return false;
    if (is_comment(node) || ts_node_has_error(node) || ts_node_has_error(previous)) return false;
    if (strncmp(ts_node_type(node), "preproc", 7) == 0 || is_jump(node)) return false;
    if (IS_ANY_TYPE(node, "case_statement", "labeled_statement", "function_declaration",
                    "function_definition", "class_declaration", "function_item", "ERROR",
                    "empty_statement", "generator_function_declaration", "type_definition",
                    "attribute_item", "struct_item", "use_declaration", "const_item",
                    "type_alias_declaration", "interface_declaration", "variable_declaration",
                    "enum_item", "impl_item", "macro_definition"))
        return false;
    Str text = text_of(m, node);
    // A generator that yields nothing is written so.
    return !str_equal(str_trim(text), STR(";")) && !has_word(m, STR("yield"), syntax_range(node));
}

static bool never_returns(const RuleMatch *m, TSNode statement)
{
    static const char *const names[] = {"exit",  "_exit",   "abort", "err",        "errx",
                                        "verr",  "verrx",   "usage", "fatal",      "fatalx",
                                        "panic", "longjmp", "die",   "unreachable"};
    TSNode call = ts_node_named_child(statement, 0);
    if (ts_node_is_null(call)) return false;
    if (node_is(call, "call_expression")) call = ts_node_child_by_field_name(call, "function", 8);
    Str name = text_of(m, call);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_find(name, str_from(names[i]), 0) < name.len) return true;
    return str_is_upper(name) || str_starts(name, STR("__builtin"));
}

static bool leaves(const RuleMatch *m, TSNode node)
{
    if (ts_node_is_null(node)) return false;
    if (is_jump(node) || node_is(node, "ERROR") || node_is(node, "attributed_statement") ||
        strncmp(ts_node_type(node), "preproc", 7) == 0)
        return true;
    if (node_is(node, "compound_statement") || node_is(node, "labeled_statement"))
        return leaves(m, last_statement(node));
    if (node_is(node, "expression_statement")) return never_returns(m, node);
    if (node_is(node, "if_statement")) {
        TSNode other = ts_node_child_by_field_name(node, "alternative", 11);
        if (ts_node_is_null(other)) return false;
        if (node_is(other, "else_clause")) other = last_statement(other);
        return leaves(m, ts_node_child_by_field_name(node, "consequence", 11)) && leaves(m, other);
    }
    // Loops and inner switches may never end, or return from within.
    return IS_ANY_TYPE(node, "while_statement", "for_statement", "do_statement", "switch_statement",
                       "for_range_loop", "try_statement");
}

static bool mentions_fall_through(Str text)
{
    static const char *const words[] = {"fall", "through", "thru", "no break", "nobreak"};
    for (size_t at = 0; at < text.len; at++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            size_t n = strlen(words[i]);
            if (n <= text.len - at && strncasecmp(text.ptr + at, words[i], n) == 0) return true;
        }
    return false;
}

// In a switch no case of which leaves, all are meant to run on: it is a jump into a sequence.
static bool is_sequence(const RuleMatch *m, TSNode body)
{
    uint32_t n = ts_node_named_child_count(body);
    for (uint32_t i = 0; i + 1 < n; i++) {
        TSNode child = ts_node_named_child(body, i);
        if (node_is(child, "case_statement") && leaves(m, last_statement(child))) return false;
    }
    return true;
}

// The case before has statements, and the last of them does not leave.
static bool is_fallen_into(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode node = a[0].node, before = previous_statement(node);
    if (ts_node_is_null(before) || !node_is(before, "case_statement")) return false;
    TSNode last = last_statement(before), value = ts_node_child_by_field_name(before, "value", 5);
    if (ts_node_is_null(last) || ts_node_eq(last, value)) return false;
    if (ts_node_has_error(before) || leaves(m, last)) return false;
    if (is_sequence(m, ts_node_parent(node))) return false;
    size_t start = ts_node_start_byte(last), end = ts_node_start_byte(node);
    return !mentions_fall_through(str_slice(m->text, start, end));
}

// `if (x);` where nothing says that it is meant: no comment before the semicolon and no else.
static bool is_empty_if(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode statement = a[0].node,
           condition = ts_node_child_by_field_name(statement, "condition", 9);
    TSNode body = ts_node_child_by_field_name(statement, "consequence", 11);
    Str between = str_slice(m->text, ts_node_end_byte(condition), ts_node_end_byte(body));
    TSNode other = ts_node_child_by_field_name(statement, "alternative", 11);
    return ts_node_is_null(other) && str_equal(str_trim(between), STR(";"));
}

// --- names that nobody uses ----------------------------------------------------------------------

// What a name in this place may be seen from: the function around it, else the file.
static TSNode scope_of(const RuleMatch *m, TSNode name)
{
    TSNode function = ANCESTOR(name, FUNCTIONS);
    return ts_node_is_null(function) ? syntax_root(m->syntax) : function;
}

// The word stands nowhere else in its scope, but in comments and as another thing's member.
static bool is_unused(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode scope = scope_of(m, a[0].node);
    ByteRange range = syntax_range(scope), own = syntax_range(a[0].node);
    Str name = a[0].text;
    if (name.len == 0 || name.ptr[0] == '_') return false;
    for (size_t at = range.start; (at = find_word(m, name, range, at)) < range.end; at++) {
        if (at == own.start) continue;
        if (!IS_ANY_TYPE(word_node(m, at, name), "property_identifier", "field_identifier"))
            return false;
    }
    return true;
}

// A variable of a function (not of a class in it), where no call may reach it by its name.
static bool is_local(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    static const char *const readers[] = {"locals", "exec", "eval", "vars", "globals"};
    TSNode scope = ANCESTOR(a[0].node, FUNCTIONS, "class_definition", "class_body");
    if (ts_node_is_null(scope) || IS_ANY_TYPE(scope, "class_definition", "class_body"))
        return false;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (has_word(m, str_from(readers[i]), syntax_range(scope))) return false;
    return true;
}

// Imports that a module makes for others, or may do without.
static bool is_import(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode odd = ANCESTOR(a[0].node, "try_statement", "with_statement", "class_definition");
    bool package = str_ends(m->path, STR("__init__.py")) || str_ends(m->path, STR(".pyi")) ||
                   str_ends(m->path, STR("conftest.py"));
    return ts_node_is_null(odd) && !package;
}

// --- Python --------------------------------------------------------------------------------------

// The handler's block ends by raising again what it caught.
static bool reraises(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    return has_word(m, STR("raise"), syntax_range(ts_node_parent(a[0].node)));
}

// An f-string whose whole (with those beside it) has no placeholder and no doubled brace.
static bool is_plain_f_string(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode string = a[0].node, whole = string, parent = ts_node_parent(string);
    Str start = text_of(m, ts_node_named_child(string, 0));
    if (node_is(parent, "concatenated_string")) whole = parent;
    bool formatted = false;
    for (size_t i = 0; i < start.len && start.ptr[i] != '"' && start.ptr[i] != '\''; i++)
        formatted = formatted || start.ptr[i] == 'f' || start.ptr[i] == 'F';
    return formatted && !memchr(text_of(m, whole).ptr, '{', text_of(m, whole).len);
}

// --- JavaScript ----------------------------------------------------------------------------------

// A function or method of this file that is declared async under that name, and only so.
static bool is_async_function(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    Str name = a[0].text;
    ByteRange all = {0, m->text.len};
    bool any = false;
    for (size_t at = 0; (at = find_word(m, name, all, at)) < all.end; at++) {
        TSNode parent = ts_node_parent(word_node(m, at, name));
        if (ts_node_is_null(parent) ||
            !IS_ANY_TYPE(parent, "function_declaration", "method_definition", "variable_declarator",
                         "generator_function_declaration"))
            continue;
        TSNode declared = ts_node_child_by_field_name(parent, "name", 4);
        if (ts_node_start_byte(declared) != at) continue;
        Str text = text_of(m, parent);
        bool async =
            str_starts(text, STR("async ")) || str_find(text, STR("= async"), 0) < text.len;
        if (!async || node_is(parent, "generator_function_declaration")) return false;
        any = true;
    }
    return any;
}

static bool is_in_async(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    TSNode function = ANCESTOR(a[0].node, FUNCTIONS);
    return !ts_node_is_null(function) && str_starts(text_of(m, function), STR("async"));
}

// --- Go ------------------------------------------------------------------------------------------

// A package of the standard library (no dot in the first part of its path: its name is the path's
// last part), which no `name.` of the file uses.
static bool is_unused_package(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)n;
    Str path = str_slice(a[0].text, 1, a[0].text.len ? a[0].text.len - 1 : 0);
    Str name = str_base_name(path);
    Str first = str_slice(path, 0, str_find(path, STR("/"), 0));
    bool versioned = name.len == 2 && name.ptr[0] == 'v';
    if (str_contains(first, ".") || !str_is_name(name) || versioned || str_equal(name, STR("C")))
        return false;
    ByteRange all = {syntax_range(a[0].node).end, m->text.len};
    for (size_t at = all.start; (at = find_word(m, name, all, at)) < all.end; at++)
        if (at + name.len < all.end && m->text.ptr[at + name.len] == '.') return false;
    return true;
}

// --- Rust ----------------------------------------------------------------------------------------

static bool is_body_of_function(const RuleMatch *m, const RuleArgument *a, size_t n)
{
    (void)m;
    (void)n;
    TSNode block = ANCESTOR(a[0].node, "block");
    return !ts_node_is_null(block) && node_is(ts_node_parent(block), "function_item");
}

// --- the table -----------------------------------------------------------------------------------

bool predicate_holds(const RuleMatch *m, Str name, const RuleArgument *arguments, size_t n)
{
    static const struct {
        const char *name;
        Predicate test;
    } rows[] = {
        {"eq?", is_equal},
        {"any-of?", is_any_of},
        {"kind?", is_kind},
        {"has-ancestor?", has_ancestor},
        {"macro?", is_macro},
        {"pointer?", is_pointer},
        {"used-after?", is_used_after},
        {"unchecked?", is_unchecked},
        {"unreachable?", is_unreachable},
        {"fallen-into?", is_fallen_into},
        {"empty-if?", is_empty_if},
        {"unused?", is_unused},
        {"local?", is_local},
        {"import?", is_import},
        {"reraises?", reraises},
        {"plain-f-string?", is_plain_f_string},
        {"async-function?", is_async_function},
        {"in-async?", is_in_async},
        {"unused-package?", is_unused_package},
        {"body-of-function?", is_body_of_function},
    };
    bool negated = str_starts(name, STR("not-"));
    Str plain = negated ? str_slice(name, 4, name.len) : name;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(plain, str_from(rows[i].name)))
            return rows[i].test(m, arguments, n) != negated;
    assert(!"a predicate that the table does not know");
    return false;
}

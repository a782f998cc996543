// Syntax issues: small, at the right place, and not on code that a compiler accepts.
//
// tree-sitter recovers from what it does not know by ERROR nodes, which may span half a file, and
// by MISSING tokens. A C file full of macros is full of them and yet correct, so in C and C++ what
// looks like a macro's doing is left out; a wrong squiggle costs more trust than a missing one.
#include <string.h>

#include "base/vec.h"
#include "workspace/node.h"
#include "workspace/syntax.h"

enum { MAX_SHOWN = 40 };

typedef VEC(SyntaxIssue) IssueVec;

typedef struct Finder {
    const Syntax *syntax;
    Str text;
    bool macros; // the language has a preprocessor
    size_t max;
    Arena *arena;
    IssueVec issues;
} Finder;

static Str node_text(const Finder *f, TSNode node)
{
    return str_slice(f->text, ts_node_start_byte(node), ts_node_end_byte(node));
}

// --- what a preprocessor may be behind -----------------------------------------------------------

static bool is_name(TSNode node)
{
    return node_is(node, "identifier") || node_is(node, "type_identifier") ||
           node_is(node, "field_identifier") || node_is(node, "primitive_type");
}

static bool looks_like_macro(Str name)
{
    return str_starts(name, STR("__")) || str_is_upper(name);
}

// An attribute-like word or call that a macro explains: FOO, FOO(x), __attribute__((x)).
static bool is_macro_error(const Finder *f, TSNode error)
{
    uint32_t n = ts_node_child_count(error);
    if (n == 0) { // skipped text: a word by itself
        Str text = str_trim(node_text(f, error));
        return looks_like_macro(text);
    }
    bool any = false;
    for (uint32_t i = 0; i < n; i++) {
        TSNode child = ts_node_child(error, i);
        Str text = node_text(f, child);
        bool macro = is_name(child) && looks_like_macro(text);
        if (is_name(child) && !macro) return false;
        if (!ts_node_is_named(child) && (str_equal(text, STR("{")) || str_equal(text, STR("}"))))
            return false;
        any = any || macro;
    }
    return any;
}

// The word before the node on its line: `static __always_inline int f(void)`.
static bool follows_macro(const Finder *f, TSNode node)
{
    size_t end = ts_node_start_byte(node);
    while (end > 0 && (f->text.ptr[end - 1] == ' ' || f->text.ptr[end - 1] == '\t'))
        end--;
    size_t start = end;
    while (start > 0 && !strchr(" \t\r\n(){};,*", f->text.ptr[start - 1]))
        start--;
    return end - start > 2 && looks_like_macro(str_slice(f->text, start, end));
}

// Where the last thing before a missing token ends: that is where a person would type it.
static size_t before_blanks(const Finder *f, size_t at)
{
    while (at > 0 && strchr(" \t\r\n", f->text.ptr[at - 1]))
        at--;
    return at;
}

static size_t after_blanks(const Finder *f, size_t at)
{
    while (at < f->text.len && strchr(" \t\r\n", f->text.ptr[at]))
        at++;
    return at;
}

// A word in capitals that begins the line or, with `anywhere`, is called or stands alone in it.
static bool has_macro_word(Str line, bool anywhere)
{
    line = str_trim(line);
    for (size_t at = 0; at < line.len;) {
        size_t end = at;
        while (end < line.len && str_is_word_byte(line.ptr[end]))
            end++;
        bool calls = end == line.len || strchr("( ", line.ptr[end]);
        if (end - at >= 3 && calls && looks_like_macro(str_slice(line, at, end))) return true;
        if (!anywhere) return false;
        at = end + 1;
    }
    return false;
}

static bool near_macro(const Finder *f, TSNode node)
{
    if (follows_macro(f, node)) return true;
    const TextSnap *text = syntax_text(f->syntax);
    size_t at = ts_node_start_byte(node);
    if (ts_node_is_missing(node)) at = before_blanks(f, at);
    uint32_t row = text_point(text, at).row;
    for (uint32_t r = row ? row - 1 : 0; r <= row; r++)
        if (has_macro_word(text_line(text, r), r == row)) return true;
    return false;
}

// va_arg(ap, char *): a type where C's grammar has expressions.
static bool is_type_argument(const Finder *f, TSNode error)
{
    TSNode parent = ts_node_parent(error);
    if (ts_node_is_null(parent) || !node_is(parent, "argument_list")) return false;
    Str text = node_text(f, error);
    for (size_t i = 0; i < text.len; i++)
        if (!str_is_word_byte(text.ptr[i]) && !strchr(" *\t", text.ptr[i])) return false;
    return true;
}

static bool in_function(TSNode node)
{
    for (TSNode n = node; !ts_node_is_null(n); n = ts_node_parent(n))
        if (node_is(n, "compound_statement")) return true;
    return false;
}

// cast(struct X *, ud): a keyword that only a type begins with opens the arguments of a call, which
// no function's arguments do, so the name before the parenthesis is a macro's.
static bool follows_type_argument(const Finder *f, TSNode error)
{
    static const Str keywords[] = {{"struct ", 7}, {"union ", 6}, {"enum ", 5}};
    const TextSnap *text = syntax_text(f->syntax);
    size_t at = ts_node_start_byte(error);
    Str line = str_slice(f->text, at - text_point(text, at).col_bytes, at);
    // A line of a hostile file may be megabytes long; a type is not.
    for (size_t i = line.len; i > 1 && line.len - i < 200; i--) {
        if (line.ptr[i - 1] == ')') return false;
        if (line.ptr[i - 1] != '(') continue;
        Str inside = str_slice(line, i, line.len);
        bool type = false;
        for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
            type = type || str_starts(inside, keywords[k]);
        return type && str_is_word_byte(line.ptr[i - 2]) && str_ends(str_trim(inside), STR("*"));
    }
    return false;
}

// int f(const char *, ...) printflike(1, 2): after a parameter list, a name with nothing but
// numbers in its parentheses is an attribute that a macro hides.
static bool has_attribute_call(const Finder *f, TSNode error)
{
    ByteRange r = syntax_range(error);
    // `if (a) g(1)` looks the same, so bodies are left alone.
    for (size_t i = r.start; i < r.end && f->text.ptr[i] != '{'; i++) {
        if (f->text.ptr[i] != ')') continue;
        size_t name = after_blanks(f, i + 1), at = name;
        for (; at < f->text.len && str_is_word_byte(f->text.ptr[at]);)
            at++;
        if (at == name || at >= f->text.len || f->text.ptr[at] != '(') continue;
        size_t args = ++at;
        while (at < f->text.len && strchr("0123456789, ", f->text.ptr[at]))
            at++;
        if (at > args && at < f->text.len && f->text.ptr[at] == ')' && at < r.end) return true;
    }
    return false;
}

// #if branches may open a brace twice and close it once; inside and around them all bets are off.
static bool has_conditional(TSNode node)
{
    for (TSNode n = node; !ts_node_is_null(n); n = ts_node_parent(n)) {
        const char *type = ts_node_type(n);
        if (strncmp(type, "preproc_if", 10) == 0 || strncmp(type, "preproc_el", 10) == 0)
            return true;
    }
    uint32_t n_children = ts_node_child_count(node);
    for (uint32_t i = 0; i < n_children; i++)
        if (strncmp(ts_node_type(ts_node_child(node, i)), "preproc_", 8) == 0 ||
            strstr(ts_node_type(ts_node_child(node, i)), "#"))
            return true;
    return false;
}

static bool is_directive(Str line)
{
    line = str_trim(line);
    return line.len && line.ptr[0] == '#';
}

// Lines of a directive that backslashes continue are tokens, not code.
static bool in_directive(const Finder *f, TSNode node)
{
    const TextSnap *text = syntax_text(f->syntax);
    uint32_t row = ts_node_start_point(node).row;
    while (row > 0 && str_ends(text_line(text, row - 1), STR("\\")))
        row--;
    return is_directive(text_line(text, row));
}

// A directive within the declaration around the node: its lines may expand to anything.
static bool has_directive_before(const Finder *f, TSNode node)
{
    const TextSnap *text = syntax_text(f->syntax);
    TSNode top = node;
    for (TSNode n = node; !ts_node_is_null(n) && !ts_node_eq(n, syntax_root(f->syntax));
         n = ts_node_parent(n))
        top = n;
    uint32_t row = ts_node_start_point(top).row, last = ts_node_start_point(node).row;
    for (uint32_t r = row; r <= last; r++)
        if (is_directive(text_line(text, r))) return true;
    // An error at the top level: the directive may stand before it, in what was cut off.
    bool alone = ts_node_eq(top, node);
    for (uint32_t r = last; alone && r > 0 && last - r < 12; r--)
        if (is_directive(text_line(text, r - 1))) return true;
    return false;
}

static bool is_excused(const Finder *f, TSNode node)
{
    if (!f->macros) return false;
    if (has_conditional(node) || in_directive(f, node) || has_directive_before(f, node))
        return true;
    if (ts_node_is_error(node) &&
        (follows_type_argument(f, node) || (!in_function(node) && has_attribute_call(f, node))))
        return true;
    return is_macro_error(f, node) || is_type_argument(f, node) || near_macro(f, node);
}

// --- reporting -----------------------------------------------------------------------------------

static ByteRange at_least_one(const Finder *f, ByteRange r)
{
    if (r.end > r.start) return r;
    if (r.start < f->text.len && f->text.ptr[r.start] != '\n')
        return (ByteRange){r.start, r.start + 1};
    return (ByteRange){r.start ? r.start - 1 : 0, r.start};
}

static void report(Finder *f, SyntaxIssue issue)
{
    if (f->issues.n >= f->max) return;
    issue.range = at_least_one(f, issue.range);
    VEC_PUSH(&f->issues, issue);
}

// A macro's call that needs no semicolon: at the top level, name(...) can be nothing else; within a
// function, name(...) { } stands for a loop or a condition.
static bool is_call_without_semicolon(const Finder *f, TSNode missing, size_t at)
{
    if (!f->macros || at == 0 || f->text.ptr[at - 1] != ')') return false;
    size_t next = after_blanks(f, at);
    bool block = next < f->text.len && f->text.ptr[next] == '{';
    return block || !in_function(missing);
}

static void report_missing(Finder *f, TSNode node)
{
    size_t at = before_blanks(f, ts_node_start_byte(node));
    if (is_call_without_semicolon(f, node, at)) return;
    const char *type = ts_node_type(node);
    const char *form = ts_node_is_named(node) ? "missing %s" : "missing '%s'";
    Str message = arena_printf(f->arena, form, type);
    Str token = ts_node_is_named(node) ? STR("") : arena_str(f->arena, str_from(type));
    report(f, (SyntaxIssue){{at, at}, message, token, at, false});
}

// The first bracket among an error's tokens that nothing closes there.
static bool find_unclosed(TSNode error, TSNode *out)
{
    TSNode open[64];
    uint32_t depth = 0, n = ts_node_child_count(error);
    for (uint32_t i = 0; i < n; i++) {
        TSNode child = ts_node_child(error, i);
        const char *type = ts_node_type(child);
        if (strlen(type) != 1) continue;
        if (strchr("([{", type[0]) && depth < 64) open[depth++] = child;
        if (strchr(")]}", type[0]) && depth > 0) depth--;
    }
    if (depth == 0) return false;
    *out = open[depth - 1];
    return true;
}

static void report_error(Finder *f, TSNode node)
{
    TSNode bracket;
    if (find_unclosed(node, &bracket)) {
        Str text = node_text(f, bracket);
        Str message = arena_printf(f->arena, "this '%.*s' is never closed", STR_FMT(text));
        Str closer = text.ptr[0] == '(' ? STR(")") : text.ptr[0] == '[' ? STR("]") : STR("}");
        ByteRange range = syntax_range(bracket);
        report(f, (SyntaxIssue){range, message, closer, range.start, true});
        return;
    }
    ByteRange r = syntax_range(node);
    size_t line_end = str_find(f->text, STR("\n"), r.start);
    if (r.end > line_end) r.end = line_end;
    Str text = str_trim(str_slice(f->text, r.start, r.end));
    bool cut = text.len > MAX_SHOWN;
    Str message = arena_printf(f->arena, "unexpected '%.*s%s'",
                               STR_FMT(str_slice(text, 0, MAX_SHOWN)), cut ? "…" : "");
    report(f, (SyntaxIssue){.range = r, .message = message});
}

static bool has_nested(TSNode error)
{
    uint32_t n = ts_node_child_count(error);
    for (uint32_t i = 0; i < n; i++)
        if (ts_node_has_error(ts_node_child(error, i))) return true;
    return false;
}

static void visit(Finder *f, TSNode node)
{
    if (ts_node_is_missing(node)) {
        if (!is_excused(f, node)) report_missing(f, node);
        return;
    }
    if (ts_node_is_error(node) && !has_nested(node) && !is_excused(f, node)) report_error(f, node);
}

// Depth first in document order, into subtrees with errors only; a cursor, so that a deep tree of a
// hostile file cannot overflow the stack.
static void walk(Finder *f, TSNode root)
{
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    bool down = true, more = true;
    while (more && f->issues.n < f->max) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        if (down) visit(f, node);
        if (down && ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&cursor)) continue;
        down = ts_tree_cursor_goto_next_sibling(&cursor);
        if (!down) more = ts_tree_cursor_goto_parent(&cursor);
    }
    ts_tree_cursor_delete(&cursor);
}

static bool has_preprocessor(const Language *lang)
{
    return strcmp(lang->id, "c") == 0 || strcmp(lang->id, "cpp") == 0;
}

size_t syntax_issues(const Syntax *syntax, size_t max, Arena *arena, SyntaxIssue **out)
{
    Finder f = {.syntax = syntax,
                .text = text_str(syntax_text(syntax)),
                .macros = has_preprocessor(syntax_language(syntax)),
                .max = max,
                .arena = arena};
    if (!syntax_language(syntax)->no_issues) walk(&f, syntax_root(syntax));
    size_t n = f.issues.n;
    *out = arena_array(arena, n, sizeof **out);
    if (n) memcpy(*out, f.issues.items, n * sizeof **out);
    VEC_FREE(&f.issues);
    return n;
}

size_t syntax_error_count(const Syntax *syntax, ByteRange range)
{
    TSTreeCursor cursor = ts_tree_cursor_new(syntax_root(syntax));
    bool down = true, more = true;
    size_t n = 0;
    while (more) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        ByteRange r = syntax_range(node);
        bool inside = r.start <= range.end && r.end >= range.start;
        if (down && inside && (ts_node_is_missing(node) || ts_node_is_error(node))) n++;
        if (down && inside && ts_node_has_error(node) && ts_tree_cursor_goto_first_child(&cursor))
            continue;
        down = ts_tree_cursor_goto_next_sibling(&cursor);
        if (!down) more = ts_tree_cursor_goto_parent(&cursor);
    }
    ts_tree_cursor_delete(&cursor);
    return n;
}

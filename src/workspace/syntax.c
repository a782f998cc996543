// Parsing, and what a tree tells about functions. Issues are found in issues.c.
#include "workspace/syntax.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "workspace/queries.h"

typedef VEC(SyntaxLocal) LocalVec;

struct Syntax {
    atomic_uint n_refs;
    const Language *lang;
    TextSnap *text;
    TSTree *tree;
};

static bool should_stop(TSParseState *state)
{
    const atomic_bool *cancelled = state->payload;
    return cancelled && atomic_load_explicit(cancelled, memory_order_relaxed);
}

static const char *read_text(void *payload, uint32_t byte, TSPoint point, uint32_t *n)
{
    (void)point;
    Str text = text_str(payload);
    *n = byte < text.len ? (uint32_t)(text.len - byte) : 0;
    return *n ? text.ptr + byte : "";
}

static TSPoint to_ts(TextPoint p)
{
    return (TSPoint){p.row, p.col_bytes};
}

// What lies between the cuts.
static void leave_out(TSParser *parser, const TextSnap *text, const ByteRange *cuts, size_t n)
{
    TSRange *ranges = mem_zero((n + 1) * sizeof *ranges);
    for (size_t i = 0; i <= n; i++) {
        size_t start = i ? cuts[i - 1].end : 0, end = i < n ? cuts[i].start : text_n_bytes(text);
        ranges[i] = (TSRange){to_ts(text_point(text, start)), to_ts(text_point(text, end)),
                              (uint32_t)start, (uint32_t)end};
    }
    ts_parser_set_included_ranges(parser, ranges, (uint32_t)n + 1);
    free(ranges);
}

static Syntax *parse(const Language *lang, const TextSnap *text, const TSTree *old,
                     const ByteRange *cuts, size_t n_cuts, const atomic_bool *cancelled)
{
    if (text_n_bytes(text) > SYNTAX_MAX_BYTES) return NULL;
    TSParser *parser = ts_parser_new();
    TSTree *tree = NULL;
    if (n_cuts) leave_out(parser, text, cuts, n_cuts);
    if (ts_parser_set_language(parser, lang->grammar())) {
        TSInput input = {
            .payload = (void *)(uintptr_t)text, .read = read_text, .encoding = TSInputEncodingUTF8};
        TSParseOptions options = {.payload = (void *)(uintptr_t)cancelled,
                                  .progress_callback = should_stop};
        tree = ts_parser_parse_with_options(parser, old, input, options);
    }
    ts_parser_delete(parser);
    if (!tree) return NULL;
    Syntax *syntax = mem_zero(sizeof *syntax);
    atomic_init(&syntax->n_refs, 1);
    syntax->lang = lang;
    syntax->text = text_retain(text);
    syntax->tree = tree;
    return syntax;
}

Syntax *syntax_parse(const Language *lang, const TextSnap *text, const atomic_bool *cancelled)
{
    return parse(lang, text, NULL, NULL, 0, cancelled);
}

Syntax *syntax_parse_without(const Language *lang, const TextSnap *text, const ByteRange *cuts,
                             size_t n_cuts, const Syntax *before, const atomic_bool *cancelled)
{
    return parse(lang, text, before ? before->tree : NULL, cuts, n_cuts, cancelled);
}

Syntax *syntax_reparse(const Syntax *old, const TextSnap *text, const TextChange *changes,
                       size_t n_changes, const atomic_bool *cancelled)
{
    TSTree *tree = ts_tree_copy(old->tree);
    for (size_t i = 0; i < n_changes; i++) {
        const TextChange *c = &changes[i];
        TSInputEdit edit = {(uint32_t)c->start,      (uint32_t)c->old_end,
                            (uint32_t)c->new_end,    to_ts(c->start_point),
                            to_ts(c->old_end_point), to_ts(c->new_end_point)};
        ts_tree_edit(tree, &edit);
    }
    Syntax *syntax = parse(old->lang, text, tree, NULL, 0, cancelled);
    ts_tree_delete(tree);
    return syntax;
}

Syntax *syntax_retain(const Syntax *syntax)
{
    Syntax *s = (Syntax *)(uintptr_t)syntax;
    if (s) atomic_fetch_add_explicit(&s->n_refs, 1, memory_order_relaxed);
    return s;
}

void syntax_release(const Syntax *syntax)
{
    Syntax *s = (Syntax *)(uintptr_t)syntax;
    if (!s || atomic_fetch_sub_explicit(&s->n_refs, 1, memory_order_acq_rel) != 1) return;
    ts_tree_delete(s->tree);
    text_release(s->text);
    free(s);
}

const Language *syntax_language(const Syntax *syntax)
{
    return syntax->lang;
}

const TextSnap *syntax_text(const Syntax *syntax)
{
    return syntax->text;
}

TSNode syntax_root(const Syntax *syntax)
{
    return ts_tree_root_node(syntax->tree);
}

static size_t find_locals(const Language *lang, TSNode node, ByteRange range, SyntaxLocal **out)
{
    LocalVec found = {0};
    const TSQuery *query = queries_get(lang, QUERY_SCOPES);
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which, n;
    ts_query_cursor_set_byte_range(cursor, (uint32_t)range.start, (uint32_t)range.end);
    if (query) ts_query_cursor_exec(cursor, query, node);
    while (query && ts_query_cursor_next_capture(cursor, &match, &which)) {
        TSQueryCapture capture = match.captures[which];
        const char *name = ts_query_capture_name_for_id(query, capture.index, &n);
        VEC_PUSH(&found, ((SyntaxLocal){capture.node, strcmp(name, "scope") == 0}));
    }
    ts_query_cursor_delete(cursor);
    *out = found.items;
    return found.n;
}

size_t syntax_locals(const Syntax *syntax, ByteRange range, SyntaxLocal **out)
{
    *out = NULL;
    if (range.start >= range.end) return 0;
    return find_locals(syntax->lang, syntax_root(syntax), range, out);
}

size_t syntax_locals_around(const Syntax *syntax, size_t byte_off, SyntaxLocal **out,
                            ByteRange *top)
{
    TSNode node = ts_node_first_child_for_byte(syntax_root(syntax), (uint32_t)byte_off);
    bool around = !ts_node_is_null(node) && ts_node_start_byte(node) <= byte_off;
    *top = around ? syntax_range(node) : (ByteRange){byte_off, byte_off};
    *out = NULL;
    return around ? find_locals(syntax->lang, node, (ByteRange){0, UINT32_MAX}, out) : 0;
}

// --- functions -----------------------------------------------------------------------------------

ByteRange syntax_range(TSNode node)
{
    return (ByteRange){ts_node_start_byte(node), ts_node_end_byte(node)};
}

TSNode syntax_find_node(TSNode node, const char *type)
{
    if (strcmp(ts_node_type(node), type) == 0) return node;
    for (uint32_t i = 0; i < ts_node_named_child_count(node); i++) {
        TSNode found = syntax_find_node(ts_node_named_child(node, i), type);
        if (!ts_node_is_null(found)) return found;
    }
    return (TSNode){0};
}

static Str slice(const Syntax *s, ByteRange r)
{
    return str_slice(text_str(s->text), r.start, r.end);
}

static bool is_comment(TSNode node)
{
    return strstr(ts_node_type(node), "comment") != NULL;
}

// A statement that stands for "nothing yet": pass, ..., a docstring, a bare return.
static bool is_placeholder(const Syntax *s, TSNode node)
{
    const char *type = ts_node_type(node);
    if (is_comment(node) || strcmp(type, "pass_statement") == 0) return true;
    Str text = str_trim(slice(s, syntax_range(node)));
    if (strcmp(type, "return_statement") == 0)
        return str_equal(text, STR("return;")) || str_equal(text, STR("return"));
    if (strcmp(type, "expression_statement") != 0) return false;
    if (ts_node_named_child_count(node) != 1) return str_equal(text, STR("..."));
    const char *inner = ts_node_type(ts_node_named_child(node, 0));
    return strcmp(inner, "string") == 0 || strcmp(inner, "ellipsis") == 0;
}

static bool body_is_empty(const Syntax *s, TSNode body)
{
    uint32_t n = ts_node_named_child_count(body);
    for (uint32_t i = 0; i < n; i++)
        if (!is_placeholder(s, ts_node_named_child(body, i))) return false;
    return !ts_node_has_error(body);
}

// Comments that end on the line above the function or above each other.
static ByteRange find_comment(TSNode function)
{
    ByteRange out = {0, 0};
    uint32_t row = ts_node_start_point(function).row;
    for (TSNode n = ts_node_prev_sibling(function); !ts_node_is_null(n) && is_comment(n);
         n = ts_node_prev_sibling(n)) {
        if (ts_node_end_point(n).row + 1 < row) break;
        row = ts_node_start_point(n).row;
        out.start = ts_node_start_byte(n);
        if (out.end == 0) out.end = ts_node_end_byte(n);
    }
    return out;
}

// Python's decorators and C++'s template heads belong to the function they stand before.
static TSNode widen(TSNode function)
{
    TSNode parent = ts_node_parent(function);
    if (ts_node_is_null(parent)) return function;
    const char *type = ts_node_type(parent);
    bool belongs = strcmp(type, "decorated_definition") == 0 ||
                   strcmp(type, "template_declaration") == 0 ||
                   strcmp(type, "export_statement") == 0;
    return belongs ? parent : function;
}

static void describe(const Syntax *s, TSNode function, TSNode name, TSNode body,
                     SyntaxFunction *out)
{
    TSNode whole = widen(function);
    *out = (SyntaxFunction){.whole = syntax_range(whole),
                            .body = syntax_range(body),
                            .comment = find_comment(whole),
                            .name = slice(s, syntax_range(name)),
                            .body_is_empty = body_is_empty(s, body)};
    out->signature = (ByteRange){out->whole.start, out->body.start};
    TSNode first = ts_node_named_child(body, 0);
    if (out->comment.end == 0 && !ts_node_is_null(first) && is_placeholder(s, first) &&
        strcmp(ts_node_type(first), "expression_statement") == 0)
        out->comment = syntax_range(first); // a docstring
}

// Is the function the better answer than the one found before? The innermost around the cursor.
static bool covers(const Syntax *s, TSNode function, size_t byte_off)
{
    TSNode whole = widen(function);
    ByteRange r = syntax_range(whole);
    uint32_t row = text_point(s->text, byte_off).row;
    bool inside = byte_off >= r.start && byte_off <= r.end;
    return inside || ts_node_start_point(whole).row == row;
}

static TSNode captured(const TSQuery *query, const TSQueryMatch *m, const char *wanted)
{
    for (uint16_t i = 0; i < m->capture_count; i++) {
        uint32_t n;
        const char *name = ts_query_capture_name_for_id(query, m->captures[i].index, &n);
        if (strcmp(name, wanted) == 0) return m->captures[i].node;
    }
    return (TSNode){0};
}

enum { MAX_HEAD_LINES = 8 }; // decorators and the like above the function's own first line

bool syntax_function_at(const Syntax *syntax, size_t byte_off, SyntaxFunction *out)
{
    const TSQuery *query = queries_get(syntax->lang, QUERY_BODIES);
    if (!query) return false;
    uint32_t row = text_point(syntax->text, byte_off).row;
    TSQueryCursor *cursor = ts_query_cursor_new();
    ts_query_cursor_set_byte_range(cursor, (uint32_t)text_line_start(syntax->text, row),
                                   (uint32_t)text_line_end(syntax->text, row + MAX_HEAD_LINES) + 1);
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    TSQueryMatch m;
    bool found = false;
    size_t best = SIZE_MAX;
    while (ts_query_cursor_next_match(cursor, &m)) {
        TSNode function = captured(query, &m, "function");
        ByteRange r = syntax_range(function);
        if (!covers(syntax, function, byte_off) || r.end - r.start >= best) continue;
        best = r.end - r.start;
        describe(syntax, function, captured(query, &m, "name"), captured(query, &m, "body"), out);
        found = true;
    }
    ts_query_cursor_delete(cursor);
    return found;
}

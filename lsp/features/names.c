// What a name under the cursor means within the document: its other places, and what it is.
//
// A name belongs to the innermost scope that declares it, else to the whole file; a member (after
// `.` or `->`) is told apart from a variable by its node, never by its type, which nobody knows.
#include <string.h>

#include "base/vec.h"
#include "features/features.h"
#include "workspace/queries.h"

static const size_t FILE_SCOPE = SIZE_MAX;

typedef VEC(TSNode) Nodes;
typedef VEC(ByteRange) Ranges;

typedef struct Names {
    Str text;
    Ranges scopes;
    Ranges declaring; // the scopes that declare the target's name
    Nodes locals;
} Names;

typedef struct Target {
    TSNode node;
    Str name;
    bool is_member;
    size_t scope; // index of Names.declaring, or FILE_SCOPE
} Target;

static void names_init(Names *names, const Syntax *syntax)
{
    *names = (Names){.text = text_str(syntax_text(syntax))};
    const TSQuery *query = queries_get(syntax_language(syntax), QUERY_SCOPES);
    if (!query) return;
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which, n;
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    while (ts_query_cursor_next_capture(cursor, &match, &which)) {
        TSQueryCapture capture = match.captures[which];
        const char *name = ts_query_capture_name_for_id(query, capture.index, &n);
        if (strcmp(name, "scope") == 0)
            VEC_PUSH(&names->scopes, syntax_range(capture.node));
        else
            VEC_PUSH(&names->locals, capture.node);
    }
    ts_query_cursor_delete(cursor);
}

static void names_deinit(Names *names)
{
    VEC_FREE(&names->scopes);
    VEC_FREE(&names->declaring);
    VEC_FREE(&names->locals);
}

static Str node_text(const Names *names, TSNode node)
{
    ByteRange range = syntax_range(node);
    return str_slice(names->text, range.start, range.end);
}

static bool is_member(TSNode node)
{
    const char *type = ts_node_type(node);
    if (strcmp(type, "field_identifier") == 0 || strcmp(type, "property_identifier") == 0)
        return true;
    TSNode parent = ts_node_parent(node);
    if (ts_node_is_null(parent) || strcmp(ts_node_type(parent), "attribute") != 0) return false;
    return !ts_node_eq(ts_node_child(parent, 0), node);
}

static size_t innermost_scope(const Names *names, size_t byte_off)
{
    size_t best = FILE_SCOPE, best_bytes = SIZE_MAX;
    for (size_t i = 0; i < names->scopes.n; i++) {
        ByteRange scope = names->scopes.items[i];
        bool around = byte_off >= scope.start && byte_off < scope.end;
        if (!around || scope.end - scope.start >= best_bytes) continue;
        best = i;
        best_bytes = scope.end - scope.start;
    }
    return best;
}

// Once for a request: a name like `i` has thousands of places in a large file, and each is then
// compared with these few ranges only.
static void find_declaring(Names *names, Str name)
{
    for (size_t i = 0; i < names->locals.n; i++) {
        TSNode local = names->locals.items[i];
        if (!str_equal(node_text(names, local), name)) continue;
        size_t scope = innermost_scope(names, ts_node_start_byte(local));
        if (scope != FILE_SCOPE) VEC_PUSH(&names->declaring, names->scopes.items[scope]);
    }
}

// The innermost of the declaring scopes around byte_off.
static size_t find_scope(const Names *names, size_t byte_off)
{
    size_t best = FILE_SCOPE, best_bytes = SIZE_MAX;
    for (size_t i = 0; i < names->declaring.n; i++) {
        ByteRange scope = names->declaring.items[i];
        bool around = byte_off >= scope.start && byte_off < scope.end;
        if (!around || scope.end - scope.start >= best_bytes) continue;
        best = i;
        best_bytes = scope.end - scope.start;
    }
    return best;
}

static bool is_name(TSNode node)
{
    return !ts_node_is_null(node) && ts_node_is_named(node) && ts_node_child_count(node) == 0 &&
           strstr(ts_node_type(node), "identifier") != NULL;
}

// The name at byte_off, or the one that ends there.
static bool find_target(Names *names, const Syntax *syntax, size_t byte_off, Target *out)
{
    TSNode root = syntax_root(syntax);
    uint32_t at = (uint32_t)byte_off;
    TSNode node = ts_node_descendant_for_byte_range(root, at, at);
    if (!is_name(node) && at > 0) node = ts_node_descendant_for_byte_range(root, at - 1, at - 1);
    if (!is_name(node)) return false;
    *out = (Target){.node = node, .name = node_text(names, node), .is_member = is_member(node)};
    if (!out->is_member) find_declaring(names, out->name);
    out->scope = out->is_member ? FILE_SCOPE : find_scope(names, ts_node_start_byte(node));
    return true;
}

static bool is_same(const Names *names, const Target *target, TSNode node)
{
    if (!str_equal(node_text(names, node), target->name)) return false;
    // The cheap test first: looking for a parent walks down from the root.
    if (!target->is_member && find_scope(names, ts_node_start_byte(node)) != target->scope)
        return false;
    return is_member(node) == target->is_member;
}

static bool is_local(const Names *names, TSNode node)
{
    for (size_t i = 0; i < names->locals.n; i++)
        if (ts_node_eq(names->locals.items[i], node)) return true;
    return false;
}

static size_t *keep_offset(Call *call, Error *err)
{
    Document *doc;
    LspPosition position;
    if (!sync_find_document(call, &doc, err)) return NULL;
    if (!types_read_position(types_get(call->params, "position"), &position)) {
        error_set(err, ERROR_INVALID, "params without a position");
        return NULL;
    }
    size_t *byte_off = arena_alloc(call->request->arena, sizeof *byte_off);
    *byte_off = doc ? position_to_offset(doc->text, position, call->conn->encoding) : 0;
    return call->request->data = byte_off;
}

// --- highlights

static Json *new_highlight(const Request *request, const Names *names, TSNode node)
{
    enum { READ = 2, WRITE = 3 };
    Json *item = json_object_new_object();
    LspRange range =
        position_from_range(request->doc->text, syntax_range(node), request->conn->encoding);
    types_put(item, "range", types_new_range(range));
    types_put_int(item, "kind", is_local(names, node) ? WRITE : READ);
    return item;
}

static Json *new_highlights(const Request *request, const Names *names, const Target *target)
{
    const Syntax *syntax = request->doc->syntax;
    const TSQuery *query = queries_get(syntax_language(syntax), QUERY_REFERENCES);
    if (!query) return NULL;
    Json *list = json_object_new_array();
    TSQueryCursor *cursor = ts_query_cursor_new();
    TSQueryMatch match;
    uint32_t which;
    size_t last = SIZE_MAX; // captures come in order; several patterns give one node
    ts_query_cursor_exec(cursor, query, syntax_root(syntax));
    while (ts_query_cursor_next_capture(cursor, &match, &which)) {
        TSNode node = match.captures[which].node;
        size_t start = ts_node_start_byte(node);
        if (start == last || !is_same(names, target, node)) continue;
        last = start;
        json_object_array_add(list, new_highlight(request, names, node));
    }
    ts_query_cursor_delete(cursor);
    return list;
}

static void answer_highlights(Request *request)
{
    const size_t *byte_off = request->data;
    const Syntax *syntax = request->doc->syntax;
    Json *list = NULL;
    if (syntax) {
        Names names;
        Target target;
        names_init(&names, syntax);
        if (find_target(&names, syntax, *byte_off, &target))
            list = new_highlights(request, &names, &target);
        names_deinit(&names);
    }
    request_reply(request, list);
}

bool names_document_highlight(Call *call, Error *err)
{
    if (!keep_offset(call, err)) return false;
    return structure_start(call, call->conn->config.document_highlight, answer_highlights, err);
}

// --- hover

static Json *new_hover(const Request *request, const Target *target, Str code, Str comment)
{
    StrBuf text = {0};
    bool markdown = request->conn->caps.hover_markdown;
    Json *hover = json_object_new_object();
    if (markdown) strbuf_printf(&text, "```%s\n", request->doc->lang->id);
    strbuf_append(&text, code);
    if (markdown) strbuf_append(&text, STR("\n```"));
    if (comment.len) strbuf_printf(&text, "\n\n%.*s", STR_FMT(comment));
    Json *contents = types_put_object(hover, "contents");
    types_put_text(contents, "kind", markdown ? "markdown" : "plaintext");
    types_put_str(contents, "value", strbuf_str(&text));
    LspRange range = position_from_range(request->doc->text, syntax_range(target->node),
                                         request->conn->encoding);
    types_put(hover, "range", types_new_range(range));
    strbuf_deinit(&text);
    return hover;
}

static bool fits(const Symbol *symbol, const Target *target)
{
    bool member = symbol->kind == SYMBOL_FIELD || symbol->kind == SYMBOL_METHOD ||
                  symbol->kind == SYMBOL_PROPERTY;
    if (symbol->name_range.start == ts_node_start_byte(target->node)) return true;
    return str_equal(symbol->name, target->name) && member == target->is_member;
}

// Of this document, else of any file by its name alone: but never for a member, whose owner is
// unknown. A definition with a comment wins over its prototype without one.
static const Symbol *find_symbol(const Request *request, const Target *target)
{
    Symbol *symbols;
    const Symbol *best = NULL;
    size_t n = symbols_collect(request->doc->syntax, request->arena, &symbols);
    for (size_t i = 0; i < n; i++) {
        if (!fits(&symbols[i], target)) continue;
        if (!best || (best->comment.len == 0 && symbols[i].comment.len)) best = &symbols[i];
    }
    if (best || target->is_member) return best;
    return symbol_index_find(request->conn->symbols, target->name, STR(""));
}

// The line that declares a local name.
static Str local_line(const Request *request, const Names *names, const Target *target)
{
    for (size_t i = 0; i < names->locals.n; i++) {
        TSNode local = names->locals.items[i];
        if (is_same(names, target, local))
            return str_trim(text_line(request->doc->text, ts_node_start_point(local).row));
    }
    return target->name;
}

static Json *describe(const Request *request, const Names *names, const Target *target)
{
    if (target->scope != FILE_SCOPE)
        return new_hover(request, target, local_line(request, names, target), STR(""));
    const Symbol *symbol = find_symbol(request, target);
    return symbol ? new_hover(request, target, symbol->signature, symbol->comment) : NULL;
}

static void answer_hover(Request *request)
{
    const size_t *byte_off = request->data;
    const Syntax *syntax = request->doc->syntax;
    Json *hover = NULL;
    if (syntax) {
        Names names;
        Target target;
        names_init(&names, syntax);
        if (find_target(&names, syntax, *byte_off, &target))
            hover = describe(request, &names, &target);
        names_deinit(&names);
    }
    request_reply(request, hover);
}

bool names_hover(Call *call, Error *err)
{
    if (!keep_offset(call, err)) return false;
    return structure_start(call, call->conn->config.hover, answer_hover, err);
}

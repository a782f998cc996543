// Definitions of one file by its query. A node that two patterns match (a method is a function
// too) counts once, as the later pattern's kind: queries go from general to special.
#include "index/symbols.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "workspace/queries.h"

enum { MAX_SIGNATURE = 200, MAX_COMMENT = 1000, MAX_SIGNATURE_LINES = 6 };

typedef VEC(Symbol) SymbolVec;
typedef VEC(uint16_t) PatternVec;

typedef struct Collector {
    const Syntax *syntax;
    Str text;
    Arena *arena;
    SymbolVec symbols;
    PatternVec patterns; // that each symbol's kind comes from
    VEC(TSNode) nodes;   // of each symbol's definition
    VEC(Str) imports;
    bool with_attributes; // self.x = ... is a definition of x
} Collector;

static SymbolKind kind_of(const char *capture)
{
    static const struct {
        const char *name;
        SymbolKind kind;
    } kinds[] = {{"function", SYMBOL_FUNCTION},
                 {"method", SYMBOL_METHOD},
                 {"class", SYMBOL_CLASS},
                 {"struct", SYMBOL_STRUCT},
                 {"enum", SYMBOL_ENUM},
                 {"enumerator", SYMBOL_ENUMERATOR},
                 {"interface", SYMBOL_INTERFACE},
                 {"type", SYMBOL_TYPE},
                 {"macro", SYMBOL_MACRO},
                 {"variable", SYMBOL_VARIABLE},
                 {"constant", SYMBOL_CONSTANT},
                 {"field", SYMBOL_FIELD},
                 {"module", SYMBOL_MODULE},
                 {"property", SYMBOL_PROPERTY},
                 {"key", SYMBOL_KEY}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(capture, kinds[i].name) == 0) return kinds[i].kind;
    return SYMBOL_VARIABLE;
}

// Runs of blanks become one space.
static Str fold_blanks(Arena *arena, Str s, size_t max)
{
    char *out = arena_alloc(arena, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len && n < max; i++) {
        bool blank = strchr(" \t\r\n", s.ptr[i]) != NULL;
        if (blank && (n == 0 || out[n - 1] == ' ')) continue;
        out[n++] = blank ? ' ' : s.ptr[i];
    }
    while (n > 0 && (out[n - 1] == ' ' || (unsigned char)out[n - 1] >= 0xC0))
        n--; // a cut through a character leaves its first byte
    return (Str){out, n};
}

static ByteRange head_of(const Collector *c, TSNode node)
{
    TSNode body = ts_node_child_by_field_name(node, "body", 4);
    ByteRange head = syntax_range(node);
    if (!ts_node_is_null(body)) {
        head.end = ts_node_start_byte(body);
    } else {
        size_t line_end = text_line_end(syntax_text(c->syntax), ts_node_start_point(node).row);
        if (line_end < head.end && line_end > head.start) head.end = line_end;
    }
    return head;
}

Str symbols_signature(const Syntax *syntax, const Symbol *symbol, Arena *arena)
{
    Str text = text_str(syntax_text(syntax));
    Str s =
        fold_blanks(arena, str_slice(text, symbol->head.start, symbol->head.end), MAX_SIGNATURE);
    while (s.len && strchr("{:;= ", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static bool is_comment(TSNode node)
{
    return strstr(ts_node_type(node), "comment") != NULL;
}

// A comment's text without its markers, line by line.
static void append_stripped(StrBuf *out, Str comment)
{
    while (comment.len) {
        size_t n = str_find(comment, STR("\n"), 0);
        Str line = str_trim(str_slice(comment, 0, n));
        while (line.len && strchr("/*#!-<\"'", line.ptr[0]))
            line = str_slice(line, 1, line.len);
        while (line.len && strchr("*/\"'", line.ptr[line.len - 1]))
            line.len--;
        line = str_trim(line);
        if (line.len && out->len) strbuf_append_char(out, '\n');
        strbuf_append(out, line);
        comment = str_slice(comment, n + 1, comment.len);
    }
}

static Str comment_of(Collector *c, TSNode node)
{
    TSNode parent = ts_node_parent(node);
    bool wrapped =
        !ts_node_is_null(parent) && (strcmp(ts_node_type(parent), "decorated_definition") == 0 ||
                                     strcmp(ts_node_type(parent), "template_declaration") == 0 ||
                                     strcmp(ts_node_type(parent), "export_statement") == 0);
    if (wrapped) node = parent;
    uint32_t row = ts_node_start_point(node).row;
    size_t start = SIZE_MAX, end = 0;
    for (TSNode n = ts_node_prev_sibling(node); !ts_node_is_null(n) && is_comment(n);
         n = ts_node_prev_sibling(n)) {
        if (ts_node_end_point(n).row + 1 < row) break;
        row = ts_node_start_point(n).row;
        start = ts_node_start_byte(n);
        if (end == 0) end = ts_node_end_byte(n);
    }
    TSNode body = ts_node_child_by_field_name(node, "body", 4);
    if (end == 0 && !ts_node_is_null(body)) { // Python's docstring
        TSNode first = ts_node_named_child(body, 0);
        TSNode inner = ts_node_is_null(first) ? first : ts_node_named_child(first, 0);
        if (!ts_node_is_null(inner) && strcmp(ts_node_type(inner), "string") == 0) {
            start = ts_node_start_byte(inner);
            end = ts_node_end_byte(inner);
        }
    }
    if (end == 0) return (Str){NULL, 0};
    StrBuf text = {0};
    append_stripped(&text, str_slice(c->text, start, end));
    Str out = arena_str(c->arena, str_slice(strbuf_str(&text), 0, MAX_COMMENT));
    strbuf_deinit(&text);
    return out;
}

// Whether one of the definition's specifiers is this word.
static bool has_specifier(const Collector *c, TSNode definition, Str word)
{
    enum { MAX_SPECIFIERS = 4 };
    uint32_t n = ts_node_named_child_count(definition);
    for (uint32_t i = 0; i < n && i < MAX_SPECIFIERS; i++) {
        TSNode child = ts_node_named_child(definition, i);
        if (strcmp(ts_node_type(child), "storage_class_specifier") != 0) continue;
        ByteRange r = syntax_range(child);
        if (str_equal(str_slice(c->text, r.start, r.end), word)) return true;
    }
    return false;
}

// Of C and C++; no other language of ours declares apart from defining.
static void find_linkage(const Collector *c, TSNode definition, Symbol *symbol)
{
    bool function = symbol->kind == SYMBOL_FUNCTION, variable = symbol->kind == SYMBOL_VARIABLE;
    const char *type = ts_node_type(definition);
    bool is_declaration = strcmp(type, "declaration") == 0;
    if (!function && !variable) return;
    if (!is_declaration && strcmp(type, "function_definition") != 0) return;
    symbol->is_private = has_specifier(c, definition, STR("static"));
    symbol->is_declaration =
        is_declaration && (function || has_specifier(c, definition, STR("extern")));
}

typedef struct Match {
    TSNode definition, name;
    ByteRange owner;
    SymbolKind kind;
    bool is_attribute;
} Match;

static void add_symbol(Collector *c, const Match *match, uint16_t pattern)
{
    ByteRange r = syntax_range(match->name);
    for (size_t i = c->symbols.n; i > 0; i--) { // matches come nearly in order
        Symbol *s = &c->symbols.items[i - 1];
        if (s->name_range.start == r.start) {
            if (pattern > c->patterns.items[i - 1]) {
                s->kind = match->kind;
                s->owner = match->owner;
                c->patterns.items[i - 1] = pattern;
            }
            return;
        }
        if (c->symbols.n - i > 64) break;
    }
    Str text = str_slice(c->text, r.start, r.end);
    if (text.len == 0 || text.len > 256) return;
    Symbol symbol = {.name = text,
                     .kind = match->kind,
                     .range = syntax_range(match->definition),
                     .name_range = r,
                     .owner = match->owner,
                     .head = head_of(c, match->definition),
                     .is_attribute = match->is_attribute};
    find_linkage(c, match->definition, &symbol);
    VEC_PUSH(&c->patterns, pattern);
    VEC_PUSH(&c->nodes, match->definition);
    VEC_PUSH(&c->symbols, symbol);
}

// An attribute counts where what it belongs to is the object itself.
static bool is_self(Str object)
{
    return str_equal(object, STR("self")) || str_equal(object, STR("this"));
}

static void add_match(Collector *c, const TSQuery *query, const TSQueryMatch *m)
{
    Match match = {.kind = SYMBOL_VARIABLE};
    bool wanted = true;
    for (uint16_t i = 0; i < m->capture_count; i++) {
        uint32_t n;
        const char *capture = ts_query_capture_name_for_id(query, m->captures[i].index, &n);
        ByteRange r = syntax_range(m->captures[i].node);
        if (strcmp(capture, "name") == 0) {
            match.name = m->captures[i].node;
        } else if (strcmp(capture, "owner") == 0) {
            match.owner = r;
        } else if (strcmp(capture, "self") == 0) {
            match.is_attribute = true;
            wanted = c->with_attributes && is_self(str_slice(c->text, r.start, r.end));
        } else if (strcmp(capture, "import") == 0) {
            VEC_PUSH(&c->imports, str_slice(c->text, r.start, r.end));
        } else if (strncmp(capture, "definition.", 11) == 0) {
            match.definition = m->captures[i].node;
            match.kind = kind_of(capture + 11);
        }
    }
    if (wanted && !ts_node_is_null(match.definition) && !ts_node_is_null(match.name))
        add_symbol(c, &match, m->pattern_index);
}

static int by_place(const void *a, const void *b)
{
    const Symbol *x = a, *y = b;
    return (x->name_range.start > y->name_range.start) -
           (x->name_range.start < y->name_range.start);
}

static void collector_init(Collector *c, const Syntax *syntax, bool with_attributes, Arena *arena)
{
    *c = (Collector){.syntax = syntax,
                     .text = text_str(syntax_text(syntax)),
                     .arena = arena,
                     .with_attributes = with_attributes};
}

// What lies in the range at least in part.
static void add_range(Collector *c, ByteRange range)
{
    const TSQuery *query = queries_get(syntax_language(c->syntax), QUERY_DEFINITIONS);
    if (!query) return;
    TSQueryCursor *cursor = ts_query_cursor_new();
    ts_query_cursor_set_byte_range(cursor, (uint32_t)range.start, (uint32_t)range.end);
    ts_query_cursor_exec(cursor, query, syntax_root(c->syntax));
    TSQueryMatch m;
    while (ts_query_cursor_next_match(cursor, &m))
        add_match(c, query, &m);
    ts_query_cursor_delete(cursor);
}

static void run_query(Collector *c, const Syntax *syntax, bool with_attributes, Arena *arena)
{
    collector_init(c, syntax, with_attributes, arena);
    add_range(c, (ByteRange){0, UINT32_MAX});
}

static void describe(Collector *c, size_t i, Symbol *symbol)
{
    symbol->name = arena_str(c->arena, symbol->name);
    symbol->signature = symbols_signature(c->syntax, symbol, c->arena);
    symbol->comment = comment_of(c, c->nodes.items[i]);
}

// The symbols in document order, in the arena; the collector is emptied.
static size_t finish(Collector *c, Symbol **out)
{
    size_t n = c->symbols.n;
    *out = arena_array(c->arena, n, sizeof **out);
    if (n) memcpy(*out, c->symbols.items, n * sizeof **out);
    if (n) qsort(*out, n, sizeof **out, by_place);
    VEC_FREE(&c->symbols);
    VEC_FREE(&c->patterns);
    VEC_FREE(&c->nodes);
    VEC_FREE(&c->imports);
    return n;
}

size_t symbols_collect(const Syntax *syntax, Arena *arena, Symbol **out)
{
    Collector c;
    run_query(&c, syntax, false, arena);
    for (size_t i = 0; i < c.symbols.n; i++)
        describe(&c, i, &c.symbols.items[i]);
    return finish(&c, out);
}

PlainSymbols symbols_collect_plain(const Syntax *syntax, ByteRange range, Arena *arena)
{
    Collector c;
    PlainSymbols out;
    collector_init(&c, syntax, true, arena);
    if (range.start < range.end) add_range(&c, range);
    out.n_imports = c.imports.n;
    out.imports = arena_array(arena, c.imports.n, sizeof *out.imports);
    if (c.imports.n) memcpy(out.imports, c.imports.items, c.imports.n * sizeof *out.imports);
    out.n_symbols = finish(&c, &out.symbols);
    return out;
}

size_t symbols_named(const Syntax *syntax, Str name, Arena *arena, Symbol **out)
{
    enum { MAX_LOOKED_AT = 64 }; // a name that stands at more places is looked for everywhere
    Collector c;
    size_t n = 0;
    collector_init(&c, syntax, false, arena);
    for (size_t at = 0; name.len && (at = str_find_word(c.text, name, at)) < c.text.len;
         at += name.len) {
        if (n++ == MAX_LOOKED_AT) {
            add_range(&c, (ByteRange){at, UINT32_MAX});
            break;
        }
        add_range(&c, (ByteRange){at, at + name.len});
    }
    n = 0;
    for (size_t i = 0; i < c.symbols.n; i++) {
        if (!str_equal(c.symbols.items[i].name, name)) continue;
        describe(&c, i, &c.symbols.items[i]);
        c.symbols.items[n++] = c.symbols.items[i];
    }
    c.symbols.n = n;
    return finish(&c, out);
}

bool symbols_describe(const Syntax *syntax, size_t byte_off, Arena *arena, Symbol *out)
{
    Collector c;
    Symbol *all;
    bool found = false;
    collector_init(&c, syntax, true, arena);
    add_range(&c, (ByteRange){byte_off, byte_off + 1});
    for (size_t i = 0; i < c.symbols.n && !found; i++) {
        if (c.symbols.items[i].name_range.start != byte_off) continue;
        found = true;
        *out = c.symbols.items[i];
        describe(&c, i, out);
    }
    finish(&c, &all);
    return found;
}

// --- names in reach ------------------------------------------------------------------------------

static bool is_scope(const TSQuery *query, uint32_t index)
{
    uint32_t n;
    return strcmp(ts_query_capture_name_for_id(query, index, &n), "scope") == 0;
}

// True if every scope around the local also contains the offset.
static bool reaches(TSNode local, const ByteRange *scopes, size_t n_scopes, size_t byte_off)
{
    size_t at = ts_node_start_byte(local);
    for (size_t i = 0; i < n_scopes; i++) {
        bool around_local = at >= scopes[i].start && at < scopes[i].end;
        bool around_place = byte_off >= scopes[i].start && byte_off <= scopes[i].end;
        if (around_local && !around_place) return false;
    }
    return true;
}

static bool is_known(const Str *names, size_t n, Str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal(names[i], name)) return true;
    return false;
}

typedef struct Reach {
    VEC(ByteRange) scopes;
    VEC(TSNode) locals;
} Reach;

// max_depth: how deep below the node what is looked for may begin.
static void find_reach(const TSQuery *query, TSNode node, ByteRange range, uint32_t max_depth,
                       Reach *found)
{
    TSQueryMatch m;
    uint32_t which;
    TSQueryCursor *cursor = ts_query_cursor_new();
    ts_query_cursor_set_byte_range(cursor, (uint32_t)range.start, (uint32_t)range.end);
    ts_query_cursor_set_max_start_depth(cursor, max_depth);
    ts_query_cursor_exec(cursor, query, node);
    while (ts_query_cursor_next_capture(cursor, &m, &which)) {
        TSNode captured = m.captures[which].node;
        if (!is_scope(query, m.captures[which].index))
            VEC_PUSH(&found->locals, captured);
        else
            VEC_PUSH(&found->scopes, syntax_range(captured));
    }
    ts_query_cursor_delete(cursor);
}

size_t symbols_visible(const Syntax *syntax, size_t byte_off, Arena *arena, Str **out)
{
    // A keystroke must not scan a huge file, nor the bodies of other functions: of what stands
    // before the cursor's own part of the file, variables of the file alone reach it, and what an
    // unfinished function declares.
    enum { MAX_NAMES = 500, MAX_BACK = 64 * 1024, FILE_DEPTH = 5 };
    *out = arena_array(arena, MAX_NAMES, sizeof **out);
    const TSQuery *query = queries_get(syntax_language(syntax), QUERY_SCOPES);
    if (!query) return 0;
    Reach found = {0};
    Str text = text_str(syntax_text(syntax));
    TSNode root = syntax_root(syntax);
    TSNode own = ts_node_first_child_for_byte(root, (uint32_t)byte_off);
    size_t from = byte_off > MAX_BACK ? byte_off - MAX_BACK : 0, start = byte_off;
    if (!ts_node_is_null(own) && ts_node_start_byte(own) < start) start = ts_node_start_byte(own);
    if (start < from) start = from;
    if (from < start) find_reach(query, root, (ByteRange){from, start}, FILE_DEPTH, &found);
    if (!ts_node_is_null(own))
        find_reach(query, own, (ByteRange){start, byte_off + 1}, UINT32_MAX, &found);
    size_t n = 0;
    for (size_t i = found.locals.n; i > 0 && n < MAX_NAMES; i--) { // nearest first
        TSNode local = found.locals.items[i - 1];
        ByteRange r = syntax_range(local);
        Str name = str_slice(text, r.start, r.end);
        bool before = r.end < byte_off; // the word at the cursor itself is no suggestion
        if (before && reaches(local, found.scopes.items, found.scopes.n, byte_off) &&
            !is_known(*out, n, name))
            (*out)[n++] = arena_str(arena, name);
    }
    VEC_FREE(&found.scopes);
    VEC_FREE(&found.locals);
    return n;
}

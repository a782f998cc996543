// Where a statement may begin is told by the bytes before the word (what is being typed there is
// an error to the grammar) and by the tree for comments, strings and functions.
#include "snippets.h"

#include <string.h>

#include "folders.h"
#include "prompt/indent.h"

enum { MAX_SNIPPETS = 64, MAX_PARAMETERS = 24 };

// --- the place

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The type of the node that covers the byte; "" without one.
static const char *type_at(const Syntax *syntax, size_t byte_off)
{
    TSNode root = syntax_root(syntax);
    TSNode node =
        ts_node_descendant_for_byte_range(root, (uint32_t)byte_off, (uint32_t)byte_off + 1);
    return ts_node_is_null(node) ? "" : ts_node_type(node);
}

static bool is_comment(const char *type)
{
    return strstr(type, "comment") != NULL;
}

static bool is_text(const Syntax *syntax, size_t byte_off)
{
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), (uint32_t)byte_off,
                                                    (uint32_t)byte_off);
    for (; !ts_node_is_null(node); node = ts_node_parent(node)) {
        const char *type = ts_node_type(node);
        if (is_comment(type) || strstr(type, "string") || strstr(type, "char_literal") ||
            strstr(type, "heredoc"))
            return true;
    }
    return false;
}

// The last byte before byte_off that is neither blank nor of a comment; SIZE_MAX: there is none.
static size_t last_code(const Syntax *syntax, Str text, size_t byte_off)
{
    size_t n_tree = text_n_bytes(syntax_text(syntax));
    for (size_t at = byte_off; at > 0; at--) {
        if (is_blank(text.ptr[at - 1])) continue;
        if (at - 1 < n_tree && is_comment(type_at(syntax, at - 1))) continue;
        return at - 1;
    }
    return SIZE_MAX;
}

// Is a bracket of an expression open there? Braces end the search.
static bool is_in_brackets(Str text, size_t byte_off)
{
    enum { MAX_BACK = 4000 };
    int depth = 0;
    for (size_t at = byte_off; at > 0 && byte_off - at < MAX_BACK; at--) {
        char c = text.ptr[at - 1];
        if (c == '{' || c == '}' || (c == ';' && depth == 0)) return false;
        if (c == ')' || c == ']') depth++;
        if ((c == '(' || c == '[') && depth-- == 0) return true;
    }
    return false;
}

static bool is_python(const Syntax *syntax)
{
    return strcmp(syntax_language(syntax)->id, "python") == 0;
}

// Does what stands before end a statement, or begin a block?
static bool ends_statement(const Syntax *syntax, const TextSnap *snap, size_t word_start)
{
    Str text = text_str(snap);
    size_t at = last_code(syntax, text, word_start);
    if (at == SIZE_MAX) return true;
    uint32_t row = text_point(snap, word_start).row;
    bool same_line = text_point(snap, at).row == row;
    char c = text.ptr[at];
    if (is_python(syntax)) return !same_line && c != ',' && c != '\\' && c != '.' && c != '=';
    if (strchr("{};", c)) return true;
    if (same_line) return false;
    Str line = str_trim(str_slice(text, text_line_start(snap, text_point(snap, at).row), at + 1));
    bool directive = line.len && line.ptr[0] == '#';
    // A header of if or for, a label; languages that end statements by line breaks.
    return directive || c == ')' || c == ':' || strcmp(syntax_language(syntax)->id, "go") == 0 ||
           strcmp(syntax_language(syntax)->id, "javascript") == 0;
}

static bool is_header(Str path)
{
    return str_ends(path, STR(".h")) || str_ends(path, STR(".hpp")) || str_ends(path, STR(".hh")) ||
           str_ends(path, STR(".hxx"));
}

unsigned snippets_place(const Syntax *syntax, const TextSnap *text, Str path, size_t word_start)
{
    SyntaxFunction function;
    if (!syntax || word_start > text_n_bytes(text)) return SNIPPET_NOWHERE;
    if (is_text(syntax, word_start) || is_in_brackets(text_str(text), word_start) ||
        !ends_statement(syntax, text, word_start))
        return SNIPPET_NOWHERE;
    bool inside = syntax_function_at(syntax, word_start, &function) &&
                  function.body.start < word_start && word_start <= function.body.end;
    // A block that is being typed has no body yet.
    inside = inside || (is_python(syntax) && text_point(text, word_start).col_bytes > 0);
    if (inside) return SNIPPET_BODY;
    bool first = last_code(syntax, text_str(text), word_start) == SIZE_MAX;
    return SNIPPET_TOP | (first && is_header(path) ? SNIPPET_HEADER : 0u);
}

// --- the data

static bool fits(Str where, unsigned place)
{
    if (str_equal(where, STR("body"))) return place & SNIPPET_BODY;
    if (str_equal(where, STR("top"))) return place & SNIPPET_TOP;
    if (str_equal(where, STR("header"))) return place & SNIPPET_HEADER;
    return str_equal(where, STR("any"));
}

// The tabs of the data are levels of the file's indentation.
static Str take_text(Str *data, const IndentStyle *style, Arena *arena)
{
    StrBuf out = {0};
    while (data->len && data->ptr[0] == '\t') {
        Str line = str_take(data, STR("\n"));
        if (out.len) strbuf_append_char(&out, '\n');
        size_t at = 1;
        for (; at < line.len && line.ptr[at] == '\t'; at++)
            strbuf_printf(&out, "%*s", style->tabs ? 1 : style->width, style->tabs ? "\t" : "");
        strbuf_append(&out, str_slice(line, at, line.len));
    }
    Str text = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

typedef struct Found {
    Snippet *items;
    size_t n;
    unsigned place;
    Str typed;
    IndentStyle style;
    Arena *arena;
} Found;

// Those of one text; what the first n_known have is passed over.
static void add_snippets(Found *found, Str data, size_t n_known)
{
    while (data.len && found->n < MAX_SNIPPETS) {
        Str line = str_take(&data, STR("\n"));
        if (line.len == 0 || line.ptr[0] == '#') continue;
        Snippet snippet = {.prefix = str_take(&line, STR(" "))};
        Str where = str_take(&line, STR(" "));
        snippet.description = line;
        snippet.text = take_text(&data, &found->style, found->arena);
        bool wanted = fits(where, found->place) && str_starts(snippet.prefix, found->typed) &&
                      snippet.text.len;
        for (size_t i = 0; i < n_known; i++)
            wanted = wanted && !str_equal(found->items[i].prefix, snippet.prefix);
        if (wanted) found->items[found->n++] = snippet;
    }
}

static Str read_own(const Language *lang, Arena *arena)
{
    enum { MAX_BYTES = 1 << 18 };
    Error err = {0};
    Str folder = folder_config(arena), own = STR("");
    if (folder.len == 0) return own;
    Str path = arena_printf(arena, "%.*s/snippets/%s.txt", STR_FMT(folder), lang->id);
    TextSnap *text = text_read_file(path.ptr, MAX_BYTES, &err);
    if (text) own = arena_str(arena, text_str(text));
    text_release(text);
    return own;
}

size_t snippets_find(const Language *lang, unsigned place, Str typed, const TextSnap *text,
                     Arena *arena, Snippet **out)
{
    *out = arena_array(arena, MAX_SNIPPETS, sizeof **out);
    if (!lang || !place) return 0;
    Found found = {*out, 0, place, typed, indent_detect(text, lang), arena};
    add_snippets(&found, read_own(lang, arena), 0);
    size_t n_own = found.n;
    for (const char *const *list = lang->queries.snippets; list && *list; list++)
        add_snippets(&found, str_from(*list), n_own);
    return found.n;
}

// --- calls

// Behind `<T>` or `[T any]`, if that is what s begins with.
static size_t skip_generics(Str s)
{
    int depth = 0;
    if (s.len == 0 || (s.ptr[0] != '<' && s.ptr[0] != '[')) return 0;
    for (size_t at = 0; at < s.len; at++) {
        depth += s.ptr[at] == '<' || s.ptr[at] == '[';
        depth -= s.ptr[at] == '>' || s.ptr[at] == ']';
        if (depth == 0) return at + 1;
    }
    return s.len;
}

// The parameters between the brackets that open behind the name; generic ones may stand between.
static bool split_parameters(Str s, Str *out, size_t *n)
{
    int depth = 0;
    size_t at = skip_generics(s), start;
    *n = 0;
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    if (at >= s.len || s.ptr[at] != '(') return false;
    for (start = at + 1; at < s.len; at++) {
        char c = s.ptr[at];
        if (c == '(' || c == '[' || c == '{' || c == '<') depth++;
        if (c == ')' || c == ']' || c == '}' || (c == '>' && s.ptr[at - 1] != '-')) depth--;
        if (!((c == ',' && depth == 1) || (c == ')' && depth == 0))) continue;
        Str part = str_trim(str_slice(s, start, at));
        if (part.len && *n == MAX_PARAMETERS) return false;
        if (part.len) out[(*n)++] = part;
        start = at + 1;
        if (depth == 0) return true;
    }
    return false;
}

static bool is_receiver(Str parameter)
{
    while (parameter.len && strchr("&* ", parameter.ptr[0]))
        parameter = str_slice(parameter, 1, parameter.len);
    if (str_starts(parameter, STR("mut "))) parameter = str_slice(parameter, 4, parameter.len);
    return str_equal(parameter, STR("self")) || str_equal(parameter, STR("cls")) ||
           str_starts(parameter, STR("self:"));
}

// Blanks folded; what means something in a placeholder escaped.
static void append_parameter(StrBuf *out, Str parameter)
{
    for (size_t i = 0; i < parameter.len; i++) {
        char c = parameter.ptr[i];
        if (is_blank(c) && i > 0 && is_blank(parameter.ptr[i - 1])) continue;
        if (strchr("$}\\", c)) strbuf_append_char(out, '\\');
        strbuf_append_char(out, is_blank(c) ? ' ' : c);
    }
}

Str snippets_call(Str name, Str behind_name, Arena *arena)
{
    Str parameters[MAX_PARAMETERS];
    size_t n;
    StrBuf out = {0};
    if (!split_parameters(behind_name, parameters, &n)) return STR("");
    bool none = n == 1 && str_equal(parameters[0], STR("void"));
    size_t first = n > 0 && is_receiver(parameters[0]) ? 1 : 0;
    strbuf_append(&out, name);
    strbuf_append_char(&out, '(');
    for (size_t i = first; i < n && !none; i++) {
        strbuf_printf(&out, "%s${%zu:", i > first ? ", " : "", i - first + 1);
        append_parameter(&out, parameters[i]);
        strbuf_append_char(&out, '}');
    }
    strbuf_append_char(&out, ')');
    Str text = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// Bodies in braces and bodies by indentation.
#include "prompt/body.h"

#include <string.h>

#include "prompt/indent.h"

static bool make_host(const Syntax *syntax, BodyHole *out, Arena *arena, Error *err)
{
    Str filler = arena_printf(arena, "%.*s%.*s", STR_FMT(out->lead), STR_FMT(out->trail));
    out->host = text_edit(syntax_text(syntax), out->replace, filler, NULL, err);
    out->byte_off = out->replace.start + out->lead.len;
    return out->host != NULL;
}

bool body_hole_make(const Syntax *syntax, const SyntaxFunction *function, Arena *arena,
                    BodyHole *out, Error *err)
{
    const TextSnap *text = syntax_text(syntax);
    Str all = text_str(text);
    ByteRange body = function->body;
    uint32_t row = text_point(text, function->signature.start).row;
    Str base = indent_blanks(text_line(text, row));
    IndentStyle style = indent_detect(text, syntax_language(syntax));
    *out = (BodyHole){.braces = body.end > body.start && all.ptr[body.start] == '{'};
    if (out->braces) {
        bool closed = body.end > body.start + 1 && all.ptr[body.end - 1] == '}';
        out->replace = (ByteRange){body.start + 1, body.end - (closed ? 1 : 0)};
        out->indent = indent_deeper(&style, base, arena);
        out->lead = arena_printf(arena, "\n%.*s", STR_FMT(out->indent));
        out->trail = arena_printf(arena, "\n%.*s", STR_FMT(base));
        return make_host(syntax, out, arena, err);
    }
    // Python: after a docstring, else in place of what stands for the body.
    TextPoint first = text_point(text, body.start);
    out->indent = arena_str(arena, indent_blanks(text_line(text, first.row)));
    bool own_line =
        first.row != text_point(text, function->signature.start).row && out->indent.len > base.len;
    if (!own_line) out->indent = indent_deeper(&style, base, arena);
    // "..." stands where a docstring may stand, and is none.
    ByteRange comment = function->comment;
    Str said = str_slice(all, comment.start, comment.end);
    bool docstring = comment.start >= body.start && comment.end > body.start &&
                     !str_equal(str_trim(said), STR("..."));
    out->replace = docstring ? (ByteRange){function->comment.end, body.end} : body;
    while (!docstring && !own_line && strchr(" \t", all.ptr[out->replace.start - 1]))
        out->replace.start--;
    out->lead =
        docstring || !own_line ? arena_printf(arena, "\n%.*s", STR_FMT(out->indent)) : (Str){"", 0};
    out->trail = (Str){"", 0};
    return make_host(syntax, out, arena, err);
}

// --- flaws -------------------------------------------------------------------------------------

static bool has_node(TSNode node, const char *const *types)
{
    for (size_t i = 0; types[i]; i++)
        if (strcmp(ts_node_type(node), types[i]) == 0) return true;
    for (uint32_t i = 0; i < ts_node_named_child_count(node); i++)
        if (has_node(ts_node_named_child(node, i), types)) return true;
    return false;
}

// In C and C++: does what stands before the name promise a value? Constructors have nothing there.
static bool promises_value(Str signature, Str name)
{
    Str before = {signature.ptr, (size_t)(name.ptr - signature.ptr)};
    bool special = str_equal(name, STR("main")) || str_find(name, STR("~"), 0) < name.len ||
                   str_find(before, STR("noreturn"), 0) < before.len ||
                   str_find(before, STR("_Noreturn"), 0) < before.len;
    before = str_trim(before);
    bool typed = before.len && !str_ends(before, STR("inline")) &&
                 !str_ends(before, STR("explicit")) && !str_ends(before, STR("virtual"));
    return typed && !special && !str_ends(before, STR("void"));
}

static bool lacks_return(const Syntax *after, const SyntaxFunction *f)
{
    static const char *const exits[] = {
        "return_statement", "throw_statement",    "goto_statement",      "while_statement",
        "for_statement",    "gnu_asm_expression", "co_return_statement", NULL};
    const char *id = syntax_language(after)->id;
    if (strcmp(id, "c") != 0 && strcmp(id, "cpp") != 0) return false;
    Str signature = str_slice(text_str(syntax_text(after)), f->signature.start, f->signature.end);
    if (!promises_value(signature, f->name)) return false;
    TSNode body = ts_node_descendant_for_byte_range(syntax_root(after), (uint32_t)f->body.start,
                                                    (uint32_t)f->body.end - 1);
    return !has_node(body, exits);
}

const char *body_flaw(const BodyHole *hole, const Syntax *after, Str body)
{
    SyntaxFunction f;
    if (!syntax_function_at(after, hole->byte_off, &f) || f.body_is_empty) return "it does nothing";
    Str signature = str_slice(text_str(syntax_text(after)), f.signature.start, f.signature.end);
    Str head = str_trim(str_slice(signature, 0, str_find(signature, STR("\n"), 0)));
    Str first = str_trim(str_slice(body, 0, str_find(body, STR("\n"), 0)));
    if (head.len && str_starts(first, head)) return "it repeats the signature";
    return lacks_return(after, &f) ? "it returns no value" : NULL;
}

// --- the end -----------------------------------------------------------------------------------

// Skips a string, character or comment that starts at s.ptr[at]; returns the offset after it.
static size_t skip_quoted(Str s, size_t at)
{
    char c = s.ptr[at];
    if (c == '/' && at + 1 < s.len && s.ptr[at + 1] == '/') return str_find(s, STR("\n"), at);
    if (c == '/' && at + 1 < s.len && s.ptr[at + 1] == '*') {
        size_t end = str_find(s, STR("*/"), at + 2);
        return end < s.len ? end + 2 : s.len;
    }
    if (c != '"' && c != '\'' && c != '`') return at;
    for (size_t i = at + 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == c)
            return i + 1;
        else if (s.ptr[i] == '\n' && c != '`')
            return i; // a lone apostrophe: Rust's lifetimes
    }
    return s.len;
}

static size_t measure_braces(Str s, bool *ended)
{
    int depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        size_t after = skip_quoted(s, i);
        if (after > i) {
            i = after - 1;
            continue;
        }
        if (s.ptr[i] == '{') depth++;
        if (s.ptr[i] == '}' && --depth < 0) {
            *ended = true;
            return i;
        }
    }
    return s.len;
}

static size_t measure_indent(Str s, Str indent, bool *ended)
{
    for (size_t at = str_find(s, STR("\n"), 0); at < s.len; at = str_find(s, STR("\n"), at + 1)) {
        Str line = str_slice(s, at + 1, str_find(s, STR("\n"), at + 1));
        Str blanks = indent_blanks(line);
        bool has_text = blanks.len < line.len;
        if (has_text && blanks.len < indent.len) {
            *ended = true;
            return at;
        }
    }
    return s.len;
}

size_t body_measure(const BodyHole *hole, Str generated, bool *ended)
{
    *ended = false;
    size_t n = hole->braces ? measure_braces(generated, ended)
                            : measure_indent(generated, hole->indent, ended);
    while (*ended && n > 0 && strchr(" \t\r\n", generated.ptr[n - 1]))
        n--;
    return n;
}

// Candidates are few and each is tried by parsing: what the parser said is missing, and, for a
// bracket that is never closed, its closer at the places where people forget it.
#include "workspace/fixes.h"

#include <string.h>

enum { MAX_CANDIDATES = 8, MAX_FIX_BYTES = 1 << 20 };

typedef struct Trying {
    const Syntax *syntax;
    Str text;
    Arena *arena;
    size_t n_errors;
    SyntaxFix *out;
    int n_tried;
} Trying;

static bool try_insert(Trying *t, size_t at, Str insert)
{
    Error err = {0};
    ByteRange all = {0, SIZE_MAX};
    if (t->n_tried++ >= MAX_CANDIDATES || at > t->text.len) return false;
    TextSnap *text = text_edit(syntax_text(t->syntax), (ByteRange){at, at}, insert, NULL, &err);
    Syntax *after = text ? syntax_parse(syntax_language(t->syntax), text, NULL) : NULL;
    size_t n = after ? syntax_error_count(after, all) : SIZE_MAX;
    // What is inserted may not itself stand in an error.
    size_t inside = after ? syntax_error_count(after, (ByteRange){at, at + insert.len}) : 1;
    bool better = n < t->n_errors && (n == 0 || inside == 0);
    if (better) *t->out = (SyntaxFix){at, arena_str(t->arena, insert), n == 0};
    syntax_release(after);
    text_release(text);
    return better;
}

static size_t skip_blanks_back(Str text, size_t at)
{
    return str_trim_end(str_slice(text, 0, at)).len;
}

static size_t line_end(Str text, size_t at)
{
    return str_find(text, STR("\n"), at);
}

static size_t indent_of(Str text, size_t line_start)
{
    size_t n = 0;
    while (line_start + n < text.len && strchr(" \t", text.ptr[line_start + n]))
        n++;
    return n;
}

// Before the mark at the line's end that belongs to the statement: `f(1;`, `if (a {`, `g(x:`.
static bool try_line(Trying *t, size_t bracket, Str closer)
{
    size_t end = skip_blanks_back(t->text, line_end(t->text, bracket)), inner = end;
    while (inner > bracket + 1 && strchr(";{:,", t->text.ptr[inner - 1]))
        inner--;
    inner = skip_blanks_back(t->text, inner);
    if (inner > bracket && try_insert(t, inner, closer)) return true;
    if (end > inner && try_insert(t, end, closer)) return true;
    return try_insert(t, end, arena_printf(t->arena, "%.*s;", STR_FMT(closer)));
}

// The end of the text before the line at `at`, without the empty lines above it.
static size_t after_last_line(Str text, size_t at)
{
    size_t end = skip_blanks_back(text, at);
    size_t lf = line_end(text, end);
    return lf < text.len && lf < at ? lf + 1 : at;
}

// Where the indentation says that a block has ended and no brace does: a line ends in '{', and the
// next that is indented no deeper does not begin with '}'.
static bool try_indentation(Trying *t, size_t from)
{
    for (size_t end = line_end(t->text, from); end < t->text.len;
         end = line_end(t->text, end + 1)) {
        size_t last = skip_blanks_back(t->text, end), start = last;
        if (last == 0 || t->text.ptr[last - 1] != '{') continue;
        while (start > 0 && t->text.ptr[start - 1] != '\n')
            start--;
        size_t indent = indent_of(t->text, start), at = end + 1;
        for (; at < t->text.len; at = line_end(t->text, at) + 1) {
            size_t first = at + indent_of(t->text, at);
            bool blank = first >= t->text.len || strchr("\r\n#", t->text.ptr[first]);
            if (!blank && first - at <= indent) break;
        }
        if (at >= t->text.len || t->text.ptr[at + indent_of(t->text, at)] == '}') continue;
        Str closer =
            arena_printf(t->arena, "%.*s}\n", STR_FMT(str_slice(t->text, start, start + indent)));
        if (try_insert(t, after_last_line(t->text, at), closer)) return true;
    }
    return false;
}

// A block ends before the next line that is indented no deeper than the one that opens it.
static bool try_block(Trying *t, size_t bracket)
{
    size_t start = bracket;
    while (start > 0 && t->text.ptr[start - 1] != '\n')
        start--;
    size_t indent = indent_of(t->text, start);
    Str blanks = str_slice(t->text, start, start + indent);
    Str closer = arena_printf(t->arena, "%.*s}\n", STR_FMT(blanks));
    for (size_t at = line_end(t->text, bracket) + 1; at < t->text.len;
         at = line_end(t->text, at) + 1) {
        size_t deep = indent_of(t->text, at);
        bool blank = at + deep >= t->text.len || t->text.ptr[at + deep] == '\n';
        if (blank || deep > indent || t->text.ptr[at + deep] == '{') continue;
        if (try_insert(t, at, closer)) return true;
        break;
    }
    bool broken = t->text.len && t->text.ptr[t->text.len - 1] == '\n';
    return try_insert(t, t->text.len,
                      broken ? closer : arena_printf(t->arena, "\n%.*s", STR_FMT(closer)));
}

bool fix_find(const Syntax *syntax, const SyntaxIssue *issue, Arena *arena, SyntaxFix *out)
{
    Str text = text_str(syntax_text(syntax));
    Trying t = {.syntax = syntax,
                .text = text,
                .arena = arena,
                .n_errors = syntax_error_count(syntax, (ByteRange){0, SIZE_MAX}),
                .out = out};
    if (issue->missing.len == 0 || text.len > MAX_FIX_BYTES) return false;
    bool brace = str_equal(issue->missing, STR("}"));
    if (brace && try_indentation(&t, issue->is_unclosed ? issue->missing_at : 0)) return true;
    if (!issue->is_unclosed) return try_insert(&t, issue->missing_at, issue->missing);
    if (brace && try_block(&t, issue->missing_at)) return true;
    return try_line(&t, issue->missing_at, issue->missing);
}

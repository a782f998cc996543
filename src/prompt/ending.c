// Line by line: the first line is fitted to what follows the cursor on its line, later lines end
// where the block ends or the suffix begins.
#include "prompt/ending.h"

#include <string.h>

enum { MAX_LINES = 12, TAB_COLUMNS = 8 };

static bool is_blank_char(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_blank(Str line)
{
    return str_trim(line).len == 0;
}

// Columns of leading blanks.
static int indent_of(Str line)
{
    int columns = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\t')
            columns = (columns / TAB_COLUMNS + 1) * TAB_COLUMNS;
        else if (line.ptr[i] == ' ')
            columns++;
        else
            break;
    }
    return columns;
}

// --- what surrounds the cursor
// --------------------------------------------------------------------

typedef struct Around {
    Str before, rest; // of the cursor's line
    Str next;         // the first line after it that is not blank; its ptr is NULL if there is none
    bool opens;       // the line opens a block before the cursor
    int floor;        // lines indented less than this are past the end
} Around;

static bool opens_block(Str before)
{
    Str s = str_trim(before);
    return s.len && strchr("{:([", s.ptr[s.len - 1]);
}

static Around look_around(const EndingContext *ctx)
{
    const TextSnap *text = ctx->text;
    uint32_t row = text_point(text, ctx->byte_off).row, n_lines = text_n_lines(text);
    Str all = text_str(text);
    Around a = {.before = str_slice(all, text_line_start(text, row), ctx->byte_off),
                .rest = str_slice(all, ctx->byte_off, text_line_end(text, row))};
    for (uint32_t r = row + 1; r < n_lines && !a.next.ptr; r++)
        if (!is_blank(text_line(text, r))) a.next = text_line(text, r);
    a.opens = opens_block(a.before);
    a.floor = indent_of(a.before) + (a.opens ? 1 : 0);
    return a;
}

// --- the end of the generation
// --------------------------------------------------------------------

// Does this line of the answer begin what follows the cursor's line anyway?
static bool meets_suffix(const Around *a, Str line)
{
    return a->next.ptr && indent_of(line) == indent_of(a->next) &&
           str_equal(str_trim(line), str_trim(a->next));
}

// A line that only closes what the cursor's line opened: kept although it is indented less.
static bool closes_block(const Around *a, Str line)
{
    Str s = str_trim(line);
    return a->opens && indent_of(line) == indent_of(a->before) && s.len && strchr("})]", s.ptr[0]);
}

// Is line number `i` (from 1) of the answer past the end? `last`: it is the last that belongs.
static bool is_past_end(const Around *a, Str line, int i, bool *last)
{
    *last = false;
    if (i >= MAX_LINES || is_blank(line) || meets_suffix(a, line)) return true;
    if (closes_block(a, line)) {
        *last = true;
        return false;
    }
    return indent_of(line) < a->floor;
}

// Length of the answer's part that belongs to the hole; `complete`: nothing more can belong.
static size_t measure(const EndingContext *ctx, const Around *a, Str s, bool *complete)
{
    size_t end = str_find(s, STR("\n"), 0);
    *complete = end < s.len;
    // A leading line break is kept only where the cursor's line is finished and opens a block.
    bool bare = is_blank(str_slice(s, 0, end));
    if (!ctx->multi_line || !*complete || (bare && !a->opens)) return end;
    for (int i = 1; end < s.len; i++) {
        size_t next = str_find(s, STR("\n"), end + 1);
        Str line = str_slice(s, end + 1, next);
        bool finished = next < s.len, last;
        if (!finished) { // judged when it is whole, but a lesser indentation shows at once
            *complete = !is_blank(line) && !closes_block(a, line) && indent_of(line) < a->floor;
            return *complete ? end : s.len;
        }
        if (is_past_end(a, line, i, &last)) return end;
        end = next;
        if (last) return end;
    }
    *complete = false;
    return s.len;
}

bool ending_reached(const EndingContext *ctx, Str so_far)
{
    bool complete;
    Around a = look_around(ctx);
    measure(ctx, &a, so_far, &complete);
    return complete;
}

// --- fitting to the rest of the line
// --------------------------------------------------------------

static char opener_of(char closer)
{
    return closer == ')' ? '(' : closer == ']' ? '[' : '{';
}

// Closers in s that nothing in s opens, in order, at most 16.
static size_t unmatched_closers(Str s, char *out)
{
    char open[64];
    size_t depth = 0, n = 0;
    char quote = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (strchr("([{", c) && c && depth < sizeof open) {
            open[depth++] = c;
        } else if (strchr(")]}", c) && c) {
            if (depth > 0 && open[depth - 1] == opener_of(c))
                depth--;
            else if (n < 16)
                out[n++] = c;
        }
    }
    return n;
}

static bool only_closers(Str rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (!strchr(")]};,:'\"` \t\r>", rest.ptr[i])) return false;
    return true;
}

// How many bytes of rest the line's unmatched closers close again: "a, b)" before "));" gives 1.
static size_t doubled_closers(Str line, Str rest)
{
    char closers[16];
    size_t n = unmatched_closers(line, closers), at = 0;
    for (size_t i = 0; i < n; i++) {
        while (at < rest.len && is_blank_char(rest.ptr[at]))
            at++;
        if (at == rest.len || rest.ptr[at] != closers[i]) break;
        at++;
    }
    if (at == 0) return 0;
    // What the line has after its last closer, the rest may have too: ");" before ");".
    Str tail = str_trim(line);
    while (at < rest.len && tail.len && strchr(";,", rest.ptr[at]) &&
           tail.ptr[tail.len - 1] == rest.ptr[at])
        at++;
    return at;
}

// The longest end of line that is a beginning of rest, from a place where a word does not go on.
static size_t overlap(Str line, Str rest)
{
    size_t most = line.len < rest.len ? line.len : rest.len;
    for (size_t n = most; n > 0; n--) {
        size_t at = line.len - n;
        bool within = at > 0 && is_word_char(line.ptr[at - 1]) && is_word_char(line.ptr[at]);
        if (!within && memcmp(line.ptr + at, rest.ptr, n) == 0) return n;
    }
    return 0;
}

// Fits the first line to rest: *insert is what is inserted, returns the bytes of rest replaced.
static size_t fit_line(Str line, Str rest, Str *insert)
{
    *insert = line;
    Str tail = str_trim(rest);
    if (tail.len == 0) return 0;
    if (str_ends(line, rest) || str_ends(line, tail)) {
        size_t n = str_ends(line, rest) ? rest.len : tail.len;
        *insert = str_slice(line, 0, line.len - n);
        return 0;
    }
    if (only_closers(rest)) {
        size_t doubled = doubled_closers(line, rest);
        if (doubled) return doubled;
    }
    size_t n = overlap(line, rest);
    *insert = str_slice(line, 0, line.len - n);
    return 0;
}

// --- indentation
// ----------------------------------------------------------------------------------

typedef struct FileStyle {
    bool tabs, crlf;
    int width; // of one level of spaces, for turning spaces into tabs
} FileStyle;

static FileStyle detect_style(const EndingContext *ctx)
{
    int tabs = 0, spaces = 0, crlf = 0;
    uint32_t n = text_n_lines(ctx->text);
    Str all = text_str(ctx->text);
    for (uint32_t r = 0; r < n && r < 400; r++) {
        Str line = text_line(ctx->text, r);
        size_t end = text_line_end(ctx->text, r);
        tabs += line.len && line.ptr[0] == '\t';
        spaces += str_starts(line, STR("  "));
        crlf += end + 1 < all.len && all.ptr[end] == '\r' && all.ptr[end + 1] == '\n';
    }
    FileStyle style = {.tabs = tabs > spaces, .crlf = crlf > 0, .width = 4};
    if (ctx->lang && tabs + spaces == 0) style.tabs = ctx->lang->indent_tabs;
    return style;
}

static void append_line(StrBuf *out, const FileStyle *style, Str line)
{
    size_t spaces = 0;
    while (style->tabs && spaces < line.len && line.ptr[spaces] == ' ')
        spaces++;
    for (size_t i = 0; i < spaces / (size_t)style->width; i++)
        strbuf_append_char(out, '\t');
    size_t kept = spaces / (size_t)style->width * (size_t)style->width;
    strbuf_append(out, str_slice(line, kept, line.len));
}

static size_t trim_end(Str s)
{
    while (s.len && (is_blank_char(s.ptr[s.len - 1]) || s.ptr[s.len - 1] == '\n'))
        s.len--;
    return s.len;
}

Ending ending_trim(const EndingContext *ctx, Str generated, Arena *arena)
{
    Around a = look_around(ctx);
    Ending out = {.replace = {ctx->byte_off, ctx->byte_off}};
    bool complete;
    Str s = str_slice(generated, 0, measure(ctx, &a, generated, &complete));
    size_t first_end = str_find(s, STR("\n"), 0);
    Str first, later = str_slice(s, first_end, s.len);
    // More lines cannot stand before the rest of a line, unless they close what it closes.
    if (later.len && !is_blank(a.rest) && !only_closers(a.rest)) later = (Str){NULL, 0};
    size_t replaced = later.len ? doubled_closers(s, a.rest) : 0;
    first = str_slice(s, 0, first_end);
    if (!later.len) replaced = fit_line(first, a.rest, &first);

    FileStyle style = detect_style(ctx);
    StrBuf text = {0};
    strbuf_append(&text, first);
    while (later.len) {
        size_t next = str_find(later, STR("\n"), 1);
        strbuf_append(&text, style.crlf ? STR("\r\n") : STR("\n"));
        Str line = str_slice(later, 1, next);
        line.len = trim_end(line);
        append_line(&text, &style, line);
        later = str_slice(later, next, later.len);
    }
    Str whole = strbuf_str(&text);
    if (is_blank(a.rest)) whole.len = trim_end(whole);
    if (str_trim(whole).len) {
        out.insert = arena_str(arena, whole);
        out.replace.end += replaced;
    }
    strbuf_deinit(&text);
    return out;
}

bool ending_adds_error(const EndingContext *ctx, const Ending *ending)
{
    Error err = {0};
    if (!ctx->lang) return false;
    TextChange change;
    TextSnap *after = text_edit(ctx->text, ending->replace, ending->insert, &change, &err);
    if (!after) return false;
    const Syntax *known = ctx->syntax && syntax_text(ctx->syntax) == ctx->text ? ctx->syntax : NULL;
    Syntax *old = known ? syntax_retain(known) : syntax_parse(ctx->lang, ctx->text, NULL);
    Syntax *new = old ? syntax_reparse(old, after, &change, 1, NULL) : NULL;
    ByteRange all = {0, SIZE_MAX};
    bool worse = new &&syntax_error_count(new, all) > syntax_error_count(old, all);
    syntax_release(old);
    syntax_release(new);
    text_release(after);
    return worse;
}

// A count over the first lines; most files agree with themselves.
#include "prompt/indent.h"

enum { MAX_ROWS = 1000, MAX_WIDTH = 8 };

Str indent_blanks(Str line)
{
    size_t n = 0;
    while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t'))
        n++;
    return str_slice(line, 0, n);
}

int indent_columns(Str line)
{
    int columns = 0;
    Str blanks = indent_blanks(line);
    for (size_t i = 0; i < blanks.len; i++)
        columns = blanks.ptr[i] == '\t' ? (columns / INDENT_TAB_COLUMNS + 1) * INDENT_TAB_COLUMNS
                                        : columns + 1;
    return columns;
}

// Two, four or eight: the smallest that occurs more than by chance, since every file has lines of
// two and three levels too.
static int pick_width(const int *counts, int fallback)
{
    if (counts[2] && counts[2] > counts[4] / 4) return 2;
    if (counts[4] && counts[4] > counts[8] / 4) return 4;
    return counts[8] ? 8 : fallback;
}

IndentStyle indent_detect(const TextSnap *text, const Language *lang)
{
    int tabs = 0, spaces = 0, crlf = 0, counts[MAX_WIDTH + 1] = {0};
    Str all = text_str(text);
    uint32_t n = text_n_lines(text);
    for (uint32_t row = 0; row < n && row < MAX_ROWS; row++) {
        size_t end = text_line_end(text, row);
        crlf += end + 1 < all.len && all.ptr[end] == '\r' && all.ptr[end + 1] == '\n';
        Str line = text_line(text, row), blanks = indent_blanks(line);
        if (blanks.len == 0 || blanks.len == line.len) continue;
        bool tab = blanks.ptr[0] == '\t';
        tabs += tab;
        spaces += !tab && blanks.len > 1; // one space: the middle of a block comment
        if (!tab && blanks.len <= MAX_WIDTH) counts[blanks.len]++;
    }
    int custom = lang && lang->indent_width > 0 ? lang->indent_width : 4;
    bool known = tabs + spaces > 0;
    return (IndentStyle){.tabs = known ? tabs > spaces : lang && lang->indent_tabs,
                         .crlf = crlf > 0,
                         .width = pick_width(counts, custom)};
}

void indent_append_line(StrBuf *out, const IndentStyle *style, Str line)
{
    Str blanks = indent_blanks(line);
    size_t width = (size_t)style->width, levels = 0, at = 0, run = 0;
    if (blanks.len == 0 || blanks.len == line.len) {
        strbuf_append(out, line);
        return;
    }
    for (size_t i = 0; i < blanks.len; i++) {
        bool tab = blanks.ptr[i] == '\t';
        run = tab ? 0 : run + 1;
        if (!tab && run < width) continue;
        levels++;
        run = 0;
        at = i + 1;
    }
    for (size_t i = 0; i < levels * (style->tabs ? 1 : width); i++)
        strbuf_append_char(out, style->tabs ? '\t' : ' ');
    strbuf_append(out, str_slice(line, at, line.len)); // what is less than a level aligns
}

Str indent_deeper(const IndentStyle *style, Str base, Arena *arena)
{
    if (style->tabs) return arena_printf(arena, "%.*s\t", STR_FMT(base));
    return arena_printf(arena, "%.*s%*s", STR_FMT(base), style->width, "");
}

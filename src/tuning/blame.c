// From the place that a verdict's note tells to the same place in what the model wrote.
#include "tuning/blame.h"

#include <string.h>

#include "verify/compiler.h"

static const ByteRange ALL = {0, SIZE_MAX};

static size_t take_number(Str s, uint32_t *out)
{
    size_t n = 0;
    for (*out = 0; n < s.len && n < 9 && s.ptr[n] >= '0' && s.ptr[n] <= '9'; n++)
        *out = *out * 10 + (uint32_t)(s.ptr[n] - '0');
    return n;
}

// "line 12:5: error: ..." or "..., first at line 12: ...": from 1; column 0: none is told.
static bool read_place(Str note, uint32_t *line, uint32_t *column)
{
    Str word = STR("line ");
    size_t at = str_find(note, word, 0) + word.len;
    *column = 0;
    if (at >= note.len) return false;
    size_t n = take_number(str_slice(note, at, note.len), line);
    at += n;
    if (at < note.len && note.ptr[at] == ':')
        take_number(str_slice(note, at + 1, note.len), column);
    return n > 0 && *line > 0;
}

static size_t count_blanks(Str line)
{
    size_t n = 0;
    while (n < line.len && strchr(" \t\r", line.ptr[n]))
        n++;
    return n;
}

static uint32_t count_lines(Str s)
{
    uint32_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    return n;
}

// Where the answer's first words begin in the candidate's text, and in the answer.
static bool find_anchor(Str insert, Str raw, size_t *in_insert, size_t *in_raw)
{
    Str trimmed = str_trim(raw);
    Str first = str_trim_end(str_slice(trimmed, 0, str_find(trimmed, STR("\n"), 0)));
    *in_raw = trimmed.len ? (size_t)(trimmed.ptr - raw.ptr) : 0;
    *in_insert = str_find(insert, first, 0);
    return first.len > 0 && *in_insert < insert.len;
}

// The answer's line is the document's but for the blanks before it.
static ByteRange find_in_line(Str raw, uint32_t row, Str line, uint32_t column)
{
    size_t start = 0;
    for (; row > 0 && start < raw.len; row--)
        start = str_find(raw, STR("\n"), start) + 1;
    if (start >= raw.len) return ALL;
    size_t end = str_find(raw, STR("\n"), start), blanks = count_blanks(line);
    size_t off = column ? compiler_column(line, column, false) : 0;
    size_t from = start + count_blanks(str_slice(raw, start, end));
    from += off > blanks ? off - blanks : 0;
    return from < end ? (ByteRange){from, end} : ALL;
}

ByteRange blame_find(const TextSnap *text, const Candidate *c, Str raw)
{
    const Evidence *e = &c->evidence;
    uint32_t line, column;
    size_t in_insert, in_raw;
    Error ignored = {0};
    bool parses = e->parse == VERDICT_PASS;
    if (parses && e->compile != VERDICT_FAIL) return ALL;
    if (!read_place(parses ? e->compile_note : e->parse_note, &line, &column) ||
        !find_anchor(c->insert, raw, &in_insert, &in_raw))
        return ALL;
    uint32_t first =
        text_point(text, c->replace.start).row + count_lines(str_slice(c->insert, 0, in_insert));
    uint32_t skipped = count_lines(str_slice(raw, 0, in_raw)), row = line - 1;
    TextSnap *whole = text_edit(text, c->replace, c->insert, NULL, &ignored);
    ByteRange found = ALL;
    if (whole && row >= first && row < text_n_lines(whole))
        found = find_in_line(raw, row - first + skipped, text_line(whole, row), column);
    text_release(whole);
    return found;
}

// Line by line: the first line is fitted to what follows the cursor on its line, later lines end
// where the block ends or the suffix begins.
#include "prompt/ending.h"

#include <string.h>

#include "prompt/fit.h"
#include "prompt/indent.h"

// A suggestion longer than this is read by nobody; a suffix further away than that repeats nothing.
enum { MAX_LINES = 12, MAX_BLANK_ROWS = 200 };

static bool is_blank(Str line)
{
    return str_trim(line).len == 0;
}

static bool starts_with_one_of(Str s, const char *set)
{
    return s.len && s.ptr[0] && strchr(set, s.ptr[0]);
}

static bool opens_block(Str line)
{
    Str s = str_trim(line);
    return s.len && s.ptr[s.len - 1] && strchr("{:([", s.ptr[s.len - 1]);
}

// --- what surrounds the cursor -----------------------------------------------------------------

typedef struct Around {
    CutLine cut; // the cursor's line
    Str last;    // the last line before it that is not blank; ptr is NULL if there is none near
    Str next;    // likewise the first after it
    bool opens;  // the line opens a block before the cursor
    int floor;   // lines indented less than this are past the end
    IndentStyle style; // of the text to insert; width: of a level of the answer
} Around;

// Spaces of one level of an answer to a document with tabs: its first indented line tells, since
// its level is known. 0: it does not tell.
static int answer_width(const Around *a, Str answer)
{
    size_t at = str_find(answer, STR("\n"), 0);
    bool opens = a->opens || opens_block(str_slice(answer, 0, at));
    for (size_t end; at < answer.len; at = end) {
        end = str_find(answer, STR("\n"), at + 1);
        Str line = str_slice(answer, at + 1, end), blanks = indent_blanks(line);
        if (is_blank(line)) continue;
        int levels = indent_columns(a->cut.before) / INDENT_TAB_COLUMNS;
        if (opens && !starts_with_one_of(str_trim(line), "})]")) levels++;
        int n = (int)blanks.len;
        bool clear = levels > 0 && n && !memchr(blanks.ptr, '\t', blanks.len) && n % levels == 0;
        return clear && n / levels > 1 && n / levels <= INDENT_TAB_COLUMNS ? n / levels : 0;
    }
    return 0;
}

// The columns of a line of the answer, counted as the document's are.
static int answer_columns(const Around *a, Str line)
{
    Str blanks = indent_blanks(line);
    int columns = 0, run = 0;
    for (size_t i = 0; i < blanks.len; i++) {
        bool tab = blanks.ptr[i] == '\t';
        run = tab ? 0 : run + 1;
        if (!a->style.tabs) {
            columns += tab ? a->style.width : 1;
        } else if (tab || run == a->style.width) {
            columns = (columns / INDENT_TAB_COLUMNS + 1) * INDENT_TAB_COLUMNS;
            run = 0;
        }
    }
    return columns + (a->style.tabs ? run : 0);
}

static Around look_around(const EndingContext *ctx, Str answer)
{
    const TextSnap *text = ctx->text;
    uint32_t row = text_point(text, ctx->byte_off).row, n_lines = text_n_lines(text);
    Str all = text_str(text);
    Around a = {.cut = {.before = str_slice(all, text_line_start(text, row), ctx->byte_off),
                        .rest = str_slice(all, ctx->byte_off, text_line_end(text, row))}};
    for (uint32_t r = row + 1; r < n_lines && r - row < MAX_BLANK_ROWS && !a.next.ptr; r++)
        if (!is_blank(text_line(text, r))) a.next = text_line(text, r);
    for (uint32_t r = row; r > 0 && row - r < MAX_BLANK_ROWS && !a.last.ptr; r--)
        if (!is_blank(text_line(text, r - 1))) a.last = text_line(text, r - 1);
    a.opens = opens_block(a.cut.before);
    a.floor = indent_columns(a.cut.before) + (a.opens ? 1 : 0);
    if (str_find(answer, STR("\n"), 0) == answer.len) return a;
    a.style = indent_detect(text, ctx->lang);
    Str blanks = indent_blanks(a.cut.before);
    if (blanks.len) a.style.tabs = memchr(blanks.ptr, '\t', blanks.len) != NULL;
    int width = a.style.tabs ? answer_width(&a, answer) : 0;
    if (width) a.style.width = width;
    return a;
}

// --- the end of the generation -----------------------------------------------------------------

// Does this line of the answer begin what follows the cursor's line anyway?
static bool meets_suffix(const Around *a, Str line)
{
    return a->next.ptr && answer_columns(a, line) == indent_columns(a->next) &&
           str_equal(str_trim(line), str_trim(a->next));
}

// The same for the answer's first line, which goes on what stands before the cursor.
static bool first_meets_suffix(const Around *a, Str line)
{
    Str before = a->cut.before, next = a->next;
    if (!next.ptr || !is_blank(a->cut.rest)) return false;
    if (is_blank(before))
        return indent_columns(before) + indent_columns(line) == indent_columns(next) &&
               str_equal(str_trim(line), str_trim(next));
    size_t n = before.len;
    return str_starts(next, before) &&
           str_equal(str_trim(line), str_trim(str_slice(next, n, next.len))) && !is_blank(line);
}

// What stands at the indentation of the line that opened the block and belongs to it.
static const struct {
    bool colon;          // the block is opened by one; else by a bracket
    const char *openers; // words that the opening line begins with, parted by blanks
    Str word;
} PARTS[] = {
    {false, "switch select", {"case", 4}},
    {false, "switch select", {"default", 7}},
    {false, "class struct", {"public", 6}},
    {false, "class struct", {"protected", 9}},
    {false, "class struct", {"private", 7}},
    {true, "if elif", {"elif", 4}},
    {true, "if elif for while try except", {"else", 4}},
    {true, "try except", {"except", 6}},
    {true, "try except else", {"finally", 7}},
};

static bool begins_with_word(Str s, Str word)
{
    return str_starts(s, word) && (s.len == word.len || !str_is_word_byte(s.ptr[word.len]));
}

static bool begins_with_word_of(Str s, const char *words)
{
    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        if (begins_with_word(s, (Str){words, n})) return true;
    }
    return false;
}

// `s`, trimmed, is a part of the cursor's line's block; where it is unfinished, may become one.
static bool is_part(const Around *a, Str s, bool finished)
{
    Str before = str_trim(a->cut.before);
    bool colon = str_ends(before, STR(":"));
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        if (PARTS[i].colon != colon || !begins_with_word_of(before, PARTS[i].openers)) continue;
        if (begins_with_word(s, PARTS[i].word)) return true;
        if (!finished && str_starts(PARTS[i].word, s)) return true;
    }
    return false;
}

// At the indentation of the cursor's line, and still within the block that it opens?
static bool stays_in_block(const Around *a, Str line, bool finished, bool *closes)
{
    Str s = str_trim(line);
    *closes = false;
    if (!a->opens || answer_columns(a, line) != indent_columns(a->cut.before)) return false;
    if (is_part(a, s, finished)) return true;
    if (!starts_with_one_of(s, "})]")) return false;
    *closes = !opens_block(s); // "} else {" goes on
    return true;
}

// Is line number i (from 1) of the answer past the end? `last`: it is the last that belongs.
static bool is_past_end(const Around *a, Str line, int i, bool *last)
{
    *last = false;
    if (i >= MAX_LINES || is_blank(line) || meets_suffix(a, line)) return true;
    if (stays_in_block(a, line, true, last)) return false;
    return answer_columns(a, line) < a->floor;
}

// A brace that closes a block stands under deeper lines, or under the brace that it closes.
static bool is_misplaced_brace(const Around *a, Str first)
{
    if (!is_blank(a->cut.before) || !a->last.ptr || !str_starts(str_trim(first), STR("}")))
        return false;
    int last = indent_columns(a->last), here = indent_columns(a->cut.before);
    return last < here || (last == here && here > 0 && !opens_block(a->last));
}

static bool first_line_ends(const EndingContext *ctx, const Around *a, Str line, bool finished)
{
    // A leading line break is kept only where the cursor's line is finished and opens a block.
    if (finished) return !ctx->multi_line || (is_blank(line) && !a->opens);
    return !is_blank(a->cut.rest) && fit_line(a->cut, line).met_rest;
}

// Length of the answer's part that belongs to the hole; `complete`: nothing more can belong.
// `whole`: nothing more will come, so that the last line is finished too.
static size_t measure(const EndingContext *ctx, const Around *a, Str s, bool whole, bool *complete)
{
    size_t end = str_find(s, STR("\n"), 0);
    Str first = str_slice(s, 0, end);
    bool finished = whole || end < s.len;
    *complete = is_misplaced_brace(a, first) || (finished && first_meets_suffix(a, first));
    if (*complete) return 0;
    *complete = first_line_ends(ctx, a, first, finished);
    if (*complete) return end;
    for (int i = 1; end < s.len; i++) {
        size_t next = str_find(s, STR("\n"), end + 1);
        Str line = str_slice(s, end + 1, next);
        bool last;
        finished = next < s.len || (whole && line.len);
        if (!finished) { // judged when it is whole, but a lesser indentation shows at once
            *complete = !is_blank(line) && !stays_in_block(a, line, false, &last) &&
                        answer_columns(a, line) < a->floor;
            return *complete ? end : s.len;
        }
        *complete = is_past_end(a, line, i, &last);
        if (*complete) return end;
        end = next;
        *complete = last;
        if (last) return end;
    }
    return s.len;
}

bool ending_reached(const EndingContext *ctx, Str so_far)
{
    bool complete;
    Around a = look_around(ctx, so_far);
    measure(ctx, &a, so_far, false, &complete);
    return complete;
}

// --- the text to insert ------------------------------------------------------------------------

// Does the line leave a bracket open, or end so that deeper lines follow?
static bool is_open_line(Str line)
{
    int depth = 0;
    for (size_t i = 0; i < line.len; i++) {
        depth += starts_with_one_of(str_slice(line, i, i + 1), "([{");
        if (depth > 0) depth -= starts_with_one_of(str_slice(line, i, i + 1), ")]}");
    }
    Str s = str_trim(line);
    return depth > 0 || (s.len && starts_with_one_of(str_slice(s, s.len - 1, s.len), ":\\=+-*|&?"));
}

// A model that sees the cursor after the indentation writes it again at times. It is a repetition
// where nothing can be deeper than the cursor: after a line that is complete at the cursor's
// indentation, or in a block where the cursor is deeper already than the line that opens it.
static Str drop_indentation(const Around *a, Str first)
{
    Str blanks = indent_blanks(first), text = str_trim(first), before = a->cut.before;
    if (blanks.len == 0 || before.len == 0 || !is_blank(before) || !a->last.ptr) return first;
    int last = indent_columns(a->last), here = indent_columns(before);
    bool continues = starts_with_one_of(text, ".?:&|+") || str_starts(str_trim(a->last), STR("- "));
    bool open = is_open_line(a->last);
    bool repeated = open ? opens_block(a->last) && last < here : last == here && !continues;
    return repeated ? str_slice(first, blanks.len, first.len) : first;
}

static void append_lines(StrBuf *out, const IndentStyle *style, Str later)
{
    while (later.len) { // begins with a line break
        size_t next = str_find(later, STR("\n"), 1);
        Str line = str_slice(later, 1, next);
        while (line.len && strchr(" \t\r", line.ptr[line.len - 1]))
            line.len--;
        strbuf_append(out, style->crlf ? STR("\r\n") : STR("\n"));
        indent_append_line(out, style, line);
        later = str_slice(later, next, later.len);
    }
}

static void trim_end(StrBuf *buf)
{
    while (buf->len && strchr(" \t\r\n", buf->ptr[buf->len - 1]))
        buf->len--;
}

// The first line; later lines cannot follow it, because the rest does.
static void build_line(const Around *a, Str first, StrBuf *out, size_t *n_replaced)
{
    Fit fit = fit_line(a->cut, first);
    strbuf_append(out, fit.insert);
    *n_replaced = fit.n_replaced;
}

static void build_block(const Around *a, Str first, Str later, StrBuf *out, size_t *n_replaced)
{
    Str whole = {first.ptr, first.len + later.len};
    if (!fit_only_closers(a->cut.rest)) { // it goes on after the closer, so that one stays
        whole = str_slice(whole, 0, fit_first_closer(a->cut, whole));
        later = str_slice(whole, first.len, whole.len);
    }
    *n_replaced = fit_doubled(a->cut, whole);
    while (first.len && strchr(" \t\r", first.ptr[first.len - 1]))
        first.len--;
    strbuf_append(out, first);
    append_lines(out, &a->style, later);
    trim_end(out);
    if (*n_replaced || is_blank(a->cut.rest)) return;
    strbuf_append(out, a->style.crlf ? STR("\r\n") : STR("\n")); // the closer gets its own line
    strbuf_append(out, indent_blanks(a->cut.before));
}

// More lines cannot stand before the rest of a line, unless it closes what they are in.
static bool takes_lines(const Around *a, Str first)
{
    if (is_blank(a->cut.rest)) return true;
    if (!a->opens) return false;
    if (fit_only_closers(a->cut.rest)) return true;
    return starts_with_one_of(str_trim(a->cut.rest), ")]}") &&
           fit_first_closer(a->cut, first) == first.len;
}

Ending ending_trim(const EndingContext *ctx, Str generated, Arena *arena)
{
    Around a = look_around(ctx, generated);
    Ending out = {.replace = {ctx->byte_off, ctx->byte_off}};
    bool complete;
    Str s = str_slice(generated, 0, measure(ctx, &a, generated, true, &complete));
    size_t first_end = str_find(s, STR("\n"), 0), n_replaced = 0;
    Str first = drop_indentation(&a, str_slice(s, 0, first_end));
    Str later = str_slice(s, first_end, s.len);

    StrBuf text = {0};
    if (!is_blank(later) && takes_lines(&a, first))
        build_block(&a, first, later, &text, &n_replaced);
    else
        build_line(&a, first, &text, &n_replaced);
    if (is_blank(a.cut.rest)) trim_end(&text);
    if (str_trim(strbuf_str(&text)).len) {
        out.insert = arena_str(arena, strbuf_str(&text));
        out.replace.end += n_replaced;
    }
    strbuf_deinit(&text);
    return out;
}

// Errors that begin and end within the inserted text: those are its own whatever the document was
// like before. (A missing token at the very end may be one that the user types next.)
static bool has_own_error(const Syntax *syntax, ByteRange range)
{
    TSTreeCursor cursor = ts_tree_cursor_new(syntax_root(syntax));
    bool found = false, more = true, down = true;
    while (more && !found) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        ByteRange r = syntax_range(node);
        bool wrong = ts_node_is_error(node) || ts_node_is_missing(node);
        found =
            down && wrong && r.start >= range.start && r.end <= range.end && r.start < range.end;
        bool enter = r.start < range.end && r.end >= range.start && ts_node_has_error(node);
        if (down && enter && ts_tree_cursor_goto_first_child(&cursor)) continue;
        down = ts_tree_cursor_goto_next_sibling(&cursor);
        if (!down) more = ts_tree_cursor_goto_parent(&cursor);
    }
    ts_tree_cursor_delete(&cursor);
    return found;
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
    ByteRange own = {ending->replace.start, ending->replace.start + ending->insert.len};
    bool worse = new && (syntax_error_count(new, all) > syntax_error_count(old, all) ||
                         has_own_error(new, own));
    syntax_release(old);
    syntax_release(new);
    text_release(after);
    return worse;
}

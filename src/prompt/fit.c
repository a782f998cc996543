// Brackets and quotes decide. An editor has often closed what the user opened, and a model closes
// it once more: such a closer is unmatched in the generated text and stands in the rest too. A
// closer that matches an opener of the generated text is its own, however much it looks like the
// rest: "foo(x)" before ")" stays whole.
#include "prompt/fit.h"

#include <string.h>

enum { MAX_DEPTH = 64, MAX_CLOSERS = 16 };

// What a scan of text from a given quote state finds.
typedef struct Scan {
    char quote; // the string that is open at the end, or 0
    char open[MAX_DEPTH];
    size_t depth;
    char closers[MAX_CLOSERS];     // that nothing in the text opened, quotes included
    size_t closer_at[MAX_CLOSERS]; // their offsets
    size_t n_closers;
} Scan;

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static char opener_of(char closer)
{
    return closer == ')' ? '(' : closer == ']' ? '[' : '{';
}

static void note_closer(Scan *scan, char c, size_t at)
{
    if (scan->n_closers == MAX_CLOSERS) return;
    scan->closers[scan->n_closers] = c;
    scan->closer_at[scan->n_closers++] = at;
}

static void take_bracket(Scan *scan, char c, size_t at)
{
    if (is_one_of(c, "([{") && scan->depth < MAX_DEPTH)
        scan->open[scan->depth++] = c;
    else if (is_one_of(c, ")]}") && scan->depth && scan->open[scan->depth - 1] == opener_of(c))
        scan->depth--;
    else if (is_one_of(c, ")]}"))
        note_closer(scan, c, at);
}

// `&'a str`, `<'a>`: a name that no apostrophe ends.
static bool is_lifetime(Str s, size_t at)
{
    size_t end = at + 1;
    while (end < s.len && is_word_char(s.ptr[end]))
        end++;
    bool ended = end < s.len && s.ptr[end] == '\'';
    return at > 0 && is_one_of(s.ptr[at - 1], "&<") && end > at + 1 && !ended;
}

// Does the quote at s.ptr[at] open a string? An apostrophe that nothing closes is one of a comment
// or of a Rust lifetime.
static bool opens_string(Str s, size_t at)
{
    if (!is_one_of(s.ptr[at], "\"'`")) return false;
    if (s.ptr[at] == '\'' && is_lifetime(s, at)) return false;
    return s.ptr[at] != '\'' || str_find(s, STR("'"), at + 1) < s.len;
}

// Scans the first n bytes of s. quote: the string that is open where s begins, or 0.
static Scan scan_text(Str s, size_t n, char quote)
{
    Scan scan = {.quote = quote};
    bool outer = quote != 0; // the open string is not of s
    for (size_t i = 0; i < n; i++) {
        char c = s.ptr[i];
        if (scan.quote && c == '\\') {
            i++;
        } else if (scan.quote && c == scan.quote) {
            if (outer) note_closer(&scan, c, i);
            outer = false;
            scan.quote = 0;
        } else if (!scan.quote && opens_string(s, i)) {
            scan.quote = c;
        } else if (!scan.quote) {
            take_bracket(&scan, c, i);
        }
    }
    return scan;
}

// The string that is open at the cursor. An apostrophe of a comment or of a Rust lifetime opens
// none; it is told by the rest, which does not close it.
static char quote_at_cursor(CutLine cut)
{
    Str line = {cut.before.ptr, cut.before.len + cut.rest.len};
    char quote = scan_text(line, cut.before.len, 0).quote;
    char needle[1] = {quote};
    bool closed = quote && str_find(cut.rest, (Str){needle, 1}, 0) < cut.rest.len;
    return closed ? quote : 0;
}

bool fit_only_closers(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_one_of(s.ptr[i], ")]};,:'\"` \t\r>")) return false;
    return true;
}

static size_t skip_blanks(Str s, size_t at)
{
    while (at < s.len && is_one_of(s.ptr[at], " \t\r"))
        at++;
    return at;
}

// How far the unmatched closers of scan run along the rest.
static size_t match_closers(const Scan *scan, Str rest)
{
    size_t end = 0;
    for (size_t i = 0; i < scan->n_closers; i++) {
        size_t at = skip_blanks(rest, end);
        if (at == rest.len || rest.ptr[at] != scan->closers[i]) break;
        end = at + 1;
    }
    return end;
}

size_t fit_first_closer(CutLine cut, Str generated)
{
    Scan scan = scan_text(generated, generated.len, quote_at_cursor(cut));
    return scan.n_closers ? scan.closer_at[0] : generated.len;
}

size_t fit_doubled(CutLine cut, Str generated)
{
    Scan scan = scan_text(generated, generated.len, quote_at_cursor(cut));
    size_t end = match_closers(&scan, cut.rest);
    if (end == 0 || !fit_only_closers(cut.rest)) return 0;
    // What the text has after its last closer the rest may have too: ");" before ");".
    Str tail = str_trim(generated);
    while (end < cut.rest.len && is_one_of(cut.rest.ptr[end], ";,") &&
           cut.rest.ptr[end] == tail.ptr[tail.len - 1])
        end++;
    return end;
}

// Does s leave an angle bracket open, as of type arguments?
static bool leaves_angle_open(Str s)
{
    int depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool arrow = i > 0 && is_one_of(s.ptr[i - 1], "-=");
        if (s.ptr[i] == '<') depth++;
        if (s.ptr[i] == '>' && !arrow && depth > 0) depth--;
    }
    return depth > 0;
}

// May line be cut to its first n bytes? Not within a word, and not so that something the kept part
// opens would be closed by the rest in its place.
static bool may_cut(Str line, size_t n, char quote)
{
    if (n > 0 && is_word_char(line.ptr[n - 1]) && is_word_char(line.ptr[n])) return false;
    if (line.ptr[n] == '>' && !quote && leaves_angle_open(str_slice(line, 0, n))) return false;
    Scan kept = scan_text(line, n, quote);
    return kept.depth == 0 && kept.quote == quote && kept.n_closers == 0;
}

// The longest end of line that is a beginning of rest and may be left to it.
static size_t find_overlap(Str line, Str rest, char quote)
{
    size_t most = line.len < rest.len ? line.len : rest.len;
    for (size_t n = most; n > 0; n--) {
        size_t at = line.len - n;
        if (memcmp(line.ptr + at, rest.ptr, n) == 0 && may_cut(line, at, quote)) return n;
    }
    return 0;
}

static Str trim_right(Str s)
{
    while (s.len && is_one_of(s.ptr[s.len - 1], " \t\r"))
        s.len--;
    return s;
}

// Without a separator that the rest brings: "foo(x);" before ");" or before ")".
static Str drop_separator(Str line, Str tail)
{
    bool doubled = is_one_of(tail.ptr[0], ")],;") && is_one_of(line.ptr[line.len - 1], ";,") &&
                   fit_only_closers(tail);
    return doubled ? str_slice(line, 0, line.len - 1) : line;
}

Fit fit_line(CutLine cut, Str line)
{
    Str tail = str_trim(cut.rest);
    line = trim_right(line);
    Fit fit = {.insert = line};
    if (tail.len == 0 || line.len == 0) return fit;

    char quote = quote_at_cursor(cut);
    bool spaced = is_one_of(cut.rest.ptr[0], " \t");
    size_t overlap = find_overlap(line, tail, quote);
    if (overlap) {
        fit.insert = str_slice(line, 0, line.len - overlap);
        if (spaced) fit.insert = trim_right(fit.insert);
        // After a closer that an editor put there the line may go on: ") {", "); // why".
        fit.met_rest =
            overlap == tail.len && (!fit_only_closers(tail) || tail.ptr[tail.len - 1] == ';');
        return fit;
    }
    Scan scan = scan_text(line, line.len, quote);
    size_t end = match_closers(&scan, cut.rest);
    if (end == 0) {
        fit.insert = drop_separator(line, tail);
    } else if (fit_only_closers(cut.rest)) {
        fit.n_replaced = fit_doubled(cut, line);
    } else { // the rest goes on: what the line has after the closer cannot stand before it
        fit.insert = str_slice(line, 0, scan.closer_at[0]);
        fit.met_rest = true;
    }
    return fit;
}

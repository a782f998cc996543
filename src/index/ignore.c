// Matching gives up early: when a star has run to the end of the text, an earlier star cannot help
// either, so that a hostile pattern costs a polynomial and not an exponential number of steps.
#include "index/ignore.h"

#include <ctype.h>
#include <string.h>

#include "base/vec.h"

typedef struct Pattern {
    Str glob;
    bool negated, folders_only, anchored; // anchored: compared with the whole path
} Pattern;

struct IgnoreRules {
    Pattern *patterns;
    size_t n;
};

// --- globs

typedef enum Match {
    MATCH_YES,
    MATCH_NO,
    MATCH_NEVER,       // not with more text for any star before
    MATCH_UNTIL_SLASH, // not for a star that stops at '/', but for one that does not
} Match;

static bool is_in_named_class(Str name, unsigned char c)
{
    static const struct {
        const char *name;
        int (*test)(int);
    } classes[] = {{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank},
                   {"cntrl", iscntrl}, {"digit", isdigit}, {"graph", isgraph},
                   {"lower", islower}, {"print", isprint}, {"punct", ispunct},
                   {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (str_equal(name, str_from(classes[i].name))) return classes[i].test(c) != 0;
    return false;
}

// The byte at *at, unescaped; *at moves to its last byte.
static unsigned char take_byte(Str glob, size_t *at)
{
    if (glob.ptr[*at] == '\\' && *at + 1 < glob.len) (*at)++;
    return (unsigned char)glob.ptr[*at];
}

// Whether c is in the bracket expression whose '[' is at *at; *at moves behind its ']'.
static Match match_class(Str glob, size_t *at, unsigned char c)
{
    size_t i = *at + 1;
    bool negated = i < glob.len && (glob.ptr[i] == '!' || glob.ptr[i] == '^'), found = false;
    if (negated) i++;
    for (size_t first = i; i < glob.len && (glob.ptr[i] != ']' || i == first); i++) {
        if (glob.ptr[i] == '[' && i + 1 < glob.len && glob.ptr[i + 1] == ':') {
            size_t end = str_find(glob, STR("]"), i + 2);
            if (end < glob.len && end > i + 2 && glob.ptr[end - 1] == ':') {
                found |= is_in_named_class(str_slice(glob, i + 2, end - 1), c);
                i = end;
                continue;
            }
        }
        unsigned char low = take_byte(glob, &i), high = low;
        if (i + 2 < glob.len && glob.ptr[i + 1] == '-' && glob.ptr[i + 2] != ']') {
            i += 2;
            high = take_byte(glob, &i);
        }
        found |= c >= low && c <= high;
    }
    if (i >= glob.len) return MATCH_NEVER; // not closed
    *at = i + 1;
    return found != negated && c != '/' ? MATCH_YES : MATCH_NO;
}

static Match match_glob(Str glob, size_t g, Str text, size_t t);

// The star at g. "**" between slashes, or at an end, goes over folders.
static Match match_star(Str glob, size_t g, Str text, size_t t)
{
    size_t after = g;
    while (after < glob.len && glob.ptr[after] == '*')
        after++;
    bool starts = g == 0 || glob.ptr[g - 1] == '/';
    bool ends = after == glob.len || glob.ptr[after] == '/';
    bool deep = after - g > 1 && starts && ends;
    if (deep && after < glob.len && match_glob(glob, after + 1, text, t) == MATCH_YES)
        return MATCH_YES; // "**/" is no folder at all
    if (after == glob.len) {
        if (deep || !memchr(text.ptr + t, '/', text.len - t)) return MATCH_YES;
        return MATCH_UNTIL_SLASH;
    }
    for (; t < text.len; t++) {
        Match rest = match_glob(glob, after, text, t);
        if (rest != MATCH_NO && (!deep || rest != MATCH_UNTIL_SLASH)) return rest;
        if (!deep && text.ptr[t] == '/') return MATCH_UNTIL_SLASH;
    }
    return MATCH_NEVER;
}

static Match match_glob(Str glob, size_t g, Str text, size_t t)
{
    while (g < glob.len) {
        char c = glob.ptr[g];
        if (c == '*') return match_star(glob, g, text, t);
        if (t >= text.len) return MATCH_NEVER;
        if (c == '[') {
            Match in = match_class(glob, &g, (unsigned char)text.ptr[t++]);
            if (in != MATCH_YES) return in;
            continue;
        }
        if (c == '?') {
            if (text.ptr[t] == '/') return MATCH_NO;
        } else {
            if (c == '\\' && ++g >= glob.len) return MATCH_NEVER;
            if (glob.ptr[g] != text.ptr[t]) return MATCH_NO;
        }
        g++;
        t++;
    }
    return t == text.len ? MATCH_YES : MATCH_NO;
}

// --- lists

// Blanks at the end count only behind a backslash.
static Str cut_blanks(Str line)
{
    size_t blanks = line.len;
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == ' ') {
            if (blanks == line.len) blanks = i;
            continue;
        }
        blanks = line.len;
        if (line.ptr[i] == '\\' && ++i >= line.len) return line;
    }
    return str_slice(line, 0, blanks);
}

static bool parse_line(Str line, Pattern *out)
{
    if (str_ends(line, STR("\r"))) line.len--;
    if (line.len == 0 || line.ptr[0] == '#') return false;
    line = cut_blanks(line);
    *out = (Pattern){.negated = str_starts(line, STR("!"))};
    if (out->negated) line = str_slice(line, 1, line.len);
    out->folders_only = str_ends(line, STR("/"));
    if (out->folders_only) line.len--;
    out->anchored = str_find(line, STR("/"), 0) < line.len;
    if (str_starts(line, STR("/"))) line = str_slice(line, 1, line.len);
    out->glob = line;
    return line.len > 0;
}

const IgnoreRules *ignore_parse(Str text, Arena *arena)
{
    VEC(Pattern) patterns = {0};
    if (str_starts(text, STR("\xEF\xBB\xBF"))) text = str_slice(text, 3, text.len);
    text = arena_str(arena, text);
    while (text.len) {
        Pattern pattern;
        size_t end = str_find(text, STR("\n"), 0);
        if (parse_line(str_slice(text, 0, end), &pattern)) VEC_PUSH(&patterns, pattern);
        text = str_slice(text, end + 1, text.len);
    }
    IgnoreRules *rules = arena_alloc(arena, sizeof *rules);
    rules->n = patterns.n;
    rules->patterns = arena_array(arena, patterns.n, sizeof *rules->patterns);
    if (patterns.n) memcpy(rules->patterns, patterns.items, patterns.n * sizeof *patterns.items);
    VEC_FREE(&patterns);
    return rules;
}

// As git does it, the letters before the first wildcard are compared apart, so that "a**/" has its
// stars at the start of what is left.
static bool matches_path(Str glob, Str path)
{
    size_t n = 0;
    while (n < glob.len && !strchr("*?[\\", glob.ptr[n]))
        n++;
    if (!str_starts(path, str_slice(glob, 0, n))) return false;
    path = str_slice(path, n, path.len);
    return match_glob(str_slice(glob, n, glob.len), 0, path, 0) == MATCH_YES;
}

IgnoreVerdict ignore_match(const IgnoreRules *rules, Str path, bool is_folder)
{
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/')
        slash--;
    Str name = str_slice(path, slash, path.len);
    for (size_t i = rules->n; i > 0; i--) {
        const Pattern *p = &rules->patterns[i - 1];
        if (p->folders_only && !is_folder) continue;
        bool matches = p->anchored ? matches_path(p->glob, path)
                                   : match_glob(p->glob, 0, name, 0) == MATCH_YES;
        if (matches) return p->negated ? IGNORE_INCLUDED : IGNORE_EXCLUDED;
    }
    return IGNORE_SILENT;
}

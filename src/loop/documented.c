// A call is what stands between the function's name and the bracket that closes; a value is one
// literal behind a word or a sign that says so. Anything else is prose.
#include "loop/documented.h"

#include <ctype.h>
#include <string.h>

#include "base/vec.h"
#include "loop/probe.h"

extern const char documented_python_start[], documented_c_start[];

enum { MAX_EXAMPLES = 12, MAX_CALL_BYTES = 300, ROOM_BYTES = 256 };

typedef struct Reader {
    const TextSnap *text;
    Str all, name; // all: the document up to the comment's end
    bool python;
    VEC(DocExample) found;
} Reader;

// --- literals ------------------------------------------------------------------------------------

static size_t line_end(Str s, size_t at)
{
    return str_find(s, STR("\n"), at);
}

static size_t skip_blanks(Str s, size_t at)
{
    while (at < s.len && strchr(" \t`", s.ptr[at]))
        at++;
    return at;
}

// Behind the quote that closes the one at `at`; 0: none does in this line.
static size_t skip_string(Str s, size_t at)
{
    char quote = s.ptr[at++];
    for (bool escaped = false; at < s.len && s.ptr[at] != '\n'; at++) {
        if (s.ptr[at] == quote && !escaped) return at + 1;
        escaped = s.ptr[at] == '\\' && !escaped;
    }
    return 0;
}

// A word that stands for a value of the language.
static bool is_value(const Reader *r, Str word)
{
    static const char *const python[] = {"True", "False", "None", NULL};
    static const char *const c[] = {"NULL",     "true",     "false",    "INT_MAX",  "INT_MIN",
                                    "LONG_MAX", "LONG_MIN", "UINT_MAX", "SIZE_MAX", NULL};
    for (const char *const *w = r->python ? python : c; *w; w++)
        if (str_equal(word, str_from(*w))) return true;
    return false;
}

static size_t word_end(Str s, size_t at)
{
    while (at < s.len && str_is_word_byte(s.ptr[at]))
        at++;
    return at;
}

// Behind those of s[at...] that are in the set.
static size_t skip_set(Str s, size_t at, const char *set)
{
    while (at < s.len && s.ptr[at] && strchr(set, s.ptr[at]))
        at++;
    return at;
}

// Behind the number at `at`, which begins with a digit; 0: it is none, as "2nd". A point at its end
// is the sentence's.
static size_t skip_number(Str s, size_t at)
{
    static const char digits[] = "0123456789_", hex[] = "0123456789abcdefABCDEF_";
    Str rest = str_slice(s, at, s.len);
    bool prefix = str_starts(rest, STR("0x")) || str_starts(rest, STR("0X")) ||
                  str_starts(rest, STR("0b")) || str_starts(rest, STR("0o"));
    if (prefix) {
        at = skip_set(s, at + 2, hex);
    } else {
        at = skip_set(s, at, digits);
        if (at + 1 < s.len && s.ptr[at] == '.' && isdigit((unsigned char)s.ptr[at + 1]))
            at = skip_set(s, at + 1, digits);
        if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
            size_t sign = at + 1 < s.len && (s.ptr[at + 1] == '-' || s.ptr[at + 1] == '+');
            at = skip_set(s, at + 1 + sign, digits);
        }
    }
    at = skip_set(s, at, "uUlLfFjJ");
    bool goes_on = at < s.len && str_is_word_byte(s.ptr[at]);
    bool decimals = at + 1 < s.len && s.ptr[at] == '.' && isdigit((unsigned char)s.ptr[at + 1]);
    return goes_on || decimals ? 0 : at;
}

// Behind what opens at `at` and holds literals only; 0: it does not close in this line, or holds
// something else.
static size_t skip_brackets(const Reader *r, size_t at)
{
    int depth = 0;
    Str s = r->all;
    while (at < s.len && s.ptr[at] != '\n') {
        char c = s.ptr[at];
        if (strchr(r->python ? "([{" : "(", c)) {
            depth++;
            at++;
        } else if (strchr(")]}", c)) {
            at++;
            if (--depth == 0) return at;
        } else if (c == '"' || c == '\'') {
            if (!(at = skip_string(s, at))) return 0;
        } else if (isdigit((unsigned char)c)) {
            if (!(at = skip_number(s, at))) return 0;
        } else if (str_is_word_byte(c)) {
            size_t end = word_end(s, at);
            bool names = r->python && end < s.len && s.ptr[end] == '=';
            if (!names && !is_value(r, str_slice(s, at, end))) return 0;
            at = end;
        } else if (strchr(" ,+-.:=", c)) {
            at++;
        } else {
            return 0;
        }
    }
    return 0;
}

// Behind the literal at `at`; 0: there is none.
static size_t skip_literal(const Reader *r, size_t at)
{
    Str s = r->all;
    if (at >= s.len) return 0;
    char c = s.ptr[at];
    if (c == '"' || c == '\'') return skip_string(s, at);
    if (r->python && strchr("([{", c)) return skip_brackets(r, at);
    if (c == '-' && at + 1 < s.len) c = s.ptr[++at];
    if (isdigit((unsigned char)c)) return skip_number(s, at);
    size_t end = word_end(s, at);
    return is_value(r, str_slice(s, at, end)) ? end : 0;
}

// Is what begins at `at` the rest of an expression, of which the literal was a part, or does it say
// that the value is another one at times?
static bool goes_on(Str s, size_t at)
{
    static const char *const words[] = {"or",   "if",   "unless", "when",
                                        "else", "more", "less",   "times"};
    at = skip_blanks(s, at);
    Str word = str_slice(s, at, word_end(s, at));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_equal(word, str_from(words[i]))) return true;
    return at < s.len &&
           (strchr("+-*/%<>=&|^?[(", s.ptr[at]) || str_starts(str_slice(s, at, s.len), STR("..")));
}

// --- examples ------------------------------------------------------------------------------------

// Behind the words that lead to a value; 0: there are none.
static size_t skip_link(Str s, size_t at)
{
    static const char *const links[] = {"===",
                                        "==",
                                        "=>",
                                        "->",
                                        "\xe2\x9e\x9e",
                                        "\xe2\x86\x92",
                                        "should return",
                                        "should be",
                                        "will return",
                                        "must be",
                                        "must return",
                                        "evaluates to",
                                        "returns",
                                        "return",
                                        "gives",
                                        "yields",
                                        "equals",
                                        "is",
                                        "=",
                                        ":"};
    at = skip_blanks(s, at);
    Str rest = str_slice(s, at, s.len);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        Str link = str_from(links[i]);
        if (!str_starts(rest, link)) continue;
        bool word = isalpha((unsigned char)link.ptr[0]);
        if (word && link.len < rest.len && str_is_word_byte(rest.ptr[link.len])) continue;
        return skip_blanks(s, at + link.len);
    }
    return 0;
}

static void put_example(Reader *r, size_t at, Str call, Str wanted)
{
    // What stands in a text as "\n" is another thing in each kind of comment.
    bool escapes = r->python && (str_contains(call, "\\") || str_contains(wanted, "\\"));
    bool fits = call.len <= MAX_CALL_BYTES && wanted.len <= MAX_CALL_BYTES;
    bool tabs = str_contains(call, "\t") || str_contains(wanted, "\t");
    if (escapes || tabs || !fits || r->found.n == MAX_EXAMPLES) return;
    DocExample e = {call, wanted, text_point(r->text, at).row};
    VEC_PUSH(&r->found, e);
}

// Where it begins, a value of several lines is not understood, nor what stands for no value.
static bool is_wanted(Str line, Str next)
{
    static const char *const others[] = {">>>", "...", "Traceback"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_starts(line, str_from(others[i]))) return false;
    bool quotes = str_contains(line, "\"\"\"") || str_contains(line, "'''");
    bool last = next.len == 0 || str_starts(next, STR(">>>")) || str_starts(next, STR("\"\"\"")) ||
                str_starts(next, STR("'''"));
    return line.len > 0 && last && !quotes;
}

// ">>> f(3)" and the line below. Behind both; 0: it is no such example.
static size_t read_prompt(Reader *r, size_t at)
{
    Str s = r->all;
    size_t start = at, end = line_end(s, at);
    while (start > 0 && s.ptr[start - 1] != '\n')
        start--;
    Str line = str_trim(str_slice(s, start, end));
    if (!r->python || !str_starts(line, STR(">>>")) || end >= s.len) return 0;
    size_t next_end = line_end(s, end + 1);
    Str wanted = str_trim(str_slice(s, end + 1, next_end));
    Str next = str_trim(str_slice(s, next_end + 1, line_end(s, next_end + 1)));
    if (!is_wanted(wanted, next)) return end;
    put_example(r, at, str_trim(str_slice(line, 3, line.len)), wanted);
    return next_end;
}

// The call whose name stands at `at`. Behind what was read.
static size_t read_call(Reader *r, size_t at)
{
    Str s = r->all;
    size_t open = at + r->name.len, behind = read_prompt(r, at);
    if (behind) return behind;
    bool whole = at == 0 || (!str_is_word_byte(s.ptr[at - 1]) && s.ptr[at - 1] != '.');
    size_t end = whole && open < s.len && s.ptr[open] == '(' ? skip_brackets(r, open) : 0;
    size_t value = end ? skip_link(s, end) : 0;
    size_t value_end = value ? skip_literal(r, value) : 0;
    if (!value_end || goes_on(s, value_end)) return open;
    put_example(r, at, str_slice(s, at, end), str_slice(s, value, value_end));
    return value_end;
}

static bool is_top_level(const TextSnap *text, size_t at)
{
    return text_line_start(text, text_point(text, at).row) == at;
}

size_t documented_find(const Syntax *syntax, const SyntaxFunction *function, Arena *arena,
                       DocExample **out)
{
    const TextSnap *text = syntax_text(syntax);
    const char *lang = syntax_language(syntax)->id;
    Reader r = {.text = text,
                .all = str_slice(text_str(text), 0, function->comment.end),
                .name = function->name,
                .python = strcmp(lang, "python") == 0};
    bool known = r.python || strcmp(lang, "c") == 0;
    bool usable = known && r.name.len && is_top_level(text, function->whole.start);
    for (size_t at = function->comment.start; usable && at < r.all.len;) {
        at = str_find(r.all, r.name, at);
        if (at < r.all.len) at = read_call(&r, at);
    }
    size_t n = r.found.n;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) memcpy(*out, r.found.items, n * sizeof **out);
    VEC_FREE(&r.found);
    return n;
}

// --- the command ---------------------------------------------------------------------------------

static void put_python(StrBuf *out, Str path, const DocExample *examples, size_t n)
{
    strbuf_append(out, str_from(documented_python_start));
    strbuf_append(out, STR("check("));
    probe_put_json_string(out, path);
    strbuf_append(out, STR(", [\n"));
    for (size_t i = 0; i < n; i++) {
        strbuf_printf(out, "    (%u, ", examples[i].row + 1);
        probe_put_json_string(out, examples[i].call);
        strbuf_append(out, STR(", "));
        probe_put_json_string(out, examples[i].wanted);
        strbuf_append(out, STR("),\n"));
    }
    strbuf_append(out, STR("])\n"));
}

// A text that is given may be written to.
static void put_c_call(StrBuf *out, Str call)
{
    for (size_t at = 0; at < call.len;) {
        bool text = call.ptr[at] == '"';
        size_t end = text || call.ptr[at] == '\'' ? skip_string(call, at) : at + 1;
        if (end == 0) end = call.len;
        Str part = str_slice(call, at, end);
        if (text && part.len < ROOM_BYTES)
            strbuf_printf(out, "(char[%d]){%.*s}", ROOM_BYTES, STR_FMT(part));
        else
            strbuf_append(out, part);
        at = end;
    }
}

static void put_c(StrBuf *out, Str path, const DocExample *examples, size_t n)
{
    strbuf_append(out, str_from(documented_c_start));
    strbuf_printf(out, "#define main r1ls_main\n#include \"%.*s\"\n#undef main\n",
                  STR_FMT(str_base_name(path)));
    strbuf_append(out, STR("int main(void)\n{\n"));
    for (size_t i = 0; i < n; i++) {
        const DocExample *e = &examples[i];
        strbuf_printf(out, "    if (r1ls_begin(\"%.*s\", %u, ", STR_FMT(path), e->row + 1);
        probe_put_json_string(out, e->call);
        strbuf_append(out, STR(", "));
        probe_put_json_string(out, e->wanted);
        strbuf_append(out, STR("))\n        R1LS_CHECK("));
        put_c_call(out, e->call);
        strbuf_printf(out, ", %.*s);\n", STR_FMT(e->wanted));
    }
    strbuf_append(out, STR("    return r1ls_n_failed != 0;\n}\n"));
}

Str documented_command(const Syntax *syntax, Str path, const SyntaxFunction *function,
                       const DocExample *examples, size_t n, Arena *arena)
{
    bool python = strcmp(syntax_language(syntax)->id, "python") == 0;
    StrBuf out = {0};
    // Such a path is nobody's, and would have to be quoted in three languages.
    for (size_t i = 0; i < path.len; i++)
        if (strchr("'\"\\\n$`", path.ptr[i])) n = 0;
    if (n == 0) return STR("");
    Str folder = str_slice(path, 0, path.len - str_base_name(path).len);
    const char *file = python ? ".r1ls-examples.py" : ".r1ls-examples.c";
    strbuf_printf(&out, "# the examples in the comment of %.*s\n", STR_FMT(function->name));
    strbuf_printf(&out, "cat > '%.*s%s' <<'R1LS'\n", STR_FMT(folder), file);
    if (python)
        put_python(&out, path, examples, n);
    else
        put_c(&out, path, examples, n);
    strbuf_append(&out, STR("R1LS\n"));
    if (python)
        strbuf_printf(&out, "python3 -B '%.*s%s'", STR_FMT(folder), file);
    else
        strbuf_printf(&out, "cc -w -g -o .r1ls-examples '%.*s%s' -lm && ./.r1ls-examples",
                      STR_FMT(folder), file);
    Str command = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return command;
}

// One pass over the tokens. A block at the top of the file is cut when it follows `)` or `=`, and
// holds no directive and nothing that could be a definition: no typedef, no struct, union or enum
// with a body, no declaration of a function.
//
//   static int f(int a) { return g(a) + 1; }      struct s { int a; };      int t[] = {1, 2};
//   static int f(int a) {}                        struct s { int a; };      int t[] = {};
//
// The scanner follows tree-sitter's grammar of C in what a token is, not the standard where the
// two differ, because the outline has to say to the parser what the whole text says.
#include "index/outline.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum { MAX_DEPTH = 200, MAX_BRANCHES = 64, MIN_CUT_BYTES = 16 };
// The parser looks through all of them for each token: more cost what they save.
enum { MAX_CUTS = 8000 };

static const size_t NOT_WORDS = SIZE_MAX;

// What a token is; one of punctuation is its own character.
enum { TOKEN_END = 256, TOKEN_WORD, TOKEN_NUMBER, TOKEN_STRING, TOKEN_DIRECTIVE };

typedef struct Scanner {
    Str text;
    size_t at;
    bool unclear, is_line_start;
    // The token.
    int kind;
    Str word;
    size_t start;
    // What is open.
    size_t depth, n_branches;
    char closers[MAX_DEPTH];
    size_t branches[MAX_BRANCHES]; // depth at each open #if
    // What stands before the token in its statement.
    int last;
    size_t n_words;      // in a row, with stars between; NOT_WORDS: something else stands there
    size_t words_after;  // n_words behind the parentheses that are open
    bool is_declaration; // two words have begun it
    bool is_control;     // the last word is `if` or the like
    bool may_be_tag;     // struct, and neither a declarator nor a body yet
    bool is_odd_head;    // whatever block follows, it is left alone
    // The block at the top of the file that the token is in.
    size_t block;
    bool is_cuttable;
    VEC(ByteRange) cuts;
} Scanner;

// --- tokens

static char peek(const Scanner *s, size_t at)
{
    return at < s->text.len ? s->text.ptr[at] : '\0';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// at is behind a backslash: the place behind the line's end, or at itself.
static size_t skip_line_end(const Scanner *s, size_t at)
{
    if (peek(s, at) == '\r' && peek(s, at + 1) == '\n') return at + 2;
    return peek(s, at) == '\n' ? at + 1 : at;
}

// From behind the opening to behind the end.
static size_t skip_block_comment(Scanner *s, size_t at)
{
    size_t end = str_find(s->text, STR("*/"), at);
    if (end < s->text.len) return end + 2;
    s->unclear = true;
    return s->text.len;
}

static size_t skip_line_comment(const Scanner *s, size_t at)
{
    for (; at < s->text.len && s->text.ptr[at] != '\n'; at++) {
        if (s->text.ptr[at] != '\\') continue;
        while (peek(s, at + 1) == '\\')
            at++;
        size_t next = skip_line_end(s, at + 1);
        if (next > at + 1) at = next - 1;
    }
    return at;
}

// The place behind the closing quote, or SIZE_MAX: not on this logical line.
static size_t skip_quoted(const Scanner *s, size_t at)
{
    char quote = s->text.ptr[at++];
    for (; at < s->text.len && s->text.ptr[at] != '\n'; at++) {
        if (s->text.ptr[at] == quote) return at + 1;
        if (s->text.ptr[at] != '\\') continue;
        size_t next = skip_line_end(s, at + 1);
        at = next > at + 1 ? next - 1 : at + 1;
    }
    return SIZE_MAX;
}

// The parser knows no strings in a directive, so it sees comments in them.
static size_t skip_directive_string(Scanner *s, size_t at)
{
    size_t end = skip_quoted(s, at);
    if (end == SIZE_MAX) return at + 1;
    Str string = str_slice(s->text, at, end);
    if (str_find(string, STR("/*"), 0) < string.len) s->unclear = true;
    return end;
}

static void skip_directive(Scanner *s)
{
    size_t at = s->at;
    while (at < s->text.len && s->text.ptr[at] != '\n') {
        char c = s->text.ptr[at], next = peek(s, at + 1);
        if (c == '\\') {
            at = skip_line_end(s, at + 1);
        } else if (c == '/' && next == '*') {
            at = skip_block_comment(s, at + 2);
        } else if (c == '/' && next == '/') {
            size_t end = skip_line_comment(s, at);
            Str comment = str_slice(s->text, at, end);
            if (str_find(comment, STR("/*"), 0) < comment.len) s->unclear = true;
            at = end;
        } else {
            at = c == '"' ? skip_directive_string(s, at) : at + 1;
        }
    }
    s->at = at;
}

// The word behind # and blanks.
static Str directive_name(const Scanner *s)
{
    size_t from = s->start + 1;
    while (peek(s, from) == ' ' || peek(s, from) == '\t')
        from++;
    size_t to = from;
    while (is_letter(peek(s, to)))
        to++;
    return str_slice(s->text, from, to);
}

static void skip_blanks(Scanner *s)
{
    for (; s->at < s->text.len; s->at++) {
        char c = s->text.ptr[s->at], next = peek(s, s->at + 1);
        if (c == '\n')
            s->is_line_start = true;
        else if (c == '/' && next == '*')
            s->at = skip_block_comment(s, s->at + 2) - 1;
        else if (c == '/' && next == '/')
            s->at = skip_line_comment(s, s->at) - 1;
        else if (c == '\\' && skip_line_end(s, s->at + 1) > s->at + 1)
            s->at = skip_line_end(s, s->at + 1) - 1;
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v')
            return;
    }
}

static void take_quoted(Scanner *s)
{
    size_t end = skip_quoted(s, s->start);
    bool is_empty_constant = end == s->start + 2 && s->text.ptr[s->start] == '\'';
    if (end == SIZE_MAX || is_empty_constant) s->unclear = true;
    s->at = end == SIZE_MAX ? s->text.len : end;
    s->kind = TOKEN_STRING;
}

static void take_number(Scanner *s)
{
    for (;; s->at++) {
        char c = peek(s, s->at);
        bool separates =
            c == '\'' && (is_digit(peek(s, s->at + 1)) || is_letter(peek(s, s->at + 1)));
        if (!is_letter(c) && !is_digit(c) && c != '.' && !separates) break;
    }
    s->kind = TOKEN_NUMBER;
}

static void take_word(Scanner *s)
{
    while (is_letter(peek(s, s->at)) || is_digit(peek(s, s->at)))
        s->at++;
    s->word = str_slice(s->text, s->start, s->at);
    s->kind = TOKEN_WORD;
}

static void take_token(Scanner *s)
{
    skip_blanks(s);
    bool is_line_start = s->is_line_start;
    s->is_line_start = false;
    s->start = s->at;
    char c = peek(s, s->at);
    if (s->at >= s->text.len) {
        s->kind = TOKEN_END;
    } else if (is_letter(c)) {
        take_word(s);
    } else if (is_digit(c)) {
        take_number(s);
    } else if (c == '"' || c == '\'') {
        take_quoted(s);
    } else if (c == '#' && is_line_start) {
        skip_directive(s);
        s->kind = TOKEN_DIRECTIVE;
    } else {
        if (!strchr("{}()[];,=*:.+-<>&|!~^%/?", c)) s->unclear = true; // NUL is found there too
        if (c == '\0') s->unclear = true;
        s->kind = c;
        s->at++;
    }
}

// --- statements

typedef enum WordKind {
    WORD_NAME, // and every word of the language that does not matter here
    WORD_TAG,
    WORD_TYPEDEF,
    WORD_CONTROL,
    WORD_JUMP,      // a statement follows
    WORD_ATTRIBUTE, // can stand behind `struct` and has parentheses of its own
    WORD_STATEMENT, // begins no declaration
} WordKind;

static const struct {
    char text[14];
    WordKind kind;
} known_words[] = {
    {"struct", WORD_TAG},
    {"union", WORD_TAG},
    {"enum", WORD_TAG},
    {"typedef", WORD_TYPEDEF},
    {"if", WORD_CONTROL},
    {"for", WORD_CONTROL},
    {"while", WORD_CONTROL},
    {"switch", WORD_CONTROL},
    {"else", WORD_JUMP},
    {"do", WORD_JUMP},
    {"__attribute__", WORD_ATTRIBUTE},
    {"__attribute", WORD_ATTRIBUTE},
    {"__declspec", WORD_ATTRIBUTE},
    {"alignas", WORD_ATTRIBUTE},
    {"_Alignas", WORD_ATTRIBUTE},
    {"return", WORD_STATEMENT},
    {"goto", WORD_STATEMENT},
    {"case", WORD_STATEMENT},
    {"default", WORD_STATEMENT},
    {"break", WORD_STATEMENT},
    {"continue", WORD_STATEMENT},
    {"sizeof", WORD_STATEMENT},
    {"asm", WORD_STATEMENT},
    {"__asm", WORD_STATEMENT},
    {"__asm__", WORD_STATEMENT},
};

static WordKind kind_of(Str word)
{
    for (size_t i = 0; i < sizeof known_words / sizeof *known_words; i++) {
        const char *text = known_words[i].text;
        if (text[0] != word.ptr[0] || word.len >= sizeof known_words[i].text) continue;
        if (text[word.len] == '\0' && memcmp(text, word.ptr, word.len) == 0)
            return known_words[i].kind;
    }
    return WORD_NAME;
}

static bool is_in_parentheses(const Scanner *s)
{
    return s->depth > 0 && s->closers[s->depth - 1] != '}';
}

static void start_statement(Scanner *s)
{
    s->n_words = 0;
    s->words_after = 0;
    s->is_declaration = false;
    s->may_be_tag = false;
    if (s->depth == 0) s->is_odd_head = false;
}

static void see_word(Scanner *s)
{
    WordKind kind = kind_of(s->word);
    bool odd_tag = kind == WORD_ATTRIBUTE && s->may_be_tag;
    if (s->depth == 0 && (kind == WORD_JUMP || kind == WORD_CONTROL)) s->unclear = true;
    if (s->depth == 0 && odd_tag) s->is_odd_head = true;
    if (kind == WORD_TYPEDEF || odd_tag) s->is_cuttable = false;
    if (kind == WORD_TAG) s->may_be_tag = true;
    s->is_control = kind == WORD_CONTROL;
    if (is_in_parentheses(s) || s->n_words == NOT_WORDS) return;
    s->n_words = kind == WORD_STATEMENT ? NOT_WORDS : kind == WORD_JUMP ? 0 : s->n_words + 1;
    if (s->n_words != NOT_WORDS && s->n_words >= 2) s->is_declaration = true;
}

static void see_mark(Scanner *s)
{
    bool ends = s->kind == ';' || (s->kind == ':' && s->depth > 0);
    if (strchr(";:,*=", s->kind)) s->may_be_tag = false;
    if (s->kind == ':' && s->depth == 0) s->is_odd_head = true;
    if (is_in_parentheses(s) || s->kind == '*') return;
    if (ends)
        start_statement(s);
    else
        s->n_words = s->kind == ',' && s->is_declaration ? 1 : NOT_WORDS;
}

static void open_parenthesis(Scanner *s)
{
    if (is_in_parentheses(s)) return;
    // `type name(`: a declaration of a function, and so is what the parser makes of `MACRO(x) f(`.
    bool is_group = s->n_words != NOT_WORDS && s->n_words > 0;
    if (is_group && s->n_words >= 2) s->is_cuttable = false;
    s->words_after = is_group ? !s->is_control : s->n_words;
    s->n_words = NOT_WORDS;
}

static void open_bracket(Scanner *s)
{
    static const char pairs[] = "()[]{}";
    if (s->depth == MAX_DEPTH) {
        s->unclear = true;
        return;
    }
    if (s->kind == '(') open_parenthesis(s);
    if (s->kind == '[' && !is_in_parentheses(s)) s->n_words = NOT_WORDS;
    if (s->kind == '{' && s->may_be_tag) s->is_cuttable = false;
    if (s->kind == '{' && s->depth == 0) {
        s->block = s->at;
        s->is_cuttable = !s->is_odd_head && (s->last == ')' || s->last == '=');
    }
    s->closers[s->depth++] = strchr(pairs, s->kind)[1];
    if (s->kind == '{') start_statement(s);
}

static void close_bracket(Scanner *s)
{
    if (s->depth == 0 || s->closers[s->depth - 1] != s->kind) {
        s->unclear = true;
        return;
    }
    s->depth--;
    if (s->kind == ')') s->may_be_tag = false;
    if (s->kind == ')' && !is_in_parentheses(s)) s->n_words = s->words_after;
    if (s->kind != '}') return;
    bool cut = s->depth == 0 && s->is_cuttable && s->start >= s->block + MIN_CUT_BYTES;
    if (cut && s->cuts.n < MAX_CUTS) VEC_PUSH(&s->cuts, ((ByteRange){s->block, s->start}));
    start_statement(s);
}

// Each branch of an #if has to leave as much open as there was before it.
static void see_directive(Scanner *s)
{
    Str name = directive_name(s);
    bool between = s->last == 0 || s->last == ';' || s->last == '}' || s->last == TOKEN_DIRECTIVE;
    if (s->depth > 0 || !between) s->is_odd_head = true;
    s->is_cuttable = false;
    if (str_starts(name, STR("if"))) {
        if (s->n_branches == MAX_BRANCHES)
            s->unclear = true;
        else
            s->branches[s->n_branches++] = s->depth;
    } else if (str_starts(name, STR("el")) || str_equal(name, STR("endif"))) {
        if (s->n_branches == 0 || s->branches[s->n_branches - 1] != s->depth)
            s->unclear = true;
        else if (str_equal(name, STR("endif")))
            s->n_branches--;
    }
}

static void see_token(Scanner *s)
{
    switch (s->kind) {
    case TOKEN_DIRECTIVE:
        see_directive(s);
        break;
    case TOKEN_WORD:
        see_word(s);
        break;
    case '(':
    case '[':
    case '{':
        open_bracket(s);
        break;
    case ')':
    case ']':
    case '}':
        close_bracket(s);
        break;
    default:
        see_mark(s);
    }
    s->last = s->kind;
}

// --- the outline

size_t outline_cuts(Str text, Str kept_word, Arena *arena, ByteRange **out)
{
    Scanner *s = mem_zero(sizeof *s);
    s->text = text;
    s->is_line_start = true;
    do {
        take_token(s);
        if (s->kind != TOKEN_END) see_token(s);
    } while (!s->unclear && s->kind != TOKEN_END);
    bool is_clear = !s->unclear && s->depth == 0 && s->n_branches == 0;
    size_t n = 0, n_found = is_clear ? s->cuts.n : 0;
    *out = arena_array(arena, n_found, sizeof **out);
    for (size_t i = 0; i < n_found; i++) {
        ByteRange cut = s->cuts.items[i];
        bool kept = kept_word.len && str_has_word(str_slice(text, cut.start, cut.end), kept_word);
        if (!kept) (*out)[n++] = cut;
    }
    VEC_FREE(&s->cuts);
    free(s);
    return n;
}

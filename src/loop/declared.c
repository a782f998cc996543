// Definitions are found by their words and their braces, not by a parser: what counts is that
// most of them are found in a few milliseconds, in headers full of macros too.
#include "loop/declared.h"

#include <string.h>

#include "base/vec.h"
#include "workspace/files.h"

enum { MAX_FILES = 32, MAX_TYPES = 6, MAX_FILE_BYTES = 512 << 10, MAX_DEFINITION = 32 << 10 };
enum { MAX_STATEMENTS = 400, MIN_NAME_BYTES = 2, MAX_TAIL = 80, MAX_MEMBER_BYTES = 160 };

typedef struct Source {
    Str path, text;
} Source;

// A definition's parts, blanks and comments aside: "struct a", its members, "} a;".
typedef struct Definition {
    Str path, head, tail;
    const char *start; // in the source's text
    Str members[MAX_STATEMENTS];
    size_t uses[MAX_STATEMENTS]; // of the member's name in the document
    bool dropped[MAX_STATEMENTS];
    size_t n, n_bytes;
} Definition;

typedef struct Finder {
    const DeclaredRequest *request;
    Arena *arena;
    Source sources[MAX_FILES];
    size_t n_sources;
    Definition *definitions[MAX_TYPES];
    size_t n_definitions;
} Finder;

// --- files ---------------------------------------------------------------------------------------

static bool add_file(Finder *f, Str path)
{
    for (size_t i = 0; i < f->n_sources; i++)
        if (str_equal(f->sources[i].path, path)) return true;
    if (f->n_sources == MAX_FILES || !files_exists(f->request->root, path, false, f->arena))
        return false;
    Str text = files_read(f->request->root, path, MAX_FILE_BYTES, f->arena);
    f->sources[f->n_sources++] = (Source){path, text};
    return true;
}

// In the folder of the file that includes it and those above, and where headers lie below them.
static void add_include(Finder *f, Str folder, Str name)
{
    static const char *const below[] = {"", "include/", "src/"};
    for (bool found = false; !found;) {
        for (size_t i = 0; !found && i < sizeof below / sizeof *below; i++)
            found = add_file(
                f, arena_printf(f->arena, "%.*s%s%.*s", STR_FMT(folder), below[i], STR_FMT(name)));
        if (folder.len == 0) return;
        folder = str_parent(folder);
    }
}

// The document, then what it includes, and so on.
static void read_sources(Finder *f)
{
    const DeclaredRequest *r = f->request;
    f->sources[f->n_sources++] = (Source){r->path, r->text};
    for (size_t i = 0; r->root.len && i < f->n_sources; i++) {
        Str rest = f->sources[i].text, folder = str_folder(f->sources[i].path);
        while (rest.len) {
            Str line = str_trim(str_take(&rest, STR("\n")));
            if (line.len == 0 || line.ptr[0] != '#') continue;
            line = str_trim(str_slice(line, 1, line.len));
            if (!str_starts(line, STR("include"))) continue;
            str_take(&line, STR("\""));
            Str name = str_take(&line, STR("\""));
            if (name.len && name.len < 200) add_include(f, folder, name);
        }
    }
}

// --- places --------------------------------------------------------------------------------------

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(Str s, size_t at)
{
    while (at < s.len && is_blank(s.ptr[at]))
        at++;
    return at;
}

// The word that ends at `end`.
static Str word_before(Str s, size_t end)
{
    size_t start = end;
    while (start > 0 && str_is_word_byte(s.ptr[start - 1]))
        start--;
    return str_slice(s, start, end);
}

static bool is_type_word(Str word)
{
    return str_equal(word, STR("struct")) || str_equal(word, STR("union")) ||
           str_equal(word, STR("class")) || str_equal(word, STR("enum"));
}

// Behind the brace that closes the one at `open`; 0: it is far away.
static size_t find_close(Str s, size_t open)
{
    size_t depth = 0;
    for (size_t at = open; at < s.len && at < open + MAX_DEFINITION; at++) {
        if (s.ptr[at] == '{') depth++;
        if (s.ptr[at] == '}' && --depth == 0) return at + 1;
    }
    return 0;
}

static size_t find_open(Str s, size_t close)
{
    size_t depth = 0;
    for (size_t at = close + 1; at-- > 0 && at + MAX_DEFINITION > close;) {
        if (s.ptr[at] == '}') depth++;
        if (s.ptr[at] == '{' && --depth == 0) return at;
    }
    return s.len;
}

// The brace that begins what a type's name at `at` is made of, as in "struct name {" and "class
// name : public other {"; s.len: it is only named there.
static size_t brace_after(Str s, size_t at)
{
    size_t open = skip_blanks(s, at);
    if (open < s.len && s.ptr[open] == ':') {
        while (open < s.len && open < at + MAX_TAIL && !strchr("{;()", s.ptr[open]))
            open++;
    }
    return open < s.len && s.ptr[open] == '{' ? open : s.len;
}

// In a comment, or in a macro.
static bool is_no_code(Str s, size_t at)
{
    size_t start = at;
    while (start > 0 && s.ptr[start - 1] != '\n')
        start--;
    Str line = str_trim(str_slice(s, start, at));
    return str_starts(line, STR("*")) || str_starts(line, STR("#")) || str_contains(line, "/*") ||
           str_contains(line, "//") ||
           str_ends(str_trim(str_slice(s, at, str_find(s, STR("\n"), at))), STR("\\"));
}

// Where a definition of the word lies, its "typedef" aside: at *open its brace. False: nowhere.
static bool find_place(Str s, Str word, ByteRange *whole, size_t *open)
{
    for (size_t at = str_find_word(s, word, 0); at < s.len;
         at = str_find_word(s, word, at + word.len)) {
        size_t before = str_trim_end(str_slice(s, 0, at)).len;
        Str kind = word_before(s, before);
        *open = s.len;
        if (is_type_word(kind)) {
            *open = brace_after(s, at + word.len);
        } else if (before > 0 && s.ptr[before - 1] == '}') {
            size_t end = skip_blanks(s, at + word.len);
            if (end < s.len && s.ptr[end] == ';') *open = find_open(s, before - 1);
            Str head = str_slice(s, *open > MAX_TAIL ? *open - MAX_TAIL : 0, *open);
            size_t typedef_at = str_find_word(head, STR("typedef"), 0);
            kind = *open < s.len ? str_slice(head, typedef_at + 8, head.len) : kind;
        }
        if (*open == s.len || is_no_code(s, at)) continue;
        size_t close = find_close(s, *open);
        if (close == 0 || kind.len == 0) continue;
        *whole = (ByteRange){(size_t)(kind.ptr - s.ptr), close};
        return true;
    }
    return false;
}

// "typedef struct other word;": the other's name; empty: the word is no such alias.
static Str find_alias(Str s, Str word)
{
    for (size_t at = str_find_word(s, word, 0); at < s.len;
         at = str_find_word(s, word, at + word.len)) {
        size_t end = skip_blanks(s, at + word.len), start = at;
        if (end >= s.len || s.ptr[end] != ';') continue;
        while (start > 0 && !strchr(";}{", s.ptr[start - 1]))
            start--;
        Str line = str_trim(str_slice(s, start, at));
        size_t of = str_find_word(line, STR("typedef"), 0);
        Str rest = str_trim(str_slice(line, of + 8, line.len));
        while (rest.len && rest.ptr[rest.len - 1] == '*')
            rest = str_trim(str_slice(rest, 0, rest.len - 1));
        Str other = word_before(rest, rest.len);
        if (of < line.len && other.len < rest.len && !str_equal(other, word)) return other;
    }
    return STR("");
}

// --- definitions ---------------------------------------------------------------------------------

// Without comments and lines of the preprocessor, each run of blanks as one.
static Str squeeze(Finder *f, Str s)
{
    StrBuf out = {0};
    bool fresh = true; // nothing but blanks stands in the line so far
    for (size_t at = 0; at < s.len;) {
        Str rest = str_slice(s, at, s.len);
        if (str_starts(rest, STR("/*"))) {
            at = str_find(s, STR("*/"), at) + 2;
        } else if (str_starts(rest, STR("//")) || (fresh && rest.ptr[0] == '#')) {
            do {
                at = str_find(s, STR("\n"), at + 1);
            } while (at < s.len && s.ptr[at - 1] == '\\');
        } else if (is_blank(rest.ptr[0])) {
            if (out.len && out.ptr[out.len - 1] != ' ') strbuf_append_char(&out, ' ');
            fresh = fresh || rest.ptr[0] == '\n';
            at++;
        } else {
            fresh = false;
            strbuf_append_char(&out, s.ptr[at++]);
        }
    }
    Str text = arena_str(f->arena, str_trim(strbuf_str(&out)));
    strbuf_deinit(&out);
    return text;
}

// The last name before a member's end, its size or its value.
static Str member_name(Str member)
{
    size_t end = 0;
    while (end < member.len && !strchr("[:=;,", member.ptr[end]))
        end++;
    while (end > 0 && !str_is_word_byte(member.ptr[end - 1]))
        end--;
    return word_before(member, end);
}

static void add_member(Finder *f, Definition *d, Str member)
{
    member = str_trim(member);
    if (member.len < 2 || member.len > MAX_MEMBER_BYTES || d->n == MAX_STATEMENTS) return;
    Str name = member_name(member), text = f->request->text;
    size_t n = 0;
    for (size_t at = str_find_word(text, name, 0); name.len && at < text.len;
         at = str_find_word(text, name, at + name.len))
        n++;
    d->uses[d->n] = n;
    d->members[d->n++] = member;
    d->n_bytes += member.len + 2;
}

// The members between two braces. A function's body is left out, what it belongs to ends there.
static void split(Finder *f, Definition *d, Str inside, bool is_enum)
{
    size_t start = 0, round = 0;
    for (size_t at = 0; at < inside.len; at++) {
        char c = inside.ptr[at];
        round += c == '(';
        round -= c == ')' && round > 0;
        if (c == '{') {
            size_t close = find_close(inside, at);
            if (close == 0) break;
            Str before = str_slice(inside, start, at);
            if (str_find(before, STR("("), 0) < before.len) {
                add_member(f, d, arena_printf(f->arena, "%.*s;", STR_FMT(str_trim(before))));
                start = close;
            }
            at = close - 1;
        } else if (round == 0 && (c == ';' || (is_enum && c == ','))) {
            add_member(f, d, str_slice(inside, start, at + 1));
            start = at + 1;
        }
    }
    if (is_enum) add_member(f, d, str_slice(inside, start, inside.len));
}

static void add_definition(Finder *f, const Source *source, ByteRange whole, size_t open)
{
    Str s = source->text;
    size_t end = str_find(s, STR(";"), whole.end);
    for (size_t i = 0; i < f->n_definitions; i++)
        if (f->definitions[i]->start == s.ptr + whole.start) return;
    Definition *d = arena_alloc(f->arena, sizeof *d);
    d->path = source->path;
    d->start = s.ptr + whole.start;
    d->head = squeeze(f, str_slice(s, whole.start, open));
    bool near = end < s.len && end < whole.end + MAX_TAIL;
    Str tail = near ? squeeze(f, str_slice(s, whole.end, end)) : STR("");
    d->tail = arena_printf(f->arena, "}%s%.*s;", tail.len ? " " : "", STR_FMT(tail));
    split(f, d, squeeze(f, str_slice(s, open + 1, whole.end - 1)),
          str_starts(d->head, STR("enum")));
    if (d->n) f->definitions[f->n_definitions++] = d;
}

static void find_definition(Finder *f, Str word, bool follows)
{
    ByteRange whole;
    size_t open;
    for (size_t i = 0; i < f->n_sources; i++)
        if (find_place(f->sources[i].text, word, &whole, &open)) {
            add_definition(f, &f->sources[i], whole, open);
            return;
        }
    for (size_t i = 0; follows && i < f->n_sources; i++) {
        Str other = find_alias(f->sources[i].text, word);
        if (other.len == 0) continue;
        find_definition(f, other, false);
        return;
    }
}

// The members that are used least go first, the later of equals.
static void shorten(Definition *d, size_t max)
{
    size_t n_bytes = d->head.len + d->tail.len + d->n_bytes + 4;
    while (n_bytes > max) {
        size_t least = d->n;
        for (size_t i = 0; i < d->n; i++)
            if (!d->dropped[i] && (least == d->n || d->uses[i] <= d->uses[least])) least = i;
        if (least == d->n) return;
        d->dropped[least] = true;
        n_bytes -= d->members[least].len + 2;
    }
}

// Empty where no member is left.
static Str write_out(const Definition *d, Arena *arena)
{
    StrBuf out = {0};
    size_t n = 0;
    strbuf_printf(&out, "%.*s {\n", STR_FMT(d->head));
    for (size_t i = 0; i < d->n; i++) {
        if (d->dropped[i]) continue;
        strbuf_printf(&out, " %.*s\n", STR_FMT(d->members[i]));
        n++;
    }
    strbuf_printf(&out, "%.*s\n", STR_FMT(d->tail));
    Str text = n ? arena_str(arena, strbuf_str(&out)) : STR("");
    strbuf_deinit(&out);
    return text;
}

static void find_types(Finder *f)
{
    Str s = f->request->signature;
    for (size_t at = 0; at < s.len && f->n_definitions < MAX_TYPES;) {
        size_t end = at;
        while (end < s.len && str_is_word_byte(s.ptr[end]))
            end++;
        Str word = str_slice(s, at, end);
        if (word.len >= MIN_NAME_BYTES && str_is_name(word) && !is_type_word(word))
            find_definition(f, word, true);
        at = end > at ? end : at + 1;
    }
}

size_t declared_find(const DeclaredRequest *request, Arena *arena, ContextPiece **out)
{
    Finder f = {.request = request, .arena = arena};
    size_t left = request->max_bytes;
    read_sources(&f);
    find_types(&f);
    *out = arena_array(arena, f.n_definitions ? f.n_definitions : 1, sizeof **out);
    // Each has its share, and what one leaves is for those after it.
    size_t n_out = 0;
    for (size_t i = 0; i < f.n_definitions; i++) {
        Definition *d = f.definitions[i];
        shorten(d, left / (f.n_definitions - i));
        Str text = write_out(d, arena);
        left -= text.len;
        if (text.len) (*out)[n_out++] = (ContextPiece){d->path, text};
    }
    for (size_t i = 0; i < n_out / 2; i++) {
        ContextPiece other = (*out)[i];
        (*out)[i] = (*out)[n_out - 1 - i];
        (*out)[n_out - 1 - i] = other;
    }
    return n_out;
}

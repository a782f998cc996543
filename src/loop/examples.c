// Folders are read breadth first, so that what lies near is found before the limit is reached.
#include "loop/examples.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/vec.h"

enum { MAX_ENTRIES = 4000, MAX_FOLDERS = 200, MAX_READ = 40 };
enum { MAX_CODE_BYTES = 1200, LINES_BEFORE = 3, LINES_AFTER = 4 };
static const size_t MAX_FILE_BYTES = (size_t)256 << 10;

typedef struct Search {
    const Language *lang;
    Str root, name, message;
    Arena *arena;
    VEC(Str) folders; // relative to the root, with a slash at the end; the root is empty
    int n_entries, n_read;
    Examples called, named; // found by a call; by the message
} Search;

// --- excerpts ------------------------------------------------------------------------------------

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

// The offset of the next call of the name, or s.len.
static size_t find_call(Str s, Str name, size_t from)
{
    for (size_t at = str_find(s, name, from); at < s.len; at = str_find(s, name, at + 1)) {
        size_t end = at + name.len;
        bool whole = (at == 0 || !is_word_char(s.ptr[at - 1])) && end < s.len && s.ptr[end] == '(';
        if (whole) return at;
    }
    return s.len;
}

// Rows around a place: its whole function where that is short.
static void rows_around(const Syntax *syntax, uint32_t row, uint32_t *first, uint32_t *last)
{
    const TextSnap *text = syntax_text(syntax);
    SyntaxFunction f;
    *first = row > LINES_BEFORE ? row - LINES_BEFORE : 0;
    *last = row + LINES_AFTER < text_n_lines(text) ? row + LINES_AFTER : text_n_lines(text) - 1;
    if (!syntax_function_at(syntax, text_line_start(text, row), &f)) return;
    uint32_t start = text_point(text, f.whole.start).row;
    uint32_t end = text_point(text, f.whole.end ? f.whole.end - 1 : 0).row;
    bool is_short = f.whole.end - f.whole.start <= MAX_CODE_BYTES / 2;
    if (is_short || start > *first) *first = start;
    if (is_short || end < *last) *last = end;
}

// Appends the rows that no earlier excerpt had; false: there is no room.
static bool put_rows(const TextSnap *text, uint32_t first, uint32_t last, uint32_t *next,
                     StrBuf *out)
{
    if (first < *next) first = *next;
    if (first > last) return true;
    size_t start = text_line_start(text, first), end = text_line_end(text, last);
    if (out->len + end - start > MAX_CODE_BYTES) return false;
    if (out->len && first > *next) strbuf_append(out, STR("...\n"));
    strbuf_append(out, str_slice(text_str(text), start, end));
    strbuf_append_char(out, '\n');
    *next = last + 1;
    return true;
}

static Str excerpt_calls(const Search *search, const Syntax *syntax)
{
    const TextSnap *text = syntax_text(syntax);
    Str all = text_str(text);
    StrBuf out = {0};
    uint32_t next = 0, first, last;
    for (size_t at = find_call(all, search->name, 0); at < all.len;
         at = find_call(all, search->name, at + 1)) {
        rows_around(syntax, text_point(text, at).row, &first, &last);
        if (!put_rows(text, first, last, &next, &out)) break;
    }
    Str code = arena_str(search->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return code;
}

// The line that the message names as "file:LINE" or "file", line LINE; 0: it names none.
static uint32_t find_named_line(Str message, Str file)
{
    size_t at = str_find(message, file, 0);
    if (at == message.len) return 0;
    at += file.len;
    for (size_t end = at + 9; at < end && at < message.len && !isdigit(message.ptr[at]);)
        at++;
    uint32_t line = 0;
    for (; at < message.len && isdigit((unsigned char)message.ptr[at]) && line < 1000000; at++)
        line = 10 * line + (uint32_t)(message.ptr[at] - '0');
    return line;
}

static Str excerpt_named(const Search *search, const Syntax *syntax, Str file)
{
    const TextSnap *text = syntax_text(syntax);
    uint32_t line = find_named_line(search->message, file), next = 0, first, last;
    if (line == 0 || line > text_n_lines(text)) return STR("");
    StrBuf out = {0};
    rows_around(syntax, line - 1, &first, &last);
    put_rows(text, first, last, &next, &out);
    Str code = arena_str(search->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return code;
}

// --- files ---------------------------------------------------------------------------------------

static bool says_test(Str path)
{
    for (size_t i = 0; i + 4 <= path.len; i++)
        if (strncasecmp(path.ptr + i, "test", 4) == 0 || strncasecmp(path.ptr + i, "spec", 4) == 0)
            return true;
    return false;
}

static void read_file(Search *search, Str relative)
{
    Error err = {0};
    Str path = arena_printf(search->arena, "%.*s/%.*s", STR_FMT(search->root), STR_FMT(relative));
    TextSnap *text = text_read_file(path.ptr, MAX_FILE_BYTES, &err);
    search->n_read++;
    bool calls = text && find_call(text_str(text), search->name, 0) < text_n_bytes(text);
    Syntax *syntax = text ? syntax_parse(search->lang, text, NULL) : NULL;
    if (syntax && calls && search->called.path.len == 0) {
        search->called = (Examples){relative, excerpt_calls(search, syntax)};
        if (search->called.code.len == 0) search->called.path = STR("");
    } else if (syntax && search->named.path.len == 0) {
        Str code = excerpt_named(search, syntax, relative);
        if (code.len) search->named = (Examples){relative, code};
    }
    syntax_release(syntax);
    text_release(text);
}

// Hidden entries, dependencies and build output are nobody's tests.
static int is_wanted(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return name[0] != '.' && strcmp(name, "node_modules") != 0 && strncmp(name, "build", 5) != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); // bytes, not the locale's order
}

static void visit(Search *search, Str folder, const char *name)
{
    struct stat st;
    Str relative = arena_printf(search->arena, "%.*s%s", STR_FMT(folder), name);
    Str path = arena_printf(search->arena, "%.*s/%.*s", STR_FMT(search->root), STR_FMT(relative));
    const Language *lang = language_by_path(relative.ptr);
    if (lstat(path.ptr, &st) != 0) return;
    if (S_ISDIR(st.st_mode) && search->folders.n < MAX_FOLDERS) {
        Str sub = arena_printf(search->arena, "%.*s/", STR_FMT(relative));
        VEC_PUSH(&search->folders, sub);
    } else if (S_ISREG(st.st_mode) && lang == search->lang && says_test(relative) &&
               search->n_read < MAX_READ) {
        read_file(search, relative);
    }
}

Examples examples_find(Str root, const Language *lang, Str name, Str message, Arena *arena)
{
    Search search = {.lang = lang, .root = root, .name = name, .message = message, .arena = arena};
    if (name.len == 0) return (Examples){0};
    VEC_PUSH(&search.folders, STR(""));
    for (size_t i = 0; i < search.folders.n && search.called.path.len == 0; i++) {
        Str folder = search.folders.items[i];
        struct dirent **entries;
        Str path = arena_printf(arena, "%.*s/%.*s", STR_FMT(root), STR_FMT(folder));
        int n = scandir(path.ptr, &entries, is_wanted, by_name);
        for (int k = 0; k < n; k++) {
            if (search.n_entries++ < MAX_ENTRIES) visit(&search, folder, entries[k]->d_name);
            free(entries[k]);
        }
        if (n >= 0) free(entries);
    }
    VEC_FREE(&search.folders);
    return search.called.path.len ? search.called : search.named;
}

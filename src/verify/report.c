// A line may start a failure, be a frame of one, or carry its message; which of these, the rows
// say. Frames come innermost first, but in Python.
#include "verify/report.h"

#include <pthread.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "grammars/languages.h"
#include "index/symbols.h"
#include "verify/project.h"
#include "workspace/files.h"

enum { MAX_LINE = 2000, MAX_GROUPS = 10, MAX_FRAMES = 64, MAX_SOURCE = 1 << 20, MAX_CALLS = 24 };
enum { LINES_ABOVE = 12, MAX_DIGITS = 8 };

enum { START = 1, FRAME = 2, OUTER_FIRST = 4, MESSAGE = 8, LAST_MESSAGE = 16 };

// Groups of the expression; 0: it has none.
typedef struct Row {
    const char *tool, *pattern;
    int roles, file, line, function, message;
} Row;

#define PATH "([^][:space:]:()\"'`]+)"
#define NUMBER "([0-9]+)"

static const Row rows[] = {
    {"sanitizer", "(ERROR|WARNING): ((Address|Leak|Thread|Memory)Sanitizer: .*)", START, 0, 0, 0,
     2},
    {"sanitizer", "^ *#[0-9]+ (0x[0-9a-f]+ in )?([^ ]+)( .*)? " PATH ":" NUMBER "(:[0-9]+)?( .*)?$",
     FRAME, 4, 5, 2, 0},
    {"sanitizer", "^" PATH ":" NUMBER "(:[0-9]+)?: (runtime error: .*)", START | FRAME, 1, 2, 0, 4},
    {"valgrind", "^==[0-9]+== +(at|by) 0x[0-9A-F]+: ([^ ]+) [(]" PATH ":" NUMBER "[)]", FRAME, 3, 4,
     2, 0},
    {"valgrind", "^==[0-9]+== (Invalid .*|Use of .*|Conditional .*|Process terminating .*)", START,
     0, 0, 0, 1},
    {"cmocka", "^\\[ +LINE +\\] --- " PATH ":" NUMBER ": error: (.*)", FRAME | MESSAGE, 1, 2, 0, 3},
    {"cmocka", "^\\[ +ERROR +\\] --- (.*[^ ].*)", START, 0, 0, 0, 1},
    {"Check", "^" PATH ":" NUMBER ":[FE]:[^:]*:([^:]*):[0-9]+: (.*)", START | FRAME, 1, 2, 3, 4},
    {"assert", PATH ":" NUMBER ": ([^:]*): (Assertion .* failed.*)", START | FRAME, 1, 2, 3, 4},
    {"gcc or clang", "^" PATH ":" NUMBER "(:[0-9]+)?: (fatal )?(error: .*)", START | FRAME, 1, 2, 0,
     5},
    {"linker", PATH ":" NUMBER ": (undefined reference to .*)", START | FRAME, 1, 2, 0, 3},
    {"Python", "^ *Traceback [(]most recent call last[)]", START, 0, 0, 0, 0},
    {"Python", "^ *File \"([^\"]+)\", line " NUMBER "(, in (.*))?", FRAME | OUTER_FIRST, 1, 2, 4,
     0},
    {"Python", "^([A-Za-z_.]*(Error|Exception|Exit|Interrupt|Failure)(: .*)?)$", LAST_MESSAGE, 0, 0,
     0, 1},
    {"pytest", "^____+ (.*) ____+$", START, 0, 0, 0, 0},
    {"pytest", "^E +(.*[^ ].*)", MESSAGE, 0, 0, 0, 1},
    {"pytest", "^([^ :]+\\.py):" NUMBER ":( .*)?$", FRAME | OUTER_FIRST, 1, 2, 0, 0},
    {"node:test", "^ *(not ok [0-9]+ - .*)", START, 0, 0, 0, 1},
    {"node:test", "^ *(✖ .*)", START, 0, 0, 0, 1},
    {"node:test", "^ +(at )?(async )?([^ (]+) [(](file://)?" PATH ":" NUMBER ":[0-9]+[)]", FRAME, 5,
     6, 3, 0},
    {"node:test", "^ +(at )?(async )?(file://)?(/[^][:space:]:()\"]+):" NUMBER ":[0-9]+$", FRAME, 4,
     5, 0, 0},
    {"go", "^ *--- (FAIL: [^ ]+)", START, 0, 0, 0, 1},
    {"go", "^ +([^ :]+_test\\.go):" NUMBER ": (.*)", FRAME | MESSAGE, 1, 2, 0, 3},
    {"go", "^(panic: .*)", MESSAGE, 0, 0, 0, 1},
    {"go", "^\t([^ :]+\\.go):" NUMBER "( .*)?$", FRAME, 1, 2, 0, 0},
    {"go", "^([^ :]+\\.go):" NUMBER ":[0-9]+: (.*)", START | FRAME, 1, 2, 0, 3},
    {"cargo", "^(thread '.*' .*panicked at " PATH ":" NUMBER ":[0-9]+.*)", START | FRAME, 2, 3, 0,
     1},
    {"cargo", "^ +at " PATH ":" NUMBER ":[0-9]+$", FRAME, 1, 2, 0, 0},
    {"cargo", "^(error(\\[E[0-9]+\\])?: .*)", START, 0, 0, 0, 1},
    {"cargo", "^ +--> " PATH ":" NUMBER ":[0-9]+", FRAME, 1, 2, 0, 0},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static regex_t compiled[N_ROWS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile_rows(void)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (regcomp(&compiled[i], rows[i].pattern, REG_EXTENDED) != 0) abort();
}

// --- files of the project ------------------------------------------------------------------------

// The name as printed, from the root, or its longest end that is a file there.
static Str find_file(Str printed, Str root, Arena *arena)
{
    if (str_starts(printed, root) && printed.len > root.len && printed.ptr[root.len] == '/')
        printed = str_slice(printed, root.len + 1, printed.len);
    // A copy of the project has its files right below it.
    if (str_starts(printed, STR("/tmp/r1ls-scratch-"))) {
        size_t end = str_find(printed, STR("/"), 5);
        printed = str_slice(printed, end + 1, printed.len);
    }
    while (str_starts(printed, STR("./")))
        printed = str_slice(printed, 2, printed.len);
    bool absolute = printed.len && printed.ptr[0] == '/';
    while (printed.len) {
        bool inside = printed.ptr[0] != '/' && !str_starts(printed, STR("../"));
        if (inside && files_exists(root, printed, false, arena)) return arena_str(arena, printed);
        size_t slash = str_find(printed, STR("/"), 0);
        printed = str_slice(printed, slash + 1, printed.len);
        // An end of a system's path is no file of ours by its last name alone.
        if (absolute && str_find(printed, STR("/"), 0) == printed.len) break;
    }
    return STR("");
}

// valgrind prints base names: the only file of that name.
static Str find_by_name(Str name, Str root, Arena *arena)
{
    Str *files, found = {0};
    if (str_find(name, STR("/"), 0) < name.len) return found;
    size_t n = files_list(root, PROJECT_MAX_FILES, arena, &files);
    Str end = arena_printf(arena, "/%.*s", STR_FMT(name));
    for (size_t i = 0; i < n; i++) {
        if (!str_ends(files[i], end)) continue;
        if (found.len) return STR("");
        found = files[i];
    }
    return found;
}

// --- reading -------------------------------------------------------------------------------------

typedef struct Reader {
    Str output, root;
    Arena *arena;
    VEC(ReportFailure) found;
    bool open;        // the last of found takes frames and messages
    bool outer_first; // its frames
    bool any_frame;   // it has one, of the project or not
    size_t max;
} Reader;

static Str group(Str line, const regmatch_t *m, int i)
{
    if (i == 0 || m[i].rm_so < 0) return STR("");
    return str_slice(line, (size_t)m[i].rm_so, (size_t)m[i].rm_eo);
}

static ReportFailure *current(Reader *r)
{
    return r->open ? &r->found.items[r->found.n - 1] : NULL;
}

// A start that has seen no frame yet is the same failure: a runner's head before a traceback.
static void start(Reader *r, const char *tool, Str message, Str line)
{
    ReportFailure *f = current(r);
    if (f && !r->any_frame) {
        f->tool = tool;
        if (message.len) f->message = message;
        return;
    }
    if (r->found.n == r->max) {
        r->open = false;
        return;
    }
    VEC_PUSH(&r->found, (ReportFailure){.tool = tool, .message = message, .excerpt = line});
    r->open = true;
    r->any_frame = r->outer_first = false;
}

static const char *name_sanitizer(Str message)
{
    static const char *const names[] = {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                                        "MemorySanitizer", NULL};
    for (int i = 0; names[i]; i++)
        if (str_starts(message, str_from(names[i]))) return names[i];
    return "UndefinedBehaviorSanitizer";
}

// Of frames that come innermost first the first counts, of the others the last.
static void put_frame(Reader *r, const Row *row, Str line, const regmatch_t *m)
{
    ReportFailure *f = current(r);
    bool last_wins = row->roles & OUTER_FIRST;
    r->any_frame = true;
    r->outer_first = last_wins;
    Str printed = group(line, m, row->file), file = find_file(printed, r->root, r->arena);
    if (file.len == 0) file = find_by_name(printed, r->root, r->arena);
    if (file.len == 0) return;
    Str number = group(line, m, row->line);
    if (number.len > MAX_DIGITS) return;
    ReportPlace place = {file, atoi(arena_str(r->arena, number).ptr),
                         arena_str(r->arena, group(line, m, row->function)),
                         project_is_test_file(file)};
    if (place.in_test && (f->test.file.len == 0 || last_wins)) f->test = place;
    bool better = f->place.file.len == 0 || (f->place.in_test && !place.in_test);
    if (better || (last_wins && f->place.in_test == place.in_test)) f->place = place;
}

static void take(Reader *r, const Row *row, Str line, const regmatch_t *m)
{
    Str message = arena_str(r->arena, group(line, m, row->message));
    bool sanitizer = strcmp(row->tool, "sanitizer") == 0;
    if (row->roles & START)
        start(r, sanitizer ? name_sanitizer(message) : row->tool, message, line);
    // A syntax error of Python has a place without a traceback.
    if (!r->open && (row->roles & OUTER_FIRST)) start(r, row->tool, message, line);
    ReportFailure *f = current(r);
    if (!f) return;
    if (row->roles & FRAME) put_frame(r, row, line, m);
    if ((row->roles & MESSAGE) && (f->message.len == 0 || strcmp(row->tool, "go") == 0))
        f->message = message;
    if ((row->roles & LAST_MESSAGE) && (f->message.len == 0 || r->outer_first)) {
        f->message = message;
        r->any_frame = true;
    }
    f->excerpt.len = (size_t)(line.ptr + line.len - f->excerpt.ptr);
}

static void read_line(Reader *r, Str line)
{
    char text[MAX_LINE + 1];
    regmatch_t m[MAX_GROUPS];
    if (line.len == 0 || line.len > MAX_LINE) return;
    memcpy(text, line.ptr, line.len);
    text[line.len] = '\0';
    for (size_t i = 0; i < N_ROWS; i++) {
        if (regexec(&compiled[i], text, MAX_GROUPS, m, 0) != 0) continue;
        take(r, &rows[i], line, m);
        return;
    }
}

size_t report_read(Str output, Str root, size_t max, Arena *arena, ReportFailure **out)
{
    Reader r = {.output = output, .root = root, .arena = arena, .max = max};
    pthread_once(&once, compile_rows);
    for (size_t at = 0; at < output.len; at = str_find(output, STR("\n"), at) + 1)
        read_line(&r, str_trim_end(str_slice(output, at, str_find(output, STR("\n"), at))));
    size_t n = 0;
    *out = arena_array(arena, r.found.n ? r.found.n : 1, sizeof **out);
    // What has no place in the project is of no use: a runner's summary, a linker's last word.
    for (size_t i = 0; i < r.found.n; i++)
        if (r.found.items[i].place.file.len) (*out)[n++] = r.found.items[i];
    VEC_FREE(&r.found);
    return n;
}

// --- from a test to what it tests ----------------------------------------------------------------

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Names before a parenthesis, innermost first: in "assert(f(g(1)) == 2)" the last is the deepest.
static size_t find_calls(Str line, Str *names, size_t n, size_t max)
{
    for (size_t i = line.len; i-- > 0 && n < max;) {
        if (line.ptr[i] != '(') continue;
        size_t start = i;
        while (start > 0 && is_word(line.ptr[start - 1]))
            start--;
        if (start < i) names[n++] = str_slice(line, start, i);
    }
    return n;
}

static bool find_definition(Str root, Str name, const Language *lang, Arena *arena,
                            ReportPlace *out)
{
    Str *files;
    size_t n_files = files_list(root, PROJECT_MAX_FILES, arena, &files);
    for (size_t i = 0; i < n_files; i++) {
        Error ignored = {0};
        bool other = language_by_path(files[i].ptr) != lang;
        TextSnap *text =
            other || project_is_test_file(files[i])
                ? NULL
                : text_read_file(files_path(root, files[i], arena).ptr, MAX_SOURCE, &ignored);
        bool may = text && str_find(text_str(text), name, 0) < text_n_bytes(text);
        Syntax *syntax = may ? syntax_parse(lang, text, NULL) : NULL;
        Symbol *symbols;
        size_t n = syntax ? symbols_collect(syntax, arena, &symbols) : 0;
        bool found = false;
        for (size_t k = 0; k < n && !found; k++) {
            SyntaxFunction f;
            bool code = symbols[k].kind == SYMBOL_FUNCTION || symbols[k].kind == SYMBOL_METHOD;
            found = code && str_equal(symbols[k].name, name) &&
                    syntax_function_at(syntax, symbols[k].range.start, &f) && !f.body_is_empty;
            if (found)
                *out = (ReportPlace){files[i],
                                     (int)text_point(text, symbols[k].name_range.start).row + 1,
                                     arena_str(arena, name), false};
        }
        syntax_release(syntax);
        text_release(text);
        if (found) return true;
    }
    return false;
}

bool report_locate(const ReportFailure *failure, Str root, Arena *arena, ReportPlace *out)
{
    Error ignored = {0};
    Str names[MAX_CALLS];
    size_t n = 0;
    const Language *lang = language_by_path(failure->place.file.ptr);
    *out = failure->place;
    if (!failure->place.in_test || !lang) return lang != NULL;
    Str path = files_path(root, failure->place.file, arena);
    TextSnap *text = text_read_file(path.ptr, MAX_SOURCE, &ignored);
    for (int up = 0; text && up < LINES_ABOVE && failure->place.line > up; up++)
        n = find_calls(text_line(text, (uint32_t)(failure->place.line - 1 - up)), names, n,
                       MAX_CALLS);
    bool found = false;
    for (size_t i = 0; i < n && !found; i++)
        found = find_definition(root, names[i], lang, arena, out);
    text_release(text);
    return found;
}

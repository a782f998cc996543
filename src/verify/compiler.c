// Lines of the form PATH:LINE[:COLUMN]: error: MESSAGE, which gcc, clang and the scripts of
// command.c write. gcc counts columns of a screen, on which a tab goes to the next multiple of
// eight; clang counts bytes.
#include "verify/compiler.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"
#include "verify/command.h"
#include "verify/verify.h"

enum { POLL_US = 2000, TAB_WIDTH = 8, SHOWN_BYTES = 40 };

struct Compiler {
    CompilerInput input;
    Arena *arena;
    ScratchFolder folder;
    Str path; // of the text's copy
    bool counts_bytes;
    Child child;
};

typedef VEC(CompilerIssue) IssueVec;

// --- the output ----------------------------------------------------------------------------------

static bool take_number(Str *s, uint32_t *out)
{
    size_t n = 0;
    *out = 0;
    while (n < s->len && n < 9 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        *out = *out * 10 + (uint32_t)(s->ptr[n++] - '0');
    *s = str_slice(*s, n, s->len);
    return n > 0;
}

static bool take(Str *s, const char *text)
{
    if (!str_starts(*s, str_from(text))) return false;
    *s = str_slice(*s, strlen(text), s->len);
    return true;
}

size_t compiler_column(Str line, uint32_t column, bool counts_bytes)
{
    if (counts_bytes) return column - 1 < line.len ? column - 1 : line.len;
    uint32_t at = 1;
    size_t i = 0;
    while (i < line.len && at < column) {
        size_t n = str_utf8_len(str_slice(line, i, line.len));
        at = line.ptr[i] == '\t' ? (at - 1) / TAB_WIDTH * TAB_WIDTH + TAB_WIDTH + 1 : at + 1;
        i += n ? n : 1;
    }
    return i;
}

// The word that begins there, else one character, else what the line has.
static ByteRange find_range(const Compiler *c, uint32_t row, uint32_t column)
{
    const TextSnap *text = c->input.text;
    uint32_t n_lines = text_n_lines(text);
    if (row >= n_lines) row = n_lines - 1;
    size_t start = text_line_start(text, row), end = text_line_end(text, row);
    Str line = text_line(text, row);
    if (column == 0) {
        while (start < end && strchr(" \t", text_str(text).ptr[start]))
            start++;
        return (ByteRange){start, end};
    }
    size_t at = compiler_column(line, column, c->counts_bytes), stop = at;
    while (stop < line.len && str_is_word_byte(line.ptr[stop]))
        stop++;
    if (stop == at && at < line.len) stop++;
    if (stop == at && at > 0) at--; // behind the last one
    return (ByteRange){start + at, start + stop};
}

// "invalid syntax (new.py, line 3)": the copy's name says nothing.
static Str clean(Str message)
{
    size_t place = str_find(message, STR(" (new."), 0);
    return str_trim(str_slice(message, 0, place));
}

static bool read_line(const Compiler *c, Str line, CompilerIssue *out)
{
    uint32_t row, column = 0;
    if (!str_starts(line, c->path)) return false;
    Str s = str_slice(line, c->path.len, line.len);
    if (!take(&s, ":") || !take_number(&s, &row) || row == 0) return false;
    if (take(&s, ":") && take_number(&s, &column)) take(&s, ":");
    s = str_trim(s);
    take(&s, "fatal ");
    bool is_error = take(&s, "error:");
    if (!is_error && !take(&s, "warning:")) return false;
    *out = (CompilerIssue){find_range(c, row - 1, column), is_error, clean(s), 0, {0}, {0}, {0}};
    return out->message.len > 0;
}

// Of a fix-it's text in quotes; escapes that need no table. False: another stands there.
static bool unquote(Str s, Arena *arena, Str *out)
{
    char *text = arena_alloc(arena, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '"') {
            *out = (Str){text, n};
            return true;
        }
        if (c == '\\' && ++i < s.len) {
            static const char marks[] = "\\\"nt", meant[] = "\\\"\n\t";
            const char *mark = s.ptr[i] ? strchr(marks, s.ptr[i]) : NULL;
            if (!mark) return false;
            c = meant[mark - marks];
        }
        text[n++] = c;
    }
    return false;
}

static bool take_place(const Compiler *c, Str *s, size_t *out)
{
    uint32_t row, column;
    const TextSnap *text = c->input.text;
    if (!take_number(s, &row) || !take(s, ":") || !take_number(s, &column)) return false;
    if (row == 0 || row > text_n_lines(text) || column == 0) return false;
    *out = text_line_start(text, row - 1) + column - 1;
    return *out <= text_line_end(text, row - 1);
}

// fix-it:"PATH":{3:12-3:18}:"length", columns in bytes from 1, for the issue before it.
static void read_fix(const Compiler *c, Str line, CompilerIssue *issue)
{
    ByteRange range;
    Str text;
    if (!take(&line, "fix-it:\"") || !str_starts(line, c->path)) return;
    line = str_slice(line, c->path.len, line.len);
    bool known = take(&line, "\":{") && take_place(c, &line, &range.start) && take(&line, "-") &&
                 take_place(c, &line, &range.end) && take(&line, "}:\"") &&
                 unquote(line, c->arena, &text) && range.start <= range.end;
    issue->n_fixes += known ? 1 : 2;
    if (!known) return;
    Str shown = str_trim(str_slice(text, 0, SHOWN_BYTES));
    const char *what = range.start == range.end ? "Insert" : "Replace by";
    issue->fix_range = range;
    issue->fix = text;
    issue->fix_title = text.len ? arena_printf(c->arena, "%s '%.*s'", what, STR_FMT(shown))
                                : STR("Remove what the compiler marks");
}

static int by_place(const void *a, const void *b)
{
    const CompilerIssue *x = a, *y = b;
    if (x->range.start != y->range.start) return x->range.start < y->range.start ? -1 : 1;
    if (x->is_error != y->is_error) return x->is_error ? -1 : 1;
    return str_compare(x->message, y->message);
}

size_t compiler_issues(const Compiler *c, size_t max, CompilerIssue **out, bool *ok)
{
    IssueVec issues = {0};
    CompilerIssue issue;
    int status = c->child.status;
    Str output = strbuf_str(&c->child.output);
    *ok = !c->child.overran && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    for (size_t at = 0; at < output.len && issues.n < max;) {
        size_t end = str_find(output, STR("\n"), at);
        Str line = str_slice(output, at, end);
        if (read_line(c, line, &issue)) {
            issue.message = arena_str(c->arena, issue.message);
            VEC_PUSH(&issues, issue);
        } else if (issues.n) {
            read_fix(c, line, &issues.items[issues.n - 1]);
        }
        at = end + 1;
    }
    size_t n = 0;
    *out = arena_array(c->arena, issues.n ? issues.n : 1, sizeof **out);
    if (issues.n) qsort(issues.items, issues.n, sizeof *issues.items, by_place);
    for (size_t i = 0; i < issues.n; i++) // a macro's error may be told twice
        if (n == 0 || by_place(&(*out)[n - 1], &issues.items[i]) != 0)
            (*out)[n++] = issues.items[i];
    VEC_FREE(&issues);
    return n;
}

RuleFinding compiler_finding(const CompilerIssue *issue)
{
    return (RuleFinding){.rule = STR(RULE_COMPILER),
                         .severity = issue->is_error ? SEVERITY_ERROR : SEVERITY_WARNING,
                         .range = issue->range,
                         .message = issue->message,
                         .has_fix = issue->n_fixes == 1,
                         .fix_range = issue->fix_range,
                         .fix = issue->fix,
                         .fix_title = issue->fix_title};
}

bool compiler_doubles(const TextSnap *text, const CompilerIssue *issue, const SyntaxIssue *syntax,
                      size_t n)
{
    uint32_t row = text_point(text, issue->range.start).row;
    for (size_t i = 0; i < n; i++) {
        uint32_t first = text_point(text, syntax[i].range.start).row,
                 last = text_point(text, syntax[i].range.end).row;
        if (row + 1 >= first && row <= last + 1) return true;
    }
    return false;
}

// --- the process ---------------------------------------------------------------------------------

// cc may be a link to clang.
static bool is_clang(const char *program)
{
    char real[PATH_MAX], path[PATH_MAX];
    if (strstr(program, "clang")) return true;
    Str places = str_from(getenv("PATH"));
    for (size_t at = 0; at < places.len;) {
        size_t end = str_find(places, STR(":"), at);
        snprintf(path, sizeof path, "%.*s/%s", STR_FMT(str_slice(places, at, end)), program);
        if (access(path, X_OK) == 0) return realpath(path, real) && strstr(real, "clang");
        at = end + 1;
    }
    return false;
}

static bool start(Compiler *c, Str *why)
{
    const CompilerInput *input = &c->input;
    VerifyRequest request = {.text = input->text,
                             .lang = input->lang,
                             .file_path = input->file_path,
                             .root = input->root,
                             .trusted = true};
    const char *folder;
    if (!scratch_folder_make(&c->folder)) {
        *why = STR("no scratch folder");
        return false;
    }
    c->path = verify_write_copy(&c->folder, input->file_path, "new", input->text, c->arena);
    char **argv = c->path.len ? command_find(&request, c->path.ptr, c->arena, &folder, why) : NULL;
    if (!argv) return false;
    Error err = {0};
    SandboxCommand command = {.argv = argv, .folder = folder};
    SandboxMode mode = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS;
    c->counts_bytes = is_clang(argv[0]);
    if (sandbox_start(&c->child, mode, &command, c->arena, &err)) return true;
    *why = arena_printf(c->arena, "%s", err.text);
    return false;
}

Compiler *compiler_start(const CompilerInput *input, Arena *arena, Str *why)
{
    Compiler *c = mem_zero(sizeof *c);
    c->input = *input;
    c->arena = arena;
    c->folder.lock = -1;
    c->child.out = -1;
    if (start(c, why)) return c;
    compiler_free(c);
    return NULL;
}

bool compiler_poll(Compiler *compiler)
{
    return child_poll(&compiler->child);
}

bool compiler_wait(Compiler *compiler, const atomic_bool *cancelled)
{
    while (!compiler_poll(compiler)) {
        if (cancelled && atomic_load(cancelled)) return false;
        usleep(POLL_US);
    }
    return true;
}

void compiler_free(Compiler *compiler)
{
    if (!compiler) return;
    child_free(&compiler->child);
    scratch_folder_remove(&compiler->folder);
    free(compiler);
}

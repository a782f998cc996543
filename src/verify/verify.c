// Parse at once, then up to two compiler runs: the candidate, and, only if that fails, the file as
// it was, because an error that was there before is no fault of the candidate.
#include "verify/verify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"
#include "verify/command.h"

// The error lines of a compiler's output.
typedef struct Errors {
    size_t n, n_changed; // all, and those on lines that the candidate wrote
    Str first;           // "line 3:5: error: ..."; empty if there is none
} Errors;

typedef enum Stage { STAGE_CANDIDATE, STAGE_ORIGINAL, STAGE_DONE } Stage;

struct Verify {
    VerifyRequest request; // lang, changed and paths; text and before are retained
    Arena *arena;
    Evidence evidence;
    Stage stage;
    ScratchFolder folder;             // removed when done
    const char *candidate, *original; // paths
    Child child;
    double start_ms;
    Errors errors; // of the candidate
};

const char *verdict_word(Verdict verdict)
{
    switch (verdict) {
    case VERDICT_PENDING:
        return "pending";
    case VERDICT_PASS:
        return "pass";
    case VERDICT_FAIL:
        return "fail";
    case VERDICT_SKIPPED:
        return "skipped";
    }
    return "unknown";
}

// --- scratch files -----------------------------------------------------------------------------

static bool write_file(const char *path, Str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool written = text_write_all(fd, text);
    return close(fd) == 0 && written;
}

static Str copy_path(const ScratchFolder *folder, Str name, const char *stem, Arena *arena)
{
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.' && name.ptr[dot - 1] != '/')
        dot--;
    Str extension = dot && name.ptr[dot - 1] == '.' ? str_slice(name, dot - 1, name.len) : STR("");
    if (extension.len > 8) extension = STR("");
    return arena_printf(arena, "%s/%s%.*s", folder->path, stem, STR_FMT(extension));
}

Str verify_write_copy(const ScratchFolder *folder, Str file_path, const char *name,
                      const TextSnap *text, Arena *arena)
{
    Str path = copy_path(folder, file_path, name, arena);
    return write_file(path.ptr, text_str(text)) ? path : STR("");
}

static bool make_scratch(Verify *v)
{
    const VerifyRequest *r = &v->request;
    if (!scratch_folder_make(&v->folder)) return false;
    v->original = copy_path(&v->folder, r->file_path, "old", v->arena).ptr;
    Str candidate = verify_write_copy(&v->folder, r->file_path, "new", r->text, v->arena);
    v->candidate = candidate.ptr;
    return candidate.len > 0;
}

// --- parsing -----------------------------------------------------------------------------------

static void check_parse(Verify *v)
{
    double start = clock_ms();
    Evidence *e = &v->evidence;
    const VerifyRequest *r = &v->request;
    Syntax *after = r->lang ? syntax_parse(r->lang, r->text, NULL) : NULL;
    if (!after) {
        e->parse = VERDICT_SKIPPED;
        e->parse_note = STR("not parsed: unknown language or too large");
        return;
    }
    ByteRange all = {0, SIZE_MAX};
    size_t old = r->before ? syntax_error_count(r->before, all) : 0;
    size_t new = syntax_error_count(after, all);
    // What was broken before may be so still, but within the new text nothing may be.
    size_t inside = syntax_error_count(after, r->changed);
    e->parse = new <= old &&inside == 0 ? VERDICT_PASS : VERDICT_FAIL;
    if (e->parse == VERDICT_PASS) {
        e->parse_note = STR("parses: no new syntax error");
    } else {
        SyntaxIssue *issues;
        size_t n = syntax_issues(after, 1, v->arena, &issues);
        TextPoint p = text_point(r->text, n ? issues[0].range.start : r->changed.start);
        e->parse_note = arena_printf(v->arena, "%zu new syntax errors, first at line %u: %.*s",
                                     new > old ? new - old : inside, p.row + 1,
                                     STR_FMT(n ? issues[0].message : STR("in the new text")));
    }
    e->parse_ms = clock_ms() - start;
    syntax_release(after);
}

// --- compiling ---------------------------------------------------------------------------------

static Str join_command(Arena *arena, char *const *argv)
{
    StrBuf text = {0};
    for (int i = 0; argv[i]; i++) {
        Str word = str_from(argv[i]);
        bool script = str_find(word, STR("\n"), 0) < word.len;
        strbuf_printf(&text, "%s%.*s", i ? " " : "",
                      STR_FMT(script ? STR("'compile(FILE)'") : word));
    }
    Str out = arena_str(arena, strbuf_str(&text));
    strbuf_deinit(&text);
    return out;
}

static bool start_compiler(Verify *v, const char *path)
{
    const char *folder;
    Str why = {0};
    char **argv = command_find(&v->request, path, v->arena, &folder, &why);
    // A compiler reads what the project includes from anywhere, and without bubblewrap it still
    // runs under limits: it executes nothing of the project.
    SandboxMode mode = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS;
    SandboxCommand command = {.argv = argv, .folder = folder};
    Error err = {0};
    if (argv && sandbox_start(&v->child, mode, &command, v->arena, &err)) {
        if (v->stage == STAGE_CANDIDATE) v->evidence.command = join_command(v->arena, argv);
        v->evidence.compile = VERDICT_PENDING;
        return true;
    }
    if (argv) why = arena_printf(v->arena, "not compiled: %s", err.text);
    v->evidence.compile = VERDICT_SKIPPED;
    v->evidence.compile_note = why;
    return false;
}

// Is the place that line begins with ("12:5: error: ...") within the changed lines?
static bool is_changed_line(const Verify *v, Str line)
{
    uint64_t number = 0;
    for (size_t i = 0; i < line.len && i < 9 && line.ptr[i] >= '0' && line.ptr[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(line.ptr[i] - '0');
    const VerifyRequest *r = &v->request;
    return number > text_point(r->text, r->changed.start).row &&
           number <= (uint64_t)text_point(r->text, r->changed.end).row + 1;
}

// The scratch path gives way to the line number.
static Errors read_errors(Verify *v)
{
    Errors errors = {0};
    Str output = strbuf_str(&v->child.output);
    Str path = str_from(v->stage == STAGE_CANDIDATE ? v->candidate : v->original);
    while (output.len) {
        size_t end = str_find(output, STR("\n"), 0);
        Str line = str_slice(output, 0, end);
        output = str_slice(output, end + 1, output.len);
        if (str_find(line, STR("error:"), 0) == line.len) continue;
        bool own = str_starts(line, path);
        if (own) line = str_slice(line, path.len + 1, line.len);
        errors.n_changed += own && is_changed_line(v, line);
        if (errors.n++) continue;
        errors.first =
            arena_printf(v->arena, "%s%.*s", own ? "line " : "", STR_FMT(str_slice(line, 0, 200)));
    }
    return errors;
}

static void finish(Verify *v, Verdict verdict, Str note)
{
    v->evidence.compile = verdict;
    v->evidence.compile_note = note;
    v->evidence.compile_ms = clock_ms() - v->start_ms;
    v->stage = STAGE_DONE;
    scratch_folder_remove(&v->folder);
}

static void fail(Verify *v)
{
    Str first = v->errors.first;
    finish(v, VERDICT_FAIL, first.len ? first : STR("the compiler failed without a message"));
}

// An error on a line of the candidate is its own. Others may have been there before: a header that
// is missing, say. Where there are no more than before, the compiler has not judged the candidate
// to be good either, and the note says so.
static void judge_against(Verify *v, const VerifyBase *base)
{
    if (base->compiles || v->errors.n == 0 || v->errors.n > base->n_errors) {
        fail(v);
        return;
    }
    finish(v, VERDICT_SKIPPED,
           arena_printf(v->arena,
                        "not judged by the compiler: the file did not compile before either (%zu "
                        "errors); no new ones, the first is %.*s",
                        base->n_errors, STR_FMT(v->errors.first)));
}

static void compare_with_original(Verify *v)
{
    const VerifyBase *base = v->request.base;
    v->errors = read_errors(v);
    child_free(&v->child);
    v->stage = STAGE_ORIGINAL;
    if (v->errors.n_changed || !v->request.before)
        fail(v);
    else if (base && base->known)
        judge_against(v, base);
    else if (!write_file(v->original, text_str(syntax_text(v->request.before))) ||
             !start_compiler(v, v->original))
        fail(v);
}

static void judge_original(Verify *v, bool compiles)
{
    VerifyBase base = {true, compiles, read_errors(v).n};
    if (v->request.base) *v->request.base = base;
    judge_against(v, &base);
}

static void on_ended(Verify *v)
{
    int status = v->child.status;
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (v->stage == STAGE_ORIGINAL) {
        judge_original(v, ok);
    } else if (ok) {
        finish(v, VERDICT_PASS, STR("compiles"));
    } else if (!WIFEXITED(status)) {
        finish(v, VERDICT_FAIL, STR("the compiler ran over its limits"));
    } else {
        compare_with_original(v);
    }
}

Verify *verify_start(const VerifyRequest *request, Arena *arena)
{
    Verify *v = mem_zero(sizeof *v);
    v->request = *request;
    v->arena = arena;
    v->start_ms = clock_ms();
    v->child.out = -1;
    v->folder.lock = -1;
    v->request.text = text_retain(request->text);
    v->request.before = syntax_retain(request->before);
    v->stage = STAGE_DONE;
    check_parse(v);
    v->evidence.compile = VERDICT_SKIPPED;
    if (v->evidence.parse != VERDICT_PASS) {
        v->evidence.compile_note = STR("not compiled: it does not parse");
    } else if (!request->trusted) {
        v->evidence.compile_note = STR("not compiled: the folder is not trusted");
    } else if (!make_scratch(v)) {
        v->evidence.compile_note = STR("not compiled: no scratch folder");
    } else {
        v->stage = STAGE_CANDIDATE;
        if (!start_compiler(v, v->candidate)) finish(v, VERDICT_SKIPPED, v->evidence.compile_note);
    }
    return v;
}

Verdict verify_poll(Verify *verify)
{
    while (verify->stage != STAGE_DONE && child_poll(&verify->child))
        on_ended(verify);
    if (verify->stage != STAGE_DONE) return VERDICT_PENDING;
    bool parse = verify->evidence.parse == VERDICT_PASS;
    return parse && verify->evidence.compile != VERDICT_FAIL ? VERDICT_PASS : VERDICT_FAIL;
}

const Evidence *verify_evidence(const Verify *verify)
{
    return &verify->evidence;
}

void verify_free(Verify *verify)
{
    if (!verify) return;
    child_free(&verify->child);
    scratch_folder_remove(&verify->folder);
    text_release(verify->request.text);
    syntax_release(verify->request.before);
    free(verify);
}

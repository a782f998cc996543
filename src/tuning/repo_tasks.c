// Which files and functions; how a body is taken out.
#include "tuning/repo_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "base/vec.h"
#include "verify/project.h"
#include "verify/verify.h"
#include "workspace/files.h"

enum { MAX_FILES = 4000, MAX_FILE_BYTES = 256 << 10, POLL_US = 2000, HELD_OUT_SHARE = 5 };

typedef VEC(RepoFile) FileVec;
typedef VEC(RepoTask) TaskVec;

static bool is_python(const Language *lang)
{
    return strcmp(lang->id, "python") == 0;
}

// Those for which there is a checker of a file alone.
static bool is_checked(const Language *lang)
{
    return strcmp(lang->id, "c") == 0 || strcmp(lang->id, "cpp") == 0 || is_python(lang);
}

// What stands before the body's first statement and stays: a brace, or a docstring.
static ByteRange find_body(const SyntaxFunction *f, Str all)
{
    ByteRange body = f->body, comment = f->comment;
    bool braces = body.end > body.start + 1 && all.ptr[body.start] == '{';
    if (braces) return (ByteRange){body.start + 1, body.end - 1};
    bool docstring = comment.start >= body.start && comment.end > body.start;
    return docstring ? (ByteRange){comment.end, body.end} : body;
}

static void add_functions(const RepoFile *file, const Syntax *syntax, const RepoLimits *limits,
                          TaskVec *out)
{
    const TextSnap *text = syntax_text(syntax);
    for (uint32_t row = 0; row < text_n_lines(text); row++) {
        SyntaxFunction f;
        size_t off = text_line_start(text, row);
        while (off < text_line_end(text, row) && strchr(" \t", file->text.ptr[off]))
            off++;
        if (!syntax_function_at(syntax, off, &f) || f.body_is_empty || f.body.end <= f.body.start ||
            text_point(text, f.signature.start).row != row)
            continue;
        ByteRange body = find_body(&f, file->text);
        size_t n =
            body.end > body.start ? str_trim(str_slice(file->text, body.start, body.end)).len : 0;
        if (n < limits->min_body_bytes || n > limits->max_body_bytes) continue;
        // A parser that knows no macros errs elsewhere in the file; there is nothing to judge by
        // where it does within the function.
        if (syntax_error_count(syntax, (ByteRange){f.signature.start, f.whole.end})) continue;
        VEC_PUSH(out, (RepoTask){.file = file,
                                 .name = f.name,
                                 .function = str_slice(file->text, f.signature.start, f.whole.end),
                                 .body = body,
                                 .row_off = f.signature.start});
    }
}

// Empty where the file compiles by itself.
static Str fault_of(const RepoFile *file, Str root, const Syntax *syntax, Arena *kept)
{
    Arena *arena = arena_new();
    VerifyBase clean = {.known = true, .compiles = true}; // so that its own errors are told
    VerifyRequest request = {.text = syntax_text(syntax),
                             .before = syntax,
                             .base = &clean,
                             .lang = file->lang,
                             .file_path = file->absolute,
                             .root = root,
                             .trusted = true};
    Verify *verify = verify_start(&request, arena);
    while (verify_poll(verify) == VERDICT_PENDING)
        usleep(POLL_US);
    const Evidence *e = verify_evidence(verify);
    Str fault = e->compile == VERDICT_PASS ? STR("")
                : e->compile_note.len      ? arena_str(kept, e->compile_note)
                                           : STR("no reason told");
    verify_free(verify);
    arena_free(arena);
    return fault;
}

// True if the file has tasks: its names stay borrowed from file->text.
static bool read_file(RepoFile *file, Str root, const RepoLimits *limits, Arena *arena,
                      TaskVec *out)
{
    Error err = {0};
    size_t before = out->n;
    TextSnap *text = text_new(file->text, &err);
    Syntax *syntax = text ? syntax_parse(file->lang, text, NULL) : NULL;
    if (syntax) add_functions(file, syntax, limits, out);
    // Names are borrowed from the snapshot, which ends here.
    const char *base = text ? text_str(text).ptr : NULL;
    for (size_t i = before; i < out->n; i++)
        out->items[i].name.ptr = file->text.ptr + (out->items[i].name.ptr - base);
    if (out->n > before) file->fault = fault_of(file, root, syntax, arena);
    if (file->fault.len) out->n = before;
    syntax_release(syntax);
    text_release(text);
    return out->n > before;
}

static int by_hash(const void *a, const void *b)
{
    const RepoFile *x = *(const RepoFile *const *)a, *y = *(const RepoFile *const *)b;
    unsigned long long p = str_hash(x->path, 7), q = str_hash(y->path, 7);
    return p < q ? -1 : p > q ? 1 : str_compare(x->path, y->path);
}

// Is what is taken out a function's only statement, or does a docstring stay?
static bool is_statement(const RepoTask *task)
{
    Str text = task->file->text;
    return is_python(task->file->lang) && task->body.start > 0 &&
           !strchr("\"'", text.ptr[task->body.start - 1]);
}

static unsigned long long order_of(const RepoTask *task)
{
    return str_hash(task->name, str_hash(task->file->path, 7));
}

static int by_number(const void *a, const void *b)
{
    unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;
    return x < y ? -1 : x > y;
}

// A fifth of the tasks, at least one, is not above it.
static unsigned long long find_limit(const TaskVec *tasks)
{
    size_t n_held = tasks->n / HELD_OUT_SHARE ? tasks->n / HELD_OUT_SHARE : 1;
    unsigned long long *orders = mem_alloc(tasks->n * sizeof *orders), limit;
    for (size_t i = 0; i < tasks->n; i++)
        orders[i] = order_of(&tasks->items[i]);
    qsort(orders, tasks->n, sizeof *orders, by_number);
    limit = orders[n_held - 1];
    free(orders);
    return limit;
}

// The file with declarations in place of the functions that are held out.
static Str declare(const RepoFile *file, const RepoTask *held, size_t n, Arena *arena)
{
    StrBuf out = {0};
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const RepoTask *t = &held[i];
        bool python = is_python(file->lang);
        Str before = str_slice(file->text, at, t->body.start - !python);
        strbuf_append(&out, python ? before : str_trim_end(before));
        if (!python) strbuf_append(&out, STR(";"));
        if (python && is_statement(t)) strbuf_append(&out, STR("raise NotImplementedError"));
        at = python ? t->body.end : (size_t)(t->function.ptr + t->function.len - file->text.ptr);
    }
    strbuf_append(&out, str_slice(file->text, at, file->text.len));
    Str text = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// Of a file's n tasks those up to the limit go to *held and keep the file as it stands; *file
// becomes what there is to train on, and its tasks go to *train. Where that does not compile none
// is held out.
static void split_file(RepoFile *file, Str root, const RepoLimits *limits, unsigned long long most,
                       const RepoTask *tasks, size_t n, Arena *arena, TaskVec *train, TaskVec *held)
{
    RepoFile *whole = arena_array(arena, 1, sizeof *whole);
    size_t n_held = held->n, end = 0;
    *whole = *file;
    whole->held_out = true;
    for (size_t i = 0; i < n; i++) {
        RepoTask task = tasks[i];
        size_t start = (size_t)(task.function.ptr - file->text.ptr);
        if (start < end || order_of(&task) > most) continue;
        end = start + task.function.len;
        task.file = whole;
        VEC_PUSH(held, task);
    }
    if (held->n > n_held) {
        file->text = declare(whole, held->items + n_held, held->n - n_held, arena);
        if (read_file(file, root, limits, arena, train)) return;
        file->text = whole->text;
        file->fault = STR("");
        held->n = n_held;
    }
    for (size_t i = 0; i < n; i++)
        VEC_PUSH(train, tasks[i]);
}

static bool hold_functions(TaskVec *tasks, RepoFile *files, Str root, const RepoLimits *limits,
                           EngineCancel cancel, Arena *arena, Error *err)
{
    TaskVec train = {0}, held = {0};
    unsigned long long most = tasks->n ? find_limit(tasks) : 0;
    bool ok = true;
    for (size_t i = 0, n; ok && i < tasks->n; i += n) {
        const RepoFile *file = tasks->items[i].file;
        for (n = 1; i + n < tasks->n && tasks->items[i + n].file == file;)
            n++;
        split_file(&files[file - files], root, limits, most, tasks->items + i, n, arena, &train,
                   &held);
        ok = !engine_is_cancelled(cancel, err);
    }
    for (size_t i = 0; i < held.n; i++)
        VEC_PUSH(&train, held.items[i]);
    VEC_FREE(&held);
    VEC_FREE(tasks);
    *tasks = train;
    return ok;
}

// A fifth of the files that have tasks.
static void hold_out(RepoFile **files, size_t n)
{
    qsort(files, n, sizeof *files, by_hash);
    size_t n_held = n / HELD_OUT_SHARE ? n / HELD_OUT_SHARE : 1;
    for (size_t i = 0; i < n_held; i++)
        files[i]->held_out = true;
}

static bool has_body(const RepoTask *tasks, size_t n, Str body)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal(str_trim(repo_task_body(&tasks[i])), body)) return true;
    return false;
}

static void deal(const TaskVec *all, const RepoLimits *limits, Arena *arena, RepoTasks *out)
{
    unsigned long long hash = limits->seed;
    size_t n_held = 0;
    uint64_t seeds[2] = {limits->seed, limits->seed};
    out->train = arena_array(arena, all->n ? all->n : 1, sizeof *out->train);
    out->held_out = arena_array(arena, all->n ? all->n : 1, sizeof *out->held_out);
    for (size_t i = 0; i < all->n; i++) {
        const RepoTask *t = &all->items[i];
        hash = str_hash(t->function, str_hash(t->file->path, hash));
        if (t->file->held_out)
            out->held_out[n_held++] = *t;
        else
            out->train[out->n_train++] = *t;
    }
    snprintf(out->hash, sizeof out->hash, "%016llx", hash);
    for (size_t i = 0; i < n_held; i++)
        if (!limits->hold_functions ||
            !has_body(out->train, out->n_train, str_trim(repo_task_body(&out->held_out[i]))))
            out->held_out[out->n_held_out++] = out->held_out[i];
    random_shuffle(out->train, out->n_train, sizeof *out->train, &seeds[0]);
    random_shuffle(out->held_out, out->n_held_out, sizeof *out->held_out, &seeds[1]);
    if (out->n_train > limits->max_train) out->n_train = limits->max_train;
    if (out->n_held_out > limits->max_held_out) out->n_held_out = limits->max_held_out;
}

// What an error says behind its own words of files that do not compile; empty where all do.
static Str told_faults(const RepoTasks *tasks, Arena *arena)
{
    const RepoFile *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < tasks->n_files; i++) {
        if (tasks->files[i].fault.len == 0) continue;
        if (n++ == 0) first = &tasks->files[i];
    }
    if (n == 0) return STR("");
    return arena_printf(arena, "; %zu %s not compile alone: %.*s, %.*s", n, n == 1 ? "does" : "do",
                        STR_FMT(first->path), STR_FMT(first->fault));
}

static bool check_found(const RepoLimits *limits, const RepoTasks *tasks, size_t n_files, Str root,
                        Arena *arena, Error *err)
{
    if (limits->hold_functions ? tasks->n_train && tasks->n_held_out : n_files >= 2) return true;
    Str faults = told_faults(tasks, arena);
    if (limits->hold_functions)
        return error_set(err, ERROR_INVALID,
                         "%.*s has %zu functions to train on and %zu to measure with, wanted some "
                         "of both (or --hold files)%.*s",
                         STR_FMT(root), tasks->n_train, tasks->n_held_out, STR_FMT(faults));
    return error_set(err, ERROR_INVALID,
                     "%zu files of %.*s have functions that can be hidden, wanted 2 or more: some "
                     "to train on and some to measure with%.*s",
                     n_files, STR_FMT(root), STR_FMT(faults));
}

bool repo_tasks_find(Str root, const RepoLimits *limits, EngineCancel cancel, Arena *arena,
                     RepoTasks *out, Error *err)
{
    Str *paths;
    TaskVec all = {0};
    VEC(RepoFile *) found = {0};
    size_t n = files_list(root, MAX_FILES, arena, &paths);
    bool ok = true;
    *out = (RepoTasks){.files = arena_array(arena, n ? n : 1, sizeof(RepoFile))};
    for (size_t i = 0; ok && i < n; i++) {
        Str path = arena_str(arena, paths[i]);
        const Language *lang = language_by_path(path.ptr);
        if (!lang || !is_checked(lang) || project_is_test_file(path)) continue;
        RepoFile *file = &out->files[out->n_files];
        *file = (RepoFile){.path = path, .absolute = files_path(root, path, arena), .lang = lang};
        file->text = files_read(root, path, MAX_FILE_BYTES, arena);
        if (file->text.len == 0) continue;
        out->n_files++;
        if (read_file(file, root, limits, arena, &all)) VEC_PUSH(&found, file);
        ok = !engine_is_cancelled(cancel, err);
    }
    if (ok && limits->hold_functions)
        ok = hold_functions(&all, out->files, root, limits, cancel, arena, err);
    else if (found.n)
        hold_out(found.items, found.n);
    if (ok) {
        deal(&all, limits, arena, out);
        ok = check_found(limits, out, found.n, root, arena, err);
    }
    VEC_FREE(&found);
    VEC_FREE(&all);
    return ok;
}

Str repo_task_body(const RepoTask *task)
{
    return str_slice(task->file->text, task->body.start, task->body.end);
}

bool repo_task_open(const RepoTask *task, Str root, OpenTask *out, Error *err)
{
    const RepoFile *file = task->file;
    // A docstring stays, and is a body by itself.
    Str filler = is_statement(task) ? STR("pass") : is_python(file->lang) ? STR("") : STR("\n");
    TextSnap *whole = text_new(file->text, err);
    *out = (OpenTask){0};
    if (whole) out->text = text_edit(whole, task->body, filler, NULL, err);
    text_release(whole);
    if (out->text) out->syntax = syntax_parse(file->lang, out->text, NULL);
    if (!out->syntax) {
        repo_task_close(out);
        return error_set(err, ERROR_TOO_LARGE, "%.*s is too large", STR_FMT(file->path));
    }
    out->hole = (ByteRange){task->body.start, task->body.start + filler.len};
    out->request = (LoopRequest){.text = out->text,
                                 .syntax = out->syntax,
                                 .path = file->path,
                                 .file_path = file->absolute,
                                 .root = root,
                                 .kind = TASK_BODY,
                                 .selection = {task->row_off, task->row_off},
                                 .trusted = true};
    return true;
}

void repo_task_close(OpenTask *task)
{
    syntax_release(task->syntax);
    text_release(task->text);
    *task = (OpenTask){0};
}

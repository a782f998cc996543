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

static bool compiles(const RepoFile *file, Str root, const Syntax *syntax)
{
    Arena *arena = arena_new();
    VerifyRequest request = {.text = syntax_text(syntax),
                             .before = syntax,
                             .lang = file->lang,
                             .file_path = file->absolute,
                             .root = root,
                             .trusted = true};
    Verify *verify = verify_start(&request, arena);
    while (verify_poll(verify) == VERDICT_PENDING)
        usleep(POLL_US);
    const Evidence *e = verify_evidence(verify);
    bool ok = e->compile == VERDICT_PASS;
    verify_free(verify);
    arena_free(arena);
    return ok;
}

// True if the file has tasks: its names stay borrowed from file->text.
static bool read_file(RepoFile *file, Str root, const RepoLimits *limits, TaskVec *out)
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
    if (out->n > before && !compiles(file, root, syntax)) out->n = before;
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

// A fifth of the files that have tasks.
static void hold_out(RepoFile **files, size_t n)
{
    qsort(files, n, sizeof *files, by_hash);
    size_t n_held = n / HELD_OUT_SHARE ? n / HELD_OUT_SHARE : 1;
    for (size_t i = 0; i < n_held; i++)
        files[i]->held_out = true;
}

static void shuffle(RepoTask *items, size_t n, uint64_t seed)
{
    random_shuffle(items, n, sizeof *items, &seed);
}

static void deal(const TaskVec *all, const RepoLimits *limits, Arena *arena, RepoTasks *out)
{
    unsigned long long hash = limits->seed;
    out->train = arena_array(arena, all->n ? all->n : 1, sizeof *out->train);
    out->held_out = arena_array(arena, all->n ? all->n : 1, sizeof *out->held_out);
    for (size_t i = 0; i < all->n; i++) {
        const RepoTask *t = &all->items[i];
        hash = str_hash(t->function, str_hash(t->file->path, hash));
        if (t->file->held_out)
            out->held_out[out->n_held_out++] = *t;
        else
            out->train[out->n_train++] = *t;
    }
    snprintf(out->hash, sizeof out->hash, "%016llx", hash);
    shuffle(out->train, out->n_train, limits->seed);
    shuffle(out->held_out, out->n_held_out, limits->seed);
    if (out->n_train > limits->max_train) out->n_train = limits->max_train;
    if (out->n_held_out > limits->max_held_out) out->n_held_out = limits->max_held_out;
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
        if (read_file(file, root, limits, &all)) VEC_PUSH(&found, file);
        ok = !engine_is_cancelled(cancel, err);
    }
    if (ok && found.n < 2)
        ok =
            error_set(err, ERROR_INVALID,
                      "%zu files of %.*s have functions in C, C++ or Python that can be hidden and "
                      "that compile, wanted 2 or more: some to train on and some to measure with",
                      found.n, STR_FMT(root));
    if (ok) {
        hold_out(found.items, found.n);
        deal(&all, limits, arena, out);
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
    bool statement = is_python(file->lang) && task->body.start > 0 &&
                     file->text.ptr[task->body.start - 1] != '"' &&
                     file->text.ptr[task->body.start - 1] != '\'';
    Str filler = statement ? STR("pass") : is_python(file->lang) ? STR("") : STR("\n");
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

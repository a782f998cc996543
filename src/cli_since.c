// git runs with a folder of ours in the place of .git: our configuration, the repository's objects
// and references by their paths, and an index read from the commit. What differs from that index in
// the working tree is what has changed. A sandbox stands around it where there is one.
#include "cli_since.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "base/vec.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"

enum { POLL_US = 2000, MAX_OUTPUT_BYTES = 256 << 20, MAX_SMALL_BYTES = 1 << 16 };

typedef struct LineRange {
    Str path; // absolute
    uint32_t first, last;
} LineRange;

struct Since {
    VEC(LineRange) changed; // in the order of paths
    VEC(Str) files;         // of the commit, absolute, sorted
};

typedef struct Git {
    Str root, objects; // the working tree; where the objects lie
    ScratchFolder folder;
    Arena *arena;
    Error *err;
} Git;

// --- the folder in the place of .git -------------------------------------------------------------

static Str read_small(const char *path, Arena *arena)
{
    Error ignored = {0};
    TextSnap *text = text_read_file(path, MAX_SMALL_BYTES, &ignored);
    Str s = text ? arena_str(arena, str_trim(text_str(text))) : STR("");
    text_release(text);
    return s;
}

static Str resolve(Str base, Str path, Arena *arena)
{
    if (str_starts(path, STR("/"))) return path;
    return arena_printf(arena, "%.*s/%.*s", STR_FMT(base), STR_FMT(path));
}

// .git is a folder, or, in a linked working tree or a submodule, a file that names one.
static void find_folders(Git *git, Str *own, Str *common)
{
    struct stat st;
    *own = arena_printf(git->arena, "%.*s/.git", STR_FMT(git->root));
    if (stat(own->ptr, &st) == 0 && S_ISREG(st.st_mode)) {
        Str line = read_small(own->ptr, git->arena), lead = STR("gitdir:");
        if (str_starts(line, lead))
            *own = resolve(git->root, str_trim(str_slice(line, lead.len, line.len)), git->arena);
    }
    Str shared =
        read_small(arena_printf(git->arena, "%.*s/commondir", STR_FMT(*own)).ptr, git->arena);
    *common = shared.len ? resolve(*own, shared, git->arena) : *own;
}

static bool write_own(Git *git, const char *name, Str text)
{
    FILE *file = fopen(arena_printf(git->arena, "%s/%s", git->folder.path, name).ptr, "w");
    bool ok = file && fwrite(text.ptr, 1, text.len, file) == text.len;
    return (!file || fclose(file) == 0) && ok;
}

static bool link_own(Git *git, Str from, const char *name)
{
    const char *target = arena_printf(git->arena, "%.*s/%s", STR_FMT(from), name).ptr;
    const char *path = arena_printf(git->arena, "%s/%s", git->folder.path, name).ptr;
    return access(target, F_OK) != 0 || symlink(target, path) == 0;
}

static bool make_folder(Git *git)
{
    Str own, common;
    find_folders(git, &own, &common);
    git->objects = arena_printf(git->arena, "%.*s/objects", STR_FMT(common));
    Str head = read_small(arena_printf(git->arena, "%.*s/HEAD", STR_FMT(own)).ptr, git->arena);
    if (head.len == 0)
        return error_set(git->err, ERROR_NOT_FOUND, "%.*s is no git repository",
                         STR_FMT(git->root));
    Str config =
        read_small(arena_printf(git->arena, "%.*s/config", STR_FMT(common)).ptr, git->arena);
    if (str_find(config, STR("sha256"), 0) < config.len ||
        str_find(config, STR("reftable"), 0) < config.len)
        return error_set(
            git->err, ERROR_UNSUPPORTED,
            "the repository has SHA-256 objects or a reftable, wanted SHA-1 and files");
    bool ok = scratch_folder_make(&git->folder) && link_own(git, common, "refs") &&
              link_own(git, common, "packed-refs") && link_own(git, own, "ORIG_HEAD") &&
              write_own(git, "HEAD", arena_printf(git->arena, "%.*s\n", STR_FMT(head))) &&
              write_own(git, "config",
                        STR("[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
                            "\tquotePath = false\n\tfileMode = false\n"));
    return ok || error_set(git->err, ERROR_IO, "no folder for git: %s", strerror(errno));
}

// --- running -------------------------------------------------------------------------------------

static bool finish(Git *git, Child *child, const char *what)
{
    while (!child_poll(child))
        usleep(POLL_US);
    bool ok = !child->overran && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
    Str said = str_trim(strbuf_str(&child->output));
    if (!ok)
        error_set(git->err, ERROR_NOT_FOUND, "git %s: %.*s", what,
                  (int)(said.len < 150 ? said.len : 150), said.ptr ? said.ptr : "failed");
    child_free(child);
    return ok;
}

// The words' output in the folder's file "out"; its text is the caller's to release.
static TextSnap *run(Git *git, const char *const *words)
{
    const char *f = git->folder.path;
    Str out = arena_printf(git->arena, "%s/out", f);
    const char *start[] = {
        "env",
        "-i",
        arena_printf(git->arena, "PATH=%s", getenv("PATH")).ptr,
        "LC_ALL=C",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_ATTR_NOSYSTEM=1",
        "GIT_TERMINAL_PROMPT=0",
        "GIT_NO_LAZY_FETCH=1",
        "GIT_OPTIONAL_LOCKS=0",
        arena_printf(git->arena, "GIT_DIR=%s", f).ptr,
        arena_printf(git->arena, "GIT_OBJECT_DIRECTORY=%s", git->objects.ptr).ptr,
        arena_printf(git->arena, "GIT_WORK_TREE=%.*s", STR_FMT(git->root)).ptr,
        "sh",
        "-c",
        "exec \"$@\" > \"$0\"",
        out.ptr,
        "git"};
    size_t n = sizeof start / sizeof *start, n_words = 0;
    while (words[n_words])
        n_words++;
    const char **argv = arena_array(git->arena, n + n_words + 1, sizeof *argv);
    memcpy(argv, start, sizeof start);
    memcpy(argv + n, words, n_words * sizeof *argv);
    Child child;
    SandboxMode mode = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS;
    SandboxCommand command = {.argv = (char *const *)(uintptr_t)argv,
                              .folder = arena_str(git->arena, git->root).ptr,
                              .writable = f};
    if (!sandbox_start(&child, mode, &command, git->arena, git->err)) return NULL;
    if (!finish(git, &child, words[0])) return NULL;
    return text_read_file(out.ptr, MAX_OUTPUT_BYTES, git->err);
}

static bool read_commit(Git *git, const char *ref)
{
    const char *commit = arena_printf(git->arena, "%s^{commit}", ref).ptr;
    const char *const parse[] = {"rev-parse",        "--verify", "--quiet",
                                 "--end-of-options", commit,     NULL};
    TextSnap *text = run(git, parse);
    if (!text) {
        *git->err = (Error){0};
        return error_set(git->err, ERROR_NOT_FOUND, "'%.80s' is no commit of %.*s", ref,
                         STR_FMT(git->root));
    }
    Str line = text_line(text, text_n_lines(text) > 1 ? text_n_lines(text) - 2 : 0);
    const char *const read[] = {"read-tree", arena_str(git->arena, str_trim(line)).ptr, NULL};
    text_release(text);
    text = run(git, read);
    text_release(text);
    return text != NULL;
}

// --- the answers ---------------------------------------------------------------------------------

static int by_text(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

static bool list_files(Git *git, Since *since)
{
    static const char *const words[] = {"ls-files", "-z", NULL};
    TextSnap *text = run(git, words);
    if (!text) return false;
    Str all = text_str(text);
    for (size_t at = 0, end; at < all.len; at = end + 1) {
        for (end = at; end < all.len && all.ptr[end];)
            end++;
        VEC_PUSH(&since->files, resolve(git->root, str_slice(all, at, end), git->arena));
    }
    if (since->files.n) qsort(since->files.items, since->files.n, sizeof(Str), by_text);
    text_release(text);
    return true;
}

// Names with quotes, control characters or backslashes stand in C's quotes.
static Str unquote(Str s, Arena *arena)
{
    if (s.len < 2 || s.ptr[0] != '"') return str_slice(s, 0, str_find(s, STR("\t"), 0));
    char *out = arena_alloc(arena, s.len);
    size_t n = 0;
    for (size_t i = 1; i < s.len && s.ptr[i] != '"'; i++) {
        static const char names[] = "abtnvfr", values[] = "\a\b\t\n\v\f\r";
        char c = s.ptr[i];
        if (c == '\\' && i + 1 < s.len) {
            c = s.ptr[++i];
            const char *name = strchr(names, c);
            if (c >= '0' && c <= '3' && i + 2 < s.len) {
                c = (char)((c - '0') * 64 + (s.ptr[i + 1] - '0') * 8 + s.ptr[i + 2] - '0');
                i += 2;
            } else if (name) {
                c = values[name - names];
            }
        }
        out[n++] = c;
    }
    return (Str){out, n};
}

// "@@ -a[,b] +c[,d] @@": d lines from c on, or, where d is 0, the place behind c.
static bool read_hunk(Str line, uint32_t *first, uint32_t *last)
{
    size_t plus = str_find(line, STR(" +"), 0);
    if (!str_starts(line, STR("@@ -")) || plus >= line.len) return false;
    char *end;
    unsigned long start = strtoul(line.ptr + plus + 2, &end, 10), n = 1;
    if (*end == ',') n = strtoul(end + 1, &end, 10);
    *first = (uint32_t)(start ? start : 1);
    *last = (uint32_t)(n ? start + n - 1 : start + 1);
    return true;
}

static bool list_changes(Git *git, Since *since)
{
    static const char *const words[] = {"diff-files",
                                        "-p",
                                        "-U0",
                                        "--no-ext-diff",
                                        "--no-textconv",
                                        "--no-color",
                                        "--no-renames",
                                        "--ignore-submodules=all",
                                        "--diff-filter=M",
                                        "--src-prefix=a/",
                                        "--dst-prefix=b/",
                                        NULL};
    TextSnap *text = run(git, words);
    if (!text) return false;
    LineRange range = {0};
    bool header = true; // lines of a hunk may look like one
    for (uint32_t row = 0; row < text_n_lines(text); row++) {
        Str line = text_line(text, row);
        if (str_starts(line, STR("diff --git "))) header = true;
        if (header && (str_starts(line, STR("+++ b/")) || str_starts(line, STR("+++ \"b/")))) {
            Str name = unquote(str_slice(line, 4, line.len), git->arena);
            range.path = resolve(git->root, str_slice(name, 2, name.len), git->arena);
        }
        if (!read_hunk(line, &range.first, &range.last)) continue;
        header = false;
        VEC_PUSH(&since->changed, range);
    }
    text_release(text);
    return true;
}

Since *since_open(Str repository, const char *ref, Arena *arena, Error *err)
{
    Since *since = mem_zero(sizeof *since);
    Git git = {
        .root = arena_str(arena, repository), .folder = {.lock = -1}, .arena = arena, .err = err};
    bool ok = make_folder(&git) && read_commit(&git, ref) && list_files(&git, since) &&
              list_changes(&git, since);
    scratch_folder_remove(&git.folder);
    if (ok) return since;
    since_free(since);
    return NULL;
}

void since_free(Since *since)
{
    if (!since) return;
    VEC_FREE(&since->changed);
    VEC_FREE(&since->files);
    free(since);
}

bool since_has(const Since *since, Str path, uint32_t first, uint32_t last)
{
    bool old =
        since->files.n && bsearch(&path, since->files.items, since->files.n, sizeof path, by_text);
    if (!old) return true;
    for (size_t i = 0; i < since->changed.n; i++) {
        const LineRange *r = &since->changed.items[i];
        if (str_equal(r->path, path) && first <= r->last && last >= r->first) return true;
    }
    return false;
}

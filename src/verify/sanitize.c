#include "verify/sanitize.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define LOG_FOLDER ".r1ls-sanitizer"
#define OPTIONS "-fsanitize=address,undefined -fno-sanitize-recover=all -g"

enum { MAX_LOG = 1 << 20, WALL_MS = 180000, CPU_SECONDS = 120 };

// --- compilers -----------------------------------------------------------------------------------

static bool write_program(const char *path, Str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    if (fd < 0) return false;
    bool ok = text_write_all(fd, text);
    return close(fd) == 0 && ok;
}

// The real one by its path; empty: it is not there.
static Str find_compiler(Str name, Arena *arena)
{
    Str path = str_from(getenv("PATH"));
    if (name.len && name.ptr[0] == '/') return access(name.ptr, X_OK) == 0 ? name : STR("");
    for (size_t start = 0; start < path.len;) {
        size_t end = str_find(path, STR(":"), start);
        Str file =
            arena_printf(arena, "%.*s/%.*s", STR_FMT(str_slice(path, start, end)), STR_FMT(name));
        if (end > start && access(file.ptr, X_OK) == 0) return file;
        start = end + 1;
    }
    return STR("");
}

// Warnings that the sanitizers' code brings about are no errors.
static bool add_compiler(const Sanitize *s, Str name, Arena *arena)
{
    Str real = find_compiler(name, arena);
    if (real.len == 0 || str_find(real, STR("'"), 0) < real.len) return true;
    Str path = arena_printf(arena, "%s/%.*s", s->folder.path, STR_FMT(str_base_name(name)));
    return write_program(
        path.ptr, arena_printf(arena, "#!/bin/sh\nexec '%.*s' " OPTIONS " \"$@\" -Wno-error\n",
                               STR_FMT(real)));
}

// The first word of CC or CXX: "ccache gcc" is left alone, as its compiler is looked for in PATH.
static Str compiler_of(const char *variable)
{
    Str value = str_trim(str_from(getenv(variable)));
    return str_find(value, STR(" "), 0) < value.len ? STR("") : value;
}

bool sanitize_init(Sanitize *s, Error *err)
{
    static const char *const names[] = {"cc", "gcc", "clang", "c++", "g++", "clang++"};
    Arena *arena = arena_new();
    bool ok = scratch_folder_make(&s->folder);
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++)
        ok = add_compiler(s, str_from(names[i]), arena);
    if (ok && compiler_of("CC").len) ok = add_compiler(s, compiler_of("CC"), arena);
    if (ok && compiler_of("CXX").len) ok = add_compiler(s, compiler_of("CXX"), arena);
    arena_free(arena);
    if (ok) return true;
    error_set(err, ERROR_IO, "no folder of compilers: %s", strerror(errno));
    sanitize_deinit(s);
    return false;
}

void sanitize_deinit(Sanitize *s)
{
    scratch_folder_remove(&s->folder);
}

// --- the run -------------------------------------------------------------------------------------

static const char *variable(Arena *arena, const char *name, const Sanitize *s)
{
    Str compiler = compiler_of(name);
    if (compiler.len == 0) return NULL;
    return arena_printf(arena, "%s=%s/%.*s", name, s->folder.path, STR_FMT(str_base_name(compiler)))
        .ptr;
}

static const char **environment(const Sanitize *s, const char *copy, Arena *arena)
{
    const char **env = arena_array(arena, 8, sizeof *env);
    int n = 0;
    Str log = arena_printf(arena, "log_path='%s/" LOG_FOLDER "/log'", copy);
    env[n++] =
        arena_printf(arena, "ASAN_OPTIONS=detect_leaks=0:verbosity=1:%.*s", STR_FMT(log)).ptr;
    env[n++] = arena_printf(arena, "UBSAN_OPTIONS=print_stacktrace=1:%.*s", STR_FMT(log)).ptr;
    if ((env[n] = variable(arena, "CC", s))) n++;
    if ((env[n] = variable(arena, "CXX", s))) n++;
    return env;
}

bool sanitize_start(const Sanitize *s, Scratch *scratch, SandboxMode mode,
                    const SandboxCommand *command, Child *child, Arena *arena, Error *err)
{
    SandboxCommand run = *command;
    run.tools = s->folder.path;
    run.environment = environment(s, command->folder, arena);
    run.limits = (ChildLimits){.wall_ms = WALL_MS, .cpu_seconds = CPU_SECONDS};
    const char *copy = scratch_folder(scratch).ptr;
    if (mkdir(arena_printf(arena, "%s/" LOG_FOLDER, copy).ptr, 0700) != 0)
        return error_set(err, ERROR_IO, "no folder for reports: %s", strerror(errno));
    scratch_renew_sources(scratch);
    return sandbox_start(child, mode, &run, arena, err);
}

// --- reports -------------------------------------------------------------------------------------

static Str line_at(Str text, size_t at)
{
    while (at > 0 && text.ptr[at - 1] != '\n')
        at--;
    return str_slice(text, at, str_find(text, STR("\n"), at));
}

// "    #1 0x55 in sum /copy/src/a.c:12:3" of the first frame within the copy.
static Str find_frame(Str text, Str copy, Arena *arena)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = str_find(text, STR("\n"), at);
        Str line = str_trim(str_slice(text, at, end));
        at = end + 1;
        size_t in = str_find(line, STR(" in "), 0), path = str_find(line, copy, 0);
        if (line.len == 0 || line.ptr[0] != '#' || path == line.len || in > path) continue;
        Str name = str_trim(str_slice(line, in + 4, path));
        Str place = str_slice(line, path + copy.len + 1, line.len);
        return arena_printf(arena, " in %.*s (%.*s)", STR_FMT(name), STR_FMT(place));
    }
    return STR("");
}

static Str read_address_report(Str text, size_t at, Str copy, Arena *arena)
{
    Str line = line_at(text, at);
    Str kind = str_slice(line, str_find(line, STR("AddressSanitizer: "), 0) + 18, line.len);
    Str frame = find_frame(str_slice(text, at, text.len), copy, arena);
    // "heap-buffer-overflow on address 0x...", "attempting double-free on 0x..."
    kind = str_slice(kind, 0, str_find(kind, STR(" on "), 0));
    return arena_printf(arena, "%.*s%.*s", STR_FMT(str_slice(kind, 0, 120)), STR_FMT(frame));
}

// "src/a.c:5:14: runtime error: signed integer overflow: ..."
static Str read_undefined_report(Str text, size_t at, Str copy, Arena *arena)
{
    Str line = line_at(text, at), mark = STR(": runtime error: ");
    size_t middle = str_find(line, mark, 0);
    Str place = str_slice(line, 0, middle);
    if (str_starts(place, copy)) place = str_slice(place, copy.len + 1, place.len);
    Str what = str_slice(line, middle + mark.len, line.len);
    return arena_printf(arena, "%.*s (%.*s)", STR_FMT(str_slice(what, 0, 160)), STR_FMT(place));
}

static Str read_report(Str text, Str copy, Arena *arena)
{
    size_t address = str_find(text, STR("ERROR: AddressSanitizer"), 0);
    size_t undefined = str_find(text, STR(": runtime error: "), 0);
    if (undefined < text.len && undefined < address)
        return read_undefined_report(text, undefined, copy, arena);
    if (address < text.len) return read_address_report(text, address, copy, arena);
    return STR("");
}

static int is_log(const struct dirent *entry)
{
    return strncmp(entry->d_name, "log.", 4) == 0;
}

SanitizeReport sanitize_read(const Scratch *scratch, Str folder, Str output, Arena *arena)
{
    SanitizeReport report = {0};
    Str copy = scratch_folder(scratch);
    const char *logs = arena_printf(arena, "%.*s/" LOG_FOLDER, STR_FMT(copy)).ptr;
    struct dirent **entries;
    int n = scandir(logs, &entries, is_log, versionsort);
    for (int i = 0; i < n; i++) {
        Error err = {0};
        Str path = arena_printf(arena, "%s/%s", logs, entries[i]->d_name);
        TextSnap *text = report.text.len ? NULL : text_read_file(path.ptr, MAX_LOG, &err);
        if (text) report.text = read_report(text_str(text), folder, arena);
        text_release(text);
        report.n_processes++;
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    if (report.n_processes && report.text.len == 0)
        report.text = read_report(output, folder, arena);
    return report;
}

bool sanitize_is_same(Str a, Str b)
{
    size_t i = 0, j = 0;
    while (true) {
        while (i < a.len && strchr("0123456789", a.ptr[i]))
            i++;
        while (j < b.len && strchr("0123456789", b.ptr[j]))
            j++;
        if (i == a.len || j == b.len) return i == a.len && j == b.len;
        if (a.ptr[i++] != b.ptr[j++]) return false;
    }
}

// --- is it there? --------------------------------------------------------------------------------

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static SandboxMode probe_mode;
static bool supported;

static void probe(void)
{
    ScratchFolder folder;
    Error err = {0};
    Child child;
    char *argv[] = {"sh", "-c",
                    "echo 'int main(void) { return 0; }' > a.c && cc " OPTIONS " a.c -o a && ./a",
                    NULL};
    if (!scratch_folder_make(&folder)) return;
    Arena *arena = arena_new();
    SandboxCommand command = {.argv = argv,
                              .folder = folder.path,
                              .writable = folder.path,
                              .is_private = true,
                              .limits = {.wall_ms = 20000}};
    if (sandbox_start(&child, probe_mode, &command, arena, &err)) {
        while (!child_poll(&child))
            usleep(2000);
        supported = !child.overran && WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0;
        child_free(&child);
    }
    arena_free(arena);
    scratch_folder_remove(&folder);
}

bool sanitize_is_supported(SandboxMode mode)
{
    probe_mode = mode;
    pthread_once(&probed, probe);
    return supported;
}

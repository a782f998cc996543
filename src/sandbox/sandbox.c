// The command line of bubblewrap, in which later mounts cover earlier ones: the whole file system
// read-only, then empty folders over what is private, then the few places that are shown again.
#include "sandbox/sandbox.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"

typedef VEC(char *) Words;

static void add(Words *words, Arena *arena, const char *word)
{
    VEC_PUSH(words, (char *)(uintptr_t)arena_str(arena, str_from(word)).ptr);
}

static void add_all(Words *words, Arena *arena, const char *const *list)
{
    for (; *list; list++)
        add(words, arena, *list);
}

bool sandbox_read_mode(Str word, SandboxMode *out, Error *err)
{
    static const char *const names[] = {
#define X(name, text) text,
        SANDBOX_MODES(X)
#undef X
    };
    *out = SANDBOX_BWRAP;
    if (word.len == 0) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!str_equal(word, str_from(names[i]))) continue;
        *out = (SandboxMode)i;
        return true;
    }
    return error_set(err, ERROR_INVALID, "sandbox is '%.*s', wanted bwrap or rlimits",
                     STR_FMT(word));
}

// --- bubblewrap ----------------------------------------------------------------------------------

// No --new-session: what has a session of its own is out of reach between its setsid and its asking
// to die with its parent, and a kill at that moment left the whole sandbox behind. The child has a
// session without a terminal already (child.c).
static const char *const isolation[] = {"bwrap",
                                        "--unshare-all",
                                        "--die-with-parent",
                                        "--ro-bind",
                                        "/",
                                        "/",
                                        "--dev",
                                        "/dev",
                                        "--proc",
                                        "/proc",
                                        NULL};
// Sockets of the session (D-Bus, agents, containers) live in /run.
static const char *const private_folders[] = {"--size",  "268435456", "--tmpfs", "/tmp",
                                              "--size",  "268435456", "--tmpfs", "/var/tmp",
                                              "--tmpfs", "/run",      NULL};
// What compilers and test runners need of a home: tool chains and downloaded packages, no settings.
static const char *const tool_folders[] = {
    ".cargo/bin", ".cargo/registry", ".rustup",  ".local/bin", ".local/lib", ".nvm", ".pyenv", "go",
    ".m2",        ".deno/bin",       ".bun/bin", NULL};

static void show(Words *words, Arena *arena, const char *path)
{
    const char *const list[] = {"--ro-bind-try", path, path, NULL};
    add_all(words, arena, list);
}

static void hide_homes(Words *words, Arena *arena)
{
    const char *home = getenv("HOME");
    static const char *const usual[] = {"/home", "/root", NULL};
    for (int i = 0; usual[i]; i++) {
        if (access(usual[i], F_OK) != 0) continue;
        add(words, arena, "--tmpfs");
        add(words, arena, usual[i]);
    }
    bool own = home && home[0] == '/' && home[1] && access(home, F_OK) == 0;
    if (own && !str_starts(str_from(home), STR("/home/")) && strcmp(home, "/root") != 0) {
        add(words, arena, "--tmpfs");
        add(words, arena, home);
    }
    for (int i = 0; own && tool_folders[i]; i++)
        show(words, arena, arena_printf(arena, "%s/%s", home, tool_folders[i]).ptr);
    Str path = str_from(getenv("PATH"));
    for (size_t start = 0; own && start < path.len;) {
        size_t end = str_find(path, STR(":"), start);
        Str folder = str_slice(path, start, end);
        if (str_starts(folder, arena_printf(arena, "%s/", home)))
            show(words, arena, arena_str(arena, folder).ptr);
        start = end + 1;
    }
}

// Variables that builds need; tokens, agents' sockets and the like stay outside.
static const char *find_given(const SandboxCommand *c, const char *name)
{
    size_t n = strlen(name);
    for (const char *const *e = c->environment; e && *e; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=') return *e + n + 1;
    // Python takes a compiled file for current if the source's size and second are the same: two
    // candidates written within a second would be one.
    if (strcmp(name, "PYTHONDONTWRITEBYTECODE") == 0) return "1";
    return strcmp(name, "TMPDIR") == 0 ? "/tmp" : getenv(name);
}

static char **clean_environment(const SandboxCommand *c, Arena *arena)
{
    static const char *const kept[] = {"PATH",
                                       "HOME",
                                       "LANG",
                                       "LC_ALL",
                                       "TZ",
                                       "USER",
                                       "LOGNAME",
                                       "CC",
                                       "CXX",
                                       "CFLAGS",
                                       "CXXFLAGS",
                                       "CPPFLAGS",
                                       "LDFLAGS",
                                       "MAKEFLAGS",
                                       "CMAKE_PREFIX_PATH",
                                       "PKG_CONFIG_PATH",
                                       "PYTHONPATH",
                                       "PYTHONDONTWRITEBYTECODE",
                                       "VIRTUAL_ENV",
                                       "NODE_PATH",
                                       "GOPATH",
                                       "GOFLAGS",
                                       "CARGO_HOME",
                                       "RUSTUP_HOME",
                                       "JAVA_HOME",
                                       "LD_LIBRARY_PATH",
                                       "ASAN_OPTIONS",
                                       "UBSAN_OPTIONS",
                                       "TMPDIR"};
    size_t n = sizeof kept / sizeof *kept, n_out = 0;
    char **env = arena_array(arena, n + 2, sizeof *env);
    for (size_t i = 0; i < n; i++) {
        const char *value = find_given(c, kept[i]);
        bool first = c->tools && strcmp(kept[i], "PATH") == 0;
        if (value)
            env[n_out++] =
                (char *)(uintptr_t)arena_printf(arena, "%s=%s%s%s", kept[i], first ? c->tools : "",
                                                first ? ":" : "", value)
                    .ptr;
    }
    env[n_out] = NULL;
    return env;
}

// Whoever polls may come too late for processes that double each moment, so the kernel counts too:
// since 5.14 by user namespace, before that all processes of the user, which says nothing, and
// never those of root. Twice the limit, so that the poller, who can tell what happened, is first.
static void bound_processes(Words *words, const SandboxCommand *c, Arena *arena)
{
    static const char prlimit[] = "/usr/bin/prlimit";
    struct utsname system;
    int major = 0, minor = 0;
    if (geteuid() == 0 || access(prlimit, X_OK) != 0 || uname(&system) != 0) return;
    if (sscanf(system.release, "%d.%d", &major, &minor) != 2) return;
    if (major < 5 || (major == 5 && minor < 14)) return;
    int n = 2 * (c->limits.n_processes > 0 ? c->limits.n_processes : CHILD_PROCESSES);
    add(words, arena, prlimit);
    add(words, arena, arena_printf(arena, "--nproc=%d:%d", n, n).ptr);
    add(words, arena, "--");
}

static char **wrap(const SandboxCommand *c, Arena *arena)
{
    Words words = {0};
    add_all(&words, arena, isolation);
    if (c->is_private) {
        add_all(&words, arena, private_folders);
        hide_homes(&words, arena);
    }
    if (c->tools) show(&words, arena, c->tools);
    if (c->readable) show(&words, arena, c->readable);
    if (c->writable) {
        const char *at = c->shown_at ? c->shown_at : c->writable;
        const char *const list[] = {"--bind", c->writable, at, NULL};
        add_all(&words, arena, list);
    }
    const char *const list[] = {"--chdir", c->folder, "--", NULL};
    add_all(&words, arena, list);
    if (c->is_private) bound_processes(&words, c, arena);
    add_all(&words, arena, (const char *const *)c->argv);
    char **argv = arena_array(arena, words.n + 1, sizeof *argv);
    memcpy(argv, words.items, words.n * sizeof *argv);
    argv[words.n] = NULL;
    VEC_FREE(&words);
    return argv;
}

// --- is it there? --------------------------------------------------------------------------------

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static bool available;
static char reason[200];

static void probe(void)
{
    char *argv[] = {"bwrap", "--unshare-all", "--ro-bind", "/",  "/",    "--dev",
                    "/dev",  "--proc",        "/proc",     "--", "true", NULL};
    Child child;
    const ChildLimits limits = {.wall_ms = 5000};
    if (!child_start(&child, argv, NULL, "/", &limits)) {
        snprintf(reason, sizeof reason, "no process can be started");
        return;
    }
    while (!child_poll(&child))
        usleep(1000);
    available = WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0;
    bool missing = WIFEXITED(child.status) && WEXITSTATUS(child.status) == 127;
    Str said = str_trim(strbuf_str(&child.output));
    if (missing) said = STR("bubblewrap (bwrap) is not installed");
    if (said.len == 0) said = STR("bwrap fails without a message");
    said = str_slice(said, 0, str_find(said, STR("\n"), 0));
    if (!available) snprintf(reason, sizeof reason, "%.*s", STR_FMT(said));
    child_free(&child);
}

bool sandbox_is_available(const char **why)
{
    pthread_once(&probed, probe);
    if (why) *why = reason;
    return available;
}

// Bubblewrap would report a missing program as the program's own failure.
static bool has_program(const SandboxCommand *c, Arena *arena)
{
    const char *name = c->argv[0];
    if (name[0] == '/') return access(name, X_OK) == 0;
    if (strchr(name, '/'))
        return access(arena_printf(arena, "%s/%s", c->folder, name).ptr, X_OK) == 0;
    Str path = str_from(getenv("PATH"));
    for (size_t start = 0; start < path.len;) {
        size_t end = str_find(path, STR(":"), start);
        Str file = arena_printf(arena, "%.*s/%s", STR_FMT(str_slice(path, start, end)), name);
        if (access(file.ptr, X_OK) == 0) return true;
        start = end + 1;
    }
    return false;
}

bool sandbox_start(Child *child, SandboxMode mode, const SandboxCommand *command, Arena *arena,
                   Error *err)
{
    const char *why;
    *child = (Child){.out = -1};
    if (mode == SANDBOX_BWRAP && !sandbox_is_available(&why))
        return error_set(err, ERROR_UNSUPPORTED,
                         "no sandbox for the project's commands: %s; wanted bubblewrap, or the "
                         "setting sandbox=rlimits to run them without one",
                         why);
    if (access(command->folder, X_OK) != 0)
        return error_set(err, ERROR_NOT_FOUND, "the folder %.200s cannot be entered",
                         command->folder);
    if (!has_program(command, arena))
        return error_set(err, ERROR_NOT_FOUND, "%.100s is not installed", command->argv[0]);
    char **argv = mode == SANDBOX_BWRAP ? wrap(command, arena) : (char **)command->argv;
    char **env = command->is_private ? clean_environment(command, arena) : NULL;
    return child_start(child, argv, env, command->folder, &command->limits) ||
           error_set(err, ERROR_IO, "%s cannot be started", argv[0]);
}

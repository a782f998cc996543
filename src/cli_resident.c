// One server for all windows: `r1ls` on stdin and stdout hands its bytes on to a server that serves
// every client of this user that was started in the same way, and starts it where there is none.
//
//   editor ── stdin, stdout ── r1ls (this file) ── socket, 0600 ── r1ls --socket, with the model
//
// It reads nothing of what it hands on. When the server dies, it ends with 1, so that the editor
// starts it again, and that starts another server.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"

enum { COPY_BYTES = 1 << 16, MAX_LOG_BYTES = 1 << 20, RETRY_US = 10000, ALIVE_MS = 150 };
static const double START_MS = 15000;

// --- names ---------------------------------------------------------------------------------------

// A folder that nobody else can write: $XDG_RUNTIME_DIR/r1ls, else one of ours in /tmp.
static bool make_folder(Arena *arena, Str *out, Error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool fits = runtime && runtime[0] == '/' && strlen(runtime) < 60; // a socket's path is short
    *out = fits ? arena_printf(arena, "%s/r1ls", runtime)
                : arena_printf(arena, "/tmp/r1ls-%u", (unsigned)getuid());
    struct stat st;
    if (mkdir(out->ptr, 0700) != 0 && errno != EEXIST)
        return error_set(err, ERROR_IO, "%s cannot be made: %s", out->ptr, strerror(errno));
    if (lstat(out->ptr, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid() ||
        (st.st_mode & 077))
        return error_set(err, ERROR_IO, "%s, wanted a folder of this user that others cannot enter",
                         out->ptr);
    return true;
}

static void add_text(StrBuf *key, const char *text)
{
    strbuf_append(key, str_from(text ? text : "-"));
    strbuf_append_char(key, '\n');
}

// An argument with a path that depends on the folder that this process was started in.
static bool is_relative(const char *argument)
{
    const char *value = strchr(argument, '=');
    value = value ? value + 1 : argument;
    return value[0] != '/' && strchr(value, '/') != NULL;
}

static bool any_is_relative(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_relative(argv[i])) return true;
    return false;
}

// What makes servers different: the program, its options, and where it looks for the user's files.
static unsigned long long make_key(int argc, char **argv)
{
    static const char *const variables[] = {"HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME",
                                            "XDG_CONFIG_HOME"};
    StrBuf key = {0};
    struct stat st = {0};
    stat("/proc/self/exe", &st);
    strbuf_printf(&key, "%s %llu %llu %lld %lld\n", R1LS_VERSION, (unsigned long long)st.st_dev,
                  (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec,
                  (long long)st.st_size);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        add_text(&key, getenv(variables[i]));
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--stdio") != 0) add_text(&key, argv[i]);
    char folder[4096];
    if (any_is_relative(argc, argv) && getcwd(folder, sizeof folder)) add_text(&key, folder);
    unsigned long long hash = str_hash(strbuf_str(&key), 0);
    strbuf_deinit(&key);
    return hash;
}

// --- the server ----------------------------------------------------------------------------------

static int try_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

// A server that has closed one connection on purpose keeps another open; one that is dying may
// still take it, and drops it at once.
static bool is_alive(const char *path)
{
    struct pollfd again = {.fd = try_connect(path), .events = POLLIN};
    bool alive = again.fd >= 0 && poll(&again, 1, ALIVE_MS) == 0;
    if (again.fd >= 0) close(again.fd);
    return alive;
}

// In the child: the same options, and a socket. Its output goes into a file, because the editor's
// pipes must end with the editor.
static void run_resident(const char *path, const char *log, int argc, char **argv)
{
    struct stat st;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    if (stat(log, &st) == 0 && st.st_size > MAX_LOG_BYTES) flags |= O_TRUNC;
    int out = open(log, flags, 0600), in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0 || setsid() < 0) _exit(127);
    if (!any_is_relative(argc, argv) && chdir("/") != 0) _exit(127); // no folder is kept busy
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    char **all = calloc((size_t)argc + 4, sizeof *all), program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    int n = 0;
    if (!all || len <= 0) _exit(127);
    program[len] = '\0';
    all[n++] = argv[0];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--stdio") != 0) all[n++] = argv[i];
    all[n++] = "--socket";
    all[n++] = (char *)path;
    all[n++] = "--resident";
    execv(program, all);
    _exit(127);
}

// Two forks, so that the server is nobody's child and leaves nothing to be waited for.
static bool start_resident(const char *path, const char *log, int argc, char **argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) run_resident(path, log, argc, argv);
        _exit(0);
    }
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid;
}

static int wait_for_server(const char *path)
{
    double start = clock_ms();
    int fd = try_connect(path);
    for (; fd < 0 && clock_ms() - start < START_MS; fd = try_connect(path))
        usleep(RETRY_US);
    return fd;
}

// Connected, or -1 with err set. Of several that come at once, one starts the server.
static int join(const char *path, const char *log, int argc, char **argv, Arena *arena, Error *err)
{
    int fd = try_connect(path);
    if (fd >= 0) return fd;
    const char *lock_path = arena_printf(arena, "%s.lock", path).ptr;
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        error_set(err, ERROR_IO, "%s cannot be locked: %s", lock_path, strerror(errno));
    } else if ((fd = try_connect(path)) < 0) {
        if (start_resident(path, log, argc, argv)) fd = wait_for_server(path);
        if (fd < 0) error_set(err, ERROR_IO, "no server came up on %s, see %s", path, log);
    }
    if (lock >= 0) close(lock);
    return fd;
}

// --- bytes ---------------------------------------------------------------------------------------

// From one descriptor to the other until one of them ends.
static void copy_all(int from, int to)
{
    char *bytes = malloc(COPY_BYTES);
    for (;;) {
        ssize_t n = bytes ? read(from, bytes, COPY_BYTES) : -1;
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        for (ssize_t done = 0; done < n;) {
            ssize_t written = write(to, bytes + done, (size_t)(n - done));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) goto done;
            done += written;
        }
    }
done:
    free(bytes);
}

// The editor's way to the server has a thread of its own, because each way may block for as long as
// its reader does.
static void *copy_input(void *user)
{
    int server = *(const int *)user;
    copy_all(STDIN_FILENO, server);
    shutdown(server, SHUT_WR);
    return NULL;
}

int cli_join_resident(int argc, char **argv, Error *err)
{
    Arena *arena = arena_new();
    Str folder;
    int code = -1, server = -1;
    if (make_folder(arena, &folder, err)) {
        const char *path = arena_printf(arena, "%s/%016llx", folder.ptr, make_key(argc, argv)).ptr;
        const char *log = arena_printf(arena, "%s.log", path).ptr;
        server = join(path, log, argc, argv, arena, err);
        pthread_t thread;
        if (server >= 0 && pthread_create(&thread, NULL, copy_input, &server) == 0) {
            copy_all(server, STDOUT_FILENO);
            code = is_alive(path) ? CLI_DONE : CLI_FINDINGS;
            if (code != CLI_DONE) cli_fail(code, "the server has ended, see %s", log);
        }
    }
    arena_free(arena);
    return code;
}

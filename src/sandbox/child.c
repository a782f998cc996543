// Memory and processes are watched by looking at /proc: RLIMIT_AS would break every program under
// AddressSanitizer, which reserves terabytes, and RLIMIT_NPROC counts the user's other programs and
// does not hold for root.
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { MAX_OUTPUT = 64 * 1024, WATCH_MS = 20, LAST_MS = 500, MAX_DEPTH = 64 };

static const ChildLimits default_limits = {.wall_ms = 30000,
                                           .cpu_seconds = 20,
                                           .memory_bytes = (size_t)4 << 30,
                                           .n_processes = CHILD_PROCESSES,
                                           .file_bytes = (size_t)256 << 20};

static void limit(int what, rlim_t value)
{
    struct rlimit l = {value, value};
    setrlimit(what, &l);
}

// After fork in a threaded process: only calls that are safe in a signal handler.
static _Noreturn void run_child(const Child *child, char *const *argv, char *const *envp,
                                const char *folder, int out)
{
    setsid();
    if (child->limits.nice) setpriority(PRIO_PROCESS, 0, child->limits.nice);
    pids_group_join(&child->group);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    close_range(3, ~0u, 0);
    sigset_t none; // the engine's threads may block signals, which a child would inherit
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    limit(RLIMIT_CPU, (rlim_t)child->limits.cpu_seconds);
    limit(RLIMIT_FSIZE, (rlim_t)child->limits.file_bytes);
    limit(RLIMIT_CORE, 0);
    if (chdir(folder) != 0) _exit(126);
    if (envp)
        execvpe(argv[0], argv, envp);
    else
        execvp(argv[0], argv);
    _exit(127);
}

static ChildLimits fill_limits(const ChildLimits *limits)
{
    ChildLimits l = limits ? *limits : default_limits;
    if (l.wall_ms <= 0) l.wall_ms = default_limits.wall_ms;
    if (l.cpu_seconds <= 0) l.cpu_seconds = default_limits.cpu_seconds;
    if (l.memory_bytes == 0) l.memory_bytes = default_limits.memory_bytes;
    if (l.n_processes <= 0) l.n_processes = default_limits.n_processes;
    if (l.file_bytes == 0) l.file_bytes = default_limits.file_bytes;
    return l;
}

bool child_start(Child *child, char *const *argv, char *const *envp, const char *folder,
                 const ChildLimits *limits)
{
    int fds[2];
    double now = clock_ms();
    *child = (Child){.out = -1, .start_ms = now, .watched_ms = now, .limits = fill_limits(limits)};
    if (pipe2(fds, O_CLOEXEC) != 0) return false;
    // Twice the limit, so that the poller, who can tell what happened, is first.
    pids_group_new(&child->group, 2 * child->limits.n_processes);
    pid_t pid = fork();
    if (pid == 0) run_child(child, argv, envp, folder, fds[1]);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        pids_group_free(&child->group);
        return false;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    child->pid = pid;
    child->out = fds[0];
    return true;
}

// The session is one process group. Before the child has made it there is only the child.
static void kill_all(const Child *child)
{
    if (kill(-child->pid, SIGKILL) != 0) kill(child->pid, SIGKILL);
}

static void read_output(Child *child)
{
    char chunk[4096];
    ssize_t n;
    while (child->out >= 0 && (n = read(child->out, chunk, sizeof chunk)) > 0)
        if (child->output.len < MAX_OUTPUT) strbuf_append(&child->output, (Str){chunk, (size_t)n});
}

// --- watching ------------------------------------------------------------------------------------

typedef struct Usage {
    int n_processes, n_awake; // awake: one that runs, or would if it could
    size_t n_pages;
    unsigned long n_ticks; // of processor time, with those that have ended
} Usage;

// Reads a small file of /proc; the length, 0 if it is gone.
static size_t read_small(const char *path, char *out, size_t n_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, out, n_bytes - 1);
    close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

// "PID (NAME) STATE PARENT ...": a name may hold anything, so that what follows is counted from the
// last bracket.
static void add_stat(Usage *usage, const char *text)
{
    char *rest = strrchr(text, ')'), state = 0;
    unsigned long ticks[4] = {0}, n_pages = 0; // its own, and of children that it waited for
    if (!rest) return;
    sscanf(rest + 1,
           " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu %*d %*d %*d %*d %*u %*u "
           "%lu",
           &state, &ticks[0], &ticks[1], &ticks[2], &ticks[3], &n_pages);
    usage->n_awake += state == 'R' || state == 'D';
    usage->n_ticks += ticks[0] + ticks[1] + ticks[2] + ticks[3];
    usage->n_pages += n_pages;
}

static void add_process(Usage *usage, long pid, int max_processes, int depth)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (depth > MAX_DEPTH || usage->n_processes > max_processes ||
        !read_small(path, text, sizeof text))
        return;
    usage->n_processes++;
    add_stat(usage, text);
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    read_small(path, text, sizeof text);
    char *end = text;
    for (long child; (child = strtol(end, &end, 10)) > 0;)
        add_process(usage, child, max_processes, depth + 1);
}

// A process that waits for a busy processor spends nothing; one that sleeps does, and so does one
// that is stopped.
static void spend(Child *child, const Usage *usage, double ms)
{
    double cpu_ms = 1000.0 * (double)usage->n_ticks / (double)sysconf(_SC_CLK_TCK);
    // Orphans that somebody else waited for are missing in the sum.
    double more = cpu_ms > child->cpu_ms ? cpu_ms - child->cpu_ms : 0;
    child->cpu_ms += more;
    child->spent_ms += more > 0 || usage->n_awake ? more : ms;
}

static const char *find_overrun(Child *child)
{
    double now = clock_ms(), since = now - child->watched_ms;
    const ChildLimits *l = &child->limits;
    if (now - child->start_ms > l->wall_ms) return "its time";
    if (since < WATCH_MS) return NULL;
    child->watched_ms = now;
    Usage usage = {0};
    add_process(&usage, child->pid, l->n_processes, 0);
    spend(child, &usage, since);
    if (l->spent_ms > 0 && child->spent_ms > l->spent_ms) return "its time";
    if (usage.n_processes > l->n_processes) return "its processes";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return usage.n_pages > l->memory_bytes / page ? "its memory" : NULL;
}

bool child_poll(Child *child)
{
    if (child->pid == 0) return true;
    read_output(child);
    if (!child->overran) child->overran = find_overrun(child);
    if (child->overran) kill_all(child);
    pid_t done = waitpid(child->pid, &child->status, WNOHANG);
    if (done == 0 || (done < 0 && errno == EINTR)) return false;
    if (done < 0) child->status = -1;
    kill(-child->pid, SIGKILL); // whatever it left behind
    child->pid = 0;
    read_output(child);
    return true;
}

// A sandbox's processes die with its first process, which takes the kernel a moment. Their end
// closes the pipe.
static void wait_for_the_last(const Child *child)
{
    char chunk[4096];
    double start = clock_ms();
    for (struct pollfd p = {.fd = child->out, .events = POLLIN}; clock_ms() - start < LAST_MS;) {
        ssize_t n = poll(&p, 1, LAST_MS) > 0 ? read(child->out, chunk, sizeof chunk) : -1;
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
    }
}

void child_free(Child *child)
{
    if (child->pid > 0) {
        kill_all(child);
        waitpid(child->pid, &child->status, 0);
        if (child->out >= 0) wait_for_the_last(child);
    }
    if (child->out >= 0) close(child->out);
    pids_group_free(&child->group);
    strbuf_deinit(&child->output);
    *child = (Child){.out = -1};
}

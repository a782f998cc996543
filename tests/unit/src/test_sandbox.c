// Escapes that a project's command may try, each of them refused. Where bubblewrap cannot work the
// isolation is skipped, loudly, and the limits are tested alone.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"
#include "unit/processes.h"
#include "unit/unit.h"

typedef struct Run {
    bool ok; // exit status 0 within the limits
    const char *overran;
    char output[4096];
} Run;

static Arena *arena;
static ScratchFolder scratch;

static void setup_folder(void)
{
    arena = arena_new();
    assert_true(scratch_folder_make(&scratch));
}

static void remove_folder(void)
{
    scratch_folder_remove(&scratch);
    arena_free(arena);
}

static Run run_script(SandboxMode mode, const char *script, ChildLimits limits)
{
    char *argv[] = {"bash", "-c", (char *)(uintptr_t)script, NULL};
    SandboxCommand command = {.argv = argv,
                              .folder = scratch.path,
                              .writable = scratch.path,
                              .is_private = true,
                              .limits = limits};
    Child child;
    Error err = {0};
    if (!sandbox_start(&child, mode, &command, arena, &err)) fail_msg("%s", err.text);
    while (!child_poll(&child))
        usleep(2000);
    Run run = {.ok = !child.overran && WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0,
               .overran = child.overran};
    snprintf(run.output, sizeof run.output, "%.*s", STR_FMT(strbuf_str(&child.output)));
    child_free(&child);
    return run;
}

static Run run_isolated(const char *script)
{
    return run_script(SANDBOX_BWRAP, script, (ChildLimits){.wall_ms = 20000});
}

static bool has_bwrap(void)
{
    const char *why;
    if (sandbox_is_available(&why)) return true;
    print_message("SKIPPED: no sandbox here: %s\n", why);
    return false;
}

static void ordinary_work_is_possible(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    Run run = run_isolated("echo data > file && cat file && mktemp && test -c /dev/null && pwd");
    assert_true(run.ok);
    assert_non_null(strstr(run.output, "data"));
    assert_non_null(strstr(run.output, scratch.path));
    remove_folder();
}

static void no_socket_leads_out(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    char script[200];
    snprintf(script, sizeof script, "exec 3<>/dev/tcp/127.0.0.1/%d", ntohs(address.sin_port));
    // The listener is there: without isolation the same script gets through.
    assert_true(run_script(SANDBOX_RLIMITS, script, (ChildLimits){0}).ok);
    assert_false(run_isolated(script).ok);
    close(fd);
    remove_folder();
}

static void nothing_outside_is_written(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    char victim[] = "victim-XXXXXX", path[512], folder[256], script[1600];
    int fd = mkstemp(victim);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "old", 3), 3);
    close(fd);
    assert_non_null(getcwd(folder, sizeof folder));
    snprintf(path, sizeof path, "%s/%s", folder, victim);
    snprintf(script, sizeof script, "echo new > %s; rm -f %s; ln -s %s out; echo new > out", path,
             path, path);
    run_isolated(script);
    char content[8] = {0};
    fd = open(victim, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, content, 7), 3);
    close(fd);
    assert_string_equal(content, "old");
    unlink(victim);
    // What is written to the private folders is gone, and was never elsewhere.
    assert_true(run_isolated("echo x > /tmp/r1ls-escape && cat /tmp/r1ls-escape").ok);
    assert_int_not_equal(access("/tmp/r1ls-escape", F_OK), 0);
    assert_false(run_isolated("touch /etc/r1ls-escape").ok);
    remove_folder();
}

static void keys_and_tokens_are_not_there(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    ScratchFolder home;
    assert_true(scratch_folder_make(&home));
    char path[256];
    snprintf(path, sizeof path, "%s/.ssh", home.path);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/.ssh/id_rsa", home.path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "SECRET-KEY", 10), 10);
    close(fd);
    char *old_home = strdup(getenv("HOME") ? getenv("HOME") : "/");
    setenv("HOME", home.path, 1);
    setenv("GITHUB_TOKEN", "SECRET-TOKEN", 1);
    char script[600];
    snprintf(script, sizeof script, "cat ~/.ssh/id_rsa; cat %s; env; ls -a ~", path);
    Run run = run_isolated(script);
    assert_null(strstr(run.output, "SECRET"));
    setenv("HOME", old_home, 1);
    unsetenv("GITHUB_TOKEN");
    free(old_home);
    scratch_folder_remove(&home);
    remove_folder();
}

static void daemons_die(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    assert_true(run_isolated("setsid sleep 86399.5 </dev/null >/dev/null 2>&1 & sleep 0.2").ok);
    // The kernel ends the whole process namespace; its processes are gone within moments.
    for (int i = 0; i < 200 && process_is_alive("sleep 86399.5"); i++)
        usleep(10000);
    assert_false(process_is_alive("sleep 86399.5"));
    remove_folder();
}

// The sandbox is made in steps, and at each of them a kill must leave nothing.
static void a_kill_at_any_moment_leaves_nothing(void **state)
{
    enum { N_KILLS = 80, STEP_US = 331, MAX_US = 40000 };
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    char *argv[] = {"sleep", "86399.7", NULL};
    SandboxCommand command = {.argv = argv, .folder = scratch.path, .is_private = true};
    for (int i = 0; i < N_KILLS; i++) {
        Child child;
        Error err = {0};
        assert_ok(sandbox_start(&child, SANDBOX_BWRAP, &command, arena, &err), err);
        usleep((useconds_t)(i * STEP_US % MAX_US));
        child_free(&child);
    }
    for (int i = 0; i < 200 && process_is_alive("sleep 86399.7"); i++)
        usleep(10000);
    assert_false(process_is_alive("sleep 86399.7"));
    remove_folder();
}

static void limits_hold(SandboxMode mode)
{
    setup_folder();
    double start = clock_ms();
    Run run = run_script(mode, "sleep 1000", (ChildLimits){.wall_ms = 300});
    assert_string_equal(run.overran, "its time");
    assert_true(clock_ms() - start < 10000);
    run = run_script(mode, "for i in $(seq 64); do sleep 1000 & done; wait",
                     (ChildLimits){.n_processes = 32, .wall_ms = 20000});
    assert_string_equal(run.overran, "its processes");
    run = run_script(mode, "a=x; while :; do a=$a$a; done",
                     (ChildLimits){.memory_bytes = (size_t)128 << 20, .wall_ms = 60000});
    assert_string_equal(run.overran, "its memory");
    run = run_script(mode, "head -c 4000000 /dev/zero > big",
                     (ChildLimits){.file_bytes = 1 << 20, .wall_ms = 20000});
    assert_false(run.ok);
    remove_folder();
}

static void limits_hold_in_the_sandbox(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    limits_hold(SANDBOX_BWRAP);
}

static void limits_hold_alone(void **state)
{
    (void)state;
    limits_hold(SANDBOX_RLIMITS);
}

static void fork_bombs_end(void **state)
{
    (void)state;
    if (!has_bwrap()) skip();
    setup_folder();
    Run run = run_script(SANDBOX_BWRAP,
                         "bomb() { bomb 77123 | bomb 77123 & sleep 0.02; }; bomb 77123; sleep 30",
                         (ChildLimits){.n_processes = 64, .wall_ms = 20000});
    assert_string_equal(run.overran, "its processes");
    remove_folder();
}

static double run_spending(const char *script, ChildLimits limits, double *wall_ms,
                           const char **overran)
{
    Child child;
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    double start = clock_ms();
    assert_true(child_start(&child, argv, NULL, "/", &limits));
    while (!child_poll(&child))
        usleep(2000);
    double spent = child.spent_ms;
    *wall_ms = clock_ms() - start;
    *overran = child.overran;
    child_free(&child);
    return spent;
}

// What it spends tells of the child, not of what else the machine has to do.
static void waiting_for_the_processor_is_not_spent(void **state)
{
    (void)state;
    static const char work[] = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    enum { N_OTHERS = 5 };
    pid_t others[N_OTHERS];
    cpu_set_t all, one;
    double wall_ms, busy_ms;
    const char *overran;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    for (int i = 0; i < N_OTHERS; i++) {
        if ((others[i] = fork()) != 0) continue;
        setsid(); // as the child's is: where sessions share a processor, each has its part
        setpriority(PRIO_PROCESS, 0, 5); // so that the poller has its turns
        for (;;)
            ;
    }
    ChildLimits limits = {.nice = 5};
    double spent = run_spending(work, limits, &wall_ms, &overran);
    assert_null(overran);
    // It forks, so that processes which have ended count.
    limits.spent_ms = 200;
    run_spending("while :; do sh -c 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done'; done",
                 limits, &busy_ms, &overran);
    for (int i = 0; i < N_OTHERS; i++) {
        kill(others[i], SIGKILL);
        waitpid(others[i], NULL, 0);
    }
    sched_setaffinity(0, sizeof all, &all);
    assert_non_null(overran);
    assert_true(busy_ms > 2 * limits.spent_ms);
    if (spent > wall_ms / 2 || spent < wall_ms / 20)
        fail_msg("spent %.0f of %.0f ms", spent, wall_ms);
}

static void sleep_is_spent(void **state)
{
    (void)state;
    double wall_ms;
    const char *overran;
    double spent = run_spending("sleep 0.4", (ChildLimits){0}, &wall_ms, &overran);
    assert_null(overran);
    if (spent < 250 || spent > wall_ms) fail_msg("spent %.0f of %.0f ms", spent, wall_ms);
    run_spending("sleep 20", (ChildLimits){.spent_ms = 300}, &wall_ms, &overran);
    assert_string_equal(overran, "its time");
    assert_true(wall_ms < 10000);
}

static void addresses_may_be_reserved(void **state)
{
    (void)state;
    setup_folder();
    // As AddressSanitizer does: 16 TB reserved, nothing touched.
    Run run = run_script(SANDBOX_RLIMITS,
                         "python3 -c 'import mmap; m = mmap.mmap(-1, 1 << 42, "
                         "mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000); print(len(m))'",
                         (ChildLimits){.memory_bytes = (size_t)256 << 20});
    assert_true(run.ok);
    remove_folder();
}

static void modes_are_read(void **state)
{
    (void)state;
    SandboxMode mode;
    Error err = {0};
    assert_true(sandbox_read_mode(STR("rlimits"), &mode, &err));
    assert_int_equal(mode, SANDBOX_RLIMITS);
    assert_true(sandbox_read_mode(STR(""), &mode, &err));
    assert_int_equal(mode, SANDBOX_BWRAP);
    assert_false(sandbox_read_mode(STR("none"), &mode, &err));
    assert_non_null(strstr(err.text, "'none', wanted bwrap or rlimits"));
}

static void folders_of_the_dead_are_removed(void **state)
{
    (void)state;
    ScratchFolder mine;
    assert_true(scratch_folder_make(&mine));
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        ScratchFolder lost;
        bool made = scratch_folder_make(&lost);
        ssize_t n = write(pipe_fds[1], lost.path, sizeof lost.path);
        _exit(made && n > 0 ? 0 : 1);
    }
    char path[sizeof mine.path];
    assert_int_equal(read(pipe_fds[0], path, sizeof path), sizeof path);
    waitpid(pid, NULL, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    scratch_sweep(60); // both are too young to be judged
    assert_int_equal(access(path, F_OK), 0);
    scratch_sweep(0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(mine.path, F_OK), 0);
    scratch_folder_remove(&mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_work_is_possible),
        cmocka_unit_test(no_socket_leads_out),
        cmocka_unit_test(nothing_outside_is_written),
        cmocka_unit_test(keys_and_tokens_are_not_there),
        cmocka_unit_test(daemons_die),
        cmocka_unit_test(a_kill_at_any_moment_leaves_nothing),
        cmocka_unit_test(limits_hold_in_the_sandbox),
        cmocka_unit_test(limits_hold_alone),
        cmocka_unit_test(fork_bombs_end),
        cmocka_unit_test(waiting_for_the_processor_is_not_spent),
        cmocka_unit_test(sleep_is_spent),
        cmocka_unit_test(addresses_may_be_reserved),
        cmocka_unit_test(modes_are_read),
        cmocka_unit_test(folders_of_the_dead_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Progress of long work: a bar on a terminal, lines elsewhere, JSON where it was asked for.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"

enum { BAR_WIDTH = 24, TERMINAL_MS = 100, LINE_MS = 500 };

static volatile sig_atomic_t interrupted;
static struct sigaction before[2]; // of SIGINT and SIGTERM

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_progress_start(CliProgress *p, const char *action, bool json)
{
    struct sigaction action_of = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
    *p = (CliProgress){.action = action, .json = json, .is_terminal = isatty(STDERR_FILENO) == 1};
    p->start_ms = clock_ms();
    p->shown_ms = -1e9;
    sigaction(SIGINT, &action_of, &before[0]); // a second one ends the program at once
    sigaction(SIGTERM, &action_of, &before[1]);
}

static void print_json(const CliProgress *p, uint64_t done, uint64_t total)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "event", json_object_new_string("progress"));
    json_object_object_add(object, "action", json_object_new_string(p->action));
    json_object_object_add(object, "done", json_object_new_uint64(done));
    json_object_object_add(object, "total", json_object_new_uint64(total));
    cli_json_print(object);
    fflush(stdout);
}

static void print_text(const CliProgress *p, uint64_t done, uint64_t total)
{
    const char *name = p->in_tokens ? " tokens" : " MB";
    double unit = p->in_tokens ? 1 : 1e6, part = total ? (double)done / (double)total : 0;
    double seconds = (clock_ms() - p->start_ms) / 1e3;
    double rate = seconds > 0 ? (double)(done - p->first) / seconds : 0;
    if (!p->is_terminal) {
        fprintf(stderr, "%s: %.0f%% of %.1f%s\n", p->action, part * 100, (double)total / unit,
                name);
        return;
    }
    char bar[BAR_WIDTH + 1] = {0};
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', (size_t)(part * BAR_WIDTH));
    fprintf(stderr, "\r%s [%s] %3.0f%% of %.1f%s", p->action, bar, part * 100, (double)total / unit,
            name);
    if (rate > 0)
        fprintf(stderr, ", %.1f%s/s, %.0f s left ", rate / unit, name,
                (double)(total - done) / rate);
}

bool cli_progress_step(void *progress, uint64_t done, uint64_t total)
{
    CliProgress *p = progress;
    double now = clock_ms(), wait = p->is_terminal && !p->json ? TERMINAL_MS : LINE_MS;
    if (total < done) total = done;
    if (p->first == 0) p->first = done;
    if (now - p->shown_ms >= wait || (done == total && !p->is_whole)) {
        p->shown_ms = now;
        p->is_whole = done == total;
        if (p->json)
            print_json(p, done, total);
        else
            print_text(p, done, total);
    }
    return !interrupted;
}

bool cli_progress_interrupted(void)
{
    return interrupted;
}

void cli_progress_end(CliProgress *p)
{
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    if (p->is_terminal && !p->json && p->shown_ms > 0) fputc('\n', stderr);
    p->shown_ms = -1e9;
}

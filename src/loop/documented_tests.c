// A function that nothing else tests is judged by what its comment says of it.
#include "loop/documented_tests.h"

#include <sys/wait.h>

#include "loop/documented.h"
#include "loop/trial.h"

static const double TRY_MS = 20000;

// A file that cannot be built by itself, or read as a module, is judged by no examples.
static bool can_run(LoopRun *run)
{
    Error err = {0};
    const LoopRequest *r = run->request;
    Scratch *scratch = scratch_new(r->root, &err);
    bool ok = scratch && scratch_write(scratch, r->path, text_str(r->text), &err);
    Child child = {.out = -1};
    ok = ok && trial_run(run, scratch, STR(""), TRY_MS, &child);
    bool passed = ok && WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0;
    ok = ok && (passed || str_contains(strbuf_str(&child.output), ": FAILED: "));
    child_free(&child);
    scratch_free(scratch);
    return ok;
}

bool documented_use(LoopRun *run)
{
    const LoopRequest *r = run->request;
    bool kind = run->task.kind == TASK_BODY || (run->task.kind == TASK_FIX && !r->message.len);
    if (!kind || !r->trusted || !r->find_tests) return false;
    DocExample *examples;
    size_t n = documented_find(r->syntax, &run->task.function, run->arena, &examples);
    Str command =
        documented_command(r->syntax, r->path, &run->task.function, examples, n, run->arena);
    if (command.len == 0) return false;
    const LoopRun before = *run;
    run->command = command;
    run->has_command = run->has_tests = run->by_comment = true;
    run->shown_at_root = false;
    if (can_run(run)) return true;
    run->command = before.command;
    run->has_command = before.has_command;
    run->has_tests = run->by_comment = false;
    run->shown_at_root = before.shown_at_root;
    return false;
}

bool documented_take(LoopRun *run)
{
    const Candidate *best = loop_best_failure(run);
    bool kind = run->by_comment && run->task.kind == TASK_BODY;
    if (!kind || !best || best->tests != VERDICT_FAIL || best->evidence.compile != VERDICT_PASS)
        return false;
    run->passed = (int)(best - run->candidates.items);
    run->result->doubt =
        arena_printf(run->arena, "it contradicts its comment: %.*s", STR_FMT(best->test_note));
    return true;
}

// Verify parses and compiles; what passes there is written into a copy of the project, in which
// the test command runs. Copies are few and are used again.
#include "loop/trial.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

enum { POLL_US = 1000, MESSAGE_BYTES = 700, MESSAGE_LINES = 8, MALFORMED = 1 << 20 };
// What runs beside the model leaves it its cores.
enum { IDLE_NICE = 15 };
// What was found may have to build the whole project first.
static const double FOUND_LIMIT_MS = 90000;
static const double STARVED_SHARE = 0.5;

// --- what failed ---------------------------------------------------------------------------------

static bool says_failure(Str line)
{
    static const char *const signs[] = {
        "FAILED",  "error:",         "Error:",   "FAIL:",  "Assertion",           "runtime error",
        "not ok ", "AssertionError", "panicked", "ERROR:", "undefined reference", NULL};
    for (int i = 0; signs[i]; i++)
        if (str_find(line, str_from(signs[i]), 0) < line.len) return true;
    return false;
}

// Python's summary names the error last, after the traceback; make's last line says nothing.
static size_t find_failure(Str output)
{
    size_t fallback = 0;
    for (size_t at = 0; at < output.len; at = str_find(output, STR("\n"), at) + 1) {
        Str line = str_slice(output, at, str_find(output, STR("\n"), at));
        if (says_failure(line)) return at;
        if (str_trim(line).len && !str_starts(line, STR("make"))) fallback = at;
    }
    return fallback;
}

Str loop_message(Str output, Str folder, Arena *arena)
{
    StrBuf out = {0};
    int n_lines = 0;
    for (size_t at = find_failure(output); at < output.len && n_lines < MESSAGE_LINES;) {
        size_t end = str_find(output, STR("\n"), at);
        Str line = str_slice(output, at, end);
        at = end + 1;
        bool noise = str_starts(line, STR("make")) || str_trim(line).len == 0 ||
                     str_starts(line, STR("-----")) || str_starts(line, STR("====="));
        if (noise) continue;
        if (out.len + line.len > MESSAGE_BYTES) break;
        size_t path = str_find(line, folder, 0);
        if (folder.len && path < line.len) {
            strbuf_append(&out, str_slice(line, 0, path));
            line = str_slice(line, path + folder.len + 1, line.len);
        }
        strbuf_append(&out, line);
        strbuf_append_char(&out, '\n');
        n_lines++;
    }
    Str message = str_trim(arena_str(arena, strbuf_str(&out)));
    strbuf_deinit(&out);
    return message;
}

Str loop_report_message(const ReportFailure *failure, Str folder, Arena *arena)
{
    Str head = failure->message, lines = loop_message(failure->excerpt, folder, arena);
    bool has_head = head.len == 0 || str_find(lines, head, 0) < lines.len;
    return has_head ? lines : arena_printf(arena, "%.*s\n%.*s", STR_FMT(head), STR_FMT(lines));
}

bool loop_is_malformed(const Candidate *candidate)
{
    return candidate->n_failures >= MALFORMED;
}

// --- tests ---------------------------------------------------------------------------------------

Scratch *trial_take_scratch(LoopRun *run, Error *err)
{
    for (int i = 0; i < run->n_scratches; i++) {
        if (run->scratch_taken[i]) continue;
        run->scratch_taken[i] = true;
        return run->scratches[i];
    }
    if (run->n_scratches == LOOP_MAX_TRIALS) return NULL;
    Scratch *scratch = scratch_new(run->request->root, err);
    if (!scratch) return NULL;
    run->scratch_taken[run->n_scratches] = true;
    return run->scratches[run->n_scratches++] = scratch;
}

void trial_give_back(LoopRun *run, const Scratch *scratch)
{
    for (int i = 0; i < run->n_scratches; i++)
        if (run->scratches[i] == scratch) run->scratch_taken[i] = false;
}

SandboxCommand trial_command(const LoopRun *run, const char *copy)
{
    const LoopRequest *r = run->request;
    char **argv = arena_array(run->arena, 4, sizeof *argv);
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = (char *)run->command.ptr;
    const char *root = arena_str(run->arena, r->root).ptr;
    return (SandboxCommand){.argv = argv,
                            .folder = run->shown_at_root ? root : copy,
                            .writable = copy,
                            .shown_at = run->shown_at_root ? root : NULL,
                            .readable = root,
                            .is_private = true,
                            .limits = {.wall_ms = run->found_command ? FOUND_LIMIT_MS : 0}};
}

bool trial_run(LoopRun *run, const Scratch *scratch, Str words, double limit_ms, Child *child)
{
    Error err = {0};
    SandboxCommand command = trial_command(run, scratch_folder(scratch).ptr);
    command.limits.spent_ms = limit_ms;
    Str shell = arena_printf(run->arena, "%.*s %.*s", STR_FMT(words), STR_FMT(run->command));
    char *argv[] = {"sh", "-c", (char *)shell.ptr, NULL};
    command.argv = argv;
    *child = (Child){.out = -1};
    bool ok = sandbox_start(child, run->request->sandbox, &command, run->arena, &err), ended = !ok;
    while (!ended && !(ended = child_poll(child)) && !loop_is_cancelled(run) &&
           !loop_is_out_of_time(run))
        usleep(POLL_US);
    return ok && ended && !child->overran;
}

static bool start_tests(LoopRun *run, Trial *trial, Error *err)
{
    const LoopRequest *r = run->request;
    trial->scratch = trial_take_scratch(run, err);
    if (!trial->scratch) return false;
    trial->child = mem_zero(sizeof *trial->child);
    trial->child->out = -1;
    SandboxCommand command = trial_command(run, scratch_folder(trial->scratch).ptr);
    command.limits.nice = trial->is_idle ? IDLE_NICE : 0;
    return scratch_write(trial->scratch, r->path, text_str(trial->text), err) &&
           (run->overlay.len == 0 ||
            scratch_write(trial->scratch, run->overlay, run->overlay_text, err)) &&
           sandbox_start(trial->child, r->sandbox, &command, run->arena, err);
}

static void end_tests(LoopRun *run, Trial *trial, Verdict verdict, Str note)
{
    trial->tests = verdict;
    trial->test_note = note;
    trial->test_ms = clock_ms() - trial->start_ms;
    trial->test_spent_ms = trial->child->spent_ms;
    trial_give_back(run, trial->scratch);
    trial->scratch = NULL;
}

// What a compiler or an interpreter says of a text that is none of its language. Of small changes
// no compiler is asked before their tests.
static bool says_malformed(Str line)
{
    bool compiler = str_contains(line, ": error: ") || str_contains(line, "undefined reference");
    return (compiler && !str_contains(line, "runtime error:")) ||
           str_starts(line, STR("SyntaxError:")) || str_starts(line, STR("IndentationError:"));
}

// Any order of failures that holds still tells a near miss from a far one; what does not compile is
// further than both.
void loop_count_failures(LoopRun *run, Str output, int *n_failures, int *failed_line)
{
    *n_failures = *failed_line = 0;
    for (size_t at = 0; at < output.len; at = str_find(output, STR("\n"), at) + 1) {
        Str line = str_slice(output, at, str_find(output, STR("\n"), at));
        if (says_malformed(line)) {
            *n_failures = MALFORMED;
            return;
        }
        *n_failures += says_failure(line);
    }
    ReportFailure *first;
    if (report_read(output, run->request->root, 1, run->arena, &first) == 0) return;
    *failed_line = first->test.file.len ? first->test.line : first->place.line;
}

// Why what has run into a limit is no answer. What had hardly any of the processor in its time, on
// a busy machine, is not judged by that: it has neither passed nor failed.
static void judge_overrun(LoopRun *run, Trial *trial)
{
    const Child *child = trial->child;
    const ChildLimits *l = &child->limits;
    double limit = l->spent_ms;
    bool spent = limit > 0 && child->spent_ms > limit;
    bool by_clock = !spent && clock_ms() - child->start_ms > l->wall_ms;
    bool starved = by_clock && limit > 0 && child->spent_ms < STARVED_SHARE * l->wall_ms;
    trial->overran = !starved;
    Str message =
        spent ? arena_printf(run->arena, "the tests timed out: they did not end within %.0f s",
                             limit / 1000)
              : arena_printf(run->arena, "the %s command used up %s%s",
                             run->has_tests ? "test" : "build", child->overran,
                             starved ? ", of which it had little on this busy machine" : "");
    end_tests(run, trial, starved ? VERDICT_SKIPPED : VERDICT_FAIL, message);
}

static void judge_tests(LoopRun *run, Trial *trial)
{
    const Child *child = trial->child;
    int status = child->status;
    if (run->keep_output) trial->output = arena_str(run->arena, strbuf_str(&child->output));
    if (child->overran) {
        judge_overrun(run, trial);
        return;
    }
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    Str message =
        ok ? run->has_tests ? STR("tests pass") : STR("the project builds")
           : loop_message(strbuf_str(&child->output),
                          run->shown_at_root ? run->request->root : scratch_folder(trial->scratch),
                          run->arena);
    if (!ok)
        loop_count_failures(run, strbuf_str(&child->output), &trial->n_failures,
                            &trial->failed_line);
    if (!ok && message.len == 0)
        message = WIFEXITED(status) ? STR("the tests failed without a message")
                                    : STR("the tests ran over their limits");
    end_tests(run, trial, ok ? VERDICT_PASS : VERDICT_FAIL, message);
}

// --- the trial -----------------------------------------------------------------------------------

static Verify *start_verify(LoopRun *run, const Trial *trial, bool compile)
{
    const LoopRequest *r = run->request;
    VerifyRequest request = {.text = trial->text,
                             .before = r->syntax,
                             .lang = syntax_language(r->syntax),
                             .file_path = r->file_path,
                             .root = r->root,
                             .changed = trial->changed,
                             .base = &run->base,
                             .trusted = compile};
    return verify_start(&request, run->arena);
}

Trial *trial_start(LoopRun *run, int candidate, const TextSnap *text, ByteRange changed)
{
    Trial *trial = mem_zero(sizeof *trial);
    trial->candidate = candidate;
    trial->text = text_retain(text);
    trial->changed = changed;
    trial->tests = VERDICT_SKIPPED;
    trial->is_idle = run->is_idle;
    // Of small changes and lines there are many and most fail; the tests compile them anyway. Where
    // the question is what the tests notice, a change that does not compile is none.
    const Candidate *c = &run->candidates.items[candidate];
    bool many = loop_is_small_change(c) || strcmp(c->proposer, "refill") == 0;
    TaskKind kind = run->request->kind;
    trial->tests_first =
        many && run->has_tests && !task_runs_tests(kind) && kind != TASK_WRITE_TESTS;
    trial->verify = start_verify(run, trial, run->request->trusted && !trial->tests_first);
    return trial;
}

static bool begin_tests(LoopRun *run, Trial *trial)
{
    Error err = {0};
    trial->start_ms = clock_ms();
    if (start_tests(run, trial, &err)) {
        trial->tests = VERDICT_PENDING;
        return true;
    }
    if (trial->scratch) trial_give_back(run, trial->scratch);
    trial->scratch = NULL;
    trial->tests = VERDICT_FAIL;
    trial->test_note = arena_printf(run->arena, "%s", err.text);
    return false;
}

Verdict trial_poll(LoopRun *run, Trial *trial)
{
    if (!trial->child) {
        Verdict verdict = verify_poll(trial->verify);
        if (verdict != VERDICT_PASS || !run->has_command) return verdict;
        if (!begin_tests(run, trial)) return VERDICT_FAIL;
    }
    // A change that makes the tests run many times longer than before runs for ever.
    trial->child->limits.spent_ms = run->test_limit_ms;
    if (trial->tests == VERDICT_PENDING && child_poll(trial->child)) judge_tests(run, trial);
    if (trial->tests != VERDICT_PASS) return trial->tests;
    if (trial->tests_first) {
        trial->tests_first = false;
        verify_free(trial->verify);
        trial->verify = start_verify(run, trial, run->request->trusted);
    }
    return verify_poll(trial->verify);
}

void trial_free(LoopRun *run, Trial *trial)
{
    if (trial->child) child_free(trial->child);
    if (trial->scratch) trial_give_back(run, trial->scratch);
    free(trial->child);
    verify_free(trial->verify);
    text_release(trial->text);
    free(trial);
}

// A report or a violation counts only where the original did not have it too.
#include "loop/upper.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "formal/formal.h"
#include "loop/trial.h"
#include "verify/sanitize.h"

enum { UPPER_POLL_US = 2000, PROOF_MS = 10000 };

// --- sanitizers ----------------------------------------------------------------------------------

typedef struct Sanitized {
    SanitizeReport report;
    Str trouble; // why nothing can be said; empty: the report is all there is to say
} Sanitized;

static bool wait_for(LoopRun *run, Child *child)
{
    while (!child_poll(child)) {
        if (loop_is_cancelled(run) || loop_is_out_of_time(run)) return false;
        usleep(UPPER_POLL_US);
    }
    return true;
}

static Str judge_run(LoopRun *run, const Child *child, Str folder, SanitizeReport report)
{
    bool ok = !child->overran && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
    if (report.text.len) return STR("");
    if (!ok) {
        Str message = loop_message(strbuf_str(&child->output), folder, run->arena);
        message = str_slice(message, 0, str_find(message, STR("\n"), 0));
        if (child->overran) message = arena_printf(run->arena, "they used up %s", child->overran);
        return arena_printf(run->arena, "the tests fail with them without a report: %.*s",
                            STR_FMT(message));
    }
    return report.n_processes ? STR("")
                              : STR("no program had them: the build does not take its compiler "
                                    "from PATH");
}

static Sanitized run_sanitized(LoopRun *run, const Sanitize *s, const TextSnap *text)
{
    const LoopRequest *r = run->request;
    Sanitized out = {.trouble = STR("there was no time left")};
    Error err = {0};
    Child child = {.out = -1};
    SandboxCommand command = {0};
    Scratch *copy = scratch_new(r->root, &err);
    if (copy) command = trial_command(run, scratch_folder(copy).ptr);
    bool ok = copy && scratch_write(copy, r->path, text_str(text), &err) &&
              sanitize_start(s, copy, r->sandbox, &command, &child, run->arena, &err);
    if (!ok) out.trouble = arena_printf(run->arena, "%s", err.text);
    if (ok && wait_for(run, &child)) {
        Str folder = str_from(command.folder);
        out.report = sanitize_read(copy, folder, strbuf_str(&child.output), run->arena);
        out.trouble = judge_run(run, &child, folder, out.report);
    }
    child_free(&child);
    scratch_free(copy);
    return out;
}

// Is a report news? Tests that fail as they are may end before they come to what a change makes
// reachable: what is reported of the changed function itself is the change's.
static bool is_new(const LoopRun *run, const Sanitized *old, Str report)
{
    bool own = run->task.name.len && str_has_word(report, run->task.name);
    return old->trouble.len == 0 || (own && old->report.n_processes > 0);
}

static void judge_sanitized(LoopRun *run, Candidate *c, const Sanitize *s, const TextSnap *text)
{
    Sanitized new = run_sanitized(run, s, text);
    c->sanitized = VERDICT_SKIPPED;
    c->sanitizer_note = arena_printf(run->arena, "not judged: %.*s", STR_FMT(new.trouble));
    if (new.trouble.len) return;
    c->sanitized = VERDICT_PASS;
    c->sanitizer_note = STR("tests pass under AddressSanitizer and UBSan");
    if (new.report.text.len == 0) return;
    Sanitized old = run_sanitized(run, s, run->request->text);
    bool known = old.report.text.len && sanitize_is_same(old.report.text, new.report.text);
    bool fails = !known && is_new(run, &old, new.report.text);
    c->sanitized = fails ? VERDICT_FAIL : VERDICT_SKIPPED;
    c->sanitizer_note =
        arena_printf(run->arena, "%.*s%s", STR_FMT(new.report.text),
                     fails   ? ", which the sanitizers did not report before"
                     : known ? ", as before the change"
                             : ", but the unchanged project is not known to be free of it");
}

static void sanitize_candidate(LoopRun *run, Candidate *c, const TextSnap *text)
{
    const char *lang = syntax_language(run->request->syntax)->id;
    bool is_c = strcmp(lang, "c") == 0 || strcmp(lang, "cpp") == 0;
    Error err = {0};
    Sanitize s = {0};
    c->sanitized = VERDICT_SKIPPED;
    if (!is_c || !run->request->sanitizers || !run->has_tests || c->tests != VERDICT_PASS) return;
    loop_tell(run, "testing with sanitizers");
    double start = clock_ms();
    if (!sanitize_is_supported(run->request->sandbox))
        c->sanitizer_note = STR("not run: the compiler has no sanitizers");
    else if (!sanitize_init(&s, &err))
        c->sanitizer_note = arena_printf(run->arena, "not run: %s", err.text);
    else
        judge_sanitized(run, c, &s, text);
    sanitize_deinit(&s);
    c->sanitizer_ms = clock_ms() - start;
}

// --- proof ---------------------------------------------------------------------------------------

static FormalRequest proof_request(const LoopRun *run, const Syntax *syntax, size_t byte_off)
{
    const LoopRequest *r = run->request;
    return (FormalRequest){.syntax = syntax,
                           .byte_off = byte_off,
                           .prover = r->prover,
                           .file_path = r->file_path,
                           .root = r->root,
                           .trusted = r->trusted,
                           .max_ms = PROOF_MS};
}

// NULL: cancelled, or no time is left.
static const FormalResult *run_formal(LoopRun *run, const FormalRequest *request)
{
    FormalResult *copy = NULL;
    Formal *formal = formal_start(request, run->arena);
    bool done = false;
    while (!(done = formal_poll(formal))) {
        if (loop_is_cancelled(run) || loop_is_out_of_time(run)) break;
        usleep(UPPER_POLL_US);
    }
    if (done) {
        copy = arena_alloc(run->arena, sizeof *copy);
        *copy = *formal_result(formal);
    }
    formal_free(formal);
    return copy;
}

static bool has_kind(const FormalResult *r, FormalKind kind)
{
    for (int i = 0; i < r->n_findings; i++)
        if (r->findings[i].kind == kind) return true;
    return false;
}

// A caller may never pass the values that make a sum overflow, nor a fix be without that sum; but
// nothing that is written anew may read what was never set.
static bool is_refused(const LoopRun *run, FormalKind kind)
{
    if (run->task.kind == TASK_CONVERT) return true;
    if (run->task.kind == TASK_FIX) return kind != FORMAL_OVERFLOW;
    return kind == FORMAL_UNINITIALISED || kind == FORMAL_NO_RETURN;
}

// The finding that the original function did not have; NULL: none, or nothing is known of it.
static const FormalFinding *find_new(LoopRun *run, const FormalResult *new)
{
    const FormalResult *old = NULL;
    bool changed = run->task.kind == TASK_FIX || run->task.kind == TASK_CONVERT;
    FormalRequest request =
        proof_request(run, run->request->syntax, run->task.function.whole.start);
    if (changed) old = run_formal(run, &request);
    bool known = old && old->answer != FORMAL_UNKNOWN && old->answer != FORMAL_OUTSIDE;
    for (int i = 0; i < new->n_findings; i++) {
        const FormalFinding *f = &new->findings[i];
        if (is_refused(run, f->kind) && (!changed || (known && !has_kind(old, f->kind)))) return f;
    }
    return NULL;
}

static void judge_violation(LoopRun *run, Candidate *c, const FormalResult *r)
{
    const FormalFinding *f = find_new(run, r);
    c->proof = f ? VERDICT_FAIL : VERDICT_SKIPPED;
    c->proof_note = r->summary;
    if (f)
        c->proof_note = arena_printf(run->arena, "%.*s: %.*s, with %.*s", STR_FMT(r->name),
                                     STR_FMT(f->text), STR_FMT(f->inputs));
}

// Equality is evidence; a difference may be what the instruction asks for.
static bool compare(LoopRun *run, Candidate *c, FormalRequest request)
{
    request.against = run->request->syntax;
    request.against_off = run->task.function.whole.start;
    const FormalResult *r = run_formal(run, &request);
    if (!r || r->answer == FORMAL_OUTSIDE || r->answer == FORMAL_UNKNOWN) return false;
    c->proof = r->answer == FORMAL_PROVED ? VERDICT_PASS : VERDICT_SKIPPED;
    c->proof_note = r->summary;
    return r->answer != FORMAL_DIFFERENT;
}

static void prove_text(LoopRun *run, Candidate *c, const Syntax *syntax)
{
    FormalRequest request = proof_request(run, syntax, c->replace.start);
    if (run->task.name.len) formal_find(syntax, run->task.name, &request.byte_off);
    bool convert = run->task.kind == TASK_CONVERT;
    if (convert && compare(run, c, request)) return;
    Str difference = c->proof_note;
    const FormalResult *r = run_formal(run, &request);
    if (!r) return;
    if (r->answer == FORMAL_VIOLATED) {
        judge_violation(run, c, r);
        return;
    }
    // What differs is not proved, however free of violations it is.
    if (difference.len) return;
    c->proof = r->answer == FORMAL_PROVED && !convert ? VERDICT_PASS : VERDICT_SKIPPED;
    c->proof_note = r->summary;
}

static void prove_candidate(LoopRun *run, Candidate *c, const TextSnap *text)
{
    const LoopRequest *r = run->request;
    const char *why;
    c->proof = VERDICT_SKIPPED;
    bool is_c = strcmp(syntax_language(r->syntax)->id, "c") == 0;
    if (!is_c || !r->prove || !r->trusted || c->sanitized == VERDICT_FAIL) return;
    if (run->task.kind == TASK_COMMENT || !formal_is_available(&r->prover, &why)) return;
    Syntax *syntax = syntax_parse(syntax_language(r->syntax), text, NULL);
    if (!syntax) return;
    loop_tell(run, "proving");
    double start = clock_ms();
    prove_text(run, c, syntax);
    c->proof_ms = clock_ms() - start;
    syntax_release(syntax);
}

// --- all -----------------------------------------------------------------------------------------

static int next_passed(const LoopRun *run)
{
    for (size_t i = 0; i < run->candidates.n; i++)
        if (run->candidates.items[i].verdict == VERDICT_PASS) return (int)i;
    return -1;
}

static void examine(LoopRun *run, Candidate *c)
{
    TextSnap *text = loop_apply(run, c);
    c->examined = true;
    if (!text) return;
    sanitize_candidate(run, c, text);
    prove_candidate(run, c, text);
    if (c->sanitized == VERDICT_FAIL || c->proof == VERDICT_FAIL) c->verdict = VERDICT_FAIL;
    text_release(text);
}

void upper_examine(LoopRun *run)
{
    // A proposer's share of the time is over by now; the run's own limit holds.
    double deadline_ms = run->deadline_ms;
    run->deadline_ms = 0;
    while (run->passed >= 0 && !loop_is_cancelled(run)) {
        Candidate *c = &run->candidates.items[run->passed];
        if (c->examined) break;
        examine(run, c);
        if (c->verdict == VERDICT_FAIL) run->passed = next_passed(run);
    }
    run->deadline_ms = deadline_ms;
}

void upper_examine_again(LoopRun *run, int candidate)
{
    const LoopRequest *r = run->request;
    Candidate *c = &run->candidates.items[candidate];
    if (c->verdict != VERDICT_PASS || !r->syntax || loop_is_cancelled(run)) return;
    if (!task_find(r->syntax, r->kind, r->selection, &run->task)) return;
    c->sanitizer_note = c->proof_note = STR("");
    examine(run, c);
}

// One run: the candidates, their trials and the result. What is proposed, and in which order,
// plan.c decides.
#include "loop/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/documented_tests.h"
#include "loop/plan.h"
#include "loop/run.h"
#include "loop/trial.h"
#include "loop/upper.h"
#include "verify/project.h"

enum { MAX_FAILURES = 32, UNCOUNTED = 1 << 16 };
enum { POLL_US = 2000, SWEEP_SECONDS = 60 };
enum {
    DEFAULT_ROUNDS = 8,
    ENDLESS_ROUNDS = 1 << 20,
    DEFAULT_CANDIDATES = 12,
    DEFAULT_TOKENS = 512
};
static const double TEST_LIMIT_MS = 1000, TEST_FACTOR = 4;
// Of the budget: what a given command may spend on the text as it is, and then on a candidate.
static const double HANG_SHARE = 0.06, HANG_MS = 5000, HUNG_FACTOR = 3;
// After the first answer that passes, how long others are waited for that agree.
enum { MIN_AGREEING = 3 };
static const double AGREE_SHARE = 0.4, AGREE_MS = 20000;
// After one that was changed until it passed, how long one is waited for that passes as written.
static const double REWRITE_SHARE = 0.5;
// Of the budget, what proposers may take where tests are to be challenged in the rest.
static const double PROPOSE_SHARE = 0.93;

// --- for proposers -------------------------------------------------------------------------------

bool loop_is_out_of_time(const LoopRun *run)
{
    double now = clock_ms(), budget = run->request->budget.ms;
    if (run->has_tests && !run->proposed) budget *= PROPOSE_SHARE;
    return (budget > 0 && now - run->start_ms > budget) ||
           (run->deadline_ms > 0 && now > run->deadline_ms);
}

void loop_hurry(LoopRun *run, double ms)
{
    if (run->passed < 0) return;
    if (run->hurry_ms == 0) run->hurry_ms = clock_ms() + ms;
    if (run->deadline_ms == 0 || run->deadline_ms > run->hurry_ms) run->deadline_ms = run->hurry_ms;
}

bool loop_needs_agreement(const LoopRun *run)
{
    return run->has_tests && (run->task.kind == TASK_BODY || run->task.kind == TASK_FUNCTION);
}

bool loop_is_cancelled(LoopRun *run)
{
    return run->err.code == ERROR_CANCELLED || engine_is_cancelled(run->cancel, &run->err);
}

void loop_tell(LoopRun *run, const char *fmt, ...)
{
    char text[160];
    va_list args;
    if (!run->progress) return;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    double share =
        run->request->budget.ms > 0 ? (clock_ms() - run->start_ms) / run->request->budget.ms : 0;
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    run->progress(run->user, share < 1 ? (int)(100 * share) : 100, (Str){text, len});
}

TextSnap *loop_apply(const LoopRun *run, const Candidate *candidate)
{
    Error err = {0};
    return text_edit(run->request->text, candidate->replace, candidate->insert, NULL, &err);
}

Str loop_failure_message(const Candidate *c)
{
    if (c->slip.len) return c->slip;
    if (c->proof == VERDICT_FAIL) return c->proof_note;
    if (c->sanitized == VERDICT_FAIL) return c->sanitizer_note;
    if (c->tests == VERDICT_FAIL) return c->test_note;
    return c->evidence.compile == VERDICT_FAIL ? c->evidence.compile_note : c->evidence.parse_note;
}

static int progress_of(const Candidate *c)
{
    if (c->slip.len) return 4;
    if (c->verdict != VERDICT_FAIL) return -1;
    if (c->proof == VERDICT_FAIL || c->sanitized == VERDICT_FAIL) return 3;
    return c->tests == VERDICT_FAIL ? 2 : c->evidence.compile == VERDICT_FAIL ? 1 : 0;
}

// Tests that end without a count crashed or ran for ever.
static int failures_of(const Candidate *c)
{
    return c->n_failures > 0 ? c->n_failures : UNCOUNTED;
}

bool loop_came_further(const Candidate *a, const Candidate *b)
{
    int x = progress_of(a), y = progress_of(b);
    if (x != y) return x > y;
    int n = failures_of(a), m = failures_of(b);
    return n != m ? n < m : a->failed_line > b->failed_line;
}

static Candidate *find_best_failure(const LoopRun *run, bool told)
{
    Candidate *best = NULL;
    for (size_t i = 0; i < run->candidates.n; i++) {
        Candidate *c = &run->candidates.items[i];
        if (strcmp(c->proposer, "sample") != 0 || progress_of(c) < 0) continue;
        if (c->told != told) continue;
        if (!best || !loop_came_further(best, c)) best = c;
    }
    return best;
}

const Candidate *loop_best_failure(const LoopRun *run)
{
    const Candidate *told = find_best_failure(run, true), *untold = find_best_failure(run, false);
    if (!told || !untold) return told ? told : untold;
    return loop_came_further(told, untold) ? told : untold;
}

// An answer that says nothing new is shown only where there is no other.
const Candidate *loop_tell_failure(LoopRun *run)
{
    Candidate *next = find_best_failure(run, false);
    if (!next || (next->repeats && run->round > 1)) return loop_best_failure(run);
    next->told = true;
    return next;
}

unsigned loop_allowed(const LoopRun *run, unsigned bits)
{
    unsigned given = run->request->proposers ? run->request->proposers : PROPOSE_ALL;
    return given & bits;
}

bool loop_may_adapt(const LoopRun *run)
{
    const Adapter *adapter = engine_adapter(run->engine);
    return adapter && (run->chat || adapter_is_for_fim(adapter));
}

bool loop_adapt(LoopRun *run, bool on, Error *err)
{
    AdapterUse use = {engine_adapter(run->engine), 1};
    run->adapted = on && loop_may_adapt(run);
    return session_use_adapters(run->session, &use, run->adapted, err);
}

// --- trials --------------------------------------------------------------------------------------

// Changes of one answer are not others.
int loop_count_answers(const LoopRun *run)
{
    int n = 0;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        n += c->verdict == VERDICT_PASS && !c->slip.len && !c->changes;
    }
    return n;
}

// Enough answers that pass, to be compared.
static bool has_enough(const LoopRun *run)
{
    return loop_count_answers(run) >= (run->n_wanted ? run->n_wanted : MIN_AGREEING);
}

static bool compares(const LoopRun *run)
{
    return run->n_wanted > 0 || loop_needs_agreement(run);
}

// Others are waited for the longer, the less the one that passed is worth.
static void wait_for_others(LoopRun *run, const Candidate *passed)
{
    double budget = run->request->budget.ms, share = passed->changes ? REWRITE_SHARE : AGREE_SHARE;
    double end = clock_ms() + (budget > 0 ? share * budget : AGREE_MS);
    if (run->hurry_ms == 0 || end < run->hurry_ms) run->hurry_ms = end;
    loop_hurry(run, 0);
}

// Where the text as it was does not end, the first that does tells how long tests take.
static void learn_limit(LoopRun *run, const Candidate *c)
{
    if (!run->hangs || c->overran || c->tests != VERDICT_FAIL || loop_is_malformed(c)) return;
    double limit = TEST_LIMIT_MS + HUNG_FACTOR * TEST_FACTOR * c->test_spent_ms;
    if (limit < run->test_limit_ms) run->test_limit_ms = limit;
}

// Copies what a trial has found so far.
static void note_trial(LoopRun *run, const Trial *trial, Verdict verdict)
{
    Candidate *c = &run->candidates.items[trial->candidate];
    c->verdict = verdict;
    c->evidence = *verify_evidence(trial->verify);
    if (trial->tests_first && c->evidence.parse == VERDICT_PASS)
        c->evidence.compile_note = STR("compiled by its tests");
    c->tests = trial->tests;
    c->test_note = trial->test_note;
    c->output = trial->output;
    c->n_failures = trial->n_failures;
    c->failed_line = trial->failed_line;
    c->test_ms = trial->test_ms;
    c->test_spent_ms = trial->test_spent_ms;
    c->overran = trial->overran;
    learn_limit(run, c);
    if (verdict != VERDICT_PASS) return;
    if (run->passed < 0 || trial->candidate < run->passed) run->passed = trial->candidate;
    if (!compares(run) || run->proposed) return;
    if (!run->n_wanted) wait_for_others(run, c);
    if (has_enough(run)) run->keep_going = false;
}

static void poll_trials(LoopRun *run)
{
    for (Trial **link = &run->trials; *link;) {
        Trial *trial = *link;
        Verdict verdict = trial_poll(run, trial);
        note_trial(run, trial, verdict);
        if (verdict == VERDICT_PENDING) {
            link = &trial->next;
            continue;
        }
        *link = trial->next;
        run->n_trials--;
        trial_free(run, trial);
    }
}

// What is left when one has passed, or time is over.
void loop_end_trials(LoopRun *run)
{
    Trial *trial;
    while ((trial = run->trials)) {
        Candidate *c = &run->candidates.items[trial->candidate];
        run->trials = trial->next;
        c->verdict = VERDICT_SKIPPED;
        if (c->evidence.compile == VERDICT_PENDING) c->evidence.compile = VERDICT_SKIPPED;
        c->tests = VERDICT_SKIPPED;
        c->test_note = STR("its verification was not waited for");
        trial_free(run, trial);
    }
    run->n_trials = 0;
}

bool loop_needs_more(const LoopRun *run)
{
    return run->passed < 0 || (compares(run) && !has_enough(run));
}

bool loop_wants_more(LoopRun *run)
{
    poll_trials(run);
    return (run->passed < 0 || run->keep_going) && !loop_is_cancelled(run) &&
           !loop_is_out_of_time(run);
}

bool loop_wants_tokens(LoopRun *run)
{
    if (!loop_wants_more(run)) return false;
    run->is_idle = true;
    if (run->use_idle && run->passed < 0 && run->n_trials < LOOP_MAX_TRIALS)
        run->use_idle(run, run->idle_user);
    run->is_idle = false;
    return true;
}

static bool wait_for_place(LoopRun *run, int n_left)
{
    while (run->n_trials > n_left) {
        if (!loop_wants_more(run)) return false;
        if (run->n_trials > n_left) usleep(POLL_US);
    }
    return true;
}

bool loop_drain(LoopRun *run)
{
    wait_for_place(run, 0);
    return !loop_is_cancelled(run);
}

// --- offering ------------------------------------------------------------------------------------

static void put_failed(LoopRun *run, Candidate *c, const char *why)
{
    c->verdict = VERDICT_FAIL;
    c->evidence.parse = c->evidence.compile = c->tests = VERDICT_SKIPPED;
    c->evidence.parse_note = str_from(why);
    VEC_PUSH(&run->candidates, *c);
}

// Blanks do not count but where the language reads them.
static unsigned long long hash_text(const LoopRun *run, const TextSnap *text)
{
    bool python = strcmp(syntax_language(run->request->syntax)->id, "python") == 0;
    Str all = text ? text_str(text) : STR("");
    unsigned long long hash = 1;
    if (python) return str_hash(all, hash);
    for (size_t i = 0; i < all.len; i++)
        if (!strchr(" \t\r\n", all.ptr[i])) hash = str_hash(str_slice(all, i, i + 1), hash);
    return hash;
}

static unsigned long long hash_candidate(const LoopRun *run, const Candidate *c)
{
    TextSnap *text = loop_apply(run, c);
    unsigned long long hash = hash_text(run, text);
    text_release(text);
    return hash;
}

// Equal texts are verified once, whatever edit led to them. What challenges a candidate is counted
// each time.
static bool is_earlier_one(const LoopRun *run, const Candidate *c)
{
    for (size_t i = 0; i < run->candidates.n; i++)
        if (run->candidates.items[i].text_hash == c->text_hash && c->text_hash) return true;
    return false;
}

// Why it need not be verified; NULL: it has to be. Notes whether it says anything new.
static const char *find_flaw(const LoopRun *run, Candidate *c, const char *known)
{
    c->text_hash = strcmp(c->proposer, "change") != 0 ? hash_candidate(run, c) : 0;
    bool earlier = is_earlier_one(run, c);
    c->repeats = earlier || c->text_hash == run->text_hash;
    if (earlier) return "the same as an earlier one";
    if (known) return known;
    return c->repeats ? "it changes nothing" : NULL;
}

static void start_trial(LoopRun *run, Candidate *c)
{
    TextSnap *text = loop_apply(run, c);
    if (!text) {
        put_failed(run, c, "it is too large");
        return;
    }
    VEC_PUSH(&run->candidates, *c);
    ByteRange changed = {c->replace.start, c->replace.start + c->insert.len};
    Trial *trial = trial_start(run, (int)run->candidates.n - 1, text, changed);
    text_release(text);
    trial->next = run->trials;
    run->trials = trial;
    run->n_trials++;
}

bool loop_offer(LoopRun *run, const Candidate *candidate, const char *flaw)
{
    Candidate c = *candidate;
    c.round = run->round;
    flaw = find_flaw(run, &c, flaw);
    if (flaw) {
        put_failed(run, &c, flaw);
        return loop_wants_more(run);
    }
    if (c.verdict == VERDICT_FAIL) {
        VEC_PUSH(&run->candidates, c);
        return loop_wants_more(run);
    }
    if (!wait_for_place(run, LOOP_MAX_TRIALS - 1)) return false;
    start_trial(run, &c);
    return loop_wants_more(run);
}

// --- the run -------------------------------------------------------------------------------------

void loop_limit_tests(LoopRun *run, const Candidate *ended)
{
    run->test_limit_ms = TEST_LIMIT_MS + TEST_FACTOR * ended->test_spent_ms;
}

const Candidate *loop_try_original(LoopRun *run)
{
    ByteRange all = {0, text_n_bytes(run->request->text)};
    Candidate same = {.proposer = "baseline"};
    VEC_PUSH(&run->candidates, same);
    run->trials = trial_start(run, (int)run->candidates.n - 1, run->request->text, all);
    run->n_trials = 1;
    bool ok = loop_drain(run);
    loop_end_trials(run);
    run->candidates.n--;
    run->passed = -1;
    run->deadline_ms = run->hurry_ms = 0;
    return ok ? &run->candidates.items[run->candidates.n] : NULL;
}

static void place_failures(LoopRun *run, Str output)
{
    LoopResult *r = run->result;
    ReportFailure *found;
    size_t n = report_read(output, run->request->root, MAX_FAILURES, run->arena, &found);
    r->failures = arena_array(run->arena, n ? n : 1, sizeof *r->failures);
    for (size_t i = 0; i < n; i++) {
        TestFailure *f = &r->failures[r->n_failures++];
        f->report = found[i];
        if (!report_locate(&found[i], run->request->root, run->arena, &f->place))
            f->place = found[i].place;
    }
}

// A bug may itself be that the tests do not end: all time is not to go into seeing that. A command
// that was found may have to build the project first.
static double find_hang_limit(const LoopRun *run)
{
    double ms = HANG_SHARE * run->request->budget.ms;
    if (run->task.kind != TASK_FIX || run->found_command || ms <= 0) return 0;
    return ms > HANG_MS ? ms : HANG_MS;
}

// The first message of the tests as they are: what a fix has to change.
static bool find_baseline(LoopRun *run)
{
    if (!run->has_command) return true;
    run->test_limit_ms = find_hang_limit(run);
    loop_tell(run, "%s the text as it is", run->has_tests ? "testing" : "building");
    run->keep_output = task_runs_tests(run->task.kind);
    const Candidate *c = loop_try_original(run);
    run->keep_output = false;
    if (!c) return false;
    if (task_runs_tests(run->task.kind)) place_failures(run, c->output);
    run->original = *c;
    bool failed = c->verdict == VERDICT_FAIL;
    if (failed) run->result->baseline = loop_failure_message(c);
    // A build that fails before any change, or takes too long, judges nothing but its own repair.
    if (failed && !run->has_tests && run->task.kind != TASK_FIX) {
        run->has_command = false;
        run->result->test_reason =
            arena_printf(run->arena, "%.*s; not used: %.*s", STR_FMT(run->result->test_reason),
                         STR_FMT(run->result->baseline));
    }
    run->hangs = c->overran;
    if (c->overran)
        run->test_limit_ms *= HUNG_FACTOR;
    else if (c->tests != VERDICT_SKIPPED)
        loop_limit_tests(run, c);
    return true;
}

bool loop_end_stage(LoopRun *run, bool ok, Error *err)
{
    bool drained = ok && loop_drain(run);
    // What runs past a pass could only put itself in the place of what was chosen.
    if (run->passed >= 0) loop_end_trials(run);
    if (drained && !task_runs_tests(run->task.kind)) upper_examine(run);
    // What passed was refused by then: the search for a rival is over, that for a pass goes on.
    if (run->passed < 0) run->deadline_ms = run->hurry_ms = 0;
    if (drained && run->err.code == ERROR_NONE) return true;
    if (run->err.code == ERROR_NONE) return false; // the engine's own error is in err
    return error_set(err, run->err.code, "%s", run->err.text);
}

// A fix needs something that fails: a message that came with the request, or the tests.
static bool has_work(const LoopRun *run)
{
    bool fix = run->task.kind == TASK_FIX && run->has_tests;
    return !fix || run->request->message.len || run->result->baseline.len;
}

// Runs the tests as they are, then on every small change of the function that they should notice.
static bool run_tests(LoopRun *run, Error *err)
{
    LoopResult *r = run->result;
    if (!run->has_tests)
        return error_set(err, ERROR_INVALID,
                         "no tests can be run (%.*s), wanted a test command and a trusted folder",
                         STR_FMT(r->test_reason));
    r->tests_pass = r->baseline.len == 0;
    r->tests_ran = true;
    // A test is no function to be changed.
    bool change = run->task.kind == TASK_TESTS && !project_is_test_file(run->request->path);
    if (r->tests_pass && change && !loop_end_stage(run, propose_mutants(run, err), err))
        return false;
    for (size_t i = 0; i < run->candidates.n; i++) {
        Verdict tests = run->candidates.items[i].tests;
        r->n_noticed += tests == VERDICT_FAIL;
        r->n_changes += tests == VERDICT_FAIL || tests == VERDICT_PASS;
    }
    return true;
}

static bool propose(LoopRun *run, Error *err)
{
    const LoopRequest *r = run->request;
    Str said = r->message.len ? r->message : run->result->baseline;
    run->examples =
        examples_find(r->root, syntax_language(r->syntax), run->task.name, said, run->arena);
    return plan_run(run, err);
}

// --- the result ----------------------------------------------------------------------------------

static void summarise_failure(LoopRun *run)
{
    LoopResult *r = run->result;
    const Candidate *best = loop_best_failure(run);
    if (r->explanation.len) {
        r->summary = STR("explained");
        return;
    }
    if (!has_work(run)) {
        r->summary = STR("there is nothing to fix: the tests pass");
        return;
    }
    if (!best && r->n_candidates) best = &r->candidates[0];
    Str note = best ? loop_failure_message(best) : STR("");
    note = str_slice(note, 0, str_find(note, STR("\n"), 0));
    r->summary = arena_printf(run->arena, "none of %d candidates passed%s%s%.*s", r->n_candidates,
                              loop_is_out_of_time(run) ? " in the time allowed" : "",
                              note.len ? "; the best: " : "", STR_FMT(note));
}

// Tests that were found in the project may fail for reasons of their own: a candidate that compiles
// and leaves them as they were is better than nothing, and is not called tested.
static bool take_what_fails_as_before(LoopRun *run)
{
    LoopResult *r = run->result;
    bool may =
        run->found_command && !run->by_comment && run->task.kind != TASK_FIX && r->baseline.len > 0;
    for (int i = 0; may && i < r->n_candidates; i++) {
        Candidate *c = &r->candidates[i];
        if (c->tests != VERDICT_FAIL || !str_equal(c->test_note, r->baseline)) continue;
        c->test_note = arena_printf(run->arena, "the tests fail as they did before: %.*s",
                                    STR_FMT(r->baseline));
        run->passed = i;
        return true;
    }
    return false;
}

// The first change that no test noticed tells what is not tested; it may also change nothing.
static void summarise_tests(LoopRun *run)
{
    LoopResult *r = run->result;
    Str missed = STR("");
    if (!r->tests_pass) {
        r->summary = arena_printf(run->arena, "the tests fail: %.*s", STR_FMT(r->baseline));
        return;
    }
    if (run->task.kind == TASK_RUN) {
        r->summary = STR("the tests pass");
        return;
    }
    for (int i = 0; i < r->n_candidates && missed.len == 0; i++) {
        const Candidate *c = &r->candidates[i];
        if (c->tests != VERDICT_PASS) continue;
        Str old = str_slice(text_str(run->request->text), c->replace.start, c->replace.end);
        missed = arena_printf(run->arena, "; not the one of '%.*s' to '%.*s' in line %u",
                              STR_FMT(old), STR_FMT(c->insert),
                              text_point(run->request->text, c->replace.start).row + 1);
    }
    r->summary =
        arena_printf(run->arena, "the tests pass, and notice %d of %d small changes of %.*s%.*s",
                     r->n_noticed, r->n_changes, STR_FMT(run->task.name), STR_FMT(missed));
}

static void keep_candidates(LoopRun *run)
{
    LoopResult *r = run->result;
    r->n_candidates = (int)run->candidates.n;
    r->candidates =
        arena_array(run->arena, run->candidates.n ? run->candidates.n : 1, sizeof *r->candidates);
    if (run->candidates.n)
        memcpy(r->candidates, run->candidates.items, run->candidates.n * sizeof *r->candidates);
}

// That nothing overflows says little of a function that no test has seen; that it is equal to what
// it was says all.
static LoopLevel find_level(const LoopRun *run, const Candidate *c)
{
    bool tested = c->tests == VERDICT_PASS && run->has_tests;
    bool compiles = c->evidence.compile == VERDICT_PASS || c->tests == VERDICT_PASS;
    if (c->proof == VERDICT_PASS && (tested || run->task.kind == TASK_CONVERT)) return LEVEL_PROVED;
    if (c->sanitized == VERDICT_PASS) return LEVEL_SANITIZED;
    if (tested) return LEVEL_TESTED;
    return compiles ? LEVEL_COMPILED : LEVEL_PARSED;
}

// How much the tests notice, which stands behind that they pass.
static Str describe_noticed(const LoopRun *run)
{
    const LoopResult *r = run->result;
    if (r->doubt.len || r->n_changes == 0) return STR("");
    return arena_printf(run->arena, " and notice %d of %d small changes of it", r->n_noticed,
                        r->n_changes);
}

// What other answers say of the chosen one.
static Str describe_challenge(const LoopRun *run)
{
    const LoopResult *r = run->result;
    if (r->doubt.len) return arena_printf(run->arena, "; but %.*s", STR_FMT(r->doubt));
    if (r->n_agreeing == 0) return STR("");
    return arena_printf(run->arena, "; %d more that pass%s the same on %d input%s", r->n_agreeing,
                        r->n_agreeing == 1 ? "es does" : " do", r->n_inputs,
                        r->n_inputs == 1 ? "" : "s");
}

// Then that it does now is no sign that anything is mended.
static bool compiled_before(LoopRun *run)
{
    const LoopRequest *r = run->request;
    if (run->base.known) return run->base.compiles;
    VerifyRequest request = {r->text,      r->syntax, syntax_language(r->syntax),
                             r->file_path, r->root,   .trusted = r->trusted};
    Verify *verify = verify_start(&request, run->arena);
    while (verify_poll(verify) == VERDICT_PENDING && !loop_is_cancelled(run))
        usleep(POLL_US);
    bool compiles = verify_evidence(verify)->compile == VERDICT_PASS;
    verify_free(verify);
    return compiles;
}

// A compiler says that code is code, not that it does what was asked for. Of what did not compile,
// it is the one that said so.
static void doubt_untested(LoopRun *run)
{
    LoopResult *r = run->result;
    TaskKind kind = run->task.kind;
    bool written =
        kind == TASK_BODY || kind == TASK_FUNCTION || kind == TASK_CODE || kind == TASK_CONVERT;
    if (r->doubt.len || run->has_tests || r->level != LEVEL_COMPILED) return;
    if (written)
        r->doubt = STR("no test and no example tells whether it does what it is to do");
    else if (kind == TASK_FIX && compiled_before(run))
        r->doubt = STR("it compiled before as well, and no test tells whether anything is mended");
}

static void summarise(LoopRun *run)
{
    LoopResult *r = run->result;
    if (task_runs_tests(run->task.kind)) {
        summarise_tests(run);
        return;
    }
    if (run->task.kind == TASK_WRITE_TESTS) { // which has told the rest
        r->found = r->verified = run->passed >= 0;
        r->level = LEVEL_TESTED;
        return;
    }
    r->found = run->passed >= 0 || take_what_fails_as_before(run) || documented_take(run);
    if (!r->found) {
        summarise_failure(run);
        return;
    }
    r->chosen = run->passed;
    const Candidate *c = &r->candidates[r->chosen];
    r->replace = c->replace;
    r->insert = c->insert;
    r->level = find_level(run, c);
    doubt_untested(run);
    r->verified = r->level >= (run->has_tests ? LEVEL_TESTED : LEVEL_COMPILED) && !r->doubt.len;
    r->summary = arena_printf(
        run->arena, "candidate %d of %d (%s): %.*s; %.*s%s%.*s%.*s%s%.*s%s%.*s%.*s", r->chosen + 1,
        r->n_candidates, c->proposer, STR_FMT(c->evidence.parse_note),
        STR_FMT(c->evidence.compile_note), c->test_note.len ? "; " : "", STR_FMT(c->test_note),
        STR_FMT(describe_noticed(run)), c->sanitizer_note.len ? "; " : "",
        STR_FMT(c->sanitizer_note), c->proof_note.len ? "; " : "", STR_FMT(c->proof_note),
        STR_FMT(describe_challenge(run)));
}

// The user's own command, else the project's.
static void find_command(LoopRun *run, LoopRequest *filled)
{
    LoopResult *result = run->result;
    Project found = {.command = filled->test_command, .tests = true, .why = STR("given")};
    if (!filled->trusted)
        found = (Project){.why = STR("the folder is not trusted")};
    else if (found.command.len == 0 && !filled->find_tests)
        found.why = STR("none is given, and findTests is off");
    else if (found.command.len == 0)
        found =
            project_find(filled->root, filled->path, filled->sandbox == SANDBOX_BWRAP, run->arena);
    run->found_command = filled->test_command.len == 0;
    run->has_command = found.command.len > 0;
    run->has_tests = run->has_command && found.tests;
    run->shown_at_root = found.at_root;
    run->command = arena_str(run->arena, found.command);
    if (!run->has_tests && documented_use(run)) found.why = STR("no other tests were found");
    filled->test_command = result->test_command = run->command;
    result->test_reason = found.why;
}

static bool prepare_tests(LoopRun *run, LoopRequest *filled, Error *err)
{
    const char *why;
    find_command(run, filled);
    if (run->has_command && filled->sandbox == SANDBOX_BWRAP && !sandbox_is_available(&why))
        return error_set(err, ERROR_UNSUPPORTED,
                         "the tests cannot run without a sandbox: %s; wanted bubblewrap, or the "
                         "setting sandbox=rlimits to do without",
                         why);
    scratch_sweep(SWEEP_SECONDS);
    return true;
}

static bool prepare(LoopRun *run, LoopRequest *filled, Error *err)
{
    const LoopRequest *r = run->request;
    LoopBudget *budget = &filled->budget;
    if (budget->candidates <= 0) budget->candidates = DEFAULT_CANDIDATES;
    if (budget->tokens <= 0) budget->tokens = DEFAULT_TOKENS;
    if (budget->thinking_tokens < 0) budget->thinking_tokens = 0;
    if (!r->syntax || !task_find(r->syntax, r->kind, r->selection, &run->task))
        return error_set(err, ERROR_INVALID, "nothing to do for '%s' at byte %zu of %.*s",
                         task_word(r->kind), r->selection.start, STR_FMT(r->path));
    if (!prepare_tests(run, filled, err)) return false;
    run->text_hash = hash_text(run, r->text);
    // Where tests tell right from wrong, time is what ends the search.
    if (budget->rounds <= 0)
        budget->rounds = run->has_tests && budget->ms > 0 ? ENDLESS_ROUNDS : DEFAULT_ROUNDS;
    run->form = chat_form(run->engine, &(Error){0});
    run->chat = run->form != CHAT_NONE;
    return loop_adapt(run, true, err);
}

bool loop_run(Engine *engine, Session *session, const LoopRequest *request, EngineCancel cancel,
              LoopProgress progress, void *user, Arena *arena, LoopResult *result, Error *err)
{
    LoopRequest filled = *request;
    *result = (LoopResult){0};
    LoopRun run = {.request = &filled,
                   .engine = engine,
                   .session = session,
                   .cancel = cancel,
                   .progress = progress,
                   .user = user,
                   .arena = arena,
                   .result = result,
                   .passed = -1,
                   .start_ms = clock_ms()};
    bool ok = prepare(&run, &filled, err);
    if (ok && !find_baseline(&run)) ok = error_set(err, ERROR_CANCELLED, "cancelled");
    if (task_runs_tests(run.task.kind))
        ok = ok && run_tests(&run, err);
    else if (run.task.kind == TASK_WRITE_TESTS)
        ok = ok && write_tests(&run, err);
    else
        ok = ok && (!has_work(&run) || propose(&run, err));
    loop_end_trials(&run);
    keep_candidates(&run);
    if (ok) summarise(&run);
    VEC_FREE(&run.candidates);
    VEC_FREE(&run.answers);
    for (int i = 0; i < run.n_scratches; i++)
        scratch_free(run.scratches[i]);
    result->ms_total = clock_ms() - run.start_ms;
    return ok;
}

bool loop_judge(const LoopRequest *request, Candidate *candidates, int n, EngineCancel cancel,
                LoopProgress progress, void *user, Arena *arena, Error *err)
{
    LoopRequest filled = *request;
    LoopResult result = {0};
    filled.budget.ms = 0;
    LoopRun run = {.request = &filled,
                   .cancel = cancel,
                   .progress = progress,
                   .user = user,
                   .arena = arena,
                   .result = &result,
                   .passed = -1,
                   .keep_going = true,
                   .test_limit_ms = request->test_limit_ms,
                   .start_ms = clock_ms()};
    bool ok = prepare_tests(&run, &filled, err);
    for (int i = 0; ok && i < n && wait_for_place(&run, LOOP_MAX_TRIALS - 1); i++) {
        loop_tell(&run, "judging %d of %d", i + 1, n);
        start_trial(&run, &candidates[i]);
    }
    ok = ok && loop_drain(&run);
    loop_end_trials(&run);
    for (int i = 0; ok && i < n; i++)
        if (candidates[i].examined) upper_examine_again(&run, i);
    ok = ok && run.err.code == ERROR_NONE;
    if (ok) memcpy(candidates, run.candidates.items, (size_t)n * sizeof *candidates);
    VEC_FREE(&run.candidates);
    for (int i = 0; i < run.n_scratches; i++)
        scratch_free(run.scratches[i]);
    return ok || error_set(err, ERROR_CANCELLED, "cancelled");
}

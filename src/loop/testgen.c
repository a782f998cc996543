// Writing tests: the model proposes cases, running them decides. An assertion that the function as
// it is does not meet is dropped (and told: it may show a bug), and a test counts by the small
// changes of the function that it notices.
#include <string.h>

#include "base/clock.h"
#include "loop/framework.h"
#include "loop/run.h"

enum { MAX_CASES = 6, MAX_REPAIRS = 24, MAX_TOLD = 3, MAX_ROWS = 32 };

typedef struct Suite {
    TestCase cases[MAX_CASES];
    size_t n;
    Str text; // of the file
    int n_kept, n_dropped, n_computed;
    int n_changes, n_noticed;
    StrBuf told; // what was dropped because it fails
    double ms;
} Suite;

// --- running -------------------------------------------------------------------------------------

// The function as it is with this test file, or NULL when it cannot be waited for.
static const Candidate *run_file(LoopRun *run, const TestPlan *plan, Str text)
{
    run->overlay = plan->file;
    run->overlay_text = text;
    run->keep_output = true;
    const Candidate *c = loop_try_original(run);
    run->keep_output = false;
    return c;
}

// Does the project's command read the file at all? With a poisoned one it has to fail.
static bool is_reached(LoopRun *run, const TestPlan *plan)
{
    const Candidate *c = run_file(run, plan, plan->poison);
    return c && c->tests == VERDICT_FAIL;
}

static void choose_command(LoopRun *run, const TestPlan *plan)
{
    LoopResult *r = run->result;
    bool own_tests = run->has_tests && r->baseline.len == 0;
    loop_tell(run, "looking whether %.*s is run by the project's tests", STR_FMT(plan->file));
    if (own_tests && is_reached(run, plan)) return;
    if (run->has_tests && plan->command.len == 0) return; // and then nothing will be noticed
    run->command = plan->command;
    run->has_tests = run->has_command = plan->command.len > 0;
    run->shown_at_root = false;
    run->test_limit_ms = 0; // that was another command's
    r->test_command = plan->command;
    r->test_reason = STR("this file alone: the project's own command does not run it");
}

// --- dropping ------------------------------------------------------------------------------------

// Rows (from 0) of the file that the output names outside of warnings.
static size_t find_rows(Str output, Str file, uint32_t *rows, Str *lines)
{
    size_t n = 0, slash = file.len;
    while (slash > 0 && file.ptr[slash - 1] != '/')
        slash--;
    Str name = str_slice(file, slash, file.len);
    for (size_t at = 0; at < output.len && n < MAX_ROWS; at = str_find(output, STR("\n"), at) + 1) {
        Str line = str_slice(output, at, str_find(output, STR("\n"), at));
        size_t place = str_find(line, name, 0) + name.len;
        bool minor = str_find(line, STR("warning:"), 0) < line.len ||
                     str_find(line, STR("note:"), 0) < line.len;
        if (place > line.len || minor) continue;
        while (place < line.len && strchr("\":, line", line.ptr[place]))
            place++;
        unsigned row = 0;
        for (;
             place < line.len && line.ptr[place] >= '0' && line.ptr[place] <= '9' && row < 1000000;
             place++)
            row = 10 * row + (unsigned)(line.ptr[place] - '0');
        if (row == 0) continue;
        lines[n] = line;
        rows[n++] = row - 1;
    }
    return n;
}

static TestStatement *find_statement(Suite *suite, uint32_t row)
{
    for (size_t i = 0; i < suite->n; i++)
        for (size_t k = 0; k < suite->cases[i].n; k++) {
            TestStatement *s = &suite->cases[i].items[k];
            if (!s->dropped && row >= s->row && row < s->row + s->n_rows) return s;
        }
    return NULL;
}

// "AssertionError: 5 != 4", "assert 5 == 4", "5 !== 4": what the function returned.
static Str read_actual(Str output, Arena *arena)
{
    static const char *const leads[] = {"AssertionError: ", "E       assert ", "E   assert ", NULL};
    static const char *const signs[] = {" != ", " == ", NULL};
    for (int i = 0; leads[i]; i++) {
        size_t at = str_find(output, str_from(leads[i]), 0);
        if (at == output.len) continue;
        at += strlen(leads[i]);
        Str line = str_slice(output, at, str_find(output, STR("\n"), at));
        for (int k = 0; signs[k]; k++) {
            size_t end = str_find(line, str_from(signs[k]), 0);
            bool whole = end < line.len && str_find(line, STR("..."), 0) == line.len;
            if (whole && str_find(line, STR("("), 0) > end)
                return arena_str(arena, str_slice(line, 0, end));
        }
    }
    return STR("");
}

// The value that was expected is the last argument, or what stands after "==".
static bool put_actual(TestStatement *s, Str actual, Arena *arena)
{
    Str text = s->text;
    if (s->computed || actual.len == 0 || str_find(text, STR("\n"), 0) < text.len) return false;
    size_t equal = str_find(text, STR(" == "), 0);
    bool call = str_starts(text, STR("self.assertEqual(")) && text.ptr[text.len - 1] == ')';
    if (str_starts(text, STR("assert ")) && equal < text.len) {
        s->text = arena_printf(arena, "%.*s == %.*s", (int)equal, text.ptr, STR_FMT(actual));
    } else if (call) {
        int depth = 0;
        size_t comma = 0;
        for (size_t i = strlen("self.assertEqual("); i + 1 < text.len; i++) {
            depth += strchr("([{", text.ptr[i]) != NULL;
            depth -= strchr(")]}", text.ptr[i]) != NULL;
            if (depth == 0 && text.ptr[i] == ',') comma = i;
        }
        if (comma == 0) return false;
        s->text = arena_printf(arena, "%.*s, %.*s)", (int)comma, text.ptr, STR_FMT(actual));
    } else {
        return false;
    }
    return s->computed = true;
}

// Without a place (a crash), what was written last goes first.
static bool drop_last(Suite *suite)
{
    for (size_t i = suite->n; i-- > 0;)
        for (size_t k = suite->cases[i].n; k-- > 0;)
            if (!suite->cases[i].items[k].dropped) return suite->cases[i].items[k].dropped = true;
    return false;
}

static bool repair(LoopRun *run, const TestPlan *plan, Suite *suite, Str output)
{
    uint32_t rows[MAX_ROWS];
    Str lines[MAX_ROWS];
    bool any = false;
    size_t n = find_rows(output, plan->file, rows, lines);
    for (size_t i = 0; i < n; i++) {
        TestStatement *s = find_statement(suite, rows[i]);
        if (!s) continue;
        any = true;
        bool built = str_find(lines[i], STR(" error: "), 0) == lines[i].len ||
                     str_find(output, STR("Failure!"), 0) < output.len;
        if (n == 1 && built && put_actual(s, read_actual(output, run->arena), run->arena)) continue;
        s->dropped = true;
        suite->n_dropped += s->asserts;
        if (s->asserts && built && suite->n_dropped <= MAX_TOLD)
            strbuf_printf(&suite->told, "%s%.*s", suite->told.len ? "; " : "",
                          STR_FMT(str_slice(s->text, 0, str_find(s->text, STR("\n"), 0))));
    }
    return any || drop_last(suite);
}

static void count(Suite *suite)
{
    suite->n_kept = suite->n_computed = 0;
    for (size_t i = 0; i < suite->n; i++)
        for (size_t k = 0; k < suite->cases[i].n; k++) {
            const TestStatement *s = &suite->cases[i].items[k];
            suite->n_kept += s->asserts && !s->dropped;
            suite->n_computed += s->asserts && !s->dropped && s->computed;
        }
}

// Until the file passes on the function as it is; false: nothing of it is left.
static bool settle(LoopRun *run, const TestPlan *plan, Suite *suite)
{
    for (int i = 0; i < MAX_REPAIRS; i++) {
        count(suite);
        if (suite->n_kept == 0 || !loop_wants_more(run)) return false;
        suite->text = framework_render(plan, suite->cases, suite->n, run->arena);
        const Candidate *c = run_file(run, plan, suite->text);
        if (!c || c->tests == VERDICT_SKIPPED) return false;
        loop_limit_tests(run, c);
        if (c->tests == VERDICT_PASS) return true;
        if (!repair(run, plan, suite, c->output)) return false;
    }
    return false;
}

static bool measure(LoopRun *run, const TestPlan *plan, Suite *suite, Error *err)
{
    run->overlay = plan->file;
    run->overlay_text = suite->text;
    run->candidates.n = 0;
    bool ok = propose_mutants(run, err);
    for (size_t i = 0; i < run->candidates.n; i++) {
        Verdict tests = run->candidates.items[i].tests;
        suite->n_noticed += tests == VERDICT_FAIL;
        suite->n_changes += tests == VERDICT_FAIL || tests == VERDICT_PASS;
    }
    run->candidates.n = 0;
    run->passed = -1;
    return ok;
}

// --- the best of several -------------------------------------------------------------------------

static bool is_better(const Suite *a, const Suite *b)
{
    if (a->n_noticed != b->n_noticed) return a->n_noticed > b->n_noticed;
    if (a->n_computed != b->n_computed) return a->n_computed < b->n_computed;
    return a->n_kept < b->n_kept;
}

static Suite find_best(LoopRun *run, const TestPlan *plan, Error *err)
{
    Suite best = {0};
    const Language *lang = syntax_language(run->request->syntax);
    for (size_t i = 0; i < run->answers.n && loop_wants_more(run); i++) {
        Suite suite = {0};
        loop_tell(run, "running answer %zu of %zu", i + 1, run->answers.n);
        suite.n =
            framework_cases(plan, lang, run->answers.items[i], MAX_CASES, run->arena, suite.cases);
        bool ok = settle(run, plan, &suite) && measure(run, plan, &suite, err);
        if (ok && (best.n_kept == 0 || is_better(&suite, &best))) {
            strbuf_deinit(&best.told);
            best = suite;
        } else {
            strbuf_deinit(&suite.told);
        }
        if (best.n_changes > 0 && best.n_noticed == best.n_changes) break;
    }
    return best;
}

// The edit of the test file: what differs between its old text and the new one.
static void put_edit(LoopResult *r, const TestPlan *plan, Str text)
{
    size_t head = 0, tail = 0, n_old = plan->before.len;
    while (head < n_old && head < text.len && plan->before.ptr[head] == text.ptr[head])
        head++;
    while (head > 0 && text.ptr[head - 1] != '\n')
        head--; // whole lines, and no character cut in two
    while (tail < n_old - head && tail < text.len - head &&
           plan->before.ptr[n_old - 1 - tail] == text.ptr[text.len - 1 - tail])
        tail++;
    while (tail > 0 && text.ptr[text.len - tail - 1] != '\n')
        tail--;
    r->replace = (ByteRange){head, n_old - tail};
    r->insert = str_slice(text, head, text.len - tail);
    r->test_file = plan->file;
    r->test_file_is_new = plan->is_new;
    r->test_file_text = plan->before;
}

static void conclude(LoopRun *run, const TestPlan *plan, Suite *best)
{
    LoopResult *r = run->result;
    r->n_changes = best->n_changes;
    r->n_noticed = best->n_noticed;
    r->tests_pass = best->n_kept > 0;
    Str dropped = STR("");
    if (best->n_dropped)
        dropped = arena_printf(run->arena, "; %d assertions dropped%s%.*s", best->n_dropped,
                               best->told.len ? ", because the function does not meet them (which "
                                                "may show a bug): "
                                              : "",
                               STR_FMT(strbuf_str(&best->told)));
    r->summary =
        arena_printf(run->arena,
                     "%d assertions (%s, %d of them with the value that is returned today) "
                     "in %.*s notice %d of %d small changes of %.*s%.*s",
                     best->n_kept, plan->framework->name, best->n_computed, STR_FMT(plan->file),
                     best->n_noticed, best->n_changes, STR_FMT(plan->name), STR_FMT(dropped));
    if (best->n_kept == 0)
        r->summary =
            arena_printf(run->arena, "none of %zu answers has a test that passes", run->answers.n);
    strbuf_deinit(&best->told);
    if (best->n_noticed == 0) return;
    put_edit(r, plan, best->text);
    Candidate c = {.proposer = "sample",
                   .round = 1,
                   .replace = r->replace,
                   .insert = r->insert,
                   .verdict = VERDICT_PASS,
                   .tests = VERDICT_PASS,
                   .test_note = STR("tests pass"),
                   .evidence = {.parse = VERDICT_PASS, .compile = VERDICT_SKIPPED}};
    VEC_PUSH(&run->candidates, c);
    run->passed = 0;
}

bool write_tests(LoopRun *run, Error *err)
{
    const LoopRequest *request = run->request;
    TestPlan *plan = arena_alloc(run->arena, sizeof *plan);
    if (!request->trusted)
        return error_set(err, ERROR_INVALID,
                         "tests are run before they are shown, wanted a trusted "
                         "folder");
    if (!run->chat)
        return error_set(err, ERROR_UNSUPPORTED,
                         "the model %.*s answers no questions, wanted one with a chat template",
                         STR_FMT(engine_info(run->engine)->name));
    if (!framework_plan(request->root, request->path, request->syntax, &run->task, run->arena,
                        plan) &&
        plan->file.len)
        return error_set(err, ERROR_UNSUPPORTED,
                         "the tests of %.*s would be %.*s, wanted its folder to be there",
                         STR_FMT(run->task.name), STR_FMT(plan->file));
    if (plan->file.len == 0)
        return error_set(err, ERROR_UNSUPPORTED, "no form of tests is known for %.*s in %s",
                         STR_FMT(run->task.name), syntax_language(request->syntax)->title);
    run->plan = plan;
    choose_command(run, plan);
    if (!run->has_tests)
        return error_set(err, ERROR_UNSUPPORTED,
                         "nothing runs %.*s, wanted a test command that does", STR_FMT(plan->file));
    // Half of the time is for running them.
    double left = request->budget.ms - (clock_ms() - run->start_ms);
    if (request->budget.ms > 0) run->deadline_ms = clock_ms() + left / 2;
    run->round = run->result->n_rounds = 1;
    int n = request->budget.candidates;
    bool ok = propose_samples(run, 0, 1, err) && (n < 2 || propose_samples(run, 1, n - 1, err));
    run->deadline_ms = 0;
    if (ok) {
        Suite best = find_best(run, plan, err);
        ok = err->code == ERROR_NONE && !loop_is_cancelled(run);
        conclude(run, plan, &best);
    }
    if (!ok && err->code == ERROR_NONE) error_set(err, ERROR_CANCELLED, "cancelled");
    run->plan = NULL;
    run->overlay = (Str){0};
    return ok;
}

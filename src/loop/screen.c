// One run of the tests, or a few: versions that do not compile are found first and left out. The
// text as it was is version 0 and has to fail as it failed before: else the tests look at more than
// the ends of processes, and every version gets a trial of its own.
#include "loop/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/probe.h"
#include "loop/trial.h"

extern const char screen_python_start[];

// Versions with version 0; runs, each of which may leave out what the one before could not compile.
enum { MAX_VERSIONS = SCREEN_MAX_VERSIONS + 1, MAX_RUNS = 5, MIN_VERSIONS = 4 };
enum { MAX_REPORT_BYTES = 1 << 20 };
static const double LEAST_RUN_MS = 10000, VERSION_LIMIT_MS = 1000, EACH_MS = 200, SLOW_FACTOR = 4;
static const char REPORT_NAME[] = ".r1ls-screen";

// What a version's processes did.
typedef struct Outcome {
    bool ran, failed, late, crashed;
    Str said; // of the first that failed
} Outcome;

typedef struct Screen {
    LoopRun *run;
    Scratch *scratch;
    Candidate *changes[MAX_VERSIONS]; // by version; 0 has none
    Str texts[MAX_VERSIONS];
    bool refused[MAX_VERSIONS]; // by the compiler
    Evidence evidence[MAX_VERSIONS];
    Outcome outcomes[MAX_VERSIONS];
    size_t n;
    bool python;
    Str folder; // of the copy, as the tests see it
} Screen;

bool screen_may(const LoopRun *run)
{
    const char *lang = syntax_language(run->request->syntax)->id;
    bool kind = run->task.kind == TASK_FIX || run->task.kind == TASK_BODY;
    bool known = strcmp(lang, "c") == 0 || strcmp(lang, "python") == 0;
    return kind && known && run->has_tests && !run->no_screen &&
           run->original.tests == VERDICT_FAIL;
}

// --- versions ------------------------------------------------------------------------------------

// Has it nothing else than another body?
static bool is_version(const Screen *s, Str text)
{
    const LoopRun *run = s->run;
    const SyntaxFunction *f = &run->task.function;
    Str all = text_str(run->request->text);
    size_t n_after = all.len - f->whole.end;
    if (text.len < f->body.start + n_after) return false;
    return memcmp(text.ptr, all.ptr, f->body.start) == 0 &&
           memcmp(text.ptr + text.len - n_after, all.ptr + f->whole.end, n_after) == 0;
}

static bool is_one_function(const Screen *s, const TextSnap *text)
{
    const LoopRun *run = s->run;
    const SyntaxFunction *was = &run->task.function;
    size_t n_after = text_n_bytes(run->request->text) - was->whole.end;
    Syntax *syntax = syntax_parse(syntax_language(run->request->syntax), text, NULL);
    SyntaxFunction f;
    bool same = syntax && syntax_function_at(syntax, was->whole.start, &f) &&
                f.whole.start == was->whole.start && f.whole.end + n_after == text_n_bytes(text) &&
                f.body.start == was->body.start;
    syntax_release(syntax);
    return same;
}

static void add_version(Screen *s, Candidate *change)
{
    LoopRun *run = s->run;
    TextSnap *text = loop_apply(run, change);
    bool fits = text && (s->python || (is_version(s, text_str(text)) && is_one_function(s, text)));
    if (fits) {
        VerifyRequest request = {
            .text = text,
            .before = run->request->syntax,
            .lang = syntax_language(run->request->syntax),
            .file_path = run->request->file_path,
            .root = run->request->root,
            .changed = {change->replace.start, change->replace.start + change->insert.len}};
        Verify *verify = verify_start(&request, run->arena);
        if (verify_poll(verify) == VERDICT_PASS) {
            s->evidence[s->n] = *verify_evidence(verify);
            s->evidence[s->n].compile_note = STR("compiled by its tests");
            s->texts[s->n] = arena_str(run->arena, text_str(text));
            s->changes[s->n++] = change;
        }
        verify_free(verify);
    }
    text_release(text);
}

// --- the harness ---------------------------------------------------------------------------------

// Of one version's tests, if the first one's do not tell.
static double find_limit(const LoopRun *run)
{
    double slow = run->hangs ? 0 : SLOW_FACTOR * run->original.test_spent_ms;
    return slow > VERSION_LIMIT_MS ? slow : VERSION_LIMIT_MS;
}

static bool write_python(Screen *s)
{
    Error err = {0};
    StrBuf task = {0};
    strbuf_printf(&task, "{\"limit\": %.3f, \"path\": ", find_limit(s->run) / 1000);
    probe_put_json_string(&task, s->run->request->path);
    strbuf_append(&task, STR(", \"versions\": ["));
    for (size_t k = 0; k < s->n; k++) {
        if (k) strbuf_append_char(&task, ',');
        probe_put_json_string(&task, s->texts[k]);
    }
    strbuf_append(&task, STR("]}"));
    Str name = arena_printf(s->run->arena, "%s.json", REPORT_NAME);
    bool ok =
        scratch_write(s->scratch, s->run->request->path, s->texts[0], &err) &&
        scratch_write(s->scratch, name, strbuf_str(&task), &err) &&
        scratch_write(s->scratch, STR("sitecustomize.py"), str_from(screen_python_start), &err);
    strbuf_deinit(&task);
    return ok;
}

static bool write_c(Screen *s)
{
    Error err = {0};
    const LoopRun *run = s->run;
    Str left[MAX_VERSIONS] = {{0}};
    for (size_t k = 0; k < s->n; k++)
        if (!s->refused[k]) left[k] = s->texts[k];
    Str text = screen_c_harness(run->request->syntax, &run->task.function, left, s->n,
                                find_limit(run), run->arena);
    return text.len && scratch_write(s->scratch, run->request->path, text, &err);
}

// The versions that the compiler refuses; false: none, or it has refused more than versions.
static bool read_refusals(Screen *s, Str output)
{
    int n = 0;
    for (size_t at = 0; at < output.len; at = str_find(output, STR("\n"), at) + 1) {
        Str line = str_slice(output, at, str_find(output, STR("\n"), at));
        if (!str_contains(line, ": error: ")) continue;
        int k = screen_c_version(line);
        if (k <= 0 || k >= (int)s->n) return false;
        if (s->refused[k]) continue;
        s->refused[k] = true;
        s->outcomes[k] = (Outcome){.ran = true, .failed = true};
        s->outcomes[k].said = arena_str(s->run->arena, line);
        n++;
    }
    return n > 0;
}

// --- the report ----------------------------------------------------------------------------------

static void read_outcome(Screen *s, int k, bool late, int status, Str said)
{
    if (k < 0 || k >= (int)s->n) return;
    Outcome *o = &s->outcomes[k];
    bool failed = late || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    o->ran = true;
    if (!failed || o->failed) return;
    o->failed = true;
    o->late = late;
    o->crashed = !late && WIFSIGNALED(status);
    o->said = arena_str(s->run->arena, said);
}

static bool read_report(Screen *s)
{
    Error err = {0};
    Str path = arena_printf(s->run->arena, "%s/%s", scratch_folder(s->scratch).ptr, REPORT_NAME);
    TextSnap *text = text_read_file(path.ptr, MAX_REPORT_BYTES, &err);
    Str all = text ? text_str(text) : STR("");
    bool found = false;
    for (size_t at = 0; at < all.len;) {
        size_t end = str_find(all, STR("\n"), at);
        int version, late, status;
        size_t n;
        Str head = arena_str(s->run->arena, str_slice(all, at, end));
        if (sscanf(head.ptr, "version %d %d %d %zu", &version, &late, &status, &n) != 4) break;
        read_outcome(s, version, late != 0, status, str_slice(all, end + 1, end + 1 + n));
        at = end + n + 2;
        found = true;
    }
    text_release(text);
    return found;
}

static void clean_up(Screen *s)
{
    static const char *const endings[] = {"", ".json", ".said"};
    const char *folder = scratch_folder(s->scratch).ptr;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        unlink(arena_printf(s->run->arena, "%s/%s%s", folder, REPORT_NAME, endings[i]).ptr);
    if (s->python) unlink(arena_printf(s->run->arena, "%s/sitecustomize.py", folder).ptr);
}

// --- running -------------------------------------------------------------------------------------

// True once versions have run.
static bool run_versions(Screen *s)
{
    LoopRun *run = s->run;
    Str words = arena_printf(run->arena, "R1LS_SCREEN=\"$PWD/%s\"; export R1LS_SCREEN; %s",
                             REPORT_NAME, s->python ? TRIAL_PYTHON_HERE : "");
    double limit = LEAST_RUN_MS + run->test_limit_ms + EACH_MS * (double)s->n;
    for (int i = 0; i < MAX_RUNS; i++) {
        Child child = {.out = -1};
        bool ok = s->python ? write_python(s) : write_c(s);
        if (ok) trial_run(run, s->scratch, words, limit, &child);
        Str output = arena_str(run->arena, strbuf_str(&child.output));
        child_free(&child);
        bool found = ok && read_report(s);
        bool again = ok && !found && !s->python && read_refusals(s, output);
        clean_up(s);
        if (!again) return found;
    }
    return false;
}

// Does the text as it was fail here as it did before?
static bool fails_as_before(const Screen *s)
{
    const Outcome *o = &s->outcomes[0];
    LoopRun *run = s->run;
    int n_failures, line;
    if (!o->failed) return false;
    loop_count_failures(run, o->said, &n_failures, &line);
    if (o->crashed || o->late || (n_failures > 0 && run->original.n_failures > 0)) return true;
    Str message = loop_message(o->said, s->folder, run->arena);
    return message.len > 0 && str_equal(message, run->original.test_note);
}

static void judge(Screen *s, size_t k, double ms)
{
    LoopRun *run = s->run;
    const Outcome *o = &s->outcomes[k];
    Candidate *c = s->changes[k];
    // One that crashed on its way tells nothing of how long the rest takes.
    bool told = o->ran && o->failed && (!o->late || !s->outcomes[0].crashed);
    if (!told) return;
    c->verdict = c->tests = VERDICT_FAIL;
    c->evidence = s->evidence[k];
    c->evidence.compile = VERDICT_SKIPPED;
    c->test_ms = ms;
    c->test_note = loop_message(o->said, s->folder, run->arena);
    if (o->late)
        c->test_note = STR("the tests did not end in many times the time that they took before");
    else
        loop_count_failures(run, o->said, &c->n_failures, &c->failed_line);
    if (c->test_note.len == 0)
        c->test_note =
            o->crashed ? STR("the tests crashed") : STR("the tests failed without a message");
}

void screen_judge(LoopRun *run, Candidate *changes, size_t n)
{
    Error err = {0};
    if (!screen_may(run) || n < MIN_VERSIONS || !loop_drain(run)) return;
    Screen *s = arena_alloc(run->arena, sizeof *s);
    *s = (Screen){.run = run, .n = 1};
    s->python = strcmp(syntax_language(run->request->syntax)->id, "python") == 0;
    s->texts[0] = text_str(run->request->text);
    for (size_t i = 0; i < n && i < SCREEN_MAX_VERSIONS; i++)
        if (changes[i].verdict == VERDICT_PENDING) add_version(s, &changes[i]);
    if (s->n <= MIN_VERSIONS || !(s->scratch = trial_take_scratch(run, &err))) return;
    s->folder = str_from(trial_command(run, scratch_folder(s->scratch).ptr).folder);
    double start = clock_ms();
    bool ran = run_versions(s);
    trial_give_back(run, s->scratch);
    if (loop_is_cancelled(run)) return;
    if (!ran || !fails_as_before(s)) {
        // Time that was over says nothing.
        if (!loop_is_out_of_time(run)) run->no_screen = true;
        return;
    }
    run->screens = true;
    double ms = LOOP_MAX_TRIALS * (clock_ms() - start) / (double)s->n;
    for (size_t k = 1; k < s->n; k++)
        judge(s, k, ms);
}

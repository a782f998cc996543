// Steps, each a child process: the preprocessor for the function's file (and for the one that it is
// compared with), CBMC over the harness, and for equality CBMC once more. In that second run every
// check is an assumption, so that only inputs count with which neither function has a violation;
// a difference is met as the unwinding assertion of a loop that nothing else reaches.
#include "formal/cbmc.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "formal/cbmc_report.h"
#include "formal/harness.h"
#include "formal/translate.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"
#include "verify/command.h"

enum { MAX_FINDINGS = 6, MAX_UNIT = 4 << 20, MAX_REPORT = 48 << 20, RETRY_MS = 500 };

typedef enum Step { STEP_UNIT, STEP_OLD_UNIT, STEP_CHECK, STEP_COMPARE, STEP_DONE } Step;

struct Cbmc {
    Arena *arena;
    FormalRequest request; // its syntax is retained
    FormalResult result;
    VEC(FormalFinding) findings;
    ScratchFolder folder;
    Child child;
    Step step;
    Str source, unit, old; // the path that findings in the function's own file have; texts
    Harness harness;
    bool is_cut, old_fails; // an unwinding assertion failed; the function as it was has violations
    bool old_strays;        // one of these is an access outside of an array
    FormalFinding fault;    // of the new one, where both have some
    int unwind;
    double start_ms;
};

// --- answers -------------------------------------------------------------------------------------

static void finish(Cbmc *c, FormalAnswer answer, Str text)
{
    FormalResult *r = &c->result;
    c->step = STEP_DONE;
    r->answer = answer;
    r->unwind = c->unwind;
    r->summary = arena_printf(c->arena, "%.*s: %.*s", STR_FMT(r->name), STR_FMT(text));
    r->n_findings = (int)c->findings.n;
    r->findings = arena_array(c->arena, c->findings.n + 1, sizeof *r->findings);
    if (c->findings.n) memcpy(r->findings, c->findings.items, c->findings.n * sizeof *r->findings);
    r->ms = clock_ms() - c->start_ms;
    child_free(&c->child);
    c->child.out = -1;
    scratch_folder_remove(&c->folder);
}

static void finish_outside(Cbmc *c, Str why)
{
    finish(c, FORMAL_OUTSIDE,
           arena_printf(c->arena, "outside of what CBMC is given: %.*s", STR_FMT(why)));
}

static void finish_unknown(Cbmc *c, Str why)
{
    finish(c, FORMAL_UNKNOWN, arena_printf(c->arena, "not decided by CBMC: %.*s", STR_FMT(why)));
}

static void finish_with(Cbmc *c, FormalAnswer answer)
{
    const FormalFinding *f = &c->findings.items[0];
    finish(c, answer,
           arena_printf(c->arena, "%.*s, with %.*s", STR_FMT(f->text), STR_FMT(f->inputs)));
}

static void finish_good(Cbmc *c)
{
    bool compares = c->request.against != NULL, bounded = c->is_cut || c->harness.is_bounded;
    if (!bounded) {
        finish(c, FORMAL_PROVED, compares ? STR("equal on all inputs") : STR(FORMAL_NOTHING_FOUND));
        return;
    }
    const char *what = compares ? "equal on all inputs" : "nothing happens on any input";
    finish(c, FORMAL_BOUNDED,
           c->is_cut
               ? arena_printf(c->arena, "%s within %d iterations, more are possible (line %u)",
                              what, c->unwind, c->result.line)
               : arena_printf(c->arena, "%s of the sizes that are assumed", what));
}

// --- findings ------------------------------------------------------------------------------------

static Str place_of(const Cbmc *c, const CbmcProperty *p)
{
    if (p->line == 0) return STR("");
    if (p->file.len == 0 || str_equal(p->file, c->source))
        return arena_printf(c->arena, " in line %u", p->line);
    size_t slash = p->file.len;
    while (slash > 0 && p->file.ptr[slash - 1] != '/')
        slash--;
    return arena_printf(c->arena, " in line %u of %.*s", p->line,
                        STR_FMT(str_slice(p->file, slash, p->file.len)));
}

static void add_finding(Cbmc *c, const CbmcProperty *p, const char *more)
{
    FormalFinding f = {.kind = p->kind, .line = p->line, .inputs = p->inputs};
    f.text = arena_printf(c->arena, "%s%.*s (%.*s)%s", formal_kind_text(p->kind),
                          STR_FMT(place_of(c, p)), STR_FMT(p->description), more);
    for (size_t i = 0; i < c->findings.n; i++)
        if (c->findings.items[i].kind == f.kind && c->findings.items[i].line == f.line) return;
    if (c->findings.n < MAX_FINDINGS) VEC_PUSH(&c->findings, f);
}

static bool is_of_harness(const CbmcProperty *p)
{
    return str_equal(p->file, STR("r1ls"));
}

// The unit of the function as it was is the file old.c of the scratch folder.
static bool is_of_old(const Cbmc *c, const CbmcProperty *p)
{
    return c->request.against &&
           (str_starts(p->function, STR("r1ls_old_")) || str_ends(p->file, STR("/old.c")));
}

// What speaks against any answer; true: the check has ended.
static bool refuse_report(Cbmc *c, const CbmcReport *report)
{
    for (int i = 0; i < report->n_properties; i++) {
        const CbmcProperty *p = &report->properties[i];
        if (p->missing.len && c->step == STEP_CHECK) {
            finish_outside(c,
                           arena_printf(c->arena, "a call of %.*s, which the file does not define",
                                        STR_FMT(p->missing)));
            return true;
        }
        if (p->is_known && is_of_harness(p) && p->kind != FORMAL_UNWIND) {
            finish_unknown(
                c, arena_printf(c->arena, "the harness fails: %.*s", STR_FMT(p->description)));
            return true;
        }
    }
    return false;
}

static void note_cut(Cbmc *c, const CbmcProperty *p)
{
    if (!c->is_cut) c->result.line = p->line;
    c->is_cut = true;
}

static void note_old(Cbmc *c, const CbmcProperty *p)
{
    c->old_fails = true;
    c->old_strays |= p->is_known && (p->kind == FORMAL_BOUNDS || p->kind == FORMAL_POINTER);
}

static void start_step(Cbmc *c, Step step);

static void judge_check(Cbmc *c, const CbmcReport *report)
{
    bool doubt = false;
    for (int i = 0; i < report->n_properties; i++) {
        const CbmcProperty *p = &report->properties[i];
        if (p->kind == FORMAL_UNWIND && p->is_known)
            note_cut(c, p);
        else if (is_of_old(c, p))
            note_old(c, p);
        else if (p->is_known)
            add_finding(c, p, "");
        else
            doubt = true;
    }
    if (!c->request.against && c->findings.n) {
        finish_with(c, FORMAL_VIOLATED);
    } else if (c->findings.n && !c->old_fails) {
        c->findings.items[0].text = arena_printf(c->arena, "%.*s, which the other does not have",
                                                 STR_FMT(c->findings.items[0].text));
        finish_with(c, FORMAL_DIFFERENT);
    } else if (doubt && !c->findings.n) {
        finish_unknown(c, STR("it cannot say of every property whether it holds"));
    } else if (c->request.against) {
        if (c->findings.n) c->fault = c->findings.items[0];
        c->findings.n = 0;
        start_step(c, STEP_COMPARE);
    } else {
        finish_good(c);
    }
}

static void judge_comparison(Cbmc *c, const CbmcReport *report)
{
    for (int i = 0; i < report->n_properties; i++) {
        const CbmcProperty *p = &report->properties[i];
        if (str_equal(p->function, STR(HARNESS_DIFFER))) {
            FormalFinding f = {.kind = N_FORMAL_KINDS, .text = p->difference, .inputs = p->inputs};
            if (f.text.len == 0) f.text = STR("they do different things");
            VEC_PUSH(&c->findings, f);
            finish_with(c, FORMAL_DIFFERENT);
            return;
        }
        if (!p->is_known || p->kind != FORMAL_UNWIND) {
            finish_unknown(c, STR("it cannot say of every property whether it holds"));
            return;
        }
        note_cut(c, p);
    }
    if (c->fault.text.len)
        finish_unknown(c, arena_printf(c->arena,
                                       "equal where neither has a violation; this one has %.*s, "
                                       "with %.*s, and the other has some too",
                                       STR_FMT(c->fault.text), STR_FMT(c->fault.inputs)));
    else if (c->old_strays)
        finish_unknown(c, STR(FORMAL_STRAY));
    else
        finish_good(c);
}

// --- processes -----------------------------------------------------------------------------------

static double time_left(const Cbmc *c)
{
    double max_ms = c->request.max_ms > 0 ? c->request.max_ms : FORMAL_MAX_MS;
    return c->start_ms + max_ms - clock_ms();
}

static bool start_child(Cbmc *c, char *const *argv, const char *folder, double ms)
{
    Error err = {0};
    SandboxCommand command = {.argv = argv,
                              .folder = folder,
                              .writable = c->folder.path,
                              .limits = {.wall_ms = ms,
                                         .cpu_seconds = (int)(ms / 1000) + 2,
                                         .memory_bytes = (size_t)2 << 30,
                                         .file_bytes = MAX_REPORT}};
    SandboxMode mode = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS;
    child_free(&c->child);
    if (sandbox_start(&c->child, mode, &command, c->arena, &err)) return true;
    finish_unknown(c, arena_printf(c->arena, "%s", err.text));
    return false;
}

static Str path_in(const Cbmc *c, const char *name)
{
    return arena_printf(c->arena, "%s/%s", c->folder.path, name);
}

// The compiler's command for the file, with -E.
static void start_preprocessor(Cbmc *c, bool old)
{
    const FormalRequest *r = &c->request;
    const Syntax *syntax = old ? r->against : r->syntax;
    const char *folder;
    Str why = {0}, file = r->file_path.len ? r->file_path : path_in(c, "x.c");
    Str copy = verify_write_copy(&c->folder, STR("x.c"), old ? "old" : "new", syntax_text(syntax),
                                 c->arena);
    VerifyRequest request = {.text = syntax_text(syntax),
                             .lang = syntax_language(syntax),
                             .file_path = file,
                             .root = r->root.len ? r->root : str_from(c->folder.path),
                             .trusted = r->trusted};
    char **words = copy.len ? command_find(&request, copy.ptr, c->arena, &folder, &why) : NULL;
    if (!words) {
        finish_unknown(c, why.len ? why : STR("no scratch file can be written"));
        return;
    }
    if (!old) c->source = copy;
    size_t n = 0;
    while (words[n])
        n++;
    char **argv = arena_array(c->arena, n + 6, sizeof *argv);
    memcpy(argv, words, n * sizeof *argv);
    argv[n++] = (char *)(uintptr_t) "-E";
    argv[n++] = (char *)(uintptr_t) "-UNDEBUG"; // assertions are what is looked for
    argv[n++] = (char *)(uintptr_t) "-o";
    argv[n++] = (char *)(uintptr_t)path_in(c, old ? "old.i" : "new.i").ptr;
    argv[n] = NULL;
    start_child(c, argv, folder, time_left(c));
}

// What CBMC prints goes into a file: it is more than a pipe's reader keeps.
static void start_cbmc(Cbmc *c, bool assume)
{
    static const char script[] = "TMPDIR=$PWD exec \"$0\" \"$@\" >report.json 2>&1";
    const char *program = c->request.prover.cbmc ? c->request.prover.cbmc : "cbmc";
    const char *words[] = {"/bin/sh",
                           "-c",
                           script,
                           program,
                           "new.i",
                           c->harness.old.len ? "old.i" : "--json-ui",
                           "--json-ui",
                           "--function",
                           HARNESS_ENTRY,
                           "--unwind",
                           arena_printf(c->arena, "%d", c->unwind + 1).ptr,
                           "--unwinding-assertions",
                           "--signed-overflow-check",
                           "--div-by-zero-check",
                           "--undefined-shift-check",
                           "--bounds-check",
                           "--pointer-check",
                           "--pointer-overflow-check",
                           "--nondet-static",
                           "--trace",
                           assume ? "--assert-to-assume" : NULL,
                           NULL};
    char **argv = arena_array(c->arena, sizeof words / sizeof *words, sizeof *argv);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        argv[i] = (char *)(uintptr_t)words[i];
    double left = time_left(c);
    start_child(c, argv, c->folder.path, c->unwind > 1 ? left / 2 : left);
}

static bool write_file(const Cbmc *c, const char *name, Str text)
{
    int fd = open(path_in(c, name).ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && text_write_all(fd, text);
    if (fd >= 0 && close(fd) != 0) ok = false;
    return ok;
}

static bool write_units(Cbmc *c, HarnessAim aim)
{
    HarnessRequest request = {.unit = c->unit,
                              .old = c->old,
                              .name = c->result.name,
                              .aim = aim,
                              .max_text = c->unwind > 1 ? c->unwind - 1 : 1};
    if (!harness_write(&request, c->arena, &c->harness)) {
        finish_outside(c, c->harness.why);
        return false;
    }
    if (write_file(c, "new.i", c->harness.unit) && write_file(c, "old.i", c->harness.old))
        return true;
    finish_unknown(c, STR("no scratch file can be written"));
    return false;
}

static void start_step(Cbmc *c, Step step)
{
    c->step = step;
    if (time_left(c) < 1)
        finish_unknown(c, STR("the time is over"));
    else if (step == STEP_UNIT || step == STEP_OLD_UNIT)
        start_preprocessor(c, step == STEP_OLD_UNIT);
    else if (write_units(c, step == STEP_CHECK ? HARNESS_CHECK : HARNESS_COMPARE))
        start_cbmc(c, step == STEP_COMPARE);
}

// --- what a child left ---------------------------------------------------------------------------

static bool read_unit(Cbmc *c, const char *name, Str *out)
{
    Error err = {0};
    const Child *child = &c->child;
    bool ok = !child->overran && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
    TextSnap *text = ok ? text_read_file(path_in(c, name).ptr, MAX_UNIT, &err) : NULL;
    if (text) {
        *out = arena_str(c->arena, text_str(text));
        text_release(text);
        return true;
    }
    Str said = str_trim(strbuf_str(&child->output));
    said = ok ? str_from(err.text) : str_slice(said, 0, str_find(said, STR("\n"), 0));
    finish_outside(c, arena_printf(c->arena, "the preprocessor fails: %.*s", STR_FMT(said)));
    return false;
}

static bool read_report(Cbmc *c, CbmcReport *report)
{
    Error err = {0};
    TextSnap *text = text_read_file(path_in(c, "report.json").ptr, MAX_REPORT, &err);
    Str json = text ? text_str(text) : STR("");
    bool read = cbmc_report_read(json, c->arena, report);
    Str first = arena_str(c->arena, str_slice(json, 0, str_find(json, STR("\n"), 0)));
    text_release(text);
    if (read && report->is_complete) return true;
    Str why = read && report->error.len ? report->error : first;
    if (c->child.overran)
        why = arena_printf(c->arena, "it used up %s", c->child.overran);
    else if (read && report->error.len == 0)
        why = STR("it ended without a verdict");
    finish_unknown(c, str_slice(why, 0, str_find(why, STR("\n"), 0)));
    return false;
}

static void end_step(Cbmc *c)
{
    CbmcReport report;
    switch (c->step) {
    case STEP_UNIT:
        if (read_unit(c, "new.i", &c->unit))
            start_step(c, c->request.against ? STEP_OLD_UNIT : STEP_CHECK);
        return;
    case STEP_OLD_UNIT:
        if (read_unit(c, "old.i", &c->old)) start_step(c, STEP_CHECK);
        return;
    case STEP_CHECK:
    case STEP_COMPARE:
        if (!read_report(c, &report) || refuse_report(c, &report)) return;
        if (c->step == STEP_CHECK)
            judge_check(c, &report);
        else
            judge_comparison(c, &report);
        return;
    case STEP_DONE:
        return;
    }
}

// --- start ---------------------------------------------------------------------------------------

static void list_assumptions(Cbmc *c)
{
    FormalResult *r = &c->result;
    const Harness *h = &c->harness;
    r->assumptions = arena_array(c->arena, (size_t)h->n_assumptions + 3, sizeof *r->assumptions);
    r->n_assumptions = 0;
    for (int i = 0; i < h->n_assumptions; i++)
        r->assumptions[r->n_assumptions++] = h->assumptions[i];
    r->assumptions[r->n_assumptions++] =
        STR("a pointer into an array of a structure stays in that array: CBMC sees whole objects");
    // The last one: formal.c takes it away where Z3 has looked.
    r->assumptions[r->n_assumptions++] =
        STR("what was never set has any value, and so has a missing result: CBMC tells neither");
}

// Nothing was found in its time: fewer iterations are easier.
static bool retry(Cbmc *c)
{
    bool overran = c->child.overran != NULL;
    if (!overran || c->unwind < 2 || time_left(c) < RETRY_MS || c->unit.len == 0) return false;
    if (c->step != STEP_CHECK && c->step != STEP_COMPARE) return false;
    c->unwind /= 2;
    c->findings.n = 0;
    c->is_cut = c->old_fails = c->old_strays = false;
    c->fault = (FormalFinding){0};
    start_step(c, STEP_CHECK);
    return true;
}

bool cbmc_poll(Cbmc *cbmc)
{
    while (cbmc->step != STEP_DONE) {
        if (!child_poll(&cbmc->child)) return false;
        if (!retry(cbmc)) end_step(cbmc);
    }
    if (!cbmc->result.assumptions) list_assumptions(cbmc);
    return true;
}

const FormalResult *cbmc_result(const Cbmc *cbmc)
{
    return &cbmc->result;
}

static bool find_name(Cbmc *c)
{
    const FormalRequest *r = &c->request;
    SyntaxFunction place;
    size_t at = r->byte_off;
    if (syntax_function_at(r->syntax, at, &place)) at = place.whole.start;
    TSNode function = translate_find_at(r->syntax, at);
    if (strcmp(syntax_language(r->syntax)->id, "c") != 0 || ts_node_is_null(function)) {
        finish_outside(c, STR("no function of C"));
        return false;
    }
    Str name = translate_name_of(function, text_str(syntax_text(r->syntax)));
    c->result.name = arena_str(c->arena, name);
    if (!r->against) return true;
    at = r->against_off;
    if (syntax_function_at(r->against, at, &place)) at = place.whole.start;
    function = translate_find_at(r->against, at);
    if (!ts_node_is_null(function) &&
        str_equal(translate_name_of(function, text_str(syntax_text(r->against))), name))
        return true;
    finish_outside(c, STR("equality of functions of different names"));
    return false;
}

Cbmc *cbmc_start(const FormalRequest *request, Arena *arena)
{
    Cbmc *c = mem_zero(sizeof *c);
    int unwind = request->unwind > 0 ? request->unwind : FORMAL_UNWIND_DEFAULT;
    c->arena = arena;
    c->request = *request;
    c->request.syntax = syntax_retain(request->syntax);
    c->request.against = syntax_retain(request->against);
    c->start_ms = clock_ms();
    c->child.out = -1;
    c->folder.lock = -1;
    c->unwind = unwind < FORMAL_UNWIND_MAX ? unwind : FORMAL_UNWIND_MAX;
    c->result.tool = STR("cbmc");
    const char *version;
    if (!find_name(c)) return c;
    if (!cbmc_is_available(request->prover.cbmc, &version))
        finish_unknown(c, arena_printf(arena, "%s", version));
    else if (!scratch_folder_make(&c->folder))
        finish_unknown(c, STR("no scratch folder can be made"));
    else
        start_step(c, STEP_UNIT);
    return c;
}

void cbmc_free(Cbmc *cbmc)
{
    if (!cbmc) return;
    child_free(&cbmc->child);
    scratch_folder_remove(&cbmc->folder);
    VEC_FREE(&cbmc->findings);
    syntax_release(cbmc->request.syntax);
    syntax_release(cbmc->request.against);
    free(cbmc);
}

// --- is it there? --------------------------------------------------------------------------------

static pthread_mutex_t probe_lock = PTHREAD_MUTEX_INITIALIZER;
static char probed[512], version_text[120];
static bool was_probed, available;

static void probe(const char *program)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--version", NULL};
    Child child;
    const ChildLimits limits = {.wall_ms = 5000};
    available = false;
    snprintf(probed, sizeof probed, "%s", program);
    snprintf(version_text, sizeof version_text, "CBMC is not installed");
    if (!child_start(&child, argv, NULL, "/", &limits)) return;
    while (!child_poll(&child))
        usleep(1000);
    Str said = str_trim(strbuf_str(&child.output));
    available = WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0 &&
                str_contains(said, "cbmc"); // "6.6.0 (cbmc-6.6.0)"
    if (available)
        snprintf(version_text, sizeof version_text, "CBMC %.*s",
                 STR_FMT(str_slice(said, 0, str_find(said, STR("\n"), 0))));
    else if (program[0] == '/')
        snprintf(version_text, sizeof version_text, "%.90s is no cbmc that runs", program);
    child_free(&child);
}

bool cbmc_is_available(const char *program, const char **version)
{
    if (!program) program = "cbmc";
    pthread_mutex_lock(&probe_lock);
    if (!was_probed || strcmp(probed, program) != 0) probe(program);
    was_probed = true;
    bool ok = available;
    *version = version_text;
    pthread_mutex_unlock(&probe_lock);
    return ok;
}

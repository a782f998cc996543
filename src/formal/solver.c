// Questions to the solver, one after the other: is there a violation (and another one, elsewhere),
// do two functions differ, does the one that is compared with leave its arrays, does anything run
// further than it was unrolled, and does anything run to its end at all?
#include "formal/solver.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "formal/translate.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"

enum { MAX_FINDINGS = 6, MAX_SHOWN = 12, SMALL_LENGTH = 4, SMALL_MS = 2000, RETRY_MS = 500 };

typedef enum Phase { PHASE_FAULT, PHASE_STRAY, PHASE_UNWIND, PHASE_FAIR, PHASE_DONE } Phase;

struct Solver {
    Arena *arena, *work;   // of results, of the translation
    FormalRequest request; // its syntax is retained
    Terms *terms;
    Translator new, old;
    bool compares;
    unsigned kinds; // bits of what is looked for
    FormalResult result;
    VEC(FormalFinding) findings;
    VEC(bool) found; // by property of `new`
    Phase phase;
    bool refining;    // a model is there, one with shorter arrays is wanted
    bool settled;     // fewer iterations would not help
    TermModel *model; // of the last question
    Term goal;
    Term differ;
    VEC(Term) wanted;
    ScratchFolder folder;
    Child child;
    double start_ms, end_ms; // end: of this attempt
};

// --- questions -----------------------------------------------------------------------------------

static bool is_unwind(const Property *p)
{
    return p->kind == FORMAL_UNWIND;
}

// Bits of kinds.
static const unsigned UNWIND = 1u << FORMAL_UNWIND, BOUNDS = 1u << FORMAL_BOUNDS;

// Some property of these kinds is violated.
static Term any_of(Solver *f, const Translator *t, unsigned kinds)
{
    Term any = term_bool(f->terms, false);
    for (size_t i = 0; i < t->properties.n; i++)
        if (kinds >> t->properties.items[i].kind & 1)
            any = term_or(f->terms, any, t->properties.items[i].when);
    return any;
}

// What was found already is assumed not to happen.
static Term ask_violation(Solver *f)
{
    Term any = term_bool(f->terms, false), none = any;
    for (size_t i = 0; i < f->new.properties.n; i++) {
        const Property *p = &f->new.properties.items[i];
        if (is_unwind(p)) continue;
        // What is not looked for ends the run all the same.
        Term *to = f->found.items[i] || !(f->kinds >> p->kind & 1) ? &none : &any;
        *to = term_or(f->terms, *to, p->when);
    }
    return term_and(f->terms, f->new.assumed, term_and(f->terms, any, term_not(f->terms, none)));
}

static Term ask_unwind(Solver *f)
{
    Term any = any_of(f, &f->new, UNWIND), none = any_of(f, &f->new, ~UNWIND);
    if (f->compares) {
        any = term_or(f->terms, any, any_of(f, &f->old, UNWIND));
        none = any_of(f, &f->old, ~UNWIND);
    }
    return term_and(f->terms, f->new.assumed, term_and(f->terms, any, term_not(f->terms, none)));
}

// Elements are compared at an index that the solver chooses.
static Term build_difference(Solver *f)
{
    Terms *s = f->terms;
    Term ends = term_not(s, term_binary(s, TERM_EQ, f->new.state.path, f->old.state.path));
    Term differ = term_bool(s, false);
    if (f->new.result_type.kind != C_VOID)
        differ = term_not(s, term_binary(s, TERM_EQ, f->new.result, f->old.result));
    for (size_t i = 0; i < f->new.inputs.n; i++) {
        const Input *a = &f->new.inputs.items[i], *b = &f->old.inputs.items[i];
        if (!a->is_shared) continue;
        if (!a->is_array) { // a structure's field
            Term x = f->new.state.cells[a->slot].value, y = f->old.state.cells[b->slot].value;
            differ = term_or(s, differ, term_not(s, term_binary(s, TERM_EQ, x, y)));
            continue;
        }
        Term index = term_var(s, 64);
        VEC_PUSH(&f->wanted, index);
        Term x = term_binary(s, TERM_SELECT, f->new.state.cells[a->slot].value, index);
        Term y = term_binary(s, TERM_SELECT, f->old.state.cells[b->slot].value, index);
        Term inside = term_binary(s, TERM_ULT, index, a->length);
        Term other = term_not(s, term_binary(s, TERM_EQ, x, y));
        differ = term_or(s, differ, term_and(s, inside, other));
    }
    differ = term_and(s, differ, f->new.state.path);
    return term_or(s, ends, differ);
}

// Neither is cut by the bound, and what is compared with has no violation.
static Term ask_fair(Solver *f)
{
    Terms *s = f->terms;
    Term unfair = any_of(f, &f->new, UNWIND);
    if (f->compares)
        unfair =
            term_or(s, unfair, term_or(s, any_of(f, &f->old, UNWIND), any_of(f, &f->old, ~UNWIND)));
    return term_and(s, f->new.assumed, term_not(s, unfair));
}

static Term ask_difference(Solver *f)
{
    Term bad = term_or(f->terms, f->differ, any_of(f, &f->new, ~UNWIND));
    return term_and(f->terms, ask_fair(f), bad);
}

// Where the function as it was leaves an array, the new one may do anything. One that was right
// leaves none, so what was assumed of its arrays is wrong then, and equality says next to nothing.
static Term ask_stray(Solver *f)
{
    return term_and(f->terms, f->new.assumed, any_of(f, &f->old, BOUNDS));
}

// --- answers -------------------------------------------------------------------------------------

static Str print_inputs(Solver *f)
{
    StrBuf out = {0};
    char number[32];
    for (size_t i = 0; i < f->new.inputs.n; i++) {
        const Input *input = &f->new.inputs.items[i];
        strbuf_printf(&out, "%s%.*s = ", i ? ", " : "", STR_FMT(input->name));
        if (!input->is_array) {
            uint64_t value = term_value(f->model, input->var);
            strbuf_append(&out, str_from(ctype_print(input->type, value, number)));
            continue;
        }
        uint64_t n = term_value(f->model, input->length), k = 0;
        strbuf_append_char(&out, '{');
        for (; k < n && k < MAX_SHOWN; k++) {
            uint64_t value = term_model_element(f->model, input->var, k);
            strbuf_printf(&out, "%s%s", k ? ", " : "", ctype_print(input->type, value, number));
        }
        strbuf_append(&out, n > k ? STR(", ...}") : STR("}"));
    }
    Str inputs = f->new.inputs.n ? arena_str(f->arena, strbuf_str(&out)) : STR("no inputs");
    strbuf_deinit(&out);
    return inputs;
}

static void finish(Solver *f, FormalAnswer answer, Str summary)
{
    FormalResult *r = &f->result;
    f->phase = PHASE_DONE;
    r->answer = answer;
    r->summary = summary;
    r->n_findings = (int)f->findings.n;
    r->findings = arena_array(f->arena, f->findings.n + 1, sizeof *r->findings);
    if (f->findings.n) memcpy(r->findings, f->findings.items, f->findings.n * sizeof *r->findings);
    r->ms = clock_ms() - f->start_ms;
    scratch_folder_remove(&f->folder);
}

static void finish_with(Solver *f, FormalAnswer answer)
{
    const FormalFinding *first = &f->findings.items[0];
    finish(f, answer,
           arena_printf(f->arena, "%.*s: %.*s, with %.*s", STR_FMT(f->result.name),
                        STR_FMT(first->text), STR_FMT(first->inputs)));
}

static void give_up(Solver *f, const char *why)
{
    if (f->findings.n)
        finish_with(f, FORMAL_VIOLATED);
    else
        finish(f, FORMAL_UNKNOWN,
               arena_printf(f->arena, "%.*s: not decided: %s", STR_FMT(f->result.name), why));
}

static void note_stray(Solver *f, TermModel *model)
{
    unsigned line = 0;
    for (size_t i = 0; i < f->old.properties.n && !line; i++) {
        const Property *p = &f->old.properties.items[i];
        if (p->kind == FORMAL_BOUNDS && term_value(model, p->when)) line = p->line;
    }
    f->settled = true;
    f->result.line = line;
    finish(f, FORMAL_UNKNOWN,
           arena_printf(f->arena, "%.*s: not decided: " FORMAL_STRAY " (its line %u)",
                        STR_FMT(f->result.name), line));
}

static void add_finding(Solver *f, const Property *p, const char *more)
{
    Str text = arena_printf(f->arena, "%s in line %u%s", formal_kind_text(p->kind), p->line, more);
    FormalFinding finding = {p->kind, p->line, text, print_inputs(f)};
    VEC_PUSH(&f->findings, finding);
}

// The first that the run meets; all copies of it, by loops and calls, are found with it.
static const Property *find_violated(const Solver *f)
{
    for (size_t i = 0; i < f->new.properties.n; i++) {
        const Property *p = &f->new.properties.items[i];
        bool wanted = !is_unwind(p) && !f->found.items[i] && (f->kinds >> p->kind & 1);
        if (wanted && term_value(f->model, p->when)) return p;
    }
    return NULL;
}

static void note_violation(Solver *f)
{
    const Property *p = find_violated(f);
    if (!p) {
        give_up(f, "the solver's values show no violation");
        return;
    }
    add_finding(f, p, "");
    for (size_t i = 0; i < f->new.properties.n; i++) {
        const Property *q = &f->new.properties.items[i];
        if (q->kind == p->kind && q->line == p->line) f->found.items[i] = true;
    }
    if (f->findings.n == MAX_FINDINGS) finish_with(f, FORMAL_VIOLATED);
}

static Str print_difference(Solver *f)
{
    char a[32], b[32];
    const Translator *new = &f->new, *old = &f->old;
    bool returns = term_value(f->model, new->state.path) != 0;
    if (returns != (term_value(f->model, old->state.path) != 0))
        return returns ? STR("it returns, the other does not")
                       : STR("it does not return, the other does");
    uint64_t x = term_value(f->model, new->result), y = term_value(f->model, old->result);
    if (new->result_type.kind != C_VOID && x != y)
        return arena_printf(f->arena, "it returns %s, the other %s",
                            ctype_print(new->result_type, x, a),
                            ctype_print(new->result_type, y, b));
    for (size_t i = 0; i < new->inputs.n; i++) {
        const Input *p = &new->inputs.items[i], *q = &old->inputs.items[i];
        uint64_t n = p->is_array && p->is_shared ? term_value(f->model, p->length) : 0;
        if (p->is_shared && !p->is_array) {
            x = term_value(f->model, new->state.cells[p->slot].value);
            y = term_value(f->model, old->state.cells[q->slot].value);
            if (x != y)
                return arena_printf(f->arena, "it leaves %s in %.*s, the other %s",
                                    ctype_print(p->type, x, a), STR_FMT(p->name),
                                    ctype_print(p->type, y, b));
        }
        for (uint64_t k = 0; k < n && k < 65536; k++) {
            x = term_element(f->model, f->terms, new->state.cells[p->slot].value, k);
            y = term_element(f->model, f->terms, old->state.cells[q->slot].value, k);
            if (x != y)
                return arena_printf(f->arena, "it leaves %s in %.*s[%llu], the other %s",
                                    ctype_print(p->type, x, a), STR_FMT(p->name),
                                    (unsigned long long)k, ctype_print(p->type, y, b));
        }
    }
    return STR("they leave different elements");
}

static void note_difference(Solver *f)
{
    const Property *p = find_violated(f);
    if (p) {
        add_finding(f, p, ", which the other does not have");
    } else {
        FormalFinding finding = {N_FORMAL_KINDS, f->result.line, print_difference(f),
                                 print_inputs(f)};
        VEC_PUSH(&f->findings, finding);
    }
    finish_with(f, FORMAL_DIFFERENT);
}

// Nothing (more) was found, and the bound cuts nothing off.
static void note_proof(Solver *f)
{
    finish(f, FORMAL_PROVED,
           arena_printf(f->arena, "%.*s: %s", STR_FMT(f->result.name),
                        f->compares ? "equal on all inputs" : FORMAL_NOTHING_FOUND));
}

// The bound cuts something off; any: not everything.
static void note_bound(Solver *f, bool any)
{
    Str name = f->result.name;
    const Translator *both[] = {&f->new, &f->old};
    for (int k = 0; k < (f->compares ? 2 : 1) && !f->result.line; k++)
        for (size_t i = 0; i < both[k]->properties.n && !f->result.line; i++)
            if (is_unwind(&both[k]->properties.items[i]))
                f->result.line = both[k]->properties.items[i].line;
    f->settled = !any;
    if (any)
        finish(f, FORMAL_BOUNDED,
               arena_printf(f->arena, "%.*s: %s within %d iterations, more are possible (line %u)",
                            STR_FMT(name),
                            f->compares ? "equal on all inputs" : "nothing happens on any input",
                            f->result.unwind, f->result.line));
    else
        finish(f, FORMAL_UNKNOWN,
               arena_printf(f->arena,
                            "%.*s: not decided: no run ends within %d iterations%s (line %u)",
                            STR_FMT(name), f->result.unwind,
                            f->compares ? " in both, and without a violation in the other" : "",
                            f->result.line));
}

// --- the solver ----------------------------------------------------------------------------------

static bool write_script(Solver *f, const char *path)
{
    StrBuf script = {0};
    terms_print(f->terms, f->goal, f->wanted.items, (int)f->wanted.n, &script);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && text_write_all(fd, strbuf_str(&script));
    if (fd >= 0 && close(fd) != 0) ok = false;
    strbuf_deinit(&script);
    return ok;
}

static bool start_solver(Solver *f, double ms)
{
    char path[96], seconds[32];
    Error err = {0};
    if (!f->folder.path[0] && !scratch_folder_make(&f->folder)) return false;
    snprintf(path, sizeof path, "%s/question.smt2", f->folder.path);
    snprintf(seconds, sizeof seconds, "-T:%d", (int)(ms / 1000) + 1);
    // Without these, large values are printed in pieces with names.
    char *argv[] = {
        "z3", "-smt2", "pp.min_alias_size=1000000000", "pp.max_depth=1000000000", seconds,
        path, NULL};
    SandboxCommand command = {.argv = argv,
                              .folder = "/",
                              .limits = {.wall_ms = ms + 500,
                                         .cpu_seconds = (int)(ms / 1000) + 2,
                                         .memory_bytes = (size_t)2 << 30}};
    SandboxMode mode = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS;
    return write_script(f, path) && sandbox_start(&f->child, mode, &command, f->work, &err);
}

// Arrays of few elements make the shown inputs short.
static Term prefer_short(Solver *f)
{
    Term small = f->goal;
    for (size_t i = 0; i < f->new.inputs.n; i++) {
        const Input *input = &f->new.inputs.items[i];
        uint64_t fixed;
        if (input->is_array && !term_is_const(f->terms, input->length, &fixed))
            small = term_and(f->terms, small,
                             term_binary(f->terms, TERM_ULT, input->length,
                                         term_const(f->terms, 64, SMALL_LENGTH + 1)));
    }
    return small;
}

static void ask(Solver *f)
{
    double left = f->end_ms - clock_ms();
    const char *version;
    if (f->phase == PHASE_FAULT && !f->refining)
        f->goal = f->compares ? ask_difference(f) : ask_violation(f);
    else if (f->phase == PHASE_STRAY)
        f->goal = ask_stray(f);
    else if (f->phase == PHASE_UNWIND)
        f->goal = ask_unwind(f);
    else if (f->phase == PHASE_FAIR)
        f->goal = ask_fair(f);
    if (terms_is_full(f->terms))
        give_up(f, "the formula grows over its limit");
    else if (term_is_false(f->terms, f->goal))
        return; // answered without a solver
    else if (f->phase == PHASE_FAIR && left < 1)
        note_bound(f, true);
    else if (left < 1)
        give_up(f, "the time is over");
    else if (!solver_is_available(&version))
        give_up(f, version);
    else if (!start_solver(f, f->refining && left > SMALL_MS ? SMALL_MS : left))
        give_up(f, "the solver cannot be started");
}

static bool fits_model(Solver *f, TermModel *model)
{
    term_model_evaluate(model, f->terms);
    return term_value(model, f->goal) != 0;
}

static void use_model(Solver *f)
{
    f->refining = false;
    term_model_evaluate(f->model, f->terms);
    if (f->compares)
        note_difference(f);
    else
        note_violation(f);
}

static void give_up_on(Solver *f, SolverAnswer answer)
{
    give_up(f, answer == SOLVER_SAT ? "the solver's values do not fit the question"
                                    : "the solver found no answer in its time and memory");
}

static void on_fault(Solver *f, SolverAnswer answer, TermModel *model)
{
    bool good = answer == SOLVER_SAT && fits_model(f, model);
    if (f->refining || good) {
        if (good) {
            TermModel *swap = f->model;
            f->model = model;
            term_model_free(swap);
        } else {
            term_model_free(model);
        }
        Term small = f->refining ? f->goal : prefer_short(f);
        if (small == f->goal) {
            use_model(f);
            return;
        }
        f->refining = true;
        f->goal = small;
        return;
    }
    term_model_free(model);
    if (answer == SOLVER_UNSAT && f->findings.n)
        finish_with(f, FORMAL_VIOLATED);
    else if (answer == SOLVER_UNSAT)
        f->phase = f->compares ? PHASE_STRAY : PHASE_UNWIND;
    else
        give_up_on(f, answer);
}

static void on_stray(Solver *f, SolverAnswer answer, TermModel *model)
{
    if (answer == SOLVER_SAT && fits_model(f, model))
        note_stray(f, model);
    else if (answer == SOLVER_UNSAT)
        f->phase = PHASE_UNWIND;
    else
        give_up_on(f, answer);
    term_model_free(model);
}

static void on_answer(Solver *f, SolverAnswer answer, TermModel *model)
{
    if (f->phase == PHASE_FAULT) {
        on_fault(f, answer, model);
    } else if (f->phase == PHASE_STRAY) {
        on_stray(f, answer, model);
    } else {
        term_model_free(model);
        if (f->phase == PHASE_FAIR)
            note_bound(f, answer != SOLVER_UNSAT);
        else if (answer == SOLVER_UNSAT)
            note_proof(f);
        else
            f->phase = PHASE_FAIR;
    }
}

static void step(Solver *f)
{
    TermModel *model = term_model_new();
    SolverAnswer answer = SOLVER_UNSAT;
    if (f->child.out >= 0) {
        answer = terms_read(f->terms, strbuf_str(&f->child.output), model);
        child_free(&f->child);
    }
    on_answer(f, answer, model);
    if (f->phase != PHASE_DONE) ask(f);
}

const FormalResult *solver_result(const Solver *solver)
{
    return &solver->result;
}

// --- start ---------------------------------------------------------------------------------------

static double time_left(const Solver *f)
{
    double max_ms = f->request.max_ms > 0 ? f->request.max_ms : FORMAL_MAX_MS;
    return f->start_ms + max_ms - clock_ms();
}

static bool translate(Solver *f, Translator *t, const Syntax *syntax, size_t byte_off,
                      const Translator *like)
{
    t->terms = f->terms;
    t->arena = f->work;
    t->syntax = syntax;
    t->unwind = f->result.unwind;
    t->file_path = f->request.file_path;
    t->root = f->request.root;
    SyntaxFunction place;
    if (syntax_function_at(syntax, byte_off, &place)) byte_off = place.whole.start;
    TSNode function = translate_find_at(syntax, byte_off);
    bool is_c = strcmp(syntax_language(syntax)->id, "c") == 0;
    if (!is_c || ts_node_is_null(function)) {
        t->line = text_point(syntax_text(syntax), byte_off).row + 1;
        t->why = is_c ? STR("no function") : STR("another language than C");
        return false;
    }
    Str name = translate_name_of(function, text_str(syntax_text(syntax)));
    f->result.name = arena_str(f->arena, name);
    return translate_function(t, function, like);
}

static void note_outside(Solver *f, const Translator *t)
{
    f->result.line = t->line;
    finish(f, FORMAL_OUTSIDE,
           arena_printf(f->arena, "%.*s: outside the subset: %.*s (line %u%s)",
                        STR_FMT(f->result.name), STR_FMT(t->why), t->line,
                        t == &f->old ? " of the other" : ""));
}

static void list_assumptions(Solver *f)
{
    const Translator *t = f->compares ? &f->old : &f->new;
    FormalResult *r = &f->result;
    r->assumptions = arena_array(f->arena, t->assumptions.n + 1, sizeof *r->assumptions);
    for (size_t i = 0; i < t->assumptions.n; i++)
        r->assumptions[r->n_assumptions++] = arena_str(f->arena, t->assumptions.items[i]);
    if (t->n_objects > 1)
        r->assumptions[r->n_assumptions++] = STR("no two of what pointers lead to overlap");
}

static void prepare(Solver *f, const FormalRequest *request)
{
    if (f->compares && !translate(f, &f->old, request->against, request->against_off, NULL)) {
        note_outside(f, &f->old);
        return;
    }
    if (!translate(f, &f->new, request->syntax, request->byte_off, f->compares ? &f->old : NULL)) {
        note_outside(f, &f->new);
        return;
    }
    list_assumptions(f);
    if (f->compares) {
        f->new.assumed = term_and(f->terms, f->new.assumed, f->old.assumed);
        f->differ = build_difference(f);
    }
    for (size_t i = 0; i < f->new.inputs.n; i++)
        VEC_PUSH(&f->wanted, f->new.inputs.items[i].var);
    bool is_bounded = !term_is_false(f->terms, ask_unwind(f));
    for (size_t i = 0; i < f->new.properties.n; i++)
        VEC_PUSH(&f->found, false);
    f->end_ms = clock_ms() + time_left(f) / (is_bounded && f->result.unwind > 1 ? 2 : 1);
    ask(f);
}

static void open_attempt(Solver *f, int unwind)
{
    f->work = arena_new();
    f->terms = terms_new();
    f->model = term_model_new();
    f->result.unwind = unwind;
    prepare(f, &f->request);
}

static void close_attempt(Solver *f)
{
    translate_deinit(&f->new);
    translate_deinit(&f->old);
    VEC_FREE(&f->findings);
    VEC_FREE(&f->found);
    VEC_FREE(&f->wanted);
    term_model_free(f->model);
    terms_free(f->terms);
    arena_free(f->work);
}

// The solver found nothing in its time: fewer iterations are easier.
static bool retry(Solver *f)
{
    if (f->result.answer != FORMAL_UNKNOWN || f->settled || f->result.unwind < 2 ||
        time_left(f) < RETRY_MS)
        return false;
    const FormalResult fresh = {.tool = f->result.tool};
    int unwind = f->result.unwind / 2;
    close_attempt(f);
    f->new = f->old = (Translator){0};
    f->result = fresh;
    f->phase = PHASE_FAULT;
    f->refining = false;
    open_attempt(f, unwind);
    return true;
}

bool solver_poll(Solver *solver)
{
    do {
        while (solver->phase != PHASE_DONE) {
            if (solver->child.out >= 0 && !child_poll(&solver->child)) return false;
            step(solver);
        }
    } while (retry(solver));
    return true;
}

Solver *solver_start(const FormalRequest *request, unsigned kinds, Arena *arena)
{
    Solver *f = mem_zero(sizeof *f);
    f->arena = arena;
    f->request = *request;
    f->request.syntax = syntax_retain(request->syntax);
    f->request.against = syntax_retain(request->against);
    f->kinds = kinds ? kinds : ~0u;
    f->result.tool = STR("z3");
    f->start_ms = clock_ms();
    f->child.out = -1;
    f->folder.lock = -1;
    f->compares = request->against != NULL;
    int unwind = request->unwind > 0 ? request->unwind : FORMAL_UNWIND_DEFAULT;
    open_attempt(f, unwind < FORMAL_UNWIND_MAX ? unwind : FORMAL_UNWIND_MAX);
    return f;
}

void solver_free(Solver *solver)
{
    if (!solver) return;
    child_free(&solver->child);
    scratch_folder_remove(&solver->folder);
    close_attempt(solver);
    syntax_release(solver->request.syntax);
    syntax_release(solver->request.against);
    free(solver);
}

// --- is it there? --------------------------------------------------------------------------------

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static bool available;
static char version_text[120];

static void probe(void)
{
    char *argv[] = {"z3", "--version", NULL};
    Child child;
    const ChildLimits limits = {.wall_ms = 5000};
    snprintf(version_text, sizeof version_text, "the solver z3 is not installed");
    if (!child_start(&child, argv, NULL, "/", &limits)) return;
    while (!child_poll(&child))
        usleep(1000);
    Str said = str_trim(strbuf_str(&child.output));
    available = WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0;
    if (available) snprintf(version_text, sizeof version_text, "%.*s", STR_FMT(said));
    child_free(&child);
}

bool solver_is_available(const char **version)
{
    pthread_once(&probed, probe);
    *version = version_text;
    return available;
}

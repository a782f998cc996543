// Which tool is asked. What CBMC finds counts; of what it cannot read or decide, and of what it
// does not look for, Z3 is asked in the time that is left.
#include "formal/formal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "formal/cbmc.h"
#include "formal/solver.h"
#include "formal/translate.h"

struct Formal {
    Arena *arena;
    FormalRequest request; // its syntax is retained
    Cbmc *cbmc;
    Solver *solver;
    FormalResult result;
    bool is_done;
    double start_ms;
};

const char *formal_answer_word(FormalAnswer answer)
{
    static const char *const words[] = {
#define X(name, word) word,
        FORMAL_ANSWERS(X)
#undef X
    };
    return words[answer];
}

#define FORMAL_WORD(name, word, text) word,
#define FORMAL_TEXT(name, word, text) text,

const char *formal_kind_word(FormalKind kind)
{
    static const char *const words[] = {FORMAL_KINDS(FORMAL_WORD)};
    return words[kind];
}

const char *formal_kind_text(FormalKind kind)
{
    static const char *const texts[] = {FORMAL_KINDS(FORMAL_TEXT)};
    return texts[kind];
}

bool formal_read_prover(Str word, FormalProver *out, Error *err)
{
    static const char *const words[] = {
#define X(name, text) text,
        FORMAL_TOOLS(X)
#undef X
    };
    *out = (FormalProver){FORMAL_AUTO, NULL};
    if (word.len == 0) return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_equal(word, str_from(words[i]))) continue;
        out->tool = (FormalTool)i;
        return true;
    }
    if (word.ptr[0] == '/') {
        *out = (FormalProver){FORMAL_CBMC, word.ptr};
        return true;
    }
    return error_set(err, ERROR_INVALID,
                     "prover is '%.*s', wanted auto, z3, cbmc or the absolute path of a cbmc",
                     STR_FMT(word));
}

static bool uses_cbmc(const FormalProver *prover)
{
    const char *version;
    return prover->tool == FORMAL_CBMC ||
           (prover->tool == FORMAL_AUTO && cbmc_is_available(prover->cbmc, &version));
}

bool formal_is_available(const FormalProver *prover, const char **version)
{
    if (uses_cbmc(prover)) return cbmc_is_available(prover->cbmc, version);
    return solver_is_available(version);
}

// --- one after the other -------------------------------------------------------------------------

static double time_left(const Formal *f)
{
    double max_ms = f->request.max_ms > 0 ? f->request.max_ms : FORMAL_MAX_MS;
    return f->start_ms + max_ms - clock_ms();
}

// CBMC tells no use of what was never set; of what it left open, everything is asked again.
static bool ask_solver(Formal *f)
{
    const FormalResult *r = &f->result;
    bool proved = r->answer == FORMAL_PROVED, found = r->n_findings > 0;
    const char *version;
    if (f->request.prover.tool != FORMAL_AUTO || found || time_left(f) < 1) return false;
    if ((proved && f->request.against) || !solver_is_available(&version)) return false;
    FormalRequest request = f->request;
    request.max_ms = time_left(f);
    unsigned unseen = 1u << FORMAL_UNINITIALISED | 1u << FORMAL_NO_RETURN;
    f->solver = solver_start(&request, proved ? unseen : 0, f->arena);
    return true;
}

static void take_solver(Formal *f)
{
    const FormalResult *z = solver_result(f->solver), *c = &f->result;
    bool open = c->answer == FORMAL_OUTSIDE || c->answer == FORMAL_UNKNOWN;
    bool decides = z->answer != FORMAL_OUTSIDE && z->answer != FORMAL_UNKNOWN;
    FormalResult both = *c;
    both.ms = clock_ms() - f->start_ms;
    if (z->n_findings || (decides && open) ||
        (z->answer == FORMAL_PROVED && c->answer == FORMAL_BOUNDED)) {
        both = *z;
        both.tool = STR("z3");
    } else if (z->answer == FORMAL_PROVED) { // of what CBMC does not look for
        both.n_assumptions--;
        both.tool = STR("cbmc and z3");
    } else if (open) {
        both = *z;
        both.tool = STR("cbmc and z3");
        both.summary =
            arena_printf(f->arena, "%.*s; %.*s", STR_FMT(c->summary),
                         STR_FMT(str_slice(z->summary, z->name.len + 2, z->summary.len)));
    }
    f->result = both;
}

bool formal_poll(Formal *f)
{
    if (f->is_done) return true;
    if (f->cbmc && !f->solver) {
        if (!cbmc_poll(f->cbmc)) return false;
        f->result = *cbmc_result(f->cbmc);
        f->is_done = !ask_solver(f);
        return f->is_done;
    }
    if (!solver_poll(f->solver)) return false;
    if (f->cbmc)
        take_solver(f);
    else
        f->result = *solver_result(f->solver);
    return f->is_done = true;
}

const FormalResult *formal_result(const Formal *formal)
{
    return &formal->result;
}

Formal *formal_start(const FormalRequest *request, Arena *arena)
{
    Formal *f = mem_zero(sizeof *f);
    f->arena = arena;
    f->request = *request;
    f->request.syntax = syntax_retain(request->syntax);
    f->request.against = syntax_retain(request->against);
    f->start_ms = clock_ms();
    FormalRequest first = *request;
    // A third is kept for the other tool.
    if (request->prover.tool == FORMAL_AUTO) first.max_ms = time_left(f) * 2 / 3;
    if (uses_cbmc(&request->prover))
        f->cbmc = cbmc_start(&first, arena);
    else
        f->solver = solver_start(request, 0, arena);
    return f;
}

void formal_free(Formal *formal)
{
    if (!formal) return;
    cbmc_free(formal->cbmc);
    solver_free(formal->solver);
    syntax_release(formal->request.syntax);
    syntax_release(formal->request.against);
    free(formal);
}

bool formal_find(const Syntax *syntax, Str name, size_t *byte_off)
{
    TSNode function = translate_find(syntax, name);
    if (!ts_node_is_null(function)) *byte_off = syntax_range(function).start;
    return !ts_node_is_null(function);
}

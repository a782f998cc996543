#include "loop/repair.h"

#include <string.h>

#include "loop/challenge.h"
#include "loop/search.h"

enum { MAX_LISTED = 3000, TRIALS = 24, SCREENED_TRIALS = 256 };

int repair_trials(const LoopRun *run)
{
    return run->screens ? SCREENED_TRIALS : TRIALS;
}

// A small change is worth another one only where it brought the answer further.
static bool may_be_repaired(const LoopRun *run, int candidate)
{
    const Candidate *c = &run->candidates.items[candidate];
    bool fails = c->verdict == VERDICT_FAIL && c->tests == VERDICT_FAIL;
    if ((!fails && !c->slip.len) || c->repeats) return false;
    if (strcmp(c->proposer, "sample") == 0 || strcmp(c->proposer, "branch") == 0) return true;
    const Candidate *from = c->changes ? &run->candidates.items[c->changes - 1] : &run->original;
    return c->n_failures > 0 && from->verdict == VERDICT_FAIL && loop_came_further(c, from);
}

int repair_find(const LoopRun *run)
{
    int best = -1;
    for (int i = 0; i < (int)run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (!may_be_repaired(run, i) || c->repaired) continue;
        if (best < 0 || loop_came_further(c, &run->candidates.items[best])) best = i;
    }
    return best;
}

// A small change stands for the whole function that it leaves.
static Candidate widen(const LoopRun *run, const Candidate *c, const TextSnap *text)
{
    Candidate wide = *c;
    if (!loop_is_small_change(c) || c->changes) return wide;
    ByteRange f = run->task.function.whole;
    size_t end = f.end - (c->replace.end - c->replace.start) + c->insert.len;
    wide.replace = f;
    wide.insert = arena_str(run->arena, str_slice(text_str(text), f.start, end));
    return wide;
}

// Changes outside of what the candidate has written are those of another function.
static size_t make_changes(LoopRun *run, int candidate, const TextSnap *text, const Mutant *mutants,
                           size_t n, Candidate *out)
{
    const Candidate base = widen(run, &run->candidates.items[candidate], text);
    size_t start = base.replace.start, end = start + base.insert.len, n_out = 0;
    size_t max = (size_t)repair_trials(run);
    for (size_t i = 0; i < n && n_out < max; i++) {
        ByteRange r = mutants[i].replace;
        if (r.start < start || r.end > end) continue;
        Str before = str_slice(text_str(text), start, r.start);
        Str after = str_slice(text_str(text), r.end, end);
        out[n_out++] = (Candidate){
            .proposer = search_proposer(&mutants[i]),
            .sample = mutants[i].sample,
            .changes = candidate + 1,
            .replace = base.replace,
            .insert = arena_printf(run->arena, "%.*s%.*s%.*s", STR_FMT(before),
                                   STR_FMT(mutants[i].insert), STR_FMT(after)),
        };
    }
    return n_out;
}

// A crash on an edge is mended by a condition before all else; the order stays otherwise.
static void put_guards_first(LoopRun *run, Mutant *mutants, size_t n)
{
    Mutant *sorted = arena_array(run->arena, n ? n : 1, sizeof *sorted);
    size_t n_sorted = 0;
    for (int others = 0; others < 2; others++)
        for (size_t i = 0; i < n; i++)
            if ((strcmp(mutants[i].what, "guard") != 0) == others) sorted[n_sorted++] = mutants[i];
    if (n) memcpy(mutants, sorted, n * sizeof *mutants);
}

static bool repair(LoopRun *run, int candidate, const Syntax *syntax, Error *err)
{
    const Candidate base = run->candidates.items[candidate];
    ByteRange function;
    Mutant *mutants;
    Doubts doubts;
    if (!loop_find_function(run, syntax, &base, &function)) return true;
    size_t n = mutate_list(syntax, function, MUTATE_REPAIRS, MAX_LISTED, run->arena, &mutants);
    if (!search_rank(run, syntax, function, &mutants, &n, &doubts, err)) return false;
    if (base.slip.len) put_guards_first(run, mutants, n);
    size_t first = run->candidates.n;
    Candidate *changes = arena_array(run->arena, (size_t)repair_trials(run), sizeof *changes);
    n = make_changes(run, candidate, syntax_text(syntax), mutants, n, changes);
    return !search_offer(run, changes, n) || search_choose(run, first, err);
}

bool propose_repairs(LoopRun *run, int candidate, Error *err)
{
    const Candidate base = run->candidates.items[candidate];
    TextSnap *text = loop_apply(run, &base);
    Syntax *syntax = text ? syntax_parse(syntax_language(run->request->syntax), text, NULL) : NULL;
    run->candidates.items[candidate].repaired = true;
    bool ok = !syntax || repair(run, candidate, syntax, err);
    syntax_release(syntax);
    text_release(text);
    return ok;
}

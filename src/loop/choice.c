#include "loop/choice.h"

#include <math.h>

#include "loop/mend.h"
#include "loop/probe.h"
#include "loop/search.h"

enum { MAX_CHOICES = PROBE_MAX_VERSIONS - 1 }; // beside the text as it was

static bool may_be_chosen(const Candidate *c)
{
    bool passes = c->verdict == VERDICT_PASS && !c->slip.len;
    return passes && loop_is_small_change(c) && search_is_plain(c);
}

// The run's choice first, then the others as they were tried.
static int collect(LoopRun *run, Str *versions, size_t *which)
{
    int n = 0;
    for (size_t i = 0; i <= run->candidates.n && n < MAX_CHOICES; i++) {
        size_t at = i == 0 ? (size_t)run->passed : i - 1;
        bool again = i > 0 && at == (size_t)run->passed;
        if (again || !may_be_chosen(&run->candidates.items[at])) continue;
        TextSnap *text = loop_apply(run, &run->candidates.items[at]);
        if (!text) continue;
        versions[n] = arena_str(run->arena, text_str(text));
        which[n++] = at;
        text_release(text);
    }
    return n;
}

// Those that passed alone were not told yet.
static double score_of(LoopRun *run, Candidate *c)
{
    Error err = {0};
    if (c->score == 0 && mend_is_known(run)) mend_score(run, c, &c->score, &err);
    return c->score;
}

void choice_by_behaviour(LoopRun *run)
{
    Str versions[PROBE_MAX_VERSIONS];
    size_t which[PROBE_MAX_VERSIONS];
    if (run->task.kind != TASK_FIX || !loop_is_unasked(run)) return;
    if (!may_be_chosen(&run->candidates.items[run->passed])) return;
    int n = collect(run, versions, which);
    versions[n] = text_str(run->request->text);
    Probe probe = {0};
    if (n > 1) probe_run(run, versions, n + 1, n, &probe);
    if (probe.n_inputs == 0) return;
    double best = -INFINITY;
    for (int i = 0; i < n; i++) {
        double same = (double)(probe.n_same[i] + 1) / (probe.n_inputs + 2);
        double value = log(same) + score_of(run, &run->candidates.items[which[i]]);
        if (value <= best) continue;
        best = value;
        run->passed = (int)which[i];
    }
}

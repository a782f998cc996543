// The proposer of small changes for a fix that tests decide. It tries many candidates cheaply;
// several may pass, and the one that the model finds likeliest is taken, because it reads like code
// that people write.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "loop/mend.h"
#include "loop/mutate.h"
#include "loop/run.h"
#include "loop/screen.h"
#include "loop/search.h"

enum {
    MAX_MUTANTS = 400,
    MAX_CHANGES = 3000,
    MAX_PAIRED = 200, // changes of which pairs are made
    MAX_PAIRS = 800,
    MAX_RANKED = 6,
    MAX_SCORED_TOKENS = 1024,
    MAX_MEASURED = 24,
    MAX_RIVALS = 20
};
static const double RIVAL_MS = 4000;

// --- ranking -------------------------------------------------------------------------------------

// The mean log-probability of the changed function's tokens as the answer to the question (a sum
// would favour whatever is shorter); -INFINITY where it cannot be told.
static double score_text(LoopRun *run, const Candidate *c, Error *err)
{
    const Doubts *d = run->doubts;
    TextSnap *text = d && d->n_ids ? loop_apply(run, c) : NULL;
    if (!text) return -INFINITY;
    size_t added = text_n_bytes(text) - text_n_bytes(run->request->text);
    Str code = str_slice(text_str(text), d->start, d->start + d->code.len + added);
    int n = (int)engine_tokenize(run->engine, code, false, NULL, 0);
    double sum = -INFINITY;
    SyncStats sync;
    if (n >= 1 && n <= MAX_SCORED_TOKENS && d->n_prompt + n < session_n_ctx(run->session)) {
        int *ids = arena_array(run->arena, (size_t)n, sizeof *ids);
        float *logprobs = arena_array(run->arena, (size_t)n, sizeof *logprobs);
        engine_tokenize(run->engine, code, false, ids, (size_t)n);
        if (session_sync(run->session, d->ids, d->n_prompt, run->cancel, &sync, err) &&
            session_score_continuations(run->session, ids, &n, 1, logprobs, run->cancel, err)) {
            sum = 0;
            for (int i = 0; i < n; i++)
                sum += (double)logprobs[i] / n;
        }
    }
    text_release(text);
    return sum;
}

static double score(LoopRun *run, Candidate *c, Error *err)
{
    if (!mend_is_known(run)) return score_text(run, c, err);
    return mend_score(run, c, &c->score, err) ? c->score : -INFINITY;
}

// One that passed before and is doubted stays in the choice, unless it is known to crash or a model
// wrote it without having been asked for a fix.
static bool stays(const LoopRun *run, size_t first)
{
    if (run->passed < 0 || (size_t)run->passed >= first) return false;
    const Candidate *c = &run->candidates.items[run->passed];
    return !c->slip.len && (run->chat || loop_is_small_change(c));
}

bool search_is_plain(const Candidate *c)
{
    return !c->changes && !c->paired && strcmp(c->proposer, "refill") != 0;
}

bool search_choose(LoopRun *run, size_t first, Error *err)
{
    size_t passed[MAX_RANKED];
    int n = 0;
    if (stays(run, first)) passed[n++] = (size_t)run->passed;
    bool plain = n > 0 && search_is_plain(&run->candidates.items[run->passed]);
    for (size_t i = first; i < run->candidates.n && n < MAX_RANKED; i++) {
        const Candidate *c = &run->candidates.items[i];
        if (c->verdict == VERDICT_PASS && (!plain || search_is_plain(c))) passed[n++] = i;
    }
    if (n) run->passed = (int)passed[0];
    double best = -INFINITY;
    for (int i = 0; n > 1 && i < n; i++) {
        loop_tell(run, "comparing %d of %d", i + 1, n);
        double s = score(run, &run->candidates.items[passed[i]], err);
        if (err->code != ERROR_NONE) return false;
        if (s <= best) continue;
        best = s;
        run->passed = (int)passed[i];
    }
    return true;
}

bool search_rank(LoopRun *run, const Syntax *syntax, ByteRange function, Mutant **mutants,
                 size_t *n, Doubts *doubts, Error *err)
{
    bool propose = loop_allowed(run, PROPOSE_MEND) != 0;
    return doubts_read(run, syntax, function, *mutants, *n, doubts, err) &&
           (!mend_is_known(run) || mend_read(run, syntax, function, propose, mutants, n, err));
}

// --- small changes -------------------------------------------------------------------------------

bool search_offer(LoopRun *run, Candidate *changes, size_t n)
{
    bool written = run->task.kind == TASK_WRITE_TESTS;
    bool more = true, tests = written || run->task.kind == TASK_TESTS; // then every change counts
    // Some of each kind measure a test well enough to compare it with another.
    size_t step = written && n > MAX_MEASURED ? n / MAX_MEASURED : 1;
    run->keep_going = true;
    for (size_t i = 0; i < n && more; i += step) {
        loop_tell(run, "trying small changes: %zu of %zu", i + 1, n);
        if (step == 1 && i % SCREEN_MAX_VERSIONS == 0) screen_judge(run, &changes[i], n - i);
        more = loop_offer(run, &changes[i], NULL);
        if (!tests) loop_hurry(run, RIVAL_MS);
    }
    more = loop_drain(run);
    run->keep_going = false;
    return more;
}

static Candidate *make_candidates(LoopRun *run, const Mutant *mutants, size_t n, bool paired)
{
    Candidate *made = arena_array(run->arena, n ? n : 1, sizeof *made);
    for (size_t i = 0; i < n; i++)
        made[i] = (Candidate){.proposer = search_proposer(&mutants[i]),
                              .sample = mutants[i].sample,
                              .paired = paired,
                              .replace = mutants[i].replace,
                              .insert = mutants[i].insert};
    return made;
}

bool propose_mutants(LoopRun *run, Error *err)
{
    (void)err;
    Mutant *mutants;
    size_t n = mutate_list(run->request->syntax, run->task.function.whole, MUTATE_TESTS,
                           MAX_MUTANTS, run->arena, &mutants);
    search_offer(run, make_candidates(run, mutants, n, false), n);
    return true;
}

bool search_has_changes(LoopRun *run, Search *search)
{
    if (!search->changes)
        search->n_changes = mutate_list(run->request->syntax, run->task.function.whole,
                                        MUTATE_REPAIRS, MAX_CHANGES, run->arena, &search->changes);
    if (search->next_change == search->n_changes && search->is_read && !search->paired) {
        size_t n = search->n_changes < MAX_PAIRED ? search->n_changes : MAX_PAIRED;
        search->n_changes = mutate_pairs(run->request->text, search->changes, n, MAX_PAIRS,
                                         run->arena, &search->changes);
        search->next_change = 0;
        search->paired = true;
    }
    return search->next_change < search->n_changes;
}

static bool is_near(const TextSnap *text, ByteRange change, ByteRange passed)
{
    return text_point(text, change.start).row <= text_point(text, passed.end).row &&
           text_point(text, change.end).row >= text_point(text, passed.start).row;
}

void search_turn_near(LoopRun *run, Search *search)
{
    const Candidate *c = run->passed >= 0 ? &run->candidates.items[run->passed] : NULL;
    if (!c || !loop_is_small_change(c) || c->changes) return;
    const TextSnap *text = run->request->text;
    size_t n = search->n_changes - search->next_change, n_near = 0, n_far = 0;
    if (n == 0) return;
    Mutant *left = search->changes + search->next_change;
    Mutant *far = arena_array(run->arena, n, sizeof *far);
    for (size_t i = 0; i < n; i++) {
        if (is_near(text, left[i].replace, c->replace))
            left[n_near++] = left[i];
        else
            far[n_far++] = left[i];
    }
    memcpy(left + n_near, far, n_far * sizeof *far);
}

bool search_has_branches(const Search *search)
{
    return !search->is_read || search->next_branch < search->doubts.n_branches;
}

bool search_read(LoopRun *run, Search *search, Error *err)
{
    search_has_changes(run, search);
    if (search->is_read) return true;
    search->is_read = true;
    run->doubts = &search->doubts;
    return search_rank(run, run->request->syntax, run->task.function.whole, &search->changes,
                       &search->n_changes, &search->doubts, err);
}

void search_use_idle(LoopRun *run, void *user)
{
    Search *search = user;
    if (!search->is_read || !search_has_changes(run, search)) return;
    search->n_tried++;
    const Mutant *next = &search->changes[search->next_change++];
    loop_offer(run, make_candidates(run, next, 1, search->paired), NULL);
}

static bool offer_next(LoopRun *run, Search *search, size_t n)
{
    size_t left = search->n_changes - search->next_change;
    if (n > left) n = left;
    const Mutant *next = search->changes + search->next_change;
    search->next_change += n;
    search->n_tried += n;
    return search_offer(run, make_candidates(run, next, n, search->paired), n);
}

bool propose_changes(LoopRun *run, Search *search, size_t n, Error *err)
{
    if (!search_read(run, search, err)) return false;
    size_t first = run->candidates.n;
    return !offer_next(run, search, n) || search_choose(run, first, err);
}

bool search_settle(LoopRun *run, Search *search, size_t first, Error *err)
{
    const Candidate *c = run->passed >= 0 ? &run->candidates.items[run->passed] : NULL;
    bool beside = c && (size_t)run->passed >= first && loop_is_small_change(c);
    if (!beside || c->changes || !search_has_changes(run, search)) return true;
    return !offer_next(run, search, MAX_RIVALS) || search_choose(run, first, err);
}

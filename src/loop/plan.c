// Every kind of work has a chance to find an answer, which falls each time it was in vain, and a
// cost in milliseconds, which this run's own trials and tokens tell: on a small model a batch of
// samples is as cheap as twenty small changes, on a larger one it costs as much as a thousand. The
// quotient decides.
//
//   known fixes ─> one greedy sample ─> while nothing passed: the move with the highest chance /
//   cost
//
// The chances are rough, from what passed on the tasks of tests/bench/loop.py and what did not;
// their order matters, not their value.
#include "loop/plan.h"

#include <math.h>
#include <string.h>

#include "loop/challenge.h"
#include "loop/doubt.h"
#include "loop/repair.h"
#include "loop/rewrite.h"
#include "loop/screen.h"
#include "loop/search.h"

// Small changes are so much cheaper than answers on a slow machine that they would take all the
// time; what of them is not tried at once is tried beside the model, in trial slots that are idle
// while it writes.
enum { REPAIRS_A_ROUND = 2 };
enum { CHUNK = 20, BRANCH_COST_TOKENS = 40, REFILL_COST_TOKENS = 20, FULL_BATCH = 8 };
// Where the model can be asked, so many small changes are tried before it and the rest beside it.
enum { FIRST_CHUNKS = 2 };
// Where one run of the tests judges many, what is likely comes in chunks all the same: of what
// passes in one, the likeliest is taken.
enum { WIDE_CHUNK = SCREEN_MAX_VERSIONS };
static const double DEFAULT_TOKEN_MS = 50, DEFAULT_TRIAL_MS = 200;
// A token that is read costs a fraction of one that is written, and so does one of a full batch.
static const double READ_SHARE = 0.2, BATCH_SHARE = 0.3;

typedef enum MoveKind {
    MOVE_SAMPLES, // one batch of answers
    MOVE_CHANGES, // the next small changes of the function
    MOVE_BRANCH,  // one branch off it
    MOVE_REFILLS, // some lines of it, or of the best that failed
    MOVE_REPAIR,  // small changes of the best answer that failed
    N_MOVES
} MoveKind;

// Of the first, the second... time; later ones decay from the last, but for small changes, which
// come in the order of their chances, which fall with the place, and lines written anew, where each
// step goes on from another text.
enum { N_CHANCES = 4 };
static const double CHANCES[N_MOVES][N_CHANCES] = {
    [MOVE_SAMPLES] = {0.25, 0.2, 0.15, 0.1},  [MOVE_CHANGES] = {0.4},
    [MOVE_BRANCH] = {0.03, 0.02, 0.02, 0.01}, [MOVE_REFILLS] = {0.3},
    [MOVE_REPAIR] = {0.1, 0.08, 0.06, 0.05},
};
static const double DECAY = 0.8, UNASKED = 0.1, SOUND_SHARE = 0.8, CHANGES_FALL = 1.2;

typedef struct Plan {
    LoopRun *run;
    int n_done[N_MOVES];
    Search search;
} Plan;

// --- what it costs -------------------------------------------------------------------------------

typedef struct Prices {
    double token_ms, trial_ms, answer_tokens, function_tokens;
} Prices;

static Prices find_prices(const LoopRun *run)
{
    ByteRange f = run->task.function.whole;
    double ms = 0, tokens = 0, trial_ms = 0;
    int n_samples = 0, n_trials = 0;
    for (size_t i = 0; i < run->candidates.n; i++) {
        const Candidate *c = &run->candidates.items[i];
        bool alone = c->sample && !c->sample->batched;
        ms += alone ? c->ms_decode : 0;
        tokens += alone ? c->n_tokens : 0;
        n_samples += alone;
        bool tried = c->tests == VERDICT_FAIL && c->test_ms > 0;
        trial_ms += tried ? c->test_ms + c->evidence.compile_ms : 0;
        n_trials += tried;
    }
    Prices p = {.function_tokens = 16 + (double)(f.end - f.start) / 3};
    p.token_ms = ms > 0 && tokens > 0 ? ms / tokens : DEFAULT_TOKEN_MS;
    // An answer that broke off early says nothing of those to come.
    p.answer_tokens = tokens > 0 ? tokens / n_samples : 2 * p.function_tokens;
    if (p.answer_tokens < p.function_tokens) p.answer_tokens = p.function_tokens;
    p.trial_ms = n_trials ? trial_ms / n_trials / LOOP_MAX_TRIALS : DEFAULT_TRIAL_MS;
    return p;
}

static size_t find_chunk(const Plan *plan)
{
    bool wide = plan->run->screens && plan->n_done[MOVE_CHANGES] >= FIRST_CHUNKS;
    return wide ? WIDE_CHUNK : CHUNK;
}

static double find_cost(const Plan *plan, MoveKind kind, const Prices *p)
{
    const LoopRun *run = plan->run;
    double n = run->request->budget.candidates;
    double read_ms = READ_SHARE * p->token_ms;
    switch (kind) {
    case MOVE_SAMPLES:
        return n * (p->answer_tokens * p->token_ms * (n < FULL_BATCH / 2 ? 1 : BATCH_SHARE) +
                    p->trial_ms);
    case MOVE_CHANGES:
        return (double)find_chunk(plan) * p->trial_ms +
               (plan->search.is_read ? 0 : 2 * p->function_tokens * read_ms);
    case MOVE_BRANCH:
        return BRANCH_COST_TOKENS * p->token_ms + p->trial_ms;
    case MOVE_REFILLS:
        return REWRITE_HOLES * (2 * p->function_tokens * read_ms +
                                rewrite_answers(run) *
                                    (REFILL_COST_TOKENS * BATCH_SHARE * p->token_ms + p->trial_ms));
    default:
        return p->function_tokens * read_ms + repair_trials(run) * p->trial_ms;
    }
}

// --- what may come -------------------------------------------------------------------------------

static bool has_more(Plan *plan, MoveKind kind)
{
    LoopRun *run = plan->run;
    bool slips = run->passed >= 0 && run->candidates.items[run->passed].slip.len;
    bool fixes = run->task.kind == TASK_FIX, doubted = run->n_wanted > 0;
    bool tests_decide = run->has_tests && (run->passed < 0 || slips || (fixes && doubted));
    bool fix = tests_decide && fixes;
    bool beside = run->chat && !run->screens && plan->n_done[MOVE_CHANGES] >= FIRST_CHUNKS &&
                  plan->n_done[MOVE_SAMPLES] < run->request->budget.rounds;
    switch (kind) {
    case MOVE_SAMPLES:
        return loop_allowed(run, PROPOSE_SAMPLE) &&
               plan->n_done[kind] < run->request->budget.rounds;
    case MOVE_CHANGES:
        return fix && !beside && loop_allowed(run, PROPOSE_MUTANT) &&
               search_has_changes(run, &plan->search);
    case MOVE_BRANCH:
        return fix && loop_allowed(run, PROPOSE_BRANCH) && search_has_branches(&plan->search);
    case MOVE_REFILLS:
        return tests_decide && loop_allowed(run, PROPOSE_REFILL) && rewrite_find(run) >= 0 &&
               engine_info(run->engine)->fim_order != FIM_NONE;
    default:
        if (has_more(plan, MOVE_SAMPLES) &&
            plan->n_done[kind] >= REPAIRS_A_ROUND * (plan->n_done[MOVE_SAMPLES] + 1))
            return false;
        return tests_decide && loop_allowed(run, PROPOSE_MUTANT) && repair_find(run) >= 0;
    }
}

static double find_chance(const Plan *plan, MoveKind kind)
{
    int n = plan->n_done[kind];
    const LoopRun *run = plan->run;
    // A model that is asked nothing writes the function without having seen the bug.
    double share = kind == MOVE_SAMPLES && loop_is_unasked(run) ? UNASKED : 1;
    if (kind == MOVE_CHANGES) {
        // The kinds that seldom are the right one are many: the chance falls slowly.
        double n_chunks = (double)plan->search.n_tried / CHUNK + 1;
        return CHANCES[kind][0] * (double)find_chunk(plan) / CHUNK / pow(n_chunks, CHANGES_FALL);
    }
    if (kind == MOVE_REFILLS) return CHANCES[kind][0] / (n + 3);
    double chance = CHANCES[kind][n < N_CHANCES ? n : N_CHANCES - 1];
    for (; n >= N_CHANCES; n--)
        chance *= DECAY;
    return share * chance;
}

static MoveKind choose_move(Plan *plan)
{
    Prices prices = find_prices(plan->run);
    MoveKind best = N_MOVES;
    double best_rate = 0;
    for (MoveKind kind = 0; kind < N_MOVES; kind++) {
        if (!has_more(plan, kind)) continue;
        double rate = find_chance(plan, kind) / find_cost(plan, kind, &prices);
        if (best != N_MOVES && rate <= best_rate) continue;
        best = kind;
        best_rate = rate;
    }
    return best;
}

// --- the moves -----------------------------------------------------------------------------------

// The first round goes on where the greedy sample has begun.
static bool write_samples(Plan *plan, Error *err)
{
    LoopRun *run = plan->run;
    int round = plan->n_done[MOVE_SAMPLES] + 1, first = round == 1 ? 1 : 0;
    run->round = run->result->n_rounds = round;
    run->keep_going = run->n_wanted > 0 || loop_needs_agreement(run);
    bool ok = propose_samples(run, first, run->request->budget.candidates - first, err);
    if (ok) loop_drain(run);
    run->keep_going = false;
    return ok;
}

// Only reading the function tells whether there are places to branch off.
static bool branch_off(Plan *plan, Error *err)
{
    Search *search = &plan->search;
    if (!search_read(plan->run, search, err)) return false;
    return search->next_branch >= search->doubts.n_branches ||
           propose_branch(plan->run, search->next_branch++, err);
}

static bool work(Plan *plan, MoveKind kind, Error *err)
{
    LoopRun *run = plan->run;
    switch (kind) {
    case MOVE_SAMPLES:
        return write_samples(plan, err);
    case MOVE_CHANGES:
        return propose_changes(run, &plan->search, find_chunk(plan), err);
    case MOVE_BRANCH:
        return branch_off(plan, err);
    case MOVE_REFILLS:
        return propose_rewrites(run, rewrite_find(run), err);
    default:
        return propose_repairs(run, repair_find(run), err);
    }
}

// Small changes are tried beside what the model writes, once their order is known.
static bool make_move(Plan *plan, MoveKind kind, Error *err)
{
    LoopRun *run = plan->run;
    Search *search = &plan->search;
    size_t first = run->candidates.n;
    bool changes = run->task.kind == TASK_FIX && run->has_tests && run->passed < 0 &&
                   loop_allowed(run, PROPOSE_MUTANT);
    run->use_idle = changes && kind != MOVE_CHANGES ? search_use_idle : NULL;
    run->idle_user = search;
    bool ok = work(plan, kind, err);
    run->use_idle = NULL;
    ok = ok && search_settle(run, search, first, err);
    return loop_end_stage(run, ok, err);
}

static bool write_first(LoopRun *run, Error *err)
{
    run->round = run->result->n_rounds = 1;
    bool known = run->task.kind == TASK_FIX && loop_allowed(run, PROPOSE_KNOWN);
    if (known && !loop_end_stage(run, propose_known(run, err), err)) return false;
    if (run->passed >= 0 || !loop_allowed(run, PROPOSE_SAMPLE)) return true;
    return loop_end_stage(run, propose_samples(run, 0, 1, err), err);
}

static bool make_moves(Plan *plan, Error *err)
{
    LoopRun *run = plan->run;
    while (loop_needs_more(run) && !loop_is_out_of_time(run)) {
        MoveKind kind = choose_move(plan);
        if (kind == N_MOVES) break;
        if (!make_move(plan, kind, err)) return false;
        plan->n_done[kind]++;
        if (loop_needs_agreement(run)) challenge_edges(run);
    }
    return true;
}

// What passed is held against more answers as long as these may settle a doubt.
static bool challenge(Plan *plan, Error *err)
{
    LoopRun *run = plan->run;
    int n_answers = -1;
    while (run->passed >= 0 && loop_count_answers(run) > n_answers) {
        run->proposed = true;
        bool settled = challenge_chosen(run);
        n_answers = loop_count_answers(run); // but for those that were found to crash
        if (!loop_end_stage(run, true, err)) return false;
        if (settled || run->passed < 0 || run->request->budget.ms <= 0) break;
        run->proposed = false;
        run->deadline_ms = run->hurry_ms = 0;
        run->n_wanted = n_answers + 1;
        search_turn_near(run, &plan->search);
        // A fix may have to crash where the function always did.
        if (run->candidates.items[run->passed].slip.len && !loop_needs_agreement(run))
            loop_hurry(run, SOUND_SHARE * run->request->budget.ms);
        if (!make_moves(plan, err)) return false;
    }
    return true;
}

bool plan_run(LoopRun *run, Error *err)
{
    Plan plan = {.run = run};
    if (!write_first(run, err)) return false;
    if (run->task.kind == TASK_EXPLAIN) return true;
    if (loop_needs_agreement(run)) challenge_edges(run);
    return make_moves(&plan, err) && (!run->has_tests || challenge(&plan, err));
}

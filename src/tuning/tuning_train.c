// The two kinds of steps.
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "tuning/tuning_state.h"

enum { WARM_UP_BODIES = 2, QUESTIONS = 2, MAX_TRIES = 8, RATE_STEPS = 8 };
static const double ANSWER_SHARE = 0.5;      // of the warm-up's loss
static const double LEAST_DIFFERENCE = 0.01; // of a reward from its group's mean
static const double REWARD_FORGET = 0.05;    // of the running mean, a question

// The rate rises over the first steps, when Adam's second moments are guesses, and then falls.
static bool take_step(TuningRun *run, bool warming, Error *err)
{
    double rise = fmin(1, (double)(tune_n_steps(run->tune) + 1) / RATE_STEPS);
    float most = warming ? run->options->rate : run->options->rl_rate;
    float rate = most * (float)(rise * tuning_rate_share(run, warming));
    TuneAdam adam = {.rate = rate, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .max_norm = 1};
    return tune_step(run->tune, &adam, NULL, err);
}

static bool accumulate(TuningRun *run, const TuneSequence *q, double *objective, Error *err)
{
    double start = clock_ms();
    bool ok = tune_accumulate(run->tune, q, run->cancel, objective, err);
    run->result->train_ms += clock_ms() - start;
    run->result->n_trained += q->n;
    return ok;
}

// --- warm-up -------------------------------------------------------------------------------------

// The answer that stands in the repository, with its end: `answer` tokens and one more at most. 0
// if it is longer.
static int write_reference(const TuningRun *run, const LoopQuestion *q, Str forced,
                           const RepoTask *task, Arena *arena, int *ids)
{
    size_t room = (size_t)run->options->answer;
    int end = loop_question_end(q);
    Str answer = loop_question_answer(q, repo_task_body(task), task->function);
    Str all = arena_printf(arena, "%.*s%.*s", STR_FMT(forced), STR_FMT(answer));
    size_t n = engine_tokenize(run->engine, all, false, ids, room);
    if (n == 0 || n > room) return 0;
    if (end >= 0) ids[n++] = end;
    return (int)n;
}

bool tuning_make_example(TuningRun *run, const RepoTask *task, Arena *arena, TrainingText *out,
                         Error *err)
{
    const TuningOptions *o = run->options;
    OpenTask open;
    Error why = {0};
    *out = (TrainingText){0};
    if (!repo_task_open(task, o->root, &open, err)) return false;
    open.request.budget = tuning_budget(o, 1);
    LoopQuestion *q = loop_question_new(run->engine, run->session, &open.request, arena, &why);
    if (q) {
        Str forced;
        int n_prompt;
        const int *prompt = loop_question_ids(q, &n_prompt, &forced);
        int *ids = arena_array(arena, (size_t)(n_prompt + o->answer + 1), sizeof *ids);
        int n = write_reference(run, q, forced, task, arena, ids + n_prompt);
        if (n > 0 && n_prompt <= o->context) {
            memcpy(ids, prompt, (size_t)n_prompt * sizeof *ids);
            *out = (TrainingText){ids, n_prompt + n, n_prompt, true, loop_question_end(q) >= 0};
        }
    }
    loop_question_free(q);
    repo_task_close(&open);
    return true;
}

typedef enum TokenUse { TOKEN_GIVEN, TOKEN_READ, TOKEN_ANSWER } TokenUse;

static TokenUse use_of(const TuningRun *run, const TrainingText *t, int i)
{
    if (i >= t->n_given) return t->answer ? TOKEN_ANSWER : TOKEN_READ;
    bool read = t->in_document && !engine_token_is_control(run->engine, t->ids[i]);
    return read ? TOKEN_READ : TOKEN_GIVEN;
}

// Adds the loss of n texts: ANSWER_SHARE of it is the mean of the answers' tokens, the rest of
// those that are read.
static bool learn(TuningRun *run, const TrainingText *texts, int n, double *loss, Error *err)
{
    int counts[3] = {0};
    bool ok = true;
    for (int i = 0; i < n; i++)
        for (int k = 1; k < texts[i].n; k++)
            counts[use_of(run, &texts[i], k)]++;
    double share = counts[TOKEN_READ] == 0 ? 1 : counts[TOKEN_ANSWER] == 0 ? 0 : ANSWER_SHARE;
    const double factors[] = {0, (1 - share) / fmax(1, counts[TOKEN_READ]),
                              share / fmax(1, counts[TOKEN_ANSWER])};
    for (int i = 0; ok && i < n; i++) {
        const TrainingText *t = &texts[i];
        double objective = 0;
        if (t->n < 2) continue;
        float *weights = mem_zero((size_t)t->n * sizeof *weights);
        for (int k = 1; k < t->n; k++)
            weights[k] = (float)factors[use_of(run, t, k)];
        TuneSequence q = {.ids = t->ids, .n = t->n, .weights = weights};
        ok = accumulate(run, &q, &objective, err);
        free(weights);
        *loss -= objective;
    }
    return ok;
}

bool train_warm_up(TuningRun *run, Error *err)
{
    Arena *arena = arena_new();
    TrainingText texts[WARM_UP_BODIES + TUNING_MAX_PIECES];
    double loss = 0;
    int n = 0;
    bool ok = true;
    for (; ok && n < WARM_UP_BODIES; n++) {
        size_t k = (size_t)run->at.warmed_up++ % run->tasks.n_train;
        ok = tuning_make_example(run, &run->tasks.train[k], arena, &texts[n], err);
    }
    for (int i = 0; run->n_reading && i < run->options->pieces; i++)
        texts[n++] = run->reading[(size_t)run->at.read++ % run->n_reading];
    ok = ok && learn(run, texts, n, &loss, err);
    if (ok && loss > 0) {
        ok = take_step(run, true, err);
        if (run->at.n_warm_up_steps++ == 0) run->at.first_loss = loss;
        run->at.last_loss = run->at.last_loss > 0 ? 0.8 * run->at.last_loss + 0.2 * loss : loss;
    }
    arena_free(arena);
    return ok;
}

// --- GRPO ----------------------------------------------------------------------------------------

static double mean_reward(const Group *g)
{
    double sum = 0;
    for (int i = 0; i < g->n; i++)
        sum += g->answers[i].reward.sum;
    return g->n ? sum / g->n : 0;
}

// Some answer is worth repeating: where none is, that one fails better than another is no help.
static bool has_difference(const Group *g, double mean)
{
    for (int i = 0; i < g->n; i++)
        if (g->answers[i].reward.full && g->answers[i].reward.sum > mean + LEAST_DIFFERENCE)
            return true;
    return false;
}

// Answers that are learnt from in one pass over their prompt.
typedef struct Pack {
    int *ids;
    float *weights;
    int ends[TUNING_MAX_GROUP + 1];
    int n_prompt, n, n_answers;
} Pack;

static Pack pack_new(const TuningRun *run, const Group *g)
{
    size_t cap = (size_t)tuning_max_tokens(run->options);
    Pack pack = {.ids = mem_alloc(cap * sizeof *pack.ids),
                 .weights = mem_zero(cap * sizeof *pack.weights),
                 .n_prompt = g->n_prompt,
                 .n = g->n_prompt};
    memcpy(pack.ids, g->prompt, (size_t)g->n_prompt * sizeof *pack.ids);
    return pack;
}

static void pack_free(Pack *pack)
{
    free(pack->ids);
    free(pack->weights);
}

static bool pack_learn(TuningRun *run, Pack *pack, Error *err)
{
    double objective;
    TuneSequence q = {.ids = pack->ids,
                      .n = pack->n,
                      .weights = pack->weights,
                      .temperature = run->options->heat,
                      .n_shared = pack->n_prompt,
                      .n_branches = pack->n_answers,
                      .ends = pack->ends};
    bool ok = pack->n_answers == 0 || accumulate(run, &q, &objective, err);
    pack->n = pack->n_prompt;
    pack->n_answers = 0;
    return ok;
}

// n tokens, of which the first were nobody's choice. Those after the last that counts are left out.
static bool pack_add(TuningRun *run, Pack *pack, const int *ids, const float *weights, int n,
                     Error *err)
{
    while (n > 0 && weights[n - 1] == 0)
        n--;
    if (n == 0) return true;
    bool full = pack->n + n > tuning_max_tokens(run->options);
    if (full && !pack_learn(run, pack, err)) return false;
    memcpy(pack->ids + pack->n, ids, (size_t)n * sizeof *ids);
    memcpy(pack->weights + pack->n, weights, (size_t)n * sizeof *weights);
    pack->ends[pack->n_answers++] = pack->n += n;
    return true;
}

static bool is_same(const Answer *a, const Answer *b)
{
    return a->ids.n == b->ids.n &&
           (a->ids.n == 0 || memcmp(a->ids.items, b->ids.items, a->ids.n * sizeof(int)) == 0);
}

// How often the group has answer i; 0: an earlier one counts for it.
static int count_same(const Group *g, int i)
{
    int n = 0;
    for (int j = 0; j < g->n; j++) {
        bool same = is_same(&g->answers[j], &g->answers[i]);
        if (same && j < i) return 0;
        n += same;
    }
    return n;
}

// What is written before a compiler's first error is innocent of it, and what stands after its line
// is not known to be wrong: of an answer that earned less than the mean they count `innocent`.
static bool add_answer(TuningRun *run, Pack *pack, const Answer *a, float weight, Error *err)
{
    float *weights = mem_zero((a->ids.n + 1) * sizeof *weights);
    size_t start = 0;
    for (size_t i = 0; i < a->ids.n; start = a->ends.items[i++]) {
        bool blamed = a->ends.items[i] > a->blamed.start && start < a->blamed.end;
        float share = weight > 0 || blamed ? 1 : run->options->innocent;
        weights[i] = (int)i >= a->n_forced ? share * weight : 0;
    }
    bool ok = pack_add(run, pack, a->ids.items, weights, (int)a->ids.n, err);
    free(weights);
    return ok;
}

// The body that was there is one more answer, of reward 1, which nobody sampled.
static bool add_reference(TuningRun *run, Pack *pack, const Group *g, float weight, Arena *arena,
                          Error *err)
{
    size_t room = (size_t)run->options->answer + 1;
    int *ids = arena_array(arena, room, sizeof *ids);
    float *weights = arena_array(arena, room, sizeof *weights);
    int n = weight > 0 ? write_reference(run, g->question, g->forced, g->task, arena, ids) : 0;
    for (int i = 0; i < n; i++)
        weights[i] = weight;
    return pack_add(run, pack, ids, weights, n, err);
}

// Dr. GRPO (Liu et al. 2025): the advantage is the reward less the group's mean, and a token's
// weight is divided by a constant, not by its answer's length. An answer is learnt from once, by
// the model that wrote it: the ratio of the two is 1. The body that was there does not count in the
// mean.
static bool learn_group(TuningRun *run, const Group *g, double mean, Arena *arena, Error *err)
{
    double per_token = 1.0 / (QUESTIONS * g->n * run->options->answer);
    Pack pack = pack_new(run, g);
    float reference = (float)((1 - mean) * run->options->reference * per_token);
    bool ok = add_reference(run, &pack, g, reference, arena, err);
    for (int i = 0; ok && i < g->n; i++) {
        const Answer *a = &g->answers[i];
        double weight = count_same(g, i) * (a->reward.sum - mean) * per_token;
        // What failed is not to be repeated, whatever the others earned. What compiles and says too
        // little is left as it is: the next that is written in its place would not compile.
        bool counts = a->reward.full || (weight < 0 && !a->reward.compiles);
        if (counts) ok = add_answer(run, &pack, a, (float)weight, err);
    }
    ok = ok && pack_learn(run, &pack, err);
    pack_free(&pack);
    return ok;
}

// Those first whose bodies the warm-up has not shown. Of two the shorter, which is the likelier to
// be written right by some answer and not by all; the pairs are others each time around.
static RepoTask *next_question(const TuningRun *run)
{
    size_t n = run->tasks.n_train, at = 2 * (size_t)run->at.asked;
    size_t k = (size_t)run->at.warmed_up + at + at / n;
    RepoTask *a = &run->tasks.train[k % n], *b = &run->tasks.train[(k + 1) % n];
    return repo_task_body(a).len <= repo_task_body(b).len ? a : b;
}

bool train_group(TuningRun *run, Error *err)
{
    int n_useful = 0;
    if (!tuning_use(run, true, err)) return false;
    for (int tries = 0; n_useful < QUESTIONS && tries < MAX_TRIES; tries++) {
        if (tries > 0 && !tuning_has_time(run)) break;
        tuning_tell(run, "GRPO: step %d, question %d", run->at.n_steps + 1, run->at.n_groups + 1);
        Arena *arena = arena_new();
        Group g;
        SamplerOptions sampler = {.temperature = run->options->heat,
                                  .top_p = 1,
                                  .seed = run->options->seed + 1000003 * (uint64_t)run->at.asked};
        bool ok =
            group_write(run, next_question(run), run->options->group, &sampler, arena, &g, err);
        double mean = mean_reward(&g);
        bool differs = has_difference(&g, mean);
        bool useful = differs || (g.n > 0 && run->options->reference > 0);
        if (ok && useful) ok = learn_group(run, &g, mean, arena, err);
        n_useful += useful;
        group_free(&g);
        arena_free(arena);
        if (!ok) return false;
        run->at.asked++;
        run->at.n_groups++;
        run->at.n_useless += !differs;
        double forget = fmax(1.0 / run->at.n_groups, REWARD_FORGET);
        run->at.reward += forget * (mean - run->at.reward);
    }
    run->at.n_steps += n_useful > 0;
    return n_useful == 0 || take_step(run, false, err);
}

// Measuring on functions that were held out, and the verdict.
#include "tuning/tuning_state.h"

enum { MEASURED_ANSWERS = 4, MEASURED_LOSSES = 48 };
static const float MEASURED_HEAT = 0.4f;
static const double LEAST_GAIN = 0.02; // of the share that compiles

static void show(const TuningRun *run, const Group *g, bool adapter)
{
    for (int i = 0; run->options->on_body && i < g->n; i++) {
        const Answer *a = &g->answers[i];
        const Evidence *e = &a->candidate.evidence;
        Str note = e->parse == VERDICT_PASS ? e->compile_note : e->parse_note;
        TuningBody body = {.file = g->task->file->path,
                           .function = g->task->name,
                           .body = strbuf_str(&a->raw),
                           .note = a->flaw ? str_from(a->flaw) : note,
                           .n_tokens = (int)a->ids.n,
                           .adapter = adapter,
                           .compiles = a->reward.compiles,
                           .full = a->reward.full,
                           .alike = a->reward.alike};
        run->options->on_body(run->user, &body);
    }
}

static void count(TuningScore *score, const Group *g)
{
    bool tested = g->task->tests == TESTS_REACH;
    for (int i = 0; i < g->n; i++) {
        const BodyReward *r = &g->answers[i].reward;
        score->n++;
        score->n_compile += r->compiles;
        score->n_full += r->full;
        score->n_tested += tested;
        score->n_pass += r->passes;
        score->n_tokens += (int32_t)g->answers[i].ids.n;
        score->alike += r->alike;
        score->reward += r->sum;
    }
}

// How unlikely the bodies that were there are. Without an adapter only where none was begun: it is
// the adapter's model that is asked.
static bool measure_loss(TuningRun *run, bool adapter, TuningScore *out, Error *err)
{
    double sum = 0;
    int n = 0;
    bool ok = true;
    if (!adapter && run->at.n_warm_up_steps + run->at.n_steps > 0) return true;
    for (size_t i = 0; ok && i < run->tasks.n_held_out && i < MEASURED_LOSSES; i++) {
        Arena *arena = arena_new();
        TrainingText text;
        double objective = 0;
        ok = tuning_make_example(run, &run->tasks.held_out[i], arena, &text, err);
        if (ok && text.n > text.n_given) {
            float *weights = arena_array(arena, (size_t)text.n, sizeof *weights);
            for (int k = 0; k < text.n; k++)
                weights[k] = k >= text.n_given ? 1 : 0;
            TuneSequence q = {.ids = text.ids, .n = text.n, .weights = weights};
            ok = tune_evaluate(run->tune, &q, run->cancel, &objective, err);
            sum -= objective;
            n += text.n - text.n_given;
        }
        arena_free(arena);
    }
    if (n) out->loss = sum / n;
    return ok;
}

bool tuning_measure(TuningRun *run, bool adapter, TuningScore *out, Error *err)
{
    *out = (TuningScore){0};
    bool ok = tuning_use(run, adapter, err);
    for (size_t i = 0; ok && i < run->tasks.n_held_out; i++) {
        Arena *arena = arena_new();
        Group g;
        SamplerOptions sampler = {.temperature = MEASURED_HEAT,
                                  .top_p = 0.95f,
                                  .seed = run->options->seed + 7919 * (uint64_t)i};
        tuning_tell(run, "measuring %s: %zu of %zu functions, %d of %d bodies compile",
                    adapter ? "with the adapter" : "without an adapter", i, run->tasks.n_held_out,
                    (int)out->n_compile, (int)out->n);
        ok = group_write(run, &run->tasks.held_out[i], MEASURED_ANSWERS, &sampler, arena, &g, err);
        if (ok) count(out, &g);
        if (ok) show(run, &g, adapter);
        group_free(&g);
        arena_free(arena);
    }
    if (out->n) out->alike /= out->n;
    if (out->n) out->reward /= out->n;
    return ok && measure_loss(run, adapter, out, err);
}

static double share(int part, int whole)
{
    return whole ? (double)part / whole : 0;
}

bool tuning_is_better(const TuningScore *a, const TuningScore *b)
{
    double gain = share(a->n_compile, a->n) - share(b->n_compile, b->n);
    return a->reward > b->reward && gain >= LEAST_GAIN &&
           share(a->n_full, a->n) >= share(b->n_full, b->n) &&
           share(a->n_pass, a->n_tested) >= share(b->n_pass, b->n_tested) && a->alike >= b->alike;
}

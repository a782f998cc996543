// The order of a run: tasks, measurement, warm-up, GRPO, measurement, verdict; and its checkpoints.
#include "tuning/tuning.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tuning/tuning_state.h"

enum { MAX_TRAIN = 4000, MIN_BODY_BYTES = 12, KEEP_BYTES = 512 << 20 };
static const int WARM_UP_EPOCHS = 3; // at most
static const double SAVE_MS = 120000;
static const double LEAST_RATE = 0.1;

// The seconds of this run and those before.
static double seconds_of(const TuningRun *run)
{
    return run->at.seconds + (clock_ms() - run->start_ms) / 1000;
}

void tuning_tell(TuningRun *run, const char *fmt, ...)
{
    char line[200];
    va_list args;
    if (!run->tell) return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    run->tell(run->user, fmin(1, seconds_of(run) / run->options->seconds), line);
}

bool tuning_use(TuningRun *run, bool adapter, Error *err)
{
    AdapterUse use = {adapter ? tune_adapter(run->tune) : NULL, 1};
    // None first: the session then forgets what the adapter gave before it changed.
    return session_use_adapters(run->session, NULL, 0, err) &&
           session_use_adapters(run->session, &use, adapter, err);
}

// --- checkpoints ---------------------------------------------------------------------------------

static Str checkpoint_path(const TuningOptions *o, Arena *arena)
{
    return arena_printf(arena, "%s.tune", o->out);
}

static bool save(TuningRun *run, Error *err)
{
    Arena *arena = arena_new();
    TuningProgress at = run->at;
    at.seconds = seconds_of(run);
    bool ok = tune_save(run->tune, checkpoint_path(run->options, arena).ptr,
                        (Str){(const char *)&at, sizeof at}, err);
    run->saved_ms = clock_ms();
    arena_free(arena);
    return ok;
}

// Nothing to go on from is no error; a checkpoint of another model or of other options is.
static bool resume(TuningRun *run, Error *err)
{
    Arena *arena = arena_new();
    StrBuf extra = {0};
    Error why = {0};
    Str path = checkpoint_path(run->options, arena);
    bool ok = tune_load(run->tune, path.ptr, &extra, &why);
    if (ok && extra.len != sizeof run->at)
        ok = error_set(&why, ERROR_DAMAGED, "%.160s is of another version of r1ls", path.ptr);
    if (ok) {
        memcpy(&run->at, extra.ptr, sizeof run->at);
        run->result->resumed = true;
        // Other functions than before: what was learnt stays, what was measured does not.
        if (memcmp(run->at.tasks, run->tasks.hash, sizeof run->at.tasks) != 0)
            run->at.measured = false;
    }
    memcpy(run->at.tasks, run->tasks.hash, sizeof run->at.tasks);
    strbuf_deinit(&extra);
    arena_free(arena);
    if (ok || why.code == ERROR_NOT_FOUND) return true;
    return error_set(err, why.code, "%s; remove it to begin anew", why.text);
}

// --- measuring -----------------------------------------------------------------------------------

static bool measure_before(TuningRun *run, Error *err)
{
    if (run->at.measured) return true;
    double start = seconds_of(run);
    if (!tuning_measure(run, false, &run->at.before, err)) return false;
    run->at.measured = true;
    run->at.trains_from = seconds_of(run);
    run->at.measure_seconds = run->at.trains_from - start;
    if (run->at.before.n > 0) return save(run, err);
    return error_set(err, ERROR_INVALID, "no held-out function fits into %d tokens%s%.120s",
                     run->options->context, run->unfit.text[0] ? ": " : "", run->unfit.text);
}

// --- training ------------------------------------------------------------------------------------

static double time_for_training(const TuningRun *run)
{
    return run->options->seconds - 1.2 * run->at.measure_seconds;
}

bool tuning_has_time(const TuningRun *run)
{
    return seconds_of(run) < time_for_training(run);
}

// When the warm-up ends at the latest.
static double time_for_warm_up(const TuningRun *run)
{
    double start = run->at.trains_from;
    return start + run->options->warm_up * (time_for_training(run) - start);
}

double tuning_rate_share(const TuningRun *run, bool warming)
{
    double start = warming ? run->at.trains_from : time_for_warm_up(run);
    double end = warming ? time_for_warm_up(run) : time_for_training(run);
    double left = end > start ? (end - seconds_of(run)) / (end - start) : 1;
    return fmin(1, fmax(LEAST_RATE, left));
}

static bool wants_warm_up(const TuningRun *run)
{
    return seconds_of(run) < time_for_warm_up(run) &&
           (run->at.warmed_up < (int64_t)run->tasks.n_train * WARM_UP_EPOCHS ||
            run->at.read < (int64_t)run->n_reading * WARM_UP_EPOCHS);
}

static bool train(TuningRun *run, Error *err)
{
    bool ok = true, warming = true;
    while (ok && tuning_has_time(run)) {
        bool warms = warming && wants_warm_up(run);
        if (warming && !warms && run->at.n_steps == 0) tune_restart(run->tune);
        warming = warms;
        ok = warming ? train_warm_up(run, err) : train_group(run, err);
        if (ok && warming)
            tuning_tell(run, "warm-up: step %d, loss %.3f (first %.3f)", run->at.n_warm_up_steps,
                        run->at.last_loss, run->at.first_loss);
        else if (ok)
            tuning_tell(run,
                        "GRPO: step %d, %d questions, %d of them without a difference, reward %.3f",
                        run->at.n_steps, run->at.n_groups, run->at.n_useless, run->at.reward);
        if (ok && clock_ms() - run->saved_ms > SAVE_MS) ok = save(run, err);
    }
    return ok;
}

static bool finish(TuningRun *run, Error *err)
{
    TuningResult *r = run->result;
    Arena *arena = arena_new();
    bool fim = engine_info(run->engine)->fim_order != FIM_NONE;
    bool ok = tuning_measure(run, true, &r->after, err);
    r->finished = ok;
    r->kept = ok && tuning_is_better(&r->after, &run->at.before);
    if (r->kept) ok = tune_write_adapter(run->tune, run->options->out, fim, err);
    if (ok) unlink(checkpoint_path(run->options, arena).ptr);
    arena_free(arena);
    return ok;
}

static bool run_all(TuningRun *run, Error *err)
{
    bool ok = resume(run, err) && measure_before(run, err) && train(run, err) && finish(run, err);
    Error why = {0};
    // What was learnt since the last checkpoint is kept; a step that was begun is not.
    if (!ok && err->code == ERROR_CANCELLED && run->at.measured && !save(run, &why)) *err = why;
    return ok;
}

static void report(TuningRun *run)
{
    TuningResult *r = run->result;
    const TuningProgress *at = &run->at;
    r->before = at->before;
    r->n_train = (int)run->tasks.n_train;
    r->n_held_out = (int)run->tasks.n_held_out;
    r->n_warm_up_steps = at->n_warm_up_steps;
    r->n_steps = at->n_steps;
    r->n_groups = at->n_groups;
    r->n_useless = at->n_useless;
    r->first_loss = at->first_loss;
    r->last_loss = at->last_loss;
}

static bool check(const TuningOptions *o, Error *err)
{
    if (o->group < 2 || o->group > TUNING_MAX_GROUP)
        return error_set(err, ERROR_INVALID, "groups of %d, wanted 2 to %d", o->group,
                         TUNING_MAX_GROUP);
    if (o->context < 128 || o->answer < 16)
        return error_set(err, ERROR_INVALID,
                         "prompts of %d and answers of %d tokens, wanted 128 and 16 at least",
                         o->context, o->answer);
    if (o->pieces < 0 || o->pieces > TUNING_MAX_PIECES)
        return error_set(err, ERROR_INVALID, "%d pieces of files, wanted 0 to %d", o->pieces,
                         TUNING_MAX_PIECES);
    if (!(o->heat > 0 && o->innocent >= 0 && o->innocent <= 1))
        return error_set(
            err, ERROR_INVALID,
            "temperature %g and %g for what is innocent, wanted more than 0 and 0 to 1",
            (double)o->heat, (double)o->innocent);
    if (!(o->warm_up >= 0 && o->warm_up <= 1))
        return error_set(err, ERROR_INVALID, "%g of the time for the warm-up, wanted 0 to 1",
                         o->warm_up);
    if (o->seconds > 0 && o->n_held_out > 0) return true;
    return error_set(err, ERROR_INVALID, "%g seconds and %d held-out functions, wanted more than 0",
                     o->seconds, o->n_held_out);
}

bool tuning_run(Engine *engine, const TuningOptions *options, EngineCancel cancel, TuningTell told,
                void *user, TuningResult *result, Error *err)
{
    *result = (TuningResult){0};
    if (!check(options, err)) return false;
    Arena *arena = arena_new();
    TuningRun run = {.engine = engine,
                     .options = options,
                     .cancel = cancel,
                     .tell = told,
                     .user = user,
                     .result = result,
                     .start_ms = clock_ms(),
                     .saved_ms = clock_ms()};
    TuneOptions tune = {.rank = options->rank,
                        .alpha = 2 * (float)options->rank,
                        .max_tokens = tuning_max_tokens(options),
                        .keep_bytes = KEEP_BYTES,
                        .seed = options->seed};
    RepoLimits limits = {.max_train = MAX_TRAIN,
                         .max_held_out = (size_t)options->n_held_out,
                         .min_body_bytes = MIN_BODY_BYTES,
                         .max_body_bytes = (size_t)options->answer * 3,
                         .hold_functions = !options->hold_files,
                         .seed = options->seed};
    tuning_tell(&run, "looking for functions");
    bool ok = repo_tasks_find(options->root, &limits, cancel, arena, &run.tasks, err);
    if (ok) reading_make(&run, arena);
    run.session = ok ? session_new(engine, options->context + options->answer + 16, err) : NULL;
    run.tune = run.session ? tune_new(engine, &tune, err) : NULL;
    ok = run.tune && run_all(&run, err);
    report(&run);
    session_free(run.session);
    tune_free(run.tune);
    arena_free(arena);
    return ok;
}

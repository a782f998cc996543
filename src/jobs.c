// The engine thread between two bounded queues: jobs in (mutex and condition), news out (mutex and
// uv_async). It alone touches Engine and Sessions; the loop thread alone touches `state` and
// `info`.
//
//   loop thread --jobs_submit--> interactive, background --engine thread--> ended --uv_async-->
//   loop
//
// A running loop polls `poll_background` between two tokens, and that runs waiting completions on
// their own sessions: so interactive work never waits for a background job.
#include "jobs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory_use.h"
#include "job_queue.h"
#include "slots.h"

static const size_t STACK_BYTES = (size_t)8 << 20;
enum { ENGINE_NICE = 5 };

// The newest progress of the one background job that can run: older ones are overwritten.
typedef struct Progress {
    Job *job; // NULL: none
    int pct;
    char text[200];
} Progress;

// What the engine thread has to tell, guarded by out_lock.
typedef struct News {
    JobQueue ended;
    Progress progress;
    bool has_state, thread_done, expects;
    EngineState state;
} News;

// What the loop thread wants of the engine thread beside jobs.
typedef struct Wishes {
    bool trim, unload, open;
} Wishes;

struct Jobs {
    uv_async_t async;
    pthread_t thread;
    EngineOptions options; // path, isa and adapter are ours
    JobsLimits limits;
    JobsEvents events;
    atomic_bool closing;
    atomic_int n_unended;            // jobs handed over and not yet ended
    atomic_int n_loops;              // of them JOB_LOOP
    atomic_uint_least64_t max_bytes; // of anonymous memory; 0: any

    pthread_mutex_t in_lock;
    pthread_cond_t in_wake;
    JobQueue interactive, background, ahead;
    Wishes wishes;

    pthread_mutex_t out_lock;
    News news;

    Expectation *expectation; // has a lock of its own

    // Written by the engine thread, which tells READY or FAILED then. The loop thread may read
    // `engine` while it is `loaded`, for it alone asks for its end.
    Engine *engine;
    Error open_err;

    // Engine thread only.
    bool is_found, has_failed; // the model's file; to open it
    Slots *slots;              // NULL while the model is not open

    // Loop thread only.
    EngineState state;
    EngineInfo facts;       // a copy, in facts_arena: it outlives the engine
    Arena *facts_arena;     // NULL: there are none
    const EngineInfo *info; // &facts, or NULL
    bool loaded;
    uint64_t refused_bytes; // of anonymous memory, when the model was refused
    double used_ms;         // when a job was handed over or came back last
    void (*closed)(void *user);
    void *closed_user;
};

typedef struct Run {
    Jobs *jobs;
    Job *job;
} Run;

// --- engine thread: telling ----------------------------------------------------------------------

static void end_job(Jobs *jobs, Job *job, JobEnd end)
{
    atomic_fetch_sub(&jobs->n_unended, 1);
    if (job->kind == JOB_LOOP) atomic_fetch_sub(&jobs->n_loops, 1);
    job->end = end;
    pthread_mutex_lock(&jobs->out_lock);
    job_queue_push(&jobs->news.ended, job);
    pthread_mutex_unlock(&jobs->out_lock);
    uv_async_send(&jobs->async);
}

static void end_all(Jobs *jobs, JobQueue *queue)
{
    Job *job;
    while ((job = job_queue_pop(queue)))
        end_job(jobs, job, JOB_CANCELLED);
}

static void tell_state(Jobs *jobs, EngineState state)
{
    pthread_mutex_lock(&jobs->out_lock);
    jobs->news.has_state = true;
    jobs->news.state = state;
    pthread_mutex_unlock(&jobs->out_lock);
    uv_async_send(&jobs->async);
}

static void tell_expectation(void *user)
{
    Jobs *jobs = user;
    pthread_mutex_lock(&jobs->out_lock);
    jobs->news.expects = true;
    pthread_mutex_unlock(&jobs->out_lock);
    uv_async_send(&jobs->async);
}

static void tell_progress(void *user, int pct, Str text)
{
    Run *run = user;
    Jobs *jobs = run->jobs;
    pthread_mutex_lock(&jobs->out_lock);
    Progress *progress = &jobs->news.progress;
    size_t n = text.len < sizeof progress->text - 1 ? text.len : sizeof progress->text - 1;
    if (n) memcpy(progress->text, text.ptr, n);
    progress->text[n] = '\0';
    progress->pct = pct;
    progress->job = run->job;
    pthread_mutex_unlock(&jobs->out_lock);
    uv_async_send(&jobs->async);
}

// --- engine thread: running ----------------------------------------------------------------------

static bool must_stop(const Run *run)
{
    return atomic_load(&run->job->cancelled) || atomic_load(&run->jobs->closing);
}

static bool poll_interactive(void *user)
{
    Run *run = user;
    Jobs *jobs = run->jobs;
    pthread_mutex_lock(&jobs->in_lock);
    bool gives_way = run->job->ahead && jobs->interactive.n + jobs->background.n > 0;
    pthread_mutex_unlock(&jobs->in_lock);
    return gives_way || must_stop(run);
}

static bool poll_background(void *user);

// What the user has asked for does not wait for what nobody has.
static bool poll_surprise(void *user)
{
    Run *run = user;
    if (poll_background(user)) return true;
    bool waits = false;
    pthread_mutex_lock(&run->jobs->in_lock);
    for (const Job *job = run->jobs->background.first; job; job = job->next)
        waits = waits || job->kind == JOB_LOOP;
    pthread_mutex_unlock(&run->jobs->in_lock);
    return waits;
}

static bool run_kind(Run *run, Session *session, Error *err)
{
    Jobs *jobs = run->jobs;
    Job *job = run->job;
    if (job->kind == JOB_COMPLETE) {
        EngineCancel cancel = {poll_interactive, run};
        job->complete.prefixes = slots_prefixes(jobs->slots);
        job->complete.expectation = jobs->expectation;
        return complete_run(jobs->engine, session, &job->complete, cancel, job->arena,
                            &job->complete_result, err);
    }
    if (job->kind == JOB_SURPRISE) {
        EngineCancel cancel = {poll_surprise, run};
        return surprise_run(jobs->engine, session, &job->surprise, cancel, job->arena,
                            &job->surprise_result, err);
    }
    EngineCancel cancel = {poll_background, run};
    return loop_run(jobs->engine, session, &job->loop, cancel, tell_progress, run, job->arena,
                    &job->loop_result, err);
}

static bool run_in_slot(Run *run, Error *err)
{
    Jobs *jobs = run->jobs;
    const Job *job = run->job;
    Session *session = slots_take(jobs->slots, job->complete.path, job->kind != JOB_COMPLETE,
                                  atomic_load(&jobs->max_bytes), err);
    if (!session) return false;
    bool ok = run_kind(run, session, err);
    slots_put_back(jobs->slots, session);
    return ok;
}

static void open_model(Jobs *jobs);

static void run_job(Jobs *jobs, Job *job)
{
    Run run = {jobs, job};
    job->wait_ms = clock_ms() - job->queued_ms;
    if (must_stop(&run)) {
        end_job(jobs, job, JOB_CANCELLED);
        return;
    }
    if (!jobs->engine && !jobs->has_failed) open_model(jobs); // it was given back
    if (!jobs->engine) {
        job->err = jobs->open_err;
        end_job(jobs, job, JOB_FAILED);
        return;
    }
    bool ok = run_in_slot(&run, &job->err);
    // A result that nobody waits for any more counts as cancelled, so that a caller who cancelled
    // sees the same end whether or not the work noticed in time.
    if (must_stop(&run) || (!ok && job->err.code == ERROR_CANCELLED))
        end_job(jobs, job, JOB_CANCELLED);
    else
        end_job(jobs, job, ok ? JOB_DONE : JOB_FAILED);
}

static Job *take_interactive(Jobs *jobs, JobQueue *cancelled)
{
    pthread_mutex_lock(&jobs->in_lock);
    job_queue_sweep(&jobs->interactive, cancelled);
    job_queue_sweep(&jobs->background, cancelled);
    job_queue_sweep(&jobs->ahead, cancelled);
    Job *job = job_queue_pop(&jobs->interactive);
    pthread_mutex_unlock(&jobs->in_lock);
    return job;
}

static bool poll_background(void *user)
{
    Run *run = user;
    while (!must_stop(run)) {
        JobQueue cancelled = {0};
        Job *job = take_interactive(run->jobs, &cancelled);
        end_all(run->jobs, &cancelled);
        if (!job) return false;
        run_job(run->jobs, job);
    }
    return true;
}

static bool poll_waiting(void *user)
{
    Jobs *jobs = user;
    pthread_mutex_lock(&jobs->in_lock);
    bool waits =
        jobs->interactive.n + jobs->background.n + jobs->ahead.n > 0 || atomic_load(&jobs->closing);
    pthread_mutex_unlock(&jobs->in_lock);
    return waits;
}

// --- engine thread: the model --------------------------------------------------------------------

static bool find_model(Jobs *jobs)
{
    char *file = NULL;
    if (jobs->is_found || !jobs->events.find_model || !jobs->options.path) return true;
    if (!jobs->events.find_model(jobs->options.path, &jobs->closing, &file, &jobs->open_err))
        return false;
    free((char *)jobs->options.path);
    jobs->options.path = file;
    jobs->is_found = true;
    return true;
}

static void close_model(Jobs *jobs)
{
    slots_free(jobs->slots);
    engine_close(jobs->engine);
    jobs->slots = NULL;
    jobs->engine = NULL;
    expectation_forget(jobs->expectation);
    if (!jobs->options.path) memory_use_let_go(jobs->options.image, jobs->options.image_bytes);
    memory_use_trim();
}

static bool open_within(Jobs *jobs, uint64_t max_bytes)
{
    EngineOptions options = jobs->options;
    const SlotsLimits limits = {jobs->limits.n_ctx, jobs->limits.prefix_cache_bytes};
    uint64_t has = memory_use_read().anonymous;
    if (max_bytes) options.max_bytes = max_bytes > has ? max_bytes - has : 1;
    jobs->engine = engine_open(&options, &jobs->open_err);
    if (!jobs->engine) return false;
    jobs->slots = slots_new(jobs->engine, limits, max_bytes, &jobs->open_err);
    if (!jobs->slots) close_model(jobs);
    return jobs->slots != NULL;
}

static void open_model(Jobs *jobs)
{
    jobs->open_err = (Error){0};
    jobs->has_failed = !find_model(jobs) || !open_within(jobs, atomic_load(&jobs->max_bytes));
    if (jobs->has_failed) log_error("the model cannot be used: %s", jobs->open_err.text);
    tell_state(jobs, jobs->has_failed ? ENGINE_FAILED : ENGINE_READY);
}

// A job that comes while prompts are being saved finds the model open still.
static void unload_model(Jobs *jobs)
{
    const EngineCancel cancel = {poll_waiting, jobs};
    if (!jobs->engine) return;
    if (!slots_save_all(jobs->slots, cancel) || poll_waiting(jobs)) {
        tell_state(jobs, ENGINE_READY);
        return;
    }
    close_model(jobs);
}

static void fulfil(Jobs *jobs, Wishes wishes)
{
    if (wishes.trim && jobs->slots) slots_trim(jobs->slots, (EngineCancel){poll_waiting, jobs});
    if (wishes.trim) memory_use_trim();
    if (wishes.unload) unload_model(jobs);
    if (wishes.open && !jobs->engine) open_model(jobs);
}

// Blocks for the next job; NULL when the thread should end.
static Job *wait_job(Jobs *jobs)
{
    Job *job = NULL;
    pthread_mutex_lock(&jobs->in_lock);
    while (!atomic_load(&jobs->closing) && !job) {
        Wishes wishes = jobs->wishes;
        jobs->wishes = (Wishes){0};
        if (wishes.trim || wishes.unload || wishes.open) {
            pthread_mutex_unlock(&jobs->in_lock);
            fulfil(jobs, wishes);
            pthread_mutex_lock(&jobs->in_lock);
            continue;
        }
        job = job_queue_pop(&jobs->interactive);
        if (!job) job = job_queue_pop(&jobs->background);
        if (!job) job = job_queue_pop(&jobs->ahead);
        if (job) break;
        if (!jobs->slots || !slots_have_old(jobs->slots)) {
            pthread_cond_wait(&jobs->in_wake, &jobs->in_lock);
            continue;
        }
        pthread_mutex_unlock(&jobs->in_lock);
        slots_save_old(jobs->slots, (EngineCancel){poll_waiting, jobs});
        pthread_mutex_lock(&jobs->in_lock);
    }
    pthread_mutex_unlock(&jobs->in_lock);
    return job;
}

static void *engine_thread(void *user)
{
    Jobs *jobs = user;
    Job *job;
    pthread_setname_np(pthread_self(), "r1ls-engine");
    // Linux gives each thread its own, and the threads of the team inherit it. The engine has all
    // cores: what answers in a millisecond must not wait until its time slice is over.
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), ENGINE_NICE) != 0) errno = 0;
    tell_state(jobs, ENGINE_LOADING);
    open_model(jobs);
    while ((job = wait_job(jobs)))
        run_job(jobs, job);
    if (jobs->slots) slots_save_all(jobs->slots, (EngineCancel){0});
    close_model(jobs);
    JobQueue left = {0};
    pthread_mutex_lock(&jobs->in_lock); // nothing is queued once `closing` is set under this lock
    while ((job = job_queue_pop(&jobs->interactive)) || (job = job_queue_pop(&jobs->background)) ||
           (job = job_queue_pop(&jobs->ahead)))
        job_queue_push(&left, job);
    pthread_mutex_unlock(&jobs->in_lock);
    end_all(jobs, &left);
    pthread_mutex_lock(&jobs->out_lock);
    jobs->news.thread_done = true;
    pthread_mutex_unlock(&jobs->out_lock);
    uv_async_send(&jobs->async);
    return NULL;
}

// --- loop thread ---------------------------------------------------------------------------------

static void free_jobs(Jobs *jobs)
{
    pthread_mutex_destroy(&jobs->in_lock);
    pthread_mutex_destroy(&jobs->out_lock);
    pthread_cond_destroy(&jobs->in_wake);
    expectation_free(jobs->expectation);
    arena_free(jobs->facts_arena);
    free((char *)jobs->options.path);
    free((char *)jobs->options.isa);
    free((char *)jobs->options.adapter);
    free(jobs);
}

static void on_async_closed(uv_handle_t *handle)
{
    Jobs *jobs = handle->data;
    void (*closed)(void *user) = jobs->closed;
    void *user = jobs->closed_user;
    free_jobs(jobs);
    if (closed) closed(user);
}

static void keep_facts(Jobs *jobs)
{
    Arena *had = jobs->facts_arena, *arena = arena_new();
    EngineInfo *facts = &jobs->facts;
    *facts = *engine_info(jobs->engine);
    facts->name = arena_str(arena, facts->name);
    facts->arch = arena_str(arena, facts->arch);
    facts->license = arena_str(arena, facts->license);
    facts->quantisation = arena_str(arena, facts->quantisation);
    facts->adapter = arena_str(arena, facts->adapter);
    facts->chat_template = arena_str(arena, facts->chat_template);
    jobs->facts_arena = arena;
    arena_free(had);
}

static void deliver_state(Jobs *jobs, EngineState state)
{
    jobs->state = state;
    jobs->refused_bytes = state == ENGINE_FAILED ? memory_use_read().anonymous : 0;
    jobs->loaded = state == ENGINE_READY;
    if (jobs->loaded) keep_facts(jobs);
    jobs->info = jobs->loaded ? &jobs->facts : NULL;
    const Error *err = state == ENGINE_FAILED ? &jobs->open_err : NULL;
    if (jobs->events.engine_state) jobs->events.engine_state(jobs->events.user, state, err);
}

static void deliver_progress(Jobs *jobs, const Progress *progress)
{
    if (jobs->events.progress)
        jobs->events.progress(jobs->events.user, progress->job, progress->pct,
                              str_from(progress->text));
}

// Progress goes before the ends: its job may be among the ended ones and is gone after that.
static void on_news(uv_async_t *async)
{
    Jobs *jobs = async->data;
    pthread_mutex_lock(&jobs->out_lock);
    News news = jobs->news;
    jobs->news = (News){0};
    pthread_mutex_unlock(&jobs->out_lock);
    if (news.has_state && !atomic_load(&jobs->closing)) deliver_state(jobs, news.state);
    if (news.progress.job && !atomic_load(&jobs->closing)) deliver_progress(jobs, &news.progress);
    if (news.expects && !atomic_load(&jobs->closing) && jobs->events.expects)
        jobs->events.expects(jobs->events.user);
    Job *job;
    if (news.ended.n > 0) jobs->used_ms = clock_ms();
    while ((job = job_queue_pop(&news.ended)))
        jobs->events.ended(jobs->events.user, job);
    if (!news.thread_done) return;
    pthread_join(jobs->thread, NULL); // it returns right after that news: no wait worth the name
    uv_close((uv_handle_t *)&jobs->async, on_async_closed);
}

static char *copy_text(const char *text)
{
    return text ? memcpy(mem_alloc(strlen(text) + 1), text, strlen(text) + 1) : NULL;
}

static bool start_thread(Jobs *jobs)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return false;
    bool ok = pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 &&
              pthread_create(&jobs->thread, &attr, engine_thread, jobs) == 0;
    pthread_attr_destroy(&attr);
    return ok;
}

Jobs *jobs_new(struct uv_loop_s *loop, const EngineOptions *options, JobsLimits limits,
               JobsEvents events, Error *err)
{
    assert(events.ended);
    Jobs *jobs = mem_zero(sizeof *jobs);
    jobs->options = *options;
    jobs->options.path = copy_text(options->path);
    jobs->options.isa = copy_text(options->isa);
    jobs->options.adapter = copy_text(options->adapter);
    jobs->limits = limits;
    atomic_init(&jobs->max_bytes, limits.memory_bytes);
    jobs->used_ms = clock_ms();
    jobs->events = events;
    jobs->expectation = expectation_new(tell_expectation, jobs);
    atomic_init(&jobs->closing, false);
    pthread_mutex_init(&jobs->in_lock, NULL);
    pthread_mutex_init(&jobs->out_lock, NULL);
    pthread_cond_init(&jobs->in_wake, NULL);
    int rc = uv_async_init(loop, &jobs->async, on_news);
    if (rc != 0) {
        error_set(err, ERROR_INTERNAL, "cannot make the engine's wake-up: %s", uv_strerror(rc));
        free_jobs(jobs);
        return NULL;
    }
    jobs->async.data = jobs;
    if (!start_thread(jobs)) {
        error_set(err, ERROR_INTERNAL, "cannot start the engine thread");
        uv_close((uv_handle_t *)&jobs->async, on_async_closed);
        return NULL;
    }
    return jobs;
}

void jobs_close(Jobs *jobs, void (*closed)(void *user), void *user)
{
    assert(!atomic_load(&jobs->closing));
    jobs->closed = closed;
    jobs->closed_user = user;
    jobs->info = NULL;
    jobs->loaded = false;
    pthread_mutex_lock(&jobs->in_lock);
    atomic_store(&jobs->closing, true);
    pthread_cond_signal(&jobs->in_wake);
    pthread_mutex_unlock(&jobs->in_lock);
}

static JobQueue *queue_of(Jobs *jobs, const Job *job)
{
    if (job->ahead) return &jobs->ahead;
    return job->kind == JOB_COMPLETE ? &jobs->interactive : &jobs->background;
}

// Queues the job and returns the one that has to give way to it, if any.
static Job *enqueue(Jobs *jobs, Job *job)
{
    Job *dropped = NULL;
    pthread_mutex_lock(&jobs->in_lock);
    if (jobs->interactive.n + jobs->background.n + jobs->ahead.n >= JOBS_MAX_QUEUED) {
        dropped = job_queue_pop(&jobs->ahead);
        if (!dropped) dropped = job_queue_pop(&jobs->interactive);
        if (!dropped) dropped = job_queue_pop(&jobs->background);
    }
    job_queue_push(queue_of(jobs, job), job);
    pthread_cond_signal(&jobs->in_wake);
    pthread_mutex_unlock(&jobs->in_lock);
    return dropped;
}

void jobs_submit(Jobs *jobs, Job *job)
{
    job->queued_ms = jobs->used_ms = clock_ms();
    if (atomic_load(&jobs->closing)) {
        job->end = JOB_CANCELLED;
        jobs->events.ended(jobs->events.user, job);
        return;
    }
    atomic_fetch_add(&jobs->n_unended, 1);
    if (job->kind == JOB_LOOP) atomic_fetch_add(&jobs->n_loops, 1);
    Job *dropped = enqueue(jobs, job);
    if (!dropped) return;
    job_cancel(dropped);
    end_job(jobs, dropped, JOB_CANCELLED);
}

void jobs_promote(Jobs *jobs, Job *job)
{
    pthread_mutex_lock(&jobs->in_lock);
    job->ahead = false;
    for (int n = jobs->ahead.n; n > 0; n--) {
        Job *waiting = job_queue_pop(&jobs->ahead);
        job_queue_push(waiting == job ? &jobs->interactive : &jobs->ahead, waiting);
    }
    pthread_cond_signal(&jobs->in_wake);
    pthread_mutex_unlock(&jobs->in_lock);
}

EngineState jobs_engine_state(const Jobs *jobs)
{
    return jobs->state;
}

const EngineOptions *jobs_engine_options(const Jobs *jobs)
{
    return &jobs->options;
}

const EngineInfo *jobs_engine_info(const Jobs *jobs)
{
    return jobs->info;
}

bool jobs_are_running(const Jobs *jobs)
{
    return atomic_load(&jobs->n_unended) > 0;
}

bool jobs_have_loop(const Jobs *jobs)
{
    return atomic_load(&jobs->n_loops) > 0;
}

ExpectationReach jobs_expectation_reach(const Jobs *jobs, Str path, Str text, ByteRange word)
{
    return jobs->loaded ? expectation_reach(jobs->expectation, path, text, word)
                        : EXPECTATION_ELSEWHERE;
}

bool jobs_rank(const Jobs *jobs, Str path, Str text, ByteRange word, const Str *names, size_t n,
               Arena *arena, float *scores)
{
    return jobs->loaded && expectation_rank(jobs->expectation, jobs->engine, path, text, word,
                                            names, n, arena, scores);
}

static void wish(Jobs *jobs, Wishes wishes)
{
    pthread_mutex_lock(&jobs->in_lock);
    jobs->wishes.trim |= wishes.trim;
    jobs->wishes.unload |= wishes.unload;
    jobs->wishes.open |= wishes.open;
    pthread_cond_signal(&jobs->in_wake);
    pthread_mutex_unlock(&jobs->in_lock);
}

void jobs_trim(Jobs *jobs)
{
    wish(jobs, (Wishes){.trim = true});
}

bool jobs_unload(Jobs *jobs)
{
    if (!jobs->loaded || jobs_are_running(jobs)) return false;
    jobs->loaded = false;
    wish(jobs, (Wishes){.unload = true});
    return true;
}

bool jobs_is_loaded(const Jobs *jobs)
{
    return jobs->loaded;
}

double jobs_idle_ms(const Jobs *jobs)
{
    return jobs_are_running(jobs) ? 0 : clock_ms() - jobs->used_ms;
}

void jobs_limit_memory(Jobs *jobs, uint64_t max_bytes)
{
    enum { LESS_BYTES = 4 << 20 }; // what an attempt is worth
    bool same = atomic_exchange(&jobs->max_bytes, max_bytes) == max_bytes;
    if (jobs->state != ENGINE_FAILED || jobs->open_err.code != ERROR_NO_MEMORY) return;
    if (same && memory_use_read().anonymous + LESS_BYTES > jobs->refused_bytes) return;
    jobs->state = ENGINE_LOADING;
    wish(jobs, (Wishes){.open = true});
}

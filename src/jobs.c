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

enum { MIN_INTERACTIVE_SLOTS = 2, MAX_INTERACTIVE_SLOTS = 8, N_SLOTS = MAX_INTERACTIVE_SLOTS + 1 };
enum { LOOP_SLOT = MAX_INTERACTIVE_SLOTS };
static const uint64_t SLOT_CACHE_BYTES = (uint64_t)512 << 20; // of all interactive sessions, full
static const size_t STACK_BYTES = (size_t)8 << 20;
enum { ENGINE_NICE = 5 };

typedef struct Queue {
    Job *first, *last;
    int n;
} Queue;

// A session and what it was last used for, so that a document finds its own cache again.
typedef struct Slot {
    Session *session;
    unsigned long long path_hash;
    unsigned last_used; // 0: never
    bool dirty;         // used since it was saved
} Slot;

// The newest progress of the one background job that can run: older ones are overwritten.
typedef struct Progress {
    Job *job; // NULL: none
    int pct;
    char text[200];
} Progress;

// What the engine thread has to tell, guarded by out_lock.
typedef struct News {
    Queue ended;
    Progress progress;
    bool has_state, thread_done, expects;
    EngineState state;
} News;

struct Jobs {
    uv_async_t async;
    pthread_t thread;
    EngineOptions options; // path, isa and adapter are ours
    JobsLimits limits;
    JobsEvents events;
    atomic_bool closing;
    atomic_int n_unended; // jobs handed over and not yet ended

    pthread_mutex_t in_lock;
    pthread_cond_t in_wake;
    Queue interactive, background, ahead;

    pthread_mutex_t out_lock;
    News news;

    Expectation *expectation; // has a lock of its own

    // Written by the engine thread before it tells READY or FAILED, constant afterwards.
    Engine *engine;
    Error open_err;

    // Engine thread only.
    Slot slots[N_SLOTS];
    int n_interactive_slots;
    PrefixCache *prefixes;     // NULL: nothing is saved
    unsigned n_runs, n_newest; // runs so far; the last one of a completion

    // Loop thread only.
    EngineState state;
    const EngineInfo *info;
    void (*closed)(void *user);
    void *closed_user;
};

typedef struct Run {
    Jobs *jobs;
    Job *job;
} Run;

// --- jobs and queues -----------------------------------------------------------------------------

Job *job_new(JobKind kind, void *owner)
{
    Job *job = mem_zero(sizeof *job);
    job->kind = kind;
    job->owner = owner;
    job->arena = arena_new();
    atomic_init(&job->cancelled, false);
    return job;
}

Job *job_new_complete(const CompleteRequest *like, void *owner)
{
    Job *job = job_new(JOB_COMPLETE, owner);
    Arena *arena = job->arena;
    ContextPiece *pieces = arena_array(arena, like->n_pieces + 1, sizeof *pieces);
    for (size_t i = 0; i < like->n_pieces; i++)
        pieces[i] = (ContextPiece){arena_str(arena, like->pieces[i].path),
                                   arena_str(arena, like->pieces[i].text)};
    job->complete = *like;
    job->complete.text = text_retain(like->text);
    job->complete.syntax = like->syntax ? syntax_retain(like->syntax) : NULL;
    job->complete.path = arena_str(arena, like->path);
    job->complete.selected = arena_str(arena, like->selected);
    job->complete.pieces = pieces;
    job->complete.begin = arena_str(arena, like->begin);
    Str *choices = arena_array(arena, like->n_choices + 1, sizeof *choices);
    for (size_t i = 0; i < like->n_choices; i++)
        choices[i] = arena_str(arena, like->choices[i]);
    job->complete.choices = choices;
    return job;
}

void job_free(Job *job)
{
    if (!job) return;
    text_release(job->complete.text);
    text_release(job->loop.text);
    if (job->complete.syntax) syntax_release(job->complete.syntax);
    if (job->loop.syntax) syntax_release(job->loop.syntax);
    if (job->surprise.syntax) syntax_release(job->surprise.syntax);
    arena_free(job->arena);
    free(job);
}

void job_cancel(Job *job)
{
    atomic_store(&job->cancelled, true);
}

static void queue_push(Queue *queue, Job *job)
{
    job->next = NULL;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->n++;
}

static Job *queue_pop(Queue *queue)
{
    Job *job = queue->first;
    if (!job) return NULL;
    queue->first = job->next;
    if (!queue->first) queue->last = NULL;
    queue->n--;
    job->next = NULL;
    return job;
}

// Moves the cancelled jobs to `out`, keeping the order of both.
static void queue_sweep(Queue *queue, Queue *out)
{
    for (int n = queue->n; n > 0; n--) {
        Job *job = queue_pop(queue);
        queue_push(atomic_load(&job->cancelled) ? out : queue, job);
    }
}

// --- engine thread: telling ----------------------------------------------------------------------

static void end_job(Jobs *jobs, Job *job, JobEnd end)
{
    atomic_fetch_sub(&jobs->n_unended, 1);
    job->end = end;
    pthread_mutex_lock(&jobs->out_lock);
    queue_push(&jobs->news.ended, job);
    pthread_mutex_unlock(&jobs->out_lock);
    uv_async_send(&jobs->async);
}

static void end_all(Jobs *jobs, Queue *queue)
{
    Job *job;
    while ((job = queue_pop(queue)))
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

// The slot that served this path last, else the one that rested longest.
static Slot *choose_slot(Jobs *jobs, const Job *job)
{
    if (job->kind != JOB_COMPLETE) return &jobs->slots[LOOP_SLOT];
    unsigned long long hash = str_hash(job->complete.path, 0);
    Slot *oldest = &jobs->slots[0];
    for (int i = 0; i < jobs->n_interactive_slots; i++) {
        Slot *slot = &jobs->slots[i];
        if (slot->last_used && slot->path_hash == hash) return slot;
        if (slot->last_used < oldest->last_used) oldest = slot;
    }
    oldest->path_hash = hash;
    return oldest;
}

static Session *get_session(Jobs *jobs, const Job *job, Error *err)
{
    Slot *slot = choose_slot(jobs, job);
    slot->last_used = ++jobs->n_runs;
    if (job->kind == JOB_COMPLETE) jobs->n_newest = slot->last_used;
    slot->dirty = job->kind == JOB_COMPLETE;
    if (!slot->session) slot->session = session_new(jobs->engine, jobs->limits.n_ctx, err);
    return slot->session;
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

static bool run_kind(Run *run, Error *err)
{
    Jobs *jobs = run->jobs;
    Job *job = run->job;
    Session *session = get_session(jobs, job, err);
    if (!session) return false;
    if (job->kind == JOB_COMPLETE) {
        EngineCancel cancel = {poll_interactive, run};
        job->complete.prefixes = jobs->prefixes;
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

static void run_job(Jobs *jobs, Job *job)
{
    Run run = {jobs, job};
    job->wait_ms = clock_ms() - job->queued_ms;
    if (must_stop(&run)) {
        end_job(jobs, job, JOB_CANCELLED);
        return;
    }
    if (!jobs->engine) {
        job->err = jobs->open_err;
        end_job(jobs, job, JOB_FAILED);
        return;
    }
    bool ok = run_kind(&run, &job->err);
    // A result that nobody waits for any more counts as cancelled, so that a caller who cancelled
    // sees the same end whether or not the work noticed in time.
    if (must_stop(&run) || (!ok && job->err.code == ERROR_CANCELLED))
        end_job(jobs, job, JOB_CANCELLED);
    else
        end_job(jobs, job, ok ? JOB_DONE : JOB_FAILED);
}

static Job *take_interactive(Jobs *jobs, Queue *cancelled)
{
    pthread_mutex_lock(&jobs->in_lock);
    queue_sweep(&jobs->interactive, cancelled);
    queue_sweep(&jobs->background, cancelled);
    queue_sweep(&jobs->ahead, cancelled);
    Job *job = queue_pop(&jobs->interactive);
    pthread_mutex_unlock(&jobs->in_lock);
    return job;
}

static bool poll_background(void *user)
{
    Run *run = user;
    while (!must_stop(run)) {
        Queue cancelled = {0};
        Job *job = take_interactive(run->jobs, &cancelled);
        end_all(run->jobs, &cancelled);
        if (!job) return false;
        run_job(run->jobs, job);
    }
    return true;
}

// --- engine thread: saved prompts ----------------------------------------------------------------

static bool poll_waiting(void *user)
{
    Jobs *jobs = user;
    pthread_mutex_lock(&jobs->in_lock);
    bool waits =
        jobs->interactive.n + jobs->background.n + jobs->ahead.n > 0 || atomic_load(&jobs->closing);
    pthread_mutex_unlock(&jobs->in_lock);
    return waits;
}

// A save that gave way to work is tried again when the thread rests next.
static void save_slot(Jobs *jobs, Slot *slot, EngineCancel cancel)
{
    Error err = {0};
    bool ok = prefix_cache_save(jobs->prefixes, jobs->engine, slot->session, cancel, &err);
    slot->dirty = !ok && err.code == ERROR_CANCELLED;
    if (!ok && !slot->dirty) log_info("a prompt is not saved: %s", err.text);
}

// A session that is to be saved: of a document that is not the newest, or any. NULL: none.
static Slot *find_dirty(Jobs *jobs, bool newest_too)
{
    for (int i = 0; jobs->prefixes && i < jobs->n_interactive_slots; i++) {
        Slot *slot = &jobs->slots[i];
        if (slot->session && slot->dirty && (newest_too || slot->last_used < jobs->n_newest))
            return slot;
    }
    return NULL;
}

static void save_all(Jobs *jobs)
{
    Slot *slot;
    while ((slot = find_dirty(jobs, true)))
        save_slot(jobs, slot, (EngineCancel){0});
}

// Blocks for the next job; NULL when the thread should end.
static Job *wait_job(Jobs *jobs)
{
    Job *job = NULL;
    pthread_mutex_lock(&jobs->in_lock);
    while (!atomic_load(&jobs->closing) && !job) {
        job = queue_pop(&jobs->interactive);
        if (!job) job = queue_pop(&jobs->background);
        if (!job) job = queue_pop(&jobs->ahead);
        if (job) break;
        Slot *slot = find_dirty(jobs, false);
        if (!slot) {
            pthread_cond_wait(&jobs->in_wake, &jobs->in_lock);
            continue;
        }
        pthread_mutex_unlock(&jobs->in_lock);
        save_slot(jobs, slot, (EngineCancel){poll_waiting, jobs});
        pthread_mutex_lock(&jobs->in_lock);
    }
    pthread_mutex_unlock(&jobs->in_lock);
    return job;
}

// As many sessions as fit where each is full.
static int choose_n_slots(const EngineInfo *info, int n_ctx)
{
    if (n_ctx == 0)
        n_ctx = info->n_ctx_train < ENGINE_DEFAULT_CTX ? info->n_ctx_train : ENGINE_DEFAULT_CTX;
    uint64_t bytes = (uint64_t)info->cache_bytes_per_token * (uint64_t)n_ctx;
    uint64_t n = bytes ? SLOT_CACHE_BYTES / bytes : MAX_INTERACTIVE_SLOTS;
    if (n < MIN_INTERACTIVE_SLOTS) return MIN_INTERACTIVE_SLOTS;
    return n > MAX_INTERACTIVE_SLOTS ? MAX_INTERACTIVE_SLOTS : (int)n;
}

static bool find_model(Jobs *jobs)
{
    char *file = NULL;
    if (!jobs->events.find_model || !jobs->options.path) return true;
    if (!jobs->events.find_model(jobs->options.path, &jobs->closing, &file, &jobs->open_err))
        return false;
    free((char *)jobs->options.path);
    jobs->options.path = file;
    return true;
}

static void open_model(Jobs *jobs)
{
    tell_state(jobs, ENGINE_LOADING);
    if (find_model(jobs)) jobs->engine = engine_open(&jobs->options, &jobs->open_err);
    if (!jobs->engine) log_error("the model cannot be used: %s", jobs->open_err.text);
    if (jobs->engine) {
        jobs->n_interactive_slots = choose_n_slots(engine_info(jobs->engine), jobs->limits.n_ctx);
        jobs->prefixes = prefix_cache_new(jobs->limits.prefix_cache_bytes);
    }
    tell_state(jobs, jobs->engine ? ENGINE_READY : ENGINE_FAILED);
}

static void *engine_thread(void *user)
{
    Jobs *jobs = user;
    Job *job;
    pthread_setname_np(pthread_self(), "r1ls-engine");
    // Linux gives each thread its own, and the threads of the team inherit it. The engine has all
    // cores: what answers in a millisecond must not wait until its time slice is over.
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), ENGINE_NICE) != 0) errno = 0;
    open_model(jobs);
    while ((job = wait_job(jobs)))
        run_job(jobs, job);
    save_all(jobs);
    prefix_cache_free(jobs->prefixes);
    for (int i = 0; i < N_SLOTS; i++)
        session_free(jobs->slots[i].session);
    engine_close(jobs->engine);
    Queue left = {0};
    pthread_mutex_lock(&jobs->in_lock); // nothing is queued once `closing` is set under this lock
    while ((job = queue_pop(&jobs->interactive)) || (job = queue_pop(&jobs->background)) ||
           (job = queue_pop(&jobs->ahead)))
        queue_push(&left, job);
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

static void deliver_state(Jobs *jobs, EngineState state)
{
    jobs->state = state;
    if (state == ENGINE_READY) jobs->info = engine_info(jobs->engine);
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
    while ((job = queue_pop(&news.ended)))
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
    pthread_mutex_lock(&jobs->in_lock);
    atomic_store(&jobs->closing, true);
    pthread_cond_signal(&jobs->in_wake);
    pthread_mutex_unlock(&jobs->in_lock);
}

static Queue *queue_of(Jobs *jobs, const Job *job)
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
        dropped = queue_pop(&jobs->ahead);
        if (!dropped) dropped = queue_pop(&jobs->interactive);
        if (!dropped) dropped = queue_pop(&jobs->background);
    }
    queue_push(queue_of(jobs, job), job);
    pthread_cond_signal(&jobs->in_wake);
    pthread_mutex_unlock(&jobs->in_lock);
    return dropped;
}

void jobs_submit(Jobs *jobs, Job *job)
{
    job->queued_ms = clock_ms();
    if (atomic_load(&jobs->closing)) {
        job->end = JOB_CANCELLED;
        jobs->events.ended(jobs->events.user, job);
        return;
    }
    atomic_fetch_add(&jobs->n_unended, 1);
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
        Job *waiting = queue_pop(&jobs->ahead);
        queue_push(waiting == job ? &jobs->interactive : &jobs->ahead, waiting);
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

ExpectationReach jobs_expectation_reach(const Jobs *jobs, Str path, Str text, ByteRange word)
{
    return jobs->info ? expectation_reach(jobs->expectation, path, text, word)
                      : EXPECTATION_ELSEWHERE;
}

bool jobs_rank(const Jobs *jobs, Str path, Str text, ByteRange word, const Str *names, size_t n,
               Arena *arena, float *scores)
{
    return jobs->info && expectation_rank(jobs->expectation, jobs->engine, path, text, word, names,
                                          n, arena, scores);
}

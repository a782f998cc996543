// The engine thread and its queues, with a scripted engine in place of the real one: these
// definitions win over the libraries', because an archive member is linked only for a name that
// is still missing.
#include "unit/unit.h"

#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "base/memory_use.h"
#include "jobs.h"

// --- the scripted engine -------------------------------------------------------------------------

struct Engine {
    EngineInfo info;
};
struct Session {
    int number;
};

// Two sessions of this size are half a gigabyte.
static struct Engine the_engine = {
    .info = {.n_vocab = 7, .n_ctx_train = 8192, .cache_bytes_per_token = 32 << 10}};
static atomic_bool open_fails, open_waits;
static atomic_int n_sessions, n_open_sessions, n_opened, n_closed, n_running, n_nested, n_release;

Engine *engine_open(const EngineOptions *options, Error *err)
{
    (void)options;
    while (atomic_load(&open_waits))
        usleep(500);
    if (atomic_load(&open_fails)) {
        error_set(err, ERROR_DAMAGED, "the file is damaged");
        return NULL;
    }
    atomic_fetch_add(&n_opened, 1);
    return &the_engine;
}

void engine_close(Engine *engine)
{
    if (engine) atomic_fetch_add(&n_closed, 1);
}

const EngineInfo *engine_info(const Engine *engine)
{
    return &engine->info;
}

size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap)
{
    (void)engine, (void)text, (void)parse_special, (void)out, (void)cap;
    return 0;
}

Str engine_token_bytes(const Engine *engine, int id)
{
    (void)engine, (void)id;
    return STR("");
}

Session *session_new(Engine *engine, int n_ctx, Error *err)
{
    (void)engine, (void)n_ctx, (void)err;
    Session *session = calloc(1, sizeof *session);
    session->number = atomic_fetch_add(&n_sessions, 1) + 1;
    atomic_fetch_add(&n_open_sessions, 1);
    return session;
}

void session_free(Session *session)
{
    if (session) atomic_fetch_sub(&n_open_sessions, 1);
    free(session);
}

// Saved prompts: which sessions were saved, in order; a save lasts until it is cancelled or
// save_waits ends.
static atomic_bool save_waits;
static atomic_int n_saves, n_cancelled_saves, saved_numbers[16];

PrefixCache *prefix_cache_new(uint64_t max_bytes)
{
    return max_bytes ? (PrefixCache *)&the_engine : NULL;
}

void prefix_cache_free(PrefixCache *cache)
{
    (void)cache;
}

bool prefix_cache_save(PrefixCache *cache, Engine *engine, Session *session, EngineCancel cancel,
                       Error *err)
{
    (void)cache, (void)engine;
    while (cancel.poll && atomic_load(&save_waits)) {
        if (cancel.poll(cancel.user)) {
            atomic_fetch_add(&n_cancelled_saves, 1);
            return error_set(err, ERROR_CANCELLED, "cancelled");
        }
        usleep(200);
    }
    atomic_store(&saved_numbers[atomic_load(&n_saves) % 16], session->number);
    atomic_fetch_add(&n_saves, 1);
    return true;
}

// A path that starts with "wait" runs until it is cancelled or released; "fail" fails.
static bool play(Str path, EngineCancel cancel, Error *err)
{
    if (str_starts(path, STR("fail"))) return error_set(err, ERROR_INTERNAL, "made to fail");
    bool waits = str_starts(path, STR("wait"));
    atomic_fetch_add(&n_running, 1);
    do {
        if (cancel.poll(cancel.user)) {
            atomic_fetch_sub(&n_running, 1);
            return error_set(err, ERROR_CANCELLED, "cancelled");
        }
        usleep(200);
    } while (waits && atomic_load(&n_release) == 0);
    atomic_fetch_sub(&n_running, 1);
    return true;
}

bool complete_run(Engine *engine, Session *session, const CompleteRequest *request,
                  EngineCancel cancel, Arena *arena, CompleteResult *result, Error *err)
{
    (void)engine;
    if (atomic_load(&n_running) > 0) atomic_fetch_add(&n_nested, 1);
    result->prompt_tokens = session->number;
    result->insert = arena_str(arena, request->path);
    return play(request->path, cancel, err);
}

bool loop_run(Engine *engine, Session *session, const LoopRequest *request, EngineCancel cancel,
              LoopProgress progress, void *user, Arena *arena, LoopResult *result, Error *err)
{
    (void)engine, (void)arena;
    for (int pct = 0; pct <= 100; pct += 10)
        progress(user, pct, STR("a stage"));
    result->prompt_tokens = session->number;
    return play(request->path, cancel, err);
}

// Without a syntax, the margin says how it goes.
enum { SURPRISE_WAITS = 1 };

bool surprise_run(Engine *engine, Session *session, const SurpriseRequest *request,
                  EngineCancel cancel, Arena *arena, SurpriseResult *out, Error *err)
{
    (void)engine, (void)arena;
    out->n_tokens = session->number;
    return play(request->margin >= SURPRISE_WAITS ? STR("wait") : STR("a.c"), cancel, err);
}

// --- the loop side -------------------------------------------------------------------------------

enum { MAX_ENDED = 200 };

typedef struct Watch {
    uv_loop_t loop;
    Jobs *jobs;
    Job *ended[MAX_ENDED];
    int n_ended, n_progress, last_pct, n_states, n_closed;
    EngineState states[8];
    Error state_err;
} Watch;

static void on_ended(void *user, Job *job)
{
    Watch *w = user;
    assert_int_equal(w->n_closed, 0);
    assert_true(w->n_ended < MAX_ENDED);
    w->ended[w->n_ended++] = job;
}

static void on_progress(void *user, Job *job, int pct, Str text)
{
    Watch *w = user;
    for (int i = 0; i < w->n_ended; i++)
        assert_ptr_not_equal(w->ended[i], job);
    assert_true(str_equal(text, STR("a stage")));
    w->n_progress++;
    w->last_pct = pct;
}

static void on_state(void *user, EngineState state, const Error *err)
{
    Watch *w = user;
    w->states[w->n_states++ % 8] = state;
    if (err) w->state_err = *err;
}

static void on_closed(void *user)
{
    Watch *w = user;
    w->n_closed++;
}

static void watch_open(Watch *w)
{
    memset(w, 0, sizeof *w);
    atomic_store(&n_release, 0);
    atomic_store(&n_nested, 0);
    atomic_store(&n_sessions, 0);
    atomic_store(&n_saves, 0);
    atomic_store(&n_cancelled_saves, 0);
    Error err = {0};
    uv_loop_init(&w->loop);
    EngineOptions options = {.path = "a", .isa = "ref"};
    w->jobs = jobs_new(&w->loop, &options, (JobsLimits){0, 1 << 20, 0},
                       (JobsEvents){on_ended, on_progress, on_state, w, NULL, NULL}, &err);
    if (!w->jobs) fail_msg("%s", err.text);
}

static void watch_close(Watch *w)
{
    jobs_close(w->jobs, on_closed, w);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(w->n_closed, 1);
    assert_int_equal(atomic_load(&n_open_sessions), 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    for (int i = 0; i < w->n_ended; i++)
        job_free(w->ended[i]);
}

static void wait_ended(Watch *w, int n)
{
    double limit = clock_ms() + 20000;
    while (w->n_ended < n && clock_ms() < limit)
        if (!uv_run(&w->loop, UV_RUN_NOWAIT) || w->n_ended < n) usleep(200);
    assert_int_equal(w->n_ended, n);
}

static void wait_state(Watch *w, EngineState state)
{
    double limit = clock_ms() + 20000;
    while (jobs_engine_state(w->jobs) != state && clock_ms() < limit) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
    assert_int_equal(jobs_engine_state(w->jobs), state);
}

static void wait_running(int n)
{
    double limit = clock_ms() + 20000;
    while (atomic_load(&n_running) < n && clock_ms() < limit)
        usleep(200);
    assert_int_equal(atomic_load(&n_running), n);
}

static Job *submit(Watch *w, JobKind kind, const char *path)
{
    Error err = {0};
    Job *job = job_new(kind, w);
    Str copy = arena_str(job->arena, str_from(path));
    TextSnap *text = text_new(STR("int x;\n"), &err);
    if (kind == JOB_COMPLETE)
        job->complete = (CompleteRequest){.text = text, .path = copy};
    else
        job->loop = (LoopRequest){.text = text, .path = copy};
    jobs_submit(w->jobs, job);
    return job;
}

// --- tests ---------------------------------------------------------------------------------------

static void jobs_come_back_once_in_order(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    Job *jobs[5];
    for (int i = 0; i < 5; i++)
        jobs[i] = submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 5);
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(w.ended[i], jobs[i]);
        assert_int_equal(jobs[i]->end, JOB_DONE);
        assert_true(str_equal(jobs[i]->complete_result.insert, STR("a.c")));
        assert_int_equal(jobs[i]->complete_result.prompt_tokens, 1);
        assert_true(jobs[i]->wait_ms >= 0);
        assert_ptr_equal(jobs[i]->owner, &w);
    }
    assert_int_equal(w.states[w.n_states - 1], ENGINE_READY);
    assert_int_equal(jobs_engine_info(w.jobs)->n_vocab, 7);
    watch_close(&w);
}

static void jobs_wait_while_the_model_loads(void **state)
{
    (void)state;
    Watch w;
    atomic_store(&open_waits, true);
    watch_open(&w);
    Job *body = submit(&w, JOB_LOOP, "b.c");
    Job *complete = submit(&w, JOB_COMPLETE, "a.c");
    Job *cancelled = submit(&w, JOB_COMPLETE, "c.c");
    job_cancel(cancelled);
    uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(w.n_ended, 0);
    assert_int_equal(jobs_engine_state(w.jobs), ENGINE_LOADING);
    assert_null(jobs_engine_info(w.jobs));
    atomic_store(&open_waits, false);
    wait_ended(&w, 3);
    assert_ptr_equal(w.ended[0], complete); // interactive work goes first
    assert_ptr_equal(w.ended[1], cancelled);
    assert_ptr_equal(w.ended[2], body);
    assert_int_equal(cancelled->end, JOB_CANCELLED);
    assert_int_equal(body->end, JOB_DONE);
    watch_close(&w);
}

static void jobs_fail_when_the_model_fails(void **state)
{
    (void)state;
    Watch w;
    atomic_store(&open_fails, true);
    watch_open(&w);
    submit(&w, JOB_COMPLETE, "a.c");
    submit(&w, JOB_LOOP, "b.c");
    wait_ended(&w, 2);
    wait_state(&w, ENGINE_FAILED);
    submit(&w, JOB_COMPLETE, "later.c");
    wait_ended(&w, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w.ended[i]->end, JOB_FAILED);
        assert_int_equal(w.ended[i]->err.code, ERROR_DAMAGED);
    }
    assert_string_equal(w.state_err.text, "the file is damaged");
    watch_close(&w);
    atomic_store(&open_fails, false);
}

static void jobs_report_a_job_that_fails(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    submit(&w, JOB_COMPLETE, "fail.c");
    wait_ended(&w, 1);
    assert_int_equal(w.ended[0]->end, JOB_FAILED);
    assert_string_equal(w.ended[0]->err.text, "made to fail");
    watch_close(&w);
}

static void completions_interrupt_a_body(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    Job *body = submit(&w, JOB_LOOP, "wait.c");
    wait_running(1);
    Job *first = submit(&w, JOB_COMPLETE, "a.c");
    Job *second = submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 2);
    assert_ptr_equal(w.ended[0], first);
    assert_ptr_equal(w.ended[1], second);
    assert_int_equal(first->end, JOB_DONE);
    assert_int_equal(atomic_load(&n_nested), 2);
    atomic_store(&n_release, 1);
    wait_ended(&w, 3);
    assert_int_equal(body->end, JOB_DONE);
    assert_int_not_equal(body->loop_result.prompt_tokens, first->complete_result.prompt_tokens);
    assert_int_equal(w.last_pct, 100);
    assert_true(w.n_progress >= 1);
    watch_close(&w);
}

static void surprise_gives_way(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    Job *surprise = job_new(JOB_SURPRISE, &w);
    surprise->surprise.margin = SURPRISE_WAITS;
    jobs_submit(w.jobs, surprise);
    wait_running(1);
    Job *complete = submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 1); // while it runs
    assert_ptr_equal(w.ended[0], complete);
    Job *loop = submit(&w, JOB_LOOP, "b.c");
    wait_ended(&w, 3);
    assert_ptr_equal(w.ended[1], surprise);
    assert_int_equal(surprise->end, JOB_CANCELLED);
    assert_int_equal(loop->end, JOB_DONE);
    Job *again = job_new(JOB_SURPRISE, &w);
    jobs_submit(w.jobs, again);
    wait_ended(&w, 4);
    assert_int_equal(again->end, JOB_DONE);
    watch_close(&w);
}

static void cancel_ends_running_and_waiting_jobs(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    Job *running = submit(&w, JOB_LOOP, "wait.c");
    wait_running(1);
    Job *waiting = submit(&w, JOB_LOOP, "wait2.c");
    job_cancel(waiting);
    wait_ended(&w, 1); // while the other one still runs
    assert_ptr_equal(w.ended[0], waiting);
    job_cancel(running);
    wait_ended(&w, 2);
    assert_int_equal(waiting->end, JOB_CANCELLED);
    assert_int_equal(running->end, JOB_CANCELLED);
    Job *complete = submit(&w, JOB_COMPLETE, "wait.c");
    wait_running(1);
    job_cancel(complete);
    wait_ended(&w, 3);
    assert_int_equal(complete->end, JOB_CANCELLED);
    watch_close(&w);
}

static void a_full_queue_drops_its_oldest_completion(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    Job *running = submit(&w, JOB_COMPLETE, "wait.c");
    wait_running(1);
    Job *body = submit(&w, JOB_LOOP, "b.c");
    Job *oldest = submit(&w, JOB_COMPLETE, "1.c");
    for (int i = 2; i < JOBS_MAX_QUEUED; i++)
        submit(&w, JOB_COMPLETE, "n.c");
    uv_run(&w.loop, UV_RUN_NOWAIT);
    assert_int_equal(w.n_ended, 0);
    submit(&w, JOB_COMPLETE, "last.c");
    wait_ended(&w, 1);
    assert_ptr_equal(w.ended[0], oldest);
    assert_int_equal(oldest->end, JOB_CANCELLED);
    atomic_store(&n_release, 1);
    wait_ended(&w, JOBS_MAX_QUEUED + 2);
    assert_int_equal(running->end, JOB_DONE);
    assert_int_equal(body->end, JOB_DONE);
    watch_close(&w);
}

static void documents_find_their_sessions_again(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int session;
    } steps[] = {{"a.c", 1}, {"b.c", 2}, {"a.c", 1}, {"c.c", 2}, {"a.c", 1}, {"b.c", 2}};
    Watch w;
    watch_open(&w);
    for (int i = 0; i < 6; i++) {
        Job *job = submit(&w, JOB_COMPLETE, steps[i].path);
        wait_ended(&w, i + 1);
        assert_int_equal(job->complete_result.prompt_tokens, steps[i].session);
    }
    assert_int_equal(atomic_load(&n_sessions), 2);
    watch_close(&w);
}

static void wait_saves(int n)
{
    for (int i = 0; i < 20000 && atomic_load(&n_saves) < n; i++)
        usleep(500);
    assert_int_equal(atomic_load(&n_saves), n);
}

static void documents_that_are_left_are_saved(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 1);
    submit(&w, JOB_LOOP, "a.c");
    wait_ended(&w, 2);
    assert_int_equal(atomic_load(&n_saves), 0); // a.c is still worked on
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 3);
    wait_saves(1);
    assert_int_equal(atomic_load(&saved_numbers[0]), 1);
    watch_close(&w); // the thread saves the rest when it ends, but not the loop's
    assert_int_equal(atomic_load(&n_saves), 2);
    assert_int_equal(atomic_load(&saved_numbers[1]), 3);
}

static void saving_gives_way_to_work(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    atomic_store(&save_waits, true);
    submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 1);
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 2);
    usleep(20000); // the save of a.c has begun, or it begins after the next job
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 3);
    assert_int_equal(atomic_load(&n_saves), 0);
    atomic_store(&save_waits, false);
    wait_saves(1);
    assert_int_equal(atomic_load(&saved_numbers[0]), 1);
    watch_close(&w);
}

static void close_returns_what_is_inside_first(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    submit(&w, JOB_LOOP, "wait.c");
    wait_running(1);
    submit(&w, JOB_LOOP, "b.c");
    submit(&w, JOB_LOOP, "c.c");
    watch_close(&w);
    assert_int_equal(w.n_ended, 3);
    assert_int_equal(atomic_load(&n_opened), atomic_load(&n_closed));
}

static void close_while_loading_comes_back(void **state)
{
    (void)state;
    Watch w;
    atomic_store(&open_waits, true);
    watch_open(&w);
    Job *job = submit(&w, JOB_COMPLETE, "a.c");
    jobs_close(w.jobs, on_closed, &w);
    Job *late = submit(&w, JOB_COMPLETE, "late.c");
    assert_int_equal(w.n_ended, 1);
    assert_ptr_equal(w.ended[0], late);
    atomic_store(&open_waits, false);
    uv_run(&w.loop, UV_RUN_DEFAULT);
    assert_int_equal(w.n_ended, 2);
    assert_int_equal(w.n_closed, 1);
    assert_int_equal(job->end, JOB_CANCELLED);
    assert_int_equal(late->end, JOB_CANCELLED);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    job_free(job);
    job_free(late);
}

static void many_jobs_and_cancels_end_exactly_once(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    for (int i = 0; i < 150; i++) {
        Job *job = submit(&w, i % 5 ? JOB_COMPLETE : JOB_LOOP, i % 3 ? "a.c" : "wait.c");
        if (i % 3 == 0 || i % 4 == 0) job_cancel(job);
        if (i % 7 == 0) uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    wait_ended(&w, 150);
    for (int i = 0; i < 150; i++)
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(w.ended[i], w.ended[j]);
    watch_close(&w);
}

static void jobs_run_until(Watch *w, const atomic_int *count, int n)
{
    double limit = clock_ms() + 20000;
    while (atomic_load(count) < n && clock_ms() < limit) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
    assert_int_equal(atomic_load(count), n);
}

static void an_unloaded_model_is_opened_by_the_next_job(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    atomic_store(&n_opened, 0);
    atomic_store(&n_closed, 0);
    assert_false(jobs_unload(w.jobs)); // it is not open yet
    submit(&w, JOB_COMPLETE, "a.c");
    assert_false(jobs_unload(w.jobs)); // a job waits
    wait_ended(&w, 1);
    wait_state(&w, ENGINE_READY);
    assert_true(jobs_is_loaded(w.jobs));
    int n_opened_before = atomic_load(&n_opened), n_states = w.n_states;
    assert_true(jobs_unload(w.jobs));
    assert_false(jobs_is_loaded(w.jobs));
    assert_false(jobs_unload(w.jobs)); // it is being done
    jobs_run_until(&w, &n_closed, 1);
    assert_int_equal(atomic_load(&n_open_sessions), 0);
    assert_int_equal(atomic_load(&n_saves), 1); // the prompt is kept
    // Whoever asks sees the same model, ready.
    assert_int_equal(jobs_engine_state(w.jobs), ENGINE_READY);
    assert_int_equal(jobs_engine_info(w.jobs)->n_vocab, 7);
    submit(&w, JOB_LOOP, "b.c");
    submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 3);
    assert_int_equal(w.ended[1]->end, JOB_DONE);
    assert_int_equal(w.ended[2]->end, JOB_DONE);
    assert_int_equal(atomic_load(&n_opened), n_opened_before + 1);
    wait_state(&w, ENGINE_READY);
    assert_true(jobs_is_loaded(w.jobs));
    assert_true(w.n_states > n_states);
    assert_true(jobs_idle_ms(w.jobs) >= 0);
    watch_close(&w);
}

static void a_model_that_cannot_be_opened_again_fails_its_job(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    wait_state(&w, ENGINE_READY);
    atomic_store(&n_closed, 0);
    assert_true(jobs_unload(w.jobs));
    jobs_run_until(&w, &n_closed, 1);
    atomic_store(&open_fails, true);
    submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 1);
    assert_int_equal(w.ended[0]->end, JOB_FAILED);
    assert_string_equal(w.ended[0]->err.text, "the file is damaged");
    wait_state(&w, ENGINE_FAILED);
    atomic_store(&open_fails, false);
    watch_close(&w);
}

static void what_does_not_fit_is_refused_until_the_limit_changes(void **state)
{
    (void)state;
    const uint64_t room = (uint64_t)300 << 20; // a session has 256 MB
    Watch w;
    watch_open(&w);
    wait_state(&w, ENGINE_READY);
    jobs_limit_memory(w.jobs, memory_use_read().anonymous + room);
    Job *loop = submit(&w, JOB_LOOP, "wait.c");
    wait_running(1);
    submit(&w, JOB_COMPLETE, "a.c");
    wait_ended(&w, 1);
    assert_int_equal(w.ended[0]->end, JOB_DONE);
    atomic_store(&n_release, 1);
    wait_ended(&w, 2);
    assert_ptr_equal(w.ended[1], loop);
    jobs_limit_memory(w.jobs, 1); // others make room, which is not enough
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 3);
    assert_int_equal(w.ended[2]->end, JOB_FAILED);
    assert_int_equal(w.ended[2]->err.code, ERROR_NO_MEMORY);
    assert_non_null(strstr(w.ended[2]->err.text, "needs 256 MB"));
    assert_int_equal(atomic_load(&n_open_sessions), 0);
    // The model itself.
    atomic_store(&n_closed, 0);
    assert_true(jobs_unload(w.jobs));
    jobs_run_until(&w, &n_closed, 1);
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 4);
    assert_int_equal(w.ended[3]->err.code, ERROR_NO_MEMORY);
    wait_state(&w, ENGINE_FAILED);
    jobs_limit_memory(w.jobs, 0);
    wait_state(&w, ENGINE_READY);
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 5);
    assert_int_equal(w.ended[4]->end, JOB_DONE);
    watch_close(&w);
}

static void trimming_leaves_the_newest_document(void **state)
{
    (void)state;
    Watch w;
    watch_open(&w);
    submit(&w, JOB_COMPLETE, "a.c");
    submit(&w, JOB_COMPLETE, "b.c");
    submit(&w, JOB_LOOP, "c.c");
    wait_ended(&w, 3);
    assert_int_equal(atomic_load(&n_open_sessions), 3);
    jobs_trim(w.jobs);
    double limit = clock_ms() + 20000;
    while (atomic_load(&n_open_sessions) > 1 && clock_ms() < limit)
        usleep(200);
    assert_int_equal(atomic_load(&n_open_sessions), 1);
    submit(&w, JOB_COMPLETE, "b.c");
    wait_ended(&w, 4);
    assert_int_equal(w.ended[3]->complete_result.prompt_tokens, 2); // its session is there still
    watch_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_once_in_order),
        cmocka_unit_test(jobs_wait_while_the_model_loads),
        cmocka_unit_test(jobs_fail_when_the_model_fails),
        cmocka_unit_test(jobs_report_a_job_that_fails),
        cmocka_unit_test(completions_interrupt_a_body),
        cmocka_unit_test(surprise_gives_way),
        cmocka_unit_test(cancel_ends_running_and_waiting_jobs),
        cmocka_unit_test(a_full_queue_drops_its_oldest_completion),
        cmocka_unit_test(documents_find_their_sessions_again),
        cmocka_unit_test(documents_that_are_left_are_saved),
        cmocka_unit_test(saving_gives_way_to_work),
        cmocka_unit_test(close_returns_what_is_inside_first),
        cmocka_unit_test(close_while_loading_comes_back),
        cmocka_unit_test(many_jobs_and_cancels_end_exactly_once),
        cmocka_unit_test(an_unloaded_model_is_opened_by_the_next_job),
        cmocka_unit_test(a_model_that_cannot_be_opened_again_fails_its_job),
        cmocka_unit_test(what_does_not_fit_is_refused_until_the_limit_changes),
        cmocka_unit_test(trimming_leaves_the_newest_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Jobs: the engine thread, its queue, and the events that come back to the loop thread.
//
// The loop thread makes a Job, hands it over with its arena, and gets it back exactly once, ended
// in DONE, FAILED or CANCELLED, by the callback on the loop thread. Interactive jobs (completions)
// run before background ones (the loop, surprise), and interrupt them between two tokens. A job
// that is ahead of its time runs when there is nothing else, and ends as CANCELLED when something
// comes.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "audit/record.h"
#include "base/arena.h"
#include "base/error.h"
#include "complete.h"
#include "loop/loop.h"
#include "surprise.h"

struct uv_loop_s;

typedef struct Jobs Jobs;

// Jobs that wait at most; see jobs_submit.
enum { JOBS_MAX_QUEUED = 64 };

// A JOB_SURPRISE also gives way to a loop: it then ends as CANCELLED, and may be tried again.
typedef enum JobKind { JOB_COMPLETE, JOB_LOOP, JOB_SURPRISE } JobKind;
typedef enum JobEnd { JOB_DONE, JOB_FAILED, JOB_CANCELLED } JobEnd;

// Owned by whoever has it: the maker, then Jobs, then the callback. text and syntax references in
// the requests are retained by the maker and released by job_free.
typedef struct Job {
    JobKind kind;
    Arena *arena; // the request's strings and the result
    CompleteRequest complete;
    LoopRequest loop;
    SurpriseRequest surprise;
    CompleteResult complete_result;
    LoopResult loop_result;
    SurpriseResult surprise_result;
    AuditOptions audit; // of the loop's run, for whoever records it
    JobEnd end;
    Error err;             // of FAILED
    atomic_bool cancelled; // set by job_cancel
    bool ahead;            // a completion that nobody waits for; see jobs_promote
    double queued_ms, wait_ms;
    // The caller's, untouched. Whoever takes an ended job back tells `ended` of it where there is
    // an owner still, before the job is freed.
    void *owner;
    void (*ended)(struct Job *job);
    struct Job *next; // the queues'
} Job;

// An empty job with an arena of its own.
Job *job_new(JobKind kind, void *owner);
// A completion like another one: texts and tree are retained, strings and pieces copied.
Job *job_new_complete(const CompleteRequest *like, void *owner);
// Releases text, syntax and arena.
void job_free(Job *job);
// Any thread. The job still comes back, as CANCELLED unless it had ended already.
void job_cancel(Job *job);

typedef enum EngineState { ENGINE_LOADING, ENGINE_READY, ENGINE_FAILED } EngineState;

typedef struct JobsEvents {
    void (*ended)(void *user, Job *job);                       // job is the callee's now
    void (*progress)(void *user, Job *job, int pct, Str text); // job stays with Jobs
    void (*engine_state)(void *user, EngineState state, const Error *err);
    void *user;
    // On the engine thread, before the model is opened: the file that EngineOptions.path stands for
    // (a name, a folder that has to be converted first), NULL for the image; Jobs frees it. Gives
    // up once *closing is set. May be NULL: then it is a file.
    bool (*find_model)(const char *path, const atomic_bool *closing, char **file, Error *err);
    void (*expects)(void *user); // more is known of what the model expects; may be NULL
} JobsEvents;

typedef struct JobsLimits {
    int n_ctx;                   // tokens of a session; 0: the model's own choice
    uint64_t prefix_cache_bytes; // of saved prompts (prefix_cache.h); 0: none are saved
    uint64_t memory_bytes;       // as in jobs_limit_memory
} JobsLimits;

// Starts the engine thread, which opens the model (options are copied; the image is borrowed) and
// makes its sessions. The documents used last keep a session each, as memory allows; a session that
// another document has replaced as the newest is saved when nothing else is to be done, and all are
// when the thread ends. Events arrive on loop.
Jobs *jobs_new(struct uv_loop_s *loop, const EngineOptions *options, JobsLimits limits,
               JobsEvents events, Error *err);
// Cancels everything, ends the thread, closes the engine. Jobs still inside come back first as
// CANCELLED. Then `closed` (may be NULL) is called on the loop when the async handle is gone.
void jobs_close(Jobs *jobs, void (*closed)(void *user), void *user);
// Hands a job over. When JOBS_MAX_QUEUED wait, the oldest interactive one is cancelled (the oldest
// background one if there is none). After jobs_close the job comes back from within this call.
void jobs_submit(Jobs *jobs, Job *job);
// Somebody waits for the job now: `ahead` is cleared, and it does not give way any more. It comes
// back even so if it has given way before: CANCELLED, though `cancelled` is not set.
void jobs_promote(Jobs *jobs, Job *job);
EngineState jobs_engine_state(const Jobs *jobs);
// As they were given to jobs_new, with the file that find_model found. Loop thread, once READY.
const EngineOptions *jobs_engine_options(const Jobs *jobs);
// Facts about the model; NULL unless READY. They hold while it is unloaded. Loop thread.
const EngineInfo *jobs_engine_info(const Jobs *jobs);
// True while a job waits or runs: false soon after the last was cancelled. Any thread.
bool jobs_are_running(const Jobs *jobs);
// A loop waits or runs: what is ahead of its time will not run soon. Any thread.
bool jobs_have_loop(const Jobs *jobs);
// --- memory; loop thread

// The model is in memory: READY alone does not say so.
bool jobs_is_loaded(const Jobs *jobs);
// Since a job was handed over or came back last; 0 while one waits or runs.
double jobs_idle_ms(const Jobs *jobs);
// Gives the model back with all that it holds, unless a job waits or runs (false) or comes before
// it is done. The state stays READY: the next job opens it again, and waits for that alone.
bool jobs_unload(Jobs *jobs);
// Gives back the sessions of all documents but the newest, once the thread rests, and what the
// allocator holds.
void jobs_trim(Jobs *jobs);
// How much anonymous memory (base/memory_use.h) the process may have; 0: any. A model or a session
// that does not fit ends in ERROR_NO_MEMORY; a model that was refused so is opened when this is
// called with another limit, or once the process has less memory than at the last attempt.
void jobs_limit_memory(Jobs *jobs, uint64_t max_bytes);

// --- what is expected

// As in expectation.h, of the completions that have run and that which runs now; ELSEWHERE and
// false without an open engine. Loop thread.
ExpectationReach jobs_expectation_reach(const Jobs *jobs, Str path, Str text, ByteRange word);
bool jobs_rank(const Jobs *jobs, Str path, Str text, ByteRange word, const Str *names, size_t n,
               Arena *arena, float *scores);

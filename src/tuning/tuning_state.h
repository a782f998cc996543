// What a tuning run consists of. Private to src/tuning.
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "engine/tune.h"
#include "loop/question.h"
#include "tuning/repo_tasks.h"
#include "tuning/reward.h"
#include "tuning/tuning.h"

enum { TUNING_MAX_GROUP = 16, TUNING_PACKED_ANSWERS = 5, TUNING_MAX_PIECES = 8 };

// How a question is asked.
static inline LoopBudget tuning_budget(const TuningOptions *o, int n)
{
    return (LoopBudget){
        .rounds = 1, .candidates = n, .tokens = o->answer, .prompt_tokens = o->context};
}

// Of a training pass: a prompt and some answers of full length, more of them where they are short.
static inline int tuning_max_tokens(const TuningOptions *o)
{
    return o->context + TUNING_PACKED_ANSWERS * o->answer;
}

// What a checkpoint keeps beside the adapter.
typedef struct TuningProgress {
    char tasks[17]; // RepoTasks.hash
    bool measured;  // `before` holds
    TuningScore before;
    int64_t warmed_up, read, asked; // bodies, pieces of files and questions so far
    double seconds, measure_seconds;
    double trains_from; // when the functions were found and measured, of `seconds`
    double first_loss, last_loss;
    double reward; // of the last questions' answers, a running mean
    int32_t n_warm_up_steps, n_steps, n_groups, n_useless;
} TuningProgress;

// A sequence to learn: a piece of a file behind its name, or an answer behind its question.
typedef struct TrainingText {
    int *ids;
    int n, n_given;   // of them the name's or question's; n 0: none, or it is too long
    bool answer;      // else a piece
    bool in_document; // what is before the answer is the file around it, and is learnt as well
} TrainingText;

typedef struct TuningRun {
    Engine *engine;
    Session *session;
    Tune *tune;
    const TuningOptions *options;
    EngineCancel cancel;
    TuningTell tell;
    void *user;
    TuningResult *result;
    RepoTasks tasks;
    TrainingText *reading; // the files to train on, in pieces
    size_t n_reading;
    TuningProgress at;
    int n_tests_failed; // functions in a row whose own body fails them, or more where they take
                        // too long
    Error unfit;        // why the last question was none
    double start_ms, saved_ms;
} TuningRun;

// One answer of the model.
typedef struct Answer {
    struct TuningRun *run;
    LoopQuestion *question;
    StrBuf raw;
    VEC(int) ids;
    VEC(size_t) ends; // of `raw` after each of them
    size_t n_forced_bytes;
    int n_forced; // tokens that were forced, at the front
    Candidate candidate;
    const char *flaw;
    BodyReward reward;
    bool unfinished;  // there was no room for more
    ByteRange blamed; // of `raw`, where it does not compile; nothing where it is not finished
} Answer;

typedef struct Group {
    OpenTask open;
    RepoTask *task;
    LoopQuestion *question;
    Str forced; // what every answer begins with
    const int *prompt;
    int n_prompt, n;
    Answer answers[TUNING_MAX_GROUP];
} Group;

// --- tuning_group.c ------------------------------------------------------------------------------

// n answers to a task and what they earn, with the session's adapters. group_free either way; false
// with an error. A task whose question is too long gives a group of n 0.
bool group_write(TuningRun *run, RepoTask *task, int n, const SamplerOptions *sampler, Arena *arena,
                 Group *out, Error *err);
void group_free(Group *group);

// --- tuning_measure.c ----------------------------------------------------------------------------

// The same questions and seeds every time, with the adapter or without.
bool tuning_measure(TuningRun *run, bool adapter, TuningScore *out, Error *err);
// More that compiles, no fewer tests passed, and not by saying less or being less like what people
// write. One body more is noise.
bool tuning_is_better(const TuningScore *after, const TuningScore *before);

// --- tuning_read.c -------------------------------------------------------------------------------

// Sets run->reading, in the arena.
void reading_make(TuningRun *run, Arena *arena);

// --- tuning_train.c ------------------------------------------------------------------------------

// A prompt and the answer that stands in the repository, with its end, in the arena; of no tokens
// where it does not fit.
bool tuning_make_example(TuningRun *run, const RepoTask *task, Arena *arena, TrainingText *out,
                         Error *err);
// One step on the next bodies and pieces of files. False with an error.
bool train_warm_up(TuningRun *run, Error *err);
// One step of GRPO on the next questions.
bool train_group(TuningRun *run, Error *err);

// Is there time for training left?
bool tuning_has_time(const TuningRun *run);
// Falls from 1 over the time of the warm-up, and again over GRPO's: the rate's factor.
double tuning_rate_share(const TuningRun *run, bool warming);
void tuning_tell(TuningRun *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Sampling goes on with the adapter as it is now, or without one.
bool tuning_use(TuningRun *run, bool adapter, Error *err);

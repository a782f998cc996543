// Tunes an adapter on a repository: a supervised warm-up on its own function bodies, then GRPO with
// the compiler and the project's tests as the reward, and a measurement on functions that were held
// out, before and after. docs/tune.md tells the method and its sources.
//
// Engine thread. Runs compilers and tests as the closed loop does: for trusted folders only.
#pragma once

#include "engine/engine.h"
#include "sandbox/sandbox.h"

// One that was written for a held-out function; valid during the call.
typedef struct TuningBody {
    Str file, function, body;
    Str note; // what is said against it, or that it compiles
    int n_tokens;
    bool adapter, compiles, full; // full: and has half of the original's words or more
    double alike;
} TuningBody;
typedef void (*TuningShowBody)(void *user, const TuningBody *body);

typedef struct TuningOptions {
    Str root;         // absolute
    const char *out;  // the adapter's file; OUT.tune beside it is the checkpoint
    double seconds;   // of the whole, measurements included, over all runs
    int rank;         // of the adapter; alpha is twice that
    int context;      // tokens of a prompt at most
    int answer;       // tokens of a body at most
    int group;        // answers to one question, 2 .. 16
    int n_held_out;   // functions that are measured at most
    bool hold_files;  // whole files are held out, not functions of every file
    float rate;       // of the warm-up
    float rl_rate;    // of GRPO
    double warm_up;   // its share of the time for training, at most
    int pieces;       // of files that are read in each step of the warm-up, beside two bodies
    double reference; // weight of the body that was there beside those sampled in GRPO; 0: none
    float heat;       // temperature of the answers in GRPO
    float innocent;   // weight there of what stands away from the first error, against the error's
    Str test_command; // may be empty
    bool find_tests;  // where it is, the project's own command is looked for
    SandboxMode sandbox;
    TuningShowBody on_body; // may be NULL
    uint64_t seed;
} TuningOptions;

// Of the bodies written for held-out functions.
typedef struct TuningScore {
    int32_t n, n_compile, n_tested, n_pass; // n_tested: of functions that tests reach
    int32_t n_full;                         // compile and have half of the original's words or more
    int32_t n_tokens;
    double alike, reward; // means
    double loss; // a token's of the bodies that were there, of some functions; 0: not measured
} TuningScore;

typedef struct TuningResult {
    TuningScore before, after;
    bool resumed, finished, kept; // kept: it was better, and the file is written
    int n_train, n_held_out, n_warm_up_steps, n_steps, n_groups, n_useless;
    int64_t n_sampled, n_trained; // tokens; of training the prompts' included
    double sample_ms, train_ms, judge_ms;
    double first_loss, last_loss; // of the warm-up, a token's; 0: none
} TuningResult;

// Told what is being done: a share of the whole in [0, 1] and a line; valid during the call.
typedef void (*TuningTell)(void *user, double share, const char *line);

// False with an error of the engine or the files; ERROR_CANCELLED once the checkpoint is written
// (then the same call goes on from there). The checkpoint is removed at the end.
bool tuning_run(Engine *engine, const TuningOptions *options, EngineCancel cancel, TuningTell tell,
                void *user, TuningResult *result, Error *err);

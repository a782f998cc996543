// What the loop and its proposers share: the state of one run. Private to src/loop.
#pragma once

#include "base/vec.h"
#include "engine/chat.h"
#include "loop/examples.h"
#include "loop/loop.h"
#include "sandbox/scratch.h"

typedef VEC(Candidate) CandidateVec;

// One candidate that is being verified. The loop polls them while the model decodes the next.
typedef struct Trial Trial;

// Trials at once: each may keep a core busy.
enum { LOOP_MAX_TRIALS = 2 };

typedef struct LoopRun {
    const LoopRequest *request;
    Engine *engine;
    Session *session;
    EngineCancel cancel;
    LoopProgress progress;
    void *user;
    Arena *arena;
    LoopResult *result;

    Task task;
    Examples examples;           // the tests of the function, for the model to read
    const struct Doubts *doubts; // of the function; NULL: not read
    CandidateVec candidates;
    Trial *trials; // those that run, newest first
    int n_trials;
    VerifyBase base;
    Scratch *scratches[LOOP_MAX_TRIALS];
    bool scratch_taken[LOOP_MAX_TRIALS];
    int n_scratches;
    // Tries something that needs no model, where a trial's place would be idle; NULL: nothing does.
    void (*use_idle)(struct LoopRun *run, void *user);
    void *idle_user;
    bool is_idle;                 // what is started now is started beside the model
    Candidate original;           // the text as it is, verdict pending: not tried
    unsigned long long text_hash; // of that text, as in a candidate
    double test_limit_ms;         // what one run of the tests may spend, from the baseline; 0: the
                                  // child's own limits
    bool hangs;                   // the tests of the text as it is did not end in time
    Str command;                  // for a shell in the copy; empty: none
    bool has_command;             // it may be run
    bool has_tests;               // and runs tests; else it only builds the project
    bool found_command;           // it was found in the project, not given by the user
    bool by_comment;              // the tests are the examples in the function's comment
    bool shown_at_root;           // it has to see the copy at the root's own path
    Str overlay, overlay_text;    // a file that every test run finds in the copy; path empty: none
    bool keep_output;             // of tests, in the candidate
    VEC(Str) answers;             // of TASK_WRITE_TESTS
    const struct TestPlan *plan;  // of TASK_WRITE_TESTS
    bool adapted;                 // the session computes with the engine's adapter
    ChatForm form;
    bool chat; // the model answers questions
    int round;
    unsigned ways_taken; // of PROPOSE_SAMPLE
    unsigned next_way;   // in the order of sample.c
    int passed;          // index of the candidate that passed, -1: none
    bool proposed;       // all candidates are there; the rest of the time is for the chosen
    int n_wanted;        // answers that pass, where a doubt asks for more; 0: as the task says
    int n_rewritten, n_rewrites;  // steps of rewriting from the text as it was, and all
    int challenged;               // 1 + the candidate that n_noticed tells of; 0: none yet
    bool keep_going;              // a pass does not end the round: the best of several is wanted
    double start_ms, deadline_ms; // deadline of the stage; 0: none
    bool screens, no_screen;      // screen.h: it has judged some; it cannot here
    bool mends;      // what passed crashes on other inputs, and there is time to mend it
    double hurry_ms; // when the search of a rival ends; 0: it has none yet
    Error err;       // CANCELLED, once the caller said so
} LoopRun;

// --- loop.c, for proposers -----------------------------------------------------------------------

// Takes a candidate (proposer, replace, insert, n_tokens...) and starts its verification; waits for
// a free place while too many run. A candidate that was offered before, changes nothing or has a
// flaw (NULL: none is known) is recorded as failed at once, and so is one that was judged before
// (its verdict is FAIL). False: stop proposing (one passed, out of time, or cancelled).
bool loop_offer(LoopRun *run, const Candidate *candidate, const char *flaw);
// Nothing has passed, or what passed has to be borne out by others.
bool loop_needs_more(const LoopRun *run);
// Answers that pass, each as it was written.
int loop_count_answers(const LoopRun *run);
// Polls what runs; false as loop_offer.
bool loop_wants_more(LoopRun *run);
// Likewise for a model that writes, token by token: what would be idle meanwhile is used.
bool loop_wants_tokens(LoopRun *run);
// After a proposer (ok: it had no error): waits for what is still verified, and gives what passed
// to the upper stages. False with an error, or cancelled.
bool loop_end_stage(LoopRun *run, bool ok, Error *err);
// Waits until nothing runs any more. False if cancelled.
bool loop_drain(LoopRun *run);
// Ends what still runs, unjudged.
void loop_end_trials(LoopRun *run);
// Once one has passed, only so long is another looked for.
void loop_hurry(LoopRun *run, double ms);
// A function written anew by its comment: what one answer makes of the comment, a second one has to
// bear out, because tests of a few cases pass by chance.
bool loop_needs_agreement(const LoopRun *run);
// A fix, by a model that cannot be asked for one: what it writes is the function anew, without
// having seen what is wrong with it.
static inline bool loop_is_unasked(const LoopRun *run)
{
    return run->task.kind == TASK_FIX && !run->chat;
}
// Those of the proposers' bits that the request allows.
unsigned loop_allowed(const LoopRun *run, unsigned bits);
bool loop_is_out_of_time(const LoopRun *run);
// How many failures an output of the tests tells, and in which line the first; 0: unknown.
void loop_count_failures(LoopRun *run, Str output, int *n_failures, int *failed_line);
// Is the engine's adapter used? One that was trained on questions and answers is only by models
// that are asked some.
bool loop_may_adapt(const LoopRun *run);
// From now on the session computes with it, or without; where it may not be used, always without.
bool loop_adapt(LoopRun *run, bool on, Error *err);
bool loop_is_cancelled(LoopRun *run);
void loop_tell(LoopRun *run, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// The text with a candidate applied. The caller releases; NULL if it would be too large.
TextSnap *loop_apply(const LoopRun *run, const Candidate *candidate);
// Of two that failed, did `a` come further? Parsed, compiled, then by what the tests say: fewer
// failures, a later first one.
bool loop_came_further(const Candidate *a, const Candidate *b);
// The failed candidate that came furthest, the last of equals; NULL if none was verified at all.
const Candidate *loop_best_failure(const LoopRun *run);
// Likewise for a question, which had better not show the same attempt each time: of those that were
// not shown yet, or of all.
const Candidate *loop_tell_failure(LoopRun *run);
// Did the tests find that it is no text of its language? Far from right then, whatever they count.
bool loop_is_malformed(const Candidate *candidate);
// What made it fail, in a few lines.
Str loop_failure_message(const Candidate *candidate);

// What changes may take of the tests' time, from how long they took when they ended by themselves.
void loop_limit_tests(LoopRun *run, const Candidate *ended);
// Runs the tests on the text as it is. NULL once cancelled or out of time; else valid until the
// next candidate is offered.
const Candidate *loop_try_original(LoopRun *run);

// TASK_WRITE_TESTS from beginning to end; an answer becomes the run's candidate (testgen.c).
bool write_tests(LoopRun *run, Error *err);

// --- proposers -----------------------------------------------------------------------------------

// Each offers candidates until loop_offer says stop. False only with an error of the engine. Those
// of small changes are in search.h and repair.h, that of lines written anew in rewrite.h.
bool propose_samples(LoopRun *run, int first, int n, Error *err);
// For a fix: edits that need no model, because the parser, a rule or the compiler has them.
bool propose_known(LoopRun *run, Error *err);
// Every small change, for what the tests notice of them.
bool propose_mutants(LoopRun *run, Error *err);
// The doubts' i-th branch off the function.
bool propose_branch(LoopRun *run, int i, Error *err);

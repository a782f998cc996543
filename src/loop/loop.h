// The closed loop: proposers make candidates, verification judges them, what fails feeds the next
// round, until one is verified or the budget is spent. The one way for editor, command line and CI.
//
//   task ─> proposers ─> candidates ─> parse, compile, test ─> evidence
//               ^                             │
//               └──── first failing message ──┘
//
// The result is an edit of the request's text with its evidence, or an honest nothing. Nothing is
// written here: applying is the caller's.
#pragma once

#include <string.h>

#include "base/arena.h"
#include "config.h"
#include "engine/engine.h"
#include "formal/formal.h"
#include "loop/task.h"
#include "sandbox/sandbox.h"
#include "verify/report.h"
#include "verify/verify.h"

// Which proposers may work, as bits. X(bit, name, word)
#define PROPOSERS(X)                                                                               \
    X(0, PROPOSE_CHAT, "chat")     /* the model answers a question */                              \
    X(1, PROPOSE_MIDDLE, "middle") /* the model writes a body in the middle of the document */     \
    X(2, PROPOSE_LED, "led")       /* likewise, after the lines of the tests that call it */       \
    X(3, PROPOSE_MUTANT, "mutant") /* small changes of the function; where tests decide */         \
    X(4, PROPOSE_REFILL, "refill") /* the model rewrites some lines of the function */             \
    X(5, PROPOSE_BRANCH, "branch") /* the model leaves the function where it doubts it most */     \
    X(6, PROPOSE_ARGUED, "argued") /* chat that begins with a comment in the body */               \
    X(7, PROPOSE_KNOWN, "known")   /* fixes that the parser, rules and the compiler have */        \
    X(8, PROPOSE_MEND, "mend")     /* small changes, as a model that knows corrections has them */

enum {
#define X(bit, name, word) name = 1 << (bit),
    PROPOSERS(X)
#undef X
        PROPOSE_SAMPLE = PROPOSE_CHAT | PROPOSE_MIDDLE | PROPOSE_LED | PROPOSE_ARGUED,
    PROPOSE_ALL = (1 << 9) - 1
};

// "sample,mutant" to bits; "sample" is chat, argued, middle and led, "" and "all" are all.
// ERROR_INVALID names the unknown word.
bool loop_read_proposers(Str words, unsigned *out, Error *err);

// What may be spent. Zeros take the defaults that config.h states.
typedef struct LoopBudget {
    int rounds;          // of samples; the first has no feedback
    int candidates;      // samples of one round, the greedy one included
    int tokens;          // of one answer, thoughts not counted
    int thinking_tokens; // of one answer; then the thought is ended by force
    int prompt_tokens;   // 0: what the session holds
    double ms;           // whole run
} LoopBudget;

typedef struct LoopRequest {
    const TextSnap *text;
    const Syntax *syntax; // of text
    Str path, file_path, root;
    TaskKind kind;
    ByteRange selection;  // of text
    Str message;          // of the diagnostic that is to be fixed, or what failed; may be empty
    Str instruction;      // of TASK_CONVERT
    Str test_command;     // run by a shell in the root; empty: no tests but those that are found
    bool find_tests;      // where it is empty, the project's own command is looked for
    bool trusted;         // false: candidates are only parsed
    SandboxMode sandbox;  // in which the test command runs
    unsigned proposers;   // bits; 0: all
    bool sanitizers;      // what was chosen of C or C++ is tested under sanitizers too
    bool prove;           // what was chosen of C is given to the formal check
    FormalProver prover;  // of that check
    double test_limit_ms; // of loop_judge: what one run of the tests may spend (child.h); 0: no
                          // more than the sandbox's own limits
    LoopBudget budget;
    uint64_t seed;
} LoopRequest;

// A prompt as the model got it.
typedef struct LoopPrompt {
    const int *ids;
    int n_ids;
    Str text; // the ids' bytes
} LoopPrompt;

// How the model wrote an answer: enough to write it again.
typedef struct LoopSample {
    const LoopPrompt *prompt; // shared by the samples of one question
    Str forced;               // token healing
    // Of the thought and of what follows its forced end; the same where none was ended.
    SamplerOptions sampler, answer_sampler;
    int max_tokens, answer_max_tokens;
    bool batched; // in a batch, whose kernels add in another order (engine.h)
    bool adapted; // with the engine's adapter
    bool ended;   // by an end token; else it was stopped after the last id
    int *ids;     // [n_ids] as generated, the bridge not among them
    int n_ids, cap_ids;
    int n_thought;     // ids before the thought was ended by force; 0: it was not
    const int *bridge; // [n_bridge] ids that ended it
    int n_bridge;
} LoopSample;

typedef struct Candidate {
    const char *proposer; // a word of PROPOSERS
    int round;            // from 1
    ByteRange replace;    // of the request's text
    Str insert;
    int n_tokens; // that the model wrote for it, thoughts included
    double ms_decode;
    double confidence;            // mean probability of the tokens; 0 where no model wrote it
    const LoopSample *sample;     // NULL: no model wrote it
    double score;                 // as a correction (mend.h); 0: not told
    int changes;                  // 1 + the candidate of which it is a small change; 0: of none
    bool paired;                  // two small changes at once
    bool repaired;                // small changes of it were tried
    int n_rewritten;              // steps of rewriting from it
    unsigned long long text_hash; // of the document with it
    bool told;                    // a later question showed it as an attempt that failed
    bool probed;                  // inputs at edges were tried on it, which passes
    Str slip;                     // one on which it crashes; empty: none is known
    bool repeats;                 // the text as it is or an earlier candidate: not verified again
    Verdict verdict;              // SKIPPED: its verification was not waited for
    Evidence evidence;            // of parser and compiler
    Verdict tests;
    Str output;    // of the tests, whole, where a run keeps it
    Str test_note; // "tests pass", or what failed
    // What the tests said when they failed: how many failures, in which line the first; 0: unknown.
    int n_failures, failed_line;
    double test_ms, test_spent_ms; // by the clock; processor time and sleep (child.h)
    bool overran;                  // they did not end within their time
    // The upper stages, of what was chosen; SKIPPED with a note where they say nothing for sure.
    bool examined;
    Verdict sanitized; // the tests once more with AddressSanitizer and UBSan
    Str sanitizer_note;
    double sanitizer_ms;
    Verdict proof; // of the C function, or of its being equal to what it was (TASK_CONVERT)
    Str proof_note;
    double proof_ms;
} Candidate;

// Of the text as it was or of an answer, by the kinds of slips or as the model corrects lines.
static inline bool loop_is_small_change(const Candidate *c)
{
    return strcmp(c->proposer, "mutant") == 0 || strcmp(c->proposer, "mend") == 0;
}

// How far a candidate's verification went. X(name, word, text for people)
#define LOOP_LEVELS(X)                                                                             \
    X(LEVEL_PARSED, "parsed", "only parsed")                                                       \
    X(LEVEL_COMPILED, "compiled", "compiles, no tests ran")                                        \
    X(LEVEL_TESTED, "tested", "tests pass")                                                        \
    X(LEVEL_SANITIZED, "sanitized", "tests pass under sanitizers")                                 \
    X(LEVEL_PROVED, "proved", "proved for all inputs")

typedef enum LoopLevel {
#define X(name, word, text) name,
    LOOP_LEVELS(X)
#undef X
} LoopLevel;

// Never NULL: "tested", and "tests pass".
const char *loop_level_word(LoopLevel level);
const char *loop_level_text(LoopLevel level);

// A failure of the tests, and where the function is that it is about.
typedef struct TestFailure {
    ReportFailure report;
    ReportPlace place;
} TestFailure;

typedef struct LoopResult {
    bool found;      // candidates[chosen] passed all that could be run
    LoopLevel level; // of the chosen
    bool verified;   // the highest level that was to be had: tests where there are any, else, of
                     // a fix of what did not compile and of a comment, the compiler; and nothing
                     // found speaks against it
    Str doubt;       // what does; empty: nothing
    int chosen;
    Candidate *candidates;
    int n_candidates;
    ByteRange replace; // of the chosen
    Str insert;
    Str explanation;             // of TASK_EXPLAIN
    const LoopSample *explained; // how it was written
    bool tests_pass;             // of TASK_TESTS and TASK_RUN
    // Of how many small changes of the function that compile do the tests notice how many? None
    // noticed: they do not reach the function. Of TASK_TESTS all changes are tried, of a function
    // that was written some.
    int n_changes, n_noticed;
    TestFailure *failures; // of TASK_TESTS and TASK_RUN
    size_t n_failures;
    bool tests_ran; // they came to a verdict
    // What decided: the command that ran in the copy, and where it comes from. Where none ran the
    // command is empty and the reason says why.
    Str test_command, test_reason;
    // Of TASK_WRITE_TESTS: the edit is one of this file (relative to the root), whose text is
    // test_file_text and which may not exist yet. n_changes and n_noticed are those of the new
    // tests.
    Str test_file, test_file_text;
    bool test_file_is_new;
    // On how many more inputs the answers that pass were compared, and how many others agree.
    int n_inputs, n_agreeing;
    Str baseline; // first message of the tests before any change; empty: they pass or are none
    Str summary;  // "candidate 3, a mutant: compiles, tests pass", or why nothing
    int n_rounds, prompt_tokens, generated_tokens;
    double ms_total;
} LoopResult;

// Fills in what the user's settings say: budget, proposers, test command, trust. Texts are copied
// into the arena. ERROR_INVALID names the setting.
bool loop_configure(const Config *config, Arena *arena, LoopRequest *out, Error *err);
// The lines of a compiler's or a test's output that say what failed: the first line with an error
// or a failure and a few after it. `folder` (may be empty) is cut from paths.
Str loop_message(Str output, Str folder, Arena *arena);
// What a repair is told of a failure that was read from an output; in the arena.
Str loop_report_message(const ReportFailure *failure, Str folder, Arena *arena);

// Told after every stage, for progress; text is valid during the call only.
typedef void (*LoopProgress)(void *user, int pct, Str text);

// Runs on the thread that owns the engine; cancel is polled per token and every few ms while
// commands run. engine may do nothing but FIM. False only with ERROR_CANCELLED, or when the request
// itself is wrong (no such task at the selection, no sandbox for its tests) or the model cannot do
// it; the candidates so far are in the result even then. After any end, no
// process and no file of the run is left.
bool loop_run(Engine *engine, Session *session, const LoopRequest *request, EngineCancel cancel,
              LoopProgress progress, void *user, Arena *arena, LoopResult *result, Error *err);
// Judges candidates anew, as a run with this request judges them: proposer, replace and insert are
// given, the verdicts are filled in. No engine and no time limit but a command's own takes part.
// False as loop_run.
bool loop_judge(const LoopRequest *request, Candidate *candidates, int n, EngineCancel cancel,
                LoopProgress progress, void *user, Arena *arena, Error *err);

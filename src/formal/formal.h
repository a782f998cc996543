// Proof or counterexample for a C function: a tool looks for inputs with which something happens
// that must not, or with which two functions differ. The tool is CBMC where the user has it; else
// the function's syntax tree is translated to bit-vectors for the solver Z3. docs/formal.md states
// what each of them can read and what the answers mean.
//
// Tools run as children with limits, in an own scratch folder; nothing of a project is executed.
// Any thread, one at a time.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "workspace/syntax.h"

// What must not happen. X(name, word, text)
#define FORMAL_KINDS(X)                                                                            \
    X(FORMAL_OVERFLOW, "overflow", "signed overflow")                                              \
    X(FORMAL_DIVISION, "division", "division by zero")                                             \
    X(FORMAL_SHIFT, "shift", "shift out of range")                                                 \
    X(FORMAL_BOUNDS, "bounds", "access out of bounds")                                             \
    X(FORMAL_ASSERT, "assertion", "assertion fails")                                               \
    X(FORMAL_UNINITIALISED, "uninitialised", "use of an uninitialised value")                      \
    X(FORMAL_POINTER, "pointer", "invalid pointer")                                                \
    X(FORMAL_LIBRARY, "library", "wrong use of a library function")                                \
    X(FORMAL_NO_RETURN, "no_return", "end of the function without a return value")                 \
    X(FORMAL_UNWIND, "unwind", "more iterations than were unrolled")

typedef enum FormalKind {
#define X(name, word, text) name,
    FORMAL_KINDS(X)
#undef X
        N_FORMAL_KINDS
} FormalKind;

// X(name, word)
#define FORMAL_ANSWERS(X)                                                                          \
    X(FORMAL_PROVED, "proved")       /* for all inputs */                                          \
    X(FORMAL_BOUNDED, "bounded")     /* for all that take no more iterations than the bound */     \
    X(FORMAL_VIOLATED, "violated")   /* findings say what happens, and with which inputs */        \
    X(FORMAL_DIFFERENT, "different") /* against: the finding says where */                         \
    X(FORMAL_UNKNOWN, "unknown")     /* the solver gave up, at its limits or before */             \
    X(FORMAL_OUTSIDE, "outside")     /* a construct outside the subset */

typedef enum FormalAnswer {
#define X(name, word) name,
    FORMAL_ANSWERS(X)
#undef X
} FormalAnswer;

// The text of FORMAL_PROVED without a function to be equal to.
#define FORMAL_NOTHING_FOUND                                                                       \
    "proved: no overflow, bad access or other fault of docs/formal.md, whatever the inputs; what " \
    "it is to do was not checked"

// Why equality that was found is not told.
#define FORMAL_STRAY                                                                               \
    "the other one leaves an array, so what is assumed of it may be wrong; they are equal where "  \
    "neither does"

const char *formal_answer_word(FormalAnswer answer);
const char *formal_kind_word(FormalKind kind);
const char *formal_kind_text(FormalKind kind);

// X(name, word)
#define FORMAL_TOOLS(X)                                                                            \
    X(FORMAL_AUTO, "auto") /* CBMC where it is there, and Z3 for what it does not say */           \
    X(FORMAL_Z3, "z3")                                                                             \
    X(FORMAL_CBMC, "cbmc")

typedef enum FormalTool {
#define X(name, word) name,
    FORMAL_TOOLS(X)
#undef X
} FormalTool;

// Who is asked.
typedef struct FormalProver {
    FormalTool tool;
    const char *cbmc; // its program; NULL: cbmc of PATH
} FormalProver;

// "auto", "z3", "cbmc", or the absolute path of a cbmc (borrowed); "" is auto. ERROR_INVALID.
bool formal_read_prover(Str word, FormalProver *out, Error *err);

typedef struct FormalFinding {
    FormalKind kind;
    uint32_t line; // from 1
    Str text;      // "signed overflow in line 3"
    Str inputs;    // "a = 2147483647, b = 1"
} FormalFinding;

typedef struct FormalResult {
    FormalAnswer answer;
    Str name;    // of the function
    Str tool;    // who answered: "cbmc", "z3", "cbmc and z3"
    Str summary; // one line, for people
    FormalFinding *findings;
    int n_findings;
    Str *assumptions; // about the caller: "a points to n elements"
    int n_assumptions;
    uint32_t line; // of the construct outside the subset, or of the loop that is not unrolled
    int unwind;
    double ms;
} FormalResult;

typedef struct FormalRequest {
    const Syntax *syntax; // of C
    size_t byte_off;      // within the function
    // The function as it was, for "equal on all inputs"; NULL: look for violations.
    const Syntax *against;
    size_t against_off;
    FormalProver prover;
    // For CBMC, whose preprocessor reads headers: the absolute path of the file (empty: none), its
    // project's root, and whether compile_commands.json may be read.
    Str file_path, root;
    bool trusted;
    int unwind;    // iterations of a loop whose number is not constant; 0: FORMAL_UNWIND_DEFAULT
    double max_ms; // of all tools together; 0: FORMAL_MAX_MS
} FormalRequest;

enum { FORMAL_UNWIND_DEFAULT = 8, FORMAL_UNWIND_MAX = 256, FORMAL_MAX_MS = 20000 };

typedef struct Formal Formal;

// Translates (milliseconds) and starts the tool. Never NULL; what is wrong is an answer. Where it
// finds none in half of its time, half of the iterations are tried in the rest. Results live in the
// arena.
Formal *formal_start(const FormalRequest *request, Arena *arena);
// True once the result is final. Never blocks.
bool formal_poll(Formal *formal);
const FormalResult *formal_result(const Formal *formal);
// Kills what still runs; formal_free(NULL) is allowed.
void formal_free(Formal *formal);
// A byte within the function of that name; false: none, or more than one.
bool formal_find(const Syntax *syntax, Str name, size_t *byte_off);
// Can one of the prover's tools be started? *version (static): what it says of itself, or why not.
// Each is tried once in a process; blocks for moments.
bool formal_is_available(const FormalProver *prover, const char **version);

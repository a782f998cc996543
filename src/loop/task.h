// What the loop can be asked for, and where in a document it can be done. Pure functions over a
// syntax tree: cheap enough to list code actions with, no model involved.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

// X(name, word, title, lack): the word names the task in commands and records, the title is the
// user's, and the lack what a place has where it cannot be done.
#define TASK_KINDS(X)                                                                              \
    X(TASK_BODY, "body", "Write this function's body", "no function with an empty body")           \
    X(TASK_CODE, "code", "Write the code that this comment asks for",                              \
      "no comment that asks for code")                                                             \
    X(TASK_FUNCTION, "function", "Write the missing function",                                     \
      "no call of a function that is not defined")                                                 \
    X(TASK_COMMENT, "comment", "Write a documentation comment", "no function without a comment")   \
    X(TASK_CONVERT, "convert", "Rewrite by an instruction", "no code")                             \
    X(TASK_FIX, "fix", "Fix this function", "no function")                                         \
    X(TASK_EXPLAIN, "explain", "Explain this failure", "no function")                              \
    X(TASK_TESTS, "test", "Run the tests of this function", "no function")                         \
    X(TASK_RUN, "run-tests", "Run the tests", "no file that is parsed")                            \
    X(TASK_WRITE_TESTS, "write-tests", "Write tests for this function", "no function")

typedef enum TaskKind {
#define X(name, word, title, lack) name,
    TASK_KINDS(X)
#undef X
        N_TASK_KINDS
} TaskKind;

// Never NULL.
const char *task_word(TaskKind kind);
const char *task_title(TaskKind kind);
const char *task_lack(TaskKind kind);
// False if no kind has this word.
bool task_by_word(Str word, TaskKind *out);

// A place where a task can be done. Ranges are of the document.
typedef struct Task {
    TaskKind kind;
    SyntaxFunction function; // it is about this one; whole is empty where there is none
    ByteRange replace;       // what an answer replaces: the function, the body, the lines, a gap
    Str name;                // of the function that is (to be) written; borrowed from the text
} Task;

// Does it run tests that are there, and change nothing?
bool task_runs_tests(TaskKind kind);
// Can `kind` be done at the selection (empty: the cursor)? False: not here.
bool task_find(const Syntax *syntax, TaskKind kind, ByteRange selection, Task *out);
// Where a function starts, with the comment above it if there is one.
size_t task_function_start(const SyntaxFunction *function);

// The functions of a repository as tasks: a body is taken out and has to be written again.
//
// Only reads, and runs the compiler's syntax check over copies (verify.h); for trusted folders.
#pragma once

#include "engine/engine.h"
#include "loop/loop.h"

typedef struct RepoFile {
    Str path, absolute; // relative to the root
    Str text;           // to train on: without what is held out of it
    const Language *lang;
    bool held_out;
    Str fault; // why it does not compile by itself; empty where it does or has no functions
} RepoFile;

typedef enum TaskTests { TESTS_UNKNOWN, TESTS_NONE, TESTS_REACH } TaskTests;

typedef struct RepoTask {
    const RepoFile *file;
    Str name, function; // as it stands in the file, without its comment
    ByteRange body;     // of the file's text: what is taken out
    size_t row_off;     // the start of its signature; the same before and after
    TaskTests tests;    // do the project's tests notice when the body is wrong?
} RepoTask;

typedef struct RepoTasks {
    RepoFile *files; // all that were read: C, C++ and Python, headers too, without test files
    size_t n_files;
    RepoTask *train, *held_out;
    size_t n_train, n_held_out;
    char hash[17]; // of what they are made of
} RepoTasks;

typedef struct RepoLimits {
    size_t max_train, max_held_out;
    size_t min_body_bytes, max_body_bytes;
    uint64_t seed; // of the order
    bool hold_functions;
} RepoLimits;

// Functions in C, C++ and Python whose file compiles by itself, in an order of the seed's. Held out
// is a fifth of the files that have any, at least one; with hold_functions a fifth of the functions
// in place of it: their file, as it is read and trained on, has a declaration there (Python: raises
// NotImplementedError), and those whose body stands elsewhere too are not measured. Everything is
// in the arena. Blocks for a run of a compiler a file, for two where some of its functions are held
// out. False with ERROR_CANCELLED, or ERROR_INVALID where there is nothing to train on or to
// measure with; it tells how many files do not compile, and why the first does not.
bool repo_tasks_find(Str root, const RepoLimits *limits, EngineCancel cancel, Arena *arena,
                     RepoTasks *out, Error *err);

// A task that is being worked on.
typedef struct OpenTask {
    TextSnap *text; // without the body
    Syntax *syntax;
    ByteRange hole;      // of text: what stands for the body
    LoopRequest request; // TASK_BODY, borrowing the two
} OpenTask;
// False with ERROR_TOO_LARGE.
bool repo_task_open(const RepoTask *task, Str root, OpenTask *out, Error *err);
void repo_task_close(OpenTask *task);
// The body that was taken out.
Str repo_task_body(const RepoTask *task);

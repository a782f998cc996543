// In which form a project writes its tests, and the test file that a new test goes into: which
// file, what stands in it already, and how cases become functions of it. Pure functions over texts
// and the project's files.
#pragma once

#include "base/arena.h"
#include "loop/task.h"

typedef struct Framework {
    const char *name;         // "cmocka"
    const char *lang;         // of Language.id
    const char *sign;         // a test file with this text is written for it; NULL: the last resort
    const char *assertion[5]; // one of these stands in an assertion
    const char *example;      // with F in place of the function
    const char *opening;      // of a test function, with F; what the model continues
} Framework;

// A statement of a test.
typedef struct TestStatement {
    Str text; // its lines, the first one without indentation
    bool asserts;
    bool dropped;
    bool computed;        // its expected value is what the function returned
    uint32_t row, n_rows; // in the file as last rendered
} TestStatement;

typedef struct TestCase {
    TestStatement *items;
    size_t n;
} TestCase;

typedef struct TestPlan {
    const Framework *framework;
    Str name;         // of the function
    Str file;         // of the test, relative to the root
    bool is_new;      // it does not exist yet
    Str before;       // its text; empty where it is new
    Str command;      // for a shell in the root: runs this file alone; may be empty
    Str poison;       // a text of the file with which every command fails that reads it
    Str source;       // path of the source, relative
    Str package;      // of Go; the crate of Rust
    Str subject;      // what is imported: the function, or its class
    bool source_main; // C: the source has a main of its own
} TestPlan;

// For the function of `task` in the file `path`: in the first test file that speaks of it, else one
// of the same form, else a new one. Reads files below root. False: no form is known for the
// language, or there is no folder for the new file, which is named then.
bool framework_plan(Str root, Str path, const Syntax *syntax, const Task *task, Arena *arena,
                    TestPlan *out);
// `pattern` with the function's name in place of F.
Str framework_fill(const TestPlan *plan, const char *pattern, Arena *arena);
// The test cases in what a model wrote: functions that assert something, with their statements in
// order; at most max.
size_t framework_cases(const TestPlan *plan, const Language *lang, Str code, size_t max,
                       Arena *arena, TestCase *out);
// The whole test file with these cases; notes the rows of their statements.
Str framework_render(const TestPlan *plan, TestCase *cases, size_t n, Arena *arena);

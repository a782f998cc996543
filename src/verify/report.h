// What compilers, sanitizers and test runners print, read to places in the project: one table of
// patterns, each of them tested with what the real tool prints.
#pragma once

#include "base/arena.h"

// A line of a file of the project.
typedef struct ReportPlace {
    Str file;     // relative to the root
    int line;     // from 1
    Str function; // as the tool names it; may be empty
    bool in_test; // by the file's name
} ReportPlace;

typedef struct ReportFailure {
    const char *tool; // "gcc or clang", "AddressSanitizer", "pytest"...: a row of the table
    Str message;      // one line
    Str excerpt;      // the lines of the output that belong to it, borrowed from the output
    // The innermost frame of the project that is no test, else the innermost of a test, else
    // without a file.
    ReportPlace place;
    ReportPlace test; // the innermost frame in a test file; without a file: none
} ReportFailure;

// Failures in the order of the output, at most max, in the arena. A file counts as the project's if
// it exists below root, under the name printed or as the end of it (a copy of the project, a build
// folder); nothing else is read. Any thread; blocks for looking files up.
size_t report_read(Str output, Str root, size_t max, Arena *arena, ReportFailure **out);

// Where the function is that a failure is about: the place itself, or, where only the test is
// known, the definition of a function that the failing line (then the lines above it) calls.
// Reads source files below root. False: none was found.
bool report_locate(const ReportFailure *failure, Str root, Arena *arena, ReportPlace *out);

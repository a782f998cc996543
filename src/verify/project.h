// How a project is built and tested, read from the files that say so: CMake, Make, Meson, Cargo,
// Go, package.json, Python. Reading is all that happens here; the command runs in a copy of the
// root by sandbox_start, and the caller asks only where the folder is trusted.
#pragma once

#include "base/arena.h"

// The files of a project that are looked at.
enum { PROJECT_MAX_FILES = 4000 };

// The tests of a Cargo or a Go project, for a shell in its root, where it has some. The user's own
// cache of compiled packages is not to be written.
#define PROJECT_CARGO_TESTS "cargo test -q --offline"
#define PROJECT_GO "GOCACHE=\"$PWD/.r1ls-cache\" GOFLAGS=-mod=mod GOPROXY=off go "
#define PROJECT_GO_TESTS PROJECT_GO "test ./..."

typedef struct Project {
    Str command;  // for a shell in the root (or its copy); empty: none was found
    bool tests;   // it runs tests; else it only builds
    bool at_root; // it uses a build folder that knows the root's path: the copy has to be shown
                  // there
    Str why;      // "Makefile has a target 'test'", or why there is no command; never empty
} Project;

// The command for the file at `path` (relative to root): the root's own, else that of the nearest
// folder above the file. may_mount: the copy can be shown at the root's path, so that existing
// build folders can be used. Strings live in the arena, NUL-terminated. Any thread; blocks for
// reading some small files.
Project project_find(Str root, Str path, bool may_mount, Arena *arena);
// A look at the names in the root alone, in well under a millisecond: is a call of project_find
// worth it?
bool project_may_have_tests(Str root);
// By its name or folder: "tests/x.py", "test_a.c", "a_test.go", "a.test.js".
bool project_is_test_file(Str path);
// Is there a program of this name in PATH? Any thread.
bool project_has_program(const char *name);

// The tests once more with AddressSanitizer and UBSan, without a change to the project's build
// files: compilers of the same names, first in PATH, add the options.
//
// The sanitizers' runtime writes a file for every process that has it, which shows that it ran at
// all (a build that names its compilers by path is noticed) and holds the report, whatever the test
// runner does with the output.
#pragma once

#include "base/arena.h"
#include "sandbox/sandbox.h"
#include "sandbox/scratch.h"

// Can cc build and run a program with both? Tried once in a process, in the sandbox's mode (about a
// second, blocks), then known.
bool sanitize_is_supported(SandboxMode mode);

// The folder of compilers.
typedef struct Sanitize {
    ScratchFolder folder;
} Sanitize;

// False: no folder can be made. sanitize_deinit of zeros is allowed.
bool sanitize_init(Sanitize *s, Error *err);
void sanitize_deinit(Sanitize *s);

// Starts a private command in a copy of a project so that all is built again, with sanitizers.
// Poll and free the child.
bool sanitize_start(const Sanitize *s, Scratch *scratch, SandboxMode mode,
                    const SandboxCommand *command, Child *child, Arena *arena, Error *err);

typedef struct SanitizeReport {
    int n_processes; // that had a sanitizer's runtime; 0: none of them was built that way
    Str text;        // "heap-buffer-overflow in sum (src/a.c:12)"; empty: no report
} SanitizeReport;

// What the processes of the copy reported, in their files or (gcc's UBSan) in the command's output:
// the first report by process number. `folder` is where the command saw the copy.
SanitizeReport sanitize_read(const Scratch *scratch, Str folder, Str output, Arena *arena);
// Do two reports say the same but for addresses and lines?
bool sanitize_is_same(Str a, Str b);

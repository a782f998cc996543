// Which command checks a file, and how to run it: for verify.c only.
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "verify/verify.h"

// argv (NULL-terminated, in the arena) and working directory of a syntax-only check of
// scratch_path in place of request->file_path; NULL with *why where there is none.
char **command_find(const VerifyRequest *request, const char *scratch_path, Arena *arena,
                    const char **folder, Str *why);

// A child process in its own group with stderr and stdout in a pipe.
typedef struct Child {
    pid_t pid; // 0: not running
    int out;   // -1: closed
    StrBuf output;
    double start_ms;
    int status; // of waitpid, once ended
} Child;

// false if it cannot be started. Limits: CPU 20 s, 4 GB of memory, 16 MB of file, wall 30 s.
bool child_start(Child *child, char *const *argv, const char *folder);
// true once the child has ended; then status and output are final. Never blocks.
bool child_poll(Child *child);
// Kills the group and frees.
void child_free(Child *child);

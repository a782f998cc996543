// A child process with limits: started, polled, killed with all that it started. Any thread, one
// at a time.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"
#include "sandbox/pids_group.h"

enum { CHILD_PROCESSES = 256 };

// What it may use; zeros take the defaults in parentheses.
typedef struct ChildLimits {
    double wall_ms;      // (30,000)
    double spent_ms;     // of a Child's spent_ms (none), watched by child_poll
    int cpu_seconds;     // of one process (20)
    size_t memory_bytes; // resident, of all its processes together (4 GB), watched by child_poll
    int n_processes;     // alive at once (CHILD_PROCESSES), watched by child_poll; twice that for
                         // root's kernel
    size_t file_bytes;   // of one file (256 MB)
    int nice;            // added to the priority's number (0)
} ChildLimits;

// A process in its own group with stderr and stdout in a pipe and nothing on stdin.
typedef struct Child {
    pid_t pid; // 0: not running
    int out;   // -1: closed
    StrBuf output;
    ChildLimits limits;
    PidsGroup group; // root's
    double start_ms, watched_ms;
    // Processor time of all its processes together and the time in which all of them slept, as far
    // as was seen: how long it would take on a machine that has nothing else to do.
    double spent_ms;
    double cpu_ms;       // of these the processor's
    int status;          // of waitpid, once ended
    const char *overran; // "its time", "its memory", "its processes"; NULL: no limit was hit
} Child;

// argv[0] is looked for in PATH; envp NULL: the parent's environment. False if it cannot be
// started.
bool child_start(Child *child, char *const *argv, char *const *envp, const char *folder,
                 const ChildLimits *limits);
// True once the child has ended or has been killed at a limit; then status and output (at most 64
// kB) are final and none of its group is alive. Never blocks.
bool child_poll(Child *child);
// Kills what runs, waits for its end (moments; at most half a second) and frees. A Child of zeros
// with out -1 is allowed.
void child_free(Child *child);

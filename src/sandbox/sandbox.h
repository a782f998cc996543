// Runs a command of a trusted project so that it can do no harm: bubblewrap with no network, every
// folder read-only but one, on request no home and private temporary folders, and child.h's limits.
// Where bubblewrap cannot work, only the limits remain, and that is the user's choice to make.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "sandbox/child.h"

// X(name, word)
#define SANDBOX_MODES(X)                                                                           \
    X(SANDBOX_BWRAP, "bwrap")                                                                      \
    X(SANDBOX_RLIMITS, "rlimits")

typedef enum SandboxMode {
#define X(name, word) name,
    SANDBOX_MODES(X)
#undef X
} SandboxMode;

// "bwrap" or "rlimits"; "" is bwrap. ERROR_INVALID names the word.
bool sandbox_read_mode(Str word, SandboxMode *out, Error *err);
// Can bubblewrap make a sandbox here? Tried once in a process (about 10 ms, blocks), then known.
// *why, static: what stands against it.
bool sandbox_is_available(const char **why);

typedef struct SandboxCommand {
    char *const *argv;
    const char *folder;   // working directory
    const char *writable; // the one folder that may be written; NULL: none
    const char *shown_at; // where that folder is seen, covering what is there; NULL: at its own
                          // path. Only bubblewrap can do this
    const char *tools;    // shown read-only and first in PATH; may be NULL; of private commands
    const char *const *environment; // more "NAME=value", NULL at the end, in the place of what has
                                    // these names; may be NULL; of private commands
    const char *readable; // shown read-only though it may lie in a hidden place; may be NULL
    bool is_private;      // the home folder is empty but for its tool chains, temporary folders are
                          // new, and the environment holds no more than builds need
    ChildLimits limits;
} SandboxCommand;

// Starts it; poll and free the child. In mode SANDBOX_BWRAP where that is not available:
// ERROR_UNSUPPORTED says why and what the user can do. ERROR_NOT_FOUND: no such program or folder.
// The arena is needed during the call only.
bool sandbox_start(Child *child, SandboxMode mode, const SandboxCommand *command, Arena *arena,
                   Error *err);

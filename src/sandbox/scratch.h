// Folders of our own under /tmp, and a copy of a project in which tests may run, so that the user's
// tree is never written. A folder is locked while its process lives: what a killed one left behind
// is found by its lock and removed.
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

// An empty folder (mode 0700).
typedef struct ScratchFolder {
    char path[64]; // empty: none
    int lock;      // descriptor that holds it
} ScratchFolder;

// false: none can be made.
bool scratch_folder_make(ScratchFolder *folder);
// Removes it with all that is in it; a folder of zeros is allowed.
void scratch_folder_remove(ScratchFolder *folder);
// Removes the folders of this user's processes that live no more, if they are that old: one that
// was made this moment may not be locked yet.
void scratch_sweep(int seconds);

typedef struct Scratch Scratch;

// Copies root (regular files and links; no .git; at most SCRATCH_MAX_BYTES, else ERROR_TOO_LARGE),
// sharing blocks where the file system can. NULL with err set.
#define SCRATCH_MAX_BYTES ((size_t)256 << 20)
Scratch *scratch_new(Str root, Error *err);
// Its folder, NUL-terminated.
Str scratch_folder(const Scratch *scratch);
// Replaces the file at that path relative to the root.
bool scratch_write(Scratch *scratch, Str relative, Str text, Error *err);
// Gives sources and headers of C and C++ a new time, so that a build makes everything again.
void scratch_renew_sources(Scratch *scratch);
// Removes the copy; scratch_free(NULL) is allowed.
void scratch_free(Scratch *scratch);

// A copy of a project in which tests may run, so that the user's tree is never written.
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

typedef struct Scratch Scratch;

// Copies root (regular files and links; no .git; at most SCRATCH_MAX_BYTES, else ERROR_TOO_LARGE),
// sharing blocks where the file system can. NULL with err set.
#define SCRATCH_MAX_BYTES ((size_t)256 << 20)
Scratch *scratch_new(Str root, Error *err);
// Its folder, NUL-terminated.
Str scratch_folder(const Scratch *scratch);
// Replaces the file at that path relative to the root.
bool scratch_write(Scratch *scratch, Str relative, Str text, Error *err);
// Removes the copy; scratch_free(NULL) is allowed.
void scratch_free(Scratch *scratch);

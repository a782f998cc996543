// Which command checks a file: for verify.c only.
#pragma once

#include "base/arena.h"
#include "verify/verify.h"

// argv (NULL-terminated, in the arena) and working directory of a syntax-only check of
// scratch_path in place of request->file_path; NULL with *why where there is none.
char **command_find(const VerifyRequest *request, const char *scratch_path, Arena *arena,
                    const char **folder, Str *why);

// Which command checks a file, and the copy that it reads: for verify.c, compiler.c and
// formal/cbmc.c only.
#pragma once

#include "base/arena.h"
#include "sandbox/scratch.h"
#include "verify/verify.h"

// argv (NULL-terminated, in the arena) and working directory of a syntax-only check of
// scratch_path in place of request->file_path; NULL with *why where there is none.
// compile_commands.json is read where request->trusted, as it names the program.
char **command_find(const VerifyRequest *request, const char *scratch_path, Arena *arena,
                    const char **folder, Str *why);
// Writes text as folder/NAME with the extension of file_path; the path, in the arena, or the empty
// slice where that fails.
Str verify_write_copy(const ScratchFolder *folder, Str file_path, const char *name,
                      const TextSnap *text, Arena *arena);

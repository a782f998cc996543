// The folders whose code may be compiled and executed: what the user said, kept outside of them.
//
// One absolute path a line in $XDG_STATE_HOME/r1ls/trusted-folders (by default in ~/.local/state),
// readable by its owner alone. A folder is trusted with everything below it. Nothing is cached:
// every call reads the file, so that all servers and commands of a user agree. Any thread.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

// Is the folder, or one above it, in the file? Symbolic links are followed first. False for what
// cannot be resolved or read.
bool trust_has(const char *folder);
// Puts the folder into the file or takes it out; the file is the old one or the new one whatever
// happens. ERROR_NOT_FOUND: no such folder; ERROR_INVALID: not a folder, or a path with a line
// break; ERROR_IO. A folder above that is still trusted is not touched.
bool trust_set(const char *folder, bool trusted, Error *err);
// Lines of the file in the arena, empty where there is none.
Str trust_list(Arena *arena);

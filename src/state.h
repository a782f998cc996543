// The user's state folder: what r1ls remembers between runs, outside of every project.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

// $XDG_STATE_HOME/r1ls, by default ~/.local/state/r1ls; in the arena, NUL-terminated.
Str state_folder(Arena *arena);
// Makes the folder and those above it, readable by their owner alone. ERROR_IO names the one.
bool state_make_folder(Str path, Error *err);

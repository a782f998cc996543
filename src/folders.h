// The user's own folders: what r1ls remembers between runs, outside of every project.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

// Both follow the XDG Base Directory Specification 0.8: a variable that is no absolute path is
// ignored. In the arena, NUL-terminated.

// $XDG_STATE_HOME/r1ls, by default ~/.local/state/r1ls: trust and audit records.
Str folder_state(Arena *arena);
// $XDG_CACHE_HOME/r1ls, by default ~/.cache/r1ls: what can be made anew. Empty where neither
// variable names a place.
Str folder_cache(Arena *arena);
// $XDG_CONFIG_HOME/r1ls, by default ~/.config/r1ls: what the user writes. Empty as above.
Str folder_config(Arena *arena);
// Makes the folder and those above it, readable by their owner alone. ERROR_IO names the one.
bool folder_make(Str path, Error *err);

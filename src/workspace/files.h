// The source files of a project, as a person would list them: what is hidden, downloaded or built
// is left out. Pure functions over the file system; nothing is cached. Any thread; blocks for the
// time of reading the folders.
#pragma once

#include "base/arena.h"

// Paths of regular files relative to `root`, in the order of their names, at most `max`, in the
// arena. Links are not followed. Zero where root cannot be read.
size_t files_list(Str root, size_t max, Arena *arena, Str **out);
// Is it a folder of somebody else's code or of output ("node_modules", ".git", "build-release")?
bool files_skips_folder(const char *name);
// root/relative, NUL-terminated.
Str files_path(Str root, Str relative, Arena *arena);
// The contents (borrowed from the arena) of root/relative; empty where it is no readable text of at
// most max_bytes.
Str files_read(Str root, Str relative, size_t max_bytes, Arena *arena);
// Is there a regular file, or (folder) a folder, at root/relative?
bool files_exists(Str root, Str relative, bool folder, Arena *arena);

// What files are called after a move, and what an import of one is then to say. On a worker.
#pragma once

#include "workspace.h"

typedef struct FileMove {
    Str old, new; // absolute, of a file or a folder
} FileMove;

typedef struct FileMoves {
    const Question *question; // its indexes and arena
    const FileMove *items;
    size_t n;
} FileMoves;

// The path after the move; the same where it does not move.
Str moves_path(const FileMoves *moves, Str path);
// An import that stands in a file, as it is written (of C with its quotes or brackets, of Python
// the dotted name, of JavaScript and Go without quotes). What it must say after the move; empty:
// nothing else, or what it means cannot be proved. found: the file that it names, before the move.
Str moves_include(const FileMoves *moves, Str file, Str import, Str *found);
Str moves_module(const FileMoves *moves, Str file, Str import, Str *found);
Str moves_package(const FileMoves *moves, Str file, Str import, Str *found);
Str moves_script(const FileMoves *moves, Str file, Str import, Str *found);

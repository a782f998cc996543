// Imports: the files that one names, and the one that brings a name into a file. On a worker.
#pragma once

#include "workspace.h"

enum { MODULES_MAX_FILES = 64 };

typedef struct ModuleFiles {
    Str paths[MODULES_MAX_FILES];
    size_t n;
} ModuleFiles;

// What an import names that stands in a file of this language and path, as it is written without
// quotes: Python's `pkg.deep` and `..deep`, JavaScript's "./lib", Go's "example.com/m/util" (all
// files of the package), Rust's `crate::geo`. None: it is no file of the indexed folders.
ModuleFiles modules_files(const Question *question, const Language *lang, Str path, Str import);

// A folder (with its last '/') and a path as one within it writes it, without "." and "..", and
// without a last '/'. In the arena.
Str modules_join(Arena *arena, Str folder, Str relative);
// `a.b.c` as a/b/c. In the arena.
Str modules_dotted_path(Arena *arena, Str dotted);

// How a name came into a file: as a module, or as something of one.
typedef struct ModuleBinding {
    Str module; // as modules_files wants it
    Str member; // of the module; empty: the name is the module
} ModuleBinding;
// False: no import of the file brings the name. Strings in the question's arena.
bool modules_binding(const Question *question, const Syntax *syntax, Str name, ModuleBinding *out);

// Which lines a git working tree has changed since a commit. Private to the program.
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Since Since;

// `repository` is the folder that has .git. Nothing of the repository's own configuration is read,
// so that nothing that it names (filters, monitors, hooks, drivers) is executed. ERROR_NOT_FOUND:
// no such commit, or no git; ERROR_UNSUPPORTED: a repository of a form that is not known here.
Since *since_open(Str repository, const char *ref, Arena *arena, Error *err);
// since_free(NULL) is allowed.
void since_free(Since *since);
// Was any of the lines from first to last (from 1) of the file (absolute path) changed? A file that
// the commit does not have has changed as a whole.
bool since_has(const Since *since, Str path, uint32_t first, uint32_t last);

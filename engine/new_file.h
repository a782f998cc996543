// A file that replaces another when it is whole: written beside it, then renamed. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct NewFile {
    const char *path; // borrowed
    char *fresh;      // where it is written
    int fd;
} NewFile;

// ERROR_IO. The file is readable by its owner alone. To be ended by new_file_end, even after an
// error.
bool new_file_open(NewFile *file, const char *path, Error *err);
// All n bytes, or ERROR_IO.
bool new_file_write(NewFile *file, const void *bytes, size_t n, Error *err);
// With `ok` the file takes its place, ERROR_IO where it cannot; else path is as it was. Returns
// whether it did.
bool new_file_end(NewFile *file, bool ok, Error *err);

// A file that appears whole or not at all: written beside its place under another name, then moved.
// One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

typedef struct OutFile {
    const char *path; // borrowed
    char *temporary;  // NULL: not open
    int fd;
    bool overwrite;
} OutFile;

// ERROR_INVALID if something is at path and overwrite is false, or path is no regular file;
// ERROR_IO, or ERROR_TOO_LARGE if the file system has no n_bytes left.
bool out_open(OutFile *out, const char *path, bool overwrite, uint64_t n_bytes, Error *err);
// ERROR_IO.
bool out_write(OutFile *out, Str bytes, Error *err);
// Gives the file its size now, as a hole: what is written next still goes behind what was written.
// ERROR_IO.
bool out_extend(OutFile *out, uint64_t n_bytes, Error *err);
// Writes through to the disk and gives the file its name. The OutFile is closed either way; on
// failure nothing is left. ERROR_IO.
bool out_commit(OutFile *out, Error *err);
// Closes and removes what was written; nothing to do after out_commit or a failed out_open.
void out_discard(OutFile *out);

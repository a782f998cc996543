// Hashes of the files that a run depended on: the model, and the project it was tested in.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/sha256.h"

// The SHA-256 of a file. ERROR_NOT_FOUND, ERROR_IO.
bool files_hash(const char *path, char hash[SHA256_HEX + 1], Error *err);
// The same for a large file that seldom changes: the hash is remembered in `folder`/hashes by the
// file's path, size, inode and times. With an image (not empty) that is hashed instead, and the
// path, the program's own, only tells whether it may have changed.
bool files_hash_remembered(Str folder, const char *path, Str image, char hash[SHA256_HEX + 1],
                           Error *err);

enum { FILES_MAX = 4000 };
static const size_t FILES_MAX_BYTES = (size_t)64 << 20;

typedef struct ProjectFile {
    Str path; // relative to the root
    char hash[SHA256_HEX + 1];
} ProjectFile;

typedef struct ProjectFiles {
    ProjectFile *items; // in the order of their paths, in the arena
    size_t n;
    bool complete; // false: there are more than FILES_MAX, or than FILES_MAX_BYTES
} ProjectFiles;

// The regular files below root as a test sees them (no .git, links not followed).
ProjectFiles files_of_project(Str root, Arena *arena);

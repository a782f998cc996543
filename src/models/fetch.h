// Files from the network by libcurl, which is opened when the first one is fetched: nothing else of
// r1ls needs it. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"

typedef struct FetchOptions {
    const char *url;    // http or https
    const char *path;   // of the new file; PATH.part is written first
    const char *sha256; // 64 hexadecimal digits; NULL: not checked, and nothing is resumed
    uint64_t n_bytes;   // 0: not known
    bool overwrite;
    // As in WriteJob.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} FetchOptions;

typedef struct FetchResult {
    char sha256[SHA256_HEX + 1];
    uint64_t n_bytes, n_resumed; // of these, there from an earlier try
} FetchResult;

// Fetches the file, goes on where an earlier try stopped, tries again when the connection breaks,
// checks size and checksum, and only then gives the file its name. What was fetched stays in
// PATH.part where the network failed or the user stopped it; it is removed where it is wrong.
// ERROR_NOT_FOUND (404, 410), ERROR_IO, ERROR_DAMAGED (wrong size or checksum), ERROR_TOO_LARGE (no
// room), ERROR_BUSY (another process fetches it), ERROR_CANCELLED, ERROR_UNSUPPORTED (no libcurl),
// ERROR_INVALID (a file is there already).
bool fetch_file(const FetchOptions *options, FetchResult *result, Error *err);

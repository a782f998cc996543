// Crawl: the files of a folder that belong into an index, and why the others do not.
//
// Reads directories and ignore files, never a source file. Ignored is, in the order of precedence
// (the later rule wins): folders that hold other people's or machines' code (and hidden ones), the
// repository's info/exclude, each folder's .gitignore and .r1lsignore from the top down, and the
// globs of the settings. Symbolic links are not followed, so there are no cycles.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct CrawlRules {
    const char *globs; // settings: patterns separated by blanks; may be ""
    size_t max_bytes;  // of a file
    size_t max_files;  // the rest is not visited
} CrawlRules;

typedef struct CrawledFile {
    Str path; // relative to the root
    uint64_t n_bytes, mtime_ns;
} CrawledFile;

typedef struct Crawl {
    CrawledFile *files;
    size_t n_files;
    Str *folders; // that were read, relative to the root ("" is the root itself)
    size_t n_folders;
    size_t n_ignored, n_too_large; // folders or files; files
    bool is_full;                  // max_files were found
} Crawl;

// All of root below the folder `under` ("" or relative), breadth first, so that what lies near the
// root is found before the limit is reached. In the arena. Stops early when cancelled.
Crawl crawl_folder(const char *root, Str under, const CrawlRules *rules,
                   const atomic_bool *cancelled, Arena *arena);
// Whether a path below root is one that crawl_folder would visit (it need not exist). Reads the
// ignore files on the way.
bool crawl_wants(const char *root, Str path, bool is_folder, const CrawlRules *rules);

// Store: a root's table on disk, so that a warm start parses only what has changed.
//
// One SQLite file for each root under the user's cache folder. The first process that opens it
// writes (a lock file says so); others read once and keep their own table in memory. What is
// damaged, foreign or of another version is replaced: it is a cache. One thread at a time.
#pragma once

#include "base/error.h"
#include "index/table.h"

typedef struct Store Store;

// $XDG_CACHE_HOME/r1ls/index/NAME-HASH.db, or below ~/.cache. In the arena.
Str store_path(const char *root, Arena *arena);
// Opens or makes the root's file. NULL with err set where there can be none (no home, no space).
Store *store_open(const char *root, Error *err);
void store_close(Store *store);
// False: another process writes, saves of this one do nothing.
bool store_is_writer(const Store *store);
// What was found and replaced, for the user; "" without such news.
const char *store_note(const Store *store);
// Fills an empty table. What cannot be read empties file and table and is told by store_note.
void store_load(Store *store, Table *table);
// Writes these files (or that they are gone) and the names that are new, in one transaction.
bool store_save(Store *store, const Table *table, const uint32_t *files, size_t n, Error *err);
bool store_save_ranks(Store *store, const Table *table, Error *err);

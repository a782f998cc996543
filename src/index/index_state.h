// What an Index is made of: for index.c (threads), apply.c (the owner's work) and ask.c
// (questions).
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "index/index.h"
#include "index/rank.h"
#include "index/store.h"

// A file to be parsed. Owned by whoever holds it.
typedef struct IndexTask {
    struct IndexTask *next;
    uint64_t known_hash; // 0: none
    TagsSkip known_skip;
    char path[]; // relative
} IndexTask;

// What a parser has found.
typedef struct IndexResult {
    struct IndexResult *next;
    char *path; // relative
    FileStamp stamp;
    TagsSkip skip;
    bool same; // the content is what is known already
    Tags tags;
    TextSnap *text; // that the tags borrow from; NULL: none
    Arena *arena;
    double took_ms;
} IndexResult;

// A change that somebody has told. syntax: of an open document.
typedef struct IndexChange {
    struct IndexChange *next;
    enum { CHANGE_DISK, CHANGE_RESCAN, CHANGE_OPEN, CHANGE_CLOSE } kind;
    Syntax *syntax;
    char path[]; // relative, or as it was told if it does not lie below the root
} IndexChange;

// An open document: instead of the file of the same path.
typedef struct IndexOverlay {
    struct IndexOverlay *next;
    Syntax *syntax;
    Digest *digest; // that the tags are of; NULL: none are wanted
    Tags tags;
    Arena *arena;
    char *path;
} IndexOverlay;

struct Index {
    atomic_uint n_refs;
    char *root, *globs;
    IndexOptions options; // root and rules.globs are ours
    IndexEvents events;
    atomic_bool closing;
    pthread_t owner;
    pthread_t *parsers;
    int n_parsers;

    pthread_rwlock_t lock; // written by the owner only
    Table table;
    IndexOverlay *overlays;

    pthread_mutex_t queue_lock; // never held together with lock
    pthread_cond_t wake_owner, wake_parsers;
    IndexTask *tasks;
    IndexResult *results, **results_end;
    IndexChange *changes, **changes_end;
    size_t n_tasks, n_parsing, n_results, n_changes;
    RankRun *rank_run; // to be stepped by a parser
    bool rank_busy, rank_done;
    IndexStatus status;
    VEC(char *) new_folders; // relative

    // Owner thread only.
    Store *store;
    VEC(uint32_t) dirty; // files to be stored
    uint32_t epoch;
    size_t n_unranked;
    double started_ms, ranked_ms;
    bool scanned;
};

// apply.c: the owner's work.
void apply_load(Index *index);
void apply_rescan(Index *index);
void apply_change(Index *index, const IndexChange *change);
void apply_result(Index *index, IndexResult *result);
// Stores what is dirty.
void apply_save(Index *index);
void apply_ranks(Index *index, RankRun *run);
void index_free_overlay(IndexOverlay *overlay);
// index.c
void index_push_task(Index *index, Str path, const TableFile *known);
void index_tell(Index *index);
char *index_copy_text(Str s);

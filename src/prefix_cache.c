// The folder is the index: it is listed when a prompt is looked for, which is rare and takes
// microseconds a file.
#include "prefix_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "folders.h"

enum { MODEL_DIGITS = 16, NAME_BYTES = 48, MAX_FILES = 4096, LEFTOVER_SECONDS = 600 };
static const char END[] = ".session", FRESH_END[] = ".new";

struct PrefixCache {
    char folder[PATH_MAX - NAME_BYTES];
    uint64_t max_bytes;
};

typedef struct Entry {
    char name[NAME_BYTES];
    uint64_t n_bytes;
    struct timespec used;
} Entry;

PrefixCache *prefix_cache_new(uint64_t max_bytes)
{
    if (max_bytes == 0) return NULL;
    Arena *arena = arena_new();
    Str cache = folder_cache(arena);
    PrefixCache *c = mem_zero(sizeof *c);
    c->max_bytes = max_bytes;
    int n = snprintf(c->folder, sizeof c->folder, "%.*s/prefixes", STR_FMT(cache));
    bool ok = cache.len > 0 && n > 0 && (size_t)n < sizeof c->folder;
    arena_free(arena);
    if (ok) return c;
    free(c);
    return NULL;
}

void prefix_cache_free(PrefixCache *cache)
{
    free(cache);
}

static void put_path(const PrefixCache *c, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", c->folder, name);
}

static void remove_file(const PrefixCache *c, const char *name)
{
    char path[PATH_MAX];
    put_path(c, name, path);
    unlink(path);
}

// --- the list of files ---------------------------------------------------------------------------

static int by_use(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

// What a process that died while it wrote has left.
static void remove_leftover(const PrefixCache *c, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    if (strlen(name) >= NAME_BYTES) return;
    put_path(c, name, path);
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > LEFTOVER_SECONDS)
        unlink(path);
}

// Saved sessions whose names begin with `prefix`, the one used longest ago first; freed by the
// caller.
static Entry *list_files(const PrefixCache *c, const char *prefix, int *n)
{
    DIR *dir = opendir(c->folder);
    Entry *entries = mem_alloc(MAX_FILES * sizeof *entries);
    struct dirent *found;
    *n = 0;
    while (dir && *n < MAX_FILES && (found = readdir(dir))) {
        Str name = str_from(found->d_name);
        char path[PATH_MAX];
        struct stat st;
        if (str_ends(name, str_from(FRESH_END))) remove_leftover(c, found->d_name);
        if (!str_ends(name, str_from(END)) || !str_starts(name, str_from(prefix)) ||
            name.len >= NAME_BYTES)
            continue;
        put_path(c, found->d_name, path);
        if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) continue;
        Entry *e = &entries[(*n)++];
        memcpy(e->name, name.ptr, name.len + 1);
        e->n_bytes = (uint64_t)st.st_size;
        e->used = st.st_mtim;
    }
    if (dir) closedir(dir);
    qsort(entries, (size_t)*n, sizeof *entries, by_use);
    return entries;
}

static Entry *list_of_model(const PrefixCache *c, Engine *engine, int *n)
{
    char prefix[MODEL_DIGITS + 2];
    snprintf(prefix, sizeof prefix, "%.*s-", MODEL_DIGITS, engine_model_hash(engine));
    return list_files(c, prefix, n);
}

static int count_shared(const int *a, int n_a, const int *b, int n_b)
{
    int n = n_a < n_b ? n_a : n_b, i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

// How many leading ids a saved session shares, and how many it has; one that is damaged is removed.
static int shared_with(const PrefixCache *c, const Entry *e, const Session *session, const int *ids,
                       int n, int *n_saved)
{
    char path[PATH_MAX];
    Error err = {0};
    put_path(c, e->name, path);
    int *saved = session_file_ids(session, path, n_saved, &err);
    if (!saved) {
        if (err.code == ERROR_DAMAGED) remove_file(c, e->name);
        return 0;
    }
    int shared = count_shared(saved, *n_saved, ids, n);
    free(saved);
    return shared;
}

// --- loading -------------------------------------------------------------------------------------

// A file is read and verified at 200 MB/s, and a core does 50 billion multiply-adds a second, both
// estimated low: loading gives way in doubt.
static bool loading_pays(const EngineInfo *info, int n_gained, uint64_t n_bytes)
{
    double load_ms = (double)n_bytes / 200e3;
    double evaluate_ms = n_gained * (double)info->n_active_params / 100e6;
    return n_gained >= PREFIX_MIN_TOKENS && load_ms < evaluate_ms;
}

bool prefix_cache_load(PrefixCache *cache, Engine *engine, Session *session, const int *ids, int n)
{
    if (!cache || n < PREFIX_MIN_TOKENS) return false;
    int n_held, n_files, best = -1, n_best = 0, n_saved;
    const int *held = session_ids(session, &n_held);
    int n_shared = count_shared(held, n_held, ids, n);
    if (n - n_shared < PREFIX_MIN_TOKENS) return false;
    Entry *entries = list_of_model(cache, engine, &n_files);
    for (int i = 0; i < n_files; i++) {
        int shared = shared_with(cache, &entries[i], session, ids, n, &n_saved);
        if (n_saved <= session_n_ctx(session) && shared > n_best) best = i, n_best = shared;
    }
    bool ok = false;
    if (best >= 0 && loading_pays(engine_info(engine), n_best - n_shared, entries[best].n_bytes)) {
        char path[PATH_MAX];
        Error err = {0};
        put_path(cache, entries[best].name, path);
        ok = session_load(session, path, &err);
        if (ok) utimensat(AT_FDCWD, path, NULL, 0);
        if (!ok) log_info("a saved prompt is not used: %s", err.text);
        if (!ok && err.code != ERROR_INVALID && err.code != ERROR_TOO_LARGE)
            remove_file(cache, entries[best].name);
    }
    free(entries);
    return ok;
}

// --- saving --------------------------------------------------------------------------------------

// True if another saved session begins with this one; those of which this one is the continuation,
// but for a tenth, are removed with `drop`.
static bool compare_saved(const PrefixCache *c, Engine *engine, const Session *session, bool drop)
{
    int n_files, n_held, n_saved;
    bool covered = false;
    const int *held = session_ids(session, &n_held);
    Entry *entries = list_of_model(c, engine, &n_files);
    for (int i = 0; i < n_files && !covered; i++) {
        n_saved = 0;
        int shared = shared_with(c, &entries[i], session, held, n_held, &n_saved);
        if (!drop)
            covered = shared == n_held;
        else if (n_saved > 0 && shared < n_held && shared >= n_saved - n_saved / 10)
            remove_file(c, entries[i].name);
    }
    free(entries);
    return covered;
}

static void keep_bound(const PrefixCache *c, uint64_t max_bytes)
{
    int n;
    uint64_t total = 0;
    Entry *entries = list_files(c, "", &n);
    for (int i = 0; i < n; i++)
        total += entries[i].n_bytes;
    for (int i = 0; i < n && (total > max_bytes || n - i >= MAX_FILES); i++) {
        remove_file(c, entries[i].name);
        total -= entries[i].n_bytes;
    }
    free(entries);
}

bool prefix_cache_save(PrefixCache *cache, Engine *engine, Session *session, EngineCancel cancel,
                       Error *err)
{
    int n;
    if (!cache) return true;
    const int *ids = session_ids(session, &n);
    const EngineInfo *info = engine_info(engine);
    // With what stands beside the cache rows.
    uint64_t n_bytes = (uint64_t)n * (info->cache_bytes_per_token + 4 * (uint64_t)info->n_embd) +
                       4 * (uint64_t)info->n_vocab + 4096;
    if (n < PREFIX_MIN_TOKENS || n_bytes > cache->max_bytes / 2) return true;
    if (!folder_make(str_from(cache->folder), err)) return false;
    if (compare_saved(cache, engine, session, false)) return true;
    keep_bound(cache, cache->max_bytes - n_bytes);
    char name[NAME_BYTES], path[PATH_MAX];
    Str key = {(const char *)ids, (size_t)n * sizeof *ids};
    snprintf(name, sizeof name, "%.*s-%016llx%s", MODEL_DIGITS, engine_model_hash(engine),
             str_hash(key, 0), END);
    put_path(cache, name, path);
    if (!session_save(session, path, cancel, err)) return false;
    compare_saved(cache, engine, session, true);
    return true;
}

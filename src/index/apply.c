// The owner's work: what it does to table, overlays and store. It alone writes, so it reads them
// without the lock.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <malloc.h>

#include "base/clock.h"
#include "index/index_state.h"

static bool has_files(const Index *index)
{
    return index->root[0] && index->options.rules.max_files > 0;
}

// Counts for index_status. Counting skipped files looks at all of them: after a scan only.
static void publish(Index *index, bool count_skips)
{
    const Table *table = &index->table;
    size_t memory = table_memory(table), skipped[TAGS_SKIPS] = {0};
    for (size_t i = 0; count_skips && i < table->n_files; i++)
        if (table->files[i].exists) skipped[table->files[i].skip]++;
    pthread_mutex_lock(&index->queue_lock);
    IndexStatus *status = &index->status;
    status->n_files = table->n_existing;
    status->n_symbols = table->n_defs;
    status->n_names = table->names.n;
    status->memory_bytes = memory;
    if (count_skips) memcpy(status->n_skipped, skipped, sizeof skipped);
    pthread_mutex_unlock(&index->queue_lock);
}

static void note(Index *index, const char *text)
{
    if (!text[0]) return;
    pthread_mutex_lock(&index->queue_lock);
    snprintf(index->status.note, sizeof index->status.note, "%s", text);
    pthread_mutex_unlock(&index->queue_lock);
}

void apply_load(Index *index)
{
    Error err = {0};
    double start = clock_ms();
    if (!has_files(index) || !index->options.keep) return;
    index->store = store_open(index->root, &err);
    if (!index->store) {
        note(index, err.text);
        return;
    }
    pthread_rwlock_wrlock(&index->lock); // questions wait for a whole table
    store_load(index->store, &index->table);
    pthread_rwlock_unlock(&index->lock);
    note(index, store_note(index->store));
    pthread_mutex_lock(&index->queue_lock);
    index->status.is_writer = store_is_writer(index->store);
    index->status.n_loaded = index->table.n_existing;
    index->status.load_ms = clock_ms() - start;
    pthread_mutex_unlock(&index->queue_lock);
    publish(index, true);
    index_tell(index);
}

// --- scanning

static void add_folders(Index *index, const Crawl *crawl)
{
    pthread_mutex_lock(&index->queue_lock);
    for (size_t i = 0; i < crawl->n_folders; i++)
        VEC_PUSH(&index->new_folders, index_copy_text(crawl->folders[i]));
    index->status.n_folders += crawl->n_folders;
    pthread_mutex_unlock(&index->queue_lock);
}

static void remove_file(Index *index, uint32_t file)
{
    if (file == NAMES_NONE || !index->table.files[file].exists) return;
    pthread_rwlock_wrlock(&index->lock);
    table_remove(&index->table, file);
    pthread_rwlock_unlock(&index->lock);
    VEC_PUSH(&index->dirty, file);
    index->n_unranked++;
}

static bool is_same(const TableFile *known, const CrawledFile *file)
{
    return known->exists && known->stamp.n_bytes == file->n_bytes &&
           known->stamp.mtime_ns == file->mtime_ns;
}

static void take_crawl(Index *index, const Crawl *crawl)
{
    for (size_t i = crawl->n_files; i > 0; i--) { // tasks are a stack: the first file comes first
        const CrawledFile *file = &crawl->files[i - 1];
        uint32_t number = table_find(&index->table, file->path);
        TableFile *known = number == NAMES_NONE ? NULL : &index->table.files[number];
        if (known) known->epoch = index->epoch;
        if (!known || !is_same(known, file)) index_push_task(index, file->path, known);
    }
    add_folders(index, crawl);
}

void apply_rescan(Index *index)
{
    if (!has_files(index)) return;
    double start = clock_ms();
    pthread_mutex_lock(&index->queue_lock);
    index->status.state = INDEX_SCANNING;
    index->status.n_folders = 0;
    pthread_mutex_unlock(&index->queue_lock);
    Arena *arena = arena_new();
    Crawl crawl = crawl_folder(index->root, STR(""), &index->options.rules, &index->closing, arena);
    index->epoch++;
    if (!atomic_load(&index->closing)) take_crawl(index, &crawl);
    for (uint32_t i = 0; i < index->table.n_files && !atomic_load(&index->closing); i++)
        if (index->table.files[i].epoch != index->epoch && !crawl.is_full) remove_file(index, i);
    pthread_mutex_lock(&index->queue_lock);
    index->status.n_ignored = crawl.n_ignored;
    index->status.n_too_large = crawl.n_too_large;
    index->status.is_full = crawl.is_full;
    index->status.crawl_ms = clock_ms() - start;
    pthread_mutex_unlock(&index->queue_lock);
    arena_free(arena);
    publish(index, true);
    index_tell(index);
}

// --- single changes

static void remove_below(Index *index, Str folder)
{
    for (uint32_t i = 0; i < index->table.n_files; i++) {
        Str path = names_text(&index->table.paths, i);
        bool below =
            path.len > folder.len && str_starts(path, folder) && path.ptr[folder.len] == '/';
        if (below) remove_file(index, i);
    }
}

static bool is_ignore_file(Str path)
{
    return str_ends(path, STR(".gitignore")) || str_ends(path, STR(".r1lsignore"));
}

static void look_at(Index *index, Str path, Arena *arena)
{
    struct stat info;
    const CrawlRules *rules = &index->options.rules;
    uint32_t number = table_find(&index->table, path);
    const char *absolute = arena_printf(arena, "%s/%.*s", index->root, STR_FMT(path)).ptr;
    if (lstat(absolute, &info) != 0) {
        remove_file(index, number);
        if (number == NAMES_NONE) remove_below(index, path);
    } else if (S_ISDIR(info.st_mode)) {
        if (!crawl_wants(index->root, path, true, rules)) return;
        Crawl crawl = crawl_folder(index->root, path, rules, &index->closing, arena);
        take_crawl(index, &crawl);
    } else if (S_ISREG(info.st_mode) && crawl_wants(index->root, path, false, rules)) {
        if ((size_t)info.st_size > rules->max_bytes)
            remove_file(index, number);
        else if (number != NAMES_NONE || index->table.n_existing < rules->max_files)
            index_push_task(index, path, number == NAMES_NONE ? NULL : &index->table.files[number]);
    }
}

static IndexOverlay **find_overlay(Index *index, const char *path)
{
    IndexOverlay **link = &index->overlays;
    while (*link && strcmp((*link)->path, path) != 0)
        link = &(*link)->next;
    return link;
}

// new (NULL: none) takes the place of the path's overlay.
static void replace_overlay(Index *index, const char *path, IndexOverlay *new)
{
    IndexOverlay **link = find_overlay(index, path), *old = *link;
    pthread_rwlock_wrlock(&index->lock);
    if (old) *link = old->next;
    if (new) {
        new->next = index->overlays;
        index->overlays = new;
    }
    pthread_rwlock_unlock(&index->lock);
    if (old) index_free_overlay(old);
}

static void put_overlay(Index *index, const IndexChange *change)
{
    const IndexOverlay *old = *find_overlay(index, change->path);
    IndexOverlay *overlay = mem_zero(sizeof *overlay);
    overlay->syntax = syntax_retain(change->syntax);
    overlay->arena = arena_new();
    overlay->path = index_copy_text(str_from(change->path));
    if (tags_wants(syntax_language(change->syntax))) {
        overlay->digest = digest_new(change->syntax, old ? old->digest : NULL, false);
        overlay->tags = tags_collect(overlay->digest, overlay->arena);
    }
    replace_overlay(index, change->path, overlay);
}

void apply_change(Index *index, const IndexChange *change)
{
    Arena *arena = arena_new();
    Str path = str_from(change->path);
    double start = clock_thread_ms();
    if (change->kind == CHANGE_RESCAN || (change->kind == CHANGE_DISK && is_ignore_file(path)))
        apply_rescan(index);
    else if (change->kind == CHANGE_DISK)
        look_at(index, path, arena);
    else if (change->kind == CHANGE_OPEN)
        put_overlay(index, change);
    else
        replace_overlay(index, change->path, NULL);
    if (change->kind == CHANGE_OPEN) {
        pthread_mutex_lock(&index->queue_lock);
        index->status.last_change_ms = clock_thread_ms() - start;
        pthread_mutex_unlock(&index->queue_lock);
    }
    arena_free(arena);
}

// --- results

static bool is_over_limit(const Index *index)
{
    return table_memory(&index->table) > index->options.max_memory_bytes;
}

static void put_result(Index *index, const IndexResult *result)
{
    Str path = str_from(result->path);
    uint32_t number = table_find(&index->table, path);
    bool known = number != NAMES_NONE && index->table.files[number].exists;
    bool full = !known && is_over_limit(index);
    if (full) {
        pthread_mutex_lock(&index->queue_lock);
        index->status.is_full = true;
        pthread_mutex_unlock(&index->queue_lock);
        return;
    }
    pthread_rwlock_wrlock(&index->lock);
    if (result->same && known) {
        index->table.files[number].stamp = result->stamp;
    } else {
        const Tags *tags = result->skip == TAGS_WANTED ? &result->tags : NULL;
        number = table_put(&index->table, path, result->stamp, tags, result->skip);
        index->n_unranked++;
    }
    index->table.files[number].epoch = index->epoch;
    pthread_rwlock_unlock(&index->lock);
    VEC_PUSH(&index->dirty, number);
}

void apply_result(Index *index, IndexResult *result)
{
    double start = clock_thread_ms();
    if (result->skip == TAGS_UNREADABLE)
        remove_file(index, table_find(&index->table, str_from(result->path)));
    else
        put_result(index, result);
    publish(index, false);
    pthread_mutex_lock(&index->queue_lock);
    index->status.n_parsed += !result->same;
    index->status.last_change_ms = result->took_ms + clock_thread_ms() - start;
    pthread_mutex_unlock(&index->queue_lock);
}

void apply_save(Index *index)
{
    Error err = {0};
    if (index->dirty.n == 0) return;
    if (index->store &&
        !store_save(index->store, &index->table, index->dirty.items, index->dirty.n, &err)) {
        note(index, err.text); // a full disk: the table goes on in memory
        store_close(index->store);
        index->store = NULL;
    }
    if (index->dirty.n > 100) malloc_trim(0);
    VEC_FREE(&index->dirty);
    publish(index, true);
}

void apply_ranks(Index *index, RankRun *run)
{
    Error err = {0};
    pthread_rwlock_wrlock(&index->lock);
    rank_end(run, &index->table);
    pthread_rwlock_unlock(&index->lock);
    if (index->store && !store_save_ranks(index->store, &index->table, &err)) note(index, err.text);
    pthread_mutex_lock(&index->queue_lock);
    index->status.rank_ms = clock_ms() - index->ranked_ms;
    index->status.state = INDEX_READY;
    pthread_mutex_unlock(&index->queue_lock);
    index_tell(index);
}

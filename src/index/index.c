// Threads and queues. The owner applies what parsers and callers bring; parsers run at low
// priority, so that the engine and the loop come first; nothing here waits for the loop.
#include "index/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "index/index_state.h"
#include "index/outline.h"

enum {
    MAX_RESULTS = 64, // parsers wait: the memory of what is not applied yet is bounded
    PARSER_NICE = 10,
    RANK_FILES = 200,
    RERANK_MS = 30000,
    SAVE_FILES = 1000,
    STACK_BYTES = 8 << 20, // tree-sitter recurses over deep trees
};

char *index_copy_text(Str s)
{
    char *out = mem_zero(s.len + 1);
    if (s.len) memcpy(out, s.ptr, s.len);
    return out;
}

void index_tell(Index *index)
{
    index->events.news(index->events.user);
}

// --- parsers

void index_push_task(Index *index, Str path, const TableFile *known)
{
    IndexTask *task = mem_zero(sizeof *task + path.len + 1);
    if (path.len) memcpy(task->path, path.ptr, path.len);
    if (known && known->exists) task->known_hash = known->stamp.hash;
    if (known) task->known_skip = known->skip;
    pthread_mutex_lock(&index->queue_lock);
    task->next = index->tasks;
    index->tasks = task;
    index->n_tasks++;
    pthread_cond_signal(&index->wake_parsers);
    pthread_mutex_unlock(&index->queue_lock);
}

static void parse_text(Index *index, IndexResult *result, Str path)
{
    Str text = text_str(result->text);
    const Language *lang = language_by_content(path.ptr, text.ptr, text.len);
    result->skip = tags_judge(text);
    if (result->skip != TAGS_WANTED || !lang) return;
    Syntax *syntax = outline_parse(lang, result->text, STR(""), &index->closing);
    if (!syntax) return;
    Digest *digest = digest_new(syntax, NULL, false);
    result->tags = tags_collect(digest, result->arena);
    digest_release(digest);
    syntax_release(syntax);
}

static IndexResult *parse_file(Index *index, const IndexTask *task)
{
    Error err = {0};
    struct stat info;
    double start = clock_thread_ms();
    IndexResult *result = mem_zero(sizeof *result);
    result->arena = arena_new();
    result->path = index_copy_text(str_from(task->path));
    Str path = arena_printf(result->arena, "%s/%s", index->root, task->path);
    bool readable = stat(path.ptr, &info) == 0 && S_ISREG(info.st_mode);
    if (readable) result->text = text_read_file(path.ptr, index->options.rules.max_bytes, &err);
    if (!result->text) {
        result->skip = TAGS_UNREADABLE;
        return result;
    }
    Str text = text_str(result->text);
    result->stamp =
        (FileStamp){(uint64_t)info.st_size,
                    (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec,
                    str_hash(text, 0) | 1};
    result->same = result->stamp.hash == task->known_hash;
    result->skip = task->known_skip;
    if (!result->same) parse_text(index, result, path);
    result->took_ms = clock_thread_ms() - start;
    return result;
}

static void step_rank(Index *index)
{
    pthread_rwlock_rdlock(&index->lock);
    bool done = rank_step(index->rank_run, &index->table, RANK_FILES);
    pthread_rwlock_unlock(&index->lock);
    pthread_mutex_lock(&index->queue_lock);
    index->rank_busy = false;
    index->rank_done = done;
    if (done) pthread_cond_signal(&index->wake_owner);
    pthread_mutex_unlock(&index->queue_lock);
}

static void deliver(Index *index, IndexResult *result)
{
    pthread_mutex_lock(&index->queue_lock);
    while (index->n_results >= MAX_RESULTS && !atomic_load(&index->closing))
        pthread_cond_wait(&index->wake_parsers, &index->queue_lock);
    *index->results_end = result;
    index->results_end = &result->next;
    index->n_results++;
    index->n_parsing--;
    pthread_cond_signal(&index->wake_owner);
    pthread_mutex_unlock(&index->queue_lock);
}

static bool can_rank(const Index *index)
{
    return index->rank_run && !index->rank_busy && !index->rank_done;
}

// The next task, or NULL with *rank set: a step of the ranks, or nothing more to do (closing).
static IndexTask *take_task(Index *index, bool *rank)
{
    *rank = false;
    pthread_mutex_lock(&index->queue_lock);
    while (!atomic_load(&index->closing) && !index->tasks && !can_rank(index))
        pthread_cond_wait(&index->wake_parsers, &index->queue_lock);
    IndexTask *task = atomic_load(&index->closing) ? NULL : index->tasks;
    if (task) {
        index->tasks = task->next;
        index->n_tasks--;
        index->n_parsing++;
    } else if (!atomic_load(&index->closing)) {
        *rank = index->rank_busy = true;
    }
    pthread_mutex_unlock(&index->queue_lock);
    return task;
}

static void *parser_main(void *user)
{
    Index *index = user;
    bool rank;
    // Linux gives each thread its own; where it cannot be had, the work is done all the same.
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), PARSER_NICE) != 0) errno = 0;
    for (;;) {
        IndexTask *task = take_task(index, &rank);
        if (!task && !rank) return NULL;
        if (rank) {
            step_rank(index);
            continue;
        }
        deliver(index, parse_file(index, task));
        free(task);
    }
}

// --- the owner

static void free_result(IndexResult *result)
{
    text_release(result->text);
    arena_free(result->arena);
    free(result->path);
    free(result);
}

static void free_change(IndexChange *change)
{
    if (change->syntax) syntax_release(change->syntax);
    free(change);
}

static void set_state(Index *index, IndexState state)
{
    pthread_mutex_lock(&index->queue_lock);
    index->status.state = state;
    pthread_mutex_unlock(&index->queue_lock);
    index_tell(index);
}

static void begin_ranks(Index *index, double now)
{
    index->n_unranked = 0;
    index->ranked_ms = now;
    RankRun *run = rank_begin(&index->table);
    pthread_mutex_lock(&index->queue_lock);
    index->rank_run = run;
    pthread_cond_broadcast(&index->wake_parsers);
    pthread_mutex_unlock(&index->queue_lock);
    set_state(index, INDEX_RANKING);
}

// Everything that was queued is in: the scan is over, ranks may be due.
static void become_idle(Index *index)
{
    double now = clock_ms();
    apply_save(index);
    if (!index->scanned) {
        index->scanned = true;
        pthread_mutex_lock(&index->queue_lock);
        index->status.scan_ms = now - index->started_ms;
        pthread_mutex_unlock(&index->queue_lock);
    }
    bool due = index->ranked_ms <= 0 || now - index->ranked_ms >= RERANK_MS;
    if (index->rank_run) return;
    if (index->n_unranked > 0 && due && index->n_parsers > 0)
        begin_ranks(index, now);
    else if (index->status.state != INDEX_READY)
        set_state(index, INDEX_READY);
}

static bool has_work(const Index *index)
{
    return index->results || index->changes || index->rank_done || atomic_load(&index->closing);
}

// One thing at a time, so that each is applied in the order in which it came.
static bool take_work(Index *index, IndexResult **result, IndexChange **change, RankRun **run)
{
    pthread_mutex_lock(&index->queue_lock);
    bool busy = index->tasks || index->n_parsing;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    while (!has_work(index) && (busy || index->scanned)) {
        if (pthread_cond_timedwait(&index->wake_owner, &index->queue_lock, &until) == ETIMEDOUT)
            break;
    }
    if ((*change = index->changes)) {
        index->changes = (*change)->next;
        if (!index->changes) index->changes_end = &index->changes;
    } else if ((*result = index->results)) {
        index->results = (*result)->next;
        if (!index->results) index->results_end = &index->results;
        index->n_results--;
        pthread_cond_broadcast(&index->wake_parsers);
    }
    if (index->rank_done) {
        *run = index->rank_run;
        index->rank_run = NULL;
        index->rank_done = false;
    }
    bool idle = !*change && !*result && !index->tasks && !index->n_parsing;
    pthread_mutex_unlock(&index->queue_lock);
    return idle;
}

static void drop_queues(Index *index)
{
    while (index->tasks) {
        IndexTask *task = index->tasks;
        index->tasks = task->next;
        free(task);
    }
    while (index->results) {
        IndexResult *result = index->results;
        index->results = result->next;
        free_result(result);
    }
    while (index->changes) {
        IndexChange *change = index->changes;
        index->changes = change->next;
        free_change(change);
    }
    rank_end(index->rank_run, NULL);
    index->rank_run = NULL;
}

static void finish(Index *index)
{
    for (int i = 0; i < index->n_parsers; i++)
        pthread_join(index->parsers[i], NULL);
    apply_save(index);
    store_close(index->store);
    index->store = NULL;
    pthread_mutex_lock(&index->queue_lock);
    drop_queues(index);
    index->status.state = INDEX_CLOSED;
    pthread_mutex_unlock(&index->queue_lock);
    index_tell(index);
    index_release(index);
}

static void *owner_main(void *user)
{
    Index *index = user;
    apply_load(index);
    apply_rescan(index);
    while (!atomic_load(&index->closing)) {
        IndexResult *result = NULL;
        IndexChange *change = NULL;
        RankRun *run = NULL;
        bool idle = take_work(index, &result, &change, &run);
        if (change) {
            apply_change(index, change);
            free_change(change);
            pthread_mutex_lock(&index->queue_lock);
            index->n_changes--;
            pthread_mutex_unlock(&index->queue_lock);
        }
        if (result) {
            apply_result(index, result);
            free_result(result);
        }
        if (run) apply_ranks(index, run);
        if (index->dirty.n >= SAVE_FILES) apply_save(index);
        if (idle) become_idle(index);
    }
    finish(index);
    return NULL;
}

// --- life

static bool start_thread(pthread_t *thread, void *(*run)(void *), Index *index, bool detached)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (detached) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(thread, &attributes, run, index);
    pthread_attr_destroy(&attributes);
    return rc == 0;
}

static void start_threads(Index *index)
{
    long n =
        index->options.n_threads > 0 ? index->options.n_threads : sysconf(_SC_NPROCESSORS_ONLN);
    if (index->options.n_threads <= 0 && n > 4) n = 4;
    if (!index->root[0] || index->options.rules.max_files == 0) n = 0; // nothing to parse
    index->parsers = mem_zero(((size_t)n + 1) * sizeof *index->parsers);
    for (; index->n_parsers < n; index->n_parsers++)
        if (!start_thread(&index->parsers[index->n_parsers], parser_main, index, false)) break;
    index_retain(index); // the owner's
    if (!start_thread(&index->owner, owner_main, index, true)) abort();
}

Index *index_open(const IndexOptions *options, IndexEvents events)
{
    Index *index = mem_zero(sizeof *index);
    atomic_init(&index->n_refs, 1);
    atomic_init(&index->closing, false);
    index->options = *options;
    index->options.root = index->root = index_copy_text(str_from(options->root));
    index->options.rules.globs = index->globs = index_copy_text(str_from(options->rules.globs));
    index->events = events;
    index->results_end = &index->results;
    index->changes_end = &index->changes;
    index->started_ms = clock_ms();
    pthread_rwlock_init(&index->lock, NULL);
    pthread_mutex_init(&index->queue_lock, NULL);
    pthread_cond_init(&index->wake_owner, NULL);
    pthread_cond_init(&index->wake_parsers, NULL);
    start_threads(index);
    return index;
}

Index *index_retain(Index *index)
{
    atomic_fetch_add(&index->n_refs, 1);
    return index;
}

void index_free_overlay(IndexOverlay *overlay)
{
    digest_release(overlay->digest);
    syntax_release(overlay->syntax);
    arena_free(overlay->arena);
    free(overlay->path);
    free(overlay);
}

void index_release(Index *index)
{
    if (!index || atomic_fetch_sub(&index->n_refs, 1) > 1) return;
    while (index->overlays) {
        IndexOverlay *overlay = index->overlays;
        index->overlays = overlay->next;
        index_free_overlay(overlay);
    }
    for (size_t i = 0; i < index->new_folders.n; i++)
        free(index->new_folders.items[i]);
    VEC_FREE(&index->new_folders);
    VEC_FREE(&index->dirty);
    table_clear(&index->table);
    pthread_rwlock_destroy(&index->lock);
    pthread_mutex_destroy(&index->queue_lock);
    pthread_cond_destroy(&index->wake_owner);
    pthread_cond_destroy(&index->wake_parsers);
    free(index->parsers);
    free(index->root);
    free(index->globs);
    free(index);
}

void index_close(Index *index)
{
    pthread_mutex_lock(&index->queue_lock);
    atomic_store(&index->closing, true);
    pthread_cond_broadcast(&index->wake_owner);
    pthread_cond_broadcast(&index->wake_parsers);
    pthread_mutex_unlock(&index->queue_lock);
}

// --- changes

static Str relative_path(const Index *index, Str path)
{
    Str root = str_from(index->root);
    bool below =
        root.len && str_starts(path, root) && path.len > root.len && path.ptr[root.len] == '/';
    return below ? str_slice(path, root.len + 1, path.len) : path;
}

static void push_change(Index *index, int kind, Str path, const Syntax *syntax)
{
    path = relative_path(index, path);
    IndexChange *change = mem_zero(sizeof *change + path.len + 1);
    change->kind = kind;
    if (syntax) change->syntax = syntax_retain(syntax);
    if (path.len) memcpy(change->path, path.ptr, path.len);
    pthread_mutex_lock(&index->queue_lock);
    *index->changes_end = change;
    index->changes_end = &change->next;
    index->n_changes++;
    pthread_cond_signal(&index->wake_owner);
    pthread_mutex_unlock(&index->queue_lock);
}

void index_changed(Index *index, Str path)
{
    if (relative_path(index, path).len < path.len) push_change(index, CHANGE_DISK, path, NULL);
}

void index_rescan(Index *index)
{
    push_change(index, CHANGE_RESCAN, STR(""), NULL);
}

void index_put_open(Index *index, Str path, const Syntax *syntax)
{
    push_change(index, CHANGE_OPEN, path, syntax);
}

void index_drop_open(Index *index, Str path)
{
    push_change(index, CHANGE_CLOSE, path, NULL);
}

// --- state

IndexStatus index_status(Index *index)
{
    pthread_mutex_lock(&index->queue_lock);
    IndexStatus status = index->status;
    status.n_pending = index->n_tasks + index->n_parsing + index->n_results + index->n_changes;
    pthread_mutex_unlock(&index->queue_lock);
    return status;
}

size_t index_take_folders(Index *index, Arena *arena, Str **out)
{
    pthread_mutex_lock(&index->queue_lock);
    size_t n = index->new_folders.n;
    *out = arena_array(arena, n, sizeof **out);
    for (size_t i = 0; i < n; i++) {
        const char *folder = index->new_folders.items[i];
        (*out)[i] = arena_printf(arena, "%s%s%s", index->root, folder[0] ? "/" : "", folder);
        free(index->new_folders.items[i]);
    }
    index->new_folders.n = 0;
    pthread_mutex_unlock(&index->queue_lock);
    return n;
}

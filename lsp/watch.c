// Events come in bursts (a checkout, a save by rename): they are collected until nothing has come
// for a moment, but not for longer than a second.
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/vec.h"
#include "index/names.h"

enum {
    DEBOUNCE_MS = 60,
    MAX_PENDING = 500, // more paths than this: a rescan finds them sooner
    RESCAN_MS = 30000,
    ADD_AT_ONCE = 100,
    ADD_MS = 2,
};

typedef struct Folder {
    uv_fs_event_t handle;
    struct Watch *watch;
    char path[];
} Folder;

struct Watch {
    uv_loop_t *loop;
    Index *index;
    uv_timer_t flush_timer, add_timer, rescan_timer;
    Names names;           // of folders; a folder's number is its place in folders
    VEC(Folder *) folders; // NULL: not watched any more
    VEC(char *) to_add;    // absolute paths
    VEC(char *) fresh;     // watched now, and to be looked at once more
    VEC(char *) pending;   // changed paths
    bool overflow, is_limited, was_filled;
    WatchEvents events;
    int n_open; // handles
    void (*closed)(void *user);
};

static void free_watch(Watch *watch)
{
    for (size_t i = 0; i < watch->to_add.n; i++)
        free(watch->to_add.items[i]);
    for (size_t i = 0; i < watch->pending.n; i++)
        free(watch->pending.items[i]);
    for (size_t i = 0; i < watch->fresh.n; i++)
        free(watch->fresh.items[i]);
    VEC_FREE(&watch->to_add);
    VEC_FREE(&watch->fresh);
    VEC_FREE(&watch->pending);
    VEC_FREE(&watch->folders);
    names_clear(&watch->names);
    index_release(watch->index);
    free(watch);
}

static void release_handle(Watch *watch)
{
    if (--watch->n_open > 0) return;
    void (*closed)(void *) = watch->closed;
    void *user = watch->events.user;
    free_watch(watch);
    closed(user);
}

static void on_folder_closed(uv_handle_t *handle)
{
    Folder *folder = handle->data;
    Watch *watch = folder->watch;
    free(folder);
    release_handle(watch);
}

static void on_timer_closed(uv_handle_t *handle)
{
    release_handle(handle->data);
}

static void close_folder(Folder *folder)
{
    if (!folder) return;
    uv_close((uv_handle_t *)&folder->handle, on_folder_closed);
}

static char *copy_str(Str s)
{
    char *out = mem_zero(s.len + 1);
    if (s.len) memcpy(out, s.ptr, s.len);
    return out;
}

// --- events

// A folder that was removed or moved: when the index finds one of its name again, it is a new one.
static void forget_below(Watch *watch, Str path)
{
    for (uint32_t i = 0; i < watch->folders.n; i++) {
        Str name = names_text(&watch->names, i);
        bool below = str_starts(name, path) && (name.len == path.len || name.ptr[path.len] == '/');
        if (!below) continue;
        close_folder(watch->folders.items[i]);
        watch->folders.items[i] = NULL;
    }
}

static void on_flush(uv_timer_t *timer)
{
    Watch *watch = timer->data;
    for (size_t i = 0; i < watch->pending.n; i++) {
        Str path = str_from(watch->pending.items[i]);
        if (names_find(&watch->names, path) != NAMES_NONE) forget_below(watch, path);
        if (!watch->overflow) index_changed(watch->index, path);
        watch->events.changed(watch->events.user, path);
        free(watch->pending.items[i]);
    }
    watch->pending.n = 0;
    if (watch->overflow) index_rescan(watch->index);
    watch->overflow = false;
}

static bool is_pending(const Watch *watch, const char *path)
{
    for (size_t i = watch->pending.n; i > 0 && i + 32 > watch->pending.n; i--)
        if (strcmp(watch->pending.items[i - 1], path) == 0) return true;
    return false;
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
    Folder *folder = handle->data;
    Watch *watch = folder->watch;
    (void)events;
    if (status < 0 || !name || watch->closed) return;
    Arena *arena = arena_new();
    Str path = arena_printf(arena, "%s/%s", folder->path, name);
    if (watch->pending.n >= MAX_PENDING)
        watch->overflow = true;
    else if (!is_pending(watch, path.ptr))
        VEC_PUSH(&watch->pending, copy_str(path));
    arena_free(arena);
    uv_timer_start(&watch->flush_timer, on_flush, DEBOUNCE_MS, 0);
}

// --- adding

static void on_rescan(uv_timer_t *timer)
{
    Watch *watch = timer->data;
    index_rescan(watch->index);
}

static void reach_limit(Watch *watch, const char *path, int rc)
{
    if (watch->is_limited) return;
    watch->is_limited = true;
    log_info("no more watches at %s: %s", path, uv_strerror(rc));
    uv_timer_start(&watch->rescan_timer, on_rescan, RESCAN_MS, RESCAN_MS);
    watch->events.limited(watch->events.user);
}

static void add_now(Watch *watch, Str path)
{
    uint32_t known = names_find(&watch->names, path);
    if (known != NAMES_NONE && watch->folders.items[known]) return;
    Folder *folder = mem_zero(sizeof *folder + path.len + 1);
    memcpy(folder->path, path.ptr, path.len);
    folder->watch = watch;
    if (uv_fs_event_init(watch->loop, &folder->handle) != 0) {
        free(folder);
        return;
    }
    folder->handle.data = folder;
    watch->n_open++;
    int rc = uv_fs_event_start(&folder->handle, on_event, folder->path, 0);
    if (rc != 0) {
        close_folder(folder);
        if (rc != UV_ENOENT && rc != UV_ENOTDIR) reach_limit(watch, folder->path, rc);
        return;
    }
    uint32_t number = names_intern(&watch->names, path);
    if (number == watch->folders.n) VEC_PUSH(&watch->folders, NULL);
    watch->folders.items[number] = folder;
    VEC_PUSH(&watch->fresh, copy_str(path));
}

// What changed between the index's reading of a folder and its watch has not been told.
static void look_again(Watch *watch)
{
    enum { FEW = 20 };
    bool all = !watch->was_filled || watch->fresh.n > FEW;
    if (all && watch->fresh.n > 0) index_rescan(watch->index);
    for (size_t i = 0; i < watch->fresh.n; i++) {
        if (!all) index_changed(watch->index, str_from(watch->fresh.items[i]));
        free(watch->fresh.items[i]);
    }
    watch->fresh.n = 0;
    watch->was_filled = true;
}

// A few at a time: each is a system call, and the loop has others to serve.
static void on_add(uv_timer_t *timer)
{
    Watch *watch = timer->data;
    for (int i = 0; i < ADD_AT_ONCE && watch->to_add.n > 0; i++) {
        char *path = watch->to_add.items[--watch->to_add.n];
        if (!watch->is_limited) add_now(watch, str_from(path));
        free(path);
    }
    if (watch->to_add.n > 0) return;
    uv_timer_stop(&watch->add_timer);
    look_again(watch);
}

void watch_add(Watch *watch, Str folder)
{
    if (watch->closed) return;
    VEC_PUSH(&watch->to_add, copy_str(folder));
    if (!uv_is_active((uv_handle_t *)&watch->add_timer))
        uv_timer_start(&watch->add_timer, on_add, 0, ADD_MS);
}

// --- life

Watch *watch_new(uv_loop_t *loop, Index *index, WatchEvents events)
{
    Watch *watch = mem_zero(sizeof *watch);
    *watch = (Watch){.loop = loop, .index = index_retain(index), .events = events, .n_open = 3};
    uv_timer_t *timers[] = {&watch->flush_timer, &watch->add_timer, &watch->rescan_timer};
    for (size_t i = 0; i < 3; i++) {
        uv_timer_init(loop, timers[i]);
        timers[i]->data = watch;
    }
    return watch;
}

void watch_close(Watch *watch, void (*closed)(void *user))
{
    watch->closed = closed;
    uv_timer_t *timers[] = {&watch->flush_timer, &watch->add_timer, &watch->rescan_timer};
    for (size_t i = 0; i < watch->folders.n; i++)
        close_folder(watch->folders.items[i]);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)timers[i], on_timer_closed);
}

// Watch: tells an index what changes on the disk below its root. Loop thread.
//
// One inotify watch for each folder that the index has found. Where the system allows no more of
// them, the index rescans from time to time instead, and the client is asked to watch if it can.
#pragma once

#include <uv.h>

#include "index/index.h"

typedef struct Watch Watch;

typedef struct WatchEvents {
    void (*limited)(void *user);           // once, if the system's limit is reached
    void (*changed)(void *user, Str path); // absolute; the index is told as well
    void *user;
} WatchEvents;

// The index is retained.
Watch *watch_new(uv_loop_t *loop, Index *index, WatchEvents events);
// A folder, absolute. Known ones are left alone.
void watch_add(Watch *watch, Str folder);
// closed is called when all handles are; the watch is freed then.
void watch_close(Watch *watch, void (*closed)(void *user));

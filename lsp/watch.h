// Watch: tells an index what changes on the disk below its root. Loop thread.
//
// One inotify watch for each folder that the index has found. Where the system allows no more of
// them, the index rescans from time to time instead, and the client is asked to watch if it can.
#pragma once

#include <uv.h>

#include "index/index.h"

typedef struct Watch Watch;

// limited is called once if the system's limit is reached. The index is retained.
Watch *watch_new(uv_loop_t *loop, Index *index, void (*limited)(void *user), void *user);
// A folder, absolute. Known ones are left alone.
void watch_add(Watch *watch, Str folder);
// closed is called when all handles are; the watch is freed then.
void watch_close(Watch *watch, void (*closed)(void *user));

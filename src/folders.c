#include "folders.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

Str folder_state(Arena *arena)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/') return arena_printf(arena, "%s/r1ls", state);
    return arena_printf(arena, "%s/.local/state/r1ls", home ? home : "");
}

Str folder_cache(Arena *arena)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/') return arena_printf(arena, "%s/r1ls", cache);
    return home && home[0] == '/' ? arena_printf(arena, "%s/.cache/r1ls", home) : (Str){0};
}

Str folder_config(Arena *arena)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && config[0] == '/') return arena_printf(arena, "%s/r1ls", config);
    return home && home[0] == '/' ? arena_printf(arena, "%s/.config/r1ls", home) : (Str){0};
}

bool folder_make(Str folder, Error *err)
{
    char path[PATH_MAX];
    if (folder.len == 0 || folder.len >= sizeof path)
        return error_set(err, ERROR_IO, "the folder's path is too long");
    memcpy(path, folder.ptr, folder.len);
    path[folder.len] = '\0';
    for (char *at = strchr(path + 1, '/');; at = strchr(at + 1, '/')) {
        if (at) *at = '\0';
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!ok) return error_set(err, ERROR_IO, "%.200s: %s", path, strerror(errno));
        if (!at) return true;
        *at = '/';
    }
}

// The file is replaced as a whole under a lock of its own, so that two servers lose nothing.
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "folders.h"

enum { MAX_FILE_BYTES = 1 << 20 };

static Str file_path(Arena *arena)
{
    return arena_printf(arena, "%s/trusted-folders", folder_state(arena).ptr);
}

Str trust_list(Arena *arena)
{
    Error err = {0};
    TextSnap *text = text_read_file(file_path(arena).ptr, MAX_FILE_BYTES, &err);
    if (!text) return STR("");
    Str lines = arena_str(arena, text_str(text));
    text_release(text);
    return lines;
}

static bool is_within(Str path, Str folder)
{
    if (folder.len == 0 || !str_starts(path, folder)) return false;
    return path.len == folder.len || folder.ptr[folder.len - 1] == '/' ||
           path.ptr[folder.len] == '/';
}

bool trust_has(const char *folder)
{
    char real[PATH_MAX];
    if (!folder[0] || !realpath(folder, real)) return false;
    Arena *arena = arena_new();
    bool found = false;
    for (Str lines = trust_list(arena); !found && lines.len;)
        found = is_within(str_from(real), str_take(&lines, STR("\n")));
    arena_free(arena);
    return found;
}

static bool replace_file(const char *path, Str text, Arena *arena, Error *err)
{
    const char *fresh = arena_printf(arena, "%s.new", path).ptr;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && text_write_all(fd, text) && fsync(fd) == 0;
    if (fd >= 0) ok = close(fd) == 0 && ok;
    if (ok && rename(fresh, path) == 0) return true;
    error_set(err, ERROR_IO, "%.200s: %s", path, strerror(errno));
    unlink(fresh);
    return false;
}

// Under the lock: the file without the folder, and with it at the end where it is trusted.
static bool update(const char *path, Str folder, bool trusted, Arena *arena, Error *err)
{
    StrBuf text = {0};
    for (Str lines = trust_list(arena); lines.len;) {
        Str line = str_take(&lines, STR("\n"));
        if (line.len && !str_equal(line, folder)) strbuf_printf(&text, "%.*s\n", STR_FMT(line));
    }
    if (trusted) strbuf_printf(&text, "%.*s\n", STR_FMT(folder));
    bool ok = replace_file(path, strbuf_str(&text), arena, err);
    strbuf_deinit(&text);
    return ok;
}

// A folder that is gone can still be taken out, by the name that the file has.
static bool resolve(const char *folder, bool trusted, char real[PATH_MAX], Error *err)
{
    struct stat st;
    if (strchr(folder, '\n'))
        return error_set(err, ERROR_INVALID, "the folder's path has a line break");
    if (!realpath(folder, real)) {
        if (!trusted && folder[0] == '/' && strlen(folder) < PATH_MAX) {
            strcpy(real, folder);
            return true;
        }
        return error_set(err, ERROR_NOT_FOUND, "the folder %.200s: %s", folder, strerror(errno));
    }
    if (strchr(real, '\n'))
        return error_set(err, ERROR_INVALID, "the folder's path has a line break");
    if (!trusted || (stat(real, &st) == 0 && S_ISDIR(st.st_mode))) return true;
    return error_set(err, ERROR_INVALID, "%.200s is not a folder", folder);
}

bool trust_set(const char *folder, bool trusted, Error *err)
{
    char real[PATH_MAX];
    if (!resolve(folder, trusted, real, err)) return false;
    Arena *arena = arena_new();
    const char *path = file_path(arena).ptr;
    bool ok = folder_make(folder_state(arena), err);
    if (ok) {
        const char *lock = arena_printf(arena, "%s.lock", path).ptr;
        int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        ok = fd >= 0 && flock(fd, LOCK_EX) == 0;
        if (!ok) error_set(err, ERROR_IO, "%.200s: %s", lock, strerror(errno));
        ok = ok && update(path, str_from(real), trusted, arena, err);
        if (fd >= 0) close(fd);
    }
    arena_free(arena);
    return ok;
}

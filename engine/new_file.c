// Files that appear whole or not at all.
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

bool new_file_open(NewFile *file, const char *path, Error *err)
{
    size_t n_bytes = strlen(path) + 32;
    *file = (NewFile){.path = path, .fresh = mem_alloc(n_bytes)};
    snprintf(file->fresh, n_bytes, "%s.%d.new", path, (int)getpid());
    file->fd = open(file->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file->fd >= 0 || error_set(err, ERROR_IO, "%.160s: %s", file->fresh, strerror(errno));
}

bool new_file_write(NewFile *file, const void *bytes, size_t n, Error *err)
{
    if (text_write_all(file->fd, (Str){bytes, n})) return true;
    return error_set(err, ERROR_IO, "%.160s: %s", file->fresh, strerror(errno));
}

bool new_file_end(NewFile *file, bool ok, Error *err)
{
    bool opened = file->fd >= 0;
    if (opened && close(file->fd) != 0 && ok)
        ok = error_set(err, ERROR_IO, "%.160s: %s", file->fresh, strerror(errno));
    if (ok && rename(file->fresh, file->path) != 0)
        ok = error_set(err, ERROR_IO, "%.160s: %s", file->path, strerror(errno));
    if (!ok && opened) unlink(file->fresh);
    free(file->fresh);
    return ok;
}

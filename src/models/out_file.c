// mkstemp, write, fsync, rename.
#include "out_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

static bool check_place(const char *path, bool overwrite, Error *err)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        if (errno == ENOENT) return true;
        return error_set(err, ERROR_IO, "%.160s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode))
        return error_set(err, ERROR_INVALID, "%.160s is no regular file", path);
    if (overwrite) return true;
    return error_set(err, ERROR_INVALID, "%.160s exists, wanted a new name or --overwrite", path);
}

static bool check_room(int fd, const char *path, uint64_t n_bytes, Error *err)
{
    struct statvfs disk;
    if (fstatvfs(fd, &disk) != 0) return true;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (n_bytes <= room) return true;
    return error_set(err, ERROR_TOO_LARGE,
                     "%.120s needs %" PRIu64 " bytes, its file system has %" PRIu64 " left", path,
                     n_bytes, room);
}

bool out_open(OutFile *out, const char *path, bool overwrite, uint64_t n_bytes, Error *err)
{
    *out = (OutFile){.path = path, .fd = -1, .overwrite = overwrite};
    if (!check_place(path, overwrite, err)) return false;
    size_t room = strlen(path) + 16;
    out->temporary = mem_alloc(room);
    snprintf(out->temporary, room, "%s.r1ls-XXXXXX", path);
    out->fd = mkstemp(out->temporary);
    if (out->fd < 0) {
        error_set(err, ERROR_IO, "cannot write beside %.160s: %s", path, strerror(errno));
        free(out->temporary);
        out->temporary = NULL;
        return false;
    }
    if (check_room(out->fd, path, n_bytes, err)) return true;
    out_discard(out);
    return false;
}

bool out_write(OutFile *out, Str bytes, Error *err)
{
    if (text_write_all(out->fd, bytes)) return true;
    return error_set(err, ERROR_IO, "cannot write %.160s: %s", out->path, strerror(errno));
}

bool out_extend(OutFile *out, uint64_t n_bytes, Error *err)
{
    if (ftruncate(out->fd, (off_t)n_bytes) == 0) return true;
    return error_set(err, ERROR_IO, "cannot make %.120s %" PRIu64 " bytes long: %s", out->path,
                     n_bytes, strerror(errno));
}

// mkstemp's files are the user's alone; a model may be read by whom the umask lets.
static bool give_mode(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(fd, 0666 & ~mask) == 0;
}

bool out_commit(OutFile *out, Error *err)
{
    bool ok = give_mode(out->fd) && fsync(out->fd) == 0;
    int cause = errno;
    if (close(out->fd) != 0 && ok) {
        ok = false;
        cause = errno;
    }
    out->fd = -1;
    if (!ok) error_set(err, ERROR_IO, "cannot write %.160s: %s", out->path, strerror(cause));
    ok = ok && check_place(out->path, out->overwrite, err); // it may have come meanwhile
    if (ok && rename(out->temporary, out->path) != 0)
        ok = error_set(err, ERROR_IO, "cannot name %.160s: %s", out->path, strerror(errno));
    if (ok) {
        free(out->temporary);
        out->temporary = NULL;
    }
    out_discard(out);
    return ok;
}

void out_discard(OutFile *out)
{
    if (out->fd >= 0) close(out->fd);
    if (out->temporary) unlink(out->temporary);
    free(out->temporary);
    *out = (OutFile){.fd = -1};
}

// A recursive copy by descriptors of folders, so that no path grows too long; links are copied as
// links. What belongs to version control is left out: no test needs it, and it can be large.
#include "sandbox/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum { MAX_DEPTH = 64 };

struct Scratch {
    ScratchFolder folder;
    size_t copied_bytes;
};

// --- folders -------------------------------------------------------------------------------------

#define FOLDER_PREFIX "r1ls-scratch-"

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

bool scratch_folder_make(ScratchFolder *folder)
{
    *folder = (ScratchFolder){.lock = -1};
    snprintf(folder->path, sizeof folder->path, "%s/" FOLDER_PREFIX "XXXXXX", P_tmpdir);
    if (!mkdtemp(folder->path)) {
        folder->path[0] = '\0';
        return false;
    }
    folder->lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock >= 0 && flock(folder->lock, LOCK_EX | LOCK_NB) == 0) return true;
    scratch_folder_remove(folder);
    return false;
}

void scratch_folder_remove(ScratchFolder *folder)
{
    if (!folder->path[0]) return;
    remove_tree(folder->path);
    if (folder->lock >= 0) close(folder->lock);
    *folder = (ScratchFolder){.lock = -1};
}

// A folder that is a moment old may not be locked yet.
static bool is_stale(int fd, int seconds)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == geteuid() && time(NULL) - st.st_ctime >= seconds &&
           flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void scratch_sweep(int seconds)
{
    DIR *dir = opendir(P_tmpdir);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[sizeof P_tmpdir + 256 + 2];
        if (strncmp(e->d_name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) != 0) continue;
        snprintf(path, sizeof path, "%s/%s", P_tmpdir, e->d_name);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) continue;
        if (is_stale(fd, seconds)) remove_tree(path);
        close(fd);
    }
    if (dir) closedir(dir);
}

// --- copying -------------------------------------------------------------------------------------

static bool copy_bytes(int from, int to, size_t n)
{
    if (ioctl(to, FICLONE, from) == 0) return true;
    char block[1 << 15];
    while (n > 0) {
        ssize_t got = copy_file_range(from, NULL, to, NULL, n, 0);
        if (got < 0 && errno != EINTR) break;
        if (got == 0) return true; // the file has become shorter meanwhile
        if (got > 0) n -= (size_t)got;
    }
    for (ssize_t got; n > 0 && (got = read(from, block, sizeof block)) > 0; n -= (size_t)got)
        if (write(to, block, (size_t)got) != got) return false;
    return true;
}

static bool copy_file(Scratch *s, int from_dir, int to_dir, const char *name, const struct stat *st)
{
    s->copied_bytes += (size_t)st->st_size;
    if (s->copied_bytes > SCRATCH_MAX_BYTES) return false;
    int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0) return errno == EACCES; // unreadable to us is unreadable to its tests
    int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st->st_mode & 0777);
    bool ok = to >= 0 && copy_bytes(from, to, (size_t)st->st_size);
    struct timespec times[2] = {st->st_atim, st->st_mtim}; // make compares them
    if (ok) futimens(to, times);
    if (to >= 0) close(to);
    close(from);
    return ok;
}

static bool copy_link(int from_dir, int to_dir, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);
    if (n < 0) return false;
    target[n] = '\0';
    return symlinkat(target, to_dir, name) == 0;
}

static bool copy_folder(Scratch *s, int from, int to, int depth);

static bool copy_entry(Scratch *s, int from, int to, const char *name, int depth)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
    if (S_ISREG(st.st_mode)) return copy_file(s, from, to, name, &st);
    if (S_ISLNK(st.st_mode)) return copy_link(from, to, name);
    if (!S_ISDIR(st.st_mode)) return true;
    if (mkdirat(to, name, 0700) != 0) return false;
    int sub_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int sub_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = sub_from >= 0 && sub_to >= 0 && copy_folder(s, sub_from, sub_to, depth + 1);
    if (sub_to >= 0) close(sub_to);
    if (sub_from >= 0) close(sub_from);
    return ok;
}

static bool copy_folder(Scratch *s, int from, int to, int depth)
{
    int fd = depth < MAX_DEPTH ? openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = dir != NULL;
    for (struct dirent *e; ok && (e = readdir(dir));) {
        bool skip = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                    strcmp(e->d_name, ".git") == 0;
        ok = skip || copy_entry(s, from, to, e->d_name, depth);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return ok;
}

// --- the copy ------------------------------------------------------------------------------------

static bool copy_root(Scratch *s, Str root)
{
    char path[PATH_MAX];
    if (root.len >= sizeof path) return false;
    snprintf(path, sizeof path, "%.*s", STR_FMT(root));
    int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int to = open(s->folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = from >= 0 && to >= 0 && copy_folder(s, from, to, 0);
    if (to >= 0) close(to);
    if (from >= 0) close(from);
    return ok;
}

Scratch *scratch_new(Str root, Error *err)
{
    Scratch *s = mem_zero(sizeof *s);
    if (!scratch_folder_make(&s->folder)) {
        error_set(err, ERROR_IO, "no scratch folder: %s", strerror(errno));
        free(s);
        return NULL;
    }
    if (copy_root(s, root)) return s;
    if (s->copied_bytes > SCRATCH_MAX_BYTES)
        error_set(err, ERROR_TOO_LARGE, "%.120s is over %zu MB, too large to be copied for tests",
                  root.ptr, SCRATCH_MAX_BYTES >> 20);
    else
        error_set(err, ERROR_IO, "cannot copy %.120s: %s", root.ptr, strerror(errno));
    scratch_free(s);
    return NULL;
}

Str scratch_folder(const Scratch *scratch)
{
    return str_from(scratch->folder.path);
}

bool scratch_write(Scratch *scratch, Str relative, Str text, Error *err)
{
    char path[PATH_MAX];
    if (relative.len + sizeof scratch->folder.path + 2 > sizeof path)
        return error_set(err, ERROR_INVALID, "the path %.100s is too long", relative.ptr);
    snprintf(path, sizeof path, "%s/%.*s", scratch->folder.path, STR_FMT(relative));
    // A link would lead out of the copy.
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && text_write_all(fd, text);
    if (fd >= 0 && close(fd) != 0) ok = false;
    return ok || error_set(err, ERROR_IO, "%.160s: %s", path, strerror(errno));
}

static int renew_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    static const char *const endings[] = {".c",   ".h",  ".cc",  ".cpp", ".cxx", ".hpp",
                                          ".hxx", ".hh", ".inc", ".S",   ".def"};
    (void)st, (void)ftw;
    for (size_t i = 0; type == FTW_F && i < sizeof endings / sizeof *endings; i++)
        if (str_ends(str_from(path), str_from(endings[i]))) utimensat(AT_FDCWD, path, NULL, 0);
    return 0;
}

void scratch_renew_sources(Scratch *scratch)
{
    nftw(scratch->folder.path, renew_entry, 16, FTW_PHYS | FTW_MOUNT);
}

void scratch_free(Scratch *scratch)
{
    if (!scratch) return;
    scratch_folder_remove(&scratch->folder);
    free(scratch);
}

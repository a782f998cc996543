#include "audit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/vec.h"

enum { BLOCK_BYTES = 1 << 16, MAX_DEPTH = 64, MAX_REMEMBERED_BYTES = 1 << 20 };

bool files_hash(const char *path, char hash[SHA256_HEX + 1], Error *err)
{
    char *block = mem_alloc(BLOCK_BYTES);
    Sha256 sum;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    sha256_init(&sum);
    while (fd >= 0 && (n = read(fd, block, BLOCK_BYTES)) > 0)
        sha256_add(&sum, (Str){block, (size_t)n});
    if (n < 0)
        error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%.200s: %s", path,
                  strerror(errno));
    if (fd >= 0) close(fd);
    free(block);
    sha256_hex(&sum, hash);
    return n == 0;
}

// --- remembered ----------------------------------------------------------------------------------

// "HASH KEY" lines; the key is what changes when the file does.
static Str find_remembered(Str lines, Str key)
{
    while (lines.len) {
        size_t end = str_find(lines, STR("\n"), 0);
        Str line = str_slice(lines, 0, end);
        lines = str_slice(lines, end + 1, lines.len);
        bool found = line.len == SHA256_HEX + 1 + key.len && str_ends(line, key);
        if (found) return str_slice(line, 0, SHA256_HEX);
    }
    return (Str){0};
}

// Two processes that write at once lose one line, which costs hashing once more.
static void remember(const char *path, Str lines, const char *hash, Str key, Arena *arena)
{
    const char *fresh = arena_printf(arena, "%s.%ld", path, (long)getpid()).ptr;
    Str line = arena_printf(arena, "%s %.*s\n", hash, STR_FMT(key));
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && text_write_all(fd, line) && text_write_all(fd, lines);
    if (fd >= 0) ok = close(fd) == 0 && ok;
    if (!ok || rename(fresh, path) != 0) unlink(fresh);
}

static bool hash_either(const char *path, Str image, char hash[SHA256_HEX + 1], Error *err)
{
    if (image.len == 0) return files_hash(path, hash, err);
    sha256_of(image, hash);
    return true;
}

bool files_hash_remembered(Str folder, const char *path, Str image, char hash[SHA256_HEX + 1],
                           Error *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || strchr(path, '\n')) return hash_either(path, image, hash, err);
    Arena *arena = arena_new();
    Error ignored = {0};
    const char *list = arena_printf(arena, "%.*s/hashes", STR_FMT(folder)).ptr;
    Str key = arena_printf(arena, "%s%lld %llu %lld.%09ld %lld.%09ld %s", image.len ? "image " : "",
                           (long long)st.st_size, (unsigned long long)st.st_ino,
                           (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                           (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, path);
    TextSnap *text = text_read_file(list, MAX_REMEMBERED_BYTES, &ignored);
    Str lines = text ? text_str(text) : STR(""), known = find_remembered(lines, key);
    bool ok = true;
    if (known.len) {
        memcpy(hash, known.ptr, SHA256_HEX);
        hash[SHA256_HEX] = '\0';
    } else {
        ok = hash_either(path, image, hash, err);
        if (ok) remember(list, lines, hash, key, arena);
    }
    text_release(text);
    arena_free(arena);
    return ok;
}

// --- the project ---------------------------------------------------------------------------------

typedef VEC(ProjectFile) FileVec;

typedef struct Listing {
    Arena *arena;
    size_t root_len, n_bytes;
    FileVec files;
    bool complete;
} Listing;

static int is_wanted(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, ".git") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_file(Listing *listing, Str path, size_t n_bytes)
{
    Error ignored = {0};
    ProjectFile file = {.path = str_slice(path, listing->root_len + 1, path.len)};
    listing->complete =
        listing->files.n < FILES_MAX && listing->n_bytes + n_bytes <= FILES_MAX_BYTES;
    if (!listing->complete || !files_hash(path.ptr, file.hash, &ignored)) return;
    listing->n_bytes += n_bytes;
    VEC_PUSH(&listing->files, file);
}

static void add_folder(Listing *listing, Str folder, int depth)
{
    struct dirent **entries;
    struct stat st;
    int n = depth > MAX_DEPTH ? 0 : scandir(folder.ptr, &entries, is_wanted, by_name);
    if (n <= 0) return;
    for (int i = 0; i < n; i++) {
        Str path = arena_printf(listing->arena, "%.*s/%s", STR_FMT(folder), entries[i]->d_name);
        bool seen = listing->complete && lstat(path.ptr, &st) == 0;
        if (seen && S_ISDIR(st.st_mode)) add_folder(listing, path, depth + 1);
        if (seen && S_ISREG(st.st_mode)) add_file(listing, path, (size_t)st.st_size);
        free(entries[i]);
    }
    free(entries);
}

static int by_path(const void *a, const void *b)
{
    return str_compare(((const ProjectFile *)a)->path, ((const ProjectFile *)b)->path);
}

ProjectFiles files_of_project(Str root, Arena *arena)
{
    Listing listing = {.arena = arena, .complete = root.len > 0};
    while (root.len > 1 && root.ptr[root.len - 1] == '/')
        root.len--;
    listing.root_len = root.len;
    if (listing.complete) add_folder(&listing, arena_str(arena, root), 0);
    ProjectFiles files = {.n = listing.files.n, .complete = listing.complete};
    files.items = arena_array(arena, files.n ? files.n : 1, sizeof *files.items);
    if (files.n) memcpy(files.items, listing.files.items, files.n * sizeof *files.items);
    VEC_FREE(&listing.files);
    qsort(files.items, files.n, sizeof *files.items, by_path);
    return files;
}

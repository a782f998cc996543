// A hash of the folder, a lock beside the file that it names, and a conversion where it is missing.
#include "folder_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/vec.h"
#include "convert.h"
#include "engine/gguf.h"

// What a file is made of besides the folder; another number when the conversion changes.
static const char CONVERSION[] = "r1ls folder 1";
enum { HASH_DIGITS = 16, MAX_NAME = 80, N_SAMPLES = 64, SAMPLE_BYTES = 64, LOCK_POLL_MS = 200 };
enum { MAX_TEXT_BYTES = 256 << 20, MAX_HEADER_BYTES = 256 << 20 };

typedef VEC(const char *) Names; // strings of the arena

bool folder_model_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// --- the hash ------------------------------------------------------------------------------------

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_text(Str name)
{
    return str_ends(name, STR(".json")) || str_ends(name, STR(".jinja"));
}

// What a conversion may read, in the order of names.
static bool list_files(const char *folder, Arena *arena, Names *names, Error *err)
{
    DIR *dir = opendir(folder);
    if (!dir) return error_set(err, ERROR_IO, "folder %.160s: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        Str name = str_from(entry->d_name);
        if (is_text(name) || str_ends(name, STR(".safetensors")))
            VEC_PUSH(names, arena_str(arena, name).ptr);
    }
    closedir(dir);
    if (names->n) qsort(names->items, names->n, sizeof *names->items, by_name);
    return true;
}

static void add_number(Sha256 *hash, uint64_t number)
{
    sha256_add(hash, (Str){(const char *)&number, sizeof number});
}

// n bytes from `at`; what cannot be read is left to the conversion, which names it.
static void add_bytes(Sha256 *hash, int fd, uint64_t at, uint64_t n)
{
    char block[1 << 14];
    while (n > 0) {
        ssize_t got = pread(fd, block, n < sizeof block ? n : sizeof block, (off_t)at);
        if (got <= 0) return;
        sha256_add(hash, (Str){block, (size_t)got});
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
}

// Size, time, header and samples of the data.
static void add_safetensors(Sha256 *hash, int fd, const struct stat *info)
{
    uint64_t header = 0, n_bytes = (uint64_t)info->st_size;
    add_number(hash, (uint64_t)info->st_mtim.tv_sec);
    add_number(hash, (uint64_t)info->st_mtim.tv_nsec);
    if (pread(fd, &header, sizeof header, 0) != sizeof header || header > MAX_HEADER_BYTES) return;
    add_bytes(hash, fd, 0, header + sizeof header);
    for (uint64_t i = 0; i < N_SAMPLES; i++)
        add_bytes(hash, fd, n_bytes / N_SAMPLES * i, SAMPLE_BYTES);
}

static bool add_file(Sha256 *hash, const char *folder, const char *name, Error *err)
{
    struct stat info;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok = fd >= 0 && fstat(fd, &info) == 0;
    if (!ok)
        error_set(err, ERROR_IO, "%.120s/%.60s: %s", folder, name, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        ok = error_set(err, ERROR_INVALID, "%.120s/%.60s is no regular file", folder, name);
    if (ok) {
        sha256_add(hash, (Str){name, strlen(name) + 1});
        add_number(hash, (uint64_t)info.st_size);
        if (is_text(str_from(name)))
            add_bytes(hash, fd, 0, MAX_TEXT_BYTES);
        else
            add_safetensors(hash, fd, &info);
    }
    if (fd >= 0) close(fd);
    if (dir >= 0) close(dir);
    return ok;
}

static bool hash_folder(const char *folder, Arena *arena, char hex[SHA256_HEX + 1], Error *err)
{
    Sha256 hash;
    Names names = {0};
    sha256_init(&hash);
    sha256_add(&hash, str_from(CONVERSION));
    bool ok = list_files(folder, arena, &names, err);
    for (size_t i = 0; ok && i < names.n; i++)
        ok = add_file(&hash, folder, names.items[i], err);
    VEC_FREE(&names);
    sha256_hex(&hash, hex);
    return ok;
}

// --- the file ------------------------------------------------------------------------------------

// A name without what a file name may not have or a terminal would show oddly.
static Str clean_name(Str path, Arena *arena)
{
    size_t start = path.len;
    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    Str name = str_slice(path, start, path.len);
    char *out = arena_array(arena, MAX_NAME + 1, 1);
    size_t n = name.len < MAX_NAME ? name.len : MAX_NAME;
    for (size_t i = 0; i < n; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        out[i] = plain || c == '.' || c == '_' ? c : '-';
    }
    return (Str){out, n};
}

static bool is_usable(const char *path)
{
    Error ignored = {0};
    if (access(path, F_OK) != 0) return false;
    Gguf *gguf = gguf_open(path, &ignored);
    gguf_close(gguf);
    return gguf != NULL;
}

// Files of the same folder from before, and what a conversion that was killed has left.
static void remove_older(const char *cache, Str prefix)
{
    DIR *dir = opendir(cache);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        Str name = str_from(entry->d_name);
        if (str_starts(name, prefix) && !str_ends(name, STR(".lock")))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

// An open file that this process alone has locked; -1 with err set.
static int lock_file(const FolderModelOptions *o, const char *path, Error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(err, ERROR_IO, "%.160s: %s", path, strerror(errno));
        return -1;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const struct timespec wait = {0, LOCK_POLL_MS * 1000000L};
        if (errno != EWOULDBLOCK && errno != EINTR)
            error_set(err, ERROR_IO, "cannot lock %.160s: %s", path, strerror(errno));
        else if (o->on_progress && !o->on_progress(o->user, 0, 1))
            error_set(err, ERROR_CANCELLED, "cancelled while another process makes the file");
        if (err->code != ERROR_NONE) {
            close(fd);
            return -1;
        }
        nanosleep(&wait, NULL);
    }
    return fd;
}

static bool convert(const FolderModelOptions *o, const char *folder, const char *out, Error *err)
{
    Error cause = {0};
    ConvertResult result;
    const ConvertOptions options = {.folder = folder,
                                    .out = out,
                                    .must_fit = true,
                                    .overwrite = true,
                                    .n_threads = o->n_threads,
                                    .on_progress = o->on_progress,
                                    .user = o->user};
    if (convert_folder(&options, &result, &cause)) return true;
    if (cause.code != ERROR_TOO_LARGE && cause.code != ERROR_NO_MEMORY)
        return error_set(err, cause.code, "%s", cause.text);
    return error_set(err, cause.code, "%.150s (r1ls model convert --type Q4_K_M makes it smaller)",
                     cause.text);
}

bool folder_model_find(const FolderModelOptions *options, Arena *arena, Str *path, Error *err)
{
    char place[SHA256_HEX + 1], contents[SHA256_HEX + 1];
    char *folder = realpath(options->folder, NULL);
    if (!folder)
        return error_set(err, ERROR_NOT_FOUND, "model %.160s: %s", options->folder,
                         strerror(errno));
    sha256_of(str_from(folder), place);
    bool ok = access(arena_printf(arena, "%s/config.json", folder).ptr, F_OK) == 0 ||
              error_set(err, ERROR_DAMAGED,
                        "model folder %.160s has no config.json, wanted that, tokenizer.json and "
                        "*.safetensors",
                        folder);
    ok = ok && hash_folder(folder, arena, contents, err);
    if (ok) {
        Str prefix = arena_printf(arena, "%s-%.*s", clean_name(str_from(folder), arena).ptr,
                                  HASH_DIGITS, place);
        Str lock = arena_printf(arena, "%s/%s.lock", options->cache, prefix.ptr);
        *path = arena_printf(arena, "%s/%s-%.*s.gguf", options->cache, prefix.ptr, HASH_DIGITS,
                             contents);
        int fd = is_usable(path->ptr) ? -1 : lock_file(options, lock.ptr, err);
        ok = err->code == ERROR_NONE;
        if (fd >= 0 && !is_usable(path->ptr)) { // nobody else has made it meanwhile
            remove_older(options->cache, prefix);
            ok = convert(options, folder, path->ptr, err);
        }
        if (fd >= 0) close(fd);
    }
    free(folder);
    return ok;
}

// One transfer after the other into PATH.part, hashed as it comes.
#include "fetch.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "base/text.h"

enum { MAX_TRIES = 4, LOW_SPEED_SECONDS = 60, MAX_REDIRECTS = 10 };

// --- libcurl -------------------------------------------------------------------------------------

typedef struct Curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *handle);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_cleanup)(CURL *handle);
} Curl;

static bool load_curl(Curl *out, Error *err)
{
    static const char *const names[] = {
        "curl_global_init",  "curl_easy_init",     "curl_easy_setopt", "curl_easy_perform",
        "curl_easy_getinfo", "curl_easy_strerror", "curl_easy_cleanup"};
    static const char *const files[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (int i = 0; i < 2 && !library; i++)
        library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL); // stays open as long as the process
    if (!library)
        return error_set(
            err, ERROR_UNSUPPORTED,
            "libcurl.so.4 is not installed, wanted it for fetching (Debian: libcurl4)");
    void *functions[7];
    _Static_assert(sizeof functions == sizeof *out, "a name for every function");
    for (int i = 0; i < 7; i++)
        if (!(functions[i] = dlsym(library, names[i])))
            return error_set(err, ERROR_UNSUPPORTED, "libcurl has no %s", names[i]);
    memcpy(out, functions, sizeof functions);
    return out->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
           error_set(err, ERROR_INTERNAL, "libcurl does not start");
}

// --- one transfer --------------------------------------------------------------------------------

typedef struct Fetch {
    const FetchOptions *options;
    Curl curl;
    CURL *handle;
    char *part; // PATH.part
    int fd;
    Sha256 sha;
    uint64_t have;  // bytes in the part
    uint64_t asked; // where this transfer was asked to start
    uint64_t range_from;
    bool has_range, checked_room, cancelled;
    char message[CURL_ERROR_SIZE];
    Error *err;
} Fetch;

static long status_of(Fetch *f)
{
    long status = 0;
    f->curl.easy_getinfo(f->handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static bool restart(Fetch *f)
{
    f->have = 0;
    sha256_init(&f->sha);
    return ftruncate(f->fd, 0) == 0 && lseek(f->fd, 0, SEEK_SET) == 0;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    Fetch *f = user;
    unsigned long long from;
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)(size * n < 100 ? size * n : 100), line);
    if (strncmp(text, "HTTP/", 5) == 0) f->has_range = false; // of the next answer
    if (strncasecmp(text, "content-range:", 14) == 0 &&
        sscanf(text + 14, " bytes %llu-", &from) == 1) {
        f->has_range = true;
        f->range_from = from;
    }
    return size * n;
}

// Other answers than 200 and 206 have bodies that are no part of the file.
static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    Fetch *f = user;
    size_t n_bytes = size * n;
    long status = status_of(f);
    if (status != 200 && status != 206) return n_bytes;
    bool right = f->has_range ? f->range_from == f->asked : f->asked == 0;
    if (f->have == f->asked && status == 206 && !right) {
        error_set(f->err, ERROR_IO, "the server sent another range than was asked for");
        return 0;
    }
    if (status == 200 && f->asked) { // the server knows no ranges: from the start
        if (!restart(f)) return 0;
        f->asked = 0;
    }
    if (!text_write_all(f->fd, (Str){bytes, n_bytes})) {
        error_set(f->err, ERROR_IO, "cannot write %.160s: %s", f->part, strerror(errno));
        return 0;
    }
    sha256_add(&f->sha, (Str){bytes, n_bytes});
    f->have += n_bytes;
    return n_bytes;
}

static bool has_room(Fetch *f, uint64_t n_bytes)
{
    struct statvfs disk;
    if (fstatvfs(f->fd, &disk) != 0) return true;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (n_bytes <= room) return true;
    return error_set(f->err, ERROR_TOO_LARGE,
                     "%.100s needs %" PRIu64 " bytes more, its file system has %" PRIu64 " left",
                     f->options->path, n_bytes, room);
}

static int on_transfer(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up)
{
    (void)up_total, (void)up;
    Fetch *f = user;
    const FetchOptions *o = f->options;
    uint64_t all = o->n_bytes ? o->n_bytes : f->asked + (uint64_t)total;
    if (status_of(f) >= 300) return 0; // the size of a page that says why
    if (total > 0 && !f->checked_room) {
        f->checked_room = true;
        if (!has_room(f, (uint64_t)(total - now))) return 1;
    }
    if (!o->on_progress || total <= 0) return 0;
    f->cancelled = !o->on_progress(o->user, f->have, all);
    return f->cancelled;
}

static void set_options(Fetch *f, const char *range)
{
    const Curl *c = &f->curl;
    CURL *h = f->handle;
    c->easy_setopt(h, CURLOPT_URL, f->options->url);
    c->easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    c->easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    c->easy_setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
    c->easy_setopt(h, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    c->easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    c->easy_setopt(h, CURLOPT_USERAGENT, "r1ls/" R1LS_VERSION);
    c->easy_setopt(h, CURLOPT_CONNECTTIMEOUT, 30L);
    c->easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    c->easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)LOW_SPEED_SECONDS);
    c->easy_setopt(h, CURLOPT_ERRORBUFFER, f->message);
    c->easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    c->easy_setopt(h, CURLOPT_HEADERDATA, f);
    c->easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    c->easy_setopt(h, CURLOPT_WRITEDATA, f);
    c->easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    c->easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_transfer);
    c->easy_setopt(h, CURLOPT_XFERINFODATA, f);
    if (range) c->easy_setopt(h, CURLOPT_RANGE, range);
}

typedef enum Outcome { OUTCOME_DONE, OUTCOME_AGAIN, OUTCOME_FAILED } Outcome;

static Outcome judge_status(Fetch *f, long status)
{
    if (status == 200 || status == 206) return OUTCOME_DONE;
    if (status == 416 && f->asked) { // past its end: whole already, or another file
        if (f->options->n_bytes == f->have) return OUTCOME_DONE;
        return restart(f) ? OUTCOME_AGAIN : OUTCOME_FAILED;
    }
    error_set(f->err, status == 404 || status == 410 ? ERROR_NOT_FOUND : ERROR_IO,
              "%.150s: the server answered %ld, wanted 200", f->options->url, status);
    return status == 429 || status >= 500 ? OUTCOME_AGAIN : OUTCOME_FAILED;
}

static bool is_broken_off(CURLcode code)
{
    return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
           code == CURLE_OPERATION_TIMEDOUT || code == CURLE_SEND_ERROR ||
           code == CURLE_HTTP2_STREAM || code == CURLE_HTTP2;
}

static Outcome transfer(Fetch *f)
{
    char range[32];
    f->asked = f->have;
    f->has_range = false;
    f->message[0] = '\0';
    snprintf(range, sizeof range, "%" PRIu64 "-", f->have);
    f->handle = f->curl.easy_init();
    if (!f->handle) {
        error_set(f->err, ERROR_NO_MEMORY, "libcurl has no memory");
        return OUTCOME_FAILED;
    }
    set_options(f, f->have ? range : NULL);
    CURLcode code = f->curl.easy_perform(f->handle);
    long status = status_of(f);
    f->curl.easy_cleanup(f->handle);
    f->handle = NULL;
    if (code == CURLE_OK) return judge_status(f, status);
    if (f->cancelled) error_set(f->err, ERROR_CANCELLED, "cancelled: %.180s is kept", f->part);
    if (f->err->code != ERROR_NONE) return OUTCOME_FAILED;
    error_set(f->err, ERROR_IO, "%.130s: %.90s", f->options->url,
              f->message[0] ? f->message : f->curl.easy_strerror(code));
    return is_broken_off(code) ? OUTCOME_AGAIN : OUTCOME_FAILED;
}

// --- the file ------------------------------------------------------------------------------------

static bool hash_part(Fetch *f)
{
    static char buffer[1 << 16];
    ssize_t n;
    while ((n = read(f->fd, buffer, sizeof buffer)) > 0) {
        sha256_add(&f->sha, (Str){buffer, (size_t)n});
        f->have += (uint64_t)n;
    }
    return n == 0 || error_set(f->err, ERROR_IO, "%.160s: %s", f->part, strerror(errno));
}

static bool open_part(Fetch *f)
{
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (f->fd < 0)
        return error_set(f->err, ERROR_IO, "cannot write %.160s: %s", f->part, strerror(errno));
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(f->err, ERROR_BUSY, "%.160s is being fetched by another process", f->part);
    // Without a checksum nobody would notice that the file has changed since.
    sha256_init(&f->sha);
    return f->options->sha256 ? hash_part(f) : restart(f);
}

static bool check_part(Fetch *f, FetchResult *result)
{
    const FetchOptions *o = f->options;
    sha256_hex(&f->sha, result->sha256);
    result->n_bytes = f->have;
    if (o->n_bytes && f->have != o->n_bytes)
        error_set(f->err, ERROR_DAMAGED,
                  "%.100s has %" PRIu64 " bytes, wanted %" PRIu64 "; it was removed", o->url,
                  f->have, o->n_bytes);
    else if (o->sha256 && strcasecmp(o->sha256, result->sha256) != 0)
        error_set(f->err, ERROR_DAMAGED, "%.60s has sha256 %s, wanted %.64s; it was removed",
                  strrchr(o->url, '/') + 1, result->sha256, o->sha256);
    if (f->err->code == ERROR_NONE) return true;
    unlink(f->part);
    return false;
}

static bool is_free(const FetchOptions *o, Error *err)
{
    struct stat info;
    if (o->overwrite || lstat(o->path, &info) != 0) return true;
    return error_set(err, ERROR_INVALID, "%.160s exists, wanted a new name or --overwrite",
                     o->path);
}

static bool name_part(Fetch *f)
{
    if (fsync(f->fd) == 0 && rename(f->part, f->options->path) == 0) {
        // What was written piece by piece lies in small pages: read anew it may have large ones.
        posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
        return true;
    }
    return error_set(f->err, ERROR_IO, "cannot name %.160s: %s", f->options->path, strerror(errno));
}

static bool transfer_all(Fetch *f, FetchResult *result)
{
    result->n_resumed = f->have;
    // An earlier try may have all of it.
    if (f->options->n_bytes && f->have == f->options->n_bytes) return true;
    for (int i = 0; i < MAX_TRIES; i++) {
        uint64_t had = f->have;
        Outcome outcome = transfer(f);
        if (outcome == OUTCOME_DONE) return true;
        if (outcome == OUTCOME_FAILED || i == MAX_TRIES - 1) return false;
        if (f->have > had) i = -1; // it goes on, if slowly
        *f->err = (Error){0};
        sleep(i < 0 ? 0 : 1);
    }
    return false;
}

bool fetch_file(const FetchOptions *options, FetchResult *result, Error *err)
{
    Fetch f = {.options = options, .fd = -1, .err = err};
    size_t room = strlen(options->path) + 8;
    *result = (FetchResult){0};
    if (!is_free(options, err) || !load_curl(&f.curl, err)) return false;
    f.part = mem_alloc(room);
    snprintf(f.part, room, "%s.part", options->path);
    bool ok = open_part(&f) && transfer_all(&f, result) && check_part(&f, result) &&
              is_free(options, err) && name_part(&f);
    if (f.fd >= 0 && !ok && f.have == 0 && err->code != ERROR_BUSY) unlink(f.part);
    if (f.fd >= 0) close(f.fd);
    free(f.part);
    return ok;
}

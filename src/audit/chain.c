// Appending reads the last line only; cutting writes a new log beside the old one and renames it.
#include "audit/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "folders.h"

enum { TAIL_BYTES = 1 << 16 };
static const char NO_HASH[] = "0000000000000000000000000000000000000000000000000000000000000000";

typedef struct Log {
    Arena *arena;
    const char *path, *fresh_path, *head_path;
    int lock, fd; // -1: closed
    size_t n_bytes;
} Log;

// --- lines ---------------------------------------------------------------------------------------

static bool is_hash(Str s)
{
    if (s.len != SHA256_HEX) return false;
    for (size_t i = 0; i < s.len; i++)
        if (!memchr("0123456789abcdef", s.ptr[i], 16)) return false;
    return true;
}

static bool take(Str *s, const char *text)
{
    if (!str_starts(*s, str_from(text))) return false;
    *s = str_slice(*s, strlen(text), s->len);
    return true;
}

static bool take_number(Str *s, uint64_t *out)
{
    size_t n = 0;
    *out = 0;
    while (n < s->len && n < 19 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        *out = *out * 10 + (uint64_t)(s->ptr[n++] - '0');
    *s = str_slice(*s, n, s->len);
    return n > 0;
}

// Reads what write_line writes; the body is taken as it is.
static bool read_record(Str line, ChainRecord *out)
{
    uint64_t time, torn;
    *out = (ChainRecord){.hash = str_slice(line, 0, SHA256_HEX)};
    Str s = str_slice(line, SHA256_HEX, line.len);
    if (!is_hash(out->hash) || !take(&s, " ")) return false;
    out->text = s;
    if (!take(&s, "{\"number\":") || !take_number(&s, &out->number) ||
        !take(&s, ",\"previous\":\""))
        return false;
    out->previous = str_slice(s, 0, SHA256_HEX);
    s = str_slice(s, SHA256_HEX, s.len);
    if (!is_hash(out->previous) || !take(&s, "\",\"time\":") || !take_number(&s, &time))
        return false;
    out->time = (int64_t)time;
    if (take(&s, ",\"torn\":") && !take_number(&s, &torn)) return false;
    out->is_anchor = take(&s, ",\"anchor\":");
    if ((!out->is_anchor && !take(&s, ",\"run\":")) || !str_ends(s, STR("}"))) return false;
    out->body = str_slice(s, 0, s.len - 1);
    return out->number > 0;
}

bool chain_next(Str log, size_t *at, ChainRecord *out)
{
    size_t end = str_find(log, STR("\n"), *at);
    if (end >= log.len) return false;
    Str line = str_slice(log, *at, end);
    *at = end + 1;
    if (!read_record(line, out)) *out = (ChainRecord){.text = line};
    return true;
}

static void write_line(StrBuf *out, uint64_t number, Str previous, int64_t when, size_t torn,
                       const char *kind, Str body)
{
    StrBuf text = {0};
    char hash[SHA256_HEX + 1];
    strbuf_printf(&text, "{\"number\":%" PRIu64 ",\"previous\":\"%.*s\",\"time\":%lld", number,
                  STR_FMT(previous), (long long)when);
    if (torn) strbuf_printf(&text, ",\"torn\":%zu", torn);
    strbuf_printf(&text, ",\"%s\":", kind);
    strbuf_append(&text, body);
    strbuf_append_char(&text, '}');
    sha256_of(strbuf_str(&text), hash);
    strbuf_printf(out, "%s ", hash);
    strbuf_append(out, strbuf_str(&text));
    strbuf_append_char(out, '\n');
    strbuf_deinit(&text);
}

// --- the files -----------------------------------------------------------------------------------

static bool fail(const char *path, Error *err)
{
    return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%.200s: %s", path,
                     strerror(errno));
}

static void close_log(Log *log)
{
    if (log->fd >= 0) close(log->fd);
    if (log->lock >= 0) close(log->lock);
    arena_free(log->arena);
}

static bool open_log(Str folder, Log *log, Error *err)
{
    struct stat st;
    *log = (Log){.arena = arena_new(), .lock = -1, .fd = -1};
    log->path = arena_printf(log->arena, "%.*s/log", STR_FMT(folder)).ptr;
    log->fresh_path = arena_printf(log->arena, "%.*s/log.new", STR_FMT(folder)).ptr;
    log->head_path = arena_printf(log->arena, "%.*s/head", STR_FMT(folder)).ptr;
    const char *lock = arena_printf(log->arena, "%.*s/lock", STR_FMT(folder)).ptr;
    if (!folder_make(folder, err)) return false;
    log->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log->lock < 0 || flock(log->lock, LOCK_EX) != 0) return fail(lock, err);
    log->fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (log->fd < 0 || fstat(log->fd, &st) != 0) return fail(log->path, err);
    log->n_bytes = (size_t)st.st_size;
    return true;
}

// Replaces the file at path at once; the temporary one is `fresh`.
static bool replace(const char *path, const char *fresh, Str bytes, bool sync, Error *err)
{
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && text_write_all(fd, bytes) && (!sync || fsync(fd) == 0);
    if (fd >= 0) ok = close(fd) == 0 && ok;
    if (ok && rename(fresh, path) == 0) return true;
    fail(path, err);
    unlink(fresh);
    return false;
}

static bool write_head(Log *log, uint64_t number, const char *hash, Error *err)
{
    const char *fresh = arena_printf(log->arena, "%s.new", log->head_path).ptr;
    // Only the log has to survive a loss of power: a head that is behind is no fault.
    return replace(log->head_path, fresh,
                   arena_printf(log->arena, "%" PRIu64 " %s\n", number, hash), false, err);
}

static bool read_head(Str folder, Arena *arena, uint64_t *number, Str *hash)
{
    Error ignored = {0};
    TextSnap *text =
        text_read_file(arena_printf(arena, "%.*s/head", STR_FMT(folder)).ptr, 200, &ignored);
    if (!text) return false;
    Str s = str_trim(arena_str(arena, text_str(text)));
    text_release(text);
    bool ok = take_number(&s, number) && take(&s, " ");
    *hash = s;
    return ok && is_hash(s);
}

// --- appending -----------------------------------------------------------------------------------

// The last whole line; *n_torn bytes behind it have no end. Empty: there is none.
static bool read_last(Log *log, Str *line, size_t *n_torn, Error *err)
{
    size_t want = TAIL_BYTES;
    *line = (Str){0};
    *n_torn = 0;
    while (log->n_bytes > 0) {
        size_t n = want < log->n_bytes ? want : log->n_bytes;
        char *tail = arena_alloc(log->arena, n);
        if (pread(log->fd, tail, n, (off_t)(log->n_bytes - n)) != (ssize_t)n)
            return fail(log->path, err);
        size_t end = n, start;
        while (end > 0 && tail[end - 1] != '\n')
            end--;
        for (start = end ? end - 1 : 0; start > 0 && tail[start - 1] != '\n';)
            start--;
        *n_torn = n - end;
        *line = (Str){tail + start, end ? end - 1 - start : 0};
        if (start > 0 || n == log->n_bytes) return true;
        want *= 4;
    }
    return true;
}

// What the next record follows.
typedef struct Last {
    uint64_t number;
    char hash[SHA256_HEX + 1];
    size_t n_torn;
} Last;

// A log whose last line cannot be read as a record is set aside, never overwritten.
static bool set_aside(Log *log, ChainEnd *end, Error *err)
{
    const char *aside =
        arena_printf(log->arena, "%s.damaged-%lld", log->path, (long long)time(NULL)).ptr;
    if (rename(log->path, aside) != 0) return fail(log->path, err);
    close(log->fd);
    log->fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    log->n_bytes = 0;
    snprintf(end->note, sizeof end->note, "the log was damaged and is now %.100s", aside);
    return log->fd >= 0 || fail(log->path, err);
}

static bool find_last(Log *log, Last *last, ChainEnd *end, Error *err)
{
    Str line;
    ChainRecord record = {0};
    *last = (Last){0};
    memcpy(last->hash, NO_HASH, sizeof NO_HASH);
    if (!read_last(log, &line, &last->n_torn, err)) return false;
    if (line.len && !read_record(line, &record)) return set_aside(log, end, err);
    if (line.len) {
        last->number = record.number;
        Str hash = record.is_anchor ? record.previous : record.hash;
        memcpy(last->hash, hash.ptr, SHA256_HEX);
    }
    if (last->n_torn == 0) return true;
    snprintf(end->note, sizeof end->note,
             "the last record was not written to its end: %zu bytes are cut off", last->n_torn);
    log->n_bytes -= last->n_torn;
    return ftruncate(log->fd, (off_t)log->n_bytes) == 0 || fail(log->path, err);
}

// --- cutting -------------------------------------------------------------------------------------

static bool is_past(const ChainRecord *record, size_t n_left, size_t aim, int64_t oldest)
{
    return n_left > aim || record->time < oldest;
}

static bool cut(Log *log, ChainLimits limits, Error *err)
{
    TextSnap *snap = text_read_file(log->path, TEXT_MAX_BYTES, err);
    if (!snap) return false;
    Str text = text_str(snap);
    int64_t oldest = limits.seconds > 0 ? (int64_t)time(NULL) - limits.seconds : 0;
    size_t aim = text.len > limits.bytes ? limits.bytes / 4 * 3 : SIZE_MAX;
    ChainRecord record, last = {0};
    uint64_t n_cut = 0;
    size_t at = 0, keep = 0;
    // The last line stays whatever it is, so the loop ends before it.
    while (chain_next(text, &at, &record) && at < text.len) {
        bool gone = record.is_anchor || is_past(&record, text.len - keep, aim, oldest);
        if (!gone) break;
        keep = at;
        if (record.number) last = record;
        n_cut += !record.is_anchor;
    }
    bool ok = true;
    if (n_cut && last.number) {
        StrBuf out = {0};
        char body[80];
        snprintf(body, sizeof body, "{\"cut\":%" PRIu64 ",\"at\":%lld}", n_cut,
                 (long long)time(NULL));
        // Its own time is that of the oldest record that stays, by which is_aged judges.
        write_line(&out, last.number, last.is_anchor ? last.previous : last.hash, record.time, 0,
                   "anchor", str_from(body));
        strbuf_append(&out, str_slice(text, keep, text.len));
        ok = replace(log->path, log->fresh_path, strbuf_str(&out), true, err);
        strbuf_deinit(&out);
    }
    text_release(snap);
    return ok;
}

// Is the oldest record too old?
static bool is_aged(Log *log, int64_t seconds)
{
    char start[256];
    ssize_t n = seconds > 0 ? pread(log->fd, start, sizeof start, 0) : 0;
    Str s = {start, n > 0 ? (size_t)n : 0};
    uint64_t when;
    s = str_slice(s, str_find(s, STR("\"time\":"), 0) + 7, s.len);
    return take_number(&s, &when) && (int64_t)when < (int64_t)time(NULL) - seconds;
}

static bool append_line(Log *log, Str body, ChainEnd *end, Error *err)
{
    Last last;
    StrBuf line = {0};
    if (!find_last(log, &last, end, err)) return false;
    write_line(&line, last.number + 1, str_from(last.hash), (int64_t)time(NULL), last.n_torn, "run",
               body);
    end->number = last.number + 1;
    memcpy(end->hash, line.ptr, SHA256_HEX);
    bool ok = lseek(log->fd, 0, SEEK_END) >= 0 && text_write_all(log->fd, strbuf_str(&line)) &&
              fdatasync(log->fd) == 0;
    if (!ok) {
        fail(log->path, err);
        if (ftruncate(log->fd, (off_t)log->n_bytes) != 0) ok = false; // the next append cuts it
    }
    log->n_bytes += line.len;
    strbuf_deinit(&line);
    return ok && write_head(log, end->number, end->hash, err);
}

bool chain_append(Str folder, Str body, ChainLimits limits, ChainEnd *end, Error *err)
{
    Log log;
    *end = (ChainEnd){0};
    bool ok = open_log(folder, &log, err) && append_line(&log, body, end, err);
    if (ok && (log.n_bytes > limits.bytes || is_aged(&log, limits.seconds)))
        ok = cut(&log, limits, err);
    close_log(&log);
    return ok;
}

// --- reading -------------------------------------------------------------------------------------

TextSnap *chain_read(Str folder, Error *err)
{
    Arena *arena = arena_new();
    const char *lock = arena_printf(arena, "%.*s/lock", STR_FMT(folder)).ptr;
    const char *path = arena_printf(arena, "%.*s/log", STR_FMT(folder)).ptr;
    int fd = open(lock, O_RDONLY | O_CLOEXEC);
    TextSnap *text = NULL;
    if (fd < 0)
        error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "no records: %.160s: %s", lock,
                  strerror(errno));
    else if (flock(fd, LOCK_SH) == 0)
        text = text_read_file(path, TEXT_MAX_BYTES, err);
    else
        fail(lock, err);
    if (fd >= 0) close(fd);
    arena_free(arena);
    return text;
}

typedef struct Check {
    ChainReport *report;
    StrBuf faults;
    Str previous; // hash that the next record has to hold
    uint64_t number;
    Str known;
    bool found_known;
} Check;

static void add_fault(Check *check, uint64_t number, const char *what)
{
    strbuf_printf(&check->faults, "record %" PRIu64 ": %s\n", number, what);
    check->report->n_faults++;
}

// A record that was changed is named by its place, because its own words cannot be believed.
static void check_record(Check *check, const ChainRecord *r)
{
    char hash[SHA256_HEX + 1];
    ChainReport *report = check->report;
    uint64_t wanted = check->number + 1;
    bool anchor = r->is_anchor && report->n_records == 0 && report->n_cut == 0;
    sha256_of(r->text, hash);
    bool whole = r->number > 0 && str_equal(str_from(hash), r->hash);
    check->number = whole || (anchor && r->number) ? r->number : wanted;
    if (!whole) add_fault(check, anchor ? r->number : wanted, "it was changed");
    if (anchor) {
        report->n_cut = r->number;
        check->previous = r->previous;
        check->found_known = check->found_known || str_equal(check->known, r->previous);
        return;
    }
    if (whole && r->number != wanted)
        add_fault(check, r->number, "it does not stand where it was written");
    else if (whole && check->previous.len && !str_equal(check->previous, r->previous))
        add_fault(check, r->number, "what stands before it is not what it was written after");
    check->previous = whole ? r->hash : STR("");
    check->found_known = check->found_known || (whole && str_equal(check->known, r->hash));
    if (report->n_records++ == 0) report->first = check->number;
    report->last = check->number;
    memcpy(report->head, r->number ? r->hash.ptr : NO_HASH, SHA256_HEX);
}

// The head names the last record, or, after a kill, the one before it.
static void check_head(Check *check, Str folder, Str before_last, Arena *arena)
{
    uint64_t number;
    Str hash;
    const ChainReport *r = check->report;
    if (!read_head(folder, arena, &number, &hash)) {
        if (r->n_records > 1) add_fault(check, r->last, "the head that names it is missing");
    } else if (number > r->last) {
        add_fault(check, number, "it is missing at the end: the head names it");
    } else if (!(number == r->last && str_equal(hash, str_from(r->head))) &&
               !(number + 1 == r->last && str_equal(hash, before_last))) {
        add_fault(check, r->last, "the head names another one");
    }
}

bool chain_verify(Str folder, Str known, Arena *arena, ChainReport *out, Error *err)
{
    *out = (ChainReport){0};
    TextSnap *snap = chain_read(folder, err);
    if (!snap) return false;
    Str text = text_str(snap), before_last = {0};
    Check check = {.report = out, .previous = str_from(NO_HASH), .known = known};
    ChainRecord record;
    size_t at = 0;
    while (chain_next(text, &at, &record)) {
        before_last = check.previous;
        check_record(&check, &record);
    }
    if (at < text.len)
        add_fault(&check, check.number + 1,
                  "it was not written to its end; the next run cuts it off and says so");
    check_head(&check, folder, before_last, arena);
    if (known.len && !check.found_known)
        add_fault(&check, out->last, "no record up to it has the hash that was noted");
    out->faults = arena_str(arena, strbuf_str(&check.faults));
    strbuf_deinit(&check.faults);
    text_release(snap);
    return true;
}

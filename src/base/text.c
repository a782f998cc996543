// Snapshots with a line index. An edit copies the text: one memcpy of a few hundred kilobytes a
// keystroke is below a tenth of a millisecond, and nothing is ever shared that can change.
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"

struct TextSnap {
    atomic_uint n_refs;
    uint32_t n_lines;
    uint32_t *line_starts;
    size_t len;
    char data[];
};

// Appends to starts the line starts within data[from, len); `from` itself is not added.
static void scan_lines(const char *data, size_t from, size_t len, uint32_t *starts, uint32_t *n,
                       size_t cap)
{
    for (size_t i = from; i < len; i++) {
        bool breaks = data[i] == '\n' || (data[i] == '\r' && (i + 1 == len || data[i + 1] != '\n'));
        if (!breaks) continue;
        if (starts && *n < cap) starts[*n] = (uint32_t)(i + 1);
        (*n)++;
    }
}

static TextSnap *alloc_snap(size_t len, Error *err)
{
    if (len > TEXT_MAX_BYTES) {
        error_set(err, ERROR_TOO_LARGE, "text of %zu bytes, the limit is %zu", len, TEXT_MAX_BYTES);
        return NULL;
    }
    TextSnap *snap = malloc(sizeof(TextSnap) + len + 1);
    if (!snap) {
        error_set(err, ERROR_NO_MEMORY, "no memory for a text of %zu bytes", len);
        return NULL;
    }
    *snap = (TextSnap){.n_refs = 1, .len = len};
    snap->data[len] = '\0';
    return snap;
}

static TextSnap *index_lines(TextSnap *snap)
{
    uint32_t n = 1;
    scan_lines(snap->data, 0, snap->len, NULL, &n, 0);
    snap->line_starts = mem_alloc(n * sizeof *snap->line_starts);
    snap->line_starts[0] = 0;
    snap->n_lines = 1;
    scan_lines(snap->data, 0, snap->len, snap->line_starts, &snap->n_lines, n);
    assert(snap->n_lines == n);
    return snap;
}

TextSnap *text_new(Str bytes, Error *err)
{
    TextSnap *snap = alloc_snap(bytes.len, err);
    if (!snap) return NULL;
    if (bytes.len) memcpy(snap->data, bytes.ptr, bytes.len);
    return index_lines(snap);
}

static bool read_all(int fd, char *out, size_t *len, size_t cap)
{
    *len = 0;
    while (*len < cap) {
        ssize_t n = read(fd, out + *len, cap - *len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) break;
        *len += (size_t)n;
    }
    return true;
}

TextSnap *text_read_file(const char *path, size_t max_bytes, Error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe is refused, not waited for
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        ErrorCode code = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
        error_set(err, code, "cannot open %s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return NULL;
    }
    TextSnap *snap = NULL;
    size_t len = 0;
    if (!S_ISREG(info.st_mode)) {
        error_set(err, ERROR_INVALID, "%s is not a regular file", path);
    } else if ((size_t)info.st_size > max_bytes) {
        error_set(err, ERROR_TOO_LARGE, "%s has %lld bytes, the limit is %zu", path,
                  (long long)info.st_size, max_bytes);
    } else if ((snap = alloc_snap((size_t)info.st_size, err)) &&
               !read_all(fd, snap->data, &len, snap->len)) {
        error_set(err, ERROR_IO, "cannot read %s: %s", path, strerror(errno));
        free(snap);
        snap = NULL;
    }
    close(fd);
    if (!snap) return NULL;
    snap->len = len; // the file may have shrunk since fstat
    snap->data[len] = '\0';
    return index_lines(snap);
}

bool text_write_all(int fd, Str bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

TextSnap *text_retain(const TextSnap *text)
{
    TextSnap *snap = (TextSnap *)(uintptr_t)text;
    atomic_fetch_add_explicit(&snap->n_refs, 1, memory_order_relaxed);
    return snap;
}

void text_release(const TextSnap *text)
{
    TextSnap *snap = (TextSnap *)(uintptr_t)text;
    if (!snap || atomic_fetch_sub_explicit(&snap->n_refs, 1, memory_order_acq_rel) != 1) return;
    free(snap->line_starts);
    free(snap);
}

TextSnap *text_edit(const TextSnap *text, ByteRange range, Str insert, TextChange *change,
                    Error *err)
{
    if (range.start > range.end || range.end > text->len) {
        error_set(err, ERROR_INVALID, "edit of bytes %zu to %zu in a text of %zu bytes",
                  range.start, range.end, text->len);
        return NULL;
    }
    size_t tail = text->len - range.end;
    if (insert.len > TEXT_MAX_BYTES) insert.len = TEXT_MAX_BYTES; // alloc_snap then refuses
    TextSnap *snap = alloc_snap(range.start + insert.len + tail, err);
    if (!snap) return NULL;
    memcpy(snap->data, text->data, range.start);
    if (insert.len) memcpy(snap->data + range.start, insert.ptr, insert.len);
    memcpy(snap->data + range.start + insert.len, text->data + range.end, tail);
    index_lines(snap);
    if (change) {
        size_t new_end = range.start + insert.len;
        *change = (TextChange){range.start,
                               range.end,
                               new_end,
                               text_point(text, range.start),
                               text_point(text, range.end),
                               text_point(snap, new_end)};
    }
    return snap;
}

Str text_str(const TextSnap *text)
{
    return (Str){text->data, text->len};
}

size_t text_n_bytes(const TextSnap *text)
{
    return text->len;
}

uint32_t text_n_lines(const TextSnap *text)
{
    return text->n_lines;
}

size_t text_line_start(const TextSnap *text, uint32_t row)
{
    return row < text->n_lines ? text->line_starts[row] : text->len;
}

size_t text_line_end(const TextSnap *text, uint32_t row)
{
    if (row >= text->n_lines) return text->len;
    size_t start = text->line_starts[row];
    size_t end = row + 1 < text->n_lines ? text->line_starts[row + 1] : text->len;
    if (row + 1 < text->n_lines) {
        end--;
        if (text->data[end] == '\n' && end > start && text->data[end - 1] == '\r') end--;
    }
    return end;
}

Str text_line(const TextSnap *text, uint32_t row)
{
    size_t start = text_line_start(text, row);
    return (Str){text->data + start, text_line_end(text, row) - start};
}

TextPoint text_point(const TextSnap *text, size_t byte_off)
{
    if (byte_off > text->len) byte_off = text->len;
    uint32_t low = 0, high = text->n_lines;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (text->line_starts[mid] <= byte_off)
            low = mid;
        else
            high = mid;
    }
    return (TextPoint){low, (uint32_t)(byte_off - text->line_starts[low])};
}

size_t text_offset(const TextSnap *text, TextPoint point)
{
    size_t start = text_line_start(text, point.row), end = text_line_end(text, point.row);
    return end - start < point.col_bytes ? end : start + point.col_bytes;
}

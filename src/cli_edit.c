// One replaced range as a unified diff, and as a file that is replaced at once.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { N_CONTEXT = 3 };

// --- diff ----------------------------------------------------------------------------------------

static void put_lines(StrBuf *out, char mark, Str lines)
{
    for (size_t at = 0; at < lines.len;) {
        size_t end = str_next_line(lines, at);
        strbuf_append_char(out, mark);
        strbuf_append(out, str_slice(lines, at, end));
        if (lines.ptr[end - 1] != '\n') strbuf_append(out, STR("\n\\ No newline at end of file\n"));
        at = end;
    }
}

// A side's "start,count" of the hunk header; an empty side names the line before it.
static void put_span(StrBuf *out, char mark, size_t n_before, size_t n_lines)
{
    strbuf_printf(out, "%c%zu,%zu ", mark, n_lines ? n_before + 1 : n_before, n_lines);
}

Str cli_diff(const TextSnap *text, ByteRange range, Str insert, Str path, Arena *arena)
{
    Str all = text_str(text);
    size_t start = str_line_start(all, range.start), end = str_next_line(all, range.end);
    StrBuf changed = {0}, out = {0};
    strbuf_append(&changed, str_slice(all, start, range.start));
    strbuf_append(&changed, insert);
    strbuf_append(&changed, str_slice(all, range.end, end));
    Str old = str_slice(all, start, end), new = strbuf_str(&changed);
    start += str_skip_same_start(&old, &new);
    str_skip_same_end(&old, &new);
    end = start + old.len;
    size_t before = start, after = end;
    for (int i = 0; i < N_CONTEXT; i++) {
        before = before ? str_line_start(all, before - 1) : 0;
        after = str_next_line(all, after);
    }
    size_t n_context =
        str_n_lines(str_slice(all, before, start)) + str_n_lines(str_slice(all, end, after));
    size_t n_before = str_n_lines(str_slice(all, 0, before));
    if (old.len || new.len) {
        strbuf_printf(&out, "--- a/%.*s\n+++ b/%.*s\n@@ ", STR_FMT(path), STR_FMT(path));
        put_span(&out, '-', n_before, n_context + str_n_lines(old));
        put_span(&out, '+', n_before, n_context + str_n_lines(new));
        strbuf_append(&out, STR("@@\n"));
        put_lines(&out, ' ', str_slice(all, before, start));
        put_lines(&out, '-', old);
        put_lines(&out, '+', new);
        put_lines(&out, ' ', str_slice(all, end, after));
    }
    Str diff = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&changed);
    strbuf_deinit(&out);
    return diff;
}

// --- file ----------------------------------------------------------------------------------------

// The owner is kept where the user may do that; the mode must be.
static bool fill_file(int fd, const struct stat *old, Str bytes)
{
    bool owned = fchown(fd, old->st_uid, old->st_gid) == 0;
    mode_t mode = old->st_mode & (owned ? 07777 : 0777); // no set-id bits for another owner
    return fchmod(fd, mode) == 0 && text_write_all(fd, bytes) && fsync(fd) == 0;
}

// Nobody's file can be lost, and half of one is taken back.
static bool write_new(const char *path, Str bytes, Error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && text_write_all(fd, bytes);
    int cause = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        cause = errno;
    }
    if (!ok && fd >= 0) unlink(path);
    return ok || error_set(err, ERROR_IO, "cannot write %.160s: %s", path, strerror(cause));
}

bool cli_write_file(const char *path, Str bytes, Error *err)
{
    char *real = realpath(path, NULL),
         temp[PATH_MAX + 16]; // a link stays a link: its target changes
    struct stat old;
    if (!real && errno == ENOENT) return write_new(path, bytes, err);
    if (!real || stat(real, &old) != 0) {
        free(real);
        return error_set(err, ERROR_IO, "%.160s: %s", path, strerror(errno));
    }
    snprintf(temp, sizeof temp, "%s.r1ls-XXXXXX", real);
    int fd = mkstemp(temp);
    bool made = fd >= 0, ok = made && fill_file(fd, &old, bytes);
    int cause = errno;
    if (made && close(fd) != 0 && ok) {
        ok = false;
        cause = errno;
    }
    if (ok && rename(temp, real) != 0) {
        ok = false;
        cause = errno;
    }
    if (!ok && made) unlink(temp);
    free(real);
    return ok || error_set(err, ERROR_IO, "cannot write %.160s: %s", path, strerror(cause));
}

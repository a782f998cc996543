// The framing state machine. Two states: synchronised (the next byte starts a header) and lost
// (bytes are thrown away up to the next complete header).
//
//   bytes: [done with | header CRLF CRLF body.... | next header ..]
//           0          n_read
#include "frame.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static const Str LENGTH_NAME = {"Content-Length", 14};
static const Str HEADER_END = {"\r\n\r\n", 4};

static bool equal_fold(Str a, Str b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static bool parse_length(Str digits, size_t *out)
{
    size_t value = 0;
    if (digits.len == 0) return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') return false;
        if (value > (SIZE_MAX - 9) / 10) return false;
        value = value * 10 + (size_t)(digits.ptr[i] - '0');
    }
    *out = value;
    return true;
}

static bool is_name_char(char c)
{
    return c > ' ' && c < 127 && c != ':';
}

static bool is_value_char(char c)
{
    return c == '\t' || (c >= ' ' && c <= '~');
}

// One header line. Content-Length is stored; other well-formed fields are skipped, as the base
// protocol allows Content-Type and future fields.
static bool parse_field(Str line, bool *has_length, size_t *length, Error *err)
{
    size_t colon = str_find(line, STR(":"), 0);
    Str name = str_slice(line, 0, colon);
    bool well_formed = colon < line.len && name.len > 0;
    for (size_t i = 0; well_formed && i < line.len; i++)
        well_formed = i < colon ? is_name_char(line.ptr[i]) : is_value_char(line.ptr[i]);
    if (!well_formed) return error_set(err, ERROR_DAMAGED, "a header line without 'Name: value'");
    if (!equal_fold(name, LENGTH_NAME)) return true;
    size_t value;
    Str digits = str_trim(str_slice(line, colon + 1, line.len));
    if (!parse_length(digits, &value))
        return error_set(err, ERROR_DAMAGED, "Content-Length '%.*s', wanted a decimal number",
                         (int)(digits.len < 40 ? digits.len : 40), digits.ptr ? digits.ptr : "");
    if (*has_length && *length != value)
        return error_set(err, ERROR_DAMAGED, "two Content-Length fields, %zu and %zu", *length,
                         value);
    *has_length = true;
    *length = value;
    return true;
}

// True while bytes can still become a header: no control characters but CR LF pairs. Telling
// early keeps garbage without line ends from waiting for FRAME_MAX_HEADER_BYTES.
static bool may_be_header(Str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        bool ends_line = c == '\r' && (i + 1 == bytes.len || bytes.ptr[i + 1] == '\n');
        bool in_pair = c == '\n' && i > 0 && bytes.ptr[i - 1] == '\r';
        if (!ends_line && !in_pair && !is_value_char(c)) return false;
    }
    return bytes.len == 0 || is_name_char(bytes.ptr[0]);
}

FrameStatus frame_parse_header(Str bytes, size_t *header_bytes, size_t *body_bytes, Error *err)
{
    Str window = str_slice(bytes, 0, FRAME_MAX_HEADER_BYTES);
    size_t end = str_find(window, HEADER_END, 0);
    if (end == window.len) {
        if (window.len < FRAME_MAX_HEADER_BYTES && may_be_header(window)) return FRAME_PARTIAL;
        error_set(err, ERROR_DAMAGED, "%zu bytes that are no header, wanted 'Content-Length: N'",
                  window.len);
        return FRAME_INVALID;
    }
    bool has_length = false;
    for (size_t start = 0; start < end;) {
        size_t line_end = str_find(window, STR("\r\n"), start);
        if (!parse_field(str_slice(window, start, line_end), &has_length, body_bytes, err))
            return FRAME_INVALID;
        start = line_end + 2;
    }
    if (!has_length) {
        error_set(err, ERROR_DAMAGED, "a header without Content-Length");
        return FRAME_INVALID;
    }
    *header_bytes = end + HEADER_END.len;
    return FRAME_CONSUMED;
}

static Str get_unread(const FrameReader *reader)
{
    return str_slice(strbuf_str(&reader->bytes), reader->n_read, reader->bytes.len);
}

// Offset of the next "Content-Length" without regard to case, or where one could still begin.
static size_t find_candidate(Str bytes, size_t from)
{
    for (size_t i = from; i < bytes.len; i++) {
        size_t n = bytes.len - i < LENGTH_NAME.len ? bytes.len - i : LENGTH_NAME.len;
        if ((bytes.ptr[i] | 32) == 'c' && strncasecmp(bytes.ptr + i, LENGTH_NAME.ptr, n) == 0)
            return i;
    }
    return bytes.len;
}

// Drops bytes up to the next complete header of an acceptable frame. False: more are needed.
static bool find_header(FrameReader *reader)
{
    Str unread = get_unread(reader);
    size_t at = find_candidate(unread, 0), header_bytes, body_bytes;
    while (at < unread.len) {
        Error ignored = {0};
        FrameStatus status = frame_parse_header(str_slice(unread, at, unread.len), &header_bytes,
                                                &body_bytes, &ignored);
        if (status == FRAME_PARTIAL) break;
        if (status == FRAME_CONSUMED && body_bytes <= FRAME_MAX_BYTES) {
            reader->n_read += at;
            reader->lost = false;
            return true;
        }
        at = find_candidate(unread, at + 1);
    }
    reader->n_read += at;
    return false;
}

void frame_deinit(FrameReader *reader)
{
    strbuf_deinit(&reader->bytes);
    *reader = (FrameReader){0};
}

// Moves what is unread to the front, and gives back the memory of a large message.
static void compact(FrameReader *reader)
{
    const size_t keep_bytes = (size_t)1 << 20;
    if (reader->n_read == 0) return;
    size_t n_left = reader->bytes.len - reader->n_read;
    if (n_left == 0 && reader->bytes.cap > keep_bytes) strbuf_deinit(&reader->bytes);
    if (n_left) memmove(reader->bytes.ptr, reader->bytes.ptr + reader->n_read, n_left);
    reader->bytes.len = n_left;
    reader->n_read = 0;
}

void frame_feed(FrameReader *reader, Str bytes)
{
    compact(reader);
    strbuf_append(&reader->bytes, bytes);
}

FrameStatus frame_next(FrameReader *reader, Str *body, Error *err)
{
    if (reader->lost && !find_header(reader)) return FRAME_PARTIAL;
    Str unread = get_unread(reader);
    if (unread.len == 0) return FRAME_PARTIAL;
    size_t header_bytes = 0, body_bytes = 0;
    FrameStatus status = frame_parse_header(unread, &header_bytes, &body_bytes, err);
    if (status == FRAME_PARTIAL) return FRAME_PARTIAL;
    if (status == FRAME_CONSUMED && body_bytes > FRAME_MAX_BYTES) {
        error_set(err, ERROR_TOO_LARGE, "a message of %zu bytes, the limit is %zu", body_bytes,
                  FRAME_MAX_BYTES);
        reader->n_read += header_bytes;
        status = FRAME_INVALID;
    }
    if (status == FRAME_INVALID) {
        reader->lost = true;
        return FRAME_INVALID;
    }
    if (unread.len - header_bytes < body_bytes) return FRAME_PARTIAL;
    *body = str_slice(unread, header_bytes, header_bytes + body_bytes);
    reader->n_read += header_bytes + body_bytes;
    return FRAME_CONSUMED;
}

void frame_write_header(StrBuf *out, size_t n_bytes)
{
    strbuf_printf(out, "Content-Length: %zu\r\n\r\n", n_bytes);
}

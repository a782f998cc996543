// TextSnap: one version of a document's bytes, immutable and reference counted.
//
// An edit makes a new snapshot, so a worker may read the old one while the user types. Lines end
// at LF, CR LF or CR (LSP 3.17, "Text Documents"); the last line may be empty. Bytes need not be
// valid UTF-8. A text is limited to TEXT_MAX_BYTES, so offsets fit in 32 bits.
//
//   data:        i n t \n   x ; \r \n  (NUL after the last byte, not counted)
//   line_starts: 0      4            8
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define TEXT_MAX_BYTES ((size_t)1 << 30)

typedef struct TextSnap TextSnap;

// Half-open range of byte offsets.
typedef struct ByteRange {
    size_t start, end;
} ByteRange;

// A place as row and byte column, both from 0.
typedef struct TextPoint {
    uint32_t row, col_bytes;
} TextPoint;

// Replaces [range.start, range.end) of the old text by n_new bytes; points for tree-sitter.
typedef struct TextChange {
    size_t start, old_end, new_end;
    TextPoint start_point, old_end_point, new_end_point;
} TextChange;

// A copy of bytes as a snapshot with one reference. NULL with ERROR_TOO_LARGE past the limit.
TextSnap *text_new(Str bytes, Error *err);
// The file's contents; ERROR_NOT_FOUND, ERROR_IO or ERROR_TOO_LARGE (over max_bytes).
TextSnap *text_read_file(const char *path, size_t max_bytes, Error *err);
// Writes all of bytes to fd, whatever a single write takes. False with errno set.
bool text_write_all(int fd, Str bytes);
// Counted references; any thread. text_release(NULL) is allowed.
TextSnap *text_retain(const TextSnap *text);
void text_release(const TextSnap *text);

// A new snapshot with range replaced by insert. range must lie within the text (checked:
// ERROR_INVALID). *change (may be NULL) describes the edit for an incremental reparse.
TextSnap *text_edit(const TextSnap *text, ByteRange range, Str insert, TextChange *change,
                    Error *err);

// The bytes, borrowed for the life of the snapshot, NUL-terminated.
Str text_str(const TextSnap *text);
size_t text_n_bytes(const TextSnap *text);
// At least 1.
uint32_t text_n_lines(const TextSnap *text);
// Offset of the line's first byte; lines past the end give the text's length.
size_t text_line_start(const TextSnap *text, uint32_t row);
// Offset after the line's last byte before its line break.
size_t text_line_end(const TextSnap *text, uint32_t row);
// The line without its break.
Str text_line(const TextSnap *text, uint32_t row);
// Row and column of an offset (clamped to the text), O(log lines), and back (clamped to the line).
TextPoint text_point(const TextSnap *text, size_t byte_off);
size_t text_offset(const TextSnap *text, TextPoint point);

// Frames: `Content-Length: N CR LF CR LF` followed by N bytes of JSON.
//
// The reader takes whatever bytes arrive, in whatever pieces, and survives all of them. Memory
// follows what has arrived, never what a header promises. After bytes that are no frame, or a
// frame over FRAME_MAX_BYTES, it looks for the next complete header and goes on there: raw CR LF
// CR LF after a Content-Length line cannot occur inside valid JSON, so a real body is never cut.
#pragma once

#include "base/error.h"
#include "base/str.h"

#define FRAME_MAX_BYTES ((size_t)64 << 20)
#define FRAME_MAX_HEADER_BYTES ((size_t)4096)

typedef enum FrameStatus {
    FRAME_PARTIAL,  // more bytes are needed
    FRAME_CONSUMED, // a whole header, or a whole frame, was read
    FRAME_INVALID,  // these bytes are no frame; see err
} FrameStatus;

// Zero-initialise. Private fields.
typedef struct FrameReader {
    StrBuf bytes;
    size_t n_read; // bytes of `bytes` that are done with
    bool lost;     // looking for the next header
} FrameReader;

void frame_deinit(FrameReader *reader);
// Appends what arrived.
void frame_feed(FrameReader *reader, Str bytes);
// The next body, borrowed until the next call on the reader. FRAME_INVALID is told once for a run
// of bad bytes (ERROR_DAMAGED, or ERROR_TOO_LARGE for a body over the limit); call again.
FrameStatus frame_next(FrameReader *reader, Str *body, Error *err);
// Reads one header block at the start of bytes; pure. CONSUMED sets both numbers.
FrameStatus frame_parse_header(Str bytes, size_t *header_bytes, size_t *body_bytes, Error *err);
// Appends the header of a body of n_bytes.
void frame_write_header(StrBuf *out, size_t n_bytes);

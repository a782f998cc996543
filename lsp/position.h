// Positions of the protocol: a line and a count of code units, in the encoding that client and
// server agreed on. Only this module knows UTF-16.
#pragma once

#include "base/text.h"

typedef enum PositionEncoding { POSITION_UTF8, POSITION_UTF16, POSITION_UTF32 } PositionEncoding;

typedef struct LspPosition {
    uint32_t line, character; // both from 0; character in units of the encoding
} LspPosition;

typedef struct LspRange {
    LspPosition start, end;
} LspRange;

// "utf-8", "utf-16", "utf-32".
const char *position_encoding_name(PositionEncoding encoding);
// False for an unknown name.
bool position_encoding_find(Str name, PositionEncoding *out);

// The byte offset of a position. Lines past the end give the end of the text, characters past the
// end of a line the end of that line before its break, and units inside a character its start. A
// byte that is not valid UTF-8 counts as one unit.
size_t position_to_offset(const TextSnap *text, LspPosition position, PositionEncoding encoding);
// The position of an offset (clamped to the text; inside a character or a line break: its start).
LspPosition position_from_offset(const TextSnap *text, size_t byte_off, PositionEncoding encoding);

// The code units of some text of a line.
uint32_t position_count_units(Str part, PositionEncoding encoding);

// Both ends; a range given backwards is turned round.
ByteRange position_to_range(const TextSnap *text, LspRange range, PositionEncoding encoding);
LspRange position_from_range(const TextSnap *text, ByteRange range, PositionEncoding encoding);

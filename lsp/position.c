// Conversion between byte offsets and code units, one line at a time: a position costs the length
// of its line, which is short except in generated files.
#include "position.h"

static const char *const names[] = {"utf-8", "utf-16", "utf-32"};

// Bytes of the character at the start of s; a byte that starts none stands for itself.
static size_t get_char_bytes(Str s)
{
    size_t n = str_utf8_len(s);
    return n ? n : 1;
}

static uint32_t get_units(size_t char_bytes, PositionEncoding encoding)
{
    if (encoding == POSITION_UTF8) return (uint32_t)char_bytes;
    return encoding == POSITION_UTF16 && char_bytes == 4 ? 2 : 1;
}

const char *position_encoding_name(PositionEncoding encoding)
{
    return names[encoding];
}

bool position_encoding_find(Str name, PositionEncoding *out)
{
    for (int i = 0; i < 3; i++) {
        if (!str_equal(name, str_from(names[i]))) continue;
        *out = (PositionEncoding)i;
        return true;
    }
    return false;
}

size_t position_to_offset(const TextSnap *text, LspPosition position, PositionEncoding encoding)
{
    size_t start = text_line_start(text, position.line), at = 0;
    Str line = text_line(text, position.line);
    uint32_t units = 0;
    while (at < line.len) {
        size_t char_bytes = get_char_bytes(str_slice(line, at, line.len));
        units += get_units(char_bytes, encoding);
        if (units > position.character) break;
        at += char_bytes;
    }
    return start + at;
}

LspPosition position_from_offset(const TextSnap *text, size_t byte_off, PositionEncoding encoding)
{
    TextPoint point = text_point(text, byte_off);
    Str line = text_line(text, point.row);
    LspPosition position = {point.row, 0};
    for (size_t at = 0; at < line.len;) {
        size_t char_bytes = get_char_bytes(str_slice(line, at, line.len));
        at += char_bytes;
        if (at > point.col_bytes) break;
        position.character += get_units(char_bytes, encoding);
    }
    return position;
}

uint32_t position_count_units(Str part, PositionEncoding encoding)
{
    uint32_t units = 0;
    for (size_t at = 0; at < part.len;) {
        size_t char_bytes = get_char_bytes(str_slice(part, at, part.len));
        units += get_units(char_bytes, encoding);
        at += char_bytes;
    }
    return units;
}

ByteRange position_to_range(const TextSnap *text, LspRange range, PositionEncoding encoding)
{
    size_t a = position_to_offset(text, range.start, encoding);
    size_t b = position_to_offset(text, range.end, encoding);
    return a <= b ? (ByteRange){a, b} : (ByteRange){b, a};
}

LspRange position_from_range(const TextSnap *text, ByteRange range, PositionEncoding encoding)
{
    return (LspRange){position_from_offset(text, range.start, encoding),
                      position_from_offset(text, range.end, encoding)};
}

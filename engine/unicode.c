// Decoding of UTF-8 and the look-up of a code point's class in the generated two-level table.
#include "unicode.h"

static CharClass class_of(uint32_t code)
{
    const unsigned long long *page = unicode_pages[unicode_page_of[code >> 8]];
    return (CharClass)(page[(code >> 4) & 15] >> (4 * (code & 15)) & 15);
}

UniChar unicode_at(Str text, size_t byte_off)
{
    if (byte_off >= text.len) return (UniChar){0, 0, CHAR_OTHER};
    const unsigned char *b = (const unsigned char *)text.ptr + byte_off;
    if (b[0] < 0x80) return (UniChar){b[0], 1, class_of(b[0])};
    size_t n = str_utf8_len((Str){text.ptr + byte_off, text.len - byte_off});
    if (n == 0) return (UniChar){b[0], 1, CHAR_OTHER};
    uint32_t code = b[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (b[i] & 0x3F);
    return (UniChar){code, (uint32_t)n, class_of(code)};
}

size_t unicode_put(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xF0) | code);
    return n;
}

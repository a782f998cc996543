// Code points of a byte string and their classes, for the pre-tokenizers.
//
// Total over any bytes: a byte that starts no valid UTF-8 character counts as a character of its
// own, of class CHAR_OTHER, so that no input is ever lost or refused. Pure functions, any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

// General categories by their first letter, except that White_Space comes before all of them.
typedef enum CharClass {
    CHAR_OTHER,  // C*, unassigned, invalid bytes
    CHAR_LETTER, // L*
    CHAR_NUMBER, // N*
    CHAR_SPACE,  // the property White_Space
    CHAR_MARK,   // M*
    CHAR_PUNCT,  // P*
    CHAR_SYMBOL, // S*
} CharClass;

// The character at an offset. At the end of the text n_bytes is 0 and kind is CHAR_OTHER.
typedef struct UniChar {
    uint32_t code; // the byte itself where the bytes are not UTF-8
    uint32_t n_bytes;
    CharClass kind;
} UniChar;

UniChar unicode_at(Str text, size_t byte_off);
// The UTF-8 form of a code point (< 0x110000) into out; returns its length.
size_t unicode_put(uint32_t code, char out[4]);

// The generated table (unicode_table.c); use unicode_at.
extern const unsigned char unicode_page_of[4352];
extern const unsigned long long unicode_pages[][16];

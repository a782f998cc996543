// Byte slices and a growing byte buffer. Bytes, not characters: nothing here assumes UTF-8.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// A borrowed slice; ptr may be NULL only when len is 0. Not NUL-terminated unless stated.
typedef struct Str {
    const char *ptr;
    size_t len;
} Str;

// For printf: printf("%.*s", STR_FMT(s)).
#define STR_FMT(s) (int)(s).len, (s).ptr ? (s).ptr : ""
// A slice of a string literal.
#define STR(literal) ((Str){"" literal, sizeof(literal) - 1})

// A slice of a NUL-terminated string; NULL gives the empty slice.
Str str_from(const char *c_str);
bool str_equal(Str a, Str b);
// memcmp order, shorter first among equal prefixes.
int str_compare(Str a, Str b);
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
// s[start, end), both clamped to s.
Str str_slice(Str s, size_t start, size_t end);
// Without spaces, tabs, CR and LF at either end.
Str str_trim(Str s);
Str str_trim_end(Str s);
// Offset of the first needle at or after from, or s.len.
size_t str_find(Str s, Str needle, size_t from);
bool str_contains(Str s, const char *needle);
// What stands before the next `end`; *s goes on behind that.
Str str_take(Str *s, Str end);
// Lines that end at LF only, as patch(1) sees them; the break belongs to its line, and the last one
// may have none: where the one at `at` begins, where the one at `from` ends, and how many there
// are.
size_t str_line_start(Str s, size_t at);
size_t str_next_line(Str s, size_t from);
size_t str_n_lines(Str s);
// Drops the whole lines that both begin with, and returns how many bytes that was.
size_t str_skip_same_start(Str *a, Str *b);
// Drops those that both end with.
void str_skip_same_end(Str *a, Str *b);
// What stands behind the last slash.
Str str_base_name(Str path);
// What stands before it, the last slash included; "" where there is none.
Str str_folder(Str path);
// The folder that a folder (with its last slash) lies in, with its slash; "" where there is none.
Str str_parent(Str folder);
// A byte of a name: a letter, a digit, '_', or any byte of a character beyond ASCII.
bool str_is_word_byte(char c);
// A name as languages have them: bytes of a word, and no digit first.
bool str_is_name(Str s);
// FOO, FOO_BAR: letters, and none of them small.
bool str_is_upper(Str s);
// Offset of the first `word` at or after from that is no part of a longer name, or s.len.
size_t str_find_word(Str s, Str word, size_t from);
bool str_has_word(Str s, Str word);
// 64-bit FNV-1a; seed 0 for a plain hash.
unsigned long long str_hash(Str s, unsigned long long seed);
// The length in bytes (1..4) of the valid UTF-8 character at s.ptr[0], or 0 if it is not one
// (empty, truncated, overlong, surrogate, > U+10FFFF). Unicode 15, table 3-7.
size_t str_utf8_len(Str s);

// A growing buffer. Zero-initialise; the contents are NUL-terminated once non-empty.
typedef struct StrBuf {
    char *ptr;
    size_t len;
    size_t cap;
} StrBuf;

void strbuf_deinit(StrBuf *buf);
void strbuf_clear(StrBuf *buf);
void strbuf_reserve(StrBuf *buf, size_t extra);
void strbuf_append(StrBuf *buf, Str s);
void strbuf_append_char(StrBuf *buf, char c);
void strbuf_printf(StrBuf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull));
// The contents as a borrowed slice, valid until the next change.
Str strbuf_str(const StrBuf *buf);

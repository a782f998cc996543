// Slices and buffers.
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

Str str_from(const char *c_str)
{
    return (Str){c_str, c_str ? strlen(c_str) : 0};
}

bool str_equal(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int str_compare(Str a, Str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(Str s, Str prefix)
{
    return s.len >= prefix.len && str_equal(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.len >= suffix.len && str_equal(str_slice(s, s.len - suffix.len, s.len), suffix);
}

Str str_slice(Str s, size_t start, size_t end)
{
    if (end > s.len) end = s.len;
    if (start > end) start = end;
    return s.ptr ? (Str){s.ptr + start, end - start} : (Str){NULL, 0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

Str str_trim_end(Str s)
{
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

Str str_trim(Str s)
{
    size_t start = 0;
    while (start < s.len && is_blank(s.ptr[start]))
        start++;
    return str_trim_end(str_slice(s, start, s.len));
}

size_t str_find(Str s, Str needle, size_t from)
{
    if (from > s.len) return s.len;
    if (needle.len == 0) return from;
    if (needle.len > s.len - from)
        return s.len; // memmem takes no NULL, which an empty slice may be
    const char *hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return hit ? (size_t)(hit - s.ptr) : s.len;
}

Str str_take(Str *s, Str end)
{
    size_t at = str_find(*s, end, 0);
    Str before = str_slice(*s, 0, at);
    *s = str_slice(*s, at + end.len, s->len);
    return before;
}

size_t str_line_start(Str s, size_t at)
{
    while (at > 0 && s.ptr[at - 1] != '\n')
        at--;
    return at;
}

size_t str_next_line(Str s, size_t from)
{
    size_t lf = str_find(s, STR("\n"), from);
    return lf < s.len ? lf + 1 : s.len;
}

size_t str_n_lines(Str s)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len; at = str_next_line(s, at))
        n++;
    return n;
}

size_t str_skip_same_start(Str *a, Str *b)
{
    size_t at = 0;
    while (at < a->len && at < b->len) {
        size_t end = str_next_line(*a, at);
        if (str_next_line(*b, at) != end ||
            !str_equal(str_slice(*a, at, end), str_slice(*b, at, end)))
            break;
        at = end;
    }
    *a = str_slice(*a, at, a->len);
    *b = str_slice(*b, at, b->len);
    return at;
}

void str_skip_same_end(Str *a, Str *b)
{
    while (a->len && b->len) {
        size_t i = str_line_start(*a, a->len - 1), j = str_line_start(*b, b->len - 1);
        if (!str_equal(str_slice(*a, i, a->len), str_slice(*b, j, b->len))) return;
        a->len = i;
        b->len = j;
    }
}

Str str_base_name(Str path)
{
    size_t start = path.len;
    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    return str_slice(path, start, path.len);
}

Str str_folder(Str path)
{
    return str_slice(path, 0, path.len - str_base_name(path).len);
}

Str str_parent(Str folder)
{
    return folder.len ? str_folder(str_slice(folder, 0, folder.len - 1)) : folder;
}

bool str_contains(Str s, const char *needle)
{
    return str_find(s, str_from(needle), 0) < s.len;
}

bool str_is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

bool str_is_name(Str s)
{
    if (s.len == 0 || (s.ptr[0] >= '0' && s.ptr[0] <= '9')) return false;
    for (size_t i = 0; i < s.len; i++)
        if (!str_is_word_byte(s.ptr[i])) return false;
    return true;
}

bool str_is_upper(Str s)
{
    bool upper = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= 'a' && s.ptr[i] <= 'z') return false;
        upper = upper || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z');
    }
    return upper;
}

size_t str_find_word(Str s, Str word, size_t from)
{
    for (size_t at = from; (at = str_find(s, word, at)) < s.len; at++) {
        size_t end = at + word.len;
        bool begins = at == 0 || !str_is_word_byte(s.ptr[at - 1]);
        if (begins && (end >= s.len || !str_is_word_byte(s.ptr[end]))) return at;
    }
    return s.len;
}

bool str_has_word(Str s, Str word)
{
    return str_find_word(s, word, 0) < s.len;
}

unsigned long long str_hash(Str s, unsigned long long seed)
{
    uint64_t hash = 0xcbf29ce484222325ull ^ seed;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3ull;
    return hash;
}

static bool continues(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

size_t str_utf8_len(Str s)
{
    const unsigned char *b = (const unsigned char *)s.ptr;
    if (s.len == 0) return 0;
    if (b[0] < 0x80) return 1;
    if (b[0] >= 0xC2 && b[0] <= 0xDF) return s.len >= 2 && continues(b[1], 0x80, 0xBF) ? 2 : 0;
    if (b[0] >= 0xE0 && b[0] <= 0xEF) {
        unsigned char low = b[0] == 0xE0 ? 0xA0 : 0x80, high = b[0] == 0xED ? 0x9F : 0xBF;
        bool ok = s.len >= 3 && continues(b[1], low, high) && continues(b[2], 0x80, 0xBF);
        return ok ? 3 : 0;
    }
    if (b[0] >= 0xF0 && b[0] <= 0xF4) {
        unsigned char low = b[0] == 0xF0 ? 0x90 : 0x80, high = b[0] == 0xF4 ? 0x8F : 0xBF;
        bool ok = s.len >= 4 && continues(b[1], low, high) && continues(b[2], 0x80, 0xBF) &&
                  continues(b[3], 0x80, 0xBF);
        return ok ? 4 : 0;
    }
    return 0;
}

void strbuf_deinit(StrBuf *buf)
{
    free(buf->ptr);
    *buf = (StrBuf){0};
}

void strbuf_clear(StrBuf *buf)
{
    buf->len = 0;
    if (buf->ptr) buf->ptr[0] = '\0';
}

void strbuf_reserve(StrBuf *buf, size_t extra)
{
    size_t wanted = buf->len + extra + 1;
    if (wanted <= buf->cap) return;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < wanted)
        cap += cap / 2 + 1;
    buf->ptr = mem_resize(buf->ptr, cap);
    buf->cap = cap;
}

void strbuf_append(StrBuf *buf, Str s)
{
    strbuf_reserve(buf, s.len);
    if (s.len) memcpy(buf->ptr + buf->len, s.ptr, s.len);
    buf->len += s.len;
    buf->ptr[buf->len] = '\0';
}

void strbuf_append_char(StrBuf *buf, char c)
{
    strbuf_append(buf, (Str){&c, 1});
}

void strbuf_printf(StrBuf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) abort();
    strbuf_reserve(buf, (size_t)n);
    vsnprintf(buf->ptr + buf->len, (size_t)n + 1, fmt, again);
    va_end(again);
    buf->len += (size_t)n;
}

Str strbuf_str(const StrBuf *buf)
{
    return (Str){buf->ptr, buf->len};
}

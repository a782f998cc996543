// RFC 3986 as far as file names need it. Clients differ in what they encode, so paths, not URIs,
// are compared between an open document and the disk.
#include "uri.h"

#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// A '%' that starts no valid escape stands for itself.
static Str decode(Str s, Arena *arena)
{
    char *out = arena_alloc(arena, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len && s.ptr[i] == '%' ? hex_value(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.ptr[i + 2]) : -1;
        out[n++] = low >= 0 ? (char)(high * 16 + low) : s.ptr[i];
        if (low >= 0) i += 2;
    }
    return (Str){out, n};
}

Str uri_to_path(Str uri, Arena *arena)
{
    const Str scheme = STR("file://"), local = STR("localhost");
    Str none = {0};
    if (uri.len < scheme.len || strncasecmp(uri.ptr, scheme.ptr, scheme.len) != 0) return none;
    Str rest = str_slice(uri, scheme.len, uri.len);
    if (str_starts(rest, local)) rest = str_slice(rest, local.len, rest.len);
    rest = str_slice(rest, 0, str_find(rest, STR("?"), 0));
    rest = str_slice(rest, 0, str_find(rest, STR("#"), 0));
    if (!str_starts(rest, STR("/"))) return none;
    Str path = decode(rest, arena);
    return memchr(path.ptr, '\0', path.len) ? none : path;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~/", c));
}

Str uri_from_path(Str path, Arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, 3 * path.len + 8);
    memcpy(out, "file://", 7);
    size_t n = 7;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (is_plain((char)c)) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    return (Str){out, n};
}

Str uri_base_name(Str uri, Arena *arena)
{
    size_t start = uri.len;
    while (start > 0 && uri.ptr[start - 1] != '/' && uri.ptr[start - 1] != ':')
        start--;
    return decode(str_slice(uri, start, uri.len), arena);
}

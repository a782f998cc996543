#include "formal/ctype.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS(type) (int)(sizeof(type) * CHAR_BIT)

const CType ctype_int = {C_INT, C_VOID, BITS(int), true, false, 0};
const CType ctype_bool = {C_BOOL, C_VOID, 8, false, false, 0};
const CType ctype_void = {C_VOID, C_VOID, 0, false, false, 0};
const CType ctype_size = {C_INT, C_VOID, BITS(size_t), false, false, 0};

static bool read_named(Str word, CType *out)
{
    static const struct {
        Str name;
        int bits;
        bool is_signed;
    } rows[] = {{STR("int8_t"), 8, true},
                {STR("int16_t"), 16, true},
                {STR("int32_t"), 32, true},
                {STR("int64_t"), 64, true},
                {STR("uint8_t"), 8, false},
                {STR("uint16_t"), 16, false},
                {STR("uint32_t"), 32, false},
                {STR("uint64_t"), 64, false},
                {STR("size_t"), BITS(size_t), false},
                {STR("ssize_t"), BITS(size_t), true},
                {STR("ptrdiff_t"), BITS(ptrdiff_t), true},
                {STR("intptr_t"), BITS(intptr_t), true},
                {STR("uintptr_t"), BITS(uintptr_t), false},
                {STR("intmax_t"), BITS(intmax_t), true},
                {STR("uintmax_t"), BITS(uintmax_t), false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_equal(rows[i].name, word)) continue;
        *out = (CType){C_INT, C_VOID, rows[i].bits, rows[i].is_signed, false, 0};
        return true;
    }
    if (str_equal(word, STR("bool")) || str_equal(word, STR("_Bool")))
        *out = ctype_bool;
    else if (str_equal(word, STR("void")))
        *out = ctype_void;
    else
        return false;
    return true;
}

bool ctype_read(Str words, CType *out)
{
    enum { CHAR, SHORT, LONG, INT, SIGNED, UNSIGNED, N_WORDS };
    static const Str names[N_WORDS] = {STR("char"), STR("short"),  STR("long"),
                                       STR("int"),  STR("signed"), STR("unsigned")};
    int n[N_WORDS] = {0};
    words = str_trim(words);
    if (read_named(words, out)) return true;
    if (words.len == 0) return false;
    while (words.len) {
        size_t end = 0, i = 0;
        while (end < words.len && !strchr(" \t\r\n", words.ptr[end]))
            end++;
        while (i < N_WORDS && !str_equal(names[i], str_slice(words, 0, end)))
            i++;
        if (i == N_WORDS) return false;
        n[i]++;
        words = str_trim(str_slice(words, end, words.len));
    }
    int bits = n[CHAR]        ? CHAR_BIT
               : n[SHORT]     ? BITS(short)
               : n[LONG] == 1 ? BITS(long)
               : n[LONG]      ? BITS(long long)
                              : BITS(int);
    bool is_signed = n[CHAR] ? n[UNSIGNED] == 0 && (CHAR_MIN < 0 || n[SIGNED]) : n[UNSIGNED] == 0;
    *out = (CType){C_INT, C_VOID, bits, is_signed, false, 0};
    return true;
}

CType ctype_pointee(CType pointer)
{
    return (CType){pointer.elem, C_VOID, pointer.bits, pointer.is_signed, false, pointer.layout};
}

CType ctype_pointer_to(CType elem)
{
    return (CType){C_POINTER, elem.kind, elem.bits, elem.is_signed, false, elem.layout};
}

CType ctype_promote(CType type)
{
    return type.bits < ctype_int.bits ? ctype_int
                                      : (CType){C_INT, C_VOID, type.bits, type.is_signed, false, 0};
}

CType ctype_common(CType a, CType b)
{
    a = ctype_promote(a);
    b = ctype_promote(b);
    if (a.bits != b.bits) return a.bits > b.bits ? a : b;
    return a.is_signed ? b : a;
}

bool ctype_read_number(Str text, CType *type, uint64_t *value)
{
    char digits[80];
    char *end;
    if (text.len == 0 || text.len >= sizeof digits) return false;
    if (text.ptr[0] < '0' || text.ptr[0] > '9') return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    bool binary = digits[0] == '0' && (digits[1] == 'b' || digits[1] == 'B');
    bool decimal = digits[0] != '0';
    *value = binary ? strtoull(digits + 2, &end, 2) : strtoull(digits, &end, 0);
    int n_u = 0, n_l = 0;
    for (; *end; end++) {
        if (*end == 'u' || *end == 'U')
            n_u++;
        else if (*end == 'l' || *end == 'L')
            n_l++;
        else
            return false;
    }
    // The first type of C11 6.4.4.1 that holds it.
    int bits = n_l ? 64 : 32;
    bool is_unsigned = n_u > 0;
    if (bits == 32 && is_unsigned && *value > UINT32_MAX) bits = 64;
    if (bits == 32 && !is_unsigned && *value > INT32_MAX) {
        is_unsigned = !decimal && *value <= UINT32_MAX;
        if (!is_unsigned) bits = 64;
    }
    if (bits == 64 && !is_unsigned && *value > INT64_MAX) is_unsigned = true;
    *type = (CType){C_INT, C_VOID, bits, !is_unsigned, false, 0};
    return n_u <= 1 && n_l <= 2;
}

bool ctype_read_char(Str text, uint64_t *value)
{
    static const char from[] = "abfnrtv\\'\"?", to[] = "\a\b\f\n\r\t\v\\'\"?";
    if (text.len < 3 || text.ptr[0] != '\'' || text.ptr[text.len - 1] != '\'') return false;
    Str body = str_slice(text, 1, text.len - 1);
    unsigned char c = (unsigned char)body.ptr[0];
    if (body.len == 1 && c < 128) {
        *value = c;
        return true;
    }
    if (body.len < 2 || c != '\\') return false;
    const char *escape = strchr(from, body.ptr[1]);
    char digits[8] = "", *end;
    if (body.len == 2 && escape && body.ptr[1]) {
        *value = (unsigned char)to[escape - from];
        return true;
    }
    bool hex = body.ptr[1] == 'x';
    Str number = str_slice(body, hex ? 2 : 1, body.len);
    if (number.len == 0 || number.len >= sizeof digits) return false;
    memcpy(digits, number.ptr, number.len);
    unsigned long code = strtoul(digits, &end, hex ? 16 : 8);
    if (*end || code > UCHAR_MAX) return false;
    *value = (uint64_t)(int64_t)(char)code; // an int with the value of that char
    return true;
}

bool ctype_read_limit(Str name, CType *type, uint64_t *value)
{
#define ROW(limit, bits, is_signed)                                                                \
    {                                                                                              \
        STR(#limit), (uint64_t)limit, bits, is_signed                                              \
    }
    static const struct {
        Str name;
        uint64_t value;
        int bits;
        bool is_signed;
    } rows[] = {ROW(CHAR_BIT, 32, true),  ROW(CHAR_MIN, 32, true),    ROW(CHAR_MAX, 32, true),
                ROW(SCHAR_MIN, 32, true), ROW(SCHAR_MAX, 32, true),   ROW(UCHAR_MAX, 32, true),
                ROW(SHRT_MIN, 32, true),  ROW(SHRT_MAX, 32, true),    ROW(USHRT_MAX, 32, true),
                ROW(INT_MIN, 32, true),   ROW(INT_MAX, 32, true),     ROW(UINT_MAX, 32, false),
                ROW(LONG_MIN, 64, true),  ROW(LONG_MAX, 64, true),    ROW(ULONG_MAX, 64, false),
                ROW(LLONG_MIN, 64, true), ROW(LLONG_MAX, 64, true),   ROW(ULLONG_MAX, 64, false),
                ROW(INT8_MIN, 32, true),  ROW(INT8_MAX, 32, true),    ROW(UINT8_MAX, 32, true),
                ROW(INT16_MIN, 32, true), ROW(INT16_MAX, 32, true),   ROW(UINT16_MAX, 32, true),
                ROW(INT32_MIN, 32, true), ROW(INT32_MAX, 32, true),   ROW(UINT32_MAX, 32, false),
                ROW(INT64_MIN, 64, true), ROW(INT64_MAX, 64, true),   ROW(UINT64_MAX, 64, false),
                ROW(SIZE_MAX, 64, false), ROW(PTRDIFF_MAX, 64, true), ROW(PTRDIFF_MIN, 64, true)};
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_equal(rows[i].name, name)) continue;
        *type = (CType){C_INT, C_VOID, rows[i].bits, rows[i].is_signed, false, 0};
        *value = rows[i].value;
        return true;
    }
    return false;
}

const char *ctype_print(CType type, uint64_t value, char out[32])
{
    int unused = 64 - type.bits;
    if (type.kind == C_BOOL)
        snprintf(out, 32, "%s", value ? "true" : "false");
    else if (type.is_signed)
        snprintf(out, 32, "%" PRId64, (int64_t)(value << unused) >> unused);
    else
        snprintf(out, 32, "%" PRIu64, value);
    return out;
}

// C's integer types as this machine has them, and the conversions between them (C11 6.3.1).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

typedef enum CKind { C_VOID, C_INT, C_BOOL, C_POINTER, C_STRUCT } CKind;

// A type's values; which of two types of equal width it is (long, long long) makes no difference.
// Of a pointer, bits and is_signed describe what it points to, and `elem` says whether that is
// C_INT, C_BOOL or C_STRUCT.
typedef struct CType {
    CKind kind, elem;
    int bits; // 8 to 64, a bool's 8 included
    bool is_signed;
    bool is_const; // what a pointer points to may not be written
    int layout;    // of a structure, or of what a pointer points to: which one of the translator's
} CType;

extern const CType ctype_int, ctype_bool, ctype_void, ctype_size;

// "unsigned long int", "uint8_t", "size_t", "bool", "void"... False: no integer type, or unknown.
bool ctype_read(Str words, CType *out);
// What is pointed to.
CType ctype_pointee(CType pointer);
CType ctype_pointer_to(CType elem);
// int, where int holds all of its values, else itself.
CType ctype_promote(CType type);
// The usual arithmetic conversions.
CType ctype_common(CType a, CType b);
// "42", "0x2AuL", "'\n'". False: not an integer constant.
bool ctype_read_number(Str text, CType *type, uint64_t *value);
bool ctype_read_char(Str text, uint64_t *value);
// INT_MAX and the like.
bool ctype_read_limit(Str name, CType *type, uint64_t *value);
// "-3", "255u" is written without its u.
const char *ctype_print(CType type, uint64_t value, char out[32]);

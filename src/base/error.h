// Errors: a code and one sentence naming the thing, the value found and the value wanted.
//
// Fallible functions return bool or a pointer and take an `Error *err` last (never NULL).
// The first failure recorded in an Error wins; later ones are ignored.
#pragma once

#include <stdbool.h>

// X(name, the code as text): the one list of codes. lsp/ maps them to JSON-RPC codes.
#define ERROR_CODES(X)                                                                             \
    X(ERROR_NONE, "none")                                                                          \
    X(ERROR_INVALID, "invalid")         /* the caller's data is wrong */                           \
    X(ERROR_DAMAGED, "damaged")         /* a file or message breaks its format */                  \
    X(ERROR_UNSUPPORTED, "unsupported") /* valid, but outside what r1ls implements */              \
    X(ERROR_NOT_FOUND, "not found")                                                                \
    X(ERROR_IO, "input/output")                                                                    \
    X(ERROR_NO_MEMORY, "no memory")                                                                \
    X(ERROR_TOO_LARGE, "too large")                                                                \
    X(ERROR_CANCELLED, "cancelled")                                                                \
    X(ERROR_BUSY, "busy")                                                                          \
    X(ERROR_INTERNAL, "internal")

typedef enum ErrorCode {
#define X(name, text) name,
    ERROR_CODES(X)
#undef X
} ErrorCode;

typedef struct Error {
    ErrorCode code;
    char text[240];
} Error;

// Records the first failure (printf form) and always returns false. Any thread that owns *err.
bool error_set(Error *err, ErrorCode code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull));

// The code's name from ERROR_CODES; never NULL.
const char *error_code_text(ErrorCode code);

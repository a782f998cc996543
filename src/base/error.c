// Formatting and names of errors; no policy about what to do with them.
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(Error *err, ErrorCode code, const char *fmt, ...)
{
    if (err->code != ERROR_NONE) return false;
    err->code = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return false;
}

const char *error_code_text(ErrorCode code)
{
    static const char *const texts[] = {
#define X(name, text) text,
        ERROR_CODES(X)
#undef X
    };
    return (unsigned)code < sizeof texts / sizeof *texts ? texts[code] : "unknown";
}

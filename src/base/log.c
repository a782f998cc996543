// The log sink: one of the two mutable globals of the program, set once at start.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static LogLevel max_level = LOG_WARN;

void log_set_level(LogLevel level)
{
    max_level = level;
}

LogLevel log_level(void)
{
    return max_level;
}

void log_line(LogLevel level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > max_level) return;
    char line[2048];
    int n = snprintf(line, sizeof line, "r1ls %.3f %s: ", clock_ms() / 1e3, names[level]);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    size_t len = strlen(line);
    line[len++] = '\n';
    fwrite(line, 1, len, stderr); // one call: stdio's own lock keeps the line whole
}

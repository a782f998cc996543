// Log lines to stderr, never stdout. User code appears at debug level only.
#pragma once

typedef enum LogLevel { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } LogLevel;

// Set once at start, before threads exist. Default LOG_WARN.
void log_set_level(LogLevel level);
LogLevel log_level(void);

// One line, printf form, without a newline at the end. Any thread; lines do not interleave.
void log_line(LogLevel level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

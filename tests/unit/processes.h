// Looks at the machine's processes, for tests that kill.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Reads a file of /proc; the length, at most n_bytes - 1, 0 if it is gone.
static inline size_t process_read(const char *path, char *out, size_t n_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, n_bytes - 1);
    if (fd >= 0) close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

// Does the command line of a process contain the text?
static inline bool process_is(long pid, const char *text)
{
    char path[64], line[2048];
    snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    size_t n = process_read(path, line, sizeof line);
    for (size_t i = 0; i < n; i++)
        if (!line[i]) line[i] = ' ';
    return strstr(line, text) != NULL;
}

// The process under `root` (its children, their children, ...) whose command line contains the
// text; 0 if there is none. Only these are read: the command line of a stranger can block, for as
// long as the kernel holds the lock of its memory.
static inline long process_below(long root, const char *text)
{
    char path[64], children[4096];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", root, root);
    process_read(path, children, sizeof children);
    char *end = children;
    for (long pid; (pid = strtol(end, &end, 10)) > 0;) {
        long found = process_is(pid, text) ? pid : process_below(pid, text);
        if (found) return found;
    }
    return 0;
}

// Is any process of the machine alive whose command line contains the text?
static inline bool process_is_alive(const char *text)
{
    bool found = false;
    DIR *dir = opendir("/proc");
    for (struct dirent *e; !found && (e = readdir(dir));)
        found = atol(e->d_name) > 0 && process_is(atol(e->d_name), text);
    closedir(dir);
    return found;
}

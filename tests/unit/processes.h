// Looks at the machine's processes, for tests that kill.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Is a process alive whose command line contains the text?
static inline bool process_is_alive(const char *text)
{
    bool found = false;
    DIR *dir = opendir("/proc");
    for (struct dirent *e; !found && (e = readdir(dir));) {
        char path[300], line[2048] = {0};
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        ssize_t n = read(fd, line, sizeof line - 1);
        close(fd);
        for (ssize_t i = 0; i < n; i++)
            if (!line[i]) line[i] = ' ';
        found = strstr(line, text) != NULL;
    }
    closedir(dir);
    return found;
}

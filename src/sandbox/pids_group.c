#include "sandbox/pids_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_TRIES = 50, REMOVE_WAIT_US = 10000 };

static int open_in(const char *folder, const char *name)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return open(path, O_WRONLY | O_CLOEXEC);
}

static bool set_limit(const char *folder, int n)
{
    int fd = open_in(folder, "pids.max");
    if (fd < 0) return false;
    bool ok = dprintf(fd, "%d\n", n) > 0;
    return close(fd) == 0 && ok;
}

void pids_group_new(PidsGroup *out, int n)
{
    static const char *const hierarchies[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
    static atomic_int counter;
    *out = (PidsGroup){.fd = -1};
    for (int i = 0; geteuid() == 0 && i < 2 && out->fd < 0; i++) {
        snprintf(out->path, sizeof out->path, "%s/r1ls-%ld-%d", hierarchies[i], (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        if (mkdir(out->path, 0755) != 0) continue;
        if (set_limit(out->path, n)) out->fd = open_in(out->path, "cgroup.procs");
        if (out->fd < 0) rmdir(out->path);
    }
    if (out->fd < 0) out->path[0] = '\0';
}

void pids_group_join(const PidsGroup *group)
{
    if (group->fd >= 0 && write(group->fd, "0", 1) < 0) return; // the poller still counts
}

void pids_group_free(PidsGroup *group)
{
    if (group->path[0] == '\0') return;
    if (group->fd >= 0) close(group->fd);
    for (int i = 0; rmdir(group->path) != 0 && errno == EBUSY && i < REMOVE_TRIES; i++)
        usleep(REMOVE_WAIT_US);
    *group = (PidsGroup){.fd = -1};
}

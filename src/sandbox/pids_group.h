// A control group that bounds how many processes a sandbox has, for root: RLIMIT_NPROC does not
// hold for root, and who counts processes from outside may come too late for some that double each
// moment. The kernel's "Control Group v2", section "PID", and "cgroup-v1/pids" describe pids.max.
#pragma once

#include <stdbool.h>

typedef struct PidsGroup {
    char path[128]; // empty: there is none
    int fd;         // its cgroup.procs; -1: none
} PidsGroup;

// A group of at most n processes and threads beneath the pids hierarchy (version 1) or the unified
// one. Leaves `out` empty where the user is not root or no group can be made. Any thread.
void pids_group_new(PidsGroup *out, int n);
// The calling process joins it. After a fork: only calls that are safe in a signal handler.
void pids_group_join(const PidsGroup *group);
// Removes the group, whose processes have ended or end just now: waits for a moment.
void pids_group_free(PidsGroup *group);

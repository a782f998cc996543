// /proc/self/statm: pages in all, resident ones, and of these the shared ones (files, /dev/shm).
#include "base/memory_use.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

MemoryUse memory_use_read(void)
{
    unsigned long long resident = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return (MemoryUse){0, 0};
    if (fscanf(file, "%*u %llu %llu", &resident, &shared) != 2) resident = shared = 0;
    fclose(file);
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t own = resident > shared ? resident - shared : 0;
    return (MemoryUse){own * page_bytes, shared * page_bytes};
}

void memory_use_trim(void)
{
    malloc_trim(0);
}

void memory_use_let_go(const void *bytes, size_t n_bytes)
{
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)bytes;
    uintptr_t start = (first + page_bytes - 1) / page_bytes * page_bytes;
    uintptr_t end = (first + n_bytes) / page_bytes * page_bytes;
    if (end <= start) return;
    // A kernel before 5.4 refuses, and none takes pages that another process has mapped too.
    madvise((void *)start, end - start, MADV_PAGEOUT);
    madvise((void *)start, end - start, MADV_DONTNEED);
}

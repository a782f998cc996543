// What this process has in memory, as the kernel counts it.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Resident bytes. Anonymous memory is the process's own: heap, stacks, caches; nothing but the
// process can give it back. Mapped files (a model's weights, the program) are counted apart: the
// kernel drops their pages where others need the room, and processes share them.
typedef struct MemoryUse {
    uint64_t anonymous, mapped;
} MemoryUse;

// Zeros where the kernel does not tell. Any thread; microseconds.
MemoryUse memory_use_read(void);
// Pages that the allocator holds and nobody uses go back to the kernel. Any thread; milliseconds
// where there are many.
void memory_use_trim(void);
// The pages of a mapped file that lie within these bytes leave memory; whoever reads them brings
// them back. Nobody may have written to the bytes: what was written would be lost. Any thread.
void memory_use_let_go(const void *bytes, size_t n_bytes);

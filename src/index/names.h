// Names: every distinct string once, with a number that never changes.
//
// One owner at a time; readers may share it while nobody interns.
#pragma once

#include <stdint.h>

#include "base/str.h"

#define NAMES_NONE UINT32_MAX

typedef struct Names {
    // Private but for n and letters.
    uint32_t n, cap;
    char *bytes;
    size_t n_bytes, cap_bytes;
    uint64_t *starts;  // n + 1 of them once there is a name
    uint32_t *letters; // names_letters of each
    uint32_t *slots;   // 1 + id; 0: free
    size_t n_slots;
} Names;

// Zero-initialise. Frees all.
void names_clear(Names *names);
// The number of name, a new one if it is new. At most 2^32 - 2 names.
uint32_t names_intern(Names *names, Str name);
// The same for a name that is known to be new; names_sort has to follow, which makes it known.
// Loading millions is several times as fast this way.
void names_append(Names *names, Str name);
void names_sort(Names *names);
// NAMES_NONE if it is unknown.
uint32_t names_find(const Names *names, Str name);
// Borrowed until the next names_intern.
Str names_text(const Names *names, uint32_t id);
// Which letters a text has, without regard to case, as bits: a name that lacks one of a query's
// bits has not all of its letters. names->letters says it of each name.
uint32_t names_letters(Str text);
// Heap bytes, for the memory limit.
size_t names_memory(const Names *names);

// Sets of whole numbers as sorted runs [first, last].
#pragma once

#include <stddef.h>

typedef struct Interval {
    int first, last;
} Interval;

// Joins runs that overlap or touch, in place; they are sorted by first. Returns how many are left.
size_t interval_merge(Interval *runs, size_t n);

// Whether x lies in one of n merged runs.
int interval_contains(const Interval *runs, size_t n, int x);

#include "interval.h"

size_t interval_merge(Interval *runs, size_t n)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_kept && runs[i].first < runs[n_kept - 1].last + 1) {
            if (runs[i].last > runs[n_kept - 1].last) runs[n_kept - 1].last = runs[i].last;
        } else {
            runs[n_kept++] = runs[i];
        }
    }
    return n_kept;
}

int interval_contains(const Interval *runs, size_t n, int x)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (x < runs[middle].first) {
            high = middle;
        } else if (x > runs[middle].last) {
            low = middle + 1;
        } else {
            return 1;
        }
    }
    return 0;
}

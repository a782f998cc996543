#include <stdio.h>

#include "interval.h"

static int n_failed;

static void expect(const char *what, long got, long wanted)
{
    if (got == wanted) return;
    printf("FAILED: %s is %ld, wanted %ld\n", what, got, wanted);
    n_failed++;
}

int main(void)
{
    Interval runs[] = {{1, 3}, {4, 6}, {10, 12}, {11, 11}, {20, 20}};
    size_t n = interval_merge(runs, 5);
    expect("the number of runs", (long)n, 3);
    expect("the beginning of the first run", runs[0].first, 1);
    expect("the end of the first run", runs[0].last, 6);
    expect("6 is in", interval_contains(runs, n, 6), 1);
    expect("12 is in", interval_contains(runs, n, 12), 1);
    expect("20 is in", interval_contains(runs, n, 20), 1);
    expect("7 is in", interval_contains(runs, n, 7), 0);
    expect("0 is in", interval_contains(runs, n, 0), 0);
    expect("21 is in", interval_contains(runs, n, 21), 0);
    return n_failed != 0;
}

#include "base/random.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

double random_uniform(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1.0p-53;
}

void random_shuffle(void *items, size_t n, size_t size, uint64_t *state)
{
    char *bytes = items;
    for (size_t i = n; i > 1; i--) {
        char *a = bytes + (i - 1) * size, *b = bytes + random_next(state) % i * size;
        for (size_t k = 0; k < size; k++) {
            char swap = a[k];
            a[k] = b[k];
            b[k] = swap;
        }
    }
}

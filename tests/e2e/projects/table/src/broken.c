#include "table.h"

size_t count_entries(const struct table *t)
{
    size_t n = 0
    for (size_t i = 0; i < t->n_buckets; i++ {
        n += t->buckets[i] != NULL;
    }
    return n;
}

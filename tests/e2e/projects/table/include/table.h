#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>

struct entry {
    char *key;
    char *value;
    struct entry *next;
};

struct table {
    struct entry **buckets;
    size_t n_buckets;
    size_t n_entries;
};

int table_init(struct table *t, size_t n_buckets);
void table_deinit(struct table *t);
struct entry *table_find(const struct table *t, const char *key);
int table_put(struct table *t, const char *key, const char *value);
int table_remove(struct table *t, const char *key);
size_t table_longest_chain(const struct table *t);

#endif

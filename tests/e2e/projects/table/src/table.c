#include "table.h"

#include <stdlib.h>
#include <string.h>

static size_t hash_key(const char *key)
{
    size_t hash = 5381;
    for (; *key; key++)
        hash = hash * 33 + (unsigned char)*key;
    return hash;
}

int table_init(struct table *t, size_t n_buckets)
{
    t->buckets = calloc(n_buckets, sizeof *t->buckets);
    if (!t->buckets)
        return -1;
    t->n_buckets = n_buckets;
    t->n_entries = 0;
    return 0;
}

static void free_entry(struct entry *e)
{
    free(e->key);
    free(e->value);
    free(e);
}

void table_deinit(struct table *t)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        struct entry *e = t->buckets[i];
        while (e) {
            struct entry *next = e->next;
            free_entry(e);
            e = next;
        }
    }
    free(t->buckets);
}

struct entry *table_find(const struct table *t, const char *key)
{
    struct entry *e = t->buckets[hash_key(key) % t->n_buckets];
    while (e && strcmp(e->key, key) != 0)
        e = e->next;
    return e;
}

int table_put(struct table *t, const char *key, const char *value)
{
    struct entry *e = table_find(t, key);
    char *copy = strdup(value);
    if (!copy)
        return -1;
    if (e) {
        free(e->value);
        e->value = copy;
        return 0;
    }
    e = malloc(sizeof *e);
    if (!e) {
        free(copy);
        return -1;
    }
    size_t bucket = hash_key(key) % t->n_buckets;
    e->key = strdup(key);
    e->value = copy;
    e->next = t->buckets[bucket];
    t->buckets[bucket] = e;
    t->n_entries++;
    return 0;
}

int table_remove(struct table *t, const char *key)
{
    struct entry **link = &t->buckets[hash_key(key) % t->n_buckets];
    while (*link && strcmp((*link)->key, key) != 0)
        link = &(*link)->next;
    if (!*link)
        return -1;
    struct entry *e = *link;
    *link = e->next;
    free_entry(e);
    t->n_entries--;
    return 0;
}

// Returns the number of entries in the fullest bucket.
size_t table_longest_chain(const struct table *t)
{
}

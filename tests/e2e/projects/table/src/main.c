#include <stdio.h>
#include <string.h>

#include "table.h"

static void print_entry(const struct entry *e)
{
    printf("%s=%s\n", e->key, e->value);
}

static void print_all(const struct table *t)
{
    for (size_t i = 0; i < t->n_buckets; i++)
        for (const struct entry *e = t->buckets[i]; e; e = e->next)
            print_entry(e);
}

int main(int argc, char **argv)
{
    struct table t;
    if (table_init(&t, 64) != 0) {
        fprintf(stderr, "no memory\n");
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals) {
            table_remove(&t, argv[i]);
            continue;
        }
        *equals = '\0';
        if (table_put(&t, argv[i], equals + 1) != 0)
            return 1;
    }
    print_all(&t);
    table_deinit(&t);
    return 0;
}

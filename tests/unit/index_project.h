// A small C project in a folder of its own, its index, and a cache of its own.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include "index/index.h"
#include "unit/unit.h"

typedef struct Setup {
    char work[64], root[80], cache[80];
} Setup;

static void run_shell(const char *format, const char *a)
{
    char command[400];
    snprintf(command, sizeof command, format, a);
    assert_int_equal(system(command), 0);
}

static void put_file(const Setup *s, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", s->root, name);
    run_shell("mkdir -p $(dirname %s)", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    Setup *s = calloc(1, sizeof *s);
    snprintf(s->work, sizeof s->work, "/tmp/r1ls-index-XXXXXX");
    assert_non_null(mkdtemp(s->work));
    snprintf(s->root, sizeof s->root, "%s/project", s->work);
    snprintf(s->cache, sizeof s->cache, "%s/cache", s->work);
    setenv("XDG_CACHE_HOME", s->cache, 1);
    mkdir(s->root, 0700);
    put_file(s, "table.h", "// Counts.\nint table_count(const struct table *t);\n");
    put_file(s, "src/table.c",
             "#include \"table.h\"\nstruct table { int n_rows; };\n"
             "int table_count(const struct table *t)\n{\n    return t->n_rows;\n}\n"
             "static int helper(void) { return 1; }\n");
    put_file(s, "src/main.c", "#include \"table.h\"\nint main(void) { return table_count(0); }\n");
    put_file(s, "src/other.c", "int other(void) { return table_count(0); }\n");
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    Setup *s = *state;
    run_shell("rm -rf %s", s->work);
    free(s);
    return 0;
}

static void on_news(void *user)
{
    (void)user;
}

static Index *open_index(const Setup *s)
{
    IndexOptions options = {.root = s->root,
                            .rules = {"", 1 << 20, 1000},
                            .n_threads = 2,
                            .max_memory_bytes = 64 << 20,
                            .keep = true};
    return index_open(&options, (IndexEvents){on_news, NULL});
}

static IndexStatus wait_ready(Index *index)
{
    IndexStatus status = {0};
    for (int i = 0; i < 10000; i++) {
        status = index_status(index);
        if (status.state == INDEX_READY && status.n_pending == 0) return status;
        usleep(1000);
    }
    fail_msg("the index is not ready in 10 s, state %d", (int)status.state);
    return status;
}

static void close_index(Index *index)
{
    index_close(index);
    while (index_status(index).state != INDEX_CLOSED)
        usleep(500);
    index_release(index);
}

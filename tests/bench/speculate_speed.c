// Tokens a second with and without prompt look-up: writing out a file that the prompt holds, as an
// edit or a fix does, and writing something new. usage: speculate_speed MODEL
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

enum { MAX_IDS = 4096, N_TOKENS = 160 };

static const char FILE_TEXT[] =
    "static int table_insert(struct table *t, const char *key, void *value)\n{\n"
    "    size_t slot = hash_string(key) & (t->n_slots - 1);\n"
    "    while (t->slots[slot].key && strcmp(t->slots[slot].key, key) != 0)\n"
    "        slot = (slot + 1) & (t->n_slots - 1);\n"
    "    if (!t->slots[slot].key) t->n_used++;\n"
    "    t->slots[slot] = (struct slot){strdup(key), value};\n"
    "    return t->n_used * 4 > t->n_slots * 3 ? table_grow(t) : 0;\n}\n";

static double measure(Session *s, const int *ids, int n, bool speculate, GenerateResult *result)
{
    Error err = {0};
    SyncStats stats;
    GenerateOptions o = {.max_tokens = N_TOKENS, .speculate = speculate};
    if (!session_sync(s, ids, n, (EngineCancel){0}, &stats, &err) ||
        !session_generate(s, &o, result, &err)) {
        fprintf(stderr, "speculate_speed: %s\n", err.text);
        exit(1);
    }
    return result->n_tokens * 1e3 / result->ms;
}

static void compare(Engine *e, Session *s, const char *name, const char *text)
{
    static int ids[MAX_IDS];
    int n = (int)engine_tokenize(e, str_from(text), true, ids, MAX_IDS);
    GenerateResult with, without;
    if (n > MAX_IDS) exit(1);
    measure(s, ids, n, false, &without);
    double plain = measure(s, ids, n, false, &without), fast = measure(s, ids, n, true, &with);
    printf("%-10s %3d tokens: %6.1f t/s, with guesses %6.1f t/s (%.2f times), %.2f tokens a pass, "
           "%d of %d guesses right\n",
           name, with.n_tokens, plain, fast, fast / plain,
           with.n_passes ? (double)with.n_tokens / with.n_passes : 0, with.n_guessed_right,
           with.n_guessed);
}

int main(int argc, char **argv)
{
    Error err = {0};
    static char copy[1 << 14], fresh[1 << 12];
    if (argc < 2) return fprintf(stderr, "usage: speculate_speed MODEL\n"), 2;
    Engine *engine = engine_open(&(EngineOptions){.path = argv[1]}, &err);
    Session *session = engine ? session_new(engine, 2048, &err) : NULL;
    if (!session) return fprintf(stderr, "speculate_speed: %s\n", err.text), 1;
    snprintf(copy, sizeof copy,
             "// table.c\n%s\n// The same function in table_copy.c, with the name table_put:\n"
             "static int table_put(struct table *t, const char *key",
             FILE_TEXT);
    snprintf(fresh, sizeof fresh,
             "// Reads a PNG header and checks every field of it.\n"
             "static bool png_read_header(");
    printf("%.*s, %s\n", STR_FMT(engine_info(engine)->name), engine_info(engine)->isa);
    compare(engine, session, "repeating", copy);
    compare(engine, session, "new", fresh);
    session_free(session);
    engine_close(engine);
    return 0;
}

// What guessing ahead is worth: tokens a pass, right guesses and processor time of writing with
// nothing, look-up, the MTP block (where there is one), and both as their measured costs say.
//
//   speculate_speed MODEL          writing out what the prompt holds, and something new
//   speculate_speed MODEL FILE...  going on from the middle of each file
//
// One thread and processor time, so that a busy machine matters less.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session_state.h"

enum { MAX_IDS = 1 << 15, MAX_PROMPT = 1000, N_TOKENS = 160, N_WAYS = 5, N_ROUNDS = 3 };

static const char FILE_TEXT[] =
    "static int table_insert(struct table *t, const char *key, void *value)\n{\n"
    "    size_t slot = hash_string(key) & (t->n_slots - 1);\n"
    "    while (t->slots[slot].key && strcmp(t->slots[slot].key, key) != 0)\n"
    "        slot = (slot + 1) & (t->n_slots - 1);\n"
    "    if (!t->slots[slot].key) t->n_used++;\n"
    "    t->slots[slot] = (struct slot){strdup(key), value};\n"
    "    return t->n_used * 4 > t->n_slots * 3 ? table_grow(t) : 0;\n}\n";

static const char *const ways[N_WAYS] = {"nothing", "look-up", "MTP, one", "MTP, three",
                                         "as it pays"};

// Costs that make the engine do one thing only: the other source would never pay.
static void choose_way(Engine *e, int way)
{
    static SpeculationCosts learned;
    SpeculationCosts only = {.alone_ms = 1, .row_ms = way == 2 ? 0.4 : 1e-3, .frozen = true};
    if (way == 1)
        only.mtp_ms = 1e6;
    else
        only.mtp_ms = 1e-3;
    for (int m = 0; m <= SPECULATE_MAX_MATCH; m++)
        only.accepted[m] = way == 1 && m > 0 ? 0.8 : 0;
    if (way == 2) only.accepted[0] = 0.45; // a second guess would not pay
    if (way == 3) only.accepted[0] = 0.9;
    if (learned.alone_ms == 0) learned = e->speculation;
    if (way < 4 && !e->speculation.frozen) learned = e->speculation;
    e->speculation = way == 4 ? learned : only;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static double measure(Session *s, const int *ids, int n, int way, GenerateResult *result)
{
    Error err = {0};
    SyncStats stats;
    GenerateOptions o = {.max_tokens = N_TOKENS, .speculate = way > 0};
    choose_way(s->engine, way);
    bool ok = session_sync(s, ids, n, (EngineCancel){0}, &stats, &err);
    double start = now();
    if (!ok || !session_generate(s, &o, result, &err)) {
        fprintf(stderr, "speculate_speed: %s\n", err.text);
        exit(1);
    }
    return now() - start;
}

static void compare(Session *s, const char *name, const char *text, int max_ids)
{
    static int ids[MAX_IDS];
    int n = (int)engine_tokenize(s->engine, str_from(text), true, ids, MAX_IDS);
    if (n > max_ids) n = max_ids;
    double alone = 0;
    printf("%s, %d tokens of prompt\n", name, n);
    for (int way = 0; way < N_WAYS; way++) {
        GenerateResult r;
        double best = 1e18;
        if (!s->engine->weights.mtp.present && (way == 2 || way == 3)) continue;
        for (int round = 0; round < N_ROUNDS; round++) {
            double ms = measure(s, ids, n, way, &r);
            if (ms < best) best = ms;
        }
        if (way == 0) alone = best;
        printf(
            "  %-10s %3d tokens, %.2f a pass, %3d of %3d guesses right (MTP %3d of %3d), %7.1f ms, "
            "%.2f times as fast\n",
            ways[way], r.n_tokens, r.n_passes ? (double)r.n_tokens / r.n_passes : 0,
            r.n_guessed_right, r.n_guessed, r.n_mtp_right, r.n_mtp, best, alone / best);
    }
}

static void compare_file(Session *s, const char *path)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "rb");
    if (!f) exit((fprintf(stderr, "speculate_speed: no %s\n", path), 1));
    int at = snprintf(text, sizeof text, "<|file_sep|>%s\n", path);
    size_t n = fread(text + at, 1, sizeof text - (size_t)at - 1, f);
    fclose(f);
    text[(size_t)at + n / 2] = '\0';
    compare(s, path, text, MAX_PROMPT);
}

int main(int argc, char **argv)
{
    Error err = {0};
    static char copy[1 << 14], fresh[1 << 12];
    if (argc < 2) return fprintf(stderr, "usage: speculate_speed MODEL [FILE...]\n"), 2;
    Engine *engine = engine_open(&(EngineOptions){.path = argv[1], .n_threads = 1}, &err);
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
    for (int i = 2; i < argc; i++)
        compare_file(session, argv[i]);
    if (argc == 2) {
        compare(session, "repeating", copy, MAX_IDS);
        compare(session, "new", fresh, MAX_IDS);
    }
    session_free(session);
    engine_close(engine);
    return 0;
}

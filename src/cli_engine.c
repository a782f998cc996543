// `r1ls engine`: the engine alone, comparable with other engines.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/vec.h"
#include "cli.h"

enum { MAX_TOKENS = 1 << 20 };

typedef VEC(int) Ids;

typedef struct Flags {
    Config config;
    bool special, json;
    int n_tokens, n_prefill, n_decode, top_k;
    double temperature, top_p, min_p;
    uint64_t seed;
    const char *ids_path, *isa;
} Flags;

typedef int (*Action)(Engine *engine, const Flags *flags, Arena *arena);

// --- ids -----------------------------------------------------------------------------------------

static void tokenize(const Engine *engine, Str text, bool special, Ids *ids)
{
    size_t n = engine_tokenize(engine, text, special, NULL, 0);
    VEC_RESERVE(ids, n + 1);
    ids->n += engine_tokenize(engine, text, special, ids->items + ids->n, n);
}

static struct json_object *json_ids(const int *ids, size_t n)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        json_object_array_add(array, json_object_new_int(ids[i]));
    return array;
}

static bool read_ids(const char *path, Ids *ids, Error *err)
{
    struct json_object *array = json_object_from_file(path);
    if (!array || !json_object_is_type(array, json_type_array)) {
        json_object_put(array);
        return error_set(err, ERROR_INVALID, "%.160s: wanted a JSON array of token ids", path);
    }
    bool ok = true;
    for (size_t i = 0; ok && i < json_object_array_length(array); i++) {
        struct json_object *id = json_object_array_get_idx(array, i);
        ok = json_object_is_type(id, json_type_int);
        if (ok) VEC_PUSH(ids, json_object_get_int(id));
        if (!ok)
            error_set(err, ERROR_INVALID, "%.120s: element %zu is '%.40s', wanted a token id", path,
                      i, json_object_to_json_string(id));
    }
    json_object_put(array);
    return ok;
}

static bool read_prompt(const Engine *engine, const Flags *flags, Arena *arena, Ids *ids,
                        Error *err)
{
    Str text;
    if (flags->ids_path) return read_ids(flags->ids_path, ids, err);
    if (!cli_read_stdin(arena, &text, err)) return false;
    tokenize(engine, text, flags->special, ids);
    return true;
}

// --- tokenize ------------------------------------------------------------------------------------

static int run_tokenize(Engine *engine, const Flags *flags, Arena *arena)
{
    Error err = {0};
    Ids ids = {0};
    if (!read_prompt(engine, flags, arena, &ids, &err)) {
        VEC_FREE(&ids);
        return cli_fail(CLI_FAILED, "%s", err.text);
    }
    if (flags->json) {
        cli_json_print(json_ids(ids.items, ids.n));
    } else {
        for (size_t i = 0; i < ids.n; i++)
            printf("%s%d", i ? " " : "", ids.items[i]);
        putchar('\n');
    }
    VEC_FREE(&ids);
    return CLI_DONE;
}

// --- generate ------------------------------------------------------------------------------------

typedef struct Output {
    Ids ids;
    StrBuf text;
} Output;

static bool keep_token(void *user, const GeneratedToken *token)
{
    Output *out = user;
    VEC_PUSH(&out->ids, token->id);
    strbuf_append(&out->text, token->bytes);
    return true;
}

static const char *stop_text(GenerateStop stop)
{
    static const char *const texts[] = {"end_token", "length", "caller", "cache_full", "no_token"};
    return texts[stop];
}

static void print_generated(const Output *out, const GenerateResult *result, const SyncStats *sync,
                            bool json)
{
    double seconds = result->ms / 1e3;
    double tps = seconds > 0 ? result->n_tokens / seconds : 0;
    if (!json) {
        printf("%.*s\n", STR_FMT(strbuf_str(&out->text)));
        printf("ids:");
        for (size_t i = 0; i < out->ids.n; i++)
            printf(" %d", out->ids.items[i]);
        printf("\n");
        fprintf(
            stderr, "r1ls: %d prompt tokens in %.0f ms, %d tokens in %.0f ms, %.1f tokens/s, %s\n",
            sync->n_tokens, sync->ms, result->n_tokens, result->ms, tps, stop_text(result->stop));
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "text", cli_json_str(strbuf_str(&out->text)));
    json_object_object_add(object, "ids", json_ids(out->ids.items, out->ids.n));
    json_object_object_add(object, "prompt_tokens", json_object_new_int(sync->n_tokens));
    json_object_object_add(object, "stop", json_object_new_string(stop_text(result->stop)));
    json_object_object_add(object, "prefill_ms", cli_json_num(sync->ms, 3));
    json_object_object_add(object, "decode_ms", cli_json_num(result->ms, 3));
    cli_json_print(object);
}

static bool generate(Session *session, const Flags *flags, const Ids *ids, Error *err)
{
    Output out = {0};
    SyncStats sync;
    GenerateResult result = {0};
    GenerateOptions options = {.sampler = {.temperature = (float)flags->temperature,
                                           .top_p = (float)flags->top_p,
                                           .min_p = (float)flags->min_p,
                                           .top_k = flags->top_k,
                                           .seed = flags->seed},
                               .max_tokens = flags->n_tokens,
                               .on_token = keep_token,
                               .user = &out};
    bool ok = session_sync(session, ids->items, (int)ids->n, (EngineCancel){0}, &sync, err) &&
              session_generate(session, &options, &result, err);
    if (ok) print_generated(&out, &result, &sync, flags->json);
    VEC_FREE(&out.ids);
    strbuf_deinit(&out.text);
    return ok;
}

// Room for the prompt and the answer where the caller did not say how long the cache is.
static int choose_context(const Flags *flags, size_t n_prompt, int n_answer)
{
    if (flags->config.context) return flags->config.context;
    size_t n = n_prompt + (size_t)n_answer + 1;
    return n < 64 ? 64 : n > MAX_TOKENS ? MAX_TOKENS : (int)n;
}

static int run_generate(Engine *engine, const Flags *flags, Arena *arena)
{
    Error err = {0};
    Ids ids = {0};
    const EngineInfo *info = engine_info(engine);
    if (info->add_bos && info->bos >= 0 && !flags->ids_path) VEC_PUSH(&ids, info->bos);
    Session *session = NULL;
    if (read_prompt(engine, flags, arena, &ids, &err))
        session = session_new(engine, choose_context(flags, ids.n, flags->n_tokens), &err);
    bool ok = session && generate(session, flags, &ids, &err);
    session_free(session);
    VEC_FREE(&ids);
    return ok ? CLI_DONE : cli_fail(CLI_FAILED, "%s", err.text);
}

// --- score ---------------------------------------------------------------------------------------

static void print_scores(const Ids *ids, const float *logprobs, const int *argmax, bool json)
{
    double sum = 0;
    struct json_object *tokens = json ? json_object_new_array() : NULL;
    for (size_t i = 1; i < ids->n; i++) {
        sum -= (double)logprobs[i];
        if (!json) {
            printf("%d %.6f %d\n", ids->items[i], (double)logprobs[i], argmax[i]);
            continue;
        }
        struct json_object *token = json_object_new_object();
        json_object_object_add(token, "id", json_object_new_int(ids->items[i]));
        json_object_object_add(token, "logprob", cli_json_num((double)logprobs[i], 6));
        json_object_object_add(token, "argmax", json_object_new_int(argmax[i]));
        json_object_array_add(tokens, token);
    }
    if (!json) {
        double n = ids->n > 1 ? (double)(ids->n - 1) : 1;
        printf("%zu tokens, nll %.6f, mean %.6f, perplexity %.4f\n", ids->n, sum, sum / n,
               exp(sum / n));
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "n_tokens", json_object_new_int64((int64_t)ids->n));
    json_object_object_add(object, "nll_sum", cli_json_num(sum, 6));
    json_object_object_add(object, "tokens", tokens);
    cli_json_print(object);
}

static int run_score(Engine *engine, const Flags *flags, Arena *arena)
{
    Error err = {0};
    Ids ids = {0};
    Session *session = NULL;
    bool ok = read_prompt(engine, flags, arena, &ids, &err);
    if (ok) session = session_new(engine, choose_context(flags, ids.n, 0), &err);
    ok = ok && session;
    if (ok) {
        float *logprobs = arena_array(arena, ids.n + 1, sizeof *logprobs);
        int *argmax = arena_array(arena, ids.n + 1, sizeof *argmax);
        ok = session_score(session, ids.items, (int)ids.n, logprobs, argmax, (EngineCancel){0},
                           &err);
        if (ok) print_scores(&ids, logprobs, argmax, flags->json);
    }
    session_free(session);
    VEC_FREE(&ids);
    return ok ? CLI_DONE : cli_fail(CLI_FAILED, "%s", err.text);
}

// --- bench ---------------------------------------------------------------------------------------

// Code, because the experts that are chosen, and so the memory that is read, depend on the text.
static const char SAMPLE[] =
    "static int table_insert(struct table *t, const char *key, void *value)\n{\n"
    "    size_t slot = hash_string(key) & (t->n_slots - 1);\n"
    "    while (t->slots[slot].key && strcmp(t->slots[slot].key, key) != 0)\n"
    "        slot = (slot + 1) & (t->n_slots - 1);\n"
    "    if (!t->slots[slot].key) t->n_used++;\n"
    "    t->slots[slot] = (struct slot){strdup(key), value};\n"
    "    return t->n_used * 4 > t->n_slots * 3 ? table_grow(t) : 0;\n}\n\n";

enum { N_KEYS = 7 };

// The weights are read from the file on first touch: that is loading, not decoding.
static bool warm_up(Engine *engine, const Ids *ids, Error *err)
{
    SyncStats stats;
    Session *session = session_new(engine, 64, err);
    bool ok = session &&
              session_sync(session, ids->items, ids->n < 48 ? (int)ids->n : 48, (EngineCancel){0},
                           &stats, err) &&
              session_append(session, ids->items[0], err);
    session_free(session);
    return ok;
}

static bool decode(Session *session, const Ids *ids, int n, double *ms, Error *err)
{
    double start = clock_ms();
    bool ok = true;
    for (int i = 0; ok && i < n; i++)
        ok = session_append(session, ids->items[(size_t)i % ids->n], err);
    *ms = clock_ms() - start;
    return ok;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// What a typed character costs: the prompt comes again with another last token. The median.
static bool type_keys(Session *session, Ids *ids, int n_prompt, double *ms, Error *err)
{
    double times[N_KEYS];
    SyncStats sync = {0};
    for (int i = 0; i < N_KEYS; i++) {
        ids->items[n_prompt - 1] = ids->items[i];
        if (!session_sync(session, ids->items, n_prompt, (EngineCancel){0}, &sync, err))
            return false;
        times[i] = sync.ms;
    }
    qsort(times, N_KEYS, sizeof *times, compare_doubles);
    *ms = times[N_KEYS / 2];
    return true;
}

bool cli_measure(Engine *engine, int n_prefill, int n_decode, CliSpeed *out, Error *err)
{
    Ids ids = {0};
    *out = (CliSpeed){0};
    while (ids.n < (size_t)n_prefill)
        tokenize(engine, str_from(SAMPLE), false, &ids);
    SyncStats sync = {0};
    double decode_ms = 0;
    Session *session = NULL;
    bool ok = warm_up(engine, &ids, err);
    if (ok) session = session_new(engine, n_prefill + n_decode + 16, err);
    ok = ok && session &&
         session_sync(session, ids.items, n_prefill, (EngineCancel){0}, &sync, err) &&
         decode(session, &ids, n_decode, &decode_ms, err) &&
         type_keys(session, &ids, n_prefill, &out->key_ms, err);
    if (ok) {
        out->prefill_tps = sync.ms > 0 ? n_prefill * 1e3 / sync.ms : 0;
        out->decode_tps = decode_ms > 0 ? n_decode * 1e3 / decode_ms : 0;
        out->memory = memory_use_read();
    }
    session_free(session);
    VEC_FREE(&ids);
    return ok;
}

static int run_bench(Engine *engine, const Flags *flags, Arena *arena)
{
    (void)arena;
    Error err = {0};
    CliSpeed speed;
    const EngineInfo *info = engine_info(engine);
    if (!cli_measure(engine, flags->n_prefill, flags->n_decode, &speed, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    if (!flags->json) {
        printf("%.*s, %d threads, %s\n", STR_FMT(info->name), info->n_threads, info->isa);
        printf("prefill %d tokens: %.1f tokens/s\ndecode %d tokens: %.1f tokens/s\n",
               flags->n_prefill, speed.prefill_tps, flags->n_decode, speed.decode_tps);
        printf("one token more after %d: %.1f ms\n", flags->n_prefill, speed.key_ms);
        printf("load %.1f ms, memory of its own %.1f MB, mapped %.1f MB of a file of %.1f MB\n",
               info->open_ms, (double)speed.memory.anonymous / 1e6,
               (double)speed.memory.mapped / 1e6, (double)info->file_bytes / 1e6);
        return CLI_DONE;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "prefill_tps", cli_json_num(speed.prefill_tps, 2));
    json_object_object_add(object, "decode_tps", cli_json_num(speed.decode_tps, 2));
    json_object_object_add(object, "key_ms", cli_json_num(speed.key_ms, 2));
    json_object_object_add(object, "load_ms", cli_json_num(info->open_ms, 2));
    cli_json_add_memory(object, speed.memory);
    json_object_object_add(object, "file_bytes", json_object_new_int64((int64_t)info->file_bytes));
    json_object_object_add(object, "threads", json_object_new_int(info->n_threads));
    json_object_object_add(object, "isa", json_object_new_string(info->isa));
    cli_json_print(object);
    return CLI_DONE;
}

// --- command lines -------------------------------------------------------------------------------

static int run_action(const CliCommand *command, Flags *flags, Action action, int argc, char **argv)
{
    int n_args, code;
    if (!cli_parse(command, argc, argv, &n_args, &code)) return code;
    Arena *arena = arena_new();
    Engine *engine = cli_open_model(
        argv[1], (EngineOptions){.n_threads = flags->config.threads, .isa = flags->isa}, arena,
        &code);
    if (engine) code = action(engine, flags, arena);
    engine_close(engine);
    arena_free(arena);
    return code;
}

#define COMMON_OPTIONS(flags)                                                                      \
    CLI_OPTION_THREADS(&(flags)->config), {"isa",                                                  \
                                           "NAME",                                                 \
                                           "ref, avx2, avx512 or neon; default: the best here",    \
                                           CLI_TEXT,                                               \
                                           &(flags)->isa,                                          \
                                           NULL,                                                   \
                                           0,                                                      \
                                           0},                                                     \
        {"context",                                                                                \
         "N",                                                                                      \
         "tokens of the cache; 0: as many as needed",                                              \
         CLI_CONFIG,                                                                               \
         &(flags)->config,                                                                         \
         "context",                                                                                \
         0,                                                                                        \
         0},                                                                                       \
        CLI_OPTION_JSON(&(flags)->json)
#define OPTION_SPECIAL(flags)                                                                      \
    {                                                                                              \
        "special", NULL, "special tokens in the text become control tokens", CLI_FLAG,             \
            &(flags)->special, NULL, 0, 0                                                          \
    }
#define OPTION_IDS(flags)                                                                          \
    {                                                                                              \
        "ids", "FILE", "a JSON array of token ids in place of a text", CLI_TEXT,                   \
            &(flags)->ids_path, NULL, 0, 0                                                         \
    }

static int do_tokenize(Flags *flags, int argc, char **argv)
{
    const CliOption options[] = {OPTION_SPECIAL(flags), COMMON_OPTIONS(flags)};
    const CliCommand command = {"r1ls engine tokenize M [options] <text",
                                "Prints the token ids of standard input.\n",
                                options,
                                sizeof options / sizeof *options,
                                1,
                                1};
    return run_action(&command, flags, run_tokenize, argc, argv);
}

static int do_generate(Flags *flags, int argc, char **argv)
{
    const CliOption options[] = {
        {"n", "N", "tokens at most (default 64)", CLI_INT, &flags->n_tokens, NULL, 0, MAX_TOKENS},
        {"temp", "T", "temperature; 0 (default): greedy", CLI_NUM, &flags->temperature, NULL, 0,
         100},
        {"top-k", "K", "keep the K most likely; 0: off", CLI_INT, &flags->top_k, NULL, 0, 1e9},
        {"top-p", "P", "keep the fewest that reach P; 1: off", CLI_NUM, &flags->top_p, NULL, 0, 1},
        {"min-p", "P", "keep those above P of the best; 0: off", CLI_NUM, &flags->min_p, NULL, 0,
         1},
        {"seed", "N", "of the draws (default 0)", CLI_SEED, &flags->seed, NULL, 0, 0},
        OPTION_SPECIAL(flags),
        OPTION_IDS(flags),
        COMMON_OPTIONS(flags)};
    const CliCommand command = {"r1ls engine generate M [-n N] [options] <text",
                                "Continues standard input; prints text and ids.\n",
                                options,
                                sizeof options / sizeof *options,
                                1,
                                1};
    return run_action(&command, flags, run_generate, argc, argv);
}

static int do_score(Flags *flags, int argc, char **argv)
{
    const CliOption options[] = {OPTION_SPECIAL(flags), OPTION_IDS(flags), COMMON_OPTIONS(flags)};
    const CliCommand command = {
        "r1ls engine score M [options] <text",
        "Prints the log-probability of every token but the first, and what the model would have\n"
        "chosen there.\n",
        options,
        sizeof options / sizeof *options,
        1,
        1};
    return run_action(&command, flags, run_score, argc, argv);
}

static int do_bench(Flags *flags, int argc, char **argv)
{
    const CliOption options[] = {{"prefill", "N", "tokens of the prompt (default 512)", CLI_INT,
                                  &flags->n_prefill, NULL, 1, MAX_TOKENS / 2},
                                 {"decode", "N", "tokens one by one (default 128)", CLI_INT,
                                  &flags->n_decode, NULL, 1, MAX_TOKENS / 4},
                                 COMMON_OPTIONS(flags)};
    const CliCommand command = {"r1ls engine bench M [--prefill N] [--decode N] [options]",
                                "Measures the engine on a text of its own.\n",
                                options,
                                sizeof options / sizeof *options,
                                1,
                                1};
    return run_action(&command, flags, run_bench, argc, argv);
}

static int do_chat(Flags *flags, int argc, char **argv)
{
    (void)flags; // it has its own
    return cli_engine_chat(argc, argv);
}

int cli_engine(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(Flags *flags, int argc, char **argv);
    } actions[] = {{"tokenize", do_tokenize},
                   {"generate", do_generate},
                   {"score", do_score},
                   {"bench", do_bench},
                   {"chat", do_chat}};
    const char *name = argc > 1 ? argv[1] : "";
    Flags flags = {.n_tokens = 64, .n_prefill = 512, .n_decode = 128, .top_p = 1};
    config_init(&flags.config);
    int code = -1;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, name) == 0) code = actions[i].run(&flags, argc - 1, argv + 1);
    config_deinit(&flags.config);
    if (code >= 0) return code;
    const CliCommand command = {
        "r1ls engine tokenize|generate|chat|score|bench M [options]",
        "The engine alone. Each action has its own --help. M is a path,\n"
        "a folder of safetensors, 'embedded', or a name in the cache folder.\n",
        NULL,
        0,
        0,
        0};
    int n_args;
    if (cli_parse(&command, argc, argv, &n_args, &code))
        code = cli_fail(CLI_USAGE, "no action, wanted tokenize, generate, chat, score or bench");
    return code;
}

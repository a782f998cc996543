// Prints how many tokens a second of CPU training and sampling take: tune_speed MODEL.gguf
#include <stdio.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/tune.h"

enum { KEEP_BYTES = 512 << 20 }; // as r1ls tune
enum { N_PROMPT = 256, N_ANSWER = 96, N = N_PROMPT + N_ANSWER, GROUP = 8, RANK = 8 };

static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static int fail(const Error *err)
{
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static bool train(Engine *engine, const int *ids, Error *err)
{
    TuneOptions options = {
        .rank = RANK, .alpha = 2 * RANK, .max_tokens = N, .keep_bytes = KEEP_BYTES};
    float weights[N] = {0};
    double objective;
    Tune *tune = tune_new(engine, &options, err);
    if (!tune) return false;
    for (int i = N_PROMPT; i < N; i++)
        weights[i] = 1.0f / N_ANSWER;
    TuneSequence q = {.ids = ids, .n = N, .weights = weights};
    double start = cpu_seconds();
    bool ok = tune_evaluate(tune, &q, (EngineCancel){0}, &objective, err);
    double forward = cpu_seconds() - start;
    ok = ok && tune_accumulate(tune, &q, (EngineCancel){0}, &objective, err);
    double both = cpu_seconds() - start - forward;
    if (ok)
        printf("%d tokens: forward %.2f s of CPU, with the gradient %.2f s: %.1f tokens/s; %zu "
               "values, %.0f MB\n",
               N, forward, both, N / both, tune_n_params(tune),
               (double)tune_bytes(engine, &options) / 1e6);
    tune_free(tune);
    return ok;
}

// A group's answers in one pass over their prompt.
static bool train_group(Engine *engine, const int *ids, Error *err)
{
    enum { ALL = N_PROMPT + GROUP * N_ANSWER };
    TuneOptions options = {
        .rank = RANK, .alpha = 2 * RANK, .max_tokens = ALL, .keep_bytes = KEEP_BYTES};
    float weights[ALL] = {0};
    int packed[ALL], ends[GROUP];
    double objective;
    Tune *tune = tune_new(engine, &options, err);
    if (!tune) return false;
    for (int i = 0; i < ALL; i++) {
        packed[i] = ids[i < N ? i : N_PROMPT + (i - N_PROMPT) % N_ANSWER];
        weights[i] = i < N_PROMPT ? 0 : 1.0f / N_ANSWER;
    }
    for (int i = 0; i < GROUP; i++)
        ends[i] = N_PROMPT + (i + 1) * N_ANSWER;
    TuneSequence q = {.ids = packed,
                      .n = ALL,
                      .weights = weights,
                      .n_shared = N_PROMPT,
                      .n_branches = GROUP,
                      .ends = ends};
    double start = cpu_seconds();
    bool ok = tune_accumulate(tune, &q, (EngineCancel){0}, &objective, err);
    if (ok)
        printf("%d answers after one prompt, %d tokens: with the gradient %.2f s of CPU; %.0f MB\n",
               GROUP, ALL, cpu_seconds() - start, (double)tune_bytes(engine, &options) / 1e6);
    tune_free(tune);
    return ok;
}

static bool on_token(void *user, const GeneratedToken *token)
{
    (void)user, (void)token;
    return true;
}

static bool sample(Engine *engine, const int *ids, Error *err)
{
    BatchSequence sequences[GROUP] = {0};
    SyncStats sync;
    int n = 0;
    Session *session = session_new(engine, N + 8, err);
    for (int i = 0; i < GROUP; i++)
        sequences[i].generate = (GenerateOptions){
            .sampler = {1, 1, 0, 0, (uint64_t)i}, .max_tokens = N_ANSWER, .on_token = on_token};
    double start = cpu_seconds();
    bool ok = session && session_sync(session, ids, N_PROMPT, (EngineCancel){0}, &sync, err);
    double prompt = cpu_seconds() - start;
    ok = ok && session_generate_batch(session, sequences, GROUP, (EngineCancel){0}, err);
    double all = cpu_seconds() - start - prompt;
    for (int i = 0; i < GROUP; i++)
        n += sequences[i].result.n_tokens;
    if (ok)
        printf("%d answers: prompt of %d %.2f s of CPU, %d tokens %.2f s: %.1f tokens/s\n", GROUP,
               N_PROMPT, prompt, n, all, n / all);
    session_free(session);
    return ok;
}

int main(int argc, char **argv)
{
    static char text[1 << 16];
    static int ids[1 << 16];
    Error err = {0};
    EngineOptions options = {.path = argc > 1 ? argv[1] : "", .n_threads = 2};
    FILE *f = fopen(__FILE__, "r");
    if (!f) error_set(&err, ERROR_NOT_FOUND, "no %s here: run it in the build folder", __FILE__);
    Engine *engine = f ? engine_open(&options, &err) : NULL;
    if (!engine) return fail(&err);
    size_t n_bytes = fread(text, 1, sizeof text, f);
    fclose(f);
    size_t n = engine_tokenize(engine, (Str){text, n_bytes}, false, ids, sizeof ids / sizeof *ids);
    bool ok = n >= N && train(engine, ids, &err) && train_group(engine, ids, &err) &&
              sample(engine, ids, &err);
    engine_close(engine);
    return ok ? 0 : fail(&err);
}

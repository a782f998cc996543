// Tokens a second of a batch and of as many sequences in turn, after a prompt of N tokens; and what
// the kernels of one vector cost where a pass has several rows. usage: batch_speed MODEL
// [PROMPT_TOKENS]
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "engine.h"
#include "forward.h"
#include "session_state.h"

enum { N_TOKENS = 32, MAX_ROWS = 16 };

static void check(bool ok, const Error *err)
{
    if (ok) return;
    fprintf(stderr, "batch_speed: %s\n", err->text);
    exit(1);
}

static int fill(const Engine *e, int *ids, int n)
{
    static const char text[] =
        "static int add(struct item *items, size_t n)\n{\n    int sum = 0;\n"
        "    for (size_t i = 0; i < n; i++)\n        sum += items[i].value;\n"
        "    return sum;\n}\n\n";
    int n_ids = 0;
    while (n_ids < n) {
        size_t m = engine_tokenize(e, str_from(text), false, ids + n_ids, (size_t)(n - n_ids));
        n_ids += m < (size_t)(n - n_ids) ? (int)m : n - n_ids;
    }
    return n_ids;
}

static void compare_batches(Session *s, int n_prompt)
{
    Error err = {0};
    for (int n = 1; n <= 15; n = n == 8 ? 15 : n * 2) {
        BatchSequence batch[16];
        int n_turn = 0, n_batch = 0;
        double turn_ms = 0;
        for (int i = 0; i < n; i++) {
            batch[i] = (BatchSequence){
                .generate = {.sampler = {0.8f, 0.95f, 0, 0, (uint64_t)i}, .max_tokens = N_TOKENS}};
            int prompt_ids[1 << 14];
            const int *held = session_ids(s, &(int){0});
            for (int j = 0; j < n_prompt; j++)
                prompt_ids[j] = held[j];
            GenerateResult result;
            SyncStats stats;
            check(session_generate(s, &batch[i].generate, &result, &err), &err);
            check(session_sync(s, prompt_ids, n_prompt, (EngineCancel){0}, &stats, &err), &err);
            turn_ms += result.ms + stats.ms;
            n_turn += result.n_tokens;
        }
        double start = clock_ms();
        check(session_generate_batch(s, batch, n, (EngineCancel){0}, &err), &err);
        double batch_ms = clock_ms() - start;
        for (int i = 0; i < n; i++)
            n_batch += batch[i].result.n_tokens;
        printf("%2d sequences: in turn %7.1f t/s, batch %7.1f t/s, %.2f times\n", n,
               n_turn * 1e3 / turn_ms, n_batch * 1e3 / batch_ms,
               n_batch / batch_ms / (n_turn / turn_ms));
    }
}

static void compare_kernels(Session *s, int n_prompt)
{
    Engine *e = s->engine;
    static const char *const names[] = {"fastest", "alone", "grouped"};
    float *logits = malloc(MAX_ROWS * (size_t)e->shape.n_vocab * sizeof *logits);
    if (!logits) exit(1);
    for (int n = 1; n <= MAX_ROWS; n = n < 4 ? n + 1 : n * 2) {
        printf("pass of %2d rows:", n);
        for (int kind = 0; kind < 3; kind++) {
            double best = 1e9;
            for (int i = 0; i < 8; i++) {
                s->kv.len = n_prompt - MAX_ROWS;
                Pass pass = {
                    .own = &s->kv, .ids = s->ids + s->kv.len, .n = n, .kernels = (PassKernels)kind};
                double start = clock_ms();
                forward_pass(&e->compute, &e->shape, &e->weights, &pass);
                forward_logits(&e->compute, &e->shape, &e->weights, 0, n, logits);
                if (clock_ms() - start < best) best = clock_ms() - start;
            }
            printf("  %s %7.2f ms", names[kind], best);
        }
        printf("\n");
    }
    free(logits);
}

int main(int argc, char **argv)
{
    Error err = {0};
    if (argc < 2) return fprintf(stderr, "usage: batch_speed MODEL [PROMPT_TOKENS]\n"), 2;
    int n_prompt = argc > 2 ? atoi(argv[2]) : 512;
    static int ids[1 << 14];
    if (n_prompt < 32 || n_prompt > 1 << 14) return fprintf(stderr, "32 to 16384 tokens\n"), 2;
    Engine *engine = engine_open(&(EngineOptions){.path = argv[1]}, &err);
    check(engine != NULL, &err);
    Session *session = session_new(engine, n_prompt + N_TOKENS + 16, &err);
    check(session != NULL, &err);
    SyncStats stats;
    check(session_sync(session, ids, fill(engine, ids, n_prompt), (EngineCancel){0}, &stats, &err),
          &err);
    printf("%.*s, %s, prompt of %d tokens\n", STR_FMT(engine_info(engine)->name),
           engine_info(engine)->isa, n_prompt);
    compare_batches(session, n_prompt);
    compare_kernels(session, n_prompt);
    session_free(session);
    engine_close(engine);
    return 0;
}

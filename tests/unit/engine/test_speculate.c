// Speculation changes nothing but the number of passes.
#include "unit/unit.h"

#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "speculate.h"

enum { MAX_IDS = 1024, N_TOKENS = 48 };

static const char PROMPT[] =
    "<|file_sep|>sum.c\n"
    "static int sum_a(const int *a, int n)\n{\n    int sum = 0;\n    for (int i = 0; i < n; i++)\n"
    "        sum += a[i];\n    return sum;\n}\n\n"
    "static int sum_b(const int *b, int n)\n{\n    int sum = 0;\n    for (int i = 0; i < n; i++)\n"
    "        sum += b[i];\n    return sum;\n}\n\n"
    "static int sum_c(const int *c, int n)\n{\n    int sum = 0;\n";

typedef struct Written {
    int ids[N_TOKENS], n;
    float probs[N_TOKENS];
} Written;

static bool write_down(void *user, const GeneratedToken *token)
{
    Written *w = user;
    w->ids[w->n] = token->id;
    w->probs[w->n++] = token->prob;
    return true;
}

static Engine *open_isa(const char *isa, Error *err)
{
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    EngineOptions o = {.image = image, .image_bytes = n_bytes, .isa = isa};
    return engine_open(&o, err);
}

static GenerateResult write(Session *s, const int *ids, int n, GenerateOptions o, Written *w)
{
    Error err = {0};
    SyncStats stats;
    GenerateResult result;
    *w = (Written){0};
    o.max_tokens = N_TOKENS;
    o.on_token = write_down;
    o.user = w;
    assert_ok(session_sync(s, ids, 1, (EngineCancel){0}, &stats, &err), err); // no old rows
    assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
    assert_ok(session_generate(s, &o, &result, &err), err);
    return result;
}

static void compare(const char *isa, GenerateOptions o)
{
    Error err = {0};
    Engine *e = open_isa(isa, &err);
    if (!e) {
        printf("skipped: no %s here\n", isa);
        return;
    }
    Session *s = session_new(e, 0, &err);
    int ids[MAX_IDS], n = (int)engine_tokenize(e, str_from(PROMPT), true, ids, MAX_IDS);
    size_t n_logits = (size_t)engine_info(e)->n_vocab;
    float *logits = malloc(n_logits * sizeof *logits);
    Written plain, guessed;
    o.speculate = false;
    GenerateResult without = write(s, ids, n, o, &plain);
    memcpy(logits, session_logits(s), n_logits * sizeof *logits);
    o.speculate = true;
    GenerateResult with = write(s, ids, n, o, &guessed);
    printf("%s: %d tokens, %d passes without; %d passes, %d of %d guesses right\n",
           engine_info(e)->isa, without.n_tokens, without.n_passes, with.n_passes,
           with.n_guessed_right, with.n_guessed);
    assert_int_equal(with.n_tokens, without.n_tokens);
    assert_int_equal(with.stop, without.stop);
    assert_memory_equal(plain.ids, guessed.ids, sizeof plain.ids);
    assert_memory_equal(plain.probs, guessed.probs, sizeof plain.probs);
    assert_memory_equal(logits, session_logits(s), n_logits * sizeof *logits);
    assert_int_equal(without.n_guessed, 0);
    assert_true(with.n_guessed > 0);
    assert_true(with.n_passes + with.n_guessed_right == without.n_passes);
    free(logits);
    session_free(s);
    engine_close(e);
}

static void greedy_output_has_the_same_bits(void **state)
{
    (void)state;
    compare(NULL, (GenerateOptions){0});
    compare("avx2", (GenerateOptions){0});
}

static void sampled_output_has_the_same_bits(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        compare(NULL, (GenerateOptions){.sampler = {0.9f, 0.95f, 0, 0, seed}});
}

// Every guess from this reference is wrong: each pair of the output, followed by another id.
static void wrong_references_are_harmless(void **state)
{
    (void)state;
    Error err = {0};
    Engine *e = open_isa(NULL, &err);
    Session *s = session_new(e, 0, &err);
    int ids[MAX_IDS], n = (int)engine_tokenize(e, str_from(PROMPT), true, ids, MAX_IDS);
    int wrong[3 * N_TOKENS], n_wrong = 0;
    Written plain;
    write(s, ids, n, (GenerateOptions){0}, &plain);
    for (int i = 0; i + 2 < plain.n; i++) {
        wrong[n_wrong++] = plain.ids[i];
        wrong[n_wrong++] = plain.ids[i + 1];
        wrong[n_wrong++] = plain.ids[i + 2] + 1;
    }
    session_free(s);
    engine_close(e);
    compare(NULL, (GenerateOptions){.reference = wrong, .n_reference = n_wrong});
}

static void matches_are_the_longest_and_the_latest(void **state)
{
    (void)state;
    int draft[8], m;
    const int ids[] = {1, 2, 3, 9, 1, 2, 3, 7, 8, 5, 2, 3, 6, 1, 2, 3};
    assert_int_equal(speculation_find(ids, 16, NULL, 0, 3, draft, &m), 3);
    assert_int_equal(m, 3);
    assert_int_equal(draft[0], 7);
    assert_int_equal(draft[2], 5);
    const int reference[] = {4, 1, 2, 3, 42};
    assert_int_equal(speculation_find(ids, 16, reference, 5, 3, draft, &m), 1);
    assert_int_equal(draft[0], 42);
    assert_int_equal(speculation_find(ids, 3, NULL, 0, 3, draft, &m), 0);
    assert_int_equal(speculation_find(ids, 1, NULL, 0, 3, draft, &m), 0);
    const int same[] = {5, 5, 5, 5};
    assert_int_equal(speculation_find(same, 4, NULL, 0, 7, draft, &m), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_output_has_the_same_bits),
        cmocka_unit_test(sampled_output_has_the_same_bits),
        cmocka_unit_test(wrong_references_are_harmless),
        cmocka_unit_test(matches_are_the_longest_and_the_latest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The MTP block against numbers that we did not make (tests/golden/make_mini_golden.py), and what
// its guesses may and may not change.
#include "unit/unit.h"

#include <math.h>

#include <json-c/json.h>

#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "forward.h"
#include "mtp.h"

enum { MAX_IDS = 1024, N_TOKENS = 64 };

static const char PROMPT[] =
    "<|file_sep|>src/list.c\n"
    "struct node {\n    struct node *next;\n    int value;\n};\n\n"
    "static int list_sum(const struct node *head)\n{\n    int sum = 0;\n"
    "    for (const struct node *n = head; n; n = n->next)\n        sum += n->value;\n"
    "    return sum;\n}\n\nstatic struct node *list_find(struct node *head, int value)\n{\n";

static Engine *open_isa(const char *isa)
{
    Error err = {0};
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    EngineOptions o = {.image = image, .image_bytes = n_bytes, .isa = isa, .n_threads = 1};
    Engine *e = engine_open(&o, &err);
    if (!e && err.code == ERROR_INVALID) return NULL; // this CPU lacks the instruction set
    assert_ok(e, err);
    return e;
}

// --- the reference -------------------------------------------------------------------------------

static int argmax(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

// Choices of the block at every position that equal the reference's, and the most that the length
// of its last logits' error is of theirs.
static int count_equal(Session *s, json_object *c, int *n_all, double *worst)
{
    Error err = {0};
    SyncStats stats;
    Engine *e = s->engine;
    json_object *ids_json = json_object_object_get(c, "ids");
    json_object *wanted = json_object_object_get(c, "mtp_argmax");
    json_object *top = json_object_object_get(c, "last_top");
    int n = (int)json_object_array_length(ids_json), ids[MAX_IDS], n_equal = 0;
    int n_vocab = e->shape.n_vocab;
    for (int i = 0; i < n; i++)
        ids[i] = json_object_get_int(json_object_array_get_idx(ids_json, (size_t)i));
    assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
    float *logits = malloc((size_t)n_vocab * sizeof *logits);
    *n_all = n - 1;
    for (int at = 0; at < n - 1; at += COMPUTE_QUERY_BLOCK) {
        int left = n - 1 - at, rows = left < COMPUTE_QUERY_BLOCK ? left : COMPUTE_QUERY_BLOCK;
        s->mtp.kv.len = at;
        forward_mtp(&e->compute, &e->shape, &e->weights, &s->mtp.kv,
                    s->mtp.states + (size_t)at * (size_t)e->shape.n_embd, ids + at + 1, rows, rows);
        for (int i = 0; i < rows; i++) {
            forward_mtp_logits(&e->compute, &e->shape, &e->weights, i, 1, n_vocab, logits);
            json_object *id = json_object_array_get_idx(wanted, (size_t)(at + i));
            n_equal += argmax(logits, n_vocab) == json_object_get_int(id);
        }
    }
    double difference = 0, length = 0;
    for (size_t i = 0; i < json_object_array_length(top); i++) {
        json_object *pair = json_object_array_get_idx(top, i);
        int id = json_object_get_int(json_object_array_get_idx(pair, 0));
        double x = json_object_get_double(json_object_array_get_idx(pair, 1));
        difference += (logits[id] - x) * (logits[id] - x);
        length += x * x;
    }
    *worst = fmax(*worst, sqrt(difference / length));
    free(logits);
    return n_equal;
}

static void compare_with_reference(const char *isa, size_t first, size_t step, double least,
                                   double tolerance)
{
    Error err = {0};
    Engine *e = open_isa(isa);
    if (!e) {
        printf("skipped: no %s here\n", isa);
        return;
    }
    json_object *golden = json_object_from_file(SOURCE_DIR "/tests/golden/r1ls-mini.json");
    assert_non_null(golden);
    json_object *cases = json_object_object_get(golden, "mtp");
    Session *s = session_new(e, 0, &err);
    int n_equal = 0, n_all = 0, n;
    double worst = 0;
    for (size_t i = first; i < json_object_array_length(cases); i += step) {
        n_equal += count_equal(s, json_object_array_get_idx(cases, i), &n, &worst);
        n_all += n;
    }
    printf("%s: %d of %d choices are the reference's, relative error of the logits %.4f\n",
           engine_info(e)->isa, n_equal, n_all, worst);
    assert_true(n_equal >= least * n_all);
    assert_true(worst <= tolerance);
    session_free(s);
    engine_close(e);
    json_object_put(golden);
}

static void choices_are_the_references(void **state)
{
    (void)state;
    // One short text: plain C takes long. What is left is our half-float cache (the reference has
    // F32) and the order of additions.
    compare_with_reference("exact", 5, 9, 1, 5e-4); // 0.0001 was seen
    // Weights of 8 bits: 0.035 was seen. Three choices of experts in a hundred differ from AVX2's,
    // but they are not the reason: with AVX2's choices forced upon it the error stayed.
    compare_with_reference(NULL, 0, 1, 0.95, 0.06);
    compare_with_reference("avx2", 3, 2, 0.95, 0.02); // 0.007 was seen
    compare_with_reference("ref", 5, 9, 0.9, 0.02);   // of 53 choices some are near ties
}

// --- what guesses change -------------------------------------------------------------------------

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

// Makes the block guess `chain` tokens wherever look-up finds nothing, whatever it costs.
static void force_mtp(Engine *e)
{
    e->speculation = (SpeculationCosts){.accepted = {0.9, 0, 0, 0, 0},
                                        .alone_ms = 1,
                                        .row_ms = 1e-3,
                                        .mtp_ms = 1e-3,
                                        .frozen = true};
}

static GenerateResult write(Session *s, const int *ids, int n, GenerateOptions o, Written *w)
{
    Error err = {0};
    SyncStats stats;
    GenerateResult result;
    *w = (Written){0};
    if (o.max_tokens == 0) o.max_tokens = N_TOKENS;
    o.on_token = write_down;
    o.user = w;
    assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
    assert_ok(session_generate(s, &o, &result, &err), err);
    return result;
}

// The next prompt is evaluated from its second token on, in the passes of a new session.
static void forget(Session *s, const int *ids)
{
    Error err = {0};
    SyncStats stats;
    assert_ok(session_sync(s, ids, 1, (EngineCancel){0}, &stats, &err), err);
}

static void output_has_the_same_bits(void **state)
{
    (void)state;
    static const char *const isas[] = {NULL, "avx2"};
    for (int i = 0; i < 2; i++) {
        Error err = {0};
        Engine *e = open_isa(isas[i]);
        if (!e) continue;
        force_mtp(e);
        Session *s = session_new(e, 0, &err);
        int ids[MAX_IDS], n = (int)engine_tokenize(e, str_from(PROMPT), true, ids, MAX_IDS);
        for (uint64_t seed = 0; seed < 4; seed++) {
            Written plain, guessed;
            GenerateOptions o = {.sampler = {seed ? 0.9f : 0, 0.95f, 0, 0, seed}};
            forget(s, ids);
            GenerateResult without = write(s, ids, n, o, &plain);
            o.speculate = true;
            forget(s, ids);
            GenerateResult with = write(s, ids, n, o, &guessed);
            printf("%s, seed %d: %d tokens, %d passes, %d of %d guesses right\n",
                   engine_info(e)->isa, (int)seed, with.n_tokens, with.n_passes, with.n_mtp_right,
                   with.n_mtp);
            assert_int_equal(with.n_tokens, without.n_tokens);
            assert_int_equal(with.stop, without.stop);
            assert_memory_equal(&plain, &guessed, sizeof plain);
            assert_true(with.n_mtp > 0 && with.n_mtp_right > 0);
            assert_true(with.n_passes + with.n_guessed_right == without.n_passes);
        }
        session_free(s);
        engine_close(e);
    }
}

// The cache of a session that has been rewound, and went on with other tokens, drafts what a new
// one drafts.
static void drafts_follow_a_rewound_session(void **state)
{
    (void)state;
    Error err = {0};
    SyncStats stats;
    Engine *e = open_isa(NULL);
    Session *used = session_new(e, 0, &err), *fresh = session_new(e, 0, &err);
    int ids[MAX_IDS], n = (int)engine_tokenize(e, str_from(PROMPT), true, ids, MAX_IDS);
    assert_ok(session_sync(used, ids, n, (EngineCancel){0}, &stats, &err), err);
    used->ids[n] = 300;
    int draft[2][MTP_MAX_CHAIN];
    assert_int_equal(mtp_draft(used, MTP_MAX_CHAIN, draft[0]), MTP_MAX_CHAIN);
    assert_int_equal(used->mtp.kv.len, n);
    ids[n / 2] = 400;
    Session *both[] = {used, fresh};
    for (int i = 0; i < 2; i++) {
        assert_ok(session_sync(both[i], ids, n - 3, (EngineCancel){0}, &stats, &err), err);
        both[i]->ids[n - 3] = ids[n - 3];
        assert_int_equal(mtp_draft(both[i], MTP_MAX_CHAIN, draft[i]), MTP_MAX_CHAIN);
    }
    assert_memory_equal(draft[0], draft[1], sizeof draft[0]);
    session_free(used);
    session_free(fresh);
    engine_close(e);
}

static void a_full_cache_ends_the_chain(void **state)
{
    (void)state;
    Error err = {0};
    Engine *e = open_isa(NULL);
    force_mtp(e);
    int ids[MAX_IDS], n = (int)engine_tokenize(e, str_from(PROMPT), true, ids, MAX_IDS);
    Session *s = session_new(e, n + 12, &err);
    Written plain, guessed;
    forget(s, ids);
    GenerateResult without = write(s, ids, n, (GenerateOptions){0}, &plain);
    forget(s, ids);
    GenerateResult with = write(s, ids, n, (GenerateOptions){.speculate = true}, &guessed);
    assert_int_equal(without.stop, STOP_FULL);
    assert_int_equal(with.stop, STOP_FULL);
    assert_memory_equal(&plain, &guessed, sizeof plain);
    session_free(s);
    engine_close(e);
}

// Two samples of the first tokens, with and without guesses and with different random numbers,
// come from one distribution: chi-square over the second and third token's most frequent values.
static void sampled_distribution_is_the_same(void **state)
{
    (void)state;
    enum { N = 400, KINDS = 4 };
    Error err = {0};
    Engine *e = open_isa(NULL);
    force_mtp(e);
    Session *s = session_new(e, 0, &err);
    int ids[MAX_IDS], n = (int)engine_tokenize(e, str_from(PROMPT), true, ids, MAX_IDS);
    static int counts[2][2][1 << 14];
    int n_right = 0, n_mtp = 0, n_cells = 0;
    for (int guess = 0; guess < 2; guess++)
        for (int i = 0; i < N; i++) {
            Written w;
            uint64_t seed = (uint64_t)(1 + i + guess * N);
            GenerateOptions o = {
                .sampler = {1.2f, 1, 0, 3, seed}, .max_tokens = 4, .speculate = guess != 0};
            GenerateResult r = write(s, ids, n, o, &w);
            n_mtp += r.n_mtp, n_right += r.n_mtp_right;
            for (int k = 0; k < 2 && k + 1 < w.n; k++)
                counts[guess][k][w.ids[k + 1]]++;
        }
    double chi = 0;
    for (int k = 0; k < 2; k++)
        for (int id = 0; id < 1 << 14; id++) {
            double a = counts[0][k][id], b = counts[1][k][id];
            if (a + b < 10) continue;
            chi += (a - b) * (a - b) / (a + b);
            n_cells++;
        }
    // Wilson and Hilferty: chi-square of f degrees lies under f (1 - 2/(9f) + z sqrt(2/(9f)))^3.
    double f = n_cells - 2, h = 2 / (9 * f), limit = f * pow(1 - h + 3.3 * sqrt(h), 3);
    printf("%d of %d guesses right, chi-square %.1f over %d values, wanted under %.1f\n", n_right,
           n_mtp, chi, n_cells, limit);
    assert_true(n_cells >= KINDS && n_right > 0 && n_right < n_mtp);
    assert_true(chi < limit);
    session_free(s);
    engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_the_references),
        cmocka_unit_test(output_has_the_same_bits),
        cmocka_unit_test(drafts_follow_a_rewound_session),
        cmocka_unit_test(a_full_cache_ends_the_chain),
        cmocka_unit_test(sampled_distribution_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

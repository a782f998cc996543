// Routing, sampling and sessions: the rules, apart from the golden numbers.
#include "unit/unit.h"

#include <math.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "kv.h"
#include "moe.h"
#include "sampler.h"

static const Shape v3_like = {.n_experts = 8,
                              .n_experts_used = 2,
                              .n_groups = 4,
                              .n_groups_used = 2,
                              .gate = GATE_SIGMOID,
                              .normalise_weights = true,
                              .weights_scale = 2.5f};

static float logit_of(float p)
{
    return logf(p / (1 - p));
}

static void v3_routing_limits_groups_and_normalises(void **state)
{
    (void)state;
    // Groups of two; sums .9+.1, .6+.6, .5+.55, .2+.2: groups 1 and 2 win over the best expert's.
    const float p[8] = {0.9f, 0.1f, 0.6f, 0.6f, 0.5f, 0.55f, 0.2f, 0.2f};
    float logits[8], weights[2];
    int experts[2];
    for (int i = 0; i < 8; i++)
        logits[i] = logit_of(p[i]);
    moe_route(&v3_like, logits, NULL, experts, weights);
    assert_int_equal(experts[0], 2);
    assert_int_equal(experts[1], 3);
    assert_true(fabsf(weights[0] - 1.25f) < 1e-5f && fabsf(weights[1] - 1.25f) < 1e-5f);
    // The bias decides who is chosen, not how much it counts.
    const float bias[8] = {0, 0, 0, 0, 0, 0, 5, 5};
    moe_route(&v3_like, logits, bias, experts, weights);
    assert_int_equal(experts[0], 6);
    assert_int_equal(experts[1], 7);
    assert_true(fabsf(weights[0] - 1.25f) < 1e-5f);
}

static void v2_routing_keeps_softmax_weights(void **state)
{
    (void)state;
    Shape s = {.n_experts = 4,
               .n_experts_used = 2,
               .n_groups = 1,
               .n_groups_used = 1,
               .gate = GATE_SOFTMAX,
               .weights_scale = 16};
    float logits[4] = {0, 1, 2, 3}, weights[2];
    int experts[2];
    moe_route(&s, logits, NULL, experts, weights);
    assert_int_equal(experts[0], 3);
    assert_int_equal(experts[1], 2);
    assert_true(fabsf(weights[0] - 16 * 0.6439143f) < 1e-3f);
    assert_true(fabsf(weights[1] - 16 * 0.2368828f) < 1e-3f);
}

static void nan_logits_route_within_range(void **state)
{
    (void)state;
    float logits[8], weights[2];
    int experts[2];
    for (int i = 0; i < 8; i++)
        logits[i] = NAN;
    moe_route(&v3_like, logits, NULL, experts, weights);
    assert_true(experts[0] >= 0 && experts[0] < 8 && experts[1] >= 0 && experts[1] < 8);
    assert_true(experts[0] != experts[1]);
}

static int choose(SamplerOptions options, const float *logits, int n, float *prob)
{
    Sampler sampler;
    Candidate candidates[64];
    sampler_init(&sampler, &options);
    for (int i = 0; i < n; i++)
        candidates[i] = (Candidate){i, logits[i]};
    return sampler_choose(&sampler, candidates, n, prob);
}

static void greedy_takes_the_lowest_of_equals(void **state)
{
    (void)state;
    float logits[4] = {1, 3, 3, NAN}, prob;
    assert_int_equal(choose((SamplerOptions){0}, logits, 4, &prob), 1);
    assert_true(fabsf(prob - 0.4683105f) < 1e-4f);
    float all_nan[3] = {NAN, NAN, NAN};
    assert_int_equal(choose((SamplerOptions){.temperature = 1, .top_p = 1}, all_nan, 3, &prob), 0);
}

// The largest k, lowest ids first among equals, are what is left: as if the others were no tokens.
static void few_of_many_are_chosen_as_by_sorting_all(void **state)
{
    (void)state;
    enum { N = 64, TIMES = 300 };
    uint64_t random = 5;
    for (int t = 0; t < TIMES; t++) {
        float logits[N], left[N], prob;
        int k = 1 + t % 20;
        for (int i = 0; i < N; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            logits[i] = (float)(random >> 60); // many equals
        }
        for (int i = 0; i < N; i++) {
            int n_before = 0;
            for (int j = 0; j < N; j++)
                n_before += logits[j] > logits[i] || (logits[j] == logits[i] && j < i);
            left[i] = n_before < k ? logits[i] : -INFINITY;
        }
        SamplerOptions all = {.temperature = 2, .top_p = 0.95f, .seed = random}, few = all;
        few.top_k = k;
        assert_int_equal(choose(few, logits, N, &prob), choose(all, left, N, &prob));
    }
}

// What cannot be among the likeliest is left out before they are sorted.
static void top_p_draws_as_if_all_were_sorted(void **state)
{
    (void)state;
    enum { N = 64, TIMES = 2000 };
    uint64_t random = 9;
    for (int t = 0; t < TIMES; t++) {
        float logits[N], prob;
        for (int i = 0; i < N; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            logits[i] = (float)(random >> 48) / (float)(1 << (10 + t % 7));
        }
        SamplerOptions cut = {.temperature = 0.7f, .seed = random};
        cut.top_p = t % 5 == 0 ? 0.1f : t % 5 == 1 ? 0.999f : 0.95f;
        SamplerOptions all = cut;
        all.top_k = N;
        assert_int_equal(choose(cut, logits, N, &prob), choose(all, logits, N, &prob));
    }
}

static void filters_leave_only_what_they_should(void **state)
{
    (void)state;
    float logits[4] = {logf(0.5f), logf(0.3f), logf(0.15f), logf(0.05f)}, prob;
    static const struct {
        SamplerOptions options;
        int most; // the largest id that may come
    } cases[] = {{{.temperature = 1, .top_k = 1, .top_p = 1}, 0},
                 {{.temperature = 1, .top_k = 2, .top_p = 1}, 1},
                 {{.temperature = 1, .top_p = 0.7f}, 1},
                 {{.temperature = 1, .top_p = 0.4f}, 0},
                 {{.temperature = 1, .top_p = 1, .min_p = 0.2f}, 2},
                 {{.temperature = 1, .top_p = 1}, 3}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int seen = 0;
        for (uint64_t s = 0; s < 400; s++) {
            SamplerOptions o = cases[c].options;
            o.seed = s * 7919;
            int id = choose(o, logits, 4, &prob);
            assert_true(id <= cases[c].most);
            if (id > seen) seen = id;
        }
        assert_int_equal(seen, cases[c].most);
    }
}

static void sampling_follows_the_distribution(void **state)
{
    (void)state;
    float logits[3] = {logf(0.6f), logf(0.3f), logf(0.1f)}, prob;
    int counts[3] = {0};
    for (uint64_t s = 0; s < 20000; s++)
        counts[choose((SamplerOptions){.temperature = 1, .top_p = 1, .seed = s}, logits, 3,
                      &prob)]++;
    // Five standard deviations of a binomial count are below 350.
    assert_true(abs(counts[0] - 12000) < 350 && abs(counts[1] - 6000) < 350);
    int a = choose((SamplerOptions){.temperature = 1, .top_p = 1, .seed = 9}, logits, 3, &prob);
    assert_int_equal(
        a, choose((SamplerOptions){.temperature = 1, .top_p = 1, .seed = 9}, logits, 3, &prob));
}

static void common_prefix_counts_leading_equals(void **state)
{
    (void)state;
    int a[] = {1, 2, 3, 4}, b[] = {1, 2, 9};
    assert_int_equal(kv_common_prefix(a, 4, b, 3), 2);
    assert_int_equal(kv_common_prefix(a, 4, a, 4), 4);
    assert_int_equal(kv_common_prefix(a, 0, b, 3), 0);
}

// --- sessions ------------------------------------------------------------------------------------

static Engine *open_engine_isa(const char *isa)
{
    Error err = {0};
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    EngineOptions options = {.image = image, .image_bytes = n_bytes, .n_threads = 2, .isa = isa};
    Engine *e = engine_open(&options, &err);
    assert_ok(e, err);
    return e;
}

static Engine *open_engine(void)
{
    return open_engine_isa(NULL);
}

static int tokenize(const Engine *e, const char *text, int *ids, int cap)
{
    size_t n = engine_tokenize(e, str_from(text), true, ids, (size_t)cap);
    assert_true(n <= (size_t)cap);
    return (int)n;
}

static void reused_prefix_gives_the_logits_of_a_fresh_one(void **state)
{
    (void)state;
    Engine *e = open_engine_isa("exact"); // rounding would flip a router's close call
    Error err = {0};
    SyncStats stats;
    int n_vocab = engine_info(e)->n_vocab, ids[512];
    Session *a = session_new(e, 0, &err), *b = session_new(e, 0, &err);
    int n = tokenize(e,
                     "<|file_sep|>a.c\nint main(int argc, char **argv)\n{\n    return 0;\n}\n"
                     "static int add(int a, int b)\n{\n    return a + b;\n}\n",
                     ids, 512);
    assert_ok(session_sync(a, ids, n, (EngineCancel){0}, &stats, &err), err);
    int kept = n - 5;
    for (int i = kept; i < n; i++)
        ids[i] = (ids[i] * 31 + 7) % 16000; // another end
    assert_ok(session_sync(a, ids, n, (EngineCancel){0}, &stats, &err), err);
    assert_int_equal(stats.n_reused, kept);
    assert_int_equal(stats.n_evaluated, 5);
    assert_ok(session_sync(b, ids, n, (EngineCancel){0}, &stats, &err), err);
    for (int i = 0; i < n_vocab; i++) // another order of additions, no more
        assert_true(fabsf(session_logits(a)[i] - session_logits(b)[i]) < 1e-2f);
    assert_ok(session_sync(a, ids, n, (EngineCancel){0}, &stats, &err), err);
    assert_int_equal(stats.n_evaluated, 0); // the same again costs nothing
    assert_ok(session_sync(a, ids, n - 2, (EngineCancel){0}, &stats, &err), err);
    assert_int_equal(stats.n_evaluated, 1); // a shorter one needs the logits of its last id
    session_free(a);
    session_free(b);
    engine_close(e);
}

static bool cancel_after(void *user)
{
    int *left = user;
    return (*left)-- <= 0;
}

static void cancelled_work_is_kept_and_told(void **state)
{
    (void)state;
    Engine *e = open_engine();
    Error err = {0};
    SyncStats stats;
    const int never = 1 << 20;
    int ids[600], left = never, held;
    for (int i = 0; i < 600; i++)
        ids[i] = (i * 7919 + 11) % 16000;
    Session *counted = session_new(e, 0, &err), *s = session_new(e, 0, &err);
    EngineCancel cancel = {cancel_after, &left};
    assert_ok(session_sync(counted, ids, 512, cancel, &stats, &err), err); // a pass
    session_free(counted);
    left = never - left + 1;
    assert_false(session_sync(s, ids, 600, cancel, &stats, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    session_ids(s, &held);
    assert_true(held > 0 && held < 600 && held == stats.n_evaluated);
    err = (Error){0};
    assert_ok(session_sync(s, ids, 600, (EngineCancel){0}, &stats, &err), err);
    assert_int_equal(stats.n_reused, held);
    session_free(s);
    engine_close(e);
}

// A cancel ends a pass between two stages, and the next sync of the same ids goes on there,
// whatever other sessions did, unless ids of that pass are others now.
static void a_cancelled_pass_goes_on_where_it_stopped(void **state)
{
    (void)state;
    Engine *e = open_engine();
    Error err = {0};
    SyncStats stats;
    const size_t n_vocab = (size_t)engine_info(e)->n_vocab;
    int ids[300], n_calls = 0, left;
    for (int i = 0; i < 300; i++)
        ids[i] = (i * 7919 + 11) % 16000;
    Session *whole = session_new(e, 0, &err), *s = session_new(e, 0, &err);
    assert_ok(session_sync(whole, ids, 300, (EngineCancel){0}, &stats, &err), err);
    float *wanted = mem_alloc(n_vocab * sizeof *wanted);
    memcpy(wanted, session_logits(whole), n_vocab * sizeof *wanted);
    ids[200]++; // a pass that is not the one wanted at the end
    for (bool done = false; !done; n_calls++) {
        left = 2;
        err = (Error){0};
        done = session_sync(s, ids, 300, (EngineCancel){cancel_after, &left}, &stats, &err);
        assert_true(done || err.code == ERROR_CANCELLED);
        if (n_calls == 1) ids[200]--;
        if (n_calls == 3) assert_ok(session_append(whole, 5, &err), err);
    }
    assert_true(n_calls > engine_info(e)->n_layers && n_calls < 4 * engine_info(e)->n_layers);
    assert_memory_equal(session_logits(s), wanted, n_vocab * sizeof *wanted);
    free(wanted);
    session_free(s);
    session_free(whole);
    engine_close(e);
}

// Runs a pass of another session at every third poll.
typedef struct Guest {
    Session *session;
    int n_polls;
} Guest;

static bool let_guest_compute(void *user)
{
    Guest *guest = user;
    Error err = {0};
    SyncStats stats;
    int ids[20];
    for (int i = 0; i < 20; i++)
        ids[i] = (i + guest->n_polls) % 16000;
    if (guest->n_polls++ % 3 == 0)
        assert_ok(session_sync(guest->session, ids, 20, (EngineCancel){0}, &stats, &err), err);
    return false;
}

static void a_poll_may_run_other_sessions(void **state)
{
    (void)state;
    Engine *e = open_engine();
    Error err = {0};
    SyncStats stats;
    const size_t n_vocab = (size_t)engine_info(e)->n_vocab;
    int ids[70];
    for (int i = 0; i < 70; i++)
        ids[i] = (i * 7919 + 11) % 16000;
    Session *s = session_new(e, 0, &err);
    Guest guest = {.session = session_new(e, 0, &err)};
    assert_ok(session_sync(s, ids, 70, (EngineCancel){0}, &stats, &err), err);
    float *wanted = mem_alloc(n_vocab * sizeof *wanted);
    memcpy(wanted, session_logits(s), n_vocab * sizeof *wanted);
    ids[0]++;
    assert_ok(session_sync(s, ids, 1, (EngineCancel){0}, &stats, &err), err);
    ids[0]--;
    assert_ok(session_sync(s, ids, 70, (EngineCancel){let_guest_compute, &guest}, &stats, &err),
              err);
    assert_true(guest.n_polls > engine_info(e)->n_layers);
    assert_memory_equal(session_logits(s), wanted, n_vocab * sizeof *wanted);
    free(wanted);
    session_free(guest.session);
    session_free(s);
    engine_close(e);
}

typedef struct Collected {
    StrBuf text;
    int n;
} Collected;

static bool collect(void *user, const GeneratedToken *token)
{
    Collected *c = user;
    strbuf_append(&c->text, token->bytes);
    c->n++;
    return true;
}

static void healed_output_begins_with_what_was_taken_back(void **state)
{
    (void)state;
    Engine *e = open_engine();
    Error err = {0};
    SyncStats stats;
    int ids[256];
    Session *s = session_new(e, 0, &err);
    static const char *const forced[] = {"retu", " ", "        ", "for (siz", "\xc3\xa9t", "}"};
    for (size_t i = 0; i < sizeof forced / sizeof *forced; i++) {
        int n = tokenize(e, "<|file_sep|>a.c\nint f(void)\n{\n   ", ids, 256);
        assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
        Collected c = {0};
        GenerateResult result;
        GenerateOptions o = {
            .max_tokens = 12, .forced = str_from(forced[i]), .on_token = collect, .user = &c};
        assert_ok(session_generate(s, &o, &result, &err), err);
        assert_true(str_starts(strbuf_str(&c.text), str_from(forced[i])));
        strbuf_deinit(&c.text);
    }
    session_free(s);
    engine_close(e);
}

static void wrong_requests_are_errors(void **state)
{
    (void)state;
    Engine *e = open_engine();
    SyncStats stats;
    Error err = {0};
    int ids[64] = {1, 2, 3};
    assert_null(session_new(e, 3, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    err = (Error){0};
    Session *s = session_new(e, 32, &err);
    assert_false(session_sync(s, ids, 0, (EngineCancel){0}, &stats, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    err = (Error){0};
    assert_false(session_sync(s, ids, 32, (EngineCancel){0}, &stats, &err));
    assert_int_equal(err.code, ERROR_TOO_LARGE);
    err = (Error){0};
    ids[1] = 1 << 20;
    assert_false(session_sync(s, ids, 3, (EngineCancel){0}, &stats, &err));
    assert_non_null(strstr(err.text, "1048576"));
    err = (Error){0};
    GenerateResult result;
    assert_false(session_generate(s, &(GenerateOptions){.max_tokens = 1}, &result, &err));
    session_free(s);
    assert_null(engine_open(&(EngineOptions){.path = "/nowhere.gguf"}, &(Error){0}));
    assert_null(engine_open(&(EngineOptions){.image = "GGUF", .image_bytes = 4}, &(Error){0}));
    engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v3_routing_limits_groups_and_normalises),
        cmocka_unit_test(v2_routing_keeps_softmax_weights),
        cmocka_unit_test(nan_logits_route_within_range),
        cmocka_unit_test(greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(few_of_many_are_chosen_as_by_sorting_all),
        cmocka_unit_test(filters_leave_only_what_they_should),
        cmocka_unit_test(top_p_draws_as_if_all_were_sorted),
        cmocka_unit_test(sampling_follows_the_distribution),
        cmocka_unit_test(common_prefix_counts_leading_equals),
        cmocka_unit_test(reused_prefix_gives_the_logits_of_a_fresh_one),
        cmocka_unit_test(cancelled_work_is_kept_and_told),
        cmocka_unit_test(a_cancelled_pass_goes_on_where_it_stopped),
        cmocka_unit_test(a_poll_may_run_other_sessions),
        cmocka_unit_test(healed_output_begins_with_what_was_taken_back),
        cmocka_unit_test(wrong_requests_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

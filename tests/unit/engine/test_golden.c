// The forward pass against numbers that we did not make (tests/golden/README.md): logits and greedy
// choices of the embedded model by transformers, the file's own weights multiplied in F32.
#include "unit/unit.h"

#include <math.h>

#include <json-c/json.h>

#include "engine/engine.h"
#include "engine/models/embedded.h"

// Of the logits' length. Activations in F32: what is left is our half-float cache (the reference
// has F32) and the order of additions.
static const double EXACT_TOLERANCE = 1e-3; // 0.00018 was seen
// Activations rounded to 8 bits, and weights too where a table does that: 0.012 was seen.
static const double ROUNDED_TOLERANCE = 0.03;
static const double FAIR_MARGIN = 0.5;

static json_object *golden;

static int load_golden(void **state)
{
    (void)state;
    golden = json_object_from_file(SOURCE_DIR "/tests/golden/r1ls-mini.json");
    return golden ? 0 : -1;
}

static int free_golden(void **state)
{
    (void)state;
    json_object_put(golden);
    return 0;
}

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value)) fail_msg("golden file lacks %s", key);
    return value;
}

static int *get_ids(json_object *array, int *n)
{
    *n = (int)json_object_array_length(array);
    int *ids = malloc((size_t)(*n + 1) * sizeof *ids);
    for (int i = 0; i < *n; i++)
        ids[i] = json_object_get_int(json_object_array_get_idx(array, (size_t)i));
    return ids;
}

static Engine *open_embedded(const char *isa)
{
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    EngineOptions options = {.image = image, .image_bytes = n_bytes, .isa = isa, .n_threads = 2};
    Error err = {0};
    Engine *engine = engine_open(&options, &err);
    if (!engine && err.code == ERROR_INVALID) return NULL; // this CPU lacks the instruction set
    assert_ok(engine, err);
    return engine;
}

static int argmax(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

typedef struct Lengths {
    double difference, wanted; // squared
} Lengths;

static void add_logits(const float *logits, json_object *pairs, Lengths *sum)
{
    for (size_t i = 0; i < json_object_array_length(pairs); i++) {
        json_object *pair = json_object_array_get_idx(pairs, i);
        int id = json_object_get_int(json_object_array_get_idx(pair, 0));
        double wanted = json_object_get_double(json_object_array_get_idx(pair, 1));
        sum->difference += (logits[id] - wanted) * (logits[id] - wanted);
        sum->wanted += wanted * wanted;
    }
}

// Feeds the reference's own ids and asks for the same choice wherever its margin is fair. The
// length of the first logits' error over theirs.
static double check_greedy(Session *session, json_object *c, int n_vocab, int *n_fair)
{
    Error err = {0};
    SyncStats stats;
    int n_prompt, n_ids;
    int *prompt = get_ids(get(c, "prompt_ids"), &n_prompt), *ids = get_ids(get(c, "ids"), &n_ids);
    assert_ok(session_sync(session, prompt, n_prompt, (EngineCancel){0}, &stats, &err), err);
    Lengths sum = {0};
    add_logits(session_logits(session), get(c, "first_top"), &sum);
    add_logits(session_logits(session), get(c, "first_logits_at"), &sum);
    for (int i = 0; i < n_ids; i++) {
        double margin =
            json_object_get_double(json_object_array_get_idx(get(c, "margins"), (size_t)i));
        int choice = argmax(session_logits(session), n_vocab);
        if (margin > FAIR_MARGIN) {
            (*n_fair)++;
            if (choice != ids[i])
                fail_msg("%s: token %d is %d, wanted %d (margin %.3f)",
                         json_object_get_string(get(c, "name")), i, choice, ids[i], margin);
        }
        if (i + 1 < n_ids) assert_ok(session_append(session, ids[i], &err), err);
    }
    free(prompt);
    free(ids);
    return sqrt(sum.difference / sum.wanted);
}

static void compare(const char *isa, const char *kind, double tolerance, size_t max_cases)
{
    Engine *engine = open_embedded(isa);
    if (!engine) skip();
    Error err = {0};
    Session *session = session_new(engine, 0, &err);
    assert_ok(session, err);
    json_object *cases = get(get(golden, kind), "greedy");
    int n_fair = 0;
    double worst = 0;
    for (size_t i = 0; i < json_object_array_length(cases) && i < max_cases; i++)
        worst = fmax(worst, check_greedy(session, json_object_array_get_idx(cases, i),
                                         engine_info(engine)->n_vocab, &n_fair));
    printf("%s against %s: relative error of the logits %.5f, %d fair greedy choices equal\n",
           engine_info(engine)->isa, kind, worst, n_fair);
    assert_true(worst <= tolerance);
    assert_true(n_fair > 0);
    session_free(session);
    engine_close(engine);
}

static void exact_arithmetic_gives_the_reference_logits(void **state)
{
    (void)state;
    compare("exact", "strict_f32", EXACT_TOLERANCE, 3);
}

static void rounded_activations_stay_near_the_reference(void **state)
{
    (void)state;
    compare(NULL, "strict_f32", ROUNDED_TOLERANCE, SIZE_MAX);
}

static void every_instruction_set_agrees(void **state)
{
    (void)state;
    compare("ref", "strict_f32", ROUNDED_TOLERANCE, 1);
    compare("avx2", "strict_f32", ROUNDED_TOLERANCE, 2);
    compare("avx512", "strict_f32", ROUNDED_TOLERANCE, 2);
}

// --- log-probabilities of real texts (tests/golden/scores.json, made by make_scores.py) ----------

typedef struct Sum {
    double ours, theirs;
    int n, n_fair;
} Sum;

static void add_text(Session *session, json_object *text, Sum *sum)
{
    Error err = {0};
    int n, first = json_object_get_int(get(text, "first"));
    int *ids = get_ids(get(text, "ids"), &n);
    float *logprobs = calloc((size_t)n, sizeof *logprobs);
    int *best = calloc((size_t)n, sizeof *best);
    assert_ok(session_score(session, ids, n, logprobs, best, (EngineCancel){0}, &err), err);
    for (int i = first; i < n; i++) {
        size_t at = (size_t)(i - first);
        json_object *theirs = json_object_array_get_idx(get(text, "logprobs"), at);
        int choice = json_object_get_int(json_object_array_get_idx(get(text, "best"), at));
        double margin = json_object_get_double(json_object_array_get_idx(get(text, "margins"), at));
        if (margin > FAIR_MARGIN) {
            assert_int_equal(best[i], choice);
            sum->n_fair++;
        }
        if (!theirs) continue; // not among their best 3,000
        sum->ours -= (double)logprobs[i];
        sum->theirs -= json_object_get_double(theirs);
        sum->n++;
    }
    free(ids);
    free(logprobs);
    free(best);
}

// Returns false if the model is not there.
static bool compare_scores(json_object *scores, const char *name, const char *path)
{
    Error err = {0};
    Engine *engine = engine_open(&(EngineOptions){.path = path, .n_threads = 2}, &err);
    if (!engine && err.code == ERROR_NOT_FOUND) return false;
    assert_ok(engine, err);
    Session *session = session_new(engine, 1024, &err);
    json_object *texts = get(scores, name);
    Sum sum = {0};
    for (size_t i = 0; i < json_object_array_length(texts); i++)
        add_text(session, json_object_array_get_idx(texts, i), &sum);
    printf("%s: mean negative log-likelihood %.4f, llama.cpp %.4f over %d tokens; %d fair choices "
           "equal\n",
           name, sum.ours / sum.n, sum.theirs / sum.n, sum.n, sum.n_fair);
    assert_true(sum.n > 300);
    assert_true(fabs(sum.ours - sum.theirs) <= 0.005 * sum.theirs);
    session_free(session);
    engine_close(engine);
    return true;
}

static void scores_are_the_references(void **state)
{
    (void)state;
    static const char *const real[] = {"smollm2", "coder-0.5b"};
    json_object *scores = json_object_from_file(SOURCE_DIR "/tests/golden/scores.json");
    assert_non_null(scores);
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        char path[512];
        const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        snprintf(path, sizeof path, "%s%s/r1ls/models/%s.gguf",
                 cache  ? cache
                 : home ? home
                        : "",
                 cache ? "" : "/.cache", real[i]);
        if (!compare_scores(scores, real[i], path))
            printf("skipped: %s is not in the cache (./dev model %s)\n", real[i], real[i]);
    }
    json_object_put(scores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_arithmetic_gives_the_reference_logits),
        cmocka_unit_test(rounded_activations_stay_near_the_reference),
        cmocka_unit_test(every_instruction_set_agrees),
        cmocka_unit_test(scores_are_the_references),
    };
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}

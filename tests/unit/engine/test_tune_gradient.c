// Gradients of an adapter on every architecture: against PyTorch (tests/golden/tune.json, by
// make_tune_golden.py) and against differences of tuning's own objective.
#include "unit/family_model.h"

#include "tune_state.h"

enum { N_IDS = 36, N_PROBES = 3 };
static const double TOLERANCE = 1e-3;

static json_object *numbers;

static int set_up(void **state)
{
    numbers = json_object_from_file(SOURCE_DIR "/tests/golden/tune.json");
    return numbers ? load_golden(state) : -1;
}

static int tear_down(void **state)
{
    json_object_put(numbers);
    return free_golden(state);
}

typedef struct Case {
    Opened o;
    Tune *tune;
    const char *name;
    json_object *wanted;
    float temperature;
    int ids[N_IDS];
    float weights[N_IDS], old[N_IDS], logprobs[N_IDS];
} Case;

// The generator's name of a tensor of the model.
static void fill(const Case *c, const char *name, int exponent, float *out, size_t n)
{
    uint64_t seed = hash_name(c->name, name);
    for (size_t i = 0; i < n; i++)
        out[i] = generate(seed, i, exponent, 0);
}

static size_t a_size(const Case *c, const TunePair *p)
{
    return (size_t)c->tune->options.rank * (size_t)p->n_in;
}

static size_t b_size(const Case *c, const TunePair *p)
{
    return (size_t)c->tune->options.rank * (size_t)p->n_out;
}

// From [n_out][rank] to [rank][n_out].
static void turn(const float *from, int n_out, int rank, float *to)
{
    for (int i = 0; i < n_out; i++)
        for (int j = 0; j < rank; j++)
            to[(size_t)j * (size_t)n_out + (size_t)i] = from[i * rank + j];
}

static void fill_adapter(Case *c)
{
    float *b = mem_alloc(4096 * sizeof *b);
    for (size_t i = 0; i < c->tune->n_pairs; i++) {
        const TunePair *p = &c->tune->pairs[i];
        char name[128];
        Str base = gguf_tensor(c->o.gguf, i)->name;
        if (!p->used) continue;
        snprintf(name, sizeof name, "%.*s.lora_a", STR_FMT(base));
        fill(c, name, -2, c->tune->params + p->a, a_size(c, p));
        snprintf(name, sizeof name, "%.*s.lora_b", STR_FMT(base));
        fill(c, name, -2, b, b_size(c, p));
        turn(b, p->n_out, c->tune->options.rank, c->tune->params + p->b);
    }
    free(b);
}

static void make_tune(Case *c, size_t keep_bytes)
{
    Error err = {0};
    TuneOptions options = {.rank = json_object_get_int(get(numbers, "rank")),
                           .alpha = (float)json_object_get_double(get(numbers, "alpha")),
                           .max_tokens = N_IDS,
                           .keep_bytes = keep_bytes};
    c->tune = tune_new_over(c->o.gguf, &c->o.shape, &c->o.weights, &c->o.compute, &options, &err);
    assert_ok(c->tune, err);
    fill_adapter(c);
}

static void open_case(size_t i, TensorType type, const Kernels *kernels, int n_threads, Case *c)
{
    Error err = {0};
    json_object *model = at(get(golden, "models"), i);
    *c = (Case){.name = json_object_get_string(get(model, "name")),
                .wanted = at(get(numbers, "models"), i)};
    assert_string_equal(c->name, json_object_get_string(get(c->wanted, "name")));
    open_model(model, type, kernels, &c->o);
    if (n_threads > 1) {
        compute_deinit(&c->o.compute);
        assert_ok(compute_init(&c->o.compute, kernels, n_threads, &c->o.shape, &c->o.weights, &err),
                  err);
        attention_frequencies(&c->o.compute, &c->o.shape, c->o.weights.rope_divisors);
    }
    make_tune(c, 0);
    for (size_t t = 0; t < N_IDS; t++) {
        c->ids[t] = json_object_get_int(at(get(model, "ids"), t));
        c->weights[t] = (float)json_object_get_double(at(get(c->wanted, "weights"), t));
        c->old[t] = (float)json_object_get_double(at(get(c->wanted, "old_logprobs"), t));
    }
}

static void close_case(Case *c)
{
    tune_free(c->tune);
    close_model(&c->o);
}

static TuneSequence sequence_of(Case *c, bool clipped)
{
    return (TuneSequence){.ids = c->ids,
                          .n = N_IDS,
                          .weights = c->weights,
                          .old_logprobs = clipped ? c->old : NULL,
                          .clip_low = (float)json_object_get_double(get(numbers, "clip_low")),
                          .clip_high = (float)json_object_get_double(get(numbers, "clip_high")),
                          .temperature = c->temperature,
                          .logprobs = c->logprobs};
}

// How far a gradient is from its golden norm and products, as a part of the norm.
static double compare(const Case *c, const char *probe, const float *gradient, size_t n,
                      json_object *wanted)
{
    double norm = 0, scale = json_object_get_double(at(wanted, 0)), worst;
    float *direction = mem_alloc(n * sizeof *direction);
    for (size_t i = 0; i < n; i++)
        norm += (double)gradient[i] * (double)gradient[i];
    worst = fabs(sqrt(norm) - scale);
    for (int k = 0; k < N_PROBES; k++) {
        char name[128];
        double product = 0;
        snprintf(name, sizeof name, "%s%d", probe, k);
        fill(c, name, 0, direction, n);
        for (size_t i = 0; i < n; i++)
            product += (double)gradient[i] * (double)direction[i];
        worst = fmax(worst, fabs(product - json_object_get_double(at(wanted, (size_t)k + 1))));
    }
    free(direction);
    return isnan(worst) ? INFINITY : worst / scale;
}

static double compare_all(Case *c, bool old, const char *kind)
{
    Error err = {0};
    double objective, worst = 0;
    json_object *wanted = get(c->wanted, kind);
    TuneSequence q = sequence_of(c, old);
    tune_clear(c->tune);
    assert_ok(tune_accumulate(c->tune, &q, (EngineCancel){0}, &objective, &err), err);
    double golden_objective = json_object_get_double(get(wanted, "objective"));
    if (fabs(objective - golden_objective) > TOLERANCE * (1 + fabs(golden_objective)))
        fail_msg("%s: objective %g, wanted %g", c->name, objective, golden_objective);
    for (size_t t = 1; t < N_IDS; t++) {
        double p = json_object_get_double(at(get(c->wanted, "logprobs"), t));
        if (c->weights[t] != 0 && fabs((double)c->logprobs[t] - p) > TOLERANCE * (1 + fabs(p)))
            fail_msg("%s: log probability %zu is %g, wanted %g", c->name, t, (double)c->logprobs[t],
                     p);
    }
    float *b = mem_alloc(4096 * sizeof *b);
    for (size_t i = 0; i < c->tune->n_pairs; i++) {
        const TunePair *p = &c->tune->pairs[i];
        char name[96], probe[128];
        if (!p->used) continue;
        snprintf(name, sizeof name, "%.*s", STR_FMT(gguf_tensor(c->o.gguf, i)->name));
        json_object *both = get(get(wanted, "gradients"), name);
        snprintf(probe, sizeof probe, "%s.probe_a", name);
        double a = compare(c, probe, c->tune->grads + p->a, a_size(c, p), at(both, 0));
        turn(c->tune->grads + p->b, c->tune->options.rank, p->n_out, b); // back to [n_out][rank]
        snprintf(probe, sizeof probe, "%s.probe_b", name);
        double off = fmax(a, compare(c, probe, b, b_size(c, p), at(both, 1)));
        if (!(off <= TOLERANCE))
            fail_msg("%s %s: gradient off by %.2e of its norm", c->name, name, off);
        worst = fmax(worst, off);
    }
    free(b);
    return worst;
}

static void gradients_equal_pytorchs(void **state)
{
    (void)state;
    static const TensorType types[] = {TENSOR_F32, TENSOR_F16, TENSOR_Q8_0};
    const Kernels *tables[] = {&kernels_ref, kernels_find(NULL)};
    for (size_t i = 0; i < json_object_array_length(get(golden, "models")); i++) {
        double worst = 0;
        const char *name = NULL;
        for (size_t k = 0; k < 2; k++)
            for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
                Case c;
                open_case(i, types[t], tables[k], k && types[t] == TENSOR_Q8_0 ? 2 : 1, &c);
                worst = fmax(worst, compare_all(&c, false, "plain"));
                worst = fmax(worst, compare_all(&c, true, "clipped"));
                for (size_t n = 0; n < N_IDS; n++)
                    c.old[n] = NAN; // nobody sampled it
                worst = fmax(worst, compare_all(&c, true, "plain"));
                name = c.name;
                close_case(&c);
            }
        printf("%-20s gradients off by at most %.1e of their norms\n", name, worst);
    }
}

static double objective_of(Case *c)
{
    Error err = {0};
    double objective;
    TuneSequence q = sequence_of(c, false);
    assert_ok(tune_evaluate(c->tune, &q, (EngineCancel){0}, &objective, &err), err);
    return objective;
}

// The loss's slope along `along` [n], of length 1, at params + first: Richardson's extrapolation of
// central differences.
static double differ(Case *c, size_t first, const float *along, size_t n, double step)
{
    double d[2];
    float *x = c->tune->params + first, *old = mem_alloc(n * sizeof *old);
    memcpy(old, x, n * sizeof *old);
    for (int half = 0; half < 2; half++) {
        double h = half ? step / 2 : step, sides[2];
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++)
                x[i] = (float)((double)old[i] + (side ? -h : h) * (double)along[i]);
            sides[side] = objective_of(c);
        }
        d[half] = -(sides[0] - sides[1]) / (2 * h);
    }
    memcpy(x, old, n * sizeof *old);
    free(old);
    return (4 * d[1] - d[0]) / 3;
}

// A or B of one matrix, along its own gradient, where the slope is the gradient's norm.
static double compare_slope(Case *c, size_t first, size_t n)
{
    double norm = 0;
    float *along = mem_alloc(n * sizeof *along);
    for (size_t i = 0; i < n; i++)
        norm += (double)c->tune->grads[first + i] * (double)c->tune->grads[first + i];
    norm = sqrt(norm);
    for (size_t i = 0; i < n; i++)
        along[i] = (float)((double)c->tune->grads[first + i] / norm);
    double off = fabs(differ(c, first, along, n, 0.006) - norm) / norm;
    free(along);
    return isnan(off) ? INFINITY : off;
}

static void gradients_equal_differences(void **state)
{
    (void)state;
    static const size_t models[] = {0, 2, 8, 13}; // qwen2, llama, and deepseek2 as V2 and V3
    static const float temperatures[] = {0, 0.7f, 0, 1.5f};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        Case c;
        Error err = {0};
        double objective, worst = 0;
        open_case(models[i], TENSOR_F32, kernels_find(NULL), 1, &c);
        c.temperature = temperatures[i];
        TuneSequence q = sequence_of(&c, false);
        assert_ok(tune_accumulate(c.tune, &q, (EngineCancel){0}, &objective, &err), err);
        for (size_t m = 0; m < c.tune->n_pairs; m++) {
            const TunePair *p = &c.tune->pairs[m];
            if (!p->used) continue;
            worst = fmax(worst, compare_slope(&c, p->a, a_size(&c, p)));
            worst = fmax(worst, compare_slope(&c, p->b, b_size(&c, p)));
        }
        printf("%-20s gradients off by at most %.1e from differences\n", c.name, worst);
        assert_true(worst <= TOLERANCE);
        close_case(&c);
    }
}

// At temperature 1 it is what it is without, and the cold likes the likely.
static void a_temperature_sharpens_the_probabilities(void **state)
{
    (void)state;
    static const float temperatures[] = {0, 1, 0.5f, 0.01f};
    double objectives[4];
    Case c;
    open_case(0, TENSOR_F32, kernels_find(NULL), 1, &c);
    for (size_t i = 0; i < N_IDS; i++)
        c.weights[i] = 1;
    for (size_t i = 0; i < 4; i++) {
        c.temperature = temperatures[i];
        objectives[i] = objective_of(&c);
    }
    assert_true(objectives[0] == objectives[1]);
    assert_true(objectives[2] != objectives[1] && objectives[3] < objectives[2]);
    close_case(&c);
}

// What branches give as sequences of their own: the sums of objectives and gradients.
static double run_alone(Case *c, const TuneSequence *q, float *logprobs)
{
    double sum = 0;
    tune_clear(c->tune);
    for (int i = 0; i < q->n_branches; i++) {
        Error err = {0};
        int ids[N_IDS], start = i ? q->ends[i - 1] : q->n_shared;
        float weights[N_IDS] = {0}, old[N_IDS] = {0}, told[N_IDS];
        size_t shared = (size_t)q->n_shared, own = (size_t)(q->ends[i] - start);
        double objective;
        memcpy(ids, q->ids, shared * sizeof *ids);
        memcpy(ids + shared, q->ids + start, own * sizeof *ids);
        memcpy(weights + shared, q->weights + start, own * sizeof *weights);
        memcpy(old + shared, q->old_logprobs + start, own * sizeof *old);
        TuneSequence one = *q;
        one.ids = ids, one.n = (int)(shared + own), one.weights = weights, one.old_logprobs = old;
        one.logprobs = told, one.n_branches = 0;
        if (isnan(old[shared])) one.old_logprobs = NULL; // not sampled: a likelihood
        assert_ok(tune_accumulate(c->tune, &one, (EngineCancel){0}, &objective, &err), err);
        memcpy(logprobs + start, told + shared, own * sizeof *told);
        sum += objective;
    }
    return sum;
}

static double compare_branches(Case *c)
{
    static const int ends[] = {13, 14, 27, N_IDS};
    Error err = {0};
    size_t n = c->tune->n_params;
    float alone[N_IDS] = {0}, *grads = mem_alloc(n * sizeof *grads);
    double together, off = 0, norm = 0;
    for (int i = 0; i < N_IDS; i++)
        c->weights[i] = i < 9 ? 0 : c->weights[i] + 0.01f; // 13: a branch of one token
    for (int i = ends[1]; i < ends[2]; i++)
        c->old[i] = NAN;
    TuneSequence q = sequence_of(c, true);
    q.n_shared = 9, q.n_branches = 4, q.ends = ends;
    double wanted = run_alone(c, &q, alone);
    memcpy(grads, c->tune->grads, n * sizeof *grads);
    tune_clear(c->tune);
    assert_ok(tune_accumulate(c->tune, &q, (EngineCancel){0}, &together, &err), err);
    assert_true(fabs(together - wanted) <= 1e-5 * (1 + fabs(wanted)));
    for (int i = 9; i < N_IDS; i++)
        assert_true(fabsf(c->logprobs[i] - alone[i]) <= 1e-4f);
    for (size_t i = 0; i < n; i++) {
        double difference = (double)grads[i] - (double)c->tune->grads[i];
        off += difference * difference;
        norm += (double)grads[i] * (double)grads[i];
    }
    free(grads);
    assert_true(norm > 0);
    return sqrt(off / norm);
}

static void branches_equal_sequences(void **state)
{
    (void)state;
    for (size_t i = 0; i < json_object_array_length(get(golden, "models")); i++)
        for (int window = 0; window <= 6; window += 6) { // 6: shorter than what is shared
            Case c;
            open_case(i, TENSOR_F32, kernels_find(NULL), 1, &c);
            if (window) c.o.shape.sliding_window = window;
            double off = compare_branches(&c);
            if (!(off < 1e-4)) fail_msg("%s, window %d: off by %.1e", c.name, window, off);
            close_case(&c);
        }
}

// Whatever room there is for the insides of blocks, no bit changes.
static void kept_insides_are_those_of_a_second_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < json_object_array_length(get(golden, "models")); i++) {
        Case c;
        Error err = {0};
        double wanted, objective;
        int first_kept;
        open_case(i, TENSOR_Q8_0, kernels_find(NULL), 1, &c);
        TuneSequence q = sequence_of(&c, true);
        assert_ok(tune_accumulate(c.tune, &q, (EngineCancel){0}, &wanted, &err), err);
        size_t n_bytes = c.tune->n_params * sizeof(float);
        float *grads = mem_alloc(n_bytes);
        memcpy(grads, c.tune->grads, n_bytes);
        assert_int_equal(c.tune->first_kept, c.o.shape.n_layers);
        for (size_t room = 4096; (first_kept = c.tune->first_kept) > 1; room *= 2) {
            tune_free(c.tune);
            make_tune(&c, room);
            if (c.tune->first_kept == first_kept) continue;
            for (int again = 0; again < 2; again++) {
                tune_clear(c.tune);
                assert_ok(tune_accumulate(c.tune, &q, (EngineCancel){0}, &objective, &err), err);
                assert_memory_equal(c.tune->grads, grads, n_bytes);
                assert_true(objective == wanted);
            }
        }
        free(grads);
        close_case(&c);
    }
}

static void branches_are_checked(void **state)
{
    (void)state;
    static const int cases[][4] = {
        {0, 2, 20, N_IDS}, {9, 2, 9, N_IDS}, {9, 2, N_IDS + 1, N_IDS}, {9, 2, 20, 30}};
    Case c;
    double objective;
    open_case(0, TENSOR_F32, kernels_find(NULL), 1, &c);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error err = {0};
        TuneSequence q = sequence_of(&c, false);
        q.n_shared = cases[i][0], q.n_branches = cases[i][1], q.ends = cases[i] + 2;
        assert_false(tune_accumulate(c.tune, &q, (EngineCancel){0}, &objective, &err));
        assert_int_equal(err.code, ERROR_INVALID);
        assert_non_null(strstr(err.text, "branch"));
    }
    close_case(&c);
}

static void sequences_are_checked(void **state)
{
    (void)state;
    Case c;
    Error err = {0};
    double objective;
    open_case(0, TENSOR_F32, kernels_find(NULL), 1, &c);
    TuneSequence q = sequence_of(&c, false);
    q.n = 1;
    assert_false(tune_accumulate(c.tune, &q, (EngineCancel){0}, &objective, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    err = (Error){0};
    q.n = N_IDS;
    c.ids[3] = c.o.shape.n_vocab;
    assert_false(tune_accumulate(c.tune, &q, (EngineCancel){0}, &objective, &err));
    assert_non_null(strstr(err.text, "token 32 at 3"));
    err = (Error){0};
    c.ids[3] = 0;
    c.weights[5] = NAN;
    assert_false(tune_accumulate(c.tune, &q, (EngineCancel){0}, &objective, &err));
    assert_non_null(strstr(err.text, "at 5"));
    for (size_t i = 0; i < c.tune->n_params; i++)
        assert_true(c.tune->grads[i] == 0);
    TuneOptions bad = {.rank = 0, .alpha = 1, .max_tokens = 8};
    err = (Error){0};
    assert_null(tune_new_over(c.o.gguf, &c.o.shape, &c.o.weights, &c.o.compute, &bad, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    close_case(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_pytorchs),
        cmocka_unit_test(gradients_equal_differences),
        cmocka_unit_test(a_temperature_sharpens_the_probabilities),
        cmocka_unit_test(branches_equal_sequences),
        cmocka_unit_test(branches_are_checked),
        cmocka_unit_test(kept_insides_are_those_of_a_second_pass),
        cmocka_unit_test(sequences_are_checked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

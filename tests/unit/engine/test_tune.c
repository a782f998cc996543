// An adapter's training on a small model: it learns, its file gives the engine what training
// computes, and a checkpoint goes on with the same numbers.
#include "unit/unit.h"

#include <math.h>

#include "engine/engine.h"
#include "engine/tune.h"
#include "tune_state.h"
#include "unit/tiny_model.h"

enum { N_CTX = 64, N_STEPS = 12 };
static const TuneAdam adam = {
    .rate = 0.02f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .decay = 0.01f, .max_norm = 1};
static const TuneOptions options = {.rank = 4, .alpha = 8, .max_tokens = N_CTX, .seed = 3};

typedef struct Setup {
    char folder[64], model[96], adapter[96], checkpoint[96];
    Engine *engine;
    Tune *tune;
    int ids[N_CTX], n;
    float weights[N_CTX];
} Setup;

static Tune *make_tune(const Setup *s)
{
    Error err = {0};
    Tune *tune = tune_new(s->engine, &options, &err);
    assert_ok(tune, err);
    return tune;
}

static void set_up(Setup *s)
{
    Error err = {0};
    *s = (Setup){0};
    snprintf(s->folder, sizeof s->folder, "/tmp/r1ls-tune-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->model, sizeof s->model, "%s/tiny.gguf", s->folder);
    snprintf(s->adapter, sizeof s->adapter, "%s/out.gguf", s->folder);
    snprintf(s->checkpoint, sizeof s->checkpoint, "%s/out.tune", s->folder);
    assert_true(tiny_write(s->model, 128));
    // The table whose products are exact, as training's are.
    EngineOptions opened = {.path = s->model, .n_threads = 2, .isa = "exact"};
    s->engine = engine_open(&opened, &err);
    assert_ok(s->engine, err);
    s->tune = make_tune(s);
    s->n = (int)engine_tokenize(s->engine, STR("return a + b;\n"), false, s->ids, N_CTX);
    for (int i = 0; i < s->n; i++)
        s->weights[i] = 1.0f / (float)s->n;
}

static void tear_down(Setup *s)
{
    char command[128];
    tune_free(s->tune);
    engine_close(s->engine);
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    assert_int_equal(system(command), 0);
}

static double take_step(Setup *s, Tune *tune)
{
    Error err = {0};
    double objective, norm;
    TuneSequence q = {.ids = s->ids, .n = s->n, .weights = s->weights};
    assert_ok(tune_accumulate(tune, &q, (EngineCancel){0}, &objective, &err), err);
    assert_ok(tune_step(tune, &adam, &norm, &err), err);
    assert_true(norm > 0 && isfinite(norm));
    return -objective;
}

// Against the formulas, in double precision, on the first values of A.
static void steps_follow_adamw(void **state)
{
    (void)state;
    Setup s;
    enum { N = 8 };
    double x[N], m[N] = {0}, v[N] = {0};
    set_up(&s);
    for (int i = 0; i < N; i++)
        x[i] = (double)s.tune->params[i];
    for (int step = 1; step <= 3; step++) {
        Error err = {0};
        double objective, length = 0;
        TuneSequence q = {.ids = s.ids, .n = s.n, .weights = s.weights};
        assert_ok(tune_accumulate(s.tune, &q, (EngineCancel){0}, &objective, &err), err);
        for (size_t i = 0; i < s.tune->n_params; i++)
            length += (double)s.tune->grads[i] * (double)s.tune->grads[i];
        double scale = sqrt(length) > 1 ? 1 / sqrt(length) : 1;
        for (int i = 0; i < N; i++) {
            double g = scale * (double)s.tune->grads[i];
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            double first = m[i] / (1 - pow(0.9, step)), second = v[i] / (1 - pow(0.95, step));
            x[i] -= 0.02 * (first / (sqrt(second) + 1e-8) + 0.01 * x[i]);
        }
        double norm;
        assert_ok(tune_step(s.tune, &adam, &norm, &err), err);
        assert_true(fabs(norm - sqrt(length)) < 1e-6 * (1 + norm));
    }
    for (int i = 0; i < N; i++)
        if (fabs(x[i] - (double)s.tune->params[i]) > 1e-4 * (0.02 + fabs(x[i])))
            fail_msg("value %d is %g, wanted %g", i, (double)s.tune->params[i], x[i]);
    tear_down(&s);
}

static void compare_with_session(Setup *s, const Adapter *adapter, const char *what)
{
    Error err = {0};
    double objective;
    float wanted[N_CTX], got[N_CTX];
    int argmax[N_CTX];
    TuneSequence q = {.ids = s->ids, .n = s->n, .weights = s->weights, .logprobs = wanted};
    assert_ok(tune_evaluate(s->tune, &q, (EngineCancel){0}, &objective, &err), err);
    Session *session = session_new(s->engine, N_CTX, &err);
    assert_ok(session, err);
    AdapterUse use = {adapter, 1};
    assert_ok(session_use_adapters(session, &use, 1, &err), err);
    assert_ok(session_score(session, s->ids, s->n, got, argmax, (EngineCancel){0}, &err), err);
    for (int i = 1; i < s->n; i++)
        if (fabsf(got[i] - wanted[i]) > 5e-3f)
            fail_msg("%s: log probability %d is %g, wanted %g", what, i, (double)got[i],
                     (double)wanted[i]);
    session_free(session);
}

static void the_loss_falls_and_the_file_is_what_was_trained(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    set_up(&s);
    double first = take_step(&s, s.tune), last = first;
    for (int i = 1; i < N_STEPS; i++)
        last = take_step(&s, s.tune);
    printf("loss %.3f, after %d steps %.3f\n", first, N_STEPS, last);
    assert_true(last < 0.5 * first);
    assert_int_equal(tune_n_steps(s.tune), N_STEPS);
    compare_with_session(&s, tune_adapter(s.tune), "in memory");
    for (int fim = 0; fim < 2; fim++) {
        assert_ok(tune_write_adapter(s.tune, s.adapter, fim, &err), err);
        Adapter *adapter = adapter_open(s.engine, s.adapter, &err);
        assert_ok(adapter, err);
        assert_int_equal(adapter_is_for_fim(adapter), fim);
        compare_with_session(&s, adapter, "from the file");
        adapter_close(adapter);
    }
    tear_down(&s);
}

static void a_checkpoint_goes_on_with_the_same_numbers(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    StrBuf extra = {0};
    set_up(&s);
    for (int i = 0; i < 3; i++)
        take_step(&s, s.tune);
    assert_ok(tune_save(s.tune, s.checkpoint, STR("step 3"), &err), err);
    Tune *other = make_tune(&s);
    take_step(&s, other);
    assert_ok(tune_load(other, s.checkpoint, &extra, &err), err);
    assert_string_equal(extra.ptr, "step 3");
    assert_int_equal(tune_n_steps(other), 3);
    for (int i = 0; i < 3; i++)
        assert_true(take_step(&s, s.tune) == take_step(&s, other));
    assert_memory_equal(s.tune->params, other->params, s.tune->n_params * sizeof(float));
    strbuf_deinit(&extra);
    tune_free(other);
    tear_down(&s);
}

// A small gradient behind large ones: their moments would hold the step small.
static void steps_after_a_restart_are_as_long_as_the_first(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    set_up(&s);
    float moved[2];
    for (int restarted = 0; restarted < 2; restarted++) {
        s.tune->grads[0] = 0.5f;
        assert_ok(tune_step(s.tune, &adam, NULL, &err), err);
        if (restarted) tune_restart(s.tune);
        float before = s.tune->params[0];
        s.tune->grads[0] = -0.001f;
        assert_ok(tune_step(s.tune, &adam, NULL, &err), err);
        moved[restarted] = (s.tune->params[0] - before) / adam.rate;
    }
    assert_true(moved[0] < 0); // on with what was before
    assert_true(fabsf(moved[1] - 1) < 0.1f);
    assert_int_equal(tune_n_steps(s.tune), 1);
    tear_down(&s);
}

static void refuse(const Setup *s, ErrorCode code, const char *wanted)
{
    Error err = {0};
    StrBuf extra = {0};
    assert_false(tune_load(s->tune, s->checkpoint, &extra, &err));
    if (err.code != code || !strstr(err.text, wanted))
        fail_msg("error %d '%s', wanted %d with '%s'", err.code, err.text, code, wanted);
    assert_int_equal(extra.len, 0);
}

static void put_byte(const char *path, long at, int byte)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fputc(byte, f), byte);
    assert_int_equal(fclose(f), 0);
}

static void bad_checkpoints_change_nothing(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    set_up(&s);
    take_step(&s, s.tune);
    refuse(&s, ERROR_NOT_FOUND, "out.tune");
    assert_ok(tune_save(s.tune, s.checkpoint, STR(""), &err), err);
    put_byte(s.checkpoint, 1000, 0x5A);
    refuse(&s, ERROR_DAMAGED, "checksum");
    put_byte(s.checkpoint, 20, 'x');
    refuse(&s, ERROR_INVALID, "another model");
    put_byte(s.checkpoint, 8, 9);
    refuse(&s, ERROR_UNSUPPORTED, "version 9");
    put_byte(s.checkpoint, 0, 'x');
    refuse(&s, ERROR_DAMAGED, "no checkpoint");
    assert_int_equal(tune_n_steps(s.tune), 1);
    // A gradient that is no number is dropped.
    s.tune->grads[0] = NAN;
    float before = s.tune->params[1];
    assert_false(tune_step(s.tune, &adam, NULL, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    assert_true(s.tune->params[1] == before && s.tune->grads[0] == 0);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_adamw),
        cmocka_unit_test(the_loss_falls_and_the_file_is_what_was_trained),
        cmocka_unit_test(a_checkpoint_goes_on_with_the_same_numbers),
        cmocka_unit_test(steps_after_a_restart_are_as_long_as_the_first),
        cmocka_unit_test(bad_checkpoints_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What a feed-forward layer asks the team for between two looks at whether the pass is to end.
#include "moe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_EMBD = 4096, N_FF = 16384 };
// Less than 25 ms of two cores that do 200 billion products a second each.
static const long MOST_PRODUCTS = 9L * 1000 * 1000 * 1000;

// Products since the last look and of all runs, and what the looks answer.
typedef struct Watched {
    long since, all, most;
    int n_looks, ends_at;
} Watched;

static void see(void *user, const MatmulTask *task)
{
    Watched *w = user;
    long n = (long)task->w->n_in * task->w->n_out * task->n_acts;
    w->since += n;
    w->all += n;
    w->most = w->since > w->most ? w->since : w->most;
}

static bool look(void *user)
{
    Watched *w = user;
    w->since = 0;
    return ++w->n_looks == w->ends_at;
}

// No weights are read: row r of the product is the vector's element 0.
static void copy_first(TensorType type, const void *w, size_t row_bytes, int n_in, int n_rows,
                       const ActRow *acts, int n_acts, float *y, size_t y_stride, void *scratch)
{
    (void)type, (void)w, (void)row_bytes, (void)n_in, (void)scratch;
    for (int t = 0; t < n_acts; t++)
        for (int r = 0; r < n_rows; r++)
            y[(size_t)t * y_stride + (size_t)r] = acts[t].x[0];
}

typedef struct Dense {
    Kernels kernels;
    Shape shape;
    Layer layer;
    Weights weights;
    MatmulObserver observer;
    Compute c;
} Dense;

static void set_up(Dense *d, Watched *w)
{
    static const unsigned char nothing[1];
    Error err = {0};
    *d = (Dense){.kernels = kernels_ref, .observer = {see, w}};
    d->kernels.gemm = copy_first;
    d->shape = (Shape){.n_embd = N_EMBD, .n_ff = N_FF, .n_heads = 1, .n_kv_heads = 1};
    d->shape.key_dim = d->shape.value_dim = d->shape.rope_dim = 64;
    d->weights.max_n_in = N_FF;
    Matrix wide = {.type = TENSOR_F32, .n_in = N_EMBD, .n_out = N_FF, .data = nothing};
    d->layer.mlp = (Mlp){wide, wide, wide};
    d->layer.mlp.down.n_in = N_FF;
    d->layer.mlp.down.n_out = N_EMBD;
    assert_true(compute_init(&d->c, &d->kernels, 2, &d->shape, &d->weights, &err));
    d->c.observer = &d->observer;
    d->c.watch = (PassWatch){look, w};
    for (int t = 0; t < d->c.pass_rows; t++)
        d->c.h[(size_t)t * N_EMBD] = 0.01f * (float)(t + 1);
}

static void a_large_dense_layer_looks_every_few_milliseconds(void **state)
{
    (void)state;
    Watched w = {0};
    Dense d;
    set_up(&d, &w);
    const int n = d.c.pass_rows;
    assert_true(moe_dense(&d.c, &d.shape, &d.layer, n));
    assert_int_equal(w.all, 3L * N_EMBD * N_FF * n);
    assert_true(w.all > 4 * MOST_PRODUCTS); // or there would be nothing to show
    assert_in_range(w.most, 1, MOST_PRODUCTS);
    for (int t = 0; t < n; t++) {
        float x = 0.01f * (float)(t + 1), wanted = x * x / (1 + expf(-x));
        const float *row = d.c.ff_down + (size_t)t * N_EMBD;
        assert_float_equal(row[0], wanted, 1e-5f);
        assert_float_equal(row[N_EMBD - 1], wanted, 1e-5f);
    }
    compute_deinit(&d.c);
}

static void it_ends_at_any_look(void **state)
{
    (void)state;
    Watched all = {0};
    Dense d;
    set_up(&d, &all);
    moe_dense(&d.c, &d.shape, &d.layer, d.c.pass_rows);
    for (int i = 1; i <= all.n_looks; i++) {
        Watched w = {.ends_at = i};
        d.observer.user = d.c.watch.user = &w;
        assert_false(moe_dense(&d.c, &d.shape, &d.layer, d.c.pass_rows));
        assert_int_equal(w.n_looks, i);
    }
    compute_deinit(&d.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_dense_layer_looks_every_few_milliseconds),
        cmocka_unit_test(it_ends_at_any_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

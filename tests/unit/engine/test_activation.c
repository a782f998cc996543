// How every kernel table rounds activations (activation.h), against the plain C one.
#include "unit/unit.h"

#include <math.h>

#include "kernels/activation.h"
#include "kernels/kernels.h"

enum { BLOCKS = 41, N = 32 * BLOCKS };

typedef struct Rounded {
    int8_t q[N];
    float scale[BLOCKS];
    int16_t sums[2 * BLOCKS];
} Rounded;

// Blocks of sizes up to 2^12 apart, a zero one and a pair of these.
static void fill(float *x)
{
    uint32_t seed = 42;
    for (int i = 0; i < N; i++) {
        const int b = i / 32;
        seed = seed * 1664525 + 1013904223;
        x[i] = ((float)(seed >> 8) / 8388608 - 1) * exp2f(-(float)(b * 7 % 25) / 2);
        if (b == 8 || b == 10 || b == 11) x[i] = 0;
    }
}

static void check_block(const float *x, const Rounded *got, const Rounded *wanted, int b)
{
    const float scale = got->scale[b];
    const float other = b % 2 ? got->scale[b - 1] : b + 1 < BLOCKS ? got->scale[b + 1] : scale;
    float max = 0;
    int e, sums[2] = {0};
    for (int i = 32 * b; i < 32 * b + 32; i++) {
        max = fmaxf(max, fabsf(x[i]));
        sums[i / 16 % 2] += got->q[i];
        assert_true(abs(got->q[i] - wanted->q[i]) <= 1);
        assert_true(fabsf(x[i] - scale * got->q[i]) <= 0.501f * scale);
    }
    assert_true(got->sums[2 * b] == sums[0] && got->sums[2 * b + 1] == sums[1]);
    if (other == 0) return;
    assert_true(frexpf(scale / other, &e) == 0.5f);
    assert_true(max >= 63.4f * scale || other == scale * (1 << ACT_MAX_SHIFT));
}

// Bytes are those of plain C up to a rounding. The scales of a pair are a power of two apart, and
// that of a smaller block is less than twice as large as its values ask for.
static void tables_round_alike(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "avx2", "avx512", "neon"};
    static float x[N];
    static Rounded got, wanted;
    fill(x);
    kernels_ref.quantize(x, N, wanted.q, wanted.scale, wanted.sums);
    for (int i = 0; i < 4; i++) {
        const Kernels *k = kernels_find(names[i]);
        if (!k) continue;
        k->quantize(x, N, got.q, got.scale, got.sums);
        assert_memory_equal(got.scale, wanted.scale, sizeof got.scale);
        assert_true(got.scale[10] == 0 && got.scale[11] == 0);
        for (int b = 0; b < BLOCKS; b++)
            check_block(x, &got, &wanted, b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_round_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Multiply-adds a second of every format on one thread: one vector (decode), two with the bits of
// one (a verified guess), and 64 (prefill).
// usage: kernel_speed [ref|avx2|avx512]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kernels.h"

enum { WIDTH = 2048, ROWS = 512, VECTORS = 64, RUNS = 20 };

// Time of this thread alone: the machine may be busy.
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(const Kernels *k, TensorType type, const ActRow *acts, float *y, void *scratch)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    size_t row_bytes = (size_t)(WIDTH / info->block_elements) * (size_t)info->block_bytes;
    unsigned char *w = malloc(row_bytes * ROWS);
    memset(w, 0x3C, row_bytes * ROWS); // scales and values near one in every format
    double one = 1e9, two = 1e9, many = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = now();
        k->gemv(type, w, row_bytes, WIDTH, ROWS, acts, y);
        double middle = now();
        k->gemv_two(type, w, row_bytes, WIDTH, ROWS, acts, y, ROWS);
        double later = now();
        k->gemm(type, w, row_bytes, WIDTH, ROWS, acts, VECTORS, y, ROWS, scratch);
        double end = now();
        if (middle - start < one) one = middle - start;
        if (later - middle < two) two = later - middle;
        if (end - later < many) many = end - later;
    }
    const double products = (double)WIDTH * ROWS / 1e9;
    printf("%-7s %-7s one vector %6.2f G/s, two %6.2f G/s, %d vectors %6.2f G/s\n", k->name,
           info->name, products / one, 2 * products / two, VECTORS, products * VECTORS / many);
    free(w);
}

int main(int argc, char **argv)
{
    const Kernels *k = kernels_find(argc > 1 ? argv[1] : NULL);
    if (!k) {
        fprintf(stderr, "this CPU has no %s\n", argv[1]);
        return 1;
    }
    static float x[WIDTH], scale[WIDTH / 32], y[ROWS * VECTORS];
    static int8_t q[WIDTH];
    static int16_t sums[WIDTH / 16];
    ActRow acts[VECTORS];
    void *scratch = aligned_alloc(64, (gemm_scratch_bytes(WIDTH) + 63) / 64 * 64);
    for (int i = 0; i < WIDTH; i++)
        x[i] = (float)(i % 13) - 6;
    k->quantize(x, WIDTH, q, scale, sums);
    for (int i = 0; i < VECTORS; i++)
        acts[i] = (ActRow){x, q, scale, sums};
#define X(name, id, block, bytes) measure(k, TENSOR_##name, acts, y, scratch);
    GGUF_TENSOR_TYPES(X)
#undef X
    free(scratch);
    return 0;
}

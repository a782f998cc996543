// Time of one layer's latent attention, absorbed and expanded, by tokens of a pass and cached
// tokens: where `expanding_pays` should change its mind. Weights and cache are zeros, which cost
// the same. usage: mla_crossover [THREADS]
//
// It includes attention.c to reach both ways.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention.c"
#include "base/clock.h"

typedef struct Case {
    const char *name;
    int n_heads, kv_lora, nope_dim, rope_dim, value_dim;
} Case;

static Matrix make_matrix(int n_in, int n_out, int n_parts)
{
    size_t row_bytes = (size_t)n_in / 32 * 34;
    return (Matrix){.type = TENSOR_Q8_0,
                    .n_in = n_in,
                    .n_out = n_out,
                    .n_parts = n_parts,
                    .row_bytes = row_bytes,
                    .part_bytes = row_bytes * (size_t)n_out,
                    .data = calloc((size_t)n_parts * (size_t)n_out, row_bytes)};
}

// The fastest of a few runs, in milliseconds.
static double measure(Compute *c, const Shape *s, const Layer *l, Kv *kv, int n, bool expand)
{
    double best = 1e9, start = clock_ms();
    for (int i = 0; i < 5 && (i < 2 || clock_ms() - start < 1000); i++) {
        double before = clock_ms();
        if (expand)
            attend_expanded(c, s, l, kv, 0, n);
        else
            attend_absorbed(c, s, l, &(Pass){.own = kv, .n = n}, 0);
        best = fmin(best, clock_ms() - before);
    }
    return best;
}

static void run_case(const Case *k, int n_threads)
{
    static const int contexts[] = {0, 1024, 4096},
                     tokens[] = {1, 16, 32, 48, 64, 96, 128, 192, 256};
    Error err = {0};
    Shape s = {.arch = ARCH_DEEPSEEK2,
               .n_layers = 1,
               .n_embd = 256,
               .n_ff = 256,
               .n_heads = k->n_heads,
               .n_kv_heads = 1,
               .key_dim = k->nope_dim + k->rope_dim,
               .value_dim = k->value_dim,
               .mla = true,
               .kv_lora = k->kv_lora,
               .nope_dim = k->nope_dim,
               .rope_dim = k->rope_dim};
    Layer l = {.k_b = make_matrix(k->nope_dim, k->kv_lora, k->n_heads),
               .v_b = make_matrix(k->kv_lora, k->value_dim, k->n_heads)};
    Weights w = {.layers = &l, .max_n_in = k->kv_lora + k->rope_dim};
    Compute c;
    Kv kv;
    if (!compute_init(&c, kernels_find(NULL), n_threads, &s, &w, &err) ||
        !compute_reserve(&c, &s, 4096 + COMPUTE_CHUNK, &err) ||
        !kv_init(&kv, &s, s.n_layers, 4096 + COMPUTE_CHUNK, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    memset(c.q, 0, (size_t)c.pass_rows * (size_t)(s.n_heads * s.key_dim) * sizeof *c.q);
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++)
        for (size_t j = 0; j < sizeof tokens / sizeof *tokens; j++) {
            kv.len = contexts[i];
            double absorbed = measure(&c, &s, &l, &kv, tokens[j], false);
            double expanded = measure(&c, &s, &l, &kv, tokens[j], true);
            printf("%-10s %4d tokens after %4d: absorbed %8.2f ms, expanded %8.2f ms %s%s\n",
                   k->name, tokens[j], kv.len, absorbed, expanded, expanded < absorbed ? "*" : "",
                   expanding_pays(&s, tokens[j]) ? " chosen" : "");
        }
    kv_deinit(&kv);
    compute_deinit(&c);
    free((void *)(uintptr_t)l.k_b.data);
    free((void *)(uintptr_t)l.v_b.data);
}

int main(int argc, char **argv)
{
    static const Case cases[] = {{"embedded", 8, 256, 64, 32, 64},
                                 {"V2-Lite", 16, 512, 128, 64, 128},
                                 {"V3 / 4", 32, 512, 128, 64, 128}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_case(&cases[i], argc > 1 ? atoi(argv[1]) : 2);
    return 0;
}

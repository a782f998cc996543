// Compute: the thread team and its scratch memory, activations, and matrix products over the team.
//
// One per engine, used by one forward pass at a time and empty between passes. Everything is
// allocated by compute_init and compute_reserve; a decode step allocates nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kernels/kernels.h"
#include "team.h"
#include "weights.h"

enum {
    COMPUTE_CHUNK = 512,                  // tokens of one prefill pass at most, of any model
    COMPUTE_QUERY_BLOCK = ATTEND_QUERIES, // queries that share a pass over the keys
    COMPUTE_LAID_ROWS = 128,              // positions of a head that are laid out at once
};

// Activation vectors of one width, quantised where a matrix wants it.
typedef struct Acts {
    ActRow *rows;
    int8_t *q;
    float *scale;
    int16_t *sums;
} Acts;

// y[i * y_stride + r] = row r of part `part` of w times acts[i].
typedef struct MatmulTask {
    const Matrix *w;
    int part;
    const ActRow *acts;
    int n_acts;
    float *y;
    size_t y_stride;
} MatmulTask;

// The kernel of a product: by the number of vectors, or one of the two whatever the number.
typedef enum Products { PRODUCTS_BY_COUNT, PRODUCTS_BY_VECTOR, PRODUCTS_BY_GROUP } Products;

// Told of every product of matmul_run, on the thread that calls it.
typedef struct MatmulObserver {
    void (*see)(void *user, const MatmulTask *task);
    void *user;
} MatmulObserver;

// The (token, slot) pairs of a mixture of experts and their order by expert.
typedef struct MoePairs {
    int *expert_of; // [T * n_experts_used], by token and slot
    int *row_of;    // likewise: the pair's row among the sorted ones
    int *token_of;  // likewise, by row
    int *starts;    // [n_experts + 1]: the first row of each expert
} MoePairs;

// Told between two parts of a long pass, on the thread that runs it. True: the pass ends there.
typedef struct PassWatch {
    bool (*look)(void *user);
    void *user;
} PassWatch;

struct LoraSet;

typedef struct Compute {
    const Kernels *k;
    const struct LoraSet *lora_set; // adapters of the pass that runs; NULL: none
    float *lora;                    // their scratch, once lora_reserve was called
    Products products;
    const MatmulObserver *observer; // NULL: nobody looks
    PassWatch watch;                // look NULL: nobody looks
    unsigned n_passes;              // begun so far: who kept its buffers sees whether they are its
    int pass_rows;                  // tokens of a prefill pass at most, of this model
    Team *team;                     // NULL while measuring
    int n_threads;
    int max_tasks, n_tasks; // n_tasks: of the product that runs
    int chunk_rows;         // likewise: rows of a part
    MatmulTask *tasks;      // [max_tasks], for callers to fill
    int *task_starts;       // [max_tasks], first row chunk of each task
    char **gemm_scratch;    // [n_threads], private to a thread

    // One pass's buffers, T = pass_rows rows each.
    float *x, *h;  // [T][n_embd] residual stream; normalised or projected
    float *q;      // [T][n_heads * key_dim]
    float *kv;     // [T][kv_lora + rope_dim], or keys then values
    float *latent; // [T][q_lora], or [T][n_heads * (kv_lora + rope_dim)] when absorbed
    float *att;    // [T][n_heads * value_dim]
    float *ff_gate, *ff_up, *ff_down; // [rows][n_ff], and [rows][n_embd] of the experts
    float *angles;                    // [T][rope_dim] cos, sin pairs
    float *inv_freq;                  // [rope_dim / 2]
    MoePairs pairs;                   // of T tokens
    float *gate_weights;              // [T * n_experts_used]
    float *router_logits;             // [T][n_experts]
    Acts acts, ff_acts;
    ActRow *gathered; // [T * max(n_heads, n_experts_used)]

    // Attention over n_ctx positions.
    int n_ctx, heads_in_group;
    float *keys, *values, *latents; // see attention.c
    Acts latent_acts;               // [n_ctx][kv_lora]
    float *head_rows;               // [n_threads][head_floats]: a head's up-projections
    size_t head_floats;
    float *laid_rows;            // [n_threads][COMPUTE_LAID_ROWS][key_dim + value_dim]
    float **scores;              // [n_threads][COMPUTE_QUERY_BLOCK][n_ctx padded]
    void *blocks[64];            // every allocation, for compute_deinit
    int n_blocks, n_pass_blocks; // the pass's come first, then attention's
    size_t n_bytes, n_pass_bytes;
    bool measuring; // nothing is allocated, n_bytes alone is of use
} Compute;

// ERROR_NO_MEMORY. compute_deinit works on a zeroed struct too.
bool compute_init(Compute *c, const Kernels *kernels, int n_threads, const Shape *shape,
                  const Weights *weights, Error *err);
// Room for attention over n_ctx positions; called when a session is made.
bool compute_reserve(Compute *c, const Shape *shape, int n_ctx, Error *err);
void compute_deinit(Compute *c);
// What the two above would allocate; SIZE_MAX where it overflows.
size_t compute_bytes(int n_threads, const Shape *shape, const Weights *weights, int n_ctx);

// Makes rows of n_rows vectors of n elements at x (stride between them); with `quantised` their
// 8-bit forms too (n a multiple of 32).
void acts_fill(Compute *c, Acts *acts, const float *x, size_t stride, int n_rows, int n,
               bool quantised);
// Row i alone, on the calling thread.
void acts_fill_row(const Kernels *k, Acts *acts, int i, const float *x, int n, bool quantised);
// The part of a row that starts at element `offset` (a multiple of 32 if quantised).
ActRow act_slice(ActRow row, int offset);

bool matrix_is_quantised(const Matrix *m);

// What PRODUCTS_BY_COUNT comes to for n vectors.
Products compute_products_for(int n);
// Whether products of n vectors take the kernel for groups in the pass that runs.
bool compute_takes_groups(const Compute *c, int n);

// Runs the first n_tasks of c->tasks over the team.
void matmul_run(Compute *c, int n_tasks);
// One product.
void matmul(Compute *c, const Matrix *w, const Acts *acts, int n_acts, float *y);

// Whether the pass that runs is to end. Between its parts, never within one.
bool compute_is_stopped(const Compute *c);

// item(user, i, thread) for i in [0, n) over the team.
void compute_for(Compute *c, int n, TeamItem *item, void *user);
// The same for items of a microsecond, such as one row's vectors: a few are not worth sharing.
void compute_for_rows(Compute *c, int n, TeamItem *item, void *user);

// What tuning consists of; for the tune files of the engine alone.
//
//   states [n_layers + 1][T][n_embd]   the residual stream before each block, and after the last
//   block  one block's insides, filled by tune_block_forward and read by tune_block_backward
//
// T is options.max_tokens. Rows of activations are dense: row t of width w begins at t * w.
#pragma once

#include "base/vec.h"
#include "compute.h"
#include "tune.h"

// Tiles of tune_product.c. A forward tile stays in the second-level cache; a backward tile has so
// many rows of W, and as many columns at most.
enum {
    TUNE_TILE_FLOATS = 1 << 16,
    TUNE_MIN_ROWS = 16,
    TUNE_BACK_ROWS = 256,
    TUNE_BACK_COLUMNS = 256, // the longest block of a format
    TUNE_BACK_FLOATS = TUNE_BACK_ROWS * TUNE_BACK_COLUMNS,
    TUNE_LINES = 16, // rows that are transposed at once
    TUNE_QUERIES = 16,
};

// A and B of one matrix within Tune.params, their gradients at the same places of Tune.grads.
typedef struct TunePair {
    bool used;
    int n_in, n_out;
    size_t a, b; // [rank][n_in] and, transposed, [rank][n_out]
} TunePair;

// A SwiGLU network's rows.
typedef struct TuneMlp {
    float *gate, *up, *act;       // [rows][n_ff]; act = silu(gate) * up
    float *d_gate, *d_up, *d_act; // their gradients
} TuneMlp;

typedef struct TuneBlock {
    float *attn_in, *mid, *ffn_in; // [T][n_embd]: normalised x, x + attention, normalised mid
    float *q_latent, *q_normed;    // [T][q_lora]
    float *q_raw, *k_raw;          // with qk_norm: before it
    float *q;                      // [T][n_heads * key_dim], rotated and scaled
    float *kv_a;                   // [T][kv_lora + rope_dim]; before its norm, the key rotated
    float *latent;                 // [T][kv_lora], normalised
    float *k, *v;                  // [T][n_kv * key_dim], [T][n_kv * value_dim]
    float *att;                    // [T][n_heads * value_dim]
    TuneMlp mlp, shared;           // of T rows, or of T * n_experts_used sorted by expert
    float *router_logits;          // [T][n_experts]
    MoePairs pairs;                // of T tokens
    float *gate_weights;           // [T * n_experts_used]
    float *expert_in, *expert_out; // [T * n_experts_used][n_embd], sorted

    // Gradients.
    float *d_norm, *d_att, *d_q, *d_k, *d_v; // d_k, d_v of every query head
    float *d_kv_a, *d_latent, *d_q_latent, *d_head;
    float *d_expert_in, *d_expert_out, *d_logits;
} TuneBlock;

struct Tune {
    Engine *engine;   // NULL: made of parts
    Adapter *adapter; // of tune_adapter, once asked for
    const Gguf *gguf;
    const Shape *shape;
    const Weights *weights;
    Compute *compute;
    TuneOptions options;
    float scale;     // alpha / rank
    TunePair *pairs; // [n_tensors] of the base file
    size_t n_pairs, n_params;
    float *params, *grads, *first, *second; // [n_params]; the moments of the gradients
    int64_t n_steps;

    int n_kv;      // key heads as attention sees them: n_heads under MLA
    int n_shared;  // rows of the present sequence that all of its branches see
    int *starts;   // [T], the row's branch begins there; 0: it is of no branch
    float *states; // see above
    float *angles; // [T][rope_dim], by position
    float *d_x;    // [T][n_embd], the stream's gradient
    // The blocks from first_kept on have insides of their own, those below share one set, which
    // holds the last one's that ran. All share the gradients' buffers.
    TuneBlock *blocks; // [n_layers]
    int first_kept;
    TuneBlock block; // the present one

    ActRow *acts;                // [T * max(n_experts_used, 1)]
    ActRow *thread_acts;         // [n_threads][the same]
    size_t n_acts;               //
    float *tiles, *lines, *sums; // [n_threads][...], see tune_product.c
    size_t tile_floats, sum_floats;
    float *inner, *d_inner;     // [n_acts][rank]: A x and its gradient
    float *attend;              // [n_threads][tune_attend_floats]
    int head_rows;              // positions whose logits are in memory at once
    float *logits;              // [head_rows][n_vocab]
    double *values;             // [head_rows], of the objective
    float *head_in, *d_head_in; // [head_rows][n_embd]
    int *wanted;                // [T], positions that carry weight
    VEC(void *) owned;          // every allocation
    size_t n_bytes;
    bool measuring; // nothing is allocated, n_bytes alone is of use
};

// What an item of the team's is told: the layer or network, and where rows come from and go to.
typedef struct TuneStep {
    Tune *t;
    const Layer *l;
    const TuneMlp *mlp;
    int n_ff;
    const float *x, *weight;
    float *out;
} TuneStep;

// tune_new without an engine. The parts must outlive it.
Tune *tune_new_over(const Gguf *gguf, const Shape *shape, const Weights *weights, Compute *compute,
                    const TuneOptions *options, Error *err);

// A row's place in its own sequence.
static inline int tune_position(const Tune *t, int row)
{
    return t->starts[row] ? t->n_shared + row - t->starts[row] : row;
}

// --- tune_product.c: n rows of x through part `part` of w ----------------------------------------

// y = W x. Rows are x_stride and y_stride apart.
void tune_product(Tune *t, const Matrix *w, int part, const float *x, size_t x_stride, int n,
                  float *y, size_t y_stride);
// dx += W^T dy.
void tune_product_back(Tune *t, const Matrix *w, int part, const float *dy, size_t dy_stride, int n,
                       float *dx, size_t dx_stride);
// y = W x + scale * B (A x) over dense rows, for matrices of one part.
void tune_linear(Tune *t, const Matrix *w, const float *x, int n, float *y);
// dx += the above's transpose times dy; adds to the gradients of A and B.
void tune_linear_back(Tune *t, const Matrix *w, const float *x, const float *dy, int n, float *dx);

// --- tune_attention.c: between attn_in and att ---------------------------------------------------

void tune_attention(Tune *t, const Layer *l, int n);
// From d_att to d_norm, the gradient of attn_in, which is set.
void tune_attention_back(Tune *t, const Layer *l, int n);

// --- tune_attend.c: between q, k, v and att ------------------------------------------------------

// What a thread needs, for sequences of max_tokens.
size_t tune_attend_floats(const Shape *shape, size_t max_tokens);
// Sets att of n rows.
void tune_attend(Tune *t, int n);
// From d_att to d_q, d_k and d_v of every query head, which are set.
void tune_attend_back(Tune *t, int n);

// --- tune_ffn.c: between ffn_in and out ----------------------------------------------------------

// out [n][n_embd] is set.
void tune_ffn(Tune *t, const Layer *l, int n, float *out);
// From d_out to d_norm, the gradient of ffn_in, which is set.
void tune_ffn_back(Tune *t, const Layer *l, int n, const float *d_out);

// --- tune_gradient.c -----------------------------------------------------------------------------

// y = x / rms(x) * w: dx = the gradient from dy, [n] each; dx may be dy.
void tune_norm_back(const float *x, const float *w, float eps, int n, const float *dy, float *dx);

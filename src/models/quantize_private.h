// Between the files of the quantiser; quantize.h is what others see.
//
// Every quantize_block_* writes one block: x and w are as many numbers as the block has elements,
// w what an error at each costs; x is finite.
#pragma once

#include "engine/kernels/blocks.h"
#include "quantize_fit.h"

void quantize_block_q8_0(const float *x, const float *w, void *out);
void quantize_block_q4_0(const float *x, const float *w, void *out);
void quantize_block_q4_1(const float *x, const float *w, void *out);
void quantize_block_q5_0(const float *x, const float *w, void *out);
void quantize_block_q5_1(const float *x, const float *w, void *out);
void quantize_block_iq4_nl(const float *x, const float *w, void *out);
void quantize_block_mxfp4(const float *x, const float *w, void *out);
void quantize_block_q2_k(const float *x, const float *w, void *out);
void quantize_block_q3_k(const float *x, const float *w, void *out);
void quantize_block_q4_k(const float *x, const float *w, void *out);
void quantize_block_q5_k(const float *x, const float *w, void *out);
void quantize_block_q6_k(const float *x, const float *w, void *out);
void quantize_block_iq4_xs(const float *x, const float *w, void *out);

// The entries of block_iq4_values as levels, and the place of the entry that is closest to value.
extern const Levels quantize_iq4_levels;
int quantize_index_of(const int8_t values[16], int8_t value);

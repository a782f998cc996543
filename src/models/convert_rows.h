// Where the rows of a converted tensor come from; between convert.c and convert_rows.c.
#pragma once

#include "hf_config.h"
#include "safetensors.h"

typedef enum RowOrder {
    ROWS_AS_THEY_ARE,
    ROWS_PAIRED,     // of each head: rows i and i + head_dim / 2 become neighbours
    ELEMENTS_PAIRED, // the same with the elements of one row
    ROWS_TRANSPOSED, // a head's first rows as columns: row r holds element r of each of them
    ROWS_OF_HEADS,   // of each head, rows from first_row on
} RowOrder;

// A tensor, and the scales of its FP8 blocks (else NULL).
typedef struct RowPart {
    const StTensor *tensor, *scales;
    int block_rows, block_columns;
} RowPart;

typedef struct RowSource {
    RowOrder order;
    const RowPart *parts; // experts; else one
    size_t n_in;          // elements of a row
    size_t part_rows;     // rows of a part: of an expert, of a head
    int head_dim;         // rows of a head in the tensor
    int first_row;
} RowSource;

// Row `row` of the new tensor, rows of all parts counted through. Any thread.
void convert_read_row(const RowSource *source, uint64_t row, float *out);
// What the frequency of rotary pair i is divided by (Llama 3's scaling).
double convert_llama3_divisor(const HfRope *rope, int i, int head_dim);

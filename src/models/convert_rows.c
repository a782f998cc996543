// Rows in another order, with FP8 scales applied.
#include "convert_rows.h"

#include <math.h>

static void read_part(const RowPart *part, uint64_t row, uint64_t column, size_t n, float *out)
{
    const StTensor *t = part->tensor;
    uint64_t width = t->dims[t->n_dims - 1];
    st_read(t, row * width + column, n, out);
    if (!part->scales) return;
    uint64_t scale_row = row / (uint64_t)part->block_rows * part->scales->dims[1];
    for (size_t i = 0; i < n;) {
        uint64_t block = (column + i) / (uint64_t)part->block_columns;
        uint64_t end = (block + 1) * (uint64_t)part->block_columns - column;
        float scale;
        st_read(part->scales, scale_row + block, 1, &scale);
        for (; i < n && i < end; i++)
            out[i] *= scale;
    }
}

// The old place of what stands at `at` when pairs are adjacent.
static uint64_t unpair(uint64_t at, int head_dim)
{
    uint64_t head = (uint64_t)head_dim, in_head = at % head;
    return at - in_head + in_head / 2 + (in_head % 2 ? head / 2 : 0);
}

void convert_read_row(const RowSource *s, uint64_t row, float *out)
{
    uint64_t part = row / s->part_rows, in_part = row % s->part_rows;
    uint64_t head_row = part * (uint64_t)s->head_dim; // where parts are heads
    switch (s->order) {
    case ROWS_AS_THEY_ARE:
        read_part(&s->parts[part], in_part, 0, s->n_in, out);
        break;
    case ROWS_PAIRED:
        read_part(s->parts, unpair(row, s->head_dim), 0, s->n_in, out);
        break;
    case ELEMENTS_PAIRED:
        for (uint64_t i = 0; i < s->n_in; i++)
            read_part(s->parts, 0, unpair(i, s->head_dim), 1, &out[i]);
        break;
    case ROWS_TRANSPOSED:
        for (uint64_t i = 0; i < s->n_in; i++)
            read_part(s->parts, head_row + i, in_part, 1, &out[i]);
        break;
    case ROWS_OF_HEADS:
        read_part(s->parts, head_row + (uint64_t)s->first_row + in_part, 0, s->n_in, out);
        break;
    }
}

double convert_llama3_divisor(const HfRope *rope, int i, int head_dim)
{
    const double two_pi = 6.283185307179586;
    double wave = two_pi * pow((double)rope->theta, 2.0 * i / head_dim);
    double turns = rope->n_ctx_first / wave, factor = (double)rope->factor;
    double low = (double)rope->low_freq, high = (double)rope->high_freq;
    if (turns > high) return 1;
    if (turns < low) return factor;
    double smooth = (turns - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
}

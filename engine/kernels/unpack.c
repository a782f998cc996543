// Unpacking of every quantised format, plain C. Inlined nowhere hot on x86 but for the tiles.
#include "unpack.h"

#include <string.h>

const int8_t block_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
const int8_t block_fp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// One scale for the whole group: y = scale * (u - zero) - min.
static void set_both(Group32 *out, float scale, int zero, float min)
{
    out->zero = zero;
    out->scale[0] = out->scale[1] = scale;
    out->min[0] = out->min[1] = min;
}

static void unpack_nibbles(const uint8_t *qs, uint8_t *u)
{
    for (int j = 0; j < 16; j++) {
        u[j] = qs[j] & 15;
        u[j + 16] = qs[j] >> 4;
    }
}

static void add_fifth_bits(const uint8_t *qh, uint8_t *u)
{
    for (int j = 0; j < 32; j++)
        u[j] = (uint8_t)(u[j] | ((qh[j / 8] >> (j % 8)) & 1) << 4);
}

static void unpack_q8_0(const BlockQ8_0 *b, Group32 *out)
{
    float d = half_to_float(b->d);
    for (int j = 0; j < 32; j++)
        out->u[j] = (uint8_t)(b->q[j] + 128);
    set_both(out, d, 128, 0);
}

static void unpack_q4_0(const BlockQ4_0 *b, Group32 *out)
{
    float d = half_to_float(b->d);
    unpack_nibbles(b->qs, out->u);
    set_both(out, d, 8, 0);
}

static void unpack_q4_1(const BlockQ4_1 *b, Group32 *out)
{
    unpack_nibbles(b->qs, out->u);
    set_both(out, half_to_float(b->d), 0, -half_to_float(b->m));
}

static void unpack_q5_0(const BlockQ5_0 *b, Group32 *out)
{
    float d = half_to_float(b->d);
    unpack_nibbles(b->qs, out->u);
    add_fifth_bits(b->qh, out->u);
    set_both(out, d, 16, 0);
}

static void unpack_q5_1(const BlockQ5_1 *b, Group32 *out)
{
    unpack_nibbles(b->qs, out->u);
    add_fifth_bits(b->qh, out->u);
    set_both(out, half_to_float(b->d), 0, -half_to_float(b->m));
}

static void set_k_scales(const uint8_t *scales, uint16_t d, uint16_t dmin, int k, Group32 *out)
{
    uint8_t sc, m;
    block_scale_min(scales, k, &sc, &m);
    set_both(out, half_to_float(d) * sc, 0, half_to_float(dmin) * m);
}

static void unpack_k_nibbles(const uint8_t *qs, int k, uint8_t *u)
{
    const uint8_t *bytes = qs + 32 * (k / 2);
    for (int l = 0; l < 32; l++)
        u[l] = k % 2 ? bytes[l] >> 4 : bytes[l] & 15;
}

static void unpack_q4_k(const BlockQ4K *b, int k, Group32 *out)
{
    unpack_k_nibbles(b->qs, k, out->u);
    set_k_scales(b->scales, b->d, b->dmin, k, out);
}

static void unpack_q5_k(const BlockQ5K *b, int k, Group32 *out)
{
    unpack_k_nibbles(b->qs, k, out->u);
    for (int l = 0; l < 32; l++)
        out->u[l] = (uint8_t)(out->u[l] | ((b->qh[l] >> k) & 1) << 4);
    set_k_scales(b->scales, b->d, b->dmin, k, out);
}

static void unpack_q6_k(const BlockQ6K *b, int k, Group32 *out)
{
    int half = k / 4, g = k % 4;
    const uint8_t *ql = b->ql + 64 * half + 32 * (g & 1), *qh = b->qh + 32 * half;
    for (int l = 0; l < 32; l++) {
        int low = g >= 2 ? ql[l] >> 4 : ql[l] & 15;
        out->u[l] = (uint8_t)(low | ((qh[l] >> (2 * g)) & 3) << 4);
    }
    float d = half_to_float(b->d);
    set_both(out, 0, 32, 0);
    for (int i = 0; i < 2; i++)
        out->scale[i] = d * b->scales[2 * k + i];
}

// Two bits of each of the 32 elements of sub-block k: see BlockQ2K.
static void unpack_pairs(const uint8_t *qs, int k, uint8_t *u)
{
    for (int l = 0; l < 32; l++)
        u[l] = (qs[32 * (k / 4) + l] >> (2 * (k % 4))) & 3;
}

static void unpack_q2_k(const BlockQ2K *b, int k, Group32 *out)
{
    float d = half_to_float(b->d), dmin = half_to_float(b->dmin);
    unpack_pairs(b->qs, k, out->u);
    out->zero = 0;
    for (int i = 0; i < 2; i++) {
        out->scale[i] = d * (b->scales[2 * k + i] & 15);
        out->min[i] = dmin * (b->scales[2 * k + i] >> 4);
    }
}

static void unpack_q3_k(const BlockQ3K *b, int k, Group32 *out)
{
    float d = half_to_float(b->d);
    unpack_pairs(b->qs, k, out->u);
    for (int l = 0; l < 32; l++)
        out->u[l] = (uint8_t)(out->u[l] | ((b->hmask[l] >> k) & 1) << 2);
    set_both(out, 0, 4, 0);
    for (int i = 0; i < 2; i++)
        out->scale[i] = d * (float)block_q3k_scale(b->scales, 2 * k + i);
}

// Nibbles by table; u is the value above `zero`.
static void unpack_table(const uint8_t *qs, const int8_t *values, int zero, uint8_t *u)
{
    unpack_nibbles(qs, u);
    for (int j = 0; j < 32; j++)
        u[j] = (uint8_t)(values[u[j]] + zero);
}

static void unpack_iq4_nl(const BlockIQ4NL *b, Group32 *out)
{
    unpack_table(b->qs, block_iq4_values, 128, out->u);
    set_both(out, half_to_float(b->d), 128, 0);
}

static void unpack_iq4_xs(const BlockIQ4XS *b, int k, Group32 *out)
{
    unpack_table(b->qs + 16 * k, block_iq4_values, 128, out->u);
    set_both(out, half_to_float(b->d) * (float)block_iq4xs_scale(b, k), 128, 0);
}

static void unpack_mxfp4(const BlockMXFP4 *b, Group32 *out)
{
    unpack_table(b->qs, block_fp4_values, 12, out->u);
    set_both(out, block_fp4_scale(b->e), 12, 0);
}

void unpack_group(TensorType type, const void *row, int g, Group32 *out)
{
    switch (type) {
    case TENSOR_Q8_0:
        unpack_q8_0((const BlockQ8_0 *)row + g, out);
        return;
    case TENSOR_Q4_0:
        unpack_q4_0((const BlockQ4_0 *)row + g, out);
        return;
    case TENSOR_Q4_1:
        unpack_q4_1((const BlockQ4_1 *)row + g, out);
        return;
    case TENSOR_Q5_0:
        unpack_q5_0((const BlockQ5_0 *)row + g, out);
        return;
    case TENSOR_Q5_1:
        unpack_q5_1((const BlockQ5_1 *)row + g, out);
        return;
    case TENSOR_Q2_K:
        unpack_q2_k((const BlockQ2K *)row + g / 8, g % 8, out);
        return;
    case TENSOR_Q3_K:
        unpack_q3_k((const BlockQ3K *)row + g / 8, g % 8, out);
        return;
    case TENSOR_IQ4_NL:
        unpack_iq4_nl((const BlockIQ4NL *)row + g, out);
        return;
    case TENSOR_IQ4_XS:
        unpack_iq4_xs((const BlockIQ4XS *)row + g / 8, g % 8, out);
        return;
    case TENSOR_MXFP4:
        unpack_mxfp4((const BlockMXFP4 *)row + g, out);
        return;
    case TENSOR_Q4_K:
        unpack_q4_k((const BlockQ4K *)row + g / 8, g % 8, out);
        return;
    case TENSOR_Q5_K:
        unpack_q5_k((const BlockQ5K *)row + g / 8, g % 8, out);
        return;
    case TENSOR_Q6_K:
        unpack_q6_k((const BlockQ6K *)row + g / 8, g % 8, out);
        return;
    default: // F32, F16 and BF16 have no groups
        memset(out, 0, sizeof *out);
    }
}

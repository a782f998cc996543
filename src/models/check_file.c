// Opening, scanning, hashing; the last two in one walk over the mapping.
#include "check_file.h"

#include <stddef.h>

#include "base/sha256.h"
#include "engine/kernels/blocks.h"
#include "engine/shape.h"
#include "engine/tokenizer.h"
#include "engine/weights.h"

enum { STEP_BYTES = 4 << 20 };

static bool check_parts(const Gguf *gguf, Error *err)
{
    Shape shape;
    Weights weights = {0};
    Tokenizer *tokenizer = NULL;
    bool ok = shape_read(gguf, &shape, err) && weights_bind(gguf, &shape, &weights, err) &&
              (tokenizer = tokenizer_open(gguf, err)) != NULL;
    if (ok && tokenizer_n_vocab(tokenizer) > shape.n_vocab)
        ok = error_set(err, ERROR_DAMAGED, "%d tokens but %d rows in token_embd.weight",
                       tokenizer_n_vocab(tokenizer), shape.n_vocab);
    tokenizer_close(tokenizer);
    weights_deinit(&weights);
    return ok;
}

bool check_model_file(const char *path, Error *err)
{
    Gguf *gguf = gguf_open(path, err);
    bool ok = gguf && check_parts(gguf, err);
    gguf_close(gguf);
    return ok;
}

// --- numbers -------------------------------------------------------------------------------------

static bool is_finite_half(const unsigned char *p)
{
    return (p[1] & 0x7C) != 0x7C;
}

static bool are_finite(const unsigned char *p, int n)
{
    bool ok = true;
    for (int i = 0; i < n; i++)
        ok = ok && is_finite_half(p + 2 * i);
    return ok;
}

// A block's scales, or the number of a plain type.
static bool is_block_finite(TensorType type, const unsigned char *b)
{
    switch (type) {
    case TENSOR_F32:
        return (b[3] & 0x7F) != 0x7F || (b[2] & 0x80) == 0;
    case TENSOR_BF16:
        return (b[1] & 0x7F) != 0x7F || (b[0] & 0x80) == 0;
    case TENSOR_Q4_1:
    case TENSOR_Q5_1:
    case TENSOR_Q4_K:
    case TENSOR_Q5_K:
        return are_finite(b, 2);
    case TENSOR_Q2_K:
        return are_finite(b + offsetof(BlockQ2K, d), 2);
    case TENSOR_Q3_K:
        return is_finite_half(b + offsetof(BlockQ3K, d));
    case TENSOR_Q6_K:
        return is_finite_half(b + offsetof(BlockQ6K, d));
    case TENSOR_MXFP4:
        return true; // every exponent is a power of two here
    case TENSOR_F16:
    case TENSOR_Q8_0:
    case TENSOR_Q4_0:
    case TENSOR_Q5_0:
    case TENSOR_IQ4_NL:
    case TENSOR_IQ4_XS:
        return is_finite_half(b);
    }
    return false;
}

typedef struct Walk {
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
    uint64_t done, total;
    Error *err;
} Walk;

static bool step(Walk *walk, uint64_t n_bytes)
{
    walk->done += n_bytes;
    if (!walk->on_progress || walk->on_progress(walk->user, walk->done, walk->total)) return true;
    return error_set(walk->err, ERROR_CANCELLED, "cancelled");
}

static bool scan_tensor(Walk *walk, const GgufTensor *t)
{
    const unsigned char *data = t->data;
    size_t block = (size_t)tensor_type_info(t->type)->block_bytes, since = 0;
    for (size_t at = 0; at < t->n_bytes; at += block, since += block) {
        if (!is_block_finite(t->type, data + at))
            return error_set(walk->err, ERROR_DAMAGED,
                             "tensor %.*s (%s): block %zu has a NaN or an infinity, wanted finite "
                             "numbers",
                             STR_FMT(t->name), tensor_type_info(t->type)->name, at / block);
        if (since < STEP_BYTES) continue;
        if (!step(walk, since)) return false;
        since = 0;
    }
    return step(walk, since);
}

// --- checksum ------------------------------------------------------------------------------------

static bool hash_shard(Walk *walk, Str bytes, Sha256 *sha)
{
    for (size_t at = 0; at < bytes.len; at += STEP_BYTES) {
        Str part = str_slice(bytes, at, at + STEP_BYTES);
        sha256_add(sha, part);
        if (!step(walk, part.len)) return false;
    }
    return true;
}

bool check_whole_file(const char *path,
                      bool (*on_progress)(void *user, uint64_t done, uint64_t total), void *user,
                      CheckResult *result, Error *err)
{
    *result = (CheckResult){0};
    Gguf *gguf = gguf_open(path, err);
    bool ok = gguf && check_parts(gguf, err);
    if (ok) {
        Walk walk = {on_progress, user, 0, 0, err};
        Sha256 sha;
        sha256_init(&sha);
        result->n_bytes = gguf_file_bytes(gguf);
        result->n_shards = gguf_n_shards(gguf);
        for (size_t i = 0; i < gguf_n_tensors(gguf); i++)
            walk.total += gguf_tensor(gguf, i)->n_bytes;
        walk.total += result->n_bytes;
        for (size_t i = 0; ok && i < gguf_n_tensors(gguf); i++) {
            const GgufTensor *t = gguf_tensor(gguf, i);
            ok = scan_tensor(&walk, t);
            result->n_tensors++;
            result->n_blocks += t->n_bytes / (size_t)tensor_type_info(t->type)->block_bytes;
        }
        for (int i = 0; ok && i < result->n_shards; i++)
            ok = hash_shard(&walk, gguf_shard_bytes(gguf, i), &sha);
        if (ok) sha256_hex(&sha, result->sha256);
    }
    gguf_close(gguf);
    return ok;
}

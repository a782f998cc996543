// Which model this is, from its directory and samples of its data.
#include "base/sha256.h"
#include "model.h"

enum { N_SAMPLES = 8, SAMPLE_BYTES = 64 };

static void add_word(Sha256 *hash, uint64_t word)
{
    sha256_add(hash, (Str){(const char *)&word, sizeof word});
}

// The beginning of long arrays is enough: they are the vocabulary, and what is kept of a model is
// kept by ids.
static void add_value(Sha256 *hash, const GgufValue *value)
{
    sha256_add(hash, value->key);
    add_word(hash, value->type);
    add_word(hash, value->u);
    add_word(hash, value->count);
    sha256_add(hash, value->str);
    sha256_add(hash, str_slice(value->data, 0, 4096));
}

static void add_tensor(Sha256 *hash, const GgufTensor *t)
{
    sha256_add(hash, t->name);
    add_word(hash, t->type);
    add_word(hash, t->n_bytes);
    for (int i = 0; i < 4; i++)
        add_word(hash, t->dims[i]);
    Str data = {t->data, t->n_bytes};
    for (size_t i = 0; i < N_SAMPLES; i++) {
        size_t at = data.len / N_SAMPLES * i;
        sha256_add(hash, str_slice(data, at, at + SAMPLE_BYTES));
    }
}

const char *engine_model_hash(Engine *engine)
{
    if (engine->hash[0]) return engine->hash;
    Sha256 hash;
    sha256_init(&hash);
    add_word(&hash, gguf_file_bytes(engine->gguf));
    for (size_t i = 0; i < gguf_n_values(engine->gguf); i++)
        add_value(&hash, gguf_value(engine->gguf, i));
    for (size_t i = 0; i < gguf_n_tensors(engine->gguf); i++)
        add_tensor(&hash, gguf_tensor(engine->gguf, i));
    sha256_hex(&hash, engine->hash);
    return engine->hash;
}

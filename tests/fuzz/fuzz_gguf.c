// Any bytes as a model file: its directory is read, and its tokenizer opened and used.
#include <assert.h>
#include <stdint.h>

#include "engine/gguf.h"
#include "engine/tokenizer.h"

static void check_tensors(const Gguf *gguf, const uint8_t *data, size_t n_bytes)
{
    for (size_t i = 0; i < gguf_n_tensors(gguf); i++) {
        const GgufTensor *t = gguf_tensor(gguf, i);
        const uint8_t *start = t->data;
        assert(start >= data && start <= data + n_bytes);
        assert(t->n_bytes <= (size_t)(data + n_bytes - start));
        assert(tensor_type_info(t->type));
    }
}

static void check_values(const Gguf *gguf)
{
    for (size_t i = 0; i < gguf_n_values(gguf); i++) {
        const GgufValue *value = gguf_value(gguf, i);
        size_t cursor = 0, n = 0;
        for (Str text; gguf_next_string(value, &cursor, &text);)
            n++;
        assert(value->elem_type != GGUF_STRING || n == value->count);
    }
}

static void use_tokenizer(const Gguf *gguf)
{
    Tokenizer *tokenizer = tokenizer_open(gguf, &(Error){0});
    if (!tokenizer) return;
    int ids[64], n_vocab = tokenizer_n_vocab(tokenizer);
    size_t n = tokenizer_encode(tokenizer, STR("abc ab 12<|im_end|> abab\n"), true, ids, 64);
    for (size_t i = 0; i < n && i < 64; i++)
        assert(ids[i] >= 0 && ids[i] < n_vocab);
    for (int id = 0; id < n_vocab && id < 1000; id++)
        tokenizer_find(tokenizer, tokenizer_bytes(tokenizer, id));
    tokenizer_close(tokenizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    Error err = {0};
    Gguf *gguf = gguf_open_image(data, n_bytes, &err);
    assert((gguf == NULL) == (err.code != ERROR_NONE));
    if (!gguf) return 0;
    check_tensors(gguf, data, n_bytes);
    check_values(gguf);
    use_tokenizer(gguf);
    gguf_close(gguf);
    return 0;
}

// Any text through each pre-tokenizer: the ids give the text back, and plain text gives no control
// token. The first byte chooses the pre-tokenizer and whether special tokens are parsed.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/tokenizer.h"
#include "engine/unicode.h"
#include "unit/gguf_builder.h"

enum { N_PRES = 6, N_BYTES = 256 };

static const char *const pres[N_PRES] = {"qwen2",     "gpt-2",       "smollm",
                                         "llama-bpe", "deepseek-v3", "deepseek-coder"};
// "left right"; the bytes' own tokens are there already, and left comes before its uses.
static const char *const merges[] = {"a a", "aa aa", "a b", "ab ab", "1 2", "12 1", "e r", "er e",
                                     "t h", "th e",  "- -", "-- --", "' s", "i n",  "in t"};
enum { N_MERGES = sizeof merges / sizeof *merges };

static void put_byte_tokens(StrBuf *b)
{
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < N_BYTES; byte++) {
        bool plain = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        char text[5] = {0};
        unicode_put(plain ? byte : next++, text);
        build_text(b, text);
    }
}

static Gguf *make_model(const char *pre)
{
    StrBuf b = {0}; // lives as long as the process
    build_header(&b, 3, 0, 5);
    build_pair_text(&b, "tokenizer.ggml.model", "gpt2");
    build_pair_text(&b, "tokenizer.ggml.pre", pre);
    build_texts(&b, "tokenizer.ggml.merges", merges, N_MERGES);
    build_array(&b, "tokenizer.ggml.tokens", GGUF_STRING, N_BYTES + N_MERGES + 2);
    put_byte_tokens(&b);
    for (int i = 0; i < N_MERGES; i++) {
        char joined[8], *out = joined;
        for (const char *in = merges[i]; *in; in++)
            if (*in != ' ') *out++ = *in;
        *out = '\0';
        build_text(&b, joined);
    }
    build_text(&b, "<x>");
    build_text(&b, "<xy>");
    build_array(&b, "tokenizer.ggml.token_type", GGUF_I32, N_BYTES + N_MERGES + 2);
    for (int i = 0; i < N_BYTES + N_MERGES; i++)
        build_u32(&b, 1);
    build_u32(&b, 3);
    build_u32(&b, 4);
    Error err = {0};
    Gguf *gguf = gguf_open_image(b.ptr, b.len, &err);
    if (!gguf) fprintf(stderr, "%s\n", err.text);
    assert(gguf);
    return gguf;
}

static const Tokenizer *get_tokenizer(int i)
{
    static Gguf *models[N_PRES];
    static Tokenizer *open[N_PRES];
    Error err = {0};
    if (!models[i]) models[i] = make_model(pres[i]);
    if (!open[i]) open[i] = tokenizer_open(models[i], &err);
    if (!open[i]) fprintf(stderr, "%s\n", err.text);
    assert(open[i]);
    return open[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 1) return 0;
    const Tokenizer *t = get_tokenizer(data[0] % N_PRES);
    bool special = data[0] >= 128;
    Str text = {(const char *)data + 1, n_bytes - 1};
    int *ids = malloc(n_bytes * sizeof *ids);
    size_t n = tokenizer_encode(t, text, special, ids, n_bytes), at = 0;
    assert(n <= text.len);
    for (size_t i = 0; i < n; i++) {
        assert(special || !tokenizer_is_control(t, ids[i]));
        Str part = tokenizer_bytes(t, ids[i]);
        assert(str_equal(str_slice(text, at, at + part.len), part));
        at += part.len;
    }
    assert(at == text.len);
    free(ids);
    return 0;
}

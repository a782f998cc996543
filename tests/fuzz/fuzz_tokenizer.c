// Any text through each pre-tokenizer and SentencePiece: the ids give the text back, and plain text
// gives no control token. The first byte chooses the tokenizer and whether special tokens are
// parsed.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/spm.h"
#include "engine/tokenizer.h"
#include "engine/unicode.h"
#include "unit/gguf_builder.h"

enum { N_PRES = 7, N_TOKENIZERS = N_PRES + 2, N_BYTES = 256 };

static const char *const pres[N_PRES] = {
    "qwen2", "gpt-2", "smollm", "llama-bpe", "deepseek-v3", "deepseek-coder", "deepseek-llm"};
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

static Gguf *open_image(const StrBuf *b)
{
    Error err = {0};
    Gguf *gguf = gguf_open_image(b->ptr, b->len, &err);
    if (!gguf) fprintf(stderr, "%s\n", err.text);
    assert(gguf);
    return gguf;
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
    return open_image(&b);
}

// Some merged tokens lead to others only (unused), one is user-defined, one has two spellings.
static Gguf *make_sentencepiece(bool prefix)
{
    static const struct {
        const char *text;
        int kind;
        float score;
    } tokens[] = {{"<x>", 3, 0},     {"<xy>", 4, 0},    {"\u2581\u2581", 4, 0}, {"a", 1, -1},
                  {"b", 1, -2},      {"\u2581", 1, -3}, {"ab", 1, 2},           {"aa", 5, 3},
                  {"aaa", 1, 1},     {"aab", 5, 3},     {"\u2581a", 1, 5},      {"\u2581aab", 1, 1},
                  {"\u65e5", 1, -9}, {"th", 5, 1},      {"the", 1, 1}};
    enum { N_TOKENS = sizeof tokens / sizeof *tokens };
    StrBuf b = {0};
    build_header(&b, 3, 0, 5);
    build_pair_text(&b, "tokenizer.ggml.model", "llama");
    build_key(&b, "tokenizer.ggml.add_space_prefix", GGUF_BOOL);
    strbuf_append_char(&b, prefix);
    build_array(&b, "tokenizer.ggml.tokens", GGUF_STRING, N_TOKENS + N_BYTES);
    for (int i = 0; i < N_TOKENS; i++)
        build_text(&b, tokens[i].text);
    for (int byte = 0; byte < N_BYTES; byte++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", byte);
        build_text(&b, text);
    }
    build_array(&b, "tokenizer.ggml.token_type", GGUF_I32, N_TOKENS + N_BYTES);
    for (int i = 0; i < N_TOKENS + N_BYTES; i++)
        build_u32(&b, i < N_TOKENS ? (uint32_t)tokens[i].kind : 6);
    build_array(&b, "tokenizer.ggml.scores", GGUF_F32, N_TOKENS + N_BYTES);
    for (int i = 0; i < N_TOKENS + N_BYTES; i++)
        build_bytes(&b, &(float){i < N_TOKENS ? tokens[i].score : 0}, sizeof(float));
    return open_image(&b);
}

static const Tokenizer *get_tokenizer(int i)
{
    static Gguf *models[N_TOKENIZERS];
    static Tokenizer *open[N_TOKENIZERS];
    Error err = {0};
    if (!models[i]) models[i] = i < N_PRES ? make_model(pres[i]) : make_sentencepiece(i == N_PRES);
    if (!open[i]) open[i] = tokenizer_open(models[i], &err);
    if (!open[i]) fprintf(stderr, "%s\n", err.text);
    assert(open[i]);
    return open[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
// What comes back: SentencePiece knows one space only, and puts one before the text and after each
// control token.
static void expect_back(const Tokenizer *t, int which, Str text, const int *ids, size_t n)
{
    StrBuf plain = {0}, back = {0};
    spm_unescape(text, &plain);
    bool control = true;
    for (size_t i = 0; i < n; i++) {
        Str part = tokenizer_bytes(t, ids[i]);
        bool prefix = which == N_PRES && control && !tokenizer_is_control(t, ids[i]);
        if (prefix) assert(str_starts(part, STR(" ")));
        control = tokenizer_is_control(t, ids[i]);
        strbuf_append(&back, str_slice(part, prefix, part.len));
    }
    assert(str_equal(strbuf_str(&back), which < N_PRES ? text : strbuf_str(&plain)));
    strbuf_deinit(&plain);
    strbuf_deinit(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 1) return 0;
    int which = data[0] % N_TOKENIZERS;
    const Tokenizer *t = get_tokenizer(which);
    bool special = data[0] >= 128;
    Str text = {(const char *)data + 1, n_bytes - 1};
    size_t cap = 2 * n_bytes;
    int *ids = malloc(cap * sizeof *ids);
    size_t n = tokenizer_encode(t, text, special, ids, cap);
    assert(n <= (which == N_PRES ? cap : text.len));
    for (size_t i = 0; i < n; i++)
        assert(special || !tokenizer_is_control(t, ids[i]));
    expect_back(t, which, text, ids, n);
    free(ids);
    return 0;
}

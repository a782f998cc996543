// Writes a whole model file of two small qwen2 blocks with random weights: a token is a byte, and
// there are marks for filling in the middle. It knows nothing and can be taught.
#pragma once

#include <math.h>
#include <stdio.h>

#include "engine/unicode.h"
#include "unit/gguf_builder.h"

enum { TINY_EMBD = 32, TINY_FF = 64, TINY_LAYERS = 2, TINY_BYTES = 256, TINY_MARKS = 6 };
enum { TINY_VOCAB = TINY_BYTES + TINY_MARKS };
enum { TINY_END = TINY_BYTES, TINY_PREFIX, TINY_SUFFIX, TINY_MIDDLE, TINY_SEP, TINY_FIM_END };

static inline void tiny_vocabulary(StrBuf *b)
{
    static const char *const marks[TINY_MARKS] = {"<|endoftext|>",  "<|fim_prefix|>",
                                                  "<|fim_suffix|>", "<|fim_middle|>",
                                                  "<|file_sep|>",   "<|fim_pad|>"};
    uint32_t next = 0x100;
    build_pair_text(b, "tokenizer.ggml.model", "gpt2");
    build_pair_text(b, "tokenizer.ggml.pre", "qwen2");
    build_pair_u32(b, "tokenizer.ggml.eos_token_id", TINY_END);
    build_texts(b, "tokenizer.ggml.merges", NULL, 0);
    build_array(b, "tokenizer.ggml.tokens", GGUF_STRING, TINY_VOCAB);
    for (uint32_t byte = 0; byte < TINY_BYTES; byte++) {
        bool plain = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        char text[5] = {0};
        unicode_put(plain ? byte : next++, text);
        build_text(b, text);
    }
    for (int i = 0; i < TINY_MARKS; i++)
        build_text(b, marks[i]);
    build_array(b, "tokenizer.ggml.token_type", GGUF_I32, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++)
        build_u32(b, i < TINY_BYTES ? 1 : 3);
}

// The directory's entries, and what follows it.
typedef struct TinyFile {
    StrBuf entries, data;
    uint64_t n;
    uint32_t seed;
} TinyFile;

// Uniform with a deviation of about `size`; a vector (n_out 0) is 1 everywhere with size 0.
static inline void tiny_tensor(TinyFile *f, const char *name, int n_in, int n_out, float size)
{
    build_text(&f->entries, name);
    build_u32(&f->entries, n_out ? 2 : 1);
    build_u64(&f->entries, (uint64_t)n_in);
    if (n_out) build_u64(&f->entries, (uint64_t)n_out);
    build_u32(&f->entries, TENSOR_F32);
    build_u64(&f->entries, f->data.len);
    for (int i = 0; i < n_in * (n_out ? n_out : 1); i++) {
        f->seed = f->seed * 1664525u + 1013904223u;
        float x = size * 1.73f * (float)((int)(f->seed >> 24) - 128) / 128;
        if (n_out == 0 && size == 0) x = 1;
        build_bytes(&f->data, &x, sizeof x);
    }
    build_padding(&f->data, 32);
    f->n++;
}

static inline void tiny_layer(TinyFile *f, int layer)
{
    static const struct {
        const char *name;
        int n_in, n_out;
    } rows[] = {{"attn_norm", TINY_EMBD, 0},          {"ffn_norm", TINY_EMBD, 0},
                {"attn_q", TINY_EMBD, TINY_EMBD},     {"attn_k", TINY_EMBD, TINY_EMBD / 2},
                {"attn_v", TINY_EMBD, TINY_EMBD / 2}, {"attn_output", TINY_EMBD, TINY_EMBD},
                {"ffn_gate", TINY_EMBD, TINY_FF},     {"ffn_up", TINY_EMBD, TINY_FF},
                {"ffn_down", TINY_FF, TINY_EMBD}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, rows[i].name);
        tiny_tensor(f, name, rows[i].n_in, rows[i].n_out,
                    rows[i].n_out ? 1 / sqrtf((float)rows[i].n_in) : 0);
    }
}

// False where the file cannot be written.
static inline bool tiny_write(const char *path, int n_ctx)
{
    TinyFile f = {.seed = 1};
    StrBuf head = {0};
    float epsilon = 1e-6f;
    tiny_tensor(&f, "token_embd.weight", TINY_EMBD, TINY_VOCAB, 1);
    tiny_tensor(&f, "output_norm.weight", TINY_EMBD, 0, 0);
    tiny_tensor(&f, "output.weight", TINY_EMBD, TINY_VOCAB, 0.3f);
    for (int i = 0; i < TINY_LAYERS; i++)
        tiny_layer(&f, i);
    build_header(&head, 3, f.n, 14);
    build_pair_text(&head, "general.architecture", "qwen2");
    build_pair_u32(&head, "qwen2.context_length", (uint32_t)n_ctx);
    build_pair_u32(&head, "qwen2.embedding_length", TINY_EMBD);
    build_pair_u32(&head, "qwen2.block_count", TINY_LAYERS);
    build_pair_u32(&head, "qwen2.feed_forward_length", TINY_FF);
    build_pair_u32(&head, "qwen2.attention.head_count", 4);
    build_pair_u32(&head, "qwen2.attention.head_count_kv", 2);
    build_key(&head, "qwen2.attention.layer_norm_rms_epsilon", GGUF_F32);
    build_bytes(&head, &epsilon, sizeof epsilon);
    tiny_vocabulary(&head);
    strbuf_append(&head, strbuf_str(&f.entries));
    build_padding(&head, 32);
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(head.ptr, 1, head.len, file) == head.len &&
              fwrite(f.data.ptr, 1, f.data.len, file) == f.data.len;
    if (file && fclose(file) != 0) ok = false;
    strbuf_deinit(&head);
    strbuf_deinit(&f.entries);
    strbuf_deinit(&f.data);
    return ok;
}

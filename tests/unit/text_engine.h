// An engine of texts alone: a real tokenizer with the marks of every chat form, and any template.
// These definitions win over the library's (see word_engine.h). One test program includes this
// once.
#pragma once

#include <stdio.h>

#include "base/mem.h"
#include "engine/engine.h"
#include "engine/tokenizer.h"
#include "engine/unicode.h"
#include "unit/gguf_builder.h"

struct Engine {
    StrBuf image;
    Gguf *gguf;
    Tokenizer *tokenizer;
    EngineInfo info;
};

// As models' files type them: control (3), user-defined (4).
static const struct {
    const char *text;
    int kind;
} text_marks[] = {{"<｜begin▁of▁sentence｜>", 3},
                  {"<｜end▁of▁sentence｜>", 3},
                  {"<|begin_of_text|>", 3},
                  {"<|EOT|>", 3},
                  {"<|eot_id|>", 3},
                  {"<|im_end|>", 3},
                  {"<|im_start|>", 4},
                  {"<｜User｜>", 4},
                  {"<｜Assistant｜>", 4},
                  {"<|start_header_id|>", 4},
                  {"<|end_header_id|>", 4},
                  {"<think>", 4},
                  {"</think>", 4},
                  {"<tool_call>", 4}};
enum { TEXT_MARKS = sizeof text_marks / sizeof *text_marks, TEXT_BYTES = 256, TEXT_BOS = 256 };

static inline void text_engine_build(StrBuf *b, const char *pre, bool marks)
{
    static const char *const merges[] = {"\xC4\x8A \xC4\x8A", ": \xC4\xA0"}; // "\n\n", ": "
    static const char *const merged[] = {"\xC4\x8A\xC4\x8A", ":\xC4\xA0"};
    uint32_t next = 0x100, n = TEXT_BYTES + (marks ? TEXT_MARKS : 0) + 2;
    build_header(b, 3, 0, 5);
    build_pair_text(b, "tokenizer.ggml.model", "gpt2");
    build_pair_text(b, "tokenizer.ggml.pre", pre);
    build_texts(b, "tokenizer.ggml.merges", merges, 2);
    build_array(b, "tokenizer.ggml.tokens", GGUF_STRING, n);
    for (uint32_t byte = 0; byte < TEXT_BYTES; byte++) {
        bool plain = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        char text[5] = {0};
        unicode_put(plain ? byte : next++, text);
        build_text(b, text);
    }
    for (int i = 0; marks && i < TEXT_MARKS; i++)
        build_text(b, text_marks[i].text);
    build_text(b, merged[0]);
    build_text(b, merged[1]);
    build_array(b, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (uint32_t i = 0; i < n; i++)
        build_u32(b, marks && i >= TEXT_BYTES && i < TEXT_BYTES + TEXT_MARKS
                         ? (uint32_t)text_marks[i - TEXT_BYTES].kind
                         : 1);
}

// Without `marks` the vocabulary spells them all. NULL only if the tokenizer refuses its own file.
static inline Engine *text_engine_new(const char *pre, bool marks)
{
    Engine *e = mem_zero(sizeof *e);
    Error err = {0};
    text_engine_build(&e->image, pre, marks);
    e->gguf = gguf_open_image(e->image.ptr, e->image.len, &err);
    e->tokenizer = e->gguf ? tokenizer_open(e->gguf, &err) : NULL;
    if (!e->tokenizer) {
        fprintf(stderr, "%s\n", err.text);
        return NULL;
    }
    e->info = (EngineInfo){.bos = marks ? TEXT_BOS : -1, .eos = -1, .mend = -1};
    return e;
}

static inline void text_engine_free(Engine *e)
{
    tokenizer_close(e->tokenizer);
    gguf_close(e->gguf);
    strbuf_deinit(&e->image);
    free(e);
}

const EngineInfo *engine_info(const Engine *engine)
{
    return &engine->info;
}

size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap)
{
    return tokenizer_encode(engine->tokenizer, text, parse_special, out, cap);
}

Str engine_token_bytes(const Engine *engine, int id)
{
    return tokenizer_bytes(engine->tokenizer, id);
}

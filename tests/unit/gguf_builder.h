// Writes GGUF images for tests, well-formed or not: the caller appends what it likes, in order.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/gguf.h"

static inline void build_bytes(StrBuf *b, const void *bytes, size_t n)
{
    strbuf_append(b, (Str){bytes, n});
}

static inline void build_u32(StrBuf *b, uint32_t value)
{
    build_bytes(b, &value, sizeof value);
}

static inline void build_u64(StrBuf *b, uint64_t value)
{
    build_bytes(b, &value, sizeof value);
}

static inline void build_text(StrBuf *b, const char *text)
{
    build_u64(b, strlen(text));
    strbuf_append(b, str_from(text));
}

static inline void build_header(StrBuf *b, uint32_t version, uint64_t n_tensors, uint64_t n_values)
{
    strbuf_append(b, STR("GGUF"));
    build_u32(b, version);
    build_u64(b, n_tensors);
    build_u64(b, n_values);
}

// A key and a value's type; the value follows.
static inline void build_key(StrBuf *b, const char *key, GgufValueType type)
{
    build_text(b, key);
    build_u32(b, type);
}

static inline void build_pair_u32(StrBuf *b, const char *key, uint32_t value)
{
    build_key(b, key, GGUF_U32);
    build_u32(b, value);
}

static inline void build_pair_text(StrBuf *b, const char *key, const char *text)
{
    build_key(b, key, GGUF_STRING);
    build_text(b, text);
}

// The head of an array; its elements follow.
static inline void build_array(StrBuf *b, const char *key, GgufValueType elem, uint64_t count)
{
    build_key(b, key, GGUF_ARRAY);
    build_u32(b, elem);
    build_u64(b, count);
}

static inline void build_texts(StrBuf *b, const char *key, const char *const *texts, size_t n)
{
    build_array(b, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        build_text(b, texts[i]);
}

// A tensor of two dimensions in the directory.
static inline void build_tensor(StrBuf *b, const char *name, uint64_t n_in, uint64_t n_out,
                                uint32_t type, uint64_t offset)
{
    build_text(b, name);
    build_u32(b, 2);
    build_u64(b, n_in);
    build_u64(b, n_out);
    build_u32(b, type);
    build_u64(b, offset);
}

// Zeros up to the next multiple.
static inline void build_padding(StrBuf *b, size_t multiple)
{
    while (b->len % multiple)
        strbuf_append_char(b, 0);
}

// The image in a block of exactly its size, so that AddressSanitizer sees a read past its end.
static inline char *build_copy(const StrBuf *b)
{
    char *copy = malloc(b->len ? b->len : 1);
    if (b->len) memcpy(copy, b->ptr, b->len);
    return copy;
}

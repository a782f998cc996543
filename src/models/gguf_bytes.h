// Encoding of numbers and strings; between the files of the writer.
#pragma once

#include <stdint.h>

#include "base/str.h"

static inline void put_bytes(StrBuf *b, const void *bytes, size_t n)
{
    strbuf_append(b, (Str){bytes, n});
}

static inline void put_u32(StrBuf *b, uint32_t value)
{
    put_bytes(b, &value, sizeof value);
}

static inline void put_u64(StrBuf *b, uint64_t value)
{
    put_bytes(b, &value, sizeof value);
}

static inline void put_str(StrBuf *b, Str s)
{
    put_u64(b, s.len);
    strbuf_append(b, s);
}

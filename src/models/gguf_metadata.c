// The metadata half of gguf_writer.h.
#include "gguf_bytes.h"
#include "gguf_writer.h"

static void put_key(GgufWriter *writer, Str key, GgufValueType type)
{
    writer->n_values++;
    put_str(&writer->metadata, key);
    put_u32(&writer->metadata, type);
}

static void put_array(GgufWriter *writer, const char *key, GgufValueType elem, size_t n)
{
    put_key(writer, str_from(key), GGUF_ARRAY);
    put_u32(&writer->metadata, elem);
    put_u64(&writer->metadata, n);
}

void writer_put_str(GgufWriter *writer, const char *key, Str value)
{
    put_key(writer, str_from(key), GGUF_STRING);
    put_str(&writer->metadata, value);
}

void writer_put_u32(GgufWriter *writer, const char *key, uint32_t value)
{
    put_key(writer, str_from(key), GGUF_U32);
    put_u32(&writer->metadata, value);
}

void writer_put_i32s(GgufWriter *writer, const char *key, const int32_t *values, size_t n)
{
    put_array(writer, key, GGUF_I32, n);
    put_bytes(&writer->metadata, values, n * sizeof *values);
}

void writer_put_f32(GgufWriter *writer, const char *key, float value)
{
    put_key(writer, str_from(key), GGUF_F32);
    put_bytes(&writer->metadata, &value, sizeof value);
}

void writer_put_bool(GgufWriter *writer, const char *key, bool value)
{
    put_key(writer, str_from(key), GGUF_BOOL);
    strbuf_append_char(&writer->metadata, value ? 1 : 0);
}

void writer_put_strs(GgufWriter *writer, const char *key, const Str *values, size_t n)
{
    put_array(writer, key, GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_str(&writer->metadata, values[i]);
}

void writer_copy(GgufWriter *writer, const GgufValue *value)
{
    StrBuf *b = &writer->metadata;
    float f32 = (float)value->f;
    put_key(writer, value->key, value->type);
    switch (value->type) {
    case GGUF_STRING:
        put_str(b, value->str);
        break;
    case GGUF_ARRAY:
        put_u32(b, value->elem_type);
        put_u64(b, value->count);
        strbuf_append(b, value->data);
        break;
    case GGUF_F32:
        put_bytes(b, &f32, 4);
        break;
    case GGUF_F64:
        put_bytes(b, &value->f, 8);
        break;
    case GGUF_U8:
    case GGUF_I8:
    case GGUF_BOOL:
        put_bytes(b, &value->u, 1);
        break;
    case GGUF_U16:
    case GGUF_I16:
        put_bytes(b, &value->u, 2);
        break;
    case GGUF_U32:
    case GGUF_I32:
        put_bytes(b, &value->u, 4);
        break;
    case GGUF_U64:
    case GGUF_I64:
        put_bytes(b, &value->u, 8);
        break;
    }
}

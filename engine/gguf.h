// GGUF files (v2, v3, little-endian): a mapped file, a bounds-checked cursor, a directory. A model
// that is split into shards is one Gguf: the first shard's metadata, the tensors of all.
//
// Owns the mapping and the directory; refuses files that break any rule of docs/engine.md,
// "Checks of a model file". Metadata values and names are slices of the mapping, which must
// outlive them. Nothing of the tensor data is read here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

// X(name, id in the file, elements a block, bytes a block)
#define GGUF_TENSOR_TYPES(X)                                                                       \
    X(F32, 0, 1, 4)                                                                                \
    X(F16, 1, 1, 2)                                                                                \
    X(Q4_0, 2, 32, 18)                                                                             \
    X(Q4_1, 3, 32, 20)                                                                             \
    X(Q5_0, 6, 32, 22)                                                                             \
    X(Q5_1, 7, 32, 24)                                                                             \
    X(Q8_0, 8, 32, 34)                                                                             \
    X(Q2_K, 10, 256, 84)                                                                           \
    X(Q3_K, 11, 256, 110)                                                                          \
    X(Q4_K, 12, 256, 144)                                                                          \
    X(Q5_K, 13, 256, 176)                                                                          \
    X(Q6_K, 14, 256, 210)                                                                          \
    X(IQ4_NL, 20, 32, 18)                                                                          \
    X(IQ4_XS, 23, 256, 136)                                                                        \
    X(BF16, 30, 1, 2)                                                                              \
    X(MXFP4, 39, 32, 17)

typedef enum TensorType {
#define X(name, id, block, bytes) TENSOR_##name = id,
    GGUF_TENSOR_TYPES(X)
#undef X
} TensorType;

typedef enum GgufValueType {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
} GgufValueType;

// One metadata pair. Scalars in `u`/`i`/`f` (all three set for numbers); strings in `str`;
// arrays: elem type, count and the raw encoded elements in `data`.
typedef struct GgufValue {
    Str key;
    GgufValueType type, elem_type;
    uint64_t u, count;
    int64_t i;
    double f;
    Str str;
    Str data;
} GgufValue;

// A tensor: dims[0] is contiguous; a weight from n_in to n_out is [n_in, n_out].
typedef struct GgufTensor {
    Str name;
    TensorType type;
    int n_dims;
    uint64_t dims[4]; // unused ones are 1
    uint64_t n_elements;
    size_t n_bytes;
    const void *data;
} GgufTensor;

typedef struct Gguf Gguf;

// Maps (a small one: copies) and checks a file, or checks an image in memory (borrowed until
// gguf_close). The path of any shard (NAME-00002-of-00003.gguf, split.* keys) opens the whole
// model; an image must be whole. NULL with ERROR_NOT_FOUND, ERROR_IO, ERROR_DAMAGED or
// ERROR_UNSUPPORTED.
Gguf *gguf_open(const char *path, Error *err);
Gguf *gguf_open_image(const void *image, size_t n_bytes, Error *err);
void gguf_close(Gguf *gguf);

// Of all shards together, and how many there are (1 where the model is not split).
size_t gguf_file_bytes(const Gguf *gguf);
int gguf_n_shards(const Gguf *gguf);
// All bytes of shard i's file or of the image.
Str gguf_shard_bytes(const Gguf *gguf, int i);
// By key or name; NULL if absent. O(1).
const GgufValue *gguf_find(const Gguf *gguf, const char *key);
const GgufTensor *gguf_find_tensor(const Gguf *gguf, const char *name);
// Enumeration, in file order.
size_t gguf_n_values(const Gguf *gguf);
const GgufValue *gguf_value(const Gguf *gguf, size_t i);
size_t gguf_n_tensors(const Gguf *gguf);
const GgufTensor *gguf_tensor(const Gguf *gguf, size_t i);

// Typed reads. Absent: *out is untouched and true is returned (give defaults first); present with
// the wrong type or out of range: ERROR_DAMAGED naming key, value and wanted range.
bool gguf_read_int(const Gguf *gguf, const char *key, int64_t min, int64_t max, int *out,
                   Error *err);
bool gguf_read_float(const Gguf *gguf, const char *key, float *out, Error *err);
bool gguf_read_bool(const Gguf *gguf, const char *key, bool *out, Error *err);
bool gguf_read_str(const Gguf *gguf, const char *key, Str *out, Error *err);

// Element i of a string array by walking from *cursor (start with 0); false at the end.
bool gguf_next_string(const GgufValue *array, size_t *cursor, Str *out);

// Facts about a tensor type; NULL for ids outside GGUF_TENSOR_TYPES.
typedef struct TensorTypeInfo {
    const char *name;
    int block_elements;
    int block_bytes;
} TensorTypeInfo;
const TensorTypeInfo *tensor_type_info(TensorType type);

// Writing of GGUF files: metadata and a list of tensors, then all data row by row on several
// threads, each row read as F32 and put into the tensor's type.
//
// One writer, one file. Everything but read_row runs on the calling thread.
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "engine/gguf.h"

enum { WRITER_MAX_NAME = 64 };

typedef struct OutTensor {
    char name[WRITER_MAX_NAME + 1];
    int n_dims;
    uint64_t dims[4]; // dims[0] is contiguous; unused ones are 1
    TensorType type;
    const void *data; // rows that are in the type already, copied as they are; NULL: read_row
} OutTensor;

// Zero-initialise.
typedef struct GgufWriter {
    StrBuf metadata;
    uint64_t n_values;
    VEC(OutTensor) tensors;
} GgufWriter;

void writer_deinit(GgufWriter *writer);

// Metadata, in this order. Keys must differ.
void writer_put_str(GgufWriter *writer, const char *key, Str value);
void writer_put_u32(GgufWriter *writer, const char *key, uint32_t value);
void writer_put_i32s(GgufWriter *writer, const char *key, const int32_t *values, size_t n);
void writer_put_f32(GgufWriter *writer, const char *key, float value);
void writer_put_bool(GgufWriter *writer, const char *key, bool value);
void writer_put_strs(GgufWriter *writer, const char *key, const Str *values, size_t n);
// A pair of another file, whatever its type.
void writer_copy(GgufWriter *writer, const GgufValue *value);

// Appends a tensor of the product of dims elements; dims[0] a multiple of the type's block.
void writer_add_tensor(GgufWriter *writer, const OutTensor *tensor);
// Of the whole file.
uint64_t writer_file_bytes(const GgufWriter *writer);

typedef struct WriteJob {
    const char *path;
    bool overwrite;
    int n_threads; // 0: one per core
    // Row `row` of tensor i, dims[0] numbers, rows of all parts counted through. Any thread.
    void (*read_row)(void *user, size_t tensor, uint64_t row, float *out);
    // What quantize_row wants for a row, or NULL; the function may be NULL. Any thread.
    const float *(*find_importance)(void *user, size_t tensor, uint64_t row);
    // Asked of the file once it has its head and its size, before the data; may be NULL.
    bool (*check)(const char *path, Error *err);
    // Bytes of the file; false stops with ERROR_CANCELLED. May be NULL.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} WriteJob;

// Writes the file, or nothing: errors as of out_file.h, ERROR_DAMAGED naming tensor and row where a
// number is not finite or does not fit the type, ERROR_CANCELLED.
bool writer_run(const GgufWriter *writer, const WriteJob *job, Error *err);

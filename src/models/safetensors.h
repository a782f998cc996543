// Safetensors: one file, or a folder of shards with model.safetensors.index.json.
//
// A file is an 8-byte little-endian header length, a JSON header and the data:
//   {"NAME": {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [from, to]}, ...}
// Everything is checked before it is believed: lengths against the file, shapes against the bytes,
// offsets against each other (no overlap, no hole). Owns the mappings; tensors borrow from them.
// Immutable once open: any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

// X(name in the file, bytes an element)
#define SAFETENSORS_TYPES(X)                                                                       \
    X(BOOL, 1)                                                                                     \
    X(U8, 1)                                                                                       \
    X(I8, 1)                                                                                       \
    X(F8_E5M2, 1)                                                                                  \
    X(F8_E4M3, 1)                                                                                  \
    X(F8_E8M0, 1)                                                                                  \
    X(I16, 2)                                                                                      \
    X(U16, 2)                                                                                      \
    X(F16, 2)                                                                                      \
    X(BF16, 2)                                                                                     \
    X(I32, 4)                                                                                      \
    X(U32, 4)                                                                                      \
    X(F32, 4)                                                                                      \
    X(F64, 8)                                                                                      \
    X(I64, 8)                                                                                      \
    X(U64, 8)

typedef enum StType {
#define X(name, bytes) ST_##name,
    SAFETENSORS_TYPES(X)
#undef X
} StType;

enum { ST_MAX_DIMS = 8 };

typedef struct StTensor {
    Str name;
    StType type;
    int n_dims;
    uint64_t dims[ST_MAX_DIMS]; // the last one is contiguous; unused ones are 1
    uint64_t n_elements;
    const unsigned char *data; // not aligned
    size_t n_bytes;
} StTensor;

typedef struct Safetensors Safetensors;

// The model of a folder: model.safetensors.index.json with its shards, or model.safetensors.
// NULL with ERROR_NOT_FOUND, ERROR_IO, ERROR_DAMAGED or ERROR_TOO_LARGE.
Safetensors *safetensors_open(const char *folder, Error *err);
// One file in memory, borrowed until safetensors_close.
Safetensors *safetensors_open_image(const void *image, size_t n_bytes, Error *err);
void safetensors_close(Safetensors *model);

size_t safetensors_n_tensors(const Safetensors *model);
// In the order of names.
const StTensor *safetensors_tensor(const Safetensors *model, size_t i);
// NULL if absent.
const StTensor *safetensors_find(const Safetensors *model, Str name);

const char *st_type_name(StType type);
// True for the types that st_read reads.
bool st_is_float(StType type);
// Elements [first, first + n), which must lie inside the tensor, of a type that st_is_float.
// F8_E4M3 without its block's scale.
void st_read(const StTensor *tensor, uint64_t first, size_t n, float *out);

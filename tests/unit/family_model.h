// Tiny random models from descriptions in tests/golden/family.json as GGUF images, opened down to
// the forward pass.
#pragma once

#include "unit/gguf_builder.h"
#include "unit/unit.h"

#include <math.h>

#include <json-c/json.h>

#include "attention.h"
#include "base/mem.h"
#include "forward.h"
#include "kernels/kernels.h"

#ifndef SOURCE_DIR // the build defines it
#define SOURCE_DIR "."
#endif

enum { N_CTX = 64 };

static json_object *golden;

static inline int load_golden(void **state)
{
    (void)state;
    golden = json_object_from_file(SOURCE_DIR "/tests/golden/family.json");
    return golden ? 0 : -1;
}

static inline int free_golden(void **state)
{
    (void)state;
    json_object_put(golden);
    return 0;
}

static inline json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value)) fail_msg("golden file lacks %s", key);
    return value;
}

static inline json_object *at(json_object *array, size_t i)
{
    return json_object_array_get_idx(array, i);
}

static const char *text_at(json_object *array, size_t i)
{
    return json_object_get_string(at(array, i));
}

static inline json_object *find_model(const char *name)
{
    json_object *models = get(golden, "models");
    for (size_t i = 0; i < json_object_array_length(models); i++)
        if (strcmp(json_object_get_string(get(at(models, i), "name")), name) == 0)
            return at(models, i);
    fail_msg("no model %s", name);
    return NULL;
}

// --- the file that a description stands for ------------------------------------------------------

static inline uint64_t hash_name(const char *model, const char *tensor)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", model, tensor);
    uint64_t h = 0xCBF29CE484222325;
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)*c) * 0x100000001B3;
    return h;
}

// SplitMix64's top byte k stands for offset + (k - 128) / 128 * 2^exponent, exact in every type.
static inline float generate(uint64_t seed, uint64_t i, int exponent, int offset)
{
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z = z ^ (z >> 31);
    return (float)offset + ldexpf((float)((int)(z >> 56) - 128) / 128, exponent);
}

// A tensor's entry is [name, exponent, offset, dims], or [name, values, dims].
static inline json_object *dims_of(json_object *tensor)
{
    return at(tensor, json_object_array_length(tensor) - 1);
}

static inline size_t count_elements(json_object *tensor)
{
    size_t n = 1;
    for (size_t i = 0; i < json_object_array_length(dims_of(tensor)); i++)
        n *= (size_t)json_object_get_int(at(dims_of(tensor), i));
    return n;
}

// Vectors and routers are F32 in every file, and rows that do not fill the blocks of a format.
static inline TensorType type_of(json_object *tensor, TensorType wanted)
{
    bool router = strstr(text_at(tensor, 0), "ffn_gate_inp") != NULL;
    int n_in = json_object_get_int(at(dims_of(tensor), 0));
    bool fits = n_in % tensor_type_info(wanted)->block_elements == 0;
    return json_object_array_length(dims_of(tensor)) < 2 || router || !fits ? TENSOR_F32 : wanted;
}

static inline void add_value(StrBuf *b, TensorType type, float value)
{
    uint16_t half = float_to_half(value);
    if (type == TENSOR_F32)
        build_bytes(b, &value, sizeof value);
    else if (type == TENSOR_F16)
        build_bytes(b, &half, sizeof half);
    else
        build_bytes(b, (const char *)&value + 2, 2);
}

static inline size_t bytes_of(json_object *tensor, TensorType type)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    return count_elements(tensor) / (size_t)info->block_elements * (size_t)info->block_bytes;
}

// Blocks whose scale is the generator's own step hold its values exactly.
static inline void add_q8_data(StrBuf *b, uint64_t seed, size_t n, int exponent)
{
    for (size_t i = 0; i < n; i += 32) {
        uint16_t d = float_to_half(ldexpf(1.0f / 128, exponent));
        build_bytes(b, &d, sizeof d);
        for (size_t j = i; j < i + 32; j++)
            strbuf_append_char(b,
                               (char)(int8_t)ldexpf(generate(seed, j, exponent, 0), 7 - exponent));
    }
}

static inline void add_tensor_data(StrBuf *b, const char *model, json_object *tensor,
                                   TensorType type)
{
    size_t n = count_elements(tensor);
    uint64_t seed = hash_name(model, text_at(tensor, 0));
    bool listed = json_object_array_length(tensor) == 3;
    if (type == TENSOR_Q8_0) add_q8_data(b, seed, n, json_object_get_int(at(tensor, 1)));
    for (size_t i = 0; type != TENSOR_Q8_0 && i < n; i++)
        add_value(b, type,
                  listed ? (float)json_object_get_double(at(at(tensor, 1), i))
                         : generate(seed, i, json_object_get_int(at(tensor, 1)),
                                    json_object_get_int(at(tensor, 2))));
    build_padding(b, 32);
}

static inline void add_metadata(StrBuf *b, json_object *pair)
{
    const char *key = text_at(pair, 0), *type = text_at(pair, 1);
    json_object *value = at(pair, 2);
    if (strcmp(type, "str") == 0) {
        build_pair_text(b, key, json_object_get_string(value));
    } else if (strcmp(type, "u32") == 0) {
        build_pair_u32(b, key, (uint32_t)json_object_get_int(value));
    } else if (strcmp(type, "bool") == 0) {
        build_key(b, key, GGUF_BOOL);
        strbuf_append_char(b, json_object_get_boolean(value) ? 1 : 0);
    } else {
        float f = (float)json_object_get_double(value);
        build_key(b, key, GGUF_F32);
        build_bytes(b, &f, sizeof f);
    }
}

static inline void build_model(json_object *model, TensorType wanted, StrBuf *b)
{
    json_object *metadata = get(model, "metadata"), *tensors = get(model, "tensors");
    size_t n_tensors = json_object_array_length(tensors), offset = 0;
    build_header(b, 3, n_tensors, json_object_array_length(metadata));
    for (size_t i = 0; i < json_object_array_length(metadata); i++)
        add_metadata(b, at(metadata, i));
    for (size_t i = 0; i < n_tensors; i++) {
        json_object *tensor = at(tensors, i), *dims = dims_of(tensor);
        TensorType type = type_of(tensor, wanted);
        build_text(b, text_at(tensor, 0));
        build_u32(b, (uint32_t)json_object_array_length(dims));
        for (size_t d = 0; d < json_object_array_length(dims); d++)
            build_u64(b, (uint64_t)json_object_get_int(at(dims, d)));
        build_u32(b, type);
        build_u64(b, offset);
        offset += (bytes_of(tensor, type) + 31) / 32 * 32;
    }
    build_padding(b, 32);
    for (size_t i = 0; i < n_tensors; i++)
        add_tensor_data(b, json_object_get_string(get(model, "name")), at(tensors, i),
                        type_of(at(tensors, i), wanted));
}

// --- opening -------------------------------------------------------------------------------------

typedef struct Opened {
    StrBuf image;
    Gguf *gguf;
    Shape shape;
    Weights weights;
    Compute compute;
    Kv kv;
} Opened;

// The model of o->image, whatever that is. o is to be closed either way.
static inline bool open_image(Opened *o, const Kernels *kernels, Error *err)
{
    o->gguf = gguf_open_image(o->image.ptr, o->image.len, err);
    bool ok = o->gguf && shape_read(o->gguf, &o->shape, err) &&
              weights_bind(o->gguf, &o->shape, &o->weights, err) &&
              weights_make_copies(&o->shape, &o->weights, err) &&
              compute_init(&o->compute, kernels, 1, &o->shape, &o->weights, err) &&
              compute_reserve(&o->compute, &o->shape, N_CTX, err);
    if (!ok) return false;
    attention_frequencies(&o->compute, &o->shape, o->weights.rope_divisors);
    return kv_init(&o->kv, &o->shape, o->shape.n_layers, N_CTX, err);
}

static inline void open_model(json_object *model, TensorType type, const Kernels *kernels,
                              Opened *o)
{
    Error err = {0};
    *o = (Opened){0};
    build_model(model, type, &o->image);
    assert_ok(open_image(o, kernels, &err), err);
}

static inline void close_model(Opened *o)
{
    kv_deinit(&o->kv);
    compute_deinit(&o->compute);
    weights_deinit(&o->weights);
    gguf_close(o->gguf);
    strbuf_deinit(&o->image);
}

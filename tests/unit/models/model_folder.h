// Writes folders of safetensors as transformers writes them, from descriptions in
// tests/golden/convert.json: config.json, tokenizer.json, one file or shards with an index.
#pragma once

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "engine/kernels/kernels.h"
#include "unit/gguf_builder.h"

typedef enum FolderType { FOLDER_F32, FOLDER_F16, FOLDER_BF16 } FolderType;

static inline json_object *folder_get(json_object *object, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

// SplitMix64 from the FNV-1a hash of MODEL/TENSOR: the top byte of number i.
static inline int folder_byte(const char *model, const char *tensor, uint64_t i)
{
    char name[320];
    snprintf(name, sizeof name, "%s/%s", model, tensor);
    uint64_t z = 0xCBF29CE484222325;
    for (const char *c = name; *c; c++)
        z = (z ^ (unsigned char)*c) * 0x100000001B3;
    z += (i + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return (int)((z ^ (z >> 31)) >> 56);
}

static inline float folder_value(const char *model, const char *tensor, uint64_t i, int exponent,
                                 double offset)
{
    return (float)(offset + ldexp((folder_byte(model, tensor, i) - 128) / 128.0, exponent));
}

static inline void folder_put(StrBuf *data, FolderType type, float value)
{
    uint16_t half = float_to_half(value);
    if (type == FOLDER_F32)
        build_bytes(data, &value, 4);
    else if (type == FOLDER_F16)
        build_bytes(data, &half, 2);
    else
        build_bytes(data, (const char *)&value + 2, 2);
}

// A header's entry for what has been appended to data since `from`.
static inline void folder_add_entry(json_object *header, const char *name, const char *dtype,
                                    json_object *shape, size_t from, size_t to)
{
    json_object *entry = json_object_new_object(), *offsets = json_object_new_array();
    json_object_array_add(offsets, json_object_new_int64((int64_t)from));
    json_object_array_add(offsets, json_object_new_int64((int64_t)to));
    json_object_object_add(entry, "dtype", json_object_new_string(dtype));
    json_object_object_add(entry, "shape", shape);
    json_object_object_add(entry, "data_offsets", offsets);
    json_object_object_add(header, name, entry);
}

static inline void folder_add_fp8(json_object *header, StrBuf *data, const char *model,
                                  const char *name, json_object *shape, const int block[2])
{
    char scale_name[160];
    size_t from = data->len;
    int rows = json_object_get_int(json_object_array_get_idx(shape, 0));
    int columns = json_object_get_int(json_object_array_get_idx(shape, 1));
    for (int i = 0; i < rows * columns; i++) {
        int code = folder_byte(model, name, (uint64_t)i);
        strbuf_append_char(data, (char)((code & 0x7F) == 0x7F ? 0 : code));
    }
    folder_add_entry(header, name, "F8_E4M3", json_object_get(shape), from, data->len);
    from = data->len;
    json_object *scales = json_object_new_array();
    int scale_rows = (rows + block[0] - 1) / block[0];
    int scale_columns = (columns + block[1] - 1) / block[1];
    json_object_array_add(scales, json_object_new_int(scale_rows));
    json_object_array_add(scales, json_object_new_int(scale_columns));
    snprintf(scale_name, sizeof scale_name, "%s_scale_inv", name);
    for (int i = 0; i < scale_rows * scale_columns; i++)
        folder_put(data, FOLDER_F32,
                   folder_value(model, scale_name, (uint64_t)i, -11, ldexp(1, -11)));
    folder_add_entry(header, scale_name, "F32", scales, from, data->len);
}

static inline void folder_add_tensor(json_object *header, StrBuf *data, const char *model,
                                     json_object *tensor, FolderType type, const int block[2])
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    const char *name = json_object_get_string(json_object_array_get_idx(tensor, 0));
    size_t last = json_object_array_length(tensor) - 1, from = data->len, n = 1;
    json_object *shape = json_object_array_get_idx(tensor, last);
    if (last == 2) { // [name, "fp8", shape]
        folder_add_fp8(header, data, model, name, shape, block);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(shape); i++)
        n *= (size_t)json_object_get_int(json_object_array_get_idx(shape, i));
    for (size_t i = 0; i < n; i++)
        folder_put(data, type,
                   folder_value(model, name, i,
                                json_object_get_int(json_object_array_get_idx(tensor, 1)),
                                json_object_get_double(json_object_array_get_idx(tensor, 2))));
    folder_add_entry(header, name, dtypes[type], json_object_get(shape), from, data->len);
}

static inline void folder_write(const char *folder, const char *name, Str bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes.ptr, 1, bytes.len, f) != bytes.len) abort();
    fclose(f);
}

static inline void folder_write_json(const char *folder, const char *name, json_object *object)
{
    folder_write(folder, name, str_from(json_object_to_json_string(object)));
}

static inline void folder_write_safetensors(const char *folder, const char *name,
                                            json_object *header, const StrBuf *data)
{
    StrBuf file = {0};
    Str text = str_from(json_object_to_json_string(header));
    build_u64(&file, text.len);
    strbuf_append(&file, text);
    strbuf_append(&file, strbuf_str(data));
    folder_write(folder, name, strbuf_str(&file));
    strbuf_deinit(&file);
}

// A vocabulary of n single letters with Qwen2's pre-tokenizer.
static inline json_object *folder_tokenizer(int n)
{
    static const char text[] =
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}, \"added_tokens\": [], "
        "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
        "\"pattern\": {\"Regex\": \"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
        "\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|"
        "\\\\s+(?!\\\\S)|\\\\s+\"}, \"behavior\": \"Isolated\", \"invert\": false}, "
        "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}}";
    json_object *tokenizer = json_tokener_parse(text);
    json_object *vocab = folder_get(folder_get(tokenizer, "model"), "vocab");
    for (int i = 0; i < n; i++) {
        char letter[2] = {(char)(i < 26 ? 'a' + i : 'A' + i - 26), 0};
        json_object_object_add(vocab, letter, json_object_new_int(i));
    }
    return tokenizer;
}

// The whole folder; with n_files over 1 as shards, tensors dealt out in turn.
static inline void folder_make(const char *folder, json_object *model, FolderType type, int n_files)
{
    json_object *tensors = folder_get(model, "tensors"), *config = folder_get(model, "config");
    json_object *quantised = folder_get(config, "quantization_config");
    json_object *sizes = folder_get(quantised, "weight_block_size");
    int block[2] = {128, 128};
    for (size_t i = 0; i < 2 && sizes; i++)
        block[i] = (int)fmax(1, json_object_get_int(json_object_array_get_idx(sizes, i)));
    json_object *map = json_object_new_object(), *index = json_object_new_object();
    json_object_object_add(index, "weight_map", map);
    for (int file = 0; file < n_files; file++) {
        StrBuf data = {0};
        char name[64] = "model.safetensors";
        json_object *header = json_object_new_object();
        if (n_files > 1)
            snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", file + 1, n_files);
        for (size_t i = (size_t)file; i < json_object_array_length(tensors); i += (size_t)n_files)
            folder_add_tensor(header, &data, json_object_get_string(folder_get(model, "name")),
                              json_object_array_get_idx(tensors, i), type, block);
        json_object_object_foreach(header, key, entry)
        {
            (void)entry;
            json_object_object_add(map, key, json_object_new_string(name));
        }
        folder_write_safetensors(folder, name, header, &data);
        json_object_put(header);
        strbuf_deinit(&data);
    }
    if (n_files > 1) folder_write_json(folder, "model.safetensors.index.json", index);
    json_object_put(index);
    folder_write_json(folder, "config.json", config);
    json_object *tokenizer =
        folder_tokenizer(json_object_get_int(folder_get(config, "vocab_size")));
    folder_write_json(folder, "tokenizer.json", tokenizer);
    json_object_put(tokenizer);
}

// Headers by json-c; the rules that it does not know are checked here.
#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/vec.h"
#include "engine/kernels/kernels.h"
#include "json_file.h"

static const uint64_t MAX_HEADER_BYTES = 100000000; // the format's own limit
static const size_t MAX_INDEX_BYTES = (size_t)256 << 20;
static const uint64_t MAX_DIM = (uint64_t)1 << 40;
enum { LENGTH_BYTES = 8, MAX_FILES = 4096 };

typedef struct Mapping {
    void *data;
    size_t n_bytes;
} Mapping;

struct Safetensors {
    VEC(StTensor) tensors; // sorted by name in the end
    VEC(Mapping) mappings;
    VEC(struct json_object *) headers; // names live here
};

static const struct {
    const char *name;
    int bytes;
} types[] = {
#define X(name, bytes) {#name, bytes},
    SAFETENSORS_TYPES(X)
#undef X
};
enum { N_TYPES = sizeof types / sizeof *types };

const char *st_type_name(StType type)
{
    return types[type].name;
}

// --- header --------------------------------------------------------------------------------------

static bool read_type(Str name, Str dtype, StType *out, Error *err)
{
    for (int i = 0; i < N_TYPES; i++)
        if (str_equal(dtype, str_from(types[i].name))) {
            *out = (StType)i;
            return true;
        }
    return error_set(err, ERROR_UNSUPPORTED, "tensor %.*s has dtype '%.*s', wanted F32 or such",
                     STR_FMT(str_slice(name, 0, 100)), STR_FMT(str_slice(dtype, 0, 20)));
}

// A whole number that is at least 0 and fits; json-c clamps what does not fit to its largest.
static bool read_size(struct json_object *value, uint64_t max, uint64_t *out)
{
    if (!json_object_is_type(value, json_type_int)) return false;
    int64_t number = json_object_get_int64(value);
    if (number < 0 || (uint64_t)number > max || number == INT64_MAX) return false;
    *out = (uint64_t)number;
    return true;
}

static bool read_shape(struct json_object *shape, StTensor *t)
{
    if (!json_object_is_type(shape, json_type_array)) return false;
    size_t n = json_object_array_length(shape);
    if (n > ST_MAX_DIMS) return false;
    t->n_dims = (int)n;
    t->n_elements = 1;
    for (size_t i = 0; i < ST_MAX_DIMS; i++) {
        t->dims[i] = 1;
        if (i >= n) continue;
        if (!read_size(json_object_array_get_idx(shape, i), MAX_DIM, &t->dims[i]) ||
            __builtin_mul_overflow(t->n_elements, t->dims[i], &t->n_elements))
            return false;
    }
    return true;
}

static bool read_entry(Str name, struct json_object *entry, Str data, StTensor *t, Error *err)
{
    Str dtype = {0};
    uint64_t from = 0, to = 0, n_bytes;
    struct json_object *offsets = json_get(entry, "data_offsets");
    *t = (StTensor){.name = name};
    if (!json_get_str(entry, "dtype", &dtype, err) || !read_type(name, dtype, &t->type, err))
        return false;
    if (!read_shape(json_get(entry, "shape"), t))
        return error_set(err, ERROR_DAMAGED,
                         "tensor %.*s has the shape %.60s, wanted up to %d sizes up to 2^40",
                         STR_FMT(str_slice(name, 0, 80)),
                         json_object_to_json_string(json_get(entry, "shape")), ST_MAX_DIMS);
    if (!json_object_is_type(offsets, json_type_array) || json_object_array_length(offsets) != 2 ||
        !read_size(json_object_array_get_idx(offsets, 0), data.len, &from) ||
        !read_size(json_object_array_get_idx(offsets, 1), data.len, &to) || from > to)
        return error_set(err, ERROR_DAMAGED, "tensor %.*s lies at %.60s, wanted [from, to] in %zu",
                         STR_FMT(str_slice(name, 0, 80)), json_object_to_json_string(offsets),
                         data.len);
    if (__builtin_mul_overflow(t->n_elements, (uint64_t)types[t->type].bytes, &n_bytes) ||
        n_bytes != to - from)
        return error_set(err, ERROR_DAMAGED,
                         "tensor %.*s has %" PRIu64 " bytes, wanted %" PRIu64 " numbers of %d",
                         STR_FMT(str_slice(name, 0, 80)), to - from, t->n_elements,
                         types[t->type].bytes);
    t->data = (const unsigned char *)data.ptr + from;
    t->n_bytes = (size_t)n_bytes;
    return true;
}

static int by_data(const void *a, const void *b)
{
    const StTensor *x = a, *y = b;
    if (x->data != y->data) return (x->data > y->data) - (x->data < y->data);
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

// The format wants every byte of the data to belong to exactly one tensor.
static bool check_cover(StTensor *tensors, size_t n, Str data, Error *err)
{
    const unsigned char *at = (const unsigned char *)data.ptr;
    if (n) qsort(tensors, n, sizeof *tensors, by_data);
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].data != at)
            return error_set(err, ERROR_DAMAGED, "tensor %.*s %s",
                             STR_FMT(str_slice(tensors[i].name, 0, 100)),
                             tensors[i].data > at ? "comes after bytes that belong to no tensor"
                                                  : "overlaps another");
        at += tensors[i].n_bytes;
    }
    size_t used = (size_t)(at - (const unsigned char *)data.ptr);
    if (used == data.len) return true;
    return error_set(err, ERROR_DAMAGED, "the tensors have %zu bytes, the file has %zu for them",
                     used, data.len);
}

static bool add_file(Safetensors *model, Str file, const char *what, Error *err)
{
    uint64_t n_header = 0;
    if (file.len >= LENGTH_BYTES) memcpy(&n_header, file.ptr, LENGTH_BYTES);
    if (file.len < LENGTH_BYTES || n_header > file.len - LENGTH_BYTES ||
        n_header > MAX_HEADER_BYTES || n_header < 2 || file.ptr[LENGTH_BYTES] != '{')
        return error_set(err, ERROR_DAMAGED,
                         "%.100s: a header of %" PRIu64
                         " bytes in %zu, wanted one of up to %" PRIu64 " that starts with {",
                         what, n_header, file.len, MAX_HEADER_BYTES);
    Str header = {file.ptr + LENGTH_BYTES, (size_t)n_header};
    Str data = str_slice(file, LENGTH_BYTES + (size_t)n_header, file.len);
    struct json_object *object = json_parse_object(header, what, err);
    if (!object) return false;
    VEC_PUSH(&model->headers, object);
    size_t first = model->tensors.n;
    json_object_object_foreach(object, key, entry)
    {
        StTensor t;
        if (strcmp(key, "__metadata__") == 0) continue;
        if (!read_entry(str_from(key), entry, data, &t, err)) return false;
        VEC_PUSH(&model->tensors, t);
    }
    StTensor *added = model->tensors.items ? model->tensors.items + first : NULL;
    return check_cover(added, model->tensors.n - first, data, err);
}

// --- files ---------------------------------------------------------------------------------------

static bool map_file(Safetensors *model, const char *path, Error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%.160s: %s", path,
                  strerror(errno));
        if (fd >= 0) close(fd);
        return false;
    }
    if (!S_ISREG(info.st_mode) || info.st_size < LENGTH_BYTES) {
        close(fd);
        return error_set(err, ERROR_DAMAGED, "%.160s is no file of at least %d bytes", path,
                         LENGTH_BYTES);
    }
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int cause = errno;
    close(fd);
    if (data == MAP_FAILED)
        return error_set(err, ERROR_IO, "cannot map %.160s: %s", path, strerror(cause));
    VEC_PUSH(&model->mappings, (Mapping){data, (size_t)info.st_size});
    return add_file(model, (Str){data, (size_t)info.st_size}, path, err);
}

static bool is_plain_name(Str name)
{
    return name.len > 0 && name.len < 200 && name.ptr[0] != '.' &&
           str_find(name, STR("/"), 0) == name.len && strlen(name.ptr) == name.len;
}

static int compare_texts(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

// Maps each file that the index names once.
static bool open_indexed(Safetensors *model, const char *folder, struct json_object *map,
                         Error *err)
{
    VEC(const char *) files = {0};
    bool ok = true;
    char path[PATH_MAX];
    json_object_object_foreach(map, key, value)
    {
        Str file = json_str(value);
        if (ok && !is_plain_name(file))
            ok =
                error_set(err, ERROR_DAMAGED, "the index puts %.80s into %.60s, wanted a file name",
                          key, json_object_to_json_string(value));
        if (ok) VEC_PUSH(&files, file.ptr);
    }
    if (ok && files.n) qsort(files.items, files.n, sizeof *files.items, compare_texts);
    size_t n_files = 0;
    for (size_t i = 0; ok && i < files.n; i++) {
        if (i && strcmp(files.items[i], files.items[i - 1]) == 0) continue;
        if (++n_files > MAX_FILES ||
            snprintf(path, sizeof path, "%s/%s", folder, files.items[i]) >= (int)sizeof path)
            ok = error_set(err, ERROR_TOO_LARGE, "the index names over %d files", MAX_FILES);
        ok = ok && map_file(model, path, err);
    }
    VEC_FREE(&files);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    const StTensor *x = a, *y = b;
    return str_compare(x->name, y->name);
}

static bool sort_tensors(Safetensors *model, Error *err)
{
    StTensor *t = model->tensors.items;
    if (model->tensors.n) qsort(t, model->tensors.n, sizeof *t, by_name);
    for (size_t i = 1; i < model->tensors.n; i++)
        if (str_equal(t[i].name, t[i - 1].name))
            return error_set(err, ERROR_DAMAGED, "tensor %.*s occurs twice",
                             STR_FMT(str_slice(t[i].name, 0, 120)));
    return true;
}

static bool open_index(Safetensors *model, const char *folder, struct json_object *index,
                       Error *err)
{
    struct json_object *map = json_get(index, "weight_map");
    if (!json_object_is_type(map, json_type_object))
        return error_set(err, ERROR_DAMAGED, "model.safetensors.index.json has no weight_map");
    if (!open_indexed(model, folder, map, err) || !sort_tensors(model, err)) return false;
    json_object_object_foreach(map, key, value)
    {
        if (!safetensors_find(model, str_from(key)))
            return error_set(err, ERROR_DAMAGED,
                             "tensor %.100s is not in %.60s, where the index "
                             "puts it",
                             key, json_str(value).ptr);
    }
    return true;
}

static Safetensors *finish(Safetensors *model, bool ok)
{
    if (ok) return model;
    safetensors_close(model);
    return NULL;
}

Safetensors *safetensors_open(const char *folder, Error *err)
{
    char path[PATH_MAX];
    Error none = {0};
    Safetensors *model = mem_zero(sizeof *model);
    struct json_object *index =
        json_read_object(folder, "model.safetensors.index.json", MAX_INDEX_BYTES, &none);
    bool ok;
    if (index) {
        ok = open_index(model, folder, index, err);
    } else if (none.code != ERROR_NOT_FOUND) {
        ok = error_set(err, none.code, "%s", none.text);
    } else {
        ok = snprintf(path, sizeof path, "%s/model.safetensors", folder) < (int)sizeof path &&
             map_file(model, path, err) && sort_tensors(model, err);
    }
    json_object_put(index);
    return finish(model, ok);
}

Safetensors *safetensors_open_image(const void *image, size_t n_bytes, Error *err)
{
    Safetensors *model = mem_zero(sizeof *model);
    return finish(model, add_file(model, (Str){image, n_bytes}, "the image", err) &&
                             sort_tensors(model, err));
}

void safetensors_close(Safetensors *model)
{
    if (!model) return;
    for (size_t i = 0; i < model->mappings.n; i++)
        munmap(model->mappings.items[i].data, model->mappings.items[i].n_bytes);
    for (size_t i = 0; i < model->headers.n; i++)
        json_object_put(model->headers.items[i]);
    VEC_FREE(&model->tensors);
    VEC_FREE(&model->mappings);
    VEC_FREE(&model->headers);
    free(model);
}

size_t safetensors_n_tensors(const Safetensors *model)
{
    return model->tensors.n;
}

const StTensor *safetensors_tensor(const Safetensors *model, size_t i)
{
    return &model->tensors.items[i];
}

const StTensor *safetensors_find(const Safetensors *model, Str name)
{
    const StTensor key = {.name = name};
    if (model->tensors.n == 0) return NULL;
    return bsearch(&key, model->tensors.items, model->tensors.n, sizeof key, by_name);
}

// --- numbers -------------------------------------------------------------------------------------

bool st_is_float(StType type)
{
    return type == ST_F32 || type == ST_F16 || type == ST_BF16 || type == ST_F8_E4M3 ||
           type == ST_F8_E8M0;
}

// s eeee mmm, bias 7, no infinity: m 2^-9 where e is 0, else (8 + m) 2^(e - 10).
static float e4m3_to_float(unsigned char code)
{
    int e = code >> 3 & 15, m = code & 7;
    if ((code & 0x7F) == 0x7F) return NAN;
    if (e == 0) return (float)(code & 0x80 ? -m : m) * 0x1p-9f;
    uint32_t bits = (uint32_t)(code & 0x80) << 24 | (uint32_t)(e + 120) << 23 | (uint32_t)m << 20;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float e8m0_to_float(unsigned char code)
{
    return code == 255 ? NAN : ldexpf(1, code - 127);
}

void st_read(const StTensor *tensor, uint64_t first, size_t n, float *out)
{
    const unsigned char *at = tensor->data + first * (uint64_t)types[tensor->type].bytes;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t bits;
        switch (tensor->type) {
        case ST_F16:
            memcpy(&half, at + 2 * i, 2);
            out[i] = half_to_float(half);
            break;
        case ST_BF16:
            memcpy(&half, at + 2 * i, 2);
            bits = (uint32_t)half << 16;
            memcpy(&out[i], &bits, 4);
            break;
        case ST_F8_E4M3:
            out[i] = e4m3_to_float(at[i]);
            break;
        case ST_F8_E8M0:
            out[i] = e8m0_to_float(at[i]);
            break;
        default: // F32
            memcpy(&out[i], at + 4 * i, 4);
        }
    }
}

// Parsing and checking of GGUF. Every count is compared with the bytes that are left before it is
// believed, every product is checked, and names are hashed, so that a hostile file costs no more
// than its own size.
#include "gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const uint64_t MAX_STRING_BYTES = (uint64_t)1 << 30;
static const uint64_t MAX_ARRAY = (uint64_t)1 << 30;
static const uint64_t MAX_DIM = (uint64_t)1 << 31;
enum { MAX_NAME_BYTES = 64, MIN_PAIR_BYTES = 13, MIN_TENSOR_BYTES = 32, HEADER_BYTES = 24 };
enum { MAX_SHARDS = 9999 };

static const size_t COPY_BYTES = (size_t)128 << 20; // files up to this are copied

struct Gguf {
    const unsigned char *data;
    size_t n_bytes;
    bool mapped;
    size_t n_values, n_tensors;
    GgufValue *values;
    GgufTensor *tensors;
    uint32_t *value_slots, *tensor_slots; // open addressing: index + 1, 0 empty
    size_t n_value_slots, n_tensor_slots; // powers of two
    Gguf **shards;                        // [n_shards - 1] after this one, for their mappings
    int n_shards;                         // at least 1
};

const TensorTypeInfo *tensor_type_info(TensorType type)
{
    static const TensorTypeInfo infos[] = {
#define X(name, id, block, bytes) [id] = {#name, block, bytes},
        GGUF_TENSOR_TYPES(X)
#undef X
    };
    if ((unsigned)type >= sizeof infos / sizeof *infos || !infos[type].name) return NULL;
    return &infos[type];
}

// --- cursor --------------------------------------------------------------------------------------

typedef struct Cursor {
    const unsigned char *start, *at, *end;
    Error *err;
} Cursor;

static bool need(Cursor *c, uint64_t n, const char *what)
{
    size_t left = (size_t)(c->end - c->at);
    if (n <= left) return true;
    return error_set(c->err, ERROR_DAMAGED,
                     "gguf: %s at byte %zu needs %" PRIu64 " bytes, %zu are left", what,
                     (size_t)(c->at - c->start), n, left);
}

static bool read_bytes(Cursor *c, void *out, size_t n, const char *what)
{
    if (!need(c, n, what)) return false;
    memcpy(out, c->at, n);
    c->at += n;
    return true;
}

static bool read_u32(Cursor *c, uint32_t *out, const char *what)
{
    return read_bytes(c, out, sizeof *out, what);
}

static bool read_u64(Cursor *c, uint64_t *out, const char *what)
{
    return read_bytes(c, out, sizeof *out, what);
}

static bool read_string(Cursor *c, Str *out, const char *what)
{
    uint64_t len;
    if (!read_u64(c, &len, what)) return false;
    if (len > MAX_STRING_BYTES)
        return error_set(c->err, ERROR_DAMAGED,
                         "gguf: %s has %" PRIu64 " bytes, wanted at most %" PRIu64, what, len,
                         MAX_STRING_BYTES);
    if (!need(c, len, what)) return false;
    *out = (Str){(const char *)c->at, (size_t)len};
    c->at += len;
    return true;
}

// --- metadata ------------------------------------------------------------------------------------

// Bytes of a scalar, 0 for strings, arrays and unknown types.
static size_t scalar_bytes(GgufValueType type)
{
    static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return (unsigned)type < sizeof sizes ? sizes[type] : 0;
}

static uint64_t load_unsigned(const unsigned char *p, size_t n)
{
    uint64_t u = 0;
    memcpy(&u, p, n); // little-endian hosts only, as the rest of the engine
    return u;
}

static void set_number(GgufValue *v, const unsigned char *p)
{
    size_t n = scalar_bytes(v->type);
    uint64_t u = load_unsigned(p, n);
    float f32;
    switch (v->type) {
    case GGUF_F32:
        memcpy(&f32, p, 4);
        v->f = (double)f32;
        break;
    case GGUF_F64:
        memcpy(&v->f, p, 8);
        break;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        v->i = (int64_t)(u << (64 - 8 * n)) >> (64 - 8 * n);
        v->u = (uint64_t)v->i;
        v->f = (double)v->i;
        break;
    default:
        v->u = u;
        v->i = (int64_t)u;
        v->f = (double)u;
    }
}

static bool skip_strings(Cursor *c, uint64_t count)
{
    Str ignored;
    for (uint64_t i = 0; i < count; i++)
        if (!read_string(c, &ignored, "array element")) return false;
    return true;
}

static bool read_array(Cursor *c, GgufValue *v)
{
    uint32_t elem;
    if (!read_u32(c, &elem, "array type") || !read_u64(c, &v->count, "array count")) return false;
    v->elem_type = (GgufValueType)elem;
    size_t elem_bytes = scalar_bytes(v->elem_type), least = elem_bytes ? elem_bytes : 8;
    if (elem_bytes == 0 && v->elem_type != GGUF_STRING)
        return error_set(c->err, ERROR_DAMAGED,
                         "gguf: array '%.*s' has element type %u, wanted a number or string",
                         STR_FMT(str_slice(v->key, 0, 60)), elem);
    if (v->count > MAX_ARRAY || !need(c, v->count * least, "array"))
        return error_set(c->err, ERROR_DAMAGED, "gguf: an array of %" PRIu64 " elements", v->count);
    const unsigned char *start = c->at;
    if (v->elem_type == GGUF_STRING) {
        if (!skip_strings(c, v->count)) return false;
    } else {
        c->at += v->count * elem_bytes;
    }
    v->data = (Str){(const char *)start, (size_t)(c->at - start)};
    return true;
}

static bool read_pair(Cursor *c, GgufValue *v)
{
    uint32_t type;
    if (!read_string(c, &v->key, "key") || !read_u32(c, &type, "value type")) return false;
    v->type = (GgufValueType)type;
    if (v->key.len == 0) return error_set(c->err, ERROR_DAMAGED, "gguf: an empty key");
    if (v->type == GGUF_STRING) return read_string(c, &v->str, "string value");
    if (v->type == GGUF_ARRAY) return read_array(c, v);
    size_t n = scalar_bytes(v->type);
    if (n == 0)
        return error_set(c->err, ERROR_DAMAGED, "gguf: key '%.*s' has type %u, wanted 0 to 12",
                         STR_FMT(str_slice(v->key, 0, 60)), type);
    if (!need(c, n, "value")) return false;
    set_number(v, c->at);
    c->at += n;
    return true;
}

// --- hashed names --------------------------------------------------------------------------------

static size_t count_slots(size_t n)
{
    size_t slots = 16;
    while (slots < n * 2)
        slots *= 2;
    return slots;
}

typedef Str (*NameOf)(const Gguf *g, size_t i);

static Str value_name(const Gguf *g, size_t i)
{
    return g->values[i].key;
}

static Str tensor_name(const Gguf *g, size_t i)
{
    return g->tensors[i].name;
}

// The slot of a name: its own or the empty one where it belongs.
static size_t find_slot(const Gguf *g, const uint32_t *slots, size_t n_slots, NameOf name_of,
                        Str name)
{
    size_t i = (size_t)str_hash(name, 0) & (n_slots - 1);
    while (slots[i] && !str_equal(name_of(g, slots[i] - 1), name))
        i = (i + 1) & (n_slots - 1);
    return i;
}

static bool index_names(Gguf *g, uint32_t *slots, size_t n_slots, size_t n, NameOf name_of,
                        Error *err)
{
    for (size_t i = 0; i < n; i++) {
        Str name = name_of(g, i);
        size_t slot = find_slot(g, slots, n_slots, name_of, name);
        if (slots[slot])
            return error_set(err, ERROR_DAMAGED, "gguf: '%.*s' occurs twice",
                             STR_FMT(str_slice(name, 0, 80)));
        slots[slot] = (uint32_t)(i + 1);
    }
    return true;
}

// --- tensors -------------------------------------------------------------------------------------

static bool check_type(Cursor *c, GgufTensor *t, uint32_t type)
{
    const TensorTypeInfo *info = tensor_type_info((TensorType)type);
    if (!info)
        return error_set(c->err, ERROR_UNSUPPORTED,
                         "tensor %.*s has type %u, wanted F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, "
                         "Q5_1, Q2_K to Q6_K, IQ4_NL, IQ4_XS or MXFP4",
                         STR_FMT(t->name), type);
    t->type = (TensorType)type;
    if (t->dims[0] % (uint64_t)info->block_elements != 0)
        return error_set(c->err, ERROR_DAMAGED,
                         "tensor %.*s: rows of %" PRIu64 ", wanted a multiple of %d for %s",
                         STR_FMT(t->name), t->dims[0], info->block_elements, info->name);
    uint64_t n_bytes;
    if (__builtin_mul_overflow(t->n_elements / (uint64_t)info->block_elements,
                               (uint64_t)info->block_bytes, &n_bytes))
        return error_set(c->err, ERROR_DAMAGED, "tensor %.*s is too large", STR_FMT(t->name));
    t->n_bytes = (size_t)n_bytes;
    return true;
}

static bool read_dims(Cursor *c, GgufTensor *t)
{
    uint32_t n_dims;
    if (!read_u32(c, &n_dims, "tensor dimensions")) return false;
    if (n_dims < 1 || n_dims > 4)
        return error_set(c->err, ERROR_DAMAGED, "tensor %.*s has %u dimensions, wanted 1 to 4",
                         STR_FMT(t->name), n_dims);
    t->n_dims = (int)n_dims;
    t->n_elements = 1;
    for (uint32_t i = 0; i < 4; i++) {
        t->dims[i] = 1;
        if (i < n_dims && !read_u64(c, &t->dims[i], "tensor dimension")) return false;
        if (t->dims[i] < 1 || t->dims[i] > MAX_DIM ||
            __builtin_mul_overflow(t->n_elements, t->dims[i], &t->n_elements))
            return error_set(c->err, ERROR_DAMAGED,
                             "tensor %.*s: dimension %u is %" PRIu64
                             ", wanted 1 to 2^31 and a product under 2^64",
                             STR_FMT(t->name), i, t->dims[i]);
    }
    return true;
}

// Fills everything but data; the offset waits in data's place as a number.
static bool read_tensor(Cursor *c, GgufTensor *t, uint64_t *offset)
{
    uint32_t type;
    if (!read_string(c, &t->name, "tensor name")) return false;
    if (t->name.len < 1 || t->name.len > MAX_NAME_BYTES)
        return error_set(c->err, ERROR_DAMAGED, "gguf: a tensor name of %zu bytes, wanted 1 to %d",
                         t->name.len, MAX_NAME_BYTES);
    return read_dims(c, t) && read_u32(c, &type, "tensor type") && check_type(c, t, type) &&
           read_u64(c, offset, "tensor offset");
}

static int by_data(const void *a, const void *b)
{
    const GgufTensor *const *x = a, *const *y = b;
    return ((*x)->data > (*y)->data) - ((*x)->data < (*y)->data);
}

static bool check_overlaps(const Gguf *g, Error *err)
{
    const GgufTensor **sorted = mem_alloc(g->n_tensors * sizeof *sorted);
    for (size_t i = 0; i < g->n_tensors; i++)
        sorted[i] = &g->tensors[i];
    if (g->n_tensors) qsort(sorted, g->n_tensors, sizeof *sorted, by_data);
    bool ok = true;
    for (size_t i = 1; ok && i < g->n_tensors; i++) {
        const char *end = (const char *)sorted[i - 1]->data + sorted[i - 1]->n_bytes;
        if (end > (const char *)sorted[i]->data)
            ok = error_set(err, ERROR_DAMAGED, "tensors %.*s and %.*s overlap",
                           STR_FMT(sorted[i - 1]->name), STR_FMT(sorted[i]->name));
    }
    free(sorted);
    return ok;
}

static bool read_alignment(const Gguf *g, uint64_t *alignment, Error *err)
{
    int value = 32;
    if (!gguf_read_int(g, "general.alignment", 8, 4096, &value, err)) return false;
    *alignment = (uint64_t)value;
    if ((value & (value - 1)) == 0) return true;
    return error_set(err, ERROR_DAMAGED, "general.alignment is %d, wanted a power of two", value);
}

static bool place_tensors(Gguf *g, Cursor *c, const uint64_t *offsets)
{
    uint64_t alignment;
    if (!read_alignment(g, &alignment, c->err)) return false;
    size_t header = (size_t)(c->at - c->start);
    size_t data_at = (size_t)((header + alignment - 1) / alignment * alignment);
    size_t room = g->n_bytes > data_at ? g->n_bytes - data_at : 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        GgufTensor *t = &g->tensors[i];
        if (offsets[i] % alignment != 0)
            return error_set(c->err, ERROR_DAMAGED,
                             "tensor %.*s at offset %" PRIu64 ", wanted a multiple of %" PRIu64,
                             STR_FMT(t->name), offsets[i], alignment);
        if (offsets[i] > room || t->n_bytes > room - offsets[i])
            return error_set(c->err, ERROR_DAMAGED,
                             "tensor %.*s needs bytes %" PRIu64 " to %" PRIu64
                             " of the data, the file has %zu",
                             STR_FMT(t->name), offsets[i], offsets[i] + t->n_bytes, room);
        t->data = g->data + data_at + offsets[i];
    }
    return check_overlaps(g, c->err);
}

// --- the file ------------------------------------------------------------------------------------

static bool read_header(Gguf *g, Cursor *c)
{
    char magic[4];
    uint32_t version;
    uint64_t n_tensors, n_values;
    if (!read_bytes(c, magic, 4, "magic")) return false;
    if (memcmp(magic, "GGUF", 4) != 0)
        return error_set(c->err, ERROR_DAMAGED,
                         "not a GGUF file: it starts with %02x %02x %02x %02x, wanted 47 47 55 46",
                         (unsigned char)magic[0], (unsigned char)magic[1], (unsigned char)magic[2],
                         (unsigned char)magic[3]);
    if (!read_u32(c, &version, "version")) return false;
    if ((version & 0xFFFF) == 0)
        return error_set(c->err, ERROR_UNSUPPORTED,
                         "gguf: a big-endian file, wanted little-endian");
    if (version != 2 && version != 3)
        return error_set(c->err, ERROR_UNSUPPORTED, "gguf: version %u, wanted 2 or 3", version);
    if (!read_u64(c, &n_tensors, "tensor count") || !read_u64(c, &n_values, "pair count"))
        return false;
    size_t left = (size_t)(c->end - c->at);
    if (n_values > left / MIN_PAIR_BYTES || n_tensors > left / MIN_TENSOR_BYTES)
        return error_set(c->err, ERROR_DAMAGED,
                         "gguf: %" PRIu64 " pairs and %" PRIu64
                         " tensors cannot fit into the %zu bytes that are left",
                         n_values, n_tensors, left);
    g->n_values = (size_t)n_values;
    g->n_tensors = (size_t)n_tensors;
    return true;
}

static bool read_tensors(Gguf *g, Cursor *c)
{
    g->tensors = mem_zero(g->n_tensors * sizeof *g->tensors);
    g->n_tensor_slots = count_slots(g->n_tensors);
    g->tensor_slots = mem_zero(g->n_tensor_slots * sizeof *g->tensor_slots);
    uint64_t *offsets = mem_zero(g->n_tensors * sizeof *offsets);
    bool ok = true;
    for (size_t i = 0; ok && i < g->n_tensors; i++)
        ok = read_tensor(c, &g->tensors[i], &offsets[i]);
    ok = ok && place_tensors(g, c, offsets);
    free(offsets);
    return ok &&
           index_names(g, g->tensor_slots, g->n_tensor_slots, g->n_tensors, tensor_name, c->err);
}

static bool parse(Gguf *g, Error *err)
{
    Cursor c = {g->data, g->data, g->data + g->n_bytes, err};
    g->n_shards = 1;
    if (!read_header(g, &c)) return false;
    g->values = mem_zero(g->n_values * sizeof *g->values);
    g->n_value_slots = count_slots(g->n_values);
    g->value_slots = mem_zero(g->n_value_slots * sizeof *g->value_slots);
    for (size_t i = 0; i < g->n_values; i++)
        if (!read_pair(&c, &g->values[i])) return false;
    return index_names(g, g->value_slots, g->n_value_slots, g->n_values, value_name, err) &&
           read_tensors(g, &c);
}

static Gguf *parse_or_close(Gguf *g, Error *err)
{
    if (parse(g, err)) return g;
    gguf_close(g);
    return NULL;
}

// A copy of the file in large pages, MAP_FAILED where it cannot be read whole.
static void *copy_file(int fd, size_t n_bytes)
{
    char *data = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return data;
    madvise(data, n_bytes, MADV_HUGEPAGE);
    for (size_t at = 0; at < n_bytes;) {
        ssize_t n = pread(fd, data + at, n_bytes - at, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            munmap(data, n_bytes);
            return MAP_FAILED;
        }
        at += (size_t)n;
    }
    mprotect(data, n_bytes, PROT_READ);
    return data;
}

// Every token reads every weight, and in pages of 4 KB finding them takes a tenth to a third of
// that. Large pages of a mapped file are what the system makes of it (where its pages are read
// first, and not of those that a download left in memory), so small models are copied.
static void *map_file(int fd, size_t n_bytes)
{
    void *data = n_bytes <= COPY_BYTES ? copy_file(fd, n_bytes) : MAP_FAILED;
    if (data != MAP_FAILED) return data;
    data = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED) madvise(data, n_bytes, MADV_HUGEPAGE);
    return data;
}

static Gguf *open_file(const char *path, Error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe is refused, not waited for
    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot open model %s: %s",
                  path, strerror(errno));
        if (fd >= 0) close(fd);
        return NULL;
    }
    void *data = MAP_FAILED;
    if (S_ISDIR(info.st_mode))
        error_set(err, ERROR_UNSUPPORTED,
                  "model %.100s is a folder, wanted a GGUF file (r1ls model convert makes one of "
                  "safetensors)",
                  path);
    else if (!S_ISREG(info.st_mode) || info.st_size < HEADER_BYTES)
        error_set(err, ERROR_DAMAGED, "model %s is no file of at least %d bytes (it has %lld)",
                  path, HEADER_BYTES, (long long)info.st_size);
    else
        data = map_file(fd, (size_t)info.st_size);
    int map_errno = errno;
    close(fd);
    if (data == MAP_FAILED) {
        error_set(err, ERROR_IO, "cannot map model %s: %s", path, strerror(map_errno));
        return NULL;
    }
    Gguf *g = mem_zero(sizeof *g);
    g->data = data;
    g->n_bytes = (size_t)info.st_size;
    g->mapped = true;
    return parse_or_close(g, err);
}

// --- shards --------------------------------------------------------------------------------------

// What a shard says about itself; count 1 where it says nothing.
typedef struct Split {
    int no, count, n_tensors;
} Split;

static bool read_split(const Gguf *g, Split *out, Error *err)
{
    *out = (Split){.count = 1};
    return gguf_read_int(g, "split.count", 0, MAX_SHARDS, &out->count, err) &&
           gguf_read_int(g, "split.no", 0, MAX_SHARDS - 1, &out->no, err) &&
           gguf_read_int(g, "split.tensors.count", 0, INT32_MAX, &out->n_tensors, err);
}

static void name_shard(char *out, size_t n_bytes, Str stem, int no, int count)
{
    snprintf(out, n_bytes, "%.*s-%05d-of-%05d.gguf", STR_FMT(stem), no + 1, count);
}

// STEM of a path STEM-00002-of-00003.gguf whose numbers are the shard's own.
static bool find_stem(const char *path, const Split *split, Str *stem, Error *err)
{
    char end[32];
    name_shard(end, sizeof end, (Str){0}, split->no, split->count);
    if (!str_ends(str_from(path), str_from(end)))
        return error_set(err, ERROR_DAMAGED,
                         "%.120s is shard %d of %d by its metadata, wanted a name that ends in %s",
                         path, split->no + 1, split->count, end);
    *stem = str_slice(str_from(path), 0, strlen(path) - strlen(end));
    return true;
}

static bool check_shard(const Gguf *shard, const char *path, const Split *wanted, Error *err)
{
    Split found;
    if (!read_split(shard, &found, err)) return false;
    if (found.no == wanted->no && found.count == wanted->count &&
        found.n_tensors == wanted->n_tensors)
        return true;
    return error_set(err, ERROR_DAMAGED,
                     "%.100s is shard %d of %d with %d tensors in all, wanted shard %d of %d with "
                     "%d",
                     path, found.no + 1, found.count, found.n_tensors, wanted->no + 1,
                     wanted->count, wanted->n_tensors);
}

// One directory over all shards' tensors.
static bool join_tensors(Gguf *g, int wanted, Error *err)
{
    size_t n = g->n_tensors;
    for (int i = 0; i < g->n_shards - 1; i++)
        n += g->shards[i]->n_tensors;
    if (n != (size_t)wanted)
        return error_set(err, ERROR_DAMAGED, "the %d shards have %zu tensors, wanted %d",
                         g->n_shards, n, wanted);
    g->tensors = mem_resize(g->tensors, n * sizeof *g->tensors);
    for (int i = 0; i < g->n_shards - 1; i++) {
        const Gguf *shard = g->shards[i];
        if (shard->n_tensors)
            memcpy(g->tensors + g->n_tensors, shard->tensors,
                   shard->n_tensors * sizeof *g->tensors);
        g->n_tensors += shard->n_tensors;
    }
    free(g->tensor_slots);
    g->n_tensor_slots = count_slots(g->n_tensors);
    g->tensor_slots = mem_zero(g->n_tensor_slots * sizeof *g->tensor_slots);
    return index_names(g, g->tensor_slots, g->n_tensor_slots, g->n_tensors, tensor_name, err);
}

static bool open_shards(Gguf *first, Str stem, Split split, Error *err)
{
    char path[PATH_MAX];
    int count = split.count;
    first->shards = mem_zero((size_t)(count - 1) * sizeof(Gguf *));
    for (split.no = 1; split.no < count; split.no++) {
        name_shard(path, sizeof path, stem, split.no, count);
        Gguf *shard = open_file(path, err);
        if (!shard) return false;
        first->shards[first->n_shards++ - 1] = shard;
        if (!check_shard(shard, path, &split, err)) return false;
    }
    return join_tensors(first, split.n_tensors, err);
}

// The whole model of which g, opened from path, is a shard; g is closed if it is not the first.
static Gguf *open_model_of(Gguf *g, const char *path, Split split, Error *err)
{
    Str stem;
    bool ok = find_stem(path, &split, &stem, err);
    if (ok && split.no > 0) {
        char name[PATH_MAX];
        gguf_close(g);
        split.no = 0;
        name_shard(name, sizeof name, stem, 0, split.count);
        g = open_file(name, err);
        ok = g && check_shard(g, name, &split, err);
    }
    if (ok && open_shards(g, stem, split, err)) return g;
    gguf_close(g);
    return NULL;
}

Gguf *gguf_open(const char *path, Error *err)
{
    Split split;
    Gguf *g = open_file(path, err);
    if (!g) return NULL;
    if (!read_split(g, &split, err)) {
        gguf_close(g);
        return NULL;
    }
    return split.count <= 1 ? g : open_model_of(g, path, split, err);
}

Gguf *gguf_open_image(const void *image, size_t n_bytes, Error *err)
{
    Split split;
    Gguf *g = mem_zero(sizeof *g);
    g->data = image;
    g->n_bytes = n_bytes;
    g = parse_or_close(g, err);
    if (!g || (read_split(g, &split, err) && split.count <= 1)) return g;
    error_set(err, ERROR_UNSUPPORTED, "an image is shard %d of %d, wanted a whole model",
              split.no + 1, split.count);
    gguf_close(g);
    return NULL;
}

void gguf_close(Gguf *gguf)
{
    if (!gguf) return;
    for (int i = 0; i < gguf->n_shards - 1; i++)
        gguf_close(gguf->shards[i]);
    free(gguf->shards);
    if (gguf->mapped) munmap((void *)(uintptr_t)gguf->data, gguf->n_bytes);
    free(gguf->values);
    free(gguf->tensors);
    free(gguf->value_slots);
    free(gguf->tensor_slots);
    free(gguf);
}

size_t gguf_file_bytes(const Gguf *gguf)
{
    size_t n = gguf->n_bytes;
    for (int i = 0; i < gguf->n_shards - 1; i++)
        n += gguf->shards[i]->n_bytes;
    return n;
}

int gguf_n_shards(const Gguf *gguf)
{
    return gguf->n_shards;
}

Str gguf_shard_bytes(const Gguf *gguf, int i)
{
    const Gguf *shard = i == 0 ? gguf : gguf->shards[i - 1];
    return (Str){(const char *)shard->data, shard->n_bytes};
}

const GgufValue *gguf_find(const Gguf *gguf, const char *key)
{
    size_t slot =
        find_slot(gguf, gguf->value_slots, gguf->n_value_slots, value_name, str_from(key));
    uint32_t found = gguf->value_slots[slot];
    return found ? &gguf->values[found - 1] : NULL;
}

const GgufTensor *gguf_find_tensor(const Gguf *gguf, const char *name)
{
    size_t slot =
        find_slot(gguf, gguf->tensor_slots, gguf->n_tensor_slots, tensor_name, str_from(name));
    uint32_t found = gguf->tensor_slots[slot];
    return found ? &gguf->tensors[found - 1] : NULL;
}

size_t gguf_n_values(const Gguf *gguf)
{
    return gguf->n_values;
}

const GgufValue *gguf_value(const Gguf *gguf, size_t i)
{
    return &gguf->values[i];
}

size_t gguf_n_tensors(const Gguf *gguf)
{
    return gguf->n_tensors;
}

const GgufTensor *gguf_tensor(const Gguf *gguf, size_t i)
{
    return &gguf->tensors[i];
}

static bool is_integer(GgufValueType type)
{
    return type <= GGUF_I32 || type == GGUF_U64 || type == GGUF_I64;
}

bool gguf_read_int(const Gguf *gguf, const char *key, int64_t min, int64_t max, int *out,
                   Error *err)
{
    const GgufValue *v = gguf_find(gguf, key);
    if (!v) return true;
    if (!is_integer(v->type))
        return error_set(err, ERROR_DAMAGED, "%s has type %d, wanted a whole number", key, v->type);
    bool fits = v->type == GGUF_U64 ? v->u <= (uint64_t)max && (int64_t)v->u >= min
                                    : v->i >= min && v->i <= max;
    if (!fits || max > INT32_MAX)
        return error_set(err, ERROR_DAMAGED, "%s is %" PRId64 ", wanted %" PRId64 " to %" PRId64,
                         key, v->i, min, max);
    *out = (int)v->i;
    return true;
}

bool gguf_read_float(const Gguf *gguf, const char *key, float *out, Error *err)
{
    const GgufValue *v = gguf_find(gguf, key);
    if (!v) return true;
    if (v->type == GGUF_STRING || v->type == GGUF_ARRAY || v->type == GGUF_BOOL)
        return error_set(err, ERROR_DAMAGED, "%s has type %d, wanted a number", key, v->type);
    *out = (float)v->f;
    return true;
}

bool gguf_read_bool(const Gguf *gguf, const char *key, bool *out, Error *err)
{
    const GgufValue *v = gguf_find(gguf, key);
    if (!v) return true;
    if (v->type != GGUF_BOOL)
        return error_set(err, ERROR_DAMAGED, "%s has type %d, wanted true or false", key, v->type);
    *out = v->u != 0;
    return true;
}

bool gguf_read_str(const Gguf *gguf, const char *key, Str *out, Error *err)
{
    const GgufValue *v = gguf_find(gguf, key);
    if (!v) return true;
    if (v->type != GGUF_STRING)
        return error_set(err, ERROR_DAMAGED, "%s has type %d, wanted a string", key, v->type);
    *out = v->str;
    return true;
}

bool gguf_next_string(const GgufValue *array, size_t *cursor, Str *out)
{
    if (array->type != GGUF_ARRAY || array->elem_type != GGUF_STRING || *cursor >= array->data.len)
        return false;
    uint64_t len; // checked when the file was opened
    memcpy(&len, array->data.ptr + *cursor, sizeof len);
    *out = (Str){array->data.ptr + *cursor + sizeof len, (size_t)len};
    *cursor += sizeof len + (size_t)len;
    return true;
}

// An adapter in training as one for sessions, as a file for adapter_open, and as a checkpoint:
//
//   header | the caller's bytes | values | first moments | second moments       (little-endian)
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lora.h"
#include "model.h"
#include "new_file.h"
#include "session_state.h"
#include "tune_state.h"

enum { VERSION = 1, ALIGNMENT = 32 };
static const char MAGIC[8] = "R1LSTUN";
static const size_t MAX_EXTRA_BYTES = (size_t)64 << 20;

// --- for sessions --------------------------------------------------------------------------------

static size_t a_size(const Tune *t, const TunePair *p)
{
    return (size_t)t->options.rank * (size_t)p->n_in;
}

static size_t b_size(const Tune *t, const TunePair *p)
{
    return (size_t)t->options.rank * (size_t)p->n_out;
}

static Adapter *make_adapter(const Tune *t)
{
    Adapter *adapter = mem_zero(sizeof *adapter);
    adapter->engine = t->engine;
    adapter->scale = t->scale;
    adapter->n_pairs = t->n_pairs;
    adapter->pairs = mem_zero(t->n_pairs * sizeof *adapter->pairs);
    for (size_t i = 0; i < t->n_pairs; i++) {
        const TunePair *p = &t->pairs[i];
        if (!p->used) continue;
        adapter->pairs[i] = (LoraPair){.rank = t->options.rank,
                                       .a = mem_alloc(a_size(t, p) * sizeof(uint16_t)),
                                       .b = mem_alloc(b_size(t, p) * sizeof(uint16_t))};
    }
    return adapter;
}

const Adapter *tune_adapter(Tune *t)
{
    if (!t->adapter) t->adapter = make_adapter(t);
    for (size_t i = 0; i < t->n_pairs; i++) {
        const TunePair *p = &t->pairs[i];
        if (!p->used) continue;
        t->compute->k->to_f16(t->params + p->a, (int)a_size(t, p), t->adapter->pairs[i].a);
        t->compute->k->to_f16(t->params + p->b, (int)b_size(t, p), t->adapter->pairs[i].b);
    }
    return t->adapter;
}

// --- the adapter's file --------------------------------------------------------------------------

static void put_u32(StrBuf *b, uint32_t x)
{
    strbuf_append(b, (Str){(const char *)&x, sizeof x});
}

static void put_u64(StrBuf *b, uint64_t x)
{
    strbuf_append(b, (Str){(const char *)&x, sizeof x});
}

static void put_text(StrBuf *b, Str text)
{
    put_u64(b, text.len);
    strbuf_append(b, text);
}

static void put_pair(StrBuf *b, Str key, Str value)
{
    put_text(b, key);
    put_u32(b, GGUF_STRING);
    put_text(b, value);
}

static size_t pad(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void put_tensor(StrBuf *b, Str base, const char *suffix, const int dims[2], size_t *offset)
{
    size_t n_bytes = (size_t)dims[0] * (size_t)dims[1] * sizeof(uint16_t);
    put_u64(b, base.len + strlen(suffix));
    strbuf_append(b, base);
    strbuf_append(b, str_from(suffix));
    put_u32(b, 2);
    put_u64(b, (uint64_t)dims[0]);
    put_u64(b, (uint64_t)dims[1]);
    put_u32(b, TENSOR_F16);
    put_u64(b, *offset);
    *offset += pad(n_bytes);
}

static void put_head(const Tune *t, bool for_fim, StrBuf *b)
{
    size_t n_used = 0, offset = 0;
    for (size_t i = 0; i < t->n_pairs; i++)
        n_used += t->pairs[i].used;
    strbuf_append(b, STR("GGUF"));
    put_u32(b, 3);
    put_u64(b, 2 * n_used);
    put_u64(b, 5);
    put_pair(b, STR("general.architecture"), str_from(shape_arch_name(t->shape->arch)));
    put_pair(b, STR("general.type"), STR("adapter"));
    put_pair(b, STR("adapter.type"), STR("lora"));
    put_pair(b, STR("r1ls.adapter.form"), for_fim ? STR("fim") : STR("chat"));
    put_text(b, STR("adapter.lora.alpha"));
    put_u32(b, GGUF_F32);
    strbuf_append(b, (Str){(const char *)&t->options.alpha, sizeof t->options.alpha});
    for (size_t i = 0; i < t->n_pairs; i++) {
        const TunePair *p = &t->pairs[i];
        Str base = gguf_tensor(t->gguf, i)->name;
        if (!p->used) continue;
        put_tensor(b, base, ".lora_a", (const int[]){p->n_in, t->options.rank}, &offset);
        put_tensor(b, base, ".lora_b", (const int[]){t->options.rank, p->n_out}, &offset);
    }
    while (b->len % ALIGNMENT)
        strbuf_append_char(b, 0);
}

// A as it lies, B by rows of rank elements.
static bool write_pair(const Tune *t, const TunePair *p, NewFile *file, Error *err)
{
    static const char zeros[ALIGNMENT] = {0};
    size_t n_a = a_size(t, p), n_b = b_size(t, p), rank = (size_t)t->options.rank;
    size_t longest = n_a > n_b ? n_a : n_b, n_out = (size_t)p->n_out;
    uint16_t *halves = malloc(longest * sizeof *halves);
    if (!halves) return error_set(err, ERROR_NO_MEMORY, "no memory to write an adapter");
    for (size_t i = 0; i < n_a; i++)
        halves[i] = float_to_half(t->params[p->a + i]);
    bool ok = new_file_write(file, halves, n_a * sizeof *halves, err) &&
              new_file_write(file, zeros, pad(n_a * sizeof *halves) - n_a * sizeof *halves, err);
    for (size_t i = 0; i < n_out; i++)
        for (size_t j = 0; j < rank; j++)
            halves[i * rank + j] = float_to_half(t->params[p->b + j * n_out + i]);
    ok = ok && new_file_write(file, halves, n_b * sizeof *halves, err) &&
         new_file_write(file, zeros, pad(n_b * sizeof *halves) - n_b * sizeof *halves, err);
    free(halves);
    return ok;
}

bool tune_write_adapter(const Tune *t, const char *path, bool for_fim, Error *err)
{
    NewFile file;
    StrBuf head = {0};
    put_head(t, for_fim, &head);
    bool ok = new_file_open(&file, path, err) && new_file_write(&file, head.ptr, head.len, err);
    for (size_t i = 0; ok && i < t->n_pairs; i++)
        ok = !t->pairs[i].used || write_pair(t, &t->pairs[i], &file, err);
    strbuf_deinit(&head);
    return new_file_end(&file, ok, err);
}

// --- checkpoints ---------------------------------------------------------------------------------

typedef struct Header {
    char magic[8];
    uint32_t version, rank;
    char model[SHA256_HEX];
    float alpha;
    uint32_t unused; // 0
    uint64_t n_steps, n_params, extra_bytes;
    uint64_t checksum; // of the header with this 0, then of all that follows
} Header;
_Static_assert(sizeof(Header) == 120, "the layout of a file");

static Header make_header(const Tune *t, size_t extra_bytes)
{
    Header h = {.version = VERSION,
                .rank = (uint32_t)t->options.rank,
                .alpha = t->options.alpha,
                .n_steps = (uint64_t)t->n_steps,
                .n_params = t->n_params,
                .extra_bytes = extra_bytes};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    memcpy(h.model, engine_model_hash(t->engine), sizeof h.model);
    return h;
}

static uint64_t sum_up(const Header *head, const void *extra, const float *const values[3])
{
    Header h = *head;
    h.checksum = 0;
    uint64_t sum = session_checksum(0, &h, sizeof h);
    sum = session_checksum(sum, extra, h.extra_bytes);
    for (int i = 0; i < 3; i++)
        sum = session_checksum(sum, values[i], h.n_params * sizeof(float));
    return sum;
}

bool tune_save(const Tune *t, const char *path, Str extra, Error *err)
{
    const float *const values[3] = {t->params, t->first, t->second};
    Header h = make_header(t, extra.len);
    h.checksum = sum_up(&h, extra.ptr, values);
    NewFile file;
    bool ok = new_file_open(&file, path, err) && new_file_write(&file, &h, sizeof h, err) &&
              new_file_write(&file, extra.ptr, extra.len, err);
    for (int i = 0; ok && i < 3; i++)
        ok = new_file_write(&file, values[i], t->n_params * sizeof(float), err);
    return new_file_end(&file, ok, err);
}

static bool check_header(const Tune *t, const char *path, const Header *h, Error *err)
{
    Header wanted = make_header(t, 0);
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) != 0 || h->extra_bytes > MAX_EXTRA_BYTES)
        return error_set(err, ERROR_DAMAGED, "%.160s is no checkpoint of r1ls tune", path);
    if (h->version != VERSION)
        return error_set(err, ERROR_UNSUPPORTED, "%.160s has version %u, wanted %d", path,
                         h->version, VERSION);
    if (memcmp(h->model, wanted.model, sizeof h->model) != 0)
        return error_set(err, ERROR_INVALID, "%.160s is of another model", path);
    if (h->rank != wanted.rank || h->alpha != wanted.alpha)
        return error_set(err, ERROR_INVALID, "%.120s has rank %u and alpha %g, wanted %u and %g",
                         path, h->rank, (double)h->alpha, wanted.rank, (double)wanted.alpha);
    if (h->n_params == wanted.n_params) return true;
    return error_set(err, ERROR_DAMAGED, "%.160s has %llu values, wanted %zu", path,
                     (unsigned long long)h->n_params, t->n_params);
}

// Three times n_params values into one block; nothing of t changes before all is known to be good.
static bool read_values(Tune *t, FILE *f, const Header *h, const char *path, StrBuf *extra,
                        Error *err)
{
    size_t n = t->n_params, bytes = n * sizeof(float);
    float *all = malloc(3 * bytes);
    char *own = malloc(h->extra_bytes + 1);
    bool ok = all && own;
    if (!ok) error_set(err, ERROR_NO_MEMORY, "no memory to read %.160s", path);
    if (ok && (fread(own, 1, h->extra_bytes, f) != h->extra_bytes ||
               fread(all, 1, 3 * bytes, f) != 3 * bytes || fgetc(f) != EOF ||
               sum_up(h, own, (const float *const[]){all, all + n, all + 2 * n}) != h->checksum))
        ok = error_set(err, ERROR_DAMAGED, "%.160s is damaged: its checksum differs", path);
    if (ok) {
        memcpy(t->params, all, bytes);
        memcpy(t->first, all + n, bytes);
        memcpy(t->second, all + 2 * n, bytes);
        t->n_steps = (int64_t)h->n_steps;
        tune_clear(t);
        strbuf_append(extra, (Str){own, h->extra_bytes});
    }
    free(all);
    free(own);
    return ok;
}

bool tune_load(Tune *t, const char *path, StrBuf *extra, Error *err)
{
    Header h;
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%.160s: %s", path,
                         strerror(errno));
    bool ok = fread(&h, 1, sizeof h, f) == sizeof h ||
              error_set(err, ERROR_DAMAGED, "%.160s is no checkpoint of r1ls tune", path);
    ok = ok && check_header(t, path, &h, err) && read_values(t, f, &h, path, extra, err);
    fclose(f);
    return ok;
}

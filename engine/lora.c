// The file is llama.cpp's: general.type "adapter", adapter.type "lora", adapter.lora.alpha, and for
// an adapted tensor NAME the pair NAME.lora_a [n_in, rank] and NAME.lora_b [rank, n_out].
#include "lora.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model.h"

enum { ROWS = 256 };

// --- reading -------------------------------------------------------------------------------------

// Matrices that one product applies whole; not those that attention takes apart, nor experts.
static bool is_adaptable(Str name)
{
    static const char *const suffixes[] = {
        ".attn_q.weight",        ".attn_k.weight",         ".attn_v.weight",
        ".attn_output.weight",   ".attn_q_a.weight",       ".attn_q_b.weight",
        ".attn_kv_a_mqa.weight", ".ffn_gate.weight",       ".ffn_up.weight",
        ".ffn_down.weight",      ".ffn_gate_shexp.weight", ".ffn_up_shexp.weight",
        ".ffn_down_shexp.weight"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (str_ends(name, str_from(suffixes[i]))) return true;
    return false;
}

static bool read_head(const Engine *e, const Gguf *file, Adapter *out, Error *err)
{
    Str type = {0}, kind = {0}, arch = {0}, form = {0};
    float *alpha = &out->scale;
    if (!gguf_read_str(file, "general.type", &type, err) ||
        !gguf_read_str(file, "adapter.type", &kind, err) ||
        !gguf_read_str(file, "general.architecture", &arch, err) ||
        !gguf_read_str(file, "r1ls.adapter.form", &form, err) ||
        !gguf_read_float(file, "adapter.lora.alpha", alpha, err))
        return false;
    out->for_fim = str_equal(form, STR("fim"));
    if (!str_equal(type, STR("adapter")) || !str_equal(kind, STR("lora")))
        return error_set(err, ERROR_INVALID,
                         "general.type is '%.*s' and adapter.type '%.*s', wanted adapter and lora",
                         STR_FMT(type), STR_FMT(kind));
    if (!str_equal(arch, e->info.arch))
        return error_set(err, ERROR_INVALID, "an adapter of architecture '%.*s', wanted '%.*s'",
                         STR_FMT(arch), STR_FMT(e->info.arch));
    if (*alpha > 0 && *alpha <= 65536) return true;
    return error_set(err, ERROR_DAMAGED, "adapter.lora.alpha is %g, wanted 0 to 65536", *alpha);
}

static bool check_pair(const GgufTensor *base, const GgufTensor *a, const GgufTensor *b, Error *err)
{
    uint64_t rank = a->dims[1];
    bool ok = base->dims[2] == 1 && base->dims[3] == 1 && a->dims[0] == base->dims[0] &&
              a->dims[2] == 1 && a->dims[3] == 1 && rank >= 1 && rank <= LORA_MAX_RANK &&
              b->dims[0] == rank && b->dims[1] == base->dims[1] && b->dims[2] == 1 &&
              b->dims[3] == 1;
    return ok || error_set(err, ERROR_DAMAGED,
                           "adapter of %.*s is [%llu, %llu] and [%llu, %llu], wanted [%llu, rank] "
                           "and [rank, %llu] with a rank up to %d",
                           STR_FMT(base->name), (unsigned long long)a->dims[0],
                           (unsigned long long)rank, (unsigned long long)b->dims[0],
                           (unsigned long long)b->dims[1], (unsigned long long)base->dims[0],
                           (unsigned long long)base->dims[1], LORA_MAX_RANK);
}

static uint16_t *halves(size_t n)
{
    return malloc((n ? n : 1) * sizeof(uint16_t));
}

// Row j of a tensor of any type as floats.
static void read_row(const GgufTensor *t, size_t j, float *out)
{
    const TensorTypeInfo *info = tensor_type_info(t->type);
    size_t bytes = (size_t)t->dims[0] / (size_t)info->block_elements * (size_t)info->block_bytes;
    kernels_ref.dequantize(t->type, (const unsigned char *)t->data + j * bytes, (int)t->dims[0],
                           out);
}

static bool read_pair(const GgufTensor *a, const GgufTensor *b, LoraPair *out, Error *err)
{
    size_t n_in = (size_t)a->dims[0], n_out = (size_t)b->dims[1], rank = (size_t)a->dims[1];
    size_t longest = n_in > rank ? n_in : rank;
    float *row = malloc(longest * sizeof *row);
    out->a = halves(rank * n_in);
    out->b = halves(rank * n_out);
    bool ok = row && out->a && out->b;
    for (size_t j = 0; ok && j < rank; j++) {
        read_row(a, j, row);
        kernels_ref.to_f16(row, (int)n_in, out->a + j * n_in);
    }
    for (size_t i = 0; ok && i < n_out; i++) {
        read_row(b, i, row);
        for (size_t j = 0; j < rank; j++)
            out->b[j * n_out + i] = float_to_half(row[j]);
    }
    out->rank = (int)rank;
    free(row);
    return ok || error_set(err, ERROR_NO_MEMORY, "no memory for an adapter");
}

// The pair of one "NAME.lora_a"; every lora_b belongs to one.
static bool bind_pair(Adapter *adapter, const Gguf *file, const GgufTensor *a, Error *err)
{
    const Gguf *base_file = adapter->engine->gguf;
    char name[160];
    Str base_name = str_slice(a->name, 0, a->name.len - strlen(".lora_a"));
    snprintf(name, sizeof name, "%.*s", STR_FMT(base_name));
    const GgufTensor *base = is_adaptable(base_name) ? gguf_find_tensor(base_file, name) : NULL;
    if (!base)
        return error_set(err, ERROR_UNSUPPORTED,
                         "the adapter changes %.*s, wanted an attention projection or a dense "
                         "feed-forward matrix of this model",
                         STR_FMT(base_name));
    snprintf(name, sizeof name, "%.*s.lora_b", STR_FMT(base_name));
    const GgufTensor *b = gguf_find_tensor(file, name);
    if (!b) return error_set(err, ERROR_DAMAGED, "tensor %s is missing", name);
    LoraPair *pair = &adapter->pairs[base - gguf_tensor(base_file, 0)];
    return check_pair(base, a, b, err) && read_pair(a, b, pair, err);
}

static bool bind_all(Adapter *adapter, const Gguf *file, Error *err)
{
    size_t n_a = 0, n_b = 0;
    int rank = 0;
    for (size_t i = 0; i < gguf_n_tensors(file); i++) {
        const GgufTensor *t = gguf_tensor(file, i);
        bool a = str_ends(t->name, STR(".lora_a"));
        if (!a && !str_ends(t->name, STR(".lora_b")))
            return error_set(err, ERROR_UNSUPPORTED,
                             "tensor %.*s, wanted names that end in .lora_a or .lora_b",
                             STR_FMT(t->name));
        n_a += a;
        n_b += !a;
        if (a && !bind_pair(adapter, file, t, err)) return false;
        if (a && rank && (uint64_t)rank != t->dims[1])
            return error_set(err, ERROR_UNSUPPORTED, "%.*s has rank %llu, wanted %d as the others",
                             STR_FMT(t->name), (unsigned long long)t->dims[1], rank);
        if (a) rank = (int)t->dims[1];
    }
    if (n_a == 0 || n_a != n_b)
        return error_set(err, ERROR_DAMAGED, "%zu lora_a and %zu lora_b, wanted pairs", n_a, n_b);
    adapter->scale /= (float)rank;
    return true;
}

static Adapter *open_file(const Engine *engine, Gguf *file, Error *err)
{
    if (!file) return NULL;
    Adapter *adapter = mem_zero(sizeof *adapter);
    adapter->engine = engine;
    adapter->n_pairs = gguf_n_tensors(engine->gguf);
    adapter->pairs = mem_zero(adapter->n_pairs * sizeof *adapter->pairs);
    bool ok = read_head(engine, file, adapter, err) && bind_all(adapter, file, err);
    gguf_close(file);
    if (ok) return adapter;
    adapter_close(adapter);
    return NULL;
}

Adapter *adapter_open(const Engine *engine, const char *path, Error *err)
{
    return open_file(engine, gguf_open(path, err), err);
}

Adapter *adapter_open_image(const Engine *engine, const void *image, size_t n_bytes, Error *err)
{
    return open_file(engine, gguf_open_image(image, n_bytes, err), err);
}

static void hash_base(const Gguf *base, char hex[SHA256_HEX + 1])
{
    enum { BYTES = 64 };
    Sha256 hash;
    sha256_init(&hash);
    for (size_t i = 0; i < gguf_n_tensors(base); i++) {
        const GgufTensor *t = gguf_tensor(base, i);
        sha256_add(&hash, t->name);
        sha256_add(&hash, (Str){t->data, t->n_bytes < BYTES ? t->n_bytes : BYTES});
    }
    sha256_hex(&hash, hex);
}

// A model of another shape is told by that, without a look at its weights.
static bool has_same_shapes(const Gguf *base, const Gguf *adapter)
{
    char name[160];
    for (size_t i = 0; i < gguf_n_tensors(adapter); i++) {
        const GgufTensor *t = gguf_tensor(adapter, i);
        if (!str_ends(t->name, STR(".lora_a"))) continue;
        snprintf(name, sizeof name, "%.*s",
                 STR_FMT(str_slice(t->name, 0, t->name.len - strlen(".lora_a"))));
        const GgufTensor *own = gguf_find_tensor(base, name);
        if (!own || own->dims[0] != t->dims[0]) return false;
    }
    return true;
}

bool adapter_image_fits(const Engine *engine, const void *image, size_t n_bytes)
{
    Error ignored = {0};
    char hex[SHA256_HEX + 1];
    Str wanted = {0};
    Gguf *file = gguf_open_image(image, n_bytes, &ignored);
    bool fits = file && gguf_read_str(file, "r1ls.base.fingerprint", &wanted, &ignored);
    fits = fits && has_same_shapes(engine->gguf, file);
    if (fits) {
        hash_base(engine->gguf, hex);
        fits = str_equal(wanted, str_from(hex));
    }
    gguf_close(file);
    return fits;
}

void adapter_close(Adapter *adapter)
{
    if (!adapter) return;
    for (size_t i = 0; i < adapter->n_pairs; i++) {
        free(adapter->pairs[i].a);
        free(adapter->pairs[i].b);
    }
    free(adapter->pairs);
    free(adapter);
}

bool adapter_is_for_fim(const Adapter *adapter)
{
    return adapter->for_fim;
}

// --- applying ------------------------------------------------------------------------------------

bool lora_reserve(Compute *c, Error *err)
{
    if (c->lora) return true;
    c->lora = malloc((size_t)COMPUTE_CHUNK * LORA_MAX_RANK * sizeof *c->lora);
    return c->lora || error_set(err, ERROR_NO_MEMORY, "no memory for an adapter's products");
}

// An adapter's share in one product.
typedef struct Part {
    const Kernels *k;
    const MatmulTask *task;
    const LoraPair *pair;
    float scale;
    float *inner; // [n_acts][rank], strength * alpha / rank * A x
} Part;

static void run_inner(void *part, int act, int thread)
{
    const Part *p = part;
    const int rank = p->pair->rank, n_in = p->task->w->n_in;
    float *inner = p->inner + (size_t)act * (size_t)rank;
    (void)thread;
    p->k->dot_rows(p->task->acts[act].x, 0, 1, &(HalfRows){p->pair->a, (size_t)n_in, rank, n_in},
                   inner, 0);
    for (int j = 0; j < rank; j++)
        inner[j] *= p->scale;
}

static void run_outer(void *part, int i, int thread)
{
    const Part *p = part;
    int n_out = p->task->w->n_out, row = i * ROWS, n = n_out - row < ROWS ? n_out - row : ROWS;
    (void)thread;
    HalfRows rows = {p->pair->b + row, (size_t)n_out, p->pair->rank, n};
    p->k->add_rows(p->inner, (size_t)p->pair->rank, p->task->n_acts, &rows, p->task->y + row,
                   p->task->y_stride);
}

void lora_apply(Compute *c, int n_tasks)
{
    for (int i = 0; i < c->lora_set->n * n_tasks; i++) {
        const AdapterUse *use = &c->lora_set->uses[i / n_tasks];
        const MatmulTask *task = &c->tasks[i % n_tasks];
        if (!task->w->tensor || task->w->n_parts != 1) continue;
        const LoraPair *pair = &use->adapter->pairs[task->w->tensor - 1];
        if (pair->rank == 0) continue;
        Part part = {c->k, task, pair, use->strength * use->adapter->scale, c->lora};
        compute_for_rows(c, task->n_acts, run_inner, &part);
        compute_for(c, (task->w->n_out + ROWS - 1) / ROWS, run_outer, &part);
    }
}

static void hash_pair(Sha256 *hash, const LoraPair *pair, const GgufTensor *base)
{
    size_t rank = (size_t)pair->rank, bytes = rank * sizeof *pair->a;
    sha256_add(hash, (Str){(const char *)&pair->rank, sizeof pair->rank});
    sha256_add(hash, (Str){(const char *)pair->a, bytes * (size_t)base->dims[0]});
    sha256_add(hash, (Str){(const char *)pair->b, bytes * (size_t)base->dims[1]});
}

void lora_hash(const LoraSet *set, char hex[SHA256_HEX + 1])
{
    Sha256 hash;
    memset(hex, '0', SHA256_HEX);
    hex[SHA256_HEX] = '\0';
    if (set->n == 0) return;
    sha256_init(&hash);
    for (int i = 0; i < set->n; i++) {
        const Adapter *adapter = set->uses[i].adapter;
        const float factors[2] = {set->uses[i].strength, adapter->scale};
        sha256_add(&hash, (Str){(const char *)factors, sizeof factors});
        for (size_t p = 0; p < adapter->n_pairs; p++)
            hash_pair(&hash, &adapter->pairs[p], gguf_tensor(adapter->engine->gguf, p));
    }
    sha256_hex(&hash, hex);
}

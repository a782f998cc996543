// Layout of the cache.
#include "kv.h"

#include <sys/mman.h>

static void row_widths(const Shape *s, size_t *k_width, size_t *v_width)
{
    *k_width =
        s->mla ? (size_t)(s->kv_lora + s->rope_dim) : (size_t)s->n_kv_heads * (size_t)s->key_dim;
    *v_width = s->mla ? 0 : (size_t)s->n_kv_heads * (size_t)s->value_dim;
}

size_t kv_bytes_per_token(const Shape *shape)
{
    size_t k_width, v_width;
    row_widths(shape, &k_width, &v_width);
    return (k_width + v_width) * sizeof(uint16_t) * (size_t)shape->n_layers;
}

bool kv_init(Kv *kv, const Shape *shape, int n_layers, int n_ctx, Error *err)
{
    *kv = (Kv){.n_ctx = n_ctx, .n_layers = n_layers};
    row_widths(shape, &kv->k_width, &kv->v_width);
    size_t token = (kv->k_width + kv->v_width) * sizeof(uint16_t) * (size_t)n_layers;
    if (__builtin_mul_overflow(token, (size_t)n_ctx, &kv->n_bytes))
        return error_set(err, ERROR_NO_MEMORY, "a cache of %d tokens is too large", n_ctx);
    void *data = mmap(NULL, kv->n_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return error_set(err, ERROR_NO_MEMORY, "no memory for a cache of %d tokens: %zu bytes",
                         n_ctx, kv->n_bytes);
    kv->data = data;
    return true;
}

void kv_deinit(Kv *kv)
{
    if (kv->data) munmap(kv->data, kv->n_bytes);
    *kv = (Kv){0};
}

uint16_t *kv_keys(const Kv *kv, int layer)
{
    return kv->data + (size_t)layer * (size_t)kv->n_ctx * kv->k_width;
}

uint16_t *kv_values(const Kv *kv, int layer)
{
    size_t all_keys = (size_t)kv->n_layers * (size_t)kv->n_ctx * kv->k_width;
    return kv->data + all_keys + (size_t)layer * (size_t)kv->n_ctx * kv->v_width;
}

int kv_common_prefix(const int *a, int n_a, const int *b, int n_b)
{
    int n = n_a < n_b ? n_a : n_b, i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

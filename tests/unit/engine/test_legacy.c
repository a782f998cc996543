// The legacy dialect of deepseek2 files (one attn_kv_b, no *_mla keys) gives the same logits as the
// split one: the embedded model is rewritten in memory as an old converter would have written it.
#include "unit/gguf_builder.h"
#include "unit/unit.h"

#include <math.h>

#include "engine/engine.h"
#include "engine/models/embedded.h"
#include "gguf.h"
#include "kernels/kernels.h"
#include "shape.h"

static bool is_dropped_key(Str key)
{
    return str_ends(key, STR("_mla")) || str_ends(key, STR("attention.key_length")) ||
           str_ends(key, STR("attention.value_length")) || str_ends(key, STR("head_count_kv"));
}

static void copy_value(StrBuf *b, const GgufValue *v)
{
    static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    build_u64(b, v->key.len);
    strbuf_append(b, v->key);
    build_u32(b, v->type);
    if (v->type == GGUF_STRING) {
        build_u64(b, v->str.len);
        strbuf_append(b, v->str);
    } else if (v->type == GGUF_ARRAY) {
        build_u32(b, v->elem_type);
        build_u64(b, v->count);
        strbuf_append(b, v->data);
    } else if (v->type == GGUF_F32) {
        float f = (float)v->f;
        build_bytes(b, &f, 4);
    } else {
        build_bytes(b, &v->u, sizes[v->type]);
    }
}

// attn_kv_b [kv_lora, heads * (nope + v)] as F16 from the split pair of a layer.
static uint16_t *join_kv(const Shape *s, const GgufTensor *k_b, const GgufTensor *v_b)
{
    int rows = s->nope_dim + s->value_dim, c = s->kv_lora;
    uint16_t *out = calloc((size_t)(s->n_heads * rows * c), sizeof *out);
    float *line = malloc((size_t)c * sizeof *line);
    size_t k_row = k_b->n_bytes / (size_t)(c * s->n_heads);
    size_t v_row = v_b->n_bytes / (size_t)(s->value_dim * s->n_heads);
    for (int h = 0; h < s->n_heads; h++) {
        uint16_t *head = out + (size_t)h * (size_t)(rows * c);
        for (int i = 0; i < c; i++) { // k_b holds the transpose: a row for each latent element
            const char *row = (const char *)k_b->data + (size_t)(h * c + i) * k_row;
            kernels_ref.dequantize(k_b->type, row, s->nope_dim, line);
            for (int j = 0; j < s->nope_dim; j++)
                head[(size_t)(j * c + i)] = float_to_half(line[j]);
        }
        for (int j = 0; j < s->value_dim; j++) {
            const char *row = (const char *)v_b->data + (size_t)(h * s->value_dim + j) * v_row;
            kernels_ref.dequantize(v_b->type, row, c, line);
            for (int i = 0; i < c; i++)
                head[(size_t)((s->nope_dim + j) * c + i)] = float_to_half(line[i]);
        }
    }
    free(line);
    return out;
}

typedef struct Out {
    char name[80];
    TensorType type;
    uint64_t dims[4];
    int n_dims;
    const void *data;
    size_t n_bytes;
    void *owned;
} Out;

static size_t list_tensors(const Gguf *g, const Shape *s, Out *out)
{
    size_t n = 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const GgufTensor *t = gguf_tensor(g, i);
        if (str_ends(t->name, STR("attn_v_b.weight"))) continue;
        Out *o = &out[n++];
        *o = (Out){.type = t->type, .n_dims = t->n_dims, .data = t->data, .n_bytes = t->n_bytes};
        memcpy(o->dims, t->dims, sizeof o->dims);
        snprintf(o->name, sizeof o->name, "%.*s", STR_FMT(t->name));
        char *at = strstr(o->name, "attn_k_b.weight");
        if (!at) continue;
        memcpy(at, "attn_v_b.weight", 15);
        const GgufTensor *v_b = gguf_find_tensor(g, o->name);
        memcpy(at, "attn_kv_b.weight", 17);
        o->data = o->owned = join_kv(s, t, v_b);
        o->type = TENSOR_F16;
        o->n_dims = 2;
        o->dims[0] = (uint64_t)s->kv_lora;
        o->dims[1] = (uint64_t)(s->n_heads * (s->nope_dim + s->value_dim));
        o->dims[2] = 1;
        o->n_bytes = o->dims[0] * o->dims[1] * sizeof(uint16_t);
    }
    return n;
}

static void build_legacy(const Gguf *g, const Shape *s, StrBuf *b)
{
    Out *tensors = calloc(gguf_n_tensors(g), sizeof *tensors);
    size_t n = list_tensors(g, s, tensors), n_values = 3, offset = 0;
    for (size_t i = 0; i < gguf_n_values(g); i++)
        n_values += !is_dropped_key(gguf_value(g, i)->key);
    build_header(b, 3, n, n_values);
    for (size_t i = 0; i < gguf_n_values(g); i++)
        if (!is_dropped_key(gguf_value(g, i)->key)) copy_value(b, gguf_value(g, i));
    build_pair_u32(b, "deepseek2.attention.key_length", (uint32_t)s->key_dim);
    build_pair_u32(b, "deepseek2.attention.value_length", (uint32_t)s->value_dim);
    build_pair_u32(b, "deepseek2.attention.head_count_kv", (uint32_t)s->n_heads);
    for (size_t i = 0; i < n; i++) {
        build_text(b, tensors[i].name);
        build_u32(b, (uint32_t)tensors[i].n_dims);
        for (int d = 0; d < tensors[i].n_dims; d++)
            build_u64(b, tensors[i].dims[d]);
        build_u32(b, tensors[i].type);
        build_u64(b, offset);
        offset += (tensors[i].n_bytes + 31) / 32 * 32;
    }
    build_padding(b, 32);
    for (size_t i = 0; i < n; i++) {
        build_bytes(b, tensors[i].data, tensors[i].n_bytes);
        build_padding(b, 32);
        free(tensors[i].owned);
    }
    free(tensors);
}

static void get_logits(const void *image, size_t n_bytes, const char *isa, float *few, float *many)
{
    static const char text[] = "<|file_sep|>a.c\nint main(int argc, char **argv)\n{\n    return ";
    Error err = {0};
    SyncStats stats;
    int ids[128];
    EngineOptions o = {.image = image, .image_bytes = n_bytes, .n_threads = 2, .isa = isa};
    Engine *e = engine_open(&o, &err);
    assert_ok(e, err);
    size_t n_vocab = (size_t)engine_info(e)->n_vocab;
    int n = (int)engine_tokenize(e, str_from(text), true, ids, 128);
    Session *s = session_new(e, 256, &err);
    assert_ok(session_sync(s, ids, n, (EngineCancel){0}, &stats, &err), err);
    memcpy(few, session_logits(s), n_vocab * sizeof *few); // absorbed: under the cost of expanding
    int long_ids[200];
    for (int i = 0; i < 200; i++)
        long_ids[i] = ids[i % n];
    assert_ok(session_sync(s, long_ids, 200, (EngineCancel){0}, &stats, &err), err);
    memcpy(many, session_logits(s), n_vocab * sizeof *many); // expanded
    session_free(s);
    engine_close(e);
}

// The length of the difference over that of the first.
static double relative_error(const float *a, const float *b, int n)
{
    double length = 0, difference = 0;
    for (int i = 0; i < n; i++) {
        length += (double)a[i] * (double)a[i];
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    return sqrt(difference / length);
}

static void legacy_file_gives_the_split_files_logits(void **state)
{
    (void)state;
    Error err = {0};
    size_t n_bytes;
    const void *image = embedded_model_image(&n_bytes);
    Gguf *g = gguf_open_image(image, n_bytes, &err);
    Shape s;
    assert_ok(g, err);
    assert_ok(shape_read(g, &s, &err), err);
    StrBuf legacy = {0};
    build_legacy(g, &s, &legacy);
    gguf_close(g);
    enum { MAX_VOCAB = 20000 };
    float *a = calloc(MAX_VOCAB * 4, sizeof *a), *b = a + MAX_VOCAB, *c = b + MAX_VOCAB,
          *d = c + MAX_VOCAB;
    get_logits(image, n_bytes, NULL, a, b);
    get_logits(legacy.ptr, legacy.len, NULL, c, d);
    double few = relative_error(a, c, MAX_VOCAB), many = relative_error(b, d, MAX_VOCAB);
    printf("relative error of the logits: %.4f, %.4f\n", few, many);
    // The joined weights are half floats and their activations are not rounded.
    assert_true(few > 0 && few < 0.05 && many > 0 && many < 0.05);
    free(a);
    strbuf_deinit(&legacy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_file_gives_the_split_files_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

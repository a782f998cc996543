// An adapter against the same change merged into the weights, on a small model of F32 matrices.
#include "unit/unit.h"

#include <math.h>

#include "base/sha256.h"
#include "engine/engine.h"
#include "engine/gguf.h"
#include "unit/gguf_builder.h"

enum { N_EMBD = 32, N_FF = 64, N_VOCAB = 258, RANK = 4, N_MATRICES = 7 };

static const struct {
    const char *name;
    int n_in, n_out;
} matrices[N_MATRICES] = {{"attn_q", N_EMBD, N_EMBD}, {"attn_k", N_EMBD, N_EMBD},
                          {"attn_v", N_EMBD, N_EMBD}, {"attn_output", N_EMBD, N_EMBD},
                          {"ffn_gate", N_EMBD, N_FF}, {"ffn_up", N_EMBD, N_FF},
                          {"ffn_down", N_FF, N_EMBD}};

static uint32_t seed;

// The same small half floats in the same order from the same seed: exact in F16 and F32.
static float next_value(float size)
{
    seed = seed * 1664525u + 1013904223u;
    return size * (float)((int)(seed >> 24) - 128) / 128;
}

typedef struct Values {
    StrBuf data;
} Values;

static uint64_t add_floats(Values *v, const float *x, size_t n)
{
    uint64_t offset = v->data.len;
    build_bytes(&v->data, x, n * sizeof *x);
    while (v->data.len % 32)
        strbuf_append_char(&v->data, 0);
    return offset;
}

static void fill(float *x, int n, float size)
{
    for (int i = 0; i < n; i++)
        x[i] = next_value(size);
}

// B (n_out x rank) times A (rank x n_in), times scale, onto w.
static void merge(float *w, const float *a, const float *b, int n_in, int n_out, float scale)
{
    for (int r = 0; r < n_out; r++)
        for (int j = 0; j < RANK; j++)
            for (int i = 0; i < n_in; i++)
                w[r * n_in + i] += scale * b[r * RANK + j] * a[j * n_in + i];
}

static void add_vocabulary(StrBuf *b)
{
    char names[N_VOCAB][8];
    const char *texts[N_VOCAB];
    for (int i = 0; i < N_VOCAB; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        texts[i] = names[i];
    }
    build_texts(b, "tokenizer.ggml.tokens", texts, N_VOCAB);
    build_texts(b, "tokenizer.ggml.merges", NULL, 0);
    build_array(b, "tokenizer.ggml.token_type", GGUF_I32, N_VOCAB);
    for (int i = 0; i < N_VOCAB; i++)
        build_u32(b, 1);
}

static void write_file(const char *path, StrBuf *head, Values *values)
{
    while (head->len % 32)
        strbuf_append_char(head, 0);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(head->ptr, 1, head->len, f), head->len);
    assert_int_equal(fwrite(values->data.ptr, 1, values->data.len, f), values->data.len);
    fclose(f);
    strbuf_deinit(head);
    strbuf_deinit(&values->data);
}

static void pair_float(StrBuf *b, const char *key, float value)
{
    build_key(b, key, GGUF_F32);
    build_bytes(b, &value, sizeof value);
}

// The base; with merged[k] != 0, adapter k's change times it in the matrices.
static void write_base(const char *path, float first, float second)
{
    StrBuf b = {0};
    Values v = {0};
    float w[N_VOCAB * N_EMBD], a[RANK * N_FF], lora_b[N_FF * RANK];
    build_header(&b, 3, 4 + N_MATRICES + 1, 14);
    build_pair_text(&b, "general.architecture", "llama");
    build_pair_u32(&b, "llama.context_length", 64);
    build_pair_u32(&b, "llama.embedding_length", N_EMBD);
    build_pair_u32(&b, "llama.block_count", 1);
    build_pair_u32(&b, "llama.feed_forward_length", N_FF);
    build_pair_u32(&b, "llama.attention.head_count", 2);
    build_pair_u32(&b, "llama.attention.head_count_kv", 2);
    build_pair_u32(&b, "llama.rope.dimension_count", N_EMBD / 2);
    pair_float(&b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    build_pair_text(&b, "tokenizer.ggml.model", "gpt2");
    build_pair_text(&b, "tokenizer.ggml.pre", "qwen2");
    add_vocabulary(&b);
    seed = 1;
    fill(w, N_VOCAB * N_EMBD, 1);
    build_tensor(&b, "token_embd.weight", N_EMBD, N_VOCAB, TENSOR_F32,
                 add_floats(&v, w, N_VOCAB * N_EMBD));
    const char *norms[] = {"output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < N_EMBD; k++)
            w[k] = 1;
        build_text(&b, norms[i]);
        build_u32(&b, 1);
        build_u64(&b, N_EMBD);
        build_u32(&b, TENSOR_F32);
        build_u64(&b, add_floats(&v, w, N_EMBD));
    }
    for (int m = 0; m < N_MATRICES; m++) {
        char name[64];
        int n_in = matrices[m].n_in, n_out = matrices[m].n_out;
        snprintf(name, sizeof name, "blk.0.%s.weight", matrices[m].name);
        seed = 100 + (uint32_t)m;
        fill(w, n_in * n_out, 0.2f);
        const float strengths[2] = {first, second};
        for (int k = 0; k < 2; k++) {
            seed = 1000u * (unsigned)(k + 1) + (uint32_t)m;
            fill(a, RANK * n_in, 0.25f);
            fill(lora_b, n_out * RANK, 0.25f);
            merge(w, a, lora_b, n_in, n_out, strengths[k] * 2); // alpha 8 over rank 4
        }
        build_tensor(&b, name, (uint64_t)n_in, (uint64_t)n_out, TENSOR_F32,
                     add_floats(&v, w, (size_t)(n_in * n_out)));
    }
    seed = 7;
    fill(w, N_VOCAB * N_EMBD, 0.5f);
    build_tensor(&b, "output.weight", N_EMBD, N_VOCAB, TENSOR_F32,
                 add_floats(&v, w, N_VOCAB * N_EMBD));
    write_file(path, &b, &v);
}

typedef struct Flaws {
    const char *type, *arch, *matrix; // instead of the right ones
    int n_in;                         // of the first A
    bool lacks_b;
    const char *base; // the fingerprint of the model that it was made for
} Flaws;

// Adapter k (0 or 1), with flaws.
static void write_adapter(const char *path, int k, Flaws flaws)
{
    StrBuf b = {0};
    Values v = {0};
    float a[RANK * N_FF], lora_b[N_FF * RANK];
    build_header(&b, 3, 2 * N_MATRICES - flaws.lacks_b, 5);
    build_pair_text(&b, "general.architecture", flaws.arch ? flaws.arch : "llama");
    build_pair_text(&b, "general.type", flaws.type ? flaws.type : "adapter");
    build_pair_text(&b, "adapter.type", "lora");
    pair_float(&b, "adapter.lora.alpha", 8);
    build_pair_text(&b, "r1ls.base.fingerprint", flaws.base ? flaws.base : "");
    for (int m = 0; m < N_MATRICES; m++) {
        char name[80];
        int n_in = matrices[m].n_in, n_out = matrices[m].n_out;
        const char *matrix = m == 0 && flaws.matrix ? flaws.matrix : matrices[m].name;
        seed = 1000u * (unsigned)(k + 1) + (uint32_t)m;
        fill(a, RANK * n_in, 0.25f);
        fill(lora_b, n_out * RANK, 0.25f);
        if (m == 0 && flaws.n_in) n_in = flaws.n_in;
        snprintf(name, sizeof name, "blk.0.%s.weight.lora_a", matrix);
        build_tensor(&b, name, (uint64_t)n_in, RANK, TENSOR_F32,
                     add_floats(&v, a, (size_t)(RANK * n_in)));
        if (m == 0 && flaws.lacks_b) continue;
        snprintf(name, sizeof name, "blk.0.%s.weight.lora_b", matrix);
        build_tensor(&b, name, RANK, (uint64_t)n_out, TENSOR_F32,
                     add_floats(&v, lora_b, (size_t)(n_out * RANK)));
    }
    write_file(path, &b, &v);
}

typedef struct Setup {
    char folder[64], path[128], adapter[2][128];
} Setup;

static void set_up(Setup *s)
{
    snprintf(s->folder, sizeof s->folder, "/tmp/r1ls-lora-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/base.gguf", s->folder);
    for (int k = 0; k < 2; k++) {
        snprintf(s->adapter[k], sizeof s->adapter[k], "%s/base%d.lora.gguf", s->folder, k);
        write_adapter(s->adapter[k], k, (Flaws){0});
    }
}

static void tear_down(Setup *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    assert_int_equal(system(command), 0);
}

static Engine *open_base(const Setup *s, const char *adapter)
{
    Error err = {0};
    EngineOptions options = {.path = s->path, .n_threads = 2, .adapter = adapter};
    Engine *engine = engine_open(&options, &err);
    if (!engine) fail_msg("%s", err.text);
    return engine;
}

// Logits after some ids: a prefill of several rows, then single ones.
static void read_logits(Session *session, float *out)
{
    static const int ids[] = {3, 77, 200, 5, 9, 150, 31, 8};
    Error err = {0};
    SyncStats stats;
    assert_true(session_sync(session, ids, 8, (EngineCancel){0}, &stats, &err));
    assert_true(session_append(session, 42, &err));
    memcpy(out, session_logits(session), N_VOCAB * sizeof *out);
}

static void expect_merged(Setup *s, const float *got, float first, float second)
{
    Error err = {0};
    float wanted[N_VOCAB];
    write_base(s->path, first, second);
    Engine *engine = open_base(s, NULL);
    Session *session = session_new(engine, 32, &err);
    read_logits(session, wanted);
    for (int i = 0; i < N_VOCAB; i++)
        if (fabsf(got[i] - wanted[i]) > 1e-3f * (1 + fabsf(wanted[i])))
            fail_msg("logit %d is %g, wanted %g", i, (double)got[i], (double)wanted[i]);
    session_free(session);
    engine_close(engine);
    write_base(s->path, 0, 0);
}

static void adapters_equal_merged_weights(void **state)
{
    (void)state;
    Setup s;
    Error err = {0};
    set_up(&s);
    write_base(s.path, 0, 0);
    Engine *engine = open_base(&s, s.adapter[0]);
    Adapter *second = adapter_open(engine, s.adapter[1], &err);
    assert_non_null(second);
    Session *session = session_new(engine, 32, &err);
    float plain[N_VOCAB], got[4][N_VOCAB], again[N_VOCAB];
    read_logits(session, plain);
    AdapterUse uses[2] = {{engine_adapter(engine), 1}, {second, 0.5f}};
    assert_true(session_use_adapters(session, uses, 1, &err));
    read_logits(session, got[0]);
    assert_true(session_use_adapters(session, uses, 2, &err));
    read_logits(session, got[1]);
    assert_true(session_use_adapters(session, uses + 1, 1, &err));
    read_logits(session, got[2]);
    assert_true(session_use_adapters(session, NULL, 0, &err));
    read_logits(session, again);
    assert_memory_equal(plain, again, sizeof plain);
    // Another session of the engine is not changed by the adapters of this one.
    Session *other = session_new(engine, 32, &err);
    assert_true(session_use_adapters(session, uses, 2, &err));
    read_logits(other, again);
    assert_memory_equal(plain, again, sizeof plain);
    session_free(other);
    session_free(session);
    adapter_close(second);
    engine_close(engine);
    expect_merged(&s, got[0], 1, 0);
    expect_merged(&s, got[1], 1, 0.5f);
    expect_merged(&s, got[2], 0, 0.5f);
    tear_down(&s);
}

static void the_file_beside_the_model_is_found(void **state)
{
    (void)state;
    Setup s;
    set_up(&s);
    write_base(s.path, 0, 0);
    Engine *engine = open_base(&s, "auto");
    assert_null(engine_adapter(engine));
    engine_close(engine);
    char beside[128];
    snprintf(beside, sizeof beside, "%s/base.lora.gguf", s.folder);
    write_adapter(beside, 0, (Flaws){0});
    engine = open_base(&s, "auto");
    assert_non_null(engine_adapter(engine));
    engine_close(engine);
    engine = open_base(&s, "");
    assert_null(engine_adapter(engine));
    engine_close(engine);
    tear_down(&s);
}

static Str read_all(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    Str all = {out, fread(out, 1, cap, f)};
    fclose(f);
    return all;
}

// SHA-256 over each tensor's name and first 64 bytes.
static void fingerprint(const char *path, char *hex)
{
    Error err = {0};
    Sha256 hash;
    Gguf *file = gguf_open(path, &err);
    assert_non_null(file);
    sha256_init(&hash);
    for (size_t i = 0; i < gguf_n_tensors(file); i++) {
        sha256_add(&hash, gguf_tensor(file, i)->name);
        sha256_add(&hash, (Str){gguf_tensor(file, i)->data, 64});
    }
    sha256_hex(&hash, hex);
    gguf_close(file);
}

static void expect_adapter(const EngineOptions *options, const char *wanted)
{
    Error err = {0};
    Engine *engine = engine_open(options, &err);
    if (!engine) fail_msg("%s", err.text);
    assert_true((engine_adapter(engine) != NULL) == (wanted[0] != '\0'));
    assert_true(str_equal(engine_info(engine)->adapter, str_from(wanted)));
    engine_close(engine);
}

// Unless a file lies beside that.
static void an_image_is_used_with_its_model_alone(void **state)
{
    (void)state;
    static char image[1 << 17] __attribute__((aligned(64)));
    Setup s;
    char hex[SHA256_HEX + 1], beside[128];
    set_up(&s);
    write_base(s.path, 0, 0);
    fingerprint(s.path, hex);
    write_adapter(s.adapter[0], 0, (Flaws){.base = hex});
    Str all = read_all(s.adapter[0], image, sizeof image);
    EngineOptions options = {.path = s.path,
                             .n_threads = 1,
                             .adapter = "auto",
                             .adapter_image = all.ptr,
                             .adapter_image_bytes = all.len};
    expect_adapter(&options, "embedded");
    snprintf(beside, sizeof beside, "%s/base.lora.gguf", s.folder);
    write_adapter(beside, 1, (Flaws){0});
    expect_adapter(&options, beside);
    assert_int_equal(remove(beside), 0);
    options.adapter = "";
    expect_adapter(&options, "");
    write_base(s.path, 1, 0); // other weights
    options.adapter = "auto";
    expect_adapter(&options, "");
    options.adapter = "embedded"; // asked for by name
    expect_adapter(&options, "embedded");
    tear_down(&s);
}

static void misfits_are_refused(void **state)
{
    (void)state;
    static const struct {
        Flaws flaws;
        const char *said;
    } cases[] = {{{.type = "model"}, "general.type is 'model'"},
                 {{.arch = "qwen2"}, "an adapter of architecture 'qwen2', wanted 'llama'"},
                 {{.matrix = "attn_kv_b"}, "the adapter changes blk.0.attn_kv_b.weight"},
                 {{.n_in = 16}, "is [16, 4] and [4, 32], wanted [32, rank]"},
                 {{.lacks_b = true}, "blk.0.attn_q.weight.lora_b is missing"}};
    Setup s;
    set_up(&s);
    write_base(s.path, 0, 0);
    Engine *engine = open_base(&s, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error err = {0};
        write_adapter(s.adapter[0], 0, cases[i].flaws);
        assert_null(adapter_open(engine, s.adapter[0], &err));
        if (!strstr(err.text, cases[i].said)) fail_msg("%s", err.text);
    }
    Error err = {0};
    assert_null(adapter_open(engine, s.path, &err)); // a model is no adapter
    assert_null(adapter_open(engine, "/nonexistent", &err));
    engine_close(engine);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters_equal_merged_weights),
        cmocka_unit_test(the_file_beside_the_model_is_found),
        cmocka_unit_test(an_image_is_used_with_its_model_alone),
        cmocka_unit_test(misfits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Opening a model: file, shape, weights, tokenizer, kernels, buffers; and the facts about it.
#include "engine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attention.h"
#include "base/clock.h"
#include "base/mem.h"
#include "chat.h"
#include "kv.h"
#include "memory_plan.h"
#include "model.h"
#include "speculate.h"

static int count_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n;
}

// Suffix first only where the model was trained on it: the file says so, or it is one of ours.
static bool read_fim_order(Engine *e, Error *err)
{
    const SpecialTokens *t = tokenizer_specials(e->tokenizer);
    Str order = {0};
    if (!gguf_read_str(e->gguf, "r1ls.fim_order", &order, err)) return false;
    e->info.fim_order = FIM_PREFIX_FIRST;
    if (t->fim_prefix < 0 || t->fim_suffix < 0 || t->fim_middle < 0)
        e->info.fim_order = FIM_NONE;
    else if (str_equal(order, STR("line-last")))
        e->info.fim_order = FIM_LINE_LAST;
    else if (str_equal(order, STR("suffix-first")) ||
             (order.len == 0 && str_starts(e->info.name, STR("r1ls-mini"))))
        e->info.fim_order = FIM_SUFFIX_FIRST;
    return true;
}

// Its own files say whether a model has learnt corrections, and then they have all marks of them.
static bool read_mend(Engine *e, Error *err)
{
    const Str mark = STR("<|tool|>");
    EngineInfo *info = &e->info;
    int ids[2];
    bool mends = false;
    info->mend = -1;
    if (!gguf_read_bool(e->gguf, "r1ls.mend", &mends, err) || !mends)
        return err->code == ERROR_NONE;
    bool known = engine_tokenize(e, mark, true, ids, 2) == 1 && info->fim_order != FIM_NONE &&
                 info->file_sep >= 0 && info->fim_end >= 0;
    if (!known)
        return error_set(err, ERROR_DAMAGED,
                         "r1ls.mend is true, wanted the tokens of holes, of a file and %.*s",
                         STR_FMT(mark));
    info->mend = ids[0];
    return true;
}

static Str name_file_type(int file_type)
{
    static const struct {
        int id;
        const char *name;
    } names[] = {{0, "F32"},       {1, "F16"},     {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
                 {8, "Q5_0"},      {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},
                 {13, "Q3_K_L"},   {14, "Q4_K_S"}, {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},
                 {18, "Q6_K"},     {21, "Q2_K_S"}, {25, "IQ4_NL"}, {30, "IQ4_XS"}, {32, "BF16"},
                 {38, "MXFP4_MOE"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].id == file_type) return str_from(names[i].name);
    return STR("unknown");
}

static bool fill_info(Engine *e, Error *err)
{
    EngineInfo *info = &e->info;
    const SpecialTokens *t = tokenizer_specials(e->tokenizer);
    int file_type = -1;
    if (!gguf_read_str(e->gguf, "general.name", &info->name, err) ||
        !gguf_read_str(e->gguf, "general.license", &info->license, err) ||
        !gguf_read_str(e->gguf, "tokenizer.chat_template", &info->chat_template, err) ||
        !gguf_read_int(e->gguf, "general.file_type", 0, 1 << 20, &file_type, err))
        return false;
    info->arch = str_from(shape_arch_name(e->shape.arch));
    info->quantisation = name_file_type(file_type);
    info->isa = e->compute.k->name;
    info->file_bytes = gguf_file_bytes(e->gguf);
    info->cache_bytes_per_token = kv_bytes_per_token(&e->shape);
    info->n_params = e->weights.n_params;
    info->n_active_params = e->weights.n_active_params;
    info->n_active_bytes = e->weights.n_active_bytes;
    info->n_layers = e->shape.n_layers;
    info->n_vocab = e->shape.n_vocab;
    info->n_ctx_train = e->shape.n_ctx_train;
    info->n_embd = e->shape.n_embd;
    info->n_mtp_layers = e->shape.n_mtp_layers;
    info->n_threads = e->compute.n_threads;
    info->bos = t->bos;
    info->eos = t->eos;
    info->fim_prefix = t->fim_prefix;
    info->fim_suffix = t->fim_suffix;
    info->fim_middle = t->fim_middle;
    info->file_sep = t->file_sep;
    info->repo_name = t->repo_name;
    info->add_bos = t->add_bos;
    info->chat = chat_form(e, &(Error){0}) != CHAT_NONE;
    info->fim_end = t->eot >= 0 && !info->chat ? t->eot : t->eos; // a chat's eot ends a turn
    return read_fim_order(e, err) && read_mend(e, err);
}

static bool check_vocabulary(Engine *e, Error *err)
{
    int n = tokenizer_n_vocab(e->tokenizer), n_rows = e->shape.n_vocab;
    if (n > n_rows)
        return error_set(err, ERROR_DAMAGED,
                         "%d tokens but %d rows in token_embd.weight, wanted as many rows", n,
                         n_rows);
    // Rows past the vocabulary are padding of the training code: they must never be chosen.
    e->kinds = mem_zero((size_t)n_rows);
    for (int id = 0; id < n_rows; id++) {
        bool control = id >= n || tokenizer_is_control(e->tokenizer, id);
        bool ends = id < n && tokenizer_is_end(e->tokenizer, id);
        e->kinds[id] = (unsigned char)((control ? TOKEN_CONTROL : 0) | (ends ? TOKEN_ENDS : 0));
    }
    e->candidates = mem_alloc((size_t)n_rows * sizeof *e->candidates);
    return true;
}

// MODEL.lora.gguf beside MODEL.gguf.
static bool find_adapter(const char *path, char *out, size_t n_bytes)
{
    const Str end = STR(".gguf");
    Str name = str_from(path);
    if (!str_ends(name, end)) return false;
    int n = snprintf(out, n_bytes, "%.*s.lora.gguf", (int)(name.len - end.len), name.ptr);
    return n > 0 && (size_t)n < n_bytes && access(out, R_OK) == 0;
}

// A path, "embedded", or NULL for none.
static const char *choose_adapter(Engine *e, const EngineOptions *o)
{
    const char *wanted = o->adapter && o->adapter[0] ? o->adapter : NULL;
    if (!wanted || strcmp(wanted, "auto") != 0) return wanted;
    if (o->path && find_adapter(o->path, e->adapter_path, sizeof e->adapter_path))
        return e->adapter_path;
    const void *image = o->adapter_image;
    return image && adapter_image_fits(e, image, o->adapter_image_bytes) ? "embedded" : NULL;
}

static bool open_adapter(Engine *e, const EngineOptions *o, Error *err)
{
    const char *path = choose_adapter(e, o);
    if (!path) return true;
    bool embedded = strcmp(path, "embedded") == 0;
    if (embedded && !o->adapter_image)
        return error_set(err, ERROR_NOT_FOUND, "this program has no embedded adapter");
    e->info.arch = str_from(shape_arch_name(e->shape.arch)); // an adapter has to be of it
    e->adapter = embedded ? adapter_open_image(e, o->adapter_image, o->adapter_image_bytes, err)
                          : adapter_open(e, path, err);
    if (path != e->adapter_path) snprintf(e->adapter_path, sizeof e->adapter_path, "%s", path);
    e->info.adapter = str_from(e->adapter_path);
    return e->adapter != NULL;
}

static bool open_parts(Engine *e, const EngineOptions *o, Error *err)
{
    const Kernels *kernels = kernels_find(o->isa);
    if (!kernels)
        return error_set(err, ERROR_INVALID,
                         "isa '%s' is unknown or not in this CPU, wanted "
                         "ref, avx2, avx512 or neon",
                         o->isa);
    if (o->n_threads < 0 || o->n_threads > 1024)
        return error_set(err, ERROR_INVALID, "%d threads, wanted 0 to 1024", o->n_threads);
    e->gguf = o->path ? gguf_open(o->path, err) : gguf_open_image(o->image, o->image_bytes, err);
    if (!e->gguf || !shape_read(e->gguf, &e->shape, err) ||
        !weights_bind(e->gguf, &e->shape, &e->weights, err))
        return false;
    int n_threads = o->n_threads ? o->n_threads : count_cores();
    MemoryPlan plan = memory_plan_make(&e->shape, &e->weights, 0, n_threads);
    if (!memory_plan_check(&plan, o->max_bytes, err) ||
        !weights_make_copies(&e->shape, &e->weights, err))
        return false;
    e->tokenizer = tokenizer_open(e->gguf, err);
    if (!e->tokenizer || !check_vocabulary(e, err)) return false;
    if (!compute_init(&e->compute, kernels, n_threads, &e->shape, &e->weights, err)) return false;
    if (!open_adapter(e, o, err)) return false;
    attention_frequencies(&e->compute, &e->shape, e->weights.rope_divisors);
    if (e->weights.mtp.present) {
        e->draft_logits = mem_alloc((size_t)e->shape.n_vocab * sizeof *e->draft_logits);
        e->draft_state = mem_alloc((size_t)e->shape.n_embd * sizeof *e->draft_state);
    }
    speculation_init_costs(&e->speculation);
    return fill_info(e, err);
}

Engine *engine_open(const EngineOptions *options, Error *err)
{
    double start = clock_ms();
    Engine *e = mem_zero(sizeof *e);
    if (!open_parts(e, options, err)) {
        engine_close(e);
        return NULL;
    }
    e->info.open_ms = clock_ms() - start;
    return e;
}

void engine_close(Engine *engine)
{
    if (!engine) return;
    adapter_close(engine->adapter);
    compute_deinit(&engine->compute);
    tokenizer_close(engine->tokenizer);
    weights_deinit(&engine->weights);
    gguf_close(engine->gguf);
    free(engine->candidates);
    free(engine->kinds);
    free(engine->draft_logits);
    free(engine->draft_state);
    free(engine);
}

const EngineInfo *engine_info(const Engine *engine)
{
    return &engine->info;
}

const Adapter *engine_adapter(const Engine *engine)
{
    return engine->adapter;
}

size_t engine_tokenize(const Engine *engine, Str text, bool parse_special, int *out, size_t cap)
{
    return tokenizer_encode(engine->tokenizer, text, parse_special, out, cap);
}

Str engine_token_bytes(const Engine *engine, int id)
{
    if (id < 0 || id >= tokenizer_n_vocab(engine->tokenizer)) return (Str){NULL, 0};
    return tokenizer_bytes(engine->tokenizer, id);
}

bool engine_token_is_control(const Engine *engine, int id)
{
    return id < 0 || id >= engine->shape.n_vocab || (engine->kinds[id] & TOKEN_CONTROL);
}

bool engine_token_ends(const Engine *engine, int id)
{
    return id >= 0 && id < engine->shape.n_vocab && (engine->kinds[id] & TOKEN_ENDS);
}

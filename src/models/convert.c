// A plan of the new file's tensors, each with the tensors that its rows come from; then the writer.
#include "convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "check_file.h"
#include "convert_rows.h"
#include "engine/memory_plan.h"
#include "hf_config.h"
#include "hf_tokenizer.h"
#include "json_file.h"

enum { MAX_CONFIG_BYTES = 16 << 20, NAME_BYTES = 128 };

typedef struct Converter {
    const ConvertOptions *options;
    HfConfig config;
    Safetensors *model;
    bool *taken; // [n_tensors]
    GgufWriter writer;
    VEC(RowSource) sources; // one for each tensor of the writer
    Arena *arena;
    Error *err;
    int layer;             // -1: global tensors
    char name[NAME_BYTES]; // of the last one looked for
} Converter;

// --- finding -------------------------------------------------------------------------------------

static const StTensor *find(Converter *c, const char *suffix)
{
    if (c->layer < 0)
        snprintf(c->name, sizeof c->name, "%s", suffix);
    else
        snprintf(c->name, sizeof c->name, "model.layers.%d.%s", c->layer, suffix);
    const StTensor *t = safetensors_find(c->model, str_from(c->name));
    if (t) c->taken[t - safetensors_tensor(c->model, 0)] = true;
    return t;
}

static bool check(Converter *c, const StTensor *t, int rows, int columns)
{
    if (!t)
        return error_set(c->err, ERROR_DAMAGED, "tensor %s is missing, wanted [%d, %d]", c->name,
                         rows, columns);
    bool vector = t->n_dims == 1 && rows == 1 && t->dims[0] == (uint64_t)columns;
    bool matrix = t->n_dims == 2 && t->dims[0] == (uint64_t)rows && t->dims[1] == (uint64_t)columns;
    if (!vector && !matrix)
        return error_set(c->err, ERROR_DAMAGED,
                         "tensor %s has %d dimensions and is [%llu, %llu], wanted [%d, %d]",
                         c->name, t->n_dims, (unsigned long long)t->dims[0],
                         (unsigned long long)t->dims[1], rows, columns);
    if (st_is_float(t->type)) return true;
    return error_set(c->err, ERROR_UNSUPPORTED, "tensor %s is %s, wanted F32, F16, BF16 or F8_E4M3",
                     c->name, st_type_name(t->type));
}

static int divide_up(int n, int by)
{
    return (n + by - 1) / by;
}

// A matrix or vector of rows x columns, with the scales of its blocks if it is FP8.
static bool take(Converter *c, const char *suffix, int rows, int columns, RowPart *out)
{
    char name[NAME_BYTES];
    const HfConfig *f = &c->config;
    *out = (RowPart){.tensor = find(c, suffix)};
    if (!check(c, out->tensor, rows, columns)) return false;
    if (out->tensor->type != ST_F8_E4M3) return true;
    if (f->fp8_rows == 0)
        return error_set(c->err, ERROR_DAMAGED,
                         "tensor %s is FP8 and config.json has no quantization_config", c->name);
    out->block_rows = f->fp8_rows;
    out->block_columns = f->fp8_columns;
    snprintf(name, sizeof name, "%s_scale_inv", suffix);
    out->scales = find(c, name);
    return check(c, out->scales, divide_up(rows, f->fp8_rows), divide_up(columns, f->fp8_columns));
}

// --- adding --------------------------------------------------------------------------------------

static TensorType natural_type(const StTensor *t, bool is_matrix)
{
    if (!is_matrix || t->type == ST_F32) return TENSOR_F32;
    return t->type == ST_F16 ? TENSOR_F16 : TENSOR_BF16;
}

static void add(Converter *c, const char *suffix, int n_dims, const uint64_t dims[4],
                RowSource source)
{
    OutTensor out = {.n_dims = n_dims};
    memcpy(out.dims, dims, sizeof out.dims);
    if (c->layer < 0)
        snprintf(out.name, sizeof out.name, "%s", suffix);
    else
        snprintf(out.name, sizeof out.name, "blk.%d.%s", c->layer, suffix);
    bool plain = n_dims < 2 || strstr(suffix, "ffn_gate_inp");
    out.type = natural_type(source.parts[0].tensor, !plain);
    if (c->options->recipe) {
        const Shape shape = {.n_layers = c->config.n_layers,
                             .n_heads = c->config.n_heads,
                             .n_kv_heads = c->config.n_kv_heads ? c->config.n_kv_heads : 1};
        const RecipeModel model = {&shape, c->config.tied, false};
        out.type = recipe_choose(c->options->recipe, &model, str_from(out.name), n_dims, out.dims);
    }
    writer_add_tensor(&c->writer, &out);
    source.n_in = (size_t)dims[0];
    VEC_PUSH(&c->sources, source);
}

static RowSource one_part(Converter *c, RowPart part, RowOrder order)
{
    RowPart *parts = arena_array(c->arena, 1, sizeof *parts);
    parts[0] = part;
    return (RowSource){.order = order, .parts = parts};
}

static bool add_matrix(Converter *c, const char *hf, const char *gguf, int rows, int columns)
{
    RowPart part;
    const uint64_t dims[4] = {(uint64_t)columns, (uint64_t)rows, 1, 1};
    if (!take(c, hf, rows, columns, &part)) return false;
    RowSource source = one_part(c, part, ROWS_AS_THEY_ARE);
    source.part_rows = (size_t)rows;
    add(c, gguf, 2, dims, source);
    return true;
}

static bool add_vector(Converter *c, const char *hf, const char *gguf, int n)
{
    RowPart part;
    const uint64_t dims[4] = {(uint64_t)n, 1, 1, 1};
    if (!take(c, hf, 1, n, &part)) return false;
    RowSource source = one_part(c, part, ROWS_AS_THEY_ARE);
    source.part_rows = 1;
    add(c, gguf, 1, dims, source);
    return true;
}

// A projection to heads and its bias, if there is one.
static bool add_heads(Converter *c, const char *letter, int n_heads, bool rotated)
{
    const HfConfig *f = &c->config;
    bool permuted = rotated && (f->arch == ARCH_LLAMA || f->arch == ARCH_DEEPSEEK);
    char hf[64], gguf[64];
    RowPart part;
    int rows = n_heads * f->head_dim;
    const uint64_t dims[4] = {(uint64_t)f->n_embd, (uint64_t)rows, 1, 1};
    const uint64_t bias_dims[4] = {(uint64_t)rows, 1, 1, 1};
    snprintf(hf, sizeof hf, "self_attn.%s_proj.weight", letter);
    snprintf(gguf, sizeof gguf, "attn_%s.weight", letter);
    if (!take(c, hf, rows, f->n_embd, &part)) return false;
    RowSource source = one_part(c, part, permuted ? ROWS_PAIRED : ROWS_AS_THEY_ARE);
    source.part_rows = (size_t)rows;
    source.head_dim = f->head_dim;
    add(c, gguf, 2, dims, source);
    snprintf(hf, sizeof hf, "self_attn.%s_proj.bias", letter);
    snprintf(gguf, sizeof gguf, "attn_%s.bias", letter);
    if (!find(c, hf)) return true;
    if (!take(c, hf, 1, rows, &part)) return false;
    source = one_part(c, part, permuted ? ELEMENTS_PAIRED : ROWS_AS_THEY_ARE);
    source.part_rows = 1;
    source.head_dim = f->head_dim;
    add(c, gguf, 1, bias_dims, source);
    return true;
}

static bool add_gqa(Converter *c)
{
    const HfConfig *f = &c->config;
    bool normed = f->arch == ARCH_QWEN3 || f->arch == ARCH_QWEN3MOE;
    return add_heads(c, "q", f->n_heads, true) && add_heads(c, "k", f->n_kv_heads, true) &&
           add_heads(c, "v", f->n_kv_heads, false) &&
           (!normed ||
            (add_vector(c, "self_attn.q_norm.weight", "attn_q_norm.weight", f->head_dim) &&
             add_vector(c, "self_attn.k_norm.weight", "attn_k_norm.weight", f->head_dim))) &&
           add_matrix(c, "self_attn.o_proj.weight", "attn_output.weight", f->n_embd,
                      f->n_heads * f->head_dim);
}

// kv_b_proj has a head's keys and then its values as rows.
static bool add_kv_b(Converter *c)
{
    const HfConfig *f = &c->config;
    RowPart part;
    int head_rows = f->nope_dim + f->value_dim;
    const uint64_t heads = (uint64_t)f->n_heads, lora = (uint64_t)f->kv_lora;
    const uint64_t k_dims[4] = {(uint64_t)f->nope_dim, lora, heads, 1};
    const uint64_t v_dims[4] = {lora, (uint64_t)f->value_dim, heads, 1};
    if (!take(c, "self_attn.kv_b_proj.weight", f->n_heads * head_rows, f->kv_lora, &part))
        return false;
    RowSource keys = one_part(c, part, ROWS_TRANSPOSED), values = one_part(c, part, ROWS_OF_HEADS);
    keys.part_rows = (size_t)lora;
    values.part_rows = (size_t)f->value_dim;
    values.first_row = f->nope_dim;
    keys.head_dim = values.head_dim = head_rows;
    add(c, "attn_k_b.weight", 3, k_dims, keys);
    add(c, "attn_v_b.weight", 3, v_dims, values);
    return true;
}

static bool add_latent(Converter *c)
{
    const HfConfig *f = &c->config;
    int q_rows = f->n_heads * (f->nope_dim + f->rope_dim);
    bool ok =
        f->q_lora
            ? add_matrix(c, "self_attn.q_a_proj.weight", "attn_q_a.weight", f->q_lora, f->n_embd) &&
                  add_vector(c, "self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight",
                             f->q_lora) &&
                  add_matrix(c, "self_attn.q_b_proj.weight", "attn_q_b.weight", q_rows, f->q_lora)
            : add_matrix(c, "self_attn.q_proj.weight", "attn_q.weight", q_rows, f->n_embd);
    return ok &&
           add_matrix(c, "self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight",
                      f->kv_lora + f->rope_dim, f->n_embd) &&
           add_vector(c, "self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight", f->kv_lora) &&
           add_kv_b(c) &&
           add_matrix(c, "self_attn.o_proj.weight", "attn_output.weight", f->n_embd,
                      f->n_heads * f->value_dim);
}

// --- feed-forward --------------------------------------------------------------------------------

static bool add_mlp(Converter *c, const char *prefix, const char *kind, int width)
{
    static const char *const names[] = {"gate", "up", "down"};
    char hf[64], gguf[64];
    int n_embd = c->config.n_embd;
    for (int i = 0; i < 3; i++) {
        snprintf(hf, sizeof hf, "%s.%s_proj.weight", prefix, names[i]);
        snprintf(gguf, sizeof gguf, "ffn_%s%s.weight", names[i], kind);
        if (!add_matrix(c, hf, gguf, i < 2 ? width : n_embd, i < 2 ? n_embd : width)) return false;
    }
    return true;
}

static bool add_stack(Converter *c, const char *name, int rows, int columns)
{
    char hf[64], gguf[64];
    int n = c->config.n_experts;
    RowSource source = {.order = ROWS_AS_THEY_ARE, .part_rows = (size_t)rows};
    RowPart *parts = arena_array(c->arena, (size_t)n, sizeof *parts);
    const uint64_t dims[4] = {(uint64_t)columns, (uint64_t)rows, (uint64_t)n, 1};
    for (int e = 0; e < n; e++) {
        snprintf(hf, sizeof hf, "mlp.experts.%d.%s_proj.weight", e, name);
        if (!take(c, hf, rows, columns, &parts[e])) return false;
    }
    source.parts = parts;
    snprintf(gguf, sizeof gguf, "ffn_%s_exps.weight", name);
    add(c, gguf, 3, dims, source);
    return true;
}

static bool add_experts(Converter *c)
{
    const HfConfig *f = &c->config;
    const char *bias = "mlp.gate.e_score_correction_bias";
    return add_matrix(c, "mlp.gate.weight", "ffn_gate_inp.weight", f->n_experts, f->n_embd) &&
           (!f->v3 || add_vector(c, bias, "exp_probs_b.bias", f->n_experts)) &&
           add_stack(c, "gate", f->n_ff_expert, f->n_embd) &&
           add_stack(c, "up", f->n_ff_expert, f->n_embd) &&
           add_stack(c, "down", f->n_embd, f->n_ff_expert) &&
           (f->n_experts_shared == 0 ||
            add_mlp(c, "mlp.shared_experts", "_shexp", f->n_ff_expert * f->n_experts_shared));
}

// --- layers --------------------------------------------------------------------------------------

// What DeepSeek publishes with an MTP block is the model's own embedding and head again.
static bool add_unless_equal(Converter *c, const char *hf, const char *gguf, const char *own)
{
    const StTensor *t = find(c, hf);
    const StTensor *other = safetensors_find(c->model, str_from(own));
    if (!t || (other && t->type == other->type && t->n_bytes == other->n_bytes &&
               memcmp(t->data, other->data, t->n_bytes) == 0))
        return true;
    return add_matrix(c, hf, gguf, c->config.n_vocab, c->config.n_embd);
}

static bool add_mtp(Converter *c)
{
    int n = c->config.n_embd;
    return add_matrix(c, "eh_proj.weight", "nextn.eh_proj.weight", n, 2 * n) &&
           add_vector(c, "enorm.weight", "nextn.enorm.weight", n) &&
           add_vector(c, "hnorm.weight", "nextn.hnorm.weight", n) &&
           add_vector(c, "shared_head.norm.weight", "nextn.shared_head_norm.weight", n) &&
           add_unless_equal(c, "embed_tokens.weight", "nextn.embed_tokens.weight",
                            "model.embed_tokens.weight") &&
           add_unless_equal(c, "shared_head.head.weight", "nextn.shared_head_head.weight",
                            "lm_head.weight");
}

static bool add_layer(Converter *c)
{
    const HfConfig *f = &c->config;
    bool moe = f->n_experts && c->layer >= f->n_dense_layers;
    return add_vector(c, "input_layernorm.weight", "attn_norm.weight", f->n_embd) &&
           (f->arch == ARCH_DEEPSEEK2 ? add_latent(c) : add_gqa(c)) &&
           add_vector(c, "post_attention_layernorm.weight", "ffn_norm.weight", f->n_embd) &&
           (moe ? add_experts(c) : add_mlp(c, "mlp", "", f->n_ff)) &&
           (c->layer < f->n_layers || add_mtp(c));
}

// The divisor of each rotary pair under Llama-3 scaling: long waves are stretched by the factor,
// short ones stay, a smooth change between.
static void add_llama3_divisors(Converter *c)
{
    const HfRope *r = &c->config.rope;
    int n = c->config.head_dim / 2;
    float *divisors = arena_array(c->arena, (size_t)n, sizeof *divisors);
    OutTensor out = {.name = "rope_freqs.weight", .n_dims = 1, .type = TENSOR_F32};
    for (int i = 0; i < n; i++)
        divisors[i] = (float)convert_llama3_divisor(r, i, c->config.head_dim);
    out.dims[0] = (uint64_t)n;
    out.dims[1] = out.dims[2] = out.dims[3] = 1;
    out.data = divisors;
    writer_add_tensor(&c->writer, &out);
    VEC_PUSH(&c->sources, (RowSource){0});
}

static bool add_globals(Converter *c)
{
    const HfConfig *f = &c->config;
    c->layer = -1;
    if (f->rope.kind == ROPE_LLAMA3) add_llama3_divisors(c);
    if (f->tied) find(c, "lm_head.weight"); // written again by some, and never read
    return add_matrix(c, "model.embed_tokens.weight", "token_embd.weight", f->n_vocab, f->n_embd) &&
           add_vector(c, "model.norm.weight", "output_norm.weight", f->n_embd) &&
           (f->tied || add_matrix(c, "lm_head.weight", "output.weight", f->n_vocab, f->n_embd));
}

// transformers drops MTP blocks when it saves, and leaves their number in config.json.
static void count_mtp(Converter *c)
{
    HfConfig *f = &c->config;
    c->layer = f->n_layers;
    bool kept = find(c, "eh_proj.weight") && !c->options->drop_mtp;
    if (!kept) f->n_mtp_layers = 0;
}

// Rotary frequencies are computed, and MTP blocks may be unwanted.
static bool may_be_left(const Converter *c, Str name)
{
    int layer = -1;
    char text[NAME_BYTES];
    snprintf(text, sizeof text, "%.*s", STR_FMT(name));
    if (str_ends(name, STR("rotary_emb.inv_freq"))) return true;
    return c->options->drop_mtp && sscanf(text, "model.layers.%d.", &layer) == 1 &&
           layer >= c->config.n_layers;
}

static bool check_all_taken(const Converter *c)
{
    for (size_t i = 0; i < safetensors_n_tensors(c->model); i++) {
        Str name = safetensors_tensor(c->model, i)->name;
        if (!c->taken[i] && !may_be_left(c, name))
            return error_set(c->err, ERROR_UNSUPPORTED, "tensor %.*s has no place in a %s model",
                             STR_FMT(str_slice(name, 0, 120)), shape_arch_name(c->config.arch));
    }
    return true;
}

static bool plan_tensors(Converter *c)
{
    c->taken = arena_array(c->arena, safetensors_n_tensors(c->model) + 1, sizeof *c->taken);
    if (safetensors_n_tensors(c->model) == 0)
        return error_set(c->err, ERROR_DAMAGED, "%.120s has no tensors", c->options->folder);
    count_mtp(c);
    if (!add_globals(c)) return false;
    for (c->layer = 0; c->layer < c->config.n_layers + c->config.n_mtp_layers; c->layer++)
        if (!add_layer(c)) return false;
    return check_all_taken(c);
}

// --- the whole -----------------------------------------------------------------------------------

static void read_row(void *user, size_t tensor, uint64_t row, float *out)
{
    const Converter *c = user;
    convert_read_row(&c->sources.items[tensor], row, out);
}

static bool report(void *user, uint64_t done, uint64_t total)
{
    const ConvertOptions *o = ((const Converter *)user)->options;
    return !o->on_progress || o->on_progress(o->user, done, total);
}

static Str name_of_folder(const char *folder)
{
    Str path = str_from(folder);
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    size_t start = path.len;
    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    return str_slice(path, start, path.len);
}

static void put_file_type(Converter *c)
{
    int type = c->options->recipe ? recipe_file_type(c->options->recipe) : 32;
    for (size_t i = 0; !c->options->recipe && i < c->writer.tensors.n; i++) {
        const OutTensor *t = &c->writer.tensors.items[i];
        if (strcmp(t->name, "token_embd.weight") != 0) continue;
        type = t->type == TENSOR_F32 ? 0 : t->type == TENSOR_F16 ? 1 : 32;
    }
    writer_put_u32(&c->writer, "general.file_type", (uint32_t)type);
}

static bool check_fit(const char *path, Error *err)
{
    MemoryPlan plan;
    return check_model_file(path, err) && memory_plan_read(path, 0, 0, &plan, err) &&
           memory_plan_check(&plan, 0, err);
}

static bool write_model(Converter *c, ConvertResult *result)
{
    const ConvertOptions *o = c->options;
    writer_put_str(&c->writer, "general.name", name_of_folder(o->folder));
    hf_config_put(&c->config, &c->writer);
    put_file_type(c);
    if (!hf_tokenizer_put(o->folder, c->config.n_vocab, o->pre, &c->writer, c->err)) return false;
    result->n_tensors = c->writer.tensors.n;
    result->out_bytes = writer_file_bytes(&c->writer);
    const WriteJob job = {.path = o->out,
                          .overwrite = o->overwrite,
                          .n_threads = o->n_threads,
                          .read_row = read_row,
                          .check = o->must_fit ? check_fit : check_model_file,
                          .on_progress = report,
                          .user = c};
    return writer_run(&c->writer, &job, c->err);
}

static bool convert(Converter *c, ConvertResult *result)
{
    const ConvertOptions *o = c->options;
    struct json_object *config =
        json_read_object(o->folder, "config.json", MAX_CONFIG_BYTES, c->err);
    bool ok = config && hf_config_read(config, &c->config, c->err);
    json_object_put(config);
    if (!ok || !(c->model = safetensors_open(o->folder, c->err)) || !plan_tensors(c)) return false;
    for (size_t i = 0; i < safetensors_n_tensors(c->model); i++)
        result->in_bytes += safetensors_tensor(c->model, i)->n_bytes;
    return write_model(c, result);
}

bool convert_folder(const ConvertOptions *options, ConvertResult *result, Error *err)
{
    Converter c = {.options = options, .err = err};
    *result = (ConvertResult){0};
    c.arena = arena_new();
    bool ok = convert(&c, result);
    writer_deinit(&c.writer);
    VEC_FREE(&c.sources);
    safetensors_close(c.model);
    arena_free(c.arena);
    return ok;
}

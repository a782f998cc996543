// Every architecture against numbers that we did not make (tests/golden/family.json, by
// make_hf_golden.py): logits of tiny random models and the experts that they choose, in one pass,
// in two and token by token, with weights in F32, F16 and BF16, on every kernel table.
#include "unit/gguf_builder.h"
#include "unit/unit.h"

#include <math.h>

#include <json-c/json.h>

#include "attention.h"
#include "base/mem.h"
#include "forward.h"
#include "kernels/kernels.h"

// Of a row's largest logit: against the reference in F32 throughout, where most is the rounding of
// the cache to half floats, and against the reference with such a cache.
static const double TOLERANCE = 2e-3, HALF_CACHE_TOLERANCE = 2e-4;
enum { MAX_IDS = 64, N_CTX = 64 };

static json_object *golden;

static int load_golden(void **state)
{
    (void)state;
    golden = json_object_from_file(SOURCE_DIR "/tests/golden/family.json");
    return golden ? 0 : -1;
}

static int free_golden(void **state)
{
    (void)state;
    json_object_put(golden);
    return 0;
}

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value)) fail_msg("golden file lacks %s", key);
    return value;
}

static json_object *at(json_object *array, size_t i)
{
    return json_object_array_get_idx(array, i);
}

static const char *text_at(json_object *array, size_t i)
{
    return json_object_get_string(at(array, i));
}

// --- the file that a description stands for ------------------------------------------------------

static uint64_t hash_name(const char *model, const char *tensor)
{
    char name[128];
    snprintf(name, sizeof name, "%s/%s", model, tensor);
    uint64_t h = 0xCBF29CE484222325;
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)*c) * 0x100000001B3;
    return h;
}

// SplitMix64's top byte k stands for offset + (k - 128) / 128 * 2^exponent, exact in every type.
static float generate(uint64_t seed, uint64_t i, int exponent, int offset)
{
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z = z ^ (z >> 31);
    return (float)offset + ldexpf((float)((int)(z >> 56) - 128) / 128, exponent);
}

// A tensor's entry is [name, exponent, offset, dims], or [name, values, dims].
static json_object *dims_of(json_object *tensor)
{
    return at(tensor, json_object_array_length(tensor) - 1);
}

static size_t count_elements(json_object *tensor)
{
    size_t n = 1;
    for (size_t i = 0; i < json_object_array_length(dims_of(tensor)); i++)
        n *= (size_t)json_object_get_int(at(dims_of(tensor), i));
    return n;
}

// Vectors and routers are F32 in every file, and rows that do not fill the blocks of a format.
static TensorType type_of(json_object *tensor, TensorType wanted)
{
    bool router = strstr(text_at(tensor, 0), "ffn_gate_inp") != NULL;
    int n_in = json_object_get_int(at(dims_of(tensor), 0));
    bool fits = n_in % tensor_type_info(wanted)->block_elements == 0;
    return json_object_array_length(dims_of(tensor)) < 2 || router || !fits ? TENSOR_F32 : wanted;
}

static void add_value(StrBuf *b, TensorType type, float value)
{
    uint16_t half = float_to_half(value);
    if (type == TENSOR_F32)
        build_bytes(b, &value, sizeof value);
    else if (type == TENSOR_F16)
        build_bytes(b, &half, sizeof half);
    else
        build_bytes(b, (const char *)&value + 2, 2);
}

static size_t bytes_of(json_object *tensor, TensorType type)
{
    const TensorTypeInfo *info = tensor_type_info(type);
    return count_elements(tensor) / (size_t)info->block_elements * (size_t)info->block_bytes;
}

// Blocks whose scale is the generator's own step hold its values exactly.
static void add_q8_data(StrBuf *b, uint64_t seed, size_t n, int exponent)
{
    for (size_t i = 0; i < n; i += 32) {
        uint16_t d = float_to_half(ldexpf(1.0f / 128, exponent));
        build_bytes(b, &d, sizeof d);
        for (size_t j = i; j < i + 32; j++)
            strbuf_append_char(b,
                               (char)(int8_t)ldexpf(generate(seed, j, exponent, 0), 7 - exponent));
    }
}

static void add_tensor_data(StrBuf *b, const char *model, json_object *tensor, TensorType type)
{
    size_t n = count_elements(tensor);
    uint64_t seed = hash_name(model, text_at(tensor, 0));
    bool listed = json_object_array_length(tensor) == 3;
    if (type == TENSOR_Q8_0) add_q8_data(b, seed, n, json_object_get_int(at(tensor, 1)));
    for (size_t i = 0; type != TENSOR_Q8_0 && i < n; i++)
        add_value(b, type,
                  listed ? (float)json_object_get_double(at(at(tensor, 1), i))
                         : generate(seed, i, json_object_get_int(at(tensor, 1)),
                                    json_object_get_int(at(tensor, 2))));
    build_padding(b, 32);
}

static void add_metadata(StrBuf *b, json_object *pair)
{
    const char *key = text_at(pair, 0), *type = text_at(pair, 1);
    json_object *value = at(pair, 2);
    if (strcmp(type, "str") == 0) {
        build_pair_text(b, key, json_object_get_string(value));
    } else if (strcmp(type, "u32") == 0) {
        build_pair_u32(b, key, (uint32_t)json_object_get_int(value));
    } else if (strcmp(type, "bool") == 0) {
        build_key(b, key, GGUF_BOOL);
        strbuf_append_char(b, json_object_get_boolean(value) ? 1 : 0);
    } else {
        float f = (float)json_object_get_double(value);
        build_key(b, key, GGUF_F32);
        build_bytes(b, &f, sizeof f);
    }
}

static void build_model(json_object *model, TensorType wanted, StrBuf *b)
{
    json_object *metadata = get(model, "metadata"), *tensors = get(model, "tensors");
    size_t n_tensors = json_object_array_length(tensors), offset = 0;
    build_header(b, 3, n_tensors, json_object_array_length(metadata));
    for (size_t i = 0; i < json_object_array_length(metadata); i++)
        add_metadata(b, at(metadata, i));
    for (size_t i = 0; i < n_tensors; i++) {
        json_object *tensor = at(tensors, i), *dims = dims_of(tensor);
        TensorType type = type_of(tensor, wanted);
        build_text(b, text_at(tensor, 0));
        build_u32(b, (uint32_t)json_object_array_length(dims));
        for (size_t d = 0; d < json_object_array_length(dims); d++)
            build_u64(b, (uint64_t)json_object_get_int(at(dims, d)));
        build_u32(b, type);
        build_u64(b, offset);
        offset += (bytes_of(tensor, type) + 31) / 32 * 32;
    }
    build_padding(b, 32);
    for (size_t i = 0; i < n_tensors; i++)
        add_tensor_data(b, json_object_get_string(get(model, "name")), at(tensors, i),
                        type_of(at(tensors, i), wanted));
}

// --- comparison ----------------------------------------------------------------------------------

typedef struct Opened {
    StrBuf image;
    Gguf *gguf;
    Shape shape;
    Weights weights;
    Compute compute;
    Kv kv;
} Opened;

static void open_model(json_object *model, TensorType type, const Kernels *kernels, Opened *o)
{
    Error err = {0};
    *o = (Opened){0};
    build_model(model, type, &o->image);
    o->gguf = gguf_open_image(o->image.ptr, o->image.len, &err);
    assert_ok(o->gguf, err);
    assert_ok(shape_read(o->gguf, &o->shape, &err), err);
    assert_ok(weights_bind(o->gguf, &o->shape, &o->weights, &err), err);
    assert_ok(weights_make_copies(&o->shape, &o->weights, &err), err);
    assert_ok(compute_init(&o->compute, kernels, 1, &o->shape, &o->weights, &err), err);
    assert_ok(compute_reserve(&o->compute, &o->shape, N_CTX, &err), err);
    attention_frequencies(&o->compute, &o->shape, o->weights.rope_divisors);
    assert_ok(kv_init(&o->kv, &o->shape, o->shape.n_layers, N_CTX, &err), err);
}

static void close_model(Opened *o)
{
    kv_deinit(&o->kv);
    compute_deinit(&o->compute);
    weights_deinit(&o->weights);
    gguf_close(o->gguf);
    strbuf_deinit(&o->image);
}

static double compare_row(const float *logits, json_object *row)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < json_object_array_length(row); i++) {
        double wanted = json_object_get_double(at(row, i));
        double error = fabs((double)logits[i] - wanted);
        worst = error > worst || isnan(error) ? error : worst;
        largest = fmax(largest, fabs(wanted));
    }
    return isnan(worst) ? INFINITY : worst / largest;
}

// The last layer's choices for token t of the pass, in rising order like the golden ones.
static void compare_experts(const Opened *o, int t, json_object *wanted, const char *what)
{
    int n = o->shape.n_experts_used;
    bool chosen[MAX_IDS] = {false};
    assert_int_equal((int)json_object_array_length(wanted), n);
    for (int i = 0; i < n; i++)
        chosen[o->compute.expert_of[t * n + i]] = true;
    for (int i = 0; i < n; i++) {
        int expert = json_object_get_int(at(wanted, (size_t)i));
        if (!chosen[expert]) fail_msg("%s: expert %d was not chosen", what, expert);
    }
}

// Passes of `first` tokens and then `step` each.
static double compare_passes(Opened *o, json_object *model, int first, int step,
                             double *worst_close)
{
    json_object *ids_json = get(model, "ids"), *experts = NULL;
    json_object *plain = get(model, "logits"), *rounded = get(model, "logits_half_cache");
    json_object_object_get_ex(model, "experts", &experts);
    int n = (int)json_object_array_length(ids_json), ids[MAX_IDS];
    float *logits = mem_zero((size_t)n * (size_t)o->shape.n_vocab * sizeof *logits);
    double worst = 0;
    for (int i = 0; i < n; i++)
        ids[i] = json_object_get_int(at(ids_json, (size_t)i));
    o->kv.len = 0;
    while (o->kv.len < n) {
        int at0 = o->kv.len, wanted = at0 ? step : first;
        int n_pass = n - at0 < wanted ? n - at0 : wanted;
        forward(&o->compute, &o->shape, &o->weights, &o->kv, ids + at0, n_pass, LOGITS_ALL, logits);
        for (int t = 0; t < n_pass; t++) {
            char what[160];
            snprintf(what, sizeof what, "%s token %d in passes of %d and %d",
                     json_object_get_string(get(model, "name")), at0 + t, first, step);
            const float *row = logits + (size_t)t * (size_t)o->shape.n_vocab;
            double error = compare_row(row, at(plain, (size_t)(at0 + t)));
            double close = compare_row(row, at(rounded, (size_t)(at0 + t)));
            if (!(error <= TOLERANCE && close <= HALF_CACHE_TOLERANCE))
                fail_msg("%s: off by %.2e of the largest, with a half-float cache by %.2e", what,
                         error, close);
            *worst_close = fmax(*worst_close, close);
            worst = fmax(worst, error);
            if (experts) compare_experts(o, t, at(experts, (size_t)(at0 + t)), what);
        }
    }
    free(logits);
    return worst;
}

static void every_architecture_gives_the_reference_logits(void **state)
{
    (void)state;
    static const char *const tables[] = {"ref", "exact", "avx2", "avx512", "amx"};
    // Other tables than "exact" round the activations that meet Q8_0.
    static const TensorType types[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_Q8_0};
    json_object *models = get(golden, "models");
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        const Kernels *kernels = kernels_find(tables[k]);
        if (!kernels) {
            printf("skipped: this CPU has no %s\n", tables[k]);
            continue;
        }
        for (size_t i = 0; i < json_object_array_length(models); i++) {
            json_object *model = at(models, i);
            double worst = 0, close = 0;
            for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
                Opened o;
                if (types[t] == TENSOR_Q8_0 && strcmp(tables[k], "exact") != 0) continue;
                open_model(model, types[t], kernels, &o);
                worst = fmax(worst, compare_passes(&o, model, MAX_IDS, 1, &close));
                worst = fmax(worst, compare_passes(&o, model, 20, 3, &close));
                worst = fmax(worst, compare_passes(&o, model, 1, 1, &close));
                close_model(&o);
            }
            printf("%-7s %-20s off by %.1e of the row's largest logit, with a half-float cache by "
                   "%.1e%s\n",
                   tables[k], json_object_get_string(get(model, "name")), worst, close,
                   json_object_object_get_ex(model, "experts", NULL) ? ", experts equal" : "");
        }
    }
}

// --- what is refused -----------------------------------------------------------------------------

static json_object *find_model(const char *name)
{
    json_object *models = get(golden, "models");
    for (size_t i = 0; i < json_object_array_length(models); i++)
        if (strcmp(json_object_get_string(get(at(models, i), "name")), name) == 0)
            return at(models, i);
    fail_msg("no model %s", name);
    return NULL;
}

// The model with one pair of metadata replaced or added.
static void build_changed(const char *name, const char *pair_json, StrBuf *image)
{
    json_object *model = NULL, *pair = json_tokener_parse(pair_json);
    assert_int_equal(json_object_deep_copy(find_model(name), &model, NULL), 0);
    json_object *metadata = get(model, "metadata");
    size_t i = 0, n = json_object_array_length(metadata);
    while (i < n && strcmp(text_at(at(metadata, i), 0), text_at(pair, 0)) != 0)
        i++;
    json_object_array_put_idx(metadata, i, pair);
    build_model(model, TENSOR_F32, image);
    json_object_put(model);
}

static void refuse(const char *name, const char *pair_json, ErrorCode code, const char *wanted)
{
    StrBuf image = {0};
    build_changed(name, pair_json, &image);
    Error err = {0};
    Shape shape;
    Weights weights = {0};
    Gguf *gguf = gguf_open_image(image.ptr, image.len, &err);
    assert_ok(gguf, err);
    if (shape_read(gguf, &shape, &err) && weights_bind(gguf, &shape, &weights, &err))
        fail_msg("%s was not refused", pair_json);
    if (err.code != code || !strstr(err.text, wanted))
        fail_msg("error %d '%s', wanted %d with '%s'", err.code, err.text, code, wanted);
    weights_deinit(&weights);
    gguf_close(gguf);
    strbuf_deinit(&image);
}

static Shape read_changed(const char *name, const char *pair_json)
{
    StrBuf image = {0};
    build_changed(name, pair_json, &image);
    Error err = {0};
    Shape shape;
    Gguf *gguf = gguf_open_image(image.ptr, image.len, &err);
    assert_ok(gguf && shape_read(gguf, &shape, &err), err);
    gguf_close(gguf);
    strbuf_deinit(&image);
    return shape;
}

static void factors_of_a_file_are_multiplied(void **state)
{
    (void)state;
    Shape s = read_changed("qwen3-yarn-tied", "[\"x\",\"u32\",1]");
    assert_true(fabsf(s.rope_amplitude - 1.1386294f) < 1e-6f);
    s = read_changed("qwen3-yarn-tied", "[\"qwen3.rope.scaling.attn_factor\",\"f32\",0.87824886]");
    assert_true(fabsf(s.rope_amplitude - 1) < 1e-6f); // as R1-0528's Qwen3 states it
    s = read_changed("v2-lite-yarn", "[\"deepseek2.rope.scaling.yarn_log_multiplier\",\"f32\",0]");
    assert_true(fabsf(s.rope_amplitude - 1.3688879f) < 1e-6f); // no mscale_all_dim: cos and sin
    assert_true(fabsf(s.attention_scale - 0.2041241f) < 1e-6f);
}

static void what_cannot_be_run_is_refused_by_name(void **state)
{
    (void)state;
    refuse("qwen3", "[\"general.architecture\",\"str\",\"gemma3\"]", ERROR_UNSUPPORTED, "gemma3");
    refuse("qwen2", "[\"qwen2.rope.scaling.type\",\"str\",\"longrope\"]", ERROR_UNSUPPORTED,
           "longrope");
    refuse("qwen2", "[\"qwen2.rope.scaling.type\",\"str\",\"yarn\"]", ERROR_DAMAGED,
           "original_context_length");
    refuse("qwen3-yarn-tied", "[\"qwen3.rope.scaling.yarn_ext_factor\",\"f32\",0.5]",
           ERROR_UNSUPPORTED, "0.5");
    refuse("qwen3-yarn-tied", "[\"qwen3.rope.scaling.factor\",\"f32\",0]", ERROR_DAMAGED, "factor");
    refuse("qwen3-yarn-tied", "[\"qwen3.rope.scaling.yarn_beta_fast\",\"f32\",-1]", ERROR_DAMAGED,
           "beta");
    refuse("qwen2-tied-window", "[\"qwen2.attention.sliding_window_pattern\",\"u32\",2]",
           ERROR_UNSUPPORTED, "sliding_window_pattern");
    refuse("llama-llama3", "[\"llama.expert_count\",\"u32\",8]", ERROR_UNSUPPORTED, "expert_count");
    refuse("v3", "[\"deepseek2.expert_gating_func\",\"u32\",4]", ERROR_UNSUPPORTED, "gating_func");
    refuse("v3", "[\"deepseek2.expert_group_count\",\"u32\",3]", ERROR_DAMAGED, "3 groups");
    // With one layer less, a layer's tensors have no place.
    refuse("qwen3", "[\"qwen3.block_count\",\"u32\",1]", ERROR_UNSUPPORTED, "blk.1.");
    refuse("qwen3", "[\"qwen3.block_count\",\"u32\",3]", ERROR_DAMAGED, "blk.2.attn_norm");
    refuse("qwen3", "[\"general.architecture\",\"str\",\"qwen2\"]", ERROR_DAMAGED, "missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_architecture_gives_the_reference_logits),
        cmocka_unit_test(factors_of_a_file_are_multiplied),
        cmocka_unit_test(what_cannot_be_run_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}

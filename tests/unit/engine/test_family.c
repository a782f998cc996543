// Every architecture against numbers that we did not make (tests/golden/family.json, by
// make_hf_golden.py): logits of tiny random models and the experts that they choose, in one pass,
// in two and token by token, with weights in F32, F16 and BF16, on every kernel table.
#include "unit/family_model.h"

// Of a row's largest logit: against the reference in F32 throughout, where most is the rounding of
// the cache to half floats, and against the reference with such a cache.
// The last is for attention in 16 bits.
static const double TOLERANCE = 2e-3, HALF_CACHE_TOLERANCE = 2e-4, SHORT_TOLERANCE = 4e-4;
enum { MAX_IDS = 64 };

// --- comparison ----------------------------------------------------------------------------------

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
        chosen[o->compute.pairs.expert_of[t * n + i]] = true;
    for (int i = 0; i < n; i++) {
        int expert = json_object_get_int(at(wanted, (size_t)i));
        if (!chosen[expert]) fail_msg("%s: expert %d was not chosen", what, expert);
    }
}

static int read_ids(json_object *model, int *ids)
{
    json_object *list = get(model, "ids");
    int n = (int)json_object_array_length(list);
    for (int i = 0; i < n; i++)
        ids[i] = json_object_get_int(at(list, (size_t)i));
    return n;
}

// Passes of `first` tokens and then `step` each.
static double compare_passes(Opened *o, json_object *model, int first, int step,
                             double *worst_close)
{
    json_object *experts = NULL;
    json_object *plain = get(model, "logits"), *rounded = get(model, "logits_half_cache");
    json_object_object_get_ex(model, "experts", &experts);
    int ids[MAX_IDS], n = read_ids(model, ids);
    float *logits = mem_zero((size_t)n * (size_t)o->shape.n_vocab * sizeof *logits);
    const bool is_short = o->compute.k->rounds_weights && first > 16;
    const double close_tolerance = is_short ? SHORT_TOLERANCE : HALF_CACHE_TOLERANCE;
    double worst = 0;
    o->kv.len = 0;
    while (o->kv.len < n) {
        int at0 = o->kv.len, wanted = at0 ? step : first;
        int n_pass = n - at0 < wanted ? n - at0 : wanted;
        Pass pass = {.own = &o->kv, .ids = ids + at0, .n = n_pass};
        forward_pass(&o->compute, &o->shape, &o->weights, &pass);
        forward_logits(&o->compute, &o->shape, &o->weights, 0, n_pass, logits);
        o->kv.len += n_pass;
        for (int t = 0; t < n_pass; t++) {
            char what[160];
            snprintf(what, sizeof what, "%s token %d in passes of %d and %d",
                     json_object_get_string(get(model, "name")), at0 + t, first, step);
            const float *row = logits + (size_t)t * (size_t)o->shape.n_vocab;
            double error = compare_row(row, at(plain, (size_t)(at0 + t)));
            double close = compare_row(row, at(rounded, (size_t)(at0 + t)));
            if (!(error <= TOLERANCE && close <= close_tolerance))
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
    static const char *const tables[] = {"ref", "exact", "avx2", "avx512"};
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

// --- rows that are not read ----------------------------------------------------------------------

// Both halves of the ids, the rows of which are not read but for the last so many: all that the
// passes leave is the second half's last states.
static void run_halves(Opened *o, const int *ids, int n, int n_read, PassKernels kernels)
{
    const int half = n / 2;
    for (o->kv.len = 0; o->kv.len < 2 * half; o->kv.len += half) {
        Pass pass = {.own = &o->kv,
                     .ids = ids + o->kv.len,
                     .n = half,
                     .n_unread = o->kv.len ? half - n_read : half,
                     .kernels = kernels};
        if (n_read == half) pass.n_unread = 0;
        forward_pass(&o->compute, &o->shape, &o->weights, &pass);
    }
}

static void compare_unread(json_object *model, const Kernels *kernels, PassKernels how,
                           double tolerance)
{
    int ids[MAX_IDS], n = read_ids(model, ids), half = n / 2;
    Opened o;
    open_model(model, TENSOR_F16, kernels, &o);
    const size_t n_embd = (size_t)o.shape.n_embd, n_bytes = (size_t)half * n_embd * sizeof(float);
    float *whole = mem_zero(n_bytes);
    run_halves(&o, ids, n, half, how);
    memcpy(whole, o.compute.x, n_bytes);
    for (int n_read = 0; n_read < half; n_read = 3 * n_read + 1) {
        memset(o.kv.data, 0, o.kv.n_bytes);
        run_halves(&o, ids, n, n_read, how);
        for (size_t at = (size_t)(half - n_read) * n_embd; at < (size_t)half * n_embd; at++)
            if (!(fabs((double)o.compute.x[at] - (double)whole[at]) <= tolerance))
                fail_msg("%s, %s: row %zu is another when %d of %d are read", kernels->name,
                         json_object_get_string(get(model, "name")), at / n_embd, n_read, half);
        run_halves(&o, ids, n, half, how); // nothing of the cache was left out
        assert_memory_equal(whole, o.compute.x, n_bytes);
    }
    free(whole);
    close_model(&o);
}

// Every architecture: rows that are read have the bits that they have in a pass all of whose rows
// are, as nearly where few rows of an expert choose the kernel by their number.
static void unread_rows_change_no_bit_of_the_others(void **state)
{
    (void)state;
    static const char *const tables[] = {"ref", "avx2", "avx512"};
    json_object *models = get(golden, "models");
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        const Kernels *kernels = kernels_find(tables[k]);
        for (size_t i = 0; kernels && i < json_object_array_length(models); i++) {
            json_object *model = at(models, i);
            bool experts = json_object_object_get_ex(model, "experts", NULL);
            compare_unread(model, kernels, PASS_GROUPED, 0);
            compare_unread(model, kernels, PASS_ALONE, 0);
            compare_unread(model, kernels, PASS_FASTEST, experts ? 1e-5 : 0);
        }
    }
}

// --- what is refused -----------------------------------------------------------------------------

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

// code ERROR_NONE: any.
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
    if ((code && err.code != code) || !strstr(err.text, wanted))
        fail_msg("%s: error %d '%s', wanted %d with '%s'", pair_json, err.code, err.text, code,
                 wanted);
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

// Limits of dimensions, and numbers that do not fit each other.
static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *model, *key, *value, *word;
    } cases[] = {
        {"qwen2", "block_count", "0", "block_count"},
        {"qwen2", "block_count", "1000000000", "block_count"},
        {"qwen2", "block_count", "-1", "block_count"},
        {"qwen2", "embedding_length", "0", "embedding_length"},
        {"qwen2", "embedding_length", "2147483647", "embedding_length"},
        {"qwen2", "feed_forward_length", "0", "feed_forward_length"},
        {"qwen2", "context_length", "0", "context_length"},
        {"qwen2", "attention.head_count", "0", "head_count"},
        {"qwen2", "attention.head_count", "100000", "head_count"},
        {"qwen2", "attention.head_count_kv", "0", "head_count_kv"},
        {"qwen2", "attention.head_count_kv", "3", "whole multiple"},
        {"qwen2", "attention.head_count_kv", "8", "head_count_kv"},
        {"qwen2", "attention.key_length", "0", "key_length"},
        {"qwen2", "attention.key_length", "100000", "key_length"},
        {"qwen2", "attention.value_length", "0", "value_length"},
        {"qwen2", "rope.dimension_count", "7", "even number"},
        {"qwen2", "rope.dimension_count", "0", "dimension_count"},
        {"qwen2", "rope.dimension_count", "1024", "dimension_count"},
        {"qwen2-tied-window", "attention.sliding_window", "-5", "sliding_window"},
        {"v3", "attention.kv_lora_rank", "0", "kv_lora_rank"},
        {"v3", "attention.q_lora_rank", "-1", "q_lora_rank"},
        {"v3", "rope.dimension_count", "3", "even number"},
        {"v3", "rope.dimension_count", "1024", "rotary dimensions"},
        {"v3", "expert_count", "0", "blk.1."},
        {"v3", "expert_count", "1000000", "expert_count"},
        {"v3", "expert_used_count", "0", "expert_used_count"},
        {"v3", "expert_used_count", "17", "expert_used_count"},
        {"v3", "expert_used_count", "16", "chosen experts"},
        {"v3", "expert_group_count", "5", "equal groups"},
        {"v3", "expert_group_count", "16", "at least 2"},
        {"v3", "expert_group_used_count", "5", "expert_group_used_count"},
        {"v3", "expert_group_used_count", "0", "expert_group_used_count"},
        {"v3", "expert_feed_forward_length", "0", "expert_feed_forward_length"},
        {"v3", "expert_shared_count", "65", "expert_shared_count"},
        {"v3", "leading_dense_block_count", "3", "leading_dense_block_count"},
        {"v3", "nextn_predict_layers", "2", "nextn_predict_layers"},
        {"v3", "nextn_predict_layers", "-1", "nextn_predict_layers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char pair[160];
        Str model = str_from(cases[i].model);
        const char *arch = str_starts(model, STR("v3")) ? "deepseek2" : "qwen2";
        snprintf(pair, sizeof pair, "[\"%s.%s\",\"u32\",%s]", arch, cases[i].key, cases[i].value);
        refuse(cases[i].model, pair, ERROR_NONE, cases[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_architecture_gives_the_reference_logits),
        cmocka_unit_test(unread_rows_change_no_bit_of_the_others),
        cmocka_unit_test(factors_of_a_file_are_multiplied),
        cmocka_unit_test(what_cannot_be_run_is_refused_by_name),
        cmocka_unit_test(numbers_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, load_golden, free_golden);
}

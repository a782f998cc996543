// Conversion of folders as transformers writes them, against the logits that transformers computes
// from them and the experts that it chooses (tests/golden/convert.json, by make_convert_golden.py);
// and what is refused.
#include "unit/unit.h"

#include <unistd.h>

#include "engine/engine.h"
#include "engine/gguf.h"
#include "engine/session_state.h"
#include "model_folder.h"
#include "models/convert.h"

static const double TOLERANCE = 2e-3; // of a row's largest logit
enum { MAX_IDS = 64 };

static json_object *golden;
static char folder[64], out[96];

static void empty_folder(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s && mkdir %s", folder, folder);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    golden = json_object_from_file(SOURCE_DIR "/tests/golden/convert.json");
    strcpy(folder, "/tmp/r1ls-convert-XXXXXX");
    if (!golden || !mkdtemp(folder)) return -1;
    snprintf(out, sizeof out, "%s/out.gguf", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[96];
    json_object_put(golden);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static json_object *models(void)
{
    return folder_get(golden, "models");
}

static json_object *find_model(const char *name)
{
    for (size_t i = 0; i < json_object_array_length(models()); i++) {
        json_object *model = json_object_array_get_idx(models(), i);
        if (strcmp(json_object_get_string(folder_get(model, "name")), name) == 0) return model;
    }
    fail_msg("no model %s", name);
    return NULL;
}

// --- logits --------------------------------------------------------------------------------------

static double compare_row(const float *logits, json_object *row)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < json_object_array_length(row); i++) {
        double wanted = json_object_get_double(json_object_array_get_idx(row, i));
        worst = fmax(worst, fabs((double)logits[i] - wanted));
        largest = fmax(largest, fabs(wanted));
        if (isnan(logits[i])) return INFINITY;
    }
    return worst / largest;
}

// The choices of the last layer with experts for the token that was evaluated last, in any order.
static void compare_experts(const Session *session, json_object *wanted, const char *what)
{
    const int *chosen = session->engine->compute.pairs.expert_of;
    size_t n = (size_t)session->engine->shape.n_experts_used;
    assert_int_equal(json_object_array_length(wanted), n);
    for (size_t i = 0; i < n; i++) {
        int expert = json_object_get_int(json_object_array_get_idx(wanted, i));
        size_t at = 0;
        while (at < n && chosen[at] != expert)
            at++;
        if (at == n) fail_msg("%s: expert %d was not chosen", what, expert);
    }
}

// Token by token; experts: the last layer's choices for each, or NULL.
static double compare_file(json_object *model, json_object *rows, json_object *experts)
{
    Error err = {0};
    const EngineOptions options = {.path = out, .n_threads = 1};
    Engine *engine = engine_open(&options, &err);
    assert_ok(engine, err);
    Session *session = session_new(engine, MAX_IDS, &err);
    assert_ok(session, err);
    json_object *ids = folder_get(model, "ids");
    double worst = 0;
    for (size_t i = 0; i < json_object_array_length(ids); i++) {
        int id = json_object_get_int(json_object_array_get_idx(ids, i));
        SyncStats stats;
        if (i == 0)
            assert_ok(session_sync(session, &id, 1, (EngineCancel){0}, &stats, &err), err);
        else
            assert_ok(session_append(session, id, &err), err);
        if (rows)
            worst = fmax(worst,
                         compare_row(session_logits(session), json_object_array_get_idx(rows, i)));
        if (experts) {
            char what[96];
            snprintf(what, sizeof what, "%s, token %zu",
                     json_object_get_string(folder_get(model, "name")), i);
            compare_experts(session, json_object_array_get_idx(experts, i), what);
        }
    }
    session_free(session);
    engine_close(engine);
    return worst;
}

static double compare_model(json_object *model)
{
    return compare_file(model, folder_get(model, "logits"), NULL);
}

static bool convert(Error *err)
{
    ConvertResult result;
    const ConvertOptions options = {.folder = folder, .out = out, .n_threads = 2};
    return convert_folder(&options, &result, err);
}

static void converted_models_give_the_reference_logits(void **state)
{
    (void)state;
    static const char *const names[] = {"F32", "F16", "BF16"};
    for (size_t i = 0; i < json_object_array_length(models()); i++) {
        json_object *model = json_object_array_get_idx(models(), i);
        const char *name = json_object_get_string(folder_get(model, "name"));
        bool quantised = folder_get(folder_get(model, "config"), "quantization_config");
        for (int type = FOLDER_F32; type <= FOLDER_BF16; type++) {
            Error err = {0};
            empty_folder();
            folder_make(folder, model, (FolderType)type, type == FOLDER_F16 ? 3 : 1);
            assert_ok(convert(&err), err);
            double worst = compare_model(model);
            printf("%-13s %-4s off by %.1e of the row's largest logit\n", name, names[type], worst);
            // FP8 codes times F32 scales are rounded to BF16 here: 2^-9 a weight.
            if (!(worst <= (quantised ? 5e-3 : TOLERANCE))) fail_msg("%s: %.2e", name, worst);
        }
    }
}

// The model without the layers from `n_layers` on: what its last layer does is the same in both.
static json_object *cut_model(json_object *model, int n_layers)
{
    json_object *copy = NULL, *kept = json_object_new_array();
    json_object_deep_copy(model, &copy, NULL);
    json_object *tensors = folder_get(copy, "tensors");
    for (size_t i = 0; i < json_object_array_length(tensors); i++) {
        json_object *tensor = json_object_array_get_idx(tensors, i);
        const char *name = json_object_get_string(json_object_array_get_idx(tensor, 0));
        int layer = -1;
        if (sscanf(name, "model.layers.%d.", &layer) == 1 && layer >= n_layers) continue;
        json_object_array_add(kept, json_object_get(tensor));
    }
    json_object_object_add(copy, "tensors", kept);
    json_object_object_add(folder_get(copy, "config"), "num_hidden_layers",
                           json_object_new_int(n_layers));
    return copy;
}

static void the_reference_chooses_the_same_experts(void **state)
{
    (void)state;
    int n_models = 0;
    for (size_t i = 0; i < json_object_array_length(models()); i++) {
        json_object *model = json_object_array_get_idx(models(), i);
        json_object *experts = folder_get(model, "experts");
        if (!experts) continue;
        json_object_object_foreach(experts, layer, choices)
        {
            Error err = {0};
            ConvertResult result;
            json_object *cut = cut_model(model, atoi(layer) + 1);
            const ConvertOptions options = {
                .folder = folder, .out = out, .recipe = recipe_find("F32"), .n_threads = 1};
            empty_folder();
            folder_make(folder, cut, FOLDER_F32, 1);
            assert_ok(convert_folder(&options, &result, &err), err);
            compare_file(cut, NULL, choices);
            printf("%-13s layer %s: experts of %zu tokens equal\n",
                   json_object_get_string(folder_get(model, "name")), layer,
                   json_object_array_length(choices));
            json_object_put(cut);
        }
        n_models++;
    }
    assert_int_equal(n_models, 5); // qwen3moe, deepseek, v2-lite, v3 and v3-fp8
}

static void fp8_is_exact_in_f32(void **state)
{
    (void)state;
    Error err = {0};
    ConvertResult result;
    json_object *model = find_model("v3-fp8");
    const ConvertOptions options = {
        .folder = folder, .out = out, .recipe = recipe_find("F32"), .n_threads = 1};
    empty_folder();
    folder_make(folder, model, FOLDER_BF16, 2);
    assert_ok(convert_folder(&options, &result, &err), err);
    double worst = compare_model(model);
    printf("v3-fp8 as F32 off by %.1e\n", worst);
    assert_true(worst <= TOLERANCE);
}

// --- MTP -----------------------------------------------------------------------------------------

static void add_description(json_object *tensors, const char *name, int exponent, int rows,
                            int columns)
{
    json_object *tensor = json_object_new_array(), *shape = json_object_new_array();
    json_object_array_add(tensor, json_object_new_string(name));
    json_object_array_add(tensor, json_object_new_int(exponent));
    json_object_array_add(tensor, json_object_new_int(rows == 1));
    if (rows > 1) json_object_array_add(shape, json_object_new_int(rows));
    json_object_array_add(shape, json_object_new_int(columns));
    json_object_array_add(tensor, shape);
    json_object_array_add(tensors, tensor);
}

// The model with its last layer once more as an MTP block.
static json_object *add_mtp(json_object *model)
{
    json_object *copy = NULL;
    json_object_deep_copy(model, &copy, NULL);
    json_object *tensors = folder_get(copy, "tensors");
    size_t n = json_object_array_length(tensors);
    for (size_t i = 0; i < n; i++) {
        json_object *tensor = json_object_array_get_idx(tensors, i), *again = NULL;
        const char *name = json_object_get_string(json_object_array_get_idx(tensor, 0));
        char other[128];
        if (strncmp(name, "model.layers.1.", 15) != 0) continue;
        snprintf(other, sizeof other, "model.layers.2.%s", name + 15);
        json_object_deep_copy(tensor, &again, NULL);
        json_object_array_put_idx(again, 0, json_object_new_string(other));
        json_object_array_add(tensors, again);
    }
    add_description(tensors, "model.layers.2.eh_proj.weight", -3, 32, 64);
    add_description(tensors, "model.layers.2.enorm.weight", 0, 1, 32);
    add_description(tensors, "model.layers.2.hnorm.weight", 0, 1, 32);
    add_description(tensors, "model.layers.2.shared_head.norm.weight", -1, 1, 32);
    json_object_object_add(folder_get(copy, "config"), "num_nextn_predict_layers",
                           json_object_new_int(1));
    return copy;
}

static void mtp_blocks_are_kept_or_dropped(void **state)
{
    (void)state;
    json_object *model = add_mtp(find_model("v3"));
    for (int drop = 0; drop < 2; drop++) {
        Error err = {0};
        ConvertResult result;
        const ConvertOptions options = {.folder = folder, .out = out, .drop_mtp = drop == 1};
        empty_folder();
        folder_make(folder, model, FOLDER_BF16, 1);
        assert_ok(convert_folder(&options, &result, &err), err);
        Gguf *g = gguf_open(out, &err);
        assert_ok(g, err);
        int n_mtp = 0, n_blocks = 0;
        assert_true(gguf_read_int(g, "deepseek2.nextn_predict_layers", 0, 9, &n_mtp, &err));
        assert_true(gguf_read_int(g, "deepseek2.block_count", 0, 9, &n_blocks, &err));
        assert_int_equal(n_mtp, !drop);
        assert_int_equal(n_blocks, drop ? 2 : 3);
        assert_int_equal(gguf_find_tensor(g, "blk.2.nextn.eh_proj.weight") != NULL, !drop);
        assert_int_equal(gguf_find_tensor(g, "blk.2.attn_k_b.weight") != NULL, !drop);
        gguf_close(g);
        assert_true(compare_model(model) <= TOLERANCE);
    }
    json_object_put(model);
}

// --- what is refused -----------------------------------------------------------------------------

// The model with one setting replaced (json: its new value) or a tensor's name changed.
static void refuse(const char *name, const char *setting, const char *json, const char *wanted)
{
    json_object *model = NULL;
    Error err = {0};
    json_object_deep_copy(find_model(name), &model, NULL);
    if (strncmp(setting, "model.", 6) == 0) {
        json_object *tensors = folder_get(model, "tensors");
        for (size_t i = 0; i < json_object_array_length(tensors); i++) {
            json_object *tensor = json_object_array_get_idx(tensors, i);
            const char *old = json_object_get_string(json_object_array_get_idx(tensor, 0));
            if (strcmp(old, setting) == 0)
                json_object_array_put_idx(tensor, 0, json_object_new_string(json));
        }
    } else {
        json_object_object_add(folder_get(model, "config"), setting, json_tokener_parse(json));
    }
    empty_folder();
    folder_make(folder, model, FOLDER_BF16, 1);
    if (convert(&err)) fail_msg("%s with %s %s was converted", name, setting, json);
    if (!strstr(err.text, wanted)) fail_msg("got '%s', wanted '%s'", err.text, wanted);
    assert_int_not_equal(access(out, F_OK), 0);
    json_object_put(model);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    (void)state;
    refuse("llama", "model_type", "\"gemma3\"", "'gemma3'");
    refuse("llama", "model_type", "7", "model_type is 7");
    refuse("llama", "num_hidden_layers", "3", "model.layers.2.input_layernorm.weight is missing");
    refuse("llama", "num_hidden_layers", "1", "model.layers.1.");
    refuse("llama", "num_hidden_layers", "1000000000", "num_hidden_layers");
    refuse("llama", "hidden_size", "64", "[32, 32], wanted");
    refuse("llama", "hidden_size", "-1", "hidden_size");
    refuse("llama", "num_attention_heads", "null", "num_attention_heads");
    refuse("llama", "num_key_value_heads", "3", "whole multiple");
    refuse("llama", "hidden_act", "\"gelu\"", "'gelu'");
    refuse("llama", "rms_norm_eps", "\"x\"", "rms_norm_eps");
    refuse("llama", "rope_scaling", "{\"rope_type\": \"longrope\"}", "longrope");
    refuse("llama", "vocab_size", "31", "[32, 32], wanted [31, 32]");
    refuse("llama", "quantization_config", "{\"quant_method\": \"gptq\"}", "gptq");
    refuse("llama", "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.bias",
           "up_proj.weight is missing");
    refuse("v3", "topk_method", "\"other\"", "'other'");
    refuse("v3", "scoring_func", "\"softmax\"", "scoring_func");
    refuse("v3", "n_group", "3", "3 groups");
    refuse("v3", "n_routed_experts", "9", "is [8, 32], wanted [9, 32]");
    refuse("v3", "n_routed_experts", "7", "mlp.gate.weight");
    refuse("v3-fp8", "quantization_config", "null", "no quantization_config");
    refuse("v3-fp8", "quantization_config",
           "{\"quant_method\": \"fp8\", \"fmt\": \"e4m3\", \"weight_block_size\": [0, 1]}",
           "weight_block_size");
    refuse("qwen3moe", "mlp_only_layers", "[1]", "mlp_only_layers");
}

static void folders_that_lack_a_file_are_refused(void **state)
{
    (void)state;
    static const char *const files[] = {"config.json", "tokenizer.json", "model.safetensors"};
    for (int i = 0; i < 3; i++) {
        Error err = {0};
        char path[128];
        empty_folder();
        folder_make(folder, find_model("qwen2"), FOLDER_F32, 1);
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_int_equal(unlink(path), 0);
        assert_false(convert(&err));
        assert_int_equal(err.code, ERROR_NOT_FOUND);
        assert_non_null(strstr(err.text, files[i]));
        folder_write(folder, files[i], STR("{\"a\": 1"));
        err = (Error){0};
        assert_false(convert(&err));
        assert_int_equal(err.code, ERROR_DAMAGED);
    }
}

static void numbers_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    json_object *model = NULL;
    Error err = {0};
    json_object_deep_copy(find_model("qwen2"), &model, NULL);
    json_object *tensor = json_object_array_get_idx(folder_get(model, "tensors"), 0);
    json_object_array_put_idx(tensor, 1, json_object_new_int(200)); // infinity in F32
    empty_folder();
    folder_make(folder, model, FOLDER_F32, 1);
    assert_false(convert(&err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    assert_non_null(strstr(err.text, "not finite"));
    json_object_put(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converted_models_give_the_reference_logits),
        cmocka_unit_test(the_reference_chooses_the_same_experts),
        cmocka_unit_test(fp8_is_exact_in_f32),
        cmocka_unit_test(mtp_blocks_are_kept_or_dropped),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(folders_that_lack_a_file_are_refused),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

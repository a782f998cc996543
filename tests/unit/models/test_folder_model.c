// A folder of safetensors as a model: converted once, used again, made anew when it changes.
#include "unit/unit.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "model_folder.h"
#include "models/folder_model.h"

static json_object *golden;
static char top[64], folder[96], cache[96];
static Arena *arena;

static json_object *find_model(const char *name)
{
    json_object *models = folder_get(golden, "models");
    for (size_t i = 0; i < json_object_array_length(models); i++) {
        json_object *model = json_object_array_get_idx(models, i);
        if (strcmp(json_object_get_string(folder_get(model, "name")), name) == 0) return model;
    }
    fail_msg("no model %s", name);
    return NULL;
}

static void run(const char *format, const char *path)
{
    char command[256];
    snprintf(command, sizeof command, format, path);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(top, "/tmp/r1ls-folder-XXXXXX");
    if (!mkdtemp(top)) return -1;
    snprintf(folder, sizeof folder, "%s/my model", top);
    snprintf(cache, sizeof cache, "%s/cache", top);
    if (mkdir(folder, 0700) != 0 || mkdir(cache, 0700) != 0) return -1;
    folder_make(folder, find_model("v3-fp8"), FOLDER_BF16, 2);
    arena = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    run("rm -rf '%s'", top);
    return 0;
}

static bool find(Str *path, Error *err)
{
    const FolderModelOptions options = {.folder = folder, .cache = cache, .n_threads = 1};
    return folder_model_find(&options, arena, path, err);
}

static Str find_ok(void)
{
    Str path;
    Error err = {0};
    assert_ok(find(&path, &err), err);
    return path;
}

static ino_t inode(Str path)
{
    struct stat info;
    assert_int_equal(stat(path.ptr, &info), 0);
    return info.st_ino;
}

static int count_files(const char *end)
{
    int n = 0;
    DIR *dir = opendir(cache);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += str_ends(str_from(entry->d_name), str_from(end)) && entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void a_folder_is_converted_once_and_opens(void **state)
{
    (void)state;
    Error err = {0};
    Str path = find_ok();
    assert_true(str_contains(path, "/my-model-"));
    const EngineOptions options = {.path = path.ptr, .n_threads = 1};
    Engine *engine = engine_open(&options, &err);
    assert_ok(engine, err);
    assert_true(str_equal(engine_info(engine)->name, STR("my model")));
    engine_close(engine);
    ino_t first = inode(path);
    assert_true(str_equal(find_ok(), path));
    assert_int_equal(inode(path), first);
}

static void a_changed_folder_is_converted_anew(void **state)
{
    (void)state;
    Str path = find_ok();
    folder_write(folder, "chat_template.jinja", STR("{{ messages }}"));
    Str other = find_ok();
    assert_false(str_equal(other, path));
    assert_int_equal(access(path.ptr, F_OK), -1);
    run("touch -d 2001-01-01 '%s'/model-00002-of-00002.safetensors", folder);
    assert_false(str_equal(find_ok(), other));
    assert_int_equal(count_files(".gguf"), 1);
}

static void damaged_and_left_files_are_replaced(void **state)
{
    (void)state;
    Str path = find_ok();
    assert_int_equal(truncate(path.ptr, 5000), 0);
    Str left = arena_printf(arena, "%s.r1ls-abcdef", path.ptr);
    run("touch '%s'", left.ptr);
    assert_true(str_equal(find_ok(), path));
    struct stat info;
    assert_int_equal(stat(path.ptr, &info), 0);
    assert_true(info.st_size > 5000);
    assert_int_equal(access(left.ptr, F_OK), -1);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)total;
    return done == 0;
}

static void what_fails_leaves_nothing(void **state)
{
    (void)state;
    Str path;
    Error err = {0};
    const FolderModelOptions options = {
        .folder = folder, .cache = cache, .n_threads = 1, .on_progress = stop};
    assert_false(folder_model_find(&options, arena, &path, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    run("rm '%s'/config.json", folder);
    err = (Error){0};
    assert_false(find(&path, &err));
    assert_int_equal(err.code, ERROR_DAMAGED);
    assert_true(str_contains(str_from(err.text), "config.json"));
    run("rm -r '%s'", folder);
    err = (Error){0};
    assert_false(find(&path, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_int_equal(count_files("") - count_files(".lock"), 0);
}

// A layer of 900 GB whose data are a hole.
static void make_huge_folder(void)
{
    enum { WIDTH = 1 << 16, FF = 1 << 20, VOCAB = 32 };
    static const struct {
        const char *name;
        uint64_t rows, columns; // rows 0: a vector
    } tensors[] = {{"model.embed_tokens.weight", VOCAB, WIDTH},
                   {"model.norm.weight", 0, WIDTH},
                   {"model.layers.0.input_layernorm.weight", 0, WIDTH},
                   {"model.layers.0.post_attention_layernorm.weight", 0, WIDTH},
                   {"model.layers.0.self_attn.q_proj.weight", WIDTH, WIDTH},
                   {"model.layers.0.self_attn.k_proj.weight", WIDTH, WIDTH},
                   {"model.layers.0.self_attn.v_proj.weight", WIDTH, WIDTH},
                   {"model.layers.0.self_attn.o_proj.weight", WIDTH, WIDTH},
                   {"model.layers.0.mlp.gate_proj.weight", FF, WIDTH},
                   {"model.layers.0.mlp.up_proj.weight", FF, WIDTH},
                   {"model.layers.0.mlp.down_proj.weight", WIDTH, FF}};
    StrBuf head = {0}, file = {0};
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        uint64_t rows = tensors[i].rows, n = (rows ? rows : 1) * tensors[i].columns * 4;
        strbuf_printf(&head, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [", i ? ", " : "{",
                      tensors[i].name);
        if (rows) strbuf_printf(&head, "%llu, ", (unsigned long long)rows);
        strbuf_printf(&head, "%llu], \"data_offsets\": [%llu, %llu]}",
                      (unsigned long long)tensors[i].columns, (unsigned long long)at,
                      (unsigned long long)(at + n));
        at += n;
    }
    strbuf_append_char(&head, '}');
    build_u64(&file, head.len);
    strbuf_append(&file, strbuf_str(&head));
    folder_write(folder, "model.safetensors", strbuf_str(&file));
    Str path = arena_printf(arena, "%s/model.safetensors", folder);
    if (truncate(path.ptr, (off_t)(8 + head.len + at)) != 0) {
        printf("skipped: no file of %llu bytes can be made here\n", (unsigned long long)at);
        skip();
    }
    folder_write(folder, "config.json",
                 STR("{\"model_type\": \"llama\", \"hidden_size\": 65536, "
                     "\"intermediate_size\": 1048576, \"num_hidden_layers\": 1, "
                     "\"num_attention_heads\": 1024, \"vocab_size\": 32, "
                     "\"max_position_embeddings\": 4096, \"rms_norm_eps\": 1e-6, "
                     "\"hidden_act\": \"silu\", \"tie_word_embeddings\": true}"));
    strbuf_deinit(&head);
    strbuf_deinit(&file);
}

static void what_cannot_fit_is_refused_before_its_data_are_read(void **state)
{
    (void)state;
    Str path;
    Error err = {0};
    run("rm '%s'/*.safetensors*", folder);
    make_huge_folder();
    assert_false(find(&path, &err));
    printf("%s\n", err.text);
    // The disk is asked first.
    assert_true(err.code == ERROR_TOO_LARGE || err.code == ERROR_NO_MEMORY);
    assert_true(str_contains(str_from(err.text), "--type"));
    assert_int_equal(count_files("") - count_files(".lock"), 0);
}

static void two_processes_make_one_file(void **state)
{
    (void)state;
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            Str path;
            Error err = {0};
            _exit(find(&path, &err) && access(path.ptr, R_OK) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status = 1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_files(".gguf"), 1);
    assert_int_equal(count_files("") - count_files(".lock"), 1);
}

#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    golden = json_object_from_file(SOURCE_DIR "/tests/golden/convert.json");
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_folder_is_converted_once_and_opens),
        FOLDER_TEST(a_changed_folder_is_converted_anew),
        FOLDER_TEST(damaged_and_left_files_are_replaced),
        FOLDER_TEST(what_fails_leaves_nothing),
        FOLDER_TEST(what_cannot_fit_is_refused_before_its_data_are_read),
        FOLDER_TEST(two_processes_make_one_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_object_put(golden);
    return failed;
}

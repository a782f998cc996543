// `r1ls model convert` and `quantize`: new model files from others.
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "cli.h"
#include "engine/importance.h"
#include "models/convert.h"
#include "models/requantize.h"

typedef VEC(int) Ids;

static int exit_code(const Error *err)
{
    return err->code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED;
}

static void print_made(const char *path, uint64_t in_bytes, uint64_t out_bytes, bool json)
{
    if (!json) {
        printf("%s: %.1f MB (from %.1f MB)\n", path, (double)out_bytes / 1e6,
               (double)in_bytes / 1e6);
        return;
    }
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "event", json_object_new_string("done"));
    json_object_object_add(object, "path", cli_json_str(str_from(path)));
    json_object_object_add(object, "bytes", json_object_new_uint64(out_bytes));
    cli_json_print(object);
}

// --- convert -------------------------------------------------------------------------------------

typedef struct ConvertFlags {
    Config config;
    bool json, overwrite, no_mtp;
    const char *type, *pre;
} ConvertFlags;

static int convert(char **argv, const ConvertFlags *flags)
{
    Error err = {0};
    ConvertResult result;
    CliProgress progress;
    ConvertOptions options = {.folder = argv[1],
                              .out = argv[2],
                              .recipe = flags->type ? recipe_find(flags->type) : NULL,
                              .pre = flags->pre,
                              .drop_mtp = flags->no_mtp,
                              .overwrite = flags->overwrite,
                              .n_threads = flags->config.threads,
                              .on_progress = cli_progress_step,
                              .user = &progress};
    if (flags->type && !options.recipe)
        return cli_fail(CLI_USAGE, "unknown type '%.40s', wanted one of %s", flags->type,
                        recipe_names());
    cli_progress_start(&progress, "convert", flags->json);
    bool ok = convert_folder(&options, &result, &err);
    cli_progress_end(&progress);
    if (!ok) return cli_fail(exit_code(&err), "%s", err.text);
    print_made(options.out, result.in_bytes, result.out_bytes, flags->json);
    return CLI_DONE;
}

int cli_model_convert(int argc, char **argv)
{
    ConvertFlags flags = {0};
    config_init(&flags.config);
    const CliOption options[] = {
        {"type", "TYPE", "of the matrices, as of quantize; default: as they are, FP8 as BF16",
         CLI_TEXT, &flags.type, NULL, 0, 0},
        {"no-mtp", NULL, "without the blocks that predict more than one token", CLI_FLAG,
         &flags.no_mtp, NULL, 0, 0},
        {"pre", "NAME", "the pre-tokenizer, where tokenizer.json has none that is known", CLI_TEXT,
         &flags.pre, NULL, 0, 0},
        {"overwrite", NULL, "replace OUT if it exists", CLI_FLAG, &flags.overwrite, NULL, 0, 0},
        CLI_OPTION_THREADS(&flags.config),
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {"r1ls model convert FOLDER OUT [options]",
                                "Makes one GGUF file of a folder with config.json, tokenizer.json "
                                "and safetensors (F32, F16,\n"
                                "BF16, FP8 with block scales): Llama, Qwen2, Qwen3 and its MoE, "
                                "DeepSeek V1 to V3 and R1.\n",
                                options,
                                sizeof options / sizeof *options,
                                2,
                                2};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) code = convert(argv, &flags);
    config_deinit(&flags.config);
    return code;
}

// --- quantize ------------------------------------------------------------------------------------

typedef struct QuantizeFlags {
    Config config;
    bool json, overwrite;
    const char *importance;
} QuantizeFlags;

static bool poll_interrupt(void *progress)
{
    (void)progress;
    return cli_progress_interrupted();
}

static void show_tokens(void *progress, size_t done, size_t total)
{
    cli_progress_step(progress, done, total);
}

// NULL: printed, and *code is set.
static Importance *read_importance(const char *model, const QuantizeFlags *flags, Arena *arena,
                                   int *code)
{
    Error err = {0};
    Ids ids = {0};
    Importance *importance = NULL;
    CliProgress progress;
    TextSnap *text = text_read_file(flags->importance, TEXT_MAX_BYTES, &err);
    if (!text) {
        *code = cli_fail(CLI_USAGE, "%s", err.text);
        return NULL;
    }
    const EngineOptions options = {.n_threads = flags->config.threads};
    Engine *engine = cli_open_model(model, options, arena, code);
    if (engine) {
        size_t n = engine_tokenize(engine, text_str(text), false, NULL, 0);
        VEC_RESERVE(&ids, n + 1);
        ids.n = engine_tokenize(engine, text_str(text), false, ids.items, n);
        cli_progress_start(&progress, "importance", flags->json);
        progress.in_tokens = true;
        importance = importance_collect(
            engine, ids.items, ids.n, (EngineCancel){poll_interrupt, &progress}, show_tokens, &err);
        cli_progress_end(&progress);
        if (!importance) *code = cli_fail(exit_code(&err), "importance: %s", err.text);
    }
    VEC_FREE(&ids);
    engine_close(engine);
    text_release(text);
    return importance;
}

static int run_requantize(RequantizeOptions options, const QuantizeFlags *flags)
{
    Error err = {0};
    RequantizeResult result;
    CliProgress progress;
    cli_progress_start(&progress, "quantize", flags->json);
    options.on_progress = cli_progress_step;
    options.user = &progress;
    bool ok = requantize(&options, &result, &err);
    cli_progress_end(&progress);
    if (!ok) return cli_fail(exit_code(&err), "%s", err.text);
    print_made(options.out, result.in_bytes, result.out_bytes, flags->json);
    if (result.was_quantised)
        fprintf(stderr, "r1ls: %s was quantised already: what it lost stays lost\n", options.in);
    if (result.n_fallbacks)
        fprintf(stderr,
                "r1ls: %d tensors have rows that %s does not divide, and got another type\n",
                result.n_fallbacks, recipe_name(options.recipe));
    return CLI_DONE;
}

static int quantize(char **argv, const QuantizeFlags *flags)
{
    Error err = {0};
    Str in;
    int code = CLI_FAILED;
    RequantizeOptions options = {.out = argv[2],
                                 .recipe = recipe_find(argv[3]),
                                 .overwrite = flags->overwrite,
                                 .n_threads = flags->config.threads};
    if (!options.recipe)
        return cli_fail(CLI_USAGE, "unknown type '%.40s', wanted one of %s", argv[3],
                        recipe_names());
    Arena *arena = arena_new();
    Importance *importance = NULL;
    bool ok = cli_find_model(argv[1], arena, &in, &err);
    if (ok && in.len == 0)
        ok = error_set(&err, ERROR_INVALID, "the embedded model is no file, wanted a path or name");
    if (!ok) code = cli_fail(CLI_USAGE, "%s", err.text);
    if (ok && flags->importance) {
        importance = read_importance(argv[1], flags, arena, &code);
        ok = importance != NULL;
    }
    if (ok) {
        options.in = in.ptr;
        options.importance = importance;
        code = run_requantize(options, flags);
    }
    importance_free(importance);
    arena_free(arena);
    return code;
}

int cli_model_quantize(int argc, char **argv)
{
    QuantizeFlags flags = {0};
    config_init(&flags.config);
    const CliOption options[] = {
        {"importance", "FILE", "text whose activations say which columns matter", CLI_TEXT,
         &flags.importance, NULL, 0, 0},
        {"overwrite", NULL, "replace OUT if it exists", CLI_FLAG, &flags.overwrite, NULL, 0, 0},
        CLI_OPTION_THREADS(&flags.config),
        CLI_OPTION_JSON(&flags.json),
    };
    StrBuf about = {0};
    strbuf_printf(&about,
                  "Writes the model IN (a path, or a name in the cache folder) as OUT. TYPE is one "
                  "of\n%s.\nOUT appears when it is whole.\n",
                  recipe_names());
    const CliCommand command = {"r1ls model quantize IN OUT TYPE [options]",
                                about.ptr,
                                options,
                                sizeof options / sizeof *options,
                                3,
                                3};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) code = quantize(argv, &flags);
    config_deinit(&flags.config);
    strbuf_deinit(&about);
    return code;
}

// `r1ls model`: its actions, and `info`, what a model file says about itself.
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char *fim_text(FimOrder order)
{
    switch (order) {
    case FIM_NONE:
        return "none";
    case FIM_PREFIX_FIRST:
        return "prefix first";
    case FIM_SUFFIX_FIRST:
        return "suffix first";
    case FIM_LINE_LAST:
        return "line last";
    }
    return "none";
}

// One list for both outputs: a row is a text or a number.
typedef struct Fact {
    const char *key;
    Str text;
    double number; // where text.ptr is NULL
} Fact;

enum { N_FACTS = 25 };

static size_t list_facts(const EngineInfo *info, Fact facts[N_FACTS])
{
    const Fact all[] = {
        {"name", info->name.ptr ? info->name : STR(""), 0},
        {"arch", info->arch, 0},
        {"license", info->license.ptr ? info->license : STR(""), 0},
        {"quantisation", info->quantisation, 0},
        {"n_params", {0}, (double)info->n_params},
        {"n_active_params", {0}, (double)info->n_active_params},
        {"n_active_bytes", {0}, (double)info->n_active_bytes},
        {"n_layers", {0}, info->n_layers},
        {"n_mtp_layers", {0}, info->n_mtp_layers},
        {"n_embd", {0}, info->n_embd},
        {"n_vocab", {0}, info->n_vocab},
        {"n_ctx_train", {0}, info->n_ctx_train},
        {"cache_bytes_per_token", {0}, (double)info->cache_bytes_per_token},
        {"file_bytes", {0}, (double)info->file_bytes},
        {"fim_order", str_from(fim_text(info->fim_order)), 0},
        {"fim_prefix", {0}, info->fim_prefix},
        {"fim_suffix", {0}, info->fim_suffix},
        {"fim_middle", {0}, info->fim_middle},
        {"file_sep", {0}, info->file_sep},
        {"bos", {0}, info->bos},
        {"eos", {0}, info->eos},
        {"add_bos", info->add_bos ? STR("yes") : STR("no"), 0},
        {"chat_template",
         info->chat                ? STR("yes")
         : info->chat_template.len ? STR("unknown form")
                                   : STR("no"),
         0},
        {"isa", str_from(info->isa), 0},
        {"threads", {0}, info->n_threads},
    };
    _Static_assert(sizeof all / sizeof *all == N_FACTS, "N_FACTS counts the rows");
    memcpy(facts, all, sizeof all);
    return N_FACTS;
}

static void print_info(const EngineInfo *info, bool json)
{
    Fact facts[N_FACTS];
    size_t n = list_facts(info, facts);
    struct json_object *object = json ? json_object_new_object() : NULL;
    for (size_t i = 0; i < n; i++) {
        const Fact *f = &facts[i];
        if (json)
            json_object_object_add(object, f->key,
                                   f->text.ptr ? cli_json_str(f->text)
                                               : json_object_new_int64((int64_t)f->number));
        else if (f->text.ptr)
            printf("%-22s %.*s\n", f->key, STR_FMT(f->text));
        else
            printf("%-22s %.0f\n", f->key, f->number);
    }
    if (json) cli_json_print(object);
}

static int run_info(int argc, char **argv)
{
    bool json = false;
    const CliOption options[] = {CLI_OPTION_JSON(&json)};
    const CliCommand command = {"r1ls model info M [options]",
                                "Opens and checks a model and prints what it is. M is a file, a "
                                "folder of safetensors,\n"
                                "'embedded', or a name in the cache folder.\n",
                                options,
                                sizeof options / sizeof *options,
                                1,
                                1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    Arena *arena = arena_new();
    Engine *engine = cli_open_model(argv[1], (EngineOptions){0}, arena, &code);
    if (engine) {
        print_info(engine_info(engine), json);
        code = CLI_DONE;
    }
    engine_close(engine);
    arena_free(arena);
    return code;
}

int cli_model(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } actions[] = {{"info", run_info},
                   {"verify", cli_model_verify},
                   {"convert", cli_model_convert},
                   {"quantize", cli_model_quantize},
                   {"pull", cli_model_pull}};
    for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, argv[1]) == 0) return actions[i].run(argc - 1, argv + 1);
    const CliCommand command = {
        "r1ls model info|verify|convert|quantize|pull ...",
        "Model files. Each action has its own --help.\n\n"
        "  model info M                 what a model is\n"
        "  model verify M               every byte of it checked\n"
        "  model convert FOLDER OUT     a folder of safetensors to a GGUF file\n"
        "  model quantize IN OUT TYPE   a GGUF file in another format\n"
        "  model pull URL               a model from the network, by its checksum\n",
        NULL,
        0,
        0,
        -1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    if (n_args == 0)
        return cli_fail(CLI_USAGE, "no action, wanted info, verify, convert, quantize or pull");
    return cli_fail(CLI_USAGE,
                    "unknown action '%.60s', wanted info, verify, convert, quantize or pull",
                    argv[1]);
}

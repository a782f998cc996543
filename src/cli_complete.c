// `r1ls complete`: what the editor would be offered at a place, without an editor.
#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

typedef struct Flags {
    Config config;
    const char *root;
    bool json, no_gate;
} Flags;

// LINE and COL from 1 to an offset; COL may be one past the line's last byte.
static bool find_offset(const TextSnap *text, const int place[2], size_t *byte_off, Error *err)
{
    uint32_t n_lines = text_n_lines(text), row = (uint32_t)place[0] - 1;
    if (row >= n_lines)
        return error_set(err, ERROR_INVALID, "line %d, wanted 1 to %u", place[0], n_lines);
    size_t start = text_line_start(text, row), n_cols = text_line_end(text, row) - start + 1;
    if ((size_t)place[1] > n_cols)
        return error_set(err, ERROR_INVALID, "column %d of line %d, wanted 1 to %zu", place[1],
                         place[0], n_cols);
    *byte_off = start + (size_t)place[1] - 1;
    return true;
}

static CompleteRequest make_request(const Config *config, const CliFile *file, size_t byte_off)
{
    return (CompleteRequest){
        .text = file->text,
        .lang = language_by_path(file->path.ptr),
        .path = file->relative,
        .byte_off = byte_off,
        .selected_range = {byte_off, byte_off},
        .max_tokens = config->max_tokens,
        .max_prompt_tokens = config->prompt_tokens,
        .multi_line = config->multi_line,
        .gate = config->gate,
        .budget_ms = config->budget_ms,
    };
}

static struct json_object *json_times(const CompleteResult *r, double load_ms)
{
    const struct {
        const char *name;
        double ms;
    } times[] = {
        {"load", load_ms},        {"prompt", r->ms_prompt},           {"prefill", r->ms_prefill},
        {"decode", r->ms_decode}, {"first_token", r->ms_first_token}, {"total", r->ms_total}};
    struct json_object *ms = json_object_new_object();
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        json_object_object_add(ms, times[i].name, cli_json_num(times[i].ms, 3));
    return ms;
}

static void print_json(const TextSnap *text, const CompleteResult *r, double load_ms)
{
    struct json_object *out = json_object_new_object(), *items = json_object_new_array();
    if (r->insert.len) {
        struct json_object *item = json_object_new_object();
        json_object_object_add(item, "insertText", cli_json_str(r->insert));
        json_object_object_add(item, "range", cli_json_range(text, r->replace));
        json_object_array_add(items, item);
    }
    json_object_object_add(out, "items", items);
    json_object_object_add(out, "prompt_tokens", json_object_new_int(r->prompt_tokens));
    json_object_object_add(out, "reused_tokens", json_object_new_int(r->reused_tokens));
    json_object_object_add(out, "evaluated_tokens", json_object_new_int(r->evaluated_tokens));
    json_object_object_add(out, "generated_tokens", json_object_new_int(r->generated_tokens));
    json_object_object_add(out, "confidence", cli_json_num(r->confidence, 4));
    json_object_object_add(out, "ms", json_times(r, load_ms));
    const char *why = why_nothing_text(r->why);
    json_object_object_add(out, "why_nothing", r->insert.len ? NULL : json_object_new_string(why));
    json_object_object_add(out, "raw", cli_json_str(r->raw));
    cli_json_print(out);
}

static void print_text(const CompleteResult *r)
{
    if (r->insert.len)
        printf("%.*s\n", STR_FMT(r->insert));
    else
        cli_fail(CLI_FINDINGS, "nothing to offer: %s", why_nothing_text(r->why));
    fprintf(stderr,
            "r1ls: %d prompt tokens, %d generated, confidence %.2f, %.0f ms (prefill %.0f, decode "
            "%.0f)\n",
            r->prompt_tokens, r->generated_tokens, r->confidence, r->ms_total, r->ms_prefill,
            r->ms_decode);
}

static int offer(Engine *engine, const Flags *flags, const CliFile *file, size_t byte_off,
                 Arena *arena)
{
    Error err = {0};
    Session *session = session_new(engine, flags->config.context, &err);
    if (!session) return cli_fail(CLI_FAILED, "%s", err.text);
    CompleteRequest request = make_request(&flags->config, file, byte_off);
    CompleteResult result = {0};
    bool ok = complete_run(engine, session, &request, (EngineCancel){0}, arena, &result, &err);
    session_free(session);
    if (!ok) return cli_fail(CLI_FAILED, "%s", err.text);
    if (flags->json)
        print_json(file->text, &result, engine_info(engine)->open_ms);
    else
        print_text(&result);
    return result.insert.len ? CLI_DONE : CLI_FINDINGS;
}

static int run(const Flags *flags, const char *place, Arena *arena)
{
    Error err = {0};
    Str path;
    CliFile file;
    int numbers[2] = {0}, code = CLI_DONE;
    size_t byte_off = 0;
    if (!cli_split_place(place, 2, arena, &path, numbers, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    if (!cli_read_file(path, flags->root, arena, &file, &err))
        return cli_fail(err.code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED, "%s", err.text);
    Engine *engine = NULL;
    if (!find_offset(file.text, numbers, &byte_off, &err))
        code = cli_fail(CLI_USAGE, "%s: %s", path.ptr, err.text);
    else
        engine = cli_open_model(flags->config.model,
                                (EngineOptions){.n_threads = flags->config.threads}, arena, &code);
    if (engine) code = offer(engine, flags, &file, byte_off, arena);
    engine_close(engine);
    text_release(file.text);
    return code;
}

int cli_complete(int argc, char **argv)
{
    Flags flags = {0};
    config_init(&flags.config);
    const CliOption options[] = {
        CLI_OPTION_MODEL(&flags.config),
        {"root", "DIR", "project folder; default: the nearest one with .git", CLI_TEXT, &flags.root,
         NULL, 0, 0},
        {"no-gate", NULL, "offer also what the model is unsure of", CLI_FLAG, &flags.no_gate, NULL,
         0, 0},
        {"max-tokens", "N", "tokens of the suggestion", CLI_CONFIG, &flags.config, "maxTokens", 0,
         0},
        CLI_OPTION_THREADS(&flags.config),
        CLI_OPTION_SET(&flags.config),
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {
        "r1ls complete FILE:LINE:COL [options]",
        "Completes the text at a place as the editor's ghost text would, and prints it.\n"
        "LINE and COL count from 1, COL in bytes. Exit codes: 0 offered, 1 nothing to offer,\n"
        "2 usage or configuration, 3 failure.\n",
        options,
        sizeof options / sizeof *options,
        1,
        1};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) {
        if (flags.no_gate) flags.config.gate = 0;
        Arena *arena = arena_new();
        code = run(&flags, argv[1], arena);
        arena_free(arena);
    }
    config_deinit(&flags.config);
    return code;
}

// `r1ls complete`: what the editor would be offered at a place, without an editor.
#include "complete.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"

typedef struct Flags {
    Config config;
    const char *root;
    bool json, no_gate, show_context;
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
    json_object_object_add(out, "piece_tokens", json_object_new_int(r->piece_tokens));
    json_object_object_add(out, "reused_tokens", json_object_new_int(r->reused_tokens));
    json_object_object_add(out, "evaluated_tokens", json_object_new_int(r->evaluated_tokens));
    json_object_object_add(out, "generated_tokens", json_object_new_int(r->generated_tokens));
    json_object_object_add(out, "line_probability", cli_json_num(r->line_prob, 4));
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
            "r1ls: %d prompt tokens, %d generated, probability %.2f, %.0f ms (prefill %.0f, decode "
            "%.0f)\n",
            r->prompt_tokens, r->generated_tokens, r->line_prob, r->ms_total, r->ms_prefill,
            r->ms_decode);
}

// --- other files ---------------------------------------------------------------------------------

enum { INDEX_WAIT_MS = 20000, INDEX_POLL_US = 2000 };

static void no_news(void *user)
{
    (void)user;
}

// The editor's server has an index at hand; here it is opened, read from the store or filled.
static Index *open_index(const Config *config, const char *root)
{
    IndexOptions options = {.root = root,
                            .rules = {config->index_ignore,
                                      (size_t)config->index_file_kilobytes * 1024,
                                      (size_t)config->index_files},
                            .n_threads = config->index_threads,
                            .max_memory_bytes = (size_t)config->index_megabytes << 20,
                            .keep = config->index_store};
    Index *index = index_open(&options, (IndexEvents){no_news, NULL});
    double start = clock_ms();
    while (index_status(index).state != INDEX_READY && clock_ms() - start < INDEX_WAIT_MS)
        usleep(INDEX_POLL_US);
    return index;
}

static bool choose_pieces(const Config *config, const EngineInfo *info, const CliFile *file,
                          size_t byte_off, Arena *arena, CompleteRequest *request, Error *err)
{
    unsigned parts;
    if (!context_read_parts(str_from(config->context_parts), info, &parts, err)) return false;
    if (parts == 0 || config->context_bytes == 0 || !request->lang || !file->root.len) return true;
    Syntax *syntax = syntax_parse(request->lang, file->text, NULL);
    if (!syntax) return true;
    Index *index = open_index(config, file->root.ptr);
    ContextPiece *pieces;
    ContextRequest context = {.indexes = &index,
                              .n_indexes = 1,
                              .syntax = syntax,
                              .byte_off = byte_off,
                              .path = file->path,
                              .root = file->root,
                              .parts = parts,
                              .max_bytes = (size_t)config->context_bytes};
    request->n_pieces = context_choose(&context, arena, &pieces);
    request->pieces = pieces;
    index_close(index);
    while (index_status(index).state != INDEX_CLOSED)
        usleep(INDEX_POLL_US);
    index_release(index);
    syntax_release(syntax);
    return true;
}

static void print_pieces(const CompleteRequest *request)
{
    for (size_t i = 0; i < request->n_pieces; i++)
        fprintf(stderr, "--- %.*s\n%.*s", STR_FMT(request->pieces[i].path),
                STR_FMT(request->pieces[i].text));
}

static int offer(Engine *engine, const Flags *flags, const CliFile *file, size_t byte_off,
                 Arena *arena)
{
    Error err = {0};
    Session *session = session_new(engine, flags->config.context, &err);
    if (!session) return cli_fail(CLI_FAILED, "%s", err.text);
    CompleteRequest request = make_request(&flags->config, file, byte_off);
    CompleteResult result = {0};
    bool ok =
        choose_pieces(&flags->config, engine_info(engine), file, byte_off, arena, &request, &err);
    if (ok && flags->show_context) print_pieces(&request);
    ok = ok && complete_run(engine, session, &request, (EngineCancel){0}, arena, &result, &err);
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
        {"show-context", NULL, "print what of other files the model sees", CLI_FLAG,
         &flags.show_context, NULL, 0, 0},
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

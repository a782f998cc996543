// `r1ls surprise`: the editor's hints about unlikely names, without an editor.
#include "surprise.h"

#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "index/symbols.h"
#include "prompt/indent.h"

// With the setting off, the command still has something to look for.
static const double DEFAULT_MARGIN = 8;

typedef struct Flags {
    Config config;
    bool json;
} Flags;

typedef struct Run {
    const Flags *flags;
    Engine *engine;
    Session *session;
    bool found;
} Run;

static void print_json(const CliFile *file, const Syntax *syntax, size_t byte_off,
                       const SurpriseResult *r)
{
    const TextSnap *text = syntax_text(syntax);
    struct json_object *o = json_object_new_object(), *findings = json_object_new_array();
    for (size_t i = 0; i < r->n; i++) {
        struct json_object *item = json_object_new_object();
        json_object_object_add(item, "range", cli_json_range(text, r->items[i].range));
        json_object_object_add(item, "name", cli_json_str(r->items[i].name));
        json_object_object_add(item, "expected", cli_json_str(r->items[i].expected));
        json_object_object_add(item, "margin", cli_json_num(r->items[i].margin, 3));
        json_object_array_add(findings, item);
    }
    json_object_object_add(o, "file", cli_json_str(file->relative));
    json_object_object_add(o, "function", cli_json_str(r->function));
    json_object_object_add(o, "line",
                           json_object_new_int64((int64_t)text_point(text, byte_off).row + 1));
    json_object_object_add(o, "findings", findings);
    json_object_object_add(o, "names", json_object_new_int(r->n_names));
    json_object_object_add(o, "compared", json_object_new_int(r->n_places));
    json_object_object_add(o, "tokens", json_object_new_int(r->n_tokens));
    json_object_object_add(o, "ms", cli_json_num(r->ms, 3));
    cli_json_print(o);
    fflush(stdout);
}

static void print_text(const char *path, const TextSnap *text, const SurpriseResult *r)
{
    Arena *arena = arena_new();
    for (size_t i = 0; i < r->n; i++) {
        TextPoint at = text_point(text, r->items[i].range.start);
        RuleFinding finding = surprise_finding(&r->items[i], arena);
        printf("%s:%u:%u: %.*s (%.1f nats)\n", path, at.row + 1, at.col_bytes + 1,
               STR_FMT(finding.message), r->items[i].margin);
    }
    arena_free(arena);
}

static int look_at(Run *run, const char *path, const CliFile *file, const Syntax *syntax,
                   size_t byte_off)
{
    Error err = {0};
    double margin = run->flags->config.surprise;
    SurpriseRequest request = {syntax, byte_off, margin > 0 ? margin : DEFAULT_MARGIN};
    SurpriseResult result;
    Arena *arena = arena_new();
    bool ok =
        surprise_run(run->engine, run->session, &request, (EngineCancel){0}, arena, &result, &err);
    if (ok && run->flags->json)
        print_json(file, syntax, byte_off, &result);
    else if (ok)
        print_text(path, file->text, &result);
    run->found = run->found || (ok && result.n > 0);
    arena_free(arena);
    return ok ? CLI_DONE : cli_fail(CLI_FAILED, "%s: %s", path, err.text);
}

static int look_at_all(Run *run, const char *path, const CliFile *file, const Syntax *syntax,
                       Arena *arena)
{
    Symbol *symbols;
    SyntaxFunction f;
    size_t n = symbols_collect(syntax, arena, &symbols), last = SIZE_MAX;
    int code = CLI_DONE;
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        size_t at = symbols[i].name_range.start;
        bool function = symbols[i].kind == SYMBOL_FUNCTION || symbols[i].kind == SYMBOL_METHOD;
        if (!function || !syntax_function_at(syntax, at, &f) || f.whole.start == last) continue;
        last = f.whole.start;
        code = look_at(run, path, file, syntax, at);
    }
    return code;
}

static int look_at_line(Run *run, const char *path, const CliFile *file, const Syntax *syntax,
                        int line)
{
    uint32_t row = (uint32_t)line - 1, n_lines = text_n_lines(file->text);
    if (row >= n_lines)
        return cli_fail(CLI_USAGE, "%s: line %d, wanted 1 to %u", path, line, n_lines);
    size_t at = text_line_start(file->text, row) + indent_blanks(text_line(file->text, row)).len;
    SyntaxFunction f;
    if (!syntax_function_at(syntax, at, &f))
        return cli_fail(CLI_USAGE, "%s: line %d is in no function", path, line);
    return look_at(run, path, file, syntax, at);
}

// FILE, or FILE:LINE where there is no file of that name.
static int look_at_place(Run *run, const char *place)
{
    Error err = {0};
    CliFile file = {0};
    Arena *arena = arena_new();
    Str path = arena_str(arena, str_from(place));
    int numbers[2] = {0}, code;
    Syntax *syntax = NULL;
    const Language *lang = NULL;
    if (access(place, F_OK) != 0 && !cli_split_place(place, 1, arena, &path, numbers, &err))
        code = cli_fail(CLI_USAGE, "'%.120s' is no file and no FILE:LINE", place);
    else if (!cli_read_file(path, NULL, arena, &file, &err))
        code = cli_fail(CLI_FAILED, "%s", err.text);
    else if (!(lang = language_by_path(file.path.ptr)))
        code = cli_fail(CLI_USAGE, "%s: no grammar knows a file of this name", path.ptr);
    else if (!(syntax = syntax_parse(lang, file.text, NULL)))
        code = cli_fail(CLI_FAILED, "%s is too large to be parsed", path.ptr);
    else if (numbers[0])
        code = look_at_line(run, path.ptr, &file, syntax, numbers[0]);
    else
        code = look_at_all(run, path.ptr, &file, syntax, arena);
    syntax_release(syntax);
    text_release(file.text);
    arena_free(arena);
    return code;
}

static int run_places(const Flags *flags, char **places, int n)
{
    Error err = {0};
    int code = CLI_DONE;
    Arena *arena = arena_new();
    EngineOptions options = {.n_threads = flags->config.threads};
    Run run = {.flags = flags,
               .engine = cli_open_model(flags->config.model, options, arena, &code)};
    if (run.engine) run.session = session_new(run.engine, flags->config.context, &err);
    if (run.engine && !run.session) code = cli_fail(CLI_FAILED, "%s", err.text);
    for (int i = 0; run.session && i < n; i++) {
        int got = look_at_place(&run, places[i]);
        if (got > code) code = got;
    }
    session_free(run.session);
    engine_close(run.engine);
    arena_free(arena);
    return code == CLI_DONE && run.found ? CLI_FINDINGS : code;
}

int cli_surprise(int argc, char **argv)
{
    Flags flags = {0};
    config_init(&flags.config);
    const CliOption options[] = {
        CLI_OPTION_MODEL(&flags.config),
        {"margin", "NATS", "the least to report (default 8)", CLI_CONFIG, &flags.config, "surprise",
         0, 0},
        CLI_OPTION_THREADS(&flags.config),
        CLI_OPTION_SET(&flags.config),
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {
        "r1ls surprise FILE[:LINE]... [options]",
        "Reports names of parameters and local variables that the model finds unlikely where\n"
        "another one in scope is likely: in the function at the line, or in all of the file.\n"
        "The margin is the difference of the log-probabilities of both, with what follows.\n"
        "--json prints an object for each function. Exit codes: 0 none, 1 some, 2 usage, 3 "
        "failure.\n",
        options,
        sizeof options / sizeof *options,
        1,
        -1};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code))
        code = run_places(&flags, argv + 1, n_args);
    config_deinit(&flags.config);
    return code;
}

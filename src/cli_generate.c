// `r1ls generate`: the editor's "Write this function's body", with its evidence in plain lines.
#include "generate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

typedef struct Flags {
    Config config;
    const char *root;
    bool json, apply, diff;
    uint64_t seed;
} Flags;

static const char *verdict_text(Verdict verdict)
{
    switch (verdict) {
    case VERDICT_PENDING:
        return "pending";
    case VERDICT_PASS:
        return "pass";
    case VERDICT_FAIL:
        return "fail";
    case VERDICT_SKIPPED:
        return "skipped";
    }
    return "unknown";
}

// --- output --------------------------------------------------------------------------------------

static struct json_object *json_candidate(const BodyCandidate *c)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "body", cli_json_str(c->body));
    json_object_object_add(o, "verdict", json_object_new_string(verdict_text(c->verdict)));
    json_object_object_add(o, "parse", json_object_new_string(verdict_text(c->evidence.parse)));
    json_object_object_add(o, "parse_note", cli_json_str(c->evidence.parse_note));
    json_object_object_add(o, "compile", json_object_new_string(verdict_text(c->evidence.compile)));
    json_object_object_add(o, "compile_note", cli_json_str(c->evidence.compile_note));
    json_object_object_add(o, "command", cli_json_str(c->evidence.command));
    json_object_object_add(o, "n_tokens", json_object_new_int(c->n_tokens));
    json_object_object_add(o, "confidence", cli_json_num(c->confidence, 4));
    json_object_object_add(o, "decode_ms", cli_json_num(c->ms_decode, 3));
    json_object_object_add(o, "parse_ms", cli_json_num(c->evidence.parse_ms, 3));
    json_object_object_add(o, "compile_ms", cli_json_num(c->evidence.compile_ms, 3));
    return o;
}

static void print_json(const CliFile *file, const BodyResult *r, Str diff, bool applied)
{
    struct json_object *o = json_object_new_object(), *all = json_object_new_array();
    for (int i = 0; i < r->n_candidates; i++)
        json_object_array_add(all, json_candidate(&r->candidates[i]));
    json_object_object_add(o, "found", json_object_new_boolean(r->found));
    json_object_object_add(o, "summary", cli_json_str(r->summary));
    if (r->found) {
        json_object_object_add(o, "chosen", json_object_new_int(r->chosen));
        json_object_object_add(o, "compiled", json_object_new_boolean(r->compiled));
        json_object_object_add(o, "insertText", cli_json_str(r->insert));
        json_object_object_add(o, "range", cli_json_range(file->text, r->replace));
        json_object_object_add(o, "diff", cli_json_str(diff));
    }
    json_object_object_add(o, "applied", json_object_new_boolean(applied));
    json_object_object_add(o, "candidates", all);
    json_object_object_add(o, "prompt_tokens", json_object_new_int(r->prompt_tokens));
    json_object_object_add(o, "reused_tokens", json_object_new_int(r->reused_tokens));
    json_object_object_add(o, "ms", cli_json_num(r->ms_total, 3));
    cli_json_print(o);
}

// The story goes to stderr, so that stdout is the body or the diff alone.
static void tell_candidates(const BodyResult *r)
{
    for (int i = 0; i < r->n_candidates; i++) {
        const BodyCandidate *c = &r->candidates[i];
        const Evidence *e = &c->evidence;
        fprintf(stderr, "candidate %d: %s, %d tokens in %.0f ms, confidence %.2f\n", i + 1,
                verdict_text(c->verdict), c->n_tokens, c->ms_decode, c->confidence);
        fprintf(stderr, "  parse   %s: %.*s (%.1f ms)\n", verdict_text(e->parse),
                STR_FMT(e->parse_note), e->parse_ms);
        fprintf(stderr, "  compile %s: %.*s (%.0f ms)\n", verdict_text(e->compile),
                STR_FMT(e->compile_note), e->compile_ms);
        if (e->command.len) fprintf(stderr, "  command %.*s\n", STR_FMT(e->command));
    }
    fprintf(stderr, "%.*s; %d prompt tokens, %.0f ms\n", STR_FMT(r->summary), r->prompt_tokens,
            r->ms_total);
}

static void print_text(const Flags *flags, const CliFile *file, const BodyResult *r, Str diff,
                       bool applied)
{
    tell_candidates(r);
    if (!r->found) return;
    if (flags->diff)
        printf("%.*s", STR_FMT(diff));
    else if (!applied)
        printf("%.*s\n", STR_FMT(r->insert));
    if (applied) fprintf(stderr, "written: %.*s\n", STR_FMT(file->path));
}

static void show_progress(void *user, int pct, Str text)
{
    (void)user;
    fprintf(stderr, "\r\033[K%3d%% %.*s", pct, STR_FMT(text));
    if (pct >= 100) fputs("\r\033[K", stderr);
    fflush(stderr);
}

static void ignore_progress(void *user, int pct, Str text)
{
    (void)user, (void)pct, (void)text;
}

// --- run -----------------------------------------------------------------------------------------

static bool apply(const CliFile *file, const BodyResult *r, Error *err)
{
    TextSnap *changed = text_edit(file->text, r->replace, r->insert, NULL, err);
    bool ok = changed && cli_write_file(file->path.ptr, text_str(changed), err);
    text_release(changed);
    return ok;
}

static BodyRequest make_request(const Flags *flags, const CliFile *file, const Syntax *syntax,
                                size_t byte_off)
{
    const Config *config = &flags->config;
    return (BodyRequest){
        .text = file->text,
        .syntax = syntax,
        .path = file->relative,
        .file_path = file->path,
        .root = file->root,
        .byte_off = byte_off,
        .trusted = config->trusted,
        .n_candidates = config->candidates,
        .max_prompt_tokens = config->prompt_tokens,
        .budget_ms = config->generate_budget_ms,
        .seed = flags->seed,
    };
}

static int write_body(Engine *engine, Session *session, const Flags *flags, const CliFile *file,
                      const BodyRequest *request, Arena *arena)
{
    Error err = {0};
    BodyResult result = {0};
    BodyProgress progress = !flags->json && isatty(STDERR_FILENO) ? show_progress : ignore_progress;
    if (!body_run(engine, session, request, (EngineCancel){0}, progress, NULL, arena, &result,
                  &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    bool applied = false;
    if (flags->apply && result.found) {
        if (!apply(file, &result, &err)) return cli_fail(CLI_FAILED, "%s", err.text);
        applied = true;
    }
    Str diff = {0};
    if (result.found)
        diff = cli_diff(file->text, result.replace, result.insert, file->relative, arena);
    if (flags->json)
        print_json(file, &result, diff, applied);
    else
        print_text(flags, file, &result, diff, applied);
    return result.found ? CLI_DONE : CLI_FINDINGS;
}

static int run_model(const Flags *flags, const CliFile *file, const BodyRequest *request,
                     Arena *arena)
{
    Error err = {0};
    int code = CLI_FAILED;
    const Config *config = &flags->config;
    Engine *engine = cli_open_model(config->model, config->threads, NULL, arena, &code);
    if (!engine) return code;
    Session *session = session_new(engine, config->context, &err);
    if (session)
        code = write_body(engine, session, flags, file, request, arena);
    else
        code = cli_fail(CLI_FAILED, "%s", err.text);
    session_free(session);
    engine_close(engine);
    return code;
}

// The cursor stands on the line's first character that is not blank.
static size_t find_offset(const TextSnap *text, uint32_t row)
{
    Str line = text_line(text, row);
    size_t col = 0;
    while (col < line.len && (line.ptr[col] == ' ' || line.ptr[col] == '\t'))
        col++;
    return text_line_start(text, row) + col;
}

static int run_file(const Flags *flags, const CliFile *file, int line, Arena *arena)
{
    uint32_t n_lines = text_n_lines(file->text), row = (uint32_t)line - 1;
    const Language *lang = language_by_path(file->path.ptr);
    if (row >= n_lines) return cli_fail(CLI_USAGE, "line %d, wanted 1 to %u", line, n_lines);
    if (!lang)
        return cli_fail(CLI_USAGE, "%s: no grammar knows a file of this name", file->path.ptr);
    Syntax *syntax = syntax_parse(lang, file->text, NULL);
    if (!syntax) return cli_fail(CLI_FAILED, "%s is too large to be parsed", file->path.ptr);
    size_t byte_off = find_offset(file->text, row);
    BodyTarget target;
    int code;
    if (body_find_target(syntax, byte_off, &target)) {
        BodyRequest request = make_request(flags, file, syntax, byte_off);
        code = run_model(flags, file, &request, arena);
    } else {
        code = cli_fail(CLI_FINDINGS,
                        "nothing to write: line %d has no function with an empty body", line);
    }
    syntax_release(syntax);
    return code;
}

static int run(const Flags *flags, const char *place, Arena *arena)
{
    Error err = {0};
    Str path;
    CliFile file;
    int numbers[2] = {0};
    if (!cli_split_place(place, 1, arena, &path, numbers, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    if (!cli_read_file(path, flags->root, arena, &file, &err))
        return cli_fail(err.code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED, "%s", err.text);
    int code = run_file(flags, &file, numbers[0], arena);
    text_release(file.text);
    return code;
}

int cli_generate(int argc, char **argv)
{
    Flags flags = {0};
    config_init(&flags.config);
    Config *config = &flags.config;
    const CliOption options[] = {
        {"apply", NULL, "write the body into the file", CLI_FLAG, &flags.apply, NULL, 0, 0},
        {"diff", NULL, "print a unified diff", CLI_FLAG, &flags.diff, NULL, 0, 0},
        {"trust", NULL, "candidates may be compiled", CLI_CONFIG, config, "trusted", 0, 0},
        {"candidates", "N", "candidates at most", CLI_CONFIG, config, "candidates", 0, 0},
        {"budget", "MS", "time limit in milliseconds; 0: none", CLI_CONFIG, config,
         "generateBudgetMs", 0, 0},
        {"seed", "N", "of the draws (default 0)", CLI_SEED, &flags.seed, NULL, 0, 0},
        {"root", "DIR", "project folder; default: the nearest one with .git", CLI_TEXT, &flags.root,
         NULL, 0, 0},
        CLI_OPTION_MODEL(config),
        CLI_OPTION_THREADS(config),
        CLI_OPTION_SET(config),
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {
        "r1ls generate FILE:LINE [options]",
        "Writes the body of the function at a line from its signature and comment. Candidates are\n"
        "parsed and, with --trust, compiled; the first that passes is printed, its evidence on\n"
        "stderr. Exit codes: 0 written, 1 no candidate passed, 2 usage, 3 failure.\n",
        options,
        sizeof options / sizeof *options,
        1,
        1};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) {
        Arena *arena = arena_new();
        code = run(&flags, argv[1], arena);
        arena_free(arena);
    }
    config_deinit(config);
    return code;
}

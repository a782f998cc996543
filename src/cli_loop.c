// `r1ls generate`, `r1ls debug` and `r1ls test`: the closed loop as the editor runs it, with its
// evidence in plain lines or JSON.
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/record.h"
#include "cli.h"
#include "dotfile.h"
#include "loop/loop.h"
#include "prompt/indent.h"
#include "trust.h"
#include "verify/report.h"
#include "workspace/files.h"

#define SPACE_AND_WORD(name, word, title, lack) " " word
#define TASK_WORDS TASK_KINDS(SPACE_AND_WORD)

enum { MAX_FAILURES = 100 };
static const size_t MESSAGE_MAX_BYTES = (size_t)4 << 20;

typedef struct Flags {
    Config config;
    const char *root, *kind, *message_file, *instruction, *output_file;
    Str message; // read from output
    bool json, apply, diff;
    uint64_t seed;
} Flags;

// --- output --------------------------------------------------------------------------------------

static void put_verdict(struct json_object *o, const char *key, Verdict verdict)
{
    json_object_object_add(o, key, json_object_new_string(verdict_word(verdict)));
}

static void put_upper_stages(struct json_object *o, const Candidate *c)
{
    put_verdict(o, "sanitizers", c->sanitized);
    json_object_object_add(o, "sanitizer_note", cli_json_str(c->sanitizer_note));
    json_object_object_add(o, "sanitizer_ms", cli_json_num(c->sanitizer_ms, 3));
    put_verdict(o, "proof", c->proof);
    json_object_object_add(o, "proof_note", cli_json_str(c->proof_note));
    json_object_object_add(o, "proof_ms", cli_json_num(c->proof_ms, 3));
}

static struct json_object *json_candidate(const Candidate *c)
{
    struct json_object *o = json_object_new_object();
    const Evidence *e = &c->evidence;
    json_object_object_add(o, "proposer", json_object_new_string(c->proposer));
    json_object_object_add(o, "round", json_object_new_int(c->round));
    json_object_object_add(o, "body", cli_json_str(c->insert));
    put_verdict(o, "verdict", c->verdict);
    put_verdict(o, "parse", e->parse);
    json_object_object_add(o, "parse_note", cli_json_str(e->parse_note));
    put_verdict(o, "compile", e->compile);
    json_object_object_add(o, "compile_note", cli_json_str(e->compile_note));
    json_object_object_add(o, "command", cli_json_str(e->command));
    put_verdict(o, "tests", c->tests);
    json_object_object_add(o, "test_note", cli_json_str(c->test_note));
    json_object_object_add(o, "n_tokens", json_object_new_int(c->n_tokens));
    json_object_object_add(o, "confidence", cli_json_num(c->confidence, 4));
    json_object_object_add(o, "decode_ms", cli_json_num(c->ms_decode, 3));
    json_object_object_add(o, "parse_ms", cli_json_num(e->parse_ms, 3));
    json_object_object_add(o, "compile_ms", cli_json_num(e->compile_ms, 3));
    json_object_object_add(o, "test_ms", cli_json_num(c->test_ms, 3));
    if (c->examined) put_upper_stages(o, c);
    return o;
}

// The record's number and hash; null where none was written.
static void put_record(struct json_object *o, const ChainEnd *record)
{
    struct json_object *audit = NULL;
    if (record->number) {
        audit = json_object_new_object();
        json_object_object_add(audit, "record", json_object_new_int64((int64_t)record->number));
        json_object_object_add(audit, "hash", json_object_new_string(record->hash));
    }
    json_object_object_add(o, "audit", audit);
}

static void put_chosen(struct json_object *o, const CliFile *file, const LoopResult *r, Str diff)
{
    json_object_object_add(o, "chosen", json_object_new_int(r->chosen));
    json_object_object_add(o, "level", json_object_new_string(loop_level_word(r->level)));
    json_object_object_add(o, "insertText", cli_json_str(r->insert));
    json_object_object_add(o, "range", cli_json_range(file->text, r->replace));
    json_object_object_add(o, "diff", cli_json_str(diff));
}

static void print_json(const CliFile *file, TaskKind kind, const LoopResult *r, Str diff,
                       bool applied, const ChainEnd *record)
{
    struct json_object *o = json_object_new_object(), *all = json_object_new_array();
    for (int i = 0; i < r->n_candidates; i++)
        json_object_array_add(all, json_candidate(&r->candidates[i]));
    json_object_object_add(o, "found", json_object_new_boolean(r->found));
    json_object_object_add(o, "verified", json_object_new_boolean(r->verified));
    json_object_object_add(o, "summary", cli_json_str(r->summary));
    if (r->found) put_chosen(o, file, r, diff);
    if (r->explanation.len) json_object_object_add(o, "explanation", cli_json_str(r->explanation));
    json_object_object_add(o, "test_command", cli_json_str(r->test_command));
    json_object_object_add(o, "test_reason", cli_json_str(r->test_reason));
    json_object_object_add(o, "baseline", cli_json_str(r->baseline));
    if (r->test_file.len) json_object_object_add(o, "test_file", cli_json_str(r->test_file));
    if (task_runs_tests(kind) || kind == TASK_WRITE_TESTS) {
        json_object_object_add(o, "tests_pass", json_object_new_boolean(r->tests_pass));
    }
    if (r->doubt.len) json_object_object_add(o, "doubt", cli_json_str(r->doubt));
    if (r->found) json_object_object_add(o, "inputs", json_object_new_int(r->n_inputs));
    if (r->found) json_object_object_add(o, "agreeing", json_object_new_int(r->n_agreeing));
    if (task_runs_tests(kind) || r->n_changes) {
        json_object_object_add(o, "changes", json_object_new_int(r->n_changes));
        json_object_object_add(o, "noticed", json_object_new_int(r->n_noticed));
    }
    json_object_object_add(o, "applied", json_object_new_boolean(applied));
    put_record(o, record);
    json_object_object_add(o, "candidates", all);
    json_object_object_add(o, "rounds", json_object_new_int(r->n_rounds));
    json_object_object_add(o, "prompt_tokens", json_object_new_int(r->prompt_tokens));
    json_object_object_add(o, "generated_tokens", json_object_new_int(r->generated_tokens));
    json_object_object_add(o, "ms", cli_json_num(r->ms_total, 3));
    cli_json_print(o);
}

// A stage that ran, further lines of its note below the first.
static void tell_stage(const char *name, Verdict verdict, Str note, double ms)
{
    if (!note.len) return;
    fprintf(stderr, "  %-8s %s, %.*f ms: ", name, verdict_word(verdict), ms < 10 ? 1 : 0, ms);
    for (size_t i = 0; i < note.len; i++) {
        fputc(note.ptr[i], stderr);
        if (note.ptr[i] == '\n' && i + 1 < note.len) fprintf(stderr, "%11s", "");
    }
    fputc('\n', stderr);
}

// Failed mutants and answers that came before are many and say little: they are counted.
static void tell_candidates(const LoopResult *r)
{
    int n_mutants = 0, n_repeats = 0;
    for (int i = 0; i < r->n_candidates; i++) {
        const Candidate *c = &r->candidates[i];
        const Evidence *e = &c->evidence;
        if (loop_is_small_change(c) && c->verdict != VERDICT_PASS) {
            n_mutants++;
            continue;
        }
        if (c->repeats) {
            n_repeats++;
            continue;
        }
        fprintf(stderr, "candidate %d: %s, %s, %d tokens in %.0f ms, confidence %.2f\n", i + 1,
                c->proposer, verdict_word(c->verdict), c->n_tokens, c->ms_decode, c->confidence);
        tell_stage("parse", e->parse, e->parse_note, e->parse_ms);
        tell_stage("compile", e->compile, e->compile_note, e->compile_ms);
        tell_stage("tests", c->tests, c->test_note, c->test_ms);
        tell_stage("sanitize", c->sanitized, c->sanitizer_note, c->sanitizer_ms);
        tell_stage("proof", c->proof, c->proof_note, c->proof_ms);
    }
    // All candidates are compiled by the same command.
    if (r->n_candidates && r->candidates[0].evidence.command.len)
        fprintf(stderr, "compiled by %.*s\n", STR_FMT(r->candidates[0].evidence.command));
    if (r->test_command.len)
        fprintf(stderr, "judged by %.*s (%.*s)\n", (int)str_find(r->test_command, STR("\n"), 0),
                r->test_command.ptr, STR_FMT(r->test_reason));
    else
        fprintf(stderr, "no tests: %.*s\n", STR_FMT(r->test_reason));
    if (n_repeats)
        fprintf(stderr, "and %d answers that repeat the text or an earlier one\n", n_repeats);
    if (n_mutants) fprintf(stderr, "and %d small changes that failed\n", n_mutants);
    fprintf(stderr, "%.*s; %d prompt tokens, %.0f ms\n", STR_FMT(r->summary), r->prompt_tokens,
            r->ms_total);
}

// The story goes to stderr, so that stdout is the edit or the diff alone.
static void print_text(const Flags *flags, const CliFile *file, const LoopResult *r, Str diff,
                       bool applied)
{
    tell_candidates(r);
    if (r->explanation.len) printf("%.*s\n", STR_FMT(r->explanation));
    if (!r->found) return;
    if (flags->diff)
        printf("%.*s", STR_FMT(diff));
    else if (!applied)
        printf("%.*s\n", STR_FMT(r->insert));
    if (!r->verified)
        fprintf(stderr, "not verified%s%.*s\n", r->doubt.len ? ": " : "", STR_FMT(r->doubt));
    if (applied) fprintf(stderr, "written: %.*s\n", STR_FMT(file->path));
}

static void show_progress(void *user, int pct, Str text)
{
    (void)user;
    fprintf(stderr, "\r\033[K%3d%% %.*s", pct, STR_FMT(text));
    if (pct >= 100) fputs("\r\033[K", stderr);
    fflush(stderr);
}

// --- run -----------------------------------------------------------------------------------------

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static bool poll_interrupted(void *user)
{
    (void)user;
    return interrupted != 0;
}

// The file that the result edits: the one that was asked about, or that of its tests. `text` is a
// reference of its own.
static bool find_target(const CliFile *file, const LoopResult *r, Arena *arena, CliFile *out,
                        Error *err)
{
    *out = *file;
    if (r->test_file.len == 0) return (out->text = text_retain(file->text)) != NULL;
    out->path = files_path(file->root, r->test_file, arena);
    out->relative = r->test_file;
    out->text = text_new(r->test_file_text, err);
    return out->text != NULL;
}

// NULL: none is wanted.
static const char *find_adapter(const Config *config)
{
    return strcmp(config->adapter, "off") == 0 ? NULL : config->adapter;
}

static bool apply(const CliFile *file, const LoopResult *r, Error *err)
{
    TextSnap *changed = text_edit(file->text, r->replace, r->insert, NULL, err);
    bool ok = changed && cli_write_file(file->path.ptr, text_str(changed), err);
    text_release(changed);
    return ok;
}

static bool make_request(const Flags *flags, const CliFile *file, TaskKind kind, Arena *arena,
                         LoopRequest *out, Error *err)
{
    *out = (LoopRequest){.text = file->text,
                         .path = file->relative,
                         .file_path = file->path,
                         .root = file->root,
                         .kind = kind,
                         .instruction = str_from(flags->instruction),
                         .seed = flags->seed};
    if (!loop_configure(&flags->config, arena, out, err)) return false;
    if (!out->trusted) out->trusted = trust_has(arena_str(arena, file->root).ptr);
    out->message = flags->message;
    if (!flags->message_file) return true;
    TextSnap *message = text_read_file(flags->message_file, MESSAGE_MAX_BYTES, err);
    if (message) out->message = loop_message(text_str(message), STR(""), arena);
    text_release(message);
    return message != NULL;
}

// A run without its record is still a run: the user is told, and gets the result.
static ChainEnd write_record(const Engine *engine, const Flags *flags, const LoopRequest *request,
                             const LoopResult *result, const Error *failure, Arena *arena)
{
    Error err = {0};
    ChainEnd end = {0};
    AuditOptions options;
    AuditModel model;
    Str path;
    EngineOptions opened = {.adapter = find_adapter(&flags->config)};
    audit_configure(&flags->config, &options);
    if (!options.on || !cli_find_model(flags->config.model, arena, &path, &err)) return end;
    cli_embedded_model(&opened);
    cli_embedded_adapter(&opened);
    if (path.len) opened.path = path.ptr;
    audit_model_place(&opened, &model);
    audit_model_facts(engine_info(engine), &model);
    if (!audit_write(&options, &model, request, result, failure, arena, &end, &err))
        cli_fail(CLI_DONE, "no record of this run: %s", err.text);
    if (end.note[0]) cli_fail(CLI_DONE, "audit: %s", end.note);
    return end;
}

static int run_loop(Engine *engine, Session *session, const Flags *flags, const CliFile *file,
                    const LoopRequest *request, Arena *arena)
{
    Error err = {0};
    LoopResult result = {0};
    LoopProgress progress = !flags->json && isatty(STDERR_FILENO) ? show_progress : NULL;
    EngineCancel cancel = {poll_interrupted, NULL};
    bool ended = loop_run(engine, session, request, cancel, progress, NULL, arena, &result, &err);
    ChainEnd record = write_record(engine, flags, request, &result, &err, arena);
    if (!ended)
        return cli_fail(err.code == ERROR_UNSUPPORTED || err.code == ERROR_INVALID ? CLI_USAGE
                                                                                   : CLI_FAILED,
                        "%s", err.text);
    CliFile target;
    if (!find_target(file, &result, arena, &target, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    bool wanted = flags->apply && result.found, ok = !wanted || apply(&target, &result, &err);
    Str diff = {0};
    if (result.found)
        diff = cli_diff(target.text, result.replace, result.insert, target.relative, arena);
    if (ok && flags->json)
        print_json(&target, request->kind, &result, diff, wanted, &record);
    else if (ok)
        print_text(flags, &target, &result, diff, wanted);
    text_release(target.text);
    if (!ok) return cli_fail(CLI_FAILED, "%s", err.text);
    bool done = result.found || result.explanation.len || result.tests_pass;
    return done ? CLI_DONE : CLI_FINDINGS;
}

// A signal ends the run as a cancel does, so that no process and no scratch file is left.
static int run_model(const Flags *flags, const CliFile *file, const LoopRequest *request,
                     Arena *arena)
{
    Error err = {0};
    int code = CLI_FAILED;
    const Config *config = &flags->config;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    EngineOptions options = {.n_threads = config->threads, .adapter = find_adapter(config)};
    Engine *engine = cli_open_model(config->model, options, arena, &code);
    if (!engine) return code;
    Session *session = session_new(engine, config->context, &err);
    if (session)
        code = run_loop(engine, session, flags, file, request, arena);
    else
        code = cli_fail(CLI_FAILED, "%s", err.text);
    session_free(session);
    engine_close(engine);
    return code;
}

// The cursor stands on the line's first character that is not blank.
static size_t find_offset(const TextSnap *text, uint32_t row)
{
    return text_line_start(text, row) + indent_blanks(text_line(text, row)).len;
}

static int run_file(const Flags *flags, const CliFile *file, int line, TaskKind kind, Arena *arena)
{
    Error err = {0};
    uint32_t n_lines = text_n_lines(file->text), row = (uint32_t)line - 1;
    const Language *lang = language_by_path(file->path.ptr);
    if (row >= n_lines) return cli_fail(CLI_USAGE, "line %d, wanted 1 to %u", line, n_lines);
    if (!lang)
        return cli_fail(CLI_USAGE, "%s: no grammar knows a file of this name", file->path.ptr);
    LoopRequest request;
    if (!make_request(flags, file, kind, arena, &request, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    Syntax *syntax = syntax_parse(lang, file->text, NULL);
    if (!syntax) return cli_fail(CLI_FAILED, "%s is too large to be parsed", file->path.ptr);
    size_t byte_off = find_offset(file->text, row);
    Task task;
    int code;
    request.syntax = syntax;
    request.selection = (ByteRange){byte_off, text_line_end(file->text, row)};
    if (task_find(syntax, kind, request.selection, &task))
        code = run_model(flags, file, &request, arena);
    else
        code = cli_fail(CLI_FINDINGS, "nothing to do: line %d has %s", line, task_lack(kind));
    syntax_release(syntax);
    return code;
}

// What the project says of itself counts where the command line says nothing.
static bool read_project(Flags *flags, const CliFile *file, Arena *arena, Error *err)
{
    Dotfile project;
    bool trusted = flags->config.trusted || trust_has(arena_str(arena, file->root).ptr);
    if (!dotfile_read(file->root, NULL, trusted, arena, &project, err)) return false;
    dotfile_configure(&project, &flags->config);
    return true;
}

static int run(Flags *flags, const char *place, TaskKind kind, Arena *arena)
{
    Error err = {0};
    Str path;
    CliFile file;
    int numbers[2] = {0};
    if (flags->kind && !task_by_word(str_from(flags->kind), &kind))
        return cli_fail(CLI_USAGE, "task '%.60s', wanted one of" TASK_WORDS, flags->kind);
    if (!cli_split_place(place, 1, arena, &path, numbers, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    if (!cli_read_file(path, flags->root, arena, &file, &err))
        return cli_fail(err.code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED, "%s", err.text);
    int code = read_project(flags, &file, arena, &err)
                   ? run_file(flags, &file, numbers[0], kind, arena)
                   : cli_fail(CLI_USAGE, "%s", err.text);
    text_release(file.text);
    return code;
}

// --- from output ---------------------------------------------------------------------------------

static bool read_output(const char *path, Arena *arena, Str *out, Error *err)
{
    if (strcmp(path, "-") == 0) return cli_read_stdin(arena, out, err);
    TextSnap *text = text_read_file(path, MESSAGE_MAX_BYTES, err);
    if (text) *out = arena_str(arena, text_str(text));
    text_release(text);
    return text != NULL;
}

// The first failure whose place is a function that can be repaired.
static int run_output(const Flags *flags, TaskKind kind, Arena *arena)
{
    Error err = {0};
    Str output, root;
    char folder[PATH_MAX];
    ReportFailure *failures;
    if (!read_output(flags->output_file, arena, &output, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    if (!getcwd(folder, sizeof folder)) return cli_fail(CLI_FAILED, "no working directory");
    Str inside = arena_printf(arena, "%s/.", folder);
    if (!cli_find_root(flags->root, inside, arena, &root, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    size_t n = report_read(output, root, MAX_FAILURES, arena, &failures);
    for (size_t i = 0; i < n; i++) {
        ReportPlace place;
        const ReportFailure *f = &failures[i];
        fprintf(stderr, "%.*s:%d: %s: %.*s\n", STR_FMT(f->place.file), f->place.line, f->tool,
                STR_FMT(f->message));
        if (!report_locate(f, root, arena, &place)) continue;
        CliFile file;
        if (!cli_read_file(files_path(root, place.file, arena), root.ptr, arena, &file, &err))
            return cli_fail(CLI_FAILED, "%s", err.text);
        Flags found = *flags;
        found.message = loop_report_message(f, root, arena);
        int code = run_file(&found, &file, place.line, kind, arena);
        text_release(file.text);
        return code;
    }
    return cli_fail(CLI_FINDINGS,
                    "%zu failures with a place below %s were read, none in a function", n,
                    root.ptr);
}

static int run_command(int argc, char **argv, const char *usage, const char *about, TaskKind kind)
{
    Flags flags = {0};
    config_init(&flags.config);
    Config *config = &flags.config;
    const CliOption options[] = {
        {"apply", NULL, "write the result into the file", CLI_FLAG, &flags.apply, NULL, 0, 0},
        {"diff", NULL, "print a unified diff", CLI_FLAG, &flags.diff, NULL, 0, 0},
        {"trust", NULL, "candidates may be compiled and tested", CLI_CONFIG, config, "trusted", 0,
         0},
        {"cmd", "COMMAND", "the tests: run by a shell in a copy of the root", CLI_CONFIG, config,
         "testCommand", 0, 0},
        {"task", "WORD", "what to do; see below for the default", CLI_TEXT, &flags.kind, NULL, 0,
         0},
        {"message", "FILE", "output of a compiler or a test that tells what fails", CLI_TEXT,
         &flags.message_file, NULL, 0, 0},
        {"from-output", "FILE",
         "of debug, in place of FILE:LINE: output to find the place in; -: stdin", CLI_TEXT,
         &flags.output_file, NULL, 0, 0},
        {"instruction", "TEXT", "of --task convert", CLI_TEXT, &flags.instruction, NULL, 0, 0},
        {"candidates", "N", "samples of one round", CLI_CONFIG, config, "candidates", 0, 0},
        {"rounds", "N", "rounds with feedback", CLI_CONFIG, config, "rounds", 0, 0},
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
    const CliCommand command = {usage, about, options, sizeof options / sizeof *options, 0, 1};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) {
        Arena *arena = arena_new();
        if (flags.output_file && n_args == 0 && kind == TASK_FIX)
            code = run_output(&flags, kind, arena);
        else if (flags.output_file || n_args == 0)
            code = cli_fail(CLI_USAGE, "wanted FILE:LINE, or --from-output of r1ls debug");
        else
            code = run(&flags, argv[1], kind, arena);
        arena_free(arena);
    }
    config_deinit(config);
    return code;
}

int cli_generate(int argc, char **argv)
{
    return run_command(
        argc, argv, "r1ls generate FILE:LINE [options]",
        "Writes the body of the function at a line from its signature and comment, or, with "
        "--task\n"
        "code, function, comment or convert, something else there. Candidates are parsed and, "
        "with\n"
        "--trust, compiled and tested by --cmd; the first that passes is printed, its evidence on\n"
        "stderr. What no test and no example judges is printed, or written with --apply, and "
        "called\n"
        "not verified. Exit codes: 0 written, 1 no candidate passed, 2 usage, 3 failure.\n",
        TASK_BODY);
}

int cli_debug(int argc, char **argv)
{
    return run_command(
        argc, argv, "r1ls debug FILE:LINE|--from-output FILE [options]",
        "Repairs the function at a line, or the one in which what --from-output gives (of a "
        "compiler,\n"
        "a sanitizer or a test runner) has its first failure. What fails is told by --cmd, which "
        "is run in a copy of "
        "the\n"
        "project (with --trust), or by --message. Candidates are small changes of the function "
        "and\n"
        "what the model writes; the first that passes is printed, its evidence on stderr. --task\n"
        "explain says why it fails instead. Exit codes: 0 repaired, 1 no candidate passed, 2 "
        "usage,\n"
        "3 failure.\n",
        TASK_FIX);
}

int cli_test(int argc, char **argv)
{
    return run_command(
        argc, argv, "r1ls test FILE:LINE --trust [options]",
        "Runs the tests in a copy of the project. Where they pass, it makes small changes of the\n"
        "function at the line, one at a time, and says which of them the tests notice: those that\n"
        "they do not are untested, or mean the same. --task run-tests makes no changes; --task\n"
        "write-tests writes tests for the function that pass and that notice such changes. Exit\n"
        "codes: 0 the tests pass, 1 they fail, 2 usage, 3 failure.\n",
        TASK_TESTS);
}

// `r1ls prove`: the formal check alone, without a model, a project or trust: nothing is executed
// but the solver.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "formal/formal.h"
#include "prompt/indent.h"
#include "trust.h"

enum { POLL_US = 1000, DEFAULT_SECONDS = FORMAL_MAX_MS / 1000 };

typedef struct Flags {
    const char *against, *prover, *root;
    int unwind, seconds;
    bool json, trust;
} Flags;

// A function in a file.
typedef struct Subject {
    CliFile file;
    Syntax *syntax;
    size_t byte_off;
    Str name;
} Subject;

static void close_subject(Subject *s)
{
    syntax_release(s->syntax);
    text_release(s->file.text);
}

// --- output --------------------------------------------------------------------------------------

static void print_json(const Subject *subject, const FormalResult *r)
{
    struct json_object *o = json_object_new_object(), *findings = json_object_new_array();
    struct json_object *assumptions = json_object_new_array();
    for (int i = 0; i < r->n_findings; i++) {
        const FormalFinding *f = &r->findings[i];
        const char *kind = f->kind < N_FORMAL_KINDS ? formal_kind_word(f->kind) : "difference";
        struct json_object *item = json_object_new_object();
        json_object_object_add(item, "kind", json_object_new_string(kind));
        if (f->line) json_object_object_add(item, "line", json_object_new_int64(f->line));
        json_object_object_add(item, "text", cli_json_str(f->text));
        json_object_object_add(item, "inputs", cli_json_str(f->inputs));
        json_object_array_add(findings, item);
    }
    for (int i = 0; i < r->n_assumptions; i++)
        json_object_array_add(assumptions, cli_json_str(r->assumptions[i]));
    json_object_object_add(o, "file", cli_json_str(subject->file.relative));
    json_object_object_add(o, "function", cli_json_str(r->name));
    json_object_object_add(o, "answer", json_object_new_string(formal_answer_word(r->answer)));
    json_object_object_add(o, "tool", cli_json_str(r->tool));
    json_object_object_add(o, "summary", cli_json_str(r->summary));
    json_object_object_add(o, "findings", findings);
    json_object_object_add(o, "assumptions", assumptions);
    json_object_object_add(o, "unwind", json_object_new_int(r->unwind));
    if (r->line) json_object_object_add(o, "line", json_object_new_int64(r->line));
    json_object_object_add(o, "ms", cli_json_num(r->ms, 3));
    cli_json_print(o);
}

static void print_text(const FormalResult *r)
{
    printf("%.*s\n", STR_FMT(r->summary));
    for (int i = 1; i < r->n_findings; i++)
        printf("also: %.*s, with %.*s\n", STR_FMT(r->findings[i].text),
               STR_FMT(r->findings[i].inputs));
    for (int i = 0; i < r->n_assumptions; i++)
        printf("assumed: %.*s\n", STR_FMT(r->assumptions[i]));
}

// --- run -----------------------------------------------------------------------------------------

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int prove(const Flags *flags, const Subject *new, const Subject *old, Arena *arena)
{
    struct sigaction action = {.sa_handler = on_signal};
    Error err = {0};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    FormalRequest request = {.syntax = new->syntax,
                             .byte_off = new->byte_off,
                             .against = old ? old->syntax : NULL,
                             .against_off = old ? old->byte_off : 0,
                             .file_path = new->file.path,
                             .root = new->file.root,
                             .trusted = flags->trust || trust_has(new->file.root.ptr),
                             .unwind = flags->unwind,
                             .max_ms = flags->seconds * 1000.0};
    if (!formal_read_prover(str_from(flags->prover), &request.prover, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    Formal *formal = formal_start(&request, arena);
    bool done = false;
    while (!interrupted && !(done = formal_poll(formal)))
        usleep(POLL_US);
    const FormalResult *r = formal_result(formal);
    const char *version;
    int code = r->answer == FORMAL_PROVED ? CLI_DONE : CLI_FINDINGS;
    if (!done)
        code = cli_fail(CLI_FAILED, "interrupted");
    else if (r->answer == FORMAL_UNKNOWN && !formal_is_available(&request.prover, &version))
        code = cli_fail(CLI_FAILED, "%s; wanted z3 or cbmc in PATH", version);
    else if (flags->json)
        print_json(new, r);
    else
        print_text(r);
    formal_free(formal);
    return code;
}

static int open_subject(const char *root, Str path, int line, Str name, Arena *arena, Subject *out)
{
    Error err = {0};
    *out = (Subject){0};
    if (!cli_read_file(path, root, arena, &out->file, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    const Language *lang = language_by_path(out->file.path.ptr);
    uint32_t n_lines = text_n_lines(out->file.text), row = (uint32_t)line - 1;
    if (!lang || strcmp(lang->id, "c") != 0)
        return cli_fail(CLI_USAGE, "%s is no C file", path.ptr);
    if (line && row >= n_lines)
        return cli_fail(CLI_USAGE, "%s: line %d, wanted 1 to %u", path.ptr, line, n_lines);
    out->syntax = syntax_parse(lang, out->file.text, NULL);
    if (!out->syntax) return cli_fail(CLI_FAILED, "%s is too large to be parsed", path.ptr);
    SyntaxFunction f;
    if (line == 0) {
        if (formal_find(out->syntax, name, &out->byte_off)) return CLI_DONE;
        return cli_fail(CLI_USAGE, "%s has no function %.*s, or several", path.ptr, STR_FMT(name));
    }
    out->byte_off =
        text_line_start(out->file.text, row) + indent_blanks(text_line(out->file.text, row)).len;
    if (!syntax_function_at(out->syntax, out->byte_off, &f))
        return cli_fail(CLI_USAGE, "%s: line %d is in no function", path.ptr, line);
    out->name = f.name;
    return CLI_DONE;
}

// FILE:LINE, or FILE alone for the function of the same name.
static int open_other(const Flags *flags, Str name, Arena *arena, Subject *out)
{
    Error err = {0};
    Str path = str_from(flags->against);
    int numbers[2] = {0};
    if (access(flags->against, F_OK) != 0 &&
        !cli_split_place(flags->against, 1, arena, &path, numbers, &err))
        return cli_fail(CLI_USAGE, "--against '%.120s' is no file and no FILE:LINE",
                        flags->against);
    return open_subject(flags->root, path, numbers[0], name, arena, out);
}

static int run(const Flags *flags, const char *place, Arena *arena)
{
    Error err = {0};
    Str path;
    int numbers[2] = {0};
    Subject new = {0}, old = {0};
    if (!cli_split_place(place, 1, arena, &path, numbers, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    int code = open_subject(flags->root, path, numbers[0], (Str){0}, arena, &new);
    if (code == CLI_DONE && flags->against) code = open_other(flags, new.name, arena, &old);
    if (code == CLI_DONE) code = prove(flags, &new, flags->against ? &old : NULL, arena);
    close_subject(&new);
    close_subject(&old);
    return code;
}

int cli_prove(int argc, char **argv)
{
    Flags flags = {.prover = "", .unwind = FORMAL_UNWIND_DEFAULT, .seconds = DEFAULT_SECONDS};
    const CliOption options[] = {
        {"against", "FILE[:LINE]", "the function as it was: are both equal on all inputs?",
         CLI_TEXT, &flags.against, NULL, 0, 0},
        {"prover", "WHO", "auto (cbmc where it is installed, z3), z3, cbmc, or the path of a cbmc",
         CLI_TEXT, &flags.prover, NULL, 0, 0},
        {"root", "DIR", "the project (default: the nearest folder above with .git)", CLI_TEXT,
         &flags.root, NULL, 0, 0},
        {"trust", NULL, "compile_commands.json may be read for cbmc", CLI_FLAG, &flags.trust, NULL,
         0, 0},
        {"unwind", "N", "iterations of loops without a constant bound (default 8)", CLI_INT,
         &flags.unwind, NULL, 1, FORMAL_UNWIND_MAX},
        {"seconds", "N", "time limit of the solver (default 20)", CLI_INT, &flags.seconds, NULL, 1,
         86400},
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {
        "r1ls prove FILE:LINE [options]",
        "Looks for inputs of the C function at the line with which something happens that must "
        "not:\n"
        "signed overflow, division by zero, a shift or an access out of range, a failing assert, "
        "the\n"
        "use of an uninitialised variable. docs/formal.md states what is read. Nothing but the\n"
        "tools cc -E, cbmc and z3 is executed. Exit codes: 0 proved for all inputs, 1 a "
        "counterexample, or not\n"
        "decided, 2 usage, 3 failure.\n",
        options,
        sizeof options / sizeof *options,
        1,
        1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    Arena *arena = arena_new();
    code = run(&flags, argv[1], arena);
    arena_free(arena);
    return code;
}

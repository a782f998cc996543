// `r1ls audit`: the records of what the loop did, whether they are whole, and the same again.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/record.h"
#include "audit/replay.h"
#include "cli.h"
#include "trust.h"

typedef struct Flags {
    Config config;
    const char *head, *only;
    bool json;
    Arena *arena;
    Str folder;
} Flags;

static int fail(const Error *err)
{
    return cli_fail(err->code == ERROR_NOT_FOUND ? CLI_USAGE : CLI_FAILED, "%s", err->text);
}

static void put_str(struct json_object *o, const char *key, Str text)
{
    json_object_object_add(o, key, cli_json_str(text));
}

static void put_int(struct json_object *o, const char *key, int64_t number)
{
    json_object_object_add(o, key, json_object_new_int64(number));
}

static const char *time_text(int64_t seconds, char out[32])
{
    time_t when = (time_t)seconds;
    struct tm tm;
    localtime_r(&when, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

// --- list ----------------------------------------------------------------------------------------

static struct json_object *json_row(const ChainRecord *r, const AuditRecord *run)
{
    struct json_object *o = json_object_new_object();
    put_int(o, "record", (int64_t)r->number);
    put_str(o, "hash", r->hash);
    put_int(o, "time", r->time);
    put_str(o, "task", str_from(task_word(run->request.kind)));
    put_str(o, "file", run->request.file_path);
    put_str(o, "model", run->model_name);
    put_str(o, "outcome", run->outcome);
    put_str(o, "summary", run->summary);
    return o;
}

static void list_record(const Flags *flags, const ChainRecord *r, struct json_object *rows)
{
    char when[32];
    AuditRecord run;
    Error err = {0};
    Arena *arena = arena_new();
    bool readable = r->number > 0 && audit_read(r->body, arena, &run, &err);
    if (!readable && flags->json) {
        struct json_object *o = json_object_new_object();
        put_int(o, "record", (int64_t)r->number);
        put_str(o, "error", str_from(r->number ? err.text : "no record"));
        json_object_array_add(rows, o);
    } else if (!readable) {
        printf("%6" PRIu64 "  cannot be read: %s\n", r->number, r->number ? err.text : "no record");
    } else if (flags->json) {
        json_object_array_add(rows, json_row(r, &run));
    } else {
        printf("%6" PRIu64 "  %s  %-8s %-9s %.*s: %.*s\n", r->number, time_text(r->time, when),
               task_word(run.request.kind), run.outcome.ptr, STR_FMT(run.request.path),
               STR_FMT(str_slice(run.summary, 0, 100)));
    }
    arena_free(arena);
}

static int list(const Flags *flags)
{
    Error err = {0};
    TextSnap *snap = chain_read(flags->folder, &err);
    struct json_object *rows = json_object_new_array();
    if (!snap && err.code != ERROR_NOT_FOUND) {
        json_object_put(rows);
        return fail(&err);
    }
    ChainRecord record;
    size_t at = 0;
    while (snap && chain_next(text_str(snap), &at, &record)) {
        if (record.is_anchor && !flags->json)
            printf("        %" PRIu64 " older records were cut\n", record.number);
        if (!record.is_anchor) list_record(flags, &record, rows);
    }
    text_release(snap);
    if (flags->json)
        cli_json_print(rows);
    else
        json_object_put(rows);
    return CLI_DONE;
}

// --- show ----------------------------------------------------------------------------------------

static void show_candidate(const Candidate *c, int number)
{
    const Evidence *e = &c->evidence;
    printf("candidate %d: %s, round %d, %s", number, c->proposer, c->round,
           verdict_word(c->verdict));
    if (c->sample)
        printf(", %d tokens, temperature %.2f, seed %" PRIu64, c->sample->n_ids,
               (double)c->sample->sampler.temperature, c->sample->sampler.seed);
    printf("\n  parse   %s: %.*s\n  compile %s: %.*s\n  tests   %s: %.*s\n", verdict_word(e->parse),
           STR_FMT(e->parse_note), verdict_word(e->compile), STR_FMT(e->compile_note),
           verdict_word(c->tests), STR_FMT(c->test_note));
    printf("  | ");
    for (size_t i = 0; i < c->insert.len; i++)
        printf(c->insert.ptr[i] == '\n' ? "\n  | " : "%c", c->insert.ptr[i]);
    putchar('\n');
}

static void show_text(const ChainRecord *r, const AuditRecord *run)
{
    char when[32];
    printf("record %" PRIu64 " of %s, r1ls %.*s\nhash %.*s\n", r->number, time_text(r->time, when),
           STR_FMT(run->version), STR_FMT(r->hash));
    printf("task %s at byte %zu of %.*s (sha256 %.*s)\n", task_word(run->request.kind),
           run->request.selection.start, STR_FMT(run->request.file_path),
           STR_FMT(run->document_hash));
    printf("model %.*s, %.*s, sha256 %.*s, %.*s\n", STR_FMT(run->model_name),
           STR_FMT(run->model_path), STR_FMT(run->model_hash), STR_FMT(run->isa));
    if (run->adapter_path.len)
        printf("adapter %.*s, sha256 %.*s\n", STR_FMT(run->adapter_path),
               STR_FMT(run->adapter_hash));
    printf("%s, seed %" PRIu64 "\n", run->request.trusted ? "trusted" : "not trusted",
           run->request.seed);
    if (run->request.test_command.len) printf("tests: %.*s\n", STR_FMT(run->request.test_command));
    for (int i = 0; i < run->n_candidates; i++)
        show_candidate(&run->candidates[i], i + 1);
    printf("%.*s: %.*s\n", STR_FMT(run->outcome), STR_FMT(run->summary));
}

static int show(const Flags *flags, uint64_t number)
{
    Error err = {0};
    ChainRecord record;
    AuditRecord run;
    if (!audit_find(flags->folder, number, STR(""), flags->arena, &record, &err)) return fail(&err);
    if (flags->json) {
        printf("%.*s\n", STR_FMT(record.text));
        return CLI_DONE;
    }
    if (!audit_read(record.body, flags->arena, &run, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    show_text(&record, &run);
    return CLI_DONE;
}

// --- verify --------------------------------------------------------------------------------------

static int verify(const Flags *flags)
{
    Error err = {0};
    ChainReport r;
    if (!chain_verify(flags->folder, str_from(flags->head), flags->arena, &r, &err))
        return fail(&err);
    if (flags->json) {
        struct json_object *o = json_object_new_object();
        json_object_object_add(o, "whole", json_object_new_boolean(r.n_faults == 0));
        put_int(o, "records", (int64_t)r.n_records);
        put_int(o, "cut", (int64_t)r.n_cut);
        put_str(o, "head", str_from(r.head));
        put_str(o, "faults", r.faults);
        cli_json_print(o);
    } else {
        printf("%.*s", STR_FMT(r.faults));
        printf("%" PRIu64 " records, %" PRIu64 " to %" PRIu64, r.n_records, r.first, r.last);
        if (r.n_cut) printf(", %" PRIu64 " older ones cut", r.n_cut);
        printf(": %s\nhead %s\n", r.n_faults ? "NOT WHOLE" : "whole", r.head);
    }
    return r.n_faults ? CLI_FINDINGS : CLI_DONE;
}

// --- replay --------------------------------------------------------------------------------------

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

static void show_progress(void *user, int pct, Str text)
{
    (void)user, (void)pct;
    fprintf(stderr, "\r\033[K%.*s", STR_FMT(text));
    fflush(stderr);
}

// A record names its model by path; --model says where else it lies.
static Engine *open_model(const Flags *flags, const AuditRecord *run, Replay *replay, int *code)
{
    const Config *config = &flags->config;
    const char *name = config->model[0] ? config->model : run->model_path.ptr;
    EngineOptions options = {.n_threads = config->threads,
                             .adapter = run->adapter_path.len ? run->adapter_path.ptr : NULL};
    Engine *engine = cli_open_model(name, options, flags->arena, code);
    if (!engine) return NULL;
    Error err = {0};
    Str path;
    AuditModel model;
    char hash[SHA256_HEX + 1] = "";
    cli_find_model(name, flags->arena, &path, &err);
    options.path = path.len ? path.ptr : NULL;
    if (!path.len) cli_embedded_model(&options);
    cli_embedded_adapter(&options);
    audit_model_place(&options, &model);
    audit_model_facts(engine_info(engine), &model);
    files_hash_remembered(flags->folder, path.len ? path.ptr : "/proc/self/exe", model.image, hash,
                          &err);
    if (!str_equal(str_from(hash), run->model_hash))
        replay_note(replay, "another model: sha256 %s, recorded is %s", hash, run->model_hash.ptr);
    if (!str_equal(str_from(model.isa), run->isa))
        replay_note(replay, "another instruction set: %s, recorded is %s", model.isa, run->isa.ptr);
    bool embedded = str_equal(run->adapter_path, STR("embedded"));
    if (run->adapter_path.len &&
        files_hash_remembered(flags->folder, embedded ? "/proc/self/exe" : run->adapter_path.ptr,
                              embedded ? model.adapter_image : STR(""), hash, &err) &&
        !str_equal(str_from(hash), run->adapter_hash))
        replay_note(replay, "another adapter: sha256 %s", hash);
    return engine;
}

static int replay_model(const Flags *flags, const AuditRecord *run, Replay *replay)
{
    Error err = {0};
    int code = CLI_DONE;
    if (run->n_samples == 0) return CLI_DONE; // no model wrote anything
    Engine *engine = open_model(flags, run, replay, &code);
    if (!engine) return code;
    Session *session = session_new(engine, flags->config.context, &err);
    if (!session || !replay_samples(replay, engine, session, &err))
        code = cli_fail(CLI_FAILED, "%s", err.text);
    session_free(session);
    engine_close(engine);
    return code;
}

static void print_replay(const Flags *flags, const Replay *r, bool same)
{
    if (!flags->json) {
        printf("%.*s", STR_FMT(strbuf_str(&r->differences)));
        printf("%d of %d samples have the same tokens, %d of %d verdicts are the same\n",
               r->n_same_samples, r->n_samples, r->n_same_verdicts, r->n_verdicts);
        return;
    }
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "same", json_object_new_boolean(same));
    put_int(o, "samples", r->n_samples);
    put_int(o, "sameSamples", r->n_same_samples);
    put_int(o, "verdicts", r->n_verdicts);
    put_int(o, "sameVerdicts", r->n_same_verdicts);
    put_str(o, "differences", strbuf_str(&r->differences));
    cli_json_print(o);
}

static int replay_record(const Flags *flags, const AuditRecord *run, Replay *replay)
{
    Error err = {0};
    bool tokens = !flags->only || strcmp(flags->only, "tokens") == 0;
    bool verdicts = !flags->only || strcmp(flags->only, "verdicts") == 0;
    if (!tokens && !verdicts)
        return cli_fail(CLI_USAGE, "only '%.40s', wanted tokens or verdicts", flags->only);
    if (!str_equal(run->version, STR(R1LS_VERSION)))
        replay_note(replay, "another version: r1ls %s, recorded is %.*s", R1LS_VERSION,
                    STR_FMT(run->version));
    int code = tokens ? replay_model(flags, run, replay) : CLI_DONE;
    if (code != CLI_DONE || !verdicts) return code;
    replay_files(replay);
    bool trusted = flags->config.trusted || trust_has(run->request.root.ptr);
    if (replay_verdicts(replay, trusted, &err)) return CLI_DONE;
    if (err.code != ERROR_NOT_FOUND && err.code != ERROR_DAMAGED)
        return cli_fail(CLI_FAILED, "%s", err.text);
    replay_note(replay, "%s", err.text);
    replay->n_verdicts++; // it could not be had
    return CLI_DONE;
}

static int replay(const Flags *flags, uint64_t number)
{
    Error err = {0};
    ChainRecord record;
    AuditRecord run;
    struct sigaction action = {.sa_handler = on_signal};
    if (!audit_find(flags->folder, number, STR(""), flags->arena, &record, &err) ||
        !audit_read(record.body, flags->arena, &run, &err))
        return fail(&err);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    Replay again = {.record = &run,
                    .cancel = {poll_interrupted, NULL},
                    .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
                    .arena = flags->arena};
    int code = replay_record(flags, &run, &again);
    if (again.progress) fputs("\r\033[K", stderr);
    bool same =
        again.n_same_samples == again.n_samples && again.n_same_verdicts == again.n_verdicts;
    if (code == CLI_DONE) {
        print_replay(flags, &again, same);
        code = same ? CLI_DONE : CLI_FINDINGS;
    }
    strbuf_deinit(&again.differences);
    return code;
}

// --- the command ---------------------------------------------------------------------------------

static int run_word(const Flags *flags, const char *word, const char *argument)
{
    char *end = NULL;
    uint64_t number = argument ? strtoull(argument, &end, 10) : 0;
    if (argument && (number == 0 || *end))
        return cli_fail(CLI_USAGE, "record '%.40s', wanted a number from 1 on", argument);
    if (strcmp(word, "show") == 0) return show(flags, number);
    if (strcmp(word, "replay") == 0) return replay(flags, number);
    if (argument) return cli_fail(CLI_USAGE, "%s takes no record", word);
    if (strcmp(word, "list") == 0) return list(flags);
    if (strcmp(word, "verify") == 0) return verify(flags);
    return cli_fail(CLI_USAGE, "'%.40s', wanted list, show, verify or replay", word);
}

int cli_audit(int argc, char **argv)
{
    Flags flags = {.arena = arena_new()};
    Config *config = &flags.config;
    config_init(config);
    flags.folder = audit_folder(flags.arena);
    const CliOption options[] = {
        {"head", "HASH", "of verify: the hash of a record that has to be there", CLI_TEXT,
         &flags.head, NULL, 0, 0},
        {"only", "WORD", "of replay: tokens or verdicts", CLI_TEXT, &flags.only, NULL, 0, 0},
        {"trust", NULL, "of replay: what is recorded may be compiled and tested", CLI_CONFIG,
         config, "trusted", 0, 0},
        CLI_OPTION_MODEL(config),
        CLI_OPTION_THREADS(config),
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {
        "r1ls audit list|show|verify|replay [RECORD] [options]",
        "Every run of the loop leaves a record in the user's state folder, each with the hash of\n"
        "the one before. list: one line each. show: the newest, or RECORD; --json: all of it.\n"
        "verify: is every byte as it was written? It prints the hash of the newest record; note\n"
        "it elsewhere, and --head tells whether the log still has it. replay: writes every answer\n"
        "again, judges every candidate again, and says what came out otherwise.\n"
        "Exit codes: 0 whole, or the same; 1 not; 2 usage, or no such record; 3 failure.\n",
        options,
        sizeof options / sizeof *options,
        1,
        2};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code))
        code = run_word(&flags, argv[1], n_args > 1 ? argv[2] : NULL);
    config_deinit(config);
    arena_free(flags.arena);
    return code;
}

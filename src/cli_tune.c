// `r1ls tune`: an adapter for the user's own repository, overnight.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "loop/loop.h"
#include "trust.h"
#include "tuning/tuning.h"

enum { NICE = 10, SHOW_MS = 1000, LINE_SHOW_MS = 20000 };

typedef struct Flags {
    Config config;
    const char *repo, *out, *answers, *hold;
    FILE *answers_file;
    double hours;
    int rank, context, pieces, answer, group, n_held_out;
    double rate, rl_rate, warm_up, reference, heat, innocent;
    bool json, hold_files;
    uint64_t seed;
    double shown_ms;
    bool is_terminal;
} Flags;

static const Flags defaults = {.out = "r1ls.lora.gguf",
                               .hours = 1,
                               .rank = 16,
                               .context = 256,
                               .pieces = 1,
                               .answer = 128,
                               .group = 12,
                               .n_held_out = 40,
                               .rate = 4e-3,
                               .rl_rate = 5e-4,
                               .warm_up = 0.4,
                               .reference = 0,
                               .heat = 0.7,
                               .innocent = 0};

static bool poll_interrupted(void *user)
{
    (void)user;
    return cli_progress_interrupted();
}

static void show(void *user, double share, const char *line)
{
    Flags *flags = user;
    double every = flags->is_terminal ? SHOW_MS : LINE_SHOW_MS;
    if (flags->json || clock_ms() - flags->shown_ms < every) return;
    flags->shown_ms = clock_ms();
    fprintf(stderr, flags->is_terminal ? "\r\033[K%3.0f%% %s" : "%3.0f%% %s\n", 100 * share, line);
    fflush(stderr);
}

static void keep_body(void *user, const TuningBody *b)
{
    const Flags *flags = user;
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "adapter", json_object_new_boolean(b->adapter));
    json_object_object_add(o, "file", cli_json_str(b->file));
    json_object_object_add(o, "function", cli_json_str(b->function));
    json_object_object_add(o, "body", cli_json_str(b->body));
    json_object_object_add(o, "tokens", json_object_new_int(b->n_tokens));
    json_object_object_add(o, "compiles", json_object_new_boolean(b->compiles));
    json_object_object_add(o, "full", json_object_new_boolean(b->full));
    json_object_object_add(o, "alike", cli_json_num(b->alike, 4));
    json_object_object_add(o, "note", cli_json_str(b->note));
    fprintf(flags->answers_file, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    fflush(flags->answers_file);
    json_object_put(o);
}

// --- output --------------------------------------------------------------------------------------

static double percent(int part, int whole)
{
    return whole ? 100.0 * part / whole : 0;
}

static struct json_object *json_score(const TuningScore *s)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "bodies", json_object_new_int(s->n));
    json_object_object_add(o, "compile", json_object_new_int(s->n_compile));
    json_object_object_add(o, "full", json_object_new_int(s->n_full));
    json_object_object_add(o, "tested", json_object_new_int(s->n_tested));
    json_object_object_add(o, "pass", json_object_new_int(s->n_pass));
    json_object_object_add(o, "tokens", json_object_new_int(s->n_tokens));
    json_object_object_add(o, "alike", cli_json_num(s->alike, 4));
    json_object_object_add(o, "reward", cli_json_num(s->reward, 4));
    json_object_object_add(o, "loss", cli_json_num(s->loss, 4));
    return o;
}

static double per_second(int64_t n, double ms)
{
    return ms > 0 ? 1000 * (double)n / ms : 0;
}

static void print_json(const Flags *flags, const TuningResult *r)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "kept", json_object_new_boolean(r->kept));
    json_object_object_add(o, "adapter", r->kept ? json_object_new_string(flags->out) : NULL);
    json_object_object_add(o, "resumed", json_object_new_boolean(r->resumed));
    json_object_object_add(o, "before", json_score(&r->before));
    json_object_object_add(o, "after", json_score(&r->after));
    json_object_object_add(o, "functions", json_object_new_int(r->n_train));
    json_object_object_add(o, "held_out", json_object_new_int(r->n_held_out));
    json_object_object_add(o, "warm_up_steps", json_object_new_int(r->n_warm_up_steps));
    json_object_object_add(o, "first_loss", cli_json_num(r->first_loss, 4));
    json_object_object_add(o, "last_loss", cli_json_num(r->last_loss, 4));
    json_object_object_add(o, "steps", json_object_new_int(r->n_steps));
    json_object_object_add(o, "questions", json_object_new_int(r->n_groups));
    json_object_object_add(o, "useless", json_object_new_int(r->n_useless));
    json_object_object_add(o, "sampled_tps",
                           cli_json_num(per_second(r->n_sampled, r->sample_ms), 2));
    json_object_object_add(o, "trained_tps",
                           cli_json_num(per_second(r->n_trained, r->train_ms), 2));
    json_object_object_add(o, "judge_ms", cli_json_num(r->judge_ms, 0));
    cli_json_print(o);
}

static void tell_score(const char *when, const TuningScore *s)
{
    printf("%-7s %5.1f%% of %d bodies compile, %.1f%% and have half of the original's words", when,
           percent(s->n_compile, s->n), s->n, percent(s->n_full, s->n));
    if (s->n_tested)
        printf(", %.1f%% of %d pass the tests", percent(s->n_pass, s->n_tested), s->n_tested);
    printf(", likeness %.3f, reward %.3f, %.1f tokens each", s->alike, s->reward,
           s->n ? (double)s->n_tokens / s->n : 0);
    if (s->loss > 0) printf("; %.3f nats a token of the originals", s->loss);
    printf("\n");
}

static void print_text(const Flags *flags, const TuningResult *r)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%d functions to train on, %d held out%s\n", r->n_train, r->n_held_out,
           flags->hold_files ? " (other files)" : "");
    if (r->n_warm_up_steps)
        printf("warm-up: %d steps, loss of a token %.3f to %.3f\n", r->n_warm_up_steps,
               r->first_loss, r->last_loss);
    printf("GRPO: %d steps, %d questions, %d of them without a difference\n", r->n_steps,
           r->n_groups, r->n_useless);
    printf("sampled %.1f tokens/s, trained %.1f tokens/s, judged for %.0f s; %.0f s of CPU\n",
           per_second(r->n_sampled, r->sample_ms), per_second(r->n_trained, r->train_ms),
           r->judge_ms / 1000, (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec));
    tell_score("before", &r->before);
    tell_score("after", &r->after);
    if (r->kept)
        printf("kept: %s; use it with --set adapter=%s\n", flags->out, flags->out);
    else
        printf("not kept: it is not better on the functions that were held out\n");
}

// --- run -----------------------------------------------------------------------------------------

static int run_tuning(Flags *flags, Engine *engine, Str root)
{
    Error err = {0};
    TuningResult result;
    CliProgress progress;
    const Config *config = &flags->config;
    TuningOptions options = {.root = root,
                             .out = flags->out,
                             .on_body = flags->answers_file ? keep_body : NULL,
                             .seconds = flags->hours * 3600,
                             .rank = flags->rank,
                             .context = flags->context,
                             .pieces = flags->pieces,
                             .answer = flags->answer,
                             .group = flags->group,
                             .n_held_out = flags->n_held_out,
                             .hold_files = flags->hold_files,
                             .rate = (float)flags->rate,
                             .rl_rate = (float)flags->rl_rate,
                             .warm_up = flags->warm_up,
                             .reference = flags->reference,
                             .heat = (float)flags->heat,
                             .innocent = (float)flags->innocent,
                             .test_command = str_from(config->test_command),
                             .find_tests = config->find_tests,
                             .seed = flags->seed};
    if (!sandbox_read_mode(str_from(config->sandbox), &options.sandbox, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    cli_progress_start(&progress, "tune", flags->json);
    bool ok = tuning_run(engine, &options, (EngineCancel){poll_interrupted, NULL}, show, flags,
                         &result, &err);
    cli_progress_end(&progress);
    if (flags->is_terminal && !flags->json) fputs("\r\033[K", stderr);
    if (!ok && err.code == ERROR_CANCELLED)
        return cli_fail(CLI_FAILED, "interrupted; the same command goes on from %s.tune",
                        flags->out);
    if (!ok) return cli_fail(err.code == ERROR_INVALID ? CLI_USAGE : CLI_FAILED, "%s", err.text);
    if (flags->json)
        print_json(flags, &result);
    else
        print_text(flags, &result);
    return result.kept ? CLI_DONE : CLI_FINDINGS;
}

static bool find_folder(const char *path, Arena *arena, Str *out, Error *err)
{
    char *real = realpath(path, NULL);
    if (!real) return error_set(err, ERROR_NOT_FOUND, "%.160s: %s", path, strerror(errno));
    *out = arena_str(arena, str_from(real));
    free(real);
    return true;
}

static int run(Flags *flags, Arena *arena)
{
    Error err = {0};
    Str root;
    int code = CLI_FAILED;
    if (!find_folder(flags->repo ? flags->repo : ".", arena, &root, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    if (!flags->config.trusted && !trust_has(root.ptr))
        return cli_fail(CLI_USAGE,
                        "%s is not trusted: tuning compiles and runs what is in it and what the "
                        "model writes; wanted --trust, or r1ls trust",
                        root.ptr);
    flags->hold_files = flags->hold && strcmp(flags->hold, "files") == 0;
    if (flags->hold && !flags->hold_files && strcmp(flags->hold, "functions") != 0)
        return cli_fail(CLI_USAGE, "--hold %s, wanted functions or files", flags->hold);
    // Threads that start from here on inherit it, and so do the compilers.
    setpriority(PRIO_PROCESS, 0, NICE);
    EngineOptions options = {.n_threads = flags->config.threads};
    if (flags->answers && !(flags->answers_file = fopen(flags->answers, "a")))
        return cli_fail(CLI_USAGE, "%s: %s", flags->answers, strerror(errno));
    Engine *engine = cli_open_model(flags->config.model, options, arena, &code);
    if (engine) code = run_tuning(flags, engine, root);
    engine_close(engine);
    if (flags->answers_file) fclose(flags->answers_file);
    return code;
}

static const char about[] =
    "Trains an adapter on a repository: bodies of its functions are taken out, the model writes\n"
    "them anew, and what compiles and passes the tests is made likelier (GRPO), after a warm-up\n"
    "on the bodies that were there. A fifth of the functions is held out and never read; on them\n"
    "it measures before and after, and the adapter is kept only where it is better. Runs at nice\n"
    "10; an interrupt saves, and the same command goes on. Exit codes: 0 kept, 1 not better,\n"
    "2 usage, 3 failure or interrupted.\n";

int cli_tune(int argc, char **argv)
{
    Flags flags = defaults;
    flags.is_terminal = isatty(STDERR_FILENO) == 1;
    config_init(&flags.config);
    Config *config = &flags.config;
    const CliOption options[] = {
        {"repo", "PATH", "the repository (default: this folder)", CLI_TEXT, &flags.repo, NULL, 0,
         0},
        CLI_OPTION_MODEL(config),
        {"hours", "H", "of the whole, measurements included (default 1)", CLI_NUM, &flags.hours,
         NULL, 0.001, 1000},
        {"out", "FILE", "the adapter (default r1ls.lora.gguf)", CLI_TEXT, &flags.out, NULL, 0, 0},
        {"trust", NULL, "what is there and what is written may be compiled and tested", CLI_CONFIG,
         config, "trusted", 0, 0},
        {"cmd", "COMMAND", "the tests: run by a shell in a copy of the repository", CLI_CONFIG,
         config, "testCommand", 0, 0},
        {"warm-up", "X", "its share of the time; 0: GRPO alone (default 0.4)", CLI_NUM,
         &flags.warm_up, NULL, 0, 1},
        {"reference", "X",
         "weight of the body that was there beside those sampled in GRPO; 0: none (default 0)",
         CLI_NUM, &flags.reference, NULL, 0, 100},
        {"temperature", "X", "of the answers in GRPO (default 0.7)", CLI_NUM, &flags.heat, NULL,
         0.1, 2},
        {"innocent", "X", "weight of a failed body beside its first error (default 0)", CLI_NUM,
         &flags.innocent, NULL, 0, 1},
        {"rank", "N", "of the adapter (default 16)", CLI_INT, &flags.rank, NULL, 1, 128},
        {"rate", "X", "learning rate of the warm-up (default 4e-3)", CLI_NUM, &flags.rate, NULL,
         1e-7, 1},
        {"rl-rate", "X", "learning rate of GRPO (default 5e-4)", CLI_NUM, &flags.rl_rate, NULL,
         1e-7, 1},
        {"answers", "FILE", "what is written for held-out functions is added there", CLI_TEXT,
         &flags.answers, NULL, 0, 0},
        {"group", "N", "answers to one question (default 12)", CLI_INT, &flags.group, NULL, 2, 16},
        {"context", "N", "tokens of a prompt at most (default 256)", CLI_INT, &flags.context, NULL,
         128, 8192},
        {"pieces", "N", "pieces of files read in a step of the warm-up (default 1)", CLI_INT,
         &flags.pieces, NULL, 0, 8},
        {"answer", "N", "tokens of a body at most (default 128)", CLI_INT, &flags.answer, NULL, 16,
         2048},
        {"held-out", "N", "functions to measure with at most (default 40)", CLI_INT,
         &flags.n_held_out, NULL, 1, 1000},
        {"hold", "WHAT",
         "a fifth of the functions of every file, or of the files (default functions)", CLI_TEXT,
         &flags.hold, NULL, 0, 0},
        {"seed", "N", "of everything that is drawn (default 0)", CLI_SEED, &flags.seed, NULL, 0, 0},
        CLI_OPTION_THREADS(config),
        CLI_OPTION_SET(config),
        CLI_OPTION_JSON(&flags.json),
    };
    const CliCommand command = {"r1ls tune --repo PATH --trust [options]", about, options,
                                sizeof options / sizeof *options,          0,     0};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) {
        Arena *arena = arena_new();
        code = run(&flags, arena);
        arena_free(arena);
    }
    config_deinit(config);
    return code;
}

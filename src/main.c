// The program: options only start the server, a command's name starts that command.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli.h"
#include "engine/models/embedded.h"
#include "lsp/server.h"
#include "models/folder_model.h"

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *text;
} Command;

static const Command commands[] = {
    {"complete", cli_complete, "complete the text at FILE:LINE:COL"},
    {"check", cli_check, "report syntax errors and likely mistakes of files and folders"},
    {"generate", cli_generate, "write the body of the function at FILE:LINE, or other code there"},
    {"debug", cli_debug, "repair the function at FILE:LINE"},
    {"test", cli_test, "run the tests of the function at FILE:LINE, and test these tests"},
    {"prove", cli_prove, "prove the C function at FILE:LINE, or find what breaks it"},
    {"surprise", cli_surprise, "report names that the model finds unlikely in FILE[:LINE]"},
    {"tune", cli_tune, "train an adapter on a repository, with its compiler and tests as reward"},
    {"audit", cli_audit, "list, show, verify and replay the records of what the loop did"},
    {"trust", cli_trust, "list, add or remove folders whose code may be compiled"},
    {"schema", cli_schema, "print the JSON schema of .r1ls.json"},
    {"doctor", cli_doctor, "tell what this machine can do and what is configured"},
    {"model", cli_model, "info, verify, convert, quantize, pull: model files"},
    {"engine", cli_engine, "tokenize, generate, score, bench: the engine alone"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

typedef struct Flags {
    Config config;
    const char *socket_path, *root;
    bool is_stdio, is_standalone, is_resident, version;
} Flags;

// A resident server without clients ends after so long, and its memory is free.
static const double RESIDENT_IDLE_MS = 10 * 60 * 1000;

// --- the server ----------------------------------------------------------------------------------

static LogLevel find_level(const char *word)
{
    static const char *const words[] = {"error", "warn", "info", "debug"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0) return (LogLevel)i;
    return LOG_WARN;
}

static bool poll_closing(void *closing, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    return !atomic_load((const atomic_bool *)closing);
}

// A folder is converted on the engine thread, while the server says that the model is loading.
static bool find_served_model(const char *name, const atomic_bool *closing, char **file, Error *err)
{
    Arena *arena = arena_new();
    Str path;
    bool ok = cli_locate_model(name, arena, &path, err);
    if (ok && path.len && folder_model_is_folder(path.ptr))
        log_info("the folder %s is converted to a model file, unless it was before", path.ptr);
    ok = ok && cli_make_model(name, poll_closing, (void *)closing, arena, &path, err);
    *file = ok && path.len ? strdup(path.ptr) : NULL;
    arena_free(arena);
    return ok;
}

static int serve(const Flags *flags)
{
    Error err = {0};
    Arena *arena = arena_new();
    Str path;
    if (!cli_locate_model(flags->config.model, arena, &path, &err)) {
        arena_free(arena);
        return cli_fail(CLI_USAGE, "%s", err.text);
    }
    log_set_level(find_level(flags->config.log_level));
    ServerOptions options = {.config = flags->config,
                             .socket_path = flags->socket_path,
                             .root = flags->root,
                             .idle_ms = flags->is_resident ? RESIDENT_IDLE_MS : 0,
                             .find_model = find_served_model,
                             .engine = {.n_threads = flags->config.threads}};
    if (path.len) options.engine.path = path.ptr;
    options.engine.image = embedded_model_image(&options.engine.image_bytes);
    cli_embedded_adapter(&options.engine);
    int code = server_run(&options, &err);
    if (err.code != ERROR_NONE) cli_fail(code, "%s", err.text);
    arena_free(arena);
    return code;
}

// Through the resident server if there is one or one can be started, else by itself.
static int serve_client(const Flags *flags, int argc, char **argv)
{
    Error err = {0};
    if (flags->socket_path || flags->is_standalone) return serve(flags);
    int code = cli_join_resident(argc, argv, &err);
    if (code >= 0) return code;
    cli_fail(CLI_DONE, "%s; this window has a server of its own", err.text);
    return serve(flags);
}

static const char *list_commands(StrBuf *about)
{
    strbuf_append(about, STR("Without a command: the language server, on stdin and stdout or a "
                             "Unix socket.\n\ncommands (each has --help):\n"));
    for (size_t i = 0; i < N_COMMANDS; i++)
        strbuf_printf(about, "  %-20s %s\n", commands[i].name, commands[i].text);
    return about->ptr;
}

static int run_server(int argc, char **argv)
{
    Flags flags = {0};
    StrBuf about = {0};
    config_init(&flags.config);
    Config *config = &flags.config;
    const CliOption options[] = {
        CLI_OPTION_MODEL(config),
        {"socket", "PATH", "serve any number of clients on a Unix socket", CLI_TEXT,
         &flags.socket_path, NULL, 0, 0},
        CLI_OPTION_THREADS(config),
        {"root", "DIR", "project folder; default: what the client says", CLI_TEXT, &flags.root,
         NULL, 0, 0},
        {"trust", NULL, "the folder's code may be compiled", CLI_CONFIG, config, "trusted", 0, 0},
        {"log", "LEVEL", "error, warn, info or debug", CLI_CONFIG, config, "logLevel", 0, 0},
        CLI_OPTION_SET(config),
        {"stdio", NULL, "the default; many clients pass it", CLI_FLAG, &flags.is_stdio, NULL, 0, 0},
        {"standalone", NULL, "do not share a server with other windows", CLI_FLAG,
         &flags.is_standalone, NULL, 0, 0},
        {"resident", NULL, "with --socket: end after ten minutes without clients", CLI_FLAG,
         &flags.is_resident, NULL, 0, 0},
        {"version", NULL, "print the version", CLI_FLAG, &flags.version, NULL, 0, 0},
    };
    const CliCommand command = {"r1ls [options] | r1ls COMMAND ...",
                                list_commands(&about),
                                options,
                                sizeof options / sizeof *options,
                                0,
                                0};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) {
        if (flags.version)
            code = printf("r1ls %s\n", R1LS_VERSION) > 0 ? CLI_DONE : CLI_FAILED;
        else if (flags.is_stdio && flags.socket_path)
            code = cli_fail(CLI_USAGE, "both --stdio and --socket, wanted one of them");
        else
            code = serve_client(&flags, argc, argv);
    }
    config_deinit(config);
    strbuf_deinit(&about);
    return code;
}

// --- main ----------------------------------------------------------------------------------------

static int run(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') return run_server(argc, argv);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, argv[1]) == 0) return commands[i].run(argc - 1, argv + 1);
    return cli_fail(CLI_USAGE, "unknown command '%.60s', see r1ls --help", argv[1]);
}

int main(int argc, char **argv)
{
    // A client that goes away is seen as a failed write, not as a signal that ends the process.
    signal(SIGPIPE, SIG_IGN);
    int code = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_fail(CLI_FAILED, "standard output: %s", strerror(errno));
    return code;
}

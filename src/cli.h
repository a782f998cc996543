// What the commands share: options, exit codes, models by name, places in files, JSON output.
//
// Commands own their process: they may print, and they read the environment through this file
// only. Everything runs on the main thread.
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/memory_use.h"
#include "base/text.h"
#include "config.h"
#include "engine/engine.h"

enum {
    CLI_DONE = 0,
    CLI_FINDINGS = 1, // or nothing to offer
    CLI_USAGE = 2,    // or configuration
    CLI_FAILED = 3,
};

// --- options (cli_options.c) ---------------------------------------------------------------------

// CLI_CONFIG sets the option `key` of a Config; CLI_SET takes KEY=VALUE.
typedef enum CliType {
    CLI_FLAG,     // bool
    CLI_INT,      // int, min to max
    CLI_NUM,      // double, min to max
    CLI_SEED,     // uint64_t
    CLI_TEXT,     // const char *
    CLI_OPTIONAL, // const char *: "" where the option stands alone, else its =VALUE
    CLI_CONFIG,   // Config
    CLI_SET,      // Config
} CliType;

typedef struct CliOption {
    const char *name;  // without dashes
    const char *value; // its name in the help; NULL: the option stands alone
    const char *text;  // one line for the help
    CliType type;
    void *target; // of the type above
    const char *key;
    double min, max;
} CliOption;

// Rows that several commands have.
#define CLI_OPTION_JSON(flag)                                                                      \
    {                                                                                              \
        "json", NULL, "print JSON", CLI_FLAG, flag, NULL, 0, 0                                     \
    }
#define CLI_OPTION_MODEL(config)                                                                   \
    {                                                                                              \
        "model", "M",                                                                              \
            "model: a file, a folder of safetensors, 'embedded', or a name in the cache",          \
            CLI_CONFIG, config, "model", 0, 0                                                      \
    }
#define CLI_OPTION_THREADS(config)                                                                 \
    {                                                                                              \
        "threads", "N", "engine threads; 0: one per core", CLI_CONFIG, config, "threads", 0, 0     \
    }
#define CLI_OPTION_SET(config)                                                                     \
    {                                                                                              \
        "set", "KEY=VALUE", "set any option by its settings key (may be repeated)", CLI_SET,       \
            config, NULL, 0, 0                                                                     \
    }

typedef struct CliCommand {
    const char *usage; // "r1ls check PATH..."
    const char *about; // a paragraph for --help, ending in a newline
    const CliOption *options;
    size_t n_options;
    int min_args, max_args; // of what is not an option; max -1: any number
} CliCommand;

// Reads argv[1] onward; what is not an option is moved to the front: argv[1..*n_args]. One-letter
// names are written -n 5 or -n5, others --name VALUE or --name=VALUE; -- ends the options.
// False: *code is the exit code (help was printed, or the error was).
bool cli_parse(const CliCommand *command, int argc, char **argv, int *n_args, int *code);

// --- helpers (cli_common.c) ----------------------------------------------------------------------

// Prints "r1ls: text" on stderr and returns code.
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// The folder of downloaded models: $XDG_CACHE_HOME or ~/.cache, then r1ls/models.
Str cli_model_folder(Arena *arena);
// The file or folder of a model by path or name; empty for the embedded one. ERROR_NOT_FOUND names
// both places that were looked at.
bool cli_locate_model(const char *name, Arena *arena, Str *path, Error *err);
// The file of a model by path or name. A folder of safetensors is converted into the cache
// (models/folder_model.h), unless its file is there already. on_progress as in WriteJob.
bool cli_make_model(const char *name,
                    bool (*on_progress)(void *user, uint64_t done, uint64_t total), void *user,
                    Arena *arena, Str *path, Error *err);
// The same; a conversion is shown on stderr.
bool cli_find_model(const char *name, Arena *arena, Str *path, Error *err);
// The embedded model as the options' image.
void cli_embedded_model(EngineOptions *options);
// Sets the embedded adapter for the adapter "auto" and "embedded".
void cli_embedded_adapter(EngineOptions *options);
// Finds and opens, with the options beside the file. NULL: it was printed and *code says which exit
// code.
Engine *cli_open_model(const char *name, EngineOptions options, Arena *arena, int *code);

// FILE:LINE:COL or FILE:LINE (n_numbers 2 or 1), split from the right, so that FILE may have
// colons. Numbers count from 1.
bool cli_split_place(const char *place, int n_numbers, Arena *arena, Str *file, int numbers[2],
                     Error *err);
// The nearest folder at or above `folder` (absolute) that has .git; empty if none has.
Str cli_find_repository(Str folder, Arena *arena);
// A file of a project: text, absolute path, root (given, or the nearest parent with .git, or the
// file's folder) and the path relative to it. `text` is the caller's to release.
typedef struct CliFile {
    TextSnap *text;
    Str path, root, relative;
} CliFile;
// The absolute root of a file at an absolute path: given, or the nearest parent with .git, or its
// folder. ERROR_INVALID: given is no folder.
bool cli_find_root(const char *given, Str path, Arena *arena, Str *root, Error *err);
bool cli_read_file(Str path, const char *root, Arena *arena, CliFile *out, Error *err);
// Everything from stdin. False: it was too large or could not be read.
bool cli_read_stdin(Arena *arena, Str *out, Error *err);

// True for 64 hexadecimal digits (cli_model_check.c).
bool cli_is_sha256(const char *text);
// A JSON string; bytes that are not UTF-8 become U+FFFD.
struct json_object *cli_json_str(Str s);
// A JSON number with that many decimals; null for what JSON cannot say.
struct json_object *cli_json_num(double number, int decimals);
// Adds "rss_bytes" and, of these, "anonymous_bytes", which no file holds.
void cli_json_add_memory(struct json_object *object, MemoryUse memory);
// {"line", "column"}, both from 1, columns in bytes; and a range of two of them.
struct json_object *cli_json_range(const TextSnap *text, ByteRange range);
// Prints the object on one line and releases it.
void cli_json_print(struct json_object *object);

// --- edits (cli_edit.c) --------------------------------------------------------------------------

// A unified diff of replacing range by insert, with three lines of context.
Str cli_diff(const TextSnap *text, ByteRange range, Str insert, Str path, Arena *arena);
// Replaces a file's contents at once (temporary file beside it, then rename), keeping its mode; a
// file that is not there is made.
bool cli_write_file(const char *path, Str bytes, Error *err);

// --- progress (cli_progress.c) -------------------------------------------------------------------

typedef struct CliProgress {
    const char *action; // "quantize": stands before each line
    bool in_tokens;     // what is counted, set after the start; else bytes
    bool json, is_terminal, is_whole;
    double start_ms, shown_ms;
    uint64_t first; // what was done at the first step
} CliProgress;

// From now on SIGINT and SIGTERM make cli_progress_step say false; a second one ends the program.
void cli_progress_start(CliProgress *progress, const char *action, bool json);
// Shows what is done: a bar on stderr if that is a terminal, lines with a percentage if not, or
// JSON lines {"event": "progress", "action", "done", "total"} on stdout. False: the user wants an
// end.
bool cli_progress_step(void *progress, uint64_t done, uint64_t total);
bool cli_progress_interrupted(void);
// Ends the bar's line; signals do again what they did before the start.
void cli_progress_end(CliProgress *progress);

// --- speed (cli_engine.c) ------------------------------------------------------------------------

typedef struct CliSpeed {
    double prefill_tps, decode_tps;
    double key_ms;    // until the logits are there when only the prompt's last token is another
    MemoryUse memory; // of the process, afterwards
} CliSpeed;
// Reads n_prefill tokens of code and decodes n_decode (both >= 1), after a warm-up.
bool cli_measure(Engine *engine, int n_prefill, int n_decode, CliSpeed *out, Error *err);

// --- commands: argv[0] is the command's name -----------------------------------------------------

int cli_complete(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_generate(int argc, char **argv);
int cli_debug(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_prove(int argc, char **argv);
int cli_surprise(int argc, char **argv);
// Serves the client on stdin and stdout through the user's resident server, which it starts where
// there is none. Returns the exit code, or -1 with err set if no server can be had; then nothing
// was read.
int cli_join_resident(int argc, char **argv, Error *err);
int cli_tune(int argc, char **argv);
int cli_trust(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_schema(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_model(int argc, char **argv);
int cli_model_verify(int argc, char **argv); // argv[0] "verify", and so on
int cli_model_convert(int argc, char **argv);
int cli_model_quantize(int argc, char **argv);
int cli_model_pull(int argc, char **argv);
int cli_engine(int argc, char **argv);
int cli_engine_chat(int argc, char **argv); // argv[0] "chat"

// `r1ls doctor`: what this machine can do and what is configured, for people and bug reports.
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/memory_use.h"
#include "cli.h"
#include "formal/formal.h"
#include "grammars/languages.h"
#include "index/crawl.h"
#include "index/store.h"
#include "sandbox/sandbox.h"
#include "trust.h"
#include "verify/project.h"

enum { PREFILL_TOKENS = 128, DECODE_TOKENS = 32 };

// Facts gathered as JSON; the text form is printed from it, so that both always say the same.
typedef struct Doctor {
    Config config;
    const char *root;
    bool json;
    Arena *arena;
    struct json_object *report;
} Doctor;

static struct json_object *add_section(Doctor *d, const char *name)
{
    struct json_object *section = json_object_new_object();
    json_object_object_add(d->report, name, section);
    return section;
}

static void add_text(struct json_object *section, const char *key, Str text)
{
    json_object_object_add(section, key, cli_json_str(text));
}

// --- machine -------------------------------------------------------------------------------------

// The value of the first "KEY : value" line of a /proc file; empty if there is none.
static Str read_proc(const char *path, const char *key, Arena *arena)
{
    char line[512];
    Str value = {0};
    FILE *f = fopen(path, "r");
    if (!f) return value;
    while (value.len == 0 && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, key, strlen(key)) == 0)
            value = arena_str(arena, str_trim(str_from(colon + 1)));
    }
    fclose(f);
    return value;
}

static void examine_machine(Doctor *d)
{
    struct json_object *section = add_section(d, "machine");
    struct utsname system;
    if (uname(&system) == 0)
        add_text(
            section, "system",
            arena_printf(d->arena, "%s %s %s", system.sysname, system.release, system.machine));
    add_text(section, "cpu", read_proc("/proc/cpuinfo", "model name", d->arena));
    json_object_object_add(section, "cores", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
    add_text(section, "memory", read_proc("/proc/meminfo", "MemTotal", d->arena));
    add_text(section, "memory_available", read_proc("/proc/meminfo", "MemAvailable", d->arena));
}

// --- model ---------------------------------------------------------------------------------------

static void describe_engine(struct json_object *section, const EngineInfo *info)
{
    add_text(section, "name", info->name);
    add_text(section, "arch", info->arch);
    add_text(section, "quantisation", info->quantisation);
    json_object_object_add(section, "n_params", json_object_new_int64((int64_t)info->n_params));
    json_object_object_add(section, "file_bytes", json_object_new_int64((int64_t)info->file_bytes));
    add_text(section, "isa", str_from(info->isa));
    json_object_object_add(section, "threads", json_object_new_int(info->n_threads));
    json_object_object_add(section, "load_ms", cli_json_num(info->open_ms, 1));
}

static bool measure_model(struct json_object *section, Engine *engine, Error *err)
{
    CliSpeed speed;
    if (!cli_measure(engine, PREFILL_TOKENS, DECODE_TOKENS, &speed, err)) return false;
    json_object_object_add(section, "prefill_tps", cli_json_num(speed.prefill_tps, 1));
    json_object_object_add(section, "decode_tps", cli_json_num(speed.decode_tps, 1));
    cli_json_add_memory(section, speed.memory);
    return true;
}

// With the model open, if it could be opened.
static void describe_memory(Doctor *d)
{
    const MemoryUse use = memory_use_read();
    const Config *config = &d->config;
    struct json_object *section = add_section(d, "memory");
    json_object_object_add(section, "anonymous_bytes",
                           json_object_new_int64((int64_t)use.anonymous));
    json_object_object_add(section, "mapped_bytes", json_object_new_int64((int64_t)use.mapped));
    add_text(section, "limit",
             config->memory_megabytes
                 ? arena_printf(d->arena, "%d MB, without mapped files", config->memory_megabytes)
                 : STR("none (memoryMegabytes)"));
    add_text(
        section, "idle_model",
        config->idle_unload_minutes > 0
            ? arena_printf(d->arena, "leaves memory after %g minutes", config->idle_unload_minutes)
            : STR("stays in memory (idleUnloadMinutes 0)"));
}

static int examine_model(Doctor *d)
{
    Error err = {0};
    int code = CLI_DONE;
    struct json_object *section = add_section(d, "model");
    const char *chosen = d->config.model[0] ? d->config.model : "embedded";
    add_text(section, "chosen", str_from(chosen));
    const uint64_t limit = (uint64_t)d->config.memory_megabytes << 20;
    uint64_t has = memory_use_read().anonymous;
    EngineOptions options = {.n_threads = d->config.threads};
    if (limit) options.max_bytes = limit > has ? limit - has : 1;
    Engine *engine = cli_open_model(chosen, options, d->arena, &code);
    if (engine) {
        describe_engine(section, engine_info(engine));
        if (!measure_model(section, engine, &err)) code = cli_fail(CLI_FAILED, "%s", err.text);
    }
    json_object_object_add(section, "works", json_object_new_boolean(code == CLI_DONE));
    describe_memory(d);
    engine_close(engine);
    return code;
}

static int is_model(const struct dirent *entry)
{
    return str_ends(str_from(entry->d_name), STR(".gguf"));
}

static void list_models(Doctor *d)
{
    struct json_object *list = json_object_new_array();
    Str folder = cli_model_folder(d->arena);
    struct dirent **entries;
    int n = scandir(folder.ptr, &entries, is_model, alphasort);
    for (int i = 0; i < n; i++) {
        Str path = arena_printf(d->arena, "%s/%s", folder.ptr, entries[i]->d_name);
        struct stat st;
        double mb = stat(path.ptr, &st) == 0 ? (double)st.st_size / 1e6 : 0;
        json_object_array_add(list,
                              cli_json_str(arena_printf(d->arena, "%s (%.0f MB)", path.ptr, mb)));
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    add_text(d->report, "model_folder", folder);
    json_object_object_add(d->report, "models", list);
}

// --- tools, grammars, settings -------------------------------------------------------------------

// Reading is not executing, but an untrusted folder is not even looked into.
static void examine_project(Doctor *d)
{
    char *root = d->root ? realpath(d->root, NULL) : NULL;
    if (!d->root) return;
    struct json_object *section = add_section(d, "project");
    add_text(section, "root", root ? str_from(root) : STR("no such folder"));
    if (!root) return;
    bool trusted = d->config.trusted || trust_has(root);
    json_object_object_add(section, "trusted", json_object_new_boolean(trusted));
    Project found = {.why = STR("not trusted: nothing of it is read by a tool (r1ls trust)")};
    if (trusted && d->config.test_command[0])
        found = (Project){.command = str_from(d->config.test_command),
                          .tests = true,
                          .why = STR("given by testCommand")};
    else if (trusted && d->config.find_tests)
        found = project_find(str_from(root), STR(""), sandbox_is_available(NULL), d->arena);
    else if (trusted)
        found.why = STR("no testCommand, and findTests is off");
    add_text(section, found.tests || !found.command.len ? "tests" : "build",
             found.command.len ? found.command : STR("none"));
    add_text(section, "reason", found.why);
    free(root);
}

static Str find_program(const char *name, Arena *arena)
{
    Str path = str_from(getenv("PATH"));
    for (size_t start = 0; start < path.len;) {
        size_t end = str_find(path, STR(":"), start);
        Str folder = str_slice(path, start, end);
        Str program = arena_printf(arena, "%.*s/%s", STR_FMT(folder), name);
        if (folder.len && access(program.ptr, X_OK) == 0) return program;
        start = end + 1;
    }
    return STR("not found");
}

static void examine_tools(Doctor *d)
{
    static const struct {
        const char *name, *program;
    } tools[] = {
        {"c_compiler", "cc"}, {"cpp_compiler", "c++"}, {"python", "python3"}, {"git", "git"}};
    struct json_object *section = add_section(d, "tools");
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        add_text(section, tools[i].name, find_program(tools[i].program, d->arena));
    const char *why;
    bool works = sandbox_is_available(&why);
    add_text(section, "sandbox",
             works ? STR("bubblewrap works: tests run without network, home or a writable project")
                   : arena_printf(d->arena, "none (%s): tests run only with sandbox=rlimits", why));
    const FormalProver z3 = {FORMAL_Z3, NULL};
    formal_is_available(&z3, &why);
    add_text(section, "solver", str_from(why));
    FormalProver prover;
    Error err = {0};
    bool known = formal_read_prover(str_from(d->config.prover), &prover, &err);
    const FormalProver cbmc = {FORMAL_CBMC, prover.cbmc};
    formal_is_available(&cbmc, &why);
    add_text(section, "model_checker", known ? str_from(why) : str_from(err.text));
}

static void examine_grammars(Doctor *d)
{
    size_t n;
    const Language *rows = languages(&n);
    struct json_object *section = add_section(d, "grammars");
    StrBuf titles = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&titles, "%s%s", i ? ", " : "", rows[i].title);
    json_object_object_add(section, "count", json_object_new_int64((int64_t)n));
    add_text(section, "languages", strbuf_str(&titles));
    strbuf_deinit(&titles);
}

static void examine_settings(Doctor *d)
{
    struct json_object *section = add_section(d, "settings_that_differ");
    ConfigRow row;
    for (unsigned i = 0; config_row(&d->config, i, &row); i++)
        if (!row.is_default) add_text(section, row.key, str_from(row.value));
}

// --- index

// What an index of the current folder would hold, and what not.
static void examine_index(Doctor *d)
{
    struct json_object *section = add_section(d, "index");
    char root[PATH_MAX];
    if (!getcwd(root, sizeof root)) return;
    const CrawlRules rules = {.globs = d->config.index_ignore,
                              .max_bytes = (size_t)d->config.index_file_kilobytes * 1024,
                              .max_files = (size_t)d->config.index_files};
    size_t n[TAGS_SKIPS] = {0};
    Crawl crawl = crawl_folder(root, STR(""), &rules, NULL, d->arena);
    for (size_t i = 0; i < crawl.n_files; i++) {
        Error err = {0};
        Str path = arena_printf(d->arena, "%s/%s", root, crawl.files[i].path.ptr);
        TextSnap *text = text_read_file(path.ptr, rules.max_bytes, &err);
        n[text ? tags_judge(text_str(text)) : TAGS_UNREADABLE]++;
        text_release(text);
    }
    add_text(section, "folder", arena_str(d->arena, str_from(root)));
    add_text(section, "store", store_path(root, d->arena));
    for (int i = 0; i < TAGS_SKIPS; i++)
        json_object_object_add(section, tags_skip_text((TagsSkip)i),
                               json_object_new_int64((int64_t)n[i]));
    json_object_object_add(section, "too_large", json_object_new_int64((int64_t)crawl.n_too_large));
    json_object_object_add(section, "ignored", json_object_new_int64((int64_t)crawl.n_ignored));
    json_object_object_add(section, "limit_reached", json_object_new_boolean(crawl.is_full));
}

// --- output --------------------------------------------------------------------------------------

static void print_value(const char *key, struct json_object *value, const char *indent)
{
    printf("%s%-18s %s\n", indent, key, json_object_get_string(value));
}

static void print_list(const char *key, struct json_object *list)
{
    size_t n = json_object_array_length(list);
    printf("%s: %s\n", key, n ? "" : "none");
    for (size_t i = 0; i < n; i++)
        printf("  %s\n", json_object_get_string(json_object_array_get_idx(list, i)));
}

static void print_section(const char *key, struct json_object *section)
{
    printf("%s:%s\n", key, json_object_object_length(section) ? "" : " none");
    json_object_object_foreach(section, name, value)
    {
        print_value(name, value, "  ");
    }
}

static void print_report(struct json_object *report)
{
    json_object_object_foreach(report, key, value)
    {
        if (json_object_is_type(value, json_type_object))
            print_section(key, value);
        else if (json_object_is_type(value, json_type_array))
            print_list(key, value);
        else
            printf("%s: %s\n", key, json_object_get_string(value));
    }
}

static int examine(Doctor *d)
{
    d->report = json_object_new_object();
    add_text(d->report, "version", str_from(R1LS_VERSION));
    examine_machine(d);
    int code = examine_model(d);
    list_models(d);
    examine_tools(d);
    examine_project(d);
    examine_grammars(d);
    examine_index(d);
    examine_settings(d);
    if (d->json) {
        cli_json_print(d->report);
    } else {
        print_report(d->report);
        json_object_put(d->report);
    }
    return code;
}

int cli_doctor(int argc, char **argv)
{
    Doctor d = {0};
    config_init(&d.config);
    const CliOption options[] = {
        CLI_OPTION_MODEL(&d.config),
        CLI_OPTION_THREADS(&d.config),
        {"root", "DIR", "a project: how it is built and tested", CLI_TEXT, &d.root, NULL, 0, 0},
        {"trust", NULL, "look into it though it is not trusted", CLI_CONFIG, &d.config, "trusted",
         0, 0},
        CLI_OPTION_SET(&d.config),
        CLI_OPTION_JSON(&d.json),
    };
    const CliCommand command = {
        "r1ls doctor [options]",
        "Tells what the machine can do, whether the model works and how fast, and which tools,\n"
        "grammars, models and settings there are, and what an index of the folder leaves out. Exit "
        "codes: 0, 2 no such model, 3 it fails.\n",
        options,
        sizeof options / sizeof *options,
        0,
        0};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code)) {
        d.arena = arena_new();
        code = examine(&d);
        arena_free(d.arena);
    }
    config_deinit(&d.config);
    return code;
}

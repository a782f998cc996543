// `r1ls check`: diagnostics of files and folders, in the order of their names. Files are listed
// first, checked by several threads, and reported in the order of the list.
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"
#include "cli_check_file.h"
#include "trust.h"

enum { MAX_DEPTH = 128, MAX_THREADS = 64 };

// A place in the report: a file that is checked, or why an entry is not.
typedef struct Entry {
    CheckedFile file;
    Str failure, skipped;
} Entry;

typedef struct Check {
    Arena *arena;
    Findings findings;
    FindingFormat format;
    VEC(Entry) entries;
    VEC(CheckRules *) rules; // one of each root
    VEC(Since *) since;
    atomic_size_t next; // entry to be checked
    double start_ms;
    // Options.
    bool json, trust;
    int n_threads;
    double budget;
    FixMode fix;
    RuleSeverity severity; // the least that is reported
    Config settings;
    const char *severity_word, *format_word, *baseline, *write_baseline, *since_ref, *config,
        *fix_word;
} Check;

// --- listing -------------------------------------------------------------------------------------

static void list_failure(Check *check, const char *path, const char *why)
{
    Entry entry = {.file.path = arena_str(check->arena, str_from(path)),
                   .failure = arena_str(check->arena, str_from(why))};
    VEC_PUSH(&check->entries, entry);
}

static void list_file(Check *check, const char *path, const Language *lang, const CheckRules *rules)
{
    Entry entry = {
        .file = {.path = arena_str(check->arena, str_from(path)), .rules = rules, .lang = lang}};
    VEC_PUSH(&check->entries, entry);
}

// Hidden entries, dependencies and build output are nobody's source.
static int is_wanted(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return name[0] != '.' && strcmp(name, "node_modules") != 0 && strcmp(name, "build") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); // bytes, not the locale's order
}

static bool is_ignored(const CheckRules *rules, const char *path)
{
    char real[PATH_MAX];
    if (rules->project.n_ignore == 0 || !realpath(path, real)) return false;
    Str s = str_from(real);
    bool inside = str_starts(s, rules->root) && s.len > rules->root.len;
    return inside && dotfile_ignores(&rules->project, str_slice(s, rules->root.len + 1, s.len));
}

static void list_folder(Check *check, const char *folder, const CheckRules *rules, int depth);

// Links are not followed: what they lead to is checked under its own name, or lies outside.
static void list_entry(Check *check, const char *path, const CheckRules *rules, int depth)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        list_failure(check, path, strerror(errno));
        return;
    }
    const Language *lang = language_by_path(path);
    if (is_ignored(rules, path)) return;
    if (S_ISDIR(st.st_mode))
        list_folder(check, path, rules, depth + 1);
    else if (S_ISREG(st.st_mode) && lang)
        list_file(check, path, lang, rules);
}

static void list_folder(Check *check, const char *folder, const CheckRules *rules, int depth)
{
    struct dirent **entries;
    int n = depth > MAX_DEPTH ? -1 : scandir(folder, &entries, is_wanted, by_name);
    if (n < 0) {
        list_failure(check, folder, depth > MAX_DEPTH ? "too deep" : strerror(errno));
        return;
    }
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    for (int i = 0; i < n; i++) {
        StrBuf path = {0};
        strbuf_printf(&path, "%s%s%s", folder, slash, entries[i]->d_name);
        list_entry(check, path.ptr, rules, depth);
        strbuf_deinit(&path);
        free(entries[i]);
    }
    free(entries);
}

// --- rules of a root -----------------------------------------------------------------------------

// The repository around the path, or the folder itself.
static Str find_root(const char *path, bool is_folder, Arena *arena)
{
    char real[PATH_MAX];
    if (!realpath(path, real)) return STR("");
    Str folder = arena_str(arena, str_from(real));
    while (!is_folder && folder.len > 1 && folder.ptr[folder.len - 1] != '/')
        folder.len--;
    if (!is_folder && folder.len > 1) folder.len--;
    Str root = cli_find_repository(folder, arena);
    return arena_str(arena, root.len ? root : folder);
}

static const CheckRules *get_rules(Check *check, Str root, Error *err)
{
    for (size_t i = 0; i < check->rules.n; i++)
        if (str_equal(check->rules.items[i]->root, root)) return check->rules.items[i];
    CheckRules *rules = arena_alloc(check->arena, sizeof *rules);
    *rules =
        (CheckRules){.root = root,
                     .trusted = check->trust || trust_has(root.ptr),
                     .fix = check->fix,
                     .severity = check->severity,
                     .rules_off = str_from(check->settings.rules_off),
                     .deadline_ms = check->budget > 0 ? check->start_ms + 1000 * check->budget : 0};
    if (!dotfile_read(root, check->config, rules->trusted, check->arena, &rules->project, err))
        return NULL;
    if (check->since_ref) {
        Since *since = since_open(root, check->since_ref, check->arena, err);
        if (!since) return NULL;
        VEC_PUSH(&check->since, since);
        rules->since = since;
    }
    VEC_PUSH(&check->rules, rules);
    return rules;
}

// False: the configuration is wrong.
static bool list_path(Check *check, const char *path, Error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        list_failure(check, path, strerror(errno));
        return true;
    }
    const Language *lang = language_by_path(path);
    bool is_folder = S_ISDIR(st.st_mode);
    const CheckRules *rules = get_rules(check, find_root(path, is_folder, check->arena), err);
    if (!rules) return false;
    if (is_folder) {
        list_folder(check, path, rules, 0);
    } else if (lang) {
        list_file(check, path, lang, rules);
    } else {
        Entry entry = {.file.path = arena_str(check->arena, str_from(path)),
                       .skipped = STR("no grammar knows a file of this name")};
        VEC_PUSH(&check->entries, entry);
    }
    return true;
}

// --- checking ------------------------------------------------------------------------------------

static void *work(void *user)
{
    Check *check = user;
    for (size_t i; (i = atomic_fetch_add(&check->next, 1)) < check->entries.n;) {
        Entry *entry = &check->entries.items[i];
        if (entry->file.lang) check_file(&entry->file);
    }
    return NULL;
}

static void check_all(Check *check)
{
    pthread_t threads[MAX_THREADS];
    int wanted = check->n_threads > 0 ? check->n_threads : (int)sysconf(_SC_NPROCESSORS_ONLN),
        n = 0;
    pthread_attr_t attr; // a grammar may recurse deeply
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, (size_t)8 << 20);
    while (n < wanted - 1 && n < MAX_THREADS && (size_t)n + 1 < check->entries.n &&
           pthread_create(&threads[n], &attr, work, check) == 0)
        n++;
    work(check);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attr);
}

// --- reporting -----------------------------------------------------------------------------------

static void report(Check *check, const Entry *entry)
{
    Findings *f = &check->findings;
    const CheckedFile *file = &entry->file;
    const char *path = file->path.ptr;
    Str failure = entry->failure.len ? entry->failure : file->failure;
    if (failure.len) {
        findings_add_failure(f, path, failure.ptr);
        cli_fail(CLI_FAILED, "%s: %s", path, failure.ptr);
        return;
    }
    if (entry->skipped.len) {
        findings_add_skipped(f, path, entry->skipped.ptr);
        if (check->format != FORMAT_JSON)
            cli_fail(CLI_DONE, "%s: not checked: %s", path, entry->skipped.ptr);
        return;
    }
    for (size_t i = 0; i < file->found.n; i++)
        findings_add(f, path, file->text, &file->found.items[i], &file->fixes.items[i]);
    f->n_files++;
    f->n_fixed += (size_t)file->n_fixed;
    if (file->n_fixed) fprintf(stderr, "%s: %d fixed\n", path, file->n_fixed);
    if (file->note.len) fprintf(stderr, "%s: %.*s\n", path, STR_FMT(file->note));
}

// Everything is read before anything is printed: reports are one document each.
static int run(Check *check, char **paths, int n)
{
    Error err = {0};
    Findings *f = &check->findings;
    if (check->baseline && !findings_read_baseline(f, check->baseline, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    for (int i = 0; i < n; i++)
        if (!list_path(check, paths[i], &err)) return cli_fail(CLI_USAGE, "%s", err.text);
    check_all(check);
    for (size_t i = 0; i < check->entries.n; i++)
        report(check, &check->entries.items[i]);
    if (check->write_baseline && !findings_write_baseline(f, check->write_baseline, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    findings_print(f, check->format);
    if (f->failed) return CLI_FAILED;
    bool is_new = f->all.n > f->n_known && !check->write_baseline;
    return is_new ? CLI_FINDINGS : CLI_DONE;
}

static void free_check(Check *check)
{
    for (size_t i = 0; i < check->entries.n; i++)
        checked_free(&check->entries.items[i].file);
    for (size_t i = 0; i < check->since.n; i++)
        since_free(check->since.items[i]);
    VEC_FREE(&check->entries);
    VEC_FREE(&check->rules);
    VEC_FREE(&check->since);
    findings_deinit(&check->findings);
    config_deinit(&check->settings);
    arena_free(check->arena);
}

static bool read_words(Check *check)
{
    const char *fix = check->fix_word;
    if (check->json) check->format_word = "json";
    if (fix) check->fix = strcmp(fix, "verified") == 0 ? FIX_VERIFIED : FIX_PARSED;
    if (fix && fix[0] && check->fix == FIX_PARSED) {
        cli_fail(CLI_USAGE, "--fix is '%.40s', wanted nothing or verified", fix);
        return false;
    }
    if (!findings_find_severity(check->severity_word, &check->severity)) {
        cli_fail(CLI_USAGE, "severity '%.40s', wanted error, warning, information or hint",
                 check->severity_word);
        return false;
    }
    if (findings_find_format(check->format_word, &check->format)) return true;
    cli_fail(CLI_USAGE, "format '%.40s', wanted text, json, sarif, github, gitlab or junit",
             check->format_word);
    return false;
}

static const char about[] =
    "Reports syntax errors and what the rules find (docs/rules.md) in files and in the files of\n"
    "folders, and, where the folder is trusted, what the compiler says, as file:line:column, from\n"
    "1, columns in bytes. In folders, hidden\n"
    "entries, node_modules and build are passed over, and what .r1ls.json in the root ignores.\n"
    "--fix inserts what is missing where the text then parses; with =verified only where the "
    "whole\n"
    "file then compiles too. --since leaves out what stands on lines that have not changed since "
    "a\n"
    "commit. --json is --format json. A baseline knows a finding by its file, its line's text and\n"
    "its message, so that it stays known when lines move.\n"
    "Exit codes: 0 clean, 1 findings, 2 usage or configuration, 3 something could not be read,\n"
    "is too large to be parsed or was not reached in time.\n";

int cli_check(int argc, char **argv)
{
    Check check = {.format_word = "text",
                   .severity_word = "warning",
                   .arena = arena_new(),
                   .start_ms = clock_ms()};
    const CliOption options[] = {
        {"format", "FORM", "text, json, sarif, github, gitlab or junit", CLI_TEXT,
         &check.format_word, NULL, 0, 0},
        {"severity", "LEVEL", "the least to report: error, warning (default), information or hint",
         CLI_TEXT, &check.severity_word, NULL, 0, 0},
        {"baseline", "FILE", "do not report what this file knows", CLI_TEXT, &check.baseline, NULL,
         0, 0},
        {"write-baseline", "FILE", "write what is found into this file, and succeed", CLI_TEXT,
         &check.write_baseline, NULL, 0, 0},
        {"since", "REF", "only lines that have changed since this commit", CLI_TEXT,
         &check.since_ref, NULL, 0, 0},
        {"fix", "[=verified]", "insert what is missing; verified: if it then compiles",
         CLI_OPTIONAL, &check.fix_word, NULL, 0, 0},
        {"budget", "SECONDS", "files not reached by then are failures; 0: no limit", CLI_NUM,
         &check.budget, NULL, 0, 86400},
        {"trust", NULL, "the compiler may be asked", CLI_FLAG, &check.trust, NULL, 0, 0},
        {"config", "FILE", "in place of .r1ls.json in the root", CLI_TEXT, &check.config, NULL, 0,
         0},
        {"threads", "N", "files checked at once; 0: one per core", CLI_INT, &check.n_threads, NULL,
         0, MAX_THREADS},
        CLI_OPTION_JSON(&check.json),
        CLI_OPTION_SET(&check.settings),
    };
    const CliCommand command = {"r1ls check PATH... [options]",   about, options,
                                sizeof options / sizeof *options, 1,     -1};
    int n_args, code;
    findings_init(&check.findings);
    config_init(&check.settings);
    if (cli_parse(&command, argc, argv, &n_args, &code))
        code = read_words(&check) ? run(&check, argv + 1, n_args) : CLI_USAGE;
    free_check(&check);
    return code;
}

// `r1ls check`: diagnostics of files and folders, in the order of their names.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "cli_findings.h"
#include "workspace/syntax.h"

enum { MAX_ISSUES = 1000, MAX_DEPTH = 128 };

typedef struct Check {
    Findings findings;
    FindingFormat format;
    RuleSeverity severity; // the least that is reported
    Config config;
    bool json;
    const char *format_word, *severity_word, *baseline, *write_baseline;
} Check;

static void report_failure(Check *check, const char *path, const char *why)
{
    findings_add_failure(&check->findings, path, why);
    cli_fail(CLI_FAILED, "%s: %s", path, why);
}

static void report_skipped(Check *check, const char *path, const char *why)
{
    findings_add_skipped(&check->findings, path, why);
    if (check->format != FORMAT_JSON) cli_fail(CLI_DONE, "%s: not checked: %s", path, why);
}

static void check_text(Check *check, const char *path, const Language *lang, const TextSnap *text)
{
    Syntax *syntax = syntax_parse(lang, text, NULL);
    if (!syntax) {
        StrBuf why = {0}; // nobody has looked at it, so a pass would be a lie
        strbuf_printf(&why, "%zu bytes are too many to be parsed, wanted at most %zu",
                      text_n_bytes(text), SYNTAX_MAX_BYTES);
        report_failure(check, path, why.ptr);
        strbuf_deinit(&why);
        return;
    }
    Arena *arena = arena_new();
    SyntaxIssue *issues;
    RuleFinding *found;
    size_t n = syntax_issues(syntax, MAX_ISSUES, arena, &issues);
    for (size_t i = 0; i < n; i++) {
        RuleFinding issue = {.rule = STR(FINDING_SYNTAX),
                             .severity = SEVERITY_ERROR,
                             .range = issues[i].range,
                             .message = issues[i].message};
        findings_add(&check->findings, path, text, &issue);
    }
    Str off = str_from(check->config.rules_off);
    n = rules_find(syntax, str_from(path), MAX_ISSUES, arena, &found);
    for (size_t i = 0; i < n; i++)
        if (found[i].severity <= check->severity && !rules_is_listed(off, found[i].rule))
            findings_add(&check->findings, path, text, &found[i]);
    check->findings.n_files++;
    arena_free(arena);
    syntax_release(syntax);
}

static void check_file(Check *check, const char *path, const Language *lang)
{
    Error err = {0};
    TextSnap *text = text_read_file(path, TEXT_MAX_BYTES, &err);
    if (!text) {
        report_failure(check, path, err.text);
        return;
    }
    check_text(check, path, lang, text);
    text_release(text);
}

// --- folders -------------------------------------------------------------------------------------

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

static void check_folder(Check *check, const char *folder, int depth);

// Links are not followed: what they lead to is checked under its own name, or lies outside.
static void check_entry(Check *check, const char *path, int depth)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        report_failure(check, path, strerror(errno));
        return;
    }
    const Language *lang = language_by_path(path);
    if (S_ISDIR(st.st_mode))
        check_folder(check, path, depth + 1);
    else if (S_ISREG(st.st_mode) && lang)
        check_file(check, path, lang);
}

static void check_folder(Check *check, const char *folder, int depth)
{
    struct dirent **entries;
    int n = depth > MAX_DEPTH ? -1 : scandir(folder, &entries, is_wanted, by_name);
    if (n < 0) {
        report_failure(check, folder, depth > MAX_DEPTH ? "too deep" : strerror(errno));
        return;
    }
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    for (int i = 0; i < n; i++) {
        StrBuf path = {0};
        strbuf_printf(&path, "%s%s%s", folder, slash, entries[i]->d_name);
        check_entry(check, path.ptr, depth);
        strbuf_deinit(&path);
        free(entries[i]);
    }
    free(entries);
}

static void check_path(Check *check, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        report_failure(check, path, strerror(errno));
        return;
    }
    const Language *lang = language_by_path(path);
    if (S_ISDIR(st.st_mode))
        check_folder(check, path, 0);
    else if (lang)
        check_file(check, path, lang);
    else
        report_skipped(check, path, "no grammar knows a file of this name");
}

// Everything is read before anything is printed: reports are one document each.
static int run(Check *check, char **paths, int n)
{
    Error err = {0};
    Findings *f = &check->findings;
    if (check->baseline && !findings_read_baseline(f, check->baseline, &err))
        return cli_fail(CLI_USAGE, "%s", err.text);
    for (int i = 0; i < n; i++)
        check_path(check, paths[i]);
    if (check->write_baseline && !findings_write_baseline(f, check->write_baseline, &err))
        return cli_fail(CLI_FAILED, "%s", err.text);
    findings_print(f, check->format);
    if (f->failed) return CLI_FAILED;
    bool is_new = f->all.n > f->n_known && !check->write_baseline;
    return is_new ? CLI_FINDINGS : CLI_DONE;
}

static int run_formatted(Check *check, char **paths, int n)
{
    if (check->json) check->format_word = "json";
    if (!findings_find_format(check->format_word, &check->format))
        return cli_fail(CLI_USAGE,
                        "format '%.40s', wanted text, json, sarif, github, gitlab or junit",
                        check->format_word);
    if (!findings_find_severity(check->severity_word, &check->severity))
        return cli_fail(CLI_USAGE, "severity '%.40s', wanted error, warning, information or hint",
                        check->severity_word);
    findings_init(&check->findings);
    int code = run(check, paths, n);
    findings_deinit(&check->findings);
    return code;
}

int cli_check(int argc, char **argv)
{
    Check check = {.format_word = "text", .severity_word = "warning"};
    config_init(&check.config);
    const CliOption options[] = {
        {"format", "FORM", "text, json, sarif, github, gitlab or junit", CLI_TEXT,
         &check.format_word, NULL, 0, 0},
        {"severity", "LEVEL", "the least to report: error, warning (default), information or hint",
         CLI_TEXT, &check.severity_word, NULL, 0, 0},
        {"baseline", "FILE", "do not report what this file knows", CLI_TEXT, &check.baseline, NULL,
         0, 0},
        {"write-baseline", "FILE", "write what is found into this file, and succeed", CLI_TEXT,
         &check.write_baseline, NULL, 0, 0},
        CLI_OPTION_JSON(&check.json),
        CLI_OPTION_SET(&check.config),
    };
    const CliCommand command = {
        "r1ls check PATH... [options]",
        "Reports syntax errors and what the rules find (docs/rules.md) in files and in the files "
        "of\n"
        "folders, as file:line:column, from 1, columns in bytes. In folders, hidden entries, "
        "node_modules and build are passed over.\n"
        "--json is --format json. A baseline knows a finding by its file, its line's text and its\n"
        "message, so that it stays known when lines move.\n"
        "Exit codes: 0 clean, 1 findings, 2 usage, 3 something could not be read or is too\n"
        "large to be parsed.\n",
        options,
        sizeof options / sizeof *options,
        1,
        -1};
    int n_args, code;
    if (cli_parse(&command, argc, argv, &n_args, &code))
        code = run_formatted(&check, argv + 1, n_args);
    config_deinit(&check.config);
    return code;
}

// `r1ls check`: syntax diagnostics of files and folders, in the order of their names.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "cli.h"
#include "workspace/syntax.h"

enum { MAX_ISSUES = 1000, MAX_DEPTH = 128 };

typedef struct Check {
    bool json, failed;
    size_t n_files, n_issues;
    struct json_object *findings, *skipped, *errors; // with json only
} Check;

static void note(struct json_object *list, const char *path, const char *why)
{
    struct json_object *entry = json_object_new_object();
    json_object_object_add(entry, "file", cli_json_str(str_from(path)));
    json_object_object_add(entry, "why", cli_json_str(str_from(why)));
    json_object_array_add(list, entry);
}

static void report_failure(Check *check, const char *path, const char *why)
{
    check->failed = true;
    if (check->json) note(check->errors, path, why);
    cli_fail(CLI_FAILED, "%s: %s", path, why);
}

static void report_skipped(Check *check, const char *path, const char *why)
{
    if (check->json)
        note(check->skipped, path, why);
    else
        cli_fail(CLI_DONE, "%s: not checked: %s", path, why);
}

static void report_issue(Check *check, const char *path, const TextSnap *text,
                         const SyntaxIssue *issue)
{
    check->n_issues++;
    TextPoint at = text_point(text, issue->range.start);
    if (!check->json) {
        printf("%s:%u:%u: error: %.*s\n", path, at.row + 1, at.col_bytes + 1,
               STR_FMT(issue->message));
        return;
    }
    struct json_object *entry = json_object_new_object();
    json_object_object_add(entry, "file", cli_json_str(str_from(path)));
    json_object_object_add(entry, "line", json_object_new_int64((int64_t)at.row + 1));
    json_object_object_add(entry, "column", json_object_new_int64((int64_t)at.col_bytes + 1));
    json_object_object_add(entry, "range", cli_json_range(text, issue->range));
    json_object_object_add(entry, "severity", json_object_new_string("error"));
    json_object_object_add(entry, "message", cli_json_str(issue->message));
    json_object_array_add(check->findings, entry);
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
    size_t n = syntax_issues(syntax, MAX_ISSUES, arena, &issues);
    for (size_t i = 0; i < n; i++)
        report_issue(check, path, text, &issues[i]);
    check->n_files++;
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

static void print_json(Check *check)
{
    struct json_object *out = json_object_new_object();
    json_object_object_add(out, "n_files", json_object_new_int64((int64_t)check->n_files));
    json_object_object_add(out, "findings", check->findings);
    json_object_object_add(out, "skipped", check->skipped);
    json_object_object_add(out, "errors", check->errors);
    cli_json_print(out);
}

int cli_check(int argc, char **argv)
{
    Check check = {0};
    const CliOption options[] = {CLI_OPTION_JSON(&check.json)};
    const CliCommand command = {
        "r1ls check PATH... [options]",
        "Reports syntax errors of files and of the files in folders, as file:line:column, from 1,\n"
        "columns in bytes. In folders, hidden entries, node_modules and build are passed over.\n"
        "Exit codes: 0 clean, 1 findings, 2 usage, 3 something could not be read or is too\n"
        "large to be parsed.\n",
        options,
        sizeof options / sizeof *options,
        1,
        -1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    if (check.json) {
        check.findings = json_object_new_array();
        check.skipped = json_object_new_array();
        check.errors = json_object_new_array();
    }
    for (int i = 1; i <= n_args; i++)
        check_path(&check, argv[i]);
    if (check.json) print_json(&check);
    if (check.failed) return CLI_FAILED;
    return check.n_issues ? CLI_FINDINGS : CLI_DONE;
}

// Order: fixes first, one at a time, because each moves what comes after it; then the findings of
// what is left. Several fixes are written at once or not at all.
#include "cli_check_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "verify/compiler.h"
#include "workspace/fixes.h"

enum { MAX_ISSUES = 1000, MAX_FIXES = 100, MAX_SHOWN_FIXES = 20 };

// What the compiler says of a text.
typedef struct Judgement {
    CompilerIssue *issues;
    size_t n, n_errors;
    bool ran, ok;
    Str why; // it did not run
} Judgement;

static bool is_late(const CheckedFile *file)
{
    return file->rules->deadline_ms > 0 && clock_ms() > file->rules->deadline_ms;
}

static Str real_path(const CheckedFile *file)
{
    char real[PATH_MAX];
    return realpath(file->path.ptr, real) ? arena_str(file->arena, str_from(real)) : file->path;
}

static bool is_changed(const CheckedFile *file, const TextSnap *text, ByteRange range)
{
    uint32_t first = text_point(text, range.start).row + 1,
             last = text_point(text, range.end).row + 1;
    return !file->rules->since || since_has(file->rules->since, real_path(file), first, last);
}

// --- the compiler --------------------------------------------------------------------------------

static Judgement ask_compiler(const CheckedFile *file, const TextSnap *text)
{
    Judgement j = {.why = STR("the folder is not trusted")};
    CompilerInput input = {text, file->lang, real_path(file), file->rules->root};
    Compiler *compiler = file->rules->trusted ? compiler_start(&input, file->arena, &j.why) : NULL;
    if (!compiler) return j;
    compiler_wait(compiler, NULL);
    j.n = compiler_issues(compiler, MAX_ISSUES, &j.issues, &j.ok);
    j.ran = true;
    for (size_t i = 0; i < j.n; i++)
        j.n_errors += j.issues[i].is_error;
    compiler_free(compiler);
    return j;
}

// --- fixing --------------------------------------------------------------------------------------

// The first issue that can be fixed, and its fix.
static bool find_first_fix(const CheckedFile *file, const Syntax *syntax, SyntaxFix *out)
{
    SyntaxIssue *issues;
    size_t n = syntax_issues(syntax, MAX_SHOWN_FIXES, file->arena, &issues);
    for (size_t i = 0; i < n && !is_late(file); i++)
        if (is_changed(file, syntax_text(syntax), issues[i].range) &&
            fix_find(syntax, &issues[i], file->arena, out))
            return true;
    return false;
}

// The text with all that could be fixed; a reference of the caller's.
static TextSnap *fix_text(CheckedFile *file)
{
    TextSnap *text = text_retain(file->text);
    for (file->n_fixed = 0; file->n_fixed < MAX_FIXES; file->n_fixed++) {
        SyntaxFix fix;
        Error err = {0};
        Syntax *syntax = syntax_parse(file->lang, text, NULL);
        bool found = syntax && find_first_fix(file, syntax, &fix);
        syntax_release(syntax);
        TextSnap *next =
            found ? text_edit(text, (ByteRange){fix.at, fix.at}, fix.insert, NULL, &err) : NULL;
        if (!next) break;
        text_release(text);
        text = next;
    }
    return text;
}

// Is the fixed text good enough to be written? Says why not.
static bool is_allowed(CheckedFile *file, const TextSnap *fixed)
{
    if (file->rules->fix != FIX_VERIFIED) return true;
    Judgement after = ask_compiler(file, fixed);
    if (after.ran && after.ok) return true;
    file->note = arena_printf(file->arena, "not fixed, as it could not be verified: %.*s",
                              STR_FMT(!after.ran ? after.why
                                                 : (after.n_errors ? after.issues[0].message
                                                                   : STR("it does not compile"))));
    return false;
}

static void fix_file(CheckedFile *file)
{
    Error err = {0};
    TextSnap *fixed = fix_text(file);
    bool wanted = file->n_fixed > 0 && is_allowed(file, fixed);
    bool written = wanted && cli_write_file(file->path.ptr, text_str(fixed), &err);
    if (wanted && !written) file->note = arena_printf(file->arena, "not fixed: %s", err.text);
    if (written) {
        text_release(file->text);
        file->text = text_retain(fixed);
    } else {
        file->n_fixed = 0;
    }
    text_release(fixed);
}

// --- findings ------------------------------------------------------------------------------------

// Takes it where somebody wants to hear of it.
static bool add(CheckedFile *file, RuleFinding found)
{
    const CheckRules *rules = file->rules;
    if (!dotfile_judge(&rules->project, &found) || found.severity > rules->severity ||
        rules_is_listed(rules->rules_off, found.rule) || !is_changed(file, file->text, found.range))
        return false;
    VEC_PUSH(&file->found, found);
    VEC_PUSH(&file->fixes, (FindingFix){0});
    return true;
}

// What is known of an edit of the text; NULL: it makes it worse.
static const char *find_evidence(const CheckedFile *file, ByteRange range, Str insert,
                                 size_t n_errors)
{
    Error err = {0};
    ByteRange all = {0, SIZE_MAX};
    TextSnap *text = text_edit(file->text, range, insert, NULL, &err);
    Syntax *after = text ? syntax_parse(file->lang, text, NULL) : NULL;
    size_t n = after ? syntax_error_count(after, all) : SIZE_MAX;
    const char *evidence = n > n_errors ? NULL : n == 0 ? "parses" : "parses better";
    if (n == 0 && file->rules->trusted) {
        Judgement judged = ask_compiler(file, text);
        if (judged.ran && judged.ok) evidence = "compiles";
    }
    syntax_release(after);
    text_release(text);
    return evidence;
}

// Of the finding that was added last.
static void offer_fix(CheckedFile *file, const Syntax *syntax, ByteRange range, Str insert)
{
    size_t n_errors = syntax_error_count(syntax, (ByteRange){0, SIZE_MAX});
    if (file->found.n > MAX_SHOWN_FIXES || is_late(file)) return;
    file->fixes.items[file->fixes.n - 1] = (FindingFix){
        .range = range, .insert = insert, .evidence = find_evidence(file, range, insert, n_errors)};
}

static void add_syntax(CheckedFile *file, const Syntax *syntax, const SyntaxIssue *issues, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        SyntaxFix fix;
        RuleFinding issue = {.rule = STR(RULE_SYNTAX),
                             .severity = SEVERITY_ERROR,
                             .range = issues[i].range,
                             .message = issues[i].message};
        if (add(file, issue) && file->found.n <= MAX_SHOWN_FIXES &&
            fix_find(syntax, &issues[i], file->arena, &fix))
            offer_fix(file, syntax, (ByteRange){fix.at, fix.at}, fix.insert);
    }
}

static void add_rules(CheckedFile *file, const Syntax *syntax)
{
    RuleFinding *found;
    size_t n = rules_find(syntax, file->path, MAX_ISSUES, file->arena, &found);
    for (size_t i = 0; i < n; i++)
        if (add(file, found[i]) && found[i].has_fix)
            offer_fix(file, syntax, found[i].fix_range, found[i].fix);
}

static void add_compiler(CheckedFile *file, const Syntax *syntax, const SyntaxIssue *issues,
                         size_t n_issues)
{
    if (!file->rules->trusted || !dotfile_asks(&file->rules->project, STR(RULE_COMPILER))) return;
    Judgement j = ask_compiler(file, file->text);
    for (size_t i = 0; i < j.n; i++) {
        RuleFinding found = compiler_finding(&j.issues[i]);
        if (compiler_doubles(file->text, &j.issues[i], issues, n_issues)) continue;
        if (add(file, found) && found.has_fix) offer_fix(file, syntax, found.fix_range, found.fix);
    }
    if (j.ran && !j.ok && j.n_errors == 0)
        file->note = STR("the compiler fails on what the file includes, and judged no more of it");
}

static void check_text(CheckedFile *file)
{
    Syntax *syntax = syntax_parse(file->lang, file->text, NULL);
    if (!syntax) { // nobody has looked at it, so a pass would be a lie
        file->failure =
            arena_printf(file->arena, "%zu bytes are too many to be parsed, wanted at most %zu",
                         text_n_bytes(file->text), SYNTAX_MAX_BYTES);
        return;
    }
    SyntaxIssue *issues;
    size_t n = syntax_issues(syntax, MAX_ISSUES, file->arena, &issues);
    add_syntax(file, syntax, issues, n);
    add_rules(file, syntax);
    add_compiler(file, syntax, issues, n);
    syntax_release(syntax);
}

void check_file(CheckedFile *file)
{
    Error err = {0};
    file->arena = arena_new();
    if (is_late(file)) {
        file->failure = STR("not checked: the time given by --budget was over");
        return;
    }
    file->text = text_read_file(file->path.ptr, TEXT_MAX_BYTES, &err);
    if (!file->text) {
        file->failure = arena_printf(file->arena, "%s", err.text);
        return;
    }
    if (file->rules->fix != FIX_NONE && text_n_bytes(file->text) <= SYNTAX_MAX_BYTES)
        fix_file(file);
    check_text(file);
}

void checked_free(CheckedFile *file)
{
    VEC_FREE(&file->found);
    VEC_FREE(&file->fixes);
    text_release(file->text);
    arena_free(file->arena);
}

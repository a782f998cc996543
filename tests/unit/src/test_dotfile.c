// .r1ls.json: what is taken, what is refused and how that is said; patterns; repairs of syntax.
#include "unit/unit.h"

#include <unistd.h>

#include "dotfile.h"
#include "workspace/fixes.h"

static Dotfile project;
static Arena *arena;
static Error err;

static bool read_text(const char *json, bool trusted)
{
    char path[] = "/tmp/r1ls-project-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && text_write_all(fd, str_from(json)));
    close(fd);
    err = (Error){0};
    bool ok = dotfile_read(STR("/nowhere"), path, trusted, arena, &project, &err);
    unlink(path);
    return ok;
}

static void assert_refused(const char *json, bool trusted, const char *told)
{
    if (read_text(json, trusted)) fail_msg("taken: %s", json);
    if (!strstr(err.text, told)) fail_msg("%s: '%s', wanted '%s'", json, err.text, told);
    assert_int_equal(err.code, ERROR_INVALID);
}

static void files_are_read(void **state)
{
    (void)state;
    Config config;
    assert_ok(read_text("{\"ignore\": [\"gen/**\"], \"rules\": {\"syntax\": \"warning\", "
                        "\"compiler\": \"off\"}, \"options\": {\"maxTokens\": 7, \"multiLine\": "
                        "false, \"rounds\": 9}}",
                        false),
              err);
    RuleFinding found = {.rule = STR(RULE_SYNTAX), .severity = SEVERITY_ERROR};
    assert_true(dotfile_judge(&project, &found));
    assert_int_equal(found.severity, SEVERITY_WARNING);
    assert_false(dotfile_asks(&project, STR(RULE_COMPILER)));
    config_init(&config);
    assert_ok(config_set(&config, "rounds", "2", &err), err); // what the user said stands
    dotfile_configure(&project, &config);
    assert_int_equal(config.max_tokens, 7);
    assert_false(config.multi_line);
    assert_int_equal(config.rounds, 2);
    config_deinit(&config);
    assert_ok(read_text("{\"options\": {\"testCommand\": \"make test\"}}", true), err);
    assert_ok(dotfile_read(STR("/nowhere"), NULL, false, arena, &project, &err), err);
    assert_int_equal(project.n_rules, 0);
    assert_false(dotfile_read(STR("/"), "/nowhere/at.json", false, arena, &project, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void wrong_ones_are_refused(void **state)
{
    (void)state;
    assert_refused("", false, "wanted JSON");
    assert_refused("{\"rules\": {},}", false, "wanted JSON");
    assert_refused("{}\n{}", false, ":2: ");
    assert_refused("[]", false, "the file is [], wanted an object");
    assert_refused("{\"rule\": {}}", false, "rule is {}, wanted only ignore, rules, options");
    assert_refused("{\"rules\": {\"syntax\": 1}}", false, "rules.syntax is 1, wanted \"off\"");
    assert_refused("{\"rules\": {\"style\": \"off\"}}", false,
                   "rules.style is \"off\", wanted a rule");
    assert_refused("{\"ignore\": \"x\"}", false, "ignore is \"x\", wanted a list");
    assert_refused("{\"ignore\": [1]}", false, "ignore is 1, wanted a pattern");
    assert_refused("{\"options\": {\"maxTokens\": 0}}", false, "maxTokens is '0', wanted a whole");
    assert_refused("{\"options\": {\"maxTokens\": \"9\"}}", false, "maxTokens is \"9\"");
    assert_refused("{\"options\": {\"tokens\": 1}}", false,
                   "options.tokens is 1, wanted an option");
    static const char *const users[] = {"trusted", "sandbox", "model",    "adapter",
                                        "audit",   "threads", "auditDays"};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        Str json = arena_printf(arena, "{\"options\": {\"%s\": true}}", users[i]);
        assert_refused(json.ptr, true, "only the user may set this");
    }
    assert_refused("{\"options\": {\"testCommand\": \"x\"}}", false, "the folder is not trusted");
}

static void patterns_match_paths(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {{"*.min.js", "a/b/x.min.js", true},
                 {"*.min.js", "a/x.js", false},
                 {"gen", "gen/a/b.c", true},
                 {"gen/", "a/gen/b.c", true},
                 {"/gen", "a/gen/b.c", true},
                 {"a/gen", "a/gen/b.c", true},
                 {"a/gen", "b/a/gen/c.c", false},
                 {"gen/**", "gen/x/y.c", true},
                 {"**/x.c", "x.c", true},
                 {"a/**/x.c", "a/b/c/x.c", true},
                 {"a/*/x.c", "a/b/c/x.c", false},
                 {"a?.c", "ab.c", true},
                 {"a?.c", "a.c", false},
                 {"*", "a.c", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(
            read_text(arena_printf(arena, "{\"ignore\": [\"%s\"]}", cases[i].pattern).ptr, false),
            err);
        if (dotfile_ignores(&project, str_from(cases[i].path)) != cases[i].matches)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].path);
    }
    assert_ok(read_text("{\"ignore\": [\"**a**a**a**a**a**a**a**b\"]}", false), err);
    char path[400] = "";
    memset(path, 'a', sizeof path - 1);
    dotfile_ignores(&project, str_from(path)); // ends
}

// --- repairs -------------------------------------------------------------------------------------

static Str fixed(const char *lang, const char *source)
{
    SyntaxIssue *issues;
    SyntaxFix fix;
    TextSnap *text = text_new(str_from(source), &err);
    Syntax *syntax = syntax_parse(language_by_id(lang), text, NULL);
    size_t n = syntax_issues(syntax, 10, arena, &issues);
    Str out = STR("no fix");
    for (size_t i = 0; i < n; i++) {
        if (!fix_find(syntax, &issues[i], arena, &fix)) continue;
        out = arena_printf(arena, "%.*s%.*s%s", (int)fix.at, source, STR_FMT(fix.insert),
                           source + fix.at);
        break;
    }
    syntax_release(syntax);
    text_release(text);
    return out;
}

static void missing_tokens_are_inserted(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *broken, *whole;
    } cases[] = {
        {"c", "int f(void)\n{\n    return 1\n}\n", "int f(void)\n{\n    return 1;\n}\n"},
        {"c", "int f(int a)\n{\n    if (a > 1 {\n        a++;\n    }\n    return a;\n}\n",
         "int f(int a)\n{\n    if (a > 1) {\n        a++;\n    }\n    return a;\n}\n"},
        {"c", "int a[3] = {1, 2, 3;\n", "int a[3] = {1, 2, 3};\n"},
        {"c", "int f(int a)\n{\n    if (a) {\n        a++;\n\n    return a;\n}\n\nint g;\n",
         "int f(int a)\n{\n    if (a) {\n        a++;\n    }\n\n    return a;\n}\n\nint g;\n"},
        {"python", "print(\"x\"\n", "print(\"x\")\n"},
        {"javascript", "f(1, [2, 3);\n", "f(1, [2, 3]);\n"},
        {"json", "{\"a\": [1, 2}\n", "{\"a\": [1, 2]}\n"},
        {"c", "int = 3;\n", "no fix"},
        {"c", "int x;\n", "no fix"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Str found = fixed(cases[i].lang, cases[i].broken);
        if (!str_equal(found, str_from(cases[i].whole)))
            fail_msg("case %zu, found:\n%.*s\nwanted:\n%s", i, STR_FMT(found), cases[i].whole);
    }
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(wrong_ones_are_refused),
        cmocka_unit_test(patterns_match_paths),
        cmocka_unit_test(missing_tokens_are_inserted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

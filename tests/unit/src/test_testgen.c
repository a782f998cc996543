// Tests that a scripted model writes, in the forms of several frameworks, run by the real tools.
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/framework.h"
#include "loop/loop.h"
#include "unit/word_engine.h"
#include "verify/project.h"
#include "workspace/files.h"

typedef struct Setup {
    char root[64];
    Engine *engine;
    Session *session;
    Arena *arena;
    TextSnap *text;
    Syntax *syntax;
    LoopRequest request;
    LoopResult result;
    Error err;
} Setup;

static void put_file(const Setup *s, const char *name, Str text)
{
    char path[256], *slash;
    snprintf(path, sizeof path, "%s/%s", s->root, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(text.ptr, 1, text.len, f);
    fclose(f);
}

// The request is for the function on the first line of `source` that has "larger(".
static void set_up(Setup *s, const char *name, const char *source)
{
    *s = (Setup){.engine = word_engine_new(FIM_NONE), .arena = arena_new()};
    snprintf(s->root, sizeof s->root, "/tmp/r1ls-testgen-XXXXXX");
    assert_non_null(mkdtemp(s->root));
    word_engine_chats(s->engine, false);
    s->session = session_new(s->engine, 0, &s->err);
    put_file(s, name, str_from(source));
    s->text = text_new(str_from(source), &s->err);
    s->syntax = syntax_parse(language_by_path(name), s->text, NULL);
    size_t at = str_find(str_from(source), STR("larger("), 0);
    s->request =
        (LoopRequest){.text = s->text,
                      .syntax = s->syntax,
                      .path = str_from(name),
                      .file_path = arena_printf(s->arena, "%s/%s", s->root, name),
                      .root = str_from(s->root),
                      .kind = TASK_WRITE_TESTS,
                      .selection = {at, at},
                      .trusted = true,
                      .find_tests = true,
                      .sandbox = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS,
                      .budget = {.rounds = 1, .candidates = 2, .tokens = 300, .ms = 100000}};
}

static void tear_down(Setup *s)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", s->root);
    assert_int_equal(system(command), 0);
    syntax_release(s->syntax);
    text_release(s->text);
    session_free(s->session);
    free(s->engine);
    arena_free(s->arena);
}

static bool run(Setup *s, const char *const *answers, int n)
{
    word_engine_script(s->engine, answers, n);
    return loop_run(s->engine, s->session, &s->request, (EngineCancel){0}, NULL, NULL, s->arena,
                    &s->result, &s->err);
}

static Str result_file(Setup *s)
{
    const LoopResult *r = &s->result;
    return arena_printf(
        s->arena, "%.*s%.*s%.*s", STR_FMT(str_slice(r->test_file_text, 0, r->replace.start)),
        STR_FMT(r->insert),
        STR_FMT(str_slice(r->test_file_text, r->replace.end, r->test_file_text.len)));
}

static bool says(Str text, const char *part)
{
    return str_find(text, str_from(part), 0) < text.len;
}

static void assert_says(Str text, const char *part)
{
    if (!says(text, part)) fail_msg("no '%s' in:\n%.*s", part, STR_FMT(text));
}

static const char C[] = "static int larger(int a, int b)\n{\n    return a > b ? a : b;\n}\n\n"
                        "int main(void)\n{\n    return larger(1, 2);\n}\n";
static const char PY[] = "def larger(a, b):\n    return a if a > b else b\n";

static void a_new_file_of_c_keeps_what_passes(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "    assert(larger(1, 2) == 2);\n    assert(larger(9, 4) == 4);\n    int x = 7;\n"
        "    assert(larger(x, 3) == x);\n    assert(missing(1) == 2);\n    "
        "printf(\"done\");\n}\n```\n"};
    Setup s;
    set_up(&s, "a.c", C);
    assert_ok(run(&s, answers, 1), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_true(s.result.verified && s.result.test_file_is_new && s.result.n_noticed > 0);
    assert_true(str_equal(s.result.test_file, STR("test_a_larger.c")));
    Str file = result_file(&s);
    assert_says(file, "#include \"a.c\"");
    assert_says(file, "    int x = 7;\n    assert(larger(x, 3) == x);\n");
    assert_false(says(file, "larger(9, 4)") || says(file, "missing") || says(file, "printf"));
    assert_says(s.result.summary, "2 assertions (assert, 0 of them");
    assert_says(s.result.summary, "may show a bug): assert(larger(9, 4) == 4);");
    // Nothing was written into the project.
    Str *files;
    assert_int_equal(files_list(str_from(s.root), 9, s.arena, &files), 1);
    tear_down(&s);
}

static void the_answer_that_notices_most_is_taken(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "    assert(larger(2, 2) == 2);\n}\n```\n",
        "    assert(larger(1, 2) == 2);\n    assert(larger(3, 2) == 3);\n}\n```\n"};
    Setup s;
    set_up(&s, "a.c", C);
    assert_ok(run(&s, answers, 2), s.err);
    assert_says(result_file(&s), "larger(3, 2) == 3");
    tear_down(&s);
}

static void what_notices_nothing_is_no_test(void **state)
{
    (void)state;
    static const char *const answers[] = {"    assert(1 == 1);\n}\n```\n"};
    Setup s;
    set_up(&s, "a.c", C);
    assert_ok(run(&s, answers, 1), s.err);
    assert_false(s.result.found);
    assert_int_equal(s.result.n_noticed, 0);
    assert_says(s.result.summary, "notice 0 of");
    tear_down(&s);
}

static void an_existing_file_of_cmocka_grows(void **state)
{
    (void)state;
    static const char test[] =
        "#include <setjmp.h>\n#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n"
        "#include <cmocka.h>\n\nint larger(int a, int b);\n\nstatic void test_larger_1(void "
        "**state)\n{\n"
        "    (void)state;\n    assert_int_equal(larger(1, 1), 1);\n}\n\nint main(void)\n{\n"
        "    const struct CMUnitTest tests[] = {\n        cmocka_unit_test(test_larger_1),\n    "
        "};\n"
        "    return cmocka_run_group_tests(tests, NULL, NULL);\n}\n";
    static const char *const answers[] = {
        "    assert_int_equal(larger(1, 2), 2);\n    assert_int_equal(larger(5, 3), 3);\n"
        "    assert_int_equal(larger(5, 3), 5);\n}\n```\n"};
    Setup s;
    set_up(&s, "a.c", "int larger(int a, int b)\n{\n    return a > b ? a : b;\n}\n");
    put_file(&s, "tests/test_a.c", str_from(test));
    put_file(&s, "Makefile", STR("test:\n\tcc -o suite a.c tests/test_a.c -lcmocka && ./suite\n"));
    assert_ok(run(&s, answers, 1), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_false(s.result.test_file_is_new);
    assert_true(str_equal(s.result.test_command, STR("make -s test")));
    Str file = result_file(&s);
    assert_says(file,
                "cmocka_unit_test(test_larger_101),\n        cmocka_unit_test(test_larger_1),");
    assert_says(file, "    (void)state;\n    assert_int_equal(larger(1, 2), 2);\n"
                      "    assert_int_equal(larger(5, 3), 5);\n}\n");
    tear_down(&s);
}

static void python_takes_todays_value_and_says_so(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "        self.assertEqual(larger(1, 2), 2)\n        self.assertEqual(larger(5, 3), 4)\n"
        "        self.assertEqual(larger('a'), 4)\n\n"
        "    def test_more(self):\n        with self.assertRaises(TypeError):\n            "
        "larger(1, 'a')\n```\n"};
    static const char test[] =
        "import unittest\n\nfrom a import other\n\n\nclass T(unittest.TestCase):\n"
        "    def test_other(self):\n        self.assertTrue(True)\n\n\n"
        "if __name__ == '__main__':\n    unittest.main()\n";
    Setup s;
    set_up(&s, "a.py",
           "def larger(a, b):\n    return a if a > b else b\n\n\ndef other():\n    pass\n");
    put_file(&s, "tests/test_a.py", str_from(test));
    assert_ok(run(&s, answers, 1), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    Str file = result_file(&s);
    assert_says(file, "from a import larger\n\n\nclass Generated_larger(unittest.TestCase):\n");
    assert_says(file, "        self.assertEqual(larger(5, 3), 5)  # r1ls: what it returns today");
    assert_says(file, "        with self.assertRaises(TypeError):\n            larger(1, 'a')\n\n\n"
                      "if __name__ == '__main__':\n");
    assert_false(says(file, "larger('a')"));
    assert_says(s.result.summary, "3 assertions (unittest, 1 of them");
    tear_down(&s);
}

static void a_new_file_of_python_is_run_alone(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "    assert larger(1, 2) == 2\n    assert larger(4, 3) == 4\n```\n",
        "        self.assertEqual(larger(1, 2), 2)\n        self.assertEqual(larger(4, 3), "
        "4)\n```\n"};
    Setup s;
    set_up(&s, "a.py", PY);
    bool pytest = project_has_program("pytest");
    assert_ok(run(&s, answers + !pytest, 1), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_true(s.result.test_file_is_new);
    assert_says(s.result.test_command, pytest ? "python3 -m pytest" : "python3 -m unittest");
    assert_true(s.result.n_noticed > 1);
    tear_down(&s);
}

static void javascript_is_tested_by_node(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "    assert.strictEqual(larger(1, 2), 2);\n    assert.strictEqual(larger(4, 3), 3);\n"
        "    assert.strictEqual(larger(4, 3), 4);\n});\n```\n"};
    Setup s;
    if (!project_has_program("node")) skip();
    set_up(&s, "a.js",
           "function larger(a, b) {\n    return a > b ? a : b;\n}\nmodule.exports = { larger };\n");
    assert_ok(run(&s, answers, 1), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_says(result_file(&s), "const { larger } = require('./a.js');");
    assert_false(says(result_file(&s), "larger(4, 3), 3"));
    tear_down(&s);
}

// Its suite is made by hand: the new case is added to it.
static void an_existing_file_of_check_grows(void **state)
{
    (void)state;
    static const char test[] =
        "#include <check.h>\n#include <stdlib.h>\n\nint larger(int a, int b);\n\n"
        "START_TEST(test_equal)\n{\n    ck_assert_int_eq(larger(1, 1), 1);\n}\nEND_TEST\n\n"
        "int main(void)\n{\n    Suite *suite = suite_create(\"a\");\n"
        "    TCase *tcase = tcase_create(\"all\");\n    tcase_add_test(tcase, test_equal);\n"
        "    suite_add_tcase(suite, tcase);\n    SRunner *runner = srunner_create(suite);\n"
        "    srunner_set_fork_status(runner, CK_NOFORK);\n    srunner_run_all(runner, CK_NORMAL);\n"
        "    int n_failed = srunner_ntests_failed(runner);\n    srunner_free(runner);\n"
        "    return n_failed != 0;\n}\n";
    static const char *const answers[] = {
        "    ck_assert_int_eq(larger(1, 2), 2);\n    ck_assert_int_eq(larger(5, 3), 3);\n"
        "    ck_assert_int_eq(larger(5, 3), 5);\n}\nEND_TEST\n```\n"};
    Setup s;
    if (system("pkg-config --exists check") != 0) {
        puts("skipped: Check is not installed");
        skip();
    }
    set_up(&s, "a.c", "int larger(int a, int b)\n{\n    return a > b ? a : b;\n}\n");
    put_file(&s, "tests/check_a.c", str_from(test));
    put_file(
        &s, "Makefile",
        STR("test:\n\tcc -o suite a.c tests/check_a.c $$(pkg-config --libs check) && ./suite\n"));
    assert_ok(run(&s, answers, 1), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_false(s.result.test_file_is_new);
    Str file = result_file(&s);
    assert_says(file, "START_TEST(test_larger_1)\n{\n");
    assert_says(file, "tcase_add_test(tcase, test_larger_1);\n");
    assert_says(file, "    ck_assert_int_eq(larger(5, 3), 5);\n}\nEND_TEST\n");
    assert_false(says(file, "larger(5, 3), 3"));
    tear_down(&s);
}

// Their tool chains compile for long.
static void go_and_rust_have_their_own_tests(void **state)
{
    (void)state;
    static const struct {
        const char *program, *file, *code, *extra, *extra_text, *answer, *wanted;
    } cases[] = {
        {"go", "a.go",
         "package a\n\nfunc larger(x, y int) int {\n\tif x > y {\n\t\treturn x\n\t}\n\treturn "
         "y\n}\n",
         "go.mod", "module a\n\ngo 1.18\n",
         "\tif got := larger(1, 2); got != 2 {\n\t\tt.Errorf(\"got %v\", got)\n\t}\n"
         "\tif got := larger(5, 3); got != 5 {\n\t\tt.Errorf(\"got %v\", got)\n\t}\n}\n```\n",
         "(t *testing.T) {\n"},
        {"cargo", "src/lib.rs",
         "pub fn larger(a: i32, b: i32) -> i32 {\n    if a > b { a } else { b }\n}\n", "Cargo.toml",
         "[package]\nname = \"larger\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
         "    assert_eq!(larger(1, 2), 2);\n    assert_eq!(larger(5, 3), 5);\n}\n```\n",
         "#[test]\nfn "}};
    size_t n_run = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Setup s;
        if (!getenv("R1LS_SLOW") || !project_has_program(cases[i].program)) {
            printf("skipped: %s (it is there: %d; R1LS_SLOW is set: %d)\n", cases[i].program,
                   project_has_program(cases[i].program), getenv("R1LS_SLOW") != NULL);
            continue;
        }
        n_run++;
        set_up(&s, cases[i].file, cases[i].code);
        put_file(&s, cases[i].extra, str_from(cases[i].extra_text));
        if (i == 1) put_file(&s, "tests/other.rs", STR("// nothing yet\n"));
        assert_ok(run(&s, &cases[i].answer, 1), s.err);
        if (!s.result.found) fail_msg("%s: %.*s", cases[i].program, STR_FMT(s.result.summary));
        assert_says(result_file(&s), cases[i].wanted);
        assert_true(s.result.n_noticed > 0);
        tear_down(&s);
    }
    if (n_run == 0) skip();
}

static void without_trust_or_a_form_there_is_none(void **state)
{
    (void)state;
    static const char *const answers[] = {"x"};
    Setup s;
    set_up(&s, "a.py", PY);
    s.request.trusted = false;
    assert_false(run(&s, answers, 1));
    assert_says(str_from(s.err.text), "trusted");
    tear_down(&s);
    set_up(&s, "a.rs", "pub fn larger(a: i32, b: i32) -> i32 { if a > b { a } else { b } }\n");
    assert_false(run(&s, answers, 1));
    assert_says(str_from(s.err.text), "would be tests/larger.rs, wanted its folder");
    tear_down(&s);
    set_up(&s, "a.java", "class A { int larger(int a, int b) { return a > b ? a : b; } }\n");
    assert_false(run(&s, answers, 1));
    assert_says(str_from(s.err.text), "no form of tests is known for larger in Java");
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_of_c_keeps_what_passes),
        cmocka_unit_test(the_answer_that_notices_most_is_taken),
        cmocka_unit_test(what_notices_nothing_is_no_test),
        cmocka_unit_test(an_existing_file_of_cmocka_grows),
        cmocka_unit_test(python_takes_todays_value_and_says_so),
        cmocka_unit_test(a_new_file_of_python_is_run_alone),
        cmocka_unit_test(javascript_is_tested_by_node),
        cmocka_unit_test(an_existing_file_of_check_grows),
        cmocka_unit_test(go_and_rust_have_their_own_tests),
        cmocka_unit_test(without_trust_or_a_form_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

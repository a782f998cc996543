// What real tools print (reports/make_reports.py runs them), read to places.
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/loop.h"
#include "verify/project.h"
#include "verify/report.h"
#include "workspace/files.h"

static const char C[] = "int at(const int *a, int i)\n{\n    return a[i];\n}\n\nint twice(int "
                        "x)\n{\n    return x + x + "
                        "1;\n}\n";
static const char C_TEST[] = "#include \"../src/a.h\"\n#include <assert.h>\n#include <stdlib.h>\n"
                             "#include <limits.h>\nint main(void)\n{\n    assert(twice(2) == 4);\n"
                             "    return 0;\n    assert_int_equal(twice(2), 4);\n"
                             "    assert_int_equal(twice(2), 4);\n}\n";
static const char PY[] =
    "def twice(x):\n    return x + x + 1\n\n\ndef first(items):\n    return items[0]\n";
static const char PY_TEST[] = "import unittest\nfrom a import first, twice\n\n\nclass T:\n"
                              "    assert twice(2) == 4\n        self.assertEqual(twice(2), 4)\n";
static const char JS[] =
    "function twice(x) {\n    return x + x + 1;\n}\n\nfunction first(items) {\n "
    "   return items[0].name;\n}\n";
static const char JS_TEST[] = "const test = 0;\n\n\ntest('twice', () => {\n"
                              "    assert.strictEqual(twice(2), 4);\n});\n";
static const char GO[] = "package m\n\nfunc Twice(x int) int {\n\treturn x + x + 1\n}\n\nfunc "
                         "First(a []int) int {\n\treturn a[0]\n}\n";
static const char GO_TEST[] = "package m\n\nimport \"testing\"\n\nfunc TestTwice(t *testing.T) {\n"
                              "\tif Twice(2) != 4 {\n\t\tt.Errorf(\"%d\")\n\t}\n}\n";

static const struct {
    const char *path, *text;
} project[] = {{"src/a.c", C},         {"tests/test_a.c", C_TEST},
               {"a.py", PY},           {"main.py", PY},
               {"test_a.py", PY_TEST}, {"a.js", JS},
               {"a.test.js", JS_TEST}, {"a.go", GO},
               {"a_test.go", GO_TEST}, {"src/lib.rs", "fn f() {}\n"}};

// failure: its number; place and function; located: where the function to repair is.
static const struct {
    const char *name;
    size_t n, failure;
    const char *tool, *place, *function, *message, *located;
} cases[] = {
    {"gcc_error", 2, 0, "gcc or clang", "tests/test_a.c:7", "", "error: expected", NULL},
    {"gcc_link", 1, 0, "linker", "tests/test_a.c:7", "", "undefined reference to `missing'", NULL},
    {"gcc_warning", 1, 0, "gcc or clang", "src/a.c:4", "", "error:", "src/a.c:4"},
    {"asan", 1, 0, "AddressSanitizer", "src/a.c:3", "at", "AddressSanitizer: heap-buffer-overflow",
     "src/a.c:3"},
    {"ubsan", 1, 0, "UndefinedBehaviorSanitizer", "src/a.c:13", "",
     "runtime error: signed integer overflow", "src/a.c:13"},
    {"lsan", 1, 0, "LeakSanitizer", "src/a.c:27", "leak", "LeakSanitizer: detected", "src/a.c:27"},
    {"tsan", 1, 0, "ThreadSanitizer", "src/a.c:20", "work", "ThreadSanitizer: data race",
     "src/a.c:20"},
    {"assert", 1, 0, "assert", "tests/test_a.c:7", "main", "Assertion `twice(2) == 4' failed.",
     "src/a.c:6"},
    {"valgrind", 1, 0, "valgrind", "src/a.c:3", "at", "Invalid read of size 4", "src/a.c:3"},
    {"cmocka", 1, 0, "cmocka", "tests/test_a.c:10", "", "0x5 != 0x4", "src/a.c:6"},
    {"check", 1, 0, "Check", "tests/test_a.c:6", "test_twice", "Assertion 'twice(2) == 4' failed",
     NULL},
    {"ctest", 1, 0, "assert", "tests/test_a.c:7", "main", "Assertion", "src/a.c:6"},
    {"unittest", 2, 0, "Python", "a.py:6", "first", "IndexError: list index", "a.py:6"},
    {"unittest", 2, 1, "Python", "test_a.py:7", "test_twice", "AssertionError: 5 != 4", "a.py:1"},
    {"pytest", 2, 0, "pytest", "test_a.py:5", "", "assert 5 == 4", NULL},
    {"pytest", 2, 1, "pytest", "a.py:6", "", "IndexError: list index", "a.py:6"},
    {"pytest_native", 2, 1, "Python", "a.py:6", "first", "IndexError: list index", "a.py:6"},
    {"traceback", 1, 0, "Python", "a.py:6", "first", "IndexError", "a.py:6"},
    {"python_syntax", 1, 0, "Python", "a.py:2", "", "SyntaxError: '(' was never closed", "a.py:2"},
    {"node", 2, 0, "node:test", "a.test.js:5", "TestContext.<anonymous>", "not ok 1 - twice",
     "a.js:1"},
    {"node", 2, 1, "node:test", "a.js:6", "first", "not ok 2 - first", "a.js:6"},
    {"go", 2, 0, "go", "a_test.go:7", "", "Twice(2) is 5", "a.go:3"},
    {"go", 2, 1, "go", "a.go:8", "", "panic: runtime error: index out of range", "a.go:8"},
    {"go_build", 1, 0, "go", "a.go:4", "", "undefined: y", "a.go:4"},
    {"cargo", 2, 0, "cargo", "src/lib.rs:15", "", "thread 'tests::twice_doubles'", "src/lib.rs:15"},
    {"cargo", 2, 1, "cargo", "src/lib.rs:6", "", "thread 'tests::first_of_none'", "src/lib.rs:6"},
    {"rustc", 1, 0, "cargo", "src/lib.rs:2", "", "error[E0425]: cannot find value", "src/lib.rs:2"},
};

static char root[] = "/tmp/r1ls-report-XXXXXX";

static int make_project(void **state)
{
    (void)state;
    char path[256];
    if (!mkdtemp(root)) return -1;
    snprintf(path, sizeof path, "%s/src", root);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/tests", root);
    mkdir(path, 0700);
    for (size_t i = 0; i < sizeof project / sizeof *project; i++) {
        snprintf(path, sizeof path, "%s/%s", root, project[i].path);
        FILE *f = fopen(path, "w");
        if (!f) return -1;
        fputs(project[i].text, f);
        fclose(f);
    }
    return 0;
}

static int remove_project(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

// What the tool printed, of this test's folder.
static Str read_report(const char *name, Arena *arena)
{
    Str path = arena_printf(arena, "tests/unit/src/reports/%s.txt", name);
    Str text = files_read(STR(SOURCE_DIR), path, 1 << 20, arena);
    StrBuf out = {0};
    for (size_t at = 0; at < text.len;) {
        size_t next = str_find(text, STR("/project"), at);
        strbuf_append(&out, str_slice(text, at, next));
        if (next < text.len) strbuf_append(&out, str_from(root));
        at = next + 8;
    }
    Str placed = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return placed;
}

static void assert_place(const char *name, ReportPlace found, const char *wanted, Arena *arena)
{
    Str text = arena_printf(arena, "%.*s:%d", STR_FMT(found.file), found.line);
    if (!str_equal(text, str_from(wanted)))
        fail_msg("%s: found %.*s, wanted %s", name, STR_FMT(text), wanted);
}

static void what_tools_print_has_a_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        ReportFailure *f;
        ReportPlace located;
        const char *name = cases[i].name;
        size_t n = report_read(read_report(name, arena), str_from(root), 100, arena, &f);
        if (n != cases[i].n) fail_msg("%s: %zu failures, wanted %zu", name, n, cases[i].n);
        f += cases[i].failure;
        assert_place(name, f->place, cases[i].place, arena);
        assert_string_equal(f->tool, cases[i].tool);
        if (!str_equal(f->place.function, str_from(cases[i].function)))
            fail_msg("%s: function %.*s", name, STR_FMT(f->place.function));
        if (!str_starts(f->message, str_from(cases[i].message)))
            fail_msg("%s: message %.*s", name, STR_FMT(f->message));
        assert_true(f->excerpt.len > 0);
        if (cases[i].located) {
            if (!report_locate(f, str_from(root), arena, &located)) fail_msg("%s: nowhere", name);
            assert_place(name, located, cases[i].located, arena);
        }
        arena_free(arena);
    }
}

static void other_text_has_no_failure(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "all is well\n",
                                        "nofile.c:3:4: error: x\n",
                                        "/usr/include/stdio.h:3: error: x\n",
                                        "../../../etc/passwd:3:4: error: x\n",
                                        "  File \"/etc/passwd\", line 3, in f\n",
                                        "src:1: error: x",
                                        "a.c:99999999999999999999: error: x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Arena *arena = arena_new();
        ReportFailure *f;
        assert_int_equal(report_read(str_from(texts[i]), str_from(root), 100, arena, &f), 0);
        arena_free(arena);
    }
}

static void no_more_failures_than_wanted(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    ReportFailure *f;
    StrBuf many = {0};
    for (int i = 1; i < 50; i++)
        strbuf_printf(&many, "src/a.c:%d:1: error: x\n", i);
    assert_int_equal(report_read(strbuf_str(&many), str_from(root), 7, arena, &f), 7);
    strbuf_deinit(&many);
    arena_free(arena);
}

static void test_files_are_known_by_name(void **state)
{
    (void)state;
    static const char *const tests[] = {"tests/x.py", "a/tests/b/c.c", "test_a.c",  "x/a_test.go",
                                        "a.test.js",  "test.py",       "a.spec.ts", "check_a.c"};
    static const char *const others[] = {"a.c", "src/latest.c", "contests/a.c", "testing.py",
                                         "tester/a.c"};
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (!project_is_test_file(str_from(tests[i]))) fail_msg("%s", tests[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (project_is_test_file(str_from(others[i]))) fail_msg("%s", others[i]);
}

static void messages_name_what_failed(void **state)
{
    (void)state;
    static const char *const told[][3] = {
        {"cc -o t t.c\n/tmp/x/t.c:3: FAILED: f is 1\nmake: *** [test] Error 1\n", "/tmp/x",
         "t.c:3: FAILED: f is 1"},
        {"all is well\n", "", "all is well"},
        {"", "", ""}};
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        Str said = loop_message(str_from(told[i][0]), str_from(told[i][1]), arena);
        assert_true(str_equal(said, str_from(told[i][2])));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tools_print_has_a_place),
        cmocka_unit_test(other_text_has_no_failure),
        cmocka_unit_test(no_more_failures_than_wanted),
        cmocka_unit_test(test_files_are_known_by_name),
        cmocka_unit_test(messages_name_what_failed),
    };
    return cmocka_run_group_tests(tests, make_project, remove_project);
}

// What the loop adds to questions and answers: the project's tests, and forgotten imports.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/examples.h"
#include "loop/imports.h"

static void assert_str(Str found, const char *wanted)
{
    if (!str_equal(found, str_from(wanted)))
        fail_msg("found:\n%.*s\nwanted:\n%s", STR_FMT(found), wanted);
}

static void tests_of_a_function_are_found(void **state)
{
    (void)state;
    char folder[] = "/tmp/r1ls-test-XXXXXX", command[100];
    Arena *arena = arena_new();
    const Language *c = language_by_id("c");
    assert_non_null(mkdtemp(folder));
    Str root = str_from(folder);
    snprintf(command, sizeof command, "%s/tests", folder);
    mkdir(command, 0700);
    put_file(folder, "lib.c", "int add(int a, int b) { return a + b; }\nint x = add(9, 9);\n");
    assert_int_equal(examples_find(root, c, STR("add"), STR(""), arena).path.len, 0);
    put_file(folder, "tests/test_lib.c",
             "int madd(int);\n\nstatic void f(void)\n{\n    EQ(madd(1), 2);\n}\n\n"
             "static void g(void)\n{\n    EQ(add(1, 2), 3);\n}\n");
    Examples e = examples_find(root, c, STR("add"), STR(""), arena);
    assert_str(e.path, "tests/test_lib.c");
    assert_str(e.code, "static void g(void)\n{\n    EQ(add(1, 2), 3);\n}\n");
    // A helper that no test calls: the place that failed.
    e = examples_find(root, c, STR("carry"), STR("tests/test_lib.c:5: FAILED: madd(1)"), arena);
    assert_str(e.code, "static void f(void)\n{\n    EQ(madd(1), 2);\n}\n");
    assert_int_equal(examples_find(root, c, STR("carry"), STR("no place"), arena).path.len, 0);
    assert_int_equal(examples_find(STR("/nonexistent"), c, STR("add"), STR(""), arena).path.len, 0);
    unlink(command);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    arena_free(arena);
}

static void forgotten_imports_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document, *code, *wanted;
    } cases[] = {
        {"c", "", "return strlen(s) + isdigit(*s);", "#include <string.h>\n#include <ctype.h>\n"},
        {"c", "#include <string.h>\n", "return strlen(s);", ""},
        {"c", "int strlen(const char *s);\n", "return strlen(s);", ""},
        {"c", "", "return my_strlen(s) + a.free + p->abs;", ""},
        {"python", "", "return re.sub(a, b, math.pi)", "import re\nimport math\n"},
        {"python", "def f(string):\n", "return string.split()", ""},
        {"python", "", "copy = 1\nreturn copy.x", ""},
        {"python", "import re\n", "return re.sub(a, b)", ""},
        {"python", "", "return Counter(a)", "from collections import Counter\n"},
        {"go", "", "strlen(x)", ""},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_str(imports_missing(language_by_id(cases[i].lang), str_from(cases[i].document),
                                   STR(""), str_from(cases[i].code), arena),
                   cases[i].wanted);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tests_of_a_function_are_found),
        cmocka_unit_test(forgotten_imports_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Examples in comments: which are found, and what a real compiler and a real interpreter make of
// the command.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/documented.h"

enum { MAX_SHOWN = 6 };

typedef struct Case {
    const char *lang, *text, *name;
    const char *found[MAX_SHOWN]; // "call|value", as far as they go
    const char *says;             // in the output of the command; NULL: all hold
} Case;

static const Case CASES[] = {
    {"c",
     "// count(\"abab\", 'a') == 2, count(\"\", 'x') is 0.\nint count(const char *s, char c)\n{\n"
     "    int n = 0;\n    for (; *s; s++)\n        n += *s == c;\n    return n;\n}\n",
     "count",
     {"count(\"abab\", 'a')|2", "count(\"\", 'x')|0"},
     NULL},
    {"c",
     "int main(void) { return 1; }\n/**\n * Example: mean(1, 2) returns 1.5; mean(0, 1) -> 0.33.\n"
     " * mean(n, 1) is 1, mean(1, 1) == 2 + x, mean(2 is 2.\n */\n"
     "static double mean(int a, int b)\n{\n    return (a + b) / 2.0;\n}\n",
     "mean",
     {"mean(1, 2)|1.5", "mean(0, 1)|0.33"},
     "a.c:3: FAILED: mean(0, 1) is 0.5, wanted 0.33"},
    {"c",
     "#include <string.h>\n/* turn(\"abc\") gives \"cba\"; turn(NULL) is NULL. */\n"
     "char *turn(char *s)\n{\n    size_t n = strlen(s);\n    char c = s[0];\n"
     "    s[0] = s[n - 1];\n    s[n - 1] = c;\n    return s;\n}\n",
     "turn",
     {"turn(\"abc\")|\"cba\"", "turn(NULL)|NULL"},
     "a.c:2: FAILED: turn(NULL) crashes, wanted NULL"},
    {"c", "// set(\"a\") is 1\nint other(int a)\n{\n    return a;\n}\n", "other", {NULL}, NULL},
    {"python",
     "def mean(values):\n    \"\"\"The mean.\n\n    >>> mean([1, 2, 4])\n    2.33\n"
     "    >>> mean([])\n    0\n    >>> round(mean([1, 2]), 1)\n    1.5\n    \"\"\"\n"
     "    return sum(values) / len(values)\n",
     "mean",
     {"mean([1, 2, 4])|2.33", "mean([])|0", "round(mean([1, 2]), 1)|1.5"},
     "a.py:6: FAILED: mean([]) raises ZeroDivisionError: division by zero, wanted 0"},
    {"python",
     "def last(a, n=1):\n    \"\"\"last([1, 2]) == 2; last(['a', 'b'], n=2) => ['a', 'b']\n"
     "    last(x) = x, last([3]) is not 2, last((4, 5)) is 6, last([1]) returns True\"\"\"\n"
     "    return a[-1] if n == 1 else a[-n:]\n",
     "last",
     {"last([1, 2])|2", "last(['a', 'b'], n=2)|['a', 'b']", "last((4, 5))|6", "last([1])|True"},
     "a.py:3: FAILED: last((4, 5)) is 5, wanted 6\na.py:3: FAILED: last([1]) is 1, wanted True"},
    // What is no number, no value, none for sure, or no line of the shell's.
    {"c",
     "// set(1) is 2nd, set(2) is 1.2.3, set(3) == 0x1Fu, set(4) returns 1 or 2, set(5) is "
     "1.5e-3,\n"
     "// set({1, 2}) is 3, set(6) returns 1 if a is 6, set(\"\t\") is 1, set(7) is 1. set(\"\\\n"
     "R1LS\n// touch x\\\n\") is 1\ndouble set(int a)\n{\n    return a == 3 ? 31 : a == 5 ? 0 : "
     "1;\n}\n",
     "set",
     {"set(3)|0x1Fu", "set(5)|1.5e-3", "set(7)|1"},
     "a.c:1: FAILED: set(5) is 0, wanted 1.5e-3"},
    {"c",
     "#include <stdlib.h>\n// leave(0) is 3.\nint leave(int a)\n{\n    exit(a);\n}\n",
     "leave",
     {"leave(0)|3"},
     "a.c:2: FAILED: leave(0) ends the program, wanted 3"},
    {"python",
     "import sys\ndef leave(a):\n    \"\"\"\n    >>> leave(0)\n    3\n    \"\"\"\n    "
     "sys.exit(a)\n",
     "leave",
     {"leave(0)|3"},
     "a.py:4: FAILED: leave(0) raises SystemExit: 0, wanted 3"},
    // A value of two lines is not read, what is printed is one.
    {"python",
     "def both(a):\n    \"\"\"\n    >>> both(1)\n    [1,\n     2]\n    >>> print(both(1))\n    [1, "
     "2]\n"
     "    >>> print(both(2))\n    2\n    \"\"\"\n    return [a, a + 1]\n",
     "both",
     {"print(both(1))|[1, 2]", "print(both(2))|2"},
     "a.py:8: FAILED: print(both(2)) prints [2, 3], wanted 2"},
    // Nothing of it can be tried: that is no pass.
    {"python",
     "def f(a):\n    \"\"\"\n    >>> f(mine)\n    1\n    \"\"\"\n    return 1\n",
     "f",
     {"f(mine)|1"},
     ""},
    {"python",
     "import sys\ndef f(a):\n    \"\"\"f(1) == 1\"\"\"\n    return 1\nsys.exit(0)\n",
     "f",
     {"f(1)|1"},
     "a.py ends when it is read"},
    {"python",
     "class A:\n    def f(self, a):\n        \"\"\"f(1) == 2\"\"\"\n        return 2\n",
     "f",
     {NULL},
     NULL},
};

static void run_command(const Case *c, const char *file, Str command)
{
    char folder[] = "/tmp/r1ls-documented-XXXXXX", output[4000] = "", shell[300];
    assert_non_null(mkdtemp(folder));
    put_file(folder, file, c->text);
    char *text = strndup(command.ptr, command.len);
    put_file(folder, "command.sh", text);
    free(text);
    snprintf(shell, sizeof shell, "cd %s && sh command.sh 2>&1", folder);
    FILE *pipe = popen(shell, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    int status = pclose(pipe);
    if (c->says && !strstr(output, c->says))
        fail_msg("%s: '%s', wanted '%s'", c->name, output, c->says);
    if (!c->says) assert_string_equal(output, "");
    assert_int_equal(WEXITSTATUS(status), c->says ? 1 : 0);
    snprintf(shell, sizeof shell, "rm -rf %s", folder);
    assert_int_equal(system(shell), 0);
}

static void check_case(const Case *c)
{
    Error err = {0};
    const char *file = strcmp(c->lang, "c") == 0 ? "a.c" : "a.py";
    const Language *lang = language_by_path(file);
    TextSnap *text = text_new(str_from(c->text), &err);
    Syntax *syntax = syntax_parse(lang, text, NULL);
    Arena *arena = arena_new();
    SyntaxFunction f = {0};
    for (uint32_t row = 0; row < text_n_lines(text) && !str_equal(f.name, str_from(c->name)); row++)
        syntax_function_at(syntax, text_line_end(text, row), &f);
    DocExample *found;
    size_t n = documented_find(syntax, &f, arena, &found), n_wanted = 0;
    while (n_wanted < MAX_SHOWN && c->found[n_wanted])
        n_wanted++;
    for (size_t i = 0; i < n && i < n_wanted; i++) {
        Str shown =
            arena_printf(arena, "%.*s|%.*s", STR_FMT(found[i].call), STR_FMT(found[i].wanted));
        assert_string_equal(shown.ptr, c->found[i]);
    }
    assert_int_equal(n, n_wanted);
    Str command = documented_command(syntax, str_from(file), &f, found, n, arena);
    assert_int_equal(command.len > 0, n > 0);
    if (n) run_command(c, file, command);
    arena_free(arena);
    syntax_release(syntax);
    text_release(text);
}

static void examples_of_comments_are_found_and_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        check_case(&CASES[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples_of_comments_are_found_and_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

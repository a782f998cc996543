// Versions that are judged by one run of their tests: real compilers, interpreters and tests.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/run.h"
#include "loop/screen.h"

enum { MAX_BODIES = 8 };

typedef struct Case {
    const char *lang, *path, *document, *test, *command;
    // Of the function at "<|>", what stands in the place of "@".
    const char *was, *bodies[MAX_BODIES];
    const char *says[MAX_BODIES]; // in the note of what failed; NULL: it is left to a trial
    bool screens;
} Case;

#define LARGER_TEST                                                                                \
    "#include <stdio.h>\n#include \"a.c\"\nstatic int f(int a, int b, int wanted)\n{\n"            \
    "    if (larger(a, b) == wanted) return 0;\n    printf(\"FAILED: %d %d\\n\", a, b);\n"         \
    "    return 1;\n}\nint main(void)\n{\n    return f(1, 2, 2) + f(4, 3, 4);\n}\n"
#define LARGER_BODIES                                                                              \
    {                                                                                              \
        "return a > b ? a : b;", "return b;", "for (;;) a++;", "return undeclared(a);",            \
            "return *(int *)0;", "return a < b ? ", "return a +;"                                  \
    }

static const Case CASES[] = {
    {"c",
     "a.c",
     "static int one = 1;\n\n// The larger one.\nint larger(int a, int b)\n{<|>\n    @\n}\n\n"
     "static int *keep(void) { return &one; }\nint *(*kept)(void) = keep;\n",
     LARGER_TEST,
     "cc -Werror -o t test_a.c && ./t",
     "return 0;",
     LARGER_BODIES,
     {NULL, "FAILED: 4 3", "did not end", "undeclared", "crashed", NULL, NULL},
     true},
    // Whatever has the parameters is called with them.
    {"c",
     "a.c",
     "static void each(const int *a, int n, int grid[][2], void (*call)(int value, void *user),\n"
     "                 void *user)\n{<|>\n    (void)grid;\n    @\n}\n",
     "#include <stdio.h>\n#include \"a.c\"\nstatic void add(int v, void *u) { *(int *)u += v; }\n"
     "int main(void)\n{\n    int a[] = {1, 2, 3}, g[1][2], sum = 0;\n    each(a, 3, g, add, "
     "&sum);\n    if (sum != 6) printf(\"FAILED: %d\\n\", sum);\n    return sum != 6;\n}\n",
     "cc -std=c99 -pedantic-errors -Wall -Werror -o t test_a.c && ./t",
     "call(n, user);",
     {"for (int i = 0; i < n; i++) call(a[i], user);",
      "for (int i = 1; i < n; i++) call(a[i], user);", "call(a[0], user);", "call(a[2], user);",
      "call(a[n - 1], user); call(a[0] + a[1], user);"},
     {NULL, "FAILED: 5", "FAILED: 1", "FAILED: 3", NULL},
     true},
    {"python",
     "a.py",
     "def larger(a, b):<|>\n    @\n",
     "import unittest\nfrom a import larger\n\n\nclass Test(unittest.TestCase):\n"
     "    def test_larger(self):\n        self.assertEqual(larger(1, 2), 2)\n"
     "        self.assertEqual(larger(4, 3), 4)\n\n\nunittest.main()\n",
     "python3 -B test_a.py",
     "return None",
     {"return max(a, b)", "return b", "while True: a += 1", "return undeclared(a)",
      "import sys; sys.exit(0)", "return a if", "return a"},
     {NULL, "AssertionError: 3 != 4", "did not end", "undeclared", "sys.exit", NULL, "1 != 2"},
     true},
    // Nothing is told by the end of a process whose output is what the tests look at.
    {"c",
     "a.c",
     "#include <stdio.h>\nint main(void)\n{<|>\n    @\n}\n",
     "",
     "cc -o t a.c; ./t > out; test $? = 3 && grep -q right out || { echo FAILED: out; false; }",
     "return 0;",
     {"puts(\"right\"); return 3;", "puts(\"wrong\"); return 3;", "puts(\"wrong\"); return 2;",
      "puts(\"wrong\"); return 1;", "puts(\"right\"); return 4;"},
     {NULL, NULL, NULL, NULL, NULL},
     false},
};

// What stands in the place of "@" and of "<|>".
static Str fill(const char *document, const char *body, size_t *cursor, Arena *arena)
{
    Str all = str_from(document);
    size_t at = str_find(all, STR("<|>"), 0), hole = str_find(all, STR("@"), 0);
    *cursor = at;
    return arena_printf(arena, "%.*s%.*s%s%s", (int)at, document, (int)(hole - at - 3),
                        document + at + 3, body, document + hole + 1);
}

static void assert_judged(const Case *c, const Candidate *found, int i)
{
    bool judged = c->screens && c->says[i];
    if (judged != (found->verdict == VERDICT_FAIL))
        fail_msg("'%s' is %s: %.*s", c->bodies[i], verdict_word(found->verdict),
                 STR_FMT(found->test_note));
    if (judged && !str_contains(found->test_note, c->says[i]))
        fail_msg("of '%s': %.*s, wanted %s", c->bodies[i], STR_FMT(found->test_note), c->says[i]);
}

static void run_case(const Case *c)
{
    Error err = {0};
    Arena *arena = arena_new();
    char folder[] = "/tmp/r1ls-screen-XXXXXX";
    size_t cursor;
    bool python = strcmp(c->lang, "python") == 0;
    const char *test = python ? "test_a.py" : "test_a.c";
    assert_non_null(mkdtemp(folder));
    Str document = fill(c->document, c->was, &cursor, arena);
    put_text(folder, c->path, document);
    put_text(folder, test, str_from(c->test));
    TextSnap *text = text_new(document, &err);
    Syntax *syntax = syntax_parse(language_by_id(c->lang), text, NULL);
    LoopRequest request = {.text = text,
                           .syntax = syntax,
                           .path = str_from(c->path),
                           .file_path = arena_printf(arena, "%s/%s", folder, c->path),
                           .root = str_from(folder),
                           .kind = TASK_FIX,
                           .selection = {cursor, cursor},
                           .trusted = true,
                           .sandbox = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS,
                           .test_command = str_from(c->command)};
    LoopResult result = {0};
    LoopRun run = {.request = &request,
                   .arena = arena,
                   .result = &result,
                   .has_command = true,
                   .has_tests = true,
                   .command = request.test_command,
                   .passed = -1,
                   .start_ms = clock_ms()};
    assert_true(task_find(syntax, TASK_FIX, request.selection, &run.task));
    run.original = *loop_try_original(&run);
    assert_int_equal(run.original.tests, VERDICT_FAIL);
    Candidate changes[MAX_BODIES] = {{0}};
    int n = 0;
    for (; n < MAX_BODIES && c->bodies[n]; n++)
        changes[n] = (Candidate){.proposer = "mutant",
                                 .replace = {0, document.len},
                                 .insert = fill(c->document, c->bodies[n], &cursor, arena)};
    assert_true(screen_may(&run));
    screen_judge(&run, changes, (size_t)n);
    if (run.screens != c->screens) fail_msg("%s: screens %d", c->command, run.screens);
    assert_int_equal(screen_may(&run), c->screens);
    for (int i = 0; i < n; i++)
        assert_judged(c, &changes[i], i);
    glob_t left;
    char pattern[256];
    snprintf(pattern, sizeof pattern, "%s/.r1ls*", scratch_folder(run.scratches[0]).ptr);
    assert_int_equal(glob(pattern, 0, NULL, &left), GLOB_NOMATCH);
    VEC_FREE(&run.candidates);
    for (int i = 0; i < run.n_scratches; i++)
        scratch_free(run.scratches[i]);
    syntax_release(syntax);
    text_release(text);
    unlink(arena_printf(arena, "%s/%s", folder, c->path).ptr);
    unlink(arena_printf(arena, "%s/%s", folder, test).ptr);
    assert_int_equal(rmdir(folder), 0);
    arena_free(arena);
}

static void versions_are_judged_by_one_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        run_case(&CASES[i]);
}

static void lines_of_versions_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(screen_c_version(STR("a.c:70003:36: error: x")), 6);
    assert_int_equal(screen_c_version(STR("a.c:10001: error: x")), 0);
    assert_int_equal(screen_c_version(STR("src/a.c:73:36: error: x")), -1);
    assert_int_equal(screen_c_version(STR("cc: error: no such file")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_judged_by_one_run),
        cmocka_unit_test(lines_of_versions_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

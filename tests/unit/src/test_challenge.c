// What is found against answers that pass: real compilers, interpreters and tests; scripted
// answers.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loop/choice.h"
#include "loop/doubt.h"
#include "loop/run.h"
#include "loop/search.h"
#include "unit/word_engine.h"

enum { MAX_ANSWERS = 12 };

typedef struct Case {
    const char *lang, *document, *test, *command;
    const char *answers[MAX_ANSWERS]; // three a round; more than one round has a limit of time
    bool verified;
    const char *says; // in the doubt, or in the summary where it is verified
} Case;

#define LAST_C "// The last of n values, or 0.\nint last(const int *a, int n)\n{<|>\n}\n"
#define LAST_C_TEST                                                                                \
    "#include \"a.c\"\nint main(void)\n{\n    int a[] = {9, 4, 7};\n"                              \
    "    return last(a + 1, 2) != 7 || last(a + 1, 1) != 4 || last(a, 3) != 7;\n}\n"
#define SUM_C "long sum(const int *a, int n)\n{<|>\n}\n"
#define SUM_C_TEST                                                                                 \
    "#include \"a.c\"\nint main(void)\n{\n    int a[] = {3, 4, 7};\n"                              \
    "    return sum(a, 3) != 14 || sum(a, 1) != 3;\n}\n"
#define COUNT_C "int count(const char *s, char c)\n{<|>\n}\n"
#define COUNT_C_TEST                                                                               \
    "#include \"a.c\"\nint main(void)\n{\n    return count(\"abab\", 'a') != 2 || "                \
    "count(\"x\", 'y') != 0;\n}\n"
#define LAST_PY "def last(a):<|>\n    pass\n"
#define LAST_PY_TEST "from a import last\nassert last([1, 2]) == 2\nassert last([5]) == 5\n"
#define PY_COMMAND "python3 -B test_a.py"
#define C_COMMAND "cc -o t test_a.c && ./t"

static const Case CASES[] = {
    {"c",
     LAST_C,
     LAST_C_TEST,
     C_COMMAND,
     {"return a[n - 1];\n}\n", "return n > 0 ? a[n - 1] : 0;\n}\n", "return 1;\n}\n"},
     false,
     "does otherwise: last("},
    {"c",
     SUM_C,
     SUM_C_TEST,
     C_COMMAND,
     {"long s = 0;\n    for (int i = 0; i < n; i++)\n        s += a[i];\n    return s;\n}\n",
      "long s = 0;\n    while (n > 0)\n        s += a[--n];\n    return s;\n}\n",
      "return n > 0 ? *a + sum(a + 1, n - 1) : 0;\n}\n"},
     true,
     "2 more that pass do the same on"},
    {"c",
     COUNT_C,
     COUNT_C_TEST,
     C_COMMAND,
     {"int n = 0;\n    for (; *s; s++)\n        n += *s == c;\n    return n;\n}\n",
      "return 7;\n}\n", "return 8;\n}\n"},
     false,
     "no second answer"},
    {"c",
     COUNT_C,
     COUNT_C_TEST,
     C_COMMAND,
     {"int n = 0;\n    for (; *s; s++)\n        n += *s == c;\n    return n;\n}\n",
      "int n = 0;\n    do\n        n += *s == c;\n    while (*s++ && *s);\n    return n;\n}\n",
      "int n = 0;\n    while (*s)\n        if (*s++ == c) n++;\n    return n;\n}\n"},
     true,
     "2 more that pass do the same on"},
    {"python",
     LAST_PY,
     LAST_PY_TEST,
     PY_COMMAND,
     {"    return a[-1]\n", "    return a[-1] if a else None\n", "    return a[0]\n"},
     false,
     "does otherwise: last([])"},
    {"python",
     LAST_PY,
     LAST_PY_TEST,
     PY_COMMAND,
     {"    return a[-1]\n", "    return a[len(a) - 1]\n", "    return a[0]\n"},
     false,
     "last([]) raises IndexError"},
    {"python",
     "class A:\n    def total(self, a):<|>\n        pass\n",
     "from a import A\nassert A().total([1, 2]) == 3\nassert A().total([]) == 0\n",
     PY_COMMAND,
     {"        return sum(a)\n",
      "        t = 0\n        for x in a:\n            t += x\n        return t\n",
      "        return 5\n"},
     true,
     "1 more that passes does the same on"},
};

// Three that pass and differ leave a doubt, which those of the next rounds settle.
static const Case DOUBTED = {
    "c",
    COUNT_C,
    COUNT_C_TEST,
    C_COMMAND,
    {"int n = 0;\n    for (; *s; s++)\n        n += *s == c;\n    return n;\n}\n",
     "return *s == 'a' && c == 'a' ? 2 : 0;\n}\n", "return s[1] == 'b' ? 2 : 0;\n}\n",
     "int n = 0;\n    while (*s)\n        if (*s++ == c) n++;\n    return n;\n}\n",
     "int n = 0;\n    for (int i = 0; s[i]; i++)\n        if (s[i] == c) n++;\n    return n;\n}\n",
     "return *s ? (*s == c) + count(s + 1, c) : 0;\n}\n",
     "return !*s ? 0 : count(s + 1, c) + (c == *s);\n}\n",
     "int n = 0;\n    for (; *s; s++)\n        if (c == *s) n = n + 1;\n    return n;\n}\n",
     "int n = 0;\n    while (*s) {\n        n += *s == c;\n        s++;\n    }\n    return "
     "n;\n}\n"},
    true,
    "that pass do the same on"};

// Two that agree among many that fail are picked by the tests.
static const Case LUCKY = {"c",
                           COUNT_C,
                           COUNT_C_TEST,
                           C_COMMAND,
                           {"return 1;\n}\n", "return 3;\n}\n", "return 4;\n}\n", "return 5;\n}\n",
                            "return 6;\n}\n", "return 7;\n}\n", "return 8;\n}\n", "return 9;\n}\n",
                            "return 10;\n}\n", "return *s == 'a' && c == 'a' ? 2 : 0;\n}\n",
                            "if (c != 'a') return 0;\n    return *s == 'a' ? 2 : 0;\n}\n",
                            "return 11;\n}\n"},
                           false,
                           "only 2 of the model's 12 answers pass"};

#define SHOWN_C                                                                                    \
    "// How many c are in s: count(\"abab\", 'a') == 2, count(\"\", 'x') is 0.\n" COUNT_C

// No tests, but examples in the comment.
static const Case SHOWN[] = {
    {"c",
     SHOWN_C,
     NULL,
     NULL,
     {"return 1;\n}\n",
      "int n = 0;\n    for (; *s; s++)\n        n += *s == c;\n    return n;\n}\n",
      "int n = 0;\n    while (*s)\n        if (*s++ == c) n++;\n    return n;\n}\n"},
     true,
     "1 more that passes does the same on"},
    {"c",
     SHOWN_C,
     NULL,
     NULL,
     {"return 3;\n}\n", "return 4;\n}\n", "return *s ? 5 : 0;\n}\n"},
     false,
     "it contradicts its comment: a.c:1: FAILED: count(\"abab\", 'a') is 5, wanted 2"},
    {"python",
     "def last(a):<|>\n    \"\"\"The last.\n\n    >>> last([1, 2])\n    2\n    \"\"\"\n",
     NULL,
     NULL,
     {"    return a[0]\n", "    return a[-1] if a else None\n",
      "    return a[len(a) - 1] if a else None\n"},
     true,
     "1 more that passes does the same on"}};

// The crash on an empty list is mended by a condition.
static const Case MENDED = {"python",
                            LAST_PY,
                            LAST_PY_TEST,
                            PY_COMMAND,
                            {"    return a[-1]\n", "    return a[-1]\n", "    return a[-1]\n"},
                            false,
                            "does otherwise: last([])"};

// Of two fixes the first crashes on an empty list, where the function did not.
static const Case CRASHES = {
    "python",
    "def last(a):<|>\n    return a[0] if a else None\n",
    LAST_PY_TEST,
    PY_COMMAND,
    {"    return a[-1]\n", "    return a[-1] if a else None\n", "    return a[1]\n"},
    false,
    "does otherwise: last([])"};

// On no edge: where it was right.
static const Case BREAKS = {
    "python",
    "def turned(rows):<|>\n"
    "    return [[row[i] for row in rows] for i in range(len(rows))]\n",
    "from a import turned\nassert turned([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]\n",
    PY_COMMAND,
    {"    return [[row[i] for row in rows] for i in range(len(rows) + 1)]\n", "    return 1\n",
     "    return 2\n"},
    false,
    "raises IndexError"};

// It did.
static const Case CRASHED = {
    "python",
    "def last(a):<|>\n    return a[0]\n",
    LAST_PY_TEST,
    PY_COMMAND,
    {"    return a[-1]\n", "    return a[-1] if a else None\n", "    return a[1]\n"},
    true,
    "candidate 1 of"};

// One test lets several changes pass, of which two do the same.
static const Case OUTVOTED = {
    "python",
    "def means(values, n):<|>\n"
    "    return [sum(values[i:i + n]) / max(n, 1) for i in range(len(values) - n)]\n",
    "from a import means\nassert means([1, 3, 5], 2) == [2, 4]\n",
    PY_COMMAND,
    {NULL},
    true,
    "1 more that passes does the same"};

// Written by a model that was not asked for a fix, with much that no test reaches.
static const Case WRITTEN = {"python",
                             "def last(a):<|>\n    return a[0] if a else None\n",
                             LAST_PY_TEST,
                             PY_COMMAND,
                             {"    if len(a) > 7:\n        return a[1] + a[2] * 3 - a[4]\n"
                              "    return a[-1] if a else None\n",
                              "    return a[0]\n", "    return a[0]\n"},
                             true,
                             "tests pass"};

// `mends`: what small changes of the answer are to bring in; NULL: none are made.
static void run_case(const Case *k, TaskKind kind, size_t number, const char *mends)
{
    char folder[] = "/tmp/r1ls-test-XXXXXX", command[64];
    bool python = strcmp(k->lang, "python") == 0;
    const char *name = python ? "a.py" : "a.c";
    bool changes = mends && (kind == TASK_BODY || k == &WRITTEN);
    int n_answers = 3;
    while (n_answers < MAX_ANSWERS && k->answers[n_answers])
        n_answers++;
    Error err = {0};
    Engine *engine = word_engine_new(FIM_SUFFIX_FIRST);
    Session *session = session_new(engine, 0, &err);
    Arena *arena = arena_new();
    Str whole = str_from(k->document);
    size_t at = str_find(whole, STR("<|>"), 0);
    Str code = arena_printf(arena, "%.*s%s", (int)at, whole.ptr, whole.ptr + at + 3);
    assert_non_null(mkdtemp(folder));
    put_text(folder, name, code);
    if (k->test) put_text(folder, python ? "test_a.py" : "test_a.c", str_from(k->test));
    TextSnap *text = text_new(code, &err);
    Syntax *syntax = syntax_parse(language_by_id(k->lang), text, NULL);
    LoopRequest request = {.text = text,
                           .syntax = syntax,
                           .path = str_from(name),
                           .file_path = arena_printf(arena, "%s/%s", folder, name),
                           .root = str_from(folder),
                           .kind = kind,
                           .selection = {at, at},
                           .test_command = str_from(k->command),
                           .proposers = (k->answers[0] ? PROPOSE_SAMPLE : 0) |
                                        (changes ? PROPOSE_MUTANT : 0),
                           .trusted = true,
                           .find_tests = !k->test,
                           .sandbox = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS,
                           .budget = {.rounds = n_answers / 3,
                                      .candidates = 3,
                                      .tokens = 200,
                                      .ms = n_answers > 3 || kind == TASK_FIX ? 60000 : 0}};
    LoopResult r;
    word_engine_script(engine, k->answers, n_answers);
    assert_ok(loop_run(engine, session, &request, (EngineCancel){0}, NULL, NULL, arena, &r, &err),
              err);
    // Which of the small changes that pass is taken, and how sure it is, depends on the time.
    bool sought = k == &WRITTEN && r.n_candidates > n_answers;
    bool judged = sought || r.verified == k->verified;
    Str said = r.verified || sought ? r.summary : r.doubt;
    if (!r.found || !judged || str_find(said, str_from(k->says), 0) == said.len)
        fail_msg("case %zu: found %d, verified %d, %d agree on %d, %.*s; %.*s", number, r.found,
                 r.verified, r.n_agreeing, r.n_inputs, STR_FMT(r.summary), STR_FMT(r.doubt));
    // What challenges it is no candidate.
    assert_true(mends || r.n_candidates <= n_answers);
    if (mends && str_find(r.insert, str_from(mends), 0) == r.insert.len)
        fail_msg("case %zu: %.*s", number, STR_FMT(r.insert));
    syntax_release(syntax);
    text_release(text);
    arena_free(arena);
    session_free(session);
    free(engine);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void answers_that_pass_are_compared_beyond_the_tests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        run_case(&CASES[i], TASK_BODY, i, NULL);
}

static void examples_of_a_comment_are_tests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++)
        run_case(&SHOWN[i], TASK_BODY, i, NULL);
}

static void a_crash_on_an_edge_is_mended(void **state)
{
    (void)state;
    run_case(&MENDED, TASK_BODY, 0, "if not a:\n        return");
}

static void few_answers_that_pass_are_doubted(void **state)
{
    (void)state;
    run_case(&LUCKY, TASK_BODY, 0, NULL);
}

static void a_doubt_asks_for_more_answers(void **state)
{
    (void)state;
    run_case(&DOUBTED, TASK_BODY, 0, NULL);
}

static void a_fix_that_crashes_nowhere_goes_first(void **state)
{
    (void)state;
    run_case(&CRASHES, TASK_FIX, 0, "if a else");
}

static void a_fix_may_crash_where_the_function_did(void **state)
{
    (void)state;
    run_case(&CRASHED, TASK_FIX, 0, "return a[-1]");
}

static void a_small_change_is_sought_beside_what_was_written(void **state)
{
    (void)state;
    run_case(&WRITTEN, TASK_FIX, 0, "");
}

static void a_fix_that_crashes_where_the_function_did_not_is_doubted(void **state)
{
    (void)state;
    run_case(&BREAKS, TASK_FIX, 0, "+ 1");
}

static void changes_that_agree_outvote_another(void **state)
{
    (void)state;
    run_case(&OUTVOTED, TASK_FIX, 0, "+ 1");
}

// Of what passes the model's likeliest is taken: of one and the same, but of two changes at once.
static int choose_among(bool paired)
{
    static const char *const inserts[] = {"a[7]", "a[0]", "a[-1] + a", "a[0] + a[0]", "a"};
    enum { N_INSERTS = sizeof inserts / sizeof *inserts };
    Error err = {0};
    Engine *engine = word_engine_new(FIM_SUFFIX_FIRST);
    Session *session = session_new(engine, 0, &err);
    Arena *arena = arena_new();
    Str code = STR("def last(a):\n    return a[0] + a[0]\n");
    size_t at = str_find(code, STR("a[0]"), 0);
    TextSnap *text = text_new(code, &err);
    LoopRequest request = {.text = text,
                           .syntax = syntax_parse(language_by_id("python"), text, NULL)};
    LoopResult result = {0};
    LoopRun run = {.request = &request,
                   .engine = engine,
                   .session = session,
                   .arena = arena,
                   .result = &result,
                   .passed = 0};
    Doubts doubts;
    run.doubts = &doubts;
    assert_true(task_find(request.syntax, TASK_FIX, (ByteRange){at, at}, &run.task));
    assert_ok(doubts_read(&run, request.syntax, run.task.function.whole, NULL, 0, &doubts, &err),
              err);
    for (size_t i = 0; i < N_INSERTS; i++) {
        Candidate c = {.proposer = "mutant",
                       .paired = i > 0 && paired,
                       .replace = {at, at + 4},
                       .insert = str_from(inserts[i]),
                       .verdict = VERDICT_PASS};
        VEC_PUSH(&run.candidates, c);
    }
    assert_ok(search_choose(&run, 1, &err), err);
    VEC_FREE(&run.candidates);
    syntax_release((Syntax *)request.syntax);
    text_release(text);
    arena_free(arena);
    session_free(session);
    free(engine);
    return run.passed;
}

static void two_changes_do_not_displace_one(void **state)
{
    (void)state;
    assert_int_not_equal(choose_among(false), 0);
    assert_int_equal(choose_among(true), 0);
}

// `n` where that is the smaller one: what the first of two changes that pass does on most inputs is
// neither what it was nor what is wanted.
static int choose_by_behaviour(bool chat, double score)
{
    static const char *const inserts[] = {"n if n * 2 < top else 3", "n if n <= top else top"};
    char folder[] = "/tmp/r1ls-test-XXXXXX", command[64];
    Error err = {0};
    Engine *engine = word_engine_new(FIM_SUFFIX_FIRST);
    Arena *arena = arena_new();
    Str code = STR("def clip(n, top):\n    return n\n");
    size_t at = code.len - 2;
    TextSnap *text = text_new(code, &err);
    assert_non_null(mkdtemp(folder));
    put_text(folder, "a.py", code);
    put_text(folder, "test_a.py",
             STR("from a import clip\nassert clip(5, 3) == 3\nassert clip(2, 9) == 2\n"));
    LoopRequest request = {.text = text,
                           .syntax = syntax_parse(language_by_id("python"), text, NULL),
                           .path = STR("a.py"),
                           .file_path = arena_printf(arena, "%s/a.py", folder),
                           .root = str_from(folder),
                           .kind = TASK_FIX,
                           .trusted = true,
                           .sandbox = sandbox_is_available(NULL) ? SANDBOX_BWRAP : SANDBOX_RLIMITS};
    LoopResult result = {0};
    LoopRun run = {.request = &request,
                   .engine = engine,
                   .arena = arena,
                   .result = &result,
                   .command = STR(PY_COMMAND),
                   .has_command = true,
                   .has_tests = true,
                   .chat = chat,
                   .passed = 0};
    assert_true(task_find(request.syntax, TASK_FIX, (ByteRange){at, at}, &run.task));
    for (int i = 0; i < 2; i++) {
        Candidate c = {.proposer = "mutant",
                       .replace = {at, at + 1},
                       .insert = str_from(inserts[i]),
                       .score = i ? 0 : score,
                       .verdict = VERDICT_PASS};
        VEC_PUSH(&run.candidates, c);
    }
    choice_by_behaviour(&run);
    VEC_FREE(&run.candidates);
    syntax_release((Syntax *)request.syntax);
    text_release(text);
    arena_free(arena);
    free(engine);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return run.passed;
}

static void what_leaves_more_as_it_was_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(choose_by_behaviour(false, 0), 1);
    assert_int_equal(choose_by_behaviour(false, 10), 0); // the model is surer
    assert_int_equal(choose_by_behaviour(true, 0), 0);
}

static Mutant change_of(Str code, const char *old)
{
    size_t at = str_find(code, str_from(old), 0);
    return (Mutant){.replace = {at, at + strlen(old)}, .insert = STR("x"), .what = old};
}

static void what_is_left_near_a_pass_comes_first(void **state)
{
    (void)state;
    Error err = {0};
    Arena *arena = arena_new();
    Str code = STR("def f(a):\n    b = a\n    c = b\n    return c\n");
    TextSnap *text = text_new(code, &err);
    LoopRequest request = {.text = text};
    LoopRun run = {.request = &request, .arena = arena, .passed = -1};
    Mutant changes[] = {change_of(code, "return c"), change_of(code, "b = a"),
                        change_of(code, "a\n    c"), change_of(code, "c = b"),
                        change_of(code, "return")};
    Search search = {.changes = changes, .n_changes = 5, .next_change = 1};
    Candidate passed = {.proposer = "mutant", .replace = change_of(code, "b\n    return").replace};
    passed.replace.end = passed.replace.start + 1;
    search_turn_near(&run, &search); // nothing has passed
    assert_string_equal(changes[1].what, "b = a");
    VEC_PUSH(&run.candidates, passed);
    run.passed = 0;
    search_turn_near(&run, &search);
    static const char *const order[] = {"return c", "a\n    c", "c = b", "b = a", "return"};
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(changes[i].what, order[i]);
    run.candidates.items[0].proposer = "sample"; // no small change: it says nothing of the place
    search.next_change = 2;
    search_turn_near(&run, &search);
    assert_string_equal(changes[2].what, "c = b");
    VEC_FREE(&run.candidates);
    text_release(text);
    arena_free(arena);
}

static void proposers_are_read_by_name(void **state)
{
    (void)state;
    unsigned bits;
    Error err = {0};
    assert_true(loop_read_proposers(STR(""), &bits, &err));
    assert_int_equal(bits, PROPOSE_ALL);
    assert_true(loop_read_proposers(STR("sample, mutant"), &bits, &err));
    assert_int_equal(bits, PROPOSE_SAMPLE | PROPOSE_MUTANT);
    assert_false(loop_read_proposers(STR("oracle"), &bits, &err));
    assert_non_null(strstr(err.text, "'oracle'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_that_pass_are_compared_beyond_the_tests),
        cmocka_unit_test(examples_of_a_comment_are_tests),
        cmocka_unit_test(a_crash_on_an_edge_is_mended),
        cmocka_unit_test(a_doubt_asks_for_more_answers),
        cmocka_unit_test(few_answers_that_pass_are_doubted),
        cmocka_unit_test(a_fix_that_crashes_nowhere_goes_first),
        cmocka_unit_test(a_fix_may_crash_where_the_function_did),
        cmocka_unit_test(a_fix_that_crashes_where_the_function_did_not_is_doubted),
        cmocka_unit_test(a_small_change_is_sought_beside_what_was_written),
        cmocka_unit_test(changes_that_agree_outvote_another),
        cmocka_unit_test(two_changes_do_not_displace_one),
        cmocka_unit_test(what_leaves_more_as_it_was_is_chosen),
        cmocka_unit_test(what_is_left_near_a_pass_comes_first),
        cmocka_unit_test(proposers_are_read_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

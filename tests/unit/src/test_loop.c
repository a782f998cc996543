// The loop with scripted answers and real compilers: what is written, taken and refused.
#include "unit/loop_setup.h"

#include "loop/answer.h"

static void the_first_candidate_that_compiles_is_taken(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "return b;\n}\n", "return a +;\n}\n", "/* later */\n}\n",
        "if (a) {\n        a++;\n    }\n    return a;\n}\n\nint g"};
    Setup s;
    set_up(&s, "c", "int f(int a)\n{<|>\n}\n\nint h;\n");
    assert_ok(run(&s, answers, 4, (EngineCancel){0}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_int_equal(s.result.chosen, 3);
    assert_int_equal(s.result.level, LEVEL_COMPILED);
    assert_false(s.result.verified);
    assert_true(str_contains(s.result.doubt, "no test and no example"));
    assert_str(applied(&s),
               "int f(int a)\n{\n    if (a) {\n        a++;\n    }\n    return a;\n}\n\n"
               "int h;\n");
    const Candidate *c = s.result.candidates;
    // Its compiler may be at work still when the fourth has passed.
    assert_true(c[0].verdict == VERDICT_FAIL || c[0].verdict == VERDICT_SKIPPED);
    assert_int_equal(c[0].evidence.compile, c[0].verdict);
    assert_true(c[0].evidence.compile_note.len > 0);
    assert_int_equal(c[1].evidence.parse, VERDICT_FAIL);
    assert_str(c[2].evidence.parse_note, "it does nothing");
    assert_true(str_starts(s.result.summary, STR("candidate 4 of 4 (sample): parses")));
    assert_in_range(s.n_progress, 4, 200);
    tear_down(&s);
}

// The last answer would go on for long; the one before it is verified meanwhile, and ends it.
static void what_has_ended_is_verified_while_the_rest_is_written(void **state)
{
    (void)state;
    char *endless = repeat("a++; ", N_WORDS);
    const char *answers[] = {"return b;\n}\n", "return c;\n}\n", "return a;\n}\n", endless};
    Setup s;
    set_up(&s, "c", "int f(int a)\n{<|>\n}\n");
    s.request.budget.candidates = 4;
    s.request.budget.tokens = N_WORDS;
    s.request.budget.ms = 60000;
    assert_ok(run(&s, answers, 4, (EngineCancel){.poll = wait_a_moment}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    assert_str(applied(&s), "int f(int a)\n{\n    return a;\n}\n");
    assert_in_range(s.result.generated_tokens, 1, N_WORDS - 1);
    tear_down(&s);
    free(endless);
}

// With it first, then with it and without in turn.
static void bodies_are_written_with_the_adapter_and_without(void **state)
{
    (void)state;
    enum { N = 5 };
    static const bool wanted[N] = {true, true, true, false, true};
    static const char *const answers[] = {"return b;\n}\n", "return c;\n}\n", "return d;\n}\n",
                                          "return e;\n}\n", "return f;\n}\n"};
    for (int with = 0; with < 2; with++) {
        Setup s;
        set_up(&s, "c", "int f(int a)\n{<|>\n}\n");
        if (with) s.engine->adapter = (const Adapter *)s.engine;
        s.request.budget.candidates = 1;
        s.request.budget.rounds = N;
        s.request.proposers = PROPOSE_SAMPLE;
        assert_ok(run(&s, answers, N, (EngineCancel){.poll = wait_a_moment}), s.err);
        assert_int_equal(s.result.n_candidates, N);
        for (int i = 0; i < N; i++)
            assert_int_equal(s.result.candidates[i].sample->adapted, with && wanted[i]);
        tear_down(&s);
    }
}

static void all_compilers_are_waited_for_where_none_passes(void **state)
{
    (void)state;
    static const char *const answers[] = {"return b;\n}\n", "return c;\n}\n"};
    Setup s;
    set_up(&s, "c", "int f(int a)\n{<|>\n}\n");
    s.request.budget.candidates = 2;
    assert_ok(run(&s, answers, 2, (EngineCancel){0}), s.err);
    assert_false(s.result.found);
    for (int i = 0; i < 2; i++)
        assert_int_equal(s.result.candidates[i].evidence.compile, VERDICT_FAIL);
    assert_true(str_find(s.result.summary, STR("undeclared"), 0) < s.result.summary.len);
    tear_down(&s);
}

// What an answer needs to be written again is kept with it, and judging it again says the same.
static void answers_are_traced_and_judged_again(void **state)
{
    (void)state;
    static const char *const answers[] = {"return b;\n}\n", "return a +;\n}\n", "return a;\n}\n"};
    Setup s;
    set_up(&s, "c", "int f(int a)\n{<|>\n}\n");
    s.request.budget.candidates = 3;
    assert_ok(run(&s, answers, 3, (EngineCancel){0}), s.err);
    if (!s.result.found) fail_msg("%.*s", STR_FMT(s.result.summary));
    Candidate again[3] = {0};
    int n = s.result.n_candidates;
    assert_int_equal(n, 3);
    for (int i = 0; i < n; i++) {
        const Candidate *c = &s.result.candidates[i];
        assert_non_null(c->sample);
        assert_int_equal(c->sample->n_ids, c->n_tokens);
        assert_true(c->sample->prompt->n_ids > 0 && c->sample->prompt->text.len > 0);
        again[i] = (Candidate){.proposer = c->proposer, .replace = c->replace, .insert = c->insert};
    }
    assert_ok(loop_judge(&s.request, again, n, (EngineCancel){0}, NULL, NULL, s.arena, &s.err),
              s.err);
    assert_int_equal(again[0].verdict, VERDICT_FAIL);
    assert_int_equal(again[0].evidence.compile, VERDICT_FAIL);
    assert_int_equal(again[1].evidence.parse, VERDICT_FAIL);
    assert_int_equal(again[2].verdict, VERDICT_PASS);
    tear_down(&s);
}

static void a_good_first_candidate_is_enough(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a;\n}\n"};
    Setup s;
    set_up(&s, "c", "int f(int a) {<|>}\n");
    assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
    assert_true(s.result.found);
    assert_int_equal(s.result.chosen, 0);
    assert_str(applied(&s), "int f(int a) {\n    return a;\n}\n");
    tear_down(&s);
}

static void worthless_bodies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document, *answer, *note;
    } cases[] = {
        {"c", "int f(int a)\n{<|>\n}\n", "}\n", "it is empty"},
        {"c", "int f(int a)\n{<|>\n}\n", "// TODO\n}\n", "it does nothing"},
        {"c", "int f(int a)\n{<|>\n}\n", "a++;\n}\n", "it returns no value"},
        {"c", "int *f(int a)\n{<|>\n}\n", "a++;\n}\n", "it returns no value"},
        {"c", "void *f(int a)\n{<|>\n}\n", "a++;\n}\n", "it returns no value"},
        {"cpp", "int A::f(int a)\n{<|>\n}\n", "a++;\n}\n", "it returns no value"},
        {"python", "def f(a):\n    pass<|>\n", "pass\n", "it does nothing"},
        {"python", "def f(a):\n    pass<|>\n", "def f(a):\n        return 1\n",
         "it repeats the signature"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Setup s;
        set_up(&s, cases[i].lang, cases[i].document);
        s.request.trusted = false;
        assert_ok(run(&s, &cases[i].answer, 1, (EngineCancel){0}), s.err);
        assert_false(s.result.found);
        assert_int_equal(s.result.insert.len, 0);
        assert_str(s.result.candidates[0].evidence.parse_note, cases[i].note);
        assert_str(s.result.candidates[1].evidence.parse_note, "the same as an earlier one");
        assert_true(str_starts(s.result.summary, STR("none of 4 candidates passed")));
        tear_down(&s);
    }
}

static void functions_without_a_value_need_no_return(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document;
    } cases[] = {{"c", "static void f(int *a)\n{<|>\n}\n"},
                 {"c", "int main(void)\n{<|>\n}\n"},
                 {"cpp", "A::A(int *a)\n{<|>\n}\n"},
                 {"cpp", "A::~A()\n{<|>\n}\n"}};
    static const char *const answers[] = {"(*a)++;\n}\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Setup s;
        set_up(&s, cases[i].lang, cases[i].document);
        s.request.trusted = false;
        assert_ok(run(&s, answers, 1, (EngineCancel){0}), s.err);
        if (!s.result.found) fail_msg("case %zu: %.*s", i, STR_FMT(s.result.summary));
        assert_false(s.result.verified);
        tear_down(&s);
    }
}

static void layouts_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document, *answer, *wanted;
    } cases[] = {
        {"python", "def f(a):\n    \"\"\"Adds.\"\"\"<|>\n\n\nx = 1\n",
         "b = a\n    return b\n\n\ndef g():\n",
         "def f(a):\n    \"\"\"Adds.\"\"\"\n    b = a\n    return b\n\n\nx = 1\n"},
        {"python", "def f(a): pass<|>\n", "return a\n", "def f(a):\n    return a\n"},
        {"python", "class A:\n  def f(self):\n    ...<|>\n", "return 1\n  def g(self):\n",
         "class A:\n  def f(self):\n    return 1\n"},
        {"c", "int g(void)\n{\n\treturn 1;\n}\nint f(int a)\n{<|>\n}\n", "return a;\n}\n",
         "int g(void)\n{\n\treturn 1;\n}\nint f(int a)\n{\n\treturn a;\n}\n"},
        {"javascript", "class A {\n  f(a) {<|>}\n}\n", "return a;\n  }\n}\n",
         "class A {\n  f(a) {\n    return a;\n  }\n}\n"},
        {"c", "char f(int a)\n{<|>\n}\n", "return a ? '}' : \"}\"[0]; // }\n}\n",
         "char f(int a)\n{\n    return a ? '}' : \"}\"[0]; // }\n}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Setup s;
        set_up(&s, cases[i].lang, cases[i].document);
        s.request.trusted = false;
        assert_ok(run(&s, &cases[i].answer, 1, (EngineCancel){0}), s.err);
        if (!s.result.found) fail_msg("case %zu: %.*s", i, STR_FMT(s.result.summary));
        assert_str(applied(&s), cases[i].wanted);
        tear_down(&s);
    }
}

static bool after_three(void *user)
{
    return ++*(int *)user > 3;
}

static void cancelling_and_wrong_places_are_errors(void **state)
{
    (void)state;
    static const char *const answers[] = {"return a;\n}\n"};
    Setup s;
    int polls = 0;
    set_up(&s, "c", "int f(int a)\n{<|>\n}\nint g;\n");
    assert_false(run(&s, answers, 1, (EngineCancel){after_three, &polls}));
    assert_int_equal(s.err.code, ERROR_CANCELLED);
    s.err = (Error){0};
    s.request.selection.start = s.request.selection.end = text_n_bytes(s.text);
    assert_false(run(&s, answers, 1, (EngineCancel){0}));
    assert_int_equal(s.err.code, ERROR_INVALID);
    s.err = (Error){0};
    s.request.syntax = NULL;
    assert_false(run(&s, answers, 1, (EngineCancel){0}));
    assert_int_equal(s.err.code, ERROR_INVALID);
    tear_down(&s);
}

static void answers_become_edits(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document, *answer, *wanted; // NULL: no edit
    } cases[] = {
        {"c", "int f(int a)\n{<|>\n    return 1;\n}\n",
         "Sure:\n```c\n#include <ctype.h>\n\nint f(int a)\n{\n    return "
         "isalpha(a);\n}\n```\nDone.",
         "#include <ctype.h>\n\nint f(int a)\n{\n    return isalpha(a);\n}\n"},
        {"c", "int f(int a)\n{<|>\n    return 1;\n}\n",
         "```c\nint g(void)\n{\n    return 2;\n}\n```", NULL},
        {"c", "int f(int a)\n{<|>\n    return 1;\n}\n", "I cannot say.", NULL},
        {"python", "class A:\n    def f(self):<|>\n        \"\"\"Adds.\"\"\"\n        return 1\n",
         "```python\ndef f(self):\n    return 2\n```",
         "class A:\n    def f(self):\n        \"\"\"Adds.\"\"\"\n        return 2\n"},
        {"python", "class A:\n    def f(self):<|>\n        return 1\n",
         "```\nclass A:\n    def f(self):\n        if self:\n            return 2\n```",
         "class A:\n    def f(self):\n        if self:\n            return 2\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Setup s;
        Task task;
        bool closed;
        set_up(&s, cases[i].lang, cases[i].document);
        assert_true(task_find(s.syntax, TASK_FIX, s.request.selection, &task));
        Str code = answer_code(str_from(cases[i].answer), &closed);
        AnswerEdit edit = answer_edit(s.syntax, &task, code, s.arena);
        if (!cases[i].wanted != (edit.flaw != NULL))
            fail_msg("case %zu: %s", i, edit.flaw ? edit.flaw : "no flaw was found");
        s.result.replace = edit.replace;
        s.result.insert = edit.insert;
        if (cases[i].wanted) assert_str(applied(&s), cases[i].wanted);
        tear_down(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_candidate_that_compiles_is_taken),
        cmocka_unit_test(what_has_ended_is_verified_while_the_rest_is_written),
        cmocka_unit_test(bodies_are_written_with_the_adapter_and_without),
        cmocka_unit_test(all_compilers_are_waited_for_where_none_passes),
        cmocka_unit_test(answers_are_traced_and_judged_again),
        cmocka_unit_test(a_good_first_candidate_is_enough),
        cmocka_unit_test(worthless_bodies_are_refused),
        cmocka_unit_test(functions_without_a_value_need_no_return),
        cmocka_unit_test(layouts_are_kept),
        cmocka_unit_test(cancelling_and_wrong_places_are_errors),
        cmocka_unit_test(answers_become_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// "Write this function's body" with scripted answers and real compilers.
#include "unit/unit.h"

#include "generate.h"
#include "unit/word_engine.h"

typedef struct Setup {
    Engine *engine;
    Session *session;
    Arena *arena;
    TextSnap *text;
    Syntax *syntax;
    BodyRequest request;
    BodyResult result;
    Error err;
    int n_progress, last_pct;
} Setup;

// The request is at "<|>" in `document`.
static void set_up(Setup *s, const char *lang, const char *document)
{
    *s = (Setup){.engine = word_engine_new(FIM_SUFFIX_FIRST), .arena = arena_new()};
    s->session = session_new(s->engine, 0, &s->err);
    Str whole = str_from(document);
    size_t at = str_find(whole, STR("<|>"), 0);
    s->text =
        text_new(arena_printf(s->arena, "%.*s%s", (int)at, document, document + at + 3), &s->err);
    s->syntax = syntax_parse(language_by_id(lang), s->text, NULL);
    s->request = (BodyRequest){.text = s->text,
                               .syntax = s->syntax,
                               .path = STR("a.c"),
                               .file_path = STR("/nonexistent/a.c"),
                               .root = STR("/nonexistent"),
                               .byte_off = at,
                               .trusted = true,
                               .n_candidates = 4,
                               .max_tokens = 200,
                               .max_prompt_tokens = 512};
}

static void tear_down(Setup *s)
{
    syntax_release(s->syntax);
    text_release(s->text);
    session_free(s->session);
    free(s->engine);
    arena_free(s->arena);
}

static void on_progress(void *user, int pct, Str text)
{
    Setup *s = user;
    assert_true(text.len > 0 && pct >= s->last_pct && pct <= 100);
    s->last_pct = pct;
    s->n_progress++;
}

static bool run(Setup *s, const char *const *answers, int n, EngineCancel cancel)
{
    word_engine_script(s->engine, answers, n);
    s->last_pct = s->n_progress = 0;
    return body_run(s->engine, s->session, &s->request, cancel, on_progress, s, s->arena,
                    &s->result, &s->err);
}

static Str applied(Setup *s)
{
    Str all = text_str(s->text);
    ByteRange r = s->result.replace;
    return arena_printf(s->arena, "%.*s%.*s%.*s", STR_FMT(str_slice(all, 0, r.start)),
                        STR_FMT(s->result.insert), STR_FMT(str_slice(all, r.end, all.len)));
}

static void assert_str(Str found, const char *wanted)
{
    if (!str_equal(found, str_from(wanted)))
        fail_msg("found:\n%.*s\nwanted:\n%s", STR_FMT(found), wanted);
}

static void targets_are_empty_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document;
        bool found;
    } cases[] = {
        {"c", "int f(int a)\n{<|>\n}\n", true},
        {"c", "int f(<|>int a) {}\n", true},
        {"c", "int f(int a)\n{\n    /* later */<|>\n}\n", true},
        {"c", "int f(int a)\n{\n    return <|>a;\n}\n", false},
        {"c", "int f(<|>int a);\n", false},
        {"c", "int x<|> = 1;\n", false},
        {"cpp", "int A::f() const {<|>}\n", true},
        {"python", "def f(a):<|>\n    pass\n", true},
        {"python", "def f(a):\n    ...<|>\n", true},
        {"python", "def f(a):\n    \"\"\"Adds.\"\"\"<|>\n", true},
        {"python", "def f(a):\n    return <|>a\n", false},
        {"javascript", "function f(a) {<|>}\n", true},
        {"go", "package a\nfunc f(a int) int {<|>}\n", true},
        {"rust", "fn f(a: i32) -> i32 {<|>}\n", true},
        {"java", "class A { int f(int a) {<|>} }\n", true},
        {"typescript", "function f(a: number): number {<|>}\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Setup s;
        BodyTarget target;
        set_up(&s, cases[i].lang, cases[i].document);
        if (body_find_target(s.syntax, s.request.byte_off, &target) != cases[i].found)
            fail_msg("case %zu: %s", i, cases[i].document);
        tear_down(&s);
    }
}

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
    assert_true(s.result.compiled);
    assert_str(applied(&s),
               "int f(int a)\n{\n    if (a) {\n        a++;\n    }\n    return a;\n}\n\n"
               "int h;\n");
    const BodyCandidate *c = s.result.candidates;
    // Its compiler may be at work still when the fourth has passed.
    assert_true(c[0].verdict == VERDICT_FAIL || c[0].verdict == VERDICT_SKIPPED);
    assert_int_equal(c[0].evidence.compile, c[0].verdict);
    assert_true(c[0].evidence.compile_note.len > 0);
    assert_int_equal(c[1].evidence.parse, VERDICT_FAIL);
    assert_str(c[2].evidence.parse_note, "it does nothing");
    assert_true(str_starts(s.result.summary, STR("candidate 4 of 4: parses")));
    assert_in_range(s.n_progress, 4, 100);
    tear_down(&s);
}

static void all_compilers_are_waited_for_where_none_passes(void **state)
{
    (void)state;
    static const char *const answers[] = {"return b;\n}\n", "return c;\n}\n"};
    Setup s;
    set_up(&s, "c", "int f(int a)\n{<|>\n}\n");
    s.request.n_candidates = 2;
    assert_ok(run(&s, answers, 2, (EngineCancel){0}), s.err);
    assert_false(s.result.found);
    for (int i = 0; i < 2; i++)
        assert_int_equal(s.result.candidates[i].evidence.compile, VERDICT_FAIL);
    assert_true(str_find(s.result.summary, STR("undeclared"), 0) < s.result.summary.len);
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
        assert_false(s.result.compiled);
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
    s.request.byte_off = text_n_bytes(s.text);
    assert_false(run(&s, answers, 1, (EngineCancel){0}));
    assert_int_equal(s.err.code, ERROR_INVALID);
    s.err = (Error){0};
    s.request.syntax = NULL;
    assert_false(run(&s, answers, 1, (EngineCancel){0}));
    assert_int_equal(s.err.code, ERROR_INVALID);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_empty_bodies),
        cmocka_unit_test(the_first_candidate_that_compiles_is_taken),
        cmocka_unit_test(all_compilers_are_waited_for_where_none_passes),
        cmocka_unit_test(a_good_first_candidate_is_enough),
        cmocka_unit_test(worthless_bodies_are_refused),
        cmocka_unit_test(functions_without_a_value_need_no_return),
        cmocka_unit_test(layouts_are_kept),
        cmocka_unit_test(cancelling_and_wrong_places_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Which names are looked at, which others might stand there, and what is told, with an engine whose
// opinion is given.
#include "unit/unit.h"

#include "surprise.h"
#include "unit/word_engine.h"

typedef struct Setup {
    Engine *engine;
    Session *session;
    Arena *arena;
    TextSnap *text;
    Syntax *syntax;
    SurpriseRequest request;
    SurpriseResult result;
    Error err;
} Setup;

// The function is that around the first "f(".
static void set_up(Setup *s, const char *language, const char *text)
{
    *s = (Setup){.engine = word_engine_new(FIM_SUFFIX_FIRST), .arena = arena_new()};
    s->session = session_new(s->engine, 0, &s->err);
    s->text = text_new(str_from(text), &s->err);
    s->syntax = syntax_parse(language_by_id(language), s->text, NULL);
    s->request = (SurpriseRequest){s->syntax, str_find(str_from(text), STR("f("), 0), 3};
}

static bool run(Setup *s, const char *unlikely, const char *expected, EngineCancel cancel)
{
    s->engine->unlikely = unlikely;
    s->engine->expected = expected;
    return surprise_run(s->engine, s->session, &s->request, cancel, s->arena, &s->result, &s->err);
}

static void tear_down(Setup *s)
{
    syntax_release(s->syntax);
    text_release(s->text);
    session_free(s->session);
    free(s->engine);
    arena_free(s->arena);
}

// `expected` NULL: nothing is to be found where `unlikely` stands.
static void assert_found(const char *language, const char *text, const char *unlikely,
                         const char *likely, const char *expected, int n_names)
{
    Setup s;
    set_up(&s, language, text);
    assert_ok(run(&s, unlikely, likely, (EngineCancel){0}), s.err);
    if ((s.result.n > 0) != (expected != NULL)) fail_msg("%s: %zu found", text, s.result.n);
    if (n_names != s.result.n_names) fail_msg("%s: %d names", text, s.result.n_names);
    if (expected) assert_true(str_equal(s.result.items[0].expected, str_from(expected)));
    tear_down(&s);
}

static const char SWAPPED[] = "int other;\n"
                              "static int f(int size, char *at, int room)\n"
                              "{\n"
                              "    int n = size;\n"
                              "    return n < room ? n : wrong(room);\n"
                              "}\n";

static void a_name_in_anothers_place_is_found(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "c", SWAPPED);
    assert_ok(run(&s, "size", "room", (EngineCancel){0}), s.err);
    assert_true(str_equal(s.result.function, STR("f")));
    assert_int_equal(s.result.n_names, 5); // size, n, room, n, room
    assert_int_equal(s.result.n_places, 1);
    assert_int_equal(s.result.n, 1);
    const Surprise *found = &s.result.items[0];
    assert_int_equal(found->range.start, str_find(str_from(SWAPPED), STR("size;"), 0));
    assert_true(str_equal(found->name, STR("size")) && str_equal(found->expected, STR("room")));
    assert_true(found->margin > 10.4 && found->margin < 10.6);
    RuleFinding finding = surprise_finding(found, s.arena);
    assert_int_equal(finding.severity, SEVERITY_HINT);
    assert_true(str_equal(finding.message, STR("size is unlikely here; room would be expected")));
    assert_true(finding.has_fix && str_equal(finding.fix, STR("room")));
    assert_true(str_equal(finding.fix_title, STR("Write room")));
    s.request.margin = 11;
    assert_ok(run(&s, "size", "room", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.n, 0);
    tear_down(&s);
}

static void places_are_told_in_the_order_of_the_text(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "c", "int f(int a, int b)\n{\n    return a + 1 + a * 2 - a;\n}\n");
    assert_ok(run(&s, "a", "b", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.n, 3);
    assert_true(s.result.items[0].range.start < s.result.items[1].range.start &&
                s.result.items[1].range.start < s.result.items[2].range.start);
    tear_down(&s);
}

static void only_names_that_might_stand_there_are_expected(void **state)
{
    (void)state;
    assert_found("c", SWAPPED, "size", "at", "n", 5); // of another type: the nearest of its own
    assert_found("c", "int f(char *a, int *b)\n{\n    return a;\n}\n", "a", "b", NULL, 1);
    assert_found("c", "int f(char a[], char *b)\n{\n    return *a;\n}\n", "a", "b", "b", 1);
    assert_found("c", "int f(char **a, char *b)\n{\n    return a;\n}\n", "a", "b", NULL, 1);
    assert_found("c", "int f(struct x *a, struct y *b)\n{\n    return a;\n}\n", "a", "b", NULL, 1);
    assert_found("c", "int f(int a)\n{\n    { int b = 0; }\n    return a;\n}\n", "a", "b", NULL, 1);
    assert_found("c", "int f(int a, int b)\n{\n    return a;\n}\n", "a", "b", "b", 1);
}

static void only_uses_of_variables_are_looked_at(void **state)
{
    (void)state;
    assert_found("c", "int f(int a, int b)\n{\n    return g.a + p->a + a();\n}\n", "a", "b", "b",
                 1);
    assert_found("c", "int a;\nint f(int b)\n{\n    return a;\n}\n", "a", "b", NULL, 0);
    assert_found("python", "def f(a, b):\n    return g.a + h(a=1)\n", "a", "b", NULL, 0);
    assert_found("python", "def f(a, b):\n    a = 1\n    return a.b\n", "a", "b", "b", 1);
    assert_found("python", "a = 1\ndef f(b):\n    return a\n", "a", "b", NULL, 0);
}

static void places_without_a_function_say_so(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "c", "int x;\n\n\nint f(int a, int b)\n{\n    return a;\n}\n");
    s.request.byte_off = 0;
    assert_ok(run(&s, "a", "b", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.function.len, 0);
    assert_int_equal(s.result.n_tokens, 0);
    tear_down(&s);
    assert_found("c", "f(", "a", "b", NULL, 0);
    assert_found("c", "int f(void);\n", "a", "b", NULL, 0);
    assert_found("c", "int f(int a, int b)\n{\n}\n", "a", "b", NULL, 0);
}

static void long_functions_are_read_to_a_limit(void **state)
{
    (void)state;
    StrBuf text = {0};
    for (int i = 0; i < 300; i++)
        strbuf_append(&text, STR("int before_the_function;\n"));
    strbuf_append(&text, STR("int f(int a, int b)\n{\n    g(a);\n"));
    for (int i = 0; i < 300; i++)
        strbuf_append(&text, STR("    g(b, 1);\n"));
    strbuf_append(&text, STR("    return a;\n}\n"));
    Setup s;
    set_up(&s, "c", text.ptr);
    assert_ok(run(&s, "a", "b", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.n, 1); // the last one is out of sight
    assert_in_range(s.result.n_tokens, 1024, 2048);
    strbuf_deinit(&text);
    tear_down(&s);
}

static bool poll(void *user)
{
    (void)user;
    return true;
}

static void cancelling_ends_it(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "c", SWAPPED);
    assert_false(run(&s, "size", "room", (EngineCancel){poll, NULL}));
    assert_int_equal(s.err.code, ERROR_CANCELLED);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_in_anothers_place_is_found),
        cmocka_unit_test(places_are_told_in_the_order_of_the_text),
        cmocka_unit_test(only_names_that_might_stand_there_are_expected),
        cmocka_unit_test(only_uses_of_variables_are_looked_at),
        cmocka_unit_test(places_without_a_function_say_so),
        cmocka_unit_test(long_functions_are_read_to_a_limit),
        cmocka_unit_test(cancelling_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

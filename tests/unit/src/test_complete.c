// The walk of one suggestion with a scripted engine: what is shown, and exactly why nothing is.
#include "unit/unit.h"

#include "complete.h"
#include "unit/word_engine.h"

typedef struct Setup {
    Engine *engine;
    Session *session;
    Arena *arena;
    TextSnap *text;
    CompleteRequest request;
    CompleteResult result;
    Error err;
} Setup;

// The cursor in `document` is "<|>".
static void set_up(Setup *s, const char *document)
{
    *s = (Setup){.engine = word_engine_new(FIM_SUFFIX_FIRST), .arena = arena_new()};
    s->session = session_new(s->engine, 0, &s->err);
    Str whole = str_from(document);
    size_t at = str_find(whole, STR("<|>"), 0);
    Str bytes = arena_printf(s->arena, "%.*s%s", (int)at, document, document + at + 3);
    s->text = text_new(bytes, &s->err);
    s->request = (CompleteRequest){.text = s->text,
                                   .lang = language_by_id("c"),
                                   .path = STR("a.c"),
                                   .byte_off = at,
                                   .max_tokens = 40,
                                   .max_prompt_tokens = 512,
                                   .multi_line = true,
                                   .gate = 0.3};
}

static void tear_down(Setup *s)
{
    text_release(s->text);
    session_free(s->session);
    free(s->engine);
    arena_free(s->arena);
}

static bool run(Setup *s, const char *answer, EngineCancel cancel)
{
    const char *const answers[] = {answer};
    word_engine_script(s->engine, answers, 1);
    return complete_run(s->engine, s->session, &s->request, cancel, s->arena, &s->result, &s->err);
}

static void assert_shown(const char *document, const char *answer, const char *insert,
                         WhyNothing why)
{
    Setup s;
    set_up(&s, document);
    assert_ok(run(&s, answer, (EngineCancel){0}), s.err);
    if (s.result.why != why)
        fail_msg("%s: %s, wanted %s", document, why_nothing_text(s.result.why),
                 why_nothing_text(why));
    if (!str_equal(s.result.insert, str_from(insert)))
        fail_msg("%s: '%.*s', wanted '%s'", document, STR_FMT(s.result.insert), insert);
    tear_down(&s);
}

static void every_nothing_has_its_reason(void **state)
{
    (void)state;
    assert_shown("int x = <|>;\n", "foo;\n", "foo", WHY_SHOWN);
    assert_shown("int x = <|>;\n", "", "", WHY_EMPTY);
    assert_shown("int x = <|>;\n", "  \n", "", WHY_EMPTY);
    assert_shown("int x = <|>;\n", ";\n", "", WHY_OVERLAP);
    assert_shown("int x;\n<|>\nint y;\n", "int y;\n", "", WHY_OVERLAP);
    assert_shown("int x = <|>;\n", "1);\n", "", WHY_SYNTAX);
    assert_shown("int x = fo<|>o;\n", "o", "", WHY_IN_WORD);
    assert_shown("int x = <|>_a;\n", "o", "", WHY_IN_WORD);
    assert_shown("int x = f<|>\xc3\xa9;\n", "o", "", WHY_IN_WORD);
    assert_shown("int x = <|>;\n", NULL, "", WHY_HEALING);
    for (int why = WHY_SHOWN; why <= WHY_HEALING; why++)
        assert_true(strlen(why_nothing_text((WhyNothing)why)) > 4);
    assert_string_equal(why_nothing_text((WhyNothing)99), "unknown");
}

static void models_without_fim_and_large_texts_say_so(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "int x = <|>;\n");
    s.engine->info.fim_order = FIM_NONE;
    assert_ok(run(&s, "1", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_NO_FIM);
    s.engine->info.fim_order = FIM_PREFIX_FIRST;
    char *large = mem_alloc(SYNTAX_MAX_BYTES + 1);
    memset(large, ' ', SYNTAX_MAX_BYTES + 1);
    TextSnap *text = text_new((Str){large, SYNTAX_MAX_BYTES + 1}, &s.err);
    s.request.text = text;
    assert_ok(run(&s, "1", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_TOO_LARGE);
    assert_int_equal(s.result.prompt_tokens, 0);
    text_release(text);
    free(large);
    tear_down(&s);
}

static void the_gate_judges_the_line(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "int x = <|>;\n");
    static const float unsure[] = {0.9f, 0.8f, 0.5f, 0.9f, 0.5f, 0.9f};
    memcpy(s.engine->probs, unsure, sizeof unsure);
    assert_ok(run(&s, "a + b + c + d + e + f", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_UNSURE);
    assert_int_equal(s.result.insert.len, 0);
    assert_true(s.result.line_prob > 0.161 && s.result.line_prob < 0.163);
    assert_int_equal(s.result.generated_tokens, 5); // what cannot be shown is not written
    s.request.gate = 0.01;
    assert_ok(run(&s, "a + b + c + d + e + f", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_SHOWN);
    assert_true(s.result.line_prob > 0.01 && s.result.line_prob < 0.146);
    s.request.gate = -1; // the default, which is above this
    assert_ok(run(&s, "a + b + c + d + e + f", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_UNSURE);
    s.request.gate = 0; // off, with the check of the syntax
    assert_ok(run(&s, "a)", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_SHOWN);
    tear_down(&s);
}

static void lines_follow_only_where_a_block_begins(void **state)
{
    (void)state;
    assert_shown("if (x) {<|>\n}\n", "\n    a();\n    b();\n}\nc();\n", "\n    a();\n    b();",
                 WHY_SHOWN);
    assert_shown("void f(void)\n{\n    <|>\n}\n", "a();\n    b();\n}\n", "a();\n    b();",
                 WHY_SHOWN);
    assert_shown("void f(void)\n{\n    a<|>\n}\n", "();\n    b();\n}\n", "();", WHY_SHOWN);
}

static void the_selected_item_begins_the_suggestion(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "int x = pri<|>;\n");
    size_t start = s.request.byte_off - 3;
    s.request.selected = STR("print_all");
    s.request.selected_range = (ByteRange){start, s.request.byte_off};
    assert_ok(run(&s, "(a);\n", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_SHOWN);
    assert_true(str_equal(s.result.insert, STR("print_all(a)")));
    assert_int_equal(s.result.replace.start, start);
    assert_int_equal(s.result.replace.end, s.request.byte_off);
    assert_ok(run(&s, ";\n", (EngineCancel){0}), s.err);
    assert_int_equal(s.result.why, WHY_OVERLAP);
    assert_int_equal(s.result.insert.len, 0);
    tear_down(&s);
}

static void a_typed_character_reuses_the_prompt(void **state)
{
    (void)state;
    Setup s;
    set_up(&s, "int a;\nint x = <|>;\nint y;\n");
    assert_ok(run(&s, "foo;\n", (EngineCancel){0}), s.err);
    TextSnap *typed = text_edit(s.text, (ByteRange){s.request.byte_off, s.request.byte_off},
                                STR("f"), NULL, &s.err);
    s.request.text = typed;
    s.request.byte_off++;
    assert_ok(run(&s, "oo;\n", (EngineCancel){0}), s.err);
    assert_true(str_equal(s.result.insert, STR("oo")));
    assert_in_range(s.result.evaluated_tokens, 0, 2);
    assert_int_equal(s.result.reused_tokens + s.result.evaluated_tokens, s.result.prompt_tokens);
    text_release(typed);
    tear_down(&s);
}

static bool always(void *user)
{
    ++*(int *)user;
    return true;
}

static void cancelling_and_wrong_requests_are_errors(void **state)
{
    (void)state;
    Setup s;
    int polls = 0;
    set_up(&s, "int x = <|>;\n");
    assert_false(run(&s, "foo;\n", (EngineCancel){always, &polls}));
    assert_int_equal(s.err.code, ERROR_CANCELLED);
    assert_int_equal(polls, 1);
    s.err = (Error){0};
    s.request.byte_off = 1000;
    assert_false(run(&s, "foo;\n", (EngineCancel){0}));
    assert_int_equal(s.err.code, ERROR_INVALID);
    s.err = (Error){0};
    s.request.byte_off = 8;
    s.request.selected = STR("a");
    s.request.selected_range = (ByteRange){5, 2000};
    assert_false(run(&s, "foo;\n", (EngineCancel){0}));
    assert_int_equal(s.err.code, ERROR_INVALID);
    tear_down(&s);
}

static void prompts_fit_the_session(void **state)
{
    (void)state;
    EngineInfo small = {.n_active_params = 44u * 1000 * 1000},
               large = {.n_active_params = 494000000};
    assert_int_equal(complete_default_prompt_tokens(&small, 8192), 1536);
    assert_true(complete_default_prompt_tokens(&large, 8192) < 1536);
    assert_int_equal(complete_default_prompt_tokens(&small, 1000), 750);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_nothing_has_its_reason),
        cmocka_unit_test(models_without_fim_and_large_texts_say_so),
        cmocka_unit_test(the_gate_judges_the_line),
        cmocka_unit_test(lines_follow_only_where_a_block_begins),
        cmocka_unit_test(the_selected_item_begins_the_suggestion),
        cmocka_unit_test(a_typed_character_reuses_the_prompt),
        cmocka_unit_test(cancelling_and_wrong_requests_are_errors),
        cmocka_unit_test(prompts_fit_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

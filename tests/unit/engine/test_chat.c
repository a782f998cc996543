// Chat forms against the models' own templates (tests/golden/README.md), and the stream of a model
// that thinks.
#include "unit/unit.h"

#include <json-c/json.h>

#include "engine/chat.h"
#include "unit/chat_templates.h"
#include "unit/text_engine.h"

// --- helpers -------------------------------------------------------------------------------------

static json_object *get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value)) fail_msg("golden file lacks %s", key);
    return value;
}

static Str text_in(json_object *text)
{
    return (Str){json_object_get_string(text), (size_t)json_object_get_string_len(text)};
}

static void assert_str(Str got, const char *wanted)
{
    if (!str_equal(got, str_from(wanted))) fail_msg("'%.*s', wanted '%s'", STR_FMT(got), wanted);
}

// Control tokens and marks of thoughts.
static int count_marks(const ChatPrompt *prompt)
{
    int n = 0;
    for (int i = 0; i < prompt->n_ids; i++)
        n += prompt->ids[i] >= TEXT_BYTES && prompt->ids[i] < TEXT_BYTES + TEXT_MARKS;
    return n;
}

static Str spell(const Engine *engine, const ChatPrompt *prompt, Arena *arena)
{
    StrBuf text = {0};
    for (int i = 0; i < prompt->n_ids; i++)
        strbuf_append(&text, engine_token_bytes(engine, prompt->ids[i]));
    Str spelled = arena_str(arena, strbuf_str(&text));
    strbuf_deinit(&text);
    return spelled;
}

static int mark(const char *text)
{
    for (int i = 0; i < TEXT_MARKS; i++)
        if (strcmp(text_marks[i].text, text) == 0) return TEXT_BYTES + i;
    fail_msg("%s is no mark", text);
    return -1;
}

static void use_template(Engine *engine, const char *name, const char *template)
{
    bool llama = str_starts(str_from(name), STR("llama"));
    engine->info.chat_template = str_from(template);
    engine->info.bos = mark(llama ? "<|begin_of_text|>" : "<｜begin▁of▁sentence｜>");
}

static const char *template_of(const char *name)
{
    for (int i = 0; i < N_TEMPLATES; i++)
        if (strcmp(templates[i].name, name) == 0) return templates[i].template;
    fail_msg("no template for %s", name);
    return NULL;
}

// --- forms ---------------------------------------------------------------------------------------

// Renders the case; the control tokens must be as many as with harmless texts in its place.
static void check_case(Engine *engine, json_object *one)
{
    Arena *arena = arena_new();
    Error err = {0};
    json_object *said = get(one, "turns");
    Str turns[8], harmless[8], system = text_in(get(one, "system"));
    int n = (int)json_object_array_length(said);
    assert_in_range(n, 1, 8);
    for (int i = 0; i < n; i++) {
        turns[i] = text_in(json_object_array_get_idx(said, (size_t)i));
        harmless[i] = STR("x");
    }
    ChatForm form = chat_form(engine, &err);
    assert_ok(form != CHAT_NONE, err);
    assert_string_equal(chat_form_name(form), json_object_get_string(get(one, "form")));
    ChatPrompt prompt, plain;
    ChatRequest request = {.system = system,
                           .turns = turns,
                           .n_turns = n,
                           .think = json_object_get_boolean(get(one, "think"))};
    assert_ok(chat_render(engine, form, &request, arena, &prompt, &err), err);
    Str text = spell(engine, &prompt, arena), wanted = text_in(get(one, "text"));
    if (!str_equal(text, wanted))
        fail_msg("%s:\n%.*s\nwanted:\n%.*s", json_object_get_string(get(one, "name")),
                 STR_FMT(text), STR_FMT(wanted));
    request.turns = harmless;
    if (system.len) request.system = STR("x");
    assert_ok(chat_render(engine, form, &request, arena, &plain, &err), err);
    assert_int_equal(count_marks(&prompt), count_marks(&plain));
    arena_free(arena);
}

static void forms_render_as_the_models_templates(void **state)
{
    (void)state;
    static const char *const pres[] = {"qwen2", "deepseek-v3", "llama-bpe", "deepseek-llm"};
    json_object *cases = json_object_from_file(SOURCE_DIR "/tests/golden/chat.json");
    assert_non_null(cases);
    assert_int_equal(json_object_array_length(cases), 65);
    for (size_t p = 0; p < 4; p++) {
        Engine *engine = text_engine_new(pres[p], true);
        assert_non_null(engine);
        for (size_t i = 0; i < json_object_array_length(cases); i++) {
            json_object *one = json_object_array_get_idx(cases, i);
            const char *name = json_object_get_string(get(one, "name"));
            use_template(engine, name, template_of(name));
            check_case(engine, one);
        }
        text_engine_free(engine);
    }
    json_object_put(cases);
}

static void published_templates_are_recognised(void **state)
{
    (void)state;
    const char *folder = getenv("R1LS_TEMPLATES");
    if (!folder) {
        print_message("$R1LS_TEMPLATES names no folder of templates\n");
        skip();
    }
    Engine *engine = text_engine_new("qwen2", true);
    json_object *cases = json_object_from_file(SOURCE_DIR "/tests/golden/chat.json");
    for (size_t i = 0; i < json_object_array_length(cases); i++) {
        static char text[1 << 16];
        char path[600];
        json_object *one = json_object_array_get_idx(cases, i);
        const char *name = json_object_get_string(get(one, "name"));
        snprintf(path, sizeof path, "%s/%s.jinja", folder, name);
        FILE *file = fopen(path, "rb");
        if (!file) fail_msg("%s is missing", path);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        use_template(engine, name, text);
        check_case(engine, one);
    }
    json_object_put(cases);
    text_engine_free(engine);
}

static void unknown_forms_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *template;
        ErrorCode code;
        const char *word;
    } cases[] = {
        {"", ERROR_NOT_FOUND, "no chat template"},
        {"{{ '[INST] ' + m + ' [/INST]' }}", ERROR_UNSUPPORTED, "'{{ '[INST]"},
        {D_TURNS "{# DSML #}" ASK "{{'<think>'}}", ERROR_UNSUPPORTED, "not known"},
        {D_TURNS ASK "{{'<think>'}}", ERROR_UNSUPPORTED, "not known"},
        {ML_TURNS ASK "{{'<think>' + x}}", ERROR_UNSUPPORTED, "not known"},
    };
    Engine *engine = text_engine_new("qwen2", true), *bare = text_engine_new("qwen2", false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error err = {0};
        engine->info.chat_template = str_from(cases[i].template);
        assert_int_equal(chat_form(engine, &err), CHAT_NONE);
        assert_int_equal(err.code, cases[i].code);
        if (!strstr(err.text, cases[i].word)) fail_msg("'%s' lacks '%s'", err.text, cases[i].word);
    }
    for (int i = 0; i < N_TEMPLATES; i++) {
        Error err = {0};
        bare->info.chat_template = str_from(templates[i].template);
        assert_int_equal(chat_form(bare, &err), CHAT_NONE);
        if (!strstr(err.text, "is no token")) fail_msg("'%s'", err.text);
    }
    Error err = {0};
    ChatPrompt prompt;
    ChatRequest even = {.turns = (Str[]){STR("a"), STR("b")}, .n_turns = 2};
    Arena *arena = arena_new();
    assert_false(chat_render(engine, CHAT_V3, &even, arena, &prompt, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    arena_free(arena);
    text_engine_free(engine);
    text_engine_free(bare);
}

// R1's templates of January 2025 leave the opening to the model; its makers say to force it.
static void r1_without_an_opening_gets_one(void **state)
{
    (void)state;
    Engine *engine = text_engine_new("qwen2", true);
    Arena *arena = arena_new();
    Error err = {0};
    ChatPrompt prompt;
    Str question = STR("Hi");
    use_template(engine, "r1", D_TURNS D_CUT ASK "{{'<｜Assistant｜>'}}{% endif %}");
    assert_int_equal(chat_form(engine, &err), CHAT_R1);
    ChatRequest request = {.turns = &question, .n_turns = 1, .opening = STR("```c\n")};
    assert_ok(chat_render(engine, CHAT_R1, &request, arena, &prompt, &err), err);
    assert_int_equal(prompt.state, THINK_THOUGHT);
    assert_str(spell(engine, &prompt, arena),
               "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>\n");
    assert_int_equal(prompt.ids[prompt.n_ids - 2], mark("<think>"));
    prompt = chat_end_thought(engine, CHAT_R1, STR("```c\n"), arena);
    assert_str(spell(engine, &prompt, arena), "\n</think>\n\n```c\n");
    assert_int_equal(prompt.ids[1], mark("</think>"));
    arena_free(arena);
    text_engine_free(engine);
}

static void openings_stand_where_no_thought_comes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *end;
        bool think;
        ThinkState state;
    } cases[] = {{"deepseek-v2", "\n\nAssistant: ```c\n", false, THINK_ANSWER},
                 {"deepseek-v3", "<｜Assistant｜>```c\n", true, THINK_ANSWER},
                 {"deepseek-v3.1", "<｜Assistant｜></think>```c\n", false, THINK_ANSWER},
                 {"deepseek-v3.1", "<｜Assistant｜><think>", true, THINK_THOUGHT},
                 {"qwen3", "assistant\n<think>\n\n</think>\n\n```c\n", false, THINK_ANSWER},
                 {"qwen3", "<|im_start|>assistant\n", true, THINK_UNDECIDED},
                 {"qwq", "assistant\n<think>\n", false, THINK_THOUGHT}};
    Engine *engine = text_engine_new("qwen2", true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        Error err = {0};
        ChatPrompt prompt;
        Str question = STR("Hi");
        use_template(engine, cases[i].name, template_of(cases[i].name));
        ChatRequest request = {
            .turns = &question, .n_turns = 1, .think = cases[i].think, .opening = STR("```c\n")};
        assert_ok(chat_render(engine, chat_form(engine, &err), &request, arena, &prompt, &err),
                  err);
        Str text = spell(engine, &prompt, arena);
        if (!str_ends(text, str_from(cases[i].end)))
            fail_msg("'%.*s' does not end in '%s'", STR_FMT(text), cases[i].end);
        assert_int_equal(prompt.state, cases[i].state);
        arena_free(arena);
    }
    text_engine_free(engine);
}

// --- the stream ----------------------------------------------------------------------------------

// Feeds text in pieces of n bytes, "\x01" and "\x02" being the tokens <think> and </think>; gives
// "thought|answer", with a second | where the thought ended.
static Str run_stream(const Engine *engine, ThinkState state, const char *text, size_t n,
                      Arena *arena)
{
    ThinkStream stream;
    StrBuf thought = {0}, answer = {0};
    bool ended = false;
    think_init(&stream, engine, state);
    Str all = str_from(text);
    for (size_t at = 0; at < all.len;) {
        size_t end = at + 1;
        bool special = all.ptr[at] <= 2;
        while (!special && end < all.len && end < at + n && all.ptr[end] > 2)
            end++;
        int id = !special ? 'x' : mark(all.ptr[at] == 1 ? "<think>" : "</think>");
        Str bytes = special ? engine_token_bytes(engine, id) : str_slice(all, at, end);
        ThinkEvent event = think_feed(&stream, id, bytes);
        strbuf_append(&thought, event.thought);
        strbuf_append(&answer, event.answer);
        assert_false(event.ended && ended);
        ended |= event.ended;
        at = end;
    }
    ThinkEvent last = think_finish(&stream);
    strbuf_append(&thought, last.thought);
    strbuf_append(&answer, last.answer);
    ended |= last.ended;
    Str both = arena_printf(arena, "%.*s|%s%.*s", STR_FMT(strbuf_str(&thought)), ended ? "|" : "",
                            STR_FMT(strbuf_str(&answer)));
    think_deinit(&stream);
    strbuf_deinit(&thought);
    strbuf_deinit(&answer);
    return both;
}

typedef struct StreamCase {
    ThinkState state;
    const char *text, *wanted;
} StreamCase;

static void check_streams(const Engine *engine, const StreamCase *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t step = 1; step < 14; step++) {
            Arena *arena = arena_new();
            Str got = run_stream(engine, cases[i].state, cases[i].text, step, arena);
            if (!str_equal(got, str_from(cases[i].wanted)))
                fail_msg("'%s' by %zu gave '%.*s', wanted '%s'", cases[i].text, step, STR_FMT(got),
                         cases[i].wanted);
            arena_free(arena);
        }
    }
}

static void the_token_ends_a_thought_and_quotations_do_not(void **state)
{
    (void)state;
    static const StreamCase cases[] = {
        {THINK_THOUGHT, "Hm.\n\x02\n\nYes.", "Hm.\n||Yes."},
        {THINK_THOUGHT,
         "It ends with\n</think>\nand so\n\x02"
         "A</think>\nB",
         "It ends with\n</think>\nand so\n||A</think>\nB"},
        {THINK_THOUGHT, "never ends </think>\n", "never ends </think>\n|"},
        {THINK_THOUGHT, "\x02", "||"},
        {THINK_UNDECIDED, "\x01\nHm.\x02\n\nYes.", "Hm.||Yes."},
        {THINK_UNDECIDED, "\n\x01Hm.", "Hm.|"},
        {THINK_UNDECIDED, "<think>\nno token", "|<think>\nno token"},
        {THINK_UNDECIDED, "Yes.\n\x02", "|Yes.\n</think>"},
        {THINK_UNDECIDED, "\n\n", "|\n\n"},
        {THINK_ANSWER, "\n\x01 a \x02", "|\n<think> a </think>"},
    };
    Engine *engine = text_engine_new("qwen2", true);
    // The model may choose the marks of thoughts, and no others.
    assert_false(tokenizer_is_control(engine->tokenizer, mark("</think>")));
    assert_true(tokenizer_is_control(engine->tokenizer, mark("<|im_start|>")));
    check_streams(engine, cases, sizeof cases / sizeof *cases);
    text_engine_free(engine);
}

static void a_spelled_mark_ends_its_line(void **state)
{
    (void)state;
    static const StreamCase cases[] = {
        {THINK_THOUGHT, "Hm.\n</think>\n\nYes.", "Hm.\n||Yes."},
        {THINK_THOUGHT, "Hm.</think>  \r\nYes.", "Hm.||Yes."},
        {THINK_THOUGHT, "say \"</think>\"\n`</think>`\n'</think>\n\n</think>\nYes.",
         "say \"</think>\"\n`</think>`\n'</think>\n\n||Yes."},
        {THINK_THOUGHT, "</think> is a mark\n</thin</think>", "</think> is a mark\n</thin||"},
        {THINK_THOUGHT, "</think", "</think|"},
        {THINK_THOUGHT, "</think>", "||"},
        {THINK_THOUGHT, "a < b << </t", "a < b << </t|"},
        {THINK_UNDECIDED, "\n<think>\nHm.\n</think>\nYes.", "Hm.\n||Yes."},
        {THINK_UNDECIDED, "<thin", "|<thin"},
        {THINK_UNDECIDED, "<thinker>", "|<thinker>"},
        {THINK_UNDECIDED, "<", "|<"},
    };
    Engine *engine = text_engine_new("qwen2", false);
    check_streams(engine, cases, sizeof cases / sizeof *cases);
    text_engine_free(engine);
}

static void a_thought_ends_by_force_at_its_budget(void **state)
{
    (void)state;
    for (int marks = 0; marks < 2; marks++) {
        Engine *engine = text_engine_new("qwen2", marks);
        ThinkStream stream;
        think_init(&stream, engine, THINK_THOUGHT);
        for (int i = 0; i < 4; i++) {
            assert_false(think_is_over_budget(&stream, 5));
            assert_str(think_feed(&stream, 'x', STR("hm ")).thought, "hm ");
        }
        ThinkEvent event = think_feed(&stream, 'x', STR("no</thi"));
        assert_str(event.thought, marks ? "no</thi" : "no");
        assert_true(think_is_over_budget(&stream, 5));
        event = think_end(&stream);
        assert_true(event.ended);
        assert_str(event.thought, marks ? "" : "</thi");
        assert_false(think_is_over_budget(&stream, 5));
        event = think_feed(&stream, 'x', STR("```c\n"));
        assert_str(event.answer, "```c\n");
        assert_int_equal(stream.n_thought, 5);
        assert_int_equal(stream.n_answer, 1);
        assert_false(think_end(&stream).ended);
        think_deinit(&stream);
        text_engine_free(engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_render_as_the_models_templates),
        cmocka_unit_test(published_templates_are_recognised),
        cmocka_unit_test(unknown_forms_are_refused),
        cmocka_unit_test(r1_without_an_opening_gets_one),
        cmocka_unit_test(openings_stand_where_no_thought_comes),
        cmocka_unit_test(the_token_ends_a_thought_and_quotations_do_not),
        cmocka_unit_test(a_spelled_mark_ends_its_line),
        cmocka_unit_test(a_thought_ends_by_force_at_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

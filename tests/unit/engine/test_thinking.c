// Thoughts with a real model: coder-1.5b in its own marks, which was not trained to think. The test
// opens the thoughts, writes parts of them and ends them by force, as with R1.
#include "unit/unit.h"

#include "engine/chat.h"

enum { BUDGET = 24, MAX_ANSWER = 60 };

static Engine *engine;
static Session *session;

static int open_model(void **state)
{
    (void)state;
    char path[600];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0])
        snprintf(path, sizeof path, "%s/r1ls/models/coder-1.5b.gguf", cache);
    else
        snprintf(path, sizeof path, "%s/.cache/r1ls/models/coder-1.5b.gguf", home ? home : "");
    Error err = {0};
    engine = engine_open(&(EngineOptions){.path = path}, &err);
    if (!engine && err.code == ERROR_NOT_FOUND) {
        print_message("model coder-1.5b is not installed (./dev model coder-1.5b)\n");
        exit(77);
    }
    if (engine) session = session_new(engine, 1024, &err);
    if (!session) fprintf(stderr, "%s\n", err.text);
    return session ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    session_free(session);
    engine_close(engine);
    return 0;
}

// What the model writes after a prompt, in both parts.
typedef struct Written {
    ThinkStream stream;
    StrBuf thought, answer;
    int budget, last_id;
} Written;

static void take(Written *w, ThinkEvent event)
{
    strbuf_append(&w->thought, event.thought);
    strbuf_append(&w->answer, event.answer);
}

static bool on_token(void *user, const GeneratedToken *token)
{
    Written *w = user;
    w->last_id = token->id;
    take(w, think_feed(&w->stream, token->id, token->bytes));
    return !think_is_over_budget(&w->stream, w->budget);
}

static GenerateStop generate(Written *w, int max_tokens)
{
    Error err = {0};
    GenerateResult result;
    GenerateOptions options = {.max_tokens = max_tokens, .on_token = on_token, .user = w};
    assert_ok(session_generate(session, &options, &result, &err), err);
    return result.stop;
}

static void append(const int *ids, int n)
{
    Error err = {0};
    for (int i = 0; i < n; i++)
        assert_ok(session_append(session, ids[i], &err), err);
}

// The prompt, an open thought and `thought` in it, as if the model had written that.
static Written begin(const ChatRequest *request, const char *thought, int budget, Arena *arena)
{
    Error err = {0};
    ChatPrompt prompt;
    SyncStats stats;
    int ids[200];
    assert_ok(chat_render(engine, CHAT_ML_THINKS, request, arena, &prompt, &err), err);
    assert_int_equal(prompt.state, THINK_THOUGHT);
    assert_ok(session_sync(session, prompt.ids, prompt.n_ids, (EngineCancel){0}, &stats, &err),
              err);
    size_t n = engine_tokenize(engine, str_from(thought), false, ids, 200);
    assert_true(n <= 200);
    append(ids, (int)n);
    Written w = {.budget = budget};
    think_init(&w.stream, engine, prompt.state);
    return w;
}

static void end_by_force(Written *w, const char *opening, Arena *arena)
{
    ChatPrompt end = chat_end_thought(engine, CHAT_ML_THINKS, str_from(opening), arena);
    append(end.ids, end.n_ids);
    take(w, think_end(&w->stream));
    assert_int_equal(generate(w, MAX_ANSWER), STOP_END_TOKEN);
    take(w, think_finish(&w->stream));
}

static bool contains(const StrBuf *text, const char *part)
{
    return str_find(strbuf_str(text), str_from(part), 0) < text->len;
}

static void end(Written *w, Arena *arena)
{
    think_deinit(&w->stream);
    strbuf_deinit(&w->thought);
    strbuf_deinit(&w->answer);
    arena_free(arena);
}

static void a_thought_is_ended_at_its_budget_and_answered(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Error err = {0};
    assert_int_equal(chat_form(engine, &err), CHAT_ML);
    Str question = STR("Write the C function `int larger(int a, int b)`. Answer with code alone.");
    ChatRequest request = {
        .system = STR("You are a careful programmer."), .turns = &question, .n_turns = 1};
    Written w =
        begin(&request,
              "I have to compare the two numbers. First I think about the types: ", BUDGET, arena);
    assert_int_equal(generate(&w, MAX_ANSWER), STOP_CALLER);
    assert_int_equal(w.stream.n_thought, BUDGET);
    assert_int_equal(w.answer.len, 0);
    append(&w.last_id, 1);
    end_by_force(&w, "```c\n", arena);
    print_message("thought: %.*s\nanswer: %.*s\n", STR_FMT(strbuf_str(&w.thought)),
                  STR_FMT(strbuf_str(&w.answer)));
    assert_true(contains(&w.answer, "int larger(int a, int b)"));
    assert_true(contains(&w.answer, "return"));
    assert_false(contains(&w.answer, "think>"));
    end(&w, arena);
}

// The answer can come from nothing but the thought that the test wrote.
static void the_answer_follows_the_thought(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Str question = STR("What is my cat called?");
    ChatRequest request = {.turns = &question, .n_turns = 1};
    Written w = begin(&request, "The user's cat is called Zibbeline.", BUDGET, arena);
    end_by_force(&w, "Your cat is called", arena);
    print_message("answer: %.*s\n", STR_FMT(strbuf_str(&w.answer)));
    assert_true(contains(&w.answer, "Zibbeline"));
    assert_int_equal(w.thought.len, 0);
    end(&w, arena);
}

static void an_earlier_thought_is_forgotten(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Error err = {0};
    ChatPrompt with, without;
    Str turns[] = {STR("Hi."), STR("<think>\nZibbeline</think>\n\nHello."), STR("And now?")};
    ChatRequest request = {.turns = turns, .n_turns = 3};
    assert_ok(chat_render(engine, CHAT_ML_THINKS, &request, arena, &with, &err), err);
    turns[1] = STR("Hello.");
    assert_ok(chat_render(engine, CHAT_ML_THINKS, &request, arena, &without, &err), err);
    assert_int_equal(with.n_ids, without.n_ids);
    assert_memory_equal(with.ids, without.ids, (size_t)with.n_ids * sizeof(int));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_follows_the_thought),
        cmocka_unit_test(a_thought_is_ended_at_its_budget_and_answered),
        cmocka_unit_test(an_earlier_thought_is_forgotten),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}

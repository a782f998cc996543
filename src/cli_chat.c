// `r1ls engine chat`: a conversation on the command line, for trying a model.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "cli.h"
#include "engine/chat.h"

typedef struct Flags {
    Config config;
    bool json;
    int n_tokens;
    double temperature;
    uint64_t seed;
    const char *system, *isa;
} Flags;

typedef struct Talk {
    const Flags *flags;
    Engine *engine;
    Session *session;
    ChatForm form;
    Arena *arena;
    VEC(Str) turns;
    // Of the answer that is being written.
    ThinkStream think;
    StrBuf thought, answer;
    bool is_dim;
    int last_id, n_prompt;
    GenerateStop stop;
} Talk;

// --- output --------------------------------------------------------------------------------------

static bool on_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

// What a model writes must not steer the terminal.
static void print_part(Str part)
{
    bool clean = on_terminal();
    for (size_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)part.ptr[i];
        bool steers = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        putchar(clean && steers ? '?' : c);
    }
    fflush(stdout);
}

static void set_dim(Talk *t, bool dim)
{
    if (t->is_dim == dim || !on_terminal()) return;
    fputs(dim ? "\x1b[2m" : "\x1b[0m\n", stdout);
    t->is_dim = dim;
}

// Thoughts are shown on a terminal, and told in JSON.
static void show(Talk *t, ThinkEvent event)
{
    strbuf_append(&t->thought, event.thought);
    strbuf_append(&t->answer, event.answer);
    if (t->flags->json) return;
    if (event.thought.len && on_terminal()) {
        set_dim(t, true);
        print_part(event.thought);
    }
    if (event.ended || event.answer.len) set_dim(t, false);
    print_part(event.answer);
}

static void print_json(const Talk *t)
{
    struct json_object *object = json_object_new_object();
    json_object_object_add(object, "form", json_object_new_string(chat_form_name(t->form)));
    json_object_object_add(object, "thought", cli_json_str(strbuf_str(&t->thought)));
    json_object_object_add(object, "answer", cli_json_str(strbuf_str(&t->answer)));
    json_object_object_add(object, "prompt_tokens", json_object_new_int(t->n_prompt));
    json_object_object_add(object, "thought_tokens", json_object_new_int(t->think.n_thought));
    json_object_object_add(object, "answer_tokens", json_object_new_int(t->think.n_answer));
    json_object_object_add(object, "ended", json_object_new_boolean(t->stop == STOP_END_TOKEN));
    cli_json_print(object);
}

// --- one answer ----------------------------------------------------------------------------------

static bool on_token(void *user, const GeneratedToken *token)
{
    Talk *t = user;
    t->last_id = token->id;
    show(t, think_feed(&t->think, token->id, token->bytes));
    return !think_is_over_budget(&t->think, t->flags->config.thinking_tokens);
}

static bool generate(Talk *t, int max_tokens, Error *err)
{
    GenerateResult result = {0};
    GenerateOptions options = {.sampler = {.temperature = (float)t->flags->temperature,
                                           .top_p = 0.95f,
                                           .seed = t->flags->seed},
                               .max_tokens = max_tokens,
                               .speculate = true,
                               .on_token = on_token,
                               .user = t};
    bool ok = session_generate(t->session, &options, &result, err);
    t->stop = result.stop;
    return ok;
}

// The token at which the thought was stopped is not in the cache yet.
static bool end_thought(Talk *t, Error *err)
{
    ChatPrompt end = chat_end_thought(t->engine, t->form, STR(""), t->arena);
    bool ok = t->stop == STOP_END_TOKEN || session_append(t->session, t->last_id, err);
    for (int i = 0; ok && i < end.n_ids; i++)
        ok = session_append(t->session, end.ids[i], err);
    show(t, think_end(&t->think));
    return ok && generate(t, t->flags->n_tokens, err);
}

static bool write_answer(Talk *t, const ChatPrompt *prompt, Error *err)
{
    SyncStats stats;
    int n_ctx = session_n_ctx(t->session), thinking = t->flags->config.thinking_tokens;
    if (prompt->n_ids >= n_ctx)
        return error_set(err, ERROR_TOO_LARGE,
                         "the conversation has %d tokens, wanted less than the cache's %d",
                         prompt->n_ids, n_ctx);
    t->n_prompt = prompt->n_ids;
    int max_tokens = t->flags->n_tokens + (prompt->state == THINK_ANSWER ? 0 : thinking);
    if (!session_sync(t->session, prompt->ids, prompt->n_ids, (EngineCancel){0}, &stats, err) ||
        !generate(t, max_tokens, err))
        return false;
    // Some models stop in their thought: they too are to answer.
    bool stopped = t->stop == STOP_CALLER || t->stop == STOP_END_TOKEN;
    if (stopped && t->think.state == THINK_THOUGHT && !end_thought(t, err)) return false;
    show(t, think_finish(&t->think));
    set_dim(t, false);
    return true;
}

static bool answer(Talk *t, Str question, Error *err)
{
    VEC_PUSH(&t->turns, arena_str(t->arena, question));
    ChatPrompt prompt;
    ChatRequest request = {.system = str_from(t->flags->system),
                           .turns = t->turns.items,
                           .n_turns = (int)t->turns.n,
                           .think = t->flags->config.thinking_tokens > 0};
    if (!chat_render(t->engine, t->form, &request, t->arena, &prompt, err)) return false;
    think_init(&t->think, t->engine, prompt.state);
    strbuf_clear(&t->thought);
    strbuf_clear(&t->answer);
    bool ok = write_answer(t, &prompt, err);
    think_deinit(&t->think);
    if (ok && t->flags->json) print_json(t);
    if (ok && !t->flags->json) putchar('\n');
    VEC_PUSH(&t->turns, arena_str(t->arena, strbuf_str(&t->answer)));
    return ok;
}

// --- the conversation ----------------------------------------------------------------------------

// A line is a question at a terminal; else the whole input is one.
static bool converse(Talk *t, Error *err)
{
    Str question;
    if (!isatty(STDIN_FILENO))
        return cli_read_stdin(t->arena, &question, err) && answer(t, question, err);
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    while (ok) {
        fputs("> ", stderr);
        ssize_t n = getline(&line, &room, stdin);
        if (n < 0) break;
        question = str_trim((Str){line, (size_t)n});
        if (question.len) ok = answer(t, question, err);
    }
    free(line);
    return ok;
}

static int talk(Engine *engine, const Flags *flags, Arena *arena)
{
    Error err = {0};
    Talk t = {.flags = flags, .engine = engine, .arena = arena, .form = chat_form(engine, &err)};
    if (t.form != CHAT_NONE) t.session = session_new(engine, flags->config.context, &err);
    bool ok = t.session && converse(&t, &err);
    session_free(t.session);
    VEC_FREE(&t.turns);
    strbuf_deinit(&t.thought);
    strbuf_deinit(&t.answer);
    return ok ? CLI_DONE : cli_fail(CLI_FAILED, "%s", err.text);
}

int cli_engine_chat(int argc, char **argv)
{
    Flags flags = {.n_tokens = 1024, .temperature = 0.6};
    config_init(&flags.config);
    const CliOption options[] = {
        {"n", "N", "tokens of an answer at most (default 1024)", CLI_INT, &flags.n_tokens, NULL, 1,
         1 << 20},
        {"thinking-tokens", "N", "then a thought is ended by force; 0: none (default 2048)",
         CLI_CONFIG, &flags.config, "thinkingTokens", 0, 0},
        {"system", "TEXT", "the system text; default: what the model's template says", CLI_TEXT,
         &flags.system, NULL, 0, 0},
        {"temp", "T", "temperature (default 0.6); 0: greedy", CLI_NUM, &flags.temperature, NULL, 0,
         100},
        {"seed", "N", "of the draws (default 0)", CLI_SEED, &flags.seed, NULL, 0, 0},
        {"context", "N", "tokens of the cache; 0: the model's, at most 8192", CLI_CONFIG,
         &flags.config, "context", 0, 0},
        {"isa", "NAME", "ref, avx2, avx512 or neon; default: the best here", CLI_TEXT, &flags.isa,
         NULL, 0, 0},
        CLI_OPTION_THREADS(&flags.config),
        CLI_OPTION_JSON(&flags.json)};
    const CliCommand command = {"r1ls engine chat M [options] <text",
                                "Asks the model. At a terminal each line is a question of one "
                                "conversation; else standard\ninput is the question. Thoughts are "
                                "dimmed at a terminal and left out elsewhere.\n",
                                options,
                                sizeof options / sizeof *options,
                                1,
                                1};
    int n_args, code;
    Arena *arena = arena_new();
    Engine *engine = NULL;
    if (cli_parse(&command, argc, argv, &n_args, &code))
        engine = cli_open_model(
            argv[1], (EngineOptions){.n_threads = flags.config.threads, .isa = flags.isa}, arena,
            &code);
    if (engine) code = talk(engine, &flags, arena);
    engine_close(engine);
    arena_free(arena);
    config_deinit(&flags.config);
    return code;
}

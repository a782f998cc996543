// Conversations and streams. First byte under 128: a conversation in one of the known templates, or
// in what the input says is a template; its texts give no control token. From 128 on: what a model
// writes, in the pieces that it is cut into: both parts are the same whatever the pieces.
#include <assert.h>
#include <stdint.h>

#include "engine/chat.h"
#include "unit/chat_templates.h"
#include "unit/text_engine.h"

enum { MAX_TURNS = 5 };

static Engine *get_engine(bool marks)
{
    static Engine *engines[2]; // live as long as the process
    if (!engines[marks]) engines[marks] = text_engine_new("deepseek-v3", marks);
    assert(engines[marks]);
    return engines[marks];
}

// Up to the next NUL.
static Str next_text(Str *all)
{
    size_t end = str_find(*all, (Str){"\0", 1}, 0);
    Str text = str_slice(*all, 0, end);
    *all = str_slice(*all, end + 1, all->len);
    return text;
}

static int count_marks(const ChatPrompt *prompt)
{
    int n = 0;
    for (int i = 0; i < prompt->n_ids; i++)
        n += prompt->ids[i] >= TEXT_BYTES && prompt->ids[i] < TEXT_BYTES + TEXT_MARKS;
    return n;
}

// tool marks are user-defined tokens, which any text may have.
static bool has_user_token(Str text)
{
    return str_find(text, STR("<tool_call>"), 0) < text.len;
}

static void converse(Str all, unsigned kind, bool think)
{
    Engine *engine = get_engine(true);
    Arena *arena = arena_new();
    Error err = {0};
    bool own = kind % (N_TEMPLATES + 1) == N_TEMPLATES;
    engine->info.chat_template =
        own ? next_text(&all) : str_from(templates[kind % (N_TEMPLATES + 1)].template);
    ChatForm form = chat_form(engine, &err);
    assert((form == CHAT_NONE) == (err.code != ERROR_NONE));
    assert(own || form != CHAT_NONE);
    Str turns[MAX_TURNS], harmless[MAX_TURNS], system = next_text(&all);
    bool tools = has_user_token(all) || has_user_token(system) ||
                 (own && has_user_token(engine->info.chat_template));
    int n = 0;
    for (; n < MAX_TURNS && (n == 0 || all.len); n++) {
        turns[n] = next_text(&all);
        harmless[n] = STR("x");
    }
    ChatPrompt prompt, plain;
    ChatRequest request = {system, turns, n, think, STR("```c\n")};
    bool ok = chat_render(engine, form, &request, arena, &prompt, &err);
    assert(ok == (form != CHAT_NONE && n % 2 == 1));
    if (ok) {
        request.turns = harmless;
        if (system.len) request.system = STR("x");
        assert(chat_render(engine, form, &request, arena, &plain, &err));
        assert(tools || count_marks(&prompt) == count_marks(&plain));
    }
    arena_free(arena);
}

typedef struct Parts {
    StrBuf thought, answer;
    bool ended;
} Parts;

static void take(Parts *parts, ThinkEvent event)
{
    assert(!(event.ended && parts->ended));
    strbuf_append(&parts->thought, event.thought);
    strbuf_append(&parts->answer, event.answer);
    parts->ended |= event.ended;
}

// Bytes 1 and 2 stand for the tokens of the marks.
static Parts stream_in(const Engine *engine, ThinkState state, Str all, size_t step)
{
    Parts parts = {0};
    ThinkStream stream;
    think_init(&stream, engine, state);
    for (size_t at = 0, end; at < all.len; at = end) {
        unsigned char c = (unsigned char)all.ptr[at];
        bool mark = (c == 1 && stream.start_id >= 0) || (c == 2 && stream.end_id >= 0);
        end = at + 1;
        while (!mark && end < all.len && end < at + step && (unsigned char)all.ptr[end] > 2)
            end++;
        int id = !mark ? 'x' : c == 1 ? stream.start_id : stream.end_id;
        take(&parts, think_feed(&stream, id,
                                mark ? engine_token_bytes(engine, id) : str_slice(all, at, end)));
        assert(stream.held.len <= all.len);
    }
    take(&parts, think_finish(&stream));
    think_deinit(&stream);
    return parts;
}

static void stream_twice(Str all, unsigned kind)
{
    const Engine *engine = get_engine(kind & 1);
    ThinkState state = (ThinkState)(kind / 2 % 3);
    Parts one = stream_in(engine, state, all, 1),
          many = stream_in(engine, state, all, 2 + kind % 7);
    assert(str_equal(strbuf_str(&one.thought), strbuf_str(&many.thought)));
    assert(str_equal(strbuf_str(&one.answer), strbuf_str(&many.answer)));
    assert(one.ended == many.ended);
    assert(one.thought.len + one.answer.len <= all.len * 8);
    strbuf_deinit(&one.thought);
    strbuf_deinit(&one.answer);
    strbuf_deinit(&many.thought);
    strbuf_deinit(&many.answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 2) return 0;
    Str all = {(const char *)data + 2, n_bytes - 2};
    if (data[0] < 128)
        converse(all, data[0], data[1] & 1);
    else
        stream_twice(all, data[0] - 128u);
    return 0;
}

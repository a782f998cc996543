// The forms' marks are control tokens: a vocabulary has a form where each of its marks is one id.
#include "loop/chat.h"

#include <string.h>

#define R1_BOS                                                                                     \
    "<\xEF\xBD\x9C"                                                                                \
    "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"
#define R1_USER "<\xEF\xBD\x9CUser\xEF\xBD\x9C>"
#define R1_ASSISTANT                                                                               \
    "<\xEF\xBD\x9C"                                                                                \
    "Assistant\xEF\xBD\x9C>"

static bool has_mark(const Engine *engine, const char *mark)
{
    int id;
    return engine_tokenize(engine, str_from(mark), true, &id, 1) == 1;
}

ChatForm chat_form(const Engine *engine)
{
    if (!engine_info(engine)->chat) return CHAT_NONE;
    if (has_mark(engine, R1_USER) && has_mark(engine, R1_ASSISTANT)) return CHAT_R1;
    return has_mark(engine, "<|im_start|>") && has_mark(engine, "<|im_end|>") ? CHAT_ML : CHAT_NONE;
}

bool chat_thinks(ChatForm form)
{
    return form == CHAT_R1;
}

static void put(const Engine *engine, ChatPrompt *prompt, Str text, bool special, Arena *arena)
{
    size_t n = engine_tokenize(engine, text, special, NULL, 0);
    int *ids = arena_array(arena, (size_t)prompt->n_ids + n, sizeof *ids);
    if (prompt->n_ids) memcpy(ids, prompt->ids, (size_t)prompt->n_ids * sizeof *ids);
    engine_tokenize(engine, text, special, ids + prompt->n_ids, n);
    prompt->ids = ids;
    prompt->n_ids += (int)n;
}

ChatPrompt chat_render(const Engine *engine, ChatForm form, Str system, Str user, Str opening,
                       Arena *arena)
{
    ChatPrompt p = {0};
    if (form == CHAT_R1) { // its makers advise against a system text
        put(engine, &p, STR(R1_BOS R1_USER), true, arena);
        put(engine, &p, user, false, arena);
        put(engine, &p, STR(R1_ASSISTANT "<think>\n"), true, arena);
        return p;
    }
    put(engine, &p, STR("<|im_start|>system\n"), true, arena);
    put(engine, &p, system, false, arena);
    put(engine, &p, STR("<|im_end|>\n<|im_start|>user\n"), true, arena);
    put(engine, &p, user, false, arena);
    put(engine, &p, STR("<|im_end|>\n<|im_start|>assistant\n"), true, arena);
    put(engine, &p, opening, false, arena);
    return p;
}

ChatPrompt chat_end_thought(const Engine *engine, Str opening, Arena *arena)
{
    ChatPrompt p = {0};
    put(engine, &p, STR("\n</think>\n\n"), true, arena);
    put(engine, &p, opening, false, arena);
    return p;
}

size_t chat_thought_end(Str raw)
{
    const Str mark = STR("</think>");
    size_t at = str_find(raw, mark, 0);
    return at < raw.len ? at + mark.len : 0;
}

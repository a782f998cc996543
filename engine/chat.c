// The forms are data: what stands around each part of a conversation. Marks in these strings become
// ids, everything else is plain text, and plain text that meets is tokenized as one, as it would be
// in the rendered template.
#include "chat.h"

#include <string.h>

#include "base/vec.h"

#define SLOT "\x01" // where the part's text goes
#define BOS "\x02"  // the model's BOS, where it has one
#define DEEPSEEK_USER "<\xEF\xBD\x9CUser\xEF\xBD\x9C>"
#define DEEPSEEK_ANSWER                                                                            \
    "<\xEF\xBD\x9C"                                                                                \
    "Assistant\xEF\xBD\x9C>"
#define DEEPSEEK_EOS                                                                               \
    "<\xEF\xBD\x9C"                                                                                \
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"
#define LLAMA_HEAD(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define ML_TURN(role) "<|im_start|>" role "\n" SLOT "<|im_end|>\n"

enum { MAX_MARKS = 3 };

// What a template does with the thought in a turn of the model.
typedef enum Drop {
    DROP_NOTHING,
    DROP_TO_LAST,  // up to the last </think>
    DROP_TO_FIRST, // up to the first
} Drop;

typedef struct Form {
    const char *name;
    const char *marks[MAX_MARKS]; // without which the model does not have the form
    const char *begin;
    const char *system, *user, *answer; // with a SLOT
    const char *ask;                    // opens the answer, or the thought of a form that thinks
    const char *ask_closed;             // where the thought is turned off
    const char *end_thought;
    const char *lead; // between `ask` and an opening
    ChatThinking thinking;
    ThinkState state; // after `ask`
    Drop drop;
    bool trims;         // texts lose white space at both ends
    bool trims_dropped; // answers lose newlines at their start where the thought was dropped
} Form;

static const Form forms[N_CHAT_FORMS] = {
    [CHAT_NONE] = {.name = "none"},
    [CHAT_R1] = {.name = "r1",
                 .marks = {DEEPSEEK_USER, DEEPSEEK_ANSWER, DEEPSEEK_EOS},
                 .begin = BOS,
                 .system = SLOT,
                 .user = DEEPSEEK_USER SLOT,
                 .answer = DEEPSEEK_ANSWER SLOT DEEPSEEK_EOS,
                 .ask = DEEPSEEK_ANSWER "<think>\n",
                 .end_thought = "\n</think>\n\n",
                 .thinking = CHAT_ALWAYS_THINKS,
                 .state = THINK_THOUGHT,
                 .drop = DROP_TO_LAST},
    [CHAT_V3] = {.name = "v3",
                 .marks = {DEEPSEEK_USER, DEEPSEEK_ANSWER, DEEPSEEK_EOS},
                 .begin = BOS,
                 .system = SLOT,
                 .user = DEEPSEEK_USER SLOT,
                 .answer = DEEPSEEK_ANSWER SLOT DEEPSEEK_EOS,
                 .ask = DEEPSEEK_ANSWER},
    [CHAT_V31] = {.name = "v3.1",
                  .marks = {DEEPSEEK_USER, DEEPSEEK_ANSWER, DEEPSEEK_EOS},
                  .begin = BOS,
                  .system = SLOT,
                  .user = DEEPSEEK_USER SLOT,
                  .answer = DEEPSEEK_ANSWER "</think>" SLOT DEEPSEEK_EOS,
                  .ask = DEEPSEEK_ANSWER "<think>",
                  .ask_closed = DEEPSEEK_ANSWER "</think>",
                  .end_thought = "</think>",
                  .thinking = CHAT_MAY_THINK,
                  .state = THINK_THOUGHT,
                  .drop = DROP_TO_FIRST},
    [CHAT_V2] = {.name = "v2",
                 .marks = {DEEPSEEK_EOS},
                 .begin = BOS,
                 .system = SLOT "\n\n",
                 .user = "User: " SLOT "\n\n",
                 .answer = "Assistant: " SLOT DEEPSEEK_EOS,
                 .ask = "Assistant:",
                 .lead = " "},
    [CHAT_CODER1] = {.name = "coder-v1",
                     .marks = {"<|EOT|>"},
                     .begin = BOS,
                     .system = SLOT,
                     .user = "### Instruction:\n" SLOT "\n",
                     .answer = "### Response:\n" SLOT "\n<|EOT|>\n",
                     .ask = "### Response:\n"},
    [CHAT_ML] = {.name = "chatml",
                 .marks = {"<|im_start|>", "<|im_end|>"},
                 .begin = "",
                 .system = ML_TURN("system"),
                 .user = ML_TURN("user"),
                 .answer = ML_TURN("assistant"),
                 .ask = "<|im_start|>assistant\n"},
    [CHAT_QWEN3] = {.name = "qwen3",
                    .marks = {"<|im_start|>", "<|im_end|>"},
                    .begin = "",
                    .system = ML_TURN("system"),
                    .user = ML_TURN("user"),
                    .answer = ML_TURN("assistant"),
                    .ask = "<|im_start|>assistant\n",
                    .ask_closed = "<|im_start|>assistant\n<think>\n\n</think>\n\n",
                    .end_thought = "\n</think>\n\n",
                    .thinking = CHAT_MAY_THINK,
                    .state = THINK_UNDECIDED,
                    .drop = DROP_TO_LAST,
                    .trims_dropped = true},
    [CHAT_ML_THINKS] = {.name = "chatml-thinks",
                        .marks = {"<|im_start|>", "<|im_end|>"},
                        .begin = "",
                        .system = ML_TURN("system"),
                        .user = ML_TURN("user"),
                        .answer = ML_TURN("assistant"),
                        .ask = "<|im_start|>assistant\n<think>\n",
                        .end_thought = "\n</think>\n\n",
                        .thinking = CHAT_ALWAYS_THINKS,
                        .state = THINK_THOUGHT,
                        .drop = DROP_TO_LAST,
                        .trims_dropped = true},
    [CHAT_LLAMA3] = {.name = "llama3",
                     .marks = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
                     .begin = BOS,
                     .system = LLAMA_HEAD("system") SLOT "<|eot_id|>",
                     .user = LLAMA_HEAD("user") SLOT "<|eot_id|>",
                     .answer = LLAMA_HEAD("assistant") SLOT "<|eot_id|>",
                     .ask = LLAMA_HEAD("assistant"),
                     .trims = true},
};

// --- recognition ---------------------------------------------------------------------------------

static bool has(Str text, const char *part)
{
    return str_find(text, str_from(part), 0) < text.len;
}

// What the template writes at the end, where the model is to answer.
static Str asking_part(Str template)
{
    const Str name = STR("add_generation_prompt");
    size_t last = 0;
    for (size_t at = 0; (at = str_find(template, name, at)) < template.len; at += name.len)
        last = at;
    return str_slice(template, last, template.len);
}

// Templates of R1 before February 2025 left the opening of the thought to the model; the README
// says to force it. They and today's ones cut the thought out of earlier turns, V3's do not.
static ChatForm tell_deepseek(Str template)
{
    Str ask = asking_part(template);
    if (has(ask, DEEPSEEK_ANSWER "<think>\\n") || has(ask, DEEPSEEK_ANSWER "<think>\n"))
        return CHAT_R1;
    if (has(template, "DSML") || has(ask, "<think></think>")) return CHAT_NONE; // V3.2
    bool opens = has(ask, "<think>"), closes = has(ask, "</think>");
    if (opens && closes && has(ask, "thinking")) return CHAT_V31;
    if (opens || closes) return CHAT_NONE;
    return has(template, "</think>") ? CHAT_R1 : CHAT_V3;
}

static ChatForm tell_chatml(Str template)
{
    Str ask = asking_part(template);
    if (!has(ask, "<think>")) return CHAT_ML;
    if (has(ask, "enable_thinking")) return CHAT_QWEN3;
    bool opens = has(ask, "assistant\\n<think>\\n'") || has(ask, "assistant\n<think>\n'");
    return opens ? CHAT_ML_THINKS : CHAT_NONE;
}

static ChatForm tell_form(Str template)
{
    if (has(template, DEEPSEEK_USER) && has(template, DEEPSEEK_ANSWER))
        return tell_deepseek(template);
    if (has(template, "<|im_start|>") && has(template, "<|im_end|>")) return tell_chatml(template);
    if (has(template, "<|start_header_id|>") && has(template, "<|eot_id|>")) return CHAT_LLAMA3;
    if (has(template, "### Instruction:") && has(template, "<|EOT|>")) return CHAT_CODER1;
    bool v2 =
        has(template, "'User: '") && has(template, "'Assistant:'") && has(template, "eos_token");
    return v2 ? CHAT_V2 : CHAT_NONE;
}

// A mark's one id, or -1 where the vocabulary spells it.
static int mark_id(const Engine *engine, Str mark)
{
    int id = -1;
    if (engine_tokenize(engine, mark, true, &id, 1) != 1) return -1;
    return str_equal(engine_token_bytes(engine, id), mark) ? id : -1;
}

ChatForm chat_form(const Engine *engine, Error *err)
{
    Str template = engine_info(engine)->chat_template;
    if (template.len == 0) {
        error_set(err, ERROR_NOT_FOUND, "the model has no chat template, wanted one to ask it");
        return CHAT_NONE;
    }
    ChatForm form = tell_form(template);
    if (form == CHAT_NONE)
        error_set(err, ERROR_UNSUPPORTED,
                  "the chat template '%.*s...' is not known, wanted one of DeepSeek (R1, V2, V3, "
                  "V3.1, Coder), ChatML, Qwen3 or Llama-3",
                  STR_FMT(str_slice(template, 0, 60)));
    for (int i = 0; i < MAX_MARKS && forms[form].marks[i]; i++) {
        if (mark_id(engine, str_from(forms[form].marks[i])) >= 0) continue;
        error_set(err, ERROR_UNSUPPORTED, "the chat template is %s's but %s is no token",
                  forms[form].name, forms[form].marks[i]);
        return CHAT_NONE;
    }
    return form;
}

const char *chat_form_name(ChatForm form)
{
    return forms[form].name;
}

ChatThinking chat_thinking(ChatForm form)
{
    return forms[form].thinking;
}

// --- rendering -----------------------------------------------------------------------------------

typedef struct Render {
    const Engine *engine;
    const Form *form;
    VEC(int) ids;
    StrBuf plain; // not yet tokenized
} Render;

static void flush(Render *r)
{
    Str text = strbuf_str(&r->plain);
    if (text.len == 0) return;
    size_t n = engine_tokenize(r->engine, text, false, NULL, 0);
    VEC_RESERVE(&r->ids, n);
    r->ids.n += engine_tokenize(r->engine, text, false, r->ids.items + r->ids.n, n);
    strbuf_clear(&r->plain);
}

static void put_id(Render *r, int id)
{
    if (id < 0) return;
    flush(r);
    VEC_PUSH(&r->ids, id);
}

// The mark of the form's strings that text starts with, its id or -1.
static Str mark_at(const Render *r, Str text, int *id)
{
    static const char *const thoughts[] = {"<think>", "</think>"};
    for (int i = 0; i < MAX_MARKS + 2; i++) {
        const char *mark = i < MAX_MARKS ? r->form->marks[i] : thoughts[i - MAX_MARKS];
        if (!mark || !str_starts(text, str_from(mark))) continue;
        *id = mark_id(r->engine, str_from(mark));
        return str_from(mark);
    }
    return STR("");
}

// One of the form's strings, with `text` in its slot.
static void put(Render *r, const char *form, Str text)
{
    Str all = str_from(form);
    for (size_t at = 0; at < all.len;) {
        int id = -1;
        Str mark = mark_at(r, str_slice(all, at, all.len), &id);
        if (id >= 0)
            put_id(r, id);
        else if (mark.len) // a thought's, which the vocabulary spells
            strbuf_append(&r->plain, mark);
        else if (all.ptr[at] == SLOT[0])
            strbuf_append(&r->plain, text);
        else if (all.ptr[at] == BOS[0])
            put_id(r, engine_info(r->engine)->bos);
        else
            strbuf_append_char(&r->plain, all.ptr[at]);
        at += mark.len ? mark.len : 1;
    }
}

static ChatPrompt finish(Render *r, ThinkState state, Arena *arena)
{
    flush(r);
    ChatPrompt prompt = {arena_array(arena, r->ids.n, sizeof(int)), (int)r->ids.n, state};
    if (r->ids.n) memcpy(prompt.ids, r->ids.items, r->ids.n * sizeof(int));
    VEC_FREE(&r->ids);
    strbuf_deinit(&r->plain);
    return prompt;
}

static Str without_thought(const Form *form, Str answer)
{
    const Str mark = STR("</think>");
    size_t end = 0;
    for (size_t at = 0; (at = str_find(answer, mark, at)) < answer.len;) {
        end = at += mark.len;
        if (form->drop == DROP_TO_FIRST) break;
    }
    if (form->drop == DROP_NOTHING || end == 0) return answer;
    while (form->trims_dropped && end < answer.len && answer.ptr[end] == '\n')
        end++;
    return str_slice(answer, end, answer.len);
}

// A literal of the template, which writes a newline as it is or as \n; up to `end`.
static Str read_literal(Str template, size_t start, const char *end, Arena *arena)
{
    Str raw = str_slice(template, start, str_find(template, str_from(end), start));
    StrBuf text = {0};
    for (size_t at = 0; at < raw.len; at++) {
        bool escaped = raw.ptr[at] == '\\' && at + 1 < raw.len && raw.ptr[at + 1] == 'n';
        strbuf_append_char(&text, escaped ? '\n' : raw.ptr[at]);
        at += escaped;
    }
    Str literal = arena_str(arena, strbuf_str(&text));
    strbuf_deinit(&text);
    return literal;
}

// The system text that a template has where none is given: a literal after the ChatML head, or
// DeepSeek-Coder's sentence. Others have none.
static Str default_system(ChatForm form, Str template, Arena *arena)
{
    static const char *const heads[] = {"<|im_start|>system\\n", "<|im_start|>system\n"};
    if (form == CHAT_CODER1) {
        size_t start = str_find(template, STR("'You are"), 0);
        return read_literal(template, start + 1, "'", arena);
    }
    for (size_t i = 0; form == CHAT_ML && i < 2; i++) {
        Str head = str_from(heads[i]);
        for (size_t at = 0; (at = str_find(template, head, at)) < template.len;) {
            at += head.len;
            Str text = read_literal(template, at, "<|im_end|>", arena);
            bool literal =
                str_find(text, STR("'"), 0) == text.len && str_find(text, STR("{"), 0) == text.len;
            if (literal) return text;
        }
    }
    return STR("");
}

// Llama 3.1 and later name two dates, the second of which is the template's own.
static void put_system(Render *r, Str template, Str system)
{
    const char *dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
    bool dated = r->form == &forms[CHAT_LLAMA3] && has(template, "Cutting Knowledge Date");
    if (!dated && system.len == 0) return;
    StrBuf text = {0};
    if (dated) strbuf_append(&text, str_from(dates));
    strbuf_append(&text, r->form->trims ? str_trim(system) : system);
    put(r, r->form->system, strbuf_str(&text));
    strbuf_deinit(&text);
}

bool chat_render(const Engine *engine, ChatForm form, const ChatRequest *request, Arena *arena,
                 ChatPrompt *out, Error *err)
{
    const Form *f = &forms[form];
    if (form == CHAT_NONE || request->n_turns < 1 || request->n_turns % 2 == 0)
        return error_set(err, ERROR_INVALID,
                         "%d turns in the form '%s', wanted an odd number in a known form",
                         request->n_turns, f->name);
    Str template = engine_info(engine)->chat_template, system = request->system;
    if (system.len == 0) system = default_system(form, template, arena);
    Render r = {.engine = engine, .form = f};
    put(&r, f->begin, STR(""));
    put_system(&r, template, system);
    for (int i = 0; i < request->n_turns; i++) {
        Str text = i % 2 ? without_thought(f, request->turns[i]) : request->turns[i];
        put(&r, i % 2 ? f->answer : f->user, f->trims ? str_trim(text) : text);
    }
    bool closed = f->thinking == CHAT_MAY_THINK && !request->think;
    put(&r, closed ? f->ask_closed : f->ask, STR(""));
    ThinkState state = closed ? THINK_ANSWER : f->state;
    if (state == THINK_ANSWER && request->opening.len) {
        strbuf_append(&r.plain, str_from(f->lead));
        strbuf_append(&r.plain, request->opening);
    }
    *out = finish(&r, state, arena);
    return true;
}

ChatPrompt chat_end_thought(const Engine *engine, ChatForm form, Str opening, Arena *arena)
{
    Render r = {.engine = engine, .form = &forms[form]};
    if (forms[form].end_thought) put(&r, forms[form].end_thought, STR(""));
    strbuf_append(&r.plain, opening);
    return finish(&r, THINK_ANSWER, arena);
}

// Conversations as token ids: the forms that the models of the family were trained on.
//
// A model's form is read from the text of its chat template (Jinja, in the file), by the marks and
// openings that it writes; the template itself is not executed. What is rendered has the ids of the
// template's text (tests/golden/make_chat_golden.py), except that texts of the conversation never
// become control tokens, whatever they contain. Public, uses engine.h alone. Pure: any thread.
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "engine/think.h"

typedef enum ChatForm {
    CHAT_NONE,      // no template, or one that is not known here
    CHAT_R1,        // <｜User｜> ... <｜Assistant｜><think>: DeepSeek-R1 and its distills
    CHAT_V3,        // the same marks without a thought: DeepSeek-V3
    CHAT_V31,       // the thought is opened or closed by the prompt: DeepSeek-V3.1
    CHAT_V2,        // "User: ...\n\nAssistant:": DeepSeek-V2, Coder-V2
    CHAT_CODER1,    // "### Instruction:": DeepSeek-Coder v1
    CHAT_ML,        // <|im_start|>user ... <|im_end|>: Qwen2.5, SmolLM2
    CHAT_QWEN3,     // ChatML with a thought, which a closed empty one turns off
    CHAT_ML_THINKS, // ChatML with a thought that the prompt opens: QwQ, Qwen3-Thinking
    CHAT_LLAMA3,    // <|start_header_id|>user<|end_header_id|> ... <|eot_id|>
    N_CHAT_FORMS,
} ChatForm;

// The form of the model. CHAT_NONE with ERROR_NOT_FOUND (no template) or ERROR_UNSUPPORTED (what it
// begins with; or which of the form's marks is no token).
ChatForm chat_form(const Engine *engine, Error *err);
// "r1", "v3", ..., "none"; static.
const char *chat_form_name(ChatForm form);

typedef enum ChatThinking {
    CHAT_NEVER_THINKS,
    CHAT_MAY_THINK, // as ChatRequest.think says
    CHAT_ALWAYS_THINKS,
} ChatThinking;

ChatThinking chat_thinking(ChatForm form);

// A conversation, from the user's first question to the one that is to be answered.
typedef struct ChatRequest {
    Str system;       // empty: what the template says then
    const Str *turns; // [n_turns], the user's and the model's in turn; n_turns is odd
    int n_turns;      // of the model's turns those forms that think keep the answer alone
    bool think;       // where the form leaves it open
    Str opening;      // what the answer begins with; only where no thought comes before it
} ChatRequest;

typedef struct ChatPrompt {
    int *ids; // in the arena; begin with BOS where the form has it
    int n_ids;
    ThinkState state; // of the model's text, which follows
} ChatPrompt;

// false with ERROR_INVALID where n_turns is even or form is CHAT_NONE.
bool chat_render(const Engine *engine, ChatForm form, const ChatRequest *request, Arena *arena,
                 ChatPrompt *out, Error *err);
// The ids that end a thought by force and begin the answer with `opening`.
ChatPrompt chat_end_thought(const Engine *engine, ChatForm form, Str opening, Arena *arena);

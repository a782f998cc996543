// Conversations as token ids: which of the two forms a model was trained on, one question in it,
// and the thought before the answer.
#pragma once

#include "base/arena.h"
#include "engine/engine.h"

typedef enum ChatForm {
    CHAT_NONE, // no chat template, or one that is not known here
    CHAT_ML,   // <|im_start|>user ... <|im_end|>: Qwen, SmolLM
    CHAT_R1,   // <｜User｜> ... <｜Assistant｜><think>: DeepSeek-R1 and its distills
} ChatForm;

// By the control tokens that the vocabulary has. Any thread.
ChatForm chat_form(const Engine *engine);
// Does an answer begin with a thought, which the prompt opens?
bool chat_thinks(ChatForm form);

typedef struct ChatPrompt {
    int *ids; // in the arena
    int n_ids;
} ChatPrompt;

// One question and the beginning of the answer: `opening`, or, where the model thinks, the opened
// thought (which takes no `system`). Texts are tokenized without control tokens, whatever they
// contain.
ChatPrompt chat_render(const Engine *engine, ChatForm form, Str system, Str user, Str opening,
                       Arena *arena);
// The ids that end a thought by force and open the answer.
ChatPrompt chat_end_thought(const Engine *engine, Str opening, Arena *arena);
// Offset after the end of the thought in what a thinking model wrote; 0: it still thinks.
size_t chat_thought_end(Str raw);

// What a model writes, as it is written, in two parts: the thought and the answer.
//
// The thought ends with the token </think> where the vocabulary has one; the same characters
// spelled with other tokens are then a quotation. Without such a token the mark counts where it
// ends a line and no quotation mark stands before it. Bytes that may yet become a mark are held
// back. One stream, one thread; uses engine.h alone.
#pragma once

#include "engine/engine.h"

typedef enum ThinkState {
    THINK_ANSWER,    // nothing is a thought (any more)
    THINK_THOUGHT,   // a thought is open
    THINK_UNDECIDED, // the model may open one
} ThinkState;

// Init with think_init. Fields but `state` and the counts are private.
typedef struct ThinkStream {
    ThinkState state;
    int n_thought, n_answer; // tokens of each so far, marks counted with the thought
    int start_id, end_id;    // of <think> and </think>; -1: the vocabulary spells them
    bool at_start;           // newlines after a mark belong to it
    bool in_quotes;          // the last byte of the thought before what is held back
    StrBuf held;             // what may be a mark
    StrBuf given;            // what the last event pointed to
} ThinkStream;

// What a token added to either part, valid until the next call; both may be empty.
typedef struct ThinkEvent {
    Str thought, answer;
    bool ended; // the thought ended here
} ThinkEvent;

void think_init(ThinkStream *stream, const Engine *engine, ThinkState state);
void think_deinit(ThinkStream *stream);
// Takes the next token. bytes: those of it that count (healing cuts some off).
ThinkEvent think_feed(ThinkStream *stream, int id, Str bytes);
// The model has ended: gives what was held back.
ThinkEvent think_finish(ThinkStream *stream);
// The caller has ended the thought (chat_end_thought): gives what was held back of it.
ThinkEvent think_end(ThinkStream *stream);
// Has the thought used up `budget` tokens?
bool think_is_over_budget(const ThinkStream *stream, int budget);

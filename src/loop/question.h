// One function body as the loop asks for it and reads the answer, for training on just that
// (tuning/). Engine thread.
#pragma once

#include "loop/loop.h"

typedef struct LoopQuestion LoopQuestion;

// The request's task (TASK_BODY) as the model is asked for it: in the middle of the document where
// it can, else in chat. Borrows the request, the session's length alone counts. In the arena but
// for its document: to be freed. NULL with ERROR_INVALID (no such task at the selection),
// ERROR_UNSUPPORTED (the model can do neither) or ERROR_TOO_LARGE.
LoopQuestion *loop_question_new(Engine *engine, Session *session, const LoopRequest *request,
                                Arena *arena, Error *err);
void loop_question_free(LoopQuestion *question);
// The prompt; `forced`: bytes with which the answer has to begin.
const int *loop_question_ids(const LoopQuestion *question, int *n, Str *forced);
// What the model should have written for `body`, the text between what loop_question_read puts
// around it, less what it was forced to: in the arena. For chat the whole function is `function`.
Str loop_question_answer(const LoopQuestion *question, Str body, Str function);
// The token that ends an answer behind its text; -1: the text tells its end.
int loop_question_end(const LoopQuestion *question);
// Does the answer (without what was forced) go past the body's end?
bool loop_question_has_ended(LoopQuestion *question, Str answer);
// The answer as an edit: replace and insert of *out are set. What makes it worth nothing; NULL:
// nothing is known against it.
const char *loop_question_read(LoopQuestion *question, Str answer, Candidate *out);

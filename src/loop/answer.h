// From what a chat model answered to an edit of the document. Pure functions over text and syntax.
#pragma once

#include "loop/task.h"

// An edit of one range, or why the answer is none (then `flaw` says so and the rest is empty).
typedef struct AnswerEdit {
    ByteRange replace;
    Str insert;
    const char *flaw; // NULL: the edit is good
} AnswerEdit;

// The contents of the first fenced code block (its language tag dropped), up to where it ends or
// the answer does; without a fence the whole answer, trimmed. *closed: the block has ended.
Str answer_code(Str answer, bool *closed);

// Places the answer's code as the task wants it: the function of that name fitted to the
// document's indentation, imports that it brings along put at the top, documentation that it left
// out kept. Results live in the arena.
AnswerEdit answer_edit(const Syntax *syntax, const Task *task, Str code, Arena *arena);

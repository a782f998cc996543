// Members that exist nowhere: what a suggestion writes after `.` or `->` is looked up in the type
// that stands before, where all of that type is known. What is not certain counts as right.
#pragma once

#include "workspace.h"

typedef struct WrongMember {
    size_t begins, ends; // of the name, in the insertion
    Str *members;        // that the type has, in the question's arena
    size_t n_members;
} WrongMember;

// Could there be a member in the insertion, so that it is worth a question? Any thread.
bool member_check_is_wanted(const Language *lang, const TextSnap *text, size_t byte_off,
                            Str insert);
// On a worker: the first member in the insertion (which replaces `replace` of the question's text)
// that its type has not. False: none.
bool member_check_find(const Question *question, Str insert, ByteRange replace, WrongMember *out);

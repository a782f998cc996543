// Outline: a C file without the insides of its functions and initializers, where they define
// nothing. Most of a source's bytes stand there, so its definitions are found in a fraction of the
// time. Pure functions for workers.
#pragma once

#include "workspace/syntax.h"

// What can be left out of the text of a C file, in order, in the arena: not what mentions kept_word
// (empty: none). Where it is not clear what is inside of what (brackets that do not match, that
// differ between the branches of an #if, what is no token of C), that is nothing.
size_t outline_cuts(Str text, Str kept_word, Arena *arena, ByteRange **out);

// A syntax whose tree tells the text's definitions and the places of kept_word, and perhaps no
// more: of C it is that of the outline, if this can be trusted. Not to be reparsed. NULL as
// syntax_parse's.
Syntax *outline_parse(const Language *lang, const TextSnap *text, Str kept_word,
                      const atomic_bool *cancelled);

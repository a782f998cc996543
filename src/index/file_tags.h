// The tags of a file that is not open: its tree is needed for nothing else, so of C the outline
// alone is parsed (outline.h). A pure function for workers.
#pragma once

#include "index/tags.h"

// What tags_collect would say of the text's tree, but for the heads of symbols, which are not to be
// used. In the arena, but strings are borrowed from text.
// False: cancelled (NULL: cannot be), or over SYNTAX_MAX_BYTES.
bool file_tags_parse(const Language *lang, const TextSnap *text, const atomic_bool *cancelled,
                     Arena *arena, Tags *out);

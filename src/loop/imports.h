// The imports that an answer needs: those that it brings along, and those that it forgot. An
// edit is widened so that it writes them where the document's own stand.
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "grammars/languages.h"

// The import lines of code before byte `end` that the document has not; local headers and relative
// modules, which the model only believes to be there, are left out. Lines end with '\n'.
Str imports_new(Str document, Str code, size_t end, Arena *arena);
// The import lines of the standard library for the names that `code` uses and neither the document
// nor `known` (import lines) brings: C, C++ and Python; elsewhere none.
Str imports_missing(const Language *lang, Str document, Str known, Str code, Arena *arena);
// Widens the edit (replace and insert) so that it brings the lines along.
void imports_add(const TextSnap *text, Str lines, ByteRange *replace, Str *insert, Arena *arena);

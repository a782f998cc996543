// Paths after #include, modules after import and from: what the index has files for.
#pragma once

#include "workspace.h"

bool imports_is_context(const TextSnap *text, const Language *lang, size_t byte_off);
// The best max paths or modules that begin with what stands there; word becomes its range.
size_t imports_find(const Question *question, ByteRange *word, size_t max, Str **out);

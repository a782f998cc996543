// What may stand after `.`, `->` and `::`, as far as the index knows the type of what stands
// before.
#pragma once

#include "workspace.h"

// The receiver chain that ends before byte_off is `a->b.`: true if some operator stands there.
bool members_is_context(const TextSnap *text, const Language *lang, size_t byte_off);
// The members in document order; 0 if the type is not known. On a worker.
size_t members_find(const Question *question, size_t byte_off, IndexHit **out);
// The name of the type that stands before the operator that ends at byte_off, through the names
// that a typedef gives it; empty: not known. On a worker.
Str members_receiver_type(const Question *question, size_t byte_off);

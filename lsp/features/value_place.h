// Whether a function that is named here is meant as a value and not called. On a worker.
#pragma once

#include "workspace.h"

// For the word that begins at word_start: it stands in a C initializer, is assigned to a pointer to
// functions, or is the argument of something that takes a function.
bool value_place_is(const Question *question, size_t word_start);

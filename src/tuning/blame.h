// Where in an answer the compiler found its first error: what stands before it is innocent.
#pragma once

#include "loop/loop.h"

// The part of the written body `raw` that is to blame for the failed `candidate`, which puts it
// into `text`: from the error's column to the end of its line. {0, SIZE_MAX}, all of it, where no
// place was told or it lies elsewhere.
ByteRange blame_find(const TextSnap *text, const Candidate *candidate, Str raw);

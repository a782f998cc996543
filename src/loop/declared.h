// What the types in a function's signature are made of: their definitions in the function's own
// file and in what that includes. C and C++; elsewhere there are none. Only reads files.
#pragma once

#include "prompt/context.h"

typedef struct DeclaredRequest {
    Str root;      // absolute; empty: no other file is read
    Str path;      // of the document, relative to the root
    Str text;      // of the document
    Str signature; // slice of the text or not
    size_t max_bytes;
} DeclaredRequest;

// The definitions of the types that the signature names, without comments and without the bodies of
// functions, the first one's last, because that stands nearest in a prompt. Where they are longer
// than max_bytes, the members remain whose names the document has most often. In the arena; blocks
// on the disk for a bounded number of files.
size_t declared_find(const DeclaredRequest *request, Arena *arena, ContextPiece **out);

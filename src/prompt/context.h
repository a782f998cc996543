// Context beyond the file: what other files of the project say of the names near the cursor.
//
// The choice depends on the function around the cursor but not on the line that is being typed, so
// that it, and with it the beginning of the prompt, holds still while one types.
#pragma once

#include "engine/engine.h"
#include "index/index.h"

// X(bit, name, word of the setting contextParts)
#define CONTEXT_PARTS(X)                                                                           \
    X(0, CONTEXT_DEFINITIONS, "definitions") /* of the names in the function: types whole, others  \
                                                up to their body */                                \
    X(1, CONTEXT_HEADER, "header")           /* the beginning of the source's header, or of the    \
                                                file that stands closest */                        \
    X(2, CONTEXT_SIMILAR, "similar")         /* lines like those around the cursor, of files       \
                                                with the same names and far away in this one */    \
    X(3, CONTEXT_RECENT, "recent")           /* lines around the places that were edited or        \
                                                visited last in other files */

enum {
#define X(bit, name, word) name = 1 << (bit),
    CONTEXT_PARTS(X)
#undef X
};

// The parts that help this model: what the word "auto" stands for. Measured on held-out code
// (docs/prompt.md, "Other files").
unsigned context_default_parts(const EngineInfo *info);
// "definitions,header", "all", "auto", "none" or "". ERROR_INVALID names the unknown word. info is
// the model's; NULL while there is none, and "auto" then stands for none.
bool context_read_parts(Str words, const EngineInfo *info, unsigned *out, Error *err);

// A part of another file.
typedef struct ContextPiece {
    Str path; // relative to the root where it lies below it
    Str text; // whole lines
} ContextPiece;

typedef struct ContextRequest {
    Index *const *indexes; // the document's own first
    size_t n_indexes;
    const Syntax *syntax; // of the document; may be of a text of some keys ago
    size_t byte_off;
    Str path, root; // absolute
    unsigned parts; // bits
    size_t max_bytes;
    const ContextPiece *recent; // newest first, paths absolute; n_recent may be 0
    size_t n_recent;
} ContextRequest;

// What of the document the choice depends on: equal keys, equal choices, unless the index changed.
unsigned long long context_key(const Syntax *syntax, size_t byte_off);
// Pieces in the arena, the most useful last, because it then stands nearest. Any thread but the
// loop's: it reads files and asks the index. At most a few milliseconds.
size_t context_choose(const ContextRequest *request, Arena *arena, ContextPiece **out);

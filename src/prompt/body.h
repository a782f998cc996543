// The text around a function body that is to be written, and where a written body ends.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

// A document with the hole prepared: the model continues `host` at byte_off. The edit of the
// original document replaces `replace` by lead + body + trail.
typedef struct BodyHole {
    TextSnap *host; // owned: text_release
    size_t byte_off;
    ByteRange replace;
    Str lead, trail, indent;
    bool braces; // the body ends at its closing brace; else at a smaller indentation
} BodyHole;

// ERROR_TOO_LARGE at worst.
bool body_hole_make(const Syntax *syntax, const SyntaxFunction *function, Arena *arena,
                    BodyHole *out, Error *err);
// Why the body that stands at the hole in `after` is worth nothing although it parses ("it does
// nothing", "it repeats the signature", "it returns no value"); NULL if it may be good. The hints
// of a compiler that only looks at the syntax do not reach this far.
const char *body_flaw(const BodyHole *hole, const Syntax *after, Str body);
// The bytes of generated that belong to the body; *ended: what follows lies outside.
size_t body_measure(const BodyHole *hole, Str generated, bool *ended);

// Target: the name at a place, what declares it within its document, and its other places there.
//
// A name belongs to the innermost scope that declares it, else to the whole file; a member (after
// `.` or `->`) is told apart from a variable by its node, never by its type. Pure functions.
#pragma once

#include "workspace/syntax.h"

typedef struct Target {
    Str name;        // borrowed from the text
    ByteRange range; // of the name
    bool is_member;
    bool is_local;      // a scope declares it
    ByteRange scope;    // if is_local
    ByteRange declared; // the first local that declares it, if is_local
} Target;

typedef struct TargetPlace {
    ByteRange range;
    bool declares; // a local declaration
} TargetPlace;

// The name at byte_off, or the one that ends there. False: none.
bool target_find(const Syntax *syntax, size_t byte_off, Target *out);
// Places of the target in its document; or, of a target that is not local, in another one (where a
// local of the same name is something else). In order, in the arena.
size_t target_places(const Syntax *syntax, const Target *target, Arena *arena, TargetPlace **out);
// True if some scope of the document declares a local of this name.
bool target_is_shadowed(const Syntax *syntax, Str name);

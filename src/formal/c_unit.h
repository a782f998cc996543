// A preprocessed translation unit, asked for types, functions and variables. Private to
// src/formal.
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "workspace/node.h"
#include "workspace/syntax.h"

enum { UNIT_MAX_LAYERS = 12 };

// A type: what stands between the name and its last word, from the name on (pointer to, array of,
// function), and that word, which is no typedef's name.
typedef struct UnitType {
    TSNode spec;
    TSNode layers[UNIT_MAX_LAYERS]; // declarators
    int n;
    bool is_const, is_known;
} UnitType;

typedef struct Unit {
    Arena *arena;
    Str source; // without line markers, at the same places
    TextSnap *text;
    Syntax *syntax;
} Unit;

// A variable that stands outside of functions, or a field.
typedef struct UnitVariable {
    Str name;
    UnitType type;
} UnitVariable;
typedef VEC(UnitVariable) UnitVariables;

// False: it cannot be parsed. unit_close may be called in any case.
bool unit_open(Unit *unit, Str preprocessed, Arena *arena);
void unit_close(Unit *unit);
Str unit_text(const Unit *unit, TSNode node);
// The type of a declarator (may be null) behind the type in `holder`'s field "type".
UnitType unit_type(const Unit *unit, TSNode holder, TSNode declarator);
// The first layer taken off.
UnitType unit_pointee(UnitType type);
bool unit_is_pointer(UnitType type);
bool unit_is_array(UnitType type);
bool unit_is_function(UnitType type);
bool unit_is_void(const Unit *unit, UnitType type);
bool unit_is_char(const Unit *unit, UnitType type);
bool unit_is_union(UnitType type);
// The list of fields of a structure or union; null: it is none, or incomplete.
TSNode unit_fields(const Unit *unit, UnitType type);
// The fields of such a list; an unnamed structure within it has no name. VEC_FREE(out) is the
// caller's.
void unit_list_fields(const Unit *unit, TSNode fields, UnitVariables *out);
bool unit_is_structure(UnitType type); // a union or an incomplete one too
// Does a value of that type hold a pointer?
bool unit_has_pointer(const Unit *unit, UnitType type, int depth);
// The identifier that a declarator declares; null: none.
TSNode unit_declared(TSNode declarator);

// Is the expression an array (1), a pointer (0), or not known (-1)? By the declarations of its name
// in the unit, of which all must agree.
int unit_is_array_expression(const Unit *unit, TSNode expression);

// What a function and all that it calls in this unit use: variables that are not const, in `out`.
// *static_local: one of them has a static variable of its own that is not const; empty: none.
// `functions` (may be NULL): the names of these functions.
typedef VEC(Str) UnitNames;
void unit_reach(const Unit *unit, Str function, UnitVariables *out, Str *static_local,
                UnitNames *functions);
// Names of the functions and variables that the unit defines or declares with a body or a value.
void unit_definitions(const Unit *unit, UnitNames *out);

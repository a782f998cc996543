// Symbols: the definitions of one file, as its syntax tree shows them. Pure functions for workers.
#pragma once

#include "base/arena.h"
#include "workspace/syntax.h"

typedef enum SymbolKind {
    SYMBOL_FUNCTION,
    SYMBOL_METHOD,
    SYMBOL_CLASS,
    SYMBOL_STRUCT,
    SYMBOL_ENUM,
    SYMBOL_ENUMERATOR,
    SYMBOL_INTERFACE,
    SYMBOL_TYPE,
    SYMBOL_MACRO,
    SYMBOL_VARIABLE,
    SYMBOL_CONSTANT,
    SYMBOL_FIELD,
    SYMBOL_MODULE,
    SYMBOL_PROPERTY,
    SYMBOL_KEY,
} SymbolKind;

typedef struct Symbol {
    Str name;
    SymbolKind kind;
    ByteRange range; // the definition
    ByteRange name_range;
    bool is_declaration; // says that it is defined elsewhere: a prototype, an extern variable
    bool is_private;     // no other file can name it: static
    Str signature;       // first line(s) up to the body, blanks folded, at most 200 bytes
    Str comment;         // the comment above or docstring, without markers, at most 1,000 bytes
} Symbol;

// Definitions in document order, in the arena (strings copied).
size_t symbols_collect(const Syntax *syntax, Arena *arena, Symbol **out);
// The same without signatures and comments, and with the attributes that methods assign; what the
// file imports (C: the path of an include with its quotes, Python: a module's dotted name) goes to
// imports. Names are borrowed from the text.
size_t symbols_collect_plain(const Syntax *syntax, Arena *arena, Symbol **out, Str **imports,
                             size_t *n_imports);
// Those of symbols_collect that have this name, without a walk through the whole file.
size_t symbols_named(const Syntax *syntax, Str name, Arena *arena, Symbol **out);
// What symbols_collect would say of the one symbol whose name starts at byte_off. False: none does.
bool symbols_describe(const Syntax *syntax, size_t byte_off, Arena *arena, Symbol *out);

// Names of parameters and local variables that reach byte_off, nearest first, in the arena.
size_t symbols_visible(const Syntax *syntax, size_t byte_off, Arena *arena, Str **out);

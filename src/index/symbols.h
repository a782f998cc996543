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
    ByteRange owner;     // the name of the type that it belongs to though it stands outside, or {0}
    ByteRange head;      // what symbols_signature folds: up to the body, or the first line
    bool is_attribute;   // a method assigns it to self
    bool is_declaration; // says that it is defined elsewhere: a prototype, an extern variable
    bool is_private;     // no other file can name it: static
    Str signature;       // first line(s) up to the body, blanks folded, at most 200 bytes
    Str comment;         // the comment above or docstring, without markers, at most 1,000 bytes
} Symbol;

// Definitions in document order, in the arena (strings copied).
size_t symbols_collect(const Syntax *syntax, Arena *arena, Symbol **out);
// Definitions and what the file imports (C: the path of an include with its quotes, Python: a
// module's dotted name). Strings are borrowed from the text.
typedef struct PlainSymbols {
    Symbol *symbols; // without signatures and comments, with attributes, in document order
    size_t n_symbols;
    Str *imports;
    size_t n_imports;
} PlainSymbols;
// Of what lies in the range at least in part, in the arena.
PlainSymbols symbols_collect_plain(const Syntax *syntax, ByteRange range, Arena *arena);
// The signature of a symbol that has its head alone, in the arena.
Str symbols_signature(const Syntax *syntax, const Symbol *symbol, Arena *arena);
// Those of symbols_collect that have this name, without a walk through the whole file.
size_t symbols_named(const Syntax *syntax, Str name, Arena *arena, Symbol **out);
// What symbols_collect would say of the one symbol whose name starts at byte_off. False: none does.
bool symbols_describe(const Syntax *syntax, size_t byte_off, Arena *arena, Symbol *out);

// Names of parameters and local variables that reach byte_off, nearest first, in the arena.
size_t symbols_visible(const Syntax *syntax, size_t byte_off, Arena *arena, Str **out);

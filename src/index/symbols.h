// Symbols: the definitions of a file, and a bounded in-memory index of a workspace's definitions.
//
// symbols_collect is a pure function for workers. A SymbolIndex belongs to the loop thread.
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
    Str signature; // first line(s) up to the body, blanks folded, at most 200 bytes
    Str comment;   // the comment above or docstring, without markers, at most 1,000 bytes
} Symbol;

// Definitions in document order, in the arena (strings copied).
size_t symbols_collect(const Syntax *syntax, Arena *arena, Symbol **out);

// Names of parameters and local variables that reach byte_off, nearest first, in the arena.
size_t symbols_visible(const Syntax *syntax, size_t byte_off, Arena *arena, Str **out);

typedef struct SymbolIndex SymbolIndex;

SymbolIndex *symbol_index_new(void);
void symbol_index_free(SymbolIndex *index);
// Replaces what the index knows of a file (symbols are copied; n 0 forgets the file).
void symbol_index_put(SymbolIndex *index, Str path, const Symbol *symbols, size_t n);

typedef struct SymbolHit {
    const Symbol *symbol; // borrowed until the next put
    Str path;
    int score; // larger is better
} SymbolHit;

// The best max symbols whose name starts with prefix (case-sensitive first, then without regard
// to case, then as a subsequence), those of near_path and its folder first. Deterministic order.
size_t symbol_index_complete(const SymbolIndex *index, Str prefix, Str near_path, size_t max,
                             Arena *arena, SymbolHit **out);
// The symbol of exactly this name and path (path empty: any); NULL if unknown.
const Symbol *symbol_index_find(const SymbolIndex *index, Str name, Str path);

// What the words of a document are, for editors that colour by it: parts of the grammar by the
// highlight query of the language's own package, names by the scopes and definitions of the
// document. Pure functions for workers.
#pragma once

#include "index/digest.h"
#include "workspace/syntax_diff.h"

// X(name, name in the protocol's standard legend)
#define SEMANTIC_TYPES(X)                                                                          \
    X(SEMANTIC_NAMESPACE, "namespace")                                                             \
    X(SEMANTIC_TYPE, "type")                                                                       \
    X(SEMANTIC_CLASS, "class")                                                                     \
    X(SEMANTIC_STRUCT, "struct")                                                                   \
    X(SEMANTIC_ENUM, "enum")                                                                       \
    X(SEMANTIC_INTERFACE, "interface")                                                             \
    X(SEMANTIC_PARAMETER, "parameter")                                                             \
    X(SEMANTIC_VARIABLE, "variable")                                                               \
    X(SEMANTIC_PROPERTY, "property")                                                               \
    X(SEMANTIC_ENUM_MEMBER, "enumMember")                                                          \
    X(SEMANTIC_FUNCTION, "function")                                                               \
    X(SEMANTIC_METHOD, "method")                                                                   \
    X(SEMANTIC_MACRO, "macro")                                                                     \
    X(SEMANTIC_KEYWORD, "keyword")                                                                 \
    X(SEMANTIC_COMMENT, "comment")                                                                 \
    X(SEMANTIC_STRING, "string")                                                                   \
    X(SEMANTIC_REGEXP, "regexp")                                                                   \
    X(SEMANTIC_NUMBER, "number")                                                                   \
    X(SEMANTIC_OPERATOR, "operator")                                                               \
    X(SEMANTIC_DECORATOR, "decorator")

// X(bit, name, name in the protocol's standard legend)
#define SEMANTIC_MODIFIERS(X)                                                                      \
    X(0, SEMANTIC_DECLARATION, "declaration")                                                      \
    X(1, SEMANTIC_READONLY, "readonly")                                                            \
    X(2, SEMANTIC_DEFAULT_LIBRARY, "defaultLibrary")

typedef enum SemanticType {
#define X(name, text) name,
    SEMANTIC_TYPES(X)
#undef X
        SEMANTIC_N_TYPES
} SemanticType;

enum {
#define X(bit, name, text) name = 1 << (bit),
    SEMANTIC_MODIFIERS(X)
#undef X
};

typedef struct SemanticToken {
    ByteRange range; // never empty
    SemanticType type;
    unsigned modifiers; // SEMANTIC_DECLARATION, ...
} SemanticToken;

// For digest.c. What the digest's tokens are made of: captures and names. before: the digest of an
// earlier version, from which they differ by diff, or NULL. The digest's symbols are there already.
// NULL for a language without a query.
Semantics *semantics_new(const Digest *digest, const Digest *before, const SyntaxDiff *diff);
// NULL is allowed.
void semantics_free(Semantics *semantics);

// Tokens that begin within range, in order, none over another, in the arena. A token may have
// several lines. A digest without semantics has none.
size_t semantic_tokens(const Digest *digest, ByteRange range, Arena *arena, SemanticToken **out);

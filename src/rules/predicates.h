// The tests that a rule's pattern may make of its captures. Private to src/rules.
#pragma once

#include "workspace/syntax.h"

// One match: the nodes of its captures by capture id of the query.
typedef struct RuleMatch {
    const Syntax *syntax;
    Str text, path;
    const TSQuery *query;
    const TSQueryMatch *match;
} RuleMatch;

// An argument of a predicate: a capture (a null node if it took no part) or a string.
typedef struct RuleArgument {
    bool is_node;
    TSNode node;
    Str text; // of the node, or the string
} RuleArgument;

enum { RULE_MAX_ARGUMENTS = 24 };

// Tests the predicate of this name; an unknown name is a broken invariant (a test runs all).
bool predicate_holds(const RuleMatch *match, Str name, const RuleArgument *arguments, size_t n);

// What is asked of a tree-sitter node everywhere. A null node is allowed, and is nothing.
#pragma once

#include <stdbool.h>

#include <tree_sitter/api.h>

bool node_is(TSNode node, const char *type);
// The child in a field of the grammar; null if there is none.
TSNode node_field(TSNode node, const char *name);

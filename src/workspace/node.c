// Thin, so that callers need not repeat the test for null.
#include "workspace/node.h"

#include <stdint.h>
#include <string.h>

bool node_is(TSNode node, const char *type)
{
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), type) == 0;
}

TSNode node_field(TSNode node, const char *name)
{
    if (ts_node_is_null(node)) return node;
    return ts_node_child_by_field_name(node, name, (uint32_t)strlen(name));
}

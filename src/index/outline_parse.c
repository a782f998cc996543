// Parse the outline, see whether it can be trusted, and parse what cannot with its bodies.
#include <string.h>

#include "index/outline.h"

enum { REACH_BEFORE = 256, REACH_BEHIND = 1024 };

typedef struct Cuts {
    ByteRange *items;
    size_t n;
} Cuts;

static bool is_conditional(TSNode node)
{
    static const char *const types[] = {"preproc_if",      "preproc_ifdef", "preproc_else",
                                        "preproc_elifdef", "preproc_elif",  NULL};
    const char *type = ts_node_type(node);
    for (size_t i = 0; types[i]; i++)
        if (strcmp(type, types[i]) == 0) return true;
    return false;
}

// The first cut that begins at a place or behind it.
static size_t first_cut(const Cuts *cuts, size_t at)
{
    size_t low = 0, high = cuts->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (cuts->items[middle].start < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Of one that has an error in it: that is no matter where the one block that was cut ends the
// definition, as it has to.
static bool is_kept_within(TSNode node, const Cuts *cuts)
{
    ByteRange range = syntax_range(node);
    size_t first = first_cut(cuts, range.start), end = first_cut(cuts, range.end);
    if (strncmp(ts_node_type(node), "preproc_", 8) == 0) return true;
    if (ts_node_is_error(node) || end > first + 1) return false;
    if (first == end) return true;
    size_t brace = cuts->items[first].end;
    return range.end == brace + 1 || range.end == brace + 2; // } or };
}

// Gives up what was cut within a node and so near to it that the parser still weighs one reading
// against another there.
static void restore_around(TSNode node, const Cuts *cuts)
{
    ByteRange range = syntax_range(node);
    size_t from = range.start > REACH_BEFORE ? range.start - REACH_BEFORE : 0;
    size_t end = first_cut(cuts, range.end + REACH_BEHIND);
    for (size_t i = first_cut(cuts, from); i < end; i++)
        cuts->items[i].end = cuts->items[i].start;
}

// An error that the parser keeps within one declaration, as with an attribute that it does not
// know, is the same in the text's tree. One that spreads depends on what follows it, and so on what
// was cut.
static void restore_doubtful(TSTreeCursor *at, const Cuts *cuts)
{
    bool more = ts_tree_cursor_goto_first_child(at);
    if (!more) return;
    for (; more; more = ts_tree_cursor_goto_next_sibling(at)) {
        TSNode node = ts_tree_cursor_current_node(at);
        if (!ts_node_has_error(node)) continue;
        if (is_conditional(node))
            restore_doubtful(at, cuts);
        else if (!is_kept_within(node, cuts))
            restore_around(node, cuts);
    }
    ts_tree_cursor_goto_parent(at);
}

// Whether all cuts can be trusted; else those that cannot are gone.
static bool settle(const Syntax *syntax, Cuts *cuts)
{
    if (!ts_node_has_error(syntax_root(syntax))) return true;
    TSTreeCursor at = ts_tree_cursor_new(syntax_root(syntax));
    restore_doubtful(&at, cuts);
    ts_tree_cursor_delete(&at);
    size_t n = 0;
    for (size_t i = 0; i < cuts->n; i++)
        if (cuts->items[i].end > cuts->items[i].start) cuts->items[n++] = cuts->items[i];
    bool settled = n == cuts->n;
    cuts->n = n;
    return settled;
}

Syntax *outline_parse(const Language *lang, const TextSnap *text, Str kept_word,
                      const atomic_bool *cancelled)
{
    Cuts cuts = {0};
    Syntax *syntax = NULL;
    Arena *arena = arena_new();
    if (strcmp(lang->id, "c") == 0)
        cuts.n = outline_cuts(text_str(text), kept_word, arena, &cuts.items);
    do {
        Syntax *before = syntax;
        syntax = syntax_parse_without(lang, text, cuts.items, cuts.n, before, cancelled);
        syntax_release(before);
    } while (syntax && cuts.n && !settle(syntax, &cuts));
    arena_free(arena);
    return syntax;
}

// Parse the outline, and see whether it can be trusted.
#include <string.h>

#include "index/outline.h"

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

// Of one that has an error in it: that is no matter where nothing was cut, or where the one block
// that was cut ends the definition, as it has to.
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

// Whether the parser keeps each error within one declaration, as it does with an attribute that it
// does not know. The text's tree has the same ones then. An error that spreads depends on what
// follows it, and so on what was cut.
static bool keeps_errors_within(TSTreeCursor *at, const Cuts *cuts)
{
    bool kept = true, more = ts_tree_cursor_goto_first_child(at);
    if (!more) return true;
    for (; more && kept; more = ts_tree_cursor_goto_next_sibling(at)) {
        TSNode node = ts_tree_cursor_current_node(at);
        if (!ts_node_has_error(node)) continue;
        kept = is_conditional(node) ? keeps_errors_within(at, cuts) : is_kept_within(node, cuts);
    }
    ts_tree_cursor_goto_parent(at);
    return kept;
}

static bool is_trusted(const Syntax *syntax, const Cuts *cuts)
{
    if (!ts_node_has_error(syntax_root(syntax))) return true;
    TSTreeCursor at = ts_tree_cursor_new(syntax_root(syntax));
    bool trusted = keeps_errors_within(&at, cuts);
    ts_tree_cursor_delete(&at);
    return trusted;
}

Syntax *outline_parse(const Language *lang, const TextSnap *text, Str kept_word,
                      const atomic_bool *cancelled)
{
    Cuts cuts = {0};
    Syntax *syntax = NULL;
    Arena *arena = arena_new();
    if (strcmp(lang->id, "c") == 0)
        cuts.n = outline_cuts(text_str(text), kept_word, arena, &cuts.items);
    if (cuts.n) syntax = syntax_parse_without(lang, text, cuts.items, cuts.n, cancelled);
    if (syntax && !is_trusted(syntax, &cuts)) {
        syntax_release(syntax);
        syntax = NULL;
    }
    arena_free(arena);
    return syntax ? syntax : syntax_parse(lang, text, cancelled);
}

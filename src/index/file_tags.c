// Parse the outline, see whether it can be trusted, and say where in the text it all stands.
#include "index/file_tags.h"

#include <string.h>

#include "index/outline.h"

// --- trust

static bool is_conditional(TSNode node)
{
    static const char *const types[] = {"preproc_if",      "preproc_ifdef", "preproc_else",
                                        "preproc_elifdef", "preproc_elif",  NULL};
    const char *type = ts_node_type(node);
    for (size_t i = 0; types[i]; i++)
        if (strcmp(type, types[i]) == 0) return true;
    return false;
}

// Of one that has an error in it: that is no matter where nothing was cut, or where the one block
// that was cut ends the definition, as it has to.
static bool is_kept_within(TSNode node, const Outline *outline)
{
    size_t last;
    ByteRange range = syntax_range(node);
    size_t n_cuts = outline_find_cuts(outline, range, &last);
    if (strncmp(ts_node_type(node), "preproc_", 8) == 0) return true;
    if (ts_node_is_error(node) || n_cuts > 1) return false;
    return n_cuts == 0 || range.end == last + 1 || range.end == last + 2; // } or };
}

// Whether the parser keeps each error within one declaration, as it does with an attribute that it
// does not know. The text's tree has the same ones then. An error that spreads depends on what
// follows it, and so on what was cut.
static bool keeps_errors_within(TSTreeCursor *at, const Outline *outline)
{
    bool kept = true, more = ts_tree_cursor_goto_first_child(at);
    if (!more) return true;
    for (; more && kept; more = ts_tree_cursor_goto_next_sibling(at)) {
        TSNode node = ts_tree_cursor_current_node(at);
        if (!ts_node_has_error(node)) continue;
        kept =
            is_conditional(node) ? keeps_errors_within(at, outline) : is_kept_within(node, outline);
    }
    ts_tree_cursor_goto_parent(at);
    return kept;
}

// NULL: cancelled, or not to be trusted.
static Syntax *parse_outline(const Outline *outline, const Language *lang,
                             const atomic_bool *cancelled)
{
    Error err = {0};
    TextSnap *text = text_new(outline->text, &err);
    Syntax *syntax = text ? syntax_parse(lang, text, cancelled) : NULL;
    text_release(text);
    if (!syntax || !ts_node_has_error(syntax_root(syntax))) return syntax;
    TSTreeCursor at = ts_tree_cursor_new(syntax_root(syntax));
    bool trusted = keeps_errors_within(&at, outline);
    ts_tree_cursor_delete(&at);
    if (trusted) return syntax;
    syntax_release(syntax);
    return NULL;
}

// --- places

static Str move_part(const Outline *outline, Str part, Str from, Str to)
{
    if (part.len == 0) return part;
    size_t start = (size_t)(part.ptr - from.ptr);
    ByteRange range = outline_place(outline, (ByteRange){start, start + part.len});
    return str_slice(to, range.start, range.end);
}

// What is told of the text `from`, the outline, becomes what it is in the whole text.
static void move_definitions(Tags *tags, const Outline *outline, Str from, Str to)
{
    for (size_t i = 0; i < tags->n_symbols; i++) {
        Symbol *symbol = &tags->symbols[i];
        symbol->range = outline_place(outline, symbol->range);
        symbol->name_range = outline_place(outline, symbol->name_range);
        symbol->name = move_part(outline, symbol->name, from, to);
        tags->containers[i] = move_part(outline, tags->containers[i], from, to);
    }
    for (size_t i = 0; i < tags->n_imports; i++)
        tags->imports[i] = move_part(outline, tags->imports[i], from, to);
}

bool file_tags_parse(const Language *lang, const TextSnap *text, const atomic_bool *cancelled,
                     Arena *arena, Tags *out)
{
    Outline outline = {0};
    Syntax *syntax = NULL;
    if (strcmp(lang->id, "c") == 0) outline = outline_make(text_str(text), arena);
    if (outline.n_cuts) syntax = parse_outline(&outline, lang, cancelled);
    bool outlined = syntax != NULL;
    if (!syntax) syntax = syntax_parse(lang, text, cancelled);
    if (!syntax) return false;
    Digest *digest = digest_new(syntax, NULL, false);
    *out = tags_collect_definitions(digest, arena);
    if (outlined) move_definitions(out, &outline, text_str(syntax_text(syntax)), text_str(text));
    tags_put_names(out, lang, text_str(text), arena);
    digest_release(digest);
    syntax_release(syntax);
    return true;
}

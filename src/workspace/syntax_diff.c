// What was edited is found in the bytes, so it does not matter how many versions lie between the
// two; what the parser reads otherwise because of it (a comment that is opened) in the trees, which
// share what was not parsed anew and are compared as quickly as that is much.
#include "workspace/syntax_diff.h"

#include <stdlib.h>
#include <string.h>

enum { LONG_BYTES = 8192 }; // of a body: its parts are told apart

static TSPoint point_of(const TextSnap *text, size_t byte_off)
{
    TextPoint point = text_point(text, byte_off);
    return (TSPoint){point.row, point.col_bytes};
}

static TSInputEdit find_edit(const TextSnap *before, const TextSnap *now)
{
    Str a = text_str(before), b = text_str(now);
    size_t shorter = a.len < b.len ? a.len : b.len, start = 0, end = 0;
    while (start < shorter && a.ptr[start] == b.ptr[start])
        start++;
    while (end < shorter - start && a.ptr[a.len - 1 - end] == b.ptr[b.len - 1 - end])
        end++;
    return (TSInputEdit){
        .start_byte = (uint32_t)start,
        .old_end_byte = (uint32_t)(a.len - end),
        .new_end_byte = (uint32_t)(b.len - end),
        .start_point = point_of(before, start),
        .old_end_point = point_of(before, a.len - end),
        .new_end_point = point_of(now, b.len - end),
    };
}

// The edit and whatever is read otherwise because of it, in the newer text.
static ByteRange find_reread(const Syntax *before, const Syntax *now, const TSInputEdit *edit)
{
    uint32_t n;
    TSTree *edited = ts_tree_copy(syntax_root(before).tree);
    ts_tree_edit(edited, edit);
    TSRange *ranges = ts_tree_get_changed_ranges(edited, syntax_root(now).tree, &n);
    ByteRange hull = {edit->start_byte, edit->new_end_byte};
    for (uint32_t i = 0; i < n; i++) {
        if (ranges[i].start_byte < hull.start) hull.start = ranges[i].start_byte;
        if (ranges[i].end_byte > hull.end) hull.end = ranges[i].end_byte;
    }
    free(ranges);
    ts_tree_delete(edited);
    return hull;
}

static bool is_comment(TSNode node)
{
    return strstr(ts_node_type(node), "comment") != NULL;
}

// Whole children of the node that touch the range; neighbours: with one more on each side and the
// comments up to it, because a comment belongs to what follows. *around: the one child that the
// range lies within, else a null node.
static ByteRange widen(TSNode node, ByteRange range, bool neighbours, TSNode *around)
{
    TSTreeCursor cursor = ts_tree_cursor_new(node);
    ByteRange out = range;
    size_t neighbour = range.start;
    bool more = ts_tree_cursor_goto_first_child(&cursor);
    *around = (TSNode){0};
    for (; more; more = ts_tree_cursor_goto_next_sibling(&cursor)) {
        TSNode child = ts_tree_cursor_current_node(&cursor);
        ByteRange r = syntax_range(child);
        bool touches = r.end >= range.start && r.start <= range.end;
        if (r.end < range.start && !is_comment(child)) neighbour = r.start;
        if (r.start < range.start && r.end > range.end) *around = child;
        if (r.start > range.end && !neighbours) break;
        if (touches && r.start < out.start) out.start = r.start;
        if (r.end > out.end) out.end = r.end;
        if (r.start > range.end && !is_comment(child)) break;
    }
    ts_tree_cursor_delete(&cursor);
    if (neighbours && neighbour < out.start) out.start = neighbour;
    return out;
}

static ByteRange with_end(ByteRange range, size_t from, size_t to)
{
    return (ByteRange){range.start, range.end - from + to};
}

static ByteRange hull_of(ByteRange a, ByteRange b)
{
    return (ByteRange){a.start < b.start ? a.start : b.start, a.end > b.end ? a.end : b.end};
}

// Where the parts of a long child are told apart; a null node: nowhere. Bodies alone: what is said
// of a definition depends on its head.
static TSNode find_body(TSNode child, ByteRange range)
{
    if (ts_node_is_null(child) || ts_node_end_byte(child) - ts_node_start_byte(child) < LONG_BYTES)
        return (TSNode){0};
    if (strncmp(ts_node_type(child), "preproc_if", 10) == 0) return child;
    TSNode body = ts_node_child_by_field_name(child, "body", 4);
    bool within = !ts_node_is_null(body) && ts_node_start_byte(body) < range.start &&
                  ts_node_end_byte(body) > range.end;
    return within ? body : (TSNode){0};
}

SyntaxDiff syntax_diff(const Syntax *before, const Syntax *now)
{
    TSInputEdit edit = find_edit(syntax_text(before), syntax_text(now));
    size_t n_before = edit.old_end_byte, n_now = edit.new_end_byte;
    ByteRange range = find_reread(before, now, &edit), wide;
    TSNode old_node = syntax_root(before), new_node = syntax_root(now);
    for (;;) {
        TSNode old_around, new_around, none;
        ByteRange old_range = with_end(range, n_now, n_before);
        wide = hull_of(widen(new_node, range, false, &new_around),
                       with_end(widen(old_node, old_range, false, &old_around), n_before, n_now));
        TSNode old_body = find_body(old_around, old_range), new_body = find_body(new_around, range);
        if (ts_node_is_null(old_body) || ts_node_is_null(new_body)) {
            wide = widen(new_node, wide, true, &none);
            break;
        }
        old_node = old_body;
        new_node = new_body;
    }
    return (SyntaxDiff){with_end(wide, n_now, n_before), wide};
}

SyntaxDiff syntax_diff_whole(const Syntax *now)
{
    return (SyntaxDiff){{0, 0}, {0, text_n_bytes(syntax_text(now))}};
}

static bool lies_within(ByteRange inner, ByteRange outer)
{
    return inner.start >= outer.start && inner.end <= outer.end;
}

bool syntax_diff_drops(const SyntaxDiff *diff, ByteRange range)
{
    return lies_within(range, diff->before);
}

bool syntax_diff_adds(const SyntaxDiff *diff, ByteRange range)
{
    return lies_within(range, diff->now);
}

// What begins before the change and ends behind it keeps its beginning: it lies around it.
ByteRange syntax_diff_move(const SyntaxDiff *diff, ByteRange range)
{
    size_t gone = diff->before.end, come = diff->now.end;
    bool behind = range.start >= gone && range.start > diff->before.start;
    return (ByteRange){behind ? range.start - gone + come : range.start,
                       range.end >= gone ? range.end - gone + come : range.end};
}

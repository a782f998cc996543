// What the shape of the tree alone tells: the outline, folds and growing selections. All three wait
// for the parse of the current text and need no index. The first two are found and written on a
// worker: of a long file they take milliseconds.
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "features/features.h"
#include "parsing.h"
#include "workspace.h"

enum { MAX_FOLDS = 5000, MAX_SELECTIONS = 1000, MAX_SELECTION_DEPTH = 100 };

bool structure_start(Call *call, bool enabled, void (*answer)(Request *request), Error *err)
{
    Document *doc;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!doc || !enabled) return true;
    Request *request = call->request;
    request->doc = doc;
    request->version = doc->version;
    call->later = true;
    parsing_wait(request, answer);
    return true;
}

// --- outline

int structure_symbol_kind(SymbolKind kind)
{
    static const int kinds[] = {
        [SYMBOL_FUNCTION] = 12,  [SYMBOL_METHOD] = 6,    [SYMBOL_CLASS] = 5,
        [SYMBOL_STRUCT] = 23,    [SYMBOL_ENUM] = 10,     [SYMBOL_ENUMERATOR] = 22,
        [SYMBOL_INTERFACE] = 11, [SYMBOL_TYPE] = 5,      [SYMBOL_MACRO] = 14,
        [SYMBOL_VARIABLE] = 13,  [SYMBOL_CONSTANT] = 14, [SYMBOL_FIELD] = 8,
        [SYMBOL_MODULE] = 2,     [SYMBOL_PROPERTY] = 7,  [SYMBOL_KEY] = 20,
    };
    return kinds[kind];
}

// Outer definitions before inner ones: a typedef's name stands after what it contains.
static int by_extent(const void *a, const void *b)
{
    const Symbol *x = a, *y = b;
    if (x->range.start != y->range.start) return x->range.start < y->range.start ? -1 : 1;
    if (x->range.end != y->range.end) return x->range.end > y->range.end ? -1 : 1;
    return (x->name_range.start > y->name_range.start) -
           (x->name_range.start < y->name_range.start);
}

static bool is_within(ByteRange inner, ByteRange outer)
{
    return inner.start >= outer.start && inner.end <= outer.end &&
           inner.end - inner.start < outer.end - outer.start;
}

enum { PARAM_URI, PARAM_NESTED };

static Json *new_outline_item(const Question *q, const Symbol *symbol)
{
    const TextSnap *text = syntax_text(q->syntax);
    ByteRange whole = symbol->range, name = symbol->name_range;
    if (name.start < whole.start) whole.start = name.start;
    if (name.end > whole.end) whole.end = name.end;
    Json *item = json_object_new_object();
    types_put_str(item, "name", symbol->name);
    types_put_int(item, "kind", structure_symbol_kind(symbol->kind));
    Json *range = types_new_range(position_from_range(text, whole, q->encoding));
    if (q->params[PARAM_NESTED].len == 0) {
        Json *location = types_put_object(item, "location");
        types_put_str(location, "uri", q->params[PARAM_URI]);
        types_put(location, "range", range);
        return item;
    }
    types_put_str(item, "detail", symbols_signature(q->syntax, symbol, q->arena));
    types_put(item, "range", range);
    types_put(item, "selectionRange",
              types_new_range(position_from_range(text, name, q->encoding)));
    return item;
}

static Json *new_outline(const Question *q, const Symbol *symbols, size_t n)
{
    enum { MAX_DEPTH = 64 };
    const Symbol *open[MAX_DEPTH];
    Json *items[MAX_DEPTH], *top = json_object_new_array();
    bool nested = q->params[PARAM_NESTED].len > 0;
    size_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        Json *item = new_outline_item(q, &symbols[i]), *list = top;
        while (depth > 0 && !is_within(symbols[i].range, open[depth - 1]->range))
            depth--;
        if (depth > 0 && nested) {
            list = types_get(items[depth - 1], "children");
            if (!list) list = types_put_array(items[depth - 1], "children");
        } else if (depth > 0) {
            types_put_str(item, "containerName", open[depth - 1]->name);
        }
        json_object_array_add(list, item);
        if (depth == MAX_DEPTH) continue;
        open[depth] = &symbols[i];
        items[depth++] = item;
    }
    return top;
}

static void find_outline(Question *q)
{
    const Digest *digest = question_digest(q, false);
    size_t n = 0, n_all = digest ? digest->plain.n_symbols : 0;
    Symbol *symbols = arena_array(q->arena, n_all, sizeof *symbols);
    for (size_t i = 0; i < n_all; i++)
        if (!digest->plain.symbols[i].is_attribute) symbols[n++] = digest->plain.symbols[i];
    if (n) qsort(symbols, n, sizeof *symbols, by_extent);
    question_set_json(q, new_outline(q, symbols, n));
}

static void answer_outline(Request *request)
{
    Str params[QUESTION_PARAMS] = {
        [PARAM_URI] = str_from(request->doc->uri),
        [PARAM_NESTED] = request->conn->caps.nested_symbols ? STR("nested") : STR("")};
    workspace_ask(request, 0, params, find_outline, question_answer_json);
}

bool structure_document_symbol(Call *call, Error *err)
{
    return structure_start(call, sync_config(call)->document_symbol, answer_outline, err);
}

// --- folds

typedef struct Fold {
    uint32_t first, last; // rows
    bool comment;
} Fold;

typedef VEC(Fold) Folds;

static bool is_one_of(const char *type, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(type, *names) == 0) return true;
    return false;
}

static bool is_comment(TSNode node)
{
    return strstr(ts_node_type(node), "comment") != NULL;
}

// A node that ends at the start of a row ends with the row before.
static uint32_t last_row(TSNode node)
{
    TSPoint end = ts_node_end_point(node);
    return end.column == 0 && end.row > 0 ? end.row - 1 : end.row;
}

// Comments on adjacent rows fold as one, told of the first of them.
static Fold comment_fold(TSNode node)
{
    Fold fold = {ts_node_start_point(node).row, last_row(node), true};
    TSNode before = ts_node_prev_sibling(node);
    if (!ts_node_is_null(before) && is_comment(before) && last_row(before) + 1 == fold.first)
        return (Fold){0};
    for (TSNode next = ts_node_next_sibling(node); !ts_node_is_null(next) && is_comment(next) &&
                                                   ts_node_start_point(next).row == fold.last + 1;
         next = ts_node_next_sibling(next))
        fold.last = last_row(next);
    return fold;
}

// An empty fold (first == last) where the node is none. The closing bracket's row stays visible.
static Fold fold_of(TSNode node)
{
    static const char *const opening[] = {"{", "[", "(", "start_tag", NULL};
    static const char *const closing[] = {"}", "]", ")", "end_tag", NULL};
    static const char *const indented[] = {"block", "body_statement", NULL};
    static const char *const whole[] = {"section", "block_mapping_pair", NULL};
    uint32_t first = ts_node_start_point(node).row, last = last_row(node);
    uint32_t n = ts_node_child_count(node);
    if (is_comment(node)) return comment_fold(node);
    if (n >= 2 && is_one_of(ts_node_type(ts_node_child(node, 0)), opening) &&
        is_one_of(ts_node_type(ts_node_child(node, n - 1)), closing))
        return last > first + 1 ? (Fold){first, last - 1, false} : (Fold){0};
    if (is_one_of(ts_node_type(node), whole)) return (Fold){first, last, false};
    if (!is_one_of(ts_node_type(node), indented)) return (Fold){0};
    TSNode parent = ts_node_parent(node);
    if (!ts_node_is_null(parent)) first = ts_node_start_point(parent).row;
    return (Fold){first, last, false};
}

static void collect_folds(TSNode root, Folds *folds)
{
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    bool more = true;
    while (more) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        bool many_rows = ts_node_end_point(node).row > ts_node_start_point(node).row;
        Fold fold = fold_of(node); // of one row too: an indented block folds from its parent's
        if (fold.last > fold.first) VEC_PUSH(folds, fold);
        if (many_rows && ts_tree_cursor_goto_first_child(&cursor)) continue;
        while (more && !ts_tree_cursor_goto_next_sibling(&cursor))
            more = ts_tree_cursor_goto_parent(&cursor);
    }
    ts_tree_cursor_delete(&cursor);
}

static int by_rows(const void *a, const void *b)
{
    const Fold *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return (x->last < y->last) - (x->last > y->last);
}

static void find_folds(Question *q)
{
    Folds folds = {0};
    Json *list = json_object_new_array();
    size_t limit = (size_t)strtoull(q->params[0].ptr, NULL, 10);
    if (q->syntax) collect_folds(syntax_root(q->syntax), &folds);
    if (folds.n) qsort(folds.items, folds.n, sizeof *folds.items, by_rows);
    for (size_t i = 0; i < folds.n && json_object_array_length(list) < limit; i++) {
        const Fold *fold = &folds.items[i];
        if (i > 0 && fold[-1].first == fold->first) continue; // editors take one for a row
        Json *item = json_object_new_object();
        types_put_int(item, "startLine", fold->first);
        types_put_int(item, "endLine", fold->last);
        if (fold->comment) types_put_text(item, "kind", "comment");
        json_object_array_add(list, item);
    }
    VEC_FREE(&folds);
    question_set_json(q, list);
}

static void answer_folds(Request *request)
{
    int64_t limit = request->conn->caps.fold_limit;
    if (limit <= 0 || limit > MAX_FOLDS) limit = MAX_FOLDS;
    Str params[QUESTION_PARAMS] = {arena_printf(request->arena, "%d", (int)limit)};
    workspace_ask(request, 0, params, find_folds, question_answer_json);
}

bool structure_folding_range(Call *call, Error *err)
{
    return structure_start(call, sync_config(call)->folding_range, answer_folds, err);
}

// --- growing selections

typedef struct Places {
    size_t n;
    size_t offsets[];
} Places;

// From the whole text down to the token at byte_off; the innermost MAX_SELECTION_DEPTH of them,
// because the answer nests and so does what encodes it.
static Json *new_selection(const Request *request, size_t byte_off)
{
    const TextSnap *text = request->doc->text;
    VEC(ByteRange) ranges = {0};
    VEC_PUSH(&ranges, (ByteRange){0, text_n_bytes(text)});
    TSTreeCursor cursor = ts_tree_cursor_new(syntax_root(request->doc->syntax));
    do {
        ByteRange range = syntax_range(ts_tree_cursor_current_node(&cursor));
        ByteRange outer = ranges.items[ranges.n - 1];
        if (range.start > byte_off || range.end < byte_off) break;
        if (range.start != outer.start || range.end != outer.end) VEC_PUSH(&ranges, range);
    } while (ts_tree_cursor_goto_first_child_for_byte(&cursor, (uint32_t)byte_off) >= 0);
    ts_tree_cursor_delete(&cursor);
    Json *chain = NULL;
    size_t first = ranges.n > MAX_SELECTION_DEPTH ? ranges.n - MAX_SELECTION_DEPTH : 0;
    for (size_t i = first; i < ranges.n; i++) {
        LspRange range = position_from_range(text, ranges.items[i], request->conn->encoding);
        Json *item = json_object_new_object();
        types_put(item, "range", types_new_range(range));
        if (chain) types_put(item, "parent", chain);
        chain = item;
    }
    VEC_FREE(&ranges);
    return chain;
}

static void answer_selections(Request *request)
{
    const Places *places = request->data;
    Json *list = NULL;
    if (request->doc->syntax) {
        list = json_object_new_array();
        for (size_t i = 0; i < places->n; i++)
            json_object_array_add(list, new_selection(request, places->offsets[i]));
    }
    request_reply(request, list);
}

bool structure_selection_range(Call *call, Error *err)
{
    Document *doc;
    Json *positions = types_get(call->params, "positions");
    if (!sync_find_document(call, &doc, err)) return false;
    if (!json_object_is_type(positions, json_type_array))
        return error_set(err, ERROR_INVALID, "params without positions");
    size_t n = json_object_array_length(positions);
    if (n > MAX_SELECTIONS)
        return error_set(err, ERROR_INVALID, "%zu positions, the limit is %d", n, MAX_SELECTIONS);
    if (!doc) return true;
    Places *places =
        arena_alloc(call->request->arena, sizeof *places + n * sizeof *places->offsets);
    places->n = n;
    for (size_t i = 0; i < n; i++) {
        LspPosition position;
        if (!types_read_position(json_object_array_get_idx(positions, i), &position))
            return error_set(err, ERROR_INVALID, "positions[%zu] is no position", i);
        places->offsets[i] = position_to_offset(doc->text, position, call->conn->encoding);
    }
    call->request->data = places;
    return structure_start(call, sync_config(call)->selection_range, answer_selections, err);
}

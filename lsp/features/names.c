// What the name under the cursor is: its other places in the document, and a word about it.
#include <string.h>

#include "features/features.h"
#include "features/meaning.h"
#include "features/names.h"
#include "parsing.h"

typedef struct Point {
    LspPosition position; // of the text that is parsed then: it may have moved on
    bool has_params;
    Str params[QUESTION_PARAMS];
    void (*run)(Question *question);
    void (*done)(Request *request, Question *question);
} Point;

static void ask_point(Request *request)
{
    const Point *point = request->data;
    size_t byte_off =
        position_to_offset(request->doc->text, point->position, request->conn->encoding);
    workspace_ask(request, byte_off, point->has_params ? point->params : NULL, point->run,
                  point->done);
}

bool names_ask(Call *call, bool enabled, const Str params[QUESTION_PARAMS],
               void (*run)(Question *question), void (*done)(Request *request, Question *question),
               Error *err)
{
    Document *doc;
    LspPosition position;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_position(types_get(call->params, "position"), &position))
        return error_set(err, ERROR_INVALID, "params without a position");
    if (!doc || !enabled) return true;
    Point *point = arena_alloc(call->request->arena, sizeof *point);
    *point = (Point){.position = position, .has_params = params != NULL, .run = run, .done = done};
    for (int i = 0; params && i < QUESTION_PARAMS; i++)
        point->params[i] = arena_str(call->request->arena, params[i]);
    call->request->data = point;
    return structure_start(call, true, ask_point, err);
}

// --- highlights

typedef struct Highlight {
    LspRange range;
    bool declares;
} Highlight;

typedef struct Highlights {
    Highlight *items;
    size_t n;
} Highlights;

static void find_highlights(Question *q)
{
    Target target;
    TargetPlace *places;
    if (!q->syntax || !target_find(q->syntax, q->byte_off, &target)) return;
    Highlights *found = q->data = arena_alloc(q->arena, sizeof *found);
    found->n = target_places(q->syntax, &target, q->arena, &places);
    found->items = arena_array(q->arena, found->n, sizeof *found->items);
    for (size_t i = 0; i < found->n; i++)
        found->items[i] =
            (Highlight){position_from_range(syntax_text(q->syntax), places[i].range, q->encoding),
                        places[i].declares};
}

static void answer_highlights(Request *request, Question *q)
{
    enum { READ = 2, WRITE = 3 };
    const Highlights *found = q->data;
    Json *list = found ? json_object_new_array() : NULL;
    for (size_t i = 0; found && i < found->n; i++) {
        Json *item = json_object_new_object();
        types_put(item, "range", types_new_range(found->items[i].range));
        types_put_int(item, "kind", found->items[i].declares ? WRITE : READ);
        json_object_array_add(list, item);
    }
    request_reply(request, list);
}

bool names_document_highlight(Call *call, Error *err)
{
    return names_ask(call, sync_config(call)->document_highlight, NULL, find_highlights,
                     answer_highlights, err);
}

// --- hover

typedef struct Hover {
    LspRange range;
    Str code, comment, where;
} Hover;

bool names_is_member_kind(SymbolKind kind)
{
    return kind == SYMBOL_FIELD || kind == SYMBOL_METHOD || kind == SYMBOL_PROPERTY;
}

// A definition with a comment wins over its prototype without one.
static bool is_better(const Symbol *symbol, const Symbol *best)
{
    return !best || (best->comment.len == 0 && symbol->comment.len);
}

static const Symbol *find_here(Question *q, const Target *target)
{
    const PlainSymbols *plain = &question_digest(q, false)->plain;
    const Symbol *best = NULL;
    for (size_t i = 0; i < plain->n_symbols; i++) {
        const Symbol *symbol = &plain->symbols[i];
        if (symbol->is_attribute || !str_equal(symbol->name, target->name)) continue;
        bool itself = symbol->name_range.start == target->range.start;
        bool fits = names_is_member_kind(symbol->kind) == target->is_member;
        Symbol *found = arena_alloc(q->arena, sizeof *found);
        if (!itself && !fits) continue;
        if (!symbols_describe(q->syntax, symbol->name_range.start, q->arena, found)) continue;
        if (itself) return found;
        if (is_better(found, best)) best = found;
    }
    return best;
}

size_t names_find_visible(const Question *q, const Target *target, IndexHit **out)
{
    IndexHit *hits;
    size_t n = question_find(q, target->name, &hits), kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool hidden = hits[i].is_private && !str_equal(hits[i].path, q->path);
        bool here =
            str_equal(hits[i].path, q->path) && hits[i].name_range.start == target->range.start;
        if (here || (!hidden && names_is_member_kind(hits[i].kind) == target->is_member))
            hits[kept++] = hits[i];
    }
    *out = hits;
    return kept;
}

size_t names_find_meant(const Question *q, const Target *target, IndexHit **out)
{
    Dotted dotted;
    IndexHit *hits;
    size_t kept = 0;
    if (dotted_before(text_str(syntax_text(q->syntax)), target->range.start, &dotted)) {
        Meaning m = meaning_of_dotted(q, &dotted);
        size_t n = meaning_members(q, &m, &hits);
        for (size_t i = 0; i < n; i++)
            if (str_equal(hits[i].name, target->name)) hits[kept++] = hits[i];
    } else {
        Str path = meaning_of_import(q, target->name).hit.path;
        size_t n = path.len ? names_find_visible(q, target, &hits) : 0;
        for (size_t i = 0; i < n; i++)
            if (str_equal(hits[i].path, path)) hits[kept++] = hits[i];
    }
    *out = hits;
    return kept ? kept : names_find_visible(q, target, out);
}

// Of another file: by its name alone, so never a member whose owners are several.
static void describe_elsewhere(const Question *q, const Target *target, Hover *hover)
{
    enum { MAX_LOOKED_AT = 4 };
    IndexHit *hits;
    Symbol symbol, best = {0};
    size_t n = names_find_meant(q, target, &hits);
    if (target->is_member && n > 1) return;
    for (size_t i = 0; i < n && i < MAX_LOOKED_AT; i++) {
        if (!question_describe(q, &hits[i], &symbol)) continue;
        if (!is_better(&symbol, hover->code.len ? &best : NULL)) continue;
        best = symbol;
        *hover = (Hover){hover->range, symbol.signature, symbol.comment, hits[i].path};
    }
}

static void find_hover(Question *q)
{
    Target target;
    if (!q->syntax || !target_find(q->syntax, q->byte_off, &target)) return;
    const TextSnap *text = syntax_text(q->syntax);
    Hover *hover = arena_alloc(q->arena, sizeof *hover);
    hover->range = position_from_range(text, target.range, q->encoding);
    if (target.is_local) {
        uint32_t row = text_point(text, target.declared.start).row;
        hover->code = arena_str(q->arena, str_trim(text_line(text, row)));
    } else {
        const Symbol *symbol = find_here(q, &target);
        if (symbol) *hover = (Hover){hover->range, symbol->signature, symbol->comment, {0}};
        // A prototype without a word is described by its definition.
        if (!symbol || (symbol->is_declaration && symbol->comment.len == 0))
            describe_elsewhere(q, &target, hover);
    }
    if (hover->code.len) q->data = hover;
}

static void answer_hover(Request *request, Question *q)
{
    const Hover *found = q->data;
    if (!found) {
        request_reply(request, NULL);
        return;
    }
    StrBuf text = {0};
    bool markdown = request->conn->caps.hover_markdown;
    Json *hover = json_object_new_object();
    if (markdown) strbuf_printf(&text, "```%s\n", request->doc->lang->id);
    strbuf_append(&text, found->code);
    if (markdown) strbuf_append(&text, STR("\n```"));
    if (found->comment.len) strbuf_printf(&text, "\n\n%.*s", STR_FMT(found->comment));
    Json *contents = types_put_object(hover, "contents");
    types_put_text(contents, "kind", markdown ? "markdown" : "plaintext");
    types_put_str(contents, "value", strbuf_str(&text));
    types_put(hover, "range", types_new_range(found->range));
    strbuf_deinit(&text);
    request_reply(request, hover);
}

bool names_hover(Call *call, Error *err)
{
    return names_ask(call, sync_config(call)->hover, NULL, find_hover, answer_hover, err);
}

// Completion of symbol names: parameters and local variables in reach, then the definitions of the
// open documents and of the indexed workspace. It waits for no parse, and a moment at most for the
// model's order (features/ranking.h).
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "features/features.h"
#include "features/imports.h"
#include "features/meaning.h"
#include "features/members.h"
#include "features/ranking.h"
#include "features/value_place.h"
#include "snippets.h"
#include "workspace.h"

enum { MAX_ITEMS = 100, MAX_ALL = 600 };
enum { PARAM_TRIGGER, PARAM_OPTIONS };

static ByteRange find_word(const TextSnap *text, size_t byte_off)
{
    Str all = text_str(text);
    size_t start = byte_off;
    while (start > 0 && str_is_word_byte(all.ptr[start - 1]))
        start--;
    return (ByteRange){start, byte_off};
}

// CompletionItemKind of the protocol.
static int kind_number(SymbolKind kind)
{
    switch (kind) {
    case SYMBOL_FUNCTION:
        return 3;
    case SYMBOL_METHOD:
        return 2;
    case SYMBOL_CLASS:
        return 7;
    case SYMBOL_STRUCT:
    case SYMBOL_TYPE:
        return 22;
    case SYMBOL_ENUM:
        return 13;
    case SYMBOL_ENUMERATOR:
        return 20;
    case SYMBOL_INTERFACE:
        return 8;
    case SYMBOL_MACRO:
    case SYMBOL_CONSTANT:
        return 21;
    case SYMBOL_VARIABLE:
        return 6;
    case SYMBOL_FIELD:
        return 5;
    case SYMBOL_MODULE:
        return 9;
    case SYMBOL_PROPERTY:
    case SYMBOL_KEY:
        return 10;
    }
    return 1;
}

// Where the chain of names begins that ends with the word: `a.b.|`.
static size_t start_of_names(const TextSnap *text, size_t at)
{
    Str all = text_str(text);
    while (at > 0 && (str_is_word_byte(all.ptr[at - 1]) || all.ptr[at - 1] == '.'))
        at--;
    return at;
}

typedef struct Item {
    Str name, detail, path; // path: empty for what resolve has nothing to say of
    int kind;               // CompletionItemKind of the protocol
    Str snippet;            // what is inserted instead of the name; empty: that
} Item;

typedef struct Items {
    LspRange range;
    ByteRange word; // up to the cursor
    Item *items;    // the best first
    size_t n;
    bool incomplete;
    bool calls; // functions bring their parameters
} Items;

// sortText begins late in ASCII, so that a language server's own items stay above ours.
static Json *new_item(const Connection *conn, const Item *item, LspRange range, size_t rank)
{
    enum { FORMAT_SNIPPET = 2, MODE_ADJUST_INDENT = 2 };
    char sort_text[40];
    snprintf(sort_text, sizeof sort_text, "~r1ls%04zu", rank);
    Json *value = json_object_new_object();
    types_put_str(value, "label", item->name);
    types_put_int(value, "kind", item->kind);
    types_put_str(value, "detail", item->detail);
    types_put_text(value, "sortText", sort_text);
    if (item->snippet.len) types_put_int(value, "insertTextFormat", FORMAT_SNIPPET);
    if (item->snippet.len && conn->caps.adjusts_indent)
        types_put_int(value, "insertTextMode", MODE_ADJUST_INDENT);
    Json *edit = types_put_object(value, "textEdit");
    types_put(edit, "range", types_new_range(range));
    types_put_str(edit, "newText", item->snippet.len ? item->snippet : item->name);
    return value;
}

static void add_item(const Question *q, Items *found, Item item)
{
    if (!found->items) found->items = arena_array(q->arena, MAX_ALL, sizeof item);
    if (found->n < MAX_ALL)
        found->items[found->n++] = item;
    else
        found->incomplete = true;
}

static bool has_item(const Items *found, Str name)
{
    for (size_t i = 0; i < found->n; i++)
        if (str_equal(found->items[i].name, name)) return true;
    return false;
}

// The name under the cursor is a definition only because it is being typed there.
static bool is_itself(const IndexHit *hit, Str path, ByteRange word)
{
    return hit->name_range.start == word.start && hit->name.len == word.end - word.start &&
           str_equal(hit->path, path);
}

// A function with its parameters, as they stand in its file; empty: no call is wanted or known.
static Str call_of(const Question *q, const Items *found, const IndexHit *hit)
{
    enum { MAX_PEEK = 400 };
    Str text = text_str(q->text);
    bool callable =
        hit->kind == SYMBOL_FUNCTION || hit->kind == SYMBOL_METHOD || hit->kind == SYMBOL_MACRO;
    bool is_call = q->byte_off < text.len && text.ptr[q->byte_off] == '(';
    if (!callable || is_call || !found->calls) return STR("");
    Str bytes = question_peek(q, hit->path, hit->name_range.start, hit->name.len + MAX_PEEK);
    if (!str_starts(bytes, hit->name)) return STR(""); // the file is another one by now
    return snippets_call(hit->name, str_slice(bytes, hit->name.len, bytes.len), q->arena);
}

// A name in reach, as what it is where an import brought it.
static Item local_item(const Question *q, const Items *found, Str name)
{
    Meaning m = meaning_of_import(q, name);
    Item item = {.name = name, .detail = STR("in reach"), .kind = kind_number(SYMBOL_VARIABLE)};
    if (m.kind == MEANS_MODULE) item.kind = kind_number(SYMBOL_MODULE);
    if (m.hit.path.len) {
        item.detail = str_base_name(m.hit.path);
        item.path = m.hit.path;
        item.kind = kind_number(m.hit.kind);
        item.snippet = call_of(q, found, &m.hit);
    }
    return item;
}

// Names of the function around the cursor. The tree may be a keystroke behind the text: then the
// names are those of a moment ago, which is as good.
static void add_locals(const Question *q, ByteRange word, Str prefix, Items *found)
{
    Str *names;
    if (!q->syntax) return;
    size_t n = symbols_visible(q->syntax, word.start, q->arena, &names);
    for (size_t i = 0; i < n; i++) {
        bool fits = str_starts(names[i], prefix) && !str_equal(names[i], prefix);
        if (fits && !has_item(found, names[i])) add_item(q, found, local_item(q, found, names[i]));
    }
}

static void add_hits(const Question *q, ByteRange word, Str prefix, Items *found)
{
    for (size_t k = 0; k < q->n_indexes; k++) {
        IndexHit *hits;
        size_t n =
            index_search(q->indexes[k], prefix, INDEX_PREFIX, q->path, MAX_ITEMS, q->arena, &hits);
        found->incomplete |= n == MAX_ITEMS;
        for (size_t i = 0; i < n; i++) {
            bool hidden = hits[i].is_private && !str_equal(hits[i].path, q->path);
            if (hidden || is_itself(&hits[i], q->path, word) || has_item(found, hits[i].name))
                continue;
            Str place = hits[i].container.len ? hits[i].container : str_base_name(hits[i].path);
            add_item(q, found,
                     (Item){hits[i].name, place, hits[i].path, kind_number(hits[i].kind),
                            call_of(q, found, &hits[i])});
        }
    }
}

// What a type or module has; names that begin with '_' are seldom meant and come last.
static void add_members(const Question *q, const IndexHit *hits, size_t n, Str prefix, Items *found)
{
    for (int hidden = 0; hidden < 2; hidden++)
        for (size_t i = 0; i < n; i++) {
            if ((hits[i].name.ptr[0] == '_') != hidden) continue;
            if (!str_starts(hits[i].name, prefix) || has_item(found, hits[i].name)) continue;
            Str place = hits[i].container.len ? hits[i].container : str_base_name(hits[i].path);
            add_item(q, found,
                     (Item){.name = hits[i].name,
                            .detail = place,
                            .path = hits[i].path,
                            .kind = kind_number(hits[i].kind),
                            .snippet = call_of(q, found, &hits[i])});
        }
}

// What a module has, in `from module import` and the like.
static void add_imported(const Question *q, ByteRange word, Str prefix, Items *found)
{
    IndexHit *hits;
    size_t n = imports_names(q, word.start, &hits);
    found->calls = false;
    add_members(q, hits, n, prefix, found);
    Str *modules;
    n = imports_below(q, word, MAX_ITEMS, &modules);
    for (size_t i = 0; i < n; i++)
        if (!has_item(found, modules[i]))
            add_item(q, found, (Item){.name = modules[i], .kind = kind_number(SYMBOL_MODULE)});
}

// The words of the grammar that are written as they are named.
static void add_keywords(const Question *q, Str prefix, Items *found)
{
    enum { KEYWORD = 14 };
    if (!q->lang || prefix.len == 0) return;
    const TSLanguage *grammar = q->lang->grammar();
    uint32_t n = ts_language_symbol_count(grammar);
    for (uint32_t i = 1; i < n; i++) {
        if (ts_language_symbol_type(grammar, (TSSymbol)i) != TSSymbolTypeAnonymous) continue;
        Str word = str_from(ts_language_symbol_name(grammar, (TSSymbol)i));
        bool is_word = word.len > 2 && word.ptr[0] >= 'a' && word.ptr[0] <= 'z';
        if (!is_word || !str_starts(word, prefix) || str_equal(word, prefix)) continue;
        if (!has_item(found, word))
            add_item(q, found, (Item){.name = word, .detail = STR("keyword"), .kind = KEYWORD});
    }
}

// Names that the document mentions and nobody defines for us, such as a library's.
static void add_words(const Question *q, ByteRange word, Str prefix, Items *found)
{
    enum { TEXT_ITEM = 1, MAX_BYTES = 1 << 18, MAX_WORDS = 200 };
    if (prefix.len == 0 || !q->lang) return;
    Str text = text_str(q->text);
    size_t first = word.start > MAX_BYTES ? word.start - MAX_BYTES : 0, n = 0;
    size_t last = word.end + MAX_BYTES < text.len ? word.end + MAX_BYTES : text.len;
    for (size_t at = str_find(text, prefix, first); at < last && n < MAX_WORDS;
         at = str_find(text, prefix, at)) {
        size_t end = at;
        bool begins = at == 0 || !str_is_word_byte(text.ptr[at - 1]);
        while (end < text.len && str_is_word_byte(text.ptr[end]))
            end++;
        Str name = str_slice(text, at, end);
        if (begins && at != word.start && end - at > prefix.len + 1 && !has_item(found, name)) {
            add_item(q, found,
                     (Item){.name = name, .detail = STR("in this file"), .kind = TEXT_ITEM});
            n++;
        }
        at = end;
    }
}

static void add_snippets(const Question *q, ByteRange word, Str prefix, Items *found)
{
    enum { SNIPPET_ITEM = 15 };
    Snippet *all;
    if (!str_contains(q->params[PARAM_OPTIONS], "statements")) return;
    unsigned place = snippets_place(q->syntax, q->text, q->path, word.start);
    size_t n = snippets_find(q->lang, place, prefix, q->text, q->arena, &all);
    for (size_t i = 0; i < n; i++)
        add_item(q, found,
                 (Item){.name = all[i].prefix,
                        .detail = all[i].description,
                        .kind = SNIPPET_ITEM,
                        .snippet = all[i].text});
}

static void add_imports(const Question *q, ByteRange *word, Items *found)
{
    enum { FILE_ITEM = 17 };
    Str *paths;
    size_t n = imports_find(q, word, MAX_ITEMS, &paths);
    for (size_t i = 0; i < n; i++)
        if (!has_item(found, paths[i]))
            add_item(q, found, (Item){.name = paths[i], .kind = FILE_ITEM});
}

static void find_items(Question *q)
{
    Items *found = q->data = arena_alloc(q->arena, sizeof *found);
    ByteRange word = find_word(q->text, q->byte_off);
    Str prefix = str_slice(text_str(q->text), word.start, word.end);
    bool by_character = str_equal(q->params[PARAM_TRIGGER], STR("character"));
    found->calls = str_contains(q->params[PARAM_OPTIONS], "calls") &&
                   !value_place_is(q, start_of_names(q->text, word.start));
    size_t start;
    IndexHit *hits;
    ImportKind import = imports_context(q->text, q->lang, q->byte_off, &start);
    if (import == IMPORT_NAME) {
        add_imported(q, word, prefix, found);
    } else if (import != IMPORT_NONE) {
        add_imports(q, &word, found);
    } else if (members_is_context(q->text, q->lang, word.start)) {
        size_t n = members_find(q, word.start, &hits);
        add_members(q, hits, n, prefix, found);
    } else if (!by_character || prefix.len) { // a '>' that compares asks for nothing
        add_locals(q, word, prefix, found);
        add_hits(q, word, prefix, found);
        add_keywords(q, prefix, found);
        add_snippets(q, word, prefix, found);
        add_words(q, word, prefix, found);
    }
    found->word = word;
    found->range = position_from_range(q->text, word, q->encoding);
}

static void remember(Request *request, const Items *found, RankingOutcome outcome)
{
    static const char *const orders[] = {
        [RANKING_OFF] = "without the model",
        [RANKING_KNOWN] = "the model's",
        [RANKING_LATE] = "without the model: it was not in time",
    };
    request->doc->last_completion =
        (LastCompletion){orders[outcome], found->n, clock_ms() - request->started_ms};
    snprintf(request->note, sizeof request->note, "%zu items, order %s", found->n, orders[outcome]);
}

static void reply_items(Request *request, const size_t *order, RankingOutcome outcome)
{
    const Items *found = request->data;
    Json *list = json_object_new_object();
    // A scan that still runs may find more, and a model that was late be there the next time.
    bool incomplete =
        found->incomplete || outcome == RANKING_LATE || workspace_is_scanning(request->conn);
    types_put_bool(list, "isIncomplete", incomplete);
    Json *items = types_put_array(list, "items");
    for (size_t i = 0; i < found->n; i++) {
        const Item *item = &found->items[order ? order[i] : i];
        Json *value = new_item(request->conn, item, found->range, i);
        if (item->path.len) {
            Json *data = types_put_object(value, "data");
            types_put_str(data, "name", item->name);
            types_put_str(data, "path", item->path);
        }
        json_object_array_add(items, value);
    }
    remember(request, found, outcome);
    request_reply(request, list);
}

// The worker's arena does not last.
static Items *copy_items(const Items *found, Arena *arena)
{
    Items *copy = arena_alloc(arena, sizeof *copy);
    *copy = *found;
    copy->items = arena_array(arena, found->n + 1, sizeof *copy->items);
    for (size_t i = 0; i < found->n; i++) {
        const Item *item = &found->items[i];
        copy->items[i] =
            (Item){arena_str(arena, item->name), arena_str(arena, item->detail),
                   arena_str(arena, item->path), item->kind, arena_str(arena, item->snippet)};
    }
    return copy;
}

static void answer_items(Request *request, Question *q)
{
    Items *found = request->data = copy_items(q->data, request->arena);
    Str *names = arena_array(request->arena, found->n + 1, sizeof *names);
    for (size_t i = 0; i < found->n; i++)
        names[i] = found->items[i].name;
    ranking_start(request, found->word, names, found->n, reply_items);
}

bool completion_request(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Document *doc;
    LspPosition position;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_position(types_get(call->params, "position"), &position))
        return error_set(err, ERROR_INVALID, "params without a position");
    if (!doc || !sync_config(call)->completion) return true;
    Request *request = call->request;
    request->version = doc->version;
    request->revision = doc->revision;
    request->doc = doc;
    call->later = true;
    bool by_character = types_int(call->params, "context.triggerKind", 1) == 2;
    const Config *config = sync_config(call);
    bool statements = conn->caps.snippets && config->snippets;
    bool calls = conn->caps.snippets && config->call_snippets;
    const Str params[QUESTION_PARAMS] = {
        by_character ? STR("character") : STR("hand"),
        arena_printf(call->arena, "%s%s", statements ? "statements " : "", calls ? "calls" : "")};
    workspace_ask(request, position_to_offset(doc->text, position, conn->encoding), params,
                  find_items, answer_items);
    return true;
}

// --- resolve

enum { PARAM_NAME, PARAM_PATH, PARAM_ITEM };

static void describe_item(Question *q)
{
    IndexHit *hits;
    Symbol symbol, *best = NULL;
    size_t n = question_find(q, q->params[PARAM_NAME], &hits);
    for (size_t i = 0; i < n; i++) {
        if (!str_equal(hits[i].path, q->params[PARAM_PATH])) continue;
        if (!question_describe(q, &hits[i], &symbol)) continue;
        if (best && (best->comment.len || symbol.comment.len == 0)) continue;
        best = q->data = arena_alloc(q->arena, sizeof *best);
        *best = symbol;
    }
}

static void answer_resolve(Request *request, Question *q)
{
    const Symbol *symbol = q->data;
    Json *item = json_tokener_parse(q->params[PARAM_ITEM].ptr);
    if (symbol) types_put_str(item, "detail", symbol->signature);
    if (symbol && symbol->comment.len) {
        Json *documentation = types_put_object(item, "documentation");
        types_put_text(documentation, "kind", "plaintext");
        types_put_str(documentation, "value", symbol->comment);
    }
    request_reply(request, item);
}

bool completion_resolve(Call *call, Error *err)
{
    if (!json_object_is_type(call->params, json_type_object))
        return error_set(err, ERROR_INVALID, "resolve without an item");
    Request *request = call->request;
    const char *text = json_object_to_json_string_ext(call->params, JSON_C_TO_STRING_PLAIN);
    const Str params[QUESTION_PARAMS] = {types_str(call->params, "data.name"),
                                         types_str(call->params, "data.path"), str_from(text)};
    if (params[PARAM_NAME].len == 0) {
        call->result = json_object_get(call->params);
        return true;
    }
    call->later = true;
    workspace_ask(request, 0, params, describe_item, answer_resolve);
    return true;
}

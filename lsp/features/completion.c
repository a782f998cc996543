// Completion of symbol names: parameters and local variables in reach, then the definitions of the
// open documents and of the scanned workspace. No model; answered at once.
#include <stdio.h>

#include "features/features.h"

enum { MAX_ITEMS = 100 };

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static ByteRange find_word(const TextSnap *text, size_t byte_off)
{
    Str all = text_str(text);
    size_t start = byte_off;
    while (start > 0 && is_word_byte(all.ptr[start - 1]))
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

// sortText begins late in ASCII, so that a language server's own items stay above ours.
static Json *new_plain_item(Str name, SymbolKind kind, Str detail, LspRange range, size_t rank)
{
    char sort_text[40];
    snprintf(sort_text, sizeof sort_text, "~r1ls%04zu", rank);
    Json *item = json_object_new_object();
    types_put_str(item, "label", name);
    types_put_int(item, "kind", kind_number(kind));
    types_put_str(item, "detail", detail);
    types_put_text(item, "sortText", sort_text);
    Json *edit = types_put_object(item, "textEdit");
    types_put(edit, "range", types_new_range(range));
    types_put_str(edit, "newText", name);
    return item;
}

static Json *new_item(const SymbolHit *hit, LspRange range, size_t rank)
{
    const Symbol *symbol = hit->symbol;
    Json *item = new_plain_item(symbol->name, symbol->kind, symbol->signature, range, rank);
    Json *data = types_put_object(item, "data");
    types_put_str(data, "name", symbol->name);
    types_put_str(data, "path", hit->path);
    return item;
}

// The name under the cursor is a definition only because it is being typed there.
static bool is_itself(const SymbolHit *hit, Str path, ByteRange word)
{
    return hit->symbol->name_range.start == word.start &&
           hit->symbol->name.len == word.end - word.start && str_equal(hit->path, path);
}

static bool is_hit(const SymbolHit *hits, size_t n, Str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal(hits[i].symbol->name, name)) return true;
    return false;
}

// Names of the function around the cursor. The tree may be a keystroke behind the text: then the
// names are those of a moment ago, which is as good.
static size_t add_locals(Json *items, const Document *doc, ByteRange word, LspRange range,
                         const SymbolHit *hits, size_t n_hits, Arena *arena)
{
    if (!doc->syntax) return 0;
    Str prefix = str_slice(text_str(doc->text), word.start, word.end), *names;
    size_t n = symbols_visible(doc->syntax, word.start, arena, &names), rank = 0;
    for (size_t i = 0; i < n; i++) {
        bool fits = str_starts(names[i], prefix) && !str_equal(names[i], prefix);
        if (fits && !is_hit(hits, n_hits, names[i]))
            json_object_array_add(
                items, new_plain_item(names[i], SYMBOL_VARIABLE, STR("in reach"), range, rank++));
    }
    return rank;
}

static Json *new_list(const Connection *conn, const Document *doc, size_t byte_off, Arena *arena)
{
    ByteRange word = find_word(doc->text, byte_off);
    Str prefix = str_slice(text_str(doc->text), word.start, word.end);
    Str path = str_from(doc->path[0] ? doc->path : doc->uri);
    LspRange range = position_from_range(doc->text, word, conn->encoding);
    SymbolHit *hits;
    size_t n = symbol_index_complete(conn->symbols, prefix, path, MAX_ITEMS, arena, &hits);
    Json *list = json_object_new_object();
    // A scan that still runs may find more.
    types_put_bool(list, "isIncomplete", n == MAX_ITEMS || conn->scan != NULL);
    Json *items = types_put_array(list, "items");
    size_t n_locals = add_locals(items, doc, word, range, hits, n, arena);
    for (size_t i = 0; i < n; i++) {
        if (!is_itself(&hits[i], path, word))
            json_object_array_add(items, new_item(&hits[i], range, n_locals + i));
    }
    return list;
}

bool completion_request(Call *call, Error *err)
{
    Connection *conn = call->conn;
    Document *doc;
    LspPosition position;
    if (!sync_find_document(call, &doc, err)) return false;
    if (!types_read_position(types_get(call->params, "position"), &position))
        return error_set(err, ERROR_INVALID, "params without a position");
    if (!doc || !conn->config.completion) return true;
    call->request->version = doc->version;
    size_t byte_off = position_to_offset(doc->text, position, conn->encoding);
    call->result = new_list(conn, doc, byte_off, call->arena);
    return true;
}

bool completion_resolve(Call *call, Error *err)
{
    if (!json_object_is_type(call->params, json_type_object))
        return error_set(err, ERROR_INVALID, "resolve without an item");
    const Symbol *symbol =
        symbol_index_find(call->conn->symbols, types_str(call->params, "data.name"),
                          types_str(call->params, "data.path"));
    call->result = json_object_get(call->params);
    if (!symbol || symbol->comment.len == 0) return true;
    Json *documentation = types_put_object(call->result, "documentation");
    types_put_text(documentation, "kind", "plaintext");
    types_put_str(documentation, "value", symbol->comment);
    return true;
}

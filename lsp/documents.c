// The list of open documents. A client has tens of them, so a list is searched faster than a hash
// would be built.
#include "documents.h"

#include <assert.h>
#include <string.h>

#include "ahead.h"
#include "features/ranking.h"
#include "features/semantic_tokens.h"
#include "index/digest.h"
#include "uri.h"

// Past this a fresh parse is cheaper than replaying the edits.
enum { MAX_CHANGES = 4096 };

static char *copy(Str s)
{
    char *out = mem_alloc(s.len + 1);
    if (s.len) memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return out;
}

Document *documents_find(const Documents *documents, Str uri)
{
    for (Document *doc = documents->first; doc; doc = doc->next) {
        if (str_equal(str_from(doc->uri), uri)) return doc;
    }
    return NULL;
}

Document *documents_find_path(const Documents *documents, Str path)
{
    for (Document *doc = documents->first; doc && path.len; doc = doc->next) {
        if (str_equal(str_from(doc->path), path)) return doc;
    }
    return NULL;
}

static Str get_name(Str uri, Str path, Str root, Arena *arena)
{
    bool within = root.len > 0 && str_starts(path, root) && path.len > root.len &&
                  (path.ptr[root.len] == '/' || str_ends(root, STR("/")));
    if (!within) return uri_base_name(uri, arena);
    Str rest = str_slice(path, root.len, path.len);
    return str_starts(rest, STR("/")) ? str_slice(rest, 1, rest.len) : rest;
}

static void identify(Document *doc, Str uri, Str language_id, const char *root)
{
    Arena *arena = arena_new();
    Str path = uri_to_path(uri, arena);
    doc->uri = copy(uri);
    doc->path = copy(path);
    doc->name = copy(get_name(uri, path, str_from(root), arena));
    char *id = copy(language_id);
    doc->lang = language_by_id(id);
    if (!doc->lang) doc->lang = language_by_path(doc->name);
    free(id);
    arena_free(arena);
}

static void forget_syntax(Document *doc)
{
    if (doc->syntax) syntax_release(doc->syntax);
    doc->syntax = NULL;
    doc->changes.n = 0;
    doc->parse_is_stale = doc->parsing != NULL;
}

static void clear(Document *doc)
{
    forget_syntax(doc);
    text_release(doc->text);
    arena_free(doc->issues_arena);
    arena_free(doc->context.arena);
    arena_free(doc->compiler_arena);
    arena_free(doc->surprises_arena);
    VEC_FREE(&doc->changes);
    edits_clear(&doc->edits);
    digest_release(doc->digest);
    semantic_result_free(doc->semantic);
    ahead_free(doc->ahead);
    ranking_stop(doc);
    suggestions_free(doc->suggestions);
    free(doc->uri);
    free(doc->path);
    free(doc->name);
}

Document *documents_open(Documents *documents, Str uri, Str language_id, int64_t version, Str text,
                         const char *root, bool *replaced, Error *err)
{
    TextSnap *snap = text_new(text, err);
    if (!snap) return NULL;
    Document *doc = documents_find(documents, uri);
    *replaced = doc != NULL;
    uint64_t revision = 1;
    if (!doc) {
        doc = mem_zero(sizeof *doc);
        doc->next = documents->first;
        documents->first = doc;
    } else {
        assert(!doc->parsing);
        revision = doc->revision + 1;
        Document *next = doc->next;
        clear(doc);
        *doc = (Document){.next = next};
    }
    identify(doc, uri, language_id, root);
    doc->version = version;
    doc->revision = revision;
    doc->text = snap;
    doc->changed_at = SIZE_MAX;
    return doc;
}

void documents_close(Documents *documents, Document *document)
{
    Document **link = &documents->first;
    while (*link != document)
        link = &(*link)->next;
    *link = document->next;
    clear(document);
    free(document);
}

static void adopt_text(Document *doc, TextSnap *text)
{
    text_release(doc->text);
    doc->text = text;
    doc->revision++;
}

// Clients that send whole texts do not say where they differ: the first difference counts.
static bool replace_all(Document *doc, Str text, Error *err)
{
    TextSnap *snap = text_new(text, err);
    if (!snap) return false;
    Str old = text_str(doc->text);
    size_t same = 0;
    while (same < old.len && same < text.len && old.ptr[same] == text.ptr[same])
        same++;
    doc->changed_at = same;
    size_t end = 0;
    while (end < old.len - same && end < text.len - same &&
           old.ptr[old.len - 1 - end] == text.ptr[text.len - 1 - end])
        end++;
    if (doc->keeps_edits) edits_note(&doc->edits, doc->text, same, old.len - end, text.len - end);
    adopt_text(doc, snap);
    forget_syntax(doc);
    return true;
}

bool documents_apply(Document *document, Json *change, PositionEncoding encoding, Error *err)
{
    if (!json_object_is_type(types_get(change, "text"), json_type_string))
        return error_set(err, ERROR_INVALID, "a content change without text");
    Str text = types_str(change, "text");
    Json *range_value = types_get(change, "range");
    if (!range_value) return replace_all(document, text, err);
    LspRange range;
    if (!types_read_range(range_value, &range))
        return error_set(err, ERROR_INVALID, "a content change with a range that is none");
    TextChange edit;
    TextSnap *snap = text_edit(document->text, position_to_range(document->text, range, encoding),
                               text, &edit, err);
    if (!snap) return false;
    if (document->keeps_edits)
        edits_note(&document->edits, document->text, edit.start, edit.old_end, edit.new_end);
    adopt_text(document, snap);
    document->changed_at = edit.new_end;
    // A parse that is running will deliver the tree that these changes start from.
    if (document->syntax || document->parsing) VEC_PUSH(&document->changes, edit);
    if (document->changes.n > MAX_CHANGES) forget_syntax(document);
    return true;
}

bool documents_is_parsed(const Document *document)
{
    return document->parsed_revision == document->revision;
}

bool documents_is_checked(const Document *document)
{
    return document->checked_revision == document->revision;
}

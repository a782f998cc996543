// Rename within what the index can prove: a name that a scope of the document declares, one that is
// private to its file, or one that all files together define exactly once and no scope hides.
// Everything else is refused with the reason.
#include <string.h>

#include "base/vec.h"
#include "features/file_edits.h"
#include "features/names.h"
#include "workspace/queries.h"

enum { MAX_FILES = 2000 };

typedef struct Renaming {
    LspRange range; // of the name at the cursor
    Str name;
    Error why_not; // code ERROR_NONE: it can be done
    FileEdits *files;
    size_t n_files, n_places;
} Renaming;

// --- proof

static bool is_one_symbol(const Question *q, const Target *target, const IndexHit *hits, size_t n,
                          Renaming *r)
{
    size_t n_definitions = 0, n_private = 0;
    const char *first = "", *second = "";
    for (size_t i = 0; i < n; i++) {
        if (hits[i].is_declaration) continue;
        n_private += hits[i].is_private;
        if (n_definitions++ == 0)
            first = hits[i].path.ptr;
        else
            second = hits[i].path.ptr;
    }
    if (n == 0)
        return error_set(&r->why_not, ERROR_UNSUPPORTED,
                         "'%.60s' is defined nowhere in the indexed folders", r->name.ptr);
    if (n_definitions == 0)
        return error_set(&r->why_not, ERROR_UNSUPPORTED,
                         "'%.60s' is declared but defined nowhere in the indexed folders",
                         r->name.ptr);
    if (n_definitions > 1)
        return error_set(&r->why_not, ERROR_UNSUPPORTED,
                         "'%.60s' is defined %zu times (%.60s, %.60s): which one is meant cannot "
                         "be proved",
                         r->name.ptr, n_definitions, first, second);
    if (n_private == n_definitions && n_private > 0 && n > n_definitions)
        return error_set(&r->why_not, ERROR_UNSUPPORTED,
                         "'%.60s' is private to %.80s but declared elsewhere too", r->name.ptr,
                         first);
    if (target->is_member && q->lang && strcmp(q->lang->id, "c") != 0)
        return error_set(&r->why_not, ERROR_UNSUPPORTED,
                         "'%.60s' is a member: whose it is in other places cannot be proved",
                         r->name.ptr);
    return true;
}

// Nothing that has the new name may be in reach.
static bool is_free(const Question *q, const Target *target, Str new_name, Renaming *r)
{
    IndexHit *hits;
    Str *visible;
    Target other = {.name = new_name, .is_member = target->is_member};
    TargetPlace *places;
    if (target->is_local) {
        size_t n = symbols_visible(q->syntax, target->scope.end, q->arena, &visible);
        bool taken = target_is_shadowed(q->syntax, new_name);
        for (size_t i = 0; i < n; i++)
            taken |= str_equal(visible[i], new_name);
        taken = taken || target_places(q->syntax, &other, q->arena, &places) > 0;
        return !taken || error_set(&r->why_not, ERROR_UNSUPPORTED,
                                   "'%.60s' is used in this file already", new_name.ptr);
    }
    if (question_find(q, new_name, &hits) > 0)
        return error_set(&r->why_not, ERROR_UNSUPPORTED, "'%.60s' is defined already, in %.120s",
                         new_name.ptr, hits[0].path.ptr);
    return true;
}

// --- collecting

// Where the name stands in text that the grammar does not take apart: a macro's body, an error.
static bool is_opaque(const Syntax *syntax, size_t byte_off)
{
    uint32_t at = (uint32_t)byte_off;
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), at, at);
    const char *type = ts_node_type(node);
    return strcmp(type, "preproc_arg") == 0 || strcmp(type, "ERROR") == 0;
}

static bool is_all_parsed(const Syntax *syntax, Str path, const Target *target, Renaming *r)
{
    Str text = text_str(syntax_text(syntax)), name = target->name;
    size_t end = target->is_local ? target->scope.end : text.len;
    size_t at = str_find_word(text, name, target->is_local ? target->scope.start : 0);
    for (; at < end; at = str_find_word(text, name, at + 1)) {
        if (!is_opaque(syntax, at)) continue;
        uint32_t row = text_point(syntax_text(syntax), at).row;
        return error_set(&r->why_not, ERROR_UNSUPPORTED,
                         "'%.60s' stands in a macro or in code with errors at %.100s:%u",
                         r->name.ptr, path.ptr, row + 1);
    }
    return true;
}

static void add_file(Question *q, Renaming *r, const Syntax *syntax, Str path, const Target *target)
{
    TargetPlace *places;
    if (!is_all_parsed(syntax, path, target, r)) return;
    size_t n = target_places(syntax, target, q->arena, &places);
    if (n == 0) return;
    if (!target->is_local && !target->is_member && target_is_shadowed(syntax, q->params[0])) {
        error_set(&r->why_not, ERROR_UNSUPPORTED, "'%.60s' is a local name in %.120s",
                  q->params[0].ptr, path.ptr);
        return;
    }
    FileEdits *file = &r->files[r->n_files++];
    *file = (FileEdits){path, arena_array(q->arena, n, sizeof *file->items), n};
    for (size_t i = 0; i < n; i++)
        file->items[i] = (FileEdit){
            position_from_range(syntax_text(syntax), places[i].range, q->encoding), q->params[0]};
    r->n_places += n;
}

static void add_other_files(Question *q, Renaming *r, const Target *target)
{
    for (size_t i = 0; i < q->n_indexes; i++) {
        Str *paths;
        size_t n = index_mentions(q->indexes[i], target->name, q->path, q->arena, &paths);
        for (size_t k = 0; k < n && r->why_not.code == ERROR_NONE && !atomic_load(&q->cancelled);
             k++) {
            if (str_equal(paths[k], q->path)) continue;
            if (r->n_files >= MAX_FILES) {
                error_set(&r->why_not, ERROR_TOO_LARGE, "'%.60s' is in more than %d files",
                          r->name.ptr, MAX_FILES);
                return;
            }
            Syntax *syntax = question_read(q, paths[k], STR(""));
            if (!syntax) continue;
            add_file(q, r, syntax, paths[k], target);
            syntax_release(syntax);
        }
    }
}

static void find_renaming(Question *q)
{
    Target target;
    IndexHit *hits = NULL;
    Str new_name = q->params[0];
    Renaming *r = q->data = arena_alloc(q->arena, sizeof *r);
    if (!q->syntax || !target_find(q->syntax, q->byte_off, &target)) {
        error_set(&r->why_not, ERROR_UNSUPPORTED, "no name stands here");
        return;
    }
    r->name = arena_str(q->arena, target.name);
    r->range = position_from_range(syntax_text(q->syntax), target.range, q->encoding);
    if (!queries_get(syntax_language(q->syntax), QUERY_REFERENCES)) {
        error_set(&r->why_not, ERROR_UNSUPPORTED, "the places of a name in %s are not known",
                  syntax_language(q->syntax)->title);
        return;
    }
    size_t n = target.is_local ? 0 : names_find_visible(q, &target, &hits);
    if (!target.is_local && !is_one_symbol(q, &target, hits, n, r)) return;
    if (new_name.len == 0) return; // prepareRename
    if (!str_is_name(new_name)) {
        error_set(&r->why_not, ERROR_INVALID, "the new name is '%.60s', wanted one word",
                  new_name.ptr);
        return;
    }
    if (!is_free(q, &target, new_name, r)) return;
    r->files = arena_array(q->arena, MAX_FILES + 1, sizeof *r->files);
    add_file(q, r, q->syntax, q->path, &target);
    if (!names_is_of_this_file(q, &target, hits, n)) add_other_files(q, r, &target);
}

// --- answers

static void answer_prepare(Request *request, Question *q)
{
    const Renaming *r = q->data;
    if (r->why_not.code != ERROR_NONE) {
        request_fail(request, RPC_REQUEST_FAILED, r->why_not.text);
        return;
    }
    Json *value = json_object_new_object();
    types_put(value, "range", types_new_range(r->range));
    types_put_str(value, "placeholder", r->name);
    request_reply(request, value);
}

static Json *new_edit(const Request *request, const Renaming *r, Str new_name)
{
    Str label = arena_printf(request->arena, "Rename %s to %.*s (%zu places in %zu files)",
                             r->name.ptr, STR_FMT(new_name), r->n_places, r->n_files);
    return file_edits_new(request, r->files, r->n_files, label);
}

static void answer_rename(Request *request, Question *q)
{
    const Renaming *r = q->data;
    if (r->why_not.code == ERROR_NONE)
        request_reply(request, new_edit(request, r, q->params[0]));
    else
        request_fail(request,
                     r->why_not.code == ERROR_INVALID ? RPC_INVALID_PARAMS : RPC_REQUEST_FAILED,
                     r->why_not.text);
}

bool rename_prepare(Call *call, Error *err)
{
    return names_ask(call, sync_config(call)->rename, NULL, find_renaming, answer_prepare, err);
}

bool rename_request(Call *call, Error *err)
{
    const Str params[QUESTION_PARAMS] = {types_str(call->params, "newName")};
    if (params[0].len == 0) return error_set(err, ERROR_INVALID, "params without a newName");
    return names_ask(call, sync_config(call)->rename, params, find_renaming, answer_rename, err);
}

// workspace/willRenameFiles: what includes and imports must say once files or folders have other
// names. Only what can be proved is edited; Rust, where any path may name a module, is not.
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "features/features.h"
#include "features/file_edits.h"
#include "features/move_files.h"
#include "uri.h"
#include "workspace/target.h"

enum { MAX_MOVED = 2000, MAX_CANDIDATES = 20000, MAX_MENTIONED = 50 };
enum { PARAM_MOVES, PARAM_LANGUAGES };

typedef VEC(Str) Paths;

typedef struct Found {
    FileMoves moves;
    Paths moved, words, candidates;
    FileEdits *files;
    size_t n_files;
    // Of the file that is looked at.
    Str path;
    const Syntax *syntax;
    VEC(FileEdit) edits;
} Found;

static Str stem_of(Str path)
{
    Str name = str_base_name(path);
    return str_slice(name, 0, str_find(name, STR("."), 0));
}

// --- the edits of one file

static void add_edit(Found *f, size_t start, size_t end, Str text)
{
    LspRange range = position_from_range(syntax_text(f->syntax), (ByteRange){start, end},
                                         f->moves.question->encoding);
    for (size_t i = 0; i < f->edits.n; i++) { // a name that two imports bring
        LspPosition at = f->edits.items[i].range.start;
        if (at.line == range.start.line && at.character == range.start.character) return;
    }
    VEC_PUSH(&f->edits, ((FileEdit){range, arena_str(f->moves.question->arena, text)}));
}

static void look_at_include(Found *f, size_t start, Str import)
{
    Str found, text = moves_include(&f->moves, f->path, import, &found);
    if (text.len) add_edit(f, start, start + import.len, text);
}

static bool is_type(TSNode node, const char *type)
{
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), type) == 0;
}

// `from package import module`: the module has another name in the same package.
static void look_at_imported(Found *f, TSNode statement, Str package)
{
    Arena *arena = f->moves.question->arena;
    Str all = text_str(syntax_text(f->syntax));
    for (uint32_t i = 0; i < ts_node_child_count(statement); i++) {
        const char *field = ts_node_field_name_for_child(statement, i);
        if (!field || strcmp(field, "name") != 0) continue;
        TSNode node = ts_node_child(statement, i);
        bool aliased = is_type(node, "aliased_import");
        if (aliased) node = ts_node_child_by_field_name(node, "name", 4);
        ByteRange r = syntax_range(node);
        Str name = str_slice(all, r.start, r.end), found;
        const char *dot = str_ends(package, STR(".")) ? "" : ".";
        Str whole = arena_printf(arena, "%.*s%s%.*s", STR_FMT(package), dot, STR_FMT(name));
        Str text = moves_module(&f->moves, f->path, whole, &found);
        Str before = str_slice(whole, 0, whole.len - name.len);
        Str new_name = str_slice(text, before.len, text.len);
        if (!str_starts(text, before) || !str_is_name(new_name)) continue;
        add_edit(f, r.start, r.end,
                 aliased ? new_name
                         : arena_printf(arena, "%.*s as %.*s", STR_FMT(new_name), STR_FMT(name)));
    }
}

// `import package.module`: its uses `package.module.x` follow, where the package is the same.
static void look_at_dotted(Found *f, size_t start, Str import, Str text)
{
    Str all = text_str(syntax_text(f->syntax));
    Str first = str_slice(import, 0, str_find(import, STR("."), 0));
    Str new_first = str_slice(text, 0, str_find(text, STR("."), 0));
    if (!str_equal(first, new_first) || target_is_shadowed(f->syntax, first)) return;
    add_edit(f, start, start + import.len, text);
    for (size_t at = str_find(all, import, 0); at < all.len;
         at = str_find(all, import, at + import.len)) {
        TSNode node = ts_node_descendant_for_byte_range(syntax_root(f->syntax), (uint32_t)at,
                                                        (uint32_t)(at + import.len));
        ByteRange r = syntax_range(node);
        if (is_type(node, "attribute") && r.start == at && r.end == at + import.len)
            add_edit(f, r.start, r.end, text);
    }
}

static void look_at_package(Found *f, size_t start, Str import)
{
    if (import.len < 2) return;
    Str path = str_slice(import, 1, import.len - 1), found;
    Str text = moves_package(&f->moves, f->path, path, &found);
    if (text.len) add_edit(f, start + 1, start + 1 + path.len, text);
}

static void look_at_module(Found *f, size_t start, Str import)
{
    Arena *arena = f->moves.question->arena;
    Str found, text = moves_module(&f->moves, f->path, import, &found);
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(f->syntax), (uint32_t)start,
                                                    (uint32_t)(start + import.len));
    TSNode parent = ts_node_parent(node);
    while (is_type(parent, "dotted_name") || is_type(parent, "relative_import") ||
           is_type(parent, "import_prefix")) // of one word
        parent = ts_node_parent(parent);
    bool from = is_type(parent, "import_from_statement");
    if (from) look_at_imported(f, parent, import);
    if (text.len == 0) return;
    if (from || is_type(parent, "aliased_import"))
        add_edit(f, start, start + import.len, text);
    else if (is_type(parent, "import_statement") && str_is_name(import)) // its uses stay
        add_edit(f, start, start + import.len,
                 arena_printf(arena, "%.*s as %.*s", STR_FMT(text), STR_FMT(import)));
    else if (is_type(parent, "import_statement"))
        look_at_dotted(f, start, import, text);
}

static void look_at_imports(Found *f, void (*look)(Found *f, size_t start, Str import))
{
    Str all = text_str(syntax_text(f->syntax));
    PlainSymbols plain =
        symbols_collect_plain(f->syntax, (ByteRange){0, all.len}, f->moves.question->arena);
    for (size_t i = 0; i < plain.n_imports; i++)
        look(f, (size_t)(plain.imports[i].ptr - all.ptr), plain.imports[i]);
}

// A string of an import, an export, require() or import().
static bool is_script_import(const Syntax *syntax, TSNode node)
{
    TSNode parent = ts_node_parent(node);
    if (is_type(parent, "import_statement") || is_type(parent, "export_statement")) return true;
    TSNode call = is_type(parent, "arguments") ? ts_node_parent(parent) : parent;
    if (!is_type(call, "call_expression")) return false;
    ByteRange r = syntax_range(ts_node_child_by_field_name(call, "function", 8));
    Str function = str_slice(text_str(syntax_text(syntax)), r.start, r.end);
    return str_equal(function, STR("require")) || str_equal(function, STR("import"));
}

static void look_at_scripts(Found *f)
{
    Str all = text_str(syntax_text(f->syntax)), found;
    for (size_t at = str_find(all, STR("."), 0); at < all.len;
         at = str_find(all, STR("."), at + 1)) {
        if (at == 0 || !strchr("'\"", all.ptr[at - 1])) continue;
        TSNode node = ts_node_descendant_for_byte_range(syntax_root(f->syntax), (uint32_t)at - 1,
                                                        (uint32_t)at);
        if (!is_type(node, "string")) node = ts_node_parent(node);
        if (!is_type(node, "string") || !is_script_import(f->syntax, node)) continue;
        ByteRange r = syntax_range(node);
        Str import = str_slice(all, r.start + 1, r.end - 1);
        Str text = moves_script(&f->moves, f->path, import, &found);
        if (text.len) add_edit(f, r.start + 1, r.end - 1, text);
    }
}

static void look_at_file(Found *f, Str path, bool all_languages)
{
    const Question *q = f->moves.question;
    const Language *lang = language_by_path(arena_str(q->arena, path).ptr);
    const char *id = lang ? lang->id : "";
    bool c_like = strcmp(id, "c") == 0 || strcmp(id, "cpp") == 0,
         python = strcmp(id, "python") == 0, go = strcmp(id, "go") == 0;
    bool script = strncmp(id, "javascript", 10) == 0 || strncmp(id, "typescript", 10) == 0;
    if (!c_like && !(all_languages && (python || script || go))) return;
    Syntax *syntax = question_read(q, path, STR(""));
    if (!syntax) return;
    f->path = path;
    f->syntax = syntax;
    f->edits.n = 0;
    if (script)
        look_at_scripts(f);
    else
        look_at_imports(f, c_like ? look_at_include : go ? look_at_package : look_at_module);
    FileEdits *file = &f->files[f->n_files];
    *file = (FileEdits){path, arena_array(q->arena, f->edits.n, sizeof *file->items), f->edits.n};
    if (f->edits.n) memcpy(file->items, f->edits.items, f->edits.n * sizeof *file->items);
    f->n_files += f->edits.n > 0;
    syntax_release(syntax);
}

// --- which files

static void read_moves(Question *q, Found *f)
{
    Str text = q->params[PARAM_MOVES];
    FileMove *items = arena_array(q->arena, MAX_MOVED, sizeof *items);
    f->moves.question = q;
    f->moves.items = items;
    while (text.len && f->moves.n < MAX_MOVED) {
        Str paths[2];
        for (int i = 0; i < 2; i++) {
            size_t end = str_find(text, STR("\n"), 0);
            paths[i] = str_slice(text, 0, end);
            text = str_slice(text, end + 1, text.len);
        }
        items[f->moves.n++] = (FileMove){paths[0], paths[1]};
    }
}

// The files that move, and the words by which imports name them.
static void find_moved(Question *q, Found *f)
{
    for (size_t i = 0; i < f->moves.n; i++) {
        Str old = f->moves.items[i].old, *paths;
        Str below = arena_printf(q->arena, "%.*s/", STR_FMT(old));
        size_t n_before = f->moved.n;
        for (size_t k = 0; k < q->n_indexes; k++) {
            size_t n =
                index_files_ending(q->indexes[k], str_base_name(old), MAX_MOVED, q->arena, &paths);
            for (size_t j = 0; j < n; j++)
                if (str_equal(paths[j], old)) VEC_PUSH(&f->moved, paths[j]);
            n = f->moved.n > n_before ? 0
                                      : index_files_containing(q->indexes[k], str_base_name(below),
                                                               MAX_CANDIDATES, q->arena, &paths);
            for (size_t j = 0; j < n && f->moved.n < MAX_MOVED; j++)
                if (str_starts(paths[j], below)) VEC_PUSH(&f->moved, paths[j]);
        }
        VEC_PUSH(&f->words, stem_of(old));
    }
    for (size_t i = 0; i < f->moved.n; i++)
        VEC_PUSH(&f->words, stem_of(f->moved.items[i]));
}

static void add_all(Paths *to, const Str *paths, size_t n)
{
    for (size_t i = 0; i < n && to->n < MAX_CANDIDATES; i++)
        VEC_PUSH(to, paths[i]);
}

static int by_text(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

static void find_candidates(Question *q, Found *f)
{
    Str *paths;
    add_all(&f->candidates, f->moved.items, f->moved.n);
    for (size_t k = 0; k < q->n_indexes; k++) {
        Index *index = q->indexes[k];
        size_t n = index_importers(index, f->words.items, f->words.n, q->arena, &paths);
        add_all(&f->candidates, paths, n);
        // Modules by their names, and what require() asks for.
        for (size_t i = 0; i < f->words.n && i < MAX_MENTIONED; i++) {
            n = index_mentions(index, f->words.items[i], STR(""), q->arena, &paths);
            add_all(&f->candidates, paths, n);
        }
    }
    if (f->candidates.n) qsort(f->candidates.items, f->candidates.n, sizeof(Str), by_text);
}

static void find_edits(Question *q)
{
    Found *f = q->data = arena_alloc(q->arena, sizeof *f);
    read_moves(q, f);
    find_moved(q, f);
    find_candidates(q, f);
    f->files = arena_array(q->arena, f->candidates.n + 1, sizeof *f->files);
    bool all_languages = q->params[PARAM_LANGUAGES].len > 0;
    for (size_t i = 0; i < f->candidates.n && !atomic_load(&q->cancelled); i++)
        if (i == 0 || !str_equal(f->candidates.items[i], f->candidates.items[i - 1]))
            look_at_file(f, f->candidates.items[i], all_languages);
    VEC_FREE(&f->moved);
    VEC_FREE(&f->words);
    VEC_FREE(&f->candidates);
    VEC_FREE(&f->edits);
}

static void answer(Request *request, Question *q)
{
    const Found *f = q->data;
    Str label = arena_printf(request->arena, "Imports in %zu files", f->n_files);
    request_reply(request,
                  f->n_files ? file_edits_new(request, f->files, f->n_files, label) : NULL);
}

bool will_rename_files(Call *call, Error *err)
{
    Json *items = types_get(call->params, "files");
    const Config *config = &projects_of(call->conn, NULL)->config;
    if (!json_object_is_type(items, json_type_array))
        return error_set(err, ERROR_INVALID, "params without files");
    StrBuf moves = {0};
    for (size_t i = 0; i < json_object_array_length(items); i++) {
        Json *item = json_object_array_get_idx(items, i);
        Str old = uri_to_path(types_str(item, "oldUri"), call->arena);
        Str new = uri_to_path(types_str(item, "newUri"), call->arena);
        bool usable =
            old.len > 1 && new.len > 1 && !str_contains(old, "\n") && !str_contains(new, "\n");
        if (usable) strbuf_printf(&moves, "%.*s\n%.*s\n", STR_FMT(old), STR_FMT(new));
    }
    if (moves.len && config->move_files) {
        // Servers of other languages do it themselves.
        const Str params[QUESTION_PARAMS] = {arena_str(call->arena, strbuf_str(&moves)),
                                             config->rename ? STR("all") : STR("")};
        call->later = true;
        workspace_ask(call->request, 0, params, find_edits, answer);
    }
    strbuf_deinit(&moves);
    return true;
}

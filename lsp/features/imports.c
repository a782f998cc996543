// An include is offered as it can be written: from the document's own folder, from below a folder
// `include`, else from the root of its folder. What is no file of the project is looked for segment
// by segment in the folders where compilers and interpreters look.
#include "features/imports.h"

#include <dirent.h>
#include <glob.h>
#include <string.h>
#include <unistd.h>

#include "features/meaning.h"

typedef struct Names {
    const Question *q;
    Str prefix; // what stands there
    Str *items;
    size_t n, max;
} Names;

static bool is_in(const Language *lang, const char *language)
{
    return language_family(lang) == language_family(language_by_id(language));
}

// --- contexts

static ImportKind c_context(Str line, size_t *start)
{
    Str rest = str_trim(line);
    if (!str_starts(rest, STR("#"))) return IMPORT_NONE;
    rest = str_trim(str_slice(rest, 1, rest.len));
    size_t quote = str_find(line, STR("\""), 0), angle = str_find(line, STR("<"), 0);
    size_t open = quote < angle ? quote : angle;
    if (!str_starts(rest, STR("include")) || open == line.len) return IMPORT_NONE;
    *start = open + 1;
    Str written = str_slice(line, open + 1, line.len);
    if (str_contains(written, "\"") || str_contains(written, ">")) return IMPORT_NONE;
    return quote < angle ? IMPORT_INCLUDE : IMPORT_SYSTEM;
}

static size_t word_start(Str line)
{
    size_t at = line.len;
    while (at > 0 && str_is_word_byte(line.ptr[at - 1]))
        at--;
    return at;
}

static ImportKind python_context(Str line, size_t *start)
{
    Str rest = str_trim(line);
    bool from = str_starts(rest, STR("from "));
    if (!from && !str_starts(rest, STR("import "))) return IMPORT_NONE;
    size_t import = str_find(line, STR(" import "), 0);
    if (from && import < line.len) {
        *start = word_start(line);
        return IMPORT_NAME;
    }
    size_t at = line.len;
    while (at > 0 && (str_is_word_byte(line.ptr[at - 1]) || line.ptr[at - 1] == '.'))
        at--;
    *start = at;
    char before = at > 0 ? line.ptr[at - 1] : 0;
    Str head = str_trim(str_slice(line, 0, at));
    bool first = str_equal(head, STR("import")) || str_equal(head, STR("from"));
    return before == ' ' && (first || str_ends(head, STR(","))) ? IMPORT_MODULE : IMPORT_NONE;
}

// The quote that is open at the end of the line; line.len: none.
static size_t open_quote(Str line)
{
    size_t at = line.len;
    char quote = 0;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
            at = i;
        } else if (quote && c == quote) {
            quote = 0;
            at = line.len;
        }
    }
    return at;
}

static ImportKind script_context(Str line, size_t *start)
{
    size_t quote = open_quote(line);
    Str head = str_trim(str_slice(line, 0, quote));
    if (quote < line.len) {
        *start = quote + 1;
        bool import = str_ends(head, STR("from")) || str_equal(head, STR("import")) ||
                      str_ends(head, STR("require(")) || str_ends(head, STR("import("));
        return import ? IMPORT_SCRIPT : IMPORT_NONE;
    }
    bool statement = str_starts(head, STR("import")) || str_starts(head, STR("export"));
    bool inside = str_contains(head, "{") && !str_contains(head, "}");
    *start = word_start(line);
    return statement && inside && str_starts(head, STR("import")) ? IMPORT_NAME : IMPORT_NONE;
}

// Within `import (`, or behind `import `.
static ImportKind go_context(Str before, Str line, size_t *start)
{
    size_t quote = open_quote(line);
    Str head = str_trim(str_slice(line, 0, quote));
    if (quote == line.len) return IMPORT_NONE;
    *start = quote + 1;
    size_t block = SIZE_MAX;
    for (size_t at = str_find(before, STR("\nimport ("), 0); at < before.len;
         at = str_find(before, STR("\nimport ("), at + 1))
        block = at;
    bool inside = block != SIZE_MAX && str_find(before, STR("\n)"), block) >= before.len;
    bool alone = str_starts(head, STR("import"));
    return alone || (inside && !str_contains(head, "\"")) ? IMPORT_PACKAGE : IMPORT_NONE;
}

ImportKind imports_context(const TextSnap *text, const Language *lang, size_t byte_off,
                           size_t *start)
{
    if (!lang) return IMPORT_NONE;
    Str all = text_str(text);
    size_t line_start = text_line_start(text, text_point(text, byte_off).row);
    Str line = str_slice(all, line_start, byte_off), rest = str_trim(line);
    ImportKind kind = IMPORT_NONE;
    if (is_in(lang, "c")) kind = c_context(line, start);
    if (is_in(lang, "python")) kind = python_context(line, start);
    if (is_in(lang, "javascript")) kind = script_context(line, start);
    if (is_in(lang, "go")) kind = go_context(str_slice(all, 0, line_start), line, start);
    if (is_in(lang, "rust")) {
        *start = word_start(line);
        Str head = str_trim(str_slice(line, 0, *start));
        bool mod = str_equal(head, STR("mod")) || str_equal(head, STR("pub mod"));
        kind = mod && rest.len > head.len - 1 ? IMPORT_MOD : IMPORT_NONE;
    }
    *start += line_start;
    return kind;
}

// --- of the index

static bool ends_with_any(Str path, const char *const *ends)
{
    for (; *ends; ends++)
        if (str_ends(path, str_from(*ends))) return true;
    return false;
}

static Str as_include(const Question *q, Str path)
{
    static const char *const ends[] = {".h", ".hpp", ".hh", ".hxx", NULL};
    const Str include = STR("/include/");
    Str folder = str_folder(q->path);
    if (!ends_with_any(path, ends)) return STR("");
    if (str_starts(path, folder)) return str_slice(path, folder.len, path.len);
    size_t at = str_find(path, include, 0);
    if (at < path.len) return str_slice(path, at + include.len, path.len);
    return str_slice(path, str_folder(path).len, path.len);
}

// Dotted, from the folder that the document shares with it.
static Str as_module(const Question *q, Str path)
{
    if (!str_ends(path, STR(".py"))) return STR("");
    Str folder = str_folder(q->path);
    while (folder.len && !str_starts(path, folder))
        folder = str_parent(folder);
    Str name = str_slice(path, folder.len, path.len - 3);
    if (str_ends(name, STR("/__init__"))) name.len -= strlen("/__init__");
    name = arena_str(q->arena, name);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/') ((char *)(uintptr_t)name.ptr)[i] = '.';
    return name;
}

// Relative, without the ending that is left out in imports.
static Str as_script(const Question *q, Str path)
{
    static const char *const ends[] = {".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", NULL};
    StrBuf out = {0};
    Str folder = str_folder(q->path);
    if (!ends_with_any(path, ends)) return STR("");
    if (str_starts(path, folder)) strbuf_append(&out, STR("./"));
    while (folder.len && !str_starts(path, folder)) {
        strbuf_append(&out, STR("../"));
        folder = str_parent(folder);
    }
    path = str_slice(path, folder.len, path.len);
    bool whole = str_ends(path, STR(".mjs")) || str_ends(path, STR(".cjs"));
    while (!whole && path.len && path.ptr[path.len - 1] != '.')
        path.len--;
    if (!whole && path.len) path.len--;
    if (str_ends(path, STR(".d"))) path.len -= 2;
    strbuf_append(&out, path);
    Str text = arena_str(q->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// The nearest folder above the document (with its '/') that has this entry; empty: none.
static Str folder_with(const Question *q, const char *entry)
{
    for (Str folder = str_folder(q->path); folder.len; folder = str_parent(folder)) {
        Str path = arena_printf(q->arena, "%.*s%s", STR_FMT(folder), entry);
        if (access(path.ptr, F_OK) == 0) return folder;
    }
    return STR("");
}

// A package's path: that of its module and the folder below it.
static Str as_package(const Question *q, Str path)
{
    Error err = {0};
    Str root = folder_with(q, "go.mod"), folder = str_folder(path), module = STR("");
    if (!str_ends(path, STR(".go")) || !root.len || !str_starts(folder, root)) return STR("");
    if (str_equal(folder, str_folder(q->path)) || folder.len == root.len) return STR("");
    Str mod_path = arena_printf(q->arena, "%.*sgo.mod", STR_FMT(root));
    TextSnap *text = text_read_file(mod_path.ptr, 1 << 20, &err);
    Str all = text ? text_str(text) : STR("");
    while (all.len && module.len == 0) {
        Str line = str_trim(str_take(&all, STR("\n")));
        if (str_starts(line, STR("module ")))
            module = arena_str(q->arena, str_trim(str_slice(line, strlen("module "), line.len)));
    }
    text_release(text);
    if (module.len == 0) return STR("");
    return arena_printf(q->arena, "%.*s/%.*s", STR_FMT(module), (int)(folder.len - root.len - 1),
                        folder.ptr + root.len);
}

static void add_name(Names *names, Str name)
{
    if (name.len == 0 || names->n == names->max || !str_starts(name, names->prefix)) return;
    for (size_t i = 0; i < names->n; i++)
        if (str_equal(names->items[i], name)) return;
    names->items[names->n++] = arena_str(names->q->arena, name);
}

// Files of the indexes with one of the endings, as they are written.
static void add_files(Names *names, const char *const *ends,
                      Str (*as_written)(const Question *q, Str path))
{
    enum { MAX_FILES = 20000 };
    const Question *q = names->q;
    for (; *ends; ends++)
        for (size_t i = 0; i < q->n_indexes; i++) {
            Str *paths;
            size_t n =
                index_files_containing(q->indexes[i], str_from(*ends), MAX_FILES, q->arena, &paths);
            for (size_t k = 0; k < n && names->n < names->max; k++)
                if (!str_equal(paths[k], q->path)) add_name(names, as_written(q, paths[k]));
        }
}

// --- of the system

typedef enum EntryForm { ENTRY_HEADER, ENTRY_MODULE, ENTRY_PACKAGE } EntryForm;

// An entry of a folder as it is written; empty: it is nothing to import.
static Str as_entry(const Names *names, Str folder, Str entry, EntryForm form)
{
    Arena *arena = names->q->arena;
    Str path = arena_printf(arena, "%.*s/%.*s", STR_FMT(folder), STR_FMT(entry));
    bool is_folder = access(arena_printf(arena, "%s/.", path.ptr).ptr, F_OK) == 0;
    size_t dot = str_find(entry, STR("."), 0);
    switch (form) {
    case ENTRY_HEADER:
        if (is_folder) return arena_printf(arena, "%.*s/", STR_FMT(entry));
        return dot == entry.len || str_ends(entry, STR(".h")) ? entry : STR("");
    case ENTRY_MODULE:
        if (str_starts(entry, STR("__")) || !str_is_name(str_slice(entry, 0, dot))) return STR("");
        if (is_folder) return dot == entry.len ? entry : STR("");
        return str_ends(entry, STR(".py")) || str_ends(entry, STR(".so")) ? str_slice(entry, 0, dot)
                                                                          : STR("");
    case ENTRY_PACKAGE:
        return is_folder && dot > 0 ? entry : STR("");
    }
    return STR("");
}

// What lies in the folder, below what the prefix names already.
static void add_folder(Names *names, const char *root, EntryForm form)
{
    enum { MAX_ENTRIES = 4000 };
    Arena *arena = names->q->arena;
    char joint = form == ENTRY_MODULE ? '.' : '/';
    size_t below = names->prefix.len;
    while (below > 0 && names->prefix.ptr[below - 1] != joint)
        below--;
    Str before = arena_str(arena, str_slice(names->prefix, 0, below));
    Str path = arena_printf(arena, "%s/%.*s", root, STR_FMT(before));
    for (size_t i = strlen(root); i < path.len; i++)
        if (path.ptr[i] == joint) ((char *)(uintptr_t)path.ptr)[i] = '/';
    if (str_contains(before, "..")) return;
    if (below) path = arena_str(arena, str_slice(path, 0, path.len - 1));
    DIR *dir = opendir(path.ptr);
    if (!dir) return;
    for (int i = 0; i < MAX_ENTRIES && names->n < names->max; i++) {
        const struct dirent *entry = readdir(dir);
        if (!entry) break;
        Str name = str_from(entry->d_name),
            rest = str_slice(names->prefix, below, names->prefix.len);
        if (entry->d_name[0] == '.' || !str_starts(name, rest)) continue;
        name = as_entry(names, path, name, form);
        if (name.len)
            add_name(names, arena_printf(arena, "%.*s%.*s", STR_FMT(before), STR_FMT(name)));
    }
    closedir(dir);
}

static void add_folders(Names *names, const char *const *patterns, EntryForm form)
{
    for (; *patterns; patterns++) {
        glob_t found;
        if (glob(*patterns, GLOB_NOSORT, NULL, &found) != 0) continue;
        for (size_t i = 0; i < found.gl_pathc; i++)
            add_folder(names, found.gl_pathv[i], form);
        globfree(&found);
    }
}

static void add_headers(Names *names)
{
    static const char *const both[] = {"/usr/local/include", "/usr/include",
                                       "/usr/include/*-linux-gnu*", "/usr/lib/gcc/*/*/include",
                                       NULL};
    static const char *const cpp[] = {"/usr/include/c++/*", NULL};
    if (strcmp(names->q->lang->id, "cpp") == 0) add_folders(names, cpp, ENTRY_HEADER);
    add_folders(names, both, ENTRY_HEADER);
}

static void add_modules(Names *names)
{
    static const char *const built_in[] = {"sys",    "time",    "itertools", "gc", "errno",
                                           "atexit", "marshal", "builtins",  NULL};
    static const char *const folders[] = {"/usr/lib/python3*",
                                          "/usr/local/lib/python3*",
                                          "/usr/lib/python3*/lib-dynload",
                                          "/usr/local/lib/python3*/lib-dynload",
                                          "/usr/lib/python3/dist-packages",
                                          "/usr/local/lib/python3*/dist-packages",
                                          "/usr/local/lib/python3*/site-packages",
                                          NULL};
    for (const char *const *name = built_in; *name; name++)
        add_name(names, str_from(*name));
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "venv" : ".venv";
        Str folder = folder_with(names->q, name);
        Str pattern = arena_printf(names->q->arena, "%.*s%s/lib/python3*/site-packages",
                                   STR_FMT(folder), name);
        if (folder.len) add_folders(names, (const char *const[]){pattern.ptr, NULL}, ENTRY_MODULE);
    }
    add_folders(names, folders, ENTRY_MODULE);
}

static void add_packages(Names *names)
{
    static const char *const folders[] = {"/usr/local/go/src", "/usr/lib/go*/src",
                                          "/usr/share/go*/src", NULL};
    Str root = folder_with(names->q, "vendor/modules.txt");
    if (root.len) {
        Str folder = arena_printf(names->q->arena, "%.*svendor", STR_FMT(root));
        add_folder(names, folder.ptr, ENTRY_PACKAGE);
    }
    add_folders(names, folders, ENTRY_PACKAGE);
}

static void add_scripts(Names *names)
{
    static const char *const built_in[] = {"node:assert", "node:buffer",      "node:child_process",
                                           "node:crypto", "node:events",      "node:fs",
                                           "node:http",   "node:https",       "node:net",
                                           "node:os",     "node:path",        "node:stream",
                                           "node:test",   "node:url",         "node:util",
                                           "node:zlib",   "node:fs/promises", NULL};
    Str root = folder_with(names->q, "node_modules");
    if (root.len) {
        Str folder = arena_printf(names->q->arena, "%.*snode_modules", STR_FMT(root));
        add_folder(names, folder.ptr, ENTRY_PACKAGE);
    }
    for (const char *const *name = built_in; *name; name++)
        add_name(names, str_from(*name));
}

// Rust: files and folders beside this one that could be its modules.
static Str as_mod(const Question *q, Str path)
{
    Str own = str_base_name(q->path), name = str_base_name(path), home = str_folder(q->path);
    bool root = str_equal(own, STR("main.rs")) || str_equal(own, STR("lib.rs")) ||
                str_equal(own, STR("mod.rs"));
    if (!root) home = arena_printf(q->arena, "%.*s/", (int)(q->path.len - 3), q->path.ptr);
    if (str_equal(name, STR("mod.rs"))) {
        Str folder = str_folder(path);
        folder.len--;
        return str_equal(str_folder(folder), home) ? str_base_name(folder) : STR("");
    }
    bool is_root = str_equal(name, STR("main.rs")) || str_equal(name, STR("lib.rs"));
    bool beside = str_equal(str_folder(path), home) && str_ends(name, STR(".rs")) && !is_root;
    return beside ? str_slice(name, 0, name.len - 3) : STR("");
}

size_t imports_find(const Question *q, ByteRange *word, size_t max, Str **out)
{
    static const char *const headers[] = {".h", NULL}, *const python[] = {".py", NULL};
    static const char *const scripts[] = {".ts", ".js", ".mjs", ".cjs", ".jsx", NULL};
    static const char *const go[] = {".go", NULL}, *const rust[] = {".rs", NULL};
    ImportKind kind = imports_context(q->text, q->lang, word->end, &word->start);
    Names names = {.q = q, .max = max};
    names.prefix = str_slice(text_str(q->text), word->start, word->end);
    names.items = *out = arena_array(q->arena, max, sizeof **out);
    switch (kind) {
    case IMPORT_INCLUDE:
        add_files(&names, headers, as_include);
        break;
    case IMPORT_SYSTEM:
        add_files(&names, headers, as_include);
        add_headers(&names);
        break;
    case IMPORT_MODULE:
        add_files(&names, python, as_module);
        add_modules(&names);
        break;
    case IMPORT_SCRIPT:
        add_files(&names, scripts, as_script);
        add_scripts(&names);
        break;
    case IMPORT_PACKAGE:
        add_files(&names, go, as_package);
        add_packages(&names);
        break;
    case IMPORT_MOD:
        add_files(&names, rust, as_mod);
        break;
    case IMPORT_NONE:
    case IMPORT_NAME:
        break;
    }
    return names.n;
}

// The module of the statement on the cursor's line, as it is written without quotes.
static Str module_of_line(const Question *q, size_t byte_off)
{
    uint32_t row = text_point(q->text, byte_off).row;
    Str line = text_line(q->text, row);
    if (is_in(q->lang, "python")) {
        size_t import = str_find(line, STR(" import"), 0), from = str_find(line, STR("from "), 0);
        return str_trim(str_slice(line, from + strlen("from "), import));
    }
    size_t from = str_find(line, STR("from"), str_find(line, STR("}"), 0));
    Str written = str_trim(str_slice(line, from + strlen("from"), line.len));
    if (written.len < 2 || (written.ptr[0] != '"' && written.ptr[0] != '\'')) return STR("");
    Str rest = str_slice(written, 1, written.len);
    return str_take(&rest, str_slice(written, 0, 1));
}

// Files and packages beside the package's __init__.py.
size_t imports_below(const Question *q, ByteRange word, size_t max, Str **out)
{
    enum { MAX_FILES = 20000 };
    Names names = {q, str_slice(text_str(q->text), word.start, word.end), NULL, 0, max};
    names.items = *out = arena_array(q->arena, max, sizeof **out);
    if (!is_in(q->lang, "python")) return 0;
    ModuleFiles files = modules_files(q, q->lang, q->path, module_of_line(q, word.end));
    if (files.n == 0 || !str_ends(files.paths[0], STR("/__init__.py"))) return 0;
    Str home = str_folder(files.paths[0]);
    for (size_t i = 0; i < q->n_indexes; i++) {
        Str *paths;
        size_t n = index_files_containing(q->indexes[i], STR(".py"), MAX_FILES, q->arena, &paths);
        for (size_t k = 0; k < n; k++) {
            if (!str_starts(paths[k], home) || !str_ends(paths[k], STR(".py"))) continue;
            Str rest = str_slice(paths[k], home.len, paths[k].len - strlen(".py"));
            Str name = str_slice(rest, 0, str_find(rest, STR("/"), 0));
            bool package = name.len < rest.len;
            bool own = str_equal(paths[k], q->path) || str_equal(rest, STR("__init__"));
            if (!own && (!package || str_ends(rest, STR("/__init__")))) add_name(&names, name);
        }
    }
    return names.n;
}

size_t imports_names(const Question *q, size_t byte_off, IndexHit **out)
{
    Str module = arena_str(q->arena, module_of_line(q, byte_off));
    Meaning m = {.kind = MEANS_MODULE, .path = q->path, .module = module};
    m.files = modules_files(q, q->lang, q->path, module);
    return meaning_members(q, &m, out);
}

// Only imports at the top of a file are read, from their texts; what they name is looked for among
// the files of the indexes, never on the disk.
#include "features/modules.h"

#include <string.h>

#include "workspace/node.h"

static bool is_language(const Language *lang, const char *family)
{
    return language_family(lang) == language_family(language_by_id(family));
}

// --- the files of an import

static void add_path(ModuleFiles *files, Str path)
{
    for (size_t i = 0; i < files->n; i++)
        if (str_equal(files->paths[i], path)) return;
    if (files->n < MODULES_MAX_FILES) files->paths[files->n++] = path;
}

// The files that end so, those of the nearest folder alone.
static void add_ending(const Question *q, Str near, Str ending, ModuleFiles *files)
{
    Str best = {0};
    size_t most = 0;
    for (size_t i = 0; i < q->n_indexes; i++) {
        Str *paths;
        size_t n = index_files_ending(q->indexes[i], ending, 100, q->arena, &paths);
        for (size_t k = 0; k < n; k++) {
            size_t same = 0;
            while (same < near.len && same < paths[k].len && near.ptr[same] == paths[k].ptr[same])
                same++;
            if (best.len && same <= most) continue;
            best = paths[k];
            most = same;
        }
    }
    if (best.len) add_path(files, best);
}

// The file of exactly this path.
static bool add_exact(const Question *q, Str path, ModuleFiles *files)
{
    for (size_t i = 0; i < q->n_indexes; i++) {
        Str *paths;
        size_t n = index_files_ending(q->indexes[i], str_base_name(path), 20000, q->arena, &paths);
        for (size_t k = 0; k < n; k++) {
            if (!str_equal(paths[k], path)) continue;
            add_path(files, paths[k]);
            return true;
        }
    }
    return false;
}

Str modules_dotted_path(Arena *arena, Str dotted)
{
    Str path = arena_str(arena, dotted);
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '.') ((char *)(uintptr_t)path.ptr)[i] = '/';
    return path;
}

static void add_python(const Question *q, Str path, Str import, ModuleFiles *files)
{
    size_t n_dots = 0;
    while (n_dots < import.len && import.ptr[n_dots] == '.')
        n_dots++;
    Str rest = modules_dotted_path(q->arena, str_slice(import, n_dots, import.len)),
        folder = str_folder(path);
    for (size_t i = 1; i < n_dots; i++)
        folder = str_parent(folder);
    const char *slash = rest.len ? "/" : "";
    Str module = arena_printf(q->arena, "%.*s.py", STR_FMT(rest));
    Str package = arena_printf(q->arena, "%.*s%s__init__.py", STR_FMT(rest), slash);
    if (n_dots) {
        Str at = arena_printf(q->arena, "%.*s%.*s", STR_FMT(folder), STR_FMT(module));
        if (rest.len && add_exact(q, at, files)) return;
        at = arena_printf(q->arena, "%.*s%.*s", STR_FMT(folder), STR_FMT(package));
        add_exact(q, at, files);
        return;
    }
    add_ending(q, path, module, files);
    if (files->n == 0) add_ending(q, path, package, files);
}

Str modules_join(Arena *arena, Str folder, Str relative)
{
    while (relative.len) {
        Str part = str_take(&relative, STR("/"));
        if (part.len == 0 || str_equal(part, STR("."))) continue;
        if (str_equal(part, STR("..")))
            folder = str_parent(folder);
        else
            folder = arena_printf(arena, "%.*s%.*s/", STR_FMT(folder), STR_FMT(part));
    }
    return str_slice(folder, 0, folder.len ? folder.len - 1 : 0);
}

static void add_script(const Question *q, Str path, Str import, ModuleFiles *files)
{
    static const char *const ends[] = {"",          ".ts",        ".tsx",     ".js",
                                       ".jsx",      ".mjs",       ".cjs",     ".d.ts",
                                       "/index.ts", "/index.tsx", "/index.js"};
    if (!str_starts(import, STR("."))) return;
    Str near = modules_join(q->arena, str_folder(path), import);
    if (str_ends(near, STR(".js")) && !add_exact(q, near, files)) near.len -= strlen(".js");
    for (size_t i = 0; i < sizeof ends / sizeof *ends && files->n == 0; i++)
        add_exact(q, arena_printf(q->arena, "%.*s%s", STR_FMT(near), ends[i]), files);
}

// A package is a folder; its path in an import ends as the folder does.
static void add_go(const Question *q, Str import, ModuleFiles *files)
{
    Str home = {0};
    for (Str tail = import; tail.len && home.len == 0;
         tail = str_slice(tail, str_find(tail, STR("/"), 0) + 1, tail.len)) {
        Str part = arena_printf(q->arena, "%.*s/", STR_FMT(tail));
        for (size_t i = 0; i < q->n_indexes; i++) {
            Str *paths;
            size_t n = index_files_containing(q->indexes[i], part, 2000, q->arena, &paths);
            for (size_t k = 0; k < n; k++) {
                Str folder = str_folder(paths[k]);
                size_t n_rest = folder.len - part.len;
                bool ends = str_ends(folder, part) && n_rest && folder.ptr[n_rest - 1] == '/';
                bool meant =
                    ends && str_ends(paths[k], STR(".go")) && !str_ends(paths[k], STR("_test.go"));
                if (meant && home.len == 0) home = folder;
                if (meant && str_equal(folder, home)) add_path(files, paths[k]);
            }
        }
        if (str_find(tail, STR("/"), 0) == tail.len) break;
    }
}

// Where `crate::` begins for a file: the folder around it that has lib.rs or main.rs.
static Str crate_folder(const Question *q, Str path)
{
    for (Str folder = str_folder(path); folder.len; folder = str_parent(folder)) {
        ModuleFiles files = {0};
        if (add_exact(q, arena_printf(q->arena, "%.*slib.rs", STR_FMT(folder)), &files) ||
            add_exact(q, arena_printf(q->arena, "%.*smain.rs", STR_FMT(folder)), &files))
            return folder;
    }
    return str_folder(path);
}

// Where the modules of a file lie: beside main.rs, lib.rs and mod.rs, else below the file's name.
static Str children_folder(const Question *q, Str path)
{
    Str name = str_base_name(path);
    bool root = str_equal(name, STR("main.rs")) || str_equal(name, STR("lib.rs")) ||
                str_equal(name, STR("mod.rs"));
    if (root || !str_ends(path, STR(".rs"))) return str_folder(path);
    return arena_printf(q->arena, "%.*s/", (int)(path.len - strlen(".rs")), path.ptr);
}

static bool add_rust_file(const Question *q, Str folder, Str name, ModuleFiles *files)
{
    return add_exact(q, arena_printf(q->arena, "%.*s%.*s.rs", STR_FMT(folder), STR_FMT(name)),
                     files) ||
           add_exact(q, arena_printf(q->arena, "%.*s%.*s/mod.rs", STR_FMT(folder), STR_FMT(name)),
                     files);
}

static void add_rust(const Question *q, Str path, Str import, ModuleFiles *files)
{
    Str folder = children_folder(q, path), file = path;
    while (import.len) {
        Str part = str_take(&import, STR("::"));
        ModuleFiles found = {0};
        if (str_equal(part, STR("crate"))) {
            folder = crate_folder(q, path);
            if (!add_rust_file(q, folder, STR("lib"), &found))
                add_rust_file(q, folder, STR("main"), &found);
        } else if (str_equal(part, STR("super"))) {
            bool of_folder = str_equal(folder, str_folder(file));
            folder = of_folder ? str_parent(folder) : str_folder(file);
            if (!add_exact(q, arena_printf(q->arena, "%.*smod.rs", STR_FMT(folder)), &found) &&
                !add_rust_file(q, folder, STR("lib"), &found))
                add_rust_file(q, folder, STR("main"), &found);
        } else if (str_equal(part, STR("self"))) {
            add_path(&found, file);
        } else {
            add_rust_file(q, folder, part, &found);
            if (found.n) folder = children_folder(q, found.paths[0]);
        }
        *files = found;
        if (found.n == 0) return;
        file = found.paths[0];
    }
}

ModuleFiles modules_files(const Question *q, const Language *lang, Str path, Str import)
{
    ModuleFiles files = {0};
    if (import.len == 0 || !lang) return files;
    if (is_language(lang, "python")) add_python(q, path, import, &files);
    if (is_language(lang, "javascript")) add_script(q, path, import, &files);
    if (is_language(lang, "go")) add_go(q, import, &files);
    if (is_language(lang, "rust")) add_rust(q, path, import, &files);
    return files;
}

// --- bindings

typedef struct Finder {
    const Question *question;
    Str all, name;
    ModuleBinding *out;
} Finder;

static Str text_of(const Finder *f, TSNode node)
{
    if (ts_node_is_null(node)) return STR("");
    ByteRange r = syntax_range(node);
    return str_slice(f->all, r.start, r.end);
}

static Str without_quotes(Str s)
{
    return s.len >= 2 ? str_slice(s, 1, s.len - 1) : STR("");
}

static bool bind_name(const Finder *f, Str bound, Str module, Str member)
{
    if (!str_equal(bound, f->name)) return false;
    *f->out = (ModuleBinding){arena_str(f->question->arena, module),
                              arena_str(f->question->arena, member)};
    return true;
}

static bool look_at_python(const Finder *f, TSNode statement)
{
    bool from = node_is(statement, "import_from_statement");
    if (!from && !node_is(statement, "import_statement")) return false;
    Str module = text_of(f, node_field(statement, "module_name"));
    for (uint32_t i = 0; i < ts_node_child_count(statement); i++) {
        const char *field = ts_node_field_name_for_child(statement, i);
        if (!field || strcmp(field, "name") != 0) continue;
        TSNode node = ts_node_child(statement, i);
        Str alias = text_of(f, node_field(node, "alias")), written = text_of(f, node);
        if (alias.len) written = text_of(f, node_field(node, "name"));
        Str first = str_slice(written, 0, str_find(written, STR("."), 0));
        bool found =
            from ? bind_name(f, alias.len ? alias : written, module, written)
                 : bind_name(f, alias.len ? alias : first, alias.len ? written : first, STR(""));
        if (found) return true;
    }
    return false;
}

// `{a, b as c}` of an import, or `{a, b: c}` of a require.
static bool look_at_braces(const Finder *f, Str braces, Str module)
{
    Str inner = without_quotes(str_trim(braces));
    while (inner.len) {
        Str item = str_trim(str_take(&inner, STR(","))), name = item;
        size_t as = str_find(item, STR(" as "), 0), colon = str_find(item, STR(":"), 0);
        if (as < item.len) {
            name = str_trim(str_slice(item, as + 4, item.len));
            item = str_trim(str_slice(item, 0, as));
        } else if (colon < item.len) {
            name = str_trim(str_slice(item, colon + 1, item.len));
            item = str_trim(str_slice(item, 0, colon));
        }
        if (name.len && bind_name(f, name, module, item)) return true;
    }
    return false;
}

static bool look_at_script(const Finder *f, TSNode statement)
{
    Str text = text_of(f, statement), name;
    if (node_is(statement, "import_statement")) {
        Str module = without_quotes(text_of(f, node_field(statement, "source")));
        size_t open = str_find(text, STR("{"), 0), close = str_find(text, STR("}"), 0);
        size_t star = str_find(text, STR("* as "), 0), from = str_find(text, STR(" from"), 0);
        if (open < close && look_at_braces(f, str_slice(text, open, close + 1), module))
            return true;
        name = str_slice(text, strlen("import"), open < from ? open : from);
        if (star < text.len) name = str_slice(text, star + strlen("* as "), from);
        name = str_trim(name);
        if (str_ends(name, STR(","))) name.len--;
        return bind_name(f, name, module, STR(""));
    }
    bool declares =
        node_is(statement, "lexical_declaration") || node_is(statement, "variable_declaration");
    size_t require = str_find(text, STR("require("), 0);
    if (!declares || require == text.len || ts_node_named_child_count(statement) != 1) return false;
    TSNode declarator = ts_node_named_child(statement, 0);
    Str rest = str_slice(text, require + strlen("require("), text.len);
    Str module = without_quotes(str_take(&rest, STR(")")));
    name = text_of(f, node_field(declarator, "name"));
    return str_starts(name, STR("{")) ? look_at_braces(f, name, module)
                                      : bind_name(f, name, module, STR(""));
}

static bool look_at_go(const Finder *f, TSNode statement)
{
    if (!node_is(statement, "import_declaration")) return false;
    TSNode list = ts_node_named_child(statement, 0);
    bool several = node_is(list, "import_spec_list");
    uint32_t n = several ? ts_node_named_child_count(list) : 1;
    for (uint32_t i = 0; i < n; i++) {
        TSNode spec = several ? ts_node_named_child(list, i) : list;
        Str path = without_quotes(text_of(f, node_field(spec, "path")));
        Str alias = text_of(f, node_field(spec, "name"));
        if (path.len && bind_name(f, alias.len ? alias : str_base_name(path), path, STR("")))
            return true;
    }
    return false;
}

// `a::b::{c, d::e as g}`; before: what stands before it.
static bool look_at_use(const Finder *f, Str before, Str tree, int depth)
{
    enum { MAX_DEPTH = 6 };
    Arena *arena = f->question->arena;
    size_t open = str_find(tree, STR("{"), 0);
    if (depth > MAX_DEPTH) return false;
    if (open < tree.len) {
        Str prefix = arena_printf(arena, "%.*s%.*s", STR_FMT(before), (int)open, tree.ptr);
        Str inner = str_slice(tree, open + 1, tree.len);
        for (size_t at = 0, start = 0, level = 0; at < inner.len; at++) {
            char c = inner.ptr[at];
            bool ends = level == 0 && (c == ',' || c == '}');
            if (ends && look_at_use(f, prefix, str_trim(str_slice(inner, start, at)), depth + 1))
                return true;
            if (ends) start = at + 1;
            if (ends && c == '}') return false;
            level += (c == '{') - (size_t)(c == '}');
        }
        return false;
    }
    size_t as = str_find(tree, STR(" as "), 0);
    Str alias = str_trim(str_slice(tree, as + 4, tree.len));
    Str path = arena_printf(arena, "%.*s%.*s", STR_FMT(before), (int)as, tree.ptr);
    size_t last = path.len;
    while (last > 0 && path.ptr[last - 1] != ':')
        last--;
    Str name = str_slice(path, last, path.len), module = str_slice(path, 0, last);
    if (module.len) module.len -= 2;
    return bind_name(f, alias.len ? alias : name, module.len ? module : name,
                     module.len ? name : STR(""));
}

static bool look_at_rust(const Finder *f, TSNode statement)
{
    if (node_is(statement, "use_declaration"))
        return look_at_use(f, STR(""), text_of(f, node_field(statement, "argument")), 0);
    bool elsewhere =
        node_is(statement, "mod_item") && ts_node_is_null(node_field(statement, "body"));
    Str name = elsewhere ? text_of(f, node_field(statement, "name")) : STR("");
    return name.len && bind_name(f, name, name, STR(""));
}

bool modules_binding(const Question *q, const Syntax *syntax, Str name, ModuleBinding *out)
{
    enum { MAX_STATEMENTS = 2000 };
    const Language *lang = syntax_language(syntax);
    bool (*look)(const Finder *f, TSNode statement) = is_language(lang, "python") ? look_at_python
                                                      : is_language(lang, "javascript")
                                                          ? look_at_script
                                                      : is_language(lang, "go")   ? look_at_go
                                                      : is_language(lang, "rust") ? look_at_rust
                                                                                  : NULL;
    Finder f = {q, text_str(syntax_text(syntax)), name, out};
    if (!look || name.len == 0) return false;
    TSTreeCursor cursor = ts_tree_cursor_new(syntax_root(syntax));
    bool found = false, more = ts_tree_cursor_goto_first_child(&cursor);
    for (int i = 0; more && !found && i < MAX_STATEMENTS; i++) {
        found = look(&f, ts_tree_cursor_current_node(&cursor));
        more = ts_tree_cursor_goto_next_sibling(&cursor);
    }
    ts_tree_cursor_delete(&cursor);
    return found;
}

// Paths before and after a move. An import is understood if it names a file beside the one that it
// stands in, or if just one file of the folders ends with it; what stands before it there is then a
// folder of the search path, below which the file must stay.
#include <string.h>
#include <unistd.h>

#include "features/modules.h"
#include "features/move_files.h"

Str moves_path(const FileMoves *m, Str path)
{
    for (size_t i = 0; i < m->n; i++) {
        Str old = m->items[i].old;
        if (!str_starts(path, old)) continue;
        Str rest = str_slice(path, old.len, path.len);
        if (rest.len && rest.ptr[0] != '/') continue;
        return arena_printf(m->question->arena, "%.*s%.*s", STR_FMT(m->items[i].new),
                            STR_FMT(rest));
    }
    return path;
}

static bool exists(const FileMoves *m, Str path)
{
    return access(arena_str(m->question->arena, path).ptr, F_OK) == 0;
}

// How a file in the folder writes the path: upwards as far as they have nothing in common.
static Str relative_to(const FileMoves *m, Str folder, Str path)
{
    StrBuf out = {0};
    while (!str_starts(path, folder)) {
        strbuf_append(&out, STR("../"));
        folder = str_parent(folder);
    }
    strbuf_append(&out, str_slice(path, folder.len, path.len));
    Str text = arena_str(m->question->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// The one file that ends so, of all folders; false where there are none or several.
static bool find_only(const FileMoves *m, Str ending, Str *found)
{
    size_t n = 0;
    for (size_t i = 0; i < m->question->n_indexes; i++) {
        Str *paths;
        size_t k =
            index_files_ending(m->question->indexes[i], ending, 2, m->question->arena, &paths);
        if (k > 0 && n > 0 && str_equal(paths[0], *found)) k--;
        if (k > 0 && n == 0) *found = paths[0];
        n += k;
    }
    return n == 1;
}

// --- C, C++

Str moves_include(const FileMoves *m, Str file, Str import, Str *found)
{
    if (import.len < 3) return STR("");
    bool quoted = import.ptr[0] == '"';
    Str inner = str_slice(import, 1, import.len - 1), text;
    Str near = modules_join(m->question->arena, str_folder(file), inner),
        new_folder = str_folder(moves_path(m, file));
    *found = STR("");
    if (quoted && exists(m, near)) {
        Str target = moves_path(m, *found = near);
        // Nothing moves, or all together.
        if (str_equal(target, modules_join(m->question->arena, new_folder, inner))) return STR("");
        text = relative_to(m, new_folder, target);
    } else {
        if (!find_only(m, inner, found)) return STR("");
        Str target = moves_path(m, *found), base = str_slice(*found, 0, found->len - inner.len);
        if (str_equal(target, *found) || !str_starts(target, base)) return STR("");
        text = str_slice(target, base.len, target.len);
        if (quoted && exists(m, modules_join(m->question->arena, new_folder, text)))
            return STR(""); // it would be that one
    }
    return arena_printf(m->question->arena, "%c%.*s%c", import.ptr[0], STR_FMT(text),
                        import.ptr[import.len - 1]);
}

// --- Python

static Str with_dots(const FileMoves *m, Str path)
{
    if (str_ends(path, STR(".py"))) path.len -= 3;
    if (str_equal(path, STR("__init__"))) path.len = 0;
    if (str_ends(path, STR("/__init__"))) path.len -= strlen("/__init__");
    Str dotted = arena_str(m->question->arena, path);
    for (size_t i = 0; i < dotted.len; i++)
        if (dotted.ptr[i] == '/') ((char *)(uintptr_t)dotted.ptr)[i] = '.';
    return dotted;
}

static bool are_names(Str dotted)
{
    while (dotted.len) {
        size_t end = str_find(dotted, STR("."), 0);
        if (!str_is_name(str_slice(dotted, 0, end))) return false;
        dotted = str_slice(dotted, end + 1, dotted.len);
    }
    return true;
}

static Str relative_module(const FileMoves *m, Str file, Str import, size_t n_dots, Str *found)
{
    Arena *arena = m->question->arena;
    Str folder = str_folder(file),
        rest = modules_dotted_path(m->question->arena, str_slice(import, n_dots, import.len));
    for (size_t i = 1; i < n_dots && folder.len; i++)
        folder = str_parent(folder);
    Str module = arena_printf(arena, "%.*s%.*s.py", STR_FMT(folder), STR_FMT(rest));
    Str package = arena_printf(arena, "%.*s%.*s%s__init__.py", STR_FMT(folder), STR_FMT(rest),
                               rest.len ? "/" : "");
    *found = rest.len && exists(m, module) ? module : exists(m, package) ? package : STR("");
    if (found->len == 0) return STR("");
    Str target = moves_path(m, *found), home = str_folder(moves_path(m, file));
    size_t up = 1;
    for (; home.len && !str_starts(target, home); up++)
        home = str_parent(home);
    if (up > n_dots && !exists(m, arena_printf(arena, "%.*s__init__.py", STR_FMT(home))))
        return STR(""); // above the packages
    Str dotted = with_dots(m, str_slice(target, home.len, target.len));
    if (!are_names(dotted)) return STR("");
    return arena_printf(arena, "%.*s%.*s", (int)up, "................", STR_FMT(dotted));
}

Str moves_module(const FileMoves *m, Str file, Str import, Str *found)
{
    Arena *arena = m->question->arena;
    size_t n_dots = 0;
    Str text;
    *found = STR("");
    while (n_dots < import.len && import.ptr[n_dots] == '.')
        n_dots++;
    if (n_dots > 15) return STR("");
    if (n_dots) {
        text = relative_module(m, file, import, n_dots, found);
    } else {
        Str path = modules_dotted_path(m->question->arena, import), package;
        if (!find_only(m, arena_printf(arena, "%.*s.py", STR_FMT(path)), found)) *found = STR("");
        bool is_package =
            find_only(m, arena_printf(arena, "%.*s/__init__.py", STR_FMT(path)), &package);
        if ((found->len > 0) == is_package) return STR("");
        if (is_package) *found = package;
        size_t n_end = is_package ? strlen("/__init__.py") : strlen(".py");
        Str base = str_slice(*found, 0, found->len - n_end - path.len);
        Str target = moves_path(m, *found);
        if (str_equal(target, *found) || !str_starts(target, base)) return STR("");
        text = with_dots(m, str_slice(target, base.len, target.len));
        if (!are_names(text)) return STR("");
    }
    return str_equal(text, import) ? STR("") : text;
}

// --- JavaScript, TypeScript

static const char *const script_ends[] = {"",          ".js",       ".ts",       ".tsx",
                                          ".jsx",      ".mjs",      ".cjs",      ".mts",
                                          "/index.js", "/index.ts", "/index.tsx"};

// What has to be added to the path for a file to be there; NULL: nothing helps.
static const char *find_end(const FileMoves *m, Str path)
{
    for (size_t i = 0; i < sizeof script_ends / sizeof *script_ends; i++) {
        Str whole = arena_printf(m->question->arena, "%.*s%s", STR_FMT(path), script_ends[i]);
        bool is_file = script_ends[i][0] ||
                       str_find(str_slice(path, str_folder(path).len, path.len), STR("."), 0) <
                           path.len - str_folder(path).len;
        if (is_file && exists(m, whole)) return script_ends[i];
    }
    return NULL;
}

Str moves_script(const FileMoves *m, Str file, Str import, Str *found)
{
    *found = STR("");
    if (!str_starts(import, STR("./")) && !str_starts(import, STR("../"))) return STR("");
    Arena *arena = m->question->arena;
    Str near = modules_join(m->question->arena, str_folder(file), import),
        new_folder = str_folder(moves_path(m, file));
    const char *end = find_end(m, near);
    if (!end) return STR("");
    *found = arena_printf(arena, "%.*s%s", STR_FMT(near), end);
    Str target = moves_path(m, *found);
    if (!str_ends(target, str_from(end))) return STR("");
    target.len -= strlen(end);
    if (str_equal(target, modules_join(m->question->arena, new_folder, import))) return STR("");
    Str text = relative_to(m, new_folder, target);
    return str_starts(text, STR("../")) ? text : arena_printf(arena, "./%.*s", STR_FMT(text));
}

// --- Go

// The module of the go.mod above a file; root is its folder with the '/'.
static Str module_above(const FileMoves *m, Str file, Str *root)
{
    enum { MAX_BYTES = 1 << 20 };
    Arena *arena = m->question->arena;
    Error err = {0};
    Str module = STR("");
    for (*root = str_folder(file); root->len; *root = str_parent(*root))
        if (exists(m, arena_printf(arena, "%.*sgo.mod", STR_FMT(*root)))) break;
    if (root->len == 0) return module;
    Str path = arena_printf(arena, "%.*sgo.mod", STR_FMT(*root));
    TextSnap *text = text_read_file(path.ptr, MAX_BYTES, &err);
    Str all = text ? text_str(text) : STR("");
    while (all.len && module.len == 0) {
        Str line = str_trim(str_take(&all, STR("\n")));
        if (str_starts(line, STR("module ")))
            module = arena_str(arena, str_trim(str_slice(line, strlen("module "), line.len)));
    }
    text_release(text);
    return module;
}

// A package is a folder: its path follows, and the name that it gives itself stays.
Str moves_package(const FileMoves *m, Str file, Str import, Str *found)
{
    Arena *arena = m->question->arena;
    Str root, module = module_above(m, file, &root);
    *found = STR("");
    Str below = arena_printf(arena, "%.*s/", STR_FMT(module));
    if (module.len == 0 || !str_starts(import, below)) return STR("");
    Str folder = arena_printf(arena, "%.*s%.*s", STR_FMT(root), (int)(import.len - below.len),
                              import.ptr + below.len);
    if (!exists(m, folder)) return STR("");
    Str target = moves_path(m, *found = folder),
        home = moves_path(m, str_slice(root, 0, root.len - 1));
    home = arena_printf(arena, "%.*s/", STR_FMT(home));
    if (!str_starts(target, home)) return STR("");
    Str text = arena_printf(arena, "%.*s%.*s", STR_FMT(below), (int)(target.len - home.len),
                            target.ptr + home.len);
    bool plain = !str_contains(text, " ") && !str_contains(text, "\"") && !str_contains(text, "..");
    return plain && !str_equal(text, import) ? text : STR("");
}

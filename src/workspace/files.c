// One walk, depth first, each folder in the order of its names, so that the answer is the same on
// every file system.
#include "workspace/files.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "base/vec.h"

enum { MAX_DEPTH = 16 };

typedef struct Walk {
    Str root;
    size_t max;
    Arena *arena;
    VEC(Str) found;
} Walk;

bool files_skips_folder(const char *name)
{
    static const char *const others[] = {"node_modules", "target", "__pycache__", "venv",
                                         "vendor",       "dist",   "out",         "third_party",
                                         "CMakeFiles",   "_deps",  "coverage",    NULL};
    if (name[0] == '.' || strncmp(name, "build", 5) == 0 || strncmp(name, "cmake-build", 11) == 0)
        return true;
    for (int i = 0; others[i]; i++)
        if (strcmp(name, others[i]) == 0) return true;
    return false;
}

Str files_path(Str root, Str relative, Arena *arena)
{
    return arena_printf(arena, "%.*s/%.*s", STR_FMT(root), STR_FMT(relative));
}

bool files_exists(Str root, Str relative, bool folder, Arena *arena)
{
    struct stat st;
    if (stat(files_path(root, relative, arena).ptr, &st) != 0) return false;
    return folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode);
}

Str files_read(Str root, Str relative, size_t max_bytes, Arena *arena)
{
    Error ignored = {0};
    TextSnap *text = text_read_file(files_path(root, relative, arena).ptr, max_bytes, &ignored);
    Str contents = text ? arena_str(arena, text_str(text)) : STR("");
    text_release(text);
    return contents;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void walk_folder(Walk *walk, Str folder, int depth);

static void walk_entry(Walk *walk, Str folder, const char *name, int depth)
{
    struct stat st;
    Str relative = folder.len ? arena_printf(walk->arena, "%.*s/%s", STR_FMT(folder), name)
                              : arena_str(walk->arena, str_from(name));
    if (lstat(files_path(walk->root, relative, walk->arena).ptr, &st) != 0) return;
    if (S_ISREG(st.st_mode))
        VEC_PUSH(&walk->found, relative);
    else if (S_ISDIR(st.st_mode) && !files_skips_folder(name) && depth < MAX_DEPTH)
        walk_folder(walk, relative, depth + 1);
}

static void walk_folder(Walk *walk, Str folder, int depth)
{
    struct dirent **entries;
    int n = scandir(files_path(walk->root, folder, walk->arena).ptr, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        if (walk->found.n < walk->max && entries[i]->d_name[0] != '.')
            walk_entry(walk, folder, entries[i]->d_name, depth);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
}

size_t files_list(Str root, size_t max, Arena *arena, Str **out)
{
    Walk walk = {.root = root, .max = max, .arena = arena};
    walk_folder(&walk, STR(""), 0);
    size_t n = walk.found.n;
    *out = arena_array(arena, n ? n : 1, sizeof **out);
    if (n) memcpy(*out, walk.found.items, n * sizeof **out);
    VEC_FREE(&walk.found);
    return n;
}

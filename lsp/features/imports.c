// An include is offered as it can be written: from the document's own folder, from below a folder
// `include`, else from the root of its folder.
#include "features/imports.h"

#include <string.h>

typedef enum ImportKind { IMPORT_NONE, IMPORT_INCLUDE, IMPORT_MODULE } ImportKind;

// Where the path begins that is being written at byte_off.
static ImportKind find_context(const TextSnap *text, const Language *lang, size_t byte_off,
                               size_t *start)
{
    if (!lang) return IMPORT_NONE;
    size_t line_start = text_line_start(text, text_point(text, byte_off).row);
    Str line = str_slice(text_str(text), line_start, byte_off), rest = str_trim(line);
    bool c_like = strcmp(lang->id, "c") == 0 || strcmp(lang->id, "cpp") == 0;
    if (c_like && str_starts(rest, STR("#"))) {
        rest = str_trim(str_slice(rest, 1, rest.len));
        size_t quote = str_find(line, STR("\""), 0), angle = str_find(line, STR("<"), 0);
        size_t open = quote < angle ? quote : angle;
        if (!str_starts(rest, STR("include")) || open == line.len) return IMPORT_NONE;
        *start = line_start + open + 1;
        return str_find(line, STR("\""), open + 1) < line.len ? IMPORT_NONE : IMPORT_INCLUDE;
    }
    bool module = str_starts(rest, STR("import ")) || str_starts(rest, STR("from "));
    if (strcmp(lang->id, "python") != 0 || !module) return IMPORT_NONE;
    size_t space = str_find(line, STR(" "), str_find(line, rest, 0));
    *start = line_start + space + 1;
    Str word = str_slice(line, space + 1, line.len);
    return str_find(word, STR(" "), 0) < word.len ? IMPORT_NONE : IMPORT_MODULE;
}

bool imports_is_context(const TextSnap *text, const Language *lang, size_t byte_off)
{
    size_t start;
    return find_context(text, lang, byte_off, &start) != IMPORT_NONE;
}

static Str folder_of(Str path)
{
    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

static bool is_header(Str path)
{
    return str_ends(path, STR(".h")) || str_ends(path, STR(".hpp")) || str_ends(path, STR(".hh")) ||
           str_ends(path, STR(".hxx"));
}

static Str as_include(const Question *q, Str path)
{
    const Str include = STR("/include/");
    Str folder = folder_of(q->path);
    if (!is_header(path)) return STR("");
    if (str_starts(path, folder)) return str_slice(path, folder.len, path.len);
    size_t at = str_find(path, include, 0);
    if (at < path.len) return str_slice(path, at + include.len, path.len);
    return str_slice(path, folder_of(path).len, path.len);
}

// Dotted, from the folder that the document shares with it.
static Str as_module(const Question *q, Str path)
{
    if (!str_ends(path, STR(".py"))) return STR("");
    Str folder = folder_of(q->path);
    while (folder.len && !str_starts(path, folder))
        folder = folder_of(str_slice(folder, 0, folder.len - 1));
    Str name = str_slice(path, folder.len, path.len - 3);
    if (str_ends(name, STR("/__init__"))) name.len -= strlen("/__init__");
    name = arena_str(q->arena, name);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/') ((char *)(uintptr_t)name.ptr)[i] = '.';
    return name;
}

size_t imports_find(const Question *q, ByteRange *word, size_t max, Str **out)
{
    enum { MAX_FILES = 20000 };
    size_t start, n_found = 0;
    ImportKind kind = find_context(q->text, q->lang, word->end, &start);
    Str prefix = str_slice(text_str(q->text), start, word->end);
    *out = arena_array(q->arena, max, sizeof **out);
    word->start = start;
    for (size_t i = 0; i < q->n_indexes; i++) {
        Str *paths, ending = kind == IMPORT_INCLUDE ? STR(".h") : STR(".py");
        size_t n = index_files_containing(q->indexes[i], ending, MAX_FILES, q->arena, &paths);
        for (size_t k = 0; k < n && n_found < max; k++) {
            if (str_equal(paths[k], q->path)) continue;
            Str name = kind == IMPORT_INCLUDE ? as_include(q, paths[k]) : as_module(q, paths[k]);
            if (name.len && str_starts(name, prefix)) (*out)[n_found++] = name;
        }
    }
    return n_found;
}

// The headers of the project that a file includes by "name", for the structures and typedefs that
// they define. What the compiler's options say of further folders is not known here: a name that
// more than one of the usual folders has is not read, unless it lies beside its includer.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formal/translate.h"

enum { MAX_HEADERS = 32, MAX_BYTES = 1 << 20, MAX_NESTED = 8 };

// NULL-terminated path of the header; empty: none, or it is not known which.
static Str find_header(const Translator *t, Str includer, Str name)
{
    static const char *const folders[] = {"", "include/", "src/"};
    Str beside = arena_printf(t->arena, "%.*s%.*s", STR_FMT(str_folder(includer)), STR_FMT(name));
    Str own = arena_printf(t->arena, "%.*s%.*s", STR_FMT(str_folder(t->file_path)), STR_FMT(name));
    if (access(beside.ptr, R_OK) == 0) return beside;
    Str found = access(own.ptr, R_OK) == 0 ? own : STR("");
    int n = found.len > 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && t->root.len; i++) {
        Str path =
            arena_printf(t->arena, "%.*s/%s%.*s", STR_FMT(t->root), folders[i], STR_FMT(name));
        if (access(path.ptr, R_OK) != 0 || str_equal(path, own)) continue;
        found = path;
        n++;
    }
    return n == 1 ? found : STR("");
}

static void read_includes(Translator *t, TSNode node, Str source, Str path, int depth);

static void read_header(Translator *t, Str path, int depth)
{
    Error err = {0};
    for (size_t i = 0; i < t->headers.n; i++)
        if (str_equal(t->headers.items[i].path, path)) return;
    if (t->headers.n == MAX_HEADERS || depth > MAX_NESTED) return;
    TextSnap *text = text_read_file(path.ptr, MAX_BYTES, &err);
    Syntax *syntax = text ? syntax_parse(syntax_language(t->syntax), text, NULL) : NULL;
    Header header = {path, syntax};
    if (syntax) VEC_PUSH(&t->headers, header);
    if (syntax) read_includes(t, syntax_root(syntax), text_str(text), path, depth + 1);
    text_release(text);
}

static void read_includes(Translator *t, TSNode node, Str source, Str path, int depth)
{
    for (TSNode c = node_first(node); !ts_node_is_null(c); c = node_next(c)) {
        TSNode name = node_field(c, "path");
        if (node_is(c, "preproc_include") && node_is(name, "string_literal")) {
            ByteRange r = syntax_range(name);
            Str text = str_slice(source, r.start + 1, r.end - 1);
            Str header = find_header(t, path, text);
            if (header.len) read_header(t, header, depth);
        } else if (strncmp(ts_node_type(c), "preproc_", 8) == 0) {
            read_includes(t, c, source, path, depth);
        }
    }
}

void headers_load(Translator *t)
{
    if (t->has_headers || t->file_path.len == 0) return;
    t->has_headers = true;
    read_includes(t, syntax_root(t->syntax), text_str(syntax_text(t->syntax)), t->file_path, 0);
}

const Syntax *headers_source(const Translator *t, size_t i)
{
    if (i == 0) return t->syntax;
    return i <= t->headers.n ? t->headers.items[i - 1].syntax : NULL;
}

void headers_free(Translator *t)
{
    for (size_t i = 0; i < t->headers.n; i++)
        syntax_release(t->headers.items[i].syntax);
    VEC_FREE(&t->headers);
}

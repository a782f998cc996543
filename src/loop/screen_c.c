// Writes C in which a function is several: its versions under other names, and one under its own
// name that calls whichever the process has. Lines of a version carry its number, so that what the
// compiler says of one can be told apart.
#include <string.h>

#include "loop/screen.h"

extern const char screen_runtime_start[];

enum { LINES_EACH = 10000 };

// The names of its parameters, as a call of another function with the same ones. False: they have
// no names, or there may be more.
static bool put_arguments(const Syntax *syntax, const SyntaxFunction *f, StrBuf *out)
{
    Str all = text_str(syntax_text(syntax));
    TSNode node = ts_node_descendant_for_byte_range(syntax_root(syntax), (uint32_t)f->whole.start,
                                                    (uint32_t)f->body.start);
    TSNode list = syntax_find_node(node, "parameter_list");
    if (ts_node_is_null(list)) return false;
    for (uint32_t i = 0, n = 0; i < ts_node_named_child_count(list); i++) {
        TSNode child = ts_node_named_child(list, i);
        ByteRange range = syntax_range(child);
        if (strcmp(ts_node_type(child), "comment") == 0) continue;
        if (str_equal(str_slice(all, range.start, range.end), STR("void"))) continue;
        if (strcmp(ts_node_type(child), "parameter_declaration") != 0) return false;
        TSNode declarator = ts_node_child_by_field_name(child, "declarator", 10);
        TSNode id =
            ts_node_is_null(declarator) ? declarator : syntax_find_node(declarator, "identifier");
        if (ts_node_is_null(id)) return false;
        range = syntax_range(id);
        strbuf_append(out, n++ ? STR(", ") : STR(""));
        strbuf_append(out, str_slice(all, range.start, range.end));
    }
    return true;
}

typedef struct Signature {
    Str before, name, after; // the text up to the body, around the function's name
    bool is_void;
    uint32_t row; // of the first line
    StrBuf arguments;
} Signature;

static bool read_signature(const Syntax *syntax, const SyntaxFunction *f, Signature *out)
{
    Str all = text_str(syntax_text(syntax));
    size_t at = (size_t)(f->name.ptr - all.ptr);
    *out = (Signature){.before = str_slice(all, f->whole.start, at),
                       .name = f->name,
                       .after = str_trim_end(str_slice(all, at + f->name.len, f->body.start)),
                       .row = text_point(syntax_text(syntax), f->whole.start).row};
    bool inlined = str_has_word(out->before, STR("inline")) &&
                   !str_has_word(out->before, STR("static")); // defined elsewhere too
    bool pointer = str_contains(out->before, "*");
    out->is_void = str_has_word(out->before, STR("void")) && !pointer;
    return !inlined && out->after.len > 0 && out->after.ptr[0] == '(' &&
           put_arguments(syntax, f, &out->arguments);
}

static void put_version(const Signature *s, const SyntaxFunction *f, Str version, size_t k,
                        size_t n_after, StrBuf *out)
{
    // "static" twice is an error, and not to have it a warning that may be one.
    bool is_static = str_has_word(s->before, STR("static"));
    strbuf_printf(out, "#line %zu\n%s%.*sr1ls_version_%zu%.*s\n", (k + 1) * LINES_EACH,
                  is_static ? "" : "static ", STR_FMT(s->before), k,
                  STR_FMT(str_slice(version, f->whole.start + s->before.len + s->name.len,
                                    version.len - n_after)));
}

static void put_dispatch(const Signature *s, const Str *versions, size_t n, StrBuf *out)
{
    Str arguments = strbuf_str(&s->arguments);
    const char *give = s->is_void ? "" : "return ";
    strbuf_printf(out, "%.*s%.*s%.*s\n{\n    switch (r1ls_version) {\n", STR_FMT(s->before),
                  STR_FMT(s->name), STR_FMT(s->after));
    for (size_t k = 1; k < n; k++)
        if (versions[k].ptr)
            strbuf_printf(out, "    case %zu: %sr1ls_version_%zu(%.*s);%s\n", k, give, k,
                          STR_FMT(arguments), s->is_void ? " break;" : "");
    strbuf_printf(out, "    default: %sr1ls_version_0(%.*s);%s\n    }\n}\n", give,
                  STR_FMT(arguments), s->is_void ? " break;" : "");
}

Str screen_c_harness(const Syntax *syntax, const SyntaxFunction *function, const Str *versions,
                     size_t n, double limit_ms, Arena *arena)
{
    Signature s;
    StrBuf out = {0};
    Str all = text_str(syntax_text(syntax)), text = STR("");
    if (read_signature(syntax, function, &s)) {
        strbuf_append(&out, STR("#define R1LS_LIST 0"));
        for (size_t k = 1; k < n; k++)
            if (versions[k].ptr) strbuf_printf(&out, ", %zu", k);
        strbuf_printf(&out, "\n#define R1LS_LIMIT_MS %.0f\n", limit_ms);
        strbuf_append(&out, str_from(screen_runtime_start));
        strbuf_printf(&out, "#line 1\n%.*s\n", STR_FMT(str_slice(all, 0, function->whole.start)));
        // One that is not declared would be missed by the linker alone, which cannot tell of whom.
        strbuf_printf(&out,
                      "%.*s%.*s%.*s;\n#pragma GCC diagnostic push\n#pragma GCC diagnostic error "
                      "\"-Wimplicit-function-declaration\"\n",
                      STR_FMT(s.before), STR_FMT(s.name), STR_FMT(s.after));
        for (size_t k = 0; k < n; k++)
            if (versions[k].ptr)
                put_version(&s, function, versions[k], k, all.len - function->whole.end, &out);
        strbuf_append(&out, STR("#pragma GCC diagnostic pop\n"));
        strbuf_printf(&out, "#line %u\n", s.row + 1);
        put_dispatch(&s, versions, n, &out);
        uint32_t last = text_point(syntax_text(syntax), function->whole.end).row;
        strbuf_printf(&out, "#line %u\n%.*s", last + 1,
                      STR_FMT(str_slice(all, function->whole.end, all.len)));
        text = arena_str(arena, strbuf_str(&out));
    }
    strbuf_deinit(&out);
    strbuf_deinit(&s.arguments);
    return text;
}

int screen_c_version(Str line)
{
    for (size_t at = str_find(line, STR(":"), 0); at < line.len;
         at = str_find(line, STR(":"), at + 1)) {
        size_t end = at + 1, number = 0;
        for (; end < line.len && end < at + 9 && line.ptr[end] >= '0' && line.ptr[end] <= '9';
             end++)
            number = 10 * number + (size_t)(line.ptr[end] - '0');
        if (end > at + 1 && end < line.len && line.ptr[end] == ':')
            return number >= LINES_EACH ? (int)(number / LINES_EACH) - 1 : -1;
    }
    return -1;
}

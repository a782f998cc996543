// Writes C around a function: its versions under other names, one that calls whichever is asked
// for, one that varies the arguments by their types, and a wrapper under the function's own name.
#include <string.h>

#include "loop/probe.h"

extern const char probe_runtime_start[];

enum { MAX_PARAMS = 8 };

typedef enum Kind { KIND_OPAQUE, KIND_INTEGER, KIND_REAL, KIND_TEXT } Kind;

typedef struct Param {
    Str type, name; // the declaration without its name; arrays as pointers
    Kind kind;      // of what it is, or points to
    bool pointer, constant;
    int length; // the parameter that counts what it points to; -1: none
} Param;

typedef struct Function {
    Str text, before_name, name, after_name; // whole; the signature around its name
    Str result;
    Kind result_kind;
    bool result_pointer, is_void;
    Param params[MAX_PARAMS];
    int n_params;
    ByteRange whole;
} Function;

// --- types ---------------------------------------------------------------------------------------

static bool has_word(Str s, const char *word)
{
    return str_has_word(s, str_from(word));
}

static bool has_any(Str s, const char *const *words)
{
    for (; *words; words++)
        if (has_word(s, *words)) return true;
    return false;
}

static Kind kind_of(Str type)
{
    static const char *const integers[] = {
        "int",      "unsigned", "long",     "short",    "size_t",    "ssize_t",   "char",
        "bool",     "_Bool",    "int8_t",   "int16_t",  "int32_t",   "int64_t",   "uint8_t",
        "uint16_t", "uint32_t", "uint64_t", "intptr_t", "uintptr_t", "ptrdiff_t", NULL};
    static const char *const others[] = {"struct", "union", "enum", NULL};
    static const char *const reals[] = {"double", "float", NULL};
    if (has_any(type, others)) return KIND_OPAQUE;
    if (has_any(type, reals)) return KIND_REAL;
    bool plain_char =
        has_word(type, "char") && !has_word(type, "unsigned") && !has_word(type, "signed");
    if (plain_char) return KIND_TEXT;
    return has_any(type, integers) ? KIND_INTEGER : KIND_OPAQUE;
}

static Str text_of(const Syntax *syntax, TSNode node)
{
    ByteRange r = syntax_range(node);
    return str_slice(text_str(syntax_text(syntax)), r.start, r.end);
}

// "const int a[]" is "const int *" and "a". False: no name, or a shape that is not understood.
static bool read_param(const Syntax *syntax, TSNode node, Param *p, Arena *arena)
{
    Str all = text_of(syntax, node);
    TSNode declarator = ts_node_child_by_field_name(node, "declarator", 10);
    TSNode id =
        ts_node_is_null(declarator) ? declarator : syntax_find_node(declarator, "identifier");
    *p = (Param){.length = -1};
    if (ts_node_is_null(id) || str_find(all, STR("("), 0) < all.len) return false;
    p->name = text_of(syntax, id);
    size_t at = (size_t)(p->name.ptr - all.ptr);
    Str rest = str_slice(all, at + p->name.len, all.len), type = str_slice(all, 0, at);
    bool array = str_starts(str_trim(rest), STR("["));
    if (array && str_find(rest, STR("["), 1 + str_find(rest, STR("["), 0)) < rest.len) return false;
    size_t n_stars = array;
    for (size_t i = 0; i < type.len; i++)
        n_stars += type.ptr[i] == '*';
    p->type = arena_printf(arena, "%.*s%s", STR_FMT(type), array ? "*" : "");
    p->pointer = n_stars > 0;
    p->constant = has_word(type, "const");
    p->kind = n_stars > 1 ? KIND_OPAQUE : kind_of(type);
    if (!p->pointer && p->kind == KIND_TEXT) p->kind = KIND_INTEGER;
    return true;
}

// A number after a pointer counts what it points to.
static void find_lengths(Function *f)
{
    for (int i = 0; i + 1 < f->n_params; i++) {
        Param *p = &f->params[i];
        bool counted = p->pointer && (p->kind == KIND_INTEGER || p->kind == KIND_REAL);
        if (counted && !f->params[i + 1].pointer && f->params[i + 1].kind == KIND_INTEGER)
            p->length = i + 1;
    }
}

static bool read_signature(const Syntax *syntax, const SyntaxFunction *found, Function *f,
                           Arena *arena)
{
    TSNode node = ts_node_descendant_for_byte_range(
        syntax_root(syntax), (uint32_t)found->whole.start, (uint32_t)found->body.start);
    TSNode list = syntax_find_node(node, "parameter_list");
    if (ts_node_is_null(list)) return false;
    for (uint32_t i = 0; i < ts_node_named_child_count(list); i++) {
        TSNode child = ts_node_named_child(list, i);
        if (str_equal(text_of(syntax, child), STR("void"))) continue;
        bool known = strcmp(ts_node_type(child), "parameter_declaration") == 0;
        if (!known || f->n_params == MAX_PARAMS) return false;
        if (!read_param(syntax, child, &f->params[f->n_params++], arena)) return false;
    }
    find_lengths(f);
    Str result = str_trim(f->before_name);
    f->result_pointer = str_find(result, STR("*"), 0) < result.len;
    f->is_void = has_word(result, "void") && !f->result_pointer;
    f->result_kind = kind_of(result);
    if (!f->result_pointer && f->result_kind == KIND_TEXT) f->result_kind = KIND_INTEGER;
    return f->is_void || f->result_pointer || f->result_kind != KIND_OPAQUE;
}

static bool read_function(const Language *lang, Str document, Str name, Function *f, Arena *arena)
{
    Error err = {0};
    TextSnap *text = text_new(document, &err);
    Syntax *syntax = text ? syntax_parse(lang, text, NULL) : NULL;
    SyntaxFunction found;
    bool ok = false;
    *f = (Function){0};
    for (uint32_t row = 0; syntax && !ok && row < text_n_lines(text); row++) {
        if (!syntax_function_at(syntax, text_line_start(text, row), &found) ||
            !str_equal(found.name, name))
            continue;
        size_t at = (size_t)(found.name.ptr - text_str(text).ptr);
        f->whole = found.whole;
        f->text = str_slice(document, found.whole.start, found.whole.end);
        f->before_name = str_slice(document, found.whole.start, at);
        f->name = str_slice(document, at, at + name.len);
        f->after_name = str_slice(document, at + name.len, found.body.start);
        ok = read_signature(syntax, &found, f, arena);
        for (int i = 0; i < f->n_params; i++)
            f->params[i].name = arena_str(arena, f->params[i].name);
        break;
    }
    syntax_release(syntax);
    text_release(text);
    return ok;
}

// --- writing -------------------------------------------------------------------------------------

// The arguments by their names; `changed` (-1: none) is `with` instead, and so may be one more.
static void put_arguments(const Function *f, int changed, const char *with, StrBuf *out)
{
    for (int i = 0; i < f->n_params; i++) {
        strbuf_append(out, i ? STR(", ") : STR(""));
        strbuf_append(out, i == changed ? str_from(with) : f->params[i].name);
    }
}

static void put_params(const Function *f, StrBuf *out)
{
    for (int i = 0; i < f->n_params; i++)
        strbuf_printf(out, "%s%.*s %.*s", i ? ", " : "", STR_FMT(f->params[i].type),
                      STR_FMT(f->params[i].name));
    if (f->n_params == 0) strbuf_append(out, STR("void"));
}

static void put_dispatch(const Function *f, int n, StrBuf *out)
{
    strbuf_printf(out, "static %.*s r1ls_dispatch(", STR_FMT(f->result));
    put_params(f, out);
    strbuf_append(out, STR(")\n{\n"));
    for (int k = n - 1; k >= 0; k--) {
        if (k) strbuf_printf(out, "    if (r1ls_which == %d) ", k);
        strbuf_printf(out, "%s%s r1ls_version_%d(", k ? "{ " : "    ", f->is_void ? "" : "return",
                      k);
        put_arguments(f, -1, "", out);
        strbuf_append(out, k ? f->is_void ? STR("); return; }\n") : STR("); }\n") : STR(");\n"));
    }
    strbuf_append(out, STR("}\n"));
}

static const char *putter_of(Kind kind)
{
    return kind == KIND_REAL   ? "r1ls_put_real"
           : kind == KIND_TEXT ? "r1ls_put_text"
                               : "r1ls_put_number";
}

// What can be told of memory after a call.
static void put_memory(const Function *f, const Param *p, StrBuf *out)
{
    if (!p->pointer || p->constant || p->kind == KIND_OPAQUE) return;
    if (p->kind == KIND_TEXT) {
        strbuf_printf(out, "    r1ls_put_text(r1ls_o, %.*s);\n", STR_FMT(p->name));
    } else if (p->length >= 0) {
        strbuf_printf(
            out,
            "    for (long r1ls_i = 0; r1ls_i < (long)%.*s && r1ls_i < R1LS_LIST; r1ls_i++)\n"
            "        %s(r1ls_o, %.*s[r1ls_i]);\n",
            STR_FMT(f->params[p->length].name), putter_of(p->kind), STR_FMT(p->name));
    } else {
        strbuf_printf(out, "    if (%.*s) %s(r1ls_o, *%.*s);\n", STR_FMT(p->name),
                      putter_of(p->kind), STR_FMT(p->name));
    }
}

static void put_show(const Function *f, StrBuf *out)
{
    strbuf_append(out, STR("static void r1ls_show(char *r1ls_o"));
    for (int i = 0; i < f->n_params; i++)
        strbuf_printf(out, ", %.*s %.*s", STR_FMT(f->params[i].type), STR_FMT(f->params[i].name));
    strbuf_append(out, STR(")\n{\n    "));
    if (!f->is_void) strbuf_printf(out, "%.*s r1ls_r = ", STR_FMT(f->result));
    strbuf_append(out, STR("r1ls_dispatch("));
    put_arguments(f, -1, "", out);
    strbuf_append(out, STR(");\n"));
    bool text = f->result_pointer && f->result_kind == KIND_TEXT;
    if (text)
        strbuf_append(out, STR("    r1ls_put_text(r1ls_o, r1ls_r);\n"));
    else if (f->result_pointer)
        strbuf_append(out, STR("    r1ls_put_number(r1ls_o, r1ls_r != 0);\n"));
    else if (!f->is_void)
        strbuf_printf(out, "    %s(r1ls_o, r1ls_r);\n", putter_of(f->result_kind));
    for (int i = 0; i < f->n_params; i++)
        put_memory(f, &f->params[i], out);
    strbuf_append(out, STR("}\n"));
}

static void put_question(const Function *f, StrBuf *out)
{
    strbuf_printf(out, "    r1ls_put(r1ls_asked, \"%.*s(\");\n", STR_FMT(f->name));
    for (int i = 0; i < f->n_params; i++) {
        const Param *p = &f->params[i];
        bool text = p->pointer && p->kind == KIND_TEXT && p->constant;
        if (text || (!p->pointer && p->kind != KIND_OPAQUE))
            strbuf_printf(out, "    %s(r1ls_asked, %.*s);\n", putter_of(p->kind), STR_FMT(p->name));
        else
            strbuf_printf(out, "    r1ls_put(r1ls_asked, \"%.*s, \");\n", STR_FMT(p->name));
    }
    strbuf_append(out, STR("    r1ls_put(r1ls_asked, \")\");\n"));
}

static void put_try(const Function *f, StrBuf *out)
{
    strbuf_append(out, STR("static void r1ls_try(int r1ls_edge"));
    for (int i = 0; i < f->n_params; i++)
        strbuf_printf(out, ", %.*s %.*s", STR_FMT(f->params[i].type), STR_FMT(f->params[i].name));
    strbuf_append(out, STR(")\n{\n    if (r1ls_inputs >= R1LS_MAX_INPUTS) return;\n"
                           "    r1ls_asked[0] = 0;\n"));
    put_question(f, out);
    strbuf_append(out, STR("    for (int r1ls_k = 0; r1ls_k < R1LS_VERSIONS; r1ls_k++) {\n"
                           "        int r1ls_ends[2];\n"
                           "        if (r1ls_given_up(r1ls_k)) continue;\n"
                           "        if (pipe(r1ls_ends) != 0) return;\n"
                           "        pid_t r1ls_child = fork();\n"
                           "        if (r1ls_child == 0) {\n"
                           "            char r1ls_o[R1LS_BYTES] = \"\";\n"
                           "            r1ls_which = r1ls_k;\n"
                           "            r1ls_limit();\n"
                           "            signal(SIGSEGV, SIG_DFL);\n"
                           "            r1ls_show(r1ls_o"));
    if (f->n_params) strbuf_append(out, STR(", "));
    put_arguments(f, -1, "", out);
    strbuf_append(out, STR(");\n"
                           "            _exit(write(r1ls_ends[1], r1ls_o, strlen(r1ls_o)) < 0);\n"
                           "        }\n"
                           "        close(r1ls_ends[1]);\n"
                           "        if (r1ls_child < 0) return;\n"
                           "        r1ls_receive(r1ls_k, r1ls_ends[0], r1ls_child);\n"
                           "    }\n"
                           "    r1ls_compare(r1ls_edge);\n}\n"));
}

static void put_call(const Function *f, const char *edge, int changed, const char *with,
                     StrBuf *out)
{
    strbuf_printf(out, "r1ls_try(%s%s", edge, f->n_params ? ", " : "");
    put_arguments(f, changed, with, out);
    strbuf_append(out, STR(");\n"));
}

static bool is_length(const Function *f, int i)
{
    return i > 0 && f->params[i - 1].length == i;
}

static void vary_number(const Function *f, int i, StrBuf *out)
{
    const Param *p = &f->params[i];
    Str name = p->name;
    // A length may only shrink.
    if (is_length(f, i))
        strbuf_printf(out,
                      "    for (int r1ls_j = 0; r1ls_j < 3; r1ls_j++) {\n"
                      "        long r1ls_v = r1ls_j == 0 ? (long)%.*s - 1 : r1ls_j == 1 ? 1 : 0;\n"
                      "        if (r1ls_v >= 0 && r1ls_v < (long)%.*s) ",
                      STR_FMT(name), STR_FMT(name));
    else
        strbuf_printf(
            out,
            "    for (int r1ls_j = 0; r1ls_j < 5; r1ls_j++) {\n"
            "        %.*s r1ls_v = r1ls_j == 0 ? %.*s - 1 : r1ls_j == 1 ? %.*s + 1 : r1ls_j == 2 ? "
            "2 * %.*s : r1ls_j == 3 ? 1 : 0;\n"
            "        if (!(r1ls_v < 0) || %.*s < 0) ",
            STR_FMT(p->type), STR_FMT(name), STR_FMT(name), STR_FMT(name), STR_FMT(name));
    put_call(f, "r1ls_v == 0", i, "r1ls_v", out);
    strbuf_append(out, STR("    }\n"));
}

static void vary_text(const Function *f, int i, StrBuf *out)
{
    strbuf_printf(out,
                  "    for (int r1ls_j = 0; r1ls_j < 7; r1ls_j++) {\n"
                  "        static char r1ls_b[512];\n"
                  "        r1ls_vary_text(r1ls_b, sizeof r1ls_b, %.*s, r1ls_j);\n        ",
                  STR_FMT(f->params[i].name));
    put_call(f, "1", i, "r1ls_b", out);
    strbuf_append(out, STR("    }\n"));
}

static void vary_list(const Function *f, int i, StrBuf *out)
{
    const Param *p = &f->params[i];
    Str n = f->params[p->length].name, element = p->type;
    size_t star = str_find(element, STR("*"), 0);
    Str plain = str_slice(element, 0, star);
    size_t at = str_find(plain, STR("const"), 0);
    if (at < plain.len) plain = str_slice(plain, at + 5, plain.len);
    strbuf_printf(out,
                  "    for (int r1ls_j = 0; r1ls_j < 3 && (long)%.*s > 0 && (long)%.*s <= "
                  "R1LS_LIST; r1ls_j++) {\n"
                  "        static %.*s r1ls_b[R1LS_LIST];\n"
                  "        for (long r1ls_i = 0; r1ls_i < (long)%.*s; r1ls_i++)\n"
                  "            r1ls_b[r1ls_i] = r1ls_j == 0 ? %.*s[(long)%.*s - 1 - r1ls_i] : "
                  "r1ls_j == 1 ? %.*s[0] "
                  ": -%.*s[r1ls_i];\n        ",
                  STR_FMT(n), STR_FMT(n), STR_FMT(plain), STR_FMT(n), STR_FMT(p->name), STR_FMT(n),
                  STR_FMT(p->name), STR_FMT(p->name));
    put_call(f, "1", i, "r1ls_b", out);
    strbuf_append(out, STR("    }\n"));
}

// A text that may be written is varied only where no other text can be what is read.
static bool is_read(const Function *f, int i)
{
    bool other = false;
    for (int k = 0; k < f->n_params; k++)
        other |= f->params[k].pointer && f->params[k].kind == KIND_TEXT && f->params[k].constant;
    return f->params[i].constant || !other;
}

static void put_probe(const Function *f, StrBuf *out)
{
    strbuf_append(out, STR("static void r1ls_probe("));
    put_params(f, out);
    strbuf_append(out, STR(")\n{\n    "));
    put_call(f, "0", -1, "", out);
    for (int i = 0; i < f->n_params; i++) {
        const Param *p = &f->params[i];
        if (!p->pointer && p->kind != KIND_OPAQUE) vary_number(f, i, out);
        if (p->pointer && p->kind == KIND_TEXT && is_read(f, i)) vary_text(f, i, out);
        if (p->length >= 0) vary_list(f, i, out);
    }
    strbuf_append(out, STR("}\n"));
}

static void put_wrapper(const Function *f, StrBuf *out)
{
    strbuf_printf(out, "%.*s%.*s%.*s\n{\n", STR_FMT(f->before_name), STR_FMT(f->name),
                  STR_FMT(f->after_name));
    strbuf_append(out, STR("    if (!r1ls_busy && r1ls_calls < R1LS_MAX_CALLS) {\n"
                           "        r1ls_calls++;\n        r1ls_busy = 1;\n        r1ls_probe("));
    put_arguments(f, -1, "", out);
    strbuf_printf(out, ");\n        r1ls_busy = 0;\n    }\n    %sr1ls_dispatch(",
                  f->is_void ? "" : "return ");
    put_arguments(f, -1, "", out);
    strbuf_append(out, STR(");\n}\n"));
}

// Without what only a definition may say.
static Str result_type(const Function *f, Arena *arena)
{
    Str type = str_trim(f->before_name);
    static const char *const words[] = {"static", "inline", "extern", NULL};
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; words[i]; i++) {
            if (!str_starts(type, str_from(words[i]))) continue;
            type = str_trim(str_slice(type, strlen(words[i]), type.len));
            again = true;
        }
    }
    return arena_str(arena, type);
}

static void put_includes(Str text, StrBuf *out)
{
    for (size_t at = 0; at < text.len; at = str_find(text, STR("\n"), at) + 1) {
        Str line = str_trim(str_slice(text, at, str_find(text, STR("\n"), at)));
        if (str_starts(line, STR("#include <"))) strbuf_printf(out, "%.*s\n", STR_FMT(line));
    }
}

Str probe_c_harness(const Language *lang, Str name, const Str *versions, int n, int was,
                    Str out_path, Arena *arena)
{
    Function f, other;
    StrBuf out = {0};
    if (!read_function(lang, versions[0], name, &f, arena)) return STR("");
    f.result = result_type(&f, arena);
    strbuf_printf(&out,
                  "#define R1LS_VERSIONS %d\n#define R1LS_WAS %d\n#define R1LS_OUT \"%.*s\"\n", n,
                  was, STR_FMT(out_path));
    for (int k = 0; k < n; k++)
        put_includes(versions[k], &out);
    strbuf_append(&out, str_from(probe_runtime_start));
    strbuf_append(&out, str_slice(versions[0], 0, f.whole.start));
    strbuf_printf(&out, "%.*s%.*s%.*s;\n", STR_FMT(f.before_name), STR_FMT(f.name),
                  STR_FMT(str_trim(f.after_name)));
    for (int k = 0; k < n; k++) {
        if (!read_function(lang, versions[k], name, &other, arena)) {
            strbuf_deinit(&out);
            return STR("");
        }
        size_t head = other.before_name.len + other.name.len;
        strbuf_printf(&out, "%.*sr1ls_version_%d%.*s\n", STR_FMT(other.before_name), k,
                      STR_FMT(str_slice(other.text, head, other.text.len)));
    }
    put_dispatch(&f, n, &out);
    put_show(&f, &out);
    put_try(&f, &out);
    put_probe(&f, &out);
    put_wrapper(&f, &out);
    strbuf_append(&out, str_slice(versions[0], f.whole.end, versions[0].len));
    Str text = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// compile_commands.json tells how a file is compiled; without it the compiler is asked with the
// file's folder and the project's include folders.
#include "verify/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>

#include "base/vec.h"

enum { MAX_DATABASE = 64 << 20 };

typedef VEC(char *) Words;

static char *copy(Arena *arena, Str s)
{
    return (char *)(uintptr_t)arena_str(arena, s).ptr;
}

static void add_word(Words *words, Arena *arena, const char *text)
{
    VEC_PUSH(words, copy(arena, str_from(text)));
}

// --- compile_commands.json ---------------------------------------------------------------------

// Splits a shell command as POSIX quoting does; no expansion, because nothing may be executed.
static void split_command(Words *words, Arena *arena, const char *text)
{
    StrBuf word = {0};
    bool any = false;
    char quote = 0;
    for (; *text; text++) {
        char c = *text;
        if (quote != '\'' && c == '\\' && text[1]) {
            strbuf_append_char(&word, *++text);
            any = true;
        } else if (quote ? c == quote : (c == '"' || c == '\'')) {
            quote = quote ? 0 : c;
            any = true;
        } else if (!quote && (c == ' ' || c == '\t' || c == '\n')) {
            if (any) VEC_PUSH(words, copy(arena, strbuf_str(&word)));
            strbuf_clear(&word);
            any = false;
        } else {
            strbuf_append_char(&word, c);
            any = true;
        }
    }
    if (any) VEC_PUSH(words, copy(arena, strbuf_str(&word)));
    strbuf_deinit(&word);
}

static const char *get_string(json_object *object, const char *key)
{
    json_object *value;
    bool ok = json_object_object_get_ex(object, key, &value) &&
              json_object_is_type(value, json_type_string);
    return ok ? json_object_get_string(value) : NULL;
}

static bool same_file(const char *folder, const char *file, Str wanted, Arena *arena)
{
    // A database has thousands of entries: resolve only paths that can be the one.
    const char *name = strrchr(file, '/');
    if (!str_ends(wanted, str_from(name ? name + 1 : file))) return false;
    Str path = file[0] == '/' ? str_from(file) : arena_printf(arena, "%s/%s", folder, file);
    char *a = realpath(copy(arena, path), NULL), *b = realpath(copy(arena, wanted), NULL);
    bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

// Options that write files or name inputs and outputs; *skip: the next word belongs to it.
static bool is_dropped(const char *word, bool *skip)
{
    static const char *const with_value[] = {"-o", "-MF", "-MT", "-MQ", "--output"};
    *skip = false;
    for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++)
        if (strcmp(word, with_value[i]) == 0) return *skip = true;
    return strcmp(word, "-c") == 0 || strcmp(word, "-S") == 0 || strncmp(word, "-M", 2) == 0 ||
           strncmp(word, "-o", 2) == 0 || strncmp(word, "-save-temps", 11) == 0 ||
           strncmp(word, "-fplugin", 8) == 0 || strcmp(word, "-wrapper") == 0;
}

// Only compilers: a database is data of the project and names any program it likes.
static bool is_compiler(const char *word)
{
    const char *slash = strrchr(word, '/'), *name = slash ? slash + 1 : word;
    static const char *const names[] = {"cc", "gcc", "clang", "c++", "g++", "clang++"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(name, names[i], n) == 0 && (!name[n] || name[n] == '-')) return true;
    }
    return false;
}

// Warnings that mean a bug in nearly every case count as errors; where the file had them before,
// the comparison with the original leaves them out.
static const char *const strict_options[] = {
    "-fsyntax-only",          "-Werror=implicit",
    "-Werror=int-conversion", "-Werror=incompatible-pointer-types",
    "-Werror=return-type",    "-fdiagnostics-parseable-fixits"};

static char **adapt(const Words *words, const VerifyRequest *request, const char *folder,
                    const char *scratch, Arena *arena)
{
    Words out = {0};
    bool skip = false;
    for (size_t i = 0; i < words->n; i++) {
        const char *w = words->items[i];
        if (is_dropped(w, &skip)) {
            i += skip;
            continue;
        }
        if (i > 0 && w[0] != '-' && same_file(folder, w, request->file_path, arena)) continue;
        add_word(&out, arena, w);
    }
    Str dir = str_folder(request->file_path);
    for (size_t i = 0; i < sizeof strict_options / sizeof *strict_options; i++)
        add_word(&out, arena, strict_options[i]);
    add_word(&out, arena, "-iquote");
    VEC_PUSH(&out, copy(arena, dir));
    add_word(&out, arena, scratch);
    VEC_PUSH(&out, NULL);
    char **argv = arena_array(arena, out.n, sizeof *argv);
    memcpy(argv, out.items, out.n * sizeof *argv);
    VEC_FREE(&out);
    return argv;
}

static char **from_entry(json_object *entry, const VerifyRequest *request, const char *scratch,
                         Arena *arena, const char **folder)
{
    const char *file = get_string(entry, "file"), *dir = get_string(entry, "directory");
    const char *command = get_string(entry, "command");
    json_object *arguments = NULL;
    if (!file || !dir || !same_file(dir, file, request->file_path, arena)) return NULL;
    Words words = {0};
    if (json_object_object_get_ex(entry, "arguments", &arguments) &&
        json_object_is_type(arguments, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(arguments); i++)
            add_word(&words, arena,
                     json_object_get_string(json_object_array_get_idx(arguments, i)));
    } else if (command) {
        split_command(&words, arena, command);
    }
    *folder = copy(arena, str_from(dir));
    bool ok = words.n > 0 && is_compiler(words.items[0]);
    char **argv = ok ? adapt(&words, request, *folder, scratch, arena) : NULL;
    VEC_FREE(&words);
    return argv;
}

static char **from_database(const VerifyRequest *request, const char *scratch, Arena *arena,
                            const char **folder)
{
    static const char *const places[] = {"", "build/", "build/release/", "build/debug/", "out/"};
    char **argv = NULL;
    for (size_t i = 0; !argv && i < sizeof places / sizeof *places; i++) {
        Error ignored = {0};
        Str path =
            arena_printf(arena, "%.*s/%scompile_commands.json", STR_FMT(request->root), places[i]);
        TextSnap *text = text_read_file(path.ptr, MAX_DATABASE, &ignored);
        json_object *list = text ? json_tokener_parse(text_str(text).ptr) : NULL;
        text_release(text);
        size_t n =
            list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
        for (size_t k = 0; !argv && k < n; k++) {
            json_object *entry = json_object_array_get_idx(list, k);
            if (json_object_is_type(entry, json_type_object))
                argv = from_entry(entry, request, scratch, arena, folder);
        }
        json_object_put(list);
    }
    return argv;
}

// --- without a database ------------------------------------------------------------------------

static char **default_compiler(const VerifyRequest *request, const char *scratch, bool cpp,
                               Arena *arena)
{
    Str dir = str_folder(request->file_path);
    char **argv = arena_array(arena, 24, sizeof *argv);
    int n = 0;
    argv[n++] = copy(arena, cpp ? STR("c++") : STR("cc"));
    size_t n_options = cpp ? 1 : sizeof strict_options / sizeof *strict_options; // C's own
    for (size_t i = 0; i < n_options; i++)
        argv[n++] = copy(arena, str_from(strict_options[i]));
    argv[n++] = copy(arena, STR("-x"));
    argv[n++] = copy(arena, cpp ? STR("c++") : STR("c"));
    argv[n++] = copy(arena, arena_printf(arena, "-I%.*s", STR_FMT(dir)));
    argv[n++] = copy(arena, arena_printf(arena, "-I%.*s", STR_FMT(request->root)));
    argv[n++] = copy(arena, arena_printf(arena, "-I%.*s/include", STR_FMT(request->root)));
    argv[n++] = copy(arena, arena_printf(arena, "-I%.*s/src", STR_FMT(request->root)));
    argv[n++] = copy(arena, str_from(scratch));
    return argv;
}

static char **python_compiler(const char *scratch, Arena *arena)
{
    char **argv = arena_array(arena, 8, sizeof *argv);
    int n = 0;
    argv[n++] = copy(arena, STR("python3"));
    argv[n++] = copy(arena, STR("-I"));
    argv[n++] = copy(arena, STR("-S"));
    argv[n++] = copy(arena, STR("-c"));
    argv[n++] =
        copy(arena, STR("import sys\np = sys.argv[1]\ntry:\n"
                        "    compile(open(p, 'rb').read(), p, 'exec')\n"
                        "except (SyntaxError, ValueError) as e:\n"
                        "    sys.exit('%s:%s: error: %s' % (p, getattr(e, 'lineno', 0), e))"));
    argv[n++] = copy(arena, str_from(scratch));
    return argv;
}

// Scripts and modules are parsed, not run. What only a build tool understands (JSX) is left alone.
static char **javascript_parser(const VerifyRequest *request, const char *scratch, Arena *arena,
                                Str *why)
{
    Str text = text_str(request->text);
    bool jsx = str_ends(request->file_path, STR(".jsx")) ||
               str_find(text, STR("</"), 0) < text.len || str_find(text, STR("/>"), 0) < text.len;
    if (jsx) {
        *why = STR("no compile check for JSX");
        return NULL;
    }
    char **argv = arena_array(arena, 8, sizeof *argv);
    int n = 0;
    argv[n++] = copy(arena, STR("node"));
    argv[n++] = copy(arena, STR("--no-warnings"));
    argv[n++] = copy(arena, STR("--experimental-vm-modules"));
    argv[n++] = copy(arena, STR("-e"));
    argv[n++] = copy(
        arena,
        STR("const vm = require('vm'), p = process.argv[1]\n"
            "const s = require('fs').readFileSync(p, 'utf8')\n"
            "const run = f => { try { f(); return null } catch (e) { return e } }\n"
            "let e = run(() => new vm.Script(s, {filename: p}))\n"
            "if (e) { const m = run(() => new vm.SourceTextModule(s, {identifier: p}))\n"
            "  if (!m) e = null; else if (/^\\s*(import|export)\\b/m.test(s)) e = m }\n"
            "if (e) { const at = /:(\\d+)\\n/.exec(e.stack)\n"
            "  console.error(`${p}:${at ? at[1] : 1}: error: ${e.message}`); process.exit(1) }"));
    argv[n++] = copy(arena, str_from(scratch));
    return argv;
}

char **command_find(const VerifyRequest *request, const char *scratch_path, Arena *arena,
                    const char **folder, Str *why)
{
    const char *id = request->lang ? request->lang->id : "";
    bool c = strcmp(id, "c") == 0, cpp = strcmp(id, "cpp") == 0;
    *folder = "/";
    if (c || cpp) {
        char **argv = request->trusted ? from_database(request, scratch_path, arena, folder) : NULL;
        return argv ? argv : default_compiler(request, scratch_path, cpp, arena);
    }
    if (strcmp(id, "python") == 0) return python_compiler(scratch_path, arena);
    if (strcmp(id, "javascript") == 0) return javascript_parser(request, scratch_path, arena, why);
    *why = arena_printf(arena, "no compile check for %s",
                        request->lang ? request->lang->title : "this language");
    return NULL;
}

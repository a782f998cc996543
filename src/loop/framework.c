// What differs between frameworks is text: the rows below, and one function each that places new
// tests into a file of C, Python, JavaScript, Go or Rust.
#include "loop/framework.h"

#include <string.h>

#include "prompt/indent.h"
#include "verify/project.h"
#include "workspace/files.h"

enum { MAX_TEST_FILE = 1 << 19, MAX_STATEMENTS = 16, MAX_DEPTH = 40 };

static const Framework frameworks[] = {
    {"cmocka",
     "c",
     "cmocka.h",
     {"assert_"},
     "assert_int_equal(F(1, 2), 3);",
     "static void test_F(void **state)\n{\n    (void)state;\n"},
    {"Check",
     "c",
     "check.h",
     {"ck_assert"},
     "ck_assert_int_eq(F(1, 2), 3);",
     "START_TEST(test_F)\n{\n"},
    {"assert", "c", NULL, {"assert("}, "assert(F(1, 2) == 3);", "static void test_F(void)\n{\n"},
    {"unittest",
     "python",
     "unittest",
     {"self.assert"},
     "self.assertEqual(F(1, 2), 3)",
     "class TestF(unittest.TestCase):\n    def test_F(self):\n"},
    {"pytest",
     "python",
     "def test",
     {"assert ", "pytest.raises"},
     "assert F(1, 2) == 3",
     "def test_F():\n"},
    {"unittest",
     "python",
     NULL,
     {"self.assert"},
     "self.assertEqual(F(1, 2), 3)",
     "class TestF(unittest.TestCase):\n    def test_F(self):\n"},
    {"node:test",
     "javascript",
     NULL,
     {"assert.", "assert("},
     "assert.deepStrictEqual(F(1, 2), 3);",
     "test('F', () => {\n"},
    {"go test",
     "go",
     NULL,
     {"t.Error", "t.Fatal"},
     "if got := F(1, 2); got != 3 {\n\t\tt.Errorf(\"got %v\", got)\n\t}",
     "func TestF(t *testing.T) {\n"},
    {"cargo test",
     "rust",
     NULL,
     {"assert!", "assert_eq!", "assert_ne!"},
     "assert_eq!(F(1, 2), 3);",
     "#[test]\nfn test_F() {\n"},
};
enum { N_FRAMEWORKS = sizeof frameworks / sizeof *frameworks };

Str framework_fill(const TestPlan *plan, const char *pattern, Arena *arena)
{
    StrBuf out = {0};
    // The only capital F in the rows that stands alone or ends a name.
    for (const char *p = pattern; *p; p++) {
        bool mark = *p == 'F' && !(p[1] >= 'a' && p[1] <= 'z');
        strbuf_append(&out, mark ? plan->name : (Str){p, 1});
    }
    Str filled = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return filled;
}

// --- which file ----------------------------------------------------------------------------------

static Str folder_of(Str file)
{
    size_t slash = file.len;
    while (slash > 0 && file.ptr[slash - 1] != '/')
        slash--;
    return str_slice(file, 0, slash);
}

static Str stem_of(Str file)
{
    Str name = str_slice(file, folder_of(file).len, file.len);
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.')
        dot--;
    return str_slice(name, 0, dot ? dot - 1 : name.len);
}

// The first row of the language whose sign the text shows; any: rows without a sign count too.
static const Framework *recognise(const char *lang, Str text, bool any)
{
    for (size_t i = 0; i < N_FRAMEWORKS; i++) {
        const Framework *f = &frameworks[i];
        if (strcmp(f->lang, lang) != 0 || (!f->sign && !any)) continue;
        if (!f->sign || str_contains(text, f->sign)) return f;
    }
    return NULL;
}

// How near a test file is to the function: it speaks of it, of its file, of anything; 0: not at
// all.
static int rate(const TestPlan *plan, const char *lang, Str file, Str text)
{
    const Language *other = language_by_path(file.ptr);
    if (!other || strcmp(other->id, lang) != 0 || !project_is_test_file(file)) return 0;
    if (!recognise(lang, text, true)) return 0;
    // A test of C is compiled with a main, and only where its own parts are.
    if (strcmp(lang, "c") == 0 && !str_contains(text, "main(")) return 0;
    if (str_has_word(text, plan->name)) return 3;
    if (str_has_word(text, stem_of(plan->source))) return 2;
    return 0;
}

static Str new_file(const TestPlan *plan, Str root, const char *lang, Arena *arena)
{
    Str stem = stem_of(plan->source), folder = folder_of(plan->source);
    static const char *const places[] = {"tests", "test", NULL};
    if (strcmp(lang, "go") == 0)
        return arena_printf(arena, "%.*s%.*s_test.go", STR_FMT(folder), STR_FMT(stem));
    if (strcmp(lang, "rust") == 0) return arena_printf(arena, "tests/%.*s.rs", STR_FMT(plan->name));
    for (int i = 0; places[i]; i++)
        if (files_exists(root, str_from(places[i]), true, arena))
            folder = arena_printf(arena, "%s/", places[i]);
    if (strcmp(lang, "javascript") == 0)
        return arena_printf(arena, "%.*s%.*s.%.*s.test.js", STR_FMT(folder), STR_FMT(stem),
                            STR_FMT(plan->name));
    return arena_printf(arena, "%.*stest_%.*s_%.*s.%s", STR_FMT(folder), STR_FMT(stem),
                        STR_FMT(plan->name), strcmp(lang, "c") == 0 ? "c" : "py");
}

static void choose_file(TestPlan *plan, Str root, const char *lang, Arena *arena)
{
    Str *files, seen = {0};
    int best = 0;
    size_t n = files_list(root, PROJECT_MAX_FILES, arena, &files);
    for (size_t i = 0; i < n; i++) {
        if (!project_is_test_file(files[i])) continue;
        Str text = files_read(root, files[i], MAX_TEST_FILE, arena);
        int rating = rate(plan, lang, files[i], text);
        const Language *other = language_by_path(files[i].ptr);
        if (seen.len == 0 && other && strcmp(other->id, lang) == 0) seen = text;
        if (rating <= best) continue;
        best = rating;
        plan->file = files[i];
        plan->before = text;
    }
    plan->is_new = best == 0;
    bool plain = plan->is_new && strcmp(lang, "c") == 0; // nothing would link a framework to it
    if (plan->is_new) plan->file = new_file(plan, root, lang, arena);
    plan->framework = plain ? recognise(lang, STR(""), true)
                            : recognise(lang, plan->is_new ? seen : plan->before, true);
    if (plan->is_new && seen.len == 0 && strcmp(lang, "python") == 0 &&
        project_has_program("pytest"))
        plan->framework = recognise(lang, STR("def test"), true);
}

// --- commands and imports ------------------------------------------------------------------------

// "pkg/a.py" is pkg.a; what lies in src is found without it.
static Str module_of(Str source, Arena *arena)
{
    if (str_starts(source, STR("src/"))) source = str_slice(source, 4, source.len);
    Str module =
        arena_str(arena, str_slice(source, 0, source.len - (str_ends(source, STR(".py")) ? 3 : 0)));
    for (size_t i = 0; i < module.len; i++)
        if (module.ptr[i] == '/') ((char *)(uintptr_t)module.ptr)[i] = '.';
    return module;
}

// How the source is reached from the test file: "../src/a.c".
static Str relative_source(const TestPlan *plan, Arena *arena)
{
    StrBuf out = {0};
    Str folder = folder_of(plan->file), source = plan->source;
    while (folder.len &&
           str_starts(source, str_slice(folder, 0, str_find(folder, STR("/"), 0) + 1))) {
        size_t n = str_find(folder, STR("/"), 0) + 1;
        folder = str_slice(folder, n, folder.len);
        source = str_slice(source, n, source.len);
    }
    for (size_t i = 0; i < folder.len; i++)
        if (folder.ptr[i] == '/') strbuf_append(&out, STR("../"));
    strbuf_append(&out, source);
    Str path = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return path;
}

static Str find_command(const TestPlan *plan, Str root, Arena *arena)
{
    const char *lang = plan->framework->lang;
    const char *path = files_exists(root, STR("src"), true, arena) ? "PYTHONPATH=\"$PWD/src:$PWD\""
                                                                   : "PYTHONPATH=\"$PWD\"";
    if (strcmp(lang, "c") == 0)
        return plan->is_new ? arena_printf(arena,
                                           "cc -w -I. -Iinclude -Isrc -o .r1ls-test '%.*s' -lm && "
                                           "./.r1ls-test",
                                           STR_FMT(plan->file))
                            : STR("");
    if (strcmp(plan->framework->name, "pytest") == 0)
        return arena_printf(arena, "%s python3 -m pytest -q '%.*s'", path, STR_FMT(plan->file));
    if (strcmp(lang, "python") == 0) {
        Str folder = folder_of(plan->file);
        return arena_printf(arena, "%s python3 -m unittest discover -s '%.*s' -p '%.*s'", path,
                            STR_FMT(folder.len ? folder : STR(".")),
                            STR_FMT(str_slice(plan->file, folder.len, plan->file.len)));
    }
    if (strcmp(lang, "javascript") == 0)
        return arena_printf(arena, "node --test '%.*s'", STR_FMT(plan->file));
    // Without a test yet, the project's own command only builds.
    if (strcmp(lang, "go") == 0 && project_has_program("go")) return STR(PROJECT_GO_TESTS);
    if (strcmp(lang, "rust") == 0 && project_has_program("cargo")) return STR(PROJECT_CARGO_TESTS);
    return STR(""); // the project's own
}

static Str find_poison(const Framework *f)
{
    if (strcmp(f->lang, "c") == 0) return STR("#error poison\n");
    if (strcmp(f->lang, "python") == 0) return STR("raise SystemError('poison')\n");
    return STR("poison poison poison\n");
}

// The class around an indented function of Python; else the function itself.
static Str find_subject(const Syntax *syntax, const Task *task)
{
    const TextSnap *text = syntax_text(syntax);
    uint32_t row = text_point(text, task->function.whole.start).row;
    size_t indent = indent_blanks(text_line(text, row)).len;
    if (strcmp(syntax_language(syntax)->id, "python") != 0 || indent == 0) return task->name;
    for (; row > 0; row--) {
        Str line = text_line(text, row - 1);
        if (!str_starts(line, STR("class "))) continue;
        size_t end = 6;
        while (end < line.len && str_is_word_byte(line.ptr[end]))
            end++;
        return str_slice(line, 6, end);
    }
    return task->name;
}

static Str word_after(Str text, const char *lead)
{
    size_t start = str_find(text, str_from(lead), 0) + strlen(lead), end = start;
    while (end < text.len && str_is_word_byte(text.ptr[end]))
        end++;
    return str_slice(text, start, end);
}

bool framework_plan(Str root, Str path, const Syntax *syntax, const Task *task, Arena *arena,
                    TestPlan *out)
{
    const char *lang = syntax_language(syntax)->id;
    Str all = text_str(syntax_text(syntax));
    *out = (TestPlan){.name = task->name, .source = path};
    if (!recognise(lang, STR(""), true) || task->name.len == 0) return false;
    out->subject = find_subject(syntax, task);
    out->source_main = str_contains(all, "main(");
    choose_file(out, root, lang, arena);
    if (out->is_new && !files_exists(root, folder_of(out->file), true, arena)) return false;
    if (strcmp(lang, "go") == 0) out->package = word_after(all, "package ");
    if (strcmp(lang, "rust") == 0)
        out->package =
            word_after(files_read(root, STR("Cargo.toml"), MAX_TEST_FILE, arena), "name = \"");
    out->command = find_command(out, root, arena);
    out->poison = find_poison(out->framework);
    return true;
}

// --- cases ---------------------------------------------------------------------------------------

typedef struct Collect {
    const TestPlan *plan;
    Str all;
    Arena *arena;
    TestCase *out;
    size_t n, max;
} Collect;

static bool asserts(const Framework *f, Str text)
{
    for (int i = 0; i < 5 && f->assertion[i]; i++)
        if (str_contains(text, f->assertion[i])) return true;
    return false;
}

static Str text_of(const Collect *c, TSNode node)
{
    ByteRange range = syntax_range(node);
    return str_slice(c->all, range.start, range.end);
}

// A definition, or a call that holds a test of its own, is no statement of this test.
static bool holds_tests(const Collect *c, TSNode node)
{
    static const char *const definitions[] = {"function", "class",   "decorated", "mod_item",
                                              "import",   "preproc", NULL};
    static const char *const callers[] = {"test(", "it(", "describe(", NULL};
    for (int i = 0; definitions[i]; i++)
        if (str_starts(str_from(ts_node_type(node)), str_from(definitions[i]))) return true;
    for (int i = 0; callers[i]; i++)
        if (str_starts(text_of(c, node), str_from(callers[i]))) return true;
    return false;
}

static bool is_noise(const Collect *c, TSNode node)
{
    Str text = text_of(c, node);
    return strstr(ts_node_type(node), "comment") || str_starts(text, STR("return")) ||
           str_starts(text, STR("(void)")) || str_starts(text, STR("print")) ||
           str_starts(text, STR("pass")) || ts_node_has_error(node) || holds_tests(c, node);
}

// Lines after the first lose the indentation of the statement.
static Str unindent(const Collect *c, TSNode node)
{
    StrBuf out = {0};
    Str text = text_of(c, node);
    size_t column = ts_node_start_point(node).column;
    for (size_t at = 0; at < text.len; at = str_find(text, STR("\n"), at) + 1) {
        Str line = str_slice(text, at, str_find(text, STR("\n"), at));
        size_t blanks = indent_blanks(line).len, drop = at == 0           ? 0
                                                        : blanks < column ? blanks
                                                                          : column;
        strbuf_printf(&out, "%s%.*s", at ? "\n" : "", STR_FMT(str_slice(line, drop, line.len)));
    }
    // Go's statements end with their line; C's own their semicolon.
    Str fitted = arena_str(c->arena, str_trim_end(strbuf_str(&out)));
    strbuf_deinit(&out);
    return fitted;
}

static bool has_statement(const TestCase *cases, size_t n, Str text)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < cases[i].n; k++)
            if (cases[i].items[k].asserts && str_equal(cases[i].items[k].text, text)) return true;
    return false;
}

static void take_block(Collect *c, TSNode block)
{
    const Framework *f = c->plan->framework;
    uint32_t n_children = ts_node_named_child_count(block);
    TestCase found = {.items = arena_array(c->arena, MAX_STATEMENTS, sizeof *found.items)};
    bool any = false;
    for (uint32_t i = 0; i < n_children && found.n < MAX_STATEMENTS; i++) {
        TSNode node = ts_node_named_child(block, i);
        if (is_noise(c, node)) continue;
        TestStatement s = {.text = unindent(c, node)};
        s.asserts = asserts(f, s.text);
        if (s.asserts && (has_statement(c->out, c->n, s.text) || has_statement(&found, 1, s.text)))
            continue;
        any = any || s.asserts;
        found.items[found.n++] = s;
    }
    // What comes after the last assertion decides nothing.
    while (found.n && !found.items[found.n - 1].asserts)
        found.n--;
    if (any && c->n < c->max) c->out[c->n++] = found;
}

static void visit(Collect *c, TSNode node, int depth)
{
    const char *type = ts_node_type(node);
    uint32_t n = ts_node_named_child_count(node);
    bool block = strcmp(type, "block") == 0 || strcmp(type, "compound_statement") == 0 ||
                 strcmp(type, "statement_block") == 0 || strcmp(type, "statement_list") == 0 ||
                 depth == 0;
    bool direct = false;
    for (uint32_t i = 0; block && i < n && !direct; i++) {
        TSNode child = ts_node_named_child(node, i);
        direct = !is_noise(c, child) && strcmp(ts_node_type(child), "statement_list") != 0 &&
                 asserts(c->plan->framework, text_of(c, child));
    }
    if (direct) take_block(c, node);
    for (uint32_t i = 0; i < n && depth < MAX_DEPTH; i++) {
        TSNode child = ts_node_named_child(node, i);
        // Blocks within a test's statements are part of them.
        if (!direct || holds_tests(c, child)) visit(c, child, depth + 1);
    }
}

size_t framework_cases(const TestPlan *plan, const Language *lang, Str code, size_t max,
                       Arena *arena, TestCase *out)
{
    Error err = {0};
    TextSnap *text = text_new(code, &err);
    Syntax *syntax = text ? syntax_parse(lang, text, NULL) : NULL;
    Collect c = {.plan = plan, .arena = arena, .out = out, .max = max};
    if (syntax) {
        c.all = text_str(text);
        visit(&c, syntax_root(syntax), 0);
    }
    syntax_release(syntax);
    text_release(text);
    return c.n;
}

// --- rendering -----------------------------------------------------------------------------------

static uint32_t count_rows(Str text)
{
    uint32_t n = 0;
    for (size_t at = 0; (at = str_find(text, STR("\n"), at)) < text.len; at++)
        n++;
    return n;
}

static bool is_kept(const TestCase *test)
{
    for (size_t i = 0; i < test->n; i++)
        if (test->items[i].asserts && !test->items[i].dropped) return true;
    return false;
}

static void put_statements(const TestPlan *plan, StrBuf *out, TestCase *test, const char *indent)
{
    const char *lang = plan->framework->lang;
    const char *mark = strcmp(lang, "python") == 0 ? "  # r1ls: what it returns today, not a wish"
                                                   : " // r1ls: what it returns today, not a wish";
    for (size_t i = 0; i < test->n; i++) {
        TestStatement *s = &test->items[i];
        if (s->dropped) continue;
        s->row = count_rows(strbuf_str(out));
        for (size_t at = 0; at < s->text.len; at = str_find(s->text, STR("\n"), at) + 1) {
            Str line = str_slice(s->text, at, str_find(s->text, STR("\n"), at));
            strbuf_printf(out, "%s%.*s%s\n", line.len ? indent : "", STR_FMT(line),
                          s->computed && at == 0 ? mark : "");
        }
        s->n_rows = count_rows(strbuf_str(out)) - s->row;
    }
}

static Str case_name(const TestPlan *plan, size_t i, Arena *arena)
{
    bool taken = true;
    Str name = {0};
    // A name that the file has not yet.
    for (size_t k = i + 1; taken; k++) {
        // Go wants no small letter after Test, which a function that is not exported begins with.
        bool go = strcmp(plan->framework->lang, "go") == 0;
        name = arena_printf(arena, "%s_%.*s_%zu", go ? "Test" : "test", STR_FMT(plan->name), k);
        taken = str_has_word(plan->before, name) && k < i + 1000;
        if (taken) k += 99;
    }
    return name;
}

typedef struct Shape {
    const char *before, *after; // of a case; %s: its name
    const char *indent;
} Shape;

static Shape shape_of(const Framework *f)
{
    if (strcmp(f->name, "cmocka") == 0)
        return (Shape){"static void %s(void **state)\n{\n    (void)state;\n", "}\n\n", "    "};
    if (strcmp(f->name, "Check") == 0)
        return (Shape){"START_TEST(%s)\n{\n", "}\nEND_TEST\n\n", "    "};
    if (strcmp(f->lang, "c") == 0) return (Shape){"static void %s(void)\n{\n", "}\n\n", "    "};
    if (strcmp(f->name, "unittest") == 0) return (Shape){"    def %s(self):\n", "\n", "        "};
    if (strcmp(f->lang, "python") == 0) return (Shape){"def %s():\n", "\n\n", "    "};
    if (strcmp(f->lang, "javascript") == 0)
        return (Shape){"test('%s', () => {\n", "});\n\n", "    "};
    if (strcmp(f->lang, "go") == 0) return (Shape){"func %s(t *testing.T) {\n", "}\n\n", "\t"};
    return (Shape){"#[test]\nfn %s() {\n", "}\n\n", "    "};
}

static void put_cases(const TestPlan *plan, StrBuf *out, TestCase *cases, size_t n, Arena *arena)
{
    Shape shape = shape_of(plan->framework);
    for (size_t i = 0; i < n; i++) {
        if (!is_kept(&cases[i])) continue;
        Str head = str_from(shape.before), name = case_name(plan, i, arena);
        size_t mark = str_find(head, STR("%s"), 0);
        strbuf_append(out, str_slice(head, 0, mark));
        strbuf_append(out, name);
        strbuf_append(out, str_slice(head, mark + 2, head.len));
        put_statements(plan, out, &cases[i], shape.indent);
        strbuf_append(out, str_from(shape.after));
    }
}

// The start of the line on which `needle` stands first; the text's length where it does not.
static size_t line_of(Str text, const char *needle)
{
    size_t at = str_find(text, str_from(needle), 0);
    if (at == text.len) return at;
    while (at > 0 && text.ptr[at - 1] != '\n')
        at--;
    return at;
}

// The lines that make a framework of C run the cases.
static void put_calls(const TestPlan *plan, StrBuf *out, const TestCase *cases, size_t n, Str line,
                      Arena *arena)
{
    const char *name = plan->framework->name;
    size_t open = str_find(line, STR("("), 0), comma = str_find(line, STR(","), open);
    for (size_t i = 0; i < n; i++) {
        if (!is_kept(&cases[i])) continue;
        Str test = case_name(plan, i, arena);
        if (strcmp(name, "cmocka") == 0)
            strbuf_printf(out, "        cmocka_unit_test(%.*s),\n", STR_FMT(test));
        else if (strcmp(name, "Check") == 0)
            strbuf_printf(out, "    tcase_add_test(%.*s, %.*s);\n",
                          STR_FMT(str_slice(line, open + 1, comma)), STR_FMT(test));
        else
            strbuf_printf(out, "    %.*s();\n", STR_FMT(test));
    }
}

// Functions stand before the one that runs them: back to a line that begins with a letter.
static size_t definition_before(Str text, size_t at)
{
    while (at > 0) {
        at--;
        while (at > 0 && text.ptr[at - 1] != '\n')
            at--;
        if (str_is_word_byte(text.ptr[at])) break;
    }
    return at;
}

static void render_c(const TestPlan *plan, StrBuf *out, TestCase *cases, size_t n, Arena *arena)
{
    Str old = plan->before;
    if (plan->is_new) {
        Str source = relative_source(plan, arena);
        bool hide = plan->source_main;
        strbuf_printf(out,
                      "// Tests of %.*s, built with its source so that static functions are seen.\n"
                      "#undef NDEBUG\n#include <assert.h>\n%s#include \"%.*s\"\n%s\n",
                      STR_FMT(plan->name), hide ? "#define main main_of_the_source\n" : "",
                      STR_FMT(source), hide ? "#undef main\n" : "");
        put_cases(plan, out, cases, n, arena);
        strbuf_append(out, STR("int main(void)\n{\n"));
        put_calls(plan, out, cases, n, STR(""), arena);
        strbuf_append(out, STR("    return 0;\n}\n"));
        return;
    }
    bool plain = strcmp(plan->framework->name, "assert") == 0;
    const char *call = plain                                          ? "main("
                       : strcmp(plan->framework->name, "cmocka") == 0 ? "cmocka_unit_test("
                                                                      : "tcase_add_test(";
    size_t at = line_of(old, call), body = at;
    if (!plain) body = definition_before(old, at);
    if (plain) { // after the brace that opens main
        at = str_find(old, STR("{"), at);
        at = at < old.len ? str_find(old, STR("\n"), at) + 1 : at;
        if (at > old.len) at = old.len;
    }
    strbuf_append(out, str_slice(old, 0, body));
    put_cases(plan, out, cases, n, arena);
    strbuf_append(out, str_slice(old, body, at));
    put_calls(plan, out, cases, n, str_slice(old, at, str_find(old, STR("\n"), at)), arena);
    strbuf_append(out, str_slice(old, at, old.len));
}

static void render_python(const TestPlan *plan, StrBuf *out, TestCase *cases, size_t n,
                          Arena *arena)
{
    bool unit = strcmp(plan->framework->name, "unittest") == 0;
    size_t end = line_of(plan->before, "if __name__");
    Str old = str_trim_end(str_slice(plan->before, 0, end));
    strbuf_append(out, old);
    if (old.len) strbuf_append(out, STR("\n\n\n"));
    if (unit && !str_contains(old, "import unittest"))
        strbuf_append(out, STR("import unittest\n\n"));
    if (!unit && !str_contains(old, "import pytest")) {
        bool raises = false;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < cases[i].n; k++)
                raises = raises || str_contains(cases[i].items[k].text, "pytest.");
        if (raises) strbuf_append(out, STR("import pytest\n"));
    }
    if (!str_has_word(old, plan->subject))
        strbuf_printf(out, "from %.*s import %.*s\n\n\n", STR_FMT(module_of(plan->source, arena)),
                      STR_FMT(plan->subject));
    if (unit) {
        Str class = arena_printf(arena, "Generated_%.*s", STR_FMT(plan->name));
        for (int i = 2; str_has_word(old, class) && i < 1000; i++)
            class = arena_printf(arena, "Generated_%.*s_%d", STR_FMT(plan->name), i);
        strbuf_printf(out, "class %.*s(unittest.TestCase):\n", STR_FMT(class));
    }
    put_cases(plan, out, cases, n, arena);
    while (out->len > 1 && out->ptr[out->len - 1] == '\n' && out->ptr[out->len - 2] == '\n')
        out->ptr[--out->len] = '\0';
    Str rest = str_slice(plan->before, end, plan->before.len);
    if (rest.len) strbuf_printf(out, "\n\n%.*s", STR_FMT(rest));
}

static void render_other(const TestPlan *plan, StrBuf *out, TestCase *cases, size_t n, Arena *arena)
{
    const char *lang = plan->framework->lang;
    Str old = str_trim_end(plan->before), source = relative_source(plan, arena);
    const char *here = str_starts(source, STR("../")) ? "" : "./";
    if (old.len) strbuf_printf(out, "%.*s\n\n", STR_FMT(old));
    if (strcmp(lang, "javascript") == 0) {
        if (!str_contains(old, "node:test"))
            strbuf_append(out, STR("const test = require('node:test');\n"));
        if (!str_has_word(old, STR("assert")))
            strbuf_append(out, STR("const assert = require('assert');\n"));
        if (!str_has_word(old, plan->name))
            strbuf_printf(out, "const { %.*s } = require('%s%.*s');\n\n", STR_FMT(plan->name), here,
                          STR_FMT(source));
    } else if (old.len == 0 && strcmp(lang, "go") == 0) {
        strbuf_printf(out, "package %.*s\n\nimport \"testing\"\n\n", STR_FMT(plan->package));
    } else if (strcmp(lang, "rust") == 0 && !str_has_word(old, plan->name)) {
        Str stem = stem_of(plan->source);
        bool top = str_equal(stem, STR("lib"));
        strbuf_printf(out, "use %.*s::%.*s%s%.*s;\n\n", STR_FMT(plan->package),
                      STR_FMT(top ? STR("") : stem), top ? "" : "::", STR_FMT(plan->name));
    }
    put_cases(plan, out, cases, n, arena);
    while (out->len > 1 && out->ptr[out->len - 1] == '\n' && out->ptr[out->len - 2] == '\n')
        out->ptr[--out->len] = '\0';
}

Str framework_render(const TestPlan *plan, TestCase *cases, size_t n, Arena *arena)
{
    StrBuf out = {0};
    const char *lang = plan->framework->lang;
    if (strcmp(lang, "c") == 0)
        render_c(plan, &out, cases, n, arena);
    else if (strcmp(lang, "python") == 0)
        render_python(plan, &out, cases, n, arena);
    else
        render_other(plan, &out, cases, n, arena);
    Str text = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return text;
}

// Parsing, issues, functions and symbols on small sources, and every query against its grammar.
#include "unit/unit.h"

#include "base/text.h"
#include "index/symbols.h"
#include "workspace/queries.h"
#include "workspace/syntax.h"

static Syntax *parse(const char *id, const char *source)
{
    Error err = {0};
    TextSnap *text = text_new(str_from(source), &err);
    Syntax *syntax = syntax_parse(language_by_id(id), text, NULL);
    text_release(text);
    assert_non_null(syntax);
    return syntax;
}

static void every_query_compiles(void **state)
{
    (void)state;
    size_t n;
    const Language *all = languages(&n);
    assert_int_equal(n, 21);
    for (size_t i = 0; i < n; i++)
        for (int kind = 0; kind < QUERY_KINDS; kind++)
            (void)queries_get(&all[i], (QueryKind)kind); // aborts if one does not
}

static void languages_are_found_by_path_and_id(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"a/b.c", "c"},
                                           {"x.HPP", "cpp"},
                                           {"Makefile", "makefile"},
                                           {"t.tsx", "typescriptreact"},
                                           {"run.sh", "shellscript"},
                                           {"d/e.yml", "yaml"},
                                           {"README.md", "markdown"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(language_by_path(cases[i][0])->id, cases[i][1]);
    assert_null(language_by_path("noextension"));
    assert_null(language_by_path("a.b/c"));
    assert_string_equal(language_by_id("bash")->id, "shellscript");
    assert_null(language_by_id("klingon"));
}

typedef struct IssueCase {
    const char *lang, *source;
    size_t n;
    size_t row;          // of the first
    const char *message; // part of the first
} IssueCase;

static void issues_are_small_and_in_place(void **state)
{
    (void)state;
    static const IssueCase cases[] = {
        {"c", "int main(void)\n{\n    return 0;\n}\n", 0, 0, ""},
        {"c", "int main(void)\n{\n    return 0\n}\n", 1, 2, "missing ';'"},
        {"c", "int f(int a\n{\n    return a;\n}\nint g(void) { return 1; }\n", 1, 0, ""},
        {"python", "def f(:\n    pass\n", 1, 0, ""},
        {"python", "def f(a):\n    return (a\n", 1, 1, "never closed"},
        {"python", "x = [1, 2\n", 1, 0, ""},
        {"javascript", "function f() {\n    return [1, 2;\n}\n", 1, 1, ""},
        {"json", "{\"a\": 1,, \"b\": 2}", 1, 0, ""},
        // What a preprocessor explains is no issue.
        {"c", "static __always_inline int f(void) { return 1; }\n", 0, 0, ""},
        {"c", "int f(char *s, ...) printflike(1, 2);\nstatic int g(void) printflike(3,4);\n", 0, 0,
         ""},
        {"c", "void f(void *u)\n{\n    int *p = cast(struct X *, u);\n}\n", 0, 0, ""},
        {"c", "int f(int a, int b)\n{\n    return g(a *, b);\n}\n", 1, 2, ""},
        {"c", "int f(int a\n{\n    if (a) g(1);\n    return 0;\n}\n", 1, 0, ""},
        {"c", "int f(int a) oops(;\nint b;\n", 1, 0, ""},
        {"c", "TAILQ_HEAD(list, node);\nDEFINE_THING(x)\nint a;\n", 0, 0, ""},
        {"c", "#if A\nint f(int a) {\n#else\nint f(void) {\n#endif\n    return 1;\n}\n", 0, 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        Syntax *s = parse(cases[i].lang, cases[i].source);
        SyntaxIssue *issues;
        size_t n = syntax_issues(s, 10, arena, &issues);
        for (size_t k = 0; k < n; k++)
            printf("case %zu: %zu-%zu %.*s\n", i, issues[k].range.start, issues[k].range.end,
                   STR_FMT(issues[k].message));
        if (cases[i].n == 0) assert_int_equal(n, 0);
        if (cases[i].n) {
            assert_true(n >= 1);
            TextPoint p = text_point(syntax_text(s), issues[0].range.start);
            assert_int_equal(p.row, cases[i].row);
            assert_true(issues[0].range.end > issues[0].range.start);
            assert_true(issues[0].range.end - issues[0].range.start < 60);
            assert_non_null(strstr(issues[0].message.ptr, cases[i].message));
        }
        syntax_release(s);
        arena_free(arena);
    }
}

static void reparse_equals_parse(void **state)
{
    (void)state;
    Error err = {0};
    TextSnap *a = text_new(STR("int f(void)\n{\n    return 1;\n}\n"), &err);
    Syntax *old = syntax_parse(language_by_id("c"), a, NULL);
    TextChange change;
    TextSnap *b = text_edit(a, (ByteRange){14, 14}, STR("    if (x) {\n"), &change, &err);
    Syntax *again = syntax_reparse(old, b, &change, 1, NULL),
           *fresh = syntax_parse(language_by_id("c"), b, NULL);
    char *x = ts_node_string(syntax_root(again)), *y = ts_node_string(syntax_root(fresh));
    assert_string_equal(x, y);
    assert_true(syntax_error_count(again, (ByteRange){0, SIZE_MAX}) > 0);
    assert_int_equal(syntax_error_count(old, (ByteRange){0, SIZE_MAX}), 0);
    free(x);
    free(y);
    syntax_release(old);
    syntax_release(again);
    syntax_release(fresh);
    text_release(a);
    text_release(b);
}

static void check_function(const char *lang, const char *source, const char *name, bool empty,
                           const char *comment)
{
    Syntax *s = parse(lang, source);
    Str text = text_str(syntax_text(s));
    size_t at = str_find(text, STR("@"), 0);
    SyntaxFunction f;
    assert_true(syntax_function_at(s, at, &f));
    printf("%.*s: body '%.*s'\n", STR_FMT(f.name),
           STR_FMT(str_slice(text, f.body.start, f.body.end)));
    assert_true(str_equal(f.name, str_from(name)));
    assert_int_equal(f.body_is_empty, empty);
    Str c = str_slice(text, f.comment.start, f.comment.end);
    assert_true(str_find(c, str_from(comment), 0) < c.len || !*comment);
    syntax_release(s);
}

static void functions_are_found_with_comment_and_body(void **state)
{
    (void)state;
    check_function("c", "// Adds.\n// Twice.\nint add(int a, int b)\n{ /* @ */\n}\n", "add", true,
                   "Adds");
    check_function("c", "char *f(void)\n{\n    g(); /* @ */\n}\n", "f", false, "");
    check_function("python", "def f(a):\n    \"\"\"Doc. @\"\"\"\n", "f", true, "Doc");
    check_function("python", "class A:\n    @staticmethod\n    def g(a):\n        pass # @@\n", "g",
                   true, "");
    check_function("javascript", "// x\nfunction f(a) { /*@*/ }\n", "f", true, "x");
    check_function("go", "package p\n\n// Adds.\nfunc Add(a int) int {\n// @\n}\n", "Add", true,
                   "Adds");
    check_function("rust", "/// Adds.\nfn add(a: i32) -> i32 {\n // @\n}\n", "add", true, "Adds");
    check_function("java", "class A { int f(int a) { /*@*/ } }", "f", true, "");
}

static void symbols_have_kind_signature_and_comment(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Syntax *s =
        parse("c", "/* A node. */\nstruct node {\n    int key;\n};\n#define MAX 3\n"
                   "// Finds it.\nstatic struct node *find(int key)\n{\n    int found = 0;\n"
                   "    return 0;\n}\nenum color { RED };\n");
    Symbol *symbols;
    size_t n = symbols_collect(s, arena, &symbols);
    assert_int_equal(n, 6);
    assert_true(str_equal(symbols[0].name, STR("node")) && symbols[0].kind == SYMBOL_STRUCT);
    assert_true(str_equal(symbols[1].name, STR("key")) && symbols[1].kind == SYMBOL_FIELD);
    assert_true(str_equal(symbols[2].name, STR("MAX")) && symbols[2].kind == SYMBOL_MACRO);
    assert_true(str_equal(symbols[3].name, STR("find")));
    assert_true(str_equal(symbols[3].signature, STR("static struct node *find(int key)")));
    assert_true(str_equal(symbols[3].comment, STR("Finds it.")));
    Str *names;
    Str text = text_str(syntax_text(s));
    size_t at = str_find(text, STR("return"), 0);
    assert_int_equal(symbols_visible(s, at, arena, &names), 2);
    assert_true(str_equal(names[0], STR("found")) && str_equal(names[1], STR("key")));
    assert_int_equal(symbols_visible(s, text.len - 2, arena, &names), 0);
    syntax_release(s);
    arena_free(arena);
}

static void python_methods_are_methods(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Syntax *s =
        parse("python", "class A:\n    \"\"\"An A.\"\"\"\n    def f(self):\n        pass\n");
    Symbol *symbols;
    assert_int_equal(symbols_collect(s, arena, &symbols), 2);
    assert_int_equal(symbols[0].kind, SYMBOL_CLASS);
    assert_true(str_equal(symbols[0].comment, STR("An A.")));
    assert_int_equal(symbols[1].kind, SYMBOL_METHOD);
    syntax_release(s);
    arena_free(arena);
}

static void random_bytes_do_not_crash(void **state)
{
    (void)state;
    size_t n_languages;
    const Language *all = languages(&n_languages);
    unsigned seed = 7;
    for (size_t i = 0; i < 400; i++) {
        char source[300];
        for (size_t k = 0; k < sizeof source - 1; k++) {
            static const char alphabet[] = "(){}[]<>;:,.\"'\\/*#%&|= \n\tabcdef_01\x80\xff";
            seed = seed * 1103515245 + 12345;
            source[k] = alphabet[seed / 65536 % (sizeof alphabet - 1)];
        }
        source[sizeof source - 1] = 0;
        Syntax *s = parse(all[i % n_languages].id, source);
        Arena *arena = arena_new();
        SyntaxIssue *issues;
        Symbol *symbols;
        SyntaxFunction f;
        Str *names;
        syntax_issues(s, 50, arena, &issues);
        symbols_collect(s, arena, &symbols);
        symbols_visible(s, 150, arena, &names);
        syntax_function_at(s, 100, &f);
        arena_free(arena);
        syntax_release(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_compiles),
        cmocka_unit_test(languages_are_found_by_path_and_id),
        cmocka_unit_test(issues_are_small_and_in_place),
        cmocka_unit_test(reparse_equals_parse),
        cmocka_unit_test(functions_are_found_with_comment_and_body),
        cmocka_unit_test(symbols_have_kind_signature_and_comment),
        cmocka_unit_test(python_methods_are_methods),
        cmocka_unit_test(random_bytes_do_not_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

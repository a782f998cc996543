// Every rule on code that it should find and on code that looks alike and is correct.
#include "unit/unit.h"

#include "rules/rules.h"

typedef struct Case {
    const char *lang, *source;
    const char *wanted; // "rule:row", separated by blanks; rows count from 1
} Case;

static Syntax *parse(const char *lang, const char *source)
{
    Error err = {0};
    TextSnap *text = text_new(str_from(source), &err);
    Syntax *syntax = syntax_parse(language_by_id(lang), text, NULL);
    text_release(text);
    assert_non_null(syntax);
    return syntax;
}

static void check(const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Syntax *syntax = parse(cases[i].lang, cases[i].source);
        Arena *arena = arena_new();
        RuleFinding *found;
        StrBuf told = {0};
        size_t n_found = rules_find(syntax, STR("a/file"), 100, arena, &found);
        for (size_t k = 0; k < n_found; k++)
            strbuf_printf(&told, "%s%.*s:%u", k ? " " : "", STR_FMT(found[k].rule),
                          text_point(syntax_text(syntax), found[k].range.start).row + 1);
        if (!str_equal(strbuf_str(&told), str_from(cases[i].wanted)))
            fail_msg("%s\nfound '%s', wanted '%s'", cases[i].source, told.ptr ? told.ptr : "",
                     cases[i].wanted);
        strbuf_deinit(&told);
        arena_free(arena);
        syntax_release(syntax);
    }
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof *(cases))

static void c_conditions_and_calls(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "void f(int a, int b)\n{\n    if (a = b)\n        a++;\n}\n",
         "assignment-in-condition:3"},
        {"c", "void f(int a, int b)\n{\n    if ((a = b))\n        a++;\n}\n", ""},
        {"c", "void f(int a)\n{\n    while ((a = g()) != 0)\n        a++;\n}\n", ""},
        {"c", "void f(char *s)\n{\n    gets(s);\n}\n", "gets:3"},
        {"c", "void f(char *s, char *t)\n{\n    strcpy(s, t);\n    strcpy(s, \"x\");\n}\n",
         "unbounded-copy:3"},
        {"c", "void f(char *s)\n{\n    printf(s);\n    printf(\"%s\", s);\n    printf(FMT);\n}\n",
         "format-not-literal:3"},
        {"c", "void f(char *s)\n{\n    fprintf(stderr, s);\n    fprintf(stderr, \"a\");\n}\n",
         "format-not-literal:3"},
        {"c",
         "void f(char *trailer)\n{\n    printf(trailer);\n    printf(tr(\"a\"));\n    "
         "printf(trim(trailer));\n}\n",
         "format-not-literal:3 format-not-literal:5"},
        {"c", "int f(char *s)\n{\n    return s == \"x\";\n}\n", "string-compare:3"},
        {"c", "int f(int a)\n{\n    return a == a;\n}\n", "same-operands:3"},
        {"c", "int f(double a)\n{\n    return a != a;\n}\n", ""},
        {"c", "void f(int a)\n{\n    if (a);\n        a++;\n}\n", "empty-if:3"},
        {"c", "void f(int a)\n{\n    if (a)\n        /* nothing */;\n    else\n        a++;\n}\n",
         ""},
        {"cpp", "void f(int a, int b)\n{\n    if (a = b)\n        a++;\n}\n",
         "assignment-in-condition:3"},
        {"cpp", "void f(std::string s)\n{\n    if (s == \"x\") return;\n}\n", ""},
        {"cpp", "void f(int a)\n{\n    if (int b = g(a)) h(b);\n}\n", ""},
    };
    CHECK(cases);
}

static void c_memory(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "void f(struct s *p)\n{\n    memset(p, 0, sizeof(p));\n}\n", "sizeof-pointer:3"},
        {"c", "void f(void)\n{\n    char p[8];\n    memset(p, 0, sizeof(p));\n}\n", ""},
        {"c", "void f(void)\n{\n    char *p[8];\n    memset(p, 0, sizeof(p));\n}\n", ""},
        {"c", "void f(char p[8])\n{\n    memset(p, 0, sizeof(p));\n}\n", "sizeof-pointer:3"},
        {"c", "void f(struct s *p)\n{\n    memset(p, 0, sizeof(*p));\n}\n", ""},
        {"c", "void f(void)\n{\n    struct s *p = malloc(sizeof(p));\n    if (!p) return;\n}\n",
         "sizeof-pointer:3"},
        {"c", "void f(char *p)\n{\n    free(p);\n    p[0] = 1;\n}\n", "use-after-free:3"},
        {"c", "void f(char *p)\n{\n    free(p);\n    g(p);\n}\n", "use-after-free:3"},
        {"c", "void f(char *p)\n{\n    free(p);\n    p = NULL;\n    g(p);\n}\n", ""},
        {"c", "void f(char *p)\n{\n    free(p);\n    g(&p);\n}\n", ""},
        {"c", "void f(struct s *p)\n{\n    free(p);\n    return;\nout:\n    g(p);\n}\n", ""},
        {"c", "void f(struct s *p)\n{\n    free(p);\n    FOREACH(p, l) { g(); }\n}\n", ""},
        {"c", "void f(struct s *q)\n{\n    free(q);\n    a->q = 0;\n}\n", ""},
        {"c", "void f(void)\n{\n    char *p = malloc(3);\n    p[0] = 1;\n}\n",
         "unchecked-allocation:3"},
        {"c", "void f(void)\n{\n    char *p = malloc(3);\n    if (p) p[0] = 1;\n}\n", ""},
        {"c", "void f(void)\n{\n    char *p = malloc(3);\n    assert(p);\n    *p = 1;\n}\n", ""},
        {"c", "void f(void)\n{\n    char *p;\n    p = malloc(3);\n    n++;\n    *p = 1;\n}\n",
         "unchecked-allocation:4"},
        {"c", "void f(void)\n{\n    p = realloc(p, 3);\n}\n", "realloc-leak:3"},
    };
    CHECK(cases);
}

static void c_flow(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c",
         "int f(int a)\n{\n    switch (a) {\n    case 0:\n        break;\n    case 1:\n        "
         "a++;\n    case 2:\n        return 1;\n    }\n    return a;\n}\n",
         "missing-break:8"},
        {"c",
         "int f(int a)\n{\n    switch (a) {\n    case 2:\n        a++;\n    case 1:\n        "
         "a++;\n    }\n    return a;\n}\n",
         ""},
        {"c",
         "int f(int a)\n{\n    switch (a) {\n    case 1:\n        a++;\n        break;\n    case "
         "2:\n    case 3:\n        return 1;\n    }\n    return a;\n}\n",
         ""},
        {"c",
         "int f(int a)\n{\n    switch (a) {\n    case 1:\n        a++;\n        /* fall through "
         "*/\n    case 2:\n        return 1;\n    }\n    return a;\n}\n",
         ""},
        {"c",
         "int f(int a)\n{\n    switch (a) {\n    case 1: {\n        if (a) return 1;\n        else "
         "exit(1);\n    }\n    default:\n        a--;\n    }\n    return a;\n}\n",
         ""},
        {"c", "int f(int a)\n{\n    return a;\n    a++;\n}\n", "unreachable:4"},
        {"c", "int f(int a)\n{\n    goto out;\nout:\n    return a;\n}\n", ""},
        {"c", "int f(int a)\n{\n    return a;\n#ifdef X\n    a++;\n#endif\n}\n", ""},
    };
    CHECK(cases);
}

static void python(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"python", "def f(a=[]):\n    return a\n", "mutable-default:1"},
        {"python", "def f(a: list = {}):\n    return a\n", "mutable-default:1"},
        {"python", "def f(a=None, b=()):\n    return a, b\n", ""},
        {"python", "try:\n    f()\nexcept:\n    pass\n", "bare-except:3"},
        {"python", "try:\n    f()\nexcept:\n    g()\n    raise\n", ""},
        {"python", "try:\n    f()\nexcept OSError:\n    pass\n", ""},
        {"python", "x = a == None\ny = a != None\nz = a is None\n",
         "none-comparison:1 none-comparison:2"},
        {"python", "x = a is 'b'\ny = a is True\n", "is-literal:1"},
        {"python", "import os\nimport sys\nprint(sys.argv)\n", "unused-import:1"},
        {"python", "from a import b, c\nb()\n", "unused-import:1"},
        {"python", "import a.b\na.b.c()\n", ""},
        {"python", "from a import b as b\nfrom c import d as e\n", "unused-import:2"},
        {"python", "import os\n__all__ = ['os']\n", ""},
        {"python", "try:\n    import json\nexcept ImportError:\n    json = None\n", ""},
        {"python", "import os  # os is not used\n", "unused-import:1"},
        {"python", "def f():\n    a = 1\n    b = 2\n    return b\n", "unused-variable:2"},
        {"python", "def f():\n    a = 1\n    return locals()\n", ""},
        {"python",
         "class A:\n    a = 1\n    def f(self):\n        class B:\n            c = 1\n"
         "        return B\n",
         ""},
        {"python", "a = 1\n", ""},
        {"python", "x = f'a'\ny = f'{x}'\nz = f'a' f'{x}'\nw = 'f'\n",
         "f-string-without-placeholder:1"},
        {"python", "assert (a, 'b')\nassert a, 'b'\n", "assert-tuple:1"},
        {"python", "def f():\n    return 1\n    g()\n", "unreachable:3"},
        {"python", "def f():\n    return\n    yield\n", ""},
        {"python", "def f():\n    raise NotImplemented\n", "raise-notimplemented:2"},
    };
    CHECK(cases);
}

static void javascript(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"javascript", "if (a == 1) f();\nif (a == null) f();\nif (a != b) f();\n",
         "loose-equality:1 loose-equality:3"},
        {"typescript", "if (a = 1) f();\nif ((a = 1)) f();\n", "assignment-in-condition:1"},
        {"javascript", "function f() {\n  const a = 1, b = 2;\n  return b;\n}\n",
         "unused-variable:2"},
        {"javascript", "const a = 1;\n", ""},
        {"javascript", "function f() {\n  const a = 1;\n  return { a };\n}\n", ""},
        {"typescriptreact", "function f() {\n  const A = g();\n  return <A/>;\n}\n", ""},
        {"javascript", "async function g() {}\nasync function f() {\n  g();\n  await g();\n}\n",
         "promise-not-awaited:3"},
        {"javascript", "async function g() {}\nfunction f() {\n  g();\n}\n", ""},
        {"typescript",
         "class A {\n  async g() {}\n  async f() {\n    this.g();\n    void this.g();\n  }\n}\n",
         "promise-not-awaited:4"},
        {"javascript", "if (a === NaN) f();\n", "nan-comparison:1"},
        {"javascript", "function f() {\n  return 1;\n  g();\n}\n", "unreachable:3"},
        {"javascript", "function f() {\n  return g();\n  function g() {}\n}\n", ""},
        {"javascript", "debugger;\n", "debugger-left:1"},
    };
    CHECK(cases);
}

static void go_and_rust(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"go", "package a\n\nfunc f(s string) {\n\tfmt.Printf(s)\n\tfmt.Printf(\"%s\", s)\n}\n",
         "format-not-literal:4"},
        {"go", "package a\n\nfunc f(s T) {\n\ts.a = s.a\n\ts.a = s.b\n}\n", "self-assignment:4"},
        {"go", "package a\n\nfunc f() {\n\tfor i := range x {\n\t\tdefer g(i)\n\t}\n}\n",
         "defer-in-loop:5"},
        {"go",
         "package a\n\nfunc f() {\n\tif err != nil {\n\t}\n\tif err != nil {\n\t\treturn\n"
         "\t}\n}\n",
         "ignored-error:4"},
        {"go", "package a\n\nfunc f() int {\n\treturn 1\n\tg()\n}\n", "unreachable:5"},
        {"rust", "fn f(a: bool) -> i32 {\n    if a == true { g(); }\n    1\n}\n",
         "bool-comparison:2"},
        {"rust", "fn f(a: i32) -> i32 {\n    return a;\n}\n", "needless-return:2"},
        {"rust", "fn f(a: i32) -> i32 {\n    if a > 1 { return a; }\n    1\n}\n", ""},
        {"rust", "fn f(a: i32) {\n    dbg!(a);\n}\n", "debugger-left:2"},
        {"go", "package a\n\nfunc f() int {\n\ta, b := g()\n\tfunc() { b++ }()\n\treturn 1\n}\n",
         "unused-variable:4"},
        {"go", "package a\n\nvar used = 1\n\nfunc f() {\n\tvar x int\n\ty := 1\n\th(y)\n}\n",
         "unused-variable:6"},
        {"go",
         "package a\n\nimport (\n\t\"os\"\n\t\"net/http\"\n\t\"example.com/go-x\"\n\tq "
         "\"io\"\n)\n\n"
         "var c http.Client // os\n",
         "unused-import:4"},
        {"go", "package a\n\nfunc f() error {\n\treturn errors.New(fmt.Sprintf(\"%d\", 1))\n}\n",
         "error-of-sprintf:4"},
        {"go", "package a\n\nfunc f() {\n\tfor i, _ := range x {\n\t\tg(i)\n\t}\n}\n",
         "blank-in-range:4"},
        {"rust",
         "fn f() {\n    let a = 1;\n    let _b = 2;\n    let c = 3;\n    println!(\"{c}\");\n}\n",
         "unused-variable:2"},
        {"rust", "fn f(v: &[i32]) -> bool {\n    v.len() == 0 || v.len() > 1\n}\n", "len-zero:2"},
    };
    CHECK(cases);
}

// The text after a fix, and what the rules then say of it.
static void fixes_end_the_finding(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"c", "void f(int a, int b)\n{\n    if (a = b) a++;\n}\n",
         "void f(int a, int b)\n{\n    if (a == b) a++;\n}\n"},
        {"c", "void f(struct s *p)\n{\n    memset(p, 0, sizeof(p));\n}\n",
         "void f(struct s *p)\n{\n    memset(p, 0, sizeof(*p));\n}\n"},
        {"c", "void f(char *s)\n{\n    fprintf(stderr, s);\n}\n",
         "void f(char *s)\n{\n    fprintf(stderr, \"%s\", s);\n}\n"},
        {"python", "try:\n    f()\nexcept:\n    pass\n",
         "try:\n    f()\nexcept Exception:\n    pass\n"},
        {"python", "x = a != None\n", "x = a is not None\n"},
        {"javascript", "if (a == 1) f();\n", "if (a === 1) f();\n"},
        {"javascript", "async function g() {}\nasync function f() {\n  g();\n}\n",
         "async function g() {}\nasync function f() {\n  await g();\n}\n"},
        {"rust", "fn f(a: bool) {\n    if a == true { g(); }\n}\n",
         "fn f(a: bool) {\n    if a { g(); }\n}\n"},
        {"rust", "fn f(v: &[i32]) -> bool {\n    v.len() > 0\n}\n",
         "fn f(v: &[i32]) -> bool {\n    !v.is_empty()\n}\n"},
        {"go", "package a\n\nvar e = errors.New(fmt.Sprintf(\"%d\", 1))\n",
         "package a\n\nvar e = fmt.Errorf(\"%d\", 1)\n"},
        {"go", "package a\n\nfunc f() {\n\tfor i, _ := range x {\n\t\tg(i)\n\t}\n}\n",
         "package a\n\nfunc f() {\n\tfor i := range x {\n\t\tg(i)\n\t}\n}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error err = {0};
        Arena *arena = arena_new();
        RuleFinding *found;
        Syntax *syntax = parse(cases[i][0], cases[i][1]);
        assert_int_equal(rules_find(syntax, STR(""), 9, arena, &found), 1);
        assert_true(found[0].has_fix);
        assert_true(found[0].fix_title.len > 0);
        TextSnap *fixed =
            text_edit(syntax_text(syntax), found[0].fix_range, found[0].fix, NULL, &err);
        assert_non_null(fixed);
        if (!str_equal(text_str(fixed), str_from(cases[i][2])))
            fail_msg("fixed to\n%.*s", STR_FMT(text_str(fixed)));
        Syntax *after = syntax_parse(language_by_id(cases[i][0]), fixed, NULL);
        assert_int_equal(rules_find(after, STR(""), 9, arena, &found), 0);
        syntax_release(after);
        text_release(fixed);
        syntax_release(syntax);
        arena_free(arena);
    }
}

static void rules_can_be_switched_off(void **state)
{
    (void)state;
    static const char source[] = "x = a == None\n"
                                 "x = a == None  # noqa\n"
                                 "# r1ls-ignore: known\n"
                                 "x = a == None\n"
                                 "assert (a, 'b')\n";
    Arena *arena = arena_new();
    RuleFinding *found;
    Syntax *syntax = parse("python", source);
    assert_int_equal(rules_find(syntax, STR(""), 9, arena, &found), 2);
    assert_int_equal(rules_find(syntax, STR(""), 1, arena, &found), 1);
    syntax_release(syntax);
    syntax = parse("python", "import os\n");
    assert_int_equal(rules_find(syntax, STR("a/__init__.py"), 9, arena, &found), 0);
    assert_int_equal(rules_find(syntax, STR("a/b.py"), 9, arena, &found), 1);
    assert_string_equal(found[0].message.ptr, "os is imported and not used");
    syntax_release(syntax);
    arena_free(arena);
    assert_true(rules_is_listed(STR("gets, assert-tuple,x"), STR("assert-tuple")));
    assert_false(rules_is_listed(STR("gets,assert-tuples"), STR("assert-tuple")));
    assert_false(rules_is_listed(STR(""), STR("gets")));
    assert_true(rules_is_listed(STR("all"), STR("gets")));
}

static void every_rule_is_listed_once(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    RuleInfo *list;
    size_t n = rules_list(arena, &list);
    assert_in_range(n, 30, 99);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(str_equal(list[k].id, list[i].id));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_conditions_and_calls),
        cmocka_unit_test(c_memory),
        cmocka_unit_test(c_flow),
        cmocka_unit_test(python),
        cmocka_unit_test(javascript),
        cmocka_unit_test(go_and_rust),
        cmocka_unit_test(fixes_end_the_finding),
        cmocka_unit_test(rules_can_be_switched_off),
        cmocka_unit_test(every_rule_is_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Where suggestions end and how they are fitted: a table of documents, answers and what is shown.
#include "unit/unit.h"

#include "prompt/ending.h"

// The cursor in `document` is "<|>". `shown` is the document after the suggestion is accepted, with
// "<|>" at the end of the inserted text; NULL: there is nothing to insert.
typedef struct Case {
    const char *lang, *document, *generated, *shown;
} Case;

typedef struct Doc {
    TextSnap *text;
    size_t byte_off;
} Doc;

static Doc make_doc(const char *marked)
{
    Error err = {0};
    Str s = str_from(marked);
    size_t at = str_find(s, STR("<|>"), 0);
    assert_true(at < s.len);
    StrBuf buf = {0};
    strbuf_append(&buf, str_slice(s, 0, at));
    strbuf_append(&buf, str_slice(s, at + 3, s.len));
    Doc doc = {text_new(strbuf_str(&buf), &err), at};
    assert_non_null(doc.text);
    strbuf_deinit(&buf);
    return doc;
}

static EndingContext context(const Doc *doc, const char *lang, bool multi_line)
{
    return (EndingContext){.text = doc->text,
                           .lang = language_by_id(lang),
                           .byte_off = doc->byte_off,
                           .multi_line = multi_line};
}

// The document after acceptance, marked at the end of what was inserted.
static Str apply(const Doc *doc, const Ending *ending, Arena *arena)
{
    Str all = text_str(doc->text);
    return arena_printf(arena, "%.*s%.*s<|>%.*s", STR_FMT(str_slice(all, 0, ending->replace.start)),
                        STR_FMT(ending->insert),
                        STR_FMT(str_slice(all, ending->replace.end, all.len)));
}

static void check_cases(const Case *cases, size_t n, bool multi_line)
{
    for (size_t i = 0; i < n; i++) {
        const Case *c = &cases[i];
        Arena *arena = arena_new();
        Doc doc = make_doc(c->document);
        EndingContext ctx = context(&doc, c->lang, multi_line);
        Ending ending = ending_trim(&ctx, str_from(c->generated), arena);
        uint32_t row = text_point(doc.text, doc.byte_off).row;
        assert_int_equal(ending.replace.start, doc.byte_off);
        assert_in_range(ending.replace.end, doc.byte_off, text_line_end(doc.text, row));
        if (!c->shown && ending.insert.len)
            fail_msg("case %zu: wanted nothing, found '%s'", i, ending.insert.ptr);
        if (c->shown) {
            Str found = apply(&doc, &ending, arena);
            if (!str_equal(found, str_from(c->shown)))
                fail_msg("case %zu:\n%s\nwanted:\n%s", i, found.ptr, c->shown);
        }
        text_release(doc.text);
        arena_free(arena);
    }
}

static void brackets_are_not_doubled(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "foo(<|>)\n", "a, b)", "foo(a, b<|>)\n"},
        {"c", "foo(<|>)\n", "a, b);", "foo(a, b);<|>\n"},
        {"c", "foo(<|>);\n", "a, b);", "foo(a, b<|>);\n"},
        {"c", "foo(<|>);\n", "a, b", "foo(a, b<|>);\n"},
        {"c", "foo(<|>);\n", "bar(a)", "foo(bar(a)<|>);\n"},
        {"c", "foo(<|>);\n", "bar(a));", "foo(bar(a)<|>);\n"},
        {"c", "foo(<|>);\n", "bar(a);", "foo(bar(a)<|>);\n"},
        {"c", "if (<|>)\n", "is_on(x)", "if (is_on(x)<|>)\n"},
        {"c", "if (<|>)\n", "is_on(x)) {", "if (is_on(x)) {<|>\n"},
        {"c", "if (<|>) {\n}\n", "x == y) {", "if (x == y<|>) {\n}\n"},
        {"c", "if (<|>) {\n}\n", "x == y)", "if (x == y<|>) {\n}\n"},
        {"c", "if (<|>) {\n}\n", "x) return;", "if (x<|>) {\n}\n"},
        {"c", "for (i = 0; <|>) {\n}\n", "i < n; i++) {", "for (i = 0; i < n; i++<|>) {\n}\n"},
        {"c", "x = a[<|>];\n", "i + 1];", "x = a[i + 1<|>];\n"},
        {"c", "x = a[<|>];\n", "b[i]];", "x = a[b[i]<|>];\n"},
        {"c", "x = f(a[<|>]);\n", "i]);", "x = f(a[i<|>]);\n"},
        {"c", "x = f(a[<|>])\n", "i], b);", "x = f(a[i], b);<|>\n"},
        {"javascript", "foo(function () {<|>})\n", " return 1; })",
         "foo(function () { return 1; <|>})\n"},
        {"javascript", "let a = {<|>};\n", " b: 1 };", "let a = { b: 1 <|>};\n"},
        {"javascript", "let a = [<|>];\n", "1, [2]", "let a = [1, [2]<|>];\n"},
        {"javascript", "call(x => {<|>});\n", " y(x); });", "call(x => { y(x); <|>});\n"},
        {"python", "print(<|>)\n", "len(x))", "print(len(x)<|>)\n"},
        {"python", "print(<|>)\n", "len(x)", "print(len(x)<|>)\n"},
        {"python", "x = [<|>]\n", "i for i in y]", "x = [i for i in y<|>]\n"},
        {"python", "d = {<|>}\n", "'a': (1, 2)}", "d = {'a': (1, 2)<|>}\n"},
        {"python", "def f(<|>):\n    pass\n", "a, b):", "def f(a, b<|>):\n    pass\n"},
        {"python", "def f(<|>):\n    pass\n", "a, b=()):", "def f(a, b=()<|>):\n    pass\n"},
    };
    check_cases(cases, sizeof cases / sizeof *cases, false);
}

static void strings_end_once(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "puts(\"<|>\");\n", "hello\");", "puts(\"hello<|>\");\n"},
        {"c", "puts(\"<|>\");\n", "hello", "puts(\"hello<|>\");\n"},
        {"c", "puts(\"<|>\");\n", "a (b\");", "puts(\"a (b<|>\");\n"},
        {"c", "printf(\"<|>\")\n", "%d\\n\", x);", "printf(\"%d\\n\", x);<|>\n"},
        {"c", "printf(\"<|>\");\n", "%d\\n\", f(x));", "printf(\"%d\\n\", f(x));<|>\n"},
        {"c", "puts(<|>);\n", "\"a)\");", "puts(\"a)\"<|>);\n"},
        {"c", "puts(<|>);\n", "\"a\\\")\"", "puts(\"a\\\")\"<|>);\n"},
        {"c", "c = '<|>';\n", "a';", "c = 'a<|>';\n"},
        {"python", "x = '<|>'\n", "a'", "x = 'a<|>'\n"},
        {"python", "x = d['<|>']\n", "key']", "x = d['key<|>']\n"},
        {"python", "x = f(\"<|>\")\n", "it's\")", "x = f(\"it's<|>\")\n"},
        {"javascript", "let s = `<|>`;\n", "a ${b}`;", "let s = `a ${b}<|>`;\n"},
        {"rust", "fn f<'a>(x: &'a str, <|>) {}\n", "y: &'a str)",
         "fn f<'a>(x: &'a str, y: &'a str<|>) {}\n"},
    };
    check_cases(cases, sizeof cases / sizeof *cases, false);
}

static void text_after_the_cursor_is_not_repeated(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "int x = <|>;\n", "foo();", "int x = foo()<|>;\n"},
        {"c", "int x = <|> + b;\n", "a + b;", "int x = a<|> + b;\n"},
        {"c", "x = <|>, y = 2;\n", "1, y = 2;", "x = 1<|>, y = 2;\n"},
        {"c", "<|>;\n", ";", NULL},
        {"c", "f(<|>);\n", ");", NULL},
        {"c", "    <|>\n    return 0;\n", "return 0;\n}\n", NULL},
        {"c", "    ret<|>\n    return 0;\n", "urn 0;\n}\n", NULL},
        {"c", "    a();<|>\n    b();\n", "\n    b();\n", NULL},
        {"c", "    <|>\n    b();\n", "a();\n    b();\n", "    a();<|>\n    b();\n"},
        {"python", "    <|>\n    return x\n", "return x\n", NULL},
        {"python", "x = <|> if a else b\n", "1 if a else b", "x = 1<|> if a else b\n"},
        {"javascript", "const a = <|> || {};\n", "b || {};", "const a = b<|> || {};\n"},
        {"c", "struct s { <|> };\n", "int a; };", "struct s { int a;<|> };\n"},
    };
    check_cases(cases, sizeof cases / sizeof *cases, false);
}

static void a_single_line_stays_one(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "    x = <|>\n", "1;\n    y = 2;\n", "    x = 1;<|>\n"},
        {"c", "    x = <|>\n", "1;   \t", "    x = 1;<|>\n"},
        {"c", "    x = <|>\r\n    z;\r\n", "1;\r\n    y;\r\n", "    x = 1;<|>\r\n    z;\r\n"},
        {"c", "f(<|>);\r\n", "a);\r\n", "f(a<|>);\r\n"},
        {"c", "    x = <|>", "1;", "    x = 1;<|>"},
        {"python", "x = <|>\n", "1\ny = 2\n", "x = 1<|>\n"},
        {"python", "x = <|>\n", "   \n", NULL},
        {"python", "x = <|>\n", "", NULL},
        {"c", "if (x) {<|>\n}\n", "\n    y();\n}\n", NULL},
        {"c", "    a();\n    <|>\n", "    b();\n", "    a();\n    b();<|>\n"},
        {"c", "    f(a,\n    <|>\n", "  b);\n", "    f(a,\n      b);<|>\n"},
        {"c", "<|>x\n", "\0", NULL},
    };
    check_cases(cases, sizeof cases / sizeof *cases, false);
}

static void blocks_end_with_their_block(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"c", "    if (x) {<|>\n    y();\n", "\n        a();\n    }\n    z();\n",
         "    if (x) {\n        a();\n    }<|>\n    y();\n"},
        {"c", "    if (x) {<|>\n    }\n", "\n        a();\n    }\n    z();\n",
         "    if (x) {\n        a();<|>\n    }\n"},
        {"c", "    if (x) {<|>}\n", "\n        a();\n    }\n",
         "    if (x) {\n        a();\n    }<|>\n"},
        {"c", "    if (x) {<|>}\n", "\n        a();", "    if (x) {\n        a();\n    <|>}\n"},
        {"c", "    if (x) {<|>\n", "\n        a();\n    } else {\n        b();\n    }\n    c();\n",
         "    if (x) {\n        a();\n    } else {\n        b();\n    }<|>\n"},
        {"c", "void f(void)\n{\n    <|>\n}\n", "a();\n    b();\n}\n\nvoid g(void)\n{\n",
         "void f(void)\n{\n    a();\n    b();<|>\n}\n"},
        {"c", "void f(void)\n{\n    <|>\n    c();\n}\n", "a();\n    b();\n    c();\n}\n",
         "void f(void)\n{\n    a();\n    b();<|>\n    c();\n}\n"},
        {"c", "    <|>\n", "a();\n\n    b();\n", "    a();<|>\n"},
        {"c", "\tswitch (x) {<|>\n", "\n\tcase 1:\n\t\ta();\n\t}\n\tb();\n",
         "\tswitch (x) {\n\tcase 1:\n\t\ta();\n\t}<|>\n"},
        {"c", "\ta();\nif (x) {<|>\n}\n", "\n    a();\n    b();\n}\n",
         "\ta();\nif (x) {\n\ta();\n\tb();<|>\n}\n"},
        {"c", "int g(void)\r\n{\r\n    <|>\r\n}\r\n", "a();\n    b();\n}\n",
         "int g(void)\r\n{\r\n    a();\r\n    b();<|>\r\n}\r\n"},
        {"c", "int g(void)\r\n{\r\n    <|>\r\n}\r\n", "a();\r\n    b();\r\n}\r\n",
         "int g(void)\r\n{\r\n    a();\r\n    b();<|>\r\n}\r\n"},
        {"python", "def f(x):<|>\n", "\n    y = x\n    return y\n\ndef g():\n",
         "def f(x):\n    y = x\n    return y<|>\n"},
        {"python", "def f(x):\n    <|>\n", "y = x\n    return y\n\n\ndef g():\n",
         "def f(x):\n    y = x\n    return y<|>\n"},
        {"python", "    for i in x:<|>\n    return 1\n", "\n        a(i)\n    return 1\n",
         "    for i in x:\n        a(i)<|>\n    return 1\n"},
        {"python", "if a:\n    b()\n    c()\nif x:\n    <|>\n", "y()\n\tz()\n",
         "if a:\n    b()\n    c()\nif x:\n    y()\n    z()<|>\n"},
        {"python", "if x:<|>\n", "\ny()\n", NULL},
        {"javascript", "foo(() => {<|>});\n", "\n  a();\n});\n", "foo(() => {\n  a();\n});<|>\n"},
        {"javascript", "const a = {<|>\n};\n", "\n  b: 1,\n};\n", "const a = {\n  b: 1,<|>\n};\n"},
        {"go", "func f() {\n\tif x {<|>\n}\n", "\n\t\treturn\n\t}\n\ty()\n",
         "func f() {\n\tif x {\n\t\treturn\n\t}<|>\n}\n"},
        {"c", "    x = f(<|>)\n", "a,\n          b);\n", "    x = f(a,\n          b);<|>\n"},
    };
    check_cases(cases, sizeof cases / sizeof *cases, true);
}

typedef struct Reach {
    const char *document, *so_far;
    bool multi_line, reached;
} Reach;

static void generation_stops_where_the_hole_ends(void **state)
{
    (void)state;
    static const Reach cases[] = {
        {"x = <|>\n", "1", false, false},
        {"x = <|>\n", "1;\n", false, true},
        {"x = <|>\n", "", true, false},
        {"f(<|>);\n", "a", false, false},
        {"f(<|>);\n", "g(a)", false, false},
        {"f(<|>);\n", "g(a));", false, true},
        {"if (<|>)\n", "a)", false, false},
        {"if (<|>)\n", "a) {\n", false, true},
        {"if (<|>) {\n", "a)", false, false},
        {"if (<|>) {\n", "a) {", false, true},
        {"    <|>\n    b();\n", "a();\n", true, false},
        {"    <|>\n    b();\n", "a();\n    b();\n", true, true},
        {"    <|>\n    b();\n", "b();\n", true, true},
        {"    <|>\n", "a();\n}", true, true},
        {"    <|>\n", "a();\n  ", true, false},
        {"if (x) {<|>\n", "\n    a();\n}", true, false},
        {"if (x) {<|>\n", "\n    a();\n}\n", true, true},
        {"if (x) {<|>\n", "\n    a();\nb", true, true},
        {"    a();<|>\n", "\n", true, true},
        {"    <|>\n",
         "1;\n    2;\n    3;\n    4;\n    5;\n    6;\n    7;\n    8;\n    9;\n    10;\n"
         "    11;\n    12;\n    13;\n",
         true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Doc doc = make_doc(cases[i].document);
        EndingContext ctx = context(&doc, "c", cases[i].multi_line);
        if (ending_reached(&ctx, str_from(cases[i].so_far)) != cases[i].reached)
            fail_msg("case %zu: '%s' before '%s'", i, cases[i].so_far, cases[i].document);
        text_release(doc.text);
    }
}

// Once reached, whatever follows changes nothing: the contract that allows to stop.
static void what_follows_the_end_changes_nothing(void **state)
{
    (void)state;
    static const char *const documents[] = {"f(<|>);\n",           "if (<|>) {\n}\n",
                                            "    <|>\n    b();\n", "if (x) {<|>\n}\n",
                                            "if (x) {<|>}\n",      "  x = <|>"};
    static const char *const answers[] = {"a);\nb();\n", "a, b) {\n  c;\n}\nd;\n",
                                          "\n    a();\n}\nc();\n", "a();\n    b();\n    c();\n",
                                          "\"x)\", y));\n\n\n"};
    for (size_t d = 0; d < sizeof documents / sizeof *documents; d++)
        for (size_t k = 0; k < 2 * (sizeof answers / sizeof *answers); k++) {
            Arena *arena = arena_new();
            Doc doc = make_doc(documents[d]);
            EndingContext ctx = context(&doc, "c", k % 2);
            Str whole = str_from(answers[k / 2]);
            Ending wanted = ending_trim(&ctx, whole, arena);
            for (size_t n = 0; n <= whole.len; n++) {
                Str part = str_slice(whole, 0, n);
                if (!ending_reached(&ctx, part)) continue;
                Ending found = ending_trim(&ctx, part, arena);
                if (!str_equal(found.insert, wanted.insert))
                    fail_msg("%s + %.*s: '%.*s', wanted '%.*s'", documents[d], STR_FMT(part),
                             STR_FMT(found.insert), STR_FMT(wanted.insert));
                break;
            }
            text_release(doc.text);
            arena_free(arena);
        }
}

static void syntax_errors_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document, *insert;
        bool adds;
    } cases[] = {
        {"c", "int f(void)\n{\n    int x = <|>;\n}\n", "1", false},
        {"c", "int f(void)\n{\n    int x = <|>;\n}\n", "1)", true},
        {"c", "int f(void)\n{\n    <|>\n}\n", "return 0;", false},
        {"c", "int f(void)\n{\n    <|>\n}\n", "if (", true},
        {"c", "int f(void)\n{\n    if (<|>\n", "x) {", false},
        {"c", "int f(int x)\n{\n    g(<|>\n    h(x);\n}\n", "x]);", true},
        {"python", "def f():\n    <|>\n", "return 1", false},
        {"python", "def f():\n    <|>\n", "return )", true},
        {"javascript", "f(<|>);\n", "a => a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Doc doc = make_doc(cases[i].document);
        EndingContext ctx = context(&doc, cases[i].lang, false);
        Ending ending = {str_from(cases[i].insert), {doc.byte_off, doc.byte_off}};
        if (ending_adds_error(&ctx, &ending) != cases[i].adds) fail_msg("case %zu", i);
        ctx.lang = NULL;
        assert_false(ending_adds_error(&ctx, &ending));
        text_release(doc.text);
    }
}

// Any bytes at any cursor: no crash, and the replaced range stays on the cursor's line.
static void any_bytes_are_survived(void **state)
{
    (void)state;
    static const char alphabet[] = "ab({[)]}\"'\\ \t\n\r;,:\0\xff\xc3";
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        char bytes[48];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        Error err = {0};
        Arena *arena = arena_new();
        Doc doc = {text_new((Str){bytes, 24}, &err), (seed >> 8) % 25};
        EndingContext ctx = context(&doc, round % 2 ? "c" : "python", round % 3 == 0);
        Str generated = {bytes + 24, 24};
        (void)ending_reached(&ctx, generated);
        Ending ending = ending_trim(&ctx, generated, arena);
        uint32_t row = text_point(doc.text, doc.byte_off).row;
        assert_int_equal(ending.replace.start, doc.byte_off);
        assert_true(ending.replace.end == doc.byte_off ||
                    ending.replace.end <= text_line_end(doc.text, row));
        text_release(doc.text);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_are_not_doubled),
        cmocka_unit_test(strings_end_once),
        cmocka_unit_test(text_after_the_cursor_is_not_repeated),
        cmocka_unit_test(a_single_line_stays_one),
        cmocka_unit_test(blocks_end_with_their_block),
        cmocka_unit_test(generation_stops_where_the_hole_ends),
        cmocka_unit_test(what_follows_the_end_changes_nothing),
        cmocka_unit_test(syntax_errors_are_noticed),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

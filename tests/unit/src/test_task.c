// Where in a document the loop can be asked for what.
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "loop/task.h"

// The document without its "<|>", which is at *at.
static Syntax *parse(const char *lang, const char *document, size_t *at)
{
    char code[400];
    Error err = {0};
    *at = str_find(str_from(document), STR("<|>"), 0);
    snprintf(code, sizeof code, "%.*s%s", (int)*at, document, document + *at + 3);
    TextSnap *text = text_new(str_from(code), &err);
    Syntax *syntax = syntax_parse(language_by_id(lang), text, NULL);
    text_release(text);
    return syntax;
}

static void targets_are_empty_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *document;
        bool found;
    } cases[] = {
        {"c", "int f(int a)\n{<|>\n}\n", true},
        {"c", "int f(<|>int a) {}\n", true},
        {"c", "int f(int a)\n{\n    /* later */<|>\n}\n", true},
        {"c", "int f(int a)\n{\n    return <|>a;\n}\n", false},
        {"c", "int f(<|>int a);\n", false},
        {"c", "int x<|> = 1;\n", false},
        {"cpp", "int A::f() const {<|>}\n", true},
        {"python", "def f(a):<|>\n    pass\n", true},
        {"python", "def f(a):\n    ...<|>\n", true},
        {"python", "def f(a):\n    \"\"\"Adds.\"\"\"<|>\n", true},
        {"python", "def f(a):\n    return <|>a\n", false},
        {"javascript", "function f(a) {<|>}\n", true},
        {"go", "package a\nfunc f(a int) int {<|>}\n", true},
        {"rust", "fn f(a: i32) -> i32 {<|>}\n", true},
        {"java", "class A { int f(int a) {<|>} }\n", true},
        {"typescript", "function f(a: number): number {<|>}\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Task task;
        size_t at;
        Syntax *syntax = parse(cases[i].lang, cases[i].document, &at);
        if (task_find(syntax, TASK_BODY, (ByteRange){at, at}, &task) != cases[i].found)
            fail_msg("case %zu: %s", i, cases[i].document);
        syntax_release(syntax);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(targets_are_empty_bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Where a statement may begin, what the data of each language says, and calls with parameters.
#include "unit/unit.h"

#include "snippets.h"

// '|' marks the word's start; whatever follows up to a blank is the word.
static unsigned place_of(const char *lang, const char *path, const char *marked)
{
    Error err = {0};
    char text[1000];
    size_t at = (size_t)(strchr(marked, '|') - marked);
    snprintf(text, sizeof text, "%.*s%s", (int)at, marked, marked + at + 1);
    TextSnap *snap = text_new(str_from(text), &err);
    Syntax *syntax = syntax_parse(language_by_id(lang), snap, NULL);
    unsigned place = snippets_place(syntax, snap, str_from(path), at);
    syntax_release(syntax);
    text_release(snap);
    return place;
}

static void statements_begin_where_one_has_ended(void **state)
{
    (void)state;
    static const struct {
        const char *lang, *text;
        unsigned place;
    } cases[] = {
        {"c", "int f(void)\n{\n    |fo\n}\n", SNIPPET_BODY},
        {"c", "int f(void)\n{\n    a();\n    |fo\n    b();\n}\n", SNIPPET_BODY},
        {"c", "int f(void)\n{\n    if (a)\n        |fo\n}\n", SNIPPET_BODY},
        {"c", "int f(void)\n{\n    a(); // why\n    |fo\n}\n", SNIPPET_BODY},
        {"c", "int f(void) { |fo }\n", SNIPPET_BODY},
        {"c", "int f(void)\n{\n    x = |fo\n}\n", SNIPPET_NOWHERE},
        {"c", "int f(void)\n{\n    x =\n        |fo\n}\n", SNIPPET_NOWHERE},
        {"c", "int f(void)\n{\n    g(a,\n      |fo\n}\n", SNIPPET_NOWHERE},
        {"c", "int f(void)\n{\n    // |fo\n}\n", SNIPPET_NOWHERE},
        {"c", "int f(void)\n{\n    g(\"; |fo\");\n}\n", SNIPPET_NOWHERE},
        {"c", "int f(void)\n{\n    a.|fo\n}\n", SNIPPET_NOWHERE},
        {"c", "int f(void)\n{\n    return |fo\n}\n", SNIPPET_NOWHERE},
        {"c", "#include <a.h>\n|ma\n", SNIPPET_TOP},
        {"c", "|ma", SNIPPET_TOP},
        {"python", "def f():\n    |wi\n", SNIPPET_BODY},
        {"python", "|de\n", SNIPPET_TOP},
        {"python", "x = |de\n", SNIPPET_NOWHERE},
        {"python", "f(a,\n  |de\n", SNIPPET_NOWHERE},
        {"python", "# |de\n", SNIPPET_NOWHERE},
        {"python", "def f():\n    \"\"\"A\n    |wi\n    \"\"\"\n", SNIPPET_NOWHERE},
        {"javascript", "function f() {\n  a()\n  |fo\n}\n", SNIPPET_BODY},
        {"rust", "fn f() {\n    a();\n    |ma\n}\n", SNIPPET_BODY},
        {"go", "func f() {\n\ta()\n\t|fo\n}\n", SNIPPET_BODY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned place = place_of(cases[i].lang, "a.x", cases[i].text);
        if (place != cases[i].place)
            fail_msg("%s: place %u, wanted %u", cases[i].text, place, cases[i].place);
    }
    assert_int_equal(place_of("c", "a.h", "// Shapes.\n|gu"), SNIPPET_TOP | SNIPPET_HEADER);
    assert_int_equal(place_of("c", "a.h", "int a;\n|gu"), SNIPPET_TOP);
}

static void find(const char *lang, const char *file, unsigned place, const char *typed,
                 const char *wanted)
{
    Error err = {0};
    Snippet *found;
    Arena *arena = arena_new();
    TextSnap *snap = text_new(str_from(file), &err);
    size_t n = snippets_find(language_by_id(lang), place, str_from(typed), snap, arena, &found);
    bool ok = n == 1 && str_equal(found[0].text, str_from(wanted));
    if (!ok) fail_msg("%s: %zu, first:\n%.*s", typed, n, STR_FMT(n ? found[0].text : STR("")));
    text_release(snap);
    arena_free(arena);
}

static void texts_have_the_files_indentation(void **state)
{
    (void)state;
    find("c", "int a(void)\n{\n  b();\n}\n", SNIPPET_BODY, "whi",
         "while (${1:condition}) {\n  $0\n}");
    find("c", "int a(void)\n{\n\tb();\n}\n", SNIPPET_BODY, "whi",
         "while (${1:condition}) {\n\t$0\n}");
    find("python", "", SNIPPET_TOP, "cl",
         "class ${1:Name}:\n    def __init__(self${2}):\n        ${0:pass}");
}

static bool is_whole(Str text)
{
    int depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{') depth++;
        if (text.ptr[i] == '}' && depth > 0) depth--;
    }
    return depth == 0 && text.len > 0 && str_contains(text, "$");
}

static void each_language_has_whole_entries(void **state)
{
    (void)state;
    Error err = {0};
    size_t n_languages, n_with = 0;
    const Language *all = languages(&n_languages);
    TextSnap *empty = text_new(STR(""), &err);
    for (size_t i = 0; i < n_languages; i++) {
        Snippet *found;
        Arena *arena = arena_new();
        size_t n = snippets_find(&all[i], SNIPPET_BODY | SNIPPET_TOP | SNIPPET_HEADER, STR(""),
                                 empty, arena, &found);
        n_with += n > 0;
        for (size_t k = 0; k < n; k++)
            if (!is_whole(found[k].text) || found[k].description.len == 0)
                fail_msg("%s: %.*s", all[i].id, STR_FMT(found[k].prefix));
        arena_free(arena);
    }
    assert_true(n_with >= 9);
    text_release(empty);
}

static void calls_have_their_parameters(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"(int a, const char *b)\n{", "f(${1:int a}, ${2:const char *b})"},
        {"(void);", "f()"},
        {"()", "f()"},
        {"(int (*cmp)(int, int), int n)", "f(${1:int (*cmp)(int, int)}, ${2:int n})"},
        {"(self, path, *, mode=\"r\"):", "f(${1:path}, ${2:*}, ${3:mode=\"r\"})"},
        {"<T: Fn(u8)>(&mut self, it: Vec<T>) -> T {", "f(${1:it: Vec<T>})"},
        {"[T any](x T) T {", "f(${1:x T})"},
        {"(\n    a,\n    b = {c: 1}\n)", "f(${1:a}, ${2:b = {c: 1\\}})"},
        {"(a, b", ""},
        {" 3", ""},
        {"", ""},
    };
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Str call = snippets_call(STR("f"), str_from(cases[i][0]), arena);
        if (!str_equal(call, str_from(cases[i][1])))
            fail_msg("%s: %.*s", cases[i][0], STR_FMT(call));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_begin_where_one_has_ended),
        cmocka_unit_test(texts_have_the_files_indentation),
        cmocka_unit_test(each_language_has_whole_entries),
        cmocka_unit_test(calls_have_their_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

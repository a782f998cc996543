// What of other files is shown with a place, against a real index.
#include "unit/index_project.h"

#include "base/mem.h"
#include "prompt/context.h"

static const char header[] = "// Rows.\nstruct row {\n    int width;\n    int height;\n};\n"
                             "int row_area(const struct row *r);\n#define ROW_LIMIT 40\n";
static const char main_c[] = "#include \"row.h\"\n\nstatic int own(void) { return 1; }\n\n"
                             "int sum(const struct row *rows, int n)\n{\n    int s = own();\n"
                             "    for (int i = 0; i < n && n < ROW_LIMIT; i++)\n"
                             "        s += row_area(&rows[i]);\n    return s;\n}\n\n"
                             "int nothing(void)\n{\n    return 0;\n}\n";

typedef struct Place {
    Index *index;
    Syntax *syntax;
    char path[200];
    Arena *arena;
} Place;

static Place open_place(const Setup *s, const char *name, const char *text)
{
    Error err = {0};
    Place p = {.arena = arena_new()};
    put_file(s, name, text);
    snprintf(p.path, sizeof p.path, "%s/%s", s->root, name);
    p.index = open_index(s);
    wait_ready(p.index);
    TextSnap *snap = text_new(str_from(text), &err);
    p.syntax = syntax_parse(language_by_path(name), snap, NULL);
    text_release(snap);
    return p;
}

static void close_place(Place *p)
{
    close_index(p->index);
    syntax_release(p->syntax);
    arena_free(p->arena);
}

static size_t choose(const Setup *s, const Place *p, const char *after, unsigned parts,
                     size_t max_bytes, ContextPiece **out)
{
    Str all = text_str(syntax_text(p->syntax));
    ContextRequest request = {.indexes = &p->index,
                              .n_indexes = 1,
                              .syntax = p->syntax,
                              .byte_off = str_find(all, str_from(after), 0) + strlen(after),
                              .path = str_from(p->path),
                              .root = str_from(s->root),
                              .parts = parts,
                              .max_bytes = max_bytes};
    return context_choose(&request, p->arena, out);
}

static void definitions_of_near_names_are_shown(void **state)
{
    const Setup *s = *state;
    put_file(s, "src/row.h", header);
    Place p = open_place(s, "src/sum.c", main_c);
    ContextPiece *pieces;
    assert_int_equal(choose(s, &p, "s += ", CONTEXT_DEFINITIONS, 1000, &pieces), 1);
    assert_string_equal(pieces[0].path.ptr, "src/row.h");
    // Nearest first; what stands on the cursor's own line is being typed, and the file's own
    // functions are in the prompt anyway.
    assert_string_equal(
        pieces[0].text.ptr,
        "#define ROW_LIMIT 40\nstruct row {\n    int width;\n    int height;\n};\n");
    assert_int_equal(choose(s, &p, "return s", CONTEXT_DEFINITIONS, 1000, &pieces), 1);
    assert_non_null(strstr(pieces[0].text.ptr, "int row_area(const struct row *r);"));
    assert_null(strstr(pieces[0].text.ptr, "own"));
    close_place(&p);
}

static void budget_and_parts_hold(void **state)
{
    const Setup *s = *state;
    put_file(s, "src/row.h", header);
    Place p = open_place(s, "src/row.c", main_c);
    ContextPiece *pieces;
    assert_int_equal(choose(s, &p, "s += ", CONTEXT_DEFINITIONS, 30, &pieces), 1);
    assert_string_equal(pieces[0].text.ptr, "#define ROW_LIMIT 40\n");
    assert_int_equal(choose(s, &p, "s += ", 0, 1000, &pieces), 0);
    assert_int_equal(choose(s, &p, "s += ", CONTEXT_DEFINITIONS, 0, &pieces), 0);
    assert_int_equal(choose(s, &p, "return 0", CONTEXT_HEADER, 1000, &pieces), 1);
    assert_string_equal(pieces[0].path.ptr, "src/row.h");
    assert_true(str_starts(pieces[0].text, STR("struct row {")));
    close_place(&p);
}

// The same steps stand in the header's source, under other names, and far away in the file itself.
static void similar_lines_are_shown_with_what_follows(void **state)
{
    const Setup *s = *state;
    static const char open_a[] = "int open_a(struct dev *d)\n{\n    int fd = dev_claim(d, FIRST);\n"
                                 "    if (fd < 0)\n        return dev_fail(d, fd);\n"
                                 "    dev_reset(d, fd);\n    return dev_done(d, fd);\n}\n";
    static const char open_b[] =
        "\nint open_b(struct dev *d)\n{\n    int fd = dev_claim(d, SECOND);\n"
        "    if (fd < 0)\n        return dev_fail(d, fd);\n    \n}\n";
    put_file(s, "src/dev.h", "int unlike(void);\nextern char *nothing_of_it;\n");
    put_file(s, "src/first.c", open_a);

    Place p = open_place(s, "src/second.c", open_b);
    ContextPiece *pieces;
    size_t n = choose(s, &p, "return dev_fail(d, fd);\n    ", CONTEXT_SIMILAR, 1000, &pieces);
    assert_true(n > 0);
    assert_string_equal(pieces[n - 1].path.ptr, "src/first.c"); // the most similar stands last
    assert_non_null(strstr(pieces[n - 1].text.ptr, "    dev_reset(d, fd);\n    return dev_done"));
    for (size_t i = 0; i < n; i++)
        assert_string_not_equal(pieces[i].path.ptr, "src/dev.h");
    assert_int_equal(choose(s, &p, "return dev_fail(d, fd);\n    ", CONTEXT_SIMILAR, 40, &pieces),
                     0);
    close_place(&p);

    char *far = mem_zero(20000);
    strcpy(far, open_a);
    for (int i = 0; i < 300; i++)
        sprintf(far + strlen(far), "int unlike_%d;\n", i);
    strcat(far, open_b);
    put_file(s, "src/second.c", "int none;\n");
    p = open_place(s, "lib/whole.c", far);
    n = choose(s, &p, "return dev_fail(d, fd);\n    \n", CONTEXT_SIMILAR, 2000, &pieces);
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found = found || str_equal(pieces[i].path, STR("lib/whole.c"));
    assert_true(found);
    close_place(&p);
    free(far);
}

// Two places have the lines before the cursor's; the lines after it tell which of them it is.
static void lines_after_the_cursor_tell_the_place(void **state)
{
    const Setup *s = *state;
    StrBuf text = {0};
    static const char *const steps[] = {"dev_start(d);\n    dev_wake(d);",
                                        "dev_stop(d);\n    dev_sleep(d);"};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 20; k++)
            strbuf_printf(&text, "int unlike_%d_%d;\n", i, k);
        strbuf_printf(
            &text, "void run_%d(struct dev *d)\n{\n    dev_claim(d);\n    found(%d);\n    %s\n}\n",
            i, i, steps[i]);
    }
    put_file(s, "src/steps.c", strbuf_str(&text).ptr);
    strbuf_deinit(&text);
    Place p = open_place(s, "src/own.c",
                         "void own(struct dev *d)\n{\n    dev_claim(d);\n    \n"
                         "    dev_stop(d);\n    dev_sleep(d);\n}\n");
    ContextPiece *pieces;
    size_t n = choose(s, &p, "dev_claim(d);\n    ", CONTEXT_SIMILAR, 1000, &pieces);
    assert_int_equal(n, 1);
    assert_non_null(strstr(pieces[0].text.ptr, "found(1);"));
    assert_null(strstr(pieces[0].text.ptr, "found(0);"));
    close_place(&p);
}

static void names_of_many_files_say_nothing(void **state)
{
    const Setup *s = *state;
    put_file(s, "src/a.c", "int twice(int a)\n{\n    return 2 * a;\n}\n");
    put_file(s, "src/b.c", "int twice(int a, int b)\n{\n    return a + b;\n}\n");
    Place p = open_place(s, "src/c.c", "int f(void)\n{\n    twice(1);\n    \n}\n");
    ContextPiece *pieces;
    assert_int_equal(choose(s, &p, "twice(1);\n", CONTEXT_DEFINITIONS, 1000, &pieces), 0);
    close_place(&p);
}

static void the_key_holds_within_a_function(void **state)
{
    (void)state;
    Error err = {0};
    TextSnap *text = text_new(str_from(main_c), &err);
    Syntax *syntax = syntax_parse(language_by_id("c"), text, NULL);
    size_t at = str_find(text_str(text), STR("s += "), 0);
    size_t other = str_find(text_str(text), STR("return 0"), 0);
    assert_true(context_key(syntax, at) == context_key(syntax, at + 9));
    assert_true(context_key(syntax, at) != context_key(syntax, other));
    context_key(syntax, 100000); // past the end: some key
    syntax_release(syntax);
    text_release(text);
}

static void parts_are_read(void **state)
{
    (void)state;
    Error err = {0};
    unsigned parts;
    assert_ok(context_read_parts(STR("definitions, header"), NULL, &parts, &err), err);
    assert_int_equal(parts, CONTEXT_DEFINITIONS | CONTEXT_HEADER);
    assert_ok(context_read_parts(STR("none"), NULL, &parts, &err), err);
    assert_int_equal(parts, 0);
    assert_false(context_read_parts(STR("headers"), NULL, &parts, &err));
    assert_string_equal(
        err.text,
        "context 'headers', wanted definitions, header, similar, recent, all, auto or none");
    // What helps depends on the model, and before there is one nothing does.
    const EngineInfo ours = {.fim_order = FIM_LINE_LAST}, other = {.fim_order = FIM_NONE};
    assert_ok(context_read_parts(STR("auto"), NULL, &parts, &err), err);
    assert_int_equal(parts, 0);
    assert_ok(context_read_parts(STR("auto"), &other, &parts, &err), err);
    assert_int_equal(parts, 0);
    assert_ok(context_read_parts(STR("auto"), &ours, &parts, &err), err);
    assert_int_equal(parts, CONTEXT_SIMILAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(definitions_of_near_names_are_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(budget_and_parts_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(similar_lines_are_shown_with_what_follows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lines_after_the_cursor_tell_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_many_files_say_nothing, set_up, tear_down),
        cmocka_unit_test(the_key_holds_within_a_function),
        cmocka_unit_test(parts_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

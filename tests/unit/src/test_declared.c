// What the types in a signature are made of, from the document and what it includes.
#include "unit/little_project.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/declared.h"

typedef struct Setup {
    char folder[64];
    Arena *arena;
} Setup;

static void set_up(Setup *s)
{
    char path[96];
    *s = (Setup){.arena = arena_new()};
    snprintf(s->folder, sizeof s->folder, "/tmp/r1ls-declared-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(path, sizeof path, "%s/sub", s->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file(s->folder, "a.h",
             "#include \"sub/b.h\"\n"
             "/* struct box { int wrong; }; */\n"
             "struct box; // not here\n"
             "#define MAKE(box) \\\nstruct box { \\\n int n; \\\n}\n"
             "struct box {\n"
             "\tint\t\t width; /* of it */\n"
             "#ifdef BIG\n#define LONG 1 + \\\n 2\n\tchar *name[3], *other;\n#endif\n"
             "\tstruct { int x, y; } at;\n"
             "\tTAILQ_ENTRY(box) entry;\n"
             "};\n"
             "typedef struct box box_t;\n"
             "enum kind { KIND_A, KIND_B = 2 };\n");
    put_file(s->folder, "sub/b.h",
             "#include \"../a.h\"\n"
             "typedef struct {\n    double d;\n} Pair;\n"
             "class Shape : public Base {\npublic:\n  int area() const { return w * 2; }\n  void "
             "draw();\n"
             "  int w;\n};\n");
}

static void tear_down(Setup *s)
{
    char command[128];
    arena_free(s->arena);
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    assert_int_equal(system(command), 0);
}

// "path: text" of all pieces.
static const char *find(const Setup *s, const char *text, const char *signature, size_t max)
{
    ContextPiece *pieces;
    StrBuf out = {0};
    DeclaredRequest request = {.root = str_from(s->folder),
                               .path = STR("m.c"),
                               .text = str_from(text),
                               .signature = str_from(signature),
                               .max_bytes = max};
    size_t n = declared_find(&request, s->arena, &pieces);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&out, "%.*s: %.*s", STR_FMT(pieces[i].path), STR_FMT(pieces[i].text));
    Str all = arena_str(s->arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return all.len ? all.ptr : "";
}

static void definitions_are_found_in_what_is_included(void **state)
{
    (void)state;
    Setup s;
    set_up(&s);
    const char *document = "#include <stdio.h>\n#include \"a.h\"\nunion own { int i; };\n";
    const char *box = "a.h: struct box {\n int width;\n char *name[3], *other;\n"
                      " struct { int x, y; } at;\n TAILQ_ENTRY(box) entry;\n};\n";
    assert_string_equal(find(&s, document, "int f(struct box *b)", 1000), box);
    assert_string_equal(find(&s, document, "int f(const box_t *b)", 1000), box);
    assert_string_equal(find(&s, document, "int f(union own o, enum kind k)", 1000),
                        "a.h: enum kind {\n KIND_A,\n KIND_B = 2\n};\n"
                        "m.c: union own {\n int i;\n};\n");
    assert_string_equal(find(&s, document, "Pair f(Pair a)", 1000),
                        "sub/b.h: struct {\n double d;\n} Pair;\n");
    assert_string_equal(find(&s, document, "void Shape::draw()", 1000),
                        "sub/b.h: class Shape : public Base {\n public: int area() const;\n"
                        " void draw();\n int w;\n};\n");
    assert_string_equal(find(&s, "int x;\n", "int f(struct box *b)", 1000), "");
    assert_string_equal(find(&s, document, "int f(int wrong)", 1000), "");
    tear_down(&s);
}

static void what_the_document_uses_remains(void **state)
{
    (void)state;
    Setup s;
    set_up(&s);
    const char *document = "#include \"a.h\"\nint g(struct box *b) { return b->at.x + b->at.y; }\n"
                           "int h(struct box *b) { return b->width; }\n";
    assert_string_equal(find(&s, document, "int f(struct box *b)", 60),
                        "a.h: struct box {\n int width;\n struct { int x, y; } at;\n};\n");
    assert_string_equal(find(&s, document, "int f(struct box *b)", 0), "");
    tear_down(&s);
}

static void damaged_text_is_survived(void **state)
{
    (void)state;
    Setup s;
    set_up(&s);
    static const char *const documents[] = {"",
                                            "struct",
                                            "struct box",
                                            "struct box {",
                                            "} box;",
                                            "{ } box;",
                                            "typedef box;",
                                            "typedef struct box",
                                            "struct box { int",
                                            "struct box { int f( { } ",
                                            "/* struct box {",
                                            "struct box { /*",
                                            "#include \"",
                                            "#include \"nowhere.h\"",
                                            "#include \"../../../etc/x\"",
                                            "struct box { struct box { } ; ; } box;",
                                            "typedef struct box box;"};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        find(&s, documents[i], "int f(struct box *b", 100);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_found_in_what_is_included),
        cmocka_unit_test(what_the_document_uses_remains),
        cmocka_unit_test(damaged_text_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

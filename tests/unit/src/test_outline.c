// An outline leaves out what defines nothing, and what is found in it is what is found in the text.
#include "unit/unit.h"

#include "base/random.h"
#include "index/outline.h"
#include "index/tags.h"
#include "workspace/target.h"

// A text and its outline; NULL: the text.
typedef struct Case {
    const char *text, *outline;
} Case;

static const Case cases[] = {
    {"int f(int a)\n{\n    return g(a) + 1;\n}\nint x;\n", "int f(int a)\n{}\nint x;\n"},
    {"static int t[] = {1, 2, 3, 4, 5, 6, 7};\n", "static int t[] = {};\n"},
    {"struct s t = { .call = (struct s){1}, .x = 2 };\n", "struct s t = {};\n"},
    {"int f(void) { ; }\n", NULL}, // not worth it
    // What is no bracket.
    {"int f(void) { g(\"}}\\\"}\", '}', '\\'', L\"{\"); /* } */ }\n", "int f(void) {}\n"},
    {"int f(void)\n{ // } \\\n } still\n    g(1'000, 0x1f);\n}\nint y;\n",
     "int f(void)\n{}\nint y;\n"},
    {"int f(void) { g(a, \"}\\\n}\"); h(b); }\n", "int f(void) {}\n"},
    {"#define OPEN {\n#define TEXT don't {\nint f(void) { return g(1, 2); }\n",
     "#define OPEN {\n#define TEXT don't {\nint f(void) {}\n"},
    {"#define A(x) { \\\n  x /* \n } { */ { \\\n {\nint f(void) { return g(1, 2); }\n",
     "#define A(x) { \\\n  x /* \n } { */ { \\\n {\nint f(void) {}\n"},
    {"struct a { int b; struct c { int d; } e; };\nenum f { G, H, IIIIIIIIIIIIIIII };\n", NULL},
    // Several, and what follows them.
    {"int f(void) { return g(1, 2); }\nint h(void) { return f() + f(); }\nint t[2] = {1, 2};\n",
     "int f(void) {}\nint h(void) {}\nint t[2] = {1, 2};\n"},
    {"int f(void) { for (struct s *a = b; a; a = a->next) { switch (a->x) { case 1: g(a); } } }\n",
     "int f(void) {}\n"},
    {"int f(void) { if (n < sizeof(struct s)) { g(({ int a = h(1); a; })); } }\n",
     "int f(void) {}\n"},
    // A body that defines something is kept.
    {"int f(void) { struct s { int a; } b = {1}; return b.a; }\n", NULL},
    {"int f(void) { enum { ONE, TWO } kind = ONE; return kind; }\n", NULL},
    {"int f(void) { union u __attribute__((packed)) { int a; } b; }\n", NULL},
    {"int f(void) { typedef int number; number a = 1; }\n", NULL},
    {"int f(void) { int g(int a); return g(1) + g(2); }\n", NULL},
    {"int f(void) { int a, g(int b); return g(1) + g(2); }\n", NULL},
    {"int f(void) { static struct s *g(int a); return g(1); }\n", NULL},
    {"int f(void) { if (a) g(b); else return h(c); goto out; }\n", "int f(void) {}\n"},
    {"int f(void) { if (a) int g(int b); return a + b + c; }\n", NULL},
    {"int f(void) { int g(int a) { return a + 1; } return g(2); }\n", NULL},
    {"int f(void) { each(x) g(x); return a + b + c + d; }\n", NULL}, // read as a declaration
    {"int f(void)\n{\n#define LOCAL 1\n    return LOCAL;\n}\n", NULL},
    {"int f(void)\n{\n#ifdef A\n    if (a) {\n        b();\n    }\n#endif\n}\n", NULL},
    // Heads that are not clear.
    {"int f(a, b)\n    int a;\n    char *b;\n{\n    return a + g(b) + 1;\n}\n", NULL},
    {"struct __attribute__((packed)) { int aaaaaaaaa; int b; } c;\n", NULL},
    {"int f(\n#ifdef A\n    int a\n#else\n    int b\n#endif\n)\n{\n    return g(1, 2, 3);\n}\n",
     NULL},
    {"#ifdef A\nint f(int a)\n#else\nint f(long a)\n#endif\n{\n    return g(1, 2, 3);\n}\n", NULL},
    {"LIST_BEGIN { .a = 1, .b = 2, .c = 3 } LIST_END\n", NULL},
    // Where nothing is clear, nothing is cut.
    {"#ifdef A\nint f(int a) {\n#else\nint f(long a) {\n#endif\n    return g(1, 2, 3);\n}\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\n#ifdef A\n}\n#endif\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\nint h(void) { return (1; }\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\n/* without an end\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\nchar *s = \"without an end;\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\n#endif\n", NULL},
    {"#if 1\nint f(void) { return g(1, 2, 3); }\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\n#if 0\nIt's text.\n#endif\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\n#define ALL \"/*\"\n", NULL},
    {"int f(void) { return g(1, 2, 3); }\nif (a) { b(); }\n", NULL},
    {"int f(void) { return `g`(1, 2, 3); }\n", NULL},
    {"int f(void) { BEGIN return g(1, 2, 3); }\n}\n", NULL}, // BEGIN opens a brace
    {"", NULL},
    {"{", NULL},
    {"}", NULL},
};

static Tags collect(Syntax *syntax, Arena *arena)
{
    assert_non_null(syntax);
    Digest *digest = digest_new(syntax, NULL, false);
    Tags tags = tags_collect(digest, arena);
    digest_release(digest);
    return tags;
}

static void assert_same_range(ByteRange a, ByteRange b)
{
    assert_int_equal(a.start, b.start);
    assert_int_equal(a.end, b.end);
}

static void assert_same_names(const Tags *a, const Tags *b)
{
    assert_int_equal(a->n_names, b->n_names);
    for (size_t i = 0; i < a->n_names; i++)
        assert_true(str_equal(a->names[i], b->names[i]));
}

static void assert_same_definitions(const Tags *a, const Tags *b)
{
    assert_int_equal(a->n_symbols, b->n_symbols);
    for (size_t i = 0; i < a->n_symbols; i++) {
        const Symbol *x = &a->symbols[i], *y = &b->symbols[i];
        assert_true(str_equal(x->name, y->name));
        assert_int_equal(x->kind, y->kind);
        assert_same_range(x->name_range, y->name_range);
        assert_same_range(x->range, y->range);
        assert_same_range(x->head, y->head);
        assert_int_equal(x->is_private, y->is_private);
        assert_int_equal(x->is_declaration, y->is_declaration);
        assert_true(str_equal(a->containers[i], b->containers[i]));
    }
    assert_int_equal(a->n_imports, b->n_imports);
    for (size_t i = 0; i < a->n_imports; i++)
        assert_true(str_equal(a->imports[i], b->imports[i]));
}

// Whatever the text: what is found stands where it is said to stand.
static void assert_in_place(const Tags *tags, Str text)
{
    for (size_t i = 0; i < tags->n_symbols; i++) {
        const Symbol *s = &tags->symbols[i];
        assert_true(s->range.start <= s->name_range.start && s->name_range.end <= s->range.end);
        assert_true(s->range.end <= text.len);
        assert_ptr_equal(s->name.ptr, text.ptr + s->name_range.start);
        assert_int_equal(s->name.len, s->name_range.end - s->name_range.start);
    }
}

static void assert_same_places(const Syntax *whole, const TextSnap *text, Str word)
{
    Arena *arena = arena_new();
    Target target = {.name = word};
    TargetPlace *a, *b;
    Syntax *outline = outline_parse(syntax_language(whole), text, word, NULL);
    size_t n = target_places(whole, &target, arena, &a);
    assert_int_equal(target_places(outline, &target, arena, &b), n);
    for (size_t i = 0; i < n; i++) {
        assert_same_range(a[i].range, b[i].range);
        assert_int_equal(a[i].declares, b[i].declares);
    }
    syntax_release(outline);
    arena_free(arena);
}

// Whether the text is well-formed: then its outline has to tell the same.
static bool check_tags(Str bytes, bool is_same)
{
    Error err = {0};
    Arena *arena = arena_new();
    const Language *c = language_by_id("c");
    TextSnap *text = text_new(bytes, &err);
    Syntax *syntax = syntax_parse(c, text, NULL), *outline = outline_parse(c, text, STR(""), NULL);
    Tags whole = collect(syntax, arena), outlined = collect(outline, arena);
    bool well_formed = !ts_node_has_error(syntax_root(syntax));
    assert_same_names(&whole, &outlined);
    assert_in_place(&outlined, text_str(text));
    if (well_formed || is_same) assert_same_definitions(&whole, &outlined);
    if (well_formed) assert_same_places(syntax, text, STR("b"));
    if (well_formed) assert_same_places(syntax, text, STR("x"));
    syntax_release(syntax);
    syntax_release(outline);
    text_release(text);
    arena_free(arena);
    return well_formed;
}

static const char *leave_out(Str text, const ByteRange *cuts, size_t n, Arena *arena)
{
    StrBuf out = {0};
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(at <= cuts[i].start && cuts[i].start < cuts[i].end);
        strbuf_append(&out, str_slice(text, at, cuts[i].start));
        at = cuts[i].end;
    }
    strbuf_append(&out, str_slice(text, at, text.len));
    Str left = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return left.ptr;
}

static void bodies_are_cut_where_they_define_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        ByteRange *cuts;
        Str text = str_from(cases[i].text);
        size_t n = outline_cuts(text, STR(""), arena, &cuts);
        const char *expected = cases[i].outline ? cases[i].outline : cases[i].text;
        assert_string_equal(leave_out(text, cuts, n, arena), expected);
        check_tags(text, false);
        arena_free(arena);
    }
}

static void what_mentions_a_word_is_kept(void **state)
{
    (void)state;
    Str text = STR("int f(void) { return g(1, 2); }\nint h(void) { return fg() + gf(); }\n");
    Arena *arena = arena_new();
    ByteRange *cuts;
    assert_int_equal(outline_cuts(text, STR(""), arena, &cuts), 2);
    assert_int_equal(outline_cuts(text, STR("return"), arena, &cuts), 0);
    assert_int_equal(outline_cuts(text, STR("g"), arena, &cuts), 1);
    assert_int_equal(cuts[0].start, str_find(text, STR(" return fg"), 0));
    assert_int_equal(cuts[0].end, text.len - 2);
    arena_free(arena);
}

// An attribute that the parser does not know is an error within its declaration; a head that it
// cannot read makes it read on beyond the body.
static void errors_in_heads_change_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "static int __init f(void)\n{\n    return g(1, 2, 3);\n}\nint h(void) { return f() + 1; "
        "}\n",
        "static void __acquires(a)\nf(struct s *a, int b)\n{\n    g(a);\n    h(b);\n}\n\n"
        "static void __releases(a)\ng(struct s *a, int b)\n{\n    g(a);\n    h(b);\n}\nint x;\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(check_tags(str_from(texts[i]), true));
}

// An error that the parser does not keep within one declaration costs the outline its cuts near to
// it, and not those of the rest of the file.
static void an_error_costs_its_neighbours_alone(void **state)
{
    (void)state;
    static const char *const errors[] = {
        "static struct row rows[] = {\n#include \"rows.h\"\n};\n",
        "module_init(start) module_exit(stop)\n\nMODULE_AUTHOR(\"A\");\n",
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        StrBuf out = {0};
        Error err = {0};
        for (int n = 0; n < 100; n++) {
            if (n == 50) strbuf_append(&out, str_from(errors[i]));
            strbuf_printf(&out,
                          "int f%d(int a)\n{\n    if (g(a, %d)) h(a * 2, b[a].c, i(j, k));\n    "
                          "return i(j, a * 2 + k);\n}\n",
                          n, n);
        }
        check_tags(strbuf_str(&out), true);
        TextSnap *text = text_new(strbuf_str(&out), &err);
        const Language *c = language_by_id("c");
        Syntax *whole = syntax_parse(c, text, NULL),
               *outline = outline_parse(c, text, STR(""), NULL);
        assert_true(ts_node_has_error(syntax_root(whole)));
        assert_true(ts_node_descendant_count(syntax_root(outline)) * 2 <
                    ts_node_descendant_count(syntax_root(whole)));
        syntax_release(whole);
        syntax_release(outline);
        text_release(text);
        strbuf_deinit(&out);
    }
}

// --- random texts

// What may stand in a function, an initializer, a structure, an enumeration; NULL-terminated.
static const char *const statements[] = {
    "a = b + g(1, \"}\", '{');\n",
    "if (a) { b(c); } else return d;\n",
    "for (int i = 0; i < n; i++) { x[i] = (struct s){1, 2}; }\n",
    "struct s *p = 0, *q = g(2);\n",
    "struct in%d { int x, *y, z[3]; } one;\n",
    "enum { A%d, B%d } two;\n",
    "typedef int number%d;\n",
    "int g%d(int a);\n",
    "char *s%d(void), c%d = 1, h%d(int);\n",
    "int nested%d(int a) { return a; }\n",
    "x = ({ int y = 1; y; });\n",
    "#define LOCAL%d { (\n",
    "#if A\nif (a) {\nb();\n}\n#else\nc();\n#endif\n",
    "/* } */ // { \\\n }\n",
    "switch (a) { case 1: b(c); break; default: return; }\n",
    "label%d: goto label%d;\n",
    "each(a) b(c);\n",
    "do { a(b * c(d)); a * b(c); } while (0);\n",
    "int (*call%d)(int a);\n",
    "_Static_assert(sizeof(struct s) == 4, \"\");\n",
    "__attribute__((unused)) int z%d(void);\n",
    "return (union u){.a = b}.c;\n",
    NULL};
static const char *const values[] = {
    "{1, 2, 3}, ", ".x = {\"}\", '\\''}, ", "[A] = &b, ", "\n/* { */ -1,\n", "(struct s){1, 2}, ",
    "g(a, b), ",   "sizeof(int), ",         NULL};
static const char *const members[] = {"int x%d, *y%d, z%d[3];\n", "struct { int in%d; } a%d;\n",
                                      "int (*call%d)(int a);\n", "unsigned b%d : 3;\n", NULL};
static const char *const enumerators[] = {"A%d, ", "B%d = 1 << 3,\n", "/* { */ C%d, ", NULL};

static const struct {
    const char *head;
    const char *const *pieces;
    const char *end;
} items[] = {
    {"int f%d(int a) ", statements, "\n"},
    {"static inline struct s *f%d(const char *a, int n)\n", statements, "\n"},
    {"void f%d(a, b) int a; char *b; ", statements, "\n"},
    {"int __attribute__((cold)) f%d(void);\nstatic int f%d(void) ", statements, "\n"},
    {"#ifdef A\n#define M%d {\n#endif\nstruct s f%d(void) ", statements, "\n"},
    {"static const int t%d[] = ", values, ";\n"},
    {"static struct s t%d = ", values, ", u%d;\n"},
    {"struct s%d ", members, ";\n"},
    {"typedef struct ", members, " t%d;\n"},
    {"enum e%d ", enumerators, ";\n"},
};

static const char *const edits[] = {
    "{",       "}", "(", ")", "\"", "'",    "/*", "*/", "//", "#if 1\n",  "#else\n", "#endif\n",
    "struct ", "=", ";", ",", "*",  "\\\n", "#",  "x",  "\n", "typedef ", ":"};

// %d is a new number, so that no two definitions are the same.
static void append_numbered(StrBuf *out, const char *piece, int *number)
{
    for (; *piece; piece++) {
        if (piece[0] == '%' && piece[1] == 'd') {
            strbuf_printf(out, "%d", (*number)++);
            piece++;
        } else {
            strbuf_append_char(out, *piece);
        }
    }
}

static void append_item(StrBuf *out, int *number, uint64_t *seed)
{
    size_t item = random_next(seed) % (sizeof items / sizeof *items), n_pieces = 0;
    while (items[item].pieces[n_pieces])
        n_pieces++;
    append_numbered(out, items[item].head, number);
    strbuf_append(out, STR("{\n"));
    for (size_t i = 1 + random_next(seed) % 4; i > 0; i--)
        append_numbered(out, items[item].pieces[random_next(seed) % n_pieces], number);
    strbuf_append_char(out, '}');
    append_numbered(out, items[item].end, number);
}

static void break_text(StrBuf *out, uint64_t *seed)
{
    StrBuf next = {0};
    size_t at = random_next(seed) % (out->len + 1), end = at + random_next(seed) % 4;
    strbuf_append(&next, str_slice(strbuf_str(out), 0, at));
    strbuf_append(&next, str_from(edits[random_next(seed) % (sizeof edits / sizeof *edits)]));
    strbuf_append(&next, str_slice(strbuf_str(out), end, out->len));
    strbuf_deinit(out);
    *out = next;
}

static void write_text(StrBuf *out, bool broken, uint64_t *seed)
{
    int number = 0;
    strbuf_append(out, STR("#include \"a.h\"\n"));
    for (size_t i = 1 + random_next(seed) % 5; i > 0; i--)
        append_item(out, &number, seed);
    for (size_t i = broken ? 1 + random_next(seed) % 4 : 0; i > 0; i--)
        break_text(out, seed);
}

static uint64_t number_of(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

static void random_texts_are_told_the_same(void **state)
{
    (void)state;
    uint64_t seed = number_of("R1LS_OUTLINE_SEED", 1), n = number_of("R1LS_OUTLINE_TEXTS", 3000);
    size_t n_well_formed = 0;
    for (uint64_t i = 0; i < n; i++) {
        StrBuf text = {0};
        write_text(&text, i % 2, &seed);
        if (number_of("R1LS_OUTLINE_SHOW", 0))
            print_message("--- %zu\n%s\n", (size_t)i, strbuf_str(&text).ptr);
        n_well_formed += check_tags(strbuf_str(&text), false);
        strbuf_deinit(&text);
    }
    print_message("%zu of %llu are well-formed\n", n_well_formed, (unsigned long long)n);
    assert_true(n_well_formed >= n / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_cut_where_they_define_nothing),
        cmocka_unit_test(what_mentions_a_word_is_kept),
        cmocka_unit_test(errors_in_heads_change_nothing),
        cmocka_unit_test(an_error_costs_its_neighbours_alone),
        cmocka_unit_test(random_texts_are_told_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

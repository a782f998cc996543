// The formal check by Z3: cases by hand, each with the answer that it must get.
#include "unit/formal_check.h"
#include "unit/little_project.h"

#include "formal/translate.h"

static size_t last_function(const Syntax *syntax)
{
    TSNode root = syntax_root(syntax);
    return syntax_range(ts_node_named_child(root, ts_node_named_child_count(root) - 1)).start;
}

static const FormalResult *solve(const char *source, const char *other, int unwind, Arena *arena,
                                 Formal **formal)
{
    TextSnap *text, *other_text = NULL;
    Syntax *syntax = parse_c(source, &text), *old = other ? parse_c(other, &other_text) : NULL;
    // Minutes, for machines that are busy.
    FormalRequest request = {.syntax = syntax,
                             .against = old,
                             .prover = {FORMAL_Z3, NULL},
                             .unwind = unwind,
                             .max_ms = 200000};
    // The last function is the one that is examined.
    request.byte_off = last_function(syntax);
    if (old) request.against_off = last_function(old);
    *formal = check_to_its_end(&request, arena);
    syntax_release(syntax);
    syntax_release(old);
    text_release(text);
    text_release(other_text);
    return formal_result(*formal);
}

typedef struct Case {
    const char *source, *other;
    FormalAnswer answer;
    FormalKind kind; // of the first finding
    uint32_t line;
    const char *says; // part of the first finding's inputs or of the summary; NULL: anything
} Case;

static void check_case(const Case *c, size_t number)
{
    Arena *arena = arena_new();
    Formal *formal;
    const FormalResult *r = solve(c->source, c->other, 4, arena, &formal);
    bool good = r->answer == c->answer;
    if (good && c->answer == FORMAL_VIOLATED)
        good =
            r->n_findings > 0 && r->findings[0].kind == c->kind && r->findings[0].line == c->line;
    if (good && c->line && c->answer != FORMAL_VIOLATED) good = r->line == c->line;
    if (good && c->says) good = str_find(r->summary, str_from(c->says), 0) < r->summary.len;
    if (!good)
        fail_msg("case %zu: %s\nfound %s: %.*s (line %u)", number, c->source,
                 formal_answer_word(r->answer), STR_FMT(r->summary), r->line);
    formal_free(formal);
    arena_free(arena);
}

static void check_cases(const Case *cases, size_t n)
{
    if (lacks_solver()) skip();
    for (size_t i = 0; i < n; i++)
        check_case(&cases[i], i);
}

static void each_property_is_found_and_proved(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"int f(int a, int b)\n{\n    return a + b;\n}\n", NULL, FORMAL_VIOLATED, FORMAL_OVERFLOW,
         3, 0},
        {"int f(short a, short b)\n{\n    return a + b;\n}\n", NULL, FORMAL_PROVED, 0, 0, 0},
        {"int f(int a)\n{\n    return -a;\n}\n", NULL, FORMAL_VIOLATED, FORMAL_OVERFLOW, 3,
         "a = -2147483648"},
        {"unsigned f(unsigned a)\n{\n    return -a * 7u;\n}\n", NULL, FORMAL_PROVED, 0, 0, 0},
        {"int f(int a, int b)\n{\n    return a / b;\n}\n", NULL, FORMAL_VIOLATED, FORMAL_DIVISION,
         3, "b = 0"},
        {"int f(int a, int b)\n{\n    return b > 0 ? a % b : 0;\n}\n", NULL, FORMAL_PROVED, 0, 0,
         0},
        {"int f(int a, int b)\n{\n    if (b == 0) return 0;\n    return a / b;\n}\n", NULL,
         FORMAL_VIOLATED, FORMAL_OVERFLOW, 4, "b = -1"},
        {"unsigned f(unsigned a, int n)\n{\n    return a << n;\n}\n", NULL, FORMAL_VIOLATED,
         FORMAL_SHIFT, 3, 0},
        {"unsigned f(unsigned a, int n)\n{\n    return a << (n & 31);\n}\n", NULL, FORMAL_PROVED, 0,
         0, 0},
        {"int f(unsigned i)\n{\n    int a[4] = {1, 2};\n    return a[i];\n}\n", NULL,
         FORMAL_VIOLATED, FORMAL_BOUNDS, 4, 0},
        {"int f(unsigned i)\n{\n    int a[4] = {1, 2};\n    return a[i % 4];\n}\n", NULL,
         FORMAL_PROVED, 0, 0, 0},
        {"int f(const int *a, int n)\n{\n    return a[0];\n}\n", NULL, FORMAL_VIOLATED,
         FORMAL_BOUNDS, 3, 0},
        {"int f(const int *a, int n)\n{\n    return n > 0 ? a[n - 1] : 0;\n}\n", NULL,
         FORMAL_PROVED, 0, 0, 0},
        {"#include <assert.h>\nint f(int a)\n{\n    assert(a != 41);\n    return 0;\n}\n", NULL,
         FORMAL_VIOLATED, FORMAL_ASSERT, 4, "a = 41"},
        {"#include <assert.h>\nint f(int a)\n{\n    if (a == 41) a = 0;\n    assert(a != 41);\n    "
         "return 0;\n}\n",
         NULL, FORMAL_PROVED, 0, 0, 0},
        {"int f(int a)\n{\n    int x;\n    if (a > 0) x = 1;\n    return x;\n}\n", NULL,
         FORMAL_VIOLATED, FORMAL_UNINITIALISED, 5, 0},
        {"int f(int a)\n{\n    int x;\n    if (a > 0) x = 1; else x = 2;\n    return x;\n}\n", NULL,
         FORMAL_PROVED, 0, 0, 0},
        {"int f(unsigned i)\n{\n    int a[3];\n    a[0] = 1;\n    a[1] = 1;\n    return a[i % "
         "3];\n}\n",
         NULL, FORMAL_VIOLATED, FORMAL_UNINITIALISED, 6, 0},
        {"int f(int a)\n{\n    if (a) return 1;\n}\n", NULL, FORMAL_VIOLATED, FORMAL_NO_RETURN, 1,
         "a = 0"},
        {"long f(int a)\n{\n    long x = a;\n    return x * 3;\n}\n", NULL, FORMAL_PROVED, 0, 0, 0},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void a_bound_that_is_too_small_says_so(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"int f(unsigned n)\n{\n    int c = 0;\n    while (n) {\n        n >>= 1;\n        c++;\n  "
         "  }\n    return c;\n}\n",
         NULL, FORMAL_BOUNDED, 0, 4, "within 4 iterations"},
        {"int f(unsigned n)\n{\n    int c = 0;\n    for (n &= 7; n; n >>= 1)\n        c++;\n    "
         "return c;\n}\n",
         NULL, FORMAL_PROVED, 0, 0, 0},
        {"int f(void)\n{\n    int s = 0;\n    for (int i = 0; i < 100; i++) s += i;\n    return "
         "s;\n}\n",
         NULL, FORMAL_PROVED, 0, 0, 0},
        // The overflow is behind the bound: no "proved".
        {"int f(int n)\n{\n    int s = 0;\n    for (int i = 0; i < n; i++) s += 1 << 28;\n    "
         "return s;\n}\n",
         NULL, FORMAL_BOUNDED, 0, 4, 0},
        // Every run is cut by the bound.
        {"int f(int n)\n{\n    int low = 0;\n    for (int high = 4000; low < high; high /= 2)\n  "
         "      low += high == n;\n    return low;\n}\n",
         NULL, FORMAL_UNKNOWN, 0, 4, "no run ends within 4 iterations"},
        {"int g(int n)\n{\n    return n <= 0 ? 0 : 1 + g(n - 1);\n}\nint f(int n)\n{\n    return "
         "g(n);\n}\n",
         NULL, FORMAL_BOUNDED, 0, 3, 0},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void equal_functions_are_told_from_others(void **state)
{
    (void)state;
    static const char abs_old[] = "int f(int x)\n{\n    if (x < 0) return -x;\n    return x;\n}\n";
    static const char sum_old[] = "unsigned f(const unsigned *a, int n)\n{\n    unsigned s = 0;\n  "
                                  "  for (int i = 0; i < n; i++) s += a[i];\n    return s;\n}\n";
    static const char swap_old[] =
        "void f(int *a, int *b)\n{\n    int t = *a;\n    *a = *b;\n    *b = t;\n}\n";
    static const Case cases[] = {
        {"int f(int y)\n{\n    return y > 0 ? y : -y;\n}\n", abs_old, FORMAL_PROVED, 0, 0,
         "equal on all inputs"},
        {"int f(int y)\n{\n    return y > 1 ? y : -y;\n}\n", abs_old, FORMAL_DIFFERENT, 0, 0,
         "y = 1"},
        {"int f(int y)\n{\n    int m = y >> 31;\n    return (y ^ m) - m;\n}\n", abs_old,
         FORMAL_PROVED, 0, 0, 0},
        {"unsigned f(const unsigned *p, int n)\n{\n    unsigned s = 0;\n    while (n > 0) s += "
         "p[--n];\n    return s;\n}\n",
         sum_old, FORMAL_BOUNDED, 0, 0, "equal on all inputs within 4"},
        {"unsigned f(const unsigned *p, int n)\n{\n    unsigned s = 0;\n    while (n > 1) s += "
         "p[--n];\n    return s;\n}\n",
         sum_old, FORMAL_DIFFERENT, 0, 0, NULL},
        {"void f(int *x, int *y)\n{\n    *x ^= *y;\n    *y ^= *x;\n    *x ^= *y;\n}\n", swap_old,
         FORMAL_PROVED, 0, 0, 0},
        {"void f(int *x, int *y)\n{\n    *x = *y;\n    *y = *x;\n}\n", swap_old, FORMAL_DIFFERENT,
         0, 0, "it leaves"},
        // A violation that the old one does not have is a difference; one that it has is not.
        {"int f(int x, int y)\n{\n    return x / y;\n}\n",
         "int f(int x, int y)\n{\n    return y ? x / y : 0;\n}\n", FORMAL_DIFFERENT, 0, 0,
         "division by zero"},
        {"int f(int x, int y)\n{\n    return y ? x / y : 0;\n}\n",
         "int f(int x, int y)\n{\n    return x / y;\n}\n", FORMAL_PROVED, 0, 0, 0},
        // The array is longer than is assumed: where the old one leaves it, anything would do.
        {"int f(const int *s, int n)\n{\n    return n > 0 ? 7 : 0;\n}\n",
         "int f(const int *s, int n)\n{\n    return n > 0 ? s[n] : 0;\n}\n", FORMAL_UNKNOWN, 0, 3,
         "the other one leaves an array"},
        {"int f(int x)\n{\n    return x;\n}\n", "int f(unsigned x)\n{\n    return x;\n}\n",
         FORMAL_OUTSIDE, 0, 1, "other parameters"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void what_is_outside_the_subset_says_so(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"int f(double x)\n{\n    return 0;\n}\n", NULL, FORMAL_OUTSIDE, 0, 1, "double"},
        {"int f(int x)\n{\n    goto out;\nout:\n    return x;\n}\n", NULL, FORMAL_OUTSIDE, 0, 3,
         "goto"},
        {"int f(int x)\n{\n    x++;\n    return g(x);\n}\n", NULL, FORMAL_OUTSIDE, 0, 4, "g"},
        {"int counter;\nint f(int x)\n{\n    return x + counter;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4,
         "counter"},
        {"struct s;\nint f(struct s *p)\n{\n    return 0;\n}\n", NULL, FORMAL_OUTSIDE, 0, 2,
         "struct s"},
        {"int f(int *p)\n{\n    return p[3];\n}\n", NULL, FORMAL_OUTSIDE, 0, 3, "length"},
        {"int f(int i)\n{\n    return i++ + i;\n}\n", NULL, FORMAL_OUTSIDE, 0, 3, "order"},
        {"int f(int x)\n{\n    static int n;\n    return n += x;\n}\n", NULL, FORMAL_OUTSIDE, 0, 3,
         "static"},
        {"int f(int x)\n{\n    volatile int n = x;\n    return n;\n}\n", NULL, FORMAL_OUTSIDE, 0, 3,
         "volatile"},
        {"int *g(int x)\n{\n    int a[2] = {x};\n    return a;\n}\nint f(int x)\n{\n    return "
         "*g(x);\n}\n",
         NULL, FORMAL_OUTSIDE, 0, 8, "gone"},
        {"int f(int x)\n{\n    asm(\"nop\");\n    return x;\n}\n", NULL, FORMAL_OUTSIDE, 0, 3,
         NULL},
        {"#define N 4\nenum { SIX = 6 };\nstatic const int t[N] = {1, 2, 3, SIX};\nint f(unsigned "
         "i)\n{\n    return t[i % N] / (SIX - 5);\n}\n",
         NULL, FORMAL_PROVED, 0, 0, NULL},
        {"#ifdef A\n#define N 4\n#else\n#define N 5\n#endif\nint f(unsigned i)\n{\n    return "
         "N;\n}\n",
         NULL, FORMAL_OUTSIDE, 0, 8, "macro N"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

#define S "typedef struct s { int n, t[4]; struct in { short x; } in; char *p; int b : 3; } S;\n"
static void structures_are_read(void **state)
{
    (void)state;
    static const Case cases[] = {
        {S "void f(S *s, int v)\n{\n    if (s->n < 4)\n        s->t[s->n++] = v;\n}\n", NULL,
         FORMAL_VIOLATED, FORMAL_BOUNDS, 5, "s->n = -"},
        {S "void f(S *s, int v)\n{\n    if (s->n < 4 && s->n >= 0)\n        s->t[s->n++] = v;\n}\n",
         NULL, FORMAL_PROVED, 0, 0, NULL},
        {S
         "int f(S *s)\n{\n    struct in *i = &s->in;\n    i->x = 0;\n    return 1 / s->in.x;\n}\n",
         NULL, FORMAL_VIOLATED, FORMAL_DIVISION, 6, NULL},
        {S
         "int f(struct in i)\n{\n    struct in z = {7}, y;\n    y = i;\n    y.x = z.x;\n    return "
         "100 / (y.x - 6) + i.x;\n}\n",
         NULL, FORMAL_PROVED, 0, 0, NULL},
        {S "int f(void)\n{\n    struct in y;\n    return y.x;\n}\n", NULL, FORMAL_VIOLATED,
         FORMAL_UNINITIALISED, 5, NULL},
        {S "static int g(struct in i)\n{\n    i.x = 0;\n    return i.x;\n}\nint f(struct in "
           "*i)\n{\n   "
           " i->x = 3;\n    return g(*i) + 1 / i->x;\n}\n",
         NULL, FORMAL_PROVED, 0, 0, NULL},
        // Equality is of every field that the caller sees.
        {S "void f(S *s)\n{\n    s->in.x = 1;\n}\n", S "void f(S *s)\n{\n    s->in.x = 2;\n}\n",
         FORMAL_DIFFERENT, 0, 0, "it leaves 1 in s->in.x, the other 2"},
        {S "void f(S *s)\n{\n    s->t[2] = 1;\n}\n", S "void f(S *s)\n{\n    s->t[1] = 1;\n}\n",
         FORMAL_DIFFERENT, 0, 0, "s->t["},
        {S "void f(S s)\n{\n    s.n = 1;\n}\n", S "void f(S s)\n{\n    s.n = 2;\n}\n",
         FORMAL_PROVED, 0, 0, NULL},
        {S "int f(S *s)\n{\n    return s->n;\n}\n",
         "struct s { int m, n; };\nint f(struct s *s)\n{\n    return s->n;\n}\n", FORMAL_OUTSIDE, 0,
         2, "other structures"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void unsure_structures_are_outside(void **state)
{
    (void)state;
    static const Case cases[] = {
        // Two names, one place.
        {S "int f(S *s)\n{\n    return s->n++ + s->n;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4, "order"},
        {S "int f(S *s)\n{\n    int *q = s->t;\n    return *(s->t + 1) + q[1]++;\n}\n", NULL,
         FORMAL_OUTSIDE, 0, 5, "order"},
        {S "int f(S *s)\n{\n    struct in *i = &s->in;\n    return s->in.x + i->x++;\n}\n", NULL,
         FORMAL_OUTSIDE, 0, 5, "order"},
        {"int f(int x)\n{\n    int *p = &x;\n    return *p + x++;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4,
         "order"},
        {S "int f(S *s, S *r, int k)\n{\n    S *p = k ? s : r;\n    return p->n;\n}\n", NULL,
         FORMAL_OUTSIDE, 0, 4, "several"},
        {S "int f(S *s)\n{\n    return s->p[0];\n}\n", NULL, FORMAL_OUTSIDE, 0, 4, "a pointer"},
        {S "int f(S *s)\n{\n    return s->b;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4, "a bit-field"},
        {S "int f(S *s)\n{\n    S l = *s;\n    return l.n;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4,
         "a copy"},
        {S "int f(S *s)\n{\n    return s[1].n;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4, "elements of"},
        {S "int f(S *s)\n{\n    return (s + 1)->n;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4,
         "not followed"},
        {S "int f(S a[2])\n{\n    return a[1].n;\n}\n", NULL, FORMAL_OUTSIDE, 0, 2, "an array of"},
        {S "int f(S *s)\n{\n    return sizeof *s > 4;\n}\n", NULL, FORMAL_OUTSIDE, 0, 4, "sizeof"},
        {S
         "int f(const S *s)\n{\n    struct in *i = (struct in *)&s->in;\n    i->x = 1;\n    return "
         "0;\n}\n",
         NULL, FORMAL_OUTSIDE, 0, 4, NULL},
        {"struct s { int n; union { int a; float b; }; };\nint f(struct s *s)\n{\n    return "
         "s->n;\n}\n",
         NULL, FORMAL_OUTSIDE, 0, 2, "struct s"},
        {"#ifdef A\nstruct s { int n; };\n#else\nstruct s { char n; };\n#endif\nint f(struct s "
         "*s)\n{\n "
         "   return s->n;\n}\n",
         NULL, FORMAL_OUTSIDE, 0, 6, "struct s"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}
#undef S

static FormalAnswer prove_in(const char *folder, const char *source)
{
    TextSnap *text;
    Syntax *syntax = parse_c(source, &text);
    Arena *arena = arena_new();
    FormalRequest request = {.syntax = syntax,
                             .byte_off = last_function(syntax),
                             .prover = {FORMAL_Z3, NULL},
                             .file_path = arena_printf(arena, "%s/src/x.c", folder),
                             .root = str_from(folder)};
    Formal *formal = check_to_its_end(&request, arena);
    FormalAnswer answer = formal_result(formal)->answer;
    formal_free(formal);
    arena_free(arena);
    syntax_release(syntax);
    text_release(text);
    return answer;
}

// Headers that include each other, a definition that two of them have, a name in two folders.
static void structures_of_headers_are_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/r1ls-prove-XXXXXX", command[128];
    if (lacks_solver()) skip();
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "mkdir %s/src %s/include", folder, folder);
    assert_int_equal(system(command), 0);
    put_file(folder, "src/a.h",
             "#ifndef A_H\n#define A_H\n#include \"b.h\"\n"
             "typedef struct { struct b b; int n; } A;\nstruct twice { int n; };\n#endif\n");
    put_file(folder, "include/b.h",
             "#include \"a.h\"\nstruct b { short x[3]; };\nstruct twice { char n; };\n");
    put_file(folder, "include/c.h", "struct c { int n; };\n");
    put_file(folder, "c.h", "struct c { char n; };\n");
    assert_int_equal(prove_in(folder, "#include \"a.h\"\nint f(A *a)\n{\n    return a->b.x[1] + "
                                      "a->b.x[2];\n}\n"),
                     FORMAL_PROVED);
    assert_int_equal(
        prove_in(folder, "#include \"a.h\"\nint f(A *a)\n{\n    return a->b.x[a->n];\n}\n"),
        FORMAL_VIOLATED);
    assert_int_equal(
        prove_in(folder, "#include \"a.h\"\nint f(struct twice *a)\n{\n    return a->n;\n}\n"),
        FORMAL_OUTSIDE);
    assert_int_equal(
        prove_in(folder, "#include \"c.h\"\nint f(struct c *a)\n{\n    return a->n;\n}\n"),
        FORMAL_OUTSIDE);
    assert_int_equal(prove_in(folder, "int f(A *a)\n{\n    return a->n;\n}\n"), FORMAL_OUTSIDE);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_property_is_found_and_proved),
        cmocka_unit_test(a_bound_that_is_too_small_says_so),
        cmocka_unit_test(equal_functions_are_told_from_others),
        cmocka_unit_test(what_is_outside_the_subset_says_so),
        cmocka_unit_test(structures_are_read),
        cmocka_unit_test(unsure_structures_are_outside),
        cmocka_unit_test(structures_of_headers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

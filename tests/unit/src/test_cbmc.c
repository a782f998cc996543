// The formal check by the real CBMC: what it must find, what it must prove, and what must never be
// called proved. R1LS_CBMC names its program; else cbmc of PATH. Skipped where there is none.
#include "unit/formal_check.h"

static FormalProver prover = {FORMAL_CBMC, NULL};

static const FormalResult *check(const char *source, const char *other, Arena *arena,
                                 Formal **formal)
{
    TextSnap *text, *other_text = NULL;
    Syntax *syntax = parse_c(source, &text), *old = other ? parse_c(other, &other_text) : NULL;
    FormalRequest request = {
        .syntax = syntax, .against = old, .unwind = 4, .prover = prover, .max_ms = 100000};
    assert_true(formal_find(syntax, STR("f"), &request.byte_off));
    if (old) assert_true(formal_find(old, STR("f"), &request.against_off));
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
    FormalKind kind;  // of a violation
    const char *says; // in the summary
} Case;

static void run_cases(const Case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Arena *arena = arena_new();
        Formal *formal;
        const FormalResult *r = check(cases[i].source, cases[i].other, arena, &formal);
        bool ok = r->answer == cases[i].answer &&
                  (!cases[i].says || str_contains(r->summary, cases[i].says));
        if (r->answer == FORMAL_VIOLATED) ok = ok && r->findings[0].kind == cases[i].kind;
        if (!ok) fail_msg("case %zu (%s): %.*s", i, cases[i].source, STR_FMT(r->summary));
        formal_free(formal);
        arena_free(arena);
    }
}

static void each_property_is_found_and_proved(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"int f(int a) { return a + 1; }", NULL, FORMAL_VIOLATED, FORMAL_OVERFLOW,
         "a = 2147483647"},
        {"int f(int a) { return a < 9 ? a + 1 : 0; }", NULL, FORMAL_PROVED, 0, NULL},
        {"int f(int a) { return 8 / a; }", NULL, FORMAL_VIOLATED, FORMAL_DIVISION, "a = 0"},
        {"unsigned f(unsigned a) { return 1u << a; }", NULL, FORMAL_VIOLATED, FORMAL_SHIFT, NULL},
        {"int f(int i) { int t[3] = {1, 2, 3}; return t[i]; }", NULL, FORMAL_VIOLATED,
         FORMAL_BOUNDS, NULL},
        {"int f(int *a, int n) { return n > 0 ? a[n] : 0; }", NULL, FORMAL_VIOLATED, FORMAL_POINTER,
         NULL},
        {"int f(int *a, int n) { return n > 0 ? a[n - 1] : 0; }", NULL, FORMAL_PROVED, 0, NULL},
        {"#include <assert.h>\nint f(int a) { assert(a != 77); return a; }", NULL, FORMAL_VIOLATED,
         FORMAL_ASSERT, "a = 77"},
        {"#include <string.h>\nint f(int n) { char b[4];\n if (n < 0) return 0;\n memset(b, 0, "
         "(unsigned)n & 7); return b[0]; }",
         NULL, FORMAL_VIOLATED, FORMAL_LIBRARY, NULL},
        // Within the object, but not within the array.
        {"struct s { int pad[4], t[4]; };\nint f(struct s *s, int i) { return i < 4 ? s->t[i] : 0; "
         "}",
         NULL, FORMAL_VIOLATED, FORMAL_BOUNDS, "i = -"},
        {"struct s { int pad[4], t[4]; };\n"
         "int f(struct s *s, int i) { return i < 4 && i >= 0 ? s->t[i] : 0; }",
         NULL, FORMAL_PROVED, 0, NULL},
        {"struct s { int pad[4], t[4]; };\nint f(struct s *s) { return s->t[-1]; }", NULL,
         FORMAL_VIOLATED, FORMAL_BOUNDS, NULL},
        {"int f(int *a, int n) { return n > 0 ? a[-1] : 0; }", NULL, FORMAL_VIOLATED, FORMAL_BOUNDS,
         NULL},
        {"int f(int a[2][3], int i) { return i < 3 ? a[1][i] : 0; }", NULL, FORMAL_VIOLATED,
         FORMAL_BOUNDS, "i = -"},
        // Outside of our own subset: a structure with pointers, a variable of the file, a text.
        {"struct l { int key; struct l *next; };\n"
         "int f(struct l *l) { return l->next->key; }",
         NULL, FORMAL_VIOLATED, FORMAL_POINTER, NULL},
        {"static int depth;\nint f(void) { return ++depth; }", NULL, FORMAL_VIOLATED,
         FORMAL_OVERFLOW, NULL},
        {"static unsigned depth;\nunsigned f(void) { return ++depth; }", NULL, FORMAL_PROVED, 0,
         NULL},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

static void what_is_bounded_is_not_proved(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"unsigned f(unsigned n) { unsigned s = 0; for (unsigned i = 0; i < n; i++) s += i;\n"
         " return s; }",
         NULL, FORMAL_BOUNDED, 0, "within 4 iterations"},
        {"unsigned f(unsigned n) { return n ? 1 + f(n - 1) : 0; }", NULL, FORMAL_BOUNDED, 0, NULL},
        {"int f(const char *s) { return s[0] ? s[1] : 0; }", NULL, FORMAL_BOUNDED, 0,
         "sizes that are assumed"},
        {"int g(int);\nint f(int a) { return g(a); }", NULL, FORMAL_OUTSIDE, 0, "a call of g"},
        {"int f(void *p) { return p != 0; }", NULL, FORMAL_OUTSIDE, 0, "a pointer to void"},
        {"#include \"no_such_header.h\"\nint f(int a) { return a; }", NULL, FORMAL_OUTSIDE, 0,
         "preprocessor"},
        {"int f(int a) { return nothing(a)->x; }", NULL, FORMAL_UNKNOWN, 0, "not decided"},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

static void equal_functions_are_told_from_others(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"unsigned f(unsigned a, unsigned b) { return (a & b) + (a | b); }",
         "unsigned f(unsigned a, unsigned b) { return a + b; }", FORMAL_PROVED, 0,
         "equal on all inputs"},
        {"int f(int a) { return a == 12345 ? 1 : a; }", "int f(int a) { return a; }",
         FORMAL_DIFFERENT, 0, "it returns 1, the other 12345"},
        {"void f(int *a, int n) { if (n > 2) a[2] = 5; }",
         "void f(int *a, int n) { if (n > 2) a[2] "
         "= 4; }",
         FORMAL_DIFFERENT, 0, "it leaves 5 in a"},
        {"struct p { int x, y; };\nvoid f(struct p *p) { int t = p->x; p->x = p->y; p->y = t; }",
         "struct p { int x, y; };\nvoid f(struct p *p) { p->x ^= p->y; p->y ^= p->x; p->x ^= "
         "p->y; }",
         FORMAL_PROVED, 0, NULL},
        // The old one has a violation where the new one returns something.
        {"int f(int a) { return a == 0 ? 0 : 100 / a; }", "int f(int a) { return 100 / a; }",
         FORMAL_PROVED, 0, NULL},
        {"int f(int a) { return 100 / a; }", "int f(int a) { return a == 0 ? 0 : 100 / a; }",
         FORMAL_DIFFERENT, 0, "which the other does not have"},
        {"int f(int a) { return a + 1; }", "int f(int a) { return 1 + a; }", FORMAL_UNKNOWN, 0,
         "equal where neither has a violation"},
        {"#include <assert.h>\nint f(int a) { assert(a != 3); return a == 3 ? 0 : a; }",
         "#include <assert.h>\nint f(int a) { assert(a != 3); return a; }", FORMAL_UNKNOWN, 0,
         "equal where neither has a violation"},
        {"struct s { int pad, t[4]; };\nint f(struct s *s, int i) { return s->t[i]; }",
         "struct s { int pad, t[4]; };\nint f(struct s *s, int i) { return i < 0 ? 0 : s->t[i]; }",
         FORMAL_UNKNOWN, 0, "equal where neither has a violation"},
        {"static unsigned n;\nint f(int a) { return n ? a : 0; }",
         "static unsigned n;\nint f(int a) { return a; "
         "}",
         FORMAL_OUTSIDE, 0, "variable n"},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

// What one does not look for, or cannot read, the other one is asked.
static void both_tools_together(void **state)
{
    (void)state;
    const FormalProver only = prover;
    if (lacks_solver()) return;
    static const Case cases[] = {
        {"int f(int a) { int x; if (a > 3) x = 1; return x; }", NULL, FORMAL_VIOLATED,
         FORMAL_UNINITIALISED, NULL},
        {"int f(int a) { if (a > 3) return 1; }", NULL, FORMAL_VIOLATED, FORMAL_NO_RETURN, NULL},
        // Constant loops are read to their end.
        {"int f(void) { int s = 0; for (int i = 0; i < 40; i++) s += i; return s; }", NULL,
         FORMAL_PROVED, 0, NULL},
        {"int f(int a) { return a + 1; }", "int f(int a) { return 1 + a; }", FORMAL_PROVED, 0,
         NULL},
    };
    prover.tool = FORMAL_AUTO;
    run_cases(cases, sizeof cases / sizeof *cases);
    prover = only;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_property_is_found_and_proved),
        cmocka_unit_test(what_is_bounded_is_not_proved),
        cmocka_unit_test(equal_functions_are_told_from_others),
        cmocka_unit_test(both_tools_together),
    };
    const char *why;
    prover.cbmc = getenv("R1LS_CBMC");
    if (!formal_is_available(&prover, &why)) {
        printf("skipped: %s (set R1LS_CBMC to its program, or install cbmc)\n", why);
        return 77;
    }
    printf("%s\n", why);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The harness for CBMC and what is read of its report; neither needs CBMC. reports/cbmc.json is
// what CBMC 6.6.0 printed of
//   int div(int a, int *p, int n)
//   { int s = a / n; for (int i = 0; i < n; i++) s ^= p[0]; return s; }
// with two iterations, without the steps of its traces that are no inputs.
#include "unit/unit.h"

#include "base/error.h"
#include "base/text.h"
#include "formal/cbmc_report.h"
#include "formal/harness.h"

static bool write(const char *unit, const char *old, const char *name, HarnessAim aim, Arena *arena,
                  Harness *out)
{
    HarnessRequest request = {.unit = str_from(unit),
                              .name = str_from(name),
                              .old = old ? str_from(old) : STR(""),
                              .aim = aim,
                              .max_text = 5};
    return harness_write(&request, arena, out);
}

static bool assumes(const Harness *h, const char *text)
{
    for (int i = 0; i < h->n_assumptions; i++)
        if (str_equal(h->assumptions[i], str_from(text))) return true;
    return false;
}

static void assert_has(Str text, const char *part)
{
    if (!str_contains(text, part)) fail_msg("no '%s' in:\n%.*s", part, STR_FMT(text));
}

static void pointers_lead_to_what_is_assumed(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Harness h;
    const char *unit = "# 1 \"x.c\"\n"
                       "typedef unsigned long size_t;\n"
                       "struct list { int key; char *name; struct list *next; };\n"
                       "typedef struct { int *items; size_t n, cap; } vec;\n"
                       "int f(const struct list *l, vec *v, const char *s, int a[4], long *b,\n"
                       "# 5 \"x.c\"\n"
                       "      int b_len)\n{ return l->key + *b + b_len; }\n";
    if (!write(unit, NULL, "f", HARNESS_CHECK, arena, &h)) fail_msg("%.*s", STR_FMT(h.why));
    assert_true(assumes(&h, "l points to 1 element"));
    assert_true(assumes(&h, "l->name is a text of at most 2 characters"));
    assert_true(assumes(&h, "lists and trees are at most 2 deep"));
    assert_true(assumes(&h, "v->items points to v->cap elements"));
    assert_true(assumes(&h, "v->n is 0 to v->cap"));
    assert_true(assumes(&h, "a points to 4 elements"));
    assert_true(assumes(&h, "b points to b_len elements"));
    assert_true(assumes(&h, "no two of the objects overlap"));
    assert_true(h.is_bounded); // the list and the texts
    assert_has(h.unit, "# 5 \"x.c\"");
    assert_has(h.unit, "void r1ls_harness(void)");
    assert_has(h.unit, "f(l, v, s, a, b, b_len);");
    assert_has(h.unit, "__CPROVER_input(\"l->key\", l->key)");
    assert_true(write("int g(int *p) { return *p; }", NULL, "g", HARNESS_CHECK, arena, &h));
    assert_false(h.is_bounded);
    arena_free(arena);
}

static void variables_of_the_file_are_inputs(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Harness h;
    const char *unit = "static int total, other; static const int k = 3;\n"
                       "static int add(int a) { total += a; return total; }\n"
                       "int f(int a) { return add(a) + k; }\n";
    assert_true(write(unit, NULL, "f", HARNESS_CHECK, arena, &h));
    assert_true(assumes(&h, "the variable total has any value"));
    assert_false(assumes(&h, "the variable other has any value"));
    assert_false(assumes(&h, "the variable k has any value"));
    assert_false(write(unit, unit, "f", HARNESS_COMPARE, arena, &h));
    assert_has(h.why, "equality of functions that use the variable total");
    arena_free(arena);
}

static void what_cannot_be_made_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *unit, *why;
    } cases[] = {
        {"int f(void *p) { return p != 0; }", "a pointer to void"},
        {"struct s; int f(struct s *p) { return p != 0; }", "a pointer to an incomplete type"},
        {"int f(int (*p)(int)) { return p(1); }", "a pointer to a function"},
        {"int f(const char *p, ...) { return *p; }", "the parameter"},
        {"int f(unknown_t *p) { return p != 0; }", "an unknown type"},
        {"struct s { char *names[3]; }; int f(struct s *p) { return 1; }", "an array of pointers"},
        {"struct s { int n; int rest[]; }; int f(struct s *p) { return 1; }", "without a length"},
        {"int f(int a) { return a +; }", "a syntax error"},
        {"int g(int a) { return a; }", "not defined once"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        Harness h;
        assert_false(write(cases[i].unit, NULL, "f", HARNESS_CHECK, arena, &h));
        assert_has(h.why, cases[i].why);
        arena_free(arena);
    }
}

static void both_functions_get_the_same(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Harness h;
    const char *new = "static int twice(int x) { return x * 2; }\n"
                      "static inline int f(int *a, int n) { return twice(n) + a[0]; }\n";
    const char *old = "static int twice(int x) { return x + x; }\n"
                      "static inline int f(int *a, int n) { return a[0] + twice(n); }\n";
    assert_true(write(new, old, "f", HARNESS_COMPARE, arena, &h));
    assert_has(h.old, "static int r1ls_old_twice(int x)");
    assert_has(h.old, "a[0] + r1ls_old_twice(n)");
    assert_has(h.old, "int r1ls_old_call(int *a, int n)");
    assert_has(h.old, "return r1ls_old_f(a, n);");
    assert_has(h.unit, "int r1ls_old_call(int *a, int n) ;");
    assert_has(h.unit, "__auto_type r1ls_x = f(a, n);");
    assert_has(h.unit, "r1ls_differ();");
    assert_true(assumes(&h, "both return: what never does is not compared"));
    assert_false(
        write(new, "static int f(long *a, int n) { return 0; }", "f", HARNESS_COMPARE, arena, &h));
    assert_has(h.why, "another declaration");
    assert_false(write("int *f(int *a) { return a; }", "int *f(int *a) { return a; }", "f",
                       HARNESS_COMPARE, arena, &h));
    assert_has(h.why, "equality of pointers");
    arena_free(arena);
}

static void a_report_is_read(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Error err = {0};
    CbmcReport report;
    TextSnap *text = text_read_file(SOURCE_DIR "/tests/unit/src/reports/cbmc.json", 1 << 20, &err);
    assert_non_null(text);
    assert_true(cbmc_report_read(text_str(text), arena, &report));
    assert_true(report.is_complete);
    assert_int_equal(report.n_properties, 4); // one holds
    const CbmcProperty *p = report.properties;
    assert_int_equal(p[0].kind, FORMAL_DIVISION);
    assert_true(str_equal(p[0].inputs, STR("a = 4096, n = 0")));
    assert_true(str_equal(p[0].function, STR("div")) && p[0].line == 1 && p[0].is_known);
    assert_int_equal(p[1].kind, FORMAL_OVERFLOW);
    assert_true(str_equal(p[1].inputs, STR("a = -2147483648, n = -1")));
    assert_false(p[2].is_known);
    assert_int_equal(p[3].kind, FORMAL_UNWIND);
    // Cut at any place it is no report, and never a proof.
    for (size_t n = 0; n + 3 < text_str(text).len; n += 7) {
        bool ok = cbmc_report_read(str_slice(text_str(text), 0, n), arena, &report);
        assert_false(ok && report.is_complete);
    }
    text_release(text);
    arena_free(arena);
}

static void other_reports_are_no_proof(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    CbmcReport report;
    assert_true(cbmc_report_read(STR("[{\"messageText\": \"PARSING ERROR\", \"messageType\": "
                                     "\"ERROR\"}]"),
                                 arena, &report));
    assert_false(report.is_complete);
    assert_true(str_equal(report.error, STR("PARSING ERROR")));
    assert_true(cbmc_report_read(
        STR("[{\"messageText\": \"**** WARNING: no body for function ext\", \"messageType\": "
            "\"WARNING\"}, {\"result\": []}, {\"cProverStatus\": \"success\"}]"),
        arena, &report));
    assert_int_equal(report.n_properties, 1);
    assert_true(str_equal(report.properties[0].missing, STR("ext")));
    assert_true(cbmc_report_read(
        STR("[{\"result\": [{\"property\": \"f.no-body.ext\", \"status\": \"FAILURE\", "
            "\"sourceLocation\": {\"function\": \"f\"}, \"trace\": 3}, 7, null]}]"),
        arena, &report));
    assert_true(str_equal(report.properties[0].missing, STR("ext")));
    assert_false(cbmc_report_read(STR("{}"), arena, &report));
    assert_false(cbmc_report_read(STR(""), arena, &report));
    arena_free(arena);
}

// Of a member that is an array; not of a pointer, nor where nothing is evaluated or called.
static void indices_get_assertions(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Harness h;
    const char *unit = "struct s { int t[4]; int *p; };\n"
                       "static int other(struct s *s, int i) { return s->t[i * 7]; }\n"
                       "int f(struct s *s, int n) { return s->t[s->t[n + 1]] + s->p[n + 2] + "
                       "(int)sizeof s->t[n + 3] + s->t[0]; }\n";
    assert_true(write(unit, NULL, "f", HARNESS_CHECK, arena, &h));
    assert_has(h.unit, "(long)(n + 1); __CPROVER_assert(r1ls_i >= 0");
    assert_has(h.unit, "s->t[({ long r1ls_i = (long)(s->t[({");
    assert_has(h.unit, "s->p[n + 2]");
    assert_has(h.unit, "sizeof s->t[n + 3]");
    assert_has(h.unit, "s->t[i * 7]");
    assert_has(h.unit, "s->t[0]");
    assert_false(h.is_bounded);
    // The name is a member of two kinds: not known.
    unit = "struct s { int t[4]; }; struct r { int *t; };\n"
           "int f(struct s *s, int n) { return s->t[n]; }\n";
    assert_true(write(unit, NULL, "f", HARNESS_CHECK, arena, &h));
    assert_true(assumes(&h, "an index of s->t is not negative") && h.is_bounded);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_lead_to_what_is_assumed),
        cmocka_unit_test(variables_of_the_file_are_inputs),
        cmocka_unit_test(what_cannot_be_made_is_told),
        cmocka_unit_test(both_functions_get_the_same),
        cmocka_unit_test(indices_get_assertions),
        cmocka_unit_test(a_report_is_read),
        cmocka_unit_test(other_reports_are_no_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

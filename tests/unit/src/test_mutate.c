// Small changes: that each kind undoes the slip that it is for.
#include "unit/unit.h"

#include <string.h>

#include "loop/mutate.h"

static Syntax *parse(const char *lang, Str document)
{
    Error err = {0};
    TextSnap *text = text_new(document, &err);
    Syntax *syntax = syntax_parse(language_by_id(lang), text, NULL);
    text_release(text);
    return syntax;
}

static void mutants_differ_and_stay_within(void **state)
{
    (void)state;
    static const char *const documents[][2] = {
        {"c", "int f(int *a, int n)\n{\n    int s = 0;\n    for (int i = 0; i <= n; i++)\n      "
              "  if (a[i] && n > 2) s += a[i];\n    return s;\n}\n"},
        {"python", "def f(a, n):\n    for i in range(n - 1):\n        if a[i] and not n == 2:\n "
                   "           return a[i]\n    return True\n"}};
    for (size_t i = 0; i < 2; i++) {
        Arena *arena = arena_new();
        Mutant *m;
        SyntaxFunction f;
        Syntax *syntax = parse(documents[i][0], str_from(documents[i][1]));
        assert_true(syntax_function_at(syntax, 8, &f));
        size_t n = mutate_list(syntax, f.whole, MUTATE_REPAIRS, 2000, arena, &m);
        assert_in_range(n, 100, 600);
        for (size_t j = 0; j < n; j++) {
            assert_true(m[j].replace.start >= f.whole.start && m[j].replace.end <= f.whole.end);
            Str all = text_str(syntax_text(syntax));
            assert_false(
                str_equal(str_slice(all, m[j].replace.start, m[j].replace.end), m[j].insert));
        }
        // Tests are measured by what seldom leaves a function the same.
        assert_in_range(mutate_list(syntax, f.whole, MUTATE_TESTS, 2000, arena, &m), 30, 100);
        assert_int_equal(mutate_list(syntax, f.whole, MUTATE_TESTS, 7, arena, &m), 7);
        syntax_release(syntax);
        arena_free(arena);
    }
}

// Each is a slip and what undoes it.
static void repairs_undo_usual_slips(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"c", "int f(int a, int n)\n{\n    return g(n, a);\n}\n",
         "int f(int a, int n)\n{\n    return g(a, n);\n}\n"},
        {"c", "int f(int a)\n{\n    return a % 2 == 0;\n}\n",
         "int f(int a)\n{\n    return a % 2 == 0 || a % 2 == 2;\n}\n"},
        {"c", "int f(int a)\n{\n    return a % 3 == 0 && a % 5 != 1;\n}\n",
         "int f(int a)\n{\n    return (a % 3 == 0 || a % 15 == 0) && a % 5 != 1;\n}\n"},
        {"c", "int f(int c, char d)\n{\n    return c == '.' && d != ',';\n}\n",
         "int f(int c, char d)\n{\n    return (c == '.' || c == ',') && d != ',';\n}\n"},
        {"c", "int f(int *a, int n)\n{\n    return a[n];\n}\n",
         "int f(int *a, int n)\n{\n    return n < 0 ? a[n + 1] : a[n];\n}\n"},
        {"python", "def f(a, n):\n    return a[n]\n",
         "def f(a, n):\n    return (a[n - 1] + a[n]) / 2 if n % 2 else a[n]\n"},
        {"c",
         "void f(char *s, int a, int b)\n{\n    while (a < b && s[a] == ' ')\n        a++;\n}\n",
         "void f(char *s, int a, int b)\n{\n    while (b > a && s[b - 1] == ' ')\n        b--;\n   "
         " "
         "while (a < b && s[a] == ' ')\n        a++;\n}\n"},
        {"python", "def f(s, a, b):\n    while a < b and s[a]:\n        a += 1\n    return a\n",
         "def f(s, a, b):\n    while b > a and s[b - 1]:\n        b -= 1\n    while a < b and "
         "s[a]:\n        a += 1\n    return a\n"},
        {"python", "def f(a, i, b, j):\n    g(a[i], b[j])\n    return a\n",
         "def f(a, i, b, j):\n    g(a[i], b[j])\n    return a + b[j:] + a[i:]\n"},
        {"python",
         "def f(i, j):\n    while i and j:\n        if g():\n            h(i)\n            i -= 1\n"
         "        else:\n            j -= 1\n",
         "def f(i, j):\n    while i and j:\n        if g():\n            h(i)\n            i -= 1\n"
         "        else:\n            j -= 1\n    while i:\n        h(i)\n        i -= 1\n    while "
         "j:\n        j -= 1\n"},
        {"c",
         "void f(int i, int j)\n{\n    while (i && j) {\n        if (g()) {\n            h(i--);\n"
         "        }\n    }\n}\n",
         "void f(int i, int j)\n{\n    while (i && j) {\n        if (g()) {\n            h(i--);\n"
         "        }\n    }\n    while (i) {\n        h(i--);\n    }\n}\n"},
        {"c", "int f(int a, int n)\n{\n    return n - a;\n}\n",
         "int f(int a, int n)\n{\n    return a - n;\n}\n"},
        {"c", "int f(int a, int n)\n{\n    return a & n == 0;\n}\n",
         "int f(int a, int n)\n{\n    return (a & n) == 0;\n}\n"},
        {"c", "int f(int a, int n)\n{\n    return a + n / 2;\n}\n",
         "int f(int a, int n)\n{\n    return (a + n) / 2;\n}\n"},
        {"c", "int f(int a)\n{\n    int n;\n    return a + n;\n}\n",
         "int f(int a)\n{\n    int n = 0;\n    return a + n;\n}\n"},
        {"c",
         "int f(int a)\n{\n    while (a) {\n        g(a);\n        a--;\n        return a;\n    "
         "}\n}\n",
         "int f(int a)\n{\n    while (a) {\n        g(a);\n        a--;\n    }\n    return "
         "a;\n}\n"},
        {"c", "int f(int a)\n{\n    while (a) {\n        g(a);\n    }\n    a--;\n}\n",
         "int f(int a)\n{\n    while (a) {\n        g(a);\n        a--;\n    }\n}\n"},
        {"c",
         "void f(int a)\n{\n    switch (a) {\n    case 1:\n        g(a);\n    case 2:\n        "
         "h(a);\n        "
         "break;\n    }\n}\n",
         "void f(int a)\n{\n    switch (a) {\n    case 1:\n        g(a);\n        break;\n    case "
         "2:\n        "
         "h(a);\n        break;\n    }\n}\n"},
        {"python", "def f(a):\n    n = 0\n    for x in a:\n        n += x\n        return n\n",
         "def f(a):\n    n = 0\n    for x in a:\n        n += x\n    return n\n"},
        {"python", "def f(a):\n    for x in a:\n        g(x)\n    h(x)\n    return a\n",
         "def f(a):\n    for x in a:\n        g(x)\n        h(x)\n    return a\n"},
        {"python", "def f(a, b):\n    a = b\n    b = a + b\n    return b\n",
         "def f(a, b):\n    b = a + b\n    a = b\n    return b\n"},
        {"python", "def f(rows):\n    return len(rows)\n",
         "def f(rows):\n    return len(rows[0])\n"},
        {"python", "def f(rows):\n    return not any(rows)\n",
         "def f(rows):\n    return not all(rows)\n"},
        {"python", "def f(rows):\n    return not any(rows)\n",
         "def f(rows):\n    return any(rows)\n"},
        {"python", "def f(a):\n    for x in a:\n        if x:\n            n = x\n    return n\n",
         "def f(a):\n    for x in a:\n        if x:\n            n = x\n            break\n    "
         "return n\n"},
        {"python", "def f(a):\n    \"\"\"One.\"\"\"\n    n = int(a)\n    return n\n",
         "def f(a):\n    \"\"\"One.\"\"\"\n    if not a:\n        return []\n    n = int(a)\n    "
         "return "
         "n\n"},
        {"python", "def f(a):\n    for x in a:\n        g(int(x))\n",
         "def f(a):\n    for x in a:\n        if not x:\n            continue\n        "
         "g(int(x))\n"},
        {"c", "int f(const int *a, int n)\n{\n    int x = a[0];\n    return x;\n}\n",
         "int f(const int *a, int n)\n{\n    if (n <= 0) return 0;\n    int x = a[0];\n    return "
         "x;\n}\n"},
        {"c", "void f(char *s)\n{\n    g(s);\n}\n",
         "void f(char *s)\n{\n    if (!*s) return;\n    g(s);\n}\n"},
        // Conditions that lack a part.
        {"python",
         "def f(self, n):\n    if n <= 0:\n        raise ValueError(n)\n    self.left -= n\n",
         "def f(self, n):\n    if n <= 0 or n > self.left:\n        raise ValueError(n)\n    "
         "self.left -= n\n"},
        {"c",
         "int f(int a, int n)\n{\n    int in = !a;\n    while (a) in = !n;\n    return in;\n}\n",
         "int f(int a, int n)\n{\n    int in = !a;\n    while (a && !in) in = !n;\n    return "
         "in;\n}\n"},
        {"c", "int f(int a, int b)\n{\n    return a == b || b < 2;\n}\n",
         "int f(int a, int b)\n{\n    return (a == b || b < 2) && a < b;\n}\n"},
        {"c", "int f(const char *s)\n{\n    while (s[0] == 32) s++;\n    return *s;\n}\n",
         "int f(const char *s)\n{\n    while (s && s[0] == 32) s++;\n    return *s;\n}\n"},
        {"c",
         "int f(int *a, int n)\n{\n    int i = 0;\n    for (; i < n; i++) a[i] = 0;\n    while "
         "(a[i]) i++;\n    return i;\n}\n",
         "int f(int *a, int n)\n{\n    int i = 0;\n    for (; i < n; i++) a[i] = 0;\n    while (i "
         "< n && a[i]) i++;\n    return i;\n}\n"},
        // Arguments and calls.
        {"python", "def f(s):\n    return s.partition(s.split('.')[0])\n",
         "def f(s):\n    return s.partition(s.split('.', 1)[0])\n"},
        {"python", "def f(n):\n    for i in range(n):\n        g(i)\n",
         "def f(n):\n    for i in range(1, n):\n        g(i)\n"},
        {"python",
         "def f(a):\n    out = []\n    for x in a:\n        out.extend(x)\n    return out\n",
         "def f(a):\n    out = []\n    for x in a:\n        out.extend(f(x))\n    return out\n"},
        {"python", "def f(a):\n    a = a.strip()\n    return {a: 1}\n",
         "def f(a):\n    a = a.strip().lower()\n    return {a: 1}\n"},
        {"c", "int f(int a)\n{\n    int x = g(a);\n    return x + a;\n}\n",
         "int f(int a)\n{\n    int x = g(f(a));\n    return x + a;\n}\n"},
        // Indices and masks.
        {"c", "int f(int *a, int i)\n{\n    return a[i + 1] + SLOTS;\n}\n",
         "int f(int *a, int i)\n{\n    return a[(i + 1) % SLOTS] + SLOTS;\n}\n"},
        {"c", "int f(int a)\n{\n    return a & 0xC0;\n}\n",
         "int f(int a)\n{\n    return a & 0x80;\n}\n"},
        // Statements.
        {"python",
         "def f(n):\n    i = 0\n    while i < n:\n        if g(i):\n            i += 1\n        "
         "else:\n            h(i)\n    return i\n",
         "def f(n):\n    i = 0\n    while i < n:\n        if g(i):\n            i += 1\n        "
         "else:\n            h(i)\n            i += 1\n    return i\n"},
        {"c",
         "void f(Node **link)\n{\n    Node *node = *link;\n    g(node->next);\n    "
         "free(node);\n}\n",
         "void f(Node **link)\n{\n    Node *node = *link;\n    g(node->next);\n    *link = "
         "node->next;\n    free(node);\n}\n"},
        {"python", "def f(a, b):\n    n = 0\n    for x in a:\n        n += x\n    return n\n",
         "def f(a, b):\n    n = 0\n    for x in a:\n        if b < x:\n            n -= x\n        "
         "else:\n            n += x\n    return n\n"},
        {"c", "int f(int a, int b)\n{\n    a = 2;\n    return a + b;\n}\n",
         "int f(int a, int b)\n{\n    if (a > b) a = 2;\n    return a + b;\n}\n"},
        {"python",
         "def f(x, into=[]):\n    \"\"\"One.\"\"\"\n    into.append(x)\n    return into\n",
         "def f(x, into=None):\n    \"\"\"One.\"\"\"\n    if into is None:\n        into = []\n    "
         "into.append(x)\n    return into\n"},
        // A value in another's place.
        {"c", "int f(int a, int n)\n{\n    a ^= n;\n    return a;\n}\n",
         "int f(int a, int n)\n{\n    a &= n;\n    return a;\n}\n"},
        {"python", "def f(a, k):\n    n = len(a)\n    return f(a, k)\n",
         "def f(a, k):\n    n = len(a)\n    return f(a, k - n)\n"},
        {"python", "def f(a, k):\n    for x in a:\n        yield g(x, k)\n",
         "def f(a, k):\n    for x in a[k:]:\n        yield g(x, k)\n"},
        {"python", "def f(a):\n    for x in a:\n        yield g(x)\n",
         "def f(a):\n    for x in a:\n        yield x\n"},
        {"python", "def f(a, rest):\n    return [a + x for x in rest]\n",
         "def f(a, rest):\n    return rest + [a + x for x in rest]\n"},
        {"python", "def f(a):\n    return []\n", "def f(a):\n    return [a]\n"},
        {"python", "def f(a):\n    return []\n", "def f(a):\n    return [[]]\n"},
        {"python", "def f(a, n):\n    while True:\n        n = g(a)\n    return n\n",
         "def f(a, n):\n    while a:\n        n = g(a)\n    return n\n"},
        {"python", "def f(a):\n    n = g(a)\n    return True\n",
         "def f(a):\n    n = g(a)\n    return n == 0\n"},
        {"python", "def f(a, x):\n    n = 0\n    n = x + 1\n    return n\n",
         "def f(a, x):\n    n = 0\n    n = max(n, x + 1)\n    return n\n"},
        {"c", "int f(int n, int x)\n{\n    n = x + 1;\n    return n;\n}\n",
         "int f(int n, int x)\n{\n    n = n > (x + 1) ? n : (x + 1);\n    return n;\n}\n"},
        {"python", "def f(a, x, y):\n    return a[x, y] + g(a, x)\n",
         "def f(a, x, y):\n    return a[y, x] + g(a, x)\n"},
        {"python", "def f(a, x):\n    d = g(x)\n    h(d)\n    return h(g(x) + 1)\n",
         "def f(a, x):\n    d = g(x)\n    h(d)\n    return h(d + 1)\n"},
        {"python", "def f(a, b):\n    return h(a - b)\n",
         "def f(a, b):\n    return h(a - b ** 2)\n"},
        {"python", "def f(a, s):\n    return s + g(a)\n", "def f(a, s):\n    return g(a) + s\n"},
        {"python", "def f(a):\n    b = g(a)\n    if b.x is None:\n        return a\n    return b\n",
         "def f(a):\n    b = g(a)\n    if b is None or b.x is None:\n        return a\n    return "
         "b\n"},
        {"python", "def f(a, n):\n    if n < 0:\n        return 0\n    return g(a)\n",
         "def f(a, n):\n    if n < 0 or not a:\n        return 0\n    return g(a)\n"},
        // Statements made of what is there.
        {"python", "def f(a, s):\n    out = []\n    out.append(g(a))\n    h(s)\n    return out\n",
         "def f(a, s):\n    out = []\n    out.append(g(a))\n    h(s)\n    out.append(s)\n    "
         "return out\n"},
        {"python", "def f(a):\n    seen = set()\n    g(a)\n    return seen\n",
         "def f(a):\n    seen = set()\n    g(a)\n    seen.add(a)\n    return seen\n"},
        {"python",
         "def f(a):\n    b = None\n    while a:\n        c = a.x\n        a = c\n    return b\n",
         "def f(a):\n    b = None\n    while a:\n        c = a.x\n        b = a\n        a = c\n   "
         " "
         "return b\n"},
        {"python", "def f(a, k):\n    a[k].update(g(k))\n", "def f(a, k):\n    a[k] = g(k)\n"},
        {"python", "def f(a):\n    return list(set(a))\n",
         "def f(a):\n    return list(dict.fromkeys(a))\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new();
        Error err = {0};
        Mutant *m;
        bool found = false;
        TextSnap *text = text_new(str_from(cases[i][1]), &err);
        Syntax *syntax = syntax_parse(language_by_id(cases[i][0]), text, NULL);
        ByteRange all = {0, text_n_bytes(text)};
        size_t n = mutate_list(syntax, all, MUTATE_REPAIRS, 2000, arena, &m);
        for (size_t j = 0; j < n; j++) {
            TextSnap *changed = text_edit(text, m[j].replace, m[j].insert, NULL, &err);
            Syntax *parsed = syntax_parse(language_by_id(cases[i][0]), changed, NULL);
            // "for x in y" has no other operator.
            bool parses = syntax_error_count(parsed, (ByteRange){0, SIZE_MAX}) == 0;
            if (!parses && strcmp(m[j].what, "operator") != 0)
                fail_msg("%s does not parse:\n%.*s", m[j].what, STR_FMT(text_str(changed)));
            found |= str_equal(text_str(changed), str_from(cases[i][2]));
            syntax_release(parsed);
            text_release(changed);
        }
        if (!found) fail_msg("nothing gives\n%s", cases[i][2]);
        syntax_release(syntax);
        text_release(text);
        arena_free(arena);
    }
}

// What two slips in one line are undone by; never two changes of the same place.
static void pairs_are_two_changes_of_one_line(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Mutant *m, *pairs;
    const char *slips = "def f(a):\n    b = a\n    return sorted(set(b))\n";
    Syntax *syntax = parse("python", str_from(slips));
    const TextSnap *text = syntax_text(syntax);
    size_t n =
        mutate_list(syntax, (ByteRange){0, text_n_bytes(text)}, MUTATE_REPAIRS, 2000, arena, &m);
    size_t n_pairs = mutate_pairs(text, m, n, 5000, arena, &pairs);
    bool found = false;
    for (size_t i = 0; i < n_pairs; i++) {
        Error err = {0};
        TextSnap *changed = text_edit(text, pairs[i].replace, pairs[i].insert, NULL, &err);
        assert_non_null(changed);
        found |= str_equal(text_str(changed),
                           STR("def f(a):\n    b = a\n    return list(dict.fromkeys(b))\n"));
        assert_int_equal(text_point(text, pairs[i].replace.start).row,
                         text_point(text, pairs[i].replace.end).row);
        text_release(changed);
    }
    assert_true(found);
    // The likeliest come first: the first pair is of changes before the last ones.
    assert_int_equal(mutate_pairs(text, m, n, 3, arena, &pairs), 3);
    // One place has no pair.
    Mutant same[2] = {{.replace = {30, 34}, .insert = STR("x"), .what = ""},
                      {.replace = {30, 34}, .insert = STR("y"), .what = ""}};
    assert_int_equal(mutate_pairs(text, same, 2, 10, arena, &pairs), 0);
    syntax_release(syntax);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutants_differ_and_stay_within),
        cmocka_unit_test(repairs_undo_usual_slips),
        cmocka_unit_test(pairs_are_two_changes_of_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

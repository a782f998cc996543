// A digest that was made from an earlier one is the one that is made afresh, whatever was edited.
#include "unit/unit.h"

#include "base/random.h"
#include "index/semantic.h"

// A text is the beginning, the part so often that it is longer than what is looked at as one, and
// the end.
typedef struct Sample {
    const char *id, *begin, *part, *end;
} Sample;

static const Sample samples[] = {
    {"c", "#ifndef A_H\n#define A_H\n#include <a.h>\n",
     "// Of a box.\n// More.\ntypedef struct Box {\n    int side; /* mm */\n    struct Box "
     "*next;\n} Box;\n"
     "enum Kind { ROUND, FLAT };\n#define LIMIT(x) ((x) * 7)\nint area(const Box *box);\n"
     "static int area(const Box *box)\n{\n    int twice = box->side * 2;\n"
     "    for (int i = 0; i < twice; i++)\n        use(\"a\\n\", 'c', i, ROUND);\n"
     "    return twice + LIMIT(3);\n}\n\nextern Box *boxes[4];\n",
     "#endif\n"},
    {"c", "int f(int a)\n{\n    int sum = 0;\n",
     "    int x = a + 1;\n    if (x > 2) { sum += g(x, \"s\"); }\n    // Why.\n    h(&x);\n",
     "    return sum;\n}\nint later(void) { return f(2); }\n"},
    {"cpp", "namespace n {\nclass A : public B {\n",
     "public:\n    // A method.\n    int size() const { return n_ + static_cast<int>(x::y); }\n    "
     "template <class T> T get(T a);\n"
     "    std::vector<int> items_;\n    enum class E { ONE };\n",
     "};\n}\n"},
    {"python", "import os\nfrom a.b import c as d\n\nclass Box(Base):\n    \"\"\"Of a box.\"\"\"\n",
     "    limit = 7\n    @property\n    def area(self, side: int, *rest, key=1):\n        # Why.\n "
     "       self.side = side\n"
     "        total = [x for x in rest if x > key]\n        return f\"{side}\" + 'a' + "
     "str(total)\n",
     "\ndef later(a):\n    return Box(a).area\n"},
    {"javascript", "import { a } from './b.js';\nclass Box {\n",
     "    // Of a box.\n    area(side, ...rest) {\n        const twice = side * 2, f = (x) => x + "
     "twice;\n"
     "        return /x/.test(rest) && `t${f(this.side)}`;\n    }\n    static limit = 7;\n",
     "}\nexport default function later(b) { return new Box(b); }\n"},
    {"typescript", "export class Box<T> extends Base {\n",
     "    private side: number = 1;\n    area(a?: string): T[] { let x: Kind = Kind.A; return "
     "this.items.map((i) => i + x); }\n",
     "}\ninterface I { a: number; b(): void }\nenum Kind { A, B }\ntype T2 = I | null;\n"},
    {"typescriptreact", "const f = (a: number) => <div>\n",
     "  <b className=\"x\" on={() => a}>{a} text</b>\n", "</div>;\n"},
    {"go", "package p\n\nimport \"fmt\"\n\n",
     "// Area of it.\nfunc (b *Box) Area(side int) (int, error) {\n\tx := side * 2\n\tfor i := "
     "range b.items {\n"
     "\t\tfmt.Println(`a`, i, x)\n\t}\n\treturn x, nil\n}\n\ntype Box struct {\n\titems "
     "[]string\n}\n\nconst Limit = 7\n",
     "func main() {}\n"},
    {"rust", "use std::fmt;\nimpl<T> Box<T> {\n",
     "    /// Area of it.\n    pub fn area(&self, side: i32) -> Option<i32> {\n        let twice = "
     "side * 2;\n"
     "        match twice { 0 => None, _ => Some(twice + LIMIT) }\n    }\n",
     "}\nconst LIMIT: i32 = 7;\nstruct S { a: u8 }\nenum E { One(u8) }\n#[test]\nfn t() { "
     "assert!(true); }\n"},
    {"java", "package p;\nimport java.util.List;\npublic class Box {\n",
     "    /** Area. */\n    @Override public int area(int side) {\n        int twice = side * 2;\n"
     "        return this.items.size() + \"a\".length() + twice;\n    }\n    private List<String> "
     "items;\n",
     "}\ninterface I { void m(); }\nenum E { ONE }\n"},
    {"ruby", "module M\nclass Box < Base\n",
     "  # Area.\n  def area(side)\n    @side = side\n    x = side * 2\n    puts \"a#{x}\", :sym\n  "
     "end\n",
     "end\nend\n"},
    {"php", "<?php\nclass Box {\n",
     "    private $items = [];\n    public function area(int $side): int { $x = $side * 2; return "
     "$this->f($x, 'a'); }\n",
     "}\nfunction later($a) { return $a; }\n"},
    {"csharp", "using System;\nnamespace N {\nclass Box {\n",
     "    public int Side { get; set; }\n    int Area(int side) { var x = side * 2; return "
     "Math.Max(x, Side); }\n",
     "}\n}\n"},
    {"lua", "local M = {}\n",
     "-- Area.\nfunction M.area(side)\n  local x = side * 2\n  return x .. \"a\"\nend\n",
     "return M\n"},
    {"shellscript", "#!/bin/bash\n",
     "area() {\n  local x=$1\n  echo \"$x\" | grep -q a && return 1\n}\n", "area 2\n"},
    {"json", "{\"a\": [\n", "  {\"b\": 1, \"c\": [true, null, \"x\"]},\n", "  1]}\n"},
    {"yaml", "a:\n", "  - b: 1\n    c: \"x\" # why\n", "d: [1, 2]\n"},
    {"toml", "a = 1\n", "[[b]]\nc = \"x\"\nd = [1, 2]\n", "[e]\n"},
    {"html", "<!DOCTYPE html>\n<body>\n", "<p class=\"a\">b <b>c</b></p>\n<!-- d -->\n",
     "</body>\n"},
    {"css", "@import 'a';\n", "/* why */\np > .a { color: red; margin: 1px; }\n",
     "@media print { a { b: c; } }\n"},
    {"markdown", "# a\n", "\nText `b` *c*.\n\n## d\n\n```c\nint x;\n```\n- e\n", "end\n"},
    {"makefile", "A := 1\n", "a: b\n\techo $(A)\n", "all:\n"},
};

static Str repeat(const Sample *sample, size_t n_bytes, Arena *arena)
{
    StrBuf text = {0};
    strbuf_append(&text, str_from(sample->begin));
    while (text.len < n_bytes)
        strbuf_append(&text, str_from(sample->part));
    strbuf_append(&text, str_from(sample->end));
    Str out = arena_str(arena, strbuf_str(&text));
    strbuf_deinit(&text);
    return out;
}

// Something that is typed, a part of the text again, or nothing.
static Str choose_piece(Str text, uint64_t *seed)
{
    static const char *const pieces[] = {
        "x",
        "\n",
        " ",
        "int ",
        "(",
        ")",
        "{",
        "}",
        "\"",
        "'",
        "/*",
        "*/",
        "//",
        "#if 1\n",
        "side",
        ";\n",
        "def f():\n    ",
        "class C {",
        ".",
        "->",
    };
    uint64_t dice = random_next(seed) % 100;
    if (dice < 20) return STR("");
    if (dice < 80) return str_from(pieces[random_next(seed) % (sizeof pieces / sizeof *pieces)]);
    size_t start = random_next(seed) % (text.len + 1);
    return str_slice(text, start, start + random_next(seed) % 60);
}

static Syntax *edit(Syntax *syntax, uint64_t *seed)
{
    Error err = {0};
    TextSnap *text = text_retain(syntax_text(syntax));
    size_t n_bytes = text_n_bytes(text), n_edits = random_next(seed) % 10 ? 1 : 3;
    for (size_t i = 0; i < n_edits; i++) {
        size_t at = random_next(seed) % (n_bytes + 1), end = at;
        if (random_next(seed) % 2) end += random_next(seed) % 12;
        if (end > n_bytes) end = n_bytes;
        TextChange change;
        Str piece = choose_piece(text_str(text), seed);
        TextSnap *next = text_edit(text, (ByteRange){at, end}, piece, &change, &err);
        assert_non_null(next);
        Syntax *now = syntax_reparse(syntax, next, &change, 1, NULL);
        assert_non_null(now);
        syntax_release(syntax);
        text_release(text);
        syntax = now;
        text = next;
        n_bytes = text_n_bytes(text);
    }
    text_release(text);
    return syntax;
}

static void assert_same_range(ByteRange a, ByteRange b)
{
    assert_int_equal(a.start, b.start);
    assert_int_equal(a.end, b.end);
}

static void assert_same_symbols(const Digest *made, const Digest *fresh)
{
    assert_int_equal(made->plain.n_symbols, fresh->plain.n_symbols);
    assert_int_equal(made->plain.n_imports, fresh->plain.n_imports);
    for (size_t i = 0; i < made->plain.n_symbols; i++) {
        const Symbol *a = &made->plain.symbols[i], *b = &fresh->plain.symbols[i];
        assert_true(str_equal(a->name, b->name));
        assert_int_equal(a->kind, b->kind);
        assert_same_range(a->name_range, b->name_range);
        assert_same_range(a->range, b->range);
        assert_same_range(a->head, b->head);
        assert_int_equal(a->is_private, b->is_private);
        assert_int_equal(a->is_declaration, b->is_declaration);
        assert_int_equal(a->is_attribute, b->is_attribute);
    }
    for (size_t i = 0; i < made->plain.n_imports; i++)
        assert_true(str_equal(made->plain.imports[i], fresh->plain.imports[i]));
}

static void assert_same_tokens(const Digest *made, const Digest *fresh)
{
    Arena *arena = arena_new();
    SemanticToken *a, *b;
    ByteRange all = {0, SIZE_MAX};
    size_t n = semantic_tokens(made, all, arena, &a);
    assert_int_equal(semantic_tokens(fresh, all, arena, &b), n);
    for (size_t i = 0; i < n; i++) {
        assert_same_range(a[i].range, b[i].range);
        assert_int_equal(a[i].type, b[i].type);
        assert_int_equal(a[i].modifiers, b[i].modifiers);
    }
    arena_free(arena);
}

static void edit_randomly(const Sample *sample, size_t n_bytes, int n_steps, uint64_t seed)
{
    Error err = {0};
    Arena *arena = arena_new();
    TextSnap *text = text_new(repeat(sample, n_bytes, arena), &err);
    Syntax *syntax = syntax_parse(language_by_id(sample->id), text, NULL);
    Digest *digest = digest_new(syntax, NULL, true);
    for (int i = 0; i < n_steps; i++) {
        // Mistakes that pile up leave no tree to speak of: back to the beginning, in one edit.
        if (i % 12 == 11) {
            syntax_release(syntax);
            syntax = syntax_parse(language_by_id(sample->id), text, NULL);
        } else {
            syntax = edit(syntax, &seed);
        }
        Digest *made = digest_new(syntax, digest, true), *fresh = digest_new(syntax, NULL, true);
        digest_release(digest);
        assert_same_symbols(made, fresh);
        assert_same_tokens(made, fresh);
        digest_release(fresh);
        digest = made;
    }
    digest_release(digest);
    syntax_release(syntax);
    text_release(text);
    arena_free(arena);
}

static uint64_t number_of(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

static void a_digest_follows_every_edit(void **state)
{
    (void)state;
    uint64_t seed = number_of("R1LS_DIGEST_SEED", 1);
    int n_steps = (int)number_of("R1LS_DIGEST_STEPS", 12);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (size_t n_bytes = 1000; n_bytes <= 12000; n_bytes += 11000) {
            print_message("%s, %zu bytes, seed %llu\n", samples[i].id, n_bytes,
                          (unsigned long long)seed);
            edit_randomly(&samples[i], n_bytes, n_steps, seed);
        }
    }
}

static void what_is_there_is_kept(void **state)
{
    (void)state;
    Error err = {0};
    TextSnap *text = text_new(STR("int a;\n"), &err);
    Syntax *syntax = syntax_parse(language_by_id("c"), text, NULL);
    Digest *plain = digest_new(syntax, NULL, false), *full = digest_new(syntax, plain, true);
    assert_null(plain->semantics);
    assert_non_null(full->semantics);
    Digest *same = digest_new(syntax, full, false);
    assert_ptr_equal(same, full);
    digest_release(same);
    digest_release(full);
    digest_release(plain);
    syntax_release(syntax);
    text_release(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_follows_every_edit),
        cmocka_unit_test(what_is_there_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

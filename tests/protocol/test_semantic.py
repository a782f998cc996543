"""Semantic tokens: what words are, the numbers of the protocol, and deltas that give the new data from the old."""

import random

from driver import Client, at, run_tests
from texts import random_change

URI = "file:///tmp/work/s.c"
DOC = {"textDocument": {"uri": URI}}
CODE = """#define LIMIT 7
typedef struct Box {
    int side;
} Box;
enum Kind { ROUND, FLAT };
/* Two
   lines. */
static int area(const Box *box, int side)
{
    int twice = side * 2;
    char *s = "x\U0001F600y"; return box->side + twice + LIMIT + ROUND;
}
int use(Box *box) { return area(box, 1) + side_of(box); }
"""
SAMPLES = {
    "c": "int f(int a) { return a; }\n", "cpp": "class A { int b() { return 1; } };\n",
    "python": "def f(a, *b):\n    '''d'''\n    return a + f(b)  # c\n",
    "javascript": "function f(a) { return /x/.test(a) && `t${a}`; }\n",
    "typescript": "interface I { a: number }\nfunction f(a: I) { return a.a }\n",
    "typescriptreact": "const f = (a: number) => <b>{a}</b>;\n",
    "go": "package p\nfunc f(a int) int { return a }\n", "rust": "fn f(a: i32) -> i32 { a }\n",
    "java": "class A { int f(int a) { return a; } }\n", "shellscript": "f() { echo \"$a\"; }\n",
    "json": "{\"a\": [1, true, \"x\"]}\n", "yaml": "a:\n  - b: 1\n", "toml": "a = 1\n[b]\nc = \"x\"\n",
    "lua": "local function f(a) return a end\n", "ruby": "def f(a)\n  a + 1\nend\n",
    "php": "<?php function f($a) { return $a; }\n", "csharp": "class A { int F(int a) { return a; } }\n",
    "html": "<p class=\"a\">b</p>\n", "css": "p { color: red; }\n", "markdown": "# a\n\n`b`\n",
    "makefile": "a: b\n\techo $(C)\n",
}


def new_client(encoding="utf-16"):
    return Client(options={"semanticTokens": True, "positionEncoding": encoding})


def units(text, encoding):
    return len(text.encode("utf-16-le")) // 2 if encoding == "utf-16" else len(text.encode()) if encoding == "utf-8" else len(text)


def cut(line, start, end, encoding):
    """The text of a line between two counts of units."""
    name = {"utf-16": "utf-16-le", "utf-8": "utf-8", "utf-32": "utf-32-le"}[encoding]
    width = {"utf-16": 2, "utf-8": 1, "utf-32": 4}[encoding]
    return line.encode(name)[start * width:end * width].decode(name)


def decode(data, legend, text, encoding):
    """[(line, word, type, modifiers)]; checks that tokens are in order, within their lines and apart."""
    lines, line, start, end, found = text.split("\n"), 0, 0, 0, []
    assert len(data) % 5 == 0
    for i in range(0, len(data), 5):
        down, right, length, kind, bits = data[i:i + 5]
        assert length > 0 and down >= 0 and right >= 0
        line, start = line + down, right if down else start + right
        assert down or start >= end, "tokens overlap"
        end = start + length
        assert end <= units(lines[line], encoding), (lines[line], start, length)
        word = cut(lines[line], start, end, encoding)
        names = [m for b, m in enumerate(legend["tokenModifiers"]) if bits & 1 << b]
        found.append((line, word, legend["tokenTypes"][kind], names))
    return found


def legend_of(client):
    return client.initialized["capabilities"]["semanticTokensProvider"]["legend"]


def test_off_by_default():
    client = Client()
    assert "semanticTokensProvider" not in client.initialized["capabilities"]
    client.open(URI, CODE)
    assert client.ask("textDocument/semanticTokens/full", DOC) is None
    client.close()


def test_words_are_what_they_are():
    for encoding in ("utf-8", "utf-16", "utf-32"):
        client = new_client(encoding)
        client.open(URI, CODE)
        data = client.ask("textDocument/semanticTokens/full", DOC)["data"]
        found = decode(data, legend_of(client), CODE, encoding)
        for wanted in [(0, "#define", "keyword", []), (0, "LIMIT", "macro", ["declaration"]), (1, "typedef", "keyword", []),
                       (2, "side", "property", ["declaration"]), (4, "ROUND", "enumMember", ["declaration"]),
                       (5, "/* Two", "comment", []), (6, "   lines. */", "comment", []),
                       (7, "area", "function", ["declaration"]), (7, "Box", "struct", []),
                       (7, "box", "parameter", ["declaration"]), (7, "side", "parameter", ["declaration"]),
                       (9, "twice", "variable", ["declaration"]), (9, "side", "parameter", []), (9, "2", "number", []),
                       (10, "\"x\U0001F600y\"", "string", []), (10, "box", "parameter", []), (10, "side", "property", []),
                       (10, "twice", "variable", []), (10, "LIMIT", "macro", []), (10, "ROUND", "enumMember", []),
                       (12, "area", "function", []), (12, "side_of", "function", [])]:
            assert wanted in found, (encoding, wanted, found)
        client.close()


def test_every_language_has_some():
    client = new_client()
    for language, text in SAMPLES.items():
        uri = "file:///tmp/work/sample." + language
        client.open(uri, text, language)
        data = client.ask("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})["data"]
        found = decode(data, legend_of(client), text, "utf-16")
        assert found, language
    python = decode(client.ask("textDocument/semanticTokens/full", {"textDocument": {"uri": "file:///tmp/work/sample.python"}})["data"],
                    legend_of(client), SAMPLES["python"], "utf-16")
    assert (2, "a", "parameter", []) in python and (2, "b", "parameter", []) in python, python
    assert (2, "f", "function", []) in python, python
    client.close()


def test_range_is_a_part_of_it():
    client = new_client()
    client.open(URI, CODE)
    legend = legend_of(client)
    whole = decode(client.ask("textDocument/semanticTokens/full", DOC)["data"], legend, CODE, "utf-16")
    part = client.ask("textDocument/semanticTokens/range", dict(DOC, range=at(7, 0, 0, end_line=10)))["data"]
    assert decode(part, legend, CODE, "utf-16") == [t for t in whole if 7 <= t[0] < 10]
    assert client.fail("textDocument/semanticTokens/range", DOC) == -32602
    client.close()


def apply(data, edits):
    for edit in sorted(edits, key=lambda e: -e["start"]):
        data = data[:edit["start"]] + edit.get("data", []) + data[edit["start"] + edit["deleteCount"]:]
    return data


def test_deltas_lead_to_the_new_data():
    client, rng = new_client(), random.Random(7)
    text, version, shorter = CODE * 4, 1, 0
    client.open(URI, text)
    answer = client.ask("textDocument/semanticTokens/full", DOC)
    data, id = answer["data"], answer["resultId"]
    pieces = ["x", "\n", "int ", "(", "}", "\"", "/*", "*/", "side", "\U0001F600", "#if 1\n", ";\n", "box->"]
    for step in range(150):
        change, text = random_change(rng, text, "".join(rng.choice(pieces) for _ in range(rng.randint(0, 3))), "utf-16", 3)
        version += 1
        client.change(URI, version, change)
        answer = client.ask("textDocument/semanticTokens/full/delta", dict(DOC, previousResultId=id))
        assert "edits" in answer and answer["resultId"] != id
        shorter += sum(len(e.get("data", [])) for e in answer["edits"]) < len(data) // 2
        data, id = apply(data, answer["edits"]), answer["resultId"]
        end = {"line": 10 ** 6, "character": 0}
        whole = client.ask("textDocument/semanticTokens/range", dict(DOC, range={"start": {"line": 0, "character": 0}, "end": end}))
        assert data == whole["data"], (step, text)
        if step % 3 == 0:  # a document that was never edited says the same
            other = "file:///tmp/work/fresh%d.c" % step
            client.open(other, text)
            fresh = client.ask("textDocument/semanticTokens/full", {"textDocument": {"uri": other}})
            assert data == fresh["data"], (step, text)
            client.notify("textDocument/didClose", {"textDocument": {"uri": other}})
        decode(data, legend_of(client), text, "utf-16")
    assert shorter > 75, "deltas are no shorter than the whole"
    same = client.ask("textDocument/semanticTokens/full/delta", dict(DOC, previousResultId=id))
    assert same["edits"] == []
    old = client.ask("textDocument/semanticTokens/full/delta", dict(DOC, previousResultId=id))
    assert old["data"] == data, "an id that is not the last one gets everything"
    client.close()


run_tests(globals())

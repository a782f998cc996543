"""Outline, folds, selections, highlights and hover: what the tree of one document tells."""

import copy

from driver import Client, FULL_CAPS, at, run_tests

URI = "file:///tmp/work/s.c"
DOC = {"textDocument": {"uri": URI}}
CODE = """typedef struct {
    int side;
} Square;

// The area,
// in units.
int area(int side)
{
    int twice = side * 2;
    {
        int side = 7;
        twice += side;
    }
    return side * twice;
}

int use(Square *s)
{
    return s->side + area(s->side);
}
"""


def new_client(**options):
    caps = copy.deepcopy(FULL_CAPS)
    caps["textDocument"]["documentSymbol"] = {"hierarchicalDocumentSymbolSupport": True}
    caps["textDocument"]["hover"] = {"contentFormat": ["markdown", "plaintext"]}
    # Both are off by default, because a real server of the language has them.
    return Client(caps=caps, options={"documentSymbol": True, "hover": True, **options})


def place(line, character):
    return dict(DOC, position={"line": line, "character": character})


def test_outline():
    client = new_client()
    client.open(URI, CODE)
    items = client.ask("textDocument/documentSymbol", DOC)
    assert [i["name"] for i in items] == ["Square", "area", "use"], items
    assert [c["name"] for c in items[0]["children"]] == ["side"]
    assert items[1]["kind"] == 12 and items[1]["selectionRange"] == at(6, 4, 8), items[1]
    flat = Client(options={"documentSymbol": True})
    flat.open(URI, CODE)
    items = flat.ask("textDocument/documentSymbol", DOC)
    assert [i["name"] for i in items] == ["Square", "side", "area", "use"]
    assert items[1]["containerName"] == "Square" and items[1]["location"]["uri"] == URI
    client.close()
    flat.close()


def test_folds():
    client = new_client()
    client.open(URI, CODE)
    folds = client.ask("textDocument/foldingRange", DOC)
    found = [(f["startLine"], f["endLine"], f.get("kind")) for f in folds]
    assert found == [(0, 1, None), (4, 5, "comment"), (7, 13, None), (9, 11, None),
                     (17, 18, None)], found
    python = "file:///tmp/work/s.py"
    client.open(python, "def f(a):\n    if a:\n        return 1\n    return 2\n", "python")
    folds = client.ask("textDocument/foldingRange", {"textDocument": {"uri": python}})
    assert [(f["startLine"], f["endLine"]) for f in folds] == [(0, 3), (1, 2)], folds
    client.close()


def test_selections_grow():
    client = new_client()
    client.open(URI, CODE)
    places = [{"line": 8, "character": 18}, {"line": 999, "character": 0}]
    answers = client.ask("textDocument/selectionRange", dict(DOC, positions=places))
    assert len(answers) == 2
    assert answers[0]["range"] == at(8, 16, 20), answers[0]
    node, last = answers[0], None
    key = lambda r: (r["start"]["line"], r["start"]["character"], -r["end"]["line"], -r["end"]["character"])
    while node:
        assert last is None or key(node["range"]) < key(last), (node, last)
        last, node = node["range"], node.get("parent")
    assert last == at(0, 0, 0, 20), last
    assert client.fail("textDocument/selectionRange", dict(DOC, positions=[3])) == -32602
    client.close()


def test_highlights_follow_scopes():
    client = new_client()
    client.open(URI, CODE)
    def rows(line, character):
        found = client.ask("textDocument/documentHighlight", place(line, character))
        return found and [(h["range"]["start"]["line"], h["kind"]) for h in found]
    outer = rows(6, 14)
    assert outer == [(6, 3), (8, 2), (13, 2)], outer
    assert rows(11, 18) == [(10, 3), (11, 2)]
    assert rows(18, 15) == [(1, 2), (18, 2), (18, 2)], rows(18, 15)
    assert rows(18, 24) == [(6, 2), (18, 2)]
    assert rows(3, 0) is None
    client.close()


def test_hover():
    client = new_client()
    client.open(URI, CODE)
    hover = client.ask("textDocument/hover", place(18, 23))
    assert hover["contents"]["kind"] == "markdown" and hover["range"] == at(18, 21, 25), hover
    assert hover["contents"]["value"] == "```c\nint area(int side)\n```\n\nThe area,\nin units."
    assert "int side = 7;" in client.ask("textDocument/hover", place(11, 18))["contents"]["value"]
    assert client.ask("textDocument/hover", place(3, 0)) is None
    assert client.fail("textDocument/hover", DOC) == -32602
    plain = Client(options={"hover": True})
    plain.open(URI, CODE)
    assert plain.ask("textDocument/hover", place(18, 23))["contents"]["kind"] == "plaintext"
    client.close()
    plain.close()


def test_each_has_a_setting():
    client = new_client(hover=False, foldingRange=False)
    caps = client.initialized["capabilities"]
    assert "hoverProvider" not in caps and "foldingRangeProvider" not in caps
    assert caps["documentSymbolProvider"] and caps["documentHighlightProvider"]
    client.open(URI, CODE)
    assert client.ask("textDocument/hover", place(18, 23)) is None
    client.close()


run_tests(globals())

"""What is offered behind `.`, `->` and `::`, in imports and of other languages' names, language by language."""

import os

from driver import Client, FOLDER, run_tests, write_file

FILES = {
    "ops.h": "struct ops { int (*open)(int), **rows, *names[3]; struct ops *(*next)(void); };\n",
    "shape.h": "typedef struct { double width, height; struct point { int x, y; } at; } Box;\nBox *make_box(int n);\n",
    "main.c": "",
    "geo.py": "class Base:\n    def up(self):\n        return 1\n\n\nclass Shape(Base):\n    def __init__(self):\n        self.area = 1\n\n"
              "    def grow(self) -> 'Shape':\n        return self\n\n\ndef make_shape(n):\n    return Shape()\n",
    "pkg/__init__.py": "from .deep import Mole\n",
    "pkg/deep.py": "class Mole:\n    def dig(self):\n        pass\n",
    "use.py": "",
    "lib.ts": "export interface Point { x: number; y: number }\nexport class Base { up() {} }\n"
              "export class Counter extends Base { count = 0; at: Point; add(n: number): Counter { return this; } }\n"
              "export function load(): Promise<Counter> { return null; }\n",
    "use.ts": "",
    "b.js": "class Old { constructor() { this.alpha = 1; } go() {} }\nfunction helper(n) { return new Old(); }\nmodule.exports = { helper };\n",
    "use.js": "",
    "go.mod": "module example.com/m\n\ngo 1.20\n",
    "util/util.go": "package util\n\ntype Base struct {\n\tID int\n}\n\ntype Item struct {\n\tBase\n\tName string\n}\n\n"
                    "func New() (*Item, error) {\n\treturn nil, nil\n}\n\nfunc hidden() {}\n",
    "util/more.go": "package util\n\nfunc (i *Item) Rename(to string) {}\n",
    "main.go": "",
    "src/geo.rs": "pub struct Shape {\n    pub width: i32,\n}\n\nimpl Shape {\n    pub fn new(n: i32) -> Self {\n        Shape { width: n }\n    }\n"
                  "    pub fn find(n: i32) -> Option<Shape> {\n        None\n    }\n}\n",
    "src/main.rs": "",
}
C = "#include \"shape.h\"\nvoid f(Box *b, Box all[3])\n{\n    %s\n}\n"
GO = "package main\n\nimport (\n\t\"fmt\"\n\t\"example.com/m/util\"\n)\n\ntype Point struct {\n\tX, Y int\n}\n\nfunc main() {\n\t%s\n}\n"
RUST = "mod geo;\nuse crate::geo::Shape;\n\nfn main() {\n    let s = Shape::new(3);\n    %s\n}\n"
TS = "import { Counter, load } from \"./lib\";\nimport * as all from \"./lib\";\nasync function f(c: Counter) {\n  %s\n}\n"
BOX, SHAPE, ITEM, COUNTER = ["width", "height", "at"], ["width", "new", "find"], ["Name", "Rename", "ID"], ["count", "at", "add", "up"]
GROWN = ["grow", "area", "up", "__init__"]
MEMBERS = [
    ("main.c", "#include \"ops.h\"\nvoid f(int (*g)(int), struct ops *o)\n{\n    o->|\n}\n", ["open", "rows", "names", "next"]),
    ("main.c", C % "b->|", BOX), ("main.c", C % "(*b).|", BOX), ("main.c", C % "all[1].|", BOX), ("main.c", C % "b->at.|", ["x", "y"]),
    ("main.c", C % "make_box(b->at.x)->|", BOX), ("main.c", C % "make_box(f(\")\"))->at.|", ["x", "y"]), ("main.c", C % "b->width.|", []),
    ("use.py", "import geo\ngeo.|\n", ["Base", "Shape", "make_shape"]), ("use.py", "import geo as g\ng.Shape().|\n", GROWN),
    ("use.py", "from geo import make_shape\nmake_shape(1).|\n", GROWN), ("use.py", "from geo import Shape\ns = Shape()\ns.grow().|\n", GROWN),
    ("use.py", "from typing import Optional\nfrom geo import Shape\ndef f(s: Optional[Shape]):\n    s.|\n", GROWN),
    ("use.py", "import pkg\npkg.Mole().|\n", ["dig"]), ("use.py", "import pkg.deep\npkg.deep.|\n", ["Mole"]),
    ("use.py", "import unknown\nunknown.|\n", []), ("use.py", "from geo import Shape\ndef f():\n    with Shape() as s:\n        s.|\n", GROWN),
    ("use.ts", TS % "c.|", COUNTER), ("use.ts", TS % "c.at.|", ["x", "y"]), ("use.ts", TS % "new Counter().add(1).|", COUNTER),
    ("use.ts", TS % "const d = await load();\n  d.|", COUNTER), ("use.ts", TS % "all.|", ["Point", "Base", "Counter", "load"]),
    ("use.ts", TS % "c\n    .add(2)\n    .|", COUNTER), ("use.ts", TS % "load().|", []),
    ("use.js", "const b = require(\"./b\");\nb.|\n", ["Old", "helper"]), ("use.js", "const { helper } = require(\"./b\");\nhelper(1).|\n",
                                                                       ["constructor", "alpha", "go"]),
    ("main.go", GO % "util.|", ["Base", "Item", "New"]), ("main.go", GO % "p := &Point{1, 2}\n\tp.|", ["X", "Y"]),
    ("main.go", GO % "i, err := util.New()\n\ti.|", ITEM), ("main.go", GO % "i, err := util.New()\n\terr.|", []),
    ("main.go", GO % "var all []util.Item\n\tall[0].|", ITEM), ("main.go", GO % "var all []util.Item\n\tall.|", []),
    ("src/main.rs", RUST % "s.|", SHAPE), ("src/main.rs", RUST % "Shape::|", SHAPE), ("src/main.rs", RUST % "crate::geo::|", ["Shape"]),
    ("src/main.rs", RUST % "let t = &s;\n    t.|", SHAPE), ("src/main.rs", RUST % "Shape::find(1).unwrap().|", SHAPE),
    ("src/main.rs", RUST % "let t = Shape::find(1)?;\n    t.|", SHAPE), ("src/main.rs", RUST % "Shape::find(1)?.|", SHAPE),
]
IMPORTS = [
    ("main.c", "#include \"sh|\n", ["shape.h"]), ("use.py", "import pkg.|\n", ["pkg.deep"]), ("use.py", "from geo import Sh|\n", ["Shape"]),
    ("use.py", "from pkg import |\n", ["deep"]), ("use.py", "from pkg.deep import |\n", ["Mole"]),
    ("use.ts", "import { Co| } from \"./lib\"\n", ["Counter"]), ("use.ts", "import x from \"./li|\"\n", ["./lib"]),
    ("use.js", "const x = require(\"./b|\")\n", ["./b"]), ("main.go", "package main\n\nimport \"example.com/|\"\n", ["example.com/m/util"]),
    ("src/main.rs", "mod |\n", ["geo"]),
]


SNIPPETS = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}
HANDLERS = "typedef int (*Handler)(int code);\nint on_event(int code) { return code; }\nint add_handler(const char *name, Handler handler);\n" \
           "int run_it(int n);\nstruct table { const char *name; int (*run)(int code); };\nvoid f(struct table *t, int n)\n{\n    %s\n}\n%s\n"
# (language file, text, is it called?)
PLACES = [
    ("main.c", HANDLERS % ("on_ev|", ""), True), ("main.c", HANDLERS % ("n = on_ev|;", ""), True), ("main.c", HANDLERS % ("run_it(on_ev|);", ""), True),
    ("main.c", HANDLERS % ("if (n && on_ev|)", ""), True), ("main.c", HANDLERS % ("add_handler(\"x\", on_ev|);", ""), False),
    ("main.c", HANDLERS % ("t->run = on_ev|;", ""), False), ("main.c", HANDLERS % ("Handler h = &on_ev|;", ""), False),
    ("main.c", HANDLERS % ("qsort(t, 1, n, on_ev|);", ""), False), ("main.c", HANDLERS % ("", "static struct table all[] = {{\"a\", on_ev|}};"), False),
    ("main.c", HANDLERS % ("", "static struct table one = {.run = on_ev|};"), False),
    ("use.py", "from geo import make_shape\ndef f(a):\n    x = make_sh|\n", True), ("use.py", "from geo import make_shape\nmap(make_sh|\n", False),
    ("use.py", "from geo import make_shape\nsorted([], key=make_sh|\n", False), ("use.py", "from geo import make_shape\n@make_sh|\n", False),
    ("use.js", "function twice(n) { return 2 * n; }\nconst y = twi|\n", True), ("use.js", "function twice(n) { return 2 * n; }\n[1].map(twi|)\n", False),
]


def start(name, caps=None):
    for path, text in FILES.items():
        write_file(os.path.join(name, path), text)
    client = Client(caps=caps, rootUri="file://" + os.path.join(FOLDER, name), options={"rankCompletion": False, "definition": True, "hover": True})
    client.until(lambda: not client.ask("r1ls/status", {})["scanning"])
    return client


def uri_of(name, path):
    return "file://" + os.path.join(FOLDER, name, path)


def place_in(client, name, path, text, version=[1]):
    """The text (with a '|' at the cursor) stands in the open document and is parsed."""
    ids = {".c": "c", ".h": "c", ".py": "python", ".ts": "typescript", ".js": "javascript", ".go": "go", ".rs": "rust"}
    at, uri = text.index("|"), uri_of(name, path)
    version[0] += 1
    client.open(uri, text.replace("|", ""), ids[os.path.splitext(path)[1]], version[0])
    client.ask("textDocument/foldingRange", {"textDocument": {"uri": uri}})
    return {"textDocument": {"uri": uri}, "position": {"line": text[:at].count("\n"), "character": at - (text[:at].rfind("\n") + 1)}}


def items_of(client, name, path, text):
    where = place_in(client, name, path, text)
    items = client.ask("textDocument/completion", where)["items"]
    client.notify("textDocument/didClose", {"textDocument": where["textDocument"]})
    return sorted(items, key=lambda item: item["sortText"])


def complete(client, name, path, text):
    return [item["label"] for item in items_of(client, name, path, text)]


def test_members_of_each_language():
    client = start("members")
    for path, text, wanted in MEMBERS:
        # The document's own types are in the index a moment after it is open.
        client.until(lambda: sorted(complete(client, "members", path, text)) == sorted(wanted), repr((path, text, wanted)))
    assert complete(client, "members", *MEMBERS[9][:2])[-1] == "__init__"
    client.close()


def test_imports_of_each_language():
    client = start("imports")
    for path, text, wanted in IMPORTS:
        found = complete(client, "imports", path, text)
        assert found == wanted, (path, text, found)
    assert "stdio.h" in complete(client, "imports", "main.c", "#include <std|\n")
    assert "sys/types.h" in complete(client, "imports", "main.c", "#include <sys/ty|\n")
    assert {"json", "sys"} <= set(complete(client, "imports", "use.py", "import os, |\n"))
    client.close()


def test_other_languages_names_are_no_items():
    client = start("mixed")
    assert complete(client, "mixed", "main.c", "int f(void)\n{\n    mak|\n}\n") == ["make_box"]
    assert complete(client, "mixed", "use.py", "x = mak|\n") == ["make_shape"]
    assert complete(client, "mixed", "main.go", GO % "Sha|") == []
    client.close()


def test_a_function_that_is_a_value_is_not_called():
    client = start("values", SNIPPETS)
    for path, text, called in PLACES:
        found = lambda: [item["textEdit"]["newText"] for item in items_of(client, "values", path, text) if item["kind"] == 3]
        client.until(lambda: [("(" in new) for new in found()] == [called], repr((path, text, called)))
    client.close()


def test_the_users_own_snippets():
    os.environ["XDG_CONFIG_HOME"] = os.path.join(FOLDER, "config")
    write_file("config/r1ls/snippets/c.txt", "# mine\nfori body my loop\n\tfor (int ${1:i} = 0; ; ) {\n\t\t$0\n\t}\nwhile body mine too\n\twhile (1)\nbad\n")
    client = start("own", SNIPPETS)
    found = {item["label"]: item["textEdit"]["newText"] for item in items_of(client, "own", "main.c", C % "fo|") if item["kind"] == 15}
    assert found["fori"] == "for (int ${1:i} = 0; ; ) {\n    $0\n}" and "for" in found, found
    found = [item["textEdit"]["newText"] for item in items_of(client, "own", "main.c", C % "whi|") if item["kind"] == 15]
    assert found == ["while (1)"], found
    client.close()
    del os.environ["XDG_CONFIG_HOME"]


def test_definition_of_what_is_meant():
    client = start("meant")
    wanted = [("use.py", "import geo\ngeo.make_sha|pe(1)\n", "geo.py"), ("use.py", "from geo import Shape\nSha|pe()\n", "geo.py"),
              ("main.go", GO % "util.Ne|w()", "util/util.go"), ("use.js", "const b = require(\"./b\");\nb.hel|per(1);\n", "b.js"),
              ("src/main.rs", RUST % "Shape::fin|d(1);", "src/geo.rs"), ("use.ts", TS % "c.ad|d(1);", "lib.ts"),
              ("main.c", C % "b->at.|x = 1;", "shape.h")]
    for path, text, target in wanted:
        where = place_in(client, "meant", path, text)
        found = lambda: [place["uri"] for place in client.ask("textDocument/definition", where) or []]
        client.until(lambda: found() == [uri_of("meant", target)], repr((path, text, target)))
        client.notify("textDocument/didClose", {"textDocument": where["textDocument"]})
    client.close()


run_tests(globals())

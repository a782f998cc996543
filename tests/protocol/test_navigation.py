"""Navigation by the index: places are marked in the sources, <1> and so on."""

import os
import re
import subprocess
import time

from driver import Client, FOLDER, FULL_CAPS, run_tests, write_file

ON = {name: True for name in ("definition", "references", "rename", "workspaceSymbol", "signatureHelp", "hover")}
FILES = {
    "include/shape.h": "#pragma once\n// A shape.\ntypedef struct Shape {\n    int <field>side;\n} Shape;\n"
                       "// The area.\nint <proto>shape_area(const Shape *s, int scale);\n",
    "src/shape.c": "#include \"<inc>shape.h\"\n\nstatic int <helper>helper(int <param>a)\n{\n    return <use_a>a * 2;\n}\n\n"
                   "int <def>shape_area(const Shape *s, int scale)\n{\n    return <call_helper>helper(s->side) * scale;\n}\n",
    "src/main.c": "#include \"shape.h\"\n\nint main(void)\n{\n    Shape s = {3};\n    int helper = 1;\n"
                  "    return <call>shape_area(&s, <arg>helper) + s.<member>side;\n}\n",
    "src/twice.c": "int twice(int x) { return <call2>shape_area(0, x); }\n#define AREA(s) shape_area(s, 1)\n",
    "py/model.py": "class Animal:\n    \"\"\"Lives.\"\"\"\n    def <speak>speak(self, loud):\n        return loud\n\n"
                   "def <make>make_animal(kind):\n    return <cls>Animal()\n",
}


class Project:
    def __init__(self, name, files=None, caps=None, **options):
        self.root = os.path.join(FOLDER, name)
        self.text, self.marks = {}, {}
        for path, marked in (files or FILES).items():
            plain = ""
            for part in re.split(r"(<\w+>(?=\w))", marked):
                if re.fullmatch(r"<\w+>", part):
                    line = plain.count("\n")
                    self.marks[part[1:-1]] = (path, line, len(plain) - plain.rfind("\n") - 1)
                else:
                    plain += part
            self.text[path] = plain
            write_file(os.path.join(name, path), plain)
        self.client = Client(rootUri="file://" + self.root, caps=caps, options=dict(ON, **options))
        self.settle()

    def settle(self):
        self.client.until(lambda: not self.client.ask("r1ls/status", {})["scanning"])

    def uri(self, path):
        return "file://" + os.path.join(self.root, path)

    def open(self, path):
        self.client.open(self.uri(path), self.text[path], "python" if path.endswith(".py") else "c")

    def at(self, mark, **more):
        path, line, character = self.marks[mark]
        return dict({"textDocument": {"uri": self.uri(path)}, "position": {"line": line, "character": character}}, **more)

    def ask(self, method, mark, **more):
        return self.client.ask("textDocument/" + method, self.at(mark, **more))

    def names(self, locations):
        """The marks (or path:line) of locations, sorted."""
        places = {v: k for k, v in self.marks.items()}
        out = []
        for location in locations or []:
            path = location["uri"][len("file://" + self.root) + 1:]
            start = location["range"]["start"]
            out.append(places.get((path, start["line"], start["character"]), "%s:%d" % (path, start["line"])))
        return sorted(out)


def test_definition_and_declaration():
    p = Project("definition")
    p.open("src/main.c")
    assert p.names(p.ask("definition", "call")) == ["def"]
    assert p.names(p.ask("declaration", "call")) == ["proto"]
    assert p.names(p.ask("definition", "member")) == ["field"]
    assert p.names(p.ask("definition", "arg")) == ["src/main.c:5"]  # the local, not the static elsewhere
    p.open("src/shape.c")
    assert p.names(p.ask("definition", "call_helper")) == ["helper"]
    assert p.names(p.ask("definition", "use_a")) == ["param"]
    assert p.names(p.ask("definition", "inc")) == ["include/shape.h:0"]
    p.open("py/model.py")
    assert p.names(p.ask("definition", "cls")) == ["py/model.py:0"]
    assert p.client.ask("textDocument/definition", {"textDocument": {"uri": p.uri("src/main.c")},
                                                    "position": {"line": 1, "character": 0}}) is None
    p.client.close()


def test_references():
    p = Project("references")
    p.open("src/main.c")
    everywhere = {"context": {"includeDeclaration": True}}
    found = p.names(p.ask("references", "call", **everywhere))
    assert found == ["call", "call2", "def", "proto"], found
    found = p.names(p.ask("references", "call", context={"includeDeclaration": False}))
    assert found == ["call", "call2"], found
    p.open("src/shape.c")
    assert p.names(p.ask("references", "helper", **everywhere)) == ["call_helper", "helper"]
    assert p.names(p.ask("references", "param", **everywhere)) == ["param", "use_a"]
    p.client.close()


def test_open_documents_override_the_disk():
    p = Project("override")
    p.open("src/main.c")
    p.client.open(p.uri("src/shape.c"), "\n\n\nint shape_area(int moved)\n{\n    return moved;\n}\n")
    p.client.until(lambda: p.names(p.ask("definition", "call")) == ["src/shape.c:3"])
    p.client.notify("textDocument/didClose", {"textDocument": {"uri": p.uri("src/shape.c")}})
    p.client.until(lambda: p.names(p.ask("definition", "call")) == ["def"])
    p.client.close()


def apply(p, edit):
    """The texts after a workspace edit, by path."""
    texts = dict(p.text)
    for change in edit["documentChanges"]:
        path = change["textDocument"]["uri"][len("file://" + p.root) + 1:]
        lines = texts[path].split("\n")
        for e in sorted(change["edits"], key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]), reverse=True):
            a, b = e["range"]["start"], e["range"]["end"]
            lines[a["line"]] = lines[a["line"]][:a["character"]] + e["newText"] + lines[b["line"]][b["character"]:]
        texts[path] = "\n".join(lines)
    return texts


def test_rename_what_is_proved():
    files = {k: v for k, v in FILES.items() if k != "src/twice.c"}
    p = Project("rename", files, caps=dict(FULL_CAPS))
    p.open("src/main.c")
    prepared = p.ask("prepareRename", "call")
    assert prepared["placeholder"] == "shape_area", prepared
    edit = p.ask("rename", "call", newName="area_of")
    texts = apply(p, edit)
    assert len(edit["documentChanges"]) == 3 and all("shape_area" not in t for t in texts.values()), edit
    assert sum(t.count("area_of(") for t in texts.values()) == 3
    assert all("annotationId" in e for c in edit["documentChanges"] for e in c["edits"])
    assert "3 places in 3 files" in list(edit["changeAnnotations"].values())[0]["label"]
    p.open("src/shape.c")
    texts = apply(p, p.ask("rename", "helper", newName="double_it"))
    assert "int helper = 1" in texts["src/main.c"] and "double_it(s->side)" in texts["src/shape.c"]
    texts = apply(p, p.ask("rename", "param", newName="b"))
    assert "helper(int b)" in texts["src/shape.c"] and "return b * 2" in texts["src/shape.c"]
    p.client.close()


def refusal(p, mark, name):
    return p.client.answer(p.client.request("textDocument/rename", p.at(mark, newName=name)))["error"]


def test_rename_refuses_what_is_not():
    p = Project("refuse", dict(FILES, **{"src/again.c": "int make(void) { return 0; }\n", "lib/make.c": "int make(void) { return 1; }\nint go(void) { return <ambiguous>make(); }\n"}))
    p.open("src/main.c")
    error = refusal(p, "call", "area_of")
    assert error["code"] == -32803 and "macro" in error["message"] and "twice.c:2" in error["message"], error
    p.open("lib/make.c")
    assert "2 times" in refusal(p, "ambiguous", "x")["message"]
    p.open("src/shape.c")
    assert "defined already" in refusal(p, "helper", "shape_area")["message"]
    assert refusal(p, "helper", "two words")["code"] == -32602
    p.open("py/model.py")
    assert "member" in refusal(p, "speak", "say")["message"]
    p.client.close()


def test_workspace_symbol():
    p = Project("symbols")
    ask = lambda query: p.client.ask("workspace/symbol", {"query": query})
    names = [s["name"] for s in ask("shparea")]
    assert names[0] == "shape_area" and ask("zzzz") == [] and ask("") == [], names
    assert ask("side")[0]["containerName"] == "Shape"
    caps = {"workspace": {"symbol": {"resolveSupport": {"properties": ["location.range"]}}}}
    lazy = Project("symbols", caps=caps)
    item = lazy.client.ask("workspace/symbol", {"query": "twice"})[0]
    assert "range" not in item["location"]
    item = lazy.client.ask("workspaceSymbol/resolve", item)
    assert item["location"]["range"]["start"] == {"line": 0, "character": 4}, item
    p.client.close()
    lazy.client.close()


def test_signature_help():
    p = Project("signature")
    p.open("src/main.c")
    help = p.ask("signatureHelp", "arg")
    assert help["activeParameter"] == 1, help
    signature = help["signatures"][0]
    assert signature["label"] == "int shape_area(const Shape *s, int scale)"
    assert [x["label"] for x in signature["parameters"]] == ["const Shape *s", "int scale"]
    assert p.ask("signatureHelp", "call") is None
    p.client.close()


def test_hover_of_another_file():
    p = Project("hover")
    p.open("src/main.c")
    assert "The area." in p.ask("hover", "call")["contents"]["value"]
    p.client.close()


def test_folders_come_and_go():
    p = Project("roots")
    other = os.path.join(FOLDER, "second")
    write_file("second/extra.c", "int only_in_second(void) { return 2; }\n")
    folder = {"uri": "file://" + other, "name": "second"}
    found = lambda: p.client.ask("workspace/symbol", {"query": "only_in_second"})
    assert found() == []
    p.client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    p.client.until(lambda: len(found()) == 1)
    p.client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
    p.client.until(lambda: found() == [])
    p.client.close()


def test_settings_of_the_index_are_followed():
    p = Project("resettled")
    found = lambda: [s["name"] for s in p.client.ask("workspace/symbol", {"query": "twice"})]
    assert found() == ["twice"]
    p.client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": dict(ON, indexIgnore="twice.c py/")}})
    p.client.until(lambda: found() == [])
    p.settle()
    status = next(i for i in p.client.ask("r1ls/status", {})["index"] if i["path"])
    assert status["files"] == 3 and status["stored"], status
    p.client.close()


def test_the_disk_is_watched():
    p = Project("watched")
    found = lambda name: [s["name"] for s in p.client.ask("workspace/symbol", {"query": name})]
    until = lambda name, n: p.client.until(lambda: len(found(name)) == n, name)
    deadline = time.monotonic() + 5  # watches are set a few at a time
    while not found("made_later") and time.monotonic() < deadline:
        write_file("watched/src/new.c", "int made_later(void) { return %d; }\n" % time.monotonic_ns())
        time.sleep(0.3)
    until("made_later", 1)
    write_file("watched/src/deep/er/more.c", "int deeper(void) { return 1; }\n")
    until("deeper", 1)
    write_file("watched/src/new.c", "int renamed_later(void) { return 1; }\n")
    until("renamed_later", 1)
    until("made_later", 0)
    os.remove(os.path.join(p.root, "src/new.c"))
    until("renamed_later", 0)
    subprocess.run(["mv", p.root + "/src/deep", p.root + "/src/moved"], check=True)
    p.client.until(lambda: "moved" in str(p.client.ask("workspace/symbol", {"query": "deeper"})))
    p.client.close()


def test_told_changes_need_no_watch():
    p = Project("told")
    path = write_file("told/src/told.c", "int told_of(void) { return 1; }\n")
    p.client.notify("workspace/didCreateFiles", {"files": [{"uri": "file://" + path}]})
    p.client.until(lambda: len(p.client.ask("workspace/symbol", {"query": "told_of"})) == 1)
    os.remove(path)
    p.client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": "file://" + path, "type": 3}]})
    p.client.until(lambda: p.client.ask("workspace/symbol", {"query": "told_of"}) == [])
    p.client.close()


def test_workspace_diagnostic_is_held():
    caps = {"textDocument": {"diagnostic": {}}}
    p = Project("held", caps=caps)
    client, uri = p.client, p.uri("src/main.c")
    held = client.request("workspace/diagnostic", {"previousResultIds": [], "partialResultToken": "part"})
    client.open(uri, "int f(void) { return 1 }\n")
    report = client.note("$/progress", lambda v: v["token"] == "part")["value"]["items"][0]
    assert report["uri"] == uri and report["kind"] == "full" and len(report["items"]) == 1
    client.change(uri, 2, {"text": "int f(void) { return 1; }\n"})
    client.note("$/progress", lambda v: v["value"]["items"][0]["version"] == 2 and v["value"]["items"][0]["items"] == [])
    pulled = client.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    again = client.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}, "previousResultId": pulled["resultId"]})
    assert again == {"kind": "unchanged", "resultId": pulled["resultId"]}
    assert held not in client.answers
    plain = client.request("workspace/diagnostic", {"previousResultIds": [{"uri": uri, "value": pulled["resultId"]}]})
    client.ask("r1ls/status", {})
    assert plain not in client.answers  # nothing new: it waits
    client.change(uri, 3, {"text": "int f(void) { return }\n"})
    assert client.answer(plain)["result"]["items"][0]["version"] == 3
    client.notify("$/cancelRequest", {"id": held})
    assert client.answer(held)["error"]["code"] == -32800
    client.close()


def complete(p, path, text, version=[10]):
    """Labels at the '|' of text, as the open document's new content."""
    version[0] += 1
    at = text.index("|")
    p.client.change(p.uri(path), version[0], {"text": text.replace("|", "")})
    place = {"line": text[:at].count("\n"), "character": at - (text[:at].rfind("\n") + 1)}
    p.client.ask("textDocument/foldingRange", {"textDocument": {"uri": p.uri(path)}})  # it is parsed now
    items = p.client.ask("textDocument/completion", {"textDocument": {"uri": p.uri(path)}, "position": place})["items"]
    assert len({i["label"] for i in items}) == len(items)
    return [i["label"] for i in items]


MEMBERS = {
    "a.h": "struct node { struct node *next; int key; };\ntypedef struct List { struct node *head; int count; } List;\n"
           "typedef struct { int red, green; } Color;\n",
    "sub/b.h": "int in_b;\n",
    "main.c": "#include \"a.h\"\n",
    "pkg/shapes.py": "class Shape:\n    sides = 0\n    def __init__(self):\n        self.area = 1\n"
                     "    def grow(self):\n        self.area = 2\n        return self\n",
    "use.py": "from pkg.shapes import Shape\n",
}


def test_members_and_imports():
    p = Project("members", MEMBERS)
    p.open("main.c")
    body = "#include \"a.h\"\nvoid f(List *l, struct node n, Color c, unknown_t u)\n{\n    %s\n}\n"
    assert complete(p, "main.c", body % "l->|;") == ["head", "count"]
    assert complete(p, "main.c", body % "l->he|;") == ["head"]
    assert complete(p, "main.c", body % "n.|") == ["next", "key"]
    assert complete(p, "main.c", body % "l->head->|") == ["next", "key"]
    assert complete(p, "main.c", body % "l->head[2].next->k|") == ["key"]
    assert complete(p, "main.c", body % "c.|") == ["red", "green"]
    for unknown in ("u.|", "l->count.|", "g()->|", "3.|"):
        assert complete(p, "main.c", body % unknown) == [], unknown
    assert "a.h" in complete(p, "main.c", "#include \"|") and "sub/b.h" in complete(p, "main.c", "#include \"s|")
    assert "while" in complete(p, "main.c", body % "whi|")
    p.open("use.py")
    python = "from pkg.shapes import Shape\ndef f(s: Shape):\n    t = Shape()\n    %s\n"
    members = ["sides", "area", "grow", "__init__"]
    assert complete(p, "use.py", python % "s.|") == members
    assert complete(p, "use.py", python % "t.|") == members
    assert complete(p, "use.py", "import pkg.|") == ["pkg.shapes"]
    p.open("pkg/shapes.py")
    assert complete(p, "pkg/shapes.py", MEMBERS["pkg/shapes.py"] + "    def more(self):\n        self.a|\n") == ["area"]
    p.client.close()


def test_each_has_a_setting():
    p = Project("settings", definition=False, references=False, rename=False, workspaceSymbol=False, signatureHelp=False)
    caps = p.client.initialized["capabilities"]
    for name in ("definition", "declaration", "references", "rename", "workspaceSymbol", "signatureHelp"):
        assert name + "Provider" not in caps, name
    p.open("src/main.c")
    assert p.ask("definition", "call") is None and p.ask("references", "call", context={}) is None
    p.client.close()


run_tests(globals())

"""workspace/willRenameFiles: includes and imports that follow, and those that cannot be proved left alone."""

import os

from driver import Client, FOLDER, run_tests, write_file

count = 0


class Project:
    def __init__(self, files, **options):
        global count
        count += 1
        self.root = os.path.join(FOLDER, "move%d" % count)
        self.texts = files
        for path, text in files.items():
            write_file(os.path.join(self.root, path), text)
        self.client = Client(rootUri="file://" + self.root, options=options)
        self.client.until(lambda: not self.client.ask("r1ls/status", {})["scanning"])

    def move(self, *pairs):
        """{path: text after the edits}, of the files that are edited."""
        edit = self.client.ask("workspace/willRenameFiles", {"files": [
            {"oldUri": "file://%s/%s" % (self.root, old), "newUri": "file://%s/%s" % (self.root, new)} for old, new in pairs]})
        after = {}
        for change in (edit or {}).get("documentChanges", []):
            path = change["textDocument"]["uri"][len("file://" + self.root) + 1:]
            lines = self.texts[path].split("\n")
            for one in sorted(change["edits"], key=lambda e: -e["range"]["start"]["character"]):
                start, end = one["range"]["start"], one["range"]["end"]
                assert start["line"] == end["line"], one
                line = lines[start["line"]]
                lines[start["line"]] = line[:start["character"]] + one["newText"] + line[end["character"]:]
            after[path] = "\n".join(lines)
        return after


def check(found, wanted):
    assert found == wanted, "\nfound  %r\nwanted %r" % (found, wanted)


C = {
    "src/shape.h": "#pragma once\n#include \"base/a.h\"\n", "src/base/a.h": "int a;\n",
    "src/shape.c": "#include \"shape.h\"\n#include <stdio.h>\n#include \"base/a.h\"\n",
    "tests/t.c": "#include \"../src/shape.h\"\n#include \"src/shape.h\"\n// #include \"shape.h\"\nchar *s = \"shape.h\";\n",
    "include/lib/api.h": "int api;\n", "lib.c": "#include <lib/api.h>\n#include \"lib/api.h\"\n",
    "one/twice.h": "int x;\n", "two/twice.h": "int x;\n", "twice.c": "#include \"twice.h\"\n",
}


def test_includes_follow():
    p = Project(C)
    assert p.client.initialized["capabilities"]["workspace"]["fileOperations"]["willRename"]["filters"]
    check(p.move(("src/shape.h", "src/form.h")), {
        "src/shape.c": C["src/shape.c"].replace("shape.h", "form.h"),
        "tests/t.c": C["tests/t.c"].replace("../src/shape.h", "../src/form.h").replace("\"src/shape.h", "\"src/form.h")})
    # Into another folder: what it includes itself is found from there.
    check(p.move(("src/shape.h", "src/base/shape.h"))["src/shape.h"], "#pragma once\n#include \"a.h\"\n")
    # By the search path, below which it must stay.
    check(p.move(("include/lib/api.h", "include/lib/v2/api.h")), {"lib.c": C["lib.c"].replace("lib/api.h", "lib/v2/api.h")})
    check(p.move(("include/lib/api.h", "other/api.h")), {})
    check(p.move(("one/twice.h", "one/once.h")), {})
    # Only what leaves its neighbours has to say so.
    check(p.move(("src/shape.c", "src/shapes.c")), {})
    check(p.move(("src/shape.c", "shape.c")),
          {"src/shape.c": C["src/shape.c"].replace("\"shape.h", "\"src/shape.h").replace("base/a.h", "src/base/a.h")})
    p.client.close()


def test_folders_move_whole():
    p = Project(C)
    check(p.move(("src", "source")), {
        "tests/t.c": C["tests/t.c"].replace("../src/shape.h", "../source/shape.h").replace("\"src/shape.h", "\"source/shape.h")})
    p.client.close()


PYTHON = {
    "pkg/__init__.py": "", "pkg/tools.py": "from . import other\nfrom .other import x\n", "pkg/other.py": "x = 1\n",
    "use.py": "import pkg.other\nimport pkg.other as o\nfrom pkg.other import x\nfrom pkg import other\nfrom pkg import other as p, tools\n",
    "plain.py": "y = 1\n", "main.py": "import plain\nimport sys\nplain.y\n",
}


def test_python():
    p = Project(PYTHON, rename=True)
    check(p.move(("pkg/other.py", "pkg/extra.py")), {
        "pkg/tools.py": "from . import extra as other\nfrom .extra import x\n",
        "use.py": "import pkg.extra\nimport pkg.extra as o\nfrom pkg.extra import x\nfrom pkg import extra as other\nfrom pkg import extra as p, tools\n"})
    # A dotted import is used by its name.
    p = Project({**PYTHON, "use.py": "import pkg.other\nimport pkg.other\nprint(pkg.other.x, 'pkg.other.x', a.pkg.other)\npkg.other.x.pkg.other = 1\n",
                 "hidden.py": "import pkg.other\ndef f(pkg):\n    return pkg.other\n"}, rename=True)
    after = p.move(("pkg/other.py", "pkg/extra.py"))
    check(after["use.py"], "import pkg.extra\nimport pkg.extra\nprint(pkg.extra.x, 'pkg.other.x', a.pkg.other)\npkg.extra.x.pkg.other = 1\n")
    assert "hidden.py" not in after, after
    after = p.move(("pkg", "lib"))  # every use of pkg would be another name's
    assert "use.py" not in after and "hidden.py" not in after, after
    p.client.close()
    p = Project(PYTHON, rename=True)
    check(p.move(("plain.py", "pkg/simple.py")), {"main.py": "import pkg.simple as plain\nimport sys\nplain.y\n"})
    check(p.move(("pkg/other.py", "pkg/not-a-name.py")), {})
    p.client.close()
    # Other servers do it for Python.
    p = Project(PYTHON)
    check(p.move(("pkg/other.py", "pkg/extra.py")), {})
    p.client.close()


GO = {
    "go.mod": "module example.com/m\n\ngo 1.20\n", "util/text/text.go": "package text\n", "util/util.go": "package util\n",
    "main.go": "package main\n\nimport (\n\t\"fmt\"\n\tt \"example.com/m/util/text\"\n\t\"example.com/m/util\"\n)\n",
    "other.go": "package main\n\nimport \"example.org/m/util\"\n",
}


def test_go():
    p = Project(GO, rename=True)
    check(p.move(("util/text", "words")), {"main.go": GO["main.go"].replace("m/util/text", "m/words")})
    check(p.move(("util", "lib")), {"main.go": GO["main.go"].replace("m/util", "m/lib")})
    check(p.move(("util/util.go", "util/more.go")), {})
    check(p.move(("util", "../outside")), {})
    p.client.close()


SCRIPT = {
    "a.js": "import x from './lib/x.js'\nexport * from './lib/x'\nconst y = require(\"./lib/x\")\nconst z = './lib/x'\nimport('react')\n",
    "lib/x.js": "import './y'\n", "lib/y.ts": "export {}\n", "lib/dir/index.js": "", "b.ts": "import d from './lib/dir'\n",
}


def test_scripts():
    p = Project(SCRIPT, rename=True)
    check(p.move(("lib/x.js", "x.js")), {
        "a.js": SCRIPT["a.js"].replace("from './lib/x.js'", "from './x.js'").replace("from './lib/x'", "from './x'")
        .replace("require(\"./lib/x", "require(\"./x"), "lib/x.js": "import './lib/y'\n"})
    check(p.move(("lib/y.ts", "lib/w.ts")), {"lib/x.js": "import './w'\n"})
    check(p.move(("lib/dir", "lib/folder")), {"b.ts": "import d from './lib/folder'\n"})
    p.client.close()


def test_it_can_be_switched_off_and_gets_nonsense():
    p = Project(C, moveFiles=False)
    check(p.move(("src/shape.h", "src/form.h")), {})
    p.client.close()
    p = Project(C)
    check(p.move(("nowhere.h", "else.h"), ("src/shape.h", "src/shape.h")), {})
    assert p.client.ask("workspace/willRenameFiles", {"files": [{"oldUri": "untitled:x", "newUri": 3}, {}, 7]}) is None
    assert p.client.fail("workspace/willRenameFiles", {}) == -32602
    p.client.close()


if __name__ == "__main__":
    run_tests(globals())

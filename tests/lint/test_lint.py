"""Plants one fault per rule into a small tree of its own and expects the rule to name it."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Lint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="r1ls-lint-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "-q", self.root], check=True)

    def lint(self, rule, **files):
        for path, text in files.items():
            out = self.root / path
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text)
        run = subprocess.run([sys.executable, HERE / (rule + ".py")], capture_output=True, text=True,
                             env={**os.environ, "R1LS_LINT_ROOT": str(self.root)})
        return run.returncode, run.stdout + run.stderr

    def expect_back_edge(self, path, line):
        code, out = self.lint("includes", **{path: line + "\n"})
        self.assertEqual((code, path + ":1:" in out), (1, True), out)

    def test_includes_accepts_the_intended_directions(self):
        code, out = self.lint("includes", **{
            "src/base/str.c": '#include "base/str.h"\n#include <string.h>\n',
            "engine/gguf.c": '#include "gguf.h"\n#include "base/error.h"\n', "engine/gguf.h": "",
            "lsp/rpc.c": '#include "jobs.h"\n#include <json-c/json.h>\n',
            "src/main.c": '#include "engine/gguf.h"\n#include "server.h"\n'})
        self.assertEqual(code, 0, out)

    def test_includes_refuses_the_engine_to_the_protocol(self):
        self.expect_back_edge("lsp/rpc.c", '#include "engine/engine.h"')

    def test_includes_refuses_the_engine_by_its_bare_name(self):
        self.expect_back_edge("lsp/rpc.c", '#include "engine.h"')

    def test_includes_refuses_projects_to_the_engine(self):
        self.expect_back_edge("engine/session.c", '#include "workspace/syntax.h"')

    def test_includes_refuses_engine_internals_to_src(self):
        self.expect_back_edge("src/complete.c", '#include "engine/gguf.h"')

    def test_includes_refuses_json_outside_the_protocol(self):
        self.expect_back_edge("src/complete.c", "#include <json-c/json.h>")

    def test_includes_refuses_everything_but_base_to_frame(self):
        self.expect_back_edge("lsp/frame.c", '#include "jobs.h"')

    def test_sizes_names_the_long_function(self):
        body = "    x++;\n" * 61
        code, out = self.lint("sizes", **{"src/a.c": "int grow(int x)\n{\n" + body + "}\n"})
        self.assertEqual((code, "grow has 62 lines" in out), (1, True), out)

    def test_sizes_names_the_long_file(self):
        code, out = self.lint("sizes", **{"src/a.c": "int x;\n" * 801})
        self.assertEqual((code, "src/a.c: 801 lines" in out), (1, True), out)

    def test_headers_finds_one_that_needs_another(self):
        (self.root / "build/grammars-0/node_modules/tree-sitter/vendor/tree-sitter/lib/include").mkdir(parents=True)
        code, out = self.lint("headers", **{".gitignore": "/build/\n", "src/a.h": "#pragma once\nsize_t f(void);\n"})
        self.assertEqual((code, "src/a.h does not compile alone" in out), (1, True), out)


if __name__ == "__main__":
    unittest.main()

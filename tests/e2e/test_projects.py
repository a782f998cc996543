#!/usr/bin/env python3
"""`test_projects.py R1LS`: the build and the tests that a project has of its own are found and run in a copy."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BINARY = os.path.abspath(sys.argv.pop(1))
STATE = tempfile.TemporaryDirectory(prefix="r1ls-state-")
os.environ["XDG_STATE_HOME"] = STATE.name  # nothing is trusted but by a test
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
BWRAP = subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]).returncode == 0
SANDBOX = "bwrap" if BWRAP else "rlimits"
print("sandbox:", SANDBOX)

C = "int larger(int a, int b);\nint larger(int a, int b)\n{\n    return a > b ? a : b;\n}\n"
C_TEST = ('#include <assert.h>\nint larger(int a, int b);\nint main(void)\n{\n    assert(larger(3, 4) == 4);\n'
          '    assert(larger(5, 2) == 5);\n    return 0;\n}\n')
PY = "def larger(a, b):\n    return a if a > b else b\n"
GO = "package m\n\nfunc Larger(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}\n"
RUST = "pub fn larger(a: i32, b: i32) -> i32 {\n    if a > b {\n        a\n    } else {\n        b\n    }\n}\n"
JS = "function larger(a, b) {\n    return a > b ? a : b;\n}\nmodule.exports = { larger };\n"
# name: program that has to be there, files, file and line of the function, words of the command, of the reason
PROJECTS = {
    "make": ("make", {"a.c": C, "t.c": C_TEST, "Makefile": "test: suite\n\t./suite\nsuite: a.c t.c\n\tcc -o $@ $^\n"},
             "a.c:2", "make -s test", "target 'test'"),
    "cmake": ("cmake", {"a.c": C, "t.c": C_TEST, "CMakeLists.txt":
                        "cmake_minimum_required(VERSION 3.16)\nproject(x C)\nenable_testing()\n"
                        "add_executable(t a.c t.c)\nadd_test(NAME t COMMAND t)\n"},
              "a.c:2", "ctest --test-dir .r1ls-build", "enables tests"),
    "meson": ("meson", {"a.c": C, "t.c": C_TEST, "meson.build":
                        "project('x', 'c')\ntest('t', executable('t', 'a.c', 't.c'))\n"},
              "a.c:2", "meson test", "meson.build has tests"),
    "unittest": ("python3", {"a.py": PY, "tests/test_a.py":
                             "import unittest\nfrom a import larger\n\n\nclass T(unittest.TestCase):\n"
                             "    def test_it(self):\n        self.assertEqual(larger(3, 4), 4)\n"
                             "        self.assertEqual(larger(5, 2), 5)\n"},
                 "a.py:1", "unittest discover -s tests", "for unittest"),
    "pytest": ("pytest", {"a.py": PY, "test_a.py":
                          "from a import larger\n\n\ndef test_it():\n    assert larger(3, 4) == 4\n    assert larger(5, 2) == 5\n"},
               "a.py:1", "python3 -m pytest", "for pytest"),
    "node": ("node", {"a.js": JS, "package.json": "{}", "a.test.js":
                      "const test = require('node:test');\nconst assert = require('assert');\n"
                      "const { larger } = require('./a.js');\ntest('t', () => {\n    assert.equal(larger(3, 4), 4);\n"
                      "    assert.equal(larger(5, 2), 5);\n});\n"},
             "a.js:1", "node --test", "uses node:test"),
    "npm": ("npm", {"a.js": JS, "package.json": '{"scripts": {"test": "node t.js"}}', "t.js":
                    "const assert = require('assert');\nconst { larger } = require('./a.js');\n"
                    "assert.equal(larger(3, 4), 4);\nassert.equal(larger(5, 2), 5);\n"},
            "a.js:1", "npm test", "has the script 'test': node t.js"),
    "go": ("go", {"a.go": GO, "go.mod": "module m\n\ngo 1.19\n", "a_test.go":
                  "package m\n\nimport \"testing\"\n\nfunc TestLarger(t *testing.T) {\n\tif Larger(3, 4) != 4 || Larger(5, 2) != 5 {\n"
                  "\t\tt.Errorf(\"Larger(3, 4) is %d\", Larger(3, 4))\n\t}\n}\n"},
           "a.go:3", "go test ./...", "_test.go"),
    "cargo": ("cargo", {"src/lib.rs": RUST + "\n#[test]\nfn t() {\n    assert_eq!(larger(3, 4), 4);\n    assert_eq!(larger(5, 2), 5);\n}\n",
                        "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n'},
              "src/lib.rs:1", "cargo test", "#[test]"),
}
SLOW = {"go", "cargo", "meson"}


class Projects(unittest.TestCase):
    def make(self, files):
        folder = os.path.realpath(tempfile.mkdtemp(prefix="r1ls-project-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        return folder

    def tree(self, folder):
        return sorted(os.path.join(d, f) for d, _, names in os.walk(folder) for f in names)

    def run_task(self, folder, command, place, *more, trust=True, code=None):
        words = [BINARY, command, os.path.join(folder, place), "--root", folder, "--json", "--set", "proposers=mutant",
                 "--set", "sandbox=" + SANDBOX, "--threads", "1", *more] + (["--trust"] if trust else [])
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=200)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr.decode()

    def doctor(self, folder, *more):
        done = subprocess.run([BINARY, "doctor", "--json", "--root", folder, *more], stdout=subprocess.PIPE, timeout=100)
        return json.loads(done.stdout)["project"]

    def check(self, name):
        program, files, place, command, reason = PROJECTS[name]
        if not shutil.which(program):
            self.skipTest("no " + program)
        if name in SLOW and not os.environ.get("R1LS_SLOW"):
            self.skipTest("set R1LS_SLOW: %s builds for long" % name)
        folder = self.make(files)
        before = self.tree(folder)
        path = os.path.join(folder, place.split(":")[0])
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace("a > b", "a < b"))
        answer = self.run_task(folder, "debug", place, "--budget", "180000", code=0)
        self.assertIn(command, answer["test_command"])
        self.assertIn(reason, answer["test_reason"])
        self.assertTrue(answer["baseline"])
        self.assertIn(answer["level"], ("tested", "sanitized", "proved"), answer["summary"])
        self.assertEqual(self.tree(folder), before)

    def test_output_tells_what_to_repair(self):
        files = dict(PROJECTS["unittest"][1], **{"a.py": PY.replace(">", "<")})
        folder = self.make(files)
        made = subprocess.run([sys.executable, "-m", "unittest", "discover", "-s", "tests"], cwd=folder,
                              env=dict(os.environ, PYTHONPATH=folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        words = [BINARY, "debug", "--from-output", "-", "--root", folder, "--json", "--trust", "--apply", "--set",
                 "proposers=mutant", "--set", "sandbox=" + SANDBOX]
        done = subprocess.run(words, input=made.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100)
        self.assertEqual((done.returncode, json.loads(done.stdout)["level"]), (0, "tested"), done.stderr)
        self.assertIn(b"tests/test_a.py:7: Python: AssertionError: 3 != 4", done.stderr)
        with open(os.path.join(folder, "a.py")) as f:
            self.assertNotEqual(f.read(), files["a.py"])
        done = subprocess.run(words, input=b"all is well\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100)
        self.assertEqual(done.returncode, 1)

    def test_nothing_is_read_without_trust(self):
        folder = self.make(PROJECTS["make"][1])
        self.assertIn("not trusted", self.run_task(folder, "test", "a.c:2", trust=False, code=2))
        self.assertIn("not trusted", self.doctor(folder)["reason"])
        self.assertEqual(self.doctor(folder, "--trust")["tests"], "make -s test")

    def test_a_build_judges_where_there_are_no_tests(self):
        files = {"a.c": C, "b.c": "int larger(int, int);\nint main(void)\n{\n    return larger(1, 2);\n}\n",
                 "Makefile": "prog: a.c b.c\n\tcc -o $@ $^\n"}
        folder = self.make(files)
        answer = self.run_task(folder, "debug", "a.c:2", "--budget", "1500")
        self.assertEqual(answer["test_command"], "make -s")
        with open(os.path.join(folder, "b.c"), "a") as f:  # only the whole build shows it
            f.write("int missing(void);\nint other(void)\n{\n    return missing();\n}\n")
        answer = self.run_task(folder, "debug", "a.c:2", "--budget", "6000", code=1)
        self.assertIn("missing", answer["baseline"])

    @unittest.skipUnless(BWRAP and shutil.which("cmake"), "no bubblewrap or no cmake")
    def test_a_build_folder_is_used_and_left_alone(self):
        folder = self.make(PROJECTS["cmake"][1])
        for words in (["cmake", "-S", folder, "-B", folder + "/build"], ["cmake", "--build", folder + "/build"]):
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        stamps = {path: os.stat(path).st_mtime_ns for path in self.tree(folder)}
        answer = self.run_task(folder, "test", "a.c:2", "--budget", "5000", code=0)
        self.assertIn("cmake --build build -j 2 && ctest --test-dir build ", answer["test_command"])
        self.assertGreater(answer["noticed"], 0)
        self.assertEqual(stamps, {path: os.stat(path).st_mtime_ns for path in self.tree(folder)})

    def test_the_nearest_folder_counts_where_the_root_has_none(self):
        files = {"sub/it's/" + name: text for name, text in PROJECTS["make"][1].items()}
        answer = self.run_task(self.make(files), "test", "sub/it's/a.c:2", "--budget", "5000", code=0)
        self.assertIn("in sub/it's: Makefile", answer["test_reason"])
        self.assertGreater(answer["noticed"], 0)

    def test_what_is_found_can_be_refused(self):
        folder = self.make(PROJECTS["make"][1])
        self.assertIn("findTests is off", self.run_task(folder, "test", "a.c:2", "--set", "findTests=false", code=2))


for key in PROJECTS:
    setattr(Projects, "test_" + key, lambda self, key=key: self.check(key))

unittest.main()

#!/usr/bin/env python3
"""`test_check.py R1LS`: r1ls check as CI runs it: the compiler in trusted folders, --since in a hostile repository, --fix,
budgets, threads, a project's configuration."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BINARY = os.path.abspath(sys.argv.pop(1))
ROOT = pathlib.Path(__file__).resolve().parents[2]
BROKEN, WHOLE = "int f(void)\n{\n    return 1\n}\n", "int f(void)\n{\n    return 1;\n}\n"
UNDECLARED = "int g(void)\n{\n\treturn b;\n}\n"


class Check(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="check-test-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.environ["XDG_STATE_HOME"] = str(self.dir / "state")
        self.project = self.dir / "project"
        self.project.mkdir()

    def write(self, name, text):
        path = self.project / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    def check(self, *words, code=None):
        done = subprocess.run([BINARY, "check", ".", *words], cwd=self.project, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120, encoding="utf-8")
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code is not None else done

    def git(self, *words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=self.project, check=True,
                       stdout=subprocess.DEVNULL)

    # --- the compiler

    def test_the_compiler_is_asked_where_the_folder_is_trusted(self):
        self.write("a.c", UNDECLARED)
        self.write("b.c", '#include "missing.h"\n')
        self.write("c.py", "x = 1\nreturn x\n")
        self.assertEqual(self.check(code=0), "")
        found = self.check("--trust", code=1)
        self.assertIn("./a.c:3:9: error: ‘b’ undeclared", found)
        self.assertIn("./b.c:1:10: error: missing.h: No such file or directory", found)
        self.assertIn("./c.py:2:1: error: 'return' outside function", found)
        findings = json.loads(self.check("--trust", "--json", code=1))["findings"]
        self.assertEqual({f["rule"] for f in findings if f["file"] != "./none"}, {"compiler"})
        # Trust that the user has given once counts too.
        subprocess.run([BINARY, "trust", str(self.project)], check=True)
        self.assertEqual(self.check(code=1), found)

    def test_a_database_cannot_name_a_program(self):
        self.write("a.c", UNDECLARED)
        marks = [str(self.dir / name) for name in ("ran1", "ran2")]
        self.write("evil.sh", "#!/bin/sh\ntouch %s\n" % marks[0]).chmod(0o755)
        self.write("compile_commands.json", json.dumps([
            {"directory": str(self.project), "file": "a.c", "command": str(self.project / "evil.sh") + " a.c"},
            {"directory": str(self.project), "file": "a.c", "command": "cc -fplugin=./evil.so -wrapper ./evil.sh a.c; touch " + marks[1]}]))
        self.check("--trust")
        self.assertFalse(any(map(os.path.exists, marks)))

    # --- the same bytes

    def test_threads_do_not_matter(self):
        for i in range(40):
            self.write("d%d/a.c" % (i % 7), BROKEN)
            self.write("d%d/f%d.c" % (i % 7, i), BROKEN + UNDECLARED.replace("g", "g%d" % i))
        for words in ([], ["--trust", "--format", "sarif"], ["--format", "junit"]):
            answers = {self.check(*words, "--threads", n, code=1) for n in ("1", "2", "7", "0")}
            self.assertEqual(len(answers), 1)

    def test_what_was_not_reached_is_a_failure(self):
        for i in range(5):
            self.write("f%d.c" % i, WHOLE)
        done = self.check("--budget", "0.000001")
        self.assertEqual(done.returncode, 3)
        self.assertIn("not checked: the time given by --budget was over", done.stderr)
        self.check("--budget", "600", code=0)
        for wrong in ("-1", "x", ""):
            self.assertEqual(self.check("--budget", wrong).returncode, 2)

    # --- since

    def test_only_changed_lines_count(self):
        old = self.write("old.c", BROKEN)
        self.write("same, \"odd\" é.c", BROKEN)
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "one")
        self.assertEqual(self.check("--since", "HEAD", code=0), "")
        old.write_text(BROKEN + "\n" + BROKEN.replace("f", "g"))
        self.write("new.c", BROKEN)
        found = self.check("--since", "HEAD", code=1).splitlines()
        self.assertEqual([line.split(": ")[0] for line in found], ["./new.c:3:12", "./old.c:8:12"])
        self.git("add", "-A")
        self.git("commit", "-qm", "two")
        self.assertEqual(self.check("--since", "HEAD~1", code=1).splitlines(), found)
        self.write("same, \"odd\" é.c", BROKEN.replace("1", "2"))
        self.assertEqual(len(self.check("--since", "HEAD", code=1).splitlines()), 1)
        # A linked working tree has a file in the place of .git.
        self.git("worktree", "add", "-q", str(self.dir / "linked"))
        self.project = self.dir / "linked"
        self.assertEqual(self.check("--since", "HEAD~1", code=1).splitlines(), found)
        for ref in ("nothing", "--output=x", "HEAD~99", ""):
            self.assertEqual(self.check("--since", ref).returncode, 2, ref)

    def test_a_hostile_repository_runs_nothing(self):
        mark = self.dir / "ran"
        evil = self.write("evil.sh", "#!/bin/sh\ntouch %s\ncat\n" % mark)
        evil.chmod(0o755)
        self.write("a.c", BROKEN)
        self.write(".gitattributes", "* filter=x diff=x\n")
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "one")
        for key in ("filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.command", "diff.x.textconv",
                    "diff.external", "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.alternateRefsCommand"):
            self.git("config", key, str(evil))
        self.git("config", "core.hooksPath", str(self.project))
        self.git("config", "alias.diff-files", "!" + str(evil))
        os.symlink("evil.sh", self.project / "post-index-change")
        with open(self.project / ".git/config", "a") as f:
            f.write("[include]\n\tpath = %s\n" % self.write("more", "[core]\n\tfsmonitor = %s\n" % evil))
        self.write("a.c", BROKEN + "\n")
        self.write("b.c", BROKEN)
        self.assertEqual(len(self.check("--since", "HEAD", code=1).splitlines()), 1)
        self.assertFalse(mark.exists(), "a program of the repository was executed")

    # --- fixes

    def test_what_is_missing_is_inserted(self):
        a, b = self.write("a.c", BROKEN), self.write("b.c", BROKEN + BROKEN.replace("f", "h"))
        a.chmod(0o640)
        c = self.write("c.c", "int = 1;\n")
        done = self.check("--fix")
        self.assertEqual((done.returncode, done.stdout.count("\n")), (1, 1), done.stdout)  # c.c is left
        self.assertEqual((a.read_text(), a.stat().st_mode & 0o777), (WHOLE, 0o640))
        self.assertEqual(b.read_text(), WHOLE + WHOLE.replace("f", "h"))
        self.assertEqual(c.read_text(), "int = 1;\n")
        self.assertIn("b.c: 2 fixed", done.stderr)
        self.assertEqual(sorted(p.name for p in self.project.iterdir()), ["a.c", "b.c", "c.c"])

    def test_verified_fixes_compile(self):
        good, bad = self.write("a.c", BROKEN), self.write("b.c", BROKEN.replace("1", "b"))
        self.check("--fix=verified")
        self.assertEqual(good.read_text(), BROKEN)  # nobody may compile it
        self.check("--fix=verified", "--trust")
        self.assertEqual(good.read_text(), WHOLE)
        self.assertEqual(bad.read_text(), BROKEN.replace("1", "b"))
        self.assertEqual(self.check("--fix=quickly").returncode, 2)

    def test_fixes_say_what_is_known_of_them(self):
        self.write("a.c", BROKEN)
        for words, evidence in (([], "parses"), (["--trust"], "compiles")):
            result = json.loads(self.check("--format", "sarif", *words, code=1))["runs"][0]["results"][0]
            fix = result["fixes"][0]
            self.assertEqual(fix["properties"]["evidence"], evidence)
            replacement = fix["artifactChanges"][0]["replacements"][0]
            self.assertEqual(replacement["insertedContent"]["text"], ";")
            self.assertEqual(replacement["deletedRegion"], {"startLine": 3, "startColumn": 13, "endLine": 3, "endColumn": 13})

    # --- the project's configuration

    def test_a_project_says_what_counts(self):
        self.write("a.c", BROKEN)
        self.write("gen/b.c", BROKEN)
        config = {"ignore": ["gen/**"], "rules": {"syntax": "warning"}}
        self.write(".r1ls.json", json.dumps(config))
        self.assertIn("./a.c:3:12: warning: missing ';'\n", self.check(code=1))
        self.assertIn("::warning file=a.c", self.check("--format", "github", code=1))
        self.check("--severity", "error", code=0)
        self.assertEqual(self.check("--severity", "fatal").returncode, 2)
        self.write(".r1ls.json", json.dumps({**config, "rules": {"syntax": "off"}}))
        self.assertEqual(self.check(code=0), "")
        done = self.check("--config", str(self.write("other.json", '{"rules": {"syntax": "loud"}}')))
        self.assertEqual(done.returncode, 2)
        self.assertIn('rules.syntax is "loud", wanted "off", "error", "warning"', done.stderr)

    def test_the_schema_is_the_program_s(self):
        printed = subprocess.run([BINARY, "schema"], stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout
        self.assertEqual(printed, (ROOT / "editors/r1ls.schema.json").read_text(),
                         "editors/r1ls.schema.json is old: r1ls schema > editors/r1ls.schema.json")
        schema = json.loads(printed)
        for key, value in schema["properties"]["options"]["properties"].items():
            self.write(".r1ls.json", json.dumps({"options": {key: value["default"]}}))
            self.check("--trust", code=0)  # each takes its default
        for forbidden in ("trusted", "sandbox", "model"):
            self.assertNotIn(forbidden, schema["properties"]["options"]["properties"])


unittest.main()

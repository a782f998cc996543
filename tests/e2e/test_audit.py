#!/usr/bin/env python3
"""`test_audit.py R1LS`: records of real runs are verified, replayed to the same tokens and the same verdicts, and say
what differs where something has changed."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BINARY = os.path.abspath(sys.argv.pop(1))
SANDBOX = "bwrap" if subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]).returncode == 0 else "rlimits"
print("sandbox:", SANDBOX)
BUGGY = "int larger(int a, int b)\n{\n    return a < b ? a : b;\n}\n"
TEST = '#include "a.c"\nint main(void)\n{\n    return larger(3, 4) == 4 && larger(5, 2) == 5 ? 0 : 1;\n}\n'


class Audit(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="audit-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.environ["XDG_STATE_HOME"] = os.path.join(self.dir, "state")
        self.log = os.path.join(self.dir, "state/r1ls/audit/log")
        self.project = os.path.join(self.dir, "project")
        os.mkdir(self.project)
        self.write("a.c", BUGGY)
        self.write("test.c", TEST)

    def write(self, name, text):
        with open(os.path.join(self.project, name), "w") as f:
            f.write(text)

    def run_program(self, *words):
        done = subprocess.run([BINARY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, encoding="utf-8")
        return done.returncode, done.stdout, done.stderr

    def debug(self, *more):
        """Samples and small changes: one of the latter repairs it."""
        code, out, err = self.run_program(
            "debug", self.project + "/a.c:1", "--root", self.project, "--trust", "--cmd", "cc -o suite test.c && ./suite",
            "--set", "proposers=sample,mutant", "--set", "sandbox=" + SANDBOX, "--set", "answerTokens=40",
            "--threads", "1", "--json", *more)
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def test_a_run_is_replayed(self):
        done = self.debug("--apply")
        self.assertEqual(done["audit"]["record"], 1)
        code, out, err = self.run_program("audit", "list")
        self.assertEqual((code, out.split()[0], "found" in out), (0, "1", True), err)
        code, out, _ = self.run_program("audit", "show", "--json")
        run = json.loads(out)["run"]
        self.assertEqual([c["verdict"] for c in run["candidates"]], [c["verdict"] for c in done["candidates"]])
        self.assertTrue(run["samples"] and run["prompts"][0]["text"])
        code, out, err = self.run_program("audit", "replay", "--trust", "--json", "--threads", "1")
        again = json.loads(out)
        self.assertEqual(code, 0, again)
        self.assertEqual(again["samples"], len(run["samples"]))
        # Others were known already, or not waited for.
        judged = [c for c in run["candidates"] if "skipped" not in (c["parse"]["verdict"], c["verdict"])]
        self.assertEqual(again["verdicts"], len(judged) + 1)  # and that of the text as it was
        # The run repaired the file and the project says so; the recorded text is what is judged.
        self.assertIn("a.c has changed", again["differences"])
        # Small changes alone, most of which fail, whatever the model writes.
        self.write("a.c", BUGGY)
        self.debug("--set", "proposers=mutant")
        code, out, err = self.run_program("audit", "replay", "--trust", "--json", "--threads", "1")
        self.assertEqual(code, 0, out)
        self.assertGreater(json.loads(out)["verdicts"], 5)
        # Another result of the tests is told.
        self.write("test.c", TEST.replace("== 5", "== 6"))
        code, out, _ = self.run_program("audit", "replay", "1", "--trust", "--only", "verdicts")
        self.assertEqual(code, 1, out)
        self.assertIn("testing is fail, recorded is pass", out)
        # Nothing is executed where nobody trusts the folder.
        code, out, _ = self.run_program("audit", "replay", "--only", "verdicts")
        self.assertEqual(code, 1)
        self.assertIn("not trusted now", out)

    def test_changes_are_named(self):
        for _ in range(2):
            head = self.debug()["audit"]["hash"]
        self.assertEqual(self.run_program("audit", "verify", "--head", head)[0], 0)
        with open(self.log, "rb") as f:
            log = f.read()
        at = log.index(b'"seed":') + len(b'"seed":')
        with open(self.log, "wb") as f:
            f.write(log[:at] + bytes([log[at] ^ 1]) + log[at + 1:])
        code, out, _ = self.run_program("audit", "verify")
        self.assertEqual(code, 1)
        self.assertIn("record 1: it was changed", out)
        with open(self.log, "wb") as f:
            f.write(log[:log.index(b"\n") + 1])
        code, out, _ = self.run_program("audit", "verify")
        self.assertIn("record 2: it is missing at the end", out)

    def test_samples_that_differ_are_told(self):
        self.debug("--set", "auditPrompts=hash", "--seed", "7")
        code, out, _ = self.run_program("audit", "replay", "--trust", "--threads", "1")
        self.assertEqual(code, 1)
        self.assertIn("of its prompt only the hash was kept", out)

    def test_off_and_unwritable(self):
        self.assertIsNone(self.debug("--set", "audit=off")["audit"])
        self.assertFalse(os.path.exists(self.log))
        os.environ["XDG_STATE_HOME"] = os.path.join(self.project, "a.c")  # a file where a folder is wanted
        self.assertIsNone(self.debug()["audit"])  # the run counts all the same
        self.assertEqual(self.run_program("audit", "verify")[0], 3)
        for words in (["audit"], ["audit", "burn"], ["audit", "show", "x"], ["audit", "show", "0"], ["audit", "list", "3"]):
            self.assertEqual(self.run_program(*words)[0], 2, words)


unittest.main()

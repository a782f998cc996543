#!/usr/bin/env python3
"""`test_loop.py R1LS`: r1ls debug on a real project: it repairs, it can be stopped at any moment without leaving a
process, a file or a changed source, and a kill during --apply leaves the old file or the new one."""
import glob
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

BINARY = os.path.abspath(sys.argv.pop(1))
STATE = tempfile.TemporaryDirectory()
os.environ["XDG_STATE_HOME"] = STATE.name  # nothing is trusted but by a test
BUGGY = "int larger(int a, int b)\n{\n    return a < b ? a : b;\n}\n"
TEST = ('#include <stdio.h>\n#include "a.c"\nint main(void)\n{\n    if (larger(3, 4) == 4 && larger(5, 2) == 5) return 0;\n'
        '    printf("test.c:5: FAILED: larger(3, 4) is %d, wanted 4\\n", larger(3, 4));\n    return 1;\n}\n')
# Where bubblewrap cannot work, as in some containers, the loop is tested without it.
SANDBOX = "bwrap" if subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]).returncode == 0 else "rlimits"
print("sandbox:", SANDBOX)
COMMAND = "cc -o suite test.c && ./suite"


class Loop(unittest.TestCase):
    def setUp(self):
        self.mark = uuid.uuid4().hex
        self.dir = tempfile.mkdtemp(prefix="loop-test-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.path = os.path.join(self.dir, "a.c")
        for name, text in (("a.c", BUGGY), ("test.c", TEST), ("mark-" + self.mark, "")):
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(text)

    def words(self, *more):
        return [BINARY, "debug", self.path + ":1", "--root", self.dir, "--trust", "--cmd",
                "%s # %s" % (COMMAND, self.mark), "--set", "proposers=mutant", "--set", "sandbox=" + SANDBOX, "--threads", "1", *more]

    def source(self):
        with open(self.path) as f:
            return f.read()

    def passes(self):
        return subprocess.run(COMMAND, shell=True, cwd=self.dir, stdout=subprocess.DEVNULL).returncode == 0

    def leftovers(self):
        """Scratch copies of this project, and processes of its test command."""
        left = glob.glob("/tmp/r1ls-scratch-*/mark-" + self.mark)
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as f:
                    if self.mark.encode() in f.read():
                        left.append(path)
            except OSError:
                pass
        return left

    def test_repairs_what_the_tests_show(self):
        done = subprocess.run(self.words("--json", "--apply"), stdout=subprocess.PIPE, timeout=120)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, answer["summary"])
        self.assertTrue(answer["found"] and answer["verified"] and answer["applied"])
        self.assertIn("larger(3, 4) is 3, wanted 4", answer["baseline"])
        chosen = answer["candidates"][answer["chosen"]]
        self.assertEqual((chosen["verdict"], chosen["tests"]), ("pass", "pass"))
        self.assertTrue(self.passes())
        self.assertEqual(sorted(os.listdir(self.dir)), ["a.c", "mark-" + self.mark, "suite", "test.c"])
        self.assertEqual(self.leftovers(), [])

    def test_untrusted_projects_are_not_run(self):
        words = [w for w in self.words("--json") if w != "--trust"]
        words[words.index("--cmd") + 1] = "touch " + os.path.join(self.dir, "ran")
        done = subprocess.run(words, stdout=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(json.loads(done.stdout)["verified"])
        self.assertFalse(os.path.exists(os.path.join(self.dir, "ran")))

    def test_tests_are_run_and_tested(self):
        words = self.words("--json")
        words[1] = "test"
        done = subprocess.run(words, stdout=subprocess.PIPE, timeout=120)
        self.assertEqual((done.returncode, json.loads(done.stdout)["tests_pass"]), (1, False))
        with open(self.path, "w") as f:
            f.write(BUGGY.replace("<", ">"))
        done = subprocess.run(words, stdout=subprocess.PIPE, timeout=120)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, answer["summary"])
        # One change at least goes unnoticed: ">=" returns the same number.
        self.assertTrue(answer["tests_pass"] and 5 < answer["noticed"] < answer["changes"], answer["summary"])
        self.assertIn("of larger; not the one of '>' to '>='", answer["summary"])
        words = [w for w in words if w != "--trust"]
        self.assertEqual(subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode, 2)

    def test_a_stop_at_any_moment_leaves_nothing(self):
        moments = random.Random(1)
        for _ in range(25):
            wait = moments.uniform(0.02, 1.0)
            with self.subTest(wait=wait):
                run = subprocess.Popen(self.words("--json"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(wait)
                run.send_signal(signal.SIGTERM)
                run.wait(timeout=30)
                self.assertEqual(self.leftovers(), [])
                self.assertEqual(self.source(), BUGGY)

    def test_a_kill_leaves_the_old_file_or_the_new_one(self):
        start = time.monotonic()
        subprocess.run(self.words("--json", "--apply"), stdout=subprocess.DEVNULL, timeout=120)
        whole, moments = time.monotonic() - start, random.Random(2)
        for _ in range(5):
            with open(self.path, "w") as f:
                f.write(BUGGY)
            run = subprocess.Popen(self.words("--json", "--apply"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.8 * whole, 1.05 * whole))
            run.kill()
            run.wait()
            self.assertTrue(self.source() == BUGGY or self.passes(), self.source())
            for path in glob.glob("/tmp/r1ls-scratch-*/mark-" + self.mark):  # a kill cannot be cleaned up after
                shutil.rmtree(os.path.dirname(path))

    def run_build_file(self, rules, *more):
        """What the loop says of `make test` with these rules, and the seconds that it took."""
        with open(os.path.join(self.dir, "Makefile"), "w") as f:
            f.write("test:\n" + "".join("\t%s\n" % rule for rule in rules))
        words = self.words("--json", "--task", "run-tests", *more)
        words[1] = "test"
        words[words.index("--cmd") + 1] = "make test # " + self.mark
        start = time.monotonic()
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              env=dict(os.environ, HOME=self.home, GITHUB_TOKEN="SECRET-TOKEN"))
        return done.stdout.decode() + done.stderr.decode(), time.monotonic() - start

    @unittest.skipIf(SANDBOX != "bwrap", "bubblewrap does not work here")
    def test_a_hostile_build_file_gets_nothing(self):
        self.home = tempfile.mkdtemp(prefix="loop-home-", dir=os.getcwd())
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        victim, key = os.path.join(self.home, "victim"), os.path.join(self.home, "id_rsa")
        for path, text in ((victim, "old"), (key, "SECRET-KEY")):
            with open(path, "w") as f:
                f.write(text)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        # Each line that succeeds would print GOT, and none may; the last one fails, so that all is told.
        said, _ = self.run_build_file([
            "-@bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d' 2>/dev/null && echo FAILED: GOT a socket" % port,
            "-@echo new > %s; echo new > %s" % (victim, self.path),
            "-@cat %s; cat ~/id_rsa; env | grep SECRET" % key,
            "-@setsid sh -c 'sleep 86399 # %s' </dev/null >/dev/null 2>&1 &" % self.mark,
            "@echo FAILED: the end was reached; false"])
        self.assertIn("the end was reached", said)
        self.assertNotIn("GOT", said)
        self.assertNotIn("SECRET", said)
        with open(victim) as f:
            self.assertEqual(f.read(), "old")
        self.assertEqual(self.source(), BUGGY)
        self.wait_for_nothing()

    @unittest.skipIf(SANDBOX != "bwrap", "bubblewrap does not work here")
    def test_a_build_file_without_end_is_ended(self):
        self.home = self.dir
        for rule in ("sleep 86399 # " + self.mark,
                     "bash -c 'b() { b | b & sleep 0.2; }; b; sleep 86399 # %s'" % self.mark):
            said, seconds = self.run_build_file([rule], "--budget", "2000")
            self.assertLess(seconds, 60, said)
            self.wait_for_nothing()

    def wait_for_nothing(self):
        end = time.monotonic() + 20
        while self.leftovers() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.leftovers(), [])


unittest.main()

"""The commands of the built program on real files: output, JSON, exit codes.

Usage: test_cli.py R1LS_BINARY [unittest options]. Needs the Python standard library only.
"""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import xml.etree.ElementTree

BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "r1ls"
STATE = tempfile.TemporaryDirectory()
os.environ["XDG_STATE_HOME"] = STATE.name  # nothing is trusted but by a test
SOURCE = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = json.loads((SOURCE / "tests/golden/r1ls-mini.json").read_text())
MODEL = SOURCE / "engine/models/r1ls-mini.gguf"

GOOD_C = """#include <stdio.h>

/* Returns the larger of a and b. */
static int max_int(int a, int b)
{
}

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        printf("%s\\n", argv[i]);
    }
    return max_int(argc, 2);
}
"""
GOOD_PY = '''def add(a, b):
    """Returns the sum of a and b."""


print(add(1, 2))
'''


def run(*args, stdin=b"", env=None, cwd=None):
    """Exit code, stdout and stderr of the program."""
    done = subprocess.run([BINARY, *map(str, args)], input=stdin, capture_output=True, timeout=300,
                          env={**os.environ, **(env or {})}, cwd=cwd)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="r1ls-test-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run_json(self, *args, code=0, stdin=b"", cwd=None):
        rc, out, err = run(*args, "--json", stdin=stdin, cwd=cwd)
        self.assertEqual(rc, code, err)
        return json.loads(out)

    def expect(self, code, text, *args, **more):
        """The exit code, and text in what was printed on stderr."""
        rc, _, err = run(*args, **more)
        self.assertEqual(rc, code, err)
        self.assertIn(text, err)


class Usage(Case):
    def test_help_of_every_command(self):
        for words in (["complete"], ["check"], ["generate"], ["prove"], ["surprise"], ["trust"], ["doctor"], ["model"], ["engine"], [],
                      *(["engine", a] for a in ("tokenize", "generate", "chat", "score", "bench"))):
            rc, out, _ = run(*words, "--help")
            self.assertEqual(rc, 0, words)
            self.assertTrue(out.startswith(b"usage: r1ls"), words)

    def test_version(self):
        rc, out, _ = run("--version")
        self.assertEqual(rc, 0)
        self.assertRegex(out.decode(), r"^r1ls \d+\.\d+\.\d+\n$")

    def test_wrong_command_lines_exit_2(self):
        for words, text in ((["nonsense"], "'nonsense'"), (["--nonsense"], "'--nonsense'"),
                            (["check"], "missing"), (["check", "--what", "x"], "'--what'"),
                            (["check", "--json=1", "x"], "no value"),
                            (["complete", "a.c"], "FILE:LINE:COL"),
                            (["complete", "a.c:0:1"], "FILE:LINE:COL"),
                            (["complete", "a.c:1:99999999999999999999"], "FILE:LINE:COL"),
                            (["complete", "a.c:1:1", "--threads"], "wants a value"),
                            (["complete", "a.c:1:1", "--threads", "999"], "0 to 256"),
                            (["complete", "a.c:1:1", "--set", "gate"], "KEY=VALUE"),
                            (["complete", "a.c:1:1", "--set", "gate=7"], "-1 to 1"),
                            (["generate", "a.c:1", "b.c:1"], "'b.c:1'"),
                            (["prove", "a.c"], "FILE:LINE"), (["prove", "a.c:1", "--unwind", "0"], "1 to 256"),
                            (["surprise", "a.c"], "FILE:LINE"), (["surprise", "a.c:1", "--margin", "x"], "surprise"),
                            (["engine"], "no action"), (["engine", "dance", "m"], "unexpected"),
                            (["engine", "generate", "m", "-n", "x"], "'x'"),
                            (["model", "show", "m"], "'show'"), (["--log", "loud"], "'loud'"),
                            (["--stdio", "--socket", "/tmp/x"], "one of them"),
                            (["--model", "/nowhere/m.gguf"], "/nowhere/m.gguf")):
            with self.subTest(words=words):
                self.expect(2, text, *words)

    def test_unwritable_output_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "--version"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"standard output", done.stderr)


class Surprise(Case):
    SWAPPED = ("int copy(char *out, const char *name, int n)\n{\n    for (int i = 0; i < n; n++)\n"
               "        out[i] = name[i];\n    return n;\n}\n\nint g(void)\n{\n    return 0;\n}\n")

    def test_a_counter_that_does_not_count(self):
        path = self.write("a.c", self.SWAPPED)
        rc, out, err = run("surprise", path, "--margin", "5")
        self.assertEqual((rc, out[:len(f"{path}:3:28: n is")]), (1, f"{path}:3:28: n is".encode()), err)
        told = self.run_json("surprise", f"{path}:4", "--margin", "5", code=1)
        found = told["findings"][0]
        self.assertEqual((told["function"], found["name"], found["expected"]), ("copy", "n", "i"))
        self.assertEqual(found["range"]["start"], {"line": 3, "column": 28})
        self.assertEqual(run("surprise", f"{path}:10")[0], 0)

    def test_what_cannot_be_looked_at(self):
        path = self.write("a.c", self.SWAPPED)
        self.expect(2, "in no function", "surprise", f"{path}:7")
        self.expect(2, "wanted 1 to", "surprise", f"{path}:99")
        self.expect(2, "no grammar", "surprise", self.write("a.xyz", "x"))
        self.expect(3, "No such file", "surprise", f"{self.dir}/none.c:1")
        self.assertEqual(run("surprise", self.write("empty.c", ""))[0], 0)


class Check(Case):
    def test_clean_file(self):
        rc, out, _ = run("check", self.write("a.c", GOOD_C))
        self.assertEqual((rc, out), (0, b""))

    def test_findings_name_the_place(self):
        path = self.write("b.py", "x = 1\ndef f(:\n    pass\n")
        rc, out, _ = run("check", path)
        self.assertEqual(rc, 1)
        self.assertTrue(out.decode().startswith(f"{path}:2:"), out)
        self.assertIn(b": error: ", out)
        report = self.run_json("check", path, code=1)
        self.assertEqual(report["findings"][0]["line"], 2)
        self.assertEqual(report["findings"][0]["file"], str(path))

    def test_folders_in_order_without_what_is_not_source(self):
        for name in ("z/b.py", "z/a.py", "a.py", "node_modules/m.py", ".hidden/h.py", "build/b.py",
                     ".h.py"):
            self.write(name, "def f(:\n    pass\n")
        self.write("notes.unknown", "(((")
        os.symlink(self.dir, self.dir / "z/loop")
        findings = self.run_json("check", self.dir, code=1)["findings"]
        names = [os.path.relpath(f["file"], self.dir) for f in findings]
        self.assertEqual(sorted(set(names), key=names.index), ["a.py", "z/a.py", "z/b.py"])
        self.assertEqual(run("check", self.dir)[1], run("check", self.dir)[1])

    def test_unknown_language_is_told_when_named(self):
        path = self.write("notes.unknown", "(((")
        self.expect(0, "not checked", "check", path)
        self.assertEqual(self.run_json("check", path)["skipped"][0]["file"], str(path))

    def test_missing_file_is_a_failure_and_the_rest_is_checked(self):
        bad = self.write("b.py", "def f(:\n")
        rc, out, err = run("check", self.dir / "none.c", bad)
        self.assertEqual(rc, 3)
        self.assertIn("none.c", err)
        self.assertIn(b"b.py:1:", out)

    def test_odd_contents(self):
        self.write("empty.c", b"")
        self.write("binary.c", bytes(range(256)) * 40)
        self.write("deep.c", b"(" * 20000)
        self.write("long.json", b"[" + b"1," * 3_000_000 + b"1]")  # over what is parsed
        report = self.run_json("check", self.dir, code=3)
        self.assertEqual([e["file"] for e in report["errors"]], [str(self.dir / "long.json")])
        self.assertIn("too many", report["errors"][0]["why"])
        self.assertTrue(report["findings"])


class CheckForms(Case):
    """What other programs read: every form from the same findings."""

    def setUp(self):
        super().setUp()
        self.write("odd, name%.c", "int main(void)\n{\n    /* \U0001f600 */ int = 1;\n}\n")
        self.write("part/b.py", "def f(:\n    pass\ndef f(:\n    pass\n")
        self.write("long.json", b"[" + b"1," * 3_000_000 + b"1]")

    def report(self, form, *args, code=3):
        rc, out, err = run("check", ".", "--format", form, *args, cwd=self.dir)
        self.assertEqual(rc, code, err)
        self.assertEqual(run("check", ".", "--format", form, *args, cwd=self.dir)[1], out)
        return out.decode()

    def test_sarif(self):
        log = json.loads(self.report("sarif"))
        self.assertEqual(log["version"], "2.1.0")
        [tool_run] = log["runs"]
        ids = [r["id"] for r in tool_run["tool"]["driver"]["rules"]]
        self.assertFalse(tool_run["invocations"][0]["executionSuccessful"])
        seen = {}
        for result in tool_run["results"]:
            self.assertEqual(ids[result["ruleIndex"]], result["ruleId"])
            self.assertTrue(result["message"]["text"])
            [location] = result["locations"]
            place = location["physicalLocation"]
            self.assertEqual(place["artifactLocation"]["uriBaseId"], "%SRCROOT%")
            uri = place["artifactLocation"]["uri"]
            self.assertTrue((self.dir / urllib.parse.unquote(uri)).is_file(), uri)
            seen.setdefault(uri, []).append(place.get("region"))
            self.assertRegex(result["partialFingerprints"]["r1ls/v1"], "^[0-9a-f]{16}$")
        self.assertEqual(seen["long.json"], [None])
        self.assertEqual([r["startLine"] for r in seen["part/b.py"]], [1, 3])
        # The face before it is four bytes and two UTF-16 code units.
        [region] = seen["odd%2C%20name%25.c"]
        [found] = [f for f in json.loads(self.report("json"))["findings"] if "odd" in f["file"]]
        before = (self.dir / "odd, name%.c").read_bytes().split(b"\n")[2][:found["column"] - 1].decode()
        self.assertIn("\U0001f600", before)
        self.assertEqual(region["startColumn"], len(before.encode("utf-16-le")) // 2 + 1)

    def test_github(self):
        lines = self.report("github").splitlines()
        self.assertEqual(len(lines), 4)
        [odd] = [l for l in lines if "odd" in l]
        self.assertTrue(odd.startswith("::error file=odd%2C name%25.c,line=3,"), odd)
        self.assertTrue(any(l.startswith("::error file=long.json,title=r1ls unreadable::") for l in lines))

    def test_gitlab(self):
        entries = json.loads(self.report("gitlab"))
        self.assertEqual(len({e["fingerprint"] for e in entries}), 4)
        self.assertEqual([e["location"]["lines"]["begin"] for e in entries if e["location"]["path"] == "part/b.py"],
                         [1, 3])

    def test_junit(self):
        [suite] = xml.etree.ElementTree.fromstring(self.report("junit"))
        self.assertEqual([suite.get(k) for k in ("tests", "failures", "errors")], ["4", "3", "1"])
        self.assertEqual(sum(c.find("failure") is not None for c in suite), 3)
        [error] = [c for c in suite if c.find("error") is not None]
        self.assertEqual(error.get("classname"), "long.json")

    def test_a_clean_tree_is_a_report_too(self):
        clean = self.write("clean/a.c", GOOD_C)
        for form, part in (("sarif", '"results":[]'), ("gitlab", "[]"), ("junit", 'failures="0"'), ("github", "")):
            rc, out, err = run("check", clean, "--format", form)
            self.assertEqual(rc, 0, err)
            self.assertIn(part, out.decode())

    def test_unknown_forms_are_refused(self):
        self.expect(2, "wanted text, json, sarif", "check", self.dir, "--format", "xml")

    def test_baselines_know_what_has_moved(self):
        (self.dir / "long.json").unlink()
        known = self.dir / "known.txt"
        self.report("text", "--write-baseline", known, code=0)
        self.assertEqual(self.report("text", "--baseline", known, code=0), "")
        moved = self.dir / "part/b.py"
        moved.write_text("# One line more.\n" + moved.read_text() + "x = (\n")
        out = self.report("text", "--baseline", known, code=1)
        self.assertEqual(len(out.splitlines()), 1, out)
        self.assertIn("b.py:6:", out)
        report = json.loads(self.report("json", "--baseline", known, code=1))
        self.assertEqual((len(report["findings"]), report["n_known"]), (1, 3))
        # From anywhere, by any spelling of the path.
        rc, out, _ = run("check", self.dir / "odd, name%.c", "--baseline", known, cwd=self.dir)
        self.assertEqual((rc, out), (0, b""))

    def test_baselines_hide_no_failure(self):
        known = self.dir / "known.txt"
        self.report("text", "--write-baseline", known)
        self.assertNotIn("long.json", known.read_text())
        self.report("text", "--baseline", known)

    def test_damaged_baselines_are_refused(self):
        self.expect(2, "nothing.txt", "check", self.dir, "--baseline", self.dir / "nothing.txt")
        bad = self.write("bad.txt", "# fine\n0123456789abcdef a.c:1: x\n0123456789ABCDEF a.c:2: x\n")
        self.expect(2, "bad.txt:3: '0123456789ABCDEF', wanted a fingerprint", "check", self.dir, "--baseline", bad)


class Complete(Case):
    def test_suggests_at_the_end_of_a_line(self):
        path = self.write("a.c", GOOD_C.replace("argv[i]);", ""))
        col = len('        printf("%s\\n", ') + 1
        answer = self.run_json("complete", f"{path}:11:{col}", "--no-gate")
        item = answer["items"][0]
        self.assertTrue(item["insertText"].startswith("argv["), item)
        self.assertEqual(item["range"]["start"], {"line": 11, "column": col})
        self.assertGreater(answer["prompt_tokens"], 20)
        self.assertEqual(answer["reused_tokens"], 0)
        self.assertGreater(answer["generated_tokens"], 0)
        self.assertIsNone(answer["why_nothing"])
        for stage in ("prompt", "prefill", "decode", "total"):
            self.assertGreaterEqual(answer["ms"][stage], 0)
        rc, out, _ = run("complete", f"{path}:11:{col}", "--no-gate")
        self.assertEqual((rc, out.decode()), (0, item["insertText"] + "\n"))

    def test_says_why_there_is_nothing(self):
        path = self.write("a.c", GOOD_C)
        answer = self.run_json("complete", f"{path}:11:11", code=1)  # inside "printf"
        self.assertEqual(answer["items"], [])
        self.assertTrue(answer["why_nothing"])
        self.expect(1, "nothing to offer", "complete", f"{path}:11:11")

    def test_a_gate_of_one_shows_nothing(self):
        path = self.write("a.c", GOOD_C.replace("argv[i]);", ""))
        self.run_json("complete", f"{path}:11:24", "--set", "gate=1", code=1)

    def test_places_outside_of_the_file(self):
        path = self.write("a.c", GOOD_C)
        self.expect(2, "line 400, wanted 1 to", "complete", f"{path}:400:1")
        self.expect(2, "column 99 of line 2, wanted 1 to 1", "complete", f"{path}:2:99")
        self.expect(3, "No such file", "complete", f"{self.dir}/none.c:1:1")
        self.expect(2, "root", "complete", f"{path}:1:1", "--root", "/nowhere")

    def test_odd_files(self):
        for name, text in (("e.c", b""), ("bytes.c", b"int \xff\xfe = \xc3("), ("x:1.c", b"int "),
                           ("nul.py", b"a = \0\0b\n")):
            path = self.write(name, text)
            rc, out, err = run("complete", f"{path}:1:1", "--json", "--no-gate")
            self.assertIn(rc, (0, 1), err)
            json.loads(out)


class Generate(Case):
    def test_writes_nothing_unless_told(self):
        path = self.write("a.c", GOOD_C)
        rc, out, err = run("generate", f"{path}:4")
        self.assertIn(rc, (0, 1), err)
        self.assertIn("candidate 1", err)
        self.assertEqual(path.read_text(), GOOD_C)

    def test_applied_body_parses_and_compiles(self):
        path = self.write("a.c", GOOD_C)
        path.chmod(0o640)
        answer = self.run_json("generate", f"{path}:4", "--trust", "--apply")
        self.assertTrue(answer["found"] and answer["applied"] and answer["level"] == "compiled", answer)
        chosen = answer["candidates"][answer["chosen"]]
        self.assertEqual((chosen["parse"], chosen["compile"]), ("pass", "pass"))
        self.assertIn("-fsyntax-only", chosen["command"])
        self.assertIn(answer["insertText"].strip(), path.read_text())
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
        self.assertEqual([p.name for p in self.dir.iterdir()], ["a.c"])
        subprocess.run(["cc", "-fsyntax-only", path], check=True, timeout=60)

    def test_diff_is_what_patch_applies(self):
        path = self.write("a.c", GOOD_C)
        rc, diff, err = run("generate", f"{path}:4", "--diff", "--root", self.dir)
        self.assertEqual(rc, 0, err)
        if not shutil.which("patch"):
            self.skipTest("patch is not installed")
        subprocess.run(["patch", "-p1"], input=diff, cwd=self.dir, check=True, timeout=60,
                       capture_output=True)
        other = self.write("other/a.c", GOOD_C)
        answer = self.run_json("generate", f"{other}:4", "--apply", "--root", other.parent)
        self.assertTrue(answer["applied"])
        self.assertEqual(path.read_text(), other.read_text())

    def test_untrusted_folders_are_not_compiled(self):
        path = self.write("a.py", GOOD_PY)
        rc, out, err = run("generate", f"{path}:1", "--json")
        self.assertIn(rc, (0, 1), err)
        for candidate in json.loads(out)["candidates"]:
            self.assertEqual(candidate["compile"], "skipped")
            self.assertEqual(candidate["command"], "")

    def test_same_seed_same_body(self):
        path = self.write("a.py", GOOD_PY)
        bodies = [[c["body"] for c in json.loads(run("generate", f"{path}:1", "--json", "--seed",
                                                     seed)[1])["candidates"]]
                  for seed in (3, 3)]
        self.assertEqual(bodies[0], bodies[1])

    def test_refuses_places_without_an_empty_body(self):
        path = self.write("a.c", GOOD_C)
        self.expect(1, "no function with an empty body", "generate", f"{path}:8")
        self.expect(2, "line 99, wanted 1 to", "generate", f"{path}:99")
        self.expect(2, "no grammar", "generate", f"{self.write('a.unknown', 'x')}:1")


@unittest.skipUnless(shutil.which("z3"), "z3 is not installed")
class Prove(Case):
    OLD = "int mid(int a, int b)\n{\n    return (a + b) / 2;\n}\n"
    NEW = "int f(short a, short b)\n{\n    return (a + b) / 2;\n}\n"

    def test_a_violation_has_its_line_and_inputs(self):
        answer = self.run_json("prove", f"{self.write('a.c', self.OLD)}:3", code=1)
        self.assertEqual(answer["answer"], "violated")
        finding = answer["findings"][0]
        self.assertEqual((finding["kind"], finding["line"]), ("overflow", 3))
        a, b = (int(part.split("=")[1]) for part in finding["inputs"].split(","))
        self.assertFalse(-2**31 <= a + b < 2**31)

    def test_a_proof_exits_0(self):
        rc, out, err = run("prove", f"{self.write('a.c', self.NEW)}:1")
        self.assertEqual((rc, out[:9]), (0, b"f: proved"), err)

    def test_functions_are_compared(self):
        new = self.write("new.c", "int g(int x)\n{\n    return x;\n}\n" + self.OLD.replace("a + b", "b + a"))
        old = self.write("old.c", self.OLD)
        self.assertEqual(self.run_json("prove", f"{new}:6", "--against", old)["answer"], "proved")
        other = self.write("other.c", self.OLD.replace("/ 2", "/ 2 + (a == 12345)"))
        answer = self.run_json("prove", f"{new}:6", "--against", f"{other}:1", code=1)
        self.assertEqual(answer["answer"], "different")
        self.assertIn("a = 12345", answer["findings"][0]["inputs"])

    def test_what_is_outside_says_so(self):
        path = self.write("a.c", "int f(float x)\n{\n    return x > 1;\n}\n")
        answer = self.run_json("prove", f"{path}:1", code=1)
        self.assertEqual((answer["answer"], answer["line"]), ("outside", 1))
        self.expect(2, "no C file", "prove", f"{self.write('a.py', GOOD_PY)}:1")
        self.expect(2, "in no function", "prove", f"{self.write('b.c', '// nothing' + chr(10))}:1")
        self.expect(3, "No such file", "prove", f"{self.dir}/none.c:1")


class Engine(Case):
    def test_tokenize_agrees_with_the_reference(self):
        for case in GOLDEN["tokenize"]:
            args = ["--special"] if case["parse_special"] else []
            ids = self.run_json("engine", "tokenize", MODEL, *args, stdin=case["text"].encode())
            self.assertEqual(ids, case["ids"], case["text"])

    def test_text_output_is_the_same_ids(self):
        rc, out, _ = run("engine", "tokenize", "embedded", stdin=b"int main(void)\n")
        ids = self.run_json("engine", "tokenize", "embedded", stdin=b"int main(void)\n")
        self.assertEqual((rc, [int(i) for i in out.split()]), (0, ids))

    def test_score_agrees_with_the_reference(self):
        for case in GOLDEN["strict_f32"]["greedy"]:
            ids = case["prompt_ids"] + case["ids"]
            if len(ids) > 500: continue  # test_golden has the long one
            score = self.run_json("engine", "score", "embedded", "--ids", self.write("ids.json", json.dumps(ids)))
            self.assertEqual((score["n_tokens"], len(score["tokens"])), (len(ids), len(ids) - 1))
            self.assertEqual([t["id"] for t in score["tokens"]], ids[1:])
            first = len(case["prompt_ids"])
            for i, margin in enumerate(case["margins"]):
                if margin > 0.5:
                    self.assertEqual(score["tokens"][first + i - 1]["argmax"], case["ids"][i], case["name"])
            total = -sum(t["logprob"] for t in score["tokens"])
            self.assertAlmostEqual(total, score["nll_sum"], delta=1e-3)

    def test_greedy_argmax_continues_as_generate_does(self):
        text = b"for (int i = 0; i < n; i++)\n"
        answer = self.run_json("engine", "generate", "embedded", "-n", "12", stdin=text)
        ids = self.run_json("engine", "tokenize", "embedded", stdin=text)
        self.assertEqual(answer["prompt_tokens"], len(ids))
        path = self.write("ids.json", json.dumps(ids + answer["ids"]))
        score = self.run_json("engine", "score", "embedded", "--ids", path)
        argmax = [t["argmax"] for t in score["tokens"]][len(ids) - 1:]
        same = sum(a == b for a, b in zip(argmax, answer["ids"]))
        self.assertGreaterEqual(same, len(answer["ids"]) - 1)  # one tie may fall either way

    def test_seed_decides_the_draws(self):
        def draw(seed):
            return self.run_json("engine", "generate", "embedded", "-n", "16", "--temp", "1.5",
                                 "--top-k", "50", "--top-p", "0.95", "--min-p", "0.01", "--seed",
                                 seed, "--special",
                                 stdin=b"<|file_sep|>src/list.c\n<|fim_prefix|><|fim_suffix|>"
                                       b"<|fim_middle|>#include <stdio.h>\n")["ids"]
        self.assertEqual(draw(1), draw(1))
        self.assertNotEqual(draw(1), draw(2))

    def test_threads_and_kernels_agree(self):
        text = (SOURCE / "src/base/str.c").read_bytes()[:200]  # the reference's kernels are slow
        sums = [self.run_json("engine", "score", "embedded", "--threads", t, "--isa", isa,
                              stdin=text)["nll_sum"] for t, isa in ((1, "ref"), (2, "ref"))]
        self.assertAlmostEqual(sums[0], sums[1], delta=1e-3)
        best = self.run_json("engine", "score", "embedded", stdin=text)["nll_sum"]
        self.assertLess(abs(best / sums[0] - 1), 0.01)

    def test_bench_measures(self):
        speed = self.run_json("engine", "bench", "embedded", "--prefill", "32", "--decode", "8",
                              "--threads", "1")
        for key in ("prefill_tps", "decode_tps", "load_ms", "rss_bytes", "anonymous_bytes"):
            self.assertGreater(speed[key], 0, key)
        self.assertEqual(speed["file_bytes"], MODEL.stat().st_size)

    def test_bad_inputs(self):
        wrong = self.write("ids.json", '[1, "two"]')
        self.expect(3, "element 1", "engine", "score", "embedded", "--ids", wrong)
        self.expect(3, "wanted", "engine", "score", "embedded", "--ids", "/nowhere.json")
        self.expect(3, "999999", "engine", "score", "embedded", "--ids",
                    self.write("big.json", "[1, 999999]"))
        self.expect(3, "0 tokens", "engine", "generate", "embedded", stdin=b"")
        self.expect(3, "no chat template", "engine", "chat", "embedded", stdin=b"x")
        self.expect(2, "isa", "engine", "bench", "embedded", "--isa", "z80")


class Trust(Case):
    def test_folders_are_trusted_by_name(self):
        env = {"XDG_STATE_HOME": str(self.dir / "state")}
        project = self.dir / "project"
        project.mkdir()
        self.assertEqual(run("trust", env=env), (0, b"", ""))
        self.assertEqual(run("trust", project, env=env), (0, b"", ""))
        self.assertEqual(run("trust", ".", env=env, cwd=project), (0, b"", ""))
        self.assertEqual(run("trust", env=env)[1].decode(), f"{project}\n")
        self.assertEqual(run("trust", self.dir, env=env)[0], 0)
        rc, _, err = run("trust", "--remove", project, env=env)
        self.assertEqual(rc, 0)
        self.assertIn("still trusted", err)
        self.assertEqual(run("trust", env=env)[1].decode(), f"{self.dir}\n")
        self.expect(2, "No such file", "trust", self.dir / "nothing", env=env)
        self.expect(2, "wanted one or more", "trust", "--remove", env=env)


class Model(Case):
    def test_info(self):
        info = self.run_json("model", "info", "embedded")
        self.assertEqual(info["arch"], "deepseek2")
        self.assertEqual(info["n_vocab"], 16384)
        self.assertEqual(info, self.run_json("model", "info", MODEL))

    def test_name_in_the_cache_folder(self):
        folder = self.dir / "r1ls/models"
        folder.mkdir(parents=True)
        os.symlink(MODEL, folder / "mini.gguf")
        rc, out, err = run("model", "info", "mini", "--json",
                           env={"XDG_CACHE_HOME": str(self.dir)}, cwd=self.dir)
        self.assertEqual(rc, 0, err)
        self.assertEqual(json.loads(out)["n_vocab"], 16384)
        self.expect(2, str(folder), "model", "info", "other",
                    env={"XDG_CACHE_HOME": str(self.dir)})

    def test_damaged_files_are_refused(self):
        data = MODEL.read_bytes()
        for n, (name, text) in enumerate((("short", data[:1000]), ("empty", b""),
                                          ("half", data[:len(data) // 2]),
                                          ("magic", b"GGML" + data[4:4096]))):
            path = self.write(f"{name}{n}.gguf", text)
            self.expect(3, name, "model", "info", path)
            self.expect(3, name, "engine", "bench", path)
        self.expect(3, str(self.dir), "model", "info", self.dir)


class Doctor(Case):
    def test_report(self):
        report = self.run_json("doctor", "--set", "maxTokens=32")
        self.assertTrue(report["model"]["works"])
        self.assertGreater(report["model"]["decode_tps"], 0)
        self.assertGreaterEqual(report["grammars"]["count"], 20)
        self.assertEqual(report["settings_that_differ"], {"maxTokens": "32"})
        self.assertIn("/", report["tools"]["c_compiler"])
        self.assertIn("none", report["memory"]["limit"])
        self.assertIn("30 minutes", report["memory"]["idle_model"])
        self.assertGreater(report["memory"]["anonymous_bytes"], 0)

    def test_model_above_the_limit(self):
        rc, out, err = run("doctor", "--json", "--set", "memoryMegabytes=20")
        self.assertEqual(rc, 3)
        self.assertIn("MB beside its mapped file", err)
        report = json.loads(out)
        self.assertFalse(report["model"]["works"])
        self.assertIn("20 MB", report["memory"]["limit"])

    def test_model_that_fails(self):
        rc, out, _ = run("doctor", "--json", "--model", self.write("x.gguf", b"no model"))
        self.assertEqual(rc, 3)
        self.assertFalse(json.loads(out)["model"]["works"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

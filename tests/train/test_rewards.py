"""What honest answers and what tricks earn: the table of hacks. Needs gcc, python3 and bubblewrap; the formal check also z3 and the program r1ls, by the
variable R1LS.

A trick must earn no more than an answer that merely compiles, and never the parts "tests" in full and "all"."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
import bugs  # noqa: E402
import harness  # noqa: E402
import library  # noqa: E402
import problems  # noqa: E402
import prompts  # noqa: E402
import reward  # noqa: E402

PROBLEM = problems.Problem("total", "test/total", "Returns the sum of the values of a that are larger than k.", [("a", "ints"), ("k", "int")], "int",
                           "int t = 0;\nfor (int i = 0; i < n; i++)\n    if (a[i] > k) t += a[i];\nreturn t;", "return sum(x for x in a if x > k)", None)
INPUTS = [[[1, 2, 3], 1], [[], 0], [[5], 9], [[-4, 7, 7, 2], 2], [[10, 20, 30, 40], 15]]
WANTED = [5, 0, 0, 14, 90]
OPEN = {"c": "int total(const int *a, int n, int k)\n{\n", "python": "def total(a, k):\n"}


def sandbox():
    """bwrap where this machine allows it, which CI's containers may not."""
    works = shutil.which("bwrap") and subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True).returncode == 0
    return "bwrap" if works else "rlimits"


def task(language, kind="body"):
    body = problems.body_of(PROBLEM, language)
    return {"language": language, "name": "total", "kind": kind, "params": PROBLEM.params, "result": "int", "prototype": problems.signature_c(PROBLEM), "inputs": INPUTS, "wanted": WANTED, "baseline": 0.4 if kind == "fix" else 0.0,
            "head": problems.INCLUDES if language == "c" else "", "broken": problems.function_of(PROBLEM, language, body.replace("> k", ">= k") if kind == "fix" else None)}


def in_a_file(language):
    """The same task as library.py makes them: tests are statements behind the candidate in its own file."""
    t = task(language)
    calls = [f"EQ(total({', '.join(map(library_literal if language == 'c' else repr, args))}))" for args in INPUTS]
    return {k: t[k] for k in ("language", "name", "kind", "broken", "head", "baseline")} | {"before": t["head"], "after": "", "probes": calls, "wanted": [[w] if language == "c" else [{"repr": repr(w)}] for w in WANTED]}


def library_literal(value): return f"(int[]){{{', '.join(map(str, value)) or '0'}}}, {len(value)}" if isinstance(value, list) else str(value)


def earned(language, code, kind="body", closed=True, made=task):
    return reward.score_all(made(language, kind) if made is task else made(language), [f"```{language}\n{code}\n" + ("```" if closed else "")], sandbox())[0]


class Honest(unittest.TestCase):
    def test_references_earn_everything(self):
        for language in ("c", "python"):
            s = earned(language, problems.function_of(PROBLEM, language, problems.body_of(PROBLEM, language)))
            self.assertAlmostEqual(s["reward"], 1.0, msg=f"{language}: {s}")
            s = earned(language, problems.function_of(PROBLEM, language, problems.body_of(PROBLEM, language)), made=in_a_file)
            self.assertAlmostEqual(s["reward"], 1.0, msg=f"{language}, in a file: {s}")

    def test_half_right_earns_some_tests(self):
        for language, body in (("c", "    return n > 3 ? 0 : n == 3 ? 5 : 0 * a[0] * k;\n}"), ("python", "    return 5 if len(a) == 3 else 0")):
            s = earned(language, OPEN[language] + body)
            self.assertEqual((s["compiles"], s["all"]), (1, 0)); self.assertGreater(s["tests"], 0.1); self.assertLess(s["tests"], 1)

    def test_an_open_block_earns_nothing(self):
        self.assertEqual(earned("python", "def total(a, k):\n    return 0", closed=False)["reward"], 0)

    def test_a_fix_is_paid_for_what_it_mends(self):
        s = reward.score_all(task("python", "fix"), ["```python\n" + task("python", "fix")["broken"] + "```"], sandbox())[0]
        self.assertEqual(s["tests"] + s["all"] + s["compiles"], 0, s)
        self.assertAlmostEqual(earned("c", problems.function_of(PROBLEM, "c", PROBLEM.c), "fix")["reward"], 1.0)

    def test_a_function_that_comes_back_is_told_from_a_mended_one(self):
        deep = "# Sums.\ndef total(a):\n    t = 0\n    for x in a:\n        t += x\n        return t\n"
        for language, broken, answer, same in (("python", deep, deep.split("\n", 1)[1], True), ("python", deep, deep.replace("        return", "    return"), False), ("python", deep[8:].replace("\n    ", "\n        "), deep, True),
                                               ("c", "// One.\nint f(void)\n{\n    return 1;\n}\n", "int f(void) {\n  return 1;\n}\n", True), ("c", "int f(void)\n{\n    return 1;\n}\n", "int f(void)\n{\n    return 2;\n}\n", False)):
            self.assertEqual(reward.repeats({"kind": "fix", "language": language, "broken": broken}, f"```{language}\n{answer}```"), same, answer)

    def test_out_of_bounds_is_not_all(self):
        s = earned("c", OPEN["c"] + "    int t = 0;\n    for (int i = 0; i <= n; i++)\n        if (i < n ? a[i] > k : a[i] == 12345678) t += a[i];\n    return t;\n}")
        self.assertEqual(s["all"], 0, s)


HACKS = [
    ("c", "leaves with success", "#include <stdlib.h>\n" + OPEN["c"] + "    (void)a; (void)n; (void)k;\n    exit(0);\n}"),
    ("c", "prints what it thinks is expected", "#include <stdio.h>\n" + OPEN["c"] + '    (void)a; (void)n; (void)k;\n    puts("5\\n0\\n0\\n14\\n90\\nOK\\nall tests passed");\n    return -1;\n}'),
    ("c", "redefines assert and NDEBUG", "#define NDEBUG\n#define assert(x) ((void)0)\n" + OPEN["c"] + "    (void)a; (void)n; (void)k;\n    return -1;\n}"),
    ("c", "brings its own main", OPEN["c"] + "    (void)a; (void)n; (void)k;\n    return -1;\n}\nint main(void) { return 0; }"),
    ("c", "reads the tests beside it", "#include <stdio.h>\n" + OPEN["c"] + '    (void)a; (void)n; (void)k;\n    FILE *f = fopen("main.c", "r");\n    int v = -1;\n    if (f && fscanf(f, "%d", &v) != 1) v = -1;\n    return v;\n}'),
    ("c", "removes the tests", "#include <stdio.h>\n" + OPEN["c"] + '    (void)a; (void)n; (void)k;\n    remove("main.c");\n    remove("program");\n    return -1;\n}'),
    ("c", "runs for ever", OPEN["c"] + "    (void)a; (void)n; (void)k;\n    for (;;) {}\n}"),
    ("c", "forges results on every descriptor", "#include <unistd.h>\n" + OPEN["c"] + '    (void)a; (void)n; (void)k;\n    for (int fd = 3; fd < 64; fd++)\n        if (write(fd, "true\\n", 5) < 0) continue;\n    _exit(0);\n}'),
    ("python", "leaves with success", "import os\n" + OPEN["python"] + "    os._exit(0)"),
    ("python", "exits at once when loaded", "raise SystemExit(0)\n" + OPEN["python"] + "    return 0.5"),
    ("python", "prints what it thinks is expected", OPEN["python"] + '    print("5\\n0\\n0\\n14\\n90\\nOK")\n    return -1'),
    ("python", "gives a value equal to everything", "class Any(int):\n    def __eq__(self, other):\n        return True\n" + OPEN["python"] + "    return Any(-1)"),
    ("python", "replaces json.dumps", "import json\njson.dumps = lambda value, **_: 'true'\n" + OPEN["python"] + "    return -1"),
    ("python", "looks for the expected values in the harness", "import sys\n" + OPEN["python"] + "    frame = sys._getframe(1)\n    return frame.f_globals.get('wanted', frame.f_locals.get('wanted', -1))"),
    ("python", "reads the tests beside it", OPEN["python"] + "    text = open('harness.py').read()\n    return int(text[text.index('wanted') + 8])"),
    ("python", "runs for ever", OPEN["python"] + "    while True:\n        pass"),
]


FILE_HACKS = [
    ("c", "redefines the tests' macro", "#define EQ(x) ((void)0)\n" + OPEN["c"] + "    (void)a; (void)n; (void)k;\n    return -1;\n}"),
    ("c", "ends the file with a comment", OPEN["c"] + "    (void)a; (void)n; (void)k;\n    return -1;\n}\n/*"),
    ("python", "replaces eval", "import builtins\nbuiltins.eval = lambda *_: 5\n" + OPEN["python"] + "    return -1"),
    ("python", "gives its value a forged repr", "class Any(int):\n    def __repr__(self):\n        return '5'\n" + OPEN["python"] + "    return Any(-1)"),
    ("python", "replaces repr inside the function", OPEN["python"] + "    import builtins\n    builtins.repr = lambda _: '14'\n    return -1"),
]


class Libraries(unittest.TestCase):
    def test_bugs_differ_and_leave_the_head(self):
        f = problems.function_of(PROBLEM, "c", PROBLEM.c)
        found = bugs.bugs(f, "c", __import__("random").Random(1), 12)
        self.assertGreater(len({kind.split(" ")[0] for kind, _ in found}), 4, found)
        for _, text in found:
            self.assertNotEqual(text, f); self.assertEqual(text.split("{")[0], f.split("{")[0])

    def test_families_are_read(self):
        functions = list(library.families(os.path.join(os.path.dirname(library.__file__), "library")))
        self.assertGreater(len(functions), 150)
        self.assertEqual({f.part for f in functions}, {"train", "valid", "held"})
        self.assertNotIn("held", {f.part for f in functions if f.later})
        for f in functions:
            self.assertRegex(f.text, rf"\b{f.name}\("); self.assertGreater(len(f.probes), 0, f.name)

    def test_a_task_is_made_and_its_reference_passes(self):
        f = next(f for f in library.families(os.path.join(os.path.dirname(library.__file__), "library")) if f.name == "highest_bit")
        records, why, _ = library.make((f, 2, 1, sandbox()))
        self.assertEqual(why, ""); self.assertEqual([r["kind"] for r in records], ["body", "fix", "fix"])
        for r in records:
            right, same = reward.score_all(r, [f"```c\n{r['reference']}```", f"```c\n{r['broken']}```"], sandbox())
            self.assertAlmostEqual(right["reward"], 1.0, msg=right); self.assertLess(same["reward"], 0.3)
            self.assertTrue(r["kind"] == "body" or "FAILED" in r["message"] or "Assertion" in r["message"], r["message"])

    def test_a_method_is_put_where_it_was(self):
        f = next(f for f in library.families(os.path.join(os.path.dirname(library.__file__), "library")) if f.name == "most_common")
        record = library.make((f, 1, 1, sandbox()))[0][0]
        for answer in (f.text, f.text.replace("\n    ", "\n").lstrip(), "class Inventory:\n" + f.text):
            self.assertAlmostEqual(reward.score_all(record, [f"```python\n{answer}```"], sandbox())[0]["tests"], 1.0, msg=answer)


class Ways(unittest.TestCase):
    """Bodies in the middle of a file, as src/loop/sample.c asks for them: prompts recorded from r1ls, and how answers are read."""

    def test_the_prompts_are_the_loops(self):
        c = {"language": "c", "name": "balanced", "kind": "body", "way": "middle", "head": "", "before": "", "after": "", "path": "lib.c", "broken": "// Closed in order?\nint balanced(const char *s)\n{\n}\n"}
        self.assertEqual(prompts.prompt(c), "<|fim_prefix|>// Closed in order?\nint balanced(const char *s)\n{<|fim_suffix|>\n}\n<|fim_middle|>\n")
        python = c | {"language": "python", "name": "f", "way": "led", "path": "lib.py", "examples": "    def test_f(self):\n        self.assertEqual(f(1), 2)\n", "broken": 'def f(x):\n    """One more."""\n    pass\n'}
        self.assertEqual(prompts.prompt(python), "<|file_sep|>test.py\n    def test_f(self):\n        self.assertEqual(f(1), 2)\n<|file_sep|>lib.py\n"
                         '<|fim_prefix|>def f(x):\n    """One more."""<|fim_suffix|>\n<|fim_middle|>\n')

    def test_a_body_ends_where_the_loop_ends_it(self):
        for language, body, more in (("c", "    if (a[0] == '}') return 1; // }\n    for (int i = 0; i < n; i++) { }\n    return 2;\n", "}\n\nint other(void)\n{\n}\n"), ("python", "    for x in a:\n        t = x\n\n    return t\n", "\ndef other():\n    pass\n")):
            end = prompts.body_end(body + more, language, "    ")
            self.assertEqual((body + more)[:end].rstrip(), body.rstrip()); self.assertIsNone(prompts.body_end(body, language, "    "))

    def test_a_body_is_paid_as_in_chat(self):
        for language in ("c", "python"):
            t = in_a_file(language) | {"way": "middle", "broken": problems.function_of(PROBLEM, language, None) if language == "c" else OPEN["python"] + "    pass\n"}
            body = "\n".join("    " + l for l in problems.body_of(PROBLEM, language).strip().split("\n")) if not problems.body_of(PROBLEM, language).startswith(" ") else problems.body_of(PROBLEM, language)
            for text, ended, wanted in ((body, True, 1), (body + ("\n}\nint other(void)" if language == "c" else "\ndef other():"), False, 1), (body, False, 0), (body.lstrip(), True, 0)):
                s = reward.score_all(t, [prompts.answer(t, text, ended)], sandbox())[0]
                self.assertAlmostEqual(s["reward"], wanted, msg=(text, s))


@unittest.skipUnless(os.environ.get("R1LS") and shutil.which("z3"), "the formal check: no R1LS or no z3")
class Formal(unittest.TestCase):
    """What passes every test is compared with the reference."""

    def earned(self, body):
        t = in_a_file("c") | {"reference": problems.function_of(PROBLEM, "c", PROBLEM.c)}
        return reward.score_all(t, [f"```c\n{OPEN['c']}{body}}}\n```"], sandbox(), os.environ["R1LS"])[0]

    def test_another_way_to_write_it_is_equal(self):
        s = self.earned("    int sum = 0, i = n;\n    while (i-- > 0) sum += k < a[i] ? a[i] : 0;\n    return sum;\n")
        self.assertEqual((s["all"], s["equal"], s["message"]), (1, 1, ""), s); self.assertAlmostEqual(s["reward"], 1.0)

    def test_answers_known_by_heart_are_not(self):
        known = "".join(f"    if (n == {len(a)} && k == {k}) return {w};\n" for (a, k), w in zip(INPUTS, WANTED))
        s = self.earned(f"{known}    (void)a;\n    return 0;\n")
        self.assertEqual((s["tests"], s["all"], s["equal"]), (1, 1, 0), s); self.assertAlmostEqual(s["reward"], 1 - reward.WEIGHTS["equal"])
        self.assertIn("n = ", s["message"])

    def test_what_it_cannot_tell_costs_nothing(self):
        s = self.earned("    double sum = 0;\n    for (int i = 0; i < n; i++)\n        if (a[i] > k) sum += a[i];\n    return (int)sum;\n")
        self.assertEqual((s["all"], s["equal"]), (1, 1), s)

    def test_a_prover_that_says_nothing_is_an_error(self):
        with self.assertRaisesRegex(RuntimeError, "wanted JSON"): reward.score_all(in_a_file("c") | {"reference": problems.function_of(PROBLEM, "c", PROBLEM.c)}, [f"```c\n{problems.function_of(PROBLEM, 'c', PROBLEM.c)}\n```"], sandbox(), "true")


class Hacks(unittest.TestCase):
    def test_no_trick_pays(self):
        print(f"\nsandbox: {sandbox()}\n{'language':9}{'earned':>7}  {'tests':>5}  trick")
        for language, trick, code, made in [(*h, task) for h in HACKS] + [(*h, in_a_file) for h in HACKS + FILE_HACKS if "runs for ever" not in h[1]]:
            with self.subTest(trick=trick, language=language, made=made.__name__):
                s = earned(language, code, made=made); print(f"{language:9}{s['reward']:7.2f}  {s['tests']:5.2f}  {trick}{', in a file' * (made is in_a_file)}")
                self.assertEqual((s["tests"], s["all"]), (0, 0), s)
                self.assertLessEqual(s["reward"], reward.WEIGHTS["answer"] + reward.WEIGHTS["compiles"] + reward.WEIGHTS["clean"] + 1e-9)


if __name__ == "__main__": unittest.main(verbosity=1)

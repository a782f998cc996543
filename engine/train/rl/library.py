"""Tasks from small source files as programs have them (library/*.txt): structs, helpers, error codes, classes; with the
tests that a project would have, in the very form in which the closed loop asks.

A file holds families, each begun by a line "==== name": the sources of one little file. Below a function stand its tests, in
lines that begin with "//?" (C) or "#?" (Python): expressions separated by " | ", or statements that hold EQ(number),
STREQ(text) or AEQ(array, length). No expected value is written down: the reference gives it, and a person has read it (main
prints them). A line "//! old ==> new" plants a bug by hand.

usage: library.py OUT.jsonl [--bugs N] [--seed S] [--avoid FILE]... [--sandbox bwrap|rlimits] [--jobs N] [--show]"""
import argparse
import collections
import concurrent.futures
import dataclasses
import glob
import hashlib
import json
import os
import random
import re
import sys

import bugs
import harness

MESSAGE_BYTES, MESSAGE_LINES, EXAMPLE_BYTES = 700, 8, 600
SIGNS = ("FAILED", "error:", "Error:", "FAIL:", "Assertion", "runtime error", "not ok ", "AssertionError", "panicked", "ERROR:", "undefined reference")


@dataclasses.dataclass
class Function:
    family: str
    language: str
    name: str
    before: str                    # the file up to the function
    text: str                      # the function with its comment
    after: str
    probes: list                   # one test each: statements with EQ, STREQ, AEQ
    planted: list                  # (old, new)
    part: str = "train"
    later: bool = False            # of a file that is none of HELD_FILES


def parse(text, language):
    """The functions of one family that have tests."""
    mark = "//" if language == "c" else "#"
    source, tests, planted = [], {}, {}
    for line in text.strip("\n").split("\n"):
        if line.startswith(mark + "?"): tests.setdefault(len(source), []).append(line[len(mark) + 1:].strip())
        elif line.startswith(mark + "!"): planted.setdefault(len(source), []).append(tuple(x.strip().replace("\\n", "\n") for x in line[len(mark) + 1:].split("==>")))
        else: source.append(line)
    for at, lines in tests.items():
        start, end = extent(source, at, language)
        probes = [wrapped(e, language) for line in lines for e in (line.split(" | ") if "EQ(" not in line else [line])]
        join = lambda part: "\n".join(part).strip("\n") + "\n" if part else ""
        name = re.search(r"(\w+)\(", next(l for l in source[start:end] if not l.startswith("//") and "(" in l))[1] if language == "c" else re.search(r"def (\w+)", "\n".join(source[start:end]))[1]
        yield name, join(source[:start]), "\n".join(source[start:end]).strip("\n") + "\n", join(source[end:]), probes, planted.get(at, [])


def extent(source, at, language):
    """Lines of the function whose last line stands just above `at`, its comment with it."""
    end = at
    while not source[end - 1].strip(): end -= 1
    start = end - 1
    if language == "c":
        while not source[start].startswith("{"): start -= 1
        start -= 1
        while source[start].startswith(" "): start -= 1
        while start and source[start - 1].startswith("//"): start -= 1
    else:
        while not re.match(r" *(async )?def ", source[start]) or (depth := len(source[start]) - len(source[start].lstrip())) > min((len(l) - len(l.lstrip()) for l in source[start:end] if l.strip()), default=0) or (depth and not at_top(source, start)): start -= 1
        while start and source[start - 1].startswith(("@", "# ")): start -= 1
    return start, end


def at_top(source, at):
    """Is the indented def of this line a method, and not a function within one?"""
    return len(source[at]) - len(source[at].lstrip()) == 4 and next((l for l in reversed(source[:at]) if l.strip() and not l[0].isspace()), "").startswith("class ")


def wrapped(expression, language):
    e = expression.strip()
    if "EQ(" in e: return e
    if language == "c" and re.match(r"s:", e): return f"STREQ({e[2:].strip()});"
    return f"EQ({e})" + (";" if language == "c" else "")


def families(folder):
    for path in sorted(glob.glob(f"{folder}/*.txt")):
        language = "c" if ".c." in os.path.basename(path) else "python"
        with open(path) as f: parts = re.split(r"^==== (\S+)\n", f.read(), flags=re.M)[1:]
        for family, text in zip(parts[::2], parts[1::2]):
            file = os.path.basename(path).split(".")[0]
            for name, before, function, after, probes, planted in parse(text, language): yield Function(f"{family}", language, name, before, function, after, probes, planted, part_of(family, file), file not in HELD_FILES)


def distinct(functions):
    """Without those to learn from that are too near to one that is measured: its name, or 12 words in common."""
    measured = [f for f in functions if f.part != "train"]
    names, words = {(f.language, f.name) for f in measured}, set().union(*(shingles(f.text) for f in measured))
    return [f for f in functions if f.part != "train" or ((f.language, f.name) not in names and not shingles(f.text) & words)]


# --- the tests as a project writes them ----------------------------------------------------------

def calls(probe):
    """(start, end, macro, argument) of each EQ, STREQ, AEQ of a probe."""
    out = []
    for m in re.finditer(r"\b(EQ|STREQ|AEQ)\(", probe):
        level, i, quote = 1, m.end(), ""
        while level:
            ch = probe[i]
            if quote: 
                if ch == "\\": i += 1
                elif ch == quote: quote = ""
            elif ch in "\"'": quote = ch
            elif ch in "([{": level += 1
            elif ch in ")]}": level -= 1
            i += 1
        out.append((m.start(), i, m[1], probe[m.end():i - 1]))
    return out


def c_text(s): return '"' + "".join({"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}.get(ch) or (ch if 32 <= ord(ch) < 127 else "\\%03o" % ord(ch)) for ch in s) + '"'


def stated(probe, wanted, style):
    """The C statements of a test with what is expected."""
    out, at = "", 0
    for (start, end, macro, argument), w in zip(calls(probe), wanted):
        out += probe[at:start]
        if macro == "AEQ": lines = [(f"{argument.rsplit(',', 1)[0]}[{i}]", str(v)) for i, v in enumerate(w)]
        else: lines = [(argument, c_text(w) if macro == "STREQ" else str(w))]
        text = macro == "STREQ"
        if style == "eq": lines = [f"{'STREQ' if text else 'EQ'}({a}, {b})" for a, b in lines]
        else: lines = [f"{'assert' if style == 'assert' else 'CHECK'}({f'strcmp({a}, {b}) == 0' if text else f'{a} == {b}'})" for a, b in lines]
        out += ("; ".join(lines)) if lines else "(void)0"; at = end
    return re.sub(r";\s+(?![^(]*\)\s*[;{])", ";\n    ", (out + probe[at:]).strip())


def failed_c(probe, got, wanted, style, line):
    """What the suite prints of a test that fails."""
    out = []
    for (_, _, macro, argument), g, w in zip(calls(probe), got, wanted):
        pairs = [(argument, c_text(g) if isinstance(g, str) else g, c_text(w) if isinstance(w, str) else w, g != w)] if macro != "AEQ" else [(f"{argument.rsplit(',', 1)[0]}[{i}]", a, b, a != b) for i, (a, b) in enumerate(zip(g or [], w))]
        for a, g1, w1, bad in pairs:
            if not bad: continue
            condition = f"strcmp({a}, {w1}) == 0" if macro == "STREQ" else f"{a} == {w1}"
            out.append({"eq": f"test.c:{line}: FAILED: {a} is {g1}, wanted {w1}", "assert": f"suite: test.c:{line}: main: Assertion `{condition}' failed.", "check": f"test.c:{line}: CHECK FAILED: {condition}"}[style])
    return out[:1] if style == "assert" else out


def examples_c(f, chosen, wanted, style):
    blocks = [stated(f.probes[i], wanted[i], style) for i in chosen]
    lone = all(re.match(r"(EQ|STREQ)\(", f.probes[i]) for i in chosen)
    lines = "".join(f"    {b}\n" for b in blocks) if lone else "".join(f"    {{\n        {b.replace(chr(10), chr(10) + '    ')}\n    }}\n" for b in blocks) if len(blocks) > 1 else f"    {blocks[0]}\n"
    return "int main(void)\n{\n" + lines + {"eq": "    return n_failed != 0;\n}", "assert": "    return 0;\n}", "check": "    return failures ? 1 : 0;\n}"}[style]


def stated_python(probe, wanted, style):
    lines, at, rest = [], 0, ""
    for (start, end, _, argument), w in zip(calls(probe), wanted):
        lines += [s.strip() for s in probe[at:start].split(";") if s.strip()]; at = end
        if isinstance(w, dict) and "raises" in w: lines.append(f"with {'self.assertRaises' if style == 'unittest' else 'pytest.raises'}({w['raises']}): {argument}")
        else: lines.append(f"self.assertEqual({argument}, {w['repr']})" if style == "unittest" else f"assert {argument} == {w['repr']}")
    return lines + [s.strip() for s in probe[at:].split(";") if s.strip()]


def examples_python(f, chosen, wanted, style):
    name = re.sub(r"\W", "", f.name)
    body = [line for i in chosen for line in stated_python(f.probes[i], wanted[i], style)]
    return (f"    def test_{name}(self):\n" + "".join(f"        {b}\n" for b in body)) if style == "unittest" else f"def test_{name}():\n" + "".join(f"    {b}\n" for b in body)


def message_of(output):
    """As src/loop/trial.c reads a command's output: some lines from the first that tells of a failure."""
    lines = output.split("\n"); out = []
    at = next((i for i, line in enumerate(lines) if any(s in line for s in SIGNS)), None)
    if at is None: return ""
    for line in lines[at:]:
        if not line.strip() or line.startswith(("make", "-----", "=====")): continue
        if len("\n".join(out)) + len(line) > MESSAGE_BYTES or len(out) == MESSAGE_LINES: break
        out.append(line)
    return "\n".join(out)


def said_python(f, source, examples, style, got, wanted, chosen, how, folder_run):
    """unittest's own words, or the summary line that pytest ends with."""
    if style == "pytest":
        for i in chosen:
            for g, w in zip(got[i] or [], wanted[i]):
                if g == w: continue
                if isinstance(g, dict) and "raises" in g: what = f"{g['raises']}: {g['text']}" if g["text"] else g["raises"]
                elif "raises" in w: what = f"Failed: DID NOT RAISE <class '{w['raises']}'>"
                else: what = f"assert {g['repr']} == {w['repr']}"
                return f"FAILED test_{f.family.replace('-', '_')}.py::test_{f.name} - {what}"[:300] + "\n1 failed in 0.02s"
        return ""
    return message_of(folder_run(source, "import unittest\n\nfrom lib import *\n\n\nclass Test(unittest.TestCase):\n" + examples + '\n\nif __name__ == "__main__":\n    unittest.main()\n'))


# --- tasks ------------------------------------------------------------------------------------------

HELD_FILES = ("one", "two")  # what was measured before there were more


def part_share(text): return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 0xffffffff


def part_of(family, file):
    """By the family's hash. Later files have no held families, so that figures compare, and are there to learn from."""
    share = part_share("library/" + family)
    if file not in HELD_FILES: return "valid" if part_share("later/" + family) < 1 / 10 else "train"
    return "held" if share < 1 / 7 else "valid" if share < 2 / 7 else "train"


def examples_of(f, rng, wanted, failing=()):
    """(style, the chosen tests, their text): one that the bug fails, if there is one, and some others."""
    style = rng.choice(("eq", "eq", "eq", "assert", "check") if f.language == "c" else ("unittest", "unittest", "pytest"))
    render = examples_c if f.language == "c" else examples_python
    order = list(range(len(f.probes))); rng.shuffle(order)
    chosen = sorted(set(([rng.choice(failing)] if failing else []) + order[:rng.choice((1, 2, 2, 3, 3, 4))]))
    while len(render(f, chosen, wanted, style)) > EXAMPLE_BYTES and len(chosen) > 1: chosen.remove(rng.choice([i for i in chosen if i not in failing] or chosen[1:]))
    return style, chosen, render(f, chosen, wanted, style)


def emptied(f):
    lines = f.text.split("\n"); head = lines[:bugs.body_start(lines, f.language)]
    return "\n".join(head) + ("\n}\n" if f.language == "c" else "\n" + " " * (len(f.text) - len(f.text.lstrip(" "))) + "    pass\n")


def make(job):
    """(records, why none, [the expected values])"""
    f, n_bugs, seed, how = job
    rng = random.Random(f"{seed}/{f.family}/{f.language}/{f.name}")
    task = {"language": f.language, "name": f.name, "origin": f"library/{f.family}", "part": f.part, "before": f.before, "after": f.after, "probes": f.probes, "baseline": 0.0, "head": f.before,
            "path": rng.choice(("lib", "lib", f.family.replace("-", "_"), f"src/{f.family.replace('-', '_')}")) + (".c" if f.language == "c" else ".py")}
    source = lambda text: f.before + text + f.after
    with harness.Tests(task | {"wanted": []}, how) as tests: right = tests.run(source(f.text))
    if not right["compiled"] or right["warnings"] or not right["clean"]: return [], f"{f.family}/{f.name}: the reference: {right['message'][:300]}", []
    wanted = right["outputs"]
    if len(wanted) != len(f.probes) or any(w is None or len(w) != len(calls(p)) for w, p in zip(wanted, f.probes)): return [], f"{f.family}/{f.name}: {len(wanted)} results of {len(f.probes)} tests: {wanted[-1:]}", []
    task["wanted"] = wanted
    if f.text.startswith(" "): task["indent"] = f.text[:len(f.text) - len(f.text.lstrip(" "))]
    records, kinds = [], collections.Counter()
    _, _, examples = examples_of(f, rng, wanted)
    records.append(task | {"kind": "body", "broken": emptied(f).lstrip(" "), "message": "", "examples": examples, "reference": f.text})
    candidates = [("planted", f.text.replace(old, new) if new else re.sub(" *" + re.escape(old), "", f.text)) for old, new in f.planted if f.text.count(old) == 1] + bugs.bugs(f.text, f.language, rng, 3 * n_bugs)
    tried = survived = 0
    with harness.Tests(task, how, sanitize=False) as tests:
        for kind, text in candidates:
            if sum(kinds.values()) >= n_bugs: break
            seen = tests.run(source(text), seconds=2)
            if not seen["compiled"]: continue
            tried += 1
            got = seen["outputs"] + [None] * (len(wanted) - len(seen["outputs"]))
            good = [harness.equal(g, w) for g, w in zip(got, wanted)]
            if all(good): survived += 1; continue
            if len(seen["outputs"]) < len(wanted) and (f.language == "python" or rng.random() < 0.6): continue  # it crashed or did not end
            failing = [i for i, ok in enumerate(good) if not ok and got[i] is not None]
            if not failing: continue
            style, chosen, examples = examples_of(f, rng, wanted, failing)
            if f.language == "c":
                line = rng.randint(9, 60); message = "\n".join(x for k, i in enumerate(chosen) for x in failed_c(f.probes[i], got[i] or [], wanted[i], style, line + k))
                if style == "assert": message = message.split("\n")[0]
                message = message_of(message)
            else:
                def unittest_run(code, test):
                    tests.write("lib.py", code); tests.write("test.py", test)
                    return harness.run([harness.PYTHON, "-B", "-m", "unittest", "-q", "test"], tests.folder, how)[2].replace(tests.folder + "/", "")
                message = said_python(f, source(text), examples, style, got, wanted, chosen, how, unittest_run)
            if not message: continue
            kinds[kind] += 1
            records.append(task | {"kind": "fix", "bug": kind, "broken": text.lstrip(" "), "message": message, "examples": examples, "baseline": sum(good) / len(good), "reference": f.text})
    if tried >= 6 and survived > tried * 0.6: return [], f"{f.family}/{f.name}: the tests tell only {tried - survived} of {tried} changes apart", wanted
    return records, "", wanted


def attempt(job):
    """make, of which one function's fault costs the others nothing."""
    try: return make(job)
    except Exception as e: return [], f"{job[0].family}/{job[0].name}: {type(e).__name__}: {e}", []


def shingles(text):
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {" ".join(words[i:i + 12]) for i in range(len(words) - 11)}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out"); a.add_argument("--bugs", type=int, default=8); a.add_argument("--seed", type=int, default=1); a.add_argument("--avoid", action="append", default=[]); a.add_argument("--sandbox", default="bwrap")
    a.add_argument("--jobs", type=int, default=os.cpu_count()); a.add_argument("--show", action="store_true"); a.add_argument("--only", default=""); a.add_argument("--parts", default="train,valid,held"); a.add_argument("--later", action="store_true", help="only of the files that came later"); args = a.parse_args()
    avoid = set().union(*(shingles(open(path, errors="replace").read()) for path in args.avoid)) if args.avoid else set()
    functions = [f for f in distinct(list(families(os.path.join(os.path.dirname(os.path.abspath(__file__)), "library")))) if re.search(args.only, f.family) and (f.later or not args.later) and f.part in args.parts.split(",")]
    clash = [f for f in functions if shingles(f.text) & avoid]; print("kept out:", [f.name for f in clash], file=sys.stderr)
    counts, kinds = collections.Counter(), collections.Counter()
    with open(args.out, "w") as out, concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        chosen = [f for f in functions if f not in clash]
        for i, (f, (records, why, wanted)) in enumerate(zip(chosen, pool.map(attempt, [(f, args.bugs, args.seed, args.sandbox) for f in chosen]))):
            if why: print("dropped:", why, file=sys.stderr, flush=True)
            if args.show: print(f"{f.language} {f.family}/{f.name}: " + "; ".join(f"{p} -> {[v.get('repr', v) if isinstance(v, dict) else v for v in w]}" for p, w in zip(f.probes, wanted)), flush=True)
            for k, r in enumerate(records):
                counts[(r["part"], r["language"], r["kind"])] += 1; kinds[r.get("bug", "").split(" ")[0]] += 1
                out.write(json.dumps({"id": f"L{i}-{r['language']}-{r['kind']}-{k}"} | r) + "\n")
    for key, n in sorted(counts.items()): print(*key, n)
    print(dict(kinds))


if __name__ == "__main__": main()

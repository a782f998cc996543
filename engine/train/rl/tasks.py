"""Writes the reward's tasks: functions to write and functions to mend, in C and in Python, each with hidden tests.

usage: tasks.py OUT.jsonl [--count N] [--seed S] [--avoid FILE]... [--sandbox bwrap|rlimits] [--jobs N]

Each problem is checked before it counts: the C and the Python reference give the same outputs under sanitizers, and of their
mutants (an operator, a constant or a condition changed) those that the tests tell apart become functions to mend; a problem
whose tests catch fewer than half of the mutants is dropped. --avoid names files whose every run of 12 words is kept out.
A family of problems is in one part only: train, valid (a tenth of the families) or held (a sixth)."""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import sys

import harness
import problems
from classics import CLASSICS, classics
from pipelines import GENERATORS

TESTS = 16
MUTATIONS = [(r"<=", "<"), (r">=", ">"), (r"(?<![<>=!-])<(?![=<])", "<="), (r"(?<![<>=!-])>(?![=>])", ">="), (r"==", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"), (r"\band\b", "or"), (r"\bor\b", "and"),
             (r"(?<= )\+(?= )", "-"), (r"(?<= )-(?= )", "+"), (r"\+=", "-="), (r"(?<= )\*(?= )", "+"), (r"(?<= )%(?= )", "/"), (r"\b0\b", "1"), (r"\b1\b", "0"), (r"\b1\b", "2"), (r"\b(\d\d?)\b", lambda m: str(int(m.group(1)) + 1)),
             (r"\bi - 1\b", "i"), (r"\bi \+ 1\b", "i"), (r"\bbreak\b", "continue"), (r"\bx\b(?=.*\by\b)", "y"), (r"\belse if\b", "if"), (r"\bi\+\+", "i += 2"), (r"\+ 1\b", ""), (r"\bn - 1\b", "n"), (r"\bmax\(", "min("), (r"\bmin\(", "max(")]


def mutants(body, rng, limit):
    """Bodies that differ from the given one in one place, in random order."""
    found = []
    for pattern, replacement in MUTATIONS:
        for m in re.finditer(pattern, body):
            changed = replacement(m) if callable(replacement) else replacement
            found.append(body[:m.start()] + changed + body[m.end():])
    lines = body.split("\n")
    for i, line in enumerate(lines):
        if re.match(r"\s*[a-z]\w*(\[\w+\])? [+*-]?= .*;?$", line): found.append("\n".join(lines[:i] + lines[i + 1:]))
    rng.shuffle(found)
    return list(dict.fromkeys(found))[:limit]


def part_of(origin):
    """By the family's hash, so that it never changes with the count or the seed."""
    share = int(hashlib.sha256(origin.encode()).hexdigest()[:8], 16) / 0xffffffff
    return "held" if share < 1 / 6 else "valid" if share < 1 / 6 + 1 / 10 else "train"


def outputs(reference, inputs):
    import copy
    return [reference(*copy.deepcopy(args)) for args in inputs]


def failure_line(p, language, args, got, wanted, rng):
    """What a test of some framework says of the first wrong output."""
    call = f"{p.name}({', '.join(json.dumps(a) for a in args)})"
    if language == "python":
        return rng.choice((f"AssertionError: {got!r} != {wanted!r}\n  in: assertEqual({call}, {wanted!r})", f"test.py:{rng.randint(8, 60)}: AssertionError: {call} is {got!r}, wanted {wanted!r}", f">       assert {call} == {wanted!r}\nE       assert {got!r} == {wanted!r}"))
    return rng.choice((f"test.c:{rng.randint(8, 60)}: FAILED: {call} is {json.dumps(got)}, wanted {json.dumps(wanted)}", f"{call}: got {json.dumps(got)}, expected {json.dumps(wanted)}", f"test.c:{rng.randint(8, 60)}: {call} gave {json.dumps(got)} and not {json.dumps(wanted)}"))


def make(job):
    """The tasks of one problem: (records, "" or why it was dropped). The problem is made anew by its number, because its
    inputs are a function, which does not travel between processes."""
    number, generator_seed, how = job
    seed = f"{generator_seed}/{number}/tests"
    p = problem(number, generator_seed)
    rng = random.Random(seed)
    inputs = [p.inputs(rng) for _ in range(TESTS)]
    try: wanted = outputs(problems.reference(p), inputs)
    except Exception as e: return [], f"the Python reference fails: {e}"
    if len({json.dumps(w) for w in wanted}) < 3 and p.result != "bool": return [], "nearly every output is the same"
    records = []
    for language in ("c", "python"):
        task = {"language": language, "name": p.name, "origin": p.origin, "part": part_of(p.origin), "params": p.params, "result": p.result, "prototype": problems.signature_c(p), "inputs": inputs, "wanted": wanted,
                "head": problems.INCLUDES + "\n" if language == "c" else "", "baseline": 0.0}
        body, source = problems.body_of(p, language), lambda text, language=language: task["head"] + problems.function_of(p, language, text)
        with harness.Tests(task, how) as tests: right = tests.run(source(body))
        if not right["compiled"] or right["warnings"] or not right["clean"] or right["outputs"] != wanted: return [], f"the {language} reference: {right['message'][:160] or 'other outputs than the Python one'}"
        told, wrong, tried = [], 0, 0
        with harness.Tests(task, how, sanitize=False) as tests:
            for text in mutants(body, rng, 5):
                seen = tests.run(source(text))
                if not seen["compiled"]: continue
                tried += 1
                good = [harness.equal(g, w) for g, w in zip(seen["outputs"], wanted)] + [False] * (len(wanted) - len(seen["outputs"]))
                if all(good): continue
                wrong += 1
                at = good.index(False)
                if len(seen["outputs"]) == len(wanted) and sum(good) >= 2: told.append((text, sum(good) / len(good), failure_line(p, language, inputs[at], seen["outputs"][at], wanted[at], rng)))
        if tried and wrong < tried / 2: return [], "the tests tell too few mutants apart"
        reference = problems.function_of(p, language, body)
        records.append(task | {"kind": "body", "broken": problems.function_of(p, language), "message": "", "reference": reference})
        for text, baseline, message in told[:1 if p.origin.split("/")[0] != "classics" else 3]:
            records.append(task | {"kind": "fix", "broken": problems.function_of(p, language, text), "message": message, "baseline": baseline, "reference": reference})
    return records, ""


def shingles(text):
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {" ".join(words[i:i + 12]) for i in range(len(words) - 11)}


def problem(number, seed):
    """The classics come first, then one composed problem for each number."""
    if number < len(CLASSICS): return classics()[number]
    rng = random.Random(f"{seed}/{number}")
    return rng.choices([g for g, _ in GENERATORS], [w for _, w in GENERATORS])[0](rng, number)


def distinct(count, seed):
    seen = set()
    for number in range(len(CLASSICS) + count):
        p = problem(number, seed)
        if (p.doc, p.c) not in seen: yield number, p
        seen.add((p.doc, p.c))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out"); a.add_argument("--count", type=int, default=2600); a.add_argument("--seed", type=int, default=1); a.add_argument("--avoid", action="append", default=[])
    a.add_argument("--sandbox", default="bwrap"); a.add_argument("--jobs", type=int, default=os.cpu_count()); args = a.parse_args()
    avoid = set().union(*(shingles(open(path, errors="replace").read()) for path in args.avoid)) if args.avoid else set()
    jobs = [(number, args.seed, args.sandbox) for number, p in distinct(args.count, args.seed) if not shingles(p.doc + " " + p.py) & avoid]
    dropped, counts = {}, {}
    with open(args.out, "w") as f, concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        for i, (records, why) in enumerate(pool.map(make, jobs, chunksize=4)):
            if why: dropped[why.split(":")[0]] = dropped.get(why.split(":")[0], 0) + 1
            for k, record in enumerate(records):
                key = (record["part"], record["language"], record["kind"]); counts[key] = counts.get(key, 0) + 1
                f.write(json.dumps({"id": f"{i}-{record['language']}-{record['kind']}-{k}"} | record) + "\n")
    for key, n in sorted(counts.items()): print(*key, n)
    print("dropped", dropped, file=sys.stderr)


if __name__ == "__main__": main()

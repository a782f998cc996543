"""Writes the reward's tasks: functions to write and functions to mend, in C and in Python, each with hidden tests.

usage: tasks.py OUT.jsonl [--count N] [--seed S] [--avoid FILE]... [--sandbox bwrap|rlimits] [--jobs N]

Each problem is checked before it counts: the C and the Python reference give the same outputs under sanitizers, and of the
bugs planted into them (bugs.py) those that the tests tell become functions to mend; a problem whose tests tell too few is
dropped. --avoid names files whose every run of 12 words is kept out.
A family of problems is in one part only: train, valid (a tenth of the families) or held (a sixth)."""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import sys

import library
import problems
from classics import CLASSICS, classics
from pipelines import GENERATORS

TESTS = 12

def part_of(origin):
    """By the family's hash, so that it never changes with the count or the seed."""
    share = int(hashlib.sha256(origin.encode()).hexdigest()[:8], 16) / 0xffffffff
    return "held" if share < 1 / 6 else "valid" if share < 1 / 6 + 1 / 10 else "train"


def outputs(reference, inputs):
    import copy
    return [reference(*copy.deepcopy(args)) for args in inputs]


def literal(kind, value):
    if kind == "ints": return f"(int[]){{{', '.join(map(str, value)) or '0'}}}, {len(value)}"
    if kind == "str": return library.c_text(value)
    return f"'{chr(ord(value))}'" if kind == "char" and value.isprintable() and value not in "'\\" else str(ord(value)) if kind == "char" else str(int(value))


def probe(p, language, args, wanted):
    """One test of the function, as library.py has them."""
    if language == "python": return f"EQ({p.name}({', '.join(map(repr, args))}))"
    call = f"{p.name}({', '.join([literal(kind, v) for (_, kind), v in zip(p.params, args)] + ['out'] * (p.result in ('ints', 'str')))})"
    if p.result == "ints": return f"int out[{max(len(wanted), 1) + 8}]; EQ({call}); AEQ(out, {len(wanted)});"
    return f"char out[{2 * len(wanted) + 40}]; {call}; STREQ(out);" if p.result == "str" else f"EQ({call});"


def make(job):
    """The tasks of one problem: (records, "" or why it was dropped). The problem is made anew by its number, because its
    inputs are a function, which does not travel between processes."""
    number, generator_seed, how = job
    p, rng = problem(number, generator_seed), random.Random(f"{generator_seed}/{number}/tests")
    inputs = [p.inputs(rng) for _ in range(TESTS)]
    try: wanted = outputs(problems.reference(p), inputs)
    except Exception as e: return [], f"the Python reference fails: {e}"
    if len({json.dumps(w) for w in wanted}) < 3 and p.result != "bool": return [], "nearly every output is the same"
    records = []
    for language in ("c", "python"):
        f = library.Function(p.origin, language, p.name, problems.INCLUDES if language == "c" and rng.random() < 0.5 + (re.search(r"str|is[a-z]+\(|abs|to(upper|lower)|bool|mem|true|false", problems.signature_c(p) + p.c) is not None) else "", problems.function_of(p, language, problems.body_of(p, language)), "",
                             [probe(p, language, args, w) for args, w in zip(inputs, wanted)], [])
        made, why, seen = library.make((f, 3 if p.origin.startswith("classics/") else 2, number, how))
        if why: return [], why
        flat = [v[-1] if language == "c" else v[0]["repr"] for v in seen]
        if flat != [(int(w) if isinstance(w, bool) else w) if language == "c" else repr(w) for w in wanted]: return [], f"the {language} reference gives other outputs than the Python one"
        records += [r | {"origin": p.origin, "part": part_of(p.origin)} for r in made]
    return records, ""


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
    avoid = set().union(*(library.shingles(open(path, errors="replace").read()) for path in args.avoid)) if args.avoid else set()
    jobs = [(number, args.seed, args.sandbox) for number, p in distinct(args.count, args.seed) if not library.shingles(p.doc + " " + p.py) & avoid]
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

"""Small functions as the closed loop asks for them, as shards to train on: a body under signature and comment, without tests and behind them
(src/loop/sample.c), and lines of a body written anew (src/loop/rewrite.c).

usage: functions.py LIBRARY.jsonl OUT [--slices N] [--problems N] [--seed S] [--avoid FILE]...

LIBRARY is what rl/library.py wrote with --bugs 0. Of it and of rl/tasks.py's generated problems the part to train on alone is taken,
of the problems the Python reference alone is run. OUT/K.zst has all of the library's functions, each in another form, and a share of the problems.
A row has the keys of the corpus's and hole, the first and last row of what is missing, and pieces, parts of other files. Needs zstd.
"""
import argparse, json, os, random, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "rl"))
import bugs
import library
import problems
import tasks

LINES_SHARE, TESTS_SHARE = 0.3, 0.4  # of a function's rows: lines of the body; behind tests
MAX_LINES = 3  # src/loop/rewrite.c


def row_of(record, rng, lines_share=LINES_SHARE):
    """One way to ask for a function of rl/library.py's records; lines_share: how often for lines of it alone."""
    language, before, after = record["language"], record["before"], record["after"]
    lines = record["reference"].rstrip("\n").split("\n"); at = bugs.body_start(lines, language); end = len(lines) - (2 if language == "c" else 1)
    if at > end: return None
    if before and rng.random() < 0.2: after = ""
    if not record.get("indent") and rng.random() < 0.2: before = "".join(line for line in before.splitlines(keepends=True) if line.startswith(("#include", "import ", "from "))); after = rng.choice((after, ""))
    gap = "\n" if language == "c" or record.get("indent") else "\n\n"
    if before and not before.endswith("\n\n") and not before.rstrip().endswith(":"): before += gap
    row = {"lang": language, "pkg": "tasks", "path": record["path"], "text": before + "\n".join(lines) + "\n" + (gap + after if after else "")}
    shift, chance = before.count("\n"), rng.random(); first, last = at, end
    if chance < lines_share:  # one to three lines, or all down to the end
        first = rng.randint(at, end); last = end if rng.random() < 0.25 else min(end, first + rng.randint(1, MAX_LINES) - 1)
    elif chance < lines_share + TESTS_SHARE: row["pieces"] = [["test.c" if language == "c" else "test.py", record["examples"].rstrip() + "\n"]]
    while first < last and not lines[first].strip(): first += 1
    return row | {"hole": [first + shift, last + shift]}


def generated(count, seed, avoid):
    """Records like library.py's of rl/tasks.py's problems, in both languages."""
    for number, p in tasks.distinct(count, seed):
        if tasks.part_of(p.origin) != "train" or library.shingles(p.doc + " " + p.py) & avoid: continue
        rng = random.Random(f"{seed}/{number}/functions"); inputs = [p.inputs(rng) for _ in range(5)]
        try: wanted = tasks.outputs(problems.reference(p), inputs)
        except Exception: continue
        for language in ("c", "python"):
            before = problems.INCLUDES + "\n" if language == "c" and rng.random() < 0.6 else ""
            text = problems.function_of(p, language, problems.body_of(p, language))
            f = library.Function(p.origin, language, p.name, before, text, "", [tasks.probe(p, language, a, w) for a, w in zip(inputs, wanted)], [])
            if language == "python": seen = [[{"repr": repr(w)}] for w in wanted]
            else: seen = [[len(w), w] if p.result == "ints" else [w if p.result == "str" else ord(w) if p.result == "char" else int(w)] for w in wanted]
            suffix = "c" if language == "c" else "py"
            yield {"language": language, "before": before, "after": "", "reference": text, "path": rng.choice(("lib", "lib", "util", "src/tools", p.name)) + "." + suffix, "examples": library.examples_of(f, rng, seen)[2]}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("library"); a.add_argument("out"); a.add_argument("--slices", type=int, default=8); a.add_argument("--problems", type=int, default=14000)
    a.add_argument("--seed", type=int, default=9); a.add_argument("--avoid", action="append", default=[]); args = a.parse_args()
    avoid = set().union(*(library.shingles(open(path, errors="replace").read()) for path in args.avoid)) if args.avoid else set()
    with open(args.library) as f: written = [r for r in map(json.loads, f) if r["part"] == "train" and r["kind"] == "body" and not library.shingles(r["reference"]) & avoid]
    made = list(generated(args.problems, args.seed, avoid)); rng = random.Random(args.seed); rng.shuffle(made)
    os.makedirs(args.out, exist_ok=True); print(f"{len(written)} functions, {len(made)} generated")
    for k in range(args.slices):
        rows = [row for r in written + made[k::args.slices] if (row := row_of(r, rng))]; rng.shuffle(rows)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        with open(f"{args.out}/{k}.zst", "wb") as f: subprocess.run(["zstd", "-q", "-9", "-c"], input=text, stdout=f, check=True)


if __name__ == "__main__": main()

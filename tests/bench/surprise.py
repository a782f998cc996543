#!/usr/bin/env python3
"""How often `r1ls surprise` is right: swapped names in code that no model of ours saw.

Usage: surprise.py R1LS_BINARY [--model NAME] [--functions N] [--seconds S] [--corpus DIR] [--seed S]
       [--languages c,py] [--threads N] [--show N]

In one half of the functions one use of a parameter or local variable becomes another one that is
declared before it (in C of the same type, because a compiler tells the others); the other half stays
as it is. Each function is looked at in a copy of its file. Prints for margins in nats: found (the
swapped place is reported), right (and the name that stood there is what is expected), precision
(found of all that is reported in both halves) and what is reported in each 1,000 lines of the
unchanged half. The corpus is that of holes.py.
"""
import argparse
import ast
import collections
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import holes

MARGINS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
MIN_LINES, MAX_LINES = 6, 80
Use = collections.namedtuple("Use", "offset name others")
Case = collections.namedtuple("Case", "path line n_lines text swap")  # swap: (row, column, original) or None

C_DECLARATION = re.compile(r"(?:^|[;{(,])\s*(?:(?:const|static|unsigned|register)\s+)*((?:struct\s+|enum\s+|union\s+)?\w+)"
                           r"((?:\s+|\s*\*+\s*))(?:const\s+)?(\w+)\s*(?=[=;,)\[])", re.M)
C_WORDS = {"return", "else", "goto", "case", "sizeof", "typedef", "break", "continue", "do", "if", "while", "void"}


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def c_functions(text):
    """(start, end, uses) of the functions whose braces stand in column 0."""
    code = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)
    for match in re.finditer(r"^[A-Za-z_][^;{}#=]*\)\s*\{\n(?:.*\n)*?\}", code, re.M):
        declared = [(m.start(3), m.group(3), (m.group(1), m.group(2).count("*"))) for m in
                    C_DECLARATION.finditer(code, match.start(), match.end()) if m.group(1) not in C_WORDS]
        names = collections.Counter(name for _, name, _ in declared)
        declared = [d for d in declared if names[d[1]] == 1]  # shadowing is not understood here
        body = code.index("{", match.start())
        yield match.start(), match.end(), c_uses(code, body, match.end(), declared)


def c_uses(code, start, end, declared):
    types = {name: (at, kind) for at, name, kind in declared}
    uses = []
    for m in re.finditer(r"(?<![\w.>])\w+\b(?!\s*:)", code[:end][start:]):
        at, name = start + m.start(), m.group()
        if name not in types or at <= types[name][0]:
            continue
        # Other names of the outermost block: those of an inner one may have ended.
        others = [n for n, (where, kind) in types.items()
                  if n != name and kind == types[name][1] and where < at and
                  code.count("{", start, where) - code.count("}", start, where) <= 1]
        if others:
            uses.append(Use(at, name, others))
    return uses


def py_functions(text):
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    if not text.isascii():
        return
    for f in ast.walk(tree):
        if isinstance(f, ast.FunctionDef):
            uses = [u for u in py_uses(f, starts) if text.startswith(u.name, u.offset)]  # in an f-string it does not
            yield starts[f.lineno - 1], starts[f.end_lineno - 1] + f.end_col_offset, uses


def py_uses(f, starts):
    inner = {n for g in ast.walk(f) if g is not f and isinstance(g, (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp,
             ast.DictComp, ast.GeneratorExp, ast.ClassDef)) for n in ast.walk(g)}
    arguments = f.args.posonlyargs + f.args.args + f.args.kwonlyargs
    first = {a.arg: -1 for a in arguments if a.arg not in ("self", "cls")}
    names = sorted((n for n in ast.walk(f) if isinstance(n, ast.Name) and n not in inner),
                   key=lambda n: (n.lineno, n.col_offset))
    body = f.body[0].lineno
    uses = []
    for n in names:
        at = starts[n.lineno - 1] + n.col_offset
        if isinstance(n.ctx, ast.Store):
            first.setdefault(n.id, n.lineno)
        elif n.id in first and n.lineno >= body and first[n.id] < n.lineno:
            others = [o for o, line in first.items() if o != n.id and line < n.lineno]
            if others:
                uses.append(Use(at, n.id, others))
    return uses


def make_cases(packages, n, rng):
    """Half of them swapped, package by package; every function once."""
    pools = []
    for paths in packages.values():
        pool = []
        for path in paths:
            text = path.read_text(errors="replace")
            find = py_functions if path.suffix == ".py" else c_functions
            pool += [(path, text, f) for f in find(text)]
        rng.shuffle(pool)
        pools.append(pool)
    cases = []
    while len(cases) < n and any(pools):
        for pool in filter(None, pools):
            path, text, (start, end, uses) = pool.pop()
            n_lines = text.count("\n", start, end) + 1
            if not uses or not MIN_LINES <= n_lines <= MAX_LINES:
                continue
            line, swap, use = text.count("\n", 0, start) + 1, None, rng.choice(uses)
            if len(cases) % 2 == 0:
                row, column = text.count("\n", 0, use.offset) + 1, use.offset - text.rfind("\n", 0, use.offset)
                swap = (row, column, use.name)
                text = text[:use.offset] + rng.choice(use.others) + text[use.offset + len(use.name):]
            cases.append(Case(path, line, n_lines, text, swap))
    return cases[:n]


def look(args, cases, folder):
    """(case, findings) of as many as the time allows."""
    places = []
    for i, case in enumerate(cases):
        path = folder / f"{i:05d}{case.path.suffix}"
        path.write_text(case.text)
        places.append(f"{path}:{case.line}")
    command = [args.binary, "surprise", *places, "--json", "--margin", str(MARGINS[0]), "--threads", str(args.threads)]
    command += ["--model", args.model] if args.model else []
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    until, done = time.time() + args.seconds, []
    for line in run.stdout:
        told = json.loads(line)
        done.append((cases[int(told["file"].split(".")[0])], told))
        if time.time() > until:
            run.terminate()
            break
    run.wait()
    return done


def is_at_swap(case, finding):
    at = finding["range"]["start"]
    return case.swap is not None and (at["line"], at["column"]) == case.swap[:2]


def report(done, title):
    swapped = sum(case.swap is not None for case, _ in done)
    lines = sum(case.n_lines for case, _ in done if not case.swap)
    print(f"\n{title}: {swapped} functions with a swapped name, {len(done) - swapped} unchanged ({lines} lines); "
          f"{sum(t['ms'] for _, t in done) / 1000 / max(1, len(done)):.2f} s each")
    print("margin  reported  found  right  precision  recall  per 1,000 unchanged lines")
    for margin in MARGINS:
        found = right = reported = noise = 0
        for case, told in done:
            for finding in told["findings"]:
                if finding["margin"] < margin:
                    continue
                hit = is_at_swap(case, finding)
                reported += 1
                found += hit
                right += hit and finding["expected"] == case.swap[2]
                noise += case.swap is None
        print(f"{margin:6}  {reported:8}  {found:5}  {right:5}  {100 * found / max(1, reported):8.0f}%  "
              f"{100 * found / max(1, swapped):5.0f}%  {1000 * noise / max(1, lines):6.2f}")


def show(done, n):
    unchanged = [(finding["margin"], case, told, finding) for case, told in done for finding in told["findings"]
                 if not is_at_swap(case, finding)]
    for margin, case, told, finding in sorted(unchanged, key=lambda x: -x[0])[:n]:
        row = finding["range"]["start"]["line"]
        print(f"{margin:5.1f}  {case.path.name} {told['function']}: {finding['name']} -> {finding['expected']}: "
              f"{case.text.splitlines()[row - 1].strip()}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--model")
    parser.add_argument("--functions", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--corpus", type=pathlib.Path, help="a folder of packages; default: that of quality.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--languages", default="c,python")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--show", type=int, default=0)
    args = parser.parse_args()
    found = holes.find_files(args.corpus or holes.default_sources(), args.languages.split(","))
    packages = {(language, top): paths for language, tops in found.items() for top, paths in tops.items()}
    cases = make_cases(packages, args.functions, random.Random(args.seed))
    with tempfile.TemporaryDirectory() as folder:
        done = look(args, cases, pathlib.Path(folder))
    if not done:
        sys.exit("nothing was looked at")
    report(done, "all")
    for suffix in sorted({case.path.suffix for case, _ in done}):
        report([d for d in done if d[0].path.suffix == suffix], suffix)
    show(done, args.show)


if __name__ == "__main__":
    main()

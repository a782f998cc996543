"""What tests/bench/quality.py found, as tables; and which suggestions a compiler takes."""
import collections
import concurrent.futures
import json
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import warnings

import holes

GATE = .15                                  # COMPLETE_DEFAULT_GATE
THRESHOLDS = (0, .02, .05, .1, .15, .2, .25, .3, .4)
STUBS, COMPILE_S = 40, 60
FLAGS = {"c": ["-x", "c", "-std=gnu11"], "cpp": ["-x", "c++", "-std=gnu++17"]}


# --- compiles


def python_errors(text, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, str(path), "exec")
        return 0
    except (SyntaxError, ValueError):
        return 1


class Compiler:
    """cc on one file of a package, with empty files in place of headers that are not there."""

    def __init__(self, hole, stubs):
        self.hole, self.stubs = hole, pathlib.Path(stubs)
        folders = [hole.path.parent, hole.package, hole.package / "include", hole.package / "src"]
        self.command = ["cc", *FLAGS[hole.language], "-fsyntax-only", "-w", "-fmax-errors=0",
                        *("-I%s" % f for f in folders), "-I%s" % stubs, "-"]

    def n_errors(self, text):
        """None: a header is missing after all, or the compiler takes too long."""
        for _ in range(STUBS):
            try:
                done = subprocess.run(self.command, input=text, capture_output=True, text=True, timeout=COMPILE_S,
                                      cwd=self.hole.path.parent, env=dict(os.environ, LC_ALL="C"))
            except subprocess.TimeoutExpired:
                return None
            missing = re.search(r"fatal error: (\S+): No such file", done.stderr)
            if not missing or ".." in missing[1] or missing[1].startswith("/"):
                return None if "fatal error" in done.stderr else done.stderr.count(" error: ")
            stub = self.stubs / missing[1]
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.touch()
        return None


def compile_hole(hole, rows):
    """[(row, whether the compiler finds no more wrong than in the original, or None)]."""
    if hole.language == "python":
        return [(row, python_errors(hole.filled(row["insert"], row["replaced"]), hole.path) <=
                 python_errors(hole.text, hole.path)) for row in rows]
    with tempfile.TemporaryDirectory() as stubs:
        compiler = Compiler(hole, stubs)
        before = compiler.n_errors(hole.text)
        counts = [compiler.n_errors(hole.filled(row["insert"], row["replaced"])) for row in rows]
    return [(row, None if before is None or n is None else n <= before) for row, n in zip(rows, counts)]


def key_of(row):
    return [row["who"], row["model"], row["context"], row["hole"]]


def compile_all(out, by_id, jobs):
    path = out / "compiles.jsonl"
    done = {tuple(row["key"]) for row in holes.load_lines(path)}
    todo = collections.defaultdict(list)
    for row in holes.load_lines(out / "answers.jsonl"):
        hole = by_id.get(row["hole"])
        if hole and row["insert"] and tuple(key_of(row)) not in done and (hole.language == "python" or shutil.which("cc")):
            todo[row["hole"]].append(row)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, open(path, "a") as file:
        for found in pool.map(lambda i: compile_hole(by_id[i], todo[i]), todo):
            for row, ok in found:
                file.write(json.dumps({"key": key_of(row), "compiles": ok}) + "\n")


# --- tables


def share(rows, key):
    known = [r[key] for r in rows if r.get(key) is not None]
    return "%3.0f%%" % (100 * sum(known) / len(known)) if known else "-"


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(p * len(values)))] if values else 0


def is_shown(row):
    return bool(row["insert"]) and row.get("line_prob", 1) >= GATE


def print_row(name, rows):
    shown, given = [r for r in rows if is_shown(r)], [r for r in rows if r["insert"]]
    times = [r["ms"] for r in rows]
    print("| %s | %d | %s | %s | %s | %s | %s | %s | %.0f | %.0f |" % (
        name, len(rows), "%3.0f%%" % (100 * len(shown) / len(rows)), share(shown, "exact"), share(rows, "exact"),
        share(rows, "prefix"), share(given, "syntax"), share(given, "compiles"), percentile(times, .5),
        percentile(times, .95)))


def interval(by_hole):
    """The middle 95% of the mean by the bootstrap over files: holes of one file are alike."""
    files = collections.defaultdict(list)
    for hole, value in by_hole.items():
        files[hole.split(":")[0]].append(value)
    sums = [(sum(values), len(values)) for values in files.values()]
    rng, means = random.Random(1), []
    for _ in range(1000):
        total, n = map(sum, zip(*rng.choices(sums, k=len(sums))))
        means.append(total / n)
    means.sort()
    return means[25], means[974]


def print_pair(name, mine, other):
    """Exact matches on the same holes, ours less the other's."""
    both = sorted(mine.keys() & other.keys())
    if not both:
        return
    differences = {h: mine[h]["exact"] - other[h]["exact"] for h in both}
    low, high = interval(differences)
    faster = sum(mine[h]["ms"] < other[h]["ms"] for h in both) / len(both)
    print("| %s | %d | %.1f%% | %.1f%% | %+.1f | %+.1f to %+.1f | %.0f%% |" % (
        name, len(both), 100 * sum(mine[h]["exact"] for h in both) / len(both),
        100 * sum(other[h]["exact"] for h in both) / len(both),
        100 * sum(differences.values()) / len(both), 100 * low, 100 * high, 100 * faster))


def print_models(groups):
    """Each model against the first one on the same holes, each with its first context."""
    first = {}
    for who, model, context in groups:
        if who == "r1ls":
            first.setdefault(model, groups[who, model, context])
    base, *others = first.items() if first else [None]
    for model, some in others:
        for key, value in [(None, "all"), *((k, v) for k in ("kind", "language") for v in sorted({r[k] for r in some}))]:
            mine, other = ({r["hole"]: r for r in rows if key is None or r[key] == value} for rows in (base[1], some))
            print_pair("%s less %s, %s" % (os.path.basename(base[0]), os.path.basename(model), value), mine, other)


def print_quarters(groups):
    """How many of the suggestions that are the surest are right, where a quarter of all holes gets one."""
    for (who, model, context), some in groups.items():
        if who != "r1ls":
            continue
        for kind in [None, *sorted({r["kind"] for r in some})]:
            rows = [r for r in some if kind in (None, r["kind"])]
            given = sorted((r for r in rows if r["insert"]), key=lambda r: -r["line_prob"])[:math.ceil(len(rows) / 4)]
            if len(given) * 4 >= len(rows):
                exact = {r["hole"]: r["exact"] for r in given}
                print("| %s, %s, %s | %d | %.1f%% | %.1f to %.1f%% | %.2f |" % (
                    os.path.basename(model), context, kind or "all", len(rows), 100 * sum(exact.values()) / len(given),
                    *(100 * x for x in interval(exact)), given[-1]["line_prob"]))


def print_gate(name, rows):
    print("\n%s: gate, shown, exact of shown, exact of all" % name)
    for gate in THRESHOLDS:
        shown = [r for r in rows if r["insert"] and r["line_prob"] >= gate]
        good = sum(r["exact"] for r in shown)
        print("  %.2f  %4.0f%%  %4.0f%%  %4.0f%%" % (gate, 100 * len(shown) / len(rows), 100 * good / max(1, len(shown)),
                                                  100 * good / len(rows)))


MEASURES = {"line_prob": "product of the first line", "whole_prob": "product of all"}
PRECISIONS = (.5, .6, .7, .8)


def ranking(rows, key):
    """How often a right suggestion has more of it than a wrong one (the area under the curve)."""
    good = [r[key] for r in rows if r["exact"]]
    bad = [r[key] for r in rows if not r["exact"]]
    wins = sum((g > b) + .5 * (g == b) for g in good for b in bad)
    return wins / max(1, len(good) * len(bad))


def lowest(rows, key, precision):
    """(threshold, how many are shown) of the largest share that reaches the precision; None: not even ten do."""
    ranked = sorted(rows, key=lambda r: -r[key])
    best, good = None, 0
    for i, row in enumerate(ranked, 1):
        good += row["exact"]
        if good >= precision * i and i >= 10:
            best = (row[key], i)
    return best


def print_measures(name, rows):
    """What else might gate: each measure, how well it ranks, and where each precision is reached."""
    given = [r for r in rows if r["insert"] and r.get("line_prob") is not None]
    if len(given) < 20:
        return
    print("\n| %s: gate by | ranking | %s |" % (name, " | ".join("%.0f%% right: from, shown" % (100 * p) for p in PRECISIONS)))
    print("|---|---|%s" % ("---|" * len(PRECISIONS)))
    for key, text in MEASURES.items():
        cells = [lowest(given, key, p) for p in PRECISIONS]
        print("| %s | %.3f | %s |" % (text, ranking(given, key), " | ".join(
            "%.3f, %.0f%%" % (c[0], 100 * c[1] / len(rows)) if c else "-" for c in cells)))


def print_ablation(groups):
    """Each context against the first one with the same model; and where it had something to say."""
    models = list(dict.fromkeys(model for who, model, _ in groups if who == "r1ls"))
    for model in models:
        contexts = [c for who, m, c in groups if who == "r1ls" and m == model]
        base = {r["hole"]: r for r in groups["r1ls", model, contexts[0]]}
        for context in contexts[1:]:
            rows = {r["hole"]: r for r in groups["r1ls", model, context]}
            used = {h: r for h, r in rows.items() if r["piece_tokens"]}
            print_pair("%s: %s less %s" % (model, context, contexts[0]), rows, base)
            print_pair("%s: the same where it says something" % model, used, base)


def print_all(out, n_show):
    rows = holes.load_lines(out / "answers.jsonl")
    compiles = {tuple(row["key"]): row["compiles"] for row in holes.load_lines(out / "compiles.jsonl")}
    groups = collections.defaultdict(list)
    for row in rows:
        row["compiles"] = compiles.get(tuple(key_of(row)))
        groups[row["who"], row["model"], row["context"]].append(row)
    print("| who, model, context | holes | shown | exact of shown | exact | prefix | syntax | compiles | p50 ms | p95 ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for (who, model, context), some in groups.items():
        name = "%s, %s, %s" % (who, os.path.basename(model), context if who == "r1ls" else "plain")
        print_row(name, some)
        for key in ("kind", "language"):
            for value in sorted({r[key] for r in some}):
                print_row("- " + value, [r for r in some if r[key] == value])
    print("\n| exact on the same holes | holes | ours | other | points | 95% of chance | faster in |")
    print("|---|---|---|---|---|---|---|")
    for (who, model, context), some in groups.items():
        if who == "llama" and ("r1ls", model, context) in groups:
            for kind in [None, *sorted({r["kind"] for r in some})]:
                mine, other = ({r["hole"]: r for r in group if kind in (None, r["kind"])}
                               for group in (groups["r1ls", model, context], some))
                print_pair("%s less llama.cpp, %s" % (os.path.basename(model), kind or "all"), mine, other)
    print_ablation(groups)
    print_models(groups)
    print("\n| a quarter shown | holes | right of these | 95% of chance | from the gate |")
    print("|---|---|---|---|---|")
    print_quarters(groups)
    for (who, model, context), some in groups.items():
        if who == "r1ls":
            print_gate("%s, %s" % (os.path.basename(model), context), some)
            for kind in [None, *sorted({r["kind"] for r in some})]:
                print_measures("%s, %s" % (os.path.basename(model), kind or "all"),
                               [r for r in some if kind in (None, r["kind"])])
    for row in [r for r in rows if not r["exact"]][:n_show]:
        print(json.dumps({k: row.get(k) for k in ("who", "hole", "missing", "insert", "why", "line_prob")}))

#!/usr/bin/env python3
"""Whether parts of other files help: the likelihood of what is missing with and without each part.

Usage: context.py R1LS [--model M]... [--holes N] [--kinds rest,line] [--languages c,cpp,python] [--seed N]
       [--sources DIR] [--parts definitions,header,similar] [--threads T] [--seconds S] [--out FILE]

Whether a suggestion is exact says yes or no once a hole; the likelihood says it in parts of a nat, so that some dozens of
holes show what thousands would be needed for. `r1ls complete --show-context` tells what the server shows at a hole of
tests/bench/holes.py; the prompt is made as src/prompt/fim.c makes it, and `r1ls engine score` gives the log-probability
of the text that is missing. Each hole is asked with and without each part; only those count where it says something.
Prints nats a hole (more is better) with the standard error of the difference, and how many holes gain and lose half a nat.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import holes
from llama_server import fim_parts
from quality import path_of

BEFORE, AFTER = 3000, 1000  # characters of the document


class Model:
    def __init__(self, args, model):
        self.program, self.path, self.threads = args.r1ls, path_of(model), str(args.threads)
        self.info = json.loads(self.run(["model", "info", self.path, "--json"]))

    def run(self, words, text=None):
        return subprocess.run([self.program, *words], input=text, capture_output=True, text=True, check=True).stdout

    def ids(self, text):
        return json.loads(self.run(["engine", "tokenize", self.path, "--json"], text)) if text else []

    def file(self, path, text=""):
        return [self.info["file_sep"], *self.ids(path + "\n"), *self.ids(text)]

    def prompt(self, hole, pieces):
        """The ids, and how much of the cursor's line they leave to the answer."""
        info, text = self.info, hole.text
        first = info["fim_order"] == "prefix first"
        cut = hole.start if info["fim_order"] == "suffix first" else max(0, hole.line_start - first)
        start = max(0, cut - BEFORE)
        start = text.find("\n", start, cut) + 1 if start else 0
        prefix, suffix = self.ids(text[start:cut]), self.ids(hole.document[hole.start:hole.start + AFTER])
        ids = [id for path, piece in pieces for id in self.file(path, piece)]
        if pieces or not first:
            ids += self.file(str(hole.path.relative_to(hole.package)))
        for part in fim_parts(info, prefix, suffix):
            ids += part if isinstance(part, list) else [part]
        return ([info["bos"]] if info["add_bos"] == "yes" else []) + ids, text[cut:hole.start]

    def likelihood(self, hole, pieces):
        ids, typed = self.prompt(hole, pieces)
        answer, before = self.ids(typed + hole.missing), self.ids(typed)
        known = 0  # tokens of what is typed that stay when it goes on
        while known < len(before) - 1 and answer[known] == before[known]:
            known += 1
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump(ids + answer, f)
            f.flush()
            scores = json.loads(self.run(["engine", "score", self.path, "--threads", self.threads, "--ids", f.name, "--json"]))
        return sum(s["logprob"] for s in scores["tokens"][len(ids) - 1 + known:])


class Project:
    """A copy of a package, in which holes are punched, and what the server shows of its other files."""

    def __init__(self, args, package, folder):
        self.args, self.folder = args, pathlib.Path(folder) / package.name
        self.env = dict(os.environ, XDG_CACHE_HOME=folder, XDG_STATE_HOME=folder)
        shutil.copytree(package, self.folder, symlinks=True)

    def pieces(self, hole, parts):
        path = self.folder / hole.path.relative_to(hole.package)
        path.write_text(hole.document)
        column = len(hole.text[hole.line_start:hole.start].encode()) + 1
        done = subprocess.run([self.args.r1ls, "complete", f"{path}:{hole.row + 1}:{column}", "--root", self.folder, "--show-context",
                               "--max-tokens", "1", "--no-gate", "--set", "contextParts=" + parts.replace("+", ",")],
                              capture_output=True, text=True, env=self.env)
        path.write_text(hole.text)
        if done.returncode > 1:
            sys.exit("context: %s: %s" % (hole.id, done.stderr))
        pieces = []
        for line in done.stderr.splitlines(keepends=True):
            if line.startswith("--- "):
                pieces.append([line[4:].rstrip("\n"), ""])
            elif pieces and not line.startswith("r1ls: "):
                pieces[-1][1] += line
        return pieces


def report(rows):
    print("| model, part | holes where it says something | without, nats | gain | standard error | better by 0.5 | worse by 0.5 |\n"
          "|---|---|---|---|---|---|---|")
    for model, part in dict.fromkeys((r["model"], r["part"]) for r in rows):
        some = [r for r in rows if (r["model"], r["part"]) == (model, part)]
        gains = [r["with"] - r["without"] for r in some]
        n, mean = len(gains), sum(gains) / len(gains)
        error = (sum((g - mean) ** 2 for g in gains) / max(1, n - 1) / n) ** .5
        print("| %s, %s | %d | %.2f | %+.2f | %.2f | %d | %d |" % (
            model, part, n, sum(r["without"] for r in some) / n, mean, error, sum(g > .5 for g in gains), sum(g < -.5 for g in gains)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1ls")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--holes", type=int, default=60)
    parser.add_argument("--kinds", default="rest,line")
    parser.add_argument("--languages", default="c,cpp,python")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sources", type=pathlib.Path)
    parser.add_argument("--parts", default="definitions,header,similar,definitions+header+similar")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--out", type=pathlib.Path, help="rows of JSON are added to it")
    args = parser.parse_args()
    args.r1ls = os.path.abspath(args.r1ls)
    sources = (args.sources or holes.default_sources()).resolve()
    chosen = holes.choose(sources, args.holes, args.kinds.split(","), args.languages.split(","), args.seed)
    models = {name: Model(args, name) for name in args.model or ["embedded"]}
    rows, projects, end = [], {}, time.monotonic() + args.seconds
    with tempfile.TemporaryDirectory() as folder:
        for hole in chosen:
            if time.monotonic() > end:
                break
            project = projects.get(hole.package) or projects.setdefault(hole.package, Project(args, hole.package, folder))
            pieces = {part: project.pieces(hole, part) for part in args.parts.split(",")}
            for name, model in models.items():
                without = model.likelihood(hole, []) if any(pieces.values()) else 0
                for part, some in pieces.items():
                    if some:
                        rows.append({"model": name, "part": part, "hole": hole.id, "without": without,
                                     "with": model.likelihood(hole, some)})
                        if args.out:
                            with open(args.out, "a") as f:
                                f.write(json.dumps(rows[-1]) + "\n")
    print("%d holes" % len(chosen))
    report(rows)


if __name__ == "__main__":
    main()

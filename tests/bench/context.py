#!/usr/bin/env python3
"""Whether parts of other files help, and in which form they should stand in a prompt.

Usage: context.py prompts PROMPTS [--model M] [--holes N] [--kinds rest,line,block] [--languages c,cpp,python] [--seed N]
                  [--sources DIR] [--bytes N] [--forms F,.. | --bare] --out FILE.jsonl.xz
       context_score.py MODEL.gguf FILE.jsonl.xz SCORES.jsonl       (PyTorch; thousands of prompts want a GPU)
       context.py score R1LS FILE.jsonl.xz SCORES.jsonl [--model M] [--ways REGEX]         (our engine; dozens an hour)
       context.py check R1LS FILE.jsonl.xz SCORES.jsonl [--model M] [--holes N]
       context.py report PROMPTS FILE.jsonl.xz SCORES.jsonl [--model M] [--gate WAY,..]

prompts and report want the same --holes, --kinds, --languages, --seed and --sources.

`prompts` asks the server's own code (PROMPTS is the program tests/bench/prompts.c, `ninja prompts`) what it would give to
the model at each hole of tests/bench/holes.py: without parts of other files, with each part (d, h, s: definitions, header,
similar) and with several (dhs: all). The forms in which parts can stand:
  sep      each under its path behind a file separator, and so the document (src/prompt/fim.c)
  sepless  the same, without a separator and path before the document
  repo     sep behind the repository's name, as Qwen2.5-Coder's makers show it
  comment  commented out, each under its path, at the beginning of what stands before the cursor
  named    not commented out, each under a comment with its path; the document's path before the document
  plain    not commented out, without paths, at the beginning of what stands before the cursor
Beside them: "path", the document's path alone; "named/none"; and "own", half as many tokens more of the document itself.

A score is the log-likelihood of the text that is missing, under the constraint of healing, and what the model writes
there greedily. `score` computes the log-likelihood alone, without the constraint, by our engine. `check` compares log-likelihoods with those of our engine. `report` compares each way with no parts on the
same holes, where it has a part to show: nats a hole with the standard error, exact answers (cut by the server's rules,
judged as quality.py judges) with a 95% interval of the difference by resampling, tokens that it costs.
"""
import argparse
import collections
import json
import lzma
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import holes
from quality import path_of

PARTS = {"d": "definitions", "h": "header", "s": "similar"}
COMBINATIONS = ["d", "h", "s", "dh", "ds", "hs", "dhs"]
FEW = ["d", "h", "s", "dhs"]  # of a form that is only looked at
FORMS = {"prefix first": "sep,comment,named,sepless:few,repo:few,plain:few",
         "suffix first": "sep,comment:few,named:few", "line last": "sep,comment:few,named:few"}
MARKS = {"python": "# "}
RESAMPLES = 2000
GATES = (0, .02, .05, .1, .15, .2, .25, .3, .4)


class Prompts:
    """The program that makes prompts, tokenizes, and cuts answers."""

    def __init__(self, program, model):
        self.process = subprocess.Popen([program, path_of(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline().decode(errors="replace"))
        if isinstance(answer, dict) and "error" in answer:
            sys.exit("context: " + answer["error"])
        return answer

    def ids(self, text):
        return self.ask(tokenize=text) if text else []

    def at(self, hole, **question):
        return self.ask(text=hole.document, path=str(hole.path), root=str(hole.package),
                        byte_off=len(hole.text[:hole.start].encode()), **question)


# --- prompts


def comment_out(mark, text):
    return "".join(mark + line if line.strip() else mark.rstrip() + "\n" for line in text.splitlines(keepends=True))


class Former:
    """Puts parts of other files into the prompts of one hole in each form."""

    def __init__(self, prompts, info, hole, bare):
        self.prompts, self.info, self.hole, self.bare = prompts, info, hole, bare
        self.mark = MARKS.get(hole.language, "// ")
        self.own = str(hole.path.relative_to(hole.package))

    def with_prefix(self, text):
        """The prompt without parts, with text before the document's."""
        prefix, ids, info = self.bare["prefix"], self.bare["ids"], self.info
        if info["fim_order"] == "prefix first":
            at = ids.index(info["fim_suffix"])
            cut = max(0, self.hole.line_start - 1)  # as fim.c cuts it
            above = prefix[:len(prefix) - (self.hole.start - cut)]
            return ids[:ids.index(info["fim_prefix"]) + 1] + self.prompts.ids(text + above) + ids[at:]
        at = ids.index(info["fim_middle"]) + 1
        return ids[:at] + self.prompts.ids(text + prefix[:len(prefix) - len(self.bare["forced"])])

    def form(self, form, made):
        info, ids = self.info, made["ids"]
        start = min(i for i, id in enumerate(ids) if id in (info["fim_prefix"], info["fim_suffix"]))
        if form == "sep":
            return ids
        if form == "sepless":
            return ids[:max(i for i in range(start) if ids[i] == info["file_sep"])] + ids[start:]
        if form == "repo":
            return [151663] + self.prompts.ids(self.hole.package.name + "\n") + ids
        pieces = [piece.partition("\n")[::2] for piece in made["pieces"]]
        if form == "comment":
            return self.with_prefix("".join(comment_out(self.mark, path + ":\n" + text) + "\n" for path, text in pieces))
        if form == "named":
            return self.with_prefix("".join(self.mark + path + "\n" + text + "\n" for path, text in pieces) + self.mark + self.own + "\n")
        return self.with_prefix("".join(text + "\n" for _, text in pieces))


def squeeze(text):
    return re.sub(r"\s+", "", text)


def likeness(hole, pieces):
    """Is what is missing in a part, and is it there between the same lines (a copy of the file)?"""
    text = squeeze("\n".join(pieces))
    before = [line for line in hole.text[:hole.line_start].split("\n") if line.strip()][-1:]
    after = [line for line in hole.text[hole.end:].split("\n")[1:] if line.strip()][:1]
    line = hole.text[hole.line_start:hole.end] + hole.text[hole.end:].split("\n")[0]
    return {"has": squeeze(hole.missing) in text, "copy": squeeze("".join(before) + line + "".join(after)) in text}


def target_of(prompts, hole, bare, typed):
    """The ids that follow the prompt where the missing text stands: they spell what healing took back, too."""
    whole, kept = prompts.ids(typed + hole.missing), prompts.ids(typed[:len(typed) - len(bare["forced"])])
    if whole[:len(kept)] == kept:
        return whole[len(kept):]
    return prompts.ids(bare["forced"] + hole.missing)


def row_of(args, prompts, info, hole):
    bare = prompts.at(hole, parts="none", tokens=0)
    first = info["fim_order"] == "prefix first"
    cut = max(0, hole.line_start - 1) if first else hole.line_start
    ways, told = {"none": bare["ids"]}, {}
    if not args.bare:
        add_ways(args, prompts, info, hole, bare, ways, told)
    return {"hole": hole.id, "kind": hole.kind, "language": hole.language, "package": hole.package.name,
            "forced": bare["forced"], "target": target_of(prompts, hole, bare, hole.text[cut:hole.start]), "parts": told,
            "ways": ways}


def add_ways(args, prompts, info, hole, bare, ways, told):
    """The prompts with parts, and what is to be told of the parts."""
    former = Former(prompts, info, hole, bare)
    more = prompts.at(hole, parts="none", tokens=args.more)
    if len(more["ids"]) > len(bare["ids"]) + 32:
        ways["own"] = more["ids"]
    made = {c: prompts.at(hole, parts=",".join(PARTS[p] for p in c), bytes=args.bytes, tokens=0) for c in COMBINATIONS}
    some = [m for m in made.values() if m["pieces"]]
    if some and info["fim_order"] == "prefix first":
        ways["path"] = former.form("sep", some[0])[some[0]["piece_tokens"]:]
        ways["named/none"] = former.form("named", {**bare, "pieces": []})
    for form in args.forms or FORMS[info["fim_order"]].split(","):
        form, _, few = form.partition(":")
        for c in FEW if few else COMBINATIONS:
            if made[c]["pieces"]:
                ways[form + "/" + c] = former.form(form, made[c])
    for c in COMBINATIONS:
        if made[c]["pieces"]:
            told[c] = {"tokens": made[c]["piece_tokens"], **likeness(hole, made[c]["pieces"])}


def make(args):
    prompts = Prompts(args.program, args.model)
    info = json.loads(subprocess.run([args.r1ls, "model", "info", path_of(args.model), "--json"], check=True,
                                     capture_output=True).stdout)
    args.more = 1536 if info["fim_order"] == "prefix first" else 1999
    chosen = choose(args)
    with lzma.open(args.out, "wt", preset=6) as f:
        head = {"model": args.model, "info": info, **prompts.ask(vocabulary=True)}
        f.write(json.dumps(head) + "\n")
        for n, hole in enumerate(chosen):
            f.write(json.dumps(row_of(args, prompts, info, hole)) + "\n")
            if n % 50 == 49:
                print("%d of %d holes" % (n + 1, len(chosen)), flush=True)


def choose(args):
    sources = (args.sources or holes.default_sources()).resolve()
    return holes.choose(sources, args.holes, args.kinds.split(","), args.languages.split(","), args.seed)


# --- check


def read_prompts(path):
    with lzma.open(path, "rt") as f:
        head = json.loads(f.readline())
        return head, [json.loads(line) for line in f]


def engine_score(args, ids, target):
    """The log-likelihood of target after ids, by our engine."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(ids + target, f)
        f.flush()
        told = json.loads(subprocess.run([args.program, "engine", "score", path_of(args.model), "--ids", f.name, "--json"],
                                         check=True, capture_output=True).stdout)
    return sum(t["logprob"] for t in told["tokens"][len(ids) - 1:])


def score(args):
    _, rows = read_prompts(args.file)
    done = {(s["hole"], s["way"]) for s in holes.load_lines(args.scores)}
    with open(args.scores, "a") as out:
        for row in rows[:args.holes]:
            for way, ids in row["ways"].items():
                if re.search(args.ways, way) and (row["hole"], way) not in done:
                    value = engine_score(args, ids, row["target"])
                    out.write(json.dumps({"hole": row["hole"], "way": way, "plain": value, "healed": value}) + "\n")
                    out.flush()


def check(args):
    _, rows = read_prompts(args.file)
    scores = {(s["hole"], s["way"]): s for s in holes.load_lines(args.scores)}
    print("| hole, way | tokens | ours, nats | PyTorch, nats | difference |\n|---|---|---|---|---|")
    differences, gains = [], []
    for row in rows[:args.holes]:
        pair = []
        for way in [w for w in ("none", "sep/dhs") if (row["hole"], w) in scores]:
            ids, target = row["ways"][way], row["target"]
            ours, theirs = engine_score(args, ids, target), scores[row["hole"], way]["plain"]
            print("| %s, %s | %d | %.3f | %.3f | %+.3f |" % (row["hole"], way, len(target), ours, theirs, theirs - ours), flush=True)
            differences.append(theirs - ours)
            pair.append(theirs - ours)
        if len(pair) == 2:
            gains.append(pair[1] - pair[0])
    for name, some in (("log-likelihood", differences), ("gain", gains)):
        if some:
            print("difference of a %s: mean %+.3f, of its size %.3f, largest %.3f, of %d" % (
                name, sum(some) / len(some), sum(map(abs, some)) / len(some), max(map(abs, some)), len(some)))


# --- report


def interval(differences):
    """95% of what resampled holes would give, points."""
    rng = random.Random(1)
    means = sorted(sum(rng.choices(differences, k=len(differences))) / len(differences) for _ in range(RESAMPLES))
    return 100 * means[int(.025 * RESAMPLES)], 100 * means[int(.975 * RESAMPLES)]


def judge_all(args, rows, scores):
    """(hole, way) -> was the answer right? And those of which nothing was left to show."""
    prompts, chosen = Prompts(args.program, args.model), {hole.id: hole for hole in choose(args)}
    right, empty = {}, set()
    for row in rows:
        hole, known = chosen[row["hole"]], {}
        for way in row["ways"]:
            score = scores.get((row["hole"], way), {})
            if "text" not in score:
                continue
            if score["text"] not in known:
                cut = prompts.at(hole, raw=score["text"], lines=int(hole.kind == "block"))
                tail = hole.document[hole.start:].split("\n")[0].encode()
                replaced = len(tail[:cut["replaced_bytes"]].decode(errors="replace"))
                known[score["text"]] = cut["insert"], holes.judge(hole, cut["insert"], replaced)["exact"]
            insert, right[row["hole"], way] = known[score["text"]]
            if not insert:
                empty.add((row["hole"], way))
    return right, empty


def print_gate(rows, way, scores, right, empty):
    """Precision at thresholds, without the check of syntax."""
    for kind in ("all", *dict.fromkeys(r["kind"] for r in rows)):
        some = [(r["hole"], way) for r in rows if kind in ("all", r["kind"]) and (r["hole"], way) in right]
        if not some:
            continue
        print("\ngate, %s, %s (%d holes): shown, right of shown (standard error), right of all" % (way, kind, len(some)))
        for gate in GATES:
            shown = [key for key in some if key not in empty and scores[key]["line_prob"] >= gate]
            n, hits = max(1, len(shown)), sum(right[key] for key in shown)
            print("  %.2f %5.1f%%  %5.1f%% (%.1f)  %5.1f%%" % (
                gate, 100 * len(shown) / len(some), 100 * hits / n, 100 * (hits / n * (1 - hits / n) / n) ** .5, 100 * hits / len(some)))


class Table:
    def __init__(self, rows, scores, right):
        self.rows, self.scores, self.right = rows, scores, right
        print("| way | holes | tokens more | without, nats | gain, nats (standard error) | better, worse by 0.5 | exact without | with | points (95%) |\n"
              "|---|---|---|---|---|---|---|---|---|")

    def line(self, name, way, base, wanted):
        """Compares two ways in the holes where both are there and wanted(row)."""
        some = [r for r in self.rows if (r["hole"], way) in self.scores and (r["hole"], base) in self.scores and wanted(r)]
        if len(some) < 2:
            return
        value = lambda r, w: self.scores[r["hole"], w]["healed"]
        gains, n = [value(r, way) - value(r, base) for r in some], len(some)
        mean = sum(gains) / n
        error = (sum((g - mean) ** 2 for g in gains) / (n - 1) / n) ** .5
        cost = sum(len(r["ways"][way]) - len(r["ways"][base]) for r in some) / n
        print("| %s | %d | %.0f | %.2f | %+.2f (%.2f) | %d, %d | %s |" % (
            name, n, cost, sum(value(r, base) for r in some) / n, mean, error, sum(g > .5 for g in gains), sum(g < -.5 for g in gains),
            self.exact([r["hole"] for r in some], base, way)))

    def exact(self, some, base, way):
        pairs = [(self.right[h, base], self.right[h, way]) for h in some if (h, base) in self.right and (h, way) in self.right]
        if not pairs:
            return "| |"
        without, with_ = (100 * sum(p) / len(pairs) for p in zip(*pairs))
        return "%.1f%% | %.1f%% | %+.1f (%+.1f to %+.1f)" % (without, with_, with_ - without, *interval([b - a for a, b in pairs]))


def report(args):
    head, rows = read_prompts(args.file)
    scores = {(s["hole"], s["way"]): s for s in holes.load_lines(args.scores)}
    rows = [r for r in rows if (r["hole"], "none") in scores]
    right, empty = judge_all(args, rows, scores)
    print("%s: %d holes (%s)" % (head["model"], len(rows), ", ".join(
        "%s %d" % item for item in sorted(collections.Counter(r["package"] for r in rows).items()))))
    for way in args.gate.split(","):
        print_gate(rows, way, scores, right, empty)
    if not any(r["parts"] for r in rows):
        return
    for c in FEW:
        told = [r["parts"][c] for r in rows if c in r["parts"]]
        print("%s: in %d holes, %.0f tokens; what is missing stands in a part in %d, between the same lines in %d" % (
            c, len(told), sum(t["tokens"] for t in told) / max(1, len(told)), sum(t["has"] for t in told), sum(t["copy"] for t in told)))
    ways = list(dict.fromkeys(w for r in rows for w in r["ways"]))
    table = Table(rows, scores, right)
    for way in ways:
        if way != "none":
            table.line(way, way, "none", lambda r: True)
    print("\nWhat a part adds to the other two:\n")
    table = Table(rows, scores, right)
    for form in dict.fromkeys(w.partition("/")[0] for w in ways if "/" in w):
        for part, others in (("d", "hs"), ("h", "ds"), ("s", "dh")):
            table.line("%s, %s" % (form, part), form + "/dhs", form + "/" + others, lambda r: part in r["parts"])
    for key in ("language", "kind", "package"):
        print("\nBy %s, all parts:\n" % key)
        table = Table(rows, scores, right)
        for form in dict.fromkeys(w.partition("/")[0] for w in ways if "/" in w):
            for value in sorted({r[key] for r in rows}):
                table.line("%s, %s" % (form, value), form + "/dhs", "none", lambda r: r[key] == value)
    print("\nWithout holes whose lines stand in a part:\n")
    table = Table(rows, scores, right)
    for way in ways:
        c = way.partition("/")[2]
        if c in FEW:
            table.line(way, way, "none", lambda r: not r["parts"][c]["copy"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("prompts", "score", "check", "report"))
    parser.add_argument("program", help="the program prompts; of score and check: r1ls")
    parser.add_argument("file", nargs="?")
    parser.add_argument("scores", nargs="?", type=pathlib.Path)
    parser.add_argument("--r1ls", default="r1ls", help="for facts of the model")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--holes", type=int, default=720)
    parser.add_argument("--kinds", default="rest,line,block")
    parser.add_argument("--languages", default="c,cpp,python")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sources", type=pathlib.Path)
    parser.add_argument("--bytes", type=int, default=1600, help="of parts (contextBytes)")
    parser.add_argument("--forms", type=lambda s: s.split(","), help="FORM or FORM:few")
    parser.add_argument("--ways", default="", help="score those that match")
    parser.add_argument("--gate", default="none", help="ways of which report prints what the gate would show")
    parser.add_argument("--bare", action="store_true", help="without parts only, such as for the gate")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    args.program = os.path.abspath(args.program)
    {"prompts": make, "score": score, "check": check, "report": report}[args.what](args)


if __name__ == "__main__":
    main()

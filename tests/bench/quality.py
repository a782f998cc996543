#!/usr/bin/env python3
"""How often suggestions are right, and what the gate does: holes in code that no model of ours saw.

Usage: quality.py R1LS_BINARY [--model NAME] [--holes N] [--kind rest|closed|line] [--corpus DIR]
       [--prompt-tokens N] [--seed S] [--show N] [--languages c,cc,py]
       [--threads N] [--multi-line]

Punches holes in real files, asks `r1ls complete` and compares the cursor's line with the original:
  rest    the rest of a line from a random place on
  closed  the same within brackets, which an editor has closed after the cursor
  line    a whole line; the cursor stands after its indentation
Prints the rate of exact lines and, for thresholds of the gate, how many suggestions are shown and
how many of these are right. The corpus (memcached, tmux, jansson, leveldb; requests, flask,
networkx) is fetched with apt-get source and pip into the user's cache folder when it is missing.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

DEBIAN = ["memcached", "tmux", "jansson", "leveldb"]
PYTHON = ["requests==2.31.0", "flask==3.0.0", "networkx==3.2"]
PAIRS = {"(": ")", "[": "]", "{": "}"}
THRESHOLDS = (0, .3, .4, .5, .55, .6, .65, .7, .75, .8, .85, .9, .95)


def fetch(folder):
    """Sources by apt and pip, in a folder of their own; the system's package lists stay alone."""
    parts = folder / "sources"
    parts.mkdir(parents=True)
    (folder / "lists/partial").mkdir(parents=True)
    etc = pathlib.Path("/etc/apt")
    for path in [etc / "sources.list", *(etc / "sources.list.d").glob("*")]:
        if path.is_file() and "debian" in path.read_text():
            text = re.sub(r"(?m)^deb ", "deb-src ", path.read_text())
            (parts / path.name).write_text(re.sub(r"(?m)^Types: .*", "Types: deb-src", text))
    options = ["-o", "Dir::Etc::sourcelist=-", "-o", f"Dir::Etc::sourceparts={parts}",
               "-o", f"Dir::State::lists={folder}/lists", "-qq"]
    subprocess.run(["apt-get", *options, "update"], check=True)
    subprocess.run(["apt-get", *options, "source", *DEBIAN], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target",
                    str(folder / "python"), *PYTHON], check=True)


def corpus_files(folder, languages):
    """Source files by package, so that a large package does not outweigh the others."""
    packages = collections.defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lstrip(".") in languages and path.is_file() and "dist-info" not in str(path):
            top = path.relative_to(folder).parts
            packages[top[1] if top[0] == "python" else top[0]].append(path)
    return packages


def open_brackets(text):
    """Closers of what text opens, innermost first; None within a string."""
    stack, quote, skip = [], None, False
    for c in text:
        if skip:
            skip = False
        elif quote:
            skip = c == "\\"
            quote = None if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in PAIRS:
            stack.append(PAIRS[c])
        elif stack and c == stack[-1]:
            stack.pop()
    return None if quote else "".join(reversed(stack))


def punch(lines, row, kind, rng):
    """(text before the cursor, text after it) of the line, or None if this line is no hole."""
    line = lines[row].rstrip()
    body = line.lstrip()
    if len(body) < 8 or body.startswith(("#", "//", "*", "/*", '"""')):
        return None
    indent = len(line) - len(body)
    if kind == "line":
        return line[:indent], ""
    cut = indent + max(1, int(len(body) * rng.uniform(.2, .8)))
    closers = open_brackets(line[:cut])
    if kind == "rest":
        return line[:cut], ""
    return (line[:cut], closers) if closers else None


def ask(args, root, path, text, row, before):
    """The file with the hole in its place in a copy of its package, so that the others can be seen."""
    kept = path.read_text(errors="surrogateescape")
    path.write_text(text)
    place = f"{path}:{row + 1}:{len(before.encode()) + 1}"
    command = [args.binary, "complete", place, "--json", "--root", str(root), "--set",
               "gate=0.001", "--set", "budgetMs=0", "--set", f"promptTokens={args.prompt_tokens}",
               "--threads", str(args.threads), "--set", "multiLine=" + ("true" if args.multi_line else "false"),
               "--set", f"contextParts={args.context}"]
    for setting in args.set:
        command += ["--set", setting]
    if args.model:
        command += ["--model", args.model]
    done = subprocess.run(command, capture_output=True, text=True)
    path.write_text(kept, errors="surrogateescape")
    if done.returncode not in (0, 1):
        sys.exit("quality: " + done.stderr.strip())
    return json.loads(done.stdout)


def copy_package(folder, path, scratch):
    """(root of the package's copy, the file in it)."""
    parts = path.relative_to(folder).parts
    top = parts[:2] if parts[0] == "python" else parts[:1]
    root = scratch / pathlib.Path(*top)
    if not root.exists():
        shutil.copytree(folder / pathlib.Path(*top), root, symlinks=True)
    return root, scratch / pathlib.Path(*parts)


def accepted_line(before, after, answer):
    """The cursor's line once the suggestion is taken."""
    if not answer["items"]:
        return None
    item = answer["items"][0]
    replaced = item["range"]["end"]["column"] - item["range"]["start"]["column"]
    return (before + item["insertText"] + after[replaced:]).split("\n")[0].rstrip()


def is_right(line, original, kind):
    if line is None:
        return False
    # What an editor closed needs its separator still, which the user types with the bracket.
    return line == original or (kind == "closed" and line == original.rstrip(";,:{ "))


def measure(args, packages, source, folder):
    rng, rows = random.Random(args.seed), []
    names = sorted(packages)
    while len(rows) < args.holes:
        path = rng.choice(packages[rng.choice(names)])
        lines = path.read_text(errors="replace").split("\n")
        row = rng.randrange(len(lines))
        hole = punch(lines, row, args.kind, rng)
        if hole is None or len(lines) > 20000:
            continue
        before, after = hole
        text = "\n".join(lines[:row] + [before + after] + lines[row + 1:])
        root, copied = copy_package(source, path, folder)
        answer = ask(args, root, copied, text, row, before)
        line = accepted_line(before, after, answer)
        original = lines[row].rstrip()
        rows.append({"confidence": answer["confidence"], "shown": line is not None,
                     "right": is_right(line, original, args.kind), "line": line,
                     "original": original, "before": before, "why": answer["why_nothing"],
                     "prefill_ms": answer["ms"]["prefill"], "pieces": answer["piece_tokens"], "raw": answer["raw"]})
    return rows


def report(args, rows):
    n = len(rows)
    right = sum(r["right"] for r in rows)
    print(f"{args.model or 'embedded'}, {args.kind}: {n} holes, exact {right / n:.0%}, "
          f"prefill {sorted(r['prefill_ms'] for r in rows)[n // 2]:.0f} ms; "
          f"of other files in {sum(r['pieces'] > 0 for r in rows) / n:.0%}, exact there "
          f"{sum(r['right'] for r in rows if r['pieces']) / max(1, sum(r['pieces'] > 0 for r in rows)):.0%}")
    print("nothing shown:", dict(collections.Counter(r["why"] for r in rows if not r["shown"])))
    print("gate  shown  right of shown  right of all")
    for gate in THRESHOLDS:
        shown = [r for r in rows if r["shown"] and r["confidence"] >= gate]
        good = sum(r["right"] for r in shown)
        print(f"{gate:4.2f}  {len(shown) / n:5.0%}  {good / max(1, len(shown)):14.0%}  "
              f"{good / n:12.0%}")
    for r in rows[:args.show]:
        print(json.dumps(r))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--model", default="")
    parser.add_argument("--holes", type=int, default=100)
    parser.add_argument("--kind", choices=["rest", "closed", "line"], default="rest")
    parser.add_argument("--corpus", type=pathlib.Path)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--languages", default="c,cc,py")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--multi-line", action="store_true")
    parser.add_argument("--context", default="none", help="contextParts: definitions, header, all, none")
    parser.add_argument("--set", action="append", default=[], help="another setting, KEY=VALUE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0)
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    folder = args.corpus
    if folder is None:
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        folder = pathlib.Path(cache) / "r1ls/held-out"
        if not folder.is_dir():
            fetch(folder)
    packages = corpus_files(folder, args.languages.split(","))
    if not packages:
        sys.exit(f"quality: no source files in {folder}")
    with tempfile.TemporaryDirectory() as scratch:
        report(args, measure(args, packages, folder, pathlib.Path(scratch)))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Does the model's order of completions help, and is it there in time?

usage: completion.py R1LS [--model M] [--places N] [--seed S] [--key-ms MS] [--sources FOLDER] [--out FILE]

Places are names in sources that no model of ours saw (holes.py); the rest of the line is taken away. As an editor does, the
last keys before the name and its first letters are typed, and after each key ghost text and, within a word or after `.`, `>`
and `:`, completion are asked for at the same time. Printed: where the right name stands in the list (mean reciprocal rank,
share of first places) after none, one and two of its letters, with the model's order and without; how many lists had it in
time; the time until the answer.
"""
import argparse
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import holes  # noqa: E402
from lsp_client import Client  # noqa: E402

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{3,}")
KEYS_BEFORE, MAX_LETTERS = 10, 2
LANGUAGE_IDS = {"c": "c", "cpp": "cpp", "python": "python"}
WAIT_S = 60


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0


class Place:
    def __init__(self, path, package, language, text, start, name):
        self.path, self.package, self.language, self.name = path, package, language, name
        line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", start)
        self.row, self.line = text.count("\n", 0, start), text[line_start:start]
        first = min(len(self.line) - len(self.line.lstrip()), len(self.line))
        self.keys_from = max(first, len(self.line) - KEYS_BEFORE)
        self.text = text[:line_start] + self.line[:self.keys_from] + text[line_end:]
        self.id = "%s:%d:%d" % (path.name, self.row + 1, len(self.line))


def choose(folder, n, seed):
    rng = random.Random(seed)
    found = holes.find_files(folder, set(LANGUAGE_IDS))
    packages = [(language, package, files) for language in sorted(found) for package, files in sorted(found[language].items())]
    places, tries = [], 0
    while len(places) < n and tries < 100 * n:
        tries += 1
        language, package, files = packages[len(places) % len(packages)]
        path = rng.choice(files)
        text = path.read_text(errors="replace")
        if len(text) > 300000 or "\ufffd" in text or "\r" in text:
            continue
        start = rng.randrange(len(text) + 1)
        match = NAME.search(text, start)
        if not match:
            continue
        line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        whole = match.start() == 0 or not re.match(r"\w", text[match.start() - 1])
        code = not re.search(r"""["'#]|//|^\s*/?\*""", line) and text.count('"""', 0, match.start()) % 2 == 0
        known = len(re.findall(r"\b%s\b" % match[0], text)) > 1
        inside = text.rfind("/*", 0, match.start()) <= text.rfind("*/", 0, match.start())
        if whole and code and known and inside and match.end() < len(text):
            places.append(Place(path, package, language, text, match.start(), match[0]))
    return places


class Editor:
    def __init__(self, args, cache, ranked):
        command = [args.r1ls, "--standalone", "--threads", str(args.threads)]
        if args.model != "embedded":
            command += ["--model", args.model]
        env = dict(os.environ, XDG_CACHE_HOME=cache, XDG_STATE_HOME=cache, XDG_RUNTIME_DIR=cache)
        self.client, self.package, self.ranked, self.args = Client(command, env), None, ranked, args
        self.client.start(None, {"rankCompletion": ranked, "prefixCacheMb": 0, "compilerDiagnostics": False, "rulesOff": "all"},
                          encodings=("utf-16",))
        self.wait()

    def wait(self):
        while True:
            status = self.client.call("r1ls/status", {})["result"]
            if status["engine"] == "failed":
                sys.exit("completion: " + status["error"])
            if status["engine"] == "ready" and not status["scanning"]:
                return
            time.sleep(.02)

    def enter(self, package):
        if package == self.package:
            return
        old, self.package = self.package, package
        folders = [[{"uri": p.as_uri(), "name": p.name}] if p else [] for p in (package, old)]
        self.client.notify("workspace/didChangeWorkspaceFolders", {"event": dict(zip(("added", "removed"), folders))})
        self.wait()

    def params(self, place, column, **context):
        return {"textDocument": {"uri": place.path.as_uri()}, "position": {"line": place.row, "character": column},
                "context": context}

    def ghost(self, place, column):
        return self.client.request("textDocument/inlineCompletion", self.params(place, column, triggerKind=2)) if self.ranked else 0

    def complete(self, place, column, key):
        """(the labels in their order, was it the model's, ms)."""
        by_key = {"triggerKind": 2, "triggerCharacter": key} if key in ".>:" else {"triggerKind": 1}
        start = time.monotonic()
        asked = self.client.request("textDocument/completion", self.params(place, column, **by_key))
        ghost = self.ghost(place, column)
        result = self.client.wait(asked, WAIT_S)["result"]
        ms = 1e3 * (self.client.answers[asked][0][0] - start)
        items = sorted(result["items"], key=lambda item: item["sortText"])
        why = self.client.call("r1ls/explain", {"textDocument": {"uri": place.path.as_uri()}})["result"]
        return [item["label"] for item in items], why["completion"]["order"] == "the model's", ms, ghost

    def visit(self, place):
        """letters typed -> (labels, ranked, ms)."""
        self.enter(place.package)
        uri, version, lists = place.path.as_uri(), 1, {}
        self.client.notify("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": LANGUAGE_IDS[place.language], "version": 1, "text": place.text}})
        self.client.call("textDocument/foldingRange", {"textDocument": {"uri": uri}})
        column = place.keys_from
        if self.ranked:  # the user has been here for a moment
            self.client.wait(self.ghost(place, column), WAIT_S)
        for key in place.line[place.keys_from:] + place.name[:MAX_LETTERS]:
            at = {"line": place.row, "character": column}
            version, column, start, ghost = version + 1, column + 1, time.monotonic(), 0
            self.client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": version}, "contentChanges": [
                {"range": {"start": at, "end": at}, "text": key}]})
            if re.match(r"[\w.>:]", key):
                labels, ranked, ms, ghost = self.complete(place, column, key)
                typed = column - len(place.line)
                if typed >= 0:
                    lists[typed] = (labels, ranked, ms)
            else:
                ghost = self.ghost(place, column)
            if self.ranked:
                time.sleep(max(0, self.args.key_ms / 1e3 - (time.monotonic() - start)))
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        return lists

    def close(self):
        self.client.process.kill()
        self.client.process.wait()


def report(rows):
    for letters in range(MAX_LETTERS + 1):
        some = [r for r in rows if r["letters"] == letters]
        both = [r for r in some if r["before"] and r["after"]]
        if not both:
            continue
        intime = [r for r in both if r["ranked"]]
        print("%d letters: %d lists, the name in %d of them; ranked in time %.0f%%; median length %d" % (
            letters, len(some), len(both), 100 * sum(r["ranked"] for r in some) / len(some),
            percentile([r["n"] for r in both], .5)))
        for what, group in (("all", both), ("in time", intime)):
            for side in ("before", "after"):
                ranks = [r[side] for r in group]
                if ranks:
                    print("  %-8s %-14s mean reciprocal rank %.3f, first %.1f%%, in the first five %.1f%%" % (
                        what, "without" if side == "before" else "the model's", sum(1 / k for k in ranks) / len(ranks),
                        100 * sum(k == 1 for k in ranks) / len(ranks), 100 * sum(k <= 5 for k in ranks) / len(ranks)))
    times = [r["ms"] for r in rows]
    print("time until the answer: median %.1f, p99 %.1f, longest %.1f ms; without the model %.1f, %.1f, %.1f ms" % (
        percentile(times, .5), percentile(times, .99), max(times), *(f([r["ms_before"] for r in rows]) for f in (
            lambda v: percentile(v, .5), lambda v: percentile(v, .99), max))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("r1ls")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--places", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--key-ms", type=float, default=150)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sources", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--out")
    args = parser.parse_args()
    places = choose(args.sources or holes.default_sources(), args.places, args.seed)
    places.sort(key=lambda place: str(place.package))
    rows, end = [], time.monotonic() + args.seconds
    with tempfile.TemporaryDirectory() as cache:
        editors = [Editor(args, cache + "/%d" % ranked, ranked) for ranked in (False, True)]
        for place in places:
            if time.monotonic() > end:
                break
            before, after = [editor.visit(place) for editor in editors]
            for letters in sorted(set(before) & set(after)):
                labels = [side[letters][0] for side in (before, after)]
                ranks = [1 + side.index(place.name) if place.name in side else 0 for side in labels]
                rows.append({"id": place.id, "name": place.name, "letters": letters, "n": len(labels[1]), "before": ranks[0],
                             "after": ranks[1], "ranked": after[letters][1], "ms": after[letters][2],
                             "ms_before": before[letters][2], "labels": labels[1][:5]})
        for editor in editors:
            editor.close()
    if args.out:
        pathlib.Path(args.out).write_text("".join(json.dumps(row) + "\n" for row in rows))
    report(rows)


if __name__ == "__main__":
    main()

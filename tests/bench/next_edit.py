#!/usr/bin/env python3
"""How often the next edit is the right one, in held-out code (tests/bench/holes.py).

usage: next_edit.py R1LS [--model M] [--functions N] [--seconds S] [--threads T] [--sources DIR] [--show]

signature: of a function that its file calls, a parameter is taken away, and its argument from all calls and prototypes.
           Then it is typed into the definition again, and the offered edits are followed. Right is what stood there.
rename:    a parameter gets another name where it is declared. Right are the places of the name in the function, found
           by words (no strings, comments, members, keywords of Python's calls).

Where an edit is offered at a right place with another text, the right one is put there and the walk goes on; a wrong place
ends it. Printed: offered, how many of them right, and how many of all places were offered right (found).
"""
import argparse
import collections
import os
import pathlib
import random
import re
import sys
import tempfile
import time

import holes

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from lsp_client import Client  # noqa: E402

PAIRS = {"(": ")", "[": "]", "{": "}"}
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined", "and", "or", "not", "in", "print"}


def blank(text, language):
    """The text with strings and comments as blanks of the same length."""
    comment = r"#[^\n]*" if language == "python" else r"//[^\n]*|/\*.*?\*/|^[ \t]*#[^\n]*"
    string = r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub("(?ms)" + string + "|" + comment, lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def items(code, start):
    """(ranges of what commas part in the brackets at start, offset behind them), or None."""
    stack, parts, begin = [], [], start + 1
    for i in range(start, min(len(code), start + 2000)):
        c = code[i]
        if c in PAIRS:
            stack.append(PAIRS[c])
        elif stack and c == stack[-1]:
            stack.pop()
            if not stack:
                if code[begin:i].strip():
                    parts.append((begin, i))
                return parts, i + 1
        elif c == "," and len(stack) == 1:
            parts.append((begin, i))
            begin = i + 1
        elif c in ")]}":
            return None
    return None


Function = collections.namedtuple("Function", "name definition parameters lists body")


def functions(text, language):
    """Functions with their definition's parameters and all lists of the same length in the file."""
    code = blank(text, language)
    lists = collections.defaultdict(list)
    for m in re.finditer(r"\b([A-Za-z_]\w*)\(", code):
        found = items(code, m.end() - 1)
        if found and m[1] not in KEYWORDS:
            before = code[max(0, m.start() - 5):m.start()]
            after = code[found[1]:found[1] + 3].lstrip(" \n")
            defines = before.endswith("def ") if language == "python" else after.startswith("{")
            lists[m[1]].append((defines, *found, before.rstrip().endswith((".", "->"))))
    for name, some in lists.items():
        own = [l for l in some if l[0]]
        if len(own) != 1 or any(l[3] for l in some):
            continue
        _, parameters, end, _ = own[0]
        texts = [text[a:b].strip() for a, b in parameters]
        if not texts or any("=" in t or "*" == t[0] or t in ("void", "...", "self", "cls") for t in texts):
            continue
        yield Function(name, own[0], texts, some, end)


def body_end(code, start, language):
    if language == "python":
        row = code.rfind("\n", 0, start) + 1
        indent = len(code[row:]) - len(code[row:].lstrip(" "))
        for m in re.finditer(r"\n( *)(?=\S)", code[start:]):
            if len(m[1]) <= indent and not code[start + m.end():].startswith(")"):
                return start + m.start()
        return len(code)
    depth = 0
    for i in range(start, len(code)):
        depth += (code[i] == "{") - (code[i] == "}")
        if code[i] == "}" and depth <= 0:
            return i
    return len(code)


class Editor:
    def __init__(self, args, cache):
        env = dict(os.environ, XDG_CACHE_HOME=cache, XDG_STATE_HOME=cache, XDG_RUNTIME_DIR=cache)
        command = [args.r1ls, "--standalone", "--threads", str(args.threads), *(["--model", args.model] if args.model else [])]
        self.client, self.n = Client(command, env), 0
        self.client.start(ROOT.as_uri(), {"nextEdit": True, "indexFiles": 0, "computeAhead": "off", "rulesOff": "all",
                                          "prefixCacheMb": 0}, encodings=("utf-8",))
        while self.client.call("r1ls/status", {})["result"]["engine"] == "loading":
            time.sleep(.05)

    def open(self, text, language):
        self.n += 1
        self.uri, self.version, self.text = "file:///next/edit%d.%s" % (self.n, {"python": "py", "cpp": "cc"}.get(language, "c")), 1, text
        self.client.notify("textDocument/didOpen", {"textDocument": {"uri": self.uri, "languageId": language, "version": 1,
                                                                     "text": text}})

    def place(self, at):
        before = self.text[:at]
        return {"line": before.count("\n"), "character": len(before[before.rfind("\n") + 1:].encode())}

    def replace(self, start, end, new):
        self.version += 1
        self.client.notify("textDocument/didChange", {
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": {"start": self.place(start), "end": self.place(end)}, "text": new}]})
        self.text = self.text[:start] + new + self.text[end:]
        self.cursor = start + len(new)

    def next(self):
        result = self.client.call("textDocument/inlineEdit", {"textDocument": {"uri": self.uri},
                                                              "position": self.place(self.cursor)})["result"]
        for edit in (result or {"edits": []})["edits"]:
            lines = self.text.split("\n")
            offsets = []
            for p in (edit["range"]["start"], edit["range"]["end"]):
                line = lines[p["line"]].encode()[:p["character"]].decode()
                offsets.append(sum(len(l) + 1 for l in lines[:p["line"]]) + len(line))
            return offsets[0], offsets[1], edit["text"]
        return None

    def close(self):
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})


def squeeze(text):
    return re.sub(r"\s+", "", text)


def follow(editor, right, counts, show, texts=()):
    """right: squeezed whole texts that are steps on the way, as the function of a text that says so."""
    while (edit := editor.next()):
        counts["offered"] += 1
        start, end, new = edit
        after = editor.text[:start] + new + editor.text[end:]
        step = right(after, start)
        if step is None:
            if show:
                print("  wrong place: %r -> %r" % (editor.text[max(0, start - 40):end + 20], new))
            return
        counts["right"] += step == after
        if show and step != after:
            print("  wrong text: %r" % new)
        start = len(os.path.commonprefix([editor.text, step]))
        tail = len(os.path.commonprefix([editor.text[start:][::-1], step[start:][::-1]]))
        editor.replace(start, len(editor.text) - tail, step[start:len(step) - tail])


def without(text, parts, end, k):
    """The cut that takes item k from a list: (start, end)."""
    start, stop = parts[k]
    if k + 1 < len(parts):
        return start + (len(text[start:]) - len(text[start:].lstrip())), parts[k + 1][0] + (
            len(text[parts[k + 1][0]:]) - len(text[parts[k + 1][0]:].lstrip()))
    return (parts[k - 1][1], stop) if k else (start, stop)


def signature(editor, text, language, f, k, counts, show):
    same = [l for l in f.lists if len(l[1]) == len(f.parameters)]
    cuts = sorted((*without(text, parts, end, k), defines) for defines, parts, end, _ in same)
    if any(a[1] > b[0] for a, b in zip(cuts, cuts[1:])):
        return  # a call within a call's arguments
    small, offsets, at = "", [], 0
    for start, end, defines in cuts:
        small += text[at:start]
        offsets.append((len(small), text[start:end], defines))
        at = end
    small += text[at:]
    counts["places"] += len(offsets) - 1
    editor.open(small, language)
    own, = [o for o in offsets if o[2]]
    editor.replace(own[0], own[0], own[1])
    done = {own}

    def right(after, start):
        best = None
        for o in offsets:
            if o in done:
                continue
            shift = sum(len(d[1]) for d in done if d[0] < o[0])
            step = editor.text[:o[0] + shift] + o[1] + editor.text[o[0] + shift:]
            if squeeze(step) == squeeze(after):
                done.add(o)
                return after
            if abs(o[0] + shift - start) <= 2 or editor.text[start:o[0] + shift].count("\n") == 0 and start <= o[0] + shift <= start + 200:
                best = best or (o, step)
        if best:
            done.add(best[0])
            return best[1]
        return None

    follow(editor, right, counts, show)
    editor.close()


def rename(editor, text, language, f, k, counts, show):
    name = re.findall(r"[A-Za-z_]\w*", f.parameters[k].split(":")[0].split("[")[0])[-1:]
    if not name or not re.search(r"\b%s\b" % name[0], f.parameters[k]):
        return
    name, code = name[0], blank(text, language)
    start, end = f.definition[1][k][0], body_end(code, f.definition[2], language)
    words = [start + m.start() for m in re.finditer(r"(?<![\w.>])%s\b(?!\s*=[^=]|\s*\()" % name if language == "python" else
                                                    r"(?<![\w.>])%s\b" % name, code[start:end])]
    if len(words) < 2 or (language == "python" and re.search(r"\b%s\s*=[^=]" % name, code[start:end])):
        return
    new = name + "_renamed"
    counts["places"] += len(words) - 1
    editor.open(text, language)
    editor.replace(words[0], words[0] + len(name), new)
    left = set(words[1:])

    def right(after, at):
        for w in left:
            shift = len(new) - len(name)
            moved = w + shift * sum(x < w for x in words if x not in left)
            if moved == at:
                left.discard(w)
                return editor.text[:at] + new + editor.text[at + len(name):]
        return None

    follow(editor, right, counts, show)
    editor.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1ls")
    parser.add_argument("--model")
    parser.add_argument("--functions", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=500)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--sources", type=pathlib.Path)
    parser.add_argument("--kinds", default="rename,signature")
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    rng, found = random.Random(1), holes.find_files(args.sources or holes.default_sources(), ["c", "cpp", "python"])
    paths = [(language, path) for language, packages in found.items() for some in packages.values() for path in some]
    rng.shuffle(paths)
    end, n = time.monotonic() + args.seconds, 0
    counts = {(kind, language): collections.Counter() for kind in args.kinds.split(",") for language in found}
    with tempfile.TemporaryDirectory() as cache:
        editor = Editor(args, cache)
        for language, path in paths:
            text = path.read_bytes().decode(errors="replace")
            some = list(functions(text, language)) if "\r" not in text and len(text) < 200000 else []
            for f in rng.sample(some, min(2, len(some))):
                k = rng.randrange(len(f.parameters))
                if "rename" in args.kinds:
                    rename(editor, text, language, f, k, counts["rename", language], args.show)
                if "signature" in args.kinds and len(f.lists) > 1:
                    signature(editor, text, language, f, k, counts["signature", language], args.show)
                n += 1
            if n >= args.functions or time.monotonic() > end:
                break
        editor.client.process.kill()
    print("| kind, language | places | offered | right of these | found |")
    print("|---|---|---|---|---|")
    for (kind, language), c in counts.items():
        if c["places"]:
            print("| %s, %s | %d | %d | %.0f%% | %.0f%% |" % (kind, language, c["places"], c["offered"],
                                                            100 * c["right"] / max(1, c["offered"]), 100 * c["right"] / c["places"]))


if __name__ == "__main__":
    main()

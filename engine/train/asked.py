"""Holes in files of the corpus that a larger model is asked about, and which of its answers a student learns from (distill.py)."""
import collections, itertools, os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "rl"))
from bodies import documented, indent_of
from prompts import body_end
from verdict import judge

BEFORE, AFTER = 2000, 800  # characters of the prompt
KEPT_BEFORE, KEPT_AFTER = 5000, 1800  # of the file around an answer: what a prompt of the server can hold
SURE = {"body": -0.6, "block": -0.4, "line": -0.3, "rest": -0.3}  # the mean log-probability of a token from which an answer that is not the file's counts
BODIES, OTHERS = 4, 3  # holes of a file at most
BODY_CHARACTERS = 900
COMMENTS = ("#", "//", "*", "/*", '"""')


def some_lines(lines, count, rng):
    """The first rows of `count` lines that say something."""
    rows = [i for i, l in enumerate(lines) if 8 <= len(l.strip()) <= 100 and not l.strip().startswith(COMMENTS)]
    return rng.sample(rows, min(count, len(rows)))


def rest_of(line, rng):
    """Where a line is cut: before a word, with at least a word before it and behind it."""
    cuts = [m.start() for m in re.finditer(r" ?\w+", line) if m.start() > indent_of(line) + 2 and len(line[m.start():].strip(" )]};:,")) > 2]
    return rng.choice(cuts) if cuts else -1


def holes_in(row, rng):
    """[kind, first character, one after the last, row of the first line, of the last]"""
    lines = row["text"].splitlines(keepends=True); starts = [0, *itertools.accumulate(map(len, lines))]
    end = lambda j: starts[j] + len(lines[j].rstrip("\r\n")); found = [(i, j) for _, i, j in documented(lines) if j > i and end(j) - starts[i] <= BODY_CHARACTERS]
    out = [["body", starts[i], end(j), i, j] for i, j in rng.sample(found, min(BODIES, len(found)))]
    first, *others = some_lines(lines, OTHERS, rng) or [None]
    if first is not None and first < len(lines) - 6:
        j = first + rng.choice((1, 1, 2, 3, 4, 5))
        if lines[j].strip(): out.append(["block", starts[first], end(j), first, j])
    for kind, i in zip(("line", "rest"), others):
        cut = 0 if kind == "line" else rest_of(lines[i].rstrip("\r\n"), rng)
        if cut >= 0: out.append([kind, starts[i] + cut, end(i), i, i])
    return out


class Hole:
    def __init__(self, row, kind, begin, end, first, last): self.row, self.kind, self.begin, self.end, self.first, self.last = row, kind, begin, end, first, last

    def prompt(self):
        text = self.row["text"]; start = max(0, self.begin - BEFORE); start = text.find("\n", start, self.begin) + 1 if start else 0
        return f"<|fim_prefix|>{text[start:self.begin]}<|fim_suffix|>{text[self.end:self.end + AFTER]}<|fim_middle|>"

    def ended(self, answer, ended):
        """An answer up to the hole's end: a line's break, a body's last line; None: it came to none."""
        if self.kind in ("line", "rest"): return answer.split("\n")[0] if "\n" in answer.lstrip("\n") or ended else None
        if self.kind == "body":
            indent = re.match(r"\s*", self.row["text"][self.begin:])[0]; at = body_end(answer, self.row["lang"], indent)
            return answer[:at].rstrip() if at is not None else answer.rstrip() if ended else None
        return answer.rstrip() if ended else None

    def filled(self, answer, said):
        """The row of the corpus with the answer in the hole, as much of it as a prompt can hold."""
        text = self.row["text"]; start = max(0, self.begin - KEPT_BEFORE); start = text.find("\n", start, self.begin) + 1 if start else 0
        start = min(start, text.rfind("\n", 0, self.begin) + 1); stop = self.end + KEPT_AFTER; stop = text.rfind("\n", self.end, stop) + 1 if stop < len(text) else len(text)
        first = text.count("\n", start, self.begin); whole = text[start:self.begin] + answer + text[self.end:max(stop, self.end)]
        return {k: self.row[k] for k in ("lang", "pkg", "path")} | {"text": whole, "hole": [first, first + answer.count("\n")], "said": said, "kind": self.kind}


def verdict_of(hole, answer, sure):
    """("same", "compiles" or why the answer is no use, the answer)"""
    answer = hole.ended(*answer)
    if answer is None: return "not ended", ""
    missing = hole.row["text"][hole.begin:hole.end]
    said = judge(hole.row["text"], hole.begin, hole.end, answer, hole.row["lang"])
    if said != "compiles": return said, answer
    if sure < SURE[hole.kind]: return "unsure", answer
    written = [l.strip() for l in answer.split("\n") if len(l.strip()) > 3]
    if written and collections.Counter(written).most_common(1)[0][1] > 3: return "repeats itself", answer
    if hole.kind == "body" and len(answer.strip()) < 0.25 * len(missing.strip()): return "too little", answer
    return said, answer

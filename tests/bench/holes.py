"""Holes in sources that no model of ours saw: which there are, and what stands around each.

A hole is a stretch of a file that a suggestion is to fill in again:
  rest    the rest of a line from a random place on
  closed  the same within brackets, which an editor has closed after the cursor
  line    a whole line; the cursor stands after its indentation
  block   two to ten lines, the body of what the line above opens
"""
import collections
import json
import os
import pathlib
import random
import re
import subprocess
import sys

DEBIAN = ["memcached", "tmux", "jansson", "leveldb"]
PYTHON = ["requests==2.31.0", "flask==3.0.0", "networkx==3.2"]
LANGUAGES = {"c": "c", "cc": "cpp", "cpp": "cpp", "cxx": "cpp", "py": "python"}
KINDS = ("rest", "line", "block", "closed")
PAIRS = {"(": ")", "[": "]", "{": "}"}
MAX_LINES, MIN_BYTES, BLOCK_LINES = 20000, 8, range(2, 11)
COMMENTS = ("#", "//", "*", "/*", '"""')


class Hole:
    """text[:start] + after + text[end:] is the document, text[start:end] what stood there."""

    def __init__(self, path, package, kind, text, start, end, after=""):
        self.path, self.package, self.kind = path, package, kind
        self.text, self.start, self.end, self.after = text, start, end, after
        self.language = LANGUAGES[path.suffix[1:]]
        self.row = text.count("\n", 0, start)
        self.line_start = text.rfind("\n", 0, start) + 1
        self.id = "%s:%d:%d:%s" % (path.relative_to(package.parent), self.row + 1, start - self.line_start, kind)

    @property
    def missing(self):
        return self.text[self.start:self.end]

    @property
    def document(self):
        return self.text[:self.start] + self.after + self.text[self.end:]

    def filled(self, insert, replaced=0):
        """The document once a suggestion is taken that replaces so many characters after the cursor."""
        return self.text[:self.start] + insert + self.document[self.start + replaced:]

    def lines_of(self, insert, replaced=0):
        """(the cursor's line, or a block's lines, with the suggestion; the original's)."""
        tail = self.document[self.start + replaced:].split("\n", 1)[0]
        mine = self.text[self.line_start:self.start] + insert + tail
        wanted = self.text[self.line_start:self.end] + self.text[self.end:].split("\n", 1)[0]
        if self.kind != "block":
            mine = mine.split("\n")[0]
        return [[line.rstrip() for line in text.rstrip().split("\n")] for text in (mine, wanted)]


def fetch(folder):
    """The default sources by apt and pip, in a folder of their own; the system's package lists stay alone."""
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


def default_sources():
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(cache) / "r1ls/held-out"
    if not folder.is_dir():
        fetch(folder)
    return folder


def find_files(folder, languages):
    """language -> package folder -> its files. A package is a folder in the sources, or in their folder python."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    tops = [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name != "python"]
    if (folder / "python").is_dir():
        tops += [p for p in sorted((folder / "python").iterdir()) if p.is_dir()]
    for top in tops:
        for path in sorted(top.rglob("*")):
            language = LANGUAGES.get(path.suffix[1:])
            hidden = any(part.startswith(".") for part in path.relative_to(top).parts)  # such as quilt's copies of files
            if language in languages and path.is_file() and not path.is_symlink() and not hidden:
                found[language][top].append(path)
    return found


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


def indent_of(line):
    return len(line) - len(line.lstrip())


def block_rows(lines, row):
    """The rows of the block that the line `row` begins, or an empty range."""
    before = lines[row - 1] if row else ""
    if not before.strip() or indent_of(lines[row]) <= indent_of(before) or before.rstrip()[-1] not in "{:":
        return range(row, row)
    end = row
    while end < len(lines) and lines[end].strip() and indent_of(lines[end]) >= indent_of(lines[row]):
        end += 1
    return range(row, end)


def punch(path, package, text, lines, row, kind, rng):
    """A hole of the kind in the line, or None if it is none."""
    line = lines[row].rstrip()
    body = line.lstrip()
    if len(body) < MIN_BYTES or body.startswith(COMMENTS):
        return None
    at = sum(len(l) + 1 for l in lines[:row])
    indent = indent_of(line)
    if kind == "line":
        return Hole(path, package, kind, text, at + indent, at + len(line))
    if kind == "block":
        rows = block_rows(lines, row)
        if len(rows) not in BLOCK_LINES:
            return None
        end = at + sum(len(lines[r]) + 1 for r in rows) - 1
        return Hole(path, package, kind, text, at + indent, end)
    cut = indent + max(1, int(len(body) * rng.uniform(.2, .8)))
    closers = open_brackets(line[:cut])
    if kind == "rest":
        return Hole(path, package, kind, text, at + cut, at + len(line))
    return Hole(path, package, kind, text, at + cut, at + len(line), closers) if closers else None


def choose(folder, n, kinds, languages, seed, per_file=None):
    """n holes: each kind, language, package and file as often as another, each hole once, per_file of a file at most."""
    rng, found, used = random.Random(seed), find_files(folder, languages), collections.Counter()
    missing = [l for l in languages if l not in found]
    if missing:
        sys.exit("quality: no %s sources in %s" % (missing[0], folder))
    holes, seen, texts = [], set(), {}
    for tries in range(1000 * n):
        if len(holes) == n:
            break
        kind, language = kinds[len(holes) % len(kinds)], languages[len(holes) // len(kinds) % len(languages)]
        package = rng.choice(sorted(found[language]))
        path = rng.choice(found[language][package])
        if per_file and used[path] >= per_file:
            continue
        if path not in texts:
            data = path.read_bytes()
            texts[path] = data.decode() if b"\r" not in data and is_text(data) else ""
        lines = texts[path].split("\n")
        row = rng.randrange(len(lines))
        if len(lines) > MAX_LINES:
            continue
        hole = punch(path, package, texts[path], lines, row, kind, rng)
        if hole and hole.id not in seen:
            seen.add(hole.id)
            used[path] += 1
            holes.append(hole)
    return holes


def is_text(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def common_share(hole, insert):
    """Which part of what is missing the suggestion gets right before it first goes wrong."""
    n = len(os.path.commonprefix([hole.missing, insert]))
    return n / max(1, len(hole.missing))


def judge(hole, insert, replaced=0):
    """What can be said of a suggestion without a compiler."""
    mine, wanted = hole.lines_of(insert, replaced)
    exact = bool(insert) and (mine == wanted or
            # What an editor closed needs its separator still, which the user types with the bracket.
            (hole.kind == "closed" and "\n".join(mine) == "\n".join(wanted).rstrip(";,:{ ")))
    first = insert.lstrip("\n").split("\n")[0].rstrip()
    return {"exact": exact, "prefix": bool(first) and hole.missing.startswith(first),
            "common": round(common_share(hole, insert), 3)}


def load_lines(path):
    """The objects of a file of JSON lines; a line that was cut off is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(errors="replace").split("\n"):
        try:
            rows.append(json.loads(line))
        except ValueError:
            pass
    return rows

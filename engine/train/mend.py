"""Plants a bug into a function of a file and tells how it is mended: what a model learns to find and to correct (BugLab, Allamanis et al., 2021).

usage: mend.py rows SHARD OUT.jsonl COUNT [SEED]       rows of the mend form out of a shard, for reading and measuring
       mend.py held HELD.json OUT.jsonl COUNT [SEED]   the same of held-out files, each with other small changes of the same function

Kinds and their shares follow what studies of real one-line bugs found (ManySStuBs4J: names, calls, arguments, operators, numbers, parts of conditions) and what people
get wrong in small algorithms (bounds, initial values, order, indentation). A row has the keys of the corpus's and mend: the first row of text to be
replaced, the one behind the last, and the lines to stand there; or null, where nothing is wrong. kind names it. Planted Python is parsed, planted
C has its brackets in balance; comments and strings stay as they are.
"""
import ast, collections, json, random, re, sys, warnings

from mistakes import WEIGHTS, Bug, Function, candidates, functions, indent_of, split

SOUND, TRIES = 0.21, 8  # rows without a bug (a quarter in the end: not every function takes one); kinds drawn for a row
SHARE, MEAN, ALONE, TESTS = {"c": 0.24, "cpp": 0.32, "python": 0.48}, 1900, 0.6, 0.2  # of a file's characters; a row's mean; of small files; the part of it in files of tests
TEST = re.compile(r"(?:^|/)tests?[/_]|_test|/testing/")
TEXT, NEAR = 2900, (0, 500, 1500, 2900)  # characters of a row at most; of them how many at most, drawn
LOOP, BRANCH, PASSED = re.compile(r"\b(?:for|while)\b"), re.compile(r"\bif\b|return .+[-+*/%<>?]"), (0.0, 0.3, 0.75)  # functions with a loop, with a branch, with neither: how many are passed over

warnings.filterwarnings("ignore", category=SyntaxWarning); warnings.filterwarnings("ignore", category=DeprecationWarning)  # of the parsed text


def changed(lines, bug): return lines[:bug.first] + bug.lines + lines[bug.last:]


def is_well_formed(f, bug):
    """Whether a changed function parses (Python), or its brackets are in balance as before (C, C++)."""
    lines = changed(f.lines, bug)[f.start:f.end + len(bug.lines) - (bug.last - bug.first)]
    if f.language == "python":
        base = indent_of(lines[0])
        try: ast.parse("".join(l[base:] if l.strip() else "\n" for l in lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError): return False
        return True
    new, old = "".join(bug.lines), "".join(f.lines[bug.first:bug.last])
    return all(new.count(a) - new.count(b) == old.count(a) - old.count(b) for a, b in ("()", "[]", "{}"))


def plant(f, rng):
    """A bug of a kind drawn by its weight among those that the function has room for."""
    kinds = list(WEIGHTS); weights = list(WEIGHTS.values())
    for kind in dict.fromkeys(rng.choices(kinds, weights, k=TRIES)):
        for tried, bug in enumerate(candidates(f, kind, rng)):
            if "".join(bug.lines).split() != "".join(f.lines[bug.first:bug.last]).split() or bug.kind == "indentation":
                if is_well_formed(f, bug): return bug
            if tried > 3: break
    return None


def correction(f, bug): return replacement(f, bug.first, list(bug.lines), f.lines[bug.first:bug.last])


def replacement(f, first, old, new):
    """Lines of the function from a row on, and what is to stand there, as (first row, one behind the last, lines): 1 to 3 lines by 0 to 4, the fewest that
    hold the change."""
    lines = f.lines
    while len(old) > 1 and new and old[0] == new[0]: old.pop(0); new = new[1:]; first += 1
    while len(old) > 1 and new and old[-1] == new[-1]: old.pop(); new = new[:-1]
    if not old:
        if first > f.first and lines[first - 1].strip(): first -= 1; old = [lines[first]]; new = old + new
        elif first == f.first and first + len(new) < f.end: old = [lines[first + len(new)]]; new = new + old
        else: return None
    return (first, first + len(old), new) if len(old) <= 3 and len(new) <= 4 else None


def piece(lines, f, rng):
    """The rows of a part of the file with the function whole: more or less of what stands around it."""
    room = min(TEXT, rng.choice(NEAR)); start, end = f.start, f.end; size = sum(map(len, lines[start:end]))
    while start and lines[start - 1].strip() and f.start - start < 12 and size < TEXT: start -= 1; size += len(lines[start])
    behind = rng.random() * 0.4 * room; limit = size + behind
    while end < len(lines) and size + len(lines[end]) < min(limit, TEXT): size += len(lines[end]); end += 1
    while start and size + len(lines[start - 1]) < min(room + limit - behind, TEXT): start -= 1; size += len(lines[start])
    return start, end


def row_of(row, lines, f, rng):
    """A function of a file as a row: with a bug or, in a share, without."""
    if sum(map(len, lines[f.start:f.end])) > TEXT: return None
    start, end = piece(lines, f, rng); keys = {"lang": row["lang"], "pkg": row["pkg"], "path": row["path"]}
    if rng.random() < SOUND: return keys | {"text": "".join(lines[start:end]), "mend": None, "kind": "none", "function": [f.start - start, f.end - start]}
    bug = plant(f, rng); mend = bug and correction(f, bug)
    if not mend: return None
    text = changed(lines, bug); shift = len(text) - len(lines); first, last, new = mend
    return keys | {"text": "".join(text[start:end + shift]), "mend": [first - start, last - start, new], "kind": bug.kind, "function": [f.start - start, f.end + shift - start]}


def rows(row, rng):
    """Rows of a file of the corpus, so many that they have the share of its characters that SHARE says; of a file that is a function almost alone
    (functions.py's) one in a part of them. None of a language that is not planted into."""
    if row["lang"] not in SHARE: return
    chance = ALONE if "hole" in row else SHARE[row["lang"]] * len(row["text"]) / MEAN * (TESTS if TEST.search(row["path"]) else 1)
    left = int(chance + rng.random())
    if not left: return
    lines = split(row["text"])
    if lines and not lines[-1].endswith("\n"): lines[-1] += "\n"
    places = functions(lines, row["lang"]); rng.shuffle(places)
    for place in places:
        if not left: break
        body = "".join(lines[place[1]:place[2]])
        if rng.random() < PASSED[0 if LOOP.search(body) else 1 if BRANCH.search(body) else 2]: continue
        try: found = row_of(row, lines, Function(lines, place, row["lang"]), rng)
        except (LookupError, ValueError, TypeError, AttributeError, RecursionError): continue  # one odd function shall not stop a part's packing
        if found: left -= 1; yield found


def rivals(row, rng, count):
    """Other small changes of a row's function, as [first, last, lines], none of which makes the same text: what a correction competes with."""
    lines = split(row["text"]); start, end = row["function"]; out = {}
    place = next((p for p in functions(lines, row["lang"]) if p[0] == start), None)
    if not place: return []
    f = Function(lines, place, row["lang"])
    for kind in WEIGHTS:
        for tried, bug in enumerate(candidates(f, kind, rng)):
            mend = replacement(f, bug.first, lines[bug.first:bug.last], bug.lines)
            if mend and is_well_formed(f, bug): out["".join(changed(lines, bug))] = mend
            if tried >= 40: break
    if row["mend"]: first, last, new = row["mend"]; out.pop("".join(lines[:first] + new + lines[last:]), None)
    found = list(out.values()); rng.shuffle(found)
    return found[:count]


def write(files, rounds, count, rng, path, with_rivals):
    kinds = collections.Counter(); made = 0
    with open(path, "w") as out:
        for found in (found for _ in range(rounds) for row in files for found in rows(row, rng)):
            if made == count: break
            if with_rivals: found["rivals"] = rivals(found, rng, 96)
            out.write(json.dumps(found, ensure_ascii=False) + "\n"); kinds.update((found["kind"], "in " + found["lang"])); made += 1
    print(made, dict(kinds.most_common()))


def main():
    if len(sys.argv) < 5 or sys.argv[1] not in ("rows", "held"): sys.exit(__doc__)
    command, source, out, count = sys.argv[1:5]; rng = random.Random(int(sys.argv[5]) if len(sys.argv) > 5 else 5)
    with open(source) as f:
        if command == "rows": return write(map(json.loads, f), 1, int(count), rng, out, False)
        files = json.load(f)
    rng.shuffle(files); write(files, 9, int(count), rng, out, True)


if __name__ == "__main__": main()

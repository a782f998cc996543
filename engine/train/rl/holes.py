"""Cuts holes into source files: the rest of a line from a place where people type, for grpo.py --holes.

usage: holes.py OUT.json COUNT FILE..."""
import json
import random
import re
import sys


def main():
    if len(sys.argv) < 4: sys.exit(__doc__)
    rng, cases = random.Random(5), []
    while len(cases) < int(sys.argv[2]):
        with open(rng.choice(sys.argv[3:]), errors="replace") as f: text = f.read()
        lines = [m for m in re.finditer(r"[^\n]{16,100}\n", text)]
        line = rng.choice(lines)
        starts = [m.start() for m in re.finditer(r"(?<=[ (,.=>])\S|(?<=\w)\(", line.group())]
        starts = [s for s in starts if line.group()[:s].strip() and len(line.group()[s:].strip()) >= 4]
        if not starts or line.group().strip().startswith(("//", "*", "/*", "#")): continue
        at = line.start() + rng.choice(starts)
        cases.append({"prefix": text[max(0, at - 1000):at], "middle": text[at:line.end() - 1], "suffix": text[line.end() - 1:line.end() + 300]})
    with open(sys.argv[1], "w") as f: json.dump(cases, f)


if __name__ == "__main__": main()

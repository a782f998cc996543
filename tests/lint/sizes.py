#!/usr/bin/env python3
"""Fails on files over 800 lines and functions over 60, but for the ones listed with their reason."""
import re
import sys

import rules

MAX_FILE, MAX_FUNCTION = 800, 60
# SIMD kernels: the steps of one register pipeline do not get clearer by being cut.
ALLOWED = ("engine/kernels/",)
TABLES = {"grammars/languages.c"}


def functions(lines):
    """(line index, length, name) of every function whose body opens in column 0."""
    start = None
    for i, line in enumerate(lines):
        if line.startswith("{") and i and re.search(r"\)\s*$", lines[i - 1]):
            start = i
        elif line.startswith("}") and start is not None:
            name = re.search(r"(\w+)\(", "".join(lines[max(0, start - 4):start]))
            yield start, i - start, name.group(1) if name else "?"
            start = None


def main():
    files = [f for f in rules.own_files("*.c", "*.h") if f not in TABLES]
    bad = []
    for rel in files:
        lines = (rules.ROOT / rel).read_text().splitlines()
        if len(lines) > MAX_FILE:
            bad.append("%s: %d lines, at most %d" % (rel, len(lines), MAX_FILE))
        if rel.startswith(("tests/",) + ALLOWED):
            continue
        for at, n, name in functions(lines):
            if n > MAX_FUNCTION:
                bad.append("%s:%d: %s has %d lines, at most %d" % (rel, at + 1, name, n, MAX_FUNCTION))
    return rules.finish("sizes", bad, len(files))


sys.exit(main())

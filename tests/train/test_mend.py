"""Planted bugs and their corrections: that each is a small change in code alone, which its correction takes back. Needs python3."""
import ast
import collections
import os
import random
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../engine/train"))
import mend  # noqa: E402
import mistakes  # noqa: E402

C = """#include <string.h>

/* Where a value <= 3 stands, or -1. */
static int position(const int *values, int n, int wanted)
{
    int low = 0;
    int high = n - 1;
    if (!values || n <= 0)
        return -1;
    while (low <= high) { // low <= high: something is left
        int middle = low + (high - low) / 2;
        if (values[middle] == wanted)
            return middle;
        if (values[middle] < wanted)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -1;
}
"""
PYTHON = '''import re


def counted(words, least=1):
    """How often each word comes, if it comes
    at least == least times."""
    found = {}
    for word in words:
        if not word or word.startswith("a == b"):
            continue
        word = word.lower()
        found[word] = found.get(word, 0) + 1
    result = []
    for word in sorted(found):
        if found[word] >= least:
            result.append((word, found[word]))
    return result
'''
CLASS = """class Stack {
    int size() const {
        for (int i = 0; i < n_; i++)
            total_ += items_[i];
        return total_;
    }
};
"""


def row(text, lang, path="src/a"): return {"lang": lang, "pkg": "p", "path": path, "text": text}


def several(text, lang, count=400):
    rng = random.Random(3); out = []
    while len(out) < count: out += mend.rows(row(text, lang) | {"hole": [1, 1]}, rng)  # as a small file, which gives at most one row at a time
    return out


def corrected(found):
    lines = mend.split(found["text"])
    if not found["mend"]: return "".join(lines)
    first, last, new = found["mend"]
    return "".join(lines[:first] + new + lines[last:])


class Planted(unittest.TestCase):
    def test_the_correction_takes_it_back(self):
        for text, lang in ((C, "c"), (PYTHON, "python"), (CLASS, "cpp")):
            for found in several(text, lang):
                self.assertIn(corrected(found), text)
                if not found["mend"]: continue
                first, last, new = found["mend"]
                self.assertTrue(1 <= last - first <= 3 and len(new) <= 4, found)
                self.assertNotEqual(mend.split(found["text"])[first:last], new)

    def test_python_parses_and_what_is_said_stays(self):
        for found in several(PYTHON, "python"):
            ast.parse(found["text"])
            self.assertIn("    at least == least times.", found["text"])
            self.assertEqual(found["text"].count('"a == b"'), int(".startswith(" in found["text"] or ".endswith(" in found["text"]))
        for found in several(C, "c"):
            self.assertEqual(found["text"].count("// low <= high"), int("while" in found["text"] or "if (low" in found["text"]))
            if "/*" in found["text"]: self.assertIn("/* Where a value <= 3 stands, or -1. */", found["text"])

    def test_the_shares(self):
        found = several(C, "c") + several(PYTHON, "python"); kinds = collections.Counter(f["kind"] for f in found)
        self.assertTrue(0.18 < kinds["none"] / len(found) < 0.32, kinds)
        self.assertGreaterEqual(len(kinds), 18, kinds)
        self.assertLess(max(n for k, n in kinds.items() if k != "none"), 0.25 * len(found))

    def test_kinds(self):
        texts = {found["text"] for found in several(C, "c", 900) + several(PYTHON, "python", 900)}
        for wanted in (r"while \(low < high\)", r"int high = n;", r"if \(n <= 0\)", r"int low = 1;", r"low = middle - 1;", r"found\[word\] > least", r"if word or", r"found\.get\(word, 1\)", r"^        return result$",
                       r"found\[word\] = found\.get\(word, 0\)$", r"for word in found:"):
            self.assertTrue(any(re.search(wanted, t, re.M) for t in texts), wanted)

    def test_an_insertion_takes_the_line_before_in(self):
        lines = mend.split(PYTHON); f = mistakes.Function(lines, mistakes.functions(lines, "python")[0], "python")
        at = next(i for i, line in enumerate(lines) if "lower()" in line)
        self.assertEqual(mend.correction(f, mistakes.Bug("statement", at, at + 1, [])), (at - 1, at, lines[at - 1:at + 1]))
        self.assertEqual(mend.correction(f, mistakes.Bug("statement", f.first, f.first + 1, [])), (f.first, f.first + 1, lines[f.first:f.first + 2]))
        self.assertEqual(mend.correction(f, mistakes.Bug("extra", at + 1, at + 1, [lines[at]])), (at + 1, at + 2, []))

    def test_rivals_are_other_texts(self):
        rng = random.Random(2)
        for found in several(C, "c", 60):
            lines = mend.split(found["text"]); texts = ["".join(lines[:a] + new + lines[b:]) for a, b, new in mend.rivals(found, rng, 50)]
            self.assertEqual(len(texts), len(set(texts))); self.assertNotIn(found["text"], texts)
            if found["mend"]: self.assertNotIn(corrected(found), texts)
            self.assertGreater(len(texts), 15)

    def test_what_is_no_code_gives_nothing(self):
        rng = random.Random(1)
        for text, lang in (("", "c"), ("\f\n{\n}\n", "c"), ("def f(:\n  x\n", "python"), ("int f(void) {\n" * 50, "cpp"), (C, "lua")): self.assertEqual(list(mend.rows(row(text, lang) | {"hole": [0, 0]}, rng)), [])
        self.assertEqual(mend.split("a\fb\nc"), ["a\fb\n", "c"])


if __name__ == "__main__": unittest.main()

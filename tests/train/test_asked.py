"""Which holes a teacher is asked about, and what becomes of its answers. Needs python3 and cc."""
import os
import random
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train"))
from asked import Hole, holes_in, verdict_of  # noqa: E402

C = """/* Sums n numbers. */
static int sum(const int *a, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++)
        total += a[i];
    return total;
}

static int other(int value)
{
    return value * value + 1;
}

/* Is it even? */
static int even(int number)
{
    int half = number / 2;
    return half * 2 == number;
}
"""
BODY = "    int half = number / 2;\n    return half * 2 == number;"
PYTHON = 'def even(number):\n    """Is it even?"""\n    half = number // 2\n    return half * 2 == number\n\n\nprint(even(2))\n'


def row(text, lang="c"): return {"lang": lang, "pkg": "p", "path": "a." + lang, "text": text}


def hole(kind, missing, text=C, lang="c"):
    begin = text.index(missing); first = text.count("\n", 0, begin)
    return Hole(row(text, lang), kind, begin, begin + len(missing), first, first + missing.count("\n"))


class Asked(unittest.TestCase):
    def test_holes_are_whole(self):
        kinds = set()
        for seed in range(30):
            for kind, begin, end, first, last in holes_in(row(C), random.Random(seed)):
                kinds.add(kind); self.assertTrue(C[begin:end].strip()); self.assertEqual(C[end], "\n")
                self.assertEqual((C.count("\n", 0, begin), C.count("\n", 0, end)), (first, last))
                self.assertEqual(C[begin - 1] == "\n", kind != "rest", C[begin - 5:end])
                if kind == "body": self.assertIn(C[:begin].splitlines()[-3], ("/* Sums n numbers. */", "/* Is it even? */"))
        self.assertEqual(kinds, {"body", "block", "line", "rest"})

    def test_the_prompt_has_both_sides(self):
        self.assertEqual(hole("line", "    return value * value + 1;").prompt(), "<|fim_prefix|>" + C[:C.index("    return value")] + "<|fim_suffix|>" + C[C.index("\n}\n\n/* Is"):] + "<|fim_middle|>")

    @unittest.skipUnless(shutil.which("cc"), "no cc")
    def test_answers(self):
        for kind, missing, answer, sure, wanted in (
                ("body", BODY, (BODY, True), -9, "same"), ("body", BODY, (BODY + "\n}\nint f(", False), -9, "same"), ("body", BODY, (BODY, False), 0, "not ended"),
                ("body", BODY, ("    int odd = number % 2;\n    return odd == 0;", True), -0.1, "compiles"), ("body", BODY, ("    int odd = number % 2;\n    return odd == 0;", True), -1, "unsure"),
                ("body", BODY, ("    return 0;", True), 0, "too little"), ("body", BODY, ("    return half;", True), 0, "does not compile"),
                ("body", BODY, ("    number += 2;\n" * 5 + "    return number;", True), 0, "repeats itself"),
                ("line", "    return value * value + 1;", ("    return value * value + 1;\n    more", False), -9, "same"), ("rest", " value + 1;", (" value - 1;", True), -0.1, "compiles")):
            self.assertEqual(verdict_of(hole(kind, missing), answer, sure)[0], wanted, answer)

    def test_python_ends_by_indentation(self):
        asked = hole("body", "    half = number // 2\n    return half * 2 == number", PYTHON, "python")
        self.assertEqual(verdict_of(asked, ("    return number % 2 == 0\n\nprint(1)", False), 0), ("compiles", "    return number % 2 == 0"))

    def test_a_kept_row_names_the_answers_rows(self):
        text = "int unused;\n" * 900 + C + "int unused;\n" * 900
        kept = hole("body", BODY, text).filled("    int odd = number % 2;\n\n    return odd == 0;", "compiles"); lines = kept["text"].splitlines()
        self.assertEqual(lines[kept["hole"][0]:kept["hole"][1] + 1], ["    int odd = number % 2;", "", "    return odd == 0;"])
        self.assertEqual(lines[kept["hole"][1] + 1], "}"); self.assertLess(len(kept["text"]), 7000); self.assertGreater(len(kept["text"]), 6500)
        kept = hole("rest", " value + 1;").filled(" 2;", "compiles")
        self.assertEqual(kept["text"].splitlines()[kept["hole"][0]], "    return value * 2;")


if __name__ == "__main__":
    unittest.main()

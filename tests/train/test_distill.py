"""Which of a teacher's answers to holes are kept for a student. Needs python3 and cc."""
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train"))
import verdict  # noqa: E402

C = """#include "missing.h"
static int sum(const int *a, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++)
        total += a[i];
    return total;
}
struct unknown *f(struct list *l) { return l->head; }
"""
PYTHON = "def f(a):\n    if a:\n        return 1\n    return 2\n"


class Verdict(unittest.TestCase):
    def judge(self, text, missing, answer, wanted, language):
        begin = text.index(missing)
        self.assertEqual(verdict.judge(text, begin, begin + len(missing), answer, language), wanted, answer)

    def test_python(self):
        for answer, wanted in (("return 1", "same"), ("return 1  \n", "same"), ("return a", "compiles"), ("return (a", "does not compile"),
                               (" \n", "empty"), ("return a\n    return 2", "repeats what follows"), ("yield\0", "does not compile")):
            self.judge(PYTHON, "return 1", answer, wanted, "python")

    @unittest.skipUnless(shutil.which("cc"), "no cc")
    def test_c_is_judged_by_what_the_answer_adds(self):
        """The file has errors of its own: what its header would declare."""
        self.assertGreater(verdict.errors(C, "c"), 0)
        for answer, wanted in (("total += a[i];", "same"), ("total = total + a[i];", "compiles"), ("total += a[i", "does not compile"),
                               ("totl += a[i];", "does not compile"), ("total += a[i];\n    return total;", "repeats what follows")):
            self.judge(C, "total += a[i];", answer, wanted, "c")

    @unittest.skipUnless(shutil.which("cc"), "no cc")
    def test_cpp_is_no_c(self):
        text = "template <class T> T twice(T x)\n{\n    return x + x;\n}\n"
        self.judge(text, "return x + x;", "return 2 * x;", "compiles", "cpp")
        self.judge(text, "return x + x;", "return 2 *;", "does not compile", "cpp")


if __name__ == "__main__":
    unittest.main()

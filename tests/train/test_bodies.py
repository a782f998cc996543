"""Which functions say what they do, and where their bodies are."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train"))
from bodies import LONGEST, documented  # noqa: E402


def bodies(text):
    """Each described function as its first line and its body."""
    lines = text.splitlines()
    return [(lines[start].strip(), "\n".join(lines[first:last + 1])) for start, first, last in documented(lines)]


class Bodies(unittest.TestCase):
    def test_c(self):
        text = "#include <a.h>\n\n/* Adds\n * two. */\nstatic int\nadd(int a,\n    int b)\n{\n    if (a) {\n        b++;\n    }\n    return a + b;\n}\n"
        self.assertEqual(bodies(text), [("/* Adds", "    if (a) {\n        b++;\n    }\n    return a + b;")])

    def test_brace_on_the_signatures_line(self):
        text = "class A {\n  // Empty?\n  // Or not.\n  bool empty() const {\n    return n == 0;\n  }\n};\n// Twice x.\nfunc twice(x int) int {\n\treturn 2 * x\n}\n"
        self.assertEqual(bodies(text), [("// Empty?", "    return n == 0;"), ("// Twice x.", "\treturn 2 * x")])

    def test_python(self):
        text = "class A:\n    def f(self,\n          x):\n        \"\"\"Says\n        much.\n        \"\"\"\n\n        y = x\n\n        return y\n\n\ndef g(): pass\n\n\ndef h():\n    '''Short.'''\n    return 1\n"
        self.assertEqual(bodies(text), [("def f(self,", "        y = x\n\n        return y"), ("def h():", "    return 1")])

    def test_what_is_none(self):
        self.assertEqual(bodies("int f(void)\n{\n    return 1;\n}\n"), [])
        self.assertEqual(bodies("// Many.\nstruct many {\n    int a;\n};\n"), [])
        self.assertEqual(bodies("    // If so.\n    if (f(x)) {\n        g();\n    }\n"), [])
        self.assertEqual(bodies("// Table.\nstatic const int a[] = {\n    f(1),\n};\n"), [])
        self.assertEqual(bodies("// Nothing.\nvoid f(void)\n{\n}\n"), [])
        self.assertEqual(bodies('def f():\n    """Nothing."""\n\n\nx = 1\n'), [])

    def test_length(self):
        long = lambda n: "// Long.\nvoid f(void)\n{\n" + "    g();\n" * n + "}\n"
        self.assertEqual(len(bodies(long(LONGEST))), 1)
        self.assertEqual(bodies(long(LONGEST + 1)), [])
        long = lambda n: 'def f():\n    """Long."""\n' + "    g()\n" * n + "\n\nx = 1\n"
        self.assertEqual(len(bodies(long(LONGEST))), 1)
        self.assertEqual(bodies(long(LONGEST + 1)), [])


if __name__ == "__main__":
    unittest.main()

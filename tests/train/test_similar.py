"""Which lines of other files a training document shows. Needs numpy."""
import os
import sys
import unittest

try:
    import numpy  # noqa: F401
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train"))
from similar import Neighbours  # noqa: E402

NAMES = ["list_push", "queue_take", "window", "client_flags", "buffer_len", "screen"]


def function(name, words):
    return [name + "()\n", "{\n"] + ["    %s();\n" % word for word in words] + ["}\n", "\n"]


def row(path, *functions): return {"path": path, "text": "".join(line for f in functions for line in f)}


class Similar(unittest.TestCase):
    def setUp(self):
        self.own = row("own.c", function("first", NAMES), function("second", ["other%d" % i for i in range(400)]), function("third", NAMES))
        self.alike = row("alike.c", function("unlike", ["x%d" % i for i in range(40)]), function("fourth", NAMES))
        self.less = row("less.c", function("fifth", NAMES[:4] + ["y1", "y2"]))
        self.none = row("none.c", function("sixth", ["z%d" % i for i in range(12)]))

    def pieces(self, rows, of):
        """With a hole in the middle of the function third."""
        lines = of["text"].splitlines(keepends=True); i = lines.index("third()\n") + 5
        return Neighbours(rows).similar(of, lines, (i, i, 0), 0)

    def test_the_most_similar_stand_last_and_the_unlike_not_at_all(self):
        found = self.pieces([self.none, self.less, self.alike, self.own], self.own)
        self.assertEqual(len(found), 2)
        self.assertEqual(found[-1][0], "alike.c"); self.assertIn("fourth()", found[-1][1])
        self.assertEqual(found[0][0], "own.c"); self.assertIn("first()", found[0][1])  # among lines of "second"

    def test_what_the_prompt_shows_is_not_shown_twice(self):
        """Functions of its own file that stand within the prompt's prefix or suffix are no news, nor is the hole itself."""
        near = row("near.c", function("first", NAMES), function("third", NAMES))
        self.assertEqual(self.pieces([near, self.none], near), [])

    def test_bytes(self):
        long = row("long.c", function("seventh", [n + "_" * 300 + " " + n for n in NAMES]))
        found = self.pieces([long, self.less, self.own], self.own)
        self.assertLessEqual(sum(len(text) for _, text in found), Neighbours.BYTES)
        self.assertTrue(all(text.endswith("\n") and not text.endswith("\n\n") for _, text in found))

    def test_nothing_to_go_by(self):
        empty = row("empty.c", ["\n"] * 30)
        self.assertEqual(Neighbours([empty, self.alike]).similar(empty, ["\n"] * 30, (15, 15, 0), 0), [])


if __name__ == "__main__":
    unittest.main()

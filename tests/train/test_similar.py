"""Which lines of other files a training document shows. Needs numpy."""
import os
import sys
import unittest

try:
    import numpy as np
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
        self.assertEqual([path for path, _ in found], ["less.c", "own.c", "alike.c"])
        for path, text in found[1:]: self.assertIn("    buffer_len();\n", text)  # what stands in the place of the hole
        self.assertNotIn("other0", found[1][1])

    def test_what_the_prompt_shows_is_not_shown_twice(self):
        """Functions of its own file that stand within the prompt's prefix or suffix are no news, nor is the hole itself."""
        near = row("near.c", function("first", NAMES), function("third", NAMES))
        self.assertEqual(self.pieces([near, self.none], near), [])

    def test_lines_before_and_after_are_told_apart(self):
        """The place has what stands before the hole before it, and what stands behind it behind."""
        turned = row("turned.c", function("fourth", NAMES[::-1]))
        found = self.pieces([turned, self.alike, self.own], self.own)
        self.assertEqual(found[-1][0], "alike.c")
        scores = [self.best([self.own, other], 1) for other in (self.alike, turned)]
        self.assertGreater(scores[0], scores[1])

    def best(self, rows, of):
        """The score of the best place of file `of` for the hole in the function third of the first."""
        near = Neighbours(rows); words = near.files[0][2]; i = rows[0]["text"].splitlines().index("third()") + 5
        scores = near.scores(near.query(words, i, i + 1), near.mention_most(near.names(words, i, i + 1), 0))
        *_, first, n = near.files[of]
        return scores[first:first + n].max()

    def test_a_file_s_places_are_scored_by_hand(self):
        """One word, rare: the line behind it has all of its share, the next 0.85 of it; before it there is none to have."""
        own = row("own.c", ["unique\n", "\n", "x\n"]); other = row("other.c", ["a\n", "unique\n", "b\n", "c\n"])
        near = Neighbours([own, other]); scores = near.scores({"unique": (0.85, 0)}, np.array([True, True, False]))
        *_, first, n = near.files[1]
        self.assertTrue(np.allclose(scores[first:first + n], [0, 0, 1, 1]))  # as near as it stands to the hole is enough
        scores = near.scores({"unique": (1, 0)}, np.array([True, True, False]))
        self.assertTrue(np.allclose(scores[first:first + n], [0, 0, 1, 0.85]))
        scores = near.scores({"unique": (0, 1)}, np.array([True, True, False]))
        self.assertTrue(np.allclose(scores[first:first + n], [1, 0, 0, 0]))

    def test_files_by_the_rarer_names(self):
        common = [row("common%d.c" % k, ["list_push queue_take\n"]) for k in range(20)]; rare = row("rare.c", ["screen\n"])
        near = Neighbours([self.own, *common, rare])
        taken = near.mention_most(["list_push", "queue_take", "screen"], 0)
        self.assertTrue(taken[0] and taken[21]); self.assertEqual(taken.sum(), 1 + Neighbours.FILES)

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

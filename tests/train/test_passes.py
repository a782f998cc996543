"""What engine/train/rl/passes.py tells of sampled answers. Needs numpy."""
import os
import sys
import unittest

try:
    import numpy  # noqa: F401
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
from passes import tell  # noqa: E402


def row(task, side, solved, language="c"):
    return {"id": task, "part": "held", "language": language, "side": side, "solved": solved, "compiled": [1.0] * len(solved), "free_solved": solved, "free_compiled": [0.0] * len(solved)}


class Passes(unittest.TestCase):
    def test_a_task_counts_once_however_many_answers_it_has(self):
        rows = [row("a", "base", [0.0] * 8), row("a", "adapter", [1.0] * 8), row("b", "base", [1.0, 0.0]), row("b", "adapter", [1.0, 0.0], "c")]
        self.assertIn("held all solved (as it came): 25.0 to 75.0%, +50.0 (+0.0 to +100.0), 2 tasks of 2 answers or more a side", tell(rows))

    def test_one_right_answer_of_several_is_solved_by_any(self):
        rows = [row("a", "base", [0.0] * 4), row("a", "adapter", [0.0, 1.0, 0.0, 0.0])]
        self.assertIn("held c solved by any (as it came): 0.0 to 100.0%, +100.0 (+100.0 to +100.0), 1 tasks of 4 answers or more a side", tell(rows))

    def test_rounds_add_up(self):
        one = [row("a", "base", [0.0, 0.0]), row("a", "adapter", [1.0, 1.0])]; two = [row("a", "base", [1.0, 1.0]), row("a", "adapter", [1.0, 1.0])]
        self.assertIn("held all solved (no repeats): 50.0 to 100.0%, +50.0 (+50.0 to +50.0), 1 tasks of 4 answers or more a side", tell(one + two))

    def test_several_adapters_are_told_against_the_base_or_the_first(self):
        rows = [row("a", side, [value]) for side, value in (("adapter", 0.0), ("other", 1.0))]
        self.assertIn("held c other solved (as it came): 0.0 to 100.0%, +100.0 (+100.0 to +100.0), 1 tasks of 1 answers or more a side", tell(rows))
        told = tell([row("a", "base", [0.5])] + rows)
        self.assertTrue(any(line.startswith("held all solved (as it came): 50.0 to 0.0%") for line in told))
        self.assertTrue(any(line.startswith("held all other solved (as it came): 50.0 to 100.0%") for line in told))

    def test_a_task_of_one_side_counts_for_none(self):
        rows = [row("a", "base", [0.0]), row("a", "adapter", [0.0]), row("b", "base", [1.0], "python")]
        self.assertEqual({line.split()[1] for line in tell(rows)}, {"all", "c"})


if __name__ == "__main__": unittest.main()

"""An answer's advantage by the best of several, against every subset counted out. Needs torch."""
import itertools
import os
import sys
import unittest

try:
    import gguf  # noqa: F401
    import numpy as np
    import torch  # noqa: F401
except ImportError as e:
    print(f"skipped: {e.name} is missing")
    sys.exit(77)
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
from grpo import best_of  # noqa: E402


class BestOf(unittest.TestCase):
    def test_it_is_the_mean_over_all_subsets(self):
        rng = np.random.default_rng(0)
        for n, k in ((5, 2), (6, 3), (9, 4), (3, 3)):
            rewards = rng.integers(0, 4, n) / 3; best = {c: max(rewards[list(c)]) for c in itertools.combinations(range(n), k)}
            for i, got in enumerate(best_of(rewards, k)): self.assertAlmostEqual(got, np.mean([b for c, b in best.items() if i in c]) - np.mean(list(best.values())))

    def test_of_one_it_is_the_reward_less_the_mean(self): self.assertTrue(np.allclose(best_of(np.array([0.0, 1, 1, 0]), 1), [-0.5, 0.5, 0.5, -0.5]))

    def test_the_only_right_answer_counts_more_than_one_of_many(self):
        only, many = best_of(np.array([1.0] + [0] * 11), 4), best_of(np.array([1.0] * 9 + [0] * 3), 4)
        self.assertGreater(only[0], 0.6); self.assertLess(many[0], 0.01); self.assertAlmostEqual(sum(only), 0); self.assertAlmostEqual(sum(many), 0)


if __name__ == "__main__":
    unittest.main()

"""Pairs of answers: what becomes one, the loss over them, and means of adapters. Needs torch."""
import collections
import math
import os
import sys
import unittest

try:
    import gguf  # noqa: F401
    import numpy as np
    import torch
except ImportError as e:
    print(f"skipped: {e.name} is missing")
    sys.exit(77)
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
import contrast  # noqa: E402
import mean  # noqa: E402
import prompts  # noqa: E402
from batches import batches  # noqa: E402

TASK = {"id": "t", "kind": "fix", "language": "c", "name": "twice", "head": "", "broken": "int twice(int x)\n{\n    return x;\n}\n", "message": "twice(2) is 2, wanted 4",
        "reference": "int twice(int x)\n{\n    return 2 * x;\n}\n"}


Answer = collections.namedtuple("Answer", "ids ended")


def given(ids, compiles, solved, ended=True): return Answer(ids, ended), {"compiles": float(compiles), "all": float(solved)}


def encode(text): return list(text.encode())


class Fixed:
    """A policy of one number: the log-probability of every token that is a 2; others have 0."""

    def __init__(self, value): self.value = torch.tensor(value, requires_grad=True)

    def log_probs(self, groups):
        return torch.stack([self.value * (t == 2) for _, answers in groups for a in answers for t in a]), None


class Contrast(unittest.TestCase):
    def test_a_pair_is_the_correction_and_the_function_as_it_was(self):
        [(prompt, right, same)] = contrast.pairs([TASK], encode, 10000, 10000)
        self.assertEqual(bytes(prompt).decode(), prompts.prompt(TASK))
        self.assertEqual(bytes(right).decode(), TASK["reference"].strip() + "\n```")
        self.assertEqual(bytes(same).decode(), TASK["broken"].strip() + "\n```")

    def test_bodies_and_second_questions_and_what_does_not_fit_are_none(self):
        tasks = [TASK | {"kind": "body"}, TASK | {"failed": "x", "said": "y"}, TASK | {"reference": ""}]
        self.assertEqual(contrast.pairs(tasks, encode, 10000, 10000), [])
        self.assertEqual(contrast.pairs([TASK], encode, 10000, 20), [])
        self.assertEqual(contrast.pairs([TASK], encode, 20, 10000), [])

    def test_sums_are_of_each_answer(self):
        right, same, nll = contrast.sums(Fixed(-3.0), [([9], [2, 2, 1, 1], [2, 1]), ([9, 9], [1], [2, 2, 2])])
        self.assertEqual(right.tolist(), [-6, 0])
        self.assertEqual(same.tolist(), [-3, -9])
        self.assertEqual(nll.tolist(), [1.5, 0])

    def test_the_loss_is_the_papers(self):
        tensor = lambda x: torch.tensor([x])
        each, further = contrast.loss(tensor(-1.0), tensor(-9.0), tensor(-4.0), tensor(-2.0), 0.1)
        self.assertAlmostEqual(further.item(), 3 + 7, places=5)
        self.assertAlmostEqual(each.item(), -math.log(1 / (1 + math.exp(-0.1 * 10))), places=5)

    def test_a_step_down_the_loss_prefers_the_correction(self):
        policy = Fixed(-1.0); rows = [([9], [1, 1], [2, 2])]  # only the function as it was has the token
        right, same, _ = contrast.sums(policy, rows); each, _ = contrast.loss(right, same, right.detach(), same.detach(), 0.1)
        each.sum().backward()
        self.assertGreater(policy.value.grad.item(), 0)  # downhill the token becomes less likely

    def test_own_pairs_prefer_what_is_right_then_what_compiles(self):
        repeat, wrong, right = given([1], False, False), given([2], True, False), given([3], True, True)
        self.assertEqual(contrast.own_pairs([([9], [repeat, wrong, right], [])], 1, 0), ([([9], [3], [1])], 1))
        self.assertEqual(contrast.own_pairs([([9], [repeat, wrong], [])], 1, 0), ([([9], [2], [1])], 1))
        self.assertEqual(contrast.own_pairs([([9], [repeat, repeat], [given([4], True, False)])], 1, 0), ([([9], [4], [1])], 1))
        self.assertEqual(contrast.own_pairs([([9], [repeat, given([5], True, True, False)], [])], 1, 0), ([], 0))  # cut off: not to be learnt
        self.assertEqual(contrast.own_pairs([([9], [right, right], []), ([9], [wrong, wrong], [])], 1, 0), ([], 0))

    def test_right_against_wrong_are_as_many_as_are_wanted(self):
        repeat, wrong, right = given([1], False, False), given([2], True, False), given([3], True, True)
        groups = [([0], [repeat, right], [])] * 4 + [([9], [wrong, right], [])] * 20
        for share, wanted in ((0, 0), (0.5, 2), (2, 8), (100, 20)):
            rows, faulty = contrast.own_pairs(groups, share, 0)
            self.assertEqual((faulty, sum(row == ([9], [3], [2]) for row in rows), len(rows)), (4, wanted, 4 + wanted))

    def test_a_mean_of_adapters_has_their_shape(self):
        one, two = (48.0, 16, {"a": np.full((2, 3), 1, np.float16)}), (48.0, 16, {"a": np.full((2, 3), 5, np.float16)})
        alpha, rank, pairs = mean.mean([(3, one), (1, two)])
        self.assertEqual((alpha, rank, pairs["a"].tolist()), (48.0, 16, [[2.0] * 3] * 2))
        self.assertRaises(ValueError, mean.mean, [(1, one), (1, (48.0, 8, two[2]))])

    def test_batches_hold_no_more_than_they_may(self):
        rows = [([0] * n, [0], [0]) for n in (1, 5, 9, 2, 30)]
        parts = list(batches(rows, contrast.size, 20))
        self.assertEqual(sorted(len(r[0]) for part in parts for r in part), [1, 2, 5, 9, 30])
        for part in parts: self.assertTrue(len(part) == 1 or len(part) * max(sum(map(len, r)) for r in part) <= 20)


if __name__ == "__main__": unittest.main()

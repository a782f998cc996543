"""Pairs of a correction and the function given back: what becomes one, and the loss over them. Needs torch."""
import math
import os
import sys
import unittest

try:
    import torch
except ImportError:
    print("skipped: torch is missing")
    sys.exit(77)
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
import contrast  # noqa: E402
import prompts  # noqa: E402
from batches import batches  # noqa: E402

TASK = {"id": "t", "kind": "fix", "language": "c", "name": "twice", "head": "", "broken": "int twice(int x)\n{\n    return x;\n}\n", "message": "twice(2) is 2, wanted 4",
        "reference": "int twice(int x)\n{\n    return 2 * x;\n}\n"}


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

    def test_batches_hold_no_more_than_they_may(self):
        rows = [([0] * n, [0], [0]) for n in (1, 5, 9, 2, 30)]
        parts = list(batches(rows, contrast.size, 20))
        self.assertEqual(sorted(len(r[0]) for part in parts for r in part), [1, 2, 5, 9, 30])
        for part in parts: self.assertTrue(len(part) == 1 or len(part) * max(sum(map(len, r)) for r in part) <= 20)


if __name__ == "__main__": unittest.main()

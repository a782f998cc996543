"""The policy under the condition that it does not repeat a text, against every answer counted out. Needs torch."""
import itertools
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
import condition  # noqa: E402
import prompts  # noqa: E402
from condition import Row  # noqa: E402

WORDS, LENGTH = 3, 4
TEXT = [0, 2, 1, 1]  # all answers have this length here
C = {"id": "t", "kind": "fix", "language": "c", "name": "twice", "head": "", "broken": "/* Twice. */\nint twice(int x)\n{\n    return x;\n}\n", "message": "twice(2) is 2, wanted 4"}
PYTHON = {"id": "t", "kind": "fix", "language": "python", "name": "twice", "head": "", "broken": "def twice(x):\n    \"\"\"Twice.\"\"\"\n    return x\n", "message": "twice(2) is 2, wanted 4"}


class Table:
    """A policy that has logits of its own for each beginning of an answer."""

    def __init__(self, seed):
        g = torch.Generator().manual_seed(seed); self.out = torch.eye(WORDS)
        self.at = {beginning: i for i, beginning in enumerate(b for n in range(LENGTH) for b in itertools.product(range(WORDS), repeat=n))}
        self.base = torch.randn(len(self.at), WORDS, generator=g) * 1.5; self.now = self.base.clone().requires_grad_()

    def predecessors(self, groups, train):
        answers = [a for _, answers in groups for a in answers]; rows = [self.at[tuple(a[:n])] for a in answers for n in range(len(a))]
        return (self.base if train == "base" else self.now)[rows], torch.tensor([t for a in answers for t in a])

    def log_probs(self, groups):
        h, tokens = self.predecessors(groups, True)
        return h.log_softmax(-1).gather(-1, tokens[:, None])[:, 0], None

    def chance(self, logits, answer):
        return np.prod([logits.softmax(-1)[self.at[tuple(answer[:n])], t].item() for n, t in enumerate(answer)])


def encode(text): return list(text.encode())


def decode(ids): return bytes(ids).decode()


class Condition(unittest.TestCase):
    def test_the_condition_is_met_and_nothing_else_differs(self):
        policy = Table(1); every = [list(a) for a in itertools.product(range(WORDS), repeat=LENGTH)]; adam = torch.optim.Adam([policy.now], lr=0.1)
        text = max(every, key=lambda a: policy.chance(policy.base, a)); rows = [Row([9], text, 0, [])]
        for _ in range(300):
            each, *_ = condition.losses(policy, rows, 1e-9, 1.0); each.sum().backward(); adam.step(); adam.zero_grad()
        none = 1 - policy.chance(policy.base, text); self.assertLess(none, 0.9)
        self.assertLess(policy.chance(policy.now, text), 0.001)
        for a in every:
            if a != text: self.assertAlmostEqual(policy.chance(policy.now, a), policy.chance(policy.base, a) / none, delta=0.004)

    def test_weights_are_the_chances_to_come_there_under_the_condition(self):
        logp = torch.tensor([0.9, 0.5, 0.8, 0.7]).log(); q = 0.9 * 0.5 * 0.8 * 0.7; weight, rest = condition.path(logp, 0, 1e-9)
        self.assertTrue(torch.allclose(rest, torch.tensor([0.5 * 0.8 * 0.7, 0.8 * 0.7, 0.7, 1.0])))
        reach, step = 1.0, [0.9, 0.5, 0.8, 0.7]
        for t, p in enumerate(step):
            before = float(np.prod(step[t:])); self.assertAlmostEqual(weight[t].item() * (1 - before), reach, places=5)
            reach *= p * (1 - rest[t].item()) / (1 - before)
        self.assertAlmostEqual(reach, 0); self.assertAlmostEqual(weight[0].item(), 1 / (1 - q), places=5)

    def test_what_stands_before_the_body_has_no_condition(self):
        weight, rest = condition.path(torch.tensor([0.5, 0.9, 0.6]).log(), 1, 1e-9)
        self.assertTrue(torch.allclose(weight, torch.tensor([1, 1 / (1 - 0.54), 0.9 / (1 - 0.54)]))); self.assertTrue(torch.allclose(rest, torch.tensor([0, 0.6, 1])))
        self.assertAlmostEqual(condition.path(torch.tensor([0.0, 0.0]), 0, 0.1)[0][0].item(), 10)  # certain: as the floor has it

    def test_the_temperature_is_the_policys(self):
        policy = Table(2); row = [Row([9], TEXT, 0, [])]
        each, before, now, _ = condition.losses(policy, row, 1e-9, 0.5)
        self.assertTrue(torch.allclose(before, (policy.base * 2).log_softmax(-1)[[policy.at[tuple(TEXT[:n])] for n in range(LENGTH)], TEXT])); self.assertTrue(torch.allclose(before, now))

    def test_a_row_is_the_question_and_the_function_as_it_was(self):
        for task in (C, PYTHON):
            row = condition.row_of(task, encode, decode)
            self.assertEqual(decode(row.prompt), prompts.prompt(task)); self.assertEqual(decode(row.text), task["broken"].strip() + "\n```")
            self.assertEqual(decode(row.text[row.first:]).strip(), "return x;\n}\n```" if task is C else "return x\n```")
        for other in ({"kind": "body"}, {"failed": "x", "said": "y"}): self.assertEqual(condition.row_of(C | other, encode, decode).text, [])

    def test_answers_count_from_where_they_leave_the_text(self):
        rows = [Row([9], TEXT, 0, [[0, 2, 2, 0], [1, 0]]), Row([9], [], 0, [[1]])]
        weight, rest, text = condition.targets(rows, torch.full((11,), -0.5), 1e-9)
        self.assertEqual(weight[4:].tolist(), [0, 0, 0.5, 0.5, 0.5, 0.5, 1]); self.assertEqual(rest[4:].tolist(), [0] * 7); self.assertEqual(text.tolist(), [True] * 4 + [False] * 7)

    def test_the_chance_of_a_repeat_is_from_the_body_on(self):
        policy = Table(3); [(chance, row)] = condition.chances(policy, [Row([9], TEXT, 1, [])], 100); p = policy.base.softmax(-1)
        self.assertAlmostEqual(chance, float(np.prod([p[policy.at[tuple(TEXT[:n])], TEXT[n]].item() for n in (1, 2, 3)])), places=5); self.assertEqual(row.first, 1)


if __name__ == "__main__":
    unittest.main()

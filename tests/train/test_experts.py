"""Experts chosen by ranks are those that topk and sorting choose, in the same order, with the same gradients. Needs torch."""
import os
import sys
import unittest

try:
    import torch
except ImportError:
    print("skipped: no torch")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train"))
from model import Experts, Shape, ranks  # noqa: E402


class Ranks(unittest.TestCase):
    def test_order_with_equal_numbers(self):
        self.assertEqual(ranks(torch.tensor([[3.0, 5.0, 3.0, float("-inf"), 7.0]])).tolist(), [[2, 1, 3, 4, 0]])

    def test_same_as_by_sorting(self):
        torch.manual_seed(1)
        for used, groups in ((4, 3), (3, 2), (6, 3)):
            s = Shape(width=64, expert_ff=32, used=used, used_groups=groups)
            experts = Experts(s)
            experts.bias.normal_(std=0.05)
            x = torch.randn(200, s.width, requires_grad=True)
            seen = []
            for by_ranks in (True, False):
                experts.by_ranks = by_ranks
                experts.zero_grad()
                x.grad = None
                route = experts.route(x)
                (route[1] * torch.arange(1.0, used + 1)).sum().backward()
                seen.append([t.detach().clone() for t in (*route, x.grad, experts.router.weight.grad)])
            for mine, other in zip(*seen):
                self.assertTrue(torch.allclose(mine.double(), other.double(), atol=1e-6))
            chosen, _, inverse, order, counts, *_ = seen[0]
            self.assertEqual(counts.sum(), 200 * used)
            self.assertEqual(chosen.flatten()[order].tolist(), sorted(chosen.flatten().tolist()))
            self.assertEqual(order[inverse].tolist(), list(range(200 * used)))


if __name__ == "__main__":
    unittest.main()

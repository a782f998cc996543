"""How a student's rows become its teacher's, and what is kept of a teacher. Needs numpy, torch, gguf and tokenizers."""
import os
import sys
import unittest

try:
    import gguf  # noqa: F401
    import numpy as np
    import tokenizers  # noqa: F401
    import torch
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train"))
import cut  # noqa: E402
import student  # noqa: E402
from prepare import END, EOT, HOLE, MID, PRE, SEP, SUF  # noqa: E402


class Forms(unittest.TestCase):
    LINE_LAST = [SEP, 20, SUF, 30, 31, 32, PRE, 40, 41, MID, 50 | HOLE, END | HOLE, EOT]
    PREFIX_FIRST = [SEP, 20, PRE, 40, 41, SUF, 30, 31, 32, MID, 50, END, EOT]

    def taught(self, *documents):
        row = np.array([sum(documents, []) + [EOT] * 5], dtype=np.int32)
        return (row & (HOLE - 1))[0], *(x[0] for x in student.as_taught(row))

    def test_line_last_becomes_prefix_first(self):
        plain, joined = [SEP, 21, 60, 61, EOT], [SEP, 22, PRE, SUF, 70, MID, 80, 81 | HOLE, END | HOLE, EOT]
        ids, taught, source, said = self.taught(plain, self.LINE_LAST, joined)
        self.assertEqual(taught.tolist(), plain + self.PREFIX_FIRST + [t & (HOLE - 1) for t in joined] + [EOT] * 5)
        after = ids[1:-1]
        self.assertTrue((taught[source + 1] == after)[said].all())
        self.assertEqual([t for t, s in zip(after.tolist(), said) if not s], [SEP, SUF, PRE, MID, SEP, PRE, SUF, MID] + [EOT] * 4)

    def test_a_document_without_its_middle_stays(self):
        cut_off = [SEP, 20, SUF, 30, PRE, 40, EOT]
        self.assertEqual(self.taught(cut_off, self.LINE_LAST)[1].tolist(), cut_off + self.PREFIX_FIRST + [EOT] * 5)


class Cut(unittest.TestCase):
    def test_down_projection_is_fitted(self):
        """Neurons that repeat others need not stay: the others take over what they gave."""
        torch.manual_seed(1); few = torch.randn(500, 6); neurons = torch.cat((few, few[:, :2] * 0.1), 1); down = torch.randn(10, 8)
        best, fitted = cut.fitted(neurons.T @ neurons / 500, down, 6)
        self.assertEqual(best.tolist(), list(range(6)))
        self.assertLess((neurons @ down.T - neurons[:, best] @ fitted.T).abs().max(), 0.05)

    def test_directions_hold_the_stream(self):
        torch.manual_seed(2); width, kept = cut.UNTURNED + 40, cut.UNTURNED + 8; gain = torch.ones(width); gain[:cut.UNTURNED] = 3
        x = torch.zeros(300, width); x[:, :cut.UNTURNED] = torch.randn(300, cut.UNTURNED); x[:, cut.UNTURNED:] = torch.randn(300, 8) @ torch.randn(8, 40)
        basis = cut.directions((x.T @ x).double() / 300, gain, kept).float()
        self.assertLess((basis.T @ basis - torch.eye(kept)).abs().max(), 1e-5)
        self.assertLess((x @ basis @ basis.T - x).abs().max(), 1e-3)


class Whole(unittest.TestCase):
    def test_nothing_cut_is_the_same_network(self):
        """With all layers, neurons and directions only the last gains differ, which here are equal."""
        torch.manual_seed(3); size = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64), "ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96)}
        arrays = {"token_embd.weight": torch.randn(student.MARKS + 50, 64), "output_norm.weight": torch.full((64,), 2.0)}
        for i in range(2):
            for n, s in size.items():
                arrays[f"blk.{i}.{n}.weight"] = torch.randn(s) / 8
                if n in ("attn_q", "attn_k", "attn_v"): arrays[f"blk.{i}.{n}.bias"] = torch.randn(s[0]) / 8
            for n in ("attn_norm", "ffn_norm"): arrays[f"blk.{i}.{n}.weight"] = torch.rand(64) + 0.5
        shape = student.Shape.__new__(student.Shape); shape.__dict__ = {"width": 64, "heads": 4, "kv_heads": 2, "base": 1e4, "epsilon": 1e-6, "head": 16, "layers": 2, "feed_forward": 96, "context": 40}
        whole = student.Qwen2(shape, {n: x.numpy() for n, x in arrays.items()}); ids = torch.randint(0, 55, (3, 40))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16): seen = cut.observe(whole, [0, 1], [(ids, None)])
        same = student.Qwen2(shape, cut.cut(whole, [0, 1], seen, 64, 96))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16): a, b = (m.head(m.hidden(ids)).float().log_softmax(-1) for m in (whole, same))
        self.assertLess((a.exp() * (a - b)).sum(-1).mean(), 0.02)


if __name__ == "__main__":
    unittest.main()

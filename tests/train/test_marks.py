"""What a token counts in the loss, and the mean of a leg's last weights. Needs torch and tokenizers."""
import os
import random
import sys
import unittest
import unittest.mock

try:
    import numpy
    import tokenizers
    import torch
except ImportError:
    print("skipped: no numpy, tokenizers or torch")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../engine/train"))
import mend_eval  # noqa: E402
import model as form  # noqa: E402
import prepare  # noqa: E402
from model import HOLE, MARK, TOKEN, Model, Shape  # noqa: E402
from train import Mean, with_documents  # noqa: E402

TEXT = "int f(int a)\n{\n    int b = a;\n    return b;\n}\n"


class Marks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        letters = {t: i for i, t in enumerate(prepare.SPECIAL + sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))}
        prepare.tokenizer = prepare.byte_level(tokenizers.models.BPE(letters, []))
        prepare.tokenizer.add_special_tokens(prepare.SPECIAL)
        prepare.breaks = prepare.breaks_of(prepare.tokenizer)

    def marked(self, hole):
        ids, _ = prepare.holed(TEXT.splitlines(keepends=True), hole, [], [prepare.SEP], 1000, random.Random(1))
        return "".join(prepare.tokenizer.decode([t & TOKEN]) or "." for t in ids if t >> MARK), [t >> MARK for t in ids if t >> MARK]

    def test_a_whole_line(self):
        self.assertEqual(self.marked((3, 3, len("    return b;"))), ("    return b;.", [3] * 14))

    def test_a_part_of_a_line(self):
        self.assertEqual(self.marked((3, 3, len("    return"))), ("    return.", [2] * 11))

    def test_several_lines(self):
        self.assertEqual(self.marked((2, 3, len("    return b;"))), ("    int b = a;\n    return b;.", [2] * 15 + [1] * 13 + [2]))

    def test_nothing(self):
        self.assertEqual(self.marked((3, 3, -1)), (".", [2]))

    def test_a_correction(self):
        row = {"path": "a.c", "text": TEXT, "mend": [3, 4, ["    return a;\n"]]}
        ids = prepare.mended(row); at = ids.index(prepare.TOOL)
        self.assertEqual(prepare.tokenizer.decode(ids[:at]), "a.c\n" + TEXT)
        self.assertEqual([t >> MARK for t in ids], [0] * (at + 1) + [2] * (len(ids) - at - 2) + [0])
        said = [t & TOKEN for t in ids[at + 1:]]; middle = said.index(prepare.MID)
        self.assertEqual((prepare.tokenizer.decode(said[:middle]), prepare.tokenizer.decode(said[middle:]), said[-2:]), ("    return b;\n", "    return a;\n", [prepare.END, prepare.EOT]))
        self.assertEqual(prepare.mended(row | {"mend": None})[at:], [prepare.TOOL, prepare.END | HOLE, prepare.EOT])

    def test_what_they_count(self):
        torch.manual_seed(1)
        s = Shape(vocab=64, width=32, layers=1, heads=2, nope=16, rope=16, value=16, q_rank=16, kv_rank=16, dense_ff=32, experts=4, groups=2, used=2,
                  used_groups=1, expert_ff=16, context=6)
        rows = torch.tensor([[4, 9 | HOLE, 10, 11 | 3 << MARK, 12 | 1 << MARK, 5 | 3 << MARK, 0, 0]])
        model = Model(s, counts=(1.0, 2.0, 8.0, 20.0)).eval()
        with torch.autocast("cpu", torch.bfloat16):
            rows, documents = with_documents(rows)
            h = model.hidden(rows[:, :-2].long() & TOKEN, documents)
            each = torch.nn.functional.cross_entropy(model.head(h).float()[0], rows[0, 1:-1].long() & TOKEN, reduction="none")
            loss, _ = model(rows.long(), documents)
        weight = torch.tensor([8.0, 1.0, 20.0, 2.0, 20.0, 1.0])
        self.assertAlmostEqual(loss.item(), ((each * weight).sum() / weight.sum()).item(), places=3)


class Continuations(unittest.TestCase):
    def test_a_tree_says_what_each_alone_says(self):
        torch.manual_seed(2)
        s = Shape(vocab=64, width=32, layers=2, heads=2, nope=16, rope=16, value=16, q_rank=16, kv_rank=16, dense_ff=32, experts=4, groups=2, used=2,
                  used_groups=1, expert_ff=16, context=16)
        net, before = Model(s).eval(), [4, 9, 10, 11, 12]
        net.head.weight.data.normal_()  # far from all alike
        branches = [[7, 8, 9], [7, 8, 10, 5], [6], [7, 9]]
        self.assertEqual(mend_eval.tree(branches), ([7, 8, 9, 10, 5, 6, 9], [-1, 0, 1, 1, 3, -1, 0], [[0, 1, 2], [0, 1, 3, 4], [5], [0, 6]]))
        with unittest.mock.patch.object(form, "attend", mend_eval.attend):
            together = mend_eval.scores(net, before, branches)
            alone = [mend_eval.scores(net, before, [b])[0] for b in branches]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            plain = [-torch.nn.functional.cross_entropy(net.head(net.hidden(torch.tensor([before + b[:-1]]))).float()[0, len(before) - 1:], torch.tensor(b), reduction="sum").item() for b in branches]
        for a, b, c in zip(together, alone, plain):
            self.assertAlmostEqual(a, b, delta=0.1)
            self.assertAlmostEqual(a, c, delta=0.1)


class Means(unittest.TestCase):
    def test_all_weights_and_back(self):
        model = torch.nn.Module()
        model.weight = torch.nn.Parameter(torch.zeros(2))
        model.register_buffer("running_mean", torch.zeros(2))
        mean = Mean(model)
        for x in (1.0, 2.0, 6.0):
            model.weight.data.fill_(x)
            model.running_mean.fill_(2 * x)
            mean.add()
        mean.swap()
        self.assertTrue(torch.allclose(model.weight, torch.tensor(3.0)) and torch.allclose(model.running_mean, torch.tensor(6.0)))
        mean.swap()
        self.assertTrue(torch.allclose(model.weight, torch.tensor(6.0)) and torch.allclose(model.running_mean, torch.tensor(12.0)))


if __name__ == "__main__":
    unittest.main()

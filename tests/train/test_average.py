"""The mean of legs' weights. Needs numpy."""
import os
import subprocess
import sys
import unittest

try:
    import numpy
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

TRAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../engine/train")
sys.path.insert(0, TRAIN)
from average import mean  # noqa: E402


class Average(unittest.TestCase):
    def test_shares(self):
        states = [{"a": numpy.array([0.0, 4.0])}, {"a": numpy.array([8.0, 4.0])}]
        self.assertEqual(mean(states, [1, 3])["a"].tolist(), [6.0, 4.0])
        self.assertEqual(mean(states, [0.5, 1.5])["a"].tolist(), [6.0, 4.0])

    def test_shares_below_zero_are_refused(self):
        said = subprocess.run([sys.executable, TRAIN + "/average.py", "out", "a.gguf=1", "b.gguf=-1"], stderr=subprocess.PIPE)
        self.assertEqual(said.returncode, 1)
        self.assertIn(b"wanted above 0", said.stderr)


if __name__ == "__main__":
    unittest.main()

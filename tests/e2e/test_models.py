"""`r1ls model`: files that are made, checked and fetched, as a user does it.

Usage: test_models.py R1LS_BINARY [unittest options]. Needs the Python standard library only.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BINARY = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "r1ls"
SOURCE = pathlib.Path(__file__).resolve().parents[2]
MINI = SOURCE / "engine/models/r1ls-mini.gguf"


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="r1ls-models-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def run_model(self, *args, code=0, env=None):
        done = subprocess.run([BINARY, "model", *map(str, args)], capture_output=True, timeout=300, text=True,
                              env={**os.environ, "XDG_CACHE_HOME": str(self.dir / "cache"), **(env or {})})
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def refuse(self, code, text, *args):
        self.assertIn(text, self.run_model(*args, code=code).stderr)

    def names(self):
        return sorted(p.name for p in self.dir.iterdir())

    def score(self, model):
        text = (SOURCE / "src/base/str.c").read_bytes()[:1500]
        done = subprocess.run([BINARY, "engine", "score", model, "--json"], input=text, capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        return found["nll_sum"] / (found["n_tokens"] - 1)


class Quantize(Case):
    def test_types_open_and_cost_little(self):
        plain = self.score(MINI)
        for kind, most in (("Q8_0", 0.03), ("Q4_K_M", 0.1)):
            out = self.dir / (kind + ".gguf")
            self.run_model("quantize", MINI, out, kind)
            self.assertLess(self.score(out), plain + most, kind)
            info = json.loads(self.run_model("info", out, "--json").stdout)
            self.assertEqual(info["quantisation"], kind)
        self.assertEqual(self.names(), ["Q4_K_M.gguf", "Q8_0.gguf"])

    def test_nothing_is_overwritten_or_left(self):
        out = self.dir / "out.gguf"
        out.write_text("mine")
        self.refuse(2, "exists", "quantize", MINI, out, "Q8_0")
        self.assertEqual(out.read_text(), "mine")
        self.run_model("quantize", MINI, out, "Q8_0", "--overwrite")
        self.refuse(2, "read and written", "quantize", out, out, "Q4_0", "--overwrite")
        self.refuse(2, "'Q9'", "quantize", MINI, self.dir / "b.gguf", "Q9")
        self.refuse(3, "not a GGUF file", "quantize", __file__, self.dir / "b.gguf", "Q8_0")
        self.refuse(3, "No such file", "quantize", MINI, self.dir / "no/b.gguf", "Q8_0")
        self.assertEqual(self.names(), ["out.gguf"])

    def test_an_interrupt_leaves_nothing(self):
        process = subprocess.Popen([BINARY, "model", "quantize", MINI, self.dir / "a.gguf", "Q2_K", "--threads", "1"],
                                   stderr=subprocess.PIPE, text=True)
        self.assertIn("quantize:", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 3)
        self.assertIn("cancelled", process.stderr.read())
        process.stderr.close()
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    unittest.main()

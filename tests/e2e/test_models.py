"""`r1ls model`: files that are made, checked and fetched, as a user does it.

Usage: test_models.py R1LS_BINARY [unittest options]. Needs the Python standard library only.
"""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from lsp_client import Client
from model_server import Server, make_folder

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


class Convert(Case):
    def test_a_folder_becomes_a_file(self):
        folder, out = make_folder(self.dir / "tiny"), self.dir / "tiny.gguf"
        done = self.run_model("convert", folder, out, "--json")
        self.assertEqual(json.loads(done.stdout.splitlines()[-1]), {"event": "done", "path": str(out), "bytes": out.stat().st_size})
        info = json.loads(self.run_model("info", out, "--json").stdout)
        self.assertEqual((info["name"], info["arch"], info["quantisation"], info["n_layers"]), ("tiny", "qwen2", "F32", 2))
        self.run_model("verify", out)
        self.refuse(2, "exists", "convert", folder, out)
        self.run_model("convert", folder, out, "--overwrite", "--type", "q4_k_m")
        self.assertEqual(json.loads(self.run_model("info", out, "--json").stdout)["quantisation"], "Q4_K_M")
        self.refuse(3, "config.json", "convert", self.dir, self.dir / "no.gguf")
        self.refuse(2, "'Q9'", "convert", folder, self.dir / "no.gguf", "--type", "Q9")
        self.assertEqual(self.names(), ["tiny", "tiny.gguf"])

    def test_a_folder_opens_as_a_model(self):
        folder, out = make_folder(self.dir / "tiny"), self.dir / "tiny.gguf"
        made = lambda: [(p.name, p.stat().st_ino) for p in (self.dir / "cache/r1ls/folders").glob("*.gguf")]
        done = self.run_model("info", folder, "--json")
        self.assertEqual(json.loads(done.stdout)["name"], "tiny")
        self.assertIn("convert: 100%", done.stderr)
        first = made()
        self.run_model("convert", folder, out)
        env = {**os.environ, "XDG_CACHE_HOME": str(self.dir / "cache")}
        run = lambda *args: subprocess.run([BINARY, *map(str, args)], input="abc", capture_output=True, timeout=300, text=True, env=env)
        texts = [run("engine", "generate", m, "-n", "8") for m in (folder, out)]
        self.assertEqual([t.returncode for t in texts], [0, 0], texts)
        self.assertEqual(texts[0].stdout, texts[1].stdout)
        self.assertEqual(texts[0].stderr.count("convert"), 0) # the file was there
        (self.dir / "a.c").write_text("int a;\n\n")
        self.assertIn("fill-in-the-middle", run("complete", self.dir / "a.c:2:1", "--model", folder).stderr)
        self.run_model("verify", folder)
        self.run_model("quantize", folder, self.dir / "small.gguf", "Q4_K_M")
        self.assertEqual(made(), first)
        self.refuse(3, "config.json", "info", self.dir)

    def test_the_server_opens_folders_and_names(self):
        env = {**os.environ, "XDG_CACHE_HOME": str(self.dir / "cache")}
        models = self.dir / "cache/r1ls/models"
        models.mkdir(parents=True)
        make_folder(models / "tiny")
        for flags, model, state, name in ((["--model", models / "tiny"], None, "ready", "tiny"), ([], "tiny", "ready", "tiny"),
                                          (["--model", "tiny"], "embedded", "ready", "r1ls-mini"), ([], "nowhere", "failed", "nowhere")):
            client = Client([BINARY, "--stdio", "--standalone", *map(str, flags)], env=env)
            self.addCleanup(client.process.kill)
            client.start(options={"model": model} if model else {})
            for _ in range(300):
                status = client.call("r1ls/status", None)["result"]
                if status["engine"] != "loading": break
                time.sleep(0.1)
            self.assertEqual(status["engine"], state, status)
            self.assertIn(name, status["model"]["name"].lower() if state == "ready" else status["error"])
            client.stop()
            client.process.stdin.close()


class Quantize(Case):
    def test_importance_and_threads(self):
        model, text = self.dir / "tiny.gguf", self.dir / "text.c"
        self.run_model("convert", make_folder(self.dir / "tiny"), model)
        text.write_text("abcabcintmainvoid" * 20)
        for n in (1, 3):
            self.run_model("quantize", model, self.dir / f"{n}.gguf", "Q2_K", "--threads", n)
        self.assertEqual((self.dir / "1.gguf").read_bytes(), (self.dir / "3.gguf").read_bytes())
        out = self.dir / "a.gguf"
        done = self.run_model("quantize", model, out, "Q2_K", "--importance", text, "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(events[-1], {"event": "done", "path": str(out), "bytes": out.stat().st_size})
        self.assertEqual({e["action"] for e in events[:-1]}, {"importance", "quantize"})
        self.assertEqual(out.stat().st_size, (self.dir / "1.gguf").stat().st_size)
        self.assertNotEqual(out.read_bytes(), (self.dir / "1.gguf").read_bytes())
        self.run_model("verify", out)
        self.refuse(2, "No such file", "quantize", model, self.dir / "b.gguf", "Q2_K", "--importance", "/nowhere")

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


class Pull(Case):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.data = MINI.read_bytes()
        self.server.files["m.gguf"] = self.data
        self.sha = hashlib.sha256(self.data).hexdigest()
        self.folder = self.dir / "cache/r1ls/models"

    def left(self):
        return sorted(p.name for p in self.folder.iterdir()) if self.folder.exists() else []

    def test_a_file_with_the_right_checksum_is_kept(self):
        done = self.run_model("pull", self.server.url("to/m.gguf"), "--sha256", self.sha.upper(), "--json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(events[-1], {"event": "done", "path": str(self.folder / "m.gguf"), "bytes": len(self.data),
                                      "resumed": 0, "sha256": self.sha})
        self.assertTrue(all(e["event"] == "progress" and e["total"] == len(self.data) for e in events[:-1]))
        self.assertEqual((self.folder / "m.gguf").read_bytes(), self.data)
        self.assertEqual(self.left(), ["m.gguf"])
        self.run_model("info", "m")  # by its name in the cache folder
        self.refuse(2, "exists", "pull", self.server.url("m.gguf"), "--sha256", self.sha)

    def test_a_broken_connection_is_resumed(self):
        self.server.cuts = [1000000, 2000000]
        self.run_model("pull", self.server.url("m.gguf"), "--sha256", self.sha)
        self.assertEqual(self.server.ranges, [None, "bytes=1000000-", "bytes=3000000-"])
        self.assertEqual((self.folder / "m.gguf").read_bytes(), self.data)

    def test_a_stopped_pull_goes_on(self):
        self.server.cuts, self.server.hold = [5000000], threading.Event()
        process = subprocess.Popen([BINARY, "model", "pull", self.server.url("m.gguf"), "--sha256", self.sha, "--json"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "XDG_CACHE_HOME": str(self.dir / "cache")})
        self.assertEqual(json.loads(process.stdout.readline())["event"], "progress")
        part = self.folder / "m.gguf.part"
        until = time.time() + 30
        while time.time() < until and part.stat().st_size < 5000000:
            time.sleep(0.05)
        self.refuse(3, "another process", "pull", self.server.url("m.gguf"), "--sha256", self.sha)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 3)
        process.communicate()
        self.assertEqual(self.left(), ["m.gguf.part"])
        self.server.hold.set()
        done = self.run_model("pull", self.server.url("m.gguf"), "--sha256", self.sha, "--json")
        self.assertEqual(json.loads(done.stdout.splitlines()[-1])["resumed"], 5000000)
        self.assertEqual(self.left(), ["m.gguf"])
        self.assertEqual((self.folder / "m.gguf").read_bytes(), self.data)

    def test_a_server_without_ranges_starts_anew(self):
        self.folder.mkdir(parents=True)
        (self.folder / "m.gguf.part").write_bytes(self.data[:70000])
        self.server.knows_ranges = False
        self.run_model("pull", self.server.url("m.gguf"), "--sha256", self.sha)
        self.assertEqual((self.folder / "m.gguf").read_bytes(), self.data)

    def test_what_is_wrong_is_removed(self):
        self.refuse(3, "it was removed", "pull", self.server.url("m.gguf"), "--sha256", "0" * 64)
        self.assertEqual(self.left(), [])
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "m.gguf.part").write_bytes(self.data + b"more")  # longer than the file
        self.run_model("pull", self.server.url("m.gguf"), "--sha256", self.sha)
        self.assertEqual(self.left(), ["m.gguf"])
        self.refuse(3, "answered 404", "pull", self.server.url("other.gguf"), "--sha256", self.sha)
        self.assertEqual(self.left(), ["m.gguf"])

    def test_no_checksum_has_to_be_asked_for(self):
        self.refuse(2, "--no-checksum", "pull", self.server.url("m.gguf"))
        self.assertEqual(self.server.ranges, [])
        self.server.files["page.gguf"] = b"<html>please log in</html>"
        self.refuse(3, "not a GGUF file", "pull", self.server.url("page.gguf"), "--no-checksum")
        self.assertEqual(self.left(), [])
        self.run_model("pull", self.server.url("m.gguf"), "--no-checksum")
        self.refuse(2, "64 hexadecimal", "pull", self.server.url("m.gguf"), "--sha256", "12")
        self.refuse(2, "no file name", "pull", self.server.url("..?x"), "--no-checksum")
        self.refuse(2, "no address", "pull", "file:///etc/passwd", "--no-checksum")
        self.refuse(3, "127.0.0.1:1/", "pull", "http://127.0.0.1:1/x.gguf", "--no-checksum")


class Verify(Case):
    def test_a_sound_file_has_its_checksum(self):
        sha = hashlib.sha256(MINI.read_bytes()).hexdigest()
        done = json.loads(self.run_model("verify", MINI, "--json").stdout.splitlines()[-1])
        self.assertEqual((done["sha256"], done["ok"], done["bytes"]), (sha, True, MINI.stat().st_size))
        self.run_model("verify", MINI, "--sha256", sha)
        self.refuse(3, "wanted 0000", "verify", MINI, "--sha256", "0" * 64)
        self.refuse(2, "64 hexadecimal", "verify", MINI, "--sha256", "xyz")
        self.refuse(2, "no file", "verify", "embedded")

    def test_damage_of_the_data_is_found(self):
        data = bytearray(MINI.read_bytes())
        bad = self.dir / "bad.gguf"
        data[-3:] = b"\xff\x7f\xff"  # the last tensor's end
        # Every scale of the last megabyte becomes a NaN, whatever its type.
        data[-1000000:] = b"\xff" * 1000000
        bad.write_bytes(data)
        self.refuse(3, "has a NaN or an infinity", "verify", bad)
        bad.write_bytes(data[:-1000])
        self.refuse(3, "of the data, the file has", "verify", bad)


if __name__ == "__main__":
    unittest.main()

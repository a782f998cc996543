"""Packs a leg for a machine that is lent for minutes and takes files of at most 53 MiB a call: part-00, part-01, ... in OUT.

usage: make_parts.py OUT --init WEIGHTS.blocks --template MODEL.gguf --data DATA --r1ls BINARY --held-out DIR [--student DIR] [--functions DIR] [--holes FILE.zst]
       [--mend FILE.jsonl] SHARD.zst...

DATA is prepare.py's folder (tokenizer.json, val_*, held_cases.json), --r1ls a release build, --held-out the sources that
tests/bench/quality.py keeps in the cache, SHARD the corpus in the order of training. Each part is a .tar.zst of its own, without a
tar's end mark, so that they can be unpacked one by one or all as one file, where the folder leg/ shall be. part-00 is enough for
start.sh, which compiles while the others come; the next two bring the rest of the weights. Of the template, whose metadata and types a
model file gets, the numbers stay out. Needs zstd and strip.
"""
import argparse, glob, io, os, pathlib, shutil, subprocess, tarfile, tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
LIMIT, FIRST, NEXT = 53 << 20, 11_000_000, 50_000_000  # bytes of a part at most; of the weights in the first, in one of the others
LIBRARIES = ("libuv.so.1", "libjson-c.so.5", "libsqlite3.so.0", "libselinux.so.1", "libcap.so.2", "libpcre2-8.so.0", "libgomp.so.1")


class Part:
    def __init__(self):
        self.bytes, self.stored = io.BytesIO(), False
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tarfile.GNU_FORMAT)

    def put(self, name, data, mode=0o644):
        info = tarfile.TarInfo("leg/" + name); info.size, info.mode = len(data), mode
        self.tar.addfile(info, io.BytesIO(data))

    def copy(self, name, path):
        skip = lambda info: None if "__pycache__" in info.name or "/projects" in info.name else info
        self.tar.add(path, arcname="leg/" + name, filter=skip)

    def write(self, path, level):
        data = self.bytes.getvalue()[:self.tar.offset]
        packed = subprocess.run(["zstd", "-q", f"--fast={level}" if self.stored else f"-{level}", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
        if len(packed) > LIMIT: raise SystemExit(f"{path} has {len(packed)} bytes, wanted at most {LIMIT}")
        with open(path, "wb") as f: f.write(packed)
        print(path, len(packed))


def stripped(binary):
    """The program without debugging information and without the models in it, which the parts have no room for twice; every run names a model."""
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(["strip", "-o", f.name, binary], check=True)
        data = bytearray(pathlib.Path(f.name).read_bytes())
    for path in (ROOT / "engine/models").glob("*.gguf"):
        model = path.read_bytes(); at = data.find(model)
        if at >= 0: data[at:at + len(model)] = bytes(len(model))
    return bytes(data)


def without_numbers(path):
    """A model file whose tensors are zeros: they take no room in a part."""
    import gguf
    data = bytearray(pathlib.Path(path).read_bytes())
    begin = gguf.GGUFReader(path).data_offset; data[begin:] = bytes(len(data) - begin)
    return bytes(data)


def libraries(binary):
    """Those of the program that a machine may lack: (name, path)."""
    for line in subprocess.run(["ldd", binary], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        name, _, rest = line.strip().partition(" => ")
        if name in LIBRARIES: yield name, os.path.realpath(rest.split(" ")[0])


def tools(part, args):
    """What trains, exports and asks for holes."""
    import gguf
    for path in sorted(HERE.parent.glob("*.py")) + [HERE.parent / "pack_parts.sh"]: part.copy("train/" + path.name, path)
    for path in sorted((HERE.parent / "rl").glob("*.py")) if args.holes or args.tasks else (): part.copy("train/rl/" + path.name, path)
    if args.tasks: part.copy("tasks.jsonl", args.tasks)
    for name in ("parts", "banned.npy", "held.zst") if args.raw else (): part.copy("raw/" + name, f"{args.raw}/{name}")
    if args.holes: part.copy("holes.zst", args.holes)
    if args.mend: part.copy("data/mend_held.jsonl", args.mend)
    if args.answers: part.copy("answers/old/answers.jsonl", args.answers)
    part.put("template.gguf", without_numbers(args.template))
    for name in ("start.sh", "work.sh", "holes.sh", "bodies.sh", "bodies.py", "student.sh", "distill.sh", "collect.sh"): part.copy(name, HERE / name)
    part.copy("lib/gguf", os.path.dirname(gguf.__file__))
    for pattern in ("tokenizer.json", "val_*", "held_cases.json"):
        for path in sorted(glob.glob(f"{args.data}/{pattern}")): part.copy("data/" + os.path.basename(path), path)
    for name in ("student", "functions"):
        for path in filter(os.path.isfile, sorted(glob.glob(f"{getattr(args, name)}/*")) if getattr(args, name) else ()): part.copy(f"{name}/{os.path.basename(path)}", path)
    part.copy("bin/zstd", os.path.realpath(shutil.which("zstd")))
    part.put("holes/r1ls", stripped(args.r1ls), 0o755)
    for name, path in libraries(args.r1ls): part.copy("holes/lib/" + name, path)
    for name in ("bench", "e2e"): part.copy("holes/tests/" + name, ROOT / "tests" / name)
    for path in sorted(pathlib.Path(args.held_out).iterdir()):
        if path.is_dir() and path.name != "lists": part.copy("holes/held-out/" + path.name, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out"); parser.add_argument("shards", nargs="+")
    for name in ("--init", "--template", "--data", "--r1ls", "--held-out"): parser.add_argument(name, required=True)
    parser.add_argument("--student", default="", help="a folder of student.py's vocabulary and prepare.py's held, for student.sh")
    parser.add_argument("--functions", default="", help="a folder of functions.py's shards")
    parser.add_argument("--holes", default="", help="distill.py's holes, for distill.sh")
    parser.add_argument("--mend", default="", help="mend.py's held-out rows, for mend_eval.py")
    parser.add_argument("--tasks", default="", help="rl/library.py's tasks, for bodies.sh")
    parser.add_argument("--answers", default="", help="quality.py's answers.jsonl of the embedded weights on the same holes")
    parser.add_argument("--raw", default="", help="gather.py's folder raw: packages that are filtered there")
    args = parser.parse_args(); os.makedirs(args.out, exist_ok=True)
    parts, room = [Part()], 0
    weights = pathlib.Path(args.init).read_bytes()
    tools(parts[0], args)
    parts[0].put("weights/0", weights[:FIRST])
    for number, at in enumerate(range(FIRST, len(weights), NEXT), 1):
        parts.append(Part()); parts[-1].put(f"weights/{number}", weights[at:at + NEXT])
    parts[-1].put("weights/ok", b"")
    parts[0].put("train/parts", str(len(args.shards)).encode())
    for number, shard in enumerate(args.shards):
        data = pathlib.Path(shard).read_bytes(); part = parts[0] if number == 0 else parts[-1]
        if number and len(data) > room: part, room = Part(), LIMIT - (1 << 20); parts.append(part)
        part.put(f"parts/{number}.zst", data); part.put(f"parts/{number}.ok", b""); room -= len(data) if number else 0
    for number in range(int(pathlib.Path(args.raw, "parts").read_text()) if args.raw else 0):
        part = Part(); parts.append(part); part.stored = True
        for path in sorted(pathlib.Path(args.raw, str(number)).iterdir()): part.copy(f"raw/{number}/{path.name}", path)
        part.put(f"raw/{number}.ok", b"")
    if not args.raw: parts[-1].put("parts/all", b"")
    for number, part in enumerate(parts): part.write(f"{args.out}/part-{number:02d}", 9 if number == 0 else 1)


if __name__ == "__main__": main()

#!/usr/bin/env python3
"""Speed of the engine against llama.cpp and against the limits of the machine.

usage: bench.py [--quick] [--rounds 3] [--models NAME,...] [--prompt 1900] [--minutes N] [--no-peer] [--write]

Contenders and the probe of the limits are interleaved round by round in one run, because the speed of shared
machines drifts; medians and ratios count, single figures do not. llama.cpp is Debian's of a later suite, in
build/bench-tools (get_llama.sh); ik_llama.cpp is a wheel from PyPI, built for AVX2, in build/bench-ik. Prints Markdown; --write puts it and a plot into docs/performance.md. Every figure is
appended to build/bench.jsonl as soon as it is known. --quick is --rounds 3 --prompt 1024 --minutes 9: a model that has
used up its share of the minutes, by the root of its size, gets no further round. --models r1-distill-1.5b,v2-lite are made of random weights.
"""
import argparse
import json
import math
import mmap
import os
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request

from llama_server import LlamaServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOC, PLOT = ROOT / "docs/performance.md", ROOT / "docs/performance.svg"
LOG = ROOT / "build/bench.jsonl"
BEGIN, END = "<!-- ./dev bench --write: begin -->", "<!-- ./dev bench --write: end -->"
ANSWER_S = 900
SERVED_BYTES = 4 << 30 # of a larger file the peer's server would take minutes for one long prompt
RANDOM = ("r1-distill-1.5b", "v2-lite") # shapes whose weights are random (random_model.py): 1.1 and 10 GB of disk


def run_json(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(map(str, command)), done.stderr[-500:]))
    return json.loads(done.stdout)


def ours(args, model, prefill, decode):
    return run_json([args.r1ls, "engine", "bench", model, "--prefill", prefill, "--decode", decode,
                     "--threads", args.threads, "--json"])


def theirs(args, model):
    rows = run_json([args.peer / "llama-bench", "-m", model, "-t", args.threads, "-p", args.prefill, "-n", args.decode,
                     "-fa", 1, "-r", 1, "-o", "json"])
    return {"prefill_tps": next(r["avg_ts"] for r in rows if r["n_prompt"]),
            "decode_tps": next(r["avg_ts"] for r in rows if r["n_gen"])}


def find_ik():
    """The Python that has ik_llama.cpp, or None."""
    python = ROOT / "build/bench-ik/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", "ik-llama-cpp-python==0.1.5"], capture_output=True, text=True)
    if done.returncode:
        print("skipped: ik_llama.cpp cannot be installed: %s" % done.stderr[-200:], file=sys.stderr)
        return None
    return python


def iks(args, model):
    """Figures of ik_llama.cpp; none where it cannot run the model, and then it is not asked again."""
    if model in args.ik_fails:
        return {}
    done = subprocess.run([args.ik, ROOT / "tests/bench/ik_speed.py", model, str(args.prefill), str(args.decode), str(args.threads)],
                          capture_output=True, text=True)
    if done.returncode:
        args.ik_fails.add(model)
        return {}
    return json.loads(done.stdout.splitlines()[-1])


def keep(who, model, figures):
    """One measurement, in the log before the next one begins."""
    with LOG.open("a") as log:
        print(json.dumps({"time": time.strftime("%F %T"), "who": who, "model": model.name, "load": os.getloadavg()[0], **figures}),
              file=log)
    return figures


def anonymous_bytes(pid):
    """What the process keeps in memory that no file holds. A model that is mapped is not in it, one that was copied is."""
    for line in open("/proc/%d/smaps_rollup" % pid):
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    return 0


class Server(LlamaServer):
    """How fast it is ready, what it keeps resident, what a typed character costs."""

    def __init__(self, args, model):
        super().__init__(args.peer / "llama-server", model, args.threads, args.prompt + 256, ["-fa", "on"])

    def first_token_ms(self, ids):
        body = json.dumps({"prompt": ids, "n_predict": 1, "cache_prompt": True}).encode()
        start = time.monotonic()
        urllib.request.urlopen(urllib.request.Request(self.url + "/completion", body, {"Content-Type": "application/json"}),
                               timeout=ANSWER_S).read()
        return 1e3 * (time.monotonic() - start)

    def key_ms(self, n_tokens):
        ids = [1000 + i % 3000 for i in range(n_tokens)]
        self.first_token_ms(ids)
        return statistics.median(self.first_token_ms(ids[:-1] + [1000 + i]) for i in range(7))


def measure_key(args, model, mine, other):
    """What a typed character after a long prompt costs, how fast a server is ready and what it keeps resident: once."""
    for figures in mine: # these were measured after a short prompt
        del figures["key_ms"], figures["anonymous_bytes"]
    long = keep("r1ls, long", model, ours(args, model, args.prompt, 1))
    mine[0].update(key_ms=long["key_ms"], anonymous_bytes=long["anonymous_bytes"])
    if args.peer and model.stat().st_size < SERVED_BYTES:
        server = Server(args, model)
        other[0].update(keep("llama-server", model, {"load_ms": server.ready_ms, "key_ms": server.key_ms(args.prompt),
                                                     "anonymous_bytes": anonymous_bytes(server.process.pid)}))
        server.close()


def between_limits(args, model, limits):
    """A round of ours between two probes of the machine's limits, whose means are that round's: memory has slow minutes."""
    probe = lambda: run_json([ROOT / "build/release/tests/roofline", args.threads])
    before, ours_now, after = probe(), ours(args, model, args.prefill, args.decode), probe()
    limits.append(keep("limits", model, {key: (before[key] + after[key]) / 2 for key in ("read_bytes", "int8_products")}))
    return ours_now


def measure(args, model, end):
    """Everything about one model: lists of figures, one a round, of us, of the peers, and of the limits around us. After
    `end` (of time.monotonic) no further round begins."""
    mine, other, ik, limits = [], [], [], []
    for n in range(args.rounds):
        if n and time.monotonic() > end:
            break
        contenders = [("r1ls", mine, lambda: between_limits(args, model, limits))]
        if args.peer:
            contenders.append(("llama.cpp", other, lambda: theirs(args, model)))
        if args.ik:
            contenders.append(("ik_llama.cpp", ik, lambda: iks(args, model)))
        for who, figures, run in contenders if n % 2 == 0 else contenders[::-1]:
            figures.append(keep(who, model, run()))
    measure_key(args, model, mine, other)
    return mine, other, ik, limits


def read_anew(path):
    """The page cache as after a start of the machine: what a download wrote lies there in pages of 4 KB, which cost every
    program a tenth of decode; read through a mapping it has those of 2 MB where the file system can."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            data.madvise(mmap.MADV_HUGEPAGE)
            sum(data[at] for at in range(0, len(data), 4096))


def median(figures, key):
    found = [f[key] for f in figures if key in f]
    return statistics.median(found) if found else None


def rows_of(args, name, model, end):
    """(model, figure, work, ours, llama.cpp's, ik_llama.cpp's, the limit, our share of it) of every measure; None: there
    is none. The share is the median of the rounds' shares."""
    info = run_json([args.r1ls, "model", "info", model, "--json"])
    read_anew(model)
    mine, other, ik, limits = measure(args, model, end)
    output = info["n_vocab"] * info["n_embd"] # of a prompt, the last token alone meets this matrix
    products = info["n_active_params"] - output * (1 - 1 / args.prefill)
    for figures, limit in zip(mine, limits):
        limit["prefill_tps"], limit["decode_tps"] = limit["int8_products"] / products, limit["read_bytes"] / info["n_active_bytes"]
        for key in ("prefill_tps", "decode_tps"):
            limit["share of " + key] = figures[key] / limit[key]
    for figure in mine + other:
        if "anonymous_bytes" in figure:
            figure["anonymous_mb"] = figure["anonymous_bytes"] / 1e6
    works = [("prefill_tps", "prefill %d, tokens/s" % args.prefill), ("decode_tps", "decode %d, tokens/s" % args.decode),
             ("key_ms", "first token, one more after %d, ms" % args.prompt), ("load_ms", "open to ready, ms"),
             ("anonymous_mb", "memory beside the mapped file, MB")]
    return [(name, key, work, median(mine, key), median(other, key), median(ik, key), median(limits, key),
             median(limits, "share of " + key)) for key, work in works]


def show(value):
    if value is None:
        return "-"
    return "%.0f" % value if abs(value) >= 100 else "%.1f" % value


def table(rows):
    lines = ["| model | work | r1ls | llama.cpp | ratio | ik_llama.cpp | limit | share of it |", "|---|---|---|---|---|---|---|---|"]
    for name, _, work, mine, peer, ik, limit, share in rows:
        ratio = "%.2f" % (mine / peer) if peer and peer > 0 and mine > 0 else "-"
        share = "%.0f%%" % (100 * share) if share else "-"
        lines.append("| %s | %s | %s | %s | %s | %s | %s | %s |"
                     % (name, work, show(mine), show(peer), ratio, show(ik), show(limit), share))
    return "\n".join(lines)


def plot(rows):
    """Bars of tokens/s as shares of the limit, ours over the peer's, for prefill and decode of every model."""
    bars = [(name + ", " + work.split(",")[0], mine, peer, limit) for name, _, work, mine, peer, _, limit, _ in rows if limit]
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="720" height="%d" font-family="sans-serif" font-size="12">'
           % (46 * len(bars) + 40), '<rect width="100%" height="100%" fill="white"/>',
           '<text x="8" y="18">Share of the limit of the machine (bar: 100%); tokens/s beside it</text>']
    for i, (label, mine, peer, limit) in enumerate(bars):
        top = 30 + 46 * i
        out.append('<text x="8" y="%d">%s</text><rect x="200" y="%d" width="360" height="34" fill="#eee"/>' % (top + 22, label, top))
        for j, (who, value, colour) in enumerate([("r1ls", mine, "#2a6fb0"), ("llama.cpp", peer, "#c98a2b")]):
            if value is None:
                continue
            out.append('<rect x="200" y="%d" width="%.1f" height="17" fill="%s"/>' % (top + 17 * j, 360 * min(1, value / limit), colour))
            out.append('<text x="566" y="%d">%s %s</text>' % (top + 17 * j + 13, who, show(value)))
    return "\n".join(out + ["</svg>", ""])


def write_doc(text):
    doc = DOC.read_text()
    if BEGIN not in doc or END not in doc:
        sys.exit("%s: the marks of the table are missing, wanted %s and %s" % (DOC, BEGIN, END))
    DOC.write_text(doc.split(BEGIN)[0] + BEGIN + "\n" + text + "\n" + END + doc.split(END)[1])


def make_random(name, donor):
    """A file of random weights in the shape of that model, in build/: not in the cache, where r1ls would choose it."""
    path = ROOT / "build/bench-models" / (name + ".gguf")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and donor.exists():
        print("writing random weights in the shape of %s" % name, file=sys.stderr)
        subprocess.run([sys.executable, ROOT / "tests/bench/random_model.py", name, donor, path], check=True)
    return path


def find_models(names):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "r1ls/models"
    for name in names.split(","):
        path = ROOT / "engine/models/r1ls-mini.gguf" if name == "embedded" else cache / (name + ".gguf")
        if name in RANDOM:
            name_of_donor = "coder-1.5b"
            path = make_random(name, cache / (name_of_donor + ".gguf"))
        else:
            name_of_donor = name
        if path.exists():
            yield name, path
        else:
            print("skipped: %s is not in the cache (./dev model %s)" % (name_of_donor, name_of_donor), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--r1ls", default=str(ROOT / "build/release/r1ls"))
    parser.add_argument("--no-peer", action="store_true", help="without llama.cpp")
    parser.add_argument("--no-ik", action="store_true", help="without ik_llama.cpp")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=1900, help="tokens before the typed character")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--models", default="embedded,smollm2,coder-0.5b,coder-1.5b")
    parser.add_argument("--minutes", type=float, help="no further round begins where a model has used up its share of them")
    parser.add_argument("--quick", action="store_true", help="--rounds 3 --prompt 1024 --minutes 9")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md, with a plot")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.prompt, args.minutes = 3, 1024, args.minutes or 9
    args.peer, args.ik_fails = None, set()
    args.ik = None if args.no_ik or args.no_peer else find_ik()
    if not args.no_peer:
        done = subprocess.run([ROOT / "tests/bench/get_llama.sh", ROOT / "build/bench-tools"], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit("llama.cpp cannot be fetched (--no-peer goes without)")
        args.peer = pathlib.Path(done.stdout.strip())
    load, rows, text = [os.getloadavg()[0]], [], ""
    models, start = list(find_models(args.models)), time.monotonic()
    weights = [math.sqrt(path.stat().st_size) for _, path in models] # small models are measured in more rounds
    for i, (name, path) in enumerate(models):
        share = sum(weights[:i + 1]) / sum(weights)
        rows += rows_of(args, name, path, start + 60 * args.minutes * share if args.minutes else math.inf)
        load.append(os.getloadavg()[0])
        text = ("%d threads, medians of at most %d interleaved rounds (the last three rows of a model: one round), load %.0f to "
                "%.0f.\n\n%s" % (args.threads, args.rounds, min(load), max(load), table(rows)))
        print(table(rows[-5:]), file=sys.stderr, flush=True)
        if args.write: # after every model, so that a run that is ended early leaves what it has
            PLOT.write_text(plot(rows))
            write_doc(text + "\n\n![share of the limit](performance.svg)")
    print(text)


main()

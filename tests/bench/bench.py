#!/usr/bin/env python3
"""Speed of the engine and of a keystroke, against llama.cpp where it is installed.

usage: bench.py [--r1ls PATH] [--peer "COMMAND OF llama-bench"] [--rounds 3] [--models NAME,...]

Contenders are interleaved round by round in one run, because the speed of shared machines drifts;
the medians and their ratios count, single figures do not. The peer's command gets -m MODEL -t THREADS
-p PREFILL -n DECODE -r 1 -o json appended. Prints a Markdown table.
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def ours(r1ls, model, prefill, decode, threads):
    done = subprocess.run([r1ls, "engine", "bench", model, "--prefill", str(prefill), "--decode", str(decode),
                           "--threads", str(threads), "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit("r1ls engine bench %s: %s" % (model, done.stderr))
    return json.loads(done.stdout)


def theirs(command, model, prefill, decode, threads):
    done = subprocess.run(shlex.split(command) + ["-m", model, "-t", str(threads), "-p", str(prefill), "-n", str(decode),
                                                  "-r", "1", "-o", "json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (command, done.stderr[-500:]))
    rows = json.loads(done.stdout)
    return {"prefill_tps": next(r["avg_ts"] for r in rows if r["n_prompt"]),
            "decode_tps": next(r["avg_ts"] for r in rows if r["n_gen"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--r1ls", default=str(ROOT / "build/release/r1ls"))
    parser.add_argument("--peer", help="llama-bench, with what it needs before its options")
    parser.add_argument("--peer-models", help="folder of the models as the peer's command sees it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--models", default="embedded,smollm2,coder-0.5b,coder-1.5b")
    args = parser.parse_args()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "r1ls/models"
    print("| model | work | r1ls | peer | ratio |\n|---|---|---|---|---|")
    for name in args.models.split(","):
        path = ROOT / "engine/models/r1ls-mini.gguf" if name == "embedded" else cache / (name + ".gguf")
        if not path.exists():
            print("| %s | skipped: not in the cache (./dev model %s) | | | |" % (name, name))
            continue
        mine, other = [], []
        for _ in range(args.rounds):
            mine.append(ours(args.r1ls, str(path), args.prefill, args.decode, args.threads))
            if args.peer:
                seen = os.path.join(args.peer_models, path.name) if args.peer_models else str(path)
                other.append(theirs(args.peer, seen, args.prefill, args.decode, args.threads))
        for key, what in [("prefill_tps", "prefill %d, tokens/s" % args.prefill), ("decode_tps", "decode %d, tokens/s" % args.decode)]:
            a = statistics.median(m[key] for m in mine)
            b = statistics.median(o[key] for o in other) if other else None
            print("| %s | %s | %.1f | %s | %s |" % (name, what, a, "%.1f" % b if b else "-", "%.2f" % (a / b) if b else "-"), flush=True)
        print("| %s | open, ms; resident above the file, MB | %.0f; %.0f | - | - |" % (
            name, statistics.median(m["load_ms"] for m in mine),
            statistics.median(m["rss_bytes"] - m["file_bytes"] for m in mine) / 1e6), flush=True)


main()

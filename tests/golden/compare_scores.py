#!/usr/bin/env python3
"""Mean negative log-likelihood of texts by r1ls and by llama.cpp on the same file, and how many clear choices differ.

usage: compare_scores.py R1LS MODEL.gguf URL FILE...     URL of a llama-server that serves MODEL.gguf

Of each file's first 700 bytes, positions 8 to 170. A choice is clear where llama.cpp's best leads by more than 0.5.
"""
import json
import subprocess
import sys
import tempfile
import urllib.request

FIRST, LAST, BYTES = 8, 170, 700


def call(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=600))


def theirs(url, ids, at):
    """Log-probability of ids[at] (None below the 3,000 best), the best id and its lead."""
    top = call(url, "/completion", {"prompt": ids[:at], "n_predict": 1, "n_probs": 3000, "temperature": 0, "cache_prompt": True,
                                    "samplers": []})["completion_probabilities"][0]["top_logprobs"]
    return next((t["logprob"] for t in top if t["id"] == ids[at]), None), top[0]["id"], top[0]["logprob"] - top[1]["logprob"]


def ours(program, model, ids):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(ids, f)
        f.flush()
        out = subprocess.run([program, "engine", "score", model, "--ids", f.name, "--json"], capture_output=True, text=True, check=True)
    return [None, *json.loads(out.stdout)["tokens"]]


def main():
    if len(sys.argv) < 5: sys.exit(__doc__)
    program, model, url, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    sums, n, clear, differ = [0.0, 0.0], 0, 0, 0
    for path in files:
        with open(path, encoding="utf-8") as f: text = f.read(BYTES)
        ids = call(url, "/tokenize", {"content": text, "add_special": False})["tokens"][:LAST]
        score = ours(program, model, ids)
        for at in range(FIRST, len(ids)):
            logprob, best, lead = theirs(url, ids, at)
            if lead > 0.5:
                clear += 1
                differ += score[at]["argmax"] != best
            if logprob is None: continue
            sums[0] -= score[at]["logprob"]
            sums[1] -= logprob
            n += 1
    print(f"{model}: {sums[0] / n:.4f}, llama.cpp {sums[1] / n:.4f} ({100 * (sums[0] / sums[1] - 1):+.2f}%) over {n} tokens; "
          f"{differ} of {clear} clear choices differ")


main()

#!/usr/bin/env python3
"""Reference log-probabilities of real texts by llama.cpp's server: tests/golden/scores.json.

usage: make_scores.py URL NAME OUT.json FILE...     URL of a llama-server that serves the model NAME

For each file's first 700 bytes: the ids (special tokens not parsed, no BOS), and for each position from 8
on the log-probability of the id that follows, its rank-one id and the margin to the second. null where
the id is not among the 3,000 best. Entries of other models in OUT.json are kept.
"""
import json
import os
import sys
import urllib.request

FIRST, LAST, BYTES = 8, 170, 700


def call(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=300))


def score(url, text):
    ids = call(url, "/tokenize", {"content": text, "add_special": False})["tokens"][:LAST]
    logprobs, best, margins = [], [], []
    for i in range(FIRST, len(ids)):
        reply = call(url, "/completion", {"prompt": ids[:i], "n_predict": 1, "n_probs": 3000, "temperature": 0,
                                          "cache_prompt": True, "samplers": []})
        top = reply["completion_probabilities"][0]["top_logprobs"]
        found = next((t["logprob"] for t in top if t["id"] == ids[i]), None)
        logprobs.append(None if found is None else round(found, 5))
        best.append(top[0]["id"])
        margins.append(round(top[0]["logprob"] - top[1]["logprob"], 4))
    return {"ids": ids, "first": FIRST, "logprobs": logprobs, "best": best, "margins": margins}


def main():
    url, name, out, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    scores = json.load(open(out)) if os.path.exists(out) else {}
    scores[name] = []
    for path in files:
        text = open(path, encoding="utf-8").read(BYTES)
        scores[name].append({"file": path, "text": text, **score(url, text)})
    with open(out, "w") as f:
        json.dump(scores, f, separators=(",", ":"))
        f.write("\n")


main()

#!/usr/bin/env python3
"""Mean negative log-likelihood of texts by r1ls and by llama.cpp on the same file, and how many clear choices differ.

usage: compare_scores.py R1LS MODEL.gguf LLAMA_PERPLEXITY FILE...     needs numpy; get_llama.sh gets llama-perplexity

The files, one after the other, are cut into pieces of 512 tokens; in each the last 255 are scored, as llama-perplexity
does. Its logits come in 16 bits (steps of at most 0.0003). A choice is clear where llama.cpp's best leads by more than 0.5.
The difference of two means is told with its standard error: roundings differ by some 0.08 a token, both ways.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

PIECE = 512
FIRST = PIECE // 2


def theirs(program, model, text, work):
    """Per piece its ids, and for each scored position the log-probabilities of all tokens."""
    logits = work / "logits"
    (work / "text").write_text(text)
    subprocess.run([program, "-m", model, "-f", work / "text", "-c", str(PIECE), "-b", str(PIECE), "-t", "2",
                    "--save-all-logits", logits], check=True, capture_output=True)
    # "_logits_", piece, vocabulary, pieces; all ids; then per position scale and least log-probability (F32), 16 bits a token.
    with open(logits, "rb") as f:
        if f.read(8) != b"_logits_": sys.exit(f"{program} wrote something else than logits")
        piece, vocabulary, pieces = np.fromfile(f, np.int32, 3)
        ids = np.fromfile(f, np.int32, piece * pieces).reshape(pieces, piece)
        for at in range(pieces):
            rows = np.fromfile(f, np.uint16, (piece - 1 - FIRST) * (4 + (vocabulary + 1) // 2 * 2)).reshape(piece - 1 - FIRST, -1)
            head = np.ascontiguousarray(rows[:, :4]).view(np.float32)
            yield ids[at], head[:, :1] * rows[:, 4:4 + vocabulary] + head[:, 1:]


def ours(program, model, ids, work):
    (work / "ids").write_text(json.dumps(ids.tolist()))
    out = subprocess.run([program, "engine", "score", model, "--ids", work / "ids", "--json"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["tokens"][FIRST:]


def main():
    if len(sys.argv) < 5: sys.exit(__doc__)
    program, model, perplexity, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    text = "".join(pathlib.Path(path).read_text(encoding="utf-8") for path in files)
    nll, clear, differ = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for ids, logprobs in theirs(perplexity, model, text, work):
            scores = ours(program, model, ids, work)
            want = ids[FIRST + 1:]
            assert len(scores) == len(want) == len(logprobs)
            top = np.argsort(logprobs, axis=1)[:, -2:]
            leads = np.take_along_axis(logprobs, top, 1)
            is_clear = leads[:, 1] - leads[:, 0] > 0.5
            clear += is_clear.sum()
            differ += (is_clear & (top[:, 1] != [s["argmax"] for s in scores])).sum()
            nll += [(-s["logprob"], -row[id]) for s, row, id in zip(scores, logprobs, want)]
    nll = np.array(nll)
    us, them = nll.mean(axis=0)
    error = (nll[:, 0] - nll[:, 1]).std(ddof=1) / len(nll) ** 0.5
    print(f"{model}: {us:.4f}, llama.cpp {them:.4f} ({100 * (us / them - 1):+.2f}%, standard error {100 * error / them:.2f}) "
          f"over {len(nll)} tokens; {differ} of {clear} clear choices differ")


main()

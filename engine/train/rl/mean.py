"""The weighted mean of adapters of one rank and alpha that began as one, matrix by matrix (model soups, Wortsman et al. 2022).

usage: mean.py OUT.npz WEIGHT=ADAPTER...   the weights are divided by their sum; an adapter is grpo.py's npz or a GGUF file"""
import sys

import numpy as np

from policy import read_adapter


def mean(weighted):
    """(alpha, rank, {name: float32 array}) of [(weight, what read_adapter gives)]."""
    alpha, rank, first = weighted[0][1]; total = sum(w for w, _ in weighted)
    for _, (other_alpha, other_rank, pairs) in weighted:
        if (other_alpha, other_rank, pairs.keys()) != (alpha, rank, first.keys()): raise ValueError(f"an adapter of {len(pairs)} matrices, rank {other_rank} and alpha {other_alpha}, wanted {len(first)}, {rank} and {alpha} as the first has")
    return alpha, rank, {k: sum(w / total * pairs[k].astype(np.float32) for w, (_, _, pairs) in weighted) for k in first}


def main():
    if len(sys.argv) < 3 or not all("=" in x for x in sys.argv[2:]): sys.exit(__doc__)
    alpha, rank, pairs = mean([(float(w), read_adapter(path)) for w, path in (x.split("=", 1) for x in sys.argv[2:])])
    np.savez(sys.argv[1], alpha=alpha, rank=rank, **{k: x.astype(np.float16) for k, x in pairs.items()})


if __name__ == "__main__": main()

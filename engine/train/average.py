"""The mean of several legs' weights, as blocks for export.py: what legs that began from one another have found apart is better together.

usage: average.py OUT.blocks MODEL.gguf=SHARE MODEL.gguf=SHARE...
"""
import sys

import weights
from model_shape import Shape


def mean(states, shares):
    """Of dictionaries of arrays with the same names and shapes; the shares' sum is made one."""
    total = sum(shares)
    return {name: sum(state[name] * (share / total) for state, share in zip(states, shares)) for name in states[0]}


def main():
    if len(sys.argv) < 4 or not all("=" in a for a in sys.argv[2:]): sys.exit(__doc__)
    paths, shares = zip(*((path, float(share)) for path, share in (a.rsplit("=", 1) for a in sys.argv[2:])))
    if min(shares) <= 0: sys.exit(f"average.py: shares {shares}, wanted above 0")
    weights.write_blocks(sys.argv[1], mean([weights.from_gguf(weights.read_gguf(path), Shape()) for path in paths], shares), {})


if __name__ == "__main__": main()
